/* Would the generated suite notice? Each property is shown an operation that breaks it, and the sound one it was made
 * of. */
#include <check.h>
#include <stdlib.h>

#include "suite.h"

#include <wengert/map.h>

/* ---- The sound operation: y = x^2, rule by rule ------------------------------------------------------------------ */
static wg_status run_of(const wg_call *c, double scale)
{
    for (int64_t i = 0; i < wg_type_count(&c->x[0]); i++) {
        double x = wg_load_number(c->dtype, (const char *)c->from[0] + (size_t)i * wg_dtype_size(c->dtype));
        wg_store_number(c->dtype, scale * x * x, (char *)c->to[0] + (size_t)i * wg_dtype_size(c->dtype));
    }
    return WG_OK;
}
static wg_status run(const wg_call *c) { return run_of(c, 1); }
static wg_tensor pull(const wg_call *c, wg_tensor g) { return wg_multiply(g, wg_multiply(2, c->in[0])); }
static wg_tensor push(const wg_call *c) { return wg_multiply(c->t[0], wg_multiply(2, c->in[0])); }

#define SQUARE .name = "planted", .doc = "y = x^2", .in = {{"x", 0}}, .type = wg_type_as_first, .samples = {"[2,3]"}

/* ---- What goes wrong --------------------------------------------------------------------------------------------- */
static wg_status run_not_finite(const wg_call *c) { return run_of(c, (double)INFINITY); }
static wg_status run_rough_float32(const wg_call *c) { return run_of(c, c->dtype == WG_FLOAT32 ? 1.001 : 1); }
static wg_status run_elsewhere(const wg_call *c) { return run_of(c, (uintptr_t)c->to[0] & 64 ? 1 : 1 + 0x1p-50); }
static wg_status run_over_operand(const wg_call *c)
{
    run(c);
    memset((void *)(uintptr_t)c->from[0], 0, wg_dtype_size(c->dtype));
    return WG_OK;
}
static wg_status run_by_threads(const wg_call *c) { return run_of(c, c->tape->threads > 1 ? 1 + 0x1p-50 : 1); }
static wg_status run_not_linear(const wg_call *c)
{
    const double *x = c->from[0];
    int64_t n = wg_type_count(&c->x[0]);
    for (int64_t i = 0; i < n; i++)
        ((double *)c->to[0])[i] = x[i] + (x[0] != 0 ? x[n - 1] : 0);
    return WG_OK;
}
static wg_tensor pull_slightly_off(const wg_call *c, wg_tensor g) { return wg_multiply(1.001, pull(c, g)); }
static wg_tensor pull_flipped(const wg_call *c, wg_tensor g) { return wg_negative(pull(c, g)); }
static wg_tensor pull_squared(const wg_call *c, wg_tensor g) { return pull(c, wg_multiply(g, wg_abs(g))); }
static wg_tensor pull_when_recorded(const wg_call *c, wg_tensor g)
{
    return wg_multiply(c->recording ? 2 : 1, pull(c, g));
}
static wg_tensor pull_constant(const wg_call *c, wg_tensor g)
{
    wg_tensor x = c->in[0], frozen = leaf_like(x);
    wg_assign(frozen, x);
    return wg_multiply(g, wg_multiply(2, frozen));
}
static void formula_off(const wg_call *c, wg_tensor *out) { out[0] = wg_multiply(1 + 1e-10, wg_square(c->in[0])); }
static wg_tensor push_flipped(const wg_call *c) { return wg_negative(push(c)); }

static const struct {
    wg_op op;
    bool (*property)(trial *t);
} planted[] = {
    {{SQUARE, .run = run_not_finite, .vjp = {pull}, .jvp = push, .saves = "x"}, values_are_finite},
    {{SQUARE, .run = run_rough_float32, .vjp = {pull}, .jvp = push, .saves = "x"}, float32_agrees},
    {{SQUARE, .run = run_elsewhere, .vjp = {pull}, .jvp = push, .saves = "x"}, twice_is_the_same},
    {{SQUARE, .run = run_by_threads, .vjp = {pull}, .jvp = push, .saves = "x"}, threads_agree},
    {{SQUARE, .run = run_over_operand, .vjp = {pull}, .jvp = push, .saves = "x"}, operands_are_untouched},
    {{SQUARE, .run = run, .vjp = {pull_slightly_off}, .jvp = push, .saves = "x"}, vjp_is_the_derivative},
    {{SQUARE, .run = run, .vjp = {pull_flipped}, .jvp = push, .saves = "x"}, vjp_is_the_derivative},
    {{SQUARE, .run = run, .vjp = {NULL}, .jvp = push, .saves = "x"}, vjp_is_the_derivative},
    {{SQUARE, .run = run, .vjp = {pull}, .jvp = push_flipped, .saves = "x"}, jvp_is_the_transpose},
    {{SQUARE, .run = run, .vjp = {pull_squared}, .jvp = push, .saves = "x"}, vjp_is_linear},
    {{SQUARE, .run = run, .vjp = {pull_when_recorded}, .jvp = push, .saves = "x"}, recorded_vjp_agrees},
    {{SQUARE, .run = run, .vjp = {pull}, .jvp = push, .saves = ""}, saves_are_honest},
    {{SQUARE, .run = run, .vjp = {pull}, .jvp = push, .saves = "x", .formula = formula_off}, formula_is_the_value},
    {{SQUARE, .run = run, .vjp = {pull_constant}, .jvp = push, .saves = "x"}, hessian_is_the_derivative},
    {{SQUARE, .run = run_not_linear, .vjp = {pull}, .linear = WG_JOINTLY, .saves = "x"}, structure_is_what_a_nan_finds},
};

static bool holds(const wg_op *op, bool (*property)(trial *), char *why)
{
    trial t;
    bool fine = trial_open(&t, wg_tape_new(), op, op->samples[0], WG_FLOAT64, why) && property(&t);
    trial_close(&t);
    return fine;
}

START_TEST(a_broken_rule_is_noticed)
{
    char why[SUITE_WHY] = "";
    ck_assert_msg(!holds(&planted[_i].op, planted[_i].property, why), "planted error %d was not noticed", _i);
    ck_assert_ptr_nonnull(strstr(why, "planted of \"[2,3]\""));
}
END_TEST

START_TEST(the_sound_operation_holds)
{
    static const wg_op sound = {SQUARE, .run = run, .vjp = {pull}, .jvp = push, .saves = "x"};
    char why[SUITE_WHY] = "";
    ck_assert_msg(holds(&sound, planted[_i].property, why), "%s", why);
}
END_TEST

/* ---- Elementwise slopes, at their points ------------------------------------------------------------------------- */
WG_MAP1(off_at_one, x *x, x == 1 ? K(3) : 2 * x)
WG_MAP1(above_the_kink, fabs(x), x == 0 ? K(2) : sign(x))
static const wg_op mapped[] = {
    {.name = "off_at_one", .in = {{"x", 0}}, .map = &off_at_one_map, .points = WG_POINTS(1), .samples = {"[2]"}},
    {.name = "above_the_kink", .in = {{"x", 0}}, .map = &above_the_kink_map, .kinks = WG_POINTS(0), .samples = {"[2]"}},
};

START_TEST(a_slope_that_is_wrong_at_one_point_is_noticed)
{
    char why[SUITE_WHY] = "";
    ck_assert(!slopes_at_points(&mapped[0], why));
    ck_assert(!slopes_at_kinks(&mapped[1], why));
    ck_assert(!entry_is_complete(&mapped[0], why));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("the suite itself");
    TCase *cases = tcase_create("noticed");
    tcase_add_loop_test(cases, a_broken_rule_is_noticed, 0, (int)COUNT(planted));
    tcase_add_loop_test(cases, the_sound_operation_holds, 0, (int)COUNT(planted));
    tcase_add_test(cases, a_slope_that_is_wrong_at_one_point_is_noticed);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
