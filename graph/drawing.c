/* The drawing model. In four passes over the nodes that the root depends on: which they are, to which scope each belongs,
 * what each is drawn as, and which tensors run between. Nothing recurses over the tape. */
#include "graph/drawing.h"

#include <stdlib.h>

#define PAGE 150 /* drawn nodes that fit one */

/* ---- Questions about nodes --------------------------------------------------------------------------------------- */
const char *wg_node_name(const wg_node *node) { return node->extra && node->extra->name ? node->extra->name : ""; }

static bool is_param(const wg_node *node) { return wg_node_is(node, WG_NODE_PARAM); }
static bool is_leaf(const wg_node *node) { return wg_node_is(node, WG_NODE_LEAF); }

/* The first node of the call that a node is an output of. */
static uint32_t call_of(const wg_tape *tape, uint32_t node) { return node - wg_node_at(tape, node)->out; }

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

/* ---- Which nodes ------------------------------------------------------------------------------------------------- */
static bool reached_from_root(wg_drawing *d, unsigned char *reached)
{
    reached[call_of(d->tape, d->root)] = 1;
    for (uint32_t i = d->root + 1; i-- > 0;) {
        const wg_node *node = wg_node_at(d->tape, i);
        if (!reached[i] || is_leaf(node))
            continue;
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++)
            if (in[k] != WG_ABSENT)
                reached[call_of(d->tape, wg_drawing_source(d, in[k]))] = 1;
    }
    return true;
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

/* ---- Scopes ------------------------------------------------------------------------------------------------------ */
static const char *copied(wg_tape *tape, const char *text, size_t n)
{
    char *copy = wg_arena(tape, n + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, n);
    copy[n] = 0;
    return copy;
}

/* The scope of the first `n` bytes of path beneath parent, made on first use. */
static uint32_t scope_of(wg_drawing *d, uint32_t parent, const char *path, size_t start, size_t n)
{
    for (uint32_t s = 1; s < d->scopes; s++)
        if (d->scope[s].parent == parent && strlen(d->scope[s].path) == n && !strncmp(d->scope[s].path, path, n))
            return s;
    wg_place_in *scope = &d->scope[d->scopes];
    *scope = (wg_place_in){.parent = parent, .name = copied(d->tape, path + start, n - start),
                           .path = copied(d->tape, path, n), .depth = d->scope[parent].depth + 1, .closed = WG_NOWHERE};
    return scope->name && scope->path ? d->scopes++ : parent;
}

/* The scope of a dotted path; "block.0.attn" is attn in block.0. */
static uint32_t scope_of_path(wg_drawing *d, const char *path, size_t size)
{
    uint32_t at = 0;
    for (size_t start = 0, end = 0; end < size && d->scopes + 1 < d->nodes + 64; start = end + 1) {
        for (end = start; end < size && path[end] != '.'; end++)
            ;
        while (end + 1 < size && path[end + 1] >= '0' && path[end + 1] <= '9')
            for (end++; end < size && path[end] != '.'; end++)
                ;
        if (end > start)
            at = scope_of(d, at, path, start, end);
    }
    return at;
}

/* What the names of the parameters that a call takes have in common before their last dot; 0: nothing. */
static size_t common_prefix(const wg_drawing *d, const wg_node *node, const char **name)
{
    size_t size = 0;
    const uint32_t *in = wg_node_in(node);
    *name = NULL;
    for (int k = 0; k < node->n_in; k++) {
        if (in[k] == WG_ABSENT || !is_param(wg_node_at(d->tape, wg_drawing_source(d, in[k]))))
            continue;
        const char *own = wg_node_name(wg_node_at(d->tape, wg_drawing_source(d, in[k]))), *dot = strrchr(own, '.');
        size_t n = dot ? (size_t)(dot - own) : 0;
        if (*name && (n != size || strncmp(own, *name, n)))
            return 0;
        *name = own;
        size = n;
    }
    return *name ? size : 0;
}

static uint32_t scope_of_node(wg_drawing *d, const wg_node *node)
{
    char path[512];
    if (node->scope) {
        wg_scope_path(d->tape, node->scope, path, sizeof path);
        return scope_of_path(d, path, strlen(path));
    }
    const char *name;
    size_t size = common_prefix(d, node, &name);
    return size ? scope_of_path(d, name, size) : 0;
}

/* ---- Items ------------------------------------------------------------------------------------------------------- */
static uint32_t item_add(wg_drawing *d, wg_item_kind kind, uint32_t node, uint32_t scope)
{
    d->item[d->items] = (wg_shown){.kind = kind, .node = node, .id = d->id[node], .scope = scope, .user = WG_NOWHERE};
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
            d->item[card].user = op;
            d->item[card].first_row = *rows;
        }
        d->row[(*rows)++] = x;
        d->item[card].rows++;
        d->item_of[x] = card;
    }
}

static void items_make(wg_drawing *d, const uint32_t *users)
{
    uint32_t rows = 0;
    for (uint32_t i = 0; i <= d->root; i++) {
        const wg_node *node = wg_node_at(d->tape, i);
        if (d->id[i] == WG_NOWHERE || (is_param(node) && users[i] == 1))
            continue;
        wg_item_kind kind = i == call_of(d->tape, d->root) ? WG_ITEM_ROOT
                            : is_param(node)               ? WG_ITEM_PARAM
                            : !is_leaf(node)               ? WG_ITEM_OP
                            : *wg_node_name(node)          ? WG_ITEM_INPUT
                                                           : WG_ITEM_CONSTANT;
        uint32_t scope = is_leaf(node) ? 0 : scope_of_node(d, node);
        uint32_t item = item_add(d, kind, i, scope);
        d->item_of[i] = item;
        if (is_leaf(node))
            continue;
        card_add(d, item, users, &rows);
        d->scope[scope].ops++;
    }
}

/* Parameters of the tape that a root with parameters does not reach are shown on one grey card: that is seldom meant. */
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

static void bad_mark(wg_drawing *d)
{
    wg_tensor at;
    if (!wg_find_nonfinite(d->tape, &at) || at.node > d->root)
        return;
    uint32_t i = call_of(d->tape, at.node);
    if (d->item_of[i] != WG_NOWHERE && d->item[d->item_of[i]].kind == WG_ITEM_OP)
        d->item[d->item_of[i]].kind = WG_ITEM_BAD;
}

/* ---- Closed scopes ----------------------------------------------------------------------------------------------- */
static void scopes_counted(wg_drawing *d)
{
    for (uint32_t s = 0; s < d->scopes; s++)
        d->scope[s].below = d->scope[s].ops;
    for (uint32_t s = d->scopes; s-- > 1;)
        d->scope[d->scope[s].parent].below += d->scope[s].below;
    for (uint32_t i = 0; i < d->items; i++)
        for (uint32_t r = 0; d->item[i].kind == WG_ITEM_CARD && r < d->item[i].rows; r++)
            for (uint32_t s = d->item[i].scope; s; s = d->scope[s].parent)
                d->scope[s].parameters += wg_node_count(wg_node_at(d->tape, d->row[d->item[i].first_row + r]));
}

/* Drawn nodes with scopes deeper than `depth` closed. */
static uint32_t drawn_at(const wg_drawing *d, int depth)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->items; i++)
        n += d->scope[d->item[i].scope].depth <= depth;
    for (uint32_t s = 1; s < d->scopes; s++)
        n += d->scope[s].depth == depth + 1;
    return n;
}

static void scopes_close(wg_drawing *d)
{
    int deepest = 0, depth = d->options.depth;
    for (uint32_t s = 0; s < d->scopes; s++)
        deepest = d->scope[s].depth > deepest ? d->scope[s].depth : deepest;
    if (depth <= 0)
        for (depth = deepest; depth > 0 && drawn_at(d, depth) > PAGE; depth--)
            ;
    uint32_t items = d->items;
    for (uint32_t s = 1; s < d->scopes && depth < deepest; s++) {
        if (d->scope[s].depth <= depth)
            continue;
        if (d->scope[s].depth > depth + 1) { /* inside a closed one */
            d->scope[s].closed = d->scope[d->scope[s].parent].closed;
            continue;
        }
        uint32_t first = WG_NOWHERE;
        for (uint32_t i = 0; i < items && first == WG_NOWHERE; i++)
            for (uint32_t at = d->item[i].scope; at; at = d->scope[at].parent)
                if (at == s && d->item[i].kind != WG_ITEM_CARD)
                    first = i;
        if (first == WG_NOWHERE)
            continue;
        d->scope[s].closed = item_add(d, WG_ITEM_CLOSED, d->item[first].node, d->scope[s].parent);
        d->item[d->scope[s].closed].user = s;
        d->closed_by_itself += d->options.depth <= 0;
    }
}

/* ---- Edges ------------------------------------------------------------------------------------------------------- */
/* What stands for an item: itself, or the closed scope it is in. */
static uint32_t seen_as(const wg_drawing *d, uint32_t item)
{
    uint32_t closed = d->scope[d->item[item].scope].closed;
    return d->item[item].kind != WG_ITEM_CLOSED && closed != WG_NOWHERE ? closed : item;
}

static bool edge_known(const wg_drawing *d, uint32_t first, uint32_t from, uint32_t to, uint32_t node)
{
    for (uint32_t e = first; e < d->edges; e++)
        if (d->edge[e].from == from && d->edge[e].to == to && (d->edge[e].node == node || d->item[from].kind == WG_ITEM_CARD))
            return true;
    return false;
}

/* Do several computed operands come in, so that their names matter? */
static bool operands_named(const wg_drawing *d, const wg_node *node)
{
    int computed = 0;
    const uint32_t *in = wg_node_in(node);
    for (int k = 0; k < node->n_in; k++)
        computed += in[k] != WG_ABSENT && !is_leaf(wg_node_at(d->tape, wg_drawing_source(d, in[k])));
    return computed >= 2 && node->op->in[1].name && !node->op->map;
}

static void edges_into(wg_drawing *d, uint32_t item, unsigned char *labelled)
{
    const wg_node *node = wg_node_at(d->tape, d->item[item].node);
    const uint32_t *in = wg_node_in(node);
    uint32_t first = d->edges;
    bool named = operands_named(d, node);
    for (int k = 0; k < node->n_in; k++) {
        uint32_t x = in[k] == WG_ABSENT ? WG_ABSENT : wg_drawing_source(d, in[k]);
        uint32_t source = x == WG_ABSENT ? WG_NOWHERE : d->item_of[call_of(d->tape, x)];
        if (source == WG_NOWHERE)
            continue;
        uint32_t from = seen_as(d, source), to = seen_as(d, item);
        if (from == to || edge_known(d, first, from, to, x))
            continue;
        wg_item_kind kind = d->item[from].kind;
        bool told = kind == WG_ITEM_CARD || kind == WG_ITEM_PARAM || kind == WG_ITEM_CONSTANT ||
                    (kind == WG_ITEM_INPUT && !d->item[from].main);
        d->edge[d->edges++] = (wg_edge){.from = from, .to = to, .node = x, .operand = k, .named = named,
                                        .labelled = !told && !labelled[x]};
        labelled[x] = 1;
    }
}

/* The straight column: from the root up along the operand that carries a gradient or, failing that, the first. */
static void main_path(wg_drawing *d)
{
    uint32_t item = d->item_of[call_of(d->tape, d->root)];
    while (item != WG_NOWHERE && !d->item[item].main) {
        d->item[item].main = true;
        const wg_node *node = wg_node_at(d->tape, d->item[item].node);
        if (is_leaf(node))
            return;
        const uint32_t *in = wg_node_in(node);
        uint32_t next = WG_NOWHERE;
        for (int pass = 0; pass < 2 && next == WG_NOWHERE; pass++)
            for (int k = 0; k < node->n_in && next == WG_NOWHERE; k++) {
                uint32_t x = in[k] == WG_ABSENT ? WG_ABSENT : wg_drawing_source(d, in[k]);
                if (x == WG_ABSENT || is_param(wg_node_at(d->tape, x)))
                    continue;
                if (pass || !(wg_node_at(d->tape, x)->flags & (WG_NODE_CUT | WG_NODE_LEAF)))
                    next = d->item_of[call_of(d->tape, x)];
            }
        item = next;
    }
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
static void *zeroed(wg_tape *tape, size_t n, size_t size)
{
    void *memory = wg_arena(tape, (n + 1) * size);
    if (memory)
        memset(memory, 0, (n + 1) * size);
    return memory;
}

static size_t count_operands(const wg_drawing *d, const unsigned char *reached)
{
    size_t n = 0;
    for (uint32_t i = 0; i <= d->root; i++)
        if (reached[i] && !is_leaf(wg_node_at(d->tape, i)))
            n += wg_node_at(d->tape, i)->n_in;
    return n;
}

/* Room for everything: no more items than nodes, a card an operation and a closed scope a scope. */
static bool tables_made(wg_drawing *d, size_t nodes, size_t operands)
{
    d->item = zeroed(d->tape, 4 * nodes + 64, sizeof *d->item);
    d->edge = zeroed(d->tape, operands, sizeof *d->edge);
    d->scope = zeroed(d->tape, nodes + 128, sizeof *d->scope);
    d->row = zeroed(d->tape, nodes, sizeof *d->row);
    if (!d->item || !d->edge || !d->scope || !d->row)
        return false;
    d->scope[0] = (wg_place_in){.name = "", .path = "", .closed = WG_NOWHERE};
    d->scopes = 1;
    return true;
}

static bool drawing_filled(wg_drawing *d)
{
    size_t n = (size_t)d->root + 1;
    unsigned char *reached = zeroed(d->tape, n, 1), *labelled = zeroed(d->tape, n, 1);
    uint32_t *users = zeroed(d->tape, n, sizeof *users), *last = zeroed(d->tape, n, sizeof *last);
    d->id = zeroed(d->tape, n, sizeof *d->id);
    d->item_of = zeroed(d->tape, n, sizeof *d->item_of);
    if (!reached || !labelled || !users || !last || !d->id || !d->item_of)
        return false;
    reached_from_root(d, reached);
    count_graph(d, reached);
    if (!tables_made(d, n, count_operands(d, reached)))
        return false;
    memset(last, 0xff, n * sizeof *last);
    count_users(d, users, last);
    items_make(d, users);
    unused_add(d, reached);
    bad_mark(d);
    scopes_counted(d);
    scopes_close(d);
    main_path(d);
    for (uint32_t i = 0, items = d->items; i < items; i++)
        if (!is_leaf(wg_node_at(d->tape, d->item[i].node)) && d->item[i].kind != WG_ITEM_CLOSED)
            edges_into(d, i, labelled);
    return true;
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
