/* `wengert diagnose`: trains a few steps of a network under observation, or reads the log of a run, and tells what is
 * wrong and what to try. */
#define WG_WITHOUT_PLACES /* who trains with the command knows nothing of its C */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "command.h"
#include "models.h"
#include "samples.h"
#include "table.h"
#include "training.h"

enum { STEPS = 1000, LOG, DRAW, JSON, CHECKED = 4096 }; /* keys behind those of the settings; rows looked at alone */

typedef struct {
    settings s;
    const char *what, *log, *draw;
    int64_t steps;
    bool json;
    const built_in *network; /* NULL: of `wengert train` */
} asked;

/* ---- Options ----------------------------------------------------------------------------------------------------- */
static const struct argp_option options[] = {
    {"steps", STEPS, "N", 0, "Steps to be observed (100)", 0},
    {"log", LOG, "FILE", 0, "Look at this log of `wengert train', or another .csv with a column loss, too", 0},
    {"draw", DRAW, "FILE", 0, "The graph of the last step: .svg, .html, .png, .dot or .txt", 0},
    {"json", JSON, NULL, 0, "A JSON object a finding, one a line", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    asked *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->s;
        return 0;
    case STEPS:
        a->steps = arguments_whole(state, "steps", text, 1, 1000000);
        return 0;
    case LOG:
        a->log = text;
        return 0;
    case DRAW:
        a->draw = text;
        return 0;
    case JSON:
        a->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->what)
            argp_error(state, "one network at a time, not \"%s\" too", text);
        a->what = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void put_networks(FILE *file)
{
    fputs("NETWORK is a .safetensors file of `wengert train', whose settings hold where no others are given, or "
          "built in, over made-up data:\n",
          file);
    built_in_list(file);
    fputs("Without one it is that of the settings, as `wengert train' would make it. The exit code is 1 where "
          "something was found.",
          file);
}

static char *networks_listed(int key, const char *text, void *input)
{
    (void)input;
    return arguments_listed(key, text, put_networks);
}

/* ---- Runs -------------------------------------------------------------------------------------------------------- */
static void draw(wg_diagnosis *d, wg_tensor loss, const asked *a)
{
    wg_draw(loss, a->draw, .diagnosis = d, .overlay = WG_SHOW_VALUES);
}

/* The same data at every step: whether it can be learned by heart. */
static void built_in_observed(wg_tape *tape, wg_diagnosis *d, const asked *a)
{
    network_parts parts = {.tape = tape};
    wg_mark start = wg_tape_mark(tape);
    if (wg_failed(tape) || !wg_is_tensor(built_in_loss(a->network, &parts, 1)))
        return;
    wg_optimizer *optimizer = run_optimizer(&a->s, parts.param, parts.n);
    start = wg_tape_mark(tape);
    for (int64_t step = 1; step <= a->steps && !wg_failed(tape); step++, wg_rewind(tape, start)) {
        wg_tensor loss = built_in_loss(a->network, &parts, a->s.batch);
        bool finite = isfinite(wg_item(loss));
        if (finite)
            wg_backward(loss);
        wg_diagnose(d, loss);
        if (a->draw && (!finite || step == a->steps))
            draw(d, loss, a);
        if (!finite)
            return;
        wg_step(optimizer);
    }
}

/* What the data are apart from the network, in the file's order. */
static void data_observed(run *r, wg_diagnosis *d)
{
    const char *path = r->s->data;
    wg_batch b;
    wg_data *data = !path                      ? NULL
                    : samples_are_folder(path) ? samples_of_folder(r->tape, path, "train", false)
                                               : wg_data_csv(r->tape, path, .shuffle = false);
    if (data && wg_data_next(data, CHECKED, &b))
        wg_diagnose_data(d, b.x, b.y);
}

static int run_observed(run *r, const asked *a)
{
    int code = data_opened(r);
    if (code != EXIT_FINE)
        return code;
    if (!network_made(r) || (r->s->resume && !checkpoint_load(r)))
        return EXIT_FAILED;
    r->start = wg_tape_mark(r->tape);
    bool goes_on = true;
    for (int64_t step = 1; step <= a->steps && goes_on && !wg_failed(r->tape);) {
        wg_batch b;
        if (!wg_data_next(r->train, r->s->batch, &b))
            continue; /* the epoch is over: the next call begins another */
        wg_tensor loss = WG_NONE;
        goes_on = step_done(r, &b, &loss);
        if (a->draw && wg_is_tensor(loss) && (!goes_on || step == a->steps))
            draw(r->diagnosis, loss, a);
        wg_rewind(r->tape, r->start);
        step++;
    }
    if (!wg_failed(r->tape))
        data_observed(r, r->diagnosis);
    return EXIT_FINE;
}

static bool log_observed(wg_diagnosis *d, const char *path)
{
    table t;
    wg_curve curve;
    bool fine = table_read(&t, path) && table_curve(&t, path, &curve) && wg_diagnose_curve(d, &curve) == WG_OK;
    table_free(&t);
    return fine;
}

/* ---- What was found ---------------------------------------------------------------------------------------------- */
static void print_json(wg_diagnosis *d)
{
    const wg_finding *list;
    for (int i = 0, n = wg_diagnosis_findings(d, &list); i < n; i++) {
        const wg_finding *f = &list[i];
        json_t *one = json_pack("{ss ss ss sI ss ss}", "fault", wg_fault_name(f->fault), "what", f->what, "where",
                                f->where, "step", (json_int_t)f->step, "evidence", f->evidence, "advice", f->advice);
        if (one)
            json_dumpf(one, stdout, JSON_COMPACT);
        json_decref(one);
        putchar('\n');
    }
}

static int observed(asked *a, wg_tape *tape)
{
    run r = {.s = &a->s, .tape = tape, .norm = (double)NAN, .diagnosis = wg_diagnosis_begin(tape)};
    int code = EXIT_FINE;
    bool only_log = a->log && !a->what && !a->s.data;
    if (a->log && !log_observed(r.diagnosis, a->log))
        code = EXIT_FAILED;
    else if (a->network)
        built_in_observed(tape, r.diagnosis, a);
    else if (!only_log)
        code = run_observed(&r, a);
    free(r.log);
    if (code != EXIT_FINE || wg_failed(tape))
        return code == EXIT_FINE ? EXIT_FAILED : code;
    if (a->json)
        print_json(r.diagnosis);
    else
        wg_diagnosis_print(r.diagnosis, stdout);
    return wg_diagnosis_findings(r.diagnosis, NULL) ? EXIT_FAILED : EXIT_FINE;
}

int command_diagnose(int argc, char **argv)
{
    struct argp_option of_training[SETTINGS];
    const struct argp training = {.options = of_training, .parser = settings_parse};
    const struct argp_child children[] = {{&training, 0, "As of `wengert train':", 0}, {0}};
    const struct argp argp = {.options = options,
                              .parser = parse,
                              .args_doc = "[NETWORK]",
                              .doc = "Trains a few steps under observation and tells what is wrong: where a NaN comes "
                                     "from, unused parameters, dead units, gradients that explode, vanish or leak, a "
                                     "learning rate too high, data out of scale, labels off by one.\v",
                              .children = children,
                              .help_filter = networks_listed};
    asked a = {.s = settings_default, .steps = 100};
    settings_options(of_training, true);
    arguments_read(&argp, argc, argv, &a, network_words);
    a.network = a.what ? built_in_find(a.what) : NULL;
    if (a.what && !a.network) {
        a.s.checkpoint = a.what;
        a.s.resume = true;
        if (!checkpoint_settings(&a.s))
            return EXIT_FAILED;
    }
    wg_tape *tape = wg_tape_new(.threads = (int)a.s.threads, .seed = (uint64_t)a.s.seed);
    int code = tape ? observed(&a, tape) : EXIT_FAILED;
    if (!tape || wg_failed(tape))
        fprintf(stderr, "wengert diagnose: %s\n", wg_error(tape));
    wg_tape_free(tape);
    return code;
}
