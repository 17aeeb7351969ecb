/* What a compiled function is made of. Private to graph/. */
#ifndef GRAPH_PLAN_H
#define GRAPH_PLAN_H

#include "core/tape.h"
#include "wengert/compile.h"

/* One thing to be done at a run. */
typedef wg_status wg_instruct(const void *with);
typedef struct {
    wg_instruct *run;
    const void *with;
} wg_instruction;

/* A pointer within the instructions that follows what an input or output is bound to. */
typedef struct {
    const void **where;
    uint32_t slot;  /* inputs, then outputs */
    int64_t offset; /* bytes */
} wg_patch;

/* What the caller hands over: an input, an output, or the gradient of a parameter. */
typedef struct {
    wg_type type;
    unsigned char *bound; /* where it is now */
    void *own;            /* where an output goes that is not asked for */
    wg_tensor param;      /* of a gradient */
} wg_slot;

static inline size_t wg_type_bytes(const wg_type *type) { return (size_t)wg_type_count(type) * wg_dtype_size(type->dtype); }

/* Memory of a function, in blocks; given back all at once. */
typedef struct wg_hold {
    struct wg_hold *next;
    size_t bytes, used; /* behind the header */
} wg_hold;

struct wg_function {
    wg_tape *tape;
    wg_hold *hold;
    size_t bytes;
    int n_in, n_out, n_grad; /* slots, in this order */
    wg_slot *slot;
    size_t n_instructions, n_patches;
    wg_instruction *instruction;
    wg_patch *patch;
    int n_params; /* leaves that are read where they are */
    wg_tensor *param;
};

/* Memory that lives as long as the function, aligned to 64 bytes; NULL, and the error reported, where there is none. */
void *wg_hold_take(wg_function *f, size_t bytes);

/* The kernel that does an elementwise call, or the chain rule of one, on dense arrays, and what it takes for options; NULL for
 * any other call. */
wg_kernel *wg_dense_kernel(const wg_call *c, const void **options);

/* Fills in everything but the slots' types: what computes `outputs` (their number is that of f's output and gradient slots)
 * from `inputs`. */
wg_status wg_plan_make(wg_function *f, const wg_tensor *inputs, const wg_tensor *outputs);

#endif
