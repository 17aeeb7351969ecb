/* What the C of several families is made of. Private to the library. */
#ifndef OPS_CODE_H
#define OPS_CODE_H

#include "core/code.h"
#include "ops/matrices.h"

/* WG_C of text in which macros are replaced before. */
#define TEXT_OF(...) WG_C(__VA_ARGS__)

/* What stands for a word in the texts that follow. */
void wg_code_word(wg_code *w, const char *word, const char *as);

/* Text for each of the places that are left when the axes are taken away. In it EACH is the loop over the axes; x, or
 * any other operand or output by its name, is the element there. Words listed in `kept` do not have the axes, those in
 * `gone` have nothing else; the others have operand 0's shape. N is how many elements EACH goes over. */
wg_status wg_code_over(const wg_call *c, wg_code *w, const wg_axes *axes, const char *kept, const char *gone,
                       const char *text);
/* The same along one axis. */
wg_status wg_code_along(const wg_call *c, wg_code *w, int axis, const char *kept, const char *gone, const char *text);

/* The same along one axis of the shape that the first two operands broadcast to: `length` elements from at_a on in
 * operand 0, step_a apart, and the same with _b in operand 1; `line` counts the lines, `inner` are those of the axes
 * behind. The axis may count from the end. */
wg_status wg_code_lines(const wg_call *c, wg_code *w, int axis, const char *text);

/* An array under a word, read or written from an element on with these strides; NULL: row-major. */
typedef struct {
    const char *word;
    int64_t offset;
    const int64_t *stride;
} wg_code_array;
/* For each index of the shape: to OPERATOR from, as "=" or "+=". */
void wg_code_move(wg_code *w, const wg_type *shape, wg_code_array to, const char *operator, wg_code_array from);
/* For each index of the shape: the text, in which operands 0 and 1, by their names, are their elements there, read with
 * these strides, and y is the result's. */
wg_status wg_code_paired(const wg_call *c, wg_code *w, const wg_type *shape, const int64_t *a, const int64_t *b,
                         const char *text);
/* y = x read at index[k][i] along each axis k, and at i where there is no list; `outside` where an index is -1. x and y
 * are their types, of one rank. `back`, its transpose: the operand, called x, has y's type and is added to the result,
 * called y. */
wg_status wg_code_indexed(wg_code *w, const wg_type *x, const wg_type *y, int64_t *const *index, bool back,
                          double outside);
/* Each of the n elements is `value`. */
void wg_code_fill(wg_code *w, const char *word, int64_t n, const char *value);

/* y, over axes of operand 0 and then of operand 1, is the sum over pairs of axes of their product. */
wg_status wg_code_contraction(const wg_call *c, wg_code *w, wg_ints left_a, wg_ints sum_a, wg_ints left_b,
                              wg_ints sum_b);

/* y = a b, and bias, if any, in every row: stacks as wg_matrices_of gives them, by their words. */
wg_status wg_code_product(wg_code *w, wg_matrices a, const char *a_word, wg_matrices b, const char *b_word,
                          const char *bias);

#endif
