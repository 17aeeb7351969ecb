/* Nonlinear regression with GSL's Levenberg-Marquardt solver, which asks for residuals and their Jacobian: both come
 * from the tape. The problems are NIST's, whose solutions are certified; the last column says how many digits are
 * met. */
#include <gsl/gsl_blas.h>
#include <gsl/gsl_multifit_nlinear.h>
#include <stdio.h>
#include <wengert.h>

#include "strd.h"

typedef struct {
    wg_tape *tape;
    const strd_problem *problem;
} regression;

static int residuals(const gsl_vector *b, void *user, gsl_vector *f)
{
    const regression *r = user;
    wg_mark before = wg_tape_mark(r->tape);
    wg_tensor at = wg_array(r->tape, WG_FLOAT64, WG_SHAPE(r->problem->p), b->data);
    wg_status status = wg_copy_out(strd_residuals(r->problem, at), f->data);
    wg_rewind(r->tape, before);
    return status ? GSL_FAILURE : GSL_SUCCESS;
}

/* [n, p]: one call, whose result is laid out as GSL's matrices are. */
static int jacobian(const gsl_vector *b, void *user, gsl_matrix *j)
{
    const regression *r = user;
    wg_mark before = wg_tape_mark(r->tape);
    wg_tensor at = wg_array(r->tape, WG_FLOAT64, WG_SHAPE(r->problem->p), b->data), out;
    wg_tensor f = strd_residuals(r->problem, at);
    int status = wg_jacobian(&f, 1, &at, 1, &out) || wg_copy_out(out, j->data);
    wg_rewind(r->tape, before);
    return status ? GSL_FAILURE : GSL_SUCCESS;
}

/* Solves one problem from one start; its certified digits. */
static double solved(regression *r, int start)
{
    const strd_problem *s = r->problem;
    gsl_multifit_nlinear_fdf fdf = {.f = residuals, .df = jacobian, .n = (size_t)s->n, .p = (size_t)s->p, .params = r};
    gsl_multifit_nlinear_parameters how = gsl_multifit_nlinear_default_parameters();
    how.solver = gsl_multifit_nlinear_solver_svd;   /* the most exact */
    how.scale = gsl_multifit_nlinear_scale_levenberg; /* the only one that meets BoxBOD from (1, 1) */
    gsl_multifit_nlinear_workspace *w = gsl_multifit_nlinear_alloc(gsl_multifit_nlinear_trust, &how, fdf.n, fdf.p);
    gsl_vector_const_view from = gsl_vector_const_view_array(s->start[start], fdf.p);
    int why;
    gsl_multifit_nlinear_init(&from.vector, &fdf, w);
    gsl_multifit_nlinear_driver(2000, 1e-15, 1e-15, 0, NULL, NULL, &why, w);
    double squares, digits = strd_digits(s, gsl_multifit_nlinear_position(w)->data);
    gsl_blas_ddot(gsl_multifit_nlinear_residual(w), gsl_multifit_nlinear_residual(w), &squares);
    printf("%-9s %d %2d %10zu %10zu   %.9e  %4.1f\n", s->name, start + 1, s->p, gsl_multifit_nlinear_niter(w),
           fdf.nevaldf, squares, digits);
    gsl_multifit_nlinear_free(w);
    return digits;
}

int main(void)
{
    regression r = {.tape = wg_tape_new()};
    double worst = 11;
    gsl_set_error_handler_off();
    printf("problem start p iterations  Jacobians   sum of squares  digits\n");
    for (int i = 0; i < STRD_PROBLEMS; i++)
        for (int start = 0; start < 2; start++) {
            r.problem = &strd_problems[i];
            worst = fmin(worst, solved(&r, start));
        }
    wg_tensor b = wg_name(wg_array(r.tape, WG_FLOAT64, WG_SHAPE(r.problem->p), r.problem->certified), "b");
    if (wg_draw(strd_residuals(r.problem, b), "regression_gsl.svg")) { /* no Graphviz, say */
        fprintf(stderr, "%s\n", wg_error(r.tape));
        wg_clear_error(r.tape);
    }
    printf("every parameter is right to %.1f digits or more\n", worst);
    if (wg_failed(r.tape))
        fprintf(stderr, "%s\n", wg_error(r.tape));
    int failed = wg_failed(r.tape) || worst < 6;
    wg_tape_free(r.tape);
    return failed;
}
