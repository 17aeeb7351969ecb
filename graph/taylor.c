/* Taylor coefficients along a path, by forward passes one over the other: the k-th tangent of y is pushed up the tape
 * that the one before it was recorded on. */
#include "graph/traverse.h"

#include "wengert/elementwise.h"

static wg_status taylor(wg_tensor y, wg_tensor x, wg_tensor direction, int order, wg_tensor *out)
{
    wg_tape *tape = wg_one_tape("wg_taylor", &y, 1, &x, 1);
    if (!tape)
        return y.tape && y.tape->status ? y.tape->status : WG_ERROR_VALUE;
    if (order < 0)
        return wg_report(tape, "wg_taylor", WG_ERROR_VALUE, "the order is %d", order);
    if (tape->no_grad && order > 1)
        return wg_report(tape, "wg_taylor", WG_ERROR_UNSUPPORTED,
                         "a second derivative needs the first recorded: not in WG_NO_GRAD");
    if (wg_is_none(direction)) {
        wg_type type = wg_type_of(x);
        direction = wg_full(tape, type.dtype, wg_type_shape(&type), 1);
        if (!wg_is_tensor(direction))
            return WG_ERROR_MEMORY;
    }
    out[0] = y;
    wg_tensor at = y;
    double factorial = 1;
    for (int k = 1; k <= order; k++) {
        wg_tensor next;
        wg_status status = wg_jvp(&at, 1, &x, &direction, 1, &next);
        if (status)
            return status;
        at = next;
        factorial *= k;
        out[k] = k == 1 ? at : wg_multiply(at, 1 / factorial);
        if (!wg_is_tensor(out[k]))
            return tape->status;
    }
    return WG_OK;
}

wg_status (wg_taylor)(wg_tensor y, wg_tensor x, wg_tensor direction, int order, wg_tensor *out)
{
    for (int k = 0; k <= order; k++)
        out[k] = y.tape ? wg_invalid_on(y.tape) : WG_INVALID;
    if (!y.tape)
        return WG_ERROR_VALUE;
    uint32_t held = wg_hold_place(y.tape);
    wg_status status = taylor(y, x, direction, order, out);
    wg_let_go_place(y.tape, held);
    return status;
}
