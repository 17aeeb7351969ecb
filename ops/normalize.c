/* Rows brought to mean 0 and variance 1. A row is a run of elements, or several runs a fixed distance apart, so that
 * layers, groups, channels and batches are one kernel each for the value and for the derivative. Statistics are taken
 * in two passes, in double, and taken again on the way back: the row is in the cache then, and nothing has to be
 * saved.
 *
 * The derivative is P h = r (h - mean(h) - n mean(h n)) with n the normalised row and r = 1 / sqrt(var + eps). P is
 * symmetric, and its own derivative is made of P and n again; so the hidden operations here have graph code for
 * rules. */
#include "ops/code.h"
#include "ops/normalize.h"

#include "core/tape.h"
#include "ops/norm_kernels.h"

#include "wengert/elementwise.h"
#include "wengert/map.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

#define NORMALIZE(OP) OP(normalized) OP(norm_pull) OP(norm_weight_pull) OP(norm_pulls)
WG_CONTENTS(NORMALIZE)

/* ---- Rows -------------------------------------------------------------------------------------------------------- */
/* Row r begins at element r / near * far_stride + r % near; it has `runs` of n elements, run_stride apart. The
 * elements of a run lie together (stride 1), or rows lie side by side and a row has one run of elements `stride`
 * apart. The weight of element j of run k is number (r % cycle) row_step + k run_step + j step. */
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

/* Of [outer, channels, inner]: each channel over outer and inner. */
static layout channels_layout(int64_t outer, int64_t channels, int64_t inner)
{
    layout l = {.rows = channels, .cycle = channels > 0 ? channels : 1, .row_step = 1, .weights = channels};
    if (inner == 1) {
        l.near = l.cycle;
        l.runs = 1;
        l.n = outer;
        l.stride = channels;
        return l;
    }
    l.near = 1;
    l.far_stride = l.n = inner;
    l.runs = outer;
    l.run_stride = channels * inner;
    l.stride = 1;
    return l;
}

/* Each group of channels of each sample: one run of them all, but where weights change within it, a run each. */
static layout groups_layout(int64_t outer, int64_t groups, int64_t channels, int64_t inner)
{
    int64_t each = channels / groups;
    layout l = {.rows = outer * groups, .near = 1, .far_stride = each * inner, .stride = 1, .cycle = groups,
                .row_step = each, .weights = channels};
    l.runs = inner == 1 ? 1 : each;
    l.run_stride = inner;
    l.n = inner == 1 ? each : inner;
    l.run_step = inner != 1;
    l.step = inner == 1;
    return l;
}

static layout layout_of(const wg_type *x, const wg_normalized_options *o)
{
    int64_t size[3]; /* outer, middle, inner */
    if (o->groups) {
        sizes_around(x, 1, 1, size);
        return o->groups < 0 ? channels_layout(size[0], size[1], size[2])
                             : groups_layout(size[0], o->groups, size[1], size[2]);
    }
    sizes_around(x, o->axis.at[0], o->axis.at[o->axis.n - 1], size);
    return (layout){.rows = size[0] * size[2], .near = size[2] > 0 ? size[2] : 1, .far_stride = size[1] * size[2],
                    .runs = 1, .n = size[1], .stride = size[2], .cycle = 1, .step = 1, .weights = size[1]};
}

int64_t wg_normalized_rows(const wg_type *x, const wg_normalized_options *o) { return layout_of(x, o).rows; }
int64_t wg_normalized_count(const wg_type *x, const wg_normalized_options *o)
{
    layout l = layout_of(x, o);
    return l.runs * l.n;
}

/* ---- The C of rows ----------------------------------------------------------------------------------------------- */
void wg_rows_c(wg_code *w, const wg_type *x, const wg_normalized_options *o)
{
    layout l = layout_of(x, o);
    wg_code_size(w, "rows", l.rows);
    wg_code_size(w, "near", l.near);
    wg_code_size(w, "far_stride", l.far_stride);
    wg_code_size(w, "runs", l.runs);
    wg_code_size(w, "run_stride", l.run_stride);
    wg_code_size(w, "n", l.n);
    wg_code_size(w, "stride", l.stride);
    wg_code_size(w, "cycle", l.cycle);
    wg_code_size(w, "row_step", l.row_step);
    wg_code_size(w, "run_step", l.run_step);
    wg_code_size(w, "step", l.step);
    wg_code_size(w, "weights", l.weights);
    wg_code_size(w, "centered", o->centered);
    wg_code_number(w, "eps", o->eps);
}

/* ---- Passes over the rows ---------------------------------------------------------------------------------------- */
typedef struct {
    wg_dtype dtype;
    size_t size; /* bytes an element */
    layout at;
    const wg_normalized_options *o;
    const unsigned char *x, *g, *weight, *bias;
    unsigned char *to;
    double *mean, *var; /* one a row; may be NULL */
    double *sums;       /* of weights: of each row or run, or of each piece and weight */
    int64_t per_piece;  /* rows */
    unsigned char one[8], zero[8];
} pass;

static bool side_by_side(const pass *p) { return p->at.stride != 1; }

static pass pass_of(const wg_call *c, const wg_type *x, const wg_normalized_options *o)
{
    pass p = {.dtype = c->dtype, .size = wg_dtype_size(c->dtype), .at = layout_of(x, o), .o = o};
    int64_t count = p.at.runs * p.at.n;
    p.per_piece = side_by_side(&p) ? WG_TILE : count > 0 && count < WG_PIECE ? WG_PIECE / count : 1;
    wg_store_number(p.dtype, 1, p.one);
    wg_store_number(p.dtype, 0, p.zero);
    return p;
}

/* Rows side by side are cut where their neighbourhood ends. */
static int64_t pieces_of(const pass *p)
{
    int64_t together = side_by_side(p) ? p->at.near : p->at.rows;
    int64_t each = (together + p->per_piece - 1) / p->per_piece;
    return side_by_side(p) ? p->at.rows / p->at.near * each : each;
}

static void rows_of_piece(const pass *p, int64_t piece, int64_t *first, int64_t *end)
{
    int64_t together = side_by_side(p) ? p->at.near : p->at.rows, start = 0;
    if (side_by_side(p)) {
        int64_t each = (together + p->per_piece - 1) / p->per_piece;
        start = piece / each * together;
        piece %= each;
    }
    *first = start + piece * p->per_piece;
    *end = *first + p->per_piece < start + together ? *first + p->per_piece : start + together;
}

static size_t run_at(const pass *p, int64_t row, int64_t run)
{
    return (size_t)(row / p->at.near * p->at.far_stride + row % p->at.near + run * p->at.run_stride) * p->size;
}

static int64_t weight_at(const pass *p, int64_t row, int64_t run)
{
    return row % p->at.cycle * p->at.row_step + run * p->at.run_step;
}

/* The weight, or bias, of a run's first element, and how far it is to the next one's. */
static const void *weight_of_run(const pass *p, const unsigned char *weight, const void *none, int64_t row, int64_t run)
{
    return weight ? weight + (size_t)weight_at(p, row, run) * p->size : none;
}
static int64_t step_of(const pass *p, const unsigned char *weight) { return weight ? p->at.step : 0; }

static wg_row_numbers row_statistics(const pass *p, int64_t row, double *var)
{
    wg_row_numbers r = {0};
    double n = (double)(p->at.runs * p->at.n), squares = 0;
    for (int64_t k = 0; p->o->centered && k < p->at.runs; k++)
        r.mean += wg_norm_kernels[p->dtype].sum(p->at.n, p->x + run_at(p, row, k));
    r.mean /= n;
    for (int64_t k = 0; k < p->at.runs; k++)
        squares += wg_norm_kernels[p->dtype].squares(p->at.n, p->x + run_at(p, row, k), &r);
    *var = squares / n;
    r.scale = 1 / sqrt(*var + p->o->eps);
    return r;
}

static wg_columns columns_of(const pass *p, int64_t first, int64_t end, wg_column_numbers *r)
{
    bool by_row = !p->at.step;
    wg_columns s = {.n = p->at.n, .m = end - first, .stride = p->at.stride, .centered = p->o->centered,
                    .eps = p->o->eps};
    *(by_row ? &s.row_weight : &s.weight) = weight_of_run(p, p->weight, NULL, first, 0);
    *(by_row ? &s.row_bias : &s.bias) = weight_of_run(p, p->bias, NULL, first, 0);
    wg_norm_kernels[p->dtype].columns_statistics(&s, p->x + run_at(p, first, 0), r);
    return s;
}

static void apply_columns(const pass *p, int64_t first, int64_t end)
{
    wg_column_numbers r;
    wg_columns s = columns_of(p, first, end, &r);
    size_t at = run_at(p, first, 0);
    wg_norm_kernels[p->dtype].columns_apply(&s, p->x + at, &r, p->to + at);
    if (p->mean) {
        memcpy(p->mean + first, r.mean, (size_t)s.m * sizeof *r.mean);
        memcpy(p->var + first, r.var, (size_t)s.m * sizeof *r.var);
    }
}

static void apply_piece(void *argument, int64_t piece)
{
    const pass *p = argument;
    int64_t first, end;
    rows_of_piece(p, piece, &first, &end);
    if (side_by_side(p)) {
        apply_columns(p, first, end);
        return;
    }
    for (int64_t row = first; row < end; row++) {
        double var;
        wg_row_numbers r = row_statistics(p, row, &var);
        if (p->mean) {
            p->mean[row] = r.mean;
            p->var[row] = var;
        }
        for (int64_t k = 0; k < p->at.runs; k++) {
            size_t at = run_at(p, row, k);
            const void *weight = weight_of_run(p, p->weight, p->one, row, k);
            const void *bias = weight_of_run(p, p->bias, p->zero, row, k);
            wg_norm_kernels[p->dtype].apply(p->at.n, p->x + at, weight, step_of(p, p->weight), bias,
                                            step_of(p, p->bias), &r, p->to + at);
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
    wg_parallel(c->tape, pieces_of(&p), apply_piece, &p);
    return WG_OK;
}

/* One row's P (g weight), and its statistics. */
static wg_row_numbers pull_row(const pass *p, int64_t row)
{
    double var, sum[2] = {0}, n = (double)(p->at.runs * p->at.n);
    wg_row_numbers r = row_statistics(p, row, &var);
    int64_t step = step_of(p, p->weight);
    for (int64_t k = 0; k < p->at.runs; k++) {
        size_t at = run_at(p, row, k);
        const void *weight = weight_of_run(p, p->weight, p->one, row, k);
        wg_norm_kernels[p->dtype].dots(p->at.n, p->g + at, p->x + at, weight, step, &r, sum);
    }
    r.h = p->o->centered ? sum[0] / n : 0;
    r.hn = sum[1] / n;
    for (int64_t k = 0; k < p->at.runs; k++) {
        size_t at = run_at(p, row, k);
        const void *weight = weight_of_run(p, p->weight, p->one, row, k);
        wg_norm_kernels[p->dtype].pull(p->at.n, p->g + at, p->x + at, weight, step, &r, p->to + at);
    }
    return r;
}

static void pull_piece(void *argument, int64_t piece)
{
    const pass *p = argument;
    int64_t first, end;
    rows_of_piece(p, piece, &first, &end);
    if (side_by_side(p)) {
        wg_column_numbers r;
        wg_columns s = columns_of(p, first, end, &r);
        size_t at = run_at(p, first, 0);
        wg_norm_kernels[p->dtype].columns_pull(&s, p->g + at, p->x + at, &r, p->to + at);
        return;
    }
    for (int64_t row = first; row < end; row++)
        pull_row(p, row);
}

/* ---- Shapes ------------------------------------------------------------------------------------------------------ */
static bool trails(const wg_normalized_options *o, int rank) { return o->axis.at[o->axis.n - 1] == rank - 1; }

static wg_shape weight_shape(const wg_type *x, const wg_normalized_options *o)
{
    wg_shape shape = {{o->groups ? x->dim[1] : 0}, 1};
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
        return wg_fail(c, WG_ERROR_SHAPE, "the channels of %s do not make %lld groups", wg_show(c, 0),
                       (long long)o->groups);
    wg_shape shape = weight_shape(x, o);
    wg_type wanted = wg_type_make(x->dtype, shape);
    for (int i = weight; i <= last; i++)
        if (wg_given(c, i) && !wg_type_equal(&c->x[i], &wanted)) {
            char text[200];
            return wg_fail(c, WG_ERROR_SHAPE, "%s does not fit %s: it would have shape %s", wg_show(c, i),
                           wg_show(c, 0), wg_shape_text(&shape, text, sizeof text));
        }
    return WG_OK;
}

wg_tensor wg_weight_along(wg_tensor weight, const wg_type *x, const wg_normalized_options *o)
{
    int axis = o->groups ? 1 : o->axis.at[0];
    if (!wg_is_tensor(weight) || (!o->groups && trails(o, x->rank)) || axis == x->rank - 1)
        return weight;
    wg_shape shape = {{x->dim[axis]}, x->rank - axis};
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
static void normalized_formula(const wg_call *c, wg_tensor *out)
{
    const wg_normalized_options *o = c->options;
    wg_axes axes;
    wg_tensor x = in_rows(c->in[0], &c->x[0], o, &axes);
    if (o->centered)
        x = wg_subtract(x, wg_mean(x, .axis = axes, .keepdims = true));
    wg_tensor var = wg_mean(wg_square(x), .axis = axes, .keepdims = true);
    out[0] = wg_reshape(wg_divide(x, wg_sqrt(wg_add(var, o->eps))), wg_type_shape(&c->x[0]));
}
static wg_status normalized_c(const wg_call *c, wg_code *w)
{
    wg_rows_c(w, &c->x[0], c->options);
    return wg_code_text(
        w, TEXT_OF(WG_ROWS_BEGIN EACH_OF_ROW y[ROW_AT] = (T)(((double)x[ROW_AT] - mean) * scale); WG_ROWS_END));
}

WG_OP(normalized) = {
    .name = "normalized",
    .doc = "y = (x - mean) / sqrt(var + eps) of each row",
    .in = {{"x", 0}},
    .options = NORMALIZED_SCHEMA,
    .type = normalized_type,
    .run = normalized_run,
    .c = normalized_c,
    .vjp = {normalized_dx},
    .jvp = normalized_jvp,
    .saves = "x",
    .formula = normalized_formula,
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
    wg_parallel(c->tape, pieces_of(&p), pull_piece, &p);
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

static wg_tensor plus(wg_tensor a, wg_tensor b) { return wg_is_none(a) ? b : wg_is_none(b) ? a : wg_add(a, b); }

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
/* h is g weight. */
#define PULL_OF_ROW(H)                                                                                                 \
    double h = 0; double hn = 0;                                                                                       \
    EACH_OF_ROW { h += H; hn += H * ((double)x[ROW_AT] - mean) * scale; }                                              \
    h = centered ? h / (double)(runs * n) : 0;                                                                         \
    hn /= (double)(runs * n);                                                                                          \
    EACH_OF_ROW TO_OF_ROW[ROW_AT] = (T)(scale * (H - h - ((double)x[ROW_AT] - mean) * scale * hn));

#define TO_OF_ROW y
static wg_status norm_pull_c(const wg_call *c, wg_code *w)
{
    wg_rows_c(w, &c->x[1], c->options);
    return wg_code_text(
        w, wg_given(c, 2) ? TEXT_OF(WG_ROWS_BEGIN PULL_OF_ROW((double)(g[ROW_AT] * weight[ROW_WEIGHT])) WG_ROWS_END)
                          : TEXT_OF(WG_ROWS_BEGIN PULL_OF_ROW((double)g[ROW_AT]) WG_ROWS_END));
}
#undef TO_OF_ROW

WG_OP(norm_pull) = {
    .name = "norm_pull",
    .doc = "y = r (h - mean(h) - n mean(h n)) with h = g weight, n = normalized(x) and r = 1 / sqrt(var + eps)",
    .in = {{"g", 0}, {"x", 0}, {"weight", WG_OPTIONAL}},
    .options = NORMALIZED_SCHEMA,
    .type = norm_pull_type,
    .run = norm_pull_run,
    .c = norm_pull_c,
    .vjp = {norm_pull_dg, norm_pull_dx, norm_pull_dweight},
    .jvp = norm_pull_jvp,
    .saves = "g x weight",
    .samples = {"[2,5] [2,5]", "[2,4,3] [2,4,3] [4] axis=1", "[2,4,3] [2,4,3] [4] groups=2",
                "[3,4,2] [3,4,2] [4] groups=-1", "[2,5] [2,5] [5] centered=false", "[0,3] [0,3]"},
    .hidden = true,
};
wg_tensor wg_norm_pull(wg_tensor g, wg_tensor x, wg_tensor weight, const wg_normalized_options *o)
{
    return WG_RECORD(norm_pull, o, g, x, weight);
}

/* ---- norm_weight_pull: the sum of g n(x) over all that has one weight ------------------------------------------- */
#define MOST_SUMS 64 /* pieces of rows that have sums of their own */

/* How many rows from `row` on, at most WG_DEPTH, lie one behind the other and have the same weights. Where weights are
 * one an element, a row is one run. */
static int64_t rows_alike(const pass *p, int64_t row, int64_t end)
{
    int64_t most = p->at.cycle == 1 ? WG_DEPTH : 1;
    return end - row < most ? end - row : most;
}

/* Each piece of rows adds to its own sums, where they are one an element; to those of its rows or runs, where they
 * are not. */
static void weigh_piece(void *argument, int64_t piece)
{
    const pass *p = argument;
    int64_t first, end;
    rows_of_piece(p, piece, &first, &end);
    double *own = p->at.step ? p->sums + piece * p->at.weights : p->sums + first * p->at.runs;
    if (side_by_side(p)) {
        wg_column_numbers r;
        wg_columns s = columns_of(p, first, end, &r);
        size_t at = run_at(p, first, 0);
        wg_norm_kernels[p->dtype].columns_weigh(&s, !p->at.step, p->g + at, p->x + at, &r, own);
        return;
    }
    for (int64_t row = first, m = 1; row < end; row += m) {
        double var;
        wg_row_numbers r[WG_DEPTH];
        size_t at = run_at(p, row, 0);
        m = p->at.step ? rows_alike(p, row, end) : 1;
        for (int64_t k = 0; k < m; k++)
            r[k] = row_statistics(p, row + k, &var);
        if (p->at.step)
            wg_norm_kernels[p->dtype].weigh(p->at.n, m, p->g + at, p->x + at, r, own + weight_at(p, row, 0), NULL);
        for (int64_t k = 0; !p->at.step && k < p->at.runs; k++) {
            double part[2] = {0};
            at = run_at(p, row, k);
            wg_norm_kernels[p->dtype].dots(p->at.n, p->g + at, p->x + at, p->one, 0, r, part);
            own[(row - first) * p->at.runs + k] = part[1];
        }
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
    p.g = c->from[0];
    p.x = c->from[1];
    if (p.at.step && !side_by_side(&p) && p.per_piece < p.at.rows / MOST_SUMS)
        p.per_piece = p.at.rows / MOST_SUMS;
    int64_t pieces = pieces_of(&p), sums = p.at.step ? pieces * p.at.weights : p.at.rows * p.at.runs;
    double *total = wg_scratch(c, (size_t)p.at.weights * sizeof *total);
    p.sums = wg_scratch(c, (size_t)sums * sizeof *p.sums);
    if (!total || !p.sums)
        return WG_ERROR_MEMORY;
    memset(total, 0, (size_t)p.at.weights * sizeof *total);
    memset(p.sums, 0, (size_t)sums * sizeof *p.sums);
    wg_parallel(c->tape, pieces, weigh_piece, &p);
    for (int64_t i = 0; i < sums; i++)
        total[p.at.step ? i % p.at.weights : weight_at(&p, i / p.at.runs, i % p.at.runs)] += p.sums[i];
    for (int64_t i = 0; i < p.at.weights; i++)
        wg_store_number(c->dtype, total[i], (unsigned char *)c->to[0] + (size_t)i * p.size);
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
static wg_status norm_weight_pull_c(const wg_call *c, wg_code *w)
{
    wg_code_fill(w, "y", wg_type_count(&c->y[0]), "0");
    wg_rows_c(w, &c->x[1], c->options);
    return wg_code_text(w, TEXT_OF(WG_ROWS_BEGIN
        EACH_OF_ROW y[ROW_WEIGHT] += g[ROW_AT] * (T)(((double)x[ROW_AT] - mean) * scale); WG_ROWS_END));
}

WG_OP(norm_weight_pull) = {
    .name = "norm_weight_pull",
    .doc = "y = the sum of g normalized(x) over all that has one weight",
    .in = {{"g", 0}, {"x", 0}},
    .options = NORMALIZED_SCHEMA,
    .type = norm_weight_pull_type,
    .run = norm_weight_pull_run,
    .c = norm_weight_pull_c,
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

/* ---- norm_pulls: the cotangents of x, weight and bias in one pass over x and g ----------------------------------- */
/* Each piece of rows has sums of its own: of g n(x), and behind them of g. */
static void pulls_piece(void *argument, int64_t piece)
{
    const pass *p = argument;
    int64_t first, end;
    double *of_weight = p->sums + piece * 2 * p->at.weights, *of_bias = of_weight + p->at.weights;
    rows_of_piece(p, piece, &first, &end);
    for (int64_t row = first, m; row < end; row += m) {
        wg_row_numbers r[WG_DEPTH];
        int64_t weight = weight_at(p, row, 0);
        size_t at = run_at(p, row, 0);
        m = rows_alike(p, row, end);
        for (int64_t k = 0; k < m; k++)
            r[k] = pull_row(p, row + k);
        wg_norm_kernels[p->dtype].weigh(p->at.n, m, p->g + at, p->x + at, r, of_weight + weight, of_bias + weight);
    }
}

static wg_status norm_pulls_type(wg_call *c)
{
    if (!wg_type_equal(&c->x[0], &c->x[1]))
        return wg_fail(c, WG_ERROR_SHAPE, "%s and %s differ in shape", wg_show(c, 0), wg_show(c, 1));
    c->y[0] = c->x[1];
    c->y[1] = c->y[2] = c->x[2];
    wg_status status = wg_normalized_fits(c, c->options, 1, 0);
    layout l = status ? (layout){0} : layout_of(&c->x[1], c->options);
    if (!status && (!l.step || l.stride != 1 || wg_type_count(&c->x[2]) != l.weights))
        return wg_fail(c, WG_ERROR_SHAPE, "%s are no weights along a row of %s", wg_show(c, 2), wg_show(c, 1));
    return status;
}

static wg_status norm_pulls_run(const wg_call *c)
{
    pass p = pass_of(c, &c->x[1], c->options);
    p.g = c->from[0];
    p.x = c->from[1];
    p.weight = c->from[2];
    p.to = c->to[0];
    if (p.per_piece < p.at.rows / MOST_SUMS)
        p.per_piece = p.at.rows / MOST_SUMS;
    int64_t pieces = pieces_of(&p), n = 2 * p.at.weights;
    p.sums = wg_scratch(c, (size_t)((pieces + 1) * n) * sizeof *p.sums);
    if (!p.sums)
        return WG_ERROR_MEMORY;
    double *total = p.sums + pieces * n;
    memset(p.sums, 0, (size_t)((pieces + 1) * n) * sizeof *p.sums);
    wg_parallel(c->tape, pieces, pulls_piece, &p);
    for (int64_t i = 0; i < pieces * n; i++)
        total[i % n] += p.sums[i];
    for (int64_t i = 0; i < n; i++)
        wg_store_number(c->dtype, total[i],
                        (unsigned char *)c->to[1 + i / p.at.weights] + (size_t)(i % p.at.weights) * p.size);
    return WG_OK;
}

#define TO_OF_ROW dx
static wg_status norm_pulls_c(const wg_call *c, wg_code *w)
{
    wg_code_fill(w, "dweight", wg_type_count(&c->y[1]), "0");
    wg_code_fill(w, "dbias", wg_type_count(&c->y[2]), "0");
    wg_rows_c(w, &c->x[1], c->options);
    return wg_code_text(w, TEXT_OF(WG_ROWS_BEGIN PULL_OF_ROW((double)(g[ROW_AT] * weight[ROW_WEIGHT]))
        EACH_OF_ROW {
            dweight[ROW_WEIGHT] += g[ROW_AT] * (T)(((double)x[ROW_AT] - mean) * scale);
            dbias[ROW_WEIGHT] += g[ROW_AT];
        } WG_ROWS_END));
}

/* Rules of the three results, each the rule of the operation that gives it alone. */
static wg_tensor norm_pulls_dg(const wg_call *c, wg_tensor u)
{
    wg_tensor by_dx = wg_is_none(u) ? WG_NONE : norm_pull_dg(c, u);
    wg_tensor by_dweight = wg_is_none(c->g[1]) ? WG_NONE : norm_weight_pull_dg(c, c->g[1]), by_dbias = c->g[2];
    if (!wg_is_none(by_dbias))
        by_dbias = wg_broadcast_to(wg_weight_along(by_dbias, &c->x[1], c->options), wg_type_shape(&c->x[1]));
    return plus(plus(by_dx, by_dweight), by_dbias);
}
static wg_tensor norm_pulls_dx(const wg_call *c, wg_tensor u)
{
    wg_tensor by_dx = wg_is_none(u) ? WG_NONE : norm_pull_dx(c, u);
    return plus(by_dx, wg_is_none(c->g[1]) ? WG_NONE : norm_weight_pull_dx(c, c->g[1]));
}
static wg_tensor norm_pulls_dweight(const wg_call *c, wg_tensor u)
{
    return wg_is_none(u) ? WG_NONE : norm_pull_dweight(c, u);
}
static wg_tensor norm_pulls_jvp(const wg_call *c)
{
    if (c->which == 0)
        return norm_pull_jvp(c);
    if (c->which == 1)
        return norm_weight_pull_jvp(c);
    return wg_is_none(c->t[0]) ? WG_NONE : wg_sum_to_weight(c->t[0], c->options);
}

WG_OP(norm_pulls) = {
    .name = "norm_pulls",
    .doc = "dx = P (g weight), dweight = the sum of g normalized(x), dbias = the sum of g",
    .in = {{"g", 0}, {"x", 0}, {"weight", 0}},
    .out = {"dx", "dweight", "dbias"},
    .options = NORMALIZED_SCHEMA,
    .type = norm_pulls_type,
    .run = norm_pulls_run,
    .c = norm_pulls_c,
    .vjp = {norm_pulls_dg, norm_pulls_dx, norm_pulls_dweight},
    .jvp = norm_pulls_jvp,
    .saves = "g x weight",
    .samples = {"[2,5] [2,5] [5]", "[2,3,4] [2,3,4] [3,4] axis=[1,2]", "[2,4] [2,4] [4] groups=2",
                "[3,4] [3,4] [4] centered=false", "[0,3] [0,3] [3]"},
    .hidden = true,
};
void wg_norm_pulls(wg_tensor g, wg_tensor x, wg_tensor weight, const wg_normalized_options *o, wg_tensor to[3])
{
    wg_type type = wg_type_of(x);
    layout l = layout_of(&type, o);
    if (l.step && l.stride == 1)
        wg_record_on(x.tape, &norm_pulls_op, o, (const wg_tensor[]){g, x, weight}, 3, to, 3);
}

WG_FAMILY_OF(normalize, "networks", NORMALIZE)
