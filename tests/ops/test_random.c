/* Random operations: that draws are distributed as they say (Kolmogorov and Smirnov's statistic, chi-squared), that
 * they are the same with any number of threads, differ from stream to stream, and that their gradients are those of the
 * transform. Seeds are fixed: a test that passes always passes. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <wengert.h>

#define N 20000
#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static wg_tape *tape;

static void set_up(void) { tape = wg_tape_new(.seed = 11); }
static void tear_down(void)
{
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
    wg_tape_free(tape);
}

/* ---- Distributions ----------------------------------------------------------------------------------------------- */
static wg_tensor draw_uniform(wg_tape *on, wg_dtype dtype)
{
    return wg_uniform(on, -1, 3, .shape = WG_SHAPE(N), .dtype = dtype);
}
static wg_tensor draw_normal(wg_tape *on, wg_dtype dtype)
{
    return wg_normal(on, 1, 2, .shape = WG_SHAPE(N), .dtype = dtype);
}
static wg_tensor draw_exponential(wg_tape *on, wg_dtype dtype)
{
    return wg_exponential(on, 0.5, .shape = WG_SHAPE(N), .dtype = dtype);
}
static wg_tensor draw_laplace(wg_tape *on, wg_dtype dtype)
{
    return wg_laplace(on, 1, 0.5, .shape = WG_SHAPE(N), .dtype = dtype);
}
static wg_tensor draw_gumbel(wg_tape *on, wg_dtype dtype)
{
    return wg_gumbel(on, -1, 3, .shape = WG_SHAPE(N), .dtype = dtype);
}

static double uniform_below(double y) { return (y + 1) / 4; }
static double normal_below(double y) { return 0.5 * erfc(-(y - 1) / 2 / sqrt(2.0)); }
static double exponential_below(double y) { return -expm1(-0.5 * y); }
static double laplace_below(double y) { return y < 1 ? 0.5 * exp(2 * (y - 1)) : 1 - 0.5 * exp(-2 * (y - 1)); }
static double gumbel_below(double y) { return exp(-exp(-(y + 1) / 3)); }

static const struct {
    const char *name;
    wg_tensor (*draw)(wg_tape *on, wg_dtype dtype);
    double (*below)(double y); /* the distribution function */
} distributions[] = {{"uniform", draw_uniform, uniform_below},
                     {"normal", draw_normal, normal_below},
                     {"exponential", draw_exponential, exponential_below},
                     {"laplace", draw_laplace, laplace_below},
                     {"gumbel", draw_gumbel, gumbel_below}};

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* sqrt(n) times the largest distance of the empirical distribution function from the true one: above 1.95 in one of a
 * thousand samples (Kolmogorov 1933). */
static double distance(wg_tensor y, double (*below)(double))
{
    double *sorted = malloc(N * sizeof *sorted), most = 0;
    for (int i = 0; i < N; i++)
        sorted[i] = wg_element(y, i);
    qsort(sorted, N, sizeof *sorted, by_size);
    for (int i = 0; i < N; i++) {
        double f = below(sorted[i]);
        most = fmax(most, fmax(f - i / (double)N, (i + 1) / (double)N - f));
    }
    free(sorted);
    return sqrt(N) * most;
}

START_TEST(draws_are_distributed_as_they_say)
{
    wg_dtype dtype = _i % 2 ? WG_FLOAT32 : WG_FLOAT64;
    double most = 0;
    for (int k = 0; k < 5; k++) {
        double d = distance(distributions[_i / 2].draw(tape, dtype), distributions[_i / 2].below);
        ck_assert_msg(d < 1.95, "%s, stream %d: distance %g", distributions[_i / 2].name, k, d);
        most = fmax(most, d);
    }
    ck_assert_double_gt(most, 0.3); /* as evenly spread as chance never is */
}
END_TEST

START_TEST(any_number_of_threads_draws_the_same)
{
    enum { MANY = 3 * WG_PIECE + 5 };
    wg_tape *one = wg_tape_new(.seed = 3), *five = wg_tape_new(.seed = 3, .threads = 5);
    wg_tensor a = wg_normal(one, 0, 1, .shape = WG_SHAPE(MANY)), b = wg_normal(five, 0, 1, .shape = WG_SHAPE(MANY));
    ck_assert(!memcmp(wg_values(a), wg_values(b), MANY * sizeof(double)));
    wg_tensor c = wg_categorical(wg_full(one, WG_FLOAT32, WG_SHAPE(7), 0), .shape = WG_SHAPE(MANY)),
              d = wg_categorical(wg_full(five, WG_FLOAT32, WG_SHAPE(7), 0), .shape = WG_SHAPE(MANY));
    ck_assert(!memcmp(wg_values(c), wg_values(d), MANY * sizeof(int64_t)));
    wg_tape_free(one);
    wg_tape_free(five);
}
END_TEST

START_TEST(streams_differ_and_a_seed_draws_the_same_again)
{
    wg_tensor a = wg_normal(tape, 0, 1, .shape = WG_SHAPE(N)), b = wg_normal(tape, 0, 1, .shape = WG_SHAPE(N));
    double r = wg_item(wg_mean(wg_multiply(a, b)));
    ck_assert_double_lt(fabs(r) * sqrt(N), 3.3); /* uncorrelated */
    wg_tensor c = wg_uniform(tape, WG_NONE, WG_NONE, .shape = WG_SHAPE(9), .seed = 5);
    wg_tensor d = wg_uniform(tape, WG_NONE, WG_NONE, .shape = WG_SHAPE(9), .seed = 5);
    ck_assert(!memcmp(wg_values(c), wg_values(d), 9 * sizeof(double)));
    wg_tensor part = wg_uniform(tape, WG_NONE, WG_NONE, .shape = WG_SHAPE(4), .seed = 5);
    ck_assert(!memcmp(wg_values(c), wg_values(part), 4 * sizeof(double))); /* an element depends on its place alone */
}
END_TEST

START_TEST(uniform_draws_stay_below_the_upper_end)
{
    /* Two floats away */
    wg_tensor y = wg_uniform(tape, 1, 1.0000002384185791, .shape = WG_SHAPE(N), .dtype = WG_FLOAT32);
    ck_assert_double_lt(wg_item(wg_max(y)), 1.0000002384185791);
    ck_assert_double_ge(wg_item(wg_min(y)), 1);
    wg_tensor same = wg_uniform(tape, 2, 2, .shape = WG_SHAPE(3));
    ck_assert_double_eq(wg_element(same, 1), 2);
}
END_TEST

/* ---- Categories -------------------------------------------------------------------------------------------------- */
/* The chi-squared statistic of counts; with 3 degrees of freedom above 16.3 in one of a thousand samples. */
static double chi_squared(const int *count, const double *p, int n, int all)
{
    double sum = 0;
    for (int k = 0; k < n; k++)
        sum += (count[k] - all * p[k]) * (count[k] - all * p[k]) / (all * p[k]);
    return sum;
}

START_TEST(categories_come_as_often_as_they_say)
{
    const double p[] = {0.1, 0.2, 0.3, 0.4}, logit[] = {log(0.1), log(0.2), log(0.3), log(0.4), -INFINITY};
    int count[5] = {0}, ones[5] = {0};
    wg_tensor logits = wg_array(tape, WG_FLOAT64, WG_SHAPE(5), logit), y = wg_categorical(logits, .shape = WG_SHAPE(N));
    wg_tensor hard = wg_gumbel_softmax(wg_broadcast_to(logits, WG_SHAPE(N, 5)), .tau = 0.7, .hard = true);
    wg_tensor which = wg_argmax(hard, .axis = 1);
    for (int i = 0; i < N; i++) {
        count[(int)wg_element(y, i)]++;
        ones[(int)wg_element(which, i)]++;
    }
    ck_assert_int_eq(count[4] + ones[4], 0);
    ck_assert_double_lt(chi_squared(count, p, 4, N), 16.3);
    ck_assert_double_lt(chi_squared(ones, p, 4, N), 16.3);
}
END_TEST

START_TEST(bernoulli_counts)
{
    wg_tensor p = wg_full(tape, WG_FLOAT64, WG_SCALAR, 0.3);
    double n = wg_item(wg_sum(wg_bernoulli(p, .shape = WG_SHAPE(N))));
    ck_assert_double_lt(fabs(n - 0.3 * N) / sqrt(N * 0.3 * 0.7), 3.3);
    const double ends[] = {0, 1};
    wg_tensor y = wg_bernoulli(wg_array(tape, WG_FLOAT64, WG_SHAPE(2), ends), .shape = WG_SHAPE(1000, 2));
    wg_tensor sums = wg_sum(y, .axis = 0);
    ck_assert_double_eq(wg_element(sums, 0), 0);
    ck_assert_double_eq(wg_element(sums, 1), 1000);
}
END_TEST

/* ---- Gradients --------------------------------------------------------------------------------------------------- */
START_TEST(gradients_are_those_of_the_same_draw)
{
    wg_tensor mean = wg_full(tape, WG_FLOAT64, WG_SHAPE(3), 2), std = wg_full(tape, WG_FLOAT64, WG_SCALAR, 0.5), g[2];
    wg_tensor y = wg_normal(tape, mean, std, .shape = WG_SHAPE(4, 3));
    wg_tensor between = wg_normal(tape, 0, 1, .shape = WG_SHAPE(2)); /* another stream */
    (void)between;
    const wg_tensor xs[] = {mean, std};
    wg_grad(wg_sum(y), xs, 2, g);
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += (wg_element(y, i) - 2) / 0.5;
    ck_assert_double_eq(wg_element(g[0], 1), 4);
    ck_assert_double_eq_tol(wg_item(g[1]), sum, 1e-12);
}
END_TEST

/* ---- What is refused --------------------------------------------------------------------------------------------- */
#define FAILS(status, call)                                                                                            \
    do {                                                                                                               \
        (void)(call);                                                                                                  \
        ck_assert_msg(wg_error_status(tape) == (status), "%s: %s", #call, wg_error(tape));                             \
        ck_assert_msg(strstr(wg_error(tape), "test_random.c:") != NULL, "%s", wg_error(tape));                         \
        wg_clear_error(tape);                                                                                          \
    } while (0)

START_TEST(parameters_out_of_their_domain_are_refused)
{
    wg_tensor narrow = wg_full(tape, WG_FLOAT32, WG_SHAPE(2), 1), p = wg_full(tape, WG_FLOAT64, WG_SHAPE(2), 1.5);
    FAILS(WG_ERROR_VALUE, wg_normal(tape, 0, -1, .shape = WG_SHAPE(2)));
    FAILS(WG_ERROR_VALUE, wg_normal(tape, 0, (double)NAN, .shape = WG_SHAPE(2)));
    FAILS(WG_ERROR_VALUE, wg_uniform(tape, 1, 0, .shape = WG_SHAPE(2)));
    FAILS(WG_ERROR_VALUE, wg_exponential(tape, 0, .shape = WG_SHAPE(2)));
    FAILS(WG_ERROR_VALUE, wg_laplace(tape, 0, -2, .shape = WG_SHAPE(2)));
    FAILS(WG_ERROR_VALUE, wg_gumbel(tape, 0, -2, .shape = WG_SHAPE(2)));
    FAILS(WG_ERROR_VALUE, wg_bernoulli(p, .shape = WG_SHAPE(2)));
    FAILS(WG_ERROR_VALUE, wg_categorical(wg_full(tape, WG_FLOAT64, WG_SHAPE(3), (double)NAN)));
    FAILS(WG_ERROR_VALUE, wg_categorical(wg_full(tape, WG_FLOAT64, WG_SHAPE(3), -(double)INFINITY)));
    FAILS(WG_ERROR_VALUE, wg_gumbel_softmax(p, .tau = 0));
    FAILS(WG_ERROR_ATTR, wg_normal(tape, 0, 1));
    FAILS(WG_ERROR_DTYPE, wg_normal(tape, narrow, 1, .shape = WG_SHAPE(2)));
    FAILS(WG_ERROR_DTYPE, wg_normal(tape, 0, 1, .shape = WG_SHAPE(2), .dtype = WG_INT32));
    FAILS(WG_ERROR_SHAPE, wg_normal(tape, p, 1, .shape = WG_SHAPE(3)));
    FAILS(WG_ERROR_SHAPE, wg_normal(tape, p, 1, .shape = WG_SHAPE(1)));
    ck_assert(wg_is_invalid(wg_normal(NULL, 0, 1, .shape = WG_SHAPE(2))));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("random");
    TCase *draws = tcase_create("draws");
    tcase_add_checked_fixture(draws, set_up, tear_down);
    tcase_add_loop_test(draws, draws_are_distributed_as_they_say, 0, 2 * COUNT(distributions));
    tcase_add_test(draws, any_number_of_threads_draws_the_same);
    tcase_add_test(draws, streams_differ_and_a_seed_draws_the_same_again);
    tcase_add_test(draws, uniform_draws_stay_below_the_upper_end);
    tcase_add_test(draws, categories_come_as_often_as_they_say);
    tcase_add_test(draws, bernoulli_counts);
    tcase_add_test(draws, gradients_are_those_of_the_same_draw);
    tcase_add_test(draws, parameters_out_of_their_domain_are_refused);
    suite_add_tcase(s, draws);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
