/* What `wengert train` can be told: one table of settings, for the command line and for the checkpoint that keeps them.
 */
#ifndef TOOLS_SETTINGS_H
#define TOOLS_SETTINGS_H

#include <argp.h>

#include "model.h"

enum {
    SETTINGS = 40,
    SETTING_WORD = 16,
    SETTING_TEXT = 512
}; /* room for so many; bytes of a word, of any value's text */

typedef struct {
    model net; /* without --layers: as the data ask for */
    const char *data;
    double validation, dropout, lr, momentum, decay, clip; /* lr < 0: as the optimiser asks for; clip 0: none */
    int64_t batch, epochs, patience, seed, threads;        /* epochs 0: as the data ask for; patience 0: endless */
    char optimizer[SETTING_WORD], schedule[SETTING_WORD];
    char loss[SETTING_WORD]; /* "auto": as the labels ask for */
    const char *checkpoint, *curve, *graph, *boundary, *confusion, *log;
    char progress[SETTING_WORD], color[SETTING_WORD];
    bool resume, json;
    bool given[SETTINGS];
} settings;

extern const settings settings_default;

/* The options as argp takes them, SETTINGS at most, all or those of network, data and training; and the parser that
 * fills a settings struct. */
void settings_options(struct argp_option *options, bool only_training);
error_t settings_parse(int key, char *text, struct argp_state *state);
/* Takes from a checkpoint what was not given; its network must be the one asked for. False, and why in `message`. */
bool settings_restore(settings *s, const wg_weights *checkpoint, char *message, size_t size);
/* Name and value of each setting that a checkpoint keeps, as pairs for wg_save, with the values in `text`. Returns how
 * many texts there are. */
int settings_kept(const settings *s, const char **pairs, char text[SETTINGS][SETTING_TEXT]);

#endif
