/* Wengert: random numbers.
 *
 * Draws whose parameters have gradients, because the draw is a function of them and of noise that is not
 * (reparameterised, Kingma and Welling 2014): y = mean + std * z. */
#ifndef WENGERT_RANDOM_H
#define WENGERT_RANDOM_H

#include "wengert/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Distributions -----------------------------------------------------------------------------------------------
 * `shape` is to be given; the parameters broadcast to it and have its dtype. One may be a C number, or WG_NONE: 0 for
 * the first, 1 for the second. With seed = 0 every call draws anew, from the tape's seed (wg_seed); another seed draws
 * the same numbers each time. The numbers do not depend on the number of threads. Drawn in double precision, then
 * rounded. */
typedef struct {
    wg_shape shape;
    int64_t seed;
    wg_dtype dtype; /* WG_FLOAT64 */
} wg_uniform_options, wg_normal_options, wg_exponential_options, wg_laplace_options, wg_gumbel_options,
    wg_bernoulli_options;
#define WG_RANDOM_DEFAULTS .shape = WG_NO_SHAPE, .seed = 0, .dtype = WG_FLOAT64
#define wg_uniform_defaults WG_RANDOM_DEFAULTS
#define wg_normal_defaults WG_RANDOM_DEFAULTS
#define wg_exponential_defaults WG_RANDOM_DEFAULTS
#define wg_laplace_defaults WG_RANDOM_DEFAULTS
#define wg_gumbel_defaults WG_RANDOM_DEFAULTS
#define wg_bernoulli_defaults WG_RANDOM_DEFAULTS
/* Between low <= high: low <= y < high, or low where they are equal. */
WG_API wg_tensor wg_uniform(wg_tape *tape, wg_tensor low, wg_tensor high, wg_uniform_options options);
/* std >= 0. wg_normal(tape, 0, 0.1, .shape = WG_SHAPE(64, 10)) */
WG_API wg_tensor wg_normal(wg_tape *tape, wg_tensor mean, wg_tensor std, wg_normal_options options);
/* Of mean 1 / rate; rate > 0. */
WG_API wg_tensor wg_exponential(wg_tape *tape, wg_tensor rate, wg_exponential_options options);
/* Density exp(-|y - loc| / scale) / (2 scale); scale >= 0. */
WG_API wg_tensor wg_laplace(wg_tape *tape, wg_tensor loc, wg_tensor scale, wg_laplace_options options);
/* Distribution function exp(-exp(-(y - loc) / scale)); scale >= 0. */
WG_API wg_tensor wg_gumbel(wg_tape *tape, wg_tensor loc, wg_tensor scale, wg_gumbel_options options);
/* 1 with probability p, else 0; 0 <= p <= 1. No gradient. */
WG_API wg_tensor wg_bernoulli(wg_tensor p, wg_bernoulli_options options);

/* ---- Categories --------------------------------------------------------------------------------------------------
 * Of C categories, drawn with the probabilities softmax(logits); -inf is never drawn. A NaN, +inf, or nothing but -inf
 * is refused. */
typedef struct {
    wg_shape shape; /* draws of each distribution */
    int64_t seed;
    wg_dtype dtype; /* of the logits, where one is to be insisted on; absent: any */
} wg_categorical_options;
#define wg_categorical_defaults .shape = WG_NO_SHAPE, .seed = 0, .dtype = (wg_dtype)-1
/* Indices, int64, of shape `shape` and logits' leading axes; logits are [..., C]. No gradient. */
WG_API wg_tensor wg_categorical(wg_tensor logits, wg_categorical_options options);
typedef struct {
    double tau; /* > 0 */
    bool hard;
    int axis;
    int64_t seed;
} wg_gumbel_softmax_options;
#define wg_gumbel_softmax_defaults .tau = 1, .hard = false, .axis = -1, .seed = 0
/* softmax((logits + Gumbel noise) / tau) along `axis` (Jang et al. 2017). `hard` gives its largest entry as 1 and the
 * others as 0, with the gradient of the soft one. */
WG_API wg_tensor wg_gumbel_softmax(wg_tensor logits, wg_gumbel_softmax_options options);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define WG_RANDOM1(f, tape, a, ...)                                                                                    \
    WG_AT((f)(WG_HERE(tape), WG_OPERAND(a), (f##_options){f##_defaults, __VA_ARGS__}))
#define WG_RANDOM2(f, tape, a, b, ...)                                                                                 \
    WG_AT((f)(WG_HERE(tape), WG_OPERAND(a), WG_OPERAND(b), (f##_options){f##_defaults, __VA_ARGS__}))
#define wg_uniform(tape, low, ...) WG_RANDOM2(wg_uniform, tape, low, __VA_ARGS__, )
#define wg_normal(tape, mean, ...) WG_RANDOM2(wg_normal, tape, mean, __VA_ARGS__, )
#define wg_exponential(tape, ...) WG_RANDOM1(wg_exponential, tape, __VA_ARGS__, )
#define wg_laplace(tape, loc, ...) WG_RANDOM2(wg_laplace, tape, loc, __VA_ARGS__, )
#define wg_gumbel(tape, loc, ...) WG_RANDOM2(wg_gumbel, tape, loc, __VA_ARGS__, )
#define wg_bernoulli(...) WG_AT(WG_OPTIONS1(wg_bernoulli, __VA_ARGS__, ))
#define wg_categorical(...) WG_AT(WG_OPTIONS1(wg_categorical, __VA_ARGS__, ))
#define wg_gumbel_softmax(...) WG_AT(WG_OPTIONS1(wg_gumbel_softmax, __VA_ARGS__, ))
#endif

#endif
