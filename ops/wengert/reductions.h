/* Wengert: reductions and scans.
 *
 * Reductions shrink the axes they are given, or all of them; scans run along one axis and keep it. Sums of many
 * numbers are as accurate as if they were added pairwise, or better, and the same bits with any number of threads. */
#ifndef WENGERT_REDUCTIONS_H
#define WENGERT_REDUCTIONS_H

#include "wengert/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Sums, means, products ---------------------------------------------------------------------------------------
 * `axis` names the axes that go, all where it is not given; `keepdims` leaves them with size 1, so that the result
 * still broadcasts against x: wg_sum(x, .axis = 1), wg_sum(x, .axis = WG_AXES(0, -1), .keepdims = true). */
typedef struct {
    wg_axes axis;
    bool keepdims;
} wg_sum_options, wg_mean_options, wg_prod_options, wg_nansum_options, wg_nanmean_options, wg_any_options,
    wg_all_options, wg_count_nonzero_options, wg_max_options, wg_min_options, wg_amax_options, wg_amin_options,
    wg_logsumexp_options;
#define wg_sum_defaults .axis = WG_NO_AXES, .keepdims = false
#define wg_mean_defaults .axis = WG_NO_AXES, .keepdims = false
#define wg_prod_defaults .axis = WG_NO_AXES, .keepdims = false
#define wg_nansum_defaults .axis = WG_NO_AXES, .keepdims = false
#define wg_nanmean_defaults .axis = WG_NO_AXES, .keepdims = false
WG_API wg_tensor wg_sum(wg_tensor x, wg_sum_options options);         /* of nothing: 0 */
WG_API wg_tensor wg_mean(wg_tensor x, wg_mean_options options);       /* of nothing: NaN */
WG_API wg_tensor wg_prod(wg_tensor x, wg_prod_options options);       /* of nothing: 1; gradient right with zeros */
WG_API wg_tensor wg_nansum(wg_tensor x, wg_nansum_options options);   /* NaNs left out, as in the next */
WG_API wg_tensor wg_nanmean(wg_tensor x, wg_nanmean_options options); /* of NaNs alone: NaN */

/* ---- Counts and questions: without gradient ---------------------------------------------------------------------- */
#define wg_any_defaults .axis = WG_NO_AXES, .keepdims = false
#define wg_all_defaults .axis = WG_NO_AXES, .keepdims = false
#define wg_count_nonzero_defaults .axis = WG_NO_AXES, .keepdims = false
WG_API wg_tensor wg_any(wg_tensor x, wg_any_options options); /* of a boolean x; of nothing: false */
WG_API wg_tensor wg_all(wg_tensor x, wg_all_options options); /* of a boolean x; of nothing: true */
/* How many are not 0, as int64, of any x; a NaN is not 0. */
WG_API wg_tensor wg_count_nonzero(wg_tensor x, wg_count_nonzero_options options);

/* ---- Extrema -----------------------------------------------------------------------------------------------------
 * A NaN wins. Equal ones share the gradient evenly. Of nothing there is none: an error. */
#define wg_max_defaults .axis = WG_NO_AXES, .keepdims = false
#define wg_min_defaults .axis = WG_NO_AXES, .keepdims = false
#define wg_amax_defaults .axis = WG_NO_AXES, .keepdims = false
#define wg_amin_defaults .axis = WG_NO_AXES, .keepdims = false
WG_API wg_tensor wg_max(wg_tensor x, wg_max_options options);
WG_API wg_tensor wg_min(wg_tensor x, wg_min_options options);
WG_API wg_tensor wg_amax(wg_tensor x, wg_amax_options options); /* max by another name */
WG_API wg_tensor wg_amin(wg_tensor x, wg_amin_options options); /* min by another name */
/* Where the extremum is along `axis`, or in the flattened x, as int64: the first of equal ones, or the first NaN. Of
 * any dtype. */
typedef struct {
    int axis;
    bool keepdims;
} wg_argmax_options, wg_argmin_options;
#define wg_argmax_defaults .axis = WG_NO_AXIS, .keepdims = false
#define wg_argmin_defaults .axis = WG_NO_AXIS, .keepdims = false
WG_API wg_tensor wg_argmax(wg_tensor x, wg_argmax_options options);
WG_API wg_tensor wg_argmin(wg_tensor x, wg_argmin_options options);

/* ---- Moments, norms ---------------------------------------------------------------------------------------------- */
/* The mean squared distance from the mean, with n - correction, which may be a fraction, in the place of n; with 0
 * where that is negative. Of nothing: NaN. */
typedef struct {
    wg_axes axis;
    double correction;
    bool keepdims;
} wg_var_options, wg_std_options;
#define wg_var_defaults .axis = WG_NO_AXES, .correction = 0
#define wg_std_defaults .axis = WG_NO_AXES, .correction = 0
WG_API wg_tensor wg_var(wg_tensor x, wg_var_options options);
WG_API wg_tensor wg_std(wg_tensor x, wg_std_options options); /* its square root; gradient 0 where it is 0 */
/* log(sum(exp(x))) without overflow; of nothing, or of -inf alone, -inf with gradient 0. */
#define wg_logsumexp_defaults .axis = WG_NO_AXES, .keepdims = false
WG_API wg_tensor wg_logsumexp(wg_tensor x, wg_logsumexp_options options);
/* sum(|x|^p)^(1/p) without overflow or underflow, p >= 1; max(|x|) for p = INFINITY. Of nothing: 0; gradient 0 at 0. */
typedef struct {
    double p;
    wg_axes axis;
    bool keepdims;
} wg_norm_options;
#define wg_norm_defaults .p = 2, .axis = WG_NO_AXES
WG_API wg_tensor wg_norm(wg_tensor x, wg_norm_options options);

/* ---- Scans -------------------------------------------------------------------------------------------------------
 * Entry i of the result is made of entries 0 to i of x along `axis`. */
WG_API wg_tensor wg_cumulative_sum(wg_tensor x, int axis);
WG_API wg_tensor wg_cumulative_prod(wg_tensor x, int axis); /* its gradient is right with zeros too */
WG_API wg_tensor wg_logcumsumexp(wg_tensor x, int axis);
WG_API wg_tensor wg_cummax(wg_tensor x, int axis); /* all of the gradient to the first of equal ones; a NaN stays */
WG_API wg_tensor wg_cummin(wg_tensor x, int axis);
/* Differences of neighbours, n times over: n entries fewer along `axis`. */
typedef struct {
    int axis;
    int64_t n;
} wg_diff_options;
#define wg_diff_defaults .axis = -1, .n = 1
WG_API wg_tensor wg_diff(wg_tensor x, wg_diff_options options);
/* The integral over `axis` by trapezia between points that are dx apart; of fewer than two: 0. */
typedef struct {
    int axis;
    double dx;
} wg_trapezoid_options;
#define wg_trapezoid_defaults .axis = -1, .dx = 1
WG_API wg_tensor wg_trapezoid(wg_tensor x, wg_trapezoid_options options);

/* ---- Order -------------------------------------------------------------------------------------------------------
 * NaN counts as the largest. Equal ones stay in the order in which they were. The gradient goes where the value came
 * from. */
typedef struct {
    int axis;
    bool descending, stable;
} wg_sort_options, wg_argsort_options;
#define wg_sort_defaults .axis = -1, .descending = false, .stable = true
#define wg_argsort_defaults .axis = -1, .descending = false, .stable = true
WG_API wg_tensor wg_sort(wg_tensor x, wg_sort_options options);
WG_API wg_tensor wg_argsort(wg_tensor x, wg_argsort_options options); /* where they were: int64; of any dtype */
/* The k largest, or smallest, along `axis`, in that order, and where they were: int64. */
typedef struct {
    int64_t k;
    int axis;
    bool largest;
} wg_topk_options;
#define wg_topk_defaults .k = WG_NO_INTEGER, .axis = -1, .largest = true
typedef struct {
    wg_tensor values, indices;
} wg_topk_result;
WG_API wg_topk_result wg_topk(wg_tensor x, wg_topk_options options); /* wg_topk(x, .k = 5) */
/* The middle one, of two the lower; NaN where there is one. Of nothing: an error. */
typedef struct {
    wg_axes axis;
    bool keepdims;
} wg_median_options;
#define wg_median_defaults .axis = WG_NO_AXES, .keepdims = false
WG_API wg_tensor wg_median(wg_tensor x, wg_median_options options);
/* The value a part q of the way, 0 <= q <= 1, from the smallest to the largest, on a straight line between
 * neighbours. */
typedef struct {
    double q;
    wg_axes axis;
    bool keepdims;
} wg_quantile_options;
#define wg_quantile_defaults .q = WG_NO_REAL, .axis = WG_NO_AXES
WG_API wg_tensor wg_quantile(wg_tensor x, wg_quantile_options options);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_sum(...) WG_AT(WG_OPTIONS1(wg_sum, __VA_ARGS__, ))
#define wg_mean(...) WG_AT(WG_OPTIONS1(wg_mean, __VA_ARGS__, ))
#define wg_prod(...) WG_AT(WG_OPTIONS1(wg_prod, __VA_ARGS__, ))
#define wg_nansum(...) WG_AT(WG_OPTIONS1(wg_nansum, __VA_ARGS__, ))
#define wg_nanmean(...) WG_AT(WG_OPTIONS1(wg_nanmean, __VA_ARGS__, ))
#define wg_any(...) WG_AT(WG_OPTIONS1(wg_any, __VA_ARGS__, ))
#define wg_all(...) WG_AT(WG_OPTIONS1(wg_all, __VA_ARGS__, ))
#define wg_count_nonzero(...) WG_AT(WG_OPTIONS1(wg_count_nonzero, __VA_ARGS__, ))
#define wg_max(...) WG_AT(WG_OPTIONS1(wg_max, __VA_ARGS__, ))
#define wg_min(...) WG_AT(WG_OPTIONS1(wg_min, __VA_ARGS__, ))
#define wg_amax(...) WG_AT(WG_OPTIONS1(wg_amax, __VA_ARGS__, ))
#define wg_amin(...) WG_AT(WG_OPTIONS1(wg_amin, __VA_ARGS__, ))
#define wg_argmax(...) WG_AT(WG_OPTIONS1(wg_argmax, __VA_ARGS__, ))
#define wg_argmin(...) WG_AT(WG_OPTIONS1(wg_argmin, __VA_ARGS__, ))
#define wg_var(...) WG_AT(WG_OPTIONS1(wg_var, __VA_ARGS__, ))
#define wg_std(...) WG_AT(WG_OPTIONS1(wg_std, __VA_ARGS__, ))
#define wg_logsumexp(...) WG_AT(WG_OPTIONS1(wg_logsumexp, __VA_ARGS__, ))
#define wg_norm(...) WG_AT(WG_OPTIONS1(wg_norm, __VA_ARGS__, ))
#define wg_cumulative_sum(x, axis) WG_AT((wg_cumulative_sum)(x, axis))
#define wg_cumulative_prod(x, axis) WG_AT((wg_cumulative_prod)(x, axis))
#define wg_logcumsumexp(x, axis) WG_AT((wg_logcumsumexp)(x, axis))
#define wg_cummax(x, axis) WG_AT((wg_cummax)(x, axis))
#define wg_cummin(x, axis) WG_AT((wg_cummin)(x, axis))
#define wg_diff(...) WG_AT(WG_OPTIONS1(wg_diff, __VA_ARGS__, ))
#define wg_trapezoid(...) WG_AT(WG_OPTIONS1(wg_trapezoid, __VA_ARGS__, ))
#define wg_sort(...) WG_AT(WG_OPTIONS1(wg_sort, __VA_ARGS__, ))
#define wg_argsort(...) WG_AT(WG_OPTIONS1(wg_argsort, __VA_ARGS__, ))
#define wg_topk(...) WG_OPTIONS_TOPK(__VA_ARGS__, )
#define WG_OPTIONS_TOPK(x, ...) (wg_topk)(WG_HERE_AT(x), (wg_topk_options){wg_topk_defaults, __VA_ARGS__})
#define wg_median(...) WG_AT(WG_OPTIONS1(wg_median, __VA_ARGS__, ))
#define wg_quantile(...) WG_AT(WG_OPTIONS1(wg_quantile, __VA_ARGS__, ))
#endif

#endif
