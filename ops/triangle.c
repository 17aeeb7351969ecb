/* Diagonals and triangles of matrices: the last two axes, or a whole matrix or vector (diag). */
#include "ops/code.h"
#include "core/tape.h"
#include "ops/shape.h"

#define TRIANGLES(OP) OP(diag) OP(trace) OP(tril) OP(triu)
WG_CONTENTS(TRIANGLES)

static wg_status needs_matrix(const wg_call *c)
{
    return c->x[0].rank >= 2 ? WG_OK : wg_fail(c, WG_ERROR_SHAPE, "%s is not a matrix", wg_show(c, 0));
}

/* ---- diag -------------------------------------------------------------------------------------------------------- */
static wg_status diag_type(wg_call *c)
{
    const wg_diag_options *o = c->options;
    const wg_type *x = &c->x[0];
    int64_t away = o->k < 0 ? o->k == INT64_MIN ? INT64_MAX : -o->k : o->k, n = 0;
    if (x->rank < 1 || x->rank > 2)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is neither a vector nor a matrix", wg_show(c, 0));
    c->y[0] = (wg_type){.dtype = x->dtype, .rank = 3 - x->rank};
    if (x->rank == 2)
        n = wg_diagonal_length(x->dim[0], x->dim[1], o->k);
    else if (__builtin_add_overflow(x->dim[0], away, &n))
        return wg_fail(c, WG_ERROR_MEMORY, "the result is too large");
    c->y[0].dim[0] = c->y[0].dim[1] = n;
    return WG_OK;
}

static wg_status diag_run(const wg_call *c)
{
    const wg_diag_options *o = c->options;
    const wg_type *x = &c->x[0], *matrix = x->rank == 2 ? x : &c->y[0];
    int64_t stride = matrix->dim[1] + 1, size = (int64_t)wg_dtype_size(x->dtype), first = 0;
    if (wg_diagonal_length(matrix->dim[0], matrix->dim[1], o->k))
        first = (wg_diagonal_row(o->k) * matrix->dim[1] + wg_diagonal_column(o->k)) * size;
    if (x->rank == 2) {
        wg_gather_strided(&c->y[0], &stride, (const char *)c->from[0] + first, c->to[0]);
        return WG_OK;
    }
    memset(c->to[0], 0, (size_t)(wg_type_count(&c->y[0]) * size));
    wg_scatter_strided(x, &stride, c->from[0], (char *)c->to[0] + first);
    return WG_OK;
}

static wg_tensor diag_dx(const wg_call *c, wg_tensor g)
{
    const wg_diag_options *o = c->options;
    return c->x[0].rank == 2 ? wg_diagonal_back(g, wg_type_shape(&c->x[0]), o->k) : wg_diagonal(g, .offset = o->k);
}

static wg_status diag_c(const wg_call *c, wg_code *w)
{
    const wg_diag_options *o = c->options;
    const wg_type *x = &c->x[0], *matrix = x->rank == 2 ? x : &c->y[0], *line = x->rank == 2 ? &c->y[0] : x;
    int64_t stride = matrix->dim[1] + 1, first = 0;
    if (wg_diagonal_length(matrix->dim[0], matrix->dim[1], o->k))
        first = wg_diagonal_row(o->k) * matrix->dim[1] + wg_diagonal_column(o->k);
    if (x->rank != 2)
        wg_code_fill(w, "y", wg_type_count(&c->y[0]), "0");
    wg_code_move(w, line, (wg_code_array){"y", x->rank == 2 ? 0 : first, x->rank == 2 ? NULL : &stride}, "=",
                 (wg_code_array){"x", x->rank == 2 ? first : 0, x->rank == 2 ? &stride : NULL});
    return WG_OK;
}

WG_OP(diag) = {
    .name = "diag",
    .doc = "y = the matrix with vector x on its k-th diagonal and zeros elsewhere; of a matrix x, that diagonal",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_diag, WG_ATTR(wg_diag, k)),
    .type = diag_type,
    .run = diag_run,
    .c = diag_c,
    .vjp = {diag_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[3]", "[2] k=1", "[2] k=-2", "[3,3]", "[2,4] k=1", "[3,2] k=-1", "[2,2] k=4", "[0]", "[0,2]"},
};

wg_tensor (wg_diag)(wg_tensor x, wg_diag_options options) { return WG_RECORD(diag, &options, x); }

/* ---- trace ------------------------------------------------------------------------------------------------------- */
static wg_status trace_type(wg_call *c)
{
    if (needs_matrix(c))
        return WG_ERROR_SHAPE;
    c->y[0] = c->x[0];
    c->y[0].rank -= 2;
    return WG_OK;
}

#define SUM_LOOP(T)                                                                                                    \
    for (int64_t b = 0; b < count; b++) {                                                                              \
        const T *at = (const T *)c->from[0] + b * n * m;                                                               \
        long double sum = 0;                                                                                           \
        for (int64_t i = 0; i < length; i++)                                                                           \
            sum += at[i * (m + 1)];                                                                                    \
        ((T *)c->to[0])[b] = (T)sum;                                                                                   \
    }

static wg_status trace_run(const wg_call *c)
{
    const wg_type *x = &c->x[0];
    int64_t n = x->dim[x->rank - 2], m = x->dim[x->rank - 1];
    int64_t length = wg_diagonal_length(n, m, 0), count = wg_type_count(&c->y[0]);
    if (c->dtype == WG_FLOAT32)
        SUM_LOOP(float)
    else
        SUM_LOOP(double)
    return WG_OK;
}

static wg_tensor trace_dx(const wg_call *c, wg_tensor g)
{
    const wg_type *x = &c->x[0];
    wg_shape diagonal = wg_type_shape(x);
    diagonal.rank--;
    diagonal.dim[x->rank - 2] = wg_diagonal_length(x->dim[x->rank - 2], x->dim[x->rank - 1], 0);
    return wg_diagonal_back(wg_broadcast_to(wg_expand_dims(g, -1), diagonal), wg_type_shape(x), 0);
}

static wg_status trace_c(const wg_call *c, wg_code *w)
{
    const wg_type *x = &c->x[0];
    int64_t n = x->dim[x->rank - 2], m = x->dim[x->rank - 1];
    wg_code_size(w, "count", wg_type_count(&c->y[0]));
    wg_code_size(w, "rows", n);
    wg_code_size(w, "columns", m);
    wg_code_size(w, "length", wg_diagonal_length(n, m, 0));
    return wg_code_text(w, WG_C(for (int i = 0; i < count; i++) {
        double sum = 0;
        for (int k = 0; k < length; k++) sum += (double)x[i * rows * columns + k * (columns + 1)];
        y[i] = (T)sum;
    }));
}

WG_OP(trace) = {
    .name = "trace",
    .doc = "y = the sum of the diagonal of the last two axes",
    .in = {{"x", 0}},
    .type = trace_type,
    .run = trace_run,
    .c = trace_c,
    .vjp = {trace_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[3,3]", "[4,2,3]", "[0,3]", "[2,0,0]"},
};

wg_tensor (wg_trace)(wg_tensor x) { return WG_RECORD(trace, NULL, x); }

/* ---- tril and triu ----------------------------------------------------------------------------------------------- */
static wg_status triangle_type(wg_call *c)
{
    c->y[0] = c->x[0];
    return needs_matrix(c);
}

/* Keeps entries [0, k + i] of row i, or with `upper` those from k + i on. */
static wg_status triangle_run(const wg_call *c, int64_t k, bool upper)
{
    const wg_type *x = &c->x[0];
    int64_t n = x->dim[x->rank - 2], m = x->dim[x->rank - 1];
    size_t size = wg_dtype_size(x->dtype);
    const char *from = c->from[0];
    char *to = c->to[0];
    if (!wg_type_count(x))
        return WG_OK;
    k = k > m ? m : k < -n ? -n : k;
    for (int64_t row = 0, rows = wg_type_count(x) / m; row < rows;
         row++, from += (size_t)m * size, to += (size_t)m * size) {
        int64_t edge = row % n + k + (upper ? 0 : 1); /* the first entry of the upper part */
        size_t lower_bytes = (size_t)(edge < 0 ? 0 : edge > m ? m : edge) * size, bytes = (size_t)m * size;
        size_t first = upper ? lower_bytes : 0, last = upper ? bytes : lower_bytes;
        memset(to, 0, first);
        memcpy(to + first, from + first, last - first);
        memset(to + last, 0, bytes - last);
    }
    return WG_OK;
}

static wg_status tril_run(const wg_call *c) { return triangle_run(c, ((const wg_tril_options *)c->options)->k, false); }

static wg_tensor tril_dx(const wg_call *c, wg_tensor g)
{
    const wg_tril_options *o = c->options;
    return wg_tril(g, .k = o->k);
}

static wg_status triangle_c(const wg_call *c, wg_code *w, int64_t k, bool upper)
{
    const wg_type *x = &c->x[0];
    int64_t n = x->dim[x->rank - 2], m = x->dim[x->rank - 1];
    wg_code_size(w, "count", wg_type_count(x) / (n * m));
    wg_code_size(w, "rows", n);
    wg_code_size(w, "columns", m);
    wg_code_size(w, "edge", k > m ? m : k < -n ? -n : k);
    return wg_code_text(w, upper ? WG_C(for (int i = 0; i < count * rows; i++) for (int j = 0; j < columns; j++)
                                            y[i * columns + j] = j - i % rows >= edge ? x[i * columns + j] : 0;)
                                 : WG_C(for (int i = 0; i < count * rows; i++) for (int j = 0; j < columns; j++)
                                            y[i * columns + j] = j - i % rows <= edge ? x[i * columns + j] : 0;));
}

static wg_status tril_c(const wg_call *c, wg_code *w)
{
    return triangle_c(c, w, ((const wg_tril_options *)c->options)->k, false);
}

WG_OP(tril) = {
    .name = "tril",
    .doc = "y = x on and below the k-th diagonal of its last two axes, 0 above, also where x is NaN",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_tril, WG_ATTR(wg_tril, k)),
    .type = triangle_type,
    .run = tril_run,
    .c = tril_c,
    .vjp = {tril_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[3,3]", "[2,3,4] k=1", "[3,2] k=-1", "[2,2] k=-9", "[0,2]"},
};

wg_tensor (wg_tril)(wg_tensor x, wg_tril_options options) { return WG_RECORD(tril, &options, x); }

static wg_status triu_run(const wg_call *c) { return triangle_run(c, ((const wg_triu_options *)c->options)->k, true); }

static wg_tensor triu_dx(const wg_call *c, wg_tensor g)
{
    const wg_triu_options *o = c->options;
    return wg_triu(g, .k = o->k);
}

static wg_status triu_c(const wg_call *c, wg_code *w)
{
    return triangle_c(c, w, ((const wg_triu_options *)c->options)->k, true);
}

WG_OP(triu) = {
    .name = "triu",
    .doc = "y = x on and above the k-th diagonal of its last two axes, 0 below, also where x is NaN",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_triu, WG_ATTR(wg_triu, k)),
    .type = triangle_type,
    .run = triu_run,
    .c = triu_c,
    .vjp = {triu_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[3,3]", "[2,3,4] k=1", "[3,2] k=-1", "[2,2] k=9", "[0,2]"},
};

wg_tensor (wg_triu)(wg_tensor x, wg_triu_options options) { return WG_RECORD(triu, &options, x); }

WG_FAMILY_OF(triangle, "shape", TRIANGLES)
