/* Built-in networks for `wengert graph` to show: ordinary graph code over made-up data. */
#ifndef TOOLS_MODELS_H
#define TOOLS_MODELS_H

#include <stdint.h>
#include <wengert.h>

typedef struct {
    const char *name, *doc;
    wg_tensor (*loss)(wg_tape *tape, int64_t batch); /* records parameters, data and the network */
    int64_t batch;                                   /* samples, unless told otherwise */
} built_in;

/* The network of that name; NULL where there is none. */
const built_in *built_in_find(const char *name);
/* Network i, NULL past the last. */
const built_in *built_in_at(int i);

/* A leaf of made-up numbers around 0; of made-up classes below n. */
wg_tensor made_up_numbers(wg_tape *tape, const char *name, wg_shape shape);
wg_tensor made_up_classes(wg_tape *tape, const char *name, wg_shape shape, int64_t n);

#endif
