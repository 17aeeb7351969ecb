/* `wengert call`: requests on standard input, a line each; answers on standard output, a line each, in order. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "answer.h"
#include "arguments.h"
#include "command.h"
#include "limit.h"

#define KEPT_LINE ((size_t)1 << 20) /* bytes; a longer line's memory is given back */

static void skip_line(FILE *from)
{
    for (int c; (c = getc(from)) != '\n' && c != EOF;)
        ;
}

static int answer_all(engine *e, FILE *from, FILE *to)
{
    char *line = NULL;
    size_t room = 0;
    for (;;) {
        errno = 0;
        ssize_t n = getline(&line, &room, from);
        if (n < 0 && errno != ENOMEM && errno != EOVERFLOW)
            break;
        if (n < 0) {
            skip_line(from);
            engine_too_long(to);
        } else {
            engine_answer(e, line, (size_t)n, to);
        }
        if (n < 0 || room > KEPT_LINE) {
            free(line);
            line = NULL;
            room = 0;
        }
        if (fflush(to))
            break;
    }
    free(line);
    if (!ferror(from))
        return EXIT_FINE; /* what went wrong with `to` is told when it is closed */
    perror("wengert call: standard input");
    return EXIT_FAILED;
}

int command_call(int argc, char **argv)
{
    static const struct argp argp = {
        .doc =
            "Answer requests to call operations: a JSON object a line on standard input, answered by one on standard "
            "output, in order.\v"
            "A request names an operation, its inputs and attributes, and what it wants of value, vjp, jvp, hvp and "
            "hvp_rr:\n\n"
            "  {\"op\": \"tanh\", \"inputs\": [X], \"want\": [\"vjp\"], \"cotangents\": [G]}\n\n"
            "X and G are arrays, {\"dtype\": \"float64\", \"shape\": [2], \"data\": [1, 2]}. "
            "`wengert ops` lists the operations."};
    arguments_read(&argp, argc, argv, NULL, NULL);
    memory_limit();
    engine *e = engine_new();
    if (!e) {
        fputs("wengert call: no memory\n", stderr);
        return EXIT_FAILED;
    }
    int status = answer_all(e, stdin, stdout);
    engine_free(e);
    return status;
}
