/* Reductions of the rows that carry one id, and counts of integers. Sums are added in doubles, in the order of the
 * rows. */
#include "ops/code.h"
#include "ops/index.h"
#include "wengert/elementwise.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

#define SEGMENTS(OP) OP(segment_sum) OP(segment_mean) OP(segment_max) OP(bincount)
WG_CONTENTS(SEGMENTS)

/* ---- What they share --------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t num_segments;
} wg_segments_options;
#define wg_segments_defaults .num_segments = WG_NO_INTEGER
#define SEGMENTS_SCHEMA WG_SCHEMA(wg_segments, WG_ATTR_REQUIRED(wg_segments, num_segments))
#define SEGMENTS_SAMPLES                                                                                               \
    {"[6,2] [6]:int64:0..3 num_segments=4", "[5] [5]:int32:0..1 num_segments=2", "[3,2,2] [3]:int64:1 num_segments=3", \
     "[0,2] [0]:int64 num_segments=2", "[3,0] [3]:int64:0..1 num_segments=2"}

static wg_status segments_type(wg_call *c)
{
    const wg_segments_options *o = c->options;
    const wg_type *x = &c->x[0], *ids = &c->x[1];
    if (o->num_segments < 0)
        return wg_fail(c, WG_ERROR_VALUE, "num_segments is %lld", (long long)o->num_segments);
    if (!x->rank || ids->rank != 1 || ids->dim[0] != x->dim[0])
        return wg_fail(c, WG_ERROR_SHAPE, "there is not one id in %s for each row of %s", wg_show(c, 1), wg_show(c, 0));
    c->y[0] = *x;
    c->y[0].dim[0] = o->num_segments;
    return WG_OK;
}

/* y[place[i], :] += x[i, :], with x of [n, inner] or absent: ones. */
static wg_status add_up(const wg_call *c, const int64_t *place, int64_t n, int64_t inner, const void *x, double *sum)
{
#define ADD(T)                                                                                                         \
    for (int64_t i = 0; i < n; i++)                                                                                    \
        for (int64_t j = 0; j < inner; j++)                                                                            \
            sum[place[i] * inner + j] += (double)((const T *)x)[i * inner + j]
    if (!x)
        for (int64_t i = 0; i < n; i++)
            sum[place[i]]++;
    else if (c->dtype == WG_FLOAT32)
        ADD(float);
    else
        ADD(double);
#undef ADD
    return WG_OK;
}

static double *zeroed(const wg_call *c, int64_t n)
{
    double *sum = wg_scratch(c, (size_t)n * sizeof *sum);
    if (sum)
        memset(sum, 0, (size_t)n * sizeof *sum);
    return sum;
}

static void store(const wg_type *type, const double *from, void *to)
{
    for (int64_t i = 0; i < wg_type_count(type); i++)
        if (type->dtype == WG_FLOAT32)
            ((float *)to)[i] = (float)from[i];
        else if (type->dtype == WG_FLOAT64)
            ((double *)to)[i] = from[i];
        else
            ((int64_t *)to)[i] = (int64_t)from[i];
}

/* Sums, divided by the counts if `mean`. */
static wg_status segments_added(const wg_call *c, bool mean)
{
    const wg_segments_options *o = c->options;
    int64_t inner = wg_lines_of(&c->x[0], 0).inner, n = c->x[0].dim[0];
    const int64_t *place = wg_places(c, 1, 0, o->num_segments, false);
    double *sum = place ? zeroed(c, o->num_segments * inner) : NULL, *count = sum ? zeroed(c, o->num_segments) : NULL;
    if (!count)
        return place ? WG_ERROR_MEMORY : WG_ERROR_INDEX;
    add_up(c, place, n, inner, c->from[0], sum);
    add_up(c, place, n, 1, NULL, count);
    for (int64_t i = 0; mean && i < o->num_segments; i++)
        for (int64_t j = 0; j < inner && count[i] > 0; j++)
            sum[i * inner + j] /= count[i];
    store(&c->y[0], sum, c->to[0]);
    return WG_OK;
}

/* A row for each id, from one for each segment. */
static wg_tensor for_rows(const wg_call *c, wg_tensor segments) { return wg_take(segments, c->in[1], 0); }

/* ---- segment_sum ------------------------------------------------------------------------------------------------- */
static wg_status segment_sum_run(const wg_call *c) { return segments_added(c, false); }
static wg_tensor segment_sum_dx(const wg_call *c, wg_tensor g) { return for_rows(c, g); }

static wg_status segments_c(const wg_call *c, wg_code *w, const char *first, const char *text)
{
    const wg_segments_options *o = c->options;
    wg_code_fill(w, "y", wg_type_count(&c->y[0]), first);
    wg_code_size(w, "segments", o->num_segments);
    wg_code_size(w, "rows", c->x[0].dim[0]);
    wg_code_size(w, "inner", wg_lines_of(&c->x[0], 0).inner);
    return wg_code_text(w, text);
}

static wg_status segment_sum_c(const wg_call *c, wg_code *w)
{
    return segments_c(c, w, "0", WG_C(for (int k = 0; k < rows; k++) {
        if (ids[k] < 0 || ids[k] >= segments) FAIL;
        for (int j = 0; j < inner; j++) y[ids[k] * inner + j] += x[k * inner + j];
    }));
}

WG_OP(segment_sum) = {
    .name = "segment_sum",
    .doc = "y[s] = the sum of the rows of x whose id is s; of none: 0",
    .in = {{"x", 0}, {"ids", WG_INTEGER}},
    .options = SEGMENTS_SCHEMA,
    .type = segments_type,
    .run = segment_sum_run,
    .c = segment_sum_c,
    .vjp = {segment_sum_dx},
    .linear = WG_JOINTLY,
    .saves = "ids",
    .samples = SEGMENTS_SAMPLES,
};
wg_tensor (wg_segment_sum)(wg_tensor x, wg_tensor ids, int64_t num_segments)
{
    return WG_RECORD(segment_sum, (&(wg_segments_options){num_segments}), x, ids);
}

/* ---- segment_mean ------------------------------------------------------------------------------------------------ */
static wg_status segment_mean_run(const wg_call *c) { return segments_added(c, true); }

/* Of rows of `rows`' type, how many share each one's segment. */
static wg_tensor companions(const wg_call *c, wg_tensor rows)
{
    const wg_segments_options *o = c->options;
    return for_rows(c, wg_segment_sum(rows, c->in[1], o->num_segments));
}

static wg_tensor segment_mean_dx(const wg_call *c, wg_tensor g)
{
    wg_shape shape = {.rank = c->x[0].rank, .dim = {c->x[0].dim[0], 1, 1, 1, 1, 1, 1, 1}};
    return wg_divide(for_rows(c, g), companions(c, wg_full(c->tape, c->dtype, shape, 1)));
}

static wg_status segment_mean_c(const wg_call *c, wg_code *w)
{
    return segments_c(c, w, "0", WG_C(
        for (int k = 0; k < rows; k++) {
            if (ids[k] < 0 || ids[k] >= segments) FAIL;
            for (int j = 0; j < inner; j++) y[ids[k] * inner + j] += x[k * inner + j];
        }
        for (int i = 0; i < segments; i++) {
            int n = 0;
            for (int k = 0; k < rows; k++) n += ids[k] == i;
            for (int j = 0; j < inner && n > 0; j++) y[i * inner + j] /= (T)n;
        }));
}

WG_OP(segment_mean) = {
    .name = "segment_mean",
    .doc = "y[s] = the mean of the rows of x whose id is s; of none: 0",
    .in = {{"x", 0}, {"ids", WG_INTEGER}},
    .options = SEGMENTS_SCHEMA,
    .type = segments_type,
    .run = segment_mean_run,
    .c = segment_mean_c,
    .vjp = {segment_mean_dx},
    .linear = WG_JOINTLY,
    .saves = "ids",
    .samples = SEGMENTS_SAMPLES,
};
wg_tensor (wg_segment_mean)(wg_tensor x, wg_tensor ids, int64_t num_segments)
{
    return WG_RECORD(segment_mean, (&(wg_segments_options){num_segments}), x, ids);
}

/* ---- segment_max ------------------------------------------------------------------------------------------------- */
static wg_status segment_max_run(const wg_call *c)
{
    const wg_segments_options *o = c->options;
    int64_t inner = wg_lines_of(&c->x[0], 0).inner, n = c->x[0].dim[0], size = wg_type_count(&c->y[0]);
    const int64_t *place = wg_places(c, 1, 0, o->num_segments, false);
    if (!place)
        return WG_ERROR_INDEX;
#define MOST(T)                                                                                                        \
    {                                                                                                                  \
        const T *x = c->from[0];                                                                                       \
        T *y = c->to[0];                                                                                               \
        for (int64_t i = 0; i < size; i++)                                                                             \
            y[i] = (T)-INFINITY;                                                                                       \
        for (int64_t i = 0; i < n * inner; i++) {                                                                      \
            T *most = &y[place[i / inner] * inner + i % inner];                                                        \
            *most = x[i] > *most || x[i] != x[i] ? x[i] : *most;                                                       \
        }                                                                                                              \
    }
    if (c->dtype == WG_FLOAT32)
        MOST(float)
    else
        MOST(double)
#undef MOST
    return WG_OK;
}

/* t where x is its segment's largest, divided by how many are. */
static wg_tensor shared_out(const wg_call *c, wg_tensor t)
{
    wg_tensor tied = wg_equal(c->in[0], for_rows(c, c->out[0]));
    return wg_where(tied, wg_divide(t, companions(c, wg_where(tied, wg_full(c->tape, c->dtype, WG_SCALAR, 1), 0))), 0);
}

static wg_tensor segment_max_dx(const wg_call *c, wg_tensor g) { return shared_out(c, for_rows(c, g)); }

static wg_tensor segment_max_jvp(const wg_call *c)
{
    const wg_segments_options *o = c->options;
    return wg_segment_sum(shared_out(c, c->t[0]), c->in[1], o->num_segments);
}

static wg_status segment_max_c(const wg_call *c, wg_code *w)
{
    return segments_c(c, w, "-INFINITY", WG_C(for (int k = 0; k < rows; k++) {
        if (ids[k] < 0 || ids[k] >= segments) FAIL;
        for (int j = 0; j < inner; j++) {
            const T v = x[k * inner + j];
            if (v > y[ids[k] * inner + j] || v != v) y[ids[k] * inner + j] = v;
        }
    }));
}

WG_OP(segment_max) = {
    .name = "segment_max",
    .doc = "y[s] = the largest in the rows of x whose id is s; of none: -inf. Equal ones share the gradient evenly",
    .in = {{"x", 0}, {"ids", WG_INTEGER}},
    .options = SEGMENTS_SCHEMA,
    .type = segments_type,
    .run = segment_max_run,
    .c = segment_max_c,
    .vjp = {segment_max_dx},
    .jvp = segment_max_jvp,
    .saves = "x ids y",
    .samples = {"[6,2] [6]:int64:0 num_segments=1", "[5] [5]:int32:0 num_segments=1", "[0,2] [0]:int64 num_segments=0",
                "[3,0] [3]:int64:0..1 num_segments=2"},
};
wg_tensor (wg_segment_max)(wg_tensor x, wg_tensor ids, int64_t num_segments)
{
    return WG_RECORD(segment_max, (&(wg_segments_options){num_segments}), x, ids);
}

/* ---- bincount ---------------------------------------------------------------------------------------------------- */
/* How many bins there are is known only from the largest value. */
static wg_status bincount_type(wg_call *c)
{
    const wg_type *x = &c->x[0];
    if (x->rank != 1)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not a vector", wg_show(c, 0));
    if (wg_given(c, 1) && (c->x[1].rank != 1 || c->x[1].dim[0] != x->dim[0]))
        return wg_fail(c, WG_ERROR_SHAPE, "there is not one weight in %s for each of %s", wg_show(c, 1), wg_show(c, 0));
    int64_t n = x->dim[0], largest = -1;
    void *values = wg_scratch(c, (size_t)n * sizeof(int64_t));
    wg_status status = values ? wg_copy_out(c->in[0], values) : WG_ERROR_MEMORY;
    for (int64_t i = 0; i < n && !status; i++) {
        int64_t value = x->dtype == WG_INT64 ? ((int64_t *)values)[i] : ((int32_t *)values)[i];
        if (value < 0)
            return wg_fail(c, WG_ERROR_INDEX, "%lld at [%lld] is negative", (long long)value, (long long)i);
        largest = value > largest ? value : largest;
    }
    c->y[0] = (wg_type){wg_given(c, 1) ? c->x[1].dtype : WG_INT64, 1, {largest < INT64_MAX ? largest + 1 : largest}};
    return status;
}

static wg_status bincount_run(const wg_call *c)
{
    const int64_t *place = wg_places(c, 0, 0, c->y[0].dim[0], false);
    double *sum = place ? zeroed(c, c->y[0].dim[0]) : NULL;
    if (!sum)
        return place ? WG_ERROR_MEMORY : WG_ERROR_INDEX;
    add_up(c, place, c->x[0].dim[0], 1, wg_given(c, 1) ? c->from[1] : NULL, sum);
    store(&c->y[0], sum, c->to[0]);
    return WG_OK;
}

static wg_tensor bincount_dweights(const wg_call *c, wg_tensor g) { return wg_take(g, c->in[0], 0); }

static wg_status bincount_c(const wg_call *c, wg_code *w)
{
    wg_code_fill(w, "y", c->y[0].dim[0], "0");
    wg_code_size(w, "size", c->y[0].dim[0]);
    wg_code_size(w, "n", c->x[0].dim[0]);
    return wg_code_text(w, wg_given(c, 1)
                               ? WG_C(for (int k = 0; k < n; k++) {
                                     if (x[k] < 0 || x[k] >= size) FAIL;
                                     y[x[k]] += weights[k];
                                 })
                               : WG_C(for (int k = 0; k < n; k++) {
                                     if (x[k] < 0 || x[k] >= size) FAIL;
                                     y[x[k]]++;
                                 }));
}

WG_OP(bincount) = {
    .name = "bincount",
    .doc = "y[k] = how often k occurs in x, as int64, or the sum of the weights where it does",
    .in = {{"x", WG_INTEGER}, {"weights", WG_OPTIONAL}},
    .type = bincount_type,
    .run = bincount_run,
    .c = bincount_c,
    .vjp = {NULL, bincount_dweights},
    .linear = WG_JOINTLY,
    .saves = "x",
    .samples = {"[6]:int64:0..4 [6]", "[5]:int32:0..2 -", "[5]:int32:0..2", "[0]:int64", "[0]:int64 [0]"},
};
wg_tensor (wg_bincount)(wg_tensor x, wg_tensor weights) { return WG_RECORD(bincount, NULL, x, weights); }

WG_FAMILY_OF(segments, "indexing", SEGMENTS)
