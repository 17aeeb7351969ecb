/* Scopes and names: where in the model a node was recorded, and what its value is called. A scope is an entry of a
 * table, with its parent; opening the same name in the same parent gives the same entry. */
#include "tape.h"

static bool name_set(wg_tape *tape, uint32_t i, const char *name)
{
    wg_extra *extra = wg_node_extra(tape, i);
    if (!extra || (extra->name && !strcmp(extra->name, name)))
        return extra != NULL;
    size_t n = strlen(name) + 1;
    char *copy = wg_node_memory(tape, i, n);
    if (!copy)
        return false;
    memcpy(copy, name, n);
    wg_node_memory_back(tape, extra->name);
    extra->name = copy;
    return true;
}

wg_tensor (wg_name)(wg_tensor t, const char *name)
{
    const wg_node *node = wg_node_of(t, "wg_name");
    if (!node)
        return wg_is_none(t) || wg_is_number(t) ? t : wg_invalid_on(t.tape);
    if (!name) {
        wg_report(t.tape, "wg_name", WG_ERROR_VALUE, "the name is NULL");
        return t;
    }
    if (!name_set(t.tape, t.node, name))
        wg_no_memory(t.tape, "wg_name", strlen(name) + 1);
    wg_forget_place(t.tape);
    return t;
}

const char *(wg_name_of)(wg_tensor t)
{
    if (!wg_is_tensor(t))
        return "";
    const wg_node *node = wg_node_of(t, "wg_name_of");
    wg_forget_place(t.tape);
    return node && node->extra && node->extra->name ? node->extra->name : "";
}

const char *wg_scope_path(const wg_tape *tape, uint32_t scope, char *text, size_t size)
{
    uint32_t chain[64]; /* from the innermost outward */
    int n = 0;
    for (uint32_t s = scope; s && n < 64; s = tape->scope[s].parent)
        chain[n++] = s;
    size_t used = 0;
    text[0] = 0;
    while (n-- > 0 && used < size) {
        const wg_scope *s = &tape->scope[chain[n]];
        char index[16] = "";
        if (s->index >= 0)
            snprintf(index, sizeof index, ".%d", s->index);
        snprintf(text + used, size - used, "%s%s%s", used ? "." : "", s->name, index);
        used += strlen(text + used);
    }
    return text;
}

static bool scope_is(const wg_scope *s, uint32_t parent, const char *name, int index)
{
    return s->parent == parent && s->index == index && !strcmp(s->name, name);
}

/* The outermost scope has no name; it is made with the first one that has. */
static bool outermost(wg_tape *tape)
{
    if (tape->scopes)
        return true;
    if (!wg_tape_grow(tape, (void **)&tape->scope, &tape->scope_room, 1, sizeof *tape->scope))
        return false;
    tape->scope[0] = (wg_scope){.parent = 0, .index = -1, .name = ""};
    tape->scopes = 1;
    return true;
}

/* FNV-1a. */
static uint32_t hash_of(uint32_t parent, const char *name, int index)
{
    uint32_t h = (2166136261u ^ parent) * 16777619u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    h = (h ^ (uint32_t)index) * 16777619u;
    return h ^ h >> 15;
}

static uint32_t *bucket_of(const wg_tape *tape, uint32_t hash)
{
    return &tape->scope_bucket[hash & (tape->scope_buckets - 1)];
}

/* At least as many buckets as scopes. */
static bool buckets_grow(wg_tape *tape)
{
    uint32_t *before = tape->scope_bucket, n = tape->scope_buckets;
    if (tape->scopes < n)
        return true;
    uint32_t *bucket = wg_tape_allocate(tape, 2 * (size_t)(n ? n : 32) * sizeof *bucket);
    if (!bucket)
        return false;
    tape->scope_bucket = bucket;
    tape->scope_buckets = 2 * (n ? n : 32);
    wg_tape_release(tape, before, n * sizeof *before);
    for (uint32_t i = 1; i < tape->scopes; i++) {
        uint32_t *last = bucket_of(tape, tape->scope[i].hash);
        tape->scope[i].next = *last;
        *last = i;
    }
    return true;
}

void wg_scopes_back(wg_tape *tape, uint32_t scopes)
{
    for (uint32_t i = tape->scopes; i-- > (scopes ? scopes : 1);)
        *bucket_of(tape, tape->scope[i].hash) = tape->scope[i].next;
    tape->scopes = scopes;
}

static bool scope_add(wg_tape *tape, const char *name, int index, uint32_t *at)
{
    if (!outermost(tape) || !buckets_grow(tape))
        return false;
    uint32_t hash = hash_of(tape->scope_now, name, index), *last = bucket_of(tape, hash);
    for (uint32_t i = *last; i; i = tape->scope[i].next)
        if (scope_is(&tape->scope[i], tape->scope_now, name, index)) {
            *at = i;
            return true;
        }
    if (!wg_tape_grow(tape, (void **)&tape->scope, &tape->scope_room, (size_t)tape->scopes + 1, sizeof *tape->scope))
        return false;
    size_t n = strlen(name) + 1;
    char *copy = wg_arena(tape, n); /* a rewind that releases it takes the scope from the table */
    if (!copy)
        return false;
    memcpy(copy, name, n);
    *at = tape->scopes++;
    tape->scope[*at] = (wg_scope){tape->scope_now, index < 0 ? -1 : index, copy, hash, *last};
    *last = *at;
    return true;
}

int (wg_scope_begin)(wg_tape *tape, const char *name, int index)
{
    if (!tape)
        return 1;
    uint32_t at = tape->scope_now;
    if (!name)
        wg_report(tape, "wg_scope_begin", WG_ERROR_VALUE, "the name is NULL");
    else if (!scope_add(tape, name, index < 0 ? -1 : index, &at))
        wg_no_memory(tape, "wg_scope_begin", strlen(name) + 1);
    tape->scope_unopened += at == tape->scope_now;
    tape->scope_now = at;
    wg_forget_place(tape);
    return 1;
}

int (wg_scope_end)(wg_tape *tape)
{
    if (!tape)
        return 0;
    if (tape->scope_unopened)
        tape->scope_unopened--;
    else if (!tape->scope_now)
        wg_report(tape, "wg_scope_end", WG_ERROR_VALUE, "no scope is open");
    else
        tape->scope_now = tape->scope[tape->scope_now].parent;
    wg_forget_place(tape);
    return 0;
}

int wg_no_grad_begin(wg_tape *tape)
{
    if (tape)
        tape->no_grad++;
    return 1;
}

int (wg_no_grad_end)(wg_tape *tape)
{
    if (tape && tape->no_grad > 0)
        tape->no_grad--;
    else if (tape)
        wg_report(tape, "wg_no_grad_end", WG_ERROR_VALUE, "there is no wg_no_grad_begin before it");
    if (tape)
        wg_forget_place(tape);
    return 0;
}
