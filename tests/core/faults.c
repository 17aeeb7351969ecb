/* Each block lies between a header and a fence. The fence shows a write past the end, the header's size a release of
 * another size than was asked for. */
#include "faults.h"

#include <stdlib.h>

#define GARBAGE 0xa5 /* as a float, an index or a pointer: nothing that would pass for a value */
#define RELEASED 0xdd
#define FENCE 0xfe
#define FENCE_BYTES 16
#define LINE 64

typedef struct {
    size_t bytes;
    void *base; /* of malloc's block */
} header;

static void *faults_allocate(void *user, size_t bytes)
{
    faults *f = user;
    if (f->largest && bytes > f->largest)
        return NULL;
    f->calls++;
    if (f->fail_at && (f->calls == f->fail_at || (f->from_there && f->calls > f->fail_at))) {
        f->failed++;
        return NULL;
    }
    unsigned char *base = malloc(LINE + sizeof(header) + LINE + f->skew + bytes + FENCE_BYTES);
    if (!base)
        abort();
    uintptr_t first = ((uintptr_t)base + sizeof(header) + LINE - 1) / LINE * LINE + f->skew;
    header *block = (header *)first - 1;
    *block = (header){bytes, base};
    memset(block + 1, GARBAGE, bytes);
    memset((unsigned char *)(block + 1) + bytes, FENCE, FENCE_BYTES);
    f->blocks++;
    f->bytes += bytes;
    return block + 1;
}

static void faults_release(void *user, void *memory, size_t bytes)
{
    faults *f = user;
    header *block = (header *)memory - 1;
    const unsigned char *fence = (unsigned char *)memory + block->bytes;
    bool whole = block->bytes == bytes;
    for (int i = 0; i < FENCE_BYTES; i++)
        whole &= fence[i] == FENCE;
    f->misused += !whole;
    f->blocks--;
    f->bytes -= block->bytes;
    void *base = block->base;
    memset(block, RELEASED, sizeof *block + block->bytes);
    free(base);
}

wg_memory faults_memory(faults *f) { return (wg_memory){faults_allocate, faults_release, f}; }
