/* The scopes of a drawing: a tree, found by the hash of their path; which of them are drawn closed. */
#include "graph/drawing.h"

#define PAGE 150   /* drawn nodes that fit one */
#define A_RUN 4    /* operations in a row that are worth joining */
#define DEEPEST 32 /* scopes nested deeper are one with the last: writers go down by recursion */

/* ---- By path ----------------------------------------------------------------------------------------------------- */
/* FNV-1a. */
static uint32_t hash_of(const char *path, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)path[i]) * 16777619u;
    return h;
}

/* The bucket that holds the scope, or the free one where it belongs. A path has one parent, so it is enough. */
static uint32_t *bucket_of(const wg_drawing *d, const char *path, size_t n)
{
    uint32_t at = hash_of(path, n);
    for (;; at++) {
        uint32_t *bucket = &d->bucket[at & (d->buckets - 1)];
        const char *own = *bucket ? d->scope[*bucket].path : NULL;
        if (!own || (strlen(own) == n && !memcmp(own, path, n)))
            return bucket;
    }
}

/* Twice the room, and at least twice as many buckets as scopes. */
static bool scopes_grow(wg_drawing *d)
{
    uint32_t room = d->scope_room ? 2 * d->scope_room : 64;
    wg_place_in *scope = wg_arena(d->tape, room * sizeof *scope);
    uint32_t *bucket = wg_arena(d->tape, 2 * room * sizeof *bucket);
    if (!scope || !bucket)
        return false;
    if (d->scopes)
        memcpy(scope, d->scope, d->scopes * sizeof *scope);
    memset(bucket, 0, 2 * room * sizeof *bucket);
    d->scope = scope;
    d->scope_room = room;
    d->bucket = bucket;
    d->buckets = 2 * room;
    for (uint32_t s = 1; s < d->scopes; s++)
        *bucket_of(d, d->scope[s].path, strlen(d->scope[s].path)) = s;
    return true;
}

bool wg_scopes_begin(wg_drawing *d)
{
    if (!scopes_grow(d))
        return false;
    d->scope[d->scopes++] = (wg_place_in){.name = "", .path = "", .closed = WG_NOWHERE};
    return true;
}

/* The scope of the first `n` bytes of path beneath parent, made on first use; its name begins at `start`. */
static uint32_t scope_of(wg_drawing *d, uint32_t parent, const char *path, size_t start, size_t n)
{
    uint32_t *bucket = bucket_of(d, path, n);
    if (*bucket)
        return *bucket;
    if (d->scopes == d->scope_room && !scopes_grow(d))
        return WG_NOWHERE;
    char *copy = wg_arena(d->tape, n + 1);
    if (!copy)
        return WG_NOWHERE;
    memcpy(copy, path, n);
    copy[n] = 0;
    d->scope[d->scopes] = (wg_place_in){.parent = parent, .name = copy + start, .path = copy,
                                        .depth = d->scope[parent].depth + 1, .closed = WG_NOWHERE};
    *bucket_of(d, path, n) = d->scopes;
    return d->scopes++;
}

/* The end of the name that starts at `start`: at a dot that no number follows, so that "block.0" is one name. */
static size_t name_end(const char *path, size_t start, size_t size)
{
    size_t end = start;
    while (end < size && (path[end] != '.' || (end + 1 < size && path[end + 1] >= '0' && path[end + 1] <= '9')))
        end++;
    return end;
}

/* "block.0.attn" is attn in block.0. */
static uint32_t scope_of_path(wg_drawing *d, const char *path, size_t size)
{
    uint32_t at = 0;
    for (size_t start = 0; start < size && at != WG_NOWHERE && d->scope[at].depth < DEEPEST;) {
        size_t end = name_end(path, start, size);
        if (end > start)
            at = scope_of(d, at, path, start, end);
        start = end + 1;
    }
    return at;
}

/* ---- Of a call --------------------------------------------------------------------------------------------------- */
/* What the names of the parameters that a call takes have in common before their last dot; 0: nothing. */
static size_t common_prefix(const wg_drawing *d, const wg_node *node, const char **name)
{
    size_t size = 0;
    const uint32_t *in = wg_node_in(node);
    *name = NULL;
    for (int k = 0; k < node->n_in; k++) {
        const wg_node *x = in[k] == WG_ABSENT ? NULL : wg_node_at(d->tape, wg_drawing_source(d, in[k]));
        if (!x || !wg_node_is(x, WG_NODE_PARAM))
            continue;
        const char *own = wg_node_name(x), *dot = strrchr(own, '.');
        size_t n = dot ? (size_t)(dot - own) : 0;
        if (*name && (n != size || memcmp(own, *name, n)))
            return 0;
        *name = own;
        size = n;
    }
    return *name ? size : 0;
}

uint32_t wg_scope_of_node(wg_drawing *d, const wg_node *node)
{
    char path[1024];
    const char *name;
    if (node->scope) {
        wg_scope_path(d->tape, node->scope, path, sizeof path);
        return scope_of_path(d, path, strlen(path));
    }
    size_t size = common_prefix(d, node, &name);
    return size ? scope_of_path(d, name, size) : 0;
}

/* ---- Closed ------------------------------------------------------------------------------------------------------ */
static bool is_op(const wg_drawing *d, const wg_shown *item)
{
    return (item->kind == WG_ITEM_OP || item->kind == WG_ITEM_ROOT) &&
           !wg_node_is(wg_node_at(d->tape, item->node), WG_NODE_LEAF);
}

static void count_scopes(wg_drawing *d)
{
    for (uint32_t i = 0; i < d->items; i++) {
        const wg_shown *item = &d->item[i];
        int64_t parameters = 0;
        for (uint32_t r = 0; item->kind == WG_ITEM_CARD && r < item->rows; r++)
            parameters += wg_node_count(wg_node_at(d->tape, d->row[item->first_row + r]));
        for (uint32_t s = item->scope; s; s = d->scope[s].parent) {
            wg_place_in *scope = &d->scope[s];
            scope->parameters += parameters;
            if (is_op(d, item) && scope->ops++ < WG_FEW)
                scope->few[scope->ops - 1] = i;
        }
    }
}

/* Drawn nodes with scopes deeper than `depth` closed. */
static uint32_t drawn_at(const wg_drawing *d, int depth)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->items; i++)
        n += d->scope[d->item[i].scope].depth <= depth;
    for (uint32_t s = 1; s < d->scopes; s++)
        n += d->scope[s].depth == depth + 1;
    return n;
}

static int deepest(const wg_drawing *d)
{
    int depth = 0;
    for (uint32_t s = 0; s < d->scopes; s++)
        depth = d->scope[s].depth > depth ? d->scope[s].depth : depth;
    return depth;
}

/* The only item that an operation takes, parameters of its own aside; WG_NOWHERE where there are none or several. */
static uint32_t only_source(const wg_drawing *d, uint32_t item, uint32_t *takers)
{
    const wg_node *node = wg_node_at(d->tape, d->item[item].node);
    uint32_t only = WG_NOWHERE;
    int n = 0;
    for (int k = 0; k < node->n_in; k++) {
        uint32_t x, from = wg_source_item(d, node, k, &x);
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
    return shown->kind == WG_ITEM_OP && !shown->bad && !*wg_node_name(wg_node_at(d->tape, shown->node));
}

static bool run_add(wg_drawing *d, uint32_t parent)
{
    if (d->scopes == d->scope_room && !scopes_grow(d))
        return false;
    d->scope[d->scopes++] = (wg_place_in){.parent = parent,
                                          .name = "\xe2\x80\xa6",
                                          .path = d->scope[parent].path,
                                          .run = true,
                                          .depth = d->scope[parent].depth + 1,
                                          .closed = WG_NOWHERE};
    return true;
}

/* Operations in a row, each taking only the one before, which nothing else takes, become a scope of their own. */
static bool runs_join(wg_drawing *d, int depth)
{
    uint32_t n = d->items, *memory = wg_arena(d->tape, 5 * (size_t)n * sizeof *memory);
    if (!memory)
        return false;
    uint32_t *takers = memory, *only = takers + n, *run = only + n, *length = run + n, *scope = length + n;
    memset(memory, 0, 5 * (size_t)n * sizeof *memory);
    for (uint32_t i = 0; i < n; i++)
        only[i] = is_op(d, &d->item[i]) ? only_source(d, i, takers) : WG_NOWHERE;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t s = only[i];
        bool joins = s != WG_NOWHERE && only[s] != WG_NOWHERE && takers[s] == 1 && is_plain(d, i) && is_plain(d, s) &&
                     d->item[s].scope == d->item[i].scope;
        run[i] = joins ? run[s] : i;
        length[run[i]]++;
    }
    for (uint32_t i = 0; i < n; i++) {
        wg_shown *item = &d->item[i];
        if (length[run[i]] < A_RUN || d->scope[item->scope].depth > depth)
            continue;
        if (!scope[run[i]]) {
            if (!run_add(d, item->scope))
                return false;
            scope[run[i]] = d->scopes - 1;
        }
        item->scope = scope[run[i]];
        if (item->card != WG_NOWHERE)
            d->item[item->card].scope = item->scope;
    }
    return true;
}

static bool is_closed(const wg_drawing *d, uint32_t s, int depth)
{
    return d->scope[s].run || d->scope[s].depth > depth;
}

bool wg_scopes_close(wg_drawing *d)
{
    int depth = d->options.depth;
    bool by_itself = depth <= 0;
    if (by_itself) {
        for (depth = deepest(d); depth > 0 && drawn_at(d, depth) > PAGE; depth--)
            ;
        if (drawn_at(d, depth) > PAGE && !runs_join(d, depth))
            return false;
    }
    count_scopes(d);
    for (uint32_t i = 0, items = d->items; i < items; i++) {
        uint32_t s = d->item[i].scope;
        if (d->item[i].kind == WG_ITEM_CARD || !is_closed(d, s, depth))
            continue;
        while (is_closed(d, d->scope[s].parent, depth))
            s = d->scope[s].parent;
        if (d->scope[s].closed == WG_NOWHERE) {
            d->item[d->items] = (wg_shown){.kind = WG_ITEM_CLOSED, .node = d->item[i].node, .id = d->item[i].id,
                                           .scope = d->scope[s].parent, .stands_for = s, .card = WG_NOWHERE,
                                           .above = WG_NOWHERE};
            d->scope[s].closed = d->items++;
            d->closed_by_itself += by_itself;
        }
        d->item[d->scope[s].closed].bad |= d->item[i].bad;
    }
    for (uint32_t s = 1; s < d->scopes; s++) /* inside a closed one */
        if (d->scope[s].closed == WG_NOWHERE)
            d->scope[s].closed = d->scope[d->scope[s].parent].closed;
    return true;
}
