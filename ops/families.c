/* The families of built-in operations, in the order of the contract. */
#include "core/tape.h"

#define FAMILIES(FAMILY)                                                                                               \
    FAMILY(unary) FAMILY(trigonometric) FAMILY(activation) FAMILY(special) FAMILY(binary) FAMILY(compare)              \
    FAMILY(select) FAMILY(view) FAMILY(join) FAMILY(rearrange) FAMILY(triangle) FAMILY(window) FAMILY(products)        \
    FAMILY(convolution) FAMILY(pooling) FAMILY(losses) FAMILY(class_losses) FAMILY(class_weights)                      \
    FAMILY(optimizers) FAMILY(chain)

#define DECLARED(name) extern const wg_family wg_family_##name;
#define LISTED(name) &wg_family_##name,

FAMILIES(DECLARED)

const wg_family *const wg_families[] = {FAMILIES(LISTED) NULL};
