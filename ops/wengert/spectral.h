/* Wengert: spectra and signals.
 *
 * Fourier transforms along an axis, of any length, a complex number as a pair of real tensors; convolution and
 * correlation of sequences; polynomials and piecewise linear functions. */
#ifndef WENGERT_SPECTRAL_H
#define WENGERT_SPECTRAL_H

#include "wengert/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Fourier transforms --------------------------------------------------------------------------------------------
 * Forward, X[k] = the sum over j < n of x[j] exp(-2 pi i j k / n), unscaled; backward, x[j] = 1/n times the sum over k
 * of X[k] exp(2 pi i j k / n). An axis of size 0 is refused, empty other axes are not. In the largest magnitude of a
 * line the error is a few ulp, growing with log n, for prime n too; float32 is transformed in double. */
typedef struct {
    wg_tensor re, im;
} wg_complex;
/* Of re + i im, or of re alone where im is WG_NONE: both of re's shape. */
typedef struct {
    int axis;
} wg_fft_options, wg_ifft_options, wg_rfft_options;
#define wg_fft_defaults .axis = -1
#define wg_ifft_defaults .axis = -1
#define wg_rfft_defaults .axis = -1
WG_API wg_complex wg_fft(wg_tensor re, wg_tensor im, wg_fft_options options); /* wg_fft(re, im, .axis = 0) */
WG_API wg_complex wg_ifft(wg_tensor re, wg_tensor im, wg_ifft_options options);
/* Of a real x, the half that tells all: X[k] for k = 0 ... n/2, rounded down. */
WG_API wg_complex wg_rfft(wg_tensor x, wg_rfft_options options);
/* The real x of n entries whose half X is; of X's m entries too many are left out, missing ones are 0. What is
 * imaginary in X[0] and, for even n, in X[n/2] is ignored: its gradient is 0. */
typedef struct {
    int axis;
    int64_t n; /* absent: 2 (m - 1) */
} wg_irfft_options;
#define wg_irfft_defaults .axis = -1, .n = WG_NO_INTEGER
WG_API wg_tensor wg_irfft(wg_tensor re, wg_tensor im, wg_irfft_options options);

/* ---- Sequences -----------------------------------------------------------------------------------------------------
 * a [n] and b [m], neither empty. Of all n + m - 1 sums of products, "full", mode "same" keeps the max(n, m) in the
 * middle (where it lies between two, NumPy's) and "valid" the max(n, m) - min(n, m) + 1 that all of the shorter one
 * takes part in. Sums are direct, in double; long sequences of finite numbers go through Fourier transforms where that
 * is less work: the error is then a few ulp of |a| |b|, the product of the 2-norms, instead of each sum's own. */
typedef struct {
    const char *mode; /* "full", "same", "valid" */
} wg_convolve_options, wg_correlate_options;
#define wg_convolve_defaults .mode = "full"
#define wg_correlate_defaults .mode = "full"
/* y[k] = the sum of a[i] b[k - i]: wg_convolve(a, b, .mode = "same"). */
WG_API wg_tensor wg_convolve(wg_tensor a, wg_tensor b, wg_convolve_options options);
/* y[k] = the sum of a[i + k] b[i], from k = 1 - m on: the convolution with b backwards. */
WG_API wg_tensor wg_correlate(wg_tensor a, wg_tensor b, wg_correlate_options options);

/* ---- Functions given by numbers ---------------------------------------------------------------------------------- */
/* coeffs[0] x^(n - 1) + ... + coeffs[n - 1], by Horner's rule; coeffs [n], x of any shape. Without coefficients: 0. */
WG_API wg_tensor wg_polyval(wg_tensor coeffs, wg_tensor x);
/* The piecewise linear function through (xp[i], fp[i]), constant outside; x of any shape, xp and fp [n], n >= 1, xp
 * strictly increasing. At a knot the slope is the one to the right, at the last one 0. */
WG_API wg_tensor wg_interp(wg_tensor x, wg_tensor xp, wg_tensor fp);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ------------------------------------------------------------------------------------ */
#ifndef __cplusplus
#define wg_fft(...) WG_OPTIONS_FFT(wg_fft, __VA_ARGS__, )
#define wg_ifft(...) WG_OPTIONS_FFT(wg_ifft, __VA_ARGS__, )
#define WG_OPTIONS_FFT(f, re, im, ...) (f)(WG_HERE_AT(re), im, (f##_options){f##_defaults, __VA_ARGS__})
#define wg_rfft(...) WG_OPTIONS_RFFT(__VA_ARGS__, )
#define WG_OPTIONS_RFFT(x, ...) (wg_rfft)(WG_HERE_AT(x), (wg_rfft_options){wg_rfft_defaults, __VA_ARGS__})
#define wg_irfft(...) WG_AT(WG_OPTIONS2(wg_irfft, __VA_ARGS__, ))
#define wg_convolve(...) WG_AT(WG_OPTIONS2(wg_convolve, __VA_ARGS__, ))
#define wg_correlate(...) WG_AT(WG_OPTIONS2(wg_correlate, __VA_ARGS__, ))
#define wg_polyval(coeffs, x) WG_AT((wg_polyval)(coeffs, x))
#define wg_interp(x, xp, fp) WG_AT((wg_interp)(x, xp, fp))
#endif

#endif
