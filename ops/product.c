/* Products of matrices and vectors. Every one of them becomes products of stacks of matrices (ops/matrices.h), and so
 * does every derivative: a product is linear in each factor, so the rules say the same with one factor exchanged. */
#include "ops/code.h"
#include "ops/matrices.h"

#include "core/tape.h"
#include "wengert/elementwise.h"
#include "wengert/products.h"
#include "wengert/shape.h"

#define PRODUCTS(OP) OP(matmul) OP(linear) OP(bmm) OP(addmm) OP(bilinear) OP(inner) OP(outer) OP(tensordot)
WG_CONTENTS(PRODUCTS)

/* The sum of two tangents, of which either may be zero and absent. */
static wg_tensor plus(wg_tensor a, wg_tensor b) { return wg_is_none(a) ? b : wg_is_none(b) ? a : wg_add(a, b); }

/* x [..., n] as [rows, n]. */
static wg_tensor as_rows(wg_tensor x)
{
    wg_type type = wg_type_of(x);
    if (type.rank == 2 || !wg_is_tensor(x)) /* it failed */
        return x;
    int64_t rows = 1;
    for (int i = 0; i < type.rank - 1; i++)
        rows *= type.dim[i];
    return wg_reshape(x, WG_SHAPE(rows, type.dim[type.rank - 1]));
}

static wg_tensor in_shape_of(wg_tensor x, const wg_type *type)
{
    wg_type has = wg_type_of(x);
    return wg_type_equal(&has, type) ? x : wg_reshape(x, wg_type_shape(type));
}

static wg_status inner_sizes_differ(const wg_call *c, int a, int b)
{
    return wg_fail(c, WG_ERROR_SHAPE, "inner dimensions differ: %s times %s", wg_show(c, a), wg_show(c, b));
}

/* ---- matmul ------------------------------------------------------------------------------------------------------ */
static wg_status matmul_type(wg_call *c)
{
    const wg_type *a = &c->x[0], *b = &c->x[1];
    for (int i = 0; i < 2; i++)
        if (c->x[i].rank == 0)
            return wg_fail(c, WG_ERROR_SHAPE, "%s is 0-d, neither a matrix nor a vector", wg_show(c, i));
    if (a->dim[a->rank - 1] != b->dim[b->rank > 1 ? b->rank - 2 : 0])
        return inner_sizes_differ(c, 0, 1);
    wg_type stack_a = *a, stack_b = *b, *y = &c->y[0];
    stack_a.rank = a->rank > 2 ? a->rank - 2 : 0;
    stack_b.rank = b->rank > 2 ? b->rank - 2 : 0;
    if (wg_broadcast_shapes(c, &stack_a, &stack_b, y))
        return WG_ERROR_SHAPE;
    y->dtype = c->dtype;
    if (a->rank > 1)
        y->dim[y->rank++] = a->dim[a->rank - 2];
    if (b->rank > 1)
        y->dim[y->rank++] = b->dim[b->rank - 1];
    return WG_OK;
}

static wg_status matmul_run(const wg_call *c)
{
    return wg_matrices_product(c, wg_matrices_of(c, 0, true), wg_matrices_of(c, 1, false), 1, 0, c->to[0]);
}

static wg_status matmul_c(const wg_call *c, wg_code *w)
{
    return wg_code_product(w, wg_matrices_of(c, 0, true), c->op->in[0].name, wg_matrices_of(c, 1, false),
                           c->op->in[1].name, c->n_in > 2 && wg_given(c, 2) ? c->op->in[2].name : NULL);
}

static double matmul_flops(const wg_call *c)
{
    return 2 * (double)wg_type_count(&c->y[0]) * (double)c->x[0].dim[c->x[0].rank - 1];
}

/* Of y = a b: da = g b', db = a' g, where a vector's cotangent is a vector again. */
static wg_tensor matmul_da(const wg_call *c, wg_tensor g)
{
    wg_tensor b = c->in[1];
    int of_a = c->x[0].rank, of_b = c->x[1].rank;
    if (of_a > 1)
        return of_b > 1 ? wg_matmul(g, wg_matrix_transpose(b)) : wg_matmul(wg_expand_dims(g, -1), wg_expand_dims(b, 0));
    if (of_b == 1)
        return wg_multiply(g, b);
    return of_b == 2 ? wg_matmul(b, g) : wg_squeeze(wg_matmul(b, wg_expand_dims(g, -1)), .axis = -1);
}

/* A matrix b that all of a stack a multiplies: one product of the tall matrices sums over the stack. */
static wg_tensor matmul_db(const wg_call *c, wg_tensor g)
{
    wg_tensor a = c->in[0];
    int of_a = c->x[0].rank, of_b = c->x[1].rank;
    if (of_a == 1 && of_b == 1)
        return wg_multiply(g, a);
    if (of_a == 1)
        return wg_matmul(wg_expand_dims(a, -1), wg_expand_dims(g, -2));
    if (of_b == 1)
        return wg_matmul(wg_reshape(g, WG_SHAPE(wg_size(g))), as_rows(a));
    if (of_b == 2)
        return wg_matmul(wg_matrix_transpose(as_rows(a)), as_rows(g));
    return wg_matmul(wg_matrix_transpose(a), g);
}

WG_OP(matmul) = {
    .name = "matmul",
    .doc = "y = a b: [..., n, k] times [..., k, m] gives [..., n, m]; a vector is a row on the left, a column on the "
           "right",
    .source = "Giles 2008, 2.2.2",
    .in = {{"a", 0}, {"b", 0}},
    .type = matmul_type,
    .run = matmul_run,
    .c = matmul_c,
    .vjp = {matmul_da, matmul_db},
    .linear = WG_SEPARATELY,
    .saves = "a b",
    .lanes = WG_LANES_LEADING,
    .samples = {"[2,3] [3,4]", "[5,1,2,3] [4,3,2]", "[2,0] [0,3]", "[3] [3]", "[2,3] [3]", "[4,2,3] [3]", "[3] [3,2]",
                "[3] [4,3,2]", "[2,3] [4,3,2]", "[0,3] [3,2]", "[2,1,3,2] [2,2]"},
    .flops = matmul_flops,
    .strided = true,
};
wg_tensor (wg_matmul)(wg_tensor a, wg_tensor b) { return WG_RECORD(matmul, NULL, a, b); }

/* ---- linear ------------------------------------------------------------------------------------------------------ */
static wg_status linear_type(wg_call *c)
{
    const wg_type *x = &c->x[0], *w = &c->x[1], *b = &c->x[2];
    if (x->rank < 1)
        return wg_fail(c, WG_ERROR_SHAPE, "%s has no last axis", wg_show(c, 0));
    if (w->rank != 2)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not a matrix [in, out]", wg_show(c, 1));
    if (x->dim[x->rank - 1] != w->dim[0])
        return inner_sizes_differ(c, 0, 1);
    if (wg_given(c, 2) && (b->rank != 1 || b->dim[0] != w->dim[1]))
        return wg_fail(c, WG_ERROR_SHAPE, "%s does not fit the columns of %s", wg_show(c, 2), wg_show(c, 1));
    c->y[0] = *x;
    c->y[0].dim[x->rank - 1] = w->dim[1];
    return WG_OK;
}

/* y starts as the bias in every row, and the product is added to it. */
static wg_status linear_run(const wg_call *c)
{
    if (wg_given(c, 2)) {
        int64_t stride[WG_MAX_RANK];
        wg_broadcast_strides(&c->x[2], c->stride[2], &c->y[0], stride);
        wg_gather_strided(&c->y[0], stride, c->from[2], c->to[0]);
    }
    return wg_matrices_product(c, wg_matrices_of(c, 0, true), wg_matrices_of(c, 1, false), 1, wg_given(c, 2), c->to[0]);
}

static wg_tensor linear_dx(const wg_call *c, wg_tensor g) { return wg_matmul(g, wg_matrix_transpose(c->in[1])); }
static wg_tensor linear_dw(const wg_call *c, wg_tensor g)
{
    return wg_matmul(wg_matrix_transpose(as_rows(c->in[0])), as_rows(g));
}
static wg_tensor as_it_came(const wg_call *c, wg_tensor g)
{
    (void)c;
    return g;
}

static wg_tensor linear_jvp(const wg_call *c)
{
    wg_tensor tx = c->t[0], tw = c->t[1], tb = c->n_in > 2 ? c->t[2] : WG_NONE;
    wg_tensor by_w = wg_is_none(tw) ? WG_NONE : wg_linear(c->in[0], tw, tb);
    wg_tensor by_x = wg_is_none(tx) ? WG_NONE : wg_linear(tx, c->in[1], wg_is_none(tw) ? tb : WG_NONE);
    return wg_is_none(tx) && wg_is_none(tw) ? wg_broadcast_to(tb, wg_type_shape(&c->y[0])) : plus(by_w, by_x);
}

/* Of the product, and an addition for each sum. */
static double linear_flops(const wg_call *c)
{
    return matmul_flops(c) + (c->n_in > 2 && wg_given(c, 2) ? (double)wg_type_count(&c->y[0]) : 0);
}

WG_OP(linear) = {
    .name = "linear",
    .doc = "y = x w + b: x [..., in], w [in, out], b [out] or absent",
    .in = {{"x", 0}, {"w", 0}, {"b", WG_OPTIONAL}},
    .type = linear_type,
    .run = linear_run,
    .c = matmul_c,
    .vjp = {linear_dx, linear_dw, as_it_came},
    .jvp = linear_jvp,
    .saves = "x w",
    .samples = {"[2,3] [3,4] [4]", "[2,3] [3,4] -", "[5,2,3] [3,4] [4]", "[3] [3,2] [2]", "[0,3] [3,2] [2]",
                "[2,0] [0,3] [3]"},
    .flops = linear_flops,
    .strided = true,
};
wg_tensor (wg_linear)(wg_tensor x, wg_tensor w, wg_tensor b) { return WG_RECORD(linear, NULL, x, w, b); }

/* ---- bmm --------------------------------------------------------------------------------------------------------- */
static wg_status bmm_type(wg_call *c)
{
    const wg_type *a = &c->x[0], *b = &c->x[1];
    for (int i = 0; i < 2; i++)
        if (c->x[i].rank != 3)
            return wg_fail(c, WG_ERROR_SHAPE, "%s is not a stack of matrices [B, n, k]", wg_show(c, i));
    if (a->dim[0] != b->dim[0])
        return wg_fail(c, WG_ERROR_SHAPE, "stacks differ in length: %s times %s", wg_show(c, 0), wg_show(c, 1));
    if (a->dim[2] != b->dim[1])
        return inner_sizes_differ(c, 0, 1);
    c->y[0] = *a;
    c->y[0].dim[2] = b->dim[2];
    return WG_OK;
}

static wg_tensor bmm_da(const wg_call *c, wg_tensor g) { return wg_bmm(g, wg_matrix_transpose(c->in[1])); }
static wg_tensor bmm_db(const wg_call *c, wg_tensor g) { return wg_bmm(wg_matrix_transpose(c->in[0]), g); }

WG_OP(bmm) = {
    .name = "bmm",
    .doc = "y[i] = a[i] b[i]: [B, n, k] times [B, k, m]",
    .in = {{"a", 0}, {"b", 0}},
    .type = bmm_type,
    .run = matmul_run,
    .c = matmul_c,
    .vjp = {bmm_da, bmm_db},
    .linear = WG_SEPARATELY,
    .saves = "a b",
    .samples = {"[2,2,3] [2,3,4]", "[0,2,3] [0,3,4]", "[2,2,0] [2,0,3]", "[1,3,3] [1,3,3]"},
    .flops = matmul_flops,
    .strided = true,
};
wg_tensor (wg_bmm)(wg_tensor a, wg_tensor b) { return WG_RECORD(bmm, NULL, a, b); }

/* ---- addmm ------------------------------------------------------------------------------------------------------- */
static wg_status addmm_type(wg_call *c)
{
    const wg_type *a = &c->x[1], *b = &c->x[2];
    for (int i = 1; i < 3; i++)
        if (c->x[i].rank != 2)
            return wg_fail(c, WG_ERROR_SHAPE, "%s is not a matrix", wg_show(c, i));
    if (a->dim[1] != b->dim[0])
        return inner_sizes_differ(c, 1, 2);
    wg_type product = wg_type_make(c->dtype, WG_SHAPE(a->dim[0], b->dim[1]));
    if (wg_broadcast_shapes(c, &c->x[0], &product, &c->y[0]))
        return WG_ERROR_SHAPE;
    c->y[0].dtype = c->dtype;
    if (!wg_type_equal(&c->y[0], &product))
        return wg_fail(c, WG_ERROR_SHAPE, "%s does not broadcast to the product of %s and %s", wg_show(c, 0),
                       wg_show(c, 1), wg_show(c, 2));
    return WG_OK;
}

static wg_status addmm_run(const wg_call *c)
{
    const wg_addmm_options *o = c->options;
    if (o->beta != 0) {
        int64_t stride[WG_MAX_RANK];
        wg_broadcast_strides(&c->x[0], c->stride[0], &c->y[0], stride);
        wg_gather_strided(&c->y[0], stride, c->from[0], c->to[0]);
    }
    return wg_matrices_product(c, wg_matrices_of(c, 1, true), wg_matrices_of(c, 2, false), o->alpha, o->beta, c->to[0]);
}

/* `factor` times x; an absent x is zero. */
static wg_tensor times(double factor, wg_tensor x) { return factor == 1 || wg_is_none(x) ? x : wg_multiply(x, factor); }

static wg_tensor addmm_dc(const wg_call *c, wg_tensor g)
{
    return times(((const wg_addmm_options *)c->options)->beta, g);
}
static wg_tensor addmm_da(const wg_call *c, wg_tensor g)
{
    return times(((const wg_addmm_options *)c->options)->alpha, wg_matmul(g, wg_matrix_transpose(c->in[2])));
}
static wg_tensor addmm_db(const wg_call *c, wg_tensor g)
{
    return times(((const wg_addmm_options *)c->options)->alpha, wg_matmul(wg_matrix_transpose(c->in[1]), g));
}

static wg_tensor addmm_jvp(const wg_call *c)
{
    const wg_addmm_options *o = c->options;
    wg_tensor by_a = wg_is_none(c->t[1]) ? WG_NONE : wg_matmul(c->t[1], c->in[2]);
    wg_tensor by_b = wg_is_none(c->t[2]) ? WG_NONE : wg_matmul(c->in[1], c->t[2]);
    wg_tensor by_c = wg_is_none(c->t[0]) ? WG_NONE : wg_broadcast_to(c->t[0], wg_type_shape(&c->y[0]));
    return plus(times(o->beta, by_c), times(o->alpha, plus(by_a, by_b)));
}

static double addmm_flops(const wg_call *c) { return 2 * (double)wg_type_count(&c->y[0]) * (double)c->x[1].dim[1]; }

static void addmm_formula(const wg_call *c, wg_tensor *out)
{
    const wg_addmm_options *o = c->options;
    wg_tensor product = wg_multiply(wg_matmul(c->in[1], c->in[2]), o->alpha);
    out[0] = o->beta == 0 ? product : wg_add(product, wg_multiply(c->in[0], o->beta));
}
/* The product, and then what it is scaled by and added to. */
static wg_status addmm_c(const wg_call *c, wg_code *w)
{
    const wg_addmm_options *o = c->options;
    wg_source line = {.tape = c->tape};
    int64_t stride[WG_MAX_RANK];
    wg_broadcast_strides(&c->x[0], c->stride[0], &c->y[0], stride);
    wg_status status = wg_code_product(w, wg_matrices_of(c, 1, true), "a", wg_matrices_of(c, 2, false), "b", NULL);
    wg_code_for(w, "i", c->y[0].dim[0]);
    wg_code_for(w, "j", c->y[0].dim[1]);
    wg_source_put(&line, "y[%lld * i + j] = ", (long long)c->y[0].dim[1]);
    wg_source_number(&line, c->dtype, o->alpha, true);
    wg_source_put(&line, " * y[%lld * i + j]", (long long)c->y[0].dim[1]);
    if (o->beta != 0) {
        wg_source_put(&line, " + ");
        wg_source_number(&line, c->dtype, o->beta, true);
        wg_source_put(&line, " * c[");
        wg_subscript_put(&line, 0, 2, stride, "ij");
        wg_source_put(&line, "]");
    }
    wg_code_line(w, "%s;", line.data ? line.data : "");
    wg_code_end(w);
    wg_code_end(w);
    return status;
}

WG_OP(addmm) = {
    .name = "addmm",
    .doc = "y = beta c + alpha a b: a [n, k], b [k, m], c broadcasts to [n, m] and is left out where beta = 0",
    .in = {{"c", 0}, {"a", 0}, {"b", 0}},
    .options = WG_SCHEMA(wg_addmm, WG_ATTR(wg_addmm, beta), WG_ATTR(wg_addmm, alpha)),
    .type = addmm_type,
    .run = addmm_run,
    .c = addmm_c,
    .vjp = {addmm_dc, addmm_da, addmm_db},
    .jvp = addmm_jvp,
    .saves = "a b",
    .formula = addmm_formula,
    .samples = {"[2,4] [2,3] [3,4]", "[4] [2,3] [3,4] beta=0.5 alpha=-2", "[] [2,3] [3,4] alpha=3", "[2,1] [2,0] [0,3]",
                "[3] [0,2] [2,3]"},
    .flops = addmm_flops,
    .strided = true,
};
wg_tensor (wg_addmm)(wg_tensor c, wg_tensor a, wg_tensor b, wg_addmm_options options)
{
    return WG_RECORD(addmm, &options, c, a, b);
}

/* ---- bilinear ---------------------------------------------------------------------------------------------------- */
static wg_status bilinear_type(wg_call *c)
{
    const wg_type *x1 = &c->x[0], *w = &c->x[1], *x2 = &c->x[2], *b = &c->x[3];
    if (w->rank != 3)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not [o, i, j]", wg_show(c, 1));
    if (x1->rank < 1 || x2->rank != x1->rank || memcmp(x1->dim, x2->dim, (size_t)(x1->rank - 1) * sizeof *x1->dim))
        return wg_fail(c, WG_ERROR_SHAPE, "leading axes differ: %s and %s", wg_show(c, 0), wg_show(c, 2));
    if (x1->dim[x1->rank - 1] != w->dim[1] || x2->dim[x2->rank - 1] != w->dim[2])
        return wg_fail(c, WG_ERROR_SHAPE, "%s and %s do not fit %s", wg_show(c, 0), wg_show(c, 2), wg_show(c, 1));
    if (wg_given(c, 3) && (b->rank != 1 || b->dim[0] != w->dim[0]))
        return wg_fail(c, WG_ERROR_SHAPE, "%s does not fit the first axis of %s", wg_show(c, 3), wg_show(c, 1));
    c->y[0] = *x1;
    c->y[0].dim[x1->rank - 1] = w->dim[0];
    return WG_OK;
}

/* [rows, i j]: the outer product of each row of x1 with that of x2. */
static wg_tensor outer_rows(wg_tensor x1, wg_tensor x2)
{
    wg_tensor a = as_rows(x1), b = as_rows(x2);
    wg_type of_a = wg_type_of(a), of_b = wg_type_of(b);
    wg_tensor product = wg_multiply(wg_expand_dims(a, 2), wg_expand_dims(b, 1));
    return wg_reshape(product, WG_SHAPE(of_a.dim[0], of_a.dim[1] * of_b.dim[1]));
}

#define BILINEAR_ROWS(T, suffix)                                                                                       \
    static void outer_rows_##suffix(int64_t rows, int64_t n1, int64_t n2, const T *x1, const T *x2, T *to)             \
    {                                                                                                                  \
        for (int64_t r = 0; r < rows; r++, x1 += n1, x2 += n2)                                                         \
            for (int64_t i = 0; i < n1; i++, to += n2)                                                                 \
                for (int64_t j = 0; j < n2; j++)                                                                       \
                    to[j] = x1[i] * x2[j];                                                                             \
    }
BILINEAR_ROWS(float, f32)
BILINEAR_ROWS(double, f64)

/* The outer products of the rows, [rows, i j], times w as [o, i j], transposed. */
static wg_status bilinear_run(const wg_call *c)
{
    const wg_type *w = &c->x[1];
    int64_t n1 = w->dim[1], n2 = w->dim[2], rows = 1;
    for (int i = 0; i < c->x[0].rank - 1; i++)
        rows *= c->x[0].dim[i];
    void *outer = wg_scratch(c, (size_t)(rows * n1 * n2) * wg_dtype_size(c->dtype));
    if (!outer)
        return WG_ERROR_MEMORY;
    if (c->dtype == WG_FLOAT32)
        outer_rows_f32(rows, n1, n2, c->from[0], c->from[2], outer);
    else
        outer_rows_f64(rows, n1, n2, c->from[0], c->from[2], outer);
    if (wg_given(c, 3)) {
        int64_t stride[WG_MAX_RANK];
        wg_broadcast_strides(&c->x[3], NULL, &c->y[0], stride);
        wg_gather_strided(&c->y[0], stride, c->from[3], c->to[0]);
    }
    wg_matrices a = {outer, rows, n1 * n2, n1 * n2, 1, 0, {0}, {0}};
    wg_matrices b = {c->from[1], n1 * n2, w->dim[0], 1, n1 * n2, 0, {0}, {0}};
    return wg_matrices_product(c, a, b, 1, wg_given(c, 3), c->to[0]);
}

static wg_status bilinear_c(const wg_call *c, wg_code *w)
{
    const wg_type *of_w = &c->x[1];
    wg_code_size(w, "rows", wg_type_count(&c->y[0]) / of_w->dim[0]);
    wg_code_size(w, "n", of_w->dim[0]);
    wg_code_size(w, "n1", of_w->dim[1]);
    wg_code_size(w, "n2", of_w->dim[2]);
    wg_code_word(w, "BIAS", wg_given(c, 3) ? "b[o]" : "0");
    wg_status status = wg_code_text(w, WG_C(for (int r = 0; r < rows; r++) for (int o = 0; o < n; o++) {
        T sum = BIAS;
        for (int i = 0; i < n1; i++) {
            T row = 0;
            for (int j = 0; j < n2; j++) row += w[(o * n1 + i) * n2 + j] * x2[r * n2 + j];
            sum += x1[r * n1 + i] * row;
        }
        y[r * n + o] = sum;
    }));
    w->n_words = 0;
    return status;
}

/* With one factor exchanged for g, w's axes in another order: the same sum again. */
static wg_tensor bilinear_dx1(const wg_call *c, wg_tensor g)
{
    return wg_bilinear(g, wg_permute_dims(c->in[1], WG_AXES(1, 0, 2)), c->in[2], WG_NONE);
}
static wg_tensor bilinear_dw(const wg_call *c, wg_tensor g)
{
    return in_shape_of(wg_matmul(wg_matrix_transpose(as_rows(g)), outer_rows(c->in[0], c->in[2])), &c->x[1]);
}
static wg_tensor bilinear_dx2(const wg_call *c, wg_tensor g)
{
    return wg_bilinear(g, wg_permute_dims(c->in[1], WG_AXES(2, 0, 1)), c->in[0], WG_NONE);
}

static wg_tensor bilinear_jvp(const wg_call *c)
{
    wg_tensor x1 = c->in[0], w = c->in[1], x2 = c->in[2], sum = WG_NONE;
    if (!wg_is_none(c->t[0]))
        sum = wg_bilinear(c->t[0], w, x2, WG_NONE);
    if (!wg_is_none(c->t[1]))
        sum = plus(sum, wg_bilinear(x1, c->t[1], x2, WG_NONE));
    if (!wg_is_none(c->t[2]))
        sum = plus(sum, wg_bilinear(x1, w, c->t[2], WG_NONE));
    if (c->n_in > 3 && !wg_is_none(c->t[3]))
        sum = plus(sum, wg_broadcast_to(c->t[3], wg_type_shape(&c->y[0])));
    return sum;
}

static double bilinear_flops(const wg_call *c)
{
    return 2 * (double)wg_type_count(&c->y[0]) * (double)c->x[1].dim[1] * (double)c->x[1].dim[2];
}

static void bilinear_formula(const wg_call *c, wg_tensor *out)
{
    wg_tensor y = wg_einsum("...i,oij,...j->...o", WG_TENSORS(c->in[0], c->in[1], c->in[2]));
    out[0] = wg_given(c, 3) ? wg_add(y, c->in[3]) : y;
}
WG_OP(bilinear) = {
    .name = "bilinear",
    .doc = "y[..., o] = the sum over i, j of x1[..., i] w[o, i, j] x2[..., j], plus b[o]",
    .in = {{"x1", 0}, {"w", 0}, {"x2", 0}, {"b", WG_OPTIONAL}},
    .type = bilinear_type,
    .run = bilinear_run,
    .c = bilinear_c,
    .vjp = {bilinear_dx1, bilinear_dw, bilinear_dx2, as_it_came},
    .jvp = bilinear_jvp,
    .saves = "x1 w x2",
    .formula = bilinear_formula,
    .samples = {"[2,3] [4,3,2] [2,2] [4]", "[3] [2,3,2] [2] -", "[2,2,3] [4,3,2] [2,2,2] [4]",
                "[0,3] [2,3,2] [0,2] [2]"},
    .flops = bilinear_flops,
};
wg_tensor (wg_bilinear)(wg_tensor x1, wg_tensor w, wg_tensor x2, wg_tensor b)
{
    return WG_RECORD(bilinear, NULL, x1, w, x2, b);
}

/* ---- inner ------------------------------------------------------------------------------------------------------- */
static wg_status inner_type(wg_call *c)
{
    const wg_type *a = &c->x[0], *b = &c->x[1];
    wg_type *y = &c->y[0];
    if (a->rank == 0 || b->rank == 0) {
        *y = a->rank ? *a : *b;
        return WG_OK;
    }
    if (a->dim[a->rank - 1] != b->dim[b->rank - 1])
        return wg_fail(c, WG_ERROR_SHAPE, "last dimensions differ: %s and %s", wg_show(c, 0), wg_show(c, 1));
    if (a->rank + b->rank - 2 > WG_MAX_RANK)
        return wg_fail(c, WG_ERROR_SHAPE, "%s and %s give more than %d dimensions", wg_show(c, 0), wg_show(c, 1),
                       WG_MAX_RANK);
    *y = *a;
    y->rank = a->rank - 1;
    for (int i = 0; i < b->rank - 1; i++)
        y->dim[y->rank++] = b->dim[i];
    return WG_OK;
}

static wg_ints counted(int first, int n)
{
    wg_ints axes = {.n = n};
    for (int i = 0; i < n; i++)
        axes.at[i] = first + i;
    return axes;
}

static const int64_t *stride_of(const wg_call *c, int i) { return c->stride ? c->stride[i] : NULL; }

/* A 0-d operand is a 1 by 1 matrix, and the other a column. */
static wg_status inner_run(const wg_call *c)
{
    const wg_type *a = &c->x[0], *b = &c->x[1];
    bool scales = a->rank == 0 || b->rank == 0;
    int summed = scales ? 0 : 1;
    wg_ints none = {0};
    wg_matrices left, right;
    if (wg_matrices_grouped(c, a, stride_of(c, 0), c->from[0], none, counted(0, a->rank - summed),
                            counted(a->rank - summed, summed), &left) ||
        wg_matrices_grouped(c, b, stride_of(c, 1), c->from[1], none, counted(b->rank - summed, summed),
                            counted(0, b->rank - summed), &right))
        return WG_ERROR_MEMORY;
    return wg_matrices_product(c, left, right, 1, 0, c->to[0]);
}

/* y [A, B] = a [A, k] b [B, k]': da = g b, db = g' a. */
static wg_tensor inner_matrix(const wg_call *c, wg_tensor g)
{
    int64_t rows[2] = {1, 1};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < c->x[k].rank - 1; i++)
            rows[k] *= c->x[k].dim[i];
    return wg_reshape(g, WG_SHAPE(rows[0], rows[1]));
}
static wg_tensor inner_da(const wg_call *c, wg_tensor g)
{
    if (c->x[0].rank == 0 || c->x[1].rank == 0)
        return wg_multiply(g, c->in[1]);
    return in_shape_of(wg_matmul(inner_matrix(c, g), as_rows(c->in[1])), &c->x[0]);
}
static wg_tensor inner_db(const wg_call *c, wg_tensor g)
{
    if (c->x[0].rank == 0 || c->x[1].rank == 0)
        return wg_multiply(g, c->in[0]);
    return in_shape_of(wg_matmul(wg_matrix_transpose(inner_matrix(c, g)), as_rows(c->in[0])), &c->x[1]);
}

/* Axes of a, axes of b, and the summed ones, each read as one in order; no copy is made, as strides may not allow
 * one. */
static wg_status inner_c(const wg_call *c, wg_code *w)
{
    const wg_type *a = &c->x[0], *b = &c->x[1];
    int summed = a->rank == 0 || b->rank == 0 ? 0 : 1;
    return wg_code_contraction(c, w, counted(0, a->rank - summed), counted(a->rank - summed, summed),
                               counted(0, b->rank - summed), counted(b->rank - summed, summed));
}

WG_OP(inner) = {
    .name = "inner",
    .doc = "the sum over the last axis of both: [..., k] with [:::, k] gives [..., :::]; a 0-d operand multiplies the "
           "other",
    .in = {{"a", 0}, {"b", 0}},
    .type = inner_type,
    .run = inner_run,
    .c = inner_c,
    .vjp = {inner_da, inner_db},
    .linear = WG_SEPARATELY,
    .saves = "a b",
    .samples = {"[3] [3]", "[2,3] [4,3]", "[2,2,3] [3]", "[] [2,3]", "[2] []", "[] []", "[2,0] [3,0]"},
    .strided = true,
};
wg_tensor (wg_inner)(wg_tensor a, wg_tensor b) { return WG_RECORD(inner, NULL, a, b); }

/* ---- outer ------------------------------------------------------------------------------------------------------- */
static wg_status outer_type(wg_call *c)
{
    for (int i = 0; i < 2; i++)
        if (c->x[i].rank != 1)
            return wg_fail(c, WG_ERROR_SHAPE, "%s is not a vector", wg_show(c, i));
    c->y[0] = wg_type_make(c->dtype, WG_SHAPE(c->x[0].dim[0], c->x[1].dim[0]));
    return WG_OK;
}

static wg_status outer_run(const wg_call *c)
{
    wg_matrices a = wg_matrices_of(c, 0, false), b = wg_matrices_of(c, 1, true); /* a column times a row */
    return wg_matrices_product(c, a, b, 1, 0, c->to[0]);
}

static wg_tensor outer_da(const wg_call *c, wg_tensor g) { return wg_matmul(g, c->in[1]); }
static wg_tensor outer_db(const wg_call *c, wg_tensor g) { return wg_matmul(c->in[0], g); }

static wg_status outer_c(const wg_call *c, wg_code *w)
{
    return wg_code_product(w, wg_matrices_of(c, 0, false), "a", wg_matrices_of(c, 1, true), "b", NULL);
}

WG_OP(outer) = {
    .name = "outer",
    .doc = "y[i, j] = a[i] b[j], of vectors a and b",
    .in = {{"a", 0}, {"b", 0}},
    .type = outer_type,
    .run = outer_run,
    .c = outer_c,
    .vjp = {outer_da, outer_db},
    .linear = WG_SEPARATELY,
    .saves = "a b",
    .samples = {"[2] [3]", "[0] [3]", "[3] [3]", "[1] [2]"},
    .strided = true,
};
wg_tensor (wg_outer)(wg_tensor a, wg_tensor b) { return WG_RECORD(outer, NULL, a, b); }

/* ---- tensordot --------------------------------------------------------------------------------------------------- */
/* The axes summed over, paired in order, and those that are left. */
typedef struct {
    wg_ints sum[2], left[2];
} dot_axes;

static bool names(wg_ints axes, int64_t axis)
{
    for (int i = 0; i < axes.n; i++)
        if (axes.at[i] == axis)
            return true;
    return false;
}

static wg_status dot_axes_of(const wg_call *c, dot_axes *to)
{
    const wg_ints *given = ((const wg_tensordot_options *)c->options)->axes;
    bool by_number = given[0].n == 1 && given[1].n == 0;
    *to = (dot_axes){0};
    for (int k = 0; k < 2; k++) {
        int rank = c->x[k].rank, n = given[0].n;
        if (by_number && (given[0].at[0] < 0 || given[0].at[0] > rank))
            return wg_fail(c, WG_ERROR_SHAPE, "%s has no %lld axes to sum over", wg_show(c, k),
                           (long long)given[0].at[0]);
        if (by_number) {
            n = (int)given[0].at[0];
            to->sum[k] = counted(k ? 0 : rank - n, n);
        }
        for (int i = 0; i < n && !by_number; i++) {
            int64_t axis = given[k].at[i] < 0 ? given[k].at[i] + rank : given[k].at[i];
            if (axis < 0 || axis >= rank)
                return wg_fail(c, WG_ERROR_SHAPE, "%s has no axis %lld", wg_show(c, k), (long long)given[k].at[i]);
            if (names(to->sum[k], axis))
                return wg_fail(c, WG_ERROR_SHAPE, "axis %d of %s is given twice", (int)axis, wg_show(c, k));
            to->sum[k].at[to->sum[k].n++] = axis;
        }
        for (int i = 0; i < rank; i++)
            if (!names(to->sum[k], i))
                to->left[k].at[to->left[k].n++] = i;
    }
    return WG_OK;
}

static wg_status tensordot_type(wg_call *c)
{
    dot_axes axes;
    if (dot_axes_of(c, &axes))
        return WG_ERROR_SHAPE;
    for (int i = 0; i < axes.sum[0].n; i++)
        if (c->x[0].dim[axes.sum[0].at[i]] != c->x[1].dim[axes.sum[1].at[i]])
            return wg_fail(c, WG_ERROR_SHAPE, "axis %d of %s and axis %d of %s differ in size", (int)axes.sum[0].at[i],
                           wg_show(c, 0), (int)axes.sum[1].at[i], wg_show(c, 1));
    if (axes.left[0].n + axes.left[1].n > WG_MAX_RANK)
        return wg_fail(c, WG_ERROR_SHAPE, "%s and %s give more than %d dimensions", wg_show(c, 0), wg_show(c, 1),
                       WG_MAX_RANK);
    c->y[0] = (wg_type){.dtype = c->dtype};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < axes.left[k].n; i++)
            c->y[0].dim[c->y[0].rank++] = c->x[k].dim[axes.left[k].at[i]];
    return WG_OK;
}

static wg_status tensordot_run(const wg_call *c)
{
    dot_axes axes;
    wg_ints none = {0};
    wg_matrices a, b;
    if (dot_axes_of(c, &axes) ||
        wg_matrices_grouped(c, &c->x[0], stride_of(c, 0), c->from[0], none, axes.left[0], axes.sum[0], &a) ||
        wg_matrices_grouped(c, &c->x[1], stride_of(c, 1), c->from[1], none, axes.sum[1], axes.left[1], &b))
        return WG_ERROR_MEMORY;
    return wg_matrices_product(c, a, b, 1, 0, c->to[0]);
}

/* Axis order[i] of the result is axis i of x. */
static wg_tensor back_in_order(wg_tensor x, wg_ints order)
{
    wg_axes axes = {.n = order.n};
    for (int i = 0; i < order.n; i++)
        axes.at[order.at[i]] = i;
    return order.n ? wg_permute_dims(x, axes) : x;
}

static wg_ints joined(wg_ints a, wg_ints b)
{
    for (int i = 0; i < b.n; i++)
        a.at[a.n++] = b.at[i];
    return a;
}

/* y has the axes left of a, then those left of b: g summed over b's with what is left of b gives a's, in the order
 * (left of a, summed); and the same the other way round. */
static wg_tensor tensordot_da(const wg_call *c, wg_tensor g)
{
    dot_axes axes;
    if (dot_axes_of(c, &axes))
        return wg_fail_tensor(c, WG_ERROR_SHAPE, "the axes do not fit");
    wg_ints sum_ordered = {0}; /* the axes of a that b's summed ones are paired with, in the order b has them */
    for (int64_t axis = 0; axis < c->x[1].rank; axis++)
        for (int i = 0; i < axes.sum[1].n; i++)
            if (axes.sum[1].at[i] == axis)
                sum_ordered.at[sum_ordered.n++] = axes.sum[0].at[i];
    wg_tensor da = wg_tensordot(g, c->in[1], .axes = {counted(axes.left[0].n, axes.left[1].n), axes.left[1]});
    return back_in_order(da, joined(axes.left[0], sum_ordered));
}

static wg_tensor tensordot_db(const wg_call *c, wg_tensor g)
{
    dot_axes axes;
    if (dot_axes_of(c, &axes))
        return wg_fail_tensor(c, WG_ERROR_SHAPE, "the axes do not fit");
    wg_ints sum_ordered = {0};
    for (int64_t axis = 0; axis < c->x[0].rank; axis++)
        for (int i = 0; i < axes.sum[0].n; i++)
            if (axes.sum[0].at[i] == axis)
                sum_ordered.at[sum_ordered.n++] = axes.sum[1].at[i];
    wg_tensor db = wg_tensordot(c->in[0], g, .axes = {axes.left[0], counted(0, axes.left[0].n)});
    return back_in_order(db, joined(sum_ordered, axes.left[1]));
}

static double tensordot_flops(const wg_call *c)
{
    dot_axes axes;
    double terms = 1;
    for (int i = 0; !dot_axes_of(c, &axes) && i < axes.sum[0].n; i++)
        terms *= (double)c->x[0].dim[axes.sum[0].at[i]];
    return 2 * terms * (double)wg_type_count(&c->y[0]);
}

static wg_status tensordot_c(const wg_call *c, wg_code *w)
{
    dot_axes axes;
    wg_status status = dot_axes_of(c, &axes);
    return status ? status : wg_code_contraction(c, w, axes.left[0], axes.sum[0], axes.left[1], axes.sum[1]);
}

WG_OP(tensordot) = {
    .name = "tensordot",
    .doc =
        "the sum over paired axes of a and b, or over the last n of a and the first n of b; a's other axes, then b's",
    .in = {{"a", 0}, {"b", 0}},
    .options = WG_SCHEMA(wg_tensordot, WG_ATTR(wg_tensordot, axes)),
    .type = tensordot_type,
    .run = tensordot_run,
    .c = tensordot_c,
    .vjp = {tensordot_da, tensordot_db},
    .linear = WG_SEPARATELY,
    .saves = "a b",
    .samples = {"[2,3,4] [3,4,5]", "[2,3] [4] axes=0", "[2,3,4] [4,5,2] axes=[[0,2],[2,0]]",
                "[2,3] [3,2] axes=[[1],[-2]]", "[2,0] [0,3] axes=1", "[3] [3] axes=1"},
    .flops = tensordot_flops,
    .strided = true,
};
wg_tensor (wg_tensordot)(wg_tensor a, wg_tensor b, wg_tensordot_options options)
{
    return WG_RECORD(tensordot, &options, a, b);
}

WG_FAMILY(products, PRODUCTS)
