/* Numerical derivatives of a function of one number. C. J. F. Ridders, "Accurate computation of F'(x) and F'(x)
 * F''(x)", Advances in Engineering Software 4 (1982) 75. The error of the estimate is the largest change against its
 * two neighbours in the table; a step too large shows as truncation, one too small as rounding, and the best of several
 * starts is taken. */
#include "graph/checking.h"

#include <float.h>

#define TABLE 9
#define SHRINK 1.4
#define STARTS 6

static const double unknown = (double)INFINITY;

/* One table from first step h, until its error is `enough`, relatively; *step is the one its best entry ends at. */
static double extrapolated(wg_scalar_function *f, void *user, double x, double h, double enough, const double *rounding,
                           double *error, double *step)
{
    double row[2][TABLE], best = (double)NAN;
    *error = unknown;
    for (int i = 0; i < TABLE; i++, h /= SHRINK) {
        double *now = row[i % 2], *before = row[(i + 1) % 2];
        volatile double up = x + h, down = x - h; /* the step as it is stored */
        double a = f(up, user), b = f(down, user);
        if (!isfinite(a) || !isfinite(b))
            return best;
        now[0] = (a - b) / (up - down);
        double noise = fmax(DBL_EPSILON * (fabs(a) + fabs(b)), 2 * *rounding) / (up - down);
        double factor = SHRINK * SHRINK;
        for (int j = 1; j <= i; j++, factor *= SHRINK * SHRINK) {
            now[j] = (now[j - 1] * factor - before[j - 1]) / (factor - 1);
            double change = fmax(fabs(now[j] - now[j - 1]), fabs(now[j] - before[j - 1])) + noise;
            if (change <= *error) {
                *error = change;
                *step = h;
                best = now[j];
            }
        }
        if ((i && fabs(now[i] - before[i - 1]) >= 2 * *error) || *error <= enough * fabs(best))
            return best; /* it only gets worse from here, or is good */
    }
    return best;
}

double wg_ridders_rounded(wg_scalar_function *f, void *user, double x, double scale, double enough,
                          const double *rounding, double *error, double *step)
{
    double best = (double)NAN, h = exp2(round(log2(scale > 0 && isfinite(scale) ? scale : 1)));
    *error = unknown;
    *step = h;
    for (int i = 0; i < STARTS && f; i++, h /= 16) {
        double own, own_step = h, value = extrapolated(f, user, x, h, enough, rounding, &own, &own_step);
        if (own < *error) {
            *error = own;
            *step = own_step;
            best = value;
        }
        if (*error <= fmax(enough, 1e-11) * fabs(best))
            break;
    }
    return best;
}

double wg_ridders(wg_scalar_function *f, void *user, double x, double scale, double *error, double *step)
{
    const double rounding = 0; /* that of the values in double precision */
    return wg_ridders_rounded(f, user, x, scale, 0, &rounding, error, step);
}
