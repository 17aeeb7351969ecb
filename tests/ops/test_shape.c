/* Shape: what reference values do not see. The calls as C programs write them, the memory that views share, sums of
 * many float32, and outputs that are not there. */
#include <check.h>
#include <stdlib.h>

#include <wengert.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static wg_tape *tape;
static wg_tensor x; /* [[0, 1, 2], [3, 4, 5]] */

static void set_up(void)
{
    const double values[] = {0, 1, 2, 3, 4, 5};
    tape = wg_tape_new();
    x = wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 3), values);
}

static void tear_down(void) { wg_tape_free(tape); }

static void is(wg_tensor y, wg_shape shape, const double *values)
{
    wg_shape got = wg_shape_of(y);
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
    ck_assert_int_eq(got.rank, shape.rank);
    for (int i = 0; i < shape.rank; i++)
        ck_assert_int_eq(got.dim[i], shape.dim[i]);
    for (int64_t i = 0; i < wg_size(y); i++)
        ck_assert_double_eq(wg_element(y, i), values[i]);
}
#define IS(y, shape, ...) is(y, shape, (const double[]){__VA_ARGS__})

START_TEST(calls_read_as_they_are_meant)
{
    IS(wg_reshape(x, WG_SHAPE(3, -1)), WG_SHAPE(3, 2), 0, 1, 2, 3, 4, 5);
    IS(wg_flatten(x), WG_SHAPE(6), 0, 1, 2, 3, 4, 5);
    IS(wg_unflatten(x, 1, WG_SHAPE(3, 1)), WG_SHAPE(2, 3, 1), 0, 1, 2, 3, 4, 5);
    IS(wg_expand_dims(x, 0), WG_SHAPE(1, 2, 3), 0, 1, 2, 3, 4, 5);
    IS(wg_expand_dims(x, WG_AXES(0, -1)), WG_SHAPE(1, 2, 3, 1), 0, 1, 2, 3, 4, 5);
    IS(wg_squeeze(wg_expand_dims(x, 1), .axis = 1), WG_SHAPE(2, 3), 0, 1, 2, 3, 4, 5);
    IS(wg_permute_dims(x, WG_AXES(1, 0)), WG_SHAPE(3, 2), 0, 3, 1, 4, 2, 5);
    IS(wg_matrix_transpose(x), WG_SHAPE(3, 2), 0, 3, 1, 4, 2, 5);
    IS(wg_swapaxes(x, 0, 1), WG_SHAPE(3, 2), 0, 3, 1, 4, 2, 5);
    IS(wg_moveaxis(x, 0, -1), WG_SHAPE(3, 2), 0, 3, 1, 4, 2, 5);
    IS(wg_moveaxis(x, WG_AXES(0, 1), WG_AXES(1, 0)), WG_SHAPE(3, 2), 0, 3, 1, 4, 2, 5);
    IS(wg_broadcast_to(wg_select(x, 0, 1), WG_SHAPE(2, 3)), WG_SHAPE(2, 3), 3, 4, 5, 3, 4, 5);
    IS(wg_flip(x, .axis = 1), WG_SHAPE(2, 3), 2, 1, 0, 5, 4, 3);
    IS(wg_slice(x, .start = WG_INTS(1)), WG_SHAPE(1, 3), 3, 4, 5);
    IS(wg_slice(x, .step = WG_INTS(WG_NO_INTEGER, -2)), WG_SHAPE(2, 2), 2, 0, 5, 3);
    IS(wg_slice(x, .start = WG_INTS(0, 1), .stop = WG_INTS(1)), WG_SHAPE(1, 2), 1, 2);
    IS(wg_narrow(x, 1, 1, 2), WG_SHAPE(2, 2), 1, 2, 4, 5);
    IS(wg_diagonal(x, .offset = 1), WG_SHAPE(2), 1, 5);
    IS(wg_unfold(wg_flatten(x), 0, 2, 3), WG_SHAPE(2, 2), 0, 1, 3, 4);
    IS(wg_concat(WG_TENSORS(x, wg_narrow(x, 1, 0, 1)), .axis = 1), WG_SHAPE(2, 4), 0, 1, 2, 0, 3, 4, 5, 3);
    IS(wg_stack(WG_TENSORS(wg_select(x, 0, 1), wg_select(x, 0, 0))), WG_SHAPE(2, 3), 3, 4, 5, 0, 1, 2);
    IS(wg_pad(x, .pad_width = {{1}}, .value = 9), WG_SHAPE(3, 3), 9, 9, 9, 0, 1, 2, 3, 4, 5);
    IS(wg_roll(x, .shift = 1, .axis = 1), WG_SHAPE(2, 3), 2, 0, 1, 5, 3, 4);
    IS(wg_tile(wg_select(x, 0, 0), WG_INTS(2, 1)), WG_SHAPE(2, 3), 0, 1, 2, 0, 1, 2);
    IS(wg_repeat(x, .repeats = WG_LIST(0, 2), .axis = 0), WG_SHAPE(2, 3), 3, 4, 5, 3, 4, 5);
    IS(wg_diag(wg_narrow(wg_flatten(x), 0, 1, 2)), WG_SHAPE(2, 2), 1, 0, 0, 2);
    IS(wg_trace(x), WG_SCALAR, 4);
    IS(wg_tril(x), WG_SHAPE(2, 3), 0, 0, 0, 3, 4, 0);
    IS(wg_triu(x, .k = 1), WG_SHAPE(2, 3), 0, 1, 2, 0, 0, 5);
}
END_TEST

START_TEST(several_outputs_are_written_to_the_caller_s_array)
{
    wg_tensor out[3];
    ck_assert_int_eq(wg_unstack(x, out, 3, .axis = 1), WG_OK);
    IS(out[2], WG_SHAPE(2), 2, 5);
    ck_assert_int_eq(wg_split(x, 1, WG_LIST(1, 2), out), WG_OK);
    IS(out[1], WG_SHAPE(2, 2), 1, 2, 4, 5);
    ck_assert_int_eq(wg_meshgrid(WG_TENSORS(wg_select(x, 0, 0), wg_select(x, 1, 0)), out, .indexing = "ij"), WG_OK);
    IS(out[1], WG_SHAPE(3, 2), 0, 3, 0, 3, 0, 3);
}
END_TEST

START_TEST(a_wrong_number_of_outputs_is_refused)
{
    wg_tensor out[4];
    ck_assert_int_eq(wg_unstack(x, out, 4), WG_ERROR_SHAPE);
    ck_assert(wg_is_invalid(out[3]));
    wg_clear_error(tape);
    ck_assert_int_eq(wg_unstack(x, out, 1), WG_ERROR_SHAPE);
}
END_TEST

START_TEST(views_share_memory_and_a_copy_is_made_only_where_it_must_be)
{
    const char *at = wg_values(x);
    ck_assert_ptr_eq(wg_values(wg_reshape(x, WG_SHAPE(6))), at);
    ck_assert_ptr_eq(wg_values(wg_expand_dims(x, WG_AXES(0, 3))), at);
    ck_assert_ptr_eq(wg_values(wg_contiguous(x)), at);
    ck_assert_ptr_eq(wg_values(wg_select(x, 0, 1)), at + 3 * sizeof(double));
    ck_assert_ptr_eq(wg_values(wg_matrix_transpose(wg_matrix_transpose(x))), at);
    wg_tensor transposed = wg_matrix_transpose(x);
    wg_tensor halves = wg_reshape(transposed, WG_SHAPE(1, 3, 2, 1)); /* the same order of elements: no copy */
    ck_assert_ptr_eq(wg_values(wg_matrix_transpose(wg_reshape(halves, WG_SHAPE(3, 2)))), at);
    ck_assert_ptr_ne(wg_values(wg_reshape(transposed, WG_SHAPE(6))), at);
    ck_assert_ptr_ne(wg_values(wg_contiguous(transposed)), at);
    IS(wg_reshape(transposed, WG_SHAPE(6)), WG_SHAPE(6), 0, 3, 1, 4, 2, 5);
}
END_TEST

/* What each entry of a float32 tensor gets back from `many` readers, each with cotangent 0.1. */
static const int64_t many = 3000;

static wg_tensor read_by_tile(wg_tensor a) { return wg_tile(a, WG_INTS(many)); }
static wg_tensor read_by_repeat(wg_tensor a) { return wg_repeat(a, .repeats = WG_LIST(many)); }
static wg_tensor read_by_pad(wg_tensor a) { return wg_pad(a, .pad_width = {{many - 1}}, .mode = "edge"); }
static wg_tensor read_by_unfold(wg_tensor a)
{
    return wg_unfold(wg_pad(a, .pad_width = {{many - 1, many - 1}}), 0, many, 1);
}

static wg_tensor (*const readers[])(wg_tensor) = {read_by_tile, read_by_repeat, read_by_pad, read_by_unfold};

START_TEST(many_float32_cotangents_add_up_without_losing_digits)
{
    wg_tensor a = wg_full(tape, WG_FLOAT32, WG_SHAPE(1), 1), g;
    wg_tensor y = readers[_i](a);
    wg_grad(y, &a, 1, &g, .cotangent = wg_full(tape, WG_FLOAT32, wg_shape_of(y), (double)0.1f));
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
    ck_assert_double_eq_tol(wg_item(g), (double)many * (double)0.1f, 2e-5); /* half an ulp of 300 */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shape");
    TCase *values = tcase_create("values");
    tcase_add_checked_fixture(values, set_up, tear_down);
    tcase_add_test(values, calls_read_as_they_are_meant);
    tcase_add_test(values, several_outputs_are_written_to_the_caller_s_array);
    tcase_add_test(values, a_wrong_number_of_outputs_is_refused);
    tcase_add_test(values, views_share_memory_and_a_copy_is_made_only_where_it_must_be);
    tcase_add_loop_test(values, many_float32_cotangents_add_up_without_losing_digits, 0, COUNT(readers));
    suite_add_tcase(suite, values);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
