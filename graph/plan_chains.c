/* Chains of a compiled function: elementwise steps on arrays of one size, one behind the other, are done block by
 * block, all steps on one block before the next, so that what passes between them stays in the first-level cache. A
 * value that nothing outside the chain reads is never written to memory. Pieces are those of unfused work, blocks whole
 * vectors, and so the bits are the same. What lies in memory is asked for a block ahead: else each block would wait for
 * its first step's operands. */
#include "graph/plan.h"

#define MOST_FROM 5
#define MOST_BUFFERS 24
#define MOST_STREAMS 16
#define SHORTEST 1024     /* elements that are worth a chain */
#define BUFFER_BYTES 2048 /* of a block of one value: a chain's values are to fit in the first-level cache */
#define NEAR_BYTES (2 << 20) /* of all arrays in memory: the second-level cache has them, and nothing is asked for */
#define LINE 64
#define BLOCK_OF(size) ((int64_t)(BUFFER_BYTES / (size)))
#define NO_BUFFER (-1)

/* Where a value is: in memory, or in a buffer of the block at hand. */
typedef struct {
    const void *data;
    int buffer;
    size_t size;  /* bytes an element */
    bool single;  /* one element that stands for all: its buffer is filled with it */
} place;

typedef struct {
    wg_kernel *kernel;
    const void *options;
    int n;
    place to, from[MOST_FROM];
} link;

typedef struct {
    wg_tape *tape;
    int64_t count, block;
    int n, n_streams;
    link *link;
    const place **stream; /* places of the links, one for each array in memory */
} chain;

/* ---- Running ----------------------------------------------------------------------------------------------------- */
typedef unsigned char buffers[MOST_BUFFERS][BUFFER_BYTES];

static void *place_at(const place *p, buffers room, int64_t first)
{
    if (p->buffer != NO_BUFFER)
        return room[p->buffer];
    return (unsigned char *)(uintptr_t)p->data + (size_t)first * p->size;
}

static void fill(const place *p, int64_t n, unsigned char *to)
{
    size_t bytes = (size_t)n * p->size;
    memcpy(to, p->data, p->size);
    for (size_t done = p->size; done < bytes; done *= 2)
        memcpy(to + done, to, done < bytes - done ? done : bytes - done);
}

/* Part `share` of as many as there are links of the block that begins with element `first`: it comes while links are at
 * work. Asking for memory behind an array's end does nothing. Inlined always, as a call that only asks has no effect
 * that gcc would keep it for. */
static inline __attribute__((always_inline)) void fetch(const chain *c, int share, int64_t first)
{
    for (int k = 0; k < c->n_streams; k++) {
        const place *p = c->stream[k];
        const unsigned char *block = (const unsigned char *)p->data + (size_t)first * p->size;
        int64_t lines = c->block * (int64_t)p->size / LINE;
        for (int64_t i = lines * share / c->n; i < lines * (share + 1) / c->n; i++)
            __builtin_prefetch(block + i * LINE);
    }
}

static void chain_piece(void *argument, int64_t piece)
{
    const chain *c = argument;
    _Alignas(WG_ALIGN) buffers room;
    int64_t end = (piece + 1) * WG_PIECE < c->count ? (piece + 1) * WG_PIECE : c->count;
    for (int i = 0; i < c->n; i++)
        for (int k = 0; k < c->link[i].n; k++)
            if (c->link[i].from[k].single)
                fill(&c->link[i].from[k], c->block, room[c->link[i].from[k].buffer]);
    for (int64_t first = piece * WG_PIECE; first < end; first += c->block) {
        int64_t n = end - first < c->block ? end - first : c->block;
        for (int i = 0; i < c->n; i++) {
            const link *l = &c->link[i];
            const void *from[MOST_FROM];
            for (int k = 0; k < l->n; k++)
                from[k] = place_at(&l->from[k], room, first);
            l->kernel(n, place_at(&l->to, room, first), from, l->options);
            fetch(c, i, first + c->block);
        }
    }
}

static wg_status chain_run(const void *with)
{
    chain *c = (chain *)(uintptr_t)with;
    wg_parallel(c->tape, wg_pieces(c->count), chain_piece, c);
    return WG_OK;
}

/* ---- Finding them ------------------------------------------------------------------------------------------------ */
/* Is it one element, or a view that shows one everywhere? */
static bool is_single(const wg_node *node)
{
    bool single = true;
    for (int i = 0; i < node->rank; i++)
        single &= node->as.layout->dim[i] == 1 || !node->as.layout->stride[i];
    return single;
}

/* The elements of a step that may be part of a chain; 0: it may not. */
static int64_t chain_count(const wg_plan *p, uint32_t i)
{
    const wg_node *node = wg_plan_node(p, i);
    int64_t count = wg_node_count(node), found = 0;
    if (!node->rank || node->n_out != 1 || node->n_in < 1 || node->n_in > MOST_FROM || count <= SHORTEST)
        return 0;
    wg_arena_mark before = wg_arena_at(p->tape);
    const void *options;
    const wg_call *c = wg_call_again(p->tape, i);
    const uint32_t *in = wg_node_in(node);
    bool fits = c && wg_dense_kernel(c, &options);
    for (int k = 0; fits && k < node->n_in; k++) {
        const wg_node *x = in[k] == WG_ABSENT ? NULL : wg_plan_node(p, in[k]);
        bool single = x && is_single(x);
        bool dense =
            x && wg_node_count(x) == count && (wg_node_is(x, WG_NODE_CONTIGUOUS) || wg_is_dense_copy(p, in[k]));
        fits = single || dense;
    }
    found = fits ? count : 0;
    wg_arena_back(p->tape, before);
    return found;
}

/* Does step i take a single element of what the chain makes? It would have to wait for the whole. */
static bool takes_one_of(const wg_plan *p, uint32_t i, uint32_t first)
{
    const wg_node *node = wg_plan_node(p, i);
    const uint32_t *in = wg_node_in(node);
    for (int k = 0; k < node->n_in; k++)
        if (is_single(wg_plan_node(p, in[k])) && p->value[in[k]].root >= first && wg_is_made(p, p->value[in[k]].root))
            return true;
    return false;
}

/* Buffers that step i may need: for its result, and for each single operand. */
static int buffers_for(const wg_plan *p, uint32_t i)
{
    const wg_node *node = wg_plan_node(p, i);
    const uint32_t *in = wg_node_in(node);
    int n = 1;
    for (int k = 0; k < node->n_in; k++)
        n += in[k] != WG_ABSENT && is_single(wg_plan_node(p, in[k]));
    return n;
}

/* Steps from node `first` on that one chain can do; *next: the node behind the last. */
static int chain_length(const wg_plan *p, uint32_t first, uint32_t *next)
{
    int64_t count = chain_count(p, first);
    int n = 0, room = 0;
    *next = first + 1;
    for (uint32_t i = first; count && i < p->nodes; i++) {
        if (!wg_is_step(p, i))
            continue;
        room += buffers_for(p, i);
        if (room > MOST_BUFFERS || chain_count(p, i) != count || takes_one_of(p, i, first))
            break;
        n++;
        *next = i + 1;
    }
    return n;
}

/* What step i takes is read until the chain's last step `last`: while its later blocks are still to come, the chain
 * writes the first blocks of all of its results. */
static void operands_last(wg_plan *p, uint32_t i, uint32_t last)
{
    const wg_node *node = wg_plan_node(p, i);
    const uint32_t *in = wg_node_in(node);
    for (int k = 0; k < node->n_in; k++) {
        wg_plan_value *home = in[k] == WG_ABSENT ? NULL : wg_plan_home(p, in[k]);
        if (home && !(home->flags & WG_VALUE_INNER) && home->last < last)
            home->last = last;
    }
}

void wg_chains_found(wg_plan *p)
{
    uint32_t step = 0;
    for (uint32_t i = 0, next; i < p->nodes; i = next) {
        next = i + 1;
        if (!wg_is_step(p, i))
            continue;
        int n = chain_length(p, i, &next);
        if (n > 1)
            p->value[i].flags |= WG_VALUE_CHAIN;
        for (uint32_t k = i; n > 1 && k < next; k++)
            if (wg_is_step(p, k) && p->value[k].home == k && p->value[k].slot == WG_NO_SLOT &&
                p->value[k].last < step + (uint32_t)n)
                p->value[k].flags |= WG_VALUE_INNER;
        for (uint32_t k = i; n > 1 && k < next; k++)
            if (wg_is_step(p, k))
                operands_last(p, k, step + (uint32_t)n - 1);
        step += n > 1 ? (uint32_t)n : 1;
        next = n > 1 ? next : i + 1;
    }
}

/* ---- Making them ------------------------------------------------------------------------------------------------- */
/* Which buffer holds which value, and up to which step; which value each stream is. There are as many buffers as a
 * chain's results and single operands. */
typedef struct {
    uint32_t value[MOST_BUFFERS], last[MOST_BUFFERS];
    uint32_t streamed[MOST_STREAMS];
} holding;

static int buffer_unused(const holding *h)
{
    int b = 0;
    while (h->value[b] != WG_NEVER)
        b++;
    return b;
}

/* One that no step from `step` on reads. */
static int buffer_free(const holding *h, uint32_t step)
{
    int b = 0;
    while (h->value[b] != WG_NEVER && h->last[b] >= step)
        b++;
    return b;
}

static int buffer_of(const holding *h, uint32_t value)
{
    for (int b = 0; b < MOST_BUFFERS; b++)
        if (h->value[b] == value)
            return b;
    return NO_BUFFER;
}

static void operand_placed(wg_plan *p, holding *h, uint32_t x, place *to)
{
    const wg_node *node = wg_plan_node(p, x);
    uint32_t root = p->value[x].root;
    *to = (place){.buffer = NO_BUFFER, .size = wg_dtype_size((wg_dtype)node->dtype)};
    if (p->value[root].flags & WG_VALUE_INNER) {
        to->buffer = buffer_of(h, root);
        return;
    }
    wg_points_at(p, &to->data, x);
    if (!is_single(node))
        return;
    to->single = true;
    to->buffer = buffer_unused(h); /* filled before the first step, for the whole of the chain */
    h->value[to->buffer] = WG_NEVER - 1;
    h->last[to->buffer] = WG_NEVER;
}

/* Notes an array in memory, once. */
static void stream_found(chain *c, holding *h, const place *at, uint32_t root)
{
    int k = 0;
    while (k < c->n_streams && h->streamed[k] != root)
        k++;
    if (at->buffer != NO_BUFFER || k < c->n_streams || k == MOST_STREAMS)
        return;
    h->streamed[k] = root;
    c->stream[c->n_streams++] = at;
}

static bool link_made(wg_plan *p, holding *h, uint32_t i, link *l)
{
    wg_arena_mark before = wg_arena_at(p->tape);
    wg_call *c = wg_call_again(p->tape, i);
    bool made = c && wg_options_kept(p, c);
    if (made) {
        const uint32_t *in = wg_node_in(wg_plan_node(p, i));
        l->kernel = wg_dense_kernel(c, &l->options);
        l->n = c->n_in;
        for (int k = 0; k < l->n; k++)
            operand_placed(p, h, in[k], &l->from[k]);
    }
    wg_arena_back(p->tape, before);
    return made;
}

bool wg_chain_made(wg_plan *p, uint32_t first, uint32_t step, uint32_t *next)
{
    holding h;
    memset(&h, 0xff, sizeof h);
    int n = chain_length(p, first, next), k = 0;
    chain *c = wg_hold_take(p->f, sizeof *c);
    link *links = wg_hold_take(p->f, (size_t)n * sizeof *links);
    const place **stream = wg_hold_take(p->f, MOST_STREAMS * sizeof *stream);
    if (!c || !links || !stream)
        return false;
    size_t widest = 1;
    *c = (chain){
        .tape = p->tape, .count = wg_node_count(wg_plan_node(p, first)), .n = n, .link = links, .stream = stream};
    for (uint32_t i = first; i < *next; i++) {
        if (!wg_is_step(p, i))
            continue;
        link *l = &links[k];
        const wg_plan_value *v = &p->value[i];
        if (!link_made(p, &h, i, l))
            return false;
        l->to = (place){.buffer = NO_BUFFER, .size = wg_dtype_size((wg_dtype)wg_plan_node(p, i)->dtype)};
        if (v->flags & WG_VALUE_INNER) { /* not where an operand is: a kernel may not write what it reads */
            l->to.buffer = buffer_free(&h, step + (uint32_t)k);
            h.value[l->to.buffer] = i;
            h.last[l->to.buffer] = v->last;
        } else {
            wg_points_at(p, &l->to.data, i);
        }
        for (int a = 0; a < l->n; a++) {
            widest = l->from[a].size > widest ? l->from[a].size : widest;
            stream_found(c, &h, &l->from[a], p->value[wg_node_in(wg_plan_node(p, i))[a]].root);
        }
        widest = l->to.size > widest ? l->to.size : widest;
        stream_found(c, &h, &l->to, i);
        k++;
    }
    c->block = BLOCK_OF(widest);
    bool near = (size_t)c->n_streams * (size_t)c->count * widest < NEAR_BYTES;
    c->n_streams = near ? 0 : c->n_streams;
    wg_instruct_next(p, chain_run, c);
    return true;
}
