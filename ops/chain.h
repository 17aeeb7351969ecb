/* Hidden operations of the chain rule itself. Private to the library. */
#ifndef OPS_CHAIN_H
#define OPS_CHAIN_H

#include "wengert/operation.h"

/* g times slope, and 0 where g is 0, whatever the slope (inf and NaN too). They broadcast. */
wg_tensor wg_strong_multiply(wg_tensor g, wg_tensor slope);
/* Was y made by it, and of what? */
bool wg_is_strong_product(wg_tensor y, wg_tensor *g, wg_tensor *slope);
/* That added to `sum`. */
wg_tensor wg_strong_multiply_add(wg_tensor g, wg_tensor slope, wg_tensor sum);
/* sum + y, as one operation, where y is zeros but for what was added to them at strides; else NONE. */
wg_tensor wg_strided_sum(wg_tensor sum, wg_tensor y);

#endif
