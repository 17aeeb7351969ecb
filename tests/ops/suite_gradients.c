/* Properties of derivatives: against numerical ones, against one another, and what a rule may not do. */
#include "suite.h"

#include <float.h>
#include <stdlib.h>

#define ROUNDING 1e-11 /* between two ways to compute one derivative in float64 */

/* ---- Against Ridders' extrapolation ------------------------------------------------------------------------------ */
typedef struct {
    const trial *t;
    int output;
} call;

/* An operand that is symmetric by contract moves as a symmetric one: its derivative is of such steps alone. */
static wg_tensor as_read(const trial *t, int j, wg_tensor x)
{
    bool symmetric = t->op->in[t->at[j]].flags & WG_SYMMETRIC;
    return symmetric ? wg_multiply(wg_add(x, wg_matrix_transpose(x)), 0.5) : x;
}

static wg_tensor called(const wg_tensor *x, void *user)
{
    const call *c = user;
    wg_tensor in[WG_SAMPLE_OPERANDS], out[TRIAL_OUTPUTS];
    memcpy(in, c->t->sample.in, sizeof in);
    for (int j = 0; j < c->t->n_x; j++)
        in[c->t->at[j]] = as_read(c->t, j, x[j]);
    trial_record(c->t, in, out);
    return out[c->output];
}

static bool held(const trial *t, int k, const wg_check_report *report)
{
    if (*report->message)
        return wrong(t, "output %d: %s", k, report->message);
    for (int j = 0; j < report->n; j++) {
        const wg_check_input *in = &report->input[j];
        if (in->checked && in->verdict != WG_CHECK_PASSED)
            return wrong(t, "output %d by operand %d, %s %lld: vjp %.12g, numeric %.12g +- %.1e (%s)", k, t->at[j],
                         in->directions ? "direction" : "element", (long long)in->element, in->analytic, in->numeric,
                         in->error, in->reason);
    }
    return true;
}

bool vjp_is_the_derivative(trial *t)
{
    if (!t->smooth || t->op->surrogate)
        return true;
    bool any = false;
    for (int j = 0; j < t->n_x; j++)
        any |= wg_size(t->x[j]) > 0;
    for (int k = 0; k < t->n_out && any; k++) {
        call c = {t, k};
        if (wg_is_none(t->g[k]) || !wg_size(t->out[k]))
            continue;
        wg_check_report report = wg_check_grad(called, t->x, t->n_x, .user = &c);
        if (!held(t, k, &report))
            return false;
    }
    return true;
}

/* ---- Against each other ------------------------------------------------------------------------------------------ */
/* <u, J v> = <J' u, v>. */
bool jvp_is_the_transpose(trial *t)
{
    wg_tensor dx[WG_SAMPLE_OPERANDS], dy[TRIAL_OUTPUTS];
    if (!t->smooth)
        return true;
    if (!trial_pull(t, t->g, dx) || !trial_push(t, t->t, dy))
        return false;
    double size = 0, out = 0, in = 0;
    for (int k = 0; k < t->n_out; k++)
        if (!wg_is_none(t->g[k])) {
            out += inner(t->g[k], dy[k], &size);
            size += 1e-4 * (double)wg_size(t->g[k]); /* terms that cancelled inside */
        }
    for (int j = 0; j < t->n_x; j++)
        in += inner(dx[j], t->t[j], &size);
    bool single = t->n_out && wg_type_of(t->out[0]).dtype == WG_FLOAT32;
    return fabs(out - in) <= (single ? 1e-5 : ROUNDING) * size ||
           wrong(t, "<u, J v> = %.17g, <J' u, v> = %.17g", out, in);
}

bool recorded_vjp_agrees(trial *t)
{
    wg_tensor plain[WG_SAMPLE_OPERANDS], recorded[WG_SAMPLE_OPERANDS];
    if (!t->smooth)
        return true;
    if (!trial_pull(t, t->g, plain) || !trial_pull_recorded(t, t->g, recorded))
        return false;
    for (int j = 0; j < t->n_x; j++)
        if (!alike(t, "plain and recorded vjp", plain[j], recorded[j], ROUNDING))
            return false;
    return true;
}

/* J' (2 u - 3 w) = 2 J' u - 3 J' w. */
bool vjp_is_linear(trial *t)
{
    wg_tensor u[WG_SAMPLE_OPERANDS], w[WG_SAMPLE_OPERANDS], both[WG_SAMPLE_OPERANDS];
    wg_tensor gw[TRIAL_OUTPUTS], g[TRIAL_OUTPUTS];
    if (!t->smooth)
        return true;
    for (int k = 0; k < t->n_out; k++) {
        gw[k] = wg_is_none(t->g[k]) ? WG_NONE : random_like(t->g[k], 400 + (uint64_t)k);
        g[k] = wg_is_none(t->g[k]) ? WG_NONE : wg_subtract(wg_multiply(t->g[k], 2), wg_multiply(gw[k], 3));
    }
    if (!trial_pull(t, t->g, u) || !trial_pull(t, gw, w) || !trial_pull(t, g, both))
        return false;
    bool single = wg_type_of(t->out[0]).dtype == WG_FLOAT32;
    for (int j = 0; j < t->n_x; j++)
        if (!alike(t, "vjp of a sum", wg_subtract(wg_multiply(u[j], 2), wg_multiply(w[j], 3)), both[j],
                   single ? 1e-5 : ROUNDING))
            return false;
    return true;
}

/* ---- Zero -------------------------------------------------------------------------------------------------------- */
static bool is_zero(const trial *t, const char *what, wg_tensor d)
{
    for (int64_t i = 0, n = wg_size(d); i < n; i++)
        if (wg_element(d, i) != 0)
            return wrong(t, "%s: element %lld is %g", what, (long long)i, wg_element(d, i));
    return true;
}

bool zero_stays_zero(trial *t)
{
    wg_tensor g[TRIAL_OUTPUTS], v[WG_SAMPLE_OPERANDS], d[WG_SAMPLE_OPERANDS + TRIAL_OUTPUTS];
    if (!t->smooth)
        return true;
    for (int k = 0; k < t->n_out; k++)
        g[k] = wg_is_none(t->g[k]) ? WG_NONE : leaf_like(t->g[k]);
    for (int j = 0; j < t->n_x; j++)
        v[j] = leaf_like(t->t[j]);
    bool (*const pull[])(trial *, const wg_tensor *, wg_tensor *) = {trial_pull, trial_pull_recorded};
    for (size_t p = 0; p < COUNT(pull); p++) {
        if (!pull[p](t, g, d))
            return false;
        for (int j = 0; j < t->n_x; j++)
            if (!is_zero(t, "vjp of zero", d[j]))
                return false;
    }
    if (!trial_push(t, v, d))
        return false;
    for (int k = 0; k < t->n_out; k++)
        if (!wg_is_none(t->g[k]) && !is_zero(t, "jvp of zero", d[k]))
            return false;
    return true;
}

/* ---- One tensor as two operands ---------------------------------------------------------------------------------- */
static bool pair_agrees(trial *t, int a, int b)
{
    wg_tensor one[WG_SAMPLE_OPERANDS], two[WG_SAMPLE_OPERANDS], d1[WG_SAMPLE_OPERANDS], d2[WG_SAMPLE_OPERANDS];
    memcpy(one, t->sample.in, sizeof one);
    memcpy(two, t->sample.in, sizeof two);
    one[t->at[b]] = one[t->at[a]];
    two[t->at[b]] = leaf_like(two[t->at[a]]);
    wg_assign(two[t->at[b]], two[t->at[a]]);
    trial shared, apart;
    if (!trial_again(&apart, t, two)) {
        wg_clear_error(t->tape);
        return true; /* the two may not be equal here */
    }
    if (!trial_again(&shared, t, one) || !trial_pull(&shared, shared.g, d1) || !trial_pull(&apart, apart.g, d2))
        return false;
    for (int k = 0; k < t->n_out; k++)
        if (!alike(t, "one tensor twice", shared.out[k], apart.out[k], ROUNDING))
            return false;
    return alike(t, "one tensor twice", d1[a], wg_add(d2[a], d2[b]), ROUNDING);
}

bool operand_given_twice(trial *t)
{
    for (int a = 0; a < t->n_x && t->smooth; a++)
        for (int b = a + 1; b < t->n_x; b++) {
            wg_type ta = wg_type_of(t->x[a]), tb = wg_type_of(t->x[b]);
            if (wg_type_equal(&ta, &tb) && !pair_agrees(t, a, b))
                return false;
        }
    return true;
}

/* ---- What is saved ----------------------------------------------------------------------------------------------- */
static bool is_listed(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; at && *at; at += strcspn(at, " "), at += strspn(at, " "))
        if (!strncmp(at, word, n) && (at[n] == ' ' || !at[n]))
            return true;
    return false;
}

static const char *operand_name(const wg_op *op, int i)
{
    int k = 0;
    while (k < i && k + 1 < WG_MAX_OPERANDS && op->in[k + 1].name && !(op->in[k].flags & WG_VARIADIC))
        k++;
    return op->in[k].name;
}

/* Writes other values over x: what is not needed may be anything. */
static bool spoil(wg_tensor x)
{
    wg_tensor other = leaf_like(x);
    wg_type type = wg_type_of(x);
    unsigned char *data = wg_node_at(other.tape, other.node)->data;
    for (int64_t i = 0, n = wg_size(x); i < n; i++)
        wg_store_number(type.dtype, wg_is_float(type.dtype) ? 0.3 + 0.01 * (double)i : 0,
                        data + (size_t)i * wg_dtype_size(type.dtype));
    return wg_assign(x, other) == WG_OK;
}

/* A value the entry does not list may be written over after the call; one that it lists is guarded. */
static bool honest_about(const trial *as, const wg_tensor *before, int i)
{
    trial t;
    bool fine = trial_open(&t, wg_tape_new(), as->op, as->text, as->dtype, as->why);
    wg_tensor dx[WG_SAMPLE_OPERANDS];
    const char *name = i >= 0 ? operand_name(t.op, i) : t.op->out[0] ? t.op->out[0] : "y";
    bool guarded = is_listed(t.op->saves, name) || (t.op->map && !t.op->saves);
    wg_tensor x = i < 0 ? t.out[0] : t.sample.in[i];
    if (fine && (wg_is_none(x) || !wg_size(x)))
        goto done;
    fine = fine && (spoil(x) || wrong(&t, "%s cannot be written", name));
    wg_status status = fine ? wg_vjp(t.out, t.g, t.n_out, t.x, t.n_x, dx) : WG_OK;
    if (fine && guarded && status != WG_ERROR_STALE)
        fine = wrong(&t, "%s is listed as saved, yet written over without an error", name);
    if (fine && !guarded && status)
        fine = wrong(&t, "%s is not saved, yet guarded", name);
    for (int j = 0; j < t.n_x && fine && !guarded; j++) {
        char what[128];
        snprintf(what, sizeof what, "vjp after %s was written over", name);
        fine = alike(&t, what, before[j], dx[j], 0);
    }
done:
    trial_close(&t);
    return fine;
}

bool saves_are_honest(trial *t)
{
    wg_tensor dx[WG_SAMPLE_OPERANDS];
    if (!t->smooth)
        return true;
    if (!trial_pull(t, t->g, dx))
        return false;
    for (int i = t->op->view ? 0 : -1; i < t->sample.n_in; i++)
        if (!honest_about(t, dx, i))
            return false;
    return true;
}

/* ---- Second derivatives ------------------------------------------------------------------------------------------ */
/* The sum of the outputs, weighed by their cotangents: one number. */
static wg_tensor weighed(const trial *t, const wg_tensor *out)
{
    wg_tensor sum = WG_NONE;
    for (int k = 0; k < t->n_out; k++) {
        if (wg_is_none(t->g[k]))
            continue;
        wg_tensor part = wg_sum(wg_multiply(out[k], t->g[k]));
        if (wg_type_of(part).dtype != WG_FLOAT64)
            part = wg_cast(part, .dtype = WG_FLOAT64);
        sum = wg_is_none(sum) ? part : wg_add(sum, part);
    }
    return sum;
}

bool hessian_products_agree(trial *t)
{
    wg_tensor forward[WG_SAMPLE_OPERANDS], reverse[WG_SAMPLE_OPERANDS];
    if (!t->smooth)
        return true;
    wg_tensor y = weighed(t, t->out);
    if (wg_hvp(y, t->x, t->t, t->n_x, forward))
        return wrong(t, "no hvp by forward over reverse");
    if (wg_hvp(y, t->x, t->t, t->n_x, reverse, .reverse = true))
        return wrong(t, "no hvp by reverse over reverse");
    for (int j = 0; j < t->n_x; j++)
        if (!alike(t, "hvp forward and reverse over reverse", forward[j], reverse[j], 1e-9))
            return false;
    return true;
}

/* <r, gradient at x + s t>, whose derivative by s is <r, H t>. */
typedef struct {
    trial *t;
    wg_tensor r[WG_SAMPLE_OPERANDS];
    double size;
} slide;

static double gradient_along(double s, void *user)
{
    slide *l = user;
    trial *t = l->t;
    wg_mark before = wg_tape_mark(t->tape);
    wg_tensor in[WG_SAMPLE_OPERANDS], x[WG_SAMPLE_OPERANDS], out[TRIAL_OUTPUTS], dx[WG_SAMPLE_OPERANDS];
    memcpy(in, t->sample.in, sizeof in);
    for (int j = 0; j < t->n_x; j++)
        in[t->at[j]] = x[j] = as_read(t, j, wg_add(t->x[j], wg_multiply(t->t[j], s)));
    double sum = (double)NAN, size = 0;
    if (!trial_record(t, in, out) && !wg_vjp(out, t->g, t->n_out, x, t->n_x, dx)) {
        sum = 0;
        for (int j = 0; j < t->n_x; j++)
            sum += inner(dx[j], l->r[j], &size);
    }
    l->size = fmax(l->size, size);
    wg_rewind(t->tape, before);
    return sum;
}

bool hessian_is_the_derivative(trial *t)
{
    wg_tensor h[WG_SAMPLE_OPERANDS];
    if (!t->smooth || t->op->surrogate || wg_type_of(t->out[0]).dtype == WG_FLOAT32)
        return true;
    if (wg_hvp(weighed(t, t->out), t->x, t->t, t->n_x, h))
        return wrong(t, "no hvp");
    slide l = {.t = t};
    double size = 0, analytic = 0, error = 0, step = 0;
    for (int j = 0; j < t->n_x; j++) {
        l.r[j] = random_like(t->x[j], 500 + (uint64_t)j);
        analytic += inner(h[j], l.r[j], &size);
    }
    if (!isfinite(analytic))
        return wrong(t, "the hvp is not finite");
    double numeric = wg_ridders(gradient_along, &l, 0, 0.0625, &error, &step);
    if (fabs(analytic - numeric) <= 16 * (error + DBL_EPSILON * l.size / step) + 1e-9 * size)
        return error <= 1e-2 * fmax(size, 1e-3 * l.size) ||
               wrong(t, "numeric hvp %g +- %g is too rough to tell", numeric, error);
    return wrong(t, "<r, H v> = %.12g, numeric %.12g +- %.1e, h %.1e", analytic, numeric, error, step);
}

/* ---- Structure --------------------------------------------------------------------------------------------------- */
/* A NaN in element i of operand j spreads to what depends on it, and nowhere else: is that the structure's column? It
 * may hold more, but for a view. Of a linear operation a step does what a NaN does, but where its coefficient is 0. */
static bool column_holds(trial *t, const wg_sparse *s, int j, int64_t i, int64_t column)
{
    wg_mark before = wg_tape_mark(t->tape);
    wg_tensor in[WG_SAMPLE_OPERANDS], out[TRIAL_OUTPUTS];
    memcpy(in, t->sample.in, sizeof in);
    wg_tensor probed = in[t->at[j]] = leaf_like(t->x[j]);
    wg_assign(probed, t->x[j]);
    ((double *)wg_node_at(t->tape, probed.node)->data)[i] += t->op->linear || t->op->view ? 1 : (double)NAN;
    bool fine = true;
    int64_t row = 0;
    if (!trial_record(t, in, out))
        for (int k = 0; k < t->n_out && fine; k++)
            for (int64_t e = 0, n = wg_is_none(t->g[k]) ? 0 : wg_size(out[k]); e < n && fine; e++, row++) {
                bool declared = false, found = !(fabs(wg_element(out[k], e) - wg_element(t->out[k], e)) <= ROUNDING);
                for (int64_t m = s->start[row]; m < s->start[row + 1]; m++)
                    declared |= s->column[m] == column;
                fine = found ? declared : !declared || !t->op->view;
                if (!fine)
                    wrong(t, "output %d, element %lld: element %lld of operand %d is %s, the structure says %s", k,
                          (long long)e, (long long)i, t->at[j], found ? "seen" : "not seen", declared ? "seen" : "not");
            }
    wg_clear_error(t->tape); /* a NaN may be refused */
    wg_rewind(t->tape, before);
    return fine;
}

bool structure_is_what_a_nan_finds(trial *t)
{
    wg_tensor ys[TRIAL_OUTPUTS];
    int n = 0;
    for (int k = 0; k < t->n_out; k++)
        if (!wg_is_none(t->g[k]))
            ys[n++] = t->out[k];
    for (int j = 0; j < t->n_x; j++)
        if (wg_type_of(t->x[j]).dtype != WG_FLOAT64)
            return true;
    if (!t->smooth || wg_type_of(ys[0]).dtype != WG_FLOAT64)
        return true;
    wg_sparsity *of = wg_jacobian_sparsity(ys, n, t->x, t->n_x);
    if (!of)
        return wrong(t, "no structure: %s", wg_error(t->tape));
    wg_sparse s = wg_sparsity_pattern(of);
    int64_t column = 0;
    for (int j = 0; j < t->n_x && s.n < s.rows * s.columns; j++)
        for (int64_t i = 0, size = wg_size(t->x[j]); i < size; i++)
            if (!column_holds(t, &s, j, i, column++))
                return false;
    return true;
}
