/* What a plain backward pass would throw away, kept while it is watched: statistics of each adjoint, the time that each
 * call took forward and backward. The tape holds a pointer to it, NULL while nothing is watched. */
#include "graph/observe.h"

#include "wengert/pictures.h"

typedef struct {
    uint32_t epoch; /* of the node this is about */
    bool known;
    double seconds, seconds_backward;
    wg_statistics *gradient; /* of its own until the tape is freed; n < 0: none */
} entry;

typedef struct {
    wg_observer observer;
    wg_tape *tape;
    unsigned what;
    entry *entry; /* by node */
    uint32_t room;
} observation;

static observation *of_tape(const wg_tape *tape) { return (observation *)tape->observed; }

/* ---- Entries ----------------------------------------------------------------------------------------------------- */
static void emptied(entry *e, uint32_t epoch)
{
    *e = (entry){epoch, true, -1, -1, e->gradient};
    if (e->gradient)
        e->gradient->n = -1;
}

/* A node's, emptied where it is about an older one. NULL: no memory, and nothing is kept of it. */
static entry *entry_of(observation *o, uint32_t node)
{
    uint32_t before = o->room;
    if (!wg_tape_grow(o->tape, (void **)&o->entry, &o->room, (size_t)node + 1, sizeof *o->entry))
        return NULL;
    if (o->room > before)
        memset(o->entry + before, 0, (o->room - before) * sizeof *o->entry);
    entry *e = &o->entry[node];
    if (e->epoch != wg_node_at(o->tape, node)->epoch || !e->known)
        emptied(e, wg_node_at(o->tape, node)->epoch);
    return e;
}

static void called(wg_observer *self, uint32_t node, double seconds)
{
    observation *o = (observation *)self;
    for (uint32_t i = node; i < node + wg_node_at(o->tape, node)->n_out; i++) {
        entry *e = entry_of(o, i);
        if (!e)
            return;
        emptied(e, e->epoch);
        e->seconds = o->what & WG_TIME && i == node ? seconds : -1;
    }
}

void wg_observe_adjoint(wg_tape *tape, uint32_t node, const void *values)
{
    observation *o = of_tape(tape);
    entry *e = o->what & WG_STATS ? entry_of(o, node) : NULL;
    if (!e || (!e->gradient && !(e->gradient = wg_tape_allocate(tape, sizeof *e->gradient))))
        return;
    const wg_node *of = wg_node_at(tape, node);
    wg_measure_values((wg_dtype)of->dtype, values, wg_node_count(of), e->gradient);
}

void wg_observe_backward(wg_tape *tape, uint32_t node, double seconds)
{
    observation *o = of_tape(tape);
    entry *e = o->what & WG_TIME ? entry_of(o, node) : NULL;
    if (e)
        e->seconds_backward = seconds;
}

/* ---- What was kept ----------------------------------------------------------------------------------------------- */
static const entry *known(const wg_tape *tape, uint32_t node)
{
    const observation *o = of_tape(tape);
    const entry *e = o && node < o->room ? &o->entry[node] : NULL;
    return e && e->known && e->epoch == wg_node_at(tape, node)->epoch ? e : NULL;
}

bool wg_observes_values(const wg_tape *tape) { return tape->observed && of_tape(tape)->what & WG_STATS; }

const wg_statistics *wg_observed_gradient(const wg_tape *tape, uint32_t node)
{
    const entry *e = known(tape, node);
    return e && e->gradient && e->gradient->n >= 0 ? e->gradient : NULL;
}

void wg_observed_seconds(const wg_tape *tape, uint32_t node, double *forward, double *backward)
{
    const entry *e = known(tape, node);
    *forward = e ? e->seconds : -1;
    *backward = e ? e->seconds_backward : -1;
}

/* ---- On and off -------------------------------------------------------------------------------------------------- */
static void observation_free(void *object)
{
    observation *o = object;
    for (uint32_t i = 0; i < o->room; i++)
        if (o->entry[i].gradient)
            wg_tape_release(o->tape, o->entry[i].gradient, sizeof *o->entry[i].gradient);
    wg_tape_release(o->tape, o->entry, o->room * sizeof *o->entry);
    wg_tape_release(o->tape, o, sizeof *o);
}

wg_status (wg_observe)(wg_tape *tape, unsigned what)
{
    if (!tape)
        return WG_ERROR_VALUE;
    if (what & ~(unsigned)(WG_STATS | WG_TIME))
        return wg_report(tape, "wg_observe", WG_ERROR_VALUE, "there is no %u to observe", what);
    observation *o = of_tape(tape);
    if (!o) {
        if (!(o = wg_tape_allocate(tape, sizeof *o)))
            return wg_no_memory(tape, "wg_observe", sizeof *o);
        *o = (observation){.observer = {called}, .tape = tape};
        if ((wg_tape_own)(tape, o, observation_free))
            return tape->status;
        tape->observed = &o->observer;
    }
    o->what = what;
    tape->observer = what ? &o->observer : NULL;
    wg_forget_place(tape);
    return WG_OK;
}
