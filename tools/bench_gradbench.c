/* GradBench's evaluations as tools/gradbench does them, at sizes that the floors know by hand. What is timed is a run,
 * as there: from the values of the variables to the outputs in memory. */
#include <math.h>
#include <stdlib.h>

#include "bench.h"
#include "gradbench/gradbench.h"

/* ---- Inputs ------------------------------------------------------------------------------------------------------ */
/* Numbers of input number k from number *at on, nested as the dimensions say. */
static json_t *numbers(const int64_t *dim, int rank, uint64_t k, double scale, double shift, uint64_t *at)
{
    if (!rank)
        return json_real(bench_number((*at)++, k, scale) + shift);
    json_t *list = json_array();
    for (int64_t i = 0; i < *dim; i++)
        json_array_append_new(list, numbers(dim + 1, rank - 1, k, scale, shift, at));
    return list;
}

static json_t *between(double low, double high, uint64_t k, int rank, const int64_t *dim)
{
    uint64_t at = 0;
    return numbers(dim, rank, k, (high - low) / 2, (high + low) / 2, &at);
}

#define UNIFORM(k, ...) between(0, 1, k, DIMENSIONS(__VA_ARGS__))
#define SPREAD(k, ...) between(-1.7, 1.7, k, DIMENSIONS(__VA_ARGS__)) /* a variance of about 1 */
#define DIMENSIONS(...)                                                                                                \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]) { __VA_ARGS__ }

static json_t *lse(const int64_t *n) { return json_pack("{s:o}", "x", UNIFORM(0, n[0])); }
static json_t *llsq(const int64_t *n) { return json_pack("{s:o, s:I}", "x", UNIFORM(0, n[1]), "n", (json_int_t)n[0]); }
static json_t *det(const int64_t *n)
{
    return json_pack("{s:o, s:I}", "A", UNIFORM(0, n[0] * n[0]), "ell", (json_int_t)n[0]);
}
static json_t *ode(const int64_t *n) { return json_pack("{s:o, s:I}", "x", UNIFORM(1, n[0]), "s", (json_int_t)n[1]); }

static json_t *kmeans(const int64_t *n)
{
    json_t *points = UNIFORM(0, n[1], n[2]), *centroids = json_array();
    for (int64_t i = n[1] - n[0]; i < n[1]; i++)
        json_array_append(centroids, json_array_get(points, (size_t)i));
    return json_pack("{s:o, s:o}", "points", points, "centroids", centroids);
}

static json_t *gmm(const int64_t *n)
{
    int64_t d = n[0], k = n[1];
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:f}", "x", SPREAD(0, n[2], d), "alpha", SPREAD(1, k), "mu",
                     UNIFORM(2, k, d), "q", SPREAD(3, k, d), "l", SPREAD(4, k, d * (d - 1) / 2), "m", 0, "gamma", 1.0);
}

static json_t *lstm(const int64_t *n)
{
    int64_t l = n[0], b = n[2];
    json_t *sequence = json_array();
    for (int64_t t = 0; t < n[1]; t++) {
        json_t *bits = json_array();
        for (int64_t i = 0; i < b; i++)
            json_array_append_new(bits, json_integer(bench_number((uint64_t)(t * b + i), 3, 0.5) + 0.5 > 0.5));
        json_array_append_new(sequence, bits);
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "main_params", UNIFORM(0, 2 * l, 4 * b), "extra_params", UNIFORM(1, 3, b),
                     "state", UNIFORM(2, 2 * l, b), "sequence", sequence);
}

static json_t *ba(const int64_t *n)
{
    return json_pack("{s:I, s:I, s:I, s:[fffffffffff], s:[fff], s:f, s:[ff]}", "n", (json_int_t)n[0], "m",
                     (json_int_t)n[1], "p", (json_int_t)n[2], "cam", 0.25, -0.5, 0.125, -3.0, 2.0, 5.0, 400.0, 3.0,
                     -2.0, 0.05, 0.002, "x", 1.5, -0.5, 20.0, "w", 0.75, "feat", 30.0, -10.0);
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */
static const struct {
    const char *row, *module, *function[2];
    int64_t size[4];
    json_t *(*input)(const int64_t *size);
} rows[] = {
    {"lse 80000", "lse", {"primal", "gradient"}, {80000}, lse},
    {"llsq 1024", "llsq", {"primal", "gradient"}, {1024, 128}, llsq},
    {"kmeans 100 1000 16", "kmeans", {"cost", "dir"}, {100, 1000, 16}, kmeans},
    {"det 9", "det", {"primal", "gradient"}, {9}, det},
    {"ode 100 100", "ode", {"primal", "gradient"}, {100, 100}, ode},
    {"gmm 10 25 1000", "gmm", {"objective", "jacobian"}, {10, 25, 1000}, gmm},
    {"lstm 2 1024 14", "lstm", {"objective", "jacobian"}, {2, 1024, 14}, lstm},
    {"ba 49 776 4000", "ba", {"objective", "jacobian"}, {49, 776, 4000}, ba},
};

static double sum_of(const json_t *json)
{
    double sum = fabs(json_number_value(json));
    const char *key;
    const json_t *inner;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)json, i, inner) sum += sum_of(inner);
    json_object_foreach((json_t *)(uintptr_t)json, key, inner) sum += sum_of(inner);
    return sum;
}

static double checksum(const problem *p)
{
    char *text = NULL;
    size_t size = 0;
    answer a = {open_memstream(&text, &size), true};
    if (!a.to)
        return (double)NAN;
    p->write(p, &a);
    fclose(a.to);
    json_t *json = json_loadb(text, size, JSON_DECODE_ANY, NULL);
    double sum = sum_of(json);
    json_decref(json);
    free(text);
    return sum;
}

/* False where it failed. */
static bool measure(const bench_options *o, const char *row, const char *what, const evaluation *e, const json_t *input)
{
    problem p = {.tape = wg_tape_new(.threads = o->threads), .input = input, .derivative = e->derivative};
    double best = (double)INFINITY;
    if (p.tape)
        e->prepare(&p);
    double until = bench_seconds() + (o->budget > 0 ? o->budget : 0.2);
    for (int run = 0; p.tape && !wg_failed(p.tape) && (run < 3 || bench_seconds() < until); run++) {
        double from = bench_seconds();
        p.run(&p);
        double took = bench_seconds() - from;
        best = took < best ? took : best;
    }
    bool failed = !p.tape || wg_failed(p.tape);
    if (failed)
        fprintf(stderr, "wengert bench gradbench: %s: %s\n", row, wg_error(p.tape));
    else
        printf("{\"bench\":\"gradbench\",\"impl\":\"wengert\",\"mode\":\"compiled\",\"row\":\"%s "
               "%s\",\"threads\":%d,\"ms\":%.6g,"
               "\"checksum\":%.12g}\n",
               row, what, o->threads, best * 1e3, checksum(&p));
    fflush(stdout);
    wg_tape_free(p.tape);
    return !failed;
}

int bench_gradbench(const bench_options *o)
{
    bool fine = true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && fine; i++) {
        if (o->rows && strncmp(rows[i].row, o->rows, strlen(o->rows)))
            continue;
        json_t *input = rows[i].input(rows[i].size);
        for (int k = 0; k < 2 && fine; k++)
            fine = measure(o, rows[i].row, k ? "derivative" : "primal",
                           evaluation_found(rows[i].module, rows[i].function[k]), input);
        json_decref(input);
    }
    return !fine;
}
