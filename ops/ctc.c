/* Connectionist temporal classification. A target of S labels has the states 0 to 2 S: the labels at the odd ones,
 * blanks before, between and behind them. A path moves on by no state, one, or two, where that passes over a blank
 * between different labels; all paths that end in the last two states together are the target's probability. Sums over
 * paths go forwards (alpha) and backwards (beta) through the states, in logarithms and in double.
 *
 * The derivative of the loss is minus the posterior: how probable it is, given the target, to be at that step in that
 * class. It is one hidden kernel, and where it is recorded the same recursions as graph code, differentiable any number
 * of times. */
#include "core/tape.h"
#include "ops/chain.h"
#include "ops/class_weights.h"
#include "ops/code.h"
#include "ops/index.h"
#include "ops/loss.h"

#include "wengert/elementwise.h"
#include "wengert/losses.h"
#include "wengert/map.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

#define CTC(OP) OP(ctc_loss) OP(ctc_posterior) OP(ctc_states)
WG_CONTENTS(CTC)

enum { LOG_PROBS, TARGETS, INPUT_LENGTHS, TARGET_LENGTHS };

/* ---- Samples and their states ------------------------------------------------------------------------------------ */
/* Of a batch: log_probs [steps, n, classes], targets [n, labels]. */
typedef struct {
    const wg_call *c;
    int64_t steps, n, classes, labels, states, blank;
    int64_t *label; /* scratch: one a state and sample */
    double *room;   /* scratch: `rows` of `width`, and then one of `classes`, a sample */
    int64_t rows, width;
    double *loss;   /* where they go; NULL for posteriors */
} batch;

/* One of them. Rows have two states of probability 0 at either end: skip[s] is added to the logarithm of what comes to
 * state s from two states before, 0 where that is allowed, else -inf. */
typedef struct {
    int64_t n, steps, states;
    int64_t *label;
    double *skip, *emission, *free;
} sample;

#define MARGIN 2

static batch batch_of(const wg_call *c, int64_t blank)
{
    const wg_type *x = &c->x[LOG_PROBS];
    batch b = {.c = c, .steps = x->dim[0], .n = x->dim[1], .classes = x->dim[2], .labels = c->x[TARGETS].dim[1],
               .blank = blank};
    b.states = 2 * b.labels + 1;
    b.width = b.states + 2 * MARGIN;
    return b;
}

static bool batch_open(batch *b, int64_t rows)
{
    b->rows = rows;
    b->label = wg_scratch(b->c, (size_t)(b->n * b->states) * sizeof *b->label);
    b->room = wg_scratch(b->c, (size_t)(b->n * (rows * b->width + b->classes)) * sizeof *b->room);
    return b->label && b->room;
}

static int64_t integer_at(const wg_call *c, int operand, int64_t i)
{
    return wg_label_at(&c->x[operand], c->from[operand], i);
}

/* The class of state s of sample n. */
static int64_t state_class(const batch *b, int64_t n, int64_t s)
{
    bool is_label = s % 2 && s / 2 < integer_at(b->c, TARGET_LENGTHS, n);
    return is_label ? integer_at(b->c, TARGETS, n * b->labels + s / 2) : b->blank;
}
static bool may_skip(const batch *b, int64_t n, int64_t s)
{
    return s % 2 && s >= 3 && state_class(b, n, s) != state_class(b, n, s - 2);
}

static sample sample_open(const batch *b, int64_t n)
{
    double *room = b->room + n * (b->rows * b->width + b->classes);
    sample s = {.n = n, .steps = integer_at(b->c, INPUT_LENGTHS, n),
                .states = 2 * integer_at(b->c, TARGET_LENGTHS, n) + 1, .label = b->label + n * b->states};
    for (int64_t i = 0; i < b->rows * b->width; i++)
        room[i] = -INFINITY;
    s.skip = room + MARGIN;
    s.emission = s.skip + b->width;
    s.free = s.emission + b->width;
    for (int64_t i = 0; i < s.states; i++) {
        s.label[i] = state_class(b, n, i);
        s.skip[i] = may_skip(b, n, i) ? 0 : -INFINITY;
    }
    return s;
}

static void emissions(const batch *b, sample *s, int64_t step)
{
    int64_t row = (step * b->n + s->n) * b->classes;
    if (b->c->dtype == WG_FLOAT32)
        for (int64_t i = 0; i < s->states; i++)
            s->emission[i] = (double)((const float *)b->c->from[LOG_PROBS])[row + s->label[i]];
    else
        for (int64_t i = 0; i < s->states; i++)
            s->emission[i] = ((const double *)b->c->from[LOG_PROBS])[row + s->label[i]];
}

/* ---- Recursions -------------------------------------------------------------------------------------------------- */
/* to = log(exp(p) + exp(q) + exp(r + skip)); of three times -inf that, and of a NaN NaN. */
static WG_CLONES void add_paths(int64_t n, const double *p, const double *q, const double *r, const double *skip,
                                double *restrict to)
{
    for (int64_t i = 0; i < n; i++) {
        const double third = r[i] + skip[i];
        const double both = p[i] > q[i] ? p[i] : q[i], most = third > both ? third : both;
        const double sum = exp(p[i] - most) + exp(q[i] - most) + exp(third - most);
        to[i] = most == -INFINITY ? p[i] + q[i] + third : most + log(sum);
    }
}

/* alpha of a step, its own emission included, from that of the step before (NULL: the first). */
static void forwards(const batch *b, sample *s, int64_t step, const double *before, double *alpha)
{
    emissions(b, s, step);
    if (before)
        add_paths(s->states, before, before - 1, before - 2, s->skip, alpha);
    for (int64_t i = 0; i < s->states; i++)
        alpha[i] = before ? alpha[i] + s->emission[i] : i < 2 ? s->emission[i] : -INFINITY;
}

/* log of the target's probability, from the last step's alpha. No step spells the empty target alone. */
static double log_total(const sample *s, const double *alpha)
{
    double total, none = -INFINITY;
    if (!s->steps)
        return s->states == 1 ? 0 : -INFINITY;
    add_paths(1, alpha + s->states - 1, alpha + s->states - 2, &none, &none, &total);
    return total;
}

static void loss_of(void *argument, int64_t n)
{
    const batch *b = argument;
    sample s = sample_open(b, n);
    double *alpha = s.free, *before = NULL;
    for (int64_t step = 0; step < s.steps; step++) {
        double *next = s.free + (step % 2) * b->width;
        forwards(b, &s, step, before, next);
        before = alpha = next;
    }
    b->loss[n] = 0 - log_total(&s, alpha);
}

static void put_posterior(const batch *b, int64_t row, const double *of_class)
{
    for (int64_t i = 0; i < b->classes; i++)
        if (b->c->dtype == WG_FLOAT32)
            ((float *)b->c->to[0])[row * b->classes + i] = (float)of_class[i];
        else
            ((double *)b->c->to[0])[row * b->classes + i] = of_class[i];
}

/* beta of a step leaves its own emission out, so that alpha + beta has each once. */
static void posterior_of(void *argument, int64_t n)
{
    const batch *b = argument;
    sample s = sample_open(b, n);
    double *beta = s.free, *inner = beta + b->width, *alpha = inner + b->width;
    double *of_class = b->room + (n + 1) * (b->rows * b->width + b->classes) - b->classes;
    for (int64_t step = 0; step < s.steps; step++)
        forwards(b, &s, step, step ? alpha + (step - 1) * b->width : NULL, alpha + step * b->width);
    double total = log_total(&s, alpha + (s.steps ? s.steps - 1 : 0) * b->width);
    for (int64_t i = s.states - 1; i >= 0 && i >= s.states - 2; i--)
        beta[i] = 0;
    for (int64_t step = b->steps - 1; step >= 0; step--) {
        memset(of_class, 0, (size_t)b->classes * sizeof *of_class);
        for (int64_t i = 0; i < s.states && step < s.steps && total != -INFINITY; i++)
            of_class[s.label[i]] += exp(alpha[step * b->width + i] + beta[i] - total);
        put_posterior(b, step * b->n + n, of_class);
        if (step >= s.steps)
            continue;
        emissions(b, &s, step);
        for (int64_t i = 0; i < s.states; i++)
            inner[i] = beta[i] + s.emission[i];
        add_paths(s.states, inner, inner + 1, inner + 2, s.skip + 2, beta);
    }
}

/* ---- The same in C ----------------------------------------------------------------------------------------------- */
static const wg_helper paths_of_helper = {"paths_of", 0, WG_C(
static double paths_of(double p, double q, double third) {
    const double both = p > q ? p : q;
    const double most = third > both ? third : both;
    if (most == -INFINITY) return p + q + third;
    return most + log(exp(p - most) + exp(q - most) + exp(third - most));
})};
WG_HELPERS_OF(ctc, &paths_of_helper)

/* The text for sample k: it has `length` steps and `last` states, each of a label; state s is a label different from
 * that of s - 2 where its skip is 0, else -inf. Rows of alpha as in forwards. */
static wg_status samples_c(const wg_call *c, wg_code *w, int64_t blank, int64_t rows, const char *text)
{
    batch b = batch_of(c, blank);
    wg_code_size(w, "steps", b.steps);
    wg_code_size(w, "n", b.n);
    wg_code_size(w, "classes", b.classes);
    wg_code_size(w, "labels", b.labels);
    wg_code_size(w, "states", b.states);
    wg_code_size(w, "rows", rows);
    wg_code_size(w, "blank", blank);
    wg_code_number(w, "none", -INFINITY);
    wg_code_room(w, "label", WG_INT32, b.states);
    wg_code_room(w, "skip", WG_FLOAT64, b.states);
    wg_code_room(w, "alpha", WG_FLOAT64, rows * b.states);
    wg_code_for(w, "k", b.n);
    wg_code_text(w, WG_C(
        if (input_lengths[k] < 0 || input_lengths[k] > steps) FAIL;
        if (target_lengths[k] < 0 || target_lengths[k] > labels) FAIL;
        const int length = (int)input_lengths[k]; const int last = 2 * (int)target_lengths[k] + 1;
        for (int s = 0; s < last; s++) {
            label[s] = blank;
            if (s % 2 == 1) {
                if (targets[k * labels + s / 2] < 0 || targets[k * labels + s / 2] >= classes) FAIL;
                label[s] = (int32_t)targets[k * labels + s / 2];
                if (label[s] == blank) FAIL;
            }
            skip[s] = s % 2 == 1 && s >= 3 && label[s] != label[s - 2] ? 0 : none;
        }
        for (int t = 0; t < length; t++) {
            const double *before = alpha + (t + rows - 1) % rows * states; double *now = alpha + t % rows * states;
            for (int s = 0; s < last; s++) {
                const double own = (double)log_probs[(t * n + k) * classes + label[s]];
                if (t == 0) now[s] = s < 2 ? own : none;
                else now[s] = own + paths_of(before[s], s > 0 ? before[s - 1] : none,
                                             (s > 1 ? before[s - 2] : none) + skip[s]);
            }
        }
        const double *end = alpha + (length > 0 ? (length - 1) % rows : 0) * states;
        double total = last == 1 ? 0 : none;
        if (length > 0) total = paths_of(end[last - 1], last > 1 ? end[last - 2] : none, none);));
    wg_code_text(w, text);
    wg_code_end(w);
    return w->status;
}

/* ---- ctc_posterior ----------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t blank;
} ctc_posterior_options, ctc_states_options;
#define ctc_posterior_defaults .blank = 0
#define ctc_states_defaults .blank = 0

static wg_status ctc_posterior_run(const wg_call *c)
{
    batch b = batch_of(c, ((const ctc_posterior_options *)c->options)->blank);
    if (!wg_type_count(&c->y[0]))
        return WG_OK;
    if (!batch_open(&b, 4 + b.steps))
        return WG_ERROR_MEMORY;
    wg_parallel(c->tape, b.n, posterior_of, &b);
    return WG_OK;
}

static wg_status ctc_posterior_c(const wg_call *c, wg_code *w)
{
    const wg_type *x = &c->x[LOG_PROBS];
    wg_code_room(w, "beta", WG_FLOAT64, 2 * c->x[TARGETS].dim[1] + 1);
    wg_code_room(w, "inner", WG_FLOAT64, 2 * c->x[TARGETS].dim[1] + 1);
    wg_code_room(w, "of_class", WG_FLOAT64, x->dim[2]);
    return samples_c(c, w, ((const ctc_posterior_options *)c->options)->blank, x->dim[0] ? x->dim[0] : 1, WG_C(
        for (int s = 0; s < last; s++) beta[s] = s >= last - 2 ? 0 : none;
        for (int t = steps - 1; t >= 0; t--) {
            for (int i = 0; i < classes; i++) of_class[i] = 0;
            for (int s = 0; s < last && t < length && total != none; s++)
                of_class[label[s]] += exp_double(alpha[t * states + s] + beta[s] - total);
            for (int i = 0; i < classes; i++) y[(t * n + k) * classes + i] = (T)of_class[i];
            for (int s = 0; s < last && t < length; s++)
                inner[s] = beta[s] + (double)log_probs[(t * n + k) * classes + label[s]];
            for (int s = 0; s < last && t < length; s++)
                beta[s] = paths_of(inner[s], s + 1 < last ? inner[s + 1] : none,
                                   s + 2 < last ? inner[s + 2] + skip[s + 2] : none);
        }));
}
#define CTC_OPERANDS                                                                                                   \
    {"log_probs", 0}, {"targets", WG_INTEGER}, {"input_lengths", WG_INTEGER}, {"target_lengths", WG_INTEGER}
WG_OP(ctc_posterior) = {
    .name = "ctc_posterior",
    .doc = "minus the derivative of ctc_loss of each sample, 0 where the target is impossible; never recorded",
    .in = {CTC_OPERANDS},
    .options = WG_SCHEMA(ctc_posterior, WG_ATTR(ctc_posterior, blank)),
    .type = wg_type_as_first,
    .run = ctc_posterior_run,
    .c = ctc_posterior_c,
    .hidden = true,
};

/* ---- ctc_states: what the graph code needs to know of them ------------------------------------------------------- */
typedef struct {
    wg_tensor label, start, skip, end, active;
} states;

static wg_status ctc_states_type(wg_call *c)
{
    batch b = batch_of(c, 0);
    for (int i = 0; i < 4; i++)
        c->y[i] = (wg_type){i ? WG_BOOL : WG_INT64, 2, {b.n, b.states}};
    c->y[4] = (wg_type){WG_BOOL, 3, {b.steps, b.n, 1}};
    return WG_OK;
}
static wg_status ctc_states_run(const wg_call *c)
{
    batch b = batch_of(c, ((const ctc_states_options *)c->options)->blank);
    int64_t *label = c->to[0];
    bool *start = c->to[1], *skip = c->to[2], *end = c->to[3], *active = c->to[4];
    for (int64_t n = 0; n < b.n; n++)
        for (int64_t s = 0; s < b.states; s++) {
            int64_t at = n * b.states + s, last = 2 * integer_at(c, TARGET_LENGTHS, n);
            label[at] = state_class(&b, n, s);
            start[at] = s < 2;
            skip[at] = may_skip(&b, n, s);
            end[at] = s == last || s == last - 1;
        }
    for (int64_t i = 0; i < b.steps * b.n; i++)
        active[i] = i / b.n < integer_at(c, INPUT_LENGTHS, i % b.n);
    return WG_OK;
}
static wg_status ctc_states_c(const wg_call *c, wg_code *w)
{
    batch b = batch_of(c, 0);
    wg_code_size(w, "n", b.n);
    wg_code_size(w, "steps", b.steps);
    wg_code_size(w, "labels", b.labels);
    wg_code_size(w, "states", b.states);
    wg_code_size(w, "blank", ((const ctc_states_options *)c->options)->blank);
    return wg_code_text(w, WG_C(
        for (int k = 0; k < n; k++) for (int s = 0; s < states; s++) {
            const int at = k * states + s;
            const bool named = s % 2 == 1 && s / 2 < target_lengths[k];
            label[at] = blank;
            if (named) label[at] = targets[k * labels + s / 2];
            start[at] = s < 2;
            skip[at] = s % 2 == 1 && s >= 3 && label[at] != label[at - 2];
            end[at] = s == 2 * target_lengths[k] || s == 2 * target_lengths[k] - 1;
        }
        for (int i = 0; i < steps * n; i++) active[i] = i / n < input_lengths[i % n];));
}
WG_OP(ctc_states) = {
    .name = "ctc_states",
    .doc = "of each sample's states: the class, whether paths start there, may come from two before, end there; of "
           "each step and sample, whether the step is one of its input",
    .in = {{"log_probs", WG_NO_GRADIENT}, {"targets", WG_INTEGER}, {"input_lengths", WG_INTEGER},
           {"target_lengths", WG_INTEGER}},
    .out = {"label", "start", "skip", "end", "active"},
    .options = WG_SCHEMA(ctc_states, WG_ATTR(ctc_states, blank)),
    .type = ctc_states_type,
    .run = ctc_states_run,
    .c = ctc_states_c,
    .hidden = true,
    .output_gradient_free = true,
};

/* ---- The posterior as graph code --------------------------------------------------------------------------------- */
/* What is k states before, or with a negative k behind; -inf at the end. */
static wg_tensor shifted(wg_tensor x, int64_t k, int64_t n)
{
    if (k > 0)
        return wg_narrow(wg_pad(x, .pad_width = {{0, 0}, {k, 0}}, .value = -INFINITY), 1, 0, n);
    return wg_narrow(wg_pad(x, .pad_width = {{0, 0}, {0, -k}}, .value = -INFINITY), 1, -k, n);
}

static wg_tensor posterior_recorded(const wg_call *c, int64_t blank)
{
    batch b = batch_of(c, blank);
    wg_tensor out[5], *alpha = wg_scratch(c, 2 * (size_t)b.steps * sizeof *alpha), *gamma = alpha + b.steps;
    if (!b.steps || !b.n)
        return wg_multiply(c->in[LOG_PROBS], 0);
    if (!alpha || wg_record_on(c->tape, &ctc_states_op, &(ctc_states_options){blank}, c->in, 4, out, 5))
        return WG_INVALID;
    states s = {out[0], out[1], out[2], out[3], out[4]};
    wg_tensor label = wg_broadcast_to(s.label, WG_SHAPE(b.steps, b.n, b.states));
    wg_tensor emission = wg_take_along_axis(c->in[LOG_PROBS], label, 2);
    alpha[0] = wg_where(s.start, wg_select(emission, 0, 0), -INFINITY);
    for (int64_t i = 1; i < b.steps; i++) {
        wg_tensor x = alpha[i - 1], two = wg_where(s.skip, shifted(x, 2, b.states), -INFINITY);
        wg_tensor paths = wg_logaddexp(wg_logaddexp(x, shifted(x, 1, b.states)), two);
        alpha[i] = wg_where(wg_select(s.active, 0, i), wg_add(paths, wg_select(emission, 0, i)), x);
    }
    wg_tensor beta = wg_log(wg_cast(s.end, .dtype = c->dtype));
    wg_tensor total = wg_logsumexp(wg_add(alpha[b.steps - 1], beta), .axis = 1, .keepdims = true);
    wg_tensor possible = wg_greater(total, -INFINITY);
    for (int64_t i = b.steps - 1; i >= 0; i--) {
        wg_tensor active = wg_select(s.active, 0, i), both = wg_subtract(wg_add(alpha[i], beta), total);
        gamma[i] = wg_where(wg_logical_and(active, possible), wg_exp(both), 0);
        if (!i)
            break;
        wg_tensor x = wg_add(beta, wg_select(emission, 0, i)), two = wg_where(s.skip, x, -INFINITY);
        wg_tensor paths = wg_logaddexp(wg_logaddexp(x, shifted(x, -1, b.states)), shifted(two, -2, b.states));
        beta = wg_where(active, paths, beta);
    }
    wg_tensor all = wg_stack(((wg_tensors){gamma, (int)b.steps}), .axis = 0);
    return wg_take_along_axis_back(label, all, 2, b.classes);
}

/* ---- ctc_loss ---------------------------------------------------------------------------------------------------- */
static wg_status ctc_loss_type(wg_call *c)
{
    const wg_ctc_loss_options *o = c->options;
    const wg_type *x = &c->x[LOG_PROBS];
    if (x->rank != 3)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not [T, N, C]", wg_show(c, LOG_PROBS));
    if (c->x[TARGETS].rank != 2 || c->x[TARGETS].dim[0] != x->dim[1])
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not [N, S] for %s", wg_show(c, TARGETS), wg_show(c, LOG_PROBS));
    for (int i = INPUT_LENGTHS; i <= TARGET_LENGTHS; i++)
        if (c->x[i].rank != 1 || c->x[i].dim[0] != x->dim[1])
            return wg_fail(c, WG_ERROR_SHAPE, "%s is not [N] for %s", wg_show(c, i), wg_show(c, LOG_PROBS));
    if (o->blank < 0 || o->blank >= x->dim[2])
        return wg_fail(c, WG_ERROR_INDEX, "blank is %lld, which is none of %lld classes", (long long)o->blank,
                       (long long)x->dim[2]);
    c->y[0] = (wg_type){c->dtype, !wg_is_reduced(c), {x->dim[1]}};
    return WG_OK;
}

/* Lengths that there are, labels that are classes and not the blank. */
static wg_status samples_fit(const batch *b)
{
    const wg_call *c = b->c;
    for (int64_t n = 0; n < b->n; n++) {
        int64_t steps = integer_at(c, INPUT_LENGTHS, n), labels = integer_at(c, TARGET_LENGTHS, n);
        if (steps < 0 || steps > b->steps)
            return wg_fail(c, WG_ERROR_VALUE, "input_lengths[%lld] is %lld, of %lld steps", (long long)n,
                           (long long)steps, (long long)b->steps);
        if (labels < 0 || labels > b->labels)
            return wg_fail(c, WG_ERROR_VALUE, "target_lengths[%lld] is %lld, of %lld labels", (long long)n,
                           (long long)labels, (long long)b->labels);
        for (int64_t i = 0; i < labels; i++) {
            int64_t label = integer_at(c, TARGETS, n * b->labels + i);
            if (label < 0 || label >= b->classes)
                return wg_fail(c, WG_ERROR_INDEX, "targets[%lld, %lld] is %lld, which is none of %lld classes",
                               (long long)n, (long long)i, (long long)label, (long long)b->classes);
            if (label == b->blank)
                return wg_fail(c, WG_ERROR_VALUE, "targets[%lld, %lld] is %lld, the blank", (long long)n, (long long)i,
                               (long long)label);
        }
    }
    return WG_OK;
}

static wg_status ctc_loss_run(const wg_call *c)
{
    const wg_ctc_loss_options *o = c->options;
    batch b = batch_of(c, o->blank);
    wg_status status = samples_fit(&b);
    if (status)
        return status;
    b.loss = wg_scratch(c, (size_t)b.n * sizeof *b.loss);
    if (!b.loss || !batch_open(&b, 4))
        return WG_ERROR_MEMORY;
    wg_parallel(c->tape, b.n, loss_of, &b);
    bool mean = wg_reduces_by(c, "mean");
    for (int64_t n = 0; n < b.n; n++) {
        int64_t labels = integer_at(c, TARGET_LENGTHS, n);
        if (o->zero_infinity && b.loss[n] == INFINITY)
            b.loss[n] = 0;
        if (mean && labels)
            b.loss[n] /= (double)labels;
        if (!wg_is_reduced(c))
            wg_store_number(c->dtype, b.loss[n], (char *)c->to[0] + (size_t)n * wg_dtype_size(c->dtype));
    }
    if (wg_is_reduced(c))
        wg_store_number(c->dtype, wg_sum_folded(b.loss, b.n) / (mean ? (double)b.n : 1), c->to[0]);
    return WG_OK;
}

static wg_status ctc_loss_c(const wg_call *c, wg_code *w)
{
    const wg_ctc_loss_options *o = c->options;
    bool mean = wg_reduces_by(c, "mean");
    wg_code_size(w, "zero_infinity", o->zero_infinity);
    wg_code_size(w, "mean", mean);
    if (wg_is_reduced(c))
        wg_code_line(w, "double sum = 0;");
    wg_code_word(w, "PUT",
                 wg_is_reduced(c)         ? "sum += loss"
                 : c->dtype == WG_FLOAT32 ? "y[k] = (float)loss"
                                          : "y[k] = loss");
    samples_c(c, w, o->blank, 2, WG_C(
        double loss = 0 - total;
        if (zero_infinity && loss == -none) loss = 0;
        if (mean && last > 1) loss /= (double)(last / 2);
        PUT;));
    w->n_words = 0;
    if (wg_is_reduced(c)) {
        wg_code_number(w, "count", mean ? (double)c->x[LOG_PROBS].dim[1] : 1);
        wg_code_text(w, WG_C(y[0] = (T)(sum / count);));
    }
    return w->status;
}

static wg_tensor posterior(const wg_call *c)
{
    ctc_posterior_options o = {((const wg_ctc_loss_options *)c->options)->blank};
    if (c->recording)
        return posterior_recorded(c, o.blank);
    return WG_RECORD(ctc_posterior, &o, c->in[0], c->in[1], c->in[2], c->in[3]);
}

/* What each sample's loss counts for, [N]. */
static wg_tensor shared_out(const wg_call *c, wg_tensor g)
{
    if (!wg_reduces_by(c, "mean"))
        return g;
    wg_tensor labels = wg_maximum(wg_cast(c->in[TARGET_LENGTHS], .dtype = c->dtype), 1);
    return wg_divide(g, wg_multiply(labels, (double)c->x[LOG_PROBS].dim[1]));
}
static wg_tensor ctc_loss_vjp(const wg_call *c, wg_tensor g)
{
    bool one_each = !wg_is_reduced(c) || wg_reduces_by(c, "mean");
    g = shared_out(c, wg_negative(g));
    return wg_strong_multiply(one_each ? wg_expand_dims(g, -1) : g, posterior(c));
}
static wg_tensor ctc_loss_jvp(const wg_call *c)
{
    wg_tensor t = wg_negative(wg_sum(wg_strong_multiply(c->t[0], posterior(c)), .axis = WG_AXES(0, 2)));
    return wg_is_reduced(c) ? wg_sum(shared_out(c, t)) : t;
}
WG_OP(ctc_loss) = {
    .name = "ctc_loss",
    .doc = "y = -log of the probability of all paths that spell the target, reduced; \"mean\" divides by the target's "
           "length first. inf where there is none, with derivative 0, or with zero_infinity 0",
    .source = "Graves, Fernandez, Gomez and Schmidhuber 2006, eqs. 6 to 11",
    .in = {CTC_OPERANDS},
    .options = WG_SCHEMA(wg_ctc_loss, WG_REDUCTION(wg_ctc_loss), WG_ATTR(wg_ctc_loss, blank),
                         WG_ATTR(wg_ctc_loss, zero_infinity)),
    .type = ctc_loss_type,
    .run = ctc_loss_run,
    .c = ctc_loss_c,
    .vjp = {ctc_loss_vjp},
    .jvp = ctc_loss_jvp,
    .saves = "log_probs targets input_lengths target_lengths",
    .samples = {"[5,2,3] [2,2]:int64:1..2 [2]:int64:4..5 [2]:int64:1..2",
                "[4,2,3] [2,2]:int64:0..0 [2]:int64:4..4 [2]:int64:0..2 blank=1 reduction=none",
                "[3,3,4] [3,2]:int32:0..2 [3]:int32:3..3 [3]:int32:1..1 blank=3 reduction=sum",
                "[2,1,3] [1,2]:int64:1..1 [1]:int64:2..2 [1]:int64:2..2 zero_infinity=true",
                "[3,2,2] [2,0]:int64 [2]:int64:1..3 [2]:int64:0..0",
                "[3,0,2] [0,1]:int64 [0]:int64 [0]:int64 reduction=sum"},
};
wg_tensor (wg_ctc_loss)(wg_tensor log_probs, wg_tensor targets, wg_tensor input_lengths, wg_tensor target_lengths,
                        wg_ctc_loss_options options)
{
    return WG_RECORD(ctc_loss, &options, log_probs, targets, input_lengths, target_lengths);
}

WG_FAMILY_OF(ctc, "losses", CTC)
