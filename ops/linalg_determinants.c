/* Determinants. The determinant is a polynomial of the entries, smooth everywhere, so its gradient, the matrix of
 * cofactors, may not go through an inverse that a singular matrix does not have. With a = u diag(s) v' the cofactors
 * are det(u) det(v) u diag(p) v', where p[k] is the product of all s but s[k]: right for every rank. */
#include "ops/backend.h"
#include "ops/linalg.h"
#include "ops/linalg_code.h"

#include <float.h>

#define DETERMINANTS(OP) OP(det) OP(slogdet) OP(logdet_spd) OP(cofactors) OP(cofactors_moved)
WG_CONTENTS(DETERMINANTS)

static wg_status one_a_matrix_type(wg_call *c)
{
    if (wg_is_square(c, 0))
        return WG_ERROR_SHAPE;
    c->y[0] = c->x[0];
    c->y[0].rank -= 2;
    return WG_OK;
}

/* Element i of the diagonal. */
static double diagonal_at(wg_dtype dtype, int n, const void *a, int i)
{
    return wg_load_number(dtype, (const char *)a + (size_t)i * ((size_t)n + 1) * wg_dtype_size(dtype));
}

/* A product kept as mantissa and exponent: it overflows only where the whole does. */
typedef struct {
    double mantissa;
    int64_t exponent;
} product;

static void times(product *p, double factor)
{
    int e;
    p->mantissa = frexp(p->mantissa * factor, &e);
    p->exponent += e;
}

static double product_value(const product *p)
{
    int64_t e = p->exponent > 9999 ? 9999 : p->exponent < -9999 ? -9999 : p->exponent;
    return ldexp(p->mantissa, (int)e);
}

/* The determinant, from the LU factors; and its sign alone. */
static product lu_product(wg_dtype dtype, int n, const void *lu, const int *pivot)
{
    product p = {1, 0};
    for (int i = 0; i < n; i++)
        times(&p, pivot[i] == i + 1 ? diagonal_at(dtype, n, lu, i) : -diagonal_at(dtype, n, lu, i));
    return p;
}

/* ---- In C -------------------------------------------------------------------------------------------------------- */
static int64_t order_of(const wg_call *c) { return c->x[0].dim[c->x[0].rank - 1]; }

/* The text for the LU factors of each matrix. */
static wg_status factorised_c(const wg_call *c, wg_code *w, const char *text)
{
    wg_code_room(w, "matrix", WG_FLOAT64, order_of(c) * order_of(c));
    wg_code_room(w, "pivot", WG_INT32, order_of(c));
    wg_matrices_begin(c, w);
    wg_code_text(w, TEXT_OF(int exponent = 0; WG_LOAD(n * n, matrix, a[q * n * n + i]) lu_of(n, n, matrix, pivot);
                            const double mantissa = lu_product(n, matrix, pivot, &exponent);));
    wg_code_text(w, text);
    return wg_matrices_end(w);
}

/* matrix = u diag(s) v', v overwritten by the sign of det u det v' and its rows. */
#define SINGULAR_FRAME                                                                                                 \
    WG_LOAD(n * n, u, a[q * n * n + i])                                                                                \
    if (svd_of(n, n, u, s, v)) BREAKDOWN;                                                                              \
    double sign = 1;                                                                                                   \
    WG_LOAD_ANY(n * n, matrix, u[i])                                                                                   \
    lu_of(n, n, matrix, pivot);                                                                                        \
    sign = lu_product(n, matrix, pivot, &exponent) < 0 ? -sign : sign;                                                 \
    WG_LOAD_ANY(n * n, matrix, v[i])                                                                                   \
    lu_of(n, n, matrix, pivot);                                                                                        \
    sign = lu_product(n, matrix, pivot, &exponent) < 0 ? -sign : sign;

static void frame_begin(const wg_call *c, wg_code *w)
{
    int64_t n = order_of(c);
    wg_code_room(w, "matrix", WG_FLOAT64, n * n);
    wg_code_room(w, "u", WG_FLOAT64, n * n);
    wg_code_room(w, "v", WG_FLOAT64, n * n);
    wg_code_room(w, "s", WG_FLOAT64, n);
    wg_code_room(w, "pivot", WG_INT32, n);
}

/* ---- The cofactors ----------------------------------------------------------------------------------------------- */
wg_tensor wg_cofactors(wg_tensor a);
wg_tensor wg_cofactors_moved(wg_tensor a, wg_tensor e);

/* One matrix's a = u diag(s) vh, row-major as the library has them, and the sign of det(u) det(vh). */
typedef struct {
    int n, lwork;
    void *a, *u, *vh, *half, *work;
    double *s, sign;
    int *pivot, *iwork;
} spectral;

static bool spectral_made(const wg_call *c, const wg_matrix_stack *stack, spectral *p)
{
    size_t n = (size_t)stack->n, size = wg_dtype_size(c->dtype);
    double answer[1] = {0};
    int asked[8];
    p->n = stack->n;
    wg_lapack_gesdd(c->dtype, 'S', p->n, p->n, NULL, NULL, NULL, NULL, answer, -1, asked);
    p->lwork = wg_work_asked(c->dtype, answer);
    p->a = wg_scratch(c, stack->size);
    p->u = wg_scratch(c, stack->size);
    p->vh = wg_scratch(c, stack->size);
    p->half = wg_scratch(c, stack->size);
    p->work = wg_scratch(c, (size_t)p->lwork * size);
    p->s = wg_scratch(c, n * sizeof *p->s);
    p->pivot = wg_scratch(c, n * sizeof *p->pivot);
    p->iwork = wg_scratch(c, 8 * n * sizeof *p->iwork);
    return p->a && p->u && p->vh && p->half && p->work && p->s && p->pivot && p->iwork;
}

/* +1 or -1: of an orthogonal matrix. */
static double sign_of(const wg_call *c, const wg_matrix_stack *stack, spectral *p, const void *q)
{
    memcpy(p->half, q, stack->size);
    wg_lapack_getrf(c->dtype, p->n, p->n, p->half, p->pivot);
    return lu_product(c->dtype, p->n, p->half, p->pivot).mantissa < 0 ? -1 : 1;
}

static wg_status spectral_of(const wg_call *c, const wg_matrix_stack *stack, int64_t k, spectral *p)
{
    memcpy(p->a, wg_stack_at(stack, c->from[0], k), stack->size);
    int info = wg_lapack_gesdd(c->dtype, 'S', p->n, p->n, p->a, p->s, p->vh, p->u, p->work, p->lwork, p->iwork);
    if (info)
        return wg_fail(c, WG_ERROR_NUMERIC, "the singular values of matrix %lld of %s do not converge", (long long)k,
                       wg_show(c, 0));
    if (c->dtype == WG_FLOAT32)
        for (int i = p->n; i-- > 0;)
            p->s[i] = wg_load_number(WG_FLOAT32, (const char *)p->s + (size_t)i * sizeof(float));
    p->sign = sign_of(c, stack, p, p->u) * sign_of(c, stack, p, p->vh);
    return WG_OK;
}

/* The product of all s but those at i and j. */
static double but_two(const spectral *p, int i, int j)
{
    product all = {1, 0};
    for (int k = 0; k < p->n; k++)
        if (k != i && k != j)
            times(&all, p->s[k]);
    return product_value(&all);
}

static wg_status multiplied(const wg_call *c, int n, bool ta, const void *a, bool tb, const void *b, double alpha,
                            void *y)
{
    wg_gemm g = {.dtype = c->dtype,
                 .transposed_a = ta,
                 .transposed_b = tb,
                 .m = n,
                 .n = n,
                 .k = n,
                 .alpha = alpha,
                 .a = a,
                 .lda = n,
                 .b = b,
                 .ldb = n,
                 .y = y,
                 .ldy = n};
    return wg_product(c, &g);
}

/* y = det(a) a'^-1, where a is regular enough and its determinant a number to multiply with; false: it is not. */
static bool cofactors_by_lu(const wg_call *c, const wg_matrix_stack *stack, int64_t k, spectral *p, void *room, void *y)
{
    size_t size = wg_dtype_size(c->dtype);
    memcpy(p->a, wg_stack_at(stack, c->from[0], k), stack->size);
    double norm = wg_lapack_norm1(c->dtype, p->n, p->n, p->a);
    if (wg_lapack_getrf(c->dtype, p->n, p->n, p->a, p->pivot) ||
        wg_lapack_gecon(c->dtype, p->n, p->a, norm, room) < sqrt(wg_epsilon(c->dtype)))
        return false;
    product whole = lu_product(c->dtype, p->n, p->a, p->pivot);
    double det = product_value(&whole);
    if (!isnormal(det) || wg_lapack_getri(c->dtype, p->n, p->a, p->pivot, p->work, p->lwork))
        return false;
    wg_transpose_into(c->dtype, p->n, p->n, p->a, y);
    for (int64_t i = 0; i < (int64_t)p->n * p->n; i++) {
        void *at = (char *)y + (size_t)i * size;
        wg_store_number(c->dtype, wg_load_number(c->dtype, at) * det, at);
    }
    return true;
}

static wg_status cofactors_run(const wg_call *c)
{
    wg_matrix_stack stack;
    spectral p = {0};
    if (wg_lapack_needed(c))
        return WG_ERROR_UNSUPPORTED;
    if (wg_stack_of(c, 0, &stack))
        return WG_ERROR_MEMORY;
    if (stack.empty)
        return WG_OK;
    if (wg_stack_finite(c, 0, &stack, WG_WHOLE))
        return WG_ERROR_NUMERIC;
    void *room = wg_scratch(c, WG_CONDITION_ROOM(stack.n));
    if (!room || !spectral_made(c, &stack, &p))
        return WG_ERROR_MEMORY;
    wg_status status = WG_OK;
    for (int64_t k = 0; k < stack.count && !status; k++) {
        void *y = wg_stack_to(&stack, c->to[0], k);
        if (cofactors_by_lu(c, &stack, k, &p, room, y))
            continue;
        status = spectral_of(c, &stack, k, &p);
        for (int i = 0; i < p.n && !status; i++) {
            double others = but_two(&p, i, i);
            for (int j = 0; j < p.n; j++) {
                void *at = (char *)p.vh + (size_t)(i * p.n + j) * wg_dtype_size(c->dtype);
                wg_store_number(c->dtype, wg_load_number(c->dtype, at) * others, at);
            }
        }
        status = status ? status : multiplied(c, p.n, false, p.u, false, p.vh, p.sign, y);
    }
    return status;
}

static wg_status cofactors_c(const wg_call *c, wg_code *w)
{
    frame_begin(c, w);
    wg_code_room(w, "room", WG_FLOAT64, 3 * order_of(c));
    wg_code_number(w, "enough", sqrt(wg_epsilon(c->dtype)));
    wg_code_number(w, "smallest", DBL_MIN);
    wg_matrices_begin(c, w);
    wg_code_text(w, TEXT_OF(
        int exponent = 0;
        WG_LOAD(n * n, matrix, a[q * n * n + i])
        const bool singular = lu_singular(n, matrix, pivot, room, enough);
        const double mantissa = lu_product(n, matrix, pivot, &exponent);
        const double whole = ldexp_double(mantissa, exponent);
        if (!singular && fabs_double(whole) >= smallest && !isinf_T(whole)) {
            WG_LOAD_ANY(n * n, u, (i % (n + 1) == 0))
            lu_solve(n, n, matrix, pivot, u);
            WG_PUT(n * n, y[q * n * n + i], (whole * u[i % n * n + i / n]))
            continue;
        }
        SINGULAR_FRAME
        for (int j = 0; j < n; j++) {
            const double others = sign * product_but_two(n, s, j, j);
            for (int i = 0; i < n; i++) v[i * n + j] *= others;
        }
        for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++) sum += u[i * n + k] * v[j * n + k];
            y[(q * n + i) * n + j] = (T)sum;
        }));
    return wg_matrices_end(w);
}

static wg_tensor cofactors_da(const wg_call *c, wg_tensor g) { return wg_cofactors_moved(c->in[0], g); }
static wg_tensor cofactors_jvp(const wg_call *c) { return wg_cofactors_moved(c->in[0], c->t[0]); }

WG_OP(cofactors) = {
    .name = "cofactors",
    .doc = "y = the gradient of det a: det(a) a'^-1 where a is regular, and its limit where it is not",
    .source = "Giles 2008, 2.2.4; Stewart 1998, On the adjugate matrix",
    .in = {{"a", 0}},
    .type = wg_type_as_first,
    .run = cofactors_run,
    .c = cofactors_c,
    .vjp = {cofactors_da},
    .jvp = cofactors_jvp,
    .saves = "a",
    .samples = {"[3,3]", "[2,4,4]", "[2,2]", "[1,1]", "[0,0]"},
    .hidden = true,
};
wg_tensor wg_cofactors(wg_tensor a) { return WG_RECORD(cofactors, NULL, a); }

/* In the frame of the singular vectors, e there being d = u' e v: entry (i, i) of the derivative is the sum over j of
 * P(i, j) d(j, j), entry (i, j) is -P(i, j) d(j, i), with P(i, j) the product of all s but s(i) and s(j). */
static void moved_in_frame(wg_dtype dtype, const spectral *p, const void *d, void *to)
{
    size_t size = wg_dtype_size(dtype), n = (size_t)p->n;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++) {
            if (i == j)
                continue;
            double others = but_two(p, (int)i, (int)j);
            sum += others * wg_load_number(dtype, (const char *)d + (j * n + j) * size);
            wg_store_number(dtype, -others * wg_load_number(dtype, (const char *)d + (j * n + i) * size),
                            (char *)to + (i * n + j) * size);
        }
        wg_store_number(dtype, sum, (char *)to + (i * n + i) * size);
    }
}

static wg_status cofactors_moved_run(const wg_call *c)
{
    wg_matrix_stack stack;
    spectral p = {0};
    if (wg_lapack_needed(c))
        return WG_ERROR_UNSUPPORTED;
    if (wg_stack_of(c, 0, &stack))
        return WG_ERROR_MEMORY;
    if (stack.empty)
        return WG_OK;
    if (wg_stack_finite(c, 0, &stack, WG_WHOLE))
        return WG_ERROR_NUMERIC;
    void *frame = wg_scratch(c, stack.size);
    if (!frame || !spectral_made(c, &stack, &p))
        return WG_ERROR_MEMORY;
    wg_status status = WG_OK;
    for (int64_t k = 0; k < stack.count && !status; k++) {
        status = spectral_of(c, &stack, k, &p);
        if (!status)
            status = multiplied(c, p.n, true, p.u, false, wg_stack_at(&stack, c->from[1], k), 1, p.half);
        if (!status)
            status = multiplied(c, p.n, false, p.half, true, p.vh, 1, p.a);
        if (status)
            break;
        moved_in_frame(c->dtype, &p, p.a, frame);
        status = multiplied(c, p.n, false, p.u, false, frame, 1, p.half);
        if (!status)
            status = multiplied(c, p.n, false, p.half, false, p.vh, p.sign, wg_stack_to(&stack, c->to[0], k));
    }
    return status;
}

/* matrix = u' e v, then the derivative in that frame, and back. */
static wg_status cofactors_moved_c(const wg_call *c, wg_code *w)
{
    frame_begin(c, w);
    wg_code_room(w, "half", WG_FLOAT64, order_of(c) * order_of(c));
    wg_matrices_begin(c, w);
    wg_code_text(w, TEXT_OF(
        int exponent = 0;
        SINGULAR_FRAME
        for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) {
            half[i * n + j] = 0;
            for (int k = 0; k < n; k++) half[i * n + j] += (double)e[(q * n + i) * n + k] * v[k * n + j];
        }
        for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) {
            matrix[i * n + j] = 0;
            for (int k = 0; k < n; k++) matrix[i * n + j] += u[k * n + i] * half[k * n + j];
        }
        for (int i = 0; i < n; i++) {
            half[i * n + i] = 0;
            for (int j = 0; j < n; j++) {
                if (i == j) continue;
                const double others = sign * product_but_two(n, s, i, j);
                half[i * n + i] += others * matrix[j * n + j];
                half[i * n + j] = -others * matrix[j * n + i];
            }
        }
        product_of(n, u, half, matrix);
        for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++) sum += matrix[i * n + k] * v[j * n + k];
            y[(q * n + i) * n + j] = (T)sum;
        }));
    return wg_matrices_end(w);
}

/* The third derivative of det along e and f, by b = a^-1: a regular a is needed here. */
static wg_tensor third(wg_tensor a, wg_tensor e, wg_tensor f)
{
    wg_tensor b = wg_inv(a), be = wg_matmul(b, e), bf = wg_matmul(b, f), beb = wg_matmul(be, b), bfb = wg_matmul(bf, b);
    wg_tensor te = wg_trace(be), tf = wg_trace(bf), both = wg_trace(wg_matmul(be, bf));
    wg_tensor sum = wg_each_times(wg_subtract(wg_multiply(te, tf), both), b);
    sum = wg_subtract(sum, wg_add(wg_each_times(te, bfb), wg_each_times(tf, beb)));
    sum = wg_add(sum, wg_add(wg_matmul(be, bfb), wg_matmul(bf, beb)));
    return wg_each_times(wg_det(a), wg_matrix_transpose(sum));
}

static wg_tensor cofactors_moved_da(const wg_call *c, wg_tensor g) { return third(c->in[0], c->in[1], g); }
static wg_tensor cofactors_moved_de(const wg_call *c, wg_tensor g) { return wg_cofactors_moved(c->in[0], g); }
static wg_tensor cofactors_moved_jvp(const wg_call *c)
{
    return wg_plus(wg_is_none(c->t[0]) ? WG_NONE : third(c->in[0], c->in[1], c->t[0]),
                   wg_is_none(c->t[1]) ? WG_NONE : wg_cofactors_moved(c->in[0], c->t[1]));
}

WG_OP(cofactors_moved) = {
    .name = "cofactors_moved",
    .doc = "y = the derivative of the cofactors of a along e, which is symmetric in y and e; right for every rank",
    .in = {{"a", 0}, {"e", 0}},
    .type = wg_type_as_first,
    .run = cofactors_moved_run,
    .c = cofactors_moved_c,
    .vjp = {cofactors_moved_da, cofactors_moved_de},
    .jvp = cofactors_moved_jvp,
    .saves = "a e",
    .samples = {"[3,3] [3,3]", "[2,4,4] [2,4,4]", "[1,1] [1,1]", "[0,0] [0,0]"},
    .hidden = true,
};
wg_tensor wg_cofactors_moved(wg_tensor a, wg_tensor e) { return WG_RECORD(cofactors_moved, NULL, a, e); }

/* ---- det, slogdet ------------------------------------------------------------------------------------------------ */
/* Calls `each` with the LU factors of every matrix: as LAPACK reads it, transposed. */
static wg_status each_factorised(const wg_call *c,
                                 void (*each)(const wg_call *c, int n, const void *lu, const int *pivot, int64_t k))
{
    wg_matrix_stack s;
    if (wg_lapack_needed(c))
        return WG_ERROR_UNSUPPORTED;
    if (wg_stack_of(c, 0, &s))
        return WG_ERROR_MEMORY;
    if (wg_stack_finite(c, 0, &s, WG_WHOLE))
        return WG_ERROR_NUMERIC;
    void *lu = wg_scratch(c, s.size);
    int *pivot = wg_scratch(c, (size_t)s.n * sizeof *pivot);
    if (!lu || !pivot)
        return WG_ERROR_MEMORY;
    for (int64_t k = 0; k < s.count; k++) {
        if (!s.empty) {
            memcpy(lu, wg_stack_at(&s, c->from[0], k), s.size);
            wg_lapack_getrf(c->dtype, s.n, s.n, lu, pivot); /* a zero pivot is a zero determinant */
        }
        each(c, s.n, lu, pivot, k);
    }
    return WG_OK;
}

static void put(const wg_call *c, int output, int64_t k, double value)
{
    wg_store_number(c->dtype, value, (char *)c->to[output] + (size_t)k * wg_dtype_size(c->dtype));
}

static void det_each(const wg_call *c, int n, const void *lu, const int *pivot, int64_t k)
{
    product p = lu_product(c->dtype, n, lu, pivot);
    put(c, 0, k, product_value(&p));
}

static wg_status det_run(const wg_call *c) { return each_factorised(c, det_each); }
static wg_status det_c(const wg_call *c, wg_code *w)
{
    return factorised_c(c, w, WG_C(y[q] = (T)ldexp_double(mantissa, exponent);));
}
static wg_tensor det_da(const wg_call *c, wg_tensor g) { return wg_each_times(g, wg_cofactors(c->in[0])); }
static wg_tensor det_jvp(const wg_call *c) { return wg_matrix_inner(wg_cofactors(c->in[0]), c->t[0]); }

static void det_formula(const wg_call *c, wg_tensor *out)
{
    wg_tensor pivots = WG_NONE;
    wg_elimination_formula(c->in[0], NULL, NULL, &pivots);
    if (wg_is_tensor(pivots))
        out[0] = wg_prod(pivots, .axis = -1);
}
WG_OP(det) = {
    .name = "det",
    .doc = "y = det a, of a singular a 0 but for rounding, with the cofactors as gradient for every rank; 1 of a 0 x 0 "
           "matrix",
    .source = "Giles 2008, 2.2.4; Stewart 1998, On the adjugate matrix",
    .in = {{"a", 0}},
    .type = one_a_matrix_type,
    .run = det_run,
    .c = det_c,
    .vjp = {det_da},
    .jvp = det_jvp,
    .saves = "a",
    .formula = det_formula,
    .samples = {"[3,3]", "[2,4,4]", "[2,2]", "[1,1]", "[3,3]:1", "[0,0]", "[0,2,2]"},
};
wg_tensor (wg_det)(wg_tensor a) { return WG_RECORD(det, NULL, a); }

static wg_status slogdet_type(wg_call *c)
{
    wg_status status = one_a_matrix_type(c);
    c->y[1] = c->y[0];
    return status;
}

static void slogdet_each(const wg_call *c, int n, const void *lu, const int *pivot, int64_t k)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += log(fabs(diagonal_at(c->dtype, n, lu, i)));
    product p = lu_product(c->dtype, n, lu, pivot);
    put(c, 0, k, (p.mantissa > 0) - (p.mantissa < 0));
    put(c, 1, k, p.mantissa == 0 ? -(double)INFINITY : sum);
}

static wg_status slogdet_run(const wg_call *c) { return each_factorised(c, slogdet_each); }

static wg_status slogdet_c(const wg_call *c, wg_code *w)
{
    return factorised_c(c, w, WG_C(
        double sum = 0;
        for (int i = 0; i < n; i++) sum += log_double(fabs_double(matrix[i * n + i]));
        sign[q] = mantissa > 0 ? 1 : mantissa < 0 ? -1 : 0;
        logabsdet[q] = (T)(mantissa == 0 ? -(double)INFINITY : sum);));
}

static wg_tensor slogdet_da(const wg_call *c, wg_tensor g)
{
    (void)g;
    return wg_is_none(c->g[1]) ? WG_NONE : wg_each_times(c->g[1], wg_matrix_transpose(wg_inv(c->in[0])));
}
static wg_tensor slogdet_jvp(const wg_call *c)
{
    return c->which == 0 ? WG_NONE : wg_matrix_inner(wg_matrix_transpose(wg_inv(c->in[0])), c->t[0]);
}

static void slogdet_formula(const wg_call *c, wg_tensor *out)
{
    wg_tensor pivots = WG_NONE;
    wg_elimination_formula(c->in[0], NULL, NULL, &pivots);
    if (wg_is_tensor(pivots))
        out[1] = wg_sum(wg_log(wg_abs(pivots)), .axis = -1);
}
WG_OP(slogdet) = {
    .name = "slogdet",
    .doc = "sign, logabsdet with det a = sign exp(logabsdet); of a singular a: 0, -inf, and no gradient",
    .source = "Giles 2008, 2.2.4",
    .in = {{"a", 0}},
    .out = {"sign", "logabsdet"},
    .type = slogdet_type,
    .run = slogdet_run,
    .c = slogdet_c,
    .vjp = {slogdet_da},
    .jvp = slogdet_jvp,
    .saves = "a",
    .formula = slogdet_formula,
    .samples = {"[3,3]", "[2,4,4]", "[1,1]", "[0,0]", "[0,2,2]"},
    .constant_outputs = 1,
};
wg_slogdet_result (wg_slogdet)(wg_tensor a)
{
    wg_tensor out[2] = {a, a};
    wg_record_on(a.tape, &slogdet_op, NULL, &a, 1, out, 2);
    return (wg_slogdet_result){out[0], out[1]};
}

/* ---- logdet_spd -------------------------------------------------------------------------------------------------- */
static wg_status logdet_spd_run(const wg_call *c)
{
    wg_matrix_stack s;
    if (wg_lapack_needed(c))
        return WG_ERROR_UNSUPPORTED;
    if (wg_stack_of(c, 0, &s))
        return WG_ERROR_MEMORY;
    if (wg_stack_finite(c, 0, &s, WG_LOWER))
        return WG_ERROR_NUMERIC;
    void *l = wg_scratch(c, s.size);
    if (!l)
        return WG_ERROR_MEMORY;
    for (int64_t k = 0; k < s.count; k++) {
        double sum = 0;
        if (!s.empty)
            memcpy(l, wg_stack_at(&s, c->from[0], k), s.size);
        int minor = s.empty ? 0 : wg_lapack_potrf(c->dtype, 'U', s.n, l);
        if (minor)
            return wg_indefinite(c, 0, k, minor);
        for (int i = 0; i < s.n; i++)
            sum += 2 * log(diagonal_at(c->dtype, s.n, l, i));
        put(c, 0, k, sum);
    }
    return WG_OK;
}

static wg_status logdet_spd_c(const wg_call *c, wg_code *w)
{
    wg_code_size(w, "lower", 1);
    wg_code_room(w, "matrix", WG_FLOAT64, order_of(c) * order_of(c));
    wg_matrices_begin(c, w);
    wg_code_text(w, TEXT_OF(
        double sum = 0;
        WG_LOAD_SYMMETRIC(matrix, a)
        if (cholesky_of(n, matrix)) BREAKDOWN;
        for (int i = 0; i < n; i++) sum += 2 * log_double(matrix[i * n + i]);
        y[q] = (T)sum;));
    return wg_matrices_end(w);
}

/* a^-1, symmetric. */
static wg_tensor inverse_of(wg_tensor a) { return wg_cholesky_solve(wg_cholesky(a), wg_identity_like(a)); }

static wg_tensor logdet_spd_da(const wg_call *c, wg_tensor g) { return wg_each_times(g, inverse_of(c->in[0])); }
static wg_tensor logdet_spd_jvp(const wg_call *c)
{
    return wg_matrix_inner(inverse_of(c->in[0]), wg_symmetrised(c->t[0]));
}

static void logdet_spd_formula(const wg_call *c, wg_tensor *out)
{
    wg_tensor pivots = WG_NONE;
    wg_elimination_formula(c->in[0], NULL, NULL, &pivots);
    if (wg_is_tensor(pivots))
        out[0] = wg_sum(wg_log(pivots), .axis = -1);
}
WG_OP(logdet_spd) = {
    .name = "logdet_spd",
    .doc = "y = log det a of a symmetric positive definite a, of which the lower triangle is read; its gradient is "
           "symmetric",
    .source = "Giles 2008, 2.2.4; Petersen and Pedersen 2012, 2.8.2",
    .domain = "a symmetric, positive definite",
    .in = {{"a", WG_SYMMETRIC}},
    .type = one_a_matrix_type,
    .run = logdet_spd_run,
    .c = logdet_spd_c,
    .vjp = {logdet_spd_da},
    .jvp = logdet_spd_jvp,
    .saves = "a",
    .formula = logdet_spd_formula,
    .samples = {"[3,3]:definite", "[2,4,4]:definite", "[1,1]:definite", "[0,0]", "[0,2,2]"},
};
wg_tensor (wg_logdet_spd)(wg_tensor a) { return WG_RECORD(logdet_spd, NULL, a); }

WG_FAMILY_OF(determinants, "linear algebra", DETERMINANTS)
