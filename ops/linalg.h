/* What the operations of linear algebra share: stacks of matrices, the checks before a factorisation, and pieces of
 * their chain rules. Private to the library. */
#ifndef OPS_LINALG_H
#define OPS_LINALG_H

#include "core/tape.h"
#include "ops/lapack.h"
#include "wengert/elementwise.h"
#include "wengert/linalg.h"
#include "wengert/products.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

/* ---- Types ------------------------------------------------------------------------------------------------------- */
/* Rules that report what operand i is not. */
wg_status wg_is_matrix(const wg_call *c, int i);
wg_status wg_is_square(const wg_call *c, int i);
/* [..., rows, columns] with the leading axes of x, a matrix. */
wg_type wg_matrix_type(const wg_type *x, int64_t rows, int64_t columns);
wg_type wg_vector_type(const wg_type *x, int64_t n);
/* The type of the x in a x = b: b a vector, or a matrix whose leading axes broadcast with those of a. */
wg_status wg_system_type(wg_call *c);

/* ---- Stacks of matrices ------------------------------------------------------------------------------------------ */
typedef struct {
    int64_t count;
    int m, n;        /* rows and columns of each */
    size_t size;     /* bytes of one */
    bool empty;      /* holds no elements */
} wg_matrix_stack;

/* Operand i as a stack; an error where LAPACK cannot count its rows. */
wg_status wg_stack_of(const wg_call *c, int i, wg_matrix_stack *s);
static inline const void *wg_stack_at(const wg_matrix_stack *s, const void *data, int64_t k)
{
    return (const char *)data + (size_t)k * s->size;
}
static inline void *wg_stack_to(const wg_matrix_stack *s, void *data, int64_t k)
{
    return (char *)data + (size_t)k * s->size;
}
/* Which matrix of x takes part in matrix k of the result, whose leading axes x's broadcast to. */
int64_t wg_stack_index(const wg_type *x, const wg_type *y, int y_core, int64_t k);

typedef enum { WG_WHOLE, WG_LOWER, WG_UPPER } wg_part;
/* WG_ERROR_NUMERIC where a NaN or an infinity is in that part of a matrix of operand i. */
wg_status wg_stack_finite(const wg_call *c, int i, const wg_matrix_stack *s, wg_part part);
/* Reports matrix k of operand i as singular, by its reciprocal condition number. */
wg_status wg_singular(const wg_call *c, int i, int64_t k, double rcond);
/* Reports it as not positive definite, by the order of a leading minor. */
wg_status wg_indefinite(const wg_call *c, int i, int64_t k, int minor);
double wg_epsilon(wg_dtype dtype); /* the distance from 1 to the next number */

/* LU factors of matrix k of operand 0, as LAPACK reads it: transposed. An error where it is singular. */
typedef struct {
    void *lu, *work, *room;
    int *pivot, lwork;
} wg_factors;
bool wg_factors_made(const wg_call *c, const wg_matrix_stack *s, wg_factors *f);
wg_status wg_factorised(const wg_call *c, const wg_matrix_stack *s, int64_t k, wg_factors *f);
/* y = its inverse. */
wg_status wg_inverted(const wg_call *c, const wg_matrix_stack *s, int64_t k, wg_factors *f, void *y);

/* to [n, m] = from' [m, n]. */
void wg_transpose_into(wg_dtype dtype, int m, int n, const void *from, void *to);
/* Zeros outside of a triangle of a [m, n]; WG_WHOLE leaves all. */
void wg_keep_triangle(wg_dtype dtype, wg_part part, int m, int n, void *a);
/* What a routine of LAPACK asked with lwork = -1 has answered: elements of its work. */
int wg_work_asked(wg_dtype dtype, const void *answer);

/* ---- Formulas ---------------------------------------------------------------------------------------------------- */
#define WG_MOST_ELIMINATED 16 /* rows; a larger matrix gets no formula */
wg_tensor wg_inverse_formula(wg_tensor a);
/* a = l u without exchanging rows, l with ones on its diagonal, and the pivots [..., k]; each may be NULL. */
void wg_elimination_formula(wg_tensor a, wg_tensor *l, wg_tensor *u, wg_tensor *pivots);
wg_tensor wg_cholesky_formula(wg_tensor a); /* lower */
/* Of a symmetric a whose vectors are known in double: values and vectors. */
void wg_eigh_formula(wg_tensor a, wg_tensor vectors, wg_tensor *values, wg_tensor *better);

/* ---- Graph code -------------------------------------------------------------------------------------------------- */
wg_tensor wg_identity_like(wg_tensor a); /* [n, n], of the size of a's last axis */
wg_tensor wg_symmetrised(wg_tensor a);   /* (a + a') / 2 */
/* Multiplies the columns of a [..., m, n] by v [..., n]; the rows by v [..., m]; a 0-d v for each matrix of the
 * stack. */
wg_tensor wg_columns_times(wg_tensor a, wg_tensor v);
wg_tensor wg_rows_times(wg_tensor v, wg_tensor a);
wg_tensor wg_each_times(wg_tensor v, wg_tensor a);
/* The sum of a b over the last two axes: <a, b> of each matrix. */
wg_tensor wg_matrix_inner(wg_tensor a, wg_tensor b);
/* A vector as a matrix of one column, and back. */
static inline wg_tensor wg_as_column(wg_tensor v) { return wg_expand_dims(v, -1); }
static inline wg_tensor wg_from_column(wg_tensor a) { return wg_squeeze(a, .axis = -1); }
/* The sum of two terms, of which either may be zero and absent. */
static inline wg_tensor wg_plus(wg_tensor a, wg_tensor b)
{
    return wg_is_none(a) ? b : wg_is_none(b) ? a : wg_add(a, b);
}

#endif
