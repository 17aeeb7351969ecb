/* What was observed on a tape. Private to graph/. */
#ifndef GRAPH_OBSERVE_H
#define GRAPH_OBSERVE_H

#include "graph/statistics.h"

/* Of the backward pass: a node's adjoint is complete; a call was pulled back, which took so long. Only where
 * tape->observed is set. */
void wg_observe_adjoint(wg_tape *tape, uint32_t node, const void *values);
void wg_observe_backward(wg_tape *tape, uint32_t node, double seconds);

/* Are values to be measured when they are drawn? */
bool wg_observes_values(const wg_tape *tape);
/* Of a node's adjoint; NULL where none was kept. */
const wg_statistics *wg_observed_gradient(const wg_tape *tape, uint32_t node);
/* -1 where none was measured. */
void wg_observed_seconds(const wg_tape *tape, uint32_t node, double *forward, double *backward);

#endif
