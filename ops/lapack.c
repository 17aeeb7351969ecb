/* LAPACK by its Fortran names, which every implementation has: s... for float32, d... for float64. The length of each
 * character argument comes last, as gfortran passes it; who does not ask for it does not see it. */
#include "ops/lapack.h"

#include "ops/backend.h"

#ifdef WG_WITH_LAPACK

#define BOTH(name, ...) extern void s##name##_(__VA_ARGS__); extern void d##name##_(__VA_ARGS__)
BOTH(gecon, const char *, const int *, const void *, const int *, const void *, void *, void *, int *, int *, size_t);
BOTH(trcon, const char *, const char *, const char *, const int *, const void *, const int *, void *, void *, int *,
     int *, size_t, size_t, size_t);
BOTH(getrf, const int *, const int *, void *, const int *, int *, int *);
BOTH(getrs, const char *, const int *, const int *, const void *, const int *, const int *, void *, const int *, int *,
     size_t);
BOTH(getri, const int *, void *, const int *, const int *, void *, const int *, int *);
BOTH(trsm, const char *, const char *, const char *, const char *, const int *, const int *, const void *, const void *,
     const int *, void *, const int *, size_t, size_t, size_t, size_t);
BOTH(potrf, const char *, const int *, void *, const int *, int *, size_t);
BOTH(gels, const char *, const int *, const int *, const int *, void *, const int *, void *, const int *, void *,
     const int *, int *, size_t);
BOTH(gelqf, const int *, const int *, void *, const int *, void *, void *, const int *, int *);
BOTH(orglq, const int *, const int *, const int *, void *, const int *, const void *, void *, const int *, int *);
BOTH(syevd, const char *, const char *, const int *, void *, const int *, void *, void *, const int *, int *,
     const int *, int *, size_t, size_t);
BOTH(gesdd, const char *, const int *, const int *, void *, const int *, void *, void *, const int *, void *,
     const int *, void *, const int *, int *, int *, size_t);

#define CALL(name, ...)                                                                                                \
    do {                                                                                                               \
        wg_blas_one_thread();                                                                                          \
        (dtype == WG_FLOAT32 ? s##name##_ : d##name##_)(__VA_ARGS__);                                                  \
    } while (0)

bool wg_has_lapack(void) { return true; }

#else

/* Nobody calls what follows: each operation asks wg_lapack_needed first. */
static void absent(wg_dtype dtype, ...) { (void)dtype; }
#define CALL(name, ...) absent(dtype, __VA_ARGS__)

bool wg_has_lapack(void) { return false; }

#endif

wg_status wg_lapack_needed(const wg_call *c)
{
    return wg_has_lapack() ? WG_OK : wg_fail(c, WG_ERROR_UNSUPPORTED, "this build of the library has no LAPACK");
}

static int at_least_1(int n) { return n > 1 ? n : 1; }

/* A number of the dtype, as Fortran wants it: by address. */
typedef union {
    float f32;
    double f64;
} real;

static real real_of(wg_dtype dtype, double value)
{
    real r = {0};
    if (dtype == WG_FLOAT32)
        r.f32 = (float)value;
    else
        r.f64 = value;
    return r;
}

static double value_of(wg_dtype dtype, const real *r) { return dtype == WG_FLOAT32 ? (double)r->f32 : r->f64; }

/* ---- Norms and condition ----------------------------------------------------------------------------------------- */
#define NORM1(T)                                                                                                       \
    for (int j = 0; j < n; j++) {                                                                                      \
        double sum = 0;                                                                                                \
        for (int i = 0; i < m; i++)                                                                                    \
            sum += fabs((double)((const T *)a)[(int64_t)j * m + i]);                                                   \
        most = sum > most || isnan(sum) ? sum : most;                                                                  \
    }

double wg_lapack_norm1(wg_dtype dtype, int m, int n, const void *a)
{
    double most = 0;
    if (dtype == WG_FLOAT32)
        NORM1(float)
    else
        NORM1(double)
    return most;
}

double wg_lapack_gecon(wg_dtype dtype, int n, const void *lu, double norm1, void *room)
{
    int info = 0, lda = at_least_1(n), *iwork = (int *)((double *)room + 4 * (size_t)n);
    real norm = real_of(dtype, norm1), rcond = {0};
    CALL(gecon, "1", &n, lu, &lda, &norm, &rcond, room, iwork, &info, 1);
    return info ? 0 : value_of(dtype, &rcond);
}

double wg_lapack_trcon(wg_dtype dtype, char uplo, int n, const void *a, int lda, void *room)
{
    int info = 0, *iwork = (int *)((double *)room + 4 * (size_t)n);
    real rcond = {0};
    CALL(trcon, "1", &uplo, "N", &n, a, &lda, &rcond, room, iwork, &info, 1, 1, 1);
    return info ? 0 : value_of(dtype, &rcond);
}

/* ---- Systems ----------------------------------------------------------------------------------------------------- */
int wg_lapack_getrf(wg_dtype dtype, int m, int n, void *a, int *pivot)
{
    int info = 0, lda = at_least_1(m);
    CALL(getrf, &m, &n, a, &lda, pivot, &info);
    return info;
}

int wg_lapack_getrs(wg_dtype dtype, char trans, int n, int k, const void *lu, const int *pivot, void *b)
{
    int info = 0, ld = at_least_1(n);
    CALL(getrs, &trans, &n, &k, lu, &ld, pivot, b, &ld, &info, 1);
    return info;
}

int wg_lapack_getri(wg_dtype dtype, int n, void *lu, const int *pivot, void *work, int lwork)
{
    int info = 0, lda = at_least_1(n);
    CALL(getri, &n, lu, &lda, pivot, work, &lwork, &info);
    return info;
}

void wg_lapack_trsm_right(wg_dtype dtype, char uplo, char trans, char diag, int m, int n, const void *a, void *b)
{
    int lda = at_least_1(n), ldb = at_least_1(m);
    real one = real_of(dtype, 1);
    CALL(trsm, "R", &uplo, &trans, &diag, &m, &n, &one, a, &lda, b, &ldb, 1, 1, 1, 1);
}

int wg_lapack_potrf(wg_dtype dtype, char uplo, int n, void *a)
{
    int info = 0, lda = at_least_1(n);
    CALL(potrf, &uplo, &n, a, &lda, &info, 1);
    return info;
}

int wg_lapack_gels(wg_dtype dtype, char trans, int m, int n, int k, void *a, void *b, void *work, int lwork)
{
    int info = 0, lda = at_least_1(m), ldb = at_least_1(m > n ? m : n);
    CALL(gels, &trans, &m, &n, &k, a, &lda, b, &ldb, work, &lwork, &info, 1);
    return info;
}

/* ---- Orthogonal factors ------------------------------------------------------------------------------------------ */
int wg_lapack_gelqf(wg_dtype dtype, int m, int n, void *a, void *tau, void *work, int lwork)
{
    int info = 0, lda = at_least_1(m);
    CALL(gelqf, &m, &n, a, &lda, tau, work, &lwork, &info);
    return info;
}

int wg_lapack_orglq(wg_dtype dtype, int m, int n, int k, void *a, const void *tau, void *work, int lwork)
{
    int info = 0, lda = at_least_1(m);
    CALL(orglq, &m, &n, &k, a, &lda, tau, work, &lwork, &info);
    return info;
}

/* ---- Spectra ----------------------------------------------------------------------------------------------------- */
int wg_lapack_syevd(wg_dtype dtype, char jobz, char uplo, int n, void *a, void *w, void *work, int lwork, int *iwork,
                    int liwork)
{
    int info = 0, lda = at_least_1(n);
    CALL(syevd, &jobz, &uplo, &n, a, &lda, w, work, &lwork, iwork, &liwork, &info, 1, 1);
    return info;
}

int wg_lapack_gesdd(wg_dtype dtype, char jobz, int m, int n, void *a, void *s, void *u, void *vt, void *work, int lwork,
                    int *iwork)
{
    int info = 0, lda = at_least_1(m), ldvt = at_least_1(m < n ? m : n);
    CALL(gesdd, &jobz, &m, &n, a, &lda, s, u, &lda, vt, &ldvt, work, &lwork, iwork, &info, 1);
    return info;
}
