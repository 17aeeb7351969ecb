/* Eigenvalues, singular values, and norms made of them. Vectors turn by how the matrix, seen in their own frame, mixes
 * them, divided by how far their values are apart; values move by the diagonal there. Where two values coincide the
 * vectors are not functions of the matrix, and a rule that would need them says how small the gap is. */
#include "ops/linalg.h"
#include "ops/linalg_code.h"

#define SPECTRA(OP) OP(eigh) OP(eigvalsh) OP(svd) OP(svdvals) OP(matrix_norm)
WG_CONTENTS(SPECTRA)

static wg_tensor transposed(wg_tensor a) { return wg_matrix_transpose(a); }

static int64_t smaller_size(const wg_type *a)
{
    int64_t m = a->dim[a->rank - 2], n = a->dim[a->rank - 1];
    return m < n ? m : n;
}

static wg_status not_converged(const wg_call *c, int64_t k)
{
    return wg_fail(c, WG_ERROR_NUMERIC, "matrix %lld of %s: the iteration does not converge", (long long)k,
                   wg_show(c, 0));
}

/* Is v, a column or row of n elements `step` apart, to be turned? Its entry of largest magnitude, the first of those,
 * is to be positive. */
static bool points_down(wg_dtype dtype, int64_t n, int64_t step, const void *v)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = wg_load_number(dtype, (const char *)v + (size_t)(i * step) * wg_dtype_size(dtype));
        most = fabs(x) > fabs(most) ? x : most;
    }
    return most < 0;
}

static void turn(wg_dtype dtype, int64_t n, int64_t step, void *v)
{
    for (int64_t i = 0; i < n; i++) {
        void *at = (char *)v + (size_t)(i * step) * wg_dtype_size(dtype);
        wg_store_number(dtype, -wg_load_number(dtype, at), at);
    }
}

/* ---- What vectors need to have a derivative ---------------------------------------------------------------------- */
/* Zero: absent, or all zeros where nothing will be differentiated again. */
static bool is_null(const wg_call *c, wg_tensor g)
{
    if (wg_is_none(g) || c->recording)
        return wg_is_none(g);
    for (int64_t i = 0, n = wg_size(g); i < n; i++)
        if (wg_element(g, i) != 0)
            return false;
    return true;
}

/* Rounding moves values of an n x n matrix by about this. */
static double uncertainty(const wg_call *c, int64_t n, double largest)
{
    return 4 * (double)n * wg_epsilon(c->dtype) * largest;
}

/* Are the values [..., n], in order, apart? */
static bool values_are_apart(const wg_call *c, wg_tensor values)
{
    wg_type type = wg_type_of(values);
    int64_t n = type.rank ? type.dim[type.rank - 1] : 0;
    for (int64_t first = 0, all = wg_size(values); first < all; first += n) {
        double most = fmax(fabs(wg_element(values, first)), fabs(wg_element(values, first + n - 1)));
        for (int64_t i = first; i + 1 < first + n; i++) {
            double gap = fabs(wg_element(values, i + 1) - wg_element(values, i));
            if (gap > uncertainty(c, n, most))
                continue;
            wg_fail(c, WG_ERROR_NUMERIC,
                    "values %lld and %lld of matrix %lld are %.2g apart: their vectors have no derivative",
                    (long long)(i - first), (long long)(i - first + 1), (long long)(first / n), gap);
            return false;
        }
    }
    return true;
}

/* 1 / (x(j) - x(i)), and 0 on the diagonal. */
static wg_tensor inverse_gaps(wg_tensor x)
{
    wg_tensor one = wg_identity_like(x), apart = wg_subtract(wg_expand_dims(x, -2), wg_expand_dims(x, -1));
    return wg_divide(wg_subtract(1, one), wg_add(apart, one));
}

/* ---- eigh, eigvalsh ---------------------------------------------------------------------------------------------- */
/* Eigenvalues into values, and unless it is NULL, vectors. */
static wg_status eigen_run(const wg_call *c, bool lower, char *values, void *vectors)
{
    wg_matrix_stack s;
    if (wg_lapack_needed(c))
        return WG_ERROR_UNSUPPORTED;
    if (wg_stack_of(c, 0, &s))
        return WG_ERROR_MEMORY;
    if (s.empty)
        return WG_OK;
    if (wg_stack_finite(c, 0, &s, lower ? WG_LOWER : WG_UPPER))
        return WG_ERROR_NUMERIC;
    char jobz = vectors ? 'V' : 'N', uplo = lower ? 'U' : 'L';
    double answer[1] = {0};
    int n_ints = 0;
    size_t size = wg_dtype_size(c->dtype);
    wg_lapack_syevd(c->dtype, jobz, uplo, s.n, NULL, NULL, answer, -1, &n_ints, -1);
    int lwork = wg_work_asked(c->dtype, answer);
    void *a = wg_scratch(c, s.size), *work = wg_scratch(c, (size_t)lwork * size);
    int *iwork = wg_scratch(c, (size_t)n_ints * sizeof *iwork);
    if (!a || !work || !iwork)
        return WG_ERROR_MEMORY;
    for (int64_t k = 0; k < s.count; k++) {
        memcpy(a, wg_stack_at(&s, c->from[0], k), s.size);
        if (wg_lapack_syevd(c->dtype, jobz, uplo, s.n, a, values + (size_t)(k * s.n) * size, work, lwork, iwork,
                            n_ints))
            return not_converged(c, k);
        if (!vectors)
            continue;
        for (int64_t i = 0; i < s.n; i++) {
            void *v = (char *)a + (size_t)(i * s.n) * size;
            if (points_down(c->dtype, s.n, 1, v))
                turn(c->dtype, s.n, 1, v);
        }
        wg_transpose_into(c->dtype, s.n, s.n, a, wg_stack_to(&s, vectors, k));
    }
    return WG_OK;
}

static wg_status eigen_c(const wg_call *c, wg_code *w, bool lower, const char *text)
{
    int64_t n = c->x[0].dim[c->x[0].rank - 1];
    wg_code_size(w, "lower", lower);
    wg_code_room(w, "matrix", WG_FLOAT64, n * n);
    wg_code_room(w, "v", WG_FLOAT64, n * n);
    wg_matrices_begin(c, w);
    wg_code_text(w, TEXT_OF(WG_LOAD_SYMMETRIC(matrix, a) if (eigen_of(n, matrix, v)) BREAKDOWN;));
    wg_code_text(w, text);
    return wg_matrices_end(w);
}

static wg_status eigh_type(wg_call *c)
{
    if (wg_is_square(c, 0))
        return WG_ERROR_SHAPE;
    c->y[0] = wg_vector_type(&c->x[0], c->x[0].dim[c->x[0].rank - 1]);
    c->y[1] = c->x[0];
    return WG_OK;
}

static wg_status eigh_run(const wg_call *c)
{
    return eigen_run(c, ((const wg_eigh_options *)c->options)->lower, c->to[0], c->to[1]);
}

static wg_status eigh_c(const wg_call *c, wg_code *w)
{
    return eigen_c(c, w, ((const wg_eigh_options *)c->options)->lower, TEXT_OF(
        WG_PUT(n, values[q * n + i], matrix[i * n + i]) WG_PUT(n * n, vectors[q * n * n + i], v[i])));
}

/* v (diag(gw) + k (v' gv)) v', with k the inverse gaps. */
static wg_tensor eigh_da(const wg_call *c, wg_tensor g)
{
    (void)g;
    wg_tensor w = c->out[0], v = c->out[1], inside = WG_NONE;
    if (!is_null(c, c->g[1])) {
        if (!values_are_apart(c, w))
            return WG_INVALID;
        inside = wg_multiply(inverse_gaps(w), wg_matmul(transposed(v), c->g[1]));
    }
    if (!wg_is_none(c->g[0]))
        inside = wg_plus(inside, wg_columns_times(wg_identity_like(v), c->g[0]));
    return wg_is_none(inside) ? WG_NONE : wg_symmetrised(wg_matmul(wg_matmul(v, inside), transposed(v)));
}

static wg_tensor eigh_jvp(const wg_call *c)
{
    wg_tensor w = c->out[0], v = c->out[1], tv = wg_matmul(wg_symmetrised(c->t[0]), v);
    if (c->which == 0)
        return wg_sum(wg_multiply(v, tv), .axis = -2);
    if (!values_are_apart(c, w))
        return WG_INVALID;
    return wg_matmul(v, wg_multiply(inverse_gaps(w), wg_matmul(transposed(v), tv)));
}

static void eigh_formula(const wg_call *c, wg_tensor *out)
{
    if (wg_type_count(&c->x[0]))
        wg_eigh_formula(c->in[0], c->out[1], &out[0], &out[1]);
}
WG_OP(eigh) = {
    .name = "eigh",
    .doc =
        "values, vectors with a = vectors diag(values) vectors', of one triangle of a symmetric a: values ascending, "
        "vectors in columns, each one's largest entry positive; the gradient is symmetric",
    .source = "Giles 2008, 3.1",
    .domain = "for a gradient of the vectors, values that differ",
    .in = {{"a", WG_SYMMETRIC}},
    .out = {"values", "vectors"},
    .options = WG_SCHEMA(wg_eigh, WG_ATTR(wg_eigh, lower)),
    .type = eigh_type,
    .run = eigh_run,
    .c = eigh_c,
    .vjp = {eigh_da},
    .jvp = eigh_jvp,
    .saves = "values vectors",
    .formula = eigh_formula,
    .samples = {"[3,3]:definite", "[3,3]:definite lower=false", "[2,4,4]:definite", "[1,1]", "[0,0]", "[0,2,2]"},
};
wg_eigh_result (wg_eigh)(wg_tensor a, wg_eigh_options options)
{
    wg_tensor out[2] = {a, a};
    wg_record_on(a.tape, &eigh_op, &options, &a, 1, out, 2);
    return (wg_eigh_result){out[0], out[1]};
}

static wg_status eigvalsh_type(wg_call *c)
{
    if (wg_is_square(c, 0))
        return WG_ERROR_SHAPE;
    c->y[0] = wg_vector_type(&c->x[0], c->x[0].dim[c->x[0].rank - 1]);
    return WG_OK;
}

static wg_status eigvalsh_run(const wg_call *c)
{
    return eigen_run(c, ((const wg_eigvalsh_options *)c->options)->lower, c->to[0], NULL);
}

static wg_status eigvalsh_c(const wg_call *c, wg_code *w)
{
    return eigen_c(c, w, ((const wg_eigvalsh_options *)c->options)->lower,
                   TEXT_OF(WG_PUT(n, y[q * n + i], matrix[i * n + i])));
}

static wg_tensor vectors_of(const wg_call *c)
{
    return wg_eigh(c->in[0], .lower = ((const wg_eigvalsh_options *)c->options)->lower).vectors;
}

static wg_tensor eigvalsh_da(const wg_call *c, wg_tensor g)
{
    wg_tensor v = vectors_of(c);
    return wg_matmul(wg_columns_times(v, g), transposed(v));
}
static wg_tensor eigvalsh_jvp(const wg_call *c)
{
    wg_tensor v = vectors_of(c);
    return wg_sum(wg_multiply(v, wg_matmul(wg_symmetrised(c->t[0]), v)), .axis = -2);
}

static void eigvalsh_formula(const wg_call *c, wg_tensor *out)
{
    wg_tensor vectors;
    if (wg_type_count(&c->x[0]))
        wg_eigh_formula(c->in[0], wg_eigh(c->in[0]).vectors, &out[0], &vectors);
}
WG_OP(eigvalsh) = {
    .name = "eigvalsh",
    .doc = "y = the eigenvalues, ascending, of one triangle of a symmetric a; the gradient is symmetric",
    .source = "Giles 2008, 3.1",
    .in = {{"a", WG_SYMMETRIC}},
    .options = WG_SCHEMA(wg_eigvalsh, WG_ATTR(wg_eigvalsh, lower)),
    .type = eigvalsh_type,
    .run = eigvalsh_run,
    .c = eigvalsh_c,
    .vjp = {eigvalsh_da},
    .jvp = eigvalsh_jvp,
    .saves = "a",
    .formula = eigvalsh_formula,
    .samples = {"[3,3]:definite", "[3,3]:definite lower=false", "[2,4,4]:definite", "[1,1]", "[0,0]", "[0,2,2]"},
};
wg_tensor (wg_eigvalsh)(wg_tensor a, wg_eigvalsh_options options) { return WG_RECORD(eigvalsh, &options, a); }

/* ---- svd, svdvals ------------------------------------------------------------------------------------------------ */
typedef struct {
    int m, n, k, lwork, *iwork;
    char jobz;
    void *a, *work;
} svd_room;

static bool svd_room_made(const wg_call *c, const wg_matrix_stack *s, char jobz, svd_room *r)
{
    size_t size = wg_dtype_size(c->dtype);
    double answer[1] = {0};
    int asked[8];
    *r = (svd_room){.m = s->m, .n = s->n, .k = s->m < s->n ? s->m : s->n, .jobz = jobz};
    wg_lapack_gesdd(c->dtype, jobz, s->n, s->m, NULL, NULL, NULL, NULL, answer, -1, asked);
    r->lwork = wg_work_asked(c->dtype, answer);
    r->a = wg_scratch(c, s->size);
    r->work = wg_scratch(c, (size_t)r->lwork * size);
    r->iwork = wg_scratch(c, 8 * (size_t)r->k * sizeof *r->iwork);
    return r->a && r->work && r->iwork;
}

/* a by rows is a' by columns, whose u is vh by rows and whose vt is u by rows. */
static wg_status svd_one(const wg_call *c, const wg_matrix_stack *s, svd_room *r, int64_t i, void *u, void *values,
                         void *vh)
{
    memcpy(r->a, wg_stack_at(s, c->from[0], i), s->size);
    int info = wg_lapack_gesdd(c->dtype, r->jobz, r->n, r->m, r->a, values, vh, u, r->work, r->lwork, r->iwork);
    return info ? not_converged(c, i) : WG_OK;
}

/* Makes `room` for singular values; *none where there is nothing to do. */
static wg_status svd_begun(const wg_call *c, char jobz, wg_matrix_stack *s, svd_room *room, bool *none)
{
    *none = true;
    if (wg_lapack_needed(c))
        return WG_ERROR_UNSUPPORTED;
    if (wg_stack_of(c, 0, s))
        return WG_ERROR_MEMORY;
    if (s->empty)
        return WG_OK;
    if (wg_stack_finite(c, 0, s, WG_WHOLE))
        return WG_ERROR_NUMERIC;
    *none = false;
    return svd_room_made(c, s, jobz, room) ? WG_OK : WG_ERROR_MEMORY;
}

static wg_status svd_type(wg_call *c)
{
    if (wg_is_matrix(c, 0))
        return WG_ERROR_SHAPE;
    const wg_type *a = &c->x[0];
    int64_t k = smaller_size(a);
    c->y[0] = wg_matrix_type(a, a->dim[a->rank - 2], k);
    c->y[1] = wg_vector_type(a, k);
    c->y[2] = wg_matrix_type(a, k, a->dim[a->rank - 1]);
    return WG_OK;
}

static wg_status svd_run(const wg_call *c)
{
    wg_matrix_stack s;
    svd_room r;
    bool none;
    wg_status status = svd_begun(c, 'S', &s, &r, &none);
    size_t size = wg_dtype_size(c->dtype);
    for (int64_t i = 0; !none && i < s.count && !status; i++) {
        char *u = (char *)c->to[0] + (size_t)(i * r.m * r.k) * size,
             *vh = (char *)c->to[2] + (size_t)(i * r.k * r.n) * size;
        status = svd_one(c, &s, &r, i, u, (char *)c->to[1] + (size_t)(i * r.k) * size, vh);
        for (int64_t j = 0; j < r.k && !status; j++)
            if (points_down(c->dtype, r.m, r.k, u + (size_t)j * size)) {
                turn(c->dtype, r.m, r.k, u + (size_t)j * size);
                turn(c->dtype, r.n, 1, vh + (size_t)(j * r.n) * size);
            }
    }
    return status;
}

/* The text for each matrix: `matrix` [rows, k] and v [k, k] have its left and right vectors, or the other way round
 * where it is wide. */
static wg_status svd_code(const wg_call *c, wg_code *w, const char *text)
{
    const wg_type *a = &c->x[0];
    int64_t m = a->dim[a->rank - 2], n = a->dim[a->rank - 1], k = smaller_size(a);
    wg_code_size(w, "rows", m > n ? m : n);
    wg_code_size(w, "k", k);
    wg_code_size(w, "wide", m < n);
    wg_code_room(w, "matrix", WG_FLOAT64, m * n);
    wg_code_room(w, "v", WG_FLOAT64, k * k);
    wg_code_room(w, "sigma", WG_FLOAT64, k);
    wg_matrices_begin(c, w);
    wg_code_text(w, TEXT_OF(
        const T *of_a = a + q * m * n;
        WG_LOAD(rows * k, matrix, of_a[wide ? i % k * rows + i / k : i])
        if (svd_of(rows, k, matrix, sigma, v)) BREAKDOWN;));
    wg_code_text(w, text);
    return wg_matrices_end(w);
}

static wg_status svd_c(const wg_call *c, wg_code *w)
{
    return svd_code(c, w, TEXT_OF(
        double *left = wide ? v : matrix; double *right = wide ? matrix : v;
        for (int j = 0; j < k; j++) point_up(m, k, j, left, right, n);
        WG_PUT(k, s[q * k + i], sigma[i])
        WG_PUT(m * k, u[q * m * k + i], left[i])
        WG_PUT(k * n, vh[q * k * n + i], right[i % n * k + i / n])));
}

/* Vectors of a rectangle turn out of their space by 1/s, so that no s may be 0. */
static bool values_are_positive(const wg_call *c, wg_tensor s)
{
    int64_t k = smaller_size(&c->x[0]);
    for (int64_t first = 0, all = wg_size(s); first < all; first += k) {
        double least = wg_element(s, first + k - 1);
        if (least > uncertainty(c, k, wg_element(s, first)))
            continue;
        wg_fail(c, WG_ERROR_NUMERIC, "the least singular value of matrix %lld is %.2g: its vectors have no derivative",
                (long long)(first / k), least);
        return false;
    }
    return true;
}

static bool vectors_have_derivative(const wg_call *c)
{
    const wg_type *a = &c->x[0];
    bool square = a->dim[a->rank - 2] == a->dim[a->rank - 1];
    return values_are_apart(c, c->out[1]) && (square || values_are_positive(c, c->out[1]));
}

/* (1 - q q') x for orthonormal columns of q. */
static wg_tensor outside(wg_tensor q, wg_tensor x) { return wg_subtract(x, wg_matmul(q, wg_matmul(transposed(q), x))); }
static wg_tensor skew(wg_tensor x) { return wg_subtract(x, transposed(x)); }

/* u ((f skew(u' gu)) s + s (f skew(v' gv)) + diag(gs)) v' with f = 1 / (s(j)^2 - s(i)^2), and what leaves the spaces of
 * u and v: (1 - u u') gu s^-1 v' + u s^-1 gv' (1 - v v'). */
static wg_tensor svd_da(const wg_call *c, wg_tensor g)
{
    (void)g;
    const wg_type *a = &c->x[0];
    int64_t m = a->dim[a->rank - 2], n = a->dim[a->rank - 1], k = smaller_size(a);
    wg_tensor u = c->out[0], s = c->out[1], vh = c->out[2], v = transposed(vh), f = WG_NONE;
    wg_tensor inside = wg_is_none(c->g[1]) ? WG_NONE : wg_columns_times(wg_identity_like(s), c->g[1]), more = WG_NONE;
    bool by_u = !is_null(c, c->g[0]), by_v = !is_null(c, c->g[2]);
    if (by_u || by_v) {
        if (!vectors_have_derivative(c))
            return WG_INVALID;
        f = inverse_gaps(wg_square(s));
    }
    if (by_u) {
        inside = wg_plus(inside, wg_columns_times(wg_multiply(f, skew(wg_matmul(transposed(u), c->g[0]))), s));
        if (m > k)
            more = wg_matmul(wg_divide(outside(u, c->g[0]), wg_expand_dims(s, -2)), vh);
    }
    if (by_v) {
        wg_tensor gv = transposed(c->g[2]);
        inside = wg_plus(inside, wg_rows_times(s, wg_multiply(f, skew(wg_matmul(vh, gv)))));
        if (n > k)
            more = wg_plus(more, wg_matmul(u, transposed(wg_divide(outside(v, gv), wg_expand_dims(s, -2)))));
    }
    return wg_is_none(inside) ? WG_NONE : wg_plus(wg_matmul(wg_matmul(u, inside), vh), more);
}

/* With p = u' t v: ds = diag(p), du = u (f (p s + s p')) + (1 - u u') t v s^-1, dv = v (f (s p + p' s)) + ... */
static wg_tensor svd_jvp(const wg_call *c)
{
    const wg_type *a = &c->x[0];
    int64_t m = a->dim[a->rank - 2], n = a->dim[a->rank - 1], k = smaller_size(a);
    wg_tensor u = c->out[0], s = c->out[1], v = transposed(c->out[2]), tv = wg_matmul(c->t[0], v);
    if (c->which == 1)
        return wg_sum(wg_multiply(u, tv), .axis = -2);
    if (!vectors_have_derivative(c))
        return WG_INVALID;
    wg_tensor p = wg_matmul(transposed(u), tv), f = inverse_gaps(wg_square(s));
    if (c->which == 0) {
        wg_tensor ps = wg_columns_times(p, s), du = wg_matmul(u, wg_multiply(f, wg_add(ps, transposed(ps))));
        return m > k ? wg_add(du, wg_divide(outside(u, tv), wg_expand_dims(s, -2))) : du;
    }
    wg_tensor sp = wg_rows_times(s, p), dv = wg_matmul(v, wg_multiply(f, wg_add(sp, transposed(sp))));
    if (n > k)
        dv = wg_add(dv, wg_divide(outside(v, wg_matmul(transposed(c->t[0]), u)), wg_expand_dims(s, -2)));
    return transposed(dv);
}

/* From the spectrum of a' a, or of a a' where that is the smaller one. */
static void singular_formula(wg_tensor a, wg_tensor u, wg_tensor vh, wg_tensor out[3])
{
    wg_type type = wg_type_of(a);
    bool tall = type.dim[type.rank - 2] >= type.dim[type.rank - 1];
    wg_tensor transposed = wg_matrix_transpose(a), gram = tall ? wg_matmul(transposed, a) : wg_matmul(a, transposed), v,
              x;
    wg_eigh_formula(gram, tall ? wg_matrix_transpose(vh) : u, &v, &x);
    out[1] = wg_sqrt(v);
    wg_tensor other = wg_divide(wg_matmul(tall ? a : transposed, x), wg_expand_dims(out[1], -2));
    out[0] = tall ? other : x;
    out[2] = wg_matrix_transpose(tall ? x : other);
}
static void svd_formula(const wg_call *c, wg_tensor *out)
{
    if (wg_type_count(&c->x[0]))
        singular_formula(c->in[0], c->out[0], c->out[2], out);
}
WG_OP(svd) = {
    .name = "svd",
    .doc = "u, s, vh with a = u diag(s) vh: u [..., m, k], s [..., k] descending, vh [..., k, n], k = min(m, n); the "
           "largest "
           "entry of each column of u positive",
    .source = "Townsend 2016, Differentiating the singular value decomposition; Seeger et al. 2017",
    .domain = "for a gradient of u or vh, values that differ, and none 0 where m and n do",
    .in = {{"a", 0}},
    .out = {"u", "s", "vh"},
    .type = svd_type,
    .run = svd_run,
    .c = svd_c,
    .vjp = {svd_da},
    .jvp = svd_jvp,
    .saves = "u s vh",
    .formula = svd_formula,
    .samples = {"[3,3]", "[2,4,4]", "[4,2]", "[2,4]", "[2,3,2]", "[1,1]", "[0,0]", "[0,2]", "[3,0]", "[0,2,3]"},
};
wg_svd_result (wg_svd)(wg_tensor a)
{
    wg_tensor out[3] = {a, a, a};
    wg_record_on(a.tape, &svd_op, NULL, &a, 1, out, 3);
    return (wg_svd_result){out[0], out[1], out[2]};
}

static wg_status svdvals_type(wg_call *c)
{
    if (wg_is_matrix(c, 0))
        return WG_ERROR_SHAPE;
    c->y[0] = wg_vector_type(&c->x[0], smaller_size(&c->x[0]));
    return WG_OK;
}

static wg_status svdvals_run(const wg_call *c)
{
    wg_matrix_stack s;
    svd_room r;
    bool none;
    wg_status status = svd_begun(c, 'N', &s, &r, &none);
    for (int64_t i = 0; !none && i < s.count && !status; i++)
        status = svd_one(c, &s, &r, i, NULL, (char *)c->to[0] + (size_t)(i * r.k) * wg_dtype_size(c->dtype), NULL);
    return status;
}

static wg_status svdvals_c(const wg_call *c, wg_code *w)
{
    return svd_code(c, w, TEXT_OF(WG_PUT(k, y[q * k + i], sigma[i])));
}

static wg_tensor svdvals_da(const wg_call *c, wg_tensor g)
{
    wg_svd_result a = wg_svd(c->in[0]);
    return wg_matmul(wg_columns_times(a.u, g), a.vh);
}
static wg_tensor svdvals_jvp(const wg_call *c)
{
    wg_svd_result a = wg_svd(c->in[0]);
    return wg_sum(wg_multiply(a.u, wg_matmul(c->t[0], transposed(a.vh))), .axis = -2);
}

static void svdvals_formula(const wg_call *c, wg_tensor *out)
{
    wg_tensor all[3];
    if (!wg_type_count(&c->x[0]))
        return;
    wg_svd_result known = wg_svd(c->in[0]);
    singular_formula(c->in[0], known.u, known.vh, all);
    out[0] = all[1];
}
WG_OP(svdvals) = {
    .name = "svdvals",
    .doc = "y = the singular values of a [..., m, n], descending",
    .source = "Townsend 2016, Differentiating the singular value decomposition",
    .in = {{"a", 0}},
    .type = svdvals_type,
    .run = svdvals_run,
    .c = svdvals_c,
    .vjp = {svdvals_da},
    .jvp = svdvals_jvp,
    .saves = "a",
    .formula = svdvals_formula,
    .samples = {"[3,3]", "[2,4,4]", "[4,2]", "[2,4]", "[1,1]", "[0,0]", "[0,2]", "[0,2,3]"},
};
wg_tensor (wg_svdvals)(wg_tensor a) { return WG_RECORD(svdvals, NULL, a); }

/* ---- matrix_norm ------------------------------------------------------------------------------------------------- */
static bool ord_is(const wg_call *c, const char *ord)
{
    return !strcmp(((const wg_matrix_norm_options *)c->options)->ord, ord);
}

static wg_status matrix_norm_type(wg_call *c)
{
    if (wg_is_matrix(c, 0))
        return WG_ERROR_SHAPE;
    c->y[0] = c->x[0];
    c->y[0].rank -= 2;
    return WG_OK;
}

/* The root of the sum of squares, of elements brought near 1 by a power of two. */
#define ROOT_OF_SQUARES(T)                                                                                             \
    static double root_of_squares_##T(int64_t n, const T *a)                                                           \
    {                                                                                                                  \
        double most = 0, sum = 0;                                                                                      \
        for (int64_t i = 0; i < n; i++)                                                                                \
            most = fabs((double)a[i]) > most || isnan(a[i]) ? fabs((double)a[i]) : most;                               \
        if (most == 0 || !isfinite(most))                                                                              \
            return most;                                                                                               \
        int e = ilogb(most);                                                                                           \
        double half = ldexp(1, -e / 2), rest = ldexp(1, -e - -e / 2); /* 2^-e itself need not be a number */           \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            double x = (double)a[i] * half * rest;                                                                     \
            sum += x * x;                                                                                              \
        }                                                                                                              \
        return ldexp(sqrt(sum), e);                                                                                    \
    }
ROOT_OF_SQUARES(float)
ROOT_OF_SQUARES(double)

static wg_status frobenius_run(const wg_call *c)
{
    const wg_type *a = &c->x[0];
    int64_t n = a->dim[a->rank - 2] * a->dim[a->rank - 1];
    for (int64_t k = 0, count = wg_type_count(&c->y[0]); k < count; k++)
        if (c->dtype == WG_FLOAT32)
            ((float *)c->to[0])[k] = (float)root_of_squares_float(n, (const float *)c->from[0] + k * n);
        else
            ((double *)c->to[0])[k] = root_of_squares_double(n, (const double *)c->from[0] + k * n);
    return WG_OK;
}

static wg_status matrix_norm_run(const wg_call *c)
{
    if (ord_is(c, "fro"))
        return frobenius_run(c);
    wg_matrix_stack s;
    svd_room r;
    bool none;
    size_t size = wg_dtype_size(c->dtype);
    memset(c->to[0], 0, (size_t)wg_type_count(&c->y[0]) * size);
    wg_status status = svd_begun(c, 'N', &s, &r, &none);
    char *values = none || status ? NULL : wg_scratch(c, (size_t)r.k * size);
    if (!values)
        return none ? status : status ? status : WG_ERROR_MEMORY;
    for (int64_t i = 0; i < s.count && !status; i++) {
        status = svd_one(c, &s, &r, i, NULL, values, NULL);
        double sum = 0;
        for (int64_t j = 0; j < (ord_is(c, "2") ? 1 : r.k); j++)
            sum += wg_load_number(c->dtype, values + (size_t)j * size);
        wg_store_number(c->dtype, sum, (char *)c->to[0] + (size_t)i * size);
    }
    return status;
}

static wg_status matrix_norm_c(const wg_call *c, wg_code *w)
{
    if (!wg_type_count(&c->x[0])) {
        wg_code_fill(w, "y", wg_type_count(&c->y[0]), "0");
        return w->status;
    }
    if (ord_is(c, "2"))
        return svd_code(c, w, WG_C(y[q] = (T)sigma[0];));
    if (ord_is(c, "nuc"))
        return svd_code(c, w, WG_C(double sum = 0; for (int i = 0; i < k; i++) sum += sigma[i]; y[q] = (T)sum;));
    wg_matrices_begin(c, w);
    wg_code_text(w, WG_C(
        double most = 0; double sum = 0;
        for (int i = 0; i < m * n; i++) {
            const double x = fabs_double((double)a[q * m * n + i]);
            most = x > most || isnan(x) ? x : most;
        }
        for (int i = 0; i < m * n && most > 0 && !isinf(most); i++)
            sum += (double)a[q * m * n + i] / most * ((double)a[q * m * n + i] / most);
        y[q] = (T)(sum > 0 ? most * sqrt_double(sum) : most);));
    return wg_matrices_end(w);
}

/* How much each singular value's pair has of the gradient, a constant: of "nuc" 1, unless it is 0; of "2" the largest
 * have equal shares of 1. */
static wg_tensor shares(const wg_call *c, wg_tensor s)
{
    wg_type type = wg_type_of(s);
    int64_t k = smaller_size(&c->x[0]), n = wg_size(s);
    double *share = wg_scratch(c, (size_t)n * sizeof *share);
    if (!share)
        return WG_INVALID;
    for (int64_t first = 0; first < n; first += k) {
        double most = wg_element(s, first), slack = uncertainty(c, k, most);
        int64_t equal = 0;
        for (int64_t i = 0; i < k; i++) {
            double value = wg_element(s, first + i);
            share[first + i] = value > slack && (ord_is(c, "nuc") || value >= most - slack);
            equal += share[first + i] != 0;
        }
        for (int64_t i = 0; i < k && equal && ord_is(c, "2"); i++)
            share[first + i] /= (double)equal;
    }
    wg_tensor wide = wg_array(c->tape, WG_FLOAT64, wg_type_shape(&type), share);
    return type.dtype == WG_FLOAT64 ? wide : wg_cast(wide, .dtype = type.dtype);
}

/* The gradient of the norm. */
static wg_tensor direction(const wg_call *c)
{
    wg_tensor y = c->out[0];
    if (ord_is(c, "fro"))
        return wg_divide(c->in[0], wg_expand_dims(wg_where(wg_equal(y, 0), 1, y), WG_AXES(-1, -2)));
    wg_svd_result a = wg_svd(c->in[0]);
    return wg_matmul(wg_columns_times(a.u, shares(c, a.s)), a.vh);
}

static wg_tensor matrix_norm_da(const wg_call *c, wg_tensor g) { return wg_each_times(g, direction(c)); }
static wg_tensor matrix_norm_jvp(const wg_call *c) { return wg_matrix_inner(direction(c), c->t[0]); }

static void matrix_norm_formula(const wg_call *c, wg_tensor *out)
{
    const wg_matrix_norm_options *o = c->options;
    if (!wg_type_count(&c->x[0]))
        return;
    if (wg_choice_is(o->ord, "fro"))
        out[0] = wg_norm(c->in[0], .axis = WG_AXES(-2, -1));
    else if (wg_choice_is(o->ord, "nuc"))
        out[0] = wg_sum(wg_svdvals(c->in[0]), .axis = -1);
    else
        out[0] = wg_select(wg_svdvals(c->in[0]), -1, 0);
}
WG_OP(matrix_norm) = {
    .name = "matrix_norm",
    .doc = "y = the root of the sum of squares (\"fro\"), the sum (\"nuc\") or the largest (\"2\") of a's singular "
           "values; the "
           "gradient is 0 at 0, and shared by equal largest ones",
    .source = "Watson 1992, Characterization of the subdifferential of some matrix norms",
    .in = {{"a", 0}},
    .options = WG_SCHEMA(wg_matrix_norm, WG_ATTR(wg_matrix_norm, ord, .choices = {"fro", "nuc", "2"})),
    .type = matrix_norm_type,
    .run = matrix_norm_run,
    .c = matrix_norm_c,
    .vjp = {matrix_norm_da},
    .jvp = matrix_norm_jvp,
    .saves = "a y",
    .formula = matrix_norm_formula,
    .samples = {"[3,3]", "[2,3,4]", "[4,2] ord=nuc", "[2,3,3] ord=nuc", "[3,4] ord=2", "[2,3,3] ord=2", "[0,2]",
                "[2,0] ord=nuc", "[0,2,3] ord=2", "[1,1]"},
};
wg_tensor (wg_matrix_norm)(wg_tensor a, wg_matrix_norm_options options) { return WG_RECORD(matrix_norm, &options, a); }

WG_FAMILY_OF(spectra, "linear algebra", SPECTRA)
