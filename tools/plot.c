/* `wengert plot`: charts of what is in files: logs, weights, tables, trained networks. */
#include <argp.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "command.h"
#include "nearest.h"
#include "samples.h"
#include "table.h"
#include "training.h"

enum { TITLE = 256, DATA, SIZE, BINS, BATCH = 1000, LISTED = 12 };

typedef struct asked asked;

struct asked {
    bool (*draw)(wg_tape *tape, const asked *a); /* false: an error, on the tape or told already */
    const char *what, *file, *name, *out, *title, *data;
    long long height, width, bins;
};

/* ---- Words ------------------------------------------------------------------------------------------------------- */
static bool refused(const char *path, const char *why)
{
    fprintf(stderr, "wengert plot: %s: %s\n", path, why);
    return false;
}

static bool ends_in(const char *path, const char *extension)
{
    size_t n = strlen(path), m = strlen(extension);
    return n > m && !strcmp(path + n - m, extension);
}

/* The path without folder and extension, for a title. */
static const char *title_of(const asked *a, char *text, size_t size)
{
    const char *slash = strrchr(a->file, '/');
    if (a->title)
        return a->title;
    snprintf(text, size, "%s", slash ? slash + 1 : a->file);
    char *dot = strrchr(text, '.');
    if (dot && dot != text)
        *dot = 0;
    return text;
}

/* ---- curve ------------------------------------------------------------------------------------------------------- */
static bool log_drawn(wg_tape *tape, const asked *a, const char *title)
{
    table t;
    wg_curve curve;
    bool fine = table_read(&t, a->file) && table_curve(&t, a->file, &curve);
    curve.title = title;
    fine = fine && wg_plot_curve(tape, &curve, a->out) == WG_OK;
    table_free(&t);
    return fine;
}

/* What a checkpoint remembers of its epochs. */
static bool history_drawn(wg_tape *tape, const asked *a, const char *title)
{
    wg_weights *weights = wg_weights_open(tape, a->file);
    const char *text = weights ? wg_weights_metadata(weights, "history") : NULL;
    size_t n = text ? strlen(text) / 2 + 1 : 1;
    epoch_log *log = calloc(n, sizeof *log);
    double *value = calloc(4 * n, sizeof *value);
    int64_t epochs = log && text ? checkpoint_history(text, log, (int64_t)n) : 0;
    bool fine = weights && value;
    if (fine && epochs < 1)
        fine = refused(a->file, "it has no history of epochs, as `wengert train --checkpoint' writes it");
    for (int64_t i = 0; fine && i < epochs; i++) {
        const double row[] = {log[i].loss, log[i].valid_loss, log[i].accuracy, log[i].valid_accuracy};
        for (int k = 0; k < 4; k++)
            value[k * epochs + i] = row[k];
    }
    if (fine) {
        wg_curve c = {epochs, value, value + epochs, value + 2 * epochs, value + 3 * epochs, title};
        fine = wg_plot_curve(tape, &c, a->out) == WG_OK;
    }
    free(log);
    free(value);
    return fine;
}

static bool curve_drawn(wg_tape *tape, const asked *a)
{
    char text[256];
    const char *title = title_of(a, text, sizeof text);
    return ends_in(a->file, ".safetensors") ? history_drawn(tape, a, title) : log_drawn(tape, a, title);
}

/* ---- weights, histogram ------------------------------------------------------------------------------------------ */
static void tensors_listed(const wg_weights *weights)
{
    int n = wg_weights_count(weights);
    for (int i = 0; i < n && i < LISTED; i++) {
        char form[128];
        wg_type type = wg_weights_type(weights, i);
        wg_shape shape = wg_type_shape(&type);
        fprintf(stderr, "  %-24s %s\n", wg_weights_name(weights, i), wg_shape_text(&shape, form, sizeof form));
    }
    if (n > LISTED)
        fprintf(stderr, "  and %d more\n", n - LISTED);
}

static wg_tensor weights_read(wg_tape *tape, const asked *a)
{
    wg_weights *weights = wg_weights_open(tape, a->file);
    int n = weights ? wg_weights_count(weights) : 0;
    const char *name = a->name || n != 1 ? a->name : wg_weights_name(weights, 0);
    for (int i = 0; name && i < n; i++)
        if (!strcmp(wg_weights_name(weights, i), name))
            return wg_weights_tensor(weights, name);
    if (!weights)
        return WG_NONE;
    fprintf(stderr, "wengert plot: %s has %s%s; it has\n", a->file, name ? "no " : "several tensors: name one",
            name ? name : "");
    tensors_listed(weights);
    return WG_NONE;
}

static wg_tensor column_read(wg_tape *tape, const asked *a)
{
    table t;
    wg_tensor column = WG_NONE;
    if (table_read(&t, a->file)) {
        const double *value = a->name || t.columns != 1 ? NULL : t.value;
        if (a->name)
            value = table_column(&t, a->name);
        if (value)
            column = wg_array(tape, WG_FLOAT64, WG_SHAPE(t.rows), value);
        else
            fprintf(stderr, "wengert plot: %s has %d columns%s%s\n", a->file, t.columns,
                    a->name ? ", and none is " : ": name one, or count from 1", a->name ? a->name : "");
    }
    table_free(&t);
    return column;
}

/* WG_NONE, and the error on the tape or told, where there is none. */
static wg_tensor tensor_read(wg_tape *tape, const asked *a)
{
    if (ends_in(a->file, ".npy"))
        return wg_load_npy(tape, a->file);
    return ends_in(a->file, ".safetensors") ? weights_read(tape, a) : column_read(tape, a);
}

static const char *tensor_title(const asked *a, char *text, size_t size)
{
    return a->title || !a->name ? title_of(a, text, size) : a->name;
}

static bool weights_drawn(wg_tape *tape, const asked *a)
{
    char text[256];
    wg_tensor t = tensor_read(tape, a);
    return wg_is_tensor(t) && wg_plot_images(t, a->out, .height = a->height, .width = a->width,
                                             .title = tensor_title(a, text, sizeof text)) == WG_OK;
}

static bool histogram_drawn(wg_tape *tape, const asked *a)
{
    char text[256];
    wg_tensor t = tensor_read(tape, a);
    return wg_is_tensor(t) &&
           wg_plot_histogram(t, a->out, .bins = a->bins, .title = tensor_title(a, text, sizeof text)) == WG_OK;
}

/* ---- boundary, confusion ----------------------------------------------------------------------------------------- */
/* The network in the file and the data of --data. */
static wg_data *network_opened(wg_tape *tape, const asked *a, model *m)
{
    if (!a->data) {
        fprintf(stderr, "wengert plot: a %s of a network is over data: name them by --data\n", a->what);
        return NULL;
    }
    wg_data *data = model_load(tape, a->file, m) ? samples_for(tape, a->data, m->size[0]) : NULL;
    if (data && (!wg_data_classes(data) || m->size[m->n] < wg_data_classes(data))) {
        fprintf(stderr, "wengert plot: %s has %lld classes, the network %lld\n", a->data,
                (long long)wg_data_classes(data), (long long)m->size[m->n]);
        return NULL;
    }
    return data;
}

static wg_tensor scores_of(wg_tensor points, void *user) { return model_forward(user, points, 0, 0); }

static bool boundary_drawn(wg_tape *tape, const asked *a)
{
    model m = {0};
    wg_batch all;
    char text[256];
    wg_data *data = network_opened(tape, a, &m);
    if (data && m.size[0] != 2)
        return refused(a->file, "a decision boundary is of networks of two features");
    return data && wg_data_next(data, wg_data_size(data), &all) &&
           wg_plot_boundary(scores_of, &m, all.x, all.y, a->out, .title = title_of(a, text, sizeof text)) == WG_OK;
}

static bool counts_drawn(wg_tape *tape, const asked *a, const int64_t *counts, int64_t n, char *const *names)
{
    char text[256];
    wg_confusion c = {n, counts, (const char *const *)names, title_of(a, text, sizeof text)};
    return wg_plot_confusion(tape, &c, a->out) == WG_OK;
}

/* A square of counts, whose line of names, if there is one, names the classes. */
static bool table_of_counts_drawn(wg_tape *tape, const asked *a)
{
    table t;
    bool fine = table_read(&t, a->file);
    if (fine && t.rows != t.columns)
        fine = refused(a->file, "a confusion matrix is as wide as it is high");
    int64_t n = t.rows, *counts = fine ? calloc((size_t)(n * n), sizeof *counts) : NULL;
    for (int64_t i = 0; counts && fine && i < n * n; i++) {
        double v = t.value[i % n * n + i / n];
        if (!(v >= 0 && v < 1e15 && v == floor(v)))
            fine = refused(a->file, "its entries are counts: 0, 1, ...");
        counts[i] = fine ? (int64_t)v : 0;
    }
    fine = counts && fine && counts_drawn(tape, a, counts, n, t.name);
    free(counts);
    table_free(&t);
    return fine;
}

static bool confusion_drawn(wg_tape *tape, const asked *a)
{
    model m = {0};
    if (!ends_in(a->file, ".safetensors"))
        return table_of_counts_drawn(tape, a);
    wg_data *data = network_opened(tape, a, &m);
    int64_t n = data ? wg_data_classes(data) : 0, *counts = n ? calloc((size_t)(n * n), sizeof *counts) : NULL;
    wg_mark start = wg_tape_mark(tape);
    WG_NO_GRAD(tape)
    for (wg_batch b; counts && wg_data_next(data, BATCH, &b); wg_rewind(tape, start))
        model_count(model_forward(&m, b.x, 0, 0), b.y, n, counts);
    bool fine = counts && !wg_failed(tape) && counts_drawn(tape, a, counts, n, NULL);
    free(counts);
    return fine;
}

/* ---- The command ------------------------------------------------------------------------------------------------- */
static const struct {
    const char *name, *takes, *doc;
    bool (*draw)(wg_tape *tape, const asked *a);
} charts[] = {
    {"curve", "LOG", "the learning curve of a .csv log or of a checkpoint", curve_drawn},
    {"weights", "FILE [NAME]", "a tensor of .safetensors or .npy as images", weights_drawn},
    {"histogram", "FILE [NAME]", "of a tensor, or of a column of a .csv", histogram_drawn},
    {"boundary", "CHECKPOINT", "a network of two features over --data", boundary_drawn},
    {"confusion", "FILE", "of a network over --data, or of a .csv of counts", confusion_drawn},
};
#define CHARTS (int)(sizeof charts / sizeof *charts)

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "The picture, .svg; of weights .png too", 0},
    {"title", TITLE, "TEXT", 0, "Instead of the file's or the tensor's name", 0},
    {"data", DATA, "PATH", 0,
     "Of boundary and confusion: a .csv whose last column is the class, or a folder of MNIST files", 0},
    {"size", SIZE, "HEIGHTxWIDTH", 0, "Of the images that weights are; 28x28 of 784 is seen without", 0},
    {"bins", BINS, "N", 0, "Of a histogram, at most 120", 0},
    {0}};

static void chart_chosen(struct argp_state *state, asked *a, const char *name)
{
    char list[80] = "";
    for (int i = 0; i < CHARTS; i++) {
        if (!strcmp(name, charts[i].name))
            a->draw = charts[i].draw;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", charts[i].name);
    }
    a->what = name;
    if (!a->draw)
        argp_error(state, "\"%s\" is none of %s", name, list);
}

static void size_set(struct argp_state *state, asked *a, const char *text)
{
    int n = 0;
    if (sscanf(text, "%lldx%lld%n", &a->height, &a->width, &n) != 2 || text[n] || a->height < 1 || a->width < 1)
        argp_error(state, "--size is like 28x28, not \"%s\"", text);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    asked *a = state->input;
    switch (key) {
    case 'o':
        a->out = text;
        return 0;
    case TITLE:
        a->title = text;
        return 0;
    case DATA:
        a->data = text;
        return 0;
    case SIZE:
        size_set(state, a, text);
        return 0;
    case BINS:
        a->bins = arguments_whole(state, "bins", text, 1, 120);
        return 0;
    case ARGP_KEY_ARG:
        if (!a->what)
            chart_chosen(state, a, text);
        else if (!a->file)
            a->file = text;
        else if (!a->name && (a->draw == weights_drawn || a->draw == histogram_drawn))
            a->name = text;
        else
            argp_error(state, "what is \"%s\"?", text);
        return 0;
    case ARGP_KEY_END:
        if (!a->what)
            argp_error(state, "which chart?");
        else if (!a->file || !a->out)
            argp_error(state, a->file ? "name the picture by --output" : "%s of which file?", a->what);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void chart_words(FILE *file, int before)
{
    for (int i = 0; !before && i < CHARTS; i++)
        fprintf(file, "%s\t%s\n", charts[i].name, charts[i].doc);
    if (before)
        fputs(":files\n", file);
}

static void put_charts(FILE *file)
{
    fputs("Charts:\n", file);
    for (int i = 0; i < CHARTS; i++)
        fprintf(file, "  %-9s %-11s  %s\n", charts[i].name, charts[i].takes, charts[i].doc);
}

static char *charts_listed(int key, const char *text, void *input)
{
    (void)input;
    return arguments_listed(key, text, put_charts);
}

int command_plot(int argc, char **argv)
{
    static const struct argp argp = {.options = options,
                                     .parser = parse,
                                     .args_doc = "CHART FILE [NAME]",
                                     .doc =
                                         "Draws a chart of what is in a file, as SVG that follows the reader's light "
                                         "or dark theme.\v",
                                     .help_filter = charts_listed};
    asked a = {0};
    arguments_read(&argp, argc, argv, &a, chart_words);
    wg_tape *tape = wg_tape_new();
    bool fine = tape && a.draw(tape, &a);
    if (!tape || wg_failed(tape))
        fprintf(stderr, "wengert plot: %s\n", wg_error(tape));
    wg_tape_free(tape);
    return fine ? EXIT_FINE : EXIT_FAILED;
}
