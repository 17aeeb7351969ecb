/* llsq: y = 1/2 sum_i (s_i - sum_j x_j t_i^j)^2, the polynomial of coefficients x that is to be the sign on [-1, 1]. */
#include "gradbench.h"

/* t_i = -1 + 2 i / (n - 1) */
static wg_tensor grid(problem *p, int64_t n)
{
    double *t = n > 1 ? room(p, (size_t)n * sizeof *t) : NULL;
    if (n <= 1)
        wg_report(p->tape, "gradbench", WG_ERROR_VALUE, "n is %lld; it takes two points", (long long)n);
    for (int64_t i = 0; t && i < n; i++)
        t[i] = 2 * i == n - 1 ? 0 : -1 + 2 * (double)i / (double)(n - 1);
    return t ? wg_array(p->tape, WG_FLOAT64, WG_SHAPE(n), t) : WG_INVALID;
}

static void llsq(problem *p)
{
    wg_tensor x = variable(p, "x", 1), t = grid(p, whole(p, "n"));
    wg_tensor highest_first = wg_flip(x);
    wg_tensor error = wg_subtract(wg_sign(t), wg_polyval(highest_first, t));
    solved_by(p, wg_multiply(0.5, wg_sum(wg_square(error))));
}

const evaluation llsq_evaluations[] = {{"llsq", "primal", llsq, false}, {"llsq", "gradient", llsq, true}, {0}};
