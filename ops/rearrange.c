/* Rearranging: operations that read x through an index of its own for each axis (pad, roll, tile, repeat). An axis of
 * the result is written as a few runs of indices of x; from the runs of all axes follow the gather, and the scatter
 * that adds up, which is its transpose. Diagonals and triangles are in triangle.c. */
#include "ops/code.h"
#include "core/tape.h"
#include "ops/shape.h"

#define REARRANGEMENTS(OP)                                                                                             \
    OP(pad) OP(pad_back) OP(roll) OP(tile) OP(tile_back) OP(repeat) OP(repeat_back)
WG_CONTENTS(REARRANGEMENTS)

static const wg_op pad_back_op, tile_back_op, repeat_back_op; /* each behind the operation whose transpose it is */

/* ---- Runs ------------------------------------------------------------------------------------------------------ */
/* n indices from, from + step, ... of x; from < 0: outside of it. */
typedef struct {
    int64_t from, step, n;
} run;

/* y read from x: axis k of y as runs of indices of axis k of x, none where the two are the same. */
typedef struct {
    wg_type x, y; /* of equal rank */
    run *runs[WG_MAX_RANK];
    int n_runs[WG_MAX_RANK];
    int64_t *index[WG_MAX_RANK]; /* the runs written out, for axes in front of the last with runs */
    int last;                    /* the last axis with runs; -1: none */
    int64_t rows, block;         /* axes in front of it, elements behind it */
} reading;

/* Room for n more runs of an axis; false, and the error reported, when there is no memory. */
static bool runs_begin(const wg_call *c, reading *r, int axis, int64_t n)
{
    r->n_runs[axis] = 0;
    r->runs[axis] = n < INT_MAX ? wg_scratch(c, (size_t)(n + 1) * sizeof(run)) : wg_scratch(c, SIZE_MAX);
    return r->runs[axis] != NULL;
}

static void runs_add(reading *r, int axis, int64_t from, int64_t step, int64_t n)
{
    if (n > 0)
        r->runs[axis][r->n_runs[axis]++] = (run){from, step, n};
}

static wg_status runs_end(const wg_call *c, reading *r)
{
    r->last = -1;
    r->rows = r->block = 1;
    for (int k = 0; k < r->y.rank; k++)
        if (r->runs[k])
            r->last = k;
    for (int k = 0; k < r->y.rank; k++)
        if (k < r->last)
            r->rows *= r->y.dim[k];
        else if (k > r->last)
            r->block *= r->y.dim[k];
    for (int k = 0; k < r->last; k++) {
        if (!r->runs[k])
            continue;
        int64_t *index = wg_scratch(c, (size_t)r->y.dim[k] * sizeof *index);
        if (!index)
            return WG_ERROR_MEMORY;
        r->index[k] = index;
        for (int i = 0; i < r->n_runs[k]; i++)
            for (int64_t j = 0; j < r->runs[k][i].n; j++)
                *index++ = r->runs[k][i].from < 0 ? -1 : r->runs[k][i].from + j * r->runs[k][i].step;
    }
    return WG_OK;
}

/* Where row `row` of y (all axes in front of the last with runs) starts in x, in elements; -1: outside. */
static int64_t row_start(const reading *r, int64_t row)
{
    int64_t start = 0, step = r->block * r->x.dim[r->last];
    for (int k = r->last; k-- > 0; step *= r->x.dim[k]) {
        int64_t i = row % r->y.dim[k];
        row /= r->y.dim[k];
        i = r->index[k] ? r->index[k][i] : i;
        if (i < 0)
            return -1;
        start += i * step;
    }
    return start;
}

static void fill(size_t size, int64_t n, const void *value, char *to)
{
    for (int64_t i = 0; i < n; i++)
        memcpy(to + (size_t)i * size, value, size);
}

#define COPY_LOOP(T)                                                                                                   \
    for (int64_t i = 0; i < n; i++)                                                                                    \
        ((T *)to)[i] = ((const T *)from)[i * step];

/* n blocks of that many elements, `step` blocks apart in x. */
static void copy_run(size_t size, int64_t block, int64_t n, const char *from, int64_t step, char *to)
{
    size_t bytes = (size_t)block * size;
    if (step == 1)
        memcpy(to, from, (size_t)n * bytes);
    else if (block == 1 && size == 4)
        COPY_LOOP(uint32_t)
    else if (block == 1 && size == 8)
        COPY_LOOP(uint64_t)
    else
        for (int64_t i = 0; i < n; i++)
            memcpy(to + (size_t)i * bytes, from + i * step * (int64_t)bytes, bytes);
}

/* y from x; `outside` is one element. */
static wg_status gather(const wg_call *c, reading *r, const void *outside)
{
    size_t size = wg_dtype_size(r->x.dtype);
    if (!wg_type_count(&r->y))
        return WG_OK;
    wg_status status = runs_end(c, r);
    if (status)
        return status;
    if (r->last < 0) {
        memcpy(c->to[0], c->from[0], (size_t)wg_type_count(&r->y) * size);
        return WG_OK;
    }
    char *to = c->to[0];
    for (int64_t row = 0; row < r->rows; row++) {
        int64_t start = row_start(r, row);
        for (int i = 0; i < r->n_runs[r->last]; i++) {
            run s = r->runs[r->last][i];
            if (start < 0 || s.from < 0)
                fill(size, s.n * r->block, outside, to);
            else
                copy_run(size, r->block, s.n, (const char *)c->from[0] + (size_t)(start + s.from * r->block) * size,
                         s.step, to);
            to += (size_t)(s.n * r->block) * size;
        }
    }
    return WG_OK;
}

/* A run of y, from element `at` on, added where it was read; a run in order is one stretch. */
#define ADD_RUN(T)                                                                                                     \
    {                                                                                                                  \
        const T *g = (const T *)from + at;                                                                             \
        double *to = sum + s.from * r->block;                                                                          \
        int64_t block = r->block;                                                                                      \
        if (s.step == 1)                                                                                               \
            for (int64_t j = 0; j < s.n * block; j++)                                                                  \
                to[j] += (double)g[j];                                                                                 \
        else if (block == 1)                                                                                           \
            for (int64_t j = 0; j < s.n; j++, to += s.step)                                                            \
                *to += (double)g[j];                                                                                   \
        else                                                                                                           \
            for (int64_t j = 0; j < s.n; j++, g += block, to += s.step * block)                                        \
                for (int64_t b = 0; b < block; b++)                                                                    \
                    to[b] += (double)g[b];                                                                             \
    }

/* Row `row` of y, added to the row of x it was read from. */
static void add_row(const reading *r, int64_t row, const void *from, double *sum)
{
    int64_t at = row * r->y.dim[r->last] * r->block;
    for (int i = 0; i < r->n_runs[r->last]; i++) {
        run s = r->runs[r->last][i];
        if (s.from >= 0 && r->y.dtype == WG_FLOAT32)
            ADD_RUN(float)
        else if (s.from >= 0)
            ADD_RUN(double)
        at += s.n * r->block;
    }
}

static void to_float(int64_t n, const double *restrict from, float *restrict to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)from[i];
}

/* Adds in double, of which a row is enough where each row of x is read by one row of y. */
static wg_status add_rows(const wg_call *c, const reading *r, bool row_by_row)
{
    int64_t length = r->x.dim[r->last] * r->block, n = row_by_row ? length : wg_type_count(&r->x);
    double *sum = c->to[0];
    bool is_float = r->x.dtype == WG_FLOAT32;
    if (is_float) {
        sum = wg_scratch(c, (size_t)n * sizeof *sum);
        if (!sum)
            return WG_ERROR_MEMORY;
        memset(sum, 0, (size_t)n * sizeof *sum);
    }
    for (int64_t row = 0; row < r->rows; row++) {
        int64_t start = row_start(r, row);
        if (start < 0)
            continue;
        add_row(r, row, c->from[0], row_by_row && is_float ? sum : sum + start);
        if (row_by_row && is_float) {
            to_float(length, sum, (float *)c->to[0] + start);
            memset(sum, 0, (size_t)length * sizeof *sum);
        }
    }
    if (is_float && !row_by_row)
        to_float(n, sum, c->to[0]);
    return WG_OK;
}

/* The transpose: x from y, which is the operand here. */
static wg_status scatter(const wg_call *c, reading *r)
{
    size_t bytes = (size_t)wg_type_count(&r->x) * wg_dtype_size(r->x.dtype);
    memset(c->to[0], 0, bytes);
    if (!wg_type_count(&r->y))
        return WG_OK;
    wg_status status = runs_end(c, r);
    if (status)
        return status;
    if (r->last < 0) {
        memcpy(c->to[0], c->from[0], bytes);
        return WG_OK;
    }
    bool row_by_row = true;
    for (int k = 0; k < r->last; k++)
        row_by_row = row_by_row && !r->index[k];
    return add_rows(c, r, row_by_row);
}

/* The runs of every axis that has some, written out: -1 is outside. */
static wg_status reading_c(const wg_call *c, wg_code *w, const reading *r, bool back, double outside)
{
    int64_t *index[WG_MAX_RANK] = {NULL};
    for (int k = 0; k < r->y.rank; k++) {
        int64_t n = 0;
        if (r->runs[k] && !(index[k] = wg_scratch(c, (size_t)r->y.dim[k] * sizeof *index[k])))
            return WG_ERROR_MEMORY;
        for (int i = 0; i < r->n_runs[k]; i++)
            for (int64_t j = 0; j < r->runs[k][i].n; j++)
                index[k][n++] = r->runs[k][i].from < 0 ? -1 : r->runs[k][i].from + j * r->runs[k][i].step;
    }
    return wg_code_indexed(w, &r->x, &r->y, index, back, outside);
}

/* ---- pad --------------------------------------------------------------------------------------------------------- */
typedef struct {
    wg_shape shape; /* of the result: what was padded */
    wg_pad_options pad;
} wg_pad_back_options;
#define wg_pad_back_defaults .shape = WG_NO_SHAPE, .pad = {wg_pad_defaults}

/* y's sizes from x's. */
static wg_status padded(const wg_call *c, const wg_pad_options *o, const wg_type *x, wg_type *y)
{
    *y = *x;
    for (int k = 0; k < x->rank; k++) {
        int64_t before = o->pad_width[k][0], after = o->pad_width[k][1];
        if (before < 0 || after < 0)
            return wg_fail(c, WG_ERROR_VALUE, "a pad_width of [%lld, %lld] for axis %d", (long long)before,
                           (long long)after, k);
        if (!wg_choice_is(o->mode, "constant") && x->dim[k] == 0 && (before || after))
            return wg_fail(c, WG_ERROR_SHAPE, "axis %d has no entry to pad with", k);
        if (__builtin_add_overflow(y->dim[k], before, &y->dim[k]) ||
            __builtin_add_overflow(y->dim[k], after, &y->dim[k]))
            return wg_fail(c, WG_ERROR_MEMORY, "the result is too large");
    }
    return WG_OK;
}

/* Runs of x again and again, from index -before to n + after: forward, and with `mirrored` back without the ends. */
static void periodic_runs(reading *r, int axis, int64_t before, bool mirrored)
{
    int64_t n = r->x.dim[axis], length = r->y.dim[axis], period = mirrored && n > 1 ? 2 * n - 2 : n;
    int64_t at = (period - before % period) % period; /* place within the period */
    for (int64_t done = 0, step; done < length; done += step, at = (at + step) % period) {
        bool back = at >= n; /* n, n + 1, ... of the period are n - 2, n - 3, ... */
        step = (back ? period : n) - at;
        step = step < length - done ? step : length - done;
        runs_add(r, axis, back ? period - at : at, back ? -1 : 1, step);
    }
}

static wg_status pad_runs(const wg_call *c, const wg_pad_options *o, reading *r)
{
    for (int k = 0; k < r->x.rank; k++) {
        int64_t n = r->x.dim[k], before = o->pad_width[k][0], after = o->pad_width[k][1];
        bool mirrored = wg_choice_is(o->mode, "reflect"), periodic = mirrored || wg_choice_is(o->mode, "wrap");
        if (!before && !after)
            continue;
        int64_t turns = periodic ? (before + after) / (mirrored && n > 1 ? n - 1 : n) + 4 : 3;
        if (!runs_begin(c, r, k, turns))
            return WG_ERROR_MEMORY;
        if (periodic) {
            periodic_runs(r, k, before, mirrored);
            continue;
        }
        bool edge = wg_choice_is(o->mode, "edge");
        runs_add(r, k, edge ? 0 : -1, 0, before);
        runs_add(r, k, 0, 1, n);
        runs_add(r, k, edge ? n - 1 : -1, 0, after);
    }
    return WG_OK;
}

static wg_status pad_type(wg_call *c) { return padded(c, c->options, &c->x[0], &c->y[0]); }

static wg_status pad_run(const wg_call *c)
{
    const wg_pad_options *o = c->options;
    reading r = {.x = c->x[0], .y = c->y[0]};
    unsigned char outside[8];
    wg_store_number(c->x[0].dtype, o->value, outside);
    if (!wg_type_count(&c->y[0]))
        return WG_OK;
    wg_status status = pad_runs(c, o, &r);
    return status ? status : gather(c, &r, outside);
}

static wg_tensor pad_dx(const wg_call *c, wg_tensor g)
{
    const wg_pad_options *o = c->options;
    const wg_type *x = &c->x[0];
    if (!wg_choice_is(o->mode, "constant"))
        return WG_RECORD(pad_back, (&(wg_pad_back_options){wg_type_shape(x), *o}), g);
    wg_ints start = {.n = x->rank}, stop = {.n = x->rank};
    for (int k = 0; k < x->rank; k++) {
        start.at[k] = o->pad_width[k][0];
        stop.at[k] = o->pad_width[k][0] + x->dim[k];
    }
    return wg_slice(g, .start = start, .stop = stop);
}

static wg_tensor pad_jvp(const wg_call *c)
{
    wg_pad_options o = *(const wg_pad_options *)c->options;
    o.value = 0;
    return (wg_pad)(c->t[0], o);
}

static wg_status pad_c(const wg_call *c, wg_code *w)
{
    const wg_pad_options *o = c->options;
    reading r = {.x = c->x[0], .y = c->y[0]};
    wg_status status = pad_runs(c, o, &r);
    return status ? status : reading_c(c, w, &r, false, o->value);
}

WG_OP(pad) = {
    .name = "pad",
    .doc = "y = x with pad_width[i] entries more before and after axis i: `value`, or x continued as `mode` says",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_pad, WG_ATTR_REQUIRED(wg_pad, pad_width),
                         WG_ATTR(wg_pad, mode, .choices = {"constant", "reflect", "edge", "wrap"}),
                         WG_ATTR(wg_pad, value)),
    .type = pad_type,
    .run = pad_run,
    .c = pad_c,
    .vjp = {pad_dx},
    .jvp = pad_jvp,
    .saves = "",
    .samples = {"[2,3] pad_width=[[1,2],[0,1]] value=7", "[3] pad_width=[[5,6]] mode=reflect",
                "[2,3] pad_width=[[1,1],[2,2]] mode=edge", "[3,2] pad_width=[[4,0],[1,7]] mode=wrap",
                "[1] pad_width=[[2,2]] mode=reflect", "[] pad_width=[]", "[0,2] pad_width=[[1,1],[0,0]]"},
};

static wg_status pad_back_type(wg_call *c)
{
    const wg_pad_back_options *o = c->options;
    wg_type y;
    c->y[0] = wg_type_make(c->dtype, o->shape);
    wg_status status = padded(c, &o->pad, &c->y[0], &y);
    if (!status && !wg_type_equal(&y, &c->x[0]))
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not what padding makes", wg_show(c, 0));
    return status;
}

static wg_status pad_back_run(const wg_call *c)
{
    const wg_pad_back_options *o = c->options;
    reading r = {.x = c->y[0], .y = c->x[0]};
    wg_status status = wg_type_count(&c->x[0]) ? pad_runs(c, &o->pad, &r) : WG_OK;
    return status ? status : scatter(c, &r);
}

static wg_tensor pad_back_dx(const wg_call *c, wg_tensor g)
{
    wg_pad_options o = ((const wg_pad_back_options *)c->options)->pad;
    o.value = 0;
    return (wg_pad)(g, o);
}

static wg_status pad_back_c(const wg_call *c, wg_code *w)
{
    const wg_pad_back_options *o = c->options;
    reading r = {.x = c->y[0], .y = c->x[0]};
    wg_status status = wg_type_count(&c->x[0]) ? pad_runs(c, &o->pad, &r) : WG_OK;
    return status ? status : reading_c(c, w, &r, true, 0);
}

WG_OP(pad_back) = {
    .name = "pad_back",
    .doc = "y of `shape`: the transpose of pad, each entry the sum of the entries of x that pad read from it",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_pad_back, WG_ATTR_REQUIRED(wg_pad_back, shape),
                         WG_ATTR_REQUIRED(wg_pad_back, pad.pad_width),
                         WG_ATTR(wg_pad_back, pad.mode, .choices = {"constant", "reflect", "edge", "wrap"}),
                         WG_ATTR(wg_pad_back, pad.value)),
    .type = pad_back_type,
    .run = pad_back_run,
    .c = pad_back_c,
    .vjp = {pad_back_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[14] shape=[3] pad.pad_width=[[5,6]] pad.mode=reflect",
                "[4,7] shape=[2,3] pad.pad_width=[[1,1],[2,2]] pad.mode=edge"},
    .hidden = true,
};

wg_tensor (wg_pad)(wg_tensor x, wg_pad_options options) { return WG_RECORD(pad, &options, x); }

/* ---- roll -------------------------------------------------------------------------------------------------------- */
static int64_t cyclic(int64_t i, int64_t n) { return (i % n + n) % n; }

static wg_status roll_type(wg_call *c)
{
    const wg_roll_options *o = c->options;
    wg_axes axis;
    c->y[0] = c->x[0];
    if (o->shift.n != (o->axis.n ? o->axis.n : 1))
        return wg_fail(c, WG_ERROR_SHAPE, "%d shifts for %d axes of %s", o->shift.n,
                       o->axis.n ? o->axis.n : 1, wg_show(c, 0));
    return wg_axes_counted(c, &o->axis, &axis);
}

static wg_status roll_runs(const wg_call *c, reading *r)
{
    const wg_roll_options *o = c->options;
    wg_axes axis = {.n = 1};
    *r = (reading){.x = c->x[0], .y = c->y[0]};
    if (o->axis.n)
        wg_axes_counted(c, &o->axis, &axis);
    else
        r->x = r->y = (wg_type){c->x[0].dtype, 1, {wg_type_count(&c->x[0])}};
    for (int i = 0; i < axis.n; i++) {
        int64_t n = r->x.dim[axis.at[i]], shift = cyclic(o->shift.at[i], n);
        if (!runs_begin(c, r, axis.at[i], 2))
            return WG_ERROR_MEMORY;
        runs_add(r, axis.at[i], n - shift, 1, shift);
        runs_add(r, axis.at[i], 0, 1, n - shift);
    }
    return WG_OK;
}

static wg_status roll_run(const wg_call *c)
{
    reading r;
    if (!wg_type_count(&c->x[0]))
        return WG_OK;
    wg_status status = roll_runs(c, &r);
    return status ? status : gather(c, &r, NULL);
}

static wg_tensor roll_dx(const wg_call *c, wg_tensor g)
{
    wg_roll_options o = *(const wg_roll_options *)c->options;
    int64_t all = wg_type_count(&c->x[0]);
    for (int i = 0; i < o.shift.n && all; i++) { /* brought into the axis first: -INT64_MIN is no number */
        int axis = o.axis.n ? o.axis.at[i] : 0;
        int64_t n = o.axis.n ? c->x[0].dim[axis < 0 ? axis + c->x[0].rank : axis] : all;
        o.shift.at[i] = -cyclic(o.shift.at[i], n);
    }
    return (wg_roll)(g, o);
}

static wg_status roll_c(const wg_call *c, wg_code *w)
{
    reading r;
    wg_status status = roll_runs(c, &r);
    return status ? status : reading_c(c, w, &r, false, 0);
}

WG_OP(roll) = {
    .name = "roll",
    .doc = "y[(i + shift) mod n] = x[i] along each axis given, or in the flattened x",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_roll, WG_ATTR_REQUIRED(wg_roll, shift), WG_ATTR(wg_roll, axis, .raw = true)),
    .type = roll_type,
    .run = roll_run,
    .c = roll_c,
    .vjp = {roll_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,3] shift=1", "[2,3] shift=-4 axis=1", "[2,3,2] shift=[1,2] axis=[0,-2]", "[] shift=3",
                "[0,2] shift=1 axis=0"},
};

wg_tensor (wg_roll)(wg_tensor x, wg_roll_options options) { return WG_RECORD(roll, &options, x); }

/* ---- tile -------------------------------------------------------------------------------------------------------- */
typedef struct {
    wg_ints repetitions;
} wg_tile_options;
#define wg_tile_defaults .repetitions = WG_NO_INTS

typedef struct {
    wg_shape shape; /* of the result: what was tiled */
    wg_ints repetitions;
} wg_tile_back_options;
#define wg_tile_back_defaults .shape = WG_NO_SHAPE, .repetitions = WG_NO_INTS

/* x with ones in front, up to `rank`. */
static wg_type lifted(const wg_type *x, int rank)
{
    wg_type y = {.dtype = x->dtype, .rank = rank};
    for (int k = 0; k < rank; k++)
        y.dim[k] = k < rank - x->rank ? 1 : x->dim[k - (rank - x->rank)];
    return y;
}

static int64_t repetition(const wg_ints *list, int rank, int k)
{
    return k < rank - list->n ? 1 : list->at[k - (rank - list->n)];
}

static wg_status tiled(const wg_call *c, const wg_ints *list, const wg_type *x, wg_type *y)
{
    int rank = x->rank > list->n ? x->rank : list->n;
    *y = lifted(x, rank);
    for (int k = 0; k < rank; k++) {
        if (repetition(list, rank, k) < 0)
            return wg_fail(c, WG_ERROR_VALUE, "%lld repetitions", (long long)repetition(list, rank, k));
        if (__builtin_mul_overflow(y->dim[k], repetition(list, rank, k), &y->dim[k]))
            return wg_fail(c, WG_ERROR_MEMORY, "the result is too large");
    }
    return WG_OK;
}

static wg_status tile_runs(const wg_call *c, const wg_ints *list, reading *r)
{
    for (int k = 0; k < r->y.rank; k++) {
        int64_t n = repetition(list, r->y.rank, k);
        if (n == 1)
            continue;
        if (!runs_begin(c, r, k, n))
            return WG_ERROR_MEMORY;
        for (int64_t i = 0; i < n; i++)
            runs_add(r, k, 0, 1, r->x.dim[k]);
    }
    return WG_OK;
}

static wg_status tile_type(wg_call *c)
{
    const wg_tile_options *o = c->options;
    return tiled(c, &o->repetitions, &c->x[0], &c->y[0]);
}

static wg_status tile_run(const wg_call *c)
{
    const wg_tile_options *o = c->options;
    reading r = {.x = lifted(&c->x[0], c->y[0].rank), .y = c->y[0]};
    wg_status status = wg_type_count(&r.y) ? tile_runs(c, &o->repetitions, &r) : WG_OK;
    return status ? status : gather(c, &r, NULL);
}

static wg_tensor tile_dx(const wg_call *c, wg_tensor g)
{
    const wg_tile_options *o = c->options;
    return WG_RECORD(tile_back, (&(wg_tile_back_options){wg_type_shape(&c->x[0]), o->repetitions}), g);
}

static wg_status tile_c(const wg_call *c, wg_code *w)
{
    const wg_tile_options *o = c->options;
    reading r = {.x = lifted(&c->x[0], c->y[0].rank), .y = c->y[0]};
    wg_status status = tile_runs(c, &o->repetitions, &r);
    return status ? status : reading_c(c, w, &r, false, 0);
}

WG_OP(tile) = {
    .name = "tile",
    .doc = "y = x again and again along each axis; the shorter of shape and repetitions has ones put in front",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_tile, WG_ATTR_REQUIRED(wg_tile, repetitions)),
    .type = tile_type,
    .run = tile_run,
    .c = tile_c,
    .vjp = {tile_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,3] repetitions=[2,1]", "[3] repetitions=[2,2]", "[2,1,2] repetitions=[3]", "[] repetitions=[2]",
                "[2] repetitions=[0]", "[0] repetitions=[2]"},
};

static wg_status tile_back_type(wg_call *c)
{
    const wg_tile_back_options *o = c->options;
    wg_type y;
    c->y[0] = wg_type_make(c->dtype, o->shape);
    wg_status status = tiled(c, &o->repetitions, &c->y[0], &y);
    if (!status && !wg_type_equal(&y, &c->x[0]))
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not what tiling makes", wg_show(c, 0));
    return status;
}

static wg_status tile_back_run(const wg_call *c)
{
    const wg_tile_back_options *o = c->options;
    reading r = {.x = lifted(&c->y[0], c->x[0].rank), .y = c->x[0]};
    wg_status status = wg_type_count(&r.y) ? tile_runs(c, &o->repetitions, &r) : WG_OK;
    return status ? status : scatter(c, &r);
}

static wg_tensor tile_back_dx(const wg_call *c, wg_tensor g)
{
    const wg_tile_back_options *o = c->options;
    return wg_tile(g, o->repetitions);
}

static wg_status tile_back_c(const wg_call *c, wg_code *w)
{
    const wg_tile_back_options *o = c->options;
    reading r = {.x = lifted(&c->y[0], c->x[0].rank), .y = c->x[0]};
    wg_status status = wg_type_count(&r.y) ? tile_runs(c, &o->repetitions, &r) : WG_OK;
    return status ? status : reading_c(c, w, &r, true, 0);
}

WG_OP(tile_back) = {
    .name = "tile_back",
    .doc = "y of `shape`: the transpose of tile, the sum of the copies",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_tile_back, WG_ATTR_REQUIRED(wg_tile_back, shape),
                         WG_ATTR_REQUIRED(wg_tile_back, repetitions)),
    .type = tile_back_type,
    .run = tile_back_run,
    .c = tile_back_c,
    .vjp = {tile_back_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[4,3] shape=[2,3] repetitions=[2,1]", "[2,6] shape=[3] repetitions=[2,2]"},
    .hidden = true,
};

wg_tensor (wg_tile)(wg_tensor x, wg_ints repetitions)
{
    return WG_RECORD(tile, (&(wg_tile_options){repetitions}), x);
}

/* ---- repeat ------------------------------------------------------------------------------------------------------ */
typedef struct {
    wg_shape shape; /* of the result: what was repeated */
    wg_list repeats;
    int axis;
} wg_repeat_back_options;
#define wg_repeat_back_defaults .shape = WG_NO_SHAPE, .repeats = {NULL, -1}, .axis = WG_NO_AXIS

/* x as it is repeated: along `axis`, or flattened; y's type from it. */
static wg_status repeated(const wg_call *c, const wg_list *repeats, int *axis, wg_type *x, wg_type *y)
{
    if (*axis == WG_NO_AXIS) {
        *x = (wg_type){x->dtype, 1, {wg_type_count(x)}};
        *axis = 0;
    }
    int64_t n = x->dim[*axis], total = 0;
    if (repeats->n != 1 && repeats->n != n)
        return wg_fail(c, WG_ERROR_SHAPE, "%d repeats for %lld entries", repeats->n, (long long)n);
    for (int i = 0; i < repeats->n; i++) {
        if (repeats->at[i] < 0)
            return wg_fail(c, WG_ERROR_VALUE, "%lld repeats", (long long)repeats->at[i]);
        if (__builtin_add_overflow(total, repeats->at[i], &total))
            return wg_fail(c, WG_ERROR_MEMORY, "the result is too large");
    }
    if (repeats->n == 1 && __builtin_mul_overflow(n, repeats->at[0], &total))
        return wg_fail(c, WG_ERROR_MEMORY, "the result is too large");
    *y = *x;
    y->dim[*axis] = total;
    return WG_OK;
}

static wg_status repeat_runs(const wg_call *c, const wg_list *repeats, int axis, reading *r)
{
    int64_t n = r->x.dim[axis];
    if (!runs_begin(c, r, axis, n))
        return WG_ERROR_MEMORY;
    for (int64_t i = 0; i < n; i++)
        runs_add(r, axis, i, 0, repeats->at[repeats->n == 1 ? 0 : i]);
    return WG_OK;
}

static wg_status repeat_type(wg_call *c)
{
    wg_repeat_options o = *(const wg_repeat_options *)c->options;
    wg_type x = c->x[0];
    return repeated(c, &o.repeats, &o.axis, &x, &c->y[0]);
}

static wg_status repeat_run(const wg_call *c)
{
    wg_repeat_options o = *(const wg_repeat_options *)c->options;
    reading r = {.x = c->x[0]};
    wg_status status = repeated(c, &o.repeats, &o.axis, &r.x, &r.y);
    if (!status && wg_type_count(&r.y))
        status = repeat_runs(c, &o.repeats, o.axis, &r);
    return status ? status : gather(c, &r, NULL);
}

static wg_tensor repeat_dx(const wg_call *c, wg_tensor g)
{
    const wg_repeat_options *o = c->options;
    return WG_RECORD(repeat_back, (&(wg_repeat_back_options){wg_type_shape(&c->x[0]), o->repeats, o->axis}), g);
}

static wg_status repeat_c(const wg_call *c, wg_code *w)
{
    wg_repeat_options o = *(const wg_repeat_options *)c->options;
    reading r = {.x = c->x[0]};
    wg_status status = repeated(c, &o.repeats, &o.axis, &r.x, &r.y);
    if (!status)
        status = repeat_runs(c, &o.repeats, o.axis, &r);
    return status ? status : reading_c(c, w, &r, false, 0);
}

WG_OP(repeat) = {
    .name = "repeat",
    .doc =
        "y = entry i of `axis`, or of the flattened x, repeats[i] times; all of them repeats[0] times where it is one",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_repeat, WG_ATTR_REQUIRED(wg_repeat, repeats), WG_ATTR(wg_repeat, axis)),
    .type = repeat_type,
    .run = repeat_run,
    .c = repeat_c,
    .vjp = {repeat_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,3] repeats=2", "[2,3] repeats=[2,0,1] axis=1", "[2,3] repeats=3 axis=0", "[] repeats=2",
                "[2,2] repeats=0 axis=0", "[0,2] repeats=2 axis=0"},
};

static wg_status repeat_back_type(wg_call *c)
{
    wg_repeat_back_options o = *(const wg_repeat_back_options *)c->options;
    wg_type x = wg_type_make(c->dtype, o.shape), y;
    c->y[0] = x;
    if (o.axis != WG_NO_AXIS && o.axis >= x.rank)
        return wg_fail(c, WG_ERROR_SHAPE, "there is no axis %d", o.axis);
    wg_status status = repeated(c, &o.repeats, &o.axis, &x, &y);
    if (!status && !wg_type_equal(&y, &c->x[0]))
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not what repeating makes", wg_show(c, 0));
    return status;
}

static wg_status repeat_back_run(const wg_call *c)
{
    wg_repeat_back_options o = *(const wg_repeat_back_options *)c->options;
    reading r = {.x = c->y[0]};
    wg_status status = repeated(c, &o.repeats, &o.axis, &r.x, &r.y);
    if (!status && wg_type_count(&r.y))
        status = repeat_runs(c, &o.repeats, o.axis, &r);
    return status ? status : scatter(c, &r);
}

static wg_tensor repeat_back_dx(const wg_call *c, wg_tensor g)
{
    const wg_repeat_back_options *o = c->options;
    return wg_repeat(g, .repeats = o->repeats, .axis = o->axis);
}

static wg_status repeat_back_c(const wg_call *c, wg_code *w)
{
    wg_repeat_back_options o = *(const wg_repeat_back_options *)c->options;
    reading r = {.x = c->y[0]};
    wg_status status = repeated(c, &o.repeats, &o.axis, &r.x, &r.y);
    if (!status && wg_type_count(&r.y))
        status = repeat_runs(c, &o.repeats, o.axis, &r);
    return status ? status : reading_c(c, w, &r, true, 0);
}

WG_OP(repeat_back) = {
    .name = "repeat_back",
    .doc = "y of `shape`: the transpose of repeat, the sum of the copies",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_repeat_back, WG_ATTR_REQUIRED(wg_repeat_back, shape),
                         WG_ATTR_REQUIRED(wg_repeat_back, repeats), WG_ATTR(wg_repeat_back, axis, .raw = true)),
    .type = repeat_back_type,
    .run = repeat_back_run,
    .c = repeat_back_c,
    .vjp = {repeat_back_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[12] shape=[2,3] repeats=2", "[2,3] shape=[2,3] repeats=[2,0,1] axis=1"},
    .hidden = true,
};

wg_tensor (wg_repeat)(wg_tensor x, wg_repeat_options options) { return WG_RECORD(repeat, &options, x); }

WG_FAMILY_OF(rearrange, "shape", REARRANGEMENTS)
