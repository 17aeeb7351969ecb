/* The multilayer perceptrons of `wengert train` and `predict`: ordinary graph code, and their files. */
#ifndef TOOLS_MODEL_H
#define TOOLS_MODEL_H

#define WG_WITHOUT_PLACES /* who uses the command has no line of C */

#include <stdbool.h>
#include <stdint.h>
#include <wengert.h>

enum { MODEL_LAYERS = 32 };

typedef struct {
    int n; /* products */
    int64_t size[MODEL_LAYERS + 1];
    char activation[16];
    wg_tensor param[2 * MODEL_LAYERS]; /* fc1.weight, fc1.bias, ... */
} model;

/* Reads "784,128,64,10". False: not two or more sizes. */
bool model_sizes(const char *text, model *m);
/* "784,128,64,10" into text. */
char *model_text(const model *m, char *text, size_t size);
bool model_activation_known(const char *name);
/* Records the parameters: weights drawn as the activation asks for, zero biases. */
void model_make(wg_tape *tape, model *m);
/* [n, size[0]] to [n, size[m->n]]; `dropout` of the hidden units, 0: none, drawn from `draw`. */
wg_tensor model_forward(const model *m, wg_tensor x, double dropout, int64_t draw);
/* Counts which classes the scores say, by true class: counts is [classes, classes]. */
void model_count(wg_tensor scores, wg_tensor y, int64_t classes, int64_t *counts);
/* Sizes and activation of a checkpoint, from its metadata. False, and the error on the tape or a message, where it has
 * none. */
bool model_open(wg_tape *tape, const char *path, model *m);

/* And its parameters with their values: a trained network. */
bool model_load(wg_tape *tape, const char *path, model *m);

#endif
