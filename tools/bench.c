/* `wengert bench`: measures this machine. One JSON object a line on standard output, all else on standard error. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "arguments.h"
#include "command.h"

double bench_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double bench_number(uint64_t i, uint64_t k, double scale)
{
    uint32_t h = (uint32_t)(i * UINT64_C(2654435761) + k * UINT64_C(2654435769));
    return (2 * (double)h / 4294967296.0 - 1) * scale;
}

static const struct {
    const char *name;
    int (*run)(const bench_options *o);
} benches[] = {{"gradbench", bench_gradbench}, {"mlp", bench_mlp}, {"ops", bench_ops}, {"tape", bench_tape}};
#define N_BENCHES (sizeof benches / sizeof *benches)

enum { LAYERS = 256, OPTIMIZER, EPOCHS, DATA, SAMPLES, LR, ROWS, BUDGET, MAX_NODES, JSON, EAGER, COMPILED };

static const struct argp_option options[] = {
    {"threads", 't', "N", 0, "Threads (default 1)", 0},
    {"json", JSON, NULL, 0, "JSON lines, which is the only form there is", 0},
    {"eager", EAGER, NULL, 0, "Record every step", 0},
    {"compiled", COMPILED, NULL, 0, "Run functions compiled before the clock starts (the default; tape: both)", 0},
    {NULL, 0, NULL, 0, "mlp: a network's training loop on Fashion-MNIST", 1},
    {"layers", LAYERS, "A,B,...", 0, "Sizes of the layers (784,128,64,10)", 1},
    {"batch", 'b', "N", 0, "Samples a step (64)", 1},
    {"optimizer", OPTIMIZER, "NAME", 0, "adam or sgd (adam)", 1},
    {"epochs", EPOCHS, "N", 0, "Passes over the data (3)", 1},
    {"data", DATA, "DIR", 0, "Folder of the four IDX files (/usr/share/datasets/fashion-mnist)", 1},
    {"samples", SAMPLES, "N", 0, "Train on the first N images only", 1},
    {"lr", LR, "F", 0, "Learning rate (1e-3 adam, 0.1 sgd)", 1},
    {"seed", 's', "N", 0, "Of weights and order (0)", 1},
    {NULL, 0, NULL, 0, "ops: single operations", 2},
    {"rows", ROWS, "PREFIX,...", 0, "Only rows that begin so", 2},
    {"budget", BUDGET, "SECONDS", 0, "Time for each row (gradbench 0.2, ops 0.12, tape 1.5)", 2},
    {NULL, 0, NULL, 0, "tape: many scalar operations", 3},
    {"max-nodes", MAX_NODES, "N", 0, "The longest tape (1e7)", 3},
    {0}};

typedef struct {
    bench_options o;
    size_t bench;
} request;

static double positive(struct argp_state *state, const char *option, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value > 0))
        argp_error(state, "--%s takes a number above 0, not %s", option, text);
    return value;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    request *r = state->input;
    switch (key) {
    case 't':
        r->o.threads = (int)positive(state, "threads", text);
        return 0;
    case LAYERS:
        r->o.layers = text;
        return 0;
    case 'b':
        r->o.batch = (int64_t)positive(state, "batch", text);
        return 0;
    case OPTIMIZER:
        r->o.optimizer = text;
        if (strcmp(text, "adam") && strcmp(text, "sgd"))
            argp_error(state, "--optimizer is adam or sgd, not %s", text);
        return 0;
    case EPOCHS:
        r->o.epochs = (int64_t)positive(state, "epochs", text);
        return 0;
    case DATA:
        r->o.data = text;
        return 0;
    case SAMPLES:
        r->o.samples = (int64_t)positive(state, "samples", text);
        return 0;
    case LR:
        r->o.lr = positive(state, "lr", text);
        return 0;
    case 's':
        r->o.seed = (uint64_t)arguments_whole(state, "seed", text, 0, INT64_MAX);
        return 0;
    case ROWS:
        r->o.rows = text;
        return 0;
    case BUDGET:
        r->o.budget = positive(state, "budget", text);
        return 0;
    case MAX_NODES:
        r->o.max_nodes = positive(state, "max-nodes", text);
        return 0;
    case JSON:
        return 0;
    case EAGER:
        r->o.eager = true;
        return 0;
    case COMPILED:
        r->o.compiled = true;
        return 0;
    case ARGP_KEY_ARG:
        for (r->bench = 0; r->bench < N_BENCHES && strcmp(text, benches[r->bench].name); r->bench++)
            ;
        if (r->bench == N_BENCHES || state->arg_num)
            argp_error(state, "one of gradbench, mlp, ops, tape, not %s", text);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which: gradbench, mlp, ops or tape?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_bench(int argc, char **argv)
{
    static const struct argp argp = {
        options, parse, "gradbench|mlp|ops|tape", "Measures this machine, a JSON object a line.", NULL, NULL, NULL};
    request r = {.o = {.layers = "784,128,64,10", .optimizer = "adam", .data = "/usr/share/datasets/fashion-mnist",
                       .batch = 64, .epochs = 3, .max_nodes = 1e7, .threads = 1}};
    arguments_read(&argp, argc, argv, &r, NULL);
    return benches[r.bench].run(&r.o);
}
