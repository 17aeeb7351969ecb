/* Joining and splitting: tensors one behind the other along an axis, and the way back. In memory both are the same
 * copy: of an array [before, axis, behind] each of the `before` blocks is made of one stretch from each piece. */
#include "ops/code.h"
#include "core/tape.h"
#include "ops/shape.h"
#include "wengert/map.h"

#define JOINS(OP) OP(concat) OP(stack) OP(unstack) OP(split) OP(meshgrid)
WG_CONTENTS(JOINS)

/* ---- What several need ----------------------------------------------------------------------------------------- */
/* How often the axes in front of `axis` repeat, and the bytes of one entry of it. */
typedef struct {
    int64_t blocks;
    size_t entry;
} stretches;

static stretches along(const wg_type *type, int axis)
{
    stretches s = {1, wg_dtype_size(type->dtype)};
    for (int i = 0; i < type->rank; i++)
        if (i < axis)
            s.blocks *= type->dim[i];
        else if (i > axis)
            s.entry *= (size_t)type->dim[i];
    return s;
}

/* `length` bytes of each block, from blocks `from_step` bytes apart to blocks `to_step` apart. */
static void copy_blocks(int64_t blocks, size_t length, const char *from, size_t from_step, char *to, size_t to_step)
{
    if (length == sizeof(uint64_t)) /* a call each would take longer than the copy */
        for (int64_t b = 0; b < blocks; b++, from += from_step, to += to_step)
            memcpy(to, from, sizeof(uint64_t));
    else
        for (int64_t b = 0; b < blocks && length; b++, from += from_step, to += to_step)
            memcpy(to, from, length);
}

/* Is it the first axis that has more than one entry? Then the pieces along it lie in memory one behind the other. */
static bool is_outermost(const wg_type *type, int axis) { return along(type, axis).blocks == 1; }

/* Cotangent k; zeros of output k's type where it is absent. */
static wg_tensor cotangent(const wg_call *c, int k)
{
    if (!wg_is_none(c->g[k]))
        return c->g[k];
    return wg_broadcast_to(wg_full(c->tape, c->y[k].dtype, WG_SCALAR, 0), wg_type_shape(&c->y[k]));
}

/* All cotangents, in the arena; NULL, and the error reported, when there is no memory. */
static wg_tensor *cotangents(const wg_call *c)
{
    wg_tensor *g = wg_scratch(c, (size_t)(c->n_out + 1) * sizeof *g);
    for (int k = 0; k < c->n_out && g; k++)
        g[k] = cotangent(c, k);
    return g;
}

/* ---- concat ------------------------------------------------------------------------------------------------------ */
static wg_status concat_type(wg_call *c)
{
    const wg_concat_options *o = c->options;
    wg_type *y = &c->y[0];
    *y = c->x[0];
    for (int i = 1; i < c->n_in; i++) {
        const wg_type *x = &c->x[i];
        bool fits = x->rank == y->rank;
        for (int k = 0; k < y->rank && fits; k++)
            fits = k == o->axis || x->dim[k] == y->dim[k];
        if (!fits)
            return wg_fail(c, WG_ERROR_SHAPE, "%s, operand %d, does not go on %s along axis %d", wg_show(c, i), i,
                           wg_show(c, 0), o->axis);
        if (__builtin_add_overflow(y->dim[o->axis], x->dim[o->axis], &y->dim[o->axis]))
            return wg_fail(c, WG_ERROR_MEMORY, "the result is too large");
    }
    return WG_OK;
}

static wg_status concat_run(const wg_call *c)
{
    const wg_concat_options *o = c->options;
    stretches y = along(&c->y[0], o->axis);
    size_t step = y.entry * (size_t)c->y[0].dim[o->axis];
    char *to = c->to[0];
    for (int i = 0; i < c->n_in; i++) {
        size_t length = y.entry * (size_t)c->x[i].dim[o->axis];
        copy_blocks(y.blocks, length, c->from[i], length, to, step);
        to += length;
    }
    return WG_OK;
}

static bool concat_in_line(const wg_call *c)
{
    return is_outermost(&c->y[0], ((const wg_concat_options *)c->options)->axis);
}

static wg_tensor concat_dx(const wg_call *c, wg_tensor g)
{
    const wg_concat_options *o = c->options;
    int64_t start = 0;
    for (int i = 0; i < c->which; i++)
        start += c->x[i].dim[o->axis];
    return wg_narrow(g, o->axis, start, c->x[c->which].dim[o->axis]);
}

/* Each stretch moved to its place. */
static wg_status concat_c(const wg_call *c, wg_code *w)
{
    const wg_concat_options *o = c->options;
    stretches y = along(&c->y[0], o->axis);
    int64_t entry = (int64_t)(y.entry / wg_dtype_size(c->y[0].dtype)), row = entry * c->y[0].dim[o->axis], at = 0;
    for (int i = 0; i < c->n_in; i++) {
        int64_t n = entry * c->x[i].dim[o->axis];
        wg_type shape = {.dtype = c->y[0].dtype, .rank = 2, .dim = {y.blocks, n}};
        if (n)
            wg_code_move(w, &shape, (wg_code_array){"y", at, (const int64_t[]){row, 1}}, "=",
                         (wg_code_array){wg_code_operand(c, i), 0, NULL});
        at += n;
    }
    return WG_OK;
}

WG_OP(concat) = {
    .name = "concat",
    .doc = "y = the tensors one behind the other along `axis`; their other sizes are equal",
    .in = {{"x", WG_ANY | WG_VARIADIC}},
    .options = WG_SCHEMA(wg_concat, WG_ATTR(wg_concat, axis)),
    .type = concat_type,
    .run = concat_run,
    .in_line = concat_in_line,
    .c = concat_c,
    .vjp = {concat_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .lanes = WG_LANES_SHIFTED,
    .samples = {"[2,3] [1,3]", "[2,3] [2,1] [2,2] axis=-1", "[2,0] [2,3] axis=1", "[3]", "[0] [0]"},
};

wg_tensor (wg_concat)(wg_tensors x, wg_concat_options options) { return wg_record(&concat_op, &options, x.at, x.n); }

#define ROWS 32 /* of a stack that are written together */

/* ---- stack ------------------------------------------------------------------------------------------------------- */
static wg_status stack_type(wg_call *c)
{
    const wg_stack_options *o = c->options;
    wg_type *y = &c->y[0];
    for (int i = 1; i < c->n_in; i++)
        if (!wg_type_equal(&c->x[i], &c->x[0]))
            return wg_fail(c, WG_ERROR_SHAPE, "%s, operand %d, has not the shape of %s", wg_show(c, i), i,
                           wg_show(c, 0));
    if (wg_rank_fits(c, c->x[0].rank + 1))
        return WG_ERROR_SHAPE;
    *y = (wg_type){.dtype = c->x[0].dtype, .rank = c->x[0].rank + 1};
    for (int i = 0; i < y->rank; i++)
        y->dim[i] = i == o->axis ? c->n_in : c->x[0].dim[i < o->axis ? i : i - 1];
    return WG_OK;
}

typedef uint64_t words __attribute__((vector_size(4 * sizeof(uint64_t)), aligned(sizeof(uint64_t)), may_alias));

/* to[k n + i] = from[i][k] for four of i and four of k. */
static inline void four_by_four(const uint64_t *const *from, int64_t k, uint64_t *to, int64_t n)
{
    words r[4], s[4];
    for (int i = 0; i < 4; i++)
        r[i] = *(const words *)(from[i] + k);
    for (int i = 0; i < 2; i++) {
        s[2 * i] = __builtin_shufflevector(r[i], r[i + 2], 0, 4, 1, 5);
        s[2 * i + 1] = __builtin_shufflevector(r[i], r[i + 2], 2, 6, 3, 7);
    }
    for (int i = 0; i < 2; i++) {
        *(words *)(to + 2 * i * n) = __builtin_shufflevector(s[i], s[i + 2], 0, 4, 1, 5);
        *(words *)(to + (2 * i + 1) * n) = __builtin_shufflevector(s[i], s[i + 2], 2, 6, 3, 7);
    }
}

/* Entries of one 8-byte element: the transpose of n rows. */
static WG_CLONES void stack_words(int64_t n, const uint64_t *const *from, int64_t blocks, uint64_t *to)
{
    int64_t k = 0;
    for (; k + 4 <= blocks; k += 4) {
        int64_t i = 0;
        for (; i + 4 <= n; i += 4)
            four_by_four(from + i, k, to + k * n + i, n);
        for (; i < n; i++)
            for (int64_t j = k; j < k + 4; j++)
                to[j * n + i] = from[i][j];
    }
    for (; k < blocks; k++)
        for (int64_t i = 0; i < n; i++)
            to[k * n + i] = from[i][k];
}

static wg_status stack_run(const wg_call *c)
{
    const wg_stack_options *o = c->options;
    stretches y = along(&c->y[0], o->axis);
    if (y.entry == sizeof(uint64_t)) {
        stack_words(c->n_in, (const uint64_t *const *)c->from, y.blocks, c->to[0]);
        return WG_OK;
    }
    const size_t step = y.entry * (size_t)c->n_in;
    for (int64_t first = 0, some; first < y.blocks; first += some) { /* short rows are written while they are in the
                                                                        cache */
        some = y.blocks - first < ROWS ? y.blocks - first : ROWS;
        for (int i = 0; i < c->n_in; i++)
            copy_blocks(some, y.entry, (const char *)c->from[i] + (size_t)first * y.entry, y.entry,
                        (char *)c->to[0] + (size_t)first * step + (size_t)i * y.entry, step);
    }
    return WG_OK;
}

static bool stack_in_line(const wg_call *c)
{
    return is_outermost(&c->y[0], ((const wg_stack_options *)c->options)->axis);
}

static wg_tensor stack_dx(const wg_call *c, wg_tensor g)
{
    const wg_stack_options *o = c->options;
    return wg_select(g, o->axis, c->which);
}

static wg_status stack_c(const wg_call *c, wg_code *w)
{
    const wg_stack_options *o = c->options;
    stretches y = along(&c->y[0], o->axis);
    int64_t entry = (int64_t)(y.entry / wg_dtype_size(c->y[0].dtype));
    wg_type shape = {.dtype = c->y[0].dtype, .rank = 2, .dim = {y.blocks, entry}};
    for (int i = 0; i < c->n_in; i++)
        wg_code_move(w, &shape, (wg_code_array){"y", i * entry, (const int64_t[]){entry * c->n_in, 1}}, "=",
                     (wg_code_array){wg_code_operand(c, i), 0, NULL});
    return WG_OK;
}

WG_OP(stack) = {
    .name = "stack",
    .doc = "y = tensors of one shape along a new axis, which is axis `axis` of y",
    .in = {{"x", WG_ANY | WG_VARIADIC}},
    .options = WG_SCHEMA(wg_stack, WG_ATTR(wg_stack, axis, .extra_rank = 1)),
    .type = stack_type,
    .run = stack_run,
    .in_line = stack_in_line,
    .c = stack_c,
    .vjp = {stack_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .lanes = WG_LANES_SHIFTED,
    .samples = {"[2,3] [2,3]", "[2,3] [2,3] [2,3] axis=1", "[2] [2] axis=-1", "[] []", "[0,2] [0,2] axis=2"},
};

wg_tensor (wg_stack)(wg_tensors x, wg_stack_options options) { return wg_record(&stack_op, &options, x.at, x.n); }

/* ---- unstack ----------------------------------------------------------------------------------------------------- */
static int unstack_count(const wg_call *c)
{
    const wg_unstack_options *o = c->options;
    int64_t n = c->x[0].dim[o->axis];
    return n < INT_MAX ? (int)n : INT_MAX;
}

static wg_status unstack_type(wg_call *c)
{
    const wg_unstack_options *o = c->options;
    const wg_type *x = &c->x[0];
    wg_type y = {.dtype = x->dtype, .rank = x->rank - 1};
    for (int i = 0; i < y.rank; i++)
        y.dim[i] = x->dim[i < o->axis ? i : i + 1];
    for (int k = 0; k < c->n_out; k++)
        c->y[k] = y;
    return WG_OK;
}

static wg_status unstack_run(const wg_call *c)
{
    const wg_unstack_options *o = c->options;
    stretches x = along(&c->x[0], o->axis);
    for (int k = 0; k < c->n_out; k++)
        copy_blocks(x.blocks, x.entry, (const char *)c->from[0] + (size_t)k * x.entry, x.entry * (size_t)c->n_out,
                    c->to[k], x.entry);
    return WG_OK;
}

static bool unstack_in_line(const wg_call *c)
{
    return is_outermost(&c->x[0], ((const wg_unstack_options *)c->options)->axis);
}

static wg_tensor unstack_dx(const wg_call *c, wg_tensor g)
{
    const wg_unstack_options *o = c->options;
    const wg_tensor *all = cotangents(c);
    (void)g;
    return all ? wg_stack(((wg_tensors){all, c->n_out}), .axis = o->axis) : WG_INVALID;
}

static wg_status unstack_c(const wg_call *c, wg_code *w)
{
    const wg_unstack_options *o = c->options;
    stretches x = along(&c->x[0], o->axis);
    int64_t entry = (int64_t)(x.entry / wg_dtype_size(c->x[0].dtype));
    wg_type shape = {.dtype = c->x[0].dtype, .rank = 2, .dim = {x.blocks, entry}};
    for (int k = 0; k < c->n_out; k++)
        wg_code_move(w, &shape, (wg_code_array){wg_code_output(c, k), 0, NULL}, "=",
                     (wg_code_array){"x", k * entry, (const int64_t[]){entry * c->n_out, 1}});
    return WG_OK;
}

WG_OP(unstack) = {
    .name = "unstack",
    .doc = "y[k] = entry k of `axis`, which goes: one output an entry",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_unstack, WG_ATTR(wg_unstack, axis)),
    .count = unstack_count,
    .type = unstack_type,
    .run = unstack_run,
    .in_line = unstack_in_line,
    .c = unstack_c,
    .vjp = {unstack_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,3]", "[2,3] axis=-1", "[3]", "[2,0,2] axis=2"},
};

wg_status (wg_unstack)(wg_tensor x, wg_tensor *out, int n, wg_unstack_options options)
{
    wg_shape shape = wg_shape_of(x);
    int axis = options.axis < 0 ? options.axis + shape.rank : options.axis;
    wg_call c = {.tape = x.tape, .op = &unstack_op, .n_in = 1, .in = &x};
    if (wg_is_tensor(x) && axis >= 0 && axis < shape.rank && n != shape.dim[axis]) {
        for (int k = 0; k < n; k++)
            out[k] = WG_INVALID;
        return wg_fail(&c, WG_ERROR_SHAPE, "%d outputs for axis %d of %s", n, axis, wg_show(&c, 0));
    }
    return wg_record_on(x.tape, &unstack_op, &options, &x, 1, out, n);
}

/* ---- split ------------------------------------------------------------------------------------------------------- */
typedef struct {
    int axis;
    wg_list sizes;
} wg_split_options;
#define wg_split_defaults .axis = WG_NO_AXIS, .sizes = {NULL, -1}

static int split_count(const wg_call *c) { return ((const wg_split_options *)c->options)->sizes.n; }

static wg_status split_type(wg_call *c)
{
    const wg_split_options *o = c->options;
    int64_t left = c->x[0].dim[o->axis];
    for (int k = 0; k < c->n_out; k++) {
        if (o->sizes.at[k] < 0)
            return wg_fail(c, WG_ERROR_VALUE, "a size of %lld", (long long)o->sizes.at[k]);
        if (o->sizes.at[k] > left)
            break;
        left -= o->sizes.at[k];
        c->y[k] = c->x[0];
        c->y[k].dim[o->axis] = o->sizes.at[k];
        if (k == c->n_out - 1 && left == 0)
            return WG_OK;
    }
    return c->n_out == 0 && left == 0
               ? WG_OK
               : wg_fail(c, WG_ERROR_SHAPE, "the sizes do not add up to axis %d of %s", o->axis, wg_show(c, 0));
}

static wg_status split_run(const wg_call *c)
{
    const wg_split_options *o = c->options;
    stretches x = along(&c->x[0], o->axis);
    size_t step = x.entry * (size_t)c->x[0].dim[o->axis];
    const char *from = c->from[0];
    for (int k = 0; k < c->n_out; k++) {
        size_t length = x.entry * (size_t)o->sizes.at[k];
        copy_blocks(x.blocks, length, from, step, c->to[k], length);
        from += length;
    }
    return WG_OK;
}

static bool split_in_line(const wg_call *c)
{
    return is_outermost(&c->x[0], ((const wg_split_options *)c->options)->axis);
}

static wg_tensor split_dx(const wg_call *c, wg_tensor g)
{
    const wg_split_options *o = c->options;
    const wg_tensor *all = cotangents(c);
    (void)g;
    return all ? wg_concat(((wg_tensors){all, c->n_out}), .axis = o->axis) : WG_INVALID;
}

static wg_status split_c(const wg_call *c, wg_code *w)
{
    const wg_split_options *o = c->options;
    stretches x = along(&c->x[0], o->axis);
    int64_t entry = (int64_t)(x.entry / wg_dtype_size(c->x[0].dtype)), row = entry * c->x[0].dim[o->axis], at = 0;
    for (int k = 0; k < c->n_out; k++) {
        int64_t n = entry * o->sizes.at[k];
        wg_type shape = {.dtype = c->x[0].dtype, .rank = 2, .dim = {x.blocks, n}};
        if (n)
            wg_code_move(w, &shape, (wg_code_array){wg_code_output(c, k), 0, NULL}, "=",
                         (wg_code_array){"x", at, (const int64_t[]){row, 1}});
        at += n;
    }
    return WG_OK;
}

WG_OP(split) = {
    .name = "split",
    .doc = "y[k] = the k-th piece of x along `axis`, of sizes[k] entries: one output a size",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_split, WG_ATTR_REQUIRED(wg_split, axis), WG_ATTR_REQUIRED(wg_split, sizes)),
    .count = split_count,
    .type = split_type,
    .run = split_run,
    .in_line = split_in_line,
    .c = split_c,
    .vjp = {split_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[5,2] axis=0 sizes=[2,3]", "[2,4] axis=-1 sizes=[1,0,3]", "[3] axis=0 sizes=[3]",
                "[0,2] axis=1 sizes=[1,1]"},
};

wg_status (wg_split)(wg_tensor x, int axis, wg_list sizes, wg_tensor *out)
{
    return wg_record_on(x.tape, &split_op, &(wg_split_options){axis, sizes}, &x, 1, out, sizes.n);
}

/* ---- meshgrid ---------------------------------------------------------------------------------------------------- */
/* The axis along which output i varies. */
static int grid_axis(const wg_call *c, int i)
{
    const wg_meshgrid_options *o = c->options;
    bool exchanged = wg_choice_is(o->indexing, "xy") && c->n_in > 1 && i < 2;
    return exchanged ? 1 - i : i;
}

static int meshgrid_count(const wg_call *c) { return c->n_in; }

static wg_status meshgrid_type(wg_call *c)
{
    wg_type y = {.dtype = c->x[0].dtype, .rank = c->n_in};
    if (wg_rank_fits(c, c->n_in))
        return WG_ERROR_SHAPE;
    for (int i = 0; i < c->n_in; i++) {
        if (c->x[i].rank > 1)
            return wg_fail(c, WG_ERROR_SHAPE, "%s, operand %d, is not a vector", wg_show(c, i), i);
        y.dim[grid_axis(c, i)] = wg_type_count(&c->x[i]);
    }
    for (int k = 0; k < c->n_out; k++)
        c->y[k] = y;
    return WG_OK;
}

static wg_status meshgrid_run(const wg_call *c)
{
    for (int k = 0; k < c->n_out; k++) {
        int64_t stride[WG_MAX_RANK] = {0};
        stride[grid_axis(c, k)] = 1;
        wg_gather_strided(&c->y[k], stride, c->from[k], c->to[k]);
    }
    return WG_OK;
}

/* With its axis last, the traversal sums the cotangent over the others. */
static wg_tensor meshgrid_dx(const wg_call *c, wg_tensor g)
{
    g = c->g[c->which];
    if (wg_is_none(g))
        return g;
    return wg_moveaxis(g, grid_axis(c, c->which), -1);
}

static wg_status meshgrid_c(const wg_call *c, wg_code *w)
{
    for (int k = 0; k < c->n_out; k++) {
        int64_t stride[WG_MAX_RANK] = {0};
        stride[grid_axis(c, k)] = 1;
        wg_code_move(w, &c->y[k], (wg_code_array){wg_code_output(c, k), 0, NULL}, "=",
                     (wg_code_array){wg_code_operand(c, k), 0, stride});
    }
    return WG_OK;
}

WG_OP(meshgrid) = {
    .name = "meshgrid",
    .doc = "y[i] = vector i along axis i, repeated along the other vectors' axes; \"xy\" exchanges the first two axes",
    .in = {{"x", WG_ANY | WG_VARIADIC}},
    .options = WG_SCHEMA(wg_meshgrid, WG_ATTR(wg_meshgrid, indexing, .choices = {"xy", "ij"})),
    .count = meshgrid_count,
    .type = meshgrid_type,
    .run = meshgrid_run,
    .c = meshgrid_c,
    .vjp = {meshgrid_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2] [3]", "[2] [3] [4] indexing=ij", "[3]", "[2] [0]"},
};

wg_status (wg_meshgrid)(wg_tensors x, wg_tensor *out, wg_meshgrid_options options)
{
    wg_tape *tape = NULL;
    for (int i = 0; i < x.n && !tape; i++)
        tape = x.at[i].tape;
    return wg_record_on(tape, &meshgrid_op, &options, x.at, x.n, out, x.n);
}

WG_FAMILY_OF(join, "shape", JOINS)
