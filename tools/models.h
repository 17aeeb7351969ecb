/* Built-in networks for `wengert graph` and `wengert diagnose`: ordinary graph code over made-up data. */
#ifndef TOOLS_MODELS_H
#define TOOLS_MODELS_H

#include <stdint.h>
#include <wengert.h>

enum { NETWORK_PARTS = 256 };

/* The parameters of a network that is recorded again at each step. */
typedef struct {
    wg_tape *tape;
    wg_tensor param[NETWORK_PARTS];
    int n, used;
} network_parts;

typedef struct {
    const char *name, *doc;
    wg_tensor (*loss)(network_parts *parts, int64_t batch);
    int64_t batch;                                   /* samples, unless told otherwise */
} built_in;

/* The network of that name; NULL where there is none. */
const built_in *built_in_find(const char *name);
/* Their names and what they are, a line each. */
void network_words(FILE *file, int before);
/* Network i, NULL past the last. */
const built_in *built_in_at(int i);
/* Prints them, a line each with what it is. */
void built_in_list(FILE *file);

/* Records data and network, the first time the parameters too; batch 0: the network's own. */
wg_tensor built_in_loss(const built_in *network, network_parts *parts, int64_t batch);

/* A leaf of made-up numbers around 0; of made-up classes below n. */
wg_tensor made_up_numbers(wg_tape *tape, const char *name, wg_shape shape);
wg_tensor made_up_classes(wg_tape *tape, const char *name, wg_shape shape, int64_t n);

#endif
