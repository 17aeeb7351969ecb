/* The replay by a complex step: f(x + i h) = f(x) + i h f'(x) to rounding for so small an h = 1e-30, with no
 * subtraction and no step to choose (W. Squire and G. Trapp, "Using complex variables to estimate derivatives of real
 * functions", SIAM Review 40 (1998) 110). Elementwise operations are the complex functions of C, or the same formula on
 * complex numbers, where they have no choice to make by the real part; a linear one runs its own kernel on the real
 * and, by itself, on the imaginary part. The pairs of the double-double replay hold both. */
#include <complex.h>

#include "graph/replay.h"

#define H 1e-30

typedef double complex number;
typedef number function(const number *x);

#define FORM(name, text)                                                                                               \
    static number cs_##name(const number *x)                                                                           \
    {                                                                                                                  \
        const number a = x[0], b = x[1], c = x[2];                                                                     \
        (void)b, (void)c;                                                                                              \
        return text;                                                                                                   \
    }

static number size_of(number a) { return creal(a) < 0 ? -a : a; }
/* log(1 + a) and e^a - 1 keep the digits of a small a. */
static number small_log(number a) { return log1p(creal(a)) + I * (cimag(a) / (1 + creal(a))); }
static number small_exp(number a) { return expm1(creal(a)) + I * (cimag(a) * exp(creal(a))); }
static number sigmoid_of(number a)
{
    number e = cexp(-size_of(a));
    return (creal(a) >= 0 ? 1 : e) / (1 + e);
}
static number log1pexp_of(number a) { return (creal(a) > 0 ? a : 0) + small_log(cexp(-size_of(a))); }

FORM(add, a + b)
FORM(subtract, a - b)
FORM(multiply, a * b)
FORM(strong_multiply, creal(a) == 0 ? 0 : a * b)
FORM(divide, a / b)
FORM(fma, a *b + c)
FORM(lerp, a + c * (b - a))
FORM(negative, -a)
FORM(positive, a)
FORM(square, a *a)
FORM(reciprocal, 1 / a)
FORM(abs, size_of(a))
FORM(sqrt, csqrt(a))
FORM(exp, cexp(a))
FORM(expm1, small_exp(a))
FORM(log, clog(a))
FORM(log1p, small_log(a))
FORM(sin, csin(a))
FORM(cos, ccos(a))
FORM(tan, ctan(a))
FORM(asin, casin(a))
FORM(acos, cacos(a))
FORM(atan, catan(a))
FORM(sinh, csinh(a))
FORM(cosh, ccosh(a))
FORM(tanh, ctanh(a))
FORM(asinh, casinh(a))
FORM(atanh, catanh(a))
FORM(pow, cpow(a, b))
FORM(sigmoid, sigmoid_of(a))
FORM(log_sigmoid, -log1pexp_of(-a))
FORM(logaddexp, b + log1pexp_of(a - b))
FORM(gaussian, cexp(-a *a / 2))
FORM(maximum, creal(a) > creal(b) ? a : b)
FORM(minimum, creal(a) < creal(b) ? a : b)
FORM(where, creal(a) != 0 ? b : c)
FORM(less, creal(a) < creal(b))
FORM(less_equal, creal(a) <= creal(b))
FORM(greater, creal(a) > creal(b))
FORM(greater_equal, creal(a) >= creal(b))
FORM(equal, creal(a) == creal(b))
FORM(not_equal, creal(a) != creal(b))
FORM(logical_and, creal(a) != 0 && creal(b) != 0)
FORM(logical_or, creal(a) != 0 || creal(b) != 0)
FORM(logical_not, creal(a) == 0)

#define FORMS(F)                                                                                                       \
    F(abs) F(acos) F(add) F(asin) F(asinh) F(atan) F(atanh) F(cos) F(cosh) F(divide) F(equal) F(exp) F(expm1) F(fma)   \
    F(gaussian) F(greater) F(greater_equal) F(lerp) F(less) F(less_equal) F(log) F(log1p) F(log_sigmoid) F(logaddexp)  \
    F(logical_and) F(logical_not) F(logical_or) F(maximum) F(minimum) F(multiply) F(negative) F(not_equal)             \
    F(positive) F(pow) F(reciprocal) F(sigmoid) F(sin) F(sinh) F(sqrt) F(square) F(strong_multiply) F(subtract)        \
    F(tan) F(tanh) F(where)
#define ENTRY(name) {#name, cs_##name},

static function *form_named(const char *name)
{
    static const struct {
        const char *name;
        function *form;
    } forms[] = {FORMS(ENTRY)};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (!strcmp(forms[i].name, name))
            return forms[i].form;
    return NULL;
}

static wg_dd in_pairs(void *form, const wg_dd *x)
{
    number z[3], y;
    for (int k = 0; k < 3; k++)
        memcpy(&z[k], (const double[]){x[k].hi, x[k].lo}, sizeof z[k]); /* clang's headers have no CMPLX */
    y = (*(function **)form)(z);
    return (wg_dd){creal(y), cimag(y)};
}

/* ---- Linear ------------------------------------------------------------------------------------------------------ */
/* The kernel on one part of each operand: `which` of them on their imaginary part over H, the others real; -1: all
 * real, -2: all imaginary, -3: zeros. Into to. */
static bool kernel_run(wg_replay *r, uint32_t index, int which, double *to)
{
    const wg_node *node = wg_node_at(r->tape, index);
    const uint32_t *at = wg_node_in(node);
    wg_mark before = wg_tape_mark(r->tape);
    wg_tensor in[UINT8_MAX], out[UINT8_MAX];
    bool fine = node->n_in <= UINT8_MAX;
    for (int k = 0; k < node->n_in && fine; k++) {
        in[k] = at[k] == WG_ABSENT ? WG_NONE : wg_node_tensor(r->tape, at[k]);
        if (wg_is_none(in[k]) || !wg_is_float(wg_type_of(in[k]).dtype))
            continue;
        wg_type type = wg_type_of(in[k]);
        const wg_dd *x = r->value[at[k]];
        in[k] = wg_leaf(r->tape, &type, NULL, 0, "wg_check_grad");
        fine = wg_is_tensor(in[k]);
        for (int64_t i = 0; fine && which != -3 && i < wg_type_count(&type); i++)
            ((double *)wg_node_at(r->tape, in[k].node)->data)[i] = which == -2 || which == k ? x[i].lo / H : x[i].hi;
    }
    const void *options = wg_node_options(wg_node_at(r->tape, index - node->out));
    fine = fine && !(wg_record_on)(r->tape, node->op, options, in, node->n_in, out, node->out + 1) &&
           !(wg_copy_out)(out[node->out], to);
    wg_clear_error(r->tape);
    wg_rewind(r->tape, before);
    return fine;
}

/* With n elements of room for two. Of a product the sum, over the operands, of it with one exchanged for its imaginary
 * part. */
static bool linear_in_pairs(wg_replay *r, uint32_t index, double *part, double *zero)
{
    const wg_node *node = wg_node_at(r->tape, index);
    wg_dd *y = r->value[index];
    int64_t n = wg_node_count(node);
    bool joint = wg_replay_linearity(node->op) == WG_JOINTLY;
    if (!kernel_run(r, index, -1, part))
        return false;
    for (int64_t i = 0; i < n; i++)
        y[i] = (wg_dd){part[i], 0};
    if (joint && !kernel_run(r, index, -3, zero))
        return false;
    for (int k = 0; k < (joint ? 1 : node->n_in); k++) {
        uint32_t at = wg_node_in(node)[k];
        if (!joint && (at == WG_ABSENT || !wg_is_float((wg_dtype)wg_node_at(r->tape, at)->dtype)))
            continue;
        if (!kernel_run(r, index, joint ? -2 : k, part))
            return false;
        for (int64_t i = 0; i < n; i++)
            y[i].lo += H * (joint ? part[i] - zero[i] : part[i]);
    }
    return true;
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */
static bool stepped(wg_replay *r, uint32_t index)
{
    const wg_node *node = wg_node_at(r->tape, index);
    if (node->op->map) {
        function *form = form_named(node->op->name);
        if (form)
            wg_replay_map(r, index, in_pairs, &form);
        return form != NULL;
    }
    if (wg_replay_affine(node->op))
        return false;
    size_t bytes = (size_t)wg_node_count(node) * sizeof(double);
    wg_arena_mark before = wg_arena_at(r->tape);
    double *part = wg_arena(r->tape, bytes + 1), *zero = wg_arena(r->tape, bytes + 1);
    bool fine = part && zero && linear_in_pairs(r, index, part, zero);
    wg_arena_back(r->tape, before);
    return fine;
}

wg_dd wg_replay_complex(wg_replay *r, int at, int64_t element, const double *direction, double t, double *size)
{
    wg_dd sum = {0, 0};
    r->largest = 0;
    r->last = -1; /* the values are no double-double ones from here on */
    for (int k = 0; k < r->n; k++)
        for (int64_t i = 0; i < wg_size(r->x[k]); i++) {
            bool moves = k == at && (element < 0 || i == element);
            double d = moves ? element < 0 ? direction[i] : 1 : 0;
            r->value[r->x[k].node][i] = (wg_dd){r->start[k][i].hi + t * d, H * d};
        }
    for (uint32_t i = 0; i < r->steps; i++)
        if (!stepped(r, r->step[i]))
            return (wg_dd){(double)NAN, (double)NAN};
    *size = 0;
    for (int64_t i = 0; i < wg_size(r->y); i++) {
        wg_dd y = r->value[r->y.node][i];
        sum = (wg_dd){sum.hi + r->weight[i] * y.hi, sum.lo + r->weight[i] * y.lo / H};
        *size += fabs(r->weight[i] * y.lo / H);
        r->largest = fmax(r->largest, fabs(r->weight[i] * y.hi));
    }
    return sum;
}
