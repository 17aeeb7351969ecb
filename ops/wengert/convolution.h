/* Wengert: convolution, pooling and images in other sizes.
 *
 * Windows that slide over the spatial axes of x [N, C, ...]: one result for each place, `stride` apart, with `padding`
 * entries added at both ends of an axis. An axis of size n has, rounded down,
 * (n + 2 padding - dilation (kernel - 1) - 1) / stride + 1 results.
 *
 * Options are one a spatial axis; of stride, dilation and kernel_size an entry left out takes the first one's value. */
#ifndef WENGERT_CONVOLUTION_H
#define WENGERT_CONVOLUTION_H

#include "wengert/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Convolution ---------------------------------------------------------------------------------------------------
 * y[n, o, p] = b[o] + the sum over channels c and places k of x[n, c, p stride + k dilation - padding] w[o, c, k]:
 * cross-correlation, as everybody's. x [N, C, ...], w [O, C / groups, ...], b [O] or WG_NONE; with groups, output
 * channels see only their group's input channels. Padding is zeros. */
typedef struct {
    int64_t stride[1], padding[1], dilation[1], groups;
} wg_conv1d_options;
#define wg_conv1d_defaults .stride = {1}, .padding = {0}, .dilation = {1}, .groups = 1
/* One spatial axis: x [N, C, L], w [O, C / groups, k]. */
WG_API wg_tensor wg_conv1d(wg_tensor x, wg_tensor w, wg_tensor b, wg_conv1d_options options);

typedef struct {
    int64_t stride[2], padding[2], dilation[2], groups;
} wg_conv2d_options;
#define wg_conv2d_defaults .stride = {1}, .padding = {0}, .dilation = {1}, .groups = 1
/* Two: x [N, C, H, W], w [O, C / groups, h, w]. wg_conv2d(x, w, b, .stride = {2}, .padding = {1, 1}) */
WG_API wg_tensor wg_conv2d(wg_tensor x, wg_tensor w, wg_tensor b, wg_conv2d_options options);

typedef struct {
    int64_t stride[3], padding[3], dilation[3], groups;
} wg_conv3d_options;
#define wg_conv3d_defaults .stride = {1}, .padding = {0}, .dilation = {1}, .groups = 1
/* Three: x [N, C, D, H, W], w [O, C / groups, d, h, w]. */
WG_API wg_tensor wg_conv3d(wg_tensor x, wg_tensor w, wg_tensor b, wg_conv3d_options options);

/* ---- Transposed convolution ---------------------------------------------------------------------------------------
 * The transpose of convolution with the same w: from y's shape back to x's. x [N, C, ...], w [C, O / groups, ...],
 * b [O] or WG_NONE; an axis gets (n - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1 entries. */
typedef struct {
    int64_t stride[1], padding[1], dilation[1], output_padding[1], groups;
} wg_conv_transpose1d_options;
#define wg_conv_transpose1d_defaults .stride = {1}, .padding = {0}, .dilation = {1}, .output_padding = {0}, .groups = 1
/* One spatial axis: x [N, C, L], w [C, O / groups, k]. */
WG_API wg_tensor wg_conv_transpose1d(wg_tensor x, wg_tensor w, wg_tensor b, wg_conv_transpose1d_options options);

typedef struct {
    int64_t stride[2], padding[2], dilation[2], output_padding[2], groups;
} wg_conv_transpose2d_options;
#define wg_conv_transpose2d_defaults .stride = {1}, .padding = {0}, .dilation = {1}, .output_padding = {0}, .groups = 1
/* Two: x [N, C, H, W], w [C, O / groups, h, w]. */
WG_API wg_tensor wg_conv_transpose2d(wg_tensor x, wg_tensor w, wg_tensor b, wg_conv_transpose2d_options options);

/* ---- Pooling -------------------------------------------------------------------------------------------------------
 * One result for each window of each channel. kernel_size is to be given; stride is kernel_size unless given, and
 * padding at most half of kernel_size.
 *
 * A maximum: of equals the first in row-major order counts, and gets the gradient; a NaN wins; padding is -inf. A mean:
 * over all places of the window, the padding's zeros among them, or without `count_include_pad` over those inside x. */
typedef struct {
    int64_t kernel_size[1], stride[1], padding[1], dilation[1];
} wg_max_pool1d_options;
#define wg_max_pool1d_defaults .kernel_size = {0}, .stride = {0}, .padding = {0}, .dilation = {1}
/* The largest entry of each window of x [N, C, L]: wg_max_pool1d(x, .kernel_size = {2}). */
WG_API wg_tensor wg_max_pool1d(wg_tensor x, wg_max_pool1d_options options);

typedef struct {
    int64_t kernel_size[2], stride[2], padding[2], dilation[2];
} wg_max_pool2d_options;
#define wg_max_pool2d_defaults .kernel_size = {0}, .stride = {0}, .padding = {0}, .dilation = {1}
/* The same of x [N, C, H, W]. */
WG_API wg_tensor wg_max_pool2d(wg_tensor x, wg_max_pool2d_options options);

typedef struct {
    int64_t kernel_size[1], stride[1], padding[1];
    bool count_include_pad;
} wg_avg_pool1d_options;
#define wg_avg_pool1d_defaults .kernel_size = {0}, .stride = {0}, .padding = {0}, .count_include_pad = true
/* The mean of each window of x [N, C, L]. */
WG_API wg_tensor wg_avg_pool1d(wg_tensor x, wg_avg_pool1d_options options);

typedef struct {
    int64_t kernel_size[2], stride[2], padding[2];
    bool count_include_pad;
} wg_avg_pool2d_options;
#define wg_avg_pool2d_defaults .kernel_size = {0}, .stride = {0}, .padding = {0}, .count_include_pad = true
/* The same of x [N, C, H, W]. */
WG_API wg_tensor wg_avg_pool2d(wg_tensor x, wg_avg_pool2d_options options);

/* ---- Other sizes ----------------------------------------------------------------------------------------------------
 * Of images x [N, C, H, W]. A size of 0 gives nothing; of nothing there is nothing else. */
/* The means of windows that cover an image as evenly as whole pixels allow, output_size = {h, w} of them: rows
 * floor(i H / h) up to, and not including, ceil((i + 1) H / h), and columns alike. */
typedef struct {
    int64_t output_size[2]; /* to be given */
} wg_adaptive_avg_pool2d_options;
#define wg_adaptive_avg_pool2d_defaults .output_size = {WG_NO_INTEGER}
WG_API wg_tensor wg_adaptive_avg_pool2d(wg_tensor x, wg_adaptive_avg_pool2d_options options);
/* The image in size {h, w}. "nearest": pixel floor(i H / h). "bilinear": on straight lines between the centres of
 * pixels, the pixels at the border going on outwards; with align_corners the centres of the outermost pixels stay where
 * they are. wg_interpolate(x, .size = {64, 64}, .mode = "bilinear") */
typedef struct {
    int64_t size[2];  /* to be given */
    const char *mode; /* "nearest", "bilinear" */
    bool align_corners;
} wg_interpolate_options;
#define wg_interpolate_defaults .size = {WG_NO_INTEGER}, .mode = "nearest", .align_corners = false
WG_API wg_tensor wg_interpolate(wg_tensor x, wg_interpolate_options options);
/* Channels as pixels: x [..., C r^2, H, W] gives y [..., C, H r, W r] with r the upscale_factor, and
 * y[..., c, h r + i, w r + j] = x[..., (c r + i) r + j, h, w]. */
typedef struct {
    int64_t upscale_factor; /* to be given */
} wg_pixel_shuffle_options;
#define wg_pixel_shuffle_defaults .upscale_factor = WG_NO_INTEGER
WG_API wg_tensor wg_pixel_shuffle(wg_tensor x, wg_pixel_shuffle_options options);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ------------------------------------------------------------------------------------ */
#ifndef __cplusplus
#define wg_conv1d(...) WG_AT(WG_OPTIONS3(wg_conv1d, __VA_ARGS__, ))
#define wg_conv2d(...) WG_AT(WG_OPTIONS3(wg_conv2d, __VA_ARGS__, ))
#define wg_conv3d(...) WG_AT(WG_OPTIONS3(wg_conv3d, __VA_ARGS__, ))
#define wg_conv_transpose1d(...) WG_AT(WG_OPTIONS3(wg_conv_transpose1d, __VA_ARGS__, ))
#define wg_conv_transpose2d(...) WG_AT(WG_OPTIONS3(wg_conv_transpose2d, __VA_ARGS__, ))
#define wg_max_pool1d(...) WG_AT(WG_OPTIONS1(wg_max_pool1d, __VA_ARGS__, ))
#define wg_max_pool2d(...) WG_AT(WG_OPTIONS1(wg_max_pool2d, __VA_ARGS__, ))
#define wg_avg_pool1d(...) WG_AT(WG_OPTIONS1(wg_avg_pool1d, __VA_ARGS__, ))
#define wg_avg_pool2d(...) WG_AT(WG_OPTIONS1(wg_avg_pool2d, __VA_ARGS__, ))
#define wg_adaptive_avg_pool2d(...) WG_AT(WG_OPTIONS1(wg_adaptive_avg_pool2d, __VA_ARGS__, ))
#define wg_interpolate(...) WG_AT(WG_OPTIONS1(wg_interpolate, __VA_ARGS__, ))
#define wg_pixel_shuffle(...) WG_AT(WG_OPTIONS1(wg_pixel_shuffle, __VA_ARGS__, ))
#endif

#endif
