/* Whole matrices of derivatives: by rows and by columns, plain and recorded, and what is refused. */
#include <check.h>
#include <stdlib.h>
#include <wengert.h>

#include "tests/core/faults.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static wg_tape *tape;

static void set_up(void) { tape = wg_tape_new(); }
static void tear_down(void) { wg_tape_free(tape); }
static void no_error(void) { ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape)); }

static wg_tensor array(wg_tape *on, int n, const double *v) { return wg_array(on, WG_FLOAT64, WG_SHAPE(n), v); }

static void shape_is(wg_tensor t, const char *expected)
{
    char text[100];
    wg_shape shape = wg_shape_of(t);
    ck_assert_str_eq(wg_shape_text(&shape, text, sizeof text), expected);
}

/* ---- Jacobians --------------------------------------------------------------------------------------------------- */
/* Every way: by rows or columns, or as the library likes; plain or recorded. */
#define BY ((wg_matrix_by)(_i % 3))
#define RECORDED (_i >= 3)
enum { WAYS = 6 };

START_TEST(jacobian_of_several_outputs_by_several_inputs)
{
    wg_tensor a = wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 3), ((double[]){1, 2, 3, 4, 5, 6}));
    wg_tensor x = array(tape, 3, (double[]){0.5, -1, 2}), xs[] = {a, x}, j[4];
    wg_tensor ys[] = {wg_matmul(a, x), wg_sum(wg_square(x))};
    ck_assert_int_eq(wg_jacobian(ys, 2, xs, 2, j, .by = BY, .create_graph = RECORDED), WG_OK);
    shape_is(j[0], "[2, 2, 3]");
    shape_is(j[1], "[2, 3]");
    shape_is(j[2], "[2, 3]");
    shape_is(j[3], "[3]");
    for (int r = 0; r < 2; r++)
        for (int c = 0; c < 6; c++) {
            ck_assert_double_eq(wg_element(j[0], 6 * r + c), c / 3 == r ? wg_element(x, c % 3) : 0);
            ck_assert_double_eq(wg_element(j[2], c), 0);
            ck_assert_double_eq(wg_element(j[1], 3 * r + c % 3), wg_element(a, 3 * r + c % 3));
        }
    ck_assert_double_eq(wg_element(j[3], 1), -2);
    no_error();
}
END_TEST

START_TEST(jacobian_by_an_intermediate_tensor_and_by_one_asked_twice)
{
    wg_tensor x = array(tape, 2, (double[]){1, 2}), h = wg_square(x), y = wg_multiply(h, x), xs[] = {h, x, h}, j[3];
    ck_assert_int_eq(wg_jacobian(&y, 1, xs, 3, j, .by = BY, .create_graph = RECORDED), WG_OK);
    ck_assert_double_eq(wg_element(j[0], 3), 2);
    ck_assert_double_eq(wg_element(j[1], 3), 12);
    ck_assert_double_eq(wg_element(j[2], 3), 2);
    ck_assert_double_eq(wg_element(j[2], 1), 0);
    no_error();
}
END_TEST

START_TEST(jacobian_of_a_view_and_in_float32)
{
    wg_tensor x = wg_array(tape, WG_FLOAT32, WG_SHAPE(2, 2), ((float[]){1, 2, 3, 4})), j;
    wg_tensor y = wg_matrix_transpose(wg_square(x));
    ck_assert_int_eq(wg_jacobian(&y, 1, &x, 1, &j, .by = BY, .create_graph = RECORDED), WG_OK);
    const double expected[] = {2, 0, 0, 0, 0, 0, 6, 0, 0, 4, 0, 0, 0, 0, 0, 8};
    for (int i = 0; i < 16; i++)
        ck_assert_double_eq(wg_element(j, i), expected[i]);
    no_error();
}
END_TEST

START_TEST(jacobian_of_nothing)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(0, 2), NULL), s = wg_scalar(tape, 1), xs[] = {x, s}, j[4];
    wg_tensor ys[] = {wg_multiply(x, s), wg_sum(x)};
    ck_assert_int_eq(wg_jacobian(ys, 2, xs, 2, j, .by = BY, .create_graph = RECORDED), WG_OK);
    shape_is(j[0], "[0, 2, 0, 2]");
    shape_is(j[1], "[0, 2]");
    shape_is(j[2], "[0, 2]");
    shape_is(j[3], "[]");
    ck_assert_double_eq(wg_item(j[3]), 0);
    no_error();
}
END_TEST

/* Sum of the squares of d sin(x)/dx, differentiated again. */
/* ---- Rows together ----------------------------------------------------------------------------------------------- */
/* Of x [4, 5], to at least twelve elements: elementwise with broadcasting, products on both sides, reductions and views
 * along every axis, and what is done lane by lane. */
static wg_tensor broadcasting(wg_tensor x) { return wg_multiply(wg_sin(x), wg_exp(wg_select(x, 0, 1))); }
static wg_tensor products(wg_tensor x)
{
    wg_tensor square = wg_matmul(x, wg_matrix_transpose(x)), row = wg_select(x, 0, 0);
    return wg_add(wg_matmul(wg_tanh(square), x), wg_matmul(row, wg_matmul(wg_matrix_transpose(x), x)));
}
static wg_tensor columns(wg_tensor x) { return wg_outer(wg_matmul(x, wg_select(x, 0, 2)), wg_select(x, 0, 1)); }
static wg_tensor axes(wg_tensor x)
{
    wg_tensor centred = wg_subtract(x, wg_mean(x, .axis = 0, .keepdims = true));
    return wg_divide(centred, wg_sqrt(wg_add(1, wg_sum(wg_square(centred), .axis = 1, .keepdims = true))));
}
static wg_tensor views(wg_tensor x)
{
    wg_tensor turned = wg_flip(wg_swapaxes(x, 0, 1), .axis = 0);
    wg_tensor some = wg_concat(WG_TENSORS(wg_narrow(turned, 0, 1, 3), turned), .axis = 0);
    return wg_stack(WG_TENSORS(wg_square(some), wg_softmax(some, .axis = 0)), .axis = 1);
}
static wg_tensor whole(wg_tensor x) { return wg_multiply(x, wg_sum(wg_square(x))); }
static wg_tensor one_by_one(wg_tensor x)
{
    wg_tensor sorted = wg_sort(x, .axis = 1);
    return wg_add(wg_cumulative_prod(x, 1),
                  wg_multiply(sorted, wg_permute_dims(wg_reshape(x, WG_SHAPE(5, 4)), WG_AXES(1, 0))));
}
static wg_tensor layers(wg_tensor x)
{
    wg_tensor w = wg_matmul(wg_matrix_transpose(x), x);
    return wg_layer_norm(wg_linear(wg_gelu(x), w, WG_NONE), WG_NONE, WG_NONE);
}
static wg_tensor (*const batches[])(wg_tensor x) = {broadcasting, products, columns,    axes,
                                                    views,        whole,    one_by_one, layers};

START_TEST(rows_together_are_the_rows_one_by_one)
{
    double values[20], e[64] = {0}, row[20];
    for (int i = 0; i < 20; i++)
        values[i] = sin(1.3 * i + 0.2);
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(4, 5), values), y = batches[_i](x), j;
    size_t nodes = wg_tape_nodes(tape);
    ck_assert_msg(!wg_jacobian(&y, 1, &x, 1, &j, .by = WG_BY_ROWS), "%s", wg_error(tape));
    ck_assert_uint_eq(wg_tape_nodes(tape), nodes + 1);
    for (int64_t k = 0; k < wg_size(y); k++) {
        e[k] = 1;
        wg_tensor g = wg_array(tape, WG_FLOAT64, wg_shape_of(y), e), d;
        e[k] = 0;
        ck_assert(!wg_vjp(&y, &g, 1, &x, 1, &d));
        wg_copy_out(d, row);
        for (int i = 0; i < 20; i++)
            ck_assert_double_eq_tol(wg_element(j, k * 20 + i), row[i], 1e-12);
    }
}
END_TEST

START_TEST(a_recorded_jacobian_is_differentiated_again)
{
    wg_tensor x = array(tape, 2, (double[]){0.3, 0.8}), y = wg_sin(x), j, g;
    ck_assert_int_eq(wg_jacobian(&y, 1, &x, 1, &j, .by = BY, .create_graph = true), WG_OK);
    ck_assert_int_eq(wg_grad(wg_sum(wg_square(j)), &x, 1, &g), WG_OK);
    ck_assert_double_eq_tol(wg_element(g, 1), -sin(1.6), 1e-15);
    no_error();
}
END_TEST

START_TEST(a_plain_jacobian_leaves_only_itself_on_the_tape)
{
    wg_tensor x = array(tape, 3, (double[]){1, 2, 3}), y = wg_exp(x), j;
    size_t nodes = wg_tape_nodes(tape);
    wg_jacobian(&y, 1, &x, 1, &j, .by = BY);
    ck_assert_uint_eq(wg_tape_nodes(tape), nodes + 1);
    wg_hessian(wg_sum(y), &x, 1, &j);
    ck_assert_uint_eq(wg_tape_nodes(tape), nodes + 3);
    wg_laplacian(wg_sum(y), &x, 1);
    ck_assert_uint_eq(wg_tape_nodes(tape), nodes + 5);
    no_error();
}
END_TEST

/* ---- Hessians ---------------------------------------------------------------------------------------------------- */
START_TEST(hessian_of_two_inputs)
{
    wg_tensor x = array(tape, 2, (double[]){1, 2}), s = wg_scalar(tape, 3), xs[] = {x, s}, h[4];
    wg_tensor y = wg_multiply(wg_prod(x), wg_square(s)); /* x0 x1 s^2 */
    ck_assert_int_eq(wg_hessian(y, xs, 2, h, .by = BY, .create_graph = RECORDED), WG_OK);
    const double xx[] = {0, 9, 9, 0}, xs_[] = {12, 6};
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq_tol(wg_element(h[0], i), xx[i], 1e-14);
    for (int i = 0; i < 2; i++) {
        ck_assert_double_eq_tol(wg_element(h[1], i), xs_[i], 1e-14);
        ck_assert_double_eq_tol(wg_element(h[2], i), xs_[i], 1e-14);
    }
    ck_assert_double_eq_tol(wg_item(h[3]), 4, 1e-14);
    no_error();
}
END_TEST

START_TEST(hessian_of_a_hessian_is_the_fourth_derivative)
{
    wg_tensor x = array(tape, 2, (double[]){0.2, 0.5}), h, d[1];
    ck_assert_int_eq(wg_hessian(wg_sum(wg_exp(wg_multiply(x, 2))), &x, 1, &h, .create_graph = true), WG_OK);
    ck_assert_int_eq(wg_hessian(wg_sum(h), &x, 1, d), WG_OK);
    ck_assert_double_eq_tol(wg_element(d[0], 3), 16 * exp(1), 1e-13);
    ck_assert_double_eq(wg_element(d[0], 1), 0);
    no_error();
}
END_TEST

/* Of r^-1 in three dimensions it is 0, of |x|^2 x0 it is 10 x0. */
START_TEST(laplacian_is_the_trace_of_the_hessian)
{
    wg_tensor x = array(tape, 3, (double[]){0.3, -0.4, 1.2}), r2 = wg_sum(wg_square(x)), g;
    ck_assert_double_eq_tol(wg_item(wg_laplacian(wg_rsqrt(r2), &x, 1, .create_graph = _i)), 0, 1e-14);
    wg_tensor sum = wg_laplacian(wg_multiply(r2, wg_select(x, 0, 0)), &x, 1, .create_graph = _i);
    shape_is(sum, "[]");
    ck_assert_double_eq_tol(wg_item(sum), 3, 1e-14);
    if (_i) {
        wg_grad(sum, &x, 1, &g);
        ck_assert_double_eq_tol(wg_element(g, 0), 10, 1e-14);
    }
    no_error();
}
END_TEST

START_TEST(laplacian_sees_no_infinity_of_another_element)
{
    wg_tensor x = array(tape, 2, (double[]){1, 2}), w = array(tape, 2, (double[]){1, INFINITY});
    wg_tensor y = wg_sum(wg_multiply(wg_square(x), w));
    ck_assert(isinf(wg_item(wg_laplacian(y, &x, 1))));
}
END_TEST

/* ---- Refused ----------------------------------------------------------------------------------------------------- */
static void refused(wg_status got, wg_status expected, const char *words)
{
    ck_assert_int_eq(got, expected);
    ck_assert_msg(strstr(wg_error(tape), words) != NULL, "%s", wg_error(tape));
    ck_assert_msg(strstr(wg_error(tape), "test_jacobian.c:") != NULL, "%s", wg_error(tape));
    wg_clear_error(tape);
}

START_TEST(an_input_that_nothing_depends_on_is_zero_or_an_error_as_asked)
{
    wg_tensor x = array(tape, 2, (double[]){1, 2}), z = wg_name(array(tape, 2, (double[]){1, 2}), "z"), y = wg_exp(x);
    wg_tensor xs[] = {x, z}, j[2], h[4];
    ck_assert_int_eq(wg_jacobian(&y, 1, xs, 2, j, .by = BY, .create_graph = RECORDED), WG_OK);
    ck_assert_double_eq(wg_element(j[1], 0), 0);
    refused(wg_jacobian(&y, 1, xs, 2, j, .by = BY, .unused = WG_UNUSED_ERROR), WG_ERROR_VALUE, "input 1 (z)");
    ck_assert(wg_is_invalid(j[0]));
    wg_tensor sum = wg_sum(y);
    ck_assert_int_eq(wg_hessian(sum, xs, 2, h), WG_OK);
    refused(wg_hessian(sum, xs, 2, h, .unused = WG_UNUSED_ERROR), WG_ERROR_VALUE, "no output depends on input 1");
}
END_TEST

START_TEST(what_has_no_jacobian_is_refused)
{
    wg_tensor x = array(tape, 2, (double[]){1, 2}), y = wg_exp(x), j, h;
    wg_tensor whole = wg_array(tape, WG_INT64, WG_SHAPE(2), NULL),
              single = wg_array(tape, WG_FLOAT32, WG_SHAPE(2), NULL);
    refused(wg_jacobian(&y, 1, &whole, 1, &j), WG_ERROR_DTYPE, "input 0 is int64");
    refused(wg_jacobian(&y, 1, &single, 1, &j), WG_ERROR_DTYPE, "input 0 is float32 where output 0 is float64");
    refused(wg_jacobian(&y, 1, &WG_NONE, 1, &j), WG_ERROR_VALUE, "input 0 is not a tensor of this tape");
    refused(wg_hessian(y, &x, 1, &h), WG_ERROR_SHAPE, "only a single number has a gradient");
    ck_assert(wg_is_invalid(wg_laplacian(y, &x, 1)));
    refused(wg_error_status(tape), WG_ERROR_SHAPE, "only a single number has a gradient");
    WG_NO_GRAD(tape) refused(wg_hessian(wg_sum(y), &x, 1, &h), WG_ERROR_UNSUPPORTED, "not in WG_NO_GRAD");
    wg_tensor deep = wg_array(tape, WG_FLOAT64, WG_SHAPE(1, 1, 1, 1, 1), NULL), deeper = wg_exp(deep);
    refused(wg_jacobian(&deeper, 1, &deep, 1, &j), WG_ERROR_SHAPE, "10 dimensions together");
    ck_assert_int_eq(wg_jacobian(&WG_NONE, 1, &x, 1, &j), WG_ERROR_VALUE);
    ck_assert_int_eq(wg_hessian(WG_NONE, &x, 1, &h), WG_ERROR_VALUE);
    ck_assert(wg_is_invalid(wg_laplacian(WG_NONE, &x, 1)));
    wg_mark mark = wg_tape_mark(tape);
    wg_tensor gone = wg_exp(x);
    wg_rewind(tape, mark);
    refused(wg_jacobian(&gone, 1, &x, 1, &j), WG_ERROR_STALE, "released by a rewind");
    wg_tensor c[2];
    refused(wg_taylor(y, whole, WG_NONE, 1, c), WG_ERROR_DTYPE, "input 0 is int64");
    refused(wg_taylor(y, x, WG_NONE, -1, NULL), WG_ERROR_VALUE, "the order is -1");
    refused(wg_taylor(y, x, wg_scalar(tape, 1), 1, c), WG_ERROR_SHAPE,
            "tangent 0 is not of its input's dtype and shape");
}
END_TEST

/* ---- Memory that runs out ---------------------------------------------------------------------------------------- */
static bool everything(wg_tape *on, double *sum)
{
    wg_tensor x = array(on, 3, (double[]){0.1, 0.2, 0.3}), y = wg_sin(wg_multiply(x, x)), s = wg_sum(y), j, h, c[4];
    for (int way = 0; way < WAYS; way++) {
        wg_jacobian(&y, 1, &x, 1, &j, .by = (wg_matrix_by)(way % 3), .create_graph = way >= 3);
        wg_hessian(s, &x, 1, &h, .by = (wg_matrix_by)(way % 3), .create_graph = way >= 3);
        *sum += wg_element(j, 0) + wg_element(h, 8) + wg_item(wg_laplacian(s, &x, 1, .create_graph = way >= 3));
    }
    wg_jacobian(&y, 1, &x, 1, &j, .unused = WG_UNUSED_ERROR);
    wg_taylor(y, x, WG_NONE, 3, c);
    *sum += wg_element(c[3], 0);
    return !wg_failed(on);
}

START_TEST(memory_that_runs_out_is_an_error_and_nothing_worse)
{
    double whole = 0;
    ck_assert(everything(tape, &whole));
    for (size_t fail_at = 1, more = 1; more; fail_at++) {
        faults f = {.fail_at = fail_at, .largest = 40000};
        double sum = 0;
        wg_tape *poor = wg_tape_new(.memory = faults_memory(&f));
        if (poor && everything(poor, &sum)) {
            ck_assert_double_eq(sum, whole);
        } else if (poor) {
            ck_assert_int_eq(wg_error_status(poor), WG_ERROR_MEMORY);
        }
        more = f.failed;
        wg_tape_free(poor);
        ck_assert_uint_eq(f.blocks, 0);
        ck_assert_uint_eq(f.misused, 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jacobian");
    TCase *tests = tcase_create("jacobian");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    const TTest *every_way[] = {jacobian_of_several_outputs_by_several_inputs,
                                jacobian_by_an_intermediate_tensor_and_by_one_asked_twice,
                                jacobian_of_a_view_and_in_float32, jacobian_of_nothing, hessian_of_two_inputs,
                                an_input_that_nothing_depends_on_is_zero_or_an_error_as_asked};
    for (int i = 0; i < COUNT(every_way); i++)
        tcase_add_loop_test(tests, every_way[i], 0, WAYS);
    tcase_add_loop_test(tests, a_recorded_jacobian_is_differentiated_again, 0, 3);
    tcase_add_loop_test(tests, rows_together_are_the_rows_one_by_one, 0, (int)(sizeof batches / sizeof *batches));
    tcase_add_loop_test(tests, a_plain_jacobian_leaves_only_itself_on_the_tape, 0, 3);
    tcase_add_test(tests, hessian_of_a_hessian_is_the_fourth_derivative);
    tcase_add_loop_test(tests, laplacian_is_the_trace_of_the_hessian, 0, 2);
    tcase_add_test(tests, laplacian_sees_no_infinity_of_another_element);
    tcase_add_test(tests, what_has_no_jacobian_is_refused);
    tcase_add_test(tests, memory_that_runs_out_is_an_error_and_nothing_worse);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
