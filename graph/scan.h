/* A loop over rows, in the form that both ways of running it share. Private to graph/. */
#ifndef GRAPH_SCAN_H
#define GRAPH_SCAN_H

#include "graph/closure.h"

typedef struct {
    wg_tape *tape;
    wg_body *f;
    void *user;
    int n_carry, n_xs, n_out;
    int64_t n; /* rounds */
    bool reverse;
    int64_t snapshots; /* carries that are kept besides the first; 0: every round is recorded */
} wg_rounds;

static inline int64_t wg_round_row(const wg_rounds *r, int64_t round) { return r->reverse ? r->n - 1 - round : round; }
/* Row `row` of each of xs, behind the carries in `in`. */
void wg_round_rows(const wg_rounds *r, const wg_tensor *xs, int64_t row, wg_tensor *in);

/* ---- scan_again.c ---- */
/* The loop as one node whose rounds run again for a derivative. n > 0. */
wg_status wg_scan_again(const wg_rounds *r, const wg_tensor *carry, const wg_tensor *xs, wg_tensor *out);
/* The rounds of such a node; 0: it is none. */
int64_t wg_scan_count(const wg_node *node);
/* The step, in [1, length), at which to keep the next carry, where `length` > 1 rounds are to be gone through backwards
 * from one carry that is kept and `free` > 0 more can be. */
int64_t wg_snapshot_at(int64_t length, int64_t free);

#endif
