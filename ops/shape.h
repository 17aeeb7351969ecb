/* What the files of the shape family share. */
#ifndef OPS_SHAPE_H
#define OPS_SHAPE_H

#include "wengert/shape.h"

/* Axes of operand 0 as they were given, counted from the front, in the same order; one given twice is an error. */
wg_status wg_axes_counted(const wg_call *c, const wg_axes *given, wg_axes *axes);
/* Operand 0's strides, also where it is contiguous. */
void wg_operand_strides(const wg_call *c, int64_t *stride);
/* "n dimensions are more than 8", where they are. */
wg_status wg_rank_fits(const wg_call *c, int rank);
/* Entries of diagonal `offset` of an [n, m] matrix; how many rows, columns its first one is from the corner. */
int64_t wg_diagonal_length(int64_t n, int64_t m, int64_t offset);
static inline int64_t wg_diagonal_row(int64_t offset) { return offset < 0 ? -offset : 0; }
static inline int64_t wg_diagonal_column(int64_t offset) { return offset > 0 ? offset : 0; }
/* The linear map that wg_diagonal's transpose is: zeros of `shape` with g on diagonal `offset` of the last two axes. */
wg_tensor wg_diagonal_back(wg_tensor g, wg_shape shape, int64_t offset);

#endif
