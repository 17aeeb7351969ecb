/* Running a compiled function: its pointers are bound to what the caller hands over, then its instructions are done one
 * after another. */
#include "graph/plan.h"
#include "graph/traverse.h"

#include <math.h>

#define BLOCK ((size_t)64 << 10)

/* ---- Memory ------------------------------------------------------------------------------------------------------ */
void *wg_hold_take(wg_function *f, size_t bytes)
{
    const size_t header = wg_in_lines(sizeof(wg_hold));
    bool fits = bytes <= SIZE_MAX / 2;
    size_t need = fits ? wg_in_lines(bytes ? bytes : 1) : 0;
    wg_hold *hold = f->hold;
    if (fits && (!hold || hold->bytes - hold->used < need)) {
        size_t room = need > BLOCK / 4 ? need : BLOCK;
        hold = wg_tape_allocate(f->tape, header + room + WG_ALIGN);
        if (hold) {
            size_t skew = (size_t)(-(uintptr_t)hold & (WG_ALIGN - 1));
            *hold = (wg_hold){f->hold, room + WG_ALIGN, skew};
            f->hold = hold;
            f->bytes += header + room + WG_ALIGN;
        }
    }
    if (!fits || !hold) {
        wg_no_memory(f->tape, "wg_compile", bytes);
        return NULL;
    }
    unsigned char *memory = (unsigned char *)hold + header + hold->used;
    hold->used += need;
    return memory;
}

void wg_function_drop(wg_function *f)
{
    for (wg_hold *hold = f->hold, *next; hold; hold = next) {
        next = hold->next;
        wg_tape_release(f->tape, hold, wg_in_lines(sizeof *hold) + hold->bytes);
    }
}

static void function_free(void *object)
{
    wg_function *f = object;
    if (f->release)
        f->release(f);
    wg_function_drop(f);
    wg_tape_release(f->tape, f, sizeof *f);
}

void wg_function_free(wg_function *f)
{
    if (!f)
        return;
    wg_tape *tape = f->tape;
    wg_owned **at = &tape->owned;
    while (*at && (*at)->object != f)
        at = &(*at)->next;
    if (!*at) /* not one of this tape's, or freed already */
        return;
    wg_owned *owned = *at;
    *at = owned->next;
    wg_tape_release(tape, owned, sizeof *owned);
    function_free(f);
}

/* ---- Making one -------------------------------------------------------------------------------------------------- */
/* Gives slot i its type. Of very many slots most are 0-d: one after another of the same type shares it. */
static wg_status slot_typed(wg_function *f, int i, const wg_type *type)
{
    if (i && wg_type_equal(f->slot[i - 1].type, type)) {
        f->slot[i].type = f->slot[i - 1].type;
        return WG_OK;
    }
    wg_type *kept = wg_hold_take(f, sizeof *kept);
    if (kept)
        *kept = *type;
    f->slot[i].type = kept;
    return kept ? WG_OK : WG_ERROR_MEMORY;
}

static wg_status slot_checked(wg_function *f, wg_tensor t, const char *what, int i, int slot)
{
    const wg_node *node = wg_is_tensor(t) && t.tape != f->tape ? NULL : wg_node_of(t, "wg_compile");
    if (!node)
        return f->tape->status
                   ? f->tape->status
                   : wg_report(f->tape, "wg_compile", WG_ERROR_VALUE, "%s %d is not a tensor of this tape", what, i);
    wg_type type = wg_node_type(node);
    return slot_typed(f, slot, &type);
}

static wg_status slots_made(wg_function *f, wg_tensors inputs, wg_tensors outputs)
{
    wg_status status = WG_OK;
    for (int i = 0; i < inputs.n && !status; i++) {
        status = slot_checked(f, inputs.at[i], "input", i, i);
        if (!status && !wg_node_is(wg_node_at(f->tape, inputs.at[i].node), WG_NODE_CONTIGUOUS))
            status = wg_report(f->tape, "wg_compile", WG_ERROR_VALUE,
                               "input %d is a view whose elements are not in order", i);
    }
    for (int k = 0; k < outputs.n && !status; k++)
        status = slot_checked(f, outputs.at[k], "output", k, inputs.n + k);
    return status;
}

/* Where outputs go that are not asked for: arrays in cache lines of their own, single numbers side by side. */
static size_t own_bytes(const wg_slot *slot)
{
    size_t bytes = wg_type_bytes(slot->type);
    return slot->type->rank ? wg_in_lines(bytes) : sizeof(double);
}

static wg_status outputs_owned(wg_function *f)
{
    wg_slot *slot = f->slot + f->n_in;
    size_t scalars = 0;
    for (int k = 0; k < f->n_out; k++)
        scalars += slot[k].type->rank ? 0 : own_bytes(&slot[k]);
    unsigned char *at = wg_hold_take(f, scalars);
    for (int k = 0; k < f->n_out && at; k++) {
        slot[k].own = slot[k].type->rank ? wg_hold_take(f, own_bytes(&slot[k])) : at;
        if (!slot[k].own)
            return WG_ERROR_MEMORY;
        at += slot[k].type->rank ? 0 : own_bytes(&slot[k]);
        slot[k].bound = slot[k].own;
    }
    return at ? WG_OK : WG_ERROR_MEMORY;
}

wg_status wg_gradients_recorded(wg_function *f, wg_tensors outputs, wg_gradients *g)
{
    wg_tape *tape = f->tape;
    if (outputs.n != 1)
        return wg_report(tape, "wg_compile", WG_ERROR_VALUE, "backward is asked of %d outputs; it takes one",
                         outputs.n);
    wg_tensor loss = outputs.at[0], one = WG_NONE;
    wg_type type = wg_type_of(loss);
    if (!wg_is_float(type.dtype) || wg_type_count(&type) != 1)
        return wg_report(tape, "wg_compile", WG_ERROR_SHAPE, "backward is asked of what is not a single float");
    one = (wg_full)(tape, type.dtype, wg_type_shape(&type), 1);
    g->param = wg_arena(tape, 2 * ((size_t)loss.node + 1) * sizeof *g->param);
    bool *reached = g->param ? wg_arena(tape, (size_t)loss.node + 1) : NULL;
    if (!reached || !wg_is_tensor(one))
        return wg_no_memory(tape, "wg_compile", loss.node);
    g->grad = g->param + loss.node + 1;
    wg_pullback p = {.ys = &loss, .cotangents = &one, .n_ys = 1, .xs = g->param, .result = g->grad, .reached = reached,
                     .last = true};
    for (uint32_t i = 0; i <= loss.node; i++)
        if (wg_node_is(wg_node_at(tape, i), WG_NODE_PARAM) && !wg_node_is(wg_node_at(tape, i), WG_NODE_FROZEN))
            g->param[p.n_xs++] = wg_node_tensor(tape, i);
    wg_status status = wg_pull_recorded(tape, "wg_compile", &p);
    for (int i = 0; i < p.n_xs && !status; i++)
        if (reached[i]) {
            g->param[g->n] = g->param[i];
            g->grad[g->n++] = g->grad[i];
        }
    return status;
}

static wg_status made(wg_function *f, wg_tensors inputs, wg_tensors outputs, wg_plan *p, const wg_tensor **results)
{
    wg_gradients g = {0};
    wg_status status = slots_made(f, inputs, outputs);
    if (!status)
        status = outputs_owned(f);
    if (!status && f->backward)
        status = wg_gradients_recorded(f, outputs, &g);
    if (status)
        return status;
    size_t n = (size_t)outputs.n + (size_t)g.n;
    wg_tensor *all = wg_arena(f->tape, (n ? n : 1) * sizeof *all);
    wg_slot *slot = wg_hold_take(f, ((size_t)inputs.n + n) * sizeof *slot);
    if (!all || !slot)
        return all ? WG_ERROR_MEMORY : wg_no_memory(f->tape, "wg_compile", n * sizeof *all);
    memcpy(slot, f->slot, ((size_t)inputs.n + (size_t)outputs.n) * sizeof *slot);
    f->slot = slot;
    f->n_grad = g.n;
    f->grad_of = wg_hold_take(f, (size_t)g.n * sizeof *f->grad_of);
    f->made_from = wg_hold_take(f, ((size_t)inputs.n + (size_t)outputs.n) * sizeof *f->made_from);
    if (!f->grad_of || !f->made_from)
        return WG_ERROR_MEMORY;
    for (int i = 0; i < inputs.n; i++)
        f->made_from[i] = (wg_kept_handle){inputs.at[i].node, inputs.at[i].epoch};
    for (int k = 0; k < outputs.n; k++)
        f->made_from[inputs.n + k] = (wg_kept_handle){outputs.at[k].node, outputs.at[k].epoch};
    for (int k = 0; k < outputs.n; k++)
        all[k] = outputs.at[k];
    for (int i = 0; i < g.n; i++) {
        all[outputs.n + i] = g.grad[i];
        f->grad_of[i] = g.param[i];
        wg_type type = wg_type_of(g.param[i]);
        slot[inputs.n + outputs.n + i] = (wg_slot){0};
        if (slot_typed(f, inputs.n + outputs.n + i, &type))
            return WG_ERROR_MEMORY;
    }
    *results = all;
    return wg_plan_make(p, inputs.at, all);
}

/* Of f, which holds nothing yet, within an aside. */
static wg_status begun(wg_function *f, wg_tensors inputs, wg_tensors outputs, wg_plan *p, const wg_tensor **results)
{
    size_t bytes = ((size_t)inputs.n + (size_t)outputs.n) * sizeof *f->slot;
    *p = (wg_plan){.f = f, .tape = f->tape};
    f->slot = wg_arena(f->tape, bytes);
    if (!f->slot)
        return wg_no_memory(f->tape, "wg_compile", bytes);
    memset(f->slot, 0, bytes);
    return made(f, inputs, outputs, p, results);
}

wg_tensor *wg_made_from(const wg_function *f, const char *name)
{
    int n = f->n_in + f->n_out;
    wg_tensor *list = wg_arena(f->tape, (size_t)n * sizeof *list);
    if (!list)
        wg_no_memory(f->tape, name, (size_t)n * sizeof *list);
    for (int i = 0; i < n && list; i++) {
        list[i] = (wg_tensor){f->tape, f->made_from[i].node, f->made_from[i].epoch};
        if (!wg_node_of(list[i], name))
            return NULL;
    }
    return list;
}

wg_status wg_function_again(const wg_function *f, const char *name, wg_function *again, wg_plan *p,
                            const wg_tensor **results)
{
    *again = (wg_function){.tape = f->tape, .n_in = f->n_in, .n_out = f->n_out, .backward = f->backward, .reads = true,
                           .recorded = f->recorded};
    const wg_tensor *list = wg_made_from(f, name);
    return list ? begun(again, (wg_tensors){list, f->n_in}, (wg_tensors){list + f->n_in, f->n_out}, p, results)
                : f->tape->status;
}

wg_function *(wg_compile)(wg_tape *tape, wg_tensors inputs, wg_tensors outputs, wg_compile_options options)
{
    if (!tape || tape->status)
        return NULL;
    if (inputs.n < 0 || outputs.n < 1 || (inputs.n && !inputs.at) || !outputs.at) {
        wg_report(tape, "wg_compile", WG_ERROR_VALUE, "%d inputs and %d outputs", inputs.n, outputs.n);
        return NULL;
    }
    uint32_t held = wg_hold_place(tape);
    wg_function *f = wg_tape_allocate(tape, sizeof *f);
    wg_status status = f ? WG_OK : wg_no_memory(tape, "wg_compile", sizeof *f);
    if (f) {
        *f = (wg_function){.tape = tape, .n_in = inputs.n, .n_out = outputs.n, .bytes = sizeof *f,
                           .backward = options.backward, .reads = options.reads, .recorded = tape->nodes};
        wg_aside aside = wg_aside_begin(tape);
        wg_plan p;
        const wg_tensor *results;
        status = begun(f, inputs, outputs, &p, &results);
        wg_aside_end(tape, aside);
    }
    if (f && status)
        function_free(f);
    if (!status)
        status = wg_tape_own(tape, f, function_free);
    wg_let_go_place(tape, held);
    return status ? NULL : f;
}

/* ---- Running it -------------------------------------------------------------------------------------------------- */
static wg_status bound(wg_function *f, int i, const void *to, bool *changed)
{
    if (!to)
        return wg_report(f->tape, "wg_function_run", WG_ERROR_VALUE, "input %d was never given", i);
    *changed |= f->slot[i].bound != to;
    f->slot[i].bound = (unsigned char *)(uintptr_t)to;
    return WG_OK;
}

/* A parameter that holds a gradient already: this one is computed aside, and added. */
static void *gradient_place(wg_function *f, int i)
{
    wg_extra *extra = wg_node_at(f->tape, f->grad_of[i].node)->extra;
    if (!extra->has_grad)
        return wg_node_at(f->tape, extra->grad)->data;
    return wg_arena_values(f->tape, wg_type_bytes(f->slot[f->n_in + f->n_out + i].type));
}

static wg_status all_bound(wg_function *f, const void *const *in, void *const *out)
{
    bool changed = false;
    for (int i = 0; i < f->n_params; i++)
        if (!wg_node_of(f->param[i], "wg_function_run"))
            return f->tape->status;
    for (int i = 0; i < f->n_in; i++) {
        wg_status status = bound(f, i, in && in[i] ? in[i] : f->slot[i].bound, &changed);
        if (status)
            return status;
    }
    for (int k = f->n_in; k < f->n_in + f->n_out; k++) {
        void *own = f->slot[k].own, *to = out && out[k - f->n_in] ? out[k - f->n_in] : own;
        bound(f, k, to, &changed);
    }
    for (int i = 0; i < f->n_grad; i++) {
        int k = f->n_in + f->n_out + i;
        void *to = gradient_place(f, i);
        if (!to)
            return wg_no_memory(f->tape, "wg_function_run", wg_type_bytes(f->slot[k].type));
        bound(f, k, to, &changed);
    }
    for (size_t i = 0; changed && i < f->n_patches; i++)
        *f->patch[i].where = f->slot[f->patch[i].slot].bound + f->patch[i].offset;
    return WG_OK;
}

static void gradients_left(wg_function *f)
{
    for (int i = 0; i < f->n_grad; i++) {
        wg_slot *slot = &f->slot[f->n_in + f->n_out + i];
        wg_extra *extra = wg_node_at(f->tape, f->grad_of[i].node)->extra;
        wg_node *grad = wg_node_at(f->tape, extra->grad);
        int64_t n = wg_type_count(slot->type);
        const void *from = slot->bound;
        void *to = grad->data;
        if (extra->has_grad) {
            wg_values_add((wg_dtype)grad->dtype, n, from, to);
            slot->bound = NULL; /* it was the arena's */
        }
        extra->has_grad = true;
        wg_touch(f->tape, grad);
    }
}

/* A run that failed leaves no half of a gradient behind. */
static void gradients_wiped(wg_function *f)
{
    for (int i = 0; i < f->n_grad; i++) {
        wg_slot *slot = &f->slot[f->n_in + f->n_out + i];
        const wg_node *param = wg_node_of(f->grad_of[i], "wg_function_run");
        if (param && !param->extra->has_grad)
            memset(wg_node_at(f->tape, param->extra->grad)->data, 0, wg_type_bytes(slot->type));
        slot->bound = NULL;
    }
}

static wg_status all_run(const wg_function *f)
{
    wg_status status = WG_OK;
    for (size_t i = 0; i < f->n_instructions && !status; i++)
        status = f->instruction[i].run(f->instruction[i].with);
    return status;
}

static wg_status all_timed(const wg_function *f)
{
    wg_status status = WG_OK;
    double start = wg_seconds();
    for (size_t i = 0; i < f->n_instructions && !status; i++) {
        status = f->instruction[i].run(f->instruction[i].with);
        double end = wg_seconds();
        f->seconds[i] = fmin(f->seconds[i], end - start);
        start = end;
    }
    return status;
}

wg_status (wg_function_run)(wg_function *f, const void *const *in, void *const *out)
{
    if (!f)
        return WG_ERROR_VALUE;
    wg_tape *tape = f->tape;
    if (tape->status)
        return tape->status;
    uint32_t held = wg_hold_place(tape);
    wg_arena_mark before = wg_arena_at(tape);
    wg_status status = all_bound(f, in, out);
    if (!status)
        status = f->seconds ? all_timed(f) : all_run(f);
    tape->rule_place = 0;
    if (status)
        gradients_wiped(f);
    else
        gradients_left(f);
    wg_arena_back(tape, before);
    wg_let_go_place(tape, held);
    return status;
}

wg_function *wg_function_here(wg_function *f, const char *file, int line)
{
    if (f)
        wg_here(f->tape, file, line);
    return f;
}

/* ---- Questions --------------------------------------------------------------------------------------------------- */
const void *wg_function_output(const wg_function *f, int k)
{
    return f && k >= 0 && k < f->n_out ? f->slot[f->n_in + k].bound : NULL;
}

int wg_function_inputs(const wg_function *f) { return f ? f->n_in : 0; }
int wg_function_outputs(const wg_function *f) { return f ? f->n_out : 0; }
size_t wg_function_steps(const wg_function *f) { return f ? f->n_instructions : 0; }
size_t wg_function_bytes(const wg_function *f) { return f ? f->bytes : 0; }

wg_type wg_function_input_type(const wg_function *f, int i)
{
    return f && i >= 0 && i < f->n_in ? *f->slot[i].type : (wg_type){0};
}

wg_type wg_function_output_type(const wg_function *f, int k)
{
    return f && k >= 0 && k < f->n_out ? *f->slot[f->n_in + k].type : (wg_type){0};
}
