/* The floors of GradBench's models: mixtures, recurrent networks, bundles of observations. */
#include "gradbench.h"

enum { LANES = 8 };
typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));

/* ---- gmm: sizes d, k, n ------------------------------------------------------------------------------------------ */
/* Eight points are lanes. The terms b are kept, so that the derivative has them when the shares are known; what Q (x -
 * mu) is in it is computed again. */
void gmm_prepare(work *w)
{
    int64_t d = w->size[0], k = w->size[1], n = w->size[2], l = d * (d - 1) / 2, blocks = (n + LANES - 1) / LANES;
    double *x = spread(n * d, 0);
    w->in[0] = reals(blocks * d * LANES); /* [blocks, d, lanes] */
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++)
            w->in[0][(i / LANES * d + j) * LANES + i % LANES] = x[i * d + j];
    free(x);
    w->in[1] = spread(k, 1);
    w->in[2] = uniform(k * d, 2);
    w->in[3] = spread(k * d, 3);
    w->in[4] = spread(k * l, 4);
    w->room[0] = reals(k * d);                             /* exp q */
    w->room[1] = reals(blocks * k * LANES);                /* b, then the shares */
    w->room[2] = reals((d * (d + 1) / 2 + d + 1) * LANES); /* of a component: sums a lane */
    w->room[3] = reals(k * l);                             /* l row by row */
    w->out = reals(w->n_out = k + 2 * k * d + k * l);
}

static double prior(int64_t d)
{
    const double pi = 3.14159265358979323846, big = (double)(d + 1);
    double sum = 0.25 * (double)(d * (d - 1)) * log(pi);
    for (int64_t j = 1; j <= d; j++)
        sum += lgamma(0.5 * (big + 1 - (double)j));
    return -0.5 * big * (double)d * log(2) - sum;
}

/* l_j0, l_j1, ... of each row j, from columns. */
static void rows_of(const double *l, int64_t d, double *row)
{
    for (int64_t j = 0, at = 0; j < d; j++)
        for (int64_t i = j + 1; i < d; i++)
            row[i * (i - 1) / 2 + j] = l[at++];
}

CLONES static void terms_of(const double *x, const double *mu, const double *e, const double *row, int64_t d,
                            double offset, double *b)
{
    lanes c[64], sum = {0};
    for (int64_t j = 0; j < d; j++)
        c[j] = ((const lanes *)(const void *)x)[j] - mu[j];
    for (int64_t j = 0; j < d; j++) {
        lanes y = e[j] * c[j];
        for (int64_t i = 0; i < j; i++)
            y += row[j * (j - 1) / 2 + i] * c[i];
        sum += y * y;
    }
    *(lanes *)(void *)b = offset - 0.5 * sum;
}

/* b becomes the shares of its components; returns the sum of log sum exp b over the lanes that there are. */
CLONES static double shares(double *b, int64_t k, int64_t count)
{
    double total = 0, high[LANES], sum[LANES] = {0};
    for (int j = 0; j < LANES; j++)
        high[j] = -INFINITY;
    for (int64_t c = 0; c < k; c++)
        for (int j = 0; j < LANES; j++)
            high[j] = b[c * LANES + j] > high[j] ? b[c * LANES + j] : high[j];
    for (int64_t c = 0; c < k; c++)
        for (int j = 0; j < LANES; j++)
            sum[j] += b[c * LANES + j] = exp(b[c * LANES + j] - high[j]);
    for (int j = 0; j < LANES; j++) {
        total += j < count ? high[j] + log(sum[j]) : 0;
        sum[j] = j < count ? 1 / sum[j] : 0;
    }
    for (int64_t c = 0; c < k; c++)
        for (int j = 0; j < LANES; j++)
            b[c * LANES + j] *= sum[j];
    return total;
}

static double gmm(work *w)
{
    const double pi = 3.14159265358979323846;
    int64_t d = w->size[0], k = w->size[1], n = w->size[2], l = d * (d - 1) / 2, blocks = (n + LANES - 1) / LANES;
    double y = (double)k * prior(d) - 0.5 * (double)(n * d) * log(2 * pi), high = -INFINITY, sum = 0;
    for (int64_t c = 0; c < k; c++) {
        double offset = w->in[1][c];
        for (int64_t j = 0; j < d; j++) {
            w->room[0][c * d + j] = exp(w->in[3][c * d + j]);
            offset += w->in[3][c * d + j];
            y -= 0.5 * w->room[0][c * d + j] * w->room[0][c * d + j];
        }
        rows_of(w->in[4] + c * l, d, w->room[3] + c * l);
        for (int64_t j = 0; j < l; j++)
            y -= 0.5 * w->in[4][c * l + j] * w->in[4][c * l + j];
        for (int64_t i = 0; i < blocks; i++)
            terms_of(w->in[0] + i * d * LANES, w->in[2] + c * d, w->room[0] + c * d, w->room[3] + c * l, d, offset,
                     w->room[1] + (i * k + c) * LANES);
        high = w->in[1][c] > high ? w->in[1][c] : high;
    }
    for (int64_t c = 0; c < k; c++)
        sum += exp(w->in[1][c] - high);
    y -= (double)n * (high + log(sum));
    for (int64_t i = 0; i < blocks; i++)
        y += shares(w->room[1] + i * k * LANES, k, n - i * LANES < LANES ? n - i * LANES : LANES);
    return y;
}

void gmm_primal(work *w) { w->out[0] = gmm(w); }

/* Adds a block's part to a component's sums: of w y c' row by row, of Q' w y, of w. */
CLONES static void pulled_terms(const double *x, const double *mu, const double *e, const double *row, int64_t d,
                                const double *share, lanes *outer, lanes *along, lanes *total)
{
    lanes c[64], w = *(const lanes *)(const void *)share;
    for (int64_t j = 0; j < d; j++)
        c[j] = ((const lanes *)(const void *)x)[j] - mu[j];
    *total += w;
    for (int64_t j = 0; j < d; j++) {
        lanes y = e[j] * c[j];
        for (int64_t i = 0; i < j; i++)
            y += row[j * (j - 1) / 2 + i] * c[i];
        y *= w;
        for (int64_t i = 0; i <= j; i++)
            outer[j * (j + 1) / 2 + i] += y * c[i];
        along[j] += y;
    }
}

static double sum_of(const lanes *of)
{
    const double *x = (const double *)of;
    return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
}

static void component_pulled(work *w, int64_t c, double weight_of_alpha)
{
    int64_t d = w->size[0], k = w->size[1], n = w->size[2], l = d * (d - 1) / 2, blocks = (n + LANES - 1) / LANES;
    const double *e = w->room[0] + c * d, *row = w->room[3] + c * l;
    lanes *outer = (lanes *)(void *)w->room[2], *along = outer + d * (d + 1) / 2, *total = along + d;
    double *galpha = w->out, *gmu = galpha + k, *gq = gmu + k * d, *gl = gq + k * d;
    memset(w->room[2], 0, (size_t)(d * (d + 1) / 2 + d + 1) * sizeof(lanes));
    for (int64_t i = 0; i < blocks; i++)
        pulled_terms(w->in[0] + i * d * LANES, w->in[2] + c * d, e, row, d, w->room[1] + (i * k + c) * LANES, outer,
                     along, total);
    double all = sum_of(total);
    galpha[c] = all - weight_of_alpha;
    for (int64_t j = 0; j < d; j++) {
        double g = e[j] * sum_of(&along[j]);
        for (int64_t i = j + 1; i < d; i++)
            g += row[i * (i - 1) / 2 + j] * sum_of(&along[i]);
        gmu[c * d + j] = g;
        gq[c * d + j] = all - e[j] * sum_of(&outer[j * (j + 1) / 2 + j]) - e[j] * e[j];
    }
    for (int64_t j = 0, at = 0; j < d; j++)
        for (int64_t i = j + 1; i < d; i++, at++)
            gl[c * l + at] = -sum_of(&outer[i * (i + 1) / 2 + j]) - w->in[4][c * l + at];
}

void gmm_derivative(work *w)
{
    int64_t k = w->size[1], n = w->size[2];
    double high = -INFINITY, sum = 0;
    gmm(w);
    for (int64_t c = 0; c < k; c++)
        high = w->in[1][c] > high ? w->in[1][c] : high;
    for (int64_t c = 0; c < k; c++)
        sum += exp(w->in[1][c] - high);
    for (int64_t c = 0; c < k; c++)
        component_pulled(w, c, (double)n * exp(w->in[1][c] - high) / sum);
}

/* ---- lstm: sizes l, c, b ----------------------------------------------------------------------------------------- */
/* Four gates are lanes: forget, ingate, outgate, change, with tanh x = 2 sigmoid(2 x) - 1. */
enum { MOST_BITS = 32 };

void lstm_prepare(work *w)
{
    int64_t l = w->size[0], c = w->size[1], b = w->size[2];
    w->in[0] = uniform(2 * l * 4 * b, 0);
    w->in[1] = uniform(3 * b, 1);
    w->in[2] = uniform(2 * l * b, 2);
    w->in[3] = uniform(c * b, 3);
    for (int64_t i = 0; i < c * b; i++)
        w->in[3][i] = w->in[3][i] > 0.5;
    w->room[0] =
        reals((c + 1) * l * 7 * b); /* of a character and layer: gates [4, b], z, tanh z, h; first the start's */
    w->room[1] = reals(c * b);      /* cotangents of the last layer's h */
    w->room[2] = reals(2 * l * b);  /* cotangents of h and z */
    w->out = reals(w->n_out = 8 * l * b + 3 * b);
}

CLONES static void cell(int64_t b, const double *restrict weight, const double *restrict bias,
                        const double *restrict below, const double *restrict before, double *restrict now)
{
    double a[4 * MOST_BITS];
    for (int64_t i = 0; i < b; i++) {
        a[i] = -(below[i] * weight[i] + bias[i]);
        a[b + i] = -(before[6 * b + i] * weight[b + i] + bias[b + i]);
        a[2 * b + i] = -(below[i] * weight[2 * b + i] + bias[2 * b + i]);
        a[3 * b + i] = -2 * (before[6 * b + i] * weight[3 * b + i] + bias[3 * b + i]);
    }
    for (int64_t i = 0; i < 4 * b; i++)
        now[i] = 1 / (1 + exp(a[i]));
    for (int64_t i = 0; i < b; i++) {
        now[3 * b + i] = 2 * now[3 * b + i] - 1;
        now[4 * b + i] = before[4 * b + i] * now[i] + now[b + i] * now[3 * b + i];
    }
    for (int64_t i = 0; i < b; i++) {
        now[5 * b + i] = 2 / (1 + exp(-2 * now[4 * b + i])) - 1;
        now[6 * b + i] = now[2 * b + i] * now[5 * b + i];
    }
}

static double *cell_of(const work *w, int64_t t, int64_t layer) /* t = -1: the start */
{
    return w->room[0] + ((t + 1) * w->size[0] + layer) * 7 * w->size[2];
}

/* The loss, and its cotangents of h and the gradient of the extra parameters where g is given. */
static double lstm(work *w, double *g)
{
    int64_t l = w->size[0], c = w->size[1], b = w->size[2];
    const double *x = w->in[3], *extra = w->in[1];
    double loss = 0, in[MOST_BITS], y[MOST_BITS], by = -1 / (double)(b * (c - 1));
    for (int64_t k = 0; k < l; k++) {
        memcpy(cell_of(w, -1, k) + 6 * b, w->in[2] + 2 * k * b, (size_t)b * sizeof *x);
        memcpy(cell_of(w, -1, k) + 4 * b, w->in[2] + (2 * k + 1) * b, (size_t)b * sizeof *x);
    }
    for (int64_t t = 0; t < c - 1; t++) {
        for (int64_t i = 0; i < b; i++)
            in[i] = x[t * b + i] * extra[i];
        for (int64_t k = 0; k < l; k++)
            cell(b, w->in[0] + 8 * k * b, w->in[0] + (8 * k + 4) * b, k ? cell_of(w, t, k - 1) + 6 * b : in,
                 cell_of(w, t - 1, k), cell_of(w, t, k));
        const double *h = cell_of(w, t, l - 1) + 6 * b;
        double sum = 2, seen = 0;
        for (int64_t i = 0; i < b; i++) {
            y[i] = h[i] * extra[b + i] + extra[2 * b + i];
            loss += by * x[(t + 1) * b + i] * y[i];
            seen += x[(t + 1) * b + i];
        }
        for (int64_t i = 0; i < b; i++)
            sum += y[i] = exp(y[i]);
        loss -= by * seen * log(sum);
        for (int64_t i = 0; g && i < b; i++) {
            double gy = by * (x[(t + 1) * b + i] - seen * y[i] / sum);
            g[b + i] += gy * h[i];
            g[2 * b + i] += gy;
            w->room[1][t * b + i] = gy * extra[b + i];
        }
    }
    return loss;
}

void lstm_primal(work *w) { w->out[0] = lstm(w, NULL); }

/* gh, gz: of the cell's results; they become those of what it had before. gbelow: added. */
CLONES static void cell_pulled(int64_t b, const double *restrict weight, const double *restrict below,
                               const double *restrict before, const double *restrict now, double *restrict gh,
                               double *restrict gz, double *restrict gbelow, double *restrict gweight,
                               double *restrict gbias)
{
    for (int64_t i = 0; i < b; i++) {
        double f = now[i], in = now[b + i], out = now[2 * b + i], change = now[3 * b + i], tanh_z = now[5 * b + i];
        double z = gz[i] + gh[i] * out * (1 - tanh_z * tanh_z);
        double gf = z * before[4 * b + i] * f * (1 - f), gin = z * change * in * (1 - in);
        double gout = gh[i] * tanh_z * out * (1 - out), gchange = z * in * (1 - change * change);
        double h = before[6 * b + i], v = below[i];
        gbias[i] += gf;
        gbias[b + i] += gin;
        gbias[2 * b + i] += gout;
        gbias[3 * b + i] += gchange;
        gweight[i] += gf * v;
        gweight[b + i] += gin * h;
        gweight[2 * b + i] += gout * v;
        gweight[3 * b + i] += gchange * h;
        gbelow[i] += gf * weight[i] + gout * weight[2 * b + i];
        gh[i] = gin * weight[b + i] + gchange * weight[3 * b + i];
        gz[i] = z * f;
    }
}

void lstm_derivative(work *w)
{
    int64_t l = w->size[0], c = w->size[1], b = w->size[2];
    double *gextra = w->out + 8 * l * b, *gh = w->room[2], *gz = gh + l * b, in[MOST_BITS], gin[MOST_BITS];
    memset(w->out, 0, (size_t)w->n_out * sizeof *w->out);
    memset(gh, 0, (size_t)(2 * l * b) * sizeof *gh);
    lstm(w, gextra);
    for (int64_t t = c - 1; t-- > 0;) {
        for (int64_t i = 0; i < b; i++) {
            in[i] = w->in[3][t * b + i] * w->in[1][i];
            gh[(l - 1) * b + i] += w->room[1][t * b + i];
            gin[i] = 0;
        }
        for (int64_t k = l; k-- > 0;)
            cell_pulled(b, w->in[0] + 8 * k * b, k ? cell_of(w, t, k - 1) + 6 * b : in, cell_of(w, t - 1, k),
                        cell_of(w, t, k), gh + k * b, gz + k * b, k ? gh + (k - 1) * b : gin, w->out + 8 * k * b,
                        w->out + (8 * k + 4) * b);
        for (int64_t i = 0; i < b; i++)
            gextra[i] += gin[i] * w->in[3][t * b + i];
    }
}

/* ---- ba: sizes n, m, p ------------------------------------------------------------------------------------------- */
/* What the rotations need is computed once a camera; observations are lanes. */
enum { CAMERA = 11, POINT = 3, ROW = 15, ROTATION = 5, SHOWN = 30 };

void ba_prepare(work *w)
{
    static const double camera[CAMERA] = {0.25, -0.5, 0.125, -3, 2, 5, 400, 3, -2, 0.05, 0.002},
                        point[POINT] = {1.5, -0.5, 20};
    int64_t n = w->size[0], m = w->size[1], p = w->size[2];
    w->in[0] = reals(n * CAMERA);
    w->in[1] = reals(m * POINT);
    w->in[2] = reals(p);
    w->in[3] = reals(2 * p);
    w->index[0] = indices(p);
    w->index[1] = indices(p);
    w->room[0] = reals(n * ROTATION);
    w->room[1] = reals(2 * p); /* errors */
    w->room[2] = reals(p);     /* of the weights, or their slopes */
    w->room[3] = reals(2 * ROW * p);
    w->out = reals(w->n_out = 3 * (SHOWN + 1));
    for (int64_t i = 0; i < n * CAMERA; i++)
        w->in[0][i] = camera[i % CAMERA];
    for (int64_t i = 0; i < m * POINT; i++)
        w->in[1][i] = point[i % POINT];
    for (int64_t i = 0; i < p; i++) {
        w->in[2][i] = 0.75;
        w->in[3][2 * i] = 30;
        w->in[3][2 * i + 1] = -10;
        w->index[0][i] = i % n;
        w->index[1][i] = i % m;
    }
}

/* cos, sin/|r|, (1 - cos)/|r|^2, and the slopes of the last two by |r|, over |r|. */
static void rotations(work *w)
{
    for (int64_t i = 0; i < w->size[0]; i++) {
        const double *r = w->in[0] + i * CAMERA;
        double *to = w->room[0] + i * ROTATION, square = r[0] * r[0] + r[1] * r[1] + r[2] * r[2], angle = sqrt(square);
        double s = sin(0.5 * angle), c = cos(0.5 * angle);
        to[0] = 1 - 2 * s * s;
        to[1] = square > 0 ? 2 * s * c / angle : 1;
        to[2] = square > 0 ? 2 * s * s / square : 0.5;
        to[3] = square > 0 ? (to[0] - to[1]) / square : 0;
        to[4] = square > 0 ? (to[1] - 2 * to[2]) / square : 0;
    }
}

typedef struct {
    lanes camera[CAMERA], point[POINT], rotation[ROTATION], weight, u, v;
    lanes d[3], cross[3], along, a, b, s, length, e[2];
} observation;

CLONES static void seen(const work *w, int64_t first, observation *o)
{
    for (int i = 0; i < LANES; i++) {
        int64_t at = first + i < w->size[2] ? first + i : w->size[2] - 1;
        const double *camera = w->in[0] + w->index[0][at] * CAMERA, *point = w->in[1] + w->index[1][at] * POINT;
        const double *rotation = w->room[0] + w->index[0][at] * ROTATION;
        for (int k = 0; k < CAMERA; k++)
            o->camera[k][i] = camera[k];
        for (int k = 0; k < POINT; k++)
            o->point[k][i] = point[k];
        for (int k = 0; k < ROTATION; k++)
            o->rotation[k][i] = rotation[k];
        o->weight[i] = w->in[2][at];
        o->u[i] = w->in[3][2 * at];
        o->v[i] = w->in[3][2 * at + 1];
    }
    const lanes *r = o->camera, *t = o->rotation;
    lanes *d = o->d, *x = o->cross, y[3];
    for (int k = 0; k < 3; k++)
        d[k] = o->point[k] - o->camera[3 + k];
    for (int k = 0; k < 3; k++)
        x[k] = r[(k + 1) % 3] * d[(k + 2) % 3] - r[(k + 2) % 3] * d[(k + 1) % 3];
    o->along = r[0] * d[0] + r[1] * d[1] + r[2] * d[2];
    for (int k = 0; k < 3; k++)
        y[k] = t[0] * d[k] + t[1] * x[k] + t[2] * o->along * r[k];
    o->d[2] = d[2];
    o->a = y[0] / y[2];
    o->b = y[1] / y[2];
    o->length = 1 / y[2];
    o->s = o->a * o->a + o->b * o->b;
    lanes scale = 1 + o->s * (o->camera[9] + o->camera[10] * o->s);
    o->e[0] = o->camera[6] * scale * o->a + o->camera[7] - o->u;
    o->e[1] = o->camera[6] * scale * o->b + o->camera[8] - o->v;
}

void ba_primal(work *w)
{
    rotations(w);
    observation o;
    for (int64_t i = 0; i < w->size[2]; i += LANES) {
        seen(w, i, &o);
        for (int k = 0; k < LANES && i + k < w->size[2]; k++) {
            w->room[1][2 * (i + k)] = o.weight[k] * o.e[0][k];
            w->room[1][2 * (i + k) + 1] = o.weight[k] * o.e[1][k];
            w->room[2][i + k] = 1 - o.weight[k] * o.weight[k];
        }
    }
    memset(w->out, 0, (size_t)w->n_out * sizeof *w->out);
    w->out[0] = w->room[1][0];
    w->out[1] = w->room[1][1];
    w->out[2] = w->room[2][0];
    w->out[3] = 2 * (double)w->size[2]; /* how often they are repeated */
}

CLONES static void row_pulled(const observation *o, int which, lanes *row)
{
    const lanes *r = o->camera, *t = o->rotation, *d = o->d, *x = o->cross;
    lanes main = which ? o->b : o->a, f = o->camera[6], w = o->weight;
    lanes scale = 1 + o->s * (o->camera[9] + o->camera[10] * o->s),
          slope = 2 * (o->camera[9] + 2 * o->camera[10] * o->s);
    lanes ga = w * f * main * slope * o->a + (which ? 0 * f : w * f * scale);
    lanes gb = w * f * main * slope * o->b + (which ? w * f * scale : 0 * f);
    lanes g[3] = {ga * o->length, gb * o->length, -(ga * o->a + gb * o->b) * o->length};
    lanes gd = g[0] * d[0] + g[1] * d[1] + g[2] * d[2], gx = g[0] * x[0] + g[1] * x[1] + g[2] * x[2];
    lanes gr = g[0] * r[0] + g[1] * r[1] + g[2] * r[2];
    lanes common = -t[1] * gd + t[3] * gx + t[4] * o->along * gr;
    for (int k = 0; k < 3; k++) {
        lanes turn = d[(k + 1) % 3] * g[(k + 2) % 3] - d[(k + 2) % 3] * g[(k + 1) % 3]; /* d x g */
        lanes back = g[(k + 1) % 3] * r[(k + 2) % 3] - g[(k + 2) % 3] * r[(k + 1) % 3]; /* g x r */
        row[k] = r[k] * common + t[1] * turn + t[2] * (d[k] * gr + o->along * g[k]);
        row[11 + k] = t[0] * g[k] + t[1] * back + t[2] * gr * r[k];
        row[3 + k] = -row[11 + k];
    }
    row[6] = w * scale * main;
    row[7] = which ? 0 * f : w;
    row[8] = which ? w : 0 * f;
    row[9] = w * f * o->s * main;
    row[10] = row[9] * o->s;
    row[14] = o->e[which];
}

void ba_derivative(work *w)
{
    int64_t n = w->size[0], m = w->size[1], p = w->size[2];
    rotations(w);
    observation o;
    lanes row[2 * ROW];
    for (int64_t i = 0; i < p; i += LANES) {
        seen(w, i, &o);
        row_pulled(&o, 0, row);
        row_pulled(&o, 1, row + ROW);
        int64_t count = p - i < LANES ? p - i : LANES;
        for (int64_t k = 0; k < count; k++)
            for (int j = 0; j < 2 * ROW; j++)
                w->room[3][(i + k) * 2 * ROW + j] = row[j][k];
        for (int64_t k = 0; k < count; k++)
            w->room[2][i + k] = -2 * o.weight[k];
    }
    for (int i = 0; i < SHOWN; i++) { /* what the answer shows: of the values, and of the pattern */
        w->out[i] = w->room[3][i];
        w->out[SHOWN + 1 + i] = 15 * i;
        int at = i % ROW;
        w->out[2 * (SHOWN + 1) + i] = (double)(at < 11 ? at : at < 14 ? 11 * n + at - 11 : 11 * n + 3 * m);
    }
    w->out[SHOWN] = w->room[2][p - 1];
    w->out[2 * SHOWN + 1] = (double)(31 * p);
    w->out[3 * SHOWN + 2] = (double)(11 * n + 3 * m + p - 1);
}
