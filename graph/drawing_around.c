/* A neighbourhood of a drawing: what lies within so many edges of what was named. The rest is left out of the order of
 * writing; edges to it stay, to be drawn as cut. */
#include "graph/drawing.h"

#define RADIUS 2 /* edges, unless told otherwise */

/* By the tensor's name, the operation's, that of a parameter on its card, a scope's path or name, or its id. */
static bool is_called(const wg_drawing *d, const wg_shown *item, const char *name)
{
    const wg_fact *node = &d->facts->node[item->node];
    char id[16];
    if (item->kind == WG_ITEM_CLOSED) {
        const wg_place_in *scope = &d->scope[item->stands_for];
        return !strcmp(scope->path, name) || !strcmp(scope->name, name);
    }
    for (uint32_t r = 0; r < item->rows; r++)
        if (!strcmp(wg_fact_output(d->facts, d->row[item->first_row + r])->name, name))
            return true;
    snprintf(id, sizeof id, "n%u", item->node);
    if (!strcmp(id, name) || (!wg_fact_is_leaf(node) && !strcmp(node->op, name)))
        return true;
    for (uint32_t k = 0; k < node->outputs; k++)
        if (!strcmp(d->facts->output[node->output + k].name, name))
            return true;
    for (uint32_t s = item->scope; s; s = d->scope[s].parent)
        if (!strcmp(d->scope[s].path, name) || !strcmp(d->scope[s].name, name))
            return true;
    return false;
}

/* The other end of each edge, by item: `first` has where an item's begin. */
static bool neighbours_listed(const wg_drawing *d, uint32_t **first, uint32_t **other)
{
    size_t items = d->items;
    *first = wg_arena(d->tape, (items + 2) * sizeof **first);
    *other = wg_arena(d->tape, (2 * (size_t)d->edges + 1) * sizeof **other);
    uint32_t *next = wg_arena(d->tape, (items + 1) * sizeof *next);
    if (!*first || !*other || !next)
        return false;
    memset(*first, 0, (items + 2) * sizeof **first);
    for (uint32_t e = 0; e < d->edges; e++) {
        (*first)[d->edge[e].from + 1]++;
        (*first)[d->edge[e].to + 1]++;
    }
    for (uint32_t i = 0; i < d->items; i++)
        (*first)[i + 1] += (*first)[i];
    memcpy(next, *first, items * sizeof *next);
    for (uint32_t e = 0; e < d->edges; e++) {
        (*other)[next[d->edge[e].from]++] = d->edge[e].to;
        (*other)[next[d->edge[e].to]++] = d->edge[e].from;
    }
    return true;
}

/* A card goes with its operation. */
static void cards_follow(const wg_drawing *d)
{
    for (uint32_t e = 0; e < d->edges; e++)
        if (wg_is_beside(&d->item[d->edge[e].from]))
            d->item[d->edge[e].from].outside = d->item[d->edge[e].to].outside;
}

wg_status wg_drawing_cut(wg_drawing *d, const char *name)
{
    const char *around = d->options.around;
    uint32_t *first, *other, *queue = wg_arena(d->tape, ((size_t)d->items + 1) * sizeof *queue), n = 0, left = 0;
    if (!queue || !neighbours_listed(d, &first, &other))
        return wg_no_memory(d->tape, name, (size_t)d->items * sizeof *queue);
    for (uint32_t i = 0; i < d->ordered; i++) {
        wg_shown *item = &d->item[d->order[i]];
        item->outside = !is_called(d, item, around);
        if (!item->outside)
            queue[n++] = d->order[i];
    }
    if (!n)
        return wg_report(d->tape, name, WG_ERROR_VALUE, "nothing that is drawn is called %.100s", around);
    int radius = d->options.radius > 0 ? d->options.radius : RADIUS;
    for (uint32_t at = 0, end = n; radius > 0 && at < n; end = n, radius--)
        for (; at < end; at++)
            for (uint32_t k = first[queue[at]]; k < first[queue[at] + 1]; k++)
                if (d->item[other[k]].outside) {
                    d->item[other[k]].outside = false;
                    queue[n++] = other[k];
                }
    cards_follow(d);
    for (uint32_t i = 0; i < d->ordered; i++)
        if (!d->item[d->order[i]].outside)
            d->order[left++] = d->order[i];
    d->ordered = left;
    return WG_OK;
}
