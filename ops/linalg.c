/* Stacks of matrices, the checks before a factorisation, and pieces of chain rules that linear algebra shares. */
#include "ops/linalg.h"

#include <float.h>

/* ---- Types ------------------------------------------------------------------------------------------------------- */
wg_status wg_is_matrix(const wg_call *c, int i)
{
    return c->x[i].rank >= 2 ? WG_OK : wg_fail(c, WG_ERROR_SHAPE, "%s is not a matrix", wg_show(c, i));
}

wg_status wg_is_square(const wg_call *c, int i)
{
    const wg_type *x = &c->x[i];
    if (wg_is_matrix(c, i))
        return WG_ERROR_SHAPE;
    return x->dim[x->rank - 2] == x->dim[x->rank - 1]
               ? WG_OK
               : wg_fail(c, WG_ERROR_SHAPE, "%s is not a square matrix", wg_show(c, i));
}

wg_type wg_matrix_type(const wg_type *x, int64_t rows, int64_t columns)
{
    wg_type y = *x;
    y.dim[x->rank - 2] = rows;
    y.dim[x->rank - 1] = columns;
    return y;
}

wg_type wg_vector_type(const wg_type *x, int64_t n)
{
    wg_type y = *x;
    y.dim[--y.rank - 1] = n;
    return y;
}

wg_status wg_system_type(wg_call *c)
{
    const wg_type *a = &c->x[0], *b = &c->x[1];
    wg_type *y = &c->y[0];
    if (wg_is_matrix(c, 0))
        return WG_ERROR_SHAPE;
    if (b->rank < 1)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is 0-d, neither a vector nor a matrix", wg_show(c, 1));
    bool vector = b->rank == 1;
    if (b->dim[vector ? 0 : b->rank - 2] != a->dim[a->rank - 2])
        return wg_fail(c, WG_ERROR_SHAPE, "%s and %s differ in their rows", wg_show(c, 0), wg_show(c, 1));
    wg_type stack_a = *a, stack_b = *b;
    stack_a.rank -= 2;
    stack_b.rank -= vector ? 1 : 2;
    if (wg_broadcast_shapes(c, &stack_a, &stack_b, y))
        return WG_ERROR_SHAPE;
    y->dtype = c->dtype;
    y->dim[y->rank++] = a->dim[a->rank - 1];
    if (!vector)
        y->dim[y->rank++] = b->dim[b->rank - 1];
    return WG_OK;
}

/* ---- Stacks of matrices ------------------------------------------------------------------------------------------ */
wg_status wg_stack_of(const wg_call *c, int i, wg_matrix_stack *s)
{
    const wg_type *x = &c->x[i];
    int64_t m = x->dim[x->rank - 2], n = x->dim[x->rank - 1];
    *s = (wg_matrix_stack){.count = 1, .empty = !wg_type_count(x)};
    if (s->empty)
        m = n = 0;
    if (m > INT_MAX || n > INT_MAX || m * n > INT_MAX)
        return wg_fail(c, WG_ERROR_MEMORY, "%s has more elements than LAPACK can count", wg_show(c, i));
    for (int k = 0; k < x->rank - 2; k++)
        s->count *= x->dim[k];
    s->m = (int)m;
    s->n = (int)n;
    s->size = (size_t)(m * n) * wg_dtype_size(x->dtype);
    return WG_OK;
}

int64_t wg_stack_index(const wg_type *x, const wg_type *y, int y_core, int64_t k)
{
    int64_t at = 0, step = 1;
    for (int i = x->rank - 3, j = y->rank - y_core - 1; j >= 0; i--, j--) {
        int64_t here = k % y->dim[j];
        k /= y->dim[j];
        if (i < 0)
            break;
        at += x->dim[i] == 1 ? 0 : here * step;
        step *= x->dim[i];
    }
    return at;
}

#define FINITE(T)                                                                                                      \
    for (int64_t i = 0; i < m; i++) {                                                                                  \
        const T *row = (const T *)a + i * n;                                                                           \
        int64_t first = part == WG_UPPER ? i : 0, last = part == WG_LOWER ? i + 1 : n;                                 \
        for (int64_t j = first; j < last && j < n; j++)                                                                \
            fine &= isfinite(row[j]) != 0;                                                                             \
    }

static bool all_finite(wg_dtype dtype, int64_t m, int64_t n, wg_part part, const void *a)
{
    bool fine = true;
    if (dtype == WG_FLOAT32)
        FINITE(float)
    else
        FINITE(double)
    return fine;
}

wg_status wg_stack_finite(const wg_call *c, int i, const wg_matrix_stack *s, wg_part part)
{
    for (int64_t k = 0; k < s->count && !s->empty; k++)
        if (!all_finite(c->dtype, s->m, s->n, part, wg_stack_at(s, c->from[i], k)))
            return wg_fail(c, WG_ERROR_NUMERIC, "matrix %lld of %s is not finite", (long long)k, wg_show(c, i));
    return WG_OK;
}

wg_status wg_singular(const wg_call *c, int i, int64_t k, double rcond)
{
    return wg_fail(c, WG_ERROR_NUMERIC, "matrix %lld of %s is singular to working precision: condition number %.2g",
                   (long long)k, wg_show(c, i), 1 / rcond);
}

wg_status wg_indefinite(const wg_call *c, int i, int64_t k, int minor)
{
    return wg_fail(c, WG_ERROR_NUMERIC,
                   "matrix %lld of %s is not positive definite: its leading minor of order %d is not", (long long)k,
                   wg_show(c, i), minor);
}

double wg_epsilon(wg_dtype dtype) { return dtype == WG_FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON; }

bool wg_factors_made(const wg_call *c, const wg_matrix_stack *s, wg_factors *f)
{
    double answer[1] = {0};
    wg_lapack_getri(c->dtype, s->n, NULL, NULL, answer, -1);
    f->lwork = wg_work_asked(c->dtype, answer);
    f->work = wg_scratch(c, (size_t)f->lwork * wg_dtype_size(c->dtype));
    f->lu = wg_scratch(c, s->size);
    f->pivot = wg_scratch(c, (size_t)s->n * sizeof *f->pivot);
    f->room = wg_scratch(c, WG_CONDITION_ROOM(s->n));
    return f->work && f->lu && f->pivot && f->room;
}

wg_status wg_factorised(const wg_call *c, const wg_matrix_stack *s, int64_t k, wg_factors *f)
{
    memcpy(f->lu, wg_stack_at(s, c->from[0], k), s->size);
    double norm = wg_lapack_norm1(c->dtype, s->n, s->n, f->lu), rcond = 0;
    if (!wg_lapack_getrf(c->dtype, s->n, s->n, f->lu, f->pivot))
        rcond = wg_lapack_gecon(c->dtype, s->n, f->lu, norm, f->room);
    return rcond >= wg_epsilon(c->dtype) ? WG_OK : wg_singular(c, 0, k, rcond);
}

wg_status wg_inverted(const wg_call *c, const wg_matrix_stack *s, int64_t k, wg_factors *f, void *y)
{
    if (wg_factorised(c, s, k, f))
        return WG_ERROR_NUMERIC;
    wg_lapack_getri(c->dtype, s->n, f->lu, f->pivot, f->work, f->lwork);
    memcpy(y, f->lu, s->size);
    return WG_OK;
}

#define TILE 16
#define TRANSPOSE(T)                                                                                                   \
    for (int64_t ii = 0; ii < m; ii += TILE)                                                                           \
        for (int64_t jj = 0; jj < n; jj += TILE)                                                                       \
            for (int64_t i = ii; i < m && i < ii + TILE; i++)                                                          \
                for (int64_t j = jj; j < n && j < jj + TILE; j++)                                                      \
                    ((T *)to)[j * m + i] = ((const T *)from)[i * n + j];

void wg_transpose_into(wg_dtype dtype, int m, int n, const void *from, void *to)
{
    if (dtype == WG_FLOAT32)
        TRANSPOSE(float)
    else
        TRANSPOSE(double)
}

void wg_keep_triangle(wg_dtype dtype, wg_part part, int m, int n, void *a)
{
    size_t size = wg_dtype_size(dtype);
    for (int64_t i = 0; i < m; i++) {
        char *row = (char *)a + (size_t)(i * n) * size;
        if (part == WG_UPPER)
            memset(row, 0, (size_t)(i < n ? i : n) * size);
        else if (part == WG_LOWER && i + 1 < n)
            memset(row + (size_t)(i + 1) * size, 0, (size_t)(n - i - 1) * size);
    }
}

/* In float32 the answer may have been rounded down. */
int wg_work_asked(wg_dtype dtype, const void *answer)
{
    double asked = wg_load_number(dtype, answer) * (1 + wg_epsilon(dtype));
    return asked >= INT_MAX ? INT_MAX : (int)ceil(asked) + 1;
}

/* ---- Graph code -------------------------------------------------------------------------------------------------- */
wg_tensor wg_identity_like(wg_tensor a)
{
    wg_type type = wg_type_of(a);
    if (!wg_is_tensor(a))
        return a;
    int64_t n = type.dim[type.rank - 1];
    return wg_diag(wg_full(a.tape, type.dtype, WG_SHAPE(n), 1));
}

wg_tensor wg_symmetrised(wg_tensor a) { return wg_multiply(wg_add(a, wg_matrix_transpose(a)), 0.5); }

wg_tensor wg_columns_times(wg_tensor a, wg_tensor v) { return wg_multiply(a, wg_expand_dims(v, -2)); }
wg_tensor wg_rows_times(wg_tensor v, wg_tensor a) { return wg_multiply(wg_expand_dims(v, -1), a); }
wg_tensor wg_each_times(wg_tensor v, wg_tensor a) { return wg_multiply(wg_expand_dims(v, WG_AXES(-1, -2)), a); }

wg_tensor wg_matrix_inner(wg_tensor a, wg_tensor b) { return wg_sum(wg_multiply(a, b), .axis = WG_AXES(-1, -2)); }
