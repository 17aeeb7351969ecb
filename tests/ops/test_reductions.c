/* Reductions and indexing: what reference values do not see. The calls as C programs write them, folds long enough to
 * be cut into segments, the same bits with any number of threads, sums of many float32, and what errors say. */
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
        ck_assert_double_eq_tol(wg_element(y, i), values[i], 1e-15);
}
#define IS(y, shape, ...) is(y, shape, (const double[]){__VA_ARGS__})

static wg_tensor integers(int64_t a, int64_t b)
{
    const int64_t values[] = {a, b};
    return wg_array(tape, WG_INT64, WG_SHAPE(2), values);
}

START_TEST(calls_read_as_they_are_meant)
{
    IS(wg_sum(x), WG_SCALAR, 15);
    IS(wg_mean(x, .axis = WG_AXES(0)), WG_SHAPE(3), 1.5, 2.5, 3.5);
    IS(wg_max(x, .axis = WG_AXES(1), .keepdims = true), WG_SHAPE(2, 1), 2, 5);
    IS(wg_argmin(x, .axis = 0), WG_SHAPE(3), 0, 0, 0);
    IS(wg_var(x, .axis = WG_AXES(1), .correction = 1), WG_SHAPE(2), 1, 1);
    IS(wg_norm(x, .p = INFINITY), WG_SCALAR, 5);
    IS(wg_cumulative_sum(x, 1), WG_SHAPE(2, 3), 0, 1, 3, 3, 7, 12);
    IS(wg_diff(x, .axis = 0), WG_SHAPE(1, 3), 3, 3, 3);
    IS(wg_median(x, .axis = WG_AXES(1)), WG_SHAPE(2), 1, 4);
    IS(wg_quantile(x, .q = 0.25), WG_SCALAR, 1.25);
    wg_topk_result top = wg_topk(x, .k = 2);
    IS(top.values, WG_SHAPE(2, 2), 2, 1, 5, 4);
    IS(top.indices, WG_SHAPE(2, 2), 2, 1, 2, 1);
    IS(wg_take(x, integers(2, -3), 1), WG_SHAPE(2, 2), 2, 0, 5, 3);
    IS(wg_embedding(x, integers(1, 1)), WG_SHAPE(2, 3), 3, 4, 5, 3, 4, 5);
    IS(wg_one_hot(integers(1, 0), 2), WG_SHAPE(2, 2), 0, 1, 1, 0);
    IS(wg_index_add(x, integers(1, 1), x, 0), WG_SHAPE(2, 3), 0, 1, 2, 6, 9, 12);
    IS(wg_index_put(x, WG_TENSORS(integers(0, 1), integers(2, 0)), 9), WG_SHAPE(2, 3), 0, 1, 9, 9, 4, 5);
    IS(wg_segment_sum(x, integers(1, 1), 2), WG_SHAPE(2, 3), 0, 0, 0, 3, 5, 7);
    IS(wg_bincount(integers(2, 2), WG_NONE), WG_SHAPE(3), 0, 0, 2);
}
END_TEST

/* One axis is a number, several are a list; what is not given is all of them, or the default. */
START_TEST(a_list_of_one_is_written_as_its_entry)
{
    IS(wg_sum(x, .axis = 0), WG_SHAPE(3), 3, 5, 7);
    IS(wg_sum(x, .axis = 1), WG_SHAPE(2), 3, 12);
    IS(wg_sum(x, .axis = -2, .keepdims = true), WG_SHAPE(1, 3), 3, 5, 7);
    IS(wg_sum(x, .axis = WG_AXES(0, 1)), WG_SCALAR, 15);
    IS(wg_sum(x, .axis = {0}), WG_SCALAR, 15);
    IS(wg_sum(x), WG_SCALAR, 15);
    IS((wg_sum)(x, (wg_sum_options){0}), WG_SCALAR, 15);
    IS(wg_norm(x, .axis = 0, .p = 1), WG_SHAPE(3), 3, 5, 7);
    IS(wg_flip(x, .axis = 0), WG_SHAPE(2, 3), 3, 4, 5, 0, 1, 2);
    IS(wg_flip(x), WG_SHAPE(2, 3), 5, 4, 3, 2, 1, 0);
    IS(wg_roll(x, .shift = 1, .axis = 1), WG_SHAPE(2, 3), 2, 0, 1, 5, 3, 4);
    IS(wg_roll(x, .shift = 1), WG_SHAPE(2, 3), 5, 0, 1, 2, 3, 4);
    IS(wg_slice(x, .start = 1), WG_SHAPE(1, 3), 3, 4, 5);
    IS(wg_slice(x, .step = -1), WG_SHAPE(2, 3), 3, 4, 5, 0, 1, 2);
    IS(wg_squeeze(wg_expand_dims(x, 0), .axis = 0), WG_SHAPE(2, 3), 0, 1, 2, 3, 4, 5);
    IS(wg_tensordot(x, wg_matrix_transpose(x), .axes = 1), WG_SHAPE(2, 2), 5, 14, 14, 50);
    ck_assert_int_eq(wg_size(wg_normal(tape, 0, 1, .shape = 5)), 5);
    ck_assert_int_eq(wg_size(wg_categorical(x, .seed = 1)), 2);
    ck_assert_int_eq(wg_size(wg_categorical(x, .shape = 4)), 8);
}
END_TEST

/* ---- Folds of every form, against one element at a time ---------------------------------------------------------- */
static const struct {
    wg_shape shape;
    wg_axes axis;
} folds[] = {
    {{{200001}, 1}, {{0}, 1}},              /* segments of one row */
    {{{3, 50001}, 2}, {{1}, 1}},            /* of rows */
    {{{50001, 3}, 2}, {{0}, 1}},            /* of columns */
    {{{700, 1500}, 2}, {{0}, 1}},           /* of tiles of columns */
    {{{5000, 7}, 2}, {{1}, 1}},             /* tiles of rows */
    {{{40, 300, 20}, 3}, {{0, 2}, 2}},      /* matrices folded into one another by rows */
    {{{30, 5, 40, 6}, 4}, {{0, 2}, 2}},     /* by columns */
    {{{9, 20000, 2}, 3}, {{0, 1}, 2}},      /* neighbours that are one axis */
    {{{2, 3, 4, 5, 6}, 5}, {{0, 2, 4}, 3}}, /* as many axes as may be */
    {{{1, 4000, 1}, 3}, {{2}, 1}},          /* nothing to fold */
};

static wg_tensor noise(wg_dtype dtype, wg_shape shape)
{
    wg_type type = wg_type_make(WG_FLOAT64, shape);
    int64_t n = wg_type_count(&type);
    double *values = malloc((size_t)n * sizeof *values);
    for (int64_t i = 0; i < n; i++)
        values[i] = (double)(i * 7919 % 10007) / 5003 - 1;
    wg_tensor noisy = wg_cast(wg_array(tape, WG_FLOAT64, shape, values), .dtype = dtype);
    free(values);
    return noisy;
}

/* The element of the result that element i of x goes into. */
static int64_t goes_into(const wg_shape *shape, const wg_axes *axis, int64_t i)
{
    int64_t at[WG_MAX_RANK], output = 0;
    for (int k = shape->rank; k-- > 0; i /= shape->dim[k])
        at[k] = i % shape->dim[k];
    for (int k = 0, a = 0; k < shape->rank; k++)
        if (a < axis->n && axis->at[a] == k)
            a++;
        else
            output = output * shape->dim[k] + at[k];
    return output;
}

START_TEST(folds_of_every_form_give_what_one_element_at_a_time_gives)
{
    for (wg_dtype dtype = WG_FLOAT32; dtype <= WG_FLOAT64; dtype++) {
        wg_tensor t = noise(dtype, folds[_i].shape);
        wg_tensor sum = wg_sum(t, .axis = folds[_i].axis), max = wg_max(t, .axis = folds[_i].axis);
        wg_tensor count = wg_count_nonzero(t, .axis = folds[_i].axis);
        int64_t n = wg_size(sum);
        double *sums = calloc((size_t)n, sizeof *sums), *most = malloc((size_t)n * sizeof *most);
        for (int64_t i = 0; i < n; i++)
            most[i] = -INFINITY;
        for (int64_t i = 0; i < wg_size(t); i++) {
            int64_t k = goes_into(&folds[_i].shape, &folds[_i].axis, i);
            double value = wg_element(t, i);
            sums[k] += value;
            most[k] = fmax(most[k], value);
        }
        for (int64_t i = 0; i < n; i++) {
            ck_assert_double_eq_tol(wg_element(sum, i), sums[i], dtype == WG_FLOAT32 ? 1e-5 : 1e-10);
            ck_assert_double_eq(wg_element(max, i), most[i]);
            ck_assert_double_ge(wg_element(count, i), (double)(wg_size(t) / n) - 25); /* few are 0 */
        }
        free(sums);
        free(most);
        ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
    }
}
END_TEST

START_TEST(any_number_of_threads_gives_the_same_bits)
{
    wg_tensor one[6], other[6];
    for (int threads = 1; threads <= 3; threads += 2) {
        wg_tape *own = wg_tape_new(.threads = threads), *before = tape;
        wg_tensor *to = threads == 1 ? one : other;
        tape = own;
        wg_tensor t = noise(WG_FLOAT32, WG_SHAPE(300, 700));
        to[0] = wg_sum(t);
        to[1] = wg_var(t, .axis = WG_AXES(0));
        to[2] = wg_logsumexp(t, .axis = WG_AXES(1));
        to[3] = wg_softmax(t);
        to[4] = wg_softmax(t, .axis = 0);
        to[5] = wg_cumulative_sum(t, 0);
        ck_assert_msg(!wg_failed(own), "%s", wg_error(own));
        tape = before;
    }
    for (size_t k = 0; k < COUNT(one); k++)
        ck_assert_mem_eq(wg_values(one[k]), wg_values(other[k]), (size_t)wg_size(one[k]) * sizeof(float));
    wg_tape_free(one[0].tape);
    wg_tape_free(other[0].tape);
}
END_TEST

/* ---- Many float32 ------------------------------------------------------------------------------------------------ */
enum { many = 3000 };

START_TEST(many_float32_add_up_without_losing_digits)
{
    wg_tensor t = wg_full(tape, WG_FLOAT32, WG_SHAPE(many), 0.1), table = wg_full(tape, WG_FLOAT32, WG_SHAPE(2, 3), 0);
    wg_tensor rows = wg_full(tape, WG_FLOAT32, WG_SHAPE(many, 3), 0.1),
              ones = wg_full(tape, WG_INT64, WG_SHAPE(many), 1);
    double sum = many * (double)0.1f;
    ck_assert_double_eq_tol(wg_item(wg_mean(t)), 0.1, 2e-6 * 0.1);
    ck_assert_double_eq_tol(wg_element(wg_cumulative_sum(t, 0), many - 1), sum, 2e-5);
    ck_assert_double_eq_tol(wg_element(wg_index_add(table, ones, rows, 0), 4), sum, 2e-5);
    ck_assert_double_eq_tol(wg_element(wg_segment_sum(rows, ones, 2), 5), sum, 2e-5);
    wg_tensor g, taken = wg_take(table, ones, 0);
    wg_grad(taken, &table, 1, &g, .cotangent = rows);
    ck_assert_double_eq_tol(wg_element(g, 3), sum, 2e-5);
    wg_tensor scattered = wg_scatter_add(wg_select(table, 1, 0), ones, t, 0);
    ck_assert_double_eq_tol(wg_element(scattered, 1), sum, 2e-5);
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
}
END_TEST

/* ---- Errors ------------------------------------------------------------------------------------------------------ */
START_TEST(an_index_out_of_range_is_named_with_its_place)
{
    const int64_t values[] = {0, 1, 2, 0, 7, 1};
    wg_tensor indices = wg_array(tape, WG_INT64, WG_SHAPE(3, 2), values), y = wg_take(wg_name(x, "table"), indices, 1);
    ck_assert(wg_is_invalid(y));
    ck_assert_int_eq(wg_error_status(tape), WG_ERROR_INDEX);
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "wg_take: index 7 at [2, 0] is out of range for axis 1 of size 3"));
}
END_TEST

START_TEST(an_operation_on_nothing_valid_gives_nothing_valid)
{
    wg_tensor invalid = wg_take(x, integers(9, 9), 0);
    wg_topk_result top = wg_topk(invalid, .k = 1);
    ck_assert(wg_is_invalid(wg_sum(invalid)) && wg_is_invalid(top.values) && wg_is_invalid(top.indices));
    ck_assert(wg_is_invalid(wg_index_put(x, ((wg_tensors){NULL, 0}), 1)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reductions");
    TCase *values = tcase_create("values");
    tcase_add_checked_fixture(values, set_up, tear_down);
    tcase_add_test(values, calls_read_as_they_are_meant);
    tcase_add_test(values, a_list_of_one_is_written_as_its_entry);
    tcase_add_loop_test(values, folds_of_every_form_give_what_one_element_at_a_time_gives, 0, COUNT(folds));
    tcase_add_test(values, any_number_of_threads_gives_the_same_bits);
    tcase_add_test(values, many_float32_add_up_without_losing_digits);
    tcase_add_test(values, an_index_out_of_range_is_named_with_its_place);
    tcase_add_test(values, an_operation_on_nothing_valid_gives_nothing_valid);
    suite_add_tcase(suite, values);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
