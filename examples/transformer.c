/* A character-level transformer: one block of causal attention with rotary positions and a small network learns a verse
 * by heart, each character from those before it. The text is Christina Rossetti's, 1872. */
#include <stdio.h>
#include <string.h>
#include <wengert.h>

static const char verse[] = "Who has seen the wind?\nNeither I nor you:\nBut when the leaves hang trembling,\n"
                            "The wind is passing through.\n";

enum { LENGTH = sizeof verse - 2, WIDTH = 32, HEADS = 4, LETTERS = 128, PARAMS = 8 };
enum { EMBEDDING, NORM1, QKV, OUT, NORM2, UP, DOWN, HEAD };

/* [T, WIDTH] as [HEADS, T, WIDTH / HEADS], of query, key or value `which`. */
static wg_tensor heads(wg_tensor qkv, int which)
{
    wg_tensor x = wg_narrow(qkv, 1, which * WIDTH, WIDTH);
    return wg_swapaxes(wg_reshape(x, WG_SHAPE(LENGTH, HEADS, WIDTH / HEADS)), 0, 1);
}

static wg_tensor attention(const wg_tensor p[PARAMS], wg_tensor x)
{
    wg_tensor qkv = wg_linear(wg_rms_norm(x, p[NORM1]), p[QKV], WG_NONE);
    wg_tensor q = wg_rope(heads(qkv, 0), WG_NONE), k = wg_rope(heads(qkv, 1), WG_NONE), v = heads(qkv, 2);
    wg_tensor y = wg_scaled_dot_product_attention(q, k, v, WG_NONE, .is_causal = true);
    return wg_linear(wg_reshape(wg_swapaxes(y, 0, 1), WG_SHAPE(LENGTH, WIDTH)), p[OUT], WG_NONE);
}

static wg_tensor transformer(const wg_tensor p[PARAMS], wg_tensor letters)
{
    wg_tensor x = wg_embedding(p[EMBEDDING], letters);
    x = wg_add(x, attention(p, x));
    x = wg_add(x, wg_linear(wg_gelu(wg_linear(wg_rms_norm(x, p[NORM2]), p[UP], WG_NONE)), p[DOWN], WG_NONE));
    return wg_linear(x, p[HEAD], WG_NONE);
}

int main(void)
{
    int64_t letters[LENGTH + 1];
    for (int i = 0; i <= LENGTH; i++)
        letters[i] = verse[i];
    wg_tape *tape = wg_tape_new();
    wg_tensor p[PARAMS] = {
        [EMBEDDING] = wg_param(tape, "embedding", WG_SHAPE(LETTERS, WIDTH), .init = WG_XAVIER_NORMAL),
        [NORM1] = wg_param(tape, "attention.norm", WG_SHAPE(WIDTH), .init = WG_ONES),
        [QKV] = wg_param(tape, "attention.qkv", WG_SHAPE(WIDTH, 3 * WIDTH), .init = WG_XAVIER_NORMAL),
        [OUT] = wg_param(tape, "attention.out", WG_SHAPE(WIDTH, WIDTH), .init = WG_XAVIER_NORMAL),
        [NORM2] = wg_param(tape, "mlp.norm", WG_SHAPE(WIDTH), .init = WG_ONES),
        [UP] = wg_param(tape, "mlp.up", WG_SHAPE(WIDTH, 4 * WIDTH), .init = WG_XAVIER_NORMAL),
        [DOWN] = wg_param(tape, "mlp.down", WG_SHAPE(4 * WIDTH, WIDTH), .init = WG_XAVIER_NORMAL),
        [HEAD] = wg_param(tape, "head", WG_SHAPE(WIDTH, LETTERS), .init = WG_XAVIER_NORMAL),
    };
    wg_tensor before = wg_borrow(tape, WG_INT64, WG_SHAPE(LENGTH), letters);
    wg_tensor after = wg_borrow(tape, WG_INT64, WG_SHAPE(LENGTH), letters + 1);
    wg_optimizer *adam = wg_adam(p, PARAMS, .lr = 5e-3);
    wg_mark start = wg_tape_mark(tape);
    char said[LENGTH + 1] = "";
    for (int step = 0; step <= 200; step++, wg_rewind(tape, start)) {
        wg_tensor scores = transformer(p, before), loss = wg_cross_entropy(scores, after);
        wg_backward(loss);
        wg_step(adam);
        if (step % 50 == 0)
            printf("step %3d: loss %.3f\n", step, wg_item(loss));
        wg_tensor best = wg_argmax(scores, .axis = 1);
        for (int i = 0; step == 200 && i < LENGTH; i++)
            said[i] = (char)wg_element(best, i);
    }
    printf("%c%s", verse[0], said);
    if (wg_failed(tape))
        fprintf(stderr, "%s\n", wg_error(tape));
    int failed = wg_failed(tape) || strcmp(said, verse + 1) != 0;
    wg_tape_free(tape);
    return failed;
}
