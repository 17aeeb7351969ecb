/* The floor of `wengert bench tape`: the least tape that records scalar operations and sweeps back over them. An entry
 * is an operation, two operands and a value; the adjoints are a second array. */
#include "floor.h"

#include <math.h>

typedef struct {
    uint32_t a, b, op;
    float spare;
    double value;
} entry;

enum { LEAF, SUB, MUL, ADD };

static entry *tape;
static uint32_t used;

static uint32_t push(uint32_t op, uint32_t a, uint32_t b, double value)
{
    tape[used] = (entry){a, b, op, 0, value};
    return used++;
}
static double of(uint32_t i) { return tape[i].value; }
static uint32_t sub(uint32_t a, uint32_t b) { return push(SUB, a, b, of(a) - of(b)); }
static uint32_t mul(uint32_t a, uint32_t b) { return push(MUL, a, b, of(a) * of(b)); }
static uint32_t add(uint32_t a, uint32_t b) { return push(ADD, a, b, of(a) + of(b)); }

static void sweep(double *adjoint, uint32_t leaves)
{
    for (uint32_t i = used; i-- > leaves;) {
        const entry *e = &tape[i];
        double g = adjoint[i];
        if (e->op == MUL) {
            adjoint[e->a] += g * of(e->b);
            adjoint[e->b] += g * of(e->a);
        } else {
            adjoint[e->a] += g;
            adjoint[e->b] += e->op == SUB ? -g : g;
        }
    }
}

int main(int argc, char **argv)
{
    double most = atof(option(argc, argv, "--max-nodes", "1e7"));
    for (int64_t nodes = 1000; (double)nodes <= most && nodes <= 10000000; nodes *= 10) {
        int64_t terms = nodes / 8;
        uint32_t leaves = (uint32_t)terms + 3;
        tape = malloc(((size_t)nodes + leaves) * sizeof *tape);
        double *adjoint = malloc(((size_t)nodes + leaves) * sizeof *adjoint), best = INFINITY, sum = 0;
        if (!tape || !adjoint)
            return 1;
        used = 0;
        for (int64_t i = 0; i <= terms; i++)
            push(LEAF, 0, 0, (2 * (double)(uint32_t)((uint64_t)i * 2654435761u) / 4294967296.0 - 1) * 2);
        uint32_t hundred = push(LEAF, 0, 0, 100), one = push(LEAF, 0, 0, 1), acc = 0;
        double until = seconds() + 1.5;
        for (int run = 0; run < 3 || (run < 1000 && seconds() < until); run++) {
            double start = seconds();
            used = leaves;
            for (uint32_t i = 0; i < terms; i++) {
                uint32_t s = mul(i, i), d = sub(i + 1, s), q = mul(d, d), h = mul(hundred, q), o = sub(one, i),
                         p = mul(o, o);
                uint32_t t = add(h, p);
                acc = i ? add(acc, t) : add(t, p);
            }
            memset(adjoint, 0, used * sizeof *adjoint);
            adjoint[acc] = 1;
            sweep(adjoint, leaves);
            double took = seconds() - start;
            best = took < best ? took : best;
        }
        for (int64_t i = 0; i <= terms; i++)
            sum += fabs(adjoint[i]);
        printf("{\"bench\":\"tape\",\"impl\":\"floor\",\"mode\":\"hand\",\"row\":\"scalar_eager\",\"nodes\":%lld,"
               "\"threads\":1,"
               "\"ns_per_op\":%.2f,\"bytes_per_node\":%d,\"checksum\":%.12g}\n",
               (long long)nodes, best * 1e9 / (double)nodes, (int)(sizeof *tape + sizeof *adjoint),
               fabs(of(acc)) + sum);
        fflush(stdout);
        free(tape);
        free(adjoint);
    }
    return 0;
}
