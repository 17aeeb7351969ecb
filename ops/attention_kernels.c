/* Attention in blocks of ROWS queries and KEYS keys. Forward, a block of queries passes over the keys and keeps of each
 * row the largest score so far and the sum of exp(score - largest); when the largest grows, what was summed is scaled
 * down (Milakov and Gimelshein 2018). Backward, weights are computed again from the scores and those two numbers, which
 * is cheaper than to keep them (Dao et al. 2022): dP = g v', dS = P (dP - sum(g y)), dq = dS k, dk = dS' q, dv = P' g.
 * No more than two blocks of weights a thread exist at any time.
 *
 * Pieces of work are blocks of queries forward and heads backward, whatever the number of threads. */
#include "ops/attention_kernels.h"

#include "core/tape.h"
#include "ops/backend.h"
#include "wengert/map.h"

#define ROWS 128 /* queries a block */
#define KEYS 256 /* keys a block */
#define LANES 32

/* ---- Kernels of one block ---------------------------------------------------------------------------------------- */
/* Scores s [rows, keys], `stride` apart; row i sees its first `seen` + i keys where causal, else all. */
typedef struct {
    int64_t rows, keys, stride, seen;
    bool causal;
    const void *mask; /* NULL: none */
    bool mask_is_bool;
    int64_t mask_row, mask_column;
} block;

/* What is known of the rows of a block of queries; shrink: by how much the last block of keys scaled down what was
 * there. */
typedef struct {
    double sum[ROWS], dot[ROWS], shrink[ROWS], most[ROWS];
} row_numbers;

static int64_t keys_seen(const block *b, int64_t row)
{
    int64_t seen = b->causal ? b->seen + row : b->keys;
    return seen < 0 ? 0 : seen < b->keys ? seen : b->keys;
}

#define FOLD(combine)                                                                                                  \
    for (int half = LANES / 2; half; half /= 2)                                                                        \
        for (int k = 0; k < half; k++)                                                                                 \
            lane[k] = combine;
#define OF_LANES(expression, combine)                                                                                  \
    for (; j + LANES <= n; j += LANES)                                                                                 \
        for (int k = 0; k < LANES; k++) {                                                                              \
            const T x = s[j + k];                                                                                      \
            lane[k] = expression;                                                                                      \
        }                                                                                                              \
    for (int k = 0; j < n; j++, k++) {                                                                                 \
        const T x = s[j];                                                                                              \
        lane[k] = expression;                                                                                          \
    }                                                                                                                  \
    FOLD(combine)

#define BLOCK_KERNELS(suffix, T_)                                                                                      \
    static WG_CLONES void masked_##suffix(int64_t n, const unsigned char *restrict keep, T_ *restrict s)               \
    {                                                                                                                  \
        for (int64_t j = 0; j < n; j++)                                                                                \
            s[j] = keep[j] ? s[j] : (T_)-INFINITY;                                                                     \
    }                                                                                                                  \
    static WG_CLONES void added_##suffix(int64_t n, const T_ *restrict mask, T_ *restrict s)                           \
    {                                                                                                                  \
        for (int64_t j = 0; j < n; j++)                                                                                \
            s[j] += mask[j];                                                                                           \
    }                                                                                                                  \
    static void mask_row_##suffix(const block *b, int64_t row, int64_t n, T_ *s)                                       \
    {                                                                                                                  \
        const T_ *number = (const T_ *)b->mask + row * b->mask_row;                                                    \
        const unsigned char *keep = (const unsigned char *)b->mask + row * b->mask_row;                                \
        if (b->mask_column && b->mask_is_bool)                                                                         \
            masked_##suffix(n, keep, s);                                                                               \
        else if (b->mask_column)                                                                                       \
            added_##suffix(n, number, s);                                                                              \
        else                                                                                                           \
            for (int64_t j = 0; j < n; j++)                                                                            \
                s[j] = !b->mask_is_bool ? s[j] + *number : *keep ? s[j] : (T_)-INFINITY;                               \
    }                                                                                                                  \
    /* A NaN is not found as the largest, but its exponential and the sum are NaN all the same. */                     \
    static WG_CLONES T_ largest_##suffix(int64_t n, const T_ *restrict s)                                              \
    {                                                                                                                  \
        typedef T_ T;                                                                                                  \
        T lane[LANES];                                                                                                 \
        int64_t j = 0;                                                                                                 \
        for (int k = 0; k < LANES; k++)                                                                                \
            lane[k] = (T)-INFINITY;                                                                                    \
        OF_LANES(x > lane[k] ? x : lane[k], lane[k + half] > lane[k] ? lane[k + half] : lane[k])                       \
        return lane[0];                                                                                                \
    }                                                                                                                  \
    /* Scores become exp(score - most); returns their sum. */                                                          \
    static WG_CLONES double weights_##suffix(int64_t n, T_ most, T_ *restrict s)                                       \
    {                                                                                                                  \
        typedef T_ T;                                                                                                  \
        double lane[LANES] = {0};                                                                                      \
        int64_t j = 0;                                                                                                 \
        for (int64_t i = 0; i < n; i++)                                                                                \
            s[i] = exp(s[i] - most);                                                                                   \
        OF_LANES(lane[k] + (double)x, lane[k] + lane[k + half])                                                        \
        return lane[0];                                                                                                \
    }                                                                                                                  \
    static void forward_##suffix(const block *b, void *scores, row_numbers *r)                                         \
    {                                                                                                                  \
        for (int64_t row = 0; row < b->rows; row++) {                                                                  \
            T_ *s = (T_ *)scores + row * b->stride;                                                                    \
            int64_t n = keys_seen(b, row);                                                                             \
            if (b->mask)                                                                                               \
                mask_row_##suffix(b, row, n, s);                                                                       \
            double most = (double)largest_##suffix(n, s), before = r->most[row];                                       \
            most = most > before ? most : before;                                                                      \
            double from = most == -(double)INFINITY ? 0 : most; /* no key so far: weights of 0, not NaN */             \
            r->shrink[row] = before == most ? 1 : exp(before - from);                                                  \
            r->sum[row] = r->sum[row] * r->shrink[row] + weights_##suffix(n, (T_)from, s);                             \
            r->most[row] = most;                                                                                       \
            memset(s + n, 0, (size_t)(b->keys - n) * sizeof *s);                                                       \
        }                                                                                                              \
    }                                                                                                                  \
    static WG_CLONES void scale_##suffix(int64_t n, double by, T_ *restrict y)                                         \
    {                                                                                                                  \
        for (int64_t j = 0; j < n; j++)                                                                                \
            y[j] *= (T_)by;                                                                                            \
    }                                                                                                                  \
    /* A row that no key takes part in is 0, whatever a weight of 0 times an infinite value has made of it. */         \
    static void finish_##suffix(int64_t rows, int64_t depth, const row_numbers *r, void *to, void *statistics)         \
    {                                                                                                                  \
        T_ *y = to, *two = statistics;                                                                                 \
        for (int64_t row = 0; row < rows; row++, y += depth, two += 2) {                                               \
            bool none = r->sum[row] == 0;                                                                              \
            if (none)                                                                                                  \
                memset(y, 0, (size_t)depth * sizeof *y);                                                               \
            else                                                                                                       \
                scale_##suffix(depth, 1 / r->sum[row], y);                                                             \
            two[0] = (T_)(none ? 0 : r->most[row]);                                                                    \
            two[1] = (T_)(none ? 0 : 1 / r->sum[row]);                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    static WG_CLONES double dot_##suffix(int64_t n, const T_ *restrict a, const T_ *restrict b)                        \
    {                                                                                                                  \
        double lane[LANES] = {0};                                                                                      \
        int64_t j = 0;                                                                                                 \
        for (; j + LANES <= n; j += LANES)                                                                             \
            for (int k = 0; k < LANES; k++)                                                                            \
                lane[k] += (double)a[j + k] * (double)b[j + k];                                                        \
        for (int k = 0; j < n; j++, k++)                                                                               \
            lane[k] += (double)a[j] * (double)b[j];                                                                    \
        FOLD(lane[k] + lane[k + half])                                                                                 \
        return lane[0];                                                                                                \
    }                                                                                                                  \
    static WG_CLONES void weights_again_##suffix(int64_t n, T_ most, T_ by, T_ dot, T_ *restrict s, T_ *restrict d)    \
    {                                                                                                                  \
        for (int64_t j = 0; j < n; j++) {                                                                              \
            const T_ p = exp(s[j] - most) * by, slope = p * (d[j] - dot);                                              \
            s[j] = p;                                                                                                  \
            d[j] = p == 0 ? 0 : slope; /* a key left out: whatever its value is */                                     \
        }                                                                                                              \
    }                                                                                                                  \
    /* Scores become weights, their cotangents dP become the scores' cotangents dS. */                                 \
    static void backward_##suffix(const block *b, const void *statistics, const double *dot, void *scores, void *dp)   \
    {                                                                                                                  \
        const T_ *two = statistics;                                                                                    \
        for (int64_t row = 0; row < b->rows; row++, two += 2) {                                                        \
            T_ *s = (T_ *)scores + row * b->stride, *d = (T_ *)dp + row * b->stride;                                   \
            int64_t n = two[1] == 0 ? 0 : keys_seen(b, row);                                                           \
            if (b->mask)                                                                                               \
                mask_row_##suffix(b, row, n, s);                                                                       \
            weights_again_##suffix(n, two[0], two[1], (T_)dot[row], s, d);                                             \
            memset(s + n, 0, (size_t)(b->keys - n) * sizeof *s);                                                       \
            memset(d + n, 0, (size_t)(b->keys - n) * sizeof *d);                                                       \
        }                                                                                                              \
    }                                                                                                                  \
    static void shrink_##suffix(int64_t rows, int64_t depth, const double *by, void *to)                               \
    {                                                                                                                  \
        for (int64_t row = 0; row < rows; row++)                                                                       \
            if (by[row] != 1)                                                                                          \
                scale_##suffix(depth, by[row], (T_ *)to + row * depth);                                                \
    }                                                                                                                  \
    static void dots_##suffix(int64_t rows, int64_t depth, const void *a, const void *b, double *to)                   \
    {                                                                                                                  \
        for (int64_t row = 0; row < rows; row++)                                                                       \
            to[row] = dot_##suffix(depth, (const T_ *)a + row * depth, (const T_ *)b + row * depth);                   \
    }
BLOCK_KERNELS(f32, float)
BLOCK_KERNELS(f64, double)

static const struct {
    void (*forward)(const block *b, void *scores, row_numbers *r);
    void (*shrink)(int64_t rows, int64_t depth, const double *by, void *y);
    void (*finish)(int64_t rows, int64_t depth, const row_numbers *r, void *y, void *statistics);
    void (*dots)(int64_t rows, int64_t depth, const void *a, const void *b, double *to);
    void (*backward)(const block *b, const void *statistics, const double *dot, void *scores, void *dp);
} kernels[] = {[WG_FLOAT32] = {forward_f32, shrink_f32, finish_f32, dots_f32, backward_f32},
               [WG_FLOAT64] = {forward_f64, shrink_f64, finish_f64, dots_f64, backward_f64}};

/* ---- Teams ------------------------------------------------------------------------------------------------------- */
/* A team does a run of pieces, one after the other, in room of its own. */
typedef struct {
    const wg_attention *a;
    void (*work)(const wg_attention *a, int64_t piece, void *const *to, unsigned char *room);
    int64_t pieces, teams;
    void *const *to;
    unsigned char *room; /* two blocks and what a product needs, for each team */
} teamwork;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static size_t block_bytes(const wg_attention *a)
{
    size_t bytes = (size_t)(least(a->rows, ROWS) * least(a->keys, KEYS)) * wg_dtype_size(a->dtype);
    return (bytes + WG_ALIGN - 1) & ~(size_t)(WG_ALIGN - 1);
}

static size_t room_bytes(const wg_attention *a)
{
    int64_t keys = least(a->keys, KEYS), rows = least(a->rows, ROWS);
    int64_t wide = a->width > a->depth ? a->width : a->depth, tall = keys > rows ? keys : rows;
    int64_t most = wide > tall ? wide : tall;
    wg_gemm largest = {.dtype = a->dtype, .m = tall, .n = most, .k = most};
    return 2 * block_bytes(a) + ((wg_loops_room(&largest) + WG_ALIGN - 1) & ~(size_t)(WG_ALIGN - 1));
}

static void run_team(void *argument, int64_t team)
{
    const teamwork *t = argument;
    for (int64_t i = t->pieces * team / t->teams; i < t->pieces * (team + 1) / t->teams; i++)
        t->work(t->a, i, t->to, t->room + (size_t)team * room_bytes(t->a));
}

static wg_status run_teams(const wg_call *c, teamwork *t)
{
    t->teams = t->pieces < c->tape->threads ? t->pieces : c->tape->threads;
    if (!t->pieces)
        return WG_OK;
    t->room = wg_scratch(c, (size_t)t->teams * room_bytes(t->a));
    if (!t->room)
        return WG_ERROR_MEMORY;
    wg_parallel(c->tape, t->teams, run_team, t);
    return WG_OK;
}

/* ---- Blocks ------------------------------------------------------------------------------------------------------ */
static const void *part(const wg_attention *a, const void *of, int64_t elements)
{
    return (const unsigned char *)of + elements * (int64_t)wg_dtype_size(a->dtype);
}
static void *part_of(const wg_attention *a, void *of, int64_t elements)
{
    return (unsigned char *)of + elements * (int64_t)wg_dtype_size(a->dtype);
}

static int64_t blocks_of_rows(const wg_attention *a) { return (a->rows + ROWS - 1) / ROWS; }

/* Keys that rows before `end` see. */
static int64_t keys_before(const wg_attention *a, int64_t end) { return a->causal ? least(a->keys, end) : a->keys; }

static block block_at(const wg_attention *a, int64_t head, int64_t row, int64_t key)
{
    block b = {.rows = least(ROWS, a->rows - row), .keys = least(KEYS, a->keys - key), .seen = row - key + 1,
               .causal = a->causal, .mask_is_bool = a->mask_is_bool, .mask_row = a->mask_row,
               .mask_column = a->mask_column};
    b.stride = b.keys;
    if (a->mask) {
        int64_t at = a->mask_at[head] + row * a->mask_row + key * a->mask_column;
        b.mask = a->mask_is_bool ? (const unsigned char *)a->mask + at : part(a, a->mask, at);
    }
    return b;
}

/* scores = scale q k' of a block of n rows and m keys; the same makes dP = g v'. */
static wg_gemm rows_times_keys(const wg_attention *a, const block *b, double scale, const void *rows, const void *keys,
                               int64_t width, void *to)
{
    return (wg_gemm){.dtype = a->dtype, .transposed_b = true, .m = b->rows, .n = b->keys, .k = width, .alpha = scale,
                     .a = rows, .lda = width, .b = keys, .ldb = width, .y = to, .ldy = b->stride};
}
/* y [rows, width] += alpha weights keys. */
static wg_gemm weights_times_keys(const wg_attention *a, const block *b, double alpha, const void *weights,
                                  const void *keys, int64_t width, void *y)
{
    return (wg_gemm){.dtype = a->dtype, .m = b->rows, .n = width, .k = b->keys, .alpha = alpha, .a = weights,
                     .lda = b->stride, .b = keys, .ldb = width, .beta = 1, .y = y, .ldy = width};
}
/* y [keys, width] += alpha weights' rows. */
static wg_gemm weights_times_rows(const wg_attention *a, const block *b, double alpha, const void *weights,
                                  const void *rows, int64_t width, void *y)
{
    return (wg_gemm){.dtype = a->dtype, .transposed_a = true, .m = b->keys, .n = width, .k = b->rows, .alpha = alpha,
                     .a = weights, .lda = b->stride, .b = rows, .ldb = width, .beta = 1, .y = y, .ldy = width};
}
static void multiply(wg_gemm p, void *room) { wg_product_here(&p, room); }

/* ---- Forward ----------------------------------------------------------------------------------------------------- */
static void run_rows(const wg_attention *a, int64_t piece, void *const *to, unsigned char *room)
{
    int64_t head = piece / blocks_of_rows(a), row = piece % blocks_of_rows(a) * ROWS, n = least(ROWS, a->rows - row);
    void *scores = room, *products = room + 2 * block_bytes(a);
    const void *q = part(a, a->q, a->q_at[head] + row * a->width);
    void *y = part_of(a, to[0], (head * a->rows + row) * a->depth);
    row_numbers r;
    for (int64_t i = 0; i < n; i++) {
        r.sum[i] = 0;
        r.most[i] = -(double)INFINITY;
    }
    memset(y, 0, (size_t)(n * a->depth) * wg_dtype_size(a->dtype));
    for (int64_t key = 0; key < keys_before(a, row + n); key += KEYS) {
        block b = block_at(a, head, row, key);
        multiply(rows_times_keys(a, &b, a->scale, q, part(a, a->k, a->k_at[head] + key * a->width), a->width, scores),
                 products);
        kernels[a->dtype].forward(&b, scores, &r);
        if (key)
            kernels[a->dtype].shrink(n, a->depth, r.shrink, y);
        multiply(weights_times_keys(a, &b, 1, scores, part(a, a->v, a->v_at[head] + key * a->depth), a->depth, y),
                 products);
    }
    kernels[a->dtype].finish(n, a->depth, &r, y, part_of(a, to[1], (head * a->rows + row) * 2));
}

/* Without depth nothing is weighed, and there may be any number of keys: they take no memory. */
wg_status wg_attention_run(const wg_call *c, const wg_attention *a, void *y, void *statistics)
{
    if (a->depth == 0) {
        memset(statistics, 0, (size_t)(a->batch * a->rows * 2) * wg_dtype_size(a->dtype));
        return WG_OK;
    }
    void *const to[] = {y, statistics};
    teamwork t = {.a = a, .work = run_rows, .pieces = a->batch * blocks_of_rows(a), .to = to};
    return run_teams(c, &t);
}

/* ---- Backward ---------------------------------------------------------------------------------------------------- */
/* What a head's backward pass reads and writes: y, statistics, g; dq, dk, dv. */
enum { Y, STATISTICS, G, DQ, DK, DV };

static void pull_head(const wg_attention *a, int64_t head, void *const *to, unsigned char *room)
{
    void *scores = room, *dp = room + block_bytes(a), *products = room + 2 * block_bytes(a);
    const void *q = part(a, a->q, a->q_at[head]), *k = part(a, a->k, a->k_at[head]), *v = part(a, a->v, a->v_at[head]);
    void *dq = part_of(a, to[DQ], head * a->rows * a->width), *dk = part_of(a, to[DK], head * a->keys * a->width);
    void *dv = part_of(a, to[DV], head * a->keys * a->depth);
    size_t size = wg_dtype_size(a->dtype);
    memset(dq, 0, (size_t)(a->rows * a->width) * size);
    memset(dk, 0, (size_t)(a->keys * a->width) * size);
    memset(dv, 0, (size_t)(a->keys * a->depth) * size);
    if (a->depth == 0)
        return;
    for (int64_t row = 0; row < a->rows; row += ROWS) {
        int64_t n = least(ROWS, a->rows - row), first = head * a->rows + row;
        const void *g = part(a, to[G], first * a->depth), *q_rows = part(a, q, row * a->width);
        double dot[ROWS];
        kernels[a->dtype].dots(n, a->depth, g, part(a, to[Y], first * a->depth), dot);
        for (int64_t key = 0; key < keys_before(a, row + n); key += KEYS) {
            block b = block_at(a, head, row, key);
            const void *k_keys = part(a, k, key * a->width), *v_keys = part(a, v, key * a->depth);
            void *dq_rows = part_of(a, dq, row * a->width), *dk_keys = part_of(a, dk, key * a->width);
            multiply(rows_times_keys(a, &b, a->scale, q_rows, k_keys, a->width, scores), products);
            multiply(rows_times_keys(a, &b, 1, g, v_keys, a->depth, dp), products);
            kernels[a->dtype].backward(&b, part(a, to[STATISTICS], first * 2), dot, scores, dp);
            multiply(weights_times_rows(a, &b, 1, scores, g, a->depth, part_of(a, dv, key * a->depth)), products);
            multiply(weights_times_rows(a, &b, a->scale, dp, q_rows, a->width, dk_keys), products);
            multiply(weights_times_keys(a, &b, a->scale, dp, k_keys, a->width, dq_rows), products);
        }
    }
}

wg_status wg_attention_pull(const wg_call *c, const wg_attention *a, const void *y, const void *statistics,
                            const void *g, void *dq, void *dk, void *dv)
{
    void *const to[] = {[Y] = (void *)(uintptr_t)y, [STATISTICS] = (void *)(uintptr_t)statistics,
                        [G] = (void *)(uintptr_t)g, [DQ] = dq, [DK] = dk, [DV] = dv};
    teamwork t = {.a = a, .work = pull_head, .pieces = a->batch, .to = to};
    return run_teams(c, &t);
}
