/* What reductions are made of: a fold is how one more element goes into an accumulator, written once as C text for
 * rows and for columns of each dtype; wg_reduce runs one over any axes. Accumulators are doubles whatever the
 * elements are. */
#ifndef OPS_FOLD_H
#define OPS_FOLD_H

#include "wengert/map.h"

#define WG_AHEAD 4096 /* bytes that a row's loop asks for ahead */
#define WG_LANES 32 /* accumulators a row is summed in, so that its loop is vector code */

/* rows: acc[i] takes in the n elements from x + i * stride; columns: acc[j] takes in x[i * stride + j] for each row
 * i. m is one parameter an accumulator, p one of them all. */
typedef void wg_fold_kernel(int64_t rows, int64_t stride, int64_t n, const void *x, double *acc, const double *m,
                            double p);

typedef struct {
    double start; /* of nothing */
    void (*join)(int64_t n, double *acc, const double *more);
    wg_fold_kernel *rows[5], *columns[5]; /* one a dtype */
} wg_fold;

typedef struct wg_reduction {
    const wg_fold *fold;
    const wg_axes *axes;
    const double *parameter; /* the fold's m, one an output; NULL where it has none */
    /* From accumulators to results; NULL: they are the same. */
    void (*finish)(const struct wg_reduction *r, int64_t n, double *acc, const double *m);
    double p;       /* for the fold and finish */
    wg_dtype dtype; /* of the result */
    void *to;
} wg_reduction;

/* Folds operand 0 over the axes. */
wg_status wg_reduce(const wg_call *c, const wg_reduction *r);
/* The type of operand 0 without the axes, or with them of size 1. */
wg_status wg_reduced_type(wg_call *c, const wg_axes *axes, bool keepdims, wg_dtype dtype);
/* Refuses to find the extremum of nothing. */
wg_status wg_reduced_something(const wg_call *c, const wg_axes *axes);
/* How many elements become one. */
int64_t wg_reduced_count(const wg_type *x, const wg_axes *axes);
/* A result as it broadcasts against operand 0: the axes that went come back with size 1. */
wg_tensor wg_spread(wg_tensor y, const wg_axes *axes, bool keepdims);
/* Of x's type: y, of a reduced type with the axes kept, stretched. */
wg_tensor wg_spread_over(const wg_call *c, wg_tensor y, const wg_axes *axes, bool keepdims);
/* x with the axes as one, the last; and a tensor of that shape back as x's. */
wg_tensor wg_last_of(wg_tensor x, const wg_axes *axes);
wg_tensor wg_last_back(wg_tensor rows, const wg_type *x, const wg_axes *axes);

/* WG_FOLD_KERNELS(sum, f32, float, WG_LANES, 0, a + (double)x, a + b): of the accumulator a, the element x, the
 * parameters m and p; and of two accumulators. With one lane elements are taken in order. */
#define WG_FOLD_KERNELS(name, suffix, T_, LANES, START, STEP, JOIN)                                                    \
    static WG_CLONES void name##_rows_##suffix(int64_t rows, int64_t stride, int64_t n, const void *from,              \
                                               double *acc, const double *parameter, double p)                         \
    {                                                                                                                  \
        typedef T_ T;                                                                                                  \
        (void)p;                                                                                                       \
        for (int64_t i = 0; i < rows; i++) {                                                                           \
            const T *at = (const T *)from + i * stride;                                                                \
            const double m = parameter[i];                                                                             \
            (void)m;                                                                                                   \
            if (LANES == 1 || n < LANES) {                                                                             \
                double a = acc[i];                                                                                     \
                for (int64_t j = 0; j < n; j++) {                                                                      \
                    const T x = at[j];                                                                                 \
                    a = STEP;                                                                                          \
                }                                                                                                      \
                acc[i] = a;                                                                                            \
                continue;                                                                                              \
            }                                                                                                          \
            double lane[LANES];                                                                                        \
            int64_t j = 0;                                                                                             \
            for (int k = 0; k < LANES; k++)                                                                            \
                lane[k] = START;                                                                                       \
            for (; j + LANES <= n; j += LANES) {                                                                       \
                for (size_t line = 0; line < LANES * sizeof(T); line += 64) /* of some KB ahead */                     \
                    __builtin_prefetch((const char *)(at + j) + WG_AHEAD + line);                                      \
                for (int k = 0; k < LANES; k++) {                                                                      \
                    const double a = lane[k];                                                                          \
                    const T x = at[j + k];                                                                             \
                    lane[k] = STEP;                                                                                    \
                }                                                                                                      \
            }                                                                                                          \
            for (int k = 0; j < n; j++, k++) {                                                                         \
                const double a = lane[k];                                                                              \
                const T x = at[j];                                                                                     \
                lane[k] = STEP;                                                                                        \
            }                                                                                                          \
            for (int half = LANES / 2; half; half /= 2)                                                                \
                for (int k = 0; k < half; k++) {                                                                       \
                    const double a = lane[k], b = lane[k + half];                                                      \
                    lane[k] = JOIN;                                                                                    \
                }                                                                                                      \
            const double a = acc[i], b = lane[0];                                                                      \
            acc[i] = JOIN;                                                                                             \
        }                                                                                                              \
    }                                                                                                                  \
    static WG_CLONES void name##_columns_##suffix(int64_t rows, int64_t stride, int64_t n, const void *from,           \
                                                  double *restrict acc, const double *restrict parameter, double p)    \
    {                                                                                                                  \
        typedef T_ T;                                                                                                  \
        (void)p;                                                                                                       \
        for (int64_t i = 0; i < rows; i++) {                                                                           \
            const T *restrict at = (const T *)from + i * stride;                                                       \
            for (int64_t j = 0; j < n; j++) {                                                                          \
                const double a = acc[j], m = parameter[j];                                                             \
                const T x = at[j];                                                                                     \
                (void)m;                                                                                               \
                acc[j] = STEP;                                                                                         \
            }                                                                                                          \
        }                                                                                                              \
    }
#define WG_FOLD_JOIN(name, JOIN)                                                                                       \
    static void name##_join(int64_t n, double *acc, const double *more)                                                \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const double a = acc[i], b = more[i];                                                                      \
            acc[i] = JOIN;                                                                                             \
        }                                                                                                              \
    }
#define WG_FOLD_MEMBERS(name, dtype, suffix)                                                                           \
    .rows[dtype] = name##_rows_##suffix, .columns[dtype] = name##_columns_##suffix
/* A fold of float32 and float64. */
#define WG_FOLD(name, LANES, START, STEP, JOIN)                                                                        \
    WG_FOLD_KERNELS(name, f32, float, LANES, START, STEP, JOIN)                                                        \
    WG_FOLD_KERNELS(name, f64, double, LANES, START, STEP, JOIN)                                                       \
    WG_FOLD_JOIN(name, JOIN)                                                                                           \
    static const wg_fold name##_fold = {START, name##_join, .rows = {name##_rows_f32, name##_rows_f64},                \
                                        .columns = {name##_columns_f32, name##_columns_f64}};

#endif
