/* The generated suite: properties that hold for every operation, tried on every sample call of every entry. */
#ifndef TESTS_SUITE_H
#define TESTS_SUITE_H

#include "core/tape.h"

#include <wengert.h>
#include <wengert/sample.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TRIAL_OUTPUTS 16

/* A sample call, recorded on a tape of its own, with a random cotangent and a random tangent. */
typedef struct {
    const wg_op *op;
    const char *text;
    wg_dtype dtype;
    wg_tape *tape;
    wg_sample sample;
    int n_out;
    wg_tensor out[TRIAL_OUTPUTS];
    int n_x, at[WG_SAMPLE_OPERANDS]; /* differentiable operands: which they are */
    wg_tensor x[WG_SAMPLE_OPERANDS];
    wg_tensor g[TRIAL_OUTPUTS];      /* cotangents; WG_NONE for an output without gradient */
    wg_tensor t[WG_SAMPLE_OPERANDS]; /* tangents, one a differentiable operand */
    bool smooth;                     /* some output has a gradient, and some operand */
    char *why;                       /* of SUITE_WHY bytes: what does not hold */
} trial;

#define SUITE_WHY 1024

/* Makes and records sample call `text` on the tape, which becomes the trial's. False, and `why` says it, where that
 * fails. */
bool trial_open(trial *t, wg_tape *tape, const wg_op *op, const char *text, wg_dtype dtype, char *why);
/* The same with these operands, on the tape they are on. */
bool trial_again(trial *t, const trial *as, const wg_tensor *in);
void trial_close(trial *t);
/* Records the operation once more on other operands; the random ones draw the same numbers. */
wg_status trial_record(const trial *t, const wg_tensor *in, wg_tensor *out);
/* Pulls the cotangents back to x; pushes the tangents forward. */
bool trial_pull(trial *t, const wg_tensor *g, wg_tensor *dx);
bool trial_pull_recorded(trial *t, const wg_tensor *g, wg_tensor *dx);
bool trial_push(trial *t, const wg_tensor *tangents, wg_tensor *dy);
/* Has output k a gradient? */
bool trial_differentiable(const wg_op *op, int k, wg_tensor y);

/* Says what does not hold: "sample ...: ". Returns false. */
bool wrong(const trial *t, const char *format, ...) WG_PRINTF(2, 3);
/* Are a and b of one type, and their elements closer than tolerance times the largest of either? 0: the same bits. */
bool alike(const trial *t, const char *what, wg_tensor a, wg_tensor b, double tolerance);
/* A float leaf of t's type with random elements of size 0.5 to 1.5. */
wg_tensor random_like(wg_tensor t, uint64_t seed);
wg_tensor leaf_like(wg_tensor t);
/* The sum of a b, and of |a b|. */
double inner(wg_tensor a, wg_tensor b, double *size);
double largest(wg_tensor a);

/* ---- Properties: of an open trial -------------------------------------------------------------------------------- */
/* suite_values.c */
bool values_are_finite(trial *t);
bool values_have_their_types(trial *t);
bool layouts_agree(trial *t);
bool float32_agrees(trial *t);
bool twice_is_the_same(trial *t);
bool threads_agree(trial *t);
bool operands_are_untouched(trial *t);
bool flops_are_a_number(trial *t);
bool formula_is_the_value(trial *t);
bool empty_axes_are_harmless(trial *t);
/* suite_gradients.c */
bool vjp_is_the_derivative(trial *t);
bool jvp_is_the_transpose(trial *t);
bool recorded_vjp_agrees(trial *t);
bool vjp_is_linear(trial *t);
bool zero_stays_zero(trial *t);
bool operand_given_twice(trial *t);
bool saves_are_honest(trial *t);
bool hessian_products_agree(trial *t);
bool hessian_is_the_derivative(trial *t);
bool structure_is_what_a_nan_finds(trial *t);
/* suite_entries.c: of an entry alone */
bool entry_is_complete(const wg_op *op, char *why);
bool slopes_at_points(const wg_op *op, char *why);
bool slopes_at_kinks(const wg_op *op, char *why);
bool zeros_at_points(const wg_op *op, char *why);
bool long_rows_on_threads(const wg_op *op, char *why);

#endif
