/* The recorded function once more, in float64, taken up from the values that were recorded: what float32 rounded away
 * in a call is a constant added to its result. So its derivative at the inputs is the chain rule's at the very numbers
 * that the backward pass had, the signs and ties among them included, and a step may be as small as float64 allows.
 *
 * Where an operation of the library sits at a kink, differences do not tell its derivative, but its entry states one.
 * The function can be continued along that: then what is left has a derivative, and the rest of the graph is held to
 * it. */
#include "graph/checking.h"

#include "wengert/derivatives.h"
#include "wengert/elementwise.h"

#define CLOSE 1e-2  /* what rounding may do to a result, as part of the largest number of the call */
#define NEARBY 1e-6 /* as part of the largest operand: a kink so near is one */
#define BENT 1e-3   /* a second difference of more than this part of the first one is a kink */
#define FLAT 1e-12  /* a change of less than this part of the largest result is rounding */

static wg_tensor *at_node(const wg_check_wide *w, wg_tensor *table, uint32_t node)
{
    return table + (node - w->way.low);
}

static bool cannot(wg_check_wide *w, const char *what)
{
    wg_check_forgive(w->tape);
    snprintf(w->without, sizeof w->without, "%s", what);
    return false;
}

/* Does node i change with the inputs? Where the function is continued along derivatives, choices are kept: what is no
 * float number does not change. */
static bool is_moved(const wg_check_wide *w, uint32_t i)
{
    if (i < w->way.low || i > w->way.high || !(*wg_state(&w->way, i) & WG_STATE_REACHED))
        return false;
    const wg_node *node = wg_node_at(w->tape, i);
    return *wg_state(&w->way, i) & WG_STATE_TARGET ||
           (!wg_node_is(node, WG_NODE_LEAF) && (!w->stated || wg_is_float((wg_dtype)node->dtype)));
}

static bool is_single(const wg_check_wide *w, uint32_t i) { return wg_node_at(w->tape, i)->dtype == WG_FLOAT32; }

static wg_tensor widened(const wg_check_wide *w, uint32_t i)
{
    wg_tensor t = wg_node_tensor(w->tape, i);
    return is_single(w, i) ? (wg_cast)(t, (wg_cast_options){.dtype = WG_FLOAT64}) : t;
}

/* ---- One call ---------------------------------------------------------------------------------------------------- */
/* The operands of the call that recorded node `first`, as they are in this run or, `recorded`, as they were. */
static bool operands(const wg_check_wide *w, uint32_t first, bool recorded, wg_tensor *in)
{
    const wg_node *node = wg_node_at(w->tape, first);
    const uint32_t *at = wg_node_in(node);
    for (int k = 0; k < node->n_in; k++)
        in[k] = at[k] == WG_ABSENT                 ? WG_NONE
                : is_moved(w, at[k])               ? recorded ? widened(w, at[k]) : *at_node(w, w->value, at[k])
                              : wg_is_tensor(w->constant[at[k]]) ? w->constant[at[k]]
                                                   : wg_node_tensor(w->tape, at[k]);
    return !w->tape->status;
}

/* Did it make float32 of its float64 operand, and nothing else? A cast is told by that; what it takes away is put back
 * as what rounding took. */
static bool is_narrowed(const wg_op *op, wg_tensor x, wg_tensor y)
{
    return op->linear == WG_JOINTLY && wg_type_of(x).dtype == WG_FLOAT64 && wg_type_of(y).dtype == WG_FLOAT32 &&
           wg_size(x) == wg_size(y);
}

/* The call on other operands. One that draws numbers has a formula, which holds them fast. */
static bool called(const wg_check_wide *w, uint32_t first, wg_tensor *in, wg_tensor *out)
{
    const wg_node *node = wg_node_at(w->tape, first);
    if (!node->op->random) {
        if ((wg_record_on)(w->tape, node->op, wg_node_options(node), in, node->n_in, out, node->n_out))
            return false;
        if (node->n_in == 1 && is_narrowed(node->op, in[0], out[0]))
            out[0] = in[0];
        return true;
    }
    wg_call *c = wg_call_again(w->tape, first);
    wg_type *x = wg_arena(w->tape, ((size_t)node->n_in + 1) * sizeof *x);
    if (!c || !x || !node->op->formula)
        return false;
    for (int k = 0; k < c->n_in; k++)
        x[k] = wg_is_tensor(in[k]) ? wg_type_of(in[k]) : c->x[k];
    c->in = in;
    c->x = x;
    c->dtype = WG_FLOAT64;
    for (int k = 0; k < c->n_out; k++)
        out[k] = WG_NONE;
    node->op->formula(c, out);
    return !w->tape->status;
}

/* The operands' room is the arena's, and goes with the run. */
static bool call_evaluated(const wg_check_wide *w, uint32_t first, bool recorded, wg_tensor *out)
{
    wg_tensor *in = wg_arena(w->tape, ((size_t)wg_node_at(w->tape, first)->n_in + 1) * sizeof *in);
    return in && operands(w, first, recorded, in) && called(w, first, in, out);
}

/* ---- What rounding took ------------------------------------------------------------------------------------------ */
static double largest_of(const wg_check_wide *w, uint32_t i)
{
    wg_tensor t = wg_node_tensor(w->tape, i);
    double most = 0;
    for (int64_t j = 0, n = wg_is_float(wg_type_of(t).dtype) ? wg_size(t) : 0; j < n; j++) {
        double v = fabs((wg_element)(t, j));
        most = isfinite(v) ? fmax(most, v) : most;
    }
    return most;
}

/* Of all numbers of the call of node `first`. */
static double call_largest(const wg_check_wide *w, uint32_t first)
{
    const wg_node *node = wg_node_at(w->tape, first);
    double most = 0;
    for (int k = 0; k < node->n_in; k++)
        if (wg_node_in(node)[k] != WG_ABSENT)
            most = fmax(most, largest_of(w, wg_node_in(node)[k]));
    for (uint32_t k = 0; k < node->n_out; k++)
        most = fmax(most, largest_of(w, first + k));
    return most;
}

/* What node i is more than y, its value by float64. False: that is no rounding. */
static bool rest_taken(wg_check_wide *w, uint32_t i, wg_tensor y, double *rest, double most)
{
    wg_tensor was = wg_node_tensor(w->tape, i);
    bool any = false;
    if (!wg_is_tensor(y) || wg_type_of(y).dtype != WG_FLOAT64 || wg_size(y) != wg_size(was))
        return false;
    for (int64_t j = 0; j < wg_size(was); j++) {
        double a = (wg_element)(was, j), b = (wg_element)(y, j);
        rest[j] = a == b || !isfinite(a - b) ? 0 : a - b;
        any |= rest[j] != 0;
        if (fabs(rest[j]) > CLOSE * most)
            return false;
    }
    if (!any)
        *at_node(w, w->rest, i) = WG_NONE;
    return true;
}

static bool call_widened(wg_check_wide *w, uint32_t first)
{
    const wg_node *node = wg_node_at(w->tape, first);
    const uint32_t *at = wg_node_in(node);
    double *rest[UINT8_MAX] = {NULL}, most = call_largest(w, first);
    wg_tensor out[UINT8_MAX];
    for (int k = 0; k < node->n_in; k++)
        if (at[k] != WG_ABSENT && !is_moved(w, at[k]) && is_single(w, at[k]) && wg_is_none(w->constant[at[k]]))
            w->constant[at[k]] = widened(w, at[k]);
    for (uint32_t k = 0; k < node->n_out; k++)
        if (is_single(w, first + k)) {
            wg_type type = wg_node_type(wg_node_at(w->tape, first + k));
            type.dtype = WG_FLOAT64;
            wg_tensor leaf = wg_leaf(w->tape, &type, NULL, 0, "wg_check_grad");
            if (!wg_is_tensor(leaf))
                return false;
            *at_node(w, w->rest, first + k) = leaf;
            rest[k] = wg_node_at(w->tape, leaf.node)->data;
        }
    wg_mark before = wg_tape_mark(w->tape);
    bool fine = call_evaluated(w, first, true, out);
    for (uint32_t k = 0; k < node->n_out && fine; k++)
        if (rest[k] && is_moved(w, first + k))
            fine = rest_taken(w, first + k, out[k], rest[k], most);
    wg_check_forgive(w->tape);
    wg_rewind(w->tape, before);
    return fine;
}

/* ---- At a kink --------------------------------------------------------------------------------------------------- */
/* The operands of a call of its own, on leaves. Each moved one is changed by `by` of its largest number. */
static bool operands_aside(const wg_check_wide *w, uint32_t first, double by, wg_tensor *in)
{
    const uint32_t *at = wg_node_in(wg_node_at(w->tape, first));
    if (!operands(w, first, true, in))
        return false;
    for (int k = 0; k < wg_node_at(w->tape, first)->n_in; k++) {
        if (at[k] == WG_ABSENT || !is_moved(w, at[k]))
            continue;
        wg_type type = wg_type_of(in[k]);
        wg_tensor leaf = wg_leaf(w->tape, &type, NULL, 0, "wg_check_grad");
        if (!wg_is_tensor(leaf) || (wg_copy_out)(in[k], wg_node_at(w->tape, leaf.node)->data))
            return false;
        double *x = wg_node_at(w->tape, leaf.node)->data, size = largest_of(w, at[k]);
        for (int64_t i = 0; i < wg_size(leaf) && by != 0; i++)
            x[i] += by * (size > 0 ? size : 1) * wg_check_random(1, 3000 + (uint64_t)k, i);
        in[k] = leaf;
    }
    return true;
}

/* By element: up and down by a step, then by an eighth of it. A second difference falls with the step at a kink, with
 * its square elsewhere. */
static bool is_bent(wg_tensor y, const wg_tensor *aside, double most)
{
    for (int64_t i = 0; i < wg_size(y); i++) {
        double by[4], at = (wg_element)(y, i);
        for (int j = 0; j < 4; j++)
            by[j] = (wg_element)(aside[j], i) - at;
        double first = fmax(fabs(by[2]), fabs(by[3])), second = fabs(by[2] + by[3]);
        if (first > FLAT * most && second > BENT * first && second > fabs(by[0] + by[1]) / 24)
            return true;
    }
    return false;
}

/* Is the call of node `first` at a kink? */
static bool is_at_a_kink(const wg_check_wide *w, uint32_t first)
{
    static const double by[] = {NEARBY, -NEARBY, NEARBY / 8, -NEARBY / 8, 0};
    const wg_node *node = wg_node_at(w->tape, first);
    wg_mark before = wg_tape_mark(w->tape);
    wg_tensor out[5][UINT8_MAX], *in = wg_arena(w->tape, ((size_t)node->n_in + 1) * sizeof *in);
    bool fine = in != NULL, bent = false;
    for (int i = 0; i < 5 && fine; i++)
        fine = operands_aside(w, first, by[i], in) && called(w, first, in, out[i]);
    for (uint32_t k = 0; k < node->n_out && fine; k++) {
        wg_tensor aside[4] = {out[0][k], out[1][k], out[2][k], out[3][k]};
        bent |= is_moved(w, first + k) && is_bent(out[4][k], aside, largest_of(w, first + k));
    }
    wg_check_forgive(w->tape);
    wg_rewind(w->tape, before);
    return bent;
}

/* Records the call on leaves of its own, from which its derivative is taken later. */
static bool call_stated(wg_check_wide *w, uint32_t first)
{
    const wg_node *node = wg_node_at(w->tape, first);
    wg_tensor out[UINT8_MAX], *in = wg_arena(w->tape, ((size_t)node->n_in + 1) * sizeof *in);
    if (!in || !operands_aside(w, first, 0, in) || !called(w, first, in, out))
        return false;
    for (uint32_t k = 0; k < node->n_out; k++)
        *at_node(w, w->origin, first + k) = out[k];
    for (uint32_t k = 0; k < node->n_out && !w->kinks; k++)
        snprintf(w->at, sizeof w->at, "%s", node->op->name);
    w->kinks++;
    return true;
}

/* Its value at the operands of this run, along its derivative. */
static bool along_its_derivative(const wg_check_wide *w, uint32_t first, wg_tensor *out)
{
    const wg_node *node = wg_node_at(w->tape, first);
    const wg_tensor *origin = at_node(w, w->origin, first);
    const uint32_t *at = wg_node_in(node), *from = wg_node_in(wg_node_at(w->tape, origin[0].node));
    size_t room = (size_t)node->n_in + 1;
    wg_tensor *x = wg_arena(w->tape, room * sizeof *x), *t = wg_arena(w->tape, room * sizeof *t);
    wg_tensor ys[UINT8_MAX], pushed[UINT8_MAX];
    int n = 0, n_ys = 0, of[UINT8_MAX];
    for (int k = 0; k < node->n_in && x && t; k++)
        if (at[k] != WG_ABSENT && is_moved(w, at[k])) {
            x[n] = wg_node_tensor(w->tape, from[k]);
            t[n] = (wg_subtract)(*at_node(w, w->value, at[k]), x[n]);
            n++;
        }
    for (int k = 0; k < node->n_out; k++)
        if (is_moved(w, first + (uint32_t)k)) {
            ys[n_ys] = origin[k];
            of[n_ys++] = k;
        }
    if (!n || !n_ys || (wg_jvp)(ys, n_ys, x, t, n, pushed))
        return false;
    for (int k = 0; k < n_ys; k++)
        out[of[k]] = wg_is_none(pushed[k]) ? ys[k] : (wg_add)(ys[k], pushed[k]);
    return true;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
/* Moves on to the next call on the way, from node *i; false: there is none. */
static bool next_call(const wg_check_wide *w, uint32_t *i, uint32_t *first)
{
    for (; *i <= w->way.high; ++*i)
        if (is_moved(w, *i) && wg_check_is_on_the_way(&w->way, *i)) {
            const wg_node *node = wg_node_at(w->tape, *i);
            *first = *i - node->out;
            *i = *first + node->n_out;
            return true;
        }
    return false;
}

wg_tensor wg_check_continued(const wg_tensor *x, void *user)
{
    const wg_check_wide *w = user;
    wg_tensor out[UINT8_MAX];
    for (int i = 0; i < w->n; i++)
        *at_node(w, w->value, w->from[i].node) = x[i];
    for (uint32_t i = w->way.low, first; next_call(w, &i, &first);) {
        bool stated = w->stated && !wg_is_none(*at_node(w, w->origin, first));
        if (stated ? !along_its_derivative(w, first, out) : !call_evaluated(w, first, false, out))
            return wg_invalid_on(w->tape);
        for (uint32_t k = 0; k < wg_node_at(w->tape, first)->n_out && first + k <= w->way.high; k++) {
            wg_tensor rest = *at_node(w, w->rest, first + k);
            bool rounded = wg_is_tensor(rest) && !stated;
            *at_node(w, w->value, first + k) = rounded ? (wg_add)(out[k], rest) : out[k];
        }
    }
    return is_moved(w, w->way.high) ? *at_node(w, w->value, w->way.high) : w->constant[w->way.high];
}

static bool tables_made(wg_check_wide *w)
{
    size_t n = (size_t)(w->way.high - w->way.low) + 1 + UINT8_MAX, all = (size_t)w->way.high + 1;
    w->value = wg_arena(w->tape, n * sizeof *w->value);
    w->rest = wg_arena(w->tape, n * sizeof *w->rest);
    w->origin = wg_arena(w->tape, n * sizeof *w->origin);
    w->constant = wg_arena(w->tape, all * sizeof *w->constant);
    if (!w->value || !w->rest || !w->origin || !w->constant)
        return false;
    for (size_t i = 0; i < n; i++)
        w->value[i] = w->rest[i] = w->origin[i] = WG_NONE;
    for (size_t i = 0; i < all; i++)
        w->constant[i] = WG_NONE;
    return true;
}

static wg_tensor input_widened(const wg_check_wide *w, wg_tensor x)
{
    wg_type type = wg_type_of(x);
    type.dtype = WG_FLOAT64;
    wg_tensor leaf = wg_leaf(w->tape, &type, NULL, 0, "wg_check_grad");
    for (int64_t i = 0; wg_is_tensor(leaf) && i < wg_size(x); i++)
        ((double *)wg_node_at(w->tape, leaf.node)->data)[i] = (wg_element)(x, i);
    return leaf;
}

bool wg_check_widen(wg_check_wide *w, const wg_checking *k, const wg_check_graph *graph, bool stated)
{
    *w = (wg_check_wide){.tape = k->tape, .n = k->n, .from = graph->x, .stated = stated};
    if (!wg_check_way(k, graph, &w->way) || !tables_made(w))
        return cannot(w, "more memory");
    for (int i = 0; i < k->n; i++) {
        if (graph->x[i].node > w->way.high)
            return cannot(w, "an input that comes after the result");
        w->x[i] = input_widened(w, graph->x[i]);
    }
    if (!is_moved(w, w->way.high))
        w->constant[w->way.high] = widened(w, w->way.high);
    for (uint32_t i = w->way.low, first; next_call(w, &i, &first);) {
        const wg_op *op = wg_node_at(w->tape, first)->op;
        if (!call_widened(w, first))
            return cannot(w, op->name);
        if (stated && wg_is_built_in(op) && is_at_a_kink(w, first) && !call_stated(w, first))
            return cannot(w, op->name);
    }
    return !w->tape->status || cannot(w, "more memory");
}
