/* What a user may write, to be compiled with all warnings: see compilers.sh. */
#include <wengert.h>
#include <wengert.h>

static wg_tensor layer(wg_tensor x, wg_tensor w, wg_tensor b)
{
    return wg_relu(wg_add(wg_matmul(x, w), b));
}

int main(void)
{
    wg_tape *tape = wg_tape_new(.threads = 2);
    const float values[] = {1, 2, 3, 4, 5, 6};
    wg_tensor x = wg_name(wg_array(tape, WG_FLOAT32, WG_SHAPE(2, 3), values), "x");
    wg_tensor w = wg_param(tape, "fc.weight", WG_SHAPE(3, 4), .init = WG_HE_NORMAL);
    wg_tensor b = wg_param(tape, "fc.bias", WG_SHAPE(4));
    wg_mark start = wg_tape_mark(tape);

    WG_SCOPE(tape, "block", 1) {
        WG_NO_GRAD(tape) {
            wg_tensor y = layer(x, w, b);
            y = wg_multiply(wg_subtract(1, y), 2.5);
            y = wg_sum(y, .axis = WG_AXES(0, -1), .keepdims = true);
            y = wg_concat(WG_TENSORS(y, y), .axis = 0);
            y = wg_where(wg_less(y, 0), 0, wg_sqrt(wg_add(wg_add(wg_add(y, 1), 2), 3)));
            printf("%g\n", wg_item(wg_mean(y)));
        }
    }
    wg_tensor loss = wg_mean(wg_square(layer(x, w, b))), parameters[] = {w, b}, out[2];
    if (wg_backward(loss) || wg_grad(loss, parameters, 2, out, .create_graph = true))
        puts(wg_error(tape));
    wg_rewind(tape, start);
    wg_tape_free(tape);
    return 0;
}
