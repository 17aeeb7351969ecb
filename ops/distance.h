/* Distances and angles between vectors, for the operations and the losses made of them. Private to ops/. */
#ifndef OPS_DISTANCE_H
#define OPS_DISTANCE_H

#include "wengert/operation.h"

/* to[j] = |a_j - b_j|_p of `rows` pairs of vectors of n elements; a_j begins at element j * a_step. Without overflow
 * or underflow on the way. */
void wg_distances(wg_dtype dtype, double p, int64_t rows, int64_t n, const void *a, int64_t a_step, const void *b,
                  int64_t b_step, double *to);
/* to[j] = the cosine of the angle between a_j and b_j, whose norms count as at least eps; 0 of a zero vector. */
void wg_cosines(wg_dtype dtype, double eps, int64_t rows, int64_t n, const void *a, const void *b, double *to);

/* The same in C: helpers for texts, "distance(p, n, a, step_a, b, step_b)" and "cosine(eps, n, ...)", where vectors are
 * of n elements, a step apart. */
extern const wg_helper *const wg_helpers_distance[];

/* p is at least 1. */
wg_status wg_exponent_fits(const wg_call *c, double p);

/* ---- Graph code of the rules ------------------------------------------------------------------------------------- */
/* What |a - b|_p along the last axis changes by as a does, minus that as b does; y: the distance, that axis gone. */
wg_tensor wg_distance_slope(wg_tensor a, wg_tensor b, wg_tensor y, double p);
/* What the cosine changes by as a does; `axis` from the end, y the cosine, that axis gone. a and b have one shape. */
wg_tensor wg_cosine_slope(wg_tensor a, wg_tensor b, wg_tensor y, int axis, double eps);

/* sign(x) (|x| / y)^(p - 1) of x and its norm y over the axes, which it keeps: 0 where y is 0, for p = inf the largest
 * share evenly. */
wg_tensor wg_norm_slope(wg_tensor x, wg_tensor y, wg_axes axis, double p);

#endif
