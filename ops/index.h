/* What the files of the indexing family share: indices read and checked, rows taken and added. */
#ifndef OPS_INDEX_H
#define OPS_INDEX_H

#include "wengert/indexing.h"

/* A tensor seen along one axis: [outer, n, inner]. */
typedef struct {
    int64_t outer, n, inner;
} wg_lines;
wg_lines wg_lines_of(const wg_type *type, int axis);

/* Operand `i`'s indices into an axis of `size`, counted from the front; NULL, and the error reported, where one is
 * out of range. Negative ones count from the end if `from_end`, else they are out of range. */
const int64_t *wg_places(const wg_call *c, int i, int axis, int64_t size, bool from_end);

/* Element k of operand i, indices of either width. */
int64_t wg_index_at(const wg_call *c, int i, int64_t k);
/* "[2, 0]": the coordinates of element i. */
const char *wg_position_text(const wg_type *type, int64_t i, char *text, size_t size);

/* Rows of x taken: [outer, n, inner] at `count` places of n gives y, [outer, count, inner], of elements of `size`
 * bytes. */
void wg_rows_take(const wg_call *c, wg_lines x, const int64_t *place, int64_t count, size_t size, const void *from,
                  void *to);
/* The transpose: rows of g, [outer, count, inner], added to y, [outer, n, inner], in the order of the places. Rows
 * for place `skip` are left out. What goes to one place is added up in doubles. */
wg_status wg_rows_add(const wg_call *c, wg_lines y, const int64_t *place, int64_t count, int64_t skip, const void *g,
                      void *to);
/* The same element by element, of x or of zeros (NULL): y[o, place[o, k, j], j] = x[..] + g[o, k, j]. */
wg_status wg_along_add(const wg_call *c, wg_lines y, wg_lines g, const int64_t *place, const void *x, const void *from,
                       void *to);

/* Pullbacks that are linear in g, with zeros where nothing was taken: of take; of take_along_axis, also what
 * scatters to zeros; `size` is the axis's. */
wg_tensor wg_take_back(wg_tensor indices, wg_tensor g, int axis, int64_t size, int64_t skip);
wg_tensor wg_take_along_axis_back(wg_tensor indices, wg_tensor g, int axis, int64_t size);

/* Checks x's and indices' shapes, equal but along the axis. */
wg_status wg_along_fits(const wg_call *c, const wg_type *x, int indices, int axis);

/* The options of operations along a required axis. */
typedef struct {
    int axis;
} wg_along_options;
#define wg_along_defaults .axis = WG_NO_AXIS

#endif
