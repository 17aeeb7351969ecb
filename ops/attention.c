/* Scaled dot-product attention. Value and gradient are worked in blocks (attention_kernels.c), from two numbers saved
 * for each row; all other derivatives are graph code in which the weights are a tensor. */
#include "ops/attention_kernels.h"
#include "ops/code.h"

#include "core/tape.h"
#include "wengert/elementwise.h"
#include "wengert/products.h"
#include "wengert/reductions.h"
#include "wengert/sequences.h"
#include "wengert/shape.h"

#define ATTENTION(OP) OP(scaled_dot_product_attention) OP(attention_pull)
WG_CONTENTS(ATTENTION)

typedef wg_scaled_dot_product_attention_options attention_options;

enum { Q, K, V, MASK, Y, STATISTICS, G }; /* operands; the last three are attention_pull's */

/* ---- Sizes ------------------------------------------------------------------------------------------------------- */
static int64_t size_from_end(const wg_type *x, int i) { return x->dim[x->rank - i]; }

/* x without its last two axes. */
static wg_type leading(const wg_type *x)
{
    wg_type lead = *x;
    lead.rank -= 2;
    return lead;
}

static wg_type with_matrix(wg_type lead, int64_t rows, int64_t columns)
{
    lead.dim[lead.rank++] = rows;
    lead.dim[lead.rank++] = columns;
    return lead;
}

/* The leading axes of y: those of q, k and v, broadcast. */
static wg_status heads_type(const wg_call *c, wg_type *heads)
{
    wg_type q = leading(&c->x[Q]), k = leading(&c->x[K]), v = leading(&c->x[V]), both = {0};
    if (wg_broadcast_shapes(c, &q, &k, &both) || wg_broadcast_shapes(c, &both, &v, heads))
        return WG_ERROR_SHAPE;
    heads->dtype = c->dtype;
    return WG_OK;
}

static bool has_mask(const wg_call *c) { return wg_given(c, MASK); }

static wg_status mask_fits(const wg_call *c, const wg_type *heads)
{
    if (!has_mask(c))
        return WG_OK;
    wg_type scores = with_matrix(*heads, size_from_end(&c->x[Q], 2), size_from_end(&c->x[K], 2)), both = {0};
    if (wg_broadcast_shapes(c, &c->x[MASK], &scores, &both))
        return WG_ERROR_SHAPE;
    both.dtype = scores.dtype;
    wg_shape shape = wg_type_shape(&scores);
    char text[200];
    return wg_type_equal(&both, &scores) ? WG_OK
                                         : wg_fail(c, WG_ERROR_SHAPE, "%s does not broadcast to the scores %s",
                                                   wg_show(c, MASK), wg_shape_text(&shape, text, sizeof text));
}

static wg_status attention_type(wg_call *c)
{
    for (int i = Q; i <= V; i++)
        if (c->x[i].rank < 2)
            return wg_fail(c, WG_ERROR_SHAPE, "%s is not a matrix or a stack of them", wg_show(c, i));
    if (size_from_end(&c->x[Q], 1) != size_from_end(&c->x[K], 1))
        return wg_fail(c, WG_ERROR_SHAPE, "queries and keys differ in size: %s and %s", wg_show(c, Q), wg_show(c, K));
    if (size_from_end(&c->x[K], 2) != size_from_end(&c->x[V], 2))
        return wg_fail(c, WG_ERROR_SHAPE, "not a value for each key: %s and %s", wg_show(c, K), wg_show(c, V));
    wg_type heads;
    if (heads_type(c, &heads) || mask_fits(c, &heads))
        return WG_ERROR_SHAPE;
    int64_t rows = size_from_end(&c->x[Q], 2);
    c->y[0] = with_matrix(heads, rows, size_from_end(&c->x[V], 1));
    c->y[1] = with_matrix(heads, rows, 2);
    return WG_OK;
}

static double scale_of(const wg_call *c)
{
    double scale = ((const attention_options *)c->options)->scale;
    int64_t width = size_from_end(&c->x[Q], 1);
    return scale == scale ? scale : width ? 1 / sqrt((double)width) : 1;
}

/* Where each head begins in x, which broadcasts over `stretched`, the heads and two axes more. */
static const int64_t *places(const wg_call *c, const wg_type *x, const wg_type *stretched, int64_t stride[WG_MAX_RANK])
{
    wg_type heads = leading(stretched);
    int64_t n = wg_type_count(&heads), *at = wg_scratch(c, (size_t)n * sizeof *at);
    wg_broadcast_strides(x, NULL, stretched, stride);
    for (int64_t head = 0; at && head < n; head++) {
        at[head] = 0;
        for (int64_t i = heads.rank - 1, rest = head; i >= 0; rest /= heads.dim[i--])
            at[head] += rest % heads.dim[i] * stride[i];
    }
    return at;
}

static wg_status attention_of(const wg_call *c, wg_attention *a)
{
    wg_type heads;
    int64_t stride[WG_MAX_RANK];
    if (heads_type(c, &heads))
        return WG_ERROR_SHAPE;
    *a = (wg_attention){
        .dtype = c->dtype,
        .batch = wg_type_count(&heads),
        .rows = size_from_end(&c->x[Q], 2),
        .keys = size_from_end(&c->x[K], 2),
        .width = size_from_end(&c->x[Q], 1),
        .depth = size_from_end(&c->x[V], 1),
        .scale = scale_of(c),
        .causal = ((const attention_options *)c->options)->is_causal,
        .q = c->from[Q],
        .k = c->from[K],
        .v = c->from[V],
    };
    wg_type q = with_matrix(heads, a->rows, a->width), k = with_matrix(heads, a->keys, a->width);
    wg_type v = with_matrix(heads, a->keys, a->depth), scores = with_matrix(heads, a->rows, a->keys);
    a->q_at = places(c, &c->x[Q], &q, stride);
    a->k_at = places(c, &c->x[K], &k, stride);
    a->v_at = places(c, &c->x[V], &v, stride);
    if (has_mask(c)) {
        a->mask = c->from[MASK];
        a->mask_is_bool = c->x[MASK].dtype == WG_BOOL;
        a->mask_at = places(c, &c->x[MASK], &scores, stride);
        a->mask_row = stride[heads.rank];
        a->mask_column = stride[heads.rank + 1];
    }
    return a->q_at && a->k_at && a->v_at && (!a->mask || a->mask_at) ? WG_OK : WG_ERROR_MEMORY;
}

static wg_status attention_run(const wg_call *c)
{
    wg_attention a;
    wg_status status = attention_of(c, &a);
    return status ? status : wg_attention_run(c, &a, c->to[0], c->to[1]);
}

/* ---- Their C ----------------------------------------------------------------------------------------------------- */
static wg_status attention_sizes(const wg_call *c, wg_code *w)
{
    wg_attention a;
    wg_status status = attention_of(c, &a);
    if (status)
        return status;
    wg_code_size(w, "heads", a.batch);
    wg_code_size(w, "rows", a.rows);
    wg_code_size(w, "keys", a.keys);
    wg_code_size(w, "width", a.width);
    wg_code_size(w, "depth", a.depth);
    wg_code_size(w, "causal", a.causal);
    wg_code_number(w, "scale", a.scale);
    wg_code_sizes(w, "q_at", (int)a.batch, a.q_at);
    wg_code_sizes(w, "k_at", (int)a.batch, a.k_at);
    wg_code_sizes(w, "v_at", (int)a.batch, a.v_at);
    if (has_mask(c)) {
        wg_code_sizes(w, "mask_at", (int)a.batch, a.mask_at);
        wg_code_size(w, "mask_row", a.mask_row);
        wg_code_size(w, "mask_column", a.mask_column);
    }
    wg_code_word(w, "MASKED_IN",
                 has_mask(c) && a.mask_is_bool ? "mask[mask_at[h] + i * mask_row + j * mask_column]" : "true");
    wg_code_word(w, "MASK_ADDED",
                 has_mask(c) && !a.mask_is_bool ? "(double)mask[mask_at[h] + i * mask_row + j * mask_column]" : "0");
    return w->status;
}

/* The weights p of row i of head h; a row without keys has zeros. */
#define EACH_ROW                                                                                                       \
    for (int h = 0; h < heads; h++) for (int i = 0; i < rows; i++) {                                                   \
        double p[keys + 1]; double most = 0; double sum = 0; int seen = 0;                                             \
        for (int j = 0; j < keys; j++) {                                                                               \
            double s = 0;                                                                                              \
            for (int e = 0; e < width; e++)                                                                            \
                s += (double)q[q_at[h] + i * width + e] * (double)k[k_at[h] + j * width + e];                          \
            p[j] = s * scale + MASK_ADDED;                                                                             \
            if (!((!causal || j <= i) && MASKED_IN)) continue;                                                         \
            most = seen == 0 || p[j] > most ? p[j] : most;                                                             \
            seen++;                                                                                                    \
        }                                                                                                              \
        if (most < -1e308) most = 0;                                                                                   \
        for (int j = 0; j < keys; j++) {                                                                               \
            p[j] = (!causal || j <= i) && MASKED_IN ? exp_double(p[j] - most) : 0;                                     \
            sum += p[j];                                                                                               \
        }                                                                                                              \
        for (int j = 0; j < keys; j++) p[j] = sum != 0 ? p[j] / sum : 0;

static wg_status attention_c(const wg_call *c, wg_code *w)
{
    wg_status status = attention_sizes(c, w);
    return status ? status : wg_code_text(w, TEXT_OF(EACH_ROW
        for (int d = 0; d < depth; d++) {
            double total = 0;
            for (int j = 0; j < keys && sum != 0; j++) total += p[j] * (double)v[v_at[h] + j * depth + d];
            y[(h * rows + i) * depth + d] = (T)total;
        }
    }));
}

static wg_status attention_pull_c(const wg_call *c, wg_code *w)
{
    for (int i = Q; i <= V; i++)
        wg_code_fill(w, c->op->out[i], wg_type_count(&c->y[i]), "0");
    wg_status status = attention_sizes(c, w);
    return status ? status : wg_code_text(w, TEXT_OF(EACH_ROW
        double dp[keys + 1]; double own = 0;
        for (int j = 0; j < keys; j++) {
            dp[j] = 0;
            for (int d = 0; d < depth && p[j] != 0; d++)
                dp[j] += (double)g[(h * rows + i) * depth + d] * (double)v[v_at[h] + j * depth + d];
            own += p[j] * dp[j];
        }
        for (int j = 0; j < keys; j++) {
            const double ds = p[j] * (dp[j] - own) * scale;
            if (p[j] == 0) continue;
            for (int e = 0; e < width; e++) {
                dq[(h * rows + i) * width + e] += (T)(ds * (double)k[k_at[h] + j * width + e]);
                dk[(h * keys + j) * width + e] += (T)(ds * (double)q[q_at[h] + i * width + e]);
            }
            for (int d = 0; d < depth; d++)
                dv[(h * keys + j) * depth + d] += (T)p[j] * g[(h * rows + i) * depth + d];
        }
    }));
}

/* Two products of L S E and L S V; an exponential counts as one operation. */
static double attention_flops(const wg_call *c)
{
    double rows = (double)wg_type_count(&c->y[0]) / fmax(1, (double)size_from_end(&c->y[0], 1));
    double keys = (double)size_from_end(&c->x[K], 2);
    return rows * keys * (2 * (double)size_from_end(&c->x[Q], 1) + 2 * (double)size_from_end(&c->x[V], 1) + 5);
}

/* ---- As graph code ----------------------------------------------------------------------------------------------- */
/* [L, S]: does row i see key j? */
static wg_tensor seen_keys(const wg_call *c)
{
    int64_t rows = size_from_end(&c->x[Q], 2), keys = size_from_end(&c->x[K], 2);
    bool *seen = wg_scratch(c, (size_t)(rows * keys));
    for (int64_t i = 0; seen && i < rows * keys; i++)
        seen[i] = i % keys <= i / keys;
    return seen ? wg_array(c->tape, WG_BOOL, WG_SHAPE(rows, keys), seen) : WG_INVALID;
}

/* P = exp(s - most) / sum, where a row without keys, whose scores are all -inf, is 0 and not NaN. */
static wg_tensor weights(const wg_call *c)
{
    wg_axes last = WG_AXES(-1);
    wg_tensor s = wg_multiply(wg_matmul(c->in[Q], wg_matrix_transpose(c->in[K])), scale_of(c));
    if (has_mask(c))
        s = c->x[MASK].dtype == WG_BOOL ? wg_where(c->in[MASK], s, -(double)INFINITY) : wg_add(s, c->in[MASK]);
    if (((const attention_options *)c->options)->is_causal)
        s = wg_where(seen_keys(c), s, -(double)INFINITY);
    if (!size_from_end(&c->x[K], 2))
        return s;
    wg_tensor most = wg_stop_gradient(wg_amax(s, .axis = last, .keepdims = true));
    wg_tensor e = wg_exp(wg_subtract(s, wg_where(wg_equal(most, -(double)INFINITY), 0, most)));
    wg_tensor sum = wg_sum(e, .axis = last, .keepdims = true);
    return wg_divide(e, wg_where(wg_equal(sum, 0), 1, sum));
}

/* How P moves with the scores along d, and how a cotangent d of P is pulled back to them: P (d - sum(P d)). */
static wg_tensor through_softmax(wg_tensor p, wg_tensor d)
{
    return wg_multiply(p, wg_subtract(d, wg_sum(wg_multiply(p, d), .axis = -1, .keepdims = true)));
}

static wg_tensor scores_pull(const wg_call *c, wg_tensor p, wg_tensor g)
{
    return through_softmax(p, wg_matmul(g, wg_matrix_transpose(c->in[V])));
}

/* ---- scaled_dot_product_attention -------------------------------------------------------------------------------- */
/* For a recorded derivative, P and the cotangent of the scores; else the cotangents of q, k and v. */
static const wg_op attention_pull_op;
static void attention_share(const wg_call *c, wg_tensor *shared)
{
    if (!c->g)
        return;
    if (c->recording) {
        shared[0] = weights(c);
        shared[1] = scores_pull(c, shared[0], c->g[0]);
        return;
    }
    const wg_tensor in[] = {[Q] = c->in[Q],  [K] = c->in[K],
                            [V] = c->in[V],  [MASK] = has_mask(c) ? c->in[MASK] : WG_NONE,
                            [Y] = c->out[0], [STATISTICS] = wg_saved(c, 0),
                            [G] = c->g[0]};
    wg_record_on(c->tape, &attention_pull_op, c->options, in, G + 1, shared, 3);
}

static wg_tensor attention_dq(const wg_call *c, wg_tensor g)
{
    (void)g;
    return c->recording ? wg_multiply(wg_matmul(c->shared[1], c->in[K]), scale_of(c)) : c->shared[Q];
}
static wg_tensor attention_dk(const wg_call *c, wg_tensor g)
{
    (void)g;
    if (!c->recording)
        return c->shared[K];
    return wg_multiply(wg_matmul(wg_matrix_transpose(c->shared[1]), c->in[Q]), scale_of(c));
}
static wg_tensor attention_dv(const wg_call *c, wg_tensor g)
{
    return c->recording ? wg_matmul(wg_matrix_transpose(c->shared[0]), g) : c->shared[V];
}
static wg_tensor attention_dmask(const wg_call *c, wg_tensor g)
{
    return c->recording ? c->shared[1] : scores_pull(c, weights(c), g);
}

static wg_tensor plus(wg_tensor a, wg_tensor b) { return wg_is_none(a) ? b : wg_is_none(b) ? a : wg_add(a, b); }

static wg_tensor attention_jvp(const wg_call *c)
{
    wg_tensor by_q = WG_NONE, by_k = WG_NONE, by_v = WG_NONE, p = weights(c);
    if (!wg_is_none(c->t[Q]))
        by_q = wg_multiply(wg_matmul(c->t[Q], wg_matrix_transpose(c->in[K])), scale_of(c));
    if (!wg_is_none(c->t[K]))
        by_k = wg_multiply(wg_matmul(c->in[Q], wg_matrix_transpose(c->t[K])), scale_of(c));
    if (!wg_is_none(c->t[V]))
        by_v = wg_matmul(p, c->t[V]);
    wg_tensor s = plus(plus(by_q, by_k), has_mask(c) ? c->t[MASK] : WG_NONE);
    return wg_is_none(s) ? by_v : plus(wg_matmul(through_softmax(p, s), c->in[V]), by_v);
}

static void attention_formula(const wg_call *c, wg_tensor *out)
{
    if (size_from_end(&c->x[K], 2))
        out[0] = wg_matmul(weights(c), c->in[V]);
}
WG_OP(scaled_dot_product_attention) = {
    .name = "scaled_dot_product_attention",
    .doc = "y = softmax(scale q k' + mask) v: q [..., L, E], k [..., S, E], v [..., S, V]; a row without keys is 0",
    .source = "Vaswani et al. 2017, eq. 1; Dao et al. 2022, algorithm 1",
    .in = {{"q", 0}, {"k", 0}, {"v", 0}, {"mask", WG_OPTIONAL | WG_BOOL_OR_FLOAT}},
    .saved = {"statistics"},
    .options = WG_SCHEMA(wg_scaled_dot_product_attention, WG_ATTR(wg_scaled_dot_product_attention, is_causal),
                         WG_ATTR(wg_scaled_dot_product_attention, scale)),
    .type = attention_type,
    .run = attention_run,
    .c = attention_c,
    .share = attention_share,
    .vjp = {attention_dq, attention_dk, attention_dv, attention_dmask},
    .jvp = attention_jvp,
    .saves = "q k v mask y",
    .formula = attention_formula,
    .samples = {"[3,4] [5,4] [5,2]", "[2,3,4] [2,5,4] [2,5,4] [5]", "[2,3,4] [2,5,4] [2,5,2] [2,1,5]:bool",
                "[2,2,3,4] [2,1,5,4] [5,3] [3,5] scale=0.3", "[4,2] [3,2] [3,2] - is_causal=true",
                "[2,3,2] [5,2] [5,2] [3,5]:bool is_causal=true", "[3,2] [3,2] [3,2] []:bool", "[3,4] [1,4] [1,2]",
                "[0,4] [5,4] [5,2]", "[3,4] [0,4] [0,2]", "[3,0] [5,0] [5,2]", "[3,4] [5,4] [5,0]",
                "[0,3,4] [0,5,4] [0,5,2]"},
    .flops = attention_flops,
};
wg_tensor (wg_scaled_dot_product_attention)(wg_tensor q, wg_tensor k, wg_tensor v, wg_tensor mask,
                                            wg_scaled_dot_product_attention_options options)
{
    return WG_RECORD(scaled_dot_product_attention, &options, q, k, v, mask);
}

/* ---- attention_pull: dq, dk and dv in one pass ------------------------------------------------------------------- */
static wg_status attention_pull_type(wg_call *c)
{
    wg_type heads;
    if (heads_type(c, &heads))
        return WG_ERROR_SHAPE;
    for (int i = Q; i <= V; i++)
        c->y[i] = with_matrix(heads, size_from_end(&c->x[i], 2), size_from_end(&c->x[i], 1));
    return WG_OK;
}

static wg_status attention_pull_run(const wg_call *c)
{
    wg_attention a;
    wg_status status = attention_of(c, &a);
    return status ? status
                  : wg_attention_pull(c, &a, c->from[Y], c->from[STATISTICS], c->from[G], c->to[Q], c->to[K], c->to[V]);
}

WG_OP(attention_pull) = {
    .name = "attention_pull",
    .doc = "the cotangents of attention's q, k and v from that of y",
    .source = "Dao et al. 2022, algorithm 4",
    .in =
        {{"q", 0}, {"k", 0}, {"v", 0}, {"mask", WG_OPTIONAL | WG_BOOL_OR_FLOAT}, {"y", 0}, {"statistics", 0}, {"g", 0}},
    .out = {"dq", "dk", "dv"},
    .options = &(const wg_schema){sizeof(attention_options), NULL, 0, NULL},
    .type = attention_pull_type,
    .run = attention_pull_run,
    .c = attention_pull_c,
    .output_gradient_free = true,
    .hidden = true,
};

WG_FAMILY_OF(attention, "networks", ATTENTION)
