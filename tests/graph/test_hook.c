/* Gradients seen and changed on their way; what operations keep; derivatives that cannot be had again. */
#include <check.h>
#include <stdlib.h>
#include <wengert.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static wg_tape *tape;

static void set_up(void) { tape = wg_tape_new(); }
static void tear_down(void) { wg_tape_free(tape); }
static void no_error(void) { ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape)); }
static void refused(wg_status status, wg_status expected, const char *words)
{
    ck_assert_int_eq(status, expected);
    ck_assert_msg(strstr(wg_error(tape), words) != NULL, "%s", wg_error(tape));
    wg_clear_error(tape);
}

/* ---- Hooks ------------------------------------------------------------------------------------------------------- */
typedef struct {
    int calls;
    double seen;
} sight;

static wg_tensor look(void *user, wg_tensor g)
{
    sight *s = user;
    s->calls++;
    s->seen = wg_item(wg_sum(g));
    return WG_NONE;
}
static wg_tensor halve(void *user, wg_tensor g)
{
    (void)user;
    return wg_multiply(g, 0.5);
}
static wg_tensor wrong(void *user, wg_tensor g) { return user ? wg_sum(g) : wg_number(1); }

START_TEST(a_hook_sees_the_sum_of_what_all_uses_send)
{
    sight s = {0};
    wg_tensor x = wg_scalar(tape, 3), y = wg_on_gradient(x, look, &s), g;
    ck_assert_double_eq(wg_item(y), 3);
    wg_tensor z = wg_add(wg_multiply(y, y), y);
    ck_assert_int_eq(wg_grad(z, &x, 1, &g, .create_graph = _i), WG_OK);
    ck_assert_int_eq(s.calls, 1);
    ck_assert_double_eq(s.seen, 7);
    ck_assert_double_eq(wg_item(g), 7);
    no_error();
}
END_TEST

START_TEST(a_hook_changes_what_goes_on)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 3), ((double[]){1, 2, 3, 4, 5, 6})), g, gg;
    wg_tensor y = wg_on_gradient(wg_matrix_transpose(x), halve, NULL), f = wg_sum(wg_pow(y, 3));
    ck_assert_double_eq(wg_element(y, 1), 4);
    ck_assert_int_eq(wg_grad(f, &x, 1, &g, .create_graph = _i), WG_OK);
    ck_assert_double_eq(wg_element(g, 1), 0.5 * 3 * 4);
    if (_i) { /* the first backward pass halves, and the pass over it halves again where it goes by */
        ck_assert_int_eq(wg_grad(wg_sum(g), &x, 1, &gg), WG_OK);
        ck_assert_double_eq(wg_element(gg, 1), 0.25 * 6 * 2);
    }
    no_error();
}
END_TEST

START_TEST(a_hook_on_a_parameter_and_none_in_forward_mode)
{
    sight s = {0};
    wg_tensor p = wg_param(tape, "p", WG_SHAPE(2), .dtype = WG_FLOAT64, .init = WG_ONES), t;
    wg_tensor loss = wg_sum(wg_square(wg_on_gradient(p, look, &s))), one = wg_full(tape, WG_FLOAT64, WG_SHAPE(2), 1);
    wg_jvp(&loss, 1, &p, &one, 1, &t);
    ck_assert_double_eq(wg_item(t), 4);
    ck_assert_int_eq(s.calls, 0);
    wg_backward(loss);
    ck_assert_int_eq(s.calls, 1);
    ck_assert_double_eq(wg_element(wg_grad_of(p), 0), 2);
    no_error();
}
END_TEST

START_TEST(what_a_hook_may_not_give)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), ((double[]){1, 2})), g;
    refused(wg_grad(wg_sum(wg_on_gradient(x, wrong, &x)), &x, 1, &g), WG_ERROR_SHAPE,
            "of another type than the gradient");
    refused(wg_grad(wg_sum(wg_on_gradient(x, wrong, NULL)), &x, 1, &g), WG_ERROR_VALUE, "a number, not a tensor");
    ck_assert(wg_is_invalid(wg_on_gradient(x, NULL, NULL)));
    refused(wg_error_status(tape), WG_ERROR_VALUE, "there is no hook");
    ck_assert(wg_is_invalid(wg_on_gradient(WG_NONE, NULL, NULL)));
}
END_TEST

/* ---- Straight through -------------------------------------------------------------------------------------------- */
START_TEST(the_value_of_one_and_the_gradient_of_another)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), ((double[]){0.1, 1.6, -2.7})), g, t;
    wg_tensor one = wg_full(tape, WG_FLOAT64, WG_SHAPE(3), 1);
    wg_tensor y = wg_straight_through(wg_round(x), wg_tanh(x)), f = wg_sum(wg_multiply(y, x));
    ck_assert_double_eq(wg_element(y, 2), -3);
    ck_assert_int_eq(wg_grad(f, &x, 1, &g, .create_graph = _i), WG_OK);
    wg_jvp(&y, 1, &x, &one, 1, &t);
    for (int i = 0; i < 3; i++) {
        double v = wg_element(x, i), slope = 1 - tanh(v) * tanh(v);
        ck_assert_double_eq_tol(wg_element(g, i), wg_element(y, i) + v * slope, 1e-14);
        ck_assert_double_eq_tol(wg_element(t, i), slope, 1e-14);
    }
    no_error();
    ck_assert(wg_is_invalid(wg_straight_through(x, f)));
    refused(wg_error_status(tape), WG_ERROR_SHAPE, "is not of the shape of");
}
END_TEST

START_TEST(nothing_goes_to_the_value)
{
    wg_tensor v = wg_scalar(tape, 2), x = wg_scalar(tape, 3), xs[] = {v, x}, g[2];
    wg_grad(wg_straight_through(wg_square(v), wg_square(x)), xs, 2, g);
    ck_assert_double_eq(wg_item(g[0]), 0);
    ck_assert_double_eq(wg_item(g[1]), 6);
    wg_sparse j;
    wg_tensor y = wg_straight_through(wg_square(v), wg_square(x));
    ck_assert_int_eq(wg_sparse_jacobian(wg_jacobian_sparsity(&y, 1, xs, 2), &y, 1, xs, 2, &j), WG_OK);
    ck_assert_double_eq(wg_element(j.values, j.n - 1), 6);
    no_error();
}
END_TEST

/* ---- What is kept ------------------------------------------------------------------------------------------------ */
START_TEST(saved_bytes_are_those_the_chain_rule_reads)
{
    wg_tensor a = wg_full(tape, WG_FLOAT64, WG_SHAPE(3, 4), 1), b = wg_full(tape, WG_FLOAT64, WG_SHAPE(4, 5), 1);
    wg_tensor frozen = WG_NONE;
    ck_assert_uint_eq(wg_saved_bytes(a), 0);
    ck_assert_uint_eq(wg_saved_bytes(wg_add(a, a)), 0);
    ck_assert_uint_eq(wg_saved_bytes(wg_sum(a)), 0);
    ck_assert_uint_eq(wg_saved_bytes(wg_matrix_transpose(a)), 0);
    ck_assert_uint_eq(wg_saved_bytes(wg_matmul(a, b)), (12 + 20) * 8);
    ck_assert_uint_eq(wg_saved_bytes(wg_sin(a)), 12 * 8);
    WG_NO_GRAD(tape) frozen = wg_sin(a);
    ck_assert_uint_eq(wg_saved_bytes(frozen), 0);
    no_error();
    ck_assert_uint_eq(wg_saved_bytes(WG_NONE), 0);
}
END_TEST

/* ---- Derivatives that are not there any more --------------------------------------------------------------------- */
START_TEST(a_derivative_that_was_not_recorded_is_not_differentiated)
{
    wg_tensor x = wg_scalar(tape, 3), g, gg, one = wg_scalar(tape, 1), h;
    wg_grad(wg_multiply(x, wg_multiply(x, x)), &x, 1, &g);
    refused(wg_grad(g, &x, 1, &gg), WG_ERROR_VALUE, "take that one with create_graph");
    wg_tensor penalty = wg_square(wg_subtract(g, 1));
    refused(wg_grad(penalty, &x, 1, &gg), WG_ERROR_VALUE, "take that one with create_graph");
    refused(wg_grad(penalty, &x, 1, &gg, .create_graph = true), WG_ERROR_VALUE, "take that one with create_graph");
    refused(wg_jvp(&penalty, 1, &x, &one, 1, &gg), WG_ERROR_VALUE, "take that one with create_graph");
    wg_hessian(wg_multiply(x, wg_multiply(x, x)), &x, 1, &h);
    refused(wg_grad(h, &x, 1, &gg), WG_ERROR_VALUE, "take that one with create_graph");
}
END_TEST

/* As a constant beside something that does depend on x, or held on purpose, it is welcome. */
START_TEST(a_derivative_that_was_not_recorded_is_a_constant)
{
    wg_tensor x = wg_scalar(tape, 3), g, gg;
    wg_grad(wg_square(x), &x, 1, &g);
    ck_assert_int_eq(wg_grad(wg_multiply(g, x), &x, 1, &gg), WG_OK);
    ck_assert_double_eq(wg_item(gg), 6);
    ck_assert_int_eq(wg_grad(wg_square(wg_stop_gradient(g)), &x, 1, &gg), WG_OK);
    ck_assert_double_eq(wg_item(gg), 0);
    no_error();
}
END_TEST

START_TEST(a_second_backward_after_the_rewind_says_what_to_do)
{
    wg_tensor p = wg_param(tape, "p", WG_SCALAR, .dtype = WG_FLOAT64, .init = WG_ONES);
    wg_mark start = wg_tape_mark(tape);
    wg_tensor loss = wg_square(p);
    ck_assert_int_eq(wg_backward(loss), WG_OK);
    ck_assert_int_eq(wg_backward(loss), WG_OK); /* nothing is freed by a backward pass */
    ck_assert_double_eq(wg_item(wg_grad_of(p)), 4);
    wg_rewind(tape, start);
    refused(wg_backward(loss), WG_ERROR_STALE, "record it again, or rewind later");
    refused((wg_exp(loss), wg_error_status(tape)), WG_ERROR_STALE, "x was released by a rewind: record it again");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hook");
    TCase *tests = tcase_create("hook");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    const TTest *both[] = {a_hook_sees_the_sum_of_what_all_uses_send, a_hook_changes_what_goes_on,
                           the_value_of_one_and_the_gradient_of_another};
    const TTest *each[] = {a_hook_on_a_parameter_and_none_in_forward_mode, what_a_hook_may_not_give,
                           nothing_goes_to_the_value, saved_bytes_are_those_the_chain_rule_reads,
                           a_derivative_that_was_not_recorded_is_not_differentiated,
                           a_derivative_that_was_not_recorded_is_a_constant,
                           a_second_backward_after_the_rewind_says_what_to_do};
    for (int i = 0; i < COUNT(both); i++)
        tcase_add_loop_test(tests, both[i], 0, 2);
    for (int i = 0; i < COUNT(each); i++)
        tcase_add_test(tests, each[i]);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
