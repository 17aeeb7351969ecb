/* Distributions with parameters: each draw is a function of the parameters and of standard noise, y = loc + scale z or
 * the like, so that its derivative is graph code over the same noise. A saved stream says which noise it was; the
 * derivative draws it again instead of keeping it. Everything is computed in double precision and rounded once. */
#include "ops/noise.h"

#include <stdatomic.h>

#include "wengert/elementwise.h"
#include "wengert/map.h"
#include "wengert/random.h"
#include "wengert/shape.h"

#define DISTRIBUTIONS(OP) OP(uniform) OP(normal) OP(exponential) OP(laplace) OP(gumbel) OP(bernoulli)
WG_CONTENTS(DISTRIBUTIONS)

/* ---- Drawing ----------------------------------------------------------------------------------------------------- */
/* Turns WG_DRAWS numbers of noise z into draws. False where a parameter is out of its domain. */
typedef bool wg_finish(const double *a, const double *b, double *z);

typedef struct {
    wg_noise noise;
    wg_finish *finish;
    const char *domain;      /* the words for an error */
    double absent[2];        /* a parameter that is not given */
    bool half_open;          /* keeps off b where rounding to the dtype would reach it */
} distribution;

typedef wg_uniform_options random_options; /* that of every one of them */

typedef struct {
    const wg_call *c;
    const distribution *d;
    uint64_t stream[2];
    int64_t count;
    int64_t stride[2][WG_MAX_RANK]; /* of the parameters, as they broadcast */
    atomic_bool refused;
} draw;

static const void *parameter(const draw *d, int i) { return wg_given(d->c, i) ? d->c->from[i] : NULL; }

/* Parameter i of elements [first, first + n). */
static void read_parameter(const draw *d, int i, int64_t first, int64_t n, double *to)
{
    union {
        float f32[WG_DRAWS];
        double f64[WG_DRAWS];
    } as;
    if (!parameter(d, i) || !d->c->y[0].rank || wg_type_count(&d->c->x[i]) == 1)
        return; /* it is there already */
    wg_gather_range(&d->c->y[0], d->stride[i], parameter(d, i), first, n, &as);
    for (int64_t k = 0; k < n; k++)
        to[k] = d->c->y[0].dtype == WG_FLOAT32 ? (double)as.f32[k] : as.f64[k];
}

/* The same for all elements, as far as that is right. */
static void start_parameter(const draw *d, int i, double *to)
{
    bool given = parameter(d, i) && wg_type_count(&d->c->x[i]) == 1;
    double value = given ? wg_load_number(d->c->y[0].dtype, parameter(d, i)) : d->d->absent[i];
    for (int k = 0; k < WG_DRAWS; k++)
        to[k] = value;
}

/* y < b, where a < b. */
static void keep_off(int64_t n, const double *a, const double *b, float *y)
{
    for (int64_t k = 0; k < n; k++)
        if ((double)y[k] >= b[k] && a[k] < b[k])
            y[k] = nextafterf((float)b[k], (float)a[k]);
}

static void draw_piece(void *argument, int64_t piece)
{
    draw *d = argument;
    int64_t end = (piece + 1) * WG_PIECE < d->count ? (piece + 1) * WG_PIECE : d->count;
    double a[WG_DRAWS], b[WG_DRAWS], z[WG_DRAWS];
    start_parameter(d, 0, a);
    start_parameter(d, 1, b);
    for (int64_t first = piece * WG_PIECE; first < end; first += WG_DRAWS) {
        int64_t n = end - first < WG_DRAWS ? end - first : WG_DRAWS;
        read_parameter(d, 0, first, n, a);
        read_parameter(d, 1, first, n, b);
        wg_draw_noise(d->d->noise, d->stream, first, z);
        if (!d->d->finish(a, b, z))
            atomic_store(&d->refused, true);
        if (d->c->y[0].dtype == WG_FLOAT64) {
            memcpy((double *)d->c->to[0] + first, z, (size_t)n * sizeof *z);
            continue;
        }
        float *to = (float *)d->c->to[0] + first;
        for (int64_t k = 0; k < n; k++)
            to[k] = (float)z[k];
        if (d->d->half_open)
            keep_off(n, a, b, to);
    }
}

static wg_status draw_all(const wg_call *c, const distribution *of)
{
    const random_options *o = c->options;
    draw d = {.c = c, .d = of, .count = wg_type_count(&c->y[0])};
    for (int i = 0; i < 2; i++)
        if (wg_given(c, i))
            wg_broadcast_strides(&c->x[i], NULL, &c->y[0], d.stride[i]);
    wg_stream_open(c->tape, o->seed, d.stream);
    atomic_init(&d.refused, false);
    wg_parallel(c->tape, wg_pieces(d.count), draw_piece, &d);
    memcpy(c->to[1], d.stream, sizeof d.stream);
    return atomic_load(&d.refused) ? wg_fail(c, WG_ERROR_VALUE, "somewhere not %s", of->domain) : WG_OK;
}

/* The same in C: `finish` makes a draw `v` of noise z and of the parameters A and B. */
static wg_status draw_c(const wg_call *c, wg_code *w, const distribution *of, const char *finish)
{
    static const char letters[] = "ijpqrtuv", *const words[] = {"A", "B"};
    wg_status status = wg_stream_c(c, w, ((const random_options *)c->options)->seed);
    const wg_type *y = &c->y[0];
    if (status)
        return status;
    w->dtype = y->dtype;
    for (int i = 0; i < 2; i++) {
        wg_source as = {.tape = c->tape}, at = as;
        int64_t stride[WG_MAX_RANK];
        if (wg_given(c, i)) {
            wg_broadcast_strides(&c->x[i], NULL, y, stride);
            wg_subscript_put(&at, 0, y->rank, stride, letters);
            wg_source_put(&as, "(double)%s[%s]", c->op->in[i].name, at.data ? at.data : "0");
        } else {
            wg_source_number(&as, WG_FLOAT64, of->absent[i], true);
        }
        wg_code_word(w, words[i], as.data ? as.data : "0");
    }
    wg_code_size(w, "noise", of->noise);
    wg_code_line(w, "int element = 0;");
    for (int i = 0; i < y->rank; i++)
        wg_code_for(w, (const char[]){letters[i], 0}, y->dim[i]);
    wg_code_text(w, WG_C(const double z = noise_of(noise, key, 0, element);));
    wg_code_text(w, finish);
    wg_code_text(w, WG_C(element++;));
    for (int i = 0; i < y->rank; i++)
        wg_code_end(w);
    w->n_words = 0;
    return w->status;
}

/* ---- What the entries share -------------------------------------------------------------------------------------- */
static wg_status random_type(wg_call *c)
{
    const random_options *o = c->options;
    char text[100];
    c->y[0] = wg_type_make(o->dtype, o->shape);
    c->y[1] = wg_stream_type();
    if (!wg_is_float(o->dtype))
        return wg_fail(c, WG_ERROR_DTYPE, "dtype is %s, not float32 or float64", wg_dtype_name(o->dtype));
    for (int i = 0; i < o->shape.rank; i++)
        if (o->shape.dim[i] < 0)
            return wg_fail(c, WG_ERROR_VALUE, "a size of %s is negative", wg_shape_text(&o->shape, text, sizeof text));
    for (int i = 0; i < c->n_in; i++) {
        wg_type both;
        if (!wg_given(c, i))
            continue;
        if (c->x[i].dtype != o->dtype)
            return wg_fail(c, WG_ERROR_DTYPE, "%s is %s where dtype is %s", wg_show(c, i), wg_dtype_name(c->x[i].dtype),
                           wg_dtype_name(o->dtype));
        wg_status status = wg_broadcast_shapes(c, &c->x[i], &c->y[0], &both);
        if (status)
            return status;
        both.dtype = o->dtype;
        if (!wg_type_equal(&both, &c->y[0]))
            return wg_fail(c, WG_ERROR_SHAPE, "%s does not broadcast to %s", wg_show(c, i),
                           wg_shape_text(&o->shape, text, sizeof text));
    }
    return WG_OK;
}

/* A C number becomes a tensor of the dtype that is drawn. */
static wg_tensor recorded(wg_tape *tape, const wg_op *op, const random_options *options, wg_tensor a, wg_tensor b,
                          int n)
{
    wg_tensor in[2] = {a, b}, out;
    for (int i = 0; tape && i < n; i++)
        if (wg_is_number(in[i]) && wg_is_float(options->dtype))
            in[i] = wg_constant_of(tape, options->dtype, wg_number_value(in[i]));
    wg_record_on(tape, op, options, in, n, &out, 1);
    return out;
}

static wg_tensor noise_of(const wg_call *c, wg_noise noise)
{
    return wg_noise_again(wg_saved(c, 0), noise, &c->y[0]);
}

/* Of y = p ta + q tb, where either tangent may be none; p = WG_NONE stands for 1. */
static wg_tensor combined(const wg_call *c, wg_tensor p, wg_tensor q)
{
    wg_tensor sum = WG_NONE;
    if (!wg_is_none(c->t[0]))
        sum = wg_is_none(p) ? wg_broadcast_to(c->t[0], wg_type_shape(&c->y[0])) : wg_multiply(p, c->t[0]);
    if (c->n_in < 2 || wg_is_none(c->t[1]))
        return sum;
    wg_tensor second = wg_multiply(q, c->t[1]);
    return wg_is_none(sum) ? second : wg_add(sum, second);
}

/* p times the first operand plus q times the second, which are these where absent; p = WG_NONE stands for 1. */
static wg_tensor drawn_formula(const wg_call *c, wg_tensor p, wg_tensor q, double first, double second)
{
    wg_tensor a = wg_given(c, 0) ? c->in[0] : wg_number(first), b = wg_given(c, 1) ? c->in[1] : wg_number(second);
    wg_tensor noise = wg_stop_gradient(q);
    a = wg_is_none(p) ? a : wg_multiply(a, wg_stop_gradient(p));
    return wg_add(a, wg_multiply(b, noise));
}

static wg_tensor itself(const wg_call *c, wg_tensor g)
{
    (void)c;
    return g;
}

#define RANDOM_SCHEMA(f) WG_SCHEMA(f, WG_ATTR_REQUIRED(f, shape), WG_ATTR(f, seed), WG_ATTR(f, dtype))

/* ---- uniform ----------------------------------------------------------------------------------------------------- */
static WG_CLONES bool finish_uniform(const double *restrict a, const double *restrict b, double *restrict z)
{
    int refused = 0;
    for (int i = 0; i < WG_DRAWS; i++) {
        double y = (1 - z[i]) * a[i] + z[i] * b[i]; /* b - a may overflow */
        refused |= !(a[i] <= b[i]);
        y = y < a[i] ? a[i] : y;
        z[i] = y > b[i] ? b[i] : y;
    }
    for (int i = 0; i < WG_DRAWS; i++)
        if (z[i] >= b[i] && a[i] < b[i])
            z[i] = nextafter(b[i], a[i]);
    return !refused;
}
static const distribution uniform = {WG_NOISE_UNIFORM, finish_uniform, "low <= high", {0, 1}, true};
static wg_status uniform_run(const wg_call *c) { return draw_all(c, &uniform); }
static wg_status uniform_c(const wg_call *c, wg_code *w)
{
    return draw_c(c, w, &uniform, WG_C(
        const double low_ = A; const double high_ = B;
        double v = (1 - z) * low_ + z * high_;
        if (!(low_ <= high_)) FAIL;
        v = v < low_ ? low_ : v > high_ ? high_ : v;
        y[element] = (T)v;
        if ((double)y[element] >= high_ && low_ < high_) y[element] = nextafter((T)high_, (T)low_);));
}
static wg_tensor uniform_dlow(const wg_call *c, wg_tensor g)
{
    return wg_multiply(g, wg_subtract(1, noise_of(c, WG_NOISE_UNIFORM)));
}
static wg_tensor uniform_dhigh(const wg_call *c, wg_tensor g) { return wg_multiply(g, noise_of(c, WG_NOISE_UNIFORM)); }
static wg_tensor uniform_jvp(const wg_call *c)
{
    wg_tensor u = noise_of(c, WG_NOISE_UNIFORM);
    return combined(c, wg_subtract(1, u), u);
}
static void uniform_formula(const wg_call *c, wg_tensor *out)
{
    wg_tensor u = noise_of(c, WG_NOISE_UNIFORM);
    out[0] = drawn_formula(c, wg_subtract(1, u), u, 0, 1);
}
WG_OP(uniform) = {
    .name = "uniform",
    .doc = "y = (1 - u) low + u high, with u uniform in (0, 1): low <= y < high",
    .in = {{"low", WG_OPTIONAL}, {"high", WG_OPTIONAL}},
    .saved = {"stream"},
    .options = RANDOM_SCHEMA(wg_uniform),
    .type = random_type,
    .run = uniform_run,
    .c = uniform_c,
    .vjp = {uniform_dlow, uniform_dhigh},
    .jvp = uniform_jvp,
    .saves = "",
    .formula = uniform_formula,
    .samples = {"[4]:-3..-1 [3,1]:1..2 shape=[3,4] seed=7", "- []:2 shape=[5] seed=7", "[]:-1 - shape=[2,3] seed=7",
                "[]:0 []:1 shape=[] seed=7", "[3]:-2..0 []:1 shape=[0,3] seed=7"},
    .random = true,
};
wg_tensor (wg_uniform)(wg_tape *tape, wg_tensor low, wg_tensor high, wg_uniform_options options)
{
    return recorded(tape, &uniform_op, &options, low, high, 2);
}

/* ---- normal, laplace, gumbel: y = loc + scale z ------------------------------------------------------------------ */
static WG_CLONES bool finish_located(const double *restrict a, const double *restrict b, double *restrict z)
{
    int refused = 0;
    for (int i = 0; i < WG_DRAWS; i++) {
        refused |= !(b[i] >= 0);
        z[i] = a[i] + b[i] * z[i];
    }
    return !refused;
}
#define LOCATED_TEXT WG_C(if (!(B >= 0)) FAIL; y[element] = (T)(A + B * z);)
#define LOCATED(name, NOISE, domain_)                                                                                  \
    static const distribution name##_of = {NOISE, finish_located, domain_, {0, 1}, false};                             \
    static wg_status name##_run(const wg_call *c) { return draw_all(c, &name##_of); }                                  \
    static wg_status name##_c(const wg_call *c, wg_code *w) { return draw_c(c, w, &name##_of, LOCATED_TEXT); }         \
    static void name##_formula(const wg_call *c, wg_tensor *out)                                                       \
    {                                                                                                                  \
        out[0] = drawn_formula(c, WG_NONE, noise_of(c, NOISE), 0, 1);                                                  \
    }                                                                                                                  \
    static wg_tensor name##_dscale(const wg_call *c, wg_tensor g) { return wg_multiply(g, noise_of(c, NOISE)); }       \
    static wg_tensor name##_jvp(const wg_call *c) { return combined(c, WG_NONE, noise_of(c, NOISE)); }
#define LOCATED_SAMPLES                                                                                                \
    {                                                                                                                  \
        "[4] [3,1]:0.5..2 shape=[3,4] seed=7", "- []:2 shape=[5] seed=7", "[2,1] - shape=[2,3] seed=7",                \
            "[] []:0.5 shape=[] seed=7", "[3] []:1 shape=[0,3] seed=7"                                                 \
    }

LOCATED(normal, WG_NOISE_NORMAL, "std >= 0")
WG_OP(normal) = {
    .name = "normal",
    .doc = "y = mean + std z, with z normal of mean 0 and variance 1",
    .source = "Box and Muller 1958",
    .in = {{"mean", WG_OPTIONAL}, {"std", WG_OPTIONAL}},
    .saved = {"stream"},
    .options = RANDOM_SCHEMA(wg_normal),
    .type = random_type,
    .run = normal_run,
    .c = normal_c,
    .vjp = {itself, normal_dscale},
    .jvp = normal_jvp,
    .saves = "",
    .formula = normal_formula,
    .samples = LOCATED_SAMPLES,
    .random = true,
};
wg_tensor (wg_normal)(wg_tape *tape, wg_tensor mean, wg_tensor std, wg_normal_options options)
{
    return recorded(tape, &normal_op, &options, mean, std, 2);
}

LOCATED(laplace, WG_NOISE_LAPLACE, "scale >= 0")
WG_OP(laplace) = {
    .name = "laplace",
    .doc = "y = loc + scale z, with z of density exp(-|z|) / 2",
    .in = {{"loc", WG_OPTIONAL}, {"scale", WG_OPTIONAL}},
    .saved = {"stream"},
    .options = RANDOM_SCHEMA(wg_laplace),
    .type = random_type,
    .run = laplace_run,
    .c = laplace_c,
    .vjp = {itself, laplace_dscale},
    .jvp = laplace_jvp,
    .saves = "",
    .formula = laplace_formula,
    .samples = LOCATED_SAMPLES,
    .random = true,
};
wg_tensor (wg_laplace)(wg_tape *tape, wg_tensor loc, wg_tensor scale, wg_laplace_options options)
{
    return recorded(tape, &laplace_op, &options, loc, scale, 2);
}

LOCATED(gumbel, WG_NOISE_GUMBEL, "scale >= 0")
WG_OP(gumbel) = {
    .name = "gumbel",
    .doc = "y = loc + scale z, with z of distribution function exp(-exp(-z))",
    .in = {{"loc", WG_OPTIONAL}, {"scale", WG_OPTIONAL}},
    .saved = {"stream"},
    .options = RANDOM_SCHEMA(wg_gumbel),
    .type = random_type,
    .run = gumbel_run,
    .c = gumbel_c,
    .vjp = {itself, gumbel_dscale},
    .jvp = gumbel_jvp,
    .saves = "",
    .formula = gumbel_formula,
    .samples = LOCATED_SAMPLES,
    .random = true,
};
wg_tensor (wg_gumbel)(wg_tape *tape, wg_tensor loc, wg_tensor scale, wg_gumbel_options options)
{
    return recorded(tape, &gumbel_op, &options, loc, scale, 2);
}

/* ---- exponential ------------------------------------------------------------------------------------------------- */
static WG_CLONES bool finish_exponential(const double *restrict a, const double *restrict b, double *restrict z)
{
    int refused = 0;
    (void)b;
    for (int i = 0; i < WG_DRAWS; i++) {
        refused |= !(a[i] > 0);
        z[i] /= a[i];
    }
    return !refused;
}
static const distribution exponential = {WG_NOISE_EXPONENTIAL, finish_exponential, "rate > 0", {1, 0}, false};
static wg_status exponential_run(const wg_call *c) { return draw_all(c, &exponential); }
static wg_status exponential_c(const wg_call *c, wg_code *w)
{
    return draw_c(c, w, &exponential, WG_C(if (!(A > 0)) FAIL; y[element] = (T)(z / A);));
}
/* dy/drate = -z / rate^2 */
static wg_tensor exponential_slope(const wg_call *c)
{
    wg_tensor y = wg_divide(noise_of(c, WG_NOISE_EXPONENTIAL), c->in[0]);
    return wg_negative(wg_divide(y, c->in[0]));
}
static wg_tensor exponential_drate(const wg_call *c, wg_tensor g) { return wg_multiply(g, exponential_slope(c)); }
static wg_tensor exponential_jvp(const wg_call *c) { return combined(c, exponential_slope(c), WG_NONE); }
static void exponential_formula(const wg_call *c, wg_tensor *out)
{
    wg_tensor z = wg_stop_gradient(noise_of(c, WG_NOISE_EXPONENTIAL));
    out[0] = wg_given(c, 0) ? wg_divide(z, c->in[0]) : z;
}
WG_OP(exponential) = {
    .name = "exponential",
    .doc = "y = z / rate, with z of density exp(-z)",
    .domain = "rate > 0",
    .in = {{"rate", WG_OPTIONAL}},
    .saved = {"stream"},
    .options = RANDOM_SCHEMA(wg_exponential),
    .type = random_type,
    .run = exponential_run,
    .c = exponential_c,
    .vjp = {exponential_drate},
    .jvp = exponential_jvp,
    .saves = "rate",
    .formula = exponential_formula,
    .samples = {"[4]:0.5..2 shape=[3,4] seed=7", "- shape=[5] seed=7", "[]:2 shape=[] seed=7",
                "[3]:1..2 shape=[0,3] seed=7"},
    .random = true,
};
wg_tensor (wg_exponential)(wg_tape *tape, wg_tensor rate, wg_exponential_options options)
{
    return recorded(tape, &exponential_op, &options, rate, WG_NONE, 1);
}

/* ---- bernoulli --------------------------------------------------------------------------------------------------- */
static WG_CLONES bool finish_bernoulli(const double *restrict a, const double *restrict b, double *restrict z)
{
    int refused = 0;
    (void)b;
    for (int i = 0; i < WG_DRAWS; i++) {
        refused |= !(a[i] >= 0) | !(a[i] <= 1);
        z[i] = z[i] < a[i] ? 1 : 0;
    }
    return !refused;
}
static const distribution bernoulli = {WG_NOISE_UNIFORM, finish_bernoulli, "0 <= p <= 1", {0, 0}, false};
static wg_status bernoulli_run(const wg_call *c) { return draw_all(c, &bernoulli); }
static wg_status bernoulli_c(const wg_call *c, wg_code *w)
{
    return draw_c(c, w, &bernoulli, WG_C(if (!(A >= 0 && A <= 1)) FAIL; y[element] = z < A ? 1 : 0;));
}
WG_OP(bernoulli) = {
    .name = "bernoulli",
    .doc = "y = 1 with probability p, else 0",
    .in = {{"p", 0}},
    .saved = {"stream"},
    .options = RANDOM_SCHEMA(wg_bernoulli),
    .type = random_type,
    .run = bernoulli_run,
    .c = bernoulli_c,
    .samples = {"[4]:0..1 shape=[3,4] seed=7", "[]:0.5 shape=[] seed=7", "[3]:0..1 shape=[0,3] seed=7"},
    .random = true,
    .output_gradient_free = true,
};
wg_tensor (wg_bernoulli)(wg_tensor p, wg_bernoulli_options options)
{
    return recorded(p.tape, &bernoulli_op, &options, p, WG_NONE, 1);
}

WG_FAMILY_OF(distributions, "random", DISTRIBUTIONS)
