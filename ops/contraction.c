/* Products along lines: vecdot and cross run along one axis of operands that broadcast over the others, kron over all
 * pairs of entries. Each is linear in each factor, and its rules are products again. */
#include "ops/code.h"
#include "core/tape.h"
#include "wengert/elementwise.h"
#include "wengert/map.h"
#include "wengert/products.h"
#include "wengert/shape.h"

#define CONTRACTIONS(OP) OP(vecdot) OP(cross) OP(kron)
WG_CONTENTS(CONTRACTIONS)

/* ---- Lines ------------------------------------------------------------------------------------------------------- */
/* The lines along `axis` of the shape that a and b broadcast to, their other axes in row-major order. */
typedef struct {
    const wg_call *c;
    wg_type full;
    int axis;
    int64_t count, length, step[2][WG_MAX_RANK];
} lines;

static wg_status lines_of(const wg_call *c, int axis, lines *to)
{
    *to = (lines){.c = c, .count = 1};
    if (wg_broadcast_shapes(c, &c->x[0], &c->x[1], &to->full))
        return WG_ERROR_SHAPE;
    to->full.dtype = c->dtype;
    to->axis = wg_resolve_axis(c, axis, to->full.rank);
    if (to->axis < 0)
        return WG_ERROR_SHAPE;
    for (int k = 0; k < 2; k++) {
        int own = to->axis - to->full.rank + c->x[k].rank;
        if (own < 0 || c->x[k].dim[own] != to->full.dim[to->axis])
            return wg_fail(c, WG_ERROR_SHAPE, "%s and %s differ along axis %d", wg_show(c, 0), wg_show(c, 1), axis);
    }
    for (int i = 0; i < to->full.rank; i++)
        to->count *= i == to->axis ? 1 : to->full.dim[i];
    to->length = to->full.dim[to->axis];
    for (int k = 0; k < 2 && c->from; k++)
        wg_broadcast_strides(&c->x[k], c->stride[k], &to->full, to->step[k]);
    return WG_OK;
}

/* Where line i starts in a and in b, in elements. */
static void line_at(const lines *l, int64_t i, int64_t at[2])
{
    at[0] = at[1] = 0;
    for (int r = l->full.rank - 1; r >= 0; r--) {
        if (r == l->axis)
            continue;
        int64_t place = i % l->full.dim[r];
        i /= l->full.dim[r];
        at[0] += place * l->step[0][r];
        at[1] += place * l->step[1][r];
    }
}

/* Lines of about WG_PIECE elements are one piece of work. */
static int64_t lines_a_piece(const lines *l)
{
    int64_t n = WG_PIECE / (l->length ? l->length : 1);
    return n ? n : 1;
}

static void over_lines(lines *l, wg_work *f32, wg_work *f64)
{
    int64_t pieces = (l->count + lines_a_piece(l) - 1) / lines_a_piece(l);
    wg_parallel(l->c->tape, pieces, l->c->dtype == WG_FLOAT32 ? f32 : f64, l);
}

#define FOR_LINES(l, piece, i, at)                                                                                     \
    for (int64_t i = (piece)*lines_a_piece(l), at[2]; i < l->count && i < ((piece) + 1) * lines_a_piece(l); i++)

/* ---- vecdot ------------------------------------------------------------------------------------------------------ */
#define LANES 8

/* In double and in lanes: right to the last float32 bit, and vector code where both lie contiguously. */
#define VECDOT(T, suffix)                                                                                              \
    static double dot_##suffix(int64_t n, const T *a, int64_t step_a, const T *b, int64_t step_b)                      \
    {                                                                                                                  \
        double lane[LANES] = {0}, sum = 0;                                                                             \
        int64_t whole = n - n % LANES;                                                                                 \
        if (step_a == 1 && step_b == 1)                                                                                \
            for (int64_t i = 0; i < whole; i += LANES)                                                                 \
                for (int l = 0; l < LANES; l++)                                                                        \
                    lane[l] += (double)a[i + l] * (double)b[i + l];                                                    \
        else                                                                                                           \
            for (int64_t i = 0; i < whole; i += LANES)                                                                 \
                for (int l = 0; l < LANES; l++)                                                                        \
                    lane[l] += (double)a[(i + l) * step_a] * (double)b[(i + l) * step_b];                              \
        for (int64_t i = whole; i < n; i++)                                                                            \
            lane[i - whole] += (double)a[i * step_a] * (double)b[i * step_b];                                          \
        for (int l = 0; l < LANES; l++)                                                                                \
            sum += lane[l];                                                                                            \
        return sum;                                                                                                    \
    }                                                                                                                  \
    static void vecdot_##suffix(void *argument, int64_t piece)                                                         \
    {                                                                                                                  \
        const lines *l = argument;                                                                                     \
        FOR_LINES(l, piece, i, at)                                                                                     \
        {                                                                                                              \
            line_at(l, i, at);                                                                                         \
            const T *a = (const T *)l->c->from[0] + at[0], *b = (const T *)l->c->from[1] + at[1];                      \
            ((T *)l->c->to[0])[i] = (T)dot_##suffix(l->length, a, l->step[0][l->axis], b, l->step[1][l->axis]);        \
        }                                                                                                              \
    }
VECDOT(float, f32)
VECDOT(double, f64)

static wg_status vecdot_type(wg_call *c)
{
    lines l;
    if (lines_of(c, ((const wg_vecdot_options *)c->options)->axis, &l))
        return WG_ERROR_SHAPE;
    c->y[0] = l.full;
    c->y[0].rank--;
    for (int i = l.axis; i < c->y[0].rank; i++)
        c->y[0].dim[i] = l.full.dim[i + 1];
    return WG_OK;
}

static wg_status vecdot_run(const wg_call *c)
{
    lines l;
    if (lines_of(c, ((const wg_vecdot_options *)c->options)->axis, &l))
        return WG_ERROR_SHAPE;
    over_lines(&l, vecdot_f32, vecdot_f64);
    return WG_OK;
}

/* y = sum a b: da = g b, db = g a, with g spread along the axis that went. */
static wg_tensor vecdot_dx(const wg_call *c, wg_tensor g)
{
    int rank = c->x[0].rank > c->x[1].rank ? c->x[0].rank : c->x[1].rank;
    int axis = wg_resolve_axis(c, ((const wg_vecdot_options *)c->options)->axis, rank);
    return wg_multiply(wg_expand_dims(g, axis), c->in[1 - c->which]);
}

static double vecdot_flops(const wg_call *c)
{
    return 2 * fmax((double)wg_type_count(&c->x[0]), (double)wg_type_count(&c->x[1]));
}

static wg_status vecdot_c(const wg_call *c, wg_code *w)
{
    return wg_code_lines(c, w, ((const wg_vecdot_options *)c->options)->axis, WG_C(
        double sum = 0;
        for (int k = 0; k < length; k++) sum += (double)a[at_a + k * step_a] * (double)b[at_b + k * step_b];
        y[line] = (T)sum; line++;));
}

WG_OP(vecdot) = {
    .name = "vecdot",
    .doc = "y = the sum over `axis` of a times b; the other axes broadcast",
    .in = {{"a", 0}, {"b", 0}},
    .options = WG_SCHEMA(wg_vecdot, WG_ATTR(wg_vecdot, axis, .raw = true)),
    .type = vecdot_type,
    .run = vecdot_run,
    .c = vecdot_c,
    .vjp = {vecdot_dx, vecdot_dx},
    .linear = WG_SEPARATELY,
    .saves = "a b",
    .samples = {"[3] [3]", "[2,3] [2,3]", "[2,1,3] [4,3]", "[3,2] [3,2] axis=0", "[2,3,4] [3,4] axis=-2", "[2,0] [2,0]",
                "[0,3] [3]", "[2,19] [19]"},
    .flops = vecdot_flops,
    .strided = true,
};
wg_tensor (wg_vecdot)(wg_tensor a, wg_tensor b, wg_vecdot_options options) { return WG_RECORD(vecdot, &options, a, b); }

/* ---- cross ------------------------------------------------------------------------------------------------------- */
static int64_t line_of_result(const lines *l, int64_t i, int64_t *step)
{
    *step = 1;
    for (int r = l->full.rank - 1; r > l->axis; r--)
        *step *= l->full.dim[r];
    return i / *step * *step * l->length + i % *step;
}

#define CROSS(T, suffix)                                                                                               \
    static void cross_##suffix(void *argument, int64_t piece)                                                          \
    {                                                                                                                  \
        const lines *l = argument;                                                                                     \
        FOR_LINES(l, piece, i, at)                                                                                     \
        {                                                                                                              \
            int64_t step, sa = l->step[0][l->axis], sb = l->step[1][l->axis];                                          \
            line_at(l, i, at);                                                                                         \
            const T *a = (const T *)l->c->from[0] + at[0], *b = (const T *)l->c->from[1] + at[1];                      \
            T *y = (T *)l->c->to[0] + line_of_result(l, i, &step);                                                     \
            y[0] = a[sa] * b[2 * sb] - a[2 * sa] * b[sb];                                                              \
            y[step] = a[2 * sa] * b[0] - a[0] * b[2 * sb];                                                             \
            y[2 * step] = a[0] * b[sb] - a[sa] * b[0];                                                                 \
        }                                                                                                              \
    }
CROSS(float, f32)
CROSS(double, f64)

/* Do both operands lie as the result does? */
static bool lies_dense(const lines *l)
{
    int64_t step = 1;
    bool dense = true;
    for (int i = l->full.rank; i-- > 0; step *= l->full.dim[i])
        for (int k = 0; k < 2; k++)
            dense &= l->full.dim[i] == 1 || l->step[k][i] == step;
    return dense;
}

/* Planes [3, inner], row beside row. */
#define CROSS_PLANES(T, suffix)                                                                                        \
    static WG_CLONES void cross_plane_##suffix(int64_t n, const T *restrict a, const T *restrict b, T *restrict y)     \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            y[i] = a[n + i] * b[2 * n + i] - a[2 * n + i] * b[n + i];                                                  \
            y[n + i] = a[2 * n + i] * b[i] - a[i] * b[2 * n + i];                                                      \
            y[2 * n + i] = a[i] * b[n + i] - a[n + i] * b[i];                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static void cross_planes_##suffix(void *argument, int64_t plane)                                                   \
    {                                                                                                                  \
        const lines *l = argument;                                                                                     \
        int64_t n = 1;                                                                                                 \
        for (int i = l->axis + 1; i < l->full.rank; i++)                                                               \
            n *= l->full.dim[i];                                                                                       \
        const int64_t at = plane * 3 * n;                                                                              \
        cross_plane_##suffix(n, (const T *)l->c->from[0] + at, (const T *)l->c->from[1] + at, (T *)l->c->to[0] + at);  \
    }
CROSS_PLANES(float, f32)
CROSS_PLANES(double, f64)

static wg_status cross_type(wg_call *c)
{
    lines l;
    if (lines_of(c, ((const wg_cross_options *)c->options)->axis, &l))
        return WG_ERROR_SHAPE;
    if (l.length != 3)
        return wg_fail(c, WG_ERROR_SHAPE, "%s and %s have not 3 entries along axis %d", wg_show(c, 0), wg_show(c, 1),
                       l.axis);
    c->y[0] = l.full;
    return WG_OK;
}

static wg_status cross_run(const wg_call *c)
{
    lines l;
    if (lines_of(c, ((const wg_cross_options *)c->options)->axis, &l))
        return WG_ERROR_SHAPE;
    int64_t planes = 1;
    for (int i = 0; i < l.axis; i++)
        planes *= l.full.dim[i];
    if (l.count > planes && lies_dense(&l)) /* as many lines a plane as would be vectors */
        wg_parallel(c->tape, planes, c->dtype == WG_FLOAT32 ? cross_planes_f32 : cross_planes_f64, &l);
    else
        over_lines(&l, cross_f32, cross_f64);
    return WG_OK;
}

/* The axis from the end, where operands of any rank have it. */
static int cross_axis(const wg_call *c)
{
    int axis = ((const wg_cross_options *)c->options)->axis;
    return axis < 0 ? axis : axis - c->y[0].rank;
}

/* The triple product g . (a x b) may be turned: (b x g) . a = (g x a) . b. */
static wg_tensor cross_da(const wg_call *c, wg_tensor g) { return wg_cross(c->in[1], g, .axis = cross_axis(c)); }
static wg_tensor cross_db(const wg_call *c, wg_tensor g) { return wg_cross(g, c->in[0], .axis = cross_axis(c)); }

static wg_status cross_c(const wg_call *c, wg_code *w)
{
    return wg_code_lines(c, w, ((const wg_cross_options *)c->options)->axis, WG_C(
        const int to = line / inner * inner * length + line % inner;
        y[to] = a[at_a + step_a] * b[at_b + 2 * step_b] - a[at_a + 2 * step_a] * b[at_b + step_b];
        y[to + inner] = a[at_a + 2 * step_a] * b[at_b] - a[at_a] * b[at_b + 2 * step_b];
        y[to + 2 * inner] = a[at_a] * b[at_b + step_b] - a[at_a + step_a] * b[at_b];
        line++;));
}

WG_OP(cross) = {
    .name = "cross",
    .doc = "y = a x b, the vector product along `axis`, of size 3; the other axes broadcast",
    .in = {{"a", 0}, {"b", 0}},
    .options = WG_SCHEMA(wg_cross, WG_ATTR(wg_cross, axis, .raw = true)),
    .type = cross_type,
    .run = cross_run,
    .c = cross_c,
    .vjp = {cross_da, cross_db},
    .linear = WG_SEPARATELY,
    .saves = "a b",
    .samples = {"[3] [3]", "[2,3] [3]", "[3,2] [3,2] axis=0", "[2,1,3] [4,3]", "[0,3] [3]", "[2,3,4] [3,1] axis=-2"},
    .strided = true,
};
wg_tensor (wg_cross)(wg_tensor a, wg_tensor b, wg_cross_options options) { return WG_RECORD(cross, &options, a, b); }

/* ---- kron -------------------------------------------------------------------------------------------------------- */
/* Axis i of the result is axis i of a, and within it axis i of b: [a0, b0, a1, b1, ...], both filled up with ones in
 * front. */
typedef struct {
    int rank;
    int64_t a[WG_MAX_RANK], b[WG_MAX_RANK];
} pairs;

static pairs pairs_of(const wg_call *c)
{
    pairs p = {.rank = c->x[0].rank > c->x[1].rank ? c->x[0].rank : c->x[1].rank};
    for (int i = 0; i < p.rank; i++) {
        int in_a = i - p.rank + c->x[0].rank, in_b = i - p.rank + c->x[1].rank;
        p.a[i] = in_a < 0 ? 1 : c->x[0].dim[in_a];
        p.b[i] = in_b < 0 ? 1 : c->x[1].dim[in_b];
    }
    return p;
}

static wg_status kron_type(wg_call *c)
{
    pairs p = pairs_of(c);
    if (2 * p.rank > WG_MAX_RANK)
        return wg_fail(c, WG_ERROR_SHAPE, "%s and %s have more than %d dimensions", wg_show(c, 0), wg_show(c, 1),
                       WG_MAX_RANK / 2);
    c->y[0] = (wg_type){.dtype = c->dtype, .rank = p.rank};
    for (int i = 0; i < p.rank; i++) {
        if (p.b[i] && p.a[i] > INT64_MAX / p.b[i])
            return wg_fail(c, WG_ERROR_SHAPE, "%s and %s give a size that is too large", wg_show(c, 0), wg_show(c, 1));
        c->y[0].dim[i] = p.a[i] * p.b[i];
    }
    return WG_OK;
}

/* y as [a0, b0, a1, b1, ...], in which a and b broadcast: gathered in runs, and multiplied. */
/* y with each axis as two, that of a and that of b; how a and b go along them. */
static wg_type wide_of(const wg_call *c, int64_t step_a[WG_MAX_RANK], int64_t step_b[WG_MAX_RANK])
{
    pairs p = pairs_of(c);
    wg_type wide = {.dtype = c->dtype, .rank = 2 * p.rank};
    int64_t a = 1, b = 1;
    for (int i = p.rank - 1; i >= 0; i--) {
        wide.dim[2 * i] = p.a[i];
        wide.dim[2 * i + 1] = p.b[i];
        step_a[2 * i] = a;
        step_a[2 * i + 1] = step_b[2 * i] = 0;
        step_b[2 * i + 1] = b;
        a *= p.a[i];
        b *= p.b[i];
    }
    return wide;
}

static wg_status kron_c(const wg_call *c, wg_code *w)
{
    int64_t step_a[WG_MAX_RANK], step_b[WG_MAX_RANK];
    wg_type wide = wide_of(c, step_a, step_b);
    return wg_code_paired(c, w, &wide, step_a, step_b, WG_C(y = a * b;));
}

static wg_status kron_run(const wg_call *c)
{
    int64_t step_a[WG_MAX_RANK], step_b[WG_MAX_RANK];
    wg_type wide = wide_of(c, step_a, step_b);
    int64_t count = wg_type_count(&wide);
    size_t size = wg_dtype_size(c->dtype);
    size_t room = (size_t)(count < WG_PIECE ? count : WG_PIECE) * size;
    void *of_a = wg_scratch(c, room), *of_b = wg_scratch(c, room);
    if (!of_a || !of_b)
        return WG_ERROR_MEMORY;
    for (int64_t first = 0; first < count; first += WG_PIECE) {
        int64_t n = count - first < WG_PIECE ? count - first : WG_PIECE;
        wg_gather_range(&wide, step_a, c->from[0], first, n, of_a);
        wg_gather_range(&wide, step_b, c->from[1], first, n, of_b);
        for (int64_t i = 0; i < n; i++)
            if (c->dtype == WG_FLOAT32)
                ((float *)c->to[0])[first + i] = ((const float *)of_a)[i] * ((const float *)of_b)[i];
            else
                ((double *)c->to[0])[first + i] = ((const double *)of_a)[i] * ((const double *)of_b)[i];
    }
    return WG_OK;
}

/* g as a matrix [entries of a, entries of b], in which y is the outer product of a and b. */
static wg_tensor kron_matrix(const wg_call *c, wg_tensor g)
{
    pairs p = pairs_of(c);
    wg_shape wide = {.rank = 2 * p.rank};
    wg_axes order = {.n = 2 * p.rank};
    for (int i = 0; i < p.rank; i++) {
        wide.dim[2 * i] = p.a[i];
        wide.dim[2 * i + 1] = p.b[i];
        order.at[i] = 2 * i;
        order.at[p.rank + i] = 2 * i + 1;
    }
    wg_tensor pairs_first = p.rank ? wg_permute_dims(wg_reshape(g, wide), order) : g;
    return wg_reshape(pairs_first, WG_SHAPE(wg_type_count(&c->x[0]), wg_type_count(&c->x[1])));
}
static wg_tensor kron_da(const wg_call *c, wg_tensor g)
{
    wg_tensor b = wg_reshape(c->in[1], WG_SHAPE(wg_type_count(&c->x[1])));
    return wg_reshape(wg_matmul(kron_matrix(c, g), b), wg_type_shape(&c->x[0]));
}
static wg_tensor kron_db(const wg_call *c, wg_tensor g)
{
    wg_tensor a = wg_reshape(c->in[0], WG_SHAPE(wg_type_count(&c->x[0])));
    return wg_reshape(wg_matmul(a, kron_matrix(c, g)), wg_type_shape(&c->x[1]));
}

WG_OP(kron) = {
    .name = "kron",
    .doc = "each entry of a times all of b: [n, m] with [p, q] gives [n p, m q]",
    .in = {{"a", 0}, {"b", 0}},
    .type = kron_type,
    .run = kron_run,
    .c = kron_c,
    .vjp = {kron_da, kron_db},
    .linear = WG_SEPARATELY,
    .saves = "a b",
    .samples = {"[2,3] [3,2]", "[3] [2]", "[2,3] [2]", "[2] [2,3]", "[] [2,3]", "[] []", "[0,2] [2,3]",
                "[2,1,2] [1,3,2]"},
};
wg_tensor (wg_kron)(wg_tensor a, wg_tensor b) { return WG_RECORD(kron, NULL, a, b); }

WG_FAMILY_OF(contraction, "products", CONTRACTIONS)
