/* Extrema, and where they are. A NaN wins against every number and the first of them stays; equal ones share the
 * gradient. */
#include "ops/code.h"
#include "ops/fold.h"
#include "wengert/elementwise.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

#define EXTREMA(OP) OP(max) OP(min) OP(amax) OP(amin) OP(argmax) OP(argmin)
WG_CONTENTS(EXTREMA)

/* ---- max, min ---------------------------------------------------------------------------------------------------- */
static wg_status extremum_type(wg_call *c)
{
    const wg_max_options *o = c->options;
    wg_status status = wg_reduced_type(c, &o->axis, o->keepdims, c->x[0].dtype);
    return status ? status : wg_reduced_something(c, &o->axis);
}

static wg_status extremum_run(const wg_call *c, const wg_fold *fold)
{
    const wg_max_options *o = c->options;
    return wg_reduce(c, &(wg_reduction){.fold = fold, .axes = &o->axis, .dtype = c->y[0].dtype, .to = c->to[0]});
}

/* Where x equals its extremum; how many there are, with the axes kept. */
static wg_tensor ties(const wg_call *c)
{
    const wg_max_options *o = c->options;
    return wg_equal(c->in[0], wg_spread(c->out[0], &o->axis, o->keepdims));
}

static wg_tensor ties_count(const wg_call *c, wg_tensor tied)
{
    const wg_max_options *o = c->options;
    return wg_cast(wg_count_nonzero(tied, .axis = o->axis, .keepdims = true), .dtype = c->dtype);
}

static wg_tensor extremum_dx(const wg_call *c, wg_tensor g)
{
    const wg_max_options *o = c->options;
    wg_tensor tied = ties(c);
    return wg_where(tied, wg_divide(wg_spread(g, &o->axis, o->keepdims), ties_count(c, tied)), 0);
}

static wg_tensor extremum_jvp(const wg_call *c)
{
    const wg_max_options *o = c->options;
    wg_tensor tied = ties(c);
    wg_tensor shares = wg_where(tied, wg_divide(c->t[0], ties_count(c, tied)), 0);
    return wg_sum(shares, .axis = o->axis, .keepdims = o->keepdims);
}

WG_FOLD(max, WG_LANES, (double)-INFINITY, (double)x > a || x != x ? (double)x : a, b > a || b != b ? b : a)
static wg_status max_run(const wg_call *c) { return extremum_run(c, &max_fold); }

WG_FOLD(min, WG_LANES, (double)INFINITY, (double)x < a || x != x ? (double)x : a, b < a || b != b ? b : a)
static wg_status min_run(const wg_call *c) { return extremum_run(c, &min_fold); }

static wg_status max_c(const wg_call *c, wg_code *w)
{
    const wg_max_options *o = c->options;
    return wg_code_over(c, w, &o->axis, "y", "",
                        WG_C(T most = -INFINITY; EACH most = x > most || x != x ? x : most; y = most;));
}

static wg_status min_c(const wg_call *c, wg_code *w)
{
    const wg_max_options *o = c->options;
    return wg_code_over(c, w, &o->axis, "y", "",
                        WG_C(T least = INFINITY; EACH least = x < least || x != x ? x : least; y = least;));
}

/* Two by two. */
static void extremum_formula(const wg_call *c, wg_tensor *out, wg_tensor (*of)(wg_tensor a, wg_tensor b))
{
    const wg_max_options *o = c->options;
    int64_t n = wg_reduced_count(&c->x[0], &o->axis);
    if (!wg_type_count(&c->x[0]) || n > 256)
        return;
    wg_tensor rows = wg_last_of(c->in[0], &o->axis), y = wg_select(rows, -1, 0);
    for (int64_t i = 1; i < n; i++)
        y = of(y, wg_select(rows, -1, i));
    out[0] = wg_reshape(y, wg_type_shape(&c->y[0]));
}
static void max_formula(const wg_call *c, wg_tensor *out) { extremum_formula(c, out, (wg_maximum)); }
static void min_formula(const wg_call *c, wg_tensor *out) { extremum_formula(c, out, (wg_minimum)); }

#define EXTREMUM(op, kind, words)                                                                                      \
    WG_OP(op) = {                                                                                                      \
        .name = #op,                                                                                                   \
        .doc = "y = the " words " of x over `axis`; a NaN wins, equal ones share the gradient evenly",                 \
        .in = {{"x", 0}},                                                                                              \
        .options = WG_SCHEMA(wg_##op, WG_ATTR(wg_##op, axis), WG_ATTR(wg_##op, keepdims)),                             \
        .type = extremum_type,                                                                                         \
        .run = kind##_run,                                                                                             \
        .c = kind##_c,                                                                                                 \
        .vjp = {extremum_dx},                                                                                          \
        .jvp = extremum_jvp,                                                                                           \
        .formula = kind##_formula,                                                                                     \
        .saves = "x y",                                                                                                \
        .samples = {"[2,3,4]", "[2,3,4] axis=[0,-1]", "[2,3] axis=1 keepdims=true", "[3,40] axis=1", "[]",             \
                    "[5] axis=0", "[0,3] axis=1"},                                                                     \
    };                                                                                                                 \
    wg_tensor (wg_##op)(wg_tensor x, wg_##op##_options options) { return WG_RECORD(op, &options, x); }

EXTREMUM(max, max, "largest")
EXTREMUM(min, min, "smallest")
EXTREMUM(amax, max, "largest")
EXTREMUM(amin, min, "smallest")

/* ---- argmax, argmin ---------------------------------------------------------------------------------------------- */
#define TILE 256 /* columns at a time; elements of a row that are looked over at once */

/* x as [outer, n, inner]: the extremum is looked for along n. */
typedef struct {
    void (*search)(int64_t n, int64_t inner, int64_t width, const void *from, int64_t *to);
    wg_dtype dtype;
    int64_t n, inner, tiles;
    const char *from;
    int64_t *to;
} arg;

/* `width` columns of [n, inner]. A single one is passed over in stretches without anything better than what was
 * found. */
#define ARG_SEARCH(name, suffix, T, OP)                                                                                \
    static WG_CLONES void name##_##suffix(int64_t n, int64_t inner, int64_t width, const void *from, int64_t *to)      \
    {                                                                                                                  \
        const T *x = from;                                                                                             \
        T best[TILE];                                                                                                  \
        for (int64_t j = 0; j < width; j++) {                                                                          \
            best[j] = x[j];                                                                                            \
            to[j] = 0;                                                                                                 \
        }                                                                                                              \
        for (int64_t i = 1; i < n && inner > 1; i++)                                                                   \
            for (int64_t j = 0; j < width; j++) {                                                                      \
                const T value = x[i * inner + j];                                                                      \
                const bool wins = value OP best[j] || (value != value && best[j] == best[j]);                          \
                best[j] = wins ? value : best[j];                                                                      \
                to[j] = wins ? i : to[j];                                                                              \
            }                                                                                                          \
        for (int64_t first = 0; first < n && inner == 1 && best[0] == best[0]; first += TILE) {                        \
            const int64_t last = n - first < TILE ? n : first + TILE;                                                  \
            const T found = best[0];                                                                                   \
            int any = 0;                                                                                               \
            for (int64_t i = first; i < last; i++)                                                                     \
                any |= x[i] OP found || x[i] != x[i];                                                                  \
            for (int64_t i = first; any && i < last && best[0] == best[0]; i++)                                        \
                if (x[i] OP best[0] || x[i] != x[i]) {                                                                 \
                    best[0] = x[i];                                                                                    \
                    to[0] = i;                                                                                         \
                }                                                                                                      \
        }                                                                                                              \
    }
#define ARG_SEARCHES(name, OP)                                                                                         \
    ARG_SEARCH(name, f32, float, OP)                                                                                   \
    ARG_SEARCH(name, f64, double, OP)                                                                                  \
    ARG_SEARCH(name, i32, int32_t, OP)                                                                                 \
    ARG_SEARCH(name, i64, int64_t, OP)                                                                                 \
    ARG_SEARCH(name, bool, bool, OP)

static void search_tile(void *argument, int64_t task)
{
    const arg *a = argument;
    int64_t outer = task / a->tiles, first = task % a->tiles * TILE;
    int64_t width = a->inner - first < TILE ? a->inner - first : TILE;
    a->search(a->n, a->inner, width, a->from + (size_t)(outer * a->n * a->inner + first) * wg_dtype_size(a->dtype),
              a->to + outer * a->inner + first);
}

typedef void search_kernel(int64_t n, int64_t inner, int64_t width, const void *from, int64_t *to);

static wg_status arg_run(const wg_call *c, search_kernel *const *search)
{
    const wg_argmax_options *o = c->options;
    const wg_type *x = &c->x[0];
    arg a = {.search = search[x->dtype], .dtype = x->dtype, .n = 1, .inner = 1, .from = c->from[0], .to = c->to[0]};
    int64_t count = wg_type_count(x);
    if (!count)
        return WG_OK;
    for (int i = 0; i < x->rank; i++)
        if (i > o->axis && o->axis != WG_NO_AXIS)
            a.inner *= x->dim[i];
    a.n = o->axis == WG_NO_AXIS ? count : x->dim[o->axis];
    a.tiles = (a.inner + TILE - 1) / TILE;
    wg_parallel(c->tape, count / (a.n * a.inner) * a.tiles, search_tile, &a);
    return WG_OK;
}

static wg_status arg_type(wg_call *c)
{
    const wg_argmax_options *o = c->options;
    wg_axes axes = {0};
    for (int i = 0; i < c->x[0].rank; i++)
        if (o->axis == WG_NO_AXIS || i == o->axis)
            axes.at[axes.n++] = i;
    wg_status status = wg_reduced_type(c, &axes, o->keepdims, WG_INT64);
    return status ? status : wg_reduced_something(c, &axes);
}

/* The first of the best, in the order of the axis or of all elements. */
static wg_status arg_c(const wg_call *c, wg_code *w, const char *of_floats, const char *of_others)
{
    const wg_argmax_options *o = c->options;
    wg_axes all = {.n = c->x[0].rank};
    for (int i = 0; i < all.n; i++)
        all.at[i] = i;
    w->dtype = c->x[0].dtype;
    const char *text = wg_is_float(w->dtype) ? of_floats : of_others;
    return o->axis == WG_NO_AXIS ? wg_code_over(c, w, &all, "y", "", text)
                                 : wg_code_along(c, w, o->axis, "y", "", text);
}

#define ARG_C(op, OP)                                                                                                  \
    static wg_status op##_c(const wg_call *c, wg_code *w)                                                              \
    {                                                                                                                  \
        return arg_c(c, w,                                                                                             \
                     WG_C(int64_t k = 0; int64_t at = 0; T best = 0; EACH {                                            \
                         if (k == 0 || x OP best || (x != x && best == best)) { best = x; at = k; } k++; } y = at;),   \
                     WG_C(int64_t k = 0; int64_t at = 0; T best = 0; EACH {                                            \
                         if (k == 0 || x OP best) { best = x; at = k; } k++; } y = at;));                              \
    }
ARG_C(argmax, >)
ARG_C(argmin, <)

#define ARG(op, OP, words)                                                                                             \
    ARG_SEARCHES(op, OP)                                                                                               \
    static wg_status op##_run(const wg_call *c)                                                                        \
    {                                                                                                                  \
        static search_kernel *const search[] = {op##_f32, op##_f64, op##_i32, op##_i64, op##_bool};                    \
        return arg_run(c, search);                                                                                     \
    }                                                                                                                  \
    WG_OP(op) = {                                                                                                      \
        .name = #op,                                                                                                   \
        .doc = "y = where the " words " of x is along `axis`, or in all of x; the first of equal ones, or of NaNs",    \
        .in = {{"x", WG_ANY}},                                                                                         \
        .options = WG_SCHEMA(wg_##op, WG_ATTR(wg_##op, axis), WG_ATTR(wg_##op, keepdims)),                             \
        .type = arg_type,                                                                                              \
        .run = op##_run,                                                                                               \
        .c = op##_c,                                                                                                   \
        .saves = "",                                                                                                   \
        .samples = {"[2,3,4]", "[2,3,4] axis=1", "[2,300] axis=-1 keepdims=true", "[4]:int64:0..2", "[]",              \
                    "[0,3] axis=1"},                                                                                   \
        .output_gradient_free = true,                                                                                  \
    };                                                                                                                 \
    wg_tensor (wg_##op)(wg_tensor x, wg_##op##_options options) { return WG_RECORD(op, &options, x); }

ARG(argmax, >, "largest")
ARG(argmin, <, "smallest")

WG_FAMILY_OF(extrema, "reductions", EXTREMA)
