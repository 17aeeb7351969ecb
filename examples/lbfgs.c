/* Thomson's problem: how twelve electrons settle on a sphere, by liblbfgs with the gradient of the tape. They make an
 * icosahedron, of energy 49.165253058. */
#include <lbfgs.h>
#include <stdio.h>
#include <wengert.h>

enum { N = 12 };

static const double known = 49.165253058;

/* The sum of 1 / |p_i - p_j| over pairs; p: [N, 3], each point divided by its length. */
static wg_tensor energy(wg_tensor x)
{
    wg_tensor p = wg_divide(x, wg_norm(x, .axis = 1, .keepdims = true));
    wg_tensor cosines = wg_matmul(p, wg_matrix_transpose(p));
    wg_tensor squares = wg_multiply(2, wg_subtract(1, cosines)),
              above = wg_triu(wg_full(x.tape, WG_BOOL, WG_SHAPE(N, N), 1), .k = 1);
    return wg_sum(wg_rsqrt(wg_masked_select(squares, above)));
}

static lbfgsfloatval_t evaluate(void *user, const lbfgsfloatval_t *x, lbfgsfloatval_t *g, int n, lbfgsfloatval_t step)
{
    (void)step, (void)n;
    wg_tape *tape = user;
    wg_mark before = wg_tape_mark(tape);
    wg_tensor at = wg_array(tape, WG_FLOAT64, WG_SHAPE(N, 3), x), f = energy(at), grad;
    wg_grad(f, &at, 1, &grad);
    double value = wg_item(f);
    wg_copy_out(grad, g);
    wg_rewind(tape, before);
    return value;
}

static int progress(void *user, const lbfgsfloatval_t *x, const lbfgsfloatval_t *g, lbfgsfloatval_t value,
                    lbfgsfloatval_t x_norm, lbfgsfloatval_t g_norm, lbfgsfloatval_t step, int n, int k, int evaluations)
{
    (void)user, (void)x, (void)g, (void)x_norm, (void)step, (void)n;
    if (k % 10 == 1)
        printf("step %2d: energy %.9f, |g| %.1e, %d evaluations\n", k, value, g_norm, evaluations);
    return 0;
}

int main(void)
{
    wg_tape *tape = wg_tape_new(.seed = 4);
    wg_mark start = wg_tape_mark(tape);
    wg_tensor first = wg_name(wg_normal(tape, 0, 1, .shape = WG_SHAPE(N, 3)), "x");
    lbfgsfloatval_t *x = lbfgs_malloc(3 * N), value = 0;
    lbfgs_parameter_t how;
    lbfgs_parameter_init(&how);
    how.epsilon = 1e-9;
    wg_copy_out(first, x);
    if (wg_draw(energy(first), "lbfgs.svg")) { /* no Graphviz, say */
        fprintf(stderr, "%s\n", wg_error(tape));
        wg_clear_error(tape);
    }
    wg_rewind(tape, start);
    int why = lbfgs(3 * N, x, &value, evaluate, progress, tape, &how);
    printf("energy %.9f; an icosahedron has %.9f\n", value, known);
    int failed = wg_failed(tape) || why < 0 || fabs(value - known) > 1e-8;
    if (failed)
        fprintf(stderr, "lbfgs gives %d; %s\n", why, wg_failed(tape) ? wg_error(tape) : "the tape is sound");
    lbfgs_free(x);
    wg_tape_free(tape);
    return failed;
}
