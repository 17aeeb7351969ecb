/* Properties of values: what an operation computes does not depend on how its operands lie in memory, on how often or
 * on how many threads it runs, and float32 is float64 but for rounding. */
#include "suite.h"

#include <float.h>
#include <stdlib.h>

#define ROUNDING 1e-13 /* of float64, where the order of a sum may differ */

/* ---- Finite ------------------------------------------------------------------------------------------------------ */
static bool has_elements(const trial *t)
{
    for (int i = 0; i < t->sample.n_in; i++)
        if (wg_is_tensor(t->sample.in[i]) && wg_size(t->sample.in[i]) == 0)
            return false;
    return true;
}

/* Samples whose value is infinite or NaN by the operation's own doc. */
static bool is_infinite_on_purpose(const trial *t)
{
    static const char *const ops[] = {"segment_max", "isnan", "isinf", "isfinite"};
    for (size_t i = 0; i < COUNT(ops); i++)
        if (!strcmp(t->op->name, ops[i]))
            return true;
    return false;
}

bool values_are_finite(trial *t)
{
    if (!has_elements(t) || is_infinite_on_purpose(t))
        return true;
    for (int k = 0; k < t->n_out; k++)
        for (int64_t i = 0, n = wg_size(t->out[k]); i < n; i++)
            if (!isfinite(wg_element(t->out[k], i)))
                return wrong(t, "output %d, element %lld is %g", k, (long long)i, wg_element(t->out[k], i));
    return true;
}

bool values_have_their_types(trial *t)
{
    for (int k = 0; k < t->n_out; k++) {
        wg_type y = wg_type_of(t->out[k]);
        if (wg_is_float(y.dtype) && y.dtype != t->dtype && t->n_x && strcmp(t->op->name, "cast"))
            return wrong(t, "output %d is %s", k, wg_dtype_name(y.dtype));
    }
    return true;
}

/* ---- How operands lie -------------------------------------------------------------------------------------------- */
enum { TRANSPOSED, FLIPPED, STEPPED, STRETCHED, LAYOUTS };
static const char *const layouts[] = {"transposed", "flipped", "with steps", "stretched"};

static wg_tensor laid_out(wg_tensor x, int how)
{
    wg_shape shape = wg_shape_of(x);
    wg_axes reversed = {.n = shape.rank};
    for (int i = 0; i < shape.rank; i++)
        reversed.at[i] = shape.rank - 1 - i;
    switch (how) {
    case TRANSPOSED:
        return shape.rank < 2 ? x : wg_permute_dims(wg_contiguous(wg_permute_dims(x, reversed)), reversed);
    case FLIPPED:
        return shape.rank < 1 ? x : wg_flip(wg_contiguous(wg_flip(x)));
    case STEPPED:
        return shape.rank == WG_MAX_RANK ? x : wg_select(wg_stack(WG_TENSORS(x, x), .axis = -1), -1, 1);
    default:
        for (int i = 0; i < shape.rank; i++)
            if (shape.dim[i] > 1)
                return wg_broadcast_to(wg_narrow(x, i, 0, 1), shape);
        return x;
    }
}

static bool layout_agrees(trial *t, int how)
{
    wg_tensor straight[WG_SAMPLE_OPERANDS], laid[WG_SAMPLE_OPERANDS];
    for (int i = 0; i < t->sample.n_in; i++) {
        wg_tensor x = t->sample.in[i];
        laid[i] = wg_is_none(x) ? x : laid_out(x, how);
        straight[i] = wg_is_none(x) ? x : wg_contiguous(laid[i]);
    }
    trial a, b;
    wg_tensor da[WG_SAMPLE_OPERANDS], db[WG_SAMPLE_OPERANDS];
    if (!trial_again(&a, t, straight)) {
        wg_clear_error(t->tape); /* repeated values need not be legal: a covariance, a sorted list */
        return how == STRETCHED || wrong(t, "it fails on copies of its operands");
    }
    if (!trial_again(&b, t, laid))
        return false;
    for (int k = 0; k < t->n_out; k++)
        if (!alike(t, layouts[how], a.out[k], b.out[k], ROUNDING))
            return false;
    if (!t->smooth)
        return true;
    if (!trial_pull(&a, a.g, da) && how == STRETCHED && wg_error_status(t->tape) == WG_ERROR_NUMERIC) {
        wg_clear_error(t->tape); /* no derivative where values repeat: a singular matrix */
        return true;
    }
    if (wg_failed(t->tape) || !trial_pull(&b, b.g, db))
        return false;
    for (int j = 0; j < t->n_x; j++)
        if (!alike(t, layouts[how], da[j], db[j], ROUNDING))
            return false;
    wg_tensor ya[TRIAL_OUTPUTS], yb[TRIAL_OUTPUTS];
    if (!trial_push(&a, a.t, ya) || !trial_push(&b, b.t, yb))
        return false;
    for (int k = 0; k < t->n_out; k++)
        if (!alike(t, layouts[how], ya[k], yb[k], ROUNDING))
            return false;
    return true;
}

bool layouts_agree(trial *t)
{
    for (int how = 0; how < LAYOUTS; how++)
        if (!layout_agrees(t, how))
            return false;
    return true;
}

/* ---- float32 ----------------------------------------------------------------------------------------------------- */
/* Operands of the float32 trial as float64, number for number. */
static bool widened(const trial *narrow, trial *wide)
{
    wg_tensor in[WG_SAMPLE_OPERANDS];
    for (int i = 0; i < wide->sample.n_in; i++) {
        wg_tensor x = narrow->sample.in[i];
        in[i] = wide->sample.in[i];
        if (!wg_is_tensor(x) || wg_type_of(x).dtype != WG_FLOAT32)
            continue;
        in[i] = leaf_like(wide->sample.in[i]);
        double *data = wg_node_at(wide->tape, in[i].node)->data;
        for (int64_t k = 0, n = wg_size(x); k < n; k++)
            data[k] = wg_element(x, k);
    }
    trial before = *wide;
    return trial_again(wide, &before, in);
}

/* |a - b| within float32's rounding of b, of the largest of them, and of what moving the operands by as much does. */
static bool rounded(const trial *t, const char *what, wg_tensor a, wg_tensor b, const double *moved)
{
    double size = fmax(largest(b), 0.1); /* cotangents are near 1, and may cancel */
    for (int64_t i = 0, n = wg_size(b); i < n; i++) {
        double p = wg_element(a, i), q = wg_element(b, i);
        double slack = 64 * (double)FLT_EPSILON * (size + (moved ? moved[i] : 0)) + (double)FLT_MIN;
        if (!(p == q || (isnan(p) && isnan(q)) || fabs(p - q) <= slack))
            return wrong(t, "%s: element %lld is %.9g in float32, %.9g in float64", what, (long long)i, p, q);
    }
    return true;
}

/* How far elements of v go when the operands move by their own size. */
static double *sensitivity(trial *wide, const wg_tensor *of, int n_of, int k)
{
    int64_t n = wg_size(of[k]);
    double *most = calloc((size_t)n + 1, sizeof *most);
    wg_tensor tangent[WG_SAMPLE_OPERANDS], moved[WG_SAMPLE_OPERANDS + TRIAL_OUTPUTS];
    for (int probe = 0; probe < 3 && most; probe++) {
        for (int j = 0; j < wide->n_x; j++)
            tangent[j] = wg_multiply(wide->x[j], random_like(wide->x[j], 300 + (uint64_t)probe));
        if (wg_jvp(of, n_of, wide->x, tangent, wide->n_x, moved)) {
            wg_clear_error(wide->tape);
            continue;
        }
        for (int64_t i = 0; i < n && wg_is_tensor(moved[k]); i++)
            most[i] = fmax(most[i], fabs(wg_element(moved[k], i)));
    }
    return most;
}

static bool rounding_only(trial *narrow, trial *wide)
{
    bool fine = true;
    for (int k = 0; k < wide->n_out && fine; k++) {
        double *moved = wide->smooth ? sensitivity(wide, wide->out, wide->n_out, k) : NULL;
        fine = rounded(narrow, "value", narrow->out[k], wide->out[k], moved);
        free(moved);
    }
    if (!fine || !wide->smooth)
        return fine;
    wg_tensor dx[WG_SAMPLE_OPERANDS], dw[WG_SAMPLE_OPERANDS];
    for (int k = 0; k < wide->n_out; k++)
        for (int64_t i = 0, n = wg_is_tensor(wide->g[k]) ? wg_size(wide->g[k]) : 0; i < n; i++)
            if (wg_type_of(wide->g[k]).dtype == WG_FLOAT64)
                ((double *)wg_node_at(wide->tape, wide->g[k].node)->data)[i] = wg_element(narrow->g[k], i);
    if (!trial_pull(narrow, narrow->g, dx) || !trial_pull_recorded(wide, wide->g, dw))
        return wrong(narrow, "no vjp");
    for (int j = 0; j < wide->n_x && fine; j++) {
        double *moved = sensitivity(wide, dw, wide->n_x, j);
        fine = rounded(narrow, "vjp", dx[j], dw[j], moved);
        free(moved);
    }
    return fine;
}

bool float32_agrees(trial *t)
{
    trial narrow;
    bool fine = trial_open(&narrow, wg_tape_new(), t->op, t->text, WG_FLOAT32, t->why) && widened(&narrow, t) &&
                rounding_only(&narrow, t);
    trial_close(&narrow);
    return fine;
}

/* ---- The same again ---------------------------------------------------------------------------------------------- */
static bool same_bits(trial *a, trial *b, const char *what)
{
    for (int k = 0; k < a->n_out; k++)
        if (!alike(a, what, a->out[k], b->out[k], 0))
            return false;
    wg_tensor da[WG_SAMPLE_OPERANDS], db[WG_SAMPLE_OPERANDS];
    if (!a->smooth)
        return true;
    if (!trial_pull(a, a->g, da) || !trial_pull(b, b->g, db))
        return false;
    for (int j = 0; j < a->n_x; j++)
        if (!alike(a, what, da[j], db[j], 0))
            return false;
    wg_tensor ya[TRIAL_OUTPUTS], yb[TRIAL_OUTPUTS];
    if (!trial_push(a, a->t, ya) || !trial_push(b, b->t, yb))
        return false;
    for (int k = 0; k < a->n_out; k++)
        if (!alike(a, what, ya[k], yb[k], 0))
            return false;
    return true;
}

bool twice_is_the_same(trial *t)
{
    trial again;
    return trial_again(&again, t, t->sample.in) && same_bits(t, &again, "a second time");
}

bool threads_agree(trial *t)
{
    static const int threads[] = {2, 5};
    for (size_t i = 0; i < COUNT(threads); i++) {
        trial other;
        bool fine = trial_open(&other, wg_tape_new(.threads = threads[i]), t->op, t->text, t->dtype, t->why) &&
                    same_bits(t, &other, "with threads");
        trial_close(&other);
        if (!fine)
            return false;
    }
    return true;
}

/* ---- Untouched --------------------------------------------------------------------------------------------------- */
static uint64_t bits_of(const wg_tensor *list, int n)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (int i = 0; i < n; i++) {
        if (!wg_is_tensor(list[i]))
            continue;
        const wg_node *node = wg_node_at(list[i].tape, list[i].node);
        const unsigned char *data = node->data;
        size_t bytes = (size_t)wg_node_count(node) * wg_dtype_size((wg_dtype)node->dtype);
        for (size_t k = 0; k < bytes; k++)
            sum = (sum ^ data[k]) * UINT64_C(0x100000001b3);
    }
    return sum;
}

/* The bits of the operands before anything was recorded on them. */
static uint64_t bits_as_made(const trial *t)
{
    wg_sample fresh = {0};
    wg_tape *tape = wg_tape_new();
    uint64_t bits =
        tape && !wg_sample_make(tape, t->op, t->text, t->dtype, 1, &fresh) ? bits_of(fresh.in, fresh.n_in) : 0;
    wg_tape_free(tape);
    return bits;
}

bool operands_are_untouched(trial *t)
{
    uint64_t before[3] = {bits_as_made(t), bits_of(t->g, t->n_out), bits_of(t->t, t->n_x)};
    trial again;
    wg_tensor d[WG_SAMPLE_OPERANDS + TRIAL_OUTPUTS];
    if (!trial_again(&again, t, t->sample.in))
        return false;
    if (t->smooth && (!trial_pull(t, t->g, d) || !trial_pull_recorded(t, t->g, d) || !trial_push(t, t->t, d)))
        return false;
    if (bits_of(t->sample.in, t->sample.n_in) != before[0])
        return wrong(t, "an operand was changed");
    if (bits_of(t->g, t->n_out) != before[1])
        return wrong(t, "a cotangent was changed");
    return bits_of(t->t, t->n_x) == before[2] || wrong(t, "a tangent was changed");
}

/* ---- Formulas ---------------------------------------------------------------------------------------------------- */
static bool all_finite(wg_tensor x)
{
    bool finite = true;
    for (int64_t i = 0; i < wg_size(x); i++)
        finite = finite && isfinite(wg_element(x, i));
    return finite;
}

/* Where it gives none, as for empty operands, or divides by 0 there is nothing to compare. */
bool formula_is_the_value(trial *t)
{
    wg_tensor out[UINT8_MAX];
    wg_call *call = t->op->formula && t->n_out ? wg_call_again(t->tape, t->out[0].node) : NULL;
    for (int k = 0; call && k < call->n_out; k++)
        out[k] = WG_NONE;
    if (call)
        t->op->formula(call, out);
    bool fine = true;
    for (int k = 0; call && k < t->n_out && fine; k++)
        if (wg_is_tensor(out[k]) && wg_size(out[k]) && all_finite(out[k]))
            fine = alike(t, "the formula and the value", out[k], t->out[k], 1e-11);
    wg_clear_error(t->tape);
    return fine;
}

/* ---- Cost -------------------------------------------------------------------------------------------------------- */
bool flops_are_a_number(trial *t)
{
    if (!t->op->flops || !t->n_out)
        return true;
    const wg_call *call = wg_call_again(t->tape, t->out[0].node);
    double flops = call ? t->op->flops(call) : -1;
    return (isfinite(flops) && flops >= 0) || wrong(t, "it takes %g floating-point operations", flops);
}

/* ---- Empty axes -------------------------------------------------------------------------------------------------- */
/* Operand i with its axis emptied, and with it every axis of that length if `all`. */
static wg_tensor emptied(wg_tensor x, int64_t length)
{
    wg_type type = wg_type_of(x);
    for (int k = 0; k < type.rank; k++)
        if (type.dim[k] == length)
            type.dim[k] = 0;
    return wg_array(x.tape, type.dtype, wg_type_shape(&type), NULL);
}

/* Axes of one length are emptied together, in one operand or in all: an error, or a value and a vjp that are well made.
 */
static bool length_is_harmless(trial *t, int64_t length, int only)
{
    wg_tensor in[WG_SAMPLE_OPERANDS], dx[WG_SAMPLE_OPERANDS];
    for (int i = 0; i < t->sample.n_in; i++)
        in[i] = wg_is_none(t->sample.in[i]) || (only >= 0 && i != only) ? t->sample.in[i]
                                                                        : emptied(t->sample.in[i], length);
    trial empty = {0};
    bool fine = !trial_again(&empty, t, in) || !empty.smooth || trial_pull(&empty, empty.g, dx);
    if (fine && empty.n_out && empty.smooth && !wg_failed(t->tape))
        fine = trial_push(&empty, empty.t, dx);
    wg_status status = wg_error_status(t->tape);
    wg_clear_error(t->tape);
    return fine || status == WG_ERROR_NUMERIC;
}

bool empty_axes_are_harmless(trial *t)
{
    if (t->op->hidden)
        return true; /* called by the library alone, on operands that fit */
    for (int i = 0; i < t->sample.n_in; i++) {
        if (wg_is_none(t->sample.in[i]))
            continue;
        wg_shape shape = wg_shape_of(t->sample.in[i]);
        for (int k = 0; k < shape.rank; k++)
            if (!length_is_harmless(t, shape.dim[k], -1) || !length_is_harmless(t, shape.dim[k], i))
                return false;
    }
    return true;
}
