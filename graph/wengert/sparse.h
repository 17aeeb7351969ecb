/* Wengert: sparse derivatives.
 *
 * Where an output depends on few inputs, many columns of the Jacobian fit into one forward pass, many rows into one
 * backward pass. What may differ from zero is read off the recorded tape, once; so is a colouring, which says what fits
 * together. Both are kept and used again for every new point:
 *
 *     wg_sparsity *s = wg_hessian_sparsity(f, &x, 1);
 *     wg_sparse h;
 *     wg_sparse_hessian(s, f, &x, 1, &h);             h.values has h.n elements: (h.row[k], h.column[k]) is element k
 *
 * Gebremedhin, Manne and Pothen 2005, What color is your Jacobian? */
#ifndef WENGERT_SPARSE_H
#define WENGERT_SPARSE_H

#include "wengert/derivatives.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- A sparse matrix ---------------------------------------------------------------------------------------------
 * Entry k is values[k], in row row[k] and column column[k] (COO). Rows ascend, and columns within a row: entries
 * start[r] to start[r + 1] - 1 are those of row r (CSR). The arrays belong to the sparsity it came from. */
typedef struct {
    int64_t rows, columns, n;
    const int64_t *start, *row, *column; /* [rows + 1], [n], [n] */
    wg_tensor values;                    /* [n]; WG_NONE where it is only a pattern */
} wg_sparse;

/* ---- Structure and colouring -------------------------------------------------------------------------------------
 * Rows are the elements of the outputs, one output after the other; columns those of the inputs.
 *
 * An entry that is not in the structure is zero wherever the same tape is recorded; one that is in it may still be
 * zero. Exact are elementwise operations with their broadcasting, views, and what is linear in its operands and takes
 * each element once or gives it once (concat, take, sum, ...); other linear operations are exact up to 32 entries a row
 * or so, and may be given whole blocks beyond. Of any other operation every output is taken to depend on every
 * input. */
typedef enum {
    WG_COLORING_FEWEST = 0, /* of a Jacobian: columns, rows or both, whichever takes the fewest passes; of a Hessian:
                               star */
    WG_COLORING_COLUMNS,    /* forward passes: no two columns of a colour meet in a row (Curtis, Powell and Reid
                               1974) */
    WG_COLORING_ROWS,       /* backward passes */
    WG_COLORING_BOTH,       /* backward for the dense rows, forward for the others, or so with columns (Coleman and
                               Verma 1998) */
    WG_COLORING_STAR,       /* of a Hessian: neighbours differ, and every path of 4 has 3 colours; read off directly */
    WG_COLORING_ACYCLIC     /* of a Hessian: neighbours differ, and every cycle has 3 colours; fewer, found by
                               substitution */
} wg_coloring;

typedef struct wg_sparsity wg_sparsity; /* belongs to the tape */

typedef struct {
    wg_coloring coloring;
} wg_jacobian_sparsity_options;
#define wg_jacobian_sparsity_defaults .coloring = WG_COLORING_FEWEST
/* Of d ys / d xs, for wg_sparse_jacobian. xs may be any tensors on the tape, none of them twice. NULL: an error. */
WG_API wg_sparsity *wg_jacobian_sparsity(const wg_tensor *ys, int n_ys, const wg_tensor *xs, int n,
                                         wg_jacobian_sparsity_options options);

typedef struct {
    wg_coloring coloring;
} wg_hessian_sparsity_options;
#define wg_hessian_sparsity_defaults .coloring = WG_COLORING_FEWEST
/* Of d^2 y / d xs d xs, both halves, for wg_sparse_hessian: read off the gradient's tape. NULL: an error. */
WG_API wg_sparsity *wg_hessian_sparsity(wg_tensor y, const wg_tensor *xs, int n, wg_hessian_sparsity_options options);

typedef struct {
    wg_coloring coloring;
    bool symmetric; /* a Hessian's; the structure is completed to a symmetric one */
} wg_sparsity_new_options;
#define wg_sparsity_new_defaults .coloring = WG_COLORING_FEWEST
/* Of a structure that is known: n entries in any order, repetitions allowed. NULL: an error. */
WG_API wg_sparsity *wg_sparsity_new(wg_tape *tape, int64_t rows, int64_t columns, int64_t n, const int64_t *row,
                                    const int64_t *column, wg_sparsity_new_options options);

/* The structure, without values; all zero for NULL. */
WG_API wg_sparse wg_sparsity_pattern(const wg_sparsity *s);
/* The passes that an evaluation takes: the number of colours of the columns, and of the rows. Of a Hessian the former
 * are forward passes over the gradient, which is computed once. */
WG_API int wg_forward_passes(const wg_sparsity *s);
WG_API int wg_backward_passes(const wg_sparsity *s);
/* The colour of a column, of a row; -1 where it takes part in no pass. */
WG_API int wg_column_color(const wg_sparsity *s, int64_t column);
WG_API int wg_row_color(const wg_sparsity *s, int64_t row);

/* ---- Values ------------------------------------------------------------------------------------------------------
 * At the point that the outputs are recorded at, which need not be the one the structure was read at. A dependence that
 * the structure does not have makes the result wrong: read it again where the program takes another branch. */
typedef struct {
    bool create_graph; /* record the values, so that they can be differentiated; not with WG_COLORING_ACYCLIC */
} wg_sparse_jacobian_options;
#define wg_sparse_jacobian_defaults .create_graph = false
/* d ys / d xs. out->values is a tensor of the outputs' dtype, the other members are s's. */
WG_API wg_status wg_sparse_jacobian(const wg_sparsity *s, const wg_tensor *ys, int n_ys, const wg_tensor *xs, int n,
                                    wg_sparse *out, wg_sparse_jacobian_options options);

typedef struct {
    bool create_graph;
} wg_sparse_hessian_options;
#define wg_sparse_hessian_defaults .create_graph = false
/* d^2 y / d xs d xs of a one-element y. */
WG_API wg_status wg_sparse_hessian(const wg_sparsity *s, wg_tensor y, const wg_tensor *xs, int n, wg_sparse *out,
                                   wg_sparse_hessian_options options);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_jacobian_sparsity(...) WG_OPTIONS_JACOBIAN_SPARSITY(__VA_ARGS__, )
#define WG_OPTIONS_JACOBIAN_SPARSITY(ys, n_ys, xs, n, ...)                                                             \
    WG_CALL_ON((wg_jacobian_sparsity), ys, n_ys, xs, n,                                                                \
               (wg_jacobian_sparsity_options){wg_jacobian_sparsity_defaults, __VA_ARGS__})
#define wg_hessian_sparsity(y, ...) WG_OPTIONS3(wg_hessian_sparsity, WG_HERE_AT(y), __VA_ARGS__, )
#define wg_sparsity_new(tape, ...) WG_OPTIONS_SPARSITY(WG_HERE(tape), __VA_ARGS__, )
#define WG_OPTIONS_SPARSITY(tape, rows, columns, n, row, column, ...)                                                  \
    (wg_sparsity_new)(tape, rows, columns, n, row, column,                                                             \
                      (wg_sparsity_new_options){wg_sparsity_new_defaults, __VA_ARGS__})
#define wg_sparse_jacobian(s, ...) WG_OPTIONS_SPARSE_JACOBIAN(s, __VA_ARGS__, )
#define WG_OPTIONS_SPARSE_JACOBIAN(s, ys, n_ys, xs, n, out, ...)                                                       \
    WG_CALL_ON(WG_SPARSE_JACOBIAN_TURNED, ys, n_ys, s, xs, n, out,                                                     \
               (wg_sparse_jacobian_options){wg_sparse_jacobian_defaults, __VA_ARGS__})
#define WG_SPARSE_JACOBIAN_TURNED(ys, n_ys, s, ...) (wg_sparse_jacobian)(s, ys, n_ys, __VA_ARGS__)
#define wg_sparse_hessian(s, y, ...) WG_OPTIONS5(wg_sparse_hessian, s, WG_HERE_AT(y), __VA_ARGS__, )
#endif

#endif
