/* What the backward and the forward traversal share. Private to graph/. */
#ifndef GRAPH_TRAVERSE_H
#define GRAPH_TRAVERSE_H

#include "core/tape.h"
#include "wengert/derivatives.h"

/* The stretch of tape between what is differentiated by (low end) and what is differentiated (high end). */
typedef struct {
    wg_tape *tape;
    const char *name; /* of the public function, for errors */
    uint32_t low, high;
    unsigned char *state; /* a byte a node */
} wg_stretch;

enum {
    WG_STATE_TARGET = 1,  /* asked for */
    WG_STATE_NEEDED = 2,  /* a derivative has to pass through it */
    WG_STATE_REACHED = 4, /* its adjoint or tangent is there */
    WG_STATE_KEPT = 8     /* its adjoint's memory belongs to somebody else */
};

static inline unsigned char *wg_state(const wg_stretch *s, uint32_t i) { return &s->state[i - s->low]; }

/* Marks what a derivative with respect to the targets passes through, from the targets up. */
void wg_stretch_needed(const wg_stretch *stretch);
/* Operand i of a node, as an index within the stretch; WG_ABSENT where nothing needs its derivative. */
static inline uint32_t wg_stretch_operand(const wg_stretch *s, const uint32_t *in, int i)
{
    uint32_t x = in[i];
    return x != WG_ABSENT && x >= s->low && *wg_state(s, x) & WG_STATE_NEEDED ? x : WG_ABSENT;
}
/* The derivative rule of operand i; NULL: none. */
wg_vjp_rule *wg_vjp_of(const wg_op *op, int i);
/* Has the entry a derivative by operand i? */
static inline bool wg_differentiates(const wg_op *op, int i)
{
    return (op->map && i < 3 && op->map->slope[i]) || op->pull || wg_vjp_of(op, i);
}
/* Has an entry make what the rules of this call share. */
wg_status wg_share(wg_call *c, const char *name);
/* Refuses to differentiate a node whose saved values were changed since. */
wg_status wg_stretch_intact(const wg_stretch *s, const wg_node *node, uint32_t index);

/* g summed over the axes that broadcasting stretched, as a tensor of that shape; g itself where it has it. */
wg_tensor wg_sum_to(wg_tensor g, const wg_type *x);
/* Slope `which` of an elementwise call as graph code, times g: 0 where g is. */
wg_tensor wg_chain_map(const wg_call *c, int which, wg_tensor g);
/* The same as one operation that runs the slope's kernel and has no derivative: for what is recorded to be run
 * again. */
wg_tensor wg_pull_map(const wg_call *c, int which, wg_tensor g);
/* a + b. Where one is such a product whose slope is there as it is, or a negative, or zeros but for a part, the sum is
 * one operation, and that one, if nothing else needs it, none. */
wg_tensor wg_pulled_sum(wg_tensor a, wg_tensor b);
/* to[i] += from[i], n elements of a float dtype. */
void wg_values_add(wg_dtype dtype, int64_t n, const void *from, void *to);
/* Are all elements zero? */
bool wg_all_zero(const wg_node *node);

/* Work whose nodes and memory are given back when it ends; what it leaves must have been made before. */
typedef struct {
    wg_short_mark before;
    uint32_t marked;
} wg_aside;
static inline wg_aside wg_aside_begin(wg_tape *tape)
{
    wg_aside aside = {wg_short_at(tape), tape->marked};
    tape->marked = tape->nodes; /* what is kept for nodes that stay must not go with the arena */
    return aside;
}
static inline void wg_aside_end(wg_tape *tape, wg_aside aside)
{
    wg_short_back(tape, aside.before);
    tape->marked = aside.marked;
}

/* Nothing was reached from ys. That is an error where they are made of a derivative that was not recorded: whoever asks
 * expects more than zeros of it. */
wg_status wg_stretch_recorded(wg_tape *tape, const char *name, const wg_tensor *ys, int n_ys);

/* The tape of what a derivative is asked of: ys[0 ... n_ys) and xs[0 ... n) are tensors of one tape and one float
 * dtype. NULL, and the error reported for the function `name` where there is a tape, where they are not. */
wg_tape *wg_one_tape(const char *name, const wg_tensor *ys, int n_ys, const wg_tensor *xs, int n);

/* d y / d xs, recorded, in the arena: what a second derivative is the derivative of. NULL, and the error reported. */
wg_tensor *wg_recorded_gradient(wg_tensor y, const wg_tensor *xs, int n, const char *name);

/* Pulls the cotangents back to the targets. Plain: leaf `result[i]`, contiguous and of xs[i]'s type, receives the sum;
 * reached[i] says whether any path led there, else its values are untouched. */
typedef struct {
    const wg_tensor *ys, *cotangents;
    int n_ys;
    const wg_tensor *xs;
    int n_xs;
    wg_tensor *result;
    bool *reached;
    bool last; /* recorded: to be run again, but not to be differentiated */
} wg_pullback;

wg_status wg_pull_plain(wg_tape *tape, const char *name, const wg_pullback *p);
/* Recorded: result[i] is set to the tensor, or to WG_NONE where no path led there. */
wg_status wg_pull_recorded(wg_tape *tape, const char *name, const wg_pullback *p);

#endif
