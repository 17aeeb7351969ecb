/* A recorded stretch of tape evaluated again in double-double arithmetic. Private to graph/. */
#ifndef GRAPH_REPLAY_H
#define GRAPH_REPLAY_H

#include "core/tape.h"
#include "graph/double_double.h"

/* A node has the value of node `result`, itself or one of those in [start, end), which its formula recorded. */
#define WG_REPLAY_INPUTS 32

typedef struct {
    uint32_t result, start, end;
    bool needed; /* one of another node's [start, end), and it leads to that one's result */
} wg_replay_text;

typedef struct {
    wg_tape *tape;
    const wg_tensor *x; /* what is moved: n leaves */
    int n;
    wg_tensor y;
    const double *weight;  /* the result is the sum of y's elements times these */
    uint32_t nodes, steps; /* nodes that there were when it was made; steps to take */
    uint32_t *step;        /* their nodes, in order */
    uint32_t *moves;       /* by node: bit i where it depends on x[i] */
    int last;              /* the input that the last run moved; -1: there was none */
    wg_replay_text *text;  /* by node: what it is computed by; of `room` nodes */
    size_t room;
    wg_dd **value;         /* by node; NULL: not needed */
    wg_dd **start;         /* the values of x, one an input */
    uint64_t *branch;      /* by step: a hash of the branches it took */
    uint64_t branches;     /* of all of them in the last run */
    wg_dd unmoved;         /* the result at the start, and its branches; not yet where that is false: */
    uint64_t unmoved_branches;
    bool is_unmoved_known;
    bool trusted[WG_REPLAY_INPUTS]; /* by input: it was seen to be the function a step away */
    double largest;        /* weight times element of y: the largest of the last run */
    char without[48];      /* the operation that has no such form */
} wg_replay;

/* Prepares it; what it takes is the arena's. False: it cannot be done, and `without` says for what. */
bool wg_replay_make(wg_replay *r, uint32_t low);
/* The same by a complex step: the result, and in the second part its derivative. *size receives the sum of its terms'
 * magnitudes. NaN where there is no such form. */
wg_dd wg_replay_complex(wg_replay *r, int at, int64_t element, const double *direction, double t, double *size);
/* y = f(x) for each element of an elementwise step; how a step that is none depends on its operands; is it so but for a
 * bias? */
void wg_replay_map(wg_replay *r, uint32_t index, wg_dd (*f)(void *user, const wg_dd *x), void *user);
wg_linearity wg_replay_linearity(const wg_op *op);
bool wg_replay_affine(const wg_op *op);
/* The result at the inputs themselves, into r->unmoved and r->unmoved_branches. */
void wg_replay_unmoved(wg_replay *r);
/* The result with input `at` moved by t along the direction, or its element (not < 0) alone. Its first part is NaN
 * where that fails. */
wg_dd wg_replay_run(wg_replay *r, int at, int64_t element, const double *direction, double t);

#endif
