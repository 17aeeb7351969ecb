/* ode: y' = f(y), f_0 = x_0 and f_i = x_i y_(i-1), from y = 0 at time 0 to time 2, by s steps of the classical Runge-Kutta
 * method. A stage reaches one further element of y, so that after k steps only the first 4 k are not zero: no step computes
 * more, and the derivative of what is never reached is zero. */
#include "gradbench.h"

/* f of the first n elements of y; of n elements. */
static wg_tensor slope(wg_tensor x, wg_tensor y, int64_t n)
{
    wg_tensor one = wg_full(x.tape, WG_FLOAT64, WG_SHAPE(1), 1);
    wg_tensor before = n > 1 ? wg_concat(WG_TENSORS(one, wg_narrow(y, 0, 0, n - 1))) : one;
    return wg_multiply(wg_narrow(x, 0, 0, n), before);
}

static wg_tensor moved(wg_tensor y, double h, wg_tensor k) { return wg_add(y, wg_multiply(h, k)); }

/* y with zeros behind it, n elements in all. */
static wg_tensor padded(wg_tensor y, int64_t n)
{
    int64_t more = n - wg_size(y);
    return more > 0 ? wg_concat(WG_TENSORS(y, wg_full(y.tape, WG_FLOAT64, WG_SHAPE(more), 0))) : y;
}

/* What steps of length h reach of y. */
static wg_tensor reached(wg_tensor x, int64_t steps, double h)
{
    int64_t all = wg_size(x);
    wg_tensor y = wg_full(x.tape, WG_FLOAT64, WG_SHAPE(all < 4 ? all : 4), 0);
    for (int64_t i = 0; i < steps; i++) {
        int64_t n = all < 4 * (i + 1) ? all : 4 * (i + 1);
        y = padded(y, n);
        wg_tensor k1 = slope(x, y, n), k2 = slope(x, moved(y, h / 2, k1), n);
        wg_tensor k3 = slope(x, moved(y, h / 2, k2), n), k4 = slope(x, moved(y, h, k3), n);
        wg_tensor twice = wg_multiply(2, wg_add(k2, k3));
        y = moved(y, h / 6, wg_add(wg_add(k1, k4), twice));
    }
    return y;
}

static void ode(problem *p)
{
    wg_tensor x = variable(p, "x", 1);
    int64_t steps = whole(p, "s"), n = wg_size(x);
    if (steps < 1 || n < 1) {
        wg_report(p->tape, "gradbench", WG_ERROR_VALUE, "%lld steps, %lld equations", (long long)steps, (long long)n);
        return;
    }
    wg_tensor y = reached(x, steps, 2 / (double)steps);
    if (!p->derivative)
        answered_by(p, padded(y, n));
    else
        solved_by(p, wg_size(y) == n ? wg_select(y, 0, n - 1) : wg_scalar(p->tape, 0));
}

const evaluation ode_evaluations[] = {{"ode", "primal", ode, false}, {"ode", "gradient", ode, true}, {0}};
