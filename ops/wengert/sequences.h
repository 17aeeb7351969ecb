/* Wengert: layers for sequences.
 *
 * Attention, positions, and recurrent networks: a cell makes one step, a sequence all of them. */
#ifndef WENGERT_SEQUENCES_H
#define WENGERT_SEQUENCES_H

#include "wengert/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Attention ---------------------------------------------------------------------------------------------------
 * y = softmax(scale q k' + mask) v, with q [..., L, E], k [..., S, E], v [..., S, V] and y [..., L, V]; leading axes
 * broadcast. The mask broadcasts to [..., L, S]: true says that a key takes part, numbers are added to the scores; it may be
 * absent, WG_NONE. With is_causal, row i sees keys 0 to i, also where L and S differ. A row in which no key takes part, or
 * all scores are -inf, is 0 with gradient 0. Weights are never held as a whole: y takes memory in proportion to L + S, the
 * gradient too, but for that of a mask of numbers and for derivatives that are recorded. */
typedef struct {
    bool is_causal;
    double scale; /* absent: 1 / sqrt(E) */
} wg_scaled_dot_product_attention_options;
#define wg_scaled_dot_product_attention_defaults .is_causal = false, .scale = WG_NO_REAL
/* wg_scaled_dot_product_attention(q, k, v, mask, .is_causal = true) */
WG_API wg_tensor wg_scaled_dot_product_attention(wg_tensor q, wg_tensor k, wg_tensor v, wg_tensor mask,
                                                 wg_scaled_dot_product_attention_options options);

/* ---- Positions ---------------------------------------------------------------------------------------------------
 * Rotary embedding: pair i of the D last entries of x [..., T, D], D even, is turned by the angle position base^(-2i/D). The
 * pairs are (i, i + D/2), or neighbours where interleaved. Positions are [T], integers or numbers of x's dtype, which have a
 * gradient; absent, WG_NONE: 0, 1, 2 ... */
typedef struct {
    double base; /* > 0 */
    bool interleaved;
} wg_rope_options;
#define wg_rope_defaults .base = 10000, .interleaved = false
WG_API wg_tensor wg_rope(wg_tensor x, wg_tensor positions, wg_rope_options options);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_scaled_dot_product_attention(q, k, v, ...)                                                                  \
    WG_AT(WG_OPTIONS4(wg_scaled_dot_product_attention, q, k, v, __VA_ARGS__, ))
#define wg_rope(x, ...) WG_AT(WG_OPTIONS2(wg_rope, x, __VA_ARGS__, ))
#endif

#endif
