/* A straight line through noisy points: the least that gradient descent can do. Prints the line it found and the one
 * that the points came from. */
#include <stdio.h>
#include <wengert.h>

enum { N = 100 };

int main(void)
{
    wg_tape *tape = wg_tape_new();
    double x[N], y[N];
    for (int i = 0; i < N; i++) {
        x[i] = -1 + 2.0 * i / (N - 1);
        y[i] = 3 * x[i] - 0.5 + 0.1 * sin(37.0 * i); /* as good as noise */
    }
    wg_tensor points = wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(N, 1), x), "x");
    wg_tensor values = wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(N, 1), y), "y");
    wg_tensor line[] = {
        wg_param(tape, "line.slope", WG_SHAPE(1, 1), .dtype = WG_FLOAT64),
        wg_param(tape, "line.offset", WG_SHAPE(1), .dtype = WG_FLOAT64),
    };
    wg_optimizer *descent = wg_sgd(line, 2, .lr = 0.1);
    wg_mark start = wg_tape_mark(tape);
    for (int step = 0; step < 200; step++, wg_rewind(tape, start)) {
        wg_tensor loss = wg_mse_loss(wg_linear(points, line[0], line[1]), values);
        wg_backward(loss);
        wg_step(descent);
        if (step % 50 == 0)
            printf("step %3d: loss %.6f\n", step, wg_item(loss));
    }
    printf("y = %.3f x %+.3f, drawn from y = 3 x - 0.5\n", wg_item(line[0]), wg_item(line[1]));
    if (wg_failed(tape))
        fprintf(stderr, "%s\n", wg_error(tape));
    int failed = wg_failed(tape);
    wg_tape_free(tape);
    return failed;
}
