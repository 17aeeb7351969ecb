/* A run of `wengert train`: data, network, optimiser, and what is known of the epochs so far. */
#ifndef TOOLS_TRAINING_H
#define TOOLS_TRAINING_H

#include "settings.h"

/* NAN where there is nothing. */
typedef struct {
    double loss, accuracy, valid_loss, valid_accuracy, seconds;
} epoch_log;

typedef struct {
    settings *s;
    wg_tape *tape;
    wg_data *train, *valid, *test;
    int64_t classes; /* 0: a number is fitted */
    wg_optimizer *optimizer;
    wg_mark start; /* behind what lives for the whole run */
    wg_progress *progress;
    wg_diagnosis *diagnosis; /* NULL: not observed */
    epoch_log *log;
    int64_t done, best;     /* epochs; the one of the best loss, counted from 1, 0: none yet */
    int64_t batches;        /* of the epoch that has begun */
    int64_t samples;        /* in those */
    double loss_sum, right; /* over those: losses by samples, right answers */
    double norm;            /* of the last gradient, where it is clipped */
    double before;          /* seconds of the epoch that were spent before an interruption */
} run;

/* Opens the data that the settings name and fills in what the settings leave to them. Returns an exit code; why it is
 * not 0 is on the tape or on standard error. */
int data_opened(run *r);
/* Records network and optimiser. */
bool network_made(run *r);
/* The optimiser that the settings name, with their rate or its own. */
wg_optimizer *run_optimizer(const settings *s, const wg_tensor *params, int n);

/* One step on a batch; *loss is what it recorded. False: an error, or a loss that is not finite, which is told. */
bool step_done(run *r, const wg_batch *b, wg_tensor *loss);

/* Trains until the end, the patience or a signal. False: an error, on the tape or told already. */
bool epochs_run(run *r);
/* The signal that stopped it; 0: none. */
int stopped_by(void);
void stop_on_signals(void);

/* Mean loss and accuracy of data, without training; counts, [classes, classes], may be NULL. */
void measure(run *r, wg_data *data, double *loss, double *accuracy, int64_t *counts);

/* ---- checkpoint.c ---- */
/* Writes where the run stands; true without --checkpoint. */
bool checkpoint_save(run *r);
/* The settings of the checkpoint to resume from, before anything is made; then its state. False, and told on standard
 * error or on the tape. */
bool checkpoint_settings(settings *s);
bool checkpoint_load(run *r);
/* The epochs of a checkpoint's history, into log; -1: more than `most`, or not a history. */
int64_t checkpoint_history(const char *text, epoch_log *log, int64_t most);

/* ---- results.c ---- */
/* Can all the files that are to be written be made? Told on standard error, before hours are spent. */
bool places_writable(const settings *s);
bool log_write(const run *r);
/* Pictures, then the results on standard output. */
bool results_told(run *r);

#endif
