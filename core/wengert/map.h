/* Wengert: how an elementwise entry is written.
 *
 * The C text of a function and of its slope is written once; these macros make the float32 and float64 kernels of it,
 * for each instruction set the machine may have, and keep the text, which is the graph code of recorded derivatives.
 * Included only where entries are written. Compile with -fno-math-errno -fno-trapping-math for loops that are vector
 * code. */
#ifndef WENGERT_MAP_H
#define WENGERT_MAP_H

#include "wengert/operation.h"

#include <stdlib.h> /* its abs comes before the one below */

/* Vector forms of the functions of <math.h> (libmvec, at most 4 ulp), declared to the compiler. The choice between
 * clones is made before the thread sanitizer is ready, so that there is none under it. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
#ifdef __SANITIZE_THREAD__
#define WG_CLONES
#else
#define WG_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif
#define WG_VECTOR_FORM(name)                                                                                           \
    __attribute__((simd("notinbranch"), const)) double name(double);                                                   \
    __attribute__((simd("notinbranch"), const)) float name##f(float);
#define WG_VECTOR_FORM2(name)                                                                                          \
    __attribute__((simd("notinbranch"), const)) double name(double, double);                                           \
    __attribute__((simd("notinbranch"), const)) float name##f(float, float);
WG_VECTOR_FORM(exp)
WG_VECTOR_FORM(exp2)
WG_VECTOR_FORM(expm1)
WG_VECTOR_FORM(log)
WG_VECTOR_FORM(log2)
WG_VECTOR_FORM(log10)
WG_VECTOR_FORM(log1p)
WG_VECTOR_FORM(sin)
WG_VECTOR_FORM(cos)
WG_VECTOR_FORM(tan)
WG_VECTOR_FORM(asin)
WG_VECTOR_FORM(acos)
WG_VECTOR_FORM(atan)
WG_VECTOR_FORM(sinh)
WG_VECTOR_FORM(cosh)
WG_VECTOR_FORM(tanh)
WG_VECTOR_FORM(asinh)
WG_VECTOR_FORM(acosh)
WG_VECTOR_FORM(atanh)
WG_VECTOR_FORM(cbrt)
WG_VECTOR_FORM(erf)
WG_VECTOR_FORM(erfc)
WG_VECTOR_FORM2(pow)
WG_VECTOR_FORM2(atan2)
WG_VECTOR_FORM2(hypot)
#else
#define WG_CLONES
#endif

#include <float.h>
#include <tgmath.h>

/* ---- Helpers for the text, each the name of an operation ---------------------------------------------------------
 * A family adds its own in the same way, for what <math.h> does not have: WG_HELPERS(name, body) in terms of x and the
 * type T, then #define name(x) WG_EITHER(name, x). A name that <math.h> has needs nothing. */
#define WG_HELPER(name, T_, ...)                                                                                       \
    static inline __attribute__((unused, always_inline)) T_ name(T_ x)                                                 \
    {                                                                                                                  \
        typedef T_ T __attribute__((unused));                                                                          \
        __VA_ARGS__                                                                                                    \
    }
#define WG_HELPERS(name, ...)                                                                                          \
    static const wg_helper wg_##name##_helper __attribute__((unused)) = {#name, 1, #__VA_ARGS__};                      \
    WG_HELPER(wg_##name##_f32, float, __VA_ARGS__)                                                                     \
    WG_HELPER(wg_##name##_f64, double, __VA_ARGS__)
#define WG_EITHER(name, x) _Generic((x), float: wg_##name##_f32, default: wg_##name##_f64)(x)
/* The same in terms of a and b. */
#define WG_HELPER2(name, T_, ...)                                                                                      \
    static inline __attribute__((unused, always_inline)) T_ name(T_ a, T_ b)                                           \
    {                                                                                                                  \
        typedef T_ T __attribute__((unused));                                                                          \
        __VA_ARGS__                                                                                                    \
    }
#define WG_HELPERS2(name, ...)                                                                                         \
    static const wg_helper wg_##name##_helper __attribute__((unused)) = {#name, 2, #__VA_ARGS__};                      \
    WG_HELPER2(wg_##name##_f32, float, __VA_ARGS__)                                                                    \
    WG_HELPER2(wg_##name##_f64, double, __VA_ARGS__)
#define WG_EITHER2(name, a, b) _Generic((a) + (b), float: wg_##name##_f32, default: wg_##name##_f64)(a, b)
/* The list of a file's helpers, for ops/helpers.c. */
#define WG_HELPERS_OF(file, ...)                                                                                       \
    extern const wg_helper *const wg_helpers_##file[];                                                                 \
    const wg_helper *const wg_helpers_##file[] = {__VA_ARGS__, NULL};
#undef abs
#define abs(x) fabs(x)
#define K(number) ((T)(number))
#define IS(choice, letter) ((choice)[0] == (letter)) /* the option's word begins with it: IS(o->approximate, 't') */
#define LARGEST (sizeof(T) == sizeof(float) ? K(FLT_MAX) : K(DBL_MAX))
#define GIVEN_OR(option, otherwise) ((option) == (option) ? K(option) : (otherwise)) /* an absent one is NaN */

/* 1 / (1 + exp(-x)) from exp(-|x|), which does not overflow; sigmoid(x) and sigmoid(-x) share the division. */
WG_HELPERS(sigmoid, T e = exp(-fabs(x)), r = 1 / (1 + e); return x >= 0 ? r : e * r;)
WG_HELPERS(square, T y = x; return y * y;)
WG_HELPERS(sign, T y = x; return y > 0 ? 1 : y < 0 ? -1 : y;) /* of a NaN: NaN */
WG_HELPERS(reciprocal, T y = x; return 1 / y;)
/* log(1 + exp(x)) without overflow, right where exp(x) is small. */
WG_HELPERS(log1pexp, T e = exp(-fabs(x)); return (x > 0 ? x : 0) + log1p(e);)
#define sigmoid(x) WG_EITHER(sigmoid, x)
#define square(x) WG_EITHER(square, x)
#define sign(x) WG_EITHER(sign, x)
#define reciprocal(x) WG_EITHER(reciprocal, x)
#define log1pexp(x) WG_EITHER(log1pexp, x)

/* ---- Kernels ----------------------------------------------------------------------------------------------------- */
typedef struct {
    char none;
} wg_no_options;

/* A copy, which the loop's stores cannot change: what it reads of it may be hoisted. */
#define WG_OPTIONS_HERE(O_)                                                                                            \
    O_ wg_options = {0};                                                                                               \
    if (options)                                                                                                       \
        wg_options = *(const O_ *)options;                                                                             \
    const O_ *const o = &wg_options;                                                                                   \
    (void)o;
/* The loop is a function of its own, as only pointers that are parameters are taken to be apart: else each call would
 * ask whether they are, and values near in memory would be computed one by one, to other bits. */
#define WG_LOOP(fname, T_, R_, O_, DECLARE, expression)                                                                \
    static WG_CLONES void fname##_loop(int64_t n, R_ *restrict wg_to, DECLARE##_POINTERS(T_), const void *options)     \
    {                                                                                                                  \
        typedef T_ T __attribute__((unused));                                                                          \
        WG_OPTIONS_HERE(O_)                                                                                            \
        for (int64_t wg_i = 0; wg_i < n; wg_i++) {                                                                     \
            DECLARE##_VALUES                                                                                           \
            wg_to[wg_i] = (R_)(expression);                                                                            \
        }                                                                                                              \
    }                                                                                                                  \
    static void fname(int64_t n, void *to, const void *const *from, const void *options)                               \
    {                                                                                                                  \
        fname##_loop(n, to, DECLARE##_FROM, options);                                                                  \
    }
#define WG_PULL_LOOP(fname, T_, O_, N, DECLARE, expression)                                                            \
    static WG_CLONES void fname##_loop(int64_t n, T_ *restrict wg_to, DECLARE##_POINTERS(T_),                          \
                                       const T_ *restrict wg_y, const T_ *restrict wg_g, const void *options)          \
    {                                                                                                                  \
        typedef T_ T __attribute__((unused));                                                                          \
        WG_OPTIONS_HERE(O_)                                                                                            \
        for (int64_t wg_i = 0; wg_i < n; wg_i++) {                                                                     \
            const T y = wg_y[wg_i], g = wg_g[wg_i];                                                                    \
            (void)y;                                                                                                   \
            DECLARE##_VALUES                                                                                           \
            const T wg_d = (T)(expression) * g;                                                                        \
            wg_to[wg_i] = g == 0 ? 0 : wg_d; /* strong zero */                                                         \
        }                                                                                                              \
    }                                                                                                                  \
    static void fname(int64_t n, void *to, const void *const *from, const void *options)                               \
    {                                                                                                                  \
        fname##_loop(n, to, DECLARE##_FROM, from[N], from[N + 1], options);                                            \
    }
#define WG_X_POINTERS(T_) const T_ *restrict wg_x
#define WG_X_FROM from[0]
#define WG_X_VALUES const T x = wg_x[wg_i]; (void)x;
#define WG_AB_POINTERS(T_) const T_ *restrict wg_a, const T_ *restrict wg_b
#define WG_AB_FROM from[0], from[1]
#define WG_AB_VALUES const T a = wg_a[wg_i], b = wg_b[wg_i]; (void)a; (void)b;
#define WG_ABC_POINTERS(T_) const T_ *restrict wg_a, const T_ *restrict wg_b, const T_ *restrict wg_c
#define WG_ABC_FROM from[0], from[1], from[2]
#define WG_ABC_VALUES const T a = wg_a[wg_i], b = wg_b[wg_i], c = wg_c[wg_i]; (void)a; (void)b; (void)c;

/* One operand x: WG_MAP1(tanh, tanh(x), slope). Options: WG_MAP1_OPTIONS(leaky_relu, wg_leaky_relu_options, ...). The
 * text is taken here, before the macros in it are replaced. */
#define WG_MAP1(name, value_, slope_) WG_MAP1_OF(name, wg_no_options, #value_, #slope_, value_, slope_)
#define WG_MAP1_OPTIONS(name, O, value_, slope_) WG_MAP1_OF(name, O, #value_, #slope_, value_, slope_)
#define WG_MAP1_OF(name, O, value_text, slope_text, value_, slope_)                                                    \
    WG_LOOP(name##_f32, float, float, O, WG_X, value_)                                                                 \
    WG_LOOP(name##_f64, double, double, O, WG_X, value_)                                                               \
    WG_PULL_LOOP(name##_dx_f32, float, O, 1, WG_X, slope_)                                                             \
    WG_PULL_LOOP(name##_dx_f64, double, O, 1, WG_X, slope_)                                                            \
    static const wg_map name##_map = {                                                                                 \
        value_text, {slope_text}, {name##_f32, name##_f64}, {{name##_dx_f32, name##_dx_f64}}, false};

/* Two operands a and b: WG_MAP2(multiply, a * b, b, a). */
#define WG_MAP2(name, value_, da_, db_)                                                                                \
    WG_MAP2_OF(name, wg_no_options, #value_, #da_, #db_, value_, da_, db_)
#define WG_MAP2_OPTIONS(name, O, value_, da_, db_)                                                                     \
    WG_MAP2_OF(name, O, #value_, #da_, #db_, value_, da_, db_)
#define WG_MAP2_OF(name, O, value_text, da_text, db_text, value_, da_, db_)                                            \
    WG_LOOP(name##_f32, float, float, O, WG_AB, value_)                                                                \
    WG_LOOP(name##_f64, double, double, O, WG_AB, value_)                                                              \
    WG_PULL_LOOP(name##_da_f32, float, O, 2, WG_AB, da_)                                                               \
    WG_PULL_LOOP(name##_da_f64, double, O, 2, WG_AB, da_)                                                              \
    WG_PULL_LOOP(name##_db_f32, float, O, 2, WG_AB, db_)                                                               \
    WG_PULL_LOOP(name##_db_f64, double, O, 2, WG_AB, db_)                                                              \
    static const wg_map name##_map = {value_text, {da_text, db_text}, {name##_f32, name##_f64},                        \
                                      {{name##_da_f32, name##_da_f64}, {name##_db_f32, name##_db_f64}}, false};

/* Three: a, b and c, whatever the entry calls them: WG_MAP3(fma, a * b + c, b, a, 1). */
#define WG_MAP3(name, value_, da_, db_, dc_)                                                                           \
    WG_MAP3_OF(name, wg_no_options, #value_, #da_, #db_, #dc_, value_, da_, db_, dc_)
#define WG_MAP3_OPTIONS(name, O, value_, da_, db_, dc_)                                                                \
    WG_MAP3_OF(name, O, #value_, #da_, #db_, #dc_, value_, da_, db_, dc_)
#define WG_MAP3_OF(name, O, value_text, da_text, db_text, dc_text, value_, da_, db_, dc_)                              \
    WG_LOOP(name##_f32, float, float, O, WG_ABC, value_)                                                               \
    WG_LOOP(name##_f64, double, double, O, WG_ABC, value_)                                                             \
    WG_PULL_LOOP(name##_da_f32, float, O, 3, WG_ABC, da_)                                                              \
    WG_PULL_LOOP(name##_da_f64, double, O, 3, WG_ABC, da_)                                                             \
    WG_PULL_LOOP(name##_db_f32, float, O, 3, WG_ABC, db_)                                                              \
    WG_PULL_LOOP(name##_db_f64, double, O, 3, WG_ABC, db_)                                                             \
    WG_PULL_LOOP(name##_dc_f32, float, O, 3, WG_ABC, dc_)                                                              \
    WG_PULL_LOOP(name##_dc_f64, double, O, 3, WG_ABC, dc_)                                                             \
    static const wg_map name##_map = {value_text, {da_text, db_text, dc_text}, {name##_f32, name##_f64},               \
                                      {{name##_da_f32, name##_da_f64}, {name##_db_f32, name##_db_f64},                 \
                                       {name##_dc_f32, name##_dc_f64}}, false};

/* A comparison of a and b, of any dtype, or a question about a float x: boolean, without gradient. */
#define WG_MAP_COMPARE(name, value_)                                                                                   \
    WG_LOOP(name##_f32, float, bool, wg_no_options, WG_AB, value_)                                                     \
    WG_LOOP(name##_f64, double, bool, wg_no_options, WG_AB, value_)                                                    \
    WG_LOOP(name##_i32, int32_t, bool, wg_no_options, WG_AB, value_)                                                   \
    WG_LOOP(name##_i64, int64_t, bool, wg_no_options, WG_AB, value_)                                                   \
    WG_LOOP(name##_bool, bool, bool, wg_no_options, WG_AB, value_)                                                     \
    static const wg_map name##_map = {                                                                                 \
        #value_, {0}, {name##_f32, name##_f64, name##_i32, name##_i64, name##_bool}, {{0}}, true};
#define WG_MAP_QUESTION(name, value_)                                                                                  \
    WG_LOOP(name##_f32, float, bool, wg_no_options, WG_X, value_)                                                      \
    WG_LOOP(name##_f64, double, bool, wg_no_options, WG_X, value_)                                                     \
    static const wg_map name##_map = {#value_, {0}, {name##_f32, name##_f64}, {{0}}, true};
/* b where the boolean a is true, c elsewhere, of any dtype; its chain rule is the entry's own. A mask is read as bytes:
 * of bool, gcc makes no vector code. */
#define WG_SELECT_POINTERS(T_)                                                                                         \
    const unsigned char *restrict wg_a, const T_ *restrict wg_b, const T_ *restrict wg_c
#define WG_SELECT_FROM from[0], from[1], from[2]
#define WG_SELECT_VALUES const int a = wg_a[wg_i]; const T b = wg_b[wg_i], c = wg_c[wg_i];
/* a filled where the boolean b is true. */
#define WG_FILL_POINTERS(T_) const T_ *restrict wg_a, const unsigned char *restrict wg_b
#define WG_FILL_FROM from[0], from[1]
#define WG_FILL_VALUES const T a = wg_a[wg_i]; const int b = wg_b[wg_i];
#define WG_MAP_CHOOSE(name, O, DECLARE, value_)                                                                        \
    WG_LOOP(name##_f32, float, float, O, DECLARE, value_)                                                              \
    WG_LOOP(name##_f64, double, double, O, DECLARE, value_)                                                            \
    WG_LOOP(name##_i32, int32_t, int32_t, O, DECLARE, value_)                                                          \
    WG_LOOP(name##_i64, int64_t, int64_t, O, DECLARE, value_)                                                          \
    WG_LOOP(name##_bool, bool, bool, O, DECLARE, value_)                                                               \
    static const wg_map name##_map = {                                                                                 \
        #value_, {0}, {name##_f32, name##_f64, name##_i32, name##_i64, name##_bool}, {{0}}, false};
/* The same of booleans a and b, or x. */
#define WG_MAP_LOGICAL(name, DECLARE, value_)                                                                          \
    WG_LOOP(name##_bool, bool, bool, wg_no_options, DECLARE, value_)                                                   \
    static const wg_map name##_map = {#value_, {0}, {[WG_BOOL] = name##_bool}, {{0}}, true};

#endif
