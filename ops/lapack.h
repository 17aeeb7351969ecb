/* Factorisations of one matrix: the few routines of LAPACK that the operations need, for float32 and float64 alike.
 * Private to the library.
 *
 * LAPACK keeps matrices by columns and the library by rows, so what it is given is the transpose of what the library
 * means: m and n below are LAPACK's, rows and columns of the matrix as it lies in columns, without gaps. Results are as
 * LAPACK's: info, 0 where all is well. Memory is the caller's. All of it runs on the calling thread. */
#ifndef OPS_LAPACK_H
#define OPS_LAPACK_H

#include "wengert/linalg.h"

/* WG_ERROR_UNSUPPORTED, and the error reported, in a build without LAPACK. */
wg_status wg_lapack_needed(const wg_call *c);

/* ---- Norms and condition ----------------------------------------------------------------------------------------- */
/* The largest sum of magnitudes in a column. */
double wg_lapack_norm1(wg_dtype dtype, int m, int n, const void *a);
/* 1 / (norm1(a) norm1(a^-1)), estimated: of a factorised by getrf; of a triangle. room: WG_CONDITION_ROOM(n) bytes. */
#define WG_CONDITION_ROOM(n) ((size_t)(n) * (4 * sizeof(double) + sizeof(int)))
double wg_lapack_gecon(wg_dtype dtype, int n, const void *lu, double norm1, void *room);
double wg_lapack_trcon(wg_dtype dtype, char uplo, int n, const void *a, int lda, void *room);

/* ---- Systems ----------------------------------------------------------------------------------------------------- */
/* a = p l u in place; row i was exchanged with row pivot[i] - 1. */
int wg_lapack_getrf(wg_dtype dtype, int m, int n, void *a, int *pivot);
/* op(a) x = b in place of b [n, k]; trans 'N' or 'T'. */
int wg_lapack_getrs(wg_dtype dtype, char trans, int n, int k, const void *lu, const int *pivot, void *b);
/* a^-1 in place of the factors. lwork: elements of `work`; -1: asks, the answer is work[0]. So in all that follows. */
int wg_lapack_getri(wg_dtype dtype, int n, void *lu, const int *pivot, void *work, int lwork);
/* x op(a) = b in place of b [m, n], a [n, n] a triangle. */
void wg_lapack_trsm_right(wg_dtype dtype, char uplo, char trans, char diag, int m, int n, const void *a, void *b);
/* a = r'r from and in place of the upper triangle (uplo 'U'), or l l' of the lower one. */
int wg_lapack_potrf(wg_dtype dtype, char uplo, int n, void *a);
/* The x of least squares, or least norm, with op(a) x = b, in place of b [max(m, n), k]; a becomes its QR or LQ. */
int wg_lapack_gels(wg_dtype dtype, char trans, int m, int n, int k, void *a, void *b, void *work, int lwork);

/* ---- Orthogonal factors ------------------------------------------------------------------------------------------ */
/* a = l q in place, q as min(m, n) reflectors and `tau`; then the first rows [m, n], m <= n, of the q of k
 * reflectors. */
int wg_lapack_gelqf(wg_dtype dtype, int m, int n, void *a, void *tau, void *work, int lwork);
int wg_lapack_orglq(wg_dtype dtype, int m, int n, int k, void *a, const void *tau, void *work, int lwork);

/* ---- Spectra ----------------------------------------------------------------------------------------------------- */
/* Of the symmetric a: ascending w, and with jobz 'V' the vectors, in place of a. */
int wg_lapack_syevd(wg_dtype dtype, char jobz, char uplo, int n, void *a, void *w, void *work, int lwork, int *iwork,
                    int liwork);
/* a = u diag(s) vt, thin ('S') or s alone ('N'); a is lost. iwork: 8 min(m, n). */
int wg_lapack_gesdd(wg_dtype dtype, char jobz, int m, int n, void *a, void *s, void *u, void *vt, void *work, int lwork,
                    int *iwork);

#endif
