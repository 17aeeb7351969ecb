/* The drawing as a table: a line an operation, scopes open, columns as wide as their content. */
#include "graph/drawing.h"

enum { SCOPE, OP, OUTPUT, PARAMS, KEPT, FLOPS, COLUMNS };

static const char *const headings[COLUMNS] = {"scope", "op", "output", "params", "kept", "FLOPs"};

typedef struct {
    char cell[COLUMNS][64];
} table_row;

typedef struct {
    const wg_drawing *d;
    table_row *row;
    size_t rows;
    double kept, flops;
    unsigned char *needed; /* by node: the backward pass reads its buffer */
} table;

static char *flops_text(double flops, char *out, size_t size)
{
    static const char *const units[] = {"", " k", " M", " G", " T"};
    int unit = 0;
    while (flops >= 1000 && unit < 4) {
        flops /= 1000;
        unit++;
    }
    snprintf(out, size, unit ? "%.4g%s" : "%.0f%s", flops, units[unit]);
    return out;
}

static int64_t parameters_of(const wg_drawing *d, const wg_shown *shown)
{
    int64_t n = 0;
    const wg_shown *card = shown->card == WG_NOWHERE ? NULL : &d->item[shown->card];
    for (uint32_t r = 0; card && r < card->rows; r++)
        n += wg_node_count(wg_node_at(d->tape, d->row[card->first_row + r]));
    return n;
}

static bool has_word(const char *list, const char *word)
{
    size_t n = word ? strlen(word) : 0;
    for (const char *at = list; n && at && (at = strstr(at, word)); at += n)
        if ((at == list || at[-1] == ' ') && (!at[n] || at[n] == ' '))
            return true;
    return false;
}

static double bytes_of(const wg_node *node)
{
    return (double)wg_node_count(node) * (double)wg_dtype_size((wg_dtype)node->dtype);
}

static void need(table *t, uint32_t node)
{
    if (node != WG_ABSENT)
        t->needed[wg_node_at(t->d->tape, node)->owner] = 1;
}

/* Marks the buffers that the chain rule of a call reads: operands and results by the names that its entry lists, what
 * it saved beside its outputs. */
static void need_of(table *t, uint32_t first)
{
    const wg_node *node = wg_node_at(t->d->tape, first);
    const wg_op *op = node->op;
    const uint32_t *in = wg_node_in(node);
    if (wg_node_is(node, WG_NODE_CUT | WG_NODE_LEAF))
        return;
    bool all = op->map && !op->saves;
    for (int k = 0, at = 0; k < node->n_in; k++) {
        if (all || has_word(op->saves, op->in[at].name))
            need(t, in[k]);
        at += at + 1 < wg_op_operands(op); /* the last stands for any number, where it is variadic */
    }
    int outputs = op->count ? node->n_out : wg_op_outputs(op);
    for (int k = 0; k < node->n_out; k++)
        if (k >= outputs || all || has_word(op->saves, op->out[0] && k < WG_MAX_OUTPUTS ? op->out[k] : "y"))
            need(t, first + (uint32_t)k);
}

/* Bytes of a call's own buffers that the backward pass still needs; each is counted here only, where it was made. */
static double kept_by(const table *t, uint32_t first)
{
    const wg_node *node = wg_node_at(t->d->tape, first);
    double bytes = 0;
    for (uint32_t k = first; k < first + node->n_out; k++)
        if (t->needed[k] && !wg_node_is(wg_node_at(t->d->tape, k), WG_NODE_VIEW))
            bytes += bytes_of(wg_node_at(t->d->tape, k));
    return bytes;
}

static double flops_of(const wg_drawing *d, uint32_t first)
{
    const wg_node *node = wg_node_at(d->tape, first);
    if (!node->op->flops)
        return node->op->map ? (double)wg_node_count(node) : -1;
    wg_short_mark before = wg_short_at(d->tape);
    wg_call *c = wg_call_again(d->tape, first);
    double flops = c ? node->op->flops(c) : -1;
    wg_short_back(d->tape, before);
    return flops;
}

static void fill_row(table *t, uint32_t item)
{
    const wg_drawing *d = t->d;
    const wg_shown *shown = &d->item[item];
    const wg_node *node = wg_node_at(d->tape, shown->node);
    table_row *row = &t->row[t->rows++];
    bool leaf = wg_node_is(node, WG_NODE_LEAF);
    wg_type type = wg_node_type(node);
    for (int c = 0; c < COLUMNS; c++)
        snprintf(row->cell[c], sizeof row->cell[c], "-");
    snprintf(row->cell[SCOPE], sizeof row->cell[SCOPE], "%.60s", leaf ? "" : d->scope[shown->scope].path);
    snprintf(row->cell[OP], sizeof row->cell[OP], "%.60s",
             leaf && *wg_node_name(node) ? wg_node_name(node) : node->op->name);
    wg_form_text(&type, d->usual, row->cell[OUTPUT], sizeof row->cell[OUTPUT]);
    int64_t parameters = shown->kind == WG_ITEM_PARAM ? wg_node_count(node) : parameters_of(d, shown);
    if (parameters)
        wg_count_text(parameters, row->cell[PARAMS], sizeof row->cell[PARAMS]);
    if (leaf)
        return;
    double kept = kept_by(t, shown->node), flops = flops_of(d, shown->node);
    if (kept > 0)
        wg_bytes_text(kept, row->cell[KEPT], sizeof row->cell[KEPT]);
    if (flops >= 0)
        flops_text(flops, row->cell[FLOPS], sizeof row->cell[FLOPS]);
    t->kept += kept;
    t->flops += flops > 0 ? flops : 0;
}

static void fill_total(table *t)
{
    table_row *row = &t->row[t->rows++];
    for (int c = 0; c < COLUMNS; c++)
        row->cell[c][0] = 0;
    snprintf(row->cell[SCOPE], sizeof row->cell[SCOPE], "%.60s", t->d->title);
    snprintf(row->cell[OP], sizeof row->cell[OP], "%u node%s", t->d->nodes, t->d->nodes == 1 ? "" : "s");
    wg_count_text(t->d->parameters, row->cell[PARAMS], sizeof row->cell[PARAMS]);
    wg_bytes_text(t->kept, row->cell[KEPT], sizeof row->cell[KEPT]);
    flops_text(t->flops, row->cell[FLOPS], sizeof row->cell[FLOPS]);
}

static void put_cell(wg_text *text, const char *cell, size_t width, bool right, bool last)
{
    size_t own = wg_text_width(cell), pad = width > own ? width - own : 0;
    for (size_t i = 0; right && i < pad; i++)
        wg_put(text, " ");
    wg_put_plain(text, cell);
    for (size_t i = 0; !right && !last && i < pad; i++)
        wg_put(text, " ");
    wg_put(text, last ? "\n" : "  ");
}

void wg_write_table(const wg_drawing *d, wg_text *text)
{
    size_t nodes = (size_t)d->root + 1;
    table t = {
        .d = d, .row = wg_arena(d->tape, ((size_t)d->items + 2) * sizeof *t.row), .needed = wg_arena(d->tape, nodes)};
    size_t width[COLUMNS];
    if (!t.row || !t.needed) {
        text->failed = true;
        return;
    }
    memset(t.needed, 0, nodes);
    for (uint32_t i = 0; i < d->ordered; i++)
        need_of(&t, d->item[d->order[i]].node);
    for (uint32_t i = 0; i < d->ordered; i++)
        if (d->item[d->order[i]].kind != WG_ITEM_CARD && d->item[d->order[i]].kind != WG_ITEM_UNUSED)
            fill_row(&t, d->order[i]);
    fill_total(&t);
    for (int c = 0; c < COLUMNS; c++) {
        width[c] = wg_text_width(headings[c]);
        for (size_t r = 0; r < t.rows; r++)
            width[c] = wg_text_width(t.row[r].cell[c]) > width[c] ? wg_text_width(t.row[r].cell[c]) : width[c];
    }
    for (int c = 0; c < COLUMNS; c++)
        put_cell(text, headings[c], width[c], c >= PARAMS, c == COLUMNS - 1);
    for (size_t r = 0; r < t.rows; r++)
        for (int c = 0; c < COLUMNS; c++)
            put_cell(text, t.row[r].cell[c], width[c], c >= PARAMS, c == COLUMNS - 1);
}
