/* Wengert: layers of neural networks.
 *
 * Normalisation, dropout, gates and distances. Convolution and pooling are in convolution.h, softmax and its kin in
 * softmax.h. */
#ifndef WENGERT_NETWORKS_H
#define WENGERT_NETWORKS_H

#include "wengert/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Normalisation -----------------------------------------------------------------------------------------------
 * y = weight (x - mean) / sqrt(var + eps) + bias, with mean and (biased) variance over some of the elements of x.
 * weight and bias may be absent, WG_NONE: then they are 1 and 0. */
/* Over `axis`: the trailing axes, or any single one. weight and bias have the sizes of those axes. */
typedef struct {
    wg_axes axis;
    double eps; /* >= 0 */
} wg_layer_norm_options;
#define wg_layer_norm_defaults .axis = {{-1}, 1}, .eps = 1e-5
WG_API wg_tensor wg_layer_norm(wg_tensor x, wg_tensor weight, wg_tensor bias, wg_layer_norm_options options);
/* y = weight x / sqrt(mean(x^2) + eps), over axes as in layer_norm. */
typedef struct {
    wg_axes axis;
    double eps;
} wg_rms_norm_options;
#define wg_rms_norm_defaults .axis = {{-1}, 1}, .eps = 1e-6
WG_API wg_tensor wg_rms_norm(wg_tensor x, wg_tensor weight, wg_rms_norm_options options);
/* x is [n, C, ...]; weight and bias are [C]. Over all but axis 0 within each of num_groups groups of neighbouring
 * channels. */
typedef struct {
    int64_t num_groups; /* divides C; to be given */
    double eps;
} wg_group_norm_options;
#define wg_group_norm_defaults .num_groups = WG_NO_INTEGER, .eps = 1e-5
WG_API wg_tensor wg_group_norm(wg_tensor x, wg_tensor weight, wg_tensor bias, wg_group_norm_options options);
/* x is [n, C, ...]; weight and bias are [C]. Each channel of each sample by itself. */
typedef struct {
    double eps;
} wg_instance_norm_options;
#define wg_instance_norm_defaults .eps = 1e-5
WG_API wg_tensor wg_instance_norm(wg_tensor x, wg_tensor weight, wg_tensor bias, wg_instance_norm_options options);
/* x is [n, C, ...]; all others are [C]. In training each channel over all samples, which takes more than one value a
 * channel; the new running statistics are (1 - momentum) times the old ones plus momentum times the mean and the
 * unbiased variance. Otherwise with the running statistics, which stay. The running statistics have no gradient. */
typedef struct {
    bool training;
    double momentum, eps;
} wg_batch_norm_options;
#define wg_batch_norm_defaults .training = false, .momentum = 0.1, .eps = 1e-5
typedef struct {
    wg_tensor y, running_mean, running_var;
} wg_batch_norm_result;
/* wg_batch_norm(x, weight, bias, mean, var, .training = true) */
WG_API wg_batch_norm_result wg_batch_norm(wg_tensor x, wg_tensor weight, wg_tensor bias, wg_tensor running_mean,
                                          wg_tensor running_var, wg_batch_norm_options options);
/* y = x / (k + alpha / size s)^beta with s the sum of x^2 over `size` neighbouring channels of x [n, C, ...]: size / 2
 * of them, rounded down, before the entry's own. */
typedef struct {
    int64_t size; /* to be given */
    double alpha, beta, k;
} wg_local_response_norm_options;
#define wg_local_response_norm_defaults .size = WG_NO_INTEGER, .alpha = 1e-4, .beta = 0.75, .k = 1
WG_API wg_tensor wg_local_response_norm(wg_tensor x, wg_local_response_norm_options options);

/* ---- Dropout ----------------------------------------------------------------------------------------------------- */
/* In training each element is 0 with probability p, else x / (1 - p); otherwise x. What is dropped is 0 even where x
 * is infinite or NaN, and has gradient 0. With seed = 0 every call draws anew, from the tape's seed; another seed
 * draws the same elements each time. */
typedef struct {
    double p; /* from 0 to 1; to be given */
    bool training;
    int64_t seed;
} wg_dropout_options;
#define wg_dropout_defaults .p = WG_NO_REAL, .training = true, .seed = 0
WG_API wg_tensor wg_dropout(wg_tensor x, wg_dropout_options options); /* wg_dropout(x, .p = 0.5) */

/* ---- Gates -------------------------------------------------------------------------------------------------------
 * Of the halves a and b of x along `axis`. */
typedef struct {
    int axis;
} wg_glu_options, wg_swiglu_options;
#define wg_glu_defaults .axis = -1
#define wg_swiglu_defaults .axis = -1
WG_API wg_tensor wg_glu(wg_tensor x, wg_glu_options options);       /* a sigmoid(b) */
WG_API wg_tensor wg_swiglu(wg_tensor x, wg_swiglu_options options); /* silu(a) b */

/* ---- Angles and distances ---------------------------------------------------------------------------------------- */
/* a.b / (max(|a|, eps) max(|b|, eps)) along `axis` of the shape that a and b broadcast to; of a zero vector 0, with
 * gradient 0. */
typedef struct {
    int axis;
    double eps; /* >= 0 */
} wg_cosine_similarity_options;
#define wg_cosine_similarity_defaults .axis = 1, .eps = 1e-8
WG_API wg_tensor wg_cosine_similarity(wg_tensor a, wg_tensor b, wg_cosine_similarity_options options);
/* sum(|a - b|^p)^(1/p) over the last axis, p >= 1, of a and b that broadcast; max(|a - b|) for p = INFINITY. Gradient 0
 * where a = b. */
typedef struct {
    double p;
} wg_pairwise_distance_options, wg_cdist_options;
#define wg_pairwise_distance_defaults .p = 2
WG_API wg_tensor wg_pairwise_distance(wg_tensor a, wg_tensor b, wg_pairwise_distance_options options);
/* The distances of all pairs: of a [..., n, d] and b [..., m, d], whose leading axes broadcast, [..., n, m]. */
#define wg_cdist_defaults .p = 2
WG_API wg_tensor wg_cdist(wg_tensor a, wg_tensor b, wg_cdist_options options);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_layer_norm(x, weight, ...) WG_AT(WG_OPTIONS3(wg_layer_norm, x, weight, __VA_ARGS__, ))
#define wg_rms_norm(x, ...) WG_AT(WG_OPTIONS2(wg_rms_norm, x, __VA_ARGS__, ))
#define wg_group_norm(x, weight, ...) WG_AT(WG_OPTIONS3(wg_group_norm, x, weight, __VA_ARGS__, ))
#define wg_instance_norm(x, weight, ...) WG_AT(WG_OPTIONS3(wg_instance_norm, x, weight, __VA_ARGS__, ))
#define wg_batch_norm(x, weight, bias, running_mean, ...)                                                              \
    WG_OPTIONS5(wg_batch_norm, WG_HERE_AT(x), weight, bias, running_mean, __VA_ARGS__, )
#define wg_dropout(...) WG_AT(WG_OPTIONS1(wg_dropout, __VA_ARGS__, ))
#define wg_glu(...) WG_AT(WG_OPTIONS1(wg_glu, __VA_ARGS__, ))
#define wg_swiglu(...) WG_AT(WG_OPTIONS1(wg_swiglu, __VA_ARGS__, ))
#define wg_local_response_norm(...) WG_AT(WG_OPTIONS1(wg_local_response_norm, __VA_ARGS__, ))
#define wg_cosine_similarity(...) WG_AT(WG_OPTIONS2(wg_cosine_similarity, __VA_ARGS__, ))
#define wg_pairwise_distance(...) WG_AT(WG_OPTIONS2(wg_pairwise_distance, __VA_ARGS__, ))
#define wg_cdist(...) WG_AT(WG_OPTIONS2(wg_cdist, __VA_ARGS__, ))
#endif

#endif
