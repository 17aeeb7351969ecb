/* A neural differential equation, dz/dt = f(z) with a small network for f, by Euler's steps (Chen et al. 2018, equation
 * 1): neural_ode FILE. */
#define WG_WITHOUT_PLACES
#include <stdio.h>
#include <wengert.h>

enum { STEPS = 16 };

static wg_tensor f(wg_tensor z, const wg_tensor p[4])
{
    wg_tensor slope = WG_NONE;
    WG_SCOPE(z.tape, "f") slope = wg_linear(wg_tanh(wg_linear(z, p[0], p[1])), p[2], p[3]);
    return slope;
}

int main(int argc, char **argv)
{
    wg_tape *tape = wg_tape_new();
    if (argc != 2 || !tape) {
        fputs("usage: neural_ode FILE\n", stderr);
        return 2;
    }
    wg_tensor p[] = {
        wg_param(tape, "f.1.weight", WG_SHAPE(2, 16), .init = WG_XAVIER_NORMAL),
        wg_param(tape, "f.1.bias", WG_SHAPE(16)),
        wg_param(tape, "f.2.weight", WG_SHAPE(16, 2), .init = WG_XAVIER_NORMAL),
        wg_param(tape, "f.2.bias", WG_SHAPE(2)),
    };
    wg_tensor z = wg_name(wg_full(tape, WG_FLOAT32, WG_SHAPE(64, 2), 0.5), "z0");
    for (int i = 0; i < STEPS; i++)
        WG_SCOPE(tape, "step", i) z = wg_add(z, wg_multiply(f(z, p), 1.0 / STEPS));
    wg_tensor measured = wg_name(wg_full(tape, WG_FLOAT32, WG_SHAPE(64, 2), 1), "measured");
    wg_draw(wg_mse_loss(z, measured), argv[1], .fold = WG_FOLD_YES);
    int failed = wg_failed(tape);
    if (failed)
        fprintf(stderr, "%s\n", wg_error(tape));
    wg_tape_free(tape);
    return failed;
}
