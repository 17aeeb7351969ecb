/* Many scalar operations: recorded, differentiated and rewound; or compiled, and run on leaves read anew. */
#include <stdlib.h>

#include "bench.h"

static wg_tensor record(const wg_tensor *x, int64_t terms)
{
    wg_tensor acc = WG_NONE;
    for (int64_t i = 0; i < terms; i++) {
        wg_tensor s = wg_multiply(x[i], x[i]), d = wg_subtract(x[i + 1], s), q = wg_multiply(d, d);
        wg_tensor h = wg_multiply(100, q), o = wg_subtract(1, x[i]), p = wg_multiply(o, o), t = wg_add(h, p);
        acc = i ? wg_add(acc, t) : wg_add(t, p);
    }
    return acc;
}

static double checksum(wg_tensor acc, const wg_tensor *g, int64_t n)
{
    double sum = fabs(wg_item(acc));
    for (int64_t i = 0; i < n; i++)
        sum += fabs(wg_item(g[i]));
    return sum;
}

static void print_row(const bench_options *o, const char *mode, int64_t nodes, double seconds, double bytes, double sum)
{
    printf("{\"bench\":\"tape\",\"impl\":\"wengert\",\"mode\":\"%s\",\"row\":\"scalar_%s\",\"nodes\":%lld,"
           "\"threads\":%d,\"ns_per_op\":%.2f,\"bytes_per_node\":%.1f,\"checksum\":%.12g}\n",
           mode, mode, (long long)nodes, o->threads, seconds * 1e9 / (double)nodes, bytes / (double)nodes, sum);
    fflush(stdout);
}

static double time_of(const bench_options *o) { return bench_seconds() + (o->budget > 0 ? o->budget : 1.5); }

/* One length of tape; its line is printed. False where it failed. */
static bool measure_eager(const bench_options *o, int64_t nodes)
{
    int64_t terms = nodes / 8;
    wg_tape *tape = wg_tape_new(.threads = o->threads);
    wg_tensor *x = malloc((size_t)(terms + 1) * sizeof *x), *g = malloc((size_t)(terms + 1) * sizeof *g);
    double best = (double)INFINITY, bytes = 0, sum = 0, until = time_of(o);
    for (int64_t i = 0; x && g && i <= terms; i++)
        x[i] = wg_scalar(tape, bench_number((uint64_t)i, 0, 2));
    wg_mark start = wg_tape_mark(tape);
    size_t leaves = wg_tape_used_bytes(tape);
    for (int run = 0; x && g && !wg_failed(tape) && (run < 2 || (run < 1000 && bench_seconds() < until)); run++) {
        double from = bench_seconds();
        wg_tensor acc = record(x, terms);
        wg_grad(acc, x, (int)(terms + 1), g);
        double recorded = bench_seconds() - from;
        sum = run ? sum : checksum(acc, g, terms + 1);
        bytes = run ? bytes : (double)(wg_tape_used_bytes(tape) - leaves);
        from = bench_seconds();
        wg_rewind(tape, start);
        double took = recorded + bench_seconds() - from;
        best = run && took < best ? took : best;
    }
    bool failed = !x || !g || wg_failed(tape);
    if (failed)
        fprintf(stderr, "wengert bench tape: %s\n", x && g ? wg_error(tape) : "no memory");
    else
        print_row(o, "eager", nodes, best, bytes, sum);
    free(x);
    free(g);
    wg_tape_free(tape);
    return !failed;
}

/* The value and the gradient as one function of the leaves. */
static wg_function *compile(wg_tape *tape, wg_tensor *x, wg_tensor *y, int64_t terms)
{
    y[0] = record(x, terms);
    wg_grad(y[0], x, (int)(terms + 1), y + 1, .record = true);
    wg_tensors inputs = {x, (int)(terms + 1)}, outputs = {y, (int)(terms + 2)};
    return wg_compile(tape, inputs, outputs);
}

static bool measure_compiled(const bench_options *o, int64_t nodes)
{
    int64_t terms = nodes / 8;
    size_t n = (size_t)terms + 2;
    wg_tape *tape = wg_tape_new(.threads = o->threads);
    wg_tensor *t = malloc(2 * n * sizeof *t);
    double *values = malloc(2 * n * sizeof *values), best = (double)INFINITY, sum = 0, until;
    const void **in = malloc(n * sizeof *in);
    void **out = malloc(n * sizeof *out);
    bool memory = t && values && in && out;
    for (size_t i = 0; memory && i < n; i++) {
        values[i] = bench_number(i, 0, 2);
        t[i] = i < n - 1 ? wg_scalar(tape, values[i]) : WG_NONE;
        in[i] = &values[i];
        out[i] = &values[n + i];
    }
    wg_function *f = memory ? compile(tape, t, t + n, terms) : NULL;
    until = time_of(o);
    for (int run = 0; f && !wg_failed(tape) && (run < 2 || (run < 1000 && bench_seconds() < until)); run++) {
        double from = bench_seconds();
        wg_function_run(f, in, out);
        double took = bench_seconds() - from;
        best = run && took < best ? took : best;
    }
    for (size_t i = 0; f && i < n; i++)
        sum += fabs(values[n + i]);
    if (f && !wg_failed(tape))
        print_row(o, "compiled", nodes, best, (double)wg_function_bytes(f), sum);
    else
        fprintf(stderr, "wengert bench tape: %s\n", memory ? wg_error(tape) : "no memory");
    bool failed = !f || wg_failed(tape);
    free(t);
    free(values);
    free(in);
    free(out);
    wg_tape_free(tape);
    return !failed;
}

#define MOST_COMPILED 1e6 /* nodes */

int bench_tape(const bench_options *o)
{
    bool both = o->eager == o->compiled;
    for (int64_t nodes = 1000; (double)nodes <= o->max_nodes && nodes <= 10000000; nodes *= 10) {
        if ((both || o->eager) && !measure_eager(o, nodes))
            return 1;
        if ((both || o->compiled) && (double)nodes <= MOST_COMPILED && !measure_compiled(o, nodes))
            return 1;
    }
    return 0;
}
