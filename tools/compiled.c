/* A request's answers by a compiled function. The function sees nothing of what was recorded: the tape is rewound, and
 * the inputs' values come from memory of their own. */
#define WG_WITHOUT_PLACES /* a request has no line of C */
#include "compiled.h"

#include <stdlib.h>

typedef struct {
    wg_function *function;
    int n_in, n_out;
    void **in, **out;
} job;

static size_t type_bytes(wg_type type) { return (size_t)wg_type_count(&type) * wg_dtype_size(type.dtype); }

static bool values_kept(job *j, const wg_tensor *in)
{
    j->in = calloc((size_t)j->n_in + 1, sizeof *j->in);
    j->out = calloc((size_t)j->n_out + 1, sizeof *j->out);
    if (!j->in || !j->out)
        return false;
    for (int i = 0; i < j->n_in; i++) {
        size_t bytes = type_bytes(wg_type_of(in[i]));
        if (!(j->in[i] = malloc(bytes ? bytes : 1)))
            return false;
        memcpy(j->in[i], wg_values(in[i]), bytes);
    }
    return true;
}

/* The outputs as tensors of the tape, computed into their own memory. */
static bool outputs_run(job *j, wg_tape *tape, wg_tensor *out)
{
    for (int k = 0; k < j->n_out; k++) {
        wg_type type = wg_function_output_type(j->function, k);
        out[k] = wg_array(tape, type.dtype, wg_type_shape(&type), NULL);
        j->out[k] = (void *)(uintptr_t)wg_values(out[k]);
        if (!wg_is_tensor(out[k]))
            return false;
    }
    wg_seed(tape, 0);
    return !wg_function_run(j->function, (const void *const *)(uintptr_t)j->in, j->out);
}

bool run_compiled(wg_tape *tape, wg_mark empty, const wg_tensor *in, int n_in, wg_tensor *out, int n_out,
                  const way *how, refusal *why)
{
    job j = {.n_in = n_in, .n_out = n_out};
    wg_tensors inputs = {in, n_in}, outputs = {out, n_out};
    bool fine = true;
    if (!n_out)
        return true;
    j.function = wg_compile(tape, inputs, outputs);
    if (j.function && !values_kept(&j, in))
        fine = refuse(why, "memory", "no memory for the inputs of a compiled function");
    bool written = how->exported && how->path;
    if (j.function && fine && written)
        wg_export_c(j.function, how->path, .name = how->name, .entry = true);
    else if (j.function && fine && how->exported)
        wg_function_load_c(j.function, .name = how->name, .object = how->object);
    if (j.function && fine && !written && !wg_failed(tape)) {
        wg_rewind(tape, empty);
        outputs_run(&j, tape, out);
    }
    if (wg_failed(tape))
        fine = refuse_as_tape(why, tape);
    wg_function_free(j.function);
    for (int i = 0; j.in && i < n_in; i++)
        free(j.in[i]);
    free(j.in);
    free(j.out);
    return fine;
}
