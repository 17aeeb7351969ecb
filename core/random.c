/* Random numbers, counter-based: word w of a stream is a function of seed, stream and w alone, so any part may be
 * drawn in any order and on any thread. Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2,
 * 3". */
#include "tape.h"

#include "wengert/map.h"

#define BLOCKS (WG_DRAWS / 2) /* of four words, drawn at a time */

/* ---- Philox 4x32-10 -------------------------------------------------------------------------------------------- */
static inline __attribute__((always_inline)) void philox(uint64_t key, uint64_t stream, uint64_t i, uint32_t word[4])
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t c0 = (uint32_t)i, c1 = (uint32_t)(i >> 32), c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
#ifdef __GNUC__
#pragma GCC unroll 10 /* early enough for the loop around it to be vector code */
#endif
    for (int round = 0; round < 10; round++) {
        uint64_t even = (uint64_t)c0 * 0xd2511f53u, odd = (uint64_t)c2 * 0xcd9e8d57u;
        c0 = (uint32_t)(odd >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)odd;
        c2 = (uint32_t)(even >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)even;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    word[0] = c0;
    word[1] = c1;
    word[2] = c2;
    word[3] = c3;
}

void wg_philox(uint64_t key, uint64_t stream, uint64_t i, uint32_t word[4]) { philox(key, stream, i, word); }

void wg_seed(wg_tape *tape, uint64_t seed)
{
    if (!tape)
        return;
    tape->seed = seed;
    tape->stream = 0;
}

/* ---- Filling arrays --------------------------------------------------------------------------------------------
 * Whole sets of WG_DRAWS numbers are made and what is asked for is kept: the loops then have no remainder, whose scalar
 * functions could differ in the last bit from the vector ones, and an element depends on its index alone. */
typedef struct {
    uint64_t key, stream;
    wg_dtype dtype;
    void *to;
    int64_t count;
    bool normal;
    double low, high;   /* uniform */
    double least, most; /* the dtype's numbers next to them, inside */
    double mean, std;   /* normal */
} fill;

static WG_CLONES void draw_uniform(uint64_t key, uint64_t stream, uint64_t block, double *u)
{
    for (int i = 0; i < BLOCKS; i++) {
        uint32_t word[4];
        philox(key, stream, block + (uint64_t)i, word);
        u[2 * i] = wg_uniform_from(word[0], word[1]);
        u[2 * i + 1] = wg_uniform_from(word[2], word[3]);
    }
}

/* Box and Muller 1958: the two numbers of a block make two independent normal ones. */
static WG_CLONES void draw_normal(uint64_t key, uint64_t stream, uint64_t block, double *z)
{
    double radius[BLOCKS], angle[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        uint32_t word[4];
        philox(key, stream, block + (uint64_t)i, word);
        radius[i] = wg_uniform_from(word[0], word[1]);
        angle[i] = 6.283185307179586 * wg_uniform_from(word[2], word[3]);
    }
    for (int i = 0; i < BLOCKS; i++)
        radius[i] = sqrt(-2 * log(radius[i]));
    for (int i = 0; i < BLOCKS; i++)
        z[2 * i] = radius[i] * cos(angle[i]);
    for (int i = 0; i < BLOCKS; i++)
        z[2 * i + 1] = radius[i] * sin(angle[i]);
}

void wg_draw_uniform(uint64_t key, uint64_t stream, uint64_t first, double *u)
{
    draw_uniform(key, stream, first / 2, u);
}
void wg_draw_normal(uint64_t key, uint64_t stream, uint64_t first, double *z)
{
    draw_normal(key, stream, first / 2, z);
}

static WG_CLONES void finish_uniform(double low, double high, double least, double most, double *u)
{
    for (int i = 0; i < WG_DRAWS; i++) {
        double x = (1 - u[i]) * low + u[i] * high; /* high - low may overflow */
        x = x < least ? least : x;
        u[i] = x > most ? most : x;
    }
}

static WG_CLONES void finish_normal(double mean, double std, double *z)
{
    for (int i = 0; i < WG_DRAWS; i++)
        z[i] = mean + std * z[i];
}

static void fill_piece(void *argument, int64_t piece)
{
    const fill *f = argument;
    int64_t end = (piece + 1) * WG_PIECE < f->count ? (piece + 1) * WG_PIECE : f->count;
    double u[WG_DRAWS];
    for (int64_t first = piece * WG_PIECE; first < end; first += WG_DRAWS) {
        int64_t n = end - first < WG_DRAWS ? end - first : WG_DRAWS;
        if (f->normal) {
            draw_normal(f->key, f->stream, (uint64_t)first / 2, u);
            finish_normal(f->mean, f->std, u);
        } else {
            draw_uniform(f->key, f->stream, (uint64_t)first / 2, u);
            finish_uniform(f->low, f->high, f->least, f->most, u);
        }
        if (f->dtype == WG_FLOAT64)
            memcpy((double *)f->to + first, u, (size_t)n * sizeof *u);
        else
            for (int64_t i = 0; i < n; i++)
                ((float *)f->to)[first + i] = (float)u[i];
    }
}

static void fill_all(wg_tape *tape, fill *f, const wg_type *type, void *to, uint64_t stream)
{
    f->key = tape->seed;
    f->stream = stream;
    f->dtype = type->dtype;
    f->to = to;
    f->count = wg_type_count(type);
    if (wg_is_float(type->dtype))
        wg_parallel(tape, wg_pieces(f->count), fill_piece, f);
}

/* The first number of the dtype behind x on the way to `toward`. */
static double next_to(wg_dtype dtype, double x, double toward)
{
    if (dtype == WG_FLOAT64)
        return nextafter(x, toward);
    float near = (float)x;
    bool beyond = toward > x ? (double)near > x : (double)near < x;
    return (double)(beyond ? near : nextafterf(near, (float)toward));
}

void wg_fill_uniform(wg_tape *tape, wg_type type, void *to, uint64_t stream, double low, double high)
{
    fill f = {.low = low, .high = high};
    f.least = next_to(type.dtype, low, INFINITY);
    f.most = next_to(type.dtype, high, -INFINITY);
    if (f.least > f.most) /* nothing between: an interval of one number, or none */
        f.least = f.most = low;
    fill_all(tape, &f, &type, to, stream);
}

void wg_fill_normal(wg_tape *tape, wg_type type, void *to, uint64_t stream, double mean, double std)
{
    fill f = {.mean = mean, .std = std, .normal = true};
    fill_all(tape, &f, &type, to, stream);
}
