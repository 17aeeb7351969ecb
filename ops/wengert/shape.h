/* Wengert: shape.
 *
 * Operations that move elements about and change none of them. Most are views: they share x's memory, cost nothing, and
 * a gradient flows back through every one. All take any dtype. */
#ifndef WENGERT_SHAPE_H
#define WENGERT_SHAPE_H

#include "wengert/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Other shapes of the same elements ---------------------------------------------------------------------------
 * Views, except of an x whose elements do not lie in order (a transpose, say), which is copied. */
/* The elements in row-major order in another shape; one size may be -1: what is left for it. */
WG_API wg_tensor wg_reshape(wg_tensor x, wg_shape shape); /* wg_reshape(x, WG_SHAPE(64, -1)) */
/* Axes [start_axis, end_axis] as one; of a 0-d x, [1]. */
typedef struct {
    int start_axis, end_axis;
} wg_flatten_options;
#define wg_flatten_defaults .start_axis = 0, .end_axis = -1
WG_API wg_tensor wg_flatten(wg_tensor x, wg_flatten_options options);
/* One axis as several, of which one may be -1. */
WG_API wg_tensor wg_unflatten(wg_tensor x, int axis, wg_shape shape); /* wg_unflatten(x, 1, WG_SHAPE(3, -1)) */
/* Axes of size 1 put in: where they are in the result. */
WG_API wg_tensor wg_expand_dims(wg_tensor x, wg_axes axis); /* wg_expand_dims(x, 0), wg_expand_dims(x, WG_AXES(0,
                                                               -1)) */
/* Axes of size 1 taken out: those, or all there are. */
typedef struct {
    wg_axes axis;
} wg_squeeze_options;
#define wg_squeeze_defaults .axis = WG_NO_AXES
WG_API wg_tensor wg_squeeze(wg_tensor x, wg_squeeze_options options);
/* The same elements, lying in row-major order. */
WG_API wg_tensor wg_contiguous(wg_tensor x);

/* ---- Other orders of the axes ------------------------------------------------------------------------------------
 * Views. */
/* Axis i of the result is axis axes[i] of x; each is named once. */
WG_API wg_tensor wg_permute_dims(wg_tensor x, wg_axes axes); /* wg_permute_dims(x, WG_AXES(0, 2, 1)) */
/* The last two axes exchanged: [..., n, m] gives [..., m, n]. */
WG_API wg_tensor wg_matrix_transpose(wg_tensor x);
WG_API wg_tensor wg_swapaxes(wg_tensor x, int axis1, int axis2);
/* Axis source[i] becomes axis destination[i]; the others keep their order. */
WG_API wg_tensor wg_moveaxis(wg_tensor x, wg_axes source, wg_axes destination); /* wg_moveaxis(x, 1, -1) */

/* ---- Parts and windows -------------------------------------------------------------------------------------------
 * Views. */
/* x stretched: axes of size 1, and new ones in front, repeat what is there. */
WG_API wg_tensor wg_broadcast_to(wg_tensor x, wg_shape shape);
/* x backwards along `axis`, or along all axes. */
typedef struct {
    wg_axes axis;
} wg_flip_options;
#define wg_flip_defaults .axis = WG_NO_AXES
WG_API wg_tensor wg_flip(wg_tensor x, wg_flip_options options);
/* x[start:stop:step] along each axis, as in Python: clamped to what is there, negative ones count from the end, a
 * negative step goes backwards. An entry WG_NO_INTEGER, or a list that ends before, is the one left out: x[::]. */
typedef struct {
    wg_ints start, stop, step;
} wg_slice_options;
#define wg_slice_defaults .start = WG_NO_INTS, .stop = WG_NO_INTS, .step = WG_NO_INTS
WG_API wg_tensor wg_slice(wg_tensor x, wg_slice_options options); /* wg_slice(x, .start = WG_INTS(1), .stop =
                                                                     WG_INTS(-1)) */
/* Entry `index` of `axis`, which goes; a negative one counts from the end. */
WG_API wg_tensor wg_select(wg_tensor x, int axis, int64_t index);
/* Entries [start, start + length) of `axis`; a negative start counts from the end. */
WG_API wg_tensor wg_narrow(wg_tensor x, int axis, int64_t start, int64_t length);
/* y[..., i] = x[..., i, i + offset], or x[..., i - offset, i] below the diagonal. */
typedef struct {
    int64_t offset;
} wg_diagonal_options;
#define wg_diagonal_defaults .offset = 0
WG_API wg_tensor wg_diagonal(wg_tensor x, wg_diagonal_options options);
/* Windows of `size` entries of `axis`, one every `step`, on a new last axis: n entries have (n - size) / step + 1,
 * rounded down. Entries in several windows get the sum of their gradients. */
WG_API wg_tensor wg_unfold(wg_tensor x, int axis, int64_t size, int64_t step);

/* ---- Joining and splitting --------------------------------------------------------------------------------------- */
/* Tensors one behind the other along `axis`; their other sizes are equal. */
typedef struct {
    int axis;
} wg_concat_options;
#define wg_concat_defaults .axis = 0
WG_API wg_tensor wg_concat(wg_tensors x, wg_concat_options options); /* wg_concat(WG_TENSORS(a, b), .axis = 1) */
/* Tensors of one shape along a new axis, which is axis `axis` of the result. */
typedef struct {
    int axis;
} wg_stack_options;
#define wg_stack_defaults .axis = 0
WG_API wg_tensor wg_stack(wg_tensors x, wg_stack_options options);
/* The n entries of `axis`, which goes, into out. */
typedef struct {
    int axis;
} wg_unstack_options;
#define wg_unstack_defaults .axis = 0
WG_API wg_status wg_unstack(wg_tensor x, wg_tensor *out, int n, wg_unstack_options options);
/* Pieces of those sizes along `axis`, which add up to its size, into out: one a size. */
/* wg_split(x, 1, WG_LIST(2, 3), out) */
WG_API wg_status wg_split(wg_tensor x, int axis, wg_list sizes, wg_tensor *out);
/* Vectors as coordinates of a grid: out[i] has vector i along its own axis and repeats it along the others. With "ij"
 * axis i is vector i's; with "xy" the first two are exchanged, as in a picture. */
typedef struct {
    const char *indexing; /* "xy", "ij" */
} wg_meshgrid_options;
#define wg_meshgrid_defaults .indexing = "xy"
WG_API wg_status wg_meshgrid(wg_tensors x, wg_tensor *out, wg_meshgrid_options options);

/* ---- Rearranging ------------------------------------------------------------------------------------------------- */
/* pad_width[i] entries before and after axis i: `value` ("constant"), the outermost entry ("edge"), x mirrored at its
 * outermost entries, which are not repeated ("reflect"), or x again ("wrap"); the last two as often as needed. */
typedef struct {
    int64_t pad_width[WG_MAX_RANK][2];
    const char *mode; /* "constant", "reflect", "edge", "wrap" */
    double value;
} wg_pad_options;
#define wg_pad_defaults .pad_width = {{WG_NO_INTEGER}}, .mode = "constant", .value = 0
WG_API wg_tensor wg_pad(wg_tensor x, wg_pad_options options); /* wg_pad(x, .pad_width = {{1, 1}, {2, 0}}) */
/* Entry i of axis[k] goes to i + shift[k], around the end; without axis, of the flattened x by its one shift. */
typedef struct {
    wg_ints shift;
    wg_axes axis;
} wg_roll_options;
#define wg_roll_defaults .shift = WG_NO_INTS, .axis = WG_NO_AXES
WG_API wg_tensor wg_roll(wg_tensor x, wg_roll_options options); /* wg_roll(x, .shift = 1, .axis = 0) */
/* x again and again along each axis; the shorter of shape and list has ones put in front. */
WG_API wg_tensor wg_tile(wg_tensor x, wg_ints repetitions);
/* Entry i of `axis`, or of the flattened x, repeats[i] times, or all repeats[0] times where there is one. */
typedef struct {
    wg_list repeats;
    int axis;
} wg_repeat_options;
#define wg_repeat_defaults .repeats = {NULL, -1}, .axis = WG_NO_AXIS
WG_API wg_tensor wg_repeat(wg_tensor x, wg_repeat_options options); /* wg_repeat(x, .repeats = WG_LIST(2), .axis = 0) */

/* ---- Diagonals and triangles ------------------------------------------------------------------------------------- */
/* The matrix with a vector on its k-th diagonal (k > 0: above), zeros elsewhere; of a matrix, that diagonal. */
typedef struct {
    int64_t k;
} wg_diag_options;
#define wg_diag_defaults .k = 0
WG_API wg_tensor wg_diag(wg_tensor x, wg_diag_options options);
/* The sum of the diagonal of the last two axes, of a float x. */
WG_API wg_tensor wg_trace(wg_tensor x);
/* x on and below (tril), on and above (triu) the k-th diagonal of its last two axes; elsewhere 0, also where x is
 * NaN. */
typedef struct {
    int64_t k;
} wg_tril_options, wg_triu_options;
#define wg_tril_defaults .k = 0
#define wg_triu_defaults .k = 0
WG_API wg_tensor wg_tril(wg_tensor x, wg_tril_options options);
WG_API wg_tensor wg_triu(wg_tensor x, wg_triu_options options);

static inline wg_axes wg_axes_itself(wg_axes axes) { return axes; }
static inline wg_axes wg_axes_of_one(int axis)
{
    wg_axes axes = {{axis}, 1};
    return axes;
}

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
/* One axis or several: 0, or WG_AXES(0, 2). */
#define WG_AXES_OF(axis) (_Generic((axis), wg_axes: wg_axes_itself, default: wg_axes_of_one)(axis))

#define wg_reshape(x, shape) WG_AT((wg_reshape)(x, shape))
#define wg_flatten(...) WG_AT(WG_OPTIONS1(wg_flatten, __VA_ARGS__, ))
#define wg_unflatten(x, axis, shape) WG_AT((wg_unflatten)(x, axis, shape))
#define wg_expand_dims(x, axis) WG_AT((wg_expand_dims)(x, WG_AXES_OF(axis)))
#define wg_squeeze(...) WG_AT(WG_OPTIONS1(wg_squeeze, __VA_ARGS__, ))
#define wg_contiguous(x) WG_AT((wg_contiguous)(x))
#define wg_permute_dims(x, axes) WG_AT((wg_permute_dims)(x, axes))
#define wg_matrix_transpose(x) WG_AT((wg_matrix_transpose)(x))
#define wg_swapaxes(x, axis1, axis2) WG_AT((wg_swapaxes)(x, axis1, axis2))
#define wg_moveaxis(x, source, destination) WG_AT((wg_moveaxis)(x, WG_AXES_OF(source), WG_AXES_OF(destination)))
#define wg_broadcast_to(x, shape) WG_AT((wg_broadcast_to)(x, shape))
#define wg_flip(...) WG_AT(WG_OPTIONS1(wg_flip, __VA_ARGS__, ))
#define wg_slice(...) WG_AT(WG_OPTIONS1(wg_slice, __VA_ARGS__, ))
#define wg_select(x, axis, index) WG_AT((wg_select)(x, axis, index))
#define wg_narrow(x, axis, start, length) WG_AT((wg_narrow)(x, axis, start, length))
#define wg_diagonal(...) WG_AT(WG_OPTIONS1(wg_diagonal, __VA_ARGS__, ))
#define wg_unfold(x, axis, size, step) WG_AT((wg_unfold)(x, axis, size, step))
#define wg_concat(...) WG_AT(WG_OPTIONS1(wg_concat, __VA_ARGS__, ))
#define wg_stack(...) WG_AT(WG_OPTIONS1(wg_stack, __VA_ARGS__, ))
#define wg_unstack(x, ...) WG_OPTIONS3(wg_unstack, WG_HERE_AT(x), __VA_ARGS__, )
#define wg_split(x, axis, sizes, out) (wg_split)(WG_HERE_AT(x), axis, sizes, out)
#define wg_meshgrid(...) WG_OPTIONS2(wg_meshgrid, __VA_ARGS__, )
#define wg_pad(...) WG_AT(WG_OPTIONS1(wg_pad, __VA_ARGS__, ))
#define wg_roll(...) WG_AT(WG_OPTIONS1(wg_roll, __VA_ARGS__, ))
#define wg_tile(x, repetitions) WG_AT((wg_tile)(x, repetitions))
#define wg_repeat(...) WG_AT(WG_OPTIONS1(wg_repeat, __VA_ARGS__, ))
#define wg_diag(...) WG_AT(WG_OPTIONS1(wg_diag, __VA_ARGS__, ))
#define wg_trace(x) WG_AT((wg_trace)(x))
#define wg_tril(...) WG_AT(WG_OPTIONS1(wg_tril, __VA_ARGS__, ))
#define wg_triu(...) WG_AT(WG_OPTIONS1(wg_triu, __VA_ARGS__, ))
#endif

#endif
