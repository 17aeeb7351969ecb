/* The engine of `wengert call`: one request in, one answer out. It knows no operation: names, operands, options and
 * checks all come from the operation's entry. */
#ifndef TOOLS_ANSWER_H
#define TOOLS_ANSWER_H

#include <stdio.h>

typedef struct engine engine;

/* NULL when there is no memory. */
engine *engine_new(void);
void engine_free(engine *e);
/* Writes the answer to the request in the `n` bytes of `line`, and a newline, to `to`; nothing for a blank line. What
 * the engine holds does not grow with the number of requests. */
void engine_answer(engine *e, const char *line, size_t n, FILE *to);
/* For tests that compile many exported functions at once: a request that is to be exported is written to `path` as
 * function `name` and answered by what was recorded, or, without a path, found in the shared object. NULL, all: as
 * ever. */
void engine_exports(engine *e, const char *name, const char *path, const char *object);
/* Bytes it holds between requests. */
size_t engine_bytes(const engine *e);
/* The answer to a line that was too long to be read. */
void engine_too_long(FILE *to);

#endif
