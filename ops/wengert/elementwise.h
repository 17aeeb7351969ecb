/* Wengert: elementwise operations and selection.
 *
 * They work on each element alone. Operands of different shapes broadcast: shapes are aligned at the right, and a
 * dimension of size 1 stretches. All float operands of a call have one dtype; a C number takes it: wg_multiply(x,
 * 2). */
#ifndef WENGERT_ELEMENTWISE_H
#define WENGERT_ELEMENTWISE_H

#include "wengert/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Arithmetic -------------------------------------------------------------------------------------------------- */
WG_API wg_tensor wg_negative(wg_tensor x);   /* -x */
WG_API wg_tensor wg_positive(wg_tensor x);   /* x */
WG_API wg_tensor wg_abs(wg_tensor x);        /* |x|; derivative 0 at 0 */
WG_API wg_tensor wg_sign(wg_tensor x);       /* -1, 0 or 1; derivative 0 */
WG_API wg_tensor wg_square(wg_tensor x);     /* x^2 */
WG_API wg_tensor wg_reciprocal(wg_tensor x); /* 1 / x */

WG_API wg_tensor wg_add(wg_tensor a, wg_tensor b);             /* a + b */
WG_API wg_tensor wg_subtract(wg_tensor a, wg_tensor b);        /* a - b */
WG_API wg_tensor wg_multiply(wg_tensor a, wg_tensor b);        /* a b */
WG_API wg_tensor wg_divide(wg_tensor a, wg_tensor b);          /* a / b */
/* The largest integer q with q b <= a (for b > 0), so that a = q b + remainder(a, b); derivative 0. */
WG_API wg_tensor wg_floor_divide(wg_tensor a, wg_tensor b);
WG_API wg_tensor wg_remainder(wg_tensor a, wg_tensor b); /* a - floor(a / b) b, exact: the sign of b */
WG_API wg_tensor wg_fmod(wg_tensor a, wg_tensor b);      /* a - trunc(a / b) b, exact: the sign of a */
/* a^b. A negative base is fine with an integer exponent; d/da is 0 where b is 0, d/db is 0 where a is 0 and b >= 0. */
WG_API wg_tensor wg_pow(wg_tensor a, wg_tensor b);
WG_API wg_tensor wg_squared_difference(wg_tensor a, wg_tensor b); /* (a - b)^2 */
WG_API wg_tensor wg_ldexp(wg_tensor a, wg_tensor b);              /* a 2^b, exact; b is an integer tensor */

WG_API wg_tensor wg_fma(wg_tensor a, wg_tensor b, wg_tensor c);       /* a b + c, rounded once */
WG_API wg_tensor wg_lerp(wg_tensor a, wg_tensor b, wg_tensor weight); /* a + weight (b - a); exact at weight 0 and 1 */
typedef struct {
    double value;
} wg_addcmul_options;
#define wg_addcmul_defaults .value = 1
WG_API wg_tensor wg_addcmul(wg_tensor x, wg_tensor a, wg_tensor b, wg_addcmul_options options); /* x + value a b */
typedef struct {
    double value;
} wg_addcdiv_options;
#define wg_addcdiv_defaults .value = 1
WG_API wg_tensor wg_addcdiv(wg_tensor x, wg_tensor a, wg_tensor b, wg_addcdiv_options options); /* x + value a / b */

/* ---- Roots, exponentials, logarithms ----------------------------------------------------------------------------- */
WG_API wg_tensor wg_sqrt(wg_tensor x);  /* derivative inf at 0 */
WG_API wg_tensor wg_rsqrt(wg_tensor x); /* 1 / sqrt(x) */
WG_API wg_tensor wg_cbrt(wg_tensor x);  /* of negative x too; derivative inf at 0 */
WG_API wg_tensor wg_exp(wg_tensor x);
WG_API wg_tensor wg_exp2(wg_tensor x);  /* 2^x */
WG_API wg_tensor wg_expm1(wg_tensor x); /* exp(x) - 1, accurate near 0 */
WG_API wg_tensor wg_log(wg_tensor x);
WG_API wg_tensor wg_log2(wg_tensor x);
WG_API wg_tensor wg_log10(wg_tensor x);
WG_API wg_tensor wg_log1p(wg_tensor x);                     /* log(1 + x), accurate near 0; 3 | 2 ulp */
WG_API wg_tensor wg_log1mexp(wg_tensor x); /* log(1 - exp(x)) for x < 0, right at both ends; 4 | 4 ulp */
WG_API wg_tensor wg_logaddexp(wg_tensor a, wg_tensor b);    /* log(e^a + e^b); of two -inf: -inf with gradient 0 */
WG_API wg_tensor wg_logaddexp2(wg_tensor a, wg_tensor b);   /* log2(2^a + 2^b) */
WG_API wg_tensor wg_xlogy(wg_tensor a, wg_tensor b);        /* a log(b), 0 where a is 0 (and b is not NaN) */
WG_API wg_tensor wg_xlog1py(wg_tensor a, wg_tensor b);      /* a log(1 + b), 0 where a is 0 (and b is not NaN) */
WG_API wg_tensor wg_entr(wg_tensor x);                      /* -x log(x), 0 at 0, -inf below; 2 | 2 ulp */

/* ---- Trigonometric and hyperbolic: angles in radians ------------------------------------------------------------- */
WG_API wg_tensor wg_sin(wg_tensor x);
WG_API wg_tensor wg_cos(wg_tensor x);
WG_API wg_tensor wg_tan(wg_tensor x);
WG_API wg_tensor wg_asin(wg_tensor x);
WG_API wg_tensor wg_acos(wg_tensor x);
WG_API wg_tensor wg_atan(wg_tensor x);
WG_API wg_tensor wg_atan2(wg_tensor a, wg_tensor b); /* the angle of the point (b, a); gradient 0 at the origin */
WG_API wg_tensor wg_hypot(wg_tensor a, wg_tensor b); /* sqrt(a^2 + b^2) without overflow; gradient 0 at the origin */
WG_API wg_tensor wg_sinh(wg_tensor x);
WG_API wg_tensor wg_cosh(wg_tensor x);
WG_API wg_tensor wg_tanh(wg_tensor x);
WG_API wg_tensor wg_asinh(wg_tensor x);
WG_API wg_tensor wg_acosh(wg_tensor x);
WG_API wg_tensor wg_atanh(wg_tensor x);
WG_API wg_tensor wg_sinc(wg_tensor x); /* sin(pi x) / (pi x), 1 at 0, exactly 0 at the other integers; 2 | 2 ulp */

/* ---- Rounding and representation: derivative 0 where nothing else is said ---------------------------------------- */
WG_API wg_tensor wg_floor(wg_tensor x);
WG_API wg_tensor wg_ceil(wg_tensor x);
WG_API wg_tensor wg_round(wg_tensor x);                  /* to the nearest integer, of two the even one */
WG_API wg_tensor wg_trunc(wg_tensor x);                  /* towards 0 */
WG_API wg_tensor wg_copysign(wg_tensor a, wg_tensor b);  /* |a| with the sign of b; d/da = +-1, 0 at a = 0 */
typedef struct {
    double nan, posinf, neginf; /* what stands for each; absent: the dtype's largest and lowest numbers */
} wg_nan_to_num_options;
#define wg_nan_to_num_defaults .nan = 0, .posinf = WG_NO_REAL, .neginf = WG_NO_REAL
WG_API wg_tensor wg_nan_to_num(wg_tensor x, wg_nan_to_num_options options); /* derivative 0 where x is replaced */
typedef struct {
    wg_dtype dtype;
} wg_cast_options;
#define wg_cast_defaults .dtype = WG_NO_DTYPE
/* x in another dtype. A float becomes an integer towards 0, one out of range the nearest there is, a NaN 0; a bool is
 * x != 0. Between floats it has a gradient. */
WG_API wg_tensor wg_cast(wg_tensor x, wg_cast_options options); /* wg_cast(x, .dtype = WG_FLOAT64) */

/* ---- The gradient alone ------------------------------------------------------------------------------------------ */
WG_API wg_tensor wg_stop_gradient(wg_tensor x); /* x, a constant to every derivative */
typedef struct {
    double scale;
} wg_gradient_reversal_options;
#define wg_gradient_reversal_defaults .scale = 1
/* x, whose gradient is -scale times the cotangent. */
WG_API wg_tensor wg_gradient_reversal(wg_tensor x, wg_gradient_reversal_options options);

/* ---- Activations ------------------------------------------------------------------------------------------------- */
WG_API wg_tensor wg_sigmoid(wg_tensor x);     /* 1 / (1 + exp(-x)); its derivative is right when saturated; 3 | 3 ulp */
WG_API wg_tensor wg_log_sigmoid(wg_tensor x); /* log(sigmoid(x)), finite for every finite x; 4 | 4 ulp */
typedef struct {
    double eps; /* absent: not clamped */
} wg_logit_options;
#define wg_logit_defaults .eps = WG_NO_REAL
/* log(x / (1 - x)), x clamped to [eps, 1 - eps] where eps is given; derivative 0 where it is clamped. 2 | 2 ulp. */
WG_API wg_tensor wg_logit(wg_tensor x, wg_logit_options options);
typedef struct {
    double beta, threshold;
} wg_softplus_options;
#define wg_softplus_defaults .beta = 1, .threshold = 20
/* log(1 + exp(beta x)) / beta; x itself, with slope 1, where beta x > threshold. */
WG_API wg_tensor wg_softplus(wg_tensor x, wg_softplus_options options);
WG_API wg_tensor wg_softsign(wg_tensor x); /* x / (1 + |x|) */
WG_API wg_tensor wg_relu(wg_tensor x);     /* max(x, 0); derivative 0 at 0 */
WG_API wg_tensor wg_relu6(wg_tensor x);    /* min(max(x, 0), 6); derivative 0 at 0 and 6 */
typedef struct {
    double negative_slope;
} wg_leaky_relu_options;
#define wg_leaky_relu_defaults .negative_slope = 0.01
WG_API wg_tensor wg_leaky_relu(wg_tensor x, wg_leaky_relu_options options); /* x, or negative_slope x where x <= 0 */
typedef struct {
    double alpha;
} wg_elu_options;
#define wg_elu_defaults .alpha = 1
WG_API wg_tensor wg_elu(wg_tensor x, wg_elu_options options); /* x, or alpha (exp(x) - 1) where x <= 0 */
WG_API wg_tensor wg_selu(wg_tensor x);                        /* 1.0507.. elu(x) with alpha = 1.6732.. */
typedef struct {
    double alpha;
} wg_celu_options;
#define wg_celu_defaults .alpha = 1
WG_API wg_tensor wg_celu(wg_tensor x, wg_celu_options options); /* x, or alpha (exp(x / alpha) - 1) where x <= 0 */
typedef struct {
    const char *approximate; /* "none", or "tanh" for the original paper's approximation */
} wg_gelu_options;
#define wg_gelu_defaults .approximate = "none"
WG_API wg_tensor wg_gelu(wg_tensor x, wg_gelu_options options); /* x times the normal distribution function of x */
WG_API wg_tensor wg_silu(wg_tensor x);                          /* x sigmoid(x), also called swish */
WG_API wg_tensor wg_mish(wg_tensor x);                          /* x tanh(log(1 + exp(x))) */
typedef struct {
    double min_val, max_val;
} wg_hardtanh_options;
#define wg_hardtanh_defaults .min_val = -1, .max_val = 1
/* min(max(x, min_val), max_val); derivative 0 on the closed ends. */
WG_API wg_tensor wg_hardtanh(wg_tensor x, wg_hardtanh_options options);
WG_API wg_tensor wg_hardsigmoid(wg_tensor x); /* (x + 3) / 6 between 0 and 1; derivative 0 at -3 and 3 */
WG_API wg_tensor wg_hardswish(wg_tensor x);   /* x hardsigmoid(x); derivative 0 at -3 and 1 at 3 */
typedef struct {
    double lambd;
} wg_softshrink_options;
#define wg_softshrink_defaults .lambd = 0.5
WG_API wg_tensor wg_softshrink(wg_tensor x, wg_softshrink_options options); /* x - lambd sign(x), 0 for |x| <= lambd */
typedef struct {
    double lambd;
} wg_hardshrink_options;
#define wg_hardshrink_defaults .lambd = 0.5
WG_API wg_tensor wg_hardshrink(wg_tensor x, wg_hardshrink_options options); /* x, 0 for |x| <= lambd */
WG_API wg_tensor wg_tanhshrink(wg_tensor x);                                /* x - tanh(x), accurate near 0 */
typedef struct {
    double threshold, value; /* both to be given */
} wg_threshold_options;
#define wg_threshold_defaults .threshold = WG_NO_REAL, .value = WG_NO_REAL
/* x; value, with derivative 0, where x <= threshold. */
WG_API wg_tensor wg_threshold(wg_tensor x, wg_threshold_options options);

/* ---- Special functions -------------------------------------------------------------------------------------------
 * With erf the integral of 2 / sqrt(pi) exp(-t^2) from 0 to x, and n the normal distribution's function.
 *
 * `3 | 4 ulp`: no larger error was found, in float64 and in float32, where tests/data/make_ulp.py looks. Of one with
 * zeros it is counted in ulp of 1 where the value is smaller than that. */
WG_API wg_tensor wg_erf(wg_tensor x);      /* 3 | 4 ulp */
WG_API wg_tensor wg_erfc(wg_tensor x);     /* 1 - erf(x), accurate in the tail; 2 | 2 ulp */
WG_API wg_tensor wg_erfcx(wg_tensor x);    /* exp(x^2) erfc(x), finite far in the tail; 3 | 1 ulp */
WG_API wg_tensor wg_erfinv(wg_tensor x);   /* y with erf(y) = x, for -1 <= x <= 1; 2 | 1 ulp */
WG_API wg_tensor wg_ndtr(wg_tensor x);     /* n(x) = erfc(-x / sqrt(2)) / 2; 2 | 2 ulp */
WG_API wg_tensor wg_log_ndtr(wg_tensor x); /* log(n(x)), finite for every finite x; 3 | 1 ulp */
WG_API wg_tensor wg_ndtri(wg_tensor x);    /* y with n(y) = x, for 0 <= x <= 1; 3 | 1 ulp */
WG_API wg_tensor wg_lgamma(wg_tensor x);   /* log|gamma(x)|; inf at the poles 0, -1, -2, ...; 3 | 1 ulp */
WG_API wg_tensor wg_digamma(wg_tensor x);  /* lgamma's derivative; NaN at the poles; 7 | 1 ulp */
typedef struct {
    int64_t n;
} wg_polygamma_options;
#define wg_polygamma_defaults .n = WG_NO_INTEGER
/* digamma's n-th derivative, n >= 0; n = 1: 5 | 1 ulp. */
WG_API wg_tensor wg_polygamma(wg_tensor x, wg_polygamma_options options);
WG_API wg_tensor wg_i0(wg_tensor x);  /* modified Bessel functions of the first kind, of order 0 and 1; 6 | 1 ulp */
WG_API wg_tensor wg_i1(wg_tensor x);  /* 6 | 1 ulp */
WG_API wg_tensor wg_i0e(wg_tensor x); /* exp(-|x|) i0(x); 7 | 1 ulp */
WG_API wg_tensor wg_i1e(wg_tensor x); /* exp(-|x|) i1(x); 7 | 1 ulp */
WG_API wg_tensor wg_j0(wg_tensor x);  /* Bessel functions of the first kind, of order 0 and 1; 1 | 1 ulp */
WG_API wg_tensor wg_j1(wg_tensor x);  /* 2 | 1 ulp */

/* ---- Extrema of two ---------------------------------------------------------------------------------------------- */
WG_API wg_tensor wg_maximum(wg_tensor a, wg_tensor b); /* NaN wins; at a tie half the gradient to each */
WG_API wg_tensor wg_minimum(wg_tensor a, wg_tensor b);
WG_API wg_tensor wg_fmax(wg_tensor a, wg_tensor b);    /* a number wins against NaN, and takes all the gradient */
WG_API wg_tensor wg_fmin(wg_tensor a, wg_tensor b);

/* ---- Comparisons and questions: boolean, without gradient --------------------------------------------------------
 * Comparisons take operands of any one dtype; with a NaN all are false but not_equal. */
WG_API wg_tensor wg_equal(wg_tensor a, wg_tensor b);
WG_API wg_tensor wg_not_equal(wg_tensor a, wg_tensor b);
WG_API wg_tensor wg_less(wg_tensor a, wg_tensor b);
WG_API wg_tensor wg_less_equal(wg_tensor a, wg_tensor b);
WG_API wg_tensor wg_greater(wg_tensor a, wg_tensor b);
WG_API wg_tensor wg_greater_equal(wg_tensor a, wg_tensor b);
WG_API wg_tensor wg_isnan(wg_tensor x);
WG_API wg_tensor wg_isinf(wg_tensor x);
WG_API wg_tensor wg_isfinite(wg_tensor x);
WG_API wg_tensor wg_logical_and(wg_tensor a, wg_tensor b); /* of booleans, as the next three */
WG_API wg_tensor wg_logical_or(wg_tensor a, wg_tensor b);
WG_API wg_tensor wg_logical_xor(wg_tensor a, wg_tensor b);
WG_API wg_tensor wg_logical_not(wg_tensor x);

/* ---- Selection ---------------------------------------------------------------------------------------------------
 * What is not selected reaches neither value nor gradient, not even as NaN * 0. */
/* a where cond, a boolean tensor, is true, b elsewhere. a and b have one dtype, any; one of them may be a C number. */
WG_API wg_tensor wg_where(wg_tensor cond, wg_tensor a, wg_tensor b);
typedef struct {
    double min, max; /* absent: no such bound */
} wg_clip_options;
#define wg_clip_defaults .min = WG_NO_REAL, .max = WG_NO_REAL
/* x held between min and max; derivative 1 on the closed interval. */
WG_API wg_tensor wg_clip(wg_tensor x, wg_clip_options options); /* wg_clip(x, .min = 0) */
typedef struct {
    double value; /* to be given */
} wg_masked_fill_options;
#define wg_masked_fill_defaults .value = WG_NO_REAL
/* x, of any dtype, with `value` where mask, a boolean tensor that broadcasts to x, is true. */
WG_API wg_tensor wg_masked_fill(wg_tensor x, wg_tensor mask, wg_masked_fill_options options);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_negative(x) WG_AT((wg_negative)(x))
#define wg_positive(x) WG_AT((wg_positive)(x))
#define wg_abs(x) WG_AT((wg_abs)(x))
#define wg_sign(x) WG_AT((wg_sign)(x))
#define wg_square(x) WG_AT((wg_square)(x))
#define wg_reciprocal(x) WG_AT((wg_reciprocal)(x))
#define wg_add(a, b) WG_AT((wg_add)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_subtract(a, b) WG_AT((wg_subtract)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_multiply(a, b) WG_AT((wg_multiply)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_divide(a, b) WG_AT((wg_divide)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_floor_divide(a, b) WG_AT((wg_floor_divide)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_remainder(a, b) WG_AT((wg_remainder)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_fmod(a, b) WG_AT((wg_fmod)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_pow(a, b) WG_AT((wg_pow)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_squared_difference(a, b) WG_AT((wg_squared_difference)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_ldexp(a, b) WG_AT((wg_ldexp)(WG_OPERAND(a), b))
#define wg_fma(a, b, c) WG_AT((wg_fma)(WG_OPERAND(a), WG_OPERAND(b), WG_OPERAND(c)))
#define wg_lerp(a, b, weight) WG_AT((wg_lerp)(WG_OPERAND(a), WG_OPERAND(b), WG_OPERAND(weight)))
#define wg_addcmul(...) WG_AT(WG_OPTIONS3(wg_addcmul, __VA_ARGS__, ))
#define wg_addcdiv(...) WG_AT(WG_OPTIONS3(wg_addcdiv, __VA_ARGS__, ))
#define wg_sqrt(x) WG_AT((wg_sqrt)(x))
#define wg_rsqrt(x) WG_AT((wg_rsqrt)(x))
#define wg_cbrt(x) WG_AT((wg_cbrt)(x))
#define wg_exp(x) WG_AT((wg_exp)(x))
#define wg_exp2(x) WG_AT((wg_exp2)(x))
#define wg_expm1(x) WG_AT((wg_expm1)(x))
#define wg_log(x) WG_AT((wg_log)(x))
#define wg_log2(x) WG_AT((wg_log2)(x))
#define wg_log10(x) WG_AT((wg_log10)(x))
#define wg_log1p(x) WG_AT((wg_log1p)(x))
#define wg_log1mexp(x) WG_AT((wg_log1mexp)(x))
#define wg_logaddexp(a, b) WG_AT((wg_logaddexp)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_logaddexp2(a, b) WG_AT((wg_logaddexp2)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_xlogy(a, b) WG_AT((wg_xlogy)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_xlog1py(a, b) WG_AT((wg_xlog1py)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_entr(x) WG_AT((wg_entr)(x))
#define wg_sin(x) WG_AT((wg_sin)(x))
#define wg_cos(x) WG_AT((wg_cos)(x))
#define wg_tan(x) WG_AT((wg_tan)(x))
#define wg_asin(x) WG_AT((wg_asin)(x))
#define wg_acos(x) WG_AT((wg_acos)(x))
#define wg_atan(x) WG_AT((wg_atan)(x))
#define wg_atan2(a, b) WG_AT((wg_atan2)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_hypot(a, b) WG_AT((wg_hypot)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_sinh(x) WG_AT((wg_sinh)(x))
#define wg_cosh(x) WG_AT((wg_cosh)(x))
#define wg_tanh(x) WG_AT((wg_tanh)(x))
#define wg_asinh(x) WG_AT((wg_asinh)(x))
#define wg_acosh(x) WG_AT((wg_acosh)(x))
#define wg_atanh(x) WG_AT((wg_atanh)(x))
#define wg_sinc(x) WG_AT((wg_sinc)(x))
#define wg_floor(x) WG_AT((wg_floor)(x))
#define wg_ceil(x) WG_AT((wg_ceil)(x))
#define wg_round(x) WG_AT((wg_round)(x))
#define wg_trunc(x) WG_AT((wg_trunc)(x))
#define wg_copysign(a, b) WG_AT((wg_copysign)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_nan_to_num(...) WG_AT(WG_OPTIONS1(wg_nan_to_num, __VA_ARGS__, ))
#define wg_cast(...) WG_AT(WG_OPTIONS1(wg_cast, __VA_ARGS__, ))
#define wg_stop_gradient(x) WG_AT((wg_stop_gradient)(x))
#define wg_gradient_reversal(...) WG_AT(WG_OPTIONS1(wg_gradient_reversal, __VA_ARGS__, ))
#define wg_sigmoid(x) WG_AT((wg_sigmoid)(x))
#define wg_log_sigmoid(x) WG_AT((wg_log_sigmoid)(x))
#define wg_logit(...) WG_AT(WG_OPTIONS1(wg_logit, __VA_ARGS__, ))
#define wg_softplus(...) WG_AT(WG_OPTIONS1(wg_softplus, __VA_ARGS__, ))
#define wg_softsign(x) WG_AT((wg_softsign)(x))
#define wg_relu(x) WG_AT((wg_relu)(x))
#define wg_relu6(x) WG_AT((wg_relu6)(x))
#define wg_leaky_relu(...) WG_AT(WG_OPTIONS1(wg_leaky_relu, __VA_ARGS__, ))
#define wg_elu(...) WG_AT(WG_OPTIONS1(wg_elu, __VA_ARGS__, ))
#define wg_selu(x) WG_AT((wg_selu)(x))
#define wg_celu(...) WG_AT(WG_OPTIONS1(wg_celu, __VA_ARGS__, ))
#define wg_gelu(...) WG_AT(WG_OPTIONS1(wg_gelu, __VA_ARGS__, ))
#define wg_silu(x) WG_AT((wg_silu)(x))
#define wg_mish(x) WG_AT((wg_mish)(x))
#define wg_hardtanh(...) WG_AT(WG_OPTIONS1(wg_hardtanh, __VA_ARGS__, ))
#define wg_hardsigmoid(x) WG_AT((wg_hardsigmoid)(x))
#define wg_hardswish(x) WG_AT((wg_hardswish)(x))
#define wg_softshrink(...) WG_AT(WG_OPTIONS1(wg_softshrink, __VA_ARGS__, ))
#define wg_hardshrink(...) WG_AT(WG_OPTIONS1(wg_hardshrink, __VA_ARGS__, ))
#define wg_tanhshrink(x) WG_AT((wg_tanhshrink)(x))
#define wg_threshold(...) WG_AT(WG_OPTIONS1(wg_threshold, __VA_ARGS__, ))
#define wg_erf(x) WG_AT((wg_erf)(x))
#define wg_erfc(x) WG_AT((wg_erfc)(x))
#define wg_erfcx(x) WG_AT((wg_erfcx)(x))
#define wg_erfinv(x) WG_AT((wg_erfinv)(x))
#define wg_ndtr(x) WG_AT((wg_ndtr)(x))
#define wg_log_ndtr(x) WG_AT((wg_log_ndtr)(x))
#define wg_ndtri(x) WG_AT((wg_ndtri)(x))
#define wg_lgamma(x) WG_AT((wg_lgamma)(x))
#define wg_digamma(x) WG_AT((wg_digamma)(x))
#define wg_polygamma(...) WG_AT(WG_OPTIONS1(wg_polygamma, __VA_ARGS__, ))
#define wg_i0(x) WG_AT((wg_i0)(x))
#define wg_i1(x) WG_AT((wg_i1)(x))
#define wg_i0e(x) WG_AT((wg_i0e)(x))
#define wg_i1e(x) WG_AT((wg_i1e)(x))
#define wg_j0(x) WG_AT((wg_j0)(x))
#define wg_j1(x) WG_AT((wg_j1)(x))
#define wg_maximum(a, b) WG_AT((wg_maximum)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_minimum(a, b) WG_AT((wg_minimum)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_fmax(a, b) WG_AT((wg_fmax)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_fmin(a, b) WG_AT((wg_fmin)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_equal(a, b) WG_AT((wg_equal)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_not_equal(a, b) WG_AT((wg_not_equal)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_less(a, b) WG_AT((wg_less)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_less_equal(a, b) WG_AT((wg_less_equal)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_greater(a, b) WG_AT((wg_greater)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_greater_equal(a, b) WG_AT((wg_greater_equal)(WG_OPERAND(a), WG_OPERAND(b)))
#define wg_isnan(x) WG_AT((wg_isnan)(x))
#define wg_isinf(x) WG_AT((wg_isinf)(x))
#define wg_isfinite(x) WG_AT((wg_isfinite)(x))
#define wg_logical_and(a, b) WG_AT((wg_logical_and)(a, b))
#define wg_logical_or(a, b) WG_AT((wg_logical_or)(a, b))
#define wg_logical_xor(a, b) WG_AT((wg_logical_xor)(a, b))
#define wg_logical_not(x) WG_AT((wg_logical_not)(x))
#define wg_where(cond, a, b) WG_AT((wg_where)(cond, WG_OPERAND(a), WG_OPERAND(b)))
#define wg_clip(...) WG_AT(WG_OPTIONS1(wg_clip, __VA_ARGS__, ))
#define wg_masked_fill(...) WG_AT(WG_OPTIONS2(wg_masked_fill, __VA_ARGS__, ))
#endif

#endif
