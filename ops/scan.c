/* Scans: running sums, products and extrema along an axis, differences and integrals. Their gradients run the other
 * way: as scans of the reversed cotangent, or as the hidden first-order recurrence s[k] = b[k] + a[k] s[k - 1],
 * which pulls back to itself reversed, so that every derivative is right where factors are 0 and sums have
 * underflowed. */
#include <float.h>

#include "ops/code.h"
#include "ops/index.h"
#include "wengert/elementwise.h"
#include "wengert/map.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

#define SCANS(OP)                                                                                                      \
    OP(recurrence) OP(cumulative_sum) OP(cumulative_prod) OP(logcumsumexp) OP(cummax) OP(cummin) OP(diff) OP(trapezoid)
WG_CONTENTS(SCANS)

#define TILE 128 /* columns at a time */

/* ---- Kernels: `width` columns of [n, inner], each with a running state s ----------------------------------------- */
typedef void scan_kernel(int64_t n, int64_t inner, int64_t width, const void *x, const void *b, void *y, int64_t *at);

#define SCAN_STEP(at_, ...)                                                                                            \
    {                                                                                                                  \
        const int64_t k = at_;                                                                                         \
        const T x = xs[k];                                                                                             \
        double s = state[j];                                                                                           \
        __VA_ARGS__                                                                                                    \
        state[j] = s;                                                                                                  \
    }
#define SCAN(name, suffix, T_, START, ...)                                                                             \
    static WG_CLONES void name##_##suffix(int64_t n, int64_t inner, int64_t width, const void *from, const void *more, \
                                          void *to, int64_t *at)                                                       \
    {                                                                                                                  \
        typedef T_ T;                                                                                                  \
        const T *restrict xs = from, *restrict bs = more;                                                              \
        T *restrict ys = to;                                                                                           \
        double state[TILE], scale[TILE];                                                                               \
        (void)bs, (void)at, (void)scale;                                                                               \
        for (int64_t j = 0; j < width; j++) {                                                                          \
            state[j] = START;                                                                                          \
            scale[j] = (double)-INFINITY;                                                                              \
        }                                                                                                              \
        for (int64_t i = 0, j = 0; i < n && inner == 1; i++) /* its state stays in registers */                        \
            SCAN_STEP(i, __VA_ARGS__)                                                                                  \
        for (int64_t i = 0; i < n && inner > 1; i++)                                                                   \
            for (int64_t j = 0; j < width; j++)                                                                        \
                SCAN_STEP(i * inner + j, __VA_ARGS__)                                                                  \
    }
#define SCANS_OF(name, START, ...)                                                                                     \
    SCAN(name, f32, float, START, __VA_ARGS__)                                                                         \
    SCAN(name, f64, double, START, __VA_ARGS__)                                                                        \
    static scan_kernel *const name##_kernels[] = {name##_f32, name##_f64};

typedef struct {
    scan_kernel *kernel;
    size_t size;
    int64_t n, inner, tiles;
    const char *x, *b;
    char *y;
    int64_t *at;
} scan;

static void scan_tile(void *argument, int64_t task)
{
    const scan *s = argument;
    int64_t first = task % s->tiles * TILE, offset = task / s->tiles * s->n * s->inner + first;
    int64_t width = s->inner - first < TILE ? s->inner - first : TILE;
    size_t bytes = (size_t)offset * s->size;
    s->kernel(s->n, s->inner, width, s->x + bytes, s->b ? s->b + bytes : NULL, s->y + bytes,
              s->at ? s->at + offset : NULL);
}

static wg_status scan_run(const wg_call *c, scan_kernel *const *kernels)
{
    const wg_along_options *o = c->options;
    if (!wg_type_count(&c->x[0]))
        return WG_OK;
    wg_lines l = wg_lines_of(&c->x[0], o->axis);
    scan s = {.kernel = kernels[c->dtype], .size = wg_dtype_size(c->dtype), .n = l.n, .inner = l.inner,
              .tiles = (l.inner + TILE - 1) / TILE, .x = c->from[0], .b = c->n_in > 1 ? c->from[1] : NULL,
              .y = c->to[0], .at = c->n_out > 1 ? c->to[1] : NULL};
    wg_parallel(c->tape, l.outer * s.tiles, scan_tile, &s);
    return WG_OK;
}

/* ---- Graph code that the rules share ----------------------------------------------------------------------------- */
static int axis_of(const wg_call *c) { return ((const wg_along_options *)c->options)->axis; }

static wg_tensor padded(wg_tensor x, int axis, int64_t before, int64_t after, double value)
{
    wg_pad_options options = {.mode = "constant", .value = value};
    options.pad_width[axis][0] = before;
    options.pad_width[axis][1] = after;
    return (wg_pad)(x, options);
}

/* Entry k is x[k - 1], and `first` at 0; entry k is x[k + 1], and 0 at the end. */
static wg_tensor earlier(wg_tensor x, int axis, double first)
{
    return padded(wg_narrow(x, axis, 0, wg_type_of(x).dim[axis] - 1), axis, 1, 0, first);
}
static wg_tensor later(wg_tensor x, int axis)
{
    return padded(wg_narrow(x, axis, 1, wg_type_of(x).dim[axis] - 1), axis, 0, 1, 0);
}

static wg_tensor backwards(wg_tensor x, int axis) { return wg_flip(x, .axis = WG_AXES(axis)); }

static wg_tensor recurrence(wg_tensor a, wg_tensor b, int axis);

/* r[k] = g[k] + a[k] r[k + 1] */
static wg_tensor recurrence_back(wg_tensor a, wg_tensor g, int axis)
{
    return backwards(recurrence(backwards(a, axis), backwards(g, axis), axis), axis);
}

static bool is_empty(const wg_call *c) { return wg_type_count(&c->x[0]) == 0; }

#define SCAN_SAMPLES {"[2,3,4] axis=1", "[5] axis=0", "[3,4] axis=-1", "[1,2] axis=0", "[0,3] axis=0", "[3,0] axis=0"}

/* ---- recurrence -------------------------------------------------------------------------------------------------- */
SCANS_OF(recurrence, 0, s = i ? (double)bs[k] + (double)x * s : (double)bs[k]; ys[k] = (T)s;)
static wg_status recurrence_run(const wg_call *c) { return scan_run(c, recurrence_kernels); }

static wg_tensor recurrence_db(const wg_call *c, wg_tensor g)
{
    return is_empty(c) ? WG_NONE : recurrence_back(later(c->in[0], axis_of(c)), g, axis_of(c));
}

static wg_tensor recurrence_da(const wg_call *c, wg_tensor g)
{
    return is_empty(c) ? WG_NONE : wg_multiply(recurrence_db(c, g), earlier(c->out[0], axis_of(c), 0));
}

static wg_tensor recurrence_jvp(const wg_call *c)
{
    wg_tensor t = c->t[1];
    if (is_empty(c))
        return WG_NONE;
    if (!wg_is_none(c->t[0])) {
        wg_tensor by_a = wg_multiply(c->t[0], earlier(c->out[0], axis_of(c), 0));
        t = wg_is_none(t) ? by_a : wg_add(t, by_a);
    }
    return recurrence(c->in[0], t, axis_of(c));
}

static wg_status recurrence_c(const wg_call *c, wg_code *w)
{
    return wg_code_along(c, w, axis_of(c), "", "", WG_C(double s = 0; bool first = true;
                         EACH { s = first ? (double)b : (double)b + (double)a * s; first = false; y = (T)s; }));
}

WG_OP(recurrence) = {
    .name = "recurrence",
    .doc = "y[k] = b[k] + a[k] y[k - 1] along `axis`, y[0] = b[0]",
    .in = {{"a", 0}, {"b", 0}},
    .options = WG_SCHEMA(wg_along, WG_ATTR_REQUIRED(wg_along, axis)),
    .type = wg_type_as_first,
    .run = recurrence_run,
    .c = recurrence_c,
    .vjp = {recurrence_da, recurrence_db},
    .jvp = recurrence_jvp,
    .saves = "a y",
    .samples = {"[2,3,4] [2,3,4] axis=1", "[5] [5] axis=0", "[1] [1] axis=0", "[0,3] [0,3] axis=0"},
    .hidden = true,
};
static wg_tensor recurrence(wg_tensor a, wg_tensor b, int axis)
{
    return WG_RECORD(recurrence, (&(wg_along_options){axis}), a, b);
}

/* ---- cumulative_sum ---------------------------------------------------------------------------------------------- */
SCANS_OF(cumulative_sum, 0, s += (double)x; ys[k] = (T)s;)
static wg_status cumulative_sum_run(const wg_call *c) { return scan_run(c, cumulative_sum_kernels); }

static wg_tensor cumulative_sum_dx(const wg_call *c, wg_tensor g)
{
    return backwards(wg_cumulative_sum(backwards(g, axis_of(c)), axis_of(c)), axis_of(c));
}

static wg_status cumulative_sum_c(const wg_call *c, wg_code *w)
{
    return wg_code_along(c, w, axis_of(c), "", "", WG_C(double s = 0; EACH { s += (double)x; y = (T)s; }));
}

WG_OP(cumulative_sum) = {
    .name = "cumulative_sum",
    .doc = "y[k] = x[0] + ... + x[k] along `axis`",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_along, WG_ATTR_REQUIRED(wg_along, axis)),
    .type = wg_type_as_first,
    .run = cumulative_sum_run,
    .c = cumulative_sum_c,
    .vjp = {cumulative_sum_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .lanes = WG_LANES_SHIFTED,
    .samples = SCAN_SAMPLES,
};
wg_tensor (wg_cumulative_sum)(wg_tensor x, int axis)
{
    return WG_RECORD(cumulative_sum, (&(wg_along_options){axis}), x);
}

/* ---- cumulative_prod --------------------------------------------------------------------------------------------- */
SCANS_OF(cumulative_prod, 1, s *= (double)x; ys[k] = (T)s;)
static wg_status cumulative_prod_run(const wg_call *c) { return scan_run(c, cumulative_prod_kernels); }

/* y[k - 1] times what x[k] does to all from there on, without a division by x. */
static wg_tensor cumulative_prod_dx(const wg_call *c, wg_tensor g)
{
    int axis = axis_of(c);
    if (is_empty(c))
        return WG_NONE;
    return wg_multiply(earlier(c->out[0], axis, 1), recurrence_back(later(c->in[0], axis), g, axis));
}

static wg_tensor cumulative_prod_jvp(const wg_call *c)
{
    int axis = axis_of(c);
    return is_empty(c) ? WG_NONE : recurrence(c->in[0], wg_multiply(c->t[0], earlier(c->out[0], axis, 1)), axis);
}

static void scanned_formula(const wg_call *c, wg_tensor *out, wg_tensor (*next)(wg_tensor so_far, wg_tensor x))
{
    int axis = axis_of(c);
    int64_t n = c->x[0].dim[axis];
    wg_tensor *at = wg_scratch(c, (size_t)n * sizeof *at);
    for (int64_t i = 0; i < n && at; i++) {
        wg_tensor x = wg_select(c->in[0], axis, i);
        at[i] = i ? next(at[i - 1], x) : x;
    }
    if (at)
        out[0] = wg_stack(((wg_tensors){at, (int)n}), .axis = axis);
}
static void cumulative_prod_formula(const wg_call *c, wg_tensor *out) { scanned_formula(c, out, (wg_multiply)); }
static wg_status cumulative_prod_c(const wg_call *c, wg_code *w)
{
    return wg_code_along(c, w, axis_of(c), "", "", WG_C(double s = 1; EACH { s *= (double)x; y = (T)s; }));
}

WG_OP(cumulative_prod) = {
    .name = "cumulative_prod",
    .doc = "y[k] = x[0] ... x[k] along `axis`; its gradient is right with zeros too",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_along, WG_ATTR_REQUIRED(wg_along, axis)),
    .type = wg_type_as_first,
    .run = cumulative_prod_run,
    .c = cumulative_prod_c,
    .vjp = {cumulative_prod_dx},
    .jvp = cumulative_prod_jvp,
    .saves = "x y",
    .formula = cumulative_prod_formula,
    .samples = {"[2,3,4]:0.5..1.5 axis=1", "[5] axis=0", "[3,4]:0 axis=-1", "[1,2] axis=0", "[0,3] axis=0"},
};
wg_tensor (wg_cumulative_prod)(wg_tensor x, int axis)
{
    return WG_RECORD(cumulative_prod, (&(wg_along_options){axis}), x);
}

/* ---- logcumsumexp: log(s) + scale, with `scale` the largest so far ----------------------------------------------- */
SCANS_OF(logcumsumexp, 0, const double v = (double)x; double most = scale[j];
         if (v > most) {
             s = s * exp(most - v) + 1;
             most = v;
         } else if (v == most) {
             s += most > (double)-INFINITY;
         } else {
             s += exp(v - most);
         }
         scale[j] = most;
         ys[k] = (T)(most + log(s));)
static wg_status logcumsumexp_run(const wg_call *c) { return scan_run(c, logcumsumexp_kernels); }

/* y with -inf as the lowest number there is, from which differences are not NaN. */
static wg_tensor lowest_for_infinity(const wg_call *c)
{
    return wg_clip(c->out[0], .min = c->dtype == WG_FLOAT32 ? -(double)FLT_MAX : -DBL_MAX);
}

/* exp(x - y): what x[k] has of the sum up to k; exp(y[k] - y[k + 1]): what that has of the next. */
static wg_tensor share_of_own(const wg_call *c, wg_tensor y) { return wg_exp(wg_subtract(c->in[0], y)); }
static wg_tensor share_of_next(const wg_call *c, wg_tensor y)
{
    return wg_exp(wg_negative(wg_diff(y, .axis = axis_of(c))));
}

static wg_tensor logcumsumexp_dx(const wg_call *c, wg_tensor g)
{
    if (is_empty(c))
        return WG_NONE;
    wg_tensor y = lowest_for_infinity(c);
    wg_tensor next = padded(share_of_next(c, y), axis_of(c), 0, 1, 0);
    return wg_multiply(share_of_own(c, y), recurrence_back(next, g, axis_of(c)));
}

static wg_tensor logcumsumexp_jvp(const wg_call *c)
{
    if (is_empty(c))
        return WG_NONE;
    wg_tensor y = lowest_for_infinity(c);
    wg_tensor next = padded(share_of_next(c, y), axis_of(c), 1, 0, 0);
    return recurrence(next, wg_multiply(share_of_own(c, y), c->t[0]), axis_of(c));
}

static void logcumsumexp_formula(const wg_call *c, wg_tensor *out) { scanned_formula(c, out, (wg_logaddexp)); }
static wg_status logcumsumexp_c(const wg_call *c, wg_code *w)
{
    return wg_code_along(c, w, axis_of(c), "", "", WG_C(double s = 0; double most = -INFINITY;
                              EACH {
                                  const double v = (double)x;
                                  if (v > most) { s = s * exp_double(most - v) + 1; most = v; }
                                  else if (v == most) s += most > -INFINITY ? 1 : 0;
                                  else s += exp_double(v - most);
                                  y = (T)(most + log_double(s));
                              }));
}

WG_OP(logcumsumexp) = {
    .name = "logcumsumexp",
    .doc = "y[k] = log(exp(x[0]) + ... + exp(x[k])) along `axis`, without overflow",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_along, WG_ATTR_REQUIRED(wg_along, axis)),
    .type = wg_type_as_first,
    .run = logcumsumexp_run,
    .c = logcumsumexp_c,
    .vjp = {logcumsumexp_dx},
    .jvp = logcumsumexp_jvp,
    .saves = "x y",
    .formula = logcumsumexp_formula,
    .samples = {"[2,3,4] axis=1", "[5]:-500..500 axis=0", "[3,4] axis=-1", "[1,2] axis=0", "[0,3] axis=0"},
};
wg_tensor (wg_logcumsumexp)(wg_tensor x, int axis) { return WG_RECORD(logcumsumexp, (&(wg_along_options){axis}), x); }

/* ---- cummax, cummin ---------------------------------------------------------------------------------------------- */
static wg_status running_type(wg_call *c)
{
    c->y[0] = c->y[1] = c->x[0];
    c->y[1].dtype = WG_INT64;
    return WG_OK;
}

static wg_tensor running_dx(const wg_call *c, wg_tensor g)
{
    return wg_take_along_axis_back(wg_saved(c, 0), g, axis_of(c), c->x[0].dim[axis_of(c)]);
}
static wg_tensor running_jvp(const wg_call *c) { return wg_take_along_axis(c->t[0], wg_saved(c, 0), axis_of(c)); }

#define RUNNING(op, OP, of, words)                                                                                     \
    static void op##_formula(const wg_call *c, wg_tensor *out) { scanned_formula(c, out, of); }                        \
    SCANS_OF(op, 0, const double v = (double)x; const bool wins = !i || v OP s || (v != v && s == s);                  \
             at[k] = wins ? i : at[k - inner]; s = wins ? v : s; ys[k] = (T)s;)                                        \
    static wg_status op##_run(const wg_call *c) { return scan_run(c, op##_kernels); }                                  \
    static wg_status op##_c(const wg_call *c, wg_code *w)                                                              \
    {                                                                                                                  \
        return wg_code_along(c, w, axis_of(c), "", "", WG_C(int64_t k = 0; int64_t at = 0; T best = 0; EACH {          \
            if (k == 0 || x OP best || (x != x && best == best)) { best = x; at = k; }                                 \
            k++; y = best; index = at; }));                                                                            \
    }                                                                                                                  \
    WG_OP(op) = {                                                                                                      \
        .name = #op,                                                                                                   \
        .doc = "y[k] = the " words " of x[0], ..., x[k] along `axis`, the first of equal ones; a NaN stays",           \
        .in = {{"x", 0}},                                                                                              \
        .saved = {"index"},                                                                                            \
        .options = WG_SCHEMA(wg_along, WG_ATTR_REQUIRED(wg_along, axis)),                                              \
        .type = running_type,                                                                                          \
        .run = op##_run,                                                                                               \
        .c = op##_c,                                                                                                   \
        .vjp = {running_dx},                                                                                           \
        .jvp = running_jvp,                                                                                            \
        .formula = op##_formula,                                                                                       \
        .saves = "",                                                                                                   \
        .samples = SCAN_SAMPLES,                                                                                       \
    };                                                                                                                 \
    wg_tensor (wg_##op)(wg_tensor x, int axis) { return WG_RECORD(op, (&(wg_along_options){axis}), x); }

RUNNING(cummax, >, (wg_maximum), "largest")
RUNNING(cummin, <, (wg_minimum), "smallest")

/* ---- diff -------------------------------------------------------------------------------------------------------- */
static wg_status diff_type(wg_call *c)
{
    const wg_diff_options *o = c->options;
    if (o->n < 0)
        return wg_fail(c, WG_ERROR_VALUE, "n is %lld", (long long)o->n);
    int64_t *size = &c->y[0].dim[o->axis];
    c->y[0] = c->x[0];
    *size = *size > o->n ? *size - o->n : 0;
    return WG_OK;
}

static wg_status diff_run(const wg_call *c)
{
    const wg_diff_options *o = c->options;
    if (!wg_type_count(&c->y[0]))
        return WG_OK;
    wg_lines x = wg_lines_of(&c->x[0], o->axis);
    int64_t whole = x.n * x.inner, part = (x.n - o->n) * x.inner;
    double *d = wg_scratch(c, (size_t)whole * sizeof *d);
    if (!d)
        return WG_ERROR_MEMORY;
    for (int64_t i = 0; i < x.outer; i++) {
        bool is_single = c->dtype == WG_FLOAT32;
        for (int64_t k = 0; k < whole; k++)
            d[k] = is_single ? (double)((const float *)c->from[0])[i * whole + k]
                             : ((const double *)c->from[0])[i * whole + k];
        for (int64_t n = 1; n <= o->n; n++)
            for (int64_t k = 0; k < whole - n * x.inner; k++)
                d[k] = d[k + x.inner] - d[k];
        for (int64_t k = 0; k < part; k++)
            if (is_single)
                ((float *)c->to[0])[i * part + k] = (float)d[k];
            else
                ((double *)c->to[0])[i * part + k] = d[k];
    }
    return WG_OK;
}

/* The transpose of a difference is minus the difference of what has zeros before and behind it. */
static wg_tensor diff_dx(const wg_call *c, wg_tensor g)
{
    const wg_diff_options *o = c->options;
    if (!wg_type_count(&c->y[0]))
        return WG_NONE;
    wg_tensor d = wg_diff(padded(g, o->axis, o->n, o->n, 0), .axis = o->axis, .n = o->n);
    return o->n % 2 ? wg_negative(d) : d;
}

static wg_status diff_c(const wg_call *c, wg_code *w)
{
    const wg_diff_options *o = c->options;
    wg_lines x = wg_lines_of(&c->x[0], o->axis);
    wg_code_size(w, "n", x.n);
    wg_code_size(w, "order", o->n);
    wg_code_size(w, "outer", x.outer);
    wg_code_size(w, "inner", x.inner);
    return wg_code_text(w, WG_C(for (int i = 0; i < outer; i++) for (int k = 0; k < n - order; k++)
        for (int j = 0; j < inner; j++) {
            double d[order + 1];
            for (int l = 0; l <= order; l++) d[l] = (double)x[(i * n + k + l) * inner + j];
            for (int m = order; m > 0; m--) for (int l = 0; l < m; l++) d[l] = d[l + 1] - d[l];
            y[(i * (n - order) + k) * inner + j] = (T)d[0];
        }));
}

WG_OP(diff) = {
    .name = "diff",
    .doc = "y[k] = x[k + 1] - x[k] along `axis`, n times over",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_diff, WG_ATTR(wg_diff, axis), WG_ATTR(wg_diff, n)),
    .type = diff_type,
    .run = diff_run,
    .c = diff_c,
    .vjp = {diff_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,3,4]", "[5,2] axis=0 n=2", "[5] n=3", "[3] n=0", "[2,3] n=5", "[0,3]", "[0,3] axis=0"},
};
wg_tensor (wg_diff)(wg_tensor x, wg_diff_options options) { return WG_RECORD(diff, &options, x); }

/* ---- trapezoid --------------------------------------------------------------------------------------------------- */
static wg_status trapezoid_type(wg_call *c)
{
    const wg_trapezoid_options *o = c->options;
    c->y[0] = (wg_type){.dtype = c->x[0].dtype};
    for (int i = 0; i < c->x[0].rank; i++)
        if (i != o->axis)
            c->y[0].dim[c->y[0].rank++] = c->x[0].dim[i];
    return WG_OK;
}

/* How much point i of n counts: half at the ends. */
static double weight(const wg_call *c, int64_t i, int64_t n)
{
    double dx = ((const wg_trapezoid_options *)c->options)->dx;
    return n < 2 ? 0 : i == 0 || i == n - 1 ? dx / 2 : dx;
}

static wg_status trapezoid_run(const wg_call *c)
{
    const wg_trapezoid_options *o = c->options;
    wg_lines x = wg_lines_of(&c->x[0], o->axis);
    double *sum = wg_scratch(c, (size_t)x.inner * sizeof *sum);
    if (!sum)
        return WG_ERROR_MEMORY;
    for (int64_t i = 0; i < x.outer; i++) {
        for (int64_t j = 0; j < x.inner; j++)
            sum[j] = 0;
        for (int64_t k = 0; k < x.n && x.n > 1; k++)
            for (int64_t j = 0; j < x.inner; j++) {
                int64_t at = (i * x.n + k) * x.inner + j;
                sum[j] += weight(c, k, x.n) * (c->dtype == WG_FLOAT32 ? (double)((const float *)c->from[0])[at]
                                                                      : ((const double *)c->from[0])[at]);
            }
        for (int64_t j = 0; j < x.inner; j++)
            if (c->dtype == WG_FLOAT32)
                ((float *)c->to[0])[i * x.inner + j] = (float)sum[j];
            else
                ((double *)c->to[0])[i * x.inner + j] = sum[j];
    }
    return WG_OK;
}

static wg_tensor trapezoid_dx(const wg_call *c, wg_tensor g)
{
    const wg_trapezoid_options *o = c->options;
    int64_t n = c->x[0].dim[o->axis];
    double *weights = wg_scratch(c, (size_t)n * sizeof *weights);
    if (!weights)
        return wg_fail_tensor(c, WG_ERROR_MEMORY, "no memory for %lld weights", (long long)n);
    for (int64_t i = 0; i < n; i++)
        weights[i] = weight(c, i, n);
    wg_shape shape = {.rank = c->x[0].rank - o->axis, .dim = {n, 1, 1, 1, 1, 1, 1, 1}};
    wg_tensor w = wg_cast(wg_array(c->tape, WG_FLOAT64, shape, weights), .dtype = c->dtype);
    return wg_multiply(wg_expand_dims(g, o->axis), w);
}

static void trapezoid_formula(const wg_call *c, wg_tensor *out)
{
    const wg_trapezoid_options *o = c->options;
    int64_t n = c->x[0].dim[o->axis];
    if (n < 2)
        return;
    wg_tensor both = wg_add(wg_narrow(c->in[0], o->axis, 0, n - 1), wg_narrow(c->in[0], o->axis, 1, n - 1));
    out[0] = wg_multiply(wg_sum(both, .axis = WG_AXES(o->axis)), o->dx / 2);
}
static wg_status trapezoid_c(const wg_call *c, wg_code *w)
{
    const wg_trapezoid_options *o = c->options;
    wg_code_number(w, "dx", o->dx);
    return wg_code_along(c, w, o->axis, "y", "",
                         WG_C(double sum = 0; int k = 0;
                              EACH { sum += (k == 0 || k == N - 1 ? dx / 2 : dx) * (double)x; k++; }
                              y = (T)(k < 2 ? 0 : sum);));
}

WG_OP(trapezoid) = {
    .name = "trapezoid",
    .doc = "y = dx (x[0] / 2 + x[1] + ... + x[n - 2] + x[n - 1] / 2) along `axis`; of fewer than two points: 0",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_trapezoid, WG_ATTR(wg_trapezoid, axis), WG_ATTR(wg_trapezoid, dx)),
    .type = trapezoid_type,
    .run = trapezoid_run,
    .c = trapezoid_c,
    .vjp = {trapezoid_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .formula = trapezoid_formula,
    .samples = {"[2,3,4]", "[5,2] axis=0 dx=0.5", "[1,2] axis=0", "[2]", "[0,3] axis=0", "[0,3]"},
};
wg_tensor (wg_trapezoid)(wg_tensor x, wg_trapezoid_options options) { return WG_RECORD(trapezoid, &options, x); }

WG_FAMILY_OF(scans, "reductions", SCANS)
