/* The edges of a drawing, grouped by what they go into; which column is the straight one; the order of writing. */
#include "graph/drawing.h"

static bool is_leaf(const wg_node *node) { return wg_node_is(node, WG_NODE_LEAF); }

static bool is_input(const wg_shown *item) { return item->kind == WG_ITEM_INPUT || item->kind == WG_ITEM_CONSTANT; }

bool wg_is_beside(const wg_shown *item)
{
    return item->kind == WG_ITEM_CARD || (is_input(item) && !item->main && item->uses == 1);
}

bool wg_is_hidden(const wg_drawing *d, const wg_shown *item)
{
    return item->kind != WG_ITEM_CLOSED && d->scope[item->scope].closed != WG_NOWHERE;
}

uint32_t wg_seen_as(const wg_drawing *d, uint32_t item)
{
    return wg_is_hidden(d, &d->item[item]) ? d->scope[d->item[item].scope].closed : item;
}

uint32_t wg_source_item(const wg_drawing *d, const wg_node *node, int k, uint32_t *tensor)
{
    uint32_t x = wg_node_in(node)[k];
    if (x == WG_ABSENT)
        return WG_NOWHERE;
    *tensor = wg_drawing_source(d, x);
    return d->item_of[wg_call_first(d->tape, *tensor)];
}

/* ---- The straight column ----------------------------------------------------------------------------------------- */
/* From the root up along the operand that most operations lead to, of those with a gradient if there are any. */
static void main_path(wg_drawing *d, uint32_t *length)
{
    for (uint32_t i = 0; i < d->items; i++) { /* in tape order, cards aside */
        const wg_node *node = wg_node_at(d->tape, d->item[i].node);
        uint32_t longest = 0, x;
        for (int k = 0; !is_leaf(node) && d->item[i].kind != WG_ITEM_CLOSED && k < node->n_in; k++) {
            uint32_t from = wg_source_item(d, node, k, &x);
            longest = from != WG_NOWHERE && length[from] > longest ? length[from] : longest;
        }
        length[i] = is_leaf(node) ? 0 : longest + 1;
    }
    for (uint32_t at = d->item_of[wg_call_first(d->tape, d->root)], next; at != WG_NOWHERE; at = next) {
        const wg_node *node = wg_node_at(d->tape, d->item[at].node);
        d->item[at].main = d->item[wg_seen_as(d, at)].main = true;
        int best = -1;
        next = WG_NOWHERE;
        for (int k = 0; !is_leaf(node) && k < node->n_in; k++) {
            uint32_t x = 0, from = wg_source_item(d, node, k, &x);
            if (from == WG_NOWHERE || wg_node_is(wg_node_at(d->tape, x), WG_NODE_PARAM))
                continue;
            bool flows = !wg_node_is(wg_node_at(d->tape, x), WG_NODE_CUT) && !is_leaf(wg_node_at(d->tape, x));
            int worth = (int)(length[from] & 0x3fffffff) | (flows ? 0x40000000 : 0);
            if (worth > best) {
                best = worth;
                next = from;
            }
        }
        if (next != WG_NOWHERE && wg_seen_as(d, next) != wg_seen_as(d, at))
            d->item[wg_seen_as(d, at)].above = wg_seen_as(d, next);
    }
}

/* ---- Edges ------------------------------------------------------------------------------------------------------- */
/* Do several computed operands come in, so that their names matter? */
static bool operands_named(const wg_drawing *d, const wg_node *node)
{
    int computed = 0;
    const uint32_t *in = wg_node_in(node);
    for (int k = 0; k < node->n_in; k++)
        computed += in[k] != WG_ABSENT && !is_leaf(wg_node_at(d->tape, wg_drawing_source(d, in[k])));
    return computed >= 2 && node->op->in[1].name && !node->op->map;
}

static void edges_into(wg_drawing *d, uint32_t item)
{
    const wg_node *node = wg_node_at(d->tape, d->item[item].node);
    bool named = operands_named(d, node);
    for (int k = 0; k < node->n_in; k++) {
        uint32_t x = 0, from = wg_source_item(d, node, k, &x);
        if (from == WG_NOWHERE)
            continue;
        wg_edge e = {.from = wg_seen_as(d, from), .to = wg_seen_as(d, item), .node = x, .operand = k, .named = named};
        if (e.from != e.to)
            d->edge[d->edges++] = e;
    }
}

/* Sorts the edges by what they go into, and drops those that are there already: one a tensor, one a card. Counting, so
 * that the order of recording stays. `sorted` has room for all. */
static void edges_grouped(wg_drawing *d, wg_edge *sorted, uint32_t *last)
{
    for (uint32_t e = 0; e < d->edges; e++)
        d->item[d->edge[e].to].edges++;
    uint32_t next = 0;
    for (uint32_t i = 0; i < d->items; i++) {
        d->item[i].first_edge = next;
        next += d->item[i].edges;
        d->item[i].edges = 0;
    }
    for (uint32_t e = 0; e < d->edges; e++) {
        wg_shown *to = &d->item[d->edge[e].to];
        sorted[to->first_edge + to->edges++] = d->edge[e];
    }
    memset(last, 0xff, ((size_t)d->root + 1) * sizeof *last);
    d->edges = 0;
    for (uint32_t i = 0; i < d->items; i++) {
        wg_shown *to = &d->item[i];
        uint32_t first = to->first_edge, n = to->edges;
        to->first_edge = d->edges;
        to->edges = 0;
        for (uint32_t e = first; e < first + n; e++) {
            const wg_shown *from = &d->item[sorted[e].from];
            uint32_t key = from->kind == WG_ITEM_CARD ? from->node : sorted[e].node;
            if (last[key] == i)
                continue;
            last[key] = i;
            d->edge[d->edges++] = sorted[e];
            to->edges++;
            d->item[sorted[e].from].uses += from->kind != WG_ITEM_PARAM;
        }
    }
}

/* A tensor is labelled on its first edge, unless what it comes from tells its shape beside the line. */
static void edges_labelled(wg_drawing *d, uint32_t *last)
{
    memset(last, 0xff, ((size_t)d->root + 1) * sizeof *last);
    for (uint32_t i = 0; i < d->ordered; i++) {
        const wg_shown *to = &d->item[d->order[i]];
        for (uint32_t e = to->first_edge; e < to->first_edge + to->edges; e++) {
            const wg_shown *from = &d->item[d->edge[e].from];
            bool told = from->kind == WG_ITEM_CARD || from->kind == WG_ITEM_PARAM || from->kind == WG_ITEM_CONSTANT ||
                        (from->kind == WG_ITEM_INPUT && !from->main);
            d->edge[e].labelled = !told && last[d->edge[e].node] == WG_NOWHERE;
            last[d->edge[e].node] = i;
        }
    }
}

/* ---- The order of writing ---------------------------------------------------------------------------------------- */
static void place(wg_drawing *d, uint32_t item)
{
    if (item == WG_NOWHERE || d->item[item].placed)
        return;
    d->item[item].placed = true;
    d->order[d->ordered++] = item;
}

/* Inputs that one operation takes are drawn with it, in its scope. */
static void order_make(wg_drawing *d)
{
    for (uint32_t i = 0; i < d->items; i++) {
        uint32_t item = wg_seen_as(d, i);
        const wg_shown *shown = &d->item[item];
        if (shown->placed || is_input(shown) || shown->kind == WG_ITEM_CARD || shown->kind == WG_ITEM_PARAM)
            continue;
        for (uint32_t e = shown->first_edge; e < shown->first_edge + shown->edges; e++) {
            wg_shown *from = &d->item[d->edge[e].from];
            if (is_input(from) && wg_is_beside(from))
                from->scope = shown->scope;
            if (is_input(from) || from->kind == WG_ITEM_PARAM || from->kind == WG_ITEM_CARD)
                place(d, d->edge[e].from);
        }
        place(d, item);
    }
}

bool wg_edges_make(wg_drawing *d)
{
    size_t operands = 0;
    for (uint32_t i = 0; i < d->items; i++) {
        const wg_node *node = wg_node_at(d->tape, d->item[i].node);
        operands += d->item[i].kind == WG_ITEM_CLOSED || is_leaf(node) ? 0 : node->n_in;
    }
    size_t n = (operands > d->items ? operands : d->items) + (size_t)d->root + 1;
    uint32_t *work = wg_arena(d->tape, n * sizeof *work);
    wg_edge *sorted = wg_arena(d->tape, (operands + 1) * sizeof *sorted);
    d->edge = wg_arena(d->tape, (operands + 1) * sizeof *d->edge);
    d->order = wg_arena(d->tape, ((size_t)d->items + 1) * sizeof *d->order);
    if (!work || !sorted || !d->edge || !d->order)
        return false;
    memset(work, 0, n * sizeof *work);
    main_path(d, work);
    for (uint32_t i = 0; i < d->items; i++)
        if (d->item[i].kind != WG_ITEM_CLOSED && !is_leaf(wg_node_at(d->tape, d->item[i].node)))
            edges_into(d, i);
    edges_grouped(d, sorted, work);
    order_make(d);
    edges_labelled(d, work);
    return true;
}
