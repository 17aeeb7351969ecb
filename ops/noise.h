/* Noise: numbers of a standard distribution, a function of a stream alone. Private to the library. */
#ifndef OPS_NOISE_H
#define OPS_NOISE_H

#include "core/tape.h"
#include "ops/code.h"

typedef enum { WG_NOISE_UNIFORM, WG_NOISE_NORMAL, WG_NOISE_EXPONENTIAL, WG_NOISE_LAPLACE, WG_NOISE_GUMBEL } wg_noise;

/* The type of a saved stream: seed and number of the stream, as int64. */
static inline wg_type wg_stream_type(void) { return (wg_type){WG_INT64, 1, {2}}; }
/* Where a call draws from: the tape's next stream for seed 0, else the first one of that seed. */
static inline void wg_stream_open(wg_tape *tape, int64_t seed, uint64_t stream[2])
{
    stream[0] = seed ? (uint64_t)seed : tape->seed;
    stream[1] = seed ? 0 : tape->stream++;
}
/* The same in C: `key`, the seed of a call, whose stream is 0, and what the call saves; without a seed it has no C, as
 * there is no tape. Helpers for texts: "philox_of(key, stream, block, word)" of four words, and "noise_of(noise, key,
 * stream, element)". */
wg_status wg_stream_c(const wg_call *c, wg_code *w, int64_t seed);
extern const wg_helper *const wg_helpers_noise[];
/* WG_DRAWS numbers from element `first` on, which WG_DRAWS divides. */
void wg_draw_noise(wg_noise noise, const uint64_t stream[2], int64_t first, double *z);
/* The noise that a call drew from its saved stream, as a tensor of the type, without gradient. */
wg_tensor wg_noise_again(wg_tensor stream, wg_noise noise, const wg_type *type);

#endif
