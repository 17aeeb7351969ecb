/* How a request's arrays lie in memory on the tape: the same values, other strides. */
#ifndef TOOLS_PLACE_H
#define TOOLS_PLACE_H

#include "json_tensor.h"

typedef enum {
    LAYOUT_CONTIGUOUS, /* row-major */
    LAYOUT_STRIDED,    /* a view: axes reversed in memory, every second element of the last one */
    LAYOUT_BROADCAST   /* stride 0 along the axes whose entries repeat */
} layout;

/* The array as a tensor of the tape; a tensor that is invalid, or WG_NONE, with the error on the tape. a->data may
 * change. *leaf is what holds the values, of which it may be a view. */
wg_tensor placed(wg_tape *tape, array *a, layout how, wg_tensor *leaf);

#endif
