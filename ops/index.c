/* Entries taken at indices, and the hidden operations that pull a gradient back to where they came from. Indices are
 * read once, checked and counted from the front; then rows are copied. */
#include "ops/code.h"
#include "ops/index.h"
#include "wengert/map.h"

#include "wengert/elementwise.h"
#include "wengert/shape.h"

#define INDEXING(OP)                                                                                                   \
    OP(take) OP(take_along_axis) OP(embedding) OP(one_hot) OP(take_back) OP(take_along_axis_back)
WG_CONTENTS(INDEXING)

/* ---- Indices ----------------------------------------------------------------------------------------------------- */
wg_lines wg_lines_of(const wg_type *type, int axis)
{
    wg_lines l = {1, type->dim[axis], 1};
    for (int i = 0; i < axis; i++)
        l.outer *= type->dim[i];
    for (int i = axis + 1; i < type->rank; i++)
        l.inner *= type->dim[i];
    return l;
}

const char *wg_position_text(const wg_type *type, int64_t i, char *text, size_t size)
{
    wg_shape at = {.rank = type->rank};
    for (int k = type->rank; k-- > 0; i /= type->dim[k])
        at.dim[k] = i % type->dim[k];
    return wg_shape_text(&at, text, size);
}

int64_t wg_index_at(const wg_call *c, int i, int64_t k)
{
    return c->x[i].dtype == WG_INT64 ? ((const int64_t *)c->from[i])[k] : ((const int32_t *)c->from[i])[k];
}

/* Are all indices from 0 to size - 1? Without a branch each: there may be as many of them as of the elements they
 * name. */
static WG_CLONES bool in_range_64(const int64_t *index, int64_t n, int64_t size)
{
    uint64_t out = 0;
    for (int64_t k = 0; k < n; k++)
        out |= (uint64_t)index[k] | ((uint64_t)size - 1 - (uint64_t)index[k]); /* the sign bit of either */
    return !(out >> 63);
}

const int64_t *wg_places(const wg_call *c, int i, int axis, int64_t size, bool from_end)
{
    int64_t n = wg_type_count(&c->x[i]), lowest = from_end ? -size : 0;
    if (n && c->x[i].dtype == WG_INT64 && in_range_64(c->from[i], n, size))
        return c->from[i];
    int64_t *place = wg_scratch(c, (size_t)n * sizeof *place);
    for (int64_t k = 0; k < n && place; k++) {
        int64_t index = wg_index_at(c, i, k);
        if (index < lowest || index >= size) {
            char text[200];
            wg_fail(c, WG_ERROR_INDEX, "index %lld at %s is out of range for axis %d of size %lld", (long long)index,
                    wg_position_text(&c->x[i], k, text, sizeof text), axis, (long long)size);
            return NULL;
        }
        place[k] = index < 0 ? index + size : index;
    }
    return place;
}

/* ---- Their C ----------------------------------------------------------------------------------------------------- */
/* How many there are, sizes of a tensor seen along one axis, and the least index there may be. */
static void lines_c(wg_code *w, wg_lines l, int64_t count, bool from_end)
{
    wg_code_size(w, "outer", l.outer);
    wg_code_size(w, "n", l.n);
    wg_code_size(w, "inner", l.inner);
    wg_code_size(w, "count", count);
    wg_code_size(w, "lowest", from_end ? -l.n : 0);
}

static wg_status rows_c(wg_code *w, wg_lines x, int64_t count, bool from_end, const char *text)
{
    lines_c(w, x, count, from_end);
    return wg_code_text(w, text);
}

#define ROWS_TAKEN(x)                                                                                                  \
    WG_C((void)outer; for (int k = 0; k < count; k++) {                                                                \
        int64_t at = indices[k];                                                                                       \
        if (at < lowest || at >= n) FAIL;                                                                              \
        at = at < 0 ? at + n : at;                                                                                     \
        for (int i = 0; i < outer; i++) for (int j = 0; j < inner; j++)                                                \
            y[(i * count + k) * inner + j] = x[(i * n + at) * inner + j];                                              \
    })
#define ROWS_ADDED(g, unless)                                                                                          \
    WG_C(for (int k = 0; k < count; k++) {                                                                             \
        int64_t at = indices[k];                                                                                       \
        if (at < lowest || at >= n) FAIL;                                                                              \
        at = at < 0 ? at + n : at;                                                                                     \
        for (int i = 0; i < outer; i++) for (int j = 0; j < inner && unless; j++)                                      \
            y[(i * n + at) * inner + j] += g[(i * count + k) * inner + j];                                             \
    })

/* Row after row of x, the places of its elements; -1 for those of `skip`. */
static wg_status rows_places(wg_lines x, const int64_t *place, int64_t count, int64_t skip, int64_t *at)
{
    for (int64_t o = 0; place && o < x.outer; o++)
        for (int64_t k = 0; k < count; k++)
            for (int64_t j = 0; j < x.inner; j++)
                *at++ = place[k] == skip ? -1 : (o * x.n + place[k]) * x.inner + j;
    return place ? WG_OK : WG_ERROR_INDEX;
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */
typedef struct {
    wg_lines x;
    const int64_t *place;
    int64_t count, skip, rows, pieces; /* rows: of one piece of work */
    const int64_t *first, *order;      /* see rows_by_place */
    size_t size;
    wg_dtype dtype;
    const char *from;
    char *to;
} rows;

#define TILE 512 /* columns that are added up at a time */

static WG_CLONES void take_piece(void *argument, int64_t task)
{
    const rows *r = argument;
    int64_t first = task * r->rows, last = first + r->rows, all = r->x.outer * r->count;
    size_t bytes = (size_t)r->x.inner * r->size;
#define COPY(T)                                                                                                        \
    for (int64_t i = first, k = first % r->count, n; i < last; i += n, k = 0) {                                        \
        const T *restrict x = (const T *)(const void *)r->from + i / r->count * r->x.n;                                \
        const int64_t *restrict place = r->place + k;                                                                  \
        T *restrict to = (T *)(void *)r->to + i;                                                                       \
        n = r->count - k < last - i ? r->count - k : last - i;                                                         \
        for (int64_t j = 0; j < n; j++)                                                                                \
            to[j] = x[place[j]];                                                                                       \
    }
    last = last < all ? last : all;
    if (bytes == 4)
        COPY(uint32_t)
    else if (bytes == 8)
        COPY(uint64_t)
    else
        for (int64_t i = first; i < last; i++) {
            int64_t row = i / r->count * r->x.n + r->place[i % r->count];
            memcpy(r->to + (size_t)i * bytes, r->from + (size_t)row * bytes, bytes);
        }
#undef COPY
}

void wg_rows_take(const wg_call *c, wg_lines x, const int64_t *place, int64_t count, size_t size, const void *from,
                  void *to)
{
    rows r = {.x = x, .place = place, .count = count, .size = size, .from = from, .to = to};
    int64_t all = x.outer * count;
    if (!all || !x.inner)
        return;
    r.rows = x.inner < WG_PIECE ? WG_PIECE / x.inner : 1;
    wg_parallel(c->tape, (all + r.rows - 1) / r.rows, take_piece, &r);
}

/* Adds the rows order[first] to order[last - 1] of g to one row of y, in doubles where they are several. */
static void add_to_row(const rows *r, int64_t outer, int64_t place, int64_t first, int64_t last)
{
    const int64_t inner = r->x.inner;
#define ADD(T)                                                                                                         \
    for (int64_t tile = 0; tile < inner; tile += TILE) {                                                               \
        const int64_t width = inner - tile < TILE ? inner - tile : TILE;                                               \
        T *restrict y = (T *)(void *)r->to + (outer * r->x.n + place) * inner + tile;                                  \
        double sum[TILE];                                                                                              \
        for (int64_t j = 0; j < width; j++)                                                                            \
            sum[j] = (double)y[j];                                                                                     \
        for (int64_t i = first; i < last; i++) {                                                                       \
            const T *restrict g = (const T *)(const void *)r->from + (outer * r->count + r->order[i]) * inner + tile;  \
            for (int64_t j = 0; j < width; j++)                                                                        \
                sum[j] += (double)g[j];                                                                                \
        }                                                                                                              \
        for (int64_t j = 0; j < width; j++)                                                                            \
            y[j] = (T)sum[j];                                                                                          \
    }
    if (r->dtype == WG_FLOAT32)
        ADD(float)
    else
        ADD(double)
#undef ADD
}

static void add_piece(void *argument, int64_t task)
{
    const rows *r = argument;
    int64_t outer = task / r->pieces, place = task % r->pieces * r->rows;
    int64_t end = place + r->rows < r->x.n ? place + r->rows : r->x.n;
    for (; place < end; place++)
        if (r->first[place] < r->first[place + 1] && place != r->skip)
            add_to_row(r, outer, place, r->first[place], r->first[place + 1]);
}

/* Rows of one double each: added one after the other they need no sorting. */
static void add_elements(void *argument, int64_t outer)
{
    const rows *r = argument;
    const double *restrict g = (const double *)(const void *)r->from + outer * r->count;
    double *restrict y = (double *)(void *)r->to + outer * r->x.n;
    for (int64_t k = 0; k < r->count; k++)
        if (r->place[k] != r->skip)
            y[r->place[k]] += g[k];
}

/* Sorts the rows by their places, those for one place in order: first[p] is where those for p begin. */
static bool rows_by_place(const wg_call *c, rows *r)
{
    int64_t n = r->x.n, *first = wg_scratch(c, (size_t)(n + 2) * sizeof *first);
    int64_t *order = wg_scratch(c, (size_t)r->count * sizeof *order);
    if (!first || !order)
        return false;
    memset(first, 0, (size_t)(n + 2) * sizeof *first);
    for (int64_t k = 0; k < r->count; k++)
        first[r->place[k] + 2]++;
    for (int64_t p = 2; p <= n + 1; p++)
        first[p] += first[p - 1];
    for (int64_t k = 0; k < r->count; k++)
        order[first[r->place[k] + 1]++] = k;
    r->first = first;
    r->order = order;
    return true;
}

wg_status wg_rows_add(const wg_call *c, wg_lines y, const int64_t *place, int64_t count, int64_t skip, const void *g,
                      void *to)
{
    rows r = {.x = y, .place = place, .count = count, .skip = skip, .dtype = c->dtype, .from = g, .to = to};
    if (!count || !y.inner)
        return WG_OK;
    if (y.inner == 1 && c->dtype == WG_FLOAT64 && (y.outer > 1 || count <= WG_PIECE)) {
        wg_parallel(c->tape, y.outer, add_elements, &r);
        return WG_OK;
    }
    if (!rows_by_place(c, &r))
        return WG_ERROR_MEMORY;
    r.rows = y.inner < WG_PIECE ? WG_PIECE / y.inner : 1;
    r.pieces = (y.n + r.rows - 1) / r.rows;
    wg_parallel(c->tape, y.outer * r.pieces, add_piece, &r);
    return WG_OK;
}

wg_status wg_along_add(const wg_call *c, wg_lines y, wg_lines g, const int64_t *place, const void *x, const void *from,
                       void *to)
{
    int64_t size = y.n * y.inner, m = g.n * g.inner;
    double *sum = wg_scratch(c, (size_t)size * sizeof *sum);
    if (!sum)
        return WG_ERROR_MEMORY;
#define ADD(T)                                                                                                         \
    for (int64_t o = 0; o < y.outer; o++) {                                                                            \
        for (int64_t i = 0; i < size; i++)                                                                             \
            sum[i] = x ? (double)((const T *)x)[o * size + i] : 0;                                                     \
        for (int64_t i = 0; i < g.n; i++)                                                                              \
            for (int64_t j = 0, k = o * m + i * g.inner; j < g.inner; j++, k++)                                        \
                sum[place[k] * y.inner + j] += (double)((const T *)from)[k];                                           \
        for (int64_t i = 0; i < size; i++)                                                                             \
            ((T *)to)[o * size + i] = (T)sum[i];                                                                       \
    }
    if (c->dtype == WG_FLOAT32)
        ADD(float)
    else
        ADD(double)
#undef ADD
    return WG_OK;
}

static void zero_out(const wg_call *c)
{
    memset(c->to[0], 0, (size_t)wg_type_count(&c->y[0]) * wg_dtype_size(c->y[0].dtype));
}

/* ---- take -------------------------------------------------------------------------------------------------------- */
/* x's type with `axis` replaced by the axes of `indices`. */
static wg_status taken_type(wg_call *c, const wg_type *x, const wg_type *indices, int axis)
{
    wg_type *y = &c->y[0];
    int rank = x->rank - 1 + indices->rank;
    if (rank > WG_MAX_RANK)
        return wg_fail(c, WG_ERROR_SHAPE, "%d dimensions are more than %d", rank, WG_MAX_RANK);
    *y = (wg_type){.dtype = x->dtype, .rank = rank};
    for (int i = 0; i < rank; i++)
        y->dim[i] = i < axis                   ? x->dim[i]
                    : i < axis + indices->rank ? indices->dim[i - axis]
                                               : x->dim[i - indices->rank + 1];
    return WG_OK;
}

static wg_status take_type(wg_call *c)
{
    const wg_along_options *o = c->options;
    return taken_type(c, &c->x[0], &c->x[1], o->axis);
}

static wg_status take_run(const wg_call *c)
{
    const wg_along_options *o = c->options;
    wg_lines x = wg_lines_of(&c->x[0], o->axis);
    const int64_t *place = wg_places(c, 1, o->axis, x.n, true);
    if (!place)
        return WG_ERROR_INDEX;
    wg_rows_take(c, x, place, wg_type_count(&c->x[1]), wg_dtype_size(c->x[0].dtype), c->from[0], c->to[0]);
    return WG_OK;
}

static wg_status take_places(const wg_call *c, int64_t *at)
{
    const wg_along_options *o = c->options;
    wg_lines x = wg_lines_of(&c->x[0], o->axis);
    return rows_places(x, wg_places(c, 1, o->axis, x.n, true), wg_type_count(&c->x[1]), WG_NO_INTEGER, at);
}

static wg_tensor take_dx(const wg_call *c, wg_tensor g)
{
    const wg_along_options *o = c->options;
    return wg_take_back(c->in[1], g, o->axis, c->x[0].dim[o->axis], WG_NO_INTEGER);
}

static wg_status take_c(const wg_call *c, wg_code *w)
{
    const wg_along_options *o = c->options;
    return rows_c(w, wg_lines_of(&c->x[0], o->axis), wg_type_count(&c->x[1]), true, ROWS_TAKEN(x));
}

WG_OP(take) = {
    .name = "take",
    .doc = "y = the entries of x along `axis` at the indices, whose shape stands in the axis's place",
    .in = {{"x", WG_ANY}, {"indices", WG_INTEGER}},
    .options = WG_SCHEMA(wg_along, WG_ATTR_REQUIRED(wg_along, axis)),
    .type = take_type,
    .run = take_run,
    .taken_from = take_places,
    .c = take_c,
    .vjp = {take_dx},
    .linear = WG_JOINTLY,
    .saves = "indices",
    .samples = {"[5,3] [4]:int64:-5..4 axis=0", "[2,3,2] [2,4]:int32:0..2 axis=1", "[3] []:int64:1 axis=0",
                "[3,2] [0]:int64 axis=-1", "[0,3] [2]:int64:0..2 axis=1"},
};
wg_tensor (wg_take)(wg_tensor x, wg_tensor indices, int axis)
{
    return WG_RECORD(take, (&(wg_along_options){axis}), x, indices);
}

/* ---- take_back: y = zeros, and g added where it was taken -------------------------------------------------------- */
typedef struct {
    int axis;      /* of y */
    int64_t size;  /* of that axis */
    int64_t skip;  /* a place that gets nothing */
} wg_take_back_options;
#define wg_take_back_defaults .axis = WG_NO_AXIS, .size = WG_NO_INTEGER, .skip = WG_NO_INTEGER

static wg_status take_back_type(wg_call *c)
{
    const wg_take_back_options *o = c->options;
    const wg_type *indices = &c->x[0], *g = &c->x[1];
    wg_type *y = &c->y[0];
    *y = (wg_type){.dtype = g->dtype, .rank = g->rank - indices->rank + 1};
    for (int i = 0; i < y->rank; i++)
        y->dim[i] = i < o->axis ? g->dim[i] : i == o->axis ? o->size : g->dim[i - 1 + indices->rank];
    return WG_OK;
}

static wg_status take_back_run(const wg_call *c)
{
    const wg_take_back_options *o = c->options;
    const int64_t *place = wg_places(c, 0, o->axis, o->size, true);
    if (!place)
        return WG_ERROR_INDEX;
    zero_out(c);
    return wg_rows_add(c, wg_lines_of(&c->y[0], o->axis), place, wg_type_count(&c->x[0]), o->skip, c->from[1],
                       c->to[0]);
}

static wg_status take_back_places(const wg_call *c, int64_t *at)
{
    const wg_take_back_options *o = c->options;
    return rows_places(wg_lines_of(&c->y[0], o->axis), wg_places(c, 0, o->axis, o->size, true), wg_type_count(&c->x[0]),
                       o->skip, at);
}

/* Rows of h, 0 where the index is `skip`. */
static wg_tensor without(wg_tensor h, wg_tensor indices, int64_t skip)
{
    if (skip == WG_NO_INTEGER)
        return h;
    wg_tensor is_skipped = wg_equal(indices, (double)skip);
    return wg_masked_fill(h, wg_expand_dims(is_skipped, -1), .value = 0);
}

static wg_tensor take_back_dg(const wg_call *c, wg_tensor h)
{
    const wg_take_back_options *o = c->options;
    return without(wg_take(h, c->in[0], o->axis), c->in[0], o->skip);
}

static wg_status take_back_c(const wg_call *c, wg_code *w)
{
    const wg_take_back_options *o = c->options;
    wg_code_fill(w, "y", wg_type_count(&c->y[0]), "0");
    wg_code_size(w, "skip", o->skip == WG_NO_INTEGER ? -1 : o->skip);
    return rows_c(w, wg_lines_of(&c->y[0], o->axis), wg_type_count(&c->x[0]), true, ROWS_ADDED(g, at != skip));
}

WG_OP(take_back) = {
    .name = "take_back",
    .doc = "y = zeros, with g added along `axis` at the indices: take's pullback",
    .in = {{"indices", WG_INTEGER}, {"g", 0}},
    .options = WG_SCHEMA(wg_take_back, WG_ATTR_REQUIRED(wg_take_back, axis, .raw = true),
                         WG_ATTR_REQUIRED(wg_take_back, size), WG_ATTR(wg_take_back, skip)),
    .type = take_back_type,
    .run = take_back_run,
    .added_to = take_back_places,
    .c = take_back_c,
    .vjp = {NULL, take_back_dg},
    .linear = WG_JOINTLY,
    .saves = "indices",
    .samples = {"[4]:int64:0..2 [4,2] axis=0 size=3", "[2,2]:int64:0..4 [3,2,2] axis=1 size=5",
                "[4]:int64:0..2 [4,2] axis=0 size=3 skip=1"},
    .hidden = true,
};
wg_tensor wg_take_back(wg_tensor indices, wg_tensor g, int axis, int64_t size, int64_t skip)
{
    return WG_RECORD(take_back, (&(wg_take_back_options){axis, size, skip}), indices, g);
}

/* ---- embedding --------------------------------------------------------------------------------------------------- */
static wg_status embedding_type(wg_call *c)
{
    const wg_embedding_options *o = c->options;
    const wg_type *weight = &c->x[0];
    if (weight->rank != 2)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not a matrix", wg_show(c, 0));
    if (o->padding_idx != WG_NO_INTEGER && (o->padding_idx < 0 || o->padding_idx >= weight->dim[0]))
        return wg_fail(c, WG_ERROR_INDEX, "padding_idx %lld is out of range for axis 0 of size %lld",
                       (long long)o->padding_idx, (long long)weight->dim[0]);
    return taken_type(c, weight, &c->x[1], 0);
}

static wg_status embedding_run(const wg_call *c)
{
    wg_lines x = wg_lines_of(&c->x[0], 0);
    const int64_t *place = wg_places(c, 1, 0, x.n, false);
    if (!place)
        return WG_ERROR_INDEX;
    wg_rows_take(c, x, place, wg_type_count(&c->x[1]), wg_dtype_size(c->x[0].dtype), c->from[0], c->to[0]);
    return WG_OK;
}

static wg_tensor embedding_dweight(const wg_call *c, wg_tensor g)
{
    const wg_embedding_options *o = c->options;
    return wg_take_back(c->in[1], g, 0, c->x[0].dim[0], o->padding_idx);
}

static wg_tensor embedding_jvp(const wg_call *c)
{
    const wg_embedding_options *o = c->options;
    return without(wg_take(c->t[0], c->in[1], 0), c->in[1], o->padding_idx);
}

static wg_status embedding_c(const wg_call *c, wg_code *w)
{
    return rows_c(w, wg_lines_of(&c->x[0], 0), wg_type_count(&c->x[1]), false, ROWS_TAKEN(weight));
}

WG_OP(embedding) = {
    .name = "embedding",
    .doc = "y = the rows of weight at the indices; the row padding_idx has gradient 0",
    .in = {{"weight", 0}, {"indices", WG_INTEGER}},
    .options = WG_SCHEMA(wg_embedding, WG_ATTR(wg_embedding, padding_idx)),
    .type = embedding_type,
    .run = embedding_run,
    .c = embedding_c,
    .vjp = {embedding_dweight},
    .jvp = embedding_jvp,
    .saves = "indices",
    .samples = {"[5,3] [4]:int64:0..4", "[5,3] [2,3]:int32:0..4", "[5,3] []:int64:2", "[5,0] [2]:int64:0..4",
                "[5,3] [0]:int64"},
};
wg_tensor (wg_embedding)(wg_tensor weight, wg_tensor indices, wg_embedding_options options)
{
    return WG_RECORD(embedding, &options, weight, indices);
}

/* ---- take_along_axis --------------------------------------------------------------------------------------------- */
wg_status wg_along_fits(const wg_call *c, const wg_type *x, int indices, int axis)
{
    const wg_type *at = &c->x[indices];
    bool fits = at->rank == x->rank;
    for (int i = 0; i < x->rank && fits; i++)
        fits = i == axis || at->dim[i] == x->dim[i];
    if (fits)
        return WG_OK;
    return wg_fail(c, WG_ERROR_SHAPE, "shapes differ not only along axis %d: %s and %s", axis, wg_show(c, 0),
                   wg_show(c, indices));
}

static wg_status take_along_axis_type(wg_call *c)
{
    const wg_along_options *o = c->options;
    c->y[0] = c->x[1];
    c->y[0].dtype = c->x[0].dtype;
    return wg_along_fits(c, &c->x[0], 1, o->axis);
}

static wg_status take_along_axis_run(const wg_call *c)
{
    const wg_along_options *o = c->options;
    wg_lines x = wg_lines_of(&c->x[0], o->axis), y = wg_lines_of(&c->y[0], o->axis);
    const int64_t *place = wg_places(c, 1, o->axis, x.n, true);
    if (!place)
        return WG_ERROR_INDEX;
#define TAKE(T)                                                                                                        \
    for (int64_t i = 0; i < y.outer * y.n; i++)                                                                        \
        for (int64_t j = 0; j < y.inner; j++)                                                                          \
            ((T *)c->to[0])[i * y.inner + j] =                                                                         \
                ((const T *)c->from[0])[(i / y.n * x.n + place[i * y.inner + j]) * x.inner + j]
    switch (wg_dtype_size(c->x[0].dtype)) {
    case 1: TAKE(uint8_t); break;
    case 4: TAKE(uint32_t); break;
    default: TAKE(uint64_t);
    }
#undef TAKE
    return WG_OK;
}

static wg_tensor take_along_axis_dx(const wg_call *c, wg_tensor g)
{
    const wg_along_options *o = c->options;
    return wg_take_along_axis_back(c->in[1], g, o->axis, c->x[0].dim[o->axis]);
}

static wg_status take_along_axis_c(const wg_call *c, wg_code *w)
{
    const wg_along_options *o = c->options;
    return rows_c(w, wg_lines_of(&c->x[0], o->axis), wg_lines_of(&c->y[0], o->axis).n, true,
                  WG_C(for (int i = 0; i < outer; i++) for (int k = 0; k < count; k++) for (int j = 0; j < inner; j++) {
                      int64_t at = indices[(i * count + k) * inner + j];
                      if (at < lowest || at >= n) FAIL;
                      at = at < 0 ? at + n : at;
                      y[(i * count + k) * inner + j] = x[(i * n + at) * inner + j];
                  }));
}

WG_OP(take_along_axis) = {
    .name = "take_along_axis",
    .doc = "y[i, j, k] = x[i, indices[i, j, k], k], here for axis 1",
    .in = {{"x", WG_ANY}, {"indices", WG_INTEGER}},
    .options = WG_SCHEMA(wg_along, WG_ATTR_REQUIRED(wg_along, axis)),
    .type = take_along_axis_type,
    .run = take_along_axis_run,
    .c = take_along_axis_c,
    .vjp = {take_along_axis_dx},
    .linear = WG_JOINTLY,
    .saves = "indices",
    .samples = {"[5,3] [2,3]:int64:-5..4 axis=0", "[2,3,2] [2,4,2]:int32:0..2 axis=1", "[3] [5]:int64:0..2 axis=0",
                "[3,2] [3,0]:int64 axis=-1"},
};
wg_tensor (wg_take_along_axis)(wg_tensor x, wg_tensor indices, int axis)
{
    return WG_RECORD(take_along_axis, (&(wg_along_options){axis}), x, indices);
}

/* ---- take_along_axis_back ---------------------------------------------------------------------------------------- */
typedef struct {
    int axis;
    int64_t size;
} wg_take_along_axis_back_options;
#define wg_take_along_axis_back_defaults .axis = WG_NO_AXIS, .size = WG_NO_INTEGER

static wg_status take_along_axis_back_type(wg_call *c)
{
    const wg_take_along_axis_back_options *o = c->options;
    c->y[0] = c->x[1];
    c->y[0].dim[o->axis] = o->size;
    return WG_OK;
}

static wg_status take_along_axis_back_run(const wg_call *c)
{
    const wg_take_along_axis_back_options *o = c->options;
    wg_lines y = wg_lines_of(&c->y[0], o->axis), g = wg_lines_of(&c->x[1], o->axis);
    const int64_t *place = wg_places(c, 0, o->axis, o->size, true);
    if (!place)
        return WG_ERROR_INDEX;
    return wg_along_add(c, y, g, place, NULL, c->from[1], c->to[0]);
}

static wg_tensor take_along_axis_back_dg(const wg_call *c, wg_tensor h)
{
    const wg_take_along_axis_back_options *o = c->options;
    return wg_take_along_axis(h, c->in[0], o->axis);
}

static wg_status take_along_axis_back_c(const wg_call *c, wg_code *w)
{
    const wg_take_along_axis_back_options *o = c->options;
    wg_code_fill(w, "y", wg_type_count(&c->y[0]), "0");
    return rows_c(w, wg_lines_of(&c->y[0], o->axis), wg_lines_of(&c->x[1], o->axis).n, true,
                  WG_C(for (int i = 0; i < outer; i++) for (int k = 0; k < count; k++) for (int j = 0; j < inner; j++) {
                      int64_t at = indices[(i * count + k) * inner + j];
                      if (at < lowest || at >= n) FAIL;
                      at = at < 0 ? at + n : at;
                      y[(i * n + at) * inner + j] += g[(i * count + k) * inner + j];
                  }));
}

WG_OP(take_along_axis_back) = {
    .name = "take_along_axis_back",
    .doc = "y = zeros, with g[i, j, k] added at [i, indices[i, j, k], k], here for axis 1: take_along_axis's pullback",
    .in = {{"indices", WG_INTEGER}, {"g", 0}},
    .options = WG_SCHEMA(wg_take_along_axis_back, WG_ATTR_REQUIRED(wg_take_along_axis_back, axis, .raw = true),
                         WG_ATTR_REQUIRED(wg_take_along_axis_back, size)),
    .type = take_along_axis_back_type,
    .run = take_along_axis_back_run,
    .c = take_along_axis_back_c,
    .vjp = {NULL, take_along_axis_back_dg},
    .linear = WG_JOINTLY,
    .saves = "indices",
    .samples = {"[4,2]:int64:0..2 [4,2] axis=0 size=3", "[3,2]:int64:0..4 [3,2] axis=1 size=5"},
    .hidden = true,
};
wg_tensor wg_take_along_axis_back(wg_tensor indices, wg_tensor g, int axis, int64_t size)
{
    return WG_RECORD(take_along_axis_back, (&(wg_take_along_axis_back_options){axis, size}), indices, g);
}

/* ---- one_hot ----------------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t num_classes;
} wg_one_hot_options;
#define wg_one_hot_defaults .num_classes = WG_NO_INTEGER

static wg_status one_hot_type(wg_call *c)
{
    const wg_one_hot_options *o = c->options;
    if (o->num_classes < 0)
        return wg_fail(c, WG_ERROR_VALUE, "num_classes is %lld", (long long)o->num_classes);
    if (c->x[0].rank == WG_MAX_RANK)
        return wg_fail(c, WG_ERROR_SHAPE, "%d dimensions are more than %d", WG_MAX_RANK + 1, WG_MAX_RANK);
    c->y[0] = c->x[0];
    c->y[0].dtype = WG_INT64;
    c->y[0].dim[c->y[0].rank++] = o->num_classes;
    return WG_OK;
}

static wg_status one_hot_run(const wg_call *c)
{
    const wg_one_hot_options *o = c->options;
    const int64_t *place = wg_places(c, 0, c->x[0].rank, o->num_classes, false);
    if (!place)
        return WG_ERROR_INDEX;
    zero_out(c);
    for (int64_t i = 0; i < wg_type_count(&c->x[0]); i++)
        ((int64_t *)c->to[0])[i * o->num_classes + place[i]] = 1;
    return WG_OK;
}

static wg_status one_hot_c(const wg_call *c, wg_code *w)
{
    wg_code_fill(w, "y", wg_type_count(&c->y[0]), "0");
    wg_code_size(w, "classes", ((const wg_one_hot_options *)c->options)->num_classes);
    wg_code_size(w, "count", wg_type_count(&c->x[0]));
    return wg_code_text(w, WG_C(for (int k = 0; k < count; k++) {
        if (indices[k] < 0 || indices[k] >= classes) FAIL;
        y[k * classes + indices[k]] = 1;
    }));
}

WG_OP(one_hot) = {
    .name = "one_hot",
    .doc = "y[..., k] = 1 where k is the index, else 0, as int64",
    .in = {{"indices", WG_INTEGER}},
    .options = WG_SCHEMA(wg_one_hot, WG_ATTR_REQUIRED(wg_one_hot, num_classes)),
    .type = one_hot_type,
    .run = one_hot_run,
    .c = one_hot_c,
    .saves = "",
    .samples = {"[2,3]:int64:0..4 num_classes=5", "[]:int32:1 num_classes=2", "[0]:int64 num_classes=3"},
    .output_gradient_free = true,
};
wg_tensor (wg_one_hot)(wg_tensor indices, int64_t num_classes)
{
    return WG_RECORD(one_hot, (&(wg_one_hot_options){num_classes}), indices);
}

WG_FAMILY_OF(indexing, "indexing", INDEXING)
