/* Wengert: indexing.
 *
 * Entries taken from where integer tensors say, and put or added there. Indices are int32 or int64; negative ones
 * count from the end unless something else is said, and one out of range is an error that names it. What is taken
 * twice gets the sum of both gradients; what is added twice is added in the order of the indices. */
#ifndef WENGERT_INDEXING_H
#define WENGERT_INDEXING_H

#include "wengert/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Taking ------------------------------------------------------------------------------------------------------
 * Of x of any dtype. */
/* Entries of `axis`: the indices' shape stands in its place. [2, 5, 3] taken at [4, 1] on axis 1 is [2, 4, 1, 3]. */
WG_API wg_tensor wg_take(wg_tensor x, wg_tensor indices, int axis);
/* y[i, j, k] = x[i, indices[i, j, k], k] for axis 1: x and indices have one shape but along `axis`. What argmax and
 * argsort give, taken. */
WG_API wg_tensor wg_take_along_axis(wg_tensor x, wg_tensor indices, int axis);
/* The last axis of indices, [..., q], holds coordinates of x's first q axes: [...] and x's other axes. */
WG_API wg_tensor wg_gather_nd(wg_tensor x, wg_tensor indices);
/* The elements where mask, which broadcasts to x, is true, one behind the other. */
WG_API wg_tensor wg_masked_select(wg_tensor x, wg_tensor mask);
typedef struct {
    int64_t padding_idx; /* a row without gradient; absent: none */
} wg_embedding_options;
#define wg_embedding_defaults .padding_idx = WG_NO_INTEGER
/* Rows of weight [rows, n]: the indices' shape and n. An index is not negative. */
WG_API wg_tensor wg_embedding(wg_tensor weight, wg_tensor indices, wg_embedding_options options);
/* 1 at the index on a new last axis of num_classes, 0 elsewhere, as int64. An index is not negative. */
WG_API wg_tensor wg_one_hot(wg_tensor indices, int64_t num_classes);

/* ---- Putting and adding: x with some entries changed ------------------------------------------------------------- */
/* y[i, indices[i, j, k], k] = src[i, j, k] for axis 1: indices and src have one shape, and x's but along `axis`. Of
 * several for one place the last wins, and takes the gradient. x and src of any one dtype. */
WG_API wg_tensor wg_scatter(wg_tensor x, wg_tensor indices, wg_tensor src, int axis);
/* The same with src added to what is there. */
WG_API wg_tensor wg_scatter_add(wg_tensor x, wg_tensor indices, wg_tensor src, int axis);
/* Entry i of src along `axis` added to entry indices[i] of x; indices are a vector. */
WG_API wg_tensor wg_index_add(wg_tensor x, wg_tensor indices, wg_tensor src, int axis);
typedef struct {
    bool accumulate; /* add instead; else of several for one place the last wins */
} wg_index_put_options;
#define wg_index_put_defaults .accumulate = false
/* x[indices[0], indices[1], ...] = values: one tensor of indices for each of the first axes, broadcast together; values
 * broadcast to their shape and x's other axes. */
WG_API wg_tensor wg_index_put(wg_tensor x, wg_tensors indices, wg_tensor values, wg_index_put_options options);

/* ---- Segments ----------------------------------------------------------------------------------------------------
 * Row i of x belongs to segment ids[i], 0 <= ids[i] < num_segments, in any order. */
WG_API wg_tensor wg_segment_sum(wg_tensor x, wg_tensor ids, int64_t num_segments);  /* of an empty one: 0 */
WG_API wg_tensor wg_segment_mean(wg_tensor x, wg_tensor ids, int64_t num_segments); /* of an empty one: 0 */
WG_API wg_tensor wg_segment_max(wg_tensor x, wg_tensor ids, int64_t num_segments);  /* -inf; ties share */
/* How often 0, 1, ... up to the largest occur in a vector of integers, none negative, as int64; or the sum of their
 * weights, a vector too. weights may be WG_NONE. */
WG_API wg_tensor wg_bincount(wg_tensor x, wg_tensor weights);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_take(x, indices, axis) WG_AT((wg_take)(x, indices, axis))
#define wg_take_along_axis(x, indices, axis) WG_AT((wg_take_along_axis)(x, indices, axis))
#define wg_gather_nd(x, indices) WG_AT((wg_gather_nd)(x, indices))
#define wg_masked_select(x, mask) WG_AT((wg_masked_select)(x, mask))
#define wg_embedding(...) WG_AT(WG_OPTIONS2(wg_embedding, __VA_ARGS__, ))
#define wg_one_hot(indices, num_classes) WG_AT((wg_one_hot)(indices, num_classes))
#define wg_scatter(x, indices, src, axis) WG_AT((wg_scatter)(x, indices, src, axis))
#define wg_scatter_add(x, indices, src, axis) WG_AT((wg_scatter_add)(x, indices, src, axis))
#define wg_index_add(x, indices, src, axis) WG_AT((wg_index_add)(x, indices, src, axis))
#define wg_index_put(x, ...) WG_OPTIONS_INDEX_PUT(x, __VA_ARGS__, )
#define WG_OPTIONS_INDEX_PUT(x, indices, values, ...)                                                                  \
    WG_AT((wg_index_put)(x, indices, WG_OPERAND(values), (wg_index_put_options){wg_index_put_defaults, __VA_ARGS__}))
#define wg_segment_sum(x, ids, num_segments) WG_AT((wg_segment_sum)(x, ids, num_segments))
#define wg_segment_mean(x, ids, num_segments) WG_AT((wg_segment_mean)(x, ids, num_segments))
#define wg_segment_max(x, ids, num_segments) WG_AT((wg_segment_max)(x, ids, num_segments))
#define wg_bincount(x, weights) WG_AT((wg_bincount)(x, weights))
#endif

#endif
