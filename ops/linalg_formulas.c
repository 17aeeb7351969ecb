/* Linear algebra as textbooks write it down, for the formulas of the entries: elimination without exchanging rows, step
 * by step as graph code; and what iterations find, the inverse and the spectra, by steps of Newton's method from the
 * value that is known in double, of which each doubles the digits. */
#include "ops/linalg.h"

#define STEPS 3 /* from an error of 1e-10 or less to one of 1e-60 */

static int64_t rows_of(wg_tensor a)
{
    wg_type type = wg_type_of(a);
    return type.dim[type.rank - 2];
}
static int64_t columns_of(wg_tensor a)
{
    wg_type type = wg_type_of(a);
    return type.dim[type.rank - 1];
}
static wg_tensor column_of(wg_tensor a, int64_t k) { return wg_narrow(a, -1, k, 1); }
static wg_tensor row_of(wg_tensor a, int64_t k) { return wg_narrow(a, -2, k, 1); }
static wg_tensor behind(wg_tensor a, int axis, int64_t k)
{
    return wg_narrow(a, axis, k, (axis == -1 ? columns_of(a) : rows_of(a)) - k);
}
static wg_tensor minus_product(wg_tensor a, wg_tensor b, wg_tensor c) { return wg_subtract(a, wg_matmul(b, c)); }

/* x with k zeros before it along the axis, -2 or -1. */
static wg_tensor after_zeros(wg_tensor x, int axis, int64_t k)
{
    wg_type type = wg_type_of(x);
    type.dim[type.rank + axis] = k;
    return k ? wg_concat(WG_TENSORS(wg_full(x.tape, type.dtype, wg_type_shape(&type), 0), x), .axis = axis) : x;
}

/* X + X (1 - a X) */
wg_tensor wg_inverse_formula(wg_tensor a)
{
    wg_tensor x = wg_stop_gradient(wg_inv(a)), one = wg_identity_like(a);
    for (int i = 0; i < STEPS; i++)
        x = wg_add(x, wg_matmul(x, minus_product(one, a, x)));
    return x;
}

void wg_elimination_formula(wg_tensor a, wg_tensor *l, wg_tensor *u, wg_tensor *pivots)
{
    int64_t m = rows_of(a), n = columns_of(a), k = m < n ? m : n;
    wg_tensor left[WG_MOST_ELIMINATED], upper[WG_MOST_ELIMINATED], pivot[WG_MOST_ELIMINATED];
    if (k > WG_MOST_ELIMINATED || !k)
        return;
    for (int64_t i = 0; i < k; i++) {
        pivot[i] = column_of(row_of(a, 0), 0);
        wg_tensor factors = wg_divide(column_of(a, 0), pivot[i]);
        left[i] = after_zeros(factors, -2, i);
        upper[i] = after_zeros(row_of(a, 0), -1, i);
        if (i + 1 < k)
            a = minus_product(behind(behind(a, -2, 1), -1, 1), behind(factors, -2, 1), behind(row_of(a, 0), -1, 1));
    }
    if (l)
        *l = wg_concat(((wg_tensors){left, (int)k}), .axis = -1);
    if (u)
        *u = wg_concat(((wg_tensors){upper, (int)k}), .axis = -2);
    if (pivots)
        *pivots = wg_squeeze(wg_concat(((wg_tensors){pivot, (int)k}), .axis = -1), .axis = -2);
}

wg_tensor wg_cholesky_formula(wg_tensor a)
{
    int64_t n = rows_of(a);
    wg_tensor column[WG_MOST_ELIMINATED];
    if (n > WG_MOST_ELIMINATED || !n)
        return WG_NONE;
    for (int64_t i = 0; i < n; i++) {
        wg_tensor first = wg_divide(column_of(a, 0), wg_sqrt(column_of(row_of(a, 0), 0)));
        column[i] = after_zeros(first, -2, i);
        if (i + 1 < n) {
            wg_tensor below = behind(first, -2, 1);
            a = minus_product(behind(behind(a, -2, 1), -1, 1), below, wg_matrix_transpose(below));
        }
    }
    return wg_concat(((wg_tensors){column, (int)n}), .axis = -1);
}

/* Ogita and Aishima 2018, algorithm 1: with R = 1 - X' X and S = X' a X, X (1 + E) has E_ij = (S_ij + v_j R_ij) /
 * (v_j - v_i), and E_ii = R_ii / 2. */
void wg_eigh_formula(wg_tensor a, wg_tensor vectors, wg_tensor *values, wg_tensor *better)
{
    wg_tensor x = wg_stop_gradient(vectors), one = wg_identity_like(a), v = WG_NONE;
    for (int i = 0; i <= STEPS; i++) {
        wg_tensor xt = wg_matrix_transpose(x), gram = wg_matmul(xt, x), s = wg_matmul(xt, wg_matmul(a, x));
        v = wg_sum(wg_multiply(s, one), .axis = -1);
        v = wg_divide(v, wg_sum(wg_multiply(gram, one), .axis = -1));
        if (i == STEPS)
            break;
        wg_tensor r = wg_subtract(one, gram), across = wg_expand_dims(v, -2);
        wg_tensor apart = wg_add(wg_subtract(across, wg_expand_dims(v, -1)), one);
        wg_tensor e = wg_divide(wg_add(s, wg_multiply(across, r)), apart);
        e = wg_add(wg_subtract(e, wg_multiply(e, one)), wg_multiply(0.5, wg_multiply(r, one)));
        x = wg_add(x, wg_matmul(x, e));
    }
    *values = v;
    *better = x;
}
