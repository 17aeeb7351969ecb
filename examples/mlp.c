/* A multilayer perceptron learns to tell clothes apart. The data are Fashion-MNIST's four files, as Debian's package
 * dataset-fashion-mnist has them; another folder may be named on the command line. */
#include <stdio.h>
#include <wengert.h>

static wg_tensor mlp(const wg_tensor p[4], wg_tensor x)
{
    wg_tensor h = wg_relu(wg_linear(x, p[0], p[1]));
    return wg_linear(h, p[2], p[3]);
}

static wg_data *images(wg_tape *tape, const char *folder, const char *part)
{
    char x[512], y[512];
    snprintf(x, sizeof x, "%s/%s-images-idx3-ubyte.gz", folder, part);
    snprintf(y, sizeof y, "%s/%s-labels-idx1-ubyte.gz", folder, part);
    return wg_data_idx(tape, x, y);
}

static double accuracy(wg_tape *tape, const wg_tensor p[4], wg_data *data)
{
    double right = 0;
    wg_mark start = wg_tape_mark(tape);
    WG_NO_GRAD(tape)
    for (wg_batch b; wg_data_next(data, 1000, &b); wg_rewind(tape, start))
        right += wg_item(wg_count_nonzero(wg_equal(wg_argmax(mlp(p, b.x), .axis = 1), b.y)));
    return right / (double)wg_data_size(data);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "/usr/share/datasets/fashion-mnist";
    wg_tape *tape = wg_tape_new();
    wg_data *train = images(tape, folder, "train"), *test = images(tape, folder, "t10k");
    wg_tensor p[] = {
        wg_param(tape, "fc1.weight", WG_SHAPE(784, 128), .init = WG_HE_NORMAL),
        wg_param(tape, "fc1.bias", WG_SHAPE(128)),
        wg_param(tape, "fc2.weight", WG_SHAPE(128, 10), .init = WG_XAVIER_UNIFORM),
        wg_param(tape, "fc2.bias", WG_SHAPE(10)),
    };
    wg_optimizer *adam = wg_adam(p, 4, .lr = 1e-3);
    wg_mark start = wg_tape_mark(tape);
    for (int epoch = 0; epoch < 3 && !wg_failed(tape); epoch++) {
        double total = 0;
        for (wg_batch b; wg_data_next(train, 64, &b); wg_rewind(tape, start)) {
            wg_tensor loss = wg_cross_entropy(mlp(p, b.x), b.y);
            wg_backward(loss);
            wg_step(adam);
            total += wg_item(loss);
        }
        printf("epoch %d: loss %.4f, test accuracy %.4f\n", epoch, total / (double)wg_data_batches(train, 64),
               accuracy(tape, p, test));
    }
    if (wg_failed(tape))
        fprintf(stderr, "%s\n", wg_error(tape));
    int failed = wg_failed(tape);
    wg_tape_free(tape);
    return failed;
}
