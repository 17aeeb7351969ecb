/* The traversals: right derivatives, refused questions, memory given back. */
#include <check.h>
#include <stdlib.h>
#include <wengert.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static wg_tape *tape;

static void set_up(void) { tape = wg_tape_new(); }
static void tear_down(void) { wg_tape_free(tape); }

static void no_error(void) { ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape)); }

/* ---- First derivatives ------------------------------------------------------------------------------------------- */
START_TEST(gradient_of_a_product_of_scalars)
{
    wg_tensor x = wg_scalar(tape, 3), y = wg_scalar(tape, 2), g[2];
    wg_tensor z = wg_multiply(wg_multiply(x, y), x);
    ck_assert_int_eq(wg_grad(z, ((wg_tensor[]){x, y}), 2, g), WG_OK);
    ck_assert_double_eq(wg_item(g[0]), 12);
    ck_assert_double_eq(wg_item(g[1]), 9);
    no_error();
}
END_TEST

START_TEST(gradient_sums_over_what_broadcasting_stretched)
{
    double v[6] = {1, 2, 3, 4, 5, 6};
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 3), v), b = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), v);
    wg_tensor c = wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 1), v), s = wg_scalar(tape, 1), g[3];
    wg_tensor y = wg_sum(wg_multiply(wg_multiply(wg_multiply(x, b), c), s));
    ck_assert_int_eq(wg_grad(y, ((wg_tensor[]){b, c, s}), 3, g), WG_OK);
    ck_assert_double_eq(wg_element(g[0], 1), 2 * 1 + 5 * 2);
    ck_assert_double_eq(wg_element(g[1], 1), 4 * 1 + 5 * 2 + 6 * 3);
    ck_assert_double_eq(wg_item(g[2]), wg_item(y));
    no_error();
}
END_TEST

START_TEST(backward_accumulates_into_parameters)
{
    wg_tensor p = wg_param(tape, "p", WG_SHAPE(2), .dtype = WG_FLOAT64, .data = ((double[]){3, 4}));
    wg_tensor frozen = wg_param(tape, "q", WG_SHAPE(2), .dtype = WG_FLOAT64, .init = WG_ONES, .frozen = true);
    wg_mark start = wg_tape_mark(tape);
    for (int i = 1; i <= 3; i++, wg_rewind(tape, start)) {
        ck_assert_int_eq(wg_backward(wg_sum(wg_multiply(wg_multiply(p, p), frozen))), WG_OK);
        ck_assert_double_eq(wg_element(wg_grad_of(p), 1), 8.0 * i);
    }
    wg_zero_grad(p);
    ck_assert(!wg_has_grad(p));
    ck_assert_double_eq(wg_element(wg_grad_of(p), 1), 0);
    no_error();
}
END_TEST

START_TEST(backward_leaves_the_tape_as_long_as_it_was)
{
    wg_tensor p = wg_param(tape, "p", WG_SHAPE(4), .init = WG_ONES);
    wg_tensor loss = wg_sum(wg_tanh(wg_multiply(p, 2)));
    size_t nodes = wg_tape_nodes(tape), used = wg_tape_used_bytes(tape);
    wg_backward(loss);
    ck_assert_uint_eq(wg_tape_nodes(tape), nodes);
    ck_assert_uint_eq(wg_tape_used_bytes(tape), used);
    no_error();
}
END_TEST

START_TEST(derivative_by_an_intermediate_tensor)
{
    wg_tensor x = wg_scalar(tape, 0.5), h = wg_multiply(x, x), y = wg_exp(h), g[2];
    wg_grad(y, ((wg_tensor[]){h, x}), 2, g);
    ck_assert_double_eq_tol(wg_item(g[0]), exp(0.25), 1e-15);
    ck_assert_double_eq_tol(wg_item(g[1]), exp(0.25), 1e-15);
    no_error();
}
END_TEST

START_TEST(several_outputs_are_pulled_back_together)
{
    wg_tensor x = wg_scalar(tape, 2), ys[] = {wg_multiply(x, 3), wg_multiply(x, x)};
    wg_tensor gs[] = {wg_scalar(tape, 1), wg_scalar(tape, 10)}, g;
    ck_assert_int_eq(wg_vjp(ys, gs, 2, &x, 1, &g), WG_OK);
    ck_assert_double_eq(wg_item(g), 3 + 40);
}
END_TEST

START_TEST(jvp_and_vjp_are_transposes)
{
    double v[6] = {0.1, -0.2, 0.3, 0.4, 1.5, -0.6}, u[2] = {0.7, -1.1}, t[3] = {0.2, 0.5, -0.3};
    wg_tensor a = wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 3), v), x = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), t);
    wg_tensor y = wg_tanh(wg_matmul(a, wg_exp(x))), cotangent = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), u);
    wg_tensor tangent = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), v), pulled, pushed;
    wg_vjp(&y, &cotangent, 1, &x, 1, &pulled);
    wg_jvp(&y, 1, &x, &tangent, 1, &pushed);
    ck_assert_double_eq_tol(wg_item(wg_sum(wg_multiply(pulled, tangent))),
                            wg_item(wg_sum(wg_multiply(pushed, cotangent))), 1e-15);
    no_error();
}
END_TEST

START_TEST(zero_cotangent_stays_zero_beside_an_infinite_slope)
{
    wg_tensor x = wg_scalar(tape, 0), y = wg_multiply(wg_sqrt(x), 0), g, gg;
    wg_grad(y, &x, 1, &g);
    ck_assert_double_eq(wg_item(g), 0);
    wg_grad(y, &x, 1, &gg, .create_graph = true);
    ck_assert_double_eq(wg_item(gg), 0);
}
END_TEST

/* ---- Higher ones ------------------------------------------------------------------------------------------------- */
START_TEST(fifth_derivative_of_exp_of_two_x)
{
    wg_tensor x = wg_scalar(tape, 0.3), y = wg_exp(wg_multiply(x, 2));
    for (int order = 0; order < 5; order++) {
        wg_tensor g;
        ck_assert_int_eq(wg_grad(y, &x, 1, &g, .create_graph = true), WG_OK);
        y = g;
    }
    ck_assert_double_eq_tol(wg_item(y), 32 * exp(0.6), 1e-12);
    no_error();
}
END_TEST

START_TEST(hessian_vector_product_both_ways)
{
    wg_tensor x = wg_scalar(tape, 3), y = wg_scalar(tape, 2), h[2], v[] = {wg_scalar(tape, 1), WG_NONE};
    wg_tensor z = wg_multiply(wg_multiply(x, y), x), xs[] = {x, y};
    ck_assert_int_eq(wg_hvp(z, xs, v, 2, h, .reverse = _i == 1), WG_OK);
    ck_assert_double_eq(wg_item(h[0]), 4);
    ck_assert_double_eq(wg_item(h[1]), 6);
    no_error();
}
END_TEST

/* Siskind and Pearlmutter 2005: d/dx (x d/dy (x + y)) is 1; a system that confuses its perturbations gives 2. */
START_TEST(nested_derivatives_are_not_confused)
{
    wg_tensor x = wg_scalar(tape, 1), y = wg_scalar(tape, 1), one = wg_scalar(tape, 1), inner, outer;
    wg_tensor sum = wg_add(x, y);
    wg_jvp(&sum, 1, &y, &one, 1, &inner);
    wg_tensor product = wg_multiply(x, inner);
    wg_jvp(&product, 1, &x, &one, 1, &outer);
    ck_assert_double_eq(wg_item(outer), 1);
    no_error();
}
END_TEST

/* ---- Refused ----------------------------------------------------------------------------------------------------- */
START_TEST(a_loss_of_many_elements_is_refused)
{
    wg_tensor p = wg_param(tape, "p", WG_SHAPE(3));
    ck_assert_int_eq(wg_backward(wg_multiply(p, 2)), WG_ERROR_SHAPE);
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "test_derivatives.c:"));
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "[3]"));
}
END_TEST

START_TEST(a_value_changed_since_is_refused)
{
    wg_tensor p = wg_param(tape, "p", WG_SCALAR, .dtype = WG_FLOAT64, .init = WG_ONES);
    wg_tensor loss = wg_multiply(p, p);
    wg_assign(p, wg_scalar(tape, 5));
    ck_assert_int_eq(wg_backward(loss), WG_ERROR_STALE);
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "was changed since it was recorded"));
}
END_TEST

START_TEST(a_value_not_needed_may_change)
{
    wg_tensor p = wg_param(tape, "p", WG_SCALAR, .dtype = WG_FLOAT64, .init = WG_ONES);
    wg_tensor loss = wg_add(p, p);
    wg_assign(p, wg_scalar(tape, 5));
    ck_assert_int_eq(wg_backward(loss), WG_OK);
    ck_assert_double_eq(wg_item(wg_grad_of(p)), 2);
}
END_TEST

START_TEST(an_unused_input_is_zero_or_an_error_as_asked)
{
    wg_tensor x = wg_scalar(tape, 3), y = wg_scalar(tape, 2), g;
    ck_assert_int_eq(wg_grad(wg_exp(x), &y, 1, &g), WG_OK);
    ck_assert_double_eq(wg_item(g), 0);
    ck_assert_int_eq(wg_grad(wg_exp(x), &y, 1, &g, .unused = WG_UNUSED_ERROR), WG_ERROR_VALUE);
}
END_TEST

START_TEST(a_stale_tensor_is_refused)
{
    wg_mark start = wg_tape_mark(tape);
    wg_tensor x = wg_scalar(tape, 3);
    wg_rewind(tape, start);
    wg_scalar(tape, 4);
    ck_assert(wg_is_invalid(wg_exp(x)));
    ck_assert_int_eq(wg_error_status(tape), WG_ERROR_STALE);
}
END_TEST

START_TEST(nothing_flows_through_stop_gradient_or_no_grad)
{
    wg_tensor x = wg_scalar(tape, 3), kept = WG_NONE, g;
    WG_NO_GRAD(tape) kept = wg_multiply(x, x);
    wg_grad(wg_add(wg_multiply(wg_stop_gradient(x), x), kept), &x, 1, &g);
    ck_assert_double_eq(wg_item(g), 3);
    no_error();
}
END_TEST

START_TEST(a_million_nodes_deep)
{
    wg_tensor x = wg_scalar(tape, 1), y = x, g;
    for (int i = 0; i < 1000000; i++)
        y = wg_add(y, 1e-6);
    wg_grad(y, &x, 1, &g);
    ck_assert_double_eq(wg_item(g), 1);
    no_error();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("derivatives");
    TCase *values = tcase_create("values"), *refused = tcase_create("refused");
    tcase_add_checked_fixture(values, set_up, tear_down);
    tcase_add_checked_fixture(refused, set_up, tear_down);
    const TTest *good[] = {gradient_of_a_product_of_scalars, gradient_sums_over_what_broadcasting_stretched,
                           backward_accumulates_into_parameters, backward_leaves_the_tape_as_long_as_it_was,
                           derivative_by_an_intermediate_tensor, several_outputs_are_pulled_back_together,
                           jvp_and_vjp_are_transposes, zero_cotangent_stays_zero_beside_an_infinite_slope,
                           fifth_derivative_of_exp_of_two_x, nested_derivatives_are_not_confused,
                           nothing_flows_through_stop_gradient_or_no_grad, a_million_nodes_deep};
    const TTest *bad[] = {a_loss_of_many_elements_is_refused, a_value_changed_since_is_refused,
                          a_value_not_needed_may_change, an_unused_input_is_zero_or_an_error_as_asked,
                          a_stale_tensor_is_refused};
    for (int i = 0; i < COUNT(good); i++)
        tcase_add_test(values, good[i]);
    tcase_add_loop_test(values, hessian_vector_product_both_ways, 0, 2);
    for (int i = 0; i < COUNT(bad); i++)
        tcase_add_test(refused, bad[i]);
    suite_add_tcase(suite, values);
    suite_add_tcase(suite, refused);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
