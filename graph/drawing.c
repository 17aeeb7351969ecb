/* The drawing model. In a few passes over the nodes that the root depends on: which they are, to which scope each
 * belongs, what each is drawn as, and which tensors run between. Nothing recurses over the tape. */
#include "graph/drawing.h"

/* ---- Questions about nodes --------------------------------------------------------------------------------------- */
const char *wg_node_name(const wg_node *node) { return node->extra && node->extra->name ? node->extra->name : ""; }

static bool is_param(const wg_node *node) { return wg_node_is(node, WG_NODE_PARAM); }
static bool is_leaf(const wg_node *node) { return wg_node_is(node, WG_NODE_LEAF); }

uint32_t wg_drawing_source(const wg_drawing *d, uint32_t node)
{
    while (!d->options.views && node != d->root) {
        const wg_node *n = wg_node_at(d->tape, node);
        if (!n->op->view || !n->n_in || wg_node_in(n)[0] == WG_ABSENT)
            break;
        node = wg_node_in(n)[0];
    }
    return node;
}

double wg_node_norm(const wg_node *node)
{
    wg_type type = wg_node_type(node);
    int64_t n = wg_node_count(node);
    double scale = 0, sum = 1;
    for (int64_t i = 0; i < n; i++) {
        unsigned char one[8];
        wg_gather_range(&type, wg_node_stride(node), node->data, i, 1, one);
        double v = fabs(wg_load_number(type.dtype, one));
        if (v > scale) {
            sum = 1 + sum * (scale / v) * (scale / v);
            scale = v;
        } else if (v > 0) {
            sum += v / scale * (v / scale);
        } else if (v != v) {
            return v;
        }
    }
    return scale * sqrt(sum);
}

const wg_node *wg_node_gradient(const wg_tape *tape, const wg_node *param)
{
    const wg_extra *extra = param->extra;
    return extra && extra->has_grad && extra->grad != WG_ABSENT ? wg_node_at(tape, extra->grad) : NULL;
}

/* Room for n entries and one to spare. */
static void *zeroed(wg_tape *tape, size_t n, size_t size)
{
    void *memory = wg_arena(tape, (n + 1) * size);
    if (memory)
        memset(memory, 0, (n + 1) * size);
    return memory;
}

/* ---- Which nodes ------------------------------------------------------------------------------------------------- */
static void reached_from_root(wg_drawing *d, unsigned char *reached)
{
    reached[wg_call_first(d->tape, d->root)] = 1;
    for (uint32_t i = d->root + 1; i-- > 0;) {
        const wg_node *node = wg_node_at(d->tape, i);
        if (!reached[i] || is_leaf(node))
            continue;
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++)
            if (in[k] != WG_ABSENT)
                reached[wg_call_first(d->tape, wg_drawing_source(d, in[k]))] = 1;
    }
}

/* Numbers are written into the operation that takes them. */
static bool is_drawn(const wg_node *node) { return !wg_node_is(node, WG_NODE_NUMBER); }

static void count_graph(wg_drawing *d, const unsigned char *reached)
{
    int64_t float32 = 0, float64 = 0;
    for (uint32_t i = 0; i <= d->root; i++) {
        const wg_node *node = wg_node_at(d->tape, i);
        d->id[i] = d->item_of[i] = WG_NOWHERE;
        if (!reached[i] || !is_drawn(node))
            continue;
        d->id[i] = d->nodes++;
        float32 += node->dtype == WG_FLOAT32;
        float64 += node->dtype == WG_FLOAT64;
        if (is_param(node)) {
            d->parameters += wg_node_count(node);
            d->parameter_bytes += (double)wg_node_count(node) * (double)wg_dtype_size((wg_dtype)node->dtype);
        }
    }
    d->usual = float64 > float32 ? WG_FLOAT64 : WG_FLOAT32;
}

/* ---- Items ------------------------------------------------------------------------------------------------------- */
static uint32_t item_add(wg_drawing *d, wg_item_kind kind, uint32_t node, uint32_t scope)
{
    d->item[d->items] = (wg_shown){.kind = kind, .node = node, .id = d->id[node], .scope = scope, .card = WG_NOWHERE,
                                    .above = WG_NOWHERE};
    return d->items++;
}

/* How many calls take each parameter; the last of them. */
static void count_users(const wg_drawing *d, uint32_t *users, uint32_t *last)
{
    for (uint32_t i = 0; i <= d->root; i++) {
        const wg_node *node = wg_node_at(d->tape, i);
        if (d->id[i] == WG_NOWHERE || is_leaf(node))
            continue;
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++) {
            uint32_t x = in[k] == WG_ABSENT ? WG_ABSENT : wg_drawing_source(d, in[k]);
            if (x == WG_ABSENT || last[x] == i)
                continue;
            users[x]++;
            last[x] = i;
        }
    }
}

/* The card of the parameters that only this call takes. */
static void card_add(wg_drawing *d, uint32_t op, const uint32_t *users, uint32_t *rows)
{
    const wg_node *node = wg_node_at(d->tape, d->item[op].node);
    const uint32_t *in = wg_node_in(node);
    uint32_t card = WG_NOWHERE;
    for (int k = 0; k < node->n_in; k++) {
        uint32_t x = in[k] == WG_ABSENT ? WG_ABSENT : wg_drawing_source(d, in[k]);
        if (x == WG_ABSENT || !is_param(wg_node_at(d->tape, x)) || users[x] != 1 || d->item_of[x] != WG_NOWHERE)
            continue;
        if (card == WG_NOWHERE) {
            card = item_add(d, WG_ITEM_CARD, x, d->item[op].scope);
            d->item[op].card = card;
            d->item[card].first_row = *rows;
        }
        d->row[(*rows)++] = x;
        d->item[card].rows++;
        d->item_of[x] = card;
    }
}

static wg_item_kind kind_of(const wg_drawing *d, uint32_t i)
{
    const wg_node *node = wg_node_at(d->tape, i);
    if (i == wg_call_first(d->tape, d->root))
        return WG_ITEM_ROOT;
    if (is_param(node))
        return WG_ITEM_PARAM;
    return !is_leaf(node) ? WG_ITEM_OP : *wg_node_name(node) ? WG_ITEM_INPUT : WG_ITEM_CONSTANT;
}

static bool items_make(wg_drawing *d, const uint32_t *users)
{
    uint32_t rows = 0;
    for (uint32_t i = 0; i <= d->root; i++) {
        const wg_node *node = wg_node_at(d->tape, i);
        if (d->id[i] == WG_NOWHERE || (is_param(node) && users[i] == 1))
            continue;
        uint32_t scope = is_leaf(node) ? 0 : wg_scope_of_node(d, node);
        if (scope == WG_NOWHERE)
            return false;
        uint32_t item = item_add(d, kind_of(d, i), i, scope);
        d->item_of[i] = item;
        if (is_leaf(node))
            d->item[item].uses = is_param(node) ? users[i] : 0;
        else
            card_add(d, item, users, &rows);
    }
    return true;
}

/* Parameters of the tape that a root with parameters does not reach are shown on one grey card: that is seldom
 * meant. */
static void unused_add(wg_drawing *d, const unsigned char *reached)
{
    uint32_t rows = 0, card = WG_NOWHERE;
    for (uint32_t i = 0; i < d->items; i++)
        rows += d->item[i].rows;
    for (uint32_t i = 0; i <= d->root && d->parameters; i++) {
        if (!is_param(wg_node_at(d->tape, i)) || reached[i])
            continue;
        if (card == WG_NOWHERE) {
            d->id[i] = d->nodes;
            card = item_add(d, WG_ITEM_UNUSED, i, 0);
            d->item[card].first_row = rows;
        }
        d->row[rows++] = i;
        d->item[card].rows++;
        d->item_of[i] = card;
    }
}

/* Where something that is not finite starts, and what it spreads to. */
static bool bad_mark(wg_drawing *d, const unsigned char *reached)
{
    uint32_t first = wg_first_nonfinite(d->tape, d->root, reached);
    if (first == WG_NOWHERE)
        return true;
    uint32_t item = d->item_of[wg_call_first(d->tape, first)];
    if (item != WG_NOWHERE)
        d->item[item].bad = true;
    d->tainted = zeroed(d->tape, (size_t)d->root + 1, 1);
    for (uint32_t i = first; d->tainted && i <= d->root; i++)
        d->tainted[i] = reached[wg_call_first(d->tape, i)] && !wg_node_finite(wg_node_at(d->tape, i));
    return d->tainted;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
/* No more items than nodes, a card an operation and a closed scope an operation. */
static bool tables_made(wg_drawing *d, size_t nodes)
{
    d->item = zeroed(d->tape, 3 * nodes + 1, sizeof *d->item);
    d->row = zeroed(d->tape, nodes, sizeof *d->row);
    d->id = zeroed(d->tape, nodes, sizeof *d->id);
    d->item_of = zeroed(d->tape, nodes, sizeof *d->item_of);
    return d->item && d->row && d->id && d->item_of && wg_scopes_begin(d);
}

static bool drawing_filled(wg_drawing *d)
{
    size_t n = (size_t)d->root + 1;
    unsigned char *reached = zeroed(d->tape, n, 1);
    uint32_t *users = zeroed(d->tape, n, sizeof *users), *last = zeroed(d->tape, n, sizeof *last);
    if (!reached || !users || !last || !tables_made(d, n))
        return false;
    reached_from_root(d, reached);
    count_graph(d, reached);
    memset(last, 0xff, n * sizeof *last);
    count_users(d, users, last);
    if (!items_make(d, users))
        return false;
    unused_add(d, reached);
    if (!bad_mark(d, reached))
        return false;
    return wg_scopes_close(d) && wg_edges_make(d);
}

static bool gradients_measured(wg_drawing *d)
{
    bool any = false;
    for (uint32_t i = 0; i <= d->root; i++) {
        const wg_node *node = wg_node_at(d->tape, i);
        const wg_node *grad = is_param(node) ? wg_node_gradient(d->tape, node) : NULL;
        if (!grad)
            continue;
        any = true;
        d->top_norm = fmax(d->top_norm, wg_node_norm(grad));
    }
    return any;
}

wg_drawing *wg_drawing_make(wg_tensor root, const char *name, const wg_draw_options *options)
{
    if (!wg_node_of(root, name))
        return NULL;
    wg_drawing *d = zeroed(root.tape, 1, sizeof *d);
    if (d) {
        d->tape = root.tape;
        d->root = root.node;
        d->options = *options;
        d->title = options->title ? options->title : "graph";
        d->facts = wg_facts_of_tape(&root, 1, name, d->title, options->overlay == WG_SHOW_VALUES);
        if (!d->facts)
            return NULL;
    }
    if (!d || !drawing_filled(d)) {
        wg_no_memory(root.tape, name, sizeof *d);
        return NULL;
    }
    if (options->overlay == WG_SHOW_GRAD && !gradients_measured(d)) {
        wg_report(root.tape, name, WG_ERROR_VALUE, "no gradients on this tape; call wg_backward first");
        return NULL;
    }
    return d;
}
