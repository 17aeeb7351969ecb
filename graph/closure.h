/* A function of the caller's as one node of the tape: run, taken back, run again for its derivatives. Private to
 * graph/. */
#ifndef GRAPH_CLOSURE_H
#define GRAPH_CLOSURE_H

#include "graph/traverse.h"
#include "wengert/control.h"

typedef struct {
    wg_body *f;
    void *user;
    int n_in, n_out, n_captured;
    const uint32_t *captured; /* nodes f uses that are not among its inputs and have a gradient, ascending */
    uint32_t operations;      /* that f recorded when it ran first */
    uint64_t seed, stream;    /* of the random numbers then */
    bool refuses;             /* to capture anything */
} wg_closure;

/* What an operation that holds a closure has for options: the rest of it lives while the operation is recorded. */
typedef struct {
    wg_closure f;
    const wg_type *y;
    const void *const *values;
    const void *more; /* of the operation itself, in the arena */
} wg_closure_options;

/* A body that is to be taken back: nothing it records stays. */
typedef struct {
    wg_mark mark;
    uint32_t marked, rule_place, rule_scope;
    int no_grad;
} wg_trial;
wg_trial wg_trial_begin(wg_tape *tape);
void wg_trial_end(wg_tape *tape, const wg_trial *trial);

/* The tape of the inputs, which must be tensors that are there: NULL, and the error reported, where they are not. The
 * outputs are invalid ones until they are set. */
wg_tape *wg_inputs_tape(const char *name, wg_tensors x, wg_tensor *out, int n_out);
/* f(in), whose results must be tensors of this tape. */
wg_status wg_body_call(wg_tape *tape, const char *name, wg_body *f, void *user, const wg_tensor *in, wg_tensor *out,
                       int n_out);
/* Nodes that a body uses though they are not among its inputs, and that have a gradient: ascending, in the arena. */
typedef struct {
    uint32_t *at;
    int n, room;
} wg_captures;
/* Adds what nodes from `low` on, and the results, have from before it. */
wg_status wg_captured_since(wg_tape *tape, const char *name, uint32_t low, const wg_tensor *out, int n_out,
                            wg_captures *c);
/* Operations among the nodes from `low` on. */
uint32_t wg_operations_since(const wg_tape *tape, uint32_t low);
/* Views of the inputs: nodes of their own, at which a pullback ends. */
wg_status wg_aliases(const wg_tensor *in, int n, wg_tensor *alias);
/* f again, on aliases of its inputs and of what it has captured; they take the place of the captured nodes. */
wg_status wg_closure_again(wg_tape *tape, const char *name, const wg_closure *f, const wg_tensor *alias,
                           wg_tensor *out);
/* Runs f and takes it back; then records op, with the results for outputs, on the inputs and on what f captured. */
wg_status wg_closure_record(wg_tape *tape, const char *name, const wg_op *op, const wg_closure *f, const void *more,
                            const wg_tensor *in, wg_tensor *out);
/* The chain rule of such an operation: by running f again. */
wg_status wg_closure_pull(const wg_call *c, const bool *wanted, wg_tensor *out);
/* The same as a node of its own, to be differentiated again. */
wg_status wg_closure_pull_recorded(const wg_call *c, const bool *wanted, wg_tensor *out);
wg_status wg_closure_push(const wg_call *c, wg_tensor *out);
/* The rules of an entry that takes its results from wg_closure_options. */
int wg_closure_count(const wg_call *c);
wg_status wg_closure_type(wg_call *c);
wg_status wg_closure_run(const wg_call *c);
/* Does each of n tensors, `what` they are, have the type it had before this round of a loop? */
wg_status wg_types_kept(wg_tape *tape, const char *name, const char *what, int64_t round, const wg_tensor *before,
                        const wg_tensor *after, int n);
extern const wg_schema wg_closure_schema;
extern const wg_op wg_checkpoint_op;

#endif
