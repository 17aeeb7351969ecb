/* Identities whose chain rule is the caller's: entries like any others, so that traversals know nothing of them. And
 * what an operation keeps for its own chain rule. */
#include "graph/traverse.h"

/* The result shares operand 0's buffer. */
static wg_status same_view(const wg_call *c, int64_t *stride, int64_t *offset)
{
    *offset = 0;
    int64_t step = 1;
    for (int i = c->x[0].rank - 1; i >= 0; i--) {
        stride[i] = c->stride[0] ? c->stride[0][i] : step;
        step *= c->x[0].dim[i];
    }
    return WG_OK;
}

static wg_status same_run(const wg_call *c)
{
    memcpy(c->to[0], c->from[0], (size_t)wg_type_count(&c->y[0]) * wg_dtype_size(c->y[0].dtype));
    return WG_OK;
}

/* ---- on_gradient ------------------------------------------------------------------------------------------------- */
typedef struct {
    wg_gradient_hook *hook;
    void *user;
} on_gradient_options;

static wg_tensor on_gradient_dx(const wg_call *c, wg_tensor g)
{
    const on_gradient_options *o = c->options;
    wg_tensor changed = o->hook(o->user, g);
    if (wg_is_none(changed))
        return g;
    wg_type is = wg_type_of(changed), wanted = c->x[0];
    if (!wg_is_tensor(changed))
        return wg_is_number(changed) ? wg_fail_tensor(c, WG_ERROR_VALUE, "the hook gave a number, not a tensor")
                                     : changed;
    if (!wg_type_equal(&is, &wanted))
        return wg_fail_tensor(c, WG_ERROR_SHAPE, "the hook gave a tensor of another type than the gradient %s",
                              wg_show(c, 0));
    return changed;
}

static wg_tensor on_gradient_jvp(const wg_call *c) { return c->t[0]; }

static const wg_op on_gradient_op = {
    .name = "on_gradient",
    .doc = "y = x; its gradient is shown to a hook",
    .in = {{"x", 0}},
    .options = &(const wg_schema){.size = sizeof(on_gradient_options), .defaults = &(const on_gradient_options){0}},
    .type = wg_type_as_first,
    .view = same_view,
    .run = same_run,
    .vjp = {on_gradient_dx},
    .jvp = on_gradient_jvp,
    .saves = "",
    .surrogate = true,
};

wg_tensor (wg_on_gradient)(wg_tensor x, wg_gradient_hook *hook, void *user)
{
    if (!hook) {
        if (x.tape)
            wg_report(x.tape, "wg_on_gradient", WG_ERROR_VALUE, "there is no hook");
        return x.tape ? wg_invalid_on(x.tape) : WG_INVALID;
    }
    return wg_record(&on_gradient_op, &(on_gradient_options){hook, user}, &x, 1);
}

/* ---- straight_through -------------------------------------------------------------------------------------------- */
static wg_status straight_through_type(wg_call *c)
{
    if (!wg_type_equal(&c->x[0], &c->x[1]))
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not of the shape of %s", wg_show(c, 0), wg_show(c, 1));
    return wg_type_as_first(c);
}

static wg_tensor straight_through_dx(const wg_call *c, wg_tensor g)
{
    (void)c;
    return g;
}

static wg_tensor straight_through_jvp(const wg_call *c) { return c->t[1]; }

static const wg_op straight_through_op = {
    .name = "straight_through",
    .doc = "y = value; its derivative is taken to be that of `through`",
    .source = "Bengio, Leonard and Courville 2013",
    .in = {{"value", 0}, {"through", 0}},
    .type = straight_through_type,
    .view = same_view,
    .run = same_run,
    .vjp = {NULL, straight_through_dx},
    .jvp = straight_through_jvp,
    .saves = "",
    .surrogate = true,
};

wg_tensor (wg_straight_through)(wg_tensor value, wg_tensor through)
{
    return wg_record(&straight_through_op, NULL, (wg_tensor[]){value, through}, 2);
}

/* ---- What an operation keeps ------------------------------------------------------------------------------------- */
size_t (wg_saved_bytes)(wg_tensor y)
{
    const wg_node *node = wg_node_of(y, "wg_saved_bytes");
    if (!node || wg_node_is(node, WG_NODE_LEAF | WG_NODE_CUT))
        return 0;
    const wg_op *op = node->op;
    bool all = op->map && !op->saves;
    const uint32_t *in = wg_node_in(node);
    size_t bytes = 0;
    for (int i = 0; i < node->n_in; i++)
        if (in[i] != WG_ABSENT && (all || wg_word_in(op->saves, wg_operand_name(op, i))))
            bytes += wg_node_bytes(wg_node_at(y.tape, in[i]));
    int outputs = wg_op_outputs(op);
    for (int k = 0; k < node->n_out; k++) {
        const char *name = op->count || !op->out[0] ? "y" : k < outputs ? op->out[k] : NULL;
        if (all || (!op->count && k >= outputs) || wg_word_in(op->saves, name))
            bytes += wg_node_bytes(wg_node_at(y.tape, y.node - node->out + (uint32_t)k));
    }
    wg_forget_place(y.tape);
    return bytes;
}
