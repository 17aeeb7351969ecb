/* Kernels of normalisation, by dtype: of rows that are runs, and of rows side by side. Private to ops/. */
#ifndef OPS_NORM_KERNELS_H
#define OPS_NORM_KERNELS_H

#include "wengert/operation.h"

#define WG_TILE 64 /* rows side by side that are worked at together */
#define WG_DEPTH 8 /* rows that `weigh` takes at a time */

typedef struct {
    double mean, scale; /* scale = 1 / sqrt(var + eps) */
    double h, hn;       /* pull: the means of h and h n */
} wg_row_numbers;

/* m rows of n elements `stride` apart. A weight is one a row, or one an element. */
typedef struct {
    int64_t n, m, stride;
    bool centered;
    double eps;
    const void *row_weight, *row_bias, *weight, *bias; /* NULL: none */
} wg_columns;

typedef struct {
    double mean[WG_TILE], var[WG_TILE], scale[WG_TILE];
} wg_column_numbers;

/* Of one run of n elements: x, its cotangent g, weights and biases with their steps (0: one for all of the run), and
 * the result. dots adds the sums of h = g w and of h n(x). weigh takes m <= WG_DEPTH runs that lie one behind the other
 * and adds their g n(x) to `to`, their g to `sum` unless that is NULL, one number an element. Of rows side by side the
 * same; columns_weigh adds sums of g n(x), one a row or one an element. */
typedef struct {
    double (*sum)(int64_t n, const void *x);
    double (*squares)(int64_t n, const void *x, const wg_row_numbers *r);
    void (*apply)(int64_t n, const void *x, const void *w, int64_t ws, const void *b, int64_t bs,
                  const wg_row_numbers *r, void *y);
    void (*dots)(int64_t n, const void *g, const void *x, const void *w, int64_t ws, const wg_row_numbers *r,
                 double to[2]);
    void (*pull)(int64_t n, const void *g, const void *x, const void *w, int64_t ws, const wg_row_numbers *r, void *y);
    void (*weigh)(int64_t n, int64_t m, const void *g, const void *x, const wg_row_numbers *r, double *to, double *sum);
    void (*columns_statistics)(const wg_columns *s, const void *x, wg_column_numbers *r);
    void (*columns_apply)(const wg_columns *s, const void *x, const wg_column_numbers *r, void *y);
    void (*columns_pull)(const wg_columns *s, const void *g, const void *x, const wg_column_numbers *r, void *y);
    void (*columns_weigh)(const wg_columns *s, bool by_row, const void *g, const void *x, const wg_column_numbers *r,
                          double *to);
} wg_norm_kernel_table;

extern const wg_norm_kernel_table wg_norm_kernels[2]; /* float32, float64 */

#endif
