/* Single operations, value alone and with their derivative, on arrays that live from call to call. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { MOST_INPUTS = 4 };

typedef struct {
    wg_shape shape;
    double scale;
    bool absolute;
} input;

/* A row's forward work on its inputs. */
typedef wg_tensor work(const wg_tensor *in);

typedef struct {
    const char *name;
    work *run;
    int n; /* inputs; one more is the cotangent of a _fwd_bwd row */
    input in[MOST_INPUTS];
    wg_shape out;
    bool backward;
} row;

static wg_tensor chain(const wg_tensor *in)
{
    return wg_subtract(wg_multiply(wg_tanh(wg_add(wg_multiply(in[0], 1.5), 0.25)), 0.75), 0.5);
}
static wg_tensor sum(const wg_tensor *in) { return wg_sum(in[0]); }
static wg_tensor softmax(const wg_tensor *in) { return wg_softmax(in[0]); }
static wg_tensor layer_norm(const wg_tensor *in) { return wg_layer_norm(in[0], in[1], in[2]); }
static wg_tensor matmul(const wg_tensor *in) { return wg_matmul(in[0], in[1]); }
static wg_tensor attention(const wg_tensor *in)
{
    return wg_scaled_dot_product_attention(in[0], in[1], in[2], WG_NONE);
}
static wg_tensor conv2d(const wg_tensor *in) { return wg_conv2d(in[0], in[1], in[2], .padding = {1, 1}); }

#define ARRAY {{16777216}, 1}
#define ROWS {{8192, 1024}, 2}
#define SQUARE {{1024, 1024}, 2}
#define HEADS {{4, 8, 256, 64}, 4}
#define IMAGES {{16, 64, 32, 32}, 4}
#define BOTH(name, run, n, inputs, out)                                                                                \
    {name "_fwd", run, n, inputs, out, false}, { name "_fwd_bwd", run, n, inputs, out, true }
#define IN(...) {__VA_ARGS__}

static const row rows[] = {
    BOTH("chain", chain, 1, IN({ARRAY, 3, false}), ARRAY),
    {"sum", sum, 1, {{ARRAY, 3, true}}, {{0}, 0}, false},
    BOTH("softmax", softmax, 1, IN({ROWS, 4, false}), ROWS),
    BOTH("layer_norm", layer_norm, 3, IN({ROWS, 4, false}, {{{1024}, 1}, 1, false}, {{{1024}, 1}, 1, false}), ROWS),
    BOTH("matmul", matmul, 2, IN({SQUARE, 1, false}, {SQUARE, 1, false}), SQUARE),
    BOTH("attention", attention, 3, IN({HEADS, 2, false}, {HEADS, 2, false}, {HEADS, 2, false}), HEADS),
    BOTH("conv2d", conv2d, 3,
         IN({{{16, 32, 32, 32}, 4}, 1, false}, {{{64, 32, 3, 3}, 4}, 1, false}, {{{64}, 1}, 1, false}),
         IMAGES),
};

/* Input number k of a row; layer_norm's cotangent is number 1, before weight and bias. */
static wg_tensor make(wg_tape *tape, const input *in, uint64_t k)
{
    wg_tensor t = wg_full(tape, WG_FLOAT32, in->shape, 0);
    float *values = (float *)(uintptr_t)wg_values(t);
    int64_t n = wg_size(t);
    for (int64_t i = 0; values && i < n; i++) {
        double x = bench_number((uint64_t)i, k, in->scale);
        values[i] = (float)(in->absolute ? fabs(x) : x);
    }
    return t;
}

static double magnitude(const float *values, int64_t n)
{
    double total = 0;
    for (int64_t i = 0; values && i < n; i++)
        total += (double)fabsf(values[i]);
    return total;
}

typedef struct {
    wg_tensor out[1 + MOST_INPUTS];
    int n;
} outputs;

static outputs once(wg_tape *tape, const row *r, const wg_tensor *in, wg_tensor cotangent)
{
    outputs o = {.n = 1};
    if (!r->backward) {
        WG_NO_GRAD(tape) o.out[0] = r->run(in);
        return o;
    }
    o.out[0] = r->run(in);
    wg_vjp(o.out, &cotangent, 1, in, r->n, o.out + 1);
    o.n += r->n;
    return o;
}

static void print_row(const bench_options *o, const row *r, const char *mode, double seconds, double sums)
{
    printf("{\"bench\":\"ops\",\"impl\":\"wengert\",\"mode\":\"%s\",\"row\":\"%s\",\"threads\":%d,\"ms\":%.4f,"
           "\"checksum\":%.9g}\n",
           mode, r->name, o->threads, seconds * 1e3, sums);
    fflush(stdout);
}

/* The inputs; *cotangent is WG_NONE where the row has none. */
static void inputs_made(wg_tape *tape, const row *r, wg_tensor *in, wg_tensor *cotangent)
{
    uint64_t number = !strncmp(r->name, "layer_norm", 10) ? 1 : (uint64_t)r->n;
    for (int i = 0; i < r->n; i++)
        in[i] = make(tape, &r->in[i], (uint64_t)i + (i > 0 && number == 1 && r->n > 1));
    *cotangent = r->backward ? make(tape, &(input){r->out, 1, false}, number) : WG_NONE;
}

static bool ended(wg_tape *tape, const row *r)
{
    bool failed = wg_failed(tape);
    if (failed)
        fprintf(stderr, "wengert bench ops: %s: %s\n", r->name, wg_error(tape));
    wg_tape_free(tape);
    return !failed;
}

static double time_of(const bench_options *o) { return bench_seconds() + (o->budget > 0 ? o->budget : 0.12); }

/* The row as a function from its inputs, cotangent included, to its outputs, into memory that the function keeps. */
static bool measure_compiled(const bench_options *o, const row *r)
{
    wg_tape *tape = wg_tape_new(.threads = o->threads);
    wg_tensor in[MOST_INPUTS + 1];
    inputs_made(tape, r, in, &in[r->n]);
    outputs y = {.n = r->backward ? 1 + r->n : 1};
    y.out[0] = r->run(in);
    if (r->backward)
        wg_vjp(y.out, &in[r->n], 1, in, r->n, y.out + 1, .record = true);
    const void *from[MOST_INPUTS + 1];
    wg_tensors from_all = {in, r->n + r->backward}, to_all = {y.out, y.n};
    for (int i = 0; i < from_all.n; i++)
        from[i] = wg_values(in[i]);
    wg_function *f = wg_compile(tape, from_all, to_all);
    double best = (double)INFINITY, sums = 0, until = (double)INFINITY;
    for (int run = 0; f && !wg_failed(tape) && (run < 2 || bench_seconds() < until); run++) {
        double start = bench_seconds();
        wg_function_run(f, from, NULL);
        double took = bench_seconds() - start;
        until = run ? until : time_of(o);
        best = run && took < best ? took : best;
    }
    for (int k = 0; f && k < y.n; k++) {
        wg_type type = wg_function_output_type(f, k);
        sums += magnitude(wg_function_output(f, k), wg_type_count(&type));
    }
    if (f && !wg_failed(tape))
        print_row(o, r, "compiled", best, sums);
    return ended(tape, r);
}

static bool measure_eager(const bench_options *o, const row *r)
{
    wg_tape *tape = wg_tape_new(.threads = o->threads);
    wg_tensor in[MOST_INPUTS], cotangent;
    inputs_made(tape, r, in, &cotangent);
    wg_mark start = wg_tape_mark(tape);
    double best = (double)INFINITY, sums = 0, until = (double)INFINITY;
    for (int run = 0; !wg_failed(tape) && (run < 2 || bench_seconds() < until); run++, wg_rewind(tape, start)) {
        double from = bench_seconds();
        outputs result = once(tape, r, in, cotangent);
        double took = bench_seconds() - from;
        if (!run) {
            for (int i = 0; i < result.n; i++)
                sums += magnitude(wg_values(result.out[i]), wg_size(result.out[i]));
            until = time_of(o);
            continue;
        }
        best = took < best ? took : best;
    }
    if (!wg_failed(tape))
        print_row(o, r, "eager", best, sums);
    return ended(tape, r);
}

/* Is the row's name begun by one of the prefixes? */
static bool wanted(const char *name, const char *prefixes)
{
    for (const char *at = prefixes; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(name, at, strcspn(at, ",")))
            return true;
    return !prefixes;
}

int bench_ops(const bench_options *o)
{
    bool any = false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!wanted(rows[i].name, o->rows))
            continue;
        any = true;
        if ((o->compiled || !o->eager) && !measure_compiled(o, &rows[i]))
            return 1;
        if (o->eager && !measure_eager(o, &rows[i]))
            return 1;
    }
    if (!any)
        fprintf(stderr, "wengert bench ops: no row begins with %s\n", o->rows);
    return any ? 0 : 2;
}
