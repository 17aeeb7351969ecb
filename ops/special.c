/* Elementwise operations: error functions and the normal distribution, gamma functions, Bessel functions. What
 * <math.h> has not is computed here, in double for both dtypes: by series whose terms have one sign, continued
 * fractions and Newton's method, rather than tables. */
#include "ops/special.h"

#include "core/tape.h"
#include "wengert/elementwise.h"

#define SPECIAL(OP)                                                                                                    \
    OP(gaussian) OP(erf) OP(erfc) OP(erfcx) OP(erfcx_slope) OP(erfinv) OP(ndtr) OP(log_ndtr) OP(ndtri) OP(lgamma)      \
    OP(digamma) OP(polygamma_at) OP(polygamma) OP(i0) OP(i1) OP(i0e) OP(i0e_slope) OP(i1e) OP(j0) OP(j1)
WG_CONTENTS(SPECIAL)


/* A function of doubles, and its text. */
#define WG_FUNCTION(name, ...)                                                                                         \
    static const wg_helper wg_##name##_helper = {#name, 0, #__VA_ARGS__};                                              \
    __VA_ARGS__
/* A helper for the text from a function of a double x. */
#define IN_DOUBLE(name, expression) WG_HELPERS(name, return (T)(expression);)

/* ---- gaussian ---------------------------------------------------------------------------------------------------- */
WG_MAP1(gaussian, gaussian(x), -x * y)
WG_OP(gaussian) = {
    .name = "gaussian",
    .doc = "y = exp(-x^2 / 2)",
    .in = {{"x", 0}},
    .map = &gaussian_map,
    .saves = "x y",
    .points = WG_POINTS(-38, -1, 0, 1, 38),
    .samples = {"[2,3]", "[]", "[0,3]"},
    .hidden = true,
};

/* ---- erf --------------------------------------------------------------------------------------------------------- */
WG_MAP1(erf, erf(x), K(M_2_SQRTPI) * square(gaussian(x)))
WG_OP(erf) = {
    .name = "erf",
    .doc = "y = 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x",
    .source = "DLMF 7.2.1",
    .in = {{"x", 0}},
    .map = &erf_map,
    .saves = "x",
    .points = WG_POINTS(-5, -1e-10, 0, 1, 5),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_erf)(wg_tensor x) { return WG_RECORD(erf, NULL, x); }

/* ---- erfc -------------------------------------------------------------------------------------------------------- */
WG_MAP1(erfc, erfc(x), -K(M_2_SQRTPI) * square(gaussian(x)))
WG_OP(erfc) = {
    .name = "erfc",
    .doc = "y = 1 - erf(x), accurate in the tail",
    .source = "DLMF 7.2.2",
    .in = {{"x", 0}},
    .map = &erfc_map,
    .saves = "x",
    .points = WG_POINTS(-5, 0, 1, 5, 25),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_erfc)(wg_tensor x) { return WG_RECORD(erfc, NULL, x); }

/* ---- erfcx ------------------------------------------------------------------------------------------------------- */
/* r in exp(x^2) erfc(x) = 1 / (sqrt(pi) (x + r)), by its continued fraction: 60 levels are enough from x = 2 on. */
WG_FUNCTION(erfcx_fraction,
static double erfcx_fraction(double x)
{
    double r = 0;
    for (int k = 60; k > 0; k--)
        r = 0.5 * k / (x + r);
    return r;
})

WG_FUNCTION(erfcx_of,
static double erfcx_of(double x)
{
    if (x >= 2)
        return 0.5 * M_2_SQRTPI / (x + erfcx_fraction(x));
    if (x < -27)
        return INFINITY;
    double square = x * x;
    return exp(square) * (1 + fma(x, x, -square)) * erfc(x);
})

/* 2 x y - 2 / sqrt(pi) cancels in the tail; with y as the fraction it is -2 / sqrt(pi) r / (x + r). */
WG_FUNCTION(erfcx_slope_of,
static double erfcx_slope_of(double x)
{
    if (!(x >= 2))
        return 2 * x * erfcx_of(x) - M_2_SQRTPI;
    double r = erfcx_fraction(x);
    return -M_2_SQRTPI * (r / (x + r));
})
IN_DOUBLE(erfcx, erfcx_of(x))
IN_DOUBLE(erfcx_slope, erfcx_slope_of(x))
#define erfcx(x) WG_EITHER(erfcx, x)
#define erfcx_slope(x) WG_EITHER(erfcx_slope, x)
WG_MAP1(erfcx, erfcx(x), erfcx_slope(x))
WG_OP(erfcx) = {
    .name = "erfcx",
    .doc = "y = exp(x^2) erfc(x), finite far in the tail",
    .source = "DLMF 7.2.3, 7.9.1",
    .in = {{"x", 0}},
    .map = &erfcx_map,
    .saves = "x",
    .points = WG_POINTS(-20, -1, 0, 1.99, 2.01, 10, 1e10),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_erfcx)(wg_tensor x) { return WG_RECORD(erfcx, NULL, x); }

/* ---- erfcx_slope ------------------------------------------------------------------------------------------------- */
WG_MAP1(erfcx_slope, erfcx_slope(x), 2 * (erfcx(x) + x * y))
WG_OP(erfcx_slope) = {
    .name = "erfcx_slope",
    .doc = "y = the derivative of erfcx",
    .in = {{"x", 0}},
    .map = &erfcx_slope_map,
    .saves = "x y",
    .points = WG_POINTS(-20, -1, 0, 1.99, 2.01, 10),
    .samples = {"[2,3]", "[]", "[0,3]"},
    .hidden = true,
};

/* ---- erfinv ------------------------------------------------------------------------------------------------------ */
/* erfinv(x), x >= 0, to 2e-3 from the logarithm of 1 - x^2: Winitzki 2008. */
WG_FUNCTION(erfinv_start,
static double erfinv_start(double log_rest)
{
    const double a = 0.147, b = 2 / (M_PI * a) + 0.5 * log_rest;
    return sqrt(-log_rest / a / (sqrt(b * b - log_rest / a) + b));
})

/* z > 0 with erfc(z) = q, for small q: Newton's method for log(erfc(z)), which is nearly a parabola. */
WG_FUNCTION(erfc_inverse,
static double erfc_inverse(double q)
{
    double z = erfinv_start(log(q) + log(2 - q));
    for (int i = 0; i < 4; i++)
        z += (log(erfcx_of(z)) - z * z - log(q)) * erfcx_of(z) / M_2_SQRTPI;
    return q > 0 ? z : INFINITY;
})

/* Halley's method in the middle; in the tails 1 - |x|, which is exact, has the digits. */
WG_FUNCTION(erfinv_of,
static double erfinv_of(double x)
{
    double far = fabs(x);
    if (!(far <= 1))
        return NAN;
    if (far > 0.9)
        return copysign(erfc_inverse(1 - far), x);
    double z = erfinv_start(log1p(-far * far));
    for (int i = 0; i < 3; i++) {
        double step = (erf(z) - far) * exp(z * z) / M_2_SQRTPI;
        z -= step / (1 + z * step);
    }
    return copysign(z, x);
})
IN_DOUBLE(erfinv, erfinv_of(x))
#define erfinv(x) WG_EITHER(erfinv, x)
/* sqrt(pi) / 2 exp(y^2), whose exponent would multiply a rounding error of y; erfcx(y) is exp(y^2) (1 - x). */
WG_MAP1(erfinv, erfinv(x), abs(x) == 1 ? K(INFINITY) : K(0.886226925452758013649) * erfcx(abs(y)) / (1 - abs(x)))
WG_OP(erfinv) = {
    .name = "erfinv",
    .doc = "y with erf(y) = x; infinite at -1 and 1",
    .domain = "-1 < x < 1",
    .in = {{"x", 0}},
    .map = &erfinv_map,
    .saves = "x y",
    .points = WG_POINTS(-0.9999999999999999, -0.96, -1e-10, 0, 0.5, 0.99),
    .samples = {"[2,3]:-0.9..0.9", "[]:-0.9..0.9", "[0,3]"},
};
wg_tensor (wg_erfinv)(wg_tensor x) { return WG_RECORD(erfinv, NULL, x); }

/* ---- ndtr -------------------------------------------------------------------------------------------------------- */
WG_MAP1(ndtr, ndtr(x), K(0.398942280401432677940) * gaussian(x))
WG_OP(ndtr) = {
    .name = "ndtr",
    .doc = "y = erfc(-x / sqrt(2)) / 2, the normal distribution function",
    .source = "DLMF 7.18",
    .in = {{"x", 0}},
    .map = &ndtr_map,
    .saves = "x",
    .points = WG_POINTS(-37, -5, -1, 0, 1, 5),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_ndtr)(wg_tensor x) { return WG_RECORD(ndtr, NULL, x); }

/* ---- log_ndtr ---------------------------------------------------------------------------------------------------- */
WG_FUNCTION(log_ndtr_of,
static double log_ndtr_of(double x)
{
    if (x < -1)
        return log(0.5 * erfcx_of(-M_SQRT1_2 * x)) - 0.5 * x * x;
    return x < 0 ? log(ndtr(x)) : log1p(-ndtr(-x));
})
IN_DOUBLE(log_ndtr, log_ndtr_of(x))
#define log_ndtr(x) WG_EITHER(log_ndtr, x)
WG_MAP1(log_ndtr,
        log_ndtr(x),
        x < 0 ? K(0.797884560802865355880) / erfcx(-K(M_SQRT1_2) * x) : K(0.398942280401432677940) * gaussian(x) /
            ndtr(x))
WG_OP(log_ndtr) = {
    .name = "log_ndtr",
    .doc = "y = log(ndtr(x)), finite for every finite x that has a finite square",
    .in = {{"x", 0}},
    .map = &log_ndtr_map,
    .saves = "x",
    .points = WG_POINTS(-1e10, -40, -1, 0, 1, 5, 30),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_log_ndtr)(wg_tensor x) { return WG_RECORD(log_ndtr, NULL, x); }

/* ---- ndtri ------------------------------------------------------------------------------------------------------- */
WG_FUNCTION(ndtri_of,
static double ndtri_of(double x)
{
    if (x < 0.05 || x > 0.95)
        return x < 0 || x > 1 ? NAN : x < 0.5 ? -M_SQRT2 * erfc_inverse(2 * x) : M_SQRT2 * erfc_inverse(2 * (1 - x));
    return M_SQRT2 * erfinv_of(2 * x - 1);
})
IN_DOUBLE(ndtri, ndtri_of(x))
#define ndtri(x) WG_EITHER(ndtri, x)
/* One over the density at y, as for erfinv. */
WG_MAP1(ndtri,
        ndtri(x),
        x == 0 || x == 1 ? K(INFINITY)
        : K(1.25331413731550025121) * (x < K(0.5) ? erfcx(-K(M_SQRT1_2) * y) / x : erfcx(K(M_SQRT1_2) * y) / (1 - x)))
WG_OP(ndtri) = {
    .name = "ndtri",
    .doc = "y with ndtr(y) = x; infinite at 0 and 1",
    .domain = "0 < x < 1",
    .in = {{"x", 0}},
    .map = &ndtri_map,
    .saves = "x y",
    .points = WG_POINTS(1e-300, 1e-10, 0.05, 0.5, 0.9, 0.9999999),
    .samples = {"[2,3]:0.1..0.9", "[]:0.1..0.9", "[0,3]"},
};
wg_tensor (wg_ndtri)(wg_tensor x) { return WG_RECORD(ndtri, NULL, x); }

/* ---- lgamma ------------------------------------------------------------------------------------------------------ */
/* Not lgamma, which writes a global sign. */
static double lgamma_of(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}
IN_DOUBLE(lgamma, lgamma_of(x))
#undef lgamma
#define lgamma(x) WG_EITHER(lgamma, x)

/* By recurrence to x >= 10, and the asymptotic series there, DLMF 5.11.2; by reflection for x < 0, DLMF 5.5.4. */
WG_FUNCTION(digamma_of,
static double digamma_of(double x)
{
    static const double c[] = {1. / 12,  -1. / 120,     1. / 252, -1. / 240,
                               1. / 132, -691. / 32760, 1. / 12,  -3617. / 8160};
    double sum = 0, series = 0;
    if (x <= 0) {
        double turn = x - rint(x);
        if (turn == 0)
            return NAN;
        sum = -M_PI / tan(M_PI * turn);
        x = 1 - x;
    }
    for (; x < 10; x++)
        sum -= 1 / x;
    for (int k = 7; k >= 0; k--)
        series = (series + c[k]) / (x * x);
    return sum + log(x) - 0.5 / x - series;
})
IN_DOUBLE(digamma, digamma_of(x))
#define digamma(x) WG_EITHER(digamma, x)
WG_MAP1(lgamma, lgamma(x), digamma(x))
WG_OP(lgamma) = {
    .name = "lgamma",
    .doc = "y = log|gamma(x)|; inf at 0, -1, -2, ...",
    .source = "DLMF 5.2, 5.11",
    .in = {{"x", 0}},
    .map = &lgamma_map,
    .saves = "x",
    .points = WG_POINTS(-1.5, 1e-10, 0.5, 1, 2, 100, 1e10),
    .samples = {"[2,3]:0.5..4", "[]:0.5..4", "[0,3]"},
};
wg_tensor (wg_lgamma)(wg_tensor x) { return WG_RECORD(lgamma, NULL, x); }

/* ---- digamma ----------------------------------------------------------------------------------------------------- */
/* (-1)^(n+1) n! zeta(n + 1, x), the Hurwitz zeta function by Euler and Maclaurin's sum, DLMF 25.11.5. For x < 0 the sum
 * goes over all that lie below 0: not too many. */
WG_FUNCTION(polygamma_of,
static double polygamma_of(double n, double x)
{
    static const double c[] = {1. / 12, -1. / 720, 1. / 30240, -1. / 1209600, 1. / 47900160, -691. / 1307674368000.,
                               1. / 74724249600., -3617. / 10670622842880000., 43867. / 5109094217170944000.};
    if (n == 0)
        return digamma_of(x);
    if (!(x > -1e5) || !(n >= 0 && n < 1000) || (x <= 0 && x == rint(x)))
        return NAN;
    double s = n + 1, sum = 0, series = 0;
    for (; x < 12 + n; x++)
        sum += pow(x, -s);
    double rising = s / x;
    for (int k = 0; k < 9; k++) {
        series += c[k] * rising;
        rising *= (s + 2 * k + 1) * (s + 2 * k + 2) / (x * x);
    }
    sum += pow(x, -s) * (x / n + 0.5 + series);
    return (fmod(n, 2) == 0 ? -1 : 1) * tgamma(s) * sum;
})
WG_HELPERS2(polygamma_at, return (T)polygamma_of((double)b, (double)a);)
#define polygamma_at(x, n) WG_EITHER2(polygamma_at, x, n)
WG_MAP1(digamma, digamma(x), polygamma_at(x, K(1)))
WG_OP(digamma) = {
    .name = "digamma",
    .doc = "y = lgamma's derivative; NaN at 0, -1, -2, ...",
    .source = "DLMF 5.2.2, 5.5.4, 5.11.2",
    .in = {{"x", 0}},
    .map = &digamma_map,
    .saves = "x",
    .points = WG_POINTS(-1.5, 1e-10, 0.5, 1, 2, 100, 1e10),
    .samples = {"[2,3]:0.5..4", "[]:0.5..4", "[0,3]"},
};
wg_tensor (wg_digamma)(wg_tensor x) { return WG_RECORD(digamma, NULL, x); }

/* ---- polygamma_at ------------------------------------------------------------------------------------------------ */
/* The order as an operand, so that the slope of each is the next; it has no derivative of its own. */
WG_LOOP(polygamma_at_f32, float, float, wg_no_options, WG_AB, polygamma_at(a, b))
WG_LOOP(polygamma_at_f64, double, double, wg_no_options, WG_AB, polygamma_at(a, b))
WG_PULL_LOOP(polygamma_at_da_f32, float, wg_no_options, 2, WG_AB, polygamma_at(a, b + 1))
WG_PULL_LOOP(polygamma_at_da_f64, double, wg_no_options, 2, WG_AB, polygamma_at(a, b + 1))
static const wg_map polygamma_at_map = {
    "polygamma_at(a, b)", {"polygamma_at(a, b + 1)"}, {polygamma_at_f32, polygamma_at_f64},
    {{polygamma_at_da_f32, polygamma_at_da_f64}}, false};
WG_OP(polygamma_at) = {
    .name = "polygamma_at",
    .doc = "y = digamma's n-th derivative at x",
    .in = {{"x", 0}, {"n", WG_NO_GRADIENT}},
    .map = &polygamma_at_map,
    .saves = "x n",
    .samples = {"[2,3]:0.5..4 []:1"},
    .hidden = true,
};

/* ---- polygamma --------------------------------------------------------------------------------------------------- */
WG_MAP1_OPTIONS(polygamma, wg_polygamma_options, polygamma_at(x, K(o->n)), polygamma_at(x, K(o->n) + 1))

static wg_status polygamma_type(wg_call *c)
{
    int64_t n = ((const wg_polygamma_options *)c->options)->n;
    if (n < 0 || n > 170)
        return wg_fail(c, WG_ERROR_VALUE, "n is %lld, not 0 to 170: above, n! is too large", (long long)n);
    return wg_map_type(c);
}

WG_OP(polygamma) = {
    .name = "polygamma",
    .doc = "y = digamma's n-th derivative; NaN at 0, -1, -2, ... and below -100000",
    .source = "DLMF 5.15.1, 25.11.5, 25.11.12",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_polygamma, WG_ATTR_REQUIRED(wg_polygamma, n)),
    .map = &polygamma_map,
    .type = polygamma_type,
    .saves = "x",
    .points = WG_POINTS(-1.5, 0.01, 0.5, 1, 2, 100),
    .samples = {"[2,3]:0.5..4 n=1", "[]:0.5..4 n=0", "[0,3] n=2", "[3]:0.5..4 n=3"},
};
wg_tensor (wg_polygamma)(wg_tensor x, wg_polygamma_options options) { return WG_RECORD(polygamma, &options, x); }

/* ---- i0 ---------------------------------------------------------------------------------------------------------- */
/* The power series below, the asymptotic one from here on. */
WG_FUNCTION(BESSEL_FAR, enum { BESSEL_FAR = 20 };)

/* I_n(x) for x >= 0, n = 0 or 1: every term of the power series is positive, nothing cancels. Its k-th power of x^2 / 4
 * would multiply that square's rounding error: the error's first order is given back. DLMF 10.25.2. */
WG_FUNCTION(bessel_near,
static double bessel_near(int n, double x)
{
    double quarter = 0.25 * x * x, lost = fma(0.25 * x, x, -quarter);
    double term = n ? 0.5 * x : 1, sum = term, powers = 0;
    for (int k = 1; term > 1e-17 * sum; k++) {
        sum += term *= quarter / (k * (double)(k + n));
        powers += k * term;
    }
    return quarter > 0 ? sum + powers * (lost / quarter) : sum;
})

/* sqrt(2 pi x) exp(-x) I_n(x) less 1, far out. DLMF 10.40.1. */
WG_FUNCTION(bessel_far,
static double bessel_far(int n, double x)
{
    double term = 1, sum = 0;
    for (int k = 1; k <= 2 * BESSEL_FAR; k++)
        sum += term *= ((2 * k - 1) * (2 * k - 1) - 4 * n) / (8 * k * x);
    return sum;
})

WG_FUNCTION(bessel_scaled,
static double bessel_scaled(int n, double x)
{
    double far = fabs(x);
    double y = far < BESSEL_FAR ? exp(-far) * bessel_near(n, far) : (1 + bessel_far(n, far)) / sqrt(2 * M_PI * far);
    return n && x < 0 ? -y : far < INFINITY ? y : far > 0 ? 0 : x;
})

/* exp(x) in two factors: it overflows sooner than I_n(x). */
WG_FUNCTION(bessel,
static double bessel(int n, double x)
{
    double far = fabs(x);
    double y = far < BESSEL_FAR ? bessel_near(n, far) : exp(far / 2) * (exp(far / 2) * bessel_scaled(n, far));
    return n && x < 0 ? -y : y;
})

/* The derivative of exp(-|x|) I_0(x): for x > 0 exp(-x) (I_1(x) - I_0(x)), which cancels. It is -exp(-2x) M(1/2, 2, 2x)
 * with Kummer's M, DLMF 13.6.9; far out both series begin with 1. */
WG_FUNCTION(i0e_slope_of,
static double i0e_slope_of(double x)
{
    double far = fabs(x), term = 1, sum = 1, y;
    for (int k = 1; far < BESSEL_FAR && term > 1e-17 * sum; k++)
        sum += term *= (k - 0.5) * 2 * far / (k * (k + 1.0));
    if (far < BESSEL_FAR)
        y = -exp(-2 * far) * sum;
    else
        y = (bessel_far(1, far) - bessel_far(0, far)) / sqrt(2 * M_PI * far);
    return x == 0 ? 0 : x < 0 ? -y : y;
})
IN_DOUBLE(i0, bessel(0, x))
IN_DOUBLE(i1, bessel(1, x))
IN_DOUBLE(i0e, bessel_scaled(0, x))
IN_DOUBLE(i1e, bessel_scaled(1, x))
IN_DOUBLE(i0e_slope, i0e_slope_of(x))
#define i0(x) WG_EITHER(i0, x)
#define i1(x) WG_EITHER(i1, x)
#define i0e(x) WG_EITHER(i0e, x)
#define i1e(x) WG_EITHER(i1e, x)
#define i0e_slope(x) WG_EITHER(i0e_slope, x)
WG_MAP1(i0, i0(x), i1(x))
WG_OP(i0) = {
    .name = "i0",
    .doc = "y = the modified Bessel function of the first kind of order 0",
    .source = "DLMF 10.25.2, 10.40.1",
    .in = {{"x", 0}},
    .map = &i0_map,
    .saves = "x",
    .points = WG_POINTS(-30, -1, 0, 1, 29.9, 30.1, 700),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_i0)(wg_tensor x) { return WG_RECORD(i0, NULL, x); }

/* ---- i1 ---------------------------------------------------------------------------------------------------------- */
WG_MAP1(i1, i1(x), x == 0 ? K(0.5) : i0(x) - y / x)
WG_OP(i1) = {
    .name = "i1",
    .doc = "y = the modified Bessel function of the first kind of order 1",
    .source = "DLMF 10.25.2, 10.40.1",
    .in = {{"x", 0}},
    .map = &i1_map,
    .saves = "x y",
    .points = WG_POINTS(-30, -1, 0, 1, 29.9, 30.1, 700),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_i1)(wg_tensor x) { return WG_RECORD(i1, NULL, x); }

/* ---- i0e --------------------------------------------------------------------------------------------------------- */
WG_MAP1(i0e, i0e(x), i0e_slope(x))
WG_OP(i0e) = {
    .name = "i0e",
    .doc = "y = exp(-|x|) i0(x); derivative 0 at 0",
    .in = {{"x", 0}},
    .map = &i0e_map,
    .saves = "x",
    .kinks = WG_POINTS(0),
    .points = WG_POINTS(-30, -1, 0, 1, 29.9, 30.1, 1e10),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_i0e)(wg_tensor x) { return WG_RECORD(i0e, NULL, x); }

/* ---- i0e_slope --------------------------------------------------------------------------------------------------- */
WG_MAP1(i0e_slope, i0e_slope(x), -2 * sign(x) * y - i1e(x) / x)
WG_OP(i0e_slope) = {
    .name = "i0e_slope",
    .doc = "y = the derivative of i0e",
    .in = {{"x", 0}},
    .map = &i0e_slope_map,
    .saves = "x y",
    .points = WG_POINTS(-30, -1, 1, 29.9, 30.1),
    .samples = {"[2,3]", "[]", "[0,3]"},
    .hidden = true,
};

/* ---- i1e --------------------------------------------------------------------------------------------------------- */
WG_MAP1(i1e, i1e(x), x == 0 ? K(0.5) : -sign(x) * i0e_slope(x) - y / x)
WG_OP(i1e) = {
    .name = "i1e",
    .doc = "y = exp(-|x|) i1(x)",
    .in = {{"x", 0}},
    .map = &i1e_map,
    .saves = "x y",
    .points = WG_POINTS(-30, -1, 0, 1, 29.9, 30.1, 1e10),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_i1e)(wg_tensor x) { return WG_RECORD(i1e, NULL, x); }

/* ---- j0 ---------------------------------------------------------------------------------------------------------- */
IN_DOUBLE(j0, (j0)(x))
IN_DOUBLE(j1, (j1)(x))
#define j0(x) WG_EITHER(j0, x)
#define j1(x) WG_EITHER(j1, x)
WG_MAP1(j0, j0(x), -j1(x))

/* <math.h> of C99 has neither: exported C has J_n, n = 0 or 1, by its power series, whose terms cancel and are
 * therefore each the sum of two doubles (Dekker 1971); from 25 on by Hankel's expansion, whose terms shrink until the
 * 2x-th: DLMF 10.2.2, 10.17.3. */
static const wg_helper bessel_j_series_helper = {"bessel_j_series", 0, WG_C(
static double bessel_j_series(int n, double x) {
    const double quarter = 0.25 * x * x;
    const double quarter_low = fma(0.25 * x, x, -quarter);
    double term = n == 0 ? 1 : 0.5 * x;
    double term_low = 0;
    double sum = term;
    double sum_low = 0;
    for (int k = 1; k <= 80; k++) {
        const double by = -(double)k * (k + n);
        const double product = term * quarter;
        const double product_low = fma(term, quarter, -product) + term * quarter_low + term_low * quarter;
        const double first = product / by;
        const double rest = (fma(-first, by, product) + product_low) / by;
        term = first + rest;
        term_low = rest - (term - first);
        const double more = sum + term;
        const double added = more - sum;
        sum_low += sum - (more - added) + (term - added) + term_low;
        sum = more;
    }
    return sum + sum_low;
})};
static const wg_helper bessel_j_helper = {"bessel_j", 0, WG_C(
static double bessel_j(int n, double x) {
    const double z = fabs(x);
    double p = 0;
    double q = 0;
    double term = 1;
    if (isinf(x)) return 0;
    if (!(z > 25)) return bessel_j_series(n, x);
    for (int k = 0; k < 40; k += 2) {
        p += k % 4 == 0 ? term : -term;
        term *= (4.0 * n - (2 * k + 1) * (2 * k + 1)) / (8 * (k + 1) * z);
        q += k % 4 == 0 ? term : -term;
        term *= (4.0 * n - (2 * k + 3) * (2 * k + 3)) / (8 * (k + 2) * z);
    }
    const double c = n == 0 ? cos(z) + sin(z) : sin(z) - cos(z);
    const double s = n == 0 ? sin(z) - cos(z) : -sin(z) - cos(z);
    return (n == 1 && x < 0 ? -1 : 1) * (p * c - q * s) / sqrt(M_PI * z);
})};
static const wg_helper j0_helper = {"j0", 1, "return (T)bessel_j(0, (double)x);"};
static const wg_helper j1_helper = {"j1", 1, "return (T)bessel_j(1, (double)x);"};

WG_OP(j0) = {
    .name = "j0",
    .doc = "y = the Bessel function of the first kind of order 0",
    .source = "DLMF 10.2.2, 10.6.3",
    .in = {{"x", 0}},
    .map = &j0_map,
    .saves = "x",
    .points = WG_POINTS(-1, 0, 2.404825557695773, 10, 1e5),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_j0)(wg_tensor x) { return WG_RECORD(j0, NULL, x); }

/* ---- j1 ---------------------------------------------------------------------------------------------------------- */
WG_MAP1(j1, j1(x), x == 0 ? K(0.5) : j0(x) - y / x)
WG_OP(j1) = {
    .name = "j1",
    .doc = "y = the Bessel function of the first kind of order 1",
    .source = "DLMF 10.2.2, 10.6.2",
    .in = {{"x", 0}},
    .map = &j1_map,
    .saves = "x y",
    .points = WG_POINTS(-1, 0, 3.8317059702075125, 10, 1e5),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_j1)(wg_tensor x) { return WG_RECORD(j1, NULL, x); }

/* Not lgamma, which C has. */
WG_HELPERS_OF(special, &wg_BESSEL_FAR_helper, &wg_erfcx_fraction_helper, &wg_erfcx_of_helper,
              &wg_erfcx_slope_of_helper, &wg_erfinv_start_helper, &wg_erfc_inverse_helper, &wg_erfinv_of_helper,
              &wg_log_ndtr_of_helper, &wg_ndtri_of_helper, &wg_digamma_of_helper, &wg_polygamma_of_helper,
              &wg_bessel_near_helper, &wg_bessel_far_helper, &wg_bessel_scaled_helper, &wg_bessel_helper,
              &wg_i0e_slope_of_helper, &wg_erfcx_helper, &wg_erfcx_slope_helper, &wg_erfinv_helper,
              &wg_log_ndtr_helper, &wg_ndtri_helper, &wg_digamma_helper, &wg_polygamma_at_helper, &wg_i0_helper,
              &wg_i1_helper, &wg_i0e_helper, &wg_i1e_helper, &wg_i0e_slope_helper,
              &bessel_j_series_helper, &bessel_j_helper, &j0_helper, &j1_helper)
WG_FAMILY_OF(special, "elementwise", SPECIAL)
