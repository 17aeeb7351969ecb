/* The backward traversal whose own operations are recorded, so that a derivative can be differentiated again: the same
 * walk as backward.c's, with tensors of the tape for adjoints and every rule as graph code. */
#include "graph/traverse.h"

#include "wengert/elementwise.h"

typedef struct {
    wg_stretch at;
    wg_tensor *adjoint;
    bool last;
} sweep;

static wg_tensor *adjoint_of(const sweep *s, uint32_t i) { return &s->adjoint[i - s->at.low]; }

static wg_status failed(const sweep *s) { return s->at.tape->status ? s->at.tape->status : WG_ERROR_VALUE; }

static wg_status deliver(sweep *s, uint32_t x, wg_tensor g)
{
    wg_type type = wg_node_type(wg_node_at(s->at.tape, x));
    unsigned char *state = wg_state(&s->at, x);
    g = wg_sum_to(g, &type);
    if (*state & WG_STATE_REACHED)
        g = s->last ? wg_pulled_sum(*adjoint_of(s, x), g) : wg_add(*adjoint_of(s, x), g);
    if (!wg_is_tensor(g))
        return failed(s);
    *adjoint_of(s, x) = g;
    *state |= WG_STATE_REACHED;
    return WG_OK;
}

static wg_status pull_operand(sweep *s, wg_call *c, uint32_t x, int i)
{
    wg_vjp_rule *rule = wg_vjp_of(c->op, i);
    c->which = i;
    wg_tensor g = rule ? rule(c, c->g[0]) : s->last ? wg_pull_map(c, i, c->g[0]) : wg_chain_map(c, i, c->g[0]);
    return wg_is_none(g) ? WG_OK : deliver(s, x, g);
}

/* All operands at once. */
static wg_status pull_together(sweep *s, const wg_call *c, const uint32_t *in)
{
    wg_tape *tape = s->at.tape;
    wg_tensor *g = wg_arena(tape, (size_t)c->n_in * sizeof *g);
    bool *wanted = wg_arena(tape, (size_t)c->n_in * sizeof *wanted);
    if (!g || !wanted)
        return wg_no_memory(tape, s->at.name, (size_t)c->n_in * sizeof *g);
    for (int i = 0; i < c->n_in; i++) {
        wanted[i] = wg_stretch_operand(&s->at, in, i) != WG_ABSENT;
        g[i] = WG_NONE;
    }
    wg_status status = c->op->pull(c, wanted, g);
    for (int i = 0; i < c->n_in && !status; i++)
        if (wanted[i] && !wg_is_none(g[i]))
            status = deliver(s, in[i], g[i]);
    return status;
}

static bool cotangents_of(const sweep *s, int n_out, uint32_t first, wg_tensor *g)
{
    bool any = false;
    for (int k = 0; k < n_out; k++) {
        uint32_t i = first + (uint32_t)k;
        bool reached = i <= s->at.high && *wg_state(&s->at, i) & WG_STATE_REACHED;
        g[k] = reached ? *adjoint_of(s, i) : WG_NONE;
        any |= reached;
    }
    return any;
}

static wg_status pull_call(sweep *s, uint32_t first, const wg_node *node)
{
    wg_tape *tape = s->at.tape;
    wg_call *c = wg_call_again(tape, first);
    wg_tensor *g = c ? wg_arena(tape, (size_t)node->n_out * sizeof *g) : NULL;
    if (!g)
        return wg_no_memory(tape, s->at.name, sizeof *c);
    c->g = g;
    c->recording = !s->last;
    if (!cotangents_of(s, node->n_out, first, g))
        return WG_OK;
    tape->rule_place = node->place;
    tape->rule_scope = node->scope;
    const uint32_t *in = wg_node_in(node);
    wg_status status = c->op->pull ? pull_together(s, c, in) : wg_share(c, s->at.name);
    for (int i = 0; i < node->n_in && !status && !c->op->pull; i++) {
        uint32_t x = wg_stretch_operand(&s->at, in, i);
        if (x != WG_ABSENT && (wg_vjp_of(node->op, i) || node->op->map))
            status = pull_operand(s, c, x, i);
    }
    tape->rule_place = 0;
    return status;
}

static bool any_output_reached(const sweep *s, uint32_t first, const wg_node *node)
{
    for (uint32_t k = 0; k < node->n_out && first + k <= s->at.high; k++)
        if (*wg_state(&s->at, first + k) & WG_STATE_REACHED)
            return true;
    return false;
}

static wg_status sweep_down(sweep *s)
{
    for (uint32_t i = s->at.high + 1; i-- > s->at.low;) {
        const wg_node *node = wg_node_at(s->at.tape, i);
        if (node->out || wg_node_is(node, WG_NODE_LEAF) || !any_output_reached(s, i, node))
            continue;
        wg_status status = wg_stretch_intact(&s->at, node, i);
        if (!status)
            status = pull_call(s, i, node);
        if (status)
            return status;
    }
    return WG_OK;
}

static wg_status seeds_set(sweep *s, const wg_pullback *p)
{
    for (int k = 0; k < p->n_ys; k++) {
        uint32_t y = p->ys[k].node;
        if (wg_is_none(p->cotangents[k]) || y < s->at.low || !(*wg_state(&s->at, y) & WG_STATE_NEEDED))
            continue;
        wg_status status = deliver(s, y, p->cotangents[k]);
        if (status)
            return status;
    }
    return WG_OK;
}

wg_status wg_pull_recorded(wg_tape *tape, const char *name, const wg_pullback *p)
{
    sweep s = {.at = {.tape = tape, .name = name, .low = UINT32_MAX}, .last = p->last};
    for (int i = 0; i < p->n_xs; i++) {
        s.at.low = p->xs[i].node < s.at.low ? p->xs[i].node : s.at.low;
        p->result[i] = WG_NONE;
        p->reached[i] = false;
    }
    for (int k = 0; k < p->n_ys; k++)
        s.at.high = p->ys[k].node > s.at.high ? p->ys[k].node : s.at.high;
    if (s.at.low > s.at.high)
        return WG_OK;
    size_t n = (size_t)s.at.high - s.at.low + 1;
    s.at.state = wg_arena(tape, n);
    s.adjoint = wg_arena(tape, n * sizeof *s.adjoint);
    if (!s.at.state || !s.adjoint)
        return wg_no_memory(tape, name, n * (1 + sizeof *s.adjoint));
    memset(s.at.state, 0, n);
    for (int i = 0; i < p->n_xs; i++)
        if (p->xs[i].node <= s.at.high)
            *wg_state(&s.at, p->xs[i].node) |= WG_STATE_TARGET;
    wg_stretch_needed(&s.at);
    bool failed = tape->status != WG_OK;
    tape->no_grad += p->last;
    tape->deriving++;
    wg_status status = seeds_set(&s, p);
    if (!status)
        status = sweep_down(&s);
    tape->no_grad -= p->last;
    tape->deriving--;
    if (!status && !failed) /* a rule may not have needed what failed in it */
        status = tape->status;
    for (int i = 0; i < p->n_xs && !status; i++) {
        uint32_t x = p->xs[i].node;
        p->reached[i] = x <= s.at.high && *wg_state(&s.at, x) & WG_STATE_REACHED;
        if (p->reached[i])
            p->result[i] = *adjoint_of(&s, x);
    }
    return status;
}
