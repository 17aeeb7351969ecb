/* Sorting and what follows from it: a merge sort from runs that are sorted by insertion, of keys together with where
 * they were. That is stable, and the places are saved, since the gradient goes back to them. A NaN counts as the
 * largest. */
#include "core/tape.h"
#include "ops/code.h"
#include "ops/fold.h"
#include "ops/index.h"
#include "wengert/elementwise.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

#define ORDER(OP) OP(sort) OP(argsort) OP(topk) OP(median) OP(quantile)
WG_CONTENTS(ORDER)

/* ---- One line: n keys and their places, with room for as many again ---------------------------------------------- */
#define RUN 16

typedef struct {
    void *key, *key_room;
    int64_t *at, *at_room;
} line;

typedef void line_sort(int64_t n, line *l, const void *from, int64_t stride, bool descending);

#define LINE_SORT(suffix, T)                                                                                           \
    static inline bool before_##suffix(T a, T b, bool descending)                                                      \
    {                                                                                                                  \
        return descending ? a > b || (a != a && b == b) : a < b || (a == a && b != b);                                 \
    }                                                                                                                  \
    static void merge_##suffix(const T *key, const int64_t *at, int64_t half, int64_t n, T *to, int64_t *to_at,        \
                               bool descending)                                                                        \
    {                                                                                                                  \
        int64_t i = 0, j = half;                                                                                       \
        for (int64_t k = 0; k < n; k++) {                                                                              \
            bool second = i == half || (j < n && before_##suffix(key[j], key[i], descending));                         \
            int64_t from = second ? j++ : i++;                                                                         \
            to[k] = key[from];                                                                                         \
            to_at[k] = at[from];                                                                                       \
        }                                                                                                              \
    }                                                                                                                  \
    static void sort_##suffix(int64_t n, line *l, const void *from, int64_t stride, bool descending)                   \
    {                                                                                                                  \
        T *key = l->key, *room = l->key_room;                                                                          \
        int64_t *at = l->at, *at_room = l->at_room;                                                                    \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const T x = ((const T *)from)[i * stride];                                                                 \
            int64_t k = i;                                                                                             \
            for (; k % RUN && before_##suffix(x, key[k - 1], descending); k--) {                                       \
                key[k] = key[k - 1];                                                                                   \
                at[k] = at[k - 1];                                                                                     \
            }                                                                                                          \
            key[k] = x;                                                                                                \
            at[k] = i;                                                                                                 \
        }                                                                                                              \
        for (int64_t half = RUN; half < n; half *= 2) {                                                                \
            for (int64_t i = 0; i < n; i += 2 * half) {                                                                \
                int64_t most = n - i < 2 * half ? n - i : 2 * half;                                                    \
                merge_##suffix(key + i, at + i, half < most ? half : most, most, room + i, at_room + i, descending);   \
            }                                                                                                          \
            T *sorted = room;                                                                                          \
            int64_t *sorted_at = at_room;                                                                              \
            room = key, at_room = at;                                                                                  \
            key = sorted, at = sorted_at;                                                                              \
        }                                                                                                              \
        *l = (line){key, room, at, at_room};                                                                           \
    }
LINE_SORT(f32, float)
LINE_SORT(f64, double)
LINE_SORT(i32, int32_t)
LINE_SORT(i64, int64_t)
LINE_SORT(bool, bool)
static line_sort *const sorts[] = {sort_f32, sort_f64, sort_i32, sort_i64, sort_bool};

static wg_status line_room(const wg_call *c, int64_t n, line *l)
{
    size_t size = wg_dtype_size(c->x[0].dtype);
    l->key = wg_scratch(c, (size_t)n * size);
    l->key_room = wg_scratch(c, (size_t)n * size);
    l->at = wg_scratch(c, (size_t)n * sizeof(int64_t));
    l->at_room = wg_scratch(c, (size_t)n * sizeof(int64_t));
    return l->key && l->key_room && l->at && l->at_room ? WG_OK : WG_ERROR_MEMORY;
}

/* The first k of each sorted line of x along `axis`: values, where wanted, and places. */
static wg_status lines_sorted(const wg_call *c, int axis, int64_t k, bool descending, void *values, int64_t *at)
{
    wg_lines x = wg_lines_of(&c->x[0], axis);
    size_t size = wg_dtype_size(c->x[0].dtype);
    line l;
    if (line_room(c, x.n, &l))
        return WG_ERROR_MEMORY;
    for (int64_t o = 0; o < x.outer; o++)
        for (int64_t j = 0; j < x.inner; j++) {
            const char *from = (const char *)c->from[0] + (size_t)(o * x.n * x.inner + j) * size;
            sorts[c->x[0].dtype](x.n, &l, from, x.inner, descending);
            for (int64_t i = 0; i < k; i++) {
                int64_t to = (o * k + i) * x.inner + j;
                at[to] = l.at[i];
                if (values)
                    memcpy((char *)values + (size_t)to * size, (char *)l.key + (size_t)i * size, size);
            }
        }
    return WG_OK;
}

/* ---- The same in C ----------------------------------------------------------------------------------------------- */
#define FLOATS_ASCEND(a, b) (a < b || (a == a && b != b))
#define FLOATS_DESCEND(a, b) (a > b || (a != a && b == b))
#define OTHERS_ASCEND(a, b) (a < b)
#define OTHERS_DESCEND(a, b) (a > b)

/* The places of a line as a heap, in place: the one that comes last on top, of equal keys the later one. */
#define HEAP(BEFORE)                                                                                                   \
        int start = n / 2, end = n;                                                                                    \
        for (int k = 0; k < n; k++) place[k * step] = k;                                                               \
        while (end > 1) {                                                                                              \
            if (start > 0) start--;                                                                                    \
            else { end--; const int64_t top = place[0]; place[0] = place[end * step]; place[end * step] = top; }       \
            int root = start;                                                                                          \
            while (2 * root + 1 < end) {                                                                               \
                int child = 2 * root + 1;                                                                              \
                if (child + 1 < end) {                                                                                 \
                    const int64_t l = place[child * step], r = place[(child + 1) * step];                              \
                    const T c = key[l * step], d = key[r * step];                                                      \
                    if (BEFORE(c, d) || (!BEFORE(d, c) && l < r)) child++;                                             \
                }                                                                                                      \
                const int64_t p = place[root * step], q = place[child * step];                                         \
                const T a = key[p * step], b = key[q * step];                                                          \
                if (BEFORE(b, a) || (!BEFORE(a, b) && q < p)) break;                                                   \
                place[root * step] = q; place[child * step] = p; root = child;                                         \
            }                                                                                                          \
        }
#define HEAP_TEXT(BEFORE)                                                                                              \
    TEXT_OF(const T *key = x + i * n * step + j; int64_t *place = PLACES + i * n * step + j; HEAP(BEFORE))
/* The first after the last one found, `most` times: it needs no room for the others. */
#define FIRST_TEXT(BEFORE)                                                                                             \
    TEXT_OF(                                                                                                           \
        const T *key = x + i * n * step + j; int last = -1;                                                            \
        for (int k = 0; k < most; k++) {                                                                               \
            int best = -1;                                                                                             \
            for (int p = 0; p < n; p++) {                                                                              \
                const T a = key[p * step];                                                                             \
                if (last >= 0) {                                                                                       \
                    const T b = key[last * step];                                                                      \
                    if (BEFORE(a, b) || (!BEFORE(b, a) && p <= last)) continue;                                        \
                }                                                                                                      \
                if (best >= 0) { const T b = key[best * step]; if (!BEFORE(a, b)) continue; }                          \
                best = p;                                                                                              \
            }                                                                                                          \
            last = best;                                                                                               \
            values[(i * most + k) * step + j] = key[best * step]; indices[(i * most + k) * step + j] = best;           \
        })

/* `text` for each line of x along `axis`: its order on floats, which may be NaN, and on others. */
static wg_status line_code(const wg_call *c, wg_code *w, int axis, const char *of_floats, const char *of_others)
{
    wg_lines x = wg_lines_of(&c->x[0], axis);
    wg_code_size(w, "n", x.n);
    wg_code_size(w, "step", x.inner);
    wg_code_for(w, "i", x.outer);
    wg_code_for(w, "j", x.inner);
    wg_status status = wg_code_text(w, wg_is_float(c->x[0].dtype) ? of_floats : of_others);
    wg_code_end(w);
    wg_code_end(w);
    return status;
}

static wg_status order_code(const wg_call *c, wg_code *w, int axis, bool descending, const char *places)
{
    w->n_words = 0;
    wg_code_word(w, "PLACES", places);
    wg_status status = descending ? line_code(c, w, axis, HEAP_TEXT(FLOATS_DESCEND), HEAP_TEXT(OTHERS_DESCEND))
                                  : line_code(c, w, axis, HEAP_TEXT(FLOATS_ASCEND), HEAP_TEXT(OTHERS_ASCEND));
    w->n_words = 0;
    return status;
}

/* ---- sort, argsort ----------------------------------------------------------------------------------------------- */
static wg_status sort_type(wg_call *c)
{
    c->y[0] = c->y[1] = c->x[0];
    c->y[1].dtype = WG_INT64;
    return WG_OK;
}

static wg_status sort_run(const wg_call *c)
{
    const wg_sort_options *o = c->options;
    return lines_sorted(c, o->axis, c->x[0].dim[o->axis], o->descending, c->to[0], c->to[1]);
}

static wg_status sort_c(const wg_call *c, wg_code *w)
{
    const wg_sort_options *o = c->options;
    wg_status status = order_code(c, w, o->axis, o->descending, "index");
    wg_lines x = wg_lines_of(&c->x[0], o->axis);
    wg_code_for(w, "i", x.outer);
    wg_code_for(w, "k", x.n);
    wg_code_for(w, "j", x.inner);
    if (!status)
        status =
            wg_code_text(w, WG_C(y[(i * n + k) * step + j] = x[(i * n + index[(i * n + k) * step + j]) * step + j];));
    wg_code_end(w);
    wg_code_end(w);
    wg_code_end(w);
    return status;
}

static wg_tensor sort_dx(const wg_call *c, wg_tensor g)
{
    const wg_sort_options *o = c->options;
    return wg_take_along_axis_back(wg_saved(c, 0), g, o->axis, c->x[0].dim[o->axis]);
}

static wg_tensor sort_jvp(const wg_call *c)
{
    const wg_sort_options *o = c->options;
    return wg_take_along_axis(c->t[0], wg_saved(c, 0), o->axis);
}

#define SORT_SCHEMA(name)                                                                                              \
    WG_SCHEMA(wg_##name, WG_ATTR(wg_##name, axis), WG_ATTR(wg_##name, descending), WG_ATTR(wg_##name, stable))

WG_OP(sort) = {
    .name = "sort",
    .doc = "y = x in ascending or descending order along `axis`; equal ones keep theirs, NaN counts as the largest",
    .in = {{"x", WG_ANY}},
    .saved = {"index"},
    .options = SORT_SCHEMA(sort),
    .type = sort_type,
    .run = sort_run,
    .c = sort_c,
    .vjp = {sort_dx},
    .jvp = sort_jvp,
    .saves = "",
    .samples = {"[2,3,4]", "[40]", "[3,2] axis=0 descending=true", "[1]", "[0,3]", "[3,0]"},
};
wg_tensor (wg_sort)(wg_tensor x, wg_sort_options options) { return WG_RECORD(sort, &options, x); }

static wg_status argsort_type(wg_call *c)
{
    c->y[0] = c->x[0];
    c->y[0].dtype = WG_INT64;
    return WG_OK;
}

static wg_status argsort_run(const wg_call *c)
{
    const wg_argsort_options *o = c->options;
    return lines_sorted(c, o->axis, c->x[0].dim[o->axis], o->descending, NULL, c->to[0]);
}

static wg_status argsort_c(const wg_call *c, wg_code *w)
{
    const wg_argsort_options *o = c->options;
    return order_code(c, w, o->axis, o->descending, "y");
}

WG_OP(argsort) = {
    .name = "argsort",
    .doc = "y = where the entries of sort(x) were, along `axis`, as int64",
    .in = {{"x", WG_ANY}},
    .options = SORT_SCHEMA(argsort),
    .type = argsort_type,
    .run = argsort_run,
    .c = argsort_c,
    .saves = "",
    .samples = {"[2,3,4]", "[40]:int64:0..9", "[3,2] axis=0 descending=true", "[1]", "[0,3]"},
    .output_gradient_free = true,
};
wg_tensor (wg_argsort)(wg_tensor x, wg_argsort_options options) { return WG_RECORD(argsort, &options, x); }

/* ---- topk -------------------------------------------------------------------------------------------------------- */
static wg_status topk_type(wg_call *c)
{
    const wg_topk_options *o = c->options;
    if (o->k < 0 || o->k > c->x[0].dim[o->axis])
        return wg_fail(c, WG_ERROR_VALUE, "k is %lld for axis %d of %s", (long long)o->k, o->axis, wg_show(c, 0));
    c->y[0] = c->x[0];
    c->y[0].dim[o->axis] = o->k;
    c->y[1] = c->y[0];
    c->y[1].dtype = WG_INT64;
    return WG_OK;
}

static wg_status topk_run(const wg_call *c)
{
    const wg_topk_options *o = c->options;
    return lines_sorted(c, o->axis, o->k, o->largest, c->to[0], c->to[1]);
}

static wg_status topk_c(const wg_call *c, wg_code *w)
{
    const wg_topk_options *o = c->options;
    if (!o->k)
        return WG_OK;
    wg_code_size(w, "most", o->k);
    return o->largest ? line_code(c, w, o->axis, FIRST_TEXT(FLOATS_DESCEND), FIRST_TEXT(OTHERS_DESCEND))
                      : line_code(c, w, o->axis, FIRST_TEXT(FLOATS_ASCEND), FIRST_TEXT(OTHERS_ASCEND));
}

static wg_tensor topk_dx(const wg_call *c, wg_tensor g)
{
    const wg_topk_options *o = c->options;
    return wg_take_along_axis_back(c->out[1], g, o->axis, c->x[0].dim[o->axis]);
}

static wg_tensor topk_jvp(const wg_call *c)
{
    const wg_topk_options *o = c->options;
    return wg_take_along_axis(c->t[0], c->out[1], o->axis);
}

WG_OP(topk) = {
    .name = "topk",
    .doc = "values, indices = the k largest, or smallest, along `axis`, in that order; equal ones in theirs",
    .in = {{"x", WG_ANY}},
    .out = {"values", "indices"},
    .options = WG_SCHEMA(wg_topk, WG_ATTR_REQUIRED(wg_topk, k), WG_ATTR(wg_topk, axis), WG_ATTR(wg_topk, largest)),
    .type = topk_type,
    .run = topk_run,
    .c = topk_c,
    .vjp = {topk_dx},
    .jvp = topk_jvp,
    .saves = "",
    .samples = {"[2,3,4] k=2", "[40] k=5", "[3,2] axis=0 k=1 largest=false", "[3] k=0", "[0,3] k=2"},
};
wg_topk_result (wg_topk)(wg_tensor x, wg_topk_options options)
{
    wg_tensor out[2] = {x, x};
    wg_record_on(x.tape, &topk_op, &options, &x, 1, out, 2);
    return (wg_topk_result){out[0], out[1]};
}

/* ---- median, quantile: x as rows of what is reduced, of which one entry or two make the result ------------------- */
/* The type of x with the axes last, and its strides. */
static wg_type axes_last(const wg_type *x, const wg_axes *axes, int64_t stride[WG_MAX_RANK])
{
    wg_type moved = {.dtype = x->dtype, .rank = x->rank};
    int64_t own[WG_MAX_RANK], step = 1;
    bool goes[WG_MAX_RANK] = {false};
    int n = 0;
    for (int i = x->rank; i-- > 0; step *= x->dim[i])
        own[i] = step;
    for (int i = 0; i < axes->n; i++)
        goes[axes->at[i]] = true;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < x->rank; i++)
            if (goes[i] == (pass == 1)) {
                moved.dim[n] = x->dim[i];
                stride[n++] = own[i];
            }
    return moved;
}

/* x with the axes last, contiguous: [rows, n]. */
static const char *rows_gathered(const wg_call *c, const wg_axes *axes)
{
    const wg_type *x = &c->x[0];
    int64_t stride[WG_MAX_RANK];
    wg_type moved = axes_last(x, axes, stride);
    char *rows = wg_scratch(c, (size_t)wg_type_count(x) * wg_dtype_size(x->dtype));
    if (rows)
        wg_gather_strided(&moved, stride, c->from[0], rows);
    return rows;
}

static double key_at(const wg_call *c, const line *l, int64_t i)
{
    return c->dtype == WG_FLOAT32 ? (double)((const float *)l->key)[i] : ((const double *)l->key)[i];
}

/* Where the first NaN lies in a sorted line; n where there is none. */
static int64_t first_nan(const wg_call *c, const line *l, int64_t n)
{
    int64_t i = n;
    while (i > 0 && isnan(key_at(c, l, i - 1)))
        i--;
    return i;
}

/* y = a + part (b - a), where a is entry `low` of a sorted row and b the next; where they were in x's row is saved,
 * [rows, 2]. */
static wg_status rows_between(const wg_call *c, const wg_axes *axes, int64_t low, double part)
{
    int64_t n = wg_reduced_count(&c->x[0], axes), count = wg_type_count(&c->y[0]), *at = c->to[1];
    size_t size = wg_dtype_size(c->dtype);
    const char *rows = rows_gathered(c, axes);
    line l;
    if (!rows || line_room(c, n, &l))
        return WG_ERROR_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        sorts[c->dtype](n, &l, rows + (size_t)(i * n) * size, 1, false);
        int64_t nan = first_nan(c, &l, n), a = nan < n ? nan : low, b = nan < n || part == 0 ? a : low + 1;
        double y = key_at(c, &l, a), more = key_at(c, &l, b);
        y = a == b || y == more ? y : y + part * (more - y);
        at[2 * i] = l.at[a];
        at[2 * i + 1] = l.at[b];
        if (c->dtype == WG_FLOAT32)
            ((float *)c->to[0])[i] = (float)y;
        else
            ((double *)c->to[0])[i] = y;
    }
    return WG_OK;
}

static wg_status between_c(const wg_call *c, wg_code *w, const wg_axes *axes, int64_t low, double part)
{
    int64_t stride[WG_MAX_RANK], n = wg_reduced_count(&c->x[0], axes);
    wg_type moved = axes_last(&c->x[0], axes, stride);
    wg_code_room(w, "rows", c->dtype, wg_type_count(&c->x[0]));
    wg_code_room(w, "place", WG_INT64, n);
    wg_code_move(w, &moved, (wg_code_array){.word = "rows"}, "=", (wg_code_array){.word = "x", .stride = stride});
    wg_code_size(w, "n", n);
    wg_code_size(w, "step", 1);
    wg_code_size(w, "low", low);
    wg_code_number(w, "part", part);
    wg_code_for(w, "i", wg_type_count(&c->y[0]));
    wg_status status = wg_code_text(w, TEXT_OF(
        const T *key = rows + i * n;
        HEAP(FLOATS_ASCEND)
        int nan = n;
        while (nan > 0 && isnan_T(key[place[nan - 1]])) nan--;
        const int a = nan < n ? nan : low; const int b = nan < n || part == 0 ? a : low + 1;
        double value = (double)key[place[a]];
        const double more = (double)key[place[b]];
        if (a != b && value != more) value += part * (more - value);
        index[2 * i] = place[a]; index[2 * i + 1] = place[b];
        y[i] = (T)value;));
    wg_code_end(w);
    return status;
}

static wg_status between_type(wg_call *c, const wg_axes *axes, bool keepdims)
{
    wg_type *index = &c->y[1];
    *index = (wg_type){.dtype = WG_INT64};
    for (int i = 0, k = 0; i < c->x[0].rank; i++)
        if (k < axes->n && axes->at[k] == i)
            k++;
        else
            index->dim[index->rank++] = c->x[0].dim[i];
    index->dim[index->rank++] = 2;
    wg_status status = wg_reduced_type(c, axes, keepdims, c->x[0].dtype);
    if (!status && index->rank > WG_MAX_RANK)
        status = wg_fail(c, WG_ERROR_SHAPE, "%d dimensions stay; there may be %d", index->rank - 1, WG_MAX_RANK - 1);
    return status ? status : wg_reduced_something(c, axes);
}

/* How much of the result low and high each make. */
static wg_tensor shares(const wg_call *c, double part)
{
    const double share[2] = {1 - part, part};
    return wg_cast(wg_array(c->tape, WG_FLOAT64, WG_SHAPE(2), share), .dtype = c->dtype);
}

static wg_tensor between_dx(const wg_call *c, wg_tensor g, const wg_axes *axes, double part)
{
    wg_shape shape = wg_shape_of(wg_saved(c, 0));
    shape.dim[shape.rank - 1] = 1;
    wg_tensor both = wg_multiply(wg_reshape(g, shape), shares(c, part));
    wg_tensor rows = wg_take_along_axis_back(wg_saved(c, 0), both, shape.rank - 1, wg_reduced_count(&c->x[0], axes));
    return wg_last_back(rows, &c->x[0], axes);
}

static wg_tensor between_jvp(const wg_call *c, const wg_axes *axes, double part)
{
    wg_tensor both = wg_take_along_axis(wg_last_of(c->t[0], axes), wg_saved(c, 0), -1);
    wg_tensor t = wg_sum(wg_multiply(both, shares(c, part)), .axis = -1);
    return wg_reshape(t, wg_type_shape(&c->y[0]));
}

static wg_status median_type(wg_call *c)
{
    const wg_median_options *o = c->options;
    return between_type(c, &o->axis, o->keepdims);
}

static wg_status median_run(const wg_call *c)
{
    const wg_median_options *o = c->options;
    return rows_between(c, &o->axis, (wg_reduced_count(&c->x[0], &o->axis) - 1) / 2, 0);
}

static wg_status median_c(const wg_call *c, wg_code *w)
{
    const wg_median_options *o = c->options;
    return between_c(c, w, &o->axis, (wg_reduced_count(&c->x[0], &o->axis) - 1) / 2, 0);
}

static wg_tensor median_dx(const wg_call *c, wg_tensor g)
{
    const wg_median_options *o = c->options;
    return between_dx(c, g, &o->axis, 0);
}

static wg_tensor median_jvp(const wg_call *c)
{
    const wg_median_options *o = c->options;
    return between_jvp(c, &o->axis, 0);
}

WG_OP(median) = {
    .name = "median",
    .doc = "y = the middle one of x over `axis` in ascending order, of two the lower; NaN where there is one",
    .in = {{"x", 0}},
    .saved = {"index"},
    .options = WG_SCHEMA(wg_median, WG_ATTR(wg_median, axis), WG_ATTR(wg_median, keepdims)),
    .type = median_type,
    .run = median_run,
    .c = median_c,
    .vjp = {median_dx},
    .jvp = median_jvp,
    .saves = "",
    .samples = {"[2,3,4]", "[2,3,4] axis=1 keepdims=true", "[2,3,4] axis=[0,-1]", "[40] axis=0", "[]", "[0,3] axis=1"},
};
wg_tensor (wg_median)(wg_tensor x, wg_median_options options) { return WG_RECORD(median, &options, x); }

static wg_status quantile_type(wg_call *c)
{
    const wg_quantile_options *o = c->options;
    if (!(o->q >= 0 && o->q <= 1))
        return wg_fail(c, WG_ERROR_VALUE, "q is %g, not between 0 and 1", o->q);
    return between_type(c, &o->axis, o->keepdims);
}

/* The place below q of the way through n entries; how far behind it the quantile lies. */
static int64_t quantile_place(const wg_call *c, double *part)
{
    const wg_quantile_options *o = c->options;
    double at = o->q * (double)(wg_reduced_count(&c->x[0], &o->axis) - 1), low = floor(at);
    *part = at - low;
    return (int64_t)low;
}

static wg_status quantile_run(const wg_call *c)
{
    const wg_quantile_options *o = c->options;
    double part;
    int64_t low = quantile_place(c, &part);
    return rows_between(c, &o->axis, low, part);
}

static wg_status quantile_c(const wg_call *c, wg_code *w)
{
    double part;
    int64_t low = quantile_place(c, &part);
    return between_c(c, w, &((const wg_quantile_options *)c->options)->axis, low, part);
}

static wg_tensor quantile_dx(const wg_call *c, wg_tensor g)
{
    const wg_quantile_options *o = c->options;
    double part;
    quantile_place(c, &part);
    return between_dx(c, g, &o->axis, part);
}

static wg_tensor quantile_jvp(const wg_call *c)
{
    const wg_quantile_options *o = c->options;
    double part;
    quantile_place(c, &part);
    return between_jvp(c, &o->axis, part);
}

WG_OP(quantile) = {
    .name = "quantile",
    .doc = "y = the value a part q of the way from the smallest to the largest of x over `axis`, linear between them",
    .source = "Hyndman and Fan 1996, type 7",
    .in = {{"x", 0}},
    .saved = {"index"},
    .options = WG_SCHEMA(wg_quantile, WG_ATTR_REQUIRED(wg_quantile, q), WG_ATTR(wg_quantile, axis),
                         WG_ATTR(wg_quantile, keepdims)),
    .type = quantile_type,
    .run = quantile_run,
    .c = quantile_c,
    .vjp = {quantile_dx},
    .jvp = quantile_jvp,
    .saves = "",
    .samples = {"[2,3,4] q=0.3", "[2,3,4] q=0.75 axis=1 keepdims=true", "[2,3,4] q=1 axis=[0,-1]", "[40] q=0.5 axis=0",
                "[] q=0.1", "[0,3] q=0.5 axis=1"},
};
wg_tensor (wg_quantile)(wg_tensor x, wg_quantile_options options) { return WG_RECORD(quantile, &options, x); }

WG_FAMILY_OF(order, "reductions", ORDER)
