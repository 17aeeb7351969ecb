/* `wengert export`: a trained network as C, for programs and machines without the library. */
#include "arguments.h"
#include "command.h"
#include "model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLAS = 256, BATCH, GRADIENT, NAME, PARAMETERS, WORKSPACE };

typedef struct {
    const char *model, *output, *name;
    long long batch;
    bool blas, gradient, parameters, workspace;
} asked;

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "The .c file; a .h is written beside it", 0},
    {"batch", BATCH, "N", 0, "Samples a call (1)", 0},
    {"blas", BLAS, NULL, 0, "Products of matrices call a CBLAS, which the file then needs", 0},
    {"gradient", GRADIENT, NULL, 0, "The loss of the batch, and its gradient, in place of the scores", 0},
    {"name", NAME, "NAME", 0, "Of the function (the file's)", 0},
    {"parameters", PARAMETERS, NULL, 0, "Weights are arguments, so that training can go on; else they are in the file",
     0},
    {"workspace", WORKSPACE, NULL, 0, "So is the memory it works in", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    asked *a = state->input;
    switch (key) {
    case 'o': a->output = text; return 0;
    case NAME: a->name = text; return 0;
    case GRADIENT: a->gradient = true; return 0;
    case BLAS: a->blas = true; return 0;
    case PARAMETERS: a->parameters = true; return 0;
    case WORKSPACE: a->workspace = true; return 0;
    case BATCH:
        a->batch = arguments_whole(state, "batch", text, 1, 1000000);
        return 0;
    case ARGP_KEY_ARG:
        if (a->model)
            argp_error(state, "what is \"%s\"? The network is \"%s\"", text, a->model);
        a->model = text;
        return 0;
    case ARGP_KEY_END:
        if (!a->model || !a->output)
            argp_error(state, a->model ? "--output is missing" : "there is no network");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* Samples for the file's own test: numbers around a half, as pixels and scaled features are. */
static wg_tensor samples(wg_tape *tape, int64_t n, int64_t features)
{
    float *x = malloc((size_t)(n * features) * sizeof *x);
    for (int64_t i = 0; x && i < n * features; i++)
        x[i] = 0.5F + 0.5F * (float)sin(1.7 * (double)i);
    wg_tensor t = x ? wg_name(wg_array(tape, WG_FLOAT32, WG_SHAPE(n, features), x), "x") : WG_NONE;
    free(x);
    return t;
}

/* A label for each, or numbers to be fitted. */
static wg_tensor targets(wg_tape *tape, int64_t n, int64_t classes)
{
    wg_tensor y = wg_array(tape, classes > 1 ? WG_INT64 : WG_FLOAT32, classes > 1 ? WG_SHAPE(n) : WG_SHAPE(n, 1), NULL);
    for (int64_t i = 0; wg_is_tensor(y) && i < n; i++)
        if (classes > 1)
            ((int64_t *)(uintptr_t)wg_values(y))[i] = i % classes;
    return wg_name(y, classes > 1 ? "label" : "target");
}

static bool written(wg_tape *tape, const asked *a)
{
    model m = {0};
    if (!model_load(tape, a->model, &m))
        return false;
    int64_t classes = m.size[m.n];
    wg_tensor x = samples(tape, a->batch, m.size[0]), scores = wg_name(model_forward(&m, x, 0, 0), "scores");
    wg_function *f;
    if (a->gradient) {
        wg_tensor y = targets(tape, a->batch, classes);
        wg_tensor loss = wg_name(classes > 1 ? wg_cross_entropy(scores, y) : wg_mse_loss(scores, y), "loss");
        f = wg_compile(tape, WG_TENSORS(x, y), WG_TENSORS(loss), .backward = true);
    } else {
        f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(scores));
    }
    return f && !wg_export_c(f, a->output, .name = a->name, .parameters = a->parameters, .workspace = a->workspace,
                             .blas = a->blas);
}

int command_export(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "CHECKPOINT",
        .doc = "Writes a network of `wengert train' as one C99 file that needs nothing but <math.h>, and a CBLAS"
               " where that is asked for.\v"
               "The file tests itself: cc -std=c99 -O2 -DNAME_TEST FILE -lm && ./a.out"};
    asked a = {.batch = 1};
    arguments_read(&argp, argc, argv, &a, NULL);
    wg_tape *tape = wg_tape_new();
    bool fine = tape && written(tape, &a);
    if (!tape || wg_failed(tape))
        fprintf(stderr, "wengert export: %s\n", wg_error(tape));
    wg_tape_free(tape);
    return fine ? EXIT_FINE : EXIT_FAILED;
}
