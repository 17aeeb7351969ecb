/* What the graph of one step shows: parameters that no gradient comes to, and what keeps it off; units that stay at
 * zero; data on their way in. Marks go once down from the loss and once up from the parameters. */
#include "graph/diagnosis.h"
#include "graph/traverse.h"

enum { STEPS_MEASURED = 8, FEWEST = 16 }; /* steps in which data are measured; elements of what counts as data */

/* ---- Marks ------------------------------------------------------------------------------------------------------- */
/* Does node i hand a gradient on to its operand k? */
static bool passes(const wg_tape *tape, const wg_node *node, int k)
{
    const uint32_t x = wg_node_in(node)[k];
    return !wg_node_is(node, WG_NODE_CUT) && wg_differentiates(node->op, k) &&
           !(node->op->constant_outputs >> node->out & 1) && wg_is_float((wg_dtype)wg_node_at(tape, x)->dtype);
}

static bool is_trained(const wg_node *node)
{
    return wg_node_is(node, WG_NODE_PARAM) && !wg_node_is(node, WG_NODE_FROZEN);
}

/* What a call's later output is marked as, its first one is too: searches go by calls. */
void wg_see_graph(const wg_seen_graph *g)
{
    g->state[g->last] = WG_SEEN_USED | WG_SEEN_ARRIVES;
    for (uint32_t i = g->last + 1; i-- > 0;) {
        const wg_node *node = wg_node_at(g->tape, i);
        unsigned char own = g->state[i];
        if (!own || wg_node_is(node, WG_NODE_LEAF))
            continue;
        g->state[i - node->out] |= own;
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++)
            if (in[k] != WG_ABSENT)
                g->state[in[k]] |= own & WG_SEEN_ARRIVES && passes(g->tape, node, k) ? own : WG_SEEN_USED;
    }
    for (uint32_t i = 0; i <= g->last; i++) {
        const wg_node *node = wg_node_at(g->tape, i);
        const uint32_t *in = wg_node_in(node);
        if (is_trained(node))
            g->state[i] |= WG_SEEN_TRAINED;
        for (int k = 0; !wg_node_is(node, WG_NODE_LEAF) && k < node->n_in; k++)
            if (in[k] != WG_ABSENT)
                g->state[i] |= g->state[in[k]] & WG_SEEN_TRAINED;
    }
}

/* ---- Parameters without gradient --------------------------------------------------------------------------------- */
/* The first node on a way from the parameter to the loss that a gradient comes to and does not go on from. */
static uint32_t cutter_of(const wg_seen_graph *g, uint32_t param)
{
    uint32_t cutter = WG_NOWHERE;
    g->state[param] |= WG_SEEN_MARK;
    for (uint32_t i = param + 1; i <= g->last; i++) {
        const wg_node *node = wg_node_at(g->tape, i);
        const uint32_t *in = wg_node_in(node);
        bool behind = false, goes_on = false;
        for (int k = 0; !wg_node_is(node, WG_NODE_LEAF) && k < node->n_in; k++)
            if (in[k] != WG_ABSENT && g->state[in[k]] & WG_SEEN_MARK) {
                behind = true;
                goes_on |= (g->state[in[k]] & WG_SEEN_ARRIVES) && passes(g->tape, node, k);
            }
        if (behind)
            g->state[i] |= WG_SEEN_MARK;
        if (behind && g->state[i] & WG_SEEN_ARRIVES && !goes_on && cutter == WG_NOWHERE)
            cutter = i;
    }
    for (uint32_t i = param; i <= g->last; i++)
        g->state[i] &= (unsigned char)~WG_SEEN_MARK;
    return cutter;
}

static void cutter_told(const wg_seen_graph *g, wg_watched_param *p)
{
    uint32_t i = cutter_of(g, p->param.node);
    if (i == WG_NOWHERE)
        return;
    wg_node_text(g->tape, i, p->cutter, p->cutter_place);
    const wg_node *node = wg_node_at(g->tape, i);
    if (!node->place && !node->scope)
        p->cutter_place[0] = 0; /* the parameter is told anyway */
    if (wg_node_is(node, WG_NODE_CUT) && !node->op->output_gradient_free)
        snprintf(p->cutter, sizeof p->cutter, "WG_NO_GRAD around %.60s", node->op->name);
}

void wg_see_params(const wg_seen_graph *g)
{
    for (uint32_t k = 0; k < g->d->params; k++) {
        wg_watched_param *p = &g->d->param[k];
        unsigned char state = p->param.node <= g->last ? g->state[p->param.node] : 0;
        p->used += (state & WG_SEEN_USED) != 0;
        p->reached += (state & WG_SEEN_ARRIVES) != 0;
        if (state & WG_SEEN_USED && !(state & WG_SEEN_ARRIVES) && !*p->cutter)
            cutter_told(g, p);
    }
}

/* ---- Units ------------------------------------------------------------------------------------------------------- */
/* An operation on each element that has a corner, as relu has: where all of a unit's values are 0 it is in the flat. */
static bool is_rectifier(const wg_node *node)
{
    return node->op->map && node->op->kinks.n && node->n_in == 1 && node->rank > 1;
}

/* Which axis tells units apart: the channels behind a convolution, whose weights have the rank of its images, else the
 * last one. */
static int unit_axis(const wg_tape *tape, const wg_node *node)
{
    const wg_node *x = node;
    for (int step = 0; step < 4 && !wg_node_is(x, WG_NODE_LEAF) && x->n_in && node->rank == 3; step++) {
        const uint32_t *in = wg_node_in(x);
        for (int k = 1; k < x->n_in; k++)
            if (in[k] != WG_ABSENT && wg_node_is(wg_node_at(tape, in[k]), WG_NODE_PARAM) &&
                wg_node_at(tape, in[k])->rank == 3)
                return 1;
        x = wg_node_at(tape, in[0]);
    }
    return node->rank > 3 ? 1 : node->rank - 1;
}

static void units_seen(const wg_seen_graph *g, uint32_t i, int order)
{
    const wg_node *node = wg_node_at(g->tape, i);
    wg_watched_units *u = &g->d->units[order];
    wg_type type = wg_node_type(node);
    int axis = unit_axis(g->tape, node);
    int64_t n = wg_node_count(node), units = type.dim[axis], inner = 1;
    for (int k = axis + 1; k < type.rank; k++)
        inner *= type.dim[k];
    if (order == g->d->n_units) {
        g->d->n_units++;
        wg_node_text(g->tape, i, u->name, u->place);
        u->units = units;
        u->alive = wg_tape_allocate(g->tape, (size_t)units + 1);
    }
    if (!u->alive || u->units != units || !n || !wg_node_is(node, WG_NODE_CONTIGUOUS))
        return;
    for (int64_t k = 0; k < n; k++) {
        bool on = node->dtype == WG_FLOAT32 ? ((const float *)node->data)[k] > 0 : ((const double *)node->data)[k] > 0;
        u->alive[k / inner % units] |= on;
    }
    u->samples += n / units;
}

/* ---- Data -------------------------------------------------------------------------------------------------------- */
/* Operand k by its name in the entry. */
static bool is_called(const wg_node *node, int k, const char *name)
{
    const char *own = wg_operand_name(node->op, k);
    return k < node->n_in && own && !strcmp(own, name);
}

/* Do data, operand 0, meet a matrix of weights here? */
static bool is_layer(const wg_seen_graph *g, const wg_node *node)
{
    const uint32_t *in = wg_node_in(node);
    for (int k = 1; k < node->n_in && !node->op->map; k++)
        if (in[k] != WG_ABSENT && g->state[in[k]] & WG_SEEN_TRAINED && wg_node_at(g->tape, in[k])->rank > 1)
            return true;
    return false;
}

static bool is_data(const wg_seen_graph *g, uint32_t i)
{
    const wg_node *node = i == WG_ABSENT ? NULL : wg_node_at(g->tape, i);
    return node && !(g->state[i] & WG_SEEN_TRAINED) && wg_is_float((wg_dtype)node->dtype) &&
           !wg_node_is(node, WG_NODE_PARAM | WG_NODE_NUMBER) && wg_node_count(node) >= FEWEST;
}

/* The tensor that i is a view or a copy of another form of. */
static uint32_t seen_through(const wg_tape *tape, uint32_t i)
{
    const wg_node *node = wg_node_at(tape, i);
    while (!wg_node_is(node, WG_NODE_LEAF) && node->op->view) {
        i = wg_node_in(node)[0];
        node = wg_node_at(tape, i);
    }
    return i;
}

static void data_seen(const wg_seen_graph *g, uint32_t i, bool target)
{
    char what[WG_NAME_KEPT], where[WG_NAME_KEPT];
    const wg_node *node = wg_node_at(g->tape, i);
    wg_node_text(g->tape, i, what, where);
    wg_see_input(g->d, node, wg_name_or_op(wg_node_at(g->tape, seen_through(g->tape, i))), where, target);
}

static int64_t number_at(const wg_node *node, int64_t i)
{
    unsigned char one[8];
    wg_type type = wg_node_type(node);
    wg_gather_range(&type, wg_node_stride(node), node->data, i, 1, one);
    return (int64_t)wg_load_number(type.dtype, one);
}

/* Targets that repeat the words they stand beside are not shifted. */
static void copies_seen(const wg_seen_graph *g, const wg_node *y)
{
    wg_watched_labels *l = &g->d->labels;
    for (uint32_t i = 0; i <= g->last; i++) {
        const wg_node *node = wg_node_at(g->tape, i);
        if (!(g->state[i] & WG_SEEN_TRAINED) || wg_node_is(node, WG_NODE_LEAF) || !is_called(node, 1, "indices"))
            continue;
        const wg_node *words = wg_node_at(g->tape, wg_node_in(node)[1]);
        int64_t n = wg_node_count(words);
        if (n != wg_node_count(y) || n < FEWEST)
            continue;
        for (int64_t k = 0; k < n; k++)
            l->copied += number_at(words, k) == number_at(y, k);
        l->compared += n;
        return;
    }
}

static void labels_seen(const wg_seen_graph *g, const wg_node *loss, uint32_t target, uint32_t input)
{
    const wg_node *y = wg_node_at(g->tape, target);
    wg_type scores = wg_node_type(wg_node_at(g->tape, wg_node_in(loss)[0]));
    wg_see_labels(g->d, y, scores.rank > 1 ? scores.dim[1] : scores.dim[0],
                  wg_name_or_op(wg_node_at(g->tape, seen_through(g->tape, target))));
    copies_seen(g, y);
    if (input != WG_ABSENT)
        wg_see_pairs(g->d, wg_node_at(g->tape, input), y);
}

void wg_see_nodes(const wg_seen_graph *g)
{
    int rectifiers = 0;
    uint32_t input = WG_ABSENT;
    for (uint32_t i = 0; i <= g->last; i++) {
        const wg_node *node = wg_node_at(g->tape, i);
        if (!(g->state[i] & WG_SEEN_USED) || wg_node_is(node, WG_NODE_LEAF) || !(g->state[i] & WG_SEEN_TRAINED))
            continue;
        const uint32_t *in = wg_node_in(node);
        if (is_rectifier(node) && rectifiers < WG_WATCHED_UNITS)
            units_seen(g, i, rectifiers++);
        if (g->d->steps > STEPS_MEASURED)
            continue;
        if (is_layer(g, node) && is_data(g, in[0])) {
            data_seen(g, in[0], false);
            input = input == WG_ABSENT ? in[0] : input;
        }
        if (!is_called(node, 1, "target") || in[1] == WG_ABSENT)
            continue;
        if (is_data(g, in[1]))
            data_seen(g, in[1], true);
        else if (wg_is_integer((wg_dtype)wg_node_at(g->tape, in[1])->dtype))
            labels_seen(g, node, in[1], input);
    }
}
