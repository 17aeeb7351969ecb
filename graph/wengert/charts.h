/* Wengert: charts.
 *
 * Pictures of numbers, as SVG of our own: no program is needed. Lines are named where they end instead of in a box; the
 * colours follow the reader's light or dark theme. */
#ifndef WENGERT_CHARTS_H
#define WENGERT_CHARTS_H

#include "wengert/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a training run has been, epoch by epoch. An array may be NULL; what is not finite in one is not drawn. */
typedef struct {
    int64_t n; /* epochs */
    const double *train_loss, *valid_loss, *train_accuracy, *valid_accuracy;
    const char *title;
} wg_curve;
/* The learning curve: loss, on a log scale, over accuracy; training solid, validation dashed, the epoch of the best
 * validation loss marked. Errors are reported on the tape. */
WG_API wg_status wg_plot_curve(wg_tape *tape, const wg_curve *curve, const char *path);

/* Scores, [n, classes], of n points of the plane, [n, 2], float32. */
typedef wg_tensor wg_plane_function(wg_tensor points, void *user);
/* The decision boundary of a classifier of points: hue is the class, strength its probability (the softmax of the scores);
 * the points lie above it, a marker a class. x is [n, 2], y [n] of int64. */
WG_API wg_status wg_plot_boundary(wg_plane_function *f, void *user, wg_tensor x, wg_tensor y, const char *title,
                                  const char *path);

#ifdef __cplusplus
}
#endif

#endif
