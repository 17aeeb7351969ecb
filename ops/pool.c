/* Pooling: the largest entry, or the mean, of each window. A maximum remembers where it was, so that its derivative
 * takes from those places and the transpose of that adds back to them; a mean is linear, and only needs its transpose.
 * One spatial axis is two of which the first has size 1. */
#include "ops/code.h"
#include "core/tape.h"
#include "wengert/convolution.h"

#define POOLS(OP)                                                                                                      \
    OP(max_pool1d) OP(max_pool2d) OP(avg_pool1d) OP(avg_pool2d) OP(pool_take) OP(pool_add_back) OP(avg_pool_back)
WG_CONTENTS(POOLS)

/* ---- Geometry ---------------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t channels; /* of all images */
    int64_t size[2], result[2], kernel[2], stride[2], padding[2], dilation[2];
    bool include_pad;
} pooling;

#define LARGEST ((int64_t)1 << 30) /* of an option, so that sums of them cannot overflow */

/* One number an axis, right-aligned in two; the axis that is not there has `fill`. */
static void two_axes(const int64_t *from, int axes, int64_t fill, int64_t to[2])
{
    to[0] = axes == 2 ? from[0] : fill;
    to[1] = from[axes - 1];
}

static pooling pooling_of(const wg_type *x, const wg_type *y, const int64_t *kernel, const int64_t *stride,
                          const int64_t *padding, const int64_t *dilation)
{
    static const int64_t ones[2] = {1, 1};
    int axes = x->rank - 2;
    pooling p = {.channels = x->dim[0] * x->dim[1]};
    two_axes(x->dim + 2, axes, 1, p.size);
    two_axes(y->dim + 2, axes, 1, p.result);
    two_axes(kernel, axes, 1, p.kernel);
    two_axes(stride[0] ? stride : kernel, axes, 1, p.stride);
    two_axes(padding, axes, 0, p.padding);
    two_axes(dilation ? dilation : ones, axes, 1, p.dilation);
    return p;
}

/* Options of a public entry, whatever its number of axes: read through the struct it has. */
static pooling max_pooling(const wg_call *c)
{
    const wg_max_pool1d_options *o1 = c->options;
    const wg_max_pool2d_options *o2 = c->options;
    return c->op->options->size == sizeof *o1
               ? pooling_of(&c->x[0], &c->y[0], o1->kernel_size, o1->stride, o1->padding, o1->dilation)
               : pooling_of(&c->x[0], &c->y[0], o2->kernel_size, o2->stride, o2->padding, o2->dilation);
}

static pooling avg_pooling(const wg_call *c)
{
    const wg_avg_pool1d_options *o1 = c->options;
    const wg_avg_pool2d_options *o2 = c->options;
    bool one = c->op->options->size == sizeof *o1;
    pooling p = one ? pooling_of(&c->x[0], &c->y[0], o1->kernel_size, o1->stride, o1->padding, NULL)
                    : pooling_of(&c->x[0], &c->y[0], o2->kernel_size, o2->stride, o2->padding, NULL);
    p.include_pad = one ? o1->count_include_pad : o2->count_include_pad;
    return p;
}

static wg_status rank_fits(const wg_call *c, int axes)
{
    if (c->x[0].rank == axes + 2)
        return WG_OK;
    return wg_fail(c, WG_ERROR_SHAPE, "%s has not %d dimensions", wg_show(c, 0), axes + 2);
}

static wg_status pooled_type(wg_call *c, const pooling *p)
{
    c->y[0] = c->x[0];
    for (int i = 0; i < 2; i++) {
        if (p->kernel[i] < 1 || p->kernel[i] > LARGEST || p->stride[i] < 1 || p->dilation[i] < 1 ||
            p->dilation[i] > LARGEST)
            return wg_fail(c, WG_ERROR_VALUE,
                           "kernel_size %lld, stride %lld and dilation %lld are not all from 1 to 2^30",
                           (long long)p->kernel[i], (long long)p->stride[i], (long long)p->dilation[i]);
        if (p->padding[i] < 0 || p->padding[i] > p->kernel[i] / 2)
            return wg_fail(c, WG_ERROR_VALUE, "padding %lld is not between 0 and half of kernel_size %lld",
                           (long long)p->padding[i], (long long)p->kernel[i]);
        int axis = c->x[0].rank - 2 + i;
        int64_t room = p->size[i] + 2 * p->padding[i] - p->dilation[i] * (p->kernel[i] - 1) - 1;
        if (room < 0)
            return wg_fail(c, WG_ERROR_SHAPE, "a window of %lld is larger than axis %d of %s with its padding",
                           (long long)p->kernel[i], axis, wg_show(c, 0));
        if (axis >= 2)
            c->y[0].dim[axis] = room / p->stride[i] + 1;
    }
    return WG_OK;
}

/* Elements [first, last) of the window of result r that are inside x along axis i; the first of them is at `from`. */
typedef struct {
    int64_t first, last, from;
} inside;

static inside inside_of(const pooling *p, int i, int64_t r)
{
    int64_t start = r * p->stride[i] - p->padding[i], step = p->dilation[i];
    if (start >= 0 && start + step * (p->kernel[i] - 1) < p->size[i])
        return (inside){0, p->kernel[i], start}; /* as nearly all are: without a division */
    int64_t first = start < 0 ? (step - 1 - start) / step : 0;
    int64_t last = start >= p->size[i] ? 0 : (p->size[i] - 1 - start) / step + 1;
    if (last > p->kernel[i])
        last = p->kernel[i];
    return (inside){first, last < first ? first : last, start + first * step};
}

typedef struct {
    const wg_call *c;
    pooling p;
} task;

/* ---- Their C ----------------------------------------------------------------------------------------------------- */
static void pooling_c(wg_code *w, const pooling *p)
{
    static const char *const names[] = {"in", "out", "kernel", "stride", "padding", "dilation"};
    const int64_t *const sizes[] = {p->size, p->result, p->kernel, p->stride, p->padding, p->dilation};
    char name[24];
    wg_code_size(w, "channels", p->channels);
    for (int k = 0; k < 6; k++)
        for (int i = 0; i < 2; i++) {
            snprintf(name, sizeof name, "%s%d", names[k], i);
            wg_code_size(w, name, sizes[k][i]);
        }
}

#define EACH_WINDOW                                                                                                    \
    for (int c = 0; c < channels; c++) for (int r0 = 0; r0 < out0; r0++) for (int r1 = 0; r1 < out1; r1++)
#define EACH_INSIDE                                                                                                    \
    for (int k0 = 0; k0 < kernel0; k0++) for (int k1 = 0; k1 < kernel1; k1++)
#define INSIDE                                                                                                         \
    const int x0 = r0 * stride0 + k0 * dilation0 - padding0;                                                           \
    const int x1 = r1 * stride1 + k1 * dilation1 - padding1;                                                           \
    if (x0 < 0 || x0 >= in0 || x1 < 0 || x1 >= in1) continue;

/* ---- max_pool ---------------------------------------------------------------------------------------------------- */
/* index: where in its channel of x the largest entry is. */
#define MAX_CHANNEL(T, suffix)                                                                                         \
    static void max_channel_##suffix(void *argument, int64_t channel)                                                  \
    {                                                                                                                  \
        const task *t = argument;                                                                                      \
        const pooling *p = &t->p;                                                                                      \
        const T *x = (const T *)t->c->from[0] + channel * p->size[0] * p->size[1];                                     \
        T *y = (T *)t->c->to[0] + channel * p->result[0] * p->result[1];                                               \
        int64_t *index = (int64_t *)t->c->to[1] + channel * p->result[0] * p->result[1];                               \
        for (int64_t r0 = 0; r0 < p->result[0]; r0++)                                                                  \
            for (int64_t r1 = 0; r1 < p->result[1]; r1++) {                                                            \
                const inside i0 = inside_of(p, 0, r0), i1 = inside_of(p, 1, r1);                                       \
                int64_t place = i0.from * p->size[1] + i1.from;                                                        \
                T most = -(T)INFINITY;                                                                                 \
                for (int64_t k0 = i0.first, x0 = i0.from; k0 < i0.last; k0++, x0 += p->dilation[0])                    \
                    for (int64_t k1 = i1.first, x1 = i1.from; k1 < i1.last; k1++, x1 += p->dilation[1]) {              \
                        T value = x[x0 * p->size[1] + x1];                                                             \
                        if (!(value <= most) && most == most) { /* larger, or the first NaN */                         \
                            most = value;                                                                              \
                            place = x0 * p->size[1] + x1;                                                              \
                        }                                                                                              \
                    }                                                                                                  \
                *y++ = most;                                                                                           \
                *index++ = place;                                                                                      \
            }                                                                                                          \
    }
MAX_CHANNEL(float, f32)
MAX_CHANNEL(double, f64)

static wg_status max_pool_type(wg_call *c)
{
    if (rank_fits(c, c->op->options->size == sizeof(wg_max_pool1d_options) ? 1 : 2))
        return WG_ERROR_SHAPE;
    c->y[0] = c->x[0];
    pooling p = max_pooling(c);
    wg_status status = pooled_type(c, &p);
    c->y[1] = c->y[0];
    c->y[1].dtype = WG_INT64;
    return status;
}

static wg_status max_pool_run(const wg_call *c)
{
    task t = {c, max_pooling(c)};
    if (wg_type_count(&c->y[0]))
        wg_parallel(c->tape, t.p.channels, c->dtype == WG_FLOAT32 ? max_channel_f32 : max_channel_f64, &t);
    return WG_OK;
}

static wg_status max_pool_c(const wg_call *c, wg_code *w)
{
    pooling p = max_pooling(c);
    pooling_c(w, &p);
    return wg_code_text(w, TEXT_OF(EACH_WINDOW {
        T most = 0;
        int place = -1;
        EACH_INSIDE {
            INSIDE
            const T v = x[(c * in0 + x0) * in1 + x1];
            if (place < 0 || (!(v <= most) && most == most)) { most = v; place = x0 * in1 + x1; }
        }
        y[(c * out0 + r0) * out1 + r1] = most;
        index[(c * out0 + r0) * out1 + r1] = place;
    }));
}

/* ---- The entries at those places, and the transpose -------------------------------------------------------------- */
typedef struct {
    wg_shape shape;
} pool_add_back_options;
#define pool_add_back_defaults .shape = WG_NO_SHAPE

static wg_tensor pool_take(wg_tensor x, wg_tensor index);
static wg_tensor pool_add_back(wg_tensor g, wg_tensor index, const wg_type *x);

static int64_t channel_size(const wg_type *x)
{
    int64_t size = 1;
    for (int i = 2; i < x->rank; i++)
        size *= x->dim[i];
    return size;
}

#define PLACES(T, suffix)                                                                                              \
    static void take_##suffix(void *argument, int64_t channel)                                                         \
    {                                                                                                                  \
        const wg_call *c = argument;                                                                                   \
        int64_t n = channel_size(&c->y[0]);                                                                            \
        const T *x = (const T *)c->from[0] + channel * channel_size(&c->x[0]);                                         \
        const int64_t *index = (const int64_t *)c->from[1] + channel * n;                                              \
        T *y = (T *)c->to[0] + channel * n;                                                                            \
        for (int64_t i = 0; i < n; i++)                                                                                \
            y[i] = x[index[i]];                                                                                        \
    }                                                                                                                  \
    static void add_back_##suffix(void *argument, int64_t channel)                                                     \
    {                                                                                                                  \
        const wg_call *c = argument;                                                                                   \
        int64_t n = channel_size(&c->x[0]), size = channel_size(&c->y[0]);                                             \
        const T *g = (const T *)c->from[0] + channel * n;                                                              \
        const int64_t *index = (const int64_t *)c->from[1] + channel * n;                                              \
        T *x = (T *)c->to[0] + channel * size;                                                                         \
        memset(x, 0, (size_t)size * sizeof(T));                                                                        \
        for (int64_t i = 0; i < n; i++)                                                                                \
            x[index[i]] += g[i];                                                                                       \
    }
PLACES(float, f32)
PLACES(double, f64)

static wg_status pool_take_type(wg_call *c)
{
    c->y[0] = c->x[1];
    c->y[0].dtype = c->dtype;
    return WG_OK;
}

static wg_status pool_take_run(const wg_call *c)
{
    wg_call call = *c;
    if (wg_type_count(&c->y[0]))
        wg_parallel(c->tape, c->y[0].dim[0] * c->y[0].dim[1], c->dtype == WG_FLOAT32 ? take_f32 : take_f64, &call);
    return WG_OK;
}

static wg_status pool_add_back_type(wg_call *c)
{
    c->y[0] = wg_type_make(c->dtype, ((const pool_add_back_options *)c->options)->shape);
    return WG_OK;
}

static wg_status pool_add_back_run(const wg_call *c)
{
    wg_call call = *c;
    if (wg_type_count(&c->y[0]))
        wg_parallel(c->tape, c->y[0].dim[0] * c->y[0].dim[1], c->dtype == WG_FLOAT32 ? add_back_f32 : add_back_f64,
                    &call);
    return WG_OK;
}

static wg_tensor pool_take_dx(const wg_call *c, wg_tensor g) { return pool_add_back(g, c->in[1], &c->x[0]); }
static wg_tensor pool_add_back_dg(const wg_call *c, wg_tensor g) { return pool_take(g, c->in[1]); }
static wg_tensor pool_take_jvp(const wg_call *c) { return pool_take(c->t[0], c->in[1]); }
static wg_tensor pool_add_back_jvp(const wg_call *c) { return pool_add_back(c->t[0], c->in[1], &c->y[0]); }

static wg_status pool_take_c(const wg_call *c, wg_code *w)
{
    wg_code_size(w, "count", wg_type_count(&c->y[0]));
    wg_code_size(w, "places", channel_size(&c->y[0]));
    wg_code_size(w, "size", channel_size(&c->x[0]));
    return wg_code_text(w, WG_C(for (int i = 0; i < count; i++) y[i] = x[i / places * size + index[i]];));
}

WG_OP(pool_take) = {
    .name = "pool_take",
    .doc = "y = x at `index`, places in each channel of x [N, C, ...]",
    .in = {{"x", 0}, {"index", WG_INTEGER}},
    .type = pool_take_type,
    .run = pool_take_run,
    .c = pool_take_c,
    .vjp = {pool_take_dx},
    .jvp = pool_take_jvp,
    .saves = "index",
    .samples = {"[2,1,3,3] [2,1,2,2]:int64:0..8"},
    .hidden = true,
};
static wg_tensor pool_take(wg_tensor x, wg_tensor index) { return WG_RECORD(pool_take, NULL, x, index); }

static wg_status pool_add_back_c(const wg_call *c, wg_code *w)
{
    wg_code_fill(w, "y", wg_type_count(&c->y[0]), "0");
    wg_code_size(w, "count", wg_type_count(&c->x[0]));
    wg_code_size(w, "places", channel_size(&c->x[0]));
    wg_code_size(w, "size", channel_size(&c->y[0]));
    return wg_code_text(w, WG_C(for (int i = 0; i < count; i++) y[i / places * size + index[i]] += g[i];));
}

WG_OP(pool_add_back) = {
    .name = "pool_add_back",
    .doc = "the transpose of pool_take: zeros of `shape`, to which g is added at `index`",
    .in = {{"g", 0}, {"index", WG_INTEGER}},
    .options = WG_SCHEMA(pool_add_back, WG_ATTR_REQUIRED(pool_add_back, shape)),
    .type = pool_add_back_type,
    .run = pool_add_back_run,
    .c = pool_add_back_c,
    .vjp = {pool_add_back_dg},
    .jvp = pool_add_back_jvp,
    .saves = "index",
    .samples = {"[2,1,2,2] [2,1,2,2]:int64:0..8 shape=[2,1,3,3]"},
    .hidden = true,
};
static wg_tensor pool_add_back(wg_tensor g, wg_tensor index, const wg_type *x)
{
    pool_add_back_options o = {wg_type_shape(x)};
    return WG_RECORD(pool_add_back, &o, g, index);
}

static wg_tensor max_pool_dx(const wg_call *c, wg_tensor g) { return pool_add_back(g, wg_saved(c, 0), &c->x[0]); }
static wg_tensor max_pool_jvp(const wg_call *c) { return pool_take(c->t[0], wg_saved(c, 0)); }

#define MAX_POOL_SCHEMA(f)                                                                                             \
    WG_SCHEMA(f, WG_ATTR_REQUIRED(f, kernel_size), WG_ATTR(f, stride), WG_ATTR(f, padding, .raw = true),               \
              WG_ATTR(f, dilation))
#define MAX_POOL(axes)                                                                                                 \
    .in = {{"x", 0}}, .saved = {"index"}, .options = MAX_POOL_SCHEMA(wg_max_pool##axes##d), .type = max_pool_type,     \
    .run = max_pool_run, .c = max_pool_c, .vjp = {max_pool_dx}, .jvp = max_pool_jvp, .saves = "index"

WG_OP(max_pool1d) = {
    .name = "max_pool1d",
    .doc = "the largest entry of each window of x [N, C, L]; the first of equals has the gradient, a NaN wins",
    MAX_POOL(1),
    .samples = {"[2,2,6] kernel_size=2", "[2,1,7] kernel_size=3 stride=2 padding=1",
                "[1,2,7] kernel_size=2 dilation=3 stride=1", "[0,2,4] kernel_size=2"},
};
wg_tensor (wg_max_pool1d)(wg_tensor x, wg_max_pool1d_options options) { return WG_RECORD(max_pool1d, &options, x); }

WG_OP(max_pool2d) = {
    .name = "max_pool2d",
    .doc = "the largest entry of each window of x [N, C, H, W]; the first of equals has the gradient, a NaN wins",
    MAX_POOL(2),
    .samples = {"[2,2,4,4] kernel_size=2", "[1,2,5,6] kernel_size=[3,2] stride=[2,1] padding=[1,0]",
                "[1,1,6,5] kernel_size=2 stride=1 dilation=[2,3]", "[0,2,4,4] kernel_size=2"},
};
wg_tensor (wg_max_pool2d)(wg_tensor x, wg_max_pool2d_options options) { return WG_RECORD(max_pool2d, &options, x); }

/* ---- avg_pool ---------------------------------------------------------------------------------------------------- */
/* What each place of a window counts for: 1 / places. */
#define PLACES_OF(p, i0, i1)                                                                                           \
    ((p)->include_pad ? (double)(p)->kernel[0] * (double)(p)->kernel[1]                                                \
                      : (double)(i0.last - i0.first) * (double)(i1.last - i1.first))

#define MEAN_CHANNEL(T, suffix)                                                                                        \
    static void mean_channel_##suffix(void *argument, int64_t channel)                                                 \
    {                                                                                                                  \
        const task *t = argument;                                                                                      \
        const pooling *p = &t->p;                                                                                      \
        const T *x = (const T *)t->c->from[0] + channel * p->size[0] * p->size[1];                                     \
        T *y = (T *)t->c->to[0] + channel * p->result[0] * p->result[1];                                               \
        for (int64_t r0 = 0; r0 < p->result[0]; r0++)                                                                  \
            for (int64_t r1 = 0; r1 < p->result[1]; r1++) {                                                            \
                const inside i0 = inside_of(p, 0, r0), i1 = inside_of(p, 1, r1);                                       \
                double sum = 0;                                                                                        \
                for (int64_t x0 = i0.from; x0 < i0.from + i0.last - i0.first; x0++)                                    \
                    for (int64_t x1 = i1.from; x1 < i1.from + i1.last - i1.first; x1++)                                \
                        sum += (double)x[x0 * p->size[1] + x1];                                                        \
                *y++ = (T)(sum / PLACES_OF(p, i0, i1));                                                                \
            }                                                                                                          \
    }                                                                                                                  \
    static void spread_channel_##suffix(void *argument, int64_t channel)                                               \
    {                                                                                                                  \
        const task *t = argument;                                                                                      \
        const pooling *p = &t->p;                                                                                      \
        const T *g = (const T *)t->c->from[0] + channel * p->result[0] * p->result[1];                                 \
        T *x = (T *)t->c->to[0] + channel * p->size[0] * p->size[1];                                                   \
        memset(x, 0, (size_t)(p->size[0] * p->size[1]) * sizeof(T));                                                   \
        for (int64_t r0 = 0; r0 < p->result[0]; r0++)                                                                  \
            for (int64_t r1 = 0; r1 < p->result[1]; r1++) {                                                            \
                const inside i0 = inside_of(p, 0, r0), i1 = inside_of(p, 1, r1);                                       \
                const T share = (T)((double)*g++ / PLACES_OF(p, i0, i1));                                              \
                for (int64_t x0 = i0.from; x0 < i0.from + i0.last - i0.first; x0++)                                    \
                    for (int64_t x1 = i1.from; x1 < i1.from + i1.last - i1.first; x1++)                                \
                        x[x0 * p->size[1] + x1] += share;                                                              \
            }                                                                                                          \
    }
MEAN_CHANNEL(float, f32)
MEAN_CHANNEL(double, f64)

static wg_status avg_pool_type(wg_call *c)
{
    if (rank_fits(c, c->op->options->size == sizeof(wg_avg_pool1d_options) ? 1 : 2))
        return WG_ERROR_SHAPE;
    c->y[0] = c->x[0];
    pooling p = avg_pooling(c);
    return pooled_type(c, &p);
}

static wg_status avg_pool_run(const wg_call *c)
{
    task t = {c, avg_pooling(c)};
    if (wg_type_count(&c->y[0]))
        wg_parallel(c->tape, t.p.channels, c->dtype == WG_FLOAT32 ? mean_channel_f32 : mean_channel_f64, &t);
    return WG_OK;
}

#define PLACES_COUNTED                                                                                                 \
    double places = 0;                                                                                                 \
    EACH_INSIDE { INSIDE places += 1; }                                                                                \
    if (all) places = (double)kernel0 * (double)kernel1;

static wg_status avg_pool_c(const wg_call *c, wg_code *w)
{
    pooling p = avg_pooling(c);
    pooling_c(w, &p);
    wg_code_size(w, "all", p.include_pad);
    return wg_code_text(w, TEXT_OF(EACH_WINDOW {
        double sum = 0;
        PLACES_COUNTED
        EACH_INSIDE { INSIDE sum += (double)x[(c * in0 + x0) * in1 + x1]; }
        y[(c * out0 + r0) * out1 + r1] = (T)(sum / places);
    }));
}

typedef struct {
    int64_t kernel_size[2], stride[2], padding[2]; /* of one axis: the first of each */
    bool count_include_pad;
    wg_shape shape;
} avg_pool_back_options;
#define avg_pool_back_defaults                                                                                         \
    .kernel_size = {0}, .stride = {0}, .padding = {0}, .count_include_pad = true, .shape = WG_NO_SHAPE

static wg_status avg_pool_back_type(wg_call *c)
{
    c->y[0] = wg_type_make(c->dtype, ((const avg_pool_back_options *)c->options)->shape);
    return WG_OK;
}

static wg_status avg_pool_back_run(const wg_call *c)
{
    const avg_pool_back_options *o = c->options;
    task t = {c, pooling_of(&c->y[0], &c->x[0], o->kernel_size, o->stride, o->padding, NULL)};
    t.p.include_pad = o->count_include_pad;
    if (wg_type_count(&c->y[0]))
        wg_parallel(c->tape, t.p.channels, c->dtype == WG_FLOAT32 ? spread_channel_f32 : spread_channel_f64, &t);
    return WG_OK;
}

static wg_tensor avg_pool_back_dg(const wg_call *c, wg_tensor g)
{
    const avg_pool_back_options *o = c->options;
    if (c->x[0].rank == 3)
        return wg_avg_pool1d(g, .kernel_size = {o->kernel_size[0]}, .stride = {o->stride[0]},
                             .padding = {o->padding[0]}, .count_include_pad = o->count_include_pad);
    return wg_avg_pool2d(g, .kernel_size = {o->kernel_size[0], o->kernel_size[1]},
                         .stride = {o->stride[0], o->stride[1]}, .padding = {o->padding[0], o->padding[1]},
                         .count_include_pad = o->count_include_pad);
}

static wg_status avg_pool_back_c(const wg_call *c, wg_code *w)
{
    const avg_pool_back_options *o = c->options;
    pooling p = pooling_of(&c->y[0], &c->x[0], o->kernel_size, o->stride, o->padding, NULL);
    wg_code_fill(w, "y", wg_type_count(&c->y[0]), "0");
    pooling_c(w, &p);
    wg_code_size(w, "all", o->count_include_pad);
    return wg_code_text(w, TEXT_OF(EACH_WINDOW {
        PLACES_COUNTED
        const T share = (T)((double)g[(c * out0 + r0) * out1 + r1] / places);
        EACH_INSIDE { INSIDE y[(c * in0 + x0) * in1 + x1] += share; }
    }));
}

WG_OP(avg_pool_back) = {
    .name = "avg_pool_back",
    .doc = "the transpose of avg_pool: zeros of `shape`, to whose windows each entry of g is added in equal shares",
    .in = {{"g", 0}},
    .options = WG_SCHEMA(avg_pool_back, WG_ATTR_REQUIRED(avg_pool_back, kernel_size), WG_ATTR(avg_pool_back, stride),
                         WG_ATTR(avg_pool_back, padding, .raw = true), WG_ATTR(avg_pool_back, count_include_pad),
                         WG_ATTR_REQUIRED(avg_pool_back, shape)),
    .type = avg_pool_back_type,
    .run = avg_pool_back_run,
    .c = avg_pool_back_c,
    .vjp = {avg_pool_back_dg},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,1,2,2] kernel_size=2 shape=[2,1,4,5]"},
    .hidden = true,
};

/* The pooling's options again, whose first axis is the one there is where there is one. */
static wg_tensor avg_pool_dx(const wg_call *c, wg_tensor g)
{
    pooling p = avg_pooling(c);
    int first = c->x[0].rank == 3 ? 1 : 0;
    avg_pool_back_options o = {.kernel_size = {p.kernel[first], p.kernel[1]},
                               .stride = {p.stride[first], p.stride[1]},
                               .padding = {p.padding[first], p.padding[1]},
                               .count_include_pad = p.include_pad,
                               .shape = wg_type_shape(&c->x[0])};
    return WG_RECORD(avg_pool_back, &o, g);
}

#define AVG_POOL_SCHEMA(f)                                                                                             \
    WG_SCHEMA(f, WG_ATTR_REQUIRED(f, kernel_size), WG_ATTR(f, stride), WG_ATTR(f, padding, .raw = true),               \
              WG_ATTR(f, count_include_pad))
#define AVG_POOL(axes)                                                                                                 \
    .in = {{"x", 0}}, .options = AVG_POOL_SCHEMA(wg_avg_pool##axes##d), .type = avg_pool_type, .run = avg_pool_run,    \
    .c = avg_pool_c, .vjp = {avg_pool_dx}, .linear = WG_JOINTLY, .saves = ""

WG_OP(avg_pool1d) = {
    .name = "avg_pool1d",
    .doc = "the mean of each window of x [N, C, L]; the padding's zeros count, or do not",
    AVG_POOL(1),
    .samples = {"[2,2,6] kernel_size=2", "[2,1,7] kernel_size=3 stride=2 padding=1",
                "[2,1,7] kernel_size=3 stride=2 padding=1 count_include_pad=false", "[0,2,4] kernel_size=2"},
};
wg_tensor (wg_avg_pool1d)(wg_tensor x, wg_avg_pool1d_options options) { return WG_RECORD(avg_pool1d, &options, x); }

WG_OP(avg_pool2d) = {
    .name = "avg_pool2d",
    .doc = "the mean of each window of x [N, C, H, W]; the padding's zeros count, or do not",
    AVG_POOL(2),
    .samples = {"[2,2,4,4] kernel_size=2", "[1,2,5,6] kernel_size=[3,2] stride=[2,1] padding=[1,0]",
                "[1,2,5,6] kernel_size=3 padding=1 count_include_pad=false", "[0,2,4,4] kernel_size=2"},
};
wg_tensor (wg_avg_pool2d)(wg_tensor x, wg_avg_pool2d_options options) { return WG_RECORD(avg_pool2d, &options, x); }

WG_FAMILY_OF(pooling, "networks", POOLS)
