/* Products through CBLAS: OpenBLAS, or any other that the build found. OpenBLAS picks its kernels once, by the
 * processors it knew when it was released: on a newer one it may fall back to SSE, which is why it is asked what it
 * picked. */
#include "ops/backend.h"

#ifdef WG_WITH_BLAS
#include <cblas.h>

/* OpenBLAS's own threads would cut a product by their number. The count is the process's: there is no other. */
void wg_blas_one_thread(void)
{
#ifdef OPENBLAS_VERSION
    if (openblas_get_num_threads() != 1)
        openblas_set_num_threads(1);
#endif
}

#ifdef OPENBLAS_VERSION
static bool core_is_one_of(const char *const *names, int n)
{
    const char *core = openblas_get_corename();
    for (int i = 0; i < n; i++)
        if (!strcmp(core, names[i]))
            return true;
    return false;
}
#endif

wg_reach wg_blas_reach(void)
{
#if defined(OPENBLAS_VERSION) && defined(__x86_64__)
    static const char *const avx512[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};
    static const char *const avx2[] = {"Haswell", "Zen", "Excavator"};
    if (core_is_one_of(avx512, 3))
        return WG_REACH_AVX512;
    return core_is_one_of(avx2, 3) ? WG_REACH_AVX2 : WG_REACH_BASE;
#else
    return wg_machine_reach(); /* not to be asked, so believed */
#endif
}

const char *wg_blas_name(void)
{
#ifdef OPENBLAS_VERSION
    return "openblas";
#else
    return "blas";
#endif
}

void wg_blas_gemm(const wg_gemm *p)
{
    wg_blas_one_thread();
    enum CBLAS_TRANSPOSE ta = p->transposed_a ? CblasTrans : CblasNoTrans;
    enum CBLAS_TRANSPOSE tb = p->transposed_b ? CblasTrans : CblasNoTrans;
    int m = (int)p->m, n = (int)p->n, k = (int)p->k, lda = (int)p->lda, ldb = (int)p->ldb, ldy = (int)p->ldy;
    if (p->dtype == WG_FLOAT32)
        cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, (float)p->alpha, p->a, lda, p->b, ldb, (float)p->beta, p->y, ldy);
    else
        cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, p->alpha, p->a, lda, p->b, ldb, p->beta, p->y, ldy);
}

#else

wg_reach wg_blas_reach(void) { return WG_REACH_NONE; }
const char *wg_blas_name(void) { return "blas"; }
void wg_blas_one_thread(void) {}
void wg_blas_gemm(const wg_gemm *p) { (void)p; }

#endif
