/* Views of parts of x: stretched, backwards, cut out, in windows. Where elements are left out or read several times
 * (slice, select, narrow, diagonal, unfold) no view takes the cotangent back; one linear map does so for all of them:
 * add_strided, which adds it to zeros where the view would read a row-major x. Its transpose is read_strided, so that
 * derivatives of any order are made of these two. */
#include <stdlib.h>

#include "core/tape.h"
#include "ops/chain.h"
#include "ops/code.h"
#include "ops/shape.h"
#include "wengert/map.h"

#define WINDOWS(OP)                                                                                                    \
    OP(broadcast_to) OP(flip) OP(slice) OP(select) OP(narrow) OP(diagonal) OP(unfold) OP(add_strided)                  \
    OP(add_strided_onto) OP(read_strided)
WG_CONTENTS(WINDOWS)

/* ---- add_strided and read_strided ------------------------------------------------------------------------------ */
/* Index i of g belongs to element offset + sum of i[k] stride[k] of a row-major array of `shape`. */
typedef struct {
    wg_shape shape;
    wg_ints stride;
    int64_t offset;
} wg_add_strided_options;
#define wg_add_strided_defaults .shape = WG_NO_SHAPE, .stride = WG_NO_INTS, .offset = WG_NO_INTEGER
typedef struct {
    wg_shape shape; /* of the result */
    wg_ints stride;
    int64_t offset;
} wg_read_strided_options;
#define wg_read_strided_defaults .shape = WG_NO_SHAPE, .stride = WG_NO_INTS, .offset = WG_NO_INTEGER

/* Do the strides keep every index of `shape` within an array of n elements? */
static wg_status strides_stay_within(const wg_call *c, const wg_shape *shape, const wg_ints *stride, int64_t offset,
                                     int64_t n)
{
    int64_t low = offset, high = offset, reach;
    bool within = shape->rank == stride->n;
    for (int i = 0; i < shape->rank && within; i++) {
        if (shape->dim[i] <= 0)
            return shape->dim[i] ? wg_fail(c, WG_ERROR_VALUE, "a negative size") : WG_OK;
        within = !__builtin_mul_overflow(shape->dim[i] - 1, stride->at[i], &reach) &&
                 !__builtin_add_overflow(reach < 0 ? low : high, reach, reach < 0 ? &low : &high);
    }
    return within && low >= 0 && high < n ? WG_OK : wg_fail(c, WG_ERROR_INDEX, "the strides lead out of the array");
}

static wg_status add_strided_type(wg_call *c)
{
    const wg_add_strided_options *o = c->options;
    wg_shape of = wg_type_shape(&c->x[0]);
    int64_t n;
    size_t bytes;
    c->y[0] = wg_type_make(c->dtype, o->shape);
    if (!wg_type_fits(&c->y[0], &n, &bytes))
        return WG_OK; /* refused by the recorder */
    return strides_stay_within(c, &of, &o->stride, o->offset, n);
}

/* May two indices meet? No, if each axis steps over all that the axes of smaller strides reach. */
static bool may_overlap(const wg_type *type, const wg_ints *stride)
{
    bool done[WG_MAX_RANK] = {false};
    int64_t reach = 0;
    for (int n = 0; n < type->rank; n++) {
        int next = -1;
        for (int i = 0; i < type->rank; i++)
            if (!done[i] && (next < 0 || llabs(stride->at[i]) < llabs(stride->at[next])))
                next = i;
        done[next] = true;
        if (type->dim[next] > 1 && llabs(stride->at[next]) <= reach)
            return true;
        reach += (type->dim[next] - 1) * llabs(stride->at[next]);
    }
    return false;
}

#define ADD_LOOP(T, S)                                                                                                 \
    {                                                                                                                  \
        const T *restrict g = (const T *)from + first;                                                                 \
        S *restrict to = (S *)sum + place;                                                                             \
        for (int64_t i = 0; step == 1 && i < n; i++) /* vector code */                                                 \
            to[i] += (S)g[i];                                                                                          \
        for (int64_t i = 0; step != 1 && i < n; i++)                                                                   \
            to[i * step] += (S)g[i];                                                                                   \
    }

/* n elements of `dtype` from number `first` on, to sums of a dtype of theirs. */
static WG_CLONES void add_row(wg_dtype dtype, wg_dtype of_sums, int64_t n, int64_t step, const void *from,
                              int64_t first, void *sum, int64_t place)
{
    if (dtype == WG_FLOAT64)
        ADD_LOOP(double, double)
    else if (of_sums == WG_FLOAT64)
        ADD_LOOP(float, double)
    else
        ADD_LOOP(float, float)
}

/* g in row-major order, added to `sum` where its indices say. */
static void add_in_order(const wg_type *g, const wg_ints *stride, int64_t offset, const void *from, wg_dtype of_sums,
                         void *sum)
{
    int inner = g->rank - 1;
    int64_t at[WG_MAX_RANK] = {0}, place = offset, n = wg_type_count(g), length = inner < 0 ? 1 : g->dim[inner];
    for (int64_t done = 0; done < n; done += length) {
        add_row(g->dtype, of_sums, length, inner < 0 ? 1 : stride->at[inner], from, done, sum, place);
        for (int k = inner - 1; k >= 0; k--) {
            place += stride->at[k];
            if (++at[k] < g->dim[k])
                break;
            place -= at[k] * stride->at[k];
            at[k] = 0;
        }
    }
}

/* Operand x, added to what y holds. Where several elements of float32 meet, they are added up in doubles. */
static wg_status add_operand(const wg_call *c, int x, const wg_add_strided_options *o)
{
    size_t n = (size_t)wg_type_count(&c->y[0]);
    if (!wg_type_count(&c->x[x]))
        return WG_OK;
    if (c->dtype == WG_FLOAT64 || !may_overlap(&c->x[x], &o->stride)) {
        add_in_order(&c->x[x], &o->stride, o->offset, c->from[x], c->dtype, c->to[0]);
        return WG_OK;
    }
    float *y = c->to[0];
    double *sum = wg_scratch(c, n * sizeof *sum);
    if (!sum)
        return WG_ERROR_MEMORY;
    for (size_t i = 0; i < n; i++)
        sum[i] = (double)y[i];
    add_in_order(&c->x[x], &o->stride, o->offset, c->from[x], WG_FLOAT64, sum);
    for (size_t i = 0; i < n; i++)
        y[i] = (float)sum[i];
    return WG_OK;
}

static wg_status add_strided_run(const wg_call *c)
{
    const wg_add_strided_options *o = c->options;
    const wg_type *g = &c->x[0];
    size_t n = (size_t)wg_type_count(&c->y[0]), size = wg_dtype_size(c->dtype);
    memset(c->to[0], 0, n * size);
    if (!wg_type_count(g))
        return WG_OK;
    if (!may_overlap(g, &o->stride)) {
        wg_scatter_strided(g, o->stride.at, c->from[0], (char *)c->to[0] + o->offset * (int64_t)size);
        return WG_OK;
    }
    return add_operand(c, 0, o);
}

/* Sums of float32 are taken as they are: there are few elements in each. */
static wg_status add_strided_c(const wg_call *c, wg_code *w)
{
    const wg_add_strided_options *o = c->options;
    wg_code_fill(w, "y", wg_type_count(&c->y[0]), "0");
    if (wg_type_count(&c->x[0]))
        wg_code_move(w, &c->x[0], (wg_code_array){"y", o->offset, o->stride.at}, "+=", (wg_code_array){"x", 0, NULL});
    return WG_OK;
}

static wg_tensor read_strided(wg_tensor x, wg_shape shape, const wg_ints *stride, int64_t offset);

static wg_tensor add_strided_dx(const wg_call *c, wg_tensor g)
{
    const wg_add_strided_options *o = c->options;
    return read_strided(g, wg_type_shape(&c->x[0]), &o->stride, o->offset);
}

WG_OP(add_strided) = {
    .name = "add_strided",
    .doc = "y = zeros of `shape`, with x[i] added to element offset + sum of i[k] stride[k]",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_add_strided, WG_ATTR_REQUIRED(wg_add_strided, shape),
                         WG_ATTR_REQUIRED(wg_add_strided, stride), WG_ATTR_REQUIRED(wg_add_strided, offset)),
    .type = add_strided_type,
    .run = add_strided_run,
    .c = add_strided_c,
    .vjp = {add_strided_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,3] shape=[3,4] stride=[4,1] offset=5", "[4,3] shape=[6] stride=[1,1] offset=0"},
    .hidden = true,
};

static wg_tensor add_strided(wg_tensor g, wg_shape shape, const wg_ints *stride, int64_t offset)
{
    return WG_RECORD(add_strided, (&(wg_add_strided_options){shape, *stride, offset}), g);
}

/* ---- add_strided_onto: the same to an array that is there -------------------------------------------------------- */
static wg_status add_strided_onto_type(wg_call *c)
{
    const wg_add_strided_options *o = c->options;
    wg_shape of = wg_type_shape(&c->x[1]);
    c->y[0] = c->x[0];
    return strides_stay_within(c, &of, &o->stride, o->offset, wg_type_count(&c->x[0]));
}

/* to = sum, with the n elements of x added from element `first` on. */
#define ONTO_LOOP(T)                                                                                                   \
    {                                                                                                                  \
        const T *restrict a = sum, *restrict b = x;                                                                    \
        T *restrict y = to;                                                                                            \
        for (int64_t i = 0; i < first; i++)                                                                            \
            y[i] = a[i];                                                                                               \
        for (int64_t i = 0; i < n; i++)                                                                                \
            y[first + i] = a[first + i] + b[i];                                                                        \
        for (int64_t i = first + n; i < all; i++)                                                                      \
            y[i] = a[i];                                                                                               \
    }

static WG_CLONES void add_stretch(wg_dtype dtype, int64_t all, int64_t first, int64_t n, const void *sum, const void *x,
                                  void *to)
{
    if (dtype == WG_FLOAT32)
        ONTO_LOOP(float)
    else
        ONTO_LOOP(double)
}

/* Do the elements of x come one behind the other? */
static bool is_stretch(const wg_type *x, const wg_ints *stride)
{
    int64_t step = 1;
    bool is = true;
    for (int i = x->rank; i-- > 0; step *= x->dim[i])
        is = is && (x->dim[i] == 1 || stride->at[i] == step);
    return is;
}

static wg_status add_strided_onto_run(const wg_call *c)
{
    const wg_add_strided_options *o = c->options;
    if (is_stretch(&c->x[1], &o->stride)) {
        add_stretch(c->dtype, wg_type_count(&c->y[0]), o->offset, wg_type_count(&c->x[1]), c->from[0], c->from[1],
                    c->to[0]);
        return WG_OK;
    }
    memcpy(c->to[0], c->from[0], wg_type_bytes(&c->y[0]));
    return add_operand(c, 1, o);
}

static wg_status add_strided_onto_c(const wg_call *c, wg_code *w)
{
    const wg_add_strided_options *o = c->options;
    wg_code_move(w, &c->y[0], (wg_code_array){"y", 0, NULL}, "=", (wg_code_array){"sum", 0, NULL});
    if (wg_type_count(&c->x[1]))
        wg_code_move(w, &c->x[1], (wg_code_array){"y", o->offset, o->stride.at}, "+=", (wg_code_array){"x", 0, NULL});
    return WG_OK;
}

static wg_tensor add_strided_onto_dsum(const wg_call *c, wg_tensor g)
{
    (void)c;
    return g;
}

static wg_tensor add_strided_onto_dx(const wg_call *c, wg_tensor g)
{
    const wg_add_strided_options *o = c->options;
    return read_strided(g, wg_type_shape(&c->x[1]), &o->stride, o->offset);
}

WG_OP(add_strided_onto) = {
    .name = "add_strided_onto",
    .doc = "y = sum, with x[i] added to element offset + sum of i[k] stride[k]",
    .in = {{"sum", 0}, {"x", 0}},
    .options = WG_SCHEMA(wg_add_strided, WG_ATTR_REQUIRED(wg_add_strided, shape),
                         WG_ATTR_REQUIRED(wg_add_strided, stride), WG_ATTR_REQUIRED(wg_add_strided, offset)),
    .type = add_strided_onto_type,
    .run = add_strided_onto_run,
    .c = add_strided_onto_c,
    .vjp = {add_strided_onto_dsum, add_strided_onto_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[3,4] [2,3] shape=[3,4] stride=[4,1] offset=5", "[6] [4,3] shape=[6] stride=[1,1] offset=0",
                "[2,3] [] shape=[2,3] stride=[] offset=4"},
    .hidden = true,
};

wg_tensor wg_strided_sum(wg_tensor sum, wg_tensor y)
{
    const wg_node *node = wg_is_tensor(y) ? wg_node_at(y.tape, y.node) : NULL;
    if (!node || node->op != &add_strided_op)
        return WG_NONE;
    return WG_RECORD(add_strided_onto, wg_node_options(node), sum, wg_node_tensor(y.tape, wg_node_in(node)[0]));
}

static wg_status read_strided_type(wg_call *c)
{
    const wg_read_strided_options *o = c->options;
    int64_t n;
    size_t bytes;
    c->y[0] = wg_type_make(c->dtype, o->shape);
    if (!wg_type_fits(&c->y[0], &n, &bytes))
        return WG_OK;
    return strides_stay_within(c, &o->shape, &o->stride, o->offset, wg_type_count(&c->x[0]));
}

static wg_status read_strided_run(const wg_call *c)
{
    const wg_read_strided_options *o = c->options;
    int64_t size = (int64_t)wg_dtype_size(c->dtype);
    if (wg_type_count(&c->y[0]))
        wg_gather_strided(&c->y[0], o->stride.at, (const char *)c->from[0] + o->offset * size, c->to[0]);
    return WG_OK;
}

static wg_status read_strided_c(const wg_call *c, wg_code *w)
{
    const wg_read_strided_options *o = c->options;
    wg_code_move(w, &c->y[0], (wg_code_array){"y", 0, NULL}, "=", (wg_code_array){"x", o->offset, o->stride.at});
    return WG_OK;
}

static wg_tensor read_strided_dx(const wg_call *c, wg_tensor g)
{
    const wg_read_strided_options *o = c->options;
    return add_strided(g, wg_type_shape(&c->x[0]), &o->stride, o->offset);
}

WG_OP(read_strided) = {
    .name = "read_strided",
    .doc = "y[i] = element offset + sum of i[k] stride[k] of x in row-major order",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_read_strided, WG_ATTR_REQUIRED(wg_read_strided, shape),
                         WG_ATTR_REQUIRED(wg_read_strided, stride), WG_ATTR_REQUIRED(wg_read_strided, offset)),
    .type = read_strided_type,
    .run = read_strided_run,
    .c = read_strided_c,
    .vjp = {read_strided_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[3,4] shape=[2,3] stride=[4,1] offset=5", "[6] shape=[4,3] stride=[1,1] offset=0"},
    .hidden = true,
};

static wg_tensor read_strided(wg_tensor x, wg_shape shape, const wg_ints *stride, int64_t offset)
{
    return WG_RECORD(read_strided, (&(wg_read_strided_options){shape, *stride, offset}), x);
}

/* The cotangent of any view that leaves elements out or reads some several times: where it would read a row-major x. */
static wg_tensor view_dx(const wg_call *c, wg_tensor g)
{
    wg_call row_major = *c;
    wg_ints stride = {.n = c->y[0].rank};
    int64_t offset = 0;
    row_major.stride = NULL;
    c->op->view(&row_major, stride.at, &offset);
    return add_strided(g, wg_type_shape(&c->x[0]), &stride, offset);
}

/* ---- broadcast_to ------------------------------------------------------------------------------------------------ */
typedef struct {
    wg_shape shape;
} wg_broadcast_to_options;
#define wg_broadcast_to_defaults .shape = WG_NO_SHAPE

static wg_status broadcast_to_type(wg_call *c)
{
    const wg_broadcast_to_options *o = c->options;
    const wg_type *x = &c->x[0];
    char text[200];
    int lead = o->shape.rank - x->rank;
    bool fits = lead >= 0;
    for (int i = 0; i < o->shape.rank; i++) {
        if (o->shape.dim[i] < 0)
            return wg_fail(c, WG_ERROR_VALUE, "a negative size in %s", wg_shape_text(&o->shape, text, sizeof text));
        fits = fits && (i < lead || x->dim[i - lead] == 1 || x->dim[i - lead] == o->shape.dim[i]);
    }
    if (!fits)
        return wg_fail(c, WG_ERROR_SHAPE, "%s does not broadcast to %s", wg_show(c, 0),
                       wg_shape_text(&o->shape, text, sizeof text));
    c->y[0] = wg_type_make(x->dtype, o->shape);
    return WG_OK;
}

static wg_status broadcast_to_view(const wg_call *c, int64_t *stride, int64_t *offset)
{
    *offset = 0;
    wg_broadcast_strides(&c->x[0], c->stride[0], &c->y[0], stride);
    return WG_OK;
}

/* The traversal sums it over the axes that were stretched. */
static wg_tensor broadcast_to_dx(const wg_call *c, wg_tensor g)
{
    (void)c;
    return g;
}

WG_OP(broadcast_to) = {
    .name = "broadcast_to",
    .doc = "y = x, repeated along its axes of size 1 and along new ones in front",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_broadcast_to, WG_ATTR_REQUIRED(wg_broadcast_to, shape)),
    .type = broadcast_to_type,
    .view = broadcast_to_view,
    .vjp = {broadcast_to_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .lanes = WG_LANES_SHIFTED,
    .samples = {"[3,1] shape=[2,3,4]", "[] shape=[2]", "[2] shape=[2]", "[1] shape=[0]", "[3] shape=[0,3]"},
};

wg_tensor (wg_broadcast_to)(wg_tensor x, wg_shape shape)
{
    return WG_RECORD(broadcast_to, (&(wg_broadcast_to_options){shape}), x);
}

/* ---- flip -------------------------------------------------------------------------------------------------------- */
static wg_status flip_view(const wg_call *c, int64_t *stride, int64_t *offset)
{
    const wg_flip_options *o = c->options;
    bool empty = wg_type_count(&c->x[0]) == 0;
    wg_operand_strides(c, stride);
    *offset = 0;
    for (int i = 0; i < o->axis.n && !empty; i++) {
        int axis = o->axis.at[i];
        *offset += (c->x[0].dim[axis] - 1) * stride[axis];
        stride[axis] = -stride[axis];
    }
    return WG_OK;
}

static wg_tensor flip_dx(const wg_call *c, wg_tensor g)
{
    const wg_flip_options *o = c->options;
    return wg_flip(g, .axis = o->axis);
}

WG_OP(flip) = {
    .name = "flip",
    .doc = "y = x backwards along `axis`, or along all axes",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_flip, WG_ATTR(wg_flip, axis)),
    .type = wg_type_as_first,
    .view = flip_view,
    .vjp = {flip_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .lanes = WG_LANES_SHIFTED,
    .samples = {"[2,3]", "[2,3,4] axis=1", "[2,3,4] axis=[0,-1]", "[]", "[0,2]"},
};

wg_tensor (wg_flip)(wg_tensor x, wg_flip_options options) { return WG_RECORD(flip, &options, x); }

/* ---- slice ------------------------------------------------------------------------------------------------------- */
static int64_t entry(const wg_ints *list, int i) { return i < list->n ? list->at[i] : WG_NO_INTEGER; }

/* A bound as Python reads it: absent, or counted from the end where negative, and brought into [low, high]. */
static int64_t bound(int64_t given, int64_t absent, int64_t n, int64_t low, int64_t high)
{
    if (given == WG_NO_INTEGER)
        return absent;
    int64_t at = given < 0 ? given + n : given;
    return at < low ? low : at > high ? high : at;
}

/* How many entries of axis i there are; where they start and how far they are apart. */
static int64_t sliced(const wg_call *c, int i, int64_t *start, int64_t *step)
{
    const wg_slice_options *o = c->options;
    int64_t n = c->x[0].dim[i], given = entry(&o->step, i);
    *step = given == WG_NO_INTEGER ? 1 : given;
    bool forward = *step > 0;
    int64_t low = forward ? 0 : -1, high = forward ? n : n - 1;
    int64_t first = bound(entry(&o->start, i), forward ? low : high, n, low, high);
    int64_t end = bound(entry(&o->stop, i), forward ? high : low, n, low, high);
    *start = first;
    if (forward)
        return first < end ? (end - first - 1) / *step + 1 : 0;
    return end < first ? (first - end - 1) / -*step + 1 : 0;
}

static wg_status slice_type(wg_call *c)
{
    const wg_slice_options *o = c->options;
    const wg_ints *lists[] = {&o->start, &o->stop, &o->step};
    for (int i = 0; i < 3; i++)
        if (lists[i]->n > c->x[0].rank)
            return wg_fail(c, WG_ERROR_SHAPE, "%d slices for the axes of %s", lists[i]->n, wg_show(c, 0));
    c->y[0] = c->x[0];
    for (int i = 0; i < c->x[0].rank; i++) {
        int64_t start, step;
        if (entry(&o->step, i) == 0)
            return wg_fail(c, WG_ERROR_VALUE, "the step of axis %d is 0", i);
        c->y[0].dim[i] = sliced(c, i, &start, &step);
    }
    return WG_OK;
}

static wg_status slice_view(const wg_call *c, int64_t *stride, int64_t *offset)
{
    bool empty = wg_type_count(&c->y[0]) == 0;
    wg_operand_strides(c, stride);
    *offset = 0;
    for (int i = 0; i < c->x[0].rank && !empty; i++) {
        int64_t start, step, n = sliced(c, i, &start, &step);
        *offset += start * stride[i];
        stride[i] *= n > 1 ? step : 1; /* a step past the only entry may be of any size */
    }
    return WG_OK;
}

WG_OP(slice) = {
    .name = "slice",
    .doc = "y = x[start:stop:step] along each axis by Python's rules: clamped, negative ones count from the end",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_slice, WG_ATTR(wg_slice, start), WG_ATTR(wg_slice, stop), WG_ATTR(wg_slice, step)),
    .type = slice_type,
    .view = slice_view,
    .vjp = {view_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[5,4] start=[1,0] stop=[4,-1] step=[2,1]", "[6] start=[4] stop=[0] step=[-2]",
                "[3,4] start=[1]", "[3] start=[2] stop=[1] step=[1]", "[]", "[0,3] start=[0,1] stop=[5,9] step=[1,1]"},
};

wg_tensor (wg_slice)(wg_tensor x, wg_slice_options options) { return WG_RECORD(slice, &options, x); }

/* ---- select ------------------------------------------------------------------------------------------------------ */
typedef struct {
    int axis;
    int64_t index;
} wg_select_options;
#define wg_select_defaults .axis = WG_NO_AXIS, .index = WG_NO_INTEGER

static wg_status select_type(wg_call *c)
{
    const wg_select_options *o = c->options;
    int64_t n = c->x[0].dim[o->axis];
    if (o->index < -n || o->index >= n)
        return wg_fail(c, WG_ERROR_INDEX, "index %lld is out of range for axis %d of %s", (long long)o->index, o->axis,
                       wg_show(c, 0));
    c->y[0] = c->x[0];
    c->y[0].rank--;
    memmove(&c->y[0].dim[o->axis], &c->x[0].dim[o->axis + 1], (size_t)(c->y[0].rank - o->axis) * sizeof(int64_t));
    return WG_OK;
}

static wg_status select_view(const wg_call *c, int64_t *stride, int64_t *offset)
{
    const wg_select_options *o = c->options;
    int64_t from[WG_MAX_RANK];
    wg_operand_strides(c, from);
    *offset = (o->index < 0 ? o->index + c->x[0].dim[o->axis] : o->index) * from[o->axis];
    for (int i = 0; i < c->y[0].rank; i++)
        stride[i] = from[i < o->axis ? i : i + 1];
    return WG_OK;
}

WG_OP(select) = {
    .name = "select",
    .doc = "y = entry `index` of one axis, which goes; a negative index counts from the end",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_select, WG_ATTR_REQUIRED(wg_select, axis), WG_ATTR_REQUIRED(wg_select, index)),
    .type = select_type,
    .view = select_view,
    .vjp = {view_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .lanes = WG_LANES_SHIFTED,
    .samples = {"[2,3,4] axis=1 index=2", "[2,3] axis=-1 index=-3", "[3] axis=0 index=1", "[2,0] axis=0 index=1"},
};

wg_tensor (wg_select)(wg_tensor x, int axis, int64_t index)
{
    return WG_RECORD(select, (&(wg_select_options){axis, index}), x);
}

/* ---- narrow ------------------------------------------------------------------------------------------------------ */
typedef struct {
    int axis;
    int64_t start, length;
} wg_narrow_options;
#define wg_narrow_defaults .axis = WG_NO_AXIS, .start = WG_NO_INTEGER, .length = WG_NO_INTEGER

static wg_status narrow_type(wg_call *c)
{
    const wg_narrow_options *o = c->options;
    int64_t n = c->x[0].dim[o->axis];
    if (o->length < 0)
        return wg_fail(c, WG_ERROR_VALUE, "a length of %lld", (long long)o->length);
    if (o->start < -n || o->start > n || o->length > n - (o->start < 0 ? o->start + n : o->start))
        return wg_fail(c, WG_ERROR_INDEX, "%lld entries from %lld on are not all in axis %d of %s",
                       (long long)o->length, (long long)o->start, o->axis, wg_show(c, 0));
    c->y[0] = c->x[0];
    c->y[0].dim[o->axis] = o->length;
    return WG_OK;
}

static wg_status narrow_view(const wg_call *c, int64_t *stride, int64_t *offset)
{
    const wg_narrow_options *o = c->options;
    wg_operand_strides(c, stride);
    *offset = 0;
    if (wg_type_count(&c->y[0]))
        *offset = (o->start < 0 ? o->start + c->x[0].dim[o->axis] : o->start) * stride[o->axis];
    return WG_OK;
}

WG_OP(narrow) = {
    .name = "narrow",
    .doc = "y = entries [start, start + length) of one axis",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_narrow, WG_ATTR_REQUIRED(wg_narrow, axis), WG_ATTR_REQUIRED(wg_narrow, start),
                         WG_ATTR_REQUIRED(wg_narrow, length)),
    .type = narrow_type,
    .view = narrow_view,
    .vjp = {view_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .lanes = WG_LANES_SHIFTED,
    .samples = {"[2,5] axis=1 start=1 length=3", "[4,2] axis=0 start=-2 length=2", "[3] axis=0 start=3 length=0"},
};

wg_tensor (wg_narrow)(wg_tensor x, int axis, int64_t start, int64_t length)
{
    return WG_RECORD(narrow, (&(wg_narrow_options){axis, start, length}), x);
}

/* ---- diagonal ---------------------------------------------------------------------------------------------------- */
int64_t wg_diagonal_length(int64_t n, int64_t m, int64_t offset)
{
    int64_t rows = offset < 0 ? n + offset : n, columns = offset > 0 ? m - offset : m;
    int64_t length = rows < columns ? rows : columns;
    return length > 0 ? length : 0;
}

static wg_status diagonal_type(wg_call *c)
{
    const wg_diagonal_options *o = c->options;
    const wg_type *x = &c->x[0];
    if (x->rank < 2)
        return wg_fail(c, WG_ERROR_SHAPE, "%s has no two axes", wg_show(c, 0));
    c->y[0] = *x;
    c->y[0].rank--;
    c->y[0].dim[x->rank - 2] = wg_diagonal_length(x->dim[x->rank - 2], x->dim[x->rank - 1], o->offset);
    return WG_OK;
}

static wg_status diagonal_view(const wg_call *c, int64_t *stride, int64_t *offset)
{
    const wg_diagonal_options *o = c->options;
    int64_t from[WG_MAX_RANK];
    int row = c->x[0].rank - 2;
    wg_operand_strides(c, from);
    memcpy(stride, from, (size_t)row * sizeof *stride);
    stride[row] = from[row] + from[row + 1];
    *offset = 0;
    if (wg_type_count(&c->y[0]))
        *offset = wg_diagonal_row(o->offset) * from[row] + wg_diagonal_column(o->offset) * from[row + 1];
    return WG_OK;
}

WG_OP(diagonal) = {
    .name = "diagonal",
    .doc = "y[..., i] = x[..., i, i + offset], or x[..., i - offset, i] below the diagonal",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_diagonal, WG_ATTR(wg_diagonal, offset)),
    .type = diagonal_type,
    .view = diagonal_view,
    .vjp = {view_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[3,3]", "[2,3,4] offset=1", "[4,3] offset=-2", "[2,2] offset=5", "[0,3]"},
};

wg_tensor (wg_diagonal)(wg_tensor x, wg_diagonal_options options) { return WG_RECORD(diagonal, &options, x); }

/* The strides of wg_diagonal on a row-major array of `shape`; past its end where the diagonal is empty. */
wg_tensor wg_diagonal_back(wg_tensor g, wg_shape shape, int64_t offset)
{
    wg_ints stride = {.n = shape.rank - 1};
    int row = shape.rank - 2;
    int64_t columns = shape.dim[row + 1] > 1 ? shape.dim[row + 1] : 1;
    int64_t step = columns * (shape.dim[row] > 1 ? shape.dim[row] : 1);
    for (int i = row; i-- > 0;) {
        stride.at[i] = step;
        step *= shape.dim[i] > 1 ? shape.dim[i] : 1;
    }
    stride.at[row] = columns + 1;
    if (!wg_diagonal_length(shape.dim[row], shape.dim[row + 1], offset))
        offset = 0;
    return add_strided(g, shape, &stride, wg_diagonal_row(offset) * columns + wg_diagonal_column(offset));
}

/* ---- unfold ------------------------------------------------------------------------------------------------------ */
typedef struct {
    int axis;
    int64_t size, step;
} wg_unfold_options;
#define wg_unfold_defaults .axis = WG_NO_AXIS, .size = WG_NO_INTEGER, .step = WG_NO_INTEGER

static wg_status unfold_type(wg_call *c)
{
    const wg_unfold_options *o = c->options;
    const wg_type *x = &c->x[0];
    int64_t n = x->dim[o->axis];
    if (o->size < 0 || o->step < 1)
        return wg_fail(c, WG_ERROR_VALUE, "windows of size %lld, one every %lld", (long long)o->size,
                       (long long)o->step);
    if (o->size > n)
        return wg_fail(c, WG_ERROR_SHAPE, "windows of size %lld do not fit in axis %d of %s", (long long)o->size,
                       o->axis, wg_show(c, 0));
    if (wg_rank_fits(c, x->rank + 1))
        return WG_ERROR_SHAPE;
    c->y[0] = *x;
    c->y[0].dim[o->axis] = (n - o->size) / o->step + 1;
    c->y[0].dim[c->y[0].rank++] = o->size;
    return WG_OK;
}

static wg_status unfold_view(const wg_call *c, int64_t *stride, int64_t *offset)
{
    const wg_unfold_options *o = c->options;
    wg_operand_strides(c, stride);
    *offset = 0;
    stride[c->x[0].rank] = stride[o->axis];
    stride[o->axis] *= c->y[0].dim[o->axis] > 1 ? o->step : 1;
    return WG_OK;
}

WG_OP(unfold) = {
    .name = "unfold",
    .doc = "y = windows of `size` entries of one axis, one every `step`, on a new last axis",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_unfold, WG_ATTR_REQUIRED(wg_unfold, axis), WG_ATTR_REQUIRED(wg_unfold, size),
                         WG_ATTR_REQUIRED(wg_unfold, step)),
    .type = unfold_type,
    .view = unfold_view,
    .vjp = {view_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[7] axis=0 size=3 step=2", "[2,5,3] axis=1 size=2 step=1", "[4] axis=0 size=4 step=9",
                "[0,3] axis=1 size=2 step=1"},
};

wg_tensor (wg_unfold)(wg_tensor x, int axis, int64_t size, int64_t step)
{
    return WG_RECORD(unfold, (&(wg_unfold_options){axis, size, step}), x);
}

WG_FAMILY_OF(window, "shape", WINDOWS)
