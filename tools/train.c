/* `wengert train`: a multilayer perceptron on images, on a table, or, without data, on two spirals. */
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "command.h"
#include "training.h"

static wg_progress *progress_begun(const run *r)
{
    static const char *const kinds[] = {[WG_PROGRESS_AUTO] = "auto",
                                        [WG_PROGRESS_LIVE] = "live",
                                        [WG_PROGRESS_PLAIN] = "plain",
                                        [WG_PROGRESS_JSON] = "json",
                                        [WG_PROGRESS_NONE] = "none"};
    static const char *const colors[] = {
        [WG_COLOR_AUTO] = "auto", [WG_COLOR_ALWAYS] = "always", [WG_COLOR_NEVER] = "never"};
    int kind = 0, color = 0;
    while (strcmp(kinds[kind], r->s->progress))
        kind++;
    while (strcmp(colors[color], r->s->color))
        color++;
    return wg_progress_begin(r->tape, r->s->epochs, wg_data_size(r->train), .kind = (wg_progress_kind)kind,
                             .color = (wg_color_use)color, .done = r->done, .samples = r->samples);
}

/* After a signal: what was done is in the checkpoint. Returns 128 and the signal's number, as a shell would. */
static int stopped(const run *r)
{
    fprintf(stderr, "stopped in epoch %lld of %lld", (long long)(r->batches || !r->done ? r->done + 1 : r->done),
            (long long)r->s->epochs);
    if (r->s->checkpoint)
        fprintf(stderr, "; go on with: wengert train --resume --checkpoint %s%s%s", r->s->checkpoint,
                r->s->data ? " --data " : "", r->s->data ? r->s->data : "");
    fprintf(stderr, "\n");
    return 128 + stopped_by();
}

static int trained(run *r)
{
    settings *s = r->s;
    int code = data_opened(r);
    if (code != EXIT_FINE)
        return code;
    if (!places_writable(s) || !network_made(r) || (s->resume && !checkpoint_load(r)))
        return EXIT_FAILED;
    r->progress = progress_begun(r);
    if (wg_failed(r->tape))
        return EXIT_FAILED;
    r->start = wg_tape_mark(r->tape);
    if (!epochs_run(r))
        return EXIT_FAILED;
    if (stopped_by())
        return stopped(r);
    return results_told(r) ? EXIT_FINE : EXIT_FAILED;
}

int command_train(int argc, char **argv)
{
    struct argp_option options[SETTINGS];
    const struct argp argp = {
        .options = options, .parser = settings_parse, .doc = "Trains a multilayer perceptron and draws what happened."};
    settings s = settings_default;
    stop_on_signals();
    settings_options(options, false);
    arguments_read(&argp, argc, argv, &s, NULL);
    if (s.resume && !checkpoint_settings(&s))
        return EXIT_FAILED;
    run r = {.s = &s, .tape = wg_tape_new(.threads = (int)s.threads, .seed = (uint64_t)s.seed), .norm = (double)NAN};
    int code = r.tape ? trained(&r) : EXIT_FAILED;
    wg_progress_end(r.progress);
    if (!r.tape || wg_failed(r.tape))
        fprintf(stderr, "wengert train: %s\n", wg_error(r.tape));
    free(r.log);
    wg_tape_free(r.tape);
    return code;
}
