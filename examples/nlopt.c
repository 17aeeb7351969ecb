/* A minimum under constraints, by NLopt's SLSQP: problem 71 of Hock and Schittkowski (1981), whose objective,
 * constraints and their gradients are graph code.
 *
 *     min x1 x4 (x1 + x2 + x3) + x3   where   x1 x2 x3 x4 >= 25,   |x|^2 = 40,   1 <= x <= 5 */
#include <nlopt.h>
#include <stdio.h>
#include <wengert.h>

typedef wg_tensor function(wg_tensor x);

static wg_tensor objective(wg_tensor x)
{
    wg_tensor first = wg_select(x, 0, 0), third = wg_select(x, 0, 2), last = wg_select(x, 0, 3);
    return wg_fma(wg_multiply(first, last), wg_sum(wg_narrow(x, 0, 0, 3)), third);
}
static wg_tensor product(wg_tensor x) { return wg_subtract(25, wg_prod(x)); }         /* not above 0 */
static wg_tensor sphere(wg_tensor x) { return wg_subtract(wg_sum(wg_square(x)), 40); } /* 0 */

typedef struct {
    wg_tape *tape;
    function *f;
} given;

/* NLopt's signature; the gradient is not always asked for. */
static double evaluate(unsigned n, const double *x, double *gradient, void *user)
{
    given *g = user;
    wg_mark before = wg_tape_mark(g->tape);
    wg_tensor at = wg_array(g->tape, WG_FLOAT64, WG_SHAPE(n), x), y = g->f(at), grad;
    double value = wg_item(y);
    if (gradient && !wg_grad(y, &at, 1, &grad))
        wg_copy_out(grad, gradient);
    wg_rewind(g->tape, before);
    return value;
}

int main(void)
{
    wg_tape *tape = wg_tape_new();
    given f = {tape, objective}, above = {tape, product}, on = {tape, sphere};
    double x[4] = {1, 5, 5, 1}, value = 0;

    wg_check_report report = wg_check_nlopt(evaluate, x, 4, .user = &f); /* of any function of this signature */
    wg_check_print(&report, stdout);
    if (wg_draw(objective(wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(4), x), "x")), "nlopt.svg")) { /* no dot? */
        fprintf(stderr, "%s\n", wg_error(tape));
        wg_clear_error(tape);
    }

    nlopt_opt opt = nlopt_create(NLOPT_LD_SLSQP, 4);
    nlopt_set_lower_bounds1(opt, 1);
    nlopt_set_upper_bounds1(opt, 5);
    nlopt_set_min_objective(opt, evaluate, &f);
    nlopt_add_inequality_constraint(opt, evaluate, &above, 1e-10);
    nlopt_add_equality_constraint(opt, evaluate, &on, 1e-10);
    nlopt_set_xtol_rel(opt, 1e-12);
    nlopt_result result = nlopt_optimize(opt, x, &value);
    printf("%s after %d evaluations: %.7f at (%.5f, %.5f, %.5f, %.5f)\n", nlopt_result_to_string(result),
           nlopt_get_numevals(opt), value, x[0], x[1], x[2], x[3]);
    nlopt_destroy(opt);
    int failed = wg_failed(tape) || report.failed || result < 0 || fabs(value - 17.0140173) > 1e-6;
    wg_tape_free(tape);
    return failed;
}
