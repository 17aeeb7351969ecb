/* Sums, means, products, counts. What each folds is one line; where its gradient goes is a broadcast of the
 * cotangent. */
#include "ops/chain.h"
#include "ops/code.h"
#include "ops/fold.h"
#include "wengert/elementwise.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

#define SUMS(OP) OP(sum) OP(mean) OP(prod) OP(nansum) OP(nanmean) OP(any) OP(all) OP(count_nonzero)
WG_CONTENTS(SUMS)

/* ---- What the family shares -------------------------------------------------------------------------------------- */
static wg_status reduced_type(wg_call *c)
{
    const wg_sum_options *o = c->options;
    return wg_reduced_type(c, &o->axis, o->keepdims, c->x[0].dtype);
}

static wg_status reduced_with(const wg_call *c, const wg_fold *fold)
{
    const wg_sum_options *o = c->options;
    return wg_reduce(c, &(wg_reduction){.fold = fold, .axes = &o->axis, .dtype = c->y[0].dtype, .to = c->to[0]});
}

static void divided(const wg_reduction *r, int64_t n, double *acc, const double *m)
{
    (void)m;
    for (int64_t i = 0; i < n; i++)
        acc[i] /= r->p;
}

static wg_tensor spread(const wg_call *c, wg_tensor y)
{
    const wg_sum_options *o = c->options;
    return wg_spread(y, &o->axis, o->keepdims);
}

static wg_tensor spread_over(const wg_call *c, wg_tensor y)
{
    const wg_sum_options *o = c->options;
    return wg_spread_over(c, y, &o->axis, o->keepdims);
}

static wg_tensor summed(const wg_call *c, wg_tensor t)
{
    const wg_sum_options *o = c->options;
    return wg_sum(t, .axis = o->axis, .keepdims = o->keepdims);
}

static double element_flops(const wg_call *c) { return (double)wg_type_count(&c->x[0]); }

static wg_status reduced_c(const wg_call *c, wg_code *w, const char *text)
{
    const wg_sum_options *o = c->options;
    return wg_code_over(c, w, &o->axis, "y", "", text);
}

#define REDUCTION_SCHEMA(name) WG_SCHEMA(wg_##name, WG_ATTR(wg_##name, axis), WG_ATTR(wg_##name, keepdims))
#define REDUCTION_SAMPLES                                                                                              \
    {"[2,3,4]", "[2,3,4] axis=[0,-1]", "[2,3,4] axis=1 keepdims=true", "[3,40] axis=1", "[40,3] axis=0", "[]",         \
     "[0,3] axis=0", "[2,0,3] axis=0"}

/* ---- sum --------------------------------------------------------------------------------------------------------- */
WG_FOLD(sum, WG_LANES, 0, a + (double)x, a + b)
static wg_status sum_run(const wg_call *c) { return reduced_with(c, &sum_fold); }

static wg_status sum_c(const wg_call *c, wg_code *w)
{
    return reduced_c(c, w, WG_C(double sum = 0; EACH sum += (double)x; y = (T)sum;));
}

/* Every summed element moved y by as much as it moved itself. */
static wg_tensor sum_dx(const wg_call *c, wg_tensor g) { return spread_over(c, g); }

WG_OP(sum) = {
    .name = "sum",
    .doc = "y = the sum of x over `axis`; of nothing: 0",
    .in = {{"x", 0}},
    .options = REDUCTION_SCHEMA(sum),
    .type = reduced_type,
    .run = sum_run,
    .c = sum_c,
    .vjp = {sum_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .lanes = WG_LANES_SHIFTED,
    .samples = REDUCTION_SAMPLES,
    .flops = element_flops,
};
wg_tensor (wg_sum)(wg_tensor x, wg_sum_options options) { return WG_RECORD(sum, &options, x); }

/* ---- mean -------------------------------------------------------------------------------------------------------- */
static double count_of(const wg_call *c)
{
    const wg_mean_options *o = c->options;
    return (double)wg_reduced_count(&c->x[0], &o->axis);
}

static wg_status mean_run(const wg_call *c)
{
    const wg_mean_options *o = c->options;
    return wg_reduce(c, &(wg_reduction){.fold = &sum_fold, .axes = &o->axis, .finish = divided, .p = count_of(c),
                                        .dtype = c->y[0].dtype, .to = c->to[0]});
}

static wg_status mean_c(const wg_call *c, wg_code *w)
{
    return reduced_c(c, w, WG_C(double sum = 0; EACH sum += (double)x; y = (T)(sum / (double)N);));
}

static wg_tensor mean_dx(const wg_call *c, wg_tensor g) { return spread_over(c, wg_divide(g, count_of(c))); }

WG_OP(mean) = {
    .name = "mean",
    .doc = "y = the sum of x over `axis`, divided by how many there are; of nothing: NaN",
    .in = {{"x", 0}},
    .options = REDUCTION_SCHEMA(mean),
    .type = reduced_type,
    .run = mean_run,
    .c = mean_c,
    .vjp = {mean_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .lanes = WG_LANES_SHIFTED,
    .samples = {"[2,3,4]", "[2,3,4] axis=[0,-1]", "[2,3,4] axis=1 keepdims=true", "[]", "[2,0,3] axis=0"},
    .flops = element_flops,
};
wg_tensor (wg_mean)(wg_tensor x, wg_mean_options options) { return WG_RECORD(mean, &options, x); }

/* ---- prod -------------------------------------------------------------------------------------------------------- */
WG_FOLD(prod, 1, 1, a * (double)x, a * b)
static wg_status prod_run(const wg_call *c) { return reduced_with(c, &prod_fold); }

/* Along the last axis, the product of what stands before each entry. */
static wg_tensor before(wg_tensor rows)
{
    if (!wg_is_tensor(rows)) /* it failed */
        return rows;
    wg_type type = wg_type_of(rows);
    wg_shape one = wg_type_shape(&type);
    one.dim[one.rank - 1] = 1;
    wg_tensor shifted = wg_narrow(rows, -1, 0, type.dim[type.rank - 1] - 1);
    wg_tensor first = wg_full(rows.tape, type.dtype, one, 1);
    return wg_cumulative_prod(wg_concat(WG_TENSORS(first, shifted), .axis = -1), -1);
}

/* The product of all the others, which y / x is only where x is not 0: of those before and of those behind. */
static wg_tensor others(const wg_call *c)
{
    const wg_prod_options *o = c->options;
    wg_tensor rows = wg_last_of(c->in[0], &o->axis);
    int last = wg_type_of(rows).rank - 1;
    wg_tensor behind = wg_flip(before(wg_flip(rows, .axis = WG_AXES(last))), .axis = WG_AXES(last));
    return wg_last_back(wg_multiply(before(rows), behind), &c->x[0], &o->axis);
}

static wg_tensor prod_dx(const wg_call *c, wg_tensor g)
{
    return wg_type_count(&c->x[0]) ? wg_strong_multiply(spread(c, g), others(c)) : WG_NONE;
}

static wg_tensor prod_jvp(const wg_call *c)
{
    return wg_type_count(&c->x[0]) ? summed(c, wg_strong_multiply(c->t[0], others(c))) : WG_NONE;
}

static void prod_formula(const wg_call *c, wg_tensor *out)
{
    const wg_prod_options *o = c->options;
    wg_tensor rows = wg_last_of(c->in[0], &o->axis), y = wg_select(rows, -1, 0);
    for (int64_t i = 1, n = wg_reduced_count(&c->x[0], &o->axis); i < n; i++)
        y = wg_multiply(y, wg_select(rows, -1, i));
    out[0] = wg_reshape(y, wg_type_shape(&c->y[0]));
}
static wg_status prod_c(const wg_call *c, wg_code *w)
{
    return reduced_c(c, w, WG_C(double a = 1; EACH a *= (double)x; y = (T)a;));
}

WG_OP(prod) = {
    .name = "prod",
    .doc = "y = the product of x over `axis`; of nothing: 1. dy/dx is the product of the others, zeros or not",
    .in = {{"x", 0}},
    .options = REDUCTION_SCHEMA(prod),
    .type = reduced_type,
    .run = prod_run,
    .c = prod_c,
    .vjp = {prod_dx},
    .jvp = prod_jvp,
    .saves = "x",
    .formula = prod_formula,
    .samples = {"[2,3,4]:0.5..1.5", "[2,3,4] axis=[0,-1]", "[2,3] axis=1 keepdims=true", "[3,2]:0 axis=0", "[]",
                "[0,3]", "[2,0,3] axis=0"},
    .flops = element_flops,
};
wg_tensor (wg_prod)(wg_tensor x, wg_prod_options options) { return WG_RECORD(prod, &options, x); }

/* ---- nansum ------------------------------------------------------------------------------------------------------ */
WG_FOLD(nansum, WG_LANES, 0, x != x ? a : a + (double)x, a + b)
static wg_status nansum_run(const wg_call *c) { return reduced_with(c, &nansum_fold); }

static wg_tensor numbers_of(const wg_call *c, wg_tensor t) { return wg_where(wg_isnan(c->in[0]), 0, t); }

static wg_tensor nansum_dx(const wg_call *c, wg_tensor g) { return numbers_of(c, spread(c, g)); }
static wg_tensor nansum_jvp(const wg_call *c) { return summed(c, numbers_of(c, c->t[0])); }

static void nansum_formula(const wg_call *c, wg_tensor *out) { out[0] = summed(c, numbers_of(c, c->in[0])); }
static wg_status nansum_c(const wg_call *c, wg_code *w)
{
    return reduced_c(c, w, WG_C(double sum = 0; EACH sum += x == x ? (double)x : 0; y = (T)sum;));
}

WG_OP(nansum) = {
    .name = "nansum",
    .doc = "y = the sum over `axis` of what is not NaN in x",
    .in = {{"x", 0}},
    .options = REDUCTION_SCHEMA(nansum),
    .type = reduced_type,
    .run = nansum_run,
    .c = nansum_c,
    .vjp = {nansum_dx},
    .jvp = nansum_jvp,
    .saves = "x",
    .formula = nansum_formula,
    .samples = {"[2,3,4]", "[2,3,4] axis=[0,-1]", "[2,3] axis=1 keepdims=true", "[]", "[0,3] axis=0"},
};
wg_tensor (wg_nansum)(wg_tensor x, wg_nansum_options options) { return WG_RECORD(nansum, &options, x); }

/* ---- nanmean ----------------------------------------------------------------------------------------------------- */
WG_FOLD(numbers, WG_LANES, 0, x != x ? a : a + 1, a + b)

static void divided_each(const wg_reduction *r, int64_t n, double *acc, const double *m)
{
    (void)r;
    for (int64_t i = 0; i < n; i++)
        acc[i] /= m[i];
}

static wg_status nanmean_run(const wg_call *c)
{
    const wg_nanmean_options *o = c->options;
    double *count = wg_scratch(c, (size_t)wg_type_count(&c->y[0]) * sizeof(double));
    if (!count)
        return WG_ERROR_MEMORY;
    wg_reduction r = {.fold = &numbers_fold, .axes = &o->axis, .dtype = WG_FLOAT64, .to = count};
    wg_status status = wg_reduce(c, &r);
    if (status)
        return status;
    return wg_reduce(c, &(wg_reduction){.fold = &nansum_fold, .axes = &o->axis, .parameter = count,
                                        .finish = divided_each, .dtype = c->y[0].dtype, .to = c->to[0]});
}

/* How many are not NaN, with the axes kept. */
static wg_tensor numbers_count(const wg_call *c)
{
    const wg_nanmean_options *o = c->options;
    wg_tensor is_number = wg_logical_not(wg_isnan(c->in[0]));
    return wg_cast(wg_count_nonzero(is_number, .axis = o->axis, .keepdims = true), .dtype = c->dtype);
}

static wg_tensor nanmean_dx(const wg_call *c, wg_tensor g)
{
    return numbers_of(c, wg_divide(spread(c, g), numbers_count(c)));
}
static wg_tensor nanmean_jvp(const wg_call *c)
{
    return summed(c, wg_divide(numbers_of(c, c->t[0]), numbers_count(c)));
}

static void nanmean_formula(const wg_call *c, wg_tensor *out)
{
    const wg_nanmean_options *o = c->options;
    wg_tensor sum = wg_sum(numbers_of(c, c->in[0]), .axis = o->axis, .keepdims = true);
    out[0] = wg_reshape(wg_divide(sum, wg_stop_gradient(numbers_count(c))), wg_type_shape(&c->y[0]));
}
static wg_status nanmean_c(const wg_call *c, wg_code *w)
{
    return reduced_c(c, w, WG_C(double sum = 0; double n = 0; EACH if (x == x) {
                         sum += (double)x;
                         n++;
                     } y = (T)(sum / n);));
}

WG_OP(nanmean) = {
    .name = "nanmean",
    .doc = "y = the mean over `axis` of what is not NaN in x; of NaNs alone, or nothing: NaN",
    .in = {{"x", 0}},
    .options = REDUCTION_SCHEMA(nanmean),
    .type = reduced_type,
    .run = nanmean_run,
    .c = nanmean_c,
    .vjp = {nanmean_dx},
    .jvp = nanmean_jvp,
    .saves = "x",
    .formula = nanmean_formula,
    .samples = {"[2,3,4]", "[2,3,4] axis=[0,-1]", "[2,3] axis=1 keepdims=true", "[]", "[2,0,3] axis=0"},
};
wg_tensor (wg_nanmean)(wg_tensor x, wg_nanmean_options options) { return WG_RECORD(nanmean, &options, x); }

/* ---- any, all, count_nonzero ------------------------------------------------------------------------------------- */
WG_FOLD_KERNELS(any, bool, bool, WG_LANES, 0, a + x, a + b)
WG_FOLD_JOIN(any, a + b)
static const wg_fold any_fold = {0, any_join, WG_FOLD_MEMBERS(any, WG_BOOL, bool)};
static wg_status any_run(const wg_call *c) { return reduced_with(c, &any_fold); }

static wg_status any_c(const wg_call *c, wg_code *w)
{
    return reduced_c(c, w, WG_C(bool any = false; EACH any = any || x; y = any;));
}

WG_OP(any) = {
    .name = "any",
    .doc = "y = is one of x true over `axis`? Of nothing: false",
    .in = {{"x", WG_BOOLEAN}},
    .options = REDUCTION_SCHEMA(any),
    .type = reduced_type,
    .run = any_run,
    .c = any_c,
    .saves = "",
    .samples = {"[2,3,4]:bool", "[2,3,4]:bool axis=[0,-1]", "[2,3]:bool axis=1 keepdims=true", "[]:bool", "[0,3]:bool"},
    .output_gradient_free = true,
};
wg_tensor (wg_any)(wg_tensor x, wg_any_options options) { return WG_RECORD(any, &options, x); }

WG_FOLD_KERNELS(all, bool, bool, WG_LANES, 1, a * x, a * b)
WG_FOLD_JOIN(all, a * b)
static const wg_fold all_fold = {1, all_join, WG_FOLD_MEMBERS(all, WG_BOOL, bool)};
static wg_status all_run(const wg_call *c) { return reduced_with(c, &all_fold); }

static wg_status all_c(const wg_call *c, wg_code *w)
{
    return reduced_c(c, w, WG_C(bool all = true; EACH all = all && x; y = all;));
}

WG_OP(all) = {
    .name = "all",
    .doc = "y = are all of x true over `axis`? Of nothing: true",
    .in = {{"x", WG_BOOLEAN}},
    .options = REDUCTION_SCHEMA(all),
    .type = reduced_type,
    .run = all_run,
    .c = all_c,
    .saves = "",
    .samples = {"[2,3,4]:bool", "[2,3,4]:bool axis=[0,-1]", "[2,3]:bool axis=1 keepdims=true", "[]:bool", "[0,3]:bool"},
    .output_gradient_free = true,
};
wg_tensor (wg_all)(wg_tensor x, wg_all_options options) { return WG_RECORD(all, &options, x); }

static wg_status count_type(wg_call *c)
{
    const wg_count_nonzero_options *o = c->options;
    return wg_reduced_type(c, &o->axis, o->keepdims, WG_INT64);
}

WG_FOLD_KERNELS(count, f32, float, WG_LANES, 0, a + (x != 0), a + b)
WG_FOLD_KERNELS(count, f64, double, WG_LANES, 0, a + (x != 0), a + b)
WG_FOLD_KERNELS(count, i32, int32_t, WG_LANES, 0, a + (x != 0), a + b)
WG_FOLD_KERNELS(count, i64, int64_t, WG_LANES, 0, a + (x != 0), a + b)
WG_FOLD_JOIN(count, a + b)
static const wg_fold count_fold = {0, count_join, WG_FOLD_MEMBERS(count, WG_FLOAT32, f32),
                                   WG_FOLD_MEMBERS(count, WG_FLOAT64, f64), WG_FOLD_MEMBERS(count, WG_INT32, i32),
                                   WG_FOLD_MEMBERS(count, WG_INT64, i64), WG_FOLD_MEMBERS(any, WG_BOOL, bool)};
static wg_status count_nonzero_run(const wg_call *c) { return reduced_with(c, &count_fold); }

static wg_status count_nonzero_c(const wg_call *c, wg_code *w)
{
    return reduced_c(c, w, WG_C(int64_t n = 0; EACH n += x != 0; y = n;));
}

WG_OP(count_nonzero) = {
    .name = "count_nonzero",
    .doc = "y = how many of x over `axis` are not 0, as int64",
    .in = {{"x", WG_ANY}},
    .options = REDUCTION_SCHEMA(count_nonzero),
    .type = count_type,
    .run = count_nonzero_run,
    .c = count_nonzero_c,
    .saves = "",
    .samples = {"[2,3,4]", "[2,3,4]:bool axis=[0,-1]", "[2,3]:int64:0..2 axis=1 keepdims=true", "[]", "[0,3]"},
    .output_gradient_free = true,
};
wg_tensor (wg_count_nonzero)(wg_tensor x, wg_count_nonzero_options options)
{
    return WG_RECORD(count_nonzero, &options, x);
}

WG_FAMILY_OF(sums, "reductions", SUMS)
