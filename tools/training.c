/* Training: epochs of steps, with what is measured on the way. A step is ordinary graph code; what it records is
 * rewound. */
#define WG_WITHOUT_PLACES /* who trains with the command knows nothing of its C */
#include "training.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "samples.h"

enum { MEASURED = 1000 }; /* samples in a batch that is only looked at */

/* ---- Data -------------------------------------------------------------------------------------------------------- */
/* Spirals want more steps than images do, and are there to be looked at. */
static void fill_in(settings *s)
{
    if (s->lr < 0)
        s->lr = !strcmp(s->optimizer, "sgd") ? 0.1 : s->data ? 1e-3 : 5e-3;
    if (!s->epochs)
        s->epochs = s->data ? 5 : 40;
    if (!s->data && !s->boundary)
        s->boundary = "spirals.svg";
}

/* The sizes that the data ask for: checked, or filled in. */
static int sizes_fit(run *r)
{
    settings *s = r->s;
    model *net = &s->net;
    wg_shape shape = wg_data_shape(r->train);
    int64_t in = shape.rank ? shape.dim[0] : 1, out = r->classes ? r->classes : 1;
    if (!net->n) {
        int64_t small = in < 64;
        memcpy(net->size, (int64_t[]){in, small ? 32 : 128, small ? 32 : 64, out < 2 && r->classes ? 2 : out},
               4 * sizeof in);
        net->n = 3;
    }
    if (net->size[0] != in || (r->classes ? net->size[net->n] < out : net->size[net->n] != 1)) {
        char text[SETTING_TEXT];
        fprintf(stderr, "wengert train: --layers %s: the data have %lld features and %lld %s\n",
                model_text(net, text, sizeof text), (long long)in, (long long)out,
                r->classes ? "classes" : "number to fit");
        return EXIT_USAGE;
    }
    if (!strcmp(s->loss, "cross_entropy") && !r->classes) {
        fprintf(stderr, "wengert train: --loss cross_entropy takes classes 0, 1, ..., and the labels are not\n");
        return EXIT_USAGE;
    }
    if ((s->boundary && (in != 2 || !r->classes)) || (s->confusion && !r->classes)) {
        fprintf(stderr, "wengert train: %s; the data have %lld features and %lld classes\n",
                s->boundary && (in != 2 || !r->classes) ? "--boundary takes two features and classes"
                                                        : "--confusion takes classes",
                (long long)in, (long long)r->classes);
        return EXIT_USAGE;
    }
    return EXIT_FINE;
}

int data_opened(run *r)
{
    settings *s = r->s;
    fill_in(s);
    if (!s->data) {
        r->train = wg_data_spirals(r->tape, 1000);
    } else if (samples_are_folder(s->data)) {
        r->train = samples_of_folder(r->tape, s->data, "train", true);
        r->test = samples_of_folder(r->tape, s->data, "t10k", true);
    } else {
        r->train = wg_data_csv(r->tape, s->data);
    }
    if (r->train && s->validation > 0)
        wg_data_split(r->train, s->validation, &r->valid);
    if (wg_failed(r->tape))
        return EXIT_FAILED;
    if (!wg_data_size(r->train)) {
        fprintf(stderr, "wengert train: there are no samples to train on\n");
        return EXIT_FAILED;
    }
    if (!wg_data_size(r->valid))
        r->valid = NULL;
    r->classes = wg_data_classes(r->train);
    if (!strcmp(s->loss, "auto"))
        snprintf(s->loss, sizeof s->loss, r->classes ? "cross_entropy" : "mse");
    return sizes_fit(r);
}

wg_optimizer *run_optimizer(const settings *s, const wg_tensor *p, int n)
{
    bool sgd = !strcmp(s->optimizer, "sgd");
    double lr = s->lr >= 0 ? s->lr : sgd ? 0.1 : 1e-3;
    if (sgd)
        return wg_sgd(p, n, .lr = lr, .momentum = s->momentum, .weight_decay = s->decay);
    if (!strcmp(s->optimizer, "adamw"))
        return wg_adamw(p, n, .lr = lr, .weight_decay = s->decay);
    if (!strcmp(s->optimizer, "rmsprop"))
        return wg_rmsprop(p, n, .lr = lr, .momentum = s->momentum, .weight_decay = s->decay);
    return wg_adam(p, n, .lr = lr, .weight_decay = s->decay);
}

bool network_made(run *r)
{
    settings *s = r->s;
    model_make(r->tape, &s->net);
    r->optimizer = run_optimizer(s, s->net.param, 2 * s->net.n);
    r->log = calloc((size_t)s->epochs, sizeof *r->log);
    if (!r->log)
        fprintf(stderr, "wengert train: no memory for a log of %lld epochs\n", (long long)s->epochs);
    return r->optimizer && r->log;
}

/* ---- Stopping ---------------------------------------------------------------------------------------------------- */
static volatile sig_atomic_t stopped;

static void stop(int number) { stopped = number; }

int stopped_by(void) { return stopped; }

/* The first signal lets the step be finished; the second one ends the program. One that is ignored, as by nohup, stays
 * so. */
void stop_on_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    struct sigaction action = {.sa_handler = stop, .sa_flags = (int)(SA_RESETHAND | SA_RESTART)}, before;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < 2; i++)
        if (!sigaction(numbers[i], NULL, &before) && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
}

/* ---- Measuring --------------------------------------------------------------------------------------------------- */
static wg_tensor loss_of(const run *r, wg_tensor scores, wg_tensor y)
{
    if (strcmp(r->s->loss, "mse"))
        return wg_cross_entropy(scores, y);
    if (!r->classes)
        return wg_mse_loss(wg_reshape(scores, WG_SHAPE(-1)), y);
    wg_tensor target = wg_one_hot(y, r->s->net.size[r->s->net.n]);
    return wg_mse_loss(scores, wg_cast(target, .dtype = WG_FLOAT32));
}

/* How many rows of the scores have their largest entry at the label. */
static double right_in(const run *r, wg_tensor scores, wg_tensor y)
{
    return r->classes ? wg_item(wg_count_nonzero(wg_equal(wg_argmax(scores, .axis = 1), y))) : (double)NAN;
}

void measure(run *r, wg_data *data, double *loss, double *accuracy, int64_t *counts)
{
    double total = 0, right = 0, n = (double)wg_data_size(data);
    wg_mark start = wg_tape_mark(r->tape);
    wg_data_start(data, 0); /* the same order, and so the same bits, whenever it is measured */
    WG_NO_GRAD(r->tape)
    for (wg_batch b; wg_data_next(data, MEASURED, &b); wg_rewind(r->tape, start)) {
        wg_tensor scores = model_forward(&r->s->net, b.x, 0, 0);
        total += wg_item(loss_of(r, scores, b.y)) * (double)b.n;
        right += right_in(r, scores, b.y);
        if (counts)
            model_count(scores, b.y, r->classes, counts);
    }
    *loss = data ? total / n : (double)NAN;
    *accuracy = data ? right / n : (double)NAN;
}

/* ---- One step ---------------------------------------------------------------------------------------------------- */
static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double rate_factor(const run *r, int64_t step)
{
    const settings *s = r->s;
    int64_t each = wg_data_batches(r->train, s->batch), steps = s->epochs * each;
    if (!strcmp(s->schedule, "step"))
        return wg_schedule_step(step, (s->epochs + 2) / 3 * each, 0.1);
    if (!strcmp(s->schedule, "cosine"))
        return wg_schedule_cosine(step, steps, 0);
    if (!strcmp(s->schedule, "linear"))
        return wg_schedule_linear(step, steps, 0);
    return 1;
}

/* In one sentence: in which step, and where it comes from. */
static void tell_not_finite(const run *r, double loss)
{
    char origin[400];
    wg_progress_end(r->progress);
    bool known = wg_nonfinite_text(r->tape, origin, sizeof origin);
    fprintf(stderr, "wengert train: the loss is %s in epoch %lld, step %lld%s%s; a smaller --lr or --clip may help\n",
            loss != loss ? "NaN" : "infinite", (long long)r->done + 1, (long long)r->batches + 1,
            known ? ", from " : "", origin);
}

bool step_done(run *r, const wg_batch *b, wg_tensor *made)
{
    settings *s = r->s;
    int64_t step = wg_steps(r->optimizer);
    wg_tensor scores = model_forward(&s->net, b->x, s->dropout, s->seed * 1000003 + step),
              loss = loss_of(r, scores, b->y);
    double value = wg_item(loss);
    if (wg_failed(r->tape))
        return false;
    *made = loss;
    if (!isfinite(value)) {
        if (r->diagnosis)
            wg_diagnose(r->diagnosis, loss);
        else
            tell_not_finite(r, value);
        return false;
    }
    wg_backward(loss);
    wg_diagnose(r->diagnosis, loss);
    if (s->graph) {
        wg_draw(loss, s->graph);
        s->graph = NULL;
    }
    if (s->clip > 0)
        r->norm = wg_clip_grad_norm(s->net.param, 2 * s->net.n, s->clip);
    wg_set_lr(r->optimizer, s->lr * rate_factor(r, step));
    wg_step(r->optimizer);
    r->loss_sum += value * (double)b->n;
    r->right += right_in(r, scores, b->y);
    r->samples += b->n;
    r->batches++;
    wg_progress_step(r->progress, b->n, value);
    return !wg_failed(r->tape);
}

/* ---- Epochs ------------------------------------------------------------------------------------------------------ */
/* To where the run stopped within an epoch. */
static void skip_batches(run *r)
{
    wg_batch b;
    wg_data_start(r->train, r->done);
    for (int64_t i = 0; i < r->batches && wg_data_next(r->train, r->s->batch, &b); i++)
        wg_rewind(r->tape, r->start);
}

/* False: stopped, or an error. */
static bool epoch(run *r)
{
    epoch_log *log = &r->log[r->done];
    double since = seconds() - r->before;
    bool fine = true;
    wg_tensor loss;
    for (wg_batch b; fine && !stopped && wg_data_next(r->train, r->s->batch, &b); wg_rewind(r->tape, r->start))
        fine = step_done(r, &b, &loss);
    r->before = seconds() - since;
    if (!fine || wg_failed(r->tape) || r->samples < wg_data_size(r->train))
        return false;
    log->loss = r->loss_sum / (double)r->samples;
    log->accuracy = r->right / (double)r->samples;
    measure(r, r->valid, &log->valid_loss, &log->valid_accuracy, NULL);
    log->seconds = seconds() - since;
    wg_progress_epoch(r->progress, .loss = log->loss, .accuracy = log->accuracy, .valid_loss = log->valid_loss,
                      .valid_accuracy = log->valid_accuracy, .grad_norm = r->norm);
    r->done++;
    r->batches = r->samples = 0;
    r->loss_sum = r->right = r->before = 0;
    wg_data_start(r->train, r->done);
    return !wg_failed(r->tape);
}

static double judged(const run *r, int64_t epoch) { return r->valid ? r->log[epoch].valid_loss : r->log[epoch].loss; }

/* The first epoch of the least loss. */
static void find_best(run *r)
{
    r->best = 0;
    for (int64_t i = 0; i < r->done; i++)
        if (!r->best || judged(r, i) < judged(r, r->best - 1))
            r->best = i + 1;
}

static bool out_of_patience(const run *r) { return r->s->patience && r->done - r->best >= r->s->patience; }

bool epochs_run(run *r)
{
    skip_batches(r);
    find_best(r);
    while (!stopped && r->done < r->s->epochs && !out_of_patience(r)) {
        bool whole = epoch(r);
        if (!whole && (!stopped || wg_failed(r->tape)))
            return false;
        find_best(r);
        if (whole && !stopped && (!checkpoint_save(r) || !log_write(r)))
            return false;
    }
    if (stopped && (!checkpoint_save(r) || !log_write(r)))
        return false;
    wg_progress_end(r->progress);
    if (!stopped && out_of_patience(r))
        fprintf(stderr, "stopped after epoch %lld: no better loss since epoch %lld\n", (long long)r->done,
                (long long)r->best);
    return true;
}
