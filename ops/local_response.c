/* Local response normalisation: each entry over a power of the squares in a window of neighbouring channels. The sum
 * over such windows is linear, and its transpose is the sum over the mirrored ones; so the derivatives are graph code
 * over a hidden operation that does nothing else. */
#include "core/tape.h"
#include "ops/code.h"

#include "wengert/elementwise.h"
#include "wengert/map.h"
#include "wengert/networks.h"

#define LOCAL_RESPONSE(OP) OP(local_response_norm) OP(channel_windows)
WG_CONTENTS(LOCAL_RESPONSE)

/* ---- Windows of channels ----------------------------------------------------------------------------------------- */
#define BLOCK 512 /* elements at a time */

/* x is [images, channels, inner]; channel i's window is [i - before, i + after], cut where there are no channels. */
typedef struct {
    const wg_call *c;
    int64_t channels, inner, before, after;
    double scale, k, power; /* of local_response_norm: y = x (k + scale squares)^power */
} windows;

static windows windows_of(const wg_call *c, int64_t before, int64_t after)
{
    windows w = {.c = c, .channels = c->x[0].dim[1], .inner = 1, .before = before, .after = after};
    for (int i = 2; i < c->x[0].rank; i++)
        w.inner *= c->x[0].dim[i];
    return w;
}

/* Sums of TERM, of an entry x, are in `sum` when FINISH makes y[j] of them; `own` is the channel itself. */
#define WINDOW_KERNEL(name, T, TERM, FINISH)                                                                           \
    static WG_CLONES void name##_block(const windows *w, int64_t n, int64_t first, int64_t last, const T *from,        \
                                       const T *restrict own, T *restrict y)                                           \
    {                                                                                                                  \
        double sum[BLOCK] = {0};                                                                                       \
        for (int64_t i = first; i <= last; i++)                                                                        \
            for (int64_t j = 0; j < n; j++) {                                                                          \
                const double x = (double)from[i * w->inner + j];                                                       \
                sum[j] += TERM;                                                                                        \
            }                                                                                                          \
        const double scale = w->scale, k = w->k, power = w->power;                                                     \
        (void)own, (void)scale, (void)k, (void)power;                                                                  \
        for (int64_t j = 0; j < n; j++)                                                                                \
            y[j] = (T)(FINISH);                                                                                        \
    }                                                                                                                  \
    static void name(void *argument, int64_t row)                                                                      \
    {                                                                                                                  \
        const windows *w = argument;                                                                                   \
        int64_t i = row % w->channels, image = row - i;                                                                \
        int64_t first = i > w->before ? i - w->before : 0;                                                             \
        int64_t last = w->channels - 1 - i > w->after ? i + w->after : w->channels - 1;                                \
        const T *from = (const T *)w->c->from[0] + image * w->inner, *own = from + i * w->inner;                       \
        T *y = (T *)w->c->to[0] + row * w->inner;                                                                      \
        for (int64_t j = 0; j < w->inner; j += BLOCK)                                                                  \
            name##_block(w, w->inner - j < BLOCK ? w->inner - j : BLOCK, first, last, from + j, own + j, y + j);       \
    }
WINDOW_KERNEL(sums_f32, float, x, sum[j])
WINDOW_KERNEL(sums_f64, double, x, sum[j])
WINDOW_KERNEL(responses_f32, float, x * x, (double)own[j] * pow(k + scale * sum[j], power))
WINDOW_KERNEL(responses_f64, double, x * x, own[j] * pow(k + scale * sum[j], power))

/* Sums of entries; `normed`, of their squares, and what local_response_norm makes of them. */
static wg_status windows_c(const wg_call *c, wg_code *w, int64_t before, int64_t after, bool normed)
{
    windows of = windows_of(c, before, after);
    wg_code_size(w, "images", c->x[0].dim[0]);
    wg_code_size(w, "channels", of.channels);
    wg_code_size(w, "inner", of.inner);
    wg_code_size(w, "before", before < of.channels ? before : of.channels);
    wg_code_size(w, "after", after < of.channels ? after : of.channels);
    wg_code_for(w, "n", c->x[0].dim[0]);
    wg_code_for(w, "i", of.channels);
    wg_code_for(w, "j", of.inner);
    wg_code_text(w, WG_C(
        const T *from = x + n * channels * inner + j;
        double sum = 0;
        const int first = i > before ? i - before : 0;
        const int last = i + after < channels ? i + after : channels - 1;));
    wg_code_text(w, normed ? WG_C(
        for (int l = first; l <= last; l++) sum += (double)from[l * inner] * (double)from[l * inner];
        y[(n * channels + i) * inner + j] = (T)((double)from[i * inner] * pow_double(k + scale * sum, power));) : WG_C(
        for (int l = first; l <= last; l++) sum += (double)from[l * inner];
        y[(n * channels + i) * inner + j] = (T)sum;));
    for (int i = 0; i < 3; i++)
        wg_code_end(w);
    return w->status;
}

/* ---- channel_windows --------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t before, after;
} channel_windows_options;
#define channel_windows_defaults .before = 0, .after = 0

static wg_tensor channel_windows(wg_tensor x, int64_t before, int64_t after);

static wg_status channel_windows_run(const wg_call *c)
{
    const channel_windows_options *o = c->options;
    windows w = windows_of(c, o->before, o->after);
    if (wg_type_count(&c->y[0]))
        wg_parallel(c->tape, c->x[0].dim[0] * w.channels, c->dtype == WG_FLOAT32 ? sums_f32 : sums_f64, &w);
    return WG_OK;
}
static wg_status channel_windows_c(const wg_call *c, wg_code *w)
{
    const channel_windows_options *o = c->options;
    return windows_c(c, w, o->before, o->after, false);
}
static wg_tensor channel_windows_dx(const wg_call *c, wg_tensor g)
{
    const channel_windows_options *o = c->options;
    return channel_windows(g, o->after, o->before);
}
WG_OP(channel_windows) = {
    .name = "channel_windows",
    .doc = "y[n, i, ...] = the sum of x[n, j, ...] over i - before <= j <= i + after",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(channel_windows, WG_ATTR(channel_windows, before), WG_ATTR(channel_windows, after)),
    .type = wg_type_as_first,
    .run = channel_windows_run,
    .c = channel_windows_c,
    .vjp = {channel_windows_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,5,3] before=2 after=1", "[1,3] before=0 after=9"},
    .hidden = true,
};
static wg_tensor channel_windows(wg_tensor x, int64_t before, int64_t after)
{
    channel_windows_options o = {before, after};
    return WG_RECORD(channel_windows, &o, x);
}

/* ---- local_response_norm ----------------------------------------------------------------------------------------- */
static wg_status local_response_norm_type(wg_call *c)
{
    const wg_local_response_norm_options *o = c->options;
    if (o->size < 1)
        return wg_fail(c, WG_ERROR_VALUE, "size is %lld, not at least 1", (long long)o->size);
    if (c->x[0].rank < 2)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not [N, C, ...]", wg_show(c, 0));
    c->y[0] = c->x[0];
    return WG_OK;
}

static int64_t channels_before(const wg_local_response_norm_options *o) { return o->size / 2; }
static int64_t channels_after(const wg_local_response_norm_options *o) { return (o->size - 1) / 2; }

static wg_status local_response_norm_run(const wg_call *c)
{
    const wg_local_response_norm_options *o = c->options;
    windows w = windows_of(c, channels_before(o), channels_after(o));
    w.scale = o->alpha / (double)o->size;
    w.k = o->k;
    w.power = -o->beta;
    if (wg_type_count(&c->y[0]))
        wg_parallel(c->tape, c->x[0].dim[0] * w.channels, c->dtype == WG_FLOAT32 ? responses_f32 : responses_f64, &w);
    return WG_OK;
}

static wg_status local_response_norm_c(const wg_call *c, wg_code *w)
{
    const wg_local_response_norm_options *o = c->options;
    wg_code_number(w, "scale", o->alpha / (double)o->size);
    wg_code_number(w, "k", o->k);
    wg_code_number(w, "power", -o->beta);
    return windows_c(c, w, channels_before(o), channels_after(o), true);
}

/* s = k + alpha / size W(x^2), of which y = x s^-beta. */
static wg_tensor window_squares(const wg_call *c)
{
    const wg_local_response_norm_options *o = c->options;
    wg_tensor sums = channel_windows(wg_square(c->in[0]), channels_before(o), channels_after(o));
    return wg_add(wg_multiply(sums, o->alpha / (double)o->size), o->k);
}

/* dy = s^-beta dx - 2 alpha beta / size x s^(-beta - 1) W(x dx), and the transpose of that. */
static wg_tensor local_response_norm_dx(const wg_call *c, wg_tensor g)
{
    const wg_local_response_norm_options *o = c->options;
    wg_tensor x = c->in[0], s = window_squares(c), share = wg_multiply(g, wg_pow(s, -o->beta));
    wg_tensor around = channel_windows(wg_divide(wg_multiply(share, x), s), channels_after(o), channels_before(o));
    return wg_subtract(share, wg_multiply(wg_multiply(x, around), 2 * o->alpha * o->beta / (double)o->size));
}
static wg_tensor local_response_norm_jvp(const wg_call *c)
{
    const wg_local_response_norm_options *o = c->options;
    wg_tensor x = c->in[0], t = c->t[0], s = window_squares(c);
    wg_tensor around = channel_windows(wg_multiply(x, t), channels_before(o), channels_after(o));
    wg_tensor change = wg_multiply(wg_divide(wg_multiply(x, around), s), 2 * o->alpha * o->beta / (double)o->size);
    return wg_multiply(wg_subtract(t, change), wg_pow(s, -o->beta));
}

static void local_response_norm_formula(const wg_call *c, wg_tensor *out)
{
    const wg_local_response_norm_options *o = c->options;
    out[0] = wg_multiply(c->in[0], wg_pow(window_squares(c), -o->beta));
}
WG_OP(local_response_norm) = {
    .name = "local_response_norm",
    .doc = "y = x / (k + alpha / size s)^beta, s the sum of x^2 over `size` channels: size / 2 before, rounded down, "
           "itself, and those after",
    .source = "Krizhevsky, Sutskever and Hinton 2012, 3.3",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_local_response_norm, WG_ATTR_REQUIRED(wg_local_response_norm, size),
                         WG_ATTR(wg_local_response_norm, alpha), WG_ATTR(wg_local_response_norm, beta),
                         WG_ATTR(wg_local_response_norm, k)),
    .type = local_response_norm_type,
    .run = local_response_norm_run,
    .c = local_response_norm_c,
    .vjp = {local_response_norm_dx},
    .jvp = local_response_norm_jvp,
    .saves = "x",
    .formula = local_response_norm_formula,
    .samples = {"[2,5,3] size=3 alpha=0.5", "[1,6,2,2] size=4 alpha=1 beta=0.6 k=2", "[2,3] size=9", "[1,2,3] size=1",
                "[0,3,2] size=3"},
};
wg_tensor (wg_local_response_norm)(wg_tensor x, wg_local_response_norm_options options)
{
    return WG_RECORD(local_response_norm, &options, x);
}

WG_FAMILY_OF(local_response, "networks", LOCAL_RESPONSE)
