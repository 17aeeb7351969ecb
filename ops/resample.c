/* Images in other sizes. Along each axis a result is a weighted sum of a few neighbouring entries, and the weights of
 * an image are products of both axes' ones. So a resampling is two small tables of weights, its transpose is the
 * transposed tables, and one kernel runs both: each result is gathered, and added up in double. Pixel shuffling moves
 * channels to where there was no pixel. */
#include "ops/code.h"
#include "core/tape.h"
#include "wengert/convolution.h"
#include "wengert/map.h"
#include "wengert/shape.h"

#define RESAMPLE(OP) OP(adaptive_avg_pool2d) OP(interpolate) OP(resample_back) OP(pixel_shuffle)
WG_CONTENTS(RESAMPLE)

/* ---- Tables of weights ------------------------------------------------------------------------------------------- */
#define LONGEST ((int64_t)1 << 30) /* size of an axis, so that products of two do not overflow */

typedef enum { MEAN, NEAREST, BILINEAR, CORNERS } method; /* CORNERS: bilinear, corner pixels on corner pixels */

/* Result r is the sum over k < count[r] of weight[at[r] + k] times entry first[r] + k. */
typedef struct {
    int64_t n, *first, *count, *at;
    double *weight;
} table;

static bool table_open(const wg_call *c, table *t, int64_t n, int64_t weights)
{
    t->n = n;
    t->first = wg_scratch(c, 3 * (size_t)n * sizeof *t->first);
    t->count = t->first + n;
    t->at = t->count + n;
    t->weight = wg_scratch(c, (size_t)weights * sizeof *t->weight);
    return t->first && t->weight;
}

/* Entry r of m lies at (p / q) of n entries: between its whole part and the next, where the last one has none. */
static int64_t between(int64_t p, int64_t q, int64_t n, double *weight, int64_t *count)
{
    int64_t first = p / q;
    double part = (double)(p % q) / (double)q;
    *count = 1 + (p % q && first + 1 < n);
    weight[0] = *count == 2 ? 1 - part : 1;
    weight[1] = part;
    return first;
}

/* From n entries to m. The table's weights: as many as windows of the mean have together, or two a result. */
static bool table_make(const wg_call *c, table *t, method how, int64_t n, int64_t m)
{
    if (!table_open(c, t, m, how == MEAN ? n + 2 * m : 2 * m))
        return false;
    int64_t used = 0;
    for (int64_t r = 0; r < m; r++) {
        double *weight = t->weight + used;
        int64_t first = r * n / m, count = 1, p = (2 * r + 1) * n - m;
        weight[0] = 1;
        if (how == MEAN) {
            count = ((r + 1) * n + m - 1) / m - first;
            for (int64_t k = 0; k < count; k++)
                weight[k] = 1 / (double)count;
        } else if (how == BILINEAR) {
            first = between(p > 0 ? p : 0, 2 * m, n, weight, &count);
        } else if (how == CORNERS) {
            first = between(r * (n - 1), m > 1 ? m - 1 : 1, n, weight, &count);
        }
        t->first[r] = first;
        t->count[r] = count;
        t->at[r] = used;
        used += count;
    }
    return true;
}

/* The results that entry i goes into lie together, as first and last entries only grow with the result. */
static bool table_transpose(const wg_call *c, table *t, int64_t n)
{
    table from = *t;
    int64_t weights = from.n ? from.at[from.n - 1] + from.count[from.n - 1] : 0, used = 0;
    if (!table_open(c, t, n, weights))
        return false;
    memset(t->count, 0, (size_t)n * sizeof *t->count);
    for (int64_t r = from.n - 1; r >= 0; r--)
        for (int64_t k = 0; k < from.count[r]; k++) {
            t->first[from.first[r] + k] = r;
            t->count[from.first[r] + k]++;
        }
    for (int64_t i = 0; i < n; i++) {
        t->at[i] = used;
        used += t->count[i];
        for (int64_t k = 0; k < t->count[i]; k++) {
            int64_t r = t->first[i] + k;
            t->weight[t->at[i] + k] = from.weight[from.at[r] + i - from.first[r]];
        }
        t->first[i] = t->count[i] ? t->first[i] : 0;
    }
    return true;
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */
typedef struct {
    const wg_call *c;
    int64_t width; /* of what is read */
    table down, across;
} resampling;

#define RESAMPLE_CHANNEL(T, suffix)                                                                                    \
    static void resample_channel_##suffix(void *argument, int64_t channel)                                             \
    {                                                                                                                  \
        const resampling *s = argument;                                                                                \
        const table *d = &s->down, *a = &s->across;                                                                    \
        const T *x = (const T *)s->c->from[0] + channel * s->c->x[0].dim[2] * s->width;                                \
        T *y = (T *)s->c->to[0] + channel * d->n * a->n;                                                               \
        for (int64_t r0 = 0; r0 < d->n; r0++)                                                                          \
            for (int64_t r1 = 0; r1 < a->n; r1++) {                                                                    \
                double sum = 0;                                                                                        \
                for (int64_t k0 = 0; k0 < d->count[r0]; k0++) {                                                        \
                    const T *row = x + (d->first[r0] + k0) * s->width + a->first[r1];                                  \
                    double part = 0;                                                                                   \
                    for (int64_t k1 = 0; k1 < a->count[r1]; k1++)                                                      \
                        part += a->weight[a->at[r1] + k1] * (double)row[k1];                                           \
                    sum += d->weight[d->at[r0] + k0] * part;                                                           \
                }                                                                                                      \
                *y++ = (T)sum;                                                                                         \
            }                                                                                                          \
    }
RESAMPLE_CHANNEL(float, f32)
RESAMPLE_CHANNEL(double, f64)

static wg_status resample(const wg_call *c, method how, bool back)
{
    const wg_type *from = back ? &c->y[0] : &c->x[0], *to = back ? &c->x[0] : &c->y[0];
    resampling s = {.c = c, .width = c->x[0].dim[3]};
    if (!wg_type_count(&c->y[0]))
        return WG_OK;
    if (!table_make(c, &s.down, how, from->dim[2], to->dim[2]) ||
        !table_make(c, &s.across, how, from->dim[3], to->dim[3]))
        return WG_ERROR_MEMORY;
    if (back && !(table_transpose(c, &s.down, from->dim[2]) && table_transpose(c, &s.across, from->dim[3])))
        return WG_ERROR_MEMORY;
    wg_parallel(c->tape, c->x[0].dim[0] * c->x[0].dim[1],
                c->dtype == WG_FLOAT32 ? resample_channel_f32 : resample_channel_f64, &s);
    return WG_OK;
}

/* ---- The same in C ----------------------------------------------------------------------------------------------- */
/* Which of n entries result r of m is made of: the first, how many, and the weight of the first and of the others. */
static const wg_helper window_of_helper = {"window_of", 0, WG_C(
static int window_of(int how, int n, int m, int r, int *count, double *weight) {
    int64_t at = (int64_t)2 * r * n + n - m;
    int64_t parts = (int64_t)2 * m;
    int64_t first = (int64_t)r * n / m;
    *count = 1;
    weight[0] = 1;
    weight[1] = 0;
    if (how == 0) {
        *count = (int)(((int64_t)(r + 1) * n + m - 1) / m - first);
        weight[0] = 1.0 / *count;
        weight[1] = weight[0];
    }
    if (how == 3) {
        at = (int64_t)r * (n - 1);
        parts = m > 1 ? m - 1 : 1;
    }
    if (how >= 2) {
        at = at > 0 ? at : 0;
        first = at / parts;
        if (at % parts != 0 && first + 1 < n) {
            *count = 2;
            weight[1] = (double)(at % parts) / (double)parts;
            weight[0] = 1 - weight[1];
        }
    }
    return (int)first;
})};
WG_HELPERS_OF(resample, &window_of_helper)

/* `large` is what is read, `small` what is made of it; back, the other way round. */
static wg_status resample_c(const wg_call *c, wg_code *w, method how, bool back)
{
    static const char *const names[] = {"h", "w", "to_h", "to_w"};
    const wg_type *from = back ? &c->y[0] : &c->x[0], *to = back ? &c->x[0] : &c->y[0];
    for (int i = 0; i < 4; i++)
        wg_code_size(w, names[i], i < 2 ? from->dim[2 + i] : to->dim[i]);
    wg_code_size(w, "channels", from->dim[0] * from->dim[1]);
    wg_code_size(w, "how", how);
    wg_code_line(w, "double down[2] = {0}, across[2] = {0};");
    wg_code_line(w, "int rows = 0, columns = 0;");
    if (back)
        wg_code_fill(w, "y", wg_type_count(&c->y[0]), "0");
    for (int i = 0; i < 3; i++)
        wg_code_for(w, (const char *[]){"k", "i", "j"}[i], i ? to->dim[1 + i] : from->dim[0] * from->dim[1]);
    wg_code_text(w, WG_C(
        const int row = window_of(how, h, to_h, i, &rows, down);
        const int column = window_of(how, w, to_w, j, &columns, across);));
    wg_code_text(w, back ? WG_C(for (int p = 0; p < rows; p++) for (int q = 0; q < columns; q++)
        y[(k * h + row + p) * w + column + q] +=
            (T)(down[p > 0] * across[q > 0] * (double)g[(k * to_h + i) * to_w + j]);) : WG_C(
        double sum = 0;
        for (int p = 0; p < rows; p++) for (int q = 0; q < columns; q++)
            sum += down[p > 0] * across[q > 0] * (double)x[(k * h + row + p) * w + column + q];
        y[(k * to_h + i) * to_w + j] = (T)sum;));
    for (int i = 0; i < 3; i++)
        wg_code_end(w);
    return w->status;
}

static wg_status resampled_type(wg_call *c, const char *option, const int64_t size[2])
{
    if (c->x[0].rank != 4)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not [N, C, H, W]", wg_show(c, 0));
    c->y[0] = c->x[0];
    for (int i = 0; i < 2; i++) {
        if (size[i] < 0)
            return wg_fail(c, WG_ERROR_VALUE, "%s has %lld, which is negative", option, (long long)size[i]);
        if (size[i] > LONGEST || c->x[0].dim[2 + i] > LONGEST)
            return wg_fail(c, WG_ERROR_MEMORY, "an axis is longer than %lld", (long long)LONGEST);
        if (size[i] && !c->x[0].dim[2 + i])
            return wg_fail(c, WG_ERROR_SHAPE, "there is nothing along axis %d of %s to make %lld entries of", 2 + i,
                           wg_show(c, 0), (long long)size[i]);
        c->y[0].dim[2 + i] = size[i];
    }
    return WG_OK;
}

/* ---- resample_back: the transpose of both ------------------------------------------------------------------------ */
typedef struct {
    int64_t how;
    wg_shape shape;
} resample_back_options;
#define resample_back_defaults .how = MEAN, .shape = WG_NO_SHAPE

static wg_status resample_back_type(wg_call *c)
{
    c->y[0] = wg_type_make(c->dtype, ((const resample_back_options *)c->options)->shape);
    return WG_OK;
}
static wg_status resample_back_run(const wg_call *c)
{
    return resample(c, (method)((const resample_back_options *)c->options)->how, true);
}
static wg_status resample_back_c(const wg_call *c, wg_code *w)
{
    return resample_c(c, w, (method)((const resample_back_options *)c->options)->how, true);
}
static wg_tensor resample_back_dg(const wg_call *c, wg_tensor g)
{
    method how = (method)((const resample_back_options *)c->options)->how;
    int64_t h = c->x[0].dim[2], w = c->x[0].dim[3];
    if (how == MEAN)
        return wg_adaptive_avg_pool2d(g, .output_size = {h, w});
    return wg_interpolate(g, .size = {h, w}, .mode = how == NEAREST ? "nearest" : "bilinear",
                          .align_corners = how == CORNERS);
}
WG_OP(resample_back) = {
    .name = "resample_back",
    .doc = "the transpose of adaptive_avg_pool2d or interpolate, from g to `shape`",
    .in = {{"g", 0}},
    .options = WG_SCHEMA(resample_back, WG_ATTR(resample_back, how), WG_ATTR_REQUIRED(resample_back, shape)),
    .type = resample_back_type,
    .run = resample_back_run,
    .c = resample_back_c,
    .vjp = {resample_back_dg},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[1,2,3,4] shape=[1,2,5,3]", "[1,2,3,4] how=1 shape=[1,2,5,3]", "[1,2,5,4] how=2 shape=[1,2,3,6]",
                "[1,1,3,4] how=3 shape=[1,1,2,5]"},
    .hidden = true,
};
static wg_tensor resample_back(const wg_call *c, wg_tensor g, method how)
{
    resample_back_options o = {how, wg_type_shape(&c->x[0])};
    return WG_RECORD(resample_back, &o, g);
}

/* ---- adaptive_avg_pool2d ----------------------------------------------------------------------------------------- */
static wg_status adaptive_avg_pool2d_type(wg_call *c)
{
    return resampled_type(c, "output_size", ((const wg_adaptive_avg_pool2d_options *)c->options)->output_size);
}
static wg_status adaptive_avg_pool2d_run(const wg_call *c) { return resample(c, MEAN, false); }
static wg_status adaptive_avg_pool2d_c(const wg_call *c, wg_code *w) { return resample_c(c, w, MEAN, false); }
static wg_tensor adaptive_avg_pool2d_dx(const wg_call *c, wg_tensor g) { return resample_back(c, g, MEAN); }
WG_OP(adaptive_avg_pool2d) = {
    .name = "adaptive_avg_pool2d",
    .doc = "y [N, C, h, w] = the means of h times w windows of x [N, C, H, W]: rows floor(i H / h) up to "
           "ceil((i + 1) H / h), and columns alike",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_adaptive_avg_pool2d, WG_ATTR_REQUIRED(wg_adaptive_avg_pool2d, output_size, .raw = true)),
    .type = adaptive_avg_pool2d_type,
    .run = adaptive_avg_pool2d_run,
    .c = adaptive_avg_pool2d_c,
    .vjp = {adaptive_avg_pool2d_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,2,4,6] output_size=[2,3]", "[1,2,5,7] output_size=[3,4]", "[1,1,2,3] output_size=[4,5]",
                "[2,1,3,3] output_size=1", "[0,2,4,4] output_size=2", "[1,2,3,4] output_size=[0,2]"},
};
wg_tensor (wg_adaptive_avg_pool2d)(wg_tensor x, wg_adaptive_avg_pool2d_options options)
{
    return WG_RECORD(adaptive_avg_pool2d, &options, x);
}

/* ---- interpolate ------------------------------------------------------------------------------------------------- */
static method interpolate_method(const wg_call *c)
{
    const wg_interpolate_options *o = c->options;
    return wg_choice_is(o->mode, "nearest") ? NEAREST : o->align_corners ? CORNERS : BILINEAR;
}
static wg_status interpolate_type(wg_call *c)
{
    const wg_interpolate_options *o = c->options;
    if (o->align_corners && wg_choice_is(o->mode, "nearest"))
        return wg_fail(c, WG_ERROR_VALUE, "align_corners is for mode \"bilinear\": \"nearest\" has none to align");
    return resampled_type(c, "size", o->size);
}
static wg_status interpolate_run(const wg_call *c) { return resample(c, interpolate_method(c), false); }
static wg_status interpolate_c(const wg_call *c, wg_code *w)
{
    return resample_c(c, w, interpolate_method(c), false);
}
static wg_tensor interpolate_dx(const wg_call *c, wg_tensor g) { return resample_back(c, g, interpolate_method(c)); }
WG_OP(interpolate) = {
    .name = "interpolate",
    .doc = "y [N, C, h, w] = x [N, C, H, W] at rows (i + 1/2) H / h - 1/2, or i (H - 1) / (h - 1) with align_corners, "
           "not below 0, and columns alike, on straight lines between pixels; \"nearest\": at floor(i H / h)",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_interpolate, WG_ATTR_REQUIRED(wg_interpolate, size, .raw = true),
                         WG_ATTR(wg_interpolate, mode, .choices = {"nearest", "bilinear"}),
                         WG_ATTR(wg_interpolate, align_corners)),
    .type = interpolate_type,
    .run = interpolate_run,
    .c = interpolate_c,
    .vjp = {interpolate_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,2,3,4] size=[6,8]", "[1,2,5,4] size=[3,7]", "[1,2,3,4] size=[7,5] mode=bilinear",
                "[1,1,5,6] size=[2,3] mode=bilinear", "[2,1,3,4] size=[5,1] mode=bilinear align_corners=true",
                "[0,2,3,3] size=2 mode=bilinear", "[1,1,2,2] size=[0,3]"},
};
wg_tensor (wg_interpolate)(wg_tensor x, wg_interpolate_options options) { return WG_RECORD(interpolate, &options, x); }

/* ---- pixel_shuffle ----------------------------------------------------------------------------------------------- */
static wg_status pixel_shuffle_type(wg_call *c)
{
    int64_t r = ((const wg_pixel_shuffle_options *)c->options)->upscale_factor;
    const wg_type *x = &c->x[0];
    if (r < 1)
        return wg_fail(c, WG_ERROR_VALUE, "upscale_factor is %lld, not at least 1", (long long)r);
    if (x->rank < 3)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not [..., C, H, W]", wg_show(c, 0));
    int channels = x->rank - 3;
    if (r > LONGEST || x->dim[channels] % (r * r))
        return wg_fail(c, WG_ERROR_SHAPE, "the channels of %s do not make pixels of %lld times %lld", wg_show(c, 0),
                       (long long)r, (long long)r);
    c->y[0] = *x;
    c->y[0].dim[channels] /= r * r;
    for (int i = 1; i <= 2; i++)
        if (__builtin_mul_overflow(x->dim[channels + i], r, &c->y[0].dim[channels + i]))
            return wg_fail(c, WG_ERROR_MEMORY, "the result is too large");
    return WG_OK;
}

/* y[n, c, h r + i, w r + j] = x[n, (c r + i) r + j, h, w]: x read as [images, r, r, H, W], in another order. */
static wg_status pixel_shuffle_run(const wg_call *c)
{
    int64_t r = ((const wg_pixel_shuffle_options *)c->options)->upscale_factor;
    const int64_t *size = c->x[0].dim + c->x[0].rank - 2;
    int64_t area = size[0] * size[1], images = area ? wg_type_count(&c->x[0]) / (r * r * area) : 0;
    wg_type y = {c->dtype, 5, {images, size[0], r, size[1], r}};
    const int64_t stride[5] = {r * r * area, size[1], r * area, 1, area};
    if (images)
        wg_gather_strided(&y, stride, c->from[0], c->to[0]);
    return WG_OK;
}

/* Back: [images, H, r, W, r] with the axes in x's order. */
static wg_tensor pixel_shuffle_dx(const wg_call *c, wg_tensor g)
{
    int64_t r = ((const wg_pixel_shuffle_options *)c->options)->upscale_factor;
    const wg_type *x = &c->x[0];
    int64_t h = x->dim[x->rank - 2], w = x->dim[x->rank - 1], images = 1;
    for (int i = 0; i < x->rank - 2; i++)
        images *= x->dim[i];
    wg_tensor pixels = wg_reshape(g, WG_SHAPE(images / (r * r), h, r, w, r));
    return wg_reshape(wg_permute_dims(pixels, WG_AXES(0, 2, 4, 1, 3)), wg_type_shape(x));
}

static wg_status pixel_shuffle_c(const wg_call *c, wg_code *w)
{
    int64_t r = ((const wg_pixel_shuffle_options *)c->options)->upscale_factor;
    const int64_t *size = c->x[0].dim + c->x[0].rank - 2;
    int64_t area = size[0] * size[1];
    wg_type y = {c->dtype, 5, {wg_type_count(&c->x[0]) / (r * r * area), size[0], r, size[1], r}};
    wg_code_move(w, &y, (wg_code_array){"y", 0, NULL}, "=",
                 (wg_code_array){"x", 0, (const int64_t[]){r * r * area, size[1], r * area, 1, area}});
    return WG_OK;
}

WG_OP(pixel_shuffle) = {
    .name = "pixel_shuffle",
    .doc = "y[..., c, h r + i, w r + j] = x[..., (c r + i) r + j, h, w] with r the upscale_factor: [..., C r^2, H, W] "
           "gives [..., C, H r, W r]",
    .source = "Shi et al. 2016, eq. 4",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_pixel_shuffle, WG_ATTR_REQUIRED(wg_pixel_shuffle, upscale_factor)),
    .type = pixel_shuffle_type,
    .run = pixel_shuffle_run,
    .c = pixel_shuffle_c,
    .vjp = {pixel_shuffle_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,8,2,3] upscale_factor=2", "[9,1,2] upscale_factor=3", "[1,3,2,2] upscale_factor=1",
                "[0,4,2,2] upscale_factor=2", "[1,4,0,2] upscale_factor=2"},
};
wg_tensor (wg_pixel_shuffle)(wg_tensor x, wg_pixel_shuffle_options options)
{
    return WG_RECORD(pixel_shuffle, &options, x);
}

WG_FAMILY_OF(resample, "networks", RESAMPLE)
