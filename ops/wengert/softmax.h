/* Wengert: softmax.
 *
 * Weights that are positive and sum to 1 along an axis, and their logarithms. Both are found from distances to the
 * largest entry, so that nothing overflows. A -inf among numbers has weight 0; where all are -inf the weights are
 * NaN. */
#ifndef WENGERT_SOFTMAX_H
#define WENGERT_SOFTMAX_H

#include "wengert/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int axis;
} wg_softmax_options, wg_log_softmax_options, wg_softmin_options;
#define wg_softmax_defaults .axis = -1
#define wg_log_softmax_defaults .axis = -1
#define wg_softmin_defaults .axis = -1
WG_API wg_tensor wg_softmax(wg_tensor x, wg_softmax_options options);         /* exp(x) / sum(exp(x)) */
WG_API wg_tensor wg_log_softmax(wg_tensor x, wg_log_softmax_options options); /* x - log(sum(exp(x))) */
WG_API wg_tensor wg_softmin(wg_tensor x, wg_softmin_options options);         /* softmax(-x) */

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_softmax(...) WG_AT(WG_OPTIONS1(wg_softmax, __VA_ARGS__, ))
#define wg_log_softmax(...) WG_AT(WG_OPTIONS1(wg_log_softmax, __VA_ARGS__, ))
#define wg_softmin(...) WG_AT(WG_OPTIONS1(wg_softmin, __VA_ARGS__, ))
#endif

#endif
