/* Multilayer perceptrons. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

static wg_tensor gelu(wg_tensor x) { return wg_gelu(x); }

/* With the start that keeps the variance of what goes through. */
static const struct {
    const char *name;
    wg_tensor (*run)(wg_tensor x);
    wg_init init;
} activations[] = {{"relu", (wg_relu), WG_HE_NORMAL},
                   {"tanh", (wg_tanh), WG_XAVIER_NORMAL},
                   {"sigmoid", (wg_sigmoid), WG_XAVIER_NORMAL},
                   {"gelu", gelu, WG_HE_NORMAL},
                   {"silu", (wg_silu), WG_HE_NORMAL}};
#define N_ACTIVATIONS (sizeof activations / sizeof *activations)

bool model_sizes(const char *text, model *m)
{
    int64_t size[MODEL_LAYERS + 1];
    int n = 0;
    char *end;
    for (const char *at = text;; at = end + 1) {
        long long value = strtoll(at, &end, 10);
        if (end == at || value < 1 || value > 100000000 || n > MODEL_LAYERS)
            return false;
        size[n++] = value;
        if (!*end)
            break;
        if (*end != ',')
            return false;
    }
    if (n < 2)
        return false;
    memcpy(m->size, size, (size_t)n * sizeof *size);
    m->n = n - 1;
    return true;
}

char *model_text(const model *m, char *text, size_t size)
{
    size_t used = 0;
    for (int i = 0; i <= m->n && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? "," : "", (long long)m->size[i]);
    return text;
}

static size_t activation_of(const char *name)
{
    size_t i = 0;
    while (i < N_ACTIVATIONS && strcmp(name, activations[i].name))
        i++;
    return i;
}

bool model_activation_known(const char *name) { return activation_of(name) < N_ACTIVATIONS; }

void model_make(wg_tape *tape, model *m)
{
    size_t activation = activation_of(m->activation);
    for (int i = 0; i < m->n; i++) {
        char name[2][32];
        snprintf(name[0], sizeof name[0], "fc%d.weight", i + 1);
        snprintf(name[1], sizeof name[1], "fc%d.bias", i + 1);
        wg_init init = i + 1 < m->n && activation < N_ACTIVATIONS ? activations[activation].init : WG_XAVIER_NORMAL;
        m->param[2 * i] = wg_param(tape, name[0], WG_SHAPE(m->size[i], m->size[i + 1]), .init = init);
        m->param[2 * i + 1] = wg_param(tape, name[1], WG_SHAPE(m->size[i + 1]));
    }
}

wg_tensor model_forward(const model *m, wg_tensor x, double dropout, int64_t draw)
{
    size_t activation = activation_of(m->activation);
    for (int i = 0; i < m->n; i++) {
        x = wg_linear(x, m->param[2 * i], m->param[2 * i + 1]);
        if (i + 1 == m->n)
            return x;
        x = activations[activation < N_ACTIVATIONS ? activation : 0].run(x);
        if (dropout > 0)
            x = wg_dropout(x, .p = dropout, .seed = 1 + draw * MODEL_LAYERS + i);
    }
    return x;
}

void model_count(wg_tensor scores, wg_tensor y, int64_t classes, int64_t *counts)
{
    wg_tensor guess = wg_argmax(scores, .axis = 1);
    for (int64_t i = 0, n = wg_size(y); i < n; i++) {
        int64_t truth = (int64_t)wg_element(y, i), said = (int64_t)wg_element(guess, i);
        if (truth >= 0 && truth < classes && said < classes)
            counts[truth * classes + said]++;
    }
}

bool model_open(wg_tape *tape, const char *path, model *m)
{
    wg_weights *weights = wg_weights_open(tape, path);
    if (!weights)
        return false;
    const char *layers = wg_weights_metadata(weights, "layers"),
               *activation = wg_weights_metadata(weights, "activation");
    if (!layers || !activation || !model_sizes(layers, m) || !model_activation_known(activation)) {
        wg_report(tape, "wengert", WG_ERROR_FORMAT, "%s was not written by `wengert train`: it names no layers", path);
        return false;
    }
    snprintf(m->activation, sizeof m->activation, "%s", activation);
    return true;
}

bool model_load(wg_tape *tape, const char *path, model *m)
{
    if (!model_open(tape, path, m))
        return false;
    model_make(tape, m);
    return wg_load(path, m->param, 2 * m->n, .strict = false) == WG_OK;
}
