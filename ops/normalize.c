/* Rows brought to mean 0 and variance 1. A row is a run of elements, or several runs a fixed distance apart, so that layers,
 * groups, channels and batches are one kernel each for the value and for the derivative. Statistics are taken in two
 * passes, in double, and taken again on the way back: the row is in the cache then, and nothing has to be saved.
 *
 * The derivative is P h = r (h - mean(h) - n mean(h n)) with n the normalised row and r = 1 / sqrt(var + eps). P is
 * symmetric, and its own derivative is made of P and n again; so the hidden operations here have graph code for rules. */
#include "ops/normalize.h"

#include "core/tape.h"

#include "wengert/elementwise.h"
#include "wengert/map.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

#define NORMALIZE(OP) OP(normalized) OP(norm_pull) OP(norm_weight_pull)
WG_CONTENTS(NORMALIZE)

/* ---- Rows -------------------------------------------------------------------------------------------------------- */
/* Row r begins at element r / near * far_stride + r % near; it has `runs` of n elements, run_stride apart, whose elements
 * are `stride` apart. The weight of element j of run k is number (r % cycle) row_step + k run_step + j step. */
typedef struct {
    int64_t rows, near, far_stride;
    int64_t runs, run_stride, n, stride;
    int64_t cycle, row_step, run_step, step, weights;
} layout;

/* The sizes before, of, and behind the axes [first, last]. */
static void sizes_around(const wg_type *x, int first, int last, int64_t size[3])
{
    size[0] = size[1] = size[2] = 1;
    for (int i = 0; i < x->rank; i++)
        size[i < first ? 0 : i <= last ? 1 : 2] *= x->dim[i];
}

static layout layout_of(const wg_type *x, const wg_normalized_options *o)
{
    int64_t size[3]; /* outer, middle, inner */
    if (o->groups == 0) {
        sizes_around(x, o->axis.at[0], o->axis.at[o->axis.n - 1], size);
        return (layout){size[0] * size[2], size[2] > 0 ? size[2] : 1, size[1] * size[2], 1, 0, size[1], size[2],
                        1, 0, 0, 1, size[1]};
    }
    sizes_around(x, 1, 1, size);
    if (o->groups < 0 && size[2] == 1)
        return (layout){size[1], 1, 1, 1, 0, size[0], size[1], size[1] > 0 ? size[1] : 1, 1, 0, 0, size[1]};
    if (o->groups < 0)
        return (layout){size[1], 1, size[2], size[0], size[1] * size[2], size[2], 1, size[1] > 0 ? size[1] : 1, 1, 0, 0,
                        size[1]};
    int64_t channels = size[1] / o->groups;
    if (size[2] == 1)
        return (layout){size[0] * o->groups, 1, channels, 1, 0, channels, 1, o->groups, channels, 0, 1, size[1]};
    return (layout){size[0] * o->groups, 1, channels * size[2], channels, size[2], size[2], 1, o->groups, channels, 1, 0,
                    size[1]};
}

int64_t wg_normalized_rows(const wg_type *x, const wg_normalized_options *o) { return layout_of(x, o).rows; }
int64_t wg_normalized_count(const wg_type *x, const wg_normalized_options *o)
{
    layout l = layout_of(x, o);
    return l.runs * l.n;
}

/* ---- Kernels of one run ------------------------------------------------------------------------------------------ */
#define LANES 16
#define FOLD(lane)                                                                                                     \
    for (int half = LANES / 2; half; half /= 2)                                                                        \
        for (int k = 0; k < half; k++)                                                                                 \
            lane[k] += lane[k + half];

/* The sum over i in [0, n) of an expression in i. */
#define SUM(sum, n, ...)                                                                                               \
    do {                                                                                                               \
        double lane[LANES] = {0};                                                                                      \
        int64_t from = 0;                                                                                              \
        for (; from + LANES <= n; from += LANES)                                                                       \
            for (int k = 0; k < LANES; k++) {                                                                          \
                const int64_t i = from + k;                                                                            \
                lane[k] += (double)(__VA_ARGS__);                                                                      \
            }                                                                                                          \
        for (int64_t i = from; i < n; i++)                                                                             \
            lane[i - from] += (double)(__VA_ARGS__);                                                                   \
        FOLD(lane)                                                                                                     \
        sum = lane[0];                                                                                                 \
    } while (0)

/* x without the mean, in two steps, so that a float keeps the digits of a mean far from 0. */
#define CENTERED(x) (((x) - high) - low)
#define INLINE static inline __attribute__((always_inline))

typedef struct {
    double mean, scale; /* scale = 1 / sqrt(var + eps) */
    double h, hn;       /* pull: the means of h and h n */
} row_numbers;

typedef struct {
    int64_t n, stride, weight_step, bias_step;
} run_shape;

#define RUN_KERNELS(suffix, T)                                                                                         \
    INLINE void sum_of_##suffix(int64_t n, int64_t e, const T *x, double *to) { SUM(*to, n, x[i * e]); }               \
    INLINE void squares_of_##suffix(int64_t n, int64_t e, const T *x, double mean, double *to)                         \
    {                                                                                                                  \
        const T high = (T)mean, low = (T)(mean - (double)high);                                                        \
        SUM(*to, n, CENTERED(x[i * e]) * CENTERED(x[i * e]));                                                          \
    }                                                                                                                  \
    INLINE void apply_of_##suffix(int64_t n, int64_t e, int64_t ws, int64_t bs, const T *restrict x,                   \
                                  const T *restrict w, const T *restrict b, const row_numbers *r, T *restrict y)       \
    {                                                                                                                  \
        const T high = (T)r->mean, low = (T)(r->mean - (double)high), scale = (T)r->scale;                             \
        for (int64_t i = 0; i < n; i++)                                                                                \
            y[i * e] = CENTERED(x[i * e]) * scale * w[i * ws] + b[i * bs];                                             \
    }                                                                                                                  \
    INLINE void dots_of_##suffix(int64_t n, int64_t e, int64_t ws, const T *restrict g, const T *restrict x,           \
                                 const T *restrict w, const row_numbers *r, double to[2])                              \
    {                                                                                                                  \
        const T high = (T)r->mean, low = (T)(r->mean - (double)high), scale = (T)r->scale;                             \
        SUM(to[0], n, g[i * e] * w[i * ws]);                                                                           \
        SUM(to[1], n, g[i * e] * w[i * ws] * (CENTERED(x[i * e]) * scale));                                            \
    }                                                                                                                  \
    INLINE void pull_of_##suffix(int64_t n, int64_t e, int64_t ws, const T *restrict g, const T *restrict x,           \
                                 const T *restrict w, const row_numbers *r, T *restrict y)                             \
    {                                                                                                                  \
        const T high = (T)r->mean, low = (T)(r->mean - (double)high), scale = (T)r->scale;                             \
        const T h = (T)r->h, hn = (T)r->hn;                                                                            \
        for (int64_t i = 0; i < n; i++)                                                                                \
            y[i * e] = scale * (g[i * e] * w[i * ws] - h - CENTERED(x[i * e]) * scale * hn);                           \
    }                                                                                                                  \
    static WG_CLONES double run_sum_##suffix(const run_shape *s, const void *x)                                        \
    {                                                                                                                  \
        double sum;                                                                                                    \
        if (s->stride == 1)                                                                                            \
            sum_of_##suffix(s->n, 1, x, &sum);                                                                         \
        else                                                                                                           \
            sum_of_##suffix(s->n, s->stride, x, &sum);                                                                 \
        return sum;                                                                                                    \
    }                                                                                                                  \
    static WG_CLONES double run_squares_##suffix(const run_shape *s, const void *x, double mean)                       \
    {                                                                                                                  \
        double sum;                                                                                                    \
        if (s->stride == 1)                                                                                            \
            squares_of_##suffix(s->n, 1, x, mean, &sum);                                                               \
        else                                                                                                           \
            squares_of_##suffix(s->n, s->stride, x, mean, &sum);                                                       \
        return sum;                                                                                                    \
    }                                                                                                                  \
    static WG_CLONES void run_apply_##suffix(const run_shape *s, const void *x, const void *w, const void *b,          \
                                             const row_numbers *r, void *y)                                            \
    {                                                                                                                  \
        if (s->stride == 1 && s->weight_step && s->bias_step)                                                          \
            apply_of_##suffix(s->n, 1, 1, 1, x, w, b, r, y);                                                           \
        else if (s->stride == 1 && !s->weight_step && !s->bias_step)                                                   \
            apply_of_##suffix(s->n, 1, 0, 0, x, w, b, r, y);                                                           \
        else                                                                                                           \
            apply_of_##suffix(s->n, s->stride, s->weight_step, s->bias_step, x, w, b, r, y);                           \
    }                                                                                                                  \
    static WG_CLONES void run_dots_##suffix(const run_shape *s, const void *g, const void *x, const void *w,           \
                                            const row_numbers *r, double to[2])                                        \
    {                                                                                                                  \
        if (s->stride == 1 && s->weight_step)                                                                          \
            dots_of_##suffix(s->n, 1, 1, g, x, w, r, to);                                                              \
        else if (s->stride == 1)                                                                                       \
            dots_of_##suffix(s->n, 1, 0, g, x, w, r, to);                                                              \
        else                                                                                                           \
            dots_of_##suffix(s->n, s->stride, s->weight_step, g, x, w, r, to);                                         \
    }                                                                                                                  \
    static WG_CLONES void run_pull_##suffix(const run_shape *s, const void *g, const void *x, const void *w,           \
                                            const row_numbers *r, void *y)                                             \
    {                                                                                                                  \
        if (s->stride == 1 && s->weight_step)                                                                          \
            pull_of_##suffix(s->n, 1, 1, g, x, w, r, y);                                                               \
        else if (s->stride == 1)                                                                                       \
            pull_of_##suffix(s->n, 1, 0, g, x, w, r, y);                                                               \
        else                                                                                                           \
            pull_of_##suffix(s->n, s->stride, s->weight_step, g, x, w, r, y);                                          \
    }                                                                                                                  \
    static WG_CLONES void run_weigh_##suffix(const run_shape *s, const void *g, const void *x, const row_numbers *r,   \
                                             double *restrict to)                                                      \
    {                                                                                                                  \
        const T *restrict from = x, *restrict by = g;                                                                  \
        const T high = (T)r->mean, low = (T)(r->mean - (double)high), scale = (T)r->scale;                             \
        const int64_t e = s->stride;                                                                                   \
        for (int64_t i = 0; i < s->n; i++)                                                                             \
            to[i] += (double)(by[i * e] * (CENTERED(from[i * e]) * scale));                                            \
    }
RUN_KERNELS(f32, float)
RUN_KERNELS(f64, double)

static const struct {
    double (*sum)(const run_shape *s, const void *x);
    double (*squares)(const run_shape *s, const void *x, double mean);
    void (*apply)(const run_shape *s, const void *x, const void *w, const void *b, const row_numbers *r, void *y);
    void (*dots)(const run_shape *s, const void *g, const void *x, const void *w, const row_numbers *r, double to[2]);
    void (*pull)(const run_shape *s, const void *g, const void *x, const void *w, const row_numbers *r, void *y);
    void (*weigh)(const run_shape *s, const void *g, const void *x, const row_numbers *r, double *to);
} kernels[] = {
    [WG_FLOAT32] = {run_sum_f32, run_squares_f32, run_apply_f32, run_dots_f32, run_pull_f32, run_weigh_f32},
    [WG_FLOAT64] = {run_sum_f64, run_squares_f64, run_apply_f64, run_dots_f64, run_pull_f64, run_weigh_f64},
};

/* ---- Passes over the rows ---------------------------------------------------------------------------------------- */
typedef struct {
    wg_dtype dtype;
    size_t size; /* bytes an element */
    layout at;
    const wg_normalized_options *o;
    const unsigned char *x, *g, *weight, *bias;
    unsigned char *to;
    double *mean, *var;   /* one a row; may be NULL */
    row_numbers *numbers; /* weight_pull: of each row */
    double *sums;         /* ... and of each run, or of each weight */
    int64_t per_piece;    /* rows, or weights */
    unsigned char one[8], zero[8];
} pass;

static pass pass_of(const wg_call *c, const wg_type *x, const wg_normalized_options *o)
{
    pass p = {.dtype = c->dtype, .size = wg_dtype_size(c->dtype), .at = layout_of(x, o), .o = o};
    int64_t count = p.at.runs * p.at.n;
    p.per_piece = count > 0 && count < WG_PIECE ? WG_PIECE / count : 1;
    wg_store_number(p.dtype, 1, p.one);
    wg_store_number(p.dtype, 0, p.zero);
    return p;
}

static void pass_go(const wg_call *c, const pass *p, wg_work *work)
{
    wg_parallel(c->tape, (p->at.rows + p->per_piece - 1) / p->per_piece, work, (void *)(uintptr_t)p);
}

static int64_t rows_end(const pass *p, int64_t piece)
{
    return (piece + 1) * p->per_piece < p->at.rows ? (piece + 1) * p->per_piece : p->at.rows;
}

static size_t run_at(const pass *p, int64_t row, int64_t run)
{
    return (size_t)(row / p->at.near * p->at.far_stride + row % p->at.near + run * p->at.run_stride) * p->size;
}

static int64_t weight_at(const pass *p, int64_t row, int64_t run)
{
    return row % p->at.cycle * p->at.row_step + run * p->at.run_step;
}

static run_shape shape_of(const pass *p)
{
    return (run_shape){p->at.n, p->at.stride, p->weight ? p->at.step : 0, p->bias ? p->at.step : 0};
}

static row_numbers row_statistics(const pass *p, int64_t row, double *var)
{
    run_shape s = shape_of(p);
    row_numbers r = {0};
    double n = (double)(p->at.runs * p->at.n), squares = 0;
    for (int64_t k = 0; p->o->centered && k < p->at.runs; k++)
        r.mean += kernels[p->dtype].sum(&s, p->x + run_at(p, row, k));
    r.mean /= n;
    for (int64_t k = 0; k < p->at.runs; k++)
        squares += kernels[p->dtype].squares(&s, p->x + run_at(p, row, k), r.mean);
    *var = squares / n;
    r.scale = 1 / sqrt(*var + p->o->eps);
    return r;
}

static void apply_piece(void *argument, int64_t piece)
{
    const pass *p = argument;
    run_shape s = shape_of(p);
    for (int64_t row = piece * p->per_piece; row < rows_end(p, piece); row++) {
        double var;
        row_numbers r = row_statistics(p, row, &var);
        if (p->mean) {
            p->mean[row] = r.mean;
            p->var[row] = var;
        }
        for (int64_t k = 0; k < p->at.runs; k++) {
            size_t at = run_at(p, row, k), weight = (size_t)weight_at(p, row, k) * p->size;
            kernels[p->dtype].apply(&s, p->x + at, p->weight ? p->weight + weight : p->one,
                                    p->bias ? p->bias + weight : p->zero, &r, p->to + at);
        }
    }
}

wg_status wg_normalized_run(const wg_call *c, const wg_normalized_options *o, double *mean, double *var)
{
    pass p = pass_of(c, &c->x[0], o);
    p.x = c->from[0];
    p.weight = wg_given(c, 1) ? c->from[1] : NULL;
    p.bias = wg_given(c, 2) ? c->from[2] : NULL;
    p.to = c->to[0];
    p.mean = mean;
    p.var = var;
    pass_go(c, &p, apply_piece);
    return WG_OK;
}

static void pull_piece(void *argument, int64_t piece)
{
    const pass *p = argument;
    run_shape s = shape_of(p);
    double var, part[2], n = (double)(p->at.runs * p->at.n);
    for (int64_t row = piece * p->per_piece; row < rows_end(p, piece); row++) {
        row_numbers r = row_statistics(p, row, &var);
        for (int64_t k = 0; k < p->at.runs; k++) {
            size_t at = run_at(p, row, k), weight = (size_t)weight_at(p, row, k) * p->size;
            kernels[p->dtype].dots(&s, p->g + at, p->x + at, p->weight ? p->weight + weight : p->one, &r, part);
            r.h += part[0];
            r.hn += part[1];
        }
        r.h = p->o->centered ? r.h / n : 0;
        r.hn /= n;
        for (int64_t k = 0; k < p->at.runs; k++) {
            size_t at = run_at(p, row, k), weight = (size_t)weight_at(p, row, k) * p->size;
            kernels[p->dtype].pull(&s, p->g + at, p->x + at, p->weight ? p->weight + weight : p->one, &r, p->to + at);
        }
    }
}

/* ---- Shapes ------------------------------------------------------------------------------------------------------ */
static bool trails(const wg_normalized_options *o, int rank) { return o->axis.at[o->axis.n - 1] == rank - 1; }

static wg_shape weight_shape(const wg_type *x, const wg_normalized_options *o)
{
    wg_shape shape = {1, {o->groups ? x->dim[1] : 0}};
    if (!o->groups) {
        shape.rank = o->axis.n;
        for (int i = 0; i < o->axis.n; i++)
            shape.dim[i] = x->dim[o->axis.at[i]];
    }
    return shape;
}

wg_status wg_normalized_fits(const wg_call *c, const wg_normalized_options *o, int weight, int last)
{
    const wg_type *x = &c->x[0];
    if (!(o->eps >= 0))
        return wg_fail(c, WG_ERROR_VALUE, "eps is %g, not at least 0", o->eps);
    if (!o->groups && !o->axis.n)
        return wg_fail(c, WG_ERROR_SHAPE, "%s has no axis to normalise", wg_show(c, 0));
    if (!o->groups && o->axis.n > 1 &&
        !(trails(o, x->rank) && o->axis.at[o->axis.n - 1] - o->axis.at[0] == o->axis.n - 1))
        return wg_fail(c, WG_ERROR_SHAPE, "the axes are neither one nor the trailing ones of %s", wg_show(c, 0));
    if (o->groups && x->rank < 2)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not [n, C, ...]", wg_show(c, 0));
    if (o->groups > 0 && x->dim[1] % o->groups)
        return wg_fail(c, WG_ERROR_SHAPE, "the channels of %s do not make %lld groups", wg_show(c, 0), (long long)o->groups);
    wg_shape shape = weight_shape(x, o);
    wg_type wanted = wg_type_make(x->dtype, shape);
    for (int i = weight; i <= last; i++)
        if (wg_given(c, i) && !wg_type_equal(&c->x[i], &wanted)) {
            char text[200];
            return wg_fail(c, WG_ERROR_SHAPE, "%s does not fit %s: it would have shape %s", wg_show(c, i), wg_show(c, 0),
                           wg_shape_text(&shape, text, sizeof text));
        }
    return WG_OK;
}

wg_tensor wg_weight_along(wg_tensor weight, const wg_type *x, const wg_normalized_options *o)
{
    int axis = o->groups ? 1 : o->axis.at[0];
    if (!wg_is_tensor(weight) || (!o->groups && trails(o, x->rank)) || axis == x->rank - 1)
        return weight;
    wg_shape shape = {x->rank - axis, {x->dim[axis]}};
    for (int i = 1; i < shape.rank; i++)
        shape.dim[i] = 1;
    return wg_reshape(weight, shape);
}

wg_tensor wg_sum_to_weight(wg_tensor t, const wg_normalized_options *o)
{
    int rank = wg_type_of(t).rank;
    int first = o->groups ? 1 : o->axis.at[0], last = o->groups ? 1 : o->axis.at[o->axis.n - 1];
    wg_axes axes = {0};
    for (int i = 0; i < rank; i++)
        if (i < first || i > last)
            axes.at[axes.n++] = i;
    return axes.n ? wg_sum(t, .axis = axes) : t;
}

/* x with every row along the axes `axes`; and back. */
static wg_tensor in_rows(wg_tensor t, const wg_type *x, const wg_normalized_options *o, wg_axes *axes)
{
    *axes = o->axis;
    if (o->groups > 0) {
        *axes = WG_AXES(2);
        return wg_reshape(t, WG_SHAPE(x->dim[0], o->groups, wg_normalized_count(x, o)));
    }
    if (o->groups < 0) {
        *axes = WG_AXES(0);
        for (int i = 2; i < x->rank; i++)
            axes->at[axes->n++] = i;
    }
    return t;
}

/* ---- normalized: n(x) -------------------------------------------------------------------------------------------- */
#define NORMALIZED_SCHEMA                                                                                              \
    WG_SCHEMA(wg_normalized, WG_ATTR(wg_normalized, axis), WG_ATTR(wg_normalized, groups),                             \
              WG_ATTR(wg_normalized, centered), WG_ATTR(wg_normalized, eps))

static wg_status normalized_type(wg_call *c)
{
    c->y[0] = c->x[0];
    return wg_normalized_fits(c, c->options, 1, 0);
}
static wg_status normalized_run(const wg_call *c) { return wg_normalized_run(c, c->options, NULL, NULL); }
static wg_tensor normalized_dx(const wg_call *c, wg_tensor g) { return wg_norm_pull(g, c->in[0], WG_NONE, c->options); }
static wg_tensor normalized_jvp(const wg_call *c) { return wg_norm_pull(c->t[0], c->in[0], WG_NONE, c->options); }
WG_OP(normalized) = {
    .name = "normalized",
    .doc = "y = (x - mean) / sqrt(var + eps) of each row",
    .in = {{"x", 0}},
    .options = NORMALIZED_SCHEMA,
    .type = normalized_type,
    .run = normalized_run,
    .vjp = {normalized_dx},
    .jvp = normalized_jvp,
    .saves = "x",
    .samples = {"[2,5]", "[2,4,3] axis=1", "[2,4,3] groups=2", "[3,4,2] groups=-1", "[2,5] centered=false", "[0,3]"},
    .hidden = true,
};
wg_tensor wg_normalized(wg_tensor x, const wg_normalized_options *o) { return WG_RECORD(normalized, o, x); }

/* ---- norm_pull: P (g weight) ------------------------------------------------------------------------------------- */
static wg_status norm_pull_type(wg_call *c)
{
    if (!wg_type_equal(&c->x[0], &c->x[1]))
        return wg_fail(c, WG_ERROR_SHAPE, "%s and %s differ in shape", wg_show(c, 0), wg_show(c, 1));
    c->y[0] = c->x[0];
    return wg_normalized_fits(c, c->options, 2, 2);
}

static wg_status norm_pull_run(const wg_call *c)
{
    pass p = pass_of(c, &c->x[1], c->options);
    p.g = c->from[0];
    p.x = c->from[1];
    p.weight = wg_given(c, 2) ? c->from[2] : NULL;
    p.to = c->to[0];
    pass_go(c, &p, pull_piece);
    return WG_OK;
}

/* h = g weight, of x's shape. */
static wg_tensor weighted(const wg_call *c, wg_tensor g, wg_tensor weight)
{
    return wg_is_none(weight) ? g : wg_multiply(g, wg_weight_along(weight, &c->x[1], c->options));
}
static wg_tensor weight_of(const wg_call *c) { return wg_given(c, 2) ? c->in[2] : WG_NONE; }

static wg_tensor norm_pull_dg(const wg_call *c, wg_tensor u)
{
    return weighted(c, wg_norm_pull(u, c->in[1], WG_NONE, c->options), weight_of(c));
}

/* How P h moves with x along u, which is also what a cotangent u of it does to x:
 * -r (n mean(u P h) + mean(h n) P u + mean(u n) P h). */
static wg_tensor bent(const wg_call *c, wg_tensor u)
{
    const wg_normalized_options *o = c->options;
    const wg_type *type = &c->x[1];
    wg_axes axes;
    wg_tensor x = in_rows(c->in[1], type, o, &axes), n = in_rows(wg_normalized(c->in[1], o), type, o, &axes);
    wg_tensor h = in_rows(weighted(c, c->in[0], weight_of(c)), type, o, &axes);
    wg_tensor ph = in_rows(wg_norm_pull(c->in[0], c->in[1], weight_of(c), o), type, o, &axes);
    wg_tensor pu = in_rows(wg_norm_pull(u, c->in[1], WG_NONE, o), type, o, &axes);
    u = in_rows(u, type, o, &axes);
    wg_tensor var = o->centered ? wg_var(x, .axis = axes, .keepdims = true)
                                : wg_mean(wg_square(x), .axis = axes, .keepdims = true);
    wg_tensor r = wg_rsqrt(wg_add(var, o->eps));
    wg_tensor first = wg_multiply(n, wg_mean(wg_multiply(u, ph), .axis = axes, .keepdims = true));
    wg_tensor second = wg_multiply(pu, wg_mean(wg_multiply(h, n), .axis = axes, .keepdims = true));
    wg_tensor third = wg_multiply(ph, wg_mean(wg_multiply(u, n), .axis = axes, .keepdims = true));
    wg_tensor d = wg_multiply(wg_negative(r), wg_add(first, wg_add(second, third)));
    return o->groups > 0 ? wg_reshape(d, wg_type_shape(type)) : d;
}
static wg_tensor norm_pull_dx(const wg_call *c, wg_tensor u) { return bent(c, u); }
static wg_tensor norm_pull_dweight(const wg_call *c, wg_tensor u)
{
    return wg_sum_to_weight(wg_multiply(c->in[0], wg_norm_pull(u, c->in[1], WG_NONE, c->options)), c->options);
}

static wg_tensor plus(wg_tensor a, wg_tensor b) { return wg_is_none(a) ? b : wg_add(a, b); }

static wg_tensor norm_pull_jvp(const wg_call *c)
{
    wg_tensor t = WG_NONE;
    if (!wg_is_none(c->t[0]))
        t = wg_norm_pull(c->t[0], c->in[1], weight_of(c), c->options);
    if (wg_given(c, 2) && !wg_is_none(c->t[2]))
        t = plus(t, wg_norm_pull(c->in[0], c->in[1], c->t[2], c->options));
    if (!wg_is_none(c->t[1]))
        t = plus(t, bent(c, c->t[1]));
    return t;
}
WG_OP(norm_pull) = {
    .name = "norm_pull",
    .doc = "y = r (h - mean(h) - n mean(h n)) with h = g weight, n = normalized(x) and r = 1 / sqrt(var + eps)",
    .in = {{"g", 0}, {"x", 0}, {"weight", WG_OPTIONAL}},
    .options = NORMALIZED_SCHEMA,
    .type = norm_pull_type,
    .run = norm_pull_run,
    .vjp = {norm_pull_dg, norm_pull_dx, norm_pull_dweight},
    .jvp = norm_pull_jvp,
    .saves = "g x weight",
    .samples = {"[2,5] [2,5]", "[2,4,3] [2,4,3] [4] axis=1", "[2,4,3] [2,4,3] [4] groups=2", "[3,4,2] [3,4,2] [4] groups=-1",
                "[2,5] [2,5] [5] centered=false", "[0,3] [0,3]"},
    .hidden = true,
};
wg_tensor wg_norm_pull(wg_tensor g, wg_tensor x, wg_tensor weight, const wg_normalized_options *o)
{
    return WG_RECORD(norm_pull, o, g, x, weight);
}

/* ---- norm_weight_pull: the sum of g n(x) over all that has one weight ------------------------------------------------ */
#define WEIGHTS 512 /* summed at a time */

static void statistics_piece(void *argument, int64_t piece)
{
    const pass *p = argument;
    run_shape s = shape_of(p);
    double var, part[2];
    for (int64_t row = piece * p->per_piece; row < rows_end(p, piece); row++) {
        p->numbers[row] = row_statistics(p, row, &var);
        for (int64_t k = 0; !p->at.step && k < p->at.runs; k++) {
            size_t at = run_at(p, row, k);
            kernels[p->dtype].dots(&s, p->g + at, p->x + at, p->one, &p->numbers[row], part);
            p->sums[row * p->at.runs + k] = part[1];
        }
    }
}

/* Weights one an element: a block of them over all rows in order. */
static void weigh_piece(void *argument, int64_t piece)
{
    const pass *p = argument;
    int64_t first = piece * WEIGHTS;
    run_shape s = {p->at.n - first < WEIGHTS ? p->at.n - first : WEIGHTS, p->at.stride, 0, 0};
    for (int64_t row = 0; row < p->at.rows; row++) {
        size_t at = run_at(p, row, 0) + (size_t)(first * p->at.stride) * p->size;
        kernels[p->dtype].weigh(&s, p->g + at, p->x + at, &p->numbers[row], p->sums + weight_at(p, row, 0) + first);
    }
}

static wg_status norm_weight_pull_type(wg_call *c)
{
    if (!wg_type_equal(&c->x[0], &c->x[1]))
        return wg_fail(c, WG_ERROR_SHAPE, "%s and %s differ in shape", wg_show(c, 0), wg_show(c, 1));
    wg_status status = wg_normalized_fits(c, c->options, 2, 1);
    if (!status)
        c->y[0] = wg_type_make(c->dtype, weight_shape(&c->x[1], c->options));
    return status;
}

static wg_status norm_weight_pull_run(const wg_call *c)
{
    pass p = pass_of(c, &c->x[1], c->options);
    int64_t runs = p.at.rows * p.at.runs;
    double *sums = wg_scratch(c, (size_t)p.at.weights * sizeof *sums);
    p.g = c->from[0];
    p.x = c->from[1];
    p.numbers = wg_scratch(c, (size_t)p.at.rows * sizeof *p.numbers);
    p.sums = p.at.step ? sums : wg_scratch(c, (size_t)runs * sizeof *p.sums);
    if (!sums || !p.numbers || !p.sums)
        return WG_ERROR_MEMORY;
    memset(sums, 0, (size_t)p.at.weights * sizeof *sums);
    pass_go(c, &p, statistics_piece);
    if (p.at.step)
        wg_parallel(c->tape, (p.at.n + WEIGHTS - 1) / WEIGHTS, weigh_piece, &p);
    for (int64_t i = 0; !p.at.step && i < runs; i++)
        sums[weight_at(&p, i / p.at.runs, i % p.at.runs)] += p.sums[i];
    for (int64_t i = 0; i < p.at.weights; i++)
        wg_store_number(c->dtype, sums[i], (unsigned char *)c->to[0] + (size_t)i * p.size);
    return WG_OK;
}

static wg_tensor norm_weight_pull_dg(const wg_call *c, wg_tensor u)
{
    return wg_multiply(wg_weight_along(u, &c->x[1], c->options), wg_normalized(c->in[1], c->options));
}
static wg_tensor norm_weight_pull_dx(const wg_call *c, wg_tensor u)
{
    return wg_norm_pull(c->in[0], c->in[1], u, c->options);
}
static wg_tensor norm_weight_pull_jvp(const wg_call *c)
{
    wg_tensor t = WG_NONE;
    if (!wg_is_none(c->t[0]))
        t = wg_norm_weight_pull(c->t[0], c->in[1], c->options);
    if (!wg_is_none(c->t[1])) {
        wg_tensor moved = wg_norm_pull(c->t[1], c->in[1], WG_NONE, c->options);
        t = plus(t, wg_sum_to_weight(wg_multiply(c->in[0], moved), c->options));
    }
    return t;
}
WG_OP(norm_weight_pull) = {
    .name = "norm_weight_pull",
    .doc = "y = the sum of g normalized(x) over all that has one weight",
    .in = {{"g", 0}, {"x", 0}},
    .options = NORMALIZED_SCHEMA,
    .type = norm_weight_pull_type,
    .run = norm_weight_pull_run,
    .vjp = {norm_weight_pull_dg, norm_weight_pull_dx},
    .jvp = norm_weight_pull_jvp,
    .saves = "g x",
    .samples = {"[2,5] [2,5]", "[2,4,3] [2,4,3] axis=1", "[2,4,3] [2,4,3] groups=2", "[2,4] [2,4] groups=2",
                "[3,4,2] [3,4,2] groups=-1", "[3,4] [3,4] groups=-1", "[2,5] [2,5] centered=false", "[0,3] [0,3]"},
    .hidden = true,
};
wg_tensor wg_norm_weight_pull(wg_tensor g, wg_tensor x, const wg_normalized_options *o)
{
    return WG_RECORD(norm_weight_pull, o, g, x);
}

WG_FAMILY_OF(normalize, "networks", NORMALIZE)
