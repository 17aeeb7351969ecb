/* The minimum of Rosenbrock's function of a thousand variables, by Newton's method with a sparse Hessian.
 *
 * The Hessian has three diagonals. Where its entries are is read off the tape once; from then on three forward passes
 * over the gradient give all of them, and elimination without pivoting solves for the step. */
#include <stdio.h>
#include <wengert.h>

enum { N = 1000 };

/* sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2 */
static wg_tensor rosenbrock(wg_tensor x)
{
    wg_tensor here = wg_narrow(x, 0, 0, N - 1), next = wg_narrow(x, 0, 1, N - 1);
    wg_tensor valley = wg_square(wg_subtract(next, wg_square(here)));
    return wg_sum(wg_add(wg_multiply(100, valley), wg_square(wg_subtract(1, here))));
}

/* step = h^-1 g for a tridiagonal h, by rows: below the diagonal, on it, above it. */
static void solve(const wg_sparse *h, const double *g, double *step)
{
    const double *value = wg_values(h->values);
    double pivot[N], above = 0;
    for (int i = 0; i < N; i++) {
        const double *row = value + h->start[i];
        double below = i ? *row++ : 0, factor = i ? below / pivot[i - 1] : 0;
        pivot[i] = row[0] - factor * above;
        step[i] = g[i] - (i ? factor * step[i - 1] : 0);
        above = i + 1 < N ? row[1] : 0;
    }
    for (int i = N - 1; i >= 0; i--)
        step[i] = (step[i] - (i + 1 < N ? value[h->start[i + 1] - 1] * step[i + 1] : 0)) / pivot[i];
}

int main(void)
{
    wg_tape *tape = wg_tape_new();
    double at[N], step[N];
    for (int i = 0; i < N; i++)
        at[i] = 0.9;
    wg_sparsity *structure = NULL;
    for (int k = 0; k < 50 && !wg_failed(tape); k++) {
        wg_mark start = wg_tape_mark(tape);
        wg_tensor x = wg_borrow(tape, WG_FLOAT64, WG_SHAPE(N), at), f = rosenbrock(x), g;
        wg_sparse h;
        if (!structure)
            structure = wg_hessian_sparsity(f, &x, 1);
        wg_grad(f, &x, 1, &g);
        double slope = wg_item(wg_norm(g));
        printf("step %2d: f = %.3e, |g| = %.1e\n", k, wg_item(f), slope);
        if (slope < 1e-10 || wg_sparse_hessian(structure, f, &x, 1, &h))
            break;
        solve(&h, wg_values(g), step);
        wg_rewind(tape, start);
        for (int i = 0; i < N; i++)
            at[i] -= step[i];
    }
    printf("%lld of %d entries of the Hessian, in %d passes\n", (long long)wg_sparsity_pattern(structure).n, N * N,
           wg_forward_passes(structure));
    if (wg_failed(tape))
        fprintf(stderr, "%s\n", wg_error(tape));
    int failed = wg_failed(tape);
    wg_tape_free(tape);
    return failed;
}
