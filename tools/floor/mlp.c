/* The floor of `wengert bench mlp`: a multilayer perceptron's training loop as a careful engineer writes it by hand for
 * this one network, with the same products. Prints a line for each back end. */
#include "floor.h"

#include <math.h>
#include <zlib.h>

enum { MOST_LAYERS = 16 };

typedef struct {
    int64_t in, out;
    float *w, *b, *dw, *db, *mw, *vw, *mb, *vb; /* weights [in, out], gradients, Adam's moments */
    float *y, *dy;                              /* of a batch, [batch, out] */
} layer;

static layer layers[MOST_LAYERS];
static int n_layers;
static product *multiply;

static void *room(int64_t n, size_t size)
{
    void *memory = aligned_alloc(64, ((size_t)n * size + 127) / 64 * 64);
    if (!memory)
        exit(1);
    memset(memory, 0, (size_t)n * size);
    return memory;
}

static unsigned char *read_idx(const char *folder, const char *name, size_t skip, size_t bytes)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    gzFile file = gzopen(path, "rb");
    unsigned char *data = room((int64_t)(skip + bytes), 1);
    if (!file || gzread(file, data, (unsigned)(skip + bytes)) != (int)(skip + bytes)) {
        fprintf(stderr, "floor_mlp: %s cannot be read\n", path);
        exit(1);
    }
    gzclose(file);
    return data + skip;
}

CLONES static void gather(float *x, const unsigned char *images, const int32_t *order, int64_t n, int64_t size)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < size; k++)
            x[i * size + k] = (float)images[order[i] * size + k] * (1.0f / 255);
}

CLONES static void relu(float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = y[i] > 0 ? y[i] : 0;
}

CLONES static void relu_back(float *dy, const float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        dy[i] = y[i] > 0 ? dy[i] : 0;
}

CLONES static void sum_rows(float *sum, const float *rows, int64_t n, int64_t size)
{
    memset(sum, 0, (size_t)size * sizeof *sum);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < size; k++)
            sum[k] += rows[i * size + k];
}

CLONES static void adam(float *p, float *m, float *v, const float *g, int64_t n, float lr, float c1, float c2)
{
    const float rate = lr / c1, root = 1 / sqrtf(c2);
    for (int64_t i = 0; i < n; i++) {
        float first = 0.9f * m[i] + 0.1f * g[i], second = 0.999f * v[i] + 0.001f * g[i] * g[i];
        m[i] = first > -1.2e-38f && first < 1.2e-38f ? 0 : first; /* subnormals are slow */
        v[i] = second < 1.2e-38f ? 0 : second;
        p[i] -= rate * m[i] / (root * sqrtf(v[i]) + 1e-8f);
    }
}

CLONES static void sgd(float *p, const float *g, int64_t n, float lr)
{
    for (int64_t i = 0; i < n; i++)
        p[i] -= lr * g[i];
}

static void forward(const float *x, int64_t n)
{
    for (int l = 0; l < n_layers; l++) {
        layer *a = &layers[l];
        for (int64_t i = 0; i < n; i++)
            memcpy(a->y + i * a->out, a->b, (size_t)a->out * sizeof *a->b);
        multiply('N', 'N', n, a->out, a->in, x, a->in, a->w, a->out, 1, a->y, a->out);
        if (l + 1 < n_layers)
            relu(a->y, n * a->out);
        x = a->y;
    }
}

/* Mean cross-entropy of the softmax; its derivative by the scores in dy. */
static double loss_of(const unsigned char *labels, const int32_t *order, int64_t n)
{
    layer *last = &layers[n_layers - 1];
    double loss = 0;
    for (int64_t i = 0; i < n; i++) {
        const float *y = last->y + i * last->out;
        float *dy = last->dy + i * last->out, most = y[0], sum = 0;
        for (int64_t k = 1; k < last->out; k++)
            most = y[k] > most ? y[k] : most;
        for (int64_t k = 0; k < last->out; k++)
            sum += dy[k] = expf(y[k] - most);
        int label = labels[order[i]];
        loss += (double)(logf(sum) - (y[label] - most));
        for (int64_t k = 0; k < last->out; k++)
            dy[k] = (dy[k] / sum - (k == label)) / (float)n;
    }
    return loss / (double)n;
}

static void backward(const float *x, int64_t n)
{
    for (int l = n_layers; l-- > 0;) {
        layer *a = &layers[l];
        const float *in = l ? layers[l - 1].y : x;
        multiply('T', 'N', a->in, a->out, n, in, a->in, a->dy, a->out, 0, a->dw, a->out);
        sum_rows(a->db, a->dy, n, a->out);
        if (!l)
            return;
        multiply('N', 'T', n, a->in, a->out, a->dy, a->out, a->w, a->out, 0, layers[l - 1].dy, a->in);
        relu_back(layers[l - 1].dy, in, n * a->in);
    }
}

static void update(int step, float lr, int with_adam)
{
    float c1 = 1 - powf(0.9f, (float)step), c2 = 1 - powf(0.999f, (float)step);
    for (int l = 0; l < n_layers; l++) {
        layer *a = &layers[l];
        if (with_adam) {
            adam(a->w, a->mw, a->vw, a->dw, a->in * a->out, lr, c1, c2);
            adam(a->b, a->mb, a->vb, a->db, a->out, lr, c1, c2);
        } else {
            sgd(a->w, a->dw, a->in * a->out, lr);
            sgd(a->b, a->db, a->out, lr);
        }
    }
}

static uint32_t random_state = 1;
static uint32_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    return random_state ^= random_state << 5;
}

static void layers_make(const char *sizes, int64_t batch)
{
    int64_t size[MOST_LAYERS + 1];
    int n = 0;
    for (const char *at = sizes; n <= MOST_LAYERS && at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        size[n++] = atoi(at);
    n_layers = n - 1;
    for (int l = 0; l < n_layers; l++) {
        layer *a = &layers[l];
        int64_t weights = size[l] * size[l + 1];
        *a = (layer){size[l], size[l + 1],
                     room(weights, 4), room(size[l + 1], 4), room(weights, 4), room(size[l + 1], 4),
                     room(weights, 4), room(weights, 4), room(size[l + 1], 4), room(size[l + 1], 4),
                     room(batch * size[l + 1], 4), room(batch * size[l + 1], 4)};
        for (int64_t i = 0; i < weights; i++) {
            double u = ((double)random_bits() + 0.5) / 4294967296.0, v = (double)random_bits() / 4294967296.0;
            a->w[i] = (float)(sqrt(-2 * log(u)) * cos(6.283185307179586 * v) * sqrt(2.0 / (double)size[l]));
        }
    }
}

static double accuracy(const unsigned char *images, const unsigned char *labels, int64_t batch, float *x)
{
    int64_t right = 0, size = layers[0].in, classes = layers[n_layers - 1].out;
    int32_t *order = room(10000, sizeof *order);
    for (int32_t i = 0; i < 10000; i++)
        order[i] = i;
    for (int64_t first = 0; first < 10000; first += batch) {
        int64_t n = 10000 - first < batch ? 10000 - first : batch;
        gather(x, images, order + first, n, size);
        forward(x, n);
        for (int64_t i = 0; i < n; i++) {
            const float *y = layers[n_layers - 1].y + i * classes;
            int64_t best = 0;
            for (int64_t k = 1; k < classes; k++)
                best = y[k] > y[best] ? k : best;
            right += best == labels[first + i];
        }
    }
    free(order);
    return (double)right / 10000;
}

int main(int argc, char **argv)
{
    const char *folder = option(argc, argv, "--data", "/usr/share/datasets/fashion-mnist");
    const char *sizes = option(argc, argv, "--layers", "784,128,64,10"),
               *kind = option(argc, argv, "--optimizer", "adam");
    int64_t batch = atoi(option(argc, argv, "--batch", "64")), samples = atoi(option(argc, argv, "--samples", "60000"));
    int epochs = atoi(option(argc, argv, "--epochs", "3")), with_adam = !strcmp(kind, "adam");
    float lr = (float)atof(option(argc, argv, "--lr", with_adam ? "1e-3" : "0.1"));
    const unsigned char *images = read_idx(folder, "train-images-idx3-ubyte.gz", 16, 60000 * 784);
    const unsigned char *labels = read_idx(folder, "train-labels-idx1-ubyte.gz", 8, 60000);
    const unsigned char *test = read_idx(folder, "t10k-images-idx3-ubyte.gz", 16, 10000 * 784);
    const unsigned char *answers = read_idx(folder, "t10k-labels-idx1-ubyte.gz", 8, 10000);
    product_threads(atoi(option(argc, argv, "--threads", "1")));
    int32_t *order = room(samples, sizeof *order);
    float *x = room(batch * 784, sizeof *x);
    for (int back = 0; back_ends[back].name; back++) {
        multiply = back_ends[back].run;
        layers_make(sizes, batch);
        double fastest = INFINITY, loss = 0;
        int step = 0;
        for (int32_t i = 0; i < samples; i++)
            order[i] = i;
        for (int epoch = 0; epoch < epochs; epoch++) {
            double start = seconds(), total = 0;
            for (int64_t i = samples - 1; i > 0; i--) {
                int64_t k = random_bits() % (i + 1);
                int32_t t = order[i];
                order[i] = order[k];
                order[k] = t;
            }
            for (int64_t first = 0; first < samples; first += batch) {
                int64_t n = samples - first < batch ? samples - first : batch;
                gather(x, images, order + first, n, 784);
                forward(x, n);
                total += loss_of(labels, order + first, n) * (double)n;
                backward(x, n);
                update(++step, lr, with_adam);
            }
            double took = seconds() - start;
            fastest = took < fastest ? took : fastest;
            loss = total / (double)samples;
        }
        printf("{\"bench\":\"mlp\",\"impl\":\"floor\",\"mode\":\"hand\",\"backend\":\"%s\",\"batch\":%d,\"optimizer\":"
               "\"%s\","
               "\"samples_per_s\":%.1f,\"final_loss\":%.6f,\"test_accuracy\":%.4f}\n",
               back_ends[back].name, (int)batch, kind, (double)samples / fastest, loss,
               accuracy(test, answers, batch, x));
        fflush(stdout);
    }
    return 0;
}
