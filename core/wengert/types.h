/* Wengert: types and errors.
 *
 * The few values everything else is made of: status codes, dtypes, shapes, lists of axes, and the tensor, which is a
 * small value that points into a tape and has nothing to free. */
#ifndef WENGERT_TYPES_H
#define WENGERT_TYPES_H

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if defined(__GNUC__)
#define WG_API __attribute__((visibility("default")))
#define WG_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define WG_API
#define WG_PRINTF(text, first)
#endif

/* Options are written by name over their defaults, which is an initialiser that overrides another one, and a list of
 * one is written as its entry, without braces: on purpose. */
#if !defined(__cplusplus)
#if defined(__clang__)
#pragma clang diagnostic ignored "-Winitializer-overrides"
#pragma clang diagnostic ignored "-Wmissing-braces"
#pragma clang diagnostic ignored "-Wmissing-field-initializers"
#elif defined(__GNUC__)
#pragma GCC diagnostic ignored "-Woverride-init"
#pragma GCC diagnostic ignored "-Wmissing-braces"
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ------------------------------------------------------------------------------------------------------
 * What went wrong, as one of a few kinds. The words are on the tape: wg_error(tape). */
typedef enum {
    WG_OK = 0,
    WG_ERROR_SHAPE,       /* shapes, ranks or numbers of inputs that do not fit */
    WG_ERROR_DTYPE,       /* a wrong dtype, or two that do not mix */
    WG_ERROR_ATTR,        /* an option that is unknown, missing or of another type */
    WG_ERROR_INDEX,       /* an index out of range */
    WG_ERROR_VALUE,       /* a value outside its domain, NULL among them */
    WG_ERROR_NUMERIC,     /* singular, indefinite, not finite where numbers are needed */
    WG_ERROR_MEMORY,      /* no memory, or too large to hold */
    WG_ERROR_UNSUPPORTED, /* asked for something that is not there */
    WG_ERROR_STALE,       /* a handle from before a rewind, or a value overwritten since it was recorded */
    WG_ERROR_FILE,        /* a file that cannot be opened, read or written */
    WG_ERROR_FORMAT,      /* a file whose content is not what it should be */
} wg_status;

/* "ok", "shape", "dtype", ... : the code as `wengert call` spells it. */
WG_API const char *wg_status_name(wg_status status);

/* ---- Dtypes ------------------------------------------------------------------------------------------------------
 * The floating-point ones are differentiable; integers and booleans are indices, masks and labels. */
typedef enum { WG_FLOAT32 = 0, WG_FLOAT64, WG_INT32, WG_INT64, WG_BOOL } wg_dtype;

/* "float32", "float64", "int32", "int64", "bool"; "?" for anything else. */
WG_API const char *wg_dtype_name(wg_dtype dtype);
/* Bytes an element takes: 4, 8, 4, 8, 1. */
WG_API size_t wg_dtype_size(wg_dtype dtype);

static inline bool wg_is_float(wg_dtype dtype) { return dtype == WG_FLOAT32 || dtype == WG_FLOAT64; }
static inline bool wg_is_integer(wg_dtype dtype) { return dtype == WG_INT32 || dtype == WG_INT64; }

/* ---- Shapes ------------------------------------------------------------------------------------------------------
 * Row-major, up to 8 dimensions. A 0-d shape holds one element; a dimension of size 0 is legal and holds none. */
#define WG_MAX_RANK 8

typedef struct {
    int64_t dim[WG_MAX_RANK];
    int rank;
} wg_shape; /* WG_SHAPE(784, 128); {0} is the 0-d shape */

typedef struct {
    wg_dtype dtype;
    int rank;
    int64_t dim[WG_MAX_RANK];
} wg_type; /* a dtype and a shape: all that is known of a tensor before its values */

/* Lists as options: `.axis = WG_AXES(0, -1)`, or `.axis = 1` for a list of one. */
typedef struct {
    int at[WG_MAX_RANK];
    int n;
} wg_axes; /* WG_AXES(0, -1): negative axes count from the end; {0}, as not given, means all of them */

typedef struct {
    int64_t at[WG_MAX_RANK];
    int n;
} wg_ints; /* WG_INTS(2, 0, 3): a list of integers, one an axis as a rule */

typedef struct {
    const int64_t *at;
    int n;
} wg_list; /* WG_LIST(2, 0, 3): integers, any number of them; read during the call */

/* An option that was not given, where that means something of its own (argmax of the flattened array, logit that does
 * not clamp): the default of such an option. */
#define WG_NO_AXIS INT_MIN
#define WG_NO_REAL __builtin_nan("0x6e6f6e65") /* a NaN, but not the one that is computed with: that may be an option's
                                                  value */
#define WG_NO_INTEGER INT64_MIN
/* Of a list: of length 1, so that `.axis = 1`, which C reads as the first entry alone, is the list of 1. */
#define WG_NO_AXES {{WG_NO_AXIS}, 1}
#define WG_NO_INTS {{WG_NO_INTEGER}, 1}
#define WG_NO_SHAPE {{WG_NO_INTEGER}, 1}

/* Elements a type holds: the product of its dimensions, 1 for rank 0. */
WG_API int64_t wg_type_count(const wg_type *type);
WG_API wg_type wg_type_make(wg_dtype dtype, wg_shape shape);
WG_API wg_shape wg_type_shape(const wg_type *type);
/* Equal dtype, rank and dimensions. */
WG_API bool wg_type_equal(const wg_type *a, const wg_type *b);
/* "[64, 784]" into `text` of `size` bytes, cut if it does not fit; "[]" for rank 0. Returns text. */
WG_API char *wg_shape_text(const wg_shape *shape, char *text, size_t size);

/* ---- The tensor --------------------------------------------------------------------------------------------------
 * A node of a tape, passed by value. A handle outlived by a rewind is recognised (its epoch differs) and refused.
 *
 * Three values have no node: WG_NONE, the absent optional tensor; a number, which takes the dtype of the other operand;
 * and the invalid tensor, which a failed operation returns and every operation passes on without doing anything. */
typedef struct wg_tape wg_tape;

typedef struct {
    wg_tape *tape;
    uint32_t node;
    uint32_t epoch;
} wg_tensor;

#ifdef __cplusplus
#define WG_LITERAL(type) type
#else
#define WG_LITERAL(type) (type)
#endif

#define WG_NONE (WG_LITERAL(wg_tensor){0, 0, 0})
#define WG_INVALID (WG_LITERAL(wg_tensor){0, 0xffffffffu, 0}) /* its bits are a NaN that no number has */

static inline bool wg_is_none(wg_tensor t) { return !t.tape && t.node == 0 && t.epoch == 0; }
/* Has a node: neither absent, nor a number, nor what a failed operation returned. */
static inline bool wg_is_tensor(wg_tensor t) { return t.tape && t.node != 0xffffffffu; }
static inline bool wg_is_invalid(wg_tensor t)
{
    return t.node == 0xffffffffu && (t.tape || t.epoch == 0);
}
static inline bool wg_is_number(wg_tensor t) { return !t.tape && !wg_is_none(t) && !wg_is_invalid(t); }

/* A C number as an operand. Its bits are kept complemented, so that a zeroed wg_tensor is WG_NONE and not the number 0;
 * every NaN becomes the one quiet NaN, which leaves the other patterns free. */
static inline wg_tensor wg_number(double value)
{
    uint64_t bits = UINT64_C(0x7ff8000000000000);
    if (value == value)
        memcpy(&bits, &value, sizeof bits);
    bits = ~bits;
    wg_tensor t = {NULL, (uint32_t)bits, (uint32_t)(bits >> 32)};
    return t;
}

static inline double wg_number_value(wg_tensor t)
{
    uint64_t bits = ~((uint64_t)t.epoch << 32 | t.node);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline wg_tensor wg_tensor_itself(wg_tensor t) { return t; }

/* Several tensors for an operation that takes any number: WG_TENSORS(a, b, c), or {array, n}. */
typedef struct {
    const wg_tensor *at;
    int n;
} wg_tensors;

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
/* Lists. WG_SHAPE(2, 3), WG_AXES(0, -1), WG_INTS(1, 2); for rank 0 write WG_SCALAR. */
#define WG_COUNT_ARGUMENTS(...) WG_COUNT_PICK(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define WG_COUNT_PICK(a, b, c, d, e, f, g, h, n, ...) n
#define WG_SHAPE(...) (WG_LITERAL(wg_shape){{__VA_ARGS__}, WG_COUNT_ARGUMENTS(__VA_ARGS__)})
#define WG_AXES(...) (WG_LITERAL(wg_axes){{__VA_ARGS__}, WG_COUNT_ARGUMENTS(__VA_ARGS__)})
#define WG_INTS(...) (WG_LITERAL(wg_ints){{__VA_ARGS__}, WG_COUNT_ARGUMENTS(__VA_ARGS__)})
#define WG_SCALAR (WG_LITERAL(wg_shape){{0}, 0})

#ifndef __cplusplus
#define WG_LIST(...)                                                                                                   \
    ((wg_list){(const int64_t[]){__VA_ARGS__}, (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))})
#define WG_TENSORS(...)                                                                                                \
    ((wg_tensors){(const wg_tensor[]){__VA_ARGS__},                                                                    \
                  (int)(sizeof((const wg_tensor[]){__VA_ARGS__}) / sizeof(wg_tensor))})

/* A tensor or a C number as operand; x is written once, so that nested calls stay as long as they are written. */
#define WG_OPERAND(x) WG_OPERAND_(x, __COUNTER__)
#define WG_OPERAND_(x, n) WG_OPERAND__(x, n)
#if defined(__GNUC__)
#define WG_OPERAND__(x, n)                                                                                             \
    (__extension__({                                                                                                   \
        __auto_type wg_operand_##n = (x);                                                                              \
        _Generic(wg_operand_##n, wg_tensor : wg_tensor_itself, default : wg_number)(wg_operand_##n);                   \
    }))
#else
#define WG_OPERAND__(x, n) (_Generic((x), wg_tensor : wg_tensor_itself, default : wg_number)(x))
#endif

/* f(x, .option = value): the defaults first, what the caller names over them. */
#define WG_OPTIONS0(f, ...) (f)((f##_options){f##_defaults, __VA_ARGS__})
#define WG_OPTIONS1(f, a, ...) (f)(a, (f##_options){f##_defaults, __VA_ARGS__})
#define WG_OPTIONS2(f, a, b, ...) (f)(a, b, (f##_options){f##_defaults, __VA_ARGS__})
#define WG_OPTIONS3(f, a, b, c, ...) (f)(a, b, c, (f##_options){f##_defaults, __VA_ARGS__})
#define WG_OPTIONS4(f, a, b, c, d, ...) (f)(a, b, c, d, (f##_options){f##_defaults, __VA_ARGS__})
#define WG_OPTIONS5(f, a, b, c, d, e, ...) (f)(a, b, c, d, e, (f##_options){f##_defaults, __VA_ARGS__})
#define WG_OPTIONS6(f, a, b, c, d, e, g, ...) (f)(a, b, c, d, e, g, (f##_options){f##_defaults, __VA_ARGS__})
#endif

#endif
