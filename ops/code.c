/* The C of reductions, of what goes along axes, and of products: nests of loops around a text or a sum. */
#include "ops/code.h"

#include <limits.h>

/* Of indices; texts name their own variables otherwise. */
static const char letters[] = "ijpqrtuv";

/* ---- Over axes --------------------------------------------------------------------------------------------------- */
/* The loops outside: axes that stay; and those of EACH. */
typedef struct {
    int n;
    int64_t dim[WG_MAX_RANK], full[WG_MAX_RANK], own[WG_MAX_RANK]; /* steps in operand 0, and where only these axes
                                                                      are */
    char index[WG_MAX_RANK + 1];
} nest;

/* Neighbouring axes of one kind are one loop. */
static void nests_found(const wg_type *x, unsigned goes, nest *kept, nest *gone)
{
    int64_t step = 1;
    int last = -1;
    for (int i = x->rank; i-- > 0; step *= x->dim[i]) { /* innermost first */
        nest *of = goes >> i & 1 ? gone : kept;
        if (x->dim[i] == 1)
            continue;
        if (of->n && last == (of == gone)) {
            of->dim[of->n - 1] *= x->dim[i];
        } else {
            of->full[of->n] = step;
            of->dim[of->n++] = x->dim[i];
        }
        last = of == gone;
    }
}

static void nest_turned(nest *of, int first_letter)
{
    int64_t step = 1;
    for (int i = 0; i < of->n; step *= of->dim[i++])
        of->own[i] = step;
    for (int i = 0, k = of->n - 1; i < k; i++, k--) {
        int64_t dim = of->dim[i], full = of->full[i], own = of->own[i];
        of->dim[i] = of->dim[k], of->full[i] = of->full[k], of->own[i] = of->own[k];
        of->dim[k] = dim, of->full[k] = full, of->own[k] = own;
    }
    for (int i = 0; i < of->n; i++)
        of->index[i] = letters[first_letter + i];
}

/* Where the word's element is: in an array of operand 0's shape, or of one nest's axes alone. */
static const char *element(wg_code *w, const char *word, const nest *kept, const nest *gone)
{
    wg_source text = {.tape = w->to->tape};
    int64_t step[2 * WG_MAX_RANK];
    char index[2 * WG_MAX_RANK];
    const nest *const nests[] = {kept, gone};
    int n = 0;
    for (int k = 0; k < 2; k++)
        for (int i = 0; nests[k] && i < nests[k]->n; i++) {
            step[n] = kept && gone ? nests[k]->full[i] : nests[k]->own[i];
            index[n++] = nests[k]->index[i];
        }
    wg_source_put(&text, "%s[", word);
    wg_subscript_put(&text, 0, n, step, index);
    wg_source_put(&text, "]");
    return text.data ? text.data : word;
}

void wg_code_word(wg_code *w, const char *word, const char *as)
{
    if (w->n_words < WG_MOST_WORDS) {
        w->word[w->n_words].word = word;
        w->word[w->n_words++].as = as;
    }
}

static void word_found(wg_code *w, const char *word, const char *only_kept, const char *only_gone, const nest *kept,
                       const nest *gone)
{
    bool is_kept = wg_word_in(only_kept, word), is_gone = wg_word_in(only_gone, word);
    wg_code_word(w, word, element(w, word, is_gone ? NULL : kept, is_kept ? NULL : gone));
}

static wg_status over(const wg_call *c, wg_code *w, unsigned goes, const char *only_kept, const char *only_gone,
                      const char *text)
{
    nest kept = {0}, gone = {0};
    wg_source count = {.tape = w->to->tape};
    int64_t n = 1;
    nests_found(&c->x[0], goes, &kept, &gone);
    nest_turned(&kept, 0);
    nest_turned(&gone, kept.n);
    w->n_words = 0;
    for (int i = 0; i < wg_op_operands(c->op); i++)
        word_found(w, c->op->in[i].name, only_kept, only_gone, &kept, &gone);
    for (int k = 0; k < c->n_out; k++)
        word_found(w, wg_code_output(c, k), only_kept, only_gone, &kept, &gone);
    w->n_each = gone.n;
    for (int i = 0; i < gone.n; i++) {
        w->each[i].index = gone.index[i];
        w->each[i].n = gone.dim[i];
        n *= gone.dim[i];
    }
    wg_source_put(&count, "%lld", (long long)n);
    wg_code_word(w, "N", count.data ? count.data : "0");
    for (int i = 0; i < kept.n; i++)
        wg_code_for(w, (const char[]){kept.index[i], 0}, kept.dim[i]);
    wg_status status = wg_code_text(w, text);
    for (int i = 0; i < kept.n; i++)
        wg_code_end(w);
    w->n_words = w->n_each = 0;
    return status;
}

wg_status wg_code_over(const wg_call *c, wg_code *w, const wg_axes *axes, const char *kept, const char *gone,
                       const char *text)
{
    unsigned goes = 0;
    for (int i = 0; i < axes->n; i++)
        goes |= 1u << axes->at[i];
    return over(c, w, goes, kept, gone, text);
}

wg_status wg_code_along(const wg_call *c, wg_code *w, int axis, const char *kept, const char *gone, const char *text)
{
    return over(c, w, 1u << axis, kept, gone, text);
}

wg_status wg_code_lines(const wg_call *c, wg_code *w, int axis, const char *text)
{
    wg_type full;
    wg_source at[2] = {{.tape = c->tape}, {.tape = c->tape}};
    if (wg_broadcast_shapes(c, &c->x[0], &c->x[1], &full))
        return WG_ERROR_SHAPE;
    axis = axis < 0 ? axis + full.rank : axis;
    int64_t inner = 1;
    for (int r = axis + 1; r < full.rank; r++)
        inner *= full.dim[r];
    for (int k = 0; k < 2; k++) {
        int64_t step[WG_MAX_RANK];
        wg_broadcast_strides(&c->x[k], c->stride ? c->stride[k] : NULL, &full, step);
        wg_code_size(w, k ? "step_b" : "step_a", step[axis]);
        for (int r = 0; r < full.rank; r++)
            step[r] = r == axis || full.dim[r] == 1 ? 0 : step[r];
        wg_subscript_put(&at[k], 0, full.rank, step, letters);
    }
    wg_code_size(w, "length", full.dim[axis]);
    wg_code_size(w, "inner", inner);
    wg_code_line(w, "int line = 0;");
    for (int r = 0; r < full.rank; r++)
        if (r != axis)
            wg_code_for(w, (const char[]){letters[r], 0}, full.dim[r]);
    wg_code_line(w, "const int at_a = %s;", at[0].data ? at[0].data : "0");
    wg_code_line(w, "const int at_b = %s;", at[1].data ? at[1].data : "0");
    wg_status status = wg_code_text(w, text);
    for (int r = 0; r < full.rank; r++)
        if (r != axis)
            wg_code_end(w);
    return status;
}

/* ---- Elements moved ---------------------------------------------------------------------------------------------- */
void wg_code_fill(wg_code *w, const char *word, int64_t n, const char *value)
{
    wg_code_line(w, "for (int i = 0; i < %lld; i++)", (long long)n);
    wg_code_line(w, "    %s[i] = %s;", word, value);
}

static const char *subscript(wg_code *w, const wg_type *shape, const wg_code_array *of)
{
    wg_source text = {.tape = w->to->tape};
    int64_t own[WG_MAX_RANK], step = 1;
    for (int i = shape->rank; i-- > 0; step *= shape->dim[i])
        own[i] = of->stride ? of->stride[i] : step;
    for (int i = 0; i < shape->rank; i++)
        own[i] = shape->dim[i] == 1 ? 0 : own[i];
    wg_subscript_put(&text, of->offset, shape->rank, own, letters);
    return text.data ? text.data : "0";
}

void wg_code_move(wg_code *w, const wg_type *shape, wg_code_array to, const char *operator, wg_code_array from)
{
    const char *at = subscript(w, shape, &to), *of = subscript(w, shape, &from);
    int before = w->depth;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] == 1)
            continue;
        wg_code_line(w, "for (int %c = 0; %c < %lld; %c++)", letters[i], letters[i], (long long)shape->dim[i],
                     letters[i]);
        w->depth++;
    }
    wg_code_line(w, "%s[%s] %s %s[%s];", to.word, at, operator, from.word, of);
    w->depth = before;
}

wg_status wg_code_paired(const wg_call *c, wg_code *w, const wg_type *shape, const int64_t *a, const int64_t *b,
                         const char *text)
{
    const char *word[] = {c->op->in[0].name, c->op->in[1].name, "y"};
    const int64_t *const stride[] = {a, b, NULL};
    for (int k = 0; k < 3; k++) {
        wg_source as = {.tape = c->tape};
        wg_source_put(&as, "%s[%s]", word[k], subscript(w, shape, &(wg_code_array){word[k], 0, stride[k]}));
        wg_code_word(w, word[k], as.data ? as.data : word[k]);
    }
    for (int i = 0; i < shape->rank; i++)
        wg_code_for(w, (const char[]){letters[i], 0}, shape->dim[i]);
    wg_status status = wg_code_text(w, text);
    for (int i = 0; i < shape->rank; i++)
        wg_code_end(w);
    w->n_words = 0;
    return status;
}

/* "3 * at1[j]" for an axis with a list, which is put; "3 * j" for any other. */
static void index_put(wg_code *w, int axis, int64_t step, const wg_type *y, const int64_t *list, wg_source *at,
                      wg_source *out)
{
    char name[24], index[40];
    bool leaves = false;
    snprintf(name, sizeof name, "at%d", axis);
    snprintf(index, sizeof index, list ? "%s[%c]" : "%.0s%c", name, letters[axis]);
    if (list)
        wg_code_sizes(w, name, (int)y->dim[axis], list);
    for (int64_t i = 0; list && i < y->dim[axis]; i++)
        leaves |= list[i] < 0;
    wg_source_put(at, "%s%lld * %s", at->size ? " + " : "", (long long)step, index);
    if (leaves)
        wg_source_put(out, "%s%s < 0", out->size ? " || " : "", index);
}

wg_status wg_code_indexed(wg_code *w, const wg_type *x, const wg_type *y, int64_t *const *index, bool back,
                          double outside)
{
    wg_source at_x = {.tape = w->to->tape}, at_y = at_x, out = at_x, value = at_x;
    int64_t step_x = 1, step_y = 1;
    if (back)
        wg_code_fill(w, "y", wg_type_count(x), "0");
    for (int k = y->rank; k-- > 0; step_x *= x->dim[k], step_y *= y->dim[k]) {
        index_put(w, k, step_x, y, index[k], &at_x, &out);
        wg_source_put(&at_y, "%s%lld * %c", at_y.size ? " + " : "", (long long)step_y, letters[k]);
    }
    wg_source_number(&value, x->dtype, outside, false);
    if (w->to->tape->status)
        return w->to->tape->status;
    for (int k = 0; k < y->rank; k++)
        wg_code_for(w, (const char[]){letters[k], 0}, y->dim[k]);
    const char *of_x = at_x.size ? at_x.data : "0", *of_y = at_y.size ? at_y.data : "0";
    if (back && out.size)
        wg_code_line(w, "if (!(%s))", out.data);
    if (back)
        wg_code_line(w, "%sy[%s] += x[%s];", out.size ? "    " : "", of_x, of_y);
    else if (out.size)
        wg_code_line(w, "y[%s] = %s ? %s : x[%s];", of_y, out.data, value.data, of_x);
    else
        wg_code_line(w, "y[%s] = x[%s];", of_y, of_x);
    for (int k = 0; k < y->rank; k++)
        wg_code_end(w);
    return w->status;
}

/* ---- Products ---------------------------------------------------------------------------------------------------- */
static void steps_of(const wg_matrices *m, int rank, int64_t *step)
{
    int lead = rank - m->rank;
    for (int i = 0; i < rank; i++)
        step[i] = i < lead || m->dim[i - lead] == 1 ? 0 : m->step[i - lead];
}

/* y = a b for each combination of the leading axes, in their loops, and where matrix and element are in all three. */
typedef struct {
    wg_matrices a, b;
    const char *a_word, *b_word, *bias; /* NULL: none */
    int rank;
    int64_t dim[WG_MAX_RANK], at_a[WG_MAX_RANK + 3], at_b[WG_MAX_RANK + 3], at_y[WG_MAX_RANK + 3];
    char index[WG_MAX_RANK + 4];
} product;

static void product_found(product *p)
{
    const wg_matrices *a = &p->a, *b = &p->b;
    int rank = p->rank = a->rank > b->rank ? a->rank : b->rank;
    int64_t step = a->rows * b->columns;
    steps_of(a, rank, p->at_a);
    steps_of(b, rank, p->at_b);
    for (int i = rank; i-- > 0; step *= p->dim[i]) {
        int64_t of_a = i < rank - a->rank ? 1 : a->dim[i - rank + a->rank];
        int64_t of_b = i < rank - b->rank ? 1 : b->dim[i - rank + b->rank];
        p->dim[i] = of_a == 1 ? of_b : of_a;
        p->at_y[i] = step;
        p->index[i] = letters[2 + i];
    }
    memcpy(p->index + rank, "ikj", 3);
    p->at_a[rank] = a->row_step, p->at_a[rank + 1] = a->column_step, p->at_a[rank + 2] = 0;
    p->at_b[rank] = 0, p->at_b[rank + 1] = b->row_step, p->at_b[rank + 2] = b->column_step;
    p->at_y[rank] = b->columns, p->at_y[rank + 1] = 0, p->at_y[rank + 2] = 1;
}

/* Rows of y are sums of rows of b, so that the innermost loop goes along both. Where b lies by columns instead,
 * elements of y are sums along it, in lanes that a compiler can keep side by side. */
static void product_loops(const product *p, wg_code *w)
{
    wg_source text[3] = {{.tape = w->to->tape}, {.tape = w->to->tape}, {.tape = w->to->tape}};
    const wg_matrices *b = &p->b;
    wg_subscript_put(&text[0], 0, p->rank + 3, p->at_a, p->index);
    wg_subscript_put(&text[1], 0, p->rank + 3, p->at_b, p->index);
    wg_subscript_put(&text[2], 0, p->rank + 3, p->at_y, p->index);
    if (w->to->tape->status)
        return;
    wg_code_for(w, "i", p->a.rows);
    const char *from = p->bias ? p->bias : "0", *at = p->bias ? "[j]" : "", *type = wg_c_type(w->dtype);
    if (b->row_step == 1 && b->column_step != 1 && b->columns > 1) {
        wg_code_for(w, "j", b->columns);
        wg_code_line(w, "%s sum = %s%s;", type, from, at);
        wg_code_line(w, "for (int k = 0; k < %lld; k++)", (long long)b->rows);
        wg_code_line(w, "    sum += %s[%s] * %s[%s];", p->a_word, text[0].data, p->b_word, text[1].data);
        wg_code_line(w, "y[%s] = sum;", text[2].data);
    } else {
        wg_code_line(w, "for (int j = 0; j < %lld; j++)", (long long)b->columns);
        wg_code_line(w, "    y[%s] = %s%s;", text[2].data, from, at);
        wg_code_for(w, "k", b->rows);
        wg_code_line(w, "const %s factor = %s[%s];", type, p->a_word, text[0].data);
        wg_code_line(w, "for (int j = 0; j < %lld; j++)", (long long)b->columns);
        wg_code_line(w, "    y[%s] += factor * %s[%s];", text[2].data, p->b_word, text[1].data);
    }
    wg_code_end(w);
    wg_code_end(w);
}

/* How CBLAS is told of the matrix: whether it lies by columns, and how far apart these, or the rows, are. False where
 * neither have their elements side by side. */
static bool order_found(const wg_matrices *m, const char **order, int64_t *apart)
{
    bool by_rows = m->columns <= 1 || m->column_step == 1, by_columns = m->rows <= 1 || m->row_step == 1;
    int64_t row_step = m->rows > 1 ? m->row_step : m->columns, column_step = m->columns > 1 ? m->column_step : m->rows;
    if (by_rows && row_step >= m->columns) {
        *order = "CblasNoTrans";
        *apart = row_step > 1 ? row_step : 1;
    } else if (by_columns && column_step >= m->rows) {
        *order = "CblasTrans";
        *apart = column_step > 1 ? column_step : 1;
    } else {
        return false;
    }
    return *apart <= INT_MAX;
}

/* The pointer to the matrix that the loops are at. */
static const char *matrix_at(const product *p, wg_code *w, const char *word, const int64_t *step)
{
    wg_source text = {.tape = w->to->tape};
    wg_source_put(&text, "%s", word);
    if (p->rank) {
        wg_source_put(&text, " + ");
        wg_subscript_put(&text, 0, p->rank, step, p->index);
    }
    return text.data ? text.data : word;
}

/* The same by a call of CBLAS; false, and nothing put, where it cannot say it. */
static bool product_called(const product *p, wg_code *w)
{
    const char *order_a, *order_b;
    int64_t apart_a, apart_b, m = p->a.rows, n = p->b.columns, k = p->b.rows;
    if (!w->blas || !wg_is_float(w->dtype) || m > INT_MAX || n > INT_MAX || k > INT_MAX ||
        !order_found(&p->a, &order_a, &apart_a) || !order_found(&p->b, &order_b, &apart_b))
        return false;
    const char letter = w->dtype == WG_FLOAT32 ? 's' : 'd', *suffix = w->dtype == WG_FLOAT32 ? "F" : "";
    const char *y = matrix_at(p, w, "y", p->at_y);
    if (p->bias) {
        wg_code_for(w, "i", m);
        wg_code_line(w, "for (int j = 0; j < %lld; j++)", (long long)n);
        wg_code_line(w, p->rank ? "    (%s)[%lld * i + j] = %s[j];" : "    %s[%lld * i + j] = %s[j];", y, (long long)n,
                     p->bias);
        wg_code_end(w);
    }
    wg_code_line(w, "cblas_%cgemm(CblasRowMajor, %s, %s, %lld, %lld, %lld, 1.0%s, %s, %lld,", letter, order_a, order_b,
                 (long long)m, (long long)n, (long long)k, suffix, matrix_at(p, w, p->a_word, p->at_a),
                 (long long)apart_a);
    wg_code_line(w, "            %s, %lld, %d.0%s, %s, %lld);", matrix_at(p, w, p->b_word, p->at_b), (long long)apart_b,
                 p->bias != NULL, suffix, y, (long long)n);
    w->calls_blas = true;
    return true;
}

wg_status wg_code_product(wg_code *w, wg_matrices a, const char *a_word, wg_matrices b, const char *b_word,
                          const char *bias)
{
    product p = {.a = a, .b = b, .a_word = a_word, .b_word = b_word, .bias = bias};
    product_found(&p);
    for (int i = 0; i < p.rank; i++)
        wg_code_for(w, (const char[]){p.index[i], 0}, p.dim[i]);
    if (!product_called(&p, w))
        product_loops(&p, w);
    for (int i = 0; i < p.rank; i++)
        wg_code_end(w);
    return w->to->tape->status ? w->to->tape->status : w->status;
}

/* The steps of x along the loops, `at` from one of them on for the listed axes, and their sizes. */
static void axes_put(const wg_call *c, int operand, wg_ints axes, int at, int64_t *step, int64_t *dim)
{
    const wg_type *x = &c->x[operand];
    int64_t own[WG_MAX_RANK], next = 1;
    for (int i = x->rank; i-- > 0; next *= x->dim[i])
        own[i] = c->stride && c->stride[operand] ? c->stride[operand][i] : next;
    for (int i = 0; i < axes.n; i++) {
        step[at + i] = own[axes.at[i]];
        dim[at + i] = x->dim[axes.at[i]];
    }
}

wg_status wg_code_contraction(const wg_call *c, wg_code *w, wg_ints left_a, wg_ints sum_a, wg_ints left_b,
                              wg_ints sum_b)
{
    static const char index[] = "ijpqrtuvdefghklmnosvz";
    int64_t step[3][3 * WG_MAX_RANK] = {{0}}, dim[3 * WG_MAX_RANK], next = 1;
    int lead = left_a.n + left_b.n, n = lead + sum_a.n;
    wg_source text[3] = {{.tape = c->tape}, {.tape = c->tape}, {.tape = c->tape}};
    if (n >= (int)sizeof index - 1)
        return wg_fail(c, WG_ERROR_UNSUPPORTED, "its C would have %d loops", n);
    axes_put(c, 0, left_a, 0, step[0], dim);
    axes_put(c, 1, left_b, left_a.n, step[1], dim);
    axes_put(c, 1, sum_b, lead, step[1], dim);
    axes_put(c, 0, sum_a, lead, step[0], dim);
    for (int i = lead; i-- > 0; next *= dim[i])
        step[2][i] = next;
    for (int k = 0; k < 3; k++)
        wg_subscript_put(&text[k], 0, n, step[k], index);
    if (c->tape->status)
        return c->tape->status;
    for (int i = 0; i < lead; i++)
        wg_code_for(w, (const char[]){index[i], 0}, dim[i]);
    wg_code_line(w, "%s sum = 0;", wg_c_type(w->dtype));
    for (int i = lead; i < n; i++)
        wg_code_for(w, (const char[]){index[i], 0}, dim[i]);
    wg_code_line(w, "sum += %s[%s] * %s[%s];", c->op->in[0].name, text[0].data, c->op->in[1].name, text[1].data);
    for (int i = lead; i < n; i++)
        wg_code_end(w);
    wg_code_line(w, "y[%s] = sum;", text[2].data);
    for (int i = 0; i < lead; i++)
        wg_code_end(w);
    return w->status;
}
