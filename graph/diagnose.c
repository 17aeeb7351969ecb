/* Observing a training run: what is measured at each step. The gradient of the step's own loss is taken once more,
 * beside the accumulated one, so that what earlier steps left in that one shows. */
#include "graph/diagnosis.h"
#include "graph/traverse.h"

#define FAINT 1e-5 /* of the largest |gradient| / |parameter|: healthy layers differ by less than a thousand */
#define LEFT 0.01  /* part of a gradient that may be rounding, and part of the one before that may still be there */

/* ---- Names ------------------------------------------------------------------------------------------------------- */
static const char *name_of(const wg_node *node) { return node->extra && node->extra->name ? node->extra->name : ""; }
const char *wg_name_or_op(const wg_node *node) { return *name_of(node) ? name_of(node) : node->op->name; }

/* Of a node without a place or a scope the nearest parameter that it is behind tells where it is. */
static void behind_text(const wg_tape *tape, const wg_node *node, char where[WG_NAME_KEPT])
{
    for (int step = 0; step < 8 && !wg_node_is(node, WG_NODE_LEAF) && node->n_in; step++) {
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++) {
            const wg_node *x = in[k] == WG_ABSENT ? NULL : wg_node_at(tape, in[k]);
            if (x && wg_node_is(x, WG_NODE_PARAM) && *name_of(x)) {
                snprintf(where, WG_NAME_KEPT, step ? "behind %.80s" : "of %.80s", name_of(x));
                return;
            }
        }
        if (in[0] == WG_ABSENT)
            return;
        node = wg_node_at(tape, in[0]);
    }
}

void wg_node_text(const wg_tape *tape, uint32_t i, char what[WG_NAME_KEPT], char where[WG_NAME_KEPT])
{
    const wg_node *node = wg_node_at(tape, i);
    snprintf(what, WG_NAME_KEPT, "%.90s", wg_name_or_op(node));
    wg_place_text(tape, node->place, where, WG_NAME_KEPT);
    if (!*where)
        wg_scope_path(tape, node->scope, where, WG_NAME_KEPT);
    if (!*where)
        behind_text(tape, node, where);
}

wg_finding *wg_finding_add(wg_diagnosis *d, wg_fault fault, const char *what, const char *where)
{
    for (int i = 0; i < d->n_found; i++)
        if (d->found[i].fault == fault && !strcmp(d->found[i].what, what) && !strcmp(d->found[i].where, where))
            return NULL;
    if (d->n_found == WG_MOMENTS)
        return NULL;
    wg_finding *f = &d->found[d->n_found++];
    *f = (wg_finding){.fault = fault, .step = d->steps};
    snprintf(f->what, sizeof f->what, "%s", what);
    snprintf(f->where, sizeof f->where, "%s", where);
    return f;
}

/* ---- Making one -------------------------------------------------------------------------------------------------- */
static void diagnosis_free(void *object)
{
    wg_diagnosis *d = object;
    for (uint32_t i = 0; i < d->params; i++) {
        wg_tape_release(d->tape, d->param[i].value, d->param[i].bytes);
        wg_tape_release(d->tape, d->param[i].accumulated, d->param[i].bytes);
    }
    for (int i = 0; i < d->n_units; i++)
        wg_tape_release(d->tape, d->units[i].alive, d->units[i].alive ? (size_t)d->units[i].units + 1 : 0);
    if (d->labels.count)
        wg_tape_release(d->tape, d->labels.count, (size_t)d->labels.classes * sizeof *d->labels.count);
    wg_tape_release(d->tape, d->param, d->param_room * sizeof *d->param);
    wg_tape_release(d->tape, d->step, d->step_room * sizeof *d->step);
    wg_tape_release(d->tape, d, sizeof *d);
}

wg_diagnosis *(wg_diagnosis_begin)(wg_tape *tape)
{
    if (!tape || tape->status)
        return NULL;
    wg_diagnosis *d = wg_tape_allocate(tape, sizeof *d);
    if (!d) {
        wg_no_memory(tape, "wg_diagnosis_begin", sizeof *d);
        return NULL;
    }
    d->tape = tape;
    wg_forget_place(tape);
    return wg_tape_own(tape, d, diagnosis_free) ? NULL : d;
}

static bool params_found(wg_diagnosis *d)
{
    for (uint32_t i = 0; i < d->tape->nodes; i++) {
        const wg_node *node = wg_node_at(d->tape, i);
        if (!wg_node_is(node, WG_NODE_PARAM) || wg_node_is(node, WG_NODE_FROZEN))
            continue;
        if (!wg_tape_grow(d->tape, (void **)&d->param, &d->param_room, d->params + 1, sizeof *d->param))
            return false;
        wg_watched_param *p = &d->param[d->params];
        *p = (wg_watched_param){.param = wg_node_tensor(d->tape, i)};
        p->bytes = (size_t)wg_node_count(node) * wg_dtype_size((wg_dtype)node->dtype) + 1;
        p->value = wg_tape_allocate(d->tape, p->bytes);
        p->accumulated = p->value ? wg_tape_allocate(d->tape, p->bytes) : NULL;
        d->params++;
        if (!p->accumulated)
            return false;
    }
    d->begun = true;
    return true;
}

/* ---- How far parameters moved ------------------------------------------------------------------------------------ */
static double number_at(const wg_node *node, const void *data, int64_t i)
{
    return node->dtype == WG_FLOAT32 ? ((const float *)data)[i] : ((const double *)data)[i];
}

/* A parameter from before a rewind would be a stale handle. */
static const wg_node *param_node(const wg_diagnosis *d, const wg_watched_param *p)
{
    const wg_node *node = p->param.node < d->tape->nodes ? wg_node_at(d->tape, p->param.node) : NULL;
    return node && node->epoch == p->param.epoch ? node : NULL;
}

static void moves_seen(wg_diagnosis *d, wg_step_seen *step)
{
    double moved = 0, size = 0;
    for (uint32_t k = 0; k < d->params; k++) {
        wg_watched_param *p = &d->param[k];
        const wg_node *node = param_node(d, p);
        if (!node)
            continue;
        for (int64_t i = 0, n = wg_node_count(node); i < n; i++) {
            double v = number_at(node, node->data, i), off = p->has_before ? v - number_at(node, p->value, i) : 0;
            moved += off * off;
            size += v * v;
            p->moved |= off != 0;
        }
        memcpy(p->value, node->data, p->bytes - 1);
        p->has_before = true;
    }
    step->update = sqrt(moved);
    step->parameter = sqrt(size);
}

/* ---- Gradients --------------------------------------------------------------------------------------------------- */
/* <g - own, before>, |before|^2, |g - own|^2, |own|^2 and |g|^2, for accumulated gradients g. */
typedef struct {
    double along, before, rest, own, accumulated;
    bool complete; /* all of those that move were there, now and the step before */
} leftover;

/* A parameter that stays as it is is another fault: nobody takes its gradient. */
static void leftover_add(leftover *l, wg_watched_param *p, const wg_node *param, const wg_node *own,
                         const wg_tape *tape)
{
    const wg_extra *extra = param->extra;
    bool has = extra && extra->has_grad && extra->grad != WG_ABSENT;
    const void *g = has ? wg_node_at(tape, extra->grad)->data : NULL;
    l->complete &= !p->moved || (has && p->has_accumulated);
    for (int64_t i = 0, n = has && p->moved ? wg_node_count(param) : 0; i < n; i++) {
        double sum = number_at(param, g, i), mine = number_at(param, own->data, i);
        double before = p->has_accumulated ? number_at(param, p->accumulated, i) : 0, rest = sum - mine;
        l->along += rest * before;
        l->before += before * before;
        l->rest += rest * rest;
        l->own += mine * mine;
        l->accumulated += sum * sum;
    }
    if (has)
        memcpy(p->accumulated, g, p->bytes - 1);
    p->has_accumulated = has;
}

/* What is more than this step's own gradient is a multiple of the one before, although a step was made since. */
static void leak_seen(wg_diagnosis *d, const leftover *l, bool moved)
{
    if (!l->complete || !moved || !(l->before > 0) || !(l->own > 0) || l->rest <= LEFT * LEFT * l->own)
        return;
    double times = l->along / l->before, off = l->rest - times * l->along;
    if (times < LEFT || off > LEFT * l->rest)
        return;
    d->leaks++;
    d->leak = fmax(d->leak, sqrt(l->accumulated / l->own));
}

/* Layers whose gradient is next to nothing beside the others'. */
static void faint_seen(wg_diagnosis *d, const double *ratio)
{
    double top = 0;
    for (uint32_t k = 0; k < d->params; k++)
        top = fmax(top, ratio[k]);
    for (uint32_t k = 0; k < d->params; k++) {
        if (ratio[k] < 0 || !(ratio[k] < FAINT * top))
            continue;
        d->param[k].faint++;
        d->param[k].ratio = ratio[k];
        d->param[k].top = top;
    }
}

/* ratio[k]: -1 where it is not to be compared, as of biases, which start at zero. */
static wg_status gradients_measured(const wg_seen_graph *g, wg_step_seen *step, wg_tensor *own, double *ratio)
{
    wg_diagnosis *d = g->d;
    leftover left = {.complete = true};
    double total = 0;
    int n = 0;
    wg_tensor *xs = own + d->params;
    for (uint32_t k = 0; k < d->params; k++)
        if (d->param[k].param.node <= g->last && g->state[d->param[k].param.node] & WG_SEEN_ARRIVES)
            xs[n++] = d->param[k].param;
    wg_status status = (wg_grad)(wg_node_tensor(g->tape, g->last), xs, n, own, (wg_grad_options){wg_grad_defaults});
    int at = 0;
    for (uint32_t k = 0; k < d->params && !status; k++) {
        wg_watched_param *p = &d->param[k];
        ratio[k] = -1;
        if (p->param.node > g->last || !(g->state[p->param.node] & WG_SEEN_ARRIVES))
            continue;
        const wg_node *param = wg_node_at(g->tape, p->param.node), *mine = wg_node_at(g->tape, own[at++].node);
        wg_statistics value, gradient;
        wg_measure(param, &value);
        wg_measure(mine, &gradient);
        total += gradient.norm * gradient.norm;
        p->zero += gradient.norm == 0;
        if (param->rank > 1 && value.norm > 0)
            ratio[k] = gradient.norm / value.norm;
        leftover_add(&left, p, param, mine, g->tape);
    }
    step->gradient = sqrt(total);
    if (!status)
        leak_seen(d, &left, step->update > 0);
    return status;
}

static wg_status gradients_seen(const wg_seen_graph *g, wg_step_seen *step)
{
    size_t n = g->d->params;
    wg_tensor *own = wg_arena(g->tape, (2 * n + 1) * sizeof *own);
    double *ratio = own ? wg_arena(g->tape, (n + 1) * sizeof *ratio) : NULL;
    if (!ratio)
        return wg_no_memory(g->tape, "wg_diagnose", (2 * n + 1) * sizeof *own);
    wg_status status = gradients_measured(g, step, own, ratio);
    if (status)
        return status;
    if (isfinite(step->gradient))
        faint_seen(g->d, ratio);
    else
        wg_see_gradient_not_finite(g);
    return g->tape->status;
}

/* ---- A step ------------------------------------------------------------------------------------------------------ */
static wg_status step_seen(wg_diagnosis *d, wg_tensor loss)
{
    wg_tape *tape = d->tape;
    wg_seen_graph g = {d, tape, loss.node, wg_arena(tape, (size_t)loss.node + 1)};
    if (!g.state || (!d->begun && !params_found(d)) ||
        !wg_tape_grow(tape, (void **)&d->step, &d->step_room, d->steps + 1, sizeof *d->step))
        return wg_no_memory(tape, "wg_diagnose", (size_t)loss.node + 1);
    wg_step_seen *step = &d->step[d->steps++];
    *step = (wg_step_seen){.loss = (wg_item)(loss), .gradient = (double)NAN};
    memset(g.state, 0, (size_t)loss.node + 1);
    wg_see_graph(&g);
    moves_seen(d, step);
    wg_see_params(&g);
    wg_see_nodes(&g);
    if (isfinite(step->loss))
        return gradients_seen(&g, step);
    wg_see_not_finite(&g);
    return WG_OK;
}

wg_status(wg_diagnose)(wg_diagnosis *d, wg_tensor loss)
{
    if (!d)
        return WG_OK;
    wg_tape *tape = d->tape;
    const wg_node *node = tape->status ? NULL : wg_node_of(loss, "wg_diagnose");
    if (!node)
        return tape->status ? tape->status : WG_ERROR_VALUE;
    if (loss.tape != tape || wg_node_count(node) != 1 || !wg_is_float((wg_dtype)node->dtype))
        return wg_report(tape, "wg_diagnose", WG_ERROR_VALUE,
                         loss.tape != tape ? "the loss is of another tape"
                                           : "the loss is not one number of a float dtype");
    uint32_t held = wg_hold_place(tape);
    wg_aside aside = wg_aside_begin(tape);
    wg_status status = step_seen(d, loss);
    wg_aside_end(tape, aside);
    wg_let_go_place(tape, held);
    return status;
}

wg_status(wg_diagnose_data)(wg_diagnosis *d, wg_tensor x, wg_tensor y)
{
    if (!d)
        return WG_OK;
    wg_tape *tape = d->tape;
    const wg_node *a = tape->status ? NULL : wg_node_of(x, "wg_diagnose_data");
    const wg_node *b = a && !wg_is_none(y) ? wg_node_of(y, "wg_diagnose_data") : NULL;
    if (!a || (!b && !wg_is_none(y)))
        return tape->status ? tape->status : WG_ERROR_VALUE;
    if (x.tape != tape || (b && y.tape != tape))
        return wg_report(tape, "wg_diagnose_data", WG_ERROR_VALUE, "the data are of another tape");
    char what[WG_NAME_KEPT], where[WG_NAME_KEPT];
    wg_node_text(tape, x.node, what, where);
    for (int i = 0; i < d->n_inputs; i++) /* that the steps take already */
        if (!strcmp(d->input[i].name, what))
            snprintf(where, sizeof where, "%s", d->input[i].place);
    if (wg_is_float((wg_dtype)a->dtype))
        wg_see_input(d, a, what, where, false);
    if (b && wg_is_integer((wg_dtype)b->dtype)) {
        int64_t classes = 0;
        for (int64_t i = 0, n = wg_node_count(b); i < n; i++)
            classes = (int64_t)fmax((double)classes, (wg_element)(y, i) + 1);
        wg_see_labels(d, b, d->labels.classes ? d->labels.classes : classes, wg_name_or_op(b));
        wg_see_pairs(d, a, b);
    }
    wg_forget_place(tape);
    return tape->status;
}

int64_t wg_diagnosis_steps(const wg_diagnosis *d, double *first, double *last)
{
    bool any = d && d->steps;
    if (first)
        *first = any ? d->step[0].loss : (double)NAN;
    if (last)
        *last = any ? d->step[d->steps - 1].loss : (double)NAN;
    return d ? d->steps : 0;
}
