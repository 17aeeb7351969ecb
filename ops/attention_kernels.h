/* Scaled dot-product attention in blocks, forward and backward. Private to ops/. */
#ifndef OPS_ATTENTION_KERNELS_H
#define OPS_ATTENTION_KERNELS_H

#include "wengert/operation.h"

/* Sizes and places of `batch` heads: q [rows, width], k [keys, width], v [keys, depth]. Head b of an operand begins at
 * its at[b], in elements. The mask of row i and key j is at[b] + i mask_row + j mask_column. */
typedef struct {
    wg_dtype dtype;
    int64_t batch, rows, keys, width, depth;
    double scale;
    bool causal;
    const void *q, *k, *v, *mask; /* mask NULL: none */
    bool mask_is_bool;
    const int64_t *q_at, *k_at, *v_at, *mask_at;
    int64_t mask_row, mask_column;
} wg_attention;

/* y [batch, rows, depth], and of each row two numbers, statistics [batch, rows, 2]: the largest score and the
 * reciprocal of the sum of exp(score - largest). Both are 0 where no key takes part. */
wg_status wg_attention_run(const wg_call *c, const wg_attention *a, void *y, void *statistics);
/* dq [batch, rows, width], dk [batch, keys, width] and dv [batch, keys, depth] from y's cotangent g. */
wg_status wg_attention_pull(const wg_call *c, const wg_attention *a, const void *y, const void *statistics,
                            const void *g, void *dq, void *dk, void *dv);

#endif
