/* The soap film of least area over a square wire, by Newton's method with conjugate gradients: the Hessian of 3969
 * heights is never held, only multiplied with vectors (wg_hvp), as exactly as the distance to the minimum asks for.
 *
 * The wire follows Scherk's surface z = log(cos y / cos x) of 1834, which is minimal: the answer is known. */
#include <stdio.h>
#include <wengert.h>

enum { N = 65, INNER = N - 2, M = INNER * INNER }; /* points a side, of which the inner ones move */

/* At point (i, j) of the square [-1, 1]^2. */
static double scherk(int i, int j)
{
    double x = 2.0 * i / (N - 1) - 1, y = 2.0 * j / (N - 1) - 1;
    return log(cos(y) / cos(x));
}

/* The area of the triangles, two a cell, over it. frame: the wire, [N, N], 0 inside. */
static wg_tensor area(wg_tensor z, wg_tensor frame)
{
    const double h = 2.0 / (N - 1);
    wg_tensor all = wg_add(wg_pad(wg_reshape(z, WG_SHAPE(INNER, INNER)), .pad_width = {{1, 1}, {1, 1}}), frame);
    wg_tensor low = wg_narrow(all, 0, 0, N - 1), high = wg_narrow(all, 0, 1, N - 1);
    wg_tensor a = wg_narrow(low, 1, 0, N - 1), b = wg_narrow(low, 1, 1, N - 1);
    wg_tensor c = wg_narrow(high, 1, 0, N - 1), d = wg_narrow(high, 1, 1, N - 1);
    wg_tensor lower = wg_add(wg_square(wg_subtract(c, a)), wg_square(wg_subtract(b, a)));
    wg_tensor upper = wg_add(wg_square(wg_subtract(d, b)), wg_square(wg_subtract(d, c)));
    wg_tensor slopes = wg_multiply(1 / (h * h), wg_stack(WG_TENSORS(lower, upper)));
    return wg_multiply(h * h / 2, wg_sum(wg_sqrt(wg_add(1, slopes))));
}

static double dot(const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < M; i++)
        sum += a[i] * b[i];
    return sum;
}

/* step = -H^-1 g to a residual of `enough`, by conjugate gradients. Returns how many products with H it took. */
static int newton_step(wg_tensor f, wg_tensor z, const double *g, double enough, double *step)
{
    static double r[M], p[M], hp[M];
    double rr = dot(g, g);
    for (int i = 0; i < M; i++) {
        step[i] = 0;
        p[i] = r[i] = -g[i];
    }
    int products = 0;
    for (; products < M && sqrt(rr) > enough; products++) {
        wg_mark before = wg_tape_mark(z.tape);
        wg_tensor v = wg_borrow(z.tape, WG_FLOAT64, WG_SHAPE(M), p), out;
        if (wg_hvp(f, &z, &v, 1, &out) || wg_copy_out(out, hp))
            return products;
        wg_rewind(z.tape, before);
        double along = rr / dot(p, hp), old = rr;
        for (int i = 0; i < M; i++) {
            step[i] += along * p[i];
            r[i] -= along * hp[i];
        }
        rr = dot(r, r);
        for (int i = 0; i < M; i++)
            p[i] = r[i] + rr / old * p[i];
    }
    return products;
}

int main(void)
{
    static double z[M], wire[N][N], g[M], step[M];
    double worst = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            wire[i][j] = i && j && i < N - 1 && j < N - 1 ? 0 : scherk(i, j);
    wg_tape *tape = wg_tape_new();
    wg_tensor frame = wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(N, N), wire), "wire");
    wg_mark start = wg_tape_mark(tape);
    for (int k = 0; k < 30 && !wg_failed(tape); k++, wg_rewind(tape, start)) {
        wg_tensor at = wg_name(wg_borrow(tape, WG_FLOAT64, WG_SHAPE(M), z), "z"), f = area(at, frame), grad;
        if (k == 0)
            wg_draw(f, "newton_cg.svg");
        wg_clear_error(tape); /* no Graphviz, say */
        if (wg_grad(f, &at, 1, &grad) || wg_copy_out(grad, g))
            break;
        double norm = sqrt(dot(g, g));
        printf("step %2d: area %.9f, |g| %.1e", k, wg_item(f), norm);
        if (norm < 1e-13) {
            printf("\n");
            break;
        }
        printf(", %3d products with the Hessian\n", newton_step(f, at, g, norm * fmin(0.1, sqrt(norm)), step));
        for (int i = 0; i < M; i++)
            z[i] += step[i];
    }
    for (int i = 0; i < M; i++)
        worst = fmax(worst, fabs(z[i] - scherk(i / INNER + 1, i % INNER + 1)));
    printf("from Scherk's surface: %.1e at most\n", worst);
    if (wg_failed(tape))
        fprintf(stderr, "%s\n", wg_error(tape));
    int failed = wg_failed(tape) || worst > 1e-4;
    wg_tape_free(tape);
    return failed;
}
