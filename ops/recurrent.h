/* The rules that recurrent cells and sequences share. Private to ops/. */
#ifndef OPS_RECURRENT_H
#define OPS_RECURRENT_H

#include "ops/recurrent_kernels.h"

/* A call of any of them. Operands are x, h, then c where the cell has one, then weights and biases: their places. */
typedef struct {
    wg_cell cell;
    bool sequence; /* x is [steps, batch, in], else [batch, in] */
    int x, h, c, w_ih, w_hh, b_ih, b_hh; /* c: -1 where there is none */
    int64_t steps, batch, in, hidden, columns; /* columns: of the weights */
} wg_network;

wg_network wg_network_of(const wg_call *c, wg_cell cell);

/* As graph code: for vjp the cotangents of what x and h contribute to the gates, [steps batch, columns] both, then of h
 * and c; for jvp the tangents of y, and of the last h and c. */
void wg_recurrent_pull_recorded(const wg_call *c, const wg_network *n, wg_tensor shared[4]);
void wg_recurrent_push(const wg_call *c, const wg_network *n, wg_tensor shared[4]);
/* The outputs, step by step. */
void wg_recurrent_formula(const wg_call *c, const wg_network *n, wg_tensor *out);
/* Their C; that of recurrent_pull. */
wg_status wg_recurrent_c(const wg_call *c, wg_code *w, const wg_network *n);
wg_status wg_recurrent_pull_c(const wg_call *c, wg_code *w, wg_cell cell);
/* What h was before each step, [steps batch, hidden]. */
wg_tensor wg_recurrent_before(const wg_call *c, const wg_network *n);
/* x [..., n] as [rows, n]. */
wg_tensor wg_recurrent_rows(wg_tensor x, int64_t rows, int64_t n);

#endif
