/* The `wengert` command: it finds the subcommand in a table and hands over to it. */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <wengert.h>

#include "arguments.h"
#include "command.h"
#include "nearest.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *doc;
} commands[] = {
    {"bench", command_bench, "measure this machine"},
    {"call", command_call, "answer requests to call operations, in JSON"},
    {"check", command_check, "derivatives of operations against numerical ones"},
    {"diagnose", command_diagnose, "what is wrong with a training run, and what to try"},
    {"export", command_export, "a trained network as C"},
    {"graph", command_graph, "the graph of a network, as a table or a picture"},
    {"info", command_info, "what this build and this machine have"},
    {"ops", command_ops, "the operations, or one operation's page"},
    {"plot", command_plot, "charts of logs, weights and trained networks"},
    {"predict", command_predict, "the classes a trained network sees in data"},
    {"train", command_train, "train a multilayer perceptron"},
};
#define COMMANDS (sizeof commands / sizeof *commands)

enum { COMPLETED = 64 }; /* words of a line that is completed; of a longer one the last */

/* What was written has arrived, or the exit code says that it has not. A reader that went away needs no message. */
static void output_closed(void)
{
    int failed = ferror(stdout);
    errno = 0;
    if (!fclose(stdout) && !failed)
        return;
    if (errno != EPIPE)
        fprintf(stderr, "wengert: standard output: %s\n", errno ? strerror(errno) : "it could not be written");
    _exit(EXIT_FAILED);
}

static void unknown(const char *name)
{
    const char *near = NULL;
    size_t nearest = SIZE_MAX;
    for (size_t i = 0; i < COMMANDS; i++) {
        size_t distance = name_distance(name, commands[i].name);
        if (distance < nearest) {
            nearest = distance;
            near = commands[i].name;
        }
    }
    fprintf(stderr, "wengert: there is no command \"%s\"", name);
    if (near && is_near(nearest, name))
        fprintf(stderr, "; the nearest is \"%s\"", near);
    fprintf(stderr, "\nTry `wengert --help'.\n");
}

/* The table of commands, where argp puts what follows the options. */
static void put_commands(FILE *file)
{
    fputs("Commands:\n", file);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(file, "  %-10s %s\n", commands[i].name, commands[i].doc);
    fputs("\n`wengert COMMAND --help' tells more.", file);
}

static char *commands_listed(int key, const char *text, void *input)
{
    (void)input;
    return arguments_listed(key, text, put_commands);
}

/* Options end at the command's name; what is behind it is the command's. */
static error_t parse(int key, char *text, struct argp_state *state)
{
    int *first = state->input;
    (void)text;
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    *first = state->next - 1;
    state->next = state->argc;
    return 0;
}

static void command_words(FILE *file, int before)
{
    (void)before;
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(file, "%s\t%s\n", commands[i].name, commands[i].doc);
}

/* Where the command line names one it goes on from there, as if it were a program of its own. */
static int handed_over(int argc, char **argv)
{
    for (size_t i = 0; argc && i < COMMANDS; i++)
        if (!strcmp(argv[0], commands[i].name)) {
            char name[40];
            snprintf(name, sizeof name, "wengert %s", commands[i].name);
            argv[0] = name;
            return commands[i].run(argc, argv);
        }
    return -1;
}

/* "--complete" is behind the command's name for it. */
static int completed(const struct argp *argp, int argc, char **argv)
{
    if (argc < 2) {
        arguments_complete(argp, command_words, argv, argc, stdout);
        return EXIT_FINE;
    }
    char *marked[COMPLETED] = {argv[0], (char *)(uintptr_t) "--complete"};
    int n = argc + 1 < COMPLETED ? argc + 1 : COMPLETED;
    for (int i = 2; i < n; i++)
        marked[i] = argv[argc + 1 - n + i - 1];
    int code = handed_over(n, marked);
    return code < 0 ? EXIT_FINE : code;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {.parser = parse,
                                     .args_doc = "COMMAND [ARGUMENT...]",
                                     .doc = "Reverse-mode automatic differentiation from the command line.\v",
                                     .help_filter = commands_listed};
    int first = 0;
    argp_program_version = "wengert " WENGERT_VERSION;
    argp_err_exit_status = EXIT_USAGE;
    signal(SIGPIPE, SIG_IGN);
    atexit(output_closed);
    if (argc > 1 && !strcmp(argv[1], "--complete"))
        return completed(&argp, argc - 2, argv + 2);
    if (argc == 2 && !strcmp(argv[1], "--man")) {
        arguments_man(&argp, "wengert");
        return EXIT_FINE;
    }
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &first);
    if (!first) {
        argp_help(&argp, stderr, ARGP_HELP_STD_USAGE, (char *)(uintptr_t) "wengert");
        return EXIT_USAGE;
    }
    int code = handed_over(argc - first, argv + first);
    if (code < 0)
        unknown(argv[first]);
    return code < 0 ? EXIT_USAGE : code;
}
