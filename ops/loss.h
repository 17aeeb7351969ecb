/* What the files of losses share. Private to ops/. */
#ifndef OPS_LOSS_H
#define OPS_LOSS_H

#include "wengert/operation.h"

/* Does the loss reduce by "mean", "sum", "none", ...? The reduction is the first member of every loss's options. */
static inline bool wg_reduces_by(const wg_call *c, const char *how)
{
    const char *reduction = *(const char *const *)c->options;
    return !strcmp(reduction ? reduction : "mean", how);
}
static inline bool wg_is_reduced(const wg_call *c) { return !wg_reduces_by(c, "none"); }

/* The sum of n numbers, pairwise: the upper half onto the lower one, until one is left. */
static inline double wg_sum_folded(double *x, int64_t n)
{
    for (int64_t half; n > 1; n = half) {
        half = (n + 1) / 2;
        for (int64_t i = 0; i + half < n; i++)
            x[i] += x[i + half];
    }
    return n ? x[0] : 0;
}

#define WG_REDUCTION(f) WG_ATTR(f, reduction, .choices = {"mean", "sum", "none"})

#endif
