/* Distances between vectors and the cosine of their angle. A distance is summed from the differences themselves, in
 * double: |a|^2 + |b|^2 - 2 a.b would be one product of matrices, but of vectors near each other it leaves nothing
 * right. In a plain backward pass the cotangents of all pairs are one kernel too; where the derivative is recorded the
 * pairs are spelled out as graph code. */
#include "ops/distance.h"

#include "core/tape.h"
#include "ops/chain.h"
#include "ops/code.h"

#include "wengert/elementwise.h"
#include "wengert/map.h"
#include "wengert/networks.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

#define DISTANCE(OP) OP(cosine_similarity) OP(pairwise_distance) OP(cdist) OP(cdist_pull)
WG_CONTENTS(DISTANCE)

/* ---- Kernels ----------------------------------------------------------------------------------------------------- */
#define LANES 16

/* The sum, or the largest, over j < n of TERM in terms of x = a[j] and z = b[j], in lanes that are vector code. */
#define FOLD_OF(to, TERM, JOIN)                                                                                        \
    {                                                                                                                  \
        double lane[LANES] = {0};                                                                                      \
        int64_t j = 0;                                                                                                 \
        for (; j + LANES <= n; j += LANES)                                                                             \
            for (int i = 0; i < LANES; i++) {                                                                          \
                const double x = (double)a[j + i], z = (double)b[j + i], more = TERM;                                  \
                (void)x, (void)z;                                                                                      \
                lane[i] = JOIN(lane[i], more);                                                                         \
            }                                                                                                          \
        for (int half = n < LANES ? 0 : LANES / 2; half; half /= 2)                                                    \
            for (int i = 0; i < half; i++)                                                                             \
                lane[i] = JOIN(lane[i], lane[i + half]);                                                               \
        for (; j < n; j++) {                                                                                           \
            const double x = (double)a[j], z = (double)b[j], more = TERM;                                              \
            (void)x, (void)z;                                                                                          \
            lane[0] = JOIN(lane[0], more);                                                                             \
        }                                                                                                              \
        to = lane[0];                                                                                                  \
    }
#define PLUS(p, q) ((p) + (q))
#define LARGER(p, q) ((q) > (p) || (q) != (q) ? (q) : (p)) /* a NaN wins */

/* Squares that neither overflow nor, where they count, underflow add up to something in between. */
static bool in_range(double squares) { return squares > 1e-280 && squares < 1e300; }

#define VECTOR_KERNELS(T, suffix)                                                                                      \
    static WG_CLONES double distance_##suffix(double p, int64_t n, const T *a, const T *b)                             \
    {                                                                                                                  \
        double most, sum;                                                                                              \
        if (p == 1) {                                                                                                  \
            FOLD_OF(sum, fabs(x - z), PLUS)                                                                            \
            return sum;                                                                                                \
        }                                                                                                              \
        if (p == 2) {                                                                                                  \
            FOLD_OF(sum, (x - z) * (x - z), PLUS)                                                                      \
            if (in_range(sum))                                                                                         \
                return sqrt(sum);                                                                                      \
        }                                                                                                              \
        FOLD_OF(most, fabs(x - z), LARGER)                                                                             \
        if (!(most > 0) || isinf(most) || isinf(p))                                                                    \
            return most;                                                                                               \
        if (p == 2) {                                                                                                  \
            FOLD_OF(sum, ((x - z) / most) * ((x - z) / most), PLUS)                                                    \
            return most * sqrt(sum);                                                                                   \
        }                                                                                                              \
        FOLD_OF(sum, pow(fabs(x - z) / most, p), PLUS)                                                                 \
        return most * pow(sum, 1 / p);                                                                                 \
    }                                                                                                                  \
    static void distances_##suffix(double p, int64_t rows, int64_t n, const void *a, int64_t a_step, const void *b,    \
                                   int64_t b_step, double *to)                                                         \
    {                                                                                                                  \
        for (int64_t j = 0; j < rows; j++)                                                                             \
            to[j] = distance_##suffix(p, n, (const T *)a + j * a_step, (const T *)b + j * b_step);                     \
    }                                                                                                                  \
    static WG_CLONES double cosine_##suffix(double eps, int64_t n, const T *a, const T *b)                             \
    {                                                                                                                  \
        double most_a = 1, most_b = 1, aa, bb, ab;                                                                     \
        FOLD_OF(aa, x * x, PLUS)                                                                                       \
        FOLD_OF(bb, z * z, PLUS)                                                                                       \
        if (!in_range(aa) || !in_range(bb)) {                                                                          \
            FOLD_OF(most_a, fabs(x), LARGER)                                                                           \
            FOLD_OF(most_b, fabs(z), LARGER)                                                                           \
            if (most_a == 0 || most_b == 0)                                                                            \
                return 0;                                                                                              \
            FOLD_OF(aa, (x / most_a) * (x / most_a), PLUS)                                                             \
            FOLD_OF(bb, (z / most_b) * (z / most_b), PLUS)                                                             \
        }                                                                                                              \
        FOLD_OF(ab, (x / most_a) * (z / most_b), PLUS)                                                                 \
        aa = sqrt(aa);                                                                                                 \
        bb = sqrt(bb);                                                                                                 \
        ab /= aa * bb;                                                                                                 \
        ab *= most_a * aa < eps ? most_a * aa / eps : 1;                                                               \
        return ab * (most_b * bb < eps ? most_b * bb / eps : 1);                                                       \
    }                                                                                                                  \
    static void cosines_##suffix(double eps, int64_t rows, int64_t n, const void *a, const void *b, double *to)        \
    {                                                                                                                  \
        for (int64_t j = 0; j < rows; j++)                                                                             \
            to[j] = cosine_##suffix(eps, n, (const T *)a + j * n, (const T *)b + j * n);                               \
    }
VECTOR_KERNELS(float, f32)
VECTOR_KERNELS(double, f64)

void wg_distances(wg_dtype dtype, double p, int64_t rows, int64_t n, const void *a, int64_t a_step, const void *b,
                  int64_t b_step, double *to)
{
    (dtype == WG_FLOAT32 ? distances_f32 : distances_f64)(p, rows, n, a, a_step, b, b_step, to);
}

void wg_cosines(wg_dtype dtype, double eps, int64_t rows, int64_t n, const void *a, const void *b, double *to)
{
    (dtype == WG_FLOAT32 ? cosines_f32 : cosines_f64)(eps, rows, n, a, b, to);
}

/* ---- The same in C ----------------------------------------------------------------------------------------------- */
#define HELPER(name, ...)                                                                                              \
    static const wg_helper name##_helper = {#name, WG_ROUTINE, "static double " #name #__VA_ARGS__};
#define SQUARES_IN_RANGE(sum) (sum > 1e-280 && sum < 1e300)

HELPER(distance, (double p, int n, const T *a, int step_a, const T *b, int step_b) {
    double most = 0; double sum = 0;
    for (int k = 0; k < n; k++) {
        const double d = fabs_double((double)a[k * step_a] - (double)b[k * step_b]);
        most = d > most || isnan(d) ? d : most;
        sum += p == 1 ? d : d * d;
    }
    if (p == 1) return sum;
    if (p == 2 && sum > 1e-280 && sum < 1e300) return sqrt_double(sum);
    if (!(most > 0) || isinf(most) || isinf(p)) return most;
    sum = 0;
    for (int k = 0; k < n; k++)
        sum += pow_double(fabs_double((double)a[k * step_a] - (double)b[k * step_b]) / most, p);
    return most * pow_double(sum, 1 / p);
})

/* A vector's norm is most * the root of the squares, of which most is 1 where that is in range. */
HELPER(squares, (int n, const T *a, int step, double *most) {
    double sum = 0;
    *most = 0;
    for (int k = 0; k < n; k++) {
        const double x = fabs_double((double)a[k * step]);
        *most = x > *most || isnan(x) ? x : *most;
        sum += x * x;
    }
    if (*most == 0 || (sum > 1e-280 && sum < 1e300)) { *most = *most == 0 ? 0 : 1; return sum; }
    sum = 0;
    for (int k = 0; k < n; k++) sum += (double)a[k * step] / *most * ((double)a[k * step] / *most);
    return sum;
})

HELPER(cosine, (double eps, int n, const T *a, int step_a, const T *b, int step_b) {
    double most_a = 1; double most_b = 1; double sum = 0;
    const double norm_a = sqrt_double(squares(n, a, step_a, &most_a));
    const double norm_b = sqrt_double(squares(n, b, step_b, &most_b));
    if (most_a == 0 || most_b == 0) return 0;
    for (int k = 0; k < n; k++) sum += (double)a[k * step_a] / most_a * ((double)b[k * step_b] / most_b);
    sum /= norm_a * norm_b;
    sum *= most_a * norm_a < eps ? most_a * norm_a / eps : 1;
    return sum * (most_b * norm_b < eps ? most_b * norm_b / eps : 1);
})

WG_HELPERS_OF(distance, &distance_helper, &squares_helper, &cosine_helper)

/* Some at a time, so that they are rounded to the result's dtype while they are in the cache. */
#define BLOCK 256

static void store_all(wg_dtype dtype, int64_t n, const double *from, void *to, int64_t first)
{
    for (int64_t i = 0; i < n; i++)
        if (dtype == WG_FLOAT32)
            ((float *)to)[first + i] = (float)from[i];
        else
            ((double *)to)[first + i] = from[i];
}

/* ---- Pairs of vectors along one axis ----------------------------------------------------------------------------- */
wg_status wg_exponent_fits(const wg_call *c, double p)
{
    return p >= 1 ? WG_OK : wg_fail(c, WG_ERROR_VALUE, "p is %g, not 1 or more", p);
}

static wg_status paired_type(wg_call *c, int axis)
{
    wg_type both;
    if (wg_broadcast_shapes(c, &c->x[0], &c->x[1], &both))
        return WG_ERROR_SHAPE;
    axis = wg_resolve_axis(c, axis, both.rank);
    if (axis < 0)
        return WG_ERROR_SHAPE;
    c->y[0] = both;
    c->y[0].rank = 0;
    for (int i = 0; i < both.rank; i++)
        if (i != axis)
            c->y[0].dim[c->y[0].rank++] = both.dim[i];
    return WG_OK;
}

/* Pairs of vectors with their elements side by side: operands that do not lie so are copied. */
typedef struct {
    const wg_call *c;
    double number; /* p, or eps */
    int64_t rows, n;
    const unsigned char *a, *b;
} pairs;

static const void *vectors_of(const wg_call *c, int i, const wg_type *both, int axis)
{
    int64_t stride[WG_MAX_RANK], moved[WG_MAX_RANK];
    wg_type type = {.dtype = both->dtype, .rank = both->rank};
    if (wg_type_equal(&c->x[i], both) && axis == both->rank - 1)
        return c->from[i];
    wg_broadcast_strides(&c->x[i], NULL, both, stride);
    for (int k = 0, at = 0; k < both->rank; k++) {
        int to = k == axis ? both->rank - 1 : at++;
        type.dim[to] = both->dim[k];
        moved[to] = stride[k];
    }
    void *copy = wg_scratch(c, (size_t)wg_type_count(both) * wg_dtype_size(both->dtype));
    if (copy)
        wg_gather_strided(&type, moved, c->from[i], copy);
    return copy;
}

static wg_status pairs_run(const wg_call *c, int axis, double number, wg_work *piece)
{
    wg_type both;
    if (wg_broadcast_shapes(c, &c->x[0], &c->x[1], &both))
        return WG_ERROR_SHAPE;
    axis = axis < 0 ? axis + both.rank : axis;
    pairs p = {.c = c, .number = number, .rows = wg_type_count(&c->y[0]), .n = both.dim[axis]};
    if (!p.rows)
        return WG_OK;
    p.a = vectors_of(c, 0, &both, axis);
    p.b = vectors_of(c, 1, &both, axis);
    if (!p.a || !p.b)
        return WG_ERROR_MEMORY;
    wg_parallel(c->tape, (p.rows + BLOCK - 1) / BLOCK, piece, &p);
    return WG_OK;
}

/* Operand i, or its tangent, with the shape of both. */
static wg_tensor stretched(const wg_call *c, int i, wg_tensor x)
{
    wg_type both;
    if (wg_broadcast_shapes(c, &c->x[0], &c->x[1], &both) || wg_type_equal(&c->x[i], &both))
        return x;
    return wg_broadcast_to(x, wg_type_shape(&both));
}

/* The tangent of operand 0 times its slope plus that of operand 1 times its own, where they are there. */
static wg_tensor pushed(const wg_call *c, const wg_tensor slope[2])
{
    wg_tensor sum = WG_NONE;
    for (int i = 0; i < 2; i++)
        if (!wg_is_none(c->t[i])) {
            wg_tensor term = wg_strong_multiply(stretched(c, i, c->t[i]), slope[i]);
            sum = wg_is_none(sum) ? term : wg_add(sum, term);
        }
    return sum;
}

/* ---- cosine_similarity ------------------------------------------------------------------------------------------- */
wg_tensor wg_cosine_slope(wg_tensor a, wg_tensor b, wg_tensor y, int axis, double eps)
{
    wg_axes axes = WG_AXES(axis);
    wg_tensor norm_a = wg_norm(a, .axis = axes, .keepdims = true), is_long = wg_greater(norm_a, eps);
    wg_tensor norm_b = wg_norm(b, .axis = axes, .keepdims = true);
    wg_tensor length_a = wg_where(is_long, norm_a, eps), length_b = wg_maximum(norm_b, eps);
    wg_tensor along = wg_multiply(wg_where(is_long, wg_expand_dims(y, axis), 0), wg_divide(a, length_a));
    wg_tensor slope = wg_divide(wg_subtract(wg_divide(b, length_b), along), length_a);
    return wg_masked_fill(slope, wg_logical_or(wg_equal(norm_a, 0), wg_equal(norm_b, 0)), .value = 0);
}

/* The axis counted from the end, where both have it. */
static int cosine_axis(const wg_call *c)
{
    int axis = ((const wg_cosine_similarity_options *)c->options)->axis;
    return axis < 0 ? axis : axis - c->y[0].rank - 1;
}

static wg_status cosine_similarity_type(wg_call *c)
{
    const wg_cosine_similarity_options *o = c->options;
    if (!(o->eps >= 0))
        return wg_fail(c, WG_ERROR_VALUE, "eps is %g, not at least 0", o->eps);
    return paired_type(c, o->axis);
}

static void cosine_piece(void *argument, int64_t piece)
{
    const pairs *p = argument;
    wg_dtype dtype = p->c->dtype;
    double y[BLOCK];
    int64_t first = piece * BLOCK, rows = p->rows - first < BLOCK ? p->rows - first : BLOCK;
    size_t at = (size_t)(first * p->n) * wg_dtype_size(dtype);
    wg_cosines(dtype, p->number, rows, p->n, p->a + at, p->b + at, y);
    store_all(dtype, rows, y, p->c->to[0], first);
}
static wg_status cosine_similarity_run(const wg_call *c)
{
    return pairs_run(c, cosine_axis(c), ((const wg_cosine_similarity_options *)c->options)->eps, cosine_piece);
}

static wg_status cosine_similarity_c(const wg_call *c, wg_code *w)
{
    wg_code_number(w, "eps", ((const wg_cosine_similarity_options *)c->options)->eps);
    return wg_code_lines(c, w, cosine_axis(c), WG_C(
        y[line] = (T)cosine(eps, length, a + at_a, step_a, b + at_b, step_b); line++;));
}

static wg_tensor cosine_similarity_slope(const wg_call *c, int which)
{
    const wg_cosine_similarity_options *o = c->options;
    wg_tensor self = stretched(c, which, c->in[which]), other = stretched(c, 1 - which, c->in[1 - which]);
    return wg_cosine_slope(self, other, c->out[0], cosine_axis(c), o->eps);
}
static wg_tensor cosine_similarity_vjp(const wg_call *c, wg_tensor g)
{
    return wg_strong_multiply(wg_expand_dims(g, cosine_axis(c)), cosine_similarity_slope(c, c->which));
}
static wg_tensor cosine_similarity_jvp(const wg_call *c)
{
    wg_tensor slope[2] = {WG_NONE, WG_NONE};
    for (int i = 0; i < 2; i++)
        if (!wg_is_none(c->t[i]))
            slope[i] = cosine_similarity_slope(c, i);
    return wg_sum(pushed(c, slope), .axis = WG_AXES(cosine_axis(c)));
}
static void cosine_similarity_formula(const wg_call *c, wg_tensor *out)
{
    const wg_cosine_similarity_options *o = c->options;
    wg_axes axis = WG_AXES(o->axis);
    wg_tensor size[2];
    for (int i = 0; i < 2; i++)
        size[i] = wg_maximum(wg_sqrt(wg_sum(wg_square(stretched(c, i, c->in[i])), .axis = axis)), o->eps);
    out[0] = wg_divide(wg_sum(wg_multiply(c->in[0], c->in[1]), .axis = axis), wg_multiply(size[0], size[1]));
}
WG_OP(cosine_similarity) = {
    .name = "cosine_similarity",
    .doc = "y = a.b / (max(|a|, eps) max(|b|, eps)) along `axis`; 0 with gradient 0 of a zero vector",
    .in = {{"a", 0}, {"b", 0}},
    .options = WG_SCHEMA(wg_cosine_similarity, WG_ATTR(wg_cosine_similarity, axis, .raw = true),
                         WG_ATTR(wg_cosine_similarity, eps)),
    .type = cosine_similarity_type,
    .run = cosine_similarity_run,
    .c = cosine_similarity_c,
    .vjp = {cosine_similarity_vjp, cosine_similarity_vjp},
    .jvp = cosine_similarity_jvp,
    .saves = "a b y",
    .formula = cosine_similarity_formula,
    .samples = {"[3,4] [3,4]", "[2,3,2] [2,3,2]", "[4] [4] axis=0", "[2,1,3] [5,1] axis=-1", "[3,4] [1,4] eps=2.5",
                "[2,3] [2,3] axis=0", "[0,3] [0,3]"},
};
wg_tensor (wg_cosine_similarity)(wg_tensor a, wg_tensor b, wg_cosine_similarity_options options)
{
    return WG_RECORD(cosine_similarity, &options, a, b);
}

/* ---- pairwise_distance ------------------------------------------------------------------------------------------- */
wg_tensor wg_distance_slope(wg_tensor a, wg_tensor b, wg_tensor y, double p)
{
    return wg_norm_slope(wg_subtract(a, b), wg_expand_dims(y, -1), WG_AXES(-1), p);
}

static wg_status pairwise_distance_type(wg_call *c)
{
    if (wg_exponent_fits(c, ((const wg_pairwise_distance_options *)c->options)->p))
        return WG_ERROR_VALUE;
    return paired_type(c, -1);
}

static void distance_piece(void *argument, int64_t piece)
{
    const pairs *p = argument;
    wg_dtype dtype = p->c->dtype;
    double y[BLOCK];
    int64_t first = piece * BLOCK, rows = p->rows - first < BLOCK ? p->rows - first : BLOCK;
    size_t at = (size_t)(first * p->n) * wg_dtype_size(dtype);
    wg_distances(dtype, p->number, rows, p->n, p->a + at, p->n, p->b + at, p->n, y);
    store_all(dtype, rows, y, p->c->to[0], first);
}
static wg_status pairwise_distance_run(const wg_call *c)
{
    return pairs_run(c, -1, ((const wg_pairwise_distance_options *)c->options)->p, distance_piece);
}

static wg_status pairwise_distance_c(const wg_call *c, wg_code *w)
{
    wg_code_number(w, "p", ((const wg_pairwise_distance_options *)c->options)->p);
    return wg_code_lines(c, w, -1, WG_C(
        y[line] = (T)distance(p, length, a + at_a, step_a, b + at_b, step_b); line++;));
}

static wg_tensor pairwise_distance_slope(const wg_call *c)
{
    const wg_pairwise_distance_options *o = c->options;
    return wg_distance_slope(stretched(c, 0, c->in[0]), stretched(c, 1, c->in[1]), c->out[0], o->p);
}
static wg_tensor pairwise_distance_vjp(const wg_call *c, wg_tensor g)
{
    wg_tensor pulled = wg_strong_multiply(wg_expand_dims(g, -1), pairwise_distance_slope(c));
    return c->which ? wg_negative(pulled) : pulled;
}
static wg_tensor pairwise_distance_jvp(const wg_call *c)
{
    wg_tensor slope = pairwise_distance_slope(c), both[2] = {slope, wg_negative(slope)};
    return wg_sum(pushed(c, both), .axis = -1);
}
static void pairwise_distance_formula(const wg_call *c, wg_tensor *out)
{
    const wg_pairwise_distance_options *o = c->options;
    out[0] = wg_norm(wg_subtract(c->in[0], c->in[1]), .p = o->p, .axis = -1);
}
WG_OP(pairwise_distance) = {
    .name = "pairwise_distance",
    .doc = "y = sum(|a - b|^p)^(1/p) over the last axis, p >= 1; max(|a - b|) for p = inf. Gradient 0 where a = b",
    .in = {{"a", 0}, {"b", 0}},
    .options = WG_SCHEMA(wg_pairwise_distance, WG_ATTR(wg_pairwise_distance, p)),
    .type = pairwise_distance_type,
    .run = pairwise_distance_run,
    .c = pairwise_distance_c,
    .vjp = {pairwise_distance_vjp, pairwise_distance_vjp},
    .jvp = pairwise_distance_jvp,
    .saves = "a b y",
    .formula = pairwise_distance_formula,
    .samples = {"[3,4] [3,4]", "[2,3,2] [3,2] p=3", "[4] [4] p=1.5", "[2,1,3] [5,1] p=1", "[3,4] [1,4] p=inf",
                "[0,3] [0,3]"},
};
wg_tensor (wg_pairwise_distance)(wg_tensor a, wg_tensor b, wg_pairwise_distance_options options)
{
    return WG_RECORD(pairwise_distance, &options, a, b);
}

/* ---- cdist: all pairs -------------------------------------------------------------------------------------------- */
/* Matrix q of a result of many: where its operands' matrices are, in matrices. */
typedef struct {
    const wg_call *c;
    double p;
    int64_t n, m, size; /* of matrices [n, size] and [m, size] */
    wg_type lead;
    int64_t step[2][WG_MAX_RANK];
    int self; /* cdist_pull: the operand whose cotangent it is; n is the number of its vectors then, m the other's */
} all_pairs;

static wg_type lead_of(const wg_type *x)
{
    wg_type lead = *x;
    lead.rank -= 2;
    return lead;
}

static all_pairs all_pairs_of(const wg_call *c, double p)
{
    const wg_type *a = &c->x[0], *b = &c->x[1];
    wg_type lead[2] = {lead_of(a), lead_of(b)};
    all_pairs s = {.c = c, .p = p, .n = a->dim[a->rank - 2], .m = b->dim[b->rank - 2], .size = a->dim[a->rank - 1]};
    s.lead = lead_of(&c->y[0]);
    for (int i = 0; i < 2; i++)
        wg_broadcast_strides(&lead[i], NULL, &s.lead, s.step[i]);
    return s;
}

/* Operand i's matrix for the result's matrix q. */
static const void *matrix_of(const all_pairs *s, int i, int64_t q)
{
    const wg_type *x = &s->c->x[i];
    int64_t at = 0;
    for (int k = s->lead.rank - 1; k >= 0; q /= s->lead.dim[k--])
        at += q % s->lead.dim[k] * s->step[i][k];
    at *= x->dim[x->rank - 2] * x->dim[x->rank - 1];
    return (const unsigned char *)s->c->from[i] + (size_t)at * wg_dtype_size(s->c->dtype);
}

static wg_status cdist_type(wg_call *c)
{
    const wg_type *a = &c->x[0], *b = &c->x[1];
    if (wg_exponent_fits(c, ((const wg_cdist_options *)c->options)->p))
        return WG_ERROR_VALUE;
    for (int i = 0; i < 2; i++)
        if (c->x[i].rank < 2)
            return wg_fail(c, WG_ERROR_SHAPE, "%s is not [..., n, d]", wg_show(c, i));
    if (a->dim[a->rank - 1] != b->dim[b->rank - 1])
        return wg_fail(c, WG_ERROR_SHAPE, "vectors differ in length: %s and %s", wg_show(c, 0), wg_show(c, 1));
    wg_type lead_a = lead_of(a), lead_b = lead_of(b);
    if (wg_broadcast_shapes(c, &lead_a, &lead_b, &c->y[0]))
        return WG_ERROR_SHAPE;
    c->y[0].dim[c->y[0].rank++] = a->dim[a->rank - 2];
    c->y[0].dim[c->y[0].rank++] = b->dim[b->rank - 2];
    return WG_OK;
}

static void cdist_row(void *argument, int64_t row)
{
    const all_pairs *s = argument;
    wg_dtype dtype = s->c->dtype;
    size_t bytes = (size_t)s->size * wg_dtype_size(dtype);
    const unsigned char *a = matrix_of(s, 0, row / s->n), *b = matrix_of(s, 1, row / s->n);
    double y[BLOCK];
    for (int64_t first = 0; first < s->m; first += BLOCK) {
        int64_t n = s->m - first < BLOCK ? s->m - first : BLOCK;
        wg_distances(dtype, s->p, n, s->size, a + (size_t)(row % s->n) * bytes, 0, b + (size_t)first * bytes, s->size,
                     y);
        store_all(dtype, n, y, s->c->to[0], row * s->m + first);
    }
}

static wg_status cdist_run(const wg_call *c)
{
    all_pairs s = all_pairs_of(c, ((const wg_cdist_options *)c->options)->p);
    if (wg_type_count(&c->y[0]))
        wg_parallel(c->tape, wg_type_count(&c->y[0]) / s.m, cdist_row, &s);
    return WG_OK;
}

/* Loops over the matrices of the result, number q, with those of a and b from at_a and at_b on. */
static void matrices_begin(const wg_call *c, wg_code *w, const all_pairs *s)
{
    wg_code_size(w, "n", s->n);
    wg_code_size(w, "m", s->m);
    wg_code_size(w, "size", s->size);
    wg_code_line(w, "int q = 0;");
    for (int r = 0; r < s->lead.rank; r++)
        wg_code_for(w, (const char[]){"ijpqrtuv"[r] == 'q' ? 'h' : "ijpqrtuv"[r], 0}, s->lead.dim[r]);
    for (int i = 0; i < 2; i++) {
        wg_source at = {.tape = c->tape};
        int64_t step[WG_MAX_RANK];
        for (int r = 0; r < s->lead.rank; r++)
            step[r] = s->step[i][r] * c->x[i].dim[c->x[i].rank - 2] * c->x[i].dim[c->x[i].rank - 1];
        wg_subscript_put(&at, 0, s->lead.rank, step, "ijphrtuv");
        wg_code_line(w, "const int at_%c = %s;", "ab"[i], at.data ? at.data : "0");
    }
}

static wg_status matrices_end(wg_code *w, const all_pairs *s)
{
    wg_code_line(w, "q++;");
    for (int r = 0; r < s->lead.rank; r++)
        wg_code_end(w);
    return w->status;
}

static wg_status cdist_c(const wg_call *c, wg_code *w)
{
    all_pairs s = all_pairs_of(c, ((const wg_cdist_options *)c->options)->p);
    wg_code_number(w, "p", s.p);
    matrices_begin(c, w, &s);
    wg_code_text(w, WG_C(for (int k = 0; k < n; k++) for (int l = 0; l < m; l++)
        y[(q * n + k) * m + l] = (T)distance(p, size, a + at_a + k * size, 1, b + at_b + l * size, 1);));
    return matrices_end(w, &s);
}

/* ---- cdist_pull: the cotangent of one operand, in a plain backward pass ------------------------------------------ */
typedef struct {
    double p;
    int64_t self;
} cdist_pull_options;
#define cdist_pull_defaults .p = 2, .self = 0

/* g times the slope of one distance y, added to `sum`, of elements [0, n) of the vectors; `ties` of them are the
 * largest difference. */
#define PULL_KERNELS(T, suffix)                                                                                        \
    static WG_CLONES void add_slope_##suffix(double p, double g, double y, double ties, int64_t n, const T *a,         \
                                             const T *b, double *restrict sum)                                         \
    {                                                                                                                  \
        if (p == 1)                                                                                                    \
            for (int64_t k = 0; k < n; k++) {                                                                          \
                const double x = (double)a[k] - (double)b[k];                                                          \
                sum[k] += g * sign(x);                                                                                 \
            }                                                                                                          \
        else if (p == 2 && fabs(g / y) > 1e-290 && fabs(g / y) < 1e290)                                                \
            for (int64_t k = 0; k < n; k++)                                                                            \
                sum[k] += ((double)a[k] - (double)b[k]) * (g / y);                                                     \
        else if (p == 2)                                                                                               \
            for (int64_t k = 0; k < n; k++)                                                                            \
                sum[k] += g * (((double)a[k] - (double)b[k]) / y);                                                     \
        else if (isinf(p))                                                                                             \
            for (int64_t k = 0; k < n; k++) {                                                                          \
                const double x = (double)a[k] - (double)b[k];                                                          \
                sum[k] += (T)fabs(x) == (T)y ? g * sign(x) / ties : 0;                                                 \
            }                                                                                                          \
        else                                                                                                           \
            for (int64_t k = 0; k < n; k++) {                                                                          \
                const double x = (double)a[k] - (double)b[k];                                                          \
                sum[k] += g * sign(x) * pow(fabs(x) / y, p - 1);                                                       \
            }                                                                                                          \
    }                                                                                                                  \
    static double ties_##suffix(int64_t n, double y, const T *a, const T *b)                                           \
    {                                                                                                                  \
        double ties = 0;                                                                                               \
        for (int64_t k = 0; k < n; k++)                                                                                \
            ties += (T)fabs((double)a[k] - (double)b[k]) == (T)y;                                                      \
        return ties;                                                                                                   \
    }                                                                                                                  \
    static void pull_row_##suffix(void *argument, int64_t row)                                                         \
    {                                                                                                                  \
        const all_pairs *s = argument;                                                                                 \
        int64_t q = row / s->n, i = row % s->n, step_i = s->self ? 1 : s->m, step_j = s->self ? s->n : 1;              \
        const T *own = (const T *)matrix_of(s, s->self, q) + i * s->size, *others = matrix_of(s, 1 - s->self, q);      \
        const T *y = (const T *)s->c->from[2] + q * s->n * s->m, *g = (const T *)s->c->from[3] + q * s->n * s->m;      \
        T *to = (T *)s->c->to[0] + row * s->size;                                                                      \
        double sum[BLOCK];                                                                                             \
        for (int64_t k = 0; k < s->size; k += BLOCK) {                                                                 \
            int64_t n = s->size - k < BLOCK ? s->size - k : BLOCK;                                                     \
            memset(sum, 0, sizeof sum);                                                                                \
            for (int64_t j = 0; j < s->m; j++) {                                                                       \
                double g_ij = (double)g[i * step_i + j * step_j], y_ij = (double)y[i * step_i + j * step_j];           \
                const T *other = others + j * s->size;                                                                 \
                if (g_ij == 0 || y_ij == 0)                                                                            \
                    continue;                                                                                          \
                double ties = isinf(s->p) ? ties_##suffix(s->size, y_ij, own, other) : 1;                              \
                add_slope_##suffix(s->p, g_ij, y_ij, ties, n, own + k, other + k, sum);                                \
            }                                                                                                          \
            for (int64_t j = 0; j < n; j++)                                                                            \
                to[k + j] = (T)sum[j];                                                                                 \
        }                                                                                                              \
    }
PULL_KERNELS(float, f32)
PULL_KERNELS(double, f64)

static wg_status cdist_pull_type(wg_call *c)
{
    int64_t self = ((const cdist_pull_options *)c->options)->self;
    c->y[0] = c->x[2];
    c->y[0].dim[c->y[0].rank - 2] = c->x[self].dim[c->x[self].rank - 2];
    c->y[0].dim[c->y[0].rank - 1] = c->x[self].dim[c->x[self].rank - 1];
    return WG_OK;
}
static wg_status cdist_pull_run(const wg_call *c)
{
    const cdist_pull_options *o = c->options;
    all_pairs s = all_pairs_of(c, o->p);
    int64_t rows = s.size ? wg_type_count(&c->y[0]) / s.size : 0, n = s.n;
    s.self = (int)o->self;
    if (s.self) {
        s.n = s.m;
        s.m = n;
    }
    wg_parallel(c->tape, rows, c->dtype == WG_FLOAT32 ? pull_row_f32 : pull_row_f64, &s);
    return WG_OK;
}
static wg_status cdist_pull_c(const wg_call *c, wg_code *w)
{
    const cdist_pull_options *o = c->options;
    all_pairs s = all_pairs_of(c, o->p);
    wg_code_number(w, "p", s.p);
    wg_code_size(w, "own", o->self ? s.m : s.n);
    wg_code_size(w, "others", o->self ? s.n : s.m);
    wg_code_room(w, "sum", WG_FLOAT64, s.size);
    matrices_begin(c, w, &s);
    wg_code_word(w, "OWN", o->self ? "b + at_b" : "a + at_a");
    wg_code_word(w, "OTHERS", o->self ? "a + at_a" : "b + at_b");
    wg_code_word(w, "PAIR", o->self ? "l * m + k" : "k * m + l");
    wg_code_text(w, WG_C(for (int k = 0; k < own; k++) {
        const T *u = OWN + k * size;
        for (int e = 0; e < size; e++) sum[e] = 0;
        for (int l = 0; l < others; l++) {
            const T *v = OTHERS + l * size;
            const double apart = (double)y[q * n * m + PAIR], pull = (double)g[q * n * m + PAIR];
            double ties = 0;
            if (pull == 0 || apart == 0) continue;
            for (int e = 0; e < size && isinf(p); e++)
                ties += (T)fabs_double((double)u[e] - (double)v[e]) == (T)apart;
            for (int e = 0; e < size; e++) {
                const double d = (double)u[e] - (double)v[e];
                const double side = d > 0 ? 1 : d < 0 ? -1 : d;
                if (p == 1) sum[e] += pull * side;
                else if (p == 2) sum[e] += pull * (d / apart);
                else if (isinf(p)) sum[e] += (T)fabs_double(d) == (T)apart ? pull * side / ties : 0;
                else sum[e] += pull * side * pow_double(fabs_double(d) / apart, p - 1);
            }
        }
        for (int e = 0; e < size; e++) z[(q * own + k) * size + e] = (T)sum[e];
    }));
    w->n_words = 0;
    return matrices_end(w, &s);
}
WG_OP(cdist_pull) = {
    .name = "cdist_pull",
    .doc = "the cotangent of a or b of cdist, from the distances y and their cotangent g; never recorded",
    .in = {{"a", 0}, {"b", 0}, {"y", 0}, {"g", 0}},
    .options = WG_SCHEMA(cdist_pull, WG_ATTR(cdist_pull, p), WG_ATTR(cdist_pull, self)),
    .type = cdist_pull_type,
    .run = cdist_pull_run,
    .c = cdist_pull_c,
    .hidden = true,
};

/* a as [..., n, 1, d] and b as [..., 1, m, d]. */
static wg_tensor spelled_out(wg_tensor x, int which) { return wg_expand_dims(x, which ? -3 : -2); }
static wg_tensor cdist_slope(const wg_call *c)
{
    const wg_cdist_options *o = c->options;
    return wg_distance_slope(spelled_out(c->in[0], 0), spelled_out(c->in[1], 1), c->out[0], o->p);
}
static wg_tensor cdist_vjp(const wg_call *c, wg_tensor g)
{
    const wg_cdist_options *o = c->options;
    if (!c->recording) {
        cdist_pull_options pull = {o->p, c->which};
        return WG_RECORD(cdist_pull, &pull, c->in[0], c->in[1], c->out[0], g);
    }
    wg_tensor pulled = wg_strong_multiply(wg_expand_dims(g, -1), cdist_slope(c));
    return c->which ? wg_negative(wg_sum(pulled, .axis = -3)) : wg_sum(pulled, .axis = -2);
}
static wg_tensor cdist_jvp(const wg_call *c)
{
    wg_tensor slope = cdist_slope(c), t = WG_NONE;
    for (int i = 0; i < 2; i++)
        if (!wg_is_none(c->t[i])) {
            wg_tensor own = spelled_out(c->t[i], i);
            own = i ? wg_negative(own) : own;
            t = wg_is_none(t) ? own : wg_add(t, own);
        }
    return wg_sum(wg_strong_multiply(t, slope), .axis = -1);
}
static void cdist_formula(const wg_call *c, wg_tensor *out)
{
    const wg_cdist_options *o = c->options;
    wg_tensor apart = wg_subtract(spelled_out(c->in[0], 0), spelled_out(c->in[1], 1));
    out[0] = wg_norm(apart, .p = o->p, .axis = -1);
}
WG_OP(cdist) = {
    .name = "cdist",
    .doc = "y[..., i, j] = sum(|a[..., i, :] - b[..., j, :]|^p)^(1/p), p >= 1; the largest difference for p = inf. "
           "Gradient 0 where they coincide",
    .in = {{"a", 0}, {"b", 0}},
    .options = WG_SCHEMA(wg_cdist, WG_ATTR(wg_cdist, p)),
    .type = cdist_type,
    .run = cdist_run,
    .c = cdist_c,
    .vjp = {cdist_vjp, cdist_vjp},
    .jvp = cdist_jvp,
    .saves = "a b y",
    .formula = cdist_formula,
    .samples = {"[3,4] [2,4]", "[2,1,3,2] [4,2,2] p=3", "[2,3] [4,3] p=1", "[2,3] [3,3] p=inf", "[5,2,3] [1,3,3] p=1.5",
                "[0,3] [2,3]", "[2,0] [3,0]"},
};
wg_tensor (wg_cdist)(wg_tensor a, wg_tensor b, wg_cdist_options options) { return WG_RECORD(cdist, &options, a, b); }

WG_FAMILY_OF(distance, "networks", DISTANCE)
