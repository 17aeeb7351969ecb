/* Elementwise operations: the activations of neural networks. Their values and slopes stay right relatively, not
 * only absolutely, where they saturate, and a NaN stays a NaN. */
#include "wengert/elementwise.h"
#include "wengert/map.h"
#include "ops/special.h"

#define ACTIVATION(OP)                                                                                                 \
    OP(sigmoid) OP(log_sigmoid) OP(logit) OP(softplus) OP(softsign) OP(relu) OP(relu6) OP(leaky_relu) OP(elu)          \
    OP(selu) OP(celu) OP(gelu) OP(silu) OP(mish) OP(hardtanh) OP(hardsigmoid) OP(hardswish) OP(softshrink)             \
    OP(hardshrink) OP(tanhshrink) OP(threshold)
WG_CONTENTS(ACTIVATION)

/* ---- sigmoid ----------------------------------------------------------------------------------------------------- */
/* Not y (1 - y): that is 0 from x = 37 on, where y rounds to 1. */
WG_MAP1(sigmoid, sigmoid(x), y * sigmoid(-x))
WG_OP(sigmoid) = {
    .name = "sigmoid",
    .doc = "y = 1 / (1 + e^-x), between 0 and 1",
    .in = {{"x", 0}},
    .map = &sigmoid_map,
    .saves = "x y",
    .points = WG_POINTS(-700, -40, -1, 0, 1, 40, 700),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_sigmoid)(wg_tensor x) { return WG_RECORD(sigmoid, NULL, x); }

/* ---- log_sigmoid ------------------------------------------------------------------------------------------------- */
WG_MAP1(log_sigmoid, (x < 0 ? x : 0) - log1p(exp(-abs(x))), sigmoid(-x))
WG_OP(log_sigmoid) = {
    .name = "log_sigmoid",
    .doc = "y = log(sigmoid(x))",
    .in = {{"x", 0}},
    .map = &log_sigmoid_map,
    .saves = "x",
    .points = WG_POINTS(-700, -40, -1, 0, 1, 40, 700),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_log_sigmoid)(wg_tensor x) { return WG_RECORD(log_sigmoid, NULL, x); }

/* ---- logit ------------------------------------------------------------------------------------------------------- */
/* An absent eps is NaN, and no x is below or above it. log1p keeps the digits where x / (1 - x) is near 1. */
WG_MAP1_OPTIONS(logit, wg_logit_options,
        x < K(o->eps) ? log(K(o->eps) / (1 - K(o->eps)))
        : x > 1 - K(o->eps) ? log((1 - K(o->eps)) / K(o->eps))
        : x < K(0.3) ? log(x / (1 - x)) : log1p((2 * x - 1) / (1 - x)),
        x < K(o->eps) || x > 1 - K(o->eps) ? 0 : 1 / (x * (1 - x)))
WG_OP(logit) = {
    .name = "logit",
    .doc = "y = log(x / (1 - x)), x held between eps and 1 - eps where eps is given; derivative 0 where it is held",
    .domain = "0 < x < 1",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_logit, WG_ATTR(wg_logit, eps)),
    .map = &logit_map,
    .saves = "x",
    .points = WG_POINTS(1e-300, 0.2, 0.5, 0.5000000001, 0.9999999999),
    .samples = {"[2,3]:0.1..0.9", "[]:0.1..0.9", "[0,3]", "[2,3]:0.01..0.99 eps=0.1"},
};
wg_tensor (wg_logit)(wg_tensor x, wg_logit_options options) { return WG_RECORD(logit, &options, x); }

/* ---- softplus ---------------------------------------------------------------------------------------------------- */
WG_MAP1_OPTIONS(softplus, wg_softplus_options,
        K(o->beta) * x > K(o->threshold) ? x : log1pexp(K(o->beta) * x) / K(o->beta),
        K(o->beta) * x > K(o->threshold) ? 1 : sigmoid(K(o->beta) * x))
WG_OP(softplus) = {
    .name = "softplus",
    .doc = "y = log(1 + e^(beta x)) / beta; x itself, with slope 1, where beta x > threshold",
    .source = "Dugas et al. 2000",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_softplus, WG_ATTR(wg_softplus, beta), WG_ATTR(wg_softplus, threshold)),
    .map = &softplus_map,
    .saves = "x",
    .points = WG_POINTS(-700, -1, 0, 1, 19.9, 21, 700),
    .samples = {"[2,3]", "[]", "[0,3]", "[2,3] beta=2 threshold=1"},
};
wg_tensor (wg_softplus)(wg_tensor x, wg_softplus_options options) { return WG_RECORD(softplus, &options, x); }

/* ---- softsign ---------------------------------------------------------------------------------------------------- */
WG_MAP1(softsign, x / (1 + abs(x)), 1 / square(1 + abs(x)))
WG_OP(softsign) = {
    .name = "softsign",
    .doc = "y = x / (1 + |x|), between -1 and 1",
    .in = {{"x", 0}},
    .map = &softsign_map,
    .saves = "x",
    .points = WG_POINTS(-1e8, -1, 0, 1, 1e8),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_softsign)(wg_tensor x) { return WG_RECORD(softsign, NULL, x); }

/* ---- relu -------------------------------------------------------------------------------------------------------- */
/* x < 0, not x > 0, so that a NaN stays one. */
WG_MAP1(relu, x < 0 ? 0 : x, x > 0 ? 1 : 0)
WG_OP(relu) = {
    .name = "relu",
    .doc = "y = max(x, 0); derivative 0 at 0",
    .source = "Nair and Hinton 2010",
    .in = {{"x", 0}},
    .map = &relu_map,
    .saves = "x",
    .kinks = WG_POINTS(0),
    .points = WG_POINTS(-1, 0, 1),
    .idempotent = true,
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_relu)(wg_tensor x) { return WG_RECORD(relu, NULL, x); }

/* ---- relu6 ------------------------------------------------------------------------------------------------------- */
WG_MAP1(relu6, x < 0 ? 0 : x > 6 ? 6 : x, x > 0 && x < 6 ? 1 : 0)
WG_OP(relu6) = {
    .name = "relu6",
    .doc = "y = min(max(x, 0), 6); derivative 0 at 0 and 6",
    .in = {{"x", 0}},
    .map = &relu6_map,
    .saves = "x",
    .kinks = WG_POINTS(0, 6),
    .points = WG_POINTS(-1, 0, 3, 6, 7),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_relu6)(wg_tensor x) { return WG_RECORD(relu6, NULL, x); }

/* ---- leaky_relu -------------------------------------------------------------------------------------------------- */
WG_MAP1_OPTIONS(leaky_relu, wg_leaky_relu_options,
        x > 0 ? x : K(o->negative_slope) * x,
        x > 0 ? 1 : K(o->negative_slope))
WG_OP(leaky_relu) = {
    .name = "leaky_relu",
    .doc = "y = x, or negative_slope x where x <= 0; derivative negative_slope at 0",
    .source = "Maas et al. 2013",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_leaky_relu, WG_ATTR(wg_leaky_relu, negative_slope)),
    .map = &leaky_relu_map,
    .saves = "x",
    .kinks = WG_POINTS(0),
    .points = WG_POINTS(-1, 0, 1),
    .samples = {"[2,3]", "[]", "[0,3]", "[2,3] negative_slope=0.2"},
};
wg_tensor (wg_leaky_relu)(wg_tensor x, wg_leaky_relu_options options) { return WG_RECORD(leaky_relu, &options, x); }

/* ---- elu --------------------------------------------------------------------------------------------------------- */
WG_MAP1_OPTIONS(elu, wg_elu_options, x > 0 ? x : K(o->alpha) * expm1(x), x > 0 ? 1 : K(o->alpha) * exp(x))
WG_OP(elu) = {
    .name = "elu",
    .doc = "y = x, or alpha (e^x - 1) where x <= 0; derivative alpha at 0",
    .source = "Clevert et al. 2015, eq. 15",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_elu, WG_ATTR(wg_elu, alpha)),
    .map = &elu_map,
    .saves = "x",
    .kinks = WG_POINTS(0),
    .points = WG_POINTS(-40, -1, -1e-10, 0, 1, 800),
    .samples = {"[2,3]", "[]", "[0,3]", "[2,3] alpha=0.5"},
};
wg_tensor (wg_elu)(wg_tensor x, wg_elu_options options) { return WG_RECORD(elu, &options, x); }

/* ---- selu -------------------------------------------------------------------------------------------------------- */
WG_MAP1(selu,
        x > 0 ? K(1.05070098735548049342) * x : K(1.75809934084737685994) * expm1(x),
        x > 0 ? K(1.05070098735548049342) : K(1.75809934084737685994) * exp(x))
WG_OP(selu) = {
    .name = "selu",
    .doc = "y = lambda x, or lambda alpha (e^x - 1) where x <= 0; lambda = 1.0507.., alpha = 1.6732..",
    .source = "Klambauer et al. 2017, eq. 2",
    .in = {{"x", 0}},
    .map = &selu_map,
    .saves = "x",
    .kinks = WG_POINTS(0),
    .points = WG_POINTS(-40, -1, -1e-10, 0, 1, 800),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_selu)(wg_tensor x) { return WG_RECORD(selu, NULL, x); }

/* ---- celu -------------------------------------------------------------------------------------------------------- */
WG_MAP1_OPTIONS(celu, wg_celu_options,
        x > 0 ? x : K(o->alpha) * expm1(x / K(o->alpha)),
        x > 0 ? 1 : exp(x / K(o->alpha)))
WG_OP(celu) = {
    .name = "celu",
    .doc = "y = x, or alpha (e^(x / alpha) - 1) where x <= 0; derivative 1 at 0",
    .source = "Barron 2017",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_celu, WG_ATTR(wg_celu, alpha)),
    .map = &celu_map,
    .saves = "x",
    .kinks = WG_POINTS(0),
    .points = WG_POINTS(-40, -1, -1e-10, 0, 1, 800),
    .samples = {"[2,3]", "[]", "[0,3]", "[2,3] alpha=0.5"},
};
wg_tensor (wg_celu)(wg_tensor x, wg_celu_options options) { return WG_RECORD(celu, &options, x); }

/* ---- gelu -------------------------------------------------------------------------------------------------------- */
/* (1 + tanh(u)) / 2 is sigmoid(2 u), which does not cancel on the left; beyond 30 it is 0 or 1 to the last digit,
 * and the cube might overflow. */
WG_MAP1_OPTIONS(gelu, wg_gelu_options,
        IS(o->approximate, 't') ? x * sigmoid(K(1.59576912160573071176) * x * (1 + K(0.044715) * square(x)))
                               : x * ndtr(x),
        !IS(o->approximate, 't') ? ndtr(x) + K(0.398942280401432677940) * x * gaussian(x)
        : abs(x) > 30 ? (x > 0 ? 1 : 0)
        : sigmoid(K(1.59576912160573071176) * x * (1 + K(0.044715) * square(x))) *
              (1 + K(1.59576912160573071176) * x * (1 + K(0.134145) * square(x)) *
                       sigmoid(-K(1.59576912160573071176) * x * (1 + K(0.044715) * square(x)))))
WG_OP(gelu) = {
    .name = "gelu",
    .doc = "y = x n(x), n the normal distribution function; tanh: x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2",
    .source = "Hendrycks and Gimpel 2016",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_gelu, WG_ATTR(wg_gelu, approximate, .choices = {"none", "tanh"})),
    .map = &gelu_map,
    .saves = "x",
    .points = WG_POINTS(-1e30, -30, -5, -1, 0, 1, 5, 30),
    .samples = {"[2,3]", "[]", "[0,3]", "[2,3] approximate=tanh"},
};
wg_tensor (wg_gelu)(wg_tensor x, wg_gelu_options options) { return WG_RECORD(gelu, &options, x); }

/* ---- silu -------------------------------------------------------------------------------------------------------- */
WG_MAP1(silu, x * sigmoid(x), sigmoid(x) * (1 + x * sigmoid(-x)))
WG_OP(silu) = {
    .name = "silu",
    .doc = "y = x sigmoid(x)",
    .source = "Elfwing et al. 2017, eq. 5; Ramachandran et al. 2017",
    .in = {{"x", 0}},
    .map = &silu_map,
    .saves = "x",
    .points = WG_POINTS(-700, -40, -1.278464542761074, -1, 0, 1, 40),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_silu)(wg_tensor x) { return WG_RECORD(silu, NULL, x); }

/* ---- mish -------------------------------------------------------------------------------------------------------- */
WG_MAP1(mish, x * tanh(log1pexp(x)), tanh(log1pexp(x)) + x * sigmoid(x) * (1 - square(tanh(log1pexp(x)))))
WG_OP(mish) = {
    .name = "mish",
    .doc = "y = x tanh(log(1 + e^x))",
    .source = "Misra 2019",
    .in = {{"x", 0}},
    .map = &mish_map,
    .saves = "x",
    .points = WG_POINTS(-700, -40, -1, 0, 1, 40),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_mish)(wg_tensor x) { return WG_RECORD(mish, NULL, x); }

/* ---- hardtanh ---------------------------------------------------------------------------------------------------- */
WG_MAP1_OPTIONS(hardtanh, wg_hardtanh_options,
        x < K(o->min_val) ? K(o->min_val) : x > K(o->max_val) ? K(o->max_val) : x,
        x > K(o->min_val) && x < K(o->max_val) ? 1 : 0)
WG_OP(hardtanh) = {
    .name = "hardtanh",
    .doc = "y = min(max(x, min_val), max_val); derivative 0 on the closed ends",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_hardtanh, WG_ATTR(wg_hardtanh, min_val), WG_ATTR(wg_hardtanh, max_val)),
    .map = &hardtanh_map,
    .saves = "x",
    .kinks = WG_POINTS(-1, 1),
    .points = WG_POINTS(-2, -1, 0, 1, 2),
    .samples = {"[2,3]", "[]", "[0,3]", "[2,3] min_val=-0.5 max_val=0.25"},
};
wg_tensor (wg_hardtanh)(wg_tensor x, wg_hardtanh_options options) { return WG_RECORD(hardtanh, &options, x); }

/* ---- hardsigmoid ------------------------------------------------------------------------------------------------- */
WG_MAP1(hardsigmoid, x <= -3 ? 0 : x >= 3 ? 1 : (x + 3) / 6, x > -3 && x < 3 ? K(0.166666666666666666667) : 0)
WG_OP(hardsigmoid) = {
    .name = "hardsigmoid",
    .doc = "y = (x + 3) / 6, held between 0 and 1; derivative 0 at -3 and 3",
    .in = {{"x", 0}},
    .map = &hardsigmoid_map,
    .saves = "x",
    .kinks = WG_POINTS(-3, 3),
    .points = WG_POINTS(-4, -3, 0, 3, 4),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_hardsigmoid)(wg_tensor x) { return WG_RECORD(hardsigmoid, NULL, x); }

/* ---- hardswish --------------------------------------------------------------------------------------------------- */
WG_MAP1(hardswish, x <= -3 ? 0 : x >= 3 ? x : x * (x + 3) / 6, x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6)
WG_OP(hardswish) = {
    .name = "hardswish",
    .doc = "y = x hardsigmoid(x); derivative 0 at -3 and 1 at 3",
    .source = "Howard et al. 2019, 5.2",
    .in = {{"x", 0}},
    .map = &hardswish_map,
    .saves = "x",
    .kinks = WG_POINTS(-3, 3),
    .points = WG_POINTS(-4, -3, -1.5, 0, 3, 4),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_hardswish)(wg_tensor x) { return WG_RECORD(hardswish, NULL, x); }

/* ---- softshrink -------------------------------------------------------------------------------------------------- */
WG_MAP1_OPTIONS(softshrink, wg_softshrink_options,
        abs(x) <= K(o->lambd) ? 0 : x - K(o->lambd) * sign(x),
        abs(x) > K(o->lambd) ? 1 : 0)
WG_OP(softshrink) = {
    .name = "softshrink",
    .doc = "y = x - lambd sign(x), 0 where |x| <= lambd; derivative 0 at +-lambd",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_softshrink, WG_ATTR(wg_softshrink, lambd)),
    .map = &softshrink_map,
    .saves = "x",
    .kinks = WG_POINTS(-0.5, 0.5),
    .points = WG_POINTS(-1, -0.5, 0, 0.5, 1),
    .samples = {"[2,3]", "[]", "[0,3]", "[2,3] lambd=0.2"},
};
wg_tensor (wg_softshrink)(wg_tensor x, wg_softshrink_options options) { return WG_RECORD(softshrink, &options, x); }

/* ---- hardshrink -------------------------------------------------------------------------------------------------- */
WG_MAP1_OPTIONS(hardshrink, wg_hardshrink_options, abs(x) <= K(o->lambd) ? 0 : x, abs(x) > K(o->lambd) ? 1 : 0)
WG_OP(hardshrink) = {
    .name = "hardshrink",
    .doc = "y = x, 0 where |x| <= lambd; derivative 0 at +-lambd",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_hardshrink, WG_ATTR(wg_hardshrink, lambd)),
    .map = &hardshrink_map,
    .saves = "x",
    .kinks = WG_POINTS(-0.5, 0.5),
    .points = WG_POINTS(-1, -0.5, 0, 0.5, 1),
    .samples = {"[2,3]", "[]", "[0,3]", "[2,3] lambd=0.2"},
};
wg_tensor (wg_hardshrink)(wg_tensor x, wg_hardshrink_options options) { return WG_RECORD(hardshrink, &options, x); }

/* ---- tanhshrink -------------------------------------------------------------------------------------------------- */
/* x - tanh(x) cancels near 0. There it is (x cosh(x) - sinh(x)) / cosh(x), above the sum of 2k x^(2k+1) / (2k+1)!,
 * nested: each term is the one before times x^2 over 10, 28, 54, ... */
WG_HELPERS(tanhshrink, T v = x * x;
           T sum = 1 + v / 54 * (1 + v / 88 * (1 + v / 130 * (1 + v / 180 * (1 + v / 238))));
           sum = 1 + v / 10 * (1 + v / 28 * sum); return v < 1 ? x * v / 3 * sum / cosh(x) : x - tanh(x);)
#define tanhshrink(x) WG_EITHER(tanhshrink, x)
WG_MAP1(tanhshrink, tanhshrink(x), square(tanh(x)))
WG_OP(tanhshrink) = {
    .name = "tanhshrink",
    .doc = "y = x - tanh(x), accurate near 0",
    .in = {{"x", 0}},
    .map = &tanhshrink_map,
    .saves = "x",
    .points = WG_POINTS(-40, -1, -1e-5, 0, 1e-5, 0.99, 1, 40),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_tanhshrink)(wg_tensor x) { return WG_RECORD(tanhshrink, NULL, x); }

/* ---- threshold --------------------------------------------------------------------------------------------------- */
WG_MAP1_OPTIONS(threshold, wg_threshold_options, x <= K(o->threshold) ? K(o->value) : x, x > K(o->threshold) ? 1 : 0)
WG_OP(threshold) = {
    .name = "threshold",
    .doc = "y = x, or value, with derivative 0, where x <= threshold",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_threshold, WG_ATTR_REQUIRED(wg_threshold, threshold), WG_ATTR_REQUIRED(wg_threshold,
        value)),
    .map = &threshold_map,
    .saves = "x",
    .points = WG_POINTS(-1, 1),
    .samples = {"[2,3] threshold=0.1 value=20", "[] threshold=0 value=-1", "[0,3] threshold=0 value=0"},
};
wg_tensor (wg_threshold)(wg_tensor x, wg_threshold_options options) { return WG_RECORD(threshold, &options, x); }

WG_HELPERS_OF(activation, &wg_tanhshrink_helper)
WG_FAMILY_OF(activation, "elementwise", ACTIVATION)
