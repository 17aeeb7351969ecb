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

wg_linearity wg_replay_linearity(const wg_op *op) { return linearity_of(op); }
bool wg_replay_affine(const wg_op *op) { return has_bias(op); }

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
    for (int k = 0; k < node->n_in; k++)
        r->moves[i] |= in[k] == WG_ABSENT ? 0 : r->moves[in[k]];
    r->step[r->steps++] = i;
    return has_memory(r, i);
}

#define DEPENDS 1 /* on x, by whatever operand */
#define REACHED 2 /* y is made of it */

/* Of nodes [low, y]. */
static void mark_between(const wg_replay *r, uint32_t low, unsigned char *depends)
{
    for (int i = 0; i < r->n; i++)
        depends[r->x[i].node] = DEPENDS;
    for (uint32_t i = low; i <= r->y.node; i++) {
        const wg_node *node = wg_node_at(r->tape, i);
        for (int k = 0; k < node->n_in && !wg_node_is(node, WG_NODE_LEAF); k++)
            depends[i] |= wg_node_in(node)[k] != WG_ABSENT && depends[wg_node_in(node)[k]];
    }
    depends[r->y.node] |= REACHED;
    for (uint32_t i = r->y.node + 1; i-- > low;) {
        const wg_node *node = wg_node_at(r->tape, i);
        for (int k = 0; k < node->n_in && depends[i] & REACHED && !wg_node_is(node, WG_NODE_LEAF); k++)
            if (wg_node_in(node)[k] != WG_ABSENT)
                depends[wg_node_in(node)[k]] |= REACHED;
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

/* Also what is x itself, and lets no derivative pass: wg_stop_gradient. */
static bool is_constant(const wg_node *node)
{
    const wg_map *map = node->op->map;
    return wg_node_is(node, WG_NODE_LEAF) || (map && !map->slope[0] && !strcmp(map->value, "x"));
}

/* Room for what is known of every node there is. */
static bool texts_grown(wg_replay *r)
{
    size_t nodes = wg_tape_nodes(r->tape);
    if (nodes <= r->room)
        return true;
    wg_replay_text *more = wg_arena(r->tape, 2 * nodes * sizeof *more);
    if (!more)
        return cannot(r, "more memory");
    memset(more, 0, 2 * nodes * sizeof *more);
    if (r->room)
        memcpy(more, r->text, r->room * sizeof *more);
    r->text = more;
    r->room = 2 * nodes;
    return true;
}

/* Records what node i computes at the tape's end, as graph code, where it has no form of its own, and marks what of it
 * leads to the result. */
static bool write_out(wg_replay *r, uint32_t i)
{
    const wg_node *node = wg_node_at(r->tape, i);
    uint32_t start = (uint32_t)wg_tape_nodes(r->tape), result = i;
    if (!is_constant(node) && has_formula(node->op)) {
        wg_type type = wg_node_type(node), found = {0};
        int which = node->out;
        wg_call *c = wg_call_again(r->tape, i);
        wg_tensor y = c && c->n_out <= UINT8_MAX ? formula_of(c, which) : WG_NONE;
        wg_clear_error(r->tape);
        if (wg_is_tensor(y))
            found = wg_type_of(y);
        if (wg_is_tensor(y) && wg_type_equal(&type, &found))
            result = y.node;
    }
    if (!texts_grown(r))
        return false;
    uint32_t end = result == i ? start : (uint32_t)wg_tape_nodes(r->tape);
    r->text[i] = (wg_replay_text){result, start, end, r->text[i].needed};
    if (result >= start && result != i)
        r->text[result].needed = true;
    for (uint32_t k = end; k-- > start;) {
        const wg_node *part = wg_node_at(r->tape, k);
        for (int j = 0; j < part->n_in && r->text[k].needed && !is_constant(part); j++)
            if (wg_node_in(part)[j] != WG_ABSENT && wg_node_in(part)[j] >= start)
                r->text[wg_node_in(part)[j]].needed = true;
    }
    return true;
}

/* Writes out the marked nodes from `low` on, and what that records in turn. */
static bool all_written_out(wg_replay *r, uint32_t low, const unsigned char *depends)
{
    int64_t elements = 0;
    if (!texts_grown(r))
        return false;
    for (uint32_t i = low; i < wg_tape_nodes(r->tape); i++) {
        if (i < r->nodes ? !depends[i] : !r->text[i].needed)
            continue;
        elements += wg_node_count(wg_node_at(r->tape, i));
        if (elements > MOST_ELEMENTS)
            return cannot(r, "so many elements");
        if (!write_out(r, i))
            return false;
    }
    return true;
}

/* Takes up node i, or those nodes of its formula that lead to the result; they may have formulas in turn. */
static bool node_taken(wg_replay *r, uint32_t i)
{
    wg_replay_text text = r->text[i];
    if (text.result == i)
        return taken(r, i);
    for (uint32_t k = text.start; k < text.end; k++)
        if (r->text[k].needed && !is_constant(wg_node_at(r->tape, k)) && !node_taken(r, k))
            return false;
    if (!has_memory(r, text.result))
        return false;
    r->value[i] = r->value[text.result];
    r->moves[i] = r->moves[text.result];
    return true;
}

static bool tables_made(wg_replay *r, uint32_t all)
{
    r->value = wg_arena(r->tape, all * sizeof *r->value);
    r->step = wg_arena(r->tape, all * sizeof *r->step);
    r->moves = wg_arena(r->tape, all * sizeof *r->moves);
    r->branch = wg_arena(r->tape, all * sizeof *r->branch);
    r->start = wg_arena(r->tape, (size_t)r->n * sizeof *r->start);
    if (!r->value || !r->step || !r->moves || !r->branch || !r->start)
        return cannot(r, "more memory");
    r->last = -1;
    memset(r->moves, 0, all * sizeof *r->moves);
    memset(r->branch, 0, all * sizeof *r->branch);
    memset(r->value, 0, all * sizeof *r->value);
    for (int i = 0; i < r->n; i++) {
        if (wg_node_at(r->tape, r->x[i].node)->dtype != WG_FLOAT64)
            return cannot(r, "float32");
        r->moves[r->x[i].node] |= UINT32_C(1) << i;
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
    if (r->n > WG_REPLAY_INPUTS)
        return cannot(r, "so many inputs");
    r->nodes = (uint32_t)wg_tape_nodes(r->tape);
    unsigned char *depends = wg_arena(r->tape, r->nodes);
    if (!depends)
        return cannot(r, "more memory");
    memset(depends, 0, r->nodes);
    mark_between(r, low, depends);
    for (uint32_t i = low; i < r->nodes; i++)
        depends[i] = depends[i] == (DEPENDS | REACHED) && !wg_node_is(wg_node_at(r->tape, i), WG_NODE_LEAF);
    if (!all_written_out(r, low, depends) || !tables_made(r, (uint32_t)wg_tape_nodes(r->tape)))
        return false;
    for (uint32_t i = low; i < r->nodes; i++)
        if (depends[i] && !node_taken(r, i))
            return false;
    return has_memory(r, r->y.node);
}

/* ---- Elementwise ------------------------------------------------------------------------------------------------- */
void wg_replay_map(wg_replay *r, uint32_t index, wg_dd (*f)(void *user, const wg_dd *x), void *user)
{
    const wg_node *node = wg_node_at(r->tape, index);
    const uint32_t *in = wg_node_in(node);
    wg_type y = wg_node_type(node);
    int64_t stride[3][WG_MAX_RANK], at[WG_MAX_RANK] = {0}, from[3] = {0};
    int n = node->n_in < 3 ? node->n_in : 3;
    for (int k = 0; k < n; k++) {
        wg_type x = wg_node_type(wg_node_at(r->tape, in[k]));
        wg_broadcast_strides(&x, NULL, &y, stride[k]);
    }
    for (int64_t i = 0; i < wg_node_count(node); i++) {
        wg_dd x[3] = {{0, 0}, {0, 0}, {0, 0}};
        for (int k = 0; k < n; k++)
            x[k] = r->value[in[k]][from[k]];
        r->value[index][i] = f(user, x);
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

typedef struct {
    wg_dd_function *f;
    uint64_t branches;
} mapped;

static wg_dd mapped_with_branch(void *user, const wg_dd *x)
{
    mapped *m = user;
    int branch = 0;
    wg_dd y = m->f(x, &branch);
    m->branches = (m->branches ^ (uint64_t)(int64_t)branch) * UINT64_C(0x100000001b3);
    return y;
}

static void map_step(wg_replay *r, uint32_t index, uint64_t *branches)
{
    mapped m = {wg_dd_find(wg_node_at(r->tape, index)->op->name), UINT64_C(0xcbf29ce484222325)};
    wg_replay_map(r, index, mapped_with_branch, &m);
    *branches = m.branches;
}

/* ---- Linear ------------------------------------------------------------------------------------------------------ */
#define MOST_SLICES 16 /* of an operand */

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
    int bits, slices;       /* of a slice; how many there are */
    wg_tensor *slice;       /* [n][slices]; WG_NONE where all of it is 0 */
    wg_dd *y;
    double over;            /* what the result is divided by */
} sliced;

/* Cuts operand k: slice j is whole numbers, in units of 2^(exponent - (j + 1) bits). */
static bool cut(const sliced *s, int k)
{
    wg_tape *tape = s->r->tape;
    wg_type type = wg_type_of(s->in[s->at[k]]);
    wg_tensor *slice = s->slice + k * s->slices;
    double *to[MOST_SLICES], first = exp2(s->bits - s->exponent[k]), next = exp2(s->bits);
    bool zero[MOST_SLICES];
    for (int j = 0; j < s->slices; j++) {
        slice[j] = wg_leaf(tape, &type, NULL, 0, "wg_check_grad");
        if (!wg_is_tensor(slice[j]))
            return false;
        to[j] = wg_node_at(tape, slice[j].node)->data;
        zero[j] = true;
    }
    for (int64_t i = 0, n = wg_type_count(&type); i < n; i++) {
        wg_dd rest = {s->x[k][i].hi * first, s->x[k][i].lo * first};
        for (int j = 0; j < s->slices; j++) {
            to[j][i] = rint(rest.hi);
            zero[j] = zero[j] && to[j][i] == 0;
            rest = wg_dd_add(rest, wg_dd_of(-to[j][i]));
            rest = (wg_dd){rest.hi * next, rest.lo * next};
        }
    }
    for (int j = 0; j < s->slices; j++)
        slice[j] = zero[j] ? WG_NONE : slice[j];
    return true;
}

static wg_tensor zeros_for(const sliced *s, int k)
{
    wg_type type = wg_type_of(s->in[s->at[k]]);
    return wg_leaf(s->r->tape, &type, NULL, 0, "wg_check_grad");
}

/* The values of y in order, as they lie or, where they are strided, copied; NULL: no memory. */
static const double *values_of(wg_tape *tape, wg_tensor y)
{
    const wg_node *node = wg_node_at(tape, y.node);
    if (wg_node_is(node, WG_NODE_CONTIGUOUS))
        return node->data;
    double *copy = wg_arena(tape, (size_t)wg_node_count(node) * sizeof *copy + 1);
    return copy && !(wg_copy_out)(y, copy) ? copy : NULL;
}

/* Adds the call of slices `which` of each operand, -1 for zeros. */
static bool slices_added(const sliced *s, const int *which)
{
    wg_tape *tape = s->r->tape;
    wg_mark before = wg_tape_mark(tape);
    wg_tensor in[UINT8_MAX], out[UINT8_MAX];
    bool joint = linearity_of(s->op) == WG_JOINTLY, nothing = joint;
    int unit = 0;
    memcpy(in, s->in, s->node->n_in * sizeof *in);
    for (int k = 0; k < s->n; k++) {
        wg_tensor slice = which[k] < 0 ? WG_NONE : s->slice[k * s->slices + which[k]];
        nothing = joint ? nothing && wg_is_none(slice) : nothing || (which[k] >= 0 && wg_is_none(slice));
        in[s->at[k]] = wg_is_none(slice) ? zeros_for(s, k) : slice;
        if (which[k] >= 0 && (k == 0 || !joint)) /* which have one in common */
            unit += s->exponent[k] - (which[k] + 1) * s->bits;
        if (which[k] < 0 && has_bias(s->op) && s->at[k] == 2)
            in[2] = WG_NONE;
    }
    bool whole = true;
    if (!nothing)
        whole = !(wg_record_on)(tape, s->op, s->options, in, s->node->n_in, out, s->node->out + 1);
    const double *part = whole && !nothing ? values_of(tape, out[s->node->out]) : NULL;
    double scale = exp2(unit);
    whole = whole && (part || nothing);
    for (int64_t i = 0, n = wg_node_count(s->node); part && whole && i < n; i++) {
        whole = rint(part[i]) == part[i] && fabs(part[i]) < 0x1p53;
        wg_dd scaled = wg_dd_of(part[i] * scale);
        s->y[i] = wg_dd_add(s->y[i], s->over == 1 ? scaled : wg_dd_divide(scaled, wg_dd_of(s->over)));
    }
    wg_clear_error(tape);
    wg_rewind(tape, before);
    return whole;
}

static bool jointly(const sliced *s)
{
    int which[UINT8_MAX];
    for (int i = 0; i < s->slices; i++) {
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
    int n = s->n, which[UINT8_MAX] = {0};
    bool bias = has_bias(s->op) && n && s->at[n - 1] == 2;
    int factors = bias ? n - 1 : n;
    if (bias)
        which[n - 1] = -1;
    for (int k = 0; factors;) {
        int sum = 0;
        for (int i = 0; i < factors; i++)
            sum += which[i];
        if (sum < s->slices && !slices_added(s, which))
            return false;
        for (k = 0; k < factors && ++which[k] == s->slices; k++)
            which[k] = 0;
        if (k == factors)
            break;
    }
    for (int k = 0; k < factors; k++)
        which[k] = -1;
    for (int i = 0; bias && i < s->slices; i++) {
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
        s->exponent[s->n] = s->exponent[s->n] < -900 ? -900 : s->exponent[s->n]; /* that powers of two be finite */
        largest = s->exponent[s->n] > largest ? s->exponent[s->n] : largest;
        s->at[s->n++] = k;
    }
    for (int k = 0; k < s->n && linearity_of(s->op) == WG_JOINTLY; k++)
        s->exponent[k] = largest;
    return true;
}

/* A view's parts are moved one by one. */
static bool moved(const sliced *s)
{
    wg_tape *tape = s->r->tape;
    bool fine = true;
    for (int part = 0; part < 2 && fine; part++) {
        wg_mark before = wg_tape_mark(tape);
        wg_tensor in = zeros_for(s, 0), out;
        double *to = wg_is_tensor(in) ? wg_node_at(tape, in.node)->data : NULL;
        for (int64_t i = 0, n = to ? wg_size(in) : 0; i < n; i++)
            to[i] = part ? s->x[0][i].lo : s->x[0][i].hi;
        const double *y = NULL;
        if (to && !(wg_record_on)(tape, s->op, s->options, &in, 1, &out, 1))
            y = values_of(tape, out);
        fine = y != NULL;
        for (int64_t i = 0, n = wg_node_count(s->node); fine && i < n; i++)
            *(part ? &s->y[i].lo : &s->y[i].hi) = y[i];
        wg_clear_error(tape);
        wg_rewind(tape, before);
    }
    return fine;
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
    if (node->op->view && s.n == 1 && node->n_in == 1)
        return moved(&s);
    int form = form_of(node->op);
    if (form >= 0 && forms[form].as)
        s.op = wg_op_find(r->tape, forms[form].as);
    if (form >= 0 && forms[form].divided)
        s.over = (double)(count - 1) / (double)wg_node_count(node);
    if (!joint && s.n - has_bias(s.op) > MOST_FACTORS)
        return false;
    int factors = joint || s.n < 2 ? 1 : s.n - (has_bias(s.op) && s.at[s.n - 1] == 2);
    s.bits = (51 - (int)ceil(log2((double)count))) / factors;
    s.slices = s.bits > 0 ? (DIGITS + s.bits - 1) / s.bits : MOST_SLICES + 1;
    if (s.slices > MOST_SLICES)
        return false;
    for (int64_t i = 0; i < wg_node_count(node); i++)
        s.y[i] = wg_dd_of(0);
    wg_mark before = wg_tape_mark(r->tape);
    s.slice = wg_arena(r->tape, (size_t)(s.n * s.slices) * sizeof *s.slice + 1);
    bool fine = s.slice != NULL;
    for (int k = 0; k < s.n && fine; k++)
        fine = cut(&s, k);
    fine = fine && (joint ? jointly(&s) : separately(&s));
    wg_rewind(r->tape, before);
    return fine;
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */
/* The steps that depend on inputs in `moved`. */
static bool steps_taken(wg_replay *r, uint32_t moved)
{
    for (uint32_t i = 0; i < r->steps; i++) {
        uint32_t index = r->step[i];
        const wg_op *op = wg_node_at(r->tape, index)->op;
        if (!(r->moves[index] & moved))
            continue;
        if (op->map)
            map_step(r, index, &r->branch[i]);
        else if (!linear_step(r, index))
            return cannot(r, op->name);
    }
    return true;
}

wg_dd wg_replay_run(wg_replay *r, int at, int64_t element, const double *direction, double t)
{
    uint32_t moved = r->last < 0 ? UINT32_MAX : UINT32_C(1) << at | UINT32_C(1) << r->last;
    r->branches = 0;
    r->largest = 0;
    r->last = at;
    for (int k = 0; k < r->n; k++)
        if (moved >> k & 1)
            memcpy(r->value[r->x[k].node], r->start[k], (size_t)wg_size(r->x[k]) * sizeof(wg_dd));
    wg_dd *x = r->value[r->x[at].node];
    for (int64_t i = 0; i < wg_size(r->x[at]); i++)
        if (element < 0 ? direction != NULL : i == element)
            x[i] = wg_dd_add(x[i], wg_dd_two_product(t, element < 0 ? direction[i] : 1));
    if (!steps_taken(r, moved)) {
        r->last = -1;
        return wg_dd_of((double)NAN);
    }
    for (uint32_t i = 0; i < r->steps; i++)
        r->branches = (r->branches ^ r->branch[i]) * UINT64_C(0x100000001b3);
    wg_dd sum = {0, 0};
    for (int64_t i = 0; i < wg_size(r->y); i++) {
        wg_dd part = wg_dd_multiply(r->value[r->y.node][i], wg_dd_of(r->weight[i]));
        r->largest = fmax(r->largest, fabs(part.hi));
        sum = wg_dd_add(sum, part);
    }
    return sum;
}

void wg_replay_unmoved(wg_replay *r)
{
    if (r->is_unmoved_known)
        return;
    r->unmoved = wg_replay_run(r, 0, -1, NULL, 0);
    r->unmoved_branches = r->branches;
    r->is_unmoved_known = true;
}
