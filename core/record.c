/* Recording: what happens when an operation is called. The operands are checked against the entry, the options
 * resolved, the result's type found, its value computed, its nodes appended: in that order, and on an error everything
 * taken since is given back. An elementwise operation of 0-d tensors goes a short way, for tapes of many scalars. */
#include <time.h>

#include "tape.h"

#define NEAR_OPERANDS 12 /* a call of no more operands is kept on the stack */

/* ---- Errors and what rules may ask ------------------------------------------------------------------------------- */
bool wg_is_built_in(const wg_op *op)
{
    for (int i = 0; wg_families[i]; i++)
        for (int k = 0; k < wg_families[i]->n; k++)
            if (wg_families[i]->op[k] == op)
                return true;
    return false;
}

static wg_status call_error(wg_tape *tape, const wg_op *op, wg_status status, const char *format, va_list va)
{
    char name[128];
    snprintf(name, sizeof name, "%s%s", wg_is_built_in(op) ? "wg_" : "", op->name ? op->name : "operation");
    return wg_tape_error(tape, status, tape->rule_place ? tape->rule_place : tape->here, name, format, va);
}

wg_status wg_call_failed(wg_tape *tape, const wg_op *op, wg_status status, const char *format, ...)
{
    va_list va;
    va_start(va, format);
    call_error(tape, op, status, format, va);
    va_end(va);
    return status;
}

wg_status wg_fail(const wg_call *c, wg_status status, const char *format, ...)
{
    va_list va;
    va_start(va, format);
    call_error(c->tape, c->op, status, format, va);
    va_end(va);
    return status;
}

wg_tensor wg_fail_tensor(const wg_call *c, wg_status status, const char *format, ...)
{
    va_list va;
    va_start(va, format);
    call_error(c->tape, c->op, status, format, va);
    va_end(va);
    return wg_invalid_on(c->tape);
}

/* The entry's operand that stands for operand i: the last one, if it is variadic, for all from there on. */
static const wg_operand *operand_of(const wg_op *op, int i)
{
    static const wg_operand nothing = {0};
    for (int k = 0; k < WG_MAX_OPERANDS && op->in[k].name; k++)
        if (k == i || (k < i && op->in[k].flags & WG_VARIADIC))
            return &op->in[k];
    return &nothing;
}

const char *wg_show(const wg_call *c, int i)
{
    wg_tape *tape = c->tape;
    char *text = tape->show[tape->shown++ % 4], shape_text[100];
    if (i >= c->n_in || !wg_is_tensor(c->in[i])) {
        snprintf(text, sizeof tape->show[0], "nothing (%.40s)", operand_of(c->op, i)->name);
        return text;
    }
    const wg_node *node = c->in[i].node < tape->nodes ? wg_node_at(tape, c->in[i].node) : NULL; /* NULL: compiled */
    wg_type type = node ? wg_node_type(node) : c->x[i];
    wg_shape shape = wg_type_shape(&type);
    const char *name = node && node->extra && node->extra->name ? node->extra->name : operand_of(c->op, i)->name;
    snprintf(text, sizeof tape->show[0], "%s (%.40s)", wg_shape_text(&shape, shape_text, sizeof shape_text), name);
    return text;
}

void *wg_scratch(const wg_call *c, size_t bytes)
{
    void *memory = wg_arena_values(c->tape, bytes);
    if (!memory)
        wg_fail(c, WG_ERROR_MEMORY, "no memory for %zu bytes", bytes);
    return memory;
}

wg_tensor wg_saved(const wg_call *c, int i)
{
    wg_tensor saved = c->out[wg_op_outputs(c->op) + i];
    bool is_float = wg_is_float((wg_dtype)wg_node_at(c->tape, saved.node)->dtype);
    return c->recording && is_float ? WG_NONE : saved;
}

int wg_resolve_axis(const wg_call *c, int axis, int rank)
{
    if (axis >= -rank && axis < rank)
        return axis < 0 ? axis + rank : axis;
    wg_fail(c, WG_ERROR_SHAPE, "axis %d is out of range for %d dimension%s", axis, rank, rank == 1 ? "" : "s");
    return -1;
}

wg_status wg_type_as_first(wg_call *c)
{
    c->y[0] = c->x[0];
    return WG_OK;
}

/* ---- Operands ---------------------------------------------------------------------------------------------------- */
static wg_tape *tape_of(const wg_tensor *in, int n_in)
{
    for (int i = 0; i < n_in; i++)
        if (in[i].tape)
            return in[i].tape;
    return NULL;
}

/* Is a handle good on this tape? */
static wg_status operand_alive(const wg_call *c, int i)
{
    wg_tensor t = c->in[i];
    const char *name = operand_of(c->op, i)->name;
    if (t.tape != c->tape)
        return wg_fail(c, WG_ERROR_VALUE, "%s is on another tape", name);
    if (t.node >= c->tape->nodes || wg_node_at(c->tape, t.node)->epoch != t.epoch)
        return wg_fail(c, WG_ERROR_STALE, "%s was released by a rewind: record it again, or rewind later", name);
    return WG_OK;
}

static wg_status operands_present(const wg_call *c)
{
    int named = wg_op_operands(c->op);
    bool variadic = named && c->op->in[named - 1].flags & WG_VARIADIC;
    if (c->n_in > named && !variadic)
        return wg_fail(c, WG_ERROR_SHAPE, "%d operands, where there are at most %d", c->n_in, named);
    for (int i = 0; i < (c->n_in > named ? c->n_in : named); i++) {
        const wg_operand *operand = operand_of(c->op, i);
        bool given = i < c->n_in && !wg_is_none(c->in[i]);
        if (!given && !(operand->flags & WG_OPTIONAL) && !(operand->flags & WG_VARIADIC && i >= c->n_in))
            return wg_fail(c, WG_ERROR_SHAPE, "%s is missing", operand->name);
        if (given && !wg_is_number(c->in[i]) && operand_alive(c, i))
            return WG_ERROR_STALE;
    }
    if (variadic && c->n_in < named && !(c->op->in[named - 1].flags & WG_OPTIONAL))
        return wg_fail(c, WG_ERROR_SHAPE, "there is nothing to take");
    return WG_OK;
}

static bool is_fixed_kind(unsigned flags) { return flags & (WG_INTEGER | WG_BOOLEAN); }

/* The dtype that the operands without a fixed kind share: the first tensor's. */
static wg_dtype shared_dtype(const wg_call *c)
{
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < c->n_in; i++) {
            unsigned flags = operand_of(c->op, i)->flags;
            if (!wg_is_tensor(c->in[i]) || is_fixed_kind(flags) ||
                (!pass && flags & (WG_INDEX_OR_FLOAT | WG_BOOL_OR_FLOAT)))
                continue;
            return (wg_dtype)wg_node_at(c->tape, c->in[i].node)->dtype;
        }
    return WG_FLOAT64;
}

static wg_status operand_dtype(const wg_call *c, int i, unsigned flags, wg_dtype dtype)
{
    const char *is = wg_dtype_name(dtype);
    if (flags & WG_INTEGER)
        return wg_is_integer(dtype) ? WG_OK
                                    : wg_fail(c, WG_ERROR_DTYPE, "%s is %s, not int32 or int64", wg_show(c, i), is);
    if (flags & WG_BOOLEAN)
        return dtype == WG_BOOL ? WG_OK : wg_fail(c, WG_ERROR_DTYPE, "%s is %s, not bool", wg_show(c, i), is);
    if (flags & WG_MIXED || (flags & WG_INDEX_OR_FLOAT && wg_is_integer(dtype)) ||
        (flags & WG_BOOL_OR_FLOAT && dtype == WG_BOOL))
        return WG_OK;
    bool takes_any = flags & WG_ANY || (c->op->map && c->op->map->run[dtype]);
    if (!takes_any && !wg_is_float(dtype))
        return wg_fail(c, WG_ERROR_DTYPE, "%s is %s, not float32 or float64", wg_show(c, i), is);
    if (dtype != c->dtype)
        return wg_fail(c, WG_ERROR_DTYPE, "%s is %s where the others are %s", wg_show(c, i), is,
                       wg_dtype_name(c->dtype));
    return WG_OK;
}

/* Numbers become tensors, dtypes are checked, types filled in. */
static wg_status operands_typed(wg_call *c, wg_tensor *in, wg_type *x)
{
    c->dtype = shared_dtype(c);
    for (int i = 0; i < c->n_in; i++) {
        unsigned flags = operand_of(c->op, i)->flags;
        x[i] = (wg_type){0};
        if (wg_is_none(in[i]))
            continue;
        if (wg_is_number(in[i])) {
            wg_dtype dtype = flags & WG_INTEGER ? WG_INT64 : flags & WG_BOOLEAN ? WG_BOOL : c->dtype;
            in[i] = wg_constant_of(c->tape, dtype, wg_number_value(in[i]));
            if (wg_is_invalid(in[i]))
                return WG_ERROR_MEMORY;
        }
        x[i] = wg_node_type(wg_node_at(c->tape, in[i].node));
    }
    for (int i = 0; i < c->n_in; i++)
        if (!wg_is_none(in[i]) && operand_dtype(c, i, operand_of(c->op, i)->flags, x[i].dtype))
            return WG_ERROR_DTYPE;
    return WG_OK;
}

/* ---- Nodes and their memory -------------------------------------------------------------------------------------- */
void wg_short_back(wg_tape *tape, wg_short_mark mark)
{
    wg_arena_back(tape, mark.arena);
    wg_nodes_back(tape, mark.nodes, mark.chunks, mark.scopes);
}

static bool has_gradient(const wg_op *op)
{
    if (op->output_gradient_free || op->pull)
        return op->pull != NULL;
    for (int i = 0; i < WG_MAX_OPERANDS; i++)
        if (op->vjp[i])
            return true;
    return op->map && op->map->slope[0];
}

/* The indices of the operands, in the node itself where two are enough. */
static bool node_operands(wg_tape *tape, wg_node *node, const wg_tensor *in, int n_in)
{
    uint32_t *at = node->of.in;
    node->of.in[0] = node->of.in[1] = WG_ABSENT;
    if (n_in > UINT16_MAX)
        return false;
    node->n_in = (uint16_t)n_in;
    if (n_in > 2) {
        at = wg_arena(tape, (size_t)n_in * sizeof *at);
        if (!at)
            return false;
        node->of.ins = at;
    }
    for (int i = 0; i < n_in; i++)
        at[i] = wg_is_none(in[i]) ? WG_ABSENT : in[i].node;
    return true;
}

static bool is_scalar_call(const wg_call *c)
{
    bool is = c->n_in <= 3 && !c->y[0].rank;
    for (int i = 0; i < c->n_in && is; i++)
        is = wg_is_tensor(c->in[i]) && !c->x[i].rank && c->x[i].dtype == c->y[0].dtype;
    return is;
}

/* Output k's node, without its data. */
static wg_node *output_node(const wg_call *c, int k, const void *options, const wg_node *first)
{
    wg_tape *tape = c->tape;
    uint32_t index = 0;
    wg_node *node = wg_node_append(tape, &index);
    if (!node)
        return NULL;
    bool cut = tape->no_grad || !has_gradient(c->op) || !wg_is_float(c->y[k].dtype);
    *node = (wg_node){.op = c->op, .epoch = tape->epoch, .owner = index, .out = (uint8_t)k, .n_out = (uint8_t)c->n_out,
                      .dtype = (uint8_t)c->y[k].dtype, .rank = (uint8_t)c->y[k].rank,
                      .flags = (uint8_t)(cut ? WG_NODE_CUT : 0), .derived = tape->deriving > 0,
                      .place = tape->rule_place, .scalar = is_scalar_call(c),
                      .scope = tape->rule_place ? tape->rule_scope : tape->scope_now};
    tape->nodes = index + 1;
    if (first) {
        node->of = first->of;
        node->n_in = first->n_in;
    } else if (!node_operands(tape, node, c->in, c->n_in)) {
        return NULL;
    }
    if (k == 0 && options) {
        wg_extra *extra = wg_node_extra(tape, index);
        void *copy = wg_arena(tape, c->op->options->size);
        if (!extra || !copy)
            return NULL;
        extra->options = memcpy(copy, options, c->op->options->size);
    }
    return node;
}

static bool same_form(const wg_node *node, const wg_type *type)
{
    if (!wg_node_is(node, WG_NODE_CONTIGUOUS) || node->rank != type->rank)
        return false;
    for (int i = 0; i < type->rank; i++)
        if (node->as.layout->dim[i] != type->dim[i])
            return false;
    return wg_strides_contiguous(type, node->as.layout->stride);
}

static bool output_layout(const wg_call *c, wg_node *node, int k)
{
    if (!node->rank)
        return true;
    if (c->n_in && wg_is_tensor(c->in[0])) {
        const wg_node *x = wg_node_at(c->tape, c->in[0].node);
        if (x->rank && same_form(x, &c->y[k])) {
            node->as.layout = x->as.layout;
            return true;
        }
    }
    return (node->as.layout = wg_layout_new(c->tape, &c->y[k], NULL)) != NULL;
}

static void *output_memory(wg_tape *tape, wg_node *node, size_t bytes)
{
    if (!node->rank) {
        node->flags |= WG_NODE_INLINE;
        return node->as.scalar;
    }
    if (tape->hint.data && tape->hint.bytes == bytes) {
        void *data = tape->hint.data;
        tape->hint.data = NULL;
        return data;
    }
    return wg_arena_values(tape, bytes);
}

static wg_status outputs_appended(wg_call *c, const void *options, void **to)
{
    wg_node *first = NULL;
    for (int k = 0; k < c->n_out; k++) {
        int64_t count;
        size_t bytes;
        if (!wg_type_fits(&c->y[k], &count, &bytes)) {
            wg_shape shape = wg_type_shape(&c->y[k]);
            char text[200];
            return wg_fail(c, c->y[k].rank > WG_MAX_RANK ? WG_ERROR_SHAPE : WG_ERROR_MEMORY,
                           "the result %s is too large", wg_shape_text(&shape, text, sizeof text));
        }
        wg_node *node = output_node(c, k, options, first);
        if (!node || !output_layout(c, node, k) || !(node->data = output_memory(c->tape, node, bytes)))
            return wg_fail(c, WG_ERROR_MEMORY, "no memory for %zu bytes", bytes);
        node->flags |= WG_NODE_CONTIGUOUS;
        to[k] = node->data;
        first = k ? first : node;
    }
    return WG_OK;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */
/* Where the operands' values are: themselves, or a contiguous copy for an entry that wants one. */
static wg_status operands_read(wg_call *c, const void **from, const int64_t **stride)
{
    bool strided = c->op->strided || c->op->map;
    for (int i = 0; i < c->n_in; i++) {
        from[i] = NULL;
        stride[i] = NULL;
        if (wg_is_none(c->in[i]))
            continue;
        const wg_node *node = wg_node_at(c->tape, c->in[i].node);
        from[i] = node->data;
        if (wg_node_is(node, WG_NODE_CONTIGUOUS) || !node->rank)
            continue;
        if (strided) {
            stride[i] = wg_node_stride(node);
            continue;
        }
        void *copy = wg_scratch(c, (size_t)wg_node_count(node) * wg_dtype_size((wg_dtype)node->dtype));
        if (!copy)
            return WG_ERROR_MEMORY;
        wg_gather_strided(&c->x[i], wg_node_stride(node), node->data, copy);
        from[i] = copy;
    }
    c->from = from;
    c->stride = stride;
    return WG_OK;
}

bool wg_call_is_empty(const wg_call *c)
{
    for (int i = 0; i < c->n_out; i++)
        if (wg_type_count(&c->y[i]))
            return false;
    for (int i = 0; i < c->n_in; i++)
        if (wg_given(c, i) && wg_type_count(&c->x[i]))
            return false;
    return true;
}

static wg_status run(wg_call *c, const void **from, const int64_t **stride)
{
    if (wg_call_is_empty(c))
        return WG_OK;
    wg_arena_mark arena = wg_arena_at(c->tape);
    wg_status status = operands_read(c, from, stride);
    if (!status)
        status = c->op->map ? wg_map_run(c) : c->op->run(c);
    wg_arena_back(c->tape, arena);
    return status;
}

static wg_status copied_in_order(const wg_call *c)
{
    const wg_node *x = wg_node_at(c->tape, c->in[0].node);
    wg_gather_strided(&c->x[0], wg_node_stride(x), x->data, c->to[0]);
    return WG_OK;
}

/* ---- Views ------------------------------------------------------------------------------------------------------- */
/* Appends a node that shares operand 0's buffer. WG_ERROR_UNSUPPORTED, and nothing done, where strides cannot say
 * it. */
static wg_status view_appended(wg_call *c, const void *options, const int64_t **strides)
{
    int64_t stride[WG_MAX_RANK] = {0}, offset = 0, count;
    size_t bytes;
    wg_node *x = wg_node_at(c->tape, c->in[0].node);
    strides[0] = wg_node_is(x, WG_NODE_CONTIGUOUS) ? NULL : wg_node_stride(x);
    c->stride = strides;
    if (!wg_type_fits(&c->y[0], &count, &bytes))
        return WG_ERROR_UNSUPPORTED; /* the copy reports it */
    wg_status status = c->op->view(c, stride, &offset);
    if (status)
        return status;
    wg_node *node = output_node(c, 0, options, NULL);
    if (!node || (node->rank && !(node->as.layout = wg_layout_new(c->tape, &c->y[0], stride))))
        return wg_fail(c, WG_ERROR_MEMORY, "no memory for %zu bytes", sizeof *node);
    node->data = (unsigned char *)x->data + offset * (int64_t)wg_dtype_size((wg_dtype)x->dtype);
    node->owner = x->owner;
    node->flags |= WG_NODE_VIEW;
    if (wg_strides_contiguous(&c->y[0], stride))
        node->flags |= WG_NODE_CONTIGUOUS;
    return WG_OK;
}

double wg_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- A call ------------------------------------------------------------------------------------------------------ */
static int outputs_of(const wg_call *c)
{
    int n = c->op->count ? c->op->count(c) : wg_op_outputs(c->op);
    for (int i = 0; i < WG_MAX_OUTPUTS && c->op->saved[i]; i++)
        n++;
    return n;
}

static wg_status recorded(wg_call *c, const void *options, void **to, const void **from, const int64_t **stride)
{
    if (c->op->view && c->n_in) {
        wg_status status = view_appended(c, options, stride);
        if (status != WG_ERROR_UNSUPPORTED)
            return status;
    }
    wg_status status = outputs_appended(c, options, to);
    if (status)
        return status;
    c->to = to;
    if (c->op->view)
        return copied_in_order(c);
    return run(c, from, stride);
}

/* Room for a call: on the stack of wg_record_on for few operands, in the arena for many. */
typedef struct {
    wg_tensor *in;
    wg_type *x, *y;
    const void **from;
    const int64_t **stride;
    void **to;
} call_room;

static bool room_for_outputs(wg_call *c, call_room *room)
{
    if (c->n_out <= WG_MAX_OUTPUTS)
        return true;
    room->y = wg_scratch(c, (size_t)c->n_out * sizeof *room->y);
    room->to = wg_scratch(c, (size_t)c->n_out * sizeof *room->to);
    return room->y && room->to;
}

static bool room_for_operands(wg_call *c, call_room *room)
{
    size_t n = (size_t)c->n_in;
    if (n <= NEAR_OPERANDS)
        return true;
    room->in = wg_scratch(c, n * sizeof *room->in);
    room->x = wg_scratch(c, n * sizeof *room->x);
    room->from = wg_scratch(c, n * sizeof *room->from);
    room->stride = wg_scratch(c, n * sizeof *room->stride);
    return room->in && room->x && room->from && room->stride;
}

/* Everything up to the result's type. */
static wg_status prepared(wg_call *c, call_room *room, const wg_tensor *in, const void *given, void *options)
{
    if (!room_for_operands(c, room))
        return WG_ERROR_MEMORY;
    if (c->n_in)
        memcpy(room->in, in, (size_t)c->n_in * sizeof *in);
    c->in = room->in;
    c->x = room->x;
    wg_status status = operands_present(c);
    if (!status)
        status = operands_typed(c, room->in, room->x);
    if (!status && options)
        status = wg_options_resolve(c, given, options);
    if (status)
        return status;
    c->options = options;
    c->n_out = outputs_of(c);
    if (c->n_out < 0)
        return c->tape->status ? c->tape->status : wg_fail(c, WG_ERROR_VALUE, "the options give no outputs");
    if (c->n_out > UINT8_MAX)
        return wg_fail(c, WG_ERROR_UNSUPPORTED, "%d outputs; there are at most %d", c->n_out, UINT8_MAX);
    if (!room_for_outputs(c, room))
        return WG_ERROR_MEMORY;
    for (int k = 0; k < c->n_out; k++)
        room->y[k] = (wg_type){.dtype = c->dtype};
    c->y = room->y;
    return c->op->type ? c->op->type(c) : wg_map_type(c);
}

static wg_status record_general(wg_call *c, const void *given, const wg_tensor *in, wg_tensor *out, int n_out)
{
    wg_tensor in_near[NEAR_OPERANDS];
    wg_type x_near[NEAR_OPERANDS], y_near[WG_MAX_OUTPUTS];
    const void *from_near[NEAR_OPERANDS];
    const int64_t *stride_near[NEAR_OPERANDS];
    void *to_near[WG_MAX_OUTPUTS];
    uint64_t options[96];
    call_room room = {in_near, x_near, y_near, from_near, stride_near, to_near};
    wg_short_mark before = wg_short_at(c->tape);
    void *resolved = c->op->options ? options : NULL;
    if (c->op->options && c->op->options->size > sizeof options)
        return wg_fail(c, WG_ERROR_UNSUPPORTED, "the options take %zu bytes; there are %zu", c->op->options->size,
                       sizeof options);
    wg_status status = prepared(c, &room, in, given, resolved);
    uint32_t base = c->tape->nodes;
    wg_observer *observer = c->tape->observer;
    double start = observer ? wg_seconds() : 0;
    if (!status)
        status = recorded(c, resolved, room.to, room.from, room.stride);
    if (observer && !status)
        observer->called(observer, base, wg_seconds() - start);
    if (status) {
        wg_short_back(c->tape, before);
        return status;
    }
    for (int k = 0; k < n_out && k < c->n_out; k++)
        out[k] = wg_node_tensor(c->tape, base + (uint32_t)k);
    return WG_OK;
}

/* An invalid operand is passed on in silence where the error that made it is still on this tape. */
static wg_status call_possible(const wg_call *c, const wg_tensor *in)
{
    if (c->n_in < 0 || c->n_in > UINT16_MAX)
        return wg_fail(c, WG_ERROR_SHAPE, "%d operands; there are at most %d", c->n_in, UINT16_MAX);
    for (int i = 0; i < c->n_in; i++)
        if (wg_is_invalid(in[i]))
            return c->tape->status ? WG_ERROR_VALUE
                                   : wg_fail(c, WG_ERROR_VALUE, "%s is what a failed call returned",
                                             operand_of(c->op, i)->name ? operand_of(c->op, i)->name : "an operand");
    return WG_OK;
}

wg_status (wg_record_on)(wg_tape *tape, const wg_op *op, const void *options, const wg_tensor *in, int n_in,
                        wg_tensor *out, int n_out)
{
    for (int k = 0; k < n_out; k++)
        out[k] = tape ? wg_invalid_on(tape) : WG_INVALID;
    if (!tape)
        return WG_ERROR_VALUE;
    uint32_t held = wg_hold_place(tape);
    wg_call c = {.tape = tape, .op = op, .n_in = n_in};
    wg_status status = call_possible(&c, in);
    if (!status)
        status = record_general(&c, options, in, out, n_out);
    wg_let_go_place(tape, held);
    return status;
}

/* ---- Scalars ----------------------------------------------------------------------------------------------------- */
/* A 0-d operand's node, a number made a tensor; NULL for anything else. Its index is written. */
static const wg_node *scalar_operand(wg_tape *tape, const wg_tensor *t, unsigned dtype, uint32_t *index)
{
    if (!t->tape && wg_is_number(*t)) {
        wg_tensor number = wg_constant_of(tape, (wg_dtype)dtype, wg_number_value(*t));
        *index = number.node;
        return wg_is_tensor(number) ? wg_node_at(tape, number.node) : NULL;
    }
    *index = t->node;
    if (t->tape != tape || t->node >= tape->nodes)
        return NULL;
    const wg_node *node = wg_node_at(tape, t->node);
    return node->epoch == t->epoch && !node->rank && node->dtype == dtype ? node : NULL;
}

/* An elementwise operation without options on one or two 0-d tensors of one float dtype: the index of its node.
 * WG_ABSENT: not that. Handles are read member by member, as they were just written. */
static uint32_t record_scalar(wg_tape *tape, const wg_op *op, const wg_tensor *in, int n_in)
{
    if (!op->map || op->options || op->type || n_in < 1 || n_in > 2 || !op->in[n_in - 1].name || op->in[n_in].name)
        return WG_ABSENT;
    const wg_tensor *known = in[0].tape ? &in[0] : &in[n_in - 1];
    if (known->node >= tape->nodes)
        return WG_ABSENT;
    unsigned dtype = wg_node_at(tape, known->node)->dtype;
    wg_kernel *kernel = dtype <= WG_FLOAT64 && !op->map->to_bool ? op->map->run[dtype] : NULL;
    if (!kernel)
        return WG_ABSENT;
    uint32_t at[2] = {WG_ABSENT, WG_ABSENT}, index = 0;
    const void *from[2];
    for (int i = 0; i < n_in; i++) {
        const wg_node *x = scalar_operand(tape, &in[i], dtype, &at[i]);
        if (!x)
            return WG_ABSENT;
        from[i] = x->data;
    }
    wg_node *node = wg_node_append(tape, &index);
    if (!node)
        return WG_ABSENT;
    *node = (wg_node){.op = op,
                      .data = node->as.scalar,
                      .of.in = {at[0], at[1]},
                      .epoch = tape->epoch,
                      .place = tape->rule_place,
                      .owner = index,
                      .scope = tape->rule_place ? tape->rule_scope : tape->scope_now,
                      .n_in = (uint16_t)n_in,
                      .derived = tape->deriving > 0,
                      .scalar = true,
                      .dtype = (uint8_t)dtype,
                      .n_out = 1,
                      .flags = (uint8_t)(WG_NODE_INLINE | WG_NODE_CONTIGUOUS |
                                         (tape->no_grad || !op->map->slope[0] ? WG_NODE_CUT : 0))};
    kernel(1, node->as.scalar, from, NULL);
    tape->nodes = index + 1;
    return index;
}

wg_tensor wg_record(const wg_op *op, const void *options, const wg_tensor *in, int n_in)
{
    wg_tape *tape = tape_of(in, n_in);
    uint32_t index = tape && !tape->observer ? record_scalar(tape, op, in, n_in) : WG_ABSENT;
    if (index != WG_ABSENT)
        return (wg_tensor){tape, index, tape->epoch};
    wg_tensor out = WG_INVALID;
    wg_record_on(tape, op, options, in, n_in, &out, 1);
    return out;
}

/* ---- Updates in place -------------------------------------------------------------------------------------------- */
static wg_status update_ready(const wg_call *c)
{
    for (int k = 0; k < c->n_out; k++) {
        if (k >= c->n_in || !wg_is_tensor(c->in[k]))
            return wg_fail(c, WG_ERROR_VALUE, "output %d has no operand to be written over", k);
        const wg_node *node = wg_node_at(c->tape, c->in[k].node);
        if (!wg_node_is(node, WG_NODE_LEAF) || wg_node_is(node, WG_NODE_NUMBER))
            return wg_fail(c, WG_ERROR_VALUE, "%s is not a leaf", wg_show(c, k));
        if (!wg_type_equal(&c->x[k], &c->y[k]))
            return wg_fail(c, WG_ERROR_SHAPE, "%s would change its type", wg_show(c, k));
    }
    return WG_OK;
}

wg_status wg_update(const wg_op *op, const void *given, const wg_tensor *in, int n_in)
{
    wg_tensor in_near[NEAR_OPERANDS];
    wg_type x_near[NEAR_OPERANDS], y_near[WG_MAX_OUTPUTS];
    const void *from_near[NEAR_OPERANDS];
    const int64_t *stride_near[NEAR_OPERANDS];
    void *to_near[WG_MAX_OUTPUTS];
    uint64_t options[96];
    call_room room = {in_near, x_near, y_near, from_near, stride_near, to_near};
    wg_tape *tape = tape_of(in, n_in);
    if (!tape)
        return WG_ERROR_VALUE;
    wg_call c = {.tape = tape, .op = op, .n_in = n_in};
    if (call_possible(&c, in))
        return WG_ERROR_VALUE;
    if (!op->in_place || n_in > NEAR_OPERANDS || (op->options && op->options->size > sizeof options))
        return wg_fail(&c, WG_ERROR_UNSUPPORTED, "it cannot work in place");
    wg_status status = prepared(&c, &room, in, given, op->options ? options : NULL);
    if (!status)
        status = update_ready(&c);
    if (!status) {
        for (int k = 0; k < c.n_out; k++)
            room.to[k] = wg_node_at(tape, c.in[k].node)->data;
        c.to = room.to;
        status = run(&c, room.from, room.stride);
        for (int k = 0; k < c.n_out; k++)
            wg_touch(tape, wg_node_at(tape, c.in[k].node));
    }
    return status;
}

/* ---- The call of a node, for its rules --------------------------------------------------------------------------- */
/* What wg_call_again lays out in one piece of the arena. */
static size_t again_bytes(size_t n)
{
    return sizeof(wg_call) + n * (sizeof(wg_type) + sizeof(wg_tensor) + 2 * sizeof(void *));
}

static void again_node(wg_tape *tape, uint32_t index, wg_tensor *t, wg_type *type, const void **from,
                       const int64_t **stride)
{
    *t = WG_NONE;
    *type = (wg_type){0};
    *from = NULL;
    *stride = NULL;
    if (index == WG_ABSENT)
        return;
    const wg_node *node = wg_node_at(tape, index);
    *t = wg_node_tensor(tape, index);
    *type = wg_node_type(node);
    *from = node->data;
    *stride = wg_node_is(node, WG_NODE_CONTIGUOUS) ? NULL : wg_node_stride(node);
}

wg_call *wg_call_again(wg_tape *tape, uint32_t index)
{
    index -= wg_node_at(tape, index)->out;
    const wg_node *node = wg_node_at(tape, index);
    size_t n_in = node->n_in, n = n_in + node->n_out;
    wg_call *c = wg_arena(tape, again_bytes(n));
    if (!c)
        return NULL;
    wg_type *type = (wg_type *)(c + 1);
    wg_tensor *t = (wg_tensor *)(type + n);
    const void **from = (const void **)(t + n);
    const int64_t **stride = (const int64_t **)(from + n);
    const uint32_t *at = wg_node_in(node);
    for (size_t i = 0; i < n; i++)
        again_node(tape, i < n_in ? at[i] : index + (uint32_t)(i - n_in), &t[i], &type[i], &from[i], &stride[i]);
    *c = (wg_call){.tape = tape,
                   .op = node->op,
                   .options = wg_node_options(node),
                   .n_in = (int)n_in,
                   .n_out = node->n_out,
                   .in = t,
                   .x = type,
                   .stride = stride,
                   .from = from,
                   .y = type + n_in,
                   .out = t + n_in};
    c->to = (void *const *)(uintptr_t)(from + n_in);
    c->dtype = shared_dtype(c);
    return c;
}
