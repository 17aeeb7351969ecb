/* Kernels of normalisation. Sums are taken in double, over lanes that the compiler makes vectors of; what is written,
 * in the arrays' own type. */
#include "ops/norm_kernels.h"

#include "wengert/map.h"

/* ---- Kernels of one run ------------------------------------------------------------------------------------------ */
#define LANES 32
#define DEPTH WG_DEPTH /* numbers a lane sums in the arrays' own type before they go on to double */
#define FOLD(lane)                                                                                                     \
    for (int half = LANES / 2; half; half /= 2)                                                                        \
        for (int k = 0; k < half; k++)                                                                                 \
            lane[k] += lane[k + half];

/* x without the mean, in two steps, so that a float keeps the digits of a mean far from 0. */
#define CENTERED(x) (((x) - high) - low)

#define MEAN_AND_SCALE(T, r)                                                                                           \
    const T high = (T)(r)->mean, low = (T)((r)->mean - (double)high), scale = (T)(r)->scale;

/* Asks for the elements of x that lie `n` behind: as a rule the next run's, which comes while this one is in work. */
#define FETCH(T, x, n)                                                                                                 \
    for (size_t line = 0; line < LANES * sizeof(T); line += 64)                                                        \
        __builtin_prefetch((const char *)((x) + (n)) + line);

/* The sum over i < n of an expression of type T. */
#define RUN_SUM(T, total, expression)                                                                                  \
    double lane[LANES] = {0};                                                                                          \
    int64_t at = 0;                                                                                                    \
    while (at + DEPTH * LANES <= n) {                                                                                  \
        T part[LANES] = {0};                                                                                           \
        for (int j = 0; j < DEPTH; j++, at += LANES) {                                                                 \
            FETCH(T, x + at, n)                                                                                        \
            for (int k = 0; k < LANES; k++) {                                                                          \
                const int64_t i = at + k;                                                                              \
                part[k] += (expression);                                                                               \
            }                                                                                                          \
        }                                                                                                              \
        for (int k = 0; k < LANES; k++)                                                                                \
            lane[k] += (double)part[k];                                                                                \
    }                                                                                                                  \
    for (; at + LANES <= n; at += LANES)                                                                               \
        for (int k = 0; k < LANES; k++) {                                                                              \
            const int64_t i = at + k;                                                                                  \
            lane[k] += (double)(expression);                                                                           \
        }                                                                                                              \
    for (int k = 0; at < n; at++, k++) {                                                                               \
        const int64_t i = at;                                                                                          \
        lane[k] += (double)(expression);                                                                               \
    }                                                                                                                  \
    FOLD(lane)                                                                                                         \
    total = lane[0];

#define RUN_KERNELS(suffix, T)                                                                                         \
    static WG_CLONES double run_sum_##suffix(int64_t n, const void *from)                                              \
    {                                                                                                                  \
        const T *restrict x = from;                                                                                    \
        double total;                                                                                                  \
        RUN_SUM(T, total, x[i])                                                                                        \
        return total;                                                                                                  \
    }                                                                                                                  \
    static WG_CLONES double run_squares_##suffix(int64_t n, const void *from, const wg_row_numbers *r)                 \
    {                                                                                                                  \
        const T *restrict x = from;                                                                                    \
        MEAN_AND_SCALE(T, r)                                                                                           \
        (void)scale;                                                                                                   \
        double total;                                                                                                  \
        RUN_SUM(T, total, CENTERED(x[i]) * CENTERED(x[i]))                                                             \
        return total;                                                                                                  \
    }                                                                                                                  \
    static WG_CLONES void run_apply_##suffix(int64_t n, const void *from, const void *weight, int64_t ws,              \
                                             const void *bias, int64_t bs, const wg_row_numbers *r, void *to)          \
    {                                                                                                                  \
        const T *restrict x = from, *restrict w = weight, *restrict b = bias;                                          \
        T *restrict y = to;                                                                                            \
        MEAN_AND_SCALE(T, r)                                                                                           \
        if (ws && bs)                                                                                                  \
            for (int64_t i = 0; i < n; i++)                                                                            \
                y[i] = CENTERED(x[i]) * scale * w[i] + b[i];                                                           \
        else if (ws)                                                                                                   \
            for (int64_t i = 0; i < n; i++)                                                                            \
                y[i] = CENTERED(x[i]) * scale * w[i] + b[0];                                                           \
        else                                                                                                           \
            for (int64_t i = 0; i < n; i++)                                                                            \
                y[i] = CENTERED(x[i]) * scale * w[0] + b[i * bs];                                                      \
    }                                                                                                                  \
    static WG_CLONES void run_dots_##suffix(int64_t n, const void *cotangent, const void *from, const void *weight,    \
                                            int64_t ws, const wg_row_numbers *r, double to[2])                         \
    {                                                                                                                  \
        const T *restrict g = cotangent, *restrict x = from, *restrict w = weight;                                     \
        MEAN_AND_SCALE(T, r)                                                                                           \
        double sum[LANES] = {0}, dot[LANES] = {0};                                                                     \
        int64_t i = 0;                                                                                                 \
        while (i + DEPTH * LANES <= n) {                                                                               \
            T a[LANES] = {0}, b[LANES] = {0};                                                                          \
            for (int j = 0; j < DEPTH; j++, i += LANES) {                                                              \
                FETCH(T, g + i, n)                                                                                     \
                for (int k = 0; k < LANES; k++) {                                                                      \
                    const T h = g[i + k] * (ws ? w[i + k] : w[0]);                                                     \
                    a[k] += h;                                                                                         \
                    b[k] += h * (CENTERED(x[i + k]) * scale);                                                          \
                }                                                                                                      \
            }                                                                                                          \
            for (int k = 0; k < LANES; k++) {                                                                          \
                sum[k] += (double)a[k];                                                                                \
                dot[k] += (double)b[k];                                                                                \
            }                                                                                                          \
        }                                                                                                              \
        for (; i + LANES <= n; i += LANES)                                                                             \
            for (int k = 0; k < LANES; k++) {                                                                          \
                const T h = g[i + k] * (ws ? w[i + k] : w[0]);                                                         \
                sum[k] += (double)h;                                                                                   \
                dot[k] += (double)(h * (CENTERED(x[i + k]) * scale));                                                  \
            }                                                                                                          \
        for (int k = 0; i < n; i++, k++) {                                                                             \
            const T h = g[i] * w[i * ws];                                                                              \
            sum[k] += (double)h;                                                                                       \
            dot[k] += (double)(h * (CENTERED(x[i]) * scale));                                                          \
        }                                                                                                              \
        FOLD(sum)                                                                                                      \
        FOLD(dot)                                                                                                      \
        to[0] += sum[0];                                                                                               \
        to[1] += dot[0];                                                                                               \
    }                                                                                                                  \
    static WG_CLONES void run_pull_##suffix(int64_t n, const void *cotangent, const void *from, const void *weight,    \
                                            int64_t ws, const wg_row_numbers *r, void *to)                             \
    {                                                                                                                  \
        const T *restrict g = cotangent, *restrict x = from, *restrict w = weight;                                     \
        T *restrict y = to;                                                                                            \
        MEAN_AND_SCALE(T, r)                                                                                           \
        const T h = (T)r->h, hn = (T)r->hn;                                                                            \
        if (ws)                                                                                                        \
            for (int64_t i = 0; i < n; i++)                                                                            \
                y[i] = scale * (g[i] * w[i] - h - CENTERED(x[i]) * scale * hn);                                        \
        else                                                                                                           \
            for (int64_t i = 0; i < n; i++)                                                                            \
                y[i] = scale * (g[i] * w[0] - h - CENTERED(x[i]) * scale * hn);                                        \
    }                                                                                                                  \
    static WG_CLONES void run_weigh_##suffix(int64_t n, int64_t m, const void *cotangent, const void *from,            \
                                             const wg_row_numbers *r, double *restrict to, double *restrict sum)       \
    {                                                                                                                  \
        T high_of[DEPTH], low_of[DEPTH], scale_of[DEPTH];                                                              \
        for (int64_t row = 0; row < m; row++) {                                                                        \
            MEAN_AND_SCALE(T, &r[row])                                                                                 \
            high_of[row] = high;                                                                                       \
            low_of[row] = low;                                                                                         \
            scale_of[row] = scale;                                                                                     \
        }                                                                                                              \
        for (int64_t at = 0; at < n; at += LANES) {                                                                    \
            const int64_t width = n - at < LANES ? n - at : LANES;                                                     \
            T a[LANES] = {0}, b[LANES] = {0};                                                                          \
            for (int64_t row = 0; row < m; row++) {                                                                    \
                const T *restrict g = (const T *)cotangent + row * n + at;                                             \
                const T *restrict x = (const T *)from + row * n + at;                                                  \
                const T high = high_of[row], low = low_of[row], scale = scale_of[row];                                 \
                if (width == LANES)                                                                                    \
                    for (int k = 0; k < LANES; k++) {                                                                  \
                        a[k] += g[k] * (CENTERED(x[k]) * scale);                                                       \
                        b[k] += g[k];                                                                                  \
                    }                                                                                                  \
                else                                                                                                   \
                    for (int k = 0; k < width; k++) {                                                                  \
                        a[k] += g[k] * (CENTERED(x[k]) * scale);                                                       \
                        b[k] += g[k];                                                                                  \
                    }                                                                                                  \
            }                                                                                                          \
            for (int k = 0; k < width; k++) {                                                                          \
                to[at + k] += (double)a[k];                                                                            \
                if (sum)                                                                                               \
                    sum[at + k] += (double)b[k];                                                                       \
            }                                                                                                          \
        }                                                                                                              \
    }
RUN_KERNELS(f32, float)
RUN_KERNELS(f64, double)

/* ---- Kernels of rows side by side -------------------------------------------------------------------------------- */

/* As MEAN_AND_SCALE, of each row, and its weight and bias. */
#define COLUMN_NUMBERS(T, s, r)                                                                                        \
    const T *const row_weight = (s)->row_weight, *const row_bias = (s)->row_bias;                                      \
    const T *const element_weight = (s)->weight, *const element_bias = (s)->bias;                                      \
    T high_of[WG_TILE], low_of[WG_TILE], scale_of[WG_TILE], weight_of_row[WG_TILE], bias_of_row[WG_TILE];              \
    for (int64_t k = 0; k < (s)->m; k++) {                                                                             \
        high_of[k] = (T)(r)->mean[k];                                                                                  \
        low_of[k] = (T)((r)->mean[k] - (double)high_of[k]);                                                            \
        scale_of[k] = (T)(r)->scale[k];                                                                                \
        weight_of_row[k] = row_weight ? row_weight[k] : 1;                                                             \
        bias_of_row[k] = row_bias ? row_bias[k] : 0;                                                                   \
    }                                                                                                                  \
    (void)element_weight;                                                                                              \
    (void)element_bias;                                                                                                \
    (void)weight_of_row;                                                                                               \
    (void)bias_of_row;
#define COLUMN_N(x, k) ((((x) - high_of[k]) - low_of[k]) * scale_of[k])

#define COLUMN_KERNELS(suffix, T)                                                                                      \
    static WG_CLONES void columns_statistics_##suffix(const wg_columns *s, const void *from, wg_column_numbers *r)     \
    {                                                                                                                  \
        const T *restrict x = from;                                                                                    \
        const int64_t n = s->n, m = s->m, e = s->stride;                                                               \
        double sum[WG_TILE] = {0}, squares[WG_TILE] = {0};                                                             \
        T high[WG_TILE], low[WG_TILE];                                                                                 \
        for (int64_t i = 0; s->centered && i < n; i++)                                                                 \
            for (int64_t k = 0; k < m; k++)                                                                            \
                sum[k] += (double)x[i * e + k];                                                                        \
        for (int64_t k = 0; k < m; k++) {                                                                              \
            r->mean[k] = sum[k] / (double)n;                                                                           \
            high[k] = (T)r->mean[k];                                                                                   \
            low[k] = (T)(r->mean[k] - (double)high[k]);                                                                \
        }                                                                                                              \
        for (int64_t i = 0; i < n; i++)                                                                                \
            for (int64_t k = 0; k < m; k++) {                                                                          \
                const T d = (x[i * e + k] - high[k]) - low[k];                                                         \
                squares[k] += (double)(d * d);                                                                         \
            }                                                                                                          \
        for (int64_t k = 0; k < m; k++) {                                                                              \
            r->var[k] = squares[k] / (double)n;                                                                        \
            r->scale[k] = 1 / sqrt(r->var[k] + s->eps);                                                                \
        }                                                                                                              \
    }                                                                                                                  \
    static WG_CLONES void columns_apply_##suffix(const wg_columns *s, const void *from, const wg_column_numbers *r,    \
                                                 void *to)                                                             \
    {                                                                                                                  \
        const T *restrict x = from;                                                                                    \
        T *restrict y = to;                                                                                            \
        const int64_t n = s->n, m = s->m, e = s->stride;                                                               \
        COLUMN_NUMBERS(T, s, r)                                                                                        \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const T w = element_weight ? element_weight[i] : 1, b = element_bias ? element_bias[i] : 0;                \
            for (int64_t k = 0; k < m; k++)                                                                            \
                y[i * e + k] = COLUMN_N(x[i * e + k], k) * (w * weight_of_row[k]) + (b + bias_of_row[k]);              \
        }                                                                                                              \
    }                                                                                                                  \
    static WG_CLONES void columns_pull_##suffix(const wg_columns *s, const void *cotangent, const void *from,          \
                                                const wg_column_numbers *r, void *to)                                  \
    {                                                                                                                  \
        const T *restrict g = cotangent, *restrict x = from;                                                           \
        T *restrict y = to;                                                                                            \
        const int64_t n = s->n, m = s->m, e = s->stride;                                                               \
        COLUMN_NUMBERS(T, s, r)                                                                                        \
        double sum[WG_TILE] = {0}, dot[WG_TILE] = {0};                                                                 \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const T w = element_weight ? element_weight[i] : 1;                                                        \
            for (int64_t k = 0; k < m; k++) {                                                                          \
                const T h = g[i * e + k] * (w * weight_of_row[k]);                                                     \
                sum[k] += (double)h;                                                                                   \
                dot[k] += (double)(h * COLUMN_N(x[i * e + k], k));                                                     \
            }                                                                                                          \
        }                                                                                                              \
        T mean_h[WG_TILE], mean_hn[WG_TILE];                                                                           \
        for (int64_t k = 0; k < m; k++) {                                                                              \
            mean_h[k] = (T)(s->centered ? sum[k] / (double)n : 0);                                                     \
            mean_hn[k] = (T)(dot[k] / (double)n);                                                                      \
        }                                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const T w = element_weight ? element_weight[i] : 1;                                                        \
            for (int64_t k = 0; k < m; k++) {                                                                          \
                const T h = g[i * e + k] * (w * weight_of_row[k]);                                                     \
                y[i * e + k] = scale_of[k] * (h - mean_h[k] - COLUMN_N(x[i * e + k], k) * mean_hn[k]);                 \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static WG_CLONES void columns_weigh_##suffix(const wg_columns *s, bool by_row, const void *cotangent,              \
                                                 const void *from, const wg_column_numbers *r, double *restrict to)    \
    {                                                                                                                  \
        const T *restrict g = cotangent, *restrict x = from;                                                           \
        const int64_t n = s->n, m = s->m, e = s->stride;                                                               \
        COLUMN_NUMBERS(T, s, r)                                                                                        \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            double sum = 0;                                                                                            \
            if (by_row)                                                                                                \
                for (int64_t k = 0; k < m; k++)                                                                        \
                    to[k] += (double)(g[i * e + k] * COLUMN_N(x[i * e + k], k));                                       \
            else                                                                                                       \
                for (int64_t k = 0; k < m; k++)                                                                        \
                    sum += (double)(g[i * e + k] * COLUMN_N(x[i * e + k], k));                                         \
            if (!by_row)                                                                                               \
                to[i] += sum;                                                                                          \
        }                                                                                                              \
    }
COLUMN_KERNELS(f32, float)
COLUMN_KERNELS(f64, double)

const wg_norm_kernel_table wg_norm_kernels[] = {
    [WG_FLOAT32] = {run_sum_f32, run_squares_f32, run_apply_f32, run_dots_f32, run_pull_f32, run_weigh_f32,
                    columns_statistics_f32, columns_apply_f32, columns_pull_f32, columns_weigh_f32},
    [WG_FLOAT64] = {run_sum_f64, run_squares_f64, run_apply_f64, run_dots_f64, run_pull_f64, run_weigh_f64,
                    columns_statistics_f64, columns_apply_f64, columns_pull_f64, columns_weigh_f64},
};
