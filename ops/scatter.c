/* Entries put or added at indices: x, copied, and changed where the indices say. Of several puts to one place the
 * last wins and takes the gradient: who won is saved with the result. */
#include "ops/code.h"
#include "core/tape.h"
#include "ops/index.h"
#include "wengert/elementwise.h"
#include "wengert/shape.h"

#define SCATTERING(OP) OP(scatter) OP(scatter_add) OP(index_add) OP(index_put)
WG_CONTENTS(SCATTERING)

/* ---- What they share --------------------------------------------------------------------------------------------- */
static void copy_x(const wg_call *c)
{
    size_t bytes = (size_t)wg_type_count(&c->x[0]) * wg_dtype_size(c->x[0].dtype);
    if (bytes)
        memcpy(c->to[0], c->from[0], bytes);
}

static wg_status same_shape(const wg_call *c, int a, int b)
{
    const wg_type *p = &c->x[a], *q = &c->x[b];
    if (p->rank == q->rank && !memcmp(p->dim, q->dim, (size_t)p->rank * sizeof *p->dim))
        return WG_OK;
    return wg_fail(c, WG_ERROR_SHAPE, "shapes differ: %s and %s", wg_show(c, a), wg_show(c, b));
}

static wg_status scatter_add_type(wg_call *c)
{
    const wg_along_options *o = c->options;
    c->y[0] = c->x[0];
    wg_status status = wg_along_fits(c, &c->x[0], 1, o->axis);
    return status ? status : same_shape(c, 1, 2);
}

/* Where in y element k of src, seen as [outer, m, inner], goes. */
static int64_t target(const wg_lines *y, const wg_lines *src, const int64_t *place, int64_t k)
{
    return (k / (src->n * src->inner) * y->n + place[k]) * y->inner + k % src->inner;
}

/* wins[k] = is k the last of those that go to to[k]? */
static wg_status winners(const wg_call *c, const int64_t *to, int64_t n, int64_t size, bool *wins)
{
    int64_t *last = wg_scratch(c, (size_t)size * sizeof *last);
    if (!last)
        return WG_ERROR_MEMORY;
    for (int64_t k = 0; k < n; k++)
        last[to[k]] = k;
    for (int64_t k = 0; k < n; k++)
        wins[k] = last[to[k]] == k;
    return WG_OK;
}

/* ---- The same in C ----------------------------------------------------------------------------------------------- */
/* Where in y element (i, k, j) of src goes. */
#define TARGET                                                                                                         \
    int64_t at = indices[(i * count + k) * inner + j];                                                                 \
    if (at < -n || at >= n) FAIL;                                                                                      \
    at = (i * n + (at < 0 ? at + n : at)) * inner + j;

static void scatter_sizes(const wg_call *c, wg_code *w)
{
    const wg_along_options *o = c->options;
    wg_lines y = wg_lines_of(&c->y[0], o->axis);
    wg_code_size(w, "outer", y.outer);
    wg_code_size(w, "n", y.n);
    wg_code_size(w, "inner", y.inner);
    wg_code_size(w, "count", c->x[1].rank == c->x[0].rank ? c->x[1].dim[o->axis] : c->x[1].dim[0]);
    wg_code_text(w, WG_C(for (int k = 0; k < outer * n * inner; k++) y[k] = x[k];));
}

/* Loops over the elements of src. */
#define EACH_OF_SRC for (int i = 0; i < outer; i++) for (int k = 0; k < count; k++) for (int j = 0; j < inner; j++)

/* ---- scatter ----------------------------------------------------------------------------------------------------- */
static wg_status scatter_type(wg_call *c)
{
    c->y[1] = c->x[1];
    c->y[1].dtype = WG_BOOL;
    return scatter_add_type(c);
}

static wg_status scatter_run(const wg_call *c)
{
    const wg_along_options *o = c->options;
    wg_lines y = wg_lines_of(&c->y[0], o->axis), src = wg_lines_of(&c->x[1], o->axis);
    int64_t n = wg_type_count(&c->x[1]);
    const int64_t *place = wg_places(c, 1, o->axis, y.n, true);
    int64_t *to = place ? wg_scratch(c, (size_t)n * sizeof *to) : NULL;
    if (!to)
        return place ? WG_ERROR_MEMORY : WG_ERROR_INDEX;
    copy_x(c);
    for (int64_t k = 0; k < n; k++)
        to[k] = target(&y, &src, place, k);
#define PUT(T)                                                                                                         \
    for (int64_t k = 0; k < n; k++)                                                                                    \
        ((T *)c->to[0])[to[k]] = ((const T *)c->from[2])[k]
    switch (wg_dtype_size(c->x[0].dtype)) {
    case 1: PUT(uint8_t); break;
    case 4: PUT(uint32_t); break;
    default: PUT(uint64_t);
    }
#undef PUT
    return winners(c, to, n, wg_type_count(&c->y[0]), c->to[1]);
}

static wg_status scatter_c(const wg_call *c, wg_code *w)
{
    wg_code_room(w, "last", WG_INT32, wg_type_count(&c->y[0]));
    scatter_sizes(c, w);
    return wg_code_text(w, TEXT_OF(
        EACH_OF_SRC { TARGET const int from = (i * count + k) * inner + j; y[at] = src[from]; last[at] = from; }
        EACH_OF_SRC { TARGET const int from = (i * count + k) * inner + j; wins[from] = last[at] == from; }));
}

/* What was overwritten did not reach y. */
static wg_tensor scatter_dx(const wg_call *c, wg_tensor g)
{
    const wg_along_options *o = c->options;
    wg_tensor zeros = wg_full(c->tape, c->x[2].dtype, wg_type_shape(&c->x[2]), 0);
    return wg_scatter(g, c->in[1], zeros, o->axis);
}

static wg_tensor scatter_dsrc(const wg_call *c, wg_tensor g)
{
    const wg_along_options *o = c->options;
    return wg_where(wg_saved(c, 0), wg_take_along_axis(g, c->in[1], o->axis), 0);
}

#define SCATTER_SAMPLES                                                                                                \
    {"[5,3] [2,3]:int64:-5..4 [2,3] axis=0", "[2,3,2] [2,4,2]:int32:0..2 [2,4,2] axis=1",                              \
     "[3] [7]:int64:0..2 [7] axis=0", "[3,2] [3,0]:int64 [3,0] axis=-1"}

WG_OP(scatter) = {
    .name = "scatter",
    .doc = "y = x with y[i, indices[i, j, k], k] = src[i, j, k], here for axis 1; of several puts the last wins",
    .in = {{"x", WG_ANY}, {"indices", WG_INTEGER}, {"src", WG_ANY}},
    .saved = {"wins"},
    .options = WG_SCHEMA(wg_along, WG_ATTR_REQUIRED(wg_along, axis)),
    .type = scatter_type,
    .run = scatter_run,
    .c = scatter_c,
    .vjp = {scatter_dx, NULL, scatter_dsrc},
    .linear = WG_JOINTLY,
    .saves = "indices",
    .samples = SCATTER_SAMPLES,
};
wg_tensor (wg_scatter)(wg_tensor x, wg_tensor indices, wg_tensor src, int axis)
{
    return WG_RECORD(scatter, (&(wg_along_options){axis}), x, indices, src);
}

/* ---- scatter_add ------------------------------------------------------------------------------------------------- */
static wg_status scatter_add_run(const wg_call *c)
{
    const wg_along_options *o = c->options;
    wg_lines y = wg_lines_of(&c->y[0], o->axis), src = wg_lines_of(&c->x[1], o->axis);
    const int64_t *place = wg_places(c, 1, o->axis, y.n, true);
    if (!place)
        return WG_ERROR_INDEX;
    return wg_along_add(c, y, src, place, c->from[0], c->from[2], c->to[0]);
}

static wg_tensor added_dx(const wg_call *c, wg_tensor g)
{
    (void)c;
    return g;
}

static wg_tensor scatter_add_dsrc(const wg_call *c, wg_tensor g)
{
    const wg_along_options *o = c->options;
    return wg_take_along_axis(g, c->in[1], o->axis);
}

static wg_status scatter_add_c(const wg_call *c, wg_code *w)
{
    scatter_sizes(c, w);
    return wg_code_text(w, TEXT_OF(EACH_OF_SRC {
        TARGET
        y[at] += src[(i * count + k) * inner + j];
    }));
}

WG_OP(scatter_add) = {
    .name = "scatter_add",
    .doc = "y = x with src[i, j, k] added to y[i, indices[i, j, k], k], here for axis 1, in the order of the indices",
    .in = {{"x", 0}, {"indices", WG_INTEGER}, {"src", 0}},
    .options = WG_SCHEMA(wg_along, WG_ATTR_REQUIRED(wg_along, axis)),
    .type = scatter_add_type,
    .run = scatter_add_run,
    .c = scatter_add_c,
    .vjp = {added_dx, NULL, scatter_add_dsrc},
    .linear = WG_JOINTLY,
    .saves = "indices",
    .samples = SCATTER_SAMPLES,
};
wg_tensor (wg_scatter_add)(wg_tensor x, wg_tensor indices, wg_tensor src, int axis)
{
    return WG_RECORD(scatter_add, (&(wg_along_options){axis}), x, indices, src);
}

/* ---- index_add --------------------------------------------------------------------------------------------------- */
static wg_status index_add_type(wg_call *c)
{
    const wg_along_options *o = c->options;
    wg_type src = c->x[0];
    c->y[0] = c->x[0];
    if (c->x[1].rank != 1)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not a vector", wg_show(c, 1));
    src.dim[o->axis] = c->x[1].dim[0];
    if (!wg_type_equal(&src, &c->x[2]))
        return wg_fail(c, WG_ERROR_SHAPE, "%s along axis %d at %s does not go into %s", wg_show(c, 2), o->axis,
                       wg_show(c, 1), wg_show(c, 0));
    return WG_OK;
}

static wg_status index_add_run(const wg_call *c)
{
    const wg_along_options *o = c->options;
    wg_lines y = wg_lines_of(&c->y[0], o->axis);
    const int64_t *place = wg_places(c, 1, o->axis, y.n, true);
    if (!place)
        return WG_ERROR_INDEX;
    copy_x(c);
    return wg_rows_add(c, y, place, c->x[1].dim[0], WG_NO_INTEGER, c->from[2], c->to[0]);
}

static wg_tensor index_add_dsrc(const wg_call *c, wg_tensor g)
{
    const wg_along_options *o = c->options;
    return wg_take(g, c->in[1], o->axis);
}

static wg_status index_add_c(const wg_call *c, wg_code *w)
{
    scatter_sizes(c, w);
    return wg_code_text(w, WG_C(for (int k = 0; k < count; k++) {
        int64_t at = indices[k];
        if (at < -n || at >= n) FAIL;
        at = at < 0 ? at + n : at;
        for (int i = 0; i < outer; i++) for (int j = 0; j < inner; j++)
            y[(i * n + at) * inner + j] += src[(i * count + k) * inner + j];
    }));
}

WG_OP(index_add) = {
    .name = "index_add",
    .doc = "y = x with entry i of src along `axis` added to entry indices[i], in the order of the indices",
    .in = {{"x", 0}, {"indices", WG_INTEGER}, {"src", 0}},
    .options = WG_SCHEMA(wg_along, WG_ATTR_REQUIRED(wg_along, axis)),
    .type = index_add_type,
    .run = index_add_run,
    .c = index_add_c,
    .vjp = {added_dx, NULL, index_add_dsrc},
    .linear = WG_JOINTLY,
    .saves = "indices",
    .samples = {"[5,3] [4]:int64:-5..4 [4,3] axis=0", "[2,3,2] [4]:int32:0..2 [2,4,2] axis=1",
                "[3] [5]:int64:1 [5] axis=0", "[3,2] [0]:int64 [3,0] axis=-1"},
};
wg_tensor (wg_index_add)(wg_tensor x, wg_tensor indices, wg_tensor src, int axis)
{
    return WG_RECORD(index_add, (&(wg_along_options){axis}), x, indices, src);
}

/* ---- index_put: x as rows, its first axes as one ----------------------------------------------------------------- */
static int axes_indexed(const wg_call *c) { return c->n_in - 2; }

/* The shape the indices broadcast to. */
static wg_status indices_shape(const wg_call *c, wg_type *shape)
{
    *shape = (wg_type){.dtype = WG_INT64};
    for (int i = 1; i <= axes_indexed(c); i++) {
        wg_type wider;
        wg_status status = wg_broadcast_shapes(c, shape, &c->x[i], &wider);
        if (status)
            return status;
        *shape = wider;
        shape->dtype = WG_INT64;
    }
    return WG_OK;
}

static wg_status index_put_type(wg_call *c)
{
    const wg_type *x = &c->x[0], *values = &c->x[c->n_in - 1];
    int q = axes_indexed(c);
    wg_type rows;
    if (q < 1 || q > x->rank)
        return wg_fail(c, WG_ERROR_SHAPE, "%d tensors of indices for %s", q < 0 ? 0 : q, wg_show(c, 0));
    for (int i = 1; i <= q; i++)
        if (!wg_is_integer(c->x[i].dtype))
            return wg_fail(c, WG_ERROR_DTYPE, "%s is %s, not int32 or int64", wg_show(c, i),
                           wg_dtype_name(c->x[i].dtype));
    if (values->dtype != x->dtype)
        return wg_fail(c, WG_ERROR_DTYPE, "%s is %s where x is %s", wg_show(c, c->n_in - 1),
                       wg_dtype_name(values->dtype), wg_dtype_name(x->dtype));
    wg_status status = indices_shape(c, &rows);
    if (status)
        return status;
    c->y[0] = *x;
    c->y[1] = rows;
    c->y[1].dtype = WG_BOOL;
    int rank = rows.rank + x->rank - q;
    bool fits = rank <= WG_MAX_RANK && values->rank <= rank;
    for (int i = 0; i < values->rank && fits; i++) {
        int k = rank - values->rank + i;
        int64_t size = k < rows.rank ? rows.dim[k] : x->dim[k - rows.rank + q];
        fits = values->dim[i] == 1 || values->dim[i] == size;
    }
    if (fits)
        return WG_OK;
    return wg_fail(c, WG_ERROR_SHAPE, "%s does not broadcast to what is indexed", wg_show(c, c->n_in - 1));
}

/* The rows of x that the indices name, in the order of their common shape. */
static const int64_t *rows_indexed(const wg_call *c)
{
    wg_type rows = c->y[1];
    int64_t n = wg_type_count(&rows), stride[WG_MAX_RANK];
    int64_t *row = wg_scratch(c, (size_t)n * sizeof *row), *one = wg_scratch(c, (size_t)n * sizeof *one);
    if (!row || !one)
        return NULL;
    memset(row, 0, (size_t)n * sizeof *row);
    rows.dtype = WG_INT64;
    for (int i = 1; i <= axes_indexed(c); i++) {
        int64_t size = c->x[0].dim[i - 1];
        const int64_t *place = wg_places(c, i, i - 1, size, true);
        if (!place)
            return NULL;
        wg_broadcast_strides(&c->x[i], NULL, &rows, stride);
        wg_gather_range(&rows, stride, place, 0, n, one);
        for (int64_t k = 0; k < n; k++)
            row[k] = row[k] * size + one[k];
    }
    return row;
}

/* values, broadcast to the rows: [rows, inner]. */
static const void *values_for_rows(const wg_call *c, int64_t count)
{
    int last = c->n_in - 1, q = axes_indexed(c);
    wg_type all = c->y[1];
    int64_t stride[WG_MAX_RANK];
    all.dtype = c->x[0].dtype;
    for (int i = q; i < c->x[0].rank; i++)
        all.dim[all.rank++] = c->x[0].dim[i];
    void *values = wg_scratch(c, (size_t)count * wg_dtype_size(all.dtype));
    if (!values)
        return NULL;
    wg_broadcast_strides(&c->x[last], NULL, &all, stride);
    wg_gather_range(&all, stride, c->from[last], 0, count, values);
    return values;
}

static wg_status index_put_run(const wg_call *c)
{
    const wg_index_put_options *o = c->options;
    wg_lines y = {1, 1, 1};
    int64_t n = wg_type_count(&c->y[1]);
    for (int i = 0; i < c->x[0].rank; i++)
        *(i < axes_indexed(c) ? &y.n : &y.inner) *= c->x[0].dim[i];
    const int64_t *row = rows_indexed(c);
    const char *values = row ? values_for_rows(c, n * y.inner) : NULL;
    if (!values)
        return row ? WG_ERROR_MEMORY : WG_ERROR_INDEX;
    copy_x(c);
    if (o->accumulate && wg_rows_add(c, y, row, n, WG_NO_INTEGER, values, c->to[0]))
        return WG_ERROR_MEMORY;
    size_t bytes = (size_t)y.inner * wg_dtype_size(c->x[0].dtype);
    for (int64_t k = 0; k < n && !o->accumulate && bytes; k++)
        memcpy((char *)c->to[0] + (size_t)row[k] * bytes, values + (size_t)k * bytes, bytes);
    return winners(c, row, n, y.n, c->to[1]);
}

/* "2 * i + j", where x's element for these indices is, as it broadcasts to `full`. */
static const char *element_of(const wg_call *c, const wg_type *x, const wg_type *full)
{
    wg_source text = {.tape = c->tape};
    int64_t stride[WG_MAX_RANK];
    wg_broadcast_strides(x, NULL, full, stride);
    wg_subscript_put(&text, 0, full->rank, stride, "ijpqrtuv");
    return text.data ? text.data : "0";
}

/* at = the row that the indices name. */
static void row_c(const wg_call *c, wg_code *w)
{
    wg_code_line(w, "int64_t at = 0;");
    for (int i = 1; i <= axes_indexed(c); i++) {
        long long size = c->x[0].dim[i - 1];
        wg_code_line(w, "const int64_t from%d = %s[%s];", i, wg_code_operand(c, i), element_of(c, &c->x[i], &c->y[1]));
        wg_code_line(w, "if (from%d < -%lld || from%d >= %lld)", i, size, i, size);
        wg_code_text(w, "FAIL;");
        wg_code_line(w, "at = at * %lld + (from%d < 0 ? from%d + %lld : from%d);", size, i, i, size, i);
    }
}

static wg_status index_put_c(const wg_call *c, wg_code *w)
{
    static const char letters[] = "ijpqrtuv";
    bool adds = ((const wg_index_put_options *)c->options)->accumulate;
    int q = axes_indexed(c), rank = c->y[1].rank;
    wg_type all = c->y[1], inner = {.dtype = c->dtype};
    int64_t rows = 1, own[WG_MAX_RANK], step = 1;
    wg_source to = {.tape = c->tape};
    for (int i = 0; i < c->x[0].rank; i++)
        if (i < q)
            rows *= c->x[0].dim[i];
        else
            all.dim[all.rank++] = inner.dim[inner.rank++] = c->x[0].dim[i];
    for (int i = all.rank; i-- > 0; step *= all.dim[i])
        own[i] = i < rank ? 0 : step;
    wg_subscript_put(&to, 0, all.rank, own, letters);
    wg_code_room(w, "row_of", WG_INT64, wg_type_count(&c->y[1]));
    wg_code_room(w, "last", WG_INT32, rows);
    wg_code_move(w, &c->x[0], (wg_code_array){.word = "y"}, "=", (wg_code_array){.word = "x"});
    wg_code_line(w, "int row = 0;");
    for (int i = 0; i < rank; i++)
        wg_code_for(w, (const char[]){letters[i], 0}, all.dim[i]);
    row_c(c, w);
    for (int i = rank; i < all.rank; i++)
        wg_code_for(w, (const char[]){letters[i], 0}, all.dim[i]);
    wg_code_line(w, "y[at * %lld + %s] %s %s[%s];", (long long)wg_type_count(&inner), to.data ? to.data : "0",
                 adds ? "+=" : "=", wg_code_operand(c, c->n_in - 1), element_of(c, &c->x[c->n_in - 1], &all));
    for (int i = rank; i < all.rank; i++)
        wg_code_end(w);
    wg_code_text(w, WG_C(row_of[row] = at; last[at] = row; row++;));
    for (int i = 0; i < rank; i++)
        wg_code_end(w);
    return wg_code_text(w, WG_C(for (int k = 0; k < row; k++) wins[k] = last[row_of[k]] == k;));
}

static wg_tensor index_put_again(const wg_call *c, wg_tensor x, wg_tensor values)
{
    const wg_index_put_options *o = c->options;
    wg_tensors indices = {c->in + 1, axes_indexed(c)};
    return wg_index_put(x, indices, values, .accumulate = o->accumulate);
}

/* What was overwritten did not reach y. */
static wg_tensor index_put_dx(const wg_call *c, wg_tensor g)
{
    const wg_index_put_options *o = c->options;
    return o->accumulate ? g : index_put_again(c, g, wg_number(0));
}

static wg_tensor index_put_dvalues(const wg_call *c, wg_tensor g)
{
    const wg_index_put_options *o = c->options;
    wg_tensor coordinate[WG_MAX_RANK], wins = wg_saved(c, 0);
    wg_shape rows = wg_shape_of(wins);
    int q = axes_indexed(c);
    for (int i = 0; i < q; i++)
        coordinate[i] = wg_broadcast_to(wg_cast(c->in[1 + i], .dtype = WG_INT64), rows);
    wg_tensors coordinates = {coordinate, q};
    wg_tensor taken = wg_gather_nd(g, wg_stack(coordinates, .axis = -1));
    if (o->accumulate)
        return taken;
    for (int i = q; i < c->x[0].rank; i++)
        rows.dim[rows.rank++] = 1;
    return wg_where(wg_reshape(wins, rows), taken, 0);
}

WG_OP(index_put) = {
    .name = "index_put",
    .doc = "y = x with y[indices[0], indices[1], ...] = values, or values added there; of several puts the last wins",
    .in = {{"x", 0}, {"indices", WG_VARIADIC | WG_INDEX_OR_FLOAT}},
    .saved = {"wins"},
    .options = WG_SCHEMA(wg_index_put, WG_ATTR(wg_index_put, accumulate)),
    .type = index_put_type,
    .run = index_put_run,
    .c = index_put_c,
    .vjp = {index_put_dx, index_put_dvalues},
    .linear = WG_JOINTLY,
    .saves = "indices",
    .samples = {"[5,3] [4]:int64:-5..4 [4,3]", "[5,3] [4]:int64:0..4 [4]:int32:0..2 [4] accumulate=true",
                "[5,3] [4,1]:int64:0..4 [2]:int64:0..2 [2]", "[3,2] []:int64:1 []", "[3,2] [0]:int64 [2]"},
};
wg_tensor (wg_index_put)(wg_tensor x, wg_tensors indices, wg_tensor values, wg_index_put_options options)
{
    wg_tensor in[WG_MAX_RANK + 3] = {x};
    int n = 0;
    for (; indices.at && n < indices.n && n <= WG_MAX_RANK; n++) /* one too many is as wrong as more */
        in[1 + n] = indices.at[n];
    in[1 + n] = values;
    return wg_record(&index_put_op, &options, in, n + 2);
}

WG_FAMILY_OF(scattering, "indexing", SCATTERING)
