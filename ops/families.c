/* The families of built-in operations, in the order of the contract. */
#include "core/tape.h"

#define FAMILIES(FAMILY)                                                                                               \
    /* A: elementwise, one input */                                                                                    \
    FAMILY(unary) FAMILY(trigonometric) FAMILY(activation) FAMILY(special)                                             \
    /* B: elementwise, two and three */                                                                                \
    FAMILY(binary) FAMILY(compare)                                                                                     \
    /* C: selection */                                                                                                 \
    FAMILY(select)                                                                                                     \
    /* D: reductions and scans */                                                                                      \
    FAMILY(sums) FAMILY(moments) FAMILY(extrema) FAMILY(scans) FAMILY(order)                                           \
    /* E: shape */                                                                                                     \
    FAMILY(view) FAMILY(join) FAMILY(rearrange) FAMILY(triangle) FAMILY(window)                                        \
    /* F: indexing */                                                                                                  \
    FAMILY(indexing) FAMILY(coordinates) FAMILY(masking) FAMILY(segments) FAMILY(scattering)                           \
    /* G: products */                                                                                                  \
    FAMILY(products) FAMILY(contraction) FAMILY(summation)                                                             \
    /* H: linear algebra */                                                                                            \
    FAMILY(systems) FAMILY(determinants) FAMILY(factorisations) FAMILY(spectra) FAMILY(matrix_functions)               \
    /* I: networks */                                                                                                  \
    FAMILY(convolution) FAMILY(pooling) FAMILY(resample) FAMILY(normalize) FAMILY(norms)                               \
    FAMILY(local_response) FAMILY(softmax) FAMILY(gates) FAMILY(attention) FAMILY(rope)                                \
    FAMILY(recurrent) FAMILY(distance)                                                                                 \
    /* J: losses */                                                                                                    \
    FAMILY(losses) FAMILY(class_losses) FAMILY(class_weights) FAMILY(distance_losses) FAMILY(ctc)                      \
    /* K: random */                                                                                                    \
    FAMILY(distributions) FAMILY(categories) FAMILY(noises)                                                            \
    /* M: spectral and signal */                                                                                       \
    FAMILY(spectral) FAMILY(signal)                                                                                    \
    /* hidden: of the library's own */                                                                                 \
    FAMILY(optimizers) FAMILY(chain)

#define DECLARED(name) extern const wg_family wg_family_##name;
#define LISTED(name) &wg_family_##name,

FAMILIES(DECLARED)

const wg_family *const wg_families[] = {FAMILIES(LISTED) NULL};
