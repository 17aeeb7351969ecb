/* Losses over classes. With p the softmax of the input, each position's loss is -sum_c q_c log p_c for weights q_c
 * made of the target, the classes' weights and the reduction, and its derivative p_c sum_k q_k - q_c. Value and plain
 * derivative are fused passes over the rows; the derivative to be differentiated again is that as graph code. */
#include "core/tape.h"
#include "ops/class_weights.h"
#include "ops/loss.h"

#include "wengert/elementwise.h"
#include "wengert/losses.h"
#include "wengert/map.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"
#include "wengert/softmax.h"

#define CLASS_LOSSES(OP) OP(cross_entropy) OP(nll_loss) OP(multi_margin_loss) OP(cross_entropy_pull)
WG_CONTENTS(CLASS_LOSSES)

/* ---- Softmax of rows --------------------------------------------------------------------------------------------- */
#define TILE 64 /* positions at a time */
#define LANES 16

/* With m the largest of a row and S the sum of exp(x - m), which is at least 1: p = exp(x - m) / S, and log S = log1p
 * of the sum without its ones but one, so that it keeps its digits where one class has nearly all. */
typedef struct {
    double max[TILE], log_sum[TILE];
} row_sums;

/* Positions [0, n) one after the other, each a row of `classes` numbers. */
#define SOFTMAX_ROWS(name, T)                                                                                          \
    static WG_CLONES void name(int64_t classes, int64_t n, const T *restrict x, T *restrict p, row_sums *s)            \
    {                                                                                                                  \
        for (int64_t r = 0; r < n; r++) {                                                                              \
            const T *restrict row = x + r * classes;                                                                   \
            T *restrict to = p + r * classes, lane[LANES], most = -(T)INFINITY;                                        \
            int64_t c = 0;                                                                                             \
            for (int k = 0; k < LANES; k++)                                                                            \
                lane[k] = most;                                                                                        \
            for (; c + LANES <= classes; c += LANES)                                                                   \
                for (int k = 0; k < LANES; k++)                                                                        \
                    lane[k] = row[c + k] > lane[k] ? row[c + k] : lane[k];                                             \
            for (; c < classes; c++)                                                                                   \
                most = row[c] > most ? row[c] : most;                                                                  \
            for (int k = 0; k < LANES; k++)                                                                            \
                most = lane[k] > most ? lane[k] : most;                                                                \
            for (c = 0; c < classes; c++)                                                                              \
                to[c] = row[c] - most;                                                                                 \
            s->max[r] = (double)most;                                                                                  \
        }                                                                                                              \
        for (int64_t i = 0; i < n * classes; i++)                                                                      \
            p[i] = exp(p[i]);                                                                                          \
        for (int64_t r = 0; r < n; r++) {                                                                              \
            T *restrict to = p + r * classes;                                                                          \
            double ones[LANES] = {0}, rest[LANES] = {0};                                                               \
            int64_t c = 0;                                                                                             \
            for (; c + LANES <= classes; c += LANES)                                                                   \
                for (int k = 0; k < LANES; k++) {                                                                      \
                    ones[k] += to[c + k] == 1 ? 1 : 0;                                                                 \
                    rest[k] += to[c + k] == 1 ? 0 : (double)to[c + k];                                                 \
                }                                                                                                      \
            for (int k = 0; c < classes; c++, k++) {                                                                   \
                ones[k] += to[c] == 1 ? 1 : 0;                                                                         \
                rest[k] += to[c] == 1 ? 0 : (double)to[c];                                                             \
            }                                                                                                          \
            for (int half = LANES / 2; half; half /= 2)                                                                \
                for (int k = 0; k < half; k++) {                                                                       \
                    ones[k] += ones[k + half];                                                                         \
                    rest[k] += rest[k + half];                                                                         \
                }                                                                                                      \
            const double others = ones[0] - 1 + rest[0];                                                               \
            const T inverse = (T)(1 / (1 + others));                                                                   \
            for (c = 0; c < classes; c++)                                                                              \
                to[c] *= inverse;                                                                                      \
            s->log_sum[r] = log1p(others);                                                                             \
        }                                                                                                              \
    }
SOFTMAX_ROWS(softmax_rows_f32, float)
SOFTMAX_ROWS(softmax_rows_f64, double)

/* Positions [0, n) side by side: a class is `inner` numbers behind the one before. */
#define SOFTMAX_COLUMNS(name, T)                                                                                       \
    static WG_CLONES void name(int64_t classes, int64_t inner, int64_t n, const T *restrict x, T *restrict p,          \
                               row_sums *s)                                                                            \
    {                                                                                                                  \
        T most[TILE], inverse[TILE];                                                                                   \
        double others[TILE];                                                                                           \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            most[i] = -(T)INFINITY;                                                                                    \
            others[i] = -1;                                                                                            \
        }                                                                                                              \
        for (int64_t c = 0; c < classes; c++)                                                                          \
            for (int64_t i = 0; i < n; i++)                                                                            \
                most[i] = x[c * inner + i] > most[i] ? x[c * inner + i] : most[i];                                     \
        double rest[TILE] = {0};                                                                                       \
        for (int64_t c = 0; c < classes; c++)                                                                          \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                const T e = exp(x[c * inner + i] - most[i]);                                                           \
                p[c * inner + i] = e;                                                                                  \
                others[i] += e == 1 ? 1 : 0;                                                                           \
                rest[i] += e == 1 ? 0 : (double)e;                                                                     \
            }                                                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            others[i] += rest[i];                                                                                      \
            inverse[i] = (T)(1 / (1 + others[i]));                                                                     \
            s->max[i] = (double)most[i];                                                                               \
            s->log_sum[i] = log1p(others[i]);                                                                          \
        }                                                                                                              \
        for (int64_t c = 0; c < classes; c++)                                                                          \
            for (int64_t i = 0; i < n; i++)                                                                            \
                p[c * inner + i] *= inverse[i];                                                                        \
    }
SOFTMAX_COLUMNS(softmax_columns_f32, float)
SOFTMAX_COLUMNS(softmax_columns_f64, double)

static void softmax_tile(wg_dtype dtype, const wg_class_rows *r, int64_t n, const void *x, void *p, row_sums *s)
{
    if (r->inner == 1 && dtype == WG_FLOAT32)
        softmax_rows_f32(r->classes, n, x, p, s);
    else if (r->inner == 1)
        softmax_rows_f64(r->classes, n, x, p, s);
    else if (dtype == WG_FLOAT32)
        softmax_columns_f32(r->classes, r->inner, n, x, p, s);
    else
        softmax_columns_f64(r->classes, r->inner, n, x, p, s);
}

/* ---- Passes over the positions ----------------------------------------------------------------------------------- */
/* One call's work: tiles of positions whose rows are neighbours, in pieces for the threads. */
typedef struct {
    const wg_call *c;
    wg_class_rows r;
    size_t size; /* bytes an element */
    int64_t tile, piece; /* positions */
    const wg_type *target;
    const void *x, *labels, *weight, *g;
    void *p, *to;
    double *partial;
    int64_t ignore;
    double smoothing, divisor;
} pass;

/* `first` operand is the input, then target and weight. */
static pass pass_of(const wg_call *c, int first)
{
    pass p = {.c = c, .r = wg_class_rows_of(&c->x[first]), .size = wg_dtype_size(c->dtype), .target = &c->x[first + 1],
              .x = c->from[first], .labels = c->from[first + 1],
              .weight = wg_given(c, first + 2) ? c->from[first + 2] : NULL, .divisor = 1};
    int64_t fit = p.r.classes > 0 ? 2048 / p.r.classes : TILE; /* rows that stay in the nearest cache */
    p.tile = p.r.inner > 1 || fit > TILE ? TILE : fit > 1 ? fit : 1;
    int64_t tiles = p.r.classes > 0 ? WG_PIECE / (p.tile * p.r.classes) : 1;
    p.piece = p.tile * (tiles > 1 ? tiles : 1);
    return p;
}

static int64_t pass_pieces(const pass *p) { return (p->r.positions + p->piece - 1) / p->piece; }

/* How many positions from `at` on make one tile, and the element where its first row begins. */
static int64_t tile_at(const pass *p, int64_t at, int64_t end, int64_t *element)
{
    int64_t within = at % p->r.inner, n = p->tile;
    if (p->r.inner > 1 && n > p->r.inner - within)
        n = p->r.inner - within;
    *element = wg_class_row_at(&p->r, at);
    return n < end - at ? n : end - at;
}

/* Element `i` of an array of the call's dtype; 1 where there is no array. */
static double number_at(const pass *p, const void *array, int64_t i)
{
    if (!array)
        return 1;
    return p->c->dtype == WG_FLOAT32 ? (double)((const float *)array)[i] : ((const double *)array)[i];
}

static void put(const pass *p, void *array, int64_t i, double value)
{
    if (p->c->dtype == WG_FLOAT32)
        ((float *)array)[i] = (float)value;
    else
        ((double *)array)[i] = value;
}

/* q_c of a position, without the reduction's share; `element` is that of class 0. */
static double weight_at(const pass *p, int64_t position, int64_t element, int64_t class)
{
    double t;
    if (wg_is_float(p->target->dtype)) {
        t = number_at(p, p->labels, element + class * p->r.inner);
    } else {
        int64_t label = wg_label_at(p->target, p->labels, position);
        if (label == p->ignore)
            return 0;
        t = label == class;
    }
    if (p->smoothing != 0)
        t = t * (1 - p->smoothing) + p->smoothing / (double)p->r.classes;
    return t * number_at(p, p->weight, class);
}

static bool is_hard(const pass *p) { return !wg_is_float(p->target->dtype) && p->smoothing == 0; }

/* ---- cross_entropy ----------------------------------------------------------------------------------------------- */
static wg_status class_type(wg_call *c)
{
    const wg_type *x = &c->x[0], *target = &c->x[1];
    if (!x->rank)
        return wg_fail(c, WG_ERROR_SHAPE, "%s has no class axis", wg_show(c, 0));
    wg_type positions = wg_positions_type(x);
    wg_type wanted = wg_is_float(target->dtype) ? *x : positions;
    wanted.dtype = target->dtype;
    if (!wg_type_equal(target, &wanted)) {
        wg_shape shape = wg_type_shape(&wanted);
        char text[200];
        return wg_fail(c, WG_ERROR_SHAPE, "%s does not fit %s: it would have shape %s", wg_show(c, 1), wg_show(c, 0),
                       wg_shape_text(&shape, text, sizeof text));
    }
    wg_class_rows r = wg_class_rows_of(x);
    if (wg_given(c, 2) && (c->x[2].rank != 1 || c->x[2].dim[0] != r.classes))
        return wg_fail(c, WG_ERROR_SHAPE, "%s has not one entry for each class of %s", wg_show(c, 2), wg_show(c, 0));
    c->y[0] = positions;
    if (wg_is_reduced(c))
        c->y[0].rank = 0;
    return WG_OK;
}

/* Reads the labels and sets what the sum is divided by. False targets are an error; probabilities are none. */
static wg_status pass_labels(pass *p, int target)
{
    double total = (double)p->r.positions;
    int64_t counted = p->r.positions;
    if (!wg_is_float(p->target->dtype)) {
        wg_status status = wg_labels_read(p->c, target, p->r.classes, p->ignore, p->weight, &total, &counted);
        if (status)
            return status;
    }
    p->divisor = p->r.positions && !counted ? 1 : total; /* all ignored: 0, not 0 / 0 */
    return WG_OK;
}

static double position_loss(const pass *p, int64_t position, int64_t element, double max, double log_sum)
{
    int64_t inner = p->r.inner;
    if (is_hard(p)) {
        int64_t label = wg_label_at(p->target, p->labels, position);
        if (label == p->ignore)
            return 0;
        return (max - number_at(p, p->x, element + label * inner) + log_sum) * number_at(p, p->weight, label);
    }
    double loss = 0;
    for (int64_t class = 0; class < p->r.classes; class++) {
        double q = weight_at(p, position, element, class);
        if (q != 0)
            loss += q * (max - number_at(p, p->x, element + class * inner) + log_sum);
    }
    return loss;
}

static void cross_entropy_piece(void *argument, int64_t piece)
{
    const pass *p = argument;
    int64_t end = (piece + 1) * p->piece < p->r.positions ? (piece + 1) * p->piece : p->r.positions;
    row_sums s;
    double sum = 0;
    for (int64_t at = piece * p->piece, n, element; at < end; at += n) {
        n = tile_at(p, at, end, &element);
        size_t offset = (size_t)element * p->size;
        softmax_tile(p->c->dtype, &p->r, n, (const char *)p->x + offset, (char *)p->p + offset, &s);
        for (int64_t i = 0; i < n; i++) {
            int64_t row = element + (p->r.inner > 1 ? i : i * p->r.classes);
            double loss = position_loss(p, at + i, row, s.max[i], s.log_sum[i]);
            if (p->partial)
                sum += loss;
            else
                put(p, p->to, at + i, loss);
        }
    }
    if (p->partial)
        p->partial[piece] = sum;
}

static wg_status cross_entropy_run(const wg_call *c)
{
    const wg_cross_entropy_options *o = c->options;
    pass p = pass_of(c, 0);
    p.ignore = o->ignore_index;
    p.smoothing = o->label_smoothing;
    p.to = c->to[0];
    p.p = c->to[1];
    wg_status status = pass_labels(&p, 1);
    if (status)
        return status;
    int64_t pieces = pass_pieces(&p);
    if (wg_is_reduced(c) && !(p.partial = wg_scratch(c, (size_t)pieces * sizeof *p.partial)))
        return WG_ERROR_MEMORY;
    wg_parallel(c->tape, pieces, cross_entropy_piece, &p);
    if (p.partial)
        put(&p, p.to, 0, wg_sum_folded(p.partial, pieces) / (wg_reduces_by(c, "mean") ? p.divisor : 1));
    return WG_OK;
}

#define CROSS_ENTROPY_SCHEMA                                                                                           \
    WG_SCHEMA(wg_cross_entropy, WG_REDUCTION(wg_cross_entropy), WG_ATTR(wg_cross_entropy, ignore_index),               \
              WG_ATTR(wg_cross_entropy, label_smoothing))
static wg_status cross_entropy_type(wg_call *c)
{
    const wg_cross_entropy_options *o = c->options;
    if (!(o->label_smoothing >= 0 && o->label_smoothing <= 1))
        return wg_fail(c, WG_ERROR_VALUE, "label_smoothing is %g, not from 0 to 1", o->label_smoothing);
    c->y[1] = c->x[0];
    return class_type(c);
}

/* ---- cross_entropy_pull: the cotangent of the input ------------------------------------------------------------- */
/* p - 1 of the target's class is minus the sum of the others, which keeps its digits where p is nearly 1. A position
 * whose scale is 0 has zeros, whatever p is. */
#define PULL_ROWS(name, T)                                                                                             \
    static WG_CLONES void name(int64_t classes, int64_t n, const int64_t *label, const double *scale,                  \
                               const T *restrict p, T *restrict to)                                                    \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; i++, p += classes, to += classes) {                                                 \
            const T by = (T)scale[i];                                                                                  \
            double others[LANES] = {0};                                                                                \
            int64_t c = 0;                                                                                             \
            for (; c < classes; c++)                                                                                   \
                to[c] = by == 0 ? 0 : by * p[c];                                                                       \
            if (by == 0)                                                                                               \
                continue;                                                                                              \
            to[label[i]] = 0;                                                                                          \
            for (c = 0; c + LANES <= classes; c += LANES)                                                              \
                for (int k = 0; k < LANES; k++)                                                                        \
                    others[k] += (double)to[c + k];                                                                    \
            for (int k = 0; c < classes; c++, k++)                                                                     \
                others[k] += (double)to[c];                                                                            \
            for (int half = LANES / 2; half; half /= 2)                                                                \
                for (int k = 0; k < half; k++)                                                                         \
                    others[k] += others[k + half];                                                                     \
            to[label[i]] = (T)-others[0];                                                                              \
        }                                                                                                              \
    }
PULL_ROWS(pull_rows_f32, float)
PULL_ROWS(pull_rows_f64, double)

#define PULL_COLUMNS(name, T)                                                                                          \
    static WG_CLONES void name(int64_t classes, int64_t inner, int64_t n, const int64_t *label, const double *scale,   \
                               const T *restrict p, T *restrict to)                                                    \
    {                                                                                                                  \
        double others[TILE] = {0};                                                                                     \
        for (int64_t c = 0; c < classes; c++)                                                                          \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                const T d = scale[i] == 0 || label[i] == c ? 0 : (T)scale[i] * p[c * inner + i];                       \
                others[i] += (double)d;                                                                                \
                to[c * inner + i] = d;                                                                                 \
            }                                                                                                          \
        for (int64_t i = 0; i < n; i++)                                                                                \
            if (scale[i] != 0)                                                                                         \
                to[label[i] * inner + i] = (T)-others[i];                                                              \
    }
PULL_COLUMNS(pull_columns_f32, float)
PULL_COLUMNS(pull_columns_f64, double)

static void pull_hard(const pass *p, int64_t at, int64_t n, const double *g, const void *softmax, void *to)
{
    int64_t label[TILE];
    double scale[TILE];
    for (int64_t i = 0; i < n; i++) {
        label[i] = wg_label_at(p->target, p->labels, at + i);
        scale[i] = label[i] == p->ignore ? 0 : g[i] * number_at(p, p->weight, label[i]);
    }
    const wg_class_rows *r = &p->r;
    if (r->inner == 1 && p->c->dtype == WG_FLOAT32)
        pull_rows_f32(r->classes, n, label, scale, softmax, to);
    else if (r->inner == 1)
        pull_rows_f64(r->classes, n, label, scale, softmax, to);
    else if (p->c->dtype == WG_FLOAT32)
        pull_columns_f32(r->classes, r->inner, n, label, scale, softmax, to);
    else
        pull_columns_f64(r->classes, r->inner, n, label, scale, softmax, to);
}

/* `element` is that of the row's first class. */
static void pull_soft(const pass *p, int64_t position, int64_t element, double g)
{
    double all = 0;
    for (int64_t class = 0; class < p->r.classes; class++)
        all += weight_at(p, position, element, class);
    for (int64_t class = 0; class < p->r.classes; class++) {
        int64_t i = element + class * p->r.inner;
        put(p, p->to, i, g == 0 ? 0 : g * (number_at(p, p->x, i) * all - weight_at(p, position, element, class)));
    }
}

static void pull_piece(void *argument, int64_t piece)
{
    const pass *p = argument;
    int64_t end = (piece + 1) * p->piece < p->r.positions ? (piece + 1) * p->piece : p->r.positions;
    double g[TILE];
    for (int64_t at = piece * p->piece, n, element; at < end; at += n) {
        n = tile_at(p, at, end, &element);
        for (int64_t i = 0; i < n; i++)
            g[i] = number_at(p, p->g, wg_is_reduced(p->c) ? 0 : at + i) / p->divisor;
        size_t offset = (size_t)element * p->size;
        if (is_hard(p))
            pull_hard(p, at, n, g, (const char *)p->x + offset, (char *)p->to + offset);
        else
            for (int64_t i = 0; i < n; i++)
                pull_soft(p, at + i, element + (p->r.inner > 1 ? i : i * p->r.classes), g[i]);
    }
}

static wg_status cross_entropy_pull_run(const wg_call *c)
{
    const wg_cross_entropy_options *o = c->options;
    pass p = pass_of(c, 0);
    p.ignore = o->ignore_index;
    p.smoothing = o->label_smoothing;
    p.g = c->from[3];
    p.to = c->to[0];
    wg_status status = pass_labels(&p, 1);
    if (status)
        return status;
    if (!wg_reduces_by(c, "mean"))
        p.divisor = 1;
    wg_parallel(c->tape, pass_pieces(&p), pull_piece, &p);
    return WG_OK;
}
static wg_tensor plus(wg_tensor a, wg_tensor b) { return wg_is_none(a) ? b : wg_is_none(b) ? a : wg_add(a, b); }

static wg_classified cross_entropy_of(const wg_call *c)
{
    const wg_cross_entropy_options *o = c->options;
    return wg_classified_of(c, o->ignore_index, o->label_smoothing);
}

/* ---- cross_entropy_pull: derivatives ---------------------------------------------------------------------------- */
static const wg_op cross_entropy_pull_op;
static wg_tensor pulled(const wg_call *c, wg_tensor p, wg_tensor weight, wg_tensor g)
{
    return WG_RECORD(cross_entropy_pull, c->options, p, c->in[1], weight, g);
}

static bool is_sharp(const wg_classified *l) { return !l->soft && l->label_smoothing == 0; }

static wg_tensor sum_of_row(const wg_classified *l, wg_tensor x)
{
    return wg_sum(x, .axis = WG_AXES(l->r.axis), .keepdims = true);
}

/* The target's share of its probabilities, weighted, where q is linear in them. */
static wg_tensor times_target_weight(const wg_classified *l, wg_tensor share, wg_tensor x)
{
    x = wg_multiply(x, wg_along_positions(l, wg_multiply(share, 1 - l->label_smoothing)));
    return wg_is_none(l->weight) ? x : wg_multiply(x, wg_along_classes(l, l->weight));
}

/* Of y = p sum(q) - q and a cotangent u, <u, y> = sum q v. With one class a target, 1 is the sum of p, as in the
 * kernel. */
static wg_tensor against_weights(const wg_classified *l, wg_tensor u)
{
    wg_tensor p = l->c->in[0];
    wg_tensor own = is_sharp(l) ? wg_multiply(u, sum_of_row(l, p)) : u;
    return wg_subtract(sum_of_row(l, wg_multiply(u, p)), own);
}

static wg_tensor cross_entropy_pull_dsoftmax(const wg_call *c, wg_tensor u)
{
    wg_classified l = cross_entropy_of(c);
    wg_tensor q = wg_class_weights(&l, wg_class_share(&l, c->in[3]), l.weight), dp = wg_multiply(u, sum_of_row(&l, q));
    return is_sharp(&l) ? wg_subtract(dp, sum_of_row(&l, wg_multiply(u, q))) : dp;
}
static wg_tensor cross_entropy_pull_dtarget(const wg_call *c, wg_tensor u)
{
    wg_classified l = cross_entropy_of(c);
    return times_target_weight(&l, wg_class_share(&l, c->in[3]), against_weights(&l, u));
}
static wg_tensor cross_entropy_pull_dweight(const wg_call *c, wg_tensor u)
{
    wg_classified l = cross_entropy_of(c);
    return wg_class_weight_pull(&l, c->in[3], against_weights(&l, u), wg_sum(wg_multiply(u, c->out[0])));
}
static wg_tensor cross_entropy_pull_dg(const wg_call *c, wg_tensor u)
{
    wg_classified l = cross_entropy_of(c);
    return wg_class_sum(&l, wg_multiply(u, pulled(c, c->in[0], l.weight, wg_class_ones(&l))));
}

/* y for another q. */
static wg_tensor with_weights(const wg_classified *l, wg_tensor q)
{
    wg_tensor p = l->c->in[0], own = is_sharp(l) ? wg_multiply(q, sum_of_row(l, p)) : q;
    return wg_subtract(wg_multiply(p, sum_of_row(l, q)), own);
}
static wg_tensor cross_entropy_pull_jvp(const wg_call *c)
{
    wg_classified l = cross_entropy_of(c);
    wg_tensor t = WG_NONE, share = wg_class_share(&l, c->in[3]);
    if (!wg_is_none(c->t[0]))
        t = is_sharp(&l) ? pulled(c, c->t[0], l.weight, c->in[3])
                         : wg_multiply(c->t[0], sum_of_row(&l, wg_class_weights(&l, share, l.weight)));
    if (!wg_is_none(c->t[1]))
        t = plus(t, with_weights(&l, times_target_weight(&l, share, c->t[1])));
    if (wg_given(c, 2) && !wg_is_none(c->t[2])) {
        t = plus(t, with_weights(&l, wg_class_weights(&l, share, c->t[2])));
        if (l.mean && !l.soft)
            t = wg_subtract(t, wg_multiply(c->out[0], wg_class_share(&l, wg_class_total(&l, c->t[2]))));
    }
    if (!wg_is_none(c->t[3]))
        t = plus(t, pulled(c, c->in[0], l.weight, c->t[3]));
    return t;
}
WG_OP(cross_entropy_pull) = {
    .name = "cross_entropy_pull",
    .doc = "y = softmax sum(q) - q with q = g times cross_entropy's weight of each class, shared out by its reduction",
    .in = {{"softmax", 0}, {"target", WG_INDEX_OR_FLOAT}, {"weight", WG_OPTIONAL}, {"g", 0}},
    .options = CROSS_ENTROPY_SCHEMA,
    .type = wg_type_as_first,
    .run = cross_entropy_pull_run,
    .c = wg_cross_entropy_pull_c,
    .vjp = {cross_entropy_pull_dsoftmax, cross_entropy_pull_dtarget, cross_entropy_pull_dweight, cross_entropy_pull_dg},
    .jvp = cross_entropy_pull_jvp,
    .saves = "softmax target weight g y",
    .samples = {"[3,4]:0.1..0.5 [3]:int64:0..3 - []", "[3,4]:0.1..0.5 [3]:int64:0..3 [4]:0.5..2 [3] reduction=none",
                "[3,4]:0.1..0.5 [3]:int64:0..3 [4]:0.5..2 []", "[2,3,5]:0.1..0.5 [2,5]:int64:0..2 [3]:0.5..2 []"},
    .hidden = true,
};

/* ---- cross_entropy: derivatives ---------------------------------------------------------------------------------- */
static wg_tensor cross_entropy_dinput(const wg_call *c, wg_tensor g)
{
    wg_classified l = cross_entropy_of(c);
    return pulled(c, c->recording ? wg_softmax(c->in[0], .axis = l.r.axis) : wg_saved(c, 0), l.weight, g);
}

static wg_tensor log_softmax_of(const wg_classified *l) { return wg_log_softmax(l->c->in[0], .axis = l->r.axis); }

static wg_tensor cross_entropy_dtarget(const wg_call *c, wg_tensor g)
{
    wg_classified l = cross_entropy_of(c);
    return times_target_weight(&l, wg_class_share(&l, wg_negative(g)), log_softmax_of(&l));
}
static wg_tensor cross_entropy_dweight(const wg_call *c, wg_tensor g)
{
    wg_classified l = cross_entropy_of(c);
    return wg_class_weight_pull(&l, g, wg_negative(log_softmax_of(&l)), wg_multiply(g, c->out[0]));
}

static wg_tensor cross_entropy_jvp(const wg_call *c)
{
    wg_classified l = cross_entropy_of(c);
    wg_tensor t = WG_NONE, one = wg_class_ones(&l);
    if (!wg_is_none(c->t[0])) {
        wg_tensor p = c->recording ? wg_softmax(c->in[0], .axis = l.r.axis) : wg_saved(c, 0);
        t = wg_class_sum(&l, wg_multiply(pulled(c, p, l.weight, one), c->t[0]));
    }
    if (!wg_is_none(c->t[1])) {
        wg_tensor slope = times_target_weight(&l, wg_class_share(&l, wg_negative(one)), log_softmax_of(&l));
        t = plus(t, wg_class_sum(&l, wg_multiply(slope, c->t[1])));
    }
    if (wg_given(c, 2) && !wg_is_none(c->t[2]))
        t = plus(t, wg_class_weight_push(&l, c->t[2], wg_negative(log_softmax_of(&l))));
    return t;
}

static void cross_entropy_formula(const wg_call *c, wg_tensor *out)
{
    wg_classified l = cross_entropy_of(c);
    wg_tensor q = wg_class_weights(&l, wg_class_share(&l, wg_class_ones(&l)), l.weight);
    out[0] = wg_class_sum(&l, wg_negative(wg_multiply(q, log_softmax_of(&l))));
}
WG_OP(cross_entropy) = {
    .name = "cross_entropy",
    .doc = "y = -sum_c weight[c] target[c] log(softmax(input)[c]), reduced; an integer target is the class that has "
           "it all",
    .source = "Bridle 1990; label smoothing: Szegedy et al. 2016, 7",
    .in = {{"input", 0}, {"target", WG_INDEX_OR_FLOAT}, {"weight", WG_OPTIONAL}},
    .saved = {"softmax"},
    .options = CROSS_ENTROPY_SCHEMA,
    .type = cross_entropy_type,
    .run = cross_entropy_run,
    .c = wg_cross_entropy_c,
    .vjp = {cross_entropy_dinput, cross_entropy_dtarget, cross_entropy_dweight},
    .jvp = cross_entropy_jvp,
    .saves = "input target weight y",
    .formula = cross_entropy_formula,
    .samples = {"[3,4] [3]:int64:0..3", "[3,4] [3]:int64:0..3 [4]:0.5..2 reduction=none",
                "[3,4] [3]:int32:0..3 [4]:0.5..2 ignore_index=1 label_smoothing=0.1", "[4] []:int64:0..3 reduction=sum",
                "[2,3,5] [2,5]:int64:0..2 [3]:0.5..2", "[3,4] [3,4]:0.1..0.9",
                "[2,3,2,2] [2,3,2,2]:0.1..0.9 [3]:0.5..2 label_smoothing=0.2",
                "[3,4] [3,4]:0.1..0.9 [4]:0.5..2 reduction=none", "[0,4] [0]:int64:0..3 reduction=sum"},
};
wg_tensor (wg_cross_entropy)(wg_tensor input, wg_tensor target, wg_cross_entropy_options options)
{
    wg_tensor weight = options.weight;
    options.weight = WG_NONE;
    return WG_RECORD(cross_entropy, &options, input, target, weight);
}

/* ---- nll_loss ---------------------------------------------------------------------------------------------------- */
static wg_status nll_loss_run(const wg_call *c)
{
    const wg_nll_loss_options *o = c->options;
    pass p = pass_of(c, 0);
    p.ignore = o->ignore_index;
    wg_status status = pass_labels(&p, 1);
    if (status)
        return status;
    double *loss = wg_scratch(c, (size_t)p.r.positions * sizeof *loss);
    if (!loss)
        return WG_ERROR_MEMORY;
    for (int64_t at = 0; at < p.r.positions; at++) {
        int64_t element = wg_class_row_at(&p.r, at);
        loss[at] = position_loss(&p, at, element, 0, 0);
        if (!wg_is_reduced(c))
            put(&p, c->to[0], at, loss[at]);
    }
    if (wg_is_reduced(c))
        put(&p, c->to[0], 0, wg_sum_folded(loss, p.r.positions) / (wg_reduces_by(c, "mean") ? p.divisor : 1));
    return WG_OK;
}

static wg_classified nll_loss_of(const wg_call *c)
{
    const wg_nll_loss_options *o = c->options;
    return wg_classified_of(c, o->ignore_index, 0);
}
static wg_tensor nll_loss_dlog_probs(const wg_call *c, wg_tensor g)
{
    wg_classified l = nll_loss_of(c);
    return wg_class_weights(&l, wg_negative(wg_class_share(&l, g)), l.weight);
}
static wg_tensor nll_loss_dweight(const wg_call *c, wg_tensor g)
{
    wg_classified l = nll_loss_of(c);
    return wg_class_weight_pull(&l, g, wg_negative(c->in[0]), wg_multiply(g, c->out[0]));
}
static wg_tensor nll_loss_jvp(const wg_call *c)
{
    wg_classified l = nll_loss_of(c);
    wg_tensor t = WG_NONE, share = wg_negative(wg_class_share(&l, wg_class_ones(&l)));
    if (!wg_is_none(c->t[0]))
        t = wg_class_sum(&l, wg_multiply(wg_class_weights(&l, share, l.weight), c->t[0]));
    if (wg_given(c, 2) && !wg_is_none(c->t[2]))
        t = plus(t, wg_class_weight_push(&l, c->t[2], wg_negative(c->in[0])));
    return t;
}
static void nll_loss_formula(const wg_call *c, wg_tensor *out)
{
    wg_classified l = nll_loss_of(c);
    wg_tensor q = wg_class_weights(&l, wg_class_share(&l, wg_class_ones(&l)), l.weight);
    out[0] = wg_class_sum(&l, wg_negative(wg_multiply(q, c->in[0])));
}
WG_OP(nll_loss) = {
    .name = "nll_loss",
    .doc = "y = -weight[target] log_probs[target], reduced",
    .in = {{"log_probs", 0}, {"target", WG_INTEGER}, {"weight", WG_OPTIONAL}},
    .options = WG_SCHEMA(wg_nll_loss, WG_REDUCTION(wg_nll_loss), WG_ATTR(wg_nll_loss, ignore_index)),
    .type = class_type,
    .run = nll_loss_run,
    .c = wg_nll_loss_c,
    .vjp = {nll_loss_dlog_probs, NULL, nll_loss_dweight},
    .jvp = nll_loss_jvp,
    .saves = "log_probs target weight y",
    .formula = nll_loss_formula,
    .samples = {"[3,4] [3]:int64:0..3", "[3,4] [3]:int64:0..3 [4]:0.5..2 reduction=none",
                "[3,4] [3]:int32:0..3 [4]:0.5..2 ignore_index=1", "[4] []:int64:0..3 reduction=sum",
                "[2,3,5] [2,5]:int64:0..2 [3]:0.5..2", "[0,4] [0]:int64:0..3 reduction=sum"},
};
wg_tensor (wg_nll_loss)(wg_tensor log_probs, wg_tensor target, wg_nll_loss_options options)
{
    wg_tensor weight = options.weight;
    options.weight = WG_NONE;
    return WG_RECORD(nll_loss, &options, log_probs, target, weight);
}

/* ---- multi_margin_loss ------------------------------------------------------------------------------------------- */
static wg_status multi_margin_loss_type(wg_call *c)
{
    const wg_multi_margin_loss_options *o = c->options;
    if (o->p != 1 && o->p != 2)
        return wg_fail(c, WG_ERROR_VALUE, "p is %lld, not 1 or 2", (long long)o->p);
    if (c->x[0].rank > 2)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not [C] or [n, C]", wg_show(c, 0));
    return class_type(c);
}

static wg_status multi_margin_loss_run(const wg_call *c)
{
    const wg_multi_margin_loss_options *o = c->options;
    pass p = pass_of(c, 0);
    p.ignore = WG_NO_INTEGER;
    wg_status status = pass_labels(&p, 1);
    double *loss = status ? NULL : wg_scratch(c, (size_t)p.r.positions * sizeof *loss);
    if (!loss)
        return status ? status : WG_ERROR_MEMORY;
    for (int64_t at = 0; at < p.r.positions; at++) {
        int64_t label = wg_label_at(p.target, p.labels, at), row = at * p.r.classes;
        double least = o->margin - number_at(&p, p.x, row + label), sum = 0;
        for (int64_t class = 0; class < p.r.classes; class++) {
            double over = least + number_at(&p, p.x, row + class);
            if (class != label && !(over <= 0))
                sum += o->p == 1 ? over : over * over;
        }
        loss[at] = sum / (double)p.r.classes;
        if (!wg_is_reduced(c))
            put(&p, c->to[0], at, loss[at]);
    }
    if (wg_is_reduced(c))
        put(&p, c->to[0], 0, wg_sum_folded(loss, p.r.positions) / (wg_reduces_by(c, "mean") ? p.divisor : 1));
    return WG_OK;
}

/* With h_c the slope of the hinge of class c: h_c, and minus the sum of all of them for the target. */
static wg_tensor multi_margin_slope(const wg_classified *l, wg_tensor share)
{
    const wg_multi_margin_loss_options *o = l->c->options;
    wg_axes axis = WG_AXES(l->r.axis);
    wg_tensor x = l->c->in[0], chosen = wg_class_weights(l, wg_class_ones(l), WG_NONE);
    wg_tensor is_chosen = wg_greater(chosen, 0);
    wg_tensor own = wg_sum(wg_where(is_chosen, x, 0), .axis = axis, .keepdims = true);
    wg_tensor over = wg_add(wg_subtract(x, own), o->margin);
    wg_tensor slope = wg_along_positions(l, wg_divide(share, (double)l->r.classes));
    if (o->p == 2)
        slope = wg_multiply(wg_multiply(over, 2), slope);
    wg_tensor h = wg_where(wg_logical_or(is_chosen, wg_less_equal(over, 0)), 0, slope);
    return wg_subtract(h, wg_multiply(chosen, wg_sum(h, .axis = axis, .keepdims = true)));
}

static wg_classified multi_margin_of(const wg_call *c) { return wg_classified_of(c, WG_NO_INTEGER, 0); }
static wg_tensor multi_margin_loss_dx(const wg_call *c, wg_tensor g)
{
    wg_classified l = multi_margin_of(c);
    return multi_margin_slope(&l, l.mean ? wg_divide(g, (double)l.r.positions) : g);
}
static wg_tensor multi_margin_loss_jvp(const wg_call *c)
{
    wg_classified l = multi_margin_of(c);
    wg_tensor t = wg_class_sum(&l, wg_multiply(multi_margin_slope(&l, wg_class_ones(&l)), c->t[0]));
    return l.mean ? wg_divide(t, (double)l.r.positions) : t;
}
static void multi_margin_loss_formula(const wg_call *c, wg_tensor *out)
{
    const wg_multi_margin_loss_options *o = c->options;
    wg_classified l = multi_margin_of(c);
    wg_axes axis = WG_AXES(l.r.axis);
    wg_tensor x = c->in[0], chosen = wg_stop_gradient(wg_class_weights(&l, wg_class_ones(&l), WG_NONE));
    wg_tensor own = wg_sum(wg_multiply(x, chosen), .axis = axis, .keepdims = true);
    wg_tensor over = wg_maximum(wg_add(wg_subtract(x, own), o->margin), 0);
    over = wg_multiply(o->p == 2 ? wg_square(over) : over, wg_subtract(1, chosen));
    out[0] = wg_class_sum(&l, wg_divide(over, (double)l.r.classes));
    out[0] = l.mean ? wg_divide(out[0], (double)l.r.positions) : out[0];
}
WG_OP(multi_margin_loss) = {
    .name = "multi_margin_loss",
    .doc = "y = the sum over c, but the target t, of max(0, margin - x[t] + x[c])^p / C, reduced; derivative 0 at the "
           "margin",
    .source = "Crammer and Singer 2001",
    .in = {{"x", 0}, {"target", WG_INTEGER}},
    .options = WG_SCHEMA(wg_multi_margin_loss, WG_REDUCTION(wg_multi_margin_loss), WG_ATTR(wg_multi_margin_loss, p),
                         WG_ATTR(wg_multi_margin_loss, margin)),
    .type = multi_margin_loss_type,
    .run = multi_margin_loss_run,
    .c = wg_multi_margin_loss_c,
    .vjp = {multi_margin_loss_dx},
    .jvp = multi_margin_loss_jvp,
    .saves = "x target",
    .formula = multi_margin_loss_formula,
    .samples = {"[3,4] [3]:int64:0..3", "[3,4] [3]:int32:0..3 p=2 margin=0.7 reduction=none",
                "[4] []:int64:0..3 reduction=sum", "[0,4] [0]:int64:0..3 reduction=sum"},
};
wg_tensor (wg_multi_margin_loss)(wg_tensor x, wg_tensor target, wg_multi_margin_loss_options options)
{
    return WG_RECORD(multi_margin_loss, &options, x, target);
}

WG_FAMILY_OF(class_losses, "losses", CLASS_LOSSES)
