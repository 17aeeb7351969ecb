/* The families of built-in operations, in the order of the contract. */
#include "core/tape.h"

#define FAMILIES(FAMILY)                                                                                               \
    FAMILY(unary) FAMILY(trigonometric) FAMILY(activation) FAMILY(special) FAMILY(binary) FAMILY(compare)              \
    FAMILY(select) FAMILY(moments) FAMILY(scans) FAMILY(order) FAMILY(view) FAMILY(join) FAMILY(rearrange) FAMILY(triangle)          \
    FAMILY(window) FAMILY(indexing) FAMILY(masking) FAMILY(segments) FAMILY(products) FAMILY(convolution) FAMILY(pooling)              \
    FAMILY(normalize) FAMILY(norms) FAMILY(gates) FAMILY(losses) FAMILY(class_losses) FAMILY(optimizers) FAMILY(chain) \
    FAMILY(class_weights) FAMILY(contraction) FAMILY(extrema) FAMILY(scattering) FAMILY(softmax) FAMILY(summation)     \
    FAMILY(attention) FAMILY(rope)                                                                                     \
    FAMILY(local_response) FAMILY(distance) FAMILY(distance_losses)                                                    \
    FAMILY(sums) FAMILY(resample)

#define DECLARED(name) extern const wg_family wg_family_##name;
#define LISTED(name) &wg_family_##name,

FAMILIES(DECLARED)

const wg_family *const wg_families[] = {FAMILIES(LISTED) NULL};
