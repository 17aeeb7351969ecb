/* An operation of your own: y = x^2 sin(1/x), 0 at 0, which is continuous everywhere and differentiable everywhere,
 * with a derivative that is not continuous. An elementwise entry is its formula and its slope, as C text; the vector
 * kernels, broadcasting, both derivatives and the derivatives of those follow. Then the entry is put to the test. */
#include <stdio.h>
#include <wengert.h>
#include <wengert/map.h>

WG_MAP1(wiggle, x == 0 ? 0 : x * x * sin(1 / x), x == 0 ? 0 : 2 * x * sin(1 / x) - cos(1 / x))

static const wg_op wiggle_op = {
    .name = "wiggle",
    .doc = "y = x^2 sin(1/x), and 0 at 0",
    .in = {{"x", 0}},
    .map = &wiggle_map,
    .saves = "x",
    .points = WG_POINTS(-2, -0.3, 0.1, 1, 30),
    .samples = {"[7]", "[2,3]", "[]", "[0]"},
};

static wg_tensor wiggle(wg_tensor x) { return WG_RECORD(wiggle, NULL, x); }

static wg_tensor sum_of_wiggles(const wg_tensor *x, void *user)
{
    (void)user;
    return wg_sum(wiggle(x[0]));
}

int main(void)
{
    wg_tape *tape = wg_tape_new();
    wg_op_add(tape, &wiggle_op); /* known by name on this tape */
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(5), ((double[]){-2, -0.3, 0, 0.1, 1})), slope, curvature;
    wg_tensor y = wiggle(x);
    wg_grad(wg_sum(y), &x, 1, &slope, .create_graph = true);
    wg_grad(wg_sum(slope), &x, 1, &curvature);
    printf("%10s %10s %10s %10s\n", "x", "y", "dy/dx", "d2y/dx2");
    for (int i = 0; i < 5; i++)
        printf("%10.4f %10.4f %10.4f %10.4f\n", wg_element(x, i), wg_element(y, i), wg_element(slope, i),
               wg_element(curvature, i));

    wg_tensor point = wg_array(tape, WG_FLOAT64, WG_SHAPE(4), ((double[]){-2, -0.3, 0.1, 1}));
    wg_check_report report = wg_check_grad(sum_of_wiggles, &point, 1);
    wg_check_print(&report, stdout);
    bool failed = wg_failed(tape) || report.failed;
    if (wg_failed(tape))
        fprintf(stderr, "%s\n", wg_error(tape));
    wg_tape_free(tape);
    return failed;
}
