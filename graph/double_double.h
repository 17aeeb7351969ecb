/* Numbers of about 32 digits: the unevaluated sum of two doubles, of which the second is at most half an ulp of the
 * first. T. J. Dekker, "A floating-point technique for extending the available precision", Numer. Math. 18 (1971) 224;
 * the algorithms are those of Y. Hida, X. S. Li and D. H. Bailey, "Library for double-double and quad-double
 * arithmetic" (2007). Private to graph/. */
#ifndef GRAPH_DOUBLE_DOUBLE_H
#define GRAPH_DOUBLE_DOUBLE_H

#include <math.h>
#include <stdbool.h>

typedef struct {
    double hi, lo;
} wg_dd;

#define WG_DD_EPS 0x1p-104 /* relative error of an operation, and some more */

static inline wg_dd wg_dd_of(double x)
{
    wg_dd y = {x, 0};
    return y;
}

/* a + b, exactly; what is not finite has no second part. */
static inline wg_dd wg_dd_two_sum(double a, double b)
{
    double s = a + b, v = s - a;
    wg_dd y = {s, isfinite(s) ? (a - (s - v)) + (b - v) : 0};
    return y;
}

/* a b, exactly. */
static inline wg_dd wg_dd_two_product(double a, double b)
{
    double p = a * b;
    wg_dd y = {p, isfinite(p) ? fma(a, b, -p) : 0};
    return y;
}

static inline wg_dd wg_dd_negative(wg_dd a)
{
    wg_dd y = {-a.hi, -a.lo};
    return y;
}

static inline wg_dd wg_dd_add(wg_dd a, wg_dd b)
{
    wg_dd s = wg_dd_two_sum(a.hi, b.hi), t = wg_dd_two_sum(a.lo, b.lo);
    s = wg_dd_two_sum(s.hi, s.lo + t.hi);
    return wg_dd_two_sum(s.hi, s.lo + t.lo);
}

static inline wg_dd wg_dd_subtract(wg_dd a, wg_dd b) { return wg_dd_add(a, wg_dd_negative(b)); }

static inline wg_dd wg_dd_multiply(wg_dd a, wg_dd b)
{
    wg_dd p = wg_dd_two_product(a.hi, b.hi);
    return isfinite(p.hi) ? wg_dd_two_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi)) : p;
}

/* Long division, three digits of it. */
static inline wg_dd wg_dd_divide(wg_dd a, wg_dd b)
{
    double q1 = a.hi / b.hi;
    if (!isfinite(q1) || isinf(b.hi))
        return wg_dd_of(q1);
    wg_dd r = wg_dd_subtract(a, wg_dd_multiply(wg_dd_of(q1), b));
    double q2 = r.hi / b.hi;
    r = wg_dd_subtract(r, wg_dd_multiply(wg_dd_of(q2), b));
    return wg_dd_add(wg_dd_two_sum(q1, q2), wg_dd_of(r.hi / b.hi));
}

static inline int wg_dd_compare(wg_dd a, wg_dd b) /* -1, 0, 1; 2 where one is a NaN */
{
    if (isnan(a.hi) || isnan(b.hi))
        return 2;
    return a.hi != b.hi ? (a.hi > b.hi) - (a.hi < b.hi) : (a.lo > b.lo) - (a.lo < b.lo);
}

/* The elementwise operation of that name, where it has a form here: of n = 1, 2 or 3 operands. Where it has branches,
 * *branch receives a number that tells which was taken. */
typedef wg_dd wg_dd_function(const wg_dd *x, int *branch);
/* NULL: it has none. */
wg_dd_function *wg_dd_find(const char *name);

#endif
