/* The writer of exported C. Private to the library. */
#ifndef CORE_CODE_H
#define CORE_CODE_H

#include "core/tape.h"
#include "wengert/code.h"

#define WG_MOST_WORDS 16
#define WG_MOST_HELPERS 100
#define WG_MOST_ROOMS 12

/* C text that grows in the tape's arena. */
typedef struct {
    wg_tape *tape;
    char *data; /* NUL-terminated once anything was put */
    size_t size, room;
} wg_source;

/* Text of functions that texts call, each put once into `to`. */
typedef struct {
    wg_source *to;
    const char *prefix;
    int n[2]; /* by the dtype of T */
    const wg_helper *done[2][WG_MOST_HELPERS];
} wg_helpers_put;

struct wg_code {
    const wg_call *call;   /* whose options a text names */
    wg_dtype dtype;        /* T */
    wg_source *to;
    wg_helpers_put *helpers;
    struct {               /* what stands for a word of the text */
        const char *word, *as;
    } word[WG_MOST_WORDS];
    int n_words;
    int n_each;            /* loops that EACH stands for */
    struct {
        char index;
        int64_t n;
    } each[WG_MAX_RANK];
    int depth;             /* blocks open */
    int n_rooms;
    struct {               /* an array to work in */
        const char *word;
        wg_dtype dtype;
        int64_t n;
    } room[WG_MOST_ROOMS];
    int fails;             /* what it may return besides 0: 1, as FAIL was used, or 2, as BREAKDOWN was; 0: nothing */
    bool blas, calls_blas; /* CBLAS may be called; it was */
    wg_status status;
};

/* Nothing is put once there was no memory, which is then the tape's error. */
void wg_source_put(wg_source *s, const char *format, ...) WG_PRINTF(2, 3);
void wg_source_bytes(wg_source *s, const char *data, size_t size);
/* A number of the dtype as C: 0.5F, 3.0, NAN, true, INT64_C(7). Negative ones in parentheses if `inside` an
 * expression. */
void wg_source_number(wg_source *s, wg_dtype dtype, double value, bool inside);
void wg_source_integer(wg_source *s, wg_dtype dtype, int64_t value);
/* "float", "int64_t". */
const char *wg_c_type(wg_dtype dtype);

extern const wg_helper *const *const wg_helpers[]; /* lists, NULL at their ends and behind the last; ops/helpers.c */

/* A text that is an expression, in one line. */
wg_status wg_code_expression(wg_code *w, const char *text);
/* The word for operand i: the entry's name for it, a number behind it where it is one of any number; NULL: no
 * memory. */
const char *wg_code_operand(const wg_call *c, int i);
/* The word for output k, saved ones behind the others: the entry's name for it, next_ before it where an operand has
 * the same; else y, or z where an operand is y; a number behind it where there is any number. */
const char *wg_code_output(const wg_call *c, int k);
/* "3 + 12 * i + j": the sum of the indices, each a letter, times their steps. */
void wg_subscript_put(wg_source *s, int64_t offset, int n, const int64_t *step, const char *index);
/* A line of its own, as it is. */
void wg_code_line(wg_code *w, const char *format, ...) WG_PRINTF(2, 3);

#endif
