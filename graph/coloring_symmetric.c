/* Colourings of a Hessian, whose symmetry lets fewer passes do: an entry is read in its row or in its column, whichever
 * is alone with its colour.
 *
 * What a vertex knows of its coloured neighbours is one item a colour; so each step costs the number of colours, not of
 * neighbours' neighbours, and a vertex that is everybody's neighbour makes nothing quadratic.
 *
 * Gebremedhin, Tarafdar, Manne and Pothen 2007, New acyclic and star coloring algorithms with application to computing
 * Hessians. */
#include "graph/pattern.h"

/* Of vertex v and colour c: how many neighbours of v have c; `edge`: the first of them (star colouring), an edge to one
 * (acyclic colouring), or the sum of all edges to them that are left (substitution). Edges are entries of the
 * pattern. */
typedef struct {
    int32_t color;
    bool dangerous; /* a neighbour of that colour has a second neighbour of v's colour */
    int64_t count, edge;
} item;

typedef struct {
    wg_tape *tape;
    const wg_pattern *p;
    int32_t *color;
    item *items;    /* of vertex v from p->start[v] on: no more colours than neighbours */
    int32_t *known; /* items of a vertex */
    int64_t *taken; /* a colour: the last vertex, plus 1, that may not have it */
    int64_t *tree;  /* acyclic: an edge's parent in the forest of two-coloured trees */
    int64_t *met;   /* acyclic, at a tree's root: the last vertex, plus 1, next to the tree */
    int64_t *met_by; /* ... and its neighbour in it */
} graph;

static item *item_of(const graph *g, int64_t v, int32_t color)
{
    item *first = g->items + g->p->start[v];
    for (int32_t i = 0; i < g->known[v]; i++)
        if (first[i].color == color)
            return &first[i];
    return NULL;
}

static item *item_made(const graph *g, int64_t v, int32_t color)
{
    item *found = item_of(g, v, color);
    if (found)
        return found;
    found = &g->items[g->p->start[v] + g->known[v]++];
    *found = (item){.color = color};
    return found;
}

static int32_t first_free(const graph *g, int64_t v)
{
    int32_t color = 0;
    while (g->taken[color] == v + 1)
        color++;
    return color;
}

/* ---- Star ---------------------------------------------------------------------------------------------------------
 * No path of four vertices has only two colours. v may not have colour c if
 *   a neighbour w has it, or
 *   v, w, x, y would be such a path with v at its end: x has c, and a second neighbour of w's colour; or
 *   w, v, x, y would be one with v inside: w and x have one colour, and y, next to x, has c. */
static void star_forbid(const graph *g, int64_t v)
{
    const wg_pattern *p = g->p;
    for (int64_t k = p->start[v]; k < p->start[v + 1]; k++) {
        int64_t w = p->index[k];
        if (w == v || g->color[w] < 0)
            continue;
        g->taken[g->color[w]] = v + 1;
        bool inside = item_of(g, v, g->color[w])->count > 1;
        const item *first = g->items + p->start[w];
        for (int32_t i = 0; i < g->known[w]; i++)
            if (inside || first[i].dangerous)
                g->taken[first[i].color] = v + 1;
    }
}

/* The neighbours of v learn its colour. Where one end of an edge now has two neighbours of the other's colour, it is
 * the hub of a star: its leaves must not see its colour in another vertex's neighbour. */
static void star_colored(const graph *g, int64_t v)
{
    const wg_pattern *p = g->p;
    int32_t c = g->color[v];
    for (int64_t k = p->start[v]; k < p->start[v + 1]; k++) {
        int64_t x = p->index[k];
        if (x == v)
            continue;
        item *of_x = item_made(g, x, c);
        int64_t first = of_x->edge;
        if (!of_x->count++)
            of_x->edge = v; /* here, the first neighbour itself */
        if (g->color[x] < 0)
            continue;
        item *of_v = item_of(g, v, g->color[x]);
        if (of_v->count > 1) /* v is a hub, x its leaf */
            of_x->dangerous = true;
        if (of_x->count > 1) /* x is a hub, v its leaf, and so is the first one */
            of_v->dangerous = item_of(g, first, g->color[x])->dangerous = true;
    }
}

/* ---- Acyclic ------------------------------------------------------------------------------------------------------
 * The edges between two colours are a forest: v may not have a colour that closes a cycle, that is, two neighbours of
 * one colour in one tree of that colour and v's. */
static int64_t root_of(const graph *g, int64_t edge)
{
    while (g->tree[edge] != edge)
        edge = g->tree[edge] = g->tree[g->tree[edge]];
    return edge;
}

static void acyclic_forbid(const graph *g, int64_t v)
{
    const wg_pattern *p = g->p;
    for (int64_t k = p->start[v]; k < p->start[v + 1]; k++) {
        int64_t w = p->index[k];
        if (w != v && g->color[w] >= 0)
            g->taken[g->color[w]] = v + 1;
    }
    for (int64_t k = p->start[v]; k < p->start[v + 1]; k++) {
        int64_t w = p->index[k];
        if (w == v || g->color[w] < 0)
            continue;
        const item *first = g->items + p->start[w];
        for (int32_t i = 0; i < g->known[w]; i++) {
            if (g->taken[first[i].color] == v + 1)
                continue;
            int64_t root = root_of(g, first[i].edge);
            if (g->met[root] == v + 1 && g->met_by[root] != w)
                g->taken[first[i].color] = v + 1;
            g->met[root] = v + 1;
            g->met_by[root] = w;
        }
    }
}

static void join(const graph *g, int64_t a, int64_t b) { g->tree[root_of(g, a)] = root_of(g, b); }

/* The new edges join the trees at both their ends. An edge has two entries, one in the row of each end. */
static void acyclic_colored(const graph *g, int64_t v)
{
    const wg_pattern *p = g->p;
    for (int64_t k = p->start[v]; k < p->start[v + 1]; k++) {
        int64_t w = p->index[k];
        if (w == v)
            continue;
        item *of_w = item_made(g, w, g->color[v]);
        g->tree[k] = k;
        if (!of_w->count++)
            of_w->edge = k;
        if (g->color[w] < 0)
            continue;
        join(g, k, of_w->edge);
        join(g, k, item_of(g, v, g->color[w])->edge);
    }
}

/* ---- Greedy ------------------------------------------------------------------------------------------------------ */
static void graph_free(graph *g)
{
    void *rooms[] = {g->items, g->known, g->taken, g->tree, g->met, g->met_by};
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++)
        wg_room_free(g->tape, rooms[i]);
}

static bool graph_new(graph *g, wg_tape *tape, const wg_pattern *p, int32_t *color, bool acyclic)
{
    int64_t n = wg_pattern_count(p);
    *g = (graph){.tape = tape, .p = p, .color = color, .items = wg_room_new(tape, n, sizeof *g->items),
                 .known = wg_room_new(tape, p->rows, sizeof *g->known),
                 .taken = wg_room_new(tape, p->rows + 1, sizeof *g->taken)};
    if (acyclic) {
        g->tree = wg_room_new(tape, n, sizeof *g->tree);
        g->met = wg_room_new(tape, n, sizeof *g->met);
        g->met_by = wg_room_new(tape, n, sizeof *g->met_by);
    }
    if (g->items && g->known && g->taken && (!acyclic || (g->tree && g->met && g->met_by)))
        return true;
    graph_free(g);
    return false;
}

/* In the given order (NULL: natural). */
static int greedy(const graph *g, bool acyclic, const int64_t *order)
{
    int colors = 0;
    for (int64_t v = 0; v < g->p->rows; v++)
        g->color[v] = -1;
    for (int64_t i = 0; i < g->p->rows; i++) {
        int64_t v = order ? order[i] : i;
        if (g->p->start[v + 1] == g->p->start[v])
            continue;
        if (acyclic)
            acyclic_forbid(g, v);
        else
            star_forbid(g, v);
        g->color[v] = first_free(g, v);
        colors = g->color[v] >= colors ? g->color[v] + 1 : colors;
        if (acyclic)
            acyclic_colored(g, v);
        else
            star_colored(g, v);
    }
    return colors;
}

/* The number of colours; -1: no memory. */
static int tried(wg_tape *tape, const wg_pattern *p, bool acyclic, const int64_t *order, int32_t *color)
{
    graph g;
    if (!graph_new(&g, tape, p, color, acyclic))
        return -1;
    int colors = greedy(&g, acyclic, order);
    graph_free(&g);
    return colors;
}

/* An order costs the squares of the rows' lengths: not where few rows are much longer than the others. */
static bool order_is_cheap(const wg_pattern *p)
{
    double work = 0;
    for (int64_t v = 0; v < p->rows; v++)
        work += (double)(p->start[v + 1] - p->start[v]) * (double)(p->start[v + 1] - p->start[v]);
    return work <= 100 * ((double)wg_pattern_count(p) + 1000);
}

/* In natural order, smallest last, by saturation: the best of them. */
static int colored(wg_tape *tape, const wg_pattern *p, bool acyclic, int32_t *color)
{
    int best = tried(tape, p, acyclic, NULL, color);
    if (best <= 2 || !order_is_cheap(p))
        return best;
    int64_t *order = wg_room_new(tape, p->rows, sizeof *order);
    int32_t *other = wg_room_new(tape, p->rows, sizeof *other);
    for (int saturation = 0; saturation < 2 && best >= 0; saturation++) {
        bool fine = order && other && wg_color_order(tape, p, p, saturation, order);
        int colors = fine ? tried(tape, p, acyclic, order, other) : -1;
        if (colors < best) {
            best = colors;
            for (int64_t v = 0; fine && v < p->rows; v++)
                color[v] = other[v];
        }
    }
    wg_room_free(tape, order);
    wg_room_free(tape, other);
    return best;
}

/* ---- Reading the entries ----------------------------------------------------------------------------------------- */
/* How many neighbours of v have colour c, and the sum of the edges to them, as entries. */
static void count_again(graph *g)
{
    const wg_pattern *p = g->p;
    for (int64_t v = 0; v < p->rows; v++)
        for (int64_t k = p->start[v]; k < p->start[v + 1]; k++)
            if (p->index[k] != v) {
                item *of_v = item_made(g, v, g->color[p->index[k]]);
                of_v->count++;
                of_v->edge += k;
            }
}

/* Of a star one end is alone with its colour: the leaf sees one hub. */
static void star_sources(const graph *g, wg_plan *plan)
{
    const wg_pattern *p = g->p;
    int64_t n = p->rows;
    for (int64_t v = 0; v < n; v++)
        for (int64_t k = p->start[v]; k < p->start[v + 1]; k++) {
            int64_t w = p->index[k];
            bool alone = w == v || item_of(g, v, g->color[w])->count == 1;
            plan->source[k] = alone ? g->color[w] * n + v : g->color[v] * n + w;
        }
}

/* The entry in row r and column c, which is there. */
static int64_t entry_at(const wg_pattern *p, int64_t r, int64_t c)
{
    int64_t low = p->start[r], high = p->start[r + 1];
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (p->index[middle] <= c)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* From the leaves of each tree to its root: a leaf v sees one neighbour w of a colour, so that (v, w) is read there,
 * and taken off what w sees of v's colour. */
static bool acyclic_sources(const graph *g, wg_plan *plan)
{
    const wg_pattern *p = g->p;
    int64_t n = p->rows, entries = wg_pattern_count(p), ready = 0;
    plan->from = wg_room_new(g->tape, entries, sizeof *plan->from);
    plan->to = wg_room_new(g->tape, entries, sizeof *plan->to);
    int64_t *leaf = wg_room_new(g->tape, 2 * entries, sizeof *leaf), *seen = leaf + entries; /* vertices, their edges */
    if (!plan->from || !plan->to || !leaf) {
        wg_room_free(g->tape, leaf);
        return false;
    }
    for (int64_t k = 0; k < entries; k++)
        plan->source[k] = -1;
    for (int64_t v = 0; v < n; v++) {
        for (int64_t k = p->start[v]; k < p->start[v + 1]; k++)
            if (p->index[k] == v)
                plan->source[k] = g->color[v] * n + v;
        for (int32_t i = 0; i < g->known[v]; i++)
            if (g->items[p->start[v] + i].count == 1) {
                leaf[ready] = v;
                seen[ready++] = g->items[p->start[v] + i].edge;
            }
    }
    for (int64_t i = 0; i < ready; i++) {
        int64_t v = leaf[i], k = seen[i], w = p->index[k];
        if (plan->source[k] >= 0)
            continue;
        int64_t back = entry_at(p, w, v);
        item *of_w = item_of(g, w, g->color[v]);
        plan->source[k] = plan->source[back] = g->color[w] * n + v;
        plan->from[plan->substitutions] = plan->source[k];
        plan->to[plan->substitutions++] = g->color[v] * n + w;
        of_w->count--;
        of_w->edge -= back;
        if (of_w->count == 1) {
            leaf[ready] = w;
            seen[ready++] = of_w->edge;
        }
    }
    wg_room_free(g->tape, leaf);
    return true;
}

bool wg_plan_hessian(wg_tape *tape, const wg_pattern *p, wg_coloring coloring, wg_plan *plan)
{
    bool acyclic = coloring == WG_COLORING_ACYCLIC;
    graph g;
    *plan = (wg_plan){.column_color = wg_room_new(tape, p->rows, sizeof *plan->column_color),
                      .source = wg_room_new(tape, wg_pattern_count(p), sizeof *plan->source)};
    int colors = plan->column_color && plan->source ? colored(tape, p, acyclic, plan->column_color) : -1;
    if (colors < 0 || !graph_new(&g, tape, p, plan->column_color, false))
        return false;
    plan->columns = colors;
    count_again(&g);
    bool fine = true;
    if (acyclic)
        fine = acyclic_sources(&g, plan);
    else
        star_sources(&g, plan);
    graph_free(&g);
    return fine;
}
