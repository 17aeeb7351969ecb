/* Wengert: the tape.
 *
 * Recording an operation computes its value at once and appends a node; nodes, buffers and saved values live in one
 * arena, so a mark and a rewind release a whole training step in O(1). One tape per thread, any number of tapes. */
#ifndef WENGERT_TAPE_H
#define WENGERT_TAPE_H

#include "wengert/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Making one --------------------------------------------------------------------------------------------------
 * Memory comes from malloc, from the caller's functions, or from one buffer of the caller's that is never outgrown. */
typedef struct {
    void *(*allocate)(void *user, size_t bytes); /* aligned as malloc's; NULL when there is none */
    void (*release)(void *user, void *memory, size_t bytes);
    void *user;
} wg_memory;

typedef struct {
    wg_memory memory;    /* default: malloc and free */
    void *buffer;        /* with buffer_bytes: everything is put here; must outlive the tape */
    size_t buffer_bytes; /* bytes */
    int threads;         /* that work on large operations; the results are the same bits with any number */
    uint64_t seed;       /* of wg_param's initialisers and the random operations */
} wg_tape_options;
#define wg_tape_new_defaults .threads = 1

typedef wg_tape_options wg_tape_new_options;
/* A new, empty tape, or NULL when there is no memory for it. The caller frees it with wg_tape_free. */
WG_API wg_tape *wg_tape_new(wg_tape_options options); /* wg_tape_new(.threads = 2) */
/* Frees the tape and all that belongs to it: tensors, parameters, optimisers, data sets. NULL is fine. */
WG_API void wg_tape_free(wg_tape *tape);

/* ---- Marks -------------------------------------------------------------------------------------------------------
 * What was recorded before a mark survives the rewind to it; what came after is released, its memory kept for the next
 * step. Marks nest. A handle released by a rewind gives WG_ERROR_STALE when used, and so does a mark. The first error
 * stays readable. */
typedef struct {
    wg_tape *tape;
    void *block;
    size_t used;
    uint32_t nodes, chunks, scopes, scope, unopened, last;
} wg_mark;

/* The state of the tape now; and back to it. */
WG_API wg_mark wg_tape_mark(wg_tape *tape);
WG_API void wg_rewind(wg_tape *tape, wg_mark mark);
/* Nodes recorded at present; bytes held from the allocator, and bytes of them in use. */
WG_API size_t wg_tape_nodes(const wg_tape *tape);
WG_API size_t wg_tape_bytes(const wg_tape *tape);
WG_API size_t wg_tape_used_bytes(const wg_tape *tape);
/* Gives `object` to the tape, which calls release(object) when it is freed. On failure it is released at once. */
WG_API wg_status wg_tape_own(wg_tape *tape, void *object, void (*release)(void *object));

/* ---- Errors ------------------------------------------------------------------------------------------------------
 * The first error stays until wg_clear_error; later ones are consequences as a rule, and are only given to the handler.
 * The message names the operation, its argument, shapes and dtypes, the scope and the caller's file and line. */
WG_API bool wg_failed(const wg_tape *tape);
/* The message, "" without an error. Belongs to the tape. NULL stands for a tape that could not be made. */
WG_API const char *wg_error(const wg_tape *tape);
WG_API wg_status wg_error_status(const wg_tape *tape);
WG_API void wg_clear_error(wg_tape *tape);
/* Called at every error, when its message is complete but for the place. NULL takes the handler away. */
typedef void wg_error_handler(void *user, wg_status status, const char *message);
WG_API void wg_on_error(wg_tape *tape, wg_error_handler *handler, void *user);
/* Reports an error of the function `name` on the tape, as the library's own functions do. Returns status. */
WG_API wg_status wg_report(wg_tape *tape, const char *name, wg_status status, const char *format, ...) WG_PRINTF(4, 5);

/* ---- Leaves ------------------------------------------------------------------------------------------------------
 * Tensors that come from outside. */
/* A copy of the row-major `data` of that many elements; NULL data leaves zeros. */
WG_API wg_tensor wg_array(wg_tape *tape, wg_dtype dtype, wg_shape shape, const void *data);
/* The caller's memory itself: neither copied nor freed, and to outlive the tensor. */
WG_API wg_tensor wg_borrow(wg_tape *tape, wg_dtype dtype, wg_shape shape, void *data);
/* Every element `value`, converted to the dtype. */
WG_API wg_tensor wg_full(wg_tape *tape, wg_dtype dtype, wg_shape shape, double value);
/* A 0-d float64 tensor. */
WG_API wg_tensor wg_scalar(wg_tape *tape, double value);

/* How a parameter starts. For a weight of shape [fan_in, fan_out], or [out, in, k...] with a convolution's receptive
 * field k; `gain` multiplies the standard deviation or the bound.
 *   WG_XAVIER_*  variance 2 / (fan_in + fan_out)       Glorot and Bengio 2010, eq. 16
 *   WG_HE_*      variance 2 / fan_in                   He et al. 2015, eq. 10
 *   WG_LECUN_*   variance 1 / fan_in                   LeCun et al. 1998, 4.6
 *   WG_ORTHOGONAL  orthonormal rows or columns         Saxe et al. 2014 */
typedef enum {
    WG_ZEROS = 0,
    WG_ONES,
    WG_XAVIER_UNIFORM,
    WG_XAVIER_NORMAL,
    WG_HE_UNIFORM,
    WG_HE_NORMAL,
    WG_LECUN_UNIFORM,
    WG_LECUN_NORMAL,
    WG_ORTHOGONAL
} wg_init;

typedef struct {
    wg_init init;
    wg_dtype dtype;   /* float32 or float64 */
    const void *data; /* a copy of these values instead of `init` */
    double gain;
    bool frozen; /* no gradient, no update */
} wg_param_options;
#define wg_param_defaults .init = WG_ZEROS, .dtype = WG_FLOAT32, .gain = 1
/* A parameter: a named leaf whose gradient wg_backward accumulates, kept beside it. The name is copied. */
WG_API wg_tensor wg_param(wg_tape *tape, const char *name, wg_shape shape, wg_param_options options);

/* ---- Looking at values ------------------------------------------------------------------------------------------- */
/* dtype and shape; rank 0 float32 for what is not a tensor. */
WG_API wg_type wg_type_of(wg_tensor t);
WG_API wg_shape wg_shape_of(wg_tensor t);
/* Number of elements; 0 for what is not a tensor. */
WG_API int64_t wg_size(wg_tensor t);
/* The only element of a one-element tensor; NaN, and an error, for another. */
WG_API double wg_item(wg_tensor t);
/* Element i in row-major order, whatever the strides. */
WG_API double wg_element(wg_tensor t, int64_t i);
/* The elements in row-major order, wg_size(t) of t's dtype, into the caller's memory. */
WG_API wg_status wg_copy_out(wg_tensor t, void *to);
/* The elements themselves where t is contiguous (results are; views need not be); NULL and an error otherwise. */
WG_API const void *wg_values(wg_tensor t);
/* Writes x's values into t, both of one type. A recorded operation that still needs t's old value then refuses to be
 * differentiated. The only function that changes a value. */
WG_API wg_status wg_assign(wg_tensor t, wg_tensor x);
/* The gradient that wg_backward has accumulated into a parameter: zeros before the first, or after wg_zero_grad. */
WG_API wg_tensor wg_grad_of(wg_tensor param);
/* Has a gradient been accumulated since it was last taken or zeroed? */
WG_API bool wg_has_grad(wg_tensor param);
WG_API void wg_zero_grad(wg_tensor param);
WG_API bool wg_is_param(wg_tensor t);
/* Prints t as nested rows, at most `most` elements an axis (0: 6), after its name, type and place. */
WG_API void wg_print(wg_tensor t, FILE *file);

/* ---- Scopes and names --------------------------------------------------------------------------------------------
 * They make errors and pictures readable; where no scope is open, a parameter's dotted name gives one. */
WG_API wg_tensor wg_name(wg_tensor t, const char *name); /* returns t; the name is copied */
WG_API const char *wg_name_of(wg_tensor t);              /* "" where none was given */
/* Opens scope "name", or "name.index" for index >= 0. Returns 1, and wg_scope_end 0: see WG_SCOPE. */
WG_API int wg_scope_begin(wg_tape *tape, const char *name, int index);
WG_API int wg_scope_end(wg_tape *tape);
/* What is recorded between these has no gradient. */
WG_API int wg_no_grad_begin(wg_tape *tape);
WG_API int wg_no_grad_end(wg_tape *tape);

/* ---- Random numbers ----------------------------------------------------------------------------------------------
 * Counter-based (Philox 4x32-10, Salmon et al. 2011): the same seed draws the same numbers with any number of
 * threads. */
WG_API void wg_seed(wg_tape *tape, uint64_t seed);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
/* The place of the result, or of the tape's first error, where none is set yet. */
WG_API wg_tensor wg_at(wg_tensor result, const char *file, int line);
/* The place of the call about to be made with this tape or tensor. */
WG_API wg_tape *wg_here(wg_tape *tape, const char *file, int line);
WG_API wg_tensor wg_here_at(wg_tensor t, const char *file, int line);
WG_API const wg_tensor *wg_here_in(const wg_tensor *list, int n, const char *file, int line);

#ifdef WG_WITHOUT_PLACES /* inside the library, where the caller's place is the one that counts */
#define WG_AT(call) (call)
#define WG_HERE(tape) (tape)
#define WG_HERE_AT(tensor) (tensor)
#define WG_HERE_IN(list, n) (list)
#else
#define WG_AT(call) wg_at(call, __FILE__, __LINE__)
#define WG_HERE(tape) wg_here(tape, __FILE__, __LINE__)
#define WG_HERE_AT(tensor) wg_here_at(tensor, __FILE__, __LINE__)
#define WG_HERE_IN(list, n) wg_here_in(list, n, __FILE__, __LINE__)
#endif

#ifndef __cplusplus
#define wg_tape_new(...) WG_OPTIONS0(wg_tape_new, __VA_ARGS__)
#define wg_rewind(tape, ...) (wg_rewind)(WG_HERE(tape), __VA_ARGS__)
#define wg_tape_own(tape, ...) (wg_tape_own)(WG_HERE(tape), __VA_ARGS__)
#define wg_array(tape, ...) (wg_array)(WG_HERE(tape), __VA_ARGS__)
#define wg_borrow(tape, ...) (wg_borrow)(WG_HERE(tape), __VA_ARGS__)
#define wg_full(tape, ...) (wg_full)(WG_HERE(tape), __VA_ARGS__)
#define wg_scalar(tape, value) (wg_scalar)(WG_HERE(tape), value)
#define wg_param(tape, ...) WG_OPTIONS_PARAM(WG_HERE(tape), __VA_ARGS__, )
#define WG_OPTIONS_PARAM(tape, name, shape, ...)                                                                       \
    (wg_param)(tape, name, shape, (wg_param_options){wg_param_defaults, __VA_ARGS__})
#define wg_type_of(t) (wg_type_of)(WG_HERE_AT(t))
#define wg_shape_of(t) (wg_shape_of)(WG_HERE_AT(t))
#define wg_size(t) (wg_size)(WG_HERE_AT(t))
#define wg_item(t) (wg_item)(WG_HERE_AT(t))
#define wg_element(t, i) (wg_element)(WG_HERE_AT(t), i)
#define wg_copy_out(t, ...) (wg_copy_out)(WG_HERE_AT(t), __VA_ARGS__)
#define wg_values(t) (wg_values)(WG_HERE_AT(t))
#define wg_assign(t, ...) (wg_assign)(WG_HERE_AT(t), WG_HERE_AT((__VA_ARGS__))) /* whichever is evaluated last */
#define wg_grad_of(param) (wg_grad_of)(WG_HERE_AT(param))
#define wg_zero_grad(param) (wg_zero_grad)(WG_HERE_AT(param))
#define wg_name(t, name) (wg_name)(WG_HERE_AT(t), name)
#define wg_name_of(t) (wg_name_of)(WG_HERE_AT(t))
#define wg_scope_end(tape) (wg_scope_end)(WG_HERE(tape))
#define wg_scope_begin(tape, name, index) (wg_scope_begin)(WG_HERE(tape), name, index)
#define wg_no_grad_end(tape) (wg_no_grad_end)(WG_HERE(tape))

/* A call of a list of tensors and its length, each written once. */
#if defined(__GNUC__)
#define WG_CALL_ON(...) WG_CALL_ON_(__COUNTER__, __VA_ARGS__)
#define WG_CALL_ON_(at, ...) WG_CALL_ON__(at, __VA_ARGS__)
#define WG_CALL_ON__(at, f, list, n, ...)                                                                              \
    (__extension__({                                                                                                   \
        const wg_tensor *wg_list_##at = (list);                                                                        \
        const int wg_n_##at = (n);                                                                                     \
        f(WG_HERE_IN(wg_list_##at, wg_n_##at), wg_n_##at, __VA_ARGS__);                                                \
    }))
#else
#define WG_CALL_ON(f, list, n, ...) f(list, n, __VA_ARGS__)
#endif

/* for (each statement of the block, once): WG_SCOPE(tape, "block", i) { ... }. Leave it by its end, not by break. */
#define WG_SCOPE(...) WG_SCOPE_(__COUNTER__, __VA_ARGS__, -1, )
#define WG_SCOPE_(n, ...) WG_SCOPE__(n, __VA_ARGS__)
#define WG_SCOPE__(n, tape, name, index, ...)                                                                          \
    for (int wg_once_##n = wg_scope_begin(tape, name, index); wg_once_##n; wg_once_##n = wg_scope_end(tape))
#define WG_NO_GRAD(tape) WG_NO_GRAD_(__COUNTER__, tape)
#define WG_NO_GRAD_(n, tape) WG_NO_GRAD__(n, tape)
#define WG_NO_GRAD__(n, tape)                                                                                          \
    for (int wg_once_##n = wg_no_grad_begin(tape); wg_once_##n; wg_once_##n = wg_no_grad_end(tape))
#endif

#endif
