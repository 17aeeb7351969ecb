/* Two clouds of points, told apart by a straight line: logistic regression by Newton's method. The gradient and the
 * Hessian come from the tape (one Hessian-vector product a column), the 3 x 3 system is solved by hand. */
#include <stdio.h>
#include <wengert.h>

enum { N = 200, P = 3 };

static void clouds(double x[N][P], double y[N])
{
    for (int i = 0; i < N; i++) {
        double side = i % 2 ? 1 : -1, angle = 2.399963 * i, radius = 1.6 * sqrt((double)i / N);
        x[i][0] = side + radius * cos(angle);
        x[i][1] = 0.5 * side + radius * sin(angle);
        x[i][2] = 1; /* the offset */
        y[i] = side > 0;
    }
}

/* Solves a x = b for a positive definite a, by elimination. */
static void solve(double a[P][P], const double *b, double *x)
{
    double m[P][P + 1];
    for (int i = 0; i < P; i++)
        for (int j = 0; j <= P; j++)
            m[i][j] = j < P ? a[i][j] : b[i];
    for (int k = 0; k < P; k++)
        for (int i = k + 1; i < P; i++)
            for (int j = P; j >= k; j--)
                m[i][j] -= m[i][k] / m[k][k] * m[k][j];
    for (int i = P - 1; i >= 0; i--) {
        x[i] = m[i][P];
        for (int j = i + 1; j < P; j++)
            x[i] -= m[i][j] * x[j];
        x[i] /= m[i][i];
    }
}

int main(void)
{
    static double x[N][P], y[N];
    clouds(x, y);
    wg_tape *tape = wg_tape_new();
    wg_tensor points = wg_array(tape, WG_FLOAT64, WG_SHAPE(N, P), x),
              classes = wg_array(tape, WG_FLOAT64, WG_SHAPE(N), y);
    double w[P] = {0};
    wg_mark start = wg_tape_mark(tape);
    for (int step = 0; step < 8; step++, wg_rewind(tape, start)) {
        wg_tensor weights = wg_array(tape, WG_FLOAT64, WG_SHAPE(P), w), grad, column;
        wg_tensor loss = wg_add(wg_binary_cross_entropy_with_logits(wg_matmul(points, weights), classes),
                                wg_multiply(1e-4, wg_sum(wg_square(weights))));
        wg_grad(loss, &weights, 1, &grad);
        double g[P], h[P][P], move[P], norm = 0;
        wg_copy_out(grad, g);
        for (int k = 0; k < P; k++) {
            double unit[P] = {0};
            unit[k] = 1;
            wg_tensor direction = wg_array(tape, WG_FLOAT64, WG_SHAPE(P), unit);
            wg_hvp(loss, &weights, &direction, 1, &column);
            wg_copy_out(column, h[k]);
            norm += g[k] * g[k];
        }
        printf("step %d: loss %.10f, gradient %.1e\n", step, wg_item(loss), sqrt(norm));
        solve(h, g, move);
        for (int k = 0; k < P; k++)
            w[k] -= move[k];
        if (norm < 1e-24)
            break;
    }
    printf("p(1) = sigmoid(%.3f x %+.3f y %+.3f)\n", w[0], w[1], w[2]);
    if (wg_failed(tape))
        fprintf(stderr, "%s\n", wg_error(tape));
    int failed = wg_failed(tape);
    wg_tape_free(tape);
    return failed;
}
