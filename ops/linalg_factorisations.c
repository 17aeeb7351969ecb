/* Factorisations. Their rules come from one thought: with a = b c, b^-1 da c^-1 = b^-1 db + dc c^-1, whose two terms
 * live in different parts of the matrix (a triangle and the other, or a skew matrix and a triangle), so each is what
 * that part of the left side is. */
#include "ops/linalg.h"
#include "ops/linalg_code.h"
#include "wengert/indexing.h"

#define FACTORISATIONS(OP) OP(cholesky) OP(lu) OP(qr)
WG_CONTENTS(FACTORISATIONS)

static wg_tensor transposed(wg_tensor a) { return wg_matrix_transpose(a); }
/* x r^-1 and x r'^-1 for an upper r: systems of the transposes. */
static wg_tensor over_upper(wg_tensor x, wg_tensor r)
{
    return transposed(wg_triangular_solve(r, transposed(x), .lower = false, .transpose = true));
}
static wg_tensor over_upper_transposed(wg_tensor x, wg_tensor r)
{
    return transposed(wg_triangular_solve(r, transposed(x), .lower = false));
}
static wg_tensor rows(wg_tensor a, int64_t first, int64_t n) { return wg_narrow(a, -2, first, n); }
static wg_tensor columns(wg_tensor a, int64_t first, int64_t n) { return wg_narrow(a, -1, first, n); }

/* Is no element of r's diagonal, the first k of its rows, but rounding? A rule divides by them. */
static bool is_divisible_by(const wg_call *c, wg_tensor r)
{
    wg_type type = wg_type_of(r);
    int64_t k = type.dim[type.rank - 2], n = type.dim[type.rank - 1], count = k && n ? wg_size(r) / (k * n) : 0;
    for (int64_t matrix = 0; matrix < count; matrix++) {
        double least = (double)INFINITY, most = 0;
        for (int64_t i = 0; i < k && i < n; i++) {
            double x = fabs(wg_element(r, (matrix * k + i) * n + i));
            least = fmin(least, x);
            most = fmax(most, x);
        }
        if (least > (double)k * wg_epsilon(c->dtype) * most)
            continue;
        wg_fail(c, WG_ERROR_NUMERIC,
                "matrix %lld of %s has dependent columns: its factor's diagonal goes from %.2g to %.2g",
                (long long)matrix, wg_show(c, 0), most, least);
        return false;
    }
    return true;
}

/* ---- cholesky ---------------------------------------------------------------------------------------------------- */
static wg_status cholesky_type(wg_call *c) { return wg_is_square(c, 0) ? WG_ERROR_SHAPE : wg_type_as_first(c); }

/* The lower triangle by rows is an upper one by columns, and its factor comes out as l by rows. */
static wg_status cholesky_run(const wg_call *c)
{
    bool lower = ((const wg_cholesky_options *)c->options)->lower;
    wg_part part = lower ? WG_LOWER : WG_UPPER;
    wg_matrix_stack s;
    if (wg_lapack_needed(c))
        return WG_ERROR_UNSUPPORTED;
    if (wg_stack_of(c, 0, &s))
        return WG_ERROR_MEMORY;
    if (wg_stack_finite(c, 0, &s, part))
        return WG_ERROR_NUMERIC;
    for (int64_t k = 0; k < s.count && !s.empty; k++) {
        void *l = wg_stack_to(&s, c->to[0], k);
        memcpy(l, wg_stack_at(&s, c->from[0], k), s.size);
        int minor = wg_lapack_potrf(c->dtype, lower ? 'U' : 'L', s.n, l);
        if (minor)
            return wg_indefinite(c, 0, k, minor);
        wg_keep_triangle(c->dtype, part, s.n, s.n, l);
    }
    return WG_OK;
}

static wg_status cholesky_c(const wg_call *c, wg_code *w)
{
    int64_t n = c->x[0].dim[c->x[0].rank - 1];
    wg_code_size(w, "lower", ((const wg_cholesky_options *)c->options)->lower);
    wg_code_room(w, "matrix", WG_FLOAT64, n * n);
    wg_matrices_begin(c, w);
    wg_code_text(w, TEXT_OF(
        WG_LOAD_SYMMETRIC(matrix, a)
        if (cholesky_of(n, matrix)) BREAKDOWN;
        for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) {
            const int row = lower ? i : j, column = lower ? j : i;
            y[(q * n + i) * n + j] = column <= row ? (T)matrix[row * n + column] : 0;
        }));
    return wg_matrices_end(w);
}

/* The lower triangle of x with half its diagonal: with its transpose it makes a symmetric x. */
static wg_tensor half_lower(wg_tensor x) { return wg_multiply(wg_add(wg_tril(x), wg_tril(x, .k = -1)), 0.5); }

/* l'^-1 x l^-1. */
static wg_tensor divided(wg_tensor x, wg_tensor l)
{
    wg_tensor left = wg_triangular_solve(l, x, .transpose = true);
    return transposed(wg_triangular_solve(l, transposed(left), .transpose = true));
}

static wg_tensor cholesky_da(const wg_call *c, wg_tensor g)
{
    bool lower = ((const wg_cholesky_options *)c->options)->lower;
    wg_tensor l = lower ? c->out[0] : transposed(c->out[0]), gl = wg_tril(lower ? g : transposed(g));
    return wg_symmetrised(divided(half_lower(wg_matmul(transposed(l), gl)), l));
}

/* dl = l half(l^-1 da l'^-1). */
static wg_tensor cholesky_jvp(const wg_call *c)
{
    bool lower = ((const wg_cholesky_options *)c->options)->lower;
    wg_tensor l = lower ? c->out[0] : transposed(c->out[0]), left = wg_triangular_solve(l, wg_symmetrised(c->t[0]));
    wg_tensor dl = wg_matmul(l, half_lower(wg_triangular_solve(l, transposed(left))));
    return lower ? dl : transposed(dl);
}

static void cholesky_formula(const wg_call *c, wg_tensor *out)
{
    const wg_cholesky_options *o = c->options;
    wg_tensor l = wg_cholesky_formula(c->in[0]);
    out[0] = o->lower || wg_is_none(l) ? l : wg_matrix_transpose(l);
}
WG_OP(cholesky) = {
    .name = "cholesky",
    .doc = "y = the lower l with l l' = a, of a's lower triangle; with lower = false the upper u with u' u = a, of the "
           "upper "
           "one; the gradient is symmetric",
    .source = "Murray 2016, Differentiation of the Cholesky decomposition, 10 and 12",
    .domain = "a symmetric, positive definite",
    .in = {{"a", WG_SYMMETRIC}},
    .options = WG_SCHEMA(wg_cholesky, WG_ATTR(wg_cholesky, lower)),
    .type = cholesky_type,
    .run = cholesky_run,
    .c = cholesky_c,
    .vjp = {cholesky_da},
    .jvp = cholesky_jvp,
    .saves = "y",
    .formula = cholesky_formula,
    .samples = {"[3,3]:definite", "[3,3]:definite lower=false", "[2,4,4]:definite", "[2,2,2]:definite lower=false",
                "[1,1]:definite", "[0,0]", "[0,2,2]"},
};
wg_tensor (wg_cholesky)(wg_tensor a, wg_cholesky_options options) { return WG_RECORD(cholesky, &options, a); }

/* ---- lu ---------------------------------------------------------------------------------------------------------- */
static wg_status lu_type(wg_call *c)
{
    if (wg_is_matrix(c, 0))
        return WG_ERROR_SHAPE;
    const wg_type *a = &c->x[0];
    int64_t m = a->dim[a->rank - 2], n = a->dim[a->rank - 1], k = m < n ? m : n;
    c->y[0] = wg_matrix_type(a, m, m);
    c->y[1] = wg_matrix_type(a, m, k);
    c->y[2] = wg_matrix_type(a, k, n);
    return WG_OK;
}

/* p with ones where row i of a went by the exchanges; `at` has room for m. */
static void permutation_into(wg_dtype dtype, int m, int k, const int *pivot, int *at, void *p)
{
    memset(p, 0, (size_t)m * (size_t)m * wg_dtype_size(dtype));
    for (int i = 0; i < m; i++)
        at[i] = i;
    for (int i = 0; i < k; i++) {
        int other = pivot[i] - 1, row = at[i];
        at[i] = at[other];
        at[other] = row;
    }
    for (int i = 0; i < m; i++)
        wg_store_number(dtype, 1, (char *)p + ((size_t)at[i] * (size_t)m + (size_t)i) * wg_dtype_size(dtype));
}

/* The identity at the top left of a [m, n], whatever was there on the diagonal. */
static void ones_on_diagonal(wg_dtype dtype, int m, int n, void *a)
{
    for (int i = 0; i < m && i < n; i++)
        wg_store_number(dtype, 1, (char *)a + (size_t)i * ((size_t)n + 1) * wg_dtype_size(dtype));
}

static wg_status lu_run(const wg_call *c)
{
    wg_matrix_stack s;
    if (wg_lapack_needed(c))
        return WG_ERROR_UNSUPPORTED;
    if (wg_stack_of(c, 0, &s))
        return WG_ERROR_MEMORY;
    const wg_type *of_p = &c->y[0];
    int m = (int)of_p->dim[of_p->rank - 1], k = s.m < s.n ? s.m : s.n;
    size_t size = wg_dtype_size(c->dtype), bytes_p = (size_t)m * (size_t)m * size;
    size_t bytes_l = (size_t)s.m * (size_t)k * size, bytes_u = (size_t)k * (size_t)s.n * size;
    void *lies = wg_scratch(c, s.size), *lu = wg_scratch(c, s.size);
    int *pivot = wg_scratch(c, (size_t)k * sizeof *pivot), *at = wg_scratch(c, (size_t)m * sizeof *at);
    if (!lies || !lu || !pivot || !at)
        return WG_ERROR_MEMORY;
    if (wg_stack_finite(c, 0, &s, WG_WHOLE))
        return WG_ERROR_NUMERIC;
    int64_t count = m ? wg_type_count(of_p) / ((int64_t)m * m) : 0;
    for (int64_t i = 0; i < count; i++) {
        if (!s.empty) {
            wg_transpose_into(c->dtype, s.m, s.n, wg_stack_at(&s, c->from[0], i), lies);
            wg_lapack_getrf(c->dtype, s.m, s.n, lies, pivot); /* a zero pivot is not in the way */
            wg_transpose_into(c->dtype, s.n, s.m, lies, lu);
        }
        permutation_into(c->dtype, m, k, pivot, at, (char *)c->to[0] + (size_t)i * bytes_p);
        char *l = (char *)c->to[1] + (size_t)i * bytes_l;
        for (int row = 0; row < s.m; row++)
            memcpy(l + (size_t)row * (size_t)k * size, (char *)lu + (size_t)row * (size_t)s.n * size, (size_t)k * size);
        wg_keep_triangle(c->dtype, WG_LOWER, s.m, k, l);
        ones_on_diagonal(c->dtype, s.m, k, l);
        char *u = (char *)c->to[2] + (size_t)i * bytes_u;
        memcpy(u, lu, bytes_u);
        wg_keep_triangle(c->dtype, WG_UPPER, k, s.n, u);
    }
    return WG_OK;
}

static wg_status lu_c(const wg_call *c, wg_code *w)
{
    const wg_type *a = &c->x[0];
    int64_t m = a->dim[a->rank - 2], n = a->dim[a->rank - 1], less = m < n ? m : n;
    wg_code_size(w, "less", less);
    wg_code_room(w, "matrix", WG_FLOAT64, m * n);
    wg_code_room(w, "pivot", WG_INT32, less);
    wg_code_room(w, "row", WG_INT32, m);
    wg_matrices_begin(c, w);
    wg_code_text(w, TEXT_OF(
        WG_LOAD(m * n, matrix, a[q * m * n + i])
        lu_of(m, n, matrix, pivot);
        for (int i = 0; i < m; i++) row[i] = i;
        for (int i = 0; i < less; i++) {
            const int32_t other = row[pivot[i]];
            row[pivot[i]] = row[i];
            row[i] = other;
        }
        for (int i = 0; i < m; i++) for (int j = 0; j < m; j++) p[(q * m + i) * m + j] = row[j] == i;
        for (int i = 0; i < m; i++) for (int j = 0; j < less; j++)
            l[(q * m + i) * less + j] = j < i ? (T)matrix[i * n + j] : i == j ? 1 : 0;
        for (int i = 0; i < less; i++) for (int j = 0; j < n; j++)
            u[(q * less + i) * n + j] = j < i ? 0 : (T)matrix[i * n + j];));
    return wg_matrices_end(w);
}

/* The square blocks l1, u1 of l and u, and what is below or beside them, of which one at least is empty. */
typedef struct {
    int64_t m, n, k;
    wg_tensor l1, l2, u1, u2;
} blocks;

static blocks blocks_of(const wg_call *c, wg_tensor l, wg_tensor u)
{
    const wg_type *a = &c->x[0];
    int64_t m = a->dim[a->rank - 2], n = a->dim[a->rank - 1], k = m < n ? m : n;
    return (blocks){m, n, k, rows(l, 0, k), rows(l, k, m - k), columns(u, 0, k), columns(u, k, n - k)};
}

static wg_tensor or_zeros(wg_tensor g, wg_tensor like) { return wg_is_none(g) ? wg_multiply(like, 0) : g; }

/* Of a square a: da = p l'^-1 (tril(l' gl, -1) + triu(gu u')) u'^-1. What is beside or below the square depends on its
 * factors: l2 = a2 u1^-1 takes l2' gl2 from gu1 u1', u2 = l1^-1 a2 takes gu2 u2' from l1' gl1. */
static wg_tensor lu_da(const wg_call *c, wg_tensor g)
{
    (void)g;
    if (wg_is_none(c->g[1]) && wg_is_none(c->g[2]))
        return WG_NONE;
    if (!is_divisible_by(c, c->out[2]))
        return WG_INVALID;
    wg_tensor p = c->out[0], l = c->out[1], u = c->out[2];
    blocks f = blocks_of(c, l, u), d = blocks_of(c, or_zeros(c->g[1], l), or_zeros(c->g[2], u));
    wg_tensor by_l = wg_matmul(transposed(f.l1), d.l1), by_u = wg_matmul(d.u1, transposed(f.u1));
    if (f.n > f.k)
        by_l = wg_subtract(by_l, wg_matmul(d.u2, transposed(f.u2)));
    if (f.m > f.k)
        by_u = wg_subtract(by_u, wg_matmul(transposed(f.l2), d.l2));
    wg_tensor inside = wg_add(wg_tril(by_l, .k = -1), wg_triu(by_u));
    wg_tensor da =
        over_upper_transposed(wg_triangular_solve(f.l1, inside, .transpose = true, .unit_diagonal = true), f.u1);
    if (f.n > f.k) {
        wg_tensor beside = wg_triangular_solve(f.l1, d.u2, .transpose = true, .unit_diagonal = true);
        da = wg_concat(WG_TENSORS(da, beside), .axis = -1);
    }
    if (f.m > f.k)
        da = wg_concat(WG_TENSORS(da, over_upper_transposed(d.l2, f.u1)), .axis = -2);
    return wg_matmul(p, da);
}

static wg_tensor lu_jvp(const wg_call *c)
{
    if (c->which == 0)
        return WG_NONE;
    if (!is_divisible_by(c, c->out[2]))
        return WG_INVALID;
    blocks f = blocks_of(c, c->out[1], c->out[2]);
    wg_tensor t = wg_matmul(transposed(c->out[0]), c->t[0]), t1 = columns(rows(t, 0, f.k), 0, f.k);
    wg_tensor inside = over_upper(wg_triangular_solve(f.l1, t1, .unit_diagonal = true), f.u1);
    wg_tensor dl1 = wg_matmul(f.l1, wg_tril(inside, .k = -1)), du1 = wg_matmul(wg_triu(inside), f.u1);
    if (c->which == 1 && f.m > f.k) {
        wg_tensor below = wg_subtract(columns(rows(t, f.k, f.m - f.k), 0, f.k), wg_matmul(f.l2, du1));
        return wg_concat(WG_TENSORS(dl1, over_upper(below, f.u1)), .axis = -2);
    }
    if (c->which == 2 && f.n > f.k) {
        wg_tensor beside = wg_subtract(columns(t, f.k, f.n - f.k), wg_matmul(dl1, f.u2));
        return wg_concat(WG_TENSORS(du1, wg_triangular_solve(f.l1, beside, .unit_diagonal = true)), .axis = -1);
    }
    return c->which == 1 ? dl1 : du1;
}

/* The rows are exchanged as they were. */
static void lu_formula(const wg_call *c, wg_tensor *out)
{
    wg_tensor order = wg_matrix_transpose(wg_stop_gradient(c->out[0]));
    wg_elimination_formula(wg_matmul(order, c->in[0]), &out[1], &out[2], NULL);
}
WG_OP(lu) = {
    .name = "lu",
    .doc = "p, l, u with a = p l u, rows exchanged for the largest pivot: p a permutation, l [..., m, k] with a "
           "diagonal of "
           "ones, u [..., k, n], k = min(m, n)",
    .source = "de Hoog, Anderssen and Lukas 2011, Differentiation of matrix functionals using triangular factorization",
    .domain = "for the gradient, no 0 on the diagonal of u",
    .in = {{"a", 0}},
    .out = {"p", "l", "u"},
    .type = lu_type,
    .run = lu_run,
    .c = lu_c,
    .vjp = {lu_da},
    .jvp = lu_jvp,
    .saves = "p l u",
    .formula = lu_formula,
    .samples = {"[3,3]", "[2,4,4]", "[4,2]", "[2,4]", "[2,3,2]", "[2,2,3]", "[1,1]", "[0,0]", "[0,2]", "[2,0]",
                "[0,2,2]"},
    .constant_outputs = 1,
};
wg_lu_result (wg_lu)(wg_tensor a)
{
    wg_tensor out[3] = {a, a, a};
    wg_record_on(a.tape, &lu_op, NULL, &a, 1, out, 3);
    return (wg_lu_result){out[0], out[1], out[2]};
}

/* ---- qr ---------------------------------------------------------------------------------------------------------- */
static bool is_complete(const wg_call *c) { return !strcmp(((const wg_qr_options *)c->options)->mode, "complete"); }

/* Its last output, seen by the rules alone: the columns of the identity that complete a. */
static wg_status qr_type(wg_call *c)
{
    if (wg_is_matrix(c, 0))
        return WG_ERROR_SHAPE;
    const wg_type *a = &c->x[0];
    int64_t m = a->dim[a->rank - 2], n = a->dim[a->rank - 1], k = is_complete(c) || m < n ? m : n;
    c->y[0] = wg_matrix_type(a, m, k);
    c->y[1] = wg_matrix_type(a, k, n);
    c->y[2] = wg_vector_type(a, k > n ? k - n : 0);
    c->y[2].dtype = WG_INT64;
    return WG_OK;
}

/* Memory for the QR of one a [m, n]: by rows it is the LQ of a' by columns, and q and r come out by rows. */
typedef struct {
    int m, n, k, lwork;
    void *a, *q, *q2, *tau, *work;
    int *pivot, *order;
} qr_room;

static bool qr_room_made(const wg_call *c, int m, int n, qr_room *r)
{
    size_t size = wg_dtype_size(c->dtype), longer = (size_t)(m > n ? m : n);
    double answer[2] = {0};
    *r = (qr_room){.m = m, .n = n, .k = m < n ? m : n};
    wg_lapack_gelqf(c->dtype, (int)longer, m, NULL, NULL, &answer[0], -1);
    wg_lapack_orglq(c->dtype, m, m, r->k, NULL, NULL, &answer[1], -1);
    int by_l = wg_work_asked(c->dtype, &answer[0]), by_q = wg_work_asked(c->dtype, &answer[1]);
    r->lwork = by_l > by_q ? by_l : by_q;
    r->a = wg_scratch(c, (size_t)m * longer * size);
    r->q = wg_scratch(c, (size_t)m * (size_t)m * size);
    r->q2 = wg_scratch(c, (size_t)m * (size_t)m * size);
    r->tau = wg_scratch(c, (size_t)m * size);
    r->work = wg_scratch(c, (size_t)r->lwork * size);
    r->pivot = wg_scratch(c, (size_t)m * sizeof *r->pivot);
    r->order = wg_scratch(c, (size_t)m * sizeof *r->order);
    return r->a && r->q && r->q2 && r->tau && r->work && r->pivot && r->order;
}

/* a [m, n] as its reflectors, in rows of n elements; q [m, columns] from them, by rows. */
static void orthogonalised(const wg_call *c, qr_room *r, int n, int columns, void *q)
{
    size_t size = wg_dtype_size(c->dtype);
    int k = r->m < n ? r->m : n;
    wg_lapack_gelqf(c->dtype, n, r->m, r->a, r->tau, r->work, r->lwork);
    for (int i = 0; i < r->m; i++) /* the reflectors' upper part by columns; LAPACK's q has `columns` rows */
        for (int j = 0; j < k; j++)
            memcpy((char *)q + ((size_t)i * (size_t)columns + (size_t)j) * size,
                   (char *)r->a + ((size_t)i * (size_t)n + (size_t)j) * size, size);
    wg_lapack_orglq(c->dtype, columns, r->m, k, q, r->tau, r->work, r->lwork);
}

/* The rows of q2, the columns of q behind the first n, that are furthest from dependent: a's complement is well told by
 * the columns of the identity of these numbers. LU with exchanges finds them. */
static void completing_columns(const wg_call *c, qr_room *r, int64_t *chosen)
{
    size_t size = wg_dtype_size(c->dtype);
    int rest = r->m - r->n;
    orthogonalised(c, r, r->n, r->m, r->q);
    for (int i = 0; i < r->m; i++) /* q2 by columns */
        for (int j = 0; j < rest; j++)
            memcpy((char *)r->q2 + ((size_t)j * (size_t)r->m + (size_t)i) * size,
                   (char *)r->q + ((size_t)i * (size_t)r->m + (size_t)(r->n + j)) * size, size);
    wg_lapack_getrf(c->dtype, r->m, rest, r->q2, r->pivot);
    for (int i = 0; i < r->m; i++)
        r->order[i] = i;
    for (int i = 0; i < rest; i++) {
        int other = r->pivot[i] - 1, row = r->order[i];
        r->order[i] = r->order[other];
        r->order[other] = row;
        chosen[i] = r->order[i];
    }
}

/* a [m, n] and behind it the chosen columns of the identity, into r->a. */
static void completed(const wg_call *c, qr_room *r, const void *a, const int64_t *chosen, int n)
{
    size_t size = wg_dtype_size(c->dtype), row = (size_t)n * size, own = (size_t)r->n * size;
    for (int i = 0; i < r->m; i++) {
        memset((char *)r->a + (size_t)i * row, 0, row);
        memcpy((char *)r->a + (size_t)i * row, (const char *)a + (size_t)i * own, own);
    }
    for (int j = 0; j < n - r->n; j++)
        wg_store_number(c->dtype, 1, (char *)r->a + (size_t)chosen[j] * row + own + (size_t)j * size);
}

/* Columns of q [m, k] and rows of r, whose rows are n long, turned so that r's diagonal is positive. */
static void turned(const wg_call *c, int m, int k, int n, void *q, void *r)
{
    size_t size = wg_dtype_size(c->dtype);
    for (int i = 0; i < k; i++) {
        if (!signbit(wg_load_number(c->dtype, (char *)r + (size_t)i * ((size_t)n + 1) * size)))
            continue;
        for (int j = 0; j < n; j++) {
            void *at = (char *)r + ((size_t)i * (size_t)n + (size_t)j) * size;
            wg_store_number(c->dtype, -wg_load_number(c->dtype, at), at);
        }
        for (int j = 0; j < m; j++) {
            void *at = (char *)q + ((size_t)j * (size_t)k + (size_t)i) * size;
            wg_store_number(c->dtype, -wg_load_number(c->dtype, at), at);
        }
    }
}

/* One matrix: q [m, k], r [k, n]; n_all columns once a is completed. */
static void qr_one(const wg_call *c, qr_room *room, const void *a, int k, void *q, void *r, int64_t *chosen)
{
    size_t size = wg_dtype_size(c->dtype);
    int n = room->n, n_all = k > n ? k : n;
    memcpy(room->a, a, (size_t)room->m * (size_t)n * size);
    if (n_all > n) {
        completing_columns(c, room, chosen);
        completed(c, room, a, chosen, n_all);
    }
    orthogonalised(c, room, n_all, k, q);
    wg_keep_triangle(c->dtype, WG_UPPER, k, n_all, room->a);
    turned(c, room->m, k, n_all, q, room->a);
    for (int i = 0; i < k; i++)
        memcpy((char *)r + (size_t)i * (size_t)n * size, (char *)room->a + (size_t)i * (size_t)n_all * size,
               (size_t)n * size);
}

static wg_status qr_run(const wg_call *c)
{
    wg_matrix_stack s;
    qr_room room;
    const wg_type *of_q = &c->y[0], *of_a = &c->x[0];
    if (wg_lapack_needed(c))
        return WG_ERROR_UNSUPPORTED;
    if (wg_stack_of(c, 0, &s))
        return WG_ERROR_MEMORY;
    if (!wg_type_count(of_q))
        return WG_OK;
    int m = (int)of_a->dim[of_a->rank - 2], n = (int)of_a->dim[of_a->rank - 1], k = (int)of_q->dim[of_q->rank - 1];
    size_t size = wg_dtype_size(c->dtype);
    if (wg_stack_finite(c, 0, &s, WG_WHOLE))
        return WG_ERROR_NUMERIC;
    if (!qr_room_made(c, m, n, &room))
        return WG_ERROR_MEMORY;
    int64_t count = wg_type_count(of_q) / ((int64_t)m * k), rest = k > n ? k - n : 0;
    for (int64_t i = 0; i < count; i++)
        qr_one(c, &room, wg_stack_at(&s, c->from[0], i), k, (char *)c->to[0] + (size_t)(i * m * k) * size,
               (char *)c->to[1] + (size_t)(i * k * n) * size, (int64_t *)c->to[2] + i * rest);
    return WG_OK;
}

/* The columns of the identity that complete a. */
#define COMPLETING                                                                                                     \
    reflectors(m, n, matrix, tau);                                                                                     \
    for (int i = 0; i < m * (m - n); i++) whole[i] = i / (m - n) == n + i % (m - n) ? 1 : 0;                           \
    apply_q(m, n, matrix, tau, false, m - n, whole);                                                                   \
    lu_of(m, m - n, whole, pivot);                                                                                     \
    for (int i = 0; i < m; i++) order[i] = i;                                                                          \
    for (int i = 0; i < m - n; i++) {                                                                                  \
        const int32_t other = order[pivot[i]];                                                                         \
        order[pivot[i]] = order[i];                                                                                    \
        order[i] = other;                                                                                              \
        completing[k * (m - n) + i] = other;                                                                           \
    }

static wg_status qr_c(const wg_call *c, wg_code *w)
{
    const wg_type *a = &c->x[0], *q = &c->y[0];
    int64_t m = a->dim[a->rank - 2], n = a->dim[a->rank - 1], columns = q->dim[q->rank - 1];
    wg_code_size(w, "m", m);
    wg_code_size(w, "n", n);
    wg_code_size(w, "columns", columns);
    wg_code_size(w, "all", columns > n ? columns : n);
    wg_code_room(w, "matrix", WG_FLOAT64, m * (columns > n ? columns : n));
    wg_code_room(w, "whole", WG_FLOAT64, m * m);
    wg_code_room(w, "tau", WG_FLOAT64, m);
    wg_code_room(w, "pivot", WG_INT32, m);
    wg_code_room(w, "order", WG_INT32, m);
    wg_code_for(w, "k", m && columns ? wg_type_count(q) / (m * columns) : 0);
    wg_code_text(w, TEXT_OF(WG_LOAD(m * n, matrix, a[k * m * n + i])));
    if (columns > n)
        wg_code_text(w, TEXT_OF(
            COMPLETING
            for (int i = 0; i < m; i++) for (int j = 0; j < all; j++)
                matrix[i * all + j] = j < n ? (double)a[(k * m + i) * n + j] : order[j - n] == i ? 1 : 0;));
    wg_code_text(w, TEXT_OF(
        reflectors(m, all, matrix, tau);
        for (int i = 0; i < m * columns; i++) whole[i] = i / columns == i % columns ? 1 : 0;
        apply_q(m, all, matrix, tau, false, columns, whole);
        for (int j = 0; j < columns; j++) {
            const double turn = matrix[j * all + j] < 0 ? -1 : 1;
            for (int i = 0; i < m; i++) q[(k * m + i) * columns + j] = (T)(turn * whole[i * columns + j]);
            for (int i = 0; i < n; i++) r[(k * columns + j) * n + i] = i < j ? 0 : (T)(turn * matrix[j * all + i]);
        }));
    wg_code_end(w);
    return w->status;
}

/* q [m, k] and r [k, k]: of a's first k columns, or of the completed a. */
typedef struct {
    int64_t m, n, k;
    wg_tensor q, r;
} qr_square;

static qr_square qr_square_of(const wg_call *c)
{
    const wg_type *a = &c->x[0], *of_q = &c->y[0];
    qr_square f = {a->dim[a->rank - 2], a->dim[a->rank - 1], of_q->dim[of_q->rank - 1], c->out[0], c->out[1]};
    if (f.k < f.n)
        f.r = columns(f.r, 0, f.k);
    if (f.k > f.n) { /* q' e, for the columns e of the identity: rows of q, transposed */
        wg_tensor e = wg_cast(wg_one_hot(wg_saved(c, 0), f.m), .dtype = c->dtype);
        wg_tensor beside = wg_triu(wg_matmul(transposed(f.q), transposed(e)), .k = -f.n);
        f.r = wg_concat(WG_TENSORS(f.r, beside), .axis = -1);
    }
    return f;
}

/* The lower triangle of x, and its mirror image above. */
static wg_tensor mirrored(wg_tensor x) { return wg_add(wg_tril(x), transposed(wg_tril(x, .k = -1))); }

/* (gq + q mirrored(r gr' - gq' q)) r'^-1; a wide a = [a1, a2] has r2 = q' a2, which gives gr2 to a2 and to q. */
static wg_tensor qr_da(const wg_call *c, wg_tensor g)
{
    (void)g;
    if (wg_is_none(c->g[0]) && wg_is_none(c->g[1]))
        return WG_NONE;
    if (!is_divisible_by(c, c->out[1]))
        return WG_INVALID;
    qr_square f = qr_square_of(c);
    wg_tensor gq = or_zeros(c->g[0], f.q), gr = or_zeros(c->g[1], c->out[1]), beside = WG_NONE;
    if (f.n > f.k) {
        wg_tensor gr2 = columns(gr, f.k, f.n - f.k);
        beside = wg_matmul(f.q, gr2);
        gq = wg_add(gq, wg_matmul(columns(c->in[0], f.k, f.n - f.k), transposed(gr2)));
        gr = columns(gr, 0, f.k);
    }
    wg_tensor by_r = wg_matmul(columns(f.r, 0, f.n < f.k ? f.n : f.k), transposed(gr));
    wg_tensor inside = wg_subtract(by_r, wg_matmul(transposed(gq), f.q));
    wg_tensor da = over_upper_transposed(wg_add(gq, wg_matmul(f.q, mirrored(inside))), f.r);
    if (f.n > f.k)
        return wg_concat(WG_TENSORS(da, beside), .axis = -1);
    return f.n < f.k ? columns(da, 0, f.n) : da;
}

/* With q' da r^-1 = s - skew and s upper: dr = s r, dq = da r^-1 - q s. */
static wg_tensor qr_jvp(const wg_call *c)
{
    if (!is_divisible_by(c, c->out[1]))
        return WG_INVALID;
    qr_square f = qr_square_of(c);
    wg_tensor t = f.n > f.k ? columns(c->t[0], 0, f.k) : c->t[0];
    if (f.n < f.k)
        t = wg_concat(WG_TENSORS(t, wg_multiply(columns(f.q, f.n, f.k - f.n), 0)), .axis = -1);
    wg_tensor x = over_upper(t, f.r), m = wg_matmul(transposed(f.q), x);
    wg_tensor upper = wg_add(wg_triu(m), transposed(wg_tril(m, .k = -1)));
    wg_tensor dq = wg_subtract(x, wg_matmul(f.q, upper));
    if (c->which == 0)
        return dq;
    wg_tensor dr = wg_matmul(upper, f.r);
    if (f.n <= f.k)
        return f.n < f.k ? columns(dr, 0, f.n) : dr;
    wg_tensor a2 = columns(c->in[0], f.k, f.n - f.k), t2 = columns(c->t[0], f.k, f.n - f.k);
    wg_tensor beside = wg_add(wg_matmul(transposed(dq), a2), wg_matmul(transposed(f.q), t2));
    return wg_concat(WG_TENSORS(dr, beside), .axis = -1);
}

/* r's first columns are the transpose of cholesky's factor of a' a, as its diagonal is positive. */
static void qr_formula(const wg_call *c, wg_tensor *out)
{
    const wg_type *x = &c->x[0];
    int64_t m = x->dim[x->rank - 2], n = x->dim[x->rank - 1], k = m < n ? m : n;
    if (!wg_type_count(x) || c->y[0].dim[x->rank - 1] != k) /* a complete q has more columns */
        return;
    wg_tensor first = wg_narrow(c->in[0], -1, 0, k),
              l = wg_cholesky_formula(wg_matmul(wg_matrix_transpose(first), first));
    if (wg_is_none(l))
        return;
    out[0] = wg_matmul(first, wg_inverse_formula(wg_matrix_transpose(l)));
    out[1] = wg_matmul(wg_matrix_transpose(out[0]), c->in[0]);
}
WG_OP(qr) = {
    .name = "qr",
    .doc = "q, r with a = q r: q's columns orthonormal, r upper with a positive diagonal; \"reduced\" q [..., m, k], r "
           "[..., k, n], k = min(m, n), \"complete\" q [..., m, m], r [..., m, n]",
    .source = "Walter and Lehmann 2010, Algorithmic differentiation of linear algebra functions, 3.2",
    .domain = "for the gradient, the first k columns of a independent",
    .in = {{"a", 0}},
    .out = {"q", "r"},
    .saved = {"completing"},
    .options = WG_SCHEMA(wg_qr, WG_ATTR(wg_qr, mode, .choices = {"reduced", "complete"})),
    .type = qr_type,
    .run = qr_run,
    .c = qr_c,
    .vjp = {qr_da},
    .jvp = qr_jvp,
    .saves = "a q r",
    .formula = qr_formula,
    .samples = {"[3,3]", "[4,2]", "[2,4]", "[2,3,2]", "[2,2,3]", "[3,3] mode=complete", "[4,2] mode=complete",
                "[2,3,1] mode=complete", "[2,3] mode=complete", "[1,1]", "[0,0]", "[0,2]", "[3,0] mode=complete",
                "[0,3,2] mode=complete"},
};
wg_qr_result (wg_qr)(wg_tensor a, wg_qr_options options)
{
    wg_tensor out[2] = {a, a};
    wg_record_on(a.tape, &qr_op, &options, &a, 1, out, 2);
    return (wg_qr_result){out[0], out[1]};
}

WG_FAMILY_OF(factorisations, "linear algebra", FACTORISATIONS)
