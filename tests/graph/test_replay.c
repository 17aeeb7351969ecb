/* The double-double replay: its functions, what of the tape it can evaluate again, and how well it knows derivatives.
 */
#include <check.h>
#include <float.h>
#include <stdlib.h>

#include "graph/replay.h"

#include <wengert.h>
#include <wengert/sample.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static wg_tape *tape;

static void set_up(void) { tape = wg_tape_new(); }
static void tear_down(void) { wg_tape_free(tape); }

static double quotient(wg_dd a, wg_dd b, double h) { return wg_dd_divide(wg_dd_subtract(a, b), wg_dd_of(h)).hi; }

/* ---- Elementwise slopes, to their rounding ----------------------------------------------------------------------- */
/* Those whose functions have no double-double form; the checker takes Ridders' method for them. */
static const char *const without[] = {"erfcx_slope", "i0e_slope"};

static bool has_no_form(const char *name)
{
    for (int i = 0; i < COUNT(without); i++)
        if (!strcmp(without[i], name))
            return true;
    return false;
}

/* 1: the slope by operand `which` at the point is right; 0: there is none, or a kink; -1: it is wrong. */
static int slope_is_right(const wg_op *op, const void *options, const double *at, int n, int which)
{
    wg_tensor x[3], y, g;
    double weight = 1;
    wg_mark before = wg_tape_mark(tape);
    for (int i = 0; i < n; i++)
        x[i] = wg_scalar(tape, at[i]);
    if ((wg_record_on)(tape, op, options, x, n, &y, 1) || wg_grad(y, &x[which], 1, &g))
        ck_abort_msg("%s: %s", op->name, wg_error(tape));
    double size = fabs(at[which]), scale = size > 0 && size < 1e-50 ? size : fmax(size, 0x1p-10);
    double slope = wg_item(g), h = 0x1p-33 * scale, wide = 0x1p-20 * scale;
    wg_replay r = {.tape = tape, .x = x, .n = n, .y = y, .weight = &weight};
    ck_assert_msg(wg_replay_make(&r, x[0].node), "%s has no form for %s", op->name, r.without);
    static const double steps[] = {0, 1, -1, 0.5, -0.5};
    wg_dd f[7];
    uint64_t branches[7];
    for (int i = 0; i < 7; i++) {
        f[i] = wg_replay_run(&r, which, 0, NULL, i < 5 ? steps[i] * h : i == 5 ? wide : -wide);
        branches[i] = r.branches;
    }
    int right = 1;
    for (int i = 1; i < 7; i++)
        if (branches[i] != branches[0] || !isfinite(f[i].hi))
            right = 0;
    double rough = quotient(f[1], f[2], 2 * h), fine = quotient(f[3], f[4], h), numeric = fine + (fine - rough) / 3;
    double curvature = fabs(quotient(wg_dd_add(f[5], f[6]), wg_dd_multiply(f[0], wg_dd_of(2)), wide * wide));
    double bound = 1e-13 * fabs(numeric) + 8 * DBL_EPSILON * curvature * fabs(at[which]) + fabs(fine - rough) +
                   64 * WG_DD_EPS * fabs(f[0].hi) / h + DBL_MIN;
    if (right && isfinite(slope) && !(fabs(slope - numeric) <= bound)) {
        printf("%s at (%.17g, %.17g, %.17g) by %d: %.17g, numeric %.17g +- %g\n", op->name, at[0], n > 1 ? at[1] : 0,
               n > 2 ? at[2] : 0, which, slope, numeric, bound);
        right = -1;
    }
    wg_rewind(tape, before);
    return isfinite(slope) ? right : 0;
}

static bool is_smooth_map(const wg_op *op)
{
    bool is = op->map && op->map->slope[0] && op->map->run[WG_FLOAT64] && !op->surrogate && !has_no_form(op->name);
    for (int i = 0; i < wg_op_operands(op); i++)
        is = is && !(op->in[i].flags & (WG_INTEGER | WG_BOOLEAN | WG_INDEX_OR_FLOAT));
    return is && wg_op_operands(op) <= 3;
}

START_TEST(elementwise_slopes_are_right_to_their_rounding)
{
    int entries = 0, points = 0, wrong = 0;
    for (int f = 0; wg_op_family(f); f++)
        for (int i = 0; i < wg_op_family(f)->n; i++) {
            const wg_op *op = wg_op_family(f)->op[i];
            if (!is_smooth_map(op))
                continue;
            static const double usual[] = {-0.7, 0.3, 1.6};
            wg_points at = op->points.n ? op->points : (wg_points){COUNT(usual), usual};
            wg_sample sample;
            wg_mark before = wg_tape_mark(tape);
            ck_assert(!wg_sample_make(tape, op, op->samples[0], WG_FLOAT64, 1, &sample));
            int n = wg_op_operands(op), all = 1;
            for (int k = 0; k < n; k++)
                all *= at.n;
            entries++;
            for (int k = 0; k < all * n; k++) {
                double x[3] = {0};
                for (int j = 0, rest = k / n; j < n; j++, rest /= at.n)
                    x[j] = at.at[rest % at.n];
                bool in_range = true; /* where squares neither overflow nor underflow */
                for (int j = 0; j < n; j++)
                    in_range = in_range && (x[j] == 0 || (fabs(x[j]) > 1e-140 && fabs(x[j]) < 1e140));
                if (!op->map->slope[k % n] || !in_range)
                    continue;
                int is = slope_is_right(op, op->options ? sample.options : NULL, x, n, k % n);
                points += is > 0;
                wrong += is < 0;
            }
            wg_rewind(tape, before);
        }
    ck_assert_int_eq(wrong, 0);
    ck_assert_int_ge(entries, 80);
    ck_assert_int_ge(points, 500);
}
END_TEST

/* ---- Sums, products and views ------------------------------------------------------------------------------------ */
/* 1 / 3 as the nearest sum of two doubles, through every kind of linear operation: what comes out is right to its last
 * digits. */
START_TEST(linear_operations_lose_nothing)
{
    wg_tensor a = wg_full(tape, WG_FLOAT64, WG_SHAPE(3, 5), 1), b = wg_full(tape, WG_FLOAT64, WG_SHAPE(4, 5), 3);
    wg_tensor x[] = {a, b};
    wg_tensor product = wg_matmul(wg_divide(1, b), wg_matrix_transpose(a)); /* [4, 3]: 5 / 3 */
    wg_tensor y = wg_sum(wg_concat(WG_TENSORS(product, wg_flip(product)), .axis = 0)), mean = wg_mean(product);
    double weight = 1;
    wg_replay r = {.tape = tape, .x = x, .n = 2, .y = y, .weight = &weight};
    ck_assert_msg(wg_replay_make(&r, a.node), "%s", r.without);
    wg_dd sum = wg_replay_run(&r, 0, 0, NULL, 0);
    ck_assert_double_le(fabs(wg_dd_subtract(sum, wg_dd_of(40)).hi), 40 * WG_DD_EPS);
    wg_replay m = {.tape = tape, .x = x, .n = 2, .y = mean, .weight = &weight};
    ck_assert_msg(wg_replay_make(&m, a.node), "%s", m.without);
    wg_dd third = wg_dd_divide(wg_dd_of(5), wg_dd_of(3));
    ck_assert_double_le(fabs(wg_dd_subtract(wg_replay_run(&m, 0, 0, NULL, 0), third).hi), 2 * WG_DD_EPS);
}
END_TEST

/* Softmax adds up to 1, and an LSTM's gates are formulas in formulas; what is constant in one is not replayed. */
START_TEST(formulas_are_replayed)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(4), ((double[]){1, -2, 0.3, 0.1})), y = wg_softmax(x);
    wg_tensor normed = wg_layer_norm(y, WG_NONE, WG_NONE, .eps = 0);
    double weight[4] = {1, 1, 1, 1};
    wg_replay r = {.tape = tape, .x = &x, .n = 1, .y = y, .weight = weight};
    ck_assert_msg(wg_replay_make(&r, x.node), "%s", r.without);
    ck_assert_double_le(fabs(wg_dd_subtract(wg_replay_run(&r, 0, 1, NULL, 0.125), wg_dd_of(1)).hi), 8 * WG_DD_EPS);
    wg_replay n = {.tape = tape, .x = &x, .n = 1, .y = normed, .weight = weight};
    ck_assert_msg(wg_replay_make(&n, x.node), "%s", n.without);
    ck_assert_double_le(fabs(wg_replay_run(&n, 0, 1, NULL, 0.125).hi), 64 * WG_DD_EPS);
}
END_TEST

/* Of a composition of functions, a product and a kernel that rounds: right to its rounding, where no double-double
 * is. */
START_TEST(a_complex_step_is_exact)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(1, 1, 3), ((double[]){0.3, -1.2, 2.5}));
    wg_tensor pooled = wg_avg_pool1d(wg_exp(wg_sin(x)), .kernel_size = {3});
    wg_tensor y = wg_multiply(wg_tanh(pooled), wg_matmul(x, wg_matrix_transpose(x)));
    double weight = 1, size;
    wg_replay r = {.tape = tape, .x = &x, .n = 1, .y = y, .weight = &weight};
    ck_assert_msg(wg_replay_make(&r, x.node), "%s", r.without);
    ck_assert(isnan(wg_replay_run(&r, 0, 1, NULL, 0).hi)); /* thirds are not whole */
    wg_dd z = wg_replay_complex(&r, 0, 1, NULL, 0, &size);
    double p = (exp(sin(0.3)) + exp(sin(-1.2)) + exp(sin(2.5))) / 3, square = 0.09 + 1.44 + 6.25;
    double slope = (1 - tanh(p) * tanh(p)) * exp(sin(-1.2)) * cos(-1.2) / 3 * square + tanh(p) * 2 * -1.2;
    ck_assert_double_eq_tol(z.hi, tanh(p) * square, 1e-14);
    ck_assert_double_eq_tol(z.lo, slope, 1e-14);
}
END_TEST

START_TEST(what_rounds_has_no_form)
{
    wg_tensor x = wg_full(tape, WG_FLOAT64, WG_SHAPE(4), 1), y = wg_sort(x);
    double weight[4] = {1, 1, 1, 1};
    wg_replay r = {.tape = tape, .x = &x, .n = 1, .y = y, .weight = weight};
    ck_assert(!wg_replay_make(&r, x.node));
    ck_assert_str_eq(r.without, "sort");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("double-double replay");
    TCase *cases = tcase_create("replay");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, elementwise_slopes_are_right_to_their_rounding);
    tcase_add_test(cases, linear_operations_lose_nothing);
    tcase_add_test(cases, formulas_are_replayed);
    tcase_add_test(cases, a_complex_step_is_exact);
    tcase_add_test(cases, what_rounds_has_no_form);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
