/* The floors of `wengert bench gradbench`: GradBench's functions and their derivatives, derived and written by hand.
 * What can be known before the first run is prepared, as it is there. */
#include "gradbench.h"

double *reals(int64_t n)
{
    double *memory = aligned_alloc(64, ((size_t)n * sizeof *memory + 64) / 64 * 64);
    if (!memory) {
        fprintf(stderr, "floor_gradbench: no memory\n");
        exit(1);
    }
    memset(memory, 0, (size_t)n * sizeof *memory);
    return memory;
}

int64_t *indices(int64_t n) { return (int64_t *)(void *)reals(n); }

static double *numbers(int64_t n, uint64_t k, double scale, double shift)
{
    double *x = reals(n);
    for (int64_t i = 0; i < n; i++) {
        uint32_t h = (uint32_t)((uint64_t)i * UINT64_C(2654435761) + k * UINT64_C(2654435769));
        x[i] = (2 * (double)h / 4294967296.0 - 1) * scale + shift;
    }
    return x;
}

double *uniform(int64_t n, uint64_t k) { return numbers(n, k, 0.5, 0.5); }
double *spread(int64_t n, uint64_t k) { return numbers(n, k, 1.7, 0); }

/* ---- lse: size n ------------------------------------------------------------------------------------------------- */
void lse_prepare(work *w)
{
    w->in[0] = uniform(w->size[0], 0);
    w->out = reals(w->n_out = w->size[0]);
}

CLONES static double largest(const double *x, int64_t n)
{
    double lane[32];
    for (int j = 0; j < 32; j++)
        lane[j] = -INFINITY;
    int64_t i = 0;
    for (; i + 32 <= n; i += 32)
        for (int j = 0; j < 32; j++)
            lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    for (; i < n; i++)
        lane[0] = x[i] > lane[0] ? x[i] : lane[0];
    for (int j = 1; j < 32; j++)
        lane[0] = lane[j] > lane[0] ? lane[j] : lane[0];
    return lane[0];
}

/* The sum of exp(x - a); the terms in e where they are wanted. */
CLONES static double exponentials(const double *restrict x, double a, int64_t n, double *restrict e)
{
    double lane[8] = {0}, term[256];
    for (int64_t i = 0; i < n; i += 256) {
        int64_t m = n - i < 256 ? n - i : 256;
        double *restrict to = e ? e + i : term;
        for (int64_t j = 0; j < m; j++)
            to[j] = exp(x[i + j] - a);
        int64_t j = 0;
        for (; j + 8 <= m; j += 8)
            for (int k = 0; k < 8; k++)
                lane[k] += to[j + k];
        for (; j < m; j++)
            lane[0] += to[j];
    }
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

CLONES static void scale(double *x, double by, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= by;
}

void lse_primal(work *w)
{
    double a = largest(w->in[0], w->size[0]);
    w->out[0] = a + log(exponentials(w->in[0], a, w->size[0], NULL));
}

void lse_derivative(work *w)
{
    double a = largest(w->in[0], w->size[0]);
    double sum = exponentials(w->in[0], a, w->size[0], w->out);
    scale(w->out, 1 / sum, w->size[0]);
}

/* ---- llsq: sizes n, m -------------------------------------------------------------------------------------------- */
enum { LANES = 32 };

void llsq_prepare(work *w)
{
    int64_t n = w->size[0];
    w->in[0] = uniform(w->size[1], 0);
    w->in[1] = reals(n + LANES);
    for (int64_t i = 0; i < n; i++)
        w->in[1][i] = 2 * i == n - 1 ? 0 : -1 + 2 * (double)i / (double)(n - 1);
    w->room[0] = reals(w->size[1] * LANES);
    w->out = reals(w->n_out = w->size[1]);
}

static double sign(double t) { return (double)((t > 0) - (t < 0)); }

/* LANES points at a time: Horner's rule; then the powers again, into a sum a lane for each coefficient. */
CLONES static double llsq(const work *w, double *sum)
{
    const double *x = w->in[0];
    const int64_t n = w->size[0], m = w->size[1];
    double y = 0;
    for (int64_t first = 0; first < n; first += LANES) {
        double t[LANES], p[LANES] = {0};
        memcpy(t, w->in[1] + first, sizeof t);
        for (int64_t j = m; j-- > 0;)
            for (int k = 0; k < LANES; k++)
                p[k] = p[k] * t[k] + x[j];
        for (int k = 0; k < LANES; k++) {
            p[k] = first + k < n ? p[k] - sign(t[k]) : 0;
            y += p[k] * p[k];
        }
        for (int64_t j = 0; sum && j < m; j++)
            for (int k = 0; k < LANES; k++) {
                sum[j * LANES + k] += p[k];
                p[k] *= t[k];
            }
    }
    return 0.5 * y;
}

void llsq_primal(work *w) { w->out[0] = llsq(w, NULL); }

void llsq_derivative(work *w)
{
    memset(w->room[0], 0, (size_t)(w->size[1] * LANES) * sizeof(double));
    llsq(w, w->room[0]);
    for (int64_t j = 0; j < w->size[1]; j++) {
        w->out[j] = 0;
        for (int k = 0; k < LANES; k++)
            w->out[j] += w->room[0][j * LANES + k];
    }
}

/* ---- kmeans: sizes k, n, d --------------------------------------------------------------------------------------- */
void kmeans_prepare(work *w)
{
    int64_t k = w->size[0], n = w->size[1], d = w->size[2];
    w->in[0] = uniform(n * d, 0);
    w->in[1] = w->in[0] + (n - k) * d;
    w->room[0] = reals(d * k); /* centroids as lanes */
    w->room[1] = reals(k);
    w->room[2] = reals(k); /* how many points each has */
    w->out = reals(w->n_out = k * d);
}

/* The centroid nearest to p, the first of equal ones; its distance squared. */
CLONES static int64_t nearest(const double *p, const double *lane, int64_t k, int64_t d, double *restrict distance,
                              double *least)
{
    memset(distance, 0, (size_t)k * sizeof *distance);
    for (int64_t j = 0; j < d; j++)
        for (int64_t c = 0; c < k; c++) {
            double e = lane[j * k + c] - p[j];
            distance[c] += e * e;
        }
    double low = INFINITY;
    for (int64_t c = 0; c < k; c++)
        low = distance[c] < low ? distance[c] : low;
    int64_t at = 0;
    while (distance[at] != low)
        at++;
    *least = low;
    return at;
}

static double kmeans(work *w, double *sum, double *count)
{
    int64_t k = w->size[0], n = w->size[1], d = w->size[2];
    double cost = 0, least;
    for (int64_t c = 0; c < k; c++)
        for (int64_t j = 0; j < d; j++)
            w->room[0][j * k + c] = w->in[1][c * d + j];
    for (int64_t i = 0; i < n; i++) {
        const double *p = w->in[0] + i * d;
        int64_t at = nearest(p, w->room[0], k, d, w->room[1], &least);
        cost += least;
        for (int64_t j = 0; sum && j < d; j++)
            sum[at * d + j] += p[j];
        if (sum)
            count[at]++;
    }
    return cost;
}

void kmeans_primal(work *w) { w->out[0] = kmeans(w, NULL, NULL); }

void kmeans_derivative(work *w)
{
    memset(w->out, 0, (size_t)w->n_out * sizeof *w->out);
    memset(w->room[2], 0, (size_t)w->size[0] * sizeof(double));
    kmeans(w, w->out, w->room[2]);
    for (int64_t c = 0; c < w->size[0]; c++)
        for (int64_t j = 0; j < w->size[2]; j++)
            w->out[c * w->size[2] + j] = w->in[1][c * w->size[2] + j] - w->out[c * w->size[2] + j] / w->room[2][c];
}

/* ---- det: size l ------------------------------------------------------------------------------------------------- */
/* minor(S) = sum over S's columns of a sign, an element and a smaller minor: a list of all of them, S by S, in an order
 * in which the smaller come first. index 0: the element; 1: the smaller set; 2: where the set's begin; 3: the sets. */
void det_prepare(work *w)
{
    int64_t l = w->size[0], sets = (int64_t)1 << l, terms = l * sets / 2, at = 0;
    w->in[0] = uniform(l * l, 0);
    w->index[0] = indices(terms);
    w->index[1] = indices(terms);
    w->index[2] = indices(sets + 1);
    w->index[3] = indices(sets);
    w->room[0] = reals(terms); /* signs */
    w->room[1] = reals(sets);  /* minors */
    w->room[2] = reals(sets);  /* their cotangents */
    w->out = reals(w->n_out = l * l);
    int64_t done = 1;
    for (int64_t size = 1; size <= l; size++)
        for (int64_t set = 1; set < sets; set++) {
            if (__builtin_popcountll((unsigned long long)set) != size)
                continue;
            w->index[3][done] = set;
            w->index[2][done++] = at;
            double sign = 1;
            for (int64_t j = 0; j < l; j++)
                if (set >> j & 1) {
                    w->room[0][at] = sign;
                    w->index[0][at] = (l - size) * l + j;
                    w->index[1][at++] = set & ~((int64_t)1 << j);
                    sign = -sign;
                }
        }
    w->index[2][sets] = terms;
}

static void minors(work *w)
{
    int64_t sets = (int64_t)1 << w->size[0];
    double *minor = w->room[1];
    minor[0] = 1;
    for (int64_t s = 1; s < sets; s++) {
        double sum = 0;
        for (int64_t t = w->index[2][s]; t < w->index[2][s + 1]; t++)
            sum += w->room[0][t] * w->in[0][w->index[0][t]] * minor[w->index[1][t]];
        minor[w->index[3][s]] = sum;
    }
}

void det_primal(work *w)
{
    minors(w);
    w->out[0] = w->room[1][((int64_t)1 << w->size[0]) - 1];
}

void det_derivative(work *w)
{
    int64_t sets = (int64_t)1 << w->size[0];
    double *g = w->room[2];
    minors(w);
    memset(g, 0, (size_t)sets * sizeof *g);
    memset(w->out, 0, (size_t)w->n_out * sizeof *w->out);
    g[sets - 1] = 1;
    for (int64_t s = sets; s-- > 1;) {
        double of = g[w->index[3][s]];
        for (int64_t t = w->index[2][s]; t < w->index[2][s + 1]; t++) {
            double signed_g = of * w->room[0][t];
            w->out[w->index[0][t]] += signed_g * w->room[1][w->index[1][t]];
            g[w->index[1][t]] += signed_g * w->in[0][w->index[0][t]];
        }
    }
}

/* ---- ode: sizes n, s; n at most 4 s, so that the last element is reached ----------------------------------------- */
void ode_prepare(work *w)
{
    int64_t n = w->size[0], s = w->size[1];
    w->in[0] = uniform(n, 1);
    for (int i = 0; i < 6; i++)
        w->room[i] = reals(n + 1) + 1;         /* k1 to k4, two stages' y; y_(-1) = 1 stands before each y */
    w->room[6] = reals((s + 1) * (n + 1)) + 1; /* y at each step */
    for (int i = 7; i < 10; i++)
        w->room[i] = reals(n + 1) + 1;
    w->out = reals(w->n_out = n);
}

CLONES static void stage(int64_t n, const double *restrict x, const double *restrict y, double *restrict k)
{
    for (int64_t i = 0; i < n; i++)
        k[i] = x[i] * y[i - 1];
}

CLONES static void moved(int64_t n, const double *restrict y, double h, const double *restrict k, double *restrict to)
{
    to[-1] = 1;
    for (int64_t i = 0; i < n; i++)
        to[i] = y[i] + h * k[i];
}

CLONES static void stepped(int64_t n, const double *restrict y, double h, double *const *k, double *restrict to)
{
    to[-1] = 1;
    for (int64_t i = 0; i < n; i++)
        to[i] = y[i] + h / 6 * (k[0][i] + 2 * (k[1][i] + k[2][i]) + k[3][i]);
}

/* One step from y; the stages' y in room 4, 5 and, of the last, 9. */
static void step(work *w, int64_t n, double h, const double *y, double *to)
{
    stage(n, w->in[0], y, w->room[0]);
    moved(n, y, h / 2, w->room[0], w->room[4]);
    stage(n, w->in[0], w->room[4], w->room[1]);
    moved(n, y, h / 2, w->room[1], w->room[5]);
    stage(n, w->in[0], w->room[5], w->room[2]);
    moved(n, y, h, w->room[2], w->room[9]);
    stage(n, w->in[0], w->room[9], w->room[3]);
    if (to)
        stepped(n, y, h, w->room, to);
}

static int64_t reached(const work *w, int64_t step)
{
    return 4 * (step + 1) < w->size[0] ? 4 * (step + 1) : w->size[0];
}

void ode_primal(work *w)
{
    int64_t n = w->size[0], s = w->size[1];
    double *y = w->room[6];
    memset(y - 1, 0, (size_t)((s + 1) * (n + 1)) * sizeof *y);
    y[-1] = 1;
    for (int64_t i = 0; i < s; i++)
        step(w, reached(w, i), 2 / (double)s, y + i * (n + 1), y + (i + 1) * (n + 1));
    memcpy(w->out, y + s * (n + 1), (size_t)n * sizeof *y);
}

/* gx += gk y_(i-1); gy_(i-1) += gk x, where k = x y_(i-1). */
CLONES static void pulled(int64_t n, const double *restrict x, const double *restrict y, const double *restrict gk,
                          double *restrict gx, double *restrict gy)
{
    for (int64_t i = 0; i < n; i++) {
        gx[i] += gk[i] * y[i - 1];
        gy[i - 1] = gk[i] * x[i];
    }
    gy[n - 1] = 0;
}

CLONES static void pulled_on(int64_t n, double *restrict g, double first, const double *restrict gy, double by,
                             const double *restrict of, double *restrict gk)
{
    for (int64_t i = 0; i < n; i++) {
        gk[i] = first * of[i] + by * gy[i];
        g[i] += gy[i];
    }
}

void ode_derivative(work *w)
{
    int64_t n = w->size[0], s = w->size[1];
    double h = 2 / (double)s, *y = w->room[6], *g = w->room[7], *gk = w->room[8], *gy = w->room[0], *of = w->room[1];
    ode_primal(w);
    memset(w->out, 0, (size_t)n * sizeof(double));
    memset(g - 1, 0, (size_t)(n + 1) * sizeof(double));
    g[n - 1] = 1;
    for (int64_t i = s; i-- > 0;) {
        int64_t m = reached(w, i);
        const double *from = y + i * (n + 1);
        step(w, m, h, from, NULL);
        memcpy(of, g, (size_t)m * sizeof(double)); /* the cotangent of the step's result */
        for (int64_t j = 0; j < m; j++)
            gk[j] = h / 6 * of[j];
        pulled(m, w->in[0], w->room[9], gk, w->out, gy);
        pulled_on(m, g, h / 3, gy, h, of, gk);
        pulled(m, w->in[0], w->room[5], gk, w->out, gy);
        pulled_on(m, g, h / 3, gy, h / 2, of, gk);
        pulled(m, w->in[0], w->room[4], gk, w->out, gy);
        pulled_on(m, g, h / 6, gy, h / 2, of, gk);
        pulled(m, w->in[0], from, gk, w->out, gy);
        for (int64_t j = 0; j < m; j++)
            g[j] += gy[j];
    }
}

/* ---- Measuring --------------------------------------------------------------------------------------------------- */
typedef struct {
    const char *row;
    int64_t size[4];
    void (*prepare)(work *w);
    void (*primal)(work *w);
    void (*derivative)(work *w);
} evaluation;

static const evaluation evaluations[] = {
    {"lse 80000", {80000}, lse_prepare, lse_primal, lse_derivative},
    {"llsq 1024", {1024, 128}, llsq_prepare, llsq_primal, llsq_derivative},
    {"kmeans 100 1000 16", {100, 1000, 16}, kmeans_prepare, kmeans_primal, kmeans_derivative},
    {"det 9", {9}, det_prepare, det_primal, det_derivative},
    {"ode 100 100", {100, 100}, ode_prepare, ode_primal, ode_derivative},
    {"gmm 10 25 1000", {10, 25, 1000}, gmm_prepare, gmm_primal, gmm_derivative},
    {"lstm 2 1024 14", {2, 1024, 14}, lstm_prepare, lstm_primal, lstm_derivative},
    {"ba 49 776 4000", {49, 776, 4000}, ba_prepare, ba_primal, ba_derivative},
};

static void measured(const evaluation *e, work *w, const char *what, void (*run)(work *w), int64_t n_out, double budget)
{
    double best = INFINITY, sum = 0, until = seconds() + budget;
    for (int i = 0; i < 3 || seconds() < until; i++) {
        double start = seconds();
        run(w);
        double took = seconds() - start;
        best = took < best ? took : best;
    }
    for (int64_t i = 0; i < n_out; i++)
        sum += fabs(w->out[i]);
    printf("{\"bench\":\"gradbench\",\"impl\":\"floor\",\"mode\":\"hand\",\"row\":\"%s %s\",\"threads\":1,\"ms\":%.6g,"
           "\"checksum\":%.12g}\n",
           e->row, what, best * 1e3, sum);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    double budget = atof(option(argc, argv, "--budget", "0.2"));
    const char *rows = option(argc, argv, "--rows", "");
    for (size_t i = 0; i < sizeof evaluations / sizeof *evaluations; i++) {
        const evaluation *e = &evaluations[i];
        if (strncmp(e->row, rows, strlen(rows)))
            continue;
        work w = {0};
        memcpy(w.size, e->size, sizeof w.size);
        e->prepare(&w);
        bool vector = e->primal == ode_primal || e->primal == ba_primal;
        measured(e, &w, "primal", e->primal, vector ? w.n_out : 1, budget);
        measured(e, &w, "derivative", e->derivative, w.n_out, budget);
    }
    return 0;
}
