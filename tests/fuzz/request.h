/* Random requests of `wengert call`, drawn from what the operations' entries say of themselves. */
#ifndef TESTS_FUZZ_REQUEST_H
#define TESTS_FUZZ_REQUEST_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <wengert.h>

/* Where choices come from: a fuzzer's bytes while there are some, then a generator. Made as {.state = seed}. */
typedef struct {
    uint64_t state;
    const uint8_t *bytes;
    size_t left;
} chance;

uint64_t drawn(chance *c);
/* In [0, n). */
int below(chance *c, int n);
static inline bool one_in(chance *c, int n) { return below(c, n) == 0; }

#define REQUEST_INPUTS 20
#define MOST_ELEMENTS 4096 /* that are written; a larger array has no data, and is refused for it */
#define REQUEST_RANK 10 /* one or two more than there may be */

typedef struct {
    const char *dtype; /* NULL: the input is null */
    int rank;
    int64_t dim[REQUEST_RANK];
    double low, high; /* what fills it */
} filled;

/* A request but for what it wants. */
typedef struct {
    const wg_op *op;
    bool sound; /* a sample call of the entry, nothing changed: it has a value */
    int n_in;
    filled in[REQUEST_INPUTS];
    char *body; /* "op": ..., "inputs": ..., "attrs": ...; free() it */
} request;

/* An operation of the contract; NULL past the last. */
const wg_op *request_operation(int i);
/* A call of op, more often than not one that is legal. */
void request_draw(chance *c, const wg_op *op, request *r);
/* Elements, or MOST_ELEMENTS + 1 where there are more. */
int64_t filled_elements(const filled *f);
/* An array of that form as JSON: its data in [low, high], or now and then anything. */
void filled_write(chance *c, const filled *f, FILE *to);
/* Bytes of the text changed, removed, doubled, or its end cut off; *n becomes its length, which does not grow. */
void text_broken(chance *c, char *text, size_t *n);

#endif
