/* Joins of a compiled function: an operand that lies in the result as it is in memory is made there, and never copied.
 * Its home is the join, whose place is taken when the first of its operands is made. What cannot be made there, as a
 * constant, an input, an output, or a part of something else, is copied when the join is due. */
#include "graph/plan.h"

/* ---- Finding them ------------------------------------------------------------------------------------------------ */
bool wg_is_in_line(wg_plan *p, uint32_t i, bool *fits)
{
    const wg_op *op = wg_plan_node(p, i)->op;
    if (!op->in_line)
        return false;
    wg_arena_mark before = wg_arena_at(p->tape);
    const wg_call *c = wg_call_again(p->tape, i);
    bool is = c && op->in_line(c);
    wg_arena_back(p->tape, before);
    *fits &= c != NULL;
    return is;
}

static bool is_join(wg_plan *p, uint32_t i, bool *fits)
{
    const wg_node *node = wg_plan_node(p, i);
    return wg_is_step(p, i) && node->n_out == 1 && node->rank && wg_node_count(node) && wg_is_in_line(p, i, fits);
}

/* Can all of x be made where the join has it? */
static bool is_made_there(const wg_plan *p, uint32_t x)
{
    uint32_t root = p->value[x].root;
    const wg_node *node = wg_plan_node(p, x), *whole = wg_plan_node(p, root);
    bool elsewhere = p->value[root].home != root || p->value[root].flags & (WG_VALUE_ASKED | WG_VALUE_JOIN);
    return !elsewhere && wg_is_made(p, root) && whole->rank && !p->value[x].offset &&
           wg_node_count(node) == wg_node_count(whole) &&
           wg_node_is(whole, WG_NODE_CONTIGUOUS) && (!node->rank || wg_node_is(node, WG_NODE_CONTIGUOUS));
}

static void operands_placed(wg_plan *p, uint32_t i)
{
    const wg_node *node = wg_plan_node(p, i);
    const uint32_t *in = wg_node_in(node);
    int64_t at = 0;
    for (int k = 0; k < node->n_in; k++) {
        wg_plan_value *root = wg_plan_root(p, in[k]);
        if (is_made_there(p, in[k])) {
            root->home = i;
            root->home_at = at;
        }
        at += (int64_t)wg_node_bytes(wg_plan_node(p, in[k]));
    }
}

bool wg_joins_found(wg_plan *p)
{
    bool fits = true;
    for (int k = 0; k < p->f->n_out + p->f->n_grad; k++)
        wg_plan_root(p, p->outputs[k].node)->flags |= WG_VALUE_ASKED;
    for (uint32_t i = 0; i < p->nodes; i++)
        if (is_join(p, i, &fits)) {
            p->value[i].flags |= WG_VALUE_JOIN;
            operands_placed(p, i);
        }
    if (!fits)
        wg_no_memory(p->tape, "wg_compile", sizeof(wg_call));
    return fits;
}

/* ---- Copying the rest -------------------------------------------------------------------------------------------- */
typedef struct {
    wg_type type;
    size_t bytes;
    const int64_t *stride; /* NULL: in order */
    const void *from;
    void *to;
} copy;

typedef struct {
    int n;
    copy at[];
} copies;

static wg_status copies_run(const void *with)
{
    const copies *c = with;
    for (const copy *one = c->at; one < c->at + c->n; one++)
        if (one->stride)
            wg_gather_strided(&one->type, one->stride, one->from, one->to);
        else
            memcpy(one->to, one->from, one->bytes);
    return WG_OK;
}

bool wg_join_made(wg_plan *p, uint32_t first)
{
    const wg_node *node = wg_plan_node(p, first);
    const uint32_t *in = wg_node_in(node);
    copies *c = wg_hold_take(p->f, sizeof *c + node->n_in * sizeof c->at[0]);
    int64_t offset = 0;
    if (!c)
        return false;
    c->n = 0;
    for (int k = 0; k < node->n_in; k++) {
        const wg_plan_value *root = wg_plan_root(p, in[k]);
        size_t bytes = wg_node_bytes(wg_plan_node(p, in[k]));
        bool there = root->home == first && root->home_at + p->value[in[k]].offset == offset;
        copy *one = &c->at[c->n];
        if (bytes && !there) {
            *one = (copy){.type = wg_node_type(wg_plan_node(p, in[k])), .bytes = bytes};
            if (!wg_stride_kept(p, in[k], &one->stride))
                return false;
            wg_points_at(p, &one->from, in[k]);
            wg_points_behind(p, (const void **)(uintptr_t)&one->to, first, offset);
            c->n++;
        }
        offset += (int64_t)bytes;
    }
    wg_instruct_next(p, copies_run, c); /* though there is nothing to copy: profiles and drawings tell of it */
    return true;
}
