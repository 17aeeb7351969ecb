/* Elementwise operations of two and three operands. Each slope is of the broadcast shape; the traversal sums a
 * cotangent back to its operand's own. */
#include "core/tape.h"
#include "ops/code.h"
#include "wengert/elementwise.h"
#include "wengert/map.h"

#define BINARY(OP)                                                                                                     \
    OP(add) OP(subtract) OP(multiply) OP(divide) OP(floor_divide) OP(remainder) OP(fmod) OP(pow)                       \
    OP(squared_difference) OP(atan2) OP(hypot) OP(copysign) OP(maximum) OP(minimum) OP(fmax) OP(fmin) OP(logaddexp)    \
    OP(logaddexp2) OP(xlogy) OP(xlog1py) OP(fma) OP(lerp) OP(addcmul) OP(addcdiv) OP(ldexp)
WG_CONTENTS(BINARY)

/* ---- add --------------------------------------------------------------------------------------------------------- */
WG_MAP2(add, a + b, 1, 1)
WG_OP(add) = {
    .name = "add",
    .doc = "y = a + b",
    .in = {{"a", 0}, {"b", 0}},
    .map = &add_map,
    .saves = "",
    .points = WG_POINTS(-1, 0, 1),
    .commutes = true,
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1] [1,3]", "[] []", "[0,3] [1]"},
};
wg_tensor (wg_add)(wg_tensor a, wg_tensor b) { return WG_RECORD(add, NULL, a, b); }

/* ---- subtract ---------------------------------------------------------------------------------------------------- */
WG_MAP2(subtract, a - b, 1, -1)
WG_OP(subtract) = {
    .name = "subtract",
    .doc = "y = a - b",
    .in = {{"a", 0}, {"b", 0}},
    .map = &subtract_map,
    .saves = "",
    .points = WG_POINTS(-1, 0, 1),
    .neutral_in = 2,
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1] [1,3]", "[] []", "[0,3] [1]"},
};
wg_tensor (wg_subtract)(wg_tensor a, wg_tensor b) { return WG_RECORD(subtract, NULL, a, b); }

/* ---- multiply ---------------------------------------------------------------------------------------------------- */
WG_MAP2(multiply, a * b, b, a)
WG_OP(multiply) = {
    .name = "multiply",
    .doc = "y = a b",
    .in = {{"a", 0}, {"b", 0}},
    .map = &multiply_map,
    .saves = "a b",
    .points = WG_POINTS(-1, 0, 1),
    .commutes = true,
    .neutral = 1,
    .neutral_in = 3,
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1] [1,3]", "[] []", "[0,3] [1]"},
};
wg_tensor (wg_multiply)(wg_tensor a, wg_tensor b) { return WG_RECORD(multiply, NULL, a, b); }

/* ---- divide ------------------------------------------------------------------------------------------------------ */
/* Not a / b^2, whose square overflows and underflows. */
WG_MAP2(divide, a / b, 1 / b, -(y / b))
WG_OP(divide) = {
    .name = "divide",
    .doc = "y = a / b",
    .domain = "b != 0",
    .in = {{"a", 0}, {"b", 0}},
    .map = &divide_map,
    .saves = "b y",
    .points = WG_POINTS(-2, -1e-200, 1e-200, 0.5, 1e200),
    .neutral = 1,
    .neutral_in = 2,
    .samples = {"[2,3] [2,3]:0.5..3", "[2,3] [3]:0.5..3", "[2,1] [1,3]:0.5..3", "[] []:0.5..3", "[0,3] [1]:0.5..3"},
};
wg_tensor (wg_divide)(wg_tensor a, wg_tensor b) { return WG_RECORD(divide, NULL, a, b); }

/* ---- floor_divide ------------------------------------------------------------------------------------------------ */
/* The remainder is exact, and a less it a multiple of b: rint takes away the error of the division, which alone could
 * cross an integer: 1 / 0.1 is 10 as it is rounded, and 9.99.. for the numbers that they are. */
#undef remainder
WG_HELPERS2(remainder, T r = fmod(a, b); return r == 0 ? copysign(r, b) : (r < 0) != (b < 0) ? r + b : r;)
#define remainder(a, b) WG_EITHER2(remainder, a, b)
WG_HELPERS2(floor_divide, return b == 0 ? a / b : rint((a - remainder(a, b)) / b);)
#define floor_divide(a, b) WG_EITHER2(floor_divide, a, b)
WG_MAP2(floor_divide, floor_divide(a, b), 0, 0)
WG_OP(floor_divide) = {
    .name = "floor_divide",
    .doc = "y = the largest integer with y b <= a (for b > 0), so that a = y b + remainder(a, b); derivative 0",
    .in = {{"a", 0}, {"b", 0}},
    .map = &floor_divide_map,
    .saves = "",
    .kinks = WG_POINTS(0),
    .points = WG_POINTS(-7, -0.5, 0.3, 5),
    .samples = {"[2,3]:0.1..0.9 [2,3]:0.5..3", "[2,3]:0.1..0.9 [3]:0.5..3", "[2,1]:0.1..0.9 [1,3]:0.5..3",
                "[]:0.1..0.9 []:0.5..3", "[0,3] [1]:0.5..3"},
};
wg_tensor (wg_floor_divide)(wg_tensor a, wg_tensor b) { return WG_RECORD(floor_divide, NULL, a, b); }

/* ---- remainder --------------------------------------------------------------------------------------------------- */
WG_MAP2(remainder, remainder(a, b), 1, -rint((a - y) / b))
WG_OP(remainder) = {
    .name = "remainder",
    .doc = "y = a - floor(a / b) b, of the sign of b; d/db = -floor(a / b)",
    .source = "Python, float.__mod__",
    .domain = "b != 0",
    .in = {{"a", 0}, {"b", 0}},
    .map = &remainder_map,
    .saves = "a b y",
    .kinks = WG_POINTS(0),
    .points = WG_POINTS(-7.5, -0.25, 0.25, 7.5),
    .samples = {"[2,3]:0.1..0.9 [2,3]:0.5..3", "[2,3]:0.1..0.9 [3]:0.5..3", "[2,1]:0.1..0.9 [1,3]:0.5..3",
                "[]:0.1..0.9 []:0.5..3", "[0,3] [1]:0.5..3", "[3]:4.1..4.9 [3]:1..1.1"},
};
wg_tensor (wg_remainder)(wg_tensor a, wg_tensor b) { return WG_RECORD(remainder, NULL, a, b); }

/* ---- fmod -------------------------------------------------------------------------------------------------------- */
WG_MAP2(fmod, fmod(a, b), 1, -rint((a - y) / b))
WG_OP(fmod) = {
    .name = "fmod",
    .doc = "y = a - trunc(a / b) b, of the sign of a; d/db = -trunc(a / b)",
    .source = "C11, 7.12.10.1",
    .domain = "b != 0",
    .in = {{"a", 0}, {"b", 0}},
    .map = &fmod_map,
    .saves = "a b y",
    .kinks = WG_POINTS(0),
    .points = WG_POINTS(-7.5, -0.25, 0.25, 7.5),
    .samples = {"[2,3]:0.1..0.9 [2,3]:0.5..3", "[2,3]:0.1..0.9 [3]:0.5..3", "[2,1]:0.1..0.9 [1,3]:0.5..3",
                "[]:0.1..0.9 []:0.5..3", "[0,3] [1]:0.5..3", "[3]:4.1..4.9 [3]:1..1.1"},
};
wg_tensor (wg_fmod)(wg_tensor a, wg_tensor b) { return WG_RECORD(fmod, NULL, a, b); }

/* ---- pow --------------------------------------------------------------------------------------------------------- */
/* b = 0 is left to the product wherever that is 0, for the sake of the mixed second derivative, a^(b-1) there. */
WG_MAP2(pow, pow(a, b), b == 0 && !isfinite(1 / a) ? 0 : b * pow(a, b - 1), a == 0 && b >= 0 ? 0 : y * log(a))
WG_OP(pow) = {
    .name = "pow",
    .doc = "y = a^b; d/da is 0 where b is 0, d/db is 0 where a is 0 and b >= 0, NaN where a < 0",
    .domain = "a > 0, or b an integer",
    .in = {{"a", 0}, {"b", 0}},
    .map = &pow_map,
    .saves = "a b y",
    .points = WG_POINTS(0, 0.001, 1, 2, 3),
    .samples = {"[2,3]:0.5..3 [2,3]", "[2,3]:0.5..3 [3]", "[2,1]:0.5..3 [1,3]", "[]:0.5..3 []", "[0,3] [1]"},
};
wg_tensor (wg_pow)(wg_tensor a, wg_tensor b) { return WG_RECORD(pow, NULL, a, b); }

/* ---- squared_difference ------------------------------------------------------------------------------------------ */
WG_MAP2(squared_difference, square(a - b), 2 * (a - b), -2 * (a - b))
WG_OP(squared_difference) = {
    .name = "squared_difference",
    .doc = "y = (a - b)^2",
    .in = {{"a", 0}, {"b", 0}},
    .map = &squared_difference_map,
    .saves = "a b",
    .points = WG_POINTS(-1, 0, 1),
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1] [1,3]", "[] []", "[0,3] [1]"},
};
wg_tensor (wg_squared_difference)(wg_tensor a, wg_tensor b) { return WG_RECORD(squared_difference, NULL, a, b); }

/* ---- atan2 ------------------------------------------------------------------------------------------------------- */
/* Not over a^2 + b^2, which overflows and underflows. */
WG_MAP2(atan2,
        atan2(a, b),
        a == 0 && b == 0 ? 0 : b / hypot(a, b) / hypot(a, b),
        a == 0 && b == 0 ? 0 : -a / hypot(a, b) / hypot(a, b))
WG_OP(atan2) = {
    .name = "atan2",
    .doc = "y = the angle of the point (b, a), between -pi and pi; gradient 0 at the origin",
    .source = "C11, 7.12.4.4",
    .in = {{"a", 0}, {"b", 0}},
    .map = &atan2_map,
    .saves = "a b",
    .points = WG_POINTS(-1e200, -1, 0, 1e-200, 1, 1e200),
    .samples = {"[2,3]:0.5..3 [2,3]", "[2,3]:0.5..3 [3]", "[2,1]:0.5..3 [1,3]", "[]:0.5..3 []", "[0,3] [1]"},
};
wg_tensor (wg_atan2)(wg_tensor a, wg_tensor b) { return WG_RECORD(atan2, NULL, a, b); }

/* ---- hypot ------------------------------------------------------------------------------------------------------- */
WG_MAP2(hypot, hypot(a, b), y == 0 ? 0 : a / y, y == 0 ? 0 : b / y)
WG_OP(hypot) = {
    .name = "hypot",
    .doc = "y = sqrt(a^2 + b^2), without overflow or underflow; gradient 0 at the origin",
    .source = "C11, 7.12.7.3",
    .in = {{"a", 0}, {"b", 0}},
    .map = &hypot_map,
    .saves = "a b y",
    .points = WG_POINTS(-1e200, -1, 0, 1e-200, 3, 1e200),
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1] [1,3]", "[] []", "[0,3] [1]"},
};
wg_tensor (wg_hypot)(wg_tensor a, wg_tensor b) { return WG_RECORD(hypot, NULL, a, b); }

/* ---- copysign ---------------------------------------------------------------------------------------------------- */
/* sign(b) is 0 at b = 0, where y has a sign all the same. */
WG_MAP2(copysign, copysign(a, b), sign(a) * sign(y), 0)
WG_OP(copysign) = {
    .name = "copysign",
    .doc = "y = |a| with the sign of b; d/da = 1 or -1, 0 at a = 0; d/db = 0",
    .in = {{"a", 0}, {"b", 0}},
    .map = &copysign_map,
    .saves = "a y",
    .kinks = WG_POINTS(0),
    .points = WG_POINTS(-2, -1, 1, 2),
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1] [1,3]", "[] []", "[0,3] [1]"},
};
wg_tensor (wg_copysign)(wg_tensor a, wg_tensor b) { return WG_RECORD(copysign, NULL, a, b); }

/* ---- maximum ----------------------------------------------------------------------------------------------------- */
WG_MAP2(maximum, a > b || a != a ? a : b, (a > b) + K(0.5) * (a == b), (b > a) + K(0.5) * (a == b))
WG_OP(maximum) = {
    .name = "maximum",
    .doc = "y = the larger, NaN if one is; at a tie half the gradient to each",
    .in = {{"a", 0}, {"b", 0}},
    .map = &maximum_map,
    .saves = "a b",
    .points = WG_POINTS(-1, 0, 1),
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1] [1,3]", "[] []", "[0,3] [1]"},
};
wg_tensor (wg_maximum)(wg_tensor a, wg_tensor b) { return WG_RECORD(maximum, NULL, a, b); }

/* ---- minimum ----------------------------------------------------------------------------------------------------- */
WG_MAP2(minimum, a < b || a != a ? a : b, (a < b) + K(0.5) * (a == b), (b < a) + K(0.5) * (a == b))
WG_OP(minimum) = {
    .name = "minimum",
    .doc = "y = the smaller, NaN if one is; at a tie half the gradient to each",
    .in = {{"a", 0}, {"b", 0}},
    .map = &minimum_map,
    .saves = "a b",
    .points = WG_POINTS(-1, 0, 1),
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1] [1,3]", "[] []", "[0,3] [1]"},
};
wg_tensor (wg_minimum)(wg_tensor a, wg_tensor b) { return WG_RECORD(minimum, NULL, a, b); }

/* ---- fmax -------------------------------------------------------------------------------------------------------- */
WG_MAP2(fmax,
        a > b || b != b ? a : b,
        a == b ? K(0.5) : a > b || b != b ? (a == a ? 1 : a) : 0,
        a == b ? K(0.5) : b > a || a != a ? (b == b ? 1 : b) : 0)
WG_OP(fmax) = {
    .name = "fmax",
    .doc = "y = the larger, the number beside a NaN; at a tie half the gradient to each",
    .source = "C11, 7.12.12",
    .in = {{"a", 0}, {"b", 0}},
    .map = &fmax_map,
    .saves = "a b",
    .points = WG_POINTS(-1, 0, 1),
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1] [1,3]", "[] []", "[0,3] [1]"},
};
wg_tensor (wg_fmax)(wg_tensor a, wg_tensor b) { return WG_RECORD(fmax, NULL, a, b); }

/* ---- fmin -------------------------------------------------------------------------------------------------------- */
WG_MAP2(fmin,
        a < b || b != b ? a : b,
        a == b ? K(0.5) : a < b || b != b ? (a == a ? 1 : a) : 0,
        a == b ? K(0.5) : b < a || a != a ? (b == b ? 1 : b) : 0)
WG_OP(fmin) = {
    .name = "fmin",
    .doc = "y = the smaller, the number beside a NaN; at a tie half the gradient to each",
    .source = "C11, 7.12.12",
    .in = {{"a", 0}, {"b", 0}},
    .map = &fmin_map,
    .saves = "a b",
    .points = WG_POINTS(-1, 0, 1),
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1] [1,3]", "[] []", "[0,3] [1]"},
};
wg_tensor (wg_fmin)(wg_tensor a, wg_tensor b) { return WG_RECORD(fmin, NULL, a, b); }

/* ---- logaddexp --------------------------------------------------------------------------------------------------- */
WG_MAP2(logaddexp,
        a == b ? a + K(M_LN2) : (a > b ? a : b) + log1p(exp(-abs(a - b))),
        a == b && !isfinite(a) ? 0 : sigmoid(a - b),
        a == b && !isfinite(a) ? 0 : sigmoid(b - a))
WG_OP(logaddexp) = {
    .name = "logaddexp",
    .doc = "y = log(e^a + e^b); of two -inf: -inf with gradient 0",
    .in = {{"a", 0}, {"b", 0}},
    .map = &logaddexp_map,
    .saves = "a b",
    .points = WG_POINTS(-700, -1, 0, 1, 700),
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1] [1,3]", "[] []", "[0,3] [1]"},
};
wg_tensor (wg_logaddexp)(wg_tensor a, wg_tensor b) { return WG_RECORD(logaddexp, NULL, a, b); }

/* ---- logaddexp2 -------------------------------------------------------------------------------------------------- */
WG_MAP2(logaddexp2,
        a == b ? a + 1 : (a > b ? a : b) + K(M_LOG2E) * log1p(exp2(-abs(a - b))),
        a == b && !isfinite(a) ? 0 : 1 / (1 + exp2(b - a)),
        a == b && !isfinite(a) ? 0 : 1 / (1 + exp2(a - b)))
WG_OP(logaddexp2) = {
    .name = "logaddexp2",
    .doc = "y = log2(2^a + 2^b); of two -inf: -inf with gradient 0",
    .in = {{"a", 0}, {"b", 0}},
    .map = &logaddexp2_map,
    .saves = "a b",
    .points = WG_POINTS(-1000, -1, 0, 1, 1000),
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1] [1,3]", "[] []", "[0,3] [1]"},
};
wg_tensor (wg_logaddexp2)(wg_tensor a, wg_tensor b) { return WG_RECORD(logaddexp2, NULL, a, b); }

/* ---- xlogy ------------------------------------------------------------------------------------------------------- */
WG_MAP2(xlogy, a == 0 && b == b ? 0 : a * log(b), a == 0 && b <= 0 ? 0 : log(b), a == 0 && b == 0 ? 0 : a / b)
WG_OP(xlogy) = {
    .name = "xlogy",
    .doc = "y = a log(b), 0 where a is 0, unless b is NaN",
    .domain = "b > 0",
    .in = {{"a", 0}, {"b", 0}},
    .map = &xlogy_map,
    .saves = "a b",
    .points = WG_POINTS(0, 1e-300, 0.5, 1, 2),
    .samples = {"[2,3] [2,3]:0.5..3", "[2,3] [3]:0.5..3", "[2,1] [1,3]:0.5..3", "[] []:0.5..3", "[0,3] [1]:0.5..3"},
};
wg_tensor (wg_xlogy)(wg_tensor a, wg_tensor b) { return WG_RECORD(xlogy, NULL, a, b); }

/* ---- xlog1py ----------------------------------------------------------------------------------------------------- */
WG_MAP2(xlog1py,
        a == 0 && b == b ? 0 : a * log1p(b),
        a == 0 && b <= -1 ? 0 : log1p(b),
        a == 0 && b == -1 ? 0 : a / (1 + b))
WG_OP(xlog1py) = {
    .name = "xlog1py",
    .doc = "y = a log(1 + b), 0 where a is 0, unless b is NaN",
    .domain = "b > -1",
    .in = {{"a", 0}, {"b", 0}},
    .map = &xlog1py_map,
    .saves = "a b",
    .points = WG_POINTS(-0.5, 0, 1e-10, 1),
    .samples = {"[2,3] [2,3]:0.5..3", "[2,3] [3]:0.5..3", "[2,1] [1,3]:0.5..3", "[] []:0.5..3", "[0,3] [1]:0.5..3"},
};
wg_tensor (wg_xlog1py)(wg_tensor a, wg_tensor b) { return WG_RECORD(xlog1py, NULL, a, b); }

/* ---- fma --------------------------------------------------------------------------------------------------------- */
WG_MAP3(fma, fma(a, b, c), b, a, 1)
WG_OP(fma) = {
    .name = "fma",
    .doc = "y = a b + c, rounded once",
    .source = "C11, 7.12.13.1",
    .in = {{"a", 0}, {"b", 0}, {"c", 0}},
    .map = &fma_map,
    .saves = "a b",
    .points = WG_POINTS(-1, 0, 1),
    .samples = {"[2,3] [2,3] [2,3]", "[2,3] [3] []", "[2,1] [1,3] [2,3]", "[] [] []", "[0,3] [1] [3]"},
};
wg_tensor (wg_fma)(wg_tensor a, wg_tensor b, wg_tensor c) { return WG_RECORD(fma, NULL, a, b, c); }

/* ---- lerp -------------------------------------------------------------------------------------------------------- */
WG_MAP3(lerp, c < K(0.5) ? a + c * (b - a) : b - (b - a) * (1 - c), 1 - c, c, b - a)
WG_OP(lerp) = {
    .name = "lerp",
    .doc = "y = a + weight (b - a); exact at weight 0 and 1",
    .in = {{"a", 0}, {"b", 0}, {"weight", 0}},
    .map = &lerp_map,
    .saves = "a b weight",
    .points = WG_POINTS(-1, 0, 1),
    .samples = {"[2,3] [2,3] [2,3]", "[2,3] [3] []", "[2,1] [1,3] [2,3]", "[] [] []", "[0,3] [1] [3]"},
};
wg_tensor (wg_lerp)(wg_tensor a, wg_tensor b, wg_tensor weight) { return WG_RECORD(lerp, NULL, a, b, weight); }

/* ---- addcmul ----------------------------------------------------------------------------------------------------- */
WG_MAP3_OPTIONS(addcmul, wg_addcmul_options, a + K(o->value) * b * c, 1, K(o->value) * c, K(o->value) * b)
WG_OP(addcmul) = {
    .name = "addcmul",
    .doc = "y = x + value a b",
    .in = {{"x", 0}, {"a", 0}, {"b", 0}},
    .options = WG_SCHEMA(wg_addcmul, WG_ATTR(wg_addcmul, value)),
    .map = &addcmul_map,
    .saves = "a b",
    .points = WG_POINTS(-1, 0, 1),
    .samples = {"[2,3] [2,3] [2,3]", "[2,3] [3] []", "[2,1] [1,3] [2,3]", "[] [] []", "[0,3] [1] [3]",
                "[2,3] [2,3] [3] value=-0.5"},
};
wg_tensor (wg_addcmul)(wg_tensor x, wg_tensor a, wg_tensor b, wg_addcmul_options options)
{
    return WG_RECORD(addcmul, &options, x, a, b);
}

/* ---- addcdiv ----------------------------------------------------------------------------------------------------- */
WG_MAP3_OPTIONS(addcdiv, wg_addcdiv_options, a + K(o->value) * b / c, 1, K(o->value) / c, -K(o->value) * (b / c) / c)
WG_OP(addcdiv) = {
    .name = "addcdiv",
    .doc = "y = x + value a / b",
    .domain = "b != 0",
    .in = {{"x", 0}, {"a", 0}, {"b", 0}},
    .options = WG_SCHEMA(wg_addcdiv, WG_ATTR(wg_addcdiv, value)),
    .map = &addcdiv_map,
    .saves = "a b",
    .points = WG_POINTS(-2, 0.5, 1),
    .samples = {"[2,3] [2,3] [2,3]:0.5..3", "[2,3] [3] []:0.5..3", "[2,1] [1,3] [2,3]:0.5..3", "[] [] []:0.5..3",
                "[0,3] [1] [3]:0.5..3", "[2,3] [2,3] [3]:0.5..3 value=-0.5"},
};
wg_tensor (wg_addcdiv)(wg_tensor x, wg_tensor a, wg_tensor b, wg_addcdiv_options options)
{
    return WG_RECORD(addcdiv, &options, x, a, b);
}

/* ---- ldexp ------------------------------------------------------------------------------------------------------- */
#define LDEXP_BLOCK 512 /* elements gathered at a time */

/* An exponent beyond what an int holds gives 0 or infinity all the same. */
static int exponent_from(int64_t b) { return (int)(b < -10000 ? -10000 : b > 10000 ? 10000 : b); }

#define LDEXP_LOOP(T, N)                                                                                               \
    {                                                                                                                  \
        const T *from = (const void *)a;                                                                               \
        const N *power = (const void *)b;                                                                              \
        T *to = (T *)c->to[0] + first;                                                                                 \
        for (int64_t i = 0; i < n; i++)                                                                                \
            to[i] = ldexp(from[i], exponent_from(power[i]));                                                           \
    }

static wg_status ldexp_type(wg_call *c)
{
    return wg_broadcast_shapes(c, &c->x[0], &c->x[1], &c->y[0]);
}

static wg_status ldexp_run(const wg_call *c)
{
    int64_t count = wg_type_count(c->y), stride_a[WG_MAX_RANK], stride_b[WG_MAX_RANK];
    int64_t a[LDEXP_BLOCK], b[LDEXP_BLOCK];
    wg_type type_a = *c->y, type_b = *c->y;
    type_b.dtype = c->x[1].dtype;
    wg_broadcast_strides(&c->x[0], NULL, c->y, stride_a);
    wg_broadcast_strides(&c->x[1], NULL, c->y, stride_b);
    for (int64_t first = 0, n; first < count; first += n) {
        n = count - first < LDEXP_BLOCK ? count - first : LDEXP_BLOCK;
        wg_gather_range(&type_a, stride_a, c->from[0], first, n, a);
        wg_gather_range(&type_b, stride_b, c->from[1], first, n, b);
        if (c->dtype == WG_FLOAT32 && type_b.dtype == WG_INT32)
            LDEXP_LOOP(float, int32_t)
        else if (c->dtype == WG_FLOAT32)
            LDEXP_LOOP(float, int64_t)
        else if (type_b.dtype == WG_INT32)
            LDEXP_LOOP(double, int32_t)
        else
            LDEXP_LOOP(double, int64_t)
    }
    return WG_OK;
}

static wg_status ldexp_c(const wg_call *c, wg_code *w)
{
    int64_t a[WG_MAX_RANK], b[WG_MAX_RANK];
    wg_broadcast_strides(&c->x[0], NULL, c->y, a);
    wg_broadcast_strides(&c->x[1], NULL, c->y, b);
    return wg_code_paired(c, w, c->y, a, b, WG_C(
        const int64_t power = b;
        y = ldexp_T(a, (int)(power < -10000 ? -10000 : power > 10000 ? 10000 : power));));
}

static wg_tensor ldexp_da(const wg_call *c, wg_tensor g) { return wg_ldexp(g, c->in[1]); }

WG_OP(ldexp) = {
    .name = "ldexp",
    .doc = "y = a 2^b, exact",
    .source = "C11, 7.12.6.6",
    .in = {{"a", 0}, {"b", WG_INTEGER}},
    .type = ldexp_type,
    .run = ldexp_run,
    .c = ldexp_c,
    .vjp = {ldexp_da},
    .linear = WG_JOINTLY,
    .saves = "b",
    .samples = {"[2,3] [2,3]:int64:-3..3", "[2,3] [3]:int32:-3..3", "[2,1] [1,3]:int64:-3..3", "[] []:int64:-3..3",
                "[0,3] [1]:int64:-3..3"},
};
wg_tensor (wg_ldexp)(wg_tensor a, wg_tensor b) { return WG_RECORD(ldexp, NULL, a, b); }

WG_HELPERS_OF(binary, &wg_remainder_helper, &wg_floor_divide_helper)
WG_FAMILY_OF(binary, "elementwise", BINARY)
