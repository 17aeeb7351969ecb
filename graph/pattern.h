/* The structure of a sparse matrix, and its colourings. Private to graph/. */
#ifndef GRAPH_PATTERN_H
#define GRAPH_PATTERN_H

#include "core/tape.h"
#include "wengert/sparse.h"

/* ---- Memory that knows its size, outside the arena: NULL, without an error, where there is none ------------------ */
void *wg_room_new(wg_tape *tape, int64_t n, size_t size); /* zeroed */
void *wg_room_grown(wg_tape *tape, void *room, int64_t n, size_t size); /* a larger one; NULL: the old one is kept */
void wg_room_free(wg_tape *tape, void *room);

/* ---- Patterns ---- */
/* Row r holds the columns index[start[r] ... start[r + 1]), ascending. Where all rows are `uniform` they share one
 * set. */
typedef struct {
    int64_t rows, columns;
    int64_t *start, *index;
    bool uniform;
    int refs;
} wg_pattern;

static inline const int64_t *wg_pattern_row(const wg_pattern *p, int64_t r, int64_t *n)
{
    int64_t at = p->uniform ? 0 : r;
    *n = p->start[at + 1] - p->start[at];
    return p->index + p->start[at];
}
/* Of one that is not uniform */
static inline int64_t wg_pattern_count(const wg_pattern *p) { return p->start[p->rows]; }

/* All of these give NULL, without an error, where there is no memory. */
wg_pattern *wg_pattern_identity(wg_tape *tape, int64_t rows, int64_t columns, int64_t first); /* row r: first + r */
wg_pattern *wg_pattern_spread(wg_tape *tape, const wg_pattern *p); /* a copy that is not uniform */
wg_pattern *wg_pattern_transposed(wg_tape *tape, const wg_pattern *p);
wg_pattern *wg_pattern_symmetric(wg_tape *tape, const wg_pattern *p); /* united with its transpose */
wg_pattern *wg_pattern_entries(wg_tape *tape, int64_t rows, int64_t columns, int64_t n, const int64_t *row,
                               const int64_t *column);
static inline wg_pattern *wg_pattern_share(wg_pattern *p)
{
    p->refs++;
    return p;
}
void wg_pattern_free(wg_tape *tape, wg_pattern *p); /* one reference of it */

/* A pattern in the making, row after row, each a union of rows of others. */
typedef struct {
    wg_tape *tape;
    wg_pattern *made;
    int64_t *mark; /* [columns]: the number of the last row that took the column */
    int64_t row, n, room, sources, marks;
    bool failed;
} wg_weave;

/* `mark`: [columns], zeroed, of which *marks were used; it may serve many patterns one after another. */
wg_weave wg_weave_begin(wg_tape *tape, int64_t rows, int64_t columns, int64_t *mark, int64_t marks);
void wg_weave_add(wg_weave *w, const int64_t *index, int64_t n, int64_t shift); /* the columns index[i] + shift */
void wg_weave_row(wg_weave *w);         /* the row is whole */
wg_pattern *wg_weave_end(wg_weave *w);  /* NULL: no memory */

/* ---- sparsity_linear.c ---- */
/* Which elements of operands [first, first + n) an output of a linear call is made of: rows are the output's elements,
 * columns the operands' one after the other. NULL, and an error of the tape, where it cannot be told. */
wg_pattern *wg_linear_pattern(const wg_call *c, int output, int first, int n);

/* ---- sparsity.c ---- */
/* Of d ys / d xs, which are checked. NULL, and the error reported. */
wg_pattern *wg_pattern_of(wg_tape *tape, const char *name, const wg_tensor *ys, int n_ys, const wg_tensor *xs, int n);

/* ---- Colourings: the number of colours, or -1 without memory ---- */
/* Columns such that no two of a colour meet in one of the rows that `active` marks (NULL: all); -1 for a column that
 * none of those rows has. t is p transposed. `quick`: in natural order, at once. */
int wg_color_columns(wg_tape *tape, const wg_pattern *p, const wg_pattern *t, const bool *active, bool quick,
                     int32_t *color);

/* The columns smallest last, or by saturation; neighbours are those that meet in a row. False: no memory. */
bool wg_color_order(wg_tape *tape, const wg_pattern *p, const wg_pattern *t, bool saturation, int64_t *order);

/* What is taken from where in the compressed matrix: the forward passes' results [colours, rows], then the backward
 * ones' [colours, columns]. */
typedef struct {
    int32_t *column_color, *row_color; /* NULL: no pass of the kind */
    int columns, rows;                 /* colours */
    int64_t *source;                   /* [n]: where entry k is read */
    int64_t *from, *to;                /* substitutions to be made before: element `to` less element `from`, in this
                                          order */
    int64_t substitutions;
} wg_plan;

bool wg_plan_jacobian(wg_tape *tape, const wg_pattern *p, wg_coloring coloring, wg_plan *plan);
bool wg_plan_hessian(wg_tape *tape, const wg_pattern *p, wg_coloring coloring, wg_plan *plan);
void wg_plan_free(wg_tape *tape, wg_plan *plan);

#endif
