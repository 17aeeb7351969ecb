/* The gradient check: analytic against numeric, element by element or direction by direction, and a verdict with a reason.
 * The function is evaluated unrecorded on perturbed copies of the inputs, and its outputs weighed by a random cotangent in
 * double precision, whatever their dtype. */
#include "wengert/check.h"

#include <float.h>
#include <stdlib.h>

#include "core/tape.h"
#include "wengert/derivatives.h"

#define TRUST 16.0 /* how many times the stated errors a difference may be */

typedef struct {
    wg_tape *tape;
    wg_function *f;
    const wg_check_grad_options *o;
    const wg_tensor *inputs;
    int n;
    uint64_t seed;
    int64_t outputs;
    double *weight; /* the cotangent, one an output */
    wg_check_report *report;
} check;

/* What is varied: input `at` along a direction, or one element of it. */
typedef struct {
    const check *k;
    int at;
    int64_t element;         /* -1: along `direction` */
    const double *direction;
    double rounding;         /* of the function's values seen, absolute */
} line;

/* ---- The function along a line ----------------------------------------------------------------------------------- */
/* A copy of the input, moved by t along the line. */
static wg_tensor moved(const line *l, double t)
{
    const check *k = l->k;
    wg_type type = wg_type_of(k->inputs[l->at]);
    wg_tensor copy = wg_leaf(k->tape, &type, NULL, 0, "wg_check_grad");
    if (!wg_is_tensor(copy) || (wg_copy_out)(k->inputs[l->at], wg_node_at(k->tape, copy.node)->data))
        return wg_invalid_on(k->tape);
    unsigned char *data = wg_node_at(k->tape, copy.node)->data;
    size_t size = wg_dtype_size(type.dtype);
    int64_t n = wg_type_count(&type);
    for (int64_t i = l->element < 0 ? 0 : l->element; i < (l->element < 0 ? n : l->element + 1); i++) {
        double d = l->element < 0 ? l->direction[i] : 1;
        wg_store_number(type.dtype, wg_load_number(type.dtype, data + (size_t)i * size) + t * d, data + (size_t)i * size);
    }
    return copy;
}

static double weighed(const check *k, wg_tensor y, double *rounding)
{
    if (!wg_is_tensor(y) || wg_size(y) != k->outputs)
        return (double)NAN;
    double eps = wg_type_of(y).dtype == WG_FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON, sum = 0;
    for (int64_t i = 0; i < k->outputs; i++) {
        double part = k->weight[i] * (wg_element)(y, i);
        sum += part;
        *rounding = fmax(*rounding, eps * fabs(part));
    }
    return sum;
}

static double along(double t, void *user)
{
    line *l = user;
    const check *k = l->k;
    wg_mark before = wg_tape_mark(k->tape);
    wg_tensor inputs[WG_CHECK_INPUTS];
    memcpy(inputs, k->inputs, (size_t)k->n * sizeof *inputs);
    inputs[l->at] = moved(l, t);
    k->tape->no_grad++;
    double value = weighed(k, k->f(inputs, k->o->user), &l->rounding);
    k->tape->no_grad = before.no_grad;
    wg_rewind(k->tape, before);
    return value;
}

/* The one-sided slope, to the side of h's sign: differences at h, h/2 and h/4, extrapolated. */
static double one_sided(line *l, double h)
{
    double zero = along(0, l), d[3];
    for (int i = 0; i < 3; i++, h /= 2)
        d[i] = (along(h, l) - zero) / h;
    double e = 2 * d[1] - d[0], g = 2 * d[2] - d[1];
    return (4 * g - e) / 3;
}

/* ---- The verdict ------------------------------------------------------------------------------------------------- */
typedef struct {
    double analytic, numeric, error, low, high, step;
    wg_verdict verdict;
    const char *reason;
} finding;

static bool within(const check *k, const finding *f, double eps, double typical)
{
    double difference = fabs(f->analytic - f->numeric);
    if (k->o->rtol > 0 || k->o->atol > 0)
        return difference <= k->o->atol + k->o->rtol * fabs(f->numeric);
    return difference <= TRUST * (f->error + eps * (fabs(f->analytic) + typical));
}

/* Near a kink: is the derivative between the two slopes? */
static bool between(line *l, finding *f, double scale, double eps)
{
    double h = scale * sqrt(eps);
    f->low = one_sided(l, -h);
    f->high = one_sided(l, h);
    double least = fmin(f->low, f->high), most = fmax(f->low, f->high), slack = 1e-5 * (1e-3 + fabs(least) + fabs(most));
    return most - least > slack && f->analytic >= least - slack && f->analytic <= most + slack;
}

static void judge(const check *k, line *l, finding *f, double scale, double typical)
{
    double eps = wg_type_of(k->inputs[l->at]).dtype == WG_FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON;
    f->verdict = WG_CHECK_FAILED;
    if (!isfinite(f->analytic)) {
        f->reason = "the derivative is not finite";
        return;
    }
    f->numeric = wg_ridders(along, l, 0, scale, &f->error, &f->step);
    f->error += l->rounding / f->step;
    if (!isfinite(f->numeric)) {
        f->verdict = WG_CHECK_UNCHECKED;
        f->reason = "the function is not finite around this point";
        return;
    }
    bool rough = f->error > 1e-2 * fmax(fmax(fabs(f->numeric), fabs(f->analytic)), typical);
    if (!rough && within(k, f, eps, typical)) {
        f->verdict = WG_CHECK_PASSED;
        f->reason = "";
    } else if (between(l, f, scale, eps)) {
        f->verdict = WG_CHECK_PASSED;
        f->reason = "a kink: between the one-sided slopes";
    } else if (rough) {
        f->verdict = WG_CHECK_UNCHECKED;
        f->reason = "the numerical derivative is rougher than what it should confirm";
    } else {
        f->reason = "the two differ by more than their errors";
    }
}

static double badness(const finding *f)
{
    double class = f->verdict == WG_CHECK_FAILED ? 2e9 : f->verdict == WG_CHECK_UNCHECKED ? 1e9 : 0;
    double off = fabs(f->analytic - f->numeric) / (fabs(f->numeric) + fabs(f->analytic) + 1e-300);
    return class + (off == off ? fmin(off, 1e8) : 1e8);
}

static void note(wg_check_input *in, const finding *f, int64_t element, double *worst)
{
    in->checked++;
    double bad = badness(f);
    if (in->checked > 1 && bad <= *worst)
        return;
    *worst = bad;
    in->element = element;
    in->analytic = f->analytic;
    in->numeric = f->numeric;
    in->error = f->error;
    in->low = f->low;
    in->high = f->high;
    in->step = f->step;
    in->verdict = f->verdict;
    snprintf(in->reason, sizeof in->reason, "%s", f->reason);
}

/* ---- One input --------------------------------------------------------------------------------------------------- */
static double random_sign(uint64_t seed, uint64_t stream, int64_t i)
{
    uint32_t w[4];
    wg_philox(seed, stream, (uint64_t)i, w);
    double size = 0.5 + wg_uniform_from(w[0], w[1]);
    return w[2] & 1 ? size : -size;
}

static double largest(const double *v, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(v[i]));
    return most;
}

static void check_elements(const check *k, int at, const double *x, const double *g, int64_t n)
{
    double worst = 0, typical = 1e-3 * largest(g, n);
    for (int64_t i = 0; i < n; i++) {
        line l = {.k = k, .at = at, .element = i};
        finding f = {.analytic = g[i]};
        judge(k, &l, &f, 0.125 * fmax(fabs(x[i]), 0.1), typical);
        note(&k->report->input[at], &f, i, &worst);
    }
}

static void check_directions(const check *k, int at, const double *x, const double *g, int64_t n, double *direction)
{
    double worst = 0, typical = 1e-3 * largest(g, n), scale = 0.125 * fmax(largest(x, n), 0.1);
    for (int d = 0; d < k->o->directions; d++) {
        line l = {.k = k, .at = at, .element = -1, .direction = direction};
        finding f = {0};
        for (int64_t i = 0; i < n; i++) {
            direction[i] = random_sign(k->seed, 1000 + (uint64_t)d, i);
            f.analytic += g[i] * direction[i];
        }
        judge(k, &l, &f, scale, typical);
        note(&k->report->input[at], &f, d, &worst);
    }
}

/* The elements of t as doubles, in the arena. */
static double *as_doubles(wg_tape *tape, wg_tensor t)
{
    int64_t n = wg_size(t);
    double *v = wg_arena(tape, (size_t)n * sizeof *v + 1);
    for (int64_t i = 0; v && i < n; i++)
        v[i] = (wg_element)(t, i);
    return v;
}

static bool check_input(const check *k, int at, wg_tensor grad)
{
    wg_check_input *in = &k->report->input[at];
    int64_t n = wg_size(k->inputs[at]);
    double *x = as_doubles(k->tape, k->inputs[at]), *g = as_doubles(k->tape, grad);
    double *direction = wg_arena(k->tape, (size_t)n * sizeof *direction + 1);
    if (!x || !g || !direction)
        return false;
    in->directions = !k->o->exhaustive && n > k->o->directions;
    if (in->directions)
        check_directions(k, at, x, g, n, direction);
    else
        check_elements(k, at, x, g, n);
    return true;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
static bool stopped(check *k, const char *what)
{
    snprintf(k->report->message, sizeof k->report->message, "%s%s%s", what, k->tape->status ? ": " : "",
             k->tape->status ? wg_error(k->tape) : "");
    k->report->failed = true;
    return false;
}

static bool inputs_named(check *k)
{
    for (int i = 0; i < k->n; i++) {
        wg_check_input *in = &k->report->input[i];
        if (!wg_is_tensor(k->inputs[i]) || k->inputs[i].tape != k->tape || !wg_is_float(wg_type_of(k->inputs[i]).dtype))
            return stopped(k, "an input is not a float tensor of this tape");
        const char *name = wg_name_of(k->inputs[i]);
        if (*name)
            snprintf(in->name, sizeof in->name, "%s", name);
        else
            snprintf(in->name, sizeof in->name, "input %d", i);
        in->shape = wg_shape_of(k->inputs[i]);
        in->verdict = WG_CHECK_UNCHECKED;
        snprintf(in->reason, sizeof in->reason, "it has no elements");
    }
    return true;
}

static bool check_all(check *k)
{
    wg_tensor fresh[WG_CHECK_INPUTS], grad[WG_CHECK_INPUTS];
    for (int i = 0; i < k->n; i++) { /* leaves of their own, so that no older path is differentiated */
        line l = {.k = k, .at = i, .element = -1, .direction = NULL};
        wg_type type = wg_type_of(k->inputs[i]);
        l.direction = wg_arena(k->tape, (size_t)wg_type_count(&type) * sizeof(double) + 1);
        if (!l.direction)
            return stopped(k, "no memory");
        memset((void *)(uintptr_t)l.direction, 0, (size_t)wg_type_count(&type) * sizeof(double));
        fresh[i] = moved(&l, 0);
    }
    wg_tensor y = k->f(fresh, k->o->user);
    if (!wg_is_tensor(y) || !wg_is_float(wg_type_of(y).dtype))
        return stopped(k, "the function gives no float tensor");
    wg_type type = wg_type_of(y);
    k->outputs = wg_size(y);
    wg_tensor cotangent = wg_leaf(k->tape, &type, NULL, 0, "wg_check_grad");
    k->weight = wg_arena(k->tape, (size_t)k->outputs * sizeof *k->weight + 1);
    if (!wg_is_tensor(cotangent) || !k->weight)
        return stopped(k, "no memory");
    for (int64_t i = 0; i < k->outputs; i++) {
        k->weight[i] = (double)(float)random_sign(k->seed, 0, i);
        wg_store_number(type.dtype, k->weight[i],
                        (unsigned char *)wg_node_at(k->tape, cotangent.node)->data + (size_t)i * wg_dtype_size(type.dtype));
    }
    if ((wg_grad)(y, fresh, k->n, grad, (wg_grad_options){.cotangent = cotangent}))
        return stopped(k, "no gradient");
    for (int i = 0; i < k->n; i++)
        if (wg_size(k->inputs[i]) && !check_input(k, i, grad[i]))
            return stopped(k, "no memory");
    return k->tape->status ? stopped(k, "the function failed") : true;
}

static uint64_t seed_of(const wg_check_grad_options *o)
{
    const char *asked = getenv("WENGERT_CHECK_SEED");
    return o->seed ? o->seed : asked ? strtoull(asked, NULL, 10) : 1;
}

wg_check_report (wg_check_grad)(wg_function *f, const wg_tensor *inputs, int n, wg_check_grad_options options)
{
    wg_check_report report = {.seed = seed_of(&options)};
    if (options.directions <= 0)
        options.directions = 64;
    if (!f || !inputs || n < 1 || n > WG_CHECK_INPUTS || !inputs[0].tape || wg_failed(inputs[0].tape)) {
        snprintf(report.message, sizeof report.message, "%s",
                 !f || !inputs || n < 1    ? "there is nothing to check"
                 : n > WG_CHECK_INPUTS     ? "too many inputs"
                 : inputs[0].tape          ? wg_error(inputs[0].tape)
                                           : "the inputs are not tensors");
        report.failed = true;
        return report;
    }
    check k = {.tape = inputs[0].tape, .f = f, .o = &options, .inputs = inputs, .n = n, .seed = report.seed,
               .report = &report};
    report.n = n;
    wg_mark before = wg_tape_mark(k.tape);
    if (inputs_named(&k))
        check_all(&k);
    wg_clear_error(k.tape);
    wg_rewind(k.tape, before);
    bool any = false;
    for (int i = 0; i < n; i++) {
        report.failed |= report.input[i].checked && report.input[i].verdict != WG_CHECK_PASSED;
        any |= report.input[i].checked > 0;
    }
    report.failed |= !any;
    return report;
}
