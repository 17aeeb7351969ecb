/* The public derivatives: each is a pullback of wg_pull_plain or wg_pull_recorded with its own cotangents and its own
 * place for the results. */
#include "graph/drawing.h"
#include "graph/traverse.h"

#include "wengert/elementwise.h"
#include "wengert/reductions.h"

/* The sizes of a call are known at run time: small arrays of it are taken from the arena. */
static void *taken(wg_tape *tape, const char *name, size_t n, size_t size)
{
    void *memory = wg_arena(tape, (n ? n : 1) * size);
    if (!memory)
        wg_no_memory(tape, name, n * size);
    return memory;
}

static wg_tensor ones_like(wg_tape *tape, const wg_type *type)
{
    wg_tensor t = (wg_full)(tape, type->dtype, wg_type_shape(type), 1);
    if (wg_is_tensor(t))
        wg_node_at(tape, t.node)->flags |= WG_NODE_CUT;
    return t;
}

static const char *name_of(const wg_node *node)
{
    return node->extra && node->extra->name ? node->extra->name : node->op->name;
}

/* ---- Backward into the parameters -------------------------------------------------------------------------------- */
/* Where a parameter's gradient is summed: its own leaf, if it holds nothing yet, else a fresh one to be added at the
 * end. */
static wg_tensor gradient_place(wg_tape *tape, const wg_node *param)
{
    if (!param->extra->has_grad)
        return wg_node_tensor(tape, param->extra->grad);
    wg_type type = wg_node_type(param);
    return wg_leaf(tape, &type, NULL, WG_NODE_CUT, "wg_backward");
}

static bool is_trained(const wg_node *node)
{
    return wg_node_is(node, WG_NODE_PARAM) && !wg_node_is(node, WG_NODE_FROZEN);
}

static int count_params(const wg_tape *tape, uint32_t last)
{
    int n = 0;
    for (uint32_t i = 0; i <= last; i++)
        n += is_trained(wg_node_at(tape, i));
    return n;
}

static wg_status gradients_added(wg_tape *tape, const wg_pullback *p)
{
    for (int i = 0; i < p->n_xs; i++) {
        wg_node *param = wg_node_at(tape, p->xs[i].node), *grad = wg_node_at(tape, param->extra->grad);
        if (!p->reached[i])
            continue;
        if (p->result[i].node != param->extra->grad) {
            tape->no_grad++;
            wg_tensor sum = wg_add(wg_node_tensor(tape, param->extra->grad), p->result[i]);
            tape->no_grad--;
            if (!wg_is_tensor(sum))
                return WG_ERROR_MEMORY;
            memcpy(grad->data, wg_node_at(tape, sum.node)->data,
                   (size_t)wg_node_count(grad) * wg_dtype_size((wg_dtype)grad->dtype));
        }
        param->extra->has_grad = true;
        wg_touch(tape, grad);
    }
    return WG_OK;
}

static void wipe(const wg_node *node)
{
    memset(node->data, 0, (size_t)wg_node_count(node) * wg_dtype_size((wg_dtype)node->dtype));
}

/* What a failed traversal left in gradients that held nothing is wiped. */
static void gradients_wiped(wg_tape *tape, const wg_pullback *p)
{
    for (int i = 0; i < p->n_xs; i++) {
        const wg_node *param = wg_node_at(tape, p->xs[i].node), *grad = wg_node_at(tape, param->extra->grad);
        if (!param->extra->has_grad)
            wipe(grad);
    }
}

static wg_status backward(wg_tensor loss, const wg_type *type)
{
    wg_tape *tape = loss.tape;
    size_t n = (size_t)count_params(tape, loss.node);
    wg_tensor *xs = taken(tape, "wg_backward", 2 * n, sizeof *xs);
    bool *reached = xs ? taken(tape, "wg_backward", n, sizeof *reached) : NULL;
    wg_tensor one = reached ? ones_like(tape, type) : WG_INVALID;
    if (!wg_is_tensor(one))
        return WG_ERROR_MEMORY;
    wg_pullback p = {.ys = &loss, .cotangents = &one, .n_ys = 1, .xs = xs, .result = xs + n, .reached = reached};
    for (uint32_t i = 0; i <= loss.node && p.n_xs < (int)n; i++) {
        const wg_node *node = wg_node_at(tape, i);
        if (!is_trained(node))
            continue;
        xs[p.n_xs] = wg_node_tensor(tape, i);
        p.result[p.n_xs] = gradient_place(tape, node);
        if (!wg_is_tensor(p.result[p.n_xs++]))
            return WG_ERROR_MEMORY;
    }
    wg_status status = wg_pull_plain(tape, "wg_backward", &p);
    if (!status)
        status = gradients_added(tape, &p);
    if (status)
        gradients_wiped(tape, &p);
    return status;
}

static wg_status one_float(const char *name, wg_tensor y, const wg_node *node)
{
    wg_type type = wg_node_type(node);
    wg_shape shape = wg_type_shape(&type);
    char text[200];
    if (!wg_is_float(type.dtype))
        return wg_report(y.tape, name, WG_ERROR_DTYPE, "%s is %s: it has no derivative", name_of(node),
                         wg_dtype_name(type.dtype));
    if (wg_node_count(node) != 1)
        return wg_report(y.tape, name, WG_ERROR_SHAPE, "%s has the shape %s; only a single number has a gradient",
                         name_of(node), wg_shape_text(&shape, text, sizeof text));
    return WG_OK;
}

wg_status (wg_backward)(wg_tensor loss)
{
    const wg_node *node = wg_node_of(loss, "wg_backward");
    if (!node)
        return loss.tape && loss.tape->status ? loss.tape->status : WG_ERROR_VALUE;
    wg_status status = one_float("wg_backward", loss, node);
    if (status)
        return status;
    wg_type type = wg_node_type(node);
    wg_short_mark before = wg_short_at(loss.tape);
    uint32_t held = wg_hold_place(loss.tape);
    status = backward(loss, &type);
    wg_let_go_place(loss.tape, held);
    wg_short_back(loss.tape, before);
    if (!status)
        wg_draw_first(loss);
    return status;
}

/* ---- Vector-Jacobian products ------------------------------------------------------------------------------------ */
static wg_status cotangents_fit(wg_tape *tape, const char *name, const wg_tensor *ys, const wg_tensor *gs, int n)
{
    for (int k = 0; k < n; k++) {
        if (!wg_node_of(ys[k], name) || ys[k].tape != tape)
            return tape->status ? tape->status
                                : wg_report(tape, name, WG_ERROR_VALUE, "output %d is not a tensor of this tape", k);
        if (wg_is_none(gs[k]))
            continue;
        const wg_node *g = wg_node_of(gs[k], name);
        if (!g || gs[k].tape != tape)
            return tape->status ? tape->status
                                : wg_report(tape, name, WG_ERROR_VALUE, "cotangent %d is not a tensor of this tape", k);
        wg_type y = wg_type_of(ys[k]), type = wg_node_type(g);
        if (!wg_is_float(y.dtype))
            return wg_report(tape, name, WG_ERROR_DTYPE, "output %d is %s: it has no derivative", k,
                             wg_dtype_name(y.dtype));
        if (!wg_type_equal(&y, &type))
            return wg_report(tape, name, y.dtype == type.dtype ? WG_ERROR_SHAPE : WG_ERROR_DTYPE,
                             "cotangent %d is not of its output's dtype and shape", k);
    }
    return WG_OK;
}

static wg_status unused_input(wg_tape *tape, const char *name, wg_tensor x, int i)
{
    const wg_node *node = wg_node_at(tape, x.node);
    return wg_report(tape, name, WG_ERROR_VALUE, "the output does not depend on input %d (%s)", i, name_of(node));
}

/* Where a derivative by x is summed. What is in an array of it is not read. */
static wg_tensor result_place(wg_tape *tape, const wg_node *x, const char *name)
{
    if (!x->rank)
        return wg_leaf_0d(tape, (wg_dtype)x->dtype, WG_NODE_CUT, name);
    wg_type type = wg_node_type(x);
    void *data = wg_arena_values(tape, wg_node_bytes(x));
    if (!data) {
        wg_no_memory(tape, name, wg_node_bytes(x));
        return wg_invalid_on(tape);
    }
    return wg_leaf(tape, &type, data, WG_NODE_CUT, name);
}

/* Fills `out` for the float inputs listed in p; the others stay WG_NONE. at[j] is p's input j's place in out. */
static wg_status pulled(wg_tape *tape, const char *name, wg_pullback *p, const int *at, wg_vjp_options options,
                        wg_tensor *out)
{
    bool again = options.create_graph && !tape->no_grad, record = again || options.record;
    p->last = !again;
    if (!record)
        for (int j = 0; j < p->n_xs; j++) {
            p->result[j] = result_place(tape, wg_node_at(tape, p->xs[j].node), name);
            if (!wg_is_tensor(p->result[j]))
                return WG_ERROR_MEMORY;
        }
    wg_status status = record ? wg_pull_recorded(tape, name, p) : wg_pull_plain(tape, name, p);
    bool any = p->n_xs == 0;
    for (int j = 0; j < p->n_xs; j++)
        any |= p->reached[j];
    if (!status && !any)
        status = wg_stretch_recorded(tape, name, p->ys, p->n_ys);
    for (int j = 0; j < p->n_xs && !status; j++) {
        if (!p->reached[j] && options.unused == WG_UNUSED_ERROR)
            return unused_input(tape, name, p->xs[j], at[j]);
        if (!p->reached[j] && record) {
            wg_type type = wg_type_of(p->xs[j]);
            p->result[j] = wg_leaf(tape, &type, NULL, WG_NODE_CUT, name);
        } else if (!p->reached[j]) {
            wipe(wg_node_at(tape, p->result[j].node));
        }
        out[at[j]] = p->result[j];
        status = wg_is_tensor(out[at[j]]) ? WG_OK : WG_ERROR_MEMORY;
        if (!status && !record)
            wg_node_at(tape, out[at[j]].node)->unrecorded = true;
    }
    return status;
}

static wg_status vjp(wg_tape *tape, const char *name, const wg_tensor *ys, const wg_tensor *gs, int n_ys,
                     const wg_tensor *xs, int n, wg_vjp_options options, wg_tensor *out)
{
    wg_status status = cotangents_fit(tape, name, ys, gs, n_ys);
    if (status)
        return status;
    size_t room = n > 0 ? (size_t)n : 0;
    wg_tensor *list = taken(tape, name, 2 * room, sizeof *list);
    bool *reached = list ? taken(tape, name, room, sizeof *reached) : NULL;
    int *at = reached ? taken(tape, name, room, sizeof *at) : NULL;
    if (!at)
        return WG_ERROR_MEMORY;
    wg_pullback p = {.ys = ys, .cotangents = gs, .n_ys = n_ys, .xs = list, .result = list + room, .reached = reached};
    for (int i = 0; i < n; i++) {
        if (wg_is_none(xs[i]))
            continue;
        const wg_node *node = wg_node_of(xs[i], name);
        if (!node || xs[i].tape != tape)
            return tape->status ? tape->status
                                : wg_report(tape, name, WG_ERROR_VALUE, "input %d is not a tensor of this tape", i);
        if (!wg_is_float((wg_dtype)node->dtype))
            continue;
        at[p.n_xs] = i;
        list[p.n_xs++] = xs[i];
    }
    return pulled(tape, name, &p, at, options, out);
}

static void all_none(wg_tensor *out, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = WG_NONE;
}

wg_status (wg_vjp)(const wg_tensor *ys, const wg_tensor *cotangents, int n_ys, const wg_tensor *xs, int n,
                  wg_tensor *out, wg_vjp_options options)
{
    all_none(out, n);
    wg_tape *tape = NULL;
    for (int k = 0; k < n_ys && !tape; k++)
        tape = ys[k].tape;
    if (!tape)
        return WG_ERROR_VALUE;
    uint32_t held = wg_hold_place(tape);
    wg_status status = vjp(tape, "wg_vjp", ys, cotangents, n_ys, xs, n, options, out);
    wg_let_go_place(tape, held);
    return status;
}

static wg_status grad(wg_tensor y, const wg_node *node, const wg_tensor *xs, int n, wg_tensor *out,
                      wg_grad_options options)
{
    wg_tape *tape = y.tape;
    wg_type type = wg_node_type(node);
    wg_tensor g = options.cotangent;
    if (wg_is_none(g)) {
        wg_status status = one_float("wg_grad", y, node);
        if (status)
            return status;
        g = ones_like(tape, &type);
        if (!wg_is_tensor(g))
            return WG_ERROR_MEMORY;
    }
    for (int i = 0; i < n; i++) {
        const wg_node *x = wg_is_tensor(xs[i]) ? wg_node_of(xs[i], "wg_grad") : NULL;
        if (x && !wg_is_float((wg_dtype)x->dtype))
            return wg_report(tape, "wg_grad", WG_ERROR_DTYPE, "input %d is %s: it has no gradient", i,
                             wg_dtype_name((wg_dtype)x->dtype));
    }
    wg_vjp_options how = {options.create_graph, options.record, options.unused};
    return vjp(tape, "wg_grad", &y, &g, 1, xs, n, how, out);
}

static void all_invalid(wg_tape *tape, wg_tensor *out, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = tape ? wg_invalid_on(tape) : WG_INVALID;
}

wg_status (wg_grad)(wg_tensor y, const wg_tensor *xs, int n, wg_tensor *out, wg_grad_options options)
{
    wg_tape *tape = y.tape;
    all_invalid(tape, out, n);
    const wg_node *node = wg_node_of(y, "wg_grad");
    if (!node)
        return tape && tape->status ? tape->status : WG_ERROR_VALUE;
    uint32_t held = wg_hold_place(tape);
    wg_status status = grad(y, node, xs, n, out, options);
    wg_let_go_place(tape, held);
    return status;
}

/* ---- Hessian-vector products ------------------------------------------------------------------------------------- */
/* The gradient's inner product with v, whose gradient in turn is the product. */
static wg_status hvp_reverse(const wg_tensor *grad, const wg_tensor *xs, const wg_tensor *vs, int n, wg_tensor *out)
{
    wg_tensor sum = WG_NONE;
    for (int i = 0; i < n; i++) {
        if (wg_is_none(vs[i]))
            continue;
        wg_tensor part = wg_sum(wg_multiply(grad[i], vs[i]));
        sum = wg_is_none(sum) ? part : wg_add(sum, part);
    }
    if (!wg_is_none(sum))
        return (wg_grad)(sum, xs, n, out, (wg_grad_options){.create_graph = true});
    for (int i = 0; i < n; i++) {
        wg_type type = wg_type_of(xs[i]);
        out[i] = wg_leaf(xs[i].tape, &type, NULL, WG_NODE_CUT, "wg_hvp");
    }
    return WG_OK;
}

static wg_status hvp(wg_tensor y, const wg_tensor *xs, const wg_tensor *vs, int n, wg_tensor *out, bool reverse)
{
    wg_tape *tape = y.tape;
    for (int i = 0; i < n; i++) {
        wg_type x = wg_type_of(xs[i]), v = wg_type_of(vs[i]);
        if (!wg_is_none(vs[i]) && !wg_type_equal(&x, &v))
            return wg_report(tape, "wg_hvp", WG_ERROR_SHAPE, "vector %d is not of its input's dtype and shape", i);
    }
    if (tape->no_grad)
        return wg_report(tape, "wg_hvp", WG_ERROR_UNSUPPORTED,
                         "a second derivative needs the first recorded: not in WG_NO_GRAD");
    wg_tensor *grad = taken(tape, "wg_hvp", n > 0 ? (size_t)n : 0, sizeof *grad);
    if (!grad)
        return WG_ERROR_MEMORY;
    wg_status status = (wg_grad)(y, xs, n, grad, (wg_grad_options){.create_graph = true});
    if (status)
        return status;
    return reverse ? hvp_reverse(grad, xs, vs, n, out) : wg_jvp(grad, n, xs, vs, n, out);
}

wg_status (wg_hvp)(wg_tensor y, const wg_tensor *xs, const wg_tensor *vs, int n, wg_tensor *out, wg_hvp_options options)
{
    wg_tape *tape = y.tape;
    all_invalid(tape, out, n);
    if (!wg_node_of(y, "wg_hvp"))
        return tape && tape->status ? tape->status : WG_ERROR_VALUE;
    uint32_t held = wg_hold_place(tape);
    wg_status status = hvp(y, xs, vs, n, out, options.reverse);
    wg_let_go_place(tape, held);
    return status;
}
