/* Choice and repetition that are recorded step by step: what the functions do is on the tape like anything else. */
#include "graph/closure.h"

#include "wengert/shape.h"

/* ---- cond -------------------------------------------------------------------------------------------------------- */
static wg_status chosen(wg_tape *tape, const char *name, wg_tensor pred, bool *truth)
{
    const wg_node *node = wg_node_of(pred, name);
    if (!node)
        return tape->status;
    if (wg_node_count(node) != 1) {
        wg_type type = wg_node_type(node);
        wg_shape shape = wg_type_shape(&type);
        char text[200];
        return wg_report(tape, name, WG_ERROR_SHAPE, "the predicate is %s, not one element",
                         wg_shape_text(&shape, text, sizeof text));
    }
    *truth = wg_load_number((wg_dtype)node->dtype, node->data) != 0;
    return WG_OK;
}

wg_status (wg_cond)(wg_tensor pred, wg_body *f, wg_body *g, wg_tensors x, wg_tensor *out, int n_out, wg_cond_options options)
{
    wg_tape *tape = wg_inputs_tape("wg_cond", (wg_tensors){&pred, 1}, out, n_out);
    if (!tape || (x.n && !wg_inputs_tape("wg_cond", x, out, n_out)))
        return WG_ERROR_VALUE;
    if (!f || !g)
        return wg_report(tape, "wg_cond", WG_ERROR_VALUE, "the %s function is NULL", f ? "second" : "first");
    bool truth = false;
    wg_status status = chosen(tape, "wg_cond", pred, &truth);
    return status ? status : wg_body_call(tape, "wg_cond", truth ? f : g, options.user, x.at, out, n_out);
}

/* ---- while_loop -------------------------------------------------------------------------------------------------- */
/* Does each of n tensors have the type it had? `what` they are, for the error. */
static wg_status types_kept(wg_tape *tape, const char *name, const char *what, int64_t round, const wg_tensor *before,
                            const wg_tensor *after, int n)
{
    for (int k = 0; k < n; k++) {
        wg_type was = wg_type_of(before[k]), is = wg_type_of(after[k]);
        if (wg_type_equal(&was, &is))
            continue;
        wg_shape shape[2] = {wg_type_shape(&was), wg_type_shape(&is)};
        char text[2][200];
        return wg_report(tape, name, was.dtype == is.dtype ? WG_ERROR_SHAPE : WG_ERROR_DTYPE,
                         "%s %d goes into round %lld as %s %s, and comes out as %s %s", what, k, (long long)round,
                         wg_dtype_name(was.dtype), wg_shape_text(&shape[0], text[0], sizeof text[0]),
                         wg_dtype_name(is.dtype), wg_shape_text(&shape[1], text[1], sizeof text[1]));
    }
    return WG_OK;
}

static wg_status looped(wg_tape *tape, wg_body *cond, wg_body *body, wg_tensors state, wg_tensor *out,
                        const wg_while_loop_options *o)
{
    wg_tensor *now = wg_arena(tape, (size_t)state.n * sizeof *now);
    if (!now)
        return wg_no_memory(tape, "wg_while_loop", (size_t)state.n * sizeof *now);
    memcpy(now, state.at, (size_t)state.n * sizeof *now);
    for (int64_t round = 0;; round++) {
        wg_tensor pred;
        bool goes_on = false;
        wg_status status = wg_body_call(tape, "wg_while_loop", cond, o->user, now, &pred, 1);
        if (!status)
            status = chosen(tape, "wg_while_loop", pred, &goes_on);
        if (!status && goes_on && round >= o->most)
            status = wg_report(tape, "wg_while_loop", WG_ERROR_NUMERIC, "it has not ended after %lld rounds", (long long)round);
        if (!status && goes_on)
            status = wg_body_call(tape, "wg_while_loop", body, o->user, now, out, state.n);
        if (!status && goes_on)
            status = types_kept(tape, "wg_while_loop", "state", round, now, out, state.n);
        if (status)
            return status;
        memcpy(goes_on ? now : out, goes_on ? out : now, (size_t)state.n * sizeof *now);
        if (!goes_on)
            return WG_OK;
    }
}

wg_status (wg_while_loop)(wg_body *cond, wg_body *body, wg_tensors state, wg_tensor *out, wg_while_loop_options options)
{
    wg_tape *tape = wg_inputs_tape("wg_while_loop", state, out, state.n);
    if (!tape)
        return WG_ERROR_VALUE;
    if (!cond || !body)
        return wg_report(tape, "wg_while_loop", WG_ERROR_VALUE, "the %s is NULL", cond ? "body" : "condition");
    uint32_t held = wg_hold_place(tape);
    wg_status status = looped(tape, cond, body, state, out, &options);
    for (int k = 0; k < state.n && status; k++)
        out[k] = wg_invalid_on(tape);
    wg_let_go_place(tape, held);
    return status;
}

/* ---- scan -------------------------------------------------------------------------------------------------------- */
typedef struct {
    wg_tape *tape;
    wg_body *f;
    const wg_scan_options *options;
    int n_carry, n_xs, n_out;
    int64_t n; /* rounds */
    wg_tensors xs;
    wg_tensor *in;   /* carry, then one row each of xs */
    wg_tensor *next; /* carry, then what is stacked */
    wg_tensor *rows; /* what is stacked, by result and row */
} scan;

static wg_status scan_length(scan *s)
{
    s->n = s->options->length;
    for (int i = 0; i < s->n_xs; i++) {
        wg_type type = wg_type_of(s->xs.at[i]);
        if (type.rank < 1)
            return wg_report(s->tape, "wg_scan", WG_ERROR_SHAPE, "array %d is 0-d: it has no rows", i);
        if (s->n != WG_NO_INTEGER && type.dim[0] != s->n)
            return wg_report(s->tape, "wg_scan", WG_ERROR_SHAPE, "array %d has %lld rows, where there are %lld rounds", i,
                             (long long)type.dim[0], (long long)s->n);
        s->n = type.dim[0];
    }
    if (s->n == WG_NO_INTEGER)
        return wg_report(s->tape, "wg_scan", WG_ERROR_ATTR, "there is neither an array nor a length");
    if (s->n < 0)
        return wg_report(s->tape, "wg_scan", WG_ERROR_VALUE, "%lld rounds", (long long)s->n);
    if (!s->n && s->n_out > s->n_carry)
        return wg_report(s->tape, "wg_scan", WG_ERROR_SHAPE, "no round, and so no result to stack");
    return WG_OK;
}

static wg_status scan_round(scan *s, int64_t i)
{
    for (int k = 0; k < s->n_xs; k++)
        s->in[s->n_carry + k] = wg_select(s->xs.at[k], 0, i);
    wg_tensors in = {s->in, s->n_carry + s->n_xs};
    void *user = s->options->user;
    wg_status status = s->options->checkpoint
                           ? (wg_checkpoint)(s->f, in, s->next, s->n_out, (wg_checkpoint_options){user})
                           : wg_body_call(s->tape, "wg_scan", s->f, user, in.at, s->next, s->n_out);
    if (!status)
        status = types_kept(s->tape, "wg_scan", "carry", i, s->in, s->next, s->n_carry);
    for (int k = 0; k < s->n_carry; k++)
        s->in[k] = s->next[k];
    for (int k = s->n_carry; k < s->n_out; k++)
        s->rows[(k - s->n_carry) * s->n + i] = s->next[k];
    return status;
}

static wg_status scanned(scan *s, wg_tensors carry, wg_tensor *out)
{
    size_t n_in = (size_t)(s->n_carry + s->n_xs), n_out = (size_t)s->n_out, n_ys = n_out - (size_t)s->n_carry;
    if (s->n > UINT16_MAX && n_ys) /* operands of one stack */
        return wg_report(s->tape, "wg_scan", WG_ERROR_UNSUPPORTED, "%lld rows to stack; there are at most %d", (long long)s->n,
                         UINT16_MAX);
    s->in = wg_arena(s->tape, (n_in + n_out + n_ys * (size_t)s->n) * sizeof *s->in);
    if (!s->in)
        return wg_no_memory(s->tape, "wg_scan", (n_in + n_out + n_ys * (size_t)s->n) * sizeof *s->in);
    s->next = s->in + n_in;
    s->rows = s->next + n_out;
    for (int k = 0; k < s->n_carry; k++)
        s->in[k] = carry.at[k];
    wg_status status = WG_OK;
    for (int64_t i = 0; i < s->n && !status; i++)
        status = scan_round(s, s->options->reverse ? s->n - 1 - i : i);
    for (int k = 0; k < s->n_out && !status; k++) {
        out[k] = k < s->n_carry ? s->in[k] : wg_stack(((wg_tensors){s->rows + (k - s->n_carry) * s->n, (int)s->n}));
        status = wg_is_tensor(out[k]) ? WG_OK : s->tape->status;
    }
    return status;
}

wg_status (wg_scan)(wg_body *f, wg_tensors carry, wg_tensors xs, wg_tensor *out, int n_out, wg_scan_options options)
{
    wg_tape *tape = wg_inputs_tape("wg_scan", carry.n ? carry : xs, out, n_out);
    if (!tape || (carry.n && xs.n && wg_inputs_tape("wg_scan", xs, NULL, 0) != tape))
        return tape && !tape->status ? wg_report(tape, "wg_scan", WG_ERROR_VALUE, "two tapes") : WG_ERROR_VALUE;
    if (!f)
        return wg_report(tape, "wg_scan", WG_ERROR_VALUE, "the function is NULL");
    if (n_out < carry.n)
        return wg_report(tape, "wg_scan", WG_ERROR_SHAPE, "%d results, where %d are carried", n_out, carry.n);
    scan s = {.tape = tape, .f = f, .options = &options, .n_carry = carry.n, .n_xs = xs.n, .n_out = n_out, .xs = xs};
    uint32_t held = wg_hold_place(tape);
    wg_status status = scan_length(&s);
    if (!status)
        status = scanned(&s, carry, out);
    for (int k = 0; k < n_out && status; k++)
        out[k] = wg_invalid_on(tape);
    wg_let_go_place(tape, held);
    return status;
}
