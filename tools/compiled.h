/* Tensors computed again by a compiled function. */
#ifndef TOOLS_COMPILED_H
#define TOOLS_COMPILED_H

#include "json_tensor.h"

/* How a compiled function is run: as it is, as exported C, or as C that `object` has under `name`; with a path, it is
 * only written there, and what it gives is what was recorded. */
typedef struct {
    bool exported;
    const char *name, *path, *object;
} way;

/* Compiles the function from in[] to out[], rewinds the tape to `empty`, runs the function on in's values, handed over
 * from other memory, and sets out[] to what it gives. */
bool run_compiled(wg_tape *tape, wg_mark empty, const wg_tensor *in, int n_in, wg_tensor *out, int n_out,
                  const way *how, refusal *why);

#endif
