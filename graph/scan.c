/* A loop along an axis. Recorded round by round where memory is no matter; else it is one node (scan_again.c). */
#include "graph/scan.h"

#include <math.h>

#include "wengert/shape.h"

void wg_round_rows(const wg_rounds *r, const wg_tensor *xs, int64_t row, wg_tensor *in)
{
    for (int k = 0; k < r->n_xs; k++)
        in[r->n_carry + k] = wg_select(xs[k], 0, row);
}

/* ---- Recorded round by round ------------------------------------------------------------------------------------- */
/* More rows than one call has operands are stacked in pieces. */
static wg_tensor stacked(wg_tape *tape, const wg_tensor *row, int64_t n)
{
    int64_t pieces = (n + UINT16_MAX - 1) / UINT16_MAX;
    if (pieces <= 1)
        return wg_stack(((wg_tensors){(wg_tensor *)(uintptr_t)row, (int)n}));
    if (pieces > UINT16_MAX) {
        wg_report(tape, "wg_scan", WG_ERROR_UNSUPPORTED, "%lld rows to stack", (long long)n);
        return wg_invalid_on(tape);
    }
    wg_tensor *piece = wg_arena(tape, (size_t)pieces * sizeof *piece);
    if (!piece) {
        wg_no_memory(tape, "wg_scan", (size_t)pieces * sizeof *piece);
        return wg_invalid_on(tape);
    }
    for (int64_t i = 0, at = 0; i < pieces; i++, at += UINT16_MAX)
        piece[i] = stacked(tape, row + at, n - at < UINT16_MAX ? n - at : UINT16_MAX);
    return wg_concat(((wg_tensors){piece, (int)pieces}));
}

static wg_status round_recorded(const wg_rounds *r, const wg_tensor *xs, int64_t i, wg_tensor *in, wg_tensor *next)
{
    wg_round_rows(r, xs, wg_round_row(r, i), in);
    wg_status status = wg_body_call(r->tape, "wg_scan", r->f, r->user, in, next, r->n_out);
    return status ? status : wg_types_kept(r->tape, "wg_scan", "carry", i, in, next, r->n_carry);
}

static wg_status recorded(const wg_rounds *r, const wg_tensor *carry, const wg_tensor *xs, wg_tensor *out)
{
    size_t n_in = (size_t)(r->n_carry + r->n_xs), n_out = (size_t)r->n_out, n_ys = n_out - (size_t)r->n_carry;
    if ((uint64_t)r->n > SIZE_MAX / 2 / sizeof(wg_tensor) / (n_ys + 1))
        return wg_report(r->tape, "wg_scan", WG_ERROR_MEMORY, "%lld rounds", (long long)r->n);
    size_t bytes = (n_in + n_out + n_ys * (size_t)r->n) * sizeof(wg_tensor);
    wg_tensor *in = wg_arena(r->tape, bytes ? bytes : 1), *next = in + n_in, *row = next + n_out;
    if (!in)
        return wg_no_memory(r->tape, "wg_scan", bytes);
    for (int k = 0; k < r->n_carry; k++)
        in[k] = carry[k];
    for (int64_t i = 0; i < r->n; i++) {
        wg_status status = round_recorded(r, xs, i, in, next);
        if (status)
            return status;
        for (int k = 0; k < r->n_carry; k++)
            in[k] = next[k];
        for (int k = r->n_carry; k < r->n_out; k++)
            row[(k - r->n_carry) * r->n + wg_round_row(r, i)] = next[k];
    }
    for (int k = 0; k < r->n_out; k++) {
        out[k] = k < r->n_carry ? in[k] : stacked(r->tape, row + (k - r->n_carry) * r->n, r->n);
        if (!wg_is_tensor(out[k]))
            return r->tape->status;
    }
    return WG_OK;
}

/* ---- What is asked for ------------------------------------------------------------------------------------------- */
static wg_status rounds_counted(wg_rounds *r, const wg_tensor *xs, int64_t length)
{
    r->n = length;
    for (int i = 0; i < r->n_xs; i++) {
        wg_type type = wg_type_of(xs[i]);
        if (type.rank < 1)
            return wg_report(r->tape, "wg_scan", WG_ERROR_SHAPE, "array %d is 0-d: it has no rows", i);
        if (r->n != WG_NO_INTEGER && type.dim[0] != r->n)
            return wg_report(r->tape, "wg_scan", WG_ERROR_SHAPE, "array %d has %lld rows, where there are %lld rounds",
                             i, (long long)type.dim[0], (long long)r->n);
        r->n = type.dim[0];
    }
    if (r->n == WG_NO_INTEGER)
        return wg_report(r->tape, "wg_scan", WG_ERROR_ATTR, "there is neither an array nor a length");
    if (r->n < 0)
        return wg_report(r->tape, "wg_scan", WG_ERROR_VALUE, "%lld rounds", (long long)r->n);
    if (!r->n && r->n_out > r->n_carry)
        return wg_report(r->tape, "wg_scan", WG_ERROR_SHAPE, "no round, and so no result to stack");
    return WG_OK;
}

static wg_status snapshots_counted(wg_rounds *r, int64_t asked)
{
    int64_t most = r->n - 1;
    if (asked < WG_SNAPSHOTS_LOG)
        return wg_report(r->tape, "wg_scan", WG_ERROR_ATTR, "snapshots is %lld", (long long)asked);
    if (asked == WG_SNAPSHOTS_EACH)
        asked = most;
    if (asked == WG_SNAPSHOTS_SQRT)
        asked = (int64_t)ceil(sqrt(2 * (double)r->n));
    if (asked == WG_SNAPSHOTS_LOG)
        asked = (int64_t)ceil(log2((double)r->n));
    r->snapshots = asked < most ? asked : most;
    return WG_OK;
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
    wg_rounds r = {.tape = tape, .f = f, .user = options.user, .n_carry = carry.n, .n_xs = xs.n, .n_out = n_out,
                   .reverse = options.reverse};
    uint32_t held = wg_hold_place(tape);
    wg_status status = rounds_counted(&r, xs.at, options.length);
    if (!status)
        status = snapshots_counted(&r, options.snapshots);
    if (!status)
        status =
            r.n && options.snapshots ? wg_scan_again(&r, carry.at, xs.at, out) : recorded(&r, carry.at, xs.at, out);
    for (int k = 0; k < n_out && status; k++)
        out[k] = wg_invalid_on(tape);
    wg_let_go_place(tape, held);
    return status;
}
