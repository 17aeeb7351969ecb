/* Losses of vectors by their distances and angles: a distance or a cosine for each row, and a hinge. The rows' values
 * are found as in distance.c; the derivatives are graph code over its slopes. */
#include "core/tape.h"
#include "ops/chain.h"
#include "ops/code.h"
#include "ops/distance.h"
#include "ops/loss.h"

#include "wengert/elementwise.h"
#include "wengert/losses.h"
#include "wengert/networks.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

#define DISTANCE_LOSSES(OP) OP(cosine_embedding_loss) OP(triplet_margin_loss)
WG_CONTENTS(DISTANCE_LOSSES)

/* ---- Rows -------------------------------------------------------------------------------------------------------- */
static wg_type rows_type(const wg_type *x)
{
    wg_type rows = *x;
    rows.rank--;
    return rows;
}

static wg_status equal_vectors(const wg_call *c, int n)
{
    if (!c->x[0].rank)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not a vector", wg_show(c, 0));
    for (int i = 1; i < n; i++)
        if (!wg_type_equal(&c->x[0], &c->x[i]))
            return wg_fail(c, WG_ERROR_SHAPE, "%s and %s differ in shape", wg_show(c, 0), wg_show(c, i));
    return WG_OK;
}

static void reduced_rows_type(wg_call *c)
{
    c->y[0] = rows_type(&c->x[0]);
    if (wg_is_reduced(c))
        c->y[0].rank = 0;
}

static int64_t rows_of(const wg_call *c)
{
    wg_type rows = rows_type(&c->x[0]);
    return wg_type_count(&rows);
}

/* The losses of n rows as the output: themselves, or reduced, which overwrites them. */
static wg_status put_losses(const wg_call *c, double *loss, int64_t n)
{
    size_t size = wg_dtype_size(c->dtype);
    for (int64_t i = 0; i < n && !wg_is_reduced(c); i++)
        wg_store_number(c->dtype, loss[i], (char *)c->to[0] + (size_t)i * size);
    if (wg_is_reduced(c))
        wg_store_number(c->dtype, wg_sum_folded(loss, n) / (wg_reduces_by(c, "mean") ? (double)n : 1), c->to[0]);
    return WG_OK;
}

/* The text gives the `loss` of row k, of `size` elements; they are put, or summed. */
static wg_status losses_c(const wg_call *c, wg_code *w, const char *text)
{
    const wg_type *x = &c->x[0];
    wg_code_size(w, "size", x->dim[x->rank - 1]);
    wg_code_size(w, "rows", rows_of(c));
    if (wg_reduces_by(c, "mean"))
        wg_code_number(w, "count", (double)rows_of(c));
    if (wg_is_reduced(c))
        wg_code_line(w, "double sum = 0;");
    wg_code_line(w, "for (int k = 0; k < rows; k++) {");
    w->depth++;
    wg_code_text(w, text);
    wg_code_text(w, wg_is_reduced(c) ? WG_C(sum += loss;) : WG_C(y[k] = (T)loss;));
    wg_code_end(w);
    if (wg_is_reduced(c))
        wg_code_text(w, wg_reduces_by(c, "mean") ? WG_C(y[0] = (T)(sum / count);) : WG_C(y[0] = (T)sum;));
    return w->status;
}

/* The cotangent of each row's loss, to be multiplied with what has the vectors' shape; and from rows to the result. */
static wg_tensor share_of(const wg_call *c, wg_tensor g)
{
    if (!wg_is_reduced(c))
        return wg_expand_dims(g, -1);
    return wg_reduces_by(c, "mean") ? wg_divide(g, (double)rows_of(c)) : g;
}
static wg_tensor reduced_rows(const wg_call *c, wg_tensor rows)
{
    if (!wg_is_reduced(c))
        return rows;
    return wg_reduces_by(c, "mean") ? wg_divide(wg_sum(rows), (double)rows_of(c)) : wg_sum(rows);
}

/* The tangent: of n operands, of which each moves the rows by its slope. */
static wg_tensor pushed(const wg_call *c, wg_tensor (*slope)(const wg_call *c, int i), int n)
{
    wg_tensor sum = WG_NONE;
    for (int i = 0; i < n; i++)
        if (!wg_is_none(c->t[i])) {
            wg_tensor term = wg_strong_multiply(c->t[i], slope(c, i));
            sum = wg_is_none(sum) ? term : wg_add(sum, term);
        }
    return wg_is_none(sum) ? sum : reduced_rows(c, wg_sum(sum, .axis = -1));
}

/* ---- cosine_embedding_loss --------------------------------------------------------------------------------------- */
#define EPS 1e-8 /* norms count as at least that, as in cosine_similarity */

static wg_status cosine_embedding_loss_type(wg_call *c)
{
    if (equal_vectors(c, 2))
        return WG_ERROR_SHAPE;
    wg_type target = rows_type(&c->x[0]);
    target.dtype = c->x[2].dtype;
    if (!wg_type_equal(&target, &c->x[2]))
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not one number for each vector of %s", wg_show(c, 2), wg_show(c, 0));
    reduced_rows_type(c);
    return WG_OK;
}

static wg_status cosine_embedding_loss_run(const wg_call *c)
{
    const wg_cosine_embedding_loss_options *o = c->options;
    int64_t n = rows_of(c), size = c->x[0].dim[c->x[0].rank - 1];
    double *loss = wg_scratch(c, (size_t)n * sizeof *loss);
    if (!loss)
        return WG_ERROR_MEMORY;
    wg_cosines(c->dtype, EPS, n, size, c->from[0], c->from[1], loss);
    for (int64_t i = 0; i < n; i++) {
        wg_dtype dtype = c->x[2].dtype;
        double target = wg_load_number(dtype, (const char *)c->from[2] + (size_t)i * wg_dtype_size(dtype));
        if (target != 1 && target != -1)
            return wg_fail(c, WG_ERROR_VALUE, "target[%lld] is %g, not 1 or -1", (long long)i, target);
        double over = loss[i] - o->margin;
        loss[i] = target > 0 ? 1 - loss[i] : over <= 0 ? 0 : over;
    }
    return put_losses(c, loss, n);
}

static wg_status cosine_embedding_loss_c(const wg_call *c, wg_code *w)
{
    wg_code_number(w, "margin", ((const wg_cosine_embedding_loss_options *)c->options)->margin);
    wg_code_number(w, "eps", EPS);
    return losses_c(c, w, WG_C(
        const double angle = cosine(eps, size, a + k * size, 1, b + k * size, 1);
        const double over = angle - margin;
        if (target[k] != 1 && target[k] != -1) FAIL;
        const double loss = target[k] > 0 ? 1 - angle : over <= 0 ? 0 : over;));
}

/* The cosine's slope, times -1 for vectors that belong together, 1 for others within the margin. */
static wg_tensor cosine_embedding_slope(const wg_call *c, int i)
{
    const wg_cosine_embedding_loss_options *o = c->options;
    wg_tensor cosine = wg_cosine_similarity(c->in[0], c->in[1], .axis = -1, .eps = EPS);
    wg_tensor sign = wg_where(wg_greater(c->in[2], 0), -1, wg_cast(wg_greater(cosine, o->margin), .dtype = c->dtype));
    return wg_multiply(wg_expand_dims(sign, -1), wg_cosine_slope(c->in[i], c->in[1 - i], cosine, -1, EPS));
}
static wg_tensor cosine_embedding_loss_vjp(const wg_call *c, wg_tensor g)
{
    return wg_strong_multiply(share_of(c, g), cosine_embedding_slope(c, c->which));
}
static wg_tensor cosine_embedding_loss_jvp(const wg_call *c) { return pushed(c, cosine_embedding_slope, 2); }
static void cosine_embedding_loss_formula(const wg_call *c, wg_tensor *out)
{
    const wg_cosine_embedding_loss_options *o = c->options;
    wg_tensor cosine = wg_cosine_similarity(c->in[0], c->in[1], .axis = -1, .eps = EPS);
    wg_tensor apart = wg_maximum(wg_subtract(cosine, o->margin), 0);
    out[0] = reduced_rows(c, wg_where(wg_greater(c->in[2], 0), wg_subtract(1, cosine), apart));
}
WG_OP(cosine_embedding_loss) = {
    .name = "cosine_embedding_loss",
    .doc = "y = 1 - cos(a, b) for target 1, max(0, cos(a, b) - margin) for target -1, reduced; derivative 0 at the "
           "margin",
    .in = {{"a", 0}, {"b", 0}, {"target", WG_INDEX_OR_FLOAT | WG_NO_GRADIENT}},
    .options = WG_SCHEMA(wg_cosine_embedding_loss, WG_REDUCTION(wg_cosine_embedding_loss),
                         WG_ATTR(wg_cosine_embedding_loss, margin)),
    .type = cosine_embedding_loss_type,
    .run = cosine_embedding_loss_run,
    .c = cosine_embedding_loss_c,
    .vjp = {cosine_embedding_loss_vjp, cosine_embedding_loss_vjp},
    .jvp = cosine_embedding_loss_jvp,
    .saves = "a b target",
    .formula = cosine_embedding_loss_formula,
    .samples = {"[3,4] [3,4] [3]:1", "[3,4] [3,4] [3]:-1 margin=-0.9 reduction=none", "[4] [4] []:int64:1..1",
                "[2,3]:0.1..2 [2,3]:0.1..2 [2]:int32:-1..-1 reduction=sum", "[0,3] [0,3] [0] reduction=sum"},
};
wg_tensor (wg_cosine_embedding_loss)(wg_tensor a, wg_tensor b, wg_tensor target,
                                     wg_cosine_embedding_loss_options options)
{
    return WG_RECORD(cosine_embedding_loss, &options, a, b, target);
}

/* ---- triplet_margin_loss ----------------------------------------------------------------------------------------- */
static wg_status triplet_margin_loss_type(wg_call *c)
{
    if (wg_exponent_fits(c, ((const wg_triplet_margin_loss_options *)c->options)->p))
        return WG_ERROR_VALUE;
    if (equal_vectors(c, 3))
        return WG_ERROR_SHAPE;
    reduced_rows_type(c);
    return WG_OK;
}

static wg_status triplet_margin_loss_run(const wg_call *c)
{
    const wg_triplet_margin_loss_options *o = c->options;
    int64_t n = rows_of(c), size = c->x[0].dim[c->x[0].rank - 1];
    double *loss = wg_scratch(c, 2 * (size_t)n * sizeof *loss), *other = loss + n;
    if (!loss)
        return WG_ERROR_MEMORY;
    wg_distances(c->dtype, o->p, n, size, c->from[0], size, c->from[1], size, loss);
    wg_distances(c->dtype, o->p, n, size, c->from[0], size, c->from[2], size, other);
    for (int64_t i = 0; i < n; i++) {
        double over = loss[i] - other[i] + o->margin;
        loss[i] = over <= 0 ? 0 : over;
    }
    return put_losses(c, loss, n);
}

static wg_status triplet_margin_loss_c(const wg_call *c, wg_code *w)
{
    const wg_triplet_margin_loss_options *o = c->options;
    wg_code_number(w, "margin", o->margin);
    wg_code_number(w, "p", o->p);
    return losses_c(c, w, WG_C(
        const double near = distance(p, size, anchor + k * size, 1, positive + k * size, 1);
        const double over = near - distance(p, size, anchor + k * size, 1, negative + k * size, 1) + margin;
        const double loss = over <= 0 ? 0 : over;));
}

/* Within the margin the anchor moves both distances, the others one. */
static wg_tensor triplet_slope(const wg_call *c, int i)
{
    const wg_triplet_margin_loss_options *o = c->options;
    const wg_tensor *in = c->in;
    wg_tensor near = wg_pairwise_distance(in[0], in[1], .p = o->p);
    wg_tensor far = wg_pairwise_distance(in[0], in[2], .p = o->p);
    wg_tensor over = wg_add(wg_subtract(near, far), o->margin), slope;
    if (i == 0)
        slope = wg_subtract(wg_distance_slope(in[0], in[1], near, o->p), wg_distance_slope(in[0], in[2], far, o->p));
    else
        slope = i == 1 ? wg_distance_slope(in[1], in[0], near, o->p) : wg_distance_slope(in[0], in[2], far, o->p);
    return wg_where(wg_expand_dims(wg_less_equal(over, 0), -1), 0, slope);
}
static wg_tensor triplet_margin_loss_vjp(const wg_call *c, wg_tensor g)
{
    return wg_strong_multiply(share_of(c, g), triplet_slope(c, c->which));
}
static wg_tensor triplet_margin_loss_jvp(const wg_call *c) { return pushed(c, triplet_slope, 3); }
static void triplet_margin_loss_formula(const wg_call *c, wg_tensor *out)
{
    const wg_triplet_margin_loss_options *o = c->options;
    wg_tensor near = wg_pairwise_distance(c->in[0], c->in[1], .p = o->p);
    wg_tensor far = wg_pairwise_distance(c->in[0], c->in[2], .p = o->p);
    out[0] = reduced_rows(c, wg_maximum(wg_add(wg_subtract(near, far), o->margin), 0));
}
WG_OP(triplet_margin_loss) = {
    .name = "triplet_margin_loss",
    .doc = "y = max(0, |anchor - positive|_p - |anchor - negative|_p + margin), reduced; derivative 0 at the margin",
    .source = "Schroff, Kalenichenko and Philbin 2015, eq. 3",
    .in = {{"anchor", 0}, {"positive", 0}, {"negative", 0}},
    .options = WG_SCHEMA(wg_triplet_margin_loss, WG_REDUCTION(wg_triplet_margin_loss),
                         WG_ATTR(wg_triplet_margin_loss, margin), WG_ATTR(wg_triplet_margin_loss, p)),
    .type = triplet_margin_loss_type,
    .run = triplet_margin_loss_run,
    .c = triplet_margin_loss_c,
    .vjp = {triplet_margin_loss_vjp, triplet_margin_loss_vjp, triplet_margin_loss_vjp},
    .jvp = triplet_margin_loss_jvp,
    .saves = "anchor positive negative",
    .formula = triplet_margin_loss_formula,
    .samples = {"[3,4] [3,4] [3,4] margin=4", "[3,4] [3,4] [3,4] p=3 margin=5 reduction=none", "[4] [4] [4] margin=4",
                "[2,2,3] [2,2,3] [2,2,3] p=1 margin=9 reduction=sum", "[2,3] [2,3] [2,3] p=inf margin=9",
                "[0,3] [0,3] [0,3] reduction=sum"},
};
wg_tensor (wg_triplet_margin_loss)(wg_tensor anchor, wg_tensor positive, wg_tensor negative,
                                   wg_triplet_margin_loss_options options)
{
    return WG_RECORD(triplet_margin_loss, &options, anchor, positive, negative);
}

WG_FAMILY_OF(distance_losses, "losses", DISTANCE_LOSSES)
