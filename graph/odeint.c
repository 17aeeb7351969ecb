/* Ordinary differential equations: explicit Runge-Kutta steps, recorded. A step that the error estimate refuses is
 * taken back before the next is tried, so that the tape holds the accepted ones alone; their lengths are fractions of
 * the time between two of the times asked for, numbers that are not differentiated. */
#include "graph/odeint.h"

#include "wengert/elementwise.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

static const wg_ode_steps rk4 = {.stages = 4,
                           .a = {{0}, {0.5}, {0, 0.5}, {0, 0, 1}},
                           .b = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6},
                           .c = {0, 0.5, 0.5, 1}};

/* Hairer, Norsett and Wanner 1993, table II.5.2. */
static const wg_ode_steps dopri5 = {
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

wg_tensor wg_ode_slope(const wg_integration *s, wg_tensor t, wg_tensor y)
{
    wg_tensor in[2] = {t, y}, k;
    if (!wg_is_tensor(t) || !wg_is_tensor(y) || wg_body_call(s->tape, "wg_odeint", s->f, s->user, in, &k, 1))
        return wg_invalid_on(s->tape);
    wg_type type = wg_type_of(k);
    if (wg_type_equal(&type, &s->type))
        return k;
    wg_report(s->tape, "wg_odeint", WG_ERROR_SHAPE, "the function gives another type than that of y");
    return wg_invalid_on(s->tape);
}

/* The sum of weight[i] k[i], or WG_NONE where all are 0. */
static wg_tensor weighted(const wg_integration *s, const double *weight, int n)
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
static wg_tensor stepped(wg_integration *s, wg_tensor y, double done, double part)
{
    wg_tensor h = wg_multiply(s->span, part);
    for (int i = 0; i < s->m->stages; i++) {
        if (!i && s->warm)
            continue;
        wg_tensor t = wg_add(s->start, wg_multiply(s->span, done + s->m->c[i] * part));
        wg_tensor sum = weighted(s, s->m->a[i], i);
        s->k[i] = wg_ode_slope(s, t, wg_is_none(sum) ? y : wg_add(y, wg_multiply(h, sum)));
        if (!wg_is_tensor(s->k[i]))
            return wg_invalid_on(s->tape);
    }
    return wg_add(y, wg_multiply(h, weighted(s, s->m->b, s->m->stages)));
}

/* The root mean square of the error estimate beside what is tolerated; infinity where it is no number. */
static double error_of(const wg_integration *s, wg_tensor y, wg_tensor next, double part)
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

static wg_tensor given_up(wg_integration *s, const char *why)
{
    if (!s->tape->status)
        wg_report(s->tape, "wg_odeint", WG_ERROR_NUMERIC, "%s after %lld steps", why, (long long)s->steps);
    return wg_invalid_on(s->tape);
}

/* Where no derivative is wanted, nothing but the numbers of y is left of what was recorded since `mark`. */
static wg_tensor settled(wg_integration *s, wg_tensor y, wg_mark mark)
{
    if (!s->lean || !wg_is_tensor(y))
        return y;
    if ((wg_copy_out)(y, s->room))
        return wg_invalid_on(s->tape);
    wg_rewind(s->tape, mark);
    s->warm = false;
    y = wg_leaf(s->tape, &s->type, NULL, WG_NODE_CUT, "wg_odeint");
    if (wg_is_tensor(y))
        memcpy(wg_node_at(s->tape, y.node)->data, s->room,
               (size_t)wg_type_count(&s->type) * wg_dtype_size(s->type.dtype));
    return y;
}

static wg_tensor over_interval_fixed(wg_integration *s, wg_tensor y)
{
    int64_t n = s->o->steps;
    wg_mark start = wg_tape_mark(s->tape);
    for (int64_t i = 0; i < n && wg_is_tensor(y); i++, s->steps++)
        y = settled(s, stepped(s, y, (double)i / (double)n, 1 / (double)n), start);
    return y;
}

static wg_tensor over_interval_adapted(wg_integration *s, wg_tensor y, double *part)
{
    double done = 0;
    wg_mark start = wg_tape_mark(s->tape);
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
            y = settled(s, y, start);
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

wg_tensor wg_ode_over_interval(wg_integration *s, wg_tensor y, double *part)
{
    return s->o->method == WG_RK4 ? over_interval_fixed(s, y) : over_interval_adapted(s, y, part);
}

bool wg_integration_begin(wg_integration *s, wg_tape *tape, wg_body *f, void *user, const wg_odeint_options *o,
                          const wg_type *type, bool lean)
{
    *s = (wg_integration){.tape = tape, .f = f, .user = user, .o = o, .m = o->method == WG_RK4 ? &rk4 : &dopri5,
                          .type = *type, .lean = lean};
    size_t bytes = (size_t)wg_type_count(type) * wg_dtype_size(type->dtype);
    s->room = lean ? wg_arena(tape, bytes + 1) : NULL;
    return !lean || s->room || wg_no_memory(tape, "wg_odeint", bytes) == WG_OK;
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

wg_tensor wg_integrated(wg_integration *s, wg_tensor y, wg_tensor t)
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
        y = wg_ode_over_interval(s, y, &part);
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
        return wg_report(tape, "wg_odeint", WG_ERROR_VALUE, "%lld steps, at most %lld", (long long)o->steps,
                         (long long)o->most);
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
    uint32_t held = wg_hold_place(tape);
    wg_type type = wg_type_of(y0);
    if (!f)
        wg_report(tape, "wg_odeint", WG_ERROR_VALUE, "the function is NULL");
    else if (!wg_is_float(type.dtype) || wg_type_of(t).dtype != type.dtype)
        wg_report(tape, "wg_odeint", WG_ERROR_DTYPE, "y0 is %s and t %s, not one float dtype",
                  wg_dtype_name(type.dtype), wg_dtype_name(wg_type_of(t).dtype));
    else if (!options_checked(tape, &options))
        times_checked(tape, t);
    wg_tensor y = wg_invalid_on(tape);
    wg_integration s;
    if (!tape->status && options.continuous)
        y = wg_ode_adjoint(tape, f, y0, t, &options);
    else if (!tape->status && wg_integration_begin(&s, tape, f, options.user, &options, &type, false))
        y = wg_integrated(&s, y0, t);
    if (wg_is_tensor(y) && options.method == WG_DOPRI5)
        wg_decided(tape, "wg_odeint", y.node, y.node, y.node + 1);
    wg_let_go_place(tape, held);
    return y;
}
