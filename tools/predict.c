/* `wengert predict`: what a trained network says of data, as CSV, a line a sample. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "command.h"
#include "samples.h"

enum { MODEL = 256, DATA, PROBABILITIES, BATCH = 1000 };

typedef struct {
    const char *model, *data;
    bool probabilities;
} asked;

static const struct argp_option options[] = {{"model", MODEL, "FILE", 0, "A checkpoint of `wengert train'", 0},
                                             {"data", DATA, "PATH", 0,
                                              "A .csv of features, with or without a last column of labels; a folder "
                                              "of MNIST files, of which the test set is taken; "
                                              "or one file of images, .gz or not",
                                              0},
                                             {"proba", PROBABILITIES, NULL, 0, "Each class's probability too", 0},
                                             {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    asked *a = state->input;
    switch (key) {
    case MODEL:
        a->model = text;
        return 0;
    case DATA:
        a->data = text;
        return 0;
    case PROBABILITIES:
        a->probabilities = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "what is \"%s\"? The network is named by --model, the data by --data", text);
        return 0;
    case ARGP_KEY_END:
        if (!a->model || !a->data)
            argp_error(state, "--%s is missing", a->model ? "data" : "model");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- Predictions ------------------------------------------------------------------------------------------------- */
static void print_heading(int64_t classes, bool probabilities)
{
    printf(classes > 1 ? "class" : "value");
    for (int64_t k = 0; probabilities && k < classes; k++)
        printf(",p%lld", (long long)k);
    putchar('\n');
}

static void print_batch(wg_tensor scores, wg_tensor classes, wg_tensor p)
{
    int64_t n = wg_type_of(scores).dim[0], width = wg_type_of(scores).dim[1];
    for (int64_t i = 0; i < n; i++) {
        if (width > 1)
            printf("%.0f", wg_element(classes, i));
        else
            printf("%.9g", wg_element(scores, i));
        for (int64_t k = 0; !wg_is_none(p) && k < width; k++)
            printf(",%.6g", wg_element(p, i * width + k));
        putchar('\n');
    }
}

static void predicted(wg_tape *tape, const model *m, wg_data *data, bool probabilities)
{
    double right = 0;
    int64_t labelled = 0, classes = m->size[m->n];
    wg_mark start = wg_tape_mark(tape);
    print_heading(classes, probabilities);
    WG_NO_GRAD(tape)
    for (wg_batch b; wg_data_next(data, BATCH, &b); wg_rewind(tape, start)) {
        wg_tensor scores = model_forward(m, b.x, 0, 0), guess = wg_argmax(scores, .axis = 1);
        print_batch(scores, guess, probabilities && classes > 1 ? wg_softmax(scores) : WG_NONE);
        if (classes < 2 || wg_is_none(b.y) || wg_type_of(b.y).dtype != WG_INT64)
            continue;
        right += wg_item(wg_count_nonzero(wg_equal(guess, b.y)));
        labelled += b.n;
    }
    if (labelled && !wg_failed(tape))
        fprintf(stderr, "accuracy %.2f %% of %lld\n", 100 * right / (double)labelled, (long long)labelled);
}

static bool answered(wg_tape *tape, const asked *a)
{
    model m = {0};
    wg_data *data = model_load(tape, a->model, &m) ? samples_for(tape, a->data, m.size[0]) : NULL;
    if (data)
        predicted(tape, &m, data, a->probabilities);
    return !wg_failed(tape);
}

int command_predict(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Prints the class of each sample, or the number fitted; where the data have classes, "
               "the accuracy goes to standard error."};
    asked a = {0};
    arguments_read(&argp, argc, argv, &a, NULL);
    wg_tape *tape = wg_tape_new();
    bool fine = tape && answered(tape, &a);
    if (!tape || wg_failed(tape))
        fprintf(stderr, "wengert predict: %s\n", wg_error(tape));
    wg_tape_free(tape);
    return fine ? EXIT_FINE : EXIT_FAILED;
}
