/* What each instruction of a compiled function does, in words and numbers: for printing and profiles. */
#include "graph/plan.h"

enum { NAMED = 4, MOST_TEXT = 160 };

static const char *text_kept(wg_plan *p, const char *text)
{
    char *kept = wg_hold_take(p->f, strlen(text) + 1);
    return kept ? strcpy(kept, text) : NULL;
}

/* "linear", "add, tanh, multiply ...", "812 scalar operations" */
static const char *what_of(wg_plan *p, uint32_t begin, uint32_t end, uint32_t steps)
{
    char text[MOST_TEXT];
    size_t used = 0;
    uint32_t named = 0;
    if (wg_is_scalar_step(p, begin) && steps > NAMED) {
        snprintf(text, sizeof text, "%u scalar operations", (unsigned)steps);
        return text_kept(p, text);
    }
    text[0] = 0;
    for (uint32_t i = begin; i < end && named <= NAMED && used + 40 < sizeof text; i++) {
        if (!wg_is_step(p, i))
            continue;
        const char *name = wg_plan_node(p, i)->op->name;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.30s", named ? ", " : "",
                                 named == NAMED ? "..." : name);
        named++;
    }
    return text_kept(p, text);
}

/* Bytes that step i exchanges with memory. */
static double bytes_of(const wg_plan *p, uint32_t i)
{
    const wg_node *node = wg_plan_node(p, i);
    const uint32_t *in = wg_node_in(node);
    double bytes = 0;
    for (int k = 0; k < node->n_in; k++)
        if (in[k] != WG_ABSENT && !(p->value[p->value[in[k]].root].flags & WG_VALUE_INNER))
            bytes += (double)wg_node_bytes(wg_plan_node(p, in[k]));
    for (uint32_t k = 0; k < node->n_out; k++)
        if (!(p->value[i + k].flags & WG_VALUE_INNER))
            bytes += (double)wg_node_bytes(wg_plan_node(p, i + k));
    return bytes;
}

/* Those that the entry states; one an element of an elementwise operation, as good as any count. */
static double flops_of(const wg_plan *p, uint32_t i)
{
    const wg_op *op = wg_plan_node(p, i)->op;
    if (!op->flops)
        return op->map ? (double)wg_node_count(wg_plan_node(p, i)) : -1;
    wg_arena_mark before = wg_arena_at(p->tape);
    const wg_call *c = wg_call_again(p->tape, i);
    double flops = c ? op->flops(c) : -1;
    wg_arena_back(p->tape, before);
    return flops;
}

static bool note_made(wg_plan *p, wg_note *note, uint32_t begin, uint32_t end)
{
    uint32_t steps = 0, last = begin;
    double flops = 0;
    for (uint32_t i = begin; i < end; i++) {
        if (!wg_is_step(p, i))
            continue;
        double more = wg_is_scalar_step(p, i) ? 1 : flops_of(p, i);
        flops = flops < 0 || more < 0 ? -1 : flops + more;
        note->bytes += bytes_of(p, i);
        last = i;
        steps++;
    }
    char path[256];
    note->steps = steps;
    note->begin = begin;
    note->end = end;
    note->flops = flops;
    note->y = wg_node_type(wg_plan_node(p, last));
    note->what = what_of(p, begin, end, steps);
    note->scope = text_kept(p, wg_scope_path(p->tape, wg_plan_node(p, begin)->scope, path, sizeof path));
    return note->what && note->scope;
}

bool wg_notes_made(wg_plan *p, size_t first, uint32_t begin, uint32_t end)
{
    const wg_function *f = p->f;
    for (size_t k = first; k < f->n_instructions; k++)
        f->note[k] = (wg_note){.what = "copy", .scope = "", .seconds = -1};
    return begin >= end || f->n_instructions == first || note_made(p, &f->note[f->n_instructions - 1], begin, end);
}
