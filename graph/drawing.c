/* The drawing model. In a few passes over the facts: to which scope each node belongs, which equal scopes are drawn
 * once, what each node is drawn as, which scopes are closed, which tensors run between. Nothing recurses over the
 * graph. */
#include "graph/drawing.h"

/* Room for n entries and one to spare. */
static void *zeroed(wg_tape *tape, size_t n, size_t size)
{
    void *memory = wg_arena(tape, (n + 1) * size);
    if (memory)
        memset(memory, 0, (n + 1) * size);
    return memory;
}

/* ---- Who takes what ---------------------------------------------------------------------------------------------- */
static bool is_root(const wg_facts *f, uint32_t node)
{
    for (uint32_t r = 0; r < f->roots; r++)
        if (f->root[r] == node)
            return true;
    return false;
}

/* Views are looked through, unless they are to be drawn. */
static void sources_find(wg_drawing *d)
{
    const wg_facts *f = d->facts;
    for (uint32_t i = 0; i < f->nodes; i++) {
        const wg_fact *node = &f->node[i];
        bool through = node->kind == WG_FACT_VIEW && !d->options.views && node->operands && !is_root(f, i);
        d->source[i] = through ? d->source[f->operand[node->operand].from] : i;
        d->same[i] = i;
        d->peer[i] = d->item_of[i] = WG_NOWHERE;
    }
}

/* How many calls take each node. */
static void users_count(const wg_drawing *d, uint32_t *last)
{
    const wg_facts *f = d->facts;
    for (uint32_t i = 0; i < f->nodes; i++)
        for (uint32_t k = 0; d->source[i] == i && k < f->node[i].operands; k++) {
            uint32_t x = d->source[f->operand[f->node[i].operand + k].from];
            d->users[x] += last[x] != i + 1;
            last[x] = i + 1;
        }
}

/* ---- Items ------------------------------------------------------------------------------------------------------- */
static uint32_t item_add(wg_drawing *d, wg_item_kind kind, uint32_t node, uint32_t scope)
{
    d->item[d->items] =
        (wg_shown){.kind = kind, .node = node, .scope = scope, .card = WG_NOWHERE, .above = WG_NOWHERE};
    return d->items++;
}

static bool on_a_card(const wg_drawing *d, uint32_t node)
{
    return d->facts->node[node].kind == WG_FACT_PARAMETER && d->users[node] == 1 && !is_root(d->facts, node) &&
           d->options.params == WG_PARAMS_CARD;
}

/* The card of the parameters that only this call takes. */
static void card_add(wg_drawing *d, uint32_t op, uint32_t *rows)
{
    const wg_fact *node = &d->facts->node[d->item[op].node];
    uint32_t card = WG_NOWHERE;
    for (uint32_t k = 0; k < node->operands; k++) {
        uint32_t x = d->source[d->facts->operand[node->operand + k].from];
        if (!on_a_card(d, x) || d->item_of[x] != WG_NOWHERE)
            continue;
        if (card == WG_NOWHERE) {
            card = item_add(d, WG_ITEM_CARD, x, d->item[op].scope);
            d->item[op].card = card;
            d->item[card].first_row = *rows;
        }
        d->row[(*rows)++] = x;
        d->item[card].rows++;
        d->item_of[x] = card;
    }
}

/* A parameter that is a node stands by the only call that takes it, in its scope. */
static void params_placed(const wg_drawing *d, uint32_t op)
{
    const wg_fact *node = &d->facts->node[d->item[op].node];
    for (uint32_t k = 0; k < node->operands; k++) {
        uint32_t x = d->source[d->facts->operand[node->operand + k].from], item = d->item_of[x];
        if (item != WG_NOWHERE && d->item[item].kind == WG_ITEM_PARAM && d->users[x] == 1)
            d->item[item].scope = d->item[op].scope;
    }
}

static wg_item_kind kind_of(const wg_drawing *d, uint32_t i)
{
    static const wg_item_kind kinds[] = {[WG_FACT_OPERATION] = WG_ITEM_OP,
                                         [WG_FACT_VIEW] = WG_ITEM_OP,
                                         [WG_FACT_INPUT] = WG_ITEM_INPUT,
                                         [WG_FACT_CONSTANT] = WG_ITEM_CONSTANT,
                                         [WG_FACT_PARAMETER] = WG_ITEM_PARAM};
    return is_root(d->facts, i) ? WG_ITEM_ROOT : kinds[d->facts->node[i].kind];
}

static bool is_left_out(const wg_drawing *d, uint32_t i)
{
    bool param = d->facts->node[i].kind == WG_FACT_PARAMETER && !is_root(d->facts, i);
    return d->same[i] != i || d->source[i] != i || on_a_card(d, i) || (param && d->options.params == WG_PARAMS_HIDE);
}

/* Of "relu (model.c:12): its vjp for ...": the last such operation, as a check goes from the result back;
 * WG_NOWHERE. */
static uint32_t blamed_find(const wg_facts *f, const wg_check_report *check)
{
    const char *blame = check && check->failed ? check->blame : "";
    for (uint32_t i = *blame ? f->used : 0; i-- > 0;) {
        const wg_fact *node = &f->node[i];
        size_t op = strlen(node->op), place = strlen(node->place);
        if (wg_fact_is_leaf(node) || strncmp(blame, node->op, op))
            continue;
        const char *at = blame + op;
        if (place ? !strncmp(at, " (", 2) && !strncmp(at + 2, node->place, place) && at[place + 2] == ')' : *at == ':')
            return i;
    }
    return WG_NOWHERE;
}

static void items_make(wg_drawing *d)
{
    const wg_facts *f = d->facts;
    uint32_t rows = 0, unused = WG_NOWHERE;
    for (uint32_t i = 0; i < f->used; i++) {
        if (is_left_out(d, i))
            continue;
        uint32_t item = item_add(d, kind_of(d, i), i, d->scope_of[i]);
        d->item_of[i] = item;
        d->item[item].bad = f->node[i].not_finite || *f->node[i].finding || i == d->blamed;
        if (wg_fact_is_leaf(&f->node[i]))
            d->item[item].uses = f->node[i].kind == WG_FACT_PARAMETER ? d->users[i] : 0;
        else {
            card_add(d, item, &rows);
            params_placed(d, item);
        }
    }
    for (uint32_t i = f->used; i < f->nodes; i++) { /* on one grey card */
        if (unused == WG_NOWHERE) {
            unused = item_add(d, WG_ITEM_UNUSED, i, 0);
            d->item[unused].first_row = rows;
        }
        d->row[rows++] = i;
        d->item[unused].rows++;
        d->item_of[i] = unused;
    }
    for (uint32_t r = 0; r < rows; r++)
        d->item[d->item_of[d->row[r]]].bad |= f->node[d->row[r]].not_finite || *f->node[d->row[r]].finding;
}

/* ---- Sums -------------------------------------------------------------------------------------------------------- */
static void add_gradient(wg_shown *item, const wg_statistics *gradient)
{
    if (!gradient)
        return;
    item->norm_low = item->norm_high < 0 ? gradient->norm : fmin(item->norm_low, gradient->norm);
    item->norm_high = fmax(item->norm_high, gradient->norm);
}

static void add_node(wg_shown *item, const wg_facts *f, uint32_t i)
{
    const wg_fact *node = &f->node[i];
    for (uint32_t k = 0; k < node->outputs && node->kind != WG_FACT_VIEW; k++)
        item->bytes += wg_tensor_bytes(&f->output[node->output + k]);
    item->kept += node->kept;
    item->flops += fmax(node->flops, 0);
    item->seconds += fmax(node->seconds, 0) + fmax(node->seconds_backward, 0);
    if (node->kind == WG_FACT_PARAMETER)
        add_gradient(item, wg_fact_output(f, i)->gradient);
}

/* What each item stands for, equal scopes that it draws included; the ends of the scales. */
static void items_summed(wg_drawing *d)
{
    const wg_facts *f = d->facts;
    for (uint32_t i = 0; i < d->items; i++)
        d->item[i].norm_low = d->item[i].norm_high = -1;
    for (uint32_t i = 0; i < f->used; i++) {
        uint32_t item = wg_item_of(d, i);
        if (item != WG_NOWHERE)
            add_node(&d->item[wg_seen_as(d, item)], f, i);
    }
    for (uint32_t i = 0; i < d->ordered; i++) {
        const wg_shown *item = &d->item[d->order[i]];
        if (item->kind != WG_ITEM_CLOSED && wg_fact_is_leaf(&f->node[item->node]))
            continue;
        d->top_bytes = fmax(d->top_bytes, item->bytes);
        d->top_seconds = fmax(d->top_seconds, item->seconds);
        d->seconds += item->seconds;
    }
    for (uint32_t i = 0; i < f->outputs; i++)
        if (f->output[i].gradient)
            d->top_norm = fmax(d->top_norm, f->output[i].gradient->norm);
    d->drawn = d->ordered;
}

/* http, https, file or vscode, and nothing in it that would end the quotes it is written in. */
static bool is_link(const char *link)
{
    static const char *const schemes[] = {"http://", "https://", "file://", "vscode://"};
    bool known = false;
    for (int i = 0; i < 4; i++)
        known |= !strncmp(link, schemes[i], strlen(schemes[i]));
    for (; *link; link++)
        known &= *link > ' ' && *link < 0x7f && !strchr("\"\\<>", *link);
    return known;
}

static wg_status options_good(const wg_drawing *d, const char *name)
{
    const char *background = d->options.background;
    if (d->options.link && !is_link(d->options.link))
        return wg_report(d->tape, name, WG_ERROR_VALUE, "%.100s is not a link of http, https, file or vscode",
                         d->options.link);
    if (background && strcmp(background, "none"))
        return wg_report(d->tape, name, WG_ERROR_VALUE, "the background is \"none\" or the theme's, not %.40s",
                         background);
    if (d->options.overlay == WG_SHOW_GRAD && !d->facts->has_gradients)
        return wg_report(d->tape, name, WG_ERROR_VALUE, "no gradients on this tape; call wg_backward first");
    if (d->options.overlay == WG_SHOW_TIME && !d->facts->has_times)
        return wg_report(d->tape, name, WG_ERROR_VALUE, "no times on this tape; call wg_observe(tape, WG_TIME) first");
    return WG_OK;
}

/* ---- Derivatives ------------------------------------------------------------------------------------------------- */
/* Marks what a derivative with respect to the parameters passes through; to the inputs, where there are none. False: no
 * memory. */
static bool flows_mark(wg_drawing *d)
{
    const wg_facts *f = d->facts;
    unsigned char *flows = zeroed(d->tape, f->nodes, 1);
    wg_fact_kind target = f->parameters ? WG_FACT_PARAMETER : WG_FACT_INPUT;
    for (uint32_t i = 0; flows && i < f->used; i++) {
        const wg_fact *node = &f->node[i];
        bool flow = node->kind == target && !node->frozen;
        for (uint32_t k = 0; !node->cut && k < node->operands; k++)
            flow |= flows[f->operand[node->operand + k].from];
        flows[i] = flow && wg_is_float(wg_fact_output(f, i)->type.dtype);
        uint32_t item = flows[i] ? wg_item_of(d, i) : WG_NOWHERE;
        if (item != WG_NOWHERE)
            d->item[wg_seen_as(d, item)].flows = true;
    }
    return flows;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
/* No more items than nodes, a card an operation and a closed scope an operation. */
static bool tables_made(wg_drawing *d)
{
    size_t nodes = d->facts->nodes;
    uint32_t **const tables[] = {&d->source, &d->same, &d->peer, &d->scope_of, &d->item_of, &d->users, &d->row};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (!(*tables[i] = zeroed(d->tape, nodes, sizeof **tables[i])))
            return false;
    return (d->item = zeroed(d->tape, 3 * nodes + 1, sizeof *d->item));
}

/* As recorded where that fits a page. */
static bool is_folded(const wg_drawing *d)
{
    return d->options.fold == WG_FOLD_YES || (d->options.fold == WG_FOLD_LARGE && wg_drawn_at(d, INT_MAX) > WG_PAGE);
}

static bool drawing_filled(wg_drawing *d)
{
    uint32_t *last = zeroed(d->tape, d->facts->nodes, sizeof *last);
    if (!last || !tables_made(d))
        return false;
    d->blamed = blamed_find(d->facts, d->options.check);
    sources_find(d);
    users_count(d, last);
    if (!wg_scopes_find(d))
        return false;
    items_make(d);
    if (is_folded(d)) {
        if (!wg_scopes_fold(d))
            return false;
        d->items = 0;
        d->blamed = d->blamed == WG_NOWHERE ? WG_NOWHERE : d->same[d->blamed];
        for (uint32_t i = 0; i < d->facts->nodes; i++)
            d->item_of[i] = WG_NOWHERE;
        items_make(d);
    }
    return wg_scopes_close(d) && wg_edges_make(d) && flows_mark(d);
}

wg_drawing *wg_drawing_make(const wg_facts *facts, const char *name, const wg_draw_options *options)
{
    wg_tape *tape = facts->tape;
    wg_drawing *d = zeroed(tape, 1, sizeof *d);
    if (d) {
        d->tape = tape;
        d->facts = facts;
        d->options = *options;
        d->title = options->title ? options->title : facts->title;
        d->side_by_side = options->backward && !facts->has_backward;
    }
    if (!d || !drawing_filled(d)) {
        wg_no_memory(tape, name, sizeof *d);
        return NULL;
    }
    if (options_good(d, name) || (options->around && wg_drawing_cut(d, name)))
        return NULL;
    if (!wg_contents_make(d)) {
        wg_no_memory(tape, name, (size_t)d->items * sizeof *d->next_in);
        return NULL;
    }
    items_summed(d);
    return d;
}
