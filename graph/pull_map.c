/* The chain rule of an elementwise operation as one operation: cotangent times slope by the entry's own kernel, to be
 * recorded where a derivative is run again but not differentiated again. Where the slope is an operand as it is, the
 * product and what it is added to are one operation. */
#include "graph/plan.h"
#include "graph/traverse.h"

#include "ops/chain.h"
#include "wengert/elementwise.h"
#include "wengert/shape.h"

#include <ctype.h>
#include <stddef.h>

#define ROOM 48 /* 8-byte words for the options of an elementwise operation */

typedef struct {
    const wg_op *op;
    int which;
    uint64_t options[ROOM]; /* the operation's; left out where it has none */
} pulled;

static const pulled none = {0};
static const wg_schema plain_schema = {.size = offsetof(pulled, options), .defaults = &none};
static const wg_schema pulled_schema = {.size = sizeof(pulled), .defaults = &none};

/* Operands: those of the operation, its result, the cotangent. */
static wg_status pulled_type(wg_call *c)
{
    c->y[0] = c->x[c->n_in - 1];
    return WG_OK;
}

static wg_kernel *kernel_of(const pulled *p, wg_dtype dtype) { return p->op->map->pull[p->which][dtype]; }

static wg_status pulled_run(const wg_call *c)
{
    const pulled *p = c->options;
    return wg_map_loop(c, kernel_of(p, c->y[0].dtype), p->options);
}

#define PULL_ENTRY(schema)                                                                                             \
    {                                                                                                                  \
        .name = "slope_times", .doc = "y = g times the slope of an elementwise operation, 0 where g is",               \
        .in = {{"x", WG_VARIADIC | WG_ANY}}, .options = &schema, .type = pulled_type, .run = pulled_run,               \
        .strided = true, .hidden = true, .output_gradient_free = true,                                                 \
    }
static const wg_op pull_op = PULL_ENTRY(plain_schema), pull_with_options_op = PULL_ENTRY(pulled_schema);

wg_kernel *wg_dense_kernel(const wg_call *c, const void **options)
{
    *options = c->options;
    if (c->op->map)
        return c->op->map->run[c->op->map->to_bool ? c->x[0].dtype : c->dtype];
    if (c->op != &pull_op && c->op != &pull_with_options_op)
        return NULL;
    const pulled *p = c->options;
    *options = p->options;
    return kernel_of(p, c->dtype);
}

bool wg_elementwise_of(const wg_call *c, wg_elementwise *e)
{
    if (c->op->map) {
        *e = (wg_elementwise){c->op, c->op->map->value, c->options, -1};
        return true;
    }
    if (c->op != &pull_op && c->op != &pull_with_options_op)
        return false;
    const pulled *p = c->options;
    *e = (wg_elementwise){p->op, p->op->map->slope[p->which], p->options, p->which};
    return true;
}

wg_kernel *wg_scalar_kernel(const wg_node *node)
{
    const wg_op *op = node->op;
    if (op->map && !op->options && !op->type && !op->map->to_bool)
        return node->dtype <= WG_FLOAT64 ? op->map->run[node->dtype] : NULL;
    if (op != &pull_op || node->dtype > WG_FLOAT64)
        return NULL;
    const pulled *p = wg_node_options(node);
    return kernel_of(p, (wg_dtype)node->dtype);
}

/* Does the text of a slope name this operand or result? */
static bool names(const char *slope, char name)
{
    for (const char *at = slope; *at; at++) {
        bool begins = at == slope || !(isalnum((unsigned char)at[-1]) || strchr("_>.", at[-1]));
        if (*at == name && begins && !isalnum((unsigned char)at[1]) && at[1] != '_')
            return true;
    }
    return false;
}

/* What the text of a slope calls operand i, and, where i is their number, the result. */
static char letter_of(const wg_call *c, int i) { return i == c->n_in ? 'y' : c->n_in == 1 ? 'x' : (char)('a' + i); }

/* Is g read as quickly where it is: in order, or one value, or a few, repeated? */
static bool is_readable(wg_tensor g)
{
    const wg_node *node = wg_is_tensor(g) ? wg_node_at(g.tape, g.node) : NULL;
    bool repeated = false;
    for (int i = 0; node && i < node->rank; i++)
        repeated |= !node->as.layout->stride[i] && node->as.layout->dim[i] > 1;
    return node && (repeated || !node->rank || wg_node_is(node, WG_NODE_CONTIGUOUS));
}

/* The operand or result that the slope is; WG_NONE: it is none. */
static wg_tensor slope_itself(const wg_call *c, const char *slope)
{
    for (int i = 0; i <= c->n_in; i++)
        if (slope[0] == letter_of(c, i) && !slope[1])
            return i == c->n_in ? c->out[0] : c->in[i];
    return WG_NONE;
}

/* Is the slope another function of x, "cos(x)" or "-sin(x)"? As a value of its own it is computed once, wherever else
 * it is needed. */
static bool is_function_of_x(const char *slope)
{
    const char *at = slope + (*slope == '-');
    size_t name = strcspn(at, "(");
    return name && !strcmp(at + name, "(x)") && strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789") == name;
}

wg_tensor wg_pull_map(const wg_call *c, int which, wg_tensor g)
{
    if (!strcmp(c->op->map->slope[which], "1"))
        return g;
    if (!strcmp(c->op->map->slope[which], "-1"))
        return wg_negative(g);
    pulled p = {.op = c->op, .which = which};
    wg_tensor in[5] = {0};
    int n;
    size_t size = c->op->options ? c->op->options->size : 0;
    bool one_dtype = true;
    for (int i = 0; i < c->n_in; i++)
        one_dtype &= c->x[i].dtype == c->dtype;
    if (c->n_in > 3 || !one_dtype || size > sizeof p.options || is_function_of_x(c->op->map->slope[which]))
        return wg_chain_map(c, which, g);
    if (size)
        memcpy(p.options, c->options, size);
    if (!is_readable(g))
        g = wg_contiguous(g);
    const char *slope = c->op->map->slope[which];
    wg_tensor itself = slope_itself(c, slope);
    if (wg_is_tensor(itself))
        return wg_strong_multiply(g, itself);
    bool needed[4];
    wg_tensor some = g; /* stands for what the slope does not name: that is not read, and need not be kept */
    for (n = 0; n <= c->n_in; n++) {
        needed[n] = names(slope, letter_of(c, n));
        in[n] = n == c->n_in ? c->out[0] : c->in[n];
        some = needed[n] ? in[n] : some;
    }
    for (n = 0; n <= c->n_in; n++)
        in[n] = needed[n] ? in[n] : some;
    in[n++] = g;
    return wg_record(size ? &pull_with_options_op : &pull_op, &p, in, n);
}

/* What g is the negative of; NONE. */
static wg_tensor negated(wg_tensor g)
{
    const wg_node *node = wg_is_tensor(g) ? wg_node_at(g.tape, g.node) : NULL;
    bool is = node && !wg_is_leaf_node(node) && node->op->map && !strcmp(node->op->map->value, "-x");
    return is ? wg_node_tensor(g.tape, wg_node_in(node)[0]) : WG_NONE;
}

/* sum + g as one operation where g is made for that; else NONE. */
static wg_tensor joined(wg_tensor sum, wg_tensor g)
{
    wg_tensor factor, slope, x = negated(g);
    if (wg_is_tensor(x))
        return wg_subtract(sum, x);
    if (wg_is_strong_product(g, &factor, &slope))
        return wg_strong_multiply_add(factor, slope, sum);
    return wg_strided_sum(sum, g);
}

wg_tensor wg_pulled_sum(wg_tensor a, wg_tensor b)
{
    wg_tensor sum = joined(a, b);
    sum = wg_is_none(sum) ? joined(b, a) : sum;
    return wg_is_none(sum) ? wg_add(a, b) : sum;
}
