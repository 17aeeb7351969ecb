/* Where NaN and infinity come from, as a sentence: in the values, the first of the tape whose operands are finite; in
 * the gradients, the operation that is given a finite one and hands on another. */
#include "graph/diagnosis.h"
#include "graph/traverse.h"

static void advice_put(wg_finding *f, const wg_node *node)
{
    wg_statistics s;
    const char *domain = wg_node_is(node, WG_NODE_LEAF) ? NULL : node->op->domain;
    wg_measure(node, &s);
    if (wg_node_is(node, WG_NODE_PARAM))
        snprintf(f->advice, sizeof f->advice, "a smaller learning rate, or wg_clip_grad_norm before the step");
    else if (wg_node_is(node, WG_NODE_LEAF))
        snprintf(f->advice, sizeof f->advice, "the data hold it: look for missing values before training");
    else if (domain)
        snprintf(f->advice, sizeof f->advice,
                 "%s is for %s, and at the edge its slope may be infinite: keep a small distance, as by wg_clip or "
                 "wg_maximum(x, 1e-6)",
                 node->op->name, domain);
    else if (s.infinite && !s.nan)
        snprintf(f->advice, sizeof f->advice,
                 "values overflow: smaller weights or inputs; of exponentials subtract the largest first, as logsumexp "
                 "and softmax do");
    else
        snprintf(f->advice, sizeof f->advice, "look at the range of what it is given");
}

/* "5 of 640 values are NaN". */
static int count_text(const wg_statistics *s, char *text, size_t size)
{
    int64_t bad = s->nan ? s->nan : s->infinite;
    const char *kind = s->nan ? "NaN" : "infinite";
    if (s->n == 1)
        return snprintf(text, size, "the value is %s", kind);
    if (bad == s->n)
        return snprintf(text, size, "all %lld values are %s", (long long)s->n, kind);
    return snprintf(text, size, "%lld of %lld values are %s", (long long)bad, (long long)s->n, kind);
}

/* ", where a is between 0 and 3, b is 0 64 times and at most 2". */
static void operands_told(const wg_tape *tape, const wg_node *node, char *text, size_t size)
{
    const uint32_t *in = wg_node_in(node);
    size_t used = 0;
    text[0] = 0;
    for (int k = 0; k < node->n_in && k < 2 && used < size; k++) {
        wg_statistics s;
        if (in[k] == WG_ABSENT || !wg_is_float((wg_dtype)wg_node_at(tape, in[k])->dtype))
            continue;
        wg_measure(wg_node_at(tape, in[k]), &s);
        const char *name = wg_operand_name(node->op, k);
        if (!s.n)
            continue;
        used += (size_t)snprintf(text + used, size - used, "%s%s is between %.3g and %.3g", used ? ", " : ", where ",
                                 name ? name : "an operand", s.low, s.high);
        if (s.zeros && used < size)
            used += (size_t)snprintf(text + used, size - used, " (%lld zeros)", (long long)s.zeros);
    }
}

static void origin_text(const wg_tape *tape, uint32_t i, char *text, size_t size)
{
    const wg_node *node = wg_node_at(tape, i);
    wg_statistics s;
    wg_measure(node, &s);
    int n = count_text(&s, text, size);
    if (!wg_node_is(node, WG_NODE_LEAF) && n >= 0 && (size_t)n < size)
        operands_told(tape, node, text + n, size - (size_t)n);
}

bool wg_nonfinite_text(wg_tape *tape, char *text, size_t size)
{
    char what[WG_NAME_KEPT], where[WG_NAME_KEPT], how[320];
    uint32_t i = tape && tape->nodes ? wg_first_nonfinite(tape, tape->nodes - 1, NULL) : WG_NOWHERE;
    if (size)
        text[0] = 0;
    if (i == WG_NOWHERE)
        return false;
    wg_node_text(tape, i, what, where);
    origin_text(tape, i, how, sizeof how);
    snprintf(text, size, "%s%s%s%s: %s", what, *where ? " (" : "", where, *where ? ")" : "", how);
    return true;
}

/* What comes later follows from it. */
static bool seen_before(const wg_diagnosis *d)
{
    for (int i = 0; i < d->n_found; i++)
        if (d->found[i].fault == WG_FAULT_NOT_FINITE)
            return true;
    return false;
}

/* ---- In the values ----------------------------------------------------------------------------------------------- */
void wg_see_not_finite(const wg_seen_graph *g)
{
    char what[WG_NAME_KEPT], where[WG_NAME_KEPT];
    uint32_t i = seen_before(g->d) ? WG_NOWHERE : wg_first_nonfinite(g->tape, g->last, g->state);
    if (i == WG_NOWHERE)
        return;
    wg_node_text(g->tape, i, what, where);
    wg_finding *f = wg_finding_add(g->d, WG_FAULT_NOT_FINITE, what, where);
    if (!f)
        return;
    origin_text(g->tape, i, f->evidence, sizeof f->evidence);
    advice_put(f, wg_node_at(g->tape, i));
}

/* ---- In the gradients -------------------------------------------------------------------------------------------- */
/* Node i is the last one recorded whose operands have a gradient that is not finite while all its outputs have one that
 * is: there the backward pass, which comes from the loss, meets it first. */
static uint32_t turning_point(const wg_seen_graph *g, const unsigned char *bad)
{
    for (uint32_t i = g->last + 1; i-- > 0;) {
        const wg_node *node = wg_node_at(g->tape, i);
        if (!(g->state[i] & WG_SEEN_ARRIVES) || wg_node_is(node, WG_NODE_LEAF | WG_NODE_CUT) || bad[i])
            continue;
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++)
            if (in[k] != WG_ABSENT && bad[in[k]])
                return i;
    }
    return WG_NOWHERE;
}

/* Marks the nodes whose gradient is not finite. False: no memory, or an error, which is not this step's to report. */
static bool gradients_seen(const wg_seen_graph *g, unsigned char *bad)
{
    int n = 0;
    for (uint32_t i = 0; i <= g->last; i++)
        n += (g->state[i] & WG_SEEN_ARRIVES) && wg_is_float((wg_dtype)wg_node_at(g->tape, i)->dtype);
    wg_tensor *xs = wg_arena(g->tape, 2 * (size_t)n * sizeof *xs), *out = xs + n;
    if (!xs)
        return false;
    n = 0;
    for (uint32_t i = 0; i <= g->last; i++)
        if ((g->state[i] & WG_SEEN_ARRIVES) && wg_is_float((wg_dtype)wg_node_at(g->tape, i)->dtype))
            xs[n++] = wg_node_tensor(g->tape, i);
    if ((wg_grad)(wg_node_tensor(g->tape, g->last), xs, n, out, (wg_grad_options){wg_grad_defaults}))
        return false;
    for (int i = 0; i < n; i++)
        bad[xs[i].node] = !wg_node_finite(wg_node_at(g->tape, out[i].node));
    return true;
}

void wg_see_gradient_not_finite(const wg_seen_graph *g)
{
    char what[WG_NAME_KEPT], where[WG_NAME_KEPT], how[240];
    unsigned char *bad = seen_before(g->d) ? NULL : wg_arena(g->tape, (size_t)g->last + 1);
    if (!bad)
        return;
    memset(bad, 0, (size_t)g->last + 1);
    uint32_t i = gradients_seen(g, bad) ? turning_point(g, bad) : WG_NOWHERE;
    if (i == WG_NOWHERE)
        return;
    wg_node_text(g->tape, i, what, where);
    wg_finding *f = wg_finding_add(g->d, WG_FAULT_NOT_FINITE, what, where);
    if (!f)
        return;
    operands_told(g->tape, wg_node_at(g->tape, i), how, sizeof how);
    snprintf(f->evidence, sizeof f->evidence, "the loss is finite, but the gradient that this hands on is not%s", how);
    advice_put(f, wg_node_at(g->tape, i));
}
