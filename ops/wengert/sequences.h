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
 * broadcast. The mask broadcasts to [..., L, S]: true says that a key takes part, numbers are added to the scores; it
 * may be absent, WG_NONE. With is_causal, row i sees keys 0 to i, also where L and S differ. A row in which no key
 * takes part, or all scores are -inf, is 0 with gradient 0. Weights are never held as a whole: y takes memory in
 * proportion to L + S, the gradient too, but for that of a mask of numbers and for derivatives that are recorded. */
typedef struct {
    bool is_causal;
    double scale; /* absent: 1 / sqrt(E) */
} wg_scaled_dot_product_attention_options;
#define wg_scaled_dot_product_attention_defaults .is_causal = false, .scale = WG_NO_REAL
/* wg_scaled_dot_product_attention(q, k, v, mask, .is_causal = true) */
WG_API wg_tensor wg_scaled_dot_product_attention(wg_tensor q, wg_tensor k, wg_tensor v, wg_tensor mask,
                                                 wg_scaled_dot_product_attention_options options);

/* ---- Positions ---------------------------------------------------------------------------------------------------
 * Rotary embedding: pair i of the D last entries of x [..., T, D], D even, is turned by the angle position
 * base^(-2i/D). The pairs are (i, i + D/2), or neighbours where interleaved. Positions are [T], integers or numbers of
 * x's dtype, which have a gradient; absent, WG_NONE: 0, 1, 2 ... */
typedef struct {
    double base; /* > 0 */
    bool interleaved;
} wg_rope_options;
#define wg_rope_defaults .base = 10000, .interleaved = false
WG_API wg_tensor wg_rope(wg_tensor x, wg_tensor positions, wg_rope_options options);

/* ---- Recurrent networks ------------------------------------------------------------------------------------------
 * A cell takes x [N, I] and a state to the next state; weights are w_ih [I, nH] and w_hh [H, nH], biases b_ih and b_hh
 * [nH] or absent, WG_NONE. Over a sequence x [T, N, I] it makes every h, y [T, N, H], and the last state; with T = 0
 * that is the first. */
/* h [N, H] = tanh(x w_ih + b_ih + h w_hh + b_hh), or relu of it, whose derivative at 0 is 0. */
typedef struct {
    const char *nonlinearity; /* "tanh", "relu" */
} wg_rnn_cell_options, wg_rnn_options;
#define wg_rnn_cell_defaults .nonlinearity = "tanh"
#define wg_rnn_defaults .nonlinearity = "tanh"
WG_API wg_tensor wg_rnn_cell(wg_tensor x, wg_tensor h, wg_tensor w_ih, wg_tensor w_hh, wg_tensor b_ih, wg_tensor b_hh,
                             wg_rnn_cell_options options);
typedef struct {
    wg_tensor y, h;
} wg_rnn_result, wg_gru_result;
WG_API wg_rnn_result wg_rnn(wg_tensor x, wg_tensor h, wg_tensor w_ih, wg_tensor w_hh, wg_tensor b_ih, wg_tensor b_hh,
                            wg_rnn_options options);
/* c = sigmoid(f) c + sigmoid(i) tanh(g) and h = sigmoid(o) tanh(c), where the gates i, f, g, o, in this order, are the
 * n = 4 parts of x w_ih + b_ih + h w_hh + b_hh. */
typedef struct {
    wg_tensor h, c;
} wg_lstm_cell_result;
WG_API wg_lstm_cell_result wg_lstm_cell(wg_tensor x, wg_tensor h, wg_tensor c, wg_tensor w_ih, wg_tensor w_hh,
                                        wg_tensor b_ih, wg_tensor b_hh);
typedef struct {
    wg_tensor y, h, c;
} wg_lstm_result;
WG_API wg_lstm_result wg_lstm(wg_tensor x, wg_tensor h, wg_tensor c, wg_tensor w_ih, wg_tensor w_hh, wg_tensor b_ih,
                              wg_tensor b_hh);
/* h = (1 - z) n + z h, with n = 3 gates in the order r, z, n: r and z are the sigmoids of their parts of x w_ih + b_ih
 * + h w_hh + b_hh, and n = tanh(its part of x w_ih + b_ih, plus r times its part of h w_hh + b_hh). */
WG_API wg_tensor wg_gru_cell(wg_tensor x, wg_tensor h, wg_tensor w_ih, wg_tensor w_hh, wg_tensor b_ih, wg_tensor b_hh);
WG_API wg_gru_result wg_gru(wg_tensor x, wg_tensor h, wg_tensor w_ih, wg_tensor w_hh, wg_tensor b_ih, wg_tensor b_hh);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_scaled_dot_product_attention(q, k, v, ...)                                                                  \
    WG_AT(WG_OPTIONS4(wg_scaled_dot_product_attention, q, k, v, __VA_ARGS__, ))
#define wg_rope(x, ...) WG_AT(WG_OPTIONS2(wg_rope, x, __VA_ARGS__, ))
#define wg_rnn_cell(x, h, w_ih, w_hh, b_ih, ...)                                                                       \
    WG_AT(WG_OPTIONS6(wg_rnn_cell, x, h, w_ih, w_hh, b_ih, __VA_ARGS__, ))
#define wg_rnn(x, h, w_ih, w_hh, b_ih, ...) WG_OPTIONS6(wg_rnn, WG_HERE_AT(x), h, w_ih, w_hh, b_ih, __VA_ARGS__, )
#define wg_lstm_cell(x, ...) (wg_lstm_cell)(WG_HERE_AT(x), __VA_ARGS__)
#define wg_lstm(x, ...) (wg_lstm)(WG_HERE_AT(x), __VA_ARGS__)
#define wg_gru_cell(x, ...) WG_AT((wg_gru_cell)(x, __VA_ARGS__))
#define wg_gru(x, ...) (wg_gru)(WG_HERE_AT(x), __VA_ARGS__)
#endif

#endif
