/* Sequences and functions given by numbers. A convolution, a correlation and the gradients of both are windows of the
 * same sums, cut out at different places, of operands in one order or the other; a polynomial's gradients are a
 * polynomial and sums of powers; those of an interpolation are graph code over the knots on either side. */
#include "ops/code.h"
#include "ops/fft.h"
#include "ops/index.h"
#include "wengert/elementwise.h"
#include "wengert/map.h"
#include "wengert/shape.h"
#include "wengert/spectral.h"

#define SIGNAL(OP)                                                                                                     \
    OP(convolve) OP(correlate) OP(convolve_window) OP(polyval) OP(polyval_powers) OP(interp)
WG_CONTENTS(SIGNAL)

static wg_tensor plus(wg_tensor a, wg_tensor b) { return wg_is_none(a) ? b : wg_is_none(b) ? a : wg_add(a, b); }

static double *doubles(const wg_call *c, int64_t n) { return wg_scratch(c, (size_t)n * sizeof(double)); }

static WG_CLONES void widen(wg_dtype dtype, const void *from, int64_t n, double *to)
{
    if (dtype == WG_FLOAT32)
        for (int64_t i = 0; i < n; i++)
            to[i] = (double)((const float *)from)[i];
    else
        memcpy(to, from, (size_t)n * sizeof *to);
}

static WG_CLONES void narrow(wg_dtype dtype, const double *from, int64_t n, void *to)
{
    if (dtype == WG_FLOAT32)
        for (int64_t i = 0; i < n; i++)
            ((float *)to)[i] = (float)from[i];
    else
        memcpy(to, from, (size_t)n * sizeof *from);
}

static void *element_at(wg_dtype dtype, const void *values, int64_t i)
{
    return (char *)(uintptr_t)values + (size_t)i * wg_dtype_size(dtype);
}

/* ---- A window of a convolution: y[k] = the sum over i of a[i] b[start + k - i], 0 <= k < length ------------------ */
#define TILE 64        /* sums in registers */
#define CHUNK 1024     /* sums of one piece of work */
#define SHORTEST_FFT 1e6 /* products */

typedef struct {
    int64_t n, m; /* n <= m */
    const double *a, *b;
    int64_t start, length;
    wg_dtype dtype;
    void *y;
} window;

/* `count` <= TILE sums from k on: where all of b's entries are there without a question. */
static WG_CLONES void tile_summed(const window *w, int64_t k, int64_t count, double *restrict sum)
{
    const int64_t from = w->start + k, last = from + count - 1;
    int64_t i = from - w->m + 1 > 0 ? from - w->m + 1 : 0, end = last < w->n - 1 ? last + 1 : w->n;
    memset(sum, 0, TILE * sizeof *sum);
    for (; i < end; i++) {
        const double a = w->a[i], *restrict b = w->b + from - i;
        if (from - i >= 0 && last - i < w->m && count == TILE) {
            for (int64_t j = 0; j < TILE; j++)
                sum[j] += a * b[j];
            continue;
        }
        int64_t low = i - from > 0 ? i - from : 0, high = w->m - from + i < count ? w->m - from + i : count;
        for (int64_t j = low; j < high; j++)
            sum[j] += a * b[j];
    }
}

static void chunk_summed(void *argument, int64_t chunk)
{
    const window *w = argument;
    int64_t end = (chunk + 1) * CHUNK < w->length ? (chunk + 1) * CHUNK : w->length;
    for (int64_t k = chunk * CHUNK; k < end; k += TILE) {
        double sum[TILE];
        int64_t count = end - k < TILE ? end - k : TILE;
        tile_summed(w, k, count, sum);
        narrow(w->dtype, sum, count, element_at(w->dtype, w->y, k));
    }
}

/* The power of two that brings the largest magnitude below 1; false where a number is not finite. */
static bool scale_of(const double *x, int64_t n, int *power)
{
    double most = 0;
    *power = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return false;
        most = fmax(most, fabs(x[i]));
    }
    frexp(most, power);
    return true;
}

/* Is it less work to go through transforms of so many points? */
static bool transforms_pay(const window *w, int64_t points)
{
    double products = (double)w->n * (double)w->m;
    return products > SHORTEST_FFT && products > 32 * (double)points * log2((double)points);
}

static wg_status window_by_fft(const wg_call *c, const window *w, int64_t points, int a_power, int b_power)
{
    wg_fft_plan plan;
    if (!wg_fft_plan_made(c, points, &plan))
        return WG_ERROR_MEMORY;
    double *z = doubles(c, 4 * points), *room = doubles(c, (int64_t)wg_fft_room(&plan, 2));
    double *sum = doubles(c, w->length);
    if (!z || !room || !sum)
        return WG_ERROR_MEMORY;
    memset(z, 0, (size_t)(4 * points) * sizeof *z);
    for (int64_t i = 0; i < w->n; i++)
        z[2 * i] = ldexp(w->a[i], -a_power);
    for (int64_t i = 0; i < w->m; i++)
        z[2 * i + 1] = ldexp(w->b[i], -b_power);
    wg_fft_lines both = wg_fft_run(&plan, 2, (wg_fft_lines){z, z + 2 * points}, room);
    double *other = both.re == z ? room : z;
    wg_fft_lines product = {other, other + points};
    for (int64_t k = 0; k < points; k++) {
        double ar = both.re[2 * k], ai = both.im[2 * k], br = both.re[2 * k + 1], bi = both.im[2 * k + 1];
        product.re[k] = (ar * br - ai * bi) / (double)points;
        product.im[k] = (ar * bi + ai * br) / (double)points;
    }
    product = wg_fft_run(&plan, 1, (wg_fft_lines){product.im, product.re}, other == z ? room : z);
    for (int64_t k = 0; k < w->length; k++) {
        int64_t i = w->start + k;
        sum[k] = i >= 0 && i < w->n + w->m - 1 ? ldexp(product.im[i], a_power + b_power) : 0;
    }
    narrow(w->dtype, sum, w->length, w->y);
    return WG_OK;
}

typedef struct {
    int64_t start, length;
} part;

static wg_status window_run(const wg_call *c, part p, bool backwards)
{
    int64_t n = c->x[0].dim[0], m = c->x[1].dim[0], points = wg_fft_good_length(n + m - 1);
    double *a = doubles(c, n), *b = doubles(c, m);
    int a_power, b_power;
    if (!a || !b)
        return WG_ERROR_MEMORY;
    widen(c->dtype, c->from[0], n, a);
    widen(c->dtype, c->from[1], m, b);
    for (int64_t i = 0; backwards && i < m / 2; i++) {
        double t = b[i];
        b[i] = b[m - 1 - i];
        b[m - 1 - i] = t;
    }
    window w = {.n = n, .m = m, .a = a, .b = b, .start = p.start, .length = p.length, .dtype = c->dtype, .y = c->to[0]};
    if (n > m) {
        w.n = m, w.a = b;
        w.m = n, w.b = a;
    }
    if (transforms_pay(&w, points) && scale_of(w.a, w.n, &a_power) && scale_of(w.b, w.m, &b_power))
        return window_by_fft(c, &w, points, a_power, b_power);
    wg_parallel(c->tape, (w.length + CHUNK - 1) / CHUNK, chunk_summed, &w);
    return WG_OK;
}

static wg_status window_c(const wg_call *c, wg_code *w, part p, bool backwards)
{
    wg_code_size(w, "n", c->x[0].dim[0]);
    wg_code_size(w, "m", c->x[1].dim[0]);
    wg_code_size(w, "start", p.start);
    wg_code_size(w, "length", p.length);
    wg_code_word(w, "B", backwards ? "b[m - 1 - at + i]" : "b[at - i]");
    wg_status status = wg_code_text(w, WG_C(for (int k = 0; k < length; k++) {
        const int at = start + k;
        double sum = 0;
        for (int i = at < m ? 0 : at - m + 1; i < n && i <= at; i++) sum += (double)a[i] * (double)B;
        y[k] = (T)sum;
    }));
    w->n_words = 0;
    return status;
}

static double window_flops(const wg_call *c) { return 2 * (double)c->x[0].dim[0] * (double)c->x[1].dim[0]; }

static wg_status not_sequences(const wg_call *c)
{
    for (int i = 0; i < 2; i++)
        if (c->x[i].rank != 1 || c->x[i].dim[0] == 0)
            return wg_fail(c, WG_ERROR_SHAPE, "%s is not a sequence of one number or more", wg_show(c, i));
    return WG_OK;
}

static wg_status window_type(wg_call *c, part p)
{
    c->y[0] = (wg_type){.dtype = c->dtype, .rank = 1, .dim = {p.length}};
    return WG_OK;
}

/* ---- Rules: of a window of a and b, the cotangent of a is a window of g and b backwards -------------------------- */
static wg_tensor convolve_window(wg_tensor a, wg_tensor b, int64_t start, int64_t length);
static wg_tensor flipped(wg_tensor x) { return wg_flip(x, .axis = 0); }

static wg_tensor window_da(const wg_call *c, wg_tensor g, wg_tensor flipped_b, part p)
{
    return convolve_window(g, flipped_b, c->x[1].dim[0] - 1 - p.start, c->x[0].dim[0]);
}
static wg_tensor window_db(const wg_call *c, wg_tensor g, part p)
{
    return convolve_window(g, flipped(c->in[0]), c->x[0].dim[0] - 1 - p.start, c->x[1].dim[0]);
}

/* ---- convolve ---------------------------------------------------------------------------------------------------- */
/* What `mode` keeps of the n + m - 1 sums. In the middle of an even number of sums, `same` takes the earlier one, but
 * of a correlation with a longer b the later one: that is computed from its end. */
static part kept(const wg_call *c, const char *mode, bool correlation)
{
    int64_t n = c->x[0].dim[0], m = c->x[1].dim[0], less = n < m ? n : m, more = n < m ? m : n;
    if (wg_choice_is(mode, "full"))
        return (part){0, n + m - 1};
    if (wg_choice_is(mode, "valid"))
        return (part){less - 1, more - less + 1};
    return (part){correlation && n < m ? less / 2 : (less - 1) / 2, more};
}

static part convolve_part(const wg_call *c) { return kept(c, ((const wg_convolve_options *)c->options)->mode, false); }
static wg_status convolve_type(wg_call *c)
{
    return not_sequences(c) ? WG_ERROR_SHAPE : window_type(c, convolve_part(c));
}
static wg_status convolve_run(const wg_call *c) { return window_run(c, convolve_part(c), false); }
static wg_status convolve_c(const wg_call *c, wg_code *w) { return window_c(c, w, convolve_part(c), false); }
static wg_tensor convolve_da(const wg_call *c, wg_tensor g)
{
    return window_da(c, g, flipped(c->in[1]), convolve_part(c));
}
static wg_tensor convolve_db(const wg_call *c, wg_tensor g) { return window_db(c, g, convolve_part(c)); }

#define SIGNAL_SAMPLES                                                                                                 \
    {"[5] [3]", "[3] [5]", "[5] [3] mode=same", "[4] [2] mode=same", "[2] [6] mode=same", "[3] [6] mode=same",         \
     "[5] [3] mode=valid", "[2] [6] mode=valid", "[4] [4] mode=valid", "[1] [1]", "[1] [4] mode=same", "[130] [70]"}

WG_OP(convolve) = {
    .name = "convolve",
    .doc = "y[k] = the sum over i of a[i] b[k - i], all n + m - 1 of them, the max(n, m) in the middle, or those that "
           "take the whole of the shorter one",
    .in = {{"a", 0}, {"b", 0}},
    .options = WG_SCHEMA(wg_convolve, WG_ATTR(wg_convolve, mode, .choices = {"full", "same", "valid"})),
    .type = convolve_type,
    .run = convolve_run,
    .c = convolve_c,
    .vjp = {convolve_da, convolve_db},
    .linear = WG_SEPARATELY,
    .saves = "a b",
    .flops = window_flops,
    .samples = SIGNAL_SAMPLES,
};
wg_tensor (wg_convolve)(wg_tensor a, wg_tensor b, wg_convolve_options options)
{
    return WG_RECORD(convolve, &options, a, b);
}

/* ---- correlate: with b backwards --------------------------------------------------------------------------------- */
static part correlate_part(const wg_call *c) { return kept(c, ((const wg_correlate_options *)c->options)->mode, true); }
static wg_status correlate_type(wg_call *c)
{
    return not_sequences(c) ? WG_ERROR_SHAPE : window_type(c, correlate_part(c));
}
static wg_status correlate_run(const wg_call *c) { return window_run(c, correlate_part(c), true); }
static wg_status correlate_c(const wg_call *c, wg_code *w) { return window_c(c, w, correlate_part(c), true); }
static wg_tensor correlate_da(const wg_call *c, wg_tensor g) { return window_da(c, g, c->in[1], correlate_part(c)); }
static wg_tensor correlate_db(const wg_call *c, wg_tensor g) { return flipped(window_db(c, g, correlate_part(c))); }

WG_OP(correlate) = {
    .name = "correlate",
    .doc = "y[k] = the sum over i of a[i + k] b[i] from k = 1 - m on, all n + m - 1 of them, the max(n, m) in the "
           "middle, or those that take the whole of the shorter one",
    .in = {{"a", 0}, {"b", 0}},
    .options = WG_SCHEMA(wg_correlate, WG_ATTR(wg_correlate, mode, .choices = {"full", "same", "valid"})),
    .type = correlate_type,
    .run = correlate_run,
    .c = correlate_c,
    .vjp = {correlate_da, correlate_db},
    .linear = WG_SEPARATELY,
    .saves = "a b",
    .flops = window_flops,
    .samples = SIGNAL_SAMPLES,
};
wg_tensor (wg_correlate)(wg_tensor a, wg_tensor b, wg_correlate_options options)
{
    return WG_RECORD(correlate, &options, a, b);
}

/* ---- convolve_window --------------------------------------------------------------------------------------------- */
typedef part wg_convolve_window_options;
#define wg_convolve_window_defaults .start = WG_NO_INTEGER, .length = WG_NO_INTEGER

static wg_status convolve_window_type(wg_call *c) { return window_type(c, *(const part *)c->options); }
static wg_status convolve_window_run(const wg_call *c) { return window_run(c, *(const part *)c->options, false); }
static wg_status convolve_window_c(const wg_call *c, wg_code *w)
{
    return window_c(c, w, *(const part *)c->options, false);
}
static wg_tensor convolve_window_da(const wg_call *c, wg_tensor g)
{
    return window_da(c, g, flipped(c->in[1]), *(const part *)c->options);
}
static wg_tensor convolve_window_db(const wg_call *c, wg_tensor g)
{
    return window_db(c, g, *(const part *)c->options);
}

WG_OP(convolve_window) = {
    .name = "convolve_window",
    .doc = "y[k] = the sum over i of a[i] b[start + k - i], `length` of them",
    .in = {{"a", 0}, {"b", 0}},
    .options = WG_SCHEMA(wg_convolve_window, WG_ATTR_REQUIRED(wg_convolve_window, start),
                         WG_ATTR_REQUIRED(wg_convolve_window, length)),
    .type = convolve_window_type,
    .run = convolve_window_run,
    .c = convolve_window_c,
    .vjp = {convolve_window_da, convolve_window_db},
    .linear = WG_SEPARATELY,
    .saves = "a b",
    .flops = window_flops,
    .samples = {"[5] [3] start=0 length=7", "[3] [5] start=2 length=4", "[2] [2] start=-2 length=8"},
    .hidden = true,
};
static wg_tensor convolve_window(wg_tensor a, wg_tensor b, int64_t start, int64_t length)
{
    return WG_RECORD(convolve_window, (&(wg_convolve_window_options){start, length}), a, b);
}

/* ---- polyval ----------------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t n, count; /* coefficients, points */
    wg_dtype dtype;
    const double *coeffs;
    const void *x, *g;
    void *y;
    double *sum; /* polyval_powers: n of each piece */
} polynomial;

static WG_CLONES void horner(int64_t n, const double *coeffs, int64_t count, const double *restrict x,
                             double *restrict y)
{
    for (int64_t j = 0; j < count; j++)
        y[j] = n ? coeffs[0] : 0;
    for (int64_t k = 1; k < n; k++) {
        const double c = coeffs[k];
        for (int64_t j = 0; j < count; j++)
            y[j] = y[j] * x[j] + c;
    }
}

static void polyval_piece(void *argument, int64_t piece)
{
    const polynomial *p = argument;
    int64_t end = (piece + 1) * WG_PIECE < p->count ? (piece + 1) * WG_PIECE : p->count;
    for (int64_t i = piece * WG_PIECE; i < end; i += CHUNK) {
        double x[CHUNK], y[CHUNK];
        int64_t n = end - i < CHUNK ? end - i : CHUNK;
        widen(p->dtype, element_at(p->dtype, p->x, i), n, x);
        horner(p->n, p->coeffs, n, x, y);
        narrow(p->dtype, y, n, element_at(p->dtype, p->y, i));
    }
}

static wg_status polyval_type(wg_call *c)
{
    if (c->x[0].rank != 1)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not a list of coefficients", wg_show(c, 0));
    c->y[0] = c->x[1];
    return WG_OK;
}

static wg_status polyval_run(const wg_call *c)
{
    int64_t n = c->x[0].dim[0], count = wg_type_count(&c->x[1]);
    double *coeffs = doubles(c, n);
    if (!coeffs)
        return WG_ERROR_MEMORY;
    widen(c->dtype, c->from[0], n, coeffs);
    polynomial p = {.n = n, .count = count, .dtype = c->dtype, .coeffs = coeffs, .x = c->from[1], .y = c->to[0]};
    wg_parallel(c->tape, wg_pieces(count), polyval_piece, &p);
    return WG_OK;
}

static wg_status polyval_c(const wg_call *c, wg_code *w)
{
    wg_code_size(w, "n", c->x[0].dim[0]);
    wg_code_size(w, "count", wg_type_count(&c->x[1]));
    return wg_code_text(w, WG_C(for (int j = 0; j < count; j++) {
        double sum = 0;
        for (int k = 0; k < n; k++) sum = k == 0 ? (double)coeffs[0] : sum * (double)x[j] + (double)coeffs[k];
        y[j] = (T)sum;
    }));
}

/* The derivative at x of the polynomial of n coefficients; WG_NONE of a constant. */
static wg_tensor polynomial_slope(const wg_call *c, wg_tensor coeffs, int64_t n, wg_tensor x)
{
    double *power = n > 1 ? doubles(c, n - 1) : NULL;
    if (!power)
        return n > 1 ? WG_INVALID : WG_NONE;
    for (int64_t k = 0; k < n - 1; k++)
        power[k] = (double)(n - 1 - k);
    wg_tensor times = wg_cast(wg_array(c->tape, WG_FLOAT64, WG_SHAPE(n - 1), power), .dtype = c->dtype);
    return wg_polyval(wg_multiply(wg_narrow(coeffs, 0, 0, n - 1), times), x);
}

static wg_tensor slope_times(const wg_call *c, wg_tensor coeffs, int64_t n, wg_tensor x, wg_tensor g)
{
    wg_tensor slope = polynomial_slope(c, coeffs, n, x);
    return wg_is_none(slope) ? WG_NONE : wg_multiply(g, slope);
}

static wg_tensor polyval_powers(wg_tensor x, wg_tensor g, int64_t n);

static wg_tensor polyval_dcoeffs(const wg_call *c, wg_tensor g) { return polyval_powers(c->in[1], g, c->x[0].dim[0]); }
static wg_tensor polyval_dx(const wg_call *c, wg_tensor g)
{
    return slope_times(c, c->in[0], c->x[0].dim[0], c->in[1], g);
}

static wg_tensor polyval_jvp(const wg_call *c)
{
    wg_tensor by_coeffs = wg_is_none(c->t[0]) ? WG_NONE : wg_polyval(c->t[0], c->in[1]);
    return plus(by_coeffs, wg_is_none(c->t[1]) ? WG_NONE : polyval_dx(c, c->t[1]));
}

static double polyval_flops(const wg_call *c) { return 2 * (double)c->x[0].dim[0] * (double)wg_type_count(&c->x[1]); }

/* Horner's rule. */
static void polyval_formula(const wg_call *c, wg_tensor *out)
{
    int64_t n = c->x[0].dim[0];
    if (n < 2 || n > 256)
        return;
    out[0] = wg_select(c->in[0], 0, 0);
    for (int64_t i = 1; i < n; i++)
        out[0] = wg_fma(out[0], c->in[1], wg_select(c->in[0], 0, i));
}
WG_OP(polyval) = {
    .name = "polyval",
    .doc = "y = coeffs[0] x^(n - 1) + ... + coeffs[n - 1], 0 without coefficients",
    .source = "Knuth 1997, 4.6.4",
    .in = {{"coeffs", 0}, {"x", 0}},
    .type = polyval_type,
    .run = polyval_run,
    .c = polyval_c,
    .vjp = {polyval_dcoeffs, polyval_dx},
    .jvp = polyval_jvp,
    .saves = "coeffs x",
    .flops = polyval_flops,
    .formula = polyval_formula,
    .samples = {"[4] [5]", "[1] [3]", "[2] [2,3]", "[5] []", "[0] [3]", "[3] [0,2]"},
};
wg_tensor (wg_polyval)(wg_tensor coeffs, wg_tensor x) { return WG_RECORD(polyval, NULL, coeffs, x); }

/* ---- polyval_powers ---------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t n;
} wg_polyval_powers_options;
#define wg_polyval_powers_defaults .n = WG_NO_INTEGER

#define LANES 8
typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), aligned(sizeof(double)), may_alias));

/* Adds to sum[k] that of p x^(n - 1 - k) over `count` points, a multiple of LANES; two powers at a time, so that
 * additions do not wait for each other. */
static WG_CLONES void powers_added(int64_t n, int64_t count, const double *restrict x, double *restrict p, double *sum)
{
    for (int64_t k = n; k > 0; k -= 2) {
        lanes even = {0}, odd = {0};
        for (int64_t j = 0; j < count; j += LANES) {
            lanes point = *(const lanes *)(x + j), power = *(const lanes *)(p + j), next = power * point;
            even += power;
            odd += next;
            *(lanes *)(p + j) = next * point;
        }
        sum[k - 1] += ((even[0] + even[1]) + (even[2] + even[3])) + ((even[4] + even[5]) + (even[6] + even[7]));
        if (k > 1)
            sum[k - 2] += ((odd[0] + odd[1]) + (odd[2] + odd[3])) + ((odd[4] + odd[5]) + (odd[6] + odd[7]));
    }
}

static void powers_piece(void *argument, int64_t piece)
{
    const polynomial *p = argument;
    int64_t end = (piece + 1) * WG_PIECE < p->count ? (piece + 1) * WG_PIECE : p->count;
    double *sum = p->sum + piece * p->n;
    memset(sum, 0, (size_t)p->n * sizeof *sum);
    for (int64_t i = piece * WG_PIECE; i < end; i += CHUNK) {
        double x[CHUNK] = {0}, g[CHUNK] = {0};
        int64_t n = end - i < CHUNK ? end - i : CHUNK;
        widen(p->dtype, element_at(p->dtype, p->x, i), n, x);
        widen(p->dtype, element_at(p->dtype, p->g, i), n, g);
        for (int64_t j = 0; j < n; j++)
            x[j] = g[j] == 0 ? 0 : x[j]; /* zero stays zero, whatever the power */
        powers_added(p->n, (n + LANES - 1) / LANES * LANES, x, g, sum);
    }
}

static wg_status polyval_powers_type(wg_call *c)
{
    return window_type(c, (part){0, ((const wg_polyval_powers_options *)c->options)->n});
}

static wg_status polyval_powers_run(const wg_call *c)
{
    int64_t n = c->y[0].dim[0], count = wg_type_count(&c->x[0]), pieces = wg_pieces(count);
    double *sum = doubles(c, (pieces + 1) * n), *all = sum + pieces * n;
    if (!sum)
        return WG_ERROR_MEMORY;
    polynomial p = {.n = n, .count = count, .dtype = c->dtype, .x = c->from[0], .g = c->from[1], .sum = sum};
    wg_parallel(c->tape, pieces, powers_piece, &p);
    memset(all, 0, (size_t)n * sizeof *all);
    for (int64_t i = 0; i < pieces; i++)
        for (int64_t k = 0; k < n; k++)
            all[k] += sum[i * n + k];
    narrow(c->dtype, all, n, c->to[0]);
    return WG_OK;
}

static wg_status polyval_powers_c(const wg_call *c, wg_code *w)
{
    wg_code_size(w, "n", c->y[0].dim[0]);
    wg_code_size(w, "count", wg_type_count(&c->x[0]));
    wg_code_room(w, "sum", WG_FLOAT64, c->y[0].dim[0]);
    return wg_code_text(w, WG_C(
        for (int k = 0; k < n; k++) sum[k] = 0;
        for (int j = 0; j < count; j++) {
            double power = (double)g[j];
            for (int k = n - 1; k >= 0 && g[j] != 0; k--) { sum[k] += power; power *= (double)x[j]; }
        }
        for (int k = 0; k < n; k++) y[k] = (T)sum[k];));
}

static wg_tensor polyval_powers_dx(const wg_call *c, wg_tensor h)
{
    return slope_times(c, h, c->y[0].dim[0], c->in[0], c->in[1]);
}
static wg_tensor polyval_powers_dg(const wg_call *c, wg_tensor h) { return wg_polyval(h, c->in[0]); }

/* Of c[k] = the sum of g x^(n - 1 - k), moved by x: the sum of (n - 1 - k) t g x^(n - 2 - k). */
static wg_tensor polyval_powers_jvp(const wg_call *c)
{
    int64_t n = c->y[0].dim[0];
    wg_tensor by_g = wg_is_none(c->t[1]) ? WG_NONE : polyval_powers(c->in[0], c->t[1], n);
    double *power = doubles(c, n);
    if (wg_is_none(c->t[0]) || n < 2 || !power)
        return by_g;
    for (int64_t k = 0; k < n; k++)
        power[k] = (double)(n - 1 - k);
    wg_tensor times = wg_cast(wg_array(c->tape, WG_FLOAT64, WG_SHAPE(n), power), .dtype = c->dtype);
    wg_pad_options behind = {.mode = "constant", .pad_width = {{0, 1}}};
    wg_tensor lower = (wg_pad)(polyval_powers(c->in[0], wg_multiply(c->t[0], c->in[1]), n - 1), behind);
    return plus(by_g, wg_multiply(times, lower));
}

WG_OP(polyval_powers) = {
    .name = "polyval_powers",
    .doc = "y[k] = the sum over all x of g x^(n - 1 - k): polyval's transpose",
    .in = {{"x", 0}, {"g", 0}},
    .options = WG_SCHEMA(wg_polyval_powers, WG_ATTR_REQUIRED(wg_polyval_powers, n)),
    .type = polyval_powers_type,
    .run = polyval_powers_run,
    .c = polyval_powers_c,
    .vjp = {polyval_powers_dx, polyval_powers_dg},
    .jvp = polyval_powers_jvp,
    .saves = "x g",
    .samples = {"[5] [5] n=4", "[2,3] [2,3] n=1", "[] [] n=3", "[3] [3] n=0", "[0,2] [0,2] n=3"},
    .hidden = true,
};
static wg_tensor polyval_powers(wg_tensor x, wg_tensor g, int64_t n)
{
    return WG_RECORD(polyval_powers, (&(wg_polyval_powers_options){n}), x, g);
}

/* ---- interp ------------------------------------------------------------------------------------------------------ */
static wg_status interp_type(wg_call *c)
{
    if (c->x[1].rank != 1 || c->x[2].rank != 1 || c->x[1].dim[0] != c->x[2].dim[0])
        return wg_fail(c, WG_ERROR_SHAPE, "knots and their values differ: %s and %s", wg_show(c, 1), wg_show(c, 2));
    if (c->x[1].dim[0] == 0)
        return wg_fail(c, WG_ERROR_SHAPE, "no knots");
    c->y[0] = c->y[1] = c->y[2] = c->x[0];
    c->y[1].dtype = c->y[2].dtype = WG_INT64;
    return WG_OK;
}

typedef struct {
    wg_dtype dtype;
    int64_t n, count;
    const double *xp, *fp;
    const void *x;
    void *y;
    int64_t *left, *right;
} interpolation;

/* The knots on either side of x, the same one twice outside; a NaN is between the first two. */
static void bracket(const interpolation *p, double x, int64_t *left, int64_t *right)
{
    int64_t low = 0, high = isnan(x) && p->n > 1 ? 1 : p->n; /* xp[low] <= x < xp[high], where both are there */
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (x < p->xp[middle])
            high = middle;
        else
            low = middle;
    }
    *left = low;
    *right = x < p->xp[0] || high == p->n ? low : high;
}

static void interp_piece(void *argument, int64_t piece)
{
    const interpolation *p = argument;
    int64_t end = (piece + 1) * WG_PIECE < p->count ? (piece + 1) * WG_PIECE : p->count;
    for (int64_t i = piece * WG_PIECE; i < end; i++) {
        double x = p->dtype == WG_FLOAT32 ? (double)((const float *)p->x)[i] : ((const double *)p->x)[i];
        bracket(p, x, &p->left[i], &p->right[i]);
        double x0 = p->xp[p->left[i]], x1 = p->xp[p->right[i]], f0 = p->fp[p->left[i]], f1 = p->fp[p->right[i]];
        double y = isnan(x) ? x : f0 == f1 || x0 == x1 ? f0 : f0 + (x - x0) / (x1 - x0) * (f1 - f0);
        narrow(p->dtype, &y, 1, element_at(p->dtype, p->y, i));
    }
}

static wg_status interp_run(const wg_call *c)
{
    int64_t n = c->x[1].dim[0], count = wg_type_count(&c->x[0]);
    double *xp = doubles(c, n), *fp = doubles(c, n);
    if (!xp || !fp)
        return WG_ERROR_MEMORY;
    widen(c->dtype, c->from[1], n, xp);
    widen(c->dtype, c->from[2], n, fp);
    for (int64_t i = 0; i < n; i++)
        if (isnan(xp[i]) || (i && !(xp[i - 1] < xp[i])))
            return wg_fail(c, WG_ERROR_VALUE, "knots do not increase: %g at %lld, behind %g", xp[i], (long long)i,
                           i ? xp[i - 1] : (double)-INFINITY);
    interpolation p = {c->dtype, n, count, xp, fp, c->from[0], c->to[0], c->to[1], c->to[2]};
    wg_parallel(c->tape, wg_pieces(count), interp_piece, &p);
    return WG_OK;
}

static wg_status interp_c(const wg_call *c, wg_code *w)
{
    wg_code_size(w, "n", c->x[1].dim[0]);
    wg_code_size(w, "count", wg_type_count(&c->x[0]));
    return wg_code_text(w, WG_C(
        for (int k = 0; k < n; k++) if (isnan(xp[k]) || (k > 0 && !(xp[k - 1] < xp[k]))) FAIL;
        for (int i = 0; i < count; i++) {
            const double at = (double)x[i];
            int low = 0; int high = isnan(at) && n > 1 ? 1 : n;
            while (high - low > 1) {
                const int middle = low + (high - low) / 2;
                if (at < (double)xp[middle]) high = middle; else low = middle;
            }
            high = at < (double)xp[0] || high == n ? low : high;
            const double x0 = (double)xp[low]; const double apart = (double)xp[high] - x0;
            const double f0 = (double)fp[low]; const double f1 = (double)fp[high];
            left[i] = low; right[i] = high;
            y[i] = (T)(isnan(at) ? at : f0 == f1 || low == high ? f0 : f0 + (at - x0) / apart * (f1 - f0));
        }));
}

enum { SLOPE, WEIGHT }; /* shared: of the line x is on, and of its right knot; both 0 outside */

static wg_tensor left_of(const wg_call *c) { return wg_saved(c, 0); }
static wg_tensor right_of(const wg_call *c) { return wg_saved(c, 1); }

static void interp_share(const wg_call *c, wg_tensor *shared)
{
    wg_tensor x0 = wg_take(c->in[1], left_of(c), 0), x1 = wg_take(c->in[1], right_of(c), 0);
    wg_tensor f0 = wg_take(c->in[2], left_of(c), 0), f1 = wg_take(c->in[2], right_of(c), 0);
    wg_tensor inside = wg_less(left_of(c), right_of(c)), apart = wg_where(inside, wg_subtract(x1, x0), 1);
    shared[SLOPE] = wg_where(inside, wg_divide(wg_subtract(f1, f0), apart), 0);
    shared[WEIGHT] = wg_where(inside, wg_divide(wg_subtract(c->in[0], x0), apart), 0);
}

/* g by its knots' weights, to the knots; and the transpose. */
static wg_tensor to_knots(const wg_call *c, wg_tensor g)
{
    wg_tensor right = wg_multiply(g, c->shared[WEIGHT]), left = wg_subtract(g, right);
    int64_t n = c->x[1].dim[0];
    left = wg_take_back(left_of(c), left, 0, n, WG_NO_INTEGER);
    return wg_add(left, wg_take_back(right_of(c), right, 0, n, WG_NO_INTEGER));
}
static wg_tensor from_knots(const wg_call *c, wg_tensor t)
{
    return wg_lerp(wg_take(t, left_of(c), 0), wg_take(t, right_of(c), 0), c->shared[WEIGHT]);
}

static wg_tensor interp_dx(const wg_call *c, wg_tensor g) { return wg_multiply(g, c->shared[SLOPE]); }
/* A knot moved to the right takes its line with it. */
static wg_tensor interp_dxp(const wg_call *c, wg_tensor g) { return wg_negative(to_knots(c, interp_dx(c, g))); }
static wg_tensor interp_dfp(const wg_call *c, wg_tensor g) { return to_knots(c, g); }

static wg_tensor interp_jvp(const wg_call *c)
{
    wg_tensor along = c->t[0];
    if (!wg_is_none(c->t[1]))
        along = plus(along, wg_negative(from_knots(c, c->t[1])));
    wg_tensor by_x = wg_is_none(along) ? WG_NONE : wg_multiply(c->shared[SLOPE], along);
    return plus(by_x, wg_is_none(c->t[2]) ? WG_NONE : from_knots(c, c->t[2]));
}

WG_OP(interp) = {
    .name = "interp",
    .doc = "y = the piecewise linear function through (xp, fp), constant outside; at a knot the slope is the one "
           "to the right",
    .in = {{"x", 0}, {"xp", 0}, {"fp", 0}},
    .saved = {"left", "right"},
    .type = interp_type,
    .run = interp_run,
    .c = interp_c,
    .share = interp_share,
    .vjp = {interp_dx, interp_dxp, interp_dfp},
    .jvp = interp_jvp,
    .saves = "x xp fp left right",
    .samples = {"[7] [4]:ascending [4]", "[2,3] [2]:ascending [2]", "[] [5]:ascending [5]", "[3] [1] [1]",
                "[0] [3]:ascending [3]"},
};
wg_tensor (wg_interp)(wg_tensor x, wg_tensor xp, wg_tensor fp) { return WG_RECORD(interp, NULL, x, xp, fp); }

WG_FAMILY_OF(signal, "spectral", SIGNAL)
