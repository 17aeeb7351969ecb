/* The floors of `wengert bench ops`: each row's work by hand, for its one shape, in as few passes over memory as it
 * takes, with the same libraries. A row may have variants; the least of them is the floor. */
#include "floor.h"

#include <math.h>
#include <sys/mman.h>

#include "ops.h"

/* ---- Arrays --------------------------------------------------------------------------------------------------------
 */
/* In huge pages where there are any, and no two at the same offset of a page. */
float *array(int64_t n)
{
    static size_t arrays;
    size_t page = (size_t)1 << 21, shift = 64 * (arrays++ % 31 + 1),
           bytes = ((size_t)n * sizeof(float) + shift + page) / page * page;
    unsigned char *memory = aligned_alloc(page, bytes);
    if (!memory) {
        fprintf(stderr, "floor_ops: no memory\n");
        exit(1);
    }
#ifdef MADV_HUGEPAGE
    madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    memset(memory, 0, bytes);
    return (float *)(void *)(memory + shift);
}

float *input(int64_t n, uint64_t k, double scale)
{
    float *x = array(n);
    for (int64_t i = 0; i < n; i++) {
        uint32_t h = (uint32_t)((uint64_t)i * UINT64_C(2654435761) + k * UINT64_C(2654435769));
        x[i] = (float)((2 * (double)h / 4294967296.0 - 1) * scale);
    }
    return x;
}

/* ---- tanh(1.5 x + 0.25) 0.75 - 0.5 ---------------------------------------------------------------------------------
 */
enum { LONG = 16777216 };

/* Within 5 ulp: an odd over an even polynomial, cut off where tanh is 1 in float32. */
static inline float quick_tanh(float x)
{
    x = x < -7.9f ? -7.9f : x > 7.9f ? 7.9f : x;
    float s = x * x;
    float p = ((((((-2.76076847742355e-16f * s + 2.00018790482477e-13f) * s - 8.60467152213735e-11f) * s +
                  5.12229709037114e-08f) *
                     s +
                 1.48572235717979e-05f) *
                    s +
                6.37261928875436e-04f) *
                   s +
               4.89352455891786e-03f) *
              x;
    return p / (((1.19825839466702e-06f * s + 1.18534705686654e-04f) * s + 2.26843463243900e-03f) * s +
                4.89352518554385e-03f);
}

typedef struct {
    float *x, *g, *y, *dx;
} chain_arrays;

static CLONES void chain_forward(void *argument)
{
    const chain_arrays *a = argument;
    const float *restrict x = a->x;
    float *restrict y = a->y;
    for (int64_t i = 0; i < LONG; i++)
        y[i] = quick_tanh(1.5f * x[i] + 0.25f) * 0.75f - 0.5f;
}

static CLONES void chain_both(void *argument)
{
    const chain_arrays *a = argument;
    const float *restrict x = a->x, *restrict g = a->g;
    float *restrict y = a->y, *restrict dx = a->dx;
    for (int64_t i = 0; i < LONG; i++) {
        float t = quick_tanh(1.5f * x[i] + 0.25f);
        y[i] = t * 0.75f - 0.5f;
        dx[i] = g[i] * (1.125f * (1 - t * t));
    }
}

static void chain_row(void)
{
    chain_arrays a = {input(LONG, 0, 3), input(LONG, 1, 1), array(LONG), array(LONG)};
    measure("chain_fwd", "fused", chain_forward, &a, (result[]){{a.y, LONG}}, 1);
    measure("chain_fwd_bwd", "fused", chain_both, &a, (result[]){{a.y, LONG}, {a.dx, LONG}}, 2);
}

/* ---- sum -----------------------------------------------------------------------------------------------------------
 */
typedef struct {
    float *x, sum[1];
} sum_arrays;

/* In float over blocks of 64 for each of 64 lanes, in double over the blocks. */
static CLONES void sum_forward(void *argument)
{
    sum_arrays *a = argument;
    const float *x = a->x;
    double sum = 0;
    for (int64_t i = 0; i < LONG; i += 4096) {
        float lane[64] = {0}, total = 0;
        for (int64_t k = i; k < i + 4096; k += 64)
            for (int l = 0; l < 64; l++)
                lane[l] += x[k + l];
        for (int l = 0; l < 64; l++)
            total += lane[l];
        sum += (double)total;
    }
    a->sum[0] = (float)sum;
}

static void sum_row(void)
{
    sum_arrays a = {.x = input(LONG, 0, 3)};
    for (int64_t i = 0; i < LONG; i++)
        a.x[i] = fabsf(a.x[i]);
    measure("sum", "blocks", sum_forward, &a, (result[]){{a.sum, 1}}, 1);
}

/* ---- softmax and layer_norm, row by row ----------------------------------------------------------------------------
 */
enum { ROWS = 8192, COLUMNS = 1024, LANES = 64 };

/* Lanes of their own make a reduction vector code. */
static inline float sum_of(const float *lane)
{
    float sum = 0;
    for (int l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

/* y = exp(x - most) / sum; each row of n, a multiple of LANES. */
CLONES void softmax_rows(const float *x, float *y, int64_t rows, int64_t n)
{
    for (int64_t r = 0; r < rows; r++, x += n, y += n) {
        float lane[LANES], most;
        memcpy(lane, x, sizeof lane);
        for (int64_t i = LANES; i < n; i += LANES)
            for (int l = 0; l < LANES; l++)
                lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];
        most = lane[0];
        for (int l = 1; l < LANES; l++)
            most = lane[l] > most ? lane[l] : most;
        memset(lane, 0, sizeof lane);
        for (int64_t i = 0; i < n; i += LANES)
            for (int l = 0; l < LANES; l++)
                lane[l] += y[i + l] = quick_exp(x[i + l] - most);
        float scale = 1 / sum_of(lane);
        for (int64_t i = 0; i < n; i++)
            y[i] *= scale;
    }
}

/* dx = factor y (g - the row's sum of g y). */
CLONES void softmax_back_rows(const float *y, const float *g, float *dx, int64_t rows, int64_t n, float factor)
{
    for (int64_t r = 0; r < rows; r++, y += n, g += n, dx += n) {
        float lane[LANES] = {0};
        for (int64_t i = 0; i < n; i += LANES)
            for (int l = 0; l < LANES; l++)
                lane[l] += g[i + l] * y[i + l];
        float dot = sum_of(lane);
        for (int64_t i = 0; i < n; i++)
            dx[i] = factor * y[i] * (g[i] - dot);
    }
}

typedef struct {
    float *x, *g, *y, *dx;
    float *weight, *bias, *dweight, *dbias; /* of layer_norm */
} row_arrays;

static void softmax_forward(void *argument)
{
    const row_arrays *a = argument;
    softmax_rows(a->x, a->y, ROWS, COLUMNS);
}

/* Each row's derivative while the row is in the cache. */
static void softmax_both(void *argument)
{
    const row_arrays *a = argument;
    for (int64_t i = 0; i < ROWS * COLUMNS; i += COLUMNS) {
        softmax_rows(a->x + i, a->y + i, 1, COLUMNS);
        softmax_back_rows(a->y + i, a->g + i, a->dx + i, 1, COLUMNS, 1);
    }
}

static inline void moments(const float *x, float *mean, float *scale)
{
    float lane[LANES] = {0};
    for (int64_t i = 0; i < COLUMNS; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += x[i + l];
    *mean = sum_of(lane) / COLUMNS;
    memset(lane, 0, sizeof lane);
    for (int64_t i = 0; i < COLUMNS; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += (x[i + l] - *mean) * (x[i + l] - *mean);
    *scale = 1 / sqrtf(sum_of(lane) / COLUMNS + 1e-5f);
}

static CLONES void layer_norm_forward(void *argument)
{
    const row_arrays *a = argument;
    for (int64_t r = 0; r < ROWS; r++) {
        const float *restrict x = a->x + r * COLUMNS, *restrict w = a->weight, *restrict b = a->bias;
        float *restrict y = a->y + r * COLUMNS, mean, scale;
        moments(x, &mean, &scale);
        for (int64_t i = 0; i < COLUMNS; i++)
            y[i] = (x[i] - mean) * scale * w[i] + b[i];
    }
}

/* Of one row: its value, and what it adds to the gradients of weight and bias. */
static CLONES void layer_norm_weigh(const float *restrict x, const float *restrict g, const float *restrict w,
                                    const float *restrict b, float mean, float scale, float *restrict y,
                                    float *restrict dw, float *restrict db)
{
    for (int64_t i = 0; i < COLUMNS; i++) {
        float n = (x[i] - mean) * scale;
        y[i] = n * w[i] + b[i];
        dw[i] += g[i] * n;
        db[i] += g[i];
    }
}

/* With n = (x - mean) scale and h = g weight: dx = scale (h - mean(h) - n mean(h n)). */
static CLONES void layer_norm_pull(const float *restrict x, const float *restrict g, const float *restrict w,
                                   float mean, float scale, float *restrict dx)
{
    float lane[LANES] = {0}, dots[LANES] = {0};
    for (int64_t i = 0; i < COLUMNS; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += g[i + l] * w[i + l];
    for (int64_t i = 0; i < COLUMNS; i += LANES)
        for (int l = 0; l < LANES; l++)
            dots[l] += g[i + l] * w[i + l] * (x[i + l] - mean);
    float of_h = sum_of(lane) / COLUMNS, of_hn = scale * sum_of(dots) / COLUMNS;
    for (int64_t i = 0; i < COLUMNS; i++)
        dx[i] = scale * (g[i] * w[i] - of_h - (x[i] - mean) * scale * of_hn);
}

static CLONES void layer_norm_both(void *argument)
{
    const row_arrays *a = argument;
    memset(a->dweight, 0, COLUMNS * sizeof(float));
    memset(a->dbias, 0, COLUMNS * sizeof(float));
    for (int64_t i = 0; i < ROWS * COLUMNS; i += COLUMNS) {
        float mean, scale;
        moments(a->x + i, &mean, &scale);
        layer_norm_weigh(a->x + i, a->g + i, a->weight, a->bias, mean, scale, a->y + i, a->dweight, a->dbias);
        layer_norm_pull(a->x + i, a->g + i, a->weight, mean, scale, a->dx + i);
    }
}

static void softmax_row(void)
{
    const int64_t n = ROWS * COLUMNS;
    row_arrays a = {.x = input(n, 0, 4), .g = input(n, 1, 1), .y = array(n), .dx = array(n)};
    measure("softmax_fwd", "rows", softmax_forward, &a, (result[]){{a.y, n}}, 1);
    measure("softmax_fwd_bwd", "rows", softmax_both, &a, (result[]){{a.y, n}, {a.dx, n}}, 2);
}

static void layer_norm_row(void)
{
    const int64_t n = ROWS * COLUMNS;
    row_arrays a = {input(n, 0, 4),       input(n, 1, 1),       array(n),       array(n),
                    input(COLUMNS, 2, 1), input(COLUMNS, 3, 1), array(COLUMNS), array(COLUMNS)};
    measure("layer_norm_fwd", "rows", layer_norm_forward, &a, (result[]){{a.y, n}}, 1);
    measure("layer_norm_fwd_bwd", "rows", layer_norm_both, &a,
            (result[]){{a.y, n}, {a.dx, n}, {a.dweight, COLUMNS}, {a.dbias, COLUMNS}}, 4);
}

/* ---- All rows ------------------------------------------------------------------------------------------------------
 */
static const char *wanted_rows;
static double budget;

/* Is the row's name begun by one of the prefixes? */
static int wanted(const char *name)
{
    for (const char *at = wanted_rows; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(name, at, strcspn(at, ",")))
            return 1;
    return !wanted_rows;
}

void measure(const char *row, const char *variant, void (*run)(void *argument), void *argument, const result *out,
             int n)
{
    if (!wanted(row))
        return;
    double best = INFINITY, sum = 0;
    run(argument);
    for (int i = 0; i < n; i++)
        for (int64_t k = 0; k < out[i].n; k++)
            sum += fabs((double)out[i].values[k]);
    double until = seconds() + budget;
    for (int runs = 0; !runs || seconds() < until; runs++) {
        double start = seconds();
        run(argument);
        double took = seconds() - start;
        best = took < best ? took : best;
    }
    printf("{\"bench\":\"ops\",\"impl\":\"floor\",\"mode\":\"hand\",\"row\":\"%s\",\"variant\":\"%s\",\"paired\":true,"
           "\"threads\":1,"
           "\"ms\":%.4f,\"checksum\":%.9g}\n",
           row, variant, best * 1e3, sum);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } rows[] = {{"chain", chain_row},           {"sum", sum_row},       {"softmax", softmax_row},
                {"layer_norm", layer_norm_row}, {"matmul", matmul_row}, {"attention", attention_row},
                {"conv2d", conv2d_row}};
    wanted_rows = option(argc, argv, "--rows", NULL);
    budget = atof(option(argc, argv, "--budget", "0.12"));
    product_threads(1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!wanted_rows || strstr(wanted_rows, rows[i].name))
            rows[i].run();
    return 0;
}
