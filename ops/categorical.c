/* Categories. categorical looks a uniform number up in the running sums of exp(logits); gumbel_softmax is a softmax of
 * logits with Gumbel noise, whose derivative is that of the softmax with the same noise, drawn again. */
#include "ops/index.h"
#include "ops/noise.h"

#include "wengert/elementwise.h"
#include "wengert/map.h"
#include "wengert/random.h"
#include "wengert/reductions.h"
#include "wengert/softmax.h"

#define CATEGORIES(OP) OP(categorical) OP(gumbel_softmax)
WG_CONTENTS(CATEGORIES)

/* ---- categorical ------------------------------------------------------------------------------------------------- */
typedef struct {
    const wg_call *c;
    int64_t rows, classes, count; /* distributions, their categories, draws in all */
    uint64_t stream[2];
    double *sums; /* [rows, classes] */
} lookup;

static wg_status categorical_type(wg_call *c)
{
    const wg_categorical_options *o = c->options;
    const wg_type *x = &c->x[0];
    if (!x->rank || !x->dim[x->rank - 1])
        return wg_fail(c, WG_ERROR_SHAPE, "%s has no categories", wg_show(c, 0));
    if (o->dtype != WG_NO_DTYPE && o->dtype != x->dtype)
        return wg_fail(c, WG_ERROR_DTYPE, "%s is %s where dtype is %s", wg_show(c, 0), wg_dtype_name(x->dtype),
                       wg_dtype_name(o->dtype));
    if (o->shape.rank + x->rank - 1 > WG_MAX_RANK)
        return wg_fail(c, WG_ERROR_SHAPE, "%d dimensions", o->shape.rank + x->rank - 1);
    c->y[0] = wg_type_make(WG_INT64, o->shape);
    for (int i = 0; i < o->shape.rank; i++)
        if (o->shape.dim[i] < 0)
            return wg_fail(c, WG_ERROR_VALUE, "size %lld is negative", (long long)o->shape.dim[i]);
    for (int i = 0; i < x->rank - 1; i++)
        c->y[0].dim[c->y[0].rank++] = x->dim[i];
    c->y[1] = wg_stream_type();
    return WG_OK;
}

/* Running sums of exp(logit - the largest); NaN at the end of a row that is no distribution. */
static void sum_row(void *argument, int64_t row)
{
    const lookup *l = argument;
    size_t size = wg_dtype_size(l->c->dtype);
    const unsigned char *x = (const unsigned char *)l->c->from[0] + (size_t)(row * l->classes) * size;
    double *sums = l->sums + row * l->classes, most = -INFINITY, sum = 0;
    for (int64_t k = 0; k < l->classes; k++) {
        sums[k] = wg_load_number(l->c->dtype, x + (size_t)k * size);
        most = sums[k] > most ? sums[k] : most;
    }
    for (int64_t k = 0; k < l->classes; k++)
        sums[k] = sum += exp(sums[k] - most);
}

/* The first category whose running sum is above u times the whole: one of probability 0 never is. */
static int64_t category(const double *sums, int64_t classes, double u)
{
    int64_t low = 0, high = classes - 1;
    double at = u * sums[classes - 1];
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (sums[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    while (low > 0 && !(sums[low] > sums[low - 1])) /* u times the whole was rounded up to it */
        low--;
    return low;
}

/* Uniform numbers [first, first + WG_DRAWS) of a stream at a time, for draws that go up one by one. */
typedef struct {
    const uint64_t *stream;
    int64_t first; /* of what is in z; -1: nothing */
    double z[WG_DRAWS];
} window;

static double number_at(window *w, int64_t i)
{
    int64_t first = i / WG_DRAWS * WG_DRAWS;
    if (w->first != first) {
        wg_draw_noise(WG_NOISE_UNIFORM, w->stream, first, w->z);
        w->first = first;
    }
    return w->z[i - first];
}

static void look_up_piece(void *argument, int64_t piece)
{
    const lookup *l = argument;
    int64_t end = (piece + 1) * WG_PIECE < l->count ? (piece + 1) * WG_PIECE : l->count;
    int64_t *to = l->c->to[0];
    window w = {l->stream, -1, {0}};
    for (int64_t i = piece * WG_PIECE; i < end; i++)
        to[i] = category(l->sums + i % l->rows * l->classes, l->classes, number_at(&w, i));
}

static wg_status categorical_run(const wg_call *c)
{
    const wg_categorical_options *o = c->options;
    int64_t classes = c->x[0].dim[c->x[0].rank - 1];
    lookup l = {
        .c = c, .rows = wg_type_count(&c->x[0]) / classes, .classes = classes, .count = wg_type_count(&c->y[0])};
    l.sums = wg_scratch(c, (size_t)(l.rows * classes) * sizeof *l.sums);
    if (!l.sums)
        return WG_ERROR_MEMORY;
    wg_parallel(c->tape, l.rows, sum_row, &l);
    for (int64_t row = 0; row < l.rows; row++)
        if (!isfinite(l.sums[(row + 1) * classes - 1]))
            return wg_fail(c, WG_ERROR_VALUE, "the logits of row %lld are no distribution: NaN, inf or all -inf",
                           (long long)row);
    wg_stream_open(c->tape, o->seed, l.stream);
    wg_parallel(c->tape, wg_pieces(l.count), look_up_piece, &l);
    memcpy(c->to[1], l.stream, sizeof l.stream);
    return WG_OK;
}

static wg_status categorical_c(const wg_call *c, wg_code *w)
{
    int64_t classes = c->x[0].dim[c->x[0].rank - 1], rows = wg_type_count(&c->x[0]) / classes;
    wg_status status = wg_stream_c(c, w, ((const wg_categorical_options *)c->options)->seed);
    if (status)
        return status;
    wg_code_size(w, "classes", classes);
    wg_code_size(w, "rows", rows);
    wg_code_size(w, "count", wg_type_count(&c->y[0]));
    wg_code_room(w, "sums", WG_FLOAT64, rows * classes);
    wg_code_word(w, "ROW", rows > 1 ? "i % rows" : "0");
    status = wg_code_text(w, WG_C(
        for (int row = 0; row < rows; row++) {
            const T *from = logits + row * classes;
            T most = from[0];
            double sum = 0;
            for (int k = 1; k < classes; k++) most = from[k] > most ? from[k] : most;
            for (int k = 0; k < classes; k++) {
                sum += exp_double((double)from[k] - (double)most);
                sums[row * classes + k] = sum;
            }
            if (!isfinite(sum)) FAIL;
        }
        for (int i = 0; i < count; i++) {
            const double *of = sums + ROW * classes;
            const double at = noise_of(0, key, 0, i) * of[classes - 1];
            int low = 0; int high = classes - 1;
            while (low < high) {
                const int middle = low + (high - low) / 2;
                if (of[middle] > at) high = middle; else low = middle + 1;
            }
            while (low > 0 && !(of[low] > of[low - 1])) low--;
            y[i] = low;
        }));
    w->n_words = 0;
    return status;
}

WG_OP(categorical) = {
    .name = "categorical",
    .doc = "y = k with probability softmax(logits)[..., k]: of shape `shape` and logits' leading axes",
    .in = {{"logits", 0}},
    .saved = {"stream"},
    .options = WG_SCHEMA(wg_categorical, WG_ATTR(wg_categorical, shape), WG_ATTR(wg_categorical, seed),
                         WG_ATTR(wg_categorical, dtype)),
    .type = categorical_type,
    .run = categorical_run,
    .c = categorical_c,
    .samples = {"[5] shape=[3,4] seed=7", "[2,3] shape=[4] seed=7", "[2,3] seed=7", "[0,3] shape=[2] seed=7",
                "[1] seed=7"},
    .random = true,
    .output_gradient_free = true,
};
wg_tensor (wg_categorical)(wg_tensor logits, wg_categorical_options options)
{
    return WG_RECORD(categorical, &options, logits);
}

/* ---- gumbel_softmax ---------------------------------------------------------------------------------------------- */
typedef struct {
    const wg_call *c;
    double tau;
    bool hard;
    uint64_t stream[2];
    int64_t outer, n, inner, per_piece; /* rows of n, inner apart; rows a piece */
    double *noise;                      /* one an element */
    double *row;                        /* of n, one a piece */
} soften;

static wg_status gumbel_softmax_type(wg_call *c)
{
    const wg_gumbel_softmax_options *o = c->options;
    c->y[0] = c->x[0];
    c->y[1] = wg_stream_type();
    if (!(o->tau > 0))
        return wg_fail(c, WG_ERROR_VALUE, "tau is %g, not above 0", o->tau);
    return WG_OK;
}

/* exp((v - most) / tau) over their sum, or the first of the largest alone. */
static void soften_row(double *v, int64_t n, double tau, bool hard)
{
    int64_t first = 0;
    double sum = 0;
    for (int64_t k = 1; k < n; k++)
        if (v[k] > v[first] || (isnan(v[k]) && !isnan(v[first])))
            first = k;
    double most = v[first];
    for (int64_t k = 0; k < n; k++) {
        v[k] = hard ? k == first : exp((v[k] - most) / tau);
        sum += v[k];
    }
    for (int64_t k = 0; k < n; k++)
        v[k] /= sum;
}

/* All of it first: along an axis that is not the last, a row takes numbers from far apart. */
static void draw_piece(void *argument, int64_t piece)
{
    const soften *s = argument;
    int64_t count = s->outer * s->n * s->inner, end = (piece + 1) * WG_PIECE < count ? (piece + 1) * WG_PIECE : count;
    double z[WG_DRAWS];
    for (int64_t first = piece * WG_PIECE; first < end; first += WG_DRAWS) {
        wg_draw_noise(WG_NOISE_GUMBEL, s->stream, first, z);
        memcpy(s->noise + first, z, (size_t)(end - first < WG_DRAWS ? end - first : WG_DRAWS) * sizeof *z);
    }
}

static void soften_piece(void *argument, int64_t piece)
{
    const soften *s = argument;
    double *v = s->row + piece * s->n;
    int64_t rows = s->outer * s->inner, end = (piece + 1) * s->per_piece < rows ? (piece + 1) * s->per_piece : rows;
    size_t size = wg_dtype_size(s->c->dtype);
    for (int64_t row = piece * s->per_piece; row < end; row++) {
        int64_t at = row / s->inner * s->n * s->inner + row % s->inner;
        for (int64_t k = 0; k < s->n; k++) {
            int64_t i = at + k * s->inner;
            double z = s->noise[i];
            v[k] = wg_load_number(s->c->dtype, (const unsigned char *)s->c->from[0] + (size_t)i * size) +
                   (s->c->dtype == WG_FLOAT32 ? (double)(float)z : z);
        }
        soften_row(v, s->n, s->tau, s->hard);
        for (int64_t k = 0; k < s->n; k++)
            wg_store_number(s->c->dtype, v[k], (unsigned char *)s->c->to[0] + (size_t)(at + k * s->inner) * size);
    }
}

static wg_status gumbel_softmax_run(const wg_call *c)
{
    const wg_gumbel_softmax_options *o = c->options;
    const wg_type *x = &c->x[0];
    soften s = {.c = c, .tau = o->tau, .hard = o->hard, .outer = 1, .n = x->dim[o->axis], .inner = 1};
    for (int i = 0; i < x->rank; i++)
        if (i != o->axis)
            *(i < o->axis ? &s.outer : &s.inner) *= x->dim[i];
    s.per_piece = s.n > 0 && s.n < WG_PIECE ? WG_PIECE / s.n : 1;
    wg_stream_open(c->tape, o->seed, s.stream);
    memcpy(c->to[1], s.stream, sizeof s.stream);
    int64_t pieces = (s.outer * s.inner + s.per_piece - 1) / s.per_piece;
    int64_t count = s.outer * s.n * s.inner;
    s.noise = wg_scratch(c, (size_t)count * sizeof *s.noise);
    s.row = wg_scratch(c, (size_t)(pieces * s.n) * sizeof *s.row);
    if (!s.noise || !s.row)
        return WG_ERROR_MEMORY;
    wg_parallel(c->tape, wg_pieces(count), draw_piece, &s);
    if (s.n > 0)
        wg_parallel(c->tape, pieces, soften_piece, &s);
    return WG_OK;
}

static wg_status gumbel_softmax_c(const wg_call *c, wg_code *w)
{
    const wg_gumbel_softmax_options *o = c->options;
    wg_lines x = wg_lines_of(&c->x[0], o->axis);
    wg_status status = wg_stream_c(c, w, o->seed);
    if (status)
        return status;
    wg_code_size(w, "n", x.n);
    wg_code_size(w, "inner", x.inner);
    wg_code_size(w, "hard", o->hard);
    wg_code_number(w, "tau", o->tau);
    wg_code_room(w, "v", WG_FLOAT64, x.n);
    wg_code_for(w, "i", x.outer);
    wg_code_for(w, "j", x.inner);
    wg_code_text(w, WG_C(
        int first = 0;
        double sum = 0;
        for (int k = 0; k < n; k++) {
            const int at = (i * n + k) * inner + j;
            v[k] = (double)logits[at] + (double)(T)noise_of(4, key, 0, at);
            if (v[k] > v[first] || (isnan(v[k]) && !isnan(v[first]))) first = k;
        }
        const double most = v[first];
        for (int k = 0; k < n; k++) {
            v[k] = hard ? k == first : exp_double((v[k] - most) / tau);
            sum += v[k];
        }
        for (int k = 0; k < n; k++) y[(i * n + k) * inner + j] = (T)(v[k] / sum);));
    wg_code_end(w);
    wg_code_end(w);
    return w->status;
}

/* The soft draw, as graph code. */
static wg_tensor soft_draw(const wg_call *c)
{
    const wg_gumbel_softmax_options *o = c->options;
    wg_tensor noisy = wg_add(c->in[0], wg_noise_again(wg_saved(c, 0), WG_NOISE_GUMBEL, &c->y[0]));
    return wg_softmax(wg_divide(noisy, o->tau), .axis = o->axis);
}

/* Of y = softmax(v / tau): J = (diag(y) - y y') / tau, symmetric. */
static wg_tensor soft_pull(const wg_call *c, wg_tensor g)
{
    const wg_gumbel_softmax_options *o = c->options;
    wg_tensor y = soft_draw(c);
    wg_tensor mean = wg_sum(wg_multiply(g, y), .axis = WG_AXES(o->axis), .keepdims = true);
    return wg_divide(wg_multiply(y, wg_subtract(g, mean)), o->tau);
}
static wg_tensor gumbel_softmax_jvp(const wg_call *c) { return soft_pull(c, c->t[0]); }

static void gumbel_softmax_formula(const wg_call *c, wg_tensor *out)
{
    const wg_gumbel_softmax_options *o = c->options;
    wg_tensor noise = wg_stop_gradient(wg_noise_again(wg_saved(c, 0), WG_NOISE_GUMBEL, &c->y[0]));
    if (!o->hard)
        out[0] = wg_softmax(wg_divide(wg_add(c->in[0], noise), o->tau), .axis = o->axis);
}
WG_OP(gumbel_softmax) = {
    .name = "gumbel_softmax",
    .doc = "y = softmax((logits + z) / tau) along `axis`, z of a Gumbel distribution; hard: 1 at its largest, else 0",
    .source = "Jang et al. 2017; Maddison et al. 2017",
    .in = {{"logits", 0}},
    .saved = {"stream"},
    .options = WG_SCHEMA(wg_gumbel_softmax, WG_ATTR(wg_gumbel_softmax, tau), WG_ATTR(wg_gumbel_softmax, hard),
                         WG_ATTR(wg_gumbel_softmax, axis), WG_ATTR(wg_gumbel_softmax, seed)),
    .type = gumbel_softmax_type,
    .run = gumbel_softmax_run,
    .c = gumbel_softmax_c,
    .vjp = {soft_pull},
    .jvp = gumbel_softmax_jvp,
    .saves = "logits",
    .formula = gumbel_softmax_formula,
    .samples = {"[3,4] seed=7", "[3,4] axis=0 tau=0.5 seed=7", "[2,4,3] axis=1 tau=2 seed=7", "[0,3] seed=7",
                "[3,0] seed=7"},
    .random = true,
};
wg_tensor (wg_gumbel_softmax)(wg_tensor logits, wg_gumbel_softmax_options options)
{
    return WG_RECORD(gumbel_softmax, &options, logits);
}

WG_FAMILY_OF(categories, "random", CATEGORIES)
