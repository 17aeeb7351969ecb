/* Convolution in up to three spatial axes, and its two transposes, as products of matrices. Private to the library. */
#ifndef OPS_CONVOLVE_H
#define OPS_CONVOLVE_H

#include "ops/backend.h"

/* x [n, groups * in, size...] with w [groups * out, in, kernel...] gives y [n, groups * out, result...]. Fewer than
 * three axes have axes of size 1 put in front of them. */
typedef struct {
    int64_t n, groups, in, out;
    int64_t size[3], kernel[3], result[3];
    int64_t stride[3], padding[3], dilation[3];
} wg_convolution;

static inline int64_t wg_volume(const int64_t size[3]) { return size[0] * size[1] * size[2]; }

/* y = x convolved with w, plus a bias, one number a channel of y, or NULL. */
wg_status wg_convolve_forward(const wg_call *c, const wg_convolution *v, const void *x, const void *w, const void *bias,
                              void *y);
/* x = the transpose of that, linear in x, applied to y; plus a bias, one number a channel of x, or NULL. */
wg_status wg_convolve_back_x(const wg_call *c, const wg_convolution *v, const void *y, const void *w, const void *bias,
                             void *x);
/* w = the transpose of that, linear in w, applied to y. */
wg_status wg_convolve_back_w(const wg_call *c, const wg_convolution *v, const void *x, const void *y, void *w);

/* ---- oneDNN: dnnl_convolution.c ---------------------------------------------------------------------------------- */
typedef enum { WG_CONVOLVE_FORWARD, WG_CONVOLVE_BACK_X, WG_CONVOLVE_BACK_W } wg_convolve_map;

/* One of the maps above. WG_ERROR_UNSUPPORTED, without a report and with nothing done, where oneDNN is not there or
 * does not take it, or where it is not worth it. */
wg_status wg_dnnl_convolve(const wg_call *c, const wg_convolution *v, wg_convolve_map map, const void *x, const void *w,
                           const void *y, const void *bias);

#endif
