/* Products of stacks of matrices: found in memory by their strides, copied only where no leading dimension describes
 * them, and multiplied as one product where the stack is one tall matrix. */
#include "ops/matrices.h"

#include "core/tape.h"

static void row_major(const wg_type *x, int64_t *stride)
{
    int64_t step = 1;
    for (int i = x->rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= x->dim[i];
    }
}

wg_matrices wg_matrices_of(const wg_call *c, int i, bool left)
{
    const wg_type *x = &c->x[i];
    int64_t stride[WG_MAX_RANK] = {0};
    if (c->stride && c->stride[i])
        memcpy(stride, c->stride[i], (size_t)x->rank * sizeof *stride);
    else
        row_major(x, stride);
    wg_matrices m = {.data = c->from[i], .rows = 1, .columns = 1, .row_step = 1, .column_step = 1};
    int last = x->rank - 1;
    if (x->rank == 1 && left) {
        m.columns = x->dim[0];
        m.column_step = stride[0];
    } else if (x->rank == 1) {
        m.rows = x->dim[0];
        m.row_step = stride[0];
    } else {
        m.rows = x->dim[last - 1];
        m.row_step = stride[last - 1];
        m.columns = x->dim[last];
        m.column_step = stride[last];
        m.rank = x->rank - 2;
        memcpy(m.dim, x->dim, (size_t)m.rank * sizeof *m.dim);
        memcpy(m.step, stride, (size_t)m.rank * sizeof *m.step);
    }
    return m;
}

/* Can a leading dimension say where it lies: rows apart, elements of a row adjacent; or, transposed, the reverse? */
static bool lies_in_rows(int64_t rows, int64_t columns, int64_t row_step, int64_t column_step)
{
    return (column_step == 1 || columns <= 1) && (row_step >= columns || rows <= 1);
}

static bool describable(const wg_matrices *m)
{
    return lies_in_rows(m->rows, m->columns, m->row_step, m->column_step) ||
           lies_in_rows(m->columns, m->rows, m->column_step, m->row_step);
}

/* A contiguous copy; what broadcasts along an axis of the stack is copied once. */
static wg_status copied(const wg_call *c, wg_matrices *m)
{
    wg_type type = {.dtype = c->dtype, .rank = m->rank + 2};
    int64_t stride[WG_MAX_RANK + 2];
    for (int i = 0; i < m->rank; i++) {
        type.dim[i] = m->step[i] ? m->dim[i] : 1;
        stride[i] = m->step[i];
    }
    type.dim[m->rank] = m->rows;
    type.dim[m->rank + 1] = m->columns;
    stride[m->rank] = m->row_step;
    stride[m->rank + 1] = m->column_step;
    void *copy = wg_scratch(c, (size_t)wg_type_count(&type) * wg_dtype_size(type.dtype));
    if (!copy)
        return WG_ERROR_MEMORY;
    wg_gather_strided(&type, stride, m->data, copy);
    int64_t step[WG_MAX_RANK + 2];
    row_major(&type, step);
    for (int i = 0; i < m->rank; i++)
        m->step[i] = m->step[i] ? step[i] : 0;
    m->row_step = m->columns;
    m->column_step = 1;
    m->data = copy;
    return WG_OK;
}

/* Axes of one size and step as one axis; false where their elements are not evenly apart. */
static bool as_one(const wg_type *x, const int64_t *stride, wg_ints axes, int64_t *size, int64_t *step)
{
    *size = 1;
    *step = 1;
    for (int i = axes.n - 1; i >= 0; i--) {
        int64_t dim = x->dim[axes.at[i]], apart = stride[axes.at[i]];
        if (dim == 1)
            continue;
        if (*size == 1)
            *step = apart;
        else if (apart != *step * *size)
            return false;
        *size *= dim;
    }
    return true;
}

static int64_t size_of(const wg_type *x, wg_ints axes)
{
    int64_t size = 1;
    for (int i = 0; i < axes.n; i++)
        size *= x->dim[axes.at[i]];
    return size;
}

wg_status wg_matrices_grouped(const wg_call *c, const wg_type *x, const int64_t *stride, const void *data, wg_ints lead,
                              wg_ints rows, wg_ints columns, wg_matrices *to)
{
    int64_t own[WG_MAX_RANK];
    if (!stride) {
        row_major(x, own);
        stride = own;
    }
    wg_matrices m = {.data = data, .rank = lead.n};
    for (int i = 0; i < lead.n; i++) {
        m.dim[i] = x->dim[lead.at[i]];
        m.step[i] = stride[lead.at[i]];
    }
    if (as_one(x, stride, rows, &m.rows, &m.row_step) && as_one(x, stride, columns, &m.columns, &m.column_step) &&
        describable(&m)) {
        *to = m;
        return WG_OK;
    }
    wg_type ordered = {.dtype = x->dtype};
    int64_t apart[WG_MAX_RANK];
    wg_ints groups[] = {lead, rows, columns};
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < groups[k].n; i++) {
            apart[ordered.rank] = stride[groups[k].at[i]];
            ordered.dim[ordered.rank++] = x->dim[groups[k].at[i]];
        }
    void *copy = wg_scratch(c, (size_t)wg_type_count(&ordered) * wg_dtype_size(ordered.dtype));
    if (!copy)
        return WG_ERROR_MEMORY;
    wg_gather_strided(&ordered, apart, data, copy);
    row_major(&ordered, apart);
    memcpy(m.step, apart, (size_t)m.rank * sizeof *m.step);
    m.rows = size_of(x, rows);
    m.columns = size_of(x, columns);
    m.row_step = m.columns;
    m.column_step = 1;
    m.data = copy;
    *to = m;
    return WG_OK;
}

/* The stack a, one matrix below the other, as a single one: [..., n, k] times one [k, m] is [... n, k] times [k, m]. */
static bool as_tall(wg_matrices *a, const wg_matrices *b)
{
    for (int i = 0; i < b->rank; i++)
        if (b->dim[i] != 1)
            return false;
    wg_matrices tall = *a;
    for (int i = a->rank - 1; i >= 0; i--) {
        if (a->dim[i] == 1)
            continue;
        if (tall.rows == 1)
            tall.row_step = a->step[i];
        else if (a->step[i] != tall.row_step * tall.rows)
            return false;
        tall.rows *= a->dim[i];
    }
    tall.rank = 0;
    if (!describable(&tall))
        return false;
    *a = tall;
    return true;
}

static int64_t at_least(int64_t step, int64_t size) { return step > size ? step : size > 1 ? size : 1; }

/* Step of axis i of the stack of `rank` axes; 0 where m has no such axis or broadcasts. */
static int64_t step_of(const wg_matrices *m, int i, int rank)
{
    int own = i - (rank - m->rank);
    return own < 0 || m->dim[own] == 1 ? 0 : m->step[own];
}

static wg_status stack_product(const wg_call *c, wg_gemm *p, const wg_matrices *a, const wg_matrices *b)
{
    int rank = a->rank > b->rank ? a->rank : b->rank;
    int64_t dim[WG_MAX_RANK], i[WG_MAX_RANK] = {0}, count = 1;
    for (int r = 0; r < rank; r++) {
        int in_a = r - (rank - a->rank), in_b = r - (rank - b->rank);
        dim[r] = in_a >= 0 && a->dim[in_a] != 1 ? a->dim[in_a] : in_b >= 0 ? b->dim[in_b] : 1;
        count *= dim[r];
    }
    wg_gemm_at *at = wg_scratch(c, (size_t)(count ? count : 1) * sizeof *at);
    if (!at)
        return WG_ERROR_MEMORY;
    wg_gemm_at now = {0};
    for (int64_t k = 0; k < count; k++, now.y += p->m * p->n) {
        at[k] = now;
        for (int r = rank - 1; r >= 0; r--) {
            now.a += step_of(a, r, rank);
            now.b += step_of(b, r, rank);
            if (++i[r] < dim[r])
                break;
            now.a -= dim[r] * step_of(a, r, rank);
            now.b -= dim[r] * step_of(b, r, rank);
            i[r] = 0;
        }
    }
    return wg_products(c, p, count, at);
}

wg_status wg_matrices_product(const wg_call *c, wg_matrices a, wg_matrices b, double alpha, double beta, void *y)
{
    if ((!describable(&a) && copied(c, &a)) || (!describable(&b) && copied(c, &b)))
        return WG_ERROR_MEMORY;
    bool tall = as_tall(&a, &b);
    bool rows_a = lies_in_rows(a.rows, a.columns, a.row_step, a.column_step);
    bool rows_b = lies_in_rows(b.rows, b.columns, b.row_step, b.column_step);
    wg_gemm p = {.dtype = c->dtype,
                 .transposed_a = !rows_a,
                 .transposed_b = !rows_b,
                 .m = a.rows,
                 .n = b.columns,
                 .k = a.columns,
                 .alpha = alpha,
                 .a = a.data,
                 .b = b.data,
                 .beta = beta,
                 .y = y,
                 .ldy = at_least(0, b.columns)};
    p.lda =
        rows_a ? at_least(a.rows > 1 ? a.row_step : 0, a.columns) : at_least(a.columns > 1 ? a.column_step : 0, a.rows);
    p.ldb =
        rows_b ? at_least(b.rows > 1 ? b.row_step : 0, b.columns) : at_least(b.columns > 1 ? b.column_step : 0, b.rows);
    return tall ? wg_product(c, &p) : stack_product(c, &p, &a, &b);
}
