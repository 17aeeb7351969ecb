/* What a run of `wengert train` leaves: its log, its pictures, its results. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "training.h"

/* ---- Files ------------------------------------------------------------------------------------------------------- */
static bool refused(const char *path, int error)
{
    fprintf(stderr, "wengert train: %s: %s\n", path, strerror(error));
    return false;
}

static bool writable(const char *path)
{
    char folder[4096];
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!path)
        return true;
    int n = slash == path
                ? snprintf(folder, sizeof folder, "/")
                : snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (n >= (int)sizeof folder)
        return refused(path, ENAMETOOLONG);
    return access(folder, W_OK | X_OK) ? refused(path, errno) : true;
}

bool places_writable(const settings *s)
{
    return writable(s->checkpoint) && writable(s->curve) && writable(s->graph) && writable(s->boundary) &&
           writable(s->confusion) && writable(s->log);
}

static void put_cell(FILE *file, double v)
{
    if (isfinite(v))
        fprintf(file, ",%.9g", v);
    else
        fputc(',', file);
}

/* Written anew after each epoch: what is not known is an empty field. */
bool log_write(const run *r)
{
    const char *path = r->s->log;
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!path)
        return true;
    if (!file)
        return refused(path, errno);
    fprintf(file, "epoch,loss,accuracy,valid_loss,valid_accuracy,seconds\n");
    for (int64_t i = 0; i < r->done; i++) {
        const epoch_log *log = &r->log[i];
        const double value[] = {log->loss, log->accuracy, log->valid_loss, log->valid_accuracy, log->seconds};
        fprintf(file, "%lld", (long long)i + 1);
        for (size_t k = 0; k < sizeof value / sizeof *value; k++)
            put_cell(file, value[k]);
        fputc('\n', file);
    }
    bool failed = ferror(file);
    return fclose(file) || failed ? refused(path, errno ? errno : EIO) : true;
}

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */
/* "fashion-mnist · 784-128-64-10 relu" */
static char *title_text(const run *r, char *text, size_t size)
{
    char layers[SETTING_TEXT];
    const char *data = r->s->data ? r->s->data : "two spirals", *end = data + strlen(data), *name;
    while (end > data + 1 && end[-1] == '/')
        end--;
    for (name = end; name > data && name[-1] != '/'; name--)
        ;
    model_text(&r->s->net, layers, sizeof layers);
    for (char *c = layers; *c; c++)
        *c = *c == ',' ? '-' : *c;
    snprintf(text, size, "%.*s \xc2\xb7 %s %s", (int)(end - name), name, layers, r->s->net.activation);
    return text;
}

static bool curve_drawn(run *r, const char *title)
{
    size_t n = (size_t)r->done;
    double *column = malloc(4 * n * sizeof *column + 1);
    if (!column)
        return refused(r->s->curve, ENOMEM);
    for (size_t i = 0; i < n; i++) {
        column[i] = r->log[i].loss;
        column[n + i] = r->log[i].valid_loss;
        column[2 * n + i] = r->log[i].accuracy;
        column[3 * n + i] = r->log[i].valid_accuracy;
    }
    wg_curve curve = {.n = r->done, .train_loss = column, .train_accuracy = column + 2 * n, .title = title};
    if (r->valid) {
        curve.valid_loss = column + n;
        curve.valid_accuracy = column + 3 * n;
    }
    wg_status status = wg_plot_curve(r->tape, &curve, r->s->curve);
    free(column);
    return status == WG_OK;
}

static wg_tensor scores_of(wg_tensor points, void *user) { return model_forward(user, points, 0, 0); }

/* The points it was trained on. */
static bool boundary_drawn(run *r, const char *title)
{
    wg_batch all;
    char note[128];
    const epoch_log *last = &r->log[r->done - 1];
    snprintf(note, sizeof note, "epoch %lld \xc2\xb7 %s accuracy %.1f %%", (long long)r->done,
             r->valid ? "validation" : "training", 100 * (r->valid ? last->valid_accuracy : last->accuracy));
    wg_data_start(r->train, 0);
    bool fine =
        wg_data_next(r->train, wg_data_size(r->train), &all) &&
        wg_plot_boundary(scores_of, &r->s->net, all.x, all.y, r->s->boundary, .title = title, .note = note) == WG_OK;
    wg_rewind(r->tape, r->start);
    return fine;
}

static bool confusion_drawn(run *r, const char *title, const int64_t *counts)
{
    wg_confusion confusion = {.n = r->classes, .counts = counts, .title = title};
    return wg_plot_confusion(r->tape, &confusion, r->s->confusion) == WG_OK;
}

static bool pictures_drawn(run *r, const int64_t *counts)
{
    char title[SETTING_TEXT + 300];
    title_text(r, title, sizeof title);
    if (r->s->graph)
        fprintf(stderr, "wengert train: %s: no step was made, and so there is no graph\n", r->s->graph);
    return (!r->s->curve || curve_drawn(r, title)) && (!r->s->boundary || boundary_drawn(r, title)) &&
           (!r->s->confusion || confusion_drawn(r, title, counts));
}

/* ---- Results ----------------------------------------------------------------------------------------------------- */
static void put_result(const char *name, double loss, double accuracy)
{
    printf("%-5s  loss %.4f", name, loss);
    if (accuracy == accuracy)
        printf("  accuracy %.2f %%", 100 * accuracy);
    putchar('\n');
}

static json_t *number(double v) { return isfinite(v) ? json_real(v) : json_null(); }

static bool put_json(const run *r, double test_loss, double test_accuracy)
{
    const epoch_log *last = &r->log[r->done - 1];
    double seconds = 0;
    for (int64_t i = 0; i < r->done; i++)
        seconds += r->log[i].seconds;
    json_t *all =
        json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "epochs", (json_int_t)r->done, "best_epoch",
                  (json_int_t)r->best, "loss", number(last->loss), "accuracy", number(last->accuracy), "valid_loss",
                  number(last->valid_loss), "valid_accuracy", number(last->valid_accuracy), "test_loss",
                  number(test_loss), "test_accuracy", number(test_accuracy), "seconds", number(seconds));
    bool fine = all && !json_dumpf(all, stdout, JSON_REAL_PRECISION(9));
    json_decref(all);
    putchar('\n');
    return fine;
}

bool results_told(run *r)
{
    double loss, accuracy;
    size_t cells = r->s->confusion ? (size_t)(r->classes * r->classes) : 1;
    int64_t *counts = calloc(cells, sizeof *counts);
    if (!counts)
        return refused(r->s->confusion ? r->s->confusion : "results", ENOMEM);
    measure(r, r->test, &loss, &accuracy, r->s->confusion && r->test ? counts : NULL);
    if (r->s->confusion && !r->test) {
        double unused[2];
        measure(r, r->valid ? r->valid : r->train, &unused[0], &unused[1], counts);
    }
    bool fine = !wg_failed(r->tape) && pictures_drawn(r, counts);
    free(counts);
    if (!fine)
        return false;
    if (r->s->json)
        return put_json(r, loss, accuracy);
    const epoch_log *last = &r->log[r->done - 1];
    put_result("train", last->loss, last->accuracy);
    if (r->valid)
        put_result("valid", last->valid_loss, last->valid_accuracy);
    if (r->test)
        put_result("test", loss, accuracy);
    if (!r->s->data)
        printf("decision boundary: %s\n", r->s->boundary);
    return true;
}
