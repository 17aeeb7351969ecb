/* The continuous adjoint of an ordinary differential equation: with a = dL/dy along the solution of dy/dt = f(t, y, p),
 * da/dt = -a df/dy and dL/dp = the integral of a df/dp, integrated together with y from the last time back to the first
 * (Pontryagin et al. 1962; Chen et al. 2018, algorithm 1). y starts from its recorded value at each of the times.
 * Nothing of the way there is kept, and nothing of the way back. */
#include "graph/odeint.h"

#include "wengert/elementwise.h"
#include "wengert/products.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

/* What was to be integrated. */
typedef struct {
    wg_tape *tape;
    wg_body *f;
    wg_odeint_options o;
    bool lean; /* while the values alone are wanted */
} problem;

static void integrate(const wg_tensor *in, wg_tensor *out, void *user)
{
    const problem *p = user;
    wg_integration s;
    wg_type type = wg_type_of(in[0]);
    if (!wg_integration_begin(&s, p->tape, p->f, p->o.user, &p->o, &type, p->lean))
        return;
    if (!p->lean) {
        out[0] = wg_integrated(&s, in[0], in[1]);
        return;
    }
    wg_tensor first = wg_ode_slope(&s, wg_select(in[1], 0, 0), in[0]); /* recorded: it shows what f uses besides */
    p->tape->no_grad++;
    if (wg_is_tensor(first))
        out[0] = wg_integrated(&s, in[0], in[1]);
    p->tape->no_grad--;
}

/* ---- Back -------------------------------------------------------------------------------------------------------- */
/* State z = (y, a, dL/dp...), as one vector. */
typedef struct {
    const wg_call *c;
    wg_closure f; /* one evaluation, with what it captures: p */
    wg_type y;
    int n; /* of p */
} adjoint;

static wg_tensor as_vector(wg_tensor x) { return wg_reshape(x, WG_SHAPE(-1)); }
static wg_tensor part_of(wg_tensor z, int64_t from, const wg_type *type)
{
    return wg_reshape(wg_narrow(z, 0, from, wg_type_count(type)), wg_type_shape(type));
}

/* f(t, y) on nodes of its own: alias[0] = t, alias[1] = y, then p. */
static wg_tensor evaluated(const adjoint *s, wg_tensor t, wg_tensor y, wg_tensor *alias)
{
    wg_tensor k;
    alias[0] = t;
    alias[1] = y;
    for (int i = 0; i < s->n; i++)
        alias[2 + i] = s->c->in[2 + i];
    if (wg_aliases(alias, 2 + s->n, alias) || wg_closure_again(s->c->tape, "wg_odeint", &s->f, alias, &k))
        return wg_invalid_on(s->c->tape);
    return k;
}

/* dz/dt = (f, -a df/dy, -a df/dp...) */
static void adjoint_body(const wg_tensor *in, wg_tensor *out, void *user)
{
    const adjoint *s = user;
    wg_tape *tape = s->c->tape;
    int no_grad = tape->no_grad, n = s->n + 1;
    wg_tensor *alias = wg_arena(tape, (size_t)(3 * n + 2) * sizeof *alias), *grad = alias + n + 1, *piece = grad + n;
    if (!alias)
        return;
    tape->no_grad = 0;
    wg_tensor a = part_of(in[1], wg_type_count(&s->y), &s->y);
    wg_tensor k = evaluated(s, in[0], part_of(in[1], 0, &s->y), alias);
    bool fine = wg_is_tensor(k) && !wg_vjp(&k, &a, 1, alias + 1, n, grad);
    tape->no_grad = no_grad;
    if (!fine)
        return;
    piece[0] = as_vector(k);
    for (int i = 0; i < n; i++)
        piece[1 + i] = wg_negative(as_vector(grad[i]));
    out[0] = wg_concat(((wg_tensors){piece, n + 1}));
}

static wg_tensor zeros(const wg_call *c, wg_shape shape) { return wg_full(c->tape, c->dtype, shape, 0); }

/* dL/dt at time i: what moves y along the solution; of the first time, a moves against it. */
static wg_tensor by_time(const adjoint *s, int64_t i, wg_tensor a)
{
    const wg_call *c = s->c;
    wg_tensor *alias = wg_arena(c->tape, (size_t)(s->n + 2) * sizeof *alias);
    wg_tensor k =
        alias ? evaluated(s, wg_select(c->in[1], 0, i), wg_select(c->out[0], 0, i), alias) : wg_invalid_on(c->tape);
    return wg_sum(wg_multiply(a, k));
}

/* From the last time to the first: cotangents of y0, of the times and of p. */
static wg_status integrated_back(const adjoint *s, const bool *wanted, wg_tensor *to)
{
    const wg_call *c = s->c;
    const problem *p = ((const wg_closure_options *)c->options)->f.user;
    int64_t n = c->x[1].dim[0], size = wg_type_count(&s->y), all = 2 * size;
    for (int i = 0; i < s->n; i++)
        all += wg_type_count(&c->x[2 + i]);
    wg_type type = wg_type_make(c->dtype, WG_SHAPE(all));
    wg_integration back;
    if (!wg_integration_begin(&back, c->tape, adjoint_body, (void *)(uintptr_t)s, &p->o, &type, true))
        return WG_ERROR_MEMORY;
    wg_tensor a = wg_select(c->g[0], 0, n - 1), rest = zeros(c, WG_SHAPE(all - 2 * size));
    wg_tensor *time = wg_arena(c->tape, (size_t)n * sizeof *time);
    double part = 0.05;
    for (int64_t i = n - 1; i > 0 && time; i--) {
        time[i] = wanted[1] ? by_time(s, i, wg_select(c->g[0], 0, i)) : WG_NONE;
        wg_tensor z = wg_concat(WG_TENSORS(as_vector(wg_select(c->out[0], 0, i)), as_vector(a), rest));
        back.start = wg_select(c->in[1], 0, i);
        back.span = wg_subtract(wg_select(c->in[1], 0, i - 1), back.start);
        z = wg_ode_over_interval(&back, z, &part);
        if (!wg_is_tensor(z))
            return c->tape->status;
        a = part_of(z, size, &s->y);
        if (i == 1 && wanted[1])
            time[0] = wg_negative(by_time(s, 0, a));
        a = wg_add(a, wg_select(c->g[0], 0, i - 1));
        rest = wg_narrow(z, 0, 2 * size, all - 2 * size);
    }
    to[0] = a;
    if (wanted[1])
        to[1] = n > 1 && time ? wg_stack(((wg_tensors){time, (int)n})) : zeros(c, WG_SHAPE(n));
    for (int64_t i = 0, from = 0; i < s->n; from += wg_type_count(&c->x[2 + i]), i++)
        to[2 + i] = part_of(rest, from, &c->x[2 + i]);
    return c->tape->status;
}

static bool is_uniform(const wg_call *c)
{
    for (int i = 0; i < c->n_in; i++)
        if (c->x[i].dtype != c->x[0].dtype)
            return false;
    return c->x[1].dim[0] <= UINT16_MAX;
}

/* To be differentiated again, or of mixed dtypes: through the steps, recorded once more. */
static wg_status adjoint_pull(const wg_call *c, const bool *wanted, wg_tensor *out)
{
    wg_tape *tape = c->tape;
    const wg_closure_options *o = c->options;
    const problem *p = o->f.user;
    if (c->recording || !is_uniform(c))
        return wg_closure_pull(c, wanted, out);
    adjoint s = {.c = c, .f = o->f, .y = c->x[0], .n = c->n_in - 2};
    s.f.f = p->f;
    s.f.user = p->o.user;
    wg_tensor *to = wg_arena(tape, 2 * (size_t)c->n_in * sizeof *to), *result = to + c->n_in;
    if (!to)
        return wg_no_memory(tape, "wg_odeint", (size_t)c->n_in * sizeof *to);
    for (int i = 0; i < c->n_in; i++)
        if (wanted[i] && !wg_is_tensor(result[i] = wg_leaf(tape, &c->x[i], NULL, WG_NODE_CUT, "wg_odeint")))
            return WG_ERROR_MEMORY;
    wg_trial trial = wg_trial_begin(tape);
    tape->no_grad = 1;
    wg_status status = integrated_back(&s, wanted, to);
    for (int i = 0; i < c->n_in && !status; i++)
        if (wanted[i])
            status = (wg_copy_out)(to[i], wg_node_at(tape, result[i].node)->data);
    wg_trial_end(tape, &trial);
    for (int i = 0; i < c->n_in && !status; i++)
        if (wanted[i])
            out[i] = result[i];
    return status;
}

static const wg_op odeint_op = {
    .name = "odeint",
    .doc = "y(t) with dy/dt = f(t, y), y(t[0]) = y0; its gradient solves the adjoint equation",
    .source = "Chen et al. 2018, algorithm 1",
    .in = {{"x", WG_VARIADIC | WG_MIXED | WG_OPTIONAL}},
    .options = &wg_closure_schema,
    .count = wg_closure_count,
    .type = wg_closure_type,
    .run = wg_closure_run,
    .calls_back = true,
    .pull = adjoint_pull,
    .push = wg_closure_push,
    .saves = "x y",
    .hidden = true,
};

wg_tensor wg_ode_adjoint(wg_tape *tape, wg_body *f, wg_tensor y0, wg_tensor t, const wg_odeint_options *o)
{
    problem *p = wg_arena(tape, sizeof *p);
    wg_tensor in[] = {y0, t}, y = wg_invalid_on(tape);
    if (!p)
        return wg_no_memory(tape, "wg_odeint", sizeof *p), y;
    *p = (problem){.tape = tape, .f = f, .o = *o, .lean = true};
    wg_closure closure = {.f = integrate, .user = p, .n_in = 2, .n_out = 1};
    wg_status status = wg_closure_record(tape, "wg_odeint", &odeint_op, &closure, NULL, in, &y);
    p->lean = false; /* from here on it is run to be differentiated */
    return status ? wg_invalid_on(tape) : y;
}
