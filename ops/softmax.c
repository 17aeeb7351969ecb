/* Softmax and its kin along any axis, and the hidden operations that pull cotangents back through them in one pass:
 * x is [outer, n, inner], and either its rows (inner = 1) or tiles of its columns are worked on while they are in
 * the cache. */
#include "ops/code.h"
#include "wengert/softmax.h"

#include "wengert/elementwise.h"
#include "wengert/map.h"
#include "wengert/reductions.h"

#define SOFTMAX(OP) OP(softmax) OP(log_softmax) OP(softmin) OP(softmax_back) OP(log_softmax_back)
WG_CONTENTS(SOFTMAX)

#define LANES 32
#define DEPTH 8  /* numbers a lane sums in the arrays' own type before they go on to double */
#define TILE 128 /* columns at a time */
#define SHORT 16 /* rows no longer than this are turned into columns */

/* ---- Kernels ----------------------------------------------------------------------------------------------------- */
typedef void row_kernel(int64_t n, const void *x, const void *g, void *y);
typedef void column_kernel(int64_t n, int64_t inner, int64_t width, const void *x, const void *g, void *y);

typedef struct {
    row_kernel *row[2]; /* one a float dtype */
    column_kernel *column[2];
} kernels;

/* The sum, or the largest, over j < n of an expression, in lanes that the compiler makes vectors of. */
#define SUM_OF(to, expression)                                                                                         \
    {                                                                                                                  \
        double lane[LANES] = {0};                                                                                      \
        int64_t j = 0;                                                                                                 \
        while (j + DEPTH * LANES <= n) {                                                                               \
            T part[LANES] = {0};                                                                                       \
            for (int d = 0; d < DEPTH; d++, j += LANES)                                                                \
                for (int k = 0; k < LANES; k++) {                                                                      \
                    const int64_t i = j + k;                                                                           \
                    part[k] += (expression);                                                                           \
                }                                                                                                      \
            for (int k = 0; k < LANES; k++)                                                                            \
                lane[k] += (double)part[k];                                                                            \
        }                                                                                                              \
        for (; j + LANES <= n; j += LANES)                                                                             \
            for (int k = 0; k < LANES; k++) {                                                                          \
                const int64_t i = j + k;                                                                               \
                lane[k] += (double)(expression);                                                                       \
            }                                                                                                          \
        for (int k = 0; j < n; j++, k++) {                                                                             \
            const int64_t i = j;                                                                                       \
            lane[k] += (double)(expression);                                                                           \
        }                                                                                                              \
        for (int half = LANES / 2; half; half /= 2)                                                                    \
            for (int k = 0; k < half; k++)                                                                             \
                lane[k] += lane[k + half];                                                                             \
        to = lane[0];                                                                                                  \
    }
#define LARGEST_OF(to, expression)                                                                                     \
    {                                                                                                                  \
        T lane[LANES];                                                                                                 \
        int64_t j = 0;                                                                                                 \
        for (int k = 0; k < LANES; k++)                                                                                \
            lane[k] = (T)-INFINITY;                                                                                    \
        for (; j + LANES <= n; j += LANES)                                                                             \
            for (int k = 0; k < LANES; k++) {                                                                          \
                const int64_t i = j + k;                                                                               \
                lane[k] = (expression) > lane[k] ? (expression) : lane[k];                                             \
            }                                                                                                          \
        for (int k = 0; j < n; j++, k++) {                                                                             \
            const int64_t i = j;                                                                                       \
            lane[k] = (expression) > lane[k] ? (expression) : lane[k];                                                 \
        }                                                                                                              \
        for (int half = LANES / 2; half; half /= 2)                                                                    \
            for (int k = 0; k < half; k++)                                                                             \
                lane[k] = lane[k + half] > lane[k] ? lane[k + half] : lane[k];                                         \
        to = lane[0];                                                                                                  \
    }
/* Each of `width` columns of [n, inner]; i counts down them, j across. */
#define DOWN(...)                                                                                                      \
    for (int64_t i = 0; i < n; i++)                                                                                    \
        for (int64_t j = 0; j < width; j++) {                                                                          \
            const int64_t at = i * inner + j;                                                                          \
            __VA_ARGS__                                                                                                \
        }
#define ACROSS(...)                                                                                                    \
    for (int64_t j = 0; j < width; j++) {                                                                              \
        __VA_ARGS__                                                                                                    \
    }

/* A NaN is not found by LARGEST_OF, but its exponential and the sum are NaN all the same. */
#define WEIGHTS(name, suffix, T_, SIGN)                                                                                \
    static WG_CLONES void name##_row_##suffix(int64_t n, const void *from, const void *g, void *to)                    \
    {                                                                                                                  \
        typedef T_ T;                                                                                                  \
        const T *restrict x = from;                                                                                    \
        T *restrict y = to, most;                                                                                      \
        double sum;                                                                                                    \
        (void)g;                                                                                                       \
        LARGEST_OF(most, SIGN x[i])                                                                                    \
        for (int64_t i = 0; i < n; i++)                                                                                \
            y[i] = exp(SIGN x[i] - most);                                                                              \
        SUM_OF(sum, y[i])                                                                                              \
        const T scale = (T)(1 / sum);                                                                                  \
        for (int64_t i = 0; i < n; i++)                                                                                \
            y[i] *= scale;                                                                                             \
    }                                                                                                                  \
    static WG_CLONES void name##_column_##suffix(int64_t n, int64_t inner, int64_t width, const void *from,            \
                                                 const void *g, void *to)                                              \
    {                                                                                                                  \
        typedef T_ T;                                                                                                  \
        const T *restrict x = from;                                                                                    \
        T *restrict y = to, most[TILE];                                                                                \
        double sum[TILE];                                                                                              \
        (void)g;                                                                                                       \
        ACROSS(most[j] = (T)-INFINITY; sum[j] = 0;)                                                                    \
        DOWN(most[j] = SIGN x[at] > most[j] ? SIGN x[at] : most[j];)                                                   \
        DOWN(y[at] = exp(SIGN x[at] - most[j]); sum[j] += (double)y[at];)                                              \
        ACROSS(most[j] = (T)(1 / sum[j]);)                                                                             \
        DOWN(y[at] *= most[j];)                                                                                        \
    }
#define LOG_WEIGHTS(name, suffix, T_)                                                                                  \
    static WG_CLONES void name##_row_##suffix(int64_t n, const void *from, const void *g, void *to)                    \
    {                                                                                                                  \
        typedef T_ T;                                                                                                  \
        const T *restrict x = from;                                                                                    \
        T *restrict y = to, most;                                                                                      \
        double sum;                                                                                                    \
        (void)g;                                                                                                       \
        LARGEST_OF(most, x[i])                                                                                         \
        SUM_OF(sum, exp(x[i] - most))                                                                                  \
        const T log_sum = (T)log(sum);                                                                                 \
        for (int64_t i = 0; i < n; i++)                                                                                \
            y[i] = x[i] - most - log_sum;                                                                              \
    }                                                                                                                  \
    static WG_CLONES void name##_column_##suffix(int64_t n, int64_t inner, int64_t width, const void *from,            \
                                                 const void *g, void *to)                                              \
    {                                                                                                                  \
        typedef T_ T;                                                                                                  \
        const T *restrict x = from;                                                                                    \
        T *restrict y = to, most[TILE], log_sum[TILE];                                                                 \
        double sum[TILE];                                                                                              \
        (void)g;                                                                                                       \
        ACROSS(most[j] = (T)-INFINITY; sum[j] = 0;)                                                                    \
        DOWN(most[j] = x[at] > most[j] ? x[at] : most[j];)                                                             \
        DOWN(sum[j] += (double)exp(x[at] - most[j]);)                                                                  \
        ACROSS(log_sum[j] = (T)log(sum[j]);)                                                                           \
        DOWN(y[at] = x[at] - most[j] - log_sum[j];)                                                                    \
    }
/* to = VALUE of y, g and s, with s the sum of TERM along the axis. */
#define BACK(name, suffix, T_, TERM, VALUE)                                                                            \
    static WG_CLONES void name##_row_##suffix(int64_t n, const void *from, const void *cotangent, void *to)            \
    {                                                                                                                  \
        typedef T_ T;                                                                                                  \
        const T *restrict ys = from, *restrict gs = cotangent;                                                         \
        T *restrict dx = to;                                                                                           \
        double sum;                                                                                                    \
        SUM_OF(sum, TERM(ys[i], gs[i]))                                                                                \
        const T s = (T)sum;                                                                                            \
        for (int64_t i = 0; i < n; i++)                                                                                \
            dx[i] = VALUE(ys[i], gs[i], s);                                                                            \
    }                                                                                                                  \
    static WG_CLONES void name##_column_##suffix(int64_t n, int64_t inner, int64_t width, const void *from,            \
                                                 const void *cotangent, void *to)                                      \
    {                                                                                                                  \
        typedef T_ T;                                                                                                  \
        const T *restrict ys = from, *restrict gs = cotangent;                                                         \
        T *restrict dx = to, s[TILE];                                                                                  \
        double sum[TILE];                                                                                              \
        ACROSS(sum[j] = 0;)                                                                                            \
        DOWN(sum[j] += (double)TERM(ys[at], gs[at]);)                                                                  \
        ACROSS(s[j] = (T)sum[j];)                                                                                      \
        DOWN(dx[at] = VALUE(ys[at], gs[at], s[j]);)                                                                    \
    }
#define KERNELS(name)                                                                                                  \
    static const kernels name##_kernels = {{name##_row_f32, name##_row_f64}, {name##_column_f32, name##_column_f64}};

/* ---- Along an axis ----------------------------------------------------------------------------------------------- */
typedef struct {
    const kernels *k;
    wg_dtype dtype;
    int64_t n, inner, outer, tiles, rows; /* rows: of a piece of work */
    const char *x, *g;
    char *y;
} along;

/* [rows, columns] as [columns, rows]. */
static void transpose(wg_dtype dtype, int64_t rows, int64_t columns, const void *from, void *to)
{
#define COPY(T)                                                                                                        \
    for (int64_t j = 0; j < columns; j++)                                                                              \
        for (int64_t i = 0; i < rows; i++)                                                                             \
            ((T *)to)[j * rows + i] = ((const T *)from)[i * columns + j]
    if (dtype == WG_FLOAT32)
        COPY(float);
    else
        COPY(double);
#undef COPY
}

/* Short rows fill no vector: TILE of them are columns side by side. */
static void work_short_rows(const along *a, int64_t first, int64_t last)
{
    double x[SHORT * TILE], g[SHORT * TILE], y[SHORT * TILE];
    size_t bytes = (size_t)a->n * wg_dtype_size(a->dtype);
    for (int64_t i = first; i < last; i += TILE) {
        int64_t rows = last - i < TILE ? last - i : TILE;
        transpose(a->dtype, rows, a->n, a->x + (size_t)i * bytes, x);
        if (a->g)
            transpose(a->dtype, rows, a->n, a->g + (size_t)i * bytes, g);
        a->k->column[a->dtype](a->n, rows, rows, x, g, y);
        transpose(a->dtype, a->n, rows, y, a->y + (size_t)i * bytes);
    }
}

static void work_piece(void *argument, int64_t task)
{
    const along *a = argument;
    size_t size = wg_dtype_size(a->dtype);
    if (a->inner == 1) {
        int64_t last = (task + 1) * a->rows < a->outer ? (task + 1) * a->rows : a->outer;
        if (a->n <= SHORT) {
            work_short_rows(a, task * a->rows, last);
            return;
        }
        for (int64_t i = task * a->rows; i < last; i++) {
            size_t at = (size_t)(i * a->n) * size;
            a->k->row[a->dtype](a->n, a->x + at, a->g ? a->g + at : NULL, a->y + at);
        }
        return;
    }
    int64_t first = task % a->tiles * TILE, width = a->inner - first < TILE ? a->inner - first : TILE;
    size_t at = (size_t)(task / a->tiles * a->n * a->inner + first) * size;
    a->k->column[a->dtype](a->n, a->inner, width, a->x + at, a->g ? a->g + at : NULL, a->y + at);
}

static wg_status along_axis(const wg_call *c, const kernels *k)
{
    const wg_softmax_options *o = c->options;
    const wg_type *x = &c->x[0];
    along a = {.k = k, .dtype = x->dtype, .n = x->dim[o->axis], .inner = 1, .x = c->from[0], .y = c->to[0],
               .g = c->n_in > 1 ? c->from[1] : NULL};
    int64_t count = wg_type_count(x);
    if (!count)
        return WG_OK;
    for (int i = o->axis + 1; i < x->rank; i++)
        a.inner *= x->dim[i];
    a.outer = count / (a.n * a.inner);
    a.tiles = (a.inner + TILE - 1) / TILE;
    a.rows = a.n < WG_PIECE ? WG_PIECE / a.n : 1;
    wg_parallel(c->tape, a.inner == 1 ? (a.outer + a.rows - 1) / a.rows : a.outer * a.tiles, work_piece, &a);
    return WG_OK;
}

static double softmax_flops(const wg_call *c) { return 5.0 * (double)wg_type_count(&c->x[0]); }

/* The sum along the axis, which stays with size 1. */
static wg_tensor along_sum(const wg_call *c, wg_tensor x)
{
    const wg_softmax_options *o = c->options;
    return wg_sum(x, .axis = WG_AXES(o->axis), .keepdims = true);
}

static wg_tensor softmax_back(wg_tensor y, wg_tensor g, int axis);
static wg_tensor log_softmax_back(wg_tensor y, wg_tensor g, int axis);

#define SOFTMAX_SAMPLES {"[2,3]", "[2,3,4] axis=1", "[3,2] axis=0", "[2,40]:-300..300", "[0,3]", "[3,0]"}

/* ---- softmax ----------------------------------------------------------------------------------------------------- */
WEIGHTS(softmax, f32, float, +)
WEIGHTS(softmax, f64, double, +)
KERNELS(softmax)
static wg_status softmax_run(const wg_call *c) { return along_axis(c, &softmax_kernels); }

/* dy_i / dx_j = y_i ([i = j] - y_j), which is symmetric: one rule for both directions. */
static wg_tensor softmax_dx(const wg_call *c, wg_tensor g)
{
    const wg_softmax_options *o = c->options;
    return softmax_back(c->out[0], g, o->axis);
}
static wg_tensor softmax_jvp(const wg_call *c) { return softmax_dx(c, c->t[0]); }

static wg_tensor weights_formula(const wg_call *c, wg_tensor x)
{
    const wg_softmax_options *o = c->options;
    wg_tensor most = wg_stop_gradient(wg_amax(x, .axis = WG_AXES(o->axis), .keepdims = true));
    wg_tensor e = wg_exp(wg_subtract(x, most));
    return wg_divide(e, along_sum(c, e));
}
static void softmax_formula(const wg_call *c, wg_tensor *out) { out[0] = weights_formula(c, c->in[0]); }
static wg_status softmax_c(const wg_call *c, wg_code *w)
{
    const wg_softmax_options *o = c->options;
    return wg_code_along(c, w, o->axis, "", "",
                         WG_C(T most = -INFINITY; double sum = 0; EACH most = x > most ? x : most; EACH {
                             y = exp(x - most);
                             sum += (double)y;
                         } EACH y = (T)((double)y / sum);));
}

WG_OP(softmax) = {
    .name = "softmax",
    .doc = "y = exp(x) / sum(exp(x)) along `axis`",
    .source = "Bridle 1990",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_softmax, WG_ATTR(wg_softmax, axis)),
    .type = wg_type_as_first,
    .run = softmax_run,
    .c = softmax_c,
    .vjp = {softmax_dx},
    .jvp = softmax_jvp,
    .saves = "y",
    .formula = softmax_formula,
    .lanes = WG_LANES_SHIFTED,
    .samples = SOFTMAX_SAMPLES,
    .flops = softmax_flops,
};
wg_tensor (wg_softmax)(wg_tensor x, wg_softmax_options options) { return WG_RECORD(softmax, &options, x); }

/* ---- log_softmax ------------------------------------------------------------------------------------------------- */
LOG_WEIGHTS(log_softmax, f32, float)
LOG_WEIGHTS(log_softmax, f64, double)
KERNELS(log_softmax)
static wg_status log_softmax_run(const wg_call *c) { return along_axis(c, &log_softmax_kernels); }

static wg_tensor log_softmax_dx(const wg_call *c, wg_tensor g)
{
    const wg_log_softmax_options *o = c->options;
    return log_softmax_back(c->out[0], g, o->axis);
}

static wg_tensor log_softmax_jvp(const wg_call *c)
{
    return wg_subtract(c->t[0], along_sum(c, wg_multiply(wg_exp(c->out[0]), c->t[0])));
}

static void log_softmax_formula(const wg_call *c, wg_tensor *out)
{
    const wg_softmax_options *o = c->options;
    wg_tensor most = wg_stop_gradient(wg_amax(c->in[0], .axis = WG_AXES(o->axis), .keepdims = true));
    wg_tensor x = wg_subtract(c->in[0], most);
    out[0] = wg_subtract(x, wg_log(along_sum(c, wg_exp(x))));
}
static wg_status log_softmax_c(const wg_call *c, wg_code *w)
{
    const wg_softmax_options *o = c->options;
    return wg_code_along(c, w, o->axis, "", "",
                         WG_C(T most = -INFINITY; double sum = 0; EACH most = x > most ? x : most;
                              EACH sum += (double)exp(x - most); const T log_sum = (T)log_double(sum);
                              EACH y = x - most - log_sum;));
}

WG_OP(log_softmax) = {
    .name = "log_softmax",
    .doc = "y = x - log(sum(exp(x))) along `axis`",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_log_softmax, WG_ATTR(wg_log_softmax, axis)),
    .type = wg_type_as_first,
    .run = log_softmax_run,
    .c = log_softmax_c,
    .vjp = {log_softmax_dx},
    .jvp = log_softmax_jvp,
    .saves = "y",
    .formula = log_softmax_formula,
    .samples = SOFTMAX_SAMPLES,
    .flops = softmax_flops,
};
wg_tensor (wg_log_softmax)(wg_tensor x, wg_log_softmax_options options) { return WG_RECORD(log_softmax, &options, x); }

/* ---- softmin ----------------------------------------------------------------------------------------------------- */
WEIGHTS(softmin, f32, float, -)
WEIGHTS(softmin, f64, double, -)
KERNELS(softmin)
static wg_status softmin_run(const wg_call *c) { return along_axis(c, &softmin_kernels); }

static wg_tensor softmin_dx(const wg_call *c, wg_tensor g) { return wg_negative(softmax_dx(c, g)); }
static wg_tensor softmin_jvp(const wg_call *c) { return softmin_dx(c, c->t[0]); }

static void softmin_formula(const wg_call *c, wg_tensor *out) { out[0] = weights_formula(c, wg_negative(c->in[0])); }
static wg_status softmin_c(const wg_call *c, wg_code *w)
{
    const wg_softmax_options *o = c->options;
    return wg_code_along(c, w, o->axis, "", "",
                         WG_C(T most = -INFINITY; double sum = 0; EACH most = -x > most ? -x : most; EACH {
                             y = exp(-x - most);
                             sum += (double)y;
                         } EACH y = (T)((double)y / sum);));
}

WG_OP(softmin) = {
    .name = "softmin",
    .doc = "y = exp(-x) / sum(exp(-x)) along `axis`",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_softmin, WG_ATTR(wg_softmin, axis)),
    .type = wg_type_as_first,
    .run = softmin_run,
    .c = softmin_c,
    .vjp = {softmin_dx},
    .jvp = softmin_jvp,
    .saves = "y",
    .formula = softmin_formula,
    .samples = SOFTMAX_SAMPLES,
    .flops = softmax_flops,
};
wg_tensor (wg_softmin)(wg_tensor x, wg_softmin_options options) { return WG_RECORD(softmin, &options, x); }

/* ---- softmax_back: y (g - sum(g y)) ------------------------------------------------------------------------------ */
#define SOFTMAX_TERM(y, g) ((y) * (g))
#define SOFTMAX_VALUE(y, g, s) ((y) * ((g) - (s)))
BACK(softmax_back, f32, float, SOFTMAX_TERM, SOFTMAX_VALUE)
BACK(softmax_back, f64, double, SOFTMAX_TERM, SOFTMAX_VALUE)
KERNELS(softmax_back)
static wg_status softmax_back_run(const wg_call *c) { return along_axis(c, &softmax_back_kernels); }

static wg_tensor softmax_back_dy(const wg_call *c, wg_tensor h)
{
    wg_tensor y = c->in[0], g = c->in[1];
    wg_tensor centred = wg_subtract(g, along_sum(c, wg_multiply(g, y)));
    return wg_subtract(wg_multiply(h, centred), wg_multiply(g, along_sum(c, wg_multiply(h, y))));
}

static wg_tensor softmax_back_dg(const wg_call *c, wg_tensor h)
{
    const wg_softmax_options *o = c->options;
    return softmax_back(c->in[0], h, o->axis);
}

/* Along y it moves as its own pullback does, with the tangent in the place of y where y is a factor alone. */
static wg_tensor softmax_back_jvp(const wg_call *c)
{
    const wg_softmax_options *o = c->options;
    wg_tensor y = c->in[0], g = c->in[1], sum = WG_NONE;
    if (!wg_is_none(c->t[1]))
        sum = softmax_back(y, c->t[1], o->axis);
    if (wg_is_none(c->t[0]))
        return sum;
    wg_tensor centred = wg_subtract(g, along_sum(c, wg_multiply(g, y)));
    wg_tensor by_y = wg_subtract(wg_multiply(c->t[0], centred), wg_multiply(y, along_sum(c, wg_multiply(g, c->t[0]))));
    return wg_is_none(sum) ? by_y : wg_add(sum, by_y);
}

static wg_status softmax_back_c(const wg_call *c, wg_code *w)
{
    const wg_softmax_options *o = c->options;
    return wg_code_along(c, w, o->axis, "", "",
                         WG_C(double sum = 0; EACH sum += (double)(y * g); EACH z = y * (g - (T)sum);));
}

WG_OP(softmax_back) = {
    .name = "softmax_back",
    .doc = "dx = y (g - sum(g y)) along `axis`: softmax's pullback",
    .in = {{"y", 0}, {"g", 0}},
    .options = WG_SCHEMA(wg_softmax, WG_ATTR(wg_softmax, axis)),
    .type = wg_type_as_first,
    .run = softmax_back_run,
    .c = softmax_back_c,
    .vjp = {softmax_back_dy, softmax_back_dg},
    .jvp = softmax_back_jvp,
    .saves = "y g",
    .lanes = WG_LANES_SHIFTED,
    .samples = {"[2,3] [2,3]", "[2,3,4] [2,3,4] axis=1", "[0,3] [0,3]"},
    .hidden = true,
};
static wg_tensor softmax_back(wg_tensor y, wg_tensor g, int axis)
{
    return WG_RECORD(softmax_back, (&(wg_softmax_options){axis}), y, g);
}

/* ---- log_softmax_back: g - exp(y) sum(g) ------------------------------------------------------------------------- */
#define LOG_SOFTMAX_TERM(y, g) (g)
#define LOG_SOFTMAX_VALUE(y, g, s) ((g) - exp(y) * (s))
BACK(log_softmax_back, f32, float, LOG_SOFTMAX_TERM, LOG_SOFTMAX_VALUE)
BACK(log_softmax_back, f64, double, LOG_SOFTMAX_TERM, LOG_SOFTMAX_VALUE)
KERNELS(log_softmax_back)
static wg_status log_softmax_back_run(const wg_call *c) { return along_axis(c, &log_softmax_back_kernels); }

static wg_tensor log_softmax_back_dy(const wg_call *c, wg_tensor h)
{
    return wg_negative(wg_multiply(wg_multiply(h, wg_exp(c->in[0])), along_sum(c, c->in[1])));
}

static wg_tensor log_softmax_back_dg(const wg_call *c, wg_tensor h)
{
    return wg_subtract(h, along_sum(c, wg_multiply(wg_exp(c->in[0]), h)));
}

static wg_tensor log_softmax_back_jvp(const wg_call *c)
{
    const wg_softmax_options *o = c->options;
    wg_tensor sum = wg_is_none(c->t[1]) ? WG_NONE : log_softmax_back(c->in[0], c->t[1], o->axis);
    if (wg_is_none(c->t[0]))
        return sum;
    wg_tensor by_y = log_softmax_back_dy(c, c->t[0]); /* its part of the Jacobian is diagonal */
    return wg_is_none(sum) ? by_y : wg_add(sum, by_y);
}

static wg_status log_softmax_back_c(const wg_call *c, wg_code *w)
{
    const wg_softmax_options *o = c->options;
    return wg_code_along(c, w, o->axis, "", "",
                         WG_C(double sum = 0; EACH sum += (double)g; EACH z = g - exp(y) * (T)sum;));
}

WG_OP(log_softmax_back) = {
    .name = "log_softmax_back",
    .doc = "dx = g - exp(y) sum(g) along `axis`: log_softmax's pullback",
    .in = {{"y", 0}, {"g", 0}},
    .options = WG_SCHEMA(wg_softmax, WG_ATTR(wg_softmax, axis)),
    .type = wg_type_as_first,
    .run = log_softmax_back_run,
    .c = log_softmax_back_c,
    .vjp = {log_softmax_back_dy, log_softmax_back_dg},
    .jvp = log_softmax_back_jvp,
    .saves = "y g",
    .lanes = WG_LANES_SHIFTED,
    .samples = {"[2,3] [2,3]", "[2,3,4] [2,3,4] axis=1", "[0,3] [0,3]"},
    .hidden = true,
};
static wg_tensor log_softmax_back(wg_tensor y, wg_tensor g, int axis)
{
    return WG_RECORD(log_softmax_back, (&(wg_softmax_options){axis}), y, g);
}

WG_FAMILY_OF(softmax, "networks", SOFTMAX)
