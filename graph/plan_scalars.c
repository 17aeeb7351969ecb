/* The 0-d steps of a compiled function. A stretch of them is done level by level: a step's level is one above the
 * highest of its operands, and the steps of one level and one kernel, independent of each other, are one call of that
 * kernel on an array whose elements they are. So a thousand equal loops of scalar code run as one loop of vector code.
 * Results lie side by side in the order in which they are made; operands are gathered, unless they lie so as well. */
#include "graph/plan.h"

#include <stdlib.h>

#define MOST_FROM 5
#define BLOCK 256 /* elements gathered at a time */

/* ---- What they are ----------------------------------------------------------------------------------------------- */
bool wg_is_scalar_step(const wg_plan *p, uint32_t i)
{
    const wg_node *node = wg_plan_node(p, i);
    if (node->rank || node->n_out != 1 || node->n_in < 1 || node->n_in > MOST_FROM || !wg_scalar_kernel(node))
        return false;
    const uint32_t *in = wg_node_in(node);
    for (int k = 0; k < node->n_in; k++)
        if (in[k] == WG_ABSENT || wg_plan_node(p, in[k])->rank || wg_plan_node(p, in[k])->dtype != node->dtype)
            return false;
    return true;
}

/* ---- Their order ------------------------------------------------------------------------------------------------- */
typedef struct {
    uint32_t node, level;
    wg_kernel *kernel;
} item;

static int by_level(const void *a, const void *b)
{
    const item *x = a, *y = b;
    uintptr_t kx = (uintptr_t)x->kernel, ky = (uintptr_t)y->kernel;
    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    if (kx != ky)
        return kx < ky ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

static size_t cell_given(wg_plan *p, uint32_t i, size_t *top)
{
    size_t size = wg_dtype_size((wg_dtype)wg_plan_node(p, i)->dtype);
    *top = (*top + size - 1) / size * size;
    p->value[i].at = *top;
    return *top += size;
}

/* Orders the stretch of n steps; `level` holds the levels of all nodes. */
static void stretch_ordered(wg_plan *p, item *items, uint32_t n, uint32_t *level, size_t *top)
{
    for (uint32_t k = 0; k < n; k++)
        level[items[k].node] = 0;
    for (uint32_t k = 0; k < n; k++) {
        const wg_node *node = wg_plan_node(p, items[k].node);
        const uint32_t *in = wg_node_in(node);
        uint32_t above = 0;
        for (int a = 0; a < node->n_in; a++) {
            uint32_t of = level[p->value[in[a]].root];
            above = of > above ? of : above;
        }
        level[items[k].node] = items[k].level = above + 1;
    }
    qsort(items, n, sizeof *items, by_level);
    for (uint32_t k = 0; k < n; k++) {
        level[items[k].node] = 0; /* to the stretches that follow it is there from the start */
        p->scalar[p->n_scalars++] = items[k].node;
        cell_given(p, items[k].node, top);
    }
}

/* The steps from node i on that are scalar, up to the first that is not. */
static uint32_t stretch_read(const wg_plan *p, uint32_t i, item *items, uint32_t *next)
{
    uint32_t n = 0;
    for (; i < p->nodes; i++) {
        if (!wg_is_step(p, i))
            continue;
        if (!wg_is_scalar_step(p, i))
            break;
        if (items)
            items[n] = (item){.node = i, .kernel = wg_scalar_kernel(wg_plan_node(p, i))};
        n++;
    }
    *next = i;
    return n;
}

bool wg_scalars_placed(wg_plan *p, size_t *bytes)
{
    size_t top = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->nodes; i++) {
        uint32_t first = i - wg_plan_node(p, i)->out;
        bool input = p->value[i].flags & WG_VALUE_INPUT;
        if (wg_is_step(p, i) && wg_is_scalar_step(p, i)) {
            n++;
        } else if (wg_has_cell(p, i) && (input || wg_is_step(p, first))) {
            cell_given(p, i, &top);
            p->n_loads += input;
        }
    }
    item *items = n ? wg_arena(p->tape, n * sizeof *items) : NULL;
    uint32_t *level = n ? wg_arena(p->tape, p->nodes * sizeof *level) : NULL;
    p->scalar = n ? wg_arena(p->tape, n * sizeof *p->scalar) : NULL;
    *bytes = top;
    if (!n)
        return true;
    if (!items || !level || !p->scalar) {
        wg_no_memory(p->tape, "wg_compile", n * sizeof *items);
        return false;
    }
    memset(level, 0, p->nodes * sizeof *level);
    for (uint32_t i = 0, next; i < p->nodes; i = next) {
        next = i + 1;
        if (wg_is_step(p, i) && wg_is_scalar_step(p, i))
            stretch_ordered(p, items, stretch_read(p, i, items, &next), level, &top);
    }
    p->n_scalars = 0; /* counted again as they are made */
    *bytes = top;
    return true;
}

/* ---- Running them ------------------------------------------------------------------------------------------------ */
/* A program is words of code. Each call: the kernel, how its operands are told, the cell of its first result and how
 * many there are; then its operands. Cells are told by their number, of the dtype's size, in the workspace. */
typedef enum {
    SIDE_BY_SIDE, /* one word: the first's cell */
    SCATTERED,    /* a word each: their cells */
    ELSEWHERE     /* one word: the number of the first's address; the others' follow */
} telling;

enum { KERNEL = sizeof(wg_kernel *) / sizeof(uint32_t), HEAD = KERNEL + 3 }; /* words */

typedef struct {
    wg_kernel *kernel;
    uint32_t to, n;
    unsigned n_from;
    size_t size; /* bytes an element */
    unsigned told[MOST_FROM];
} head;

typedef struct {
    unsigned char *cells;
    const uint32_t *code, *end;
    const void **address;
} program;

static const uint32_t *head_read(const uint32_t *code, head *h)
{
    memcpy(&h->kernel, code, sizeof h->kernel);
    uint32_t form = code[KERNEL];
    h->to = code[KERNEL + 1];
    h->n = code[KERNEL + 2];
    h->n_from = form & 15;
    h->size = form >> 4 & 15;
    for (unsigned k = 0; k < h->n_from; k++)
        h->told[k] = form >> (8 + 2 * k) & 3;
    return code + HEAD;
}

static const uint32_t *operand_end(const head *h, unsigned k, const uint32_t *at)
{
    return at + (h->told[k] == SCATTERED ? h->n : 1);
}

#define CELLS_LOOP(T)                                                                                                  \
    for (uint32_t i = 0; i < n; i++)                                                                                   \
        ((T *)to)[i] = ((const T *)cells)[at[i]];
#define ADDRESSES_LOOP(T)                                                                                              \
    for (uint32_t i = 0; i < n; i++)                                                                                   \
        ((T *)to)[i] = *(const T *)from[i];

static void cells_gathered(size_t size, uint32_t n, const void *cells, const uint32_t *at, void *to)
{
    if (size == sizeof(double))
        CELLS_LOOP(double)
    else
        CELLS_LOOP(float)
}

static void addresses_gathered(size_t size, uint32_t n, const void *const *from, void *to)
{
    if (size == sizeof(double))
        ADDRESSES_LOOP(double)
    else
        ADDRESSES_LOOP(float)
}

static void many_run(const program *p, const head *h, const uint32_t *const *operand)
{
    _Alignas(WG_ALIGN) unsigned char room[MOST_FROM][BLOCK * sizeof(double)];
    const void *from[MOST_FROM];
    for (uint32_t first = 0; first < h->n; first += BLOCK) {
        uint32_t n = h->n - first < BLOCK ? h->n - first : BLOCK;
        for (unsigned k = 0; k < h->n_from; k++) {
            from[k] = room[k];
            if (h->told[k] == SIDE_BY_SIDE)
                from[k] = p->cells + ((size_t)operand[k][0] + first) * h->size;
            else if (h->told[k] == SCATTERED)
                cells_gathered(h->size, n, p->cells, operand[k] + first, room[k]);
            else
                addresses_gathered(h->size, n, p->address + operand[k][0] + first, room[k]);
        }
        h->kernel(n, p->cells + ((size_t)h->to + first) * h->size, from, NULL);
    }
}

static void one_run(const program *p, const head *h, const uint32_t *const *operand)
{
    const void *from[MOST_FROM];
    for (unsigned k = 0; k < h->n_from; k++)
        from[k] = h->told[k] == ELSEWHERE ? p->address[operand[k][0]] : p->cells + operand[k][0] * h->size;
    h->kernel(1, p->cells + h->to * h->size, from, NULL);
}

static wg_status program_run(const void *with)
{
    const program *p = with;
    for (const uint32_t *code = p->code; code < p->end;) {
        head h;
        const uint32_t *operand[MOST_FROM];
        code = head_read(code, &h);
        for (unsigned k = 0; k < h.n_from; k++) {
            operand[k] = code;
            code = operand_end(&h, k, code);
        }
        if (h.n == 1)
            one_run(p, &h, operand);
        else
            many_run(p, &h, operand);
    }
    return WG_OK;
}

/* ---- Making them ------------------------------------------------------------------------------------------------- */
static bool same_batch(const wg_plan *p, uint32_t a, uint32_t b, uint32_t first_of_batch)
{
    const wg_node *x = wg_plan_node(p, a), *y = wg_plan_node(p, b);
    if (wg_scalar_kernel(x) != wg_scalar_kernel(y) || x->n_in != y->n_in)
        return false;
    size_t size = wg_dtype_size((wg_dtype)x->dtype);
    size_t begin = p->value[first_of_batch].at; /* nothing that the batch itself makes is read by it */
    if (p->value[b].at != p->value[a].at + size)
        return false;
    const uint32_t *in = wg_node_in(y);
    for (int k = 0; k < y->n_in; k++) {
        uint32_t root = p->value[in[k]].root;
        if (wg_has_cell(p, root) && p->value[root].at >= begin && p->value[root].at <= p->value[a].at)
            return false;
    }
    return true;
}

static uint32_t batch_length(const wg_plan *p, const uint32_t *nodes, uint32_t most)
{
    uint32_t n = 1;
    while (n < most && same_batch(p, nodes[n - 1], nodes[n], nodes[0]))
        n++;
    return n;
}

static size_t cell_of(const wg_plan *p, uint32_t node, uint32_t k, size_t size)
{
    const wg_plan_value *v = &p->value[wg_node_in(wg_plan_node(p, node))[k]];
    return (p->value[v->root].at + (size_t)v->offset) / size;
}

/* How operand k of the batch is told. */
static telling told_of(const wg_plan *p, const uint32_t *nodes, uint32_t n, uint32_t k, size_t size)
{
    telling told = SIDE_BY_SIDE;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t x = wg_node_in(wg_plan_node(p, nodes[i]))[k];
        if (!wg_has_cell(p, p->value[x].root))
            return ELSEWHERE;
        if (cell_of(p, nodes[i], k, size) != cell_of(p, nodes[0], k, size) + i)
            told = SCATTERED;
    }
    return told;
}

/* Adds the words of code and the addresses that a batch takes. */
static void batch_measured(const wg_plan *p, const uint32_t *nodes, uint32_t n, size_t *words, size_t *addresses)
{
    const wg_node *node = wg_plan_node(p, nodes[0]);
    *words += HEAD;
    for (uint32_t k = 0; k < node->n_in; k++) {
        telling told = told_of(p, nodes, n, k, wg_dtype_size((wg_dtype)node->dtype));
        *words += told == SCATTERED ? n : 1;
        *addresses += told == ELSEWHERE ? n : 0;
    }
}

static uint32_t *batch_made(wg_plan *p, program *made, uint32_t *code, uint32_t *addresses, const uint32_t *nodes,
                            uint32_t n)
{
    const wg_node *node = wg_plan_node(p, nodes[0]);
    wg_kernel *kernel = wg_scalar_kernel(node);
    size_t size = wg_dtype_size((wg_dtype)node->dtype);
    uint32_t form = (uint32_t)node->n_in | (uint32_t)size << 4, *at = code + HEAD;
    for (uint32_t k = 0; k < node->n_in; k++) {
        telling told = told_of(p, nodes, n, k, size);
        form |= (uint32_t)told << (8 + 2 * k);
        if (told == ELSEWHERE)
            *at++ = *addresses;
        for (uint32_t i = 0; told == ELSEWHERE && i < n; i++)
            wg_points_at(p, &made->address[(*addresses)++], wg_node_in(wg_plan_node(p, nodes[i]))[k]);
        for (uint32_t i = 0; told != ELSEWHERE && i < (told == SCATTERED ? n : 1); i++)
            *at++ = (uint32_t)cell_of(p, nodes[i], k, size);
    }
    memcpy(code, &kernel, sizeof kernel);
    code[KERNEL] = form;
    code[KERNEL + 1] = (uint32_t)(p->value[nodes[0]].at / size);
    code[KERNEL + 2] = n;
    return at;
}

bool wg_scalars_made(wg_plan *p, uint32_t i, uint32_t *next)
{
    const uint32_t *nodes = p->scalar + p->n_scalars;
    uint32_t n = stretch_read(p, i, NULL, next), first = 0;
    size_t words = 0, addresses = 0;
    p->n_scalars += n;
    for (uint32_t k = 0, length; k < n; k += length) {
        length = batch_length(p, nodes + k, n - k);
        batch_measured(p, nodes + k, length, &words, &addresses);
    }
    program *made = wg_hold_take(p->f, sizeof *made);
    uint32_t *code = wg_hold_take(p->f, words * sizeof *code);
    const void **address = wg_hold_take(p->f, addresses * sizeof *address);
    if (!made || !code || !address)
        return false;
    *made = (program){p->workspace, code, code + words, address};
    for (uint32_t k = 0, length; k < n; k += length) {
        length = batch_length(p, nodes + k, n - k);
        code = batch_made(p, made, code, &first, nodes + k, length);
    }
    wg_instruct_next(p, program_run, made);
    return true;
}

/* ---- In and out -------------------------------------------------------------------------------------------------- */
/* Between a cell, told as in a program, and what a slot is bound to. */
typedef struct {
    uint32_t slot, cell;
} exchange;

typedef struct {
    const wg_slot *slot;
    unsigned char *workspace;
    size_t n;
    exchange *at;
} exchanges;

static wg_status loads_run(const void *with)
{
    const exchanges *e = with;
    for (size_t i = 0; i < e->n; i++) {
        const wg_slot *slot = &e->slot[e->at[i].slot];
        size_t size = wg_dtype_size(slot->type->dtype);
        memcpy(e->workspace + e->at[i].cell * size, slot->bound, size);
    }
    return WG_OK;
}

static wg_status stores_run(const void *with)
{
    const exchanges *e = with;
    for (size_t i = 0; i < e->n; i++) {
        const wg_slot *slot = &e->slot[e->at[i].slot];
        size_t size = wg_dtype_size(slot->type->dtype);
        memcpy(slot->bound, e->workspace + e->at[i].cell * size, size);
    }
    return WG_OK;
}

static exchanges *exchanges_made(wg_plan *p, size_t n)
{
    exchanges *e = wg_hold_take(p->f, sizeof *e);
    exchange *at = e ? wg_hold_take(p->f, n * sizeof *at) : NULL;
    if (!at)
        return NULL;
    *e = (exchanges){p->f->slot, p->workspace, 0, at};
    return e;
}

static void exchanged(wg_plan *p, exchanges *e, uint32_t i, int slot)
{
    size_t size = wg_dtype_size((wg_dtype)wg_plan_node(p, i)->dtype);
    e->at[e->n++] = (exchange){(uint32_t)slot, (uint32_t)(p->value[i].at / size)};
}

bool wg_loads_made(wg_plan *p)
{
    if (!p->n_loads)
        return true;
    exchanges *e = exchanges_made(p, p->n_loads);
    for (uint32_t i = 0; e && i < p->nodes; i++)
        if (p->value[i].flags & WG_VALUE_INPUT && wg_has_cell(p, i))
            exchanged(p, e, i, p->value[i].slot);
    if (e)
        wg_instruct_next(p, loads_run, e);
    return e != NULL;
}

bool wg_stores_made(wg_plan *p)
{
    if (!p->n_stores)
        return true;
    exchanges *e = exchanges_made(p, p->n_stores);
    for (int k = 0; e && k < p->f->n_out + p->f->n_grad; k++)
        if (wg_has_cell(p, p->outputs[k].node))
            exchanged(p, e, p->outputs[k].node, p->f->n_in + k);
    if (e)
        wg_instruct_next(p, stores_run, e);
    return e != NULL;
}
