/* The discrete Fourier transform of any length, in double. */
#ifndef OPS_FFT_H
#define OPS_FFT_H

#include "wengert/operation.h"

#define WG_FFT_STAGES 64

/* What all transforms of n points share. */
typedef struct wg_fft_plan wg_fft_plan;
struct wg_fft_plan {
    int64_t n;
    int stages;
    int radix[WG_FFT_STAGES];       /* their product is n, without a chirp */
    const double *cosine, *sine;    /* of -2 pi k / n, k < n */
    const wg_fft_plan *inner;       /* the chirp's: of at least 2 n - 1 points; NULL where n has small factors only */
    const double *chirp_re, *chirp_im, *filter_re, *filter_im;
};

/* A complex array, [n, width]: `width` lines side by side. */
typedef struct {
    double *re, *im;
} wg_fft_lines;

/* The plan for n >= 1 points, in scratch memory; false, and the error reported, when there is none. */
bool wg_fft_plan_made(const wg_call *c, int64_t n, wg_fft_plan *plan);
/* Doubles of room that a transform of `width` lines needs. */
size_t wg_fft_room(const wg_fft_plan *plan, int64_t width);
/* The forward transform of z, which is overwritten; the result is there or in the room. With re and im exchanged before
 * and after, it is the backward one, unscaled. */
wg_fft_lines wg_fft_run(const wg_fft_plan *plan, int64_t width, wg_fft_lines z, double *room);
/* The least length >= n with no prime factor above 5. */
int64_t wg_fft_good_length(int64_t n);

#endif
