/* Wengert: products.
 *
 * Sums of products over one or more axes. Those of matrices go to whatever multiplies them fastest on the machine at
 * hand; transposes and other views are read where they are. */
#ifndef WENGERT_PRODUCTS_H
#define WENGERT_PRODUCTS_H

#include "wengert/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Matrices ------------------------------------------------------------------------------------------------------
 * A sum over no terms, an inner size of 0, is 0. */
/* y = a b: [..., n, k] times [..., k, m] gives [..., n, m]; leading axes broadcast. A vector [k] is a row on the left,
 * a column on the right, and its axis goes. */
WG_API wg_tensor wg_matmul(wg_tensor a, wg_tensor b);
/* y = x w + b: x [..., in], w [in, out], b [out] or WG_NONE; y [..., out]. */
WG_API wg_tensor wg_linear(wg_tensor x, wg_tensor w, wg_tensor b);
/* y[i] = a[i] b[i]: [B, n, k] times [B, k, m], without broadcasting. */
WG_API wg_tensor wg_bmm(wg_tensor a, wg_tensor b);
/* y = beta c + alpha a b, for matrices a and b; c broadcasts. With beta = 0, c is left out, whatever it holds. */
typedef struct {
    double beta, alpha;
} wg_addmm_options;
#define wg_addmm_defaults .beta = 1, .alpha = 1
WG_API wg_tensor wg_addmm(wg_tensor c, wg_tensor a, wg_tensor b, wg_addmm_options options);
/* y[..., o] = the sum over i, j of x1[..., i] w[o, i, j] x2[..., j], plus b[o] unless it is WG_NONE. */
WG_API wg_tensor wg_bilinear(wg_tensor x1, wg_tensor w, wg_tensor x2, wg_tensor b);

/* ---- Vectors ----------------------------------------------------------------------------------------------------- */
/* The sum over `axis` of a times b; the other axes broadcast. */
typedef struct {
    int axis;
} wg_vecdot_options;
#define wg_vecdot_defaults .axis = -1
WG_API wg_tensor wg_vecdot(wg_tensor a, wg_tensor b, wg_vecdot_options options);
/* The sum over the last axis of both: [..., k] with [:::, k] gives [..., :::]. A 0-d operand multiplies the other. */
WG_API wg_tensor wg_inner(wg_tensor a, wg_tensor b);
/* y[i, j] = a[i] b[j]. */
WG_API wg_tensor wg_outer(wg_tensor a, wg_tensor b);
/* The vector product, of 3 entries along `axis`; the other axes broadcast. */
typedef struct {
    int axis;
} wg_cross_options;
#define wg_cross_defaults .axis = -1
WG_API wg_tensor wg_cross(wg_tensor a, wg_tensor b, wg_cross_options options);

/* ---- Any axes ---------------------------------------------------------------------------------------------------- */
/* The sum over axes[0] of a and axes[1] of b, paired in order: {WG_INTS(0, 1), WG_INTS(1, 0)}; or over the last n axes
 * of a and the first n of b: {WG_INTS(n)}. The axes that are left, a's before b's, are the result's. */
typedef struct {
    wg_ints axes[2];
} wg_tensordot_options;
#define wg_tensordot_defaults .axes = {{{2}, 1}}
WG_API wg_tensor wg_tensordot(wg_tensor a, wg_tensor b, wg_tensordot_options options);
/* Each entry of a times all of b: [n, m] with [p, q] gives [n p, m q], up to 4 dimensions. */
WG_API wg_tensor wg_kron(wg_tensor a, wg_tensor b);
/* The sum over every letter that is not behind "->", of the product of operands whose axes the letters name. A letter
 * twice in one operand is its diagonal; "..." stands for axes that broadcast; without "->", the letters that occur once
 * remain, in alphabetical order. */
WG_API wg_tensor wg_einsum(const char *equation, wg_tensors x); /* wg_einsum("bij,bjk->bik", WG_TENSORS(a, b)) */

/* ---- What multiplies -----------------------------------------------------------------------------------------------
 * "dnnl", "openblas", "blas" or "loops": what multiplies [m, k] by [k, n] on this machine. */
WG_API const char *wg_backend_name(wg_dtype dtype, int64_t m, int64_t n, int64_t k);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ------------------------------------------------------------------------------------ */
#ifndef __cplusplus
#define wg_matmul(a, b) WG_AT((wg_matmul)(a, b))
#define wg_linear(x, w, b) WG_AT((wg_linear)(x, w, b))
#define wg_bmm(a, b) WG_AT((wg_bmm)(a, b))
#define wg_addmm(...) WG_AT(WG_OPTIONS3(wg_addmm, __VA_ARGS__, ))
#define wg_bilinear(x1, w, x2, b) WG_AT((wg_bilinear)(x1, w, x2, b))
#define wg_vecdot(...) WG_AT(WG_OPTIONS2(wg_vecdot, __VA_ARGS__, ))
#define wg_inner(a, b) WG_AT((wg_inner)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_outer(a, b) WG_AT((wg_outer)(a, b))
#define wg_cross(...) WG_AT(WG_OPTIONS2(wg_cross, __VA_ARGS__, ))
#define wg_tensordot(...) WG_AT(WG_OPTIONS2(wg_tensordot, __VA_ARGS__, ))
#define wg_kron(a, b) WG_AT((wg_kron)(a, b))
#define wg_einsum(equation, x) WG_AT((wg_einsum)(equation, x))
#endif

#endif
