/* A layer with a hand-written swish, and its gradient, compiled: as they were recorded, and as they run.
 * compiled before|after FILE. */
#define WG_WITHOUT_PLACES
#include <stdio.h>
#include <string.h>
#include <wengert.h>

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    wg_tape *tape = wg_tape_new();
    wg_tensor w = wg_param(tape, "fc.weight", WG_SHAPE(100, 32)), b = wg_param(tape, "fc.bias", WG_SHAPE(32)),
              h = WG_NONE;
    wg_tensor x = wg_name(wg_full(tape, WG_FLOAT32, WG_SHAPE(64, 100), 0.5), "x"),
              y = wg_name(wg_full(tape, WG_FLOAT32, WG_SHAPE(64, 32), 0.25), "y");
    h = wg_add(wg_multiply(wg_linear(x, w, b), 2), 1);
    h = wg_multiply(h, wg_sigmoid(wg_multiply(h, 1.5)));
    wg_tensor loss = wg_mse_loss(h, y);
    wg_function *f = wg_compile(tape, WG_TENSORS(x, y), WG_TENSORS(loss), .backward = true);
    wg_function_draw(f, argv[2], .before = !strcmp(argv[1], "before"), .draw.title = argv[1]);
    bool failed = wg_failed(tape);
    if (failed)
        fprintf(stderr, "%s\n", wg_error(tape));
    wg_tape_free(tape);
    return failed;
}
