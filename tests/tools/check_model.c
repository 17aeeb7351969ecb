/* What `wengert check ./model.so:NAME` loads: a right loss and a wrong one. */
#include <wengert.h>
#include <wengert/map.h>

WG_MAP1(half_slope, tanh(x), K(0.5) * (1 - square(y)))
static const wg_op half_slope_op = {
    .name = "half_slope", .doc = "tanh(x), half of its slope", .in = {{"x", 0}}, .map = &half_slope_map, .saves = "y"};

int right_inputs(wg_tape *tape, wg_tensor *x);
int wrong_inputs(wg_tape *tape, wg_tensor *x);
wg_tensor right(const wg_tensor *x, void *user);
wg_tensor wrong(const wg_tensor *x, void *user);

int right_inputs(wg_tape *tape, wg_tensor *x)
{
    x[0] = wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 3), ((double[]){0.3, -1.2, 0.8, 1.1, -0.4, 0.6})), "x");
    x[1] = wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(3), ((double[]){0.5, 0.25, -0.75})), "w");
    return 2;
}
int wrong_inputs(wg_tape *tape, wg_tensor *x) { return right_inputs(tape, x); }

wg_tensor right(const wg_tensor *x, void *user)
{
    (void)user;
    return wg_sum(wg_tanh(wg_matmul(x[0], x[1])));
}

wg_tensor wrong(const wg_tensor *x, void *user)
{
    (void)user;
    wg_tensor h = wg_matmul(x[0], x[1]);
    return wg_sum(WG_AT(wg_record(&half_slope_op, NULL, &h, 1)));
}
