/* Arrays onto the tape. A layout other than row-major is made by views, the way a user's program comes by it. */
#define WG_WITHOUT_PLACES /* a request has no line of C */
#include "place.h"

#include <stdlib.h>

static wg_tensor contiguous(wg_tape *tape, const array *a, wg_tensor *leaf)
{
    return *leaf = (wg_array)(tape, a->type.dtype, wg_type_shape(&a->type), a->data);
}

/* ---- Strided ----------------------------------------------------------------------------------------------------- */
/* The elements of a spread out: element (i0, i1, ...) goes to 1 + i0 stride[0] + i1 stride[1] + ... of `to`. */
static void spread(const array *a, const int64_t *stride, unsigned char *to)
{
    size_t size = wg_dtype_size(a->type.dtype);
    int64_t index[WG_MAX_RANK] = {0}, at = 1;
    for (int64_t i = 0; i < a->count; i++) {
        memcpy(to + (size_t)at * size, (const unsigned char *)a->data + (size_t)i * size, size);
        for (int k = a->type.rank - 1; k >= 0; k--) {
            at += stride[k];
            if (++index[k] < a->type.dim[k])
                break;
            at -= stride[k] * a->type.dim[k];
            index[k] = 0;
        }
    }
}

/* The view back: every second entry of the last axis, then the axes reversed. */
static wg_tensor viewed(wg_tensor whole, int rank)
{
    if (rank == 0)
        return wg_select(whole, 0, 1);
    wg_slice_options part = {.start = {.n = rank}, .step = {.n = rank}};
    wg_axes reversed = {.n = rank};
    for (int k = 0; k < rank; k++) {
        part.start.at[k] = part.step.at[k] = WG_NO_INTEGER;
        reversed.at[k] = rank - 1 - k;
    }
    part.start.at[rank - 1] = 1;
    part.step.at[rank - 1] = 2;
    return (wg_permute_dims)((wg_slice)(whole, part), reversed);
}

static wg_tensor strided(wg_tape *tape, const array *a, wg_tensor *leaf)
{
    int rank = a->type.rank;
    size_t size = wg_dtype_size(a->type.dtype);
    wg_shape shape = {{2}, rank ? rank : 1};
    int64_t stride[WG_MAX_RANK], next = 2;
    if (!a->count) /* no element has a stride */
        return contiguous(tape, a, leaf);
    for (int k = 0; k < rank; k++) {
        stride[k] = next;
        next *= a->type.dim[k];
        shape.dim[rank - 1 - k] = a->type.dim[k];
    }
    if (rank)
        shape.dim[rank - 1] *= 2;
    unsigned char *whole = calloc(2 * (size_t)a->count, size);
    if (!whole) {
        wg_report(tape, "", WG_ERROR_MEMORY, "no memory for %lld elements", (long long)a->count);
        return WG_INVALID;
    }
    if (a->type.dtype != WG_BOOL) /* NaN, or an index out of range, where nobody may look */
        memset(whole, 0xff, 2 * (size_t)a->count * size);
    spread(a, stride, whole);
    *leaf = (wg_array)(tape, a->type.dtype, shape, whole);
    free(whole);
    return viewed(*leaf, rank);
}

/* ---- Broadcast --------------------------------------------------------------------------------------------------- */
/* `outer` blocks of n entries of `bytes`: are the entries of each block equal? Then the first of each is kept. */
static bool repeats_dropped(unsigned char *data, int64_t outer, int64_t n, size_t bytes)
{
    for (int64_t i = 0; i < outer; i++)
        for (int64_t k = 1; k < n; k++)
            if (memcmp(data + (size_t)(i * n) * bytes, data + (size_t)(i * n + k) * bytes, bytes))
                return false;
    for (int64_t i = 1; i < outer; i++)
        memcpy(data + (size_t)i * bytes, data + (size_t)(i * n) * bytes, bytes);
    return true;
}

static wg_tensor broadcast(wg_tape *tape, array *a, wg_tensor *leaf)
{
    wg_shape full = wg_type_shape(&a->type);
    int64_t outer = 1, inner = a->count;
    for (int k = 0; k < a->type.rank && a->count; k++) {
        int64_t n = a->type.dim[k];
        inner /= n;
        if (n > 1 && repeats_dropped(a->data, outer, n, (size_t)inner * wg_dtype_size(a->type.dtype)))
            a->type.dim[k] = 1;
        outer *= a->type.dim[k];
    }
    return (wg_broadcast_to)(contiguous(tape, a, leaf), full);
}

wg_tensor placed(wg_tape *tape, array *a, layout how, wg_tensor *leaf)
{
    switch (how) {
    case LAYOUT_STRIDED: return strided(tape, a, leaf);
    case LAYOUT_BROADCAST: return broadcast(tape, a, leaf);
    case LAYOUT_CONTIGUOUS: break;
    }
    return contiguous(tape, a, leaf);
}
