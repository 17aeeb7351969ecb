/* The structure of a Jacobian, read off the tape: every element of every node between inputs and outputs has the set of
 * the columns it depends on, and an operation makes its output's sets of its operands' sets. What that takes follows
 * from the operation's entry: see wengert/sparse.h. A node's sets are given back after the last operation that reads
 * them. */
#include "graph/pattern.h"
#include "graph/traverse.h"

typedef struct {
    wg_stretch at;
    wg_pattern **sets; /* a node */
    uint32_t *last;    /* a node: the last call that reads its sets */
    int64_t columns;
    int64_t *mark, marks; /* for wg_weave */
} growth;

static wg_pattern **sets_of(const growth *s, uint32_t i) { return &s->sets[i - s->at.low]; }

/* The sets of operand i of a call; NULL where nothing flows through it. */
static const wg_pattern *operand_sets(const growth *s, const wg_node *node, int i)
{
    uint32_t x = wg_stretch_operand(&s->at, wg_node_in(node), i);
    return x == WG_ABSENT ? NULL : *sets_of(s, x);
}

static wg_weave weave(const growth *s, int64_t rows)
{
    return wg_weave_begin(s->at.tape, rows, s->columns, s->mark, s->marks);
}

static wg_pattern *woven(growth *s, wg_weave *w)
{
    wg_pattern *p = wg_weave_end(w);
    s->marks = w->marks;
    return p;
}

/* ---- Walking a strided array in the order of another shape ------------------------------------------------------- */
typedef struct {
    int rank;
    int64_t dim[WG_MAX_RANK], stride[WG_MAX_RANK], index[WG_MAX_RANK];
    int64_t at;
} walk;

static walk walk_begin(const wg_type *type, const int64_t *stride, int64_t offset)
{
    walk w = {.rank = type->rank, .at = offset};
    memcpy(w.dim, type->dim, sizeof w.dim);
    memcpy(w.stride, stride, (size_t)type->rank * sizeof *stride);
    return w;
}

static void walk_on(walk *w)
{
    for (int a = w->rank - 1; a >= 0; a--) {
        w->at += w->stride[a];
        if (++w->index[a] < w->dim[a])
            return;
        w->at -= w->stride[a] * w->dim[a];
        w->index[a] = 0;
    }
}

/* Row r of the result is row w.at of p, r steps on. */
static wg_pattern *read_along(growth *s, const wg_pattern *p, const wg_type *y, walk w)
{
    int64_t rows = wg_type_count(y);
    wg_weave made = weave(s, rows);
    for (int64_t r = 0; r < rows && !made.failed; r++, walk_on(&w)) {
        int64_t n;
        const int64_t *row = wg_pattern_row(p, w.at, &n);
        wg_weave_add(&made, row, n, 0);
        wg_weave_row(&made);
    }
    return woven(s, &made);
}

/* ---- Sets that all elements share -------------------------------------------------------------------------------- */
static wg_pattern *uniform_of(growth *s, const wg_pattern *const *from, int n, int64_t rows)
{
    wg_weave w = weave(s, 1);
    for (int i = 0; i < n; i++)
        for (int64_t r = 0; from[i] && r < (from[i]->uniform ? 1 : from[i]->rows); r++) {
            int64_t count;
            const int64_t *row = wg_pattern_row(from[i], r, &count);
            wg_weave_add(&w, row, count, 0);
        }
    wg_weave_row(&w);
    wg_pattern *p = woven(s, &w);
    if (p) {
        p->rows = rows;
        p->uniform = true;
    }
    return p;
}

/* ---- The kinds of operations ------------------------------------------------------------------------------------- */
static wg_pattern *of_view(growth *s, const wg_call *c, const wg_node *node)
{
    const wg_pattern *p = operand_sets(s, node, 0);
    int64_t rows = wg_type_count(&c->y[0]), offset = 0, stride[WG_MAX_RANK] = {0};
    if (p->uniform)
        return uniform_of(s, &p, 1, rows);
    const int64_t *contiguous[] = {NULL};
    wg_call first = *c;
    first.stride = contiguous;
    if (c->op->view(&first, stride, &offset)) /* no strides say it: then it is a copy in order */
        return wg_pattern_spread(s->at.tape, p);
    return read_along(s, p, &c->y[0], walk_begin(&c->y[0], stride, offset));
}

static wg_pattern *of_map(growth *s, const wg_call *c, const wg_node *node)
{
    wg_pattern *same = NULL;
    const wg_pattern *from[WG_MAX_OPERANDS];
    walk at[WG_MAX_OPERANDS];
    int n = 0;
    bool alike = true, uniform = true;
    for (int i = 0; i < c->n_in; i++) {
        const wg_pattern *p = operand_sets(s, node, i);
        if (!p || !(wg_vjp_of(c->op, i) || (i < 3 && c->op->map->slope[i])))
            continue;
        int64_t stride[WG_MAX_RANK];
        wg_broadcast_strides(&c->x[i], NULL, &c->y[0], stride);
        at[n] = walk_begin(&c->y[0], stride, 0);
        from[n++] = p;
        same = *sets_of(s, wg_node_in(node)[i]);
        alike &= p == from[0] && wg_type_count(&c->x[i]) == wg_type_count(&c->y[0]);
        uniform &= p->uniform || p->rows == 1;
    }
    int64_t rows = wg_type_count(&c->y[0]);
    if (alike)
        return n ? wg_pattern_share(same) : NULL;
    if (uniform)
        return uniform_of(s, from, n, rows);
    wg_weave w = weave(s, rows);
    for (int64_t r = 0; r < rows && !w.failed; r++) {
        for (int i = 0; i < n; i++) {
            int64_t count;
            const int64_t *row = wg_pattern_row(from[i], at[i].at, &count);
            wg_weave_add(&w, row, count, 0);
            walk_on(&at[i]);
        }
        wg_weave_row(&w);
    }
    return woven(s, &w);
}

/* The operands of a linear call as one array, one after the other. */
typedef struct {
    const wg_pattern **sets; /* [n]; NULL where nothing flows */
    int64_t *base;           /* [n + 1]: elements before each */
    int n;
} row_of_operands;

static bool operands_laid_out(const growth *s, const wg_call *c, const wg_node *node, int first, int n,
                              row_of_operands *to)
{
    to->n = n;
    to->sets = wg_arena(s->at.tape, (size_t)n * sizeof *to->sets);
    to->base = wg_arena(s->at.tape, ((size_t)n + 1) * sizeof *to->base);
    if (!to->sets || !to->base)
        return false;
    to->base[0] = 0;
    for (int i = 0; i < n; i++) {
        to->sets[i] = operand_sets(s, node, first + i);
        to->base[i + 1] = to->base[i] + (wg_is_none(c->in[first + i]) ? 0 : wg_type_count(&c->x[first + i]));
    }
    return true;
}

static int operand_of_element(const row_of_operands *o, int64_t e)
{
    int low = 0, high = o->n;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (o->base[middle] <= e)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void add_elements(wg_weave *w, const row_of_operands *o, const wg_pattern *from, int64_t r)
{
    int64_t n, count;
    const int64_t *element = wg_pattern_row(from, r, &n);
    for (int64_t k = 0; k < n; k++) {
        int i = operand_of_element(o, element[k]);
        if (!o->sets[i])
            continue;
        const int64_t *row = wg_pattern_row(o->sets[i], element[k] - o->base[i], &count);
        wg_weave_add(w, row, count, 0);
    }
}

/* Each operand in turn where the call is linear in each, all of them where it is linear in all together. */
static wg_pattern *of_linear(growth *s, const wg_call *c, const wg_node *node, int output)
{
    wg_pattern *from[WG_MAX_OPERANDS] = {NULL}, *made = NULL;
    row_of_operands laid[WG_MAX_OPERANDS];
    bool jointly = c->op->linear == WG_JOINTLY, uniform = true;
    int parts = jointly ? 1 : c->n_in < WG_MAX_OPERANDS ? c->n_in : WG_MAX_OPERANDS;
    for (int i = 0; i < parts; i++) {
        if (!jointly && !operand_sets(s, node, i))
            continue;
        if (!operands_laid_out(s, c, node, i, jointly ? c->n_in : 1, &laid[i]) ||
            !(from[i] = wg_linear_pattern(c, output, i, laid[i].n)))
            goto done;
        uniform &= from[i]->uniform || from[i]->rows == 1;
    }
    int64_t rows = wg_type_count(&c->y[output]), apart = uniform && rows ? 1 : rows;
    wg_weave w = weave(s, apart);
    for (int64_t r = 0; r < apart && !w.failed; r++) {
        for (int i = 0; i < parts; i++)
            if (from[i])
                add_elements(&w, &laid[i], from[i], r);
        wg_weave_row(&w);
    }
    made = woven(s, &w);
    if (made) {
        made->uniform = apart != rows;
        made->rows = rows;
    }
done:
    for (int i = 0; i < parts; i++)
        wg_pattern_free(s->at.tape, from[i]);
    return made;
}

static wg_pattern *of_any(growth *s, const wg_call *c, const wg_node *node, int output)
{
    const wg_pattern **from = wg_arena(s->at.tape, (size_t)(c->n_in + 1) * sizeof *from);
    if (!from)
        return NULL;
    for (int i = 0; i < c->n_in; i++)
        from[i] = operand_sets(s, node, i);
    return uniform_of(s, from, c->n_in, wg_type_count(&c->y[output]));
}

static wg_pattern *united(growth *s, const wg_pattern *a, const wg_pattern *b)
{
    wg_weave w = weave(s, a->rows);
    for (int64_t r = 0; r < a->rows; r++) {
        int64_t n;
        const int64_t *row = wg_pattern_row(a, r, &n);
        wg_weave_add(&w, row, n, 0);
        row = wg_pattern_row(b, r, &n);
        wg_weave_add(&w, row, n, 0);
        wg_weave_row(&w);
    }
    return woven(s, &w);
}

/* ---- The walk up the tape ---------------------------------------------------------------------------------------- */
static wg_pattern *output_sets(growth *s, const wg_call *c, const wg_node *node, int output)
{
    if (c->op->map)
        return of_map(s, c, node);
    if (c->op->view && wg_vjp_of(c->op, 0))
        return of_view(s, c, node);
    if (c->op->linear)
        return of_linear(s, c, node, output);
    return of_any(s, c, node, output);
}

static wg_status grow_output(growth *s, const wg_call *c, uint32_t first, int k)
{
    uint32_t i = first + (uint32_t)k;
    const wg_node *node = wg_node_at(s->at.tape, first);
    wg_pattern *given = *sets_of(s, i); /* of an input that depends on other inputs */
    wg_pattern *made = output_sets(s, c, node, k);
    if (made && given) {
        wg_pattern *both = united(s, given, made);
        wg_pattern_free(s->at.tape, made);
        made = both;
    }
    if (!made)
        return s->at.tape->status ? s->at.tape->status : wg_no_memory(s->at.tape, s->at.name, sizeof *made);
    wg_pattern_free(s->at.tape, given);
    *sets_of(s, i) = made;
    return WG_OK;
}

static bool flows(const growth *s, uint32_t first, const wg_node *node)
{
    if (node->out || wg_node_is(node, WG_NODE_LEAF))
        return false;
    const uint32_t *in = wg_node_in(node);
    for (int k = 0; k < node->n_in; k++) {
        uint32_t x = wg_stretch_operand(&s->at, in, k);
        if (x != WG_ABSENT && s->last[x - s->at.low] >= first)
            return true;
    }
    return false;
}

static void give_back(growth *s, uint32_t now, const wg_node *node)
{
    const uint32_t *in = wg_node_in(node);
    for (int k = 0; k < node->n_in; k++) {
        uint32_t x = wg_stretch_operand(&s->at, in, k);
        if (x == WG_ABSENT || s->last[x - s->at.low] != now)
            continue;
        wg_pattern_free(s->at.tape, *sets_of(s, x));
        *sets_of(s, x) = NULL;
    }
}

/* From the outputs down: which calls matter, and which of them reads a node's sets last. */
static void find_last(growth *s, const wg_tensor *ys, int n_ys)
{
    for (int k = 0; k < n_ys; k++)
        if (ys[k].node >= s->at.low)
            s->last[ys[k].node - s->at.low] = UINT32_MAX;
    for (uint32_t i = s->at.high + 1; i-- > s->at.low;) {
        const wg_node *node = wg_node_at(s->at.tape, i);
        if (!s->last[i - s->at.low] || wg_node_is(node, WG_NODE_LEAF))
            continue;
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++) {
            uint32_t x = wg_stretch_operand(&s->at, in, k);
            if (x != WG_ABSENT && s->last[x - s->at.low] < i - node->out)
                s->last[x - s->at.low] = i - node->out;
        }
    }
}

static wg_status grow(growth *s)
{
    wg_tape *tape = s->at.tape;
    for (uint32_t i = s->at.low; i <= s->at.high; i++) {
        const wg_node *node = wg_node_at(tape, i);
        if (!flows(s, i, node))
            continue;
        wg_aside aside = wg_aside_begin(tape);
        wg_call *c = wg_call_again(tape, i);
        wg_status status = c ? WG_OK : wg_no_memory(tape, s->at.name, sizeof *c);
        for (int k = 0; k < node->n_out && !status && i + (uint32_t)k <= s->at.high; k++) {
            uint32_t output = i + (uint32_t)k;
            if (*wg_state(&s->at, output) & WG_STATE_NEEDED && s->last[output - s->at.low] &&
                !wg_node_is(wg_node_at(tape, output), WG_NODE_CUT))
                status = grow_output(s, c, i, k);
        }
        wg_aside_end(tape, aside);
        if (status)
            return status;
        give_back(s, i, node);
    }
    return WG_OK;
}

/* The inputs' own sets; false: no memory. */
static bool seeded(growth *s, const wg_tensor *xs, int n)
{
    int64_t first = 0;
    for (int i = 0; i < n; i++) {
        int64_t count = wg_node_count(wg_node_at(s->at.tape, xs[i].node));
        if (xs[i].node <= s->at.high &&
            !(*sets_of(s, xs[i].node) = wg_pattern_identity(s->at.tape, count, s->columns, first)))
            return false;
        first += count;
    }
    return true;
}

/* The outputs' sets, one output after the other. */
static wg_pattern *gathered(growth *s, const wg_tensor *ys, int n_ys, int64_t rows)
{
    wg_weave w = weave(s, rows);
    for (int k = 0; k < n_ys; k++) {
        const wg_pattern *p = ys[k].node >= s->at.low ? *sets_of(s, ys[k].node) : NULL;
        for (int64_t r = 0, m = wg_node_count(wg_node_at(s->at.tape, ys[k].node)); r < m; r++) {
            int64_t n = 0;
            const int64_t *row = p ? wg_pattern_row(p, r, &n) : NULL;
            wg_weave_add(&w, row, n, 0);
            wg_weave_row(&w);
        }
    }
    return woven(s, &w);
}

static wg_pattern *pattern_of(growth *s, const wg_tensor *ys, int n_ys, const wg_tensor *xs, int n)
{
    wg_tape *tape = s->at.tape;
    int64_t rows = 0;
    for (int k = 0; k < n_ys; k++)
        rows += wg_node_count(wg_node_at(tape, ys[k].node));
    for (int i = 0; i < n; i++)
        *wg_state(&s->at, xs[i].node) |= WG_STATE_TARGET;
    wg_stretch_needed(&s->at);
    find_last(s, ys, n_ys);
    if (!seeded(s, xs, n)) {
        wg_no_memory(tape, s->at.name, (size_t)s->columns * sizeof *s->mark);
        return NULL;
    }
    if (grow(s))
        return NULL;
    wg_pattern *p = gathered(s, ys, n_ys, rows);
    if (!p)
        wg_no_memory(tape, s->at.name, (size_t)rows * sizeof *s->mark);
    return p;
}

wg_pattern *wg_pattern_of(wg_tape *tape, const char *name, const wg_tensor *ys, int n_ys, const wg_tensor *xs, int n)
{
    growth s = {.at = {.tape = tape, .name = name, .low = UINT32_MAX}};
    for (int i = 0; i < n; i++) {
        s.at.low = xs[i].node < s.at.low ? xs[i].node : s.at.low;
        s.at.high = xs[i].node > s.at.high ? xs[i].node : s.at.high;
        s.columns += wg_node_count(wg_node_at(tape, xs[i].node));
    }
    for (int k = 0; k < n_ys; k++)
        s.at.high = ys[k].node > s.at.high ? ys[k].node : s.at.high;
    if (s.at.low > s.at.high)
        s.at.low = s.at.high;
    size_t count = (size_t)s.at.high - s.at.low + 1;
    wg_aside aside = wg_aside_begin(tape);
    s.at.state = wg_arena(tape, count);
    s.sets = wg_arena(tape, count * sizeof *s.sets);
    s.last = wg_arena(tape, count * sizeof *s.last);
    s.mark = wg_room_new(tape, s.columns, sizeof *s.mark);
    wg_pattern *p = NULL;
    if (s.at.state && s.sets && s.last && s.mark) {
        memset(s.at.state, 0, count);
        memset(s.last, 0, count * sizeof *s.last);
        memset(s.sets, 0, count * sizeof *s.sets);
        p = pattern_of(&s, ys, n_ys, xs, n);
        for (size_t i = 0; i < count; i++)
            wg_pattern_free(tape, s.sets[i]);
    } else {
        wg_no_memory(tape, name, count * sizeof *s.sets);
    }
    wg_room_free(tape, s.mark);
    wg_aside_end(tape, aside);
    return p;
}
