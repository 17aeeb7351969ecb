/* A function with a derivative of the caller's own, without an entry of its own: one node, whose rules call the
 * caller's. */
#include "graph/closure.h"

#include "wengert/elementwise.h"

static wg_status types_kept(const wg_call *c, const char *what, const wg_tensor *got, const wg_type *want, int n)
{
    for (int i = 0; i < n; i++) {
        if (wg_is_none(got[i]))
            continue;
        wg_type type = wg_type_of(got[i]);
        if (!wg_is_tensor(got[i]) || got[i].tape != c->tape)
            return c->tape->status
                       ? c->tape->status
                       : wg_fail(c, WG_ERROR_VALUE, "%s %d of the function is not a tensor of this tape", what, i);
        if (wg_type_equal(&type, &want[i]))
            continue;
        wg_shape shape[2] = {wg_type_shape(&type), wg_type_shape(&want[i])};
        char text[2][200];
        return wg_fail(c, type.dtype == want[i].dtype ? WG_ERROR_SHAPE : WG_ERROR_DTYPE, "%s %d is %s %s, not %s %s",
                       what, i, wg_dtype_name(type.dtype), wg_shape_text(&shape[0], text[0], sizeof text[0]),
                       wg_dtype_name(want[i].dtype), wg_shape_text(&shape[1], text[1], sizeof text[1]));
    }
    return WG_OK;
}

/* A leaf made on the way from g would be a derivative that looks like a constant. */
static wg_status differentiable(const wg_call *c, const char *what, const wg_tensor *got, uint32_t first, int n)
{
    for (int i = 0; i < n && c->recording; i++)
        if (wg_is_tensor(got[i]) && got[i].node >= first && wg_node_is(wg_node_at(c->tape, got[i].node), WG_NODE_LEAF))
            return wg_fail(c, WG_ERROR_UNSUPPORTED,
                           "%s %d is not made of recorded operations, and cannot be differentiated again", what, i);
    return WG_OK;
}

/* Zeros for those that are absent, WG_NONE for what is no float. */
static wg_status filled(const wg_call *c, const wg_tensor *given, const wg_type *type, int n, wg_tensor *all)
{
    for (int i = 0; i < n; i++) {
        all[i] = given[i];
        if (!wg_is_none(given[i]) || !wg_is_float(type[i].dtype))
            continue;
        all[i] = wg_leaf(c->tape, &type[i], NULL, WG_NODE_CUT, "wg_custom");
        if (!wg_is_tensor(all[i]))
            return WG_ERROR_MEMORY;
    }
    return WG_OK;
}

static const wg_custom_options *rules_of(const wg_call *c) { return ((const wg_closure_options *)c->options)->more; }

static wg_tensor *list_of(const wg_call *c, int n)
{
    wg_tensor *list = wg_arena(c->tape, (size_t)(n ? n : 1) * sizeof *list);
    if (!list)
        wg_no_memory(c->tape, "wg_custom", (size_t)n * sizeof *list);
    for (int i = 0; list && i < n; i++)
        list[i] = WG_NONE;
    return list;
}

static wg_status pull_with(const wg_call *c, const wg_tensor *g, wg_tensor *grad)
{
    const wg_custom_options *rules = rules_of(c);
    if (!rules->vjp)
        return wg_fail(c, WG_ERROR_UNSUPPORTED, "it was given no vjp");
    uint32_t first = c->tape->nodes;
    rules->vjp(c->in, c->out, g, grad, rules->user);
    wg_status status = c->tape->status ? c->tape->status : types_kept(c, "cotangent", grad, c->x, c->n_in);
    return status ? status : differentiable(c, "cotangent", grad, first, c->n_in);
}

static wg_status custom_pull(const wg_call *c, const bool *wanted, wg_tensor *out)
{
    wg_tensor *g = list_of(c, c->n_out), *grad = list_of(c, c->n_in);
    if (!g || !grad)
        return WG_ERROR_MEMORY;
    wg_status status = filled(c, c->g, c->y, c->n_out, g);
    if (!status)
        status = pull_with(c, g, grad);
    for (int i = 0; i < c->n_in && !status; i++)
        if (wanted[i])
            out[i] = grad[i];
    return status;
}

/* vjp(g) = J' g is linear in g, and the vjp of that is J: pulled back from t, at any g. */
static wg_status push_from_vjp(const wg_call *c, const wg_tensor *t, wg_tensor *out)
{
    wg_tensor *g = list_of(c, c->n_out), *grad = list_of(c, c->n_in), *y = list_of(c, c->n_in),
              *v = list_of(c, c->n_in);
    if (!g || !grad || !y || !v)
        return WG_ERROR_MEMORY;
    for (int k = 0; k < c->n_out; k++)
        if (wg_is_float(c->y[k].dtype) &&
            !wg_is_tensor(g[k] = (wg_full)(c->tape, c->y[k].dtype, wg_type_shape(&c->y[k]), 1)))
            return WG_ERROR_MEMORY;
    int no_grad = c->tape->no_grad, n = 0;
    wg_call again = *c;
    again.recording = true;
    c->tape->no_grad = 0;
    wg_status status = pull_with(&again, g, grad);
    c->tape->no_grad = no_grad;
    for (int i = 0; i < c->n_in; i++)
        if (wg_is_tensor(grad[i]) && wg_is_tensor(t[i])) {
            y[n] = grad[i];
            v[n++] = t[i];
        }
    if (!status && n)
        status = (wg_vjp)(y, v, n, g, c->n_out, out, (wg_vjp_options){.create_graph = c->recording});
    return status;
}

static wg_status custom_push(const wg_call *c, wg_tensor *out)
{
    const wg_custom_options *rules = rules_of(c);
    if (!rules->jvp && !rules->vjp)
        return wg_fail(c, WG_ERROR_UNSUPPORTED, "it was given neither a jvp nor a vjp");
    wg_tensor *t = list_of(c, c->n_in);
    wg_status status = t ? filled(c, c->t, c->x, c->n_in, t) : WG_ERROR_MEMORY;
    if (status || !rules->jvp)
        return status ? status : push_from_vjp(c, t, out);
    uint32_t first = c->tape->nodes;
    rules->jvp(c->in, c->out, t, out, rules->user);
    status = c->tape->status ? c->tape->status : types_kept(c, "tangent", out, c->y, c->n_out);
    return status ? status : differentiable(c, "tangent", out, first, c->n_out);
}

static const wg_op custom_op = {
    .name = "custom",
    .doc = "y = f(x), with the derivative that was given",
    .in = {{"x", WG_VARIADIC | WG_MIXED}},
    .options = &wg_closure_schema,
    .count = wg_closure_count,
    .type = wg_closure_type,
    .run = wg_closure_run,
    .calls_back = true,
    .pull = custom_pull,
    .push = custom_push,
    .saves = "x y",
    .hidden = true,
};

wg_status (wg_custom)(wg_body *forward, wg_tensors x, wg_tensor *out, int n_out, wg_custom_options options)
{
    wg_tape *tape = wg_inputs_tape("wg_custom", x, out, n_out);
    if (!tape)
        return WG_ERROR_VALUE;
    if (!forward)
        return wg_report(tape, "wg_custom", WG_ERROR_VALUE, "the function is NULL");
    wg_custom_options *rules = wg_arena(tape, sizeof *rules);
    if (!rules)
        return wg_no_memory(tape, "wg_custom", sizeof *rules);
    *rules = options;
    wg_closure f = {.f = forward, .user = options.user, .n_in = x.n, .n_out = n_out, .refuses = true};
    uint32_t held = wg_hold_place(tape);
    wg_status status = wg_closure_record(tape, "wg_custom", &custom_op, &f, rules, x.at, out);
    wg_let_go_place(tape, held);
    return status;
}
