/* Hidden operations of the chain rule itself. Private to the library. */
#ifndef OPS_CHAIN_H
#define OPS_CHAIN_H

#include "wengert/operation.h"

/* g times slope, and 0 where g is 0, whatever the slope (inf and NaN too). They broadcast. */
wg_tensor wg_strong_multiply(wg_tensor g, wg_tensor slope);

#endif
