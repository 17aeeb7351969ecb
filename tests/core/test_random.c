/* Random numbers: Philox against its published answers; distributions, from a fixed seed; the same bits however many
 * threads draw them and however much is asked for. */
#include "core/tape.h"

#include <check.h>
#include <stdlib.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* ---- Philox ---------------------------------------------------------------------------------------------------- */
static const struct {
    uint64_t i, stream, key;
    uint32_t word[4];
} answers[] = { /* Random123 1.09, kat_vectors, philox4x32 10 */
    {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {UINT64_MAX, UINT64_MAX, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {0x85a308d3243f6a88, 0x0370734413198a2e, 0x299f31d0a4093822, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};
START_TEST(philox_gives_the_published_words)
{
    uint32_t word[4];
    wg_philox(answers[_i].key, answers[_i].stream, answers[_i].i, word);
    for (int k = 0; k < 4; k++)
        ck_assert_uint_eq(word[k], answers[_i].word[k]);
}
END_TEST

START_TEST(a_uniform_number_is_never_0_or_1)
{
    ck_assert(wg_uniform_from(0, 0) > 0);
    ck_assert(wg_uniform_from(UINT32_MAX, UINT32_MAX) < 1);
}
END_TEST

/* ---- Distributions --------------------------------------------------------------------------------------------- */
#define N 100001

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double uniform_below(double x) { return (x + 2) / 5; } /* on (-2, 3) */
static double normal_below(double x) { return 0.5 * erfc(-(x - 1) / 3 * 0.70710678118654752); } /* mean 1, std 3 */

static double *drawn(wg_dtype dtype, bool normal, int threads, uint64_t stream, int64_t n)
{
    wg_tape *tape = wg_tape_new(.threads = threads, .seed = 42);
    wg_type type = wg_type_make(dtype, WG_SHAPE(n));
    double *values = calloc((size_t)n, sizeof *values), *x = calloc((size_t)n, sizeof *x);
    if (normal)
        wg_fill_normal(tape, type, values, stream, 1, 3);
    else
        wg_fill_uniform(tape, type, values, stream, -2, 3);
    for (int64_t i = 0; i < n; i++)
        x[i] = wg_load_number(dtype, (char *)values + (size_t)i * wg_dtype_size(dtype));
    free(values);
    wg_tape_free(tape);
    return x;
}

static const struct {
    wg_dtype dtype;
    bool normal;
} kinds[] = {{WG_FLOAT32, false}, {WG_FLOAT64, false}, {WG_FLOAT32, true}, {WG_FLOAT64, true}};
START_TEST(draws_follow_their_distribution)
{
    double *x = drawn(kinds[_i].dtype, kinds[_i].normal, 1, 7, N), most = 0;
    qsort(x, N, sizeof *x, by_size);
    for (int i = 0; i < N; i++) {
        double p = kinds[_i].normal ? normal_below(x[i]) : uniform_below(x[i]);
        most = fmax(most, fmax(fabs(p - (double)i / N), fabs(p - (double)(i + 1) / N)));
    }
    ck_assert_double_lt(most * sqrt(N), 1.63); /* Kolmogorov and Smirnov, at 1% */
    free(x);
}
END_TEST

START_TEST(neighbours_and_streams_are_not_correlated)
{
    double *x = drawn(WG_FLOAT64, kinds[_i].normal, 1, 0, N), *y = drawn(WG_FLOAT64, kinds[_i].normal, 1, 1, N);
    double mean = kinds[_i].normal ? 1 : 0.5, variance = kinds[_i].normal ? 9 : 25.0 / 12, beside = 0, across = 0;
    for (int i = 0; i + 1 < N; i++) {
        beside += (x[i] - mean) * (x[i + 1] - mean);
        across += (x[i] - mean) * (y[i] - mean);
    }
    ck_assert_double_lt(fabs(beside) / variance, 4 * sqrt(N));
    ck_assert_double_lt(fabs(across) / variance, 4 * sqrt(N));
    free(x);
    free(y);
}
END_TEST

START_TEST(an_element_depends_on_its_index_alone)
{
    wg_dtype dtype = kinds[_i].dtype;
    bool normal = kinds[_i].normal;
    double *x = drawn(dtype, normal, 1, 3, N), *y = drawn(dtype, normal, 3, 3, N),
           *few = drawn(dtype, normal, 1, 3, 13);
    ck_assert_mem_eq(x, y, N * sizeof *x);
    ck_assert_mem_eq(x, few, 13 * sizeof *x);
    free(x);
    free(y);
    free(few);
}
END_TEST

START_TEST(float32_draws_keep_off_the_ends)
{
    wg_tape *tape = wg_tape_new();
    float x[1000];
    wg_fill_uniform(tape, wg_type_make(WG_FLOAT32, WG_SHAPE(1000)), x, 0, 1, 1 + 3 * 0x1p-23); /* two floats between */
    for (int i = 0; i < 1000; i++)
        ck_assert(x[i] > 1 && x[i] < 1 + 3 * 0x1p-23f);
    wg_fill_uniform(tape, wg_type_make(WG_FLOAT32, WG_SHAPE(3)), x, 0, 2, 2);
    ck_assert(x[0] == 2 && x[2] == 2);
    wg_tape_free(tape);
}
END_TEST

START_TEST(a_range_wider_than_the_largest_number_is_no_trouble)
{
    wg_tape *tape = wg_tape_new();
    double x[100];
    wg_fill_uniform(tape, wg_type_make(WG_FLOAT64, WG_SHAPE(100)), x, 0, -1.7e308, 1.7e308);
    for (int i = 0; i < 100; i++)
        ck_assert(isfinite(x[i]));
    wg_fill_uniform(tape, wg_type_make(WG_FLOAT64, WG_SHAPE(0)), NULL, 0, 0, 1);
    wg_tape_free(tape);
}
END_TEST

START_TEST(a_seed_starts_the_streams_again)
{
    wg_tape *tape = wg_tape_new();
    tape->stream = 5;
    wg_seed(tape, 9);
    ck_assert(tape->seed == 9 && tape->stream == 0);
    wg_tape_free(tape);
    wg_seed(NULL, 9);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("random");
    TCase *philox = tcase_create("philox"), *draws = tcase_create("draws");
    tcase_add_loop_test(philox, philox_gives_the_published_words, 0, COUNT(answers));
    tcase_add_test(philox, a_uniform_number_is_never_0_or_1);
    tcase_add_loop_test(draws, draws_follow_their_distribution, 0, COUNT(kinds));
    tcase_add_loop_test(draws, neighbours_and_streams_are_not_correlated, 1, COUNT(kinds) - 1);
    tcase_add_loop_test(draws, an_element_depends_on_its_index_alone, 0, COUNT(kinds));
    tcase_add_test(draws, float32_draws_keep_off_the_ends);
    tcase_add_test(draws, a_range_wider_than_the_largest_number_is_no_trouble);
    tcase_add_test(draws, a_seed_starts_the_streams_again);
    suite_add_tcase(suite, philox);
    suite_add_tcase(suite, draws);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
