/* Variances, norms and logsumexp: folds around a centre or over a scale that a first fold has found, so that nothing
 * cancels, overflows or underflows on the way. */
#include "ops/code.h"
#include "ops/chain.h"
#include "ops/distance.h"
#include "ops/fold.h"
#include "wengert/elementwise.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"
#include "wengert/softmax.h"

#define MOMENTS(OP) OP(var) OP(std) OP(logsumexp) OP(norm)
WG_CONTENTS(MOMENTS)

/* ---- What the family shares -------------------------------------------------------------------------------------- */
/* A first fold's results, one an output. */
static double *folded_first(const wg_call *c, wg_reduction r)
{
    r.dtype = WG_FLOAT64;
    r.to = wg_scratch(c, (size_t)wg_type_count(&c->y[0]) * sizeof(double));
    return r.to && !wg_reduce(c, &r) ? r.to : NULL;
}

static wg_status folded(const wg_call *c, wg_reduction r)
{
    r.dtype = c->y[0].dtype;
    r.to = c->to[0];
    return wg_reduce(c, &r);
}

static double element_flops(const wg_call *c) { return 4.0 * (double)wg_type_count(&c->x[0]); }

/* ---- var --------------------------------------------------------------------------------------------------------- */
WG_FOLD(total, WG_LANES, 0, a + (double)x, a + b)
WG_FOLD(square_from, WG_LANES, 0, a + ((double)x - m) * ((double)x - m), a + b)

static wg_status var_type(wg_call *c)
{
    const wg_var_options *o = c->options;
    return wg_reduced_type(c, &o->axis, o->keepdims, c->x[0].dtype);
}

static void divided(const wg_reduction *r, int64_t n, double *acc, const double *m)
{
    (void)m;
    for (int64_t i = 0; i < n; i++)
        acc[i] /= r->p;
}

static void divided_root(const wg_reduction *r, int64_t n, double *acc, const double *m)
{
    (void)m;
    for (int64_t i = 0; i < n; i++)
        acc[i] = sqrt(acc[i] / r->p);
}

/* How many, less the correction. */
static double divisor(const wg_call *c)
{
    const wg_var_options *o = c->options;
    double n = (double)wg_reduced_count(&c->x[0], &o->axis) - o->correction;
    return n > 0 ? n : 0;
}

static wg_status deviation(const wg_call *c, void (*finish)(const wg_reduction *, int64_t, double *, const double *))
{
    const wg_var_options *o = c->options;
    double n = (double)wg_reduced_count(&c->x[0], &o->axis);
    double *mean = folded_first(c, (wg_reduction){.fold = &total_fold, .axes = &o->axis, .finish = divided, .p = n});
    if (!mean)
        return WG_ERROR_MEMORY;
    return folded(c, (wg_reduction){.fold = &square_from_fold, .axes = &o->axis, .parameter = mean, .finish = finish,
                                    .p = divisor(c)});
}

static wg_status var_run(const wg_call *c) { return deviation(c, divided); }
static wg_status std_run(const wg_call *c) { return deviation(c, divided_root); }

static wg_tensor centred(const wg_call *c)
{
    const wg_var_options *o = c->options;
    return wg_subtract(c->in[0], wg_mean(c->in[0], .axis = o->axis, .keepdims = true));
}

/* The mean moves too, but to the first order that changes nothing: distances from it sum to 0. */
static wg_tensor var_slope(const wg_call *c) { return wg_multiply(centred(c), 2 / divisor(c)); }

static wg_tensor var_dx(const wg_call *c, wg_tensor g)
{
    const wg_var_options *o = c->options;
    return wg_multiply(wg_spread(g, &o->axis, o->keepdims), var_slope(c));
}

static wg_tensor var_jvp(const wg_call *c)
{
    const wg_var_options *o = c->options;
    return wg_sum(wg_multiply(c->t[0], var_slope(c)), .axis = o->axis, .keepdims = o->keepdims);
}

static wg_status var_c(const wg_call *c, wg_code *w)
{
    const wg_var_options *o = c->options;
    wg_code_number(w, "divisor", divisor(c));
    return wg_code_over(c, w, &o->axis, "y", "",
                        WG_C(double mean = 0; double sum = 0; EACH mean += (double)x; mean /= (double)N;
                             EACH sum += ((double)x - mean) * ((double)x - mean); y = (T)(sum / divisor);));
}

static wg_status std_c(const wg_call *c, wg_code *w)
{
    const wg_var_options *o = c->options;
    wg_code_number(w, "divisor", divisor(c));
    return wg_code_over(c, w, &o->axis, "y", "",
                        WG_C(double mean = 0; double sum = 0; EACH mean += (double)x; mean /= (double)N;
                             EACH sum += ((double)x - mean) * ((double)x - mean);
                             y = (T)sqrt_double(sum / divisor);));
}

#define VAR_SCHEMA(name)                                                                                               \
    WG_SCHEMA(wg_##name, WG_ATTR(wg_##name, axis), WG_ATTR(wg_##name, correction), WG_ATTR(wg_##name, keepdims))
#define VAR_SAMPLES                                                                                                    \
    {"[2,3,4]", "[2,3,4] axis=[0,-1] correction=1", "[2,3] axis=1 keepdims=true", "[3,40] axis=1 correction=0.5",      \
     "[5] correction=1.5", "[3,0] axis=0"}

static void var_formula(const wg_call *c, wg_tensor *out)
{
    const wg_var_options *o = c->options;
    out[0] = wg_divide(wg_sum(wg_square(centred(c)), .axis = o->axis, .keepdims = o->keepdims), divisor(c));
}
WG_OP(var) = {
    .name = "var",
    .doc = "y = sum((x - mean(x))^2) / (n - correction) over `axis`; NaN of nothing",
    .in = {{"x", 0}},
    .options = VAR_SCHEMA(var),
    .type = var_type,
    .run = var_run,
    .c = var_c,
    .vjp = {var_dx},
    .jvp = var_jvp,
    .saves = "x",
    .formula = var_formula,
    .samples = VAR_SAMPLES,
    .flops = element_flops,
};
wg_tensor (wg_var)(wg_tensor x, wg_var_options options) { return WG_RECORD(var, &options, x); }

/* ---- std --------------------------------------------------------------------------------------------------------- */
static wg_tensor std_slope(const wg_call *c)
{
    const wg_std_options *o = c->options;
    wg_tensor y = wg_spread(c->out[0], &o->axis, o->keepdims);
    wg_tensor slope = wg_divide(wg_divide(centred(c), divisor(c)), y);
    return wg_masked_fill(slope, wg_equal(y, 0), .value = 0);
}

static wg_tensor std_dx(const wg_call *c, wg_tensor g)
{
    const wg_std_options *o = c->options;
    return wg_multiply(wg_spread(g, &o->axis, o->keepdims), std_slope(c));
}

static wg_tensor std_jvp(const wg_call *c)
{
    const wg_std_options *o = c->options;
    return wg_sum(wg_multiply(c->t[0], std_slope(c)), .axis = o->axis, .keepdims = o->keepdims);
}

static void std_formula(const wg_call *c, wg_tensor *out)
{
    var_formula(c, out);
    out[0] = wg_sqrt(out[0]);
}
WG_OP(std) = {
    .name = "std",
    .doc = "y = sqrt(var(x)) over `axis`; gradient 0 where it is 0",
    .in = {{"x", 0}},
    .options = VAR_SCHEMA(std),
    .type = var_type,
    .run = std_run,
    .c = std_c,
    .vjp = {std_dx},
    .jvp = std_jvp,
    .saves = "x y",
    .formula = std_formula,
    .samples = VAR_SAMPLES,
    .flops = element_flops,
};
wg_tensor (wg_std)(wg_tensor x, wg_std_options options) { return WG_RECORD(std, &options, x); }

/* ---- logsumexp --------------------------------------------------------------------------------------------------- */
WG_FOLD(largest, WG_LANES, (double)-INFINITY, (double)x > a || x != x ? (double)x : a, b > a || b != b ? b : a)
WG_FOLD(exp_from, WG_LANES, 0, a + (double)exp((T)((double)x - m)), a + b)

static wg_status logsumexp_type(wg_call *c)
{
    const wg_logsumexp_options *o = c->options;
    return wg_reduced_type(c, &o->axis, o->keepdims, c->x[0].dtype);
}

/* From an infinite or NaN centre every distance would be NaN; from 0 the sum is what it should be. */
static void or_zero(const wg_reduction *r, int64_t n, double *acc, const double *m)
{
    (void)r, (void)m;
    for (int64_t i = 0; i < n; i++)
        acc[i] = isfinite(acc[i]) ? acc[i] : 0;
}

static void log_plus(const wg_reduction *r, int64_t n, double *acc, const double *m)
{
    (void)r;
    for (int64_t i = 0; i < n; i++)
        acc[i] = log(acc[i]) + m[i];
}

static wg_status logsumexp_run(const wg_call *c)
{
    const wg_logsumexp_options *o = c->options;
    double *largest = folded_first(c, (wg_reduction){.fold = &largest_fold, .axes = &o->axis, .finish = or_zero});
    if (!largest)
        return WG_ERROR_MEMORY;
    return folded(c, (wg_reduction){.fold = &exp_from_fold, .axes = &o->axis, .parameter = largest,
                                    .finish = log_plus});
}

/* softmax(x), in which the rounding of y does not show as it would in exp(x - y); 0 where all of x is -inf, whose own
 * softmax is NaN and would reach the second derivative. */
static wg_tensor logsumexp_slope(const wg_call *c)
{
    const wg_logsumexp_options *o = c->options;
    wg_tensor nothing = wg_equal(wg_spread(c->out[0], &o->axis, o->keepdims), -(double)INFINITY);
    wg_tensor x = wg_masked_fill(c->in[0], nothing, .value = 0), weights;
    if (o->axis.n == 1)
        weights = wg_softmax(x, .axis = o->axis.at[0]);
    else
        weights = wg_last_back(wg_softmax(wg_last_of(x, &o->axis)), &c->x[0], &o->axis);
    return wg_masked_fill(weights, nothing, .value = 0);
}

static wg_tensor logsumexp_dx(const wg_call *c, wg_tensor g)
{
    const wg_logsumexp_options *o = c->options;
    return wg_strong_multiply(wg_spread(g, &o->axis, o->keepdims), logsumexp_slope(c));
}

static wg_tensor logsumexp_jvp(const wg_call *c)
{
    const wg_logsumexp_options *o = c->options;
    return wg_sum(wg_strong_multiply(c->t[0], logsumexp_slope(c)), .axis = o->axis, .keepdims = o->keepdims);
}

static void logsumexp_formula(const wg_call *c, wg_tensor *out)
{
    const wg_logsumexp_options *o = c->options;
    wg_tensor most = wg_stop_gradient(wg_amax(c->in[0], .axis = o->axis, .keepdims = true));
    wg_tensor sum = wg_sum(wg_exp(wg_subtract(c->in[0], most)), .axis = o->axis, .keepdims = true);
    out[0] = wg_reshape(wg_add(wg_log(sum), most), wg_type_shape(&c->y[0]));
}
static wg_status logsumexp_c(const wg_call *c, wg_code *w)
{
    const wg_logsumexp_options *o = c->options;
    return wg_code_over(c, w, &o->axis, "y", "",
                        WG_C(double most = -INFINITY; double sum = 0;
                             EACH most = (double)x > most || x != x ? (double)x : most;
                             if (!isfinite(most)) most = 0;
                             EACH sum += exp_double((double)x - most);
                             y = (T)(log_double(sum) + most);));
}

WG_OP(logsumexp) = {
    .name = "logsumexp",
    .doc = "y = log(sum(exp(x))) over `axis` without overflow; of nothing, or -inf alone, -inf with gradient 0",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_logsumexp, WG_ATTR(wg_logsumexp, axis), WG_ATTR(wg_logsumexp, keepdims)),
    .type = logsumexp_type,
    .run = logsumexp_run,
    .c = logsumexp_c,
    .vjp = {logsumexp_dx},
    .jvp = logsumexp_jvp,
    .saves = "x y",
    .formula = logsumexp_formula,
    .samples = {"[2,3,4]", "[2,3,4] axis=[0,-1]", "[2,3] axis=1 keepdims=true", "[3,40]:500..900 axis=1", "[]",
                "[0,3] axis=1"},
    .flops = element_flops,
};
wg_tensor (wg_logsumexp)(wg_tensor x, wg_logsumexp_options options) { return WG_RECORD(logsumexp, &options, x); }

/* ---- norm -------------------------------------------------------------------------------------------------------- */
WG_FOLD(magnitude, WG_LANES, 0, (double)fabs(x) > a || x != x ? (double)fabs(x) : a, b > a || b != b ? b : a)
WG_FOLD(magnitudes, WG_LANES, 0, a + (double)fabs(x), a + b)
WG_FOLD(squares, WG_LANES, 0, a + (double)x * (double)x, a + b)
WG_FOLD(squares_over, WG_LANES, 0, a + ((double)x / m) * ((double)x / m), a + b)
WG_FOLD(powers_over, WG_LANES, 0, a + pow(fabs((double)x) / m, p), a + b)

static wg_status norm_type(wg_call *c)
{
    const wg_norm_options *o = c->options;
    if (!(o->p >= 1))
        return wg_fail(c, WG_ERROR_VALUE, "p is %g, not 1 or more", o->p);
    return wg_reduced_type(c, &o->axis, o->keepdims, c->x[0].dtype);
}

static void or_one(const wg_reduction *r, int64_t n, double *acc, const double *m)
{
    (void)r, (void)m;
    for (int64_t i = 0; i < n; i++)
        acc[i] = acc[i] > 0 && isfinite(acc[i]) ? acc[i] : 1;
}

static void root_times(const wg_reduction *r, int64_t n, double *acc, const double *m)
{
    for (int64_t i = 0; i < n; i++)
        acc[i] = m[i] * (r->p == 2 ? sqrt(acc[i]) : pow(acc[i], 1 / r->p));
}

/* Over the largest magnitude no power overflows, and those that underflow do not count. */
static wg_status norm_scaled(const wg_call *c)
{
    const wg_norm_options *o = c->options;
    double *scale = folded_first(c, (wg_reduction){.fold = &magnitude_fold, .axes = &o->axis, .finish = or_one});
    if (!scale)
        return WG_ERROR_MEMORY;
    return folded(c, (wg_reduction){.fold = o->p == 2 ? &squares_over_fold : &powers_over_fold, .axes = &o->axis,
                                    .parameter = scale, .finish = root_times, .p = o->p});
}

static void root(const wg_reduction *r, int64_t n, double *acc, const double *m)
{
    (void)r, (void)m;
    for (int64_t i = 0; i < n; i++)
        acc[i] = sqrt(acc[i]);
}

/* Did squares overflow, or some that count underflow? */
static bool out_of_range(const wg_call *c)
{
    const double *y = c->to[0];
    for (int64_t i = 0; i < wg_type_count(&c->y[0]); i++)
        if (y[i] < 1e-140 || y[i] > 1e150)
            return true;
    return false;
}

static wg_status norm_run(const wg_call *c)
{
    const wg_norm_options *o = c->options;
    if (isinf(o->p))
        return folded(c, (wg_reduction){.fold = &magnitude_fold, .axes = &o->axis});
    if (o->p == 1)
        return folded(c, (wg_reduction){.fold = &magnitudes_fold, .axes = &o->axis});
    if (o->p != 2)
        return norm_scaled(c);
    wg_status status = folded(c, (wg_reduction){.fold = &squares_fold, .axes = &o->axis, .finish = root});
    return !status && c->dtype == WG_FLOAT64 && out_of_range(c) ? norm_scaled(c) : status;
}

wg_tensor wg_norm_slope(wg_tensor x, wg_tensor y, wg_axes axis, double p)
{
    wg_tensor slope;
    if (p == 1)
        return wg_sign(x);
    if (p == 2) {
        slope = wg_divide(x, y);
    } else if (isinf(p)) {
        wg_tensor tied = wg_equal(wg_abs(x), y);
        wg_tensor count = wg_count_nonzero(tied, .axis = axis, .keepdims = true);
        if (!wg_is_tensor(count))
            return count;
        return wg_where(tied, wg_divide(wg_sign(x), wg_cast(count, .dtype = wg_type_of(x).dtype)), 0);
    } else {
        slope = wg_multiply(wg_sign(x), wg_pow(wg_divide(wg_abs(x), y), p - 1));
    }
    return wg_masked_fill(slope, wg_equal(y, 0), .value = 0);
}

static wg_tensor norm_slope(const wg_call *c)
{
    const wg_norm_options *o = c->options;
    return wg_norm_slope(c->in[0], wg_spread(c->out[0], &o->axis, o->keepdims), o->axis, o->p);
}

static wg_tensor norm_dx(const wg_call *c, wg_tensor g)
{
    const wg_norm_options *o = c->options;
    return wg_strong_multiply(wg_spread(g, &o->axis, o->keepdims), norm_slope(c));
}

static wg_tensor norm_jvp(const wg_call *c)
{
    const wg_norm_options *o = c->options;
    return wg_sum(wg_strong_multiply(c->t[0], norm_slope(c)), .axis = o->axis, .keepdims = o->keepdims);
}

static void norm_formula(const wg_call *c, wg_tensor *out)
{
    const wg_norm_options *o = c->options;
    wg_tensor size = wg_abs(c->in[0]);
    if (isinf(o->p))
        out[0] = wg_amax(size, .axis = o->axis, .keepdims = o->keepdims);
    else
        out[0] = wg_pow(wg_sum(wg_pow(size, o->p), .axis = o->axis, .keepdims = o->keepdims), 1 / o->p);
}
static wg_status norm_c(const wg_call *c, wg_code *w)
{
    const wg_norm_options *o = c->options;
    wg_code_number(w, "power", o->p);
    if (o->p == 1)
        return wg_code_over(c, w, &o->axis, "y", "",
                            WG_C((void)power; double sum = 0; EACH sum += (double)fabs(x); y = (T)sum;));
    if (isinf(o->p))
        return wg_code_over(
            c, w, &o->axis, "y", "",
            WG_C((void)power; T most = 0; EACH most = fabs(x) > most || x != x ? fabs(x) : most; y = most;));
    return wg_code_over(c, w, &o->axis, "y", "",
                        WG_C(double scale = 0; double sum = 0;
                             EACH scale = (double)fabs(x) > scale || x != x ? (double)fabs(x) : scale;
                             if (!(scale > 0 && isfinite(scale))) scale = 1;
                             EACH sum += pow_double((double)fabs(x) / scale, power);
                             y = (T)(scale * pow_double(sum, 1 / power));));
}

WG_OP(norm) = {
    .name = "norm",
    .doc = "y = sum(|x|^p)^(1/p) over `axis`, p >= 1; max(|x|) for p = inf. Gradient 0 at 0",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_norm, WG_ATTR(wg_norm, p), WG_ATTR(wg_norm, axis), WG_ATTR(wg_norm, keepdims)),
    .type = norm_type,
    .run = norm_run,
    .c = norm_c,
    .vjp = {norm_dx},
    .jvp = norm_jvp,
    .saves = "x y",
    .formula = norm_formula,
    .samples = {"[2,3,4]", "[2,3,4] axis=[0,-1]", "[2,3] axis=1 keepdims=true p=3", "[3,40] axis=1 p=1.5",
                "[2,3]:0.1..4 axis=0 p=1", "[2,3] axis=0 p=inf", "[0,3] axis=0"},
    .flops = element_flops,
};
wg_tensor (wg_norm)(wg_tensor x, wg_norm_options options) { return WG_RECORD(norm, &options, x); }

WG_FAMILY_OF(moments, "reductions", MOMENTS)
