/* The program: requests on standard input, answers on standard output, until the input ends. */
#include "gradbench.h"
#include "limit.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>

#define KEPT_LINE ((size_t)1 << 20) /* bytes; a longer line's memory is given back */

static void skip_line(FILE *from)
{
    for (int c; (c = getc(from)) != '\n' && c != EOF;)
        ;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .doc = "A GradBench tool: answers its requests, a JSON object a line, with values, derivatives and times.\v"
               "It is run by GradBench, which is at github.com/gradbench/gradbench:\n\n"
               "  gradbench run --eval \"gradbench repo eval lse\" --tool build/tools/gradbench/gradbench"};
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    memory_limit();
    char *line = NULL;
    size_t room = 0;
    for (;;) {
        errno = 0;
        ssize_t n = getline(&line, &room, stdin);
        if (n < 0 && errno != ENOMEM && errno != EOVERFLOW)
            break;
        if (n < 0) {
            skip_line(stdin);
            session_too_long(stdout);
        } else {
            session_answer(line, (size_t)n, stdout);
        }
        if (n < 0 || room > KEPT_LINE) {
            free(line);
            line = NULL;
            room = 0;
        }
        if (fflush(stdout)) {
            perror("gradbench: standard output");
            return EXIT_FAILURE;
        }
    }
    free(line);
    if (!ferror(stdin))
        return EXIT_SUCCESS;
    perror("gradbench: standard input");
    return EXIT_FAILURE;
}
