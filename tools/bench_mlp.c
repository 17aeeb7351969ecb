/* A multilayer perceptron's training loop on images, timed by the epoch: ordinary graph code, or a compiled function of
 * it. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench.h"

enum { MOST_LAYERS = 16 };

typedef struct {
    int n; /* products */
    int64_t size[MOST_LAYERS + 1];
    wg_tensor param[2 * MOST_LAYERS];
} network;

/* "784,128,64,10" */
static bool read_sizes(const char *text, network *net)
{
    int n = 0;
    char *end;
    for (const char *at = text;; at = end + 1) {
        long size = strtol(at, &end, 10);
        if (end == at || size < 1 || n > MOST_LAYERS)
            return false;
        net->size[n++] = size;
        if (!*end)
            break;
        if (*end != ',')
            return false;
    }
    net->n = n - 1;
    return net->n > 0;
}

static void make(wg_tape *tape, network *net)
{
    for (int i = 0; i < net->n; i++) {
        char name[2][32];
        snprintf(name[0], sizeof name[0], "fc%d.weight", i + 1);
        snprintf(name[1], sizeof name[1], "fc%d.bias", i + 1);
        net->param[2 * i] = wg_param(tape, name[0], WG_SHAPE(net->size[i], net->size[i + 1]), .init = WG_HE_NORMAL);
        net->param[2 * i + 1] = wg_param(tape, name[1], WG_SHAPE(net->size[i + 1]));
    }
}

static wg_tensor forward(const network *net, wg_tensor x)
{
    for (int i = 0; i < net->n; i++) {
        x = wg_linear(x, net->param[2 * i], net->param[2 * i + 1]);
        x = i + 1 < net->n ? wg_relu(x) : x;
    }
    return x;
}

static wg_data *images(wg_tape *tape, const char *folder, const char *part, int64_t limit)
{
    char x[2][1024];
    snprintf(x[0], sizeof x[0], "%s/%s-images-idx3-ubyte.gz", folder, part);
    snprintf(x[1], sizeof x[1], "%s/%s-labels-idx1-ubyte.gz", folder, part);
    return wg_data_idx(tape, x[0], x[1], .limit = limit);
}

static double accuracy(wg_tape *tape, const network *net, wg_data *data)
{
    double right = 0;
    wg_mark start = wg_tape_mark(tape);
    WG_NO_GRAD(tape)
    for (wg_batch b; wg_data_next(data, 1000, &b); wg_rewind(tape, start))
        right += wg_item(wg_count_nonzero(wg_equal(wg_argmax(forward(net, b.x), .axis = 1), b.y)));
    return right / (double)wg_data_size(data);
}

/* The loss of a batch, and its gradients in the parameters. */
typedef struct {
    wg_tape *tape;
    const network *net;
    wg_function *whole, *rest; /* compiled: for full batches and for the last one; NULL: recorded */
    int64_t batch;
} step;

static wg_function *step_compiled(const step *s, int64_t n)
{
    wg_mark start = wg_tape_mark(s->tape);
    wg_tensor x = wg_array(s->tape, WG_FLOAT32, WG_SHAPE(n, s->net->size[0]), NULL);
    wg_tensor y = wg_array(s->tape, WG_INT64, WG_SHAPE(n), NULL), loss = wg_cross_entropy(forward(s->net, x), y);
    wg_function *f = wg_compile(s->tape, WG_TENSORS(x, y), WG_TENSORS(loss), .backward = true);
    wg_rewind(s->tape, start);
    return f;
}

static double step_loss(const step *s, const wg_batch *b)
{
    if (s->whole) {
        float loss = 0;
        wg_function_run(b->n == s->batch ? s->whole : s->rest, (const void *[]){wg_values(b->x), wg_values(b->y)},
                        (void *[]){&loss});
        return (double)loss;
    }
    wg_tensor mean = wg_cross_entropy(forward(s->net, b->x), b->y);
    wg_backward(mean);
    return wg_item(mean);
}

/* The seconds of the fastest epoch; the last one's mean loss. */
static double train(const bench_options *o, const step *s, wg_optimizer *optimizer, wg_data *data, double *loss)
{
    wg_tape *tape = s->tape;
    double fastest = (double)INFINITY;
    wg_mark start = wg_tape_mark(tape);
    for (int64_t epoch = 0; epoch < o->epochs && !wg_failed(tape); epoch++) {
        double from = bench_seconds(), total = 0;
        for (wg_batch b; wg_data_next(data, o->batch, &b); wg_rewind(tape, start)) {
            total += step_loss(s, &b) * (double)b.n;
            wg_step(optimizer);
        }
        double took = bench_seconds() - from;
        fastest = took < fastest ? took : fastest;
        *loss = total / (double)wg_data_size(data);
        fprintf(stderr, "epoch %lld: loss %.4f, %.2f s\n", (long long)epoch, *loss, took);
    }
    return fastest;
}

int bench_mlp(const bench_options *o)
{
    network net = {0};
    if (!read_sizes(o->layers, &net)) {
        fprintf(stderr, "wengert bench mlp: the layers are %s; they are two or more sizes, as in 784,128,10\n",
                o->layers);
        return 2;
    }
    bool adam = !strcmp(o->optimizer, "adam");
    double lr = o->lr > 0 ? o->lr : adam ? 1e-3 : 0.1, loss = 0;
    wg_tape *tape = wg_tape_new(.threads = o->threads, .seed = o->seed);
    wg_data *data = images(tape, o->data, "train", o->samples), *test = images(tape, o->data, "t10k", 0);
    make(tape, &net);
    wg_optimizer *optimizer = adam ? wg_adam(net.param, 2 * net.n, .lr = lr) : wg_sgd(net.param, 2 * net.n, .lr = lr);
    step s = {.tape = tape, .net = &net, .batch = o->batch};
    if (!o->eager) {
        int64_t rest = wg_data_size(data) % o->batch;
        s.whole = step_compiled(&s, o->batch);
        s.rest = rest ? step_compiled(&s, rest) : NULL;
    }
    double fastest = train(o, &s, optimizer, data, &loss), right = accuracy(tape, &net, test);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    bool failed = wg_failed(tape);
    if (failed)
        fprintf(stderr, "wengert bench mlp: %s\n", wg_error(tape));
    else
        printf(
            "{\"bench\":\"mlp\",\"impl\":\"wengert\",\"mode\":\"%s\",\"backend\":\"%s\",\"layers\":[%s],\"batch\":%lld,"
            "\"optimizer\":\"%s\",\"epochs\":%lld,\"samples\":%lld,\"threads\":%d,\"samples_per_s\":%.1f,"
            "\"final_loss\":%.6f,\"test_accuracy\":%.4f,\"peak_rss_mb\":%.1f}\n",
            o->eager ? "eager" : "compiled", wg_backend_name(WG_FLOAT32, o->batch, net.size[1], net.size[0]), o->layers,
            (long long)o->batch, o->optimizer, (long long)o->epochs, (long long)wg_data_size(data), o->threads,
            (double)wg_data_size(data) / fastest, loss, right, (double)usage.ru_maxrss / 1024);
    wg_tape_free(tape);
    return failed;
}
