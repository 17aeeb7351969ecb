/* Wengert: gradient checks.
 *
 * Is the gradient that the tape computes the derivative of the function? Each element of each input, or past a size a
 * set of random directions that covers them all, is differentiated numerically: by central differences of the recorded
 * operations, evaluated again in double-double arithmetic of 32 digits, where they are float64 ones that have such a
 * form; by a complex step where only that is exact; else by Ridders' extrapolation of central differences of the
 * function itself. Where inputs are float32, what was recorded is evaluated in float64, from its float32 values on. At
 * a kink an operation of the library is held to the derivative that it states there. Each oracle states its own error;
 * the two derivatives are compared with their signs, and nothing passes by accident: a NaN fails, an estimate too rough
 * to confirm anything is reported as not checked, and that is no success. The derivatives also have to agree with each
 * other: forward with backward, and the second one with its transpose. */
#ifndef WENGERT_CHECK_H
#define WENGERT_CHECK_H

#include "wengert/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The function to check: float inputs to a float tensor of any shape, recorded on the inputs' tape. It is called many
 * times and must be the same each time. */
typedef wg_tensor wg_check_function(const wg_tensor *inputs, void *user);

typedef enum {
    WG_CHECK_PASSED = 0,
    WG_CHECK_FAILED,
    WG_CHECK_UNCHECKED /* neither confirmed nor refuted: the reason says why */
} wg_verdict;

/* Where the numerical derivative is from. */
typedef enum { WG_ORACLE_RIDDERS = 0, WG_ORACLE_DOUBLE_DOUBLE, WG_ORACLE_COMPLEX_STEP } wg_oracle;

#define WG_CHECK_INPUTS 16

typedef struct {
    char name[64]; /* the tensor's, or "input 0" */
    wg_shape shape;
    wg_verdict verdict;
    char reason[160];
    int64_t checked;         /* elements or directions */
    int64_t wrong;           /* of them: failed or left unchecked */
    bool directions;         /* random directions, not elements */
    int64_t element;         /* of the worst element, in row-major order; of the worst direction, its number */
    double analytic;         /* the tape's derivative there */
    double numeric, error;   /* the numerical one, and its own error */
    double second, second_error; /* of a failed one, where another oracle was used: what Ridders' method gives */
    double low, high;        /* at a kink: the one-sided slopes */
    double step;             /* the step h that gave the estimate */
    wg_oracle oracle;        /* of the worst one */
    char hint[96];           /* what the wrong elements have in common; "" where nothing was found */
    int64_t precise;         /* of the checked ones: confirmed in double-double arithmetic */
    int64_t stepped;         /* of the checked ones: confirmed by a complex step */
    int64_t kinks;           /* of the checked ones: at a kink */
    int64_t stated;          /* of these: held to the derivative that operations of the library state there; the others
                                have to be between the one-sided slopes */
} wg_check_input;

/* Two sides of an identity of derivatives along random directions, which hold equal to rounding. */
typedef struct {
    wg_verdict verdict; /* WG_CHECK_UNCHECKED: there is no such derivative, or it is not finite; no failure */
    double left, right;
    char reason[160]; /* of what could not be checked; "" where it was not asked for */
} wg_check_identity;

#define WG_CHECK_SWEEP 25

/* A plain central difference of the function, with no extrapolation. */
typedef struct {
    double h, difference;
} wg_check_step;

typedef struct {
    bool failed; /* an input or identity failed, an input was left unchecked, or nothing could be checked at all */
    int n;       /* inputs */
    wg_check_input input[WG_CHECK_INPUTS];
    wg_check_identity transpose; /* <u, J v> by jvp = <J' u, v> by the gradient */
    wg_check_identity symmetry;  /* <w, H v> = <v, H w> by hvp */
    uint64_t seed;
    char message[512]; /* what kept the check from being made; "" as a rule */
    char blame[512];   /* of a failed check: the first operation, from the result back, whose own derivative is wrong */
    char without[48];  /* the first operation that has no double-double form; "" where all have one */
    char kink[48];     /* the first operation of the library that is at a kink, where one was looked for */
    int swept, steps;  /* the input whose worst element was swept, and at how many h: of the first that failed */
    wg_check_step sweep[WG_CHECK_SWEEP]; /* from large h to small */
    char smaller[512]; /* of a failed check, where it was asked for: simpler inputs at which it fails */
    int held;          /* operations that were checked alone, and hold */
} wg_check_report;

typedef struct {
    void *user;       /* handed to the function */
    double rtol, atol; /* a fixed tolerance; 0 both: judged by the estimate's own error */
    uint64_t seed;    /* of the cotangent and of the directions; 0: WENGERT_CHECK_SEED of the environment, or 1 */
    int directions;   /* for an input of more elements than this, so many random directions instead, each of which moves
                         every element; 0: 64, and 4 where the inputs have more than 65536 elements together */
    bool exhaustive;  /* each element, however many */
    bool gradient_only; /* leave alone the forward derivative and the second one */
    bool shrink;      /* of a failed check: look for simpler inputs that fail too */
    bool sweep;       /* go over the steps h where the check holds, too: at the worst place of the first input */
} wg_check_grad_options;
#define wg_check_grad_defaults .directions = 0

/* Checks d <u, f(x)> / d x, for a random u, at x = inputs, which are at most WG_CHECK_INPUTS float tensors of one tape.
 * What it records is rewound; an error of f ends up in the report's message, and is cleared from the tape. */
WG_API wg_check_report wg_check_grad(wg_check_function *f, const wg_tensor *inputs, int n,
                                     wg_check_grad_options options);

/* ---- Functions outside Wengert -----------------------------------------------------------------------------------
 * A gradient written by hand, of a function that has never heard of a tape: of n numbers, checked at x. */
typedef double wg_foreign_function(const double *x, size_t n, void *user);
typedef void wg_foreign_gradient(const double *x, size_t n, double *gradient, void *user);
/* An element that `gradient` leaves unwritten fails. options.user is handed to both. */
WG_API wg_check_report wg_check_foreign(wg_foreign_function *f, wg_foreign_gradient *gradient, const double *x,
                                        size_t n, wg_check_grad_options options);
/* NLopt's signature: the function's value, and its gradient where that is not NULL. For GSL's, see wengert_check.h. */
typedef double wg_nlopt_function(unsigned n, const double *x, double *gradient, void *user);
WG_API wg_check_report wg_check_nlopt(wg_nlopt_function *f, const double *x, size_t n, wg_check_grad_options options);

/* ---- Would the check have noticed? -------------------------------------------------------------------------------
 * The derivative of one operation of f at a time, by one operand, is spoiled: its sign flipped, times 1.001, a
 * millionth of the largest element added, all zero, its last element lost. Then the same check, with the same inputs
 * and options, has to fail. A mutant that gives the gradient of the sound function is no mutant; where none gives
 * another one, these inputs do not reach the operation, and say nothing of it. */
typedef struct {
    char operation[160]; /* with its place in the caller's file: "relu (model.c:12)" */
    char operand[48];
    const char *fault; /* what was not noticed; NULL: the inputs do not reach it */
} wg_check_escape;

#define WG_CHECK_ESCAPES 32

typedef struct {
    int operations, mutants, noticed; /* mutants that give another gradient; those that the check fails for */
    int unseen;                       /* operands, the derivative by which changes nothing at these inputs */
    int n;
    wg_check_escape escape[WG_CHECK_ESCAPES]; /* the first of what was not noticed or not reached */
    char message[512];                        /* why there are none, as when the check fails without any; "" as a
                                                 rule */
} wg_check_mutants_report;

/* A check a mutant, five mutants an operand: for small inputs. */
WG_API wg_check_mutants_report wg_check_mutants(wg_check_function *f, const wg_tensor *inputs, int n,
                                                wg_check_grad_options options);
WG_API void wg_check_mutants_print(const wg_check_mutants_report *report, FILE *file);

/* ---- The report -------------------------------------------------------------------------------------------------- */
/* Prints the report as text: a line an input, and for a failed one what is known of it, a sweep over h included. */
WG_API void wg_check_print(const wg_check_report *report, FILE *file);

/* Draws the sweep of a failed check: how far central differences are from the tape's derivative, and from the numerical
 * one, against their step h. A wrong derivative keeps its distance while the numerical one is met; a noisy function
 * meets neither. */
WG_API wg_status wg_check_svg(wg_tape *tape, const wg_check_report *report, const char *path);

/* The derivative of f at x by Ridders' method (1982): central differences at h, h / 1.4, ..., extrapolated to h = 0 by
 * Neville's table, from several first steps, the largest near `scale`. *error receives the estimate's error, *step the
 * h of its last difference. NaN, and an infinite error, where f is not finite nearby. */
typedef double wg_scalar_function(double x, void *user);
WG_API double wg_ridders(wg_scalar_function *f, void *user, double x, double scale, double *error, double *step);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_check_svg(tape, report, path) (wg_check_svg)(WG_HERE(tape), report, path)
#define wg_check_grad(...) WG_OPTIONS_CHECK(__VA_ARGS__, )
#define wg_check_mutants(...) WG_OPTIONS_CHECK_MUTANTS(__VA_ARGS__, )
#define WG_OPTIONS_CHECK_MUTANTS(f, inputs, n, ...)                                                                    \
    (wg_check_mutants)(f, inputs, n, (wg_check_grad_options){wg_check_grad_defaults, __VA_ARGS__})
#define wg_check_nlopt(...) WG_OPTIONS_CHECK_NLOPT(__VA_ARGS__, )
#define wg_check_foreign(...) WG_OPTIONS_CHECK_FOREIGN(__VA_ARGS__, )
#define WG_OPTIONS_CHECK_NLOPT(f, x, n, ...)                                                                           \
    (wg_check_nlopt)(f, x, n, (wg_check_grad_options){wg_check_grad_defaults, __VA_ARGS__})
#define WG_OPTIONS_CHECK_FOREIGN(f, gradient, x, n, ...)                                                               \
    (wg_check_foreign)(f, gradient, x, n, (wg_check_grad_options){wg_check_grad_defaults, __VA_ARGS__})
#define WG_OPTIONS_CHECK(f, inputs, n, ...)                                                                            \
    (wg_check_grad)(f, inputs, n, (wg_check_grad_options){wg_check_grad_defaults, __VA_ARGS__})
#endif

#endif
