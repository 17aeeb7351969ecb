/* Products by loops of our own, for builds without a library and for machines that the library does not know. The plan
 * is that of Goto and van de Geijn 2008: blocks of a and b are packed into panels that fit the caches, and a kernel
 * keeps a small tile of y in registers while it runs down two panels. */
#include "ops/backend.h"

/* A product of floats is contracted into fused multiply-adds here, which -std=c11 otherwise forbids. */
#if defined(__clang__)
#pragma clang fp contract(fast)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=fast")
#endif

#define BLOCK_M 96 /* rows of a in a packed block: a multiple of each kernel's */
#define BLOCK_N 192
#define BLOCK_K 256
#define MOST_TILE (12 * 32)

_Static_assert((BLOCK_M + BLOCK_N) * BLOCK_K * sizeof(double) + 64 * 64 <= WG_LOOPS_ROOM, "the blocks fit their room");

/* ---- Kernels: tile[ROWS, VECTORS lanes] = the sum over p < k of a[p, ROWS] outer b[p, VECTORS lanes] ------------- */
#define KERNEL(name, T, BYTES, ROWS, VECTORS, TARGET)                                                                  \
    typedef T name##_vector __attribute__((vector_size(BYTES), may_alias));                                            \
    TARGET static void name(int64_t k, const void *panel_a, const void *panel_b, void *tile)                           \
    {                                                                                                                  \
        const T *a = panel_a;                                                                                          \
        const name##_vector *b = panel_b;                                                                              \
        name##_vector sum[ROWS][VECTORS];                                                                              \
        memset(sum, 0, sizeof sum);                                                                                    \
        for (int64_t p = 0; p < k; p++, a += ROWS, b += VECTORS)                                                       \
            for (int i = 0; i < ROWS; i++)                                                                             \
                for (int j = 0; j < VECTORS; j++)                                                                      \
                    sum[i][j] += a[i] * b[j];                                                                          \
        memcpy(tile, sum, sizeof sum);                                                                                 \
    }

typedef struct {
    void (*run)(int64_t k, const void *panel_a, const void *panel_b, void *tile);
    int rows, columns;
} kernel;

KERNEL(base_f32, float, 16, 4, 2, )
KERNEL(base_f64, double, 16, 4, 2, )
#if defined(__x86_64__) && defined(__GNUC__)
KERNEL(avx2_f32, float, 32, 6, 2, __attribute__((target("avx2,fma"))))
KERNEL(avx2_f64, double, 32, 6, 2, __attribute__((target("avx2,fma"))))
KERNEL(avx512_f32, float, 64, 12, 2, __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))))
KERNEL(avx512_f64, double, 64, 12, 2, __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))))
#endif

static kernel kernel_for(wg_dtype dtype)
{
    bool f32 = dtype == WG_FLOAT32;
#if defined(__x86_64__) && defined(__GNUC__)
    wg_reach reach = wg_machine_reach();
    if (reach == WG_REACH_AVX512)
        return f32 ? (kernel){avx512_f32, 12, 32} : (kernel){avx512_f64, 12, 16};
    if (reach == WG_REACH_AVX2)
        return f32 ? (kernel){avx2_f32, 6, 16} : (kernel){avx2_f64, 6, 8};
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
 * ------------------------------------ */
/* pack: `across` by `k` elements, `across` in panels of `width` that lie k-major, the last one filled up with zeros. */
#define LOOPS(T, suffix)                                                                                               \
    static void pack_##suffix(const T *from, int64_t step_across, int64_t step_k, int64_t across, int64_t k,           \
                              int64_t width, T *to)                                                                    \
    {                                                                                                                  \
        for (int64_t first = 0; first < across; first += width, to += width * k) {                                     \
            int64_t n = across - first < width ? across - first : width;                                               \
            const T *x = from + first * step_across;                                                                   \
            if (step_across == 1 && n == width)                                                                        \
                for (int64_t p = 0; p < k; p++)                                                                        \
                    memcpy(to + p * width, x + p * step_k, (size_t)width * sizeof(T));                                 \
            else {                                                                                                     \
                if (n < width)                                                                                         \
                    memset(to, 0, (size_t)(width * k) * sizeof(T));                                                    \
                for (int64_t i = 0; i < n; i++)                                                                        \
                    for (int64_t p = 0; p < k; p++)                                                                    \
                        to[p * width + i] = x[i * step_across + p * step_k];                                           \
            }                                                                                                          \
        }                                                                                                              \
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
    static void add_tile_##suffix(const T *tile, int64_t width, int64_t m, int64_t n, T alpha, T *y, int64_t ldy)      \
    {                                                                                                                  \
        for (int64_t i = 0; i < m; i++, tile += width, y += ldy)                                                       \
            for (int64_t j = 0; j < n; j++)                                                                            \
                y[j] += alpha * tile[j];                                                                               \
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
    static void blocked_##suffix(const wg_gemm *p, int64_t a_row, int64_t a_column, int64_t b_row, int64_t b_column,   \
                                 void *room)                                                                           \
    {                                                                                                                  \
        const kernel f = kernel_for(p->dtype);                                                                         \
        T *block_a = room, *block_b = block_a + BLOCK_M * BLOCK_K;                                                     \
        _Alignas(64) T tile[MOST_TILE];                                                                                \
        for (int64_t j = 0; j < p->n; j += BLOCK_N)                                                                    \
            for (int64_t q = 0; q < p->k; q += BLOCK_K) {                                                              \
                int64_t n = p->n - j < BLOCK_N ? p->n - j : BLOCK_N, k = p->k - q < BLOCK_K ? p->k - q : BLOCK_K;      \
                pack_##suffix((const T *)p->b + q * b_row + j * b_column, b_column, b_row, n, k, f.columns, block_b);  \
                for (int64_t i = 0; i < p->m; i += BLOCK_M) {                                                          \
                    int64_t m = p->m - i < BLOCK_M ? p->m - i : BLOCK_M;                                               \
                    pack_##suffix((const T *)p->a + i * a_row + q * a_column, a_row, a_column, m, k, f.rows, block_a); \
                    for (int64_t jj = 0; jj < n; jj += f.columns)                                                      \
                        for (int64_t ii = 0; ii < m; ii += f.rows) {                                                   \
                            f.run(k, block_a + ii * k, block_b + jj * k, tile);                                        \
                            add_tile_##suffix(tile, f.columns, m - ii < f.rows ? m - ii : f.rows,                      \
                                              n - jj < f.columns ? n - jj : f.columns, (T)p->alpha,                    \
                                              (T *)p->y + (i + ii) * p->ldy + j + jj, p->ldy);                         \
                        }                                                                                              \
                }                                                                                                      \
            }                                                                                                          \
    }                                                                                                                  \
    static void gemm_##suffix(const wg_gemm *p, void *room)                                                            \
    {                                                                                                                  \
        int64_t a_row = p->transposed_a ? 1 : p->lda, a_column = p->transposed_a ? p->lda : 1;                         \
        int64_t b_row = p->transposed_b ? 1 : p->ldb, b_column = p->transposed_b ? p->ldb : 1;                         \
        scale_##suffix(p);                                                                                             \
        if ((double)p->m * (double)p->n * (double)p->k <= WG_LOOPS_SMALL) /* packing would cost more than it saves */ \
            small_##suffix(p, a_row, a_column, b_row, b_column);                                                       \
        else                                                                                                           \
            blocked_##suffix(p, a_row, a_column, b_row, b_column, room);                                               \
    }
LOOPS(float, f32)
LOOPS(double, f64)

void wg_loops_gemm(const wg_gemm *p, void *room)
{
    if (p->dtype == WG_FLOAT32)
        gemm_f32(p, room);
    else
        gemm_f64(p, room);
}
