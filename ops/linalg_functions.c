/* Functions of a matrix. Of f(a), the derivative along e is the block beside the diagonal of f([[a, e], [0, a]]), and
 * its transpose is the derivative at a' along the cotangent: one piece of graph code for both rules of any f. */
#include "ops/backend.h"
#include "ops/linalg.h"
#include "ops/linalg_code.h"

#define FUNCTIONS(OP) OP(matrix_power) OP(expm)
WG_CONTENTS(FUNCTIONS)

static wg_status function_type(wg_call *c) { return wg_is_square(c, 0) ? WG_ERROR_SHAPE : wg_type_as_first(c); }

typedef wg_tensor of_matrix(const wg_call *c, wg_tensor a);

/* Brings e to the size of a and back by a power of two, that the block's norm is a's. */
static double in_proportion(wg_tensor a, wg_tensor e)
{
    double most[2] = {0, 0};
    for (int i = 0; i < 2; i++)
        for (int64_t k = 0, n = wg_size(a); k < n; k++)
            most[i] = fmax(most[i], fabs(wg_element(i ? e : a, k)));
    if (most[0] <= 0 || most[1] <= 0 || !isfinite(most[0]) || !isfinite(most[1]))
        return 1;
    int apart = ilogb(most[0]) - ilogb(most[1]);
    return ldexp(1, apart > 1000 ? 1000 : apart < -1000 ? -1000 : apart);
}

static wg_tensor along(const wg_call *c, of_matrix *f, wg_tensor a, wg_tensor e)
{
    if (!wg_is_tensor(a) || !wg_is_tensor(e))
        return WG_INVALID;
    wg_type type = wg_type_of(a);
    int64_t n = type.dim[type.rank - 1];
    double scale = in_proportion(a, e);
    wg_tensor zero = wg_full(c->tape, type.dtype, wg_type_shape(&type), 0);
    wg_tensor top = wg_concat(WG_TENSORS(a, wg_multiply(e, scale)), .axis = -1);
    wg_tensor block = wg_concat(WG_TENSORS(top, wg_concat(WG_TENSORS(zero, a), .axis = -1)), .axis = -2);
    return wg_multiply(wg_narrow(wg_narrow(f(c, block), -2, 0, n), -1, n, n), 1 / scale);
}

/* y = a b, all [n, n]. */
static wg_status multiplied(const wg_call *c, wg_dtype dtype, int n, const void *a, const void *b, void *y)
{
    wg_gemm g = {
        .dtype = dtype, .m = n, .n = n, .k = n, .alpha = 1, .a = a, .lda = n, .b = b, .ldb = n, .y = y, .ldy = n};
    return wg_product(c, &g);
}

static void identity_into(wg_dtype dtype, int n, void *y)
{
    size_t size = wg_dtype_size(dtype);
    memset(y, 0, (size_t)n * (size_t)n * size);
    for (size_t i = 0; i < (size_t)n; i++)
        wg_store_number(dtype, 1, (char *)y + i * ((size_t)n + 1) * size);
}

/* ---- matrix_power ------------------------------------------------------------------------------------------------ */
typedef struct {
    int64_t n;
} wg_matrix_power_options;
#define wg_matrix_power_defaults .n = WG_NO_INTEGER

static int64_t power_of(const wg_call *c) { return ((const wg_matrix_power_options *)c->options)->n; }

static wg_status matrix_power_type(wg_call *c)
{
    if (power_of(c) < -INT64_MAX)
        return wg_fail(c, WG_ERROR_VALUE, "n is %lld", (long long)power_of(c));
    return function_type(c);
}

/* y = x^n, n > 0: the product of those of the squares x, x^2, x^4, ... that n's digits name. x is lost. */
static wg_status raised(const wg_call *c, int n, int64_t power, size_t bytes, void *x, void *room, void *y)
{
    wg_status status = WG_OK;
    bool begun = false;
    for (; power > 0 && !status; power /= 2) {
        if (power % 2 && !begun)
            memcpy(y, x, bytes);
        else if (power % 2 && !(status = multiplied(c, c->dtype, n, y, x, room)))
            memcpy(y, room, bytes);
        begun |= power % 2;
        if (power > 1 && !status && !(status = multiplied(c, c->dtype, n, x, x, room)))
            memcpy(x, room, bytes);
    }
    return status;
}

static wg_status matrix_power_run(const wg_call *c)
{
    wg_matrix_stack s;
    wg_factors f;
    int64_t power = power_of(c);
    if (power < 0 && wg_lapack_needed(c))
        return WG_ERROR_UNSUPPORTED;
    if (wg_stack_of(c, 0, &s))
        return WG_ERROR_MEMORY;
    if (s.empty)
        return WG_OK;
    if (power < 0 && wg_stack_finite(c, 0, &s, WG_WHOLE))
        return WG_ERROR_NUMERIC;
    void *x = wg_scratch(c, s.size), *room = wg_scratch(c, s.size);
    if (!x || !room || (power < 0 && !wg_factors_made(c, &s, &f)))
        return WG_ERROR_MEMORY;
    wg_status status = WG_OK;
    for (int64_t k = 0; k < s.count && !status; k++) {
        void *y = wg_stack_to(&s, c->to[0], k);
        if (!power)
            identity_into(c->dtype, s.n, y);
        else if (power > 0)
            memcpy(x, wg_stack_at(&s, c->from[0], k), s.size);
        else
            status = wg_inverted(c, &s, k, &f, x);
        if (!status)
            status = raised(c, s.n, power < 0 ? -power : power, s.size, x, room, y);
    }
    return status;
}

/* By the digits of n, from the lowest. */
static wg_status matrix_power_c(const wg_call *c, wg_code *w)
{
    int64_t n = c->x[0].dim[c->x[0].rank - 1], power = power_of(c);
    wg_source text = {.tape = c->tape};
    wg_source_integer(&text, WG_INT64, power < 0 ? -power : power);
    if (power < 0)
        wg_code_number(w, "epsilon", wg_epsilon(c->dtype));
    wg_code_word(w, "POWER", text.data ? text.data : "0");
    wg_code_room(w, "matrix", WG_FLOAT64, n * n);
    wg_code_room(w, "result", WG_FLOAT64, n * n);
    wg_code_room(w, "other", WG_FLOAT64, n * n);
    wg_code_room(w, "room", WG_FLOAT64, 3 * n);
    wg_code_room(w, "pivot", WG_INT32, n);
    wg_matrices_begin(c, w);
    wg_code_text(w, TEXT_OF(WG_LOAD_ANY(n * n, result, (i % (n + 1) == 0))));
    if (power < 0)
        wg_code_text(w, TEXT_OF(
            WG_LOAD(n * n, other, a[q * n * n + i])
            WG_LOAD_ANY(n * n, matrix, result[i])
            if (lu_singular(n, other, pivot, room, epsilon)) BREAKDOWN;
            lu_solve(n, n, other, pivot, matrix);));
    else
        wg_code_text(w, TEXT_OF(WG_LOAD_ANY(n * n, matrix, a[q * n * n + i])));
    wg_code_text(w, TEXT_OF(
        for (int64_t left = POWER; left > 0; left /= 2) {
            if (left % 2 == 1) {
                product_of(n, result, matrix, other);
                WG_LOAD_ANY(n * n, result, other[i])
            }
            if (left > 1) {
                product_of(n, matrix, matrix, other);
                WG_LOAD_ANY(n * n, matrix, other[i])
            }
        }
        WG_PUT(n * n, y[q * n * n + i], result[i])));
    w->n_words = 0;
    return wg_matrices_end(w);
}

static wg_tensor positive_power(const wg_call *c, wg_tensor a)
{
    int64_t n = power_of(c);
    return wg_matrix_power(a, n < 0 ? -n : n);
}

/* -b t b: how an inverse b moves with its matrix. */
static wg_tensor inverse_moved(wg_tensor b, wg_tensor t) { return wg_negative(wg_matmul(wg_matmul(b, t), b)); }

static wg_tensor matrix_power_da(const wg_call *c, wg_tensor g)
{
    if (power_of(c) == 0)
        return WG_NONE;
    wg_tensor at = wg_matrix_transpose(c->in[0]);
    if (power_of(c) > 0)
        return along(c, positive_power, at, g);
    wg_tensor bt = wg_inv(at);
    return inverse_moved(bt, along(c, positive_power, bt, g));
}

static wg_tensor matrix_power_jvp(const wg_call *c)
{
    if (power_of(c) == 0)
        return WG_NONE;
    if (power_of(c) > 0)
        return along(c, positive_power, c->in[0], c->t[0]);
    wg_tensor b = wg_inv(c->in[0]);
    return along(c, positive_power, b, inverse_moved(b, c->t[0]));
}

static void matrix_power_formula(const wg_call *c, wg_tensor *out)
{
    int64_t n = power_of(c), times = n < 0 ? -n : n;
    if (!wg_type_count(&c->x[0]) || !n || times > 64)
        return;
    wg_tensor a = n < 0 ? wg_inverse_formula(c->in[0]) : c->in[0];
    out[0] = a;
    for (int64_t i = 1; i < times; i++)
        out[0] = wg_matmul(out[0], a);
}
WG_OP(matrix_power) = {
    .name = "matrix_power",
    .doc = "y = a a ... a, n times; the identity for n = 0, the power of the inverse for a negative n",
    .source = "Mathias 1996, A chain rule for matrix functions",
    .in = {{"a", 0}},
    .options = WG_SCHEMA(wg_matrix_power, WG_ATTR_REQUIRED(wg_matrix_power, n)),
    .type = matrix_power_type,
    .run = matrix_power_run,
    .c = matrix_power_c,
    .vjp = {matrix_power_da},
    .jvp = matrix_power_jvp,
    .saves = "a",
    .formula = matrix_power_formula,
    .samples = {"[3,3] n=3", "[2,3,3] n=2", "[3,3] n=1", "[3,3] n=0", "[2,2] n=7", "[3,3]:definite n=-1",
                "[2,2,2]:definite n=-3", "[1,1] n=5", "[0,0] n=2", "[0,2,2] n=-2"},
};
wg_tensor (wg_matrix_power)(wg_tensor a, int64_t n)
{
    return WG_RECORD(matrix_power, (&(wg_matrix_power_options){n}), a);
}

/* ---- expm -------------------------------------------------------------------------------------------------------- */
#define THETA 5.371920351148152 /* up to this norm the approximant of degree 13 is exact to rounding: Higham 2005, table
                                   2.3 */

/* The approximant's coefficients, brought below 1 by a power of two: the largest elements are multiplied by them. */
static const double pade[] = {0x1p-56 * 64764752532480000, 0x1p-56 * 32382376266240000, 0x1p-56 * 7771770303897600,
                              0x1p-56 * 1187353796428800,  0x1p-56 * 129060195264000,   0x1p-56 * 10559470521600,
                              0x1p-56 * 670442572800,      0x1p-56 * 33522128640,       0x1p-56 * 1323241920,
                              0x1p-56 * 40840800,          0x1p-56 * 960960,            0x1p-56 * 16380,
                              0x1p-56 * 182,               0x1p-56};

/* Matrices [n, n] of float64, whatever the operand is: a and its powers, brought near norm 1 by 2^-exponent. */
typedef struct {
    int n;
    int exponent;
    int64_t count; /* elements */
    double *a, *a2, *a4, *a6, *u, *v, *room;
    int *pivot;
} exponential;

static bool exponential_made(const wg_call *c, int n, exponential *e)
{
    double **all[] = {&e->a, &e->a2, &e->a4, &e->a6, &e->u, &e->v, &e->room};
    *e = (exponential){.n = n, .count = (int64_t)n * n};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!(*all[i] = wg_scratch(c, (size_t)e->count * sizeof(double))))
            return false;
    e->pivot = wg_scratch(c, (size_t)n * sizeof *e->pivot);
    return e->pivot;
}

static double norm_of(const exponential *e, const double *a) { return wg_lapack_norm1(WG_FLOAT64, e->n, e->n, a); }

static void scaled(const exponential *e, double *a, int exponent)
{
    for (int64_t i = 0; i < e->count; i++)
        a[i] = ldexp(a[i], exponent);
}

/* The norm of |a|^27, by a row of ones. */
static double norm_of_27th(const exponential *e, double *row, double *next)
{
    for (int64_t i = 0; i < e->n; i++)
        row[i] = 1;
    for (int times = 0; times < 27; times++) {
        memset(next, 0, (size_t)e->n * sizeof *next);
        for (int64_t i = 0; i < e->n; i++)
            for (int64_t j = 0; j < e->n; j++)
                next[i] += fabs(e->a[i * e->n + j]) * row[j];
        double *other = row;
        row = next;
        next = other;
    }
    double most = 0;
    for (int64_t i = 0; i < e->n; i++)
        most = fmax(most, row[i]);
    return most;
}

/* How often the approximant is to be squared: by the norms of powers of a, which may be far below powers of its
 * norm. */
static wg_status squarings(const wg_call *c, exponential *e, int *s)
{
    double d4 = pow(norm_of(e, e->a4), 1.0 / 4), d6 = pow(norm_of(e, e->a6), 1.0 / 6);
    wg_status status = multiplied(c, WG_FLOAT64, e->n, e->a4, e->a4, e->u);
    if (!status)
        status = multiplied(c, WG_FLOAT64, e->n, e->a4, e->a6, e->v);
    if (status)
        return status;
    double d8 = pow(norm_of(e, e->u), 1.0 / 8), d10 = pow(norm_of(e, e->v), 1.0 / 10);
    double eta = fmin(fmax(d4, d6), fmin(fmax(d6, d8), fmax(d8, d10)));
    double first = eta > 0 ? ceil(log2(eta / THETA) + e->exponent) : 0;
    *s = first > 0 ? (int)first : 0;
    double whole = norm_of_27th(e, e->u, e->v), norm = norm_of(e, e->a);
    if (whole > 0) { /* the leading term of the backward error: c |a|^27 / norm(a), 1/c = binomial(26, 13) 27! */
        double bits = log2(whole / norm / 1.1325077560602111e35) + 26 * (double)(e->exponent - *s) + 53;
        *s += bits > 0 ? (int)ceil(bits / 26) : 0;
    }
    return WG_OK;
}

/* to = x[0] a6 + x[1] a4 + x[2] a2 + x[3]. */
static void combined(const exponential *e, double c6, double c4, double c2, double c0, double *to)
{
    for (int64_t i = 0; i < e->count; i++)
        to[i] = c6 * e->a6[i] + c4 * e->a4[i] + c2 * e->a2[i] + (i % (e->n + 1) == 0 ? c0 : 0);
}

/* u and v, the odd and the even part of the approximant's numerator. */
static wg_status approximant_parts(const wg_call *c, exponential *e)
{
    const double *b = pade;
    combined(e, b[13], b[11], b[9], 0, e->room);
    wg_status status = multiplied(c, WG_FLOAT64, e->n, e->a6, e->room, e->v);
    combined(e, b[7], b[5], b[3], b[1], e->room);
    for (int64_t i = 0; i < e->count; i++)
        e->room[i] += e->v[i];
    status = status ? status : multiplied(c, WG_FLOAT64, e->n, e->a, e->room, e->u);
    combined(e, b[12], b[10], b[8], 0, e->room);
    status = status ? status : multiplied(c, WG_FLOAT64, e->n, e->a6, e->room, e->v);
    combined(e, b[6], b[4], b[2], b[0], e->room);
    for (int64_t i = 0; i < e->count; i++)
        e->v[i] += e->room[i];
    return status;
}

/* Brings e->a near norm 1. The sum of finite elements, fewer than 2^32, may be infinite. */
static void brought_near_one(exponential *e)
{
    double norm = norm_of(e, e->a);
    int taken = isinf(norm) ? 32 : 0;
    if (taken) {
        scaled(e, e->a, -taken);
        norm = norm_of(e, e->a);
    }
    int rest = norm > 0 ? ilogb(norm) + 1 : 0;
    scaled(e, e->a, -rest);
    e->exponent = taken + rest;
}

/* e->v = exp(e->a). Numerator and denominator commute, so that it does not matter that LAPACK reads both transposed. */
static wg_status exponentiated(const wg_call *c, exponential *e)
{
    int s = 0;
    brought_near_one(e);
    wg_status status = multiplied(c, WG_FLOAT64, e->n, e->a, e->a, e->a2);
    status = status ? status : multiplied(c, WG_FLOAT64, e->n, e->a2, e->a2, e->a4);
    status = status ? status : multiplied(c, WG_FLOAT64, e->n, e->a2, e->a4, e->a6);
    status = status ? status : squarings(c, e, &s);
    double *powers[] = {e->a, e->a2, e->a4, e->a6};
    static const int degrees[] = {1, 2, 4, 6};
    for (int i = 0; i < 4; i++)
        scaled(e, powers[i], degrees[i] * (e->exponent - s));
    status = status ? status : approximant_parts(c, e);
    for (int64_t i = 0; i < e->count; i++) {
        double u = e->u[i], v = e->v[i];
        e->u[i] = v - u;
        e->v[i] = v + u;
    }
    if (!status && !wg_lapack_getrf(WG_FLOAT64, e->n, e->n, e->u, e->pivot))
        wg_lapack_getrs(WG_FLOAT64, 'N', e->n, e->n, e->u, e->pivot, e->v);
    for (; s > 0 && !status; s--) {
        status = multiplied(c, WG_FLOAT64, e->n, e->v, e->v, e->room);
        memcpy(e->v, e->room, (size_t)e->count * sizeof(double));
    }
    return status;
}

static wg_status expm_run(const wg_call *c)
{
    wg_matrix_stack s;
    exponential e;
    if (wg_lapack_needed(c))
        return WG_ERROR_UNSUPPORTED;
    if (wg_stack_of(c, 0, &s))
        return WG_ERROR_MEMORY;
    if (s.empty)
        return WG_OK;
    if (wg_stack_finite(c, 0, &s, WG_WHOLE))
        return WG_ERROR_NUMERIC;
    if (!exponential_made(c, s.n, &e))
        return WG_ERROR_MEMORY;
    size_t size = wg_dtype_size(c->dtype);
    for (int64_t k = 0; k < s.count; k++) {
        const char *a = wg_stack_at(&s, c->from[0], k);
        char *y = wg_stack_to(&s, c->to[0], k);
        for (int64_t i = 0; i < e.count; i++)
            e.a[i] = wg_load_number(c->dtype, a + (size_t)i * size);
        wg_status status = exponentiated(c, &e);
        if (status)
            return status;
        bool finite = true;
        for (int64_t i = 0; i < e.count; i++) {
            wg_store_number(c->dtype, e.v[i], y + (size_t)i * size);
            finite &= isfinite(wg_load_number(c->dtype, y + (size_t)i * size)) != 0;
        }
        if (!finite)
            return wg_fail(c, WG_ERROR_NUMERIC, "the exponential of matrix %lld of %s overflows", (long long)k,
                           wg_show(c, 0));
    }
    return WG_OK;
}

static wg_status expm_c(const wg_call *c, wg_code *w)
{
    int64_t n = c->x[0].dim[c->x[0].rank - 1];
    wg_code_room(w, "matrix", WG_FLOAT64, n * n);
    wg_code_room(w, "room", WG_FLOAT64, 6 * n * n);
    wg_code_room(w, "pivot", WG_INT32, n);
    wg_matrices_begin(c, w);
    wg_code_text(w, TEXT_OF(
        WG_LOAD(n * n, matrix, a[q * n * n + i])
        expm_of(n, matrix, room, pivot);
        for (int i = 0; i < n * n; i++) {
            y[q * n * n + i] = (T)matrix[i];
            if (!isfinite_T(y[q * n * n + i])) BREAKDOWN;
        }));
    return wg_matrices_end(w);
}

static wg_tensor exponential_of(const wg_call *c, wg_tensor a)
{
    (void)c;
    return wg_expm(a);
}
static wg_tensor expm_da(const wg_call *c, wg_tensor g)
{
    return along(c, exponential_of, wg_matrix_transpose(c->in[0]), g);
}
static wg_tensor expm_jvp(const wg_call *c) { return along(c, exponential_of, c->in[0], c->t[0]); }

/* The sum for a / 2^s, squared s times. */
static void expm_formula(const wg_call *c, wg_tensor *out)
{
    if (!wg_type_count(&c->x[0]))
        return;
    int halvings = (int)fmax(0, ceil(log2(wg_item(wg_norm(c->in[0])) + 1e-300)) + 2);
    if (halvings > 16)
        return;
    wg_tensor a = wg_multiply(c->in[0], exp2(-halvings)), term = a, sum = wg_add(wg_identity_like(a), a);
    for (int k = 2; k <= 22; k++) {
        term = wg_divide(wg_matmul(term, a), k);
        sum = wg_add(sum, term);
    }
    for (int i = 0; i < halvings; i++)
        sum = wg_matmul(sum, sum);
    out[0] = sum;
}
WG_OP(expm) = {
    .name = "expm",
    .doc = "y = the sum of a^k / k! over k >= 0, a [..., n, n]",
    .source = "Al-Mohy and Higham 2009, A new scaling and squaring algorithm; the derivative: Mathias 1996",
    .in = {{"a", 0}},
    .type = function_type,
    .run = expm_run,
    .c = expm_c,
    .vjp = {expm_da},
    .jvp = expm_jvp,
    .saves = "a",
    .formula = expm_formula,
    .samples = {"[3,3]", "[2,3,3]", "[2,2]:-9..9", "[1,1]", "[2,2]:0", "[0,0]", "[0,2,2]"},
};
wg_tensor (wg_expm)(wg_tensor a) { return WG_RECORD(expm, NULL, a); }

WG_FAMILY_OF(matrix_functions, "linear algebra", FUNCTIONS)
