/* Wengert: progress of a training loop.
 *
 * One live line on a terminal; elsewhere a plain line an epoch, and one every half minute in between. Never more than
 * ten lines a second, so that it may be called at every step.
 *
 *     wg_progress *p = wg_progress_begin(tape, epochs, wg_data_size(train));
 *     for each epoch:
 *         for each batch:  wg_progress_step(p, b.n, wg_item(loss));
 *         wg_progress_epoch(p, .accuracy = right / n);
 *     wg_progress_end(p); */
#ifndef WENGERT_PROGRESS_H
#define WENGERT_PROGRESS_H

#include "wengert/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Belongs to the tape. The functions below take NULL and do nothing. */
typedef struct wg_progress wg_progress;

typedef enum {
    WG_PROGRESS_AUTO = 0, /* live on a terminal, unless TERM is "dumb" or CI is set; else plain */
    WG_PROGRESS_LIVE,
    WG_PROGRESS_PLAIN,
    WG_PROGRESS_JSON, /* an object an epoch, one a line; null for what is not known or not finite */
    WG_PROGRESS_NONE
} wg_progress_kind;

typedef enum {
    WG_COLOR_AUTO = 0, /* on a terminal, unless NO_COLOR is set */
    WG_COLOR_ALWAYS,
    WG_COLOR_NEVER
} wg_color_use;

typedef struct {
    FILE *file; /* NULL: standard error */
    wg_progress_kind kind;
    wg_color_use color;
    int64_t done;    /* epochs that are behind it, of a run that goes on */
    int64_t samples; /* and samples of the next one */
} wg_progress_begin_options;
#define wg_progress_begin_defaults .file = NULL
/* Of so many epochs of so many samples each. NULL, and the error on the tape, where there is no memory. */
WG_API wg_progress *wg_progress_begin(wg_tape *tape, int64_t epochs, int64_t samples,
                                      wg_progress_begin_options options);

/* n samples more, with that mean loss. */
WG_API void wg_progress_step(wg_progress *progress, int64_t n, double loss);

typedef struct {
    double loss;                                 /* not given: the mean of the steps' */
    double accuracy, valid_loss, valid_accuracy; /* accuracies from 0 to 1 */
    double grad_norm;
} wg_progress_epoch_options;
#define wg_progress_epoch_defaults                                                                                     \
    .loss = WG_NO_REAL, .accuracy = WG_NO_REAL, .valid_loss = WG_NO_REAL, .valid_accuracy = WG_NO_REAL,                \
    .grad_norm = WG_NO_REAL
/* The epoch is over: leaves its line, with what is given. */
WG_API void wg_progress_epoch(wg_progress *progress, wg_progress_epoch_options options);

/* Takes the live line away, so that other words may follow; a step brings it back. */
WG_API void wg_progress_end(wg_progress *progress);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_progress_begin(tape, epochs, ...) WG_OPTIONS3(wg_progress_begin, WG_HERE(tape), epochs, __VA_ARGS__, )
#define wg_progress_epoch(...) WG_OPTIONS1(wg_progress_epoch, __VA_ARGS__, )
#endif

#endif
