/* Products by loops of our own, for builds without a library and for machines that the library does not know. The plan
 * is that of Goto and van de Geijn 2008: blocks of a and b are packed into panels that fit the caches, and a kernel
 * keeps a small tile of y in registers while it runs down two panels. What is read too seldom to repay its packing is
 * read where it lies. */
#include "ops/backend.h"

/* A product of floats is contracted into fused multiply-adds here, which -std=c11 otherwise forbids. */
#if defined(__clang__)
#pragma clang fp contract(fast)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=fast")
#endif

#define BLOCK_M 192 /* rows of a in a packed block: a multiple of each kernel's */
#define BLOCK_N 1024
#define BLOCK_K 256
#define MOST_ROWS 8 /* of a kernel's tile */
#define MOST_COLUMNS 32
#define SMALL 512  /* multiply-adds up to which nothing is packed */
#define SELDOM 256 /* rows or columns of the other operand up to which packing is not repaid */

/* ---- Kernels: tile y [ROWS, VECTORS lanes] = alpha times the sum over p < k of a[p, ROWS] outer b[p, VECTORS lanes],
 * plus beta y. With beta = 0 what y held is not read. */
typedef struct {
    int64_t k;
    const void *a, *b;
    int64_t row_a, step_a, step_b; /* elements from row to row of the tile, and from p to p */
    double alpha, beta;
    void *y;
    int64_t ldy;
} tile;

/* The sums stay in registers only where the loops over them are gone. */
#if defined(__GNUC__) && !defined(__clang__)
#define UNROLLED _Pragma("GCC unroll 16")
#else
#define UNROLLED
#endif

#define KERNEL(name, T, BYTES, ROWS, VECTORS, TARGET)                                                                  \
    typedef T name##_vector __attribute__((vector_size(BYTES), aligned(sizeof(T)), may_alias));                        \
    TARGET static void name(const tile *t)                                                                             \
    {                                                                                                                  \
        const T *a = t->a, *b = t->b, alpha = (T)t->alpha, beta = (T)t->beta;                                          \
        const int64_t k = t->k, row_a = t->row_a, step_a = t->step_a, step_b = t->step_b;                              \
        name##_vector sum[ROWS][VECTORS];                                                                              \
        UNROLLED                                                                                                       \
        for (int i = 0; i < ROWS; i++)                                                                                 \
            UNROLLED                                                                                                   \
        for (int j = 0; j < VECTORS; j++)                                                                              \
            sum[i][j] = (name##_vector){0};                                                                            \
        for (int64_t p = 0; p < k; p++, a += step_a, b += step_b)                                                      \
            UNROLLED                                                                                                   \
        for (int i = 0; i < ROWS; i++)                                                                                 \
            UNROLLED                                                                                                   \
        for (int j = 0; j < VECTORS; j++)                                                                              \
            sum[i][j] += a[i * row_a] * ((const name##_vector *)b)[j];                                                 \
        UNROLLED                                                                                                       \
        for (int i = 0; i < ROWS; i++) {                                                                               \
            name##_vector *to = (name##_vector *)((T *)t->y + i * t->ldy);                                             \
            UNROLLED                                                                                                   \
            for (int j = 0; j < VECTORS; j++)                                                                          \
                to[j] = beta == 0 ? alpha * sum[i][j] : alpha * sum[i][j] + beta * to[j];                              \
        }                                                                                                              \
    }

typedef struct {
    void (*run)(const tile *t);
    int rows, columns;
} kernel;

KERNEL(base_f32, float, 16, 4, 2, )
KERNEL(base_f64, double, 16, 4, 2, )
#if defined(__x86_64__) && defined(__GNUC__)
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")))
KERNEL(avx2_f32, float, 32, 6, 2, AVX2)
KERNEL(avx2_f64, double, 32, 6, 2, AVX2)
KERNEL(avx512_f32, float, 64, 8, 2, AVX512)
KERNEL(avx512_f64, double, 64, 8, 2, AVX512)
KERNEL(narrow_f32, float, 64, 8, 1, AVX512)
KERNEL(narrow_f64, double, 64, 8, 1, AVX512)
#endif

/* For a y of n columns. */
static kernel kernel_for(wg_dtype dtype, int64_t n)
{
    bool f32 = dtype == WG_FLOAT32;
#if defined(__x86_64__) && defined(__GNUC__)
    wg_reach reach = wg_machine_reach();
    if (reach == WG_REACH_AVX512 && n <= (f32 ? 16 : 8))
        return f32 ? (kernel){narrow_f32, 8, 16} : (kernel){narrow_f64, 8, 8};
    if (reach == WG_REACH_AVX512)
        return f32 ? (kernel){avx512_f32, 8, 32} : (kernel){avx512_f64, 8, 16};
    if (reach == WG_REACH_AVX2)
        return f32 ? (kernel){avx2_f32, 6, 16} : (kernel){avx2_f64, 6, 8};
#else
    (void)n;
#endif
    return f32 ? (kernel){base_f32, 4, 8} : (kernel){base_f64, 4, 4};
}

wg_reach wg_machine_reach(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw"))
        return WG_REACH_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return WG_REACH_AVX2;
#endif
    return WG_REACH_BASE;
}

/* ---- Packing, scaling, storing, and the product of small matrices, for each dtype
 * pack: `across` by `k` elements, `across` in panels of `width` that lie k-major, the last one filled up with zeros. */
#define COPIES(WIDTH)                                                                                                  \
    for (int64_t p = 0; width == WIDTH && p < k; p++)                                                                  \
        memcpy(to + p * WIDTH, x + p * step_k, WIDTH * sizeof *to);

/* A block of an operand: its first `in_place` elements across are read where they lie, the others from panels. */
typedef struct {
    const void *from, *panels;
    int64_t in_place, row, step;
    int64_t width, k; /* of the panels */
} block;

/* Packing would cost more than it saves. */
static bool is_small(const wg_gemm *p) { return (double)p->m * (double)p->n * (double)p->k <= SMALL; }
static int64_t columns_at_most(const wg_gemm *p)
{
    return p->n + MOST_COLUMNS < BLOCK_N ? p->n + MOST_COLUMNS : BLOCK_N;
}
static int64_t depth_at_most(const wg_gemm *p) { return p->k < BLOCK_K ? p->k : BLOCK_K; }

#define LOOPS(T, suffix)                                                                                               \
    typedef T quad_##suffix __attribute__((vector_size(4 * sizeof(T)), aligned(sizeof(T)), may_alias));                \
    static void transpose_##suffix(const T *x, int64_t step_x, T *to, int64_t step_to)                                 \
    {                                                                                                                  \
        quad_##suffix r[4], s[4], *t[4];                                                                               \
        for (int i = 0; i < 4; i++) {                                                                                  \
            r[i] = *(const quad_##suffix *)(x + i * step_x);                                                           \
            t[i] = (quad_##suffix *)(to + i * step_to);                                                                \
        }                                                                                                              \
        for (int i = 0; i < 2; i++) {                                                                                  \
            s[2 * i] = __builtin_shufflevector(r[i], r[i + 2], 0, 4, 1, 5);                                            \
            s[2 * i + 1] = __builtin_shufflevector(r[i], r[i + 2], 2, 6, 3, 7);                                        \
        }                                                                                                              \
        for (int i = 0; i < 2; i++) {                                                                                  \
            *t[2 * i] = __builtin_shufflevector(s[i], s[i + 2], 0, 4, 1, 5);                                           \
            *t[2 * i + 1] = __builtin_shufflevector(s[i], s[i + 2], 2, 6, 3, 7);                                       \
        }                                                                                                              \
    }                                                                                                                  \
    static void pack_panel_##suffix(const T *x, int64_t step_across, int64_t step_k, int64_t n, int64_t k,             \
                                    int64_t width, T *to)                                                              \
    {                                                                                                                  \
        int64_t fours = step_k == 1 ? n & ~(int64_t)3 : 0, k_fours = k & ~(int64_t)3;                                  \
        if (n < width)                                                                                                 \
            memset(to, 0, (size_t)(width * k) * sizeof(T));                                                            \
        for (int64_t i = 0; i < fours; i += 4)                                                                         \
            for (int64_t p = 0; p < k_fours; p += 4)                                                                   \
                transpose_##suffix(x + i * step_across + p, step_across, to + p * width + i, width);                   \
        for (int64_t i = 0; i < n; i++)                                                                                \
            for (int64_t p = i < fours ? k_fours : 0; p < k; p++)                                                      \
                to[p * width + i] = x[i * step_across + p * step_k];                                                   \
    }                                                                                                                  \
    static void pack_##suffix(const T *from, int64_t step_across, int64_t step_k, int64_t across, int64_t k,           \
                              int64_t width, T *to)                                                                    \
    {                                                                                                                  \
        for (int64_t first = 0; first < across; first += width, to += width * k) {                                     \
            int64_t n = across - first < width ? across - first : width;                                               \
            const T *x = from + first * step_across;                                                                   \
            if (step_across == 1 && n == width) {                                                                      \
                COPIES(4) COPIES(6) COPIES(8) COPIES(16) COPIES(32)                                                    \
            } else                                                                                                     \
                pack_panel_##suffix(x, step_across, step_k, n, k, width, to);                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static block block_##suffix(bool seldom, const T *from, int64_t step_across, int64_t step_k, int64_t across,       \
                                int64_t k, int64_t width, T *panels)                                                   \
    {                                                                                                                  \
        block b = {from, panels, seldom ? across - across % width : 0, step_across, step_k, width, k};                 \
        pack_##suffix(from + b.in_place * step_across, step_across, step_k, across - b.in_place, k, width, panels);    \
        return b;                                                                                                      \
    }                                                                                                                  \
    static void scale_##suffix(const wg_gemm *p)                                                                       \
    {                                                                                                                  \
        T *y = p->y, beta = (T)p->beta;                                                                                \
        for (int64_t i = 0; i < p->m; i++, y += p->ldy)                                                                \
            if (beta == 0)                                                                                             \
                memset(y, 0, (size_t)p->n * sizeof(T));                                                                \
            else if (beta != 1)                                                                                        \
                for (int64_t j = 0; j < p->n; j++)                                                                     \
                    y[j] *= beta;                                                                                      \
    }                                                                                                                  \
    static void small_##suffix(const wg_gemm *p, int64_t a_row, int64_t a_column, int64_t b_row, int64_t b_column)     \
    {                                                                                                                  \
        const T *a = p->a, *b = p->b;                                                                                  \
        T *y = p->y, alpha = (T)p->alpha;                                                                              \
        for (int64_t i = 0; i < p->m; i++)                                                                             \
            if (b_column == 1)                                                                                         \
                for (int64_t q = 0; q < p->k; q++) {                                                                   \
                    const T factor = alpha * a[i * a_row + q * a_column], *row = b + q * b_row;                        \
                    for (int64_t j = 0; j < p->n; j++)                                                                 \
                        y[i * p->ldy + j] += factor * row[j];                                                          \
                }                                                                                                      \
            else                                                                                                       \
                for (int64_t j = 0; j < p->n; j++) {                                                                   \
                    T sum = 0;                                                                                         \
                    for (int64_t q = 0; q < p->k; q++)                                                                 \
                        sum += a[i * a_row + q * a_column] * b[q * b_row + j * b_column];                              \
                    y[i * p->ldy + j] += alpha * sum;                                                                  \
                }                                                                                                      \
    }                                                                                                                  \
    static void multiply_blocks_##suffix(const kernel *f, int64_t m, int64_t n, const block *a, const block *b,        \
                                         tile t)                                                                       \
    {                                                                                                                  \
        _Alignas(64) T edge[MOST_ROWS * MOST_COLUMNS];                                                                 \
        T *y = t.y;                                                                                                    \
        const double beta = t.beta;                                                                                    \
        const int64_t ldy = t.ldy;                                                                                     \
        for (int64_t j = 0; j < n; j += f->columns) {                                                                  \
            bool b_lies = j < b->in_place;                                                                             \
            t.b = b_lies ? (const T *)b->from + j : (const T *)b->panels + (j - b->in_place) * b->k;                   \
            t.step_b = b_lies ? b->step : b->width;                                                                    \
            for (int64_t i = 0; i < m; i += f->rows) {                                                                 \
                bool a_lies = i < a->in_place, whole = m - i >= f->rows && n - j >= f->columns;                        \
                t.a = a_lies ? (const T *)a->from + i * a->row : (const T *)a->panels + (i - a->in_place) * a->k;      \
                t.row_a = a_lies ? a->row : 1;                                                                         \
                t.step_a = a_lies ? a->step : a->width;                                                                \
                t.y = whole ? y + i * ldy + j : edge;                                                                  \
                t.ldy = whole ? ldy : f->columns;                                                                      \
                t.beta = whole ? beta : 0;                                                                             \
                f->run(&t);                                                                                            \
                for (int64_t r = 0; !whole && r < f->rows && i + r < m; r++)                                           \
                    for (int64_t s = 0; s < f->columns && j + s < n; s++) {                                            \
                        T *to = y + (i + r) * ldy + j + s;                                                             \
                        *to = beta == 0 ? edge[r * f->columns + s] : edge[r * f->columns + s] + (T)beta * *to;         \
                    }                                                                                                  \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static void blocked_##suffix(const wg_gemm *p, int64_t a_row, int64_t a_column, int64_t b_row, int64_t b_column,   \
                                 T *room)                                                                              \
    {                                                                                                                  \
        const kernel f = kernel_for(p->dtype, p->n);                                                                   \
        T *room_a = room + columns_at_most(p) * depth_at_most(p);                                                      \
        for (int64_t j = 0; j < p->n; j += BLOCK_N)                                                                    \
            for (int64_t q = 0; q < p->k; q += BLOCK_K) {                                                              \
                int64_t n = p->n - j < BLOCK_N ? p->n - j : BLOCK_N, k = p->k - q < BLOCK_K ? p->k - q : BLOCK_K;      \
                const block b =                                                                                        \
                    block_##suffix(b_column == 1 && p->m <= SELDOM, (const T *)p->b + q * b_row + j * b_column,        \
                                   b_column, b_row, n, k, f.columns, room);                                            \
                for (int64_t i = 0; i < p->m; i += BLOCK_M) {                                                          \
                    int64_t m = p->m - i < BLOCK_M ? p->m - i : BLOCK_M;                                               \
                    const block a =                                                                                    \
                        block_##suffix(a_column == 1 || n <= SELDOM, (const T *)p->a + i * a_row + q * a_column,       \
                                       a_row, a_column, m, k, f.rows, room_a);                                         \
                    tile t = {.k = k,                                                                                  \
                              .alpha = p->alpha,                                                                       \
                              .beta = q ? 1 : p->beta,                                                                 \
                              .y = (T *)p->y + i * p->ldy + j,                                                         \
                              .ldy = p->ldy};                                                                          \
                    multiply_blocks_##suffix(&f, m, n, &a, &b, t);                                                     \
                }                                                                                                      \
            }                                                                                                          \
    }                                                                                                                  \
    static void gemm_##suffix(const wg_gemm *p, void *room)                                                            \
    {                                                                                                                  \
        int64_t a_row = p->transposed_a ? 1 : p->lda, a_column = p->transposed_a ? p->lda : 1;                         \
        int64_t b_row = p->transposed_b ? 1 : p->ldb, b_column = p->transposed_b ? p->ldb : 1;                         \
        if (p->k > 0 && !is_small(p)) {                                                                                \
            blocked_##suffix(p, a_row, a_column, b_row, b_column, room);                                               \
            return;                                                                                                    \
        }                                                                                                              \
        scale_##suffix(p);                                                                                             \
        small_##suffix(p, a_row, a_column, b_row, b_column);                                                           \
    }
LOOPS(float, f32)
LOOPS(double, f64)

/* Room for panels: of a block's columns of b, and behind them of its rows of a. */
size_t wg_loops_room(const wg_gemm *p)
{
    int64_t rows = p->m + MOST_ROWS < BLOCK_M ? p->m + MOST_ROWS : BLOCK_M;
    return is_small(p) ? 0 : (size_t)((columns_at_most(p) + rows) * depth_at_most(p)) * wg_dtype_size(p->dtype);
}

void wg_loops_gemm(const wg_gemm *p, void *room)
{
    if (p->dtype == WG_FLOAT32)
        gemm_f32(p, room);
    else
        gemm_f64(p, room);
}
