/* What the traversals share: which nodes a derivative passes through, the sum over broadcast axes, an elementwise slope
 * as graph code. */
#include "graph/traverse.h"

#include "ops/chain.h"
#include "wengert/elementwise.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

wg_vjp_rule *wg_vjp_of(const wg_op *op, int i)
{
    for (int k = 0; k < WG_MAX_OPERANDS && op->in[k].name; k++)
        if (k == i || (k < i && op->in[k].flags & WG_VARIADIC))
            return op->vjp[k];
    return NULL;
}

void wg_stretch_needed(const wg_stretch *stretch)
{
    const wg_stretch at = *stretch, *s = &at; /* what is written here is not part of it */
    for (uint32_t i = s->low; i <= s->high; i++) {
        unsigned char *state = wg_state(s, i);
        const wg_node *node = wg_node_at(s->tape, i);
        if (*state & WG_STATE_TARGET)
            *state |= WG_STATE_NEEDED;
        if (node->flags & (WG_NODE_CUT | WG_NODE_LEAF))
            continue;
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++)
            if (wg_stretch_operand(s, in, k) != WG_ABSENT && wg_differentiates(node->op, k)) {
                *state |= WG_STATE_NEEDED;
                break;
            }
    }
}

wg_status wg_share(wg_call *c, const char *name)
{
    if (!c->op->share)
        return WG_OK;
    wg_tensor *shared = wg_arena(c->tape, WG_MAX_SHARED * sizeof *shared);
    if (!shared)
        return wg_no_memory(c->tape, name, WG_MAX_SHARED * sizeof *shared);
    memset(shared, 0, WG_MAX_SHARED * sizeof *shared); /* WG_NONE */
    c->shared = shared;
    c->op->share(c, shared);
    return WG_OK;
}

wg_status wg_stretch_intact(const wg_stretch *s, const wg_node *node, uint32_t index)
{
    const char *which = "";
    if (!wg_overwritten(s->tape, node, index, &which))
        return WG_OK;
    char place[256];
    wg_place_text(s->tape, node->place, place, sizeof place);
    return wg_report(s->tape, s->name, WG_ERROR_STALE,
                     "%s of wg_%s%s%s was changed since it was recorded, and its old value is needed", which,
                     node->op->name, *place ? " at " : "", place);
}

wg_status wg_stretch_recorded(wg_tape *tape, const char *name, const wg_tensor *ys, int n_ys)
{
    wg_stretch s = {.tape = tape, .name = name, .high = 0};
    for (int k = 0; k < n_ys; k++)
        s.high = ys[k].node > s.high ? ys[k].node : s.high;
    wg_aside aside = wg_aside_begin(tape);
    s.state = wg_arena(tape, (size_t)s.high + 1);
    wg_status status = s.state ? WG_OK : wg_no_memory(tape, name, (size_t)s.high + 1);
    if (s.state)
        memset(s.state, 0, (size_t)s.high + 1);
    for (int k = 0; k < n_ys && !status; k++)
        *wg_state(&s, ys[k].node) = WG_STATE_NEEDED;
    for (uint32_t i = s.high + 1; i-- > 0 && !status;) {
        const wg_node *node = wg_node_at(tape, i);
        if (!*wg_state(&s, i) || wg_node_is(node, WG_NODE_CUT | WG_NODE_LEAF)) {
            if (*wg_state(&s, i) && node->unrecorded)
                status = wg_report(
                    tape, name, WG_ERROR_VALUE,
                    "what is differentiated is made of a derivative that was not recorded: take that one with "
                    "create_graph");
            continue;
        }
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++)
            if (in[k] != WG_ABSENT && wg_differentiates(node->op, k))
                *wg_state(&s, in[k]) = WG_STATE_NEEDED;
    }
    wg_aside_end(tape, aside);
    return status;
}

wg_tensor wg_sum_to(wg_tensor g, const wg_type *x)
{
    wg_type from = wg_type_of(g);
    int lead = from.rank - x->rank;
    if (!wg_is_tensor(g) || wg_type_equal(&from, x))
        return g;
    wg_axes axes = {0};
    for (int i = 0; i < from.rank; i++)
        if (i < lead || (x->dim[i - lead] == 1 && from.dim[i] != 1))
            axes.at[axes.n++] = i;
    if (axes.n)
        g = wg_sum(g, .axis = axes);
    wg_type summed = wg_type_of(g);
    return wg_type_equal(&summed, x) ? g : wg_reshape(g, wg_type_shape(x));
}

wg_tensor wg_chain_map(const wg_call *c, int which, wg_tensor g)
{
    wg_tensor slope = wg_expression(c, c->op->map->slope[which]);
    if (wg_is_tensor(slope) && wg_node_is(wg_node_at(c->tape, slope.node), WG_NODE_NUMBER)) {
        double value = (wg_item)(slope);
        slope = wg_number(value);
    }
    if (!wg_is_number(slope))
        return wg_strong_multiply(g, slope);
    double value = wg_number_value(slope);
    return value == 1 ? g : value == -1 ? wg_negative(g) : wg_strong_multiply(g, slope);
}

#define ZERO_LOOP(T)                                                                                                   \
    {                                                                                                                  \
        const T *at = node->data;                                                                                      \
        while (i < n && at[i] == 0)                                                                                    \
            i++;                                                                                                       \
    }

bool wg_all_zero(const wg_node *node)
{
    int64_t i = 0, n = wg_node_count(node);
    if (node->dtype == WG_FLOAT32)
        ZERO_LOOP(float)
    else
        ZERO_LOOP(double)
    return i == n;
}

#define ADD_LOOP(T)                                                                                                    \
    {                                                                                                                  \
        T *restrict sum = to;                                                                                          \
        const T *restrict more = from;                                                                                 \
        for (int64_t i = 0; i < n; i++)                                                                                \
            sum[i] += more[i];                                                                                         \
    }

void wg_values_add(wg_dtype dtype, int64_t n, const void *from, void *to)
{
    if (dtype == WG_FLOAT32)
        ADD_LOOP(float)
    else
        ADD_LOOP(double)
}
