/* ode: y' = f(y), f_0 = x_0 and f_i = x_i y_(i-1), from y = 0 at time 0 to time 2, by s steps of the classical
 * Runge-Kutta method. A stage reaches one further element of y, so that after k steps only the first 4 k are not zero:
 * no step computes more, and the derivative of what is never reached is zero. */
#include "gradbench.h"

/* h f(y), from h x. */
static wg_tensor slope(wg_tensor hx, wg_tensor y)
{
    wg_tensor one = wg_full(y.tape, WG_FLOAT64, WG_SHAPE(1), 1);
    return wg_multiply(hx, wg_size(y) > 1 ? wg_concat(WG_TENSORS(one, wg_narrow(y, 0, 0, wg_size(y) - 1))) : one);
}

/* y with zeros behind it, n elements in all. */
static wg_tensor padded(wg_tensor y, int64_t n)
{
    int64_t more = n - wg_size(y);
    return more > 0 ? wg_concat(WG_TENSORS(y, wg_full(y.tape, WG_FLOAT64, WG_SHAPE(more), 0))) : y;
}

static wg_tensor first_of(wg_tensor x, int64_t n) { return n < wg_size(x) ? wg_narrow(x, 0, 0, n) : x; }

/* One step: with y2 = y + h/2 k1, y3 = y + h/2 k2, y4 = y + h k3, it is to (y2 + 2 y3 + y4 - y) / 3 + h/6 k4. */
static wg_tensor moved(wg_tensor y, wg_tensor half, wg_tensor whole_step, wg_tensor sixth)
{
    wg_tensor y2 = wg_add(y, slope(half, y)), y3 = wg_add(y, slope(half, y2)), y4 = wg_add(y, slope(whole_step, y3));
    wg_tensor sum = wg_add(wg_add(y2, wg_subtract(y4, y)), wg_add(y3, y3));
    return wg_add(wg_multiply(1. / 3, sum), slope(sixth, y4));
}

/* What steps of length h reach of y. */
static wg_tensor reached(wg_tensor x, int64_t steps, double h)
{
    int64_t all = wg_size(x);
    wg_tensor half = wg_multiply(h / 2, x), step = wg_multiply(h, x), sixth = wg_multiply(h / 6, x);
    wg_tensor y = wg_full(x.tape, WG_FLOAT64, WG_SHAPE(all < 4 ? all : 4), 0);
    for (int64_t i = 0; i < steps; i++) {
        int64_t n = all < 4 * (i + 1) ? all : 4 * (i + 1);
        y = moved(padded(y, n), first_of(half, n), first_of(step, n), first_of(sixth, n));
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
