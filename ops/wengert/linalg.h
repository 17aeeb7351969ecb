/* Wengert: linear algebra.
 *
 * Systems of equations, factorisations and functions of matrices: of the last two axes, for every matrix of the leading
 * ones. They need LAPACK: a build without it refuses them (WG_ERROR_UNSUPPORTED). What is singular, indefinite, NaN or
 * infinite where a factorisation needs numbers is WG_ERROR_NUMERIC, with the condition number where there is one. */
#ifndef WENGERT_LINALG_H
#define WENGERT_LINALG_H

#include "wengert/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Does this build have LAPACK? */
WG_API bool wg_has_lapack(void);

/* ---- Systems -------------------------------------------------------------------------------------------------------
 * b is a vector [n] where it is 1-D, else a matrix [..., n, k]; leading axes broadcast. */
/* The x with a x = b, a [..., n, n]. */
WG_API wg_tensor wg_solve(wg_tensor a, wg_tensor b);
/* The same of a triangle of a, or with `transpose` of its transpose; with `unit_diagonal` its diagonal counts as ones.
 * The other triangle is not read, and its gradient is 0. */
typedef struct {
    bool lower, transpose, unit_diagonal;
} wg_triangular_solve_options;
#define wg_triangular_solve_defaults .lower = true, .transpose = false, .unit_diagonal = false
WG_API wg_tensor wg_triangular_solve(wg_tensor a, wg_tensor b, wg_triangular_solve_options options);
/* The x with l l' x = b, or l' l x = b for an upper factor: what cholesky gave. The other triangle is not read, and its
 * gradient is 0. */
typedef struct {
    bool lower;
} wg_cholesky_solve_options;
#define wg_cholesky_solve_defaults .lower = true
WG_API wg_tensor wg_cholesky_solve(wg_tensor l, wg_tensor b, wg_cholesky_solve_options options);
/* The x that makes |a x - b| least, a [..., m, n] of full rank; for m < n, of all that solve a x = b the shortest. */
WG_API wg_tensor wg_lstsq(wg_tensor a, wg_tensor b);

/* ---- Inverses and determinants ----------------------------------------------------------------------------------- */
/* a^-1. */
WG_API wg_tensor wg_inv(wg_tensor a);
/* The pseudo-inverse [..., n, m] of a [..., m, n] of full rank: (a' a)^-1 a', or a' (a a')^-1 for m < n. */
WG_API wg_tensor wg_pinv(wg_tensor a);
/* The determinant; its gradient is that of the polynomial, the cofactors, also where a is singular. Of a 0 x 0 matrix:
 * 1. */
WG_API wg_tensor wg_det(wg_tensor a);
/* det a = sign exp(logabsdet); of a singular a: 0 and -inf. `sign` has no gradient. */
typedef struct {
    wg_tensor sign, logabsdet;
} wg_slogdet_result;
WG_API wg_slogdet_result wg_slogdet(wg_tensor a);
/* log det a of a symmetric positive definite a, of which the lower triangle is read; its gradient is symmetric. */
WG_API wg_tensor wg_logdet_spd(wg_tensor a);

/* ---- Factorisations ---------------------------------------------------------------------------------------------- */
/* The lower l with l l' = a, of a's lower triangle; with lower = false the upper u with u' u = a, of the upper one. a
 * is symmetric positive definite; its gradient is symmetric, (g + g')/2. */
typedef struct {
    bool lower;
} wg_cholesky_options;
#define wg_cholesky_defaults .lower = true
WG_API wg_tensor wg_cholesky(wg_tensor a, wg_cholesky_options options);
/* a = p l u with rows exchanged for the largest pivot: a [..., m, n], p [..., m, m] a permutation, without gradient, l
 * [..., m, k] with ones on its diagonal, u [..., k, n], k = min(m, n). */
typedef struct {
    wg_tensor p, l, u;
} wg_lu_result;
WG_API wg_lu_result wg_lu(wg_tensor a);
/* a = q r with orthonormal columns of q and an upper r, its diagonal positive: "reduced" q [..., m, k], r [..., k, n];
 * "complete" q [..., m, m], r [..., m, n]. For m > n the last columns of a complete q are those that columns of the
 * identity, appended to a, would give. The gradient is refused where a's first k columns are dependent. */
typedef struct {
    const char *mode; /* "reduced", "complete" */
} wg_qr_options;
#define wg_qr_defaults .mode = "reduced"
typedef struct {
    wg_tensor q, r;
} wg_qr_result;
WG_API wg_qr_result wg_qr(wg_tensor a, wg_qr_options options);

/* ---- Spectra -------------------------------------------------------------------------------------------------------
 * Vectors are normed so that the entry of largest magnitude is positive (svd: in u). Where values coincide, vectors
 * have no derivative: it is refused, and the gap is told, unless the values alone were used. */
/* a = vectors diag(values) vectors' of a symmetric a, by one of its triangles: values ascending, vectors in columns.
 * The gradient is symmetric, (g + g')/2; so is that of eigvalsh, the values alone. */
typedef struct {
    bool lower;
} wg_eigh_options, wg_eigvalsh_options;
#define wg_eigh_defaults .lower = true
#define wg_eigvalsh_defaults .lower = true
typedef struct {
    wg_tensor values, vectors;
} wg_eigh_result;
WG_API wg_eigh_result wg_eigh(wg_tensor a, wg_eigh_options options);
WG_API wg_tensor wg_eigvalsh(wg_tensor a, wg_eigvalsh_options options);
/* a = u diag(s) vh: a [..., m, n], u [..., m, k], s [..., k] descending, vh [..., k, n], k = min(m, n); s alone. */
typedef struct {
    wg_tensor u, s, vh;
} wg_svd_result;
WG_API wg_svd_result wg_svd(wg_tensor a);
WG_API wg_tensor wg_svdvals(wg_tensor a);
/* ord "fro": the root of the sum of squares; "nuc": the sum of the singular values; "2": the largest of them. No
 * overflow on the way. At a zero matrix the gradient is 0; singular values that are 0 add nothing to that of "nuc", and
 * equal largest ones share that of "2". */
typedef struct {
    const char *ord; /* "fro", "nuc", "2" */
} wg_matrix_norm_options;
#define wg_matrix_norm_defaults .ord = "fro"
WG_API wg_tensor wg_matrix_norm(wg_tensor a, wg_matrix_norm_options options);

/* ---- Functions of a matrix --------------------------------------------------------------------------------------- */
/* a a ... a, n times; n = 0 gives the identity, a negative n the power of the inverse. */
WG_API wg_tensor wg_matrix_power(wg_tensor a, int64_t n);
/* The sum of a^k / k! over k >= 0. */
WG_API wg_tensor wg_expm(wg_tensor a);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ------------------------------------------------------------------------------------ */
#ifndef __cplusplus
#define wg_solve(a, b) WG_AT((wg_solve)(a, b))
#define wg_triangular_solve(...) WG_AT(WG_OPTIONS2(wg_triangular_solve, __VA_ARGS__, ))
#define wg_cholesky_solve(...) WG_AT(WG_OPTIONS2(wg_cholesky_solve, __VA_ARGS__, ))
#define wg_lstsq(a, b) WG_AT((wg_lstsq)(a, b))
#define wg_inv(a) WG_AT((wg_inv)(a))
#define wg_pinv(a) WG_AT((wg_pinv)(a))
#define wg_det(a) WG_AT((wg_det)(a))
#define wg_slogdet(a) (wg_slogdet)(WG_HERE_AT(a))
#define wg_logdet_spd(a) WG_AT((wg_logdet_spd)(a))
#define wg_cholesky(...) WG_AT(WG_OPTIONS1(wg_cholesky, __VA_ARGS__, ))
#define wg_lu(a) (wg_lu)(WG_HERE_AT(a))
#define wg_qr(...) WG_OPTIONS_QR(__VA_ARGS__, )
#define WG_OPTIONS_QR(a, ...) (wg_qr)(WG_HERE_AT(a), (wg_qr_options){wg_qr_defaults, __VA_ARGS__})
#define wg_eigh(...) WG_OPTIONS_EIGH(__VA_ARGS__, )
#define WG_OPTIONS_EIGH(a, ...) (wg_eigh)(WG_HERE_AT(a), (wg_eigh_options){wg_eigh_defaults, __VA_ARGS__})
#define wg_eigvalsh(...) WG_AT(WG_OPTIONS1(wg_eigvalsh, __VA_ARGS__, ))
#define wg_svd(a) (wg_svd)(WG_HERE_AT(a))
#define wg_svdvals(a) WG_AT((wg_svdvals)(a))
#define wg_matrix_norm(...) WG_AT(WG_OPTIONS1(wg_matrix_norm, __VA_ARGS__, ))
#define wg_matrix_power(a, n) WG_AT((wg_matrix_power)(a, n))
#define wg_expm(a) WG_AT((wg_expm)(a))
#endif

#endif
