/* Initialisers: bounds and variances by the fans of each shape, orthonormal rows or columns, and shapes that hold
 * nothing. */
#include "core/tape.h"

#include <check.h>
#include <stdlib.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static wg_tape *tape;
static void begin(void) { tape = wg_tape_new(.seed = 11); }
static void end(void) { wg_tape_free(tape); }

static wg_status start(wg_dtype dtype, wg_shape shape, void *data, wg_init init, double gain)
{
    wg_type type = wg_type_make(dtype, shape);
    return wg_initialise(tape, &type, data, init, gain, "w");
}

static const struct {
    wg_init init;
    wg_shape shape;
    double gain, variance;
    bool uniform;
} spreads[] = {
    {WG_XAVIER_UNIFORM, {{100, 300}, 2}, 1, 2.0 / 400, true},
    {WG_XAVIER_NORMAL, {{100, 300}, 2}, 2, 4 * 2.0 / 400, false},
    {WG_HE_UNIFORM, {{100, 300}, 2}, 1, 2.0 / 100, true},
    {WG_HE_NORMAL, {{100, 300}, 2}, 1, 2.0 / 100, false},
    {WG_LECUN_UNIFORM, {{100, 300}, 2}, 1, 1.0 / 100, true},
    {WG_LECUN_NORMAL, {{100, 300}, 2}, 1, 1.0 / 100, false},
    {WG_XAVIER_UNIFORM, {{64, 50, 3, 3}, 4}, 1, 2.0 / (9 * 64 + 9 * 50), true}, /* [out, in, k, k] */
    {WG_HE_NORMAL, {{64, 50, 3, 3}, 4}, 1, 2.0 / (9 * 50), false},
    {WG_LECUN_UNIFORM, {{640, 15, 3}, 3}, 3, 9 * 1.0 / (3 * 15), true},
    {WG_XAVIER_NORMAL, {{30000}, 1}, 1, 1.0 / 30000, false},
};
START_TEST(variance_follows_the_fans)
{
    wg_type type = wg_type_make(WG_FLOAT64, spreads[_i].shape);
    int64_t n = wg_type_count(&type);
    double *x = calloc((size_t)n, sizeof *x), sum = 0, squares = 0, most = 0;
    ck_assert_int_eq(start(WG_FLOAT64, spreads[_i].shape, x, spreads[_i].init, spreads[_i].gain), WG_OK);
    for (int64_t i = 0; i < n; i++) {
        sum += x[i];
        squares += x[i] * x[i];
        most = fmax(most, fabs(x[i]));
    }
    double variance = spreads[_i].variance, bound = sqrt(3 * variance);
    ck_assert_double_lt(fabs(sum) / (double)n, 4 * sqrt(variance / (double)n));
    ck_assert_double_eq_tol(squares / (double)n / variance, 1, 0.04);
    ck_assert(spreads[_i].uniform ? most < bound && most > 0.99 * bound : most > 1.5 * bound);
    free(x);
}
END_TEST

static const wg_shape orthogonals[] = {
    {{20, 20}, 2}, {{7, 33}, 2}, {{33, 7}, 2}, {{6, 5, 3, 3}, 4}, {{40, 3, 2}, 3},
    {{9}, 1}, {{0}, 0}, {{1, 5}, 2}, {{5, 1}, 2}};
START_TEST(orthogonal_has_orthonormal_rows_or_columns)
{
    wg_type type = wg_type_make(WG_FLOAT64, orthogonals[_i]);
    int64_t count = wg_type_count(&type), rows = type.rank ? type.dim[0] : 1, columns = count / rows;
    double *x = calloc((size_t)count, sizeof *x);
    ck_assert_int_eq(start(WG_FLOAT64, orthogonals[_i], x, WG_ORTHOGONAL, 2), WG_OK);
    bool tall = rows > columns;
    int64_t n = tall ? columns : rows, m = tall ? rows : columns;
    int64_t along = tall ? columns : 1, across = tall ? 1 : columns;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < m; k++)
                sum += x[i * across + k * along] * x[j * across + k * along];
            ck_assert_double_eq_tol(sum, i == j ? 4 : 0, 1e-14);
        }
    free(x);
}
END_TEST

START_TEST(constants_fill)
{
    float x[6];
    ck_assert_int_eq(start(WG_FLOAT32, WG_SHAPE(2, 3), x, WG_ONES, 1), WG_OK);
    ck_assert(x[0] == 1 && x[5] == 1);
    ck_assert_int_eq(start(WG_FLOAT32, WG_SHAPE(2, 3), x, WG_ZEROS, 1), WG_OK);
    ck_assert(x[0] == 0 && x[5] == 0);
}
END_TEST

START_TEST(nothing_is_filled_with_nothing)
{
    static const wg_shape empty[] = {{{0, 5}, 2}, {{5, 0}, 2}, {{3, 4, 0, 2}, 4}, {{0}, 1}};
    for (int i = 0; i < COUNT(empty); i++)
        ck_assert_int_eq(start(WG_FLOAT32, empty[i], NULL, (wg_init)_i, 1), WG_OK);
}
END_TEST

START_TEST(draws_differ_from_parameter_to_parameter)
{
    float x[6], y[6];
    start(WG_FLOAT32, WG_SHAPE(2, 3), x, WG_HE_NORMAL, 1);
    start(WG_FLOAT32, WG_SHAPE(2, 3), y, WG_HE_NORMAL, 1);
    ck_assert(x[0] != y[0] && x[5] != y[5]);
    wg_seed(tape, 11);
    start(WG_FLOAT32, WG_SHAPE(2, 3), y, WG_HE_NORMAL, 1);
    ck_assert_mem_eq(x, y, sizeof x);
}
END_TEST

static const struct {
    wg_dtype dtype;
    int init;
    double gain;
    wg_status status;
} wrongs[] = {{WG_INT32, WG_ONES, 1, WG_ERROR_DTYPE}, {WG_FLOAT32, 99, 1, WG_ERROR_VALUE},
              {WG_FLOAT32, WG_HE_NORMAL, (double)NAN, WG_ERROR_VALUE}};
START_TEST(wrong_ones_are_refused)
{
    double x[6];
    ck_assert_int_eq(start(wrongs[_i].dtype, WG_SHAPE(2, 3), x, (wg_init)wrongs[_i].init, wrongs[_i].gain),
                     wrongs[_i].status);
    ck_assert(wg_failed(tape));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("init");
    TCase *all = tcase_create("initialisers");
    tcase_add_checked_fixture(all, begin, end);
    tcase_add_loop_test(all, variance_follows_the_fans, 0, COUNT(spreads));
    tcase_add_loop_test(all, orthogonal_has_orthonormal_rows_or_columns, 0, COUNT(orthogonals));
    tcase_add_test(all, constants_fill);
    tcase_add_loop_test(all, nothing_is_filled_with_nothing, 0, WG_ORTHOGONAL + 1);
    tcase_add_test(all, draws_differ_from_parameter_to_parameter);
    tcase_add_loop_test(all, wrong_ones_are_refused, 0, COUNT(wrongs));
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
