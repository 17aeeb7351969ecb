/* Stacks of matrices wherever they lie in memory, as the products take them. Private to the library. */
#ifndef OPS_MATRICES_H
#define OPS_MATRICES_H

#include "ops/backend.h"

/* [dim[0], ..., dim[rank - 1]] matrices of rows by columns; steps in elements, 0 where one broadcasts. */
typedef struct {
    const void *data;
    int64_t rows, columns, row_step, column_step;
    int rank;
    int64_t dim[WG_MAX_RANK], step[WG_MAX_RANK];
} wg_matrices;

/* Operand i of a call; a vector is a row on the left of a product, a column on the right. */
wg_matrices wg_matrices_of(const wg_call *c, int i, bool left);
/* The axes of x, which lies with the given strides (NULL: contiguous): `lead`, then rows, then columns, each a list of
 * axes that is read as one in order. Copied where the strides cannot say it. */
wg_status wg_matrices_grouped(const wg_call *c, const wg_type *x, const int64_t *stride, const void *data, wg_ints lead,
                              wg_ints rows, wg_ints columns, wg_matrices *to);
/* y = alpha a b + beta y into contiguous y, leading axes broadcast. */
wg_status wg_matrices_product(const wg_call *c, wg_matrices a, wg_matrices b, double alpha, double beta, void *y);

#endif
