/* A recorded stretch of tape for many values of one tensor at once: each node that depends on it is recorded again with
 * a leading axis, the lanes. Elementwise operations broadcast over it; entries that say how take it as they are or with
 * their axes counted one further (`.lanes`); of any other operation the call is made lane by lane, and its results
 * stacked. */
#include "graph/batch.h"

#include "wengert/shape.h"

typedef struct {
    wg_tape *tape;
    uint32_t low, high; /* nodes of the stretch, high included */
    int64_t n;          /* lanes */
    wg_tensor *lanes;   /* by node from low on: [n, its shape], WG_NONE where all lanes are the node itself */
} batch;

static wg_tensor lanes_of(const batch *b, uint32_t i)
{
    return i != WG_ABSENT && i >= b->low && i <= b->high ? b->lanes[i - b->low] : WG_NONE;
}

/* [n, ..., its shape]: with axes of size 1 put in, so that it broadcasts from the right among operands of that rank. */
static wg_tensor padded(const batch *b, wg_tensor lanes, int rank)
{
    wg_type type = wg_type_of(lanes);
    wg_shape shape = {.rank = rank + 1, .dim = {b->n}};
    int own = type.rank - 1;
    for (int i = 1; i <= rank; i++)
        shape.dim[i] = i <= rank - own ? 1 : type.dim[i - (rank - own)];
    return own == rank ? lanes : wg_reshape(lanes, shape);
}

static wg_type with_lanes(const batch *b, wg_type type)
{
    for (int i = type.rank++; i > 0; i--)
        type.dim[i] = type.dim[i - 1];
    type.dim[0] = b->n;
    return type;
}

/* The options with each axis one further from the front, and shapes that begin with the lanes. False: they cannot
 * be. */
static bool options_shifted(const batch *b, const wg_schema *schema, const void *options, void *shifted)
{
    memcpy(shifted, options, schema->size);
    for (int i = 0; i < schema->n; i++) {
        const wg_attr *attr = &schema->attr[i];
        void *at = (char *)shifted + attr->offset;
        if (attr->kind == WG_ATTR_AXIS) {
            int *axis = at;
            *axis += *axis != WG_NO_AXIS;
        } else if (attr->kind == WG_ATTR_AXES) {
            wg_axes *axes = at;
            if (!axes->n) /* which would mean all of them */
                return false;
            for (int k = 0; k < axes->n; k++)
                axes->at[k]++;
        } else if (attr->kind == WG_ATTR_SHAPE) {
            wg_shape *shape = at;
            if (shape->rank == WG_MAX_RANK)
                return false;
            memmove(shape->dim + 1, shape->dim, (size_t)shape->rank++ * sizeof *shape->dim);
            shape->dim[0] = b->n;
        }
    }
    return true;
}

/* All lanes of a call at once. False: it cannot be, or it is not what was expected. */
static bool together(const batch *b, const wg_call *c, wg_tensor *out)
{
    uint64_t options[96];
    wg_tensor *in = wg_arena(b->tape, ((size_t)c->n_in + 1) * sizeof *in);
    wg_lanes how = c->op->map ? WG_LANES_LEADING : c->op->lanes;
    const wg_schema *schema = c->op->options;
    bool shift = how == WG_LANES_SHIFTED;
    if (!in || how == WG_LANES_NONE || c->y[0].rank == WG_MAX_RANK || (schema && schema->size > sizeof options))
        return false;
    if (shift && schema && !options_shifted(b, schema, c->options, options))
        return false;
    for (int i = 0; i < c->n_in; i++) {
        wg_tensor lanes = wg_is_none(c->in[i]) ? WG_NONE : lanes_of(b, c->in[i].node);
        in[i] = c->in[i];
        if (wg_is_none(in[i]) || (wg_is_none(lanes) && !shift))
            continue;
        if (!c->op->map && !shift && c->x[i].rank < 2) { /* a vector: lanes of rows are a matrix, those of columns are
                                                            not */
            if (i || c->n_in != 2 || c->x[1].rank != 2 || !wg_is_none(lanes_of(b, c->in[1].node)))
                return false;
            in[i] = lanes;
            continue;
        }
        wg_type all = with_lanes(b, c->x[i]);
        in[i] = !wg_is_none(lanes) ? lanes : wg_broadcast_to(c->in[i], wg_type_shape(&all));
        if (!shift)
            in[i] = padded(b, lanes, c->y[0].rank);
    }
    const void *given = shift && schema ? options : c->options;
    if (wg_record_on(b->tape, c->op, given, in, c->n_in, out, c->n_out))
        return false;
    for (int k = 0; k < c->n_out; k++) {
        wg_type is = wg_type_of(out[k]), expected = with_lanes(b, c->y[k]);
        if (!wg_type_equal(&is, &expected))
            return false;
    }
    return true;
}

static wg_status one_by_one(const batch *b, const wg_call *c, wg_tensor *out)
{
    size_t n_in = (size_t)c->n_in, n_out = (size_t)c->n_out, n = (size_t)b->n;
    wg_tensor *in = wg_arena(b->tape, (n_in + n_out + n_out * n + 1) * sizeof *in), *one = in + n_in,
              *all = one + n_out;
    if (!in)
        return wg_no_memory(b->tape, "wg_jacobian", n_out * n * sizeof *in);
    for (int64_t j = 0; j < b->n; j++) {
        for (int i = 0; i < c->n_in; i++) {
            wg_tensor lanes = wg_is_none(c->in[i]) ? WG_NONE : lanes_of(b, c->in[i].node);
            in[i] = wg_is_none(lanes) ? c->in[i] : wg_select(lanes, 0, j);
        }
        if (wg_record_on(b->tape, c->op, c->options, in, c->n_in, one, c->n_out))
            return b->tape->status;
        for (int k = 0; k < c->n_out; k++)
            all[(int64_t)k * b->n + j] = one[k];
    }
    for (int k = 0; k < c->n_out; k++) {
        out[k] = wg_stack(((wg_tensors){all + (int64_t)k * b->n, (int)b->n}));
        if (!wg_is_tensor(out[k]))
            return b->tape->status;
    }
    return WG_OK;
}

static wg_status call_batched(const batch *b, uint32_t i)
{
    const wg_node *node = wg_node_at(b->tape, i);
    bool any = false;
    for (int k = 0; k < node->n_in; k++)
        any = any || !wg_is_none(lanes_of(b, wg_node_in(node)[k]));
    if (!any || wg_node_is(node, WG_NODE_LEAF))
        return WG_OK;
    const wg_call *c = wg_call_again(b->tape, i);
    wg_tensor *out = c ? wg_arena(b->tape, (size_t)c->n_out * sizeof *out) : NULL;
    if (!out)
        return wg_no_memory(b->tape, "wg_jacobian", sizeof *c);
    wg_status status = WG_OK;
    if (!together(b, c, out)) {
        if (b->tape->status && b->tape->status != WG_ERROR_MEMORY)
            wg_clear_error(b->tape); /* it was worth a try */
        status = b->tape->status ? b->tape->status : one_by_one(b, c, out);
    }
    for (int k = 0; k < c->n_out && !status && i + (uint32_t)k <= b->high; k++)
        b->lanes[i + (uint32_t)k - b->low] = out[k];
    return status;
}

wg_status wg_batched(wg_tensor x, wg_tensor lanes, uint32_t high, const wg_tensor *ys, int n_ys, wg_tensor *out)
{
    batch b = {.tape = x.tape, .low = x.node, .high = high, .n = wg_type_of(lanes).dim[0]};
    size_t count = (size_t)(b.high - b.low) + 1;
    b.lanes = wg_arena(b.tape, count * sizeof *b.lanes);
    if (!b.lanes)
        return wg_no_memory(b.tape, "wg_jacobian", count * sizeof *b.lanes);
    for (size_t i = 0; i < count; i++)
        b.lanes[i] = WG_NONE;
    b.lanes[0] = lanes;
    wg_status status = WG_OK;
    for (uint32_t i = b.low + 1; i <= b.high && !status; i += wg_node_at(b.tape, i)->n_out)
        status = call_batched(&b, i);
    for (int k = 0; k < n_ys && !status; k++)
        out[k] = lanes_of(&b, ys[k].node);
    return status;
}
