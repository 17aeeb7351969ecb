/* Forward mode: the tangents of the inputs are pushed up the recorded tape, node by node, by each operation's own rule.
 * What it computes is recorded, and can be differentiated in turn. Only nodes between the inputs and the outputs take
 * part. */
#include "graph/traverse.h"

#include "wengert/elementwise.h"
#include "wengert/shape.h"

typedef struct {
    wg_stretch at;
    wg_tensor *tangent;
} push;

static wg_tensor *tangent_of(const push *s, uint32_t i) { return &s->tangent[i - s->at.low]; }

static bool has_tangent(const push *s, uint32_t i)
{
    return i != WG_ABSENT && i >= s->at.low && i <= s->at.high && *wg_state(&s->at, i) & WG_STATE_REACHED;
}

static wg_status add_tangent(push *s, uint32_t i, wg_tensor t)
{
    if (has_tangent(s, i))
        t = wg_add(*tangent_of(s, i), t);
    if (!wg_is_tensor(t))
        return s->at.tape->status ? s->at.tape->status : WG_ERROR_VALUE;
    *tangent_of(s, i) = t;
    *wg_state(&s->at, i) |= WG_STATE_REACHED;
    return WG_OK;
}

static wg_tensor plus(wg_tensor sum, wg_tensor more) { return wg_is_none(sum) ? more : wg_add(sum, more); }

/* ---- The rules, derived and written ------------------------------------------------------------------------------ */
static wg_tensor push_map(const wg_call *c)
{
    wg_tensor sum = WG_NONE;
    for (int i = 0; i < c->n_in; i++)
        if (!wg_is_none(c->t[i]) && c->op->map->slope[i])
            sum = plus(sum, wg_chain_map(c, i, c->t[i]));
    return sum;
}

/* The operation of some operands replaced; its output c->which. */
static wg_tensor again(const wg_call *c, const wg_tensor *in)
{
    wg_tensor out[WG_MAX_OUTPUTS], *at = out;
    if (c->n_out > WG_MAX_OUTPUTS && !(at = wg_scratch(c, (size_t)c->n_out * sizeof *at)))
        return wg_invalid_on(c->tape);
    wg_record_on(c->tape, c->op, c->options, in, c->n_in, at, c->n_out);
    return at[c->which];
}

static wg_tensor zeros_like(const wg_call *c, int i)
{
    return wg_leaf(c->tape, &c->x[i], NULL, WG_NODE_CUT, c->op->name);
}

/* All float operands replaced by their tangents. */
static wg_tensor push_jointly(const wg_call *c, wg_tensor *in)
{
    for (int i = 0; i < c->n_in; i++) {
        bool is_float = !wg_is_none(c->in[i]) && wg_is_float(c->x[i].dtype) && wg_vjp_of(c->op, i);
        in[i] = !is_float ? c->in[i] : wg_is_none(c->t[i]) ? zeros_like(c, i) : c->t[i];
    }
    return again(c, in);
}

/* The sum of the operation with one operand replaced by its tangent. */
static wg_tensor push_separately(const wg_call *c, wg_tensor *in)
{
    wg_tensor sum = WG_NONE;
    memcpy(in, c->in, (size_t)c->n_in * sizeof *in);
    for (int i = 0; i < c->n_in; i++) {
        if (wg_is_none(c->t[i]))
            continue;
        in[i] = c->t[i];
        sum = plus(sum, again(c, in));
        in[i] = c->in[i];
    }
    return sum;
}

static wg_tensor pushed(const wg_call *c, wg_tensor *in)
{
    if (c->op->jvp)
        return c->op->jvp(c);
    if (c->op->map)
        return push_map(c);
    if (c->op->linear == WG_JOINTLY)
        return push_jointly(c, in);
    if (c->op->linear == WG_SEPARATELY)
        return push_separately(c, in);
    return wg_fail_tensor(c, WG_ERROR_UNSUPPORTED, "it has no forward derivative");
}

/* ---- One call ---------------------------------------------------------------------------------------------------- */
static bool output_wanted(const push *s, uint32_t i)
{
    return i <= s->at.high && !wg_node_is(wg_node_at(s->at.tape, i), WG_NODE_CUT) &&
           *wg_state(&s->at, i) & WG_STATE_NEEDED;
}

static wg_status output_tangent(push *s, const wg_call *c, uint32_t i, int k, wg_tensor t)
{
    if (wg_is_none(t))
        return WG_OK;
    wg_type type = wg_type_of(t);
    if (wg_is_tensor(t) && !wg_type_equal(&type, &c->y[k]))
        t = wg_broadcast_to(t, wg_type_shape(&c->y[k]));
    return add_tangent(s, i, t);
}

static wg_status push_output(push *s, wg_call *c, uint32_t first, int k, wg_tensor *in)
{
    uint32_t i = first + (uint32_t)k;
    if (!output_wanted(s, i))
        return WG_OK;
    c->which = k;
    return output_tangent(s, c, i, k, pushed(c, in));
}

/* All outputs at once. */
static wg_status push_together(push *s, const wg_call *c, uint32_t first)
{
    wg_tensor *t = wg_arena(c->tape, (size_t)c->n_out * sizeof *t);
    if (!t)
        return wg_no_memory(c->tape, s->at.name, (size_t)c->n_out * sizeof *t);
    for (int k = 0; k < c->n_out; k++)
        t[k] = WG_NONE;
    wg_status status = c->op->push(c, t);
    for (int k = 0; k < c->n_out && !status; k++)
        if (output_wanted(s, first + (uint32_t)k))
            status = output_tangent(s, c, first + (uint32_t)k, k, t[k]);
    return status;
}

static wg_status push_call(push *s, uint32_t first, const wg_node *node)
{
    wg_tape *tape = s->at.tape;
    wg_call *c = wg_call_again(tape, first);
    size_t n = node->n_in;
    wg_tensor *t = c ? wg_arena(tape, (2 * n + 1) * sizeof *t) : NULL;
    if (!t)
        return wg_no_memory(tape, s->at.name, sizeof *c);
    const uint32_t *in = wg_node_in(node);
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        t[i] = has_tangent(s, in[i]) ? *tangent_of(s, in[i]) : WG_NONE;
        any |= !wg_is_none(t[i]);
    }
    if (!any)
        return WG_OK;
    c->t = t;
    c->recording = !tape->no_grad;
    tape->rule_place = node->place;
    tape->rule_scope = node->scope;
    wg_status status = c->op->push ? push_together(s, c, first) : wg_share(c, s->at.name);
    for (int k = 0; k < node->n_out && !status && !c->op->push; k++)
        status = push_output(s, c, first, k, t + n);
    tape->rule_place = 0;
    return status;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
/* Marks what the outputs depend on, from the outputs down. */
static void mark_wanted(const wg_stretch *s, const wg_tensor *ys, int n_ys)
{
    for (int k = 0; k < n_ys; k++)
        if (wg_is_tensor(ys[k]) && ys[k].node >= s->low)
            *wg_state(s, ys[k].node) |= WG_STATE_NEEDED;
    for (uint32_t i = s->high + 1; i-- > s->low;) {
        const wg_node *node = wg_node_at(s->tape, i);
        if (!(*wg_state(s, i) & WG_STATE_NEEDED) || wg_node_is(node, WG_NODE_LEAF))
            continue;
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++)
            if (in[k] != WG_ABSENT && in[k] >= s->low)
                *wg_state(s, in[k]) |= WG_STATE_NEEDED;
    }
}

static wg_status push_up(push *s, const wg_tensor *xs, const wg_tensor *tangents, int n)
{
    for (int i = 0; i < n; i++)
        if (wg_is_tensor(tangents[i]) && xs[i].node <= s->at.high) {
            wg_status status = add_tangent(s, xs[i].node, tangents[i]);
            if (status)
                return status;
        }
    for (uint32_t i = s->at.low; i <= s->at.high; i++) {
        const wg_node *node = wg_node_at(s->at.tape, i);
        bool wanted = false;
        for (uint32_t k = 0; !node->out && k < node->n_out && i + k <= s->at.high; k++)
            wanted |= (*wg_state(&s->at, i + k) & WG_STATE_NEEDED) != 0;
        if (!wanted || wg_node_is(node, WG_NODE_LEAF))
            continue;
        wg_status status = wg_stretch_intact(&s->at, node, i);
        if (!status)
            status = push_call(s, i, node);
        if (status)
            return status;
    }
    return WG_OK;
}

static wg_status inputs_fit(wg_tape *tape, const wg_tensor *xs, const wg_tensor *tangents, int n)
{
    for (int i = 0; i < n; i++) {
        wg_type x = wg_type_of(xs[i]), t = wg_type_of(tangents[i]);
        if (!wg_is_tensor(xs[i]) || xs[i].tape != tape)
            return wg_report(tape, "wg_jvp", WG_ERROR_VALUE, "input %d is not a tensor of this tape", i);
        if (wg_is_none(tangents[i]))
            continue;
        if (!wg_is_tensor(tangents[i]) || tangents[i].tape != tape)
            return wg_report(tape, "wg_jvp", WG_ERROR_VALUE, "tangent %d is not a tensor of this tape", i);
        if (!wg_is_float(x.dtype))
            return wg_report(tape, "wg_jvp", WG_ERROR_DTYPE, "input %d is %s: it has no tangent", i,
                             wg_dtype_name(x.dtype));
        if (!wg_type_equal(&x, &t))
            return wg_report(tape, "wg_jvp", WG_ERROR_SHAPE, "tangent %d is not of its input's dtype and shape", i);
    }
    return WG_OK;
}

static wg_status outputs_read(const push *s, const wg_tensor *ys, int n_ys, wg_tensor *out)
{
    bool any = n_ys == 0;
    for (int k = 0; k < n_ys; k++)
        any |= has_tangent(s, ys[k].node);
    wg_status status = any ? WG_OK : wg_stretch_recorded(s->at.tape, s->at.name, ys, n_ys);
    if (status)
        return status;
    for (int k = 0; k < n_ys; k++) {
        wg_type type = wg_type_of(ys[k]);
        if (!wg_is_float(type.dtype))
            continue;
        out[k] = has_tangent(s, ys[k].node) ? *tangent_of(s, ys[k].node)
                                            : wg_leaf(s->at.tape, &type, NULL, WG_NODE_CUT, s->at.name);
        if (!wg_is_tensor(out[k]))
            return WG_ERROR_MEMORY;
    }
    return WG_OK;
}

static wg_status jvp(wg_tape *tape, const wg_tensor *ys, int n_ys, const wg_tensor *xs, const wg_tensor *tangents,
                     int n, wg_tensor *out)
{
    push s = {.at = {.tape = tape, .name = "wg_jvp", .low = UINT32_MAX}};
    for (int k = 0; k < n_ys; k++) {
        if (!wg_node_of(ys[k], "wg_jvp") || ys[k].tape != tape)
            return tape->status
                       ? tape->status
                       : wg_report(tape, "wg_jvp", WG_ERROR_VALUE, "output %d is not a tensor of this tape", k);
        s.at.high = ys[k].node > s.at.high ? ys[k].node : s.at.high;
    }
    wg_status status = inputs_fit(tape, xs, tangents, n);
    if (status)
        return status;
    for (int i = 0; i < n; i++)
        s.at.low = xs[i].node < s.at.low ? xs[i].node : s.at.low;
    if (s.at.low > s.at.high) {
        s.at.high = 0;
        s.at.low = 1;
        return outputs_read(&s, ys, n_ys, out);
    }
    size_t count = (size_t)s.at.high - s.at.low + 1;
    s.at.state = wg_arena(tape, count);
    s.tangent = wg_arena(tape, count * sizeof *s.tangent);
    if (!s.at.state || !s.tangent)
        return wg_no_memory(tape, "wg_jvp", count * (1 + sizeof *s.tangent));
    memset(s.at.state, 0, count);
    mark_wanted(&s.at, ys, n_ys);
    bool failed = tape->status != WG_OK;
    status = push_up(&s, xs, tangents, n);
    if (!status && !failed) /* a rule may not have needed what failed in it */
        status = tape->status;
    return status ? status : outputs_read(&s, ys, n_ys, out);
}

wg_status (wg_jvp)(const wg_tensor *ys, int n_ys, const wg_tensor *xs, const wg_tensor *tangents, int n, wg_tensor *out)
{
    wg_tape *tape = NULL;
    for (int k = 0; k < n_ys; k++) {
        out[k] = WG_NONE;
        tape = tape ? tape : ys[k].tape;
    }
    if (!tape)
        return WG_ERROR_VALUE;
    uint32_t held = wg_hold_place(tape);
    wg_status status = jvp(tape, ys, n_ys, xs, tangents, n, out);
    wg_let_go_place(tape, held);
    return status;
}
