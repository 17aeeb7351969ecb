/* Many values of one tensor at once. Private to graph/. */
#ifndef GRAPH_BATCH_H
#define GRAPH_BATCH_H

#include "core/tape.h"

/* What ys, recorded up to node `high` from x, would be for each of x's values in lanes [n, x's shape]: out[k] is [n,
 * ys[k]'s shape], or WG_NONE where ys[k] does not depend on x. */
wg_status wg_batched(wg_tensor x, wg_tensor lanes, uint32_t high, const wg_tensor *ys, int n_ys, wg_tensor *out);

#endif
