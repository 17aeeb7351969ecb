/* Wengert: compiled functions.
 *
 * A recorded stretch of tape becomes a function that runs again and again on new values. It records nothing and
 * allocates nothing: what is not needed was left out, what is the same is computed once, and all memory was planned
 * when it was made.
 *
 *     wg_tensor loss = wg_cross_entropy(mlp(p, x), y);                  recorded once, with values of the right shapes
 *     wg_function *f = wg_compile(tape, WG_TENSORS(x, y), WG_TENSORS(loss), .backward = true);
 *     for (...) {
 *         wg_function_run(f, (const void *[]){pixels, labels}, (void *[]){&value});
 *         wg_step(adam);
 *     } */
#ifndef WENGERT_COMPILE_H
#define WENGERT_COMPILE_H

#include "wengert/control.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wg_function wg_function;

typedef struct {
    bool backward; /* a run also leaves the gradients of the only output, a one-element float tensor, in the parameters,
                      as wg_backward does */
    bool reads;    /* what was decided by a value while it was recorded is decided for good, and not refused */
} wg_compile_options;
#define wg_compile_defaults .backward = false
/* The function from `inputs` to `outputs` as it was recorded, derivatives that were recorded (create_graph) included.
 * Inputs are any contiguous tensors that lie on the way; their shapes and dtypes are those of every run. A call that
 * has several results is made at each run, or those that are needed are inputs. Parameters are read where they are at
 * each run, and must still be there; any other leaf is a constant, copied now. A random operation draws anew at each
 * run, as it would if it were called.
 *
 * A run does not go through the C code again, and takes no other branch of it. So a function is refused where C code
 * read a value that changes from run to run (by wg_item, wg_element or wg_copy_out an input, or by these or wg_values a
 * result that depends on an input, a parameter or a draw), and what an output needs was recorded afterwards: it may be
 * there for what that value was. The error names both lines. Where `reads` says so, what was recorded is compiled all
 * the same.
 *
 * To choose between values at each run there is wg_where. To look at a value, read it when all is recorded (a loss,
 * say), or let wg_print print it; a rewind forgets what was read since its mark. wg_cond, wg_while_loop,
 * wg_fixed_point, wg_root and wg_odeint with steps by its tolerances go by values themselves, and are refused likewise
 * where these change. What C code sees of a value in another way is not noticed: memory that it lent, the plain
 * functions that C++ calls.
 *
 * Nor does a run call functions of the program. wg_checkpoint, wg_custom, wg_scan with snapshots and wg_odeint by its
 * adjoint do, and are refused where they depend on what changes: call the function itself, whose steps are recorded.
 *
 * NULL, and the error on the tape, where a tensor is of another tape, an output depends on no recorded operation's
 * result and is no leaf, an input is not contiguous, something was decided as said above, or there is no memory. The
 * tape frees it; wg_function_free does before. */
WG_API wg_function *wg_compile(wg_tape *tape, wg_tensors inputs, wg_tensors outputs, wg_compile_options options);
WG_API void wg_function_free(wg_function *f);

/* Runs it: in[i] are input i's values, row-major, of which nothing is changed; output k's are written to out[k]. Either
 * may be left out, out altogether or an out[k], where they then stay is told by wg_function_output; an in[i] that was
 * given before. No two may overlap. The cheapest is to hand over the same memory each time. Errors as of the operations
 * it is made of; outputs are then not complete. */
WG_API wg_status wg_function_run(wg_function *f, const void *const *in, void *const *out);
/* Where output k is since the last run. */
WG_API const void *wg_function_output(const wg_function *f, int k);

/* Inputs, outputs; operations it runs; bytes it holds, all of them since it was made. */
WG_API int wg_function_inputs(const wg_function *f);
WG_API int wg_function_outputs(const wg_function *f);
WG_API size_t wg_function_steps(const wg_function *f);
WG_API size_t wg_function_bytes(const wg_function *f);
/* Type of input i, of output k. */
WG_API wg_type wg_function_input_type(const wg_function *f, int i);
WG_API wg_type wg_function_output_type(const wg_function *f, int k);

/* ---- Of many shapes ---------------------------------------------------------------------------------------------- */
/* A body (wengert/control.h) that is compiled anew for each combination of input types it is wanted for, and
 * remembered. */
typedef struct wg_specialised wg_specialised;
typedef struct {
    void *user;    /* handed to the body */
    bool backward, reads; /* as of wg_compile */
} wg_specialise_options;
#define wg_specialise_defaults .user = NULL
/* f computes n_out results. NULL, and the error on the tape, where it is given no f or there is no memory. The tape
 * frees it. */
WG_API wg_specialised *wg_specialise(wg_tape *tape, wg_body *f, int n_out, wg_specialise_options options);
/* The function of n inputs of those types: the same one each time. The first time f is recorded, on zeros, compiled,
 * and what it recorded is taken back. NULL, and the error on the tape, where f fails on these types. */
WG_API wg_function *wg_specialised_for(wg_specialised *s, const wg_type *types, int n);
/* How many there are. */
WG_API int wg_specialised_count(const wg_specialised *s);

/* ---- Looking at one ---------------------------------------------------------------------------------------------- */
/* Prints what it does, a line an instruction: operations (several, where elementwise ones are done block by block
 * together), scope, result, bytes that are read and written, floating-point operations ("-" where an entry states
 * none). */
WG_API wg_status wg_function_print(const wg_function *f, FILE *file);

typedef struct {
    const void *const *in; /* as of wg_function_run */
    void *const *out;
    int runs;              /* that are timed, after one to warm up */
    const char *svg;       /* where a picture goes: scopes above what runs in them, as wide as the time they take; NULL:
                              none */
} wg_profile_options;
#define wg_profile_defaults .runs = 10
/* Runs it as wg_function_run does, `runs` + 1 times, and prints the same table with each instruction's least time: its
 * share, bytes and floating-point operations a second, and what part they are of what a copy and a product of large
 * matrices reach on this machine at the time. Gradients of parameters are added up at each run. */
/* wg_profile(f, stdout, .in = values) */
WG_API wg_status wg_profile(wg_function *f, FILE *file, wg_profile_options options);

/* Says where in the program what is asked of f next is asked; returns f. */
WG_API wg_function *wg_function_here(wg_function *f, const char *file, int line);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_specialise(tape, ...) WG_OPTIONS_SPECIALISE(tape, __VA_ARGS__, )
#define WG_OPTIONS_SPECIALISE(tape, f, n_out, ...)                                                                     \
    (wg_specialise)(WG_HERE(tape), f, n_out, (wg_specialise_options){wg_specialise_defaults, __VA_ARGS__})
#define wg_compile(tape, ...) WG_OPTIONS_COMPILE(tape, __VA_ARGS__, )
#define WG_OPTIONS_COMPILE(tape, inputs, outputs, ...)                                                                 \
    (wg_compile)(WG_HERE(tape), inputs, outputs, (wg_compile_options){wg_compile_defaults, __VA_ARGS__})
#ifdef WG_WITHOUT_PLACES
#define WG_FUNCTION_HERE(f) (f)
#else
#define WG_FUNCTION_HERE(f) wg_function_here(f, __FILE__, __LINE__)
#endif
#define wg_profile(f, ...) WG_OPTIONS_PROFILE(WG_FUNCTION_HERE(f), __VA_ARGS__, )
#define WG_OPTIONS_PROFILE(f, file, ...)                                                                               \
    (wg_profile)(f, file, (wg_profile_options){wg_profile_defaults, __VA_ARGS__})
#define wg_function_run(f, ...) (wg_function_run)(WG_FUNCTION_HERE(f), __VA_ARGS__)
#endif

#endif
