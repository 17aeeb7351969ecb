/* Learning-rate schedules: plain functions of the step, so that any other is written beside them in a line. */
#include "wengert/training.h"

static const double pi = 3.14159265358979323846;

double wg_schedule_step(int64_t t, int64_t every, double factor)
{
    return every > 0 && t > 0 ? pow(factor, (double)(t / every)) : 1;
}

double wg_schedule_exponential(int64_t t, double factor) { return t > 0 ? pow(factor, (double)t) : 1; }

/* How far t is behind the warm-up, in [0, 1]. */
static double progress(int64_t t, int64_t steps, int64_t warmup)
{
    if (t >= steps)
        return 1;
    return steps > warmup ? (double)(t - warmup) / (double)(steps - warmup) : 1;
}

double wg_schedule_linear(int64_t t, int64_t steps, int64_t warmup)
{
    if (t < warmup)
        return (double)(t < 0 ? 1 : t + 1) / (double)warmup;
    return 1 - progress(t, steps, warmup);
}

double wg_schedule_cosine(int64_t t, int64_t steps, int64_t warmup)
{
    if (t < warmup)
        return (double)(t < 0 ? 1 : t + 1) / (double)warmup;
    return 0.5 * (1 + cos(pi * progress(t, steps, warmup)));
}
