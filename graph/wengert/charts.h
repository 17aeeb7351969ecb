/* Wengert: charts.
 *
 * Pictures of numbers, written as SVG without any program's help. Lines are named where they end instead of in a box,
 * and the colours follow the reader's light or dark theme. A file is written beside and renamed: a failure, which is
 * reported on the tape, leaves an old one as it was. */
#ifndef WENGERT_CHARTS_H
#define WENGERT_CHARTS_H

#include "wengert/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a training run has been, epoch by epoch. Any array may be NULL; a value that is not finite is not drawn. */
typedef struct {
    int64_t n; /* epochs; the first is number 1 */
    const double *train_loss, *valid_loss, *train_accuracy, *valid_accuracy;
    const char *title; /* NULL: "learning curve" */
} wg_curve;
/* The learning curve: loss, on a log scale, over accuracy; training solid, validation dashed, and the epoch of the best
 * validation loss, or else training loss, marked. Of many epochs each pixel shows the least and the greatest value. */
WG_API wg_status wg_plot_curve(wg_tape *tape, const wg_curve *curve, const char *path);

/* A classifier of points: their scores, [n, classes] with two classes or more, for [n, 2] of x's dtype. */
typedef wg_tensor wg_classifier(wg_tensor points, void *user);

typedef struct {
    const char *title; /* NULL: "decision boundary" */
    const char *note;  /* beside it: "epoch 120   accuracy 98.3 %" */
} wg_plot_boundary_options;
#define wg_plot_boundary_defaults .title = NULL
/* The plane as the classifier f sees it: hue is the likeliest class, strength its probability, the softmax of the
 * scores. Two classes are parted by lines at p = 0.5 and, dashed, 0.1 and 0.9; more by a line where the likeliest
 * changes. Above it the points x, [n, 2], of class y, [n] of integers, a marker a class; of very many, evenly chosen
 * ones. What f records is rewound. */
WG_API wg_status wg_plot_boundary(wg_classifier *f, void *user, wg_tensor x, wg_tensor y, const char *path,
                                  wg_plot_boundary_options options);

/* How often samples of one class were taken for another. */
typedef struct {
    int64_t n;               /* classes */
    const int64_t *counts;   /* [n, n]: row the true class, column the predicted one */
    const char *const *name; /* of each class; NULL: 0, 1, ... */
    const char *title;       /* NULL: "confusion matrix" */
} wg_confusion;
/* The confusion matrix: counts in cells, strength a cell's share of its row, recall at the right, precision below. At
 * most 256 classes; from 33 on without numbers. */
WG_API wg_status wg_plot_confusion(wg_tape *tape, const wg_confusion *confusion, const char *path);

/* ---- Tensors -----------------------------------------------------------------------------------------------------
 * Of any dtype and strides; an array of plain numbers becomes one by wg_borrow. */
typedef struct {
    int64_t height, width; /* of an image; 0: its last two axes */
    const char *title;     /* NULL: the tensor's name */
} wg_plot_images_options;
#define wg_plot_images_defaults .title = NULL
/* Weights as images side by side, zero being the page, negative blue, positive orange, on one scale; what is not finite
 * is marked. A matrix is one image unless its columns, or else its rows, have height x width elements or, where those
 * are not given, the square of a whole number but no power of two: 784 inputs of a unit are 28 x 28. As .png the images
 * alone. */
WG_API wg_status wg_plot_images(wg_tensor w, const char *path, wg_plot_images_options options);

typedef struct {
    int64_t bins;      /* at most 120; 0: as the numbers ask for */
    const char *title; /* NULL: the tensor's name */
} wg_plot_histogram_options;
#define wg_plot_histogram_defaults .title = NULL
/* How often a tensor's elements have which value, with mean, deviation, range and how many are zero or not finite. */
WG_API wg_status wg_plot_histogram(wg_tensor t, const char *path, wg_plot_histogram_options options);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_plot_curve(tape, curve, path) (wg_plot_curve)(WG_HERE(tape), curve, path)
#define wg_plot_boundary(f, user, x, ...) WG_OPTIONS5(wg_plot_boundary, f, user, WG_HERE_AT(x), __VA_ARGS__, )
#define wg_plot_confusion(tape, confusion, path) (wg_plot_confusion)(WG_HERE(tape), confusion, path)
#define wg_plot_images(w, ...) WG_OPTIONS2(wg_plot_images, WG_HERE_AT(w), __VA_ARGS__, )
#define wg_plot_histogram(t, ...) WG_OPTIONS2(wg_plot_histogram, WG_HERE_AT(t), __VA_ARGS__, )
#endif

#endif
