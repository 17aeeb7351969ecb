/* gmm: the log likelihood of a mixture of k Gaussians, with a Wishart prior. Component c has the lower triangle Q_c,
 * the diagonal exp(q_c) and below it l_c column by column, and b_ic = alpha_c + sum_j q_cj - 1/2 |Q_c (x_i - mu_c)|^2
 * is linear in what is known of x_i: with P_c = Q_c' Q_c,
 *   |Q (x - mu)|^2 = sum_ab P_ab x_a x_b - 2 (P mu)' x + mu' P mu
 * so that all b are one product of the features x_a x_b, a <= b, and x_a with the components' weights for them: half
 * the work of the products Q_c x_i, and no n k d values. Points are counted from their mean, to lose nothing in the
 * differences. */
#include "gradbench.h"

typedef struct {
    int64_t d, k, n, m;
    double gamma;
} sizes;

/* Where Q's elements are in [exp(q), l, 0]; where the elements of a symmetric matrix's upper triangle are in it, in
 * which row and column, and how often they count. */
typedef struct {
    wg_tensor lower, upper, row, column, twice;
} places;

static wg_tensor indices(problem *p, wg_shape shape, const int64_t *at)
{
    return at ? wg_array(p->tape, WG_INT64, shape, at) : WG_INVALID;
}

static places places_of(problem *p, int64_t d)
{
    int64_t n = d * (d + 1) / 2;
    int64_t *lower = room(p, (size_t)(d * d) * sizeof *lower), *upper = room(p, 3 * (size_t)n * sizeof *upper);
    double *twice = room(p, (size_t)n * sizeof *twice);
    int64_t next = d, at = 0;
    for (int64_t j = 0; lower && upper && twice && j < d; j++)
        for (int64_t i = 0; i < d; i++) { /* down column j of Q; along row j of the triangle */
            lower[i * d + j] = i < j ? n : i == j ? j : next++;
            if (i < j)
                continue;
            upper[at] = j * d + i;
            upper[n + at] = j;
            upper[2 * n + at] = i;
            twice[at++] = i == j ? 1 : 2;
        }
    if (!lower || !upper || !twice)
        return (places){WG_INVALID, WG_INVALID, WG_INVALID, WG_INVALID, WG_INVALID};
    return (places){indices(p, WG_SHAPE(d * d), lower), indices(p, WG_SHAPE(n), upper),
                    indices(p, WG_SHAPE(n), upper + n), indices(p, WG_SHAPE(n), upper + 2 * n),
                    wg_array(p->tape, WG_FLOAT64, WG_SHAPE(n), twice)};
}

/* [x_a x_b, a <= b; x_a]: [n, d (d + 1) / 2 + d] */
static wg_tensor features(wg_tensor x, const places *at)
{
    wg_tensor square = wg_multiply(wg_take(x, at->row, 1), wg_take(x, at->column, 1));
    return wg_concat(WG_TENSORS(square, x), .axis = 1);
}

/* log sum_c exp b_ic for each i. A component whose share is below e^-600 has none: as a number so small that it is no
 * longer a normal one it would make the products of the derivative ten times as slow. */
static wg_tensor shared(wg_tensor b)
{
    wg_tensor least = wg_subtract(wg_stop_gradient(wg_max(b, .axis = 1, .keepdims = true)), 600);
    return wg_logsumexp(wg_maximum(b, least), .axis = 1);
}

/* The constant of the prior. */
static double prior(const sizes *s)
{
    const double pi = 3.14159265358979323846;
    double big = (double)(s->d + s->m + 1), sum = 0.25 * (double)(s->d * (s->d - 1)) * log(pi);
    for (int64_t j = 1; j <= s->d; j++)
        sum += lgamma(0.5 * (big + 1 - (double)j));
    return big * (double)s->d * (log(s->gamma) - 0.5 * log(2)) - sum;
}

static void gmm(problem *p)
{
    sizes s = {.m = whole(p, "m"), .gamma = real(p, "gamma")};
    wg_tensor x = reals(p, "x", 2);
    wg_tensor alpha = variable(p, "alpha", 1), mu = variable(p, "mu", 2), q = variable(p, "q", 2),
              l = variable(p, "l", 2);
    wg_shape points = wg_shape_of(x), triangles = wg_shape_of(l);
    s.n = points.dim[0];
    s.d = points.dim[1];
    s.k = wg_size(alpha);
    if (wg_failed(p->tape) || triangles.dim[0] != s.k || triangles.dim[1] != s.d * (s.d - 1) / 2 || !s.d || !s.n) {
        wg_report(p->tape, "gradbench", WG_ERROR_SHAPE, "x, alpha and l do not fit");
        return;
    }
    places at = places_of(p, s.d);
    wg_tensor centre = wg_mean(x, .axis = 0), from_centre = wg_subtract(mu, centre);
    wg_tensor phi = features(wg_subtract(x, centre), &at);
    wg_tensor zero = wg_full(p->tape, WG_FLOAT64, WG_SHAPE(s.k, 1), 0);
    wg_tensor packed = wg_concat(WG_TENSORS(wg_exp(q), l, zero), .axis = 1);
    wg_tensor triangle = wg_reshape(wg_take(packed, at.lower, 1), WG_SHAPE(s.k, s.d, s.d));
    wg_tensor square = wg_matmul(wg_matrix_transpose(triangle), triangle); /* P: [k, d, d] */
    wg_tensor slope = wg_squeeze(wg_matmul(square, wg_expand_dims(from_centre, WG_AXES(2))), .axis = 2);
    wg_tensor upper = wg_take(wg_reshape(square, WG_SHAPE(s.k, s.d * s.d)), at.upper, 1);
    wg_tensor curvature = wg_multiply(upper, wg_multiply(-0.5, at.twice));
    wg_tensor weights = wg_concat(WG_TENSORS(curvature, slope), .axis = 1);
    wg_tensor sum_q = wg_sum(q, .axis = 1);
    wg_tensor middle = wg_sum(wg_multiply(slope, from_centre), .axis = 1);
    wg_tensor offset = wg_subtract(wg_add(alpha, sum_q), wg_multiply(0.5, middle));
    wg_tensor b = wg_add(wg_matmul(phi, wg_matrix_transpose(weights)), offset);
    wg_tensor data = wg_subtract(wg_sum(shared(b)), wg_multiply((double)s.n, wg_logsumexp(alpha)));
    wg_tensor size = wg_multiply(0.5 * s.gamma * s.gamma, wg_sum(wg_square(packed)));
    wg_tensor wishart = wg_subtract(size, wg_multiply((double)s.m, wg_sum(sum_q)));
    double constant = (double)s.k * prior(&s) - 0.5 * (double)(s.n * s.d) * log(2 * 3.14159265358979323846);
    solved_by(p, wg_add(wg_subtract(data, wishart), constant));
}

const evaluation gmm_evaluations[] = {{"gmm", "objective", gmm, false}, {"gmm", "jacobian", gmm, true}, {0}};
