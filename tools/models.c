/* The built-in networks. Who looks at them does not have this file: they are recorded without places. One call follows
 * the other where both record, since the order in which C evaluates arguments is free and the pictures are to be the
 * same. */
#define WG_WITHOUT_PLACES
#include "models.h"

/* ---- Data -------------------------------------------------------------------------------------------------------- */
/* In [-1, 1): the golden ratio's multiples, which look random and are the same everywhere. */
static double made_up(int64_t i)
{
    double turn = (double)(i + 1) * 0.6180339887498949;
    return 2 * (turn - floor(turn)) - 1;
}

wg_tensor made_up_numbers(wg_tape *tape, const char *name, wg_shape shape)
{
    wg_type type = wg_type_make(WG_FLOAT32, shape);
    wg_tensor x = wg_name(wg_array(tape, WG_FLOAT32, shape, NULL), name);
    float *at = (float *)(uintptr_t)wg_values(x);
    for (int64_t i = 0; at && i < wg_type_count(&type); i++)
        at[i] = (float)made_up(i);
    return x;
}

/* As in a text: the words behind are those of the next place. */
static wg_tensor classes_from(wg_tape *tape, const char *name, wg_shape shape, int64_t n, int64_t first)
{
    wg_type type = wg_type_make(WG_INT64, shape);
    wg_tensor y = wg_name(wg_array(tape, WG_INT64, shape, NULL), name);
    int64_t *at = (int64_t *)(uintptr_t)wg_values(y);
    for (int64_t i = 0; at && i < wg_type_count(&type); i++)
        at[i] = (int64_t)((made_up(first + i) + 1) / 2 * (double)n);
    return y;
}

wg_tensor made_up_classes(wg_tape *tape, const char *name, wg_shape shape, int64_t n)
{
    return classes_from(tape, name, shape, n, 0);
}

/* ---- Layers ------------------------------------------------------------------------------------------------------ */
/* A parameter: made the first time, taken again in the same order at every later step. */
static wg_tensor part(network_parts *m, const char *name, wg_shape shape, wg_init init)
{
    if (m->used < m->n)
        return m->param[m->used++];
    wg_tensor p = wg_param(m->tape, name, shape, .init = init);
    if (m->n < NETWORK_PARTS)
        m->param[m->n++] = p;
    m->used = m->n;
    return p;
}

/* "prefix.weight" and "prefix.bias". */
static wg_tensor weight(network_parts *m, const char *prefix, wg_shape shape, wg_init init)
{
    char name[64];
    snprintf(name, sizeof name, "%s.weight", prefix);
    return part(m, name, shape, init);
}

static wg_tensor bias(network_parts *m, const char *prefix, int64_t n)
{
    char name[64];
    snprintf(name, sizeof name, "%s.bias", prefix);
    return part(m, name, WG_SHAPE(n), WG_ZEROS);
}

static wg_tensor dense(network_parts *m, const char *prefix, wg_tensor x, int64_t in, int64_t out)
{
    wg_tensor w = weight(m, prefix, WG_SHAPE(in, out), WG_XAVIER_UNIFORM);
    return wg_linear(x, w, bias(m, prefix, out));
}

/* ---- mlp --------------------------------------------------------------------------------------------------------- */
static wg_tensor mlp(network_parts *m, int64_t batch)
{
    wg_tensor x = made_up_numbers(m->tape, "x", WG_SHAPE(batch, 784));
    wg_tensor h = wg_relu(dense(m, "fc1", x, 784, 128));
    wg_tensor scores = dense(m, "fc2", h, 128, 10);
    return wg_cross_entropy(scores, made_up_classes(m->tape, "y", WG_SHAPE(batch), 10));
}

/* ---- lenet: LeCun et al. 1998, with relu and maxima ------------------------------------------------------------- */
static wg_tensor convolved(network_parts *m, const char *prefix, wg_tensor x, int64_t in, int64_t out, int64_t padding)
{
    wg_tensor w = weight(m, prefix, WG_SHAPE(out, in, 5, 5), WG_HE_NORMAL);
    wg_tensor h = wg_conv2d(x, w, bias(m, prefix, out), .padding = {padding, padding});
    return wg_max_pool2d(wg_relu(h), .kernel_size = {2, 2});
}

static wg_tensor lenet(network_parts *m, int64_t batch)
{
    wg_tensor x = made_up_numbers(m->tape, "x", WG_SHAPE(batch, 1, 28, 28));
    wg_tensor h = convolved(m, "conv1", x, 1, 6, 2);
    h = wg_flatten(convolved(m, "conv2", h, 6, 16, 0), .start_axis = 1);
    h = wg_relu(dense(m, "fc1", h, 400, 120));
    h = wg_relu(dense(m, "fc2", h, 120, 84));
    wg_tensor scores = dense(m, "fc3", h, 84, 10);
    return wg_cross_entropy(scores, made_up_classes(m->tape, "y", WG_SHAPE(batch), 10));
}

/* ---- lstm: Hochreiter and Schmidhuber 1997, with forget gates; a few steps, unrolled ----------------------------- */
enum { STEPS = 3, FEATURES = 16, UNITS = 32 };

static wg_tensor lstm(network_parts *m, int64_t batch)
{
    wg_tensor x = made_up_numbers(m->tape, "x", WG_SHAPE(batch, STEPS, FEATURES));
    wg_tensor w = part(m, "w", WG_SHAPE(FEATURES, 4 * UNITS), WG_XAVIER_UNIFORM);
    wg_tensor u = part(m, "u", WG_SHAPE(UNITS, 4 * UNITS), WG_ORTHOGONAL);
    wg_tensor b = part(m, "b", WG_SHAPE(4 * UNITS), WG_ZEROS);
    wg_tensor h = wg_name(wg_array(m->tape, WG_FLOAT32, WG_SHAPE(batch, UNITS), NULL), "h0");
    wg_tensor c = wg_name(wg_array(m->tape, WG_FLOAT32, WG_SHAPE(batch, UNITS), NULL), "c0");
    for (int t = 0; t < STEPS; t++)
        WG_SCOPE(m->tape, "step", t)
        {
            wg_tensor gate[4]; /* input, forget, output; the candidate */
            wg_tensor from_x = wg_linear(wg_select(x, 1, t), w, b), from_h = wg_matmul(h, u);
            wg_split(wg_add(from_x, from_h), 1, WG_LIST(UNITS, UNITS, UNITS, UNITS), gate);
            for (int i = 0; i < 4; i++)
                gate[i] = i < 3 ? wg_sigmoid(gate[i]) : wg_tanh(gate[i]);
            wg_tensor old = wg_multiply(gate[1], c), fresh = wg_multiply(gate[0], gate[3]);
            c = wg_add(old, fresh);
            h = wg_multiply(gate[2], wg_tanh(c));
        }
    wg_tensor y = dense(m, "head", h, UNITS, 1);
    return wg_mse_loss(y, made_up_numbers(m->tape, "target", WG_SHAPE(batch, 1)));
}

/* ---- transformer, gpt2: Vaswani et al. 2017, with the norms before, as in GPT-2, but narrower; the embedding tied  */
enum { WIDTH = 64, HEADS = 4, PLACES = 32, WORDS = 1000 };

/* [batch, PLACES, WIDTH] to [batch, HEADS, PLACES, WIDTH / HEADS]. */
static wg_tensor in_heads(wg_tensor x, int64_t batch)
{
    return wg_permute_dims(wg_reshape(x, WG_SHAPE(batch, PLACES, HEADS, WIDTH / HEADS)), WG_AXES(0, 2, 1, 3));
}

static wg_tensor normalised(network_parts *m, const char *prefix, wg_tensor x)
{
    wg_tensor w = weight(m, prefix, WG_SHAPE(WIDTH), WG_ONES);
    return wg_layer_norm(x, w, bias(m, prefix, WIDTH));
}

static wg_tensor attention(network_parts *m, wg_tensor x, wg_tensor mask, int64_t batch)
{
    wg_tensor q = in_heads(dense(m, "q", x, WIDTH, WIDTH), batch);
    wg_tensor k = in_heads(dense(m, "k", x, WIDTH, WIDTH), batch);
    wg_tensor v = in_heads(dense(m, "v", x, WIDTH, WIDTH), batch);
    wg_tensor scores = wg_multiply(wg_matmul(q, wg_matrix_transpose(k)), 1 / sqrt((double)WIDTH / HEADS));
    wg_tensor weights = wg_softmax(wg_where(mask, scores, -INFINITY));
    wg_tensor mixed = wg_permute_dims(wg_matmul(weights, v), WG_AXES(0, 2, 1, 3));
    return dense(m, "out", wg_reshape(mixed, WG_SHAPE(batch, PLACES, WIDTH)), WIDTH, WIDTH);
}

static wg_tensor block(network_parts *m, wg_tensor x, wg_tensor mask, int64_t batch)
{
    wg_tensor h = WG_NONE;
    WG_SCOPE(m->tape, "ln1") h = normalised(m, "ln1", x);
    WG_SCOPE(m->tape, "attn") h = attention(m, h, mask, batch);
    x = wg_add(x, h);
    WG_SCOPE(m->tape, "ln2") h = normalised(m, "ln2", x);
    WG_SCOPE(m->tape, "mlp") h = dense(m, "down", wg_gelu(dense(m, "up", h, WIDTH, 4 * WIDTH)), 4 * WIDTH, WIDTH);
    return wg_add(x, h);
}

static wg_tensor blocks_of(network_parts *m, int64_t batch, int blocks)
{
    bool seen[PLACES][PLACES];
    for (int i = 0; i < PLACES; i++)
        for (int k = 0; k < PLACES; k++)
            seen[i][k] = k <= i;
    wg_tensor tokens = made_up_classes(m->tape, "tokens", WG_SHAPE(batch, PLACES), WORDS);
    wg_tensor mask = wg_name(wg_array(m->tape, WG_BOOL, WG_SHAPE(PLACES, PLACES), seen), "mask");
    wg_tensor wte = part(m, "wte", WG_SHAPE(WORDS, WIDTH), WG_LECUN_NORMAL);
    wg_tensor wpe = part(m, "wpe", WG_SHAPE(PLACES, WIDTH), WG_LECUN_NORMAL);
    wg_tensor x = wg_add(wg_embedding(wte, tokens), wpe);
    for (int i = 0; i < blocks; i++)
        WG_SCOPE(m->tape, "block", i) x = block(m, x, mask, batch);
    WG_SCOPE(m->tape, "ln_f") x = normalised(m, "ln_f", x);
    wg_tensor scores = wg_matmul(x, wg_matrix_transpose(wte));
    return wg_cross_entropy(wg_reshape(scores, WG_SHAPE(batch * PLACES, WORDS)),
                            classes_from(m->tape, "targets", WG_SHAPE(batch * PLACES), WORDS, 1));
}

static wg_tensor transformer(network_parts *m, int64_t batch) { return blocks_of(m, batch, 2); }
static wg_tensor gpt2(network_parts *m, int64_t batch) { return blocks_of(m, batch, 12); }

/* ---- By name ----------------------------------------------------------------------------------------------------- */
static const built_in networks[] = {
    {"mlp", "784-128-10 with relu and cross-entropy", mlp, 64},
    {"lenet", "two convolutions and three products for 28x28 images", lenet, 64},
    {"lstm", "three steps of a long short-term memory", lstm, 16},
    {"transformer", "two blocks of attention, the embedding tied", transformer, 8},
    {"gpt2", "the same with twelve blocks", gpt2, 2},
};
#define NETWORKS ((int)(sizeof networks / sizeof *networks))

wg_tensor built_in_loss(const built_in *network, network_parts *parts, int64_t batch)
{
    parts->used = 0;
    return network->loss(parts, batch ? batch : network->batch);
}

const built_in *built_in_at(int i) { return i >= 0 && i < NETWORKS ? &networks[i] : NULL; }

void built_in_list(FILE *file)
{
    for (int i = 0; i < NETWORKS; i++)
        fprintf(file, "  %-12s %s\n", networks[i].name, networks[i].doc);
}

const built_in *built_in_find(const char *name)
{
    int i = 0;
    while (i < NETWORKS && strcmp(name, networks[i].name))
        i++;
    return built_in_at(i);
}

void network_words(FILE *file, int before)
{
    for (int i = 0; !before && i < NETWORKS; i++)
        fprintf(file, "%s\t%s\n", networks[i].name, networks[i].doc);
    if (!before)
        fputs(":files\n", file);
}
