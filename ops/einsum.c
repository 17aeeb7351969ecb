/* einsum: operands are contracted from the left, two at a time. The letters of a pair fall into four kinds: in both and
 * needed later, a stack; in one and needed later, rows or columns; in both and done with, the sum of a product of
 * matrices; in one and done with, summed before. So each pair is a product of stacks of matrices, read in place where
 * strides can say it.
 *
 * The derivative with respect to an operand is an einsum again, of g and the others, giving that one's letters. */
#include "ops/code.h"
#include "ops/matrices.h"

#include <ctype.h>

#include "core/tape.h"
#include "wengert/elementwise.h"
#include "wengert/products.h"
#include "wengert/shape.h"

#define EINSUMS(OP) OP(einsum)
WG_CONTENTS(EINSUMS)

#define LETTERS 52
#define LABELS (LETTERS + WG_MAX_RANK) /* a letter, or an axis that "..." stands for, counted from the right */

/* ---- The equation ------------------------------------------------------------------------------------------------ */
typedef struct {
    int n;
    int8_t at[WG_MAX_RANK];
} labels;

typedef struct {
    labels result;
    int64_t size[LABELS]; /* that its axes broadcast to */
    int terms[LABELS];    /* operands that have it */
} reading;

typedef struct {
    const char *equation;
} wg_einsum_options;
#define wg_einsum_defaults .equation = NULL

static int label_of(char letter) { return letter >= 'a' ? letter - 'a' + 26 : letter - 'A'; }

static wg_status malformed(const wg_call *c, const char *why)
{
    const wg_einsum_options *o = c->options;
    return wg_fail(c, WG_ERROR_VALUE, "equation \"%.80s\": %s", o->equation, why);
}

/* Labels of the term at *text, up to a comma, an arrow or the end. `dots`: axes that "..." stands for. */
static wg_status read_term(const wg_call *c, const char **text, int dots, labels *to)
{
    bool dotted = false;
    to->n = 0;
    for (const char *p = *text;; p++) {
        *text = p;
        if (!*p || *p == ',' || *p == '-')
            return WG_OK;
        if (isspace((unsigned char)*p))
            continue;
        bool is_dots = !strncmp(p, "...", 3);
        if (is_dots && dotted)
            return malformed(c, "\"...\" twice in one term");
        if (!is_dots && !(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z'))
            return malformed(c, "not a letter, a comma, \"...\" or \"->\"");
        int more = is_dots ? dots : 1;
        if (to->n + more > WG_MAX_RANK)
            return malformed(c, "more than 8 axes in one term");
        for (int i = 0; i < more; i++)
            to->at[to->n++] = (int8_t)(is_dots ? LETTERS + dots - 1 - i : label_of(*p));
        if (is_dots)
            p += 2;
        dotted |= is_dots;
    }
}

/* Axes that "..." stands for in a term of `rank` axes: those its letters do not name. */
static int dots_of(const char *term, int rank)
{
    int letters = 0;
    bool dotted = false;
    for (; *term && *term != ',' && *term != '-'; term++) {
        letters += isalpha((unsigned char)*term) != 0;
        dotted |= *term == '.';
    }
    return dotted && rank > letters ? rank - letters : 0;
}

/* Operand i has these labels: of sizes that agree with, or broadcast against, the others'. */
static wg_status enter_operand(const wg_call *c, int i, const labels *term, reading *e)
{
    const wg_type *x = &c->x[i];
    if (term->n != x->rank)
        return wg_fail(c, WG_ERROR_SHAPE, "%s has not the %d axes of its term", wg_show(c, i), term->n);
    bool seen[LABELS] = {false};
    for (int k = 0; k < x->rank; k++) {
        int label = term->at[k];
        int64_t *size = &e->size[label];
        if (*size >= 0 && *size != x->dim[k] && *size != 1 && x->dim[k] != 1)
            return wg_fail(c, WG_ERROR_SHAPE, "axis %d of %s has size %lld where others of its letter have %lld", k,
                           wg_show(c, i), (long long)x->dim[k], (long long)*size);
        if (*size < 0 || *size == 1)
            *size = x->dim[k];
        e->terms[label] += !seen[label];
        for (int other = 0; other < k; other++)
            if (term->at[other] == label && x->dim[other] != x->dim[k])
                return wg_fail(c, WG_ERROR_SHAPE, "%s has no diagonal of axes %d and %d", wg_show(c, i), other, k);
        seen[label] = true;
    }
    return WG_OK;
}

/* Without "->": what "..." stands for, then the letters that occur once, in alphabetical order. */
static wg_status implied_result(const wg_call *c, const int *times, reading *e)
{
    e->result.n = 0;
    for (int label = LABELS - 1; label >= LETTERS; label--)
        if (e->size[label] >= 0)
            e->result.at[e->result.n++] = (int8_t)label;
    for (int label = 0; label < LETTERS; label++) {
        if (times[label] == 1 && e->result.n == WG_MAX_RANK)
            return malformed(c, "a result of more than 8 axes");
        if (times[label] == 1)
            e->result.at[e->result.n++] = (int8_t)label;
    }
    return WG_OK;
}

static wg_status read_result(const wg_call *c, const char *text, reading *e)
{
    int dots = 0;
    while (dots < WG_MAX_RANK && e->size[LETTERS + dots] >= 0)
        dots++;
    bool named[LABELS] = {false};
    if (read_term(c, &text, dots, &e->result))
        return WG_ERROR_VALUE;
    if (*text)
        return malformed(c, "text behind the result");
    for (int k = 0; k < e->result.n; k++) {
        if (e->size[e->result.at[k]] < 0)
            return malformed(c, "a letter of the result is in no operand");
        if (named[e->result.at[k]])
            return malformed(c, "a letter twice in the result");
        named[e->result.at[k]] = true;
    }
    return WG_OK;
}

/* Reads the equation; the labels of operand `which` into `of` (NULL: none asked for). */
static wg_status read_equation(const wg_call *c, int which, labels *of, reading *e)
{
    const char *text = ((const wg_einsum_options *)c->options)->equation;
    int times[LABELS] = {0};
    *e = (reading){0};
    for (int label = 0; label < LABELS; label++)
        e->size[label] = -1;
    for (int i = 0; i < c->n_in; i++) {
        labels term;
        if (i && *text++ != ',')
            return wg_fail(c, WG_ERROR_SHAPE, "the equation has fewer than %d terms, one an operand", c->n_in);
        if (read_term(c, &text, dots_of(text, c->x[i].rank), &term))
            return WG_ERROR_VALUE;
        if (enter_operand(c, i, &term, e))
            return WG_ERROR_SHAPE;
        for (int k = 0; k < term.n; k++)
            times[term.at[k]]++;
        if (of && i == which)
            *of = term;
    }
    if (*text == ',')
        return wg_fail(c, WG_ERROR_SHAPE, "the equation has more terms than operands, %d", c->n_in);
    if (*text == '-' && text[1] != '>')
        return malformed(c, "\"-\" without \">\"");
    return *text ? read_result(c, text + 2, e) : implied_result(c, times, e);
}

static wg_status einsum_type(wg_call *c)
{
    reading e;
    wg_status status = read_equation(c, 0, NULL, &e);
    if (status)
        return status;
    c->y[0] = (wg_type){.dtype = c->dtype, .rank = e.result.n};
    for (int k = 0; k < e.result.n; k++)
        c->y[0].dim[k] = e.size[e.result.at[k]];
    return WG_OK;
}

/* ---- Factors ----------------------------------------------------------------------------------------------------- */
/* An operand, or the product of several: each label once. */
typedef struct {
    const void *data;
    labels of;
    wg_type type;
    int64_t stride[WG_MAX_RANK];
} factor;

/* Where a factor has a label; -1 where it has not. */
static int axis_of(const labels *of, int label)
{
    for (int k = 0; k < of->n; k++)
        if (of->at[k] == label)
            return k;
    return -1;
}

/* Operand i; a label twice is its diagonal, along which both axes step at once. */
static wg_status factor_of(const wg_call *c, int i, factor *to)
{
    labels all;
    reading e;
    int64_t stride[WG_MAX_RANK];
    if (read_equation(c, i, &all, &e))
        return WG_ERROR_VALUE;
    wg_broadcast_strides(&c->x[i], c->stride[i], &c->x[i], stride);
    *to = (factor){.data = c->from[i], .type.dtype = c->dtype};
    for (int k = 0; k < all.n; k++) {
        int axis = axis_of(&to->of, all.at[k]);
        if (axis < 0) {
            axis = to->of.n++;
            to->of.at[axis] = all.at[k];
            to->type.dim[axis] = c->x[i].dim[k];
        }
        to->stride[axis] += stride[k];
    }
    to->type.rank = to->of.n;
    return WG_OK;
}

/* A contiguous factor of these labels, sizes as in `size`, without values yet. */
static wg_status new_factor(const wg_call *c, const labels *of, const int64_t *size, factor *to, void **data)
{
    *to = (factor){.of = *of, .type = {.dtype = c->dtype, .rank = of->n}};
    int64_t step = 1;
    for (int k = of->n - 1; k >= 0; k--) {
        to->type.dim[k] = size[k];
        to->stride[k] = step;
        step *= size[k];
    }
    *data = wg_scratch(c, (size_t)step * wg_dtype_size(c->dtype) + 1);
    to->data = *data;
    return *data ? WG_OK : WG_ERROR_MEMORY;
}

/* Sums in double over the columns of a matrix, [rows, columns] wherever it lies, one a row. */
static void sum_rows(const wg_matrices *m, wg_dtype dtype, void *to)
{
    for (int64_t i = 0; i < m->rows; i++) {
        double sum = 0;
        for (int64_t j = 0; j < m->columns; j++) {
            int64_t at = i * m->row_step + j * m->column_step;
            sum += dtype == WG_FLOAT32 ? (double)((const float *)m->data)[at] : ((const double *)m->data)[at];
        }
        if (dtype == WG_FLOAT32)
            ((float *)to)[i] = (float)sum;
        else
            ((double *)to)[i] = sum;
    }
}

/* Sums over the labels that are not kept. */
static wg_status summed(const wg_call *c, factor *t, const bool *kept)
{
    wg_ints rows = {0}, columns = {0}, none = {0};
    labels of = {0};
    int64_t size[WG_MAX_RANK];
    for (int k = 0; k < t->of.n; k++) {
        wg_ints *group = kept[t->of.at[k]] ? &rows : &columns;
        group->at[group->n++] = k;
        if (group == &rows) {
            size[of.n] = t->type.dim[k];
            of.at[of.n++] = t->of.at[k];
        }
    }
    if (columns.n == 0)
        return WG_OK;
    wg_matrices m;
    void *data;
    factor sums;
    if (wg_matrices_grouped(c, &t->type, t->stride, t->data, none, rows, columns, &m) ||
        new_factor(c, &of, size, &sums, &data))
        return WG_ERROR_MEMORY;
    sum_rows(&m, c->dtype, data);
    *t = sums;
    return WG_OK;
}

/* An axis of size 1 that the other factor's stretches: read as if it were there in full. */
static void stretch(factor *t, int k, int64_t size)
{
    if (t->type.dim[k] != size) {
        t->type.dim[k] = size;
        t->stride[k] = 0;
    }
}

/* a = a times b, without the labels that are not kept. */
static wg_status contract(const wg_call *c, factor *a, factor b, const bool *kept)
{
    bool kept_or_shared[2][LABELS];
    for (int label = 0; label < LABELS; label++) {
        kept_or_shared[0][label] = kept[label] || axis_of(&b.of, label) >= 0;
        kept_or_shared[1][label] = kept[label] || axis_of(&a->of, label) >= 0;
    }
    if (summed(c, a, kept_or_shared[0]) || summed(c, &b, kept_or_shared[1]))
        return WG_ERROR_MEMORY;
    wg_ints lead[2] = {{0}}, sum[2] = {{0}}, rows = {0}, columns = {0};
    for (int k = 0; k < a->of.n; k++) {
        int other = axis_of(&b.of, a->of.at[k]);
        if (other < 0) {
            rows.at[rows.n++] = k;
            continue;
        }
        int64_t size = a->type.dim[k] == 1 ? b.type.dim[other] : a->type.dim[k];
        stretch(a, k, size);
        stretch(&b, other, size);
        wg_ints *group = kept[a->of.at[k]] ? lead : sum;
        group[0].at[group[0].n++] = k;
        group[1].at[group[1].n++] = other;
    }
    for (int k = 0; k < b.of.n; k++)
        if (axis_of(&a->of, b.of.at[k]) < 0)
            columns.at[columns.n++] = k;
    if (lead[0].n + rows.n + columns.n > WG_MAX_RANK)
        return malformed(c, "a product of two operands has more than 8 axes");
    labels of = {0};
    int64_t size[WG_MAX_RANK];
    const wg_ints groups[] = {lead[0], rows, columns};
    for (int g = 0; g < 3; g++)
        for (int i = 0; i < groups[g].n; i++) {
            const factor *from = g < 2 ? a : &b;
            size[of.n] = from->type.dim[groups[g].at[i]];
            of.at[of.n++] = from->of.at[groups[g].at[i]];
        }
    wg_matrices left, right;
    factor product;
    void *data;
    if (wg_matrices_grouped(c, &a->type, a->stride, a->data, lead[0], rows, sum[0], &left) ||
        wg_matrices_grouped(c, &b.type, b.stride, b.data, lead[1], sum[1], columns, &right) ||
        new_factor(c, &of, size, &product, &data) || wg_matrices_product(c, left, right, 1, 0, data))
        return WG_ERROR_MEMORY;
    *a = product;
    return WG_OK;
}

static wg_status einsum_run(const wg_call *c)
{
    reading e;
    factor product;
    if (read_equation(c, 0, NULL, &e) || factor_of(c, 0, &product))
        return WG_ERROR_VALUE;
    bool kept[LABELS] = {false};
    for (int k = 0; k < e.result.n; k++)
        kept[e.result.at[k]] = true;
    for (int i = 1; i < c->n_in; i++) {
        factor next, later;
        bool needed[LABELS];
        memcpy(needed, kept, sizeof needed);
        for (int k = i + 1; k < c->n_in; k++) {
            if (factor_of(c, k, &later))
                return WG_ERROR_VALUE;
            for (int l = 0; l < later.of.n; l++)
                needed[later.of.at[l]] = true;
        }
        if (factor_of(c, i, &next) || contract(c, &product, next, needed))
            return WG_ERROR_MEMORY;
    }
    if (summed(c, &product, kept))
        return WG_ERROR_MEMORY;
    int64_t stride[WG_MAX_RANK];
    for (int k = 0; k < e.result.n; k++)
        stride[k] = product.stride[axis_of(&product.of, e.result.at[k])];
    wg_gather_strided(&c->y[0], stride, product.data, c->to[0]);
    return WG_OK;
}

/* ---- The derivative ---------------------------------------------------------------------------------------------- */
#define MOST_TERMS 64

/* An equation with a letter for each label, being written. */
typedef struct {
    char text[MOST_TERMS * (WG_MAX_RANK + 1) + 16];
    int length;
    wg_tensor in[MOST_TERMS];
    int n;
    char letter[LABELS];
    int letters;
} writing;

static char new_letter(writing *w)
{
    int i = w->letters++;
    return i >= LETTERS ? 0 : (char)(i < 26 ? 'a' + i : 'A' + i - 26);
}

static char letter_of(writing *w, int label)
{
    if (!w->letter[label])
        w->letter[label] = new_letter(w);
    return w->letter[label];
}

static bool add_term(writing *w, wg_tensor x, const char *letters, int n)
{
    if (w->n == MOST_TERMS)
        return false;
    if (w->n)
        w->text[w->length++] = ',';
    for (int i = 0; i < n; i++)
        w->text[w->length++] = letters[i];
    w->in[w->n++] = x;
    return true;
}

static bool add_labels(writing *w, wg_tensor x, const labels *of)
{
    char letters[WG_MAX_RANK];
    for (int k = 0; k < of->n; k++)
        letters[k] = letter_of(w, of->at[k]);
    return add_term(w, x, letters, of->n);
}

/* g and the others give x's letters. A letter that none of them has in full is of ones: y was a sum over it. The second
 * axis of a diagonal gets a letter of its own, tied to the first by an identity matrix. */
static wg_tensor einsum_dx(const wg_call *c, wg_tensor g)
{
    reading e;
    labels own = {0}, term;
    writing w = {.length = 0};
    int64_t size[LABELS] = {0};
    if (read_equation(c, c->which, &own, &e) || !add_labels(&w, g, &e.result))
        return wg_fail_tensor(c, WG_ERROR_VALUE, "too many terms");
    for (int k = 0; k < e.result.n; k++)
        size[e.result.at[k]] = e.size[e.result.at[k]];
    bool fits = true;
    for (int i = 0; i < c->n_in; i++) {
        if (i == c->which || read_equation(c, i, &term, &e))
            continue;
        for (int k = 0; k < term.n; k++)
            if (size[term.at[k]] < c->x[i].dim[k])
                size[term.at[k]] = c->x[i].dim[k];
        fits = fits && add_labels(&w, c->in[i], &term);
    }
    const wg_type *x = &c->x[c->which];
    char result[WG_MAX_RANK];
    for (int k = 0; k < own.n; k++) {
        int label = own.at[k];
        bool again = memchr(own.at, label, (size_t)k) != NULL;
        char first = letter_of(&w, label);
        result[k] = again ? new_letter(&w) : first;
        wg_tensor ones = again || size[label] < x->dim[k] || !x->dim[k]
                             ? wg_full(c->tape, c->dtype, WG_SHAPE(x->dim[k]), 1)
                             : WG_NONE;
        if (again)
            fits = fits && add_term(&w, wg_diag(ones), (char[]){first, result[k]}, 2);
        else if (!wg_is_none(ones))
            fits = fits && add_term(&w, ones, &first, 1);
    }
    if (!fits || w.letters > LETTERS)
        return wg_fail_tensor(c, WG_ERROR_UNSUPPORTED, "the derivative needs more letters or terms than there are");
    memcpy(w.text + w.length, "->", 2);
    memcpy(w.text + w.length + 2, result, (size_t)own.n);
    w.text[w.length + 2 + own.n] = 0;
    return wg_einsum(w.text, ((wg_tensors){w.in, w.n}));
}

/* ---- Its C ------------------------------------------------------------------------------------------------------- */
/* "4 * in8 + in10": where a factor has its element, at indices named by their labels. */
static void indices_put(wg_source *text, const factor *f, const reading *e)
{
    bool any = false;
    for (int k = 0; k < f->of.n; k++) {
        if (f->type.dim[k] == 1 && e->size[f->of.at[k]] != 1)
            continue;
        wg_source_put(text, "%s%lld * in%d", any ? " + " : "", (long long)f->stride[k], f->of.at[k]);
        any = true;
    }
    wg_source_put(text, any ? "]" : "0]");
}

static void letters_begin(wg_code *w, const reading *e, const bool *which)
{
    char name[16];
    for (int l = 0; l < LABELS; l++)
        if (which[l]) {
            snprintf(name, sizeof name, "in%d", l);
            wg_code_for(w, name, e->size[l]);
        }
}

/* Loops over the result's letters around loops over all others. */
static wg_status einsum_c(const wg_call *c, wg_code *w)
{
    reading e;
    bool kept[LABELS] = {false}, gone[LABELS] = {false};
    wg_source product = {.tape = c->tape}, to = {.tape = c->tape};
    if (read_equation(c, 0, NULL, &e))
        return WG_ERROR_VALUE;
    for (int k = 0; k < e.result.n; k++)
        kept[e.result.at[k]] = true;
    factor y = {.of = e.result, .type = c->y[0]};
    int64_t step = 1;
    for (int k = e.result.n; k-- > 0; step *= c->y[0].dim[k])
        y.stride[k] = step;
    for (int i = 0; i < c->n_in; i++) {
        factor f;
        if (factor_of(c, i, &f))
            return WG_ERROR_VALUE;
        wg_source_put(&product, "%s%s[", i ? " * " : "", wg_code_operand(c, i));
        indices_put(&product, &f, &e);
        for (int k = 0; k < f.of.n; k++)
            gone[f.of.at[k]] = !kept[f.of.at[k]];
    }
    indices_put(&to, &y, &e);
    int before = w->depth;
    letters_begin(w, &e, kept);
    int within = w->depth;
    wg_code_line(w, "%s sum = 0;", wg_c_type(w->dtype));
    letters_begin(w, &e, gone);
    wg_source_put(w->to, "%*ssum += %s;\n", 4 * w->depth, "", product.data ? product.data : "0");
    while (w->depth > within)
        wg_code_end(w);
    wg_code_line(w, "y[%s = sum;", to.data ? to.data : "0]");
    while (w->depth > before)
        wg_code_end(w);
    return w->status;
}

WG_OP(einsum) = {
    .name = "einsum",
    .doc = "the sum over the letters that are not behind \"->\" of the product of the operands, whose axes the letters "
           "name",
    .in = {{"x", WG_VARIADIC}},
    .options = WG_SCHEMA(wg_einsum, WG_ATTR_REQUIRED(wg_einsum, equation)),
    .type = einsum_type,
    .run = einsum_run,
    .c = einsum_c,
    .vjp = {einsum_dx},
    .linear = WG_SEPARATELY,
    .saves = "x",
    .samples = {"[2,3] [3,4] equation=ij,jk->ik", "[3,3] equation=ii", "[3,3] equation=ii->i", "[2,3] equation=ij->ji",
                "[2,3] equation=ij->j", "[5,2,3] [5,3,4] equation=bij,bjk",
                "[2,1,2,3] [4,3,2] equation=...ij,...jk->...ik", "[2,3] [3,4] [4,2] equation=ij,jk,kl->il",
                "[2] [3] equation=i,j", "[2,3] [2,3] equation=ij,ij->", "[2,0] [0,3] equation=ij,jk",
                "[3,3,2] [2] equation=iij,j->i", "[2,3] [4] equation=ij,k->ki", "[2,3,2] [2] equation=iji,i->j",
                "[3,3,0] [1] equation=iij,j->i"},
    .strided = true,
};
wg_tensor (wg_einsum)(const char *equation, wg_tensors x)
{
    wg_einsum_options options = {equation};
    return wg_record(&einsum_op, &options, x.at, x.n);
}

WG_FAMILY_OF(summation, "products", EINSUMS)
