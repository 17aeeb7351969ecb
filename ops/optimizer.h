/* Steps of optimisers: one pass over the parameter, its moments and its gradient, in place. Private to the library. */
#ifndef OPS_OPTIMIZER_H
#define OPS_OPTIMIZER_H

#include "wengert/operation.h"

/* Tensors of one float type; param and moments, contiguous leaves, are written over. With w = weight_decay: */
typedef struct {
    double lr, momentum, weight_decay;
    bool nesterov;
} wg_sgd_step_options;
#define wg_sgd_step_defaults .lr = 1e-2
/* g = grad + w param; velocity = momentum velocity + g; param -= lr velocity, or lr (g + momentum velocity) with
 * nesterov. Without velocity (WG_NONE) there is no momentum: param -= lr g. */
wg_status wg_sgd_step(wg_tensor param, wg_tensor velocity, wg_tensor grad, wg_sgd_step_options options);

typedef struct {
    double lr, beta1, beta2, eps, weight_decay;
    double correction1, correction2; /* 1 - beta1^t and 1 - beta2^t at step t = 1, 2, ... */
    bool decoupled;                  /* the decay apart from the gradient: AdamW */
} wg_adam_step_options;
#define wg_adam_step_defaults                                                                                          \
    .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .correction1 = 1, .correction2 = 1
/* g = grad + w param, or decoupled param -= lr w param and g = grad; m = beta1 m + (1 - beta1) g;
 * v = beta2 v + (1 - beta2) g^2; param -= lr (m / correction1) / (sqrt(v / correction2) + eps). */
wg_status wg_adam_step(wg_tensor param, wg_tensor m, wg_tensor v, wg_tensor grad, wg_adam_step_options options);

typedef struct {
    double lr, alpha, eps, momentum, weight_decay;
} wg_rmsprop_step_options;
#define wg_rmsprop_step_defaults .lr = 1e-2, .alpha = 0.99, .eps = 1e-8
/* g = grad + w param; square = alpha square + (1 - alpha) g^2; d = g / (sqrt(square) + eps); velocity = momentum
 * velocity + d; param -= lr velocity. Without velocity (WG_NONE): param -= lr d. */
wg_status wg_rmsprop_step(wg_tensor param, wg_tensor square, wg_tensor velocity, wg_tensor grad,
                          wg_rmsprop_step_options options);

#endif
