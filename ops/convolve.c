/* Convolution as a product: every window of x becomes a column of a matrix, [in * kernel, result], and w [out, in *
 * kernel] multiplies it; the transposes read the same product the other way round. The windows of a few images are laid
 * out at a time, in room that the caches can hold. A 1 by 1 kernel needs no layout: x itself is the matrix. */
#include "ops/convolve.h"

#include "core/tape.h"

#define ROOM ((int64_t)2 << 20)       /* bytes of windows laid out at a time, or one image's */
#define MOST_PARTS 8                  /* partial sums of w's gradient */
#define PARTS_ROOM ((int64_t)1 << 22) /* elements of all of them */

static bool is_pointwise(const wg_convolution *v)
{
    for (int i = 0; i < 3; i++)
        if (v->kernel[i] != 1 || v->stride[i] != 1 || v->padding[i] != 0 ||
            v->result[i] != v->size[i]) /* output_padding */
            return false;
    return true;
}

/* ---- Windows ----------------------------------------------------------------------------------------------------- */
/* The results [first, last) of axis i whose window has its element k inside x, whose element is at first's `from`. */
typedef struct {
    int64_t first, last, from;
} inside;

static inside inside_of(const wg_convolution *v, int i, int64_t k)
{
    int64_t start = k * v->dilation[i] - v->padding[i], stride = v->stride[i];
    int64_t first = start < 0 ? (stride - 1 - start) / stride : 0;
    int64_t last = start >= v->size[i] ? 0 : (v->size[i] - 1 - start) / stride + 1;
    if (last > v->result[i])
        last = v->result[i];
    if (first > last)
        first = last;
    return (inside){first, last, start + first * stride};
}

/* For each run of n results that element (k0, k1, k2) of the windows of one channel takes from x: `at` is where it lies
 * in the row of the matrix, `from` where in x. */
#define FOR_RUNS(v, k0, k1, k2, at, from, n, ...)                                                                      \
    do {                                                                                                               \
        inside i0 = inside_of(v, 0, k0), i1 = inside_of(v, 1, k1), i2 = inside_of(v, 2, k2);                           \
        int64_t n = i2.last - i2.first;                                                                                \
        for (int64_t r0 = i0.first, x0 = i0.from; r0 < i0.last; r0++, x0 += (v)->stride[0])                            \
            for (int64_t r1 = i1.first, x1 = i1.from; r1 < i1.last; r1++, x1 += (v)->stride[1]) {                      \
                int64_t at = (r0 * (v)->result[1] + r1) * (v)->result[2] + i2.first;                                   \
                int64_t from = (x0 * (v)->size[1] + x1) * (v)->size[2] + i2.from;                                      \
                __VA_ARGS__                                                                                            \
            }                                                                                                          \
    } while (0)

#define WINDOWS(T, suffix)                                                                                             \
    static void lay_out_##suffix(const wg_convolution *v, const T *x, T *windows)                                      \
    {                                                                                                                  \
        int64_t size = wg_volume(v->size), results = wg_volume(v->result), stride = v->stride[2];                      \
        for (int64_t channel = 0; channel < v->in; channel++, x += size)                                               \
            for (int64_t k0 = 0; k0 < v->kernel[0]; k0++)                                                              \
                for (int64_t k1 = 0; k1 < v->kernel[1]; k1++)                                                          \
                    for (int64_t k2 = 0; k2 < v->kernel[2]; k2++, windows += results) {                                \
                        if (v->padding[0] || v->padding[1] || v->padding[2])                                           \
                            memset(windows, 0, (size_t)results * sizeof(T));                                           \
                        FOR_RUNS(v, k0, k1, k2, at, from, n, {                                                         \
                            if (stride == 1 && n > 0)                                                                  \
                                memcpy(windows + at, x + from, (size_t)n * sizeof(T));                                 \
                            else                                                                                       \
                                for (int64_t i = 0; i < n; i++)                                                        \
                                    windows[at + i] = x[from + i * stride];                                            \
                        });                                                                                            \
                    }                                                                                                  \
    }                                                                                                                  \
    static void add_back_##suffix(const wg_convolution *v, const T *windows, T *x)                                     \
    {                                                                                                                  \
        int64_t size = wg_volume(v->size), results = wg_volume(v->result), stride = v->stride[2];                      \
        for (int64_t channel = 0; channel < v->in; channel++, x += size)                                               \
            for (int64_t k0 = 0; k0 < v->kernel[0]; k0++)                                                              \
                for (int64_t k1 = 0; k1 < v->kernel[1]; k1++)                                                          \
                    for (int64_t k2 = 0; k2 < v->kernel[2]; k2++, windows += results)                                  \
                        FOR_RUNS(v, k0, k1, k2, at, from, n, {                                                         \
                            if (stride == 1)                                                                           \
                                for (int64_t i = 0; i < n; i++)                                                        \
                                    x[from + i] += windows[at + i];                                                    \
                            else                                                                                       \
                                for (int64_t i = 0; i < n; i++)                                                        \
                                    x[from + i * stride] += windows[at + i];                                           \
                        });                                                                                            \
    }
WINDOWS(float, f32)
WINDOWS(double, f64)

/* The units of work: one group of one image. */
typedef struct {
    const wg_convolution *v;
    wg_dtype dtype;
    const void *x; /* what is laid out; or, with `back`, where windows are added to */
    void *back;
    unsigned char *windows;
    int64_t first, apart, unit_bytes, channel_bytes;
} layout;

/* Window matrix i is of this unit: image after image, `apart` units apart, with all their groups. */
static int64_t unit_of(const layout *l, int64_t i) { return l->first + i / l->v->groups * l->apart + i % l->v->groups; }

static void lay_out(void *argument, int64_t i)
{
    const layout *l = argument;
    const void *x = (const unsigned char *)l->x + unit_of(l, i) * l->channel_bytes;
    void *windows = l->windows + i * l->unit_bytes;
    if (l->dtype == WG_FLOAT32)
        lay_out_f32(l->v, x, windows);
    else
        lay_out_f64(l->v, x, windows);
}

static void add_back(void *argument, int64_t i)
{
    const layout *l = argument;
    void *x = (unsigned char *)l->back + unit_of(l, i) * l->channel_bytes;
    const void *windows = l->windows + i * l->unit_bytes;
    if (l->dtype == WG_FLOAT32)
        add_back_f32(l->v, windows, x);
    else
        add_back_f64(l->v, windows, x);
}

/* How many units at a time, and the room for them. What is done for one unit is the same whatever their number. */
static int64_t units_at_a_time(const wg_call *c, const layout *l, int64_t units)
{
    int64_t most = l->unit_bytes ? ROOM / l->unit_bytes : units;
    if (most < c->tape->threads)
        most = c->tape->threads;
    return most < units ? most : units;
}

static wg_status room_for(const wg_call *c, layout *l, int64_t units)
{
    l->windows = wg_scratch(c, (size_t)(units * l->unit_bytes) + 1);
    return l->windows ? WG_OK : WG_ERROR_MEMORY;
}

static layout layout_of(const wg_call *c, const wg_convolution *v)
{
    int64_t bytes = (int64_t)wg_dtype_size(c->dtype);
    return (layout){.v = v,
                    .dtype = c->dtype,
                    .apart = v->groups,
                    .channel_bytes = v->in * wg_volume(v->size) * bytes,
                    .unit_bytes = is_pointwise(v) ? 0 : v->in * wg_volume(v->kernel) * wg_volume(v->result) * bytes};
}

static wg_gemm_at *places(const wg_call *c, int64_t n)
{
    return wg_scratch(c, (size_t)(n ? n : 1) * sizeof(wg_gemm_at));
}

/* What the products are added to: the bias of each channel. */
static void fill_bias(wg_dtype dtype, int64_t images, int64_t channels, int64_t inner, const void *bias, void *to)
{
    for (int64_t i = 0; i < images * channels; i++)
        for (int64_t k = 0; k < inner; k++)
            if (dtype == WG_FLOAT32)
                ((float *)to)[i * inner + k] = ((const float *)bias)[i % channels];
            else
                ((double *)to)[i * inner + k] = ((const double *)bias)[i % channels];
}

/* ---- y = w windows ----------------------------------------------------------------------------------------------- */
wg_status wg_convolve_forward(const wg_call *c, const wg_convolution *v, const void *x, const void *w, const void *bias,
                              void *y)
{
    wg_status done = wg_dnnl_convolve(c, v, WG_CONVOLVE_FORWARD, x, w, y, bias);
    if (done != WG_ERROR_UNSUPPORTED)
        return done;
    int64_t inner = v->in * wg_volume(v->kernel), results = wg_volume(v->result), units = v->n * v->groups;
    layout l = layout_of(c, v);
    l.x = x;
    int64_t most = units_at_a_time(c, &l, units);
    wg_gemm_at *at = places(c, most);
    if (!at || room_for(c, &l, most))
        return WG_ERROR_MEMORY;
    bool pointwise = is_pointwise(v);
    if (bias)
        fill_bias(c->dtype, v->n, v->groups * v->out, results, bias, y);
    wg_gemm p = {.dtype = c->dtype,
                 .m = v->out,
                 .n = results,
                 .k = inner,
                 .alpha = 1,
                 .a = w,
                 .lda = inner > 1 ? inner : 1,
                 .b = pointwise ? x : l.windows,
                 .ldb = results > 1 ? results : 1,
                 .beta = bias != NULL,
                 .y = y,
                 .ldy = results > 1 ? results : 1};
    for (l.first = 0; l.first < units; l.first += most) {
        int64_t n = units - l.first < most ? units - l.first : most;
        if (!pointwise)
            wg_parallel(c->tape, n, lay_out, &l);
        for (int64_t i = 0; i < n; i++) {
            int64_t unit = l.first + i;
            at[i] = (wg_gemm_at){unit % v->groups * v->out * inner, (pointwise ? unit : i) * inner * results,
                                 unit * v->out * results};
        }
        wg_status status = wg_products(c, &p, n, at);
        if (status)
            return status;
    }
    return WG_OK;
}

/* ---- windows = w' y, added back to where they came from ---------------------------------------------------------- */
wg_status wg_convolve_back_x(const wg_call *c, const wg_convolution *v, const void *y, const void *w, const void *bias,
                             void *x)
{
    wg_status done = wg_dnnl_convolve(c, v, WG_CONVOLVE_BACK_X, x, w, y, bias);
    if (done != WG_ERROR_UNSUPPORTED)
        return done;
    int64_t inner = v->in * wg_volume(v->kernel), results = wg_volume(v->result), units = v->n * v->groups;
    layout l = layout_of(c, v);
    l.back = x;
    int64_t most = units_at_a_time(c, &l, units);
    wg_gemm_at *at = places(c, most);
    if (!at || room_for(c, &l, most))
        return WG_ERROR_MEMORY;
    bool pointwise = is_pointwise(v);
    if (bias)
        fill_bias(c->dtype, v->n, v->groups * v->in, wg_volume(v->size), bias, x);
    else if (!pointwise)
        memset(x, 0, (size_t)(units * l.channel_bytes));
    wg_gemm p = {.dtype = c->dtype,
                 .transposed_a = true,
                 .m = inner,
                 .n = results,
                 .k = v->out,
                 .alpha = 1,
                 .a = w,
                 .lda = inner > 1 ? inner : 1,
                 .b = y,
                 .ldb = results > 1 ? results : 1,
                 .beta = pointwise && bias,
                 .y = pointwise ? x : l.windows,
                 .ldy = results > 1 ? results : 1};
    for (l.first = 0; l.first < units; l.first += most) {
        int64_t n = units - l.first < most ? units - l.first : most;
        for (int64_t i = 0; i < n; i++) {
            int64_t unit = l.first + i;
            at[i] = (wg_gemm_at){unit % v->groups * v->out * inner, unit * v->out * results,
                                 (pointwise ? unit : i) * inner * results};
        }
        wg_status status = wg_products(c, &p, n, at);
        if (status)
            return status;
        if (!pointwise)
            wg_parallel(c->tape, n, add_back, &l);
    }
    return WG_OK;
}

/* ---- w = the sum over the images of y windows' -------------------------------------------------------------------
 * Up to MOST_PARTS parts of the images have sums of their own, one thread each, which are added in order at the end. */
typedef struct {
    int64_t parts, images; /* images a part; the last may have fewer */
} division;

static division divided(const wg_convolution *v, int64_t weights)
{
    int64_t most = weights ? PARTS_ROOM / weights : MOST_PARTS;
    most = most > MOST_PARTS ? MOST_PARTS : most < 1 ? 1 : most;
    int64_t images = v->n ? (v->n + most - 1) / most : 1;
    return (division){v->n ? (v->n + images - 1) / images : 0, images};
}

static void add_parts(wg_dtype dtype, int64_t parts, int64_t n, const void *from, void *to)
{
    memcpy(to, from, (size_t)n * wg_dtype_size(dtype));
    for (int64_t k = 1; k < parts; k++)
        if (dtype == WG_FLOAT32)
            for (int64_t i = 0; i < n; i++)
                ((float *)to)[i] += ((const float *)from)[k * n + i];
        else
            for (int64_t i = 0; i < n; i++)
                ((double *)to)[i] += ((const double *)from)[k * n + i];
}

wg_status wg_convolve_back_w(const wg_call *c, const wg_convolution *v, const void *x, const void *y, void *w)
{
    wg_status done = wg_dnnl_convolve(c, v, WG_CONVOLVE_BACK_W, x, w, y, NULL);
    if (done != WG_ERROR_UNSUPPORTED)
        return done;
    int64_t inner = v->in * wg_volume(v->kernel), results = wg_volume(v->result), weights = v->groups * v->out * inner;
    division d = divided(v, weights);
    int64_t team = d.parts < c->tape->threads ? d.parts : c->tape->threads;
    layout l = layout_of(c, v);
    l.x = x;
    l.apart = d.images * v->groups;
    bool pointwise = is_pointwise(v);
    size_t bytes = (size_t)weights * wg_dtype_size(c->dtype);
    if (d.parts == 0) {
        memset(w, 0, bytes);
        return WG_OK;
    }
    void *sums = d.parts > 1 ? wg_scratch(c, (size_t)d.parts * bytes) : w;
    wg_gemm_at *at = places(c, team * v->groups);
    if (!sums || !at || room_for(c, &l, team * v->groups))
        return WG_ERROR_MEMORY;
    wg_gemm p = {.dtype = c->dtype,
                 .transposed_b = true,
                 .m = v->out,
                 .n = inner,
                 .k = results,
                 .alpha = 1,
                 .a = y,
                 .lda = results > 1 ? results : 1,
                 .b = pointwise ? x : l.windows,
                 .ldb = results > 1 ? results : 1,
                 .y = sums,
                 .ldy = inner > 1 ? inner : 1};
    for (int64_t part = 0; part < d.parts; part += team)
        for (int64_t image = 0; image < d.images; image++) {
            int64_t n = 0;
            for (int64_t k = part; k < d.parts && k < part + team; k++) {
                int64_t unit = (k * d.images + image) * v->groups;
                for (int64_t group = 0; group < v->groups && unit < v->n * v->groups; group++, unit++, n++)
                    at[n] = (wg_gemm_at){unit * v->out * results, (pointwise ? unit : n) * inner * results,
                                         (k * v->groups + group) * v->out * inner};
            }
            l.first = (part * d.images + image) * v->groups;
            if (!pointwise)
                wg_parallel(c->tape, n, lay_out, &l);
            p.beta = image > 0;
            wg_status status = wg_products(c, &p, n, at);
            if (status)
                return status;
        }
    if (d.parts > 1)
        add_parts(c->dtype, d.parts, weights, sums, w);
    return WG_OK;
}
