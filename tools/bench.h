/* What the benchmarks share. */
#ifndef TOOLS_BENCH_H
#define TOOLS_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <wengert.h>

typedef struct {
    const char *layers, *optimizer, *data; /* mlp */
    int64_t batch, epochs, samples;
    double lr;
    uint64_t seed;
    const char *rows; /* ops: prefixes, with commas between; gradbench: one */
    double budget;    /* gradbench, ops, tape: seconds a row; 0: the bench's own */
    double max_nodes; /* tape */
    int threads;
    bool eager, compiled; /* which kinds of rows; neither: the bench's own default */
} bench_options;

double bench_seconds(void);
/* A number of the benchmarks' own: element i of input k, in [-scale, scale). */
double bench_number(uint64_t i, uint64_t k, double scale);

/* Each prints its JSON lines on standard output; returns the exit code. */
int bench_gradbench(const bench_options *o);
int bench_mlp(const bench_options *o);
int bench_ops(const bench_options *o);
int bench_tape(const bench_options *o);

#endif
