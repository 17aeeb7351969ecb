/* Views of all of x: its elements under another shape, or with its axes in another order. Each is undone by a view of
 * the same kind, so a cotangent goes back for nothing. Views of parts of x are in window.c. */
#include "ops/shape.h"

#define VIEWS(OP)                                                                                                      \
    OP(reshape) OP(flatten) OP(unflatten) OP(expand_dims) OP(squeeze) OP(contiguous) OP(permute_dims)                  \
    OP(matrix_transpose) OP(swapaxes) OP(moveaxis)
WG_CONTENTS(VIEWS)

/* ---- What the family shares ------------------------------------------------------------------------------------ */
wg_status wg_axes_counted(const wg_call *c, const wg_axes *given, wg_axes *axes)
{
    unsigned seen = 0;
    int rank = c->x[0].rank;
    wg_axes counted = {.n = given->n};
    for (int i = 0; i < given->n; i++) {
        int axis = given->at[i] < 0 ? given->at[i] + rank : given->at[i];
        if (axis < 0 || axis >= rank)
            return wg_fail(c, WG_ERROR_SHAPE, "axis %d is out of range for %s", given->at[i], wg_show(c, 0));
        if (seen >> axis & 1)
            return wg_fail(c, WG_ERROR_SHAPE, "axis %d is given twice", axis);
        seen |= 1u << axis;
        counted.at[i] = axis;
    }
    *axes = counted;
    return WG_OK;
}

wg_status wg_rank_fits(const wg_call *c, int rank)
{
    return rank <= WG_MAX_RANK ? WG_OK
                               : wg_fail(c, WG_ERROR_SHAPE, "%d dimensions are more than %d", rank, WG_MAX_RANK);
}

void wg_operand_strides(const wg_call *c, int64_t *stride)
{
    int64_t step = 1;
    for (int i = c->x[0].rank; i-- > 0;) {
        stride[i] = c->stride && c->stride[0] ? c->stride[0][i] : step;
        step *= c->x[0].dim[i] > 1 ? c->x[0].dim[i] : 1;
    }
}

/* ---- reshape ---------------------------------------------------------------------------------------------------- */
static const char *shape_text(wg_shape shape, char text[200]) { return wg_shape_text(&shape, text, 200); }

/* The sizes of `shape` for `count` elements, with its -1 filled in. */
static wg_status sizes_filled(const wg_call *c, wg_shape shape, int64_t count, int64_t *dim)
{
    char text[200];
    int64_t known = 1;
    int open = -1;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] < -1)
            return wg_fail(c, WG_ERROR_VALUE, "a negative size in %s", shape_text(shape, text));
        if (shape.dim[i] == -1 && open >= 0)
            return wg_fail(c, WG_ERROR_SHAPE, "more than one -1 in %s", shape_text(shape, text));
        if (shape.dim[i] == -1)
            open = i;
        else if (__builtin_mul_overflow(known, shape.dim[i], &known))
            return wg_fail(c, WG_ERROR_SHAPE, "no array has the shape %s", shape_text(shape, text));
        dim[i] = shape.dim[i];
    }
    if (open >= 0 && known == 0)
        return wg_fail(c, WG_ERROR_SHAPE, "-1 beside a 0 in %s could be any size", shape_text(shape, text));
    if (open >= 0 ? count % known != 0 : count != known)
        return wg_fail(c, WG_ERROR_SHAPE, "%lld elements do not make %s", (long long)count, shape_text(shape, text));
    if (open >= 0)
        dim[open] = count / known;
    return WG_OK;
}

typedef struct {
    wg_shape shape;
} wg_reshape_options;
#define wg_reshape_defaults .shape = WG_NO_SHAPE

static wg_status reshape_type(wg_call *c)
{
    const wg_reshape_options *o = c->options;
    c->y[0] = wg_type_make(c->x[0].dtype, o->shape);
    return sizes_filled(c, o->shape, wg_type_count(&c->x[0]), c->y[0].dim);
}

/* x's axes but those of size 1, which put no condition on strides. */
static int axes_that_matter(const wg_call *c, int64_t *dim, int64_t *stride)
{
    int64_t all[WG_MAX_RANK];
    int n = 0;
    wg_operand_strides(c, all);
    for (int i = 0; i < c->x[0].rank; i++)
        if (c->x[0].dim[i] != 1) {
            dim[n] = c->x[0].dim[i];
            stride[n++] = all[i];
        }
    return n;
}

/* Strides exist where each run of axes whose sizes multiply to the same on both sides lies in order in x. */
static wg_status reshape_view(const wg_call *c, int64_t *stride, int64_t *offset)
{
    const wg_type *y = &c->y[0];
    int64_t dim[WG_MAX_RANK], from[WG_MAX_RANK], step = 1;
    int n = axes_that_matter(c, dim, from), i = 0, k = 0;
    *offset = 0;
    if (!wg_type_count(y))
        n = 0;
    while (i < n) {
        int first_i = i, first_k = k;
        int64_t a = dim[i++], b = y->dim[k++];
        while (a != b) {
            if (a < b)
                a *= dim[i++];
            else
                b *= y->dim[k++];
        }
        for (int j = first_i; j < i - 1; j++)
            if (from[j] != dim[j + 1] * from[j + 1])
                return WG_ERROR_UNSUPPORTED;
        step = from[i - 1];
        for (int j = k; j-- > first_k; step *= y->dim[j])
            stride[j] = step;
        step = from[i - 1];
    }
    for (; k < y->rank; k++) /* what is left has size 1 */
        stride[k] = step;
    return WG_OK;
}

static wg_tensor reshape_dx(const wg_call *c, wg_tensor g) { return wg_reshape(g, wg_type_shape(&c->x[0])); }

WG_OP(reshape) = {
    .name = "reshape",
    .doc = "y = the elements of x in row-major order in another shape; one size may be -1: what is left for it",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_reshape, WG_ATTR_REQUIRED(wg_reshape, shape)),
    .type = reshape_type,
    .view = reshape_view,
    .vjp = {reshape_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .lanes = WG_LANES_SHIFTED,
    .samples = {"[2,3,4] shape=[4,-1]", "[6] shape=[1,2,3]", "[] shape=[1,1]", "[1] shape=[]", "[2,0] shape=[0,3]"},
};

wg_tensor (wg_reshape)(wg_tensor x, wg_shape shape)
{
    return WG_RECORD(reshape, (&(wg_reshape_options){shape}), x);
}

/* ---- flatten ---------------------------------------------------------------------------------------------------- */
static wg_status flatten_type(wg_call *c)
{
    const wg_flatten_options *o = c->options;
    const wg_type *x = &c->x[0];
    int rank = x->rank ? x->rank : 1;
    int first = wg_resolve_axis(c, o->start_axis, rank), last = wg_resolve_axis(c, o->end_axis, rank);
    if (first < 0 || last < 0)
        return WG_ERROR_SHAPE;
    if (first > last)
        return wg_fail(c, WG_ERROR_SHAPE, "start_axis %d lies behind end_axis %d", o->start_axis, o->end_axis);
    wg_type *y = &c->y[0];
    *y = (wg_type){.dtype = x->dtype, .rank = rank - (last - first)};
    for (int i = 0; i < y->rank; i++)
        y->dim[i] = x->rank && i != first ? x->dim[i < first ? i : i + last - first] : 1;
    for (int i = first; i <= last && x->rank; i++)
        y->dim[first] *= x->dim[i];
    return WG_OK;
}

WG_OP(flatten) = {
    .name = "flatten",
    .doc = "y = x with the axes from start_axis to end_axis made one; of a 0-d x, [1]",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_flatten, WG_ATTR(wg_flatten, start_axis, .raw = true),
                         WG_ATTR(wg_flatten, end_axis, .raw = true)),
    .type = flatten_type,
    .view = reshape_view,
    .vjp = {reshape_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,3,4]", "[2,3,4] start_axis=1", "[2,3,4] end_axis=-2", "[]", "[2,0,3] start_axis=1"},
};

wg_tensor (wg_flatten)(wg_tensor x, wg_flatten_options options) { return WG_RECORD(flatten, &options, x); }

/* ---- unflatten -------------------------------------------------------------------------------------------------- */
typedef struct {
    int axis;
    wg_shape shape;
} wg_unflatten_options;
#define wg_unflatten_defaults .axis = WG_NO_AXIS, .shape = WG_NO_SHAPE

static wg_status unflatten_type(wg_call *c)
{
    const wg_unflatten_options *o = c->options;
    const wg_type *x = &c->x[0];
    wg_type *y = &c->y[0];
    int more = o->shape.rank - 1;
    if (wg_rank_fits(c, x->rank + more))
        return WG_ERROR_SHAPE;
    *y = (wg_type){.dtype = x->dtype, .rank = x->rank + more};
    for (int i = 0; i < x->rank; i++)
        if (i != o->axis)
            y->dim[i < o->axis ? i : i + more] = x->dim[i];
    return sizes_filled(c, o->shape, x->dim[o->axis], y->dim + o->axis);
}

WG_OP(unflatten) = {
    .name = "unflatten",
    .doc = "y = x with one axis made several, of which one may be -1",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_unflatten, WG_ATTR_REQUIRED(wg_unflatten, axis), WG_ATTR_REQUIRED(wg_unflatten, shape)),
    .type = unflatten_type,
    .view = reshape_view,
    .vjp = {reshape_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,12] axis=1 shape=[3,-1]", "[6,2] axis=-2 shape=[2,3]", "[1,2] axis=0 shape=[]",
                "[2,0] axis=1 shape=[0,3]"},
};

wg_tensor (wg_unflatten)(wg_tensor x, int axis, wg_shape shape)
{
    return WG_RECORD(unflatten, (&(wg_unflatten_options){axis, shape}), x);
}

/* ---- expand_dims ------------------------------------------------------------------------------------------------ */
typedef struct {
    wg_axes axis;
} wg_expand_dims_options;
#define wg_expand_dims_defaults .axis = WG_NO_AXES

static wg_status expand_dims_type(wg_call *c)
{
    const wg_axes *axis = &((const wg_expand_dims_options *)c->options)->axis; /* ascending */
    const wg_type *x = &c->x[0];
    wg_type *y = &c->y[0];
    *y = (wg_type){.dtype = x->dtype, .rank = x->rank + axis->n};
    for (int i = 0, k = 0; i < y->rank; i++) {
        bool is_new = k < axis->n && axis->at[k] == i;
        y->dim[i] = is_new ? 1 : x->dim[i - k];
        k += is_new;
    }
    return WG_OK;
}

WG_OP(expand_dims) = {
    .name = "expand_dims",
    .doc = "y = x with axes of size 1 put in, where `axis` says they are in y",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_expand_dims, WG_ATTR_REQUIRED(wg_expand_dims, axis, .extra_rank = -1)),
    .type = expand_dims_type,
    .view = reshape_view,
    .vjp = {reshape_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .lanes = WG_LANES_SHIFTED,
    .samples = {"[2,3] axis=1", "[2,3] axis=[0,-1]", "[] axis=0", "[0] axis=-1"},
};

wg_tensor (wg_expand_dims)(wg_tensor x, wg_axes axis)
{
    return WG_RECORD(expand_dims, (&(wg_expand_dims_options){axis}), x);
}

/* ---- squeeze ---------------------------------------------------------------------------------------------------- */
static wg_status squeeze_type(wg_call *c)
{
    const wg_squeeze_options *o = c->options;
    const wg_type *x = &c->x[0];
    wg_type *y = &c->y[0];
    wg_axes axis;
    unsigned goes = 0;
    if (wg_axes_counted(c, &o->axis, &axis))
        return WG_ERROR_SHAPE;
    for (int i = 0; i < axis.n; i++) {
        if (x->dim[axis.at[i]] != 1)
            return wg_fail(c, WG_ERROR_SHAPE, "axis %d of %s has not size 1", axis.at[i], wg_show(c, 0));
        goes |= 1u << axis.at[i];
    }
    *y = (wg_type){.dtype = x->dtype};
    for (int i = 0; i < x->rank; i++)
        if (axis.n ? !(goes >> i & 1) : x->dim[i] != 1)
            y->dim[y->rank++] = x->dim[i];
    return WG_OK;
}

WG_OP(squeeze) = {
    .name = "squeeze",
    .doc = "y = x without those axes of size 1, or without all of them",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_squeeze, WG_ATTR(wg_squeeze, axis, .raw = true)),
    .type = squeeze_type,
    .view = reshape_view,
    .vjp = {reshape_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .lanes = WG_LANES_SHIFTED,
    .samples = {"[1,3,1]", "[1,3,1] axis=-1", "[1,3,1] axis=[0,2]", "[]", "[1,0]"},
};

wg_tensor (wg_squeeze)(wg_tensor x, wg_squeeze_options options) { return WG_RECORD(squeeze, &options, x); }

/* ---- contiguous ------------------------------------------------------------------------------------------------- */
static wg_status contiguous_view(const wg_call *c, int64_t *stride, int64_t *offset)
{
    *offset = 0;
    if (c->stride[0])
        return WG_ERROR_UNSUPPORTED; /* it is copied in order: all that is asked */
    wg_operand_strides(c, stride);
    return WG_OK;
}

static wg_tensor contiguous_dx(const wg_call *c, wg_tensor g)
{
    (void)c;
    return g;
}

WG_OP(contiguous) = {
    .name = "contiguous",
    .doc = "y = x, lying in row-major order",
    .in = {{"x", WG_ANY}},
    .type = wg_type_as_first,
    .view = contiguous_view,
    .vjp = {contiguous_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,3]", "[]", "[0,2]"},
};

wg_tensor (wg_contiguous)(wg_tensor x) { return WG_RECORD(contiguous, NULL, x); }

/* ---- permute_dims, matrix_transpose, swapaxes, moveaxis ---------------------------------------------------------- */
/* Each gives an order: axis i of y is axis order[i] of x. From it type and view follow. */
typedef wg_status axis_order(const wg_call *c, int *order);

static wg_status ordered_type(wg_call *c, axis_order *order_of)
{
    int order[WG_MAX_RANK];
    wg_status status = order_of(c, order);
    c->y[0] = c->x[0];
    for (int i = 0; i < c->x[0].rank && !status; i++)
        c->y[0].dim[i] = c->x[0].dim[order[i]];
    return status;
}

static wg_status ordered_view(const wg_call *c, axis_order *order_of, int64_t *stride, int64_t *offset)
{
    int order[WG_MAX_RANK];
    int64_t from[WG_MAX_RANK];
    wg_status status = order_of(c, order);
    wg_operand_strides(c, from);
    *offset = 0;
    for (int i = 0; i < c->x[0].rank && !status; i++)
        stride[i] = from[order[i]];
    return status;
}

#define ORDERED(op)                                                                                                    \
    static wg_status op##_type(wg_call *c) { return ordered_type(c, op##_order); }                                     \
    static wg_status op##_view(const wg_call *c, int64_t *stride, int64_t *offset)                                     \
    {                                                                                                                  \
        return ordered_view(c, op##_order, stride, offset);                                                            \
    }

static void swapped(const wg_call *c, int a, int b, int *order)
{
    for (int i = 0; i < c->x[0].rank; i++)
        order[i] = i == a ? b : i == b ? a : i;
}

typedef struct {
    wg_axes axes;
} wg_permute_dims_options;
#define wg_permute_dims_defaults .axes = WG_NO_AXES

static wg_status permute_dims_order(const wg_call *c, int *order)
{
    const wg_permute_dims_options *o = c->options;
    wg_axes axes;
    if (o->axes.n != c->x[0].rank)
        return wg_fail(c, WG_ERROR_SHAPE, "%d axes for %s", o->axes.n, wg_show(c, 0));
    if (wg_axes_counted(c, &o->axes, &axes))
        return WG_ERROR_SHAPE;
    memcpy(order, axes.at, sizeof axes.at);
    return WG_OK;
}
ORDERED(permute_dims)

static wg_tensor permute_dims_dx(const wg_call *c, wg_tensor g)
{
    int order[WG_MAX_RANK];
    wg_axes inverse = {.n = c->x[0].rank};
    if (permute_dims_order(c, order))
        return wg_fail_tensor(c, WG_ERROR_SHAPE, "the axes do not fit");
    for (int i = 0; i < inverse.n; i++)
        inverse.at[order[i]] = i;
    return wg_permute_dims(g, inverse);
}

WG_OP(permute_dims) = {
    .name = "permute_dims",
    .doc = "y = x with its axes in another order: axis i of y is axis axes[i] of x",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_permute_dims, WG_ATTR_REQUIRED(wg_permute_dims, axes, .raw = true)),
    .type = permute_dims_type,
    .view = permute_dims_view,
    .vjp = {permute_dims_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,3,4] axes=[2,0,1]", "[2,3] axes=[-1,0]", "[] axes=[]", "[2,0,3] axes=[1,2,0]"},
};

wg_tensor (wg_permute_dims)(wg_tensor x, wg_axes axes)
{
    return WG_RECORD(permute_dims, (&(wg_permute_dims_options){axes}), x);
}

static wg_status matrix_transpose_order(const wg_call *c, int *order)
{
    int rank = c->x[0].rank;
    if (rank < 2)
        return wg_fail(c, WG_ERROR_SHAPE, "%s has no two axes", wg_show(c, 0));
    swapped(c, rank - 2, rank - 1, order);
    return WG_OK;
}
ORDERED(matrix_transpose)

static wg_tensor matrix_transpose_dx(const wg_call *c, wg_tensor g)
{
    (void)c;
    return wg_matrix_transpose(g);
}

WG_OP(matrix_transpose) = {
    .name = "matrix_transpose",
    .doc = "y[..., j, i] = x[..., i, j]",
    .in = {{"x", WG_ANY}},
    .type = matrix_transpose_type,
    .view = matrix_transpose_view,
    .vjp = {matrix_transpose_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .lanes = WG_LANES_LEADING,
    .samples = {"[2,3]", "[4,2,3]", "[0,3]"},
};

wg_tensor (wg_matrix_transpose)(wg_tensor x) { return WG_RECORD(matrix_transpose, NULL, x); }

typedef struct {
    int axis1, axis2;
} wg_swapaxes_options;
#define wg_swapaxes_defaults .axis1 = WG_NO_AXIS, .axis2 = WG_NO_AXIS

static wg_status swapaxes_order(const wg_call *c, int *order)
{
    const wg_swapaxes_options *o = c->options;
    swapped(c, o->axis1, o->axis2, order);
    return WG_OK;
}
ORDERED(swapaxes)

static wg_tensor swapaxes_dx(const wg_call *c, wg_tensor g)
{
    const wg_swapaxes_options *o = c->options;
    return wg_swapaxes(g, o->axis1, o->axis2);
}

WG_OP(swapaxes) = {
    .name = "swapaxes",
    .doc = "y = x with axis1 and axis2 exchanged",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_swapaxes, WG_ATTR_REQUIRED(wg_swapaxes, axis1), WG_ATTR_REQUIRED(wg_swapaxes, axis2)),
    .type = swapaxes_type,
    .view = swapaxes_view,
    .vjp = {swapaxes_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .lanes = WG_LANES_SHIFTED,
    .samples = {"[2,3,4] axis1=0 axis2=-1", "[2,3] axis1=1 axis2=1", "[2,0] axis1=0 axis2=1"},
};

wg_tensor (wg_swapaxes)(wg_tensor x, int axis1, int axis2)
{
    return WG_RECORD(swapaxes, (&(wg_swapaxes_options){axis1, axis2}), x);
}

typedef struct {
    wg_axes source, destination;
} wg_moveaxis_options;
#define wg_moveaxis_defaults .source = WG_NO_AXES, .destination = WG_NO_AXES

static wg_status moveaxis_order(const wg_call *c, int *order)
{
    const wg_moveaxis_options *o = c->options;
    int rank = c->x[0].rank;
    unsigned moved = 0;
    wg_axes source, destination;
    if (wg_axes_counted(c, &o->source, &source) || wg_axes_counted(c, &o->destination, &destination))
        return WG_ERROR_SHAPE;
    if (source.n != destination.n)
        return wg_fail(c, WG_ERROR_SHAPE, "%d axes go to %d places", source.n, destination.n);
    for (int i = 0; i < rank; i++)
        order[i] = -1;
    for (int i = 0; i < source.n; i++) {
        order[destination.at[i]] = source.at[i];
        moved |= 1u << source.at[i];
    }
    for (int i = 0, next = 0; i < rank; i++) {
        if (order[i] >= 0)
            continue;
        while (moved >> next & 1)
            next++;
        order[i] = next++;
    }
    return WG_OK;
}
ORDERED(moveaxis)

static wg_tensor moveaxis_dx(const wg_call *c, wg_tensor g)
{
    const wg_moveaxis_options *o = c->options;
    return wg_moveaxis(g, o->destination, o->source);
}

WG_OP(moveaxis) = {
    .name = "moveaxis",
    .doc = "y = x with axis source[i] at destination[i]; the others keep their order",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_moveaxis, WG_ATTR_REQUIRED(wg_moveaxis, source, .raw = true),
                         WG_ATTR_REQUIRED(wg_moveaxis, destination, .raw = true)),
    .type = moveaxis_type,
    .view = moveaxis_view,
    .vjp = {moveaxis_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,3,4] source=0 destination=-1", "[2,3,4] source=[0,1] destination=[-1,0]",
                "[0,3] source=1 destination=0"},
};

wg_tensor (wg_moveaxis)(wg_tensor x, wg_axes source, wg_axes destination)
{
    return WG_RECORD(moveaxis, (&(wg_moveaxis_options){source, destination}), x);
}

WG_FAMILY_OF(view, "shape", VIEWS)
