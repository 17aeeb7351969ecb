/* The scopes of a drawing: a tree, found by the hash of their path, and what is in each. */
#include "graph/drawing.h"

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
                                        .depth = d->scope[parent].depth + 1, .times = 1, .closed = WG_NOWHERE};
    d->scope[d->scopes].drawn_by = d->scopes;
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

/* ---- What is in them --------------------------------------------------------------------------------------------- */
static void count_operation(wg_drawing *d, uint32_t i)
{
    for (uint32_t s = d->scope_of[i]; s; s = d->scope[s].parent)
        if (d->scope[s].ops++ < WG_FEW)
            d->scope[s].few[d->scope[s].ops - 1] = i;
}

/* A parameter is counted where it is taken first, with all that is around. */
static void count_parameters(wg_drawing *d, uint32_t i, unsigned char *counted)
{
    const wg_fact *node = &d->facts->node[i];
    for (uint32_t k = 0; k < node->operands; k++) {
        uint32_t x = d->source[d->facts->operand[node->operand + k].from];
        if (d->facts->node[x].kind != WG_FACT_PARAMETER || counted[x])
            continue;
        counted[x] = 1;
        for (uint32_t s = d->scope_of[i]; s; s = d->scope[s].parent)
            d->scope[s].parameters += wg_tensor_elements(wg_fact_output(d->facts, x));
    }
}

bool wg_scopes_find(wg_drawing *d)
{
    const wg_facts *f = d->facts;
    unsigned char *counted = wg_arena(d->tape, (size_t)f->nodes + 1);
    if (!counted || !scopes_grow(d))
        return false;
    memset(counted, 0, f->nodes);
    d->scope[d->scopes++] = (wg_place_in){.name = "", .path = "", .times = 1, .closed = WG_NOWHERE};
    const char *path = "";
    for (uint32_t i = 0, s = 0; i < f->nodes; i++) {
        if (wg_fact_is_leaf(&f->node[i]))
            continue;
        if (f->node[i].scope != path) { /* texts are shared: most nodes are in the scope of the one before */
            path = f->node[i].scope;
            s = scope_of_path(d, path, strlen(path));
        }
        if (s == WG_NOWHERE)
            return false;
        d->scope_of[i] = s;
        if (d->source[i] != i)
            continue;
        count_operation(d, i);
        count_parameters(d, i, counted);
    }
    return true;
}

uint32_t wg_scope_add_run(wg_drawing *d, uint32_t parent)
{
    if (d->scopes == d->scope_room && !scopes_grow(d))
        return WG_NOWHERE;
    size_t size = strlen(d->scope[parent].path) + sizeof "." WG_RUN;
    char *path = wg_arena(d->tape, size);
    if (!path)
        return WG_NOWHERE;
    snprintf(path, size, "%s%s" WG_RUN, d->scope[parent].path, parent ? "." : "");
    d->scope[d->scopes] = (wg_place_in){.parent = parent, .name = WG_RUN, .path = path,
                                        .run = true, .shut = true, .depth = d->scope[parent].depth + 1, .times = 1,
                                        .closed = WG_NOWHERE};
    d->scope[d->scopes].drawn_by = d->scopes;
    return d->scopes++;
}

size_t wg_stem(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot > name && dot[1] && strspn(dot + 1, "0123456789") == strlen(dot + 1) ? (size_t)(dot - name)
                                                                                          : strlen(name);
}
