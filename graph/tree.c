/* The drawing as a tree of its scopes: a line a scope, one for operations side by side, with the parameters of each.
 * Those that several operations take are counted where they are taken first. */
#include "graph/drawing.h"

typedef struct {
    char name[160], note[120], parameters[32];
} tree_row;

typedef struct {
    const wg_drawing *d;
    tree_row *row;
    size_t rows;
    int64_t *first;      /* by node: elements of the parameters that it takes first */
    const char **shared; /* by node: a parameter that was taken before; NULL */
    int64_t *total;      /* by scope: with all equal ones that it draws */
} tree;

/* ---- Sums -------------------------------------------------------------------------------------------------------- */
static bool sums_made(tree *t)
{
    const wg_drawing *d = t->d;
    const wg_facts *f = d->facts;
    size_t nodes = (size_t)f->nodes + 1;
    unsigned char *counted = wg_arena(d->tape, nodes);
    t->first = wg_arena(d->tape, nodes * sizeof *t->first);
    t->shared = wg_arena(d->tape, nodes * sizeof *t->shared);
    t->total = wg_arena(d->tape, (size_t)d->scopes * sizeof *t->total);
    if (!counted || !t->first || !t->shared || !t->total)
        return false;
    memset(counted, 0, nodes);
    memset(t->first, 0, nodes * sizeof *t->first);
    memset(t->shared, 0, nodes * sizeof *t->shared);
    memset(t->total, 0, (size_t)d->scopes * sizeof *t->total);
    for (uint32_t i = 0; i < f->nodes; i++)
        for (uint32_t k = 0; d->source[i] == i && k < f->node[i].operands; k++) {
            uint32_t x = d->source[f->operand[f->node[i].operand + k].from];
            if (f->node[x].kind != WG_FACT_PARAMETER)
                continue;
            if (counted[x])
                t->shared[i] = wg_fact_output(f, x)->name;
            else
                t->first[i] += wg_tensor_elements(wg_fact_output(f, x));
            counted[x] = 1;
        }
    for (uint32_t s = 1; s < d->scopes; s++)
        t->total[d->scope[s].drawn_by] += d->scope[s].parameters;
    return true;
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */
static tree_row *row_add(tree *t, const char *before, bool last)
{
    tree_row *row = &t->row[t->rows++];
    *row = (tree_row){"", "", ""};
    snprintf(row->name, sizeof row->name, "%s%s", before,
             last ? "\xe2\x94\x94\xe2\x94\x80 " : "\xe2\x94\x9c\xe2\x94\x80 ");
    return row;
}

static void name_append(tree_row *row, const char *format, ...) WG_PRINTF(2, 3);
static void name_append(tree_row *row, const char *format, ...)
{
    size_t used = strlen(row->name);
    va_list va;
    va_start(va, format);
    vsnprintf(row->name + used, sizeof row->name - used, format, va);
    va_end(va);
}

static void scope_line(tree *t, const char *before, uint32_t scope, bool last)
{
    const wg_place_in *s = &t->d->scope[scope];
    tree_row *row = row_add(t, before, last);
    if (s->times > 1)
        name_append(row, "%.*s \xc3\x97%u", (int)(wg_stem(s->name) < 60 ? wg_stem(s->name) : 60), s->name, s->times);
    else
        name_append(row, "%.60s", s->name);
    size_t used = 0;
    for (uint32_t i = 0; s->ops <= WG_FEW && i < s->ops; i++)
        used += (size_t)snprintf(row->note + used, sizeof row->note - used, "%s%.30s", i ? ", " : "",
                                 t->d->facts->node[s->few[i]].op);
    if (s->ops > WG_FEW)
        snprintf(row->note, sizeof row->note, "%u ops", s->ops);
    if (t->total[scope])
        wg_count_text(t->total[scope], row->parameters, sizeof row->parameters);
}

static bool is_operation(const wg_drawing *d, uint32_t entry)
{
    return entry < d->items && d->item[entry].kind != WG_ITEM_CLOSED;
}

/* Operations from `entry` on that no scope comes between. */
static void operations_line(tree *t, const char *before, uint32_t entry, bool last)
{
    const wg_drawing *d = t->d;
    const char *shared = NULL;
    tree_row *row = row_add(t, before, last);
    int n = 0;
    int64_t parameters = 0;
    for (; entry != WG_NOWHERE && is_operation(d, entry); entry = d->next_in[entry]) {
        uint32_t node = d->item[entry].node;
        if (wg_fact_is_leaf(&d->facts->node[node]))
            continue;
        if (n++ < WG_FEW)
            name_append(row, "%s%.30s", n > 1 ? ", " : "", d->facts->node[node].op);
        parameters += t->first[node];
        shared = t->shared[node] ? t->shared[node] : shared;
    }
    if (n > WG_FEW)
        name_append(row, ", \xe2\x80\xa6");
    if (n > WG_FEW)
        snprintf(row->note, sizeof row->note, "%d ops", n);
    if (shared)
        name_append(row, " (%.30s, tied)", shared);
    if (parameters)
        wg_count_text(parameters, row->parameters, sizeof row->parameters);
    else if (shared)
        snprintf(row->parameters, sizeof row->parameters, "counted above");
}

/* The next line's first entry, from `entry` on: leaves have none. */
static uint32_t skip_leaves(const wg_drawing *d, uint32_t entry)
{
    while (entry != WG_NOWHERE && is_operation(d, entry) && wg_fact_is_leaf(&d->facts->node[d->item[entry].node]))
        entry = d->next_in[entry];
    return entry;
}

static uint32_t behind(const wg_drawing *d, uint32_t entry)
{
    if (!is_operation(d, entry))
        return skip_leaves(d, d->next_in[entry]);
    while (entry != WG_NOWHERE && is_operation(d, entry))
        entry = d->next_in[entry];
    return entry;
}

/* What has none is told in one line. */
static bool has_scopes(const wg_drawing *d, uint32_t scope)
{
    for (uint32_t entry = d->first_in[scope]; entry != WG_NOWHERE; entry = d->next_in[entry])
        if (!is_operation(d, entry))
            return true;
    return false;
}

/* Scopes are nested 32 deep at most. */
static void scope_lines(tree *t, const char *before, uint32_t scope)
{
    const wg_drawing *d = t->d;
    char deeper[160];
    for (uint32_t entry = skip_leaves(d, d->first_in[scope]), next; entry != WG_NOWHERE; entry = next) {
        next = behind(d, entry);
        bool last = next == WG_NOWHERE;
        if (is_operation(d, entry)) {
            operations_line(t, before, entry, last);
            continue;
        }
        scope_line(t, before, entry < d->items ? d->item[entry].stands_for : entry - d->items, last);
        snprintf(deeper, sizeof deeper, "%.150s%s", before, last ? "   " : "\xe2\x94\x82  ");
        if (entry >= d->items && has_scopes(d, entry - d->items))
            scope_lines(t, deeper, entry - d->items);
    }
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
static void put_padded(wg_text *text, const char *cell, size_t width, bool right)
{
    size_t own = wg_text_width(cell);
    for (size_t i = own; right && i < width; i++)
        wg_put(text, " ");
    wg_put_plain(text, cell);
    for (size_t i = own; !right && i < width; i++)
        wg_put(text, " ");
}

static size_t wider(size_t width, const char *cell)
{
    return wg_text_width(cell) > width ? wg_text_width(cell) : width;
}

/* The names' column where all of them beside all of the parameters are too wide: numbers alone stand at the edge. */
static size_t narrowed(tree *t, size_t room, size_t *parameters)
{
    *parameters = 0;
    for (size_t r = 0; r < t->rows; r++) {
        char *cell = t->row[r].parameters;
        if (*cell < '0' || *cell > '9')
            *cell = 0; /* "counted above" */
        *parameters = wider(*parameters, cell);
    }
    return room > *parameters + 2 ? room - *parameters - 2 : 0;
}

void wg_write_tree(const wg_drawing *d, wg_text *text)
{
    tree t = {.d = d, .row = wg_arena(d->tape, ((size_t)d->items + d->scopes + 1) * sizeof *t.row)};
    if (!t.row || !sums_made(&t)) {
        text->failed = true;
        return;
    }
    tree_row *title = &t.row[t.rows++];
    *title = (tree_row){"", "", ""};
    snprintf(title->name, sizeof title->name, "%.150s", d->title);
    wg_count_text(d->facts->parameters, title->parameters, sizeof title->parameters);
    scope_lines(&t, "", 0);
    size_t name = 0, note = 0, parameters = 0;
    for (size_t r = 0; r < t.rows; r++) {
        name = wider(name, t.row[r].name);
        note = wider(note, t.row[r].note);
        parameters = wider(parameters, t.row[r].parameters);
    }
    size_t whole = name + (note ? note + 2 : 0) + parameters + 2, room = (size_t)fmax(d->options.width, 0);
    if (room && whole > room)
        note = 0;
    if (room && name + 2 + parameters > room)
        name = narrowed(&t, room, &parameters);
    for (size_t r = 0; r < t.rows; r++) {
        put_padded(text, t.row[r].name, name, false);
        if (note) {
            wg_put(text, "  ");
            put_padded(text, t.row[r].note, note, false);
        }
        wg_put(text, "  ");
        put_padded(text, t.row[r].parameters, parameters, true);
        while (text->size && text->data[text->size - 1] == ' ')
            text->data[--text->size] = 0;
        wg_put(text, "\n");
    }
}
