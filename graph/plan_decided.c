/* What a run would have to decide again. C code that reads a value while it records may record something else for
 * another one; so may functions that choose, repeat or solve. A compiled function does what was recorded, whatever its
 * inputs are: where what its outputs need was recorded after such a reading of a value that changes from run to run, it
 * is refused. */
#include "graph/plan.h"

/* "loss", "input 0", "the result of wg_greater" */
static const char *value_text(const wg_plan *p, uint32_t i, char *text, size_t size)
{
    const wg_node *node = wg_plan_node(p, i);
    if (node->extra && node->extra->name)
        snprintf(text, size, "%.60s", node->extra->name);
    else if (p->value[i].flags & WG_VALUE_INPUT)
        snprintf(text, size, "input %d", (int)p->value[i].slot);
    else
        snprintf(text, size, "the result of wg_%.60s", node->op->name);
    return text;
}

/* " at train.c:12" */
static const char *place_text(const wg_plan *p, uint32_t place, char *text, size_t size)
{
    memcpy(text, " at ", 5);
    wg_place_text(p->tape, place, text + 4, size - 4);
    if (!text[4])
        text[0] = 0;
    return text;
}

/* A parameter's own values are looked at by whoever trains a model, and change by the program's doing. */
static bool changes(const wg_plan *p, uint32_t i)
{
    unsigned flags = p->value[i].flags;
    return flags & WG_VALUE_INPUT || (flags & WG_VALUE_VARIES && !wg_is_leaf_node(wg_plan_node(p, i)));
}

static wg_status refused(const wg_plan *p, const wg_decision *d, uint32_t later)
{
    char place[2][256], value[100];
    place_text(p, d->place, place[0], sizeof place[0]);
    if (d->node == WG_ABSENT || d->node == d->from)
        return wg_report(p->tape, "wg_compile", WG_ERROR_VALUE,
                         "%s%s went by the values it was recorded with, and a run does not look again; .reads = true "
                         "compiles it all the same", d->name, place[0]);
    const wg_node *node = wg_plan_node(p, later);
    bool is_leaf = wg_is_leaf_node(node);
    place_text(p, node->place, place[1], sizeof place[1]);
    return wg_report(
        p->tape, "wg_compile", WG_ERROR_VALUE,
        "%s%s looked at %s, and %s%s%s, recorded later, may be there for what it saw, while a run does not "
        "look again; wg_where chooses at each run, and .reads = true compiles what was recorded",
        d->name, place[0], value_text(p, d->node, value, sizeof value), is_leaf ? "a " : "wg_",
        is_leaf ? "constant" : node->op->name, place[1]);
}

uint32_t wg_plan_deciding(const wg_plan *p)
{
    uint32_t nodes = p->nodes;
    for (uint32_t k = 0; k < p->tape->decisions; k++) {
        const wg_decision *d = &p->tape->decision[k];
        if (d->from < p->nodes && d->node >= nodes && d->node < p->f->recorded)
            nodes = d->node + 1;
    }
    return nodes;
}

/* The first node that the outputs need and that is what it is by decision d, maybe; WG_NEVER: there is none. */
static uint32_t decided_node(const wg_plan *p, const wg_decision *d)
{
    if (d->node != WG_ABSENT && (d->node >= p->nodes || !changes(p, d->node)))
        return WG_NEVER;
    for (uint32_t i = d->from; i < p->f->recorded && i < p->nodes && i < d->to; i++)
        if (p->value[i].flags & (WG_VALUE_NEEDED | WG_VALUE_CALLED))
            return i;
    return WG_NEVER;
}

wg_status wg_plan_calls_none_back(const wg_plan *p)
{
    for (uint32_t i = 0; i < p->nodes; i++) {
        const wg_node *node = wg_plan_node(p, i);
        char place[256];
        if (node->op->calls_back && wg_is_step(p, i))
            return wg_report(p->tape, "wg_compile", WG_ERROR_UNSUPPORTED,
                             "wg_%s%s is a function of the program's, which a run does not call: call that function "
                             "itself, so that its steps are recorded and compiled", node->op->name,
                             place_text(p, node->place, place, sizeof place));
    }
    return WG_OK;
}

wg_status wg_plan_undecided(const wg_plan *p)
{
    const wg_tape *tape = p->tape;
    for (uint32_t k = 0; k <= tape->decisions; k++) {
        const wg_decision *d = k < tape->decisions ? &tape->decision[k] : &tape->unnoted;
        uint32_t later = d->name ? decided_node(p, d) : WG_NEVER;
        if (later != WG_NEVER)
            return refused(p, d, later);
    }
    return WG_OK;
}
