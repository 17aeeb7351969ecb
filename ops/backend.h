/* Products of matrices: the one door to whatever multiplies them on this machine. Private to the library.
 *
 * A back end runs one product on the calling thread. Which one does is a pure function of the machine, the dtype and
 * the sizes, and large products are cut into pieces by their sizes alone, so that results are the same bits with any
 * number of threads. */
#ifndef OPS_BACKEND_H
#define OPS_BACKEND_H

#include "wengert/operation.h"

/* y = alpha op(a) op(b) + beta y, all row-major: op(a) is [m, k], op(b) is [k, n], y is [m, n]; op(a) = a' where
 * `transposed_a`. Rows are lda, ldb and ldy elements apart. With beta = 0 what y held is not read. */
typedef struct {
    wg_dtype dtype; /* float32 or float64 */
    bool transposed_a, transposed_b;
    int64_t m, n, k;
    double alpha;
    const void *a;
    int64_t lda;
    const void *b;
    int64_t ldb;
    double beta;
    void *y;
    int64_t ldy;
} wg_gemm;

/* Where one product of a batch finds its matrices, in elements from those of the wg_gemm. */
typedef struct {
    int64_t a, b, y;
} wg_gemm_at;

/* One product, or `batch` of them that share sizes and leading dimensions and write apart; on the tape's threads. */
wg_status wg_product(const wg_call *c, const wg_gemm *p);
wg_status wg_products(const wg_call *c, const wg_gemm *p, int64_t batch, const wg_gemm_at *at);

/* One product on the calling thread, uncut: for work that its caller has cut. `room` as for wg_loops_gemm. */
void wg_product_here(const wg_gemm *p, void *room);

/* ---- Back ends ------------------------------------------------------------------------------------------------------
 * `reach` says how wide the vectors of its kernels are on this machine. */
typedef enum {
    WG_REACH_NONE = 0, /* not compiled in */
    WG_REACH_BASE,
    WG_REACH_AVX2,
    WG_REACH_AVX512
} wg_reach;

wg_reach wg_machine_reach(void);

wg_reach wg_blas_reach(void);
const char *wg_blas_name(void); /* "openblas"; "blas" for another one */
void wg_blas_gemm(const wg_gemm *p);
void wg_blas_one_thread(void); /* holds BLAS to the calling thread: before each call of it, or of what calls it */

wg_reach wg_dnnl_reach(void); /* float32 only */
void wg_dnnl_gemm(const wg_gemm *p);
int wg_dnnl_alone(void); /* holds oneDNN to the calling thread, until that many threads are given back */
void wg_dnnl_restored(int threads);

/* Loops of our own, in `room` of wg_loops_room bytes, aligned to 64: 0 for the smallest products,
 * never less for one of larger sizes. */
size_t wg_loops_room(const wg_gemm *p);
void wg_loops_gemm(const wg_gemm *p, void *room);

#endif
