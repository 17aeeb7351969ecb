/* What normalisations share: rows of a tensor brought to mean 0 and variance 1. Private to ops/. */
#ifndef OPS_NORMALIZE_H
#define OPS_NORMALIZE_H

#include "ops/code.h"
#include "wengert/operation.h"

/* Which elements make a row. */
typedef struct {
    wg_axes axis;   /* groups = 0: the trailing axes or a single one; weights are one an index of those */
    int64_t groups; /* > 0: each sample's channels in so many groups; -1: each channel over all samples. x is then
                       [n, C, ...] and weights are one a channel */
    bool centered;  /* the mean is taken away */
    double eps;
} wg_normalized_options;
#define wg_normalized_defaults .axis = {{-1}, 1}, .groups = 0, .centered = true, .eps = 1e-5

/* Is x fit for the options, and are weight and bias, operands `weight` to `last`, for x? */
wg_status wg_normalized_fits(const wg_call *c, const wg_normalized_options *o, int weight, int last);
/* Operand 0 normalised, times weight plus bias, operands 1 and 2, into c->to[0]. mean and var, where given, get one a
 * row. */
wg_status wg_normalized_run(const wg_call *c, const wg_normalized_options *o, double *mean, double *var);
int64_t wg_normalized_rows(const wg_type *x, const wg_normalized_options *o);
int64_t wg_normalized_count(const wg_type *x, const wg_normalized_options *o); /* elements of a row */

/* ---- Graph code of the rules -------------------------------------------------------------------------------------
 * With n(x) = (x - mean) / sqrt(var + eps) and P its Jacobian, which is symmetric. */
wg_tensor wg_normalized(wg_tensor x, const wg_normalized_options *o);
/* P (g weight); weight may be WG_NONE. */
wg_tensor wg_norm_pull(wg_tensor g, wg_tensor x, wg_tensor weight, const wg_normalized_options *o);
/* The sum of g n(x) over everything that has one weight, of the weight's shape; and that of any tensor of x's shape. */
wg_tensor wg_norm_weight_pull(wg_tensor g, wg_tensor x, const wg_normalized_options *o);
wg_tensor wg_sum_to_weight(wg_tensor t, const wg_normalized_options *o);
/* All three cotangents of n(x) weight + bias at once, {P (g weight), the sum of g n(x), the sum of g}, not to be
 * differentiated again; nothing where a row does not lie together or weights do not differ along it. */
void wg_norm_pulls(wg_tensor g, wg_tensor x, wg_tensor weight, const wg_normalized_options *o, wg_tensor to[3]);
/* A weight as it broadcasts against x. */
wg_tensor wg_weight_along(wg_tensor weight, const wg_type *x, const wg_normalized_options *o);

/* Names the sizes of a layout for texts that go over the rows of x, with these: an element, the weight of one, and, in
 * between, mean and scale, the statistics of a row. Words: x, and what the text says. */
void wg_rows_c(wg_code *w, const wg_type *x, const wg_normalized_options *o);
#define ROW_AT i / near * far_stride + i % near + k * run_stride + j * stride
#define ROW_WEIGHT i % cycle * row_step + k * run_step + j * step
#define EACH_OF_ROW for (int k = 0; k < runs; k++) for (int j = 0; j < n; j++)
#define WG_ROWS_BEGIN                                                                                                  \
    for (int i = 0; i < rows; i++) {                                                                                   \
        double mean = 0; double var = 0;                                                                               \
        EACH_OF_ROW mean += (double)x[ROW_AT];                                                                         \
        mean = centered ? mean / (double)(runs * n) : 0;                                                               \
        EACH_OF_ROW var += ((double)x[ROW_AT] - mean) * ((double)x[ROW_AT] - mean);                                    \
        var /= (double)(runs * n);                                                                                     \
        const double scale = 1 / sqrt_double(var + eps);
#define WG_ROWS_END }

#endif
