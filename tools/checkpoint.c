/* Checkpoints of `wengert train`: weights and optimiser as tensors, settings and where the run stands as metadata.
 * Numbers are written so that the same bits are read. */
#include <stdlib.h>
#include <string.h>

#include "training.h"

enum { TENSORS = 2 * MODEL_LAYERS + 4 * MODEL_LAYERS + 1, NUMBERS = 5 };

static int tensors_of(run *r, wg_tensor all[TENSORS])
{
    int n = 2 * r->s->net.n;
    memcpy(all, r->s->net.param, (size_t)n * sizeof *all);
    return n + wg_optimizer_state(r->optimizer, all + n, TENSORS - n);
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */
/* A line an epoch; to be freed. NULL: no memory. */
static char *history_text(const run *r)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    for (int64_t i = 0; file && i < r->done; i++)
        fprintf(file, "%a %a %a %a %a\n", r->log[i].loss, r->log[i].accuracy, r->log[i].valid_loss,
                r->log[i].valid_accuracy, r->log[i].seconds);
    return file && !fclose(file) ? text : NULL;
}

bool checkpoint_save(run *r)
{
    if (!r->s->checkpoint)
        return true;
    wg_tensor all[TENSORS];
    const char *about[2 * SETTINGS + 8];
    char values[SETTINGS][SETTING_TEXT], stands[SETTING_TEXT], epochs[32], *history = history_text(r);
    if (!history) {
        fprintf(stderr, "wengert train: no memory for the checkpoint\n");
        return false;
    }
    int n = settings_kept(r->s, about, values);
    snprintf(epochs, sizeof epochs, "%lld", (long long)r->done);
    snprintf(stands, sizeof stands, "%lld %lld %a %a %a", (long long)r->batches, (long long)r->samples, r->loss_sum,
             r->right, r->before);
    const char *const own[] = {"epoch", epochs, "within", stands, "history", history, NULL};
    memcpy(about + n, own, sizeof own);
    wg_status status = wg_save(r->s->checkpoint, all, tensors_of(r, all), .metadata = about);
    free(history);
    return status == WG_OK;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */
static bool refused(const char *path, const char *why)
{
    fprintf(stderr, "wengert train: %s: %s\n", path, why);
    return false;
}

/* n numbers; where they end, NULL where they do not. */
static const char *numbers_read(const char *text, int n, double *value)
{
    for (int i = 0; text && i < n; i++) {
        char *end;
        value[i] = strtod(text, &end);
        text = end == text ? NULL : end;
    }
    return text;
}

int64_t checkpoint_history(const char *text, epoch_log *log, int64_t most)
{
    double v[NUMBERS];
    int64_t n = 0;
    while (text && *text && n < most) {
        text = numbers_read(text, NUMBERS, v);
        if (text)
            log[n++] = (epoch_log){v[0], v[1], v[2], v[3], v[4]};
        text = text && *text == '\n' ? text + 1 : text;
    }
    return text && !*text ? n : -1;
}

bool checkpoint_settings(settings *s)
{
    wg_tape *tape = wg_tape_new();
    wg_weights *weights = tape ? wg_weights_open(tape, s->checkpoint) : NULL;
    char message[512];
    bool fine = false;
    if (!weights)
        fprintf(stderr, "wengert train: %s\n", wg_error(tape));
    else if (!(fine = settings_restore(s, weights, message, sizeof message)))
        refused(s->checkpoint, message);
    wg_tape_free(tape);
    return fine;
}

bool checkpoint_load(run *r)
{
    const char *path = r->s->checkpoint;
    wg_tensor all[TENSORS];
    double v[NUMBERS];
    wg_weights *weights = wg_weights_open(r->tape, path);
    if (!weights || wg_load(path, all, tensors_of(r, all)))
        return false;
    const char *history = wg_weights_metadata(weights, "history"), *within = wg_weights_metadata(weights, "within");
    r->done = checkpoint_history(history, r->log, r->s->epochs);
    if (r->done < 0)
        return refused(path, "it has more epochs than --epochs, or a history that cannot be read");
    within = within ? numbers_read(within, NUMBERS, v) : NULL;
    if (!within || *within || !(v[0] >= 0 && v[0] <= 1e15) || !(v[1] >= 0 && v[1] <= 1e15))
        return refused(path, "where it stands within the epoch cannot be read");
    r->batches = (int64_t)v[0];
    r->samples = (int64_t)v[1];
    r->loss_sum = v[2];
    r->right = v[3];
    r->before = v[4];
    int64_t size = wg_data_size(r->train), reached = r->batches * r->s->batch;
    if (r->samples != (reached < size ? reached : size) || (r->samples == size && r->batches))
        return refused(path, "it stands within an epoch of other batches; give --batch and --data as they were");
    fprintf(stderr, "resumed after epoch %lld", (long long)r->done);
    fprintf(stderr, r->batches ? ", step %lld\n" : "\n", (long long)r->batches);
    return true;
}
