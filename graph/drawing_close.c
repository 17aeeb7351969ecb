/* Which scopes are drawn closed, as one node: those that are named, those that are too deep for the options or for a
 * page. Where no scope is left to close, operations in a row are joined. */
#include "graph/drawing.h"

#define A_RUN 4         /* operations in a row that are worth joining */
#define LONGEST_RUN 250 /* of them, unless the graph is so large that a page would be full all the same */

/* ---- How many nodes are drawn ------------------------------------------------------------------------------------ */
uint32_t wg_drawn_at(const wg_drawing *d, int depth)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->items; i++)
        n += d->scope[d->item[i].scope].depth <= depth;
    for (uint32_t s = 1; s < d->scopes; s++)
        n += !d->scope[s].copy && d->scope[s].depth - 1 == depth;
    return n;
}

static int deepest(const wg_drawing *d)
{
    int depth = 0;
    for (uint32_t s = 0; s < d->scopes; s++)
        depth = d->scope[s].depth > depth ? d->scope[s].depth : depth;
    return depth;
}

/* ---- Runs -------------------------------------------------------------------------------------------------------- */
/* The only item that an operation takes, parameters of its own aside; WG_NOWHERE where there are none or several. */
static uint32_t only_source(const wg_drawing *d, uint32_t item, uint32_t *takers)
{
    const wg_fact *node = &d->facts->node[d->item[item].node];
    uint32_t only = WG_NOWHERE;
    int n = 0;
    for (uint32_t k = 0; k < node->operands; k++) {
        uint32_t from = wg_item_of(d, d->facts->operand[node->operand + k].from);
        if (from == WG_NOWHERE || d->item[from].kind == WG_ITEM_CARD)
            continue;
        takers[from]++;
        only = n++ ? WG_NOWHERE : from;
    }
    return only;
}

/* May an operation be one of a row? Not where there is something to see at it. */
static bool is_plain(const wg_drawing *d, uint32_t item)
{
    const wg_shown *shown = &d->item[item];
    return shown->kind == WG_ITEM_OP && !shown->bad && !*wg_fact_output(d->facts, shown->node)->name;
}

/* Operations in a row, each taking only the one before, which nothing else takes, become a scope of their own. */
static bool runs_join(wg_drawing *d, int depth)
{
    uint32_t n = d->items, *memory = wg_arena(d->tape, 5 * ((size_t)n + 1) * sizeof *memory);
    if (!memory)
        return false;
    uint32_t *takers = memory, *only = takers + n, *run = only + n, *length = run + n, *scope = length + n;
    uint32_t longest = 2 * n / WG_PAGE > LONGEST_RUN ? 2 * n / WG_PAGE : LONGEST_RUN;
    memset(memory, 0, 5 * (size_t)n * sizeof *memory);
    for (uint32_t i = 0; i < n; i++)
        only[i] = wg_fact_is_leaf(&d->facts->node[d->item[i].node]) ? WG_NOWHERE : only_source(d, i, takers);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t s = only[i];
        bool joins = s != WG_NOWHERE && only[s] != WG_NOWHERE && takers[s] == 1 && is_plain(d, i) && is_plain(d, s) &&
                     d->item[s].scope == d->item[i].scope;
        run[i] = joins && length[run[s]] < longest ? run[s] : i;
        length[run[i]]++;
    }
    for (uint32_t i = 0; i < n; i++) {
        wg_shown *item = &d->item[i];
        if (length[run[i]] < A_RUN || d->scope[item->scope].depth > depth)
            continue;
        if (!scope[run[i]])
            scope[run[i]] = wg_scope_add_run(d, item->scope);
        if (scope[run[i]] == WG_NOWHERE)
            return false;
        item->scope = scope[run[i]];
        wg_place_in *in = &d->scope[item->scope];
        if (in->ops++ < WG_FEW)
            in->few[in->ops - 1] = item->node;
        if (item->card != WG_NOWHERE)
            d->item[item->card].scope = item->scope;
    }
    return true;
}

/* ---- Scopes that are named --------------------------------------------------------------------------------------- */
/* A star stands for any characters but a dot. */
static bool matches(const char *pattern, const char *text, size_t n)
{
    const char *end = text + n, *star = NULL, *again = NULL;
    while (text < end) {
        if (*pattern == '*') {
            star = pattern++;
            again = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star && *again != '.') {
            pattern = star + 1;
            text = ++again;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

/* By its path or its own name, each with or without the index. */
static bool is_named(const wg_place_in *scope, const char *const *names)
{
    for (; names && *names; names++) {
        const char *texts[] = {scope->path, scope->name};
        for (int i = 0; i < 2; i++)
            if (matches(*names, texts[i], strlen(texts[i])) || matches(*names, texts[i], wg_stem(texts[i])))
                return true;
    }
    return false;
}

static void scopes_shut(wg_drawing *d, int depth)
{
    for (uint32_t s = 1; s < d->scopes; s++) {
        wg_place_in *scope = &d->scope[s];
        if (!scope->run)
            scope->shut = scope->depth > depth || is_named(scope, d->options.close);
    }
    for (uint32_t s = 1; s < d->scopes; s++)
        if (is_named(&d->scope[s], d->options.open))
            for (uint32_t around = s; around && d->scope[around].shut; around = d->scope[around].parent)
                d->scope[around].shut = false;
}

/* ---- Closing ----------------------------------------------------------------------------------------------------- */
static void closed_add(wg_drawing *d, uint32_t s, const wg_shown *first)
{
    d->item[d->items] = (wg_shown){.kind = WG_ITEM_CLOSED, .node = first->node, .scope = d->scope[s].parent,
                                    .stands_for = s, .card = WG_NOWHERE, .above = WG_NOWHERE};
    d->scope[s].closed = d->items++;
}

bool wg_scopes_close(wg_drawing *d)
{
    int depth = d->options.depth;
    bool by_itself = depth <= 0;
    if (by_itself) {
        for (depth = deepest(d); depth > 0 && wg_drawn_at(d, depth) > WG_PAGE; depth--)
            ;
        if (wg_drawn_at(d, depth) > WG_PAGE && !runs_join(d, depth))
            return false;
    }
    d->depth = depth;
    scopes_shut(d, depth);
    uint32_t *outer = wg_arena(d->tape, (size_t)d->scopes * sizeof *outer); /* the outermost shut one around a scope */
    if (!outer)
        return false;
    outer[0] = 0;
    for (uint32_t s = 1; s < d->scopes; s++) {
        uint32_t around = outer[d->scope[s].parent];
        outer[s] = around ? around : d->scope[s].shut ? s : 0;
    }
    for (uint32_t i = 0, items = d->items; i < items; i++) {
        uint32_t s = outer[d->item[i].scope];
        if (!s || d->item[i].kind == WG_ITEM_CARD)
            continue;
        if (d->scope[s].closed == WG_NOWHERE) {
            closed_add(d, s, &d->item[i]);
            d->closed_by_itself += by_itself && !is_named(&d->scope[s], d->options.close);
        }
        d->item[d->scope[s].closed].bad |= d->item[i].bad;
    }
    for (uint32_t s = 1; s < d->scopes; s++) /* inside a closed one */
        if (outer[s] && outer[s] != s)
            d->scope[s].closed = d->scope[outer[s]].closed;
    return true;
}
