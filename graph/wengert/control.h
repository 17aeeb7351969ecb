/* Wengert: control flow.
 *
 * A tape records what a C program does, so `if`, `for` and `while` are differentiable as they are. What is here takes
 * functions: to say a loop over an array in one line, to give up memory for time, to bring a derivative of your own, and to
 * differentiate what is defined by an equation and not by its steps. */
#ifndef WENGERT_CONTROL_H
#define WENGERT_CONTROL_H

#include "wengert/derivatives.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Functions ---------------------------------------------------------------------------------------------------
 * A body computes `out` from `in` by graph code; how many there are of each is said where it is handed over. It must do the
 * same each time it is called with the same inputs; random operations draw the same numbers again. It may use tensors that
 * are not among its inputs (parameters, as a rule): they get their gradient too, where nothing else is said.
 *
 *     static void layer(const wg_tensor *in, wg_tensor *out, void *user)
 *     {
 *         const model *m = user;
 *         out[0] = wg_tanh(wg_linear(in[0], m->weight, m->bias));
 *     } */
typedef void wg_body(const wg_tensor *in, wg_tensor *out, void *user);

typedef struct {
    void *user; /* handed to the functions; to live as long as what is recorded */
} wg_control_options;

/* ---- Less memory -------------------------------------------------------------------------------------------------
 * out = f(x), recorded as one node: what f computes on the way is not kept, but computed again when a derivative asks for
 * it. Checkpoints nest, and derivatives of any order pass through. (Griewank and Walther 2008, chapter 12) */
typedef wg_control_options wg_checkpoint_options;
#define wg_checkpoint_defaults .user = NULL
WG_API wg_status wg_checkpoint(wg_body *f, wg_tensors x, wg_tensor *out, int n_out, wg_checkpoint_options options);

/* ---- Choice and repetition --------------------------------------------------------------------------------------- */
/* out = f(x) where the one element of pred is not 0, else g(x). Only the one that is chosen runs. */
typedef wg_control_options wg_cond_options;
#define wg_cond_defaults .user = NULL
WG_API wg_status wg_cond(wg_tensor pred, wg_body *f, wg_body *g, wg_tensors x, wg_tensor *out, int n_out,
                         wg_cond_options options);

/* A loop along axis 0 of xs, one or several arrays of n rows (or none, for `length` rounds): f is given the carry and row i
 * of each of xs; it gives the next carry and any number of further results. out: the last carry, then each further result
 * of all rounds stacked along a new axis 0; n_out of them together. Each carry keeps its type. */
typedef struct {
    void *user;
    int64_t length;  /* rounds; left out, the rows of xs */
    bool reverse;    /* from the last row to the first; what is stacked stays in the order of the rows */
    bool checkpoint; /* each round is a wg_checkpoint: only the carries are kept */
} wg_scan_options;
#define wg_scan_defaults .length = WG_NO_INTEGER
WG_API wg_status wg_scan(wg_body *f, wg_tensors carry, wg_tensors xs, wg_tensor *out, int n_out, wg_scan_options options);

/* ---- A derivative of your own ------------------------------------------------------------------------------------
 * out = forward(x), whose derivative is not that of what forward records, but given by
 *   vjp: grad[i] = sum_k J_ki' g[k]     the cotangents of the inputs, from those of the outputs
 *   jvp: t_out[k] = sum_i J_ki t[i]     the tangents of the outputs, from those of the inputs
 * written as graph code over their arguments if they are to be differentiated again. Cotangents and tangents have the types
 * of what they belong to (WG_NONE where that is not a float); WG_NONE as a result is zero. Without a jvp it follows from vjp,
 * which is linear in g. A tensor that is not among x has no gradient here: one that could have is refused. */
typedef void wg_custom_vjp(const wg_tensor *in, const wg_tensor *out, const wg_tensor *g, wg_tensor *grad, void *user);
typedef void wg_custom_jvp(const wg_tensor *in, const wg_tensor *out, const wg_tensor *t, wg_tensor *t_out, void *user);
typedef struct {
    wg_custom_vjp *vjp;
    wg_custom_jvp *jvp;
    void *user;
} wg_custom_options;
#define wg_custom_defaults .user = NULL
WG_API wg_status wg_custom(wg_body *forward, wg_tensors x, wg_tensor *out, int n_out, wg_custom_options options);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
/* The inputs are written once: their tape is told the place of the call. */
static inline wg_tensors wg_here_among(wg_tensors list, const char *file, int line)
{
    wg_here_in(list.at, list.n, file, line);
    return list;
}
#ifdef WG_WITHOUT_PLACES
#define WG_HERE_AMONG(...) (__VA_ARGS__)
#else
#define WG_HERE_AMONG(...) wg_here_among(__VA_ARGS__, __FILE__, __LINE__)
#endif
#define wg_checkpoint(f, x, ...) WG_OPTIONS_BODY(wg_checkpoint, f, WG_HERE_AMONG(x), __VA_ARGS__, )
#define wg_custom(forward, x, ...) WG_OPTIONS_BODY(wg_custom, forward, WG_HERE_AMONG(x), __VA_ARGS__, )
#define WG_OPTIONS_BODY(name, f, x, out, n_out, ...)                                                                   \
    (name)(f, x, out, n_out, (name##_options){name##_defaults, __VA_ARGS__})
#define wg_cond(pred, ...) WG_OPTIONS_COND(WG_HERE_AT(pred), __VA_ARGS__, )
#define WG_OPTIONS_COND(pred, f, g, x, out, n_out, ...)                                                                \
    (wg_cond)(pred, f, g, x, out, n_out, (wg_cond_options){wg_cond_defaults, __VA_ARGS__})
#define wg_scan(f, carry, ...) WG_OPTIONS_SCAN(f, WG_HERE_AMONG(carry), __VA_ARGS__, )
#define WG_OPTIONS_SCAN(f, carry, xs, out, n_out, ...)                                                                 \
    (wg_scan)(f, carry, xs, out, n_out, (wg_scan_options){wg_scan_defaults, __VA_ARGS__})
#endif

#endif
