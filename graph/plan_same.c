/* What a compiled function computes once though the tape has it twice, and what it need not compute at all.
 *
 * Values are numbered in the order of the tape (hash-consing, Ershov 1958): a call of the same operation, with the same
 * options, on values that are the same, is the same value. So is x where the entry says that nothing happens to it: x
 * 1, x / 1, x - 0, -(-x), ||x||. No rewrite changes a bit of a result. */
#include "graph/plan.h"

/* ---- The table --------------------------------------------------------------------------------------------------- */
typedef struct {
    const wg_plan *p;
    uint32_t node;
} call_key;

static bool calls_equal(const call_key *a, const call_key *b);

#define HASH_NONFATAL_OOM 1
#define HASH_KEYCMP(a, b, length) (!calls_equal(a, b))
#define uthash_malloc(bytes) wg_tape_allocate(tape, bytes)
#define uthash_free(memory, bytes) wg_tape_release(tape, memory, bytes)
#include <uthash.h>

typedef struct {
    call_key key;
    UT_hash_handle hh;
} known;

/* ---- Equal values ------------------------------------------------------------------------------------------------ */
/* A single number that is the same at each run. */
static bool is_number(const wg_plan *p, uint32_t x)
{
    return !wg_plan_node(p, x)->rank && !(p->value[x].flags & (WG_VALUE_VARIES | WG_VALUE_INPUT));
}

static bool strides_equal(const wg_node *x, const wg_node *y)
{
    if (wg_node_is(x, WG_NODE_CONTIGUOUS) != wg_node_is(y, WG_NODE_CONTIGUOUS))
        return false;
    return !x->rank || wg_node_is(x, WG_NODE_CONTIGUOUS) ||
           !memcmp(wg_node_stride(x), wg_node_stride(y), x->rank * sizeof(int64_t));
}

static bool values_equal(const wg_plan *p, uint32_t a, uint32_t b)
{
    if (a == b)
        return true;
    if (a == WG_ABSENT || b == WG_ABSENT)
        return false;
    const wg_node *x = wg_plan_node(p, a), *y = wg_plan_node(p, b);
    wg_type s = wg_node_type(x), t = wg_node_type(y);
    if (!wg_type_equal(&s, &t))
        return false;
    if (is_number(p, a) && is_number(p, b))
        return !memcmp(x->data, y->data, wg_dtype_size((wg_dtype)x->dtype));
    return p->value[a].root == p->value[b].root && p->value[a].offset == p->value[b].offset && strides_equal(x, y);
}

/* ---- Equal options ----------------------------------------------------------------------------------------------- */
/* The options without what they point at: `to` has their size. */
static void options_flat(const wg_schema *schema, const void *options, unsigned char *to)
{
    memcpy(to, options, schema->size);
    for (int i = 0; i < schema->n; i++) {
        const wg_attr *attr = &schema->attr[i];
        if (attr->kind == WG_ATTR_LIST)
            memset(to + attr->offset, 0, sizeof(wg_list));
        else if (attr->kind == WG_ATTR_CHOICE && !attr->choices[0])
            memset(to + attr->offset, 0, sizeof(const char *));
    }
}

static bool pointed_equal(const wg_attr *attr, const void *a, const void *b)
{
    const unsigned char *x = (const unsigned char *)a + attr->offset, *y = (const unsigned char *)b + attr->offset;
    if (attr->kind == WG_ATTR_LIST) {
        wg_list s, t;
        memcpy(&s, x, sizeof s);
        memcpy(&t, y, sizeof t);
        return s.n == t.n && (s.n <= 0 || !memcmp(s.at, t.at, (size_t)s.n * sizeof *s.at));
    }
    const char *s, *t;
    memcpy(&s, x, sizeof s);
    memcpy(&t, y, sizeof t);
    return s == t || (s && t && !strcmp(s, t));
}

enum { MOST_OPTIONS = 1024 };

static bool options_equal(const wg_schema *schema, const void *a, const void *b)
{
    unsigned char x[MOST_OPTIONS], y[MOST_OPTIONS];
    if (!schema || a == b)
        return true;
    if (schema->size > MOST_OPTIONS)
        return false;
    options_flat(schema, a, x);
    options_flat(schema, b, y);
    bool equal = !memcmp(x, y, schema->size);
    for (int i = 0; i < schema->n && equal; i++) {
        const wg_attr *attr = &schema->attr[i];
        if (attr->kind == WG_ATTR_LIST || (attr->kind == WG_ATTR_CHOICE && !attr->choices[0]))
            equal = pointed_equal(attr, a, b);
    }
    return equal;
}

/* ---- Equal calls ------------------------------------------------------------------------------------------------- */
static bool operands_equal(const wg_plan *p, const wg_node *x, const wg_node *y)
{
    const uint32_t *a = wg_node_in(x), *b = wg_node_in(y);
    if (x->op->commutes && values_equal(p, a[0], b[1]) && values_equal(p, a[1], b[0]))
        return true;
    for (int k = 0; k < x->n_in; k++)
        if (!values_equal(p, a[k], b[k]))
            return false;
    return true;
}

static bool calls_equal(const call_key *a, const call_key *b)
{
    const wg_node *x = wg_plan_node(a->p, a->node), *y = wg_plan_node(b->p, b->node);
    return x->op == y->op && x->n_in == y->n_in && x->n_out == y->n_out && x->dtype == y->dtype &&
           operands_equal(a->p, x, y) && options_equal(x->op->options, wg_node_options(x), wg_node_options(y));
}

static unsigned mixed(unsigned hash, uint64_t with)
{
    uint64_t h = (hash ^ with) * 0x9e3779b97f4a7c15u;
    return (unsigned)(h >> 32);
}

static unsigned call_hash(const wg_plan *p, const wg_node *node)
{
    unsigned hash = mixed(node->n_in, (uintptr_t)node->op), both = 0;
    const uint32_t *in = wg_node_in(node);
    for (int k = 0; k < node->n_in; k++) {
        unsigned one = node->op->commutes ? 0 : (unsigned)k;
        if (in[k] != WG_ABSENT && is_number(p, in[k])) {
            uint64_t bits = 0;
            memcpy(&bits, wg_plan_node(p, in[k])->data, wg_dtype_size((wg_dtype)wg_plan_node(p, in[k])->dtype));
            one = mixed(one, bits);
        } else if (in[k] != WG_ABSENT) {
            one = mixed(mixed(one, p->value[in[k]].root), (uint64_t)p->value[in[k]].offset);
        }
        both += one;
    }
    const wg_schema *schema = node->op->options;
    unsigned char flat[MOST_OPTIONS];
    if (schema && schema->size <= MOST_OPTIONS) {
        options_flat(schema, wg_node_options(node), flat);
        for (size_t i = 0; i + sizeof(uint64_t) <= schema->size; i += sizeof(uint64_t)) {
            uint64_t word;
            memcpy(&word, flat + i, sizeof word);
            hash = mixed(hash, word);
        }
    }
    return mixed(hash, both);
}

/* ---- What leaves a value as it is -------------------------------------------------------------------------------- */
/* Is it the neutral number, everywhere? Not -0 for 0. */
static bool is_neutral(const wg_plan *p, const wg_op *op, uint32_t x)
{
    if (x == WG_ABSENT || p->value[x].flags & (WG_VALUE_VARIES | WG_VALUE_INPUT))
        return false;
    const wg_node *node = wg_plan_node(p, x);
    if (!wg_node_count(node))
        return false;
    for (int i = 0; i < node->rank; i++)
        if (node->as.layout->stride[i] && node->as.layout->dim[i] != 1)
            return false;
    double value = wg_load_number((wg_dtype)node->dtype, node->data);
    return !memcmp(&value, &op->neutral, sizeof value);
}

/* The operand that the result of node i is, to the bit; WG_ABSENT: none. */
static uint32_t passed_through(const wg_plan *p, uint32_t i)
{
    const wg_node *node = wg_plan_node(p, i);
    const wg_op *op = node->op;
    const uint32_t *in = wg_node_in(node);
    if (op->idempotent || op->involution) {
        uint32_t root = p->value[in[0]].root;
        const wg_node *x = wg_plan_node(p, root);
        bool again = wg_is_made(p, root) && x->op == op && values_equal(p, root, in[0]) &&
                     options_equal(op->options, wg_node_options(node), wg_node_options(x));
        return !again ? WG_ABSENT : op->idempotent ? in[0] : wg_node_in(x)[0];
    }
    for (int k = 0; k < 2 && op->neutral_in; k++)
        if (op->neutral_in >> k & 1 && is_neutral(p, op, in[k]))
            return in[1 - k];
    return WG_ABSENT;
}

static bool stands_for(const wg_plan *p, uint32_t i, uint32_t x)
{
    if (x == WG_ABSENT)
        return false;
    const wg_node *node = wg_plan_node(p, i), *of = wg_plan_node(p, x);
    wg_type y = wg_node_type(node), t = wg_node_type(of);
    return wg_type_equal(&y, &t) && (p->value[x].flags & (WG_VALUE_VARIES | WG_VALUE_INPUT)) &&
           (!of->rank || wg_node_is(of, WG_NODE_CONTIGUOUS));
}

static void made_the_same(wg_plan *p, uint32_t i, uint32_t as)
{
    wg_plan_value *v = &p->value[i];
    v->same = as;
    v->root = p->value[as].root;
    v->offset = p->value[as].offset;
}

/* ---- Parts ------------------------------------------------------------------------------------------------------- */
/* Results that lie one behind the other in the only operand are read there. Single numbers are not: side by side in
 * cells of their own they are cheaper to read. */
static bool parts_seen(wg_plan *p, uint32_t i, bool *fits)
{
    const wg_node *node = wg_plan_node(p, i);
    if (node->n_in != 1 || !node->rank || !wg_node_is(wg_plan_node(p, wg_node_in(node)[0]), WG_NODE_CONTIGUOUS))
        return false;
    uint32_t x = wg_node_in(node)[0];
    int64_t offset = 0;
    bool in_line = wg_is_in_line(p, i, fits);
    for (uint32_t k = 0; in_line && k < node->n_out; k++) {
        made_the_same(p, i + k, x);
        p->value[i + k].offset += offset;
        offset += (int64_t)wg_node_bytes(wg_plan_node(p, i + k));
    }
    return in_line;
}

/* ---- The pass ---------------------------------------------------------------------------------------------------- */
static void view_rooted(wg_plan *p, uint32_t i)
{
    const wg_node *node = wg_plan_node(p, i);
    uint32_t x = wg_node_in(node)[0];
    p->value[i].root = p->value[x].root;
    p->value[i].offset = p->value[x].offset + ((unsigned char *)node->data - (unsigned char *)wg_plan_node(p, x)->data);
}

bool wg_same_found(wg_plan *p)
{
    wg_tape *tape = p->tape;
    known *table = NULL;
    bool fits = true;
    for (uint32_t i = 0; i < p->nodes && fits; i++) {
        const wg_node *node = wg_plan_node(p, i);
        if (wg_is_view_node(node) && !(p->value[i].flags & WG_VALUE_INPUT) && p->value[i].flags & WG_VALUE_VARIES)
            view_rooted(p, i);
        if (node->out || !wg_is_made(p, i) || node->op->random || !node->n_in)
            continue;
        uint32_t x = passed_through(p, i);
        if (stands_for(p, i, x)) {
            made_the_same(p, i, x);
            continue;
        }
        if (parts_seen(p, i, &fits)) {
            i += node->n_out - 1u;
            continue;
        }
        known *found = NULL;
        call_key key = {p, i};
        unsigned hash = call_hash(p, node);
        HASH_FIND_BYHASHVALUE(hh, table, &key, sizeof key, hash, found);
        for (uint32_t k = 0; found && k < node->n_out; k++)
            made_the_same(p, i + k, found->key.node + k);
        if (found) {
            i += node->n_out - 1u;
            continue;
        }
        known *made = wg_arena(tape, sizeof *made);
        if (made) {
            *made = (known){.key = key};
            HASH_ADD_BYHASHVALUE(hh, table, key, sizeof key, hash, made);
        }
        fits = made && made->hh.tbl;
    }
    HASH_CLEAR(hh, table);
    if (!fits)
        wg_no_memory(tape, "wg_compile", sizeof(known));
    return fits;
}
