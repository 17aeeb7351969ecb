/* The C of linear algebra: plain small routines in double, whatever the dtype is, with which the operations' texts are
 * written. Private to ops/. */
#ifndef OPS_LINALG_CODE_H
#define OPS_LINALG_CODE_H

#include "ops/code.h"

/* Matrices are row-major, pivots of int32_t; `room` is to work in.
 *     cholesky_of(n, a)                         a = l in its lower triangle; not 0 where a is not definite
 *     lu_of(m, n, a, pivot)                     a = its factors, rows exchanged for the largest pivot
 *     lu_singular(n, a, pivot, room, epsilon)   the same of a square; is its condition beyond 1 / epsilon? room [3 n]
 *     lu_solve(n, columns, lu, pivot, b)        b = a^-1 b
 *     lu_estimate(n, lu, pivot, room)           about the 1-norm of a^-1
 *     substitute(n, columns, a, lower, transpose, unit, b)
 *     reflectors(m, n, a, tau)                  a = r above reflectors; apply_q(m, n, a, tau, transpose, columns, b)
 *     eigen_of(n, a, v)                         a's diagonal ascending, v's columns; not 0 where it does not converge
 *     svd_of(m, n, u, s, v)                     u, m >= n, overwritten by its left vectors
 *     expm_of(n, a, room, pivot)                a = exp(a), room [6 n n] */
extern const wg_helper *const wg_helpers_linalg[];

/* Loops over the matrices of y, whose last `core` axes are its own: with those of operands 0 and 1 (a vector as
 * operand 1 is everybody's) from at_a and at_b on, and their number q. */
void wg_systems_begin(const wg_call *c, wg_code *w, int core);
wg_status wg_systems_end(const wg_call *c, wg_code *w, int core);
/* Loops over the n-by-n, or m-by-n, matrices of operand 0: their number q. Names them. */
void wg_matrices_begin(const wg_call *c, wg_code *w);
wg_status wg_matrices_end(wg_code *w);

/* For TEXT_OF: n numbers into an array of doubles, checked or not, and back. */
#define WG_LOAD_ANY(n_, to, from) for (int i = 0; i < n_; i++) to[i] = (double)from;
#define WG_LOAD(n_, to, from)                                                                                          \
    for (int i = 0; i < n_; i++) {                                                                                     \
        to[i] = (double)from;                                                                                          \
        if (!isfinite_T(to[i]))                                                                                        \
            BREAKDOWN;                                                                                                 \
    }
#define WG_PUT(n_, to, from) for (int i = 0; i < n_; i++) to = (T)from;
/* Both triangles from the one that is read. */
#define WG_LOAD_SYMMETRIC(to, from)                                                                                    \
    for (int i = 0; i < n; i++)                                                                                        \
        for (int j = 0; j <= i; j++) {                                                                                 \
            to[i * n + j] = (double)from[q * n * n + (lower ? i * n + j : j * n + i)];                                 \
            to[j * n + i] = to[i * n + j];                                                                             \
            if (!isfinite_T(to[i * n + j]))                                                                            \
                BREAKDOWN;                                                                                             \
        }

#endif
