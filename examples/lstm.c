/* The adding problem (Hochreiter and Schmidhuber 1997): of a sequence of numbers, two are marked; what is their sum?
 * The network has to keep the first until it meets the second. Guessing the mean has a loss of 1/6. */
#include <stdio.h>
#include <stdlib.h>
#include <wengert.h>

enum { STEPS = 12, BATCH = 32, HIDDEN = 16, PARAMS = 5 };

static float between_0_and_1(void) { return (float)rand() / (float)RAND_MAX; }

static void sequences(float x[STEPS][BATCH][2], float sum[BATCH][1])
{
    for (int n = 0; n < BATCH; n++) {
        int first = rand() % (STEPS / 2), second = STEPS / 2 + rand() % (STEPS / 2);
        for (int t = 0; t < STEPS; t++) {
            x[t][n][0] = between_0_and_1();
            x[t][n][1] = t == first || t == second;
        }
        sum[n][0] = x[first][n][0] + x[second][n][0];
    }
}

int main(void)
{
    static float x[STEPS][BATCH][2], sum[BATCH][1];
    wg_tape *tape = wg_tape_new();
    wg_tensor p[PARAMS] = {
        wg_param(tape, "lstm.w_ih", WG_SHAPE(2, 4 * HIDDEN), .init = WG_XAVIER_UNIFORM),
        wg_param(tape, "lstm.w_hh", WG_SHAPE(HIDDEN, 4 * HIDDEN), .init = WG_ORTHOGONAL),
        wg_param(tape, "lstm.bias", WG_SHAPE(4 * HIDDEN)),
        wg_param(tape, "head.weight", WG_SHAPE(HIDDEN, 1), .init = WG_XAVIER_UNIFORM),
        wg_param(tape, "head.bias", WG_SHAPE(1)),
    };
    wg_tensor zero = wg_full(tape, WG_FLOAT32, WG_SHAPE(BATCH, HIDDEN), 0);
    wg_optimizer *adam = wg_adam(p, PARAMS, .lr = 1e-2);
    wg_mark start = wg_tape_mark(tape);
    double total = 0, last = 1;
    srand(1);
    for (int step = 1; step <= 600; step++, wg_rewind(tape, start)) {
        sequences(x, sum);
        wg_tensor in = wg_borrow(tape, WG_FLOAT32, WG_SHAPE(STEPS, BATCH, 2), x);
        wg_tensor target = wg_borrow(tape, WG_FLOAT32, WG_SHAPE(BATCH, 1), sum);
        wg_lstm_result state = wg_lstm(in, zero, zero, p[0], p[1], p[2], WG_NONE);
        wg_tensor loss = wg_mse_loss(wg_linear(state.h, p[3], p[4]), target);
        wg_backward(loss);
        wg_step(adam);
        total += wg_item(loss);
        if (step % 100 == 0) {
            printf("step %3d: loss %.4f\n", step, last = total / 100);
            total = 0;
        }
    }
    if (wg_failed(tape))
        fprintf(stderr, "%s\n", wg_error(tape));
    int failed = wg_failed(tape) || !(last < 0.02);
    wg_tape_free(tape);
    return failed;
}
