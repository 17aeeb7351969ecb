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
    wg_decided(tape, name, pred.node, tape->nodes, UINT32_MAX);
    return WG_OK;
}

/* Results that were there before, at the time of `nodes` nodes, are results for what the predicate was, too. */
static void handed_on(wg_tape *tape, const char *name, wg_tensor pred, uint32_t nodes, const wg_tensor *out, int n_out)
{
    for (int k = 0; k < n_out; k++)
        if (out[k].node < nodes)
            wg_decided(tape, name, pred.node, out[k].node, out[k].node + 1);
}

wg_status (wg_cond)(wg_tensor pred, wg_body *f, wg_body *g, wg_tensors x, wg_tensor *out, int n_out,
                   wg_cond_options options)
{
    wg_tape *tape = wg_inputs_tape("wg_cond", (wg_tensors){&pred, 1}, out, n_out);
    if (!tape || (x.n && !wg_inputs_tape("wg_cond", x, out, n_out)))
        return WG_ERROR_VALUE;
    if (!f || !g)
        return wg_report(tape, "wg_cond", WG_ERROR_VALUE, "the %s function is NULL", f ? "second" : "first");
    bool truth = false;
    uint32_t held = wg_hold_place(tape), nodes = tape->nodes;
    wg_status status = chosen(tape, "wg_cond", pred, &truth);
    if (!status)
        status = wg_body_call(tape, "wg_cond", truth ? f : g, options.user, x.at, out, n_out);
    if (!status)
        handed_on(tape, "wg_cond", pred, nodes, out, n_out);
    wg_let_go_place(tape, held);
    return status;
}

/* ---- while_loop -------------------------------------------------------------------------------------------------- */
wg_status wg_types_kept(wg_tape *tape, const char *name, const char *what, int64_t round, const wg_tensor *before,
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
    uint32_t nodes = tape->nodes;
    for (int64_t round = 0;; round++) {
        wg_tensor pred;
        bool goes_on = false;
        wg_status status = wg_body_call(tape, "wg_while_loop", cond, o->user, now, &pred, 1);
        if (!status)
            status = chosen(tape, "wg_while_loop", pred, &goes_on);
        if (!status && goes_on && round >= o->most)
            status = wg_report(tape, "wg_while_loop", WG_ERROR_NUMERIC, "it has not ended after %lld rounds",
                               (long long)round);
        if (!status && goes_on)
            status = wg_body_call(tape, "wg_while_loop", body, o->user, now, out, state.n);
        if (!status && goes_on)
            status = wg_types_kept(tape, "wg_while_loop", "state", round, now, out, state.n);
        if (status)
            return status;
        memcpy(goes_on ? now : out, goes_on ? out : now, (size_t)state.n * sizeof *now);
        if (!goes_on) {
            handed_on(tape, "wg_while_loop", pred, nodes, out, state.n);
            return WG_OK;
        }
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
