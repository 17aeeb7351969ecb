/* Losses of single elements: each is written once, as the elementwise text of its value and of its slopes in a =
 * input, b = target and c = a third operand. The rest is common to all. A value runs over blocks that stay in the
 * cache and is summed as it is made; a plain backward pass is one such pass too; a derivative to be differentiated
 * again, and forward mode, are the text as graph code. */
#include "ops/code.h"
#include "core/tape.h"
#include "ops/chain.h"
#include "ops/loss.h"

#include "wengert/elementwise.h"
#include "wengert/losses.h"
#include "wengert/map.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

#define LOSSES(OP)                                                                                                     \
    OP(mse_loss) OP(l1_loss) OP(smooth_l1_loss) OP(huber_loss) OP(log_cosh_loss) OP(binary_cross_entropy)              \
    OP(binary_cross_entropy_with_logits) OP(focal_loss) OP(hinge_loss) OP(soft_margin_loss) OP(kl_div)                 \
    OP(poisson_nll_loss) OP(gaussian_nll_loss) OP(loss_pull)
WG_CONTENTS(LOSSES)

#define BLOCK 512 /* elements at a time */
#define MOST_OPTIONS 16 /* 8-byte words that the options of a loss take */
_Static_assert(WG_PIECE % BLOCK == 0, "a piece is whole blocks");

/* ---- Reductions -------------------------------------------------------------------------------------------------- */
/* What the sum is divided by. */
static double divisor(const wg_call *c)
{
    if (wg_reduces_by(c, "mean"))
        return (double)wg_type_count(&c->x[0]);
    return wg_reduces_by(c, "batchmean") && c->x[0].rank ? (double)c->x[0].dim[0] : 1;
}

/* In double, over lanes that the compiler makes vectors of. */
#define LANES 16
#define SUM_LOOP(name, T)                                                                                              \
    static WG_CLONES double name(int64_t n, const T *x)                                                                \
    {                                                                                                                  \
        double lane[LANES] = {0};                                                                                      \
        int64_t i = 0;                                                                                                 \
        for (; i + LANES <= n; i += LANES)                                                                             \
            for (int k = 0; k < LANES; k++)                                                                            \
                lane[k] += (double)x[i + k];                                                                           \
        for (int k = 0; i < n; i++, k++)                                                                               \
            lane[k] += (double)x[i];                                                                                   \
        for (int half = LANES / 2; half; half /= 2)                                                                    \
            for (int k = 0; k < half; k++)                                                                             \
                lane[k] += lane[k + half];                                                                             \
        return lane[0];                                                                                                \
    }
SUM_LOOP(sum_f32, float)
SUM_LOOP(sum_f64, double)

/* ---- Running ----------------------------------------------------------------------------------------------------- */
typedef struct {
    const wg_call *c;
    const wg_map *map;
    const void *options;
    size_t size; /* bytes an element */
    int64_t count;
    unsigned char *to;
    double *partial; /* value: the sum of each piece; NULL where nothing is summed */
    bool third_in_order;
    int64_t third_stride[WG_MAX_RANK]; /* with which it is read as if it had the input's shape */
    const unsigned char *g;            /* pull: a cotangent each, or NULL and then all of them are: */
    double g_each;
    int which;
} pass;

static void fill(wg_dtype dtype, void *to, double value)
{
    for (int i = 0; i < BLOCK; i++)
        if (dtype == WG_FLOAT32)
            ((float *)to)[i] = (float)value;
        else
            ((double *)to)[i] = value;
}

static void pass_open(pass *p, const wg_call *c, const wg_map *map, const void *options)
{
    *p = (pass){.c = c, .map = map, .options = options, .size = wg_dtype_size(c->dtype),
                .count = wg_type_count(&c->x[0]), .to = c->to[0]};
    if (!wg_given(c, 2))
        return;
    wg_type third = c->x[2];
    p->third_in_order = wg_type_equal(&third, &c->x[0]);
    wg_broadcast_strides(&third, NULL, &c->x[0], p->third_stride);
}

/* n elements of a, b and, in `room` where they do not lie in order, c: ones where it is absent. */
static void pass_operands(const pass *p, int64_t first, int64_t n, const void *from[5], void *room)
{
    const wg_call *c = p->c;
    from[0] = (const unsigned char *)c->from[0] + (size_t)first * p->size;
    from[1] = (const unsigned char *)c->from[1] + (size_t)first * p->size;
    from[2] = room;
    if (!wg_given(c, 2))
        fill(c->dtype, room, 1);
    else if (p->third_in_order)
        from[2] = (const unsigned char *)c->from[2] + (size_t)first * p->size;
    else
        wg_gather_range(&c->x[0], p->third_stride, c->from[2], first, n, room);
}

static int64_t piece_end(const pass *p, int64_t piece)
{
    return (piece + 1) * WG_PIECE < p->count ? (piece + 1) * WG_PIECE : p->count;
}

static void value_piece(void *argument, int64_t piece)
{
    const pass *p = argument;
    wg_dtype dtype = p->c->dtype;
    _Alignas(WG_ALIGN) unsigned char third[BLOCK * sizeof(double)], values[BLOCK * sizeof(double)];
    const void *from[5];
    int64_t end = piece_end(p, piece);
    double sum = 0;
    for (int64_t first = piece * WG_PIECE; first < end; first += BLOCK) {
        int64_t n = end - first < BLOCK ? end - first : BLOCK;
        pass_operands(p, first, n, from, third);
        p->map->run[dtype](n, p->partial ? values : p->to + (size_t)first * p->size, from, p->options);
        if (p->partial)
            sum += dtype == WG_FLOAT32 ? sum_f32(n, (const void *)values) : sum_f64(n, (const void *)values);
    }
    if (p->partial)
        p->partial[piece] = sum;
}

static wg_status loss_run(const wg_call *c, const wg_map *map)
{
    pass p;
    pass_open(&p, c, map, c->options);
    int64_t pieces = wg_pieces(p.count);
    if (wg_is_reduced(c) && !(p.partial = wg_scratch(c, (size_t)pieces * sizeof *p.partial)))
        return WG_ERROR_MEMORY;
    wg_parallel(c->tape, pieces, value_piece, &p);
    if (p.partial)
        wg_store_number(c->dtype, wg_sum_folded(p.partial, pieces) / divisor(c), c->to[0]);
    return WG_OK;
}

/* ---- Their C ----------------------------------------------------------------------------------------------------- */
/* The text of an entry, whose options these are, at an index of the input: c is the third operand, or 1. */
static const char *text_at(const wg_call *c, wg_code *w, const wg_op *op, const void *options, const char *text)
{
    int64_t step[WG_MAX_RANK], third[WG_MAX_RANK];
    wg_source at = {.tape = c->tape}, of = at, in[3] = {at, at, at};
    wg_call own = *c;
    own.op = op;
    own.options = options;
    wg_code inner = {.call = &own, .dtype = w->dtype, .to = &of, .helpers = w->helpers, .n_words = 3};
    wg_broadcast_strides(&c->x[0], NULL, &c->x[0], step);
    wg_subscript_put(&at, 0, c->x[0].rank, step, "ijpqrtuv");
    for (int k = 0; k < 2; k++)
        wg_source_put(&in[k], "%s[%s]", c->op->in[k].name, at.data ? at.data : "0");
    if (wg_given(c, 2)) {
        wg_broadcast_strides(&c->x[2], NULL, &c->x[0], third);
        wg_source_put(&in[2], "%s[", c->op->in[2].name);
        wg_subscript_put(&in[2], 0, c->x[0].rank, third, "ijpqrtuv");
        wg_source_put(&in[2], "]");
    }
    for (int k = 0; k < 3; k++) {
        inner.word[k].word = (const char *const[]){"a", "b", "c"}[k];
        inner.word[k].as = in[k].data ? in[k].data : "1";
    }
    wg_status status = wg_code_expression(&inner, text);
    w->status = w->status ? w->status : status;
    return of.data ? of.data : "0";
}

static void elements_begin(const wg_call *c, wg_code *w)
{
    for (int i = 0; i < c->x[0].rank; i++)
        wg_code_for(w, (const char[]){"ijpqrtuv"[i], 0}, c->x[0].dim[i]);
}

static void elements_end(const wg_call *c, wg_code *w)
{
    for (int i = 0; i < c->x[0].rank; i++)
        wg_code_end(w);
}

/* The element of an array of the input's shape. */
static const char *element(const wg_call *c, const char *word)
{
    int64_t step[WG_MAX_RANK];
    wg_source at = {.tape = c->tape};
    wg_broadcast_strides(&c->x[0], NULL, &c->x[0], step);
    wg_source_put(&at, "%s[", word);
    wg_subscript_put(&at, 0, c->x[0].rank, step, "ijpqrtuv");
    wg_source_put(&at, "]");
    return at.data ? at.data : word;
}

static wg_status loss_c(const wg_call *c, wg_code *w, const wg_map *map)
{
    const char *text = text_at(c, w, c->op, c->options, map->value);
    wg_source line = {.tape = c->tape};
    wg_source_put(&line, wg_is_reduced(c) ? "sum += (double)(%s);" : "%.0s%s = %s;", wg_is_reduced(c) ? text : "",
                  element(c, "y"), text);
    if (wg_is_reduced(c)) {
        wg_code_number(w, "divisor", divisor(c));
        wg_code_line(w, "double sum = 0;");
    }
    elements_begin(c, w);
    wg_source_put(&line, "\n");
    wg_source_put(w->to, "%*s%s", 4 * w->depth, "", line.data ? line.data : "");
    elements_end(c, w);
    if (wg_is_reduced(c))
        wg_code_line(w, "y[0] = (%s)(sum / divisor);", wg_c_type(w->dtype));
    return w->status;
}

/* ---- loss_pull: the cotangent of one operand, in a plain backward pass ------------------------------------------ */
typedef struct {
    const wg_op *loss;
    const wg_map *map;
    int which;
    bool reduced;
    double divisor;
    uint64_t options[MOST_OPTIONS]; /* the loss's */
} loss_pull_options;

static void pull_piece(void *argument, int64_t piece)
{
    const pass *p = argument;
    wg_dtype dtype = p->c->dtype;
    _Alignas(WG_ALIGN) unsigned char third[BLOCK * sizeof(double)], g[BLOCK * sizeof(double)];
    const void *from[5];
    int64_t end = piece_end(p, piece);
    int operands = p->map->slope[2] ? 3 : 2;
    fill(dtype, g, p->g_each);
    for (int64_t first = piece * WG_PIECE; first < end; first += BLOCK) {
        int64_t n = end - first < BLOCK ? end - first : BLOCK;
        pass_operands(p, first, n, from, third);
        from[operands] = from[0]; /* the slopes do without the value */
        from[operands + 1] = p->g ? p->g + (size_t)first * p->size : g;
        p->map->pull[p->which][dtype](n, p->to + (size_t)first * p->size, from, p->options);
    }
}

static wg_status loss_pull_run(const wg_call *c)
{
    const loss_pull_options *o = c->options;
    pass p;
    pass_open(&p, c, o->map, o->options);
    p.which = o->which;
    if (o->reduced)
        p.g_each = wg_load_number(c->dtype, c->from[3]) / o->divisor;
    else
        p.g = c->from[3];
    wg_parallel(c->tape, wg_pieces(p.count), pull_piece, &p);
    return WG_OK;
}

static const wg_schema loss_pull_schema = {sizeof(loss_pull_options), &(const loss_pull_options){0}, 0, NULL};
static wg_status loss_pull_c(const wg_call *c, wg_code *w)
{
    const loss_pull_options *o = c->options;
    const char *text = text_at(c, w, o->loss, o->options, o->map->slope[o->which]);
    wg_code_number(w, "divisor", o->reduced ? o->divisor : 1);
    elements_begin(c, w);
    wg_code_line(w, "const %s cotangent = (%s)((double)%s / divisor);", wg_c_type(w->dtype), wg_c_type(w->dtype),
                 o->reduced ? "g[0]" : element(c, "g"));
    wg_source_put(w->to, "%*s%s = cotangent == 0 ? 0 : cotangent * (%s);\n", 4 * w->depth, "", element(c, "y"), text);
    elements_end(c, w);
    return w->status;
}

WG_OP(loss_pull) = {
    .name = "loss_pull",
    .doc = "y = g times the slope of a loss; what plain backward passes run, and never recorded",
    .in = {{"input", 0}, {"target", 0}, {"third", WG_OPTIONAL}, {"g", 0}},
    .options = &loss_pull_schema,
    .type = wg_type_as_first,
    .run = loss_pull_run,
    .c = loss_pull_c,
    .hidden = true,
};

/* ---- What all losses share --------------------------------------------------------------------------------------- */
static wg_status loss_type(wg_call *c)
{
    wg_type *y = c->y, both;
    if (!wg_type_equal(&c->x[0], &c->x[1]))
        return wg_fail(c, WG_ERROR_SHAPE, "%s and %s differ in shape", wg_show(c, 0), wg_show(c, 1));
    *y = c->x[0];
    if (wg_given(c, 2)) {
        if (wg_broadcast_shapes(c, y, &c->x[2], &both))
            return WG_ERROR_SHAPE;
        if (!wg_type_equal(&both, y))
            return wg_fail(c, WG_ERROR_SHAPE, "%s does not broadcast to %s", wg_show(c, 2), wg_show(c, 0));
    }
    if (wg_is_reduced(c))
        y->rank = 0;
    return WG_OK;
}

/* The slope for operand i as graph code; c, where it is absent, is 1. */
static wg_tensor slope_of(const wg_call *c, const wg_map *map, int i)
{
    const wg_tensor in[3] = {c->in[0], c->in[1], wg_given(c, 2) ? c->in[2] : wg_number(1)};
    wg_call loss = *c;
    loss.in = in;
    loss.n_in = 3;
    return wg_expression(&loss, map->slope[i]);
}

static wg_tensor loss_vjp(const wg_call *c, const wg_map *map, wg_tensor g)
{
    bool reduced = wg_is_reduced(c);
    double n = divisor(c);
    if (!c->recording && c->op->options->size <= sizeof(uint64_t[MOST_OPTIONS])) {
        loss_pull_options o = {c->op, map, c->which, reduced, n, {0}};
        memcpy(o.options, c->options, c->op->options->size);
        return WG_RECORD(loss_pull, &o, c->in[0], c->in[1], wg_given(c, 2) ? c->in[2] : WG_NONE, g);
    }
    if (reduced)
        g = wg_broadcast_to(n == 1 ? g : wg_divide(g, n), wg_type_shape(&c->x[0]));
    return wg_strong_multiply(g, slope_of(c, map, c->which));
}

static wg_tensor loss_jvp(const wg_call *c, const wg_map *map)
{
    wg_tensor t = WG_NONE;
    for (int i = 0; i < c->n_in; i++) {
        if (!wg_given(c, i) || wg_is_none(c->t[i]))
            continue;
        wg_tensor term = wg_strong_multiply(c->t[i], slope_of(c, map, i));
        t = wg_is_none(t) ? term : wg_add(t, term);
    }
    double n = divisor(c);
    if (!wg_is_reduced(c))
        return t;
    return n == 1 ? wg_sum(t) : wg_divide(wg_sum(t), n);
}

static void loss_formula(const wg_call *c, const wg_map *map, wg_tensor *out)
{
    const wg_tensor in[3] = {c->in[0], c->in[1], wg_given(c, 2) ? c->in[2] : wg_number(1)};
    wg_call loss = *c;
    loss.in = in;
    loss.n_in = 3;
    wg_tensor y = wg_expression(&loss, map->value);
    out[0] = !wg_is_reduced(c) ? y : divisor(c) == 1 ? wg_sum(y) : wg_divide(wg_sum(y), divisor(c));
}

#define LOSS_RULES(name, map)                                                                                          \
    static void name##_formula(const wg_call *c, wg_tensor *out) { loss_formula(c, map, out); }                        \
    static wg_status name##_run(const wg_call *c) { return loss_run(c, map); }                                         \
    static wg_status name##_c(const wg_call *c, wg_code *w) { return loss_c(c, w, map); }                              \
    static wg_tensor name##_vjp(const wg_call *c, wg_tensor g) { return loss_vjp(c, map, g); }                         \
    static wg_tensor name##_jvp(const wg_call *c) { return loss_jvp(c, map); }
#define LOSS(loss)                                                                                                     \
    .name = #loss, .type = loss_type, .run = loss##_run, .c = loss##_c, .jvp = loss##_jvp, .formula = loss##_formula
#define INPUT_TARGET .in = {{"input", 0}, {"target", 0}}, .saves = "input target"

/* ---- mse_loss ---------------------------------------------------------------------------------------------------- */
WG_MAP2(mse_loss, square(a - b), 2 * (a - b), 2 * (b - a))
LOSS_RULES(mse_loss, &mse_loss_map)
WG_OP(mse_loss) = {
    LOSS(mse_loss),
    .doc = "y = (input - target)^2, reduced",
    INPUT_TARGET,
    .options = WG_SCHEMA(wg_mse_loss, WG_REDUCTION(wg_mse_loss)),
    .vjp = {mse_loss_vjp, mse_loss_vjp},
    .samples = {"[2,3] [2,3]", "[2,3] [2,3] reduction=none", "[] [] reduction=sum", "[0,3] [0,3] reduction=sum"},
};
wg_tensor (wg_mse_loss)(wg_tensor input, wg_tensor target, wg_mse_loss_options options)
{
    return WG_RECORD(mse_loss, &options, input, target);
}

/* ---- l1_loss ----------------------------------------------------------------------------------------------------- */
WG_MAP2(l1_loss, abs(a - b), sign(a - b), sign(b - a))
LOSS_RULES(l1_loss, &l1_loss_map)
WG_OP(l1_loss) = {
    LOSS(l1_loss),
    .doc = "y = |input - target|, reduced; derivative 0 where they are equal",
    INPUT_TARGET,
    .options = WG_SCHEMA(wg_l1_loss, WG_REDUCTION(wg_l1_loss)),
    .vjp = {l1_loss_vjp, l1_loss_vjp},
    .samples = {"[2,3] [2,3]", "[2,3] [2,3] reduction=none", "[] []", "[0,3] [0,3] reduction=sum"},
};
wg_tensor (wg_l1_loss)(wg_tensor input, wg_tensor target, wg_l1_loss_options options)
{
    return WG_RECORD(l1_loss, &options, input, target);
}

/* ---- smooth_l1_loss ---------------------------------------------------------------------------------------------- */
WG_MAP2_OPTIONS(smooth_l1_loss, wg_smooth_l1_loss_options,
                abs(a - b) < K(o->beta) ? K(0.5) * square(a - b) / K(o->beta) : abs(a - b) - K(0.5) * K(o->beta),
                abs(a - b) < K(o->beta) ? (a - b) / K(o->beta) : sign(a - b),
                abs(a - b) < K(o->beta) ? (b - a) / K(o->beta) : sign(b - a))
LOSS_RULES(smooth_l1_loss, &smooth_l1_loss_map)
static wg_status smooth_l1_loss_type(wg_call *c)
{
    const wg_smooth_l1_loss_options *o = c->options;
    if (!(o->beta >= 0))
        return wg_fail(c, WG_ERROR_VALUE, "beta is %g, not at least 0", o->beta);
    return loss_type(c);
}
WG_OP(smooth_l1_loss) = {
    LOSS(smooth_l1_loss),
    .doc = "y = d^2 / (2 beta) where |d| < beta, |d| - beta / 2 elsewhere, with d = input - target, reduced",
    .source = "Girshick 2015, eq. 3",
    INPUT_TARGET,
    .options = WG_SCHEMA(wg_smooth_l1_loss, WG_REDUCTION(wg_smooth_l1_loss), WG_ATTR(wg_smooth_l1_loss, beta)),
    .type = smooth_l1_loss_type,
    .vjp = {smooth_l1_loss_vjp, smooth_l1_loss_vjp},
    .samples = {"[2,3] [2,3]", "[2,3] [2,3] beta=0.5 reduction=none", "[4] [4] beta=0", "[] []",
                "[0,3] [0,3] reduction=sum"},
};
wg_tensor (wg_smooth_l1_loss)(wg_tensor input, wg_tensor target, wg_smooth_l1_loss_options options)
{
    return WG_RECORD(smooth_l1_loss, &options, input, target);
}

/* ---- huber_loss -------------------------------------------------------------------------------------------------- */
WG_MAP2_OPTIONS(huber_loss, wg_huber_loss_options,
                abs(a - b) <= K(o->delta) ? K(0.5) * square(a - b)
                                          : K(o->delta) * (abs(a - b) - K(0.5) * K(o->delta)),
                abs(a - b) <= K(o->delta) ? a - b : K(o->delta) * sign(a - b),
                abs(a - b) <= K(o->delta) ? b - a : K(o->delta) * sign(b - a))
LOSS_RULES(huber_loss, &huber_loss_map)
static wg_status huber_loss_type(wg_call *c)
{
    const wg_huber_loss_options *o = c->options;
    if (!(o->delta > 0))
        return wg_fail(c, WG_ERROR_VALUE, "delta is %g, not above 0", o->delta);
    return loss_type(c);
}
WG_OP(huber_loss) = {
    LOSS(huber_loss),
    .doc = "y = d^2 / 2 where |d| <= delta, delta (|d| - delta / 2) elsewhere, with d = input - target, reduced",
    .source = "Huber 1964",
    INPUT_TARGET,
    .options = WG_SCHEMA(wg_huber_loss, WG_REDUCTION(wg_huber_loss), WG_ATTR(wg_huber_loss, delta)),
    .type = huber_loss_type,
    .vjp = {huber_loss_vjp, huber_loss_vjp},
    .samples = {"[2,3] [2,3]", "[2,3] [2,3] delta=0.5 reduction=none", "[] []", "[0,3] [0,3] reduction=sum"},
};
wg_tensor (wg_huber_loss)(wg_tensor input, wg_tensor target, wg_huber_loss_options options)
{
    return WG_RECORD(huber_loss, &options, input, target);
}

/* ---- log_cosh_loss ----------------------------------------------------------------------------------------------- */
/* Near 0 the terms of the second form cancel: there cosh(d) = sqrt(1 + sinh(d)^2). */
WG_MAP2(log_cosh_loss,
        abs(a - b) < 1 ? K(0.5) * log1p(square(sinh(a - b)))
                       : abs(a - b) + log1p(exp(-2 * abs(a - b))) - K(0.6931471805599453),
        tanh(a - b), tanh(b - a))
LOSS_RULES(log_cosh_loss, &log_cosh_loss_map)
WG_OP(log_cosh_loss) = {
    LOSS(log_cosh_loss),
    .doc = "y = log(cosh(input - target)), reduced",
    INPUT_TARGET,
    .options = WG_SCHEMA(wg_log_cosh_loss, WG_REDUCTION(wg_log_cosh_loss)),
    .vjp = {log_cosh_loss_vjp, log_cosh_loss_vjp},
    .samples = {"[2,3] [2,3]", "[2,3] [2,3] reduction=none", "[] []", "[0,3] [0,3] reduction=sum"},
};
wg_tensor (wg_log_cosh_loss)(wg_tensor input, wg_tensor target, wg_log_cosh_loss_options options)
{
    return WG_RECORD(log_cosh_loss, &options, input, target);
}

/* ---- binary_cross_entropy ---------------------------------------------------------------------------------------- */
WG_MAP3(binary_cross_entropy,
        -c * (b * (log(a) < -100 ? -100 : log(a)) + (1 - b) * (log1p(-a) < -100 ? -100 : log1p(-a))),
        c * ((log1p(-a) < -100 ? 0 : (1 - b) / (1 - a)) - (log(a) < -100 ? 0 : b / a)),
        c * ((log1p(-a) < -100 ? -100 : log1p(-a)) - (log(a) < -100 ? -100 : log(a))),
        -b * (log(a) < -100 ? -100 : log(a)) - (1 - b) * (log1p(-a) < -100 ? -100 : log1p(-a)))
LOSS_RULES(binary_cross_entropy, &binary_cross_entropy_map)
WG_OP(binary_cross_entropy) = {
    LOSS(binary_cross_entropy),
    .doc = "y = -weight (target log(input) + (1 - target) log(1 - input)), logarithms at least -100, reduced",
    .domain = "0 <= input <= 1",
    .in = {{"input", 0}, {"target", 0}, {"weight", WG_OPTIONAL}},
    .saves = "input target weight",
    .options = WG_SCHEMA(wg_binary_cross_entropy, WG_REDUCTION(wg_binary_cross_entropy)),
    .vjp = {binary_cross_entropy_vjp, binary_cross_entropy_vjp, binary_cross_entropy_vjp},
    .samples = {"[2,3]:0.1..0.9 [2,3]:0..1", "[2,3]:0.1..0.9 [2,3]:0..1 [3]:0.5..2 reduction=none",
                "[]:0.1..0.9 []:0..1 []:2 reduction=sum", "[0,3] [0,3] reduction=sum"},
};
wg_tensor (wg_binary_cross_entropy)(wg_tensor input, wg_tensor target, wg_binary_cross_entropy_options options)
{
    wg_tensor weight = options.weight;
    options.weight = WG_NONE;
    return WG_RECORD(binary_cross_entropy, &options, input, target, weight);
}

/* ---- binary_cross_entropy_with_logits ---------------------------------------------------------------------------- */
/* -log(sigmoid(a)) = log(1 + exp(-a)) = log(1 + exp(a)) - a: no form here subtracts two numbers that nearly agree. */
WG_MAP3(binary_cross_entropy_with_logits,
        c * b * log1pexp(-a) + (1 - b) * log1pexp(a),
        (1 - b) * sigmoid(a) - c * b * sigmoid(-a),
        (c - 1) * log1pexp(-a) - a,
        b * log1pexp(-a))
LOSS_RULES(binary_cross_entropy_with_logits, &binary_cross_entropy_with_logits_map)
WG_OP(binary_cross_entropy_with_logits) = {
    LOSS(binary_cross_entropy_with_logits),
    .doc = "y = -(pos_weight target log(p) + (1 - target) log(1 - p)) with p = sigmoid(input), reduced",
    .in = {{"input", 0}, {"target", 0}, {"pos_weight", WG_OPTIONAL}},
    .saves = "input target pos_weight",
    .options = WG_SCHEMA(wg_binary_cross_entropy_with_logits, WG_REDUCTION(wg_binary_cross_entropy_with_logits)),
    .vjp = {binary_cross_entropy_with_logits_vjp, binary_cross_entropy_with_logits_vjp,
            binary_cross_entropy_with_logits_vjp},
    .samples = {"[2,3] [2,3]:0..1", "[2,3] [2,3]:0..1 [3]:0.5..2 reduction=none", "[] []:0..1 reduction=sum",
                "[0,3] [0,3] reduction=sum"},
};
wg_tensor (wg_binary_cross_entropy_with_logits)(wg_tensor input, wg_tensor target,
                                                wg_binary_cross_entropy_with_logits_options options)
{
    wg_tensor pos_weight = options.pos_weight;
    options.pos_weight = WG_NONE;
    return WG_RECORD(binary_cross_entropy_with_logits, &options, input, target, pos_weight);
}

/* ---- focal_loss -------------------------------------------------------------------------------------------------- */
/* share (the weight of the class) times m^gamma times e, with m = b sigmoid(-a) + (1 - b) sigmoid(a) the probability
 * of the wrong class and e = b log1pexp(-a) + (1 - b) log1pexp(a) the cross entropy. de/da = (1 - b) sigmoid(a) - b
 * sigmoid(-a), dm/da = (1 - 2 b) sigmoid(a) sigmoid(-a), de/db = -a and dm/db = sigmoid(-a) - sigmoid(a). */
WG_MAP2_OPTIONS(focal_loss, wg_focal_loss_options,
                (b * (K(o->alpha) >= 0 ? K(o->alpha) : 1) + (1 - b) * (K(o->alpha) >= 0 ? 1 - K(o->alpha) : 1)) *
                    pow(b * sigmoid(-a) + (1 - b) * sigmoid(a), K(o->gamma)) *
                    (b * log1pexp(-a) + (1 - b) * log1pexp(a)),
                (b * (K(o->alpha) >= 0 ? K(o->alpha) : 1) + (1 - b) * (K(o->alpha) >= 0 ? 1 - K(o->alpha) : 1)) *
                    pow(b * sigmoid(-a) + (1 - b) * sigmoid(a), K(o->gamma)) *
                    ((1 - b) * sigmoid(a) - b * sigmoid(-a) +
                     (b * sigmoid(-a) + (1 - b) * sigmoid(a) == 0
                          ? 0
                          : K(o->gamma) * (b * log1pexp(-a) + (1 - b) * log1pexp(a)) * (1 - 2 * b) * sigmoid(a) *
                                sigmoid(-a) / (b * sigmoid(-a) + (1 - b) * sigmoid(a)))),
                pow(b * sigmoid(-a) + (1 - b) * sigmoid(a), K(o->gamma)) *
                    ((K(o->alpha) >= 0 ? 2 * K(o->alpha) - 1 : 0) * (b * log1pexp(-a) + (1 - b) * log1pexp(a)) +
                     (b * (K(o->alpha) >= 0 ? K(o->alpha) : 1) + (1 - b) * (K(o->alpha) >= 0 ? 1 - K(o->alpha) : 1)) *
                         (b * sigmoid(-a) + (1 - b) * sigmoid(a) == 0
                              ? -a
                              : K(o->gamma) * (b * log1pexp(-a) + (1 - b) * log1pexp(a)) * (sigmoid(-a) - sigmoid(a)) /
                                        (b * sigmoid(-a) + (1 - b) * sigmoid(a)) -
                                    a)))
LOSS_RULES(focal_loss, &focal_loss_map)
static wg_status focal_loss_type(wg_call *c)
{
    const wg_focal_loss_options *o = c->options;
    if (!(o->gamma >= 0))
        return wg_fail(c, WG_ERROR_VALUE, "gamma is %g, not at least 0", o->gamma);
    if (o->alpha < 0 || o->alpha > 1)
        return wg_fail(c, WG_ERROR_VALUE, "alpha is %g, not from 0 to 1", o->alpha);
    return loss_type(c);
}
WG_OP(focal_loss) = {
    LOSS(focal_loss),
    .doc = "y = -share m^gamma log(1 - m), m = sigmoid(-logits) for target 1, sigmoid(logits) for 0, reduced; share is "
           "alpha for target 1 and 1 - alpha for 0, or 1 without alpha",
    .source = "Lin et al. 2017, eq. 5",
    .in = {{"logits", 0}, {"target", 0}},
    .saves = "logits target",
    .options = WG_SCHEMA(wg_focal_loss, WG_REDUCTION(wg_focal_loss), WG_ATTR(wg_focal_loss, gamma),
                         WG_ATTR(wg_focal_loss, alpha)),
    .type = focal_loss_type,
    .vjp = {focal_loss_vjp, focal_loss_vjp},
    .samples = {"[2,3] [2,3]:0..1", "[2,3] [2,3]:0..1 gamma=1.5 alpha=0.25 reduction=none", "[3] [3]:0..1 gamma=0",
                "[] []:1 reduction=sum", "[0,3] [0,3] reduction=sum"},
};
wg_tensor (wg_focal_loss)(wg_tensor logits, wg_tensor target, wg_focal_loss_options options)
{
    return WG_RECORD(focal_loss, &options, logits, target);
}

/* ---- hinge_loss -------------------------------------------------------------------------------------------------- */
WG_MAP2(hinge_loss, a * b >= 1 ? 0 : 1 - a * b, a * b < 1 ? -b : 0, a * b < 1 ? -a : 0)
LOSS_RULES(hinge_loss, &hinge_loss_map)
WG_OP(hinge_loss) = {
    LOSS(hinge_loss),
    .doc = "y = max(0, 1 - target input), target -1 or 1, reduced; derivative 0 at the margin",
    INPUT_TARGET,
    .options = WG_SCHEMA(wg_hinge_loss, WG_REDUCTION(wg_hinge_loss)),
    .vjp = {hinge_loss_vjp, hinge_loss_vjp},
    .samples = {"[2,3] [2,3]", "[2,3] [2,3] reduction=none", "[] []:1", "[0,3] [0,3] reduction=sum"},
};
wg_tensor (wg_hinge_loss)(wg_tensor input, wg_tensor target, wg_hinge_loss_options options)
{
    return WG_RECORD(hinge_loss, &options, input, target);
}

/* ---- soft_margin_loss -------------------------------------------------------------------------------------------- */
WG_MAP2(soft_margin_loss, log1pexp(-a * b), -b * sigmoid(-a * b), -a * sigmoid(-a * b))
LOSS_RULES(soft_margin_loss, &soft_margin_loss_map)
WG_OP(soft_margin_loss) = {
    LOSS(soft_margin_loss),
    .doc = "y = log(1 + exp(-target input)), target -1 or 1, reduced",
    INPUT_TARGET,
    .options = WG_SCHEMA(wg_soft_margin_loss, WG_REDUCTION(wg_soft_margin_loss)),
    .vjp = {soft_margin_loss_vjp, soft_margin_loss_vjp},
    .samples = {"[2,3] [2,3]", "[2,3] [2,3] reduction=none", "[] []:-1", "[0,3] [0,3] reduction=sum"},
};
wg_tensor (wg_soft_margin_loss)(wg_tensor input, wg_tensor target, wg_soft_margin_loss_options options)
{
    return WG_RECORD(soft_margin_loss, &options, input, target);
}

/* ---- kl_div ------------------------------------------------------------------------------------------------------ */
WG_MAP2(kl_div_of_target, b == 0 ? 0 : b * (log(b) - a), -b, log(b) + 1 - a)
WG_MAP2(kl_div_of_log, exp(b) == 0 ? 0 : exp(b) * (b - a), -exp(b), exp(b) == 0 ? 0 : exp(b) * (b + 1 - a))
#define KL_DIV_MAP (((const wg_kl_div_options *)c->options)->log_target ? &kl_div_of_log_map : &kl_div_of_target_map)
LOSS_RULES(kl_div, KL_DIV_MAP)
WG_OP(kl_div) = {
    LOSS(kl_div),
    .doc = "y = target (log(target) - input), 0 where target is, reduced; of log(target) with log_target",
    .source = "Kullback and Leibler 1951",
    .domain = "target >= 0",
    INPUT_TARGET,
    .options = WG_SCHEMA(wg_kl_div, WG_ATTR(wg_kl_div, reduction, .choices = {"mean", "sum", "none", "batchmean"}),
                         WG_ATTR(wg_kl_div, log_target)),
    .vjp = {kl_div_vjp, kl_div_vjp},
    .samples = {"[2,3] [2,3]:0.1..1", "[2,3] [2,3] log_target=true reduction=none",
                "[2,3] [2,3]:0.1..1 reduction=batchmean", "[] []:0.5 reduction=sum", "[0,3] [0,3] reduction=sum"},
};
wg_tensor (wg_kl_div)(wg_tensor input, wg_tensor target, wg_kl_div_options options)
{
    return WG_RECORD(kl_div, &options, input, target);
}

/* ---- poisson_nll_loss -------------------------------------------------------------------------------------------- */
WG_MAP2_OPTIONS(poisson_of_log, wg_poisson_nll_loss_options,
                exp(a) - b * a +
                    (K(o->full) > 0 && b > 1 ? b * log(b) - b + K(0.5) * log(K(6.283185307179586) * b) : 0),
                exp(a) - b,
                (K(o->full) > 0 && b > 1 ? log(b) + K(0.5) / b : 0) - a)
WG_MAP2_OPTIONS(poisson_of_rate, wg_poisson_nll_loss_options,
                a - b * log(a + K(o->eps)) +
                    (K(o->full) > 0 && b > 1 ? b * log(b) - b + K(0.5) * log(K(6.283185307179586) * b) : 0),
                1 - b / (a + K(o->eps)),
                (K(o->full) > 0 && b > 1 ? log(b) + K(0.5) / b : 0) - log(a + K(o->eps)))
#define POISSON_MAP                                                                                                    \
    (((const wg_poisson_nll_loss_options *)c->options)->log_input ? &poisson_of_log_map : &poisson_of_rate_map)
LOSS_RULES(poisson_nll_loss, POISSON_MAP)
WG_OP(poisson_nll_loss) = {
    LOSS(poisson_nll_loss),
    .doc = "y = exp(input) - target input, without log_input input - target log(input + eps), reduced; full adds "
           "t log(t) - t + log(2 pi t) / 2 for targets t > 1",
    INPUT_TARGET,
    .options = WG_SCHEMA(wg_poisson_nll_loss, WG_REDUCTION(wg_poisson_nll_loss),
                         WG_ATTR(wg_poisson_nll_loss, log_input), WG_ATTR(wg_poisson_nll_loss, full),
                         WG_ATTR(wg_poisson_nll_loss, eps)),
    .vjp = {poisson_nll_loss_vjp, poisson_nll_loss_vjp},
    .samples = {"[2,3] [2,3]:0.1..4", "[2,3]:0.5..3 [2,3]:1.5..4 log_input=false full=true reduction=none",
                "[] []:2 full=true", "[0,3] [0,3] reduction=sum"},
};
wg_tensor (wg_poisson_nll_loss)(wg_tensor input, wg_tensor target, wg_poisson_nll_loss_options options)
{
    return WG_RECORD(poisson_nll_loss, &options, input, target);
}

/* ---- gaussian_nll_loss ------------------------------------------------------------------------------------------- */
WG_MAP3_OPTIONS(gaussian_nll_loss, wg_gaussian_nll_loss_options,
                K(0.5) * (log(c < K(o->eps) ? K(o->eps) : c) + square(a - b) / (c < K(o->eps) ? K(o->eps) : c)) +
                    (K(o->full) > 0 ? K(0.9189385332046727) : 0),
                (a - b) / (c < K(o->eps) ? K(o->eps) : c),
                (b - a) / (c < K(o->eps) ? K(o->eps) : c),
                c < K(o->eps) ? 0 : K(0.5) * (1 - square(a - b) / c) / c)
static wg_status gaussian_nll_loss_type(wg_call *c)
{
    const wg_gaussian_nll_loss_options *o = c->options;
    if (!(o->eps > 0))
        return wg_fail(c, WG_ERROR_VALUE, "eps is %g, not above 0", o->eps);
    if (c->x[2].rank && !wg_type_equal(&c->x[0], &c->x[2]))
        return wg_fail(c, WG_ERROR_SHAPE, "%s and %s differ in shape", wg_show(c, 0), wg_show(c, 2));
    return loss_type(c);
}
LOSS_RULES(gaussian_nll_loss, &gaussian_nll_loss_map)
static wg_status gaussian_nll_loss_checked(const wg_call *c)
{
    size_t size = wg_dtype_size(c->dtype);
    for (int64_t i = 0, n = wg_type_count(&c->x[2]); i < n; i++) {
        double variance = wg_load_number(c->dtype, (const unsigned char *)c->from[2] + (size_t)i * size);
        if (variance < 0)
            return wg_fail(c, WG_ERROR_VALUE, "var[%lld] is %g, which is negative", (long long)i, variance);
    }
    return gaussian_nll_loss_run(c);
}
WG_OP(gaussian_nll_loss) = {
    LOSS(gaussian_nll_loss),
    .doc = "y = (log(v) + (input - target)^2 / v) / 2, v = max(var, eps), reduced; full adds log(2 pi) / 2",
    .source = "Nix and Weigend 1994",
    .domain = "var >= 0",
    .in = {{"input", 0}, {"target", 0}, {"var", 0}},
    .saves = "input target var",
    .options = WG_SCHEMA(wg_gaussian_nll_loss, WG_REDUCTION(wg_gaussian_nll_loss), WG_ATTR(wg_gaussian_nll_loss, full),
                         WG_ATTR(wg_gaussian_nll_loss, eps)),
    .type = gaussian_nll_loss_type,
    .run = gaussian_nll_loss_checked,
    .vjp = {gaussian_nll_loss_vjp, gaussian_nll_loss_vjp, gaussian_nll_loss_vjp},
    .samples = {"[2,3] [2,3] [2,3]:0.5..2", "[2,3] [2,3] []:0.7 full=true reduction=none", "[] [] []:2",
                "[0,3] [0,3] [0,3] reduction=sum"},
};
wg_tensor (wg_gaussian_nll_loss)(wg_tensor input, wg_tensor target, wg_tensor var, wg_gaussian_nll_loss_options options)
{
    return WG_RECORD(gaussian_nll_loss, &options, input, target, var);
}

WG_FAMILY(losses, LOSSES)
