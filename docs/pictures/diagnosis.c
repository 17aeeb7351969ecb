/* Three things are wrong with this step: a logarithm of negative numbers, a layer behind stop_gradient, a parameter
 * that nothing uses. They are told on standard output, and the first is marked in the picture. diagnosis FILE. */
#define WG_WITHOUT_PLACES
#include <stdio.h>
#include <wengert.h>

enum { SAMPLES = 64, UNITS = 10 };

/* Sixteenths from 1/16 to 1. */
static wg_tensor positive(wg_tape *tape)
{
    float v[SAMPLES * UNITS];
    for (int i = 0; i < SAMPLES * UNITS; i++)
        v[i] = (float)(i * 7 % 16 + 1) / 16;
    return wg_name(wg_array(tape, WG_FLOAT32, WG_SHAPE(SAMPLES, UNITS), v), "x");
}

/* The identity, but that unit 1 is less by half of unit 0. */
static wg_tensor nearly_identity(wg_tape *tape, const char *name)
{
    float v[UNITS * UNITS] = {0};
    for (int i = 0; i < UNITS; i++)
        v[i * UNITS + i] = 1;
    v[1] = -0.5F;
    return wg_param(tape, name, WG_SHAPE(UNITS, UNITS), .data = v);
}

int main(int argc, char **argv)
{
    wg_tape *tape = wg_tape_new();
    if (argc != 2 || !tape) {
        fputs("usage: diagnosis FILE\n", stderr);
        return 2;
    }
    wg_diagnosis *diagnosis = wg_diagnosis_begin(tape);
    wg_tensor x = positive(tape), w = nearly_identity(tape, "w"), v = nearly_identity(tape, "v");
    nearly_identity(tape, "spare");
    wg_tensor likely = wg_mean(wg_log(wg_matmul(x, w)));
    wg_tensor small = wg_mean(wg_square(wg_stop_gradient(wg_matmul(x, v))));
    wg_tensor loss = wg_subtract(small, likely);
    wg_backward(loss);
    wg_diagnose(diagnosis, loss);
    wg_diagnosis_print(diagnosis, stdout);
    wg_draw(loss, argv[1], .diagnosis = diagnosis);
    int failed = wg_failed(tape);
    if (failed)
        fprintf(stderr, "%s\n", wg_error(tape));
    wg_tape_free(tape);
    return failed;
}
