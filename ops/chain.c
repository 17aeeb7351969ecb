/* The chain rule's own product: cotangent times slope, where a zero cotangent stays zero whatever the slope is.
 * Recorded derivatives are made of it; plain ones have it inside the kernels of wengert/map.h. */
#include "ops/chain.h"

#include "wengert/map.h"

#define CHAIN(OP) OP(strong_multiply)
WG_CONTENTS(CHAIN)

WG_MAP2(strong_multiply, a == 0 ? 0 : a * b, b, a)
WG_OP(strong_multiply) = {
    .name = "strong_multiply",
    .doc = "y = a b, and 0 where a is 0, even if b is infinite or NaN",
    .in = {{"a", 0}, {"b", 0}},
    .map = &strong_multiply_map,
    .saves = "a b",
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[] []", "[0] [0]"},
    .hidden = true,
};
wg_tensor wg_strong_multiply(wg_tensor g, wg_tensor slope) { return WG_RECORD(strong_multiply, NULL, g, slope); }

WG_FAMILY(chain, CHAIN)
