/* What an exported function does, in which order, and where its values are. Elementwise calls that follow each other
 * are one step: of 0-d values a stretch of plain statements, of arrays of one shape one loop. What only that step sees
 * is a variable; the rest of what is made shares a workspace, an array for each dtype, by lifetimes. */
#include "graph/export.h"

#define MOST_SCALARS 200 /* statements of a function: compilers take more than twice the time for twice as many */
#define MOST_IN_LOOP 40

/* ---- Memory ------------------------------------------------------------------------------------------------------ */
size_t wg_export_take(wg_export *e, wg_dtype dtype, size_t n)
{
    wg_gap *gap = e->gap[dtype];
    uint32_t best = e->n_gaps[dtype];
    n = n ? n : 1;
    for (uint32_t k = 0; k < e->n_gaps[dtype]; k++)
        if (gap[k].n >= n && (best == e->n_gaps[dtype] || gap[k].n < gap[best].n))
            best = k;
    if (best == e->n_gaps[dtype]) {
        e->work[dtype] += n;
        return e->work[dtype] - n;
    }
    size_t at = gap[best].at;
    gap[best].at += n;
    gap[best].n -= n;
    if (!gap[best].n)
        gap[best] = gap[--e->n_gaps[dtype]];
    return at;
}

/* Joins it to the gaps on both sides, which need not be in order. */
void wg_export_give(wg_export *e, wg_dtype dtype, size_t at, size_t n)
{
    wg_gap *gap = e->gap[dtype], joined = {at, n ? n : 1};
    for (uint32_t k = 0; k < e->n_gaps[dtype];) {
        bool before = gap[k].at + gap[k].n == joined.at, behind = joined.at + joined.n == gap[k].at;
        if (!before && !behind) {
            k++;
            continue;
        }
        joined.at = before ? gap[k].at : joined.at;
        joined.n += gap[k].n;
        gap[k] = gap[--e->n_gaps[dtype]];
    }
    gap[e->n_gaps[dtype]++] = joined;
}

/* ---- Homes ------------------------------------------------------------------------------------------------------- */
const int64_t *wg_export_stride(const wg_export *e, uint32_t i)
{
    const wg_node *node = wg_plan_node(&e->p, i);
    return !node->rank || wg_node_is(node, WG_NODE_CONTIGUOUS) || wg_is_dense_copy(&e->p, i) ? NULL
                                                                                             : wg_node_stride(node);
}

/* Are all elements of a constant the same? Then it is a number where it is read, however many there are. */
static bool is_uniform(const wg_node *node)
{
    size_t size = wg_dtype_size((wg_dtype)node->dtype);
    int64_t n = wg_node_count(node);
    bool same = n > 0 && (!node->rank || wg_node_is(node, WG_NODE_CONTIGUOUS));
    for (int64_t i = 1; i < n && same; i++)
        same = !memcmp(node->data, (const unsigned char *)node->data + (size_t)i * size, size);
    return same;
}

/* Of a root; what has another one's storage has its home. */
static void home_found(wg_export *e, uint32_t i)
{
    const wg_node *node = wg_plan_node(&e->p, i);
    const wg_plan_value *v = &e->p.value[i];
    if (v->flags & WG_VALUE_INPUT)
        e->value[i].home = WG_HOME_INPUT;
    else if (v->root == i && wg_node_is(node, WG_NODE_PARAM) && e->options.parameters && v->flags & WG_VALUE_NEEDED)
        e->value[i].home = WG_HOME_PARAMETER;
    else if (v->root == i && !wg_is_made(&e->p, i))
        e->value[i].home = is_uniform(node) && !wg_node_is(node, WG_NODE_PARAM) ? WG_HOME_NUMBER : WG_HOME_CONSTANT;
}

static void outputs_homed(wg_export *e)
{
    for (int k = 0; k < e->f->n_out + e->f->n_grad; k++) {
        uint32_t i = e->p.outputs[k].node;
        if (e->p.value[i].root == i && wg_is_made(&e->p, i) && e->value[i].home == WG_HOME_NONE &&
            wg_plan_node(&e->p, i)->rank && wg_node_is(wg_plan_node(&e->p, i), WG_NODE_CONTIGUOUS)) {
            e->value[i].home = WG_HOME_OUTPUT;
            e->p.value[i].slot = e->f->n_in + k;
        }
    }
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */
static bool is_elementwise(const wg_export *e, uint32_t i)
{
    wg_arena_mark before = wg_arena_at(e->p.tape);
    const wg_call *c = wg_call_again(e->p.tape, i);
    wg_elementwise of;
    bool is = c && wg_elementwise_of(c, &of);
    wg_arena_back(e->p.tape, before);
    return is;
}

static bool is_scalar(const wg_export *e, uint32_t i)
{
    const wg_node *node = wg_plan_node(&e->p, i);
    const uint32_t *in = wg_node_in(node);
    bool scalar = !node->rank && node->n_out == 1;
    for (int k = 0; k < node->n_in && scalar; k++)
        scalar = in[k] != WG_ABSENT && !wg_plan_node(&e->p, in[k])->rank;
    return scalar && is_elementwise(e, i);
}

static bool same_dims(const wg_node *a, const wg_node *b)
{
    return a->rank == b->rank && (!a->rank || !memcmp(a->as.layout->dim, b->as.layout->dim, a->rank * sizeof(int64_t)));
}

/* May node i be done in the loop that begins with node `first`? What that makes is read where the loop is, and nowhere
 * else. */
static bool joins(const wg_export *e, uint32_t i, uint32_t first)
{
    const wg_node *node = wg_plan_node(&e->p, i);
    const uint32_t *in = wg_node_in(node);
    if (!node->rank || node->n_out != 1 || !same_dims(node, wg_plan_node(&e->p, first)))
        return false;
    for (int k = 0; k < node->n_in; k++) {
        if (in[k] == WG_ABSENT)
            return false;
        uint32_t root = e->p.value[in[k]].root;
        bool inside = root >= first && wg_is_made(&e->p, root);
        if (inside && (in[k] != root || !same_dims(wg_plan_node(&e->p, root), node)))
            return false;
    }
    return is_elementwise(e, i);
}

static wg_step_kind kind_of(const wg_export *e, uint32_t i)
{
    return is_scalar(e, i) ? WG_STEP_SCALARS : joins(e, i, i) ? WG_STEP_LOOP : WG_STEP_CALL;
}

static bool follows(const wg_export *e, const wg_export_step *s, uint32_t i, uint32_t n)
{
    if (s->kind == WG_STEP_SCALARS)
        return n < MOST_SCALARS && is_scalar(e, i);
    return s->kind == WG_STEP_LOOP && n < MOST_IN_LOOP && joins(e, i, s->first);
}

static void steps_found(wg_export *e)
{
    uint32_t n = 0; /* nodes of the step */
    for (uint32_t i = 0; i < e->p.nodes; i++) {
        if (!wg_is_step(&e->p, i))
            continue;
        wg_export_step *s = e->n_steps ? &e->step[e->n_steps - 1] : NULL;
        if (s && follows(e, s, i, n)) {
            n++;
            s->end = i + 1;
            continue;
        }
        e->step[e->n_steps++] = (wg_export_step){kind_of(e, i), i, i + wg_plan_node(&e->p, i)->n_out};
        n = 1;
    }
}

static void lifetimes_found(wg_export *e)
{
    for (uint32_t s = 0; s < e->n_steps; s++)
        for (uint32_t i = e->step[s].first; i < e->step[s].end; i++) {
            if (!wg_is_step(&e->p, i))
                continue;
            const wg_node *node = wg_plan_node(&e->p, i);
            const uint32_t *in = wg_node_in(node);
            for (int k = 0; k < node->n_in; k++)
                if (in[k] != WG_ABSENT)
                    wg_export_root(e, in[k])->last = s;
            for (uint32_t k = 0; k < node->n_out; k++)
                e->value[i + k].last = s;
        }
    for (int k = 0; k < e->f->n_out + e->f->n_grad; k++)
        wg_export_root(e, e->p.outputs[k].node)->last = e->n_steps;
}

static void locals_found(wg_export *e)
{
    for (uint32_t s = 0; s < e->n_steps; s++)
        for (uint32_t i = e->step[s].first; i < e->step[s].end; i++) {
            if (!wg_is_step(&e->p, i))
                continue;
            for (uint32_t k = 0; k < wg_plan_node(&e->p, i)->n_out; k++) {
                wg_export_value *v = &e->value[i + k];
                bool inside = e->step[s].kind != WG_STEP_CALL && v->last == s;
                if (v->home == WG_HOME_NONE)
                    v->home = inside ? WG_HOME_LOCAL : WG_HOME_WORK;
            }
        }
}

wg_status wg_export_planned(wg_export *e, const wg_tensor *inputs)
{
    wg_tape *tape = e->p.tape;
    wg_status status = wg_plan_marked(&e->p, inputs, e->p.outputs);
    if (status)
        return status;
    size_t n = e->p.nodes ? e->p.nodes : 1;
    e->value = wg_arena(tape, n * sizeof *e->value);
    e->step = wg_arena(tape, n * sizeof *e->step);
    if (!e->value || !e->step)
        return wg_no_memory(tape, "wg_export_c", n * sizeof *e->value);
    memset(e->value, 0, n * sizeof *e->value);
    for (int d = 0; d < 5; d++)
        if (!(e->gap[d] = wg_arena(tape, (n + 8) * sizeof *e->gap[d])))
            return wg_no_memory(tape, "wg_export_c", n * sizeof *e->gap[d]);
    for (uint32_t i = 0; i < e->p.nodes; i++)
        home_found(e, i);
    outputs_homed(e);
    steps_found(e);
    lifetimes_found(e);
    locals_found(e);
    return WG_OK;
}
