/* Recurrent cells over a sequence, forward and backward. Private to ops/. */
#ifndef OPS_RECURRENT_KERNELS_H
#define OPS_RECURRENT_KERNELS_H

#include "wengert/operation.h"

typedef enum { WG_CELL_TANH, WG_CELL_RELU, WG_CELL_LSTM, WG_CELL_GRU } wg_cell;

/* Columns of the weights, and of the pre-activations that are saved, in units of the hidden size. A GRU's new gate has
 * two: what the input gives it, and what the hidden state does, which the reset gate multiplies. */
static inline int64_t wg_cell_columns(wg_cell cell) { return cell == WG_CELL_LSTM ? 4 : cell == WG_CELL_GRU ? 3 : 1; }
static inline int64_t wg_cell_width(wg_cell cell) { return cell >= WG_CELL_LSTM ? 4 : 1; }

/* x [steps, batch, in], h and c [batch, hidden], weights [in or hidden, columns hidden], biases [columns hidden] or
 * NULL. */
typedef struct {
    wg_dtype dtype;
    wg_cell cell;
    int64_t steps, batch, in, hidden;
    const void *x, *h, *c, *w_ih, *w_hh, *b_ih, *b_hh;
} wg_recurrent;

/* a [steps, batch, width hidden], the gates before their activations: of an LSTM input, forget, cell, output, of a GRU
 * reset, update, new by h, new by x. y [steps, batch, hidden] is every h, cells every c (LSTM only). */
wg_status wg_recurrent_run(const wg_call *c, const wg_recurrent *r, void *a, void *y, void *cells);

/* The way back: `states` is y of a GRU, cells of an LSTM, `state` what was before them. */
typedef struct {
    wg_dtype dtype;
    wg_cell cell;
    int64_t steps, batch, hidden;
    const void *a, *w_hh, *state, *states;
    const void *gy, *gh, *gc; /* cotangents of y, of the last h and of the last c; NULL: zero */
} wg_recurrent_back;

/* da of a's shape, dh and dc [batch, hidden], the cotangents of the first h and c. Of a cell without c, dc is room. */
wg_status wg_recurrent_pull(const wg_call *c, const wg_recurrent_back *r, void *da, void *dh, void *dc);

#endif
