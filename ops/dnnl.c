/* float32 products through oneDNN, whose kernels are compiled for the processor at hand when they are first needed. */
#include "ops/backend.h"

#ifdef WG_WITH_ONEDNN
#include <oneapi/dnnl/dnnl.h>

/* Of the OpenMP runtime that oneDNN was built with; absent where it was built without. The count belongs to the calling
 * thread, and is put back. */
extern int omp_get_max_threads(void) __attribute__((weak));
extern void omp_set_num_threads(int n) __attribute__((weak));

wg_reach wg_dnnl_reach(void)
{
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa(); /* a bit for each step */
    if ((isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core)
        return WG_REACH_AVX512;
    return (isa & dnnl_cpu_isa_avx2) == dnnl_cpu_isa_avx2 ? WG_REACH_AVX2 : WG_REACH_BASE;
}

int wg_dnnl_alone(void)
{
    int threads = omp_get_max_threads && omp_set_num_threads ? omp_get_max_threads() : 1;
    if (threads != 1)
        omp_set_num_threads(1);
    return threads;
}

void wg_dnnl_restored(int threads)
{
    if (threads != 1)
        omp_set_num_threads(threads);
}

void wg_dnnl_gemm(const wg_gemm *p)
{
    int threads = wg_dnnl_alone();
    dnnl_sgemm(p->transposed_a ? 'T' : 'N', p->transposed_b ? 'T' : 'N', p->m, p->n, p->k, (float)p->alpha, p->a,
               p->lda, p->b, p->ldb, (float)p->beta, p->y, p->ldy);
    wg_dnnl_restored(threads);
}

#else

wg_reach wg_dnnl_reach(void) { return WG_REACH_NONE; }
int wg_dnnl_alone(void) { return 1; }
void wg_dnnl_restored(int threads) { (void)threads; }
void wg_dnnl_gemm(const wg_gemm *p) { (void)p; }

#endif
