/* `wengert call`: requests on standard input, a line each; answers on standard output, a line each, in order. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "answer.h"
#include "command.h"

#define KEPT_LINE ((size_t)1 << 20) /* bytes; a longer line's memory is given back */

/* Bytes of memory this machine, or the control group this process is in, has. */
static double memory_there_is(void)
{
    static const char *const limits[] = {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    double bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE), limit;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        FILE *file = fopen(limits[i], "r");
        if (file && fscanf(file, "%lf", &limit) == 1 && limit < bytes)
            bytes = limit;
        if (file)
            fclose(file);
    }
    return bytes;
}

/* A sanitizer sets aside more address space than any machine has memory. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer))
#else
#define SANITIZED 0
#endif

/* A request for more memory than there is gets an error for an answer, and not the program killed by the system. */
static void memory_limit(void)
{
    struct rlimit limit;
    double most = 0.75 * memory_there_is();
    if (!SANITIZED && most > 0 && !getrlimit(RLIMIT_DATA, &limit) && (double)limit.rlim_cur > most) {
        limit.rlim_cur = (rlim_t)most;
        setrlimit(RLIMIT_DATA, &limit);
    }
}

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
        .doc = "Answer requests to call operations: a JSON object a line on standard input, answered by one on standard "
               "output, in order.\v"
               "A request names an operation, its inputs and attributes, and what it wants of value, vjp, jvp, hvp and "
               "hvp_rr:\n\n"
               "  {\"op\": \"tanh\", \"inputs\": [X], \"want\": [\"vjp\"], \"cotangents\": [G]}\n\n"
               "X and G are arrays, {\"dtype\": \"float64\", \"shape\": [2], \"data\": [1, 2]}. "
               "`wengert ops` lists the operations."};
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
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
