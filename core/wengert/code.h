/* Wengert: how an operation says its C, for compiled functions that are exported as C files.
 *
 * An elementwise entry has said it already: the text of WG_MAP. Any other has a rule `.c`, which writes the body of a
 * C99 function of its operands and outputs: pointers to row-major values, by the entry's names for them (the only
 * output is y, or z where an operand is called y), with sizes that are constants. An entry that has neither is refused
 * by name when a function is exported.
 *
 *     static wg_status trace_c(const wg_call *c, wg_code *w)
 *     {
 *         wg_code_size(w, "n", c->x[0].dim[0]);
 *         return wg_code_text(w, WG_C(T sum = 0; for (int i = 0; i < n; i++) sum += x[i * n + i]; *y = sum;));
 *     } */
#ifndef WENGERT_CODE_H
#define WENGERT_CODE_H

#include "wengert/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wg_call;
typedef struct wg_code wg_code;

/* Text is C, in which
 *     T                 is the call's dtype, K(e) that of the expression e,
 *     o->beta           is the value of an option, IS(o->approximate, 't') whether its word begins with the letter,
 *     exp, sigmoid, ... are the functions of <math.h>, and the helpers of WG_MAP texts, for a T; exp_double for
 *                       a double; exp_T is exp, and no macro,
 *     FAIL;             leaves the exported function, which then returns 1: an index, a label, a parameter out of
 *                       range,
 *     BREAKDOWN;        the same with 2: a matrix that is singular, not definite, not finite. A text has one of them.
 * It is laid out anew: a line a statement. */
#define WG_C(...) #__VA_ARGS__
WG_API wg_status wg_code_text(wg_code *w, const char *text);
/* A name for a constant of the text. Reports an error where it is more than an int holds. */
WG_API wg_status wg_code_size(wg_code *w, const char *name, int64_t value);
/* A name for an array of constants; of none: of one 0. */
WG_API wg_status wg_code_sizes(wg_code *w, const char *name, int n, const int64_t *value);
/* A name for a number, a double. */
WG_API void wg_code_number(wg_code *w, const char *name, double value);
/* A name for an array of n numbers to work in, part of the exported function's memory: whatever was there is there. */
WG_API wg_status wg_code_room(wg_code *w, const char *name, wg_dtype dtype, int64_t n);
/* The beginning of a loop of `name` over [0, n), and its end. */
WG_API void wg_code_for(wg_code *w, const char *name, int64_t n);
WG_API void wg_code_end(wg_code *w);

#ifdef __cplusplus
}
#endif

#endif
