/* Elementwise operations in double-double: an argument reduction and a Taylor series for exp, sin and cos; one Newton
 * step from the double result for their inverses, which doubles its 16 digits; the rest in terms of these. Each is good
 * to about 30 digits where it is well conditioned; the checker takes the error of what it computes from them from two
 * steps, not from here. */
#include "graph/double_double.h"

#include <stddef.h>
#include <string.h>

#define OPERATION(name) static wg_dd dd_##name(const wg_dd *x, int *branch)
#define UNUSED_BRANCH (void)branch

#define add wg_dd_add
#define sub wg_dd_subtract
#define mul wg_dd_multiply
#define div wg_dd_divide
#define neg wg_dd_negative
#define num wg_dd_of

static const wg_dd ln2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
static const wg_dd ln10 = {0x1.26bb1bbb55516p+1, -0x1.f48ad494ea3e9p-53};
static const wg_dd pi = {0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53};
static const double pi_last = -0x1.f1976b7ed8fbcp-109; /* pi's third part */
static const wg_dd two_over_sqrt_pi = {0x1.20dd750429b6dp+0, 0x1.1ae3a914fed80p-56};

static wg_dd times(wg_dd a, double power_of_two)
{
    wg_dd y = {a.hi * power_of_two, a.lo * power_of_two};
    return y;
}
/* By a double, in two digits of long division. */
static wg_dd over(wg_dd a, double b)
{
    double q = a.hi / b;
    return isfinite(q) ? wg_dd_two_sum(q, (fma(-q, b, a.hi) + a.lo) / b) : num(q);
}
static wg_dd absolute(wg_dd a) { return a.hi < 0 ? neg(a) : a; }
static wg_dd squared(wg_dd a) { return mul(a, a); }

static wg_dd rounded(wg_dd a, double (*to)(double))
{
    double whole = to(a.hi);
    return whole == a.hi ? wg_dd_two_sum(whole, to(a.lo)) : num(whole);
}

/* ---- Exponentials ------------------------------------------------------------------------------------------------ */
/* e^x - 1 for |x| < 1: the series at x / 512, then nine times (1 + s)^2 - 1 = 2 s + s^2. */
static wg_dd small_expm1(wg_dd x)
{
    wg_dd r = times(x, 0x1p-9), term = r, sum = r;
    for (int i = 2; i <= 11; i++) {
        term = over(mul(term, r), i);
        sum = add(sum, term);
    }
    for (int i = 0; i < 9; i++)
        sum = add(times(sum, 2), squared(sum));
    return sum;
}

static wg_dd exp_of(wg_dd x)
{
    double rough = exp(x.hi), k = rint(x.hi / ln2.hi);
    if (!(rough > 0) || isinf(rough))
        return num(rough);
    wg_dd y = add(small_expm1(sub(x, mul(num(k), ln2))), num(1));
    return (wg_dd){ldexp(y.hi, (int)k), ldexp(y.lo, (int)k)};
}

static wg_dd expm1_of(wg_dd x)
{
    return fabs(x.hi) < 0.5 ? small_expm1(x) : isinf(exp(x.hi)) ? num(exp(x.hi)) : sub(exp_of(x), num(1));
}

static wg_dd log_of(wg_dd x)
{
    if (!(x.hi > 0) || isinf(x.hi))
        return num(log(x.hi));
    int e = 0;
    frexp(x.hi, &e);
    if (x.hi > 0.5 && x.hi < 2)
        e = 0;
    wg_dd m = {ldexp(x.hi, -e), ldexp(x.lo, -e)}, y = num(log(m.hi));
    y = add(y, sub(mul(m, exp_of(neg(y))), num(1)));
    return add(y, mul(num(e), ln2));
}

static wg_dd log1p_of(wg_dd x)
{
    if (!(x.hi > -0.5 && x.hi < 1))
        return isfinite(x.hi) ? log_of(add(num(1), x)) : num(log1p(x.hi));
    wg_dd y = num(log1p(x.hi)), e = small_expm1(y);
    return add(y, div(sub(x, e), add(num(1), e)));
}

static wg_dd sqrt_of(wg_dd x)
{
    double y = sqrt(x.hi);
    return y > 0 && isfinite(y) ? add(num(y), div(sub(x, wg_dd_two_product(y, y)), num(2 * y))) : num(y);
}

/* ---- Circular functions ------------------------------------------------------------------------------------------ */
/* The series of sin (odd) or cos (even) for |x| <= pi / 4. */
static wg_dd circular_series(wg_dd x, bool odd)
{
    wg_dd square = neg(squared(x)), term = odd ? x : num(1), sum = term;
    for (int i = odd ? 2 : 1; i < 30; i += 2) {
        term = over(mul(term, square), i * (i + 1.0));
        sum = add(sum, term);
    }
    return sum;
}

/* sin(r + k pi / 2). */
static wg_dd quarter(wg_dd r, double k)
{
    int turn = (int)(k - 4 * floor(k / 4));
    wg_dd y = circular_series(r, turn % 2 == 0);
    return turn >= 2 ? neg(y) : y;
}

/* sin(x + turns pi / 2). */
static wg_dd sin_of(wg_dd x, double turns)
{
    if (!(fabs(x.hi) < 1e9))
        return num((double)NAN);
    double k = rint(x.hi / (pi.hi / 2));
    wg_dd r = sub(sub(x, wg_dd_two_product(k, pi.hi / 2)), wg_dd_two_product(k, pi.lo / 2));
    return quarter(sub(r, num(k * pi_last / 2)), k + turns);
}

static wg_dd sinpi_of(wg_dd x, double turns)
{
    if (!(fabs(x.hi) < 0x1p50))
        return num((double)NAN);
    double k = rint(2 * x.hi);
    return quarter(mul(sub(x, num(k / 2)), pi), k + turns);
}

/* With t = tan(y): atan(x) = y + atan((x - t) / (1 + x t)). */
static wg_dd atan_of(wg_dd x)
{
    if (fabs(x.hi) > 1)
        return sub(times(x.hi > 0 ? pi : neg(pi), 0.5), atan_of(div(num(1), x)));
    wg_dd y = num(atan(x.hi)), t = div(sin_of(y, 0), sin_of(y, 1));
    return add(y, div(sub(x, t), add(num(1), mul(x, t))));
}

static wg_dd asin_of(wg_dd x)
{
    wg_dd c = sqrt_of(mul(sub(num(1), x), add(num(1), x)));
    return c.hi > 0 ? atan_of(div(x, c)) : num(asin(x.hi));
}

OPERATION(sin) { UNUSED_BRANCH; return sin_of(x[0], 0); }
OPERATION(cos) { UNUSED_BRANCH; return sin_of(x[0], 1); }
OPERATION(tan) { UNUSED_BRANCH; return div(sin_of(x[0], 0), sin_of(x[0], 1)); }
OPERATION(sinpi) { UNUSED_BRANCH; return sinpi_of(x[0], 0); }
OPERATION(cospi) { UNUSED_BRANCH; return sinpi_of(x[0], 1); }
OPERATION(atan) { UNUSED_BRANCH; return atan_of(x[0]); }
OPERATION(asin) { UNUSED_BRANCH; return asin_of(x[0]); }
OPERATION(acos)
{
    UNUSED_BRANCH;
    if (x[0].hi > 0.5)
        return times(asin_of(sqrt_of(times(sub(num(1), x[0]), 0.5))), 2);
    return sub(times(pi, 0.5), asin_of(x[0]));
}
OPERATION(atan2)
{
    *branch = x[1].hi > 0 ? 0 : x[0].hi >= 0 ? 1 : 2;
    if ((x[0].hi == 0 && x[1].hi == 0) || !isfinite(x[0].hi) || !isfinite(x[1].hi))
        return num(atan2(x[0].hi, x[1].hi));
    if (fabs(x[0].hi) > fabs(x[1].hi))
        return sub(times(x[0].hi > 0 ? pi : neg(pi), 0.5), atan_of(div(x[1], x[0])));
    wg_dd y = atan_of(div(x[0], x[1]));
    return x[1].hi > 0 ? y : add(y, x[0].hi >= 0 ? pi : neg(pi));
}

/* ---- Hyperbolic functions ---------------------------------------------------------------------------------------- */
OPERATION(sinh)
{
    UNUSED_BRANCH;
    wg_dd e = expm1_of(absolute(x[0]));
    wg_dd y = isfinite(e.hi) ? times(add(e, div(e, add(e, num(1)))), 0.5) : num(sinh(fabs(x[0].hi)));
    return x[0].hi < 0 ? neg(y) : y;
}
OPERATION(cosh)
{
    UNUSED_BRANCH;
    wg_dd e = exp_of(absolute(x[0]));
    return isfinite(e.hi) ? times(add(e, div(num(1), e)), 0.5) : num(cosh(x[0].hi));
}
static wg_dd tanh_of(wg_dd x)
{
    wg_dd e = expm1_of(times(absolute(x), 2)), y = fabs(x.hi) < 300 ? div(e, add(e, num(2))) : num(tanh(fabs(x.hi)));
    return x.hi < 0 ? neg(y) : y;
}
OPERATION(tanh) { UNUSED_BRANCH; return tanh_of(x[0]); }
OPERATION(tanhshrink) { UNUSED_BRANCH; return sub(x[0], tanh_of(x[0])); }
OPERATION(asinh)
{
    UNUSED_BRANCH;
    wg_dd a = absolute(x[0]), square = squared(a);
    wg_dd y = a.hi > 1e100 ? add(log_of(a), ln2)
                           : log1p_of(add(a, div(square, add(num(1), sqrt_of(add(num(1), square))))));
    return x[0].hi < 0 ? neg(y) : y;
}
OPERATION(acosh)
{
    UNUSED_BRANCH;
    wg_dd t = sub(x[0], num(1));
    return x[0].hi > 1e100 ? add(log_of(x[0]), ln2) : log1p_of(add(t, sqrt_of(add(times(t, 2), squared(t)))));
}
OPERATION(atanh)
{
    UNUSED_BRANCH;
    wg_dd a = absolute(x[0]), y = times(log1p_of(div(times(a, 2), sub(num(1), a))), 0.5);
    return x[0].hi < 0 ? neg(y) : y;
}

/* ---- Exponentials, logarithms and powers ------------------------------------------------------------------------- */
OPERATION(exp) { UNUSED_BRANCH; return exp_of(x[0]); }
OPERATION(exp2) { UNUSED_BRANCH; return exp_of(mul(x[0], ln2)); }
OPERATION(expm1) { UNUSED_BRANCH; return expm1_of(x[0]); }
OPERATION(log) { UNUSED_BRANCH; return log_of(x[0]); }
OPERATION(log2) { UNUSED_BRANCH; return div(log_of(x[0]), ln2); }
OPERATION(log10) { UNUSED_BRANCH; return div(log_of(x[0]), ln10); }
OPERATION(log1p) { UNUSED_BRANCH; return log1p_of(x[0]); }
OPERATION(sqrt) { UNUSED_BRANCH; return sqrt_of(x[0]); }
OPERATION(cbrt)
{
    UNUSED_BRANCH;
    wg_dd y = num(cbrt(x[0].hi)), square = squared(y);
    return y.hi != 0 && isfinite(y.hi) ? sub(y, div(sub(mul(square, y), x[0]), mul(num(3), square))) : y;
}
OPERATION(pow)
{
    double b = x[1].hi;
    *branch = x[0].hi > 0 ? 0 : x[0].hi == 0 ? 1 : 2;
    bool whole = x[1].lo == 0 && rint(b) == b;
    if (whole && fabs(b) <= 64) {
        wg_dd y = num(1);
        for (int i = 0; i < (int)fabs(b); i++)
            y = mul(y, x[0]);
        return b < 0 ? div(num(1), y) : y;
    }
    if (x[0].hi == 0 || !isfinite(x[0].hi) || !isfinite(b) || (x[0].hi < 0 && !whole))
        return num(pow(x[0].hi, b));
    wg_dd y = exp_of(mul(x[1], log_of(absolute(x[0]))));
    return x[0].hi < 0 && fmod(b, 2) != 0 ? neg(y) : y;
}
static wg_dd sigmoid_of(wg_dd x)
{
    wg_dd e = exp_of(neg(absolute(x)));
    return div(x.hi >= 0 ? num(1) : e, add(num(1), e));
}
static wg_dd log1pexp_of(wg_dd x)
{
    wg_dd y = log1p_of(exp_of(neg(absolute(x))));
    return x.hi > 0 ? add(x, y) : y;
}
OPERATION(sigmoid) { UNUSED_BRANCH; return sigmoid_of(x[0]); }
OPERATION(log_sigmoid) { UNUSED_BRANCH; return neg(log1pexp_of(neg(x[0]))); }
OPERATION(logaddexp)
{
    UNUSED_BRANCH;
    if (!isfinite(x[0].hi) || !isfinite(x[1].hi))
        return num(x[0].hi == x[1].hi ? x[0].hi : fmax(x[0].hi, x[1].hi) + 0 * (x[0].hi + x[1].hi));
    return add(x[1], log1pexp_of(sub(x[0], x[1])));
}
OPERATION(logaddexp2)
{
    UNUSED_BRANCH;
    return add(x[1], div(log1pexp_of(mul(sub(x[0], x[1]), ln2)), ln2));
}
OPERATION(gaussian) { UNUSED_BRANCH; return exp_of(times(squared(x[0]), -0.5)); }

/* ---- The error function and the gamma function ------------------------------------------------------------------- */
/* erf(x) = 2 / sqrt(pi) exp(-x^2) (x + 2 x^3 / 3 + 4 x^5 / 15 + ...), DLMF 7.6.2: nothing cancels. */
static wg_dd erf_series(wg_dd x)
{
    wg_dd square = times(squared(x), 2), term = x, sum = x;
    for (int i = 3; i < 600 && fabs(term.hi) > 1e-34 * fabs(sum.hi); i += 2) {
        term = over(mul(term, square), i);
        sum = add(sum, term);
    }
    return mul(mul(two_over_sqrt_pi, exp_of(neg(squared(x)))), sum);
}

/* erfc(x) exp(x^2) for x >= 2.5, by its continued fraction, DLMF 7.9.1. */
static wg_dd erfcx_fraction(wg_dd x)
{
    wg_dd f = x;
    for (int i = 240; i > 0; i--)
        f = add(x, div(num(i / 2.0), f));
    return div(times(two_over_sqrt_pi, 0.5), f);
}

static wg_dd erfc_of(wg_dd x)
{
    if (!isfinite(x.hi))
        return num(erfc(x.hi));
    if (fabs(x.hi) < 2.5)
        return sub(num(1), erf_series(x));
    wg_dd tail = mul(erfcx_fraction(absolute(x)), exp_of(neg(squared(x))));
    return x.hi > 0 ? tail : sub(num(2), tail);
}
static wg_dd erfcx_of(wg_dd x)
{
    return x.hi >= 2.5 && isfinite(x.hi) ? erfcx_fraction(x) : mul(exp_of(squared(x)), erfc_of(x));
}
static const wg_dd sqrt_half = {0x1.6a09e667f3bcdp-1, -0x1.bdd3413b26456p-55};

OPERATION(erf)
{
    UNUSED_BRANCH;
    return fabs(x[0].hi) < 2.5 ? erf_series(x[0]) : sub(num(1), erfc_of(x[0]));
}
OPERATION(erfc) { UNUSED_BRANCH; return erfc_of(x[0]); }
OPERATION(erfcx) { UNUSED_BRANCH; return erfcx_of(x[0]); }
OPERATION(ndtr) { UNUSED_BRANCH; return times(erfc_of(neg(mul(x[0], sqrt_half))), 0.5); }
OPERATION(log_ndtr)
{
    UNUSED_BRANCH;
    wg_dd z = neg(mul(x[0], sqrt_half));
    if (x[0].hi < -3)
        return sub(log_of(times(erfcx_of(z), 0.5)), squared(z));
    return x[0].hi > 1 ? log1p_of(times(erfc_of(neg(z)), -0.5)) : log_of(times(erfc_of(z), 0.5));
}

/* Bernoulli numbers B(2), B(4), ... */
static const double bernoulli[][2] = {{1, 6},      {-1, 30},         {1, 42},      {-1, 30},           {5, 66},
                                      {-691, 2730}, {7, 6},          {-3617, 510}, {43867, 798},       {-174611, 330},
                                      {854513, 138}, {-236364091, 2730}, {8553103, 6}, {-23749461029, 870}};
#define BERNOULLI (int)(sizeof bernoulli / sizeof *bernoulli)
#define FAR 32 /* where the asymptotic series below has 32 digits */

/* log gamma(x), DLMF 5.11.1, and its derivative, 5.11.2, of x > 0: from beyond FAR by gamma(x + 1) = x gamma(x). */
static wg_dd gamma_series(wg_dd x, bool derivative)
{
    wg_dd before = derivative ? num(0) : num(1);
    for (; x.hi < FAR; x = add(x, num(1)))
        before = derivative ? add(before, div(num(1), x)) : mul(before, x);
    wg_dd log_x = log_of(x), power = div(num(1), derivative ? squared(x) : x), down = div(num(1), squared(x));
    wg_dd y = derivative ? sub(log_x, div(num(0.5), x))
                         : add(sub(mul(sub(x, num(0.5)), log_x), x), times(log_of(times(pi, 2)), 0.5));
    for (int i = 0; i < BERNOULLI; i++, power = mul(power, down)) {
        double k = 2.0 * (i + 1);
        wg_dd b = div(num(bernoulli[i][0]), num(bernoulli[i][1] * (derivative ? k : k * (k - 1))));
        y = derivative ? sub(y, mul(b, power)) : add(y, mul(b, power));
    }
    return sub(y, derivative ? before : log_of(before));
}

/* Of x < 0 by reflection, DLMF 5.5.3 and 5.5.4. */
OPERATION(lgamma)
{
    *branch = x[0].hi > 0 ? 1 : (int)fmax(floor(x[0].hi), -1e9);
    if (x[0].hi > 0 || !isfinite(x[0].hi))
        return isfinite(x[0].hi) ? gamma_series(x[0], false) : num((double)INFINITY);
    wg_dd s = absolute(sinpi_of(x[0], 0));
    return s.hi > 0 ? sub(log_of(div(pi, s)), gamma_series(sub(num(1), x[0]), false)) : num((double)INFINITY);
}
OPERATION(digamma)
{
    *branch = x[0].hi > 0 ? 1 : (int)fmax(floor(x[0].hi), -1e9);
    if (x[0].hi > 0 && isfinite(x[0].hi))
        return gamma_series(x[0], true);
    wg_dd cotangent = div(sinpi_of(x[0], 1), sinpi_of(x[0], 0));
    return sub(gamma_series(sub(num(1), x[0]), true), mul(pi, cotangent));
}

/* DLMF 5.15.8 beyond FAR, with n! / x^(n + 1) for each step there. Not for x < 0. */
OPERATION(polygamma_at)
{
    double n = x[1].hi, factorial = 1; /* (n - 1)! */
    wg_dd at = x[0], sum = num(0);
    UNUSED_BRANCH;
    if (n == 0)
        return dd_digamma(x, branch);
    if (!(n > 0 && n <= 12 && x[1].lo == 0 && rint(n) == n && at.hi > 0 && isfinite(at.hi)))
        return num((double)NAN);
    for (int i = 2; i < (int)n; i++)
        factorial *= i;
    const wg_dd power_of[2] = {at, num(n + 1)};
    for (wg_dd term[2] = {power_of[0], power_of[1]}; at.hi < FAR; at = add(at, num(1))) {
        term[0] = at;
        sum = add(sum, div(num(n * factorial), dd_pow(term, branch)));
    }
    const wg_dd last[2] = {at, num(n)};
    wg_dd power = dd_pow(last, branch), down = squared(at), rising = num(n * factorial);
    sum = add(sum, div(num(factorial), power));
    sum = add(sum, div(num(n * factorial / 2), mul(power, at)));
    for (int i = 0; i < BERNOULLI; i++) { /* rising: (2k + n - 1)! / (2k)! for k = i + 1 */
        double k = 2.0 * (i + 1);
        rising = i ? mul(rising, div(num((k + n - 2) * (k + n - 1)), num(k * (k - 1))))
                   : div(mul(rising, num(n + 1)), num(2));
        power = mul(power, down);
        sum = add(sum, div(mul(div(num(bernoulli[i][0]), num(bernoulli[i][1])), rising), power));
    }
    return fmod(n, 2) != 0 ? sum : neg(sum);
}

/* ---- Their inverses ---------------------------------------------------------------------------------------------- */
/* erfc(y) = q by Newton's method from Winitzki's formula (2008), good to 0.2 %. */
static wg_dd erfc_inverse(wg_dd q)
{
    if (!(q.hi > 0 && q.hi < 2))
        return num(q.hi == 0 ? (double)INFINITY : q.hi == 2 ? -(double)INFINITY : (double)NAN);
    if (q.hi > 1)
        return neg(erfc_inverse(sub(num(2), q)));
    double l = log(q.hi) + log(2 - q.hi), t = 4.3307467508 + l / 2; /* 2 / (pi a), a = 0.147 */
    wg_dd y = num(sqrt(sqrt(t * t - l / 0.147) - t));
    for (int i = 0; i < 8; i++) {
        wg_dd off = fabs(y.hi) < 0.5 ? sub(sub(num(1), q), erf_series(y)) : sub(q, erfc_of(y));
        wg_dd slope = mul(two_over_sqrt_pi, exp_of(neg(squared(y))));
        y = fabs(y.hi) < 0.5 ? add(y, div(off, slope)) : sub(y, div(off, slope));
    }
    return y;
}
OPERATION(erfinv)
{
    UNUSED_BRANCH;
    wg_dd y = erfc_inverse(sub(num(1), absolute(x[0])));
    return x[0].hi < 0 ? neg(y) : y;
}
OPERATION(ndtri) { UNUSED_BRANCH; return neg(times(mul(erfc_inverse(times(x[0], 2)), sqrt_half), 2)); }

/* ---- Bessel functions -------------------------------------------------------------------------------------------- */
/* The sum of (s x^2 / 4)^k / (k! (k + n)!), DLMF 10.25.2 (s = 1, where nothing cancels) and 10.2.2 (s = -1). */
static wg_dd bessel_series(wg_dd x, int n, double s)
{
    wg_dd quarter_square = times(squared(x), s / 4), term = num(1), sum = term;
    if (!(fabs(x.hi) < (s < 0 ? 25 : 600)))
        return num((double)NAN);
    for (int k = 1; k < 1000 && fabs(term.hi) > 1e-40 * fabs(sum.hi); k++) {
        term = over(mul(term, quarter_square), (double)k * (k + n));
        sum = add(sum, term);
    }
    return n ? mul(sum, times(x, 0.5)) : sum;
}
OPERATION(i0) { UNUSED_BRANCH; return bessel_series(x[0], 0, 1); }
OPERATION(i1) { UNUSED_BRANCH; return bessel_series(x[0], 1, 1); }
OPERATION(j0) { UNUSED_BRANCH; return bessel_series(x[0], 0, -1); }
OPERATION(j1) { UNUSED_BRANCH; return bessel_series(x[0], 1, -1); }
OPERATION(i0e)
{
    *branch = (x[0].hi > 0) - (x[0].hi < 0);
    return mul(bessel_series(x[0], 0, 1), exp_of(neg(absolute(x[0]))));
}
OPERATION(i1e)
{
    *branch = (x[0].hi > 0) - (x[0].hi < 0);
    return mul(bessel_series(x[0], 1, 1), exp_of(neg(absolute(x[0]))));
}

/* ---- Arithmetic, choices and comparisons ------------------------------------------------------------------------- */
OPERATION(negative) { UNUSED_BRANCH; return neg(x[0]); }
OPERATION(positive) { UNUSED_BRANCH; return x[0]; }
OPERATION(square) { UNUSED_BRANCH; return squared(x[0]); }
OPERATION(reciprocal) { UNUSED_BRANCH; return div(num(1), x[0]); }
OPERATION(add) { UNUSED_BRANCH; return add(x[0], x[1]); }
OPERATION(subtract) { UNUSED_BRANCH; return sub(x[0], x[1]); }
OPERATION(multiply) { UNUSED_BRANCH; return mul(x[0], x[1]); }
OPERATION(divide) { UNUSED_BRANCH; return div(x[0], x[1]); }
OPERATION(strong_multiply) { UNUSED_BRANCH; return x[0].hi == 0 ? num(0) : mul(x[0], x[1]); }
OPERATION(fma) { UNUSED_BRANCH; return add(mul(x[0], x[1]), x[2]); }
OPERATION(lerp) { UNUSED_BRANCH; return add(x[0], mul(x[2], sub(x[1], x[0]))); }
OPERATION(ldexp) { UNUSED_BRANCH; return times(x[0], exp2(x[1].hi)); }
OPERATION(hypot)
{
    *branch = x[0].hi == 0 && x[1].hi == 0;
    double scale = fmax(fabs(x[0].hi), fabs(x[1].hi));
    if (scale == 0 || !isfinite(scale))
        return num(scale);
    scale = exp2(floor(log2(scale)));
    wg_dd a = times(x[0], 1 / scale), b = times(x[1], 1 / scale);
    return times(sqrt_of(add(squared(a), squared(b))), scale);
}
static int sign_of(wg_dd a) { return (a.hi > 0) - (a.hi < 0); }
OPERATION(sign)
{
    *branch = sign_of(x[0]);
    return isnan(x[0].hi) ? x[0] : num(*branch);
}
OPERATION(abs)
{
    *branch = sign_of(x[0]);
    return absolute(x[0]);
}
OPERATION(copysign)
{
    *branch = 3 * sign_of(x[0]) + (signbit(x[1].hi) ? 1 : 0);
    return signbit(x[1].hi) ? neg(absolute(x[0])) : absolute(x[0]);
}
static wg_dd whole(wg_dd x, double (*to)(double), int *branch)
{
    wg_dd y = rounded(x, to);
    *branch = (int)(fmod(y.hi, 1e9) + fmod(y.lo, 1e9));
    return y;
}
OPERATION(floor) { return whole(x[0], floor, branch); }
OPERATION(ceil) { return whole(x[0], ceil, branch); }
OPERATION(trunc) { return whole(x[0], trunc, branch); }
OPERATION(round) { return whole(x[0], rint, branch); }
OPERATION(floor_divide) { return whole(div(x[0], x[1]), floor, branch); }
OPERATION(remainder) { return sub(x[0], mul(whole(div(x[0], x[1]), floor, branch), x[1])); }
OPERATION(fmod) { return sub(x[0], mul(whole(div(x[0], x[1]), trunc, branch), x[1])); }
OPERATION(maximum)
{
    *branch = wg_dd_compare(x[0], x[1]);
    return *branch == 2 ? num((double)NAN) : *branch > 0 ? x[0] : x[1];
}
OPERATION(minimum)
{
    *branch = wg_dd_compare(x[0], x[1]);
    return *branch == 2 ? num((double)NAN) : *branch < 0 ? x[0] : x[1];
}
OPERATION(where) /* its branch is the comparison's */
{
    UNUSED_BRANCH;
    return x[0].hi != 0 ? x[1] : x[2];
}
#define COMPARISON(name, holds)                                                                                        \
    OPERATION(name)                                                                                                    \
    {                                                                                                                  \
        int c = wg_dd_compare(x[0], x[1]);                                                                             \
        *branch = c;                                                                                                   \
        return num(holds);                                                                                             \
    }
COMPARISON(equal, c == 0)
COMPARISON(not_equal, c != 0)
COMPARISON(less, c == -1)
COMPARISON(less_equal, c == -1 || c == 0)
COMPARISON(greater, c == 1)
COMPARISON(greater_equal, c == 1 || c == 0)
OPERATION(logical_and) { UNUSED_BRANCH; return num(x[0].hi != 0 && x[1].hi != 0); }
OPERATION(logical_or) { UNUSED_BRANCH; return num(x[0].hi != 0 || x[1].hi != 0); }
OPERATION(logical_xor) { UNUSED_BRANCH; return num((x[0].hi != 0) != (x[1].hi != 0)); }
OPERATION(logical_not) { UNUSED_BRANCH; return num(x[0].hi == 0); }
OPERATION(isnan) { UNUSED_BRANCH; return num(isnan(x[0].hi)); }
OPERATION(isinf) { UNUSED_BRANCH; return num(isinf(x[0].hi)); }
OPERATION(isfinite) { UNUSED_BRANCH; return num(isfinite(x[0].hi)); }

/* ---- By name ----------------------------------------------------------------------------------------------------- */
#define FUNCTIONS(F)                                                                                                   \
    F(abs)                                                                                                             \
    F(acos) F(acosh) F(add) F(asin) F(asinh) F(atan) F(atan2) F(atanh) F(cbrt) F(ceil) F(copysign) F(cos) F(cosh)      \
        F(cospi) F(digamma) F(divide) F(equal) F(erf) F(erfc) F(erfcx) F(erfinv) F(exp) F(exp2) F(expm1) F(floor)      \
            F(floor_divide) F(fma) F(fmod) F(gaussian) F(greater) F(greater_equal) F(hypot) F(i0) F(i0e) F(i1) F(i1e)  \
                F(isfinite) F(isinf) F(isnan) F(j0) F(j1) F(ldexp) F(lerp) F(less) F(less_equal) F(lgamma) F(log)      \
                    F(log10) F(log1p) F(log2) F(log_ndtr) F(log_sigmoid) F(logaddexp) F(logaddexp2) F(logical_and)     \
                        F(logical_not) F(logical_or) F(logical_xor) F(maximum) F(minimum) F(multiply) F(ndtr) F(ndtri) \
                            F(negative) F(not_equal) F(polygamma_at) F(positive) F(pow) F(reciprocal) F(remainder)     \
                                F(round) F(sigmoid) F(sign) F(sin) F(sinh) F(sinpi) F(sqrt) F(square)                  \
                                    F(strong_multiply) F(subtract) F(tan) F(tanh) F(tanhshrink) F(trunc) F(where)
#define ENTRY(name) {#name, dd_##name},

wg_dd_function *wg_dd_find(const char *name)
{
    static const struct {
        const char *name;
        wg_dd_function *function;
    } functions[] = {FUNCTIONS(ENTRY)};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(functions[i].name, name))
            return functions[i].function;
    return NULL;
}
