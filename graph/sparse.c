/* Sparse derivatives: forward passes along sums of unit vectors, one a colour of the columns, backward passes with such
 * cotangents, one a colour of the rows; then each entry is read where the plan found it to stand alone. */
#include "graph/pattern.h"
#include "graph/traverse.h"

#include "wengert/elementwise.h"
#include "wengert/indexing.h"
#include "wengert/shape.h"

struct wg_sparsity {
    wg_tape *tape;
    wg_pattern *pattern;
    int64_t *row; /* of each entry */
    wg_plan plan;
    bool symmetric;
    int64_t *by_column_color, *by_row_color; /* columns, rows, by colour */
    int64_t *column_end, *row_end;           /* where those of each colour end */
};

/* ---- Making one -------------------------------------------------------------------------------------------------- */
static void sparsity_release(void *object)
{
    wg_sparsity *s = object;
    wg_tape *tape = s->tape;
    void *rooms[] = {s->row, s->by_column_color, s->by_row_color, s->column_end, s->row_end};
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++)
        wg_room_free(tape, rooms[i]);
    wg_plan_free(tape, &s->plan);
    wg_pattern_free(tape, s->pattern);
    wg_room_free(tape, s);
}

/* The members of each colour, one colour after the other. */
static bool listed(wg_tape *tape, const int32_t *color, int64_t n, int colors, int64_t **list, int64_t **end)
{
    *list = wg_room_new(tape, n, sizeof **list);
    *end = wg_room_new(tape, (int64_t)colors + 1, sizeof **end);
    if (!*list || !*end)
        return false;
    for (int64_t i = 0; color && i < n; i++)
        if (color[i] >= 0)
            (*end)[color[i] + 1]++;
    for (int c = 0; c < colors; c++)
        (*end)[c + 1] += (*end)[c];
    for (int64_t i = 0; color && i < n; i++)
        if (color[i] >= 0)
            (*list)[(*end)[color[i]]++] = i;
    return true;
}

static bool completed(wg_sparsity *s, wg_coloring coloring)
{
    wg_tape *tape = s->tape;
    const wg_pattern *p = s->pattern;
    s->row = wg_room_new(tape, wg_pattern_count(p), sizeof *s->row);
    if (!s->row)
        return false;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t k = p->start[r]; k < p->start[r + 1]; k++)
            s->row[k] = r;
    if (!(s->symmetric ? wg_plan_hessian : wg_plan_jacobian)(tape, p, coloring, &s->plan))
        return false;
    return listed(tape, s->plan.column_color, p->columns, s->plan.columns, &s->by_column_color, &s->column_end) &&
           listed(tape, s->plan.row_color, p->rows, s->plan.rows, &s->by_row_color, &s->row_end);
}

/* Takes the pattern, which is NULL where an error was reported. */
static wg_sparsity *sparsity_of(wg_tape *tape, const char *name, wg_pattern *p, bool symmetric, wg_coloring coloring)
{
    if (!p)
        return NULL;
    wg_pattern *whole = symmetric ? wg_pattern_symmetric(tape, p) : wg_pattern_share(p);
    wg_pattern_free(tape, p);
    wg_sparsity *s = whole ? wg_room_new(tape, 1, sizeof *s) : NULL;
    if (!s) {
        wg_pattern_free(tape, whole);
        wg_no_memory(tape, name, sizeof *s);
        return NULL;
    }
    *s = (wg_sparsity){.tape = tape, .pattern = whole, .symmetric = symmetric};
    if (!completed(s, coloring)) {
        wg_no_memory(tape, name, (size_t)wg_pattern_count(whole) * sizeof *s->row);
        sparsity_release(s);
        return NULL;
    }
    return wg_tape_own(tape, s, sparsity_release) ? NULL : s;
}

static bool coloring_fits(wg_tape *tape, const char *name, wg_coloring coloring, bool symmetric)
{
    bool star = coloring == WG_COLORING_STAR || coloring == WG_COLORING_ACYCLIC;
    if (coloring == WG_COLORING_FEWEST || star == symmetric)
        return true;
    wg_report(tape, name, WG_ERROR_VALUE, symmetric ? "a Hessian is coloured STAR or ACYCLIC"
                                                    : "a Jacobian is coloured by COLUMNS, ROWS or BOTH");
    return false;
}

static bool different(wg_tape *tape, const char *name, const wg_tensor *xs, int n)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < i; k++)
            if (xs[i].node == xs[k].node) {
                wg_report(tape, name, WG_ERROR_VALUE, "input %d is input %d", i, k);
                return false;
            }
    return true;
}

wg_sparsity *(wg_jacobian_sparsity)(const wg_tensor *ys, int n_ys, const wg_tensor *xs, int n,
                                    wg_jacobian_sparsity_options options)
{
    static const char name[] = "wg_jacobian_sparsity";
    wg_tape *tape = n_ys > 0 ? ys[0].tape : NULL;
    if (!tape)
        return NULL;
    uint32_t held = wg_hold_place(tape);
    wg_sparsity *s = NULL;
    if (wg_one_tape(name, ys, n_ys, xs, n) && different(tape, name, xs, n) &&
        coloring_fits(tape, name, options.coloring, false))
        s = sparsity_of(tape, name, wg_pattern_of(tape, name, ys, n_ys, xs, n), false, options.coloring);
    wg_let_go_place(tape, held);
    return s;
}

wg_sparsity *(wg_hessian_sparsity)(wg_tensor y, const wg_tensor *xs, int n, wg_hessian_sparsity_options options)
{
    static const char name[] = "wg_hessian_sparsity";
    wg_tape *tape = y.tape;
    if (!tape)
        return NULL;
    uint32_t held = wg_hold_place(tape);
    wg_pattern *p = NULL;
    if (wg_one_tape(name, &y, 1, xs, n) && different(tape, name, xs, n) &&
        coloring_fits(tape, name, options.coloring, true)) {
        wg_aside aside = wg_aside_begin(tape);
        wg_tensor *grad = wg_recorded_gradient(y, xs, n, name);
        p = grad ? wg_pattern_of(tape, name, grad, n, xs, n) : NULL;
        wg_aside_end(tape, aside);
    }
    wg_sparsity *s = sparsity_of(tape, name, p, true, options.coloring);
    wg_let_go_place(tape, held);
    return s;
}

static bool entries_fit(wg_tape *tape, const char *name, int64_t rows, int64_t columns, int64_t n, const int64_t *row,
                        const int64_t *column, bool symmetric)
{
    if (rows < 0 || columns < 0 || n < 0 || (symmetric && rows != columns)) {
        wg_report(tape, name, WG_ERROR_SHAPE, "%lld rows, %lld columns, %lld entries%s", (long long)rows,
                  (long long)columns, (long long)n, symmetric ? ", symmetric" : "");
        return false;
    }
    if (n && (!row || !column)) {
        wg_report(tape, name, WG_ERROR_VALUE, "the rows or columns of the entries are NULL");
        return false;
    }
    for (int64_t k = 0; k < n; k++)
        if (row[k] < 0 || row[k] >= rows || column[k] < 0 || column[k] >= columns) {
            wg_report(tape, name, WG_ERROR_INDEX, "entry %lld is (%lld, %lld) of %lld rows and %lld columns",
                      (long long)k, (long long)row[k], (long long)column[k], (long long)rows, (long long)columns);
            return false;
        }
    return true;
}

wg_sparsity *(wg_sparsity_new)(wg_tape *tape, int64_t rows, int64_t columns, int64_t n, const int64_t *row,
                               const int64_t *column, wg_sparsity_new_options options)
{
    static const char name[] = "wg_sparsity_new";
    if (!tape)
        return NULL;
    uint32_t held = wg_hold_place(tape);
    wg_sparsity *s = NULL;
    if (entries_fit(tape, name, rows, columns, n, row, column, options.symmetric) &&
        coloring_fits(tape, name, options.coloring, options.symmetric)) {
        wg_pattern *p = wg_pattern_entries(tape, rows, columns, n, row, column);
        if (!p)
            wg_no_memory(tape, name, (size_t)n * sizeof *row);
        s = sparsity_of(tape, name, p, options.symmetric, options.coloring);
    }
    wg_let_go_place(tape, held);
    return s;
}

/* ---- Asking it --------------------------------------------------------------------------------------------------- */
wg_sparse wg_sparsity_pattern(const wg_sparsity *s)
{
    if (!s)
        return (wg_sparse){0};
    const wg_pattern *p = s->pattern;
    return (wg_sparse){p->rows, p->columns, wg_pattern_count(p), p->start, s->row, p->index, WG_NONE};
}

int wg_forward_passes(const wg_sparsity *s) { return s ? s->plan.columns : 0; }
int wg_backward_passes(const wg_sparsity *s) { return s ? s->plan.rows : 0; }

int wg_column_color(const wg_sparsity *s, int64_t column)
{
    bool there = s && column >= 0 && column < s->pattern->columns && s->plan.column_color;
    return there ? s->plan.column_color[column] : -1;
}

int wg_row_color(const wg_sparsity *s, int64_t row)
{
    bool there = s && row >= 0 && row < s->pattern->rows && s->plan.row_color;
    return there ? s->plan.row_color[row] : -1;
}

/* ---- Passes ------------------------------------------------------------------------------------------------------ */
typedef struct {
    const wg_sparsity *s;
    wg_tape *tape;
    const char *name;
    const wg_tensor *ys, *xs;
    int n_ys, n;
    wg_dtype dtype;
    wg_tensor *seed, *result; /* of as many as there are xs and ys */
    bool *reached;
} passes;

static int64_t elements(const wg_tensor *list, int n)
{
    int64_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += wg_node_count(wg_node_at(list[i].tape, list[i].node));
    return sum;
}

/* The sum of the unit vectors of one colour, cut up like `list`; WG_NONE for a tensor that has none of them. */
static wg_status seeded(const passes *p, const wg_tensor *list, int n, const int64_t *members, const int64_t *end,
                        int color)
{
    int64_t at = color ? end[color - 1] : 0, before = 0;
    for (int i = 0; i < n; i++) {
        wg_type type = wg_type_of(list[i]);
        int64_t count = wg_type_count(&type);
        p->seed[i] = WG_NONE;
        if (at < end[color] && members[at] < before + count) {
            p->seed[i] = wg_leaf(p->tape, &type, NULL, WG_NODE_CUT, p->name);
            if (!wg_is_tensor(p->seed[i]))
                return WG_ERROR_MEMORY;
            void *data = wg_node_at(p->tape, p->seed[i].node)->data;
            for (; at < end[color] && members[at] < before + count; at++)
                if (p->dtype == WG_FLOAT32)
                    ((float *)data)[members[at] - before] = 1;
                else
                    ((double *)data)[members[at] - before] = 1;
        }
        before += count;
    }
    return WG_OK;
}

static wg_status pass_forward(const passes *p, int color)
{
    wg_status status = seeded(p, p->xs, p->n, p->s->by_column_color, p->s->column_end, color);
    return status ? status : wg_jvp(p->ys, p->n_ys, p->xs, p->seed, p->n, p->result);
}

static wg_status pass_forward_to(const passes *p, int color, char *to)
{
    wg_status status = pass_forward(p, color);
    for (int k = 0; k < p->n_ys && !status; k++) {
        status = wg_copy_out(p->result[k], to);
        to += (size_t)elements(&p->ys[k], 1) * wg_dtype_size(p->dtype);
    }
    return status;
}

static wg_status pass_backward_to(const passes *p, int color, char *to)
{
    wg_status status = seeded(p, p->ys, p->n_ys, p->s->by_row_color, p->s->row_end, color);
    for (int i = 0; i < p->n && !status; i++) {
        wg_type type = wg_type_of(p->xs[i]);
        p->result[i] = wg_leaf(p->tape, &type, to, WG_NODE_CUT, p->name);
        if (!wg_is_tensor(p->result[i]))
            return WG_ERROR_MEMORY;
        to += (size_t)wg_type_count(&type) * wg_dtype_size(p->dtype);
    }
    wg_pullback pull = {.ys = p->ys, .cotangents = p->seed, .n_ys = p->n_ys, .xs = p->xs, .n_xs = p->n,
                        .result = p->result, .reached = p->reached};
    return status ? status : wg_pull_plain(p->tape, p->name, &pull);
}

#define RECOVER_LOOPS(T)                                                                                               \
    {                                                                                                                  \
        T *all = compressed, *value = values;                                                                          \
        for (int64_t i = 0; i < plan->substitutions; i++)                                                              \
            all[plan->to[i]] -= all[plan->from[i]];                                                                    \
        for (int64_t k = 0; k < n; k++)                                                                                \
            value[k] = all[plan->source[k]];                                                                           \
    }

static void recover(const wg_plan *plan, wg_dtype dtype, int64_t n, void *compressed, void *values)
{
    if (dtype == WG_FLOAT32)
        RECOVER_LOOPS(float)
    else
        RECOVER_LOOPS(double)
}

/* All passes, into values. */
static wg_status plain(const passes *p, void *values)
{
    const wg_plan *plan = &p->s->plan;
    const wg_pattern *pattern = p->s->pattern;
    size_t size = wg_dtype_size(p->dtype), column = (size_t)pattern->rows * size, row = (size_t)pattern->columns * size;
    size_t bytes = (size_t)plan->columns * column + (size_t)plan->rows * row;
    char *compressed = wg_arena_values(p->tape, bytes);
    if (!compressed)
        return wg_no_memory(p->tape, p->name, bytes);
    memset(compressed, 0, bytes);
    char *to = compressed;
    wg_status status = WG_OK;
    p->tape->no_grad++;
    for (int color = 0; color < plan->columns + plan->rows && !status; color++) {
        wg_aside aside = wg_aside_begin(p->tape);
        bool forward = color < plan->columns;
        status = forward ? pass_forward_to(p, color, to) : pass_backward_to(p, color - plan->columns, to);
        to += forward ? column : row;
        wg_aside_end(p->tape, aside);
    }
    p->tape->no_grad--;
    if (!status)
        recover(plan, p->dtype, wg_pattern_count(pattern), compressed, values);
    return status;
}

/* The same as graph code: what the passes give, end to end, and the entries taken from it. */
static wg_status recorded(const passes *p, wg_tensor *values)
{
    const wg_plan *plan = &p->s->plan;
    int64_t n = wg_pattern_count(p->s->pattern), pieces = (int64_t)plan->columns * p->n_ys + (int64_t)plan->rows * p->n;
    wg_tensor *piece = wg_arena(p->tape, (size_t)(pieces + 1) * sizeof *piece), *to = piece;
    wg_tensor source = wg_array(p->tape, WG_INT64, WG_SHAPE(n), plan->source);
    wg_status status =
        piece && wg_is_tensor(source) ? WG_OK : wg_no_memory(p->tape, p->name, (size_t)n * sizeof(int64_t));
    if (!status && pieces > UINT16_MAX)
        status = wg_report(p->tape, p->name, WG_ERROR_UNSUPPORTED,
                           "%lld recorded results of passes; there are at most %d", (long long)pieces, (int)UINT16_MAX);
    for (int color = 0; color < plan->columns && !status; color++) {
        status = pass_forward(p, color);
        for (int k = 0; k < p->n_ys && !status; k++)
            *to++ = wg_reshape(p->result[k], WG_SHAPE(-1));
    }
    for (int color = 0; color < plan->rows && !status; color++) {
        status = seeded(p, p->ys, p->n_ys, p->s->by_row_color, p->s->row_end, color);
        if (!status)
            status = wg_vjp(p->ys, p->seed, p->n_ys, p->xs, p->n, p->result, .create_graph = true);
        for (int i = 0; i < p->n && !status; i++)
            *to++ = wg_reshape(p->result[i], WG_SHAPE(-1));
    }
    if (status)
        return status;
    *values = wg_take(wg_concat(((wg_tensors){piece, (int)pieces})), source, 0);
    return wg_is_tensor(*values) ? WG_OK : p->tape->status;
}

static bool lists_made(passes *p)
{
    size_t n = (size_t)(p->n > p->n_ys ? p->n : p->n_ys) + 1;
    p->seed = wg_arena(p->tape, n * sizeof *p->seed);
    p->result = wg_arena(p->tape, n * sizeof *p->result);
    p->reached = wg_arena(p->tape, n * sizeof *p->reached);
    if (p->seed && p->result && p->reached)
        return true;
    wg_no_memory(p->tape, p->name, n * sizeof *p->seed);
    return false;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */
static wg_status failure_of(const wg_tape *tape) { return tape && tape->status ? tape->status : WG_ERROR_VALUE; }

/* What is evaluated is what the structure was made for; p's ys are then the Jacobian's outputs, or a Hessian's
 * inputs. */
static wg_status structure_fits(const passes *p, bool symmetric)
{
    const wg_sparsity *s = p->s;
    if (!s || s->tape != p->tape)
        return wg_report(p->tape, p->name, WG_ERROR_VALUE,
                         s ? "the sparsity is of another tape" : "the sparsity is NULL");
    if (s->symmetric != symmetric)
        return wg_report(p->tape, p->name, WG_ERROR_VALUE,
                         symmetric ? "the sparsity is a Jacobian's" : "the sparsity is a Hessian's");
    int64_t rows = elements(p->ys, p->n_ys), columns = elements(p->xs, p->n);
    if (rows == s->pattern->rows && columns == s->pattern->columns)
        return WG_OK;
    return wg_report(p->tape, p->name, WG_ERROR_SHAPE, "the sparsity is [%lld, %lld], the matrix [%lld, %lld]",
                     (long long)s->pattern->rows, (long long)s->pattern->columns, (long long)rows, (long long)columns);
}

static wg_tensor *derived(passes *p, wg_tensor y)
{
    wg_tensor *grad = wg_recorded_gradient(y, p->xs, p->n, p->name);
    p->ys = grad;
    return grad;
}

/* Of a Hessian, y is what p->ys is the gradient of, once it was taken; else WG_NONE. */
static wg_status evaluated(passes *p, wg_tensor y, bool record, wg_sparse *out)
{
    int64_t n = wg_pattern_count(p->s->pattern);
    wg_tensor values = WG_NONE;
    wg_status status;
    *out = wg_sparsity_pattern(p->s);
    if (record && p->s->plan.substitutions)
        return wg_report(p->tape, p->name, WG_ERROR_UNSUPPORTED,
                         "an ACYCLIC colouring cannot be recorded: colour it STAR");
    record &= n > 0;
    if (record) {
        bool ready = lists_made(p) && (wg_is_none(y) || derived(p, y));
        status = ready ? recorded(p, &values) : failure_of(p->tape);
    } else {
        values = (wg_full)(p->tape, p->dtype, WG_SHAPE(n), 0);
        if (!wg_is_tensor(values))
            return failure_of(p->tape);
        wg_node_at(p->tape, values.node)->flags |= WG_NODE_CUT;
        wg_node_at(p->tape, values.node)->unrecorded = true;
        wg_aside aside = wg_aside_begin(p->tape);
        bool ready = lists_made(p) && (wg_is_none(y) || derived(p, y));
        status = ready ? plain(p, wg_node_at(p->tape, values.node)->data) : failure_of(p->tape);
        wg_aside_end(p->tape, aside);
    }
    out->values = status ? wg_invalid_on(p->tape) : values;
    return status;
}

static wg_status sparse(passes *p, wg_tensor y, bool record, wg_sparse *out)
{
    bool symmetric = !wg_is_none(y);
    const wg_tensor *ys = symmetric ? &y : p->ys;
    if (!wg_one_tape(p->name, ys, symmetric ? 1 : p->n_ys, p->xs, p->n))
        return failure_of(p->tape);
    p->dtype = wg_type_of(ys[0]).dtype;
    wg_status status = structure_fits(p, symmetric);
    return status ? status : evaluated(p, y, record, out);
}

wg_status (wg_sparse_jacobian)(const wg_sparsity *s, const wg_tensor *ys, int n_ys, const wg_tensor *xs, int n,
                               wg_sparse *out, wg_sparse_jacobian_options options)
{
    passes p = {.s = s, .tape = n_ys > 0 ? ys[0].tape : NULL, .name = "wg_sparse_jacobian", .ys = ys, .n_ys = n_ys,
                .xs = xs, .n = n};
    *out = (wg_sparse){.values = p.tape ? wg_invalid_on(p.tape) : WG_INVALID};
    if (!p.tape)
        return WG_ERROR_VALUE;
    uint32_t held = wg_hold_place(p.tape);
    wg_status status = sparse(&p, WG_NONE, options.create_graph && !p.tape->no_grad, out);
    wg_let_go_place(p.tape, held);
    return status;
}

wg_status (wg_sparse_hessian)(const wg_sparsity *s, wg_tensor y, const wg_tensor *xs, int n, wg_sparse *out,
                              wg_sparse_hessian_options options)
{
    passes p = {.s = s, .tape = y.tape, .name = "wg_sparse_hessian", .ys = xs, .n_ys = n, .xs = xs, .n = n};
    *out = (wg_sparse){.values = p.tape ? wg_invalid_on(p.tape) : WG_INVALID};
    if (!p.tape)
        return WG_ERROR_VALUE;
    uint32_t held = wg_hold_place(p.tape);
    wg_status status = sparse(&p, y, options.create_graph, out);
    wg_let_go_place(p.tape, held);
    return status;
}
