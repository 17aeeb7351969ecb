/* Wengert: control flow.
 *
 * A tape records what a C program does, so `if`, `for` and `while` are differentiable as they are. What is here takes
 * functions: to say a loop over an array in one line, to give up memory for time, to bring a derivative of your own,
 * and to differentiate what is defined by an equation and not by its steps. */
#ifndef WENGERT_CONTROL_H
#define WENGERT_CONTROL_H

#include "wengert/derivatives.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Functions ---------------------------------------------------------------------------------------------------
 * A body computes `out` from `in` by graph code; how many there are of each is said where it is handed over. It must do
 * the same each time it is called with the same inputs; random operations draw the same numbers again. It may use
 * tensors that are not among its inputs (parameters, as a rule): they get their gradient too, where nothing else is
 * said.
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
 * out = f(x), recorded as one node: what f computes on the way is not kept, but computed again when a derivative asks
 * for it. Checkpoints nest, and derivatives of any order pass through. (Griewank and Walther 2008, chapter 12) */
typedef wg_control_options wg_checkpoint_options;
#define wg_checkpoint_defaults .user = NULL
WG_API wg_status wg_checkpoint(wg_body *f, wg_tensors x, wg_tensor *out, int n_out, wg_checkpoint_options options);

/* ---- Choice and repetition --------------------------------------------------------------------------------------- */
/* out = f(x) where the one element of pred is not 0, else g(x). Only the one that is chosen runs. */
typedef wg_control_options wg_cond_options;
#define wg_cond_defaults .user = NULL
WG_API wg_status wg_cond(wg_tensor pred, wg_body *f, wg_body *g, wg_tensors x, wg_tensor *out, int n_out,
                         wg_cond_options options);

/* A loop along axis 0 of xs, one or several arrays of n rows (or none, for `length` rounds): f is given the carry and
 * row i of each of xs; it gives the next carry and any number of further results. out: the last carry, then each
 * further result of all rounds stacked along a new axis 0; n_out of them together. Each carry keeps its type. */
enum {
    WG_SNAPSHOTS_EACH = -1, /* every carry: each round runs once more */
    WG_SNAPSHOTS_SQRT = -2, /* sqrt(2 n) of them: each round runs at most twice more */
    WG_SNAPSHOTS_LOG = -3   /* log2(n) of them: of a million rounds 20, and each runs at most 7 times more */
};
typedef struct {
    void *user;
    int64_t length;    /* rounds; left out, the rows of xs */
    bool reverse;      /* from the last row to the first; what is stacked stays in the order of the rows */
    int64_t snapshots; /* 0: the rounds are recorded. Else they are not, and at most so many carries are kept besides
                          the first; a derivative runs rounds again, in the binomial schedule, which runs the fewest. Or
                          one of the words above. (Griewank and Walther 2000, Algorithm 799) */
} wg_scan_options;
#define wg_scan_defaults .length = WG_NO_INTEGER
WG_API wg_status wg_scan(wg_body *f, wg_tensors carry, wg_tensors xs, wg_tensor *out, int n_out,
                         wg_scan_options options);

/* As long as the one element of cond(state) is not 0: state = body(state), each part of which keeps its type. out: the
 * last state, as many as there are in it. Every round is recorded, for derivatives in both modes; a loop that has not
 * ended after `most` rounds is WG_ERROR_NUMERIC. */
typedef struct {
    void *user; /* handed to both */
    int64_t most;
} wg_while_loop_options;
#define wg_while_loop_defaults .most = 1000000
WG_API wg_status wg_while_loop(wg_body *cond, wg_body *body, wg_tensors state, wg_tensor *out,
                               wg_while_loop_options options);

/* ---- Equations ---------------------------------------------------------------------------------------------------
 * What solves an equation is differentiated by what f uses (parameters, constants of the caller's) and not by the steps
 * that led there: the solution is found without being recorded; then two steps of Newton's method from it, which no
 * longer move it, are. Each such step doubles the order of the derivatives that are right, so those up to the third
 * are, in both modes. The start x0 has no influence, and no gradient. A dense system of as many equations as x has
 * elements is solved (by wg_solve, where it is more than one), and kept: for some hundreds. f computes out[0] of the
 * type of in[0].
 *
 * WG_ERROR_NUMERIC, with what is left over, where `most` rounds do not reach |step| <= tolerance (1 + |x|), in the
 * largest element. */
typedef struct {
    void *user;
    double tolerance; /* 0: 4 times the dtype's epsilon */
    int64_t most;
} wg_fixed_point_options, wg_root_options;
#define wg_fixed_point_defaults .most = 10000
#define wg_root_defaults .most = 100
/* x = f(x), by iterating f from x0. */
WG_API wg_tensor wg_fixed_point(wg_body *f, wg_tensor x0, wg_fixed_point_options options);
/* f(x) = 0, by Newton's method from x0, with steps that are halved while they lead further away. Where f is a recorded
 * gradient, x is an argmin. */
WG_API wg_tensor wg_root(wg_body *f, wg_tensor x0, wg_root_options options);

typedef enum {
    WG_DOPRI5 = 0, /* Dormand and Prince 1980, order 5 with an error estimate of order 4: steps as the tolerances ask */
    WG_RK4         /* the classical one of order 4: `steps` of them between two times */
} wg_ode_method;
typedef struct {
    void *user;
    wg_ode_method method;
    double rtol, atol;   /* of a step, DOPRI5: its root mean square error beside atol + rtol |y| */
    int64_t steps, most; /* RK4: between two times; DOPRI5: at most so many in all */
    bool continuous;     /* the gradient solves the adjoint equation, see below */
} wg_odeint_options;
#define wg_odeint_defaults .rtol = 1e-8, .atol = 1e-10, .steps = 1, .most = 100000
/* dy/dt = f(t, y) from y = y0 at t[0]: y at each of the times t (1-D, strictly increasing or decreasing), stacked along
 * a new axis 0; the first is y0. f computes out[0] = dy/dt from in[0] = t, 0-d, and in[1] = y. The steps that were
 * accepted are what is recorded: gradients, by y0, t and what f uses, are those of the numbers computed (the discrete
 * adjoint), of any order; how long the steps are is not differentiated. WG_ERROR_NUMERIC where `most` steps do not
 * suffice or y is no longer finite.
 *
 * With `continuous` no step is kept: the gradient is integrated from the last time back to the first, with the same
 * method and tolerances (the continuous adjoint). It takes the memory of one step however many there are, and is as
 * near to the derivative of the exact solution as these tolerances make it, which is not to all digits that of the
 * numbers computed. Forward mode and derivatives of derivatives go through the steps, recorded anew. */
WG_API wg_tensor wg_odeint(wg_body *f, wg_tensor y0, wg_tensor t, wg_odeint_options options);

/* ---- A derivative of your own ------------------------------------------------------------------------------------
 * out = forward(x), whose derivative is not that of what forward records, but given by
 *   vjp: grad[i] = sum_k J_ki' g[k]     the cotangents of the inputs, from those of the outputs
 *   jvp: t_out[k] = sum_i J_ki t[i]     the tangents of the outputs, from those of the inputs
 * written as graph code over their arguments if they are to be differentiated again. Cotangents and tangents have the
 * types of what they belong to (WG_NONE where that is not a float); WG_NONE as a result is zero. Without a jvp it
 * follows from vjp, which is linear in g. A tensor that is not among x has no gradient here: one that could have is
 * refused. */
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
#define wg_while_loop(cond, body, state, ...)                                                                          \
    WG_OPTIONS_WHILE(cond, body, WG_HERE_AMONG(state), __VA_ARGS__, )
#define WG_OPTIONS_WHILE(cond, body, state, out, ...)                                                                  \
    (wg_while_loop)(cond, body, state, out, (wg_while_loop_options){wg_while_loop_defaults, __VA_ARGS__})
#define wg_fixed_point(f, ...) WG_OPTIONS_EQUATION(wg_fixed_point, f, __VA_ARGS__, )
#define wg_root(f, ...) WG_OPTIONS_EQUATION(wg_root, f, __VA_ARGS__, )
#define WG_OPTIONS_EQUATION(name, f, x0, ...)                                                                          \
    WG_AT((name)(f, WG_HERE_AT(x0), (name##_options){name##_defaults, __VA_ARGS__}))
#define wg_odeint(f, y0, ...) WG_OPTIONS_ODEINT(f, y0, __VA_ARGS__, )
#define WG_OPTIONS_ODEINT(f, y0, t, ...)                                                                               \
    WG_AT((wg_odeint)(f, WG_HERE_AT((y0)), WG_HERE_AT((t)), (wg_odeint_options){wg_odeint_defaults, __VA_ARGS__}))
#define wg_scan(f, carry, ...) WG_OPTIONS_SCAN(f, WG_HERE_AMONG(carry), __VA_ARGS__, )
#define WG_OPTIONS_SCAN(f, carry, xs, out, n_out, ...)                                                                 \
    (wg_scan)(f, carry, xs, out, n_out, (wg_scan_options){wg_scan_defaults, __VA_ARGS__})
#endif

#endif
