/* kmeans: cost = sum_i min_j |c_j - p_i|^2. Which centroid is nearest changes nothing to first order, and is constant;
 * the cost is then a sum over the points, each of whose centroids is taken. Its Hessian is diagonal: the product with
 * ones is it. */
#include "gradbench.h"

#define BLOCK 128 /* points whose distances to all centroids are in the cache at a time */

/* The centroid nearest to each of the points [n, d], the first of equal ones: [n]. |c - p|^2 is (-2 c, |c|^2) (p, 1)
 * but for |p|^2, which is the same for all centroids. */
static wg_tensor nearest(problem *p, wg_tensor points, wg_tensor centroids)
{
    int64_t n = wg_shape_of(points).dim[0], blocks = (n + BLOCK - 1) / BLOCK;
    wg_tensor square = wg_sum(wg_square(centroids), .axis = 1, .keepdims = true);
    wg_tensor sides = wg_matrix_transpose(wg_concat(WG_TENSORS(wg_multiply(-2, centroids), square), .axis = 1));
    wg_tensor with_one = wg_concat(WG_TENSORS(points, wg_full(p->tape, WG_FLOAT64, WG_SHAPE(n, 1), 1)), .axis = 1);
    wg_tensor *at = room(p, (size_t)blocks * sizeof *at);
    for (int64_t i = 0; at && i < blocks; i++) {
        wg_tensor block = wg_narrow(with_one, 0, i * BLOCK, i < blocks - 1 ? BLOCK : n - i * BLOCK);
        at[i] = wg_argmin(wg_matmul(block, sides), .axis = 1);
    }
    return at && blocks ? wg_concat(((wg_tensors){at, (int)blocks})) : WG_INVALID;
}

static void kmeans(problem *p)
{
    wg_tensor points = reals(p, "points", 2), centroids = variable(p, "centroids", 2);
    wg_tensor mine = wg_take(centroids, nearest(p, points, centroids), 0);
    wg_tensor cost = wg_sum(wg_square(wg_subtract(mine, points)));
    if (!p->derivative) {
        answered_by(p, cost);
        return;
    }
    wg_tensor gradient = WG_NONE, diagonal = WG_NONE;
    wg_tensor ones = wg_full(p->tape, WG_FLOAT64, wg_shape_of(centroids), 1);
    wg_grad(cost, &centroids, 1, &gradient, .record = true);
    wg_hvp(cost, &centroids, &ones, 1, &diagonal);
    answered_by(p, wg_divide(gradient, diagonal));
}

const evaluation kmeans_evaluations[] = {{"kmeans", "cost", kmeans, false}, {"kmeans", "dir", kmeans, true}, {0}};
