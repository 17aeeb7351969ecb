/* Transforms of lengths too long for a table of reference values, against what they must give exactly; convolutions
 * that take the way through transforms, against sums; functions given by numbers. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <wengert.h>

#define COUNT(a) (int)(sizeof(a) / sizeof *(a))

static wg_tape *tape;
static void set_up(void) { tape = wg_tape_new(.threads = 2); }
static void tear_down(void)
{
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
    wg_tape_free(tape);
}

static wg_tensor noise(int64_t n, unsigned seed)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(n), NULL);
    double *at = (double *)(uintptr_t)wg_values(x);
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        at[i] = (double)seed / 0x1p31 - 1;
    }
    return x;
}

static double norm_of(wg_tensor x) { return wg_item(wg_norm(x)); }

/* ---- Transforms -------------------------------------------------------------------------------------------------- */
static const int64_t lengths[] = {1, 4096, 5000, 59049, 78125, 29791, 65536, 65537, 104729, 131071, 2 * 50021};

START_TEST(a_shifted_impulse_has_roots_of_unity)
{
    int64_t n = lengths[_i], place = n / 3;
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(n), NULL);
    ((double *)(uintptr_t)wg_values(x))[place] = 1;
    wg_complex y = wg_fft(x, WG_NONE);
    const double *re = wg_values(y.re), *im = wg_values(y.im);
    for (int64_t k = 0; k < n; k++) {
        double angle = -6.283185307179586477 * (double)(k * place % n) / (double)n;
        ck_assert_double_eq_tol(re[k], cos(angle), 3e-15);
        ck_assert_double_eq_tol(im[k], sin(angle), 3e-15);
    }
}
END_TEST

START_TEST(there_and_back_is_where_it_was)
{
    int64_t n = lengths[_i];
    wg_tensor a = noise(n, 1), b = noise(n, 2);
    wg_complex y = wg_fft(a, b), x = wg_ifft(y.re, y.im);
    double error = hypot(norm_of(wg_subtract(x.re, a)), norm_of(wg_subtract(x.im, b)));
    ck_assert_double_le(error, 2e-15 * hypot(norm_of(a), norm_of(b)));
    wg_complex half = wg_rfft(a);
    ck_assert_double_le(norm_of(wg_subtract(wg_irfft(half.re, half.im, .n = n), a)), 2e-15 * norm_of(a));
}
END_TEST

START_TEST(a_large_line_does_not_blur_its_neighbour)
{
    wg_tensor small = noise(1009, 3), large = wg_multiply(noise(1009, 4), 1e30);
    wg_complex alone = wg_rfft(small);
    wg_complex both = wg_rfft(wg_stack(WG_TENSORS(small, large)));
    ck_assert_double_le(norm_of(wg_subtract(wg_select(both.re, 0, 0), alone.re)), 1e-14 * norm_of(alone.re));
    ck_assert_double_eq(wg_element(alone.im, 0), 0);
}
END_TEST

/* ---- Convolutions ------------------------------------------------------------------------------------------------ */
static double sum_at(const double *a, int64_t n, const double *b, int64_t m, int64_t k)
{
    double sum = 0;
    for (int64_t i = k - m + 1 > 0 ? k - m + 1 : 0; i < n && i <= k; i++)
        sum += a[i] * b[k - i];
    return sum;
}

static const struct {
    int64_t n, m;
    double scale;
} long_ones[] = {{6000, 5000, 1}, {3000, 40000, 1}, {40000, 3000, 1e-200}, {6000, 6000, 1e200}};

START_TEST(long_sequences_are_summed_right)
{
    int64_t n = long_ones[_i].n, m = long_ones[_i].m;
    wg_tensor a = wg_multiply(noise(n, 5), long_ones[_i].scale), b = wg_multiply(noise(m, 6), 1 / long_ones[_i].scale);
    wg_tensor y = wg_convolve(a, b);
    double bound = 8 * 0x1p-52 * norm_of(a) * norm_of(b);
    for (int64_t k = 0; k < n + m - 1; k += 97)
        ck_assert_double_eq_tol(wg_element(y, k), sum_at(wg_values(a), n, wg_values(b), m, k), bound);
    ck_assert_double_le(fabs(wg_element(y, 0) - wg_element(a, 0) * wg_element(b, 0)), bound);
}
END_TEST

START_TEST(their_gradients_are_summed_right)
{
    int64_t n = 6000, m = 5000;
    wg_tensor a = noise(n, 7), b = noise(m, 8), g = noise(n, 9), da[2];
    wg_tensor y = wg_correlate(a, b, .mode = "same"), loss = wg_sum(wg_multiply(y, g));
    wg_tensor at[2] = {a, b};
    ck_assert_int_eq(wg_grad(loss, at, 2, da), WG_OK);
    /* linear in each operand: the loss is the product with the gradient */
    double bound = 1e-12 * norm_of(a) * norm_of(b) * norm_of(g);
    ck_assert_double_eq_tol(wg_item(wg_vecdot(da[0], a)), wg_item(loss), bound);
    ck_assert_double_eq_tol(wg_item(wg_vecdot(da[1], b)), wg_item(loss), bound);
}
END_TEST

START_TEST(an_infinity_stays_where_it_is)
{
    wg_tensor a = noise(6000, 10), b = noise(5000, 11);
    ((double *)(uintptr_t)wg_values(a))[5999] = (double)INFINITY;
    wg_tensor y = wg_convolve(a, b);
    ck_assert(isfinite(wg_element(y, 5998)));
    ck_assert(isinf(wg_element(y, 5999)));
}
END_TEST

/* ---- Functions given by numbers ---------------------------------------------------------------------------------- */
START_TEST(functions_pass_through_their_points)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), (const double[]){1, 2, 4});
    wg_tensor coeffs = wg_array(tape, WG_FLOAT64, WG_SHAPE(4), (const double[]){1, -6, 11, -6});
    wg_tensor y = wg_polyval(coeffs, x), between = wg_interp(wg_scalar(tape, 3), x, y);
    ck_assert_double_eq(wg_element(y, 0), 0); /* (x - 1) (x - 2) (x - 3) */
    ck_assert_double_eq(wg_element(y, 1), 0);
    ck_assert_double_eq(wg_element(y, 2), 6);
    ck_assert_double_eq(wg_item(between), 3);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("spectral");
    TCase *c = tcase_create("spectral");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_loop_test(c, a_shifted_impulse_has_roots_of_unity, 0, COUNT(lengths));
    tcase_add_loop_test(c, there_and_back_is_where_it_was, 0, COUNT(lengths));
    tcase_add_test(c, a_large_line_does_not_blur_its_neighbour);
    tcase_add_loop_test(c, long_sequences_are_summed_right, 0, COUNT(long_ones));
    tcase_add_test(c, their_gradients_are_summed_right);
    tcase_add_test(c, an_infinity_stays_where_it_is);
    tcase_add_test(c, functions_pass_through_their_points);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed;
}
