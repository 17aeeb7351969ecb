/* Wengert: training.
 *
 * An optimiser changes parameters in place by the gradients that wg_backward has accumulated into them, and takes those
 * gradients: after wg_step they are zero again. Its moments are leaves of the tape, so make it before the mark that the
 * training loop rewinds to. */
#ifndef WENGERT_TRAINING_H
#define WENGERT_TRAINING_H

#include "wengert/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Optimisers --------------------------------------------------------------------------------------------------
 * Each takes n parameters, whose handles are copied; frozen ones are left out. The optimiser belongs to the tape. NULL,
 * and the error on the tape, where it could not be made. */
typedef struct wg_optimizer wg_optimizer;

typedef struct {
    double lr;           /* learning rate, >= 0 */
    double momentum;     /* in [0, 1): v = momentum v + g */
    bool nesterov;       /* step along g + momentum v instead of v (Sutskever et al. 2013) */
    double weight_decay; /* adds weight_decay p to g */
} wg_sgd_options;
#define wg_sgd_defaults .lr = 1e-2
/* Gradient descent: p = p - lr v. */
WG_API wg_optimizer *wg_sgd(const wg_tensor *params, int n, wg_sgd_options options);

typedef struct {
    double lr, beta1, beta2, eps;
    double weight_decay; /* adds weight_decay p to g */
} wg_adam_options;
#define wg_adam_defaults .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8
/* Adam (Kingma and Ba 2015, algorithm 1): m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2,
 * p = p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps). */
WG_API wg_optimizer *wg_adam(const wg_tensor *params, int n, wg_adam_options options);

typedef struct {
    double lr, beta1, beta2, eps;
    double weight_decay; /* p shrinks by the factor 1 - lr weight_decay, apart from the gradient */
} wg_adamw_options;
#define wg_adamw_defaults .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 1e-2
/* Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2). */
WG_API wg_optimizer *wg_adamw(const wg_tensor *params, int n, wg_adamw_options options);

typedef struct {
    double lr, alpha, eps;
    double momentum, weight_decay;
} wg_rmsprop_options;
#define wg_rmsprop_defaults .lr = 1e-2, .alpha = 0.99, .eps = 1e-8
/* RMSProp (Tieleman and Hinton 2012): s = alpha s + (1 - alpha) g^2, p = p - lr g / (sqrt(s) + eps), the quotient
 * through momentum where there is one. */
WG_API wg_optimizer *wg_rmsprop(const wg_tensor *params, int n, wg_rmsprop_options options);

/* One step: every parameter with an accumulated gradient moves, and its gradient is taken. A parameter without one
 * stays as it is. On a tape that has failed nothing moves. */
WG_API wg_status wg_step(wg_optimizer *optimizer);
/* Zeroes the gradients without a step. */
WG_API void wg_zero_grads(wg_optimizer *optimizer);
/* The learning rate of the next step; negative or not finite ones are an error. */
WG_API wg_status wg_set_lr(wg_optimizer *optimizer, double lr);
WG_API double wg_lr(const wg_optimizer *optimizer);
/* Steps done so far, which bias corrections count. */
WG_API int64_t wg_steps(const wg_optimizer *optimizer);
/* What has to be kept to go on later with the same bits: named leaves, moments and a step count, for wg_save and
 * wg_load. Writes at most `most` of them to out; returns how many there are. */
WG_API int wg_optimizer_state(wg_optimizer *optimizer, wg_tensor *out, int most);

/* ---- Clipping ----------------------------------------------------------------------------------------------------
 * Between wg_backward and wg_step. */
/* The 2-norm of all gradients together; where it is above max_norm they are scaled down to it. NaN where one is NaN or
 * infinite, and then nothing is scaled. */
WG_API double wg_clip_grad_norm(const wg_tensor *params, int n, double max_norm);
/* Brings every element of the gradients into [-limit, limit]. */
WG_API wg_status wg_clip_grad_value(const wg_tensor *params, int n, double limit);

/* ---- Learning-rate schedules -------------------------------------------------------------------------------------
 * Factors for the base rate at step t, counted from 0: wg_set_lr(adam, 1e-3 * wg_schedule_cosine(t, steps, warmup)). */
/* factor^(t / every), the quotient rounded down. */
WG_API double wg_schedule_step(int64_t t, int64_t every, double factor);
/* factor^t. */
WG_API double wg_schedule_exponential(int64_t t, double factor);
/* Up linearly over the first `warmup` steps, then down linearly to 0 at `steps`. */
WG_API double wg_schedule_linear(int64_t t, int64_t steps, int64_t warmup);
/* Up linearly over the first `warmup` steps, then half a cosine down to 0 at `steps` (Loshchilov and Hutter 2017, eq.
 * 5). */
WG_API double wg_schedule_cosine(int64_t t, int64_t steps, int64_t warmup);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
WG_API wg_optimizer *wg_here_with(wg_optimizer *optimizer, const char *file, int line);
#ifdef WG_WITHOUT_PLACES
#define WG_HERE_WITH(optimizer) (optimizer)
#else
#define WG_HERE_WITH(optimizer) wg_here_with(optimizer, __FILE__, __LINE__)
#endif

#ifndef __cplusplus
#define wg_sgd(...) WG_OPTIMIZER(wg_sgd, __VA_ARGS__, )
#define wg_adam(...) WG_OPTIMIZER(wg_adam, __VA_ARGS__, )
#define wg_adamw(...) WG_OPTIMIZER(wg_adamw, __VA_ARGS__, )
#define wg_rmsprop(...) WG_OPTIMIZER(wg_rmsprop, __VA_ARGS__, )
#define WG_OPTIMIZER(f, params, n, ...) WG_CALL_ON((f), params, n, (f##_options){f##_defaults, __VA_ARGS__})
#define wg_step(optimizer) (wg_step)(WG_HERE_WITH(optimizer))
#define wg_set_lr(optimizer, lr) (wg_set_lr)(WG_HERE_WITH(optimizer), lr)
#define wg_clip_grad_norm(params, n, max_norm) WG_CALL_ON((wg_clip_grad_norm), params, n, max_norm)
#define wg_clip_grad_value(params, n, limit) WG_CALL_ON((wg_clip_grad_value), params, n, limit)
#endif

#endif
