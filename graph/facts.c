/* The facts of a graph, taken from the tape: in a few passes over the nodes that the roots depend on, nothing
 * recurses. */
#include "graph/facts.h"

#include "graph/observe.h"
#include "graph/scan.h"

/* ---- Questions about nodes of a tape ----------------------------------------------------------------------------- */
static const char *name_of(const wg_node *node) { return node->extra && node->extra->name ? node->extra->name : ""; }
static bool is_param(const wg_node *node) { return wg_node_is(node, WG_NODE_PARAM); }
static bool is_leaf(const wg_node *node) { return wg_node_is(node, WG_NODE_LEAF); }
static bool is_number(const wg_node *node) { return wg_node_is(node, WG_NODE_NUMBER); }
static uint32_t first_of_call(const wg_tape *tape, uint32_t node) { return node - wg_node_at(tape, node)->out; }

const wg_node *wg_node_gradient(const wg_tape *tape, const wg_node *param)
{
    const wg_extra *extra = param->extra;
    return extra && extra->has_grad && extra->grad != WG_ABSENT ? wg_node_at(tape, extra->grad) : NULL;
}

int64_t wg_tensor_elements(const wg_tensor_fact *t) { return wg_type_count(&t->type); }

double wg_tensor_bytes(const wg_tensor_fact *t)
{
    return (double)wg_type_count(&t->type) * (double)wg_dtype_size(t->type.dtype);
}

/* ---- Being filled ------------------------------------------------------------------------------------------------ */
typedef struct {
    wg_facts *f;
    const wg_tape *tape;
    const wg_tensor *roots;
    int n_roots;
    bool measure, learns;   /* learns: there are parameters that a root depends on */
    uint32_t last;          /* the last node of the tape that matters */
    unsigned char *reached; /* by node of the tape: the first of a call that a root depends on */
    unsigned char *needed;  /* the chain rule of some call reads its buffer */
    uint32_t *at;           /* its place among the facts */
    uint32_t *through;      /* the leaf or operation that it is a view of, through any number of views; itself */
    const char **scope;     /* paths by the tape's number of the scope; NULL: not asked for yet */
} filling;

static void *zeroed(wg_tape *tape, size_t n, size_t size)
{
    void *memory = n < SIZE_MAX / size ? wg_arena(tape, (n + 1) * size) : NULL;
    if (memory)
        memset(memory, 0, (n + 1) * size);
    return memory;
}

static const char *copied(const filling *s, const char *text, size_t n)
{
    char *copy = n ? wg_arena(s->f->tape, n + 1) : NULL;
    if (!n)
        return "";
    if (copy) {
        memcpy(copy, text, n);
        copy[n] = 0;
    }
    return copy;
}

/* ---- Which nodes ------------------------------------------------------------------------------------------------- */
static bool is_root(const filling *s, uint32_t first)
{
    for (int r = 0; r < s->n_roots; r++)
        if (first_of_call(s->tape, s->roots[r].node) == first)
            return true;
    return false;
}

static void reach(const filling *s)
{
    for (int r = 0; r < s->n_roots; r++)
        s->reached[first_of_call(s->tape, s->roots[r].node)] = 1;
    for (uint32_t i = s->last + 1; i-- > 0;) {
        const wg_node *node = wg_node_at(s->tape, i);
        if (!s->reached[i] || is_leaf(node))
            continue;
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++)
            if (in[k] != WG_ABSENT && !is_number(wg_node_at(s->tape, in[k])))
                s->reached[first_of_call(s->tape, in[k])] = 1;
    }
}

/* Parameters that no root depends on are told of where there are others that one does: that is seldom meant. */
static bool is_unused(const filling *s, uint32_t i)
{
    return s->learns && !s->reached[i] && is_param(wg_node_at(s->tape, i));
}

/* Room for the nodes, outputs and operands that there will be; the places of nodes among the facts. */
static bool rooms(filling *s)
{
    wg_facts *f = s->f;
    size_t nodes = 0, outputs = 0, operands = 0;
    for (uint32_t i = 0; i <= s->last; i++)
        s->learns |= s->reached[i] && is_param(wg_node_at(s->tape, i));
    for (uint32_t i = 0; i <= s->last; i++) {
        const wg_node *node = wg_node_at(s->tape, i);
        s->at[i] = WG_NOWHERE;
        if (!s->reached[i] && !is_unused(s, i))
            continue;
        if (s->reached[i])
            s->at[i] = f->used++;
        nodes++;
        outputs += node->n_out;
        operands += is_leaf(node) ? 0 : node->n_in;
    }
    f->node = zeroed(f->tape, nodes, sizeof *f->node);
    f->output = zeroed(f->tape, outputs, sizeof *f->output);
    f->operand = zeroed(f->tape, operands, sizeof *f->operand);
    f->root = zeroed(f->tape, (size_t)s->n_roots, sizeof *f->root);
    return f->node && f->output && f->operand && f->root;
}

/* ---- Scopes ------------------------------------------------------------------------------------------------------ */
static void views_seen_through(const filling *s)
{
    for (uint32_t i = 0; i <= s->last; i++) {
        const wg_node *node = wg_node_at(s->tape, i);
        bool view = !is_leaf(node) && node->op->view && node->n_in && wg_node_in(node)[0] != WG_ABSENT;
        s->through[i] = view ? s->through[wg_node_in(node)[0]] : i;
    }
}

static const wg_node *seen_through(const filling *s, uint32_t node) { return wg_node_at(s->tape, s->through[node]); }

/* What the names of the parameters that a call takes have in common before their last dot; 0: nothing. */
static size_t common_prefix(const filling *s, const wg_node *node, const char **name)
{
    size_t size = 0;
    const uint32_t *in = wg_node_in(node);
    *name = NULL;
    for (int k = 0; k < node->n_in; k++) {
        const wg_node *x = in[k] == WG_ABSENT ? NULL : seen_through(s, in[k]);
        if (!x || !is_param(x))
            continue;
        const char *own = name_of(x), *dot = strrchr(own, '.');
        size_t n = dot ? (size_t)(dot - own) : 0;
        if (*name && (n != size || memcmp(own, *name, n)))
            return 0;
        *name = own;
        size = n;
    }
    return *name ? size : 0;
}

/* What a derivative recorded is in a scope of its own, and there in that of what it is the derivative of. */
static const char *derived_scope(const filling *s, const char *path, size_t n)
{
    char derived[1200];
    int size = snprintf(derived, sizeof derived, "backward%s%.*s", n ? "." : "", n < 1100 ? (int)n : 1100, path);
    return copied(s, derived, (size_t)size);
}

/* That which was open when the call was recorded, else that of its parameters' dotted names. NULL: no memory. */
static const char *scope_of(const filling *s, const wg_node *node)
{
    char path[1024];
    const char *name = NULL;
    if (is_leaf(node))
        return "";
    if (!node->scope || node->derived) {
        size_t n = node->scope ? 0 : common_prefix(s, node, &name);
        if (!node->derived)
            return copied(s, name, n);
        wg_scope_path(s->tape, node->scope, path, sizeof path);
        return derived_scope(s, n ? name : path, n ? n : strlen(path));
    }
    if (!s->scope[node->scope]) {
        wg_scope_path(s->tape, node->scope, path, sizeof path);
        s->scope[node->scope] = copied(s, path, strlen(path));
    }
    return s->scope[node->scope];
}

/* ---- What a call says of itself ---------------------------------------------------------------------------------- */
static double number_of(const wg_node *node) { return wg_load_number((wg_dtype)node->dtype, node->data); }

static bool commutes(const wg_op *op)
{
    return op->map && (!strcmp(op->map->value, "a + b") || !strcmp(op->map->value, "a * b"));
}

/* "2" of multiply(x, 2); "1, ·" of divide(1, x); "×200" of a loop that is one node. */
static const char *numbers_of(const filling *s, const wg_node *node)
{
    char text[200] = "";
    size_t used = 0;
    const uint32_t *in = wg_node_in(node);
    int64_t rounds = wg_scan_count(node);
    if (rounds)
        used = (size_t)snprintf(text, sizeof text, "\xc3\x97%lld", (long long)rounds);
    for (int k = 0; k < node->n_in && used + 60 < sizeof text; k++) {
        const wg_node *x = in[k] == WG_ABSENT ? NULL : wg_node_at(s->tape, in[k]);
        if (!x || !is_number(x))
            continue;
        bool later = false;
        for (int i = k + 1; i < node->n_in; i++)
            later |= in[i] != WG_ABSENT && !is_number(wg_node_at(s->tape, in[i]));
        used += (size_t)snprintf(text + used, sizeof text - used, "%s", used ? ", " : "");
        wg_number_text(number_of(x), 6, text + used, sizeof text - used);
        used += strlen(text + used);
        if (later && !commutes(node->op))
            used += (size_t)snprintf(text + used, sizeof text - used, ", \xc2\xb7");
    }
    return copied(s, text, used);
}

/* Is an axis the one that its default comes to for operands of this rank, or are the axes all of them? */
static bool is_default_axis(const wg_attr *attr, const void *own, const void *standard, int rank)
{
    const int *axis = own, *usual = standard;
    if (attr->kind == WG_ATTR_AXIS)
        return *usual != WG_NO_AXIS && *axis == *usual + (*usual < 0 ? rank + attr->extra_rank : 0);
    const wg_axes *axes = own, *these = standard;
    if (attr->kind != WG_ATTR_AXES || attr->required)
        return false;
    bool all = these->n == 0 || wg_is_no_axes(these), same = axes->n == (all ? rank : these->n);
    for (int i = 0; same && i < axes->n; i++)
        same = axes->at[i] == (all ? i : these->at[i] < 0 ? these->at[i] + rank : these->at[i]);
    return same;
}

/* "9 ops" of a checkpoint, "9 ops each" of a loop that is one node. */
static const char *body_of(const filling *s, const wg_node *node)
{
    char text[40];
    bool loop = wg_scan_count(node) > 0;
    const wg_closure_options *o = loop || node->op == &wg_checkpoint_op ? wg_node_options(node) : NULL;
    if (!o)
        return "";
    int n = snprintf(text, sizeof text, "%u %s%s", o->f.operations, o->f.operations == 1 ? "op" : "ops",
                     loop ? " each" : "");
    return copied(s, text, (size_t)n);
}

/* The options that are not what they are by default, once axes are counted from the front; a root's reduction is told
 * apart from them. */
static const char *options_of(const filling *s, const wg_node *node, bool root)
{
    char text[160];
    max_align_t own[32];
    const void *options = wg_node_options(node);
    const wg_schema *schema = node->op->options;
    if (schema == &wg_closure_schema)
        return body_of(s, node);
    if (!options || !schema || schema->size > sizeof own)
        return "";
    const uint32_t *in = wg_node_in(node);
    int rank = node->n_in && in[0] != WG_ABSENT ? wg_node_at(s->tape, in[0])->rank : 0;
    memcpy(own, options, schema->size);
    for (int i = 0; i < schema->n; i++) {
        const wg_attr *attr = &schema->attr[i];
        const char *member = (const char *)options + attr->offset,
                   *standard = (const char *)schema->defaults + attr->offset;
        if ((root && !strcmp(attr->name, "reduction")) || is_default_axis(attr, member, standard, rank))
            memcpy((char *)own + attr->offset, standard, attr->size);
    }
    return wg_options_text(node->op, own, text, sizeof text) ? "" : copied(s, text, strlen(text));
}

static const char *reduction_of(const wg_node *node)
{
    const char *reduction = NULL, *options = wg_node_options(node);
    const wg_schema *schema = node->op->options;
    for (int i = 0; schema && options && i < schema->n; i++)
        if (!strcmp(schema->attr[i].name, "reduction"))
            memcpy(&reduction, options + schema->attr[i].offset, sizeof reduction);
    return reduction ? reduction : "";
}

/* Do several computed operands come in, so that their names matter? */
static bool is_ordered(const filling *s, const wg_node *node)
{
    int computed = 0;
    const uint32_t *in = wg_node_in(node);
    for (int k = 0; k < node->n_in; k++)
        computed += in[k] != WG_ABSENT && !is_leaf(seen_through(s, in[k]));
    return computed >= 2 && node->op->in[1].name && !node->op->map;
}

static double flops_of(wg_tape *tape, uint32_t first)
{
    const wg_node *node = wg_node_at(tape, first);
    if (!node->op->flops)
        return node->op->map ? (double)wg_node_count(node) : -1;
    wg_short_mark before = wg_short_at(tape);
    const wg_call *c = wg_call_again(tape, first);
    double flops = c ? node->op->flops(c) : -1;
    wg_short_back(tape, before);
    return flops;
}

/* ---- What a backward pass reads ---------------------------------------------------------------------------------- */
static bool reads_all(const wg_op *op) { return op->map && !op->saves; }

/* Marks the buffers that the chain rule of a call reads: operands and results by the names that its entry lists, what
 * it saved beside its outputs. */
static void need(const filling *s, uint32_t first)
{
    const wg_node *node = wg_node_at(s->tape, first);
    const wg_op *op = node->op;
    const uint32_t *in = wg_node_in(node);
    if (wg_node_is(node, WG_NODE_CUT | WG_NODE_LEAF))
        return;
    for (int k = 0; k < node->n_in; k++)
        if (in[k] != WG_ABSENT && (reads_all(op) || wg_word_in(op->saves, wg_operand_name(op, k))))
            s->needed[wg_node_at(s->tape, in[k])->owner] = 1;
    int outputs = op->count ? node->n_out : wg_op_outputs(op);
    for (int k = 0; k < node->n_out; k++)
        if (k >= outputs || reads_all(op) ||
            wg_word_in(op->saves, op->out[0] && k < WG_MAX_OUTPUTS ? op->out[k] : "y"))
            s->needed[wg_node_at(s->tape, first + (uint32_t)k)->owner] = 1;
}

/* Bytes of a call's own buffers that are needed: each is counted here only, where it was made. */
static double kept_by(const filling *s, uint32_t first)
{
    const wg_node *node = wg_node_at(s->tape, first);
    double bytes = 0;
    for (uint32_t k = first; !is_leaf(node) && k < first + node->n_out && k <= s->last; k++)
        if (s->needed[k] && !wg_node_is(wg_node_at(s->tape, k), WG_NODE_VIEW))
            bytes += (double)wg_node_count(wg_node_at(s->tape, k)) *
                     (double)wg_dtype_size((wg_dtype)wg_node_at(s->tape, k)->dtype);
    return bytes;
}

/* "x w": of those that are there. */
static const char *saves_of(const filling *s, const wg_node *node)
{
    char text[200] = "";
    size_t used = 0;
    const wg_op *op = node->op;
    if (is_leaf(node) || wg_node_is(node, WG_NODE_CUT))
        return "";
    for (int k = 0; k < node->n_in && used + 64 < sizeof text; k++) {
        const char *name = wg_operand_name(op, k);
        bool known = wg_word_in(text, name) || (node->n_in && wg_node_in(node)[k] == WG_ABSENT);
        if (name && !known && (reads_all(op) || wg_word_in(op->saves, name)))
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%.30s", used ? " " : "", name);
    }
    for (int k = 0; k < WG_MAX_OUTPUTS && k < node->n_out && used + 64 < sizeof text; k++) {
        const char *name = op->out[0] ? op->out[k] : k ? NULL : "y";
        if (name && (reads_all(op) || wg_word_in(op->saves, name)))
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%.30s", used ? " " : "", name);
    }
    for (int k = 0; k < WG_MAX_OUTPUTS && op->saved[k] && used + 64 < sizeof text; k++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.30s", used ? " " : "", op->saved[k]);
    return copied(s, text, used);
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */
static const wg_statistics *measured(const filling *s, const wg_node *node)
{
    wg_statistics *m = wg_arena(s->f->tape, sizeof *m);
    if (m)
        wg_measure(node, m);
    return m;
}

static bool output_add(const filling *s, uint32_t i)
{
    const wg_node *node = wg_node_at(s->tape, i), *gradient = is_param(node) ? wg_node_gradient(s->tape, node) : NULL;
    const wg_statistics *adjoint = is_leaf(node) ? NULL : wg_observed_gradient(s->tape, i);
    wg_tensor_fact *t = &s->f->output[s->f->outputs++];
    *t = (wg_tensor_fact){.type = wg_node_type(node), .name = name_of(node), .finite = true};
    if (wg_node_count(node) == 1) {
        t->has_value = true;
        t->value = number_of(node);
    }
    if (s->measure && !(t->values = measured(s, node)))
        return false;
    if (gradient && !(t->gradient = measured(s, gradient)))
        return false;
    if (adjoint)
        t->gradient = adjoint;
    s->f->has_gradients |= gradient != NULL;
    s->f->has_adjoints |= adjoint != NULL;
    return true;
}

static void operands_add(const filling *s, wg_fact *fact, const wg_node *node)
{
    const uint32_t *in = wg_node_in(node);
    bool cut = wg_node_is(node, WG_NODE_CUT);
    fact->operand = s->f->operands;
    for (int k = 0; !is_leaf(node) && k < node->n_in; k++) {
        if (in[k] == WG_ABSENT || is_number(wg_node_at(s->tape, in[k])))
            continue;
        const char *name = wg_operand_name(node->op, k);
        s->f->operand[s->f->operands++] =
            (wg_operand_fact){.from = s->at[first_of_call(s->tape, in[k])], .output = wg_node_at(s->tape, in[k])->out,
                              .place = k, .name = name ? name : "",
                              .kept = !cut && (reads_all(node->op) || wg_word_in(node->op->saves, name))};
        fact->operands++;
    }
}

static wg_fact_kind kind_of(const wg_node *node)
{
    if (is_param(node))
        return WG_FACT_PARAMETER;
    if (is_leaf(node))
        return *name_of(node) ? WG_FACT_INPUT : WG_FACT_CONSTANT;
    return node->op->view && node->n_in && wg_node_in(node)[0] != WG_ABSENT ? WG_FACT_VIEW : WG_FACT_OPERATION;
}

static bool node_add(const filling *s, uint32_t i)
{
    wg_facts *f = s->f;
    const wg_node *node = wg_node_at(s->tape, i);
    char place[PATH_MAX];
    bool root = is_root(s, i), leaf = is_leaf(node);
    wg_place_text(s->tape, node->place, place, sizeof place);
    wg_fact *fact = &f->node[f->nodes++];
    *fact = (wg_fact){.kind = kind_of(node),
                      .op = node->op->name ? node->op->name : "operation",
                      .scope = scope_of(s, node),
                      .place = copied(s, place, strlen(place)),
                      .options = leaf ? "" : options_of(s, node, root),
                      .numbers = leaf ? "" : numbers_of(s, node),
                      .reduction = root && !leaf ? reduction_of(node) : "",
                      .saves = saves_of(s, node),
                      .fused = "",
                      .memory = "",
                      .finding = "",
                      .evidence = "",
                      .frozen = wg_node_is(node, WG_NODE_FROZEN),
                      .cut = !leaf && wg_node_is(node, WG_NODE_CUT),
                      .unused = !s->reached[i],
                      .ordered = !leaf && is_ordered(s, node),
                      .kept = kept_by(s, i),
                      .flops = leaf ? -1 : flops_of(f->tape, i),
                      .seconds = -1,
                      .seconds_backward = -1,
                      .backward = !leaf && node->derived,
                      .output = f->outputs};
    f->has_backward |= fact->backward;
    if (!leaf)
        wg_observed_seconds(s->tape, i, &fact->seconds, &fact->seconds_backward);
    f->has_times |= fact->seconds >= 0;
    operands_add(s, fact, node);
    for (uint32_t k = i; k < i + node->n_out; k++, fact->outputs++)
        if (!output_add(s, k))
            return false;
    return fact->scope && fact->place && fact->options && fact->numbers && fact->saves;
}

/* The values at which something that is not finite starts are measured, and what came in. */
static bool origin_measured(const filling *s, uint32_t first, wg_fact *fact)
{
    const wg_node *node = wg_node_at(s->tape, first);
    wg_tensor_fact *t = &s->f->output[fact->output + node->out];
    t->values = t->values ? t->values : measured(s, node);
    if (!fact->operands)
        return t->values;
    const wg_operand_fact *o = &s->f->operand[fact->operand];
    wg_tensor_fact *x = &s->f->output[s->f->node[o->from].output + (uint32_t)o->output];
    x->values = x->values ? x->values : measured(s, wg_node_at(s->tape, wg_node_in(node)[o->place]));
    return t->values && x->values;
}

/* Where something that is not finite starts, and what it spreads to. */
static bool not_finite_mark(const filling *s)
{
    uint32_t first = wg_first_nonfinite(s->tape, s->last, s->reached);
    if (first == WG_NOWHERE)
        return true;
    wg_fact *fact = &s->f->node[s->at[first_of_call(s->tape, first)]];
    fact->not_finite = true;
    for (uint32_t i = first; i <= s->last; i++) {
        uint32_t call = first_of_call(s->tape, i);
        if (s->at[call] != WG_NOWHERE)
            s->f->output[s->f->node[s->at[call]].output + (i - call)].finite = wg_node_finite(wg_node_at(s->tape, i));
    }
    return origin_measured(s, first, fact);
}

void wg_facts_count(wg_facts *f)
{
    int64_t float32 = 0, float64 = 0;
    for (uint32_t i = 0; i < f->used; i++) {
        const wg_tensor_fact *t = wg_fact_output(f, i);
        float32 += t->type.dtype == WG_FLOAT32;
        float64 += t->type.dtype == WG_FLOAT64;
        if (f->node[i].kind == WG_FACT_PARAMETER) {
            f->parameters += wg_tensor_elements(t);
            f->parameter_bytes += wg_tensor_bytes(t);
        }
    }
    f->usual = float64 > float32 ? WG_FLOAT64 : WG_FLOAT32;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
static bool filled(filling *s)
{
    wg_facts *f = s->f;
    size_t nodes = (size_t)s->last + 2;
    s->reached = zeroed(f->tape, nodes, 1);
    s->needed = zeroed(f->tape, nodes, 1);
    s->at = zeroed(f->tape, nodes, sizeof *s->at);
    s->through = zeroed(f->tape, nodes, sizeof *s->through);
    s->scope = zeroed(f->tape, (size_t)s->tape->scopes, sizeof *s->scope);
    if (!s->reached || !s->needed || !s->at || !s->through || !s->scope)
        return false;
    views_seen_through(s);
    reach(s);
    if (!rooms(s))
        return false;
    for (uint32_t i = 0; i <= s->last; i++)
        if (s->reached[i])
            need(s, i);
    for (uint32_t i = 0; i <= s->last; i++)
        if (s->reached[i] && !node_add(s, i))
            return false;
    for (uint32_t i = 0; i <= s->last; i++)
        if (is_unused(s, i) && !node_add(s, i))
            return false;
    for (int r = 0; r < s->n_roots; r++)
        f->root[f->roots++] = s->at[first_of_call(s->tape, s->roots[r].node)];
    f->at = s->at;
    f->at_nodes = s->last + 1;
    wg_facts_count(f);
    return not_finite_mark(s);
}

/* The tape's nodes do not change while they are looked at, but memory for the facts is taken from its arena. */
wg_facts *wg_facts_of_tape(const wg_tensor *root, int roots, const char *name, const char *title, bool measure)
{
    wg_tape *tape = root[0].tape;
    filling s = {.tape = tape, .roots = root, .n_roots = roots, .measure = measure || wg_observes_values(tape)};
    for (int r = 0; r < roots; r++) {
        const wg_node *node = wg_node_of(root[r], name);
        if (!node)
            return NULL;
        uint32_t end = first_of_call(tape, root[r].node) + node->n_out - 1;
        s.last = end > s.last ? end : s.last;
    }
    s.f = zeroed(tape, 1, sizeof *s.f);
    if (s.f) {
        s.f->tape = tape;
        s.f->title = title ? title : "graph";
        s.f->about = "";
    }
    if (!s.f || !filled(&s)) {
        wg_no_memory(tape, name, sizeof *s.f);
        return NULL;
    }
    return s.f;
}
