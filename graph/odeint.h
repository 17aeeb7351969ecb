/* What integrating an equation and its adjoint share. Private to graph/. */
#ifndef GRAPH_ODEINT_H
#define GRAPH_ODEINT_H

#include "graph/closure.h"

#define WG_ODE_STAGES 7

/* A Runge-Kutta method: stage i at time c[i], of the stages before by a[i]; y by b; the error by d = b - b^. The last
 * stage of one that is `first_same_as_last` is the first of the next step. */
typedef struct {
    int stages;
    bool first_same_as_last;
    double a[WG_ODE_STAGES][WG_ODE_STAGES - 1], b[WG_ODE_STAGES], c[WG_ODE_STAGES], d[WG_ODE_STAGES];
} wg_ode_steps;

typedef struct {
    wg_tape *tape;
    wg_body *f;
    void *user;
    const wg_odeint_options *o;
    const wg_ode_steps *m;
    wg_type type;
    wg_tensor start, span;      /* of the interval at hand, 0-d */
    wg_tensor k[WG_ODE_STAGES]; /* the stages of the last step */
    bool warm;                  /* k[0] is that of the step to come */
    bool lean;                  /* nothing is differentiated, and steps are not kept */
    void *room;                 /* of a lean one: for y's numbers */
    int64_t steps;              /* tried */
} wg_integration;

bool wg_integration_begin(wg_integration *s, wg_tape *tape, wg_body *f, void *user, const wg_odeint_options *o,
                          const wg_type *type, bool lean);
/* dy/dt; invalid, and the error reported, where f gives something else. */
wg_tensor wg_ode_slope(const wg_integration *s, wg_tensor t, wg_tensor y);
/* y at the end of the interval; *part is the length of the next step to try, as part of it. */
wg_tensor wg_ode_over_interval(wg_integration *s, wg_tensor y, double *part);
/* y at all times, stacked. */
wg_tensor wg_integrated(wg_integration *s, wg_tensor y, wg_tensor t);

/* The same as one node, whose gradient is the solution of the adjoint equation. */
wg_tensor wg_ode_adjoint(wg_tape *tape, wg_body *f, wg_tensor y0, wg_tensor t, const wg_odeint_options *o);

#endif
