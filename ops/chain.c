/* The chain rule's own product: cotangent times slope, where a zero cotangent stays zero whatever the slope is; by
 * itself, and added to what other paths brought. Recorded derivatives are made of it; plain ones have it inside the
 * kernels of wengert/map.h. */
#include "ops/chain.h"

#include "core/tape.h"
#include "wengert/map.h"

#define CHAIN(OP) OP(strong_multiply) OP(strong_multiply_add)
WG_CONTENTS(CHAIN)

WG_MAP2(strong_multiply, a == 0 ? 0 : a * b, b, a)
WG_OP(strong_multiply) = {
    .name = "strong_multiply",
    .doc = "y = a b, and 0 where a is 0, even if b is infinite or NaN",
    .in = {{"a", 0}, {"b", 0}},
    .map = &strong_multiply_map,
    .saves = "a b",
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[] []", "[0] [0]"},
    .neutral = 1,
    .neutral_in = 1,
    .hidden = true,
};
wg_tensor wg_strong_multiply(wg_tensor g, wg_tensor slope) { return WG_RECORD(strong_multiply, NULL, g, slope); }

bool wg_is_strong_product(wg_tensor y, wg_tensor *g, wg_tensor *slope)
{
    const wg_node *node = wg_is_tensor(y) ? wg_node_at(y.tape, y.node) : NULL;
    if (!node || node->op != &strong_multiply_op)
        return false;
    *g = wg_node_tensor(y.tape, wg_node_in(node)[0]);
    *slope = wg_node_tensor(y.tape, wg_node_in(node)[1]);
    return true;
}

WG_MAP3(strong_multiply_add, a == 0 ? c : a * b + c, b, a, 1)
WG_OP(strong_multiply_add) = {
    .name = "strong_multiply_add",
    .doc = "y = a b + c, and c where a is 0, even if b is infinite or NaN",
    .in = {{"a", 0}, {"b", 0}, {"c", 0}},
    .map = &strong_multiply_add_map,
    .saves = "a b",
    .samples = {"[2,3] [2,3] [2,3]", "[2,3] [3] [2,1]", "[] [] []", "[0] [0] [0]"},
    .hidden = true,
};
wg_tensor wg_strong_multiply_add(wg_tensor g, wg_tensor slope, wg_tensor sum)
{
    return WG_RECORD(strong_multiply_add, NULL, g, slope, sum);
}

WG_FAMILY(chain, CHAIN)
