/* A function of the caller's as one node of the tape.
 *
 * Forward, the function runs on views of its inputs, its results are set aside, and what it recorded is taken back: a
 * node with the results remains, whose operands are the inputs and whatever else with a gradient the function was seen
 * to use. For a derivative the function runs again, on views of those operands; nodes it takes from outside are
 * replaced by the views, so that the pullback is one of a stretch of tape that nobody else knows. A derivative that is
 * to be differentiated in turn is such a node itself, of the function 'run and pull back'. */
#include "graph/closure.h"

/* ---- Views of the inputs ----------------------------------------------------------------------------------------- */
static wg_status alias_view(const wg_call *c, int64_t *stride, int64_t *offset)
{
    int64_t step = 1;
    for (int i = c->x[0].rank; i-- > 0; step *= c->x[0].dim[i])
        stride[i] = c->stride[0] ? c->stride[0][i] : step;
    *offset = 0;
    return WG_OK;
}

static wg_tensor alias_dx(const wg_call *c, wg_tensor g)
{
    (void)c;
    return g;
}

static const wg_op alias_op = {
    .name = "alias",
    .doc = "y = x: x itself, as an input of a function",
    .in = {{"x", WG_ANY}},
    .type = wg_type_as_first,
    .view = alias_view,
    .vjp = {alias_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .hidden = true,
};

wg_status wg_aliases(const wg_tensor *in, int n, wg_tensor *alias)
{
    for (int i = 0; i < n; i++) {
        alias[i] = wg_is_none(in[i]) ? in[i] : wg_record(&alias_op, NULL, &in[i], 1);
        if (wg_is_invalid(alias[i]))
            return in[i].tape->status;
    }
    return WG_OK;
}

/* ---- Running a body ---------------------------------------------------------------------------------------------- */
wg_tape *wg_inputs_tape(const char *name, wg_tensors x, wg_tensor *out, int n_out)
{
    wg_tape *tape = NULL;
    for (int i = 0; i < x.n && !tape; i++)
        tape = x.at[i].tape;
    for (int k = 0; k < n_out; k++)
        out[k] = tape ? wg_invalid_on(tape) : WG_INVALID;
    for (int i = 0; i < x.n && tape; i++) {
        if (wg_is_tensor(x.at[i]) && x.at[i].tape == tape) {
            if (!wg_node_of(x.at[i], name))
                return NULL;
            continue;
        }
        if (!wg_is_invalid(x.at[i]) || !tape->status)
            wg_report(tape, name, WG_ERROR_VALUE, "input %d is not a tensor of this tape", i);
        return NULL;
    }
    return tape;
}

wg_status wg_body_call(wg_tape *tape, const char *name, wg_body *f, void *user, const wg_tensor *in, wg_tensor *out,
                       int n_out)
{
    for (int k = 0; k < n_out; k++)
        out[k] = WG_NONE;
    bool failed = tape->status != WG_OK;
    f(in, out, user);
    if (tape->status && !failed)
        return tape->status;
    for (int k = 0; k < n_out; k++) {
        if (wg_is_tensor(out[k]) && out[k].tape == tape) {
            if (!wg_node_of(out[k], name))
                return WG_ERROR_STALE;
            continue;
        }
        return wg_report(tape, name, WG_ERROR_VALUE, "result %d of the function is %s", k,
                         wg_is_none(out[k]) ? "not set" : wg_is_number(out[k]) ? "a number, not a tensor"
                                                                             : "not a tensor of this tape");
    }
    return WG_OK;
}

wg_trial wg_trial_begin(wg_tape *tape)
{
    wg_trial trial = {.marked = tape->marked, .rule_place = tape->rule_place, .rule_scope = tape->rule_scope,
                      .no_grad = tape->no_grad};
    trial.mark = wg_tape_mark(tape);
    tape->no_grad = 0; /* a body may ask for derivatives of its own */
    tape->rule_place = 0;
    return trial;
}

void wg_trial_end(wg_tape *tape, const wg_trial *trial)
{
    (wg_rewind)(tape, trial->mark);
    tape->marked = trial->marked;
    tape->no_grad = trial->no_grad;
    tape->rule_place = trial->rule_place;
    tape->rule_scope = trial->rule_scope;
}

/* ---- What a body captures ---------------------------------------------------------------------------------------- */
/* Where `node` is in the ascending list, or belongs. */
static int position(const uint32_t *list, int n, uint32_t node)
{
    int low = 0;
    while (low < n) {
        int middle = low + (n - low) / 2;
        if (list[middle] < node)
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

static bool capture(wg_tape *tape, wg_captures *c, uint32_t node)
{
    const wg_node *x = wg_node_at(tape, node);
    if (!wg_is_float((wg_dtype)x->dtype) || x->flags & (WG_NODE_CUT | WG_NODE_NUMBER))
        return true;
    int i = position(c->at, c->n, node);
    if (i < c->n && c->at[i] == node)
        return true;
    if (c->n == c->room) {
        int room = c->room ? 2 * c->room : 16;
        uint32_t *more = wg_arena(tape, (size_t)room * sizeof *more);
        if (!more)
            return false;
        if (c->n)
            memcpy(more, c->at, (size_t)c->n * sizeof *more);
        c->at = more;
        c->room = room;
    }
    memmove(c->at + i + 1, c->at + i, (size_t)(c->n - i) * sizeof *c->at);
    c->at[i] = node;
    c->n++;
    return true;
}

wg_status wg_captured_since(wg_tape *tape, const char *name, uint32_t low, const wg_tensor *out, int n_out,
                            wg_captures *c)
{
    bool fits = true;
    for (uint32_t i = low; i < tape->nodes && fits; i++) {
        const wg_node *node = wg_node_at(tape, i);
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in && fits && !node->out && !wg_node_is(node, WG_NODE_LEAF); k++)
            if (in[k] < low && node->op != &alias_op)
                fits = capture(tape, c, in[k]);
    }
    for (int k = 0; k < n_out && fits; k++)
        if (out[k].node < low)
            fits = capture(tape, c, out[k].node);
    return fits ? WG_OK : wg_no_memory(tape, name, sizeof *c->at);
}

uint32_t wg_operations_since(const wg_tape *tape, uint32_t low)
{
    uint32_t n = 0;
    for (uint32_t i = low; i < tape->nodes; i++) {
        const wg_node *node = wg_node_at(tape, i);
        n += !node->out && !wg_node_is(node, WG_NODE_LEAF) && node->op != &alias_op;
    }
    return n;
}

/* Nodes from `first` on that use a captured one use its alias instead. */
static void captured_replaced(wg_tape *tape, uint32_t first, const wg_closure *f, const wg_tensor *alias,
                              wg_tensor *out)
{
    for (uint32_t i = first; i < tape->nodes && f->n_captured; i++) {
        wg_node *node = wg_node_at(tape, i);
        if (wg_node_is(node, WG_NODE_LEAF) || (node->out && node->n_in > 2))
            continue;
        uint32_t *in = node->n_in > 2 ? (uint32_t *)(uintptr_t)node->of.ins : node->of.in; /* the node's own list */
        for (int k = 0; k < node->n_in; k++) {
            int at = position(f->captured, f->n_captured, in[k]);
            if (at < f->n_captured && f->captured[at] == in[k])
                in[k] = alias[f->n_in + at].node;
        }
    }
    for (int k = 0; k < f->n_out; k++) {
        int at = position(f->captured, f->n_captured, out[k].node);
        if (at < f->n_captured && f->captured[at] == out[k].node)
            out[k] = alias[f->n_in + at];
    }
}

wg_status wg_closure_again(wg_tape *tape, const char *name, const wg_closure *f, const wg_tensor *alias, wg_tensor *out)
{
    uint64_t seed = tape->seed, stream = tape->stream;
    uint32_t first = tape->nodes;
    tape->seed = f->seed;
    tape->stream = f->stream;
    wg_status status = wg_body_call(tape, name, f->f, f->user, alias, out, f->n_out);
    tape->seed = seed;
    tape->stream = stream;
    if (!status)
        captured_replaced(tape, first, f, alias, out);
    return status;
}

/* ---- Recording --------------------------------------------------------------------------------------------------- */
/* Results and captured nodes, in memory that taking back what was recorded does not touch. */
typedef struct {
    wg_type *y;
    void **values;
    uint32_t *captured;
} staged;

static wg_status stage(wg_tape *tape, const char *name, const wg_tensor *out, int n_out, const wg_captures *c,
                       staged *s)
{
    size_t n = (size_t)n_out, types = wg_in_lines(n * sizeof *s->y), values = wg_in_lines(n * sizeof *s->values);
    size_t list = wg_in_lines((size_t)c->n * sizeof *s->captured), need = types + values + list;
    for (int k = 0; k < n_out; k++) {
        const wg_node *node = wg_node_at(tape, out[k].node);
        need += wg_in_lines(wg_node_bytes(node));
    }
    if (!wg_tape_grow(tape, &tape->staged, &tape->staged_room, need / WG_ALIGN + 1, WG_ALIGN))
        return wg_no_memory(tape, name, need);
    unsigned char *at = tape->staged;
    s->y = (wg_type *)at;
    s->values = (void **)(at + types);
    s->captured = (uint32_t *)(at + types + values);
    at += types + values + list;
    if (c->n)
        memcpy(s->captured, c->at, (size_t)c->n * sizeof *c->at);
    for (int k = 0; k < n_out; k++) {
        const wg_node *node = wg_node_at(tape, out[k].node);
        s->y[k] = wg_node_type(node);
        s->values[k] = at;
        wg_gather_strided(&s->y[k], wg_node_stride(node), node->data, at);
        at += wg_in_lines(wg_node_bytes(node));
    }
    return WG_OK;
}

/* f on aliases of the inputs, its results staged, and what it was seen to do noted. */
static wg_status tried(wg_tape *tape, const char *name, wg_closure *f, const wg_tensor *in, staged *s)
{
    size_t n = (size_t)(f->n_in + f->n_out);
    wg_tensor *alias = wg_arena(tape, (n ? n : 1) * sizeof *alias), *out = alias + f->n_in;
    if (!alias)
        return wg_no_memory(tape, name, n * sizeof *alias);
    uint32_t low = tape->nodes;
    wg_status status = wg_aliases(in, f->n_in, alias);
    if (!status)
        status = wg_body_call(tape, name, f->f, f->user, alias, out, f->n_out);
    wg_captures c = {0};
    if (!status)
        status = wg_captured_since(tape, name, low, out, f->n_out, &c);
    f->n_captured = c.n;
    f->operations = wg_operations_since(tape, low);
    if (c.n && f->refuses && !status) {
        const char *given = wg_name_of(wg_node_tensor(tape, c.at[0]));
        return wg_report(
            tape, name, WG_ERROR_VALUE,
            "the function uses %s%s, which is not among its inputs and would get no gradient: make it one of "
            "them, or wg_stop_gradient of it",
            *given ? "" : "a result of ", *given ? given : wg_node_at(tape, c.at[0])->op->name);
    }
    return status ? status : stage(tape, name, out, f->n_out, &c, s);
}

wg_status wg_closure_record(wg_tape *tape, const char *name, const wg_op *op, const wg_closure *f, const void *more,
                            const wg_tensor *in, wg_tensor *out)
{
    wg_closure_options options = {.f = *f, .more = more};
    options.f.seed = tape->seed;
    options.f.stream = tape->stream;
    staged s = {0};
    wg_trial trial = wg_trial_begin(tape);
    wg_status status = tried(tape, name, &options.f, in, &s);
    wg_trial_end(tape, &trial);
    if (status)
        return status;
    size_t n = (size_t)(f->n_in + options.f.n_captured), bytes = (size_t)options.f.n_captured * sizeof(uint32_t);
    uint32_t *captured = wg_arena(tape, bytes ? bytes : 1);
    wg_tensor *operand = wg_arena(tape, (n ? n : 1) * sizeof *operand);
    if (!captured || !operand)
        return wg_no_memory(tape, name, n * sizeof *operand);
    if (f->n_in)
        memcpy(operand, in, (size_t)f->n_in * sizeof *in);
    for (int i = 0; i < options.f.n_captured; i++) {
        captured[i] = s.captured[i];
        operand[f->n_in + i] = wg_node_tensor(tape, captured[i]);
    }
    options.f.captured = captured;
    options.y = s.y;
    options.values = (const void *const *)s.values;
    status = wg_record_on(tape, op, &options, operand, (int)n, out, f->n_out);
    if (status || !f->n_out)
        return status;
    wg_closure_options *kept = (wg_closure_options *)(uintptr_t)wg_node_options(wg_node_at(tape, out[0].node));
    kept->y = NULL; /* what was staged is not there any more */
    kept->values = NULL;
    return WG_OK;
}

static wg_status only_recorded(const wg_call *c)
{
    return wg_fail(c, WG_ERROR_UNSUPPORTED, "a function of the program's runs where it is recorded, not apart from it");
}

int wg_closure_count(const wg_call *c) { return ((const wg_closure_options *)c->options)->f.n_out; }

wg_status wg_closure_type(wg_call *c)
{
    const wg_closure_options *o = c->options;
    if (!o->y)
        return only_recorded(c);
    memcpy(c->y, o->y, (size_t)c->n_out * sizeof *c->y);
    return WG_OK;
}

wg_status wg_closure_run(const wg_call *c)
{
    const wg_closure_options *o = c->options;
    if (!o->values)
        return only_recorded(c);
    for (int k = 0; k < c->n_out; k++)
        memcpy(c->to[k], o->values[k], wg_type_bytes(&c->y[k]));
    return WG_OK;
}

static const wg_closure_options no_options;
const wg_schema wg_closure_schema = {sizeof(wg_closure_options), &no_options, 0, NULL};

/* ---- Derivatives ------------------------------------------------------------------------------------------------- */
/* The functions 'run f and pull back' and 'run f and push forward', of f's n operands and `given` of the n_out
 * cotangents or n tangents. */
typedef struct {
    const wg_closure *f;
    wg_tape *tape;
    int n;
    const bool *wanted, *given;
} derived;

static wg_status memory_for(wg_tape *tape, size_t n, wg_tensor **list)
{
    *list = wg_arena(tape, (n ? n : 1) * sizeof **list);
    return *list ? WG_OK : wg_no_memory(tape, "wg_checkpoint", n * sizeof **list);
}

/* Cotangents or tangents for all, WG_NONE where there is none. */
static void spread(const wg_tensor *dense, const bool *given, int n, wg_tensor *all)
{
    for (int i = 0; i < n; i++)
        all[i] = given[i] ? *dense++ : WG_NONE;
}

static void pull_body(const wg_tensor *in, wg_tensor *out, void *user)
{
    const derived *d = user;
    size_t n = (size_t)d->n, n_out = (size_t)d->f->n_out;
    wg_tensor *y, *g, *grad;
    if (memory_for(d->tape, n_out, &y) || memory_for(d->tape, n_out, &g) || memory_for(d->tape, 2 * n, &grad))
        return;
    wg_tensor *xs = grad + n;
    spread(in + n, d->given, d->f->n_out, g);
    int wanted = 0;
    for (size_t i = 0; i < n; i++)
        if (d->wanted[i])
            xs[wanted++] = in[i];
    if (!wg_closure_again(d->tape, "wg_checkpoint", d->f, in, y))
        (wg_vjp)(y, g, d->f->n_out, xs, wanted, out, (wg_vjp_options){.create_graph = true});
}

static void push_body(const wg_tensor *in, wg_tensor *out, void *user)
{
    const derived *d = user;
    size_t n = (size_t)d->n, n_out = (size_t)d->f->n_out;
    wg_tensor *y, *t;
    if (memory_for(d->tape, 2 * n_out, &y) || memory_for(d->tape, n, &t))
        return;
    wg_tensor *tangent = y + n_out;
    spread(in + n, d->given, d->n, t);
    if (wg_closure_again(d->tape, "wg_checkpoint", d->f, in, y) || (wg_jvp)(y, d->f->n_out, in, t, d->n, tangent))
        return;
    for (size_t k = 0; k < n_out; k++)
        if (wg_is_tensor(tangent[k]))
            *out++ = tangent[k];
}

static const derived *derived_of(const wg_call *c, const bool *wanted, const wg_tensor *given, int n_given)
{
    const wg_closure_options *o = c->options;
    derived *d = wg_arena(c->tape, sizeof *d + (size_t)c->n_in + (size_t)n_given);
    if (!d) {
        wg_no_memory(c->tape, "wg_checkpoint", sizeof *d);
        return NULL;
    }
    bool *flags = (bool *)(d + 1);
    for (int i = 0; i < n_given; i++)
        flags[i] = wg_is_tensor(given[i]);
    if (wanted)
        memcpy(flags + n_given, wanted, (size_t)c->n_in);
    *d = (derived){.f = &o->f, .tape = c->tape, .n = c->n_in, .given = flags, .wanted = flags + n_given};
    return d;
}

/* Records body(operands, given) as a node of its own. */
static wg_status derived_record(const wg_call *c, wg_body *body, const bool *wanted, const wg_tensor *given,
                                int n_given, wg_tensor *out, int n_out)
{
    const derived *d = derived_of(c, wanted, given, n_given);
    wg_tensor *in;
    if (!d || memory_for(c->tape, (size_t)(c->n_in + n_given), &in))
        return WG_ERROR_MEMORY;
    int n = c->n_in;
    memcpy(in, c->in, (size_t)n * sizeof *in);
    for (int i = 0; i < n_given; i++)
        if (d->given[i])
            in[n++] = given[i];
    wg_closure f = {.f = body, .user = (void *)(uintptr_t)d, .n_in = n, .n_out = n_out};
    return wg_closure_record(c->tape, "wg_checkpoint", &wg_checkpoint_op, &f, NULL, in, out);
}

wg_status wg_closure_pull_recorded(const wg_call *c, const bool *wanted, wg_tensor *out)
{
    int n = 0;
    for (int i = 0; i < c->n_in; i++)
        n += wanted[i];
    wg_tensor *grad;
    if (memory_for(c->tape, (size_t)n, &grad))
        return WG_ERROR_MEMORY;
    wg_status status = derived_record(c, pull_body, wanted, c->g, c->n_out, grad, n);
    for (int i = 0; i < c->n_in && !status; i++)
        if (wanted[i])
            out[i] = *grad++;
    return status;
}

static wg_status pull_now(const wg_call *c, const wg_pullback *p, const bool *wanted, wg_tensor *xs, wg_tensor *ys)
{
    const wg_closure_options *o = c->options;
    wg_tensor *alias;
    if (memory_for(c->tape, (size_t)c->n_in, &alias))
        return WG_ERROR_MEMORY;
    wg_status status = wg_aliases(c->in, c->n_in, alias);
    if (!status)
        status = wg_closure_again(c->tape, "wg_checkpoint", &o->f, alias, ys);
    for (int i = 0, j = 0; i < c->n_in; i++)
        if (wanted[i])
            xs[j++] = alias[i];
    return status ? status : wg_pull_plain(c->tape, "wg_checkpoint", p);
}

wg_status wg_closure_pull(const wg_call *c, const bool *wanted, wg_tensor *out)
{
    wg_tape *tape = c->tape;
    if (c->recording)
        return wg_closure_pull_recorded(c, wanted, out);
    size_t n = (size_t)c->n_in;
    wg_tensor *xs, *ys, *result;
    bool *reached = wg_arena(tape, n ? n : 1);
    if (!reached)
        return wg_no_memory(tape, "wg_checkpoint", n);
    if (memory_for(tape, n, &xs) || memory_for(tape, (size_t)c->n_out, &ys) || memory_for(tape, n, &result))
        return WG_ERROR_MEMORY;
    wg_pullback p = {.ys = ys, .cotangents = c->g, .n_ys = c->n_out, .xs = xs, .result = result, .reached = reached};
    for (int i = 0; i < c->n_in; i++)
        if (wanted[i] && !wg_is_tensor(result[p.n_xs++] = wg_leaf(tape, &c->x[i], NULL, WG_NODE_CUT, "wg_checkpoint")))
            return WG_ERROR_MEMORY;
    wg_trial trial = wg_trial_begin(tape);
    wg_status status = pull_now(c, &p, wanted, xs, ys);
    wg_trial_end(tape, &trial);
    for (int i = 0, j = 0; i < c->n_in && !status; i++)
        if (wanted[i]) {
            out[i] = reached[j] ? result[j] : WG_NONE;
            j++;
        }
    return status;
}

wg_status wg_closure_push(const wg_call *c, wg_tensor *out)
{
    int n = 0;
    for (int k = 0; k < c->n_out; k++)
        n += wg_is_float(c->y[k].dtype);
    wg_tensor *t;
    if (memory_for(c->tape, (size_t)n, &t))
        return WG_ERROR_MEMORY;
    wg_status status = derived_record(c, push_body, NULL, c->t, c->n_in, t, n);
    for (int k = 0; k < c->n_out && !status; k++)
        if (wg_is_float(c->y[k].dtype))
            out[k] = *t++;
    return status;
}

/* ---- checkpoint -------------------------------------------------------------------------------------------------- */
const wg_op wg_checkpoint_op = {
    .name = "checkpoint",
    .doc = "y = f(x), of which only the results are kept: f runs again for a derivative",
    .source = "Griewank and Walther 2008, chapter 12",
    .in = {{"x", WG_VARIADIC | WG_MIXED | WG_OPTIONAL}},
    .options = &wg_closure_schema,
    .count = wg_closure_count,
    .type = wg_closure_type,
    .run = wg_closure_run,
    .calls_back = true,
    .pull = wg_closure_pull,
    .push = wg_closure_push,
    .saves = "x",
    .hidden = true,
};

wg_status (wg_checkpoint)(wg_body *f, wg_tensors x, wg_tensor *out, int n_out, wg_checkpoint_options options)
{
    wg_tape *tape = wg_inputs_tape("wg_checkpoint", x, out, n_out);
    if (!tape)
        return WG_ERROR_VALUE;
    if (!f)
        return wg_report(tape, "wg_checkpoint", WG_ERROR_VALUE, "the function is NULL");
    wg_closure closure = {.f = f, .user = options.user, .n_in = x.n, .n_out = n_out};
    uint32_t held = wg_hold_place(tape);
    wg_status status = wg_closure_record(tape, "wg_checkpoint", &wg_checkpoint_op, &closure, NULL, x.at, out);
    wg_let_go_place(tape, held);
    return status;
}
