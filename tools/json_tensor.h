/* JSON and what it stands for: arrays, tensors, options. The formats of `wengert call` and `wengert ops --json`.
 *
 * A tensor is {"dtype": "float64", "shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}, its data flat and row-major; what JSON
 * has no number for is "nan", "inf" or "-inf". Numbers are written so that they read back to the same bits. */
#ifndef TOOLS_JSON_TENSOR_H
#define TOOLS_JSON_TENSOR_H

#include <jansson.h>
#include <wengert.h>

/* Why something was refused: one of the protocol's codes, and the words. */
typedef struct {
    const char *code;
    char message[512];
} refusal;

/* Fills `why` in and returns false. */
bool refuse(refusal *why, const char *code, const char *format, ...) WG_PRINTF(3, 4);
/* The same with the first error of a tape, which is cleared; NULL is a tape that could not be made. */
bool refuse_as_tape(refusal *why, wg_tape *tape);

/* ---- Arrays: the values of a tensor that is not on a tape yet ---------------------------------------------------- */
typedef struct {
    wg_type type;
    int64_t count; /* elements */
    void *data;    /* row-major; free(data) */
} array;

/* `what` names the array in messages: "inputs", and `i` the place in that list. */
bool array_read(const json_t *json, const char *what, size_t i, array *a, refusal *why);

/* ---- Options ----------------------------------------------------------------------------------------------------- */
typedef struct {
    void *values;    /* the operation's options; NULL where it has none */
    wg_value *given; /* one an attribute; values may point into them, */
    int64_t **list;  /* and they into lists: one an attribute, NULL where it is none */
    size_t n;
} options;

/* Reads the attributes, NULL for none, over the defaults. The JSON must outlive the options. */
bool options_read(const wg_op *op, const json_t *attrs, options *o, refusal *why);
void options_free(options *o);
/* An option's default as JSON, null where it may be absent; NULL where it is required. */
json_t *option_default(const wg_attr *attr, const void *defaults);
/* What an attribute is: "bool", "int", "real", "text", "ints", "lists", "shape", "dtype". */
const char *option_type(const wg_attr *attr);

/* ---- Writing ----------------------------------------------------------------------------------------------------- */
/* Any text as a JSON string. */
void text_write(const char *text, FILE *to);
/* WG_NONE is null. False: there was no memory, or the tape has an error. */
bool tensor_write(wg_tensor t, FILE *to, refusal *why);

#endif
