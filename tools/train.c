/* `wengert train`: a multilayer perceptron on images, on a table, or, without data, on two spirals. */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "model.h"

enum {
    LAYERS = 256, ACTIVATION, DATA, OPTIMIZER, LR, MOMENTUM, DECAY, SCHEDULE, BATCH, EPOCHS, SEED, THREADS, VALIDATION, PATIENCE,
    CLIP, DROPOUT, CHECKPOINT, RESUME, CURVE, GRAPH, BOUNDARY, LOG
};

typedef struct {
    model net;
    bool layers_given, adaptive_lr;
    const char *data, *optimizer, *schedule, *checkpoint, *curve, *graph, *boundary, *log;
    bool resume;
    double lr, momentum, decay, validation, clip, dropout;
    int64_t batch, epochs, patience, seed;
    int threads;
} settings;

/* What is known of an epoch; NAN where there is nothing. */
typedef struct {
    double loss, accuracy, valid_loss, valid_accuracy, seconds;
} epoch_log;

typedef struct {
    settings *s;
    wg_tape *tape;
    wg_data *train, *valid, *test;
    wg_optimizer *optimizer;
    wg_mark start;
    epoch_log *log;
    int64_t done; /* epochs */
    double best;
    int64_t best_epoch;
} run;

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "The network", 1},
    {"layers", LAYERS, "A,B,...", 0, "Sizes; the first and last must fit the data (default: 128,64 between them)", 1},
    {"activation", ACTIVATION, "NAME", 0, "relu, tanh, sigmoid or silu (relu)", 1},
    {"dropout", DROPOUT, "P", 0, "Of hidden units (0)", 1},
    {NULL, 0, NULL, 0, "The data", 2},
    {"data", DATA, "PATH", 0, "A folder of the four (Fashion-)MNIST files, or a .csv whose last column is the class; "
                              "without it two spirals are made from the seed", 2},
    {"validation", VALIDATION, "F", 0, "Part of the samples held out (0.1; 0: none)", 2},
    {"batch", BATCH, "N", 0, "Samples a step (64)", 2},
    {NULL, 0, NULL, 0, "The training", 3},
    {"optimizer", OPTIMIZER, "NAME", 0, "adam, adamw, sgd or rmsprop (adam)", 3},
    {"lr", LR, "F", 0, "Learning rate (1e-3; sgd: 0.1; spirals: 5e-3)", 3},
    {"momentum", MOMENTUM, "F", 0, "Of sgd and rmsprop (0)", 3},
    {"weight-decay", DECAY, "F", 0, "(0)", 3},
    {"schedule", SCHEDULE, "NAME", 0, "constant, cosine or linear (constant)", 3},
    {"clip", CLIP, "NORM", 0, "Scale the gradient down to this norm", 3},
    {"epochs", EPOCHS, "N", 0, "Passes over the data (5; spirals: 40)", 3},
    {"patience", PATIENCE, "N", 0, "Stop after N epochs without a better validation loss", 3},
    {"seed", SEED, "N", 0, "Of weights, order and spirals (0)", 3},
    {"threads", THREADS, "N", 0, "The same bits with any number (1)", 3},
    {NULL, 0, NULL, 0, "What is written", 4},
    {"checkpoint", CHECKPOINT, "FILE", 0, "Weights and optimiser after each epoch, .safetensors", 4},
    {"resume", RESUME, NULL, 0, "Go on from the checkpoint", 4},
    {"curve", CURVE, "FILE", 0, "Learning curve, .svg", 4},
    {"graph", GRAPH, "FILE", 0, "The graph of a step: .svg, .png, .dot, .txt", 4},
    {"boundary", BOUNDARY, "FILE", 0, "Decision boundary of two-dimensional data, .svg (spirals: spirals.svg)", 4},
    {"log", LOG, "FILE", 0, "A line an epoch, .csv", 4},
    {0}};

/* ---- Settings ---------------------------------------------------------------------------------------------------- */
static double real(struct argp_state *state, const char *option, const char *text, double low, double high)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= low && value <= high))
        argp_error(state, "--%s takes a number from %g to %g, not %s", option, low, high, text);
    return value;
}

static int64_t whole(struct argp_state *state, const char *option, const char *text, int64_t low)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < low)
        argp_error(state, "--%s takes a whole number from %lld up, not %s", option, (long long)low, text);
    return value;
}

static const char *one_of(struct argp_state *state, const char *option, const char *text, const char *words)
{
    size_t n = strlen(text);
    for (const char *at = words; n && (at = strstr(at, text)); at += n)
        if ((at == words || at[-1] == ' ') && (!at[n] || at[n] == ' '))
            return text;
    argp_error(state, "--%s is one of %s, not %s", option, words, text);
    return text;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    settings *s = state->input;
    switch (key) {
    case LAYERS:
        s->layers_given = true;
        if (!model_sizes(text, &s->net))
            argp_error(state, "--layers takes two or more sizes, as in 784,128,10, not %s", text);
        return 0;
    case ACTIVATION:
        if (!model_activation_known(text))
            argp_error(state, "--activation is one of relu tanh sigmoid silu, not %s", text);
        snprintf(s->net.activation, sizeof s->net.activation, "%s", text);
        return 0;
    case DATA: s->data = text; return 0;
    case OPTIMIZER: s->optimizer = one_of(state, "optimizer", text, "adam adamw sgd rmsprop"); return 0;
    case SCHEDULE: s->schedule = one_of(state, "schedule", text, "constant cosine linear"); return 0;
    case LR: s->lr = real(state, "lr", text, 0, 1e6); return 0;
    case MOMENTUM: s->momentum = real(state, "momentum", text, 0, 0.9999); return 0;
    case DECAY: s->decay = real(state, "weight-decay", text, 0, 1e6); return 0;
    case VALIDATION: s->validation = real(state, "validation", text, 0, 0.9); return 0;
    case CLIP: s->clip = real(state, "clip", text, 1e-12, 1e12); return 0;
    case DROPOUT: s->dropout = real(state, "dropout", text, 0, 0.99); return 0;
    case BATCH: s->batch = whole(state, "batch", text, 1); return 0;
    case EPOCHS: s->epochs = whole(state, "epochs", text, 1); return 0;
    case PATIENCE: s->patience = whole(state, "patience", text, 1); return 0;
    case SEED: s->seed = whole(state, "seed", text, 0); return 0;
    case THREADS: s->threads = (int)whole(state, "threads", text, 1); return 0;
    case CHECKPOINT: s->checkpoint = text; return 0;
    case RESUME: s->resume = true; return 0;
    case CURVE: s->curve = text; return 0;
    case GRAPH: s->graph = text; return 0;
    case BOUNDARY: s->boundary = text; return 0;
    case LOG: s->log = text; return 0;
    case ARGP_KEY_ARG: argp_error(state, "what is %s? Data are named by --data", text); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- Data -------------------------------------------------------------------------------------------------------- */
static wg_data *images(run *r, const char *part)
{
    char path[2][4096];
    snprintf(path[0], sizeof path[0], "%s/%s-images-idx3-ubyte.gz", r->s->data, part);
    snprintf(path[1], sizeof path[1], "%s/%s-labels-idx1-ubyte.gz", r->s->data, part);
    for (int i = 0; i < 2; i++) /* unpacked ones have no .gz */
        if (access(path[i], F_OK))
            path[i][strlen(path[i]) - 3] = 0;
    return wg_data_idx(r->tape, path[0], path[1]);
}

static bool is_folder(const char *path)
{
    struct stat about;
    return !stat(path, &about) && S_ISDIR(about.st_mode);
}

static bool data_opened(run *r)
{
    settings *s = r->s;
    if (!s->data) {
        r->train = wg_data_spirals(r->tape, 1000);
    } else if (is_folder(s->data)) {
        r->train = images(r, "train");
        r->test = images(r, "t10k");
    } else {
        r->train = wg_data_csv(r->tape, s->data);
    }
    if (r->train && s->validation > 0)
        wg_data_split(r->train, s->validation, &r->valid);
    return !wg_failed(r->tape);
}

/* The sizes that the data ask for: checked, or filled in. */
static bool sizes_fit(run *r)
{
    model *net = &r->s->net;
    wg_shape shape = wg_data_shape(r->train);
    int64_t in = shape.rank ? shape.dim[0] : 1, out = wg_data_classes(r->train);
    if (out < 2) {
        fprintf(stderr, "wengert train: the labels are not classes 0, 1, ...\n");
        return false;
    }
    if (!r->s->layers_given) {
        net->n = 3;
        memcpy(net->size, (int64_t[]){in, in < 64 ? 32 : 128, in < 64 ? 32 : 64, out}, 4 * sizeof *net->size);
    }
    if (net->size[0] == in && net->size[net->n] >= out)
        return true;
    fprintf(stderr, "wengert train: the layers go from %lld to %lld; the data have %lld features and %lld classes\n",
            (long long)net->size[0], (long long)net->size[net->n], (long long)in, (long long)out);
    return false;
}

/* ---- One epoch --------------------------------------------------------------------------------------------------- */
static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* How many rows of the scores have their largest entry at the label. */
static double right_in(wg_tensor scores, wg_tensor labels)
{
    return wg_item(wg_count_nonzero(wg_equal(wg_argmax(scores, .axis = 1), labels)));
}

/* Mean loss and accuracy without training. */
static void measure(run *r, wg_data *data, double *loss, double *accuracy)
{
    double total = 0, right = 0;
    wg_mark start = wg_tape_mark(r->tape);
    WG_NO_GRAD(r->tape)
    for (wg_batch b; wg_data_next(data, 1000, &b); wg_rewind(r->tape, start)) {
        wg_tensor scores = model_forward(&r->s->net, b.x, 0, 0);
        total += wg_item(wg_cross_entropy(scores, b.y)) * (double)b.n;
        right += right_in(scores, b.y);
    }
    double n = (double)wg_data_size(data);
    *loss = data ? total / n : (double)NAN;
    *accuracy = data ? right / n : (double)NAN;
}

static void rate_set(run *r, int64_t step)
{
    const settings *s = r->s;
    int64_t steps = s->epochs * wg_data_batches(r->train, s->batch);
    double factor = !strcmp(s->schedule, "cosine")   ? wg_schedule_cosine(step, steps, 0)
                    : !strcmp(s->schedule, "linear") ? wg_schedule_linear(step, steps, 0)
                                                     : 1;
    wg_set_lr(r->optimizer, s->lr * factor);
}

static void progress(const run *r, int64_t done, double since, double loss)
{
    static const char *const bar = "##############################";
    double part = (double)done / (double)wg_data_size(r->train), spent = seconds() - since;
    fprintf(stderr, "\repoch %lld/%lld [%-30.*s] %3.0f %%  loss %.4f  %.0f/s  ETA %.0f s ", (long long)r->done + 1,
            (long long)r->s->epochs, (int)(30 * part), bar, 100 * part, loss, (double)done / spent,
            spent / part - spent + spent / part * (double)(r->s->epochs - r->done - 1));
}

static bool epoch(run *r)
{
    settings *s = r->s;
    epoch_log *log = &r->log[r->done];
    bool live = isatty(STDERR_FILENO);
    double since = seconds(), shown = since, total = 0, right = 0;
    int64_t done = 0;
    for (wg_batch b; !interrupted && wg_data_next(r->train, s->batch, &b); wg_rewind(r->tape, r->start)) {
        wg_tensor scores = model_forward(&s->net, b.x, s->dropout, s->seed * 1000003 + wg_steps(r->optimizer)), loss = wg_cross_entropy(scores, b.y);
        double value = wg_item(loss);
        if (!isfinite(value) && !wg_failed(r->tape)) {
            fprintf(stderr, "%swengert train: the loss is %s in epoch %lld; a smaller --lr or --clip may help\n", live ? "\n" : "",
                    value != value ? "NaN" : "infinite", (long long)r->done + 1);
            return false;
        }
        wg_backward(loss);
        if (s->graph && !wg_steps(r->optimizer) && wg_draw(loss, s->graph))
            return false;
        if (s->clip > 0)
            wg_clip_grad_norm(s->net.param, 2 * s->net.n, s->clip);
        rate_set(r, wg_steps(r->optimizer));
        wg_step(r->optimizer);
        total += value * (double)b.n;
        right += right_in(scores, b.y);
        done += b.n;
        if (live && seconds() - shown > 0.1) {
            shown = seconds();
            progress(r, done, since, total / (double)done);
        }
    }
    if (wg_failed(r->tape) || interrupted)
        return false;
    log->loss = total / (double)done;
    log->accuracy = right / (double)done;
    log->seconds = seconds() - since;
    measure(r, r->valid, &log->valid_loss, &log->valid_accuracy);
    fprintf(stderr, live ? "\r\033[K" : "");
    fprintf(stderr, "epoch %lld/%lld  loss %.4f  accuracy %.2f %%", (long long)r->done + 1, (long long)s->epochs, log->loss,
            100 * log->accuracy);
    if (r->valid)
        fprintf(stderr, "  valid %.4f  accuracy %.2f %%", log->valid_loss, 100 * log->valid_accuracy);
    fprintf(stderr, "  %.0f samples/s  %.1f s\n", (double)done / log->seconds, log->seconds);
    r->done++;
    return !wg_failed(r->tape);
}

/* ---- Checkpoints ------------------------------------------------------------------------------------------------- */
/* Weights, optimiser, and what is known of the epochs so far. */
static int checkpoint_tensors(run *r, wg_tensor *all, int most)
{
    int n = 2 * r->s->net.n;
    memcpy(all, r->s->net.param, (size_t)n * sizeof *all);
    return n + wg_optimizer_state(r->optimizer, all + n, most - n);
}

static bool checkpoint_save(run *r)
{
    if (!r->s->checkpoint)
        return true;
    wg_tensor all[8 * MODEL_LAYERS + 8];
    char layers[512], epochs[32], *history = NULL;
    size_t size = 0;
    int n = checkpoint_tensors(r, all, 8 * MODEL_LAYERS + 7);
    FILE *file = open_memstream(&history, &size);
    for (int64_t i = 0; file && i < r->done; i++)
        fprintf(file, "%a %a %a %a\n", r->log[i].loss, r->log[i].accuracy, r->log[i].valid_loss, r->log[i].valid_accuracy);
    if (!file || fclose(file)) {
        fprintf(stderr, "wengert train: no memory for the checkpoint\n");
        return false;
    }
    snprintf(epochs, sizeof epochs, "%lld", (long long)r->done);
    const char *const about[] = {"format", "wengert", "layers", model_text(&r->s->net, layers, sizeof layers), "activation",
                                 r->s->net.activation, "optimizer", r->s->optimizer, "epochs", epochs, "history", history, NULL};
    wg_status status = wg_save(r->s->checkpoint, all, n, .metadata = about);
    free(history);
    return status == WG_OK;
}

static bool history_read(run *r, const char *text)
{
    for (char *end; text && *text && r->done < r->s->epochs; text = end + strspn(end, "\n")) {
        epoch_log *log = &r->log[r->done];
        double *value[] = {&log->loss, &log->accuracy, &log->valid_loss, &log->valid_accuracy};
        end = (char *)(uintptr_t)text;
        for (int i = 0; i < 4; i++) {
            const char *at = end;
            *value[i] = strtod(at, &end);
            if (end == at)
                return false;
        }
        r->done++;
    }
    return true;
}

static bool checkpoint_load(run *r)
{
    wg_tensor all[8 * MODEL_LAYERS + 8];
    int n = checkpoint_tensors(r, all, 8 * MODEL_LAYERS + 7);
    wg_weights *weights = wg_weights_open(r->tape, r->s->checkpoint);
    if (!weights || wg_load(r->s->checkpoint, all, n))
        return false;
    if (!history_read(r, wg_weights_metadata(weights, "history"))) {
        fprintf(stderr, "wengert train: %s: its history cannot be read\n", r->s->checkpoint);
        return false;
    }
    wg_data_start(r->train, r->done); /* the order of the epoch to come */
    fprintf(stderr, "resumed after epoch %lld\n", (long long)r->done);
    return true;
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */
static bool optimizer_made(run *r)
{
    const settings *s = r->s;
    const wg_tensor *p = s->net.param;
    int n = 2 * s->net.n;
    r->optimizer = !strcmp(s->optimizer, "sgd") ? wg_sgd(p, n, .lr = s->lr, .momentum = s->momentum, .weight_decay = s->decay)
                   : !strcmp(s->optimizer, "adamw") ? wg_adamw(p, n, .lr = s->lr, .weight_decay = s->decay)
                   : !strcmp(s->optimizer, "rmsprop")
                       ? wg_rmsprop(p, n, .lr = s->lr, .momentum = s->momentum, .weight_decay = s->decay)
                       : wg_adam(p, n, .lr = s->lr, .weight_decay = s->decay);
    return r->optimizer != NULL;
}

static bool log_write(const run *r)
{
    FILE *file = r->s->log ? fopen(r->s->log, "w") : NULL;
    if (!r->s->log)
        return true;
    if (!file) {
        fprintf(stderr, "wengert train: %s: %s\n", r->s->log, strerror(errno));
        return false;
    }
    fprintf(file, "epoch,loss,accuracy,valid_loss,valid_accuracy,seconds\n");
    for (int64_t i = 0; i < r->done; i++)
        fprintf(file, "%lld,%.9g,%.9g,%.9g,%.9g,%.3f\n", (long long)i + 1, r->log[i].loss, r->log[i].accuracy,
                r->log[i].valid_loss, r->log[i].valid_accuracy, r->log[i].seconds);
    bool failed = ferror(file);
    if (!fclose(file) && !failed)
        return true;
    fprintf(stderr, "wengert train: %s could not be written\n", r->s->log);
    return false;
}

static bool epochs_run(run *r)
{
    while (r->done < r->s->epochs) {
        if (!epoch(r))
            return false;
        double now = r->valid ? r->log[r->done - 1].valid_loss : r->log[r->done - 1].loss;
        if (r->done == 1 || now < r->best) {
            r->best = now;
            r->best_epoch = r->done;
        }
        if (!checkpoint_save(r))
            return false;
        if (r->s->patience && r->done - r->best_epoch >= r->s->patience) {
            fprintf(stderr, "stopped: no better loss for %lld epochs\n", (long long)r->s->patience);
            return true;
        }
    }
    return true;
}

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */
static wg_tensor scores_of(wg_tensor points, void *user) { return model_forward(user, points, 0, 0); }

/* All samples as one batch. */
static bool boundary_drawn(run *r, const char *title)
{
    wg_batch all;
    if (r->s->net.size[0] != 2) {
        fprintf(stderr, "wengert train: a boundary is drawn of two features, not of %lld\n", (long long)r->s->net.size[0]);
        return false;
    }
    wg_data_start(r->train, r->done);
    return wg_data_next(r->train, wg_data_size(r->train), &all) &&
           wg_plot_boundary(scores_of, &r->s->net, all.x, all.y, r->s->boundary, .title = title) == WG_OK;
}

static bool pictures_drawn(run *r)
{
    char layers[256], title[512];
    const char *name = !r->s->data ? "two spirals" : strrchr(r->s->data, '/') ? strrchr(r->s->data, '/') + 1 : r->s->data;
    snprintf(title, sizeof title, "%s \xc2\xb7 %s %s", name, model_text(&r->s->net, layers, sizeof layers), r->s->net.activation);
    if (r->s->boundary && !boundary_drawn(r, title))
        return false;
    if (!r->s->curve)
        return true;
    double *column[4];
    for (int k = 0; k < 4; k++)
        column[k] = malloc((size_t)r->done * sizeof *column[k]);
    bool fine = column[0] && column[1] && column[2] && column[3];
    for (int64_t i = 0; fine && i < r->done; i++) {
        column[0][i] = r->log[i].loss;
        column[1][i] = r->log[i].valid_loss;
        column[2][i] = r->log[i].accuracy;
        column[3][i] = r->log[i].valid_accuracy;
    }
    wg_curve curve = {r->done, column[0], r->valid ? column[1] : NULL, column[2], r->valid ? column[3] : NULL, title};
    fine = fine && wg_plot_curve(r->tape, &curve, r->s->curve) == WG_OK;
    for (int k = 0; k < 4; k++)
        free(column[k]);
    return fine;
}


static bool finished(run *r)
{
    double loss = (double)NAN, accuracy = (double)NAN;
    if (r->test)
        measure(r, r->test, &loss, &accuracy);
    if (!r->done || !log_write(r) || !pictures_drawn(r) || wg_failed(r->tape))
        return false;
    const epoch_log *last = &r->log[r->done - 1];
    printf("loss %.4f  accuracy %.2f %%", last->loss, 100 * last->accuracy);
    if (r->test)
        printf("  test loss %.4f  test accuracy %.2f %%", loss, 100 * accuracy);
    else if (r->valid)
        printf("  valid loss %.4f  valid accuracy %.2f %%", last->valid_loss, 100 * last->valid_accuracy);
    printf("\n");
    if (r->s->boundary)
        printf("decision boundary: %s\n", r->s->boundary);
    return true;
}

static int trained(run *r)
{
    settings *s = r->s;
    if (!data_opened(r))
        return EXIT_FAILED;
    if (!sizes_fit(r))
        return EXIT_USAGE;
    model_make(r->tape, &s->net);
    r->log = calloc((size_t)s->epochs, sizeof *r->log);
    if (!r->log || !optimizer_made(r) || wg_failed(r->tape) || (s->resume && !checkpoint_load(r)))
        return EXIT_FAILED;
    r->start = wg_tape_mark(r->tape);
    signal(SIGINT, interrupt);
    bool done = epochs_run(r);
    if (interrupted) {
        fprintf(stderr, "\ninterrupted in epoch %lld%s%s\n", (long long)r->done + 1,
                s->checkpoint && r->done ? "; go on with --resume --checkpoint " : "", s->checkpoint && r->done ? s->checkpoint : "");
        return 130;
    }
    return done && finished(r) ? EXIT_FINE : EXIT_FAILED;
}

/* The spirals want more epochs than images do, and are there to be looked at. */
static void defaults_set(settings *s)
{
    if (s->lr < 0)
        s->lr = !strcmp(s->optimizer, "sgd") ? 0.1 : s->data ? 1e-3 : 5e-3;
    if (!s->epochs)
        s->epochs = s->data ? 5 : 40;
    if (!s->data && !s->boundary)
        s->boundary = "spirals.svg";
}

int command_train(int argc, char **argv)
{
    static const struct argp argp = {.options = options, .parser = parse,
                                     .doc = "Trains a multilayer perceptron and draws what happened."};
    settings s = {.net.activation = "relu", .optimizer = "adam", .schedule = "constant", .lr = -1, .validation = 0.1,
                  .batch = 64, .threads = 1};
    argp_parse(&argp, argc, argv, 0, NULL, &s);
    defaults_set(&s);
    if (s.resume && !s.checkpoint) {
        fprintf(stderr, "wengert train: --resume needs --checkpoint\n");
        return EXIT_USAGE;
    }
    run r = {.s = &s, .tape = wg_tape_new(.threads = s.threads, .seed = (uint64_t)s.seed)};
    int code = r.tape ? trained(&r) : EXIT_FAILED;
    if (wg_failed(r.tape))
        fprintf(stderr, "wengert train: %s\n", wg_error(r.tape));
    free(r.log);
    wg_tape_free(r.tape);
    return code;
}
