/* What the parts of the gradient check share. Private to graph/. */
#ifndef GRAPH_CHECKING_H
#define GRAPH_CHECKING_H

#include <float.h>

#include "core/tape.h"
#include "graph/replay.h"
#include "graph/traverse.h"
#include "wengert/check.h"

/* Of size 0.5 to 1.5, and of either sign. */
static inline double wg_check_random(uint64_t seed, uint64_t stream, int64_t i)
{
    uint32_t w[4];
    wg_philox(seed, stream, (uint64_t)i, w);
    double size = 0.5 + wg_uniform_from(w[0], w[1]);
    return w[2] & 1 ? size : -size;
}

/* One check being made. */
typedef struct {
    wg_tape *tape;
    wg_check_function *f;
    const wg_check_grad_options *o;
    const wg_tensor *inputs;
    int n;
    uint64_t seed;
    int64_t outputs;
    double *weight;  /* the cotangent, one an output */
    double heaviest; /* the largest of them */
    wg_check_report *report;
    double *noise[WG_CHECK_INPUTS];       /* the gradient's own, one an element */
    wg_replay *replay;                    /* the function in double-double; NULL: it has no such form */
    const struct wg_check_mutant *mutant; /* what the gradient is taken with; NULL: as it is */
    bool single;                    /* the gradient is of float32 numbers, and the function one continued in float64 */
    struct wg_check_stated *stated; /* the function along the derivatives stated at kinks; NULL: there is none */
} wg_checking;

/* What is varied: input `at` along a direction from where it is, or one element of it. */
typedef struct {
    const wg_checking *k;
    int at;
    int64_t element; /* -1: along `direction` */
    const double *direction;
    double start;            /* of the parameter: the element's own value, or 0 along a direction */
    double noise;            /* of the derivative along it */
    double typical, largest; /* a derivative smaller than the first is not held to its last digit; the largest */
    double value, rounding;  /* the largest value of the function seen, and its rounding */
} wg_check_line;

static inline double wg_check_eps(wg_tensor t)
{
    return wg_type_of(t).dtype == WG_FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON;
}
/* A copy of the input: its element set to t, or moved by t along the direction. */
wg_tensor wg_check_moved(const wg_check_line *l, double t);
/* The outputs weighed by the cotangent; what is seen of their size goes into the line. */
double wg_check_weighed(wg_check_line *l, wg_tensor y);
/* The function at t; `user` is the line. NaN where it is in error: a step away it may be outside its domain. */
double wg_check_along(double t, void *user);
/* Its derivative by Ridders' method. */
double wg_check_estimated(wg_check_line *l, double scale, double *error, double *step);
/* The one-sided slope, to the side of h's sign. */
double wg_check_one_sided(wg_check_line *l, double h);

/* The function recorded on copies of the inputs. */
typedef struct {
    wg_tensor x[WG_CHECK_INPUTS], y;
} wg_check_graph;

/* Checks each input into the report, whose n and seed are set. False, and the report's message says why, where it
 * cannot be made. What it records is left on the tape. */
bool wg_check_run(wg_checking *k, wg_check_graph *graph);
/* What that begins with: the function is recorded, and its gradient taken for the random cotangent u. */
bool wg_check_gradient(wg_checking *k, wg_check_graph *graph, wg_tensor *u, wg_tensor *grad);
/* wg_grad of a recorded graph, by the mutant if there is one. */
wg_status wg_check_pull(const wg_checking *k, const wg_check_graph *graph, wg_tensor u, wg_tensor *grad);
/* The elements of t, in the arena; NULL, and nothing reported, where there is no memory. */
double *wg_check_doubles(wg_tape *tape, wg_tensor t);
/* Clears what went wrong in trying, but for a lack of memory, which stays the tape's error: then it is false. */
static inline bool wg_check_forgive(wg_tape *tape)
{
    if (tape->status == WG_ERROR_MEMORY)
        return false;
    wg_clear_error(tape);
    return true;
}
/* How much each element of the gradient differs from itself where only rounding and conditioning make it differ. False:
 * no memory. */
bool wg_check_noise(const wg_checking *k, const wg_tensor *grad, double **noise);
/* Checks the forward derivative and the second one against the gradient, into the report. u is the cotangent. False: no
 * memory. */
bool wg_check_identities(const wg_checking *k, const wg_check_graph *graph, wg_tensor u, const wg_tensor *grad);
/* wg_ridders for a function whose values are only good to *rounding, which it may set while it is called. A relative
 * error of `enough` ends it; 0: as small as it gets. */
double wg_ridders_rounded(wg_scalar_function *f, void *user, double x, double scale, double enough,
                          const double *rounding, double *error, double *step);
/* Has the report an input that failed or was left unchecked, or none that was checked? */
bool wg_check_failed(const wg_check_report *report);
/* Is a derivative known to be wrong? Undecided is not wrong. */
bool wg_check_refuted(const wg_check_report *report);
/* Checks each operation of the graph alone, at its recorded operands, from the result back: the report's blame names
 * the first whose derivative is wrong. */
void wg_check_blame(const wg_checking *k, const wg_check_graph *graph);

/* The function continued from its recorded values. */
typedef struct {
    wg_tape *tape;
    wg_stretch way;
    int n;
    const wg_tensor *from;        /* the recorded inputs */
    wg_tensor x[WG_CHECK_INPUTS]; /* the same in float64 */
    wg_tensor *constant;          /* by node: what does not change, in float64; WG_NONE: as it is */
    wg_tensor *rest, *value;      /* by node of the way: what rounding took; its value in this run */
    bool stated;       /* along the derivatives that operations of the library state where they are at a kink */
    wg_tensor *origin; /* of those, by node of the way: their results, recorded on leaves */
    int kinks;         /* such calls */
    char at[48];       /* the first of them */
    char without[48];  /* what cannot be continued */
} wg_check_wide;

/* False, and `without` says for what: it cannot be continued. */
bool wg_check_widen(wg_check_wide *w, const wg_checking *k, const wg_check_graph *graph, bool stated);
/* It as a function of float64 inputs; `user` is the wg_check_wide. */
wg_tensor wg_check_continued(const wg_tensor *x, void *user);

/* The stretch of tape from the inputs to the result, in the arena; is a node in it of a call on the way? False: no
 * memory. */
bool wg_check_way(const wg_checking *k, const wg_check_graph *graph, wg_stretch *s);
bool wg_check_is_on_the_way(const wg_stretch *s, uint32_t i);

/* Looks for simpler inputs at which it fails too, and puts them into the report. */
void wg_check_shrink(const wg_checking *k);

#endif
