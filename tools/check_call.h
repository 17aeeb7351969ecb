/* A sample call of an operation, recorded on a tape of its own with random cotangents and tangents. */
#ifndef TOOLS_CHECK_CALL_H
#define TOOLS_CHECK_CALL_H

#include <wengert.h>
#include <wengert/sample.h>

#define OUTPUTS 16

typedef struct {
    wg_tape *tape;
    const wg_op *op;
    const char *text;
    uint64_t seed;
    wg_sample sample;
    int n_out, output; /* outputs; the one looked at */
    wg_tensor out[OUTPUTS];
    int n_x, at[WG_SAMPLE_OPERANDS]; /* differentiable operands: which they are */
    wg_tensor x[WG_SAMPLE_OPERANDS], g[OUTPUTS], t[WG_SAMPLE_OPERANDS];
} call;

/* Records the sample that tape, op, text and seed name. */
bool call_make(call *c);
/* Output c->output of the same call on other differentiable operands x; `user` is the call. */
wg_tensor call_again(const wg_tensor *x, void *user);
/* Is the jvp the vjp's transpose, *out = <u, J v> = <J' u, v> = *in? */
bool call_transposes(const call *c, double *out, double *in);

#endif
