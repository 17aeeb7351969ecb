/* Wengert: compiled functions as C.
 *
 * wg_export_c writes a compiled function, with whatever derivatives are among its outputs, as one C99 file that needs
 * nothing but <math.h>, and CBLAS where that is asked for: to be read, checked, compiled for another machine, or for
 * this one.
 *
 *     wg_tensor loss = wg_cross_entropy(mlp(p, x), y);
 *     wg_function *f = wg_compile(tape, WG_TENSORS(x, y), WG_TENSORS(loss), .backward = true);
 *     wg_export_c(f, "mlp.c");        mlp.c and mlp.h; cc -std=c99 -O2 -DMLP_TEST mlp.c -lm && ./a.out   checks it
 *     wg_function_load_c(f);          or: f itself runs as that C from now on */
#ifndef WENGERT_EXPORT_H
#define WENGERT_EXPORT_H

#include "wengert/compile.h"
#include "wengert/sparse.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *name;      /* of the function, and in front of every other name; NULL: the file's */
    bool parameters;       /* parameters are arguments, behind the inputs; else the file has their values of now */
    bool workspace;        /* its memory is an argument, a NAME_workspace; else the file has one */
    bool blas;             /* products of matrices call CBLAS: the file then needs <cblas.h> and, as a rule,
                              -lopenblas */
    bool test;             /* a main under NAME_TEST: the inputs of now, and whether they give the outputs of now */
    bool entry;            /* for wg_function_load_c: no .h, parameters and workspace as arguments, and NAME_run,
                              NAME_bytes */
    const wg_sparse *pattern; /* where the values of this matrix are: NAME_row, NAME_column, NAME_start */
} wg_export_c_options;
#define wg_export_c_defaults .test = true
/* Writes f to `path`, which ends in .c, and its declaration to the same with .h. What f was compiled from must still be
 * on the tape. The function takes the inputs and outputs in the order of f's, gradients of `backward` last, each a
 * pointer to row-major values; it calls malloc nowhere, nor itself, and its loops have constant bounds. It returns 0,
 * 1 where an index, a label or a parameter was out of range, or 2 where a matrix was singular, not definite or not
 * finite: what the library refuses with WG_ERROR_INDEX or WG_ERROR_VALUE, and with WG_ERROR_NUMERIC. The outputs are
 * then half done.
 *
 * Results are those of f but for the rounding of sums: those of reductions are taken in double, those of products and
 * of what adds to places in the dtype itself. The file's own test allows 1e-4 of an array's largest number in float32,
 * 1e-10 in float64. With `blas` what lies as cblas_sgemm or cblas_dgemm can read it is one call of that.
 * WG_ERROR_UNSUPPORTED where an operation has no C, where a random one has no seed of its own, or where a size is more
 * than an int holds. */
WG_API wg_status wg_export_c(wg_function *f, const char *path, wg_export_c_options options);
typedef struct {
    const char *object; /* a shared object that was made of a file exported with .entry; NULL: made now, or found
                           again */
    const char *name;   /* of the function in it */
} wg_function_load_c_options;
#define wg_function_load_c_defaults .object = NULL
/* Exports f, has it compiled by the system's C compiler (the environment's CC, else cc), and from now on
 * wg_function_run runs that. Objects are kept in $XDG_CACHE_HOME/wengert, a folder that only its owner may use, and
 * found again by the text that they were made of. WG_ERROR_FILE where there is no compiler or no such folder can be; f
 * is then as it was. */
WG_API wg_status wg_function_load_c(wg_function *f, wg_function_load_c_options options);

/* Does the operation have C? */
WG_API bool wg_op_exports(const wg_op *op);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_export_c(...) WG_OPTIONS_EXPORT(__VA_ARGS__, )
#define WG_OPTIONS_EXPORT(f, path, ...)                                                                                \
    (wg_export_c)(WG_FUNCTION_HERE(f), path, (wg_export_c_options){wg_export_c_defaults, __VA_ARGS__})
#define wg_function_load_c(...) WG_OPTIONS_LOAD(__VA_ARGS__, )
#define WG_OPTIONS_LOAD(f, ...)                                                                                        \
    (wg_function_load_c)(WG_FUNCTION_HERE(f), (wg_function_load_c_options){wg_function_load_c_defaults, __VA_ARGS__})
#endif

#endif
