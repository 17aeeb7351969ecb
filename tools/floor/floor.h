/* What the floors share: the clock, options, and products by each back end there is. */
#ifndef FLOOR_H
#define FLOOR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef WG_WITH_BLAS
#include <cblas.h>
#endif
#ifdef WG_WITH_ONEDNN
#include <oneapi/dnnl/dnnl.h>
#endif

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

static inline double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The value behind an option, or what stands for its absence. */
static inline const char *option(int argc, char **argv, const char *name, const char *absent)
{
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], name))
            return argv[i + 1];
    return absent;
}

/* c = alpha a b + beta c, row-major, a or b transposed. */
typedef void product(char ta, char tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
                     int64_t ldb, float beta, float *c, int64_t ldc);

#ifdef WG_WITH_BLAS
static inline void product_blas(char ta, char tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                                const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
    cblas_sgemm(CblasRowMajor, ta == 'T' ? CblasTrans : CblasNoTrans, tb == 'T' ? CblasTrans : CblasNoTrans, (int)m,
                (int)n, (int)k, 1, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
}
#endif
#ifdef WG_WITH_ONEDNN
static inline void product_dnnl(char ta, char tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                                const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
    dnnl_sgemm(ta, tb, m, n, k, 1, a, lda, b, ldb, beta, c, ldc);
}
#endif

/* Of the OpenMP runtime that oneDNN may have been built with. */
extern void omp_set_num_threads(int n) __attribute__((weak));

static inline void product_threads(int n)
{
#ifdef OPENBLAS_VERSION
    openblas_set_num_threads(n);
#endif
    (void)n;
    if (omp_set_num_threads)
        omp_set_num_threads(n);
}

static const struct {
    const char *name;
    product *run;
} back_ends[] = {
#ifdef WG_WITH_BLAS
    {"openblas", product_blas},
#endif
#ifdef WG_WITH_ONEDNN
    {"dnnl", product_dnnl},
#endif
    {NULL, NULL}};

#endif
