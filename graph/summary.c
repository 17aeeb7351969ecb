/* The drawing as a table: a line an operation, columns as wide as their content. */
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

static int64_t parameters_of(const wg_drawing *d, uint32_t item)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < d->items; i++)
        for (uint32_t r = 0; d->item[i].kind == WG_ITEM_CARD && d->item[i].user == item && r < d->item[i].rows; r++)
            n += wg_node_count(wg_node_at(d->tape, d->row[d->item[i].first_row + r]));
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

/* Bytes that only the backward pass still needs: saved values, and the result where the chain rule reads it. */
static double kept_by(const wg_drawing *d, uint32_t first)
{
    const wg_node *node = wg_node_at(d->tape, first);
    double bytes = 0;
    int outputs = node->op->count ? node->n_out : wg_op_outputs(node->op);
    for (int k = outputs; k < node->n_out; k++)
        bytes += bytes_of(wg_node_at(d->tape, first + (uint32_t)k));
    if (has_word(node->op->saves, "y") && !wg_node_is(node, WG_NODE_VIEW))
        bytes += bytes_of(node);
    return wg_node_is(node, WG_NODE_CUT) ? 0 : bytes;
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
    snprintf(row->cell[SCOPE], sizeof row->cell[SCOPE], "%.60s", d->scope[shown->scope].path);
    snprintf(row->cell[OP], sizeof row->cell[OP], "%.60s", leaf && *wg_node_name(node) ? wg_node_name(node) : node->op->name);
    wg_form_text(&type, d->usual, row->cell[OUTPUT], sizeof row->cell[OUTPUT]);
    int64_t parameters = shown->kind == WG_ITEM_PARAM ? wg_node_count(node) : parameters_of(d, item);
    if (parameters)
        wg_count_text(parameters, row->cell[PARAMS], sizeof row->cell[PARAMS]);
    if (leaf)
        return;
    double kept = kept_by(d, shown->node), flops = flops_of(d, shown->node);
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
    snprintf(row->cell[OP], sizeof row->cell[OP], "%u nodes", t->d->nodes);
    wg_count_text(t->d->parameters, row->cell[PARAMS], sizeof row->cell[PARAMS]);
    wg_bytes_text(t->kept, row->cell[KEPT], sizeof row->cell[KEPT]);
    flops_text(t->flops, row->cell[FLOPS], sizeof row->cell[FLOPS]);
}

static void put_cell(wg_text *text, const char *cell, size_t width, bool right, bool last)
{
    size_t own = wg_text_width(cell), pad = width > own ? width - own : 0;
    for (size_t i = 0; right && i < pad; i++)
        wg_put(text, " ");
    wg_put(text, "%s", cell);
    for (size_t i = 0; !right && !last && i < pad; i++)
        wg_put(text, " ");
    wg_put(text, last ? "\n" : "  ");
}

void wg_write_table(const wg_drawing *d, wg_text *text)
{
    table t = {.d = d, .row = wg_arena(d->tape, ((size_t)d->items + 2) * sizeof *t.row)};
    size_t width[COLUMNS];
    if (!t.row) {
        text->failed = true;
        return;
    }
    for (uint32_t i = 0; i < d->items; i++)
        if (d->item[i].kind != WG_ITEM_CARD && d->item[i].kind != WG_ITEM_CLOSED && d->item[i].kind != WG_ITEM_UNUSED)
            fill_row(&t, i);
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
