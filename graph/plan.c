/* From nodes of the tape to instructions. Every value that the outputs need has a root, the node whose storage holds
 * it: its own, or of a view, its base's. The storage of a root is a leaf's memory, an input's or output's, bound at
 * each run, or a part of one workspace, given to another root when nothing reads it any more.
 *
 * What depends on no input, no parameter and no draw is a constant: the value it has on the tape is copied, and what
 * computed it is left out, as is whatever no output needs. */
#include "graph/plan.h"

#define MOST_FROM 5       /* operands of an elementwise operation, with a result and a cotangent */
#define SHORTEST_ROW 32   /* elements that are worth a kernel's call */

/* ---- What is needed ---------------------------------------------------------------------------------------------- */
static void mark_varying(wg_plan *p, const wg_tensor *inputs)
{
    for (int i = p->f->n_in; i-- > 0;)
        if (inputs[i].node < p->nodes) {
            p->value[inputs[i].node].flags |= WG_VALUE_INPUT | WG_VALUE_VARIES;
            p->value[inputs[i].node].slot = i;
        }
    for (uint32_t i = 0; i < p->nodes; i++) {
        const wg_node *node = wg_plan_node(p, i);
        bool varies = wg_node_is(node, WG_NODE_PARAM) || (node->op && node->op->random);
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; !wg_is_leaf_node(node) && k < node->n_in && !varies; k++)
            varies = in[k] != WG_ABSENT && p->value[in[k]].flags & WG_VALUE_VARIES;
        if (varies)
            p->value[i].flags |= WG_VALUE_VARIES;
    }
}

static void mark_needed(wg_plan *p, const wg_tensor *outputs)
{
    for (int k = 0; k < p->f->n_out + p->f->n_grad; k++)
        p->value[outputs[k].node].flags |= WG_VALUE_NEEDED;
    for (uint32_t i = p->nodes; i-- > 0;) {
        const wg_node *node = wg_plan_node(p, i);
        unsigned flags = p->value[i].flags;
        if (p->value[i].same != i) {
            p->value[p->value[i].same].flags |= flags & WG_VALUE_NEEDED;
            continue;
        }
        if (!(flags & (WG_VALUE_NEEDED | WG_VALUE_CALLED)) ||
            (!wg_is_made(p, i) &&
             !(wg_is_view_node(node) && (flags & (WG_VALUE_VARIES | WG_VALUE_INPUT)) == WG_VALUE_VARIES)))
            continue;
        if (node->out) {
            p->value[i - node->out].flags |= WG_VALUE_CALLED;
            continue;
        }
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++)
            if (in[k] != WG_ABSENT)
                p->value[in[k]].flags |= WG_VALUE_NEEDED;
    }
}

/* ---- Roots ------------------------------------------------------------------------------------------------------- */
static bool constant_kept(wg_plan *p, uint32_t i)
{
    const wg_node *node = wg_plan_node(p, i);
    wg_plan_value *v = &p->value[i];
    if (wg_node_is(node, WG_NODE_PARAM)) {
        v->data = node->data;
        p->f->param[p->f->n_params++] = wg_node_tensor(p->tape, i);
        return true;
    }
    if (!(v->data = wg_hold_take(p->f, wg_node_bytes(node))))
        return false;
    wg_type type = wg_node_type(node);
    if (wg_node_is(node, WG_NODE_CONTIGUOUS) || !node->rank)
        memcpy(v->data, node->data, wg_node_bytes(node));
    else
        wg_gather_strided(&type, wg_node_stride(node), node->data, v->data);
    return true;
}

static bool constants_kept(wg_plan *p)
{
    for (uint32_t i = 0; i < p->nodes; i++) {
        const wg_plan_value *v = &p->value[i];
        bool needed = v->flags & (WG_VALUE_NEEDED | WG_VALUE_CALLED);
        if (needed && v->root == i && !(v->flags & WG_VALUE_INPUT) && !wg_is_made(p, i) && !constant_kept(p, i))
            return false;
    }
    return true;
}

/* ---- Lifetimes --------------------------------------------------------------------------------------------------- */
static void used_by(wg_plan *p, uint32_t i, uint32_t step) { wg_plan_home(p, i)->last = step; }

static bool wants_gather(const wg_plan *p, uint32_t i, uint32_t x)
{
    const wg_node *node = wg_plan_node(p, i);
    if (x == WG_ABSENT || p->value[i].flags & WG_VALUE_JOIN || node->op->strided || node->op->map || node->op->view)
        return false;
    const wg_node *operand = wg_plan_node(p, x);
    return operand->rank && !wg_node_is(operand, WG_NODE_CONTIGUOUS) && !wg_is_dense_copy(p, x);
}

static void patched(wg_plan *p, uint32_t i)
{
    p->n_patches += wg_plan_home(p, i)->slot != WG_NO_SLOT && !wg_has_cell(p, p->value[i].root);
}

static void lifetimes_found(wg_plan *p)
{
    uint32_t step = 0;
    for (uint32_t i = 0; i < p->nodes; i++) {
        const wg_node *node = wg_plan_node(p, i);
        if (!wg_is_step(p, i))
            continue;
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++)
            if (in[k] != WG_ABSENT) {
                used_by(p, in[k], step);
                p->n_gathers += wants_gather(p, i, in[k]);
            }
        for (uint32_t k = 0; k < node->n_out; k++)
            used_by(p, i + k, step);
        step++;
    }
    p->steps = step;
}

/* An output that a step makes is made where it is wanted; any other one is copied there at the end. */
static void outputs_placed(wg_plan *p, const wg_tensor *outputs)
{
    for (int k = 0; k < p->f->n_out + p->f->n_grad; k++) {
        wg_plan_value *v = &p->value[outputs[k].node];
        if (wg_has_cell(p, outputs[k].node)) {
            p->n_stores++;
        } else if (v->root == outputs[k].node && wg_is_made(p, outputs[k].node) && v->slot == WG_NO_SLOT &&
            wg_node_is(wg_plan_node(p, outputs[k].node), WG_NODE_CONTIGUOUS)) {
            v->slot = p->f->n_in + k;
        } else {
            used_by(p, outputs[k].node, p->steps);
            p->n_copies++;
        }
    }
    for (uint32_t i = 0; i < p->nodes; i++) {
        if (!wg_is_step(p, i))
            continue;
        const wg_node *node = wg_plan_node(p, i);
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++)
            if (in[k] != WG_ABSENT)
                patched(p, in[k]);
        bool join = p->value[i].flags & WG_VALUE_JOIN; /* writes there once an operand */
        for (uint32_t k = 0; k < (join ? node->n_in : node->n_out); k++)
            patched(p, join ? i : i + k);
    }
    p->n_patches += 2 * p->n_copies;
}

/* ---- The workspace ----------------------------------------------------------------------------------------------- */
/* The part of that size that fits best, or a new one. */
static size_t span_taken(wg_plan *p, size_t need)
{
    uint32_t best = p->n_free;
    for (uint32_t k = 0; k < p->n_free; k++)
        if (p->free_one[k].bytes >= need && (best == p->n_free || p->free_one[k].bytes < p->free_one[best].bytes))
            best = k;
    if (best < p->n_free) {
        wg_span *found = &p->free_one[best];
        size_t at = found->at;
        found->at += need;
        found->bytes -= need;
        if (!found->bytes)
            memmove(found, found + 1, (--p->n_free - best) * sizeof *found);
        return at;
    }
    wg_span *end = p->n_free ? &p->free_one[p->n_free - 1] : NULL;
    bool extends = end && end->at + end->bytes == p->top;
    size_t at = extends ? end->at : p->top;
    p->n_free -= extends;
    p->top = at + need;
    return at;
}

/* Joins it with what is free beside it. */
static void span_given(wg_plan *p, size_t at, size_t need)
{
    uint32_t k = p->n_free;
    while (k > 0 && p->free_one[k - 1].at > at)
        k--;
    bool joins_before = k > 0 && p->free_one[k - 1].at + p->free_one[k - 1].bytes == at;
    bool joins_after = k < p->n_free && at + need == p->free_one[k].at;
    if (joins_before && joins_after) {
        p->free_one[k - 1].bytes += need + p->free_one[k].bytes;
        memmove(&p->free_one[k], &p->free_one[k + 1], (--p->n_free - k) * sizeof *p->free_one);
    } else if (joins_before) {
        p->free_one[k - 1].bytes += need;
    } else if (joins_after) {
        p->free_one[k].at = at;
        p->free_one[k].bytes += need;
    } else {
        memmove(&p->free_one[k + 1], &p->free_one[k], (p->n_free++ - k) * sizeof *p->free_one);
        p->free_one[k] = (wg_span){at, need};
    }
}

static wg_space_pool *pool_of(wg_plan *p, size_t need)
{
    for (uint32_t k = 0; k < p->n_pools; k++)
        if (p->pool[k].bytes == need)
            return &p->pool[k];
    if (p->n_pools == WG_POOLS)
        return NULL;
    p->pool[p->n_pools] = (wg_space_pool){need, WG_NEVER};
    return &p->pool[p->n_pools++];
}

static size_t pool_taken(wg_plan *p, wg_space_pool *pool)
{
    uint32_t first = pool->first;
    pool->first = p->pooled[first].next;
    p->pooled[first].next = p->unpooled;
    p->unpooled = first;
    return p->pooled[first].at;
}

static size_t space_taken(wg_plan *p, size_t bytes)
{
    size_t need = wg_in_lines(bytes ? bytes : 1);
    wg_space_pool *pool = pool_of(p, need);
    if (pool && pool->first != WG_NEVER)
        return pool_taken(p, pool);
    for (uint32_t k = 0; k < p->n_pools; k++)
        while (p->pool[k].first != WG_NEVER)
            span_given(p, pool_taken(p, &p->pool[k]), p->pool[k].bytes);
    return span_taken(p, need);
}

static void space_given(wg_plan *p, size_t at, size_t bytes)
{
    size_t need = wg_in_lines(bytes ? bytes : 1);
    wg_space_pool *pool = pool_of(p, need);
    if (!pool) {
        span_given(p, at, need);
        return;
    }
    uint32_t entry = p->unpooled;
    if (entry != WG_NEVER)
        p->unpooled = p->pooled[entry].next;
    else
        entry = p->n_pooled++;
    p->pooled[entry] = (wg_pooled){at, pool->first};
    pool->first = entry;
}

static bool in_workspace(const wg_plan *p, uint32_t i)
{
    return wg_is_made(p, i) && p->value[i].slot == WG_NO_SLOT && !wg_has_cell(p, i) &&
           !(p->value[i].flags & WG_VALUE_INNER);
}

/* The place is taken, unless it was. */
static void home_held(wg_plan *p, uint32_t home)
{
    wg_plan_value *v = &p->value[home];
    if (!in_workspace(p, home) || v->flags & WG_VALUE_HELD)
        return;
    v->flags |= WG_VALUE_HELD;
    v->at = space_taken(p, wg_node_bytes(wg_plan_node(p, home)));
    v->next = p->dies[v->last];
    p->dies[v->last] = home;
}

static bool spaces_found(wg_plan *p)
{
    uint32_t step = 0;
    size_t gather = 0;
    if (!wg_scalars_placed(p, &p->top))
        return false;
    p->top = wg_in_lines(p->top);
    for (uint32_t i = 0; i < p->nodes; i++) {
        const wg_node *node = wg_plan_node(p, i);
        if (!wg_is_step(p, i))
            continue;
        size_t first_gather = gather;
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++)
            if (wants_gather(p, i, in[k]))
                p->gather[gather++] = space_taken(p, wg_node_bytes(wg_plan_node(p, in[k])));
        for (uint32_t k = 0; k < node->n_out; k++)
            home_held(p, p->value[i + k].home);
        for (int k = 0; k < node->n_in; k++)
            if (wants_gather(p, i, in[k]))
                space_given(p, p->gather[first_gather++], wg_node_bytes(wg_plan_node(p, in[k])));
        for (uint32_t dead = p->dies[step]; dead != WG_NEVER; dead = p->value[dead].next)
            space_given(p, p->value[dead].at, wg_node_bytes(wg_plan_node(p, dead)));
        step++;
    }
    return true;
}

/* ---- Instructions ------------------------------------------------------------------------------------------------ */
typedef struct {
    wg_call call;
    uint32_t place;
} operation;

static wg_status operation_run(const void *with)
{
    const operation *o = with;
    wg_tape *tape = o->call.tape;
    wg_arena_mark before = wg_arena_at(tape);
    tape->rule_place = o->place;
    wg_status status = o->call.op->map ? wg_map_run(&o->call) : o->call.op->run(&o->call);
    wg_arena_back(tape, before);
    return status;
}

/* An elementwise operation on rows of n elements; an operand is dense, or one row that is read for each. */
typedef struct {
    const void *data;
    size_t step; /* bytes from row to row */
} rows_operand;

typedef struct {
    wg_kernel *kernel;
    int64_t n, rows;
    void *to;
    size_t step;
    const void *options;
    size_t n_in;
    rows_operand from[];
} rows_call;

static wg_status rows_run(const void *with)
{
    const rows_call *k = with;
    const void *from[MOST_FROM];
    for (size_t row = 0; row < (size_t)k->rows; row++) {
        for (size_t i = 0; i < k->n_in; i++)
            from[i] = (const unsigned char *)k->from[i].data + row * k->from[i].step;
        k->kernel(k->n, (unsigned char *)k->to + row * k->step, from, k->options);
    }
    return WG_OK;
}

/* The same where all operands are dense. */
typedef struct {
    wg_kernel *kernel;
    int64_t n;
    void *to;
    const void *options;
    const void *from[];
} kernel_call;

static wg_status kernel_run(const void *with)
{
    const kernel_call *k = with;
    k->kernel(k->n, k->to, k->from, k->options);
    return WG_OK;
}

/* Elements in row-major order from a strided tensor; `stride` NULL: a copy. */
typedef struct {
    wg_type type;
    const int64_t *stride;
    size_t bytes;
    const void *from;
    void *to;
} gathering;

static wg_status gathering_run(const void *with)
{
    const gathering *g = with;
    if (g->stride)
        wg_gather_strided(&g->type, g->stride, g->from, g->to);
    else
        memcpy(g->to, g->from, g->bytes);
    return WG_OK;
}

void wg_instruct_next(wg_plan *p, wg_instruct *run, const void *with)
{
    p->f->instruction[p->f->n_instructions++] = (wg_instruction){run, with};
}

void wg_points_behind(wg_plan *p, const void **where, uint32_t i, int64_t more)
{
    const wg_plan_value *v = &p->value[i], *home = wg_plan_home(p, i);
    int64_t offset = v->offset + wg_plan_root(p, i)->home_at + more;
    if (wg_has_cell(p, v->root))
        *where = p->workspace + home->at + offset;
    else if (home->slot != WG_NO_SLOT)
        p->f->patch[p->f->n_patches++] = (wg_patch){where, (uint32_t)home->slot, offset};
    else
        *where = (wg_is_made(p, v->root) ? p->workspace + home->at : home->data) + offset;
}

void wg_points_at(wg_plan *p, const void **where, uint32_t i) { wg_points_behind(p, where, i, 0); }

bool wg_stride_kept(wg_plan *p, uint32_t i, const int64_t **stride)
{
    const wg_node *node = wg_plan_node(p, i);
    *stride = NULL;
    if (!node->rank || wg_node_is(node, WG_NODE_CONTIGUOUS) || wg_is_dense_copy(p, i))
        return true;
    int64_t *kept = wg_hold_take(p->f, node->rank * sizeof *kept);
    if (kept)
        memcpy(kept, wg_node_stride(node), node->rank * sizeof *kept);
    *stride = kept;
    return kept != NULL;
}

/* The instruction that gathers node i, to where its caller says; NULL: no memory. */
static gathering *gathering_made(wg_plan *p, uint32_t i)
{
    gathering *g = wg_hold_take(p->f, sizeof *g);
    if (!g || !wg_stride_kept(p, i, &g->stride))
        return NULL;
    g->type = wg_node_type(wg_plan_node(p, i));
    g->bytes = wg_type_bytes(&g->type);
    wg_points_at(p, &g->from, i);
    wg_instruct_next(p, gathering_run, g);
    return g;
}

static bool view_copied(wg_plan *p, uint32_t i)
{
    gathering *g = gathering_made(p, wg_node_in(wg_plan_node(p, i))[0]);
    if (g)
        wg_points_at(p, (const void **)(uintptr_t)&g->to, i);
    return g != NULL;
}

/* A constant that is small, and broadcast to a result that is, lies there as often as it is read: a number as an
 * operand costs no more than an array. */
#define MOST_SPREAD 1024 /* elements */

static bool is_spread(const wg_plan *p, uint32_t x, int64_t count)
{
    const wg_node *node = wg_plan_node(p, x);
    return wg_node_count(node) != count && count <= MOST_SPREAD && wg_is_dense_copy(p, x) &&
           !wg_node_is(node, WG_NODE_PARAM);
}

static bool spread(wg_plan *p, uint32_t x, const wg_type *y, const void **where)
{
    wg_type own = wg_node_type(wg_plan_node(p, x)), full = *y;
    int64_t stride[WG_MAX_RANK];
    full.dtype = own.dtype;
    void *to = wg_hold_take(p->f, wg_type_bytes(&full));
    if (!to)
        return false;
    wg_broadcast_strides(&own, NULL, &full, stride);
    wg_gather_range(&full, stride, p->value[x].data, 0, wg_type_count(&full), to);
    *where = to;
    return true;
}

static bool kernel_made(wg_plan *p, const wg_call *c, uint32_t first)
{
    const void *options;
    wg_kernel *kernel = wg_dense_kernel(c, &options);
    size_t n = (size_t)c->n_in;
    kernel_call *k = wg_hold_take(p->f, sizeof *k + n * sizeof k->from[0]);
    if (!k)
        return false;
    k->kernel = kernel;
    k->n = wg_type_count(&c->y[0]);
    k->options = options;
    wg_points_at(p, (const void **)(uintptr_t)&k->to, first);
    const uint32_t *in = wg_node_in(wg_plan_node(p, first));
    for (size_t i = 0; i < n; i++)
        if (!is_spread(p, in[i], k->n))
            wg_points_at(p, &k->from[i], in[i]);
        else if (!spread(p, in[i], &c->y[0], &k->from[i]))
            return false;
    wg_instruct_next(p, kernel_run, k);
    return true;
}

/* How many elements operand i, node x, has before it is read from the start again; 0: it does not lie so. */
static int64_t period_of(const wg_plan *p, const wg_call *c, int i, uint32_t x)
{
    const wg_type *y = &c->y[0];
    int64_t stride[WG_MAX_RANK], period = 1;
    int axis = y->rank - 1;
    wg_broadcast_strides(&c->x[i], wg_is_dense_copy(p, x) ? NULL : c->stride[i], y, stride);
    for (; axis >= 0 && (y->dim[axis] == 1 || stride[axis] == period); axis--)
        period *= y->dim[axis];
    for (; axis >= 0; axis--)
        if (y->dim[axis] != 1 && stride[axis])
            return 0;
    return period;
}

/* The elements of a row by which a kernel can do the call; 0: it cannot. */
static int64_t row_of(const wg_plan *p, const wg_call *c, uint32_t first)
{
    const void *options;
    int64_t count = wg_type_count(&c->y[0]), row = count;
    if (!wg_dense_kernel(c, &options) || count > WG_PIECE || !count || c->n_in > MOST_FROM)
        return 0;
    const uint32_t *in = wg_node_in(wg_plan_node(p, first));
    for (int i = 0; i < c->n_in; i++) {
        int64_t period = in[i] == WG_ABSENT              ? 0
                         : is_spread(p, in[i], count)    ? count
                                                         : period_of(p, c, i, in[i]);
        if (period != count && row != count && period != row)
            return 0;
        row = period != count ? period : row;
    }
    return row == count || row >= SHORTEST_ROW ? row : 0;
}

static bool rows_made(wg_plan *p, const wg_call *c, uint32_t first, int64_t row)
{
    const void *options;
    wg_kernel *kernel = wg_dense_kernel(c, &options);
    const uint32_t *in = wg_node_in(wg_plan_node(p, first));
    int64_t count = wg_type_count(&c->y[0]);
    rows_call *k = wg_hold_take(p->f, sizeof *k + (size_t)c->n_in * sizeof k->from[0]);
    if (!k)
        return false;
    *k = (rows_call){.kernel = kernel, .n = row, .rows = count / row, .options = options, .n_in = (size_t)c->n_in};
    k->step = (size_t)row * wg_dtype_size(c->y[0].dtype);
    wg_points_at(p, (const void **)(uintptr_t)&k->to, first);
    for (int i = 0; i < c->n_in; i++) {
        bool is_one_row = !is_spread(p, in[i], count) && period_of(p, c, i, in[i]) == row;
        k->from[i].step = is_one_row ? 0 : (size_t)row * wg_dtype_size(c->x[i].dtype);
        if (!is_spread(p, in[i], count))
            wg_points_at(p, &k->from[i].data, in[i]);
        else if (!spread(p, in[i], &c->y[0], &k->from[i].data))
            return false;
    }
    wg_instruct_next(p, rows_run, k);
    return true;
}

/* Options with the lists and texts that they point at. */
bool wg_options_kept(wg_plan *p, wg_call *c)
{
    const wg_schema *schema = c->op->options;
    if (!schema)
        return true;
    unsigned char *kept = wg_hold_take(p->f, schema->size);
    if (!kept)
        return false;
    memcpy(kept, c->options, schema->size);
    for (int i = 0; i < schema->n; i++) {
        const wg_attr *attr = &schema->attr[i];
        if (attr->kind == WG_ATTR_LIST) {
            wg_list *list = (wg_list *)(void *)(kept + attr->offset);
            int64_t *at = list->n > 0 ? wg_hold_take(p->f, (size_t)list->n * sizeof *at) : NULL;
            if (list->n > 0 && !at)
                return false;
            if (at)
                memcpy(at, list->at, (size_t)list->n * sizeof *at);
            list->at = at;
        } else if (attr->kind == WG_ATTR_CHOICE && !attr->choices[0]) {
            const char **text = (const char **)(void *)(kept + attr->offset);
            char *copy = *text ? wg_hold_take(p->f, strlen(*text) + 1) : NULL;
            if (*text && !copy)
                return false;
            *text = copy ? strcpy(copy, *text) : NULL;
        }
    }
    c->options = kept;
    return true;
}

static bool operation_made(wg_plan *p, const wg_call *again, uint32_t first, size_t *gather)
{
    const wg_node *node = wg_plan_node(p, first);
    const uint32_t *in = wg_node_in(node);
    size_t n_in = (size_t)again->n_in, n = n_in + (size_t)again->n_out;
    operation *o = wg_hold_take(p->f, sizeof *o);
    wg_type *type = wg_hold_take(p->f, n * sizeof *type);
    wg_tensor *t = wg_hold_take(p->f, n * sizeof *t);
    const void **from = wg_hold_take(p->f, n * sizeof *from);
    const int64_t **stride = wg_hold_take(p->f, n * sizeof *stride);
    if (!o || !type || !t || !from || !stride)
        return false;
    *o = (operation){.call = *again, .place = node->place};
    if (!wg_options_kept(p, &o->call))
        return false;
    memcpy(type, again->x, n_in * sizeof *type);
    memcpy(type + n_in, again->y, (size_t)again->n_out * sizeof *type);
    for (size_t k = 0; k < n_in; k++) {
        t[k] = in[k] == WG_ABSENT ? WG_NONE : (wg_tensor){p->tape, UINT32_MAX - 1, 0};
        stride[k] = NULL;
        from[k] = NULL;
        if (in[k] == WG_ABSENT)
            continue;
        if (wants_gather(p, first, in[k])) {
            gathering *g = gathering_made(p, in[k]);
            if (!g)
                return false;
            from[k] = g->to = p->workspace + p->gather[(*gather)++];
            continue;
        }
        wg_points_at(p, &from[k], in[k]);
        if (!wg_stride_kept(p, in[k], &stride[k]))
            return false;
    }
    for (size_t k = n_in; k < n; k++) {
        t[k] = (wg_tensor){p->tape, UINT32_MAX - 1, 0};
        wg_points_at(p, &from[k], first + (uint32_t)(k - n_in));
    }
    o->call.in = t;
    o->call.out = t + n_in;
    o->call.x = type;
    o->call.y = type + n_in;
    o->call.from = from;
    o->call.stride = stride;
    o->call.to = (void *const *)(uintptr_t)(from + n_in);
    wg_instruct_next(p, operation_run, o);
    return true;
}

static bool step_made(wg_plan *p, uint32_t first, size_t *gather)
{
    const wg_node *node = wg_plan_node(p, first);
    if (node->op->view)
        return view_copied(p, first);
    if (p->value[first].flags & WG_VALUE_JOIN)
        return wg_join_made(p, first);
    wg_arena_mark before = wg_arena_at(p->tape);
    const wg_call *c = wg_call_again(p->tape, first);
    if (!c) {
        wg_no_memory(p->tape, "wg_compile", sizeof *c);
        return false;
    }
    bool made = true;
    if (wg_call_is_empty(c)) {
        wg_arena_back(p->tape, before);
        return true;
    }
    bool listed;
    int64_t row = row_of(p, c, first);
    if (!wg_list_made(p, c, first, &listed)) {
        made = false;
    } else if (!listed && row) {
        wg_call kept = *c;
        made = wg_options_kept(p, &kept) &&
               (row == wg_type_count(&c->y[0]) ? kernel_made(p, &kept, first) : rows_made(p, &kept, first, row));
    } else if (!listed) {
        made = operation_made(p, c, first, gather);
    }
    wg_arena_back(p->tape, before);
    return made;
}

static bool output_copied(wg_plan *p, int k)
{
    uint32_t i = p->outputs[k].node;
    gathering *g = gathering_made(p, i);
    if (g)
        p->f->patch[p->f->n_patches++] = (wg_patch){(const void **)(uintptr_t)&g->to, (uint32_t)(p->f->n_in + k), 0};
    return g != NULL;
}

/* A stretch of scalar steps is one; a chain is one, too, but there are few steps in it. */
static size_t most_instructions(const wg_plan *p)
{
    size_t n = p->n_gathers + p->n_copies + 2; /* loads and stores */
    bool scalar = false;
    for (uint32_t i = 0; i < p->nodes; i++) {
        if (!wg_is_step(p, i))
            continue;
        bool is = wg_is_scalar_step(p, i);
        n += !(is && scalar);
        scalar = is;
    }
    return n;
}

static bool instructions_made(wg_plan *p)
{
    wg_function *f = p->f;
    size_t gather = 0;
    size_t most = most_instructions(p);
    f->instruction = wg_hold_take(f, most * sizeof *f->instruction);
    f->note = wg_hold_take(f, most * sizeof *f->note);
    f->patch = wg_hold_take(f, p->n_patches * sizeof *f->patch);
    p->workspace = wg_hold_take(f, p->top);
    if (!f->instruction || !f->note || !f->patch || !p->workspace)
        return false;
    if (!wg_loads_made(p) || !wg_notes_made(p, 0, 0, 0))
        return false;
    uint32_t step = 0;
    for (uint32_t i = 0, next; i < p->nodes; i = next) {
        size_t noted = f->n_instructions;
        next = i + 1;
        if (!wg_is_step(p, i))
            continue;
        bool made = p->value[i].flags & WG_VALUE_CHAIN ? wg_chain_made(p, i, step, &next)
                    : wg_is_scalar_step(p, i)          ? wg_scalars_made(p, i, &next)
                                                       : step_made(p, i, &gather);
        if (!made || !wg_notes_made(p, noted, i, next))
            return false;
        for (uint32_t k = i; k < next; k++)
            step += wg_is_step(p, k);
    }
    size_t noted = f->n_instructions;
    for (int k = 0; k < f->n_out + f->n_grad; k++) {
        uint32_t y = p->outputs[k].node;
        if (!wg_has_cell(p, y) && p->value[y].slot != f->n_in + k && !output_copied(p, k))
            return false;
    }
    return wg_stores_made(p) && wg_notes_made(p, noted, 0, 0);
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
static void *scratch(wg_plan *p, size_t n, size_t size)
{
    void *memory = wg_arena(p->tape, (n ? n : 1) * size);
    if (!memory)
        wg_no_memory(p->tape, "wg_compile", n * size);
    return memory;
}

/* A call whose results are inputs is not made; one of which others are needed would write over the inputs. */
static wg_status inputs_checked(const wg_plan *p, const wg_tensor *inputs)
{
    for (int i = 0; i < p->f->n_in; i++) {
        uint32_t first = inputs[i].node - wg_node_at(p->tape, inputs[i].node)->out;
        const wg_node *node = wg_node_at(p->tape, first);
        for (uint32_t k = first; k < first + node->n_out && k < p->nodes; k++)
            if (p->value[k].flags & WG_VALUE_VARIES && !(p->value[k].flags & WG_VALUE_INPUT) &&
                (p->value[k].flags & WG_VALUE_NEEDED || k == first))
                return wg_report(p->tape, "wg_compile", WG_ERROR_UNSUPPORTED,
                                 "input %d is a result of wg_%s, of which result %d is no input", i, node->op->name,
                                 (int)(k - first));
    }
    return WG_OK;
}

wg_status wg_plan_marked(wg_plan *p, const wg_tensor *inputs, const wg_tensor *outputs)
{
    const wg_function *f = p->f;
    p->outputs = outputs;
    for (int k = 0; k < f->n_out + f->n_grad; k++)
        p->nodes = outputs[k].node >= p->nodes ? outputs[k].node + 1 : p->nodes;
    p->nodes = f->reads ? p->nodes : wg_plan_deciding(p);
    while (p->nodes && wg_plan_node(p, p->nodes - 1)->out + 1 < wg_plan_node(p, p->nodes - 1)->n_out) /* whole calls */
        p->nodes++;
    if (!(p->value = scratch(p, p->nodes, sizeof *p->value)))
        return WG_ERROR_MEMORY;
    memset(p->value, 0, p->nodes * sizeof *p->value);
    for (uint32_t i = 0; i < p->nodes; i++) {
        p->value[i].slot = WG_NO_SLOT;
        p->value[i].root = p->value[i].home = p->value[i].same = i;
    }
    mark_varying(p, inputs);
    if (!wg_same_found(p))
        return WG_ERROR_MEMORY;
    mark_needed(p, outputs);
    return inputs_checked(p, inputs);
}

wg_status wg_plan_make(wg_plan *p, const wg_tensor *inputs, const wg_tensor *outputs)
{
    wg_function *f = p->f;
    wg_status status = wg_plan_marked(p, inputs, outputs);
    if (!status)
        status = wg_plan_calls_none_back(p);
    if (!status && !f->reads)
        status = wg_plan_undecided(p);
    if (status)
        return status;
    size_t n_params = 0;
    for (uint32_t i = 0; i < p->nodes; i++)
        n_params += wg_node_is(wg_plan_node(p, i), WG_NODE_PARAM);
    if (!(f->param = wg_hold_take(f, n_params * sizeof *f->param)))
        return WG_ERROR_MEMORY;
    if (!constants_kept(p))
        return WG_ERROR_MEMORY;
    if (!wg_joins_found(p))
        return WG_ERROR_MEMORY;
    lifetimes_found(p);
    outputs_placed(p, outputs);
    wg_chains_found(p);
    p->dies = scratch(p, (size_t)p->steps + 1, sizeof *p->dies);
    p->gather = scratch(p, p->n_gathers, sizeof *p->gather);
    p->free_one = scratch(p, (size_t)p->steps + p->n_gathers + 2, sizeof *p->free_one);
    p->pooled = scratch(p, (size_t)p->steps + p->n_gathers + 2, sizeof *p->pooled);
    p->unpooled = WG_NEVER;
    if (!p->dies || !p->gather || !p->free_one || !p->pooled)
        return WG_ERROR_MEMORY;
    memset(p->dies, 0xff, ((size_t)p->steps + 1) * sizeof *p->dies);
    return spaces_found(p) && instructions_made(p) ? WG_OK : WG_ERROR_MEMORY;
}
