/* A stretch of tape in double-double. An elementwise operation has a form of its own there, or its text is recorded as
 * graph code over ones that have. A linear one is its own form: its kernel adds and multiplies whole numbers without
 * rounding while they are small enough, so that the operands are cut into slices of few bits, scaled to whole numbers,
 * and the exact results of the slices added up (K. Ozaki et al., "Error-free transformations of matrix multiplication",
 * Numer. Algorithms 59 (2012) 95). That no rounding happened shows: results of whole numbers are whole. */
#include "graph/replay.h"

#define MOST_ELEMENTS 65536 /* of all steps together */
#define DIGITS 107          /* bits that the slices cover */
#define MOST_FACTORS 3      /* operands of a product */

/* ---- What it is made of ------------------------------------------------------------------------------------------ */
/* Forms of operations that are linear but for one thing. */
static const struct {
    const char *name, *as; /* computed as another one */
    bool bias;             /* affine in its last operand, which may be absent: y = f(x, w, none) + f(0, 0, b) */
    bool divided;          /* by how many elements of the operand make one of the result: its own kernel would round */
} forms[] = {{"linear", NULL, true, false},
             {"conv1d", NULL, true, false},
             {"conv2d", NULL, true, false},
             {"conv3d", NULL, true, false},
             {"conv_transpose1d", NULL, true, false},
             {"conv_transpose2d", NULL, true, false},
             {"mean", "sum", false, true}};

/* The number of its form; -1: it has none. */
static int form_of(const wg_op *op)
{
    for (int i = 0; i < (int)(sizeof forms / sizeof *forms); i++)
        if (!strcmp(forms[i].name, op->name))
            return i;
    return -1;
}

static bool has_bias(const wg_op *op) { return form_of(op) >= 0 && forms[form_of(op)].bias; }

static wg_linearity linearity_of(const wg_op *op)
{
    return op->view ? WG_JOINTLY : has_bias(op) ? WG_SEPARATELY : op->linear;
}

static bool cannot(wg_replay *r, const char *what)
{
    snprintf(r->without, sizeof r->without, "%s", what);
    return false;
}

static bool has_memory(wg_replay *r, uint32_t i)
{
    const wg_node *node = wg_node_at(r->tape, i);
    if (r->value[i])
        return true;
    r->value[i] = wg_arena(r->tape, (size_t)wg_node_count(node) * sizeof(wg_dd) + 1);
    for (int64_t k = 0; r->value[i] && k < wg_node_count(node); k++)
        r->value[i][k] = wg_dd_of((wg_element)(wg_node_tensor(r->tape, i), k));
    return r->value[i] || cannot(r, "more memory");
}

/* Takes node i up as a step, if there is a form of it. */
static bool taken(wg_replay *r, uint32_t i)
{
    const wg_node *node = wg_node_at(r->tape, i);
    const uint32_t *in = wg_node_in(node);
    if (node->dtype == WG_FLOAT32)
        return cannot(r, "float32");
    if (node->op->random || node->op->surrogate ||
        (node->op->map ? !wg_dd_find(node->op->name) : !linearity_of(node->op)))
        return cannot(r, node->op->name);
    for (int k = 0; k < node->n_in; k++)
        if (in[k] != WG_ABSENT && (wg_node_at(r->tape, in[k])->dtype == WG_FLOAT32 || !has_memory(r, in[k])))
            return *r->without ? false : cannot(r, "float32");
    r->step[r->steps++] = i;
    return has_memory(r, i);
}

/* Nodes [low, y] that depend on x, by whatever operand. */
static void mark_dependent(const wg_replay *r, uint32_t low, unsigned char *depends)
{
    for (int i = 0; i < r->n; i++)
        depends[r->x[i].node] = 1;
    for (uint32_t i = low; i <= r->y.node; i++) {
        const wg_node *node = wg_node_at(r->tape, i);
        for (int k = 0; k < node->n_in && !wg_node_is(node, WG_NODE_LEAF); k++)
            depends[i] |= wg_node_in(node)[k] != WG_ABSENT && depends[wg_node_in(node)[k]];
    }
}

/* Output `which` of the call by its entry's formula, or its text where it is elementwise. */
static wg_tensor formula_of(const wg_call *c, int which)
{
    wg_tensor out[UINT8_MAX];
    if (c->op->map)
        return wg_expression(c, c->op->map->value);
    for (int k = 0; k < c->n_out; k++)
        out[k] = WG_NONE;
    c->op->formula(c, out);
    return out[which];
}

/* Can it be written out? Not where its text is itself: "i0(x)". */
static bool has_formula(const wg_op *op)
{
    size_t n = strlen(op->name);
    if (op->surrogate || !op->map)
        return !op->surrogate && op->formula;
    return !wg_dd_find(op->name) && (strncmp(op->map->value, op->name, n) != 0 || op->map->value[n] != '(');
}

/* Records what node i computes at the tape's end, as graph code, where it has no form of its own. */
static void write_out(wg_replay *r, uint32_t i)
{
    const wg_node *node = wg_node_at(r->tape, i);
    const wg_op *op = node->op;
    r->text[i] = (wg_replay_text){i, (uint32_t)wg_tape_nodes(r->tape), 0};
    if (!wg_node_is(node, WG_NODE_LEAF) && has_formula(op)) {
        wg_type type = wg_node_type(node), found = {0};
        int which = node->out;
        wg_call *c = wg_call_again(r->tape, i);
        wg_tensor y = c && c->n_out <= UINT8_MAX ? formula_of(c, which) : WG_NONE;
        wg_clear_error(r->tape);
        if (wg_is_tensor(y))
            found = wg_type_of(y);
        if (wg_is_tensor(y) && wg_type_equal(&type, &found))
            r->text[i].result = y.node;
    }
    r->text[i].end = (uint32_t)wg_tape_nodes(r->tape);
}

/* Writes out the marked nodes from `low` on, and what that records in turn. */
static bool all_written_out(wg_replay *r, uint32_t low, const unsigned char *depends)
{
    int64_t elements = 0;
    size_t room = 0;
    for (uint32_t i = low; i < wg_tape_nodes(r->tape); i++) {
        if (i >= room) {
            wg_replay_text *more = wg_arena(r->tape, 2 * (wg_tape_nodes(r->tape) + 1) * sizeof *more);
            if (!more)
                return cannot(r, "more memory");
            if (r->text)
                memcpy(more, r->text, i * sizeof *more);
            room = 2 * (wg_tape_nodes(r->tape) + 1);
            r->text = more;
        }
        if (i < r->nodes && !depends[i])
            continue;
        elements += wg_node_count(wg_node_at(r->tape, i));
        if (elements > MOST_ELEMENTS)
            return cannot(r, "so many elements");
        write_out(r, i);
    }
    return true;
}

/* Also what is x itself, and lets no derivative pass: wg_stop_gradient. */
static bool is_constant(const wg_node *node)
{
    const wg_map *map = node->op->map;
    return wg_node_is(node, WG_NODE_LEAF) || (map && !map->slope[0] && !strcmp(map->value, "x"));
}

/* Takes up node i, or those nodes of its formula that lead to the result; they may have formulas in turn. */
static bool node_taken(wg_replay *r, uint32_t i)
{
    wg_replay_text text = r->text[i];
    if (text.result == i)
        return taken(r, i);
    unsigned char *needed = wg_arena(r->tape, (size_t)(text.end - text.start) + 1);
    if (!needed)
        return cannot(r, "more memory");
    memset(needed, 0, (size_t)(text.end - text.start) + 1);
    if (text.result >= text.start)
        needed[text.result - text.start] = 1;
    for (uint32_t k = text.end; k-- > text.start;) {
        const wg_node *node = wg_node_at(r->tape, k);
        for (int j = 0; j < node->n_in && needed[k - text.start] && !is_constant(node); j++)
            if (wg_node_in(node)[j] != WG_ABSENT && wg_node_in(node)[j] >= text.start)
                needed[wg_node_in(node)[j] - text.start] = 1;
    }
    for (uint32_t k = text.start; k < text.end; k++)
        if (needed[k - text.start] && !is_constant(wg_node_at(r->tape, k)) && !node_taken(r, k))
            return false;
    if (!has_memory(r, text.result))
        return false;
    r->value[i] = r->value[text.result];
    return true;
}

static bool tables_made(wg_replay *r, uint32_t all)
{
    r->value = wg_arena(r->tape, all * sizeof *r->value);
    r->step = wg_arena(r->tape, all * sizeof *r->step);
    r->start = wg_arena(r->tape, (size_t)r->n * sizeof *r->start);
    if (!r->value || !r->step || !r->start)
        return cannot(r, "more memory");
    memset(r->value, 0, all * sizeof *r->value);
    for (int i = 0; i < r->n; i++) {
        if (wg_node_at(r->tape, r->x[i].node)->dtype != WG_FLOAT64)
            return cannot(r, "float32");
        if (!has_memory(r, r->x[i].node))
            return false;
        size_t bytes = (size_t)wg_size(r->x[i]) * sizeof(wg_dd);
        r->start[i] = wg_arena(r->tape, bytes + 1);
        if (!r->start[i])
            return cannot(r, "more memory");
        memcpy(r->start[i], r->value[r->x[i].node], bytes);
    }
    return true;
}

bool wg_replay_make(wg_replay *r, uint32_t low)
{
    r->nodes = (uint32_t)wg_tape_nodes(r->tape);
    unsigned char *depends = wg_arena(r->tape, r->nodes);
    if (!depends)
        return cannot(r, "more memory");
    memset(depends, 0, r->nodes);
    mark_dependent(r, low, depends);
    for (uint32_t i = low; i < r->nodes; i++)
        depends[i] = depends[i] && i <= r->y.node && !wg_node_is(wg_node_at(r->tape, i), WG_NODE_LEAF);
    if (!all_written_out(r, low, depends) || !tables_made(r, (uint32_t)wg_tape_nodes(r->tape)))
        return false;
    for (uint32_t i = low; i < r->nodes; i++)
        if (depends[i] && !node_taken(r, i))
            return false;
    return has_memory(r, r->y.node);
}

/* ---- Elementwise ------------------------------------------------------------------------------------------------- */
static void map_step(wg_replay *r, uint32_t index)
{
    const wg_node *node = wg_node_at(r->tape, index);
    const uint32_t *in = wg_node_in(node);
    wg_dd_function *f = wg_dd_find(node->op->name);
    wg_type y = wg_node_type(node);
    int64_t stride[3][WG_MAX_RANK], at[WG_MAX_RANK] = {0}, from[3] = {0};
    int n = node->n_in < 3 ? node->n_in : 3;
    for (int k = 0; k < n; k++) {
        wg_type x = wg_node_type(wg_node_at(r->tape, in[k]));
        wg_broadcast_strides(&x, NULL, &y, stride[k]);
    }
    for (int64_t i = 0; i < wg_node_count(node); i++) {
        wg_dd x[3] = {{0, 0}, {0, 0}, {0, 0}};
        int branch = 0;
        for (int k = 0; k < n; k++)
            x[k] = r->value[in[k]][from[k]];
        r->value[index][i] = f(x, &branch);
        r->branches = (r->branches ^ (uint64_t)(int64_t)branch) * UINT64_C(0x100000001b3);
        for (int axis = y.rank; axis-- > 0;) {
            for (int k = 0; k < n; k++)
                from[k] += stride[k][axis];
            if (++at[axis] < y.dim[axis])
                break;
            for (int k = 0; k < n; k++)
                from[k] -= stride[k][axis] * y.dim[axis];
            at[axis] = 0;
        }
    }
}

/* ---- Linear ------------------------------------------------------------------------------------------------------ */
/* One linear call made of slices. */
typedef struct {
    wg_replay *r;
    const wg_node *node;
    const wg_op *op;
    const void *options;
    wg_tensor *in;          /* its operands; the float ones are replaced */
    int n, at[UINT8_MAX];   /* float operands: which they are */
    const wg_dd *x[UINT8_MAX];
    int exponent[UINT8_MAX]; /* |x| < 2^exponent */
    int bits;               /* of a slice */
    wg_dd *y;
    double over;            /* what the result is divided by */
} sliced;

/* Slice s of operand k: whole numbers, in units of 2^(exponent - (s + 1) bits). s < 0: zeros. */
static wg_tensor slice_of(const sliced *s, int k, int which)
{
    wg_type type = wg_type_of(s->in[s->at[k]]);
    wg_tensor leaf = wg_leaf(s->r->tape, &type, NULL, 0, "wg_check_grad");
    if (!wg_is_tensor(leaf) || which < 0)
        return leaf;
    double *to = wg_node_at(s->r->tape, leaf.node)->data;
    for (int64_t i = 0; i < wg_type_count(&type); i++) {
        wg_dd rest = {ldexp(s->x[k][i].hi, s->bits - s->exponent[k]), ldexp(s->x[k][i].lo, s->bits - s->exponent[k])};
        for (int j = 0;; j++) {
            to[i] = rint(rest.hi);
            if (j == which)
                break;
            rest = wg_dd_subtract(rest, wg_dd_of(to[i]));
            rest = (wg_dd){ldexp(rest.hi, s->bits), ldexp(rest.lo, s->bits)};
        }
    }
    return leaf;
}

/* Adds the call of these slices. */
static bool slices_added(const sliced *s, const int *which)
{
    wg_tape *tape = s->r->tape;
    wg_mark before = wg_tape_mark(tape);
    wg_tensor in[UINT8_MAX], out[UINT8_MAX];
    int unit = 0;
    memcpy(in, s->in, s->node->n_in * sizeof *in);
    for (int k = 0; k < s->n; k++) {
        in[s->at[k]] = slice_of(s, k, which[k]);
        if (which[k] >= 0 && (k == 0 || linearity_of(s->op) != WG_JOINTLY)) /* which have one in common */
            unit += s->exponent[k] - (which[k] + 1) * s->bits;
        if (which[k] < 0 && has_bias(s->op) && s->at[k] == 2)
            in[2] = WG_NONE;
    }
    bool whole = !(wg_record_on)(tape, s->op, s->options, in, s->node->n_in, out, s->node->out + 1);
    const wg_tensor y = out[s->node->out];
    for (int64_t i = 0; whole && i < wg_node_count(s->node); i++) {
        double part = (wg_element)(y, i);
        whole = rint(part) == part && fabs(part) < 0x1p53;
        s->y[i] = wg_dd_add(s->y[i], wg_dd_divide(wg_dd_of(ldexp(part, unit)), wg_dd_of(s->over)));
    }
    wg_clear_error(tape);
    wg_rewind(tape, before);
    return whole;
}

static bool jointly(const sliced *s)
{
    int which[UINT8_MAX];
    for (int i = 0; i * s->bits < DIGITS; i++) {
        for (int k = 0; k < s->n; k++)
            which[k] = i;
        if (!slices_added(s, which))
            return false;
    }
    return true;
}

/* Every product of slices down to the last digit, of all operands but a bias; that one by itself. */
static bool separately(const sliced *s)
{
    int n = s->n, last = (DIGITS + s->bits - 1) / s->bits, which[UINT8_MAX] = {0};
    bool bias = has_bias(s->op) && n && s->at[n - 1] == 2;
    int factors = bias ? n - 1 : n;
    if (bias)
        which[n - 1] = -1;
    for (int k = 0; factors;) {
        int sum = 0;
        for (int i = 0; i < factors; i++)
            sum += which[i];
        if (sum < last && !slices_added(s, which))
            return false;
        for (k = 0; k < factors && ++which[k] == last; k++)
            which[k] = 0;
        if (k == factors)
            break;
    }
    for (int k = 0; k < factors; k++)
        which[k] = -1;
    for (int i = 0; bias && i < last; i++) {
        which[n - 1] = i;
        if (!slices_added(s, which))
            return false;
    }
    return true;
}

static bool operands_known(sliced *s, int64_t *count)
{
    const uint32_t *in = wg_node_in(s->node);
    int largest = -1100;
    for (int k = 0; k < s->node->n_in; k++) {
        s->in[k] = in[k] == WG_ABSENT ? WG_NONE : wg_node_tensor(s->r->tape, in[k]);
        if (in[k] == WG_ABSENT || !wg_is_float(wg_type_of(s->in[k]).dtype))
            continue;
        double most = 0;
        int64_t n = wg_size(s->in[k]);
        *count += n;
        s->x[s->n] = s->r->value[in[k]];
        for (int64_t i = 0; i < n; i++) {
            if (!isfinite(s->x[s->n][i].hi))
                return false;
            most = fmax(most, fabs(s->x[s->n][i].hi));
        }
        frexp(most, &s->exponent[s->n]);
        largest = s->exponent[s->n] > largest ? s->exponent[s->n] : largest;
        s->at[s->n++] = k;
    }
    for (int k = 0; k < s->n && linearity_of(s->op) == WG_JOINTLY; k++)
        s->exponent[k] = largest;
    return true;
}

static bool linear_step(wg_replay *r, uint32_t index)
{
    const wg_node *node = wg_node_at(r->tape, index);
    wg_tensor in[UINT8_MAX];
    sliced s = {.r = r, .node = node, .op = node->op, .in = in, .y = r->value[index], .over = 1};
    s.options = wg_node_options(wg_node_at(r->tape, index - node->out)); /* the call's first node has them */
    int64_t count = 1;
    if (node->n_in > UINT8_MAX || !operands_known(&s, &count))
        return false;
    bool joint = linearity_of(node->op) == WG_JOINTLY;
    int form = form_of(node->op);
    if (form >= 0 && forms[form].as)
        s.op = wg_op_find(r->tape, forms[form].as);
    if (form >= 0 && forms[form].divided)
        s.over = (double)(count - 1) / (double)wg_node_count(node);
    if (!joint && s.n - has_bias(s.op) > MOST_FACTORS)
        return false;
    int factors = joint || s.n < 2 ? 1 : s.n - (has_bias(s.op) && s.at[s.n - 1] == 2);
    s.bits = (51 - (int)ceil(log2((double)count))) / factors;
    for (int64_t i = 0; i < wg_node_count(node); i++)
        s.y[i] = wg_dd_of(0);
    return s.bits >= 8 && (joint ? jointly(&s) : separately(&s));
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */
wg_dd wg_replay_run(wg_replay *r, int at, int64_t element, const double *direction, double t)
{
    r->branches = UINT64_C(0xcbf29ce484222325);
    r->largest = 0;
    for (int k = 0; k < r->n; k++)
        memcpy(r->value[r->x[k].node], r->start[k], (size_t)wg_size(r->x[k]) * sizeof(wg_dd));
    wg_dd *x = r->value[r->x[at].node];
    for (int64_t i = 0; i < wg_size(r->x[at]); i++)
        if (element < 0 ? direction != NULL : i == element)
            x[i] = wg_dd_add(x[i], wg_dd_two_product(t, element < 0 ? direction[i] : 1));
    for (uint32_t i = 0; i < r->steps; i++) {
        const wg_op *op = wg_node_at(r->tape, r->step[i])->op;
        if (op->map)
            map_step(r, r->step[i]);
        else if (!linear_step(r, r->step[i])) {
            cannot(r, op->name);
            return wg_dd_of((double)NAN);
        }
    }
    wg_dd sum = {0, 0};
    for (int64_t i = 0; i < wg_size(r->y); i++) {
        wg_dd part = wg_dd_multiply(r->value[r->y.node][i], wg_dd_of(r->weight[i]));
        r->largest = fmax(r->largest, fabs(part.hi));
        sum = wg_dd_add(sum, part);
    }
    return sum;
}
