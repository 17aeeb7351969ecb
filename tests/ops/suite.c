/* Trials: a sample call recorded on a tape of its own, and what all properties need of it. */
#include "suite.h"

#include <float.h>
#include <stdlib.h>

bool wrong(const trial *t, const char *format, ...)
{
    int n = t->text ? snprintf(t->why, SUITE_WHY, "%s of \"%s\": ", t->op->name, t->text)
                    : snprintf(t->why, SUITE_WHY, "%s: ", t->op->name);
    va_list va;
    va_start(va, format);
    vsnprintf(t->why + n, SUITE_WHY - (size_t)n, format, va);
    va_end(va);
    if (t->tape && wg_failed(t->tape)) {
        size_t at = strlen(t->why);
        snprintf(t->why + at, SUITE_WHY - at, ": %s", wg_error(t->tape));
    }
    return false;
}

/* ---- Random tensors ---------------------------------------------------------------------------------------------- */
wg_tensor leaf_like(wg_tensor t)
{
    wg_type type = wg_type_of(t);
    return wg_array(t.tape, type.dtype, wg_type_shape(&type), NULL);
}

wg_tensor random_like(wg_tensor t, uint64_t seed)
{
    wg_tensor leaf = leaf_like(t);
    wg_dtype dtype = wg_type_of(t).dtype;
    unsigned char *data = wg_is_tensor(leaf) ? wg_node_at(leaf.tape, leaf.node)->data : NULL;
    for (int64_t i = 0, n = wg_size(leaf); i < n; i++) {
        uint32_t w[4];
        wg_philox(seed, 77, (uint64_t)i, w);
        double value = (0.5 + wg_uniform_from(w[0], w[1])) * (w[2] & 1 ? 1 : -1);
        wg_store_number(dtype, value, data + (size_t)i * wg_dtype_size(dtype));
    }
    return leaf;
}

double inner(wg_tensor a, wg_tensor b, double *size)
{
    double sum = 0;
    for (int64_t i = 0, n = wg_size(a); i < n; i++) {
        double part = wg_element(a, i) * wg_element(b, i);
        sum += part;
        *size += fabs(part);
    }
    return sum;
}

double largest(wg_tensor a)
{
    double most = 0;
    for (int64_t i = 0, n = wg_size(a); i < n; i++) {
        double value = fabs(wg_element(a, i));
        if (isfinite(value) && value > most)
            most = value;
    }
    return most;
}

/* ---- Comparison -------------------------------------------------------------------------------------------------- */
static bool same(double a, double b, double slack) { return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= slack; }

bool alike(const trial *t, const char *what, wg_tensor a, wg_tensor b, double tolerance)
{
    if (wg_is_none(a) || wg_is_none(b))
        return wg_is_none(a) == wg_is_none(b) || wrong(t, "%s: only one is there", what);
    if (!wg_is_tensor(a) || !wg_is_tensor(b))
        return wrong(t, "%s: not a tensor", what);
    wg_type ta = wg_type_of(a), tb = wg_type_of(b);
    if (!wg_type_equal(&ta, &tb))
        return wrong(t, "%s: types differ", what);
    double slack = tolerance * fmax(fmax(largest(a), largest(b)), 0.01); /* cotangents are near 1 */
    for (int64_t i = 0, n = wg_size(a); i < n; i++) {
        double p = wg_element(a, i), q = wg_element(b, i);
        if (!same(p, q, slack))
            return wrong(t, "%s: element %lld is %.17g and %.17g", what, (long long)i, p, q);
    }
    return true;
}

/* ---- Trials ------------------------------------------------------------------------------------------------------ */
bool trial_differentiable(const wg_op *op, int k, wg_tensor y)
{
    if (op->output_gradient_free || !wg_is_float(wg_type_of(y).dtype))
        return false;
    return !(op->constant_outputs >> k & 1);
}

static const wg_operand *operand(const wg_op *op, int i)
{
    int k = 0;
    while (k < i && k + 1 < WG_MAX_OPERANDS && op->in[k + 1].name && !(op->in[k].flags & WG_VARIADIC))
        k++;
    return &op->in[k];
}

wg_status trial_record(const trial *t, const wg_tensor *in, wg_tensor *out)
{
    t->tape->stream = 0;
    return wg_record_on(t->tape, t->op, t->op->options ? t->sample.options : NULL, in, t->sample.n_in, out, t->n_out);
}

static int outputs_of(const wg_op *op, wg_tensor first)
{
    if (!wg_is_tensor(first))
        return 0;
    int n = wg_node_at(first.tape, first.node)->n_out;
    for (int i = 0; i < WG_MAX_OUTPUTS && op->saved[i]; i++)
        n--;
    return n;
}

/* Records the call on t->sample.in and gives it cotangents and tangents. */
static bool trial_filled(trial *t)
{
    t->n_out = 1;
    if (trial_record(t, t->sample.in, t->out))
        return wrong(t, "it is not recorded");
    t->n_out = outputs_of(t->op, t->out[0]);
    if (t->n_out > TRIAL_OUTPUTS)
        return wrong(t, "%d outputs", t->n_out);
    bool any = false;
    for (int k = 0; k < t->n_out; k++) {
        t->out[k] = wg_node_tensor(t->tape, t->out[0].node + (uint32_t)k);
        bool has = trial_differentiable(t->op, k, t->out[k]);
        t->g[k] = has ? random_like(t->out[k], 100 + (uint64_t)k) : WG_NONE;
        any |= has;
    }
    t->n_x = 0;
    for (int i = 0; i < t->sample.n_in; i++) {
        wg_tensor x = t->sample.in[i];
        if (wg_is_none(x) || !wg_is_float(wg_type_of(x).dtype) || operand(t->op, i)->flags & WG_NO_GRADIENT)
            continue;
        t->t[t->n_x] = random_like(x, 200 + (uint64_t)i);
        t->x[t->n_x] = x;
        t->at[t->n_x++] = i;
    }
    t->smooth = any && t->n_x;
    return !wg_failed(t->tape) || wrong(t, "it fails");
}

bool trial_open(trial *t, wg_tape *tape, const wg_op *op, const char *text, wg_dtype dtype, char *why)
{
    *t = (trial){.op = op, .text = text, .dtype = dtype, .why = why, .tape = tape};
    if (!t->tape)
        return wrong(t, "no tape");
    if (wg_sample_make(t->tape, op, text, dtype, 1, &t->sample))
        return wrong(t, "it cannot be made");
    return trial_filled(t);
}

bool trial_again(trial *t, const trial *as, const wg_tensor *in)
{
    *t = (trial){
        .op = as->op, .text = as->text, .dtype = as->dtype, .why = as->why, .tape = as->tape, .sample = as->sample};
    memcpy(t->sample.in, in, (size_t)as->sample.n_in * sizeof *in);
    for (int i = 0; i < as->sample.n_in; i++)
        if (wg_is_tensor(in[i]))
            t->tape = in[i].tape;
    return trial_filled(t);
}

void trial_close(trial *t) { wg_tape_free(t->tape); }

static bool pulled(trial *t, const wg_tensor *g, wg_tensor *dx, bool record)
{
    if (wg_vjp(t->out, g, t->n_out, t->x, t->n_x, dx, .create_graph = record))
        return wrong(t, "no %svjp", record ? "recorded " : "");
    for (int j = 0; j < t->n_x; j++) {
        wg_type x = wg_type_of(t->x[j]), d = wg_type_of(dx[j]);
        if (!wg_is_tensor(dx[j]) || !wg_type_equal(&x, &d))
            return wrong(t, "the vjp of operand %d is not of its type", t->at[j]);
    }
    return true;
}

bool trial_pull(trial *t, const wg_tensor *g, wg_tensor *dx) { return pulled(t, g, dx, false); }
bool trial_pull_recorded(trial *t, const wg_tensor *g, wg_tensor *dx) { return pulled(t, g, dx, true); }

bool trial_push(trial *t, const wg_tensor *tangents, wg_tensor *dy)
{
    if (wg_jvp(t->out, t->n_out, t->x, tangents, t->n_x, dy))
        return wrong(t, "no jvp");
    for (int k = 0; k < t->n_out; k++) {
        wg_type y = wg_type_of(t->out[k]), d = wg_type_of(dy[k]);
        if (!wg_is_none(t->g[k]) && (!wg_is_tensor(dy[k]) || !wg_type_equal(&y, &d)))
            return wrong(t, "the jvp of output %d is not of its type", k);
    }
    return true;
}
