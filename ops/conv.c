/* Convolutions. Each is bilinear in x and w, and so are its two transposes, in y and w and in x and y: three maps that
 * are each other's derivatives, so that derivatives of any order are made of them. The public entries check and name
 * what the three hidden ones, which take any number of spatial axes, compute. */
#include "ops/code.h"
#include "ops/convolve.h"

#include "core/tape.h"
#include "wengert/convolution.h"
#include "wengert/elementwise.h"
#include "wengert/shape.h"

#define CONVOLUTIONS(OP)                                                                                               \
    OP(conv1d)                                                                                                         \
    OP(conv2d) OP(conv3d) OP(conv_transpose1d) OP(conv_transpose2d) OP(convolved) OP(conv_back_x) OP(conv_back_w)      \
        OP(sum_channels)
WG_CONTENTS(CONVOLUTIONS)

/* ---- Windows -------------------------------------------------------------------------------------------------------
 * How they lie, right-aligned in three spatial axes; options of the hidden entries. */
typedef struct {
    int64_t stride[3], padding[3], dilation[3], groups;
    wg_shape shape; /* of the result */
} windows_options;
#define windows_defaults .stride = {1}, .padding = {0}, .dilation = {1}, .groups = 1, .shape = WG_NO_SHAPE

#define LARGEST ((int64_t)1 << 30) /* of an option, so that sums of them cannot overflow */

/* The options of a public entry are, in order, stride, padding and dilation, `axes` numbers each. */
static windows_options windows_of(const wg_call *c, int axes)
{
    windows_options o;
    const int64_t *from = c->options;
    for (int i = 0; i < 3; i++) {
        int own = i - (3 - axes);
        o.stride[i] = own < 0 ? 1 : from[own];
        o.padding[i] = own < 0 ? 0 : from[axes + own];
        o.dilation[i] = own < 0 ? 1 : from[2 * axes + own];
    }
    o.groups = from[c->op->options->size / sizeof *from - 1];
    o.shape = wg_type_shape(&c->y[0]);
    return o;
}

/* Spatial axes of a public entry: as many as its options have for each of `kinds` lists; one number is groups. */
static int axes_of(const wg_call *c, int kinds) { return ((int)(c->op->options->size / sizeof(int64_t)) - 1) / kinds; }

static wg_convolution convolution_of(const wg_type *x, const wg_type *w, const wg_type *y, const windows_options *o)
{
    wg_convolution v = {.n = x->dim[0], .groups = o->groups, .in = w->dim[1], .out = w->dim[0] / o->groups};
    for (int i = 0; i < 3; i++) {
        int axis = i - 3 + x->rank; /* below 2: not there */
        v.size[i] = axis < 2 ? 1 : x->dim[axis];
        v.kernel[i] = axis < 2 ? 1 : w->dim[axis];
        v.result[i] = axis < 2 ? 1 : y->dim[axis];
        v.stride[i] = o->stride[i];
        v.padding[i] = o->padding[i];
        v.dilation[i] = o->dilation[i];
    }
    return v;
}

static wg_status windows_fit(const wg_call *c, int axes)
{
    windows_options o = windows_of(c, axes);
    for (int i = 3 - axes; i < 3; i++) {
        if (o.stride[i] < 1 || o.stride[i] > LARGEST || o.dilation[i] < 1 || o.dilation[i] > LARGEST)
            return wg_fail(c, WG_ERROR_VALUE, "stride %lld and dilation %lld are not both from 1 to 2^30",
                           (long long)o.stride[i], (long long)o.dilation[i]);
        if (o.padding[i] < 0 || o.padding[i] > LARGEST)
            return wg_fail(c, WG_ERROR_VALUE, "padding %lld is negative or too large", (long long)o.padding[i]);
    }
    if (o.groups < 1)
        return wg_fail(c, WG_ERROR_VALUE, "%lld groups", (long long)o.groups);
    for (int k = 0; k < 2; k++)
        if (c->x[k].rank != axes + 2)
            return wg_fail(c, WG_ERROR_SHAPE, "%s has not %d dimensions", wg_show(c, k), axes + 2);
    for (int i = 2; i < axes + 2; i++)
        if (c->x[1].dim[i] < 1 || c->x[1].dim[i] > LARGEST || c->x[0].dim[i] > LARGEST)
            return wg_fail(c, WG_ERROR_SHAPE, "%s is no window for %s", wg_show(c, 1), wg_show(c, 0));
    return WG_OK;
}

static wg_status bias_fits(const wg_call *c, int64_t channels)
{
    if (wg_given(c, 2) && (c->x[2].rank != 1 || c->x[2].dim[0] != channels))
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not one number an output channel of %s", wg_show(c, 2), wg_show(c, 1));
    return WG_OK;
}

/* ---- The three maps ---------------------------------------------------------------------------------------------- */
static wg_status type_of_shape(wg_call *c)
{
    c->y[0] = wg_type_make(c->dtype, ((const windows_options *)c->options)->shape);
    return WG_OK;
}

static wg_status convolved_run(const wg_call *c)
{
    wg_convolution v = convolution_of(&c->x[0], &c->x[1], &c->y[0], c->options);
    return wg_convolve_forward(c, &v, c->from[0], c->from[1], NULL, c->to[0]);
}

static wg_status conv_back_x_run(const wg_call *c)
{
    wg_convolution v = convolution_of(&c->y[0], &c->x[1], &c->x[0], c->options);
    return wg_convolve_back_x(c, &v, c->from[0], c->from[1], NULL, c->to[0]);
}

static wg_status conv_back_w_run(const wg_call *c)
{
    wg_convolution v = convolution_of(&c->x[0], &c->y[0], &c->x[1], c->options);
    return wg_convolve_back_w(c, &v, c->from[0], c->from[1], c->to[0]);
}

/* ---- Their C ----------------------------------------------------------------------------------------------------- */
/* The index of one of x, w and y: the channel's number times the volume, and its place. */
static void place_put(wg_source *text, const char *channel, const int64_t size[3], const char *const index[3])
{
    wg_source_put(text, "(%s) * %lld", channel, (long long)wg_volume(size));
    for (int i = 0; i < 3; i++)
        if (size[i] > 1)
            wg_source_put(text, " + %lld * %s",
                          (long long)(i == 0   ? size[1] * size[2]
                                      : i == 1 ? size[2]
                                               : 1),
                          index[i]);
}

/* For every pair of entries that meet in a window, `word[target]` takes in the product of the two others: x, w, y. */
static wg_status windows_c(const wg_call *c, wg_code *w, const wg_convolution *v, const char *const word[3], int target)
{
    static const char *const of_x[3] = {"x0", "x1", "x2"}, *const of_w[3] = {"k0", "k1", "k2"},
                             *const of_y[3] = {"r0", "r1", "r2"};
    wg_source at[3] = {{.tape = c->tape}, {.tape = c->tape}, {.tape = c->tape}};
    place_put(&at[0], "(n * groups + g) * in + i", v->size, of_x);
    place_put(&at[1], "(g * out + o) * in + i", v->kernel, of_w);
    place_put(&at[2], "(n * groups + g) * out + o", v->result, of_y);
    wg_code_size(w, "groups", v->groups);
    wg_code_size(w, "in", v->in);
    wg_code_size(w, "out", v->out);
    int before = w->depth;
    wg_code_for(w, "n", v->n);
    wg_code_for(w, "g", v->groups);
    wg_code_for(w, "o", v->out);
    wg_code_for(w, "i", v->in);
    for (int i = 0; i < 3; i++)
        if (v->result[i] != 1)
            wg_code_for(w, of_y[i], v->result[i]);
        else
            wg_code_line(w, "enum { %s = 0 };", of_y[i]);
    for (int i = 0; i < 3; i++) {
        if (v->kernel[i] != 1)
            wg_code_for(w, of_w[i], v->kernel[i]);
        else
            wg_code_line(w, "enum { %s = 0 };", of_w[i]);
        wg_code_line(w, "const int %s = %s * %lld + %s * %lld - %lld;", of_x[i], of_y[i], (long long)v->stride[i],
                     of_w[i], (long long)v->dilation[i], (long long)v->padding[i]);
        wg_code_line(w, "if (%s < 0 || %s >= %lld)", of_x[i], of_x[i], (long long)v->size[i]);
        wg_code_line(w, "    continue;");
    }
    int a = target == 0 ? 2 : 0, b = target == 1 ? 2 : 1;
    wg_code_line(w, "%s[%s] += %s[%s] * %s[%s];", word[target], at[target].data, word[a], at[a].data, word[b],
                 at[b].data);
    while (w->depth > before)
        wg_code_end(w);
    return w->status;
}

static wg_status convolved_c(const wg_call *c, wg_code *w)
{
    wg_convolution v = convolution_of(&c->x[0], &c->x[1], &c->y[0], c->options);
    wg_code_fill(w, "y", wg_type_count(&c->y[0]), "0");
    return windows_c(c, w, &v, (const char *const[]){"x", "w", "y"}, 2);
}

static wg_status conv_back_x_c(const wg_call *c, wg_code *w)
{
    wg_convolution v = convolution_of(&c->y[0], &c->x[1], &c->x[0], c->options);
    wg_code_fill(w, "z", wg_type_count(&c->y[0]), "0");
    return windows_c(c, w, &v, (const char *const[]){"z", "w", "y"}, 0);
}

static wg_status conv_back_w_c(const wg_call *c, wg_code *w)
{
    wg_convolution v = convolution_of(&c->x[0], &c->y[0], &c->x[1], c->options);
    wg_code_fill(w, "z", wg_type_count(&c->y[0]), "0");
    return windows_c(c, w, &v, (const char *const[]){"x", "z", "y"}, 1);
}

/* y starts as the bias of each channel, or 0. */
static void bias_c(const wg_call *c, wg_code *w)
{
    int64_t inner = 1;
    for (int i = 2; i < c->y[0].rank; i++)
        inner *= c->y[0].dim[i];
    wg_code_line(w, "for (int i = 0; i < %lld; i++)", (long long)wg_type_count(&c->y[0]));
    if (wg_given(c, 2))
        wg_code_line(w, "    y[i] = b[i / %lld %% %lld];", (long long)inner, (long long)c->y[0].dim[1]);
    else
        wg_code_line(w, "    y[i] = 0;");
}

static wg_tensor convolved(wg_tensor x, wg_tensor w, windows_options o, const wg_type *y);
static wg_tensor conv_back_x(wg_tensor y, wg_tensor w, windows_options o, const wg_type *x);
static wg_tensor conv_back_w(wg_tensor x, wg_tensor y, windows_options o, const wg_type *w);

static windows_options same(const wg_call *c) { return *(const windows_options *)c->options; }

static wg_tensor convolved_dx(const wg_call *c, wg_tensor g) { return conv_back_x(g, c->in[1], same(c), &c->x[0]); }
static wg_tensor convolved_dw(const wg_call *c, wg_tensor g) { return conv_back_w(c->in[0], g, same(c), &c->x[1]); }
static wg_tensor conv_back_x_dy(const wg_call *c, wg_tensor g) { return convolved(g, c->in[1], same(c), &c->x[0]); }
static wg_tensor conv_back_x_dw(const wg_call *c, wg_tensor g) { return conv_back_w(g, c->in[0], same(c), &c->x[1]); }
static wg_tensor conv_back_w_dx(const wg_call *c, wg_tensor g) { return conv_back_x(c->in[1], g, same(c), &c->x[0]); }
static wg_tensor conv_back_w_dy(const wg_call *c, wg_tensor g) { return convolved(c->in[0], g, same(c), &c->x[1]); }

#define WINDOWS_SCHEMA                                                                                                 \
    WG_SCHEMA(windows, WG_ATTR(windows, stride), WG_ATTR(windows, padding, .raw = true), WG_ATTR(windows, dilation),   \
              WG_ATTR(windows, groups), WG_ATTR_REQUIRED(windows, shape))

WG_OP(convolved) = {
    .name = "convolved",
    .doc = "convolution of x [N, C, ...] with w [O, C / groups, ...], cut to `shape`",
    .in = {{"x", 0}, {"w", 0}},
    .options = WINDOWS_SCHEMA,
    .type = type_of_shape,
    .run = convolved_run,
    .c = convolved_c,
    .vjp = {convolved_dx, convolved_dw},
    .linear = WG_SEPARATELY,
    .saves = "x w",
    .samples = {"[2,2,4,3] [3,2,2,2] shape=[2,3,3,2]"},
    .hidden = true,
};
static wg_tensor convolved(wg_tensor x, wg_tensor w, windows_options o, const wg_type *y)
{
    o.shape = wg_type_shape(y);
    return WG_RECORD(convolved, &o, x, w);
}

WG_OP(conv_back_x) = {
    .name = "conv_back_x",
    .doc = "the transpose of x -> convolved(x, w), applied to y; `shape` is x's",
    .in = {{"y", 0}, {"w", 0}},
    .options = WINDOWS_SCHEMA,
    .type = type_of_shape,
    .run = conv_back_x_run,
    .c = conv_back_x_c,
    .vjp = {conv_back_x_dy, conv_back_x_dw},
    .linear = WG_SEPARATELY,
    .saves = "y w",
    .samples = {"[2,3,3,2] [3,2,2,2] shape=[2,2,4,3]"},
    .hidden = true,
};
static wg_tensor conv_back_x(wg_tensor y, wg_tensor w, windows_options o, const wg_type *x)
{
    o.shape = wg_type_shape(x);
    return WG_RECORD(conv_back_x, &o, y, w);
}

WG_OP(conv_back_w) = {
    .name = "conv_back_w",
    .doc = "the transpose of w -> convolved(x, w), applied to y; `shape` is w's",
    .in = {{"x", 0}, {"y", 0}},
    .options = WINDOWS_SCHEMA,
    .type = type_of_shape,
    .run = conv_back_w_run,
    .c = conv_back_w_c,
    .vjp = {conv_back_w_dx, conv_back_w_dy},
    .linear = WG_SEPARATELY,
    .saves = "x y",
    .samples = {"[2,2,4,3] [2,3,3,2] shape=[3,2,2,2]"},
    .hidden = true,
};
static wg_tensor conv_back_w(wg_tensor x, wg_tensor y, windows_options o, const wg_type *w)
{
    o.shape = wg_type_shape(w);
    return WG_RECORD(conv_back_w, &o, x, y);
}

/* ---- The bias's gradient ----------------------------------------------------------------------------------------- */
#define LANES 16

typedef struct {
    const wg_call *c;
    int64_t channels, inner;
} channel_sums;

/* In double, and in lanes of its own each: right to the last float32 bit, and vector code. */
#define SUM_CHANNEL(T, suffix)                                                                                         \
    static void sum_channel_##suffix(void *argument, int64_t channel)                                                  \
    {                                                                                                                  \
        const channel_sums *s = argument;                                                                              \
        double lane[LANES] = {0}, sum = 0;                                                                             \
        for (int64_t n = 0; n < s->c->x[0].dim[0]; n++) {                                                              \
            const T *x = (const T *)s->c->from[0] + (n * s->channels + channel) * s->inner;                            \
            int64_t whole = s->inner - s->inner % LANES;                                                               \
            for (int64_t i = 0; i < whole; i += LANES)                                                                 \
                for (int l = 0; l < LANES; l++)                                                                        \
                    lane[l] += (double)x[i + l];                                                                       \
            for (int64_t i = whole; i < s->inner; i++)                                                                 \
                lane[i - whole] += (double)x[i];                                                                       \
        }                                                                                                              \
        for (int l = 0; l < LANES; l++)                                                                                \
            sum += lane[l];                                                                                            \
        ((T *)s->c->to[0])[channel] = (T)sum;                                                                          \
    }
SUM_CHANNEL(float, f32)
SUM_CHANNEL(double, f64)

static wg_status sum_channels_type(wg_call *c)
{
    c->y[0] = wg_type_make(c->dtype, WG_SHAPE(c->x[0].dim[1]));
    return WG_OK;
}

static wg_status sum_channels_run(const wg_call *c)
{
    channel_sums s = {.c = c, .channels = c->x[0].dim[1], .inner = 1};
    for (int i = 2; i < c->x[0].rank; i++)
        s.inner *= c->x[0].dim[i];
    wg_parallel(c->tape, s.channels, c->dtype == WG_FLOAT32 ? sum_channel_f32 : sum_channel_f64, &s);
    return WG_OK;
}

/* b [C] over [N, C, ...]. */
static wg_tensor over_channels(wg_tensor b, const wg_type *x)
{
    wg_shape column = {.rank = x->rank - 1, .dim = {x->dim[1]}};
    for (int i = 1; i < column.rank; i++)
        column.dim[i] = 1;
    return wg_broadcast_to(wg_reshape(b, column), wg_type_shape(x));
}
static wg_tensor sum_channels_dx(const wg_call *c, wg_tensor g) { return over_channels(g, &c->x[0]); }

static wg_status sum_channels_c(const wg_call *c, wg_code *w)
{
    wg_axes others = {.n = c->x[0].rank - 1};
    for (int i = 1; i < others.n; i++)
        others.at[i] = i + 1;
    return wg_code_over(c, w, &others, "y", "", WG_C(double sum = 0; EACH sum += (double)x; y = (T)sum;));
}

WG_OP(sum_channels) = {
    .name = "sum_channels",
    .doc = "y[c] = the sum over all other axes of x [N, C, ...]",
    .in = {{"x", 0}},
    .type = sum_channels_type,
    .run = sum_channels_run,
    .c = sum_channels_c,
    .vjp = {sum_channels_dx},
    .linear = WG_JOINTLY,
    .saves = "",
    .samples = {"[2,3,4]", "[2,3]", "[0,3,2]"},
    .hidden = true,
};
static wg_tensor conv_db(const wg_call *c, wg_tensor g)
{
    (void)c;
    return WG_RECORD(sum_channels, NULL, g);
}

static wg_tensor plus(wg_tensor a, wg_tensor b) { return wg_is_none(a) ? b : wg_is_none(b) ? a : wg_add(a, b); }

/* ---- conv -------------------------------------------------------------------------------------------------------- */
static wg_status conv_type(wg_call *c)
{
    const int axes = axes_of(c, 3);
    const wg_type *x = &c->x[0], *w = &c->x[1];
    wg_type *y = &c->y[0];
    *y = *x; /* until its shape is known */
    if (windows_fit(c, axes))
        return WG_ERROR_SHAPE;
    windows_options o = windows_of(c, axes);
    if (w->dim[0] % o.groups || x->dim[1] % o.groups || x->dim[1] / o.groups != w->dim[1])
        return wg_fail(c, WG_ERROR_SHAPE, "channels of %s and %s do not fit in %lld groups", wg_show(c, 0),
                       wg_show(c, 1), (long long)o.groups);
    y->dim[1] = w->dim[0];
    for (int i = 0; i < axes; i++) {
        int k = i + 3 - axes;
        int64_t room = x->dim[i + 2] + 2 * o.padding[k] - o.dilation[k] * (w->dim[i + 2] - 1) - 1;
        if (room < 0)
            return wg_fail(c, WG_ERROR_SHAPE, "the window of %s is larger than %s with its padding", wg_show(c, 1),
                           wg_show(c, 0));
        y->dim[i + 2] = room / o.stride[k] + 1;
    }
    return bias_fits(c, w->dim[0]);
}

static wg_status conv_run(const wg_call *c)
{
    windows_options o = windows_of(c, axes_of(c, 3));
    wg_convolution v = convolution_of(&c->x[0], &c->x[1], &c->y[0], &o);
    return wg_convolve_forward(c, &v, c->from[0], c->from[1], wg_given(c, 2) ? c->from[2] : NULL, c->to[0]);
}

static wg_status conv_c(const wg_call *c, wg_code *w)
{
    windows_options o = windows_of(c, axes_of(c, 3));
    wg_convolution v = convolution_of(&c->x[0], &c->x[1], &c->y[0], &o);
    bias_c(c, w);
    return windows_c(c, w, &v, (const char *const[]){"x", "w", "y"}, 2);
}

static wg_tensor conv_dx(const wg_call *c, wg_tensor g)
{
    return conv_back_x(g, c->in[1], windows_of(c, axes_of(c, 3)), &c->x[0]);
}
static wg_tensor conv_dw(const wg_call *c, wg_tensor g)
{
    return conv_back_w(c->in[0], g, windows_of(c, axes_of(c, 3)), &c->x[1]);
}

static wg_tensor conv_jvp(const wg_call *c)
{
    windows_options o = windows_of(c, axes_of(c, 3));
    wg_tensor by_x = wg_is_none(c->t[0]) ? WG_NONE : convolved(c->t[0], c->in[1], o, &c->y[0]);
    wg_tensor by_w = wg_is_none(c->t[1]) ? WG_NONE : convolved(c->in[0], c->t[1], o, &c->y[0]);
    wg_tensor by_b = c->n_in < 3 || wg_is_none(c->t[2]) ? WG_NONE : over_channels(c->t[2], &c->y[0]);
    return plus(plus(by_x, by_w), by_b);
}

static double conv_flops(const wg_call *c)
{
    double terms = 1;
    for (int i = 1; i < c->x[1].rank; i++)
        terms *= (double)c->x[1].dim[i];
    return 2 * terms * (double)wg_type_count(&c->y[0]);
}

#define CONV_SCHEMA(f)                                                                                                 \
    WG_SCHEMA(f, WG_ATTR(f, stride), WG_ATTR(f, padding, .raw = true), WG_ATTR(f, dilation), WG_ATTR(f, groups))
#define CONV(axes)                                                                                                     \
    .in = {{"x", 0}, {"w", 0}, {"b", WG_OPTIONAL}}, .options = CONV_SCHEMA(wg_conv##axes##d), .type = conv_type,       \
    .run = conv_run, .c = conv_c, .vjp = {conv_dx, conv_dw, conv_db}, .jvp = conv_jvp, .saves = "x w",                 \
    .flops = conv_flops

WG_OP(conv1d) = {
    .name = "conv1d",
    .doc = "y[n, o, p] = b[o] + the sum over c, k of x[n, c, p stride + k dilation - padding] w[o, c, k]",
    CONV(1),
    .samples = {"[2,2,5] [3,2,2] [3]", "[1,4,6] [2,2,3] - stride=2 padding=1 groups=2",
                "[2,1,7] [2,1,2] [2] dilation=3", "[0,2,5] [3,2,2] [3]", "[2,3,4] [2,3,1] [2]"},
};
wg_tensor (wg_conv1d)(wg_tensor x, wg_tensor w, wg_tensor b, wg_conv1d_options options)
{
    return WG_RECORD(conv1d, &options, x, w, b);
}

WG_OP(conv2d) = {
    .name = "conv2d",
    .doc = "conv1d's sum over two spatial axes: x [N, C, H, W], w [O, C / groups, h, w], b [O] or absent",
    CONV(2),
    .samples = {"[2,2,4,5] [3,2,2,3] [3]", "[1,4,5,4] [4,2,3,3] [4] stride=[2,1] padding=[1,0] groups=2",
                "[2,2,5,5] [2,2,2,2] - dilation=[2,1]", "[2,3,3,2] [4,3,1,1] [4]", "[2,3,3,4] [3,1,2,2] - groups=3",
                "[0,2,4,4] [3,2,2,2] [3]", "[9,1,3,3] [2,1,2,2] [2] padding=1"},
};
wg_tensor (wg_conv2d)(wg_tensor x, wg_tensor w, wg_tensor b, wg_conv2d_options options)
{
    return WG_RECORD(conv2d, &options, x, w, b);
}

WG_OP(conv3d) = {
    .name = "conv3d",
    .doc = "conv1d's sum over three spatial axes: x [N, C, D, H, W], w [O, C / groups, d, h, w], b [O] or absent",
    CONV(3),
    .samples = {"[1,2,3,3,4] [2,2,2,2,2] [2]", "[1,2,4,3,3] [2,1,2,3,2] - stride=[2,1,1] padding=[0,1,1] groups=2"},
};
wg_tensor (wg_conv3d)(wg_tensor x, wg_tensor w, wg_tensor b, wg_conv3d_options options)
{
    return WG_RECORD(conv3d, &options, x, w, b);
}

/* ---- conv_transpose ---------------------------------------------------------------------------------------------- */
static wg_status conv_transpose_type(wg_call *c)
{
    const int axes = axes_of(c, 4);
    const wg_type *x = &c->x[0], *w = &c->x[1];
    const int64_t *output_padding = (const int64_t *)c->options + 3 * axes;
    wg_type *y = &c->y[0];
    *y = *x;
    if (windows_fit(c, axes))
        return WG_ERROR_SHAPE;
    windows_options o = windows_of(c, axes);
    if (x->dim[1] != w->dim[0] || w->dim[0] % o.groups || w->dim[1] > INT64_MAX / o.groups)
        return wg_fail(c, WG_ERROR_SHAPE, "channels of %s and %s do not fit in %lld groups", wg_show(c, 0),
                       wg_show(c, 1), (long long)o.groups);
    y->dim[1] = w->dim[1] * o.groups;
    for (int i = 0; i < axes; i++) {
        int k = i + 3 - axes;
        if (output_padding[i] < 0 || (output_padding[i] >= o.stride[k] && output_padding[i] >= o.dilation[k]))
            return wg_fail(c, WG_ERROR_VALUE, "output_padding %lld is not smaller than stride or dilation",
                           (long long)output_padding[i]);
        y->dim[i + 2] = (x->dim[i + 2] - 1) * o.stride[k] - 2 * o.padding[k] + o.dilation[k] * (w->dim[i + 2] - 1) +
                        output_padding[i] + 1;
        if (x->dim[i + 2] < 1 || y->dim[i + 2] < 1)
            return wg_fail(c, WG_ERROR_SHAPE, "nothing is left of %s with that padding", wg_show(c, 0));
    }
    return bias_fits(c, y->dim[1]);
}

static wg_status conv_transpose_run(const wg_call *c)
{
    windows_options o = windows_of(c, axes_of(c, 4));
    wg_convolution v = convolution_of(&c->y[0], &c->x[1], &c->x[0], &o);
    return wg_convolve_back_x(c, &v, c->from[0], c->from[1], wg_given(c, 2) ? c->from[2] : NULL, c->to[0]);
}

static wg_status conv_transpose_c(const wg_call *c, wg_code *w)
{
    windows_options o = windows_of(c, axes_of(c, 4));
    wg_convolution v = convolution_of(&c->y[0], &c->x[1], &c->x[0], &o);
    bias_c(c, w);
    return windows_c(c, w, &v, (const char *const[]){"y", "w", "x"}, 0);
}

static wg_tensor conv_transpose_dx(const wg_call *c, wg_tensor g)
{
    return convolved(g, c->in[1], windows_of(c, axes_of(c, 4)), &c->x[0]);
}
static wg_tensor conv_transpose_dw(const wg_call *c, wg_tensor g)
{
    return conv_back_w(g, c->in[0], windows_of(c, axes_of(c, 4)), &c->x[1]);
}

static wg_tensor conv_transpose_jvp(const wg_call *c)
{
    windows_options o = windows_of(c, axes_of(c, 4));
    wg_tensor by_x = wg_is_none(c->t[0]) ? WG_NONE : conv_back_x(c->t[0], c->in[1], o, &c->y[0]);
    wg_tensor by_w = wg_is_none(c->t[1]) ? WG_NONE : conv_back_x(c->in[0], c->t[1], o, &c->y[0]);
    wg_tensor by_b = c->n_in < 3 || wg_is_none(c->t[2]) ? WG_NONE : over_channels(c->t[2], &c->y[0]);
    return plus(plus(by_x, by_w), by_b);
}

static double conv_transpose_flops(const wg_call *c)
{
    double terms = 1;
    for (int i = 1; i < c->x[1].rank; i++)
        terms *= (double)c->x[1].dim[i];
    return 2 * terms * (double)wg_type_count(&c->x[0]);
}

#define CONV_TRANSPOSE_SCHEMA(f)                                                                                       \
    WG_SCHEMA(f, WG_ATTR(f, stride), WG_ATTR(f, padding, .raw = true), WG_ATTR(f, output_padding, .raw = true),        \
              WG_ATTR(f, dilation), WG_ATTR(f, groups))
#define CONV_TRANSPOSE(axes)                                                                                           \
    .in = {{"x", 0}, {"w", 0}, {"b", WG_OPTIONAL}}, .options = CONV_TRANSPOSE_SCHEMA(wg_conv_transpose##axes##d),      \
    .type = conv_transpose_type, .run = conv_transpose_run, .c = conv_transpose_c,                                     \
    .vjp = {conv_transpose_dx, conv_transpose_dw, conv_db}, .jvp = conv_transpose_jvp, .saves = "x w",                 \
    .flops = conv_transpose_flops

WG_OP(conv_transpose1d) = {
    .name = "conv_transpose1d",
    .doc = "the transpose of conv1d with the same w [C, O / groups, k], plus b[o]: from its y's shape to its x's",
    CONV_TRANSPOSE(1),
    .samples = {"[2,2,3] [2,3,2] [3]", "[1,4,3] [4,2,3] - stride=2 padding=1 output_padding=1 groups=2",
                "[2,1,3] [1,2,2] [2] dilation=2"},
};
wg_tensor (wg_conv_transpose1d)(wg_tensor x, wg_tensor w, wg_tensor b, wg_conv_transpose1d_options options)
{
    return WG_RECORD(conv_transpose1d, &options, x, w, b);
}

WG_OP(conv_transpose2d) = {
    .name = "conv_transpose2d",
    .doc = "the transpose of conv2d with the same w [C, O / groups, h, w], plus b[o]: from its y's shape to its x's",
    CONV_TRANSPOSE(2),
    .samples = {"[2,2,3,2] [2,3,2,2] [3]",
                "[1,4,2,3] [4,1,3,2] [2] stride=[2,3] padding=[1,0] output_padding=[1,2] groups=2",
                "[2,2,3,3] [2,1,2,2] - dilation=2", "[0,2,3,2] [2,3,2,2] [3]"},
};
wg_tensor (wg_conv_transpose2d)(wg_tensor x, wg_tensor w, wg_tensor b, wg_conv_transpose2d_options options)
{
    return WG_RECORD(conv_transpose2d, &options, x, w, b);
}

WG_FAMILY_OF(convolution, "networks", CONVOLUTIONS)
