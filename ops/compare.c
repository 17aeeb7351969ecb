/* Elementwise operations with a boolean result: comparisons of any dtype, questions about floats, and logic. None
 * has a gradient. */
#include "wengert/elementwise.h"
#include "wengert/map.h"

#define COMPARE(OP)                                                                                                    \
    OP(equal) OP(not_equal) OP(less) OP(less_equal) OP(greater) OP(greater_equal) OP(isnan) OP(isinf) OP(isfinite)     \
    OP(logical_and) OP(logical_or) OP(logical_xor) OP(logical_not)
WG_CONTENTS(COMPARE)

/* ---- equal ------------------------------------------------------------------------------------------------------- */
WG_MAP_COMPARE(equal, a == b)
WG_OP(equal) = {
    .name = "equal",
    .doc = "y = a == b",
    .in = {{"a", WG_ANY}, {"b", WG_ANY}},
    .map = &equal_map,
    .output_gradient_free = true,
    .saves = "",
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1]:int64:0..2 [1,3]:int64:0..2", "[4]:bool [4]:bool", "[] []",
                "[0,3] [1]"},
};
wg_tensor (wg_equal)(wg_tensor a, wg_tensor b) { return WG_RECORD(equal, NULL, a, b); }

/* ---- not_equal --------------------------------------------------------------------------------------------------- */
WG_MAP_COMPARE(not_equal, a != b)
WG_OP(not_equal) = {
    .name = "not_equal",
    .doc = "y = a != b",
    .in = {{"a", WG_ANY}, {"b", WG_ANY}},
    .map = &not_equal_map,
    .output_gradient_free = true,
    .saves = "",
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1]:int64:0..2 [1,3]:int64:0..2", "[4]:bool [4]:bool", "[] []",
                "[0,3] [1]"},
};
wg_tensor (wg_not_equal)(wg_tensor a, wg_tensor b) { return WG_RECORD(not_equal, NULL, a, b); }

/* ---- less -------------------------------------------------------------------------------------------------------- */
WG_MAP_COMPARE(less, a < b)
WG_OP(less) = {
    .name = "less",
    .doc = "y = a < b",
    .in = {{"a", WG_ANY}, {"b", WG_ANY}},
    .map = &less_map,
    .output_gradient_free = true,
    .saves = "",
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1]:int64:0..2 [1,3]:int64:0..2", "[4]:bool [4]:bool", "[] []",
                "[0,3] [1]"},
};
wg_tensor (wg_less)(wg_tensor a, wg_tensor b) { return WG_RECORD(less, NULL, a, b); }

/* ---- less_equal -------------------------------------------------------------------------------------------------- */
WG_MAP_COMPARE(less_equal, a <= b)
WG_OP(less_equal) = {
    .name = "less_equal",
    .doc = "y = a <= b",
    .in = {{"a", WG_ANY}, {"b", WG_ANY}},
    .map = &less_equal_map,
    .output_gradient_free = true,
    .saves = "",
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1]:int64:0..2 [1,3]:int64:0..2", "[4]:bool [4]:bool", "[] []",
                "[0,3] [1]"},
};
wg_tensor (wg_less_equal)(wg_tensor a, wg_tensor b) { return WG_RECORD(less_equal, NULL, a, b); }

/* ---- greater ----------------------------------------------------------------------------------------------------- */
WG_MAP_COMPARE(greater, a > b)
WG_OP(greater) = {
    .name = "greater",
    .doc = "y = a > b",
    .in = {{"a", WG_ANY}, {"b", WG_ANY}},
    .map = &greater_map,
    .output_gradient_free = true,
    .saves = "",
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1]:int64:0..2 [1,3]:int64:0..2", "[4]:bool [4]:bool", "[] []",
                "[0,3] [1]"},
};
wg_tensor (wg_greater)(wg_tensor a, wg_tensor b) { return WG_RECORD(greater, NULL, a, b); }

/* ---- greater_equal ----------------------------------------------------------------------------------------------- */
WG_MAP_COMPARE(greater_equal, a >= b)
WG_OP(greater_equal) = {
    .name = "greater_equal",
    .doc = "y = a >= b",
    .in = {{"a", WG_ANY}, {"b", WG_ANY}},
    .map = &greater_equal_map,
    .output_gradient_free = true,
    .saves = "",
    .samples = {"[2,3] [2,3]", "[2,3] [3]", "[2,1]:int64:0..2 [1,3]:int64:0..2", "[4]:bool [4]:bool", "[] []",
                "[0,3] [1]"},
};
wg_tensor (wg_greater_equal)(wg_tensor a, wg_tensor b) { return WG_RECORD(greater_equal, NULL, a, b); }

/* ---- isnan ------------------------------------------------------------------------------------------------------- */
WG_MAP_QUESTION(isnan, isnan(x))
WG_OP(isnan) = {
    .name = "isnan",
    .doc = "y = is x not a number?",
    .in = {{"x", 0}},
    .map = &isnan_map,
    .output_gradient_free = true,
    .saves = "",
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_isnan)(wg_tensor x) { return WG_RECORD(isnan, NULL, x); }

/* ---- isinf ------------------------------------------------------------------------------------------------------- */
WG_MAP_QUESTION(isinf, isinf(x))
WG_OP(isinf) = {
    .name = "isinf",
    .doc = "y = is x infinite?",
    .in = {{"x", 0}},
    .map = &isinf_map,
    .output_gradient_free = true,
    .saves = "",
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_isinf)(wg_tensor x) { return WG_RECORD(isinf, NULL, x); }

/* ---- isfinite ---------------------------------------------------------------------------------------------------- */
WG_MAP_QUESTION(isfinite, isfinite(x))
WG_OP(isfinite) = {
    .name = "isfinite",
    .doc = "y = is x a number, and not infinite?",
    .in = {{"x", 0}},
    .map = &isfinite_map,
    .output_gradient_free = true,
    .saves = "",
    .samples = {"[2,3]", "[]", "[0,3]"},
};
wg_tensor (wg_isfinite)(wg_tensor x) { return WG_RECORD(isfinite, NULL, x); }

/* ---- logical_and ------------------------------------------------------------------------------------------------- */
WG_MAP_LOGICAL(logical_and, WG_AB, a && b)
WG_OP(logical_and) = {
    .name = "logical_and",
    .doc = "y = a and b",
    .in = {{"a", WG_BOOLEAN}, {"b", WG_BOOLEAN}},
    .map = &logical_and_map,
    .output_gradient_free = true,
    .saves = "",
    .samples = {"[2,3]:bool [2,3]:bool", "[2,3]:bool [3]:bool", "[]:bool []:bool", "[0,3]:bool [1]:bool"},
};
wg_tensor (wg_logical_and)(wg_tensor a, wg_tensor b) { return WG_RECORD(logical_and, NULL, a, b); }

/* ---- logical_or -------------------------------------------------------------------------------------------------- */
WG_MAP_LOGICAL(logical_or, WG_AB, a || b)
WG_OP(logical_or) = {
    .name = "logical_or",
    .doc = "y = a or b",
    .in = {{"a", WG_BOOLEAN}, {"b", WG_BOOLEAN}},
    .map = &logical_or_map,
    .output_gradient_free = true,
    .saves = "",
    .samples = {"[2,3]:bool [2,3]:bool", "[2,3]:bool [3]:bool", "[]:bool []:bool", "[0,3]:bool [1]:bool"},
};
wg_tensor (wg_logical_or)(wg_tensor a, wg_tensor b) { return WG_RECORD(logical_or, NULL, a, b); }

/* ---- logical_xor ------------------------------------------------------------------------------------------------- */
WG_MAP_LOGICAL(logical_xor, WG_AB, a != b)
WG_OP(logical_xor) = {
    .name = "logical_xor",
    .doc = "y = one of a and b, not both",
    .in = {{"a", WG_BOOLEAN}, {"b", WG_BOOLEAN}},
    .map = &logical_xor_map,
    .output_gradient_free = true,
    .saves = "",
    .samples = {"[2,3]:bool [2,3]:bool", "[2,3]:bool [3]:bool", "[]:bool []:bool", "[0,3]:bool [1]:bool"},
};
wg_tensor (wg_logical_xor)(wg_tensor a, wg_tensor b) { return WG_RECORD(logical_xor, NULL, a, b); }

/* ---- logical_not ------------------------------------------------------------------------------------------------- */
WG_MAP_LOGICAL(logical_not, WG_X, !x)
WG_OP(logical_not) = {
    .name = "logical_not",
    .doc = "y = not x",
    .in = {{"x", WG_BOOLEAN}},
    .map = &logical_not_map,
    .output_gradient_free = true,
    .saves = "",
    .samples = {"[2,3]:bool", "[]:bool", "[0,3]:bool"},
};
wg_tensor (wg_logical_not)(wg_tensor x) { return WG_RECORD(logical_not, NULL, x); }

WG_FAMILY_OF(compare, "elementwise", COMPARE)
