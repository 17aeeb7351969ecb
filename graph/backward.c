/* The backward traversal that records nothing: from the last node down to the first, each node's cotangent is pulled
 * back to its operands by the operation's own rule, and its memory is given to the next adjoint as soon as it is
 * consumed.
 *
 * The adjoint of a 0-d node is kept in its slot, any other one in a buffer of the arena. An elementwise operation's
 * slope runs as a kernel straight into the adjoint; any other rule is graph code that runs unrecorded, and the last
 * buffer it makes is the adjoint itself where the sizes allow (the tape's hint). */
#include "graph/observe.h"
#include "graph/traverse.h"

typedef union {
    void *data;
    double f64;
    float f32;
} slot;

/* A buffer no adjoint needs any more. */
typedef struct spare {
    struct spare *next;
    size_t bytes;
} spare;

typedef struct {
    wg_stretch at;
    slot *slot;
    spare *spares;
    bool watched; /* adjoints and times are kept */
} sweep;

static slot *slot_of(const sweep *s, uint32_t i) { return &s->slot[i - s->at.low]; }

/* Where the adjoint's values are. */
static void *adjoint_data(const sweep *s, uint32_t i)
{
    return wg_node_at(s->at.tape, i)->rank ? slot_of(s, i)->data : slot_of(s, i);
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */
static void *buffer_take(sweep *s, size_t bytes)
{
    size_t need = bytes < sizeof(spare) ? sizeof(spare) : bytes;
    int tries = 0;
    for (spare **at = &s->spares; *at && tries < 32; at = &(*at)->next, tries++) {
        spare *found = *at;
        if (found->bytes < need || found->bytes / 2 > need)
            continue;
        *at = found->next;
        return found;
    }
    return wg_arena_values(s->at.tape, need);
}

static void buffer_give(sweep *s, void *data, size_t bytes)
{
    size_t held = bytes < sizeof(spare) ? sizeof(spare) : bytes;
    spare *free_one = data;
    *free_one = (spare){s->spares, held};
    s->spares = free_one;
}

/* The operands' adjoints get their memory before the rule runs, since what the rule takes is given back after it. */
static bool adjoints_ready(sweep *s, const wg_node *node)
{
    const uint32_t *in = wg_node_in(node);
    for (int i = 0; i < node->n_in; i++) {
        uint32_t x = wg_stretch_operand(&s->at, in, i);
        if (x == WG_ABSENT || !wg_node_at(s->at.tape, x)->rank || slot_of(s, x)->data)
            continue;
        size_t bytes = wg_node_bytes(wg_node_at(s->at.tape, x));
        if (!(slot_of(s, x)->data = buffer_take(s, bytes))) {
            wg_no_memory(s->at.tape, s->at.name, bytes);
            return false;
        }
    }
    return true;
}

/* ---- Adding to an adjoint ---------------------------------------------------------------------------------------- */
static void deliver_values(sweep *s, uint32_t x, const void *values)
{
    const wg_node *node = wg_node_at(s->at.tape, x);
    unsigned char *state = wg_state(&s->at, x);
    void *to = adjoint_data(s, x);
    if (*state & WG_STATE_REACHED)
        wg_values_add((wg_dtype)node->dtype, wg_node_count(node), values, to);
    else if (values != to)
        memmove(to, values, wg_node_bytes(node));
    *state |= WG_STATE_REACHED;
}

/* Adds a rule's result, of operand x's shape or of one that x's was broadcast to. */
static wg_status deliver(sweep *s, uint32_t x, wg_tensor g, const wg_op *op)
{
    wg_tape *tape = s->at.tape;
    wg_type type = wg_node_type(wg_node_at(tape, x));
    g = wg_sum_to(g, &type);
    if (!wg_is_tensor(g))
        return tape->status ? tape->status : WG_ERROR_VALUE;
    const wg_node *node = wg_node_at(tape, g.node);
    wg_type got = wg_node_type(node);
    if (!wg_type_equal(&got, &type))
        return wg_call_failed(tape, op, WG_ERROR_SHAPE,
                              "a derivative of another type than its operand: a bug of the rule");
    const void *values = node->data;
    if (!wg_node_is(node, WG_NODE_CONTIGUOUS)) {
        void *copy = wg_arena(tape, wg_node_bytes(node));
        if (!copy)
            return wg_no_memory(tape, s->at.name, wg_node_bytes(node));
        wg_gather_strided(&got, wg_node_stride(node), node->data, copy);
        values = copy;
    }
    deliver_values(s, x, values);
    return WG_OK;
}

/* ---- One node ---------------------------------------------------------------------------------------------------- */
/* A 0-d elementwise node: one kernel call an operand. */
static void pull_scalar(sweep *s, uint32_t index, const wg_node *node)
{
    const wg_stretch at = s->at; /* what is written here is not part of it */
    slot *const slots = s->slot, g = slots[index - at.low];
    const uint32_t *in = wg_node_in(node);
    const int n = node->n_in;
    const void *from[5];
    for (int i = 0; i < n; i++)
        from[i] = wg_node_at(at.tape, in[i])->data;
    from[n] = node->data;
    from[n + 1] = &g;
    for (int i = 0; i < n; i++) {
        uint32_t x = wg_stretch_operand(&at, in, i);
        wg_kernel *pull = node->op->map->pull[i][node->dtype];
        if (x == WG_ABSENT || !pull)
            continue;
        slot part, *sum = &slots[x - at.low];
        unsigned char *state = wg_state(&at, x);
        pull(1, &part, from, wg_node_options(node));
        if (!(*state & WG_STATE_REACHED))
            *sum = part;
        else if (node->dtype == WG_FLOAT64)
            sum->f64 += part.f64;
        else
            sum->f32 += part.f32;
        *state |= WG_STATE_REACHED;
    }
}

static wg_status pull_map(sweep *s, const wg_call *c, uint32_t x, int i)
{
    wg_tape *tape = s->at.tape;
    const wg_node *to = wg_node_at(tape, x);
    const void *g = wg_node_at(tape, c->g[0].node)->data;
    wg_type type = wg_node_type(to);
    bool direct = wg_type_equal(&type, &c->y[0]) && !(*wg_state(&s->at, x) & WG_STATE_REACHED);
    if (direct) {
        wg_status status = wg_map_pull(c, i, g, adjoint_data(s, x));
        *wg_state(&s->at, x) |= WG_STATE_REACHED;
        return status;
    }
    wg_tensor part = wg_leaf(tape, &c->y[0], NULL, WG_NODE_CUT, s->at.name);
    if (!wg_is_tensor(part))
        return WG_ERROR_MEMORY;
    wg_status status = wg_map_pull(c, i, g, wg_node_at(tape, part.node)->data);
    return status ? status : deliver(s, x, part, c->op);
}

static wg_status pull_rule(sweep *s, wg_call *c, uint32_t x, int i)
{
    wg_tape *tape = s->at.tape;
    wg_vjp_rule *rule = wg_vjp_of(c->op, i);
    const wg_node *node = wg_node_at(tape, x);
    if (!(*wg_state(&s->at, x) & WG_STATE_REACHED) && node->rank)
        tape->hint = (wg_hint){slot_of(s, x)->data, wg_node_bytes(node)};
    c->which = i;
    wg_tensor g = rule(c, c->g[0]);
    tape->hint.data = NULL;
    return wg_is_none(g) ? WG_OK : deliver(s, x, g, c->op);
}

/* The cotangents of a call's outputs as tensors; WG_NONE where one is zero. False: all are. */
static bool cotangents_of(const sweep *s, const wg_call *c, uint32_t first, wg_tensor *g)
{
    bool any = false;
    for (int k = 0; k < c->n_out; k++) {
        uint32_t i = first + (uint32_t)k;
        g[k] = WG_NONE;
        if (i > s->at.high || !(*wg_state(&s->at, i) & WG_STATE_REACHED))
            continue;
        wg_tensor leaf = wg_leaf(c->tape, &c->y[k], adjoint_data(s, i), WG_NODE_CUT, s->at.name);
        if (!wg_is_tensor(leaf))
            return false;
        if (!wg_all_zero(wg_node_at(c->tape, leaf.node))) {
            g[k] = leaf;
            any = true;
        }
    }
    return any;
}

/* All operands at once. */
static wg_status pull_together(sweep *s, wg_call *c, const wg_node *node)
{
    wg_tape *tape = s->at.tape;
    const uint32_t *in = wg_node_in(node);
    wg_tensor *g = wg_arena(tape, (size_t)node->n_in * sizeof *g);
    bool *wanted = wg_arena(tape, (size_t)node->n_in * sizeof *wanted);
    if (!g || !wanted)
        return wg_no_memory(tape, s->at.name, (size_t)node->n_in * sizeof *g);
    for (int i = 0; i < node->n_in; i++) {
        wanted[i] = wg_stretch_operand(&s->at, in, i) != WG_ABSENT;
        g[i] = WG_NONE;
    }
    wg_status status = c->op->pull(c, wanted, g);
    for (int i = 0; i < node->n_in && !status; i++)
        if (wanted[i] && !wg_is_none(g[i]))
            status = deliver(s, in[i], g[i], c->op);
    return status;
}

static wg_status pull_operands(sweep *s, wg_call *c, const wg_node *node)
{
    const uint32_t *in = wg_node_in(node);
    for (int i = 0; i < node->n_in; i++) {
        uint32_t x = wg_stretch_operand(&s->at, in, i);
        if (x == WG_ABSENT || !(wg_vjp_of(node->op, i) || node->op->map))
            continue;
        wg_short_mark before = wg_short_at(s->at.tape);
        wg_status status = wg_vjp_of(node->op, i) ? pull_rule(s, c, x, i) : pull_map(s, c, x, i);
        wg_short_back(s->at.tape, before);
        if (status)
            return status;
    }
    return WG_OK;
}

static wg_status pull_call(sweep *s, uint32_t first, const wg_node *node)
{
    wg_tape *tape = s->at.tape;
    if (!adjoints_ready(s, node))
        return WG_ERROR_MEMORY;
    wg_short_mark before = wg_short_at(tape);
    wg_call *c = wg_call_again(tape, first);
    wg_tensor *g = c ? wg_arena(tape, (size_t)c->n_out * sizeof *g) : NULL;
    if (!g) {
        wg_short_back(tape, before);
        return wg_no_memory(tape, s->at.name, sizeof *c);
    }
    c->g = g;
    tape->rule_place = node->place;
    tape->rule_scope = node->scope;
    wg_status status = WG_OK;
    if (cotangents_of(s, c, first, g)) {
        status = wg_share(c, s->at.name);
        if (!status)
            status = c->op->pull ? pull_together(s, c, node) : pull_operands(s, c, node);
    } else if (tape->status == WG_ERROR_MEMORY) {
        status = WG_ERROR_MEMORY;
    }
    tape->rule_place = 0;
    wg_short_back(tape, before);
    return status;
}

static bool any_output_reached(const sweep *s, uint32_t first, const wg_node *node)
{
    for (uint32_t k = 0; k < node->n_out && first + k <= s->at.high; k++)
        if (*wg_state(&s->at, first + k) & WG_STATE_REACHED)
            return true;
    return false;
}

static void outputs_consumed(sweep *s, uint32_t first, const wg_node *node)
{
    for (uint32_t i = first; i < first + node->n_out && i <= s->at.high; i++) {
        const wg_node *output = wg_node_at(s->at.tape, i);
        if (!output->rank || !slot_of(s, i)->data || *wg_state(&s->at, i) & WG_STATE_KEPT)
            continue;
        buffer_give(s, slot_of(s, i)->data, wg_node_bytes(output));
        slot_of(s, i)->data = NULL;
    }
}

static wg_status pull_node(sweep *s, uint32_t first, const wg_node *node)
{
    if (!node->scalar || !node->op->map)
        return pull_call(s, first, node);
    pull_scalar(s, first, node);
    return WG_OK;
}

static wg_status pull_watched(sweep *s, uint32_t first, const wg_node *node)
{
    wg_tape *tape = s->at.tape;
    for (uint32_t i = first; i < first + node->n_out && i <= s->at.high; i++)
        if (*wg_state(&s->at, i) & WG_STATE_REACHED)
            wg_observe_adjoint(tape, i, adjoint_data(s, i));
    double start = wg_seconds();
    wg_status status = pull_node(s, first, node);
    wg_observe_backward(tape, first, wg_seconds() - start);
    return status;
}

static wg_status sweep_down(sweep *s)
{
    wg_tape *tape = s->at.tape;
    for (uint32_t i = s->at.high + 1; i-- > s->at.low;) {
        const wg_node *node = wg_node_at(tape, i);
        if (node->flags & (WG_NODE_LEAF | WG_NODE_CUT) && node->n_out == 1)
            continue;
        if (node->out || wg_node_is(node, WG_NODE_LEAF) || !any_output_reached(s, i, node))
            continue;
        wg_status status = wg_stretch_intact(&s->at, node, i);
        if (status)
            return status;
        status = s->watched ? pull_watched(s, i, node) : pull_node(s, i, node);
        if (status)
            return status;
        if (node->rank || node->n_out > 1)
            outputs_consumed(s, i, node);
    }
    return WG_OK;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
/* The adjoint of a target is summed in the result's own memory. */
static void targets_set(sweep *s, const wg_pullback *p)
{
    for (int i = 0; i < p->n_xs; i++) {
        uint32_t x = p->xs[i].node;
        if (x < s->at.low || x > s->at.high || *wg_state(&s->at, x) & WG_STATE_TARGET)
            continue;
        *wg_state(&s->at, x) |= WG_STATE_TARGET | WG_STATE_KEPT;
        slot_of(s, x)->data = wg_node_at(s->at.tape, x)->rank ? wg_node_at(s->at.tape, p->result[i].node)->data : NULL;
    }
}

/* The only cotangent, of the last node, to which nothing will be added: it is read where it lies. */
static bool seed_borrowed(sweep *s, const wg_pullback *p, uint32_t y)
{
    const wg_node *seed = wg_node_at(s->at.tape, p->cotangents[0].node);
    if (p->n_ys > 1 || !seed->rank || !wg_node_is(seed, WG_NODE_CONTIGUOUS) || *wg_state(&s->at, y) & WG_STATE_TARGET)
        return false;
    slot_of(s, y)->data = seed->data;
    *wg_state(&s->at, y) |= WG_STATE_REACHED | WG_STATE_KEPT;
    return true;
}

static wg_status seeds_set(sweep *s, const wg_pullback *p)
{
    for (int k = 0; k < p->n_ys; k++) {
        uint32_t y = p->ys[k].node;
        if (wg_is_none(p->cotangents[k]) || y < s->at.low || !(*wg_state(&s->at, y) & WG_STATE_NEEDED))
            continue;
        wg_node *node = wg_node_at(s->at.tape, y);
        if (seed_borrowed(s, p, y))
            continue;
        if (node->rank && !slot_of(s, y)->data && !(slot_of(s, y)->data = buffer_take(s, wg_node_bytes(node))))
            return wg_no_memory(s->at.tape, s->at.name, wg_node_bytes(node));
        wg_status status = deliver(s, y, p->cotangents[k], node->op);
        if (status)
            return status;
    }
    return WG_OK;
}

static void results_read(const sweep *s, const wg_pullback *p)
{
    for (int i = 0; i < p->n_xs; i++) {
        uint32_t x = p->xs[i].node;
        p->reached[i] = x >= s->at.low && x <= s->at.high && *wg_state(&s->at, x) & WG_STATE_REACHED;
        wg_node *result = wg_node_at(s->at.tape, p->result[i].node);
        const void *from = p->reached[i] ? adjoint_data(s, x) : NULL;
        if (from && from != result->data) /* 0-d, or asked for twice */
            memcpy(result->data, from, wg_node_bytes(result));
    }
}

static void stretch_ends(wg_stretch *at, const wg_pullback *p)
{
    at->low = UINT32_MAX;
    at->high = 0;
    for (int i = 0; i < p->n_xs; i++)
        at->low = p->xs[i].node < at->low ? p->xs[i].node : at->low;
    for (int k = 0; k < p->n_ys; k++)
        at->high = p->ys[k].node > at->high ? p->ys[k].node : at->high;
}

wg_status wg_pull_plain(wg_tape *tape, const char *name, const wg_pullback *p)
{
    sweep s = {.at = {.tape = tape, .name = name}};
    for (int i = 0; i < p->n_xs; i++)
        p->reached[i] = false;
    stretch_ends(&s.at, p);
    if (s.at.low > s.at.high)
        return WG_OK;
    wg_short_mark before = wg_short_at(tape);
    size_t n = (size_t)s.at.high - s.at.low + 1;
    s.at.state = wg_arena(tape, n);
    s.slot = wg_arena(tape, n * sizeof *s.slot);
    if (!s.at.state || !s.slot) {
        wg_short_back(tape, before);
        return wg_no_memory(tape, name, n * (1 + sizeof *s.slot));
    }
    memset(s.at.state, 0, n);
    memset(s.slot, 0, n * sizeof *s.slot);
    bool failed = tape->status != WG_OK;
    uint32_t marked = tape->marked; /* what a rule records goes before nodes that are there */
    tape->marked = tape->nodes;
    wg_observer *observer = tape->observer;
    s.watched = observer != NULL;
    tape->observer = NULL; /* what rules record is not told of */
    tape->no_grad++;
    targets_set(&s, p);
    wg_stretch_needed(&s.at);
    wg_status status = seeds_set(&s, p);
    if (!status)
        status = sweep_down(&s);
    if (!status && !failed) /* a rule may not have needed what failed in it */
        status = tape->status;
    if (!status)
        results_read(&s, p);
    tape->no_grad--;
    tape->observer = observer;
    wg_short_back(tape, before);
    tape->marked = marked;
    return status;
}
