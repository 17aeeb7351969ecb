/* Which pictures a page has. All are parts of a few drawings, one a depth, so that a page of many scopes is made in
 * little more time than its pictures take. */
#include "graph/page.h"

#define MOST_DRAWN 250   /* nodes of a picture beside the first: Graphviz needs a fraction of a second */
#define MOST_RUN 500     /* of one of operations in a row, which are laid out faster */
#define MOST_IN_ALL 6000 /* nodes of all pictures */
#define LEVELS 12        /* depths that have a picture */

typedef struct {
    const wg_drawing *d;
    uint32_t *drawn; /* nodes, by scope, with those of scopes in it */
} level;

typedef struct {
    wg_pictures *p;
    uint32_t drawn;      /* nodes of all pictures */
    level level[LEVELS]; /* by depth, as far as there are scopes; at 0 all are closed */
    int levels;
    level runs;           /* as asked for, with operations in a row side by side */
    unsigned char *known; /* by scope: it has a picture, or can have none */
} choice;

static void *zeroed(wg_tape *tape, size_t n, size_t size)
{
    void *memory = wg_arena(tape, (n + 1) * size);
    if (memory)
        memset(memory, 0, (n + 1) * size);
    return memory;
}

static int deepest(const wg_drawing *d)
{
    int depth = 0;
    for (uint32_t s = 0; s < d->scopes; s++)
        depth = d->scope[s].depth > depth && !d->scope[s].run ? d->scope[s].depth : depth;
    return depth;
}

/* A drawing with other options, and what is in each of its scopes. */
static bool level_make(level *l, const wg_drawing *asked, const wg_draw_options *options, const char *name)
{
    l->d = wg_drawing_make(asked->facts, name, options);
    l->drawn = l->d ? zeroed(asked->tape, l->d->scopes, sizeof *l->drawn) : NULL;
    for (uint32_t i = 0; l->drawn && i < l->d->ordered; i++)
        for (uint32_t s = l->d->item[l->d->order[i]].scope; s; s = l->d->scope[s].parent)
            l->drawn[s]++;
    return l->drawn;
}

static bool levels_make(choice *c, const wg_drawing *asked, int depths, const char *name)
{
    static const char *const all[] = {"*", NULL};
    bool made = true;
    for (; made && depths > 1 && c->levels < depths && c->levels < LEVELS; c->levels++) {
        wg_draw_options options = asked->options;
        options.depth = c->levels ? c->levels : 1;
        options.close = c->levels ? options.close : all;
        made = level_make(&c->level[c->levels], asked, &options, name);
    }
    return made;
}

static bool runs_make(choice *c, const wg_drawing *asked, const char *name)
{
    size_t n = 0;
    bool any = false;
    for (uint32_t s = 0; s < asked->scopes; s++)
        any |= asked->scope[s].run;
    if (!any)
        return true;
    while (asked->options.open && asked->options.open[n])
        n++;
    const char **open = zeroed(asked->tape, n + 1, sizeof *open);
    if (!open)
        return false;
    for (size_t i = 0; i < n; i++)
        open[i] = asked->options.open[i];
    open[n] = WG_RUN;
    wg_draw_options options = asked->options;
    options.open = open;
    return level_make(&c->runs, asked, &options, name);
}

static void picture_add(choice *c, const wg_drawing *d, uint32_t scope, int depth, uint32_t drawn)
{
    if (c->p->n == WG_PAGE_PICTURES || (c->p->n && c->drawn + drawn > MOST_IN_ALL))
        return;
    c->p->picture[c->p->n++] = (wg_picture){d, scope, depth};
    c->drawn += drawn;
}

/* With as much open as fits a page. A scope of one operation has nothing to show but that. */
static void scope_add(choice *c, uint32_t scope, const wg_place_in *place)
{
    c->known[scope] |= place->ops < 2;
    if (place->run && c->runs.d && c->runs.drawn[scope] <= MOST_RUN && !c->known[scope])
        picture_add(c, c->runs.d, scope, 0, c->runs.drawn[scope]);
    c->known[scope] |= place->run;
    for (int k = c->levels - 1; k >= place->depth && !c->known[scope]; k--) {
        uint32_t drawn = c->level[k].drawn[scope];
        if (drawn > (k == place->depth ? MOST_DRAWN : WG_PAGE))
            continue;
        picture_add(c, c->level[k].d, scope, k, drawn);
        c->known[scope] = 1;
    }
    c->known[scope] = 1;
}

/* Those that are closed in a scope of a drawing: nested 32 deep at most. */
static void closed_add(choice *c, const wg_drawing *d, uint32_t scope)
{
    for (uint32_t entry = d->first_in[scope]; entry != WG_NOWHERE; entry = d->next_in[entry])
        if (entry >= d->items)
            closed_add(c, d, entry - d->items);
        else if (d->item[entry].kind == WG_ITEM_CLOSED)
            scope_add(c, d->item[entry].stands_for, &d->scope[d->item[entry].stands_for]);
}

wg_pictures *wg_page_pictures(const wg_drawing *d, const char *name)
{
    choice c = {.p = zeroed(d->tape, 1, sizeof *c.p), .known = zeroed(d->tape, d->scopes, 1)};
    int depths = d->options.around ? 1 : deepest(d) + 1; /* what it is around may be closed at another depth */
    if (!c.p || !c.known || !levels_make(&c, d, depths, name) || !runs_make(&c, d, name)) {
        wg_no_memory(d->tape, name, sizeof *c.p);
        return NULL;
    }
    int own = d->depth < depths ? d->depth : depths - 1;
    picture_add(&c, d, 0, own, d->ordered);
    for (int k = 0; k < c.levels; k++)
        if (k != own && c.level[k].d->ordered <= MOST_DRAWN)
            picture_add(&c, c.level[k].d, 0, k, c.level[k].d->ordered);
    for (int i = 0; i < c.p->n; i++) /* it grows meanwhile */
        closed_add(&c, c.p->picture[i].d, c.p->picture[i].scope);
    return c.p;
}
