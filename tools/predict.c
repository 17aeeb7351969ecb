/* `wengert predict`: the classes that a trained network sees in data, one line a sample. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "model.h"

enum { MODEL = 256, DATA, PROBABILITIES, LABELS };

typedef struct {
    const char *model, *data;
    bool probabilities, unlabelled;
} settings;

static const struct argp_option options[] = {
    {"model", MODEL, "FILE", 0, "A checkpoint of `wengert train`", 0},
    {"data", DATA, "PATH", 0, "A .csv whose last column is the class, or a folder of MNIST files, of which the test set is taken", 0},
    {"unlabelled", LABELS, NULL, 0, "The .csv has features only", 0},
    {"probabilities", PROBABILITIES, NULL, 0, "Print each class's probability too", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    settings *s = state->input;
    switch (key) {
    case MODEL: s->model = text; return 0;
    case DATA: s->data = text; return 0;
    case PROBABILITIES: s->probabilities = true; return 0;
    case LABELS: s->unlabelled = true; return 0;
    case ARGP_KEY_ARG: argp_error(state, "what is %s? The model is named by --model, the data by --data", text); return 0;
    case ARGP_KEY_END:
        if (!s->model || !s->data)
            argp_error(state, "--%s is missing", s->model ? "data" : "model");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static wg_data *data_opened(wg_tape *tape, const settings *s)
{
    struct stat about;
    if (stat(s->data, &about) || !S_ISDIR(about.st_mode))
        return wg_data_csv(tape, s->data, .label = s->unlabelled ? WG_NO_AXIS : -1, .shuffle = false);
    char path[2][4096];
    snprintf(path[0], sizeof path[0], "%s/t10k-images-idx3-ubyte.gz", s->data);
    snprintf(path[1], sizeof path[1], "%s/t10k-labels-idx1-ubyte.gz", s->data);
    return wg_data_idx(tape, path[0], path[1], .shuffle = false);
}

static void print_batch(wg_tensor classes, wg_tensor p, bool probabilities)
{
    int64_t n = wg_size(classes), width = n ? wg_size(p) / n : 0;
    for (int64_t i = 0; i < n; i++) {
        printf("%.0f", wg_element(classes, i));
        for (int64_t k = 0; probabilities && k < width; k++)
            printf(",%.6g", wg_element(p, i * width + k));
        printf("\n");
    }
}

static bool predicted(wg_tape *tape, const settings *s, const model *m, wg_data *data)
{
    double right = 0;
    bool labelled = false;
    wg_mark start = wg_tape_mark(tape);
    wg_shape shape = wg_data_shape(data);
    if (data && (shape.rank != 1 || shape.dim[0] != m->size[0])) {
        fprintf(stderr, "wengert predict: the network takes %lld features; the data have %lld\n", (long long)m->size[0],
                (long long)(shape.rank ? shape.dim[0] : 1));
        return false;
    }
    WG_NO_GRAD(tape)
    for (wg_batch b; wg_data_next(data, 1000, &b); wg_rewind(tape, start)) {
        wg_tensor scores = model_forward(m, b.x, 0, 0), classes = wg_argmax(scores, .axis = 1);
        print_batch(classes, wg_softmax(scores), s->probabilities);
        labelled = !wg_is_none(b.y) && wg_type_of(b.y).dtype == WG_INT64;
        right += labelled ? wg_item(wg_count_nonzero(wg_equal(classes, b.y))) : 0;
    }
    if (labelled)
        fprintf(stderr, "accuracy %.2f %% of %lld\n", 100 * right / (double)wg_data_size(data), (long long)wg_data_size(data));
    return !wg_failed(tape);
}

int command_predict(int argc, char **argv)
{
    static const struct argp argp = {.options = options, .parser = parse,
                                     .doc = "Prints the class of each sample; the accuracy, where the data have labels, goes "
                                            "to standard error."};
    settings s = {0};
    model m = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &s);
    wg_tape *tape = wg_tape_new();
    bool fine = tape && model_open(tape, s.model, &m);
    if (fine) {
        model_make(tape, &m);
        fine = wg_load(s.model, m.param, 2 * m.n, .strict = false) == WG_OK;
    }
    wg_data *data = fine ? data_opened(tape, &s) : NULL;
    fine = data && predicted(tape, &s, &m, data);
    if (wg_failed(tape))
        fprintf(stderr, "wengert predict: %s\n", wg_error(tape));
    wg_tape_free(tape);
    return fine ? EXIT_FINE : EXIT_FAILED;
}
