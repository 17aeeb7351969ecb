/* Blame: which operation is it? Each one on the way from the result back to the inputs is checked alone, at the
 * operands it was recorded with; the first whose own derivative is wrong is named, with its place in the caller's file.
 */
#include "graph/checking.h"

#define DIRECTIONS 16 /* of each operand: an operation that is wrong is so along nearly all of them */

/* One call made again: some of its operands, the checked ones, are given. */
typedef struct {
    wg_tape *tape;
    const wg_op *op;
    const void *options;
    int n_in, n, output; /* operands; checked ones; the output looked at */
    wg_tensor *in;
    int at[WG_CHECK_INPUTS]; /* which operands are checked */
} replay;

static wg_tensor replayed(const wg_tensor *inputs, void *user)
{
    const replay *r = user;
    wg_tensor out[UINT8_MAX];
    for (int i = 0; i < r->n; i++)
        r->in[r->at[i]] = inputs[i];
    (wg_record_on)(r->tape, r->op, r->options, r->in, r->n_in, out, r->output + 1);
    return out[r->output];
}

/* The entry's operand i; a variadic one stands for all that follow. */
static const wg_operand *operand_of(const wg_op *op, int i)
{
    int k = 0;
    while (k < i && k + 1 < WG_MAX_OPERANDS && op->in[k + 1].name && !(op->in[k].flags & WG_VARIADIC))
        k++;
    return &op->in[k];
}

/* The call that recorded node `index`, ready to be made again. False: nothing of it is differentiated. */
static bool replay_of(const wg_stretch *s, uint32_t index, replay *r)
{
    const wg_node *node = wg_node_at(s->tape, index);
    const uint32_t *in = wg_node_in(node);
    *r = (replay){.tape = s->tape, .op = node->op, .n_in = node->n_in};
    r->options = wg_node_options(wg_node_at(s->tape, index - node->out)); /* the call's first node has them */
    r->in = wg_arena(s->tape, ((size_t)r->n_in + 1) * sizeof *r->in);
    for (int i = 0; i < r->n_in && r->in; i++) {
        r->in[i] = in[i] == WG_ABSENT ? WG_NONE : wg_node_tensor(s->tape, in[i]);
        if (wg_stretch_operand(s, in, i) == WG_ABSENT || operand_of(r->op, i)->flags & WG_NO_GRADIENT)
            continue;
        const wg_node *x = wg_node_at(s->tape, in[i]);
        if (wg_is_float((wg_dtype)x->dtype) && wg_node_count(x) && r->n < WG_CHECK_INPUTS)
            r->at[r->n++] = i;
    }
    return r->in && r->n;
}

/* What else than a sign or a factor of two may be wrong with a broadcast operand. */
static const char *broadcast_hint(const wg_tensor x, const wg_tensor y, double ratio)
{
    static const double others[] = {0, 0.5, 1, 2};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (fabs(fabs(ratio) - others[i]) < 1e-4)
            return "";
    wg_type from = wg_type_of(x), to = wg_type_of(y), both;
    bool stretched = wg_broadcasts(&to, &from, &both) && wg_type_equal(&both, &to) &&
                     wg_type_count(&from) < wg_type_count(&to);
    return stretched ? "; it is broadcast: is its cotangent summed over the axes that it has not?" : "";
}

static void named(const wg_checking *k, const replay *r, uint32_t index, const wg_check_report *alone)
{
    char place[256], *blame = k->report->blame;
    size_t size = sizeof k->report->blame;
    const wg_check_input *worst = NULL;
    int operand = 0;
    for (int i = 0; i < alone->n && !worst; i++)
        if (alone->input[i].checked && alone->input[i].verdict == WG_CHECK_FAILED) {
            worst = &alone->input[i];
            operand = r->at[i];
        }
    wg_place_text(k->tape, wg_node_at(k->tape, index)->place, place, sizeof place);
    int n = snprintf(blame, size, "%s%s%s%s", r->op->name, *place ? " (" : "", place, *place ? ")" : "");
    if (!worst && n > 0 && (size_t)n < size)
        snprintf(blame + n, size - (size_t)n, ": %s",
                 alone->transpose.verdict == WG_CHECK_FAILED ? "its jvp is not the transpose of its vjp"
                                                             : "its second derivative is not symmetric");
    if (worst && n > 0 && (size_t)n < size)
        snprintf(blame + n, size - (size_t)n, ": its vjp for `%s` gives %.6g, the numerical one %.6g%s",
                 operand_of(r->op, operand)->name, worst->analytic, worst->numeric,
                 broadcast_hint(r->in[operand], wg_node_tensor(k->tape, index), worst->analytic / worst->numeric));
}

/* Does output `output` of the call have the right derivative, alone? Where that cannot be told, it is not blamed. */
static bool holds_alone(const wg_checking *k, uint32_t index, replay *r, int output)
{
    wg_check_report *alone = wg_arena(k->tape, sizeof *alone);
    wg_tensor x[WG_CHECK_INPUTS];
    if (!alone)
        return true;
    *alone = (wg_check_report){.n = r->n, .seed = k->seed};
    bool gradient_only =
        k->report->transpose.verdict != WG_CHECK_FAILED && k->report->symmetry.verdict != WG_CHECK_FAILED;
    wg_check_grad_options o = {
        .user = r, .seed = k->seed, .directions = DIRECTIONS, .gradient_only = gradient_only};
    for (int i = 0; i < r->n; i++)
        x[i] = r->in[r->at[i]];
    r->output = output;
    wg_checking own = {
        .tape = k->tape, .f = replayed, .o = &o, .inputs = x, .n = r->n, .seed = k->seed, .report = alone};
    wg_check_graph graph;
    wg_check_run(&own, &graph);
    wg_clear_error(k->tape);
    for (int i = 0; i < r->n; i++)
        r->in[r->at[i]] = x[i];
    if (!wg_check_refuted(alone))
        return true;
    named(k, r, index, alone);
    return false;
}

/* The call that recorded node `index`, which is one of its outputs. */
static bool call_holds(const wg_checking *k, const wg_stretch *s, uint32_t index)
{
    const wg_node *node = wg_node_at(k->tape, index);
    wg_mark before = wg_tape_mark(k->tape);
    replay r;
    bool fine = true;
    if (wg_is_float((wg_dtype)node->dtype) && replay_of(s, index, &r)) {
        fine = holds_alone(k, index, &r, node->out);
        k->report->held += fine;
    }
    wg_rewind(k->tape, before);
    return fine;
}

/* Marks what depends on the inputs, by whatever operand, rule or no rule: a missing one is to be found too. */
static void mark_dependent(const wg_stretch *s)
{
    for (uint32_t i = s->low; i <= s->high; i++) {
        const wg_node *node = wg_node_at(s->tape, i);
        if (*wg_state(s, i) & WG_STATE_TARGET)
            *wg_state(s, i) |= WG_STATE_NEEDED;
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in && !wg_node_is(node, WG_NODE_LEAF); k++)
            if (wg_stretch_operand(s, in, k) != WG_ABSENT)
                *wg_state(s, i) |= WG_STATE_NEEDED;
    }
}

/* Marks what the result is made of, from it down. */
static void mark_reached(const wg_stretch *s)
{
    *wg_state(s, s->high) |= WG_STATE_REACHED;
    for (uint32_t i = s->high; i > s->low; i--) {
        const wg_node *node = wg_node_at(s->tape, i);
        if (!(*wg_state(s, i) & WG_STATE_REACHED) || wg_node_is(node, WG_NODE_LEAF))
            continue;
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++)
            if (wg_stretch_operand(s, in, k) != WG_ABSENT)
                *wg_state(s, in[k]) |= WG_STATE_REACHED;
    }
}

bool wg_check_way(const wg_checking *k, const wg_check_graph *graph, wg_stretch *s)
{
    *s = (wg_stretch){.tape = k->tape, .name = "wg_check_grad", .low = graph->x[0].node, .high = graph->y.node};
    if (s->high < s->low)
        return false;
    s->state = wg_arena(k->tape, (size_t)(s->high - s->low) + 1);
    if (!s->state)
        return false;
    memset(s->state, 0, (size_t)(s->high - s->low) + 1);
    for (int i = 0; i < k->n; i++)
        if (graph->x[i].node <= s->high)
            *wg_state(s, graph->x[i].node) |= WG_STATE_TARGET;
    mark_dependent(s);
    mark_reached(s);
    return true;
}

bool wg_check_is_on_the_way(const wg_stretch *s, uint32_t i)
{
    return *wg_state(s, i) & WG_STATE_REACHED && !wg_node_is(wg_node_at(s->tape, i), WG_NODE_LEAF);
}

void wg_check_blame(const wg_checking *k, const wg_check_graph *graph)
{
    wg_stretch s;
    if (!wg_check_way(k, graph, &s))
        return;
    for (uint32_t i = s.high; i > s.low; i--)
        if (wg_check_is_on_the_way(&s, i) && !wg_node_at(k->tape, i)->op->random && !call_holds(k, &s, i))
            return;
}
