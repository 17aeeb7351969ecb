/* Whole matrices of derivatives: a backward pass for each row, or a forward pass for each column. A plain pass leaves
 * its row or column in the result and gives back all else it took; the results of recorded passes are stacked. */
#include "graph/batch.h"
#include "graph/traverse.h"

#include "wengert/elementwise.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

#define MOST_STACKED UINT16_MAX /* operands of one call */

typedef struct {
    wg_tape *tape;
    const char *name;
    const wg_tensor *ys, *xs;
    int n_ys, n;
    int64_t rows, columns; /* elements of all ys, of all xs */
    wg_tensor *out;        /* [n_ys, n] */
} matrix;

static bool one_tape_each(wg_tape *tape, const char *name, const char *kind, const wg_tensor *list, int n,
                          wg_dtype dtype)
{
    for (int i = 0; i < n; i++) {
        const wg_node *node = list[i].tape == tape ? wg_node_of(list[i], name) : NULL;
        if (!node) {
            if (!tape->status)
                wg_report(tape, name, WG_ERROR_VALUE, "%s %d is not a tensor of this tape", kind, i);
            return false;
        }
        if (!wg_is_float((wg_dtype)node->dtype)) {
            wg_report(tape, name, WG_ERROR_DTYPE, "%s %d is %s: it has no derivative", kind, i,
                      wg_dtype_name((wg_dtype)node->dtype));
            return false;
        }
        if (node->dtype != dtype) {
            wg_report(tape, name, WG_ERROR_DTYPE, "%s %d is %s where output 0 is %s", kind, i,
                      wg_dtype_name((wg_dtype)node->dtype), wg_dtype_name(dtype));
            return false;
        }
    }
    return true;
}

wg_tape *wg_one_tape(const char *name, const wg_tensor *ys, int n_ys, const wg_tensor *xs, int n)
{
    wg_tape *tape = n_ys > 0 ? ys[0].tape : NULL;
    const wg_node *first = tape ? wg_node_of(ys[0], name) : NULL;
    if (!first)
        return NULL;
    wg_dtype dtype = (wg_dtype)first->dtype;
    return one_tape_each(tape, name, "output", ys, n_ys, dtype) && one_tape_each(tape, name, "input", xs, n, dtype)
               ? tape
               : NULL;
}

static wg_status failure_of(const wg_tape *tape) { return tape && tape->status ? tape->status : WG_ERROR_VALUE; }

static int64_t elements(const wg_tensor *list, int n)
{
    int64_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += wg_node_count(wg_node_at(list[i].tape, list[i].node));
    return sum;
}

/* y's shape followed by x's. */
static wg_status block_type(const matrix *m, int k, int i, wg_type *type)
{
    wg_type y = wg_type_of(m->ys[k]), x = wg_type_of(m->xs[i]);
    if (y.rank + x.rank > WG_MAX_RANK)
        return wg_report(m->tape, m->name, WG_ERROR_SHAPE,
                         "output %d and input %d have %d dimensions together; there are at "
                         "most %d: flatten one of them",
                         k, i, y.rank + x.rank, WG_MAX_RANK);
    *type = y;
    type->rank += x.rank;
    for (int a = 0; a < x.rank; a++)
        type->dim[y.rank + a] = x.dim[a];
    return WG_OK;
}

/* ---- Inputs that nothing depends on ------------------------------------------------------------------------------ */
static wg_status used(const matrix *m, int i)
{
    wg_stretch at = {.tape = m->tape, .name = m->name, .low = m->xs[i].node, .high = m->xs[i].node};
    for (int k = 0; k < m->n_ys; k++)
        at.high = m->ys[k].node > at.high ? m->ys[k].node : at.high;
    size_t count = (size_t)at.high - at.low + 1;
    wg_aside aside = wg_aside_begin(m->tape);
    at.state = wg_arena(m->tape, count);
    bool found = false;
    if (at.state) {
        memset(at.state, 0, count);
        *wg_state(&at, at.low) = WG_STATE_TARGET;
        wg_stretch_needed(&at);
        for (int k = 0; k < m->n_ys && !found; k++)
            found = m->ys[k].node >= at.low && *wg_state(&at, m->ys[k].node) & WG_STATE_NEEDED;
    }
    wg_aside_end(m->tape, aside);
    if (!at.state)
        return wg_no_memory(m->tape, m->name, count);
    if (found)
        return WG_OK;
    const char *name = wg_name_of(m->xs[i]);
    return wg_report(m->tape, m->name, WG_ERROR_VALUE, "no output depends on input %d%s%s%s", i, *name ? " (" : "",
                     name, *name ? ")" : "");
}

static wg_status all_used(const matrix *m)
{
    wg_status status = WG_OK;
    for (int i = 0; i < m->n && !status; i++)
        status = used(m, i);
    return status;
}

/* ---- Plain passes ------------------------------------------------------------------------------------------------ */
static wg_tensor unit(const matrix *m, wg_tensor like, int64_t element)
{
    wg_type type = wg_type_of(like);
    wg_tensor t = wg_leaf(m->tape, &type, NULL, WG_NODE_CUT, m->name);
    if (wg_is_tensor(t)) {
        size_t size = wg_dtype_size(type.dtype);
        wg_store_number(type.dtype, 1, (char *)wg_node_at(m->tape, t.node)->data + (size_t)element * size);
    }
    return t;
}

/* Row `e` of the blocks of output k: the pullback's results lie in the blocks themselves. */
static wg_status plain_row(const matrix *m, int k, int64_t e, wg_tensor *result, bool *reached)
{
    wg_tensor g = unit(m, m->ys[k], e);
    if (!wg_is_tensor(g))
        return WG_ERROR_MEMORY;
    for (int i = 0; i < m->n; i++) {
        wg_type x = wg_type_of(m->xs[i]);
        size_t bytes = (size_t)wg_type_count(&x) * wg_dtype_size(x.dtype);
        char *block = wg_node_at(m->tape, m->out[k * m->n + i].node)->data;
        result[i] = wg_leaf(m->tape, &x, block + (size_t)e * bytes, WG_NODE_CUT, m->name);
        if (!wg_is_tensor(result[i]))
            return WG_ERROR_MEMORY;
    }
    wg_pullback p = {.ys = &m->ys[k], .cotangents = &g, .n_ys = 1, .xs = m->xs, .n_xs = m->n, .result = result,
                     .reached = reached};
    return wg_pull_plain(m->tape, m->name, &p);
}

/* ---- Rows together ----------------------------------------------------------------------------------------------- */
/* The pullback of output k is recorded once, and made again for MOST_LANES rows at a time. Worth it while a call is
 * mostly recording: few rows, or large tensors, are pulled back one by one. */
#define MOST_LANES 64
#define LEAST_LANES 12
#define SMALL 1024 /* elements of an output or an input */

static bool is_worth_it(const matrix *m, int k)
{
    int64_t rows = elements(&m->ys[k], 1);
    for (int i = 0; i < m->n; i++)
        if (elements(&m->xs[i], 1) > SMALL)
            return false;
    return rows >= LEAST_LANES && rows <= SMALL;
}

static wg_tensor units(const matrix *m, int k, int64_t first, int64_t n)
{
    wg_type y = wg_type_of(m->ys[k]);
    int64_t rows = wg_type_count(&y);
    for (int i = y.rank++; i > 0; i--)
        y.dim[i] = y.dim[i - 1];
    y.dim[0] = n;
    wg_tensor t = wg_leaf(m->tape, &y, NULL, WG_NODE_CUT, m->name);
    for (int64_t i = 0; i < n && wg_is_tensor(t); i++)
        wg_store_number(y.dtype, 1, (char *)wg_node_at(m->tape, t.node)->data +
                                        (size_t)(i * rows + first + i) * wg_dtype_size(y.dtype));
    return t;
}

/* Rows [first, first + n) of the blocks of output k, of the pullback from g to `row`. */
static wg_status rows_filled(const matrix *m, int k, int64_t first, int64_t n, wg_tensor g, uint32_t high,
                             const wg_tensor *row)
{
    wg_tensor lanes = units(m, k, first, n), *out = wg_arena(m->tape, (size_t)(m->n + 1) * sizeof *out);
    if (!wg_is_tensor(lanes) || !out)
        return wg_no_memory(m->tape, m->name, (size_t)m->n * sizeof *out);
    wg_status status = wg_batched(g, lanes, high, row, m->n, out);
    for (int i = 0; i < m->n && !status; i++) {
        wg_type x = wg_type_of(m->xs[i]);
        size_t bytes = (size_t)wg_type_count(&x) * wg_dtype_size(x.dtype);
        char *block = wg_node_at(m->tape, m->out[k * m->n + i].node)->data;
        if (!wg_is_none(out[i]))
            status = (wg_copy_out)(out[i], block + (size_t)first * bytes);
    }
    return status;
}

/* False, and nothing reported, where that is not possible: a rule is no graph code, memory does not suffice. */
static bool rows_together(const matrix *m, int k)
{
    wg_type y = wg_type_of(m->ys[k]);
    wg_aside aside = wg_aside_begin(m->tape);
    wg_tensor g = wg_full(m->tape, y.dtype, wg_type_shape(&y), 1),
              *row = wg_arena(m->tape, (size_t)(m->n + 1) * sizeof *row);
    bool fine = wg_is_tensor(g) && row && !wg_vjp(&m->ys[k], &g, 1, m->xs, m->n, row, .create_graph = true);
    uint32_t high = (uint32_t)wg_tape_nodes(m->tape) - 1;
    m->tape->no_grad++;
    for (int64_t e = 0, n = wg_type_count(&y); e < n && fine; e += MOST_LANES) {
        wg_aside own = wg_aside_begin(m->tape);
        fine = !rows_filled(m, k, e, n - e < MOST_LANES ? n - e : MOST_LANES, g, high, row);
        wg_aside_end(m->tape, own);
    }
    m->tape->no_grad--;
    if (!fine)
        wg_clear_error(m->tape);
    wg_aside_end(m->tape, aside);
    return fine;
}

static wg_status plain_rows(const matrix *m)
{
    wg_tensor *result = wg_arena(m->tape, (size_t)(m->n + 1) * sizeof *result);
    bool *reached = wg_arena(m->tape, (size_t)(m->n + 1) * sizeof *reached);
    if (!result || !reached)
        return wg_no_memory(m->tape, m->name, (size_t)m->n * sizeof *result);
    wg_status status = WG_OK;
    for (int k = 0; k < m->n_ys; k++) {
        bool done = !m->tape->no_grad && is_worth_it(m, k) && rows_together(m, k);
        for (int64_t e = 0, n = done ? 0 : elements(&m->ys[k], 1); e < n && !status; e++) {
            wg_aside aside = wg_aside_begin(m->tape);
            status = plain_row(m, k, e, result, reached);
            wg_aside_end(m->tape, aside);
        }
    }
    return status;
}

#define SPREAD_LOOP(T)                                                                                                 \
    {                                                                                                                  \
        const T *restrict values = from;                                                                               \
        T *restrict column = to;                                                                                       \
        for (int64_t r = 0; r < n; r++)                                                                                \
            column[r * stride] = values[r];                                                                            \
    }

static void spread(wg_dtype dtype, int64_t n, const void *from, int64_t stride, void *to)
{
    if (dtype == WG_FLOAT32)
        SPREAD_LOOP(float)
    else
        SPREAD_LOOP(double)
}

static wg_status plain_column(const matrix *m, int i, int64_t e, wg_tensor *pushed)
{
    wg_tensor t = unit(m, m->xs[i], e);
    wg_status status = wg_is_tensor(t) ? wg_jvp(m->ys, m->n_ys, &m->xs[i], &t, 1, pushed) : WG_ERROR_MEMORY;
    for (int k = 0; k < m->n_ys && !status; k++) {
        wg_type y = wg_type_of(m->ys[k]);
        size_t size = wg_dtype_size(y.dtype), bytes = (size_t)wg_type_count(&y) * size;
        void *values = wg_arena_values(m->tape, bytes);
        if (!values)
            return wg_no_memory(m->tape, m->name, bytes);
        status = wg_copy_out(pushed[k], values);
        char *block = wg_node_at(m->tape, m->out[k * m->n + i].node)->data;
        spread(y.dtype, wg_type_count(&y), values, elements(&m->xs[i], 1), block + (size_t)e * size);
    }
    return status;
}

static wg_status plain_columns(const matrix *m)
{
    wg_tensor *pushed = wg_arena(m->tape, (size_t)m->n_ys * sizeof *pushed);
    if (!pushed)
        return wg_no_memory(m->tape, m->name, (size_t)m->n_ys * sizeof *pushed);
    wg_status status = WG_OK;
    m->tape->no_grad++;
    for (int i = 0; i < m->n; i++)
        for (int64_t e = 0, n = elements(&m->xs[i], 1); e < n && !status; e++) {
            wg_aside aside = wg_aside_begin(m->tape);
            status = plain_column(m, i, e, pushed);
            wg_aside_end(m->tape, aside);
        }
    m->tape->no_grad--;
    return status;
}

/* ---- Recorded passes --------------------------------------------------------------------------------------------- */
static wg_status stacked(const matrix *m, int k, int i, const wg_tensor *piece, int64_t n, int axis)
{
    wg_type type;
    wg_status status = block_type(m, k, i, &type);
    if (status)
        return status;
    wg_tensor *out = &m->out[k * m->n + i];
    bool alone = wg_type_of(axis ? m->xs[i] : m->ys[k]).rank == 0;
    if (!wg_type_count(&type))
        *out = wg_leaf(m->tape, &type, NULL, WG_NODE_CUT, m->name);
    else if (alone)
        *out = piece[0];
    else
        *out = wg_reshape(wg_stack(((wg_tensors){piece, (int)n}), .axis = axis), wg_type_shape(&type));
    return wg_is_tensor(*out) ? WG_OK : failure_of(m->tape);
}

static wg_status recorded_rows(const matrix *m, wg_tensor *piece)
{
    for (int k = 0; k < m->n_ys; k++) {
        int64_t n = elements(&m->ys[k], 1);
        wg_tensor *row = piece + n * m->n;
        for (int64_t e = 0; e < n; e++) {
            wg_tensor g = unit(m, m->ys[k], e);
            wg_status status = wg_is_tensor(g) ? wg_vjp(&m->ys[k], &g, 1, m->xs, m->n, row, .create_graph = true)
                                               : WG_ERROR_MEMORY;
            if (status)
                return status;
            for (int i = 0; i < m->n; i++)
                piece[i * n + e] = row[i];
        }
        for (int i = 0; i < m->n; i++) {
            wg_status status = stacked(m, k, i, piece + i * n, n, 0);
            if (status)
                return status;
        }
    }
    return WG_OK;
}

static wg_status recorded_columns(const matrix *m, wg_tensor *piece)
{
    for (int i = 0; i < m->n; i++) {
        int64_t n = elements(&m->xs[i], 1);
        wg_tensor *column = piece + n * m->n_ys;
        for (int64_t e = 0; e < n; e++) {
            wg_tensor t = unit(m, m->xs[i], e);
            wg_status status = wg_is_tensor(t) ? wg_jvp(m->ys, m->n_ys, &m->xs[i], &t, 1, column) : WG_ERROR_MEMORY;
            if (status)
                return status;
            for (int k = 0; k < m->n_ys; k++)
                piece[k * n + e] = column[k];
        }
        for (int k = 0; k < m->n_ys; k++) {
            wg_status status = stacked(m, k, i, piece + k * n, n, -1);
            if (status)
                return status;
        }
    }
    return WG_OK;
}

static wg_status recorded(const matrix *m, bool by_rows)
{
    int64_t passes = by_rows ? m->rows : m->columns;
    if (passes > MOST_STACKED)
        return wg_report(m->tape, m->name, WG_ERROR_UNSUPPORTED, "%lld recorded passes; there are at most %d",
                         (long long)passes, (int)MOST_STACKED);
    size_t others = (size_t)(by_rows ? m->n : m->n_ys), bytes = ((size_t)passes + 1) * (others + 1) * sizeof(wg_tensor);
    wg_tensor *piece = wg_arena(m->tape, bytes);
    if (!piece)
        return wg_no_memory(m->tape, m->name, bytes);
    return by_rows ? recorded_rows(m, piece) : recorded_columns(m, piece);
}

/* ---- Jacobians --------------------------------------------------------------------------------------------------- */
static wg_status matrix_begin(matrix *m, bool record)
{
    m->rows = elements(m->ys, m->n_ys);
    m->columns = elements(m->xs, m->n);
    for (int k = 0; k < m->n_ys; k++)
        for (int i = 0; i < m->n; i++) {
            wg_type type;
            wg_status status = block_type(m, k, i, &type);
            if (status)
                return status;
            if (record)
                continue;
            m->out[k * m->n + i] = wg_leaf(m->tape, &type, NULL, WG_NODE_CUT, m->name);
            if (!wg_is_tensor(m->out[k * m->n + i]))
                return failure_of(m->tape);
            wg_node_at(m->tape, m->out[k * m->n + i].node)->unrecorded = true;
        }
    return WG_OK;
}

static wg_status matrix_fill(const matrix *m, bool by_rows, bool record)
{
    if (record)
        return recorded(m, by_rows);
    return by_rows ? plain_rows(m) : plain_columns(m);
}

static wg_status jacobian(matrix *m, const wg_jacobian_options *o)
{
    m->tape = wg_one_tape(m->name, m->ys, m->n_ys, m->xs, m->n);
    if (!m->tape)
        return failure_of(m->n_ys > 0 ? m->ys[0].tape : NULL);
    bool record = o->create_graph && !m->tape->no_grad;
    wg_status status = matrix_begin(m, record);
    if (!status && o->unused == WG_UNUSED_ERROR)
        status = all_used(m);
    bool by_rows = o->by == WG_BY_ROWS || (o->by == WG_BY_FEWER && m->rows <= m->columns);
    return status ? status : matrix_fill(m, by_rows, record);
}

static void all_invalid(wg_tape *tape, wg_tensor *out, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = tape ? wg_invalid_on(tape) : WG_INVALID;
}

wg_status (wg_jacobian)(const wg_tensor *ys, int n_ys, const wg_tensor *xs, int n, wg_tensor *out,
                        wg_jacobian_options options)
{
    wg_tape *tape = n_ys > 0 ? ys[0].tape : NULL;
    all_invalid(tape, out, n_ys > 0 && n > 0 ? n_ys * n : 0);
    if (!tape)
        return WG_ERROR_VALUE;
    matrix m = {.name = "wg_jacobian", .ys = ys, .n_ys = n_ys, .xs = xs, .n = n, .out = out};
    uint32_t held = wg_hold_place(tape);
    wg_status status = jacobian(&m, &options);
    wg_let_go_place(tape, held);
    if (status)
        all_invalid(tape, out, n_ys * n);
    return status;
}

/* ---- Hessians ---------------------------------------------------------------------------------------------------- */
wg_tensor *wg_recorded_gradient(wg_tensor y, const wg_tensor *xs, int n, const char *name)
{
    wg_tape *tape = y.tape;
    if (tape->no_grad) {
        wg_report(tape, name, WG_ERROR_UNSUPPORTED, "a second derivative needs the first recorded: not in WG_NO_GRAD");
        return NULL;
    }
    wg_tensor *grad = wg_arena(tape, (size_t)(n + 1) * sizeof *grad);
    if (!grad)
        wg_no_memory(tape, name, (size_t)n * sizeof *grad);
    return grad && !(wg_grad)(y, xs, n, grad, (wg_grad_options){.create_graph = true}) ? grad : NULL;
}

static wg_status hessian_passes(matrix *m, wg_tensor y, bool by_rows, bool record)
{
    wg_tensor *grad = wg_recorded_gradient(y, m->xs, m->n, m->name);
    if (!grad)
        return failure_of(m->tape);
    m->ys = grad;
    return matrix_fill(m, by_rows, record);
}

static wg_status hessian(wg_tensor y, const wg_tensor *xs, int n, wg_tensor *out, const wg_hessian_options *o)
{
    wg_tape *tape = wg_one_tape("wg_hessian", &y, 1, xs, n);
    if (!tape)
        return failure_of(y.tape);
    matrix scalar = {.tape = tape, .name = "wg_hessian", .ys = &y, .n_ys = 1, .xs = xs, .n = n};
    wg_status status = o->unused == WG_UNUSED_ERROR ? all_used(&scalar) : WG_OK;
    matrix m = {.tape = tape, .name = "wg_hessian", .ys = xs, .n_ys = n, .xs = xs, .n = n, .out = out};
    if (!status)
        status = matrix_begin(&m, o->create_graph);
    if (status || o->create_graph)
        return status ? status : hessian_passes(&m, y, o->by == WG_BY_ROWS, true);
    wg_aside aside = wg_aside_begin(tape);
    status = hessian_passes(&m, y, o->by == WG_BY_ROWS, false);
    wg_aside_end(tape, aside);
    return status;
}

wg_status (wg_hessian)(wg_tensor y, const wg_tensor *xs, int n, wg_tensor *out, wg_hessian_options options)
{
    wg_tape *tape = y.tape;
    all_invalid(tape, out, n > 0 ? n * n : 0);
    if (!tape)
        return WG_ERROR_VALUE;
    uint32_t held = wg_hold_place(tape);
    wg_status status = hessian(y, xs, n, out, &options);
    wg_let_go_place(tape, held);
    if (status)
        all_invalid(tape, out, n > 0 ? n * n : 0);
    return status;
}

/* ---- The Laplacian ----------------------------------------------------------------------------------------------- */
/* The second derivative by element e of xs[i], 0-d. */
static wg_tensor second(const matrix *m, const wg_tensor *grad, int i, int64_t e)
{
    wg_tensor t = unit(m, m->xs[i], e), pushed;
    if (!wg_is_tensor(t) || wg_jvp(&grad[i], 1, &m->xs[i], &t, 1, &pushed))
        return wg_invalid_on(m->tape);
    return wg_sum(wg_where(wg_not_equal(t, 0), pushed, 0));
}

static wg_tensor recorded_trace(const matrix *m, const wg_tensor *grad)
{
    wg_tensor sum = WG_NONE;
    for (int i = 0; i < m->n; i++)
        for (int64_t e = 0, n = elements(&m->xs[i], 1); e < n; e++) {
            wg_tensor part = second(m, grad, i, e);
            sum = wg_is_none(sum) ? part : wg_add(sum, part);
            if (!wg_is_tensor(sum))
                return sum;
        }
    wg_type scalar = {.dtype = wg_type_of(m->ys[0]).dtype};
    return wg_is_none(sum) ? wg_leaf(m->tape, &scalar, NULL, WG_NODE_CUT, m->name) : sum;
}

static wg_status plain_trace(const matrix *m, const wg_tensor *grad, double *sum)
{
    wg_status status = WG_OK;
    m->tape->no_grad++;
    for (int i = 0; i < m->n; i++)
        for (int64_t e = 0, n = elements(&m->xs[i], 1); e < n && !status; e++) {
            wg_aside aside = wg_aside_begin(m->tape);
            wg_tensor part = second(m, grad, i, e);
            if (wg_is_tensor(part))
                *sum += wg_item(part);
            else
                status = failure_of(m->tape);
            wg_aside_end(m->tape, aside);
        }
    m->tape->no_grad--;
    return status;
}

static wg_tensor laplacian(wg_tensor y, const wg_tensor *xs, int n, bool record)
{
    wg_tape *tape = wg_one_tape("wg_laplacian", &y, 1, xs, n);
    if (!tape)
        return y.tape ? wg_invalid_on(y.tape) : WG_INVALID;
    matrix m = {.tape = tape, .name = "wg_laplacian", .ys = &y, .n_ys = 1, .xs = xs, .n = n};
    if (record) {
        wg_tensor *grad = wg_recorded_gradient(y, xs, n, m.name);
        return grad ? recorded_trace(&m, grad) : wg_invalid_on(tape);
    }
    double sum = 0;
    wg_aside aside = wg_aside_begin(tape);
    wg_tensor *grad = wg_recorded_gradient(y, xs, n, m.name);
    wg_status status = grad ? plain_trace(&m, grad, &sum) : failure_of(tape);
    wg_dtype dtype = wg_type_of(y).dtype;
    wg_aside_end(tape, aside);
    return status ? wg_invalid_on(tape) : wg_full(tape, dtype, WG_SCALAR, sum);
}

wg_tensor (wg_laplacian)(wg_tensor y, const wg_tensor *xs, int n, wg_laplacian_options options)
{
    if (!y.tape)
        return WG_INVALID;
    uint32_t held = wg_hold_place(y.tape);
    wg_tensor sum = laplacian(y, xs, n, options.create_graph);
    wg_let_go_place(y.tape, held);
    return sum;
}
