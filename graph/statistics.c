/* Statistics of a tensor's elements: a pass for counts, sum and range, another for what is measured from those. */
#include "graph/statistics.h"

#define PIECE 512 /* elements looked at together */

#define LOAD_LOOP(T)                                                                                                   \
    {                                                                                                                  \
        const T *at = from;                                                                                            \
        for (int64_t i = 0; i < n; i++)                                                                                \
            to[i] = (double)at[i];                                                                                     \
        return;                                                                                                        \
    }

static void load(wg_dtype dtype, const void *from, int64_t n, double *to)
{
    if (dtype == WG_FLOAT32)
        LOAD_LOOP(float)
    if (dtype == WG_FLOAT64)
        LOAD_LOOP(double)
    if (dtype == WG_INT32)
        LOAD_LOOP(int32_t)
    if (dtype == WG_INT64)
        LOAD_LOOP(int64_t)
    LOAD_LOOP(bool)
}

static void first_pass(wg_statistics *s, const double *v, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        s->zeros += v[i] == 0;
        s->nan += v[i] != v[i];
        s->infinite += isinf(v[i]) != 0;
        if (isfinite(v[i])) {
            s->mean += v[i];
            s->low = v[i] < s->low ? v[i] : s->low;
            s->high = v[i] > s->high ? v[i] : s->high;
        }
    }
}

/* Everything is scaled by the largest magnitude, so that no square overflows or vanishes. */
static void second_pass(wg_statistics *s, const double *v, int64_t n, double most)
{
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(v[i]))
            continue;
        double x = v[i] / most, distance = x - s->mean / most;
        s->norm += x * x;
        s->deviation += distance * distance;
        int bin = (int)((x + 1) / 2 * WG_BINS);
        s->bin[bin < WG_BINS ? bin : WG_BINS - 1]++;
    }
}

/* Gives a pass the elements as double, in row-major order. */
static void each_piece(const wg_type *type, const int64_t *stride, const void *data, wg_statistics *s, double most)
{
    unsigned char gathered[PIECE * 8];
    double v[PIECE];
    size_t size = wg_dtype_size(type->dtype);
    for (int64_t i = 0; i < s->n; i += PIECE) {
        int64_t n = s->n - i < PIECE ? s->n - i : PIECE;
        const void *from = (const unsigned char *)data + (size_t)i * size;
        if (stride) {
            wg_gather_range(type, stride, data, i, n, gathered);
            from = gathered;
        }
        load(type->dtype, from, n, v);
        if (most > 0)
            second_pass(s, v, n, most);
        else
            first_pass(s, v, n);
    }
}

static void measure(const wg_type *type, const int64_t *stride, const void *data, int64_t n, wg_statistics *s)
{
    *s = (wg_statistics){.n = n, .low = (double)INFINITY, .high = -(double)INFINITY};
    each_piece(type, stride, data, s, 0);
    int64_t finite = n - s->nan - s->infinite;
    double most = finite ? fmax(fabs(s->low), fabs(s->high)) : 0;
    s->mean = finite ? s->mean / (double)finite : 0;
    if (most > 0)
        each_piece(type, stride, data, s, most);
    else if (finite)
        s->bin[WG_BINS / 2] = finite;
    else
        s->low = s->high = 0;
    s->deviation = finite ? most * sqrt(s->deviation / (double)finite) : 0;
    s->norm = s->nan ? (double)NAN : s->infinite ? (double)INFINITY : most * sqrt(s->norm);
}

void wg_measure(const wg_node *node, wg_statistics *s)
{
    wg_type type = wg_node_type(node);
    bool strided = node->rank && !wg_node_is(node, WG_NODE_CONTIGUOUS);
    measure(&type, strided ? wg_node_stride(node) : NULL, node->data, wg_node_count(node), s);
}

void wg_measure_values(wg_dtype dtype, const void *data, int64_t n, wg_statistics *s)
{
    wg_type type = {.dtype = dtype, .rank = 1, .dim = {n}};
    measure(&type, NULL, data, n, s);
}
