/* Nonlinear least squares by hand: Gauss and Newton's method and Levenberg and Marquardt's, with the Jacobian of the
 * tape.
 *
 * Both solve min |J s + r| for their step s; the latter also holds it back, sqrt(lambda) s = 0, and lets go as it
 * succeeds. Far from the solution the former may lose its way; near it they are the same. */
#include <stdio.h>
#include <wengert.h>

#include "strd.h"

enum { STEPS = 3000, RAT43 = 6 };

/* The sum of squares at b. */
static double squares_at(const strd_problem *s, wg_tape *tape, const double *b)
{
    wg_mark before = wg_tape_mark(tape);
    double sum = wg_item(wg_sum(wg_square(strd_residuals(s, wg_array(tape, WG_FLOAT64, WG_SHAPE(s->p), b)))));
    wg_rewind(tape, before);
    return sum;
}

/* step = the least squares solution of J step = -r and sqrt(lambda) step = 0, one under the other. */
static void step_from(const strd_problem *s, wg_tape *tape, const double *b, double lambda, double *step)
{
    double root[STRD_PARAMETERS * STRD_PARAMETERS] = {0};
    for (int i = 0; i < s->p; i++)
        root[i * s->p + i] = sqrt(lambda);
    wg_mark before = wg_tape_mark(tape);
    wg_tensor at = wg_array(tape, WG_FLOAT64, WG_SHAPE(s->p), b), r = strd_residuals(s, at), j;
    wg_jacobian(&r, 1, &at, 1, &j);
    wg_tensor held = wg_array(tape, WG_FLOAT64, WG_SHAPE(s->p, s->p), root),
              zero = wg_full(tape, WG_FLOAT64, WG_SHAPE(s->p), 0);
    wg_copy_out(wg_lstsq(wg_concat(WG_TENSORS(j, held)), wg_concat(WG_TENSORS(wg_negative(r), zero))), step);
    wg_rewind(tape, before);
}

/* Moves b to the solution. Returns how many steps it took, 0 where it got lost. */
static int fitted(const strd_problem *s, wg_tape *tape, bool damped, double *b)
{
    double lambda = damped ? 1 : 0, squares = squares_at(s, tape, b);
    for (int i = 1; i <= STEPS; i++) {
        double step[STRD_PARAMETERS], next[STRD_PARAMETERS], size = 0;
        step_from(s, tape, b, lambda, step);
        if (wg_failed(tape))
            return 0;
        for (int k = 0; k < s->p; k++) {
            next[k] = b[k] + step[k];
            size = fmax(size, fabs(step[k] / next[k]));
        }
        double now = squares_at(s, tape, next);
        bool taken = !damped || now <= squares;
        lambda *= taken ? 0.1 : 10;
        if (taken) {
            memcpy(b, next, sizeof next);
            squares = now;
        }
        if (size < 1e-11)
            return i;
    }
    return 0;
}

int main(void)
{
    wg_tape *tape = wg_tape_new();
    double worst = 11;
    if (!wg_has_lapack()) {
        puts("least squares take LAPACK, which this build does without");
        wg_tape_free(tape);
        return 77; /* meson: skipped */
    }
    printf("problem   start   Gauss-Newton         Levenberg-Marquardt\n");
    for (int i = 0; i < 2 * STRD_PROBLEMS; i++) {
        const strd_problem *s = &strd_problems[i / 2];
        printf("%-9s     %d", s->name, i % 2 + 1);
        for (int damped = 0; damped < 2; damped++) {
            double b[STRD_PARAMETERS];
            memcpy(b, s->start[i % 2], sizeof b);
            int steps = fitted(s, tape, damped, b);
            wg_clear_error(tape); /* a system without a solution: the method got lost */
            if (steps)
                printf("   %4d steps %4.1f digits", steps, strd_digits(s, b));
            else
                printf("   lost                  ");
            worst = damped ? fmin(worst, steps ? strd_digits(s, b) : 0) : worst;
        }
        printf("\n");
    }
    const strd_problem *drawn = &strd_problems[RAT43];
    wg_tensor b = wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(drawn->p), drawn->certified), "b");
    if (wg_draw(strd_residuals(drawn, b), "least_squares.svg")) /* no Graphviz, say */
        fprintf(stderr, "%s\n", wg_error(tape));
    wg_tape_free(tape);
    return worst < 6;
}
