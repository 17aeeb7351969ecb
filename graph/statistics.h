/* What can be said of many numbers in a few. Private to graph/. */
#ifndef GRAPH_STATISTICS_H
#define GRAPH_STATISTICS_H

#include "core/tape.h"

#define WG_BINS 25 /* odd: zero is in the middle of one */

typedef struct {
    int64_t n, zeros, nan, infinite;
    double norm;                       /* 2-norm: infinite or NaN where an element is */
    double mean, deviation, low, high; /* of the finite elements; all 0 where none is */
    int64_t bin[WG_BINS];              /* of the finite elements, between plus and minus the largest magnitude */
} wg_statistics;

/* Of a node's elements, in two passes over them. */
void wg_measure(const wg_node *node, wg_statistics *s);
/* Of n contiguous elements. */
void wg_measure_values(wg_dtype dtype, const void *data, int64_t n, wg_statistics *s);

#endif
