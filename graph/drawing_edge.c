/* The edges of a drawing, grouped by what they go into; which column is the straight one; the order of writing. */
#include "graph/drawing.h"

static bool is_leaf(const wg_drawing *d, uint32_t node) { return wg_fact_is_leaf(&d->facts->node[node]); }

static bool is_input(const wg_shown *item) { return item->kind == WG_ITEM_INPUT || item->kind == WG_ITEM_CONSTANT; }

bool wg_is_beside(const wg_shown *item)
{
    return item->kind == WG_ITEM_CARD || (item->kind == WG_ITEM_PARAM && item->uses == 1) ||
           (is_input(item) && !item->main && item->uses == 1);
}

bool wg_is_hidden(const wg_drawing *d, const wg_shown *item)
{
    return item->kind != WG_ITEM_CLOSED && d->scope[item->scope].closed != WG_NOWHERE;
}

uint32_t wg_seen_as(const wg_drawing *d, uint32_t item)
{
    return wg_is_hidden(d, &d->item[item]) ? d->scope[d->item[item].scope].closed : item;
}

/* ---- The straight column ----------------------------------------------------------------------------------------- */
/* From the root up along the operand that most operations lead to, of those with a gradient if there are any. */
static void main_path(wg_drawing *d, uint32_t *length)
{
    const wg_facts *f = d->facts;
    for (uint32_t i = 0; i < d->items; i++) { /* in tape order, cards aside */
        const wg_fact *node = &f->node[d->item[i].node];
        uint32_t longest = 0;
        for (uint32_t k = 0; d->item[i].kind != WG_ITEM_CLOSED && k < node->operands; k++) {
            uint32_t from = wg_item_of(d, f->operand[node->operand + k].from);
            longest = from != WG_NOWHERE && length[from] > longest ? length[from] : longest;
        }
        length[i] = wg_fact_is_leaf(node) ? 0 : longest + 1;
    }
    for (uint32_t at = d->item_of[f->root[f->roots - 1]], next; at != WG_NOWHERE; at = next) {
        const wg_fact *node = &f->node[d->item[at].node];
        d->item[at].main = d->item[wg_seen_as(d, at)].main = true;
        int best = -1;
        next = WG_NOWHERE;
        for (uint32_t k = 0; k < node->operands; k++) {
            uint32_t x = d->source[f->operand[node->operand + k].from], from = wg_item_of(d, x);
            if (from == WG_NOWHERE || f->node[x].kind == WG_FACT_PARAMETER)
                continue;
            bool flows = !f->node[x].cut && !is_leaf(d, x);
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
static void edges_into(wg_drawing *d, uint32_t item)
{
    const wg_facts *f = d->facts;
    const wg_fact *node = &f->node[d->item[item].node];
    for (uint32_t k = 0; k < node->operands; k++) {
        const wg_operand_fact *o = &f->operand[node->operand + k];
        uint32_t x = d->source[o->from], from = wg_item_of(d, x);
        if (from == WG_NOWHERE)
            continue;
        wg_edge e = {.from = wg_seen_as(d, from), .to = wg_seen_as(d, item), .node = d->same[x],
                     .user = d->item[item].node, .output = x == o->from ? o->output : 0, .operand = (int)k,
                     .named = node->ordered};
        if (e.from != e.to)
            d->edge[d->edges++] = e;
    }
}

/* What an edge is told apart by: a tensor, or a card. */
static uint32_t key_of(const wg_drawing *d, const wg_edge *e)
{
    const wg_shown *from = &d->item[e->from];
    const wg_fact *node = &d->facts->node[from->kind == WG_ITEM_CARD ? from->node : e->node];
    return from->kind == WG_ITEM_CARD ? node->output : node->output + (uint32_t)e->output;
}

/* Sorts the edges by what they go into, and drops those that are there already: one a tensor, one a card. Counting, so
 * that the order of recording stays. `sorted` has room for all, `last` for all outputs. */
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
    memset(last, 0xff, ((size_t)d->facts->outputs + 1) * sizeof *last);
    d->edges = 0;
    for (uint32_t i = 0; i < d->items; i++) {
        wg_shown *to = &d->item[i];
        uint32_t first = to->first_edge, n = to->edges;
        to->first_edge = d->edges;
        to->edges = 0;
        for (uint32_t e = first; e < first + n; e++) {
            uint32_t key = key_of(d, &sorted[e]);
            if (last[key] == i)
                continue;
            last[key] = i;
            d->edge[d->edges++] = sorted[e];
            to->edges++;
            d->item[sorted[e].from].uses += d->item[sorted[e].from].kind != WG_ITEM_PARAM;
        }
    }
}

/* A tensor is labelled on its first edge, unless what it comes from tells its shape beside the line. */
static void edges_labelled(wg_drawing *d, uint32_t *last)
{
    memset(last, 0xff, ((size_t)d->facts->outputs + 1) * sizeof *last);
    for (uint32_t i = 0; i < d->ordered; i++) {
        const wg_shown *to = &d->item[d->order[i]];
        for (uint32_t e = to->first_edge; e < to->first_edge + to->edges; e++) {
            const wg_shown *from = &d->item[d->edge[e].from];
            bool told = from->kind == WG_ITEM_CARD || from->kind == WG_ITEM_PARAM || from->kind == WG_ITEM_CONSTANT ||
                        (from->kind == WG_ITEM_INPUT && !from->main);
            uint32_t key = key_of(d, &d->edge[e]);
            d->edge[e].labelled = !told && last[key] == WG_NOWHERE;
            last[key] = i;
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

/* ---- What stands in each scope ----------------------------------------------------------------------------------- */
static void append(const wg_drawing *d, uint32_t *last, uint32_t scope, uint32_t entry)
{
    *(d->first_in[scope] == WG_NOWHERE ? &d->first_in[scope] : &d->next_in[last[scope]]) = entry;
    last[scope] = entry;
}

/* A scope stands where its first item does. */
bool wg_contents_make(wg_drawing *d)
{
    size_t n = (size_t)d->items + 4 * (size_t)d->scopes;
    uint32_t *memory = wg_arena(d->tape, (n + 1) * sizeof *memory);
    if (!memory)
        return false;
    memset(memory, 0xff, (n + 1) * sizeof *memory);
    d->first_in = memory;
    d->next_in = d->first_in + d->scopes;
    /* Scopes that stand in their parents */
    uint32_t *last = d->next_in + d->items + d->scopes, *known = last + d->scopes;
    for (uint32_t i = 0; i < d->ordered; i++) {
        uint32_t chain[64];
        int length = 0;
        for (uint32_t s = d->item[d->order[i]].scope; s && known[s] == WG_NOWHERE; s = d->scope[s].parent) {
            known[s] = 1;
            chain[length++] = s;
        }
        while (length-- > 0)
            append(d, last, d->scope[chain[length]].parent, d->items + chain[length]);
        append(d, last, d->item[d->order[i]].scope, d->order[i]);
    }
    return true;
}

bool wg_edges_make(wg_drawing *d)
{
    size_t operands = d->facts->operands, items = d->items, outputs = d->facts->outputs;
    size_t n = (outputs > items ? outputs : items) + 1;
    uint32_t *work = wg_arena(d->tape, n * sizeof *work);
    wg_edge *sorted = wg_arena(d->tape, (operands + 1) * sizeof *sorted);
    d->edge = wg_arena(d->tape, (operands + 1) * sizeof *d->edge);
    d->order = wg_arena(d->tape, (items + 1) * sizeof *d->order);
    if (!work || !sorted || !d->edge || !d->order)
        return false;
    memset(work, 0, n * sizeof *work);
    main_path(d, work);
    for (uint32_t i = 0; i < d->items; i++)
        if (d->item[i].kind != WG_ITEM_CLOSED && d->item[i].kind != WG_ITEM_CARD)
            edges_into(d, i);
    edges_grouped(d, sorted, work);
    order_make(d);
    edges_labelled(d, work);
    return true;
}
