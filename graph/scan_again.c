/* A loop as one node of the tape: its rounds run one after the other, each taken back, and a few carries are kept. The
 * chain rule goes through the rounds from the last to the first; each is run, and recorded, again from the nearest
 * carry that is kept before it. Where they are kept is the binomial schedule, which runs the fewest rounds for a given
 * number of carries: about r n with C(s + r, r) >= n (Griewank and Walther 2000, Algorithm 799).
 *
 * Where the derivative is to be differentiated in turn, or in forward mode, the loop is two loops of half as many
 * rounds, each such a node. */
#include "graph/scan.h"

#include "wengert/shape.h"

/* ---- The schedule ------------------------------------------------------------------------------------------------ */
/* C(s + r, r): the most rounds that s carries, the first among them, serve with no round run more than r times; at most
 * `enough`. */
static int64_t reach(int64_t s, int64_t r, int64_t enough)
{
    double c = 1;
    for (int64_t i = 1; i <= r && c < (double)enough; i++)
        c = c * (double)(s + i) / (double)i;
    return c < (double)enough ? (int64_t)(c + 0.5) : enough;
}

int64_t wg_snapshot_at(int64_t length, int64_t free)
{
    int64_t s = free + 1, r = 1;
    while (reach(s, r, length) < length)
        r++;
    int64_t before = reach(s, r - 1, length), after = length - reach(s - 1, r - 1, length);
    int64_t at = before < after ? before : after;
    return at < 1 ? 1 : at < length ? at : length - 1;
}

/* ---- A loop that is kept ----------------------------------------------------------------------------------------- */
/* A set: the values of all carries, one behind the other. */
typedef struct {
    int64_t round; /* that it goes into */
    uint64_t stream;
    unsigned char *set;
} snapshot;

typedef struct {
    wg_rounds rounds;
    uint32_t operations; /* of a round */
    wg_type *type;       /* of its results */
    size_t *offset; /* of each carry in a set */
    size_t set_bytes;
    unsigned char *now, *next; /* sets */
    snapshot *kept;            /* ascending; the first is the start. Some are gone once a derivative was taken. */
    int64_t n_kept;
    bool at_end;               /* `next` still holds what went into the last round */
    uint64_t end_stream;       /* ... and this was its stream */
    bool recording;
} loop;

static wg_status loop_room(loop *l)
{
    const wg_rounds *r = &l->rounds;
    wg_tape *tape = r->tape;
    size_t slots = (size_t)r->snapshots + 1;
    l->offset = wg_arena(tape, (size_t)(r->n_carry + 1) * sizeof *l->offset);
    l->kept = slots <= SIZE_MAX / sizeof *l->kept ? wg_arena(tape, slots * sizeof *l->kept) : NULL;
    if (!l->offset || !l->kept)
        return wg_no_memory(tape, "wg_scan", slots * sizeof *l->kept);
    l->set_bytes = 0;
    for (int k = 0; k < r->n_carry; k++) {
        l->offset[k] = l->set_bytes;
        l->set_bytes += wg_in_lines(wg_type_bytes(&l->type[k]));
    }
    l->now = wg_arena_values(tape, l->set_bytes);
    l->next = wg_arena_values(tape, l->set_bytes);
    bool fits = l->now && l->next;
    for (size_t i = 0; i < slots && fits; i++) {
        l->kept[i].set = wg_arena_values(tape, l->set_bytes);
        fits = l->kept[i].set != NULL;
    }
    return fits ? WG_OK : wg_no_memory(tape, "wg_scan", l->set_bytes);
}

static void values_of(wg_tensor t, void *to)
{
    const wg_node *node = wg_node_at(t.tape, t.node);
    wg_type type = wg_node_type(node);
    wg_gather_strided(&type, wg_node_stride(node), node->data, to);
}

static void sets_swap(loop *l)
{
    unsigned char *set = l->now;
    l->now = l->next;
    l->next = set;
}

static void snapshot_keep(loop *l, int64_t round, const unsigned char *set, uint64_t stream)
{
    snapshot *s = &l->kept[l->n_kept++];
    s->round = round;
    s->stream = stream;
    memcpy(s->set, set, l->set_bytes);
}

/* The inputs of a round: leaves on a set, and rows of xs. */
static wg_status round_inputs(const loop *l, const unsigned char *set, const wg_tensor *xs, int64_t round,
                              wg_tensor *in)
{
    const wg_rounds *r = &l->rounds;
    for (int k = 0; k < r->n_carry; k++) {
        in[k] = wg_leaf(r->tape, &l->type[k], (void *)(uintptr_t)(set + l->offset[k]), 0, "wg_scan");
        if (!wg_is_tensor(in[k]))
            return WG_ERROR_MEMORY;
    }
    wg_round_rows(r, xs, wg_round_row(r, round), in);
    for (int k = 0; k < r->n_xs; k++)
        if (!wg_is_tensor(in[r->n_carry + k]))
            return WG_ERROR_MEMORY;
    return WG_OK;
}

/* ---- Forward ----------------------------------------------------------------------------------------------------- */
/* Runs a round from set `now`, and takes it back. Its carries go to `next`; where y is given, the other results to rows
 * of it; where seen is, what the round captures is added to it. */
static wg_status round_tried(loop *l, const wg_tensor *xs, int64_t round, void *const *y, wg_captures *seen)
{
    const wg_rounds *r = &l->rounds;
    size_t n_in = (size_t)(r->n_carry + r->n_xs);
    wg_tensor *in = wg_arena(r->tape, (n_in + (size_t)r->n_out + 1) * sizeof *in), *out = in + n_in;
    if (!in)
        return wg_no_memory(r->tape, "wg_scan", n_in * sizeof *in);
    uint32_t low = r->tape->nodes;
    wg_tensor *alias = in + r->n_carry;
    wg_status status = wg_aliases(xs, r->n_xs, alias);
    if (!status)
        status = round_inputs(l, l->now, alias, round, in);
    if (!status)
        status = wg_body_call(r->tape, "wg_scan", r->f, r->user, in, out, r->n_out);
    for (int k = 0; k < r->n_out && !status; k++) {
        wg_type type = wg_type_of(out[k]);
        if (k < r->n_carry || !wg_type_equal(&type, &l->type[k]))
            status = k < r->n_carry
                         ? wg_types_kept(r->tape, "wg_scan", "carry", round, &in[k], &out[k], 1)
                         : wg_report(r->tape, "wg_scan", WG_ERROR_SHAPE,
                                     "result %d has another type in round %lld than in the first", k, (long long)round);
    }
    for (int k = 0; k < r->n_carry && !status; k++)
        values_of(out[k], l->next + l->offset[k]);
    for (int k = r->n_carry; k < r->n_out && y && !status; k++)
        values_of(out[k], (unsigned char *)y[k] + (size_t)wg_round_row(r, round) * wg_type_bytes(&l->type[k]));
    return seen && !status ? wg_captured_since(r->tape, "wg_scan", low, out, r->n_out, seen) : status;
}

/* The list of captured nodes, in memory that a trial does not take back, with room for n. */
static bool captures_room(wg_tape *tape, wg_captures *c, int n)
{
    if (n <= c->room)
        return true;
    uint32_t *more = wg_arena(tape, (size_t)n * sizeof *more);
    if (!more)
        return false;
    if (c->n)
        memcpy(more, c->at, (size_t)c->n * sizeof *more);
    c->at = more;
    c->room = n;
    return true;
}

/* A round, from `now` to `now`. What it captures is added to `known`, if that is given; where there is no room for it
 * the round runs once more. */
static wg_status round_run(loop *l, const wg_tensor *xs, int64_t round, void *const *y, wg_captures *known)
{
    wg_tape *tape = l->rounds.tape;
    uint64_t stream = tape->stream;
    for (;;) {
        wg_captures seen = known ? *known : (wg_captures){0};
        wg_trial trial = wg_trial_begin(tape);
        wg_status status = round_tried(l, xs, round, y, known ? &seen : NULL);
        wg_trial_end(tape, &trial);
        if (status)
            return status;
        if (!known || seen.n <= known->room) {
            if (known)
                known->n = seen.n;
            sets_swap(l);
            return WG_OK;
        }
        known->n = known->room; /* the list was full when it had to move */
        if (!captures_room(tape, known, 2 * seen.n))
            return wg_no_memory(tape, "wg_scan", (size_t)seen.n * sizeof *seen.at);
        tape->stream = stream;
    }
}

/* All rounds, keeping carries where the schedule says. */
static wg_status rounds_run(loop *l, const wg_tensor *carry, const wg_tensor *xs, void *const *y, wg_captures *known)
{
    const wg_rounds *r = &l->rounds;
    for (int k = 0; k < r->n_carry; k++)
        values_of(carry[k], l->now + l->offset[k]);
    l->n_kept = 0;
    for (int64_t i = 0, keep = 0; i < r->n; i++) {
        l->end_stream = r->tape->stream;
        if (i == keep) {
            snapshot_keep(l, i, l->now, r->tape->stream);
            int64_t left = r->n - i, free = r->snapshots + 1 - l->n_kept;
            keep = left > 1 && free > 0 ? i + wg_snapshot_at(left, free) : r->n;
        }
        wg_status status = round_run(l, xs, i, y, known);
        if (status)
            return status;
    }
    l->at_end = true;
    return WG_OK;
}

/* ---- Backward ---------------------------------------------------------------------------------------------------- */
typedef struct {
    loop *l;
    const wg_call *c;
    const bool *wanted;
    wg_tensor *total;          /* by operand; WG_NONE where nobody asks */
    bool *arrived;             /* by operand: its total is not zero for want of a path */
    unsigned char *g, *before; /* cotangents of the carries after a round, and before it: sets */
    bool *has_g;               /* by carry */
    void **part;               /* by operand: what one round adds to a captured one's total */
} backward;

static wg_status backward_begin(backward *b, wg_tensor *total)
{
    const wg_call *c = b->c;
    wg_tape *tape = c->tape;
    size_t n = (size_t)c->n_in, n_carry = (size_t)b->l->rounds.n_carry;
    b->total = total;
    b->arrived = wg_arena(tape, n + n_carry + 1);
    b->part = wg_arena(tape, (n + 1) * sizeof *b->part);
    b->g = wg_arena_values(tape, 2 * b->l->set_bytes);
    if (!b->arrived || !b->part || !b->g)
        return wg_no_memory(tape, "wg_scan", 2 * b->l->set_bytes);
    b->before = b->g + b->l->set_bytes;
    b->has_g = b->arrived + n;
    memset(b->arrived, 0, n);
    for (int i = 0; i < c->n_in; i++) {
        total[i] = WG_NONE;
        if (b->wanted[i] && !wg_is_tensor(total[i] = wg_leaf(tape, &c->x[i], NULL, WG_NODE_CUT, "wg_scan")))
            return WG_ERROR_MEMORY;
        if (b->wanted[i] && !(b->part[i] = wg_arena_values(tape, wg_type_bytes(&c->x[i]))))
            return wg_no_memory(tape, "wg_scan", wg_type_bytes(&c->x[i]));
    }
    for (size_t k = 0; k < n_carry; k++)
        if ((b->has_g[k] = wg_is_tensor(c->g[k])))
            values_of(c->g[k], b->g + b->l->offset[k]);
    return WG_OK;
}

/* A carry's, a row's or a captured tensor's cotangent, which one round pulls back, and where it goes. */
typedef struct {
    wg_tensor x, to;
    int operand; /* of the node */
} target;

static wg_tensor leaf_on(wg_tape *tape, const wg_type *type, void *data)
{
    return wg_leaf(tape, type, data, WG_NODE_CUT, "wg_scan");
}

static int targets_of(const backward *b, const wg_tensor *in, const wg_tensor *captured, int64_t round, target *t)
{
    const loop *l = b->l;
    const wg_rounds *r = &l->rounds;
    wg_tape *tape = r->tape;
    int n = 0;
    for (int k = 0; k < r->n_carry; k++)
        if (wg_is_float(l->type[k].dtype))
            t[n++] = (target){in[k], leaf_on(tape, &l->type[k], b->before + l->offset[k]), k};
    for (int k = r->n_carry; k < b->c->n_in; k++) {
        if (!b->wanted[k])
            continue;
        bool row = k < r->n_carry + r->n_xs;
        wg_tensor x = row ? in[k] : captured[k - r->n_carry - r->n_xs];
        wg_type type = wg_type_of(x);
        unsigned char *rows = wg_node_at(tape, b->total[k].node)->data;
        void *to = row ? rows + (size_t)wg_round_row(r, round) * wg_type_bytes(&type) : b->part[k];
        t[n++] = (target){x, leaf_on(tape, &type, to), k};
    }
    return n;
}

/* What one round's pullback gave goes where it belongs. */
static void targets_taken(backward *b, const target *t, const bool *reached, int n)
{
    const wg_rounds *r = &b->l->rounds;
    for (int i = 0; i < n; i++) {
        int k = t[i].operand;
        if (k < r->n_carry)
            b->has_g[k] = reached[i];
        else
            b->arrived[k] |= reached[i];
        if (k < r->n_carry + r->n_xs || !reached[i])
            continue;
        wg_values_add(b->c->x[k].dtype, wg_type_count(&b->c->x[k]), b->part[k],
                      wg_node_at(r->tape, b->total[k].node)->data);
    }
    unsigned char *set = b->g;
    b->g = b->before;
    b->before = set;
}

static wg_status cotangents_of(const backward *b, int64_t round, wg_tensor *g)
{
    const loop *l = b->l;
    const wg_rounds *r = &l->rounds;
    for (int k = 0; k < r->n_out; k++) {
        g[k] = WG_NONE;
        if (k >= r->n_carry && wg_is_tensor(b->c->g[k]))
            g[k] = wg_select(b->c->g[k], 0, wg_round_row(r, round));
        else if (k < r->n_carry && b->has_g[k])
            g[k] = leaf_on(r->tape, &l->type[k], b->g + l->offset[k]);
        if (wg_is_invalid(g[k]))
            return WG_ERROR_MEMORY;
    }
    return WG_OK;
}

/* Round `round` is run from `set`, and its chain rule applied. */
static wg_status round_pulled_back(backward *b, const unsigned char *set, uint64_t stream, int64_t round)
{
    const wg_closure *whole = &((const wg_closure_options *)b->c->options)->f;
    loop *l = b->l;
    const wg_rounds *r = &l->rounds;
    wg_tape *tape = r->tape;
    wg_closure f = {.f = r->f,
                    .user = r->user,
                    .n_in = r->n_carry + r->n_xs,
                    .n_out = r->n_out,
                    .captured = whole->captured,
                    .n_captured = whole->n_captured,
                    .seed = whole->seed,
                    .stream = stream};
    size_t n = (size_t)b->c->n_in, n_out = (size_t)r->n_out;
    wg_tensor *in = wg_arena(tape, (3 * n + 2 * n_out + 1) * sizeof *in), *out = in + n, *g = out + n_out,
              *xs = g + n_out;
    target *t = wg_arena(tape, (n + 1) * sizeof *t);
    bool *reached = wg_arena(tape, n + 1);
    if (!in || !t || !reached)
        return wg_no_memory(tape, "wg_scan", (3 * n + 2 * n_out) * sizeof *in);
    wg_status status = round_inputs(l, set, b->c->in + r->n_carry, round, in);
    if (!status)
        status = wg_aliases(b->c->in + f.n_in, f.n_captured, in + f.n_in);
    if (!status)
        status = wg_closure_again(tape, "wg_scan", &f, in, out);
    if (!status)
        status = cotangents_of(b, round, g);
    if (status)
        return status;
    wg_pullback p = {.ys = out, .cotangents = g, .n_ys = r->n_out, .xs = xs, .result = xs + n, .reached = reached};
    p.n_xs = targets_of(b, in, in + f.n_in, round, t);
    for (int i = 0; i < p.n_xs; i++) {
        xs[i] = t[i].x;
        p.result[i] = t[i].to;
        if (!wg_is_tensor(t[i].to))
            return WG_ERROR_MEMORY;
    }
    status = wg_pull_plain(tape, "wg_scan", &p);
    if (!status)
        targets_taken(b, t, reached, p.n_xs);
    return status;
}

/* Forward from the last carry that is kept to what goes into round `last`, keeping more of them on the way. */
static wg_status round_reached(backward *b, int64_t last, const unsigned char **set)
{
    loop *l = b->l;
    wg_tape *tape = l->rounds.tape;
    const snapshot *start = &l->kept[l->n_kept - 1];
    int64_t at = start->round;
    *set = start->set;
    tape->stream = start->stream;
    if (at < last && l->at_end) {
        *set = l->next;
        tape->stream = l->end_stream;
        at = last;
    }
    l->at_end = false;
    if (at < last)
        memcpy(l->now, start->set, l->set_bytes);
    while (at < last) {
        int64_t free = l->rounds.snapshots + 1 - l->n_kept,
                keep = free > 0 ? at + wg_snapshot_at(last + 1 - at, free) : last;
        for (; at < keep; at++) {
            wg_status status = round_run(l, b->c->in + l->rounds.n_carry, at, NULL, NULL);
            if (status)
                return status;
        }
        if (free > 0)
            snapshot_keep(l, at, l->now, tape->stream);
        *set = l->now;
    }
    return WG_OK;
}

static wg_status round_back(backward *b, int64_t last)
{
    loop *l = b->l;
    wg_tape *tape = l->rounds.tape;
    const unsigned char *set;
    wg_status status = round_reached(b, last, &set);
    if (status)
        return status;
    wg_trial trial = wg_trial_begin(tape);
    status = round_pulled_back(b, set, tape->stream, last);
    wg_trial_end(tape, &trial);
    if (l->n_kept > 1 && l->kept[l->n_kept - 1].round == last)
        l->n_kept--;
    return status;
}

static wg_status scan_pull(const wg_call *c, const bool *wanted, wg_tensor *out)
{
    if (c->recording)
        return wg_closure_pull_recorded(c, wanted, out);
    const wg_closure_options *o = c->options;
    loop *l = (loop *)(uintptr_t)o->more;
    wg_tape *tape = c->tape;
    backward b = {.l = l, .c = c, .wanted = wanted};
    uint64_t seed = tape->seed, stream = tape->stream;
    tape->seed = o->f.seed;
    wg_status status = backward_begin(&b, out);
    for (int64_t i = l->rounds.n; i-- > 0 && !status;)
        status = round_back(&b, i);
    tape->seed = seed;
    tape->stream = stream;
    for (int k = 0; k < c->n_in && !status; k++) {
        if (k < l->rounds.n_carry && wanted[k] && (b.arrived[k] = b.has_g[k]))
            memcpy(wg_node_at(tape, out[k].node)->data, b.g + l->offset[k], wg_type_bytes(&c->x[k]));
        if (!b.arrived[k])
            out[k] = WG_NONE;
    }
    return status;
}

/* ---- In two halves ----------------------------------------------------------------------------------------------- */
static wg_status half(const wg_rounds *r, const wg_tensor *carry, const wg_tensor *xs, int64_t low, int64_t high,
                      wg_tensor *row, wg_tensor *out)
{
    for (int k = 0; k < r->n_xs; k++)
        row[k] = wg_slice(xs[k], .start = WG_INTS(low), .stop = WG_INTS(high));
    return (wg_scan)(r->f, (wg_tensors){(wg_tensor *)(uintptr_t)carry, r->n_carry}, (wg_tensors){row, r->n_xs}, out,
                     r->n_out,
                     (wg_scan_options){
                         .user = r->user, .length = high - low, .reverse = r->reverse, .snapshots = r->snapshots});
}

static void halves(const wg_tensor *in, wg_tensor *out, void *user)
{
    const wg_rounds *r = &((const loop *)user)->rounds;
    wg_tape *tape = r->tape;
    size_t n = (size_t)(r->n_carry + r->n_xs);
    wg_tensor *first = wg_arena(tape, (n + (size_t)r->n_out + 1) * sizeof *first), *row = first + r->n_out;
    if (!first) {
        wg_no_memory(tape, "wg_scan", n * sizeof *first);
        return;
    }
    const wg_tensor *xs = in + r->n_carry;
    if (r->n == 1) {
        memcpy(row, in, (size_t)r->n_carry * sizeof *in);
        wg_round_rows(r, xs, 0, row);
        wg_status status = wg_body_call(tape, "wg_scan", r->f, r->user, row, out, r->n_out);
        for (int k = r->n_carry; k < r->n_out && !status; k++)
            out[k] = wg_expand_dims(out[k], 0);
        return;
    }
    int64_t middle = r->n / 2, low = r->reverse ? middle : 0;
    if (half(r, in, xs, low, r->reverse ? r->n : middle, row, first) ||
        half(r, first, xs, middle - low, r->reverse ? middle : r->n, row, out))
        return;
    for (int k = r->n_carry; k < r->n_out; k++)
        out[k] = r->reverse ? wg_concat(WG_TENSORS(out[k], first[k])) : wg_concat(WG_TENSORS(first[k], out[k]));
}

/* ---- The node ---------------------------------------------------------------------------------------------------- */
static wg_status scan_run(const wg_call *c)
{
    const wg_closure_options *o = c->options;
    return ((const loop *)o->more)->recording ? WG_OK : wg_closure_run(c); /* the rounds write the results */
}

static const wg_op scan_op = {
    .name = "scan",
    .doc = "a loop along axis 0, of which a few carries are kept: its rounds run again for a derivative",
    .source = "Griewank and Walther 2000, Algorithm 799",
    .in = {{"x", WG_VARIADIC | WG_MIXED | WG_OPTIONAL}},
    .options = &wg_closure_schema,
    .count = wg_closure_count,
    .type = wg_closure_type,
    .run = scan_run,
    .calls_back = true,
    .pull = scan_pull,
    .push = wg_closure_push,
    .saves = "x",
    .hidden = true,
};

int64_t wg_scan_count(const wg_node *node)
{
    const wg_closure_options *o = node->op == &scan_op ? wg_node_options(node) : NULL;
    return o && o->more ? ((const loop *)o->more)->rounds.n : 0;
}

/* A list of captured nodes passes the end of a trial in the buffer of what is staged. */
static wg_status captures_staged(wg_tape *tape, const wg_captures *c)
{
    size_t bytes = (size_t)c->n * sizeof *c->at;
    if (!wg_tape_grow(tape, &tape->staged, &tape->staged_room, bytes / WG_ALIGN + 1, WG_ALIGN))
        return wg_no_memory(tape, "wg_scan", bytes);
    if (bytes)
        memcpy(tape->staged, c->at, bytes);
    return WG_OK;
}

static wg_status captures_unstaged(wg_tape *tape, int n, wg_captures *c)
{
    *c = (wg_captures){0};
    if (!captures_room(tape, c, n))
        return wg_no_memory(tape, "wg_scan", (size_t)n * sizeof *c->at);
    if (n)
        memcpy(c->at, tape->staged, (size_t)n * sizeof *c->at);
    c->n = n;
    return WG_OK;
}

/* The first round on the inputs themselves: types of its results, and what it captures, staged. */
static wg_status first_tried(loop *l, const wg_tensor *carry, const wg_tensor *xs, wg_captures *seen)
{
    const wg_rounds *r = &l->rounds;
    wg_tape *tape = r->tape;
    size_t n_in = (size_t)(r->n_carry + r->n_xs);
    wg_tensor *in = wg_arena(tape, (n_in + (size_t)(r->n_xs + r->n_out) + 1) * sizeof *in), *alias = in + n_in,
              *out = alias + r->n_xs;
    if (!in)
        return wg_no_memory(tape, "wg_scan", n_in * sizeof *in);
    uint32_t low = tape->nodes;
    wg_status status = wg_aliases(carry, r->n_carry, in);
    if (!status)
        status = wg_aliases(xs, r->n_xs, alias);
    if (status)
        return status;
    wg_round_rows(r, alias, wg_round_row(r, 0), in);
    uint32_t body = tape->nodes;
    status = wg_body_call(tape, "wg_scan", r->f, r->user, in, out, r->n_out);
    if (!status)
        status = wg_types_kept(tape, "wg_scan", "carry", 0, in, out, r->n_carry);
    for (int k = 0; k < r->n_out && !status; k++)
        l->type[k] = wg_type_of(out[k]);
    if (!status)
        status = wg_captured_since(tape, "wg_scan", low, out, r->n_out, seen);
    l->operations = wg_operations_since(tape, body);
    return status ? status : captures_staged(tape, seen);
}

/* Types of the node's results, y, and what the first round captures. */
static wg_status first_seen(loop *l, const wg_tensor *carry, const wg_tensor *xs, wg_type *y, wg_captures *known)
{
    const wg_rounds *r = &l->rounds;
    wg_tape *tape = r->tape;
    uint64_t stream = tape->stream;
    wg_captures seen = {0};
    wg_trial trial = wg_trial_begin(tape);
    wg_status status = first_tried(l, carry, xs, &seen);
    wg_trial_end(tape, &trial);
    tape->stream = stream;
    if (!status)
        status = captures_unstaged(tape, seen.n, known);
    for (int k = 0; k < r->n_out && !status; k++) {
        y[k] = l->type[k];
        if (k < r->n_carry)
            continue;
        if (y[k].rank == WG_MAX_RANK)
            return wg_report(tape, "wg_scan", WG_ERROR_SHAPE, "result %d has %d axes: there is none to stack it along",
                             k, y[k].rank);
        memmove(y[k].dim + 1, y[k].dim, (size_t)y[k].rank * sizeof *y[k].dim);
        y[k].dim[0] = r->n;
        y[k].rank++;
    }
    return status;
}

/* Records the node, with the captured nodes that are known, and runs its rounds. */
static wg_status node_recorded(loop *l, const wg_tensor *carry, const wg_tensor *xs, const wg_type *y,
                               const wg_captures *known, wg_captures *seen, wg_tensor *out)
{
    const wg_rounds *r = &l->rounds;
    wg_tape *tape = r->tape;
    size_t n_in = (size_t)(r->n_carry + r->n_xs), n = n_in + (size_t)known->n;
    wg_tensor *operand = wg_arena(tape, (n + 1) * sizeof *operand);
    void **to = wg_arena(tape, (size_t)(r->n_out + 1) * sizeof *to);
    if (!operand || !to || !captures_room(tape, seen, known->n + 16))
        return wg_no_memory(tape, "wg_scan", n * sizeof *operand);
    for (int k = 0; k < r->n_carry; k++)
        operand[k] = carry[k];
    for (int k = 0; k < r->n_xs; k++)
        operand[r->n_carry + k] = xs[k];
    for (int k = 0; k < known->n; k++)
        operand[n_in + (size_t)k] = wg_node_tensor(tape, seen->at[k] = known->at[k]);
    seen->n = known->n;
    wg_closure_options options = {.y = y, .more = l};
    options.f = (wg_closure){.f = halves, .user = l, .n_in = (int)n_in, .n_out = r->n_out, .n_captured = known->n,
                             .captured = known->at, .operations = l->operations,
                             .seed = tape->seed, .stream = tape->stream};
    l->recording = true;
    wg_status status = wg_record_on(tape, &scan_op, &options, operand, (int)n, out, r->n_out);
    l->recording = false;
    for (int k = 0; k < r->n_out && !status; k++)
        to[k] = wg_node_at(tape, out[k].node)->data;
    if (!status)
        status = rounds_run(l, carry, xs, to, seen);
    for (int k = 0; k < r->n_carry && !status; k++)
        memcpy(to[k], l->now + l->offset[k], wg_type_bytes(&l->type[k]));
    if (!status && r->n_out)
        ((wg_closure_options *)(uintptr_t)wg_node_options(wg_node_at(tape, out[0].node)))->y = NULL;
    return status;
}

wg_status wg_scan_again(const wg_rounds *r, const wg_tensor *carry, const wg_tensor *xs, wg_tensor *out)
{
    wg_tape *tape = r->tape;
    size_t types = (size_t)(2 * r->n_out + 1) * sizeof(wg_type);
    loop *l = wg_arena(tape, sizeof *l);
    wg_type *type = wg_arena(tape, types), *y = type + r->n_out;
    if (!l || !type)
        return wg_no_memory(tape, "wg_scan", sizeof *l + types);
    *l = (loop){.rounds = *r, .type = type};
    wg_captures known, seen;
    wg_status status = first_seen(l, carry, xs, y, &known);
    if (!status)
        status = loop_room(l);
    while (!status) {
        uint64_t stream = tape->stream;
        wg_short_mark before = wg_short_at(tape);
        seen = (wg_captures){0};
        status = node_recorded(l, carry, xs, y, &known, &seen, out);
        if (status || seen.n == known.n)
            return status;
        /* Later rounds use more than the first: the node is recorded once more, with that among its operands. */
        status = captures_staged(tape, &seen);
        wg_short_back(tape, before);
        if (!status)
            status = captures_unstaged(tape, seen.n, &known);
        tape->stream = stream;
    }
    return status;
}
