/* Fourier transforms along an axis. All are one piece of work: lines are read as complex numbers, a real or half
 * spectrum made whole, transformed side by side in double, and written scaled. The transpose of a transform is one of
 * the same, so rules call each other; those of the halves have hidden entries of their own, as half a spectrum's inner
 * entries stand for two. */
#include "ops/code.h"
#include "ops/fft.h"
#include "ops/index.h"
#include "wengert/elementwise.h"
#include "wengert/map.h"
#include "wengert/spectral.h"

#define SPECTRAL(OP) OP(fft) OP(ifft) OP(rfft) OP(irfft) OP(rfft_back) OP(irfft_back)
WG_CONTENTS(SPECTRAL)

#define WIDTH 8  /* lines side by side */
#define ROOMS 16 /* pieces of work at most, each with room of its own */

/* ---- The work ---------------------------------------------------------------------------------------------------- */
typedef struct {
    int axis;
    int64_t n;            /* points */
    bool backward;
    bool hermitian;       /* what is read is half a spectrum, the other half its conjugate */
    bool half;            /* what is written is half a spectrum: nothing is imaginary at its ends */
    double scale, inside; /* what is written is scaled, half a spectrum by another number inside */
} transform;

typedef struct {
    const wg_call *c;
    transform t;
    wg_fft_plan plan;
    wg_lines from, to;
    int64_t lines, groups, width, pieces;
    size_t room; /* doubles a piece */
    double *rooms;
} work;

/* Where line i begins. */
static int64_t line_at(const wg_lines *l, int64_t i) { return i / l->inner * l->n * l->inner + i % l->inner; }

/* `n` rows of `run` neighbours: one every `step` elements of a tensor, one every `width` doubles of the room. */
typedef struct {
    int64_t n, run, step, width;
} block;

#define COPY_BLOCK(to_, from_)                                                                                         \
    if (b->run == 1)                                                                                                   \
        for (int64_t k = 0, q = 0; k < b->n; k++)                                                                      \
            to_ = from_;                                                                                               \
    else                                                                                                               \
        for (int64_t k = 0; k < b->n; k++)                                                                             \
            for (int64_t q = 0; q < b->run; q++)                                                                       \
                to_ = from_;

static WG_CLONES void block_read(wg_dtype dtype, const block *b, const void *from, int64_t first, double *restrict to)
{
    if (dtype == WG_FLOAT32) {
        const float *restrict x = (const float *)from + first;
        COPY_BLOCK(to[k * b->width + q], (double)x[k * b->step + q])
    } else {
        const double *restrict x = (const double *)from + first;
        COPY_BLOCK(to[k * b->width + q], x[k * b->step + q])
    }
}

static WG_CLONES void block_written(wg_dtype dtype, const block *b, const double *restrict from, double scale, void *to,
                                    int64_t first)
{
    if (dtype == WG_FLOAT32) {
        float *restrict y = (float *)to + first;
        COPY_BLOCK(y[k * b->step + q], (float)(scale * from[k * b->width + q]))
    } else {
        double *restrict y = (double *)to + first;
        COPY_BLOCK(y[k * b->step + q], scale * from[k * b->width + q])
    }
}

/* Lines among `width` ones from line `first` on, beginning with the q-th, that are neighbours in a tensor. */
static int64_t neighbours(const wg_lines *l, int64_t first, int64_t width, int64_t q)
{
    int64_t left = l->inner - (first + q) % l->inner;
    return left < width - q ? left : width - q;
}

/* Part `i` of `width` lines from `first` on, as rows [n, width] with zeros behind what there is. */
static void lines_read(const work *w, int i, int64_t first, int64_t width, double *to)
{
    const wg_lines *l = &w->from;
    int64_t n = w->t.n, m = !wg_given(w->c, i) ? 0 : l->n < n ? l->n : n;
    for (int64_t q = 0, run; q < width && m; q += run) {
        run = neighbours(l, first, width, q);
        block_read(w->c->dtype, &(block){m, run, l->inner, width}, w->c->from[i], line_at(l, first + q), to + q);
    }
    memset(to + m * width, 0, (size_t)((n - m) * width) * sizeof *to);
}

/* Entry k alone, of part `i` of half a spectrum: nothing is imaginary there. */
static void end_written(const work *w, int i, block b, int64_t k, const double *from, int64_t first)
{
    static const double zero[WIDTH] = {0};
    b.n = 1;
    block_written(w->c->dtype, &b, i ? zero : from + k * b.width, w->t.scale, w->c->to[i], first + k * b.step);
}

static void lines_written(const work *w, int i, int64_t first, int64_t width, const double *from)
{
    static const double zero[WIDTH] = {0};
    const wg_lines *l = &w->to;
    int64_t n = w->t.n, there = w->t.half ? n / 2 + 1 : n, m = l->n < there ? l->n : there;
    for (int64_t q = 0, run; q < width; q += run) {
        run = neighbours(l, first, width, q);
        int64_t at = line_at(l, first + q);
        block b = {m, run, l->inner, width}, rest = {l->n - m, run, l->inner, 0};
        block_written(w->c->dtype, &b, from + q, w->t.inside, w->c->to[i], at);
        block_written(w->c->dtype, &rest, zero, 1, w->c->to[i], at + m * l->inner);
        if (w->t.half)
            end_written(w, i, b, 0, from + q, at);
        if (w->t.half && n % 2 == 0 && n / 2 < m)
            end_written(w, i, b, n / 2, from + q, at);
    }
}

/* The second half of a real line's spectrum, from the first; what is imaginary at its ends goes. */
static void made_whole(int64_t n, int64_t width, wg_fft_lines z)
{
    for (int64_t k = 0; 2 * k <= n; k++) {
        int64_t other = k ? n - k : 0;
        for (int64_t q = 0; q < width; q++) {
            z.im[k * width + q] = k == other ? 0 : z.im[k * width + q];
            z.re[other * width + q] = z.re[k * width + q];
            z.im[other * width + q] = k == other ? 0 : -z.im[k * width + q];
        }
    }
}

static void transform_piece(void *argument, int64_t piece)
{
    const work *w = argument;
    double *room = w->rooms + (size_t)piece * w->room;
    for (int64_t group = piece; group < w->groups; group += w->pieces) {
        int64_t first = group * w->width, left = w->lines - first, width = left < w->width ? left : w->width;
        int64_t points = w->t.n * width;
        wg_fft_lines z = {room, room + points};
        lines_read(w, 0, first, width, z.re);
        lines_read(w, 1, first, width, z.im);
        if (w->t.hermitian)
            made_whole(w->t.n, width, z);
        if (w->t.backward)
            z = (wg_fft_lines){z.im, z.re};
        z = wg_fft_run(&w->plan, width, z, room + 2 * points);
        lines_written(w, 0, first, width, w->t.backward ? z.im : z.re);
        if (w->c->n_out > 1)
            lines_written(w, 1, first, width, w->t.backward ? z.re : z.im);
    }
}

static wg_status transformed(const wg_call *c, transform t)
{
    work w = {.c = c, .t = t, .from = wg_lines_of(&c->x[0], t.axis), .to = wg_lines_of(&c->y[0], t.axis)};
    w.lines = w.to.outer * w.to.inner;
    if (!w.lines || !w.to.n)
        return WG_OK;
    if (!wg_fft_plan_made(c, t.n, &w.plan))
        return WG_ERROR_MEMORY;
    w.width = w.lines < WIDTH ? w.lines : WIDTH;
    w.groups = (w.lines + w.width - 1) / w.width;
    w.pieces = w.groups < ROOMS ? w.groups : ROOMS;
    w.room = 2 * (size_t)(t.n * w.width) + wg_fft_room(&w.plan, w.width);
    w.room = (w.room + 7) & ~(size_t)7; /* cache lines of their own */
    if (!(w.rooms = wg_scratch(c, (size_t)w.pieces * w.room * sizeof(double))))
        return WG_ERROR_MEMORY;
    wg_parallel(c->tape, w.pieces, transform_piece, &w);
    return WG_OK;
}

/* ---- The same in C ----------------------------------------------------------------------------------------------- */
/* exp(-2 pi i k / n), real parts and behind them imaginary ones, each from an angle of an eighth of a turn at most. */
static const wg_helper roots_of_helper = {"roots_of", 0, WG_C(
static void roots_of(int n, double *roots) {
    for (int k = 0; k < n; k++) {
        const int eighth = (int)((int64_t)8 * k / n);
        const int64_t rest = (int64_t)8 * k - (int64_t)eighth * n;
        const double angle = (double)(eighth % 2 ? n - rest : rest) / n * M_PI_4;
        const double c = (eighth + 1) / 2 % 2 ? sin(angle) : cos(angle);
        const double s = (eighth + 1) / 2 % 2 ? cos(angle) : sin(angle);
        roots[k] = eighth > 1 && eighth < 6 ? -c : c;
        roots[n + k] = eighth < 4 ? -s : s;
    }
})};

/* Stockham's algorithm, as in fft.c, with a stage for each prime factor of n: n times their sum are the steps. z and
 * room [2 n], real parts and behind them imaginary ones. */
static const wg_helper fft_of_helper = {"fft_of", 0, WG_C(
static void fft_of(int n, const double *roots, double *z, double *room) {
    int left = n;
    int side = 1;
    while (left > 1) {
        int r = 2;
        while (left % r != 0) r = r > left / r ? left : r + 1;
        const int m = left / r;
        for (int p = 0; p < m; p++) for (int k = 0; k < r; k++) for (int q = 0; q < side; q++) {
            const int to = (p * r + k) * side + q;
            const int turn = (int)((int64_t)p * k * side % n);
            double re = 0;
            double im = 0;
            for (int j = 0; j < r; j++) {
                const int at = (p + j * m) * side + q;
                const int root = (int)((int64_t)j * k % r) * (n / r);
                re += z[at] * roots[root] - z[n + at] * roots[n + root];
                im += z[at] * roots[n + root] + z[n + at] * roots[root];
            }
            room[to] = re * roots[turn] - im * roots[n + turn];
            room[n + to] = re * roots[n + turn] + im * roots[turn];
        }
        for (int i = 0; i < 2 * n; i++) z[i] = room[i];
        left = m;
        side *= r;
    }
})};
WG_HELPERS_OF(spectral, &roots_of_helper, &fft_of_helper)

static void part_read_c(const wg_call *c, wg_code *w, int i)
{
    wg_code_word(w, "X", wg_given(c, i) ? wg_code_operand(c, i) : "");
    wg_code_word(w, "Z", i ? "z[n + k]" : "z[k]");
    wg_code_text(w, wg_given(c, i) ? WG_C(for (int k = 0; k < n; k++)
        Z = k < given ? (double)X[(i * given + k) * inner + j] : 0;) : WG_C(for (int k = 0; k < n; k++) Z = 0;));
    w->n_words = 0;
}

static void part_written_c(const wg_call *c, wg_code *w, const transform *t, int i)
{
    wg_code_word(w, "Y", wg_code_output(c, i));
    wg_code_word(w, "VALUE", !i ? "z[k]" : t->backward ? "-z[n + k]" : "z[n + k]");
    wg_code_word(w, "END", i ? "0" : "scale * z[k]");
    wg_code_text(w, t->half ? WG_C(for (int k = 0; k < wanted; k++)
        Y[(i * wanted + k) * inner + j] = (T)(k == 0 || 2 * k == n ? END : 2 * k < n ? inside * VALUE : 0);) :
        WG_C(for (int k = 0; k < wanted; k++) Y[(i * wanted + k) * inner + j] = (T)(scale * VALUE);));
    w->n_words = 0;
}

static wg_status transform_c(const wg_call *c, wg_code *w, transform t)
{
    wg_lines from = wg_lines_of(&c->x[0], t.axis), to = wg_lines_of(&c->y[0], t.axis);
    wg_code_size(w, "n", t.n);
    wg_code_size(w, "given", from.n);
    wg_code_size(w, "wanted", to.n);
    wg_code_size(w, "inner", to.inner);
    wg_code_number(w, "scale", t.scale);
    if (t.half)
        wg_code_number(w, "inside", t.inside);
    wg_code_room(w, "roots", WG_FLOAT64, 2 * t.n);
    wg_code_room(w, "z", WG_FLOAT64, 2 * t.n);
    wg_code_room(w, "room", WG_FLOAT64, 2 * t.n);
    wg_code_text(w, WG_C(roots_of(n, roots);));
    wg_code_for(w, "i", to.outer);
    wg_code_for(w, "j", to.inner);
    part_read_c(c, w, 0);
    part_read_c(c, w, 1);
    if (t.hermitian)
        wg_code_text(w, WG_C(z[n] = 0; for (int k = 1; 2 * k <= n; k++) {
            if (2 * k == n) z[n + k] = 0;
            z[n - k] = z[k];
            z[2 * n - k] = -z[n + k];
        }));
    if (t.backward)
        wg_code_text(w, WG_C(for (int k = 0; k < n; k++) z[n + k] = -z[n + k];));
    wg_code_text(w, WG_C(fft_of(n, roots, z, room);));
    for (int k = 0; k < c->n_out; k++)
        part_written_c(c, w, &t, k);
    wg_code_end(w);
    wg_code_end(w);
    return w->status;
}

/* ---- Types ------------------------------------------------------------------------------------------------------- */
static int axis_of(const wg_call *c) { return *(const int *)c->options; } /* all options begin with it */

static wg_status pair_fits(const wg_call *c)
{
    if (c->n_in > 1 && !wg_is_none(c->in[1]) && !wg_type_equal(&c->x[0], &c->x[1]))
        return wg_fail(c, WG_ERROR_SHAPE, "real and imaginary parts differ: %s and %s", wg_show(c, 0), wg_show(c, 1));
    return WG_OK;
}

static wg_status not_empty(const wg_call *c)
{
    if (c->x[0].dim[axis_of(c)] == 0)
        return wg_fail(c, WG_ERROR_SHAPE, "no points along axis %d of %s", axis_of(c), wg_show(c, 0));
    return WG_OK;
}

static wg_status complex_type(wg_call *c)
{
    if (pair_fits(c) || not_empty(c))
        return WG_ERROR_SHAPE;
    c->y[0] = c->y[1] = c->x[0];
    return WG_OK;
}

/* ---- Rules: a complex number is a pair, either of which may be zero ---------------------------------------------- */
typedef wg_complex pair_op(wg_tensor re, wg_tensor im, int axis);

static wg_complex pair(const wg_op *op, const void *options, const wg_tensor *in, int n_in)
{
    wg_tensor out[2] = {in[0], in[0]};
    wg_record_on(in[0].tape, op, options, in, n_in, out, 2);
    return (wg_complex){out[0], out[1]};
}

/* f is linear over the complex numbers: f(i b) = i f(b). */
static void of_pair(pair_op *f, wg_tensor re, wg_tensor im, int axis, wg_tensor *out)
{
    if (wg_is_none(re) && wg_is_none(im))
        return;
    wg_complex y = wg_is_none(re) ? f(im, WG_NONE, axis) : f(re, im, axis);
    out[0] = wg_is_none(re) ? wg_negative(y.im) : y.re;
    out[1] = wg_is_none(re) ? y.re : y.im;
}

/* All that a rule is asked for came at once. */
static wg_tensor shared_re(const wg_call *c, wg_tensor g)
{
    (void)g;
    return c->shared[0];
}
static wg_tensor shared_im(const wg_call *c, wg_tensor g)
{
    (void)g;
    return c->shared[1];
}
static wg_tensor shared_output(const wg_call *c) { return c->shared[c->which]; }

static wg_tensor second(const wg_call *c, const wg_tensor *list) { return wg_given(c, 1) ? list[1] : WG_NONE; }

/* The cotangents of both parts: f of the outputs' times `scale`. */
static void pulled(const wg_call *c, pair_op *f, double scale, wg_tensor *shared)
{
    of_pair(f, c->g[0], c->g[1], axis_of(c), shared);
    for (int i = 0; i < 2; i++)
        if (!wg_is_none(shared[i]))
            shared[i] = wg_multiply(shared[i], scale);
}

/* ---- fft, ifft --------------------------------------------------------------------------------------------------- */
static wg_complex fft_pair(wg_tensor re, wg_tensor im, int axis) { return wg_fft(re, im, .axis = axis); }
static wg_complex ifft_pair(wg_tensor re, wg_tensor im, int axis) { return wg_ifft(re, im, .axis = axis); }

static double points_of(const wg_call *c) { return (double)c->x[0].dim[axis_of(c)]; }

/* 5 n log2 n a line, as everybody counts. */
static double transform_flops(const wg_call *c)
{
    return 5 * (double)wg_type_count(&c->x[0]) * log2(fmax(points_of(c), 1));
}

static transform fft_of(const wg_call *c)
{
    return (transform){.axis = axis_of(c), .n = c->x[0].dim[axis_of(c)], .scale = 1, .inside = 1};
}
static wg_status fft_run(const wg_call *c) { return transformed(c, fft_of(c)); }
static wg_status fft_c(const wg_call *c, wg_code *w) { return transform_c(c, w, fft_of(c)); }

static void fft_share(const wg_call *c, wg_tensor *shared)
{
    if (c->g)
        pulled(c, ifft_pair, points_of(c), shared);
    else
        of_pair(fft_pair, c->t[0], second(c, c->t), axis_of(c), shared);
}

WG_OP(fft) = {
    .name = "fft",
    .doc = "re, im of X[k] = the sum of x[j] exp(-2 pi i j k / n) along `axis`, of x = re + i im or a real x",
    .source = "Van Loan 1992, 1.7; Bluestein 1970",
    .in = {{"re", 0}, {"im", WG_OPTIONAL}},
    .out = {"re", "im"},
    .options = WG_SCHEMA(wg_fft, WG_ATTR(wg_fft, axis)),
    .type = complex_type,
    .run = fft_run,
    .c = fft_c,
    .share = fft_share,
    .vjp = {shared_re, shared_im},
    .jvp = shared_output,
    .linear = WG_JOINTLY,
    .saves = "",
    .flops = transform_flops,
    .samples = {"[8] [8]", "[2,6] [2,6]", "[5,3] [5,3] axis=0", "[2,7,3] - axis=1", "[1] [1]", "[37] [37]", "[2,12] -",
                "[0,4] [0,4]", "[3,11,2] [3,11,2] axis=1"},
};
wg_complex (wg_fft)(wg_tensor re, wg_tensor im, wg_fft_options options)
{
    return pair(&fft_op, &options, (const wg_tensor[]){re, im}, 2);
}

static transform ifft_of(const wg_call *c)
{
    double scale = 1 / points_of(c);
    return (transform){.axis = axis_of(c), .n = c->x[0].dim[axis_of(c)], .backward = true,
                       .scale = scale, .inside = scale};
}
static wg_status ifft_run(const wg_call *c) { return transformed(c, ifft_of(c)); }
static wg_status ifft_c(const wg_call *c, wg_code *w) { return transform_c(c, w, ifft_of(c)); }

static void ifft_share(const wg_call *c, wg_tensor *shared)
{
    if (c->g)
        pulled(c, fft_pair, 1 / points_of(c), shared);
    else
        of_pair(ifft_pair, c->t[0], second(c, c->t), axis_of(c), shared);
}

WG_OP(ifft) = {
    .name = "ifft",
    .doc = "re, im of x[j] = 1/n times the sum of X[k] exp(2 pi i j k / n) along `axis`, of X = re + i im or a real X",
    .source = "Van Loan 1992, 1.7; Bluestein 1970",
    .in = {{"re", 0}, {"im", WG_OPTIONAL}},
    .out = {"re", "im"},
    .options = WG_SCHEMA(wg_ifft, WG_ATTR(wg_ifft, axis)),
    .type = complex_type,
    .run = ifft_run,
    .c = ifft_c,
    .share = ifft_share,
    .vjp = {shared_re, shared_im},
    .jvp = shared_output,
    .linear = WG_JOINTLY,
    .saves = "",
    .flops = transform_flops,
    .samples = {"[8] [8]", "[2,6] [2,6]", "[5,3] [5,3] axis=0", "[2,7,3] - axis=1", "[1] [1]", "[0,4] [0,4]"},
};
wg_complex (wg_ifft)(wg_tensor re, wg_tensor im, wg_ifft_options options)
{
    return pair(&ifft_op, &options, (const wg_tensor[]){re, im}, 2);
}

/* ---- rfft -------------------------------------------------------------------------------------------------------- */
/* What the transposes of the halves make of `axis`. */
typedef struct {
    int axis;
    int64_t n;
} wg_rfft_back_options, wg_irfft_back_options;
#define wg_rfft_back_defaults .axis = WG_NO_AXIS, .n = WG_NO_INTEGER
#define wg_irfft_back_defaults .axis = WG_NO_AXIS, .n = WG_NO_INTEGER

static wg_tensor rfft_back(wg_tensor re, wg_tensor im, int axis, int64_t n);
static wg_complex irfft_back(wg_tensor x, int axis, int64_t m);

static wg_tensor or_zeros(const wg_call *c, const wg_type *type, wg_tensor x)
{
    return wg_is_none(x) ? wg_full(c->tape, c->dtype, wg_type_shape(type), 0) : x;
}

static void pair_out(wg_complex y, wg_tensor *out)
{
    out[0] = y.re;
    out[1] = y.im;
}

static wg_status rfft_type(wg_call *c)
{
    if (not_empty(c))
        return WG_ERROR_SHAPE;
    c->y[0] = c->x[0];
    c->y[0].dim[axis_of(c)] = c->x[0].dim[axis_of(c)] / 2 + 1;
    c->y[1] = c->y[0];
    return WG_OK;
}

static transform rfft_of(const wg_call *c)
{
    return (transform){.axis = axis_of(c), .n = c->x[0].dim[axis_of(c)], .half = true, .scale = 1,
                       .inside = 1};
}
static wg_status rfft_run(const wg_call *c) { return transformed(c, rfft_of(c)); }
static wg_status rfft_c(const wg_call *c, wg_code *w) { return transform_c(c, w, rfft_of(c)); }

static void rfft_share(const wg_call *c, wg_tensor *shared)
{
    if (c->g)
        shared[0] = rfft_back(or_zeros(c, &c->y[0], c->g[0]), or_zeros(c, &c->y[0], c->g[1]), axis_of(c),
                              c->x[0].dim[axis_of(c)]);
    else
        pair_out(wg_rfft(c->t[0], .axis = axis_of(c)), shared);
}

WG_OP(rfft) = {
    .name = "rfft",
    .doc = "re, im of X[k] = the sum of x[j] exp(-2 pi i j k / n) along `axis`, k = 0 ... n/2, of a real x",
    .source = "Van Loan 1992, 1.7; Bluestein 1970",
    .in = {{"x", 0}},
    .out = {"re", "im"},
    .options = WG_SCHEMA(wg_rfft, WG_ATTR(wg_rfft, axis)),
    .type = rfft_type,
    .run = rfft_run,
    .c = rfft_c,
    .share = rfft_share,
    .vjp = {shared_re},
    .jvp = shared_output,
    .linear = WG_JOINTLY,
    .saves = "",
    .flops = transform_flops,
    .samples = {"[8]", "[2,6]", "[5,3] axis=0", "[2,7,3] axis=1", "[1]", "[2]", "[37]", "[0,4]"},
};
wg_complex (wg_rfft)(wg_tensor x, wg_rfft_options options) { return pair(&rfft_op, &options, &x, 1); }

/* Its transpose. */
static wg_status rfft_back_type(wg_call *c)
{
    c->y[0] = c->x[0];
    c->y[0].dim[axis_of(c)] = ((const wg_rfft_back_options *)c->options)->n;
    return WG_OK;
}

static transform rfft_back_of(const wg_call *c)
{
    return (transform){.axis = axis_of(c), .n = c->y[0].dim[axis_of(c)], .backward = true, .scale = 1,
                       .inside = 1};
}
static wg_status rfft_back_run(const wg_call *c) { return transformed(c, rfft_back_of(c)); }
static wg_status rfft_back_c(const wg_call *c, wg_code *w) { return transform_c(c, w, rfft_back_of(c)); }

static void rfft_back_share(const wg_call *c, wg_tensor *shared)
{
    if (c->g)
        pair_out(wg_rfft(c->g[0], .axis = axis_of(c)), shared);
    else
        shared[0] = rfft_back(or_zeros(c, &c->x[0], c->t[0]), or_zeros(c, &c->x[1], c->t[1]), axis_of(c),
                              c->y[0].dim[axis_of(c)]);
}

WG_OP(rfft_back) = {
    .name = "rfft_back",
    .doc = "x[j] = the real part of the sum of X[k] exp(2 pi i j k / n) over k = 0 ... n/2: rfft's transpose",
    .in = {{"re", 0}, {"im", 0}},
    .out = {"x"},
    .options = WG_SCHEMA(wg_rfft_back, WG_ATTR_REQUIRED(wg_rfft_back, axis), WG_ATTR_REQUIRED(wg_rfft_back, n)),
    .type = rfft_back_type,
    .run = rfft_back_run,
    .c = rfft_back_c,
    .share = rfft_back_share,
    .vjp = {shared_re, shared_im},
    .jvp = shared_output,
    .linear = WG_JOINTLY,
    .saves = "",
    .flops = transform_flops,
    .samples = {"[5] [5] axis=0 n=8", "[2,4] [2,4] axis=1 n=7", "[1,3] [1,3] axis=0 n=1", "[0,3] [0,3] axis=1 n=4"},
    .hidden = true,
};
static wg_tensor rfft_back(wg_tensor re, wg_tensor im, int axis, int64_t n)
{
    return WG_RECORD(rfft_back, (&(wg_rfft_back_options){axis, n}), re, im);
}

/* ---- irfft ------------------------------------------------------------------------------------------------------- */
static int64_t irfft_points(const wg_call *c)
{
    const wg_irfft_options *o = c->options;
    int64_t m = c->x[0].dim[o->axis];
    return o->n == WG_NO_INTEGER ? 2 * (m - 1) : o->n;
}

static wg_status irfft_type(wg_call *c)
{
    const wg_irfft_options *o = c->options;
    int64_t n = irfft_points(c);
    if (pair_fits(c))
        return WG_ERROR_SHAPE;
    if (o->n != WG_NO_INTEGER && n < 1)
        return wg_fail(c, WG_ERROR_VALUE, "n is %lld", (long long)n);
    if (n < 1)
        return wg_fail(c, WG_ERROR_SHAPE, "no points come of axis %d of %s: n is needed", o->axis, wg_show(c, 0));
    c->y[0] = c->x[0];
    c->y[0].dim[o->axis] = n;
    return WG_OK;
}

static transform irfft_of(const wg_call *c)
{
    int64_t n = irfft_points(c);
    return (transform){.axis = axis_of(c), .n = n, .backward = true, .hermitian = true,
                       .scale = 1 / (double)n, .inside = 1 / (double)n};
}
static wg_status irfft_run(const wg_call *c) { return transformed(c, irfft_of(c)); }
static wg_status irfft_c(const wg_call *c, wg_code *w) { return transform_c(c, w, irfft_of(c)); }

static void irfft_share(const wg_call *c, wg_tensor *shared)
{
    if (c->g)
        pair_out(irfft_back(c->g[0], axis_of(c), c->x[0].dim[axis_of(c)]), shared);
    else
        shared[0] = wg_irfft(or_zeros(c, &c->x[0], c->t[0]), or_zeros(c, &c->x[1], c->t[1]), .axis = axis_of(c),
                             .n = irfft_points(c));
}

WG_OP(irfft) = {
    .name = "irfft",
    .doc = "x = the n real entries along `axis` of which rfft makes re + i im, cropped or filled with 0 to k = 0 ... "
           "n/2; what is imaginary at k = 0 and k = n/2 is ignored",
    .source = "Van Loan 1992, 1.7; Bluestein 1970",
    .in = {{"re", 0}, {"im", 0}},
    .options = WG_SCHEMA(wg_irfft, WG_ATTR(wg_irfft, axis), WG_ATTR(wg_irfft, n)),
    .type = irfft_type,
    .run = irfft_run,
    .c = irfft_c,
    .share = irfft_share,
    .vjp = {shared_re, shared_im},
    .jvp = shared_output,
    .linear = WG_JOINTLY,
    .saves = "",
    .flops = transform_flops,
    .samples = {"[5] [5]", "[2,4] [2,4] n=7", "[3,2] [3,2] axis=0", "[5] [5] n=4", "[3] [3] n=9", "[4] [4] n=1",
                "[1] [1] n=1", "[2,19] [2,19] n=37", "[0,3] [0,3]"},
};
wg_tensor (wg_irfft)(wg_tensor re, wg_tensor im, wg_irfft_options options)
{
    return WG_RECORD(irfft, &options, re, im);
}

/* Its transpose: an entry that stands for two, itself and its conjugate, counts twice. */
static wg_status irfft_back_type(wg_call *c)
{
    c->y[0] = c->x[0];
    c->y[0].dim[axis_of(c)] = ((const wg_irfft_back_options *)c->options)->n;
    c->y[1] = c->y[0];
    return WG_OK;
}

static transform irfft_back_of(const wg_call *c)
{
    double n = points_of(c);
    return (transform){.axis = axis_of(c), .n = c->x[0].dim[axis_of(c)], .half = true, .scale = 1 / n,
                       .inside = 2 / n};
}
static wg_status irfft_back_run(const wg_call *c) { return transformed(c, irfft_back_of(c)); }
static wg_status irfft_back_c(const wg_call *c, wg_code *w) { return transform_c(c, w, irfft_back_of(c)); }

static void irfft_back_share(const wg_call *c, wg_tensor *shared)
{
    if (c->g)
        shared[0] = wg_irfft(or_zeros(c, &c->y[0], c->g[0]), or_zeros(c, &c->y[0], c->g[1]), .axis = axis_of(c),
                             .n = c->x[0].dim[axis_of(c)]);
    else
        pair_out(irfft_back(c->t[0], axis_of(c), c->y[0].dim[axis_of(c)]), shared);
}

WG_OP(irfft_back) = {
    .name = "irfft_back",
    .doc = "re, im of n entries: 1/n times rfft's, twice that but for k = 0 and k = n/2, and 0 behind it: irfft's "
           "transpose",
    .in = {{"x", 0}},
    .out = {"re", "im"},
    .options = WG_SCHEMA(wg_irfft_back, WG_ATTR_REQUIRED(wg_irfft_back, axis), WG_ATTR_REQUIRED(wg_irfft_back, n)),
    .type = irfft_back_type,
    .run = irfft_back_run,
    .c = irfft_back_c,
    .share = irfft_back_share,
    .vjp = {shared_re},
    .jvp = shared_output,
    .linear = WG_JOINTLY,
    .saves = "",
    .flops = transform_flops,
    .samples = {"[8] axis=0 n=5", "[2,7] axis=1 n=3", "[4,2] axis=0 n=6", "[1] axis=0 n=1", "[0,4] axis=1 n=3"},
    .hidden = true,
};
static wg_complex irfft_back(wg_tensor x, int axis, int64_t m)
{
    return pair(&irfft_back_op, &(wg_irfft_back_options){axis, m}, &x, 1);
}

WG_FAMILY(spectral, SPECTRAL)
