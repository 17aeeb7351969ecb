/* kmeans: cost = sum_i min_j |c_j - p_i|^2. Which centroid is nearest changes nothing to first order, and is constant; the
 * cost is then a sum over the points, each of whose centroids is taken. Its Hessian is diagonal: the product with ones is it. */
#include "gradbench.h"

/* The centroid nearest to each of the points [n, d], the first of equal ones: [n]. */
static wg_tensor nearest(wg_tensor points, wg_tensor centroids)
{
    wg_tensor square = wg_sum(wg_square(centroids), .axis = WG_AXES(1)); /* |p|^2 is the same for all of them */
    wg_tensor product = wg_matmul(points, wg_matrix_transpose(centroids));
    return wg_argmin(wg_subtract(square, wg_multiply(2, product)), .axis = 1);
}

static void kmeans(problem *p)
{
    wg_tensor points = reals(p, "points", 2), centroids = variable(p, "centroids", 2);
    wg_tensor mine = wg_take(centroids, nearest(points, centroids), 0);
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
