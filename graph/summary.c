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
} table;

/* Of those on its card; a shared one stands in its own line. */
static int64_t parameters_of(const wg_drawing *d, const wg_shown *shown)
{
    int64_t n = 0;
    const wg_shown *card = shown->card == WG_NOWHERE ? NULL : &d->item[shown->card];
    for (uint32_t r = 0; card && r < card->rows; r++)
        n += wg_tensor_elements(wg_fact_output(d->facts, d->row[card->first_row + r]));
    return shown->kind == WG_ITEM_PARAM ? wg_tensor_elements(wg_fact_output(d->facts, shown->node)) : n;
}

static void fill_row(table *t, uint32_t item)
{
    const wg_drawing *d = t->d;
    const wg_shown *shown = &d->item[item];
    const wg_fact *node = &d->facts->node[shown->node];
    const wg_tensor_fact *y = wg_fact_output(d->facts, shown->node);
    table_row *row = &t->row[t->rows++];
    bool leaf = wg_fact_is_leaf(node);
    for (int c = 0; c < COLUMNS; c++)
        snprintf(row->cell[c], sizeof row->cell[c], "-");
    snprintf(row->cell[SCOPE], sizeof row->cell[SCOPE], "%.60s", leaf ? "" : d->scope[shown->scope].path);
    snprintf(row->cell[OP], sizeof row->cell[OP], "%.60s", leaf && *y->name ? y->name : node->op);
    wg_form_text(&y->type, d->facts->usual, row->cell[OUTPUT], sizeof row->cell[OUTPUT]);
    int64_t parameters = parameters_of(d, shown);
    if (parameters)
        wg_count_text(parameters, row->cell[PARAMS], sizeof row->cell[PARAMS]);
    if (node->kept > 0)
        wg_bytes_text(node->kept, row->cell[KEPT], sizeof row->cell[KEPT]);
    if (node->flops >= 0)
        wg_flops_text(node->flops, row->cell[FLOPS], sizeof row->cell[FLOPS]);
    t->kept += node->kept;
    t->flops += fmax(node->flops, 0);
}

static void fill_total(table *t)
{
    table_row *row = &t->row[t->rows++];
    for (int c = 0; c < COLUMNS; c++)
        row->cell[c][0] = 0;
    snprintf(row->cell[SCOPE], sizeof row->cell[SCOPE], "%.60s", t->d->title);
    snprintf(row->cell[OP], sizeof row->cell[OP], "%u node%s", t->d->facts->used, t->d->facts->used == 1 ? "" : "s");
    wg_count_text(t->d->facts->parameters, row->cell[PARAMS], sizeof row->cell[PARAMS]);
    wg_bytes_text(t->kept, row->cell[KEPT], sizeof row->cell[KEPT]);
    wg_flops_text(t->flops, row->cell[FLOPS], sizeof row->cell[FLOPS]);
}

/* Columns that a narrow terminal does without, the first first; a shape is never cut. */
static void columns_fitted(const table *t, size_t *width)
{
    static const int spare[] = {FLOPS, KEPT, PARAMS};
    size_t whole = 2 * (COLUMNS - 1), room = (size_t)t->d->options.width;
    for (int c = 0; c < COLUMNS; c++) {
        width[c] = wg_text_width(headings[c]);
        for (size_t r = 0; r < t->rows; r++)
            width[c] = wg_text_width(t->row[r].cell[c]) > width[c] ? wg_text_width(t->row[r].cell[c]) : width[c];
        whole += width[c];
    }
    for (int i = 0; i < 3 && room && whole > room; i++) {
        whole -= width[spare[i]] + 2;
        width[spare[i]] = 0;
    }
}

void wg_write_table(const wg_drawing *d, wg_text *text)
{
    table t = {.d = d, .row = wg_arena(d->tape, ((size_t)d->items + 2) * sizeof *t.row)};
    size_t width[COLUMNS];
    int last = COLUMNS - 1;
    if (!t.row) {
        text->failed = true;
        return;
    }
    for (uint32_t i = 0; i < d->ordered; i++)
        if (d->item[d->order[i]].kind != WG_ITEM_CARD && d->item[d->order[i]].kind != WG_ITEM_UNUSED)
            fill_row(&t, d->order[i]);
    fill_total(&t);
    columns_fitted(&t, width);
    while (!width[last])
        last--;
    for (int c = 0; c <= last; c++)
        wg_put_cell(text, headings[c], width[c], c >= PARAMS, c == last);
    for (size_t r = 0; r < t.rows; r++)
        for (int c = 0; c <= last; c++)
            wg_put_cell(text, t.row[r].cell[c], width[c], c >= PARAMS, c == last);
}
