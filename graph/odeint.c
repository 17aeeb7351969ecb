/* Ordinary differential equations: explicit Runge-Kutta steps, recorded. A step that the error estimate refuses is taken back
 * before the next is tried, so that the tape holds the accepted ones alone; their lengths are fractions of the time between
 * two of the times asked for, numbers that are not differentiated. */
#include "graph/closure.h"

#include "wengert/elementwise.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

#define MOST_STAGES 7

/* A Runge-Kutta method: stage i at time c[i], of the stages before by a[i]; y by b; the error by d = b - b^. The last stage of
 * one that is `first_same_as_last` is the first of the next step. */
typedef struct {
    int stages;
    bool first_same_as_last;
    double a[MOST_STAGES][MOST_STAGES - 1], b[MOST_STAGES], c[MOST_STAGES], d[MOST_STAGES];
} method;

static const method rk4 = {.stages = 4,
                           .a = {{0}, {0.5}, {0, 0.5}, {0, 0, 1}},
                           .b = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6},
                           .c = {0, 0.5, 0.5, 1}};

/* Hairer, Norsett and Wanner 1993, table II.5.2. */
static const method dopri5 = {
    .stages = 7,
    .first_same_as_last = true,
    .a = {{0},
          {1.0 / 5},
          {3.0 / 40, 9.0 / 40},
          {44.0 / 45, -56.0 / 15, 32.0 / 9},
          {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
          {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
          {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}},
    .b = {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84, 0},
    .c = {0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1, 1},
    .d = {71.0 / 57600, 0, -71.0 / 16695, 71.0 / 1920, -17253.0 / 339200, 22.0 / 525, -1.0 / 40}};

typedef struct {
    wg_tape *tape;
    wg_body *f;
    const wg_odeint_options *o;
    const method *m;
    wg_type type;
    wg_tensor start, span;    /* of the interval at hand, 0-d */
    wg_tensor k[MOST_STAGES]; /* the stages of the last step */
    bool warm;                /* k[0] is that of the step to come */
    int64_t steps;            /* tried */
} integration;

static wg_tensor slope(const integration *s, wg_tensor t, wg_tensor y)
{
    wg_tensor in[2] = {t, y}, k;
    if (!wg_is_tensor(t) || !wg_is_tensor(y) || wg_body_call(s->tape, "wg_odeint", s->f, s->o->user, in, &k, 1))
        return wg_invalid_on(s->tape);
    wg_type type = wg_type_of(k);
    if (wg_type_equal(&type, &s->type))
        return k;
    wg_report(s->tape, "wg_odeint", WG_ERROR_SHAPE, "the function gives another type than that of y");
    return wg_invalid_on(s->tape);
}

/* The sum of weight[i] k[i], or WG_NONE where all are 0. */
static wg_tensor weighted(const integration *s, const double *weight, int n)
{
    wg_tensor sum = WG_NONE;
    for (int i = 0; i < n; i++) {
        if (weight[i] == 0)
            continue;
        wg_tensor term = wg_multiply(s->k[i], weight[i]);
        sum = wg_is_none(sum) ? term : wg_add(sum, term);
    }
    return sum;
}

/* y after a step from `done` over `part` of the interval. */
static wg_tensor stepped(integration *s, wg_tensor y, double done, double part)
{
    wg_tensor h = wg_multiply(s->span, part);
    for (int i = 0; i < s->m->stages; i++) {
        if (!i && s->warm)
            continue;
        wg_tensor t = wg_add(s->start, wg_multiply(s->span, done + s->m->c[i] * part));
        wg_tensor sum = weighted(s, s->m->a[i], i);
        s->k[i] = slope(s, t, wg_is_none(sum) ? y : wg_add(y, wg_multiply(h, sum)));
        if (!wg_is_tensor(s->k[i]))
            return wg_invalid_on(s->tape);
    }
    return wg_add(y, wg_multiply(h, weighted(s, s->m->b, s->m->stages)));
}

/* The root mean square of the error estimate beside what is tolerated; infinity where it is no number. */
static double error_of(const integration *s, wg_tensor y, wg_tensor next, double part)
{
    wg_aside aside = wg_aside_begin(s->tape);
    double error = 0;
    WG_NO_GRAD(s->tape)
    {
        wg_tensor e = wg_multiply(wg_multiply(s->span, part), weighted(s, s->m->d, s->m->stages));
        wg_tensor scale = wg_add(wg_multiply(wg_maximum(wg_abs(y), wg_abs(next)), s->o->rtol), s->o->atol);
        if (wg_size(e))
            error = wg_item(wg_sqrt(wg_mean(wg_square(wg_divide(e, scale)))));
    }
    wg_aside_end(s->tape, aside);
    return isfinite(error) ? error : (double)INFINITY;
}

static wg_tensor given_up(integration *s, const char *why)
{
    if (!s->tape->status)
        wg_report(s->tape, "wg_odeint", WG_ERROR_NUMERIC, "%s after %lld steps", why, (long long)s->steps);
    return wg_invalid_on(s->tape);
}

static wg_tensor over_interval_fixed(integration *s, wg_tensor y)
{
    int64_t n = s->o->steps;
    for (int64_t i = 0; i < n && wg_is_tensor(y); i++, s->steps++)
        y = stepped(s, y, (double)i / (double)n, 1 / (double)n);
    return y;
}

static wg_tensor over_interval(integration *s, wg_tensor y, double *part)
{
    double done = 0;
    s->warm = false;
    while (done < 1) {
        bool last = done + *part * (1 + 1e-9) >= 1;
        double step = last ? 1 - done : *part;
        wg_mark before = wg_tape_mark(s->tape);
        wg_tensor first = s->k[0];
        bool warm = s->warm;
        if (s->steps++ >= s->o->most)
            return given_up(s, "not at the end");
        wg_tensor next = stepped(s, y, done, step);
        if (!wg_is_tensor(next))
            return next;
        double error = error_of(s, y, next, step);
        double factor = error > 0 ? 0.9 * pow(error, -0.2) : 5;
        factor = factor < 0.2 ? 0.2 : factor > 5 ? 5 : factor;
        if (error <= 1) {
            y = next;
            done = last ? 1 : done + step;
            s->k[0] = s->k[s->m->stages - 1];
            s->warm = true;
        } else {
            wg_rewind(s->tape, before);
            s->k[0] = first;
            s->warm = warm;
            if (step * 0.2 < 1e-13)
                return given_up(s, "no step is short enough");
        }
        if (!last || error > 1)
            *part = step * factor;
    }
    return y;
}

/* Are the times strictly monotonic numbers? */
static wg_status times_checked(wg_tape *tape, wg_tensor t)
{
    wg_type type = wg_type_of(t);
    if (type.rank != 1 || !type.dim[0])
        return wg_report(tape, "wg_odeint", WG_ERROR_SHAPE, "the times are not a 1-D array of one or more");
    double direction = type.dim[0] > 1 ? wg_element(t, 1) - wg_element(t, 0) : 1;
    for (int64_t i = 0; i < type.dim[0]; i++)
        if (!isfinite(wg_element(t, i)) || (i && !((wg_element(t, i) - wg_element(t, i - 1)) * direction > 0)))
            return wg_report(tape, "wg_odeint", WG_ERROR_VALUE, "time %lld is %g: they neither increase nor decrease",
                             (long long)i, wg_element(t, i));
    return WG_OK;
}

static wg_tensor integrated(integration *s, wg_tensor y, wg_tensor t)
{
    int64_t n = wg_size(t);
    double part = 0.05;
    wg_tensor *rows = n <= UINT16_MAX ? wg_arena(s->tape, (size_t)n * sizeof *rows) : NULL;
    if (!rows) {
        wg_report(s->tape, "wg_odeint", WG_ERROR_MEMORY, "no memory for %lld times", (long long)n);
        return wg_invalid_on(s->tape);
    }
    rows[0] = y;
    for (int64_t i = 1; i < n; i++) {
        s->start = wg_select(t, 0, i - 1);
        s->span = wg_subtract(wg_select(t, 0, i), s->start);
        y = s->o->method == WG_RK4 ? over_interval_fixed(s, y) : over_interval(s, y, &part);
        if (!wg_is_tensor(y))
            return wg_invalid_on(s->tape);
        rows[i] = y;
    }
    return wg_stack(((wg_tensors){rows, (int)n}));
}

static wg_status options_checked(wg_tape *tape, const wg_odeint_options *o)
{
    if (!(o->rtol >= 0 && o->atol >= 0 && o->rtol + o->atol > 0))
        return wg_report(tape, "wg_odeint", WG_ERROR_VALUE, "the tolerances are %g and %g", o->rtol, o->atol);
    if (o->steps < 1 || o->most < 1)
        return wg_report(tape, "wg_odeint", WG_ERROR_VALUE, "%lld steps, at most %lld", (long long)o->steps, (long long)o->most);
    if (o->method != WG_DOPRI5 && o->method != WG_RK4)
        return wg_report(tape, "wg_odeint", WG_ERROR_VALUE, "method %d", (int)o->method);
    return WG_OK;
}

wg_tensor (wg_odeint)(wg_body *f, wg_tensor y0, wg_tensor t, wg_odeint_options options)
{
    const wg_tensor inputs[] = {y0, t};
    wg_tape *tape = wg_inputs_tape("wg_odeint", (wg_tensors){inputs, 2}, NULL, 0);
    if (!tape)
        return y0.tape ? wg_invalid_on(y0.tape) : WG_INVALID;
    integration s = {.tape = tape, .f = f, .o = &options, .m = options.method == WG_RK4 ? &rk4 : &dopri5,
                     .type = wg_type_of(y0)};
    uint32_t held = wg_hold_place(tape);
    if (!f)
        wg_report(tape, "wg_odeint", WG_ERROR_VALUE, "the function is NULL");
    else if (!wg_is_float(s.type.dtype) || wg_type_of(t).dtype != s.type.dtype)
        wg_report(tape, "wg_odeint", WG_ERROR_DTYPE, "y0 is %s and t %s, not one float dtype", wg_dtype_name(s.type.dtype),
                  wg_dtype_name(wg_type_of(t).dtype));
    else if (!options_checked(tape, &options))
        times_checked(tape, t);
    wg_tensor y = tape->status ? wg_invalid_on(tape) : integrated(&s, y0, t);
    wg_let_go_place(tape, held);
    return y;
}
