/* Memory: the tape itself, its allocator, and the arena that nodes, buffers and saved values are bumped from. A rewind
 * moves the bump pointer back and keeps the blocks, so that the next training step finds them and allocates nothing. */
#include "tape.h"

#include <stdlib.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#define HUGE_PAGE ((size_t)1 << 21)
#define FIRST_BLOCK ((size_t)1 << 16) /* bytes; blocks grow with what is held, up to LARGEST_BLOCK */
#define LARGEST_BLOCK ((size_t)1 << 26)

/* ---- The allocator --------------------------------------------------------------------------------------------- */
static void *from_malloc(void *user, size_t bytes)
{
    (void)user;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    /* Much memory in huge pages, where the system gives them when asked: fewer misses of the address cache. */
    if (bytes >= HUGE_PAGE && bytes <= SIZE_MAX - HUGE_PAGE) {
        size_t whole = (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
        void *memory = aligned_alloc(HUGE_PAGE, whole);
        if (memory)
            madvise(memory, whole, MADV_HUGEPAGE);
        return memory;
    }
#endif
    return malloc(bytes);
}

static void to_free(void *user, void *memory, size_t bytes)
{
    (void)user;
    (void)bytes;
    free(memory);
}

static void *from_buffer(wg_tape *tape, size_t bytes)
{
    size_t start = (tape->buffer_used + 15) & ~(size_t)15;
    if (start > tape->buffer_bytes || bytes > tape->buffer_bytes - start)
        return NULL;
    tape->buffer_used = start + bytes;
    return tape->buffer + start;
}

static void *allocate(wg_tape *tape, size_t bytes)
{
    void *memory = tape->buffer ? from_buffer(tape, bytes) : tape->memory.allocate(tape->memory.user, bytes);
    if (memory)
        tape->bytes += bytes;
    return memory;
}

void *wg_tape_allocate(wg_tape *tape, size_t bytes)
{
    void *memory = allocate(tape, bytes ? bytes : 1);
    if (memory)
        memset(memory, 0, bytes ? bytes : 1);
    return memory;
}

void wg_tape_release(wg_tape *tape, void *memory, size_t bytes)
{
    if (!memory)
        return;
    tape->bytes -= bytes ? bytes : 1;
    if (!tape->buffer)
        tape->memory.release(tape->memory.user, memory, bytes ? bytes : 1);
}

bool wg_tape_grow(wg_tape *tape, void **table, uint32_t *room, size_t need, size_t size)
{
    if (need <= *room)
        return true;
    size_t more = *room ? 2 * (size_t)*room : 16;
    while (more < need)
        more *= 2;
    void *grown = wg_tape_allocate(tape, more * size);
    if (!grown)
        return false;
    if (*table)
        memcpy(grown, *table, *room * size);
    wg_tape_release(tape, *table, *room * size);
    *table = grown;
    *room = (uint32_t)more;
    return true;
}

/* ---- The arena ------------------------------------------------------------------------------------------------- */
static unsigned char *block_bytes(wg_block *block) { return (unsigned char *)(block + 1); }

static size_t aligned(const wg_block *block, size_t alignment)
{
    uintptr_t start = (uintptr_t)(block + 1) + block->used;
    return block->used + (size_t)(-start & (alignment - 1));
}

static bool block_fits(const wg_block *block, size_t bytes, size_t alignment)
{
    size_t start = aligned(block, alignment);
    return start <= block->size && bytes <= block->size - start;
}

/* Puts `block` behind the present one. Those behind it hold nothing. */
static wg_block *block_next(wg_tape *tape, wg_block *block)
{
    wg_block **next = tape->block ? &tape->block->next : &tape->first;
    block->next = *next;
    *next = block;
    return block;
}

/* The nearest block behind with room, or a new one. */
static wg_block *block_with(wg_tape *tape, size_t bytes, size_t alignment)
{
    wg_block **at = tape->block ? &tape->block->next : &tape->first;
    for (wg_block *block = *at; block; at = &block->next, block = *at) {
        block->used = 0;
        if (!block_fits(block, bytes, alignment))
            continue;
        *at = block->next;
        return block_next(tape, block);
    }
    if (bytes > SIZE_MAX / 2)
        return NULL;
    size_t size = tape->bytes < FIRST_BLOCK ? FIRST_BLOCK : tape->bytes > LARGEST_BLOCK ? LARGEST_BLOCK : tape->bytes;
    if (size < bytes + WG_ALIGN)
        size = bytes + WG_ALIGN;
    wg_block *made = allocate(tape, sizeof *made + size);
    if (!made && size > bytes + WG_ALIGN) { /* less will do */
        size = bytes + WG_ALIGN;
        made = allocate(tape, sizeof *made + size);
    }
    if (!made)
        return NULL;
    *made = (wg_block){.size = size};
    return block_next(tape, made);
}

void *wg_arena(wg_tape *tape, size_t bytes)
{
    size_t alignment = bytes >= WG_ALIGN ? WG_ALIGN : 8;
    wg_block *block = tape->block;
    if (!block || !block_fits(block, bytes, alignment)) {
        block = block_with(tape, bytes, alignment);
        if (!block)
            return NULL;
        tape->block = block;
    }
    size_t start = aligned(block, alignment);
    block->used = start + bytes;
    return block_bytes(block) + start;
}

void wg_arena_back(wg_tape *tape, wg_arena_mark mark)
{
    tape->block = mark.block;
    if (mark.block)
        mark.block->used = mark.used;
}

/* ---- Nodes ----------------------------------------------------------------------------------------------------- */
bool wg_chunk_append(wg_tape *tape)
{
    if (tape->nodes >= UINT32_MAX - WG_CHUNK)
        return false;
    if (!wg_tape_grow(tape, (void **)&tape->chunk, &tape->chunk_room, (size_t)tape->chunks + 1, sizeof *tape->chunk))
        return false;
    wg_node *chunk = wg_arena(tape, WG_CHUNK * sizeof *chunk);
    if (chunk)
        tape->chunk[tape->chunks++] = chunk;
    return chunk != NULL;
}

void *wg_node_memory(wg_tape *tape, uint32_t i, size_t bytes)
{
    if (i >= tape->marked)
        return wg_arena(tape, bytes);
    wg_kept *kept = wg_tape_allocate(tape, sizeof *kept + bytes);
    if (!kept)
        return NULL;
    *kept = (wg_kept){tape->kept, bytes, i};
    tape->kept = kept;
    return kept + 1;
}

static void kept_release(wg_tape *tape, wg_kept **at)
{
    wg_kept *kept = *at;
    *at = kept->next;
    wg_tape_release(tape, kept, sizeof *kept + kept->bytes);
}

void wg_node_memory_back(wg_tape *tape, const void *memory)
{
    for (wg_kept **at = &tape->kept; *at; at = &(*at)->next)
        if (*at + 1 == memory) {
            kept_release(tape, at);
            return;
        }
}

wg_extra *wg_node_extra(wg_tape *tape, uint32_t i)
{
    wg_node *node = wg_node_at(tape, i);
    if (node->extra)
        return node->extra;
    wg_extra *extra = wg_node_memory(tape, i, sizeof *extra);
    if (extra)
        *extra = (wg_extra){.grad = WG_ABSENT};
    return node->extra = extra;
}

void wg_nodes_back(wg_tape *tape, uint32_t nodes, uint32_t chunks, uint32_t scopes)
{
    for (wg_kept **at = &tape->kept; *at;)
        if ((*at)->node >= nodes)
            kept_release(tape, at);
        else
            at = &(*at)->next;
    tape->nodes = nodes;
    tape->chunks = chunks;
    wg_decisions_back(tape, nodes);
    wg_scopes_back(tape, scopes);
    if (tape->marked > nodes)
        tape->marked = nodes;
    if (tape->unplaced > nodes)
        tape->unplaced = nodes;
}

/* ---- Marks ----------------------------------------------------------------------------------------------------- */
/* The epoch of the last of so many nodes; 0: there is none. */
static uint32_t last_epoch(const wg_tape *tape, uint32_t nodes)
{
    return nodes ? wg_node_at(tape, nodes - 1)->epoch : 0;
}

wg_mark wg_tape_mark(wg_tape *tape)
{
    if (!tape)
        return (wg_mark){0};
    wg_arena_mark arena = wg_arena_at(tape);
    tape->marked = tape->nodes;
    return (wg_mark){.tape = tape,
                     .block = arena.block,
                     .used = arena.used,
                     .nodes = tape->nodes,
                     .chunks = tape->chunks,
                     .scopes = tape->scopes,
                     .scope = tape->scope_now,
                     .unopened = tape->scope_unopened,
                     .last = last_epoch(tape, tape->nodes)};
}

/* A mark outlived by a rewind to an earlier one: its last node is gone, or another one in its place. */
static bool mark_alive(const wg_tape *tape, const wg_mark *mark)
{
    return mark->tape == tape && mark->nodes <= tape->nodes && mark->chunks <= tape->chunks &&
           mark->scopes <= tape->scopes && mark->last == last_epoch(tape, mark->nodes) &&
           (mark->block != tape->block || !tape->block || mark->used <= tape->block->used);
}

/* After 2^32 - 1 rewinds epochs begin again. What was written is then of the first: so that no node to come seems
 * older. */
static void epoch_next(wg_tape *tape)
{
    if (++tape->epoch)
        return;
    tape->epoch = 1;
    for (uint32_t i = 0; i < tape->nodes; i++) {
        wg_extra *extra = wg_node_at(tape, i)->extra;
        if (!extra || !extra->written_epoch)
            continue;
        extra->written = extra->written < tape->nodes ? extra->written : tape->nodes;
        extra->written_epoch = 1;
    }
    tape->written = tape->nodes;
    tape->written_epoch = 1;
}

void (wg_rewind)(wg_tape *tape, wg_mark mark)
{
    if (!tape)
        return;
    if (!mark_alive(tape, &mark)) {
        wg_report(tape, "wg_rewind", WG_ERROR_STALE, "the mark is of another tape or of a time already rewound");
        return;
    }
    wg_arena_back(tape, (wg_arena_mark){mark.block, mark.used});
    wg_nodes_back(tape, mark.nodes, mark.chunks, mark.scopes);
    tape->scope_now = mark.scope;
    tape->scope_unopened = mark.unopened;
    tape->hint.data = NULL;
    epoch_next(tape);
    wg_forget_place(tape);
}

size_t wg_tape_nodes(const wg_tape *tape) { return tape ? tape->nodes : 0; }
size_t wg_tape_bytes(const wg_tape *tape) { return tape ? tape->bytes : 0; }

size_t wg_tape_used_bytes(const wg_tape *tape)
{
    size_t used = 0;
    for (const wg_block *block = tape ? tape->first : NULL; block; block = block->next) {
        used += block->used;
        if (block == tape->block)
            return used;
    }
    return tape && tape->block ? used : 0;
}

/* ---- The tape -------------------------------------------------------------------------------------------------- */
wg_tape *(wg_tape_new)(wg_tape_options options)
{
    wg_tape whole = {.memory = options.memory, .threads = options.threads < 1 ? 1 : options.threads};
    if (!whole.memory.allocate || !whole.memory.release)
        whole.memory = (wg_memory){from_malloc, to_free, NULL};
    if (options.buffer) {
        uintptr_t start = ((uintptr_t)options.buffer + 63) & ~(uintptr_t)63;
        size_t lost = (size_t)(start - (uintptr_t)options.buffer);
        if (options.buffer_bytes < lost)
            return NULL;
        whole.buffer = (unsigned char *)options.buffer + lost;
        whole.buffer_bytes = options.buffer_bytes - lost;
    }
    whole.seed = options.seed;
    whole.epoch = 1;
    wg_tape *tape = allocate(&whole, sizeof *tape);
    if (!tape)
        return NULL;
    *tape = whole;
    return tape;
}

wg_status (wg_tape_own)(wg_tape *tape, void *object, void (*release)(void *object))
{
    if (!tape)
        return WG_ERROR_VALUE;
    if (!release)
        return wg_report(tape, "wg_tape_own", WG_ERROR_VALUE, "there is no function that releases the object");
    wg_owned *owned = wg_tape_allocate(tape, sizeof *owned);
    if (!owned) {
        release(object);
        return wg_no_memory(tape, "wg_tape_own", sizeof *owned);
    }
    *owned = (wg_owned){tape->owned, object, release};
    tape->owned = owned;
    wg_forget_place(tape);
    return WG_OK;
}

void *wg_tape_owned(const wg_tape *tape, void (*release)(void *object))
{
    const wg_owned *owned = tape->owned;
    while (owned && owned->release != release)
        owned = owned->next;
    return owned ? owned->object : NULL;
}

void wg_tape_free(wg_tape *tape)
{
    if (!tape)
        return;
    while (tape->owned) {
        wg_owned *owned = tape->owned;
        tape->owned = owned->next;
        owned->release(owned->object);
        wg_tape_release(tape, owned, sizeof *owned);
    }
    wg_pool_free(tape);
    wg_registry_free(tape);
    for (wg_block *block = tape->first, *next; block; block = next) {
        next = block->next;
        wg_tape_release(tape, block, sizeof *block + block->size);
    }
    while (tape->kept)
        kept_release(tape, &tape->kept);
    wg_tape_release(tape, tape->staged, (size_t)tape->staged_room * WG_ALIGN);
    wg_tape_release(tape, tape->decision, tape->decision_room * sizeof *tape->decision);
    wg_tape_release(tape, tape->scope, tape->scope_room * sizeof *tape->scope);
    wg_tape_release(tape, tape->scope_bucket, tape->scope_buckets * sizeof *tape->scope_bucket);
    wg_tape_release(tape, (void *)tape->chunk, tape->chunk_room * sizeof *tape->chunk);
    wg_tape_release(tape, (void *)tape->file, tape->file_room * sizeof *tape->file);
    if (!tape->buffer)
        tape->memory.release(tape->memory.user, tape, sizeof *tape);
}
