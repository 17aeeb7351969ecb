/* What the floors of GradBench's evaluations share. */
#ifndef FLOOR_GRADBENCH_H
#define FLOOR_GRADBENCH_H

#include "floor.h"

#include <math.h>

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__OPTIMIZE__)
__attribute__((simd("notinbranch"), const)) double exp(double);
__attribute__((simd("notinbranch"), const)) double log(double);
#endif

#define MOST 12

/* One evaluation at one size. */
typedef struct {
    int64_t size[4];
    double *in[MOST], *room[MOST]; /* inputs; memory that a run may use */
    int64_t *index[4];
    double *out; /* what the runs leave, n_out numbers */
    int64_t n_out;
} work;

double *reals(int64_t n);
int64_t *indices(int64_t n);
/* The benchmarks' own numbers: input number k, in [0, 1); in [-1.7, 1.7), which is a variance of about 1. */
double *uniform(int64_t n, uint64_t k);
double *spread(int64_t n, uint64_t k);

#define FLOOR(name) void name##_prepare(work *w), name##_primal(work *w), name##_derivative(work *w)
FLOOR(lse);
FLOOR(llsq);
FLOOR(kmeans);
FLOOR(det);
FLOOR(ode);
FLOOR(gmm);
FLOOR(lstm);
FLOOR(ba);

#endif
