/* A sample call of an operation, to be checked. */
#include "check_call.h"

#include <math.h>
#include <stdlib.h>

/* ---- A sample call ----------------------------------------------------------------------------------------------- */
static const wg_operand *operand_of(const wg_op *op, int i)
{
    int n = wg_op_operands(op);
    return &op->in[i < n ? i : n - 1];
}

static bool is_differentiable(const wg_op *op, int output, wg_tensor y)
{
    return !op->output_gradient_free && wg_is_float(wg_type_of(y).dtype) && !(op->constant_outputs >> output & 1);
}

static wg_tensor random_like(const call *c, wg_tensor x, unsigned stream)
{
    wg_shape shape = wg_shape_of(x);
    wg_tensor t = wg_array(c->tape, WG_FLOAT64, shape, NULL);
    double *v = calloc((size_t)wg_size(x) + 1, sizeof *v);
    uint64_t state = (c->seed + stream) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int64_t i = 0; v && i < wg_size(x); i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        v[i] = (double)(state >> 11) / 0x1p52 - 1;
    }
    if (v)
        t = wg_array(c->tape, WG_FLOAT64, shape, v);
    free(v);
    return wg_type_of(x).dtype == WG_FLOAT64 ? t : wg_cast(t, .dtype = wg_type_of(x).dtype);
}

static int count_outputs(const call *c)
{
    int n = 0, saved = 0;
    while (n < OUTPUTS && wg_is_tensor(c->out[n]))
        n++;
    while (saved < WG_MAX_OUTPUTS && c->op->saved[saved])
        saved++;
    return n - saved;
}

/* The random ones draw the same numbers each time. */
static wg_status recorded(call *c, const wg_sample *sample, wg_tensor *out)
{
    wg_seed(c->tape, c->seed);
    return wg_sample_record(c->tape, c->op, sample, out, OUTPUTS);
}

bool call_make(call *c)
{
    if (wg_sample_make(c->tape, c->op, c->text, WG_FLOAT64, c->seed, &c->sample) || recorded(c, &c->sample, c->out))
        return false;
    c->n_out = count_outputs(c);
    for (int k = 0; k < c->n_out; k++)
        c->g[k] = is_differentiable(c->op, k, c->out[k]) ? random_like(c, c->out[k], 100 + (unsigned)k) : WG_NONE;
    for (int i = 0; i < c->sample.n_in; i++) {
        wg_tensor x = c->sample.in[i];
        if (wg_is_none(x) || !wg_is_float(wg_type_of(x).dtype) || operand_of(c->op, i)->flags & WG_NO_GRADIENT)
            continue;
        c->t[c->n_x] = random_like(c, x, 200 + (unsigned)i);
        c->x[c->n_x] = x;
        c->at[c->n_x++] = i;
    }
    return !wg_failed(c->tape);
}

wg_tensor call_again(const wg_tensor *x, void *user)
{
    call *c = user;
    wg_sample sample = c->sample;
    wg_tensor out[OUTPUTS];
    for (int j = 0; j < c->n_x; j++) {
        bool symmetric = operand_of(c->op, c->at[j])->flags & WG_SYMMETRIC; /* of which one triangle is read */
        sample.in[c->at[j]] = symmetric ? wg_multiply(0.5, wg_add(x[j], wg_matrix_transpose(x[j]))) : x[j];
    }
    recorded(c, &sample, out);
    return out[c->output];
}

/* ---- The transpose ----------------------------------------------------------------------------------------------- */
#define CLOSE 1e-10        /* relatively */
#define CLOSE_FLOAT32 1e-5 /* where float32 is among the numbers */

static double inner(wg_tensor a, wg_tensor b, double *size)
{
    double sum = 0;
    for (int64_t i = 0; i < wg_size(a); i++) {
        double part = wg_element(a, i) * wg_element(b, i);
        sum += part;
        *size += fabs(part);
    }
    return sum;
}

bool call_transposes(const call *c, double *out, double *in)
{
    wg_tensor dx[WG_SAMPLE_OPERANDS], dy[OUTPUTS];
    double size = 1e-3;
    *out = *in = 0;
    if (wg_vjp(c->out, c->g, c->n_out, c->x, c->n_x, dx) || wg_jvp(c->out, c->n_out, c->x, c->t, c->n_x, dy))
        return false;
    for (int k = 0; k < c->n_out; k++)
        if (!wg_is_none(c->g[k]))
            *out += inner(c->g[k], dy[k], &size);
    for (int j = 0; j < c->n_x; j++)
        *in += inner(dx[j], c->t[j], &size);
    bool single = wg_type_of(c->out[0]).dtype == WG_FLOAT32;
    return fabs(*out - *in) <= (single ? CLOSE_FLOAT32 : CLOSE) * size;
}
