/* Elementwise operations: trigonometric and hyperbolic functions and their inverses. The slopes avoid the forms that
 * cancel at the ends of a domain or overflow far out. */
#include "wengert/elementwise.h"
#include "wengert/map.h"

#define TRIGONOMETRIC(OP)                                                                                              \
    OP(sin) OP(cos) OP(tan) OP(asin) OP(acos) OP(atan) OP(sinh) OP(cosh) OP(tanh) OP(asinh) OP(acosh) OP(atanh)        \
    OP(sinpi) OP(cospi) OP(sinc)
WG_CONTENTS(TRIGONOMETRIC)

/* ---- sin --------------------------------------------------------------------------------------------------------- */
WG_MAP1(sin, sin(x), cos(x))
WG_OP(sin) = {
    .name = "sin",
    .doc = "y = the sine of x radians",
    .source = "DLMF 4.14, 4.20",
    .in = {{"x", 0}},
    .map = &sin_map,
    .saves = "x",
    .points = WG_POINTS(-1e6, -1, 0, 1, 1e6),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_sin)(wg_tensor x) { return WG_RECORD(sin, NULL, x); }

/* ---- cos --------------------------------------------------------------------------------------------------------- */
WG_MAP1(cos, cos(x), -sin(x))
WG_OP(cos) = {
    .name = "cos",
    .doc = "y = the cosine of x radians",
    .source = "DLMF 4.14, 4.20",
    .in = {{"x", 0}},
    .map = &cos_map,
    .saves = "x",
    .points = WG_POINTS(-1e6, -1, 0, 1, 1e6),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_cos)(wg_tensor x) { return WG_RECORD(cos, NULL, x); }

/* ---- tan --------------------------------------------------------------------------------------------------------- */
WG_MAP1(tan, tan(x), 1 + square(y))
WG_OP(tan) = {
    .name = "tan",
    .doc = "y = sin(x) / cos(x)",
    .source = "DLMF 4.20.3",
    .in = {{"x", 0}},
    .map = &tan_map,
    .saves = "y",
    .points = WG_POINTS(-1.5, 0, 1.5707),
    .samples = {"[2,3]:-1.2..1.2", "[]:-1.2..1.2", "[0,3]"},
};
wg_tensor (wg_tan)(wg_tensor x) { return WG_RECORD(tan, NULL, x); }

/* ---- asin -------------------------------------------------------------------------------------------------------- */
/* Not 1 - x^2, which cancels near -1 and 1; 1 - x is exact there. */
WG_MAP1(asin, asin(x), 1 / sqrt((1 - x) * (1 + x)))
WG_OP(asin) = {
    .name = "asin",
    .doc = "y with sin(y) = x, between -pi/2 and pi/2; derivative inf at -1 and 1",
    .source = "DLMF 4.24.7",
    .domain = "-1 <= x <= 1",
    .in = {{"x", 0}},
    .map = &asin_map,
    .saves = "x",
    .points = WG_POINTS(-0.9999999999, 0, 0.9999999999),
    .samples = {"[2,3]:-0.9..0.9", "[]:-0.9..0.9", "[0,3]"},
};
wg_tensor (wg_asin)(wg_tensor x) { return WG_RECORD(asin, NULL, x); }

/* ---- acos -------------------------------------------------------------------------------------------------------- */
WG_MAP1(acos, acos(x), -1 / sqrt((1 - x) * (1 + x)))
WG_OP(acos) = {
    .name = "acos",
    .doc = "y with cos(y) = x, between 0 and pi; derivative -inf at -1 and 1",
    .source = "DLMF 4.24.8",
    .domain = "-1 <= x <= 1",
    .in = {{"x", 0}},
    .map = &acos_map,
    .saves = "x",
    .points = WG_POINTS(-0.9999999999, 0, 0.9999999999),
    .samples = {"[2,3]:-0.9..0.9", "[]:-0.9..0.9", "[0,3]"},
};
wg_tensor (wg_acos)(wg_tensor x) { return WG_RECORD(acos, NULL, x); }

/* ---- atan -------------------------------------------------------------------------------------------------------- */
WG_MAP1(atan, atan(x), 1 / (1 + square(x)))
WG_OP(atan) = {
    .name = "atan",
    .doc = "y with tan(y) = x, between -pi/2 and pi/2",
    .source = "DLMF 4.24.9",
    .in = {{"x", 0}},
    .map = &atan_map,
    .saves = "x",
    .points = WG_POINTS(-1e10, -1, 0, 1, 1e10),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_atan)(wg_tensor x) { return WG_RECORD(atan, NULL, x); }

/* ---- sinh -------------------------------------------------------------------------------------------------------- */
WG_MAP1(sinh, sinh(x), cosh(x))
WG_OP(sinh) = {
    .name = "sinh",
    .doc = "y = (e^x - e^-x) / 2",
    .source = "DLMF 4.28, 4.34",
    .in = {{"x", 0}},
    .map = &sinh_map,
    .saves = "x",
    .points = WG_POINTS(-700, -1e-8, 0, 1, 700),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_sinh)(wg_tensor x) { return WG_RECORD(sinh, NULL, x); }

/* ---- cosh -------------------------------------------------------------------------------------------------------- */
WG_MAP1(cosh, cosh(x), sinh(x))
WG_OP(cosh) = {
    .name = "cosh",
    .doc = "y = (e^x + e^-x) / 2",
    .source = "DLMF 4.28, 4.34",
    .in = {{"x", 0}},
    .map = &cosh_map,
    .saves = "x",
    .points = WG_POINTS(-700, -1e-8, 0, 1, 700),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_cosh)(wg_tensor x) { return WG_RECORD(cosh, NULL, x); }

/* ---- tanh -------------------------------------------------------------------------------------------------------- */
/* Not 1 - y^2: that is 0 from x = 19.1 on, where y rounds to 1. sech(x)^2 = 4 s(2x) s(-2x), s the sigmoid, keeps its
 * digits. */
WG_MAP1(tanh, tanh(x), 4 * sigmoid(2 * x) * sigmoid(-(2 * x)))
WG_OP(tanh) = {
    .name = "tanh",
    .doc = "y = (e^x - e^-x) / (e^x + e^-x), odd, between -1 and 1",
    .source = "DLMF 4.28, 4.34",
    .in = {{"x", 0}},
    .map = &tanh_map,
    .saves = "x",
    .points = WG_POINTS(-300, -20, -1, -1e-8, 0, 1, 20),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_tanh)(wg_tensor x) { return WG_RECORD(tanh, NULL, x); }

/* ---- asinh ------------------------------------------------------------------------------------------------------- */
/* sqrt(1 + x^2) that does not overflow. */
WG_MAP1(asinh, asinh(x), 1 / hypot(1, x))
WG_OP(asinh) = {
    .name = "asinh",
    .doc = "y with sinh(y) = x",
    .source = "DLMF 4.40.5",
    .in = {{"x", 0}},
    .map = &asinh_map,
    .saves = "x",
    .points = WG_POINTS(-1e200, -1, -1e-10, 0, 1, 1e200),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_asinh)(wg_tensor x) { return WG_RECORD(asinh, NULL, x); }

/* ---- acosh ------------------------------------------------------------------------------------------------------- */
/* Two roots: x^2 - 1 cancels near 1, overflows far out, and is positive below -1, where the function is not. */
WG_MAP1(acosh, acosh(x), 1 / (sqrt(x - 1) * sqrt(x + 1)))
WG_OP(acosh) = {
    .name = "acosh",
    .doc = "y >= 0 with cosh(y) = x; derivative inf at 1",
    .source = "DLMF 4.40.6",
    .domain = "x >= 1",
    .in = {{"x", 0}},
    .map = &acosh_map,
    .saves = "x",
    .points = WG_POINTS(1.0000000001, 2, 1e200),
    .samples = {"[2,3]:1.1..5", "[]:1.1..5", "[0,3]"},
};
wg_tensor (wg_acosh)(wg_tensor x) { return WG_RECORD(acosh, NULL, x); }

/* ---- atanh ------------------------------------------------------------------------------------------------------- */
WG_MAP1(atanh, atanh(x), 1 / ((1 - x) * (1 + x)))
WG_OP(atanh) = {
    .name = "atanh",
    .doc = "y with tanh(y) = x; infinite at -1 and 1",
    .source = "DLMF 4.40.7",
    .domain = "-1 < x < 1",
    .in = {{"x", 0}},
    .map = &atanh_map,
    .saves = "x",
    .points = WG_POINTS(-0.9999999999, -1e-10, 0, 0.9999999999),
    .samples = {"[2,3]:-0.9..0.9", "[]:-0.9..0.9", "[0,3]"},
};
wg_tensor (wg_atanh)(wg_tensor x) { return WG_RECORD(atanh, NULL, x); }

/* ---- sinpi ------------------------------------------------------------------------------------------------------- */
/* x less the nearest even number is exact; what remains is folded to an angle of at most a quarter turn. */
WG_HELPERS(sinpi, T r = x - 2 * rint(x / 2); T near = fabs(r) > K(0.5) ? copysign(K(1), r) - r : r;
           return sin(K(M_PI) * near);)
WG_HELPERS(cospi, T r = x - 2 * rint(x / 2); return sin(K(M_PI) * (K(0.5) - fabs(r)));)
#define sinpi(x) WG_EITHER(sinpi, x)
#define cospi(x) WG_EITHER(cospi, x)
WG_MAP1(sinpi, sinpi(x), K(M_PI) * cospi(x))
WG_OP(sinpi) = {
    .name = "sinpi",
    .doc = "y = sin(pi x), exactly 0 at the integers",
    .in = {{"x", 0}},
    .map = &sinpi_map,
    .saves = "x",
    .points = WG_POINTS(-3, 0, 0.25, 1e6),
    .samples = {"[2,3]", "[]", "[0,3]"},
    .hidden = true,
};

/* ---- cospi ------------------------------------------------------------------------------------------------------- */
WG_MAP1(cospi, cospi(x), -K(M_PI) * sinpi(x))
WG_OP(cospi) = {
    .name = "cospi",
    .doc = "y = cos(pi x), exactly 0 halfway between the integers",
    .in = {{"x", 0}},
    .map = &cospi_map,
    .saves = "x",
    .points = WG_POINTS(-2.5, 0, 0.25, 1e6),
    .samples = {"[2,3]", "[]", "[0,3]"},
    .hidden = true,
};

/* ---- sinc -------------------------------------------------------------------------------------------------------- */
/* cos(pi x) - y cancels near 0: there the slope is its series, the sum of (-1)^k 2k pi^(2k) x^(2k-1) / (2k+1)!,
 * nested. */
WG_MAP1(sinc,
        x == 0 ? 1 : sinpi(x) / (K(M_PI) * x),
        abs(x) < K(0.25)
            ? -K(3.2898681336964528729) * x * (1 - K(0.9869604401089358619) * square(x) * (1 -
                K(0.3524858714674770935) * square(x) * (1 - K(0.1827704518720251596) * square(x) * (1 -
                K(0.1121545954669245298) * square(x) * (1 - K(0.0759200338545335278) * square(x) * (1 -
                K(0.0548311355616075479) * square(x) * (1 - K(0.0414689260549973051) * square(x) * (1 -
                K(0.0324658039509518376) * square(x)))))))))
            : (cospi(x) - y) / x)
WG_OP(sinc) = {
    .name = "sinc",
    .doc = "y = sin(pi x) / (pi x), 1 at 0 and exactly 0 at the other integers",
    .in = {{"x", 0}},
    .map = &sinc_map,
    .saves = "x y",
    .points = WG_POINTS(-1, -0.25, -1e-8, 0, 0.001, 0.2499, 0.5, 3, 1e6),
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_sinc)(wg_tensor x) { return WG_RECORD(sinc, NULL, x); }

WG_HELPERS_OF(trigonometric, &wg_sinpi_helper, &wg_cospi_helper)
WG_FAMILY_OF(trigonometric, "elementwise", TRIGONOMETRIC)
