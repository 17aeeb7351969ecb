/* The discrete Fourier transform of any length, in double.
 *
 * Lengths with small prime factors go through Stockham's autosort algorithm, one stage a factor of 4, 2, 3, 5 or any
 * prime up to 31: no bit reversal, and all inner loops run over neighbours, of which there are `width` from the start,
 * as lines are transformed side by side. Other lengths become a convolution with a chirp (Bluestein 1970), by
 * transforms of a good length. Each root of unity is computed by itself, from an angle below pi/4, so that errors grow
 * with log n alone.
 *
 * Own, because the libraries do not fit: FFTW is GPL; kissfft is packaged in float only and takes n^2 steps for a prime
 * n; both keep plans in memory of their own, which a tape's arena could not give back. */
#include "ops/fft.h"

#include "wengert/map.h"

#define LARGEST_RADIX 31

/* Stockham 1966, as in Van Loan 1992, 1.7: r parts of m points, s transforms side by side. */
typedef struct {
    int64_t r, m, s;
    int64_t step; /* from one root of this stage to the next in the table */
} stage;

/* ---- Butterflies: y[p][k][q] = w^(p k) times the transform over j of x[j][p][q] ---------------------------------- */
#define STAGE(name)                                                                                                    \
    static WG_CLONES void name(const wg_fft_plan *plan, const stage *g, wg_fft_lines from, wg_fft_lines to)
#define EACH_PART for (int64_t p = 0; p < g->m; p++)
#define EACH_LINE for (int64_t q = 0; q < g->s; q++)
#define PART(k)                                                                                                        \
    const double *restrict x##k##r = from.re + (p + k * g->m) * g->s;                                                  \
    const double *restrict x##k##i = from.im + (p + k * g->m) * g->s;                                                  \
    double *restrict y##k##r = to.re + (p * g->r + k) * g->s;                                                          \
    double *restrict y##k##i = to.im + (p * g->r + k) * g->s;                                                          \
    const double w##k##r = plan->cosine[p * k * g->step], w##k##i = plan->sine[p * k * g->step];
#define LOAD(k) const double a##k##r = x##k##r[q], a##k##i = x##k##i[q];
#define STORE(k, r_, i_)                                                                                               \
    {                                                                                                                  \
        const double zr = r_, zi = i_;                                                                                 \
        y##k##r[q] = zr * w##k##r - zi * w##k##i;                                                                      \
        y##k##i[q] = zr * w##k##i + zi * w##k##r;                                                                      \
    }
/* c = a + b and d = a - b, complex. */
#define SUM_AND_DIFFERENCE(c, d, a, b)                                                                                 \
    const double c##r = a##r + b##r, c##i = a##i + b##i, d##r = a##r - b##r, d##i = a##i - b##i;
/* a - i b into part k, a + i b into part l. */
#define STORE_TURNED(k, l, a, b)                                                                                       \
    STORE(k, a##r + b##i, a##i - b##r)                                                                                 \
    STORE(l, a##r - b##i, a##i + b##r)

STAGE(radix_2)
{
    EACH_PART {
        PART(0) PART(1)
        EACH_LINE {
            LOAD(0) LOAD(1)
            SUM_AND_DIFFERENCE(t, u, a0, a1)
            STORE(0, tr, ti)
            STORE(1, ur, ui)
        }
    }
}

STAGE(radix_3)
{
    const double s1 = 0.86602540378443864676; /* sin 60 degrees */
    EACH_PART {
        PART(0) PART(1) PART(2)
        EACH_LINE {
            LOAD(0) LOAD(1) LOAD(2)
            SUM_AND_DIFFERENCE(t, u, a1, a2)
            const double mr = a0r - 0.5 * tr, mi = a0i - 0.5 * ti, vr = s1 * ur, vi = s1 * ui;
            STORE(0, a0r + tr, a0i + ti)
            STORE_TURNED(1, 2, m, v)
        }
    }
}

STAGE(radix_4)
{
    EACH_PART {
        PART(0) PART(1) PART(2) PART(3)
        EACH_LINE {
            LOAD(0) LOAD(1) LOAD(2) LOAD(3)
            SUM_AND_DIFFERENCE(t, u, a0, a2)
            SUM_AND_DIFFERENCE(v, w, a1, a3)
            STORE(0, tr + vr, ti + vi)
            STORE(2, tr - vr, ti - vi)
            STORE_TURNED(1, 3, u, w)
        }
    }
}

STAGE(radix_5)
{
    const double c1 = 0.30901699437494742410, s1 = 0.95105651629515357212; /* of 72 degrees */
    const double c2 = -0.80901699437494742410, s2 = 0.58778525229247312917; /* of 144 degrees */
    EACH_PART {
        PART(0) PART(1) PART(2) PART(3) PART(4)
        EACH_LINE {
            LOAD(0) LOAD(1) LOAD(2) LOAD(3) LOAD(4)
            SUM_AND_DIFFERENCE(t, u, a1, a4)
            SUM_AND_DIFFERENCE(v, w, a2, a3)
            const double mr = a0r + c1 * tr + c2 * vr, mi = a0i + c1 * ti + c2 * vi;
            const double nr = a0r + c2 * tr + c1 * vr, ni = a0i + c2 * ti + c1 * vi;
            const double er = s1 * ur + s2 * wr, ei = s1 * ui + s2 * wi;
            const double fr = s2 * ur - s1 * wr, fi = s2 * ui - s1 * wi;
            STORE(0, a0r + tr + vr, a0i + ti + vi)
            STORE_TURNED(1, 4, m, e)
            STORE_TURNED(2, 3, n, f)
        }
    }
}

/* Any prime: the sum as it is defined. */
STAGE(radix_any)
{
    const int64_t r = g->r, m = g->m, s = g->s, root = plan->n / r;
    for (int64_t pk = 0; pk < m * r; pk++) {
        const int64_t p = pk / r, k = pk % r;
        double *restrict yr = to.re + pk * s, *restrict yi = to.im + pk * s;
        memcpy(yr, from.re + p * s, (size_t)s * sizeof *yr);
        memcpy(yi, from.im + p * s, (size_t)s * sizeof *yi);
        for (int64_t j = 1; j < r; j++) {
            const double wr = plan->cosine[j * k % r * root], wi = plan->sine[j * k % r * root];
            const double *restrict xr = from.re + (p + j * m) * s, *restrict xi = from.im + (p + j * m) * s;
            EACH_LINE {
                yr[q] += xr[q] * wr - xi[q] * wi;
                yi[q] += xr[q] * wi + xi[q] * wr;
            }
        }
        const double wr = plan->cosine[p * k * g->step], wi = plan->sine[p * k * g->step];
        EACH_LINE {
            const double zr = yr[q], zi = yi[q];
            yr[q] = zr * wr - zi * wi;
            yi[q] = zr * wi + zi * wr;
        }
    }
}

/* z and `other` take turns. */
static wg_fft_lines stockham(const wg_fft_plan *plan, int64_t width, wg_fft_lines z, wg_fft_lines other)
{
    static void (*const butterflies[])(const wg_fft_plan *, const stage *, wg_fft_lines, wg_fft_lines) = {
        [2] = radix_2, [3] = radix_3, [4] = radix_4, [5] = radix_5};
    stage g = {.m = plan->n, .s = width, .step = 1};
    for (int i = 0; i < plan->stages; i++) {
        g.r = plan->radix[i];
        g.m /= g.r;
        (g.r < 6 ? butterflies[g.r] : radix_any)(plan, &g, z, other);
        wg_fft_lines t = z;
        z = other;
        other = t;
        g.s *= g.r;
        g.step *= g.r;
    }
    return z;
}

/* ---- The chirp: j k = (j^2 + k^2 - (k - j)^2) / 2 makes the transform a convolution ------------------------------ */
static WG_CLONES void times_rows(int64_t n, int64_t width, const double *br, const double *bi, wg_fft_lines x,
                                 wg_fft_lines y)
{
    for (int64_t k = 0; k < n; k++) {
        const double wr = br[k], wi = bi[k];
        for (int64_t q = k * width; q < (k + 1) * width; q++) {
            const double zr = x.re[q], zi = x.im[q];
            y.re[q] = zr * wr - zi * wi;
            y.im[q] = zr * wi + zi * wr;
        }
    }
}

static wg_fft_lines lines_at(double *room, int64_t points) { return (wg_fft_lines){room, room + points}; }
static wg_fft_lines exchanged(wg_fft_lines z) { return (wg_fft_lines){z.im, z.re}; }

static wg_fft_lines bluestein(const wg_fft_plan *plan, int64_t width, wg_fft_lines z, double *room)
{
    int64_t n = plan->n, m = plan->inner->n, used = n * width, all = m * width;
    wg_fft_lines a = lines_at(room, all), b = lines_at(room + 2 * all, all);
    times_rows(n, width, plan->chirp_re, plan->chirp_im, z, a);
    memset(a.re + used, 0, (size_t)(all - used) * sizeof *a.re);
    memset(a.im + used, 0, (size_t)(all - used) * sizeof *a.im);
    wg_fft_lines y = stockham(plan->inner, width, a, b);
    times_rows(m, width, plan->filter_re, plan->filter_im, y, y);
    y = exchanged(stockham(plan->inner, width, exchanged(y), exchanged(y.re == a.re ? b : a)));
    times_rows(n, width, plan->chirp_re, plan->chirp_im, y, z);
    return z;
}

size_t wg_fft_room(const wg_fft_plan *plan, int64_t width)
{
    return (size_t)((plan->inner ? 4 * plan->inner->n : 2 * plan->n) * width);
}

wg_fft_lines wg_fft_run(const wg_fft_plan *plan, int64_t width, wg_fft_lines z, double *room)
{
    return plan->inner ? bluestein(plan, width, z, room) : stockham(plan, width, z, lines_at(room, plan->n * width));
}

/* ---- Plans ------------------------------------------------------------------------------------------------------- */
/* exp(-2 pi i k / n), 0 <= k < n, from an angle of pi x / 4n, x <= n. */
static void root_of_unity(int64_t k, int64_t n, double *re, double *im)
{
    bool below = 2 * k > n, left, steep;
    int64_t x = 8 * (below ? n - k : k);
    if ((left = x > 2 * n))
        x = 4 * n - x;
    if ((steep = x > n))
        x = 2 * n - x;
    double angle = 0.78539816339744830962 * ((double)x / (double)n), c = cos(angle), s = sin(angle);
    *re = steep ? s : c;
    *im = steep ? c : s;
    if (left)
        *re = -*re;
    if (!below)
        *im = -*im;
}

int64_t wg_fft_good_length(int64_t n)
{
    for (;; n++) {
        int64_t rest = n;
        while (rest % 2 == 0)
            rest /= 2;
        while (rest % 3 == 0)
            rest /= 3;
        while (rest % 5 == 0)
            rest /= 5;
        if (rest == 1)
            return n;
    }
}

/* False where a prime factor is too large. */
static bool factored(int64_t n, wg_fft_plan *plan)
{
    static const int first[] = {4, 2, 3, 5};
    for (int i = 0; i < 4; i++)
        for (; n % first[i] == 0; n /= first[i])
            plan->radix[plan->stages++] = first[i];
    for (int r = 7; r <= LARGEST_RADIX; r += 2)
        for (; n % r == 0; n /= r)
            plan->radix[plan->stages++] = r;
    return n == 1;
}

static double *doubles(const wg_call *c, int64_t n)
{
    if ((uint64_t)n > SIZE_MAX / sizeof(double)) {
        wg_fail(c, WG_ERROR_MEMORY, "%lld points are too many", (long long)n);
        return NULL;
    }
    return wg_scratch(c, (size_t)n * sizeof(double));
}

/* The roots of unity, the second half from the first. */
static bool roots_made(const wg_call *c, wg_fft_plan *plan)
{
    int64_t n = plan->n;
    double *re = doubles(c, n), *im = doubles(c, n);
    if (!re || !im)
        return false;
    for (int64_t k = 0; k <= n / 2; k++) {
        root_of_unity(k, n, &re[k], &im[k]);
        if (k) {
            re[n - k] = re[k];
            im[n - k] = 2 * k == n ? im[k] : -im[k];
        }
    }
    plan->cosine = re;
    plan->sine = im;
    return true;
}

/* chirp[k] = exp(-pi i k^2 / n); filter = the transform of its conjugate, laid around, over the length. */
static bool chirp_made(const wg_call *c, wg_fft_plan *plan)
{
    int64_t n = plan->n, m = wg_fft_good_length(2 * n - 1), square = 0; /* modulo 2 n */
    wg_fft_plan *inner = wg_scratch(c, sizeof *inner);
    double *re = doubles(c, n), *im = doubles(c, n), *room = doubles(c, 4 * m);
    if (!inner || !re || !im || !room || !wg_fft_plan_made(c, m, inner))
        return false;
    wg_fft_lines b = lines_at(room, m);
    memset(room, 0, (size_t)(2 * m) * sizeof *room);
    for (int64_t k = 0; k < n; square = (square + 2 * k + 1) % (2 * n), k++) {
        root_of_unity(square, 2 * n, &re[k], &im[k]);
        int64_t other = k ? m - k : 0;
        b.re[k] = b.re[other] = re[k] / (double)m;
        b.im[k] = b.im[other] = -im[k] / (double)m;
    }
    b = stockham(inner, 1, b, lines_at(room + 2 * m, m));
    plan->inner = inner;
    plan->chirp_re = re;
    plan->chirp_im = im;
    plan->filter_re = b.re;
    plan->filter_im = b.im;
    return true;
}

bool wg_fft_plan_made(const wg_call *c, int64_t n, wg_fft_plan *plan)
{
    *plan = (wg_fft_plan){.n = n};
    if (n > INT64_MAX / 64) {
        wg_fail(c, WG_ERROR_MEMORY, "%lld points are too many", (long long)n);
        return false;
    }
    return factored(n, plan) ? roots_made(c, plan) : chirp_made(c, plan);
}
