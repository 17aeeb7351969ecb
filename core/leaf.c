/* Leaves: tensors that come from outside, and the looks at values. A leaf owns its memory in the arena, except one that
 * borrows the caller's; a parameter is a leaf with a second one beside it that holds its gradient. */
#include "tape.h"

const wg_op wg_leaf_op = {.name = "leaf", .doc = "a tensor from outside", .hidden = true};

wg_node *wg_node_of(wg_tensor t, const char *name)
{
    if (!wg_is_tensor(t)) {
        if (t.tape && !t.tape->status) /* else it passes on an error that is there */
            wg_report(t.tape, name, WG_ERROR_VALUE, "the tensor is what a failed call returned");
        return NULL;
    }
    if (t.node < t.tape->nodes) {
        wg_node *node = wg_node_at(t.tape, t.node);
        if (node->epoch == t.epoch)
            return node;
    }
    wg_report(t.tape, name, WG_ERROR_STALE, "the tensor was released by a rewind: record it again, or rewind later");
    return NULL;
}

/* ---- Making leaves --------------------------------------------------------------------------------------------- */
/* A leaf not counted yet, 0-d and without data. NULL, and nothing reported, when there is no memory. */
static wg_node *leaf_append(wg_tape *tape, wg_dtype dtype, unsigned flags, uint32_t *index)
{
    wg_node *node = wg_node_append(tape, index);
    if (node)
        *node = (wg_node){.op = &wg_leaf_op, .epoch = tape->epoch, .owner = *index, .n_out = 1, .dtype = (uint8_t)dtype,
                          .flags = (uint8_t)(flags | WG_NODE_LEAF | WG_NODE_CONTIGUOUS),
                          .place = tape->rule_place ? tape->rule_place : tape->here,
                          .scope = tape->rule_place ? tape->rule_scope : tape->scope_now};
    return node;
}

wg_tensor wg_leaf_0d(wg_tape *tape, wg_dtype dtype, unsigned flags, const char *name)
{
    uint32_t index = 0;
    wg_node *node = leaf_append(tape, dtype, flags | WG_NODE_INLINE, &index);
    if (!node) {
        wg_no_memory(tape, name, wg_dtype_size(dtype));
        return wg_invalid_on(tape);
    }
    node->data = node->as.scalar;
    tape->nodes = index + 1;
    return wg_node_tensor(tape, index);
}

static bool leaf_formed(wg_tape *tape, wg_node *node, const wg_type *type, void *data, size_t bytes)
{
    node->rank = (uint8_t)type->rank;
    if (type->rank && !(node->as.layout = wg_layout_new(tape, type, NULL)))
        return false;
    node->data = data ? data : wg_arena_values(tape, bytes);
    if (node->data && !data)
        memset(node->data, 0, bytes);
    return node->data != NULL;
}

wg_tensor wg_leaf(wg_tape *tape, const wg_type *type, void *data, unsigned flags, const char *name)
{
    int64_t count;
    size_t bytes;
    if (!tape)
        return WG_INVALID;
    if (!wg_type_fits(type, &count, &bytes)) {
        wg_shape shape = wg_type_shape(type);
        char text[200];
        if (!wg_dtype_size(type->dtype))
            wg_report(tape, name, WG_ERROR_DTYPE, "there is no dtype %d", (int)type->dtype);
        else if (shape.rank < 0 || shape.rank > WG_MAX_RANK)
            wg_report(tape, name, WG_ERROR_SHAPE, "%d dimensions; there are at most %d", shape.rank, WG_MAX_RANK);
        else
            wg_report(tape, name, WG_ERROR_SHAPE, "no array has the shape %s",
                      wg_shape_text(&shape, text, sizeof text));
        return wg_invalid_on(tape);
    }
    if (!type->rank && !data)
        return wg_leaf_0d(tape, type->dtype, flags, name);
    wg_arena_mark arena = wg_arena_at(tape);
    uint32_t index = 0, chunks = tape->chunks;
    wg_node *node = leaf_append(tape, type->dtype, flags, &index);
    if (!node || !leaf_formed(tape, node, type, data, bytes)) {
        wg_arena_back(tape, arena);
        tape->chunks = chunks;
        wg_no_memory(tape, name, bytes);
        return wg_invalid_on(tape);
    }
    tape->nodes = index + 1;
    return wg_node_tensor(tape, index);
}

wg_tensor wg_constant_of(wg_tape *tape, wg_dtype dtype, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    wg_constant *known =
        &tape->constant[((bits * UINT64_C(0x9e3779b97f4a7c15)) >> 58 ^ (uint64_t)dtype) % WG_CONSTANTS];
    if (known->epoch && known->bits == bits && known->dtype == dtype && known->node < tape->nodes) {
        const wg_node *node = wg_node_at(tape, known->node);
        if (node->epoch == known->epoch && wg_node_is(node, WG_NODE_NUMBER) && node->of.serial == known->serial)
            return wg_node_tensor(tape, known->node);
    }
    wg_type type = {.dtype = dtype};
    wg_tensor t = wg_leaf(tape, &type, NULL, WG_NODE_NUMBER, "wg_number");
    if (wg_is_invalid(t))
        return t;
    wg_node *node = wg_node_at(tape, t.node);
    wg_store_number(dtype, value, node->data);
    node->of.serial = ++tape->serial;
    *known = (wg_constant){.bits = bits, .node = t.node, .epoch = t.epoch, .dtype = dtype, .serial = node->of.serial};
    return t;
}

/* A public function's result: its place is told. */
static wg_tensor made(wg_tensor t)
{
    if (t.tape)
        wg_forget_place(t.tape);
    return t;
}

wg_tensor (wg_array)(wg_tape *tape, wg_dtype dtype, wg_shape shape, const void *data)
{
    wg_type type = wg_type_make(dtype, shape);
    wg_tensor t = wg_leaf(tape, &type, NULL, 0, "wg_array");
    if (data && wg_is_tensor(t)) {
        const wg_node *node = wg_node_at(tape, t.node);
        memcpy(node->data, data, (size_t)wg_node_count(node) * wg_dtype_size(dtype));
    }
    return made(t);
}

wg_tensor (wg_borrow)(wg_tape *tape, wg_dtype dtype, wg_shape shape, void *data)
{
    if (tape && !data) {
        wg_report(tape, "wg_borrow", WG_ERROR_VALUE, "the data are NULL");
        return wg_invalid_on(tape);
    }
    wg_type type = wg_type_make(dtype, shape);
    return made(wg_leaf(tape, &type, data, 0, "wg_borrow"));
}

static void fill(wg_node *node, double value)
{
    unsigned char one[8];
    size_t size = wg_dtype_size((wg_dtype)node->dtype);
    wg_store_number((wg_dtype)node->dtype, value, one);
    int64_t n = wg_node_count(node);
    for (int64_t i = 0; i < n; i++)
        memcpy((unsigned char *)node->data + (size_t)i * size, one, size);
}

wg_tensor (wg_full)(wg_tape *tape, wg_dtype dtype, wg_shape shape, double value)
{
    wg_type type = wg_type_make(dtype, shape);
    wg_tensor t = wg_leaf(tape, &type, NULL, 0, "wg_full");
    if (wg_is_tensor(t) && value != 0)
        fill(wg_node_at(tape, t.node), value);
    return made(t);
}

wg_tensor (wg_scalar)(wg_tape *tape, double value)
{
    wg_type type = {.dtype = WG_FLOAT64};
    wg_tensor t = wg_leaf(tape, &type, NULL, 0, "wg_scalar");
    if (wg_is_tensor(t))
        memcpy(wg_node_at(tape, t.node)->data, &value, sizeof value);
    return made(t);
}

/* ---- Parameters ------------------------------------------------------------------------------------------------ */
static bool param_values(wg_tape *tape, const wg_type *type, wg_node *node, const wg_param_options *o, const char *name)
{
    if (o->data) {
        memcpy(node->data, o->data, (size_t)wg_node_count(node) * wg_dtype_size(type->dtype));
        return true;
    }
    return wg_initialise(tape, type, node->data, o->init, o->gain, name) == WG_OK;
}

/* The leaf, and behind it the one for its gradient. */
static wg_tensor param_leaves(wg_tape *tape, const char *name, const wg_type *type, const wg_param_options *o)
{
    wg_tensor t = wg_leaf(tape, type, NULL, o->frozen ? WG_NODE_PARAM | WG_NODE_FROZEN : WG_NODE_PARAM, "wg_param");
    wg_tensor grad = o->frozen || !wg_is_tensor(t) ? t : wg_leaf(tape, type, NULL, WG_NODE_CUT, "wg_param");
    if (!wg_is_tensor(grad) || !*wg_name_of(wg_name(t, name)))
        return wg_invalid_on(tape);
    if (!wg_node_extra(tape, grad.node)) { /* which says when it was written: from the start, as every step writes it */
        wg_no_memory(tape, "wg_param", sizeof(wg_extra));
        return wg_invalid_on(tape);
    }
    wg_node *node = wg_node_at(tape, t.node);
    node->extra->grad = o->frozen ? WG_ABSENT : grad.node;
    return param_values(tape, type, node, o, name) ? t : wg_invalid_on(tape);
}

wg_tensor (wg_param)(wg_tape *tape, const char *name, wg_shape shape, wg_param_options options)
{
    if (!tape)
        return WG_INVALID;
    if (!name || !*name) {
        wg_report(tape, "wg_param", WG_ERROR_VALUE, "a parameter needs a name");
        return wg_invalid_on(tape);
    }
    if (!wg_is_float(options.dtype)) {
        wg_report(tape, "wg_param", WG_ERROR_DTYPE, "%s is to be %s; a parameter is float32 or float64", name,
                  wg_dtype_name(options.dtype));
        return wg_invalid_on(tape);
    }
    wg_short_mark before = wg_short_at(tape);
    wg_type type = wg_type_make(options.dtype, shape);
    uint32_t held = wg_hold_place(tape);
    wg_tensor t = param_leaves(tape, name, &type, &options);
    wg_let_go_place(tape, held);
    if (!wg_is_tensor(t))
        wg_short_back(tape, before);
    return t;
}

bool wg_is_param(wg_tensor t)
{
    const wg_node *node = wg_is_tensor(t) && t.node < t.tape->nodes ? wg_node_at(t.tape, t.node) : NULL;
    return node && node->epoch == t.epoch && wg_node_is(node, WG_NODE_PARAM);
}

/* The parameter's node; NULL, and an error, for another tensor or a frozen one. */
static wg_node *param_of(wg_tensor param, const char *name)
{
    wg_node *node = wg_node_of(param, name);
    if (!node)
        return NULL;
    if (wg_node_is(node, WG_NODE_PARAM) && node->extra->grad != WG_ABSENT)
        return node;
    wg_report(param.tape, name, WG_ERROR_VALUE, "%s is %s: it has no gradient",
              node->extra && node->extra->name ? node->extra->name : "the tensor",
              wg_node_is(node, WG_NODE_PARAM) ? "frozen" : "not a parameter");
    return NULL;
}

static void gradient_clear(wg_tape *tape, const wg_node *param)
{
    wg_node *grad = wg_node_at(tape, param->extra->grad);
    memset(grad->data, 0, (size_t)wg_node_count(grad) * wg_dtype_size((wg_dtype)grad->dtype));
}

wg_tensor (wg_grad_of)(wg_tensor param)
{
    const wg_node *node = param_of(param, "wg_grad_of");
    if (!node)
        return param.tape ? wg_invalid_on(param.tape) : WG_INVALID;
    wg_forget_place(param.tape);
    if (!node->extra->has_grad) /* what was taken is still there, until the next backward pass writes over it */
        gradient_clear(param.tape, node);
    return wg_node_tensor(param.tape, node->extra->grad);
}

bool wg_has_grad(wg_tensor param)
{
    return wg_is_param(param) && wg_node_at(param.tape, param.node)->extra->has_grad;
}

void (wg_zero_grad)(wg_tensor param)
{
    const wg_node *node = param_of(param, "wg_zero_grad");
    if (!node)
        return;
    gradient_clear(param.tape, node);
    node->extra->has_grad = false;
    wg_touch(param.tape, wg_node_at(param.tape, node->extra->grad));
    wg_forget_place(param.tape);
}

/* ---- Changing values ------------------------------------------------------------------------------------------- */
void wg_touch(wg_tape *tape, wg_node *node)
{
    wg_extra *extra = wg_node_extra(tape, node->owner);
    if (!extra)
        return;
    extra->written = tape->written = tape->nodes;
    extra->written_epoch = tape->written_epoch = tape->epoch;
}

static bool changed_since(const wg_tape *tape, const wg_node *node, uint32_t index, uint32_t operand)
{
    const wg_extra *extra = wg_node_at(tape, wg_node_at(tape, operand)->owner)->extra;
    if (!extra || !extra->written_epoch)
        return false;
    return node->epoch < extra->written_epoch || (node->epoch == extra->written_epoch && index < extra->written);
}

bool wg_word_in(const char *list, const char *name)
{
    size_t n = name ? strlen(name) : 0;
    for (const char *at = list; n && at && (at = strstr(at, name)); at += n)
        if ((at == list || at[-1] == ' ') && (!at[n] || at[n] == ' '))
            return true;
    return false;
}

const char *wg_operand_name(const wg_op *op, int i)
{
    for (int k = 0; k < WG_MAX_OPERANDS && op->in[k].name; k++)
        if (k == i || op->in[k].flags & WG_VARIADIC)
            return op->in[k].name;
    return NULL;
}

bool wg_saved_overwritten(const wg_tape *tape, const wg_node *node, uint32_t index, const char **which)
{
    const wg_op *op = node->op;
    bool all = op->map && !op->saves;
    const uint32_t *in = wg_node_in(node);
    for (int i = 0; i < node->n_in; i++) {
        const char *name = wg_operand_name(op, i);
        if (in[i] == WG_ABSENT || !changed_since(tape, node, index, in[i]))
            continue;
        *which = name ? name : "an operand";
        if (all || wg_word_in(op->saves, name))
            return true;
    }
    *which = "the result";
    uint32_t first = index - node->out;
    for (int k = 0; k < node->n_out && k < WG_MAX_OUTPUTS; k++) {
        const char *name = op->out[k] ? op->out[k] : k ? NULL : "y";
        if ((all || wg_word_in(op->saves, name)) && changed_since(tape, node, index, first + (uint32_t)k))
            return true;
    }
    return false;
}

wg_status (wg_assign)(wg_tensor t, wg_tensor x)
{
    wg_tape *tape = t.tape ? t.tape : x.tape;
    wg_node *to = wg_node_of(t, "wg_assign");
    const wg_node *from = to ? wg_node_of(x, "wg_assign") : NULL;
    if (!to || !from)
        return tape && !tape->status ? wg_report(tape, "wg_assign", WG_ERROR_VALUE, "there is no tensor")
                                     : WG_ERROR_VALUE;
    wg_type a = wg_node_type(to), b = wg_node_type(from);
    if (!wg_type_equal(&a, &b)) {
        wg_shape shape[2] = {wg_type_shape(&a), wg_type_shape(&b)};
        char text[2][200];
        return wg_report(tape, "wg_assign", a.dtype == b.dtype ? WG_ERROR_SHAPE : WG_ERROR_DTYPE,
                         "%s %s cannot take %s %s", wg_dtype_name(a.dtype),
                         wg_shape_text(&shape[0], text[0], sizeof text[0]), wg_dtype_name(b.dtype),
                         wg_shape_text(&shape[1], text[1], sizeof text[1]));
    }
    wg_arena_mark arena = wg_arena_at(tape);
    size_t bytes = (size_t)wg_node_count(from) * wg_dtype_size(a.dtype);
    void *values = wg_arena(tape, bytes); /* a copy between, as the two may overlap */
    if (!values)
        return wg_no_memory(tape, "wg_assign", bytes);
    wg_gather_strided(&b, wg_node_stride(from), from->data, values);
    wg_scatter_strided(&a, wg_node_stride(to), values, to->data);
    wg_arena_back(tape, arena);
    wg_touch(tape, to);
    wg_forget_place(tape);
    return WG_OK;
}

/* ---- Looking at values ----------------------------------------------------------------------------------------- */
/* The node looked at; the call has nothing else to report. */
static const wg_node *node_seen(wg_tensor t, const char *name)
{
    const wg_node *node = wg_node_of(t, name);
    if (node)
        wg_forget_place(t.tape);
    return node;
}

wg_type (wg_type_of)(wg_tensor t)
{
    const wg_node *node = node_seen(t, "wg_type_of");
    return node ? wg_node_type(node) : (wg_type){0};
}

wg_shape (wg_shape_of)(wg_tensor t)
{
    const wg_node *node = node_seen(t, "wg_shape_of");
    wg_type type = node ? wg_node_type(node) : (wg_type){0};
    return wg_type_shape(&type);
}

int64_t (wg_size)(wg_tensor t)
{
    const wg_node *node = node_seen(t, "wg_size");
    return node ? wg_node_count(node) : 0;
}

double (wg_element)(wg_tensor t, int64_t i)
{
    const wg_node *node = wg_node_of(t, "wg_element");
    if (!node)
        return (double)NAN;
    if (i < 0 || i >= wg_node_count(node)) {
        wg_report(t.tape, "wg_element", WG_ERROR_INDEX, "there is no element %lld of %lld", (long long)i,
                  (long long)wg_node_count(node));
        return (double)NAN;
    }
    wg_read_by_caller(t.tape, "wg_element", t.node);
    wg_forget_place(t.tape);
    unsigned char one[8];
    wg_type type = wg_node_type(node);
    wg_gather_range(&type, wg_node_stride(node), node->data, i, 1, one);
    return wg_load_number(type.dtype, one);
}

double (wg_item)(wg_tensor t)
{
    const wg_node *node = wg_node_of(t, "wg_item");
    if (!node)
        return (double)NAN;
    if (wg_node_count(node) != 1) {
        wg_type type = wg_node_type(node);
        wg_shape shape = wg_type_shape(&type);
        char text[200];
        wg_report(t.tape, "wg_item", WG_ERROR_SHAPE, "%s has %lld elements, not one",
                  wg_shape_text(&shape, text, sizeof text), (long long)wg_node_count(node));
        return (double)NAN;
    }
    wg_read_by_caller(t.tape, "wg_item", t.node);
    wg_forget_place(t.tape);
    return wg_load_number((wg_dtype)node->dtype, node->data);
}

wg_status (wg_copy_out)(wg_tensor t, void *to)
{
    const wg_node *node = wg_node_of(t, "wg_copy_out");
    if (!node)
        return WG_ERROR_VALUE;
    if (!to)
        return wg_report(t.tape, "wg_copy_out", WG_ERROR_VALUE, "the memory to copy to is NULL");
    wg_read_by_caller(t.tape, "wg_copy_out", t.node);
    wg_type type = wg_node_type(node);
    wg_gather_strided(&type, wg_node_stride(node), node->data, to);
    wg_forget_place(t.tape);
    return WG_OK;
}

const void *(wg_values)(wg_tensor t)
{
    const wg_node *node = wg_node_of(t, "wg_values");
    if (!node)
        return NULL;
    if (!wg_node_is(node, WG_NODE_CONTIGUOUS)) {
        wg_report(t.tape, "wg_values", WG_ERROR_UNSUPPORTED, "the elements of this view do not lie side by side");
        return NULL;
    }
    if (!wg_node_is(node, WG_NODE_LEAF)) /* whose memory may be asked for to be filled */
        wg_read_by_caller(t.tape, "wg_values", t.node);
    wg_forget_place(t.tape);
    return node->data;
}

/* ---- Printing -------------------------------------------------------------------------------------------------- */
#define PRINT_MOST 6 /* elements shown of an axis; of a longer one the first and last three */

static void print_element(wg_tensor t, int64_t i, FILE *file)
{
    double value = (wg_element)(t, i);
    wg_dtype dtype = wg_type_of(t).dtype;
    if (dtype == WG_BOOL)
        fprintf(file, "%s", value != 0 ? "true" : "false");
    else
        fprintf(file, wg_is_float(dtype) ? "%10.4g" : "%g", value);
}

/* Rows of axis `axis` from element `first` on; nesting is at most WG_MAX_RANK deep. */
static void print_axis(wg_tensor t, const wg_type *type, int axis, int64_t first, FILE *file)
{
    if (axis == type->rank) {
        print_element(t, first, file);
        return;
    }
    int64_t step = 1, n = type->dim[axis];
    for (int i = axis + 1; i < type->rank; i++)
        step *= type->dim[i];
    const bool inner = axis == type->rank - 1;
    fputc('[', file);
    for (int64_t i = 0; i < n; i++) {
        if (i)
            fprintf(file, inner ? ", " : ",\n%*s", inner ? 0 : axis + 1, "");
        if (n > PRINT_MOST && i == PRINT_MOST / 2) {
            fputs(inner ? "..., " : "...,\n", file);
            if (!inner)
                fprintf(file, "%*s", axis + 1, "");
            i = n - PRINT_MOST / 2;
        }
        print_axis(t, type, axis + 1, first + i * step, file);
    }
    fputc(']', file);
}

void wg_print(wg_tensor t, FILE *file)
{
    if (!file)
        return;
    const wg_node *node = wg_node_of(t, "wg_print");
    if (!node) {
        fputs(wg_is_none(t) ? "none\n" : wg_is_number(t) ? "number\n" : "invalid tensor\n", file);
        return;
    }
    wg_type type = wg_node_type(node);
    wg_shape shape = wg_type_shape(&type);
    char text[200], place[256];
    fprintf(file, "%s %s %s", *wg_name_of(t) ? wg_name_of(t) : node->op->name, wg_dtype_name(type.dtype),
            wg_shape_text(&shape, text, sizeof text));
    wg_place_text(t.tape, node->place, place, sizeof place);
    fprintf(file, *place ? " (%s)\n" : "\n", place);
    print_axis(t, &type, 0, 0, file);
    fputc('\n', file);
}
