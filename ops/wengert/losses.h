/* Wengert: losses.
 *
 * How far predictions are from their targets. `reduction` says what becomes of the single losses: their mean
 * ("mean"), their sum ("sum"), or each of them by itself ("none"). The mean of nothing is NaN. Input and target have
 * equal shapes, which are not broadcast, so that [n, 1] against [n] is an error and not n^2 losses. Both have
 * gradients, unless the target is integers. */
#ifndef WENGERT_LOSSES_H
#define WENGERT_LOSSES_H

#include "wengert/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Distances ---------------------------------------------------------------------------------------------------
 * With d = input - target. */
/* d^2 */
typedef struct {
    const char *reduction; /* "mean", "sum", "none"; first in all options of losses */
} wg_mse_loss_options;
#define wg_mse_loss_defaults .reduction = "mean"
WG_API wg_tensor wg_mse_loss(wg_tensor input, wg_tensor target, wg_mse_loss_options options);
/* |d|; derivative 0 at d = 0. */
typedef wg_mse_loss_options wg_l1_loss_options;
#define wg_l1_loss_defaults .reduction = "mean"
WG_API wg_tensor wg_l1_loss(wg_tensor input, wg_tensor target, wg_l1_loss_options options);
/* d^2 / (2 beta) where |d| < beta, |d| - beta / 2 elsewhere; with beta = 0 it is l1_loss. */
typedef struct {
    const char *reduction;
    double beta; /* >= 0 */
} wg_smooth_l1_loss_options;
#define wg_smooth_l1_loss_defaults .reduction = "mean", .beta = 1
WG_API wg_tensor wg_smooth_l1_loss(wg_tensor input, wg_tensor target, wg_smooth_l1_loss_options options);
/* d^2 / 2 where |d| <= delta, delta (|d| - delta / 2) elsewhere. */
typedef struct {
    const char *reduction;
    double delta; /* > 0 */
} wg_huber_loss_options;
#define wg_huber_loss_defaults .reduction = "mean", .delta = 1
WG_API wg_tensor wg_huber_loss(wg_tensor input, wg_tensor target, wg_huber_loss_options options);
/* log(cosh(d)), which does not overflow and is accurate near 0. */
typedef wg_mse_loss_options wg_log_cosh_loss_options;
#define wg_log_cosh_loss_defaults .reduction = "mean"
WG_API wg_tensor wg_log_cosh_loss(wg_tensor input, wg_tensor target, wg_log_cosh_loss_options options);

/* ---- Two classes ------------------------------------------------------------------------------------------------ */
/* -weight (t log(p) + (1 - t) log(1 - p)) of a probability p = input, with logarithms of at least -100, where they
 * have no derivative. An absent weight is 1; a given one broadcasts to the input's shape. */
typedef struct {
    const char *reduction;
    wg_tensor weight;
} wg_binary_cross_entropy_options;
#define wg_binary_cross_entropy_defaults .reduction = "mean"
WG_API wg_tensor wg_binary_cross_entropy(wg_tensor input, wg_tensor target, wg_binary_cross_entropy_options options);
/* -(pos_weight t log(p) + (1 - t) log(1 - p)) with p = sigmoid(input), accurate for every input. An absent pos_weight
 * is 1; a given one broadcasts to the input's shape. */
typedef struct {
    const char *reduction;
    wg_tensor pos_weight;
} wg_binary_cross_entropy_with_logits_options;
#define wg_binary_cross_entropy_with_logits_defaults .reduction = "mean"
WG_API wg_tensor wg_binary_cross_entropy_with_logits(wg_tensor input, wg_tensor target,
                                                     wg_binary_cross_entropy_with_logits_options options);
/* -a m^gamma log(1 - m) with m the probability of the wrong class and a the class's share, alpha for target 1 and
 * 1 - alpha for 0; without alpha a = 1. Lin et al. 2017, eq. 5 */
typedef struct {
    const char *reduction;
    double gamma; /* >= 0 */
    double alpha; /* absent: the classes are not weighted */
} wg_focal_loss_options;
#define wg_focal_loss_defaults .reduction = "mean", .gamma = 2, .alpha = WG_NO_REAL
WG_API wg_tensor wg_focal_loss(wg_tensor logits, wg_tensor target, wg_focal_loss_options options);
/* max(0, 1 - target input), for targets -1 and 1; derivative 0 at the margin. */
typedef wg_mse_loss_options wg_hinge_loss_options;
#define wg_hinge_loss_defaults .reduction = "mean"
WG_API wg_tensor wg_hinge_loss(wg_tensor input, wg_tensor target, wg_hinge_loss_options options);
/* log(1 + exp(-target input)), for targets -1 and 1. */
typedef wg_mse_loss_options wg_soft_margin_loss_options;
#define wg_soft_margin_loss_defaults .reduction = "mean"
WG_API wg_tensor wg_soft_margin_loss(wg_tensor input, wg_tensor target, wg_soft_margin_loss_options options);

/* ---- Many classes ------------------------------------------------------------------------------------------------
 * The input is [C], [n, C] or [n, C, ...], with C classes; every other index is a position, which has one loss. */
/* -log(softmax(input)[target]), weighted by the target's class. The target is a class a position, int64 or int32, in
 * a shape without the class axis; or, floats of the input's shape, the probability of each class. label_smoothing
 * replaces that share of the target by equal probabilities. A position whose class is ignore_index counts for
 * nothing; if all do, the loss is 0. The mean is over the weights of the targets' classes, for probabilities over the
 * positions. */
typedef struct {
    const char *reduction;
    wg_tensor weight; /* [C]; absent: ones */
    int64_t ignore_index;
    double label_smoothing; /* from 0 to 1 */
} wg_cross_entropy_options;
#define wg_cross_entropy_defaults .reduction = "mean", .ignore_index = -100, .label_smoothing = 0
WG_API wg_tensor wg_cross_entropy(wg_tensor input, wg_tensor target, wg_cross_entropy_options options);
/* -log_probs[target]: cross_entropy of what is a logarithm of probabilities already. */
typedef struct {
    const char *reduction;
    wg_tensor weight; /* [C]; absent: ones */
    int64_t ignore_index;
} wg_nll_loss_options;
#define wg_nll_loss_defaults .reduction = "mean", .ignore_index = -100
WG_API wg_tensor wg_nll_loss(wg_tensor log_probs, wg_tensor target, wg_nll_loss_options options);
/* The sum over the classes c but the target's t of max(0, margin - x[t] + x[c])^p / C; x is [C] or [n, C]. */
typedef struct {
    const char *reduction;
    int64_t p; /* 1 or 2 */
    double margin;
} wg_multi_margin_loss_options;
#define wg_multi_margin_loss_defaults .reduction = "mean", .p = 1, .margin = 1
WG_API wg_tensor wg_multi_margin_loss(wg_tensor x, wg_tensor target, wg_multi_margin_loss_options options);

/* ---- Vectors -----------------------------------------------------------------------------------------------------
 * [n, d], or [d] alone: one loss for each vector along the last axis. */
/* 1 - cos(a, b) for target 1, max(0, cos(a, b) - margin) for target -1; derivative 0 at the margin. The target, [n],
 * integers or floats, has no gradient; the cosine is cosine_similarity's. */
typedef struct {
    const char *reduction;
    double margin;
} wg_cosine_embedding_loss_options;
#define wg_cosine_embedding_loss_defaults .reduction = "mean", .margin = 0
WG_API wg_tensor wg_cosine_embedding_loss(wg_tensor a, wg_tensor b, wg_tensor target,
                                          wg_cosine_embedding_loss_options options);
/* max(0, |anchor - positive| - |anchor - negative| + margin), with distances as pairwise_distance's; derivative 0 at
 * the margin. */
typedef struct {
    const char *reduction;
    double margin, p; /* p >= 1, or INFINITY */
} wg_triplet_margin_loss_options;
#define wg_triplet_margin_loss_defaults .reduction = "mean", .margin = 1, .p = 2
WG_API wg_tensor wg_triplet_margin_loss(wg_tensor anchor, wg_tensor positive, wg_tensor negative,
                                        wg_triplet_margin_loss_options options);

/* ---- Sequences --------------------------------------------------------------------------------------------------- */
/* -log of the probability that log_probs [T, N, C] spell the targets [N, S]: of all ways to name a class in each of a
 * sample's first input_lengths[n] steps that, with repetitions and then blanks taken out, give its first
 * target_lengths[n] labels. "mean" is over samples, each divided by its target's length first. Where there is no way,
 * the loss is inf, or with zero_infinity 0, and the derivative 0. The derivative takes log_probs as they are,
 * normalised or not: minus the probability, given the target, of that class in that step. All but log_probs are
 * integers. */
typedef struct {
    const char *reduction;
    int64_t blank;
    bool zero_infinity;
} wg_ctc_loss_options;
#define wg_ctc_loss_defaults .reduction = "mean", .blank = 0, .zero_infinity = false
WG_API wg_tensor wg_ctc_loss(wg_tensor log_probs, wg_tensor targets, wg_tensor input_lengths, wg_tensor target_lengths,
                             wg_ctc_loss_options options);

/* ---- Distributions ---------------------------------------------------------------------------------------------- */
/* t (log(t) - input) of log-probabilities `input`, 0 where t = 0; with log_target the target is log(t) itself.
 * "batchmean" is the sum over the size of axis 0. */
typedef struct {
    const char *reduction; /* also "batchmean" */
    bool log_target;
} wg_kl_div_options;
#define wg_kl_div_defaults .reduction = "mean", .log_target = false
WG_API wg_tensor wg_kl_div(wg_tensor input, wg_tensor target, wg_kl_div_options options);
/* exp(input) - target input, or with log_input = false input - target log(input + eps); with `full` also Stirling's
 * term t log(t) - t + log(2 pi t) / 2 for targets t > 1. */
typedef struct {
    const char *reduction;
    bool log_input, full;
    double eps;
} wg_poisson_nll_loss_options;
#define wg_poisson_nll_loss_defaults .reduction = "mean", .log_input = true, .full = false, .eps = 1e-8
WG_API wg_tensor wg_poisson_nll_loss(wg_tensor input, wg_tensor target, wg_poisson_nll_loss_options options);
/* (log(v) + (input - target)^2 / v) / 2 with v = max(var, eps), which has derivative 0 below eps; with `full` also
 * log(2 pi) / 2. var has the input's shape or rank 0; a negative one is an error. */
typedef struct {
    const char *reduction;
    bool full;
    double eps; /* > 0 */
} wg_gaussian_nll_loss_options;
#define wg_gaussian_nll_loss_defaults .reduction = "mean", .full = false, .eps = 1e-6
WG_API wg_tensor wg_gaussian_nll_loss(wg_tensor input, wg_tensor target, wg_tensor var,
                                      wg_gaussian_nll_loss_options options);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_mse_loss(...) WG_AT(WG_OPTIONS2(wg_mse_loss, __VA_ARGS__, ))
#define wg_l1_loss(...) WG_AT(WG_OPTIONS2(wg_l1_loss, __VA_ARGS__, ))
#define wg_smooth_l1_loss(...) WG_AT(WG_OPTIONS2(wg_smooth_l1_loss, __VA_ARGS__, ))
#define wg_huber_loss(...) WG_AT(WG_OPTIONS2(wg_huber_loss, __VA_ARGS__, ))
#define wg_log_cosh_loss(...) WG_AT(WG_OPTIONS2(wg_log_cosh_loss, __VA_ARGS__, ))
#define wg_binary_cross_entropy(...) WG_AT(WG_OPTIONS2(wg_binary_cross_entropy, __VA_ARGS__, ))
#define wg_binary_cross_entropy_with_logits(...) WG_AT(WG_OPTIONS2(wg_binary_cross_entropy_with_logits, __VA_ARGS__, ))
#define wg_focal_loss(...) WG_AT(WG_OPTIONS2(wg_focal_loss, __VA_ARGS__, ))
#define wg_hinge_loss(...) WG_AT(WG_OPTIONS2(wg_hinge_loss, __VA_ARGS__, ))
#define wg_soft_margin_loss(...) WG_AT(WG_OPTIONS2(wg_soft_margin_loss, __VA_ARGS__, ))
#define wg_cross_entropy(...) WG_AT(WG_OPTIONS2(wg_cross_entropy, __VA_ARGS__, ))
#define wg_nll_loss(...) WG_AT(WG_OPTIONS2(wg_nll_loss, __VA_ARGS__, ))
#define wg_multi_margin_loss(...) WG_AT(WG_OPTIONS2(wg_multi_margin_loss, __VA_ARGS__, ))
#define wg_cosine_embedding_loss(a, b, ...) WG_AT(WG_OPTIONS3(wg_cosine_embedding_loss, a, b, __VA_ARGS__, ))
#define wg_triplet_margin_loss(anchor, positive, ...)                                                                  \
    WG_AT(WG_OPTIONS3(wg_triplet_margin_loss, anchor, positive, __VA_ARGS__, ))
#define wg_ctc_loss(log_probs, targets, input_lengths, ...)                                                            \
    WG_AT(WG_OPTIONS4(wg_ctc_loss, log_probs, targets, input_lengths, __VA_ARGS__, ))
#define wg_kl_div(...) WG_AT(WG_OPTIONS2(wg_kl_div, __VA_ARGS__, ))
#define wg_poisson_nll_loss(...) WG_AT(WG_OPTIONS2(wg_poisson_nll_loss, __VA_ARGS__, ))
#define wg_gaussian_nll_loss(input, target, ...)                                                                       \
    WG_AT(WG_OPTIONS3(wg_gaussian_nll_loss, input, target, __VA_ARGS__, ))
#endif

#endif
