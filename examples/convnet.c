/* A small convolutional net: two convolutions, two poolings and one product tell four kinds of strokes apart. The
 * pictures are drawn by the program, 12 x 12 pixels with noise: horizontal, vertical, rising and falling lines. */
#include <stdio.h>
#include <stdlib.h>
#include <wengert.h>

enum { SIDE = 12, CLASSES = 4, BATCH = 32, PARAMS = 6 };

static double noise(void) { return (double)rand() / RAND_MAX; }

static void strokes(float images[BATCH][1][SIDE][SIDE], int64_t labels[BATCH])
{
    for (int n = 0; n < BATCH; n++) {
        int kind = (int)(labels[n] = rand() % CLASSES), at = rand() % 5 - 2;
        for (int r = 0; r < SIDE; r++)
            for (int c = 0; c < SIDE; c++) {
                int off = kind == 0 ? r - SIDE / 2 : kind == 1 ? c - SIDE / 2 : kind == 2 ? r + c - SIDE + 1 : r - c;
                images[n][0][r][c] = (float)((abs(off - at) <= 1 ? 0.6 : 0.0) + 0.6 * noise());
            }
    }
}

static wg_tensor net(const wg_tensor p[PARAMS], wg_tensor x)
{
    wg_tensor h = wg_relu(wg_conv2d(x, p[0], p[1], .padding = {1, 1}));
    h = wg_max_pool2d(h, .kernel_size = {2, 2});
    h = wg_relu(wg_conv2d(h, p[2], p[3], .padding = {1, 1}));
    h = wg_max_pool2d(h, .kernel_size = {2, 2});
    return wg_linear(wg_flatten(h, .start_axis = 1), p[4], p[5]);
}

int main(void)
{
    static float images[BATCH][1][SIDE][SIDE];
    static int64_t labels[BATCH];
    wg_tape *tape = wg_tape_new(.threads = 2);
    wg_tensor p[PARAMS] = {
        wg_param(tape, "conv1.weight", WG_SHAPE(8, 1, 3, 3), .init = WG_HE_NORMAL),
        wg_param(tape, "conv1.bias", WG_SHAPE(8)),
        wg_param(tape, "conv2.weight", WG_SHAPE(8, 8, 3, 3), .init = WG_HE_NORMAL),
        wg_param(tape, "conv2.bias", WG_SHAPE(8)),
        wg_param(tape, "head.weight", WG_SHAPE(8 * SIDE * SIDE / 16, CLASSES), .init = WG_XAVIER_UNIFORM),
        wg_param(tape, "head.bias", WG_SHAPE(CLASSES)),
    };
    wg_optimizer *adam = wg_adam(p, PARAMS, .lr = 3e-3);
    wg_mark start = wg_tape_mark(tape);
    double right = 0;
    srand(1);
    for (int step = 1; step <= 150; step++, wg_rewind(tape, start)) {
        strokes(images, labels);
        wg_tensor x = wg_name(wg_borrow(tape, WG_FLOAT32, WG_SHAPE(BATCH, 1, SIDE, SIDE), images), "x");
        wg_tensor y = wg_name(wg_borrow(tape, WG_INT64, WG_SHAPE(BATCH), labels), "y");
        wg_tensor scores = net(p, x), loss = wg_cross_entropy(scores, y);
        wg_backward(loss);
        if (step == 1)
            wg_draw(loss, "convnet.dot");
        wg_step(adam);
        right += wg_item(wg_count_nonzero(wg_equal(wg_argmax(scores, .axis = 1), y)));
        if (step % 50 == 0) {
            printf("step %3d: loss %.4f, accuracy %.3f\n", step, wg_item(loss), right / (50 * BATCH));
            right = 0;
        }
    }
    if (wg_failed(tape))
        fprintf(stderr, "%s\n", wg_error(tape));
    int failed = wg_failed(tape);
    wg_tape_free(tape);
    return failed;
}
