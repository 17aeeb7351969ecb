/* Elementwise operations of one operand: arithmetic, roots, exponentials and logarithms, rounding, and those that
 * change a dtype or a gradient alone. A slope is written so that it keeps its digits where the function saturates,
 * overflows or is zero; where that is not the textbook form, a comment says why. */
#include <float.h>

#include "ops/code.h"
#include "wengert/elementwise.h"
#include "wengert/map.h"

#define UNARY(OP)                                                                                                      \
    OP(negative) OP(positive) OP(abs) OP(sign) OP(square) OP(reciprocal) OP(sqrt) OP(rsqrt) OP(cbrt) OP(exp)           \
    OP(exp2) OP(expm1) OP(log) OP(log2) OP(log10) OP(log1p) OP(log1mexp) OP(entr) OP(floor) OP(ceil) OP(round)         \
    OP(trunc) OP(nan_to_num) OP(stop_gradient) OP(gradient_reversal) OP(cast)
WG_CONTENTS(UNARY)

/* ---- negative ---------------------------------------------------------------------------------------------------- */
WG_MAP1(negative, -x, -1)
WG_OP(negative) = {
    .name = "negative",
    .doc = "y = -x",
    .in = {{"x", 0}},
    .map = &negative_map,
    .saves = "",
    .points = WG_POINTS(-1, 0, 1),
    .involution = true,
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_negative)(wg_tensor x) { return WG_RECORD(negative, NULL, x); }

/* ---- positive ---------------------------------------------------------------------------------------------------- */
WG_MAP1(positive, x, 1)
WG_OP(positive) = {
    .name = "positive",
    .doc = "y = x",
    .in = {{"x", 0}},
    .map = &positive_map,
    .saves = "",
    .points = WG_POINTS(-1, 0, 1),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_positive)(wg_tensor x) { return WG_RECORD(positive, NULL, x); }

/* ---- abs --------------------------------------------------------------------------------------------------------- */
WG_MAP1(abs, abs(x), sign(x))
WG_OP(abs) = {
    .name = "abs",
    .doc = "y = |x|; derivative 0 at 0",
    .in = {{"x", 0}},
    .map = &abs_map,
    .saves = "x",
    .kinks = WG_POINTS(0),
    .points = WG_POINTS(-1e300, -1, 0, 1),
    .idempotent = true,
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_abs)(wg_tensor x) { return WG_RECORD(abs, NULL, x); }

/* ---- sign -------------------------------------------------------------------------------------------------------- */
WG_MAP1(sign, sign(x), 0)
WG_OP(sign) = {
    .name = "sign",
    .doc = "y = -1, 0 or 1, NaN of a NaN; derivative 0",
    .in = {{"x", 0}},
    .map = &sign_map,
    .saves = "",
    .kinks = WG_POINTS(0),
    .points = WG_POINTS(-2, 0, 3),
    .idempotent = true,
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_sign)(wg_tensor x) { return WG_RECORD(sign, NULL, x); }

/* ---- square ------------------------------------------------------------------------------------------------------ */
WG_MAP1(square, square(x), 2 * x)
WG_OP(square) = {
    .name = "square",
    .doc = "y = x^2",
    .in = {{"x", 0}},
    .map = &square_map,
    .saves = "x",
    .points = WG_POINTS(-1, 0, 1e-200, 1),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_square)(wg_tensor x) { return WG_RECORD(square, NULL, x); }

/* ---- reciprocal -------------------------------------------------------------------------------------------------- */
WG_MAP1(reciprocal, 1 / x, -square(y))
WG_OP(reciprocal) = {
    .name = "reciprocal",
    .doc = "y = 1 / x",
    .domain = "x != 0",
    .in = {{"x", 0}},
    .map = &reciprocal_map,
    .saves = "y",
    .points = WG_POINTS(-2, -1e-100, 1e-100, 0.5, 1e100),
    .samples = {"[2,3]:0.5..3", "[]:0.5..3", "[0,3]"},
};
wg_tensor (wg_reciprocal)(wg_tensor x) { return WG_RECORD(reciprocal, NULL, x); }

/* ---- sqrt -------------------------------------------------------------------------------------------------------- */
WG_MAP1(sqrt, sqrt(x), K(0.5) / y)
WG_OP(sqrt) = {
    .name = "sqrt",
    .doc = "y = x^(1/2); derivative inf at 0, where a zero cotangent still gives 0",
    .domain = "x >= 0",
    .in = {{"x", 0}},
    .map = &sqrt_map,
    .saves = "y",
    .points = WG_POINTS(0, 1e-300, 1, 4, 1e300),
    .samples = {"[2,3]:0.1..4", "[]:0.1..4", "[0,3]"},
};
wg_tensor (wg_sqrt)(wg_tensor x) { return WG_RECORD(sqrt, NULL, x); }

/* ---- rsqrt ------------------------------------------------------------------------------------------------------- */
WG_MAP1(rsqrt, 1 / sqrt(x), -K(0.5) * y / x)
WG_OP(rsqrt) = {
    .name = "rsqrt",
    .doc = "y = x^(-1/2)",
    .domain = "x > 0",
    .in = {{"x", 0}},
    .map = &rsqrt_map,
    .saves = "x y",
    .points = WG_POINTS(1e-200, 0.25, 1, 1e200),
    .samples = {"[2,3]:0.1..4", "[]:0.1..4", "[0,3]"},
};
wg_tensor (wg_rsqrt)(wg_tensor x) { return WG_RECORD(rsqrt, NULL, x); }

/* ---- cbrt -------------------------------------------------------------------------------------------------------- */
/* Not y / (3 x), which is 0 / 0 at 0. */
WG_MAP1(cbrt, cbrt(x), 1 / (3 * square(y)))
WG_OP(cbrt) = {
    .name = "cbrt",
    .doc = "y = x^(1/3), of negative x too; derivative inf at 0",
    .in = {{"x", 0}},
    .map = &cbrt_map,
    .saves = "y",
    .points = WG_POINTS(-8, -1e-300, 0, 1e-300, 27),
    .samples = {"[2,3]:0.3..4", "[]:0.3..4", "[0,3]"},
};
wg_tensor (wg_cbrt)(wg_tensor x) { return WG_RECORD(cbrt, NULL, x); }

/* ---- exp --------------------------------------------------------------------------------------------------------- */
WG_MAP1(exp, exp(x), y)
WG_OP(exp) = {
    .name = "exp",
    .doc = "y = e^x",
    .source = "DLMF 4.2.19",
    .in = {{"x", 0}},
    .map = &exp_map,
    .saves = "y",
    .points = WG_POINTS(-745, -1, 0, 1, 700),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_exp)(wg_tensor x) { return WG_RECORD(exp, NULL, x); }

/* ---- exp2 -------------------------------------------------------------------------------------------------------- */
WG_MAP1(exp2, exp2(x), K(M_LN2) * y)
WG_OP(exp2) = {
    .name = "exp2",
    .doc = "y = 2^x",
    .in = {{"x", 0}},
    .map = &exp2_map,
    .saves = "y",
    .points = WG_POINTS(-1000, -1, 0, 1, 1000),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_exp2)(wg_tensor x) { return WG_RECORD(exp2, NULL, x); }

/* ---- expm1 ------------------------------------------------------------------------------------------------------- */
/* Not y + 1: that is 0 from x = -38 on. */
WG_MAP1(expm1, expm1(x), exp(x))
WG_OP(expm1) = {
    .name = "expm1",
    .doc = "y = e^x - 1, accurate near 0",
    .in = {{"x", 0}},
    .map = &expm1_map,
    .saves = "x",
    .points = WG_POINTS(-700, -40, -1e-10, 0, 1e-10, 700),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_expm1)(wg_tensor x) { return WG_RECORD(expm1, NULL, x); }

/* ---- log --------------------------------------------------------------------------------------------------------- */
WG_MAP1(log, log(x), 1 / x)
WG_OP(log) = {
    .name = "log",
    .doc = "y = the natural logarithm of x; -inf at 0",
    .source = "DLMF 4.2.2",
    .domain = "x > 0",
    .in = {{"x", 0}},
    .map = &log_map,
    .saves = "x",
    .points = WG_POINTS(1e-300, 0.5, 1, 2, 1e300),
    .samples = {"[2,3]:0.1..4", "[]:0.1..4", "[0,3]"},
};
wg_tensor (wg_log)(wg_tensor x) { return WG_RECORD(log, NULL, x); }

/* ---- log2 -------------------------------------------------------------------------------------------------------- */
WG_MAP1(log2, log2(x), K(M_LOG2E) / x)
WG_OP(log2) = {
    .name = "log2",
    .doc = "y = log(x) / log(2); -inf at 0",
    .domain = "x > 0",
    .in = {{"x", 0}},
    .map = &log2_map,
    .saves = "x",
    .points = WG_POINTS(1e-300, 0.5, 1, 2, 1e300),
    .samples = {"[2,3]:0.1..4", "[]:0.1..4", "[0,3]"},
};
wg_tensor (wg_log2)(wg_tensor x) { return WG_RECORD(log2, NULL, x); }

/* ---- log10 ------------------------------------------------------------------------------------------------------- */
WG_MAP1(log10, log10(x), K(M_LOG10E) / x)
WG_OP(log10) = {
    .name = "log10",
    .doc = "y = log(x) / log(10); -inf at 0",
    .domain = "x > 0",
    .in = {{"x", 0}},
    .map = &log10_map,
    .saves = "x",
    .points = WG_POINTS(1e-300, 0.5, 1, 2, 1e300),
    .samples = {"[2,3]:0.1..4", "[]:0.1..4", "[0,3]"},
};
wg_tensor (wg_log10)(wg_tensor x) { return WG_RECORD(log10, NULL, x); }

/* ---- log1p ------------------------------------------------------------------------------------------------------- */
WG_MAP1(log1p, log1p(x), 1 / (1 + x))
WG_OP(log1p) = {
    .name = "log1p",
    .doc = "y = log(1 + x), accurate near 0; -inf at -1",
    .domain = "x > -1",
    .in = {{"x", 0}},
    .map = &log1p_map,
    .saves = "x",
    .points = WG_POINTS(-0.999999, -1e-10, 0, 1e-10, 1, 1e300),
    .samples = {"[2,3]:-0.9..3", "[]:-0.9..3", "[0,3]"},
};
wg_tensor (wg_log1p)(wg_tensor x) { return WG_RECORD(log1p, NULL, x); }

/* ---- log1mexp ---------------------------------------------------------------------------------------------------- */
/* Each form where it does not cancel: expm1 when e^x is near 1, log1p when it is near 0. The slope is -e^x / (1 -
 * e^x), which divided by e^x stays accurate at both ends. */
WG_MAP1(log1mexp, x > -K(M_LN2) ? log(-expm1(x)) : log1p(-exp(x)), -1 / expm1(-x))
WG_OP(log1mexp) = {
    .name = "log1mexp",
    .doc = "y = log(1 - e^x) for x < 0; -inf at 0",
    .source = "Maechler 2012, eq. 7",
    .domain = "x < 0",
    .in = {{"x", 0}},
    .map = &log1mexp_map,
    .saves = "x",
    .points = WG_POINTS(-700, -40, -0.6931471805599453, -1e-10),
    .samples = {"[2,3]:-4..-0.1", "[]:-4..-0.1", "[0,3]"},
};
wg_tensor (wg_log1mexp)(wg_tensor x) { return WG_RECORD(log1mexp, NULL, x); }

/* ---- entr -------------------------------------------------------------------------------------------------------- */
WG_MAP1(entr, x > 0 ? -x * log(x) : x == 0 ? 0 : x < 0 ? -K(INFINITY) : x, -log(x) - 1)
WG_OP(entr) = {
    .name = "entr",
    .doc = "y = -x log(x), 0 at 0, -inf below; derivative inf at 0",
    .domain = "x >= 0",
    .in = {{"x", 0}},
    .map = &entr_map,
    .saves = "x",
    .points = WG_POINTS(0, 1e-300, 0.36787944117144233, 1, 2),
    .samples = {"[2,3]:0.1..4", "[]:0.1..4", "[0,3]"},
};
wg_tensor (wg_entr)(wg_tensor x) { return WG_RECORD(entr, NULL, x); }

/* ---- floor ------------------------------------------------------------------------------------------------------- */
WG_MAP1(floor, floor(x), 0)
WG_OP(floor) = {
    .name = "floor",
    .doc = "y = the largest integer <= x; derivative 0",
    .in = {{"x", 0}},
    .map = &floor_map,
    .saves = "",
    .kinks = WG_POINTS(-1, 0, 1),
    .points = WG_POINTS(-1.5, -0.5, 0.5, 1e300),
    .idempotent = true,
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_floor)(wg_tensor x) { return WG_RECORD(floor, NULL, x); }

/* ---- ceil -------------------------------------------------------------------------------------------------------- */
WG_MAP1(ceil, ceil(x), 0)
WG_OP(ceil) = {
    .name = "ceil",
    .doc = "y = the smallest integer >= x; derivative 0",
    .in = {{"x", 0}},
    .map = &ceil_map,
    .saves = "",
    .kinks = WG_POINTS(-1, 0, 1),
    .points = WG_POINTS(-1.5, -0.5, 0.5, 1e300),
    .idempotent = true,
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_ceil)(wg_tensor x) { return WG_RECORD(ceil, NULL, x); }

/* ---- round ------------------------------------------------------------------------------------------------------- */
WG_MAP1(round, rint(x), 0)
WG_OP(round) = {
    .name = "round",
    .doc = "y = the nearest integer, of two the even one; derivative 0",
    .source = "IEEE 754, 5.3.1",
    .in = {{"x", 0}},
    .map = &round_map,
    .saves = "",
    .kinks = WG_POINTS(-0.5, 0.5, 1.5),
    .points = WG_POINTS(-2, 0.2, 1e300),
    .idempotent = true,
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_round)(wg_tensor x) { return WG_RECORD(round, NULL, x); }

/* ---- trunc ------------------------------------------------------------------------------------------------------- */
WG_MAP1(trunc, trunc(x), 0)
WG_OP(trunc) = {
    .name = "trunc",
    .doc = "y = x without its fraction; derivative 0",
    .in = {{"x", 0}},
    .map = &trunc_map,
    .saves = "",
    .kinks = WG_POINTS(-1, 1),
    .points = WG_POINTS(-1.5, -0.5, 0.5, 1e300),
    .idempotent = true,
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_trunc)(wg_tensor x) { return WG_RECORD(trunc, NULL, x); }

/* ---- nan_to_num -------------------------------------------------------------------------------------------------- */
#define LARGEST (sizeof(T) == sizeof(float) ? K(FLT_MAX) : K(DBL_MAX))
#define GIVEN_OR(option, otherwise) ((option) == (option) ? K(option) : (otherwise)) /* an absent one is NaN */
WG_MAP1_OPTIONS(nan_to_num, wg_nan_to_num_options,
        x != x ? K(o->nan)
        : x > LARGEST ? GIVEN_OR(o->posinf, LARGEST)
        : x < -LARGEST ? GIVEN_OR(o->neginf, -LARGEST)
        : x,
        isfinite(x) ? 1 : 0)
WG_OP(nan_to_num) = {
    .name = "nan_to_num",
    .doc = "y = x, with numbers in place of NaN and the infinities, by default 0 and the dtype's largest and lowest; "
           "derivative 0 where x is replaced",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_nan_to_num, WG_ATTR(wg_nan_to_num, nan), WG_ATTR(wg_nan_to_num, posinf),
        WG_ATTR(wg_nan_to_num, neginf)),
    .map = &nan_to_num_map,
    .saves = "x",
    .points = WG_POINTS(-1e300, 0, 1e300),
    .samples = {"[2,3]", "[]", "[0,3]", "[3] nan=1 posinf=2 neginf=-2"},
};
wg_tensor (wg_nan_to_num)(wg_tensor x, wg_nan_to_num_options options) { return WG_RECORD(nan_to_num, &options, x); }

/* ---- stop_gradient ----------------------------------------------------------------------------------------------- */
/* The value alone: without a slope no derivative passes through. */
#define WG_MAP_CONSTANT(name, value_)                                                                                  \
    WG_LOOP(name##_f32, float, float, wg_no_options, WG_X, value_)                                                     \
    WG_LOOP(name##_f64, double, double, wg_no_options, WG_X, value_)                                                   \
    static const wg_map name##_map = {#value_, {0}, {name##_f32, name##_f64}, {{0}}, false};
WG_MAP_CONSTANT(stop_gradient, x)
WG_OP(stop_gradient) = {
    .name = "stop_gradient",
    .doc = "y = x, a constant to every derivative",
    .in = {{"x", 0}},
    .map = &stop_gradient_map,
    .output_gradient_free = true,
    .saves = "",
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_stop_gradient)(wg_tensor x) { return WG_RECORD(stop_gradient, NULL, x); }

/* ---- gradient_reversal ------------------------------------------------------------------------------------------- */
WG_MAP1_OPTIONS(gradient_reversal, wg_gradient_reversal_options, x, -K(o->scale))
WG_OP(gradient_reversal) = {
    .name = "gradient_reversal",
    .doc = "y = x; its derivative is taken to be -scale, which it is not",
    .source = "Ganin and Lempitsky 2015, eq. 10",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_gradient_reversal, WG_ATTR(wg_gradient_reversal, scale)),
    .map = &gradient_reversal_map,
    .points = WG_POINTS(-1, 0, 1),
    .saves = "",
    .samples = {"[2,3]", "[]", "[0,3]", "[3] scale=0.5"},
    .surrogate = true,
};
wg_tensor (wg_gradient_reversal)(wg_tensor x, wg_gradient_reversal_options options)
{
    return WG_RECORD(gradient_reversal, &options, x);
}

/* ---- cast -------------------------------------------------------------------------------------------------------- */
/* Conversions that C defines for every value: an integer out of range is the nearest there is, and a NaN is 0. */
static inline int32_t int32_from(double x)
{
    return x != x ? 0 : x <= INT32_MIN ? INT32_MIN : x >= INT32_MAX ? INT32_MAX : (int32_t)x;
}
static inline int64_t int64_from(double x)
{
    return x != x ? 0 : x <= -0x1p63 ? INT64_MIN : x >= 0x1p63 ? INT64_MAX : (int64_t)x;
}
static inline int32_t int32_from_int64(int64_t x)
{
    return x < INT32_MIN ? INT32_MIN : x > INT32_MAX ? INT32_MAX : (int32_t)x;
}

/* The integer is X's own type where X is one: a large int64 has no exact double. */
#define CAST(FROM, X, TO, Y, expression)                                                                               \
    case FROM * 8 + TO: {                                                                                              \
        const X *x = job->from;                                                                                        \
        Y *y = job->to;                                                                                                \
        for (int64_t i = first; i < last; i++)                                                                         \
            y[i] = (Y)(expression);                                                                                    \
        break;                                                                                                         \
    }
#define CAST_FLOAT(FROM, X)                                                                                            \
    CAST(FROM, X, WG_FLOAT32, float, x[i])                                                                             \
    CAST(FROM, X, WG_FLOAT64, double, x[i])                                                                            \
    CAST(FROM, X, WG_INT32, int32_t, int32_from(x[i]))                                                                 \
    CAST(FROM, X, WG_INT64, int64_t, int64_from(x[i]))                                                                 \
    CAST(FROM, X, WG_BOOL, bool, x[i] != 0)
#define CAST_INTEGER(FROM, X)                                                                                          \
    CAST(FROM, X, WG_FLOAT32, float, x[i])                                                                             \
    CAST(FROM, X, WG_FLOAT64, double, x[i])                                                                            \
    CAST(FROM, X, WG_INT32, int32_t, int32_from_int64(x[i]))                                                           \
    CAST(FROM, X, WG_INT64, int64_t, x[i])                                                                             \
    CAST(FROM, X, WG_BOOL, bool, x[i] != 0)

typedef struct {
    const void *from;
    void *to;
    int64_t count;
    int conversion; /* from * 8 + to */
} cast_job;

static void cast_piece(void *argument, int64_t piece)
{
    const cast_job *job = argument;
    int64_t first = piece * WG_PIECE, last = job->count - first < WG_PIECE ? job->count : first + WG_PIECE;
    switch (job->conversion) {
        CAST_FLOAT(WG_FLOAT32, float)
        CAST_FLOAT(WG_FLOAT64, double)
        CAST_INTEGER(WG_INT32, int32_t)
        CAST_INTEGER(WG_INT64, int64_t)
        CAST_INTEGER(WG_BOOL, bool)
    }
}

static wg_status cast_type(wg_call *c)
{
    c->y[0] = c->x[0];
    c->y[0].dtype = ((const wg_cast_options *)c->options)->dtype;
    return WG_OK;
}

static wg_status cast_run(const wg_call *c)
{
    int64_t count = wg_type_count(&c->x[0]);
    cast_job job = {c->from[0], c->to[0], count, (int)c->x[0].dtype * 8 + (int)c->y[0].dtype};
    wg_parallel(c->tape, wg_pieces(count), cast_piece, &job);
    return WG_OK;
}

static wg_tensor cast_dx(const wg_call *c, wg_tensor g) { return wg_cast(g, .dtype = c->x[0].dtype); }

/* Text for the dtypes at hand, with the limits of what it becomes. */
static wg_status cast_c(const wg_call *c, wg_code *w)
{
    wg_dtype from = c->x[0].dtype, to = c->y[0].dtype;
    bool narrows = wg_is_float(from) ? to == WG_INT32 || to == WG_INT64 : from == WG_INT64 && to == WG_INT32;
    wg_code_size(w, "count", wg_type_count(&c->y[0]));
    w->dtype = to;
    if (to == WG_BOOL)
        return wg_code_text(w, WG_C(for (int i = 0; i < count; i++) y[i] = x[i] != 0;));
    if (!narrows)
        return wg_code_text(w, WG_C(for (int i = 0; i < count; i++) y[i] = (T)x[i];));
    if (from == WG_INT64)
        return wg_code_text(w, WG_C(for (int i = 0; i < count; i++)
            y[i] = x[i] < INT32_MIN ? INT32_MIN : x[i] > INT32_MAX ? INT32_MAX : (T)x[i];));
    wg_code_number(w, "low", to == WG_INT32 ? -0x1p31 : -0x1p63);
    wg_code_number(w, "high", to == WG_INT32 ? 0x1p31 - 1 : 0x1p63);
    return wg_code_text(w, to == WG_INT32
        ? WG_C(for (int i = 0; i < count; i++) {
              const double v = (double)x[i];
              y[i] = v != v ? 0 : v <= low ? INT32_MIN : v >= high ? INT32_MAX : (T)v; })
        : WG_C(for (int i = 0; i < count; i++) {
              const double v = (double)x[i];
              y[i] = v != v ? 0 : v <= low ? INT64_MIN : v >= high ? INT64_MAX : (T)v; }));
}

WG_OP(cast) = {
    .name = "cast",
    .doc = "y = x in another dtype; to an integer towards 0, saturating, NaN to 0; to bool x != 0",
    .in = {{"x", WG_ANY}},
    .options = WG_SCHEMA(wg_cast, WG_ATTR_REQUIRED(wg_cast, dtype)),
    .type = cast_type,
    .run = cast_run,
    .c = cast_c,
    .vjp = {cast_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,3] dtype=float64", "[2,3] dtype=float32", "[3] dtype=int64", "[2,3]:int32:-2..2 dtype=float64",
                "[4]:bool dtype=float64", "[] dtype=float64", "[0,3] dtype=float64"},
};
wg_tensor (wg_cast)(wg_tensor x, wg_cast_options options) { return WG_RECORD(cast, &options, x); }

WG_FAMILY_OF(unary, "elementwise", UNARY)
