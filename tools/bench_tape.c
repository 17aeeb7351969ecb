/* Many scalar operations: record, differentiate, rewind. */
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

/* One length of tape; its line is printed. False where it failed. */
static bool measure(const bench_options *o, int64_t nodes)
{
    int64_t terms = nodes / 8;
    wg_tape *tape = wg_tape_new(.threads = o->threads);
    wg_tensor *x = malloc((size_t)(terms + 1) * sizeof *x), *g = malloc((size_t)(terms + 1) * sizeof *g);
    double best = (double)INFINITY, bytes = 0, sum = 0, until = bench_seconds() + (o->budget > 0 ? o->budget : 1.5);
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
        printf("{\"bench\":\"tape\",\"impl\":\"wengert\",\"mode\":\"eager\",\"row\":\"scalar_eager\",\"nodes\":%lld,"
               "\"threads\":%d,\"ns_per_op\":%.2f,\"bytes_per_node\":%.1f,\"checksum\":%.12g}\n",
               (long long)nodes, o->threads, best * 1e9 / (double)nodes, bytes / (double)nodes, sum);
    fflush(stdout);
    free(x);
    free(g);
    wg_tape_free(tape);
    return !failed;
}

int bench_tape(const bench_options *o)
{
    for (int64_t nodes = 1000; (double)nodes <= o->max_nodes && nodes <= 10000000; nodes *= 10)
        if (!measure(o, nodes))
            return 1;
    return 0;
}
