/* The program of the README: a network learns exclusive or, and is drawn. */
#include <stdio.h>
#include <wengert.h>

int main(void)
{
    const double corners[] = {0, 0, 0, 1, 1, 0, 1, 1}, xor[] = {0, 1, 1, 0};
    wg_tape *tape = wg_tape_new();
    wg_tensor x = wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(4, 2), corners), "x");
    wg_tensor y = wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(4, 1), xor), "y");
    wg_tensor p[] = {
        wg_param(tape, "hidden.weight", WG_SHAPE(2, 8), .dtype = WG_FLOAT64, .init = WG_XAVIER_NORMAL),
        wg_param(tape, "hidden.bias", WG_SHAPE(8), .dtype = WG_FLOAT64),
        wg_param(tape, "output.weight", WG_SHAPE(8, 1), .dtype = WG_FLOAT64, .init = WG_XAVIER_NORMAL),
        wg_param(tape, "output.bias", WG_SHAPE(1), .dtype = WG_FLOAT64),
    };
    wg_optimizer *adam = wg_adam(p, 4, .lr = 0.02);
    wg_mark start = wg_tape_mark(tape);
    for (int step = 0; step <= 200; step++, wg_rewind(tape, start)) {
        wg_tensor h = wg_tanh(wg_linear(x, p[0], p[1]));
        wg_tensor loss = wg_mse_loss(wg_linear(h, p[2], p[3]), y);
        wg_backward(loss);
        if (step % 50 == 0)
            printf("step %3d: loss %.3f\n", step, wg_item(loss));
        if (step == 200)
            wg_draw(loss, "first.svg");
        wg_step(adam);
    }
    if (wg_failed(tape))
        printf("%s\n", wg_error(tape));
    wg_tape_free(tape);
}
