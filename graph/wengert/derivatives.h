/* Wengert: derivatives.
 *
 * One generic traversal of the tape, backward or forward, applies each operation's own chain rule. Derivatives are
 * tensors like any others; with `create_graph` they are recorded, and can be differentiated again. */
#ifndef WENGERT_DERIVATIVES_H
#define WENGERT_DERIVATIVES_H

#include "wengert/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Reverse mode ------------------------------------------------------------------------------------------------
 * From one output to all inputs, at a small multiple of the cost of the function itself (Linnainmaa 1970). */

/* Adds d loss / d p to the gradient of every parameter p that `loss`, a one-element float tensor, depends on; see
 * wg_grad_of and wg_zero_grad. A training loop's call: wg_step takes the gradients and zeroes them. */
WG_API wg_status wg_backward(wg_tensor loss);

typedef enum {
    WG_UNUSED_ZEROS = 0, /* the gradient of an input that y does not depend on is zero */
    WG_UNUSED_ERROR      /* ... is an error that names the input */
} wg_unused;

typedef struct {
    bool create_graph;   /* record the derivative, so that it can be differentiated in turn */
    bool record;         /* record it to be compiled, not to be differentiated: fewer and faster operations */
    wg_unused unused;
    wg_tensor cotangent; /* of y; absent: ones, and y then has one element */
} wg_grad_options;
#define wg_grad_defaults .create_graph = false
/* out[i] = d y / d xs[i], of xs[i]'s type: the cotangent pulled back. xs may be any tensors on the tape, intermediate
 * ones too. An xs[i] that is not a float tensor is an error. */
WG_API wg_status wg_grad(wg_tensor y, const wg_tensor *xs, int n, wg_tensor *out, wg_grad_options options);

typedef struct {
    bool create_graph, record;
    wg_unused unused;
} wg_vjp_options;
#define wg_vjp_defaults .create_graph = false
/* Vector-Jacobian product: out[i] = sum_k J_ki' cotangents[k] over several outputs at once. An absent cotangent is
 * zero. out[i] is WG_NONE where xs[i] is not a float tensor. */
WG_API wg_status wg_vjp(const wg_tensor *ys, const wg_tensor *cotangents, int n_ys, const wg_tensor *xs, int n,
                        wg_tensor *out, wg_vjp_options options);

/* ---- Forward mode ------------------------------------------------------------------------------------------------
 * From the inputs to the outputs, along one direction; recorded unless in WG_NO_GRAD, so that it can be
 * differentiated. */
/* Jacobian-vector product: out[k] = sum_i J_ki tangents[i]. An absent tangent is zero; out[k] is WG_NONE where ys[k] is
 * not a float tensor, and zeros where it depends on none of xs. */
WG_API wg_status wg_jvp(const wg_tensor *ys, int n_ys, const wg_tensor *xs, const wg_tensor *tangents, int n,
                        wg_tensor *out);

/* ---- Looking at gradients on their way, and changing them -------------------------------------------------------- */
/* Called with the gradient of x when a backward pass comes by. Gives what goes on instead, of g's type, or WG_NONE for
 * g itself. It may use any operations; they are recorded where the derivative is. Handles made in a pass that is not
 * recorded are gone when it returns. */
typedef wg_tensor wg_gradient_hook(void *user, wg_tensor g);
/* y = x, and `hook` sees the gradient that all uses of y together send to x. Not called where that is zero. */
WG_API wg_tensor wg_on_gradient(wg_tensor x, wg_gradient_hook *hook, void *user);
/* y = value, and the gradient goes to `through`, of the same type, as if y were that: rounded and quantised numbers
 * trained by the numbers they came from (Bengio et al. 2013). */
WG_API wg_tensor wg_straight_through(wg_tensor value, wg_tensor through);
/* Bytes of the values that the chain rule of the operation which made y reads: operands, results, and what it saved for
 * that; 0 of a leaf. A value that several operations read counts for each. */
WG_API size_t wg_saved_bytes(wg_tensor y);

/* ---- Second derivatives ------------------------------------------------------------------------------------------ */
typedef struct {
    bool reverse; /* reverse over reverse instead of forward over reverse */
} wg_hvp_options;
#define wg_hvp_defaults .reverse = false
/* Hessian-vector product: out[i] = sum_j (d^2 y / d xs[i] d xs[j]) vs[j] for a one-element y, without the Hessian
 * (Pearlmutter 1994). It is recorded, and can be differentiated again. An absent vs[j] is zero. */
WG_API wg_status wg_hvp(wg_tensor y, const wg_tensor *xs, const wg_tensor *vs, int n, wg_tensor *out,
                        wg_hvp_options options);

/* ---- Whole matrices ----------------------------------------------------------------------------------------------
 * For sparse ones see wengert/sparse.h. They nest, with each other and with all of the above, to any depth. */
typedef enum {
    WG_BY_FEWER = 0, /* rows or columns, whichever are fewer */
    WG_BY_ROWS,      /* a backward pass for each element of the outputs */
    WG_BY_COLUMNS    /* a forward pass for each element of the inputs */
} wg_matrix_by;

typedef struct {
    bool create_graph;
    wg_unused unused;
    wg_matrix_by by;
} wg_jacobian_options;
#define wg_jacobian_defaults .create_graph = false
/* out[k * n + i] = d ys[k] / d xs[i], of ys[k]'s shape followed by xs[i]'s. xs may be any tensors on the tape. All of
 * one float dtype. Twelve rows or more of small tensors are pulled back together, along one more axis, operation by
 * operation: elementwise ones, sums, products, views and what else says so in its entry (.lanes); others row by row. */
WG_API wg_status wg_jacobian(const wg_tensor *ys, int n_ys, const wg_tensor *xs, int n, wg_tensor *out,
                             wg_jacobian_options options);

typedef struct {
    bool create_graph;
    wg_unused unused;
    wg_matrix_by by; /* BY_FEWER: forward over reverse. BY_ROWS: reverse over reverse */
} wg_hessian_options;
#define wg_hessian_defaults .create_graph = false
/* out[i * n + j] = d^2 y / d xs[i] d xs[j] of a one-element y, of xs[i]'s shape followed by xs[j]'s. */
WG_API wg_status wg_hessian(wg_tensor y, const wg_tensor *xs, int n, wg_tensor *out, wg_hessian_options options);

typedef struct {
    bool create_graph;
} wg_laplacian_options;
#define wg_laplacian_defaults .create_graph = false
/* The trace of the Hessian, 0-d: a Hessian-vector product for each element of xs, the Hessian never being held. */
WG_API wg_tensor wg_laplacian(wg_tensor y, const wg_tensor *xs, int n, wg_laplacian_options options);

/* ---- Taylor coefficients ----------------------------------------------------------------------------------------- */
/* out[k] = 1 / k! d^k y / d s^k at s = 0, for k = 0 ... order, as x moves by s times `direction` (absent: ones): y, the
 * derivative along the path, half the second one. For a curved path make x the path's own parameter, a 0-d tensor.
 * Forward passes, nested: the cost grows by a factor with each order. Recorded, and can be differentiated again. */
WG_API wg_status wg_taylor(wg_tensor y, wg_tensor x, wg_tensor direction, int order, wg_tensor *out);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_backward(loss) (wg_backward)(WG_HERE_AT(loss))
#define wg_grad(y, ...) WG_OPTIONS4(wg_grad, WG_HERE_AT(y), __VA_ARGS__, )
#define wg_hvp(y, ...) WG_OPTIONS5(wg_hvp, WG_HERE_AT(y), __VA_ARGS__, )
#define wg_vjp(...) WG_OPTIONS_VJP(__VA_ARGS__, )
#define WG_OPTIONS_VJP(ys, cotangents, n_ys, xs, n, out, ...)                                                          \
    WG_CALL_ON(WG_VJP_TURNED, ys, n_ys, cotangents, xs, n, out, (wg_vjp_options){wg_vjp_defaults, __VA_ARGS__})
#define WG_VJP_TURNED(ys, n_ys, cotangents, ...) (wg_vjp)(ys, cotangents, n_ys, __VA_ARGS__)
#define wg_jvp(...) WG_OPTIONS_JVP(__VA_ARGS__)
#define WG_OPTIONS_JVP(ys, n_ys, ...) WG_CALL_ON((wg_jvp), ys, n_ys, __VA_ARGS__)
#define wg_on_gradient(x, ...) WG_AT((wg_on_gradient)(x, __VA_ARGS__))
#define wg_straight_through(value, through) WG_AT((wg_straight_through)(value, through))
#define wg_saved_bytes(y) (wg_saved_bytes)(WG_HERE_AT(y))
#define wg_jacobian(...) WG_OPTIONS_JACOBIAN(__VA_ARGS__, )
#define WG_OPTIONS_JACOBIAN(ys, n_ys, xs, n, out, ...)                                                                 \
    WG_CALL_ON((wg_jacobian), ys, n_ys, xs, n, out, (wg_jacobian_options){wg_jacobian_defaults, __VA_ARGS__})
#define wg_hessian(y, ...) WG_OPTIONS4(wg_hessian, WG_HERE_AT(y), __VA_ARGS__, )
#define wg_laplacian(y, ...) WG_AT(WG_OPTIONS3(wg_laplacian, WG_HERE_AT(y), __VA_ARGS__, ))
/* Of y, x and the direction, whichever is evaluated last says where the call is. */
#define wg_taylor(y, x, direction, ...)                                                                                \
    (wg_taylor)(WG_HERE_AT((y)), WG_HERE_AT((x)), WG_HERE_AT((direction)), __VA_ARGS__)
#endif

#endif
