/* Noise of standard distributions, each number a transform of one uniform number in (0, 1), or of a pair for normal
 * ones. The hidden operation `noise` draws it again for a derivative: the random operations keep their stream, not
 * their noise. */
#include "ops/noise.h"

#include "wengert/map.h"

#define NOISES(OP) OP(noise)
WG_CONTENTS(NOISES)

/* ---- Transforms -------------------------------------------------------------------------------------------------- */
/* u and 1 - u are exact, so that both tails are right. */
static WG_CLONES void to_exponential(double *u)
{
    for (int i = 0; i < WG_DRAWS; i++)
        u[i] = -log(u[i]);
}

static WG_CLONES void to_laplace(double *u)
{
    for (int i = 0; i < WG_DRAWS; i++) {
        double below = log(2 * (u[i] < 0.5 ? u[i] : 1 - u[i]));
        u[i] = u[i] < 0.5 ? below : -below;
    }
}

static WG_CLONES void to_gumbel(double *u)
{
    for (int i = 0; i < WG_DRAWS; i++)
        u[i] = -log(-log(u[i]));
}

void wg_draw_noise(wg_noise noise, const uint64_t stream[2], int64_t first, double *z)
{
    static void (*const transform[])(double *) = {[WG_NOISE_EXPONENTIAL] = to_exponential,
                                                  [WG_NOISE_LAPLACE] = to_laplace,
                                                  [WG_NOISE_GUMBEL] = to_gumbel};
    if (noise == WG_NOISE_NORMAL) {
        wg_draw_normal(stream[0], stream[1], (uint64_t)first, z);
        return;
    }
    wg_draw_uniform(stream[0], stream[1], (uint64_t)first, z);
    if (transform[noise])
        transform[noise](z);
}

/* ---- The same in C ----------------------------------------------------------------------------------------------- */
/* As in core/random.c. */
static const wg_helper philox_of_helper = {"philox_of", 0, WG_C(
static void philox_of(uint64_t key, uint64_t stream, uint64_t block, uint32_t *word) {
    uint32_t k0 = (uint32_t)key;
    uint32_t k1 = (uint32_t)(key >> 32);
    word[0] = (uint32_t)block;
    word[1] = (uint32_t)(block >> 32);
    word[2] = (uint32_t)stream;
    word[3] = (uint32_t)(stream >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t even = (uint64_t)word[0] * 0xd2511f53u;
        const uint64_t odd = (uint64_t)word[2] * 0xcd9e8d57u;
        word[0] = (uint32_t)(odd >> 32) ^ word[1] ^ k0;
        word[1] = (uint32_t)odd;
        word[2] = (uint32_t)(even >> 32) ^ word[3] ^ k1;
        word[3] = (uint32_t)even;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
})};

static const wg_helper noise_of_helper = {"noise_of", 0, WG_C(
static double noise_of(int noise, uint64_t key, uint64_t stream, int element) {
    uint32_t word[4];
    double u[2];
    philox_of(key, stream, (uint64_t)(element / 2), word);
    for (int i = 0; i < 2; i++)
        u[i] = ((double)(word[2 * i] >> 6) * 0x1p26 + (double)(word[2 * i + 1] >> 6) + 0.5) * 0x1p-52;
    const double own = u[element % 2];
    const double angle = 6.283185307179586 * u[1];
    if (noise == 1) return sqrt(-2 * log(u[0])) * (element % 2 == 0 ? cos(angle) : sin(angle));
    if (noise == 2) return -log(own);
    if (noise == 3) return own < 0.5 ? log(2 * own) : -log(2 * (1 - own));
    return noise == 4 ? -log(-log(own)) : own;
})};
WG_HELPERS_OF(noise, &philox_of_helper, &noise_of_helper)

wg_status wg_stream_c(const wg_call *c, wg_code *w, int64_t seed)
{
    if (!seed)
        return wg_fail(c, WG_ERROR_UNSUPPORTED, "it draws from the tape, which exported C has not: give it a seed");
    wg_code_line(w, "const uint64_t key = UINT64_C(%llu);", (unsigned long long)seed);
    wg_code_line(w, "stream[0] = (int64_t)key;");
    wg_code_line(w, "stream[1] = 0;");
    return w->status;
}

/* ---- noise ------------------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t noise;
    wg_shape shape;
    wg_dtype dtype;
} wg_noise_options;
#define wg_noise_defaults .noise = WG_NOISE_UNIFORM, .shape = WG_NO_SHAPE, .dtype = WG_FLOAT64

static wg_status noise_type(wg_call *c)
{
    const wg_noise_options *o = c->options;
    c->y[0] = wg_type_make(o->dtype, o->shape);
    if (c->x[0].rank != 1 || c->x[0].dim[0] != 2 || c->x[0].dtype != WG_INT64)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not a stream", wg_show(c, 0));
    return o->noise >= WG_NOISE_UNIFORM && o->noise <= WG_NOISE_GUMBEL
               ? WG_OK
               : wg_fail(c, WG_ERROR_VALUE, "there is no noise %lld", (long long)o->noise);
}

typedef struct {
    const wg_call *c;
    const wg_noise_options *o;
    int64_t count;
} fill;

static void noise_piece(void *argument, int64_t piece)
{
    const fill *f = argument;
    int64_t end = (piece + 1) * WG_PIECE < f->count ? (piece + 1) * WG_PIECE : f->count;
    double z[WG_DRAWS];
    for (int64_t first = piece * WG_PIECE; first < end; first += WG_DRAWS) {
        int64_t n = end - first < WG_DRAWS ? end - first : WG_DRAWS;
        wg_draw_noise((wg_noise)f->o->noise, f->c->from[0], first, z);
        if (f->o->dtype == WG_FLOAT64)
            memcpy((double *)f->c->to[0] + first, z, (size_t)n * sizeof *z);
        else
            for (int64_t i = 0; i < n; i++)
                ((float *)f->c->to[0])[first + i] = (float)z[i];
    }
}

static wg_status noise_run(const wg_call *c)
{
    fill f = {c, c->options, wg_type_count(&c->y[0])};
    wg_parallel(c->tape, wg_pieces(f.count), noise_piece, &f);
    return WG_OK;
}

static wg_status noise_c(const wg_call *c, wg_code *w)
{
    wg_code_size(w, "n", wg_type_count(&c->y[0]));
    wg_code_size(w, "noise", ((const wg_noise_options *)c->options)->noise);
    w->dtype = c->y[0].dtype;
    return wg_code_text(w, WG_C(for (int i = 0; i < n; i++)
        y[i] = (T)noise_of(noise, (uint64_t)stream[0], (uint64_t)stream[1], i);));
}

WG_OP(noise) = {
    .name = "noise",
    .doc =
        "y = the numbers that a random operation drew from `stream`: uniform, normal, exponential, laplace or gumbel",
    .in = {{"stream", WG_INTEGER}},
    .options = WG_SCHEMA(wg_noise, WG_ATTR(wg_noise, noise), WG_ATTR_REQUIRED(wg_noise, shape),
                         WG_ATTR(wg_noise, dtype)),
    .type = noise_type,
    .run = noise_run,
    .c = noise_c,
    .samples = {"[2]:int64:3..9 noise=1 shape=[3,4]", "[2]:int64:3..9 noise=4 shape=[]"},
    .output_gradient_free = true,
    .hidden = true,
};

wg_tensor wg_noise_again(wg_tensor stream, wg_noise noise, const wg_type *type)
{
    wg_noise_options options = {noise, wg_type_shape(type), type->dtype};
    return WG_RECORD(noise, &options, stream);
}

WG_FAMILY_OF(noises, "random", NOISES)
