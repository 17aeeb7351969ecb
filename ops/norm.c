/* Layers that normalise: each says which elements make a row, and has the value and the rules of normalize.c. Batch
 * normalisation besides keeps running statistics, and outside of training is an affine map made of them. */
#include "core/tape.h"
#include "ops/normalize.h"

#include "wengert/elementwise.h"
#include "wengert/networks.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

#define NORMS(OP) OP(layer_norm) OP(rms_norm) OP(group_norm) OP(instance_norm) OP(batch_norm)
WG_CONTENTS(NORMS)

/* ---- What the norms share ---------------------------------------------------------------------------------------- */
/* y = n(x) weight + bias */
static wg_tensor affine_dx(const wg_call *c, const wg_normalized_options *o, wg_tensor g)
{
    return wg_norm_pull(g, c->in[0], wg_given(c, 1) ? c->in[1] : WG_NONE, o);
}

static wg_tensor affine_jvp(const wg_call *c, const wg_normalized_options *o)
{
    wg_tensor t = WG_NONE, weight = wg_given(c, 1) ? wg_weight_along(c->in[1], &c->x[0], o) : WG_NONE;
    if (!wg_is_none(c->t[0])) {
        t = wg_norm_pull(c->t[0], c->in[0], WG_NONE, o);
        t = wg_is_none(weight) ? t : wg_multiply(t, weight);
    }
    if (wg_given(c, 1) && !wg_is_none(c->t[1])) {
        wg_tensor term = wg_multiply(wg_normalized(c->in[0], o), wg_weight_along(c->t[1], &c->x[0], o));
        t = wg_is_none(t) ? term : wg_add(t, term);
    }
    if (wg_given(c, 2) && !wg_is_none(c->t[2])) {
        wg_tensor term = wg_weight_along(c->t[2], &c->x[0], o);
        t = wg_is_none(t) ? wg_broadcast_to(term, wg_type_shape(c->y)) : wg_add(t, term);
    }
    return t;
}

static wg_tensor affine_of(const wg_call *c, const wg_normalized_options *o, wg_tensor x)
{
    if (wg_given(c, 1))
        x = wg_multiply(x, wg_weight_along(c->in[1], &c->x[0], o));
    return wg_given(c, 2) ? wg_add(x, wg_weight_along(c->in[2], &c->x[0], o)) : x;
}

/* The cotangent of operand c->which where it came with the others. */
static wg_tensor came_with_others(const wg_call *c) { return c->shared ? c->shared[c->which] : WG_NONE; }

static wg_status affine_c(const wg_call *c, wg_code *w, const wg_normalized_options *o)
{
    wg_rows_c(w, &c->x[0], o);
    bool weight = wg_given(c, 1), bias = wg_given(c, 2);
    return wg_code_text(
        w,
        weight && bias ? TEXT_OF(WG_ROWS_BEGIN EACH_OF_ROW y[ROW_AT] =
                                     (T)(((double)x[ROW_AT] - mean) * scale) * weight[ROW_WEIGHT] + bias[ROW_WEIGHT];
                                 WG_ROWS_END)
        : weight       ? TEXT_OF(WG_ROWS_BEGIN EACH_OF_ROW y[ROW_AT] =
                                     (T)(((double)x[ROW_AT] - mean) * scale) * weight[ROW_WEIGHT];
                                 WG_ROWS_END)
        : bias
            ? TEXT_OF(WG_ROWS_BEGIN EACH_OF_ROW y[ROW_AT] = (T)(((double)x[ROW_AT] - mean) * scale) + bias[ROW_WEIGHT];
                      WG_ROWS_END)
            : TEXT_OF(WG_ROWS_BEGIN EACH_OF_ROW y[ROW_AT] = (T)(((double)x[ROW_AT] - mean) * scale); WG_ROWS_END));
}

/* The rules of a norm whose rows are `rows`, wg_normalized_options in terms of c and its options o. */
#define NORM_RULES(name, last, ...)                                                                                    \
    static wg_normalized_options name##_rows(const wg_call *c)                                                         \
    {                                                                                                                  \
        const wg_##name##_options *o = c->options;                                                                     \
        return (wg_normalized_options){__VA_ARGS__};                                                                   \
    }                                                                                                                  \
    static wg_status name##_type(wg_call *c)                                                                           \
    {                                                                                                                  \
        wg_normalized_options rows = name##_rows(c);                                                                   \
        c->y[0] = c->x[0];                                                                                             \
        return wg_normalized_fits(c, &rows, 1, last);                                                                  \
    }                                                                                                                  \
    static wg_status name##_run(const wg_call *c)                                                                      \
    {                                                                                                                  \
        wg_normalized_options rows = name##_rows(c);                                                                   \
        return wg_normalized_run(c, &rows, NULL, NULL);                                                                \
    }                                                                                                                  \
    static wg_status name##_c(const wg_call *c, wg_code *w)                                                            \
    {                                                                                                                  \
        wg_normalized_options rows = name##_rows(c);                                                                   \
        return affine_c(c, w, &rows);                                                                                  \
    }                                                                                                                  \
    static void name##_formula(const wg_call *c, wg_tensor *out)                                                       \
    {                                                                                                                  \
        wg_normalized_options rows = name##_rows(c);                                                                   \
        out[0] = affine_of(c, &rows, wg_normalized(c->in[0], &rows));                                                  \
    }                                                                                                                  \
    static void name##_share(const wg_call *c, wg_tensor *shared)                                                      \
    {                                                                                                                  \
        wg_normalized_options rows = name##_rows(c);                                                                   \
        if (c->g && wg_is_tensor(c->g[0]) && wg_given(c, 1))                                                           \
            wg_norm_pulls(c->g[0], c->in[0], c->in[1], &rows, shared);                                                 \
    }                                                                                                                  \
    static wg_tensor name##_dx(const wg_call *c, wg_tensor g)                                                          \
    {                                                                                                                  \
        wg_normalized_options rows = name##_rows(c);                                                                   \
        wg_tensor d = came_with_others(c);                                                                             \
        return wg_is_none(d) ? affine_dx(c, &rows, g) : d;                                                             \
    }                                                                                                                  \
    static wg_tensor name##_dweight(const wg_call *c, wg_tensor g)                                                     \
    {                                                                                                                  \
        wg_normalized_options rows = name##_rows(c);                                                                   \
        wg_tensor d = came_with_others(c);                                                                             \
        return wg_is_none(d) ? wg_norm_weight_pull(g, c->in[0], &rows) : d;                                            \
    }                                                                                                                  \
    static wg_tensor name##_jvp(const wg_call *c)                                                                      \
    {                                                                                                                  \
        wg_normalized_options rows = name##_rows(c);                                                                   \
        return affine_jvp(c, &rows);                                                                                   \
    }
#define NORM_BIAS_RULE(name)                                                                                           \
    static wg_tensor name##_dbias(const wg_call *c, wg_tensor g)                                                       \
    {                                                                                                                  \
        wg_normalized_options rows = name##_rows(c);                                                                   \
        wg_tensor d = came_with_others(c);                                                                             \
        return wg_is_none(d) ? wg_sum_to_weight(g, &rows) : d;                                                         \
    }
#define NORM(norm)                                                                                                     \
    .name = #norm, .type = norm##_type, .run = norm##_run, .c = norm##_c, .share = norm##_share, .jvp = norm##_jvp,    \
    .formula = norm##_formula, .saves = "x weight"

/* ---- layer_norm -------------------------------------------------------------------------------------------------- */
NORM_RULES(layer_norm, 2, .axis = o->axis, .centered = true, .eps = o->eps)
NORM_BIAS_RULE(layer_norm)
WG_OP(layer_norm) = {
    NORM(layer_norm),
    .doc = "y = weight (x - mean) / sqrt(var + eps) + bias, mean and biased variance over the trailing axes, "
           "or one axis",
    .source = "Ba, Kiros and Hinton 2016, eq. 4",
    .in = {{"x", 0}, {"weight", WG_OPTIONAL}, {"bias", WG_OPTIONAL}},
    .options = WG_SCHEMA(wg_layer_norm, WG_ATTR(wg_layer_norm, axis), WG_ATTR(wg_layer_norm, eps)),
    .vjp = {layer_norm_dx, layer_norm_dweight, layer_norm_dbias},
    .samples = {"[3,5] [5] [5]", "[2,3,4]", "[2,3,4] [3,4] [3,4] axis=[1,2]", "[2,4,3] [4] - axis=1",
                "[2,3] - [3] eps=0.1", "[0,3] [3] [3]"},
};
wg_tensor (wg_layer_norm)(wg_tensor x, wg_tensor weight, wg_tensor bias, wg_layer_norm_options options)
{
    return WG_RECORD(layer_norm, &options, x, weight, bias);
}

/* ---- rms_norm ---------------------------------------------------------------------------------------------------- */
NORM_RULES(rms_norm, 1, .axis = o->axis, .centered = false, .eps = o->eps)
WG_OP(rms_norm) = {
    NORM(rms_norm),
    .doc = "y = weight x / sqrt(mean(x^2) + eps), the mean over the trailing axes, or one axis",
    .source = "Zhang and Sennrich 2019, eq. 4",
    .in = {{"x", 0}, {"weight", WG_OPTIONAL}},
    .options = WG_SCHEMA(wg_rms_norm, WG_ATTR(wg_rms_norm, axis), WG_ATTR(wg_rms_norm, eps)),
    .vjp = {rms_norm_dx, rms_norm_dweight},
    .samples = {"[3,5] [5]", "[2,3,4]", "[2,3,4] [3,4] axis=[1,2]", "[2,4,3] [4] axis=1", "[0,3] [3]"},
};
wg_tensor (wg_rms_norm)(wg_tensor x, wg_tensor weight, wg_rms_norm_options options)
{
    return WG_RECORD(rms_norm, &options, x, weight);
}

/* ---- group_norm -------------------------------------------------------------------------------------------------- */
NORM_RULES(group_norm, 2, .groups = o->num_groups, .centered = true, .eps = o->eps)
NORM_BIAS_RULE(group_norm)
static wg_status group_norm_checked(wg_call *c)
{
    const wg_group_norm_options *o = c->options;
    if (o->num_groups < 1)
        return wg_fail(c, WG_ERROR_VALUE, "num_groups is %lld, not at least 1", (long long)o->num_groups);
    if (c->x[0].rank > 1 && !c->x[0].dim[1] && o->num_groups > 1)
        return wg_fail(c, WG_ERROR_SHAPE, "%lld groups of no channels", (long long)o->num_groups);
    return group_norm_type(c);
}
WG_OP(group_norm) = {
    NORM(group_norm),
    .doc = "y = weight (x - mean) / sqrt(var + eps) + bias, over each sample's groups of channels",
    .source = "Wu and He 2018, 3.1",
    .in = {{"x", 0}, {"weight", WG_OPTIONAL}, {"bias", WG_OPTIONAL}},
    .options = WG_SCHEMA(wg_group_norm, WG_ATTR_REQUIRED(wg_group_norm, num_groups), WG_ATTR(wg_group_norm, eps)),
    .type = group_norm_checked,
    .vjp = {group_norm_dx, group_norm_dweight, group_norm_dbias},
    .samples = {"[2,4,3] [4] [4] num_groups=2", "[2,4,2,2] num_groups=4", "[2,6] [6] [6] num_groups=2",
                "[2,3,4] - [3] num_groups=1", "[0,4,3] [4] [4] num_groups=2"},
};
wg_tensor (wg_group_norm)(wg_tensor x, wg_tensor weight, wg_tensor bias, wg_group_norm_options options)
{
    return WG_RECORD(group_norm, &options, x, weight, bias);
}

/* ---- instance_norm ----------------------------------------------------------------------------------------------- */
/* A group is one channel; of no channels, one group of none. */
NORM_RULES(instance_norm, 2, .groups = c->x[0].rank > 1 && c->x[0].dim[1] > 0 ? c->x[0].dim[1] : 1, .centered = true,
           .eps = o->eps)
NORM_BIAS_RULE(instance_norm)
WG_OP(instance_norm) = {
    NORM(instance_norm),
    .doc = "y = weight (x - mean) / sqrt(var + eps) + bias, over each channel of each sample",
    .source = "Ulyanov, Vedaldi and Lempitsky 2016, eq. 3",
    .in = {{"x", 0}, {"weight", WG_OPTIONAL}, {"bias", WG_OPTIONAL}},
    .options = WG_SCHEMA(wg_instance_norm, WG_ATTR(wg_instance_norm, eps)),
    .vjp = {instance_norm_dx, instance_norm_dweight, instance_norm_dbias},
    .samples = {"[2,3,4] [3] [3]", "[2,3,2,2]", "[2,3,4] [3] -", "[0,3,4] [3] [3]"},
};
wg_tensor (wg_instance_norm)(wg_tensor x, wg_tensor weight, wg_tensor bias, wg_instance_norm_options options)
{
    return WG_RECORD(instance_norm, &options, x, weight, bias);
}

/* ---- batch_norm -------------------------------------------------------------------------------------------------- */
NORM_RULES(batch_norm, 4, .groups = -1, .centered = true, .eps = o->eps)
NORM_BIAS_RULE(batch_norm)
static bool is_training(const wg_call *c) { return ((const wg_batch_norm_options *)c->options)->training; }

static wg_status batch_norm_checked(wg_call *c)
{
    wg_normalized_options rows = batch_norm_rows(c);
    wg_status status = batch_norm_type(c);
    if (status)
        return status;
    int64_t count = wg_normalized_count(&c->x[0], &rows);
    if (is_training(c) && count < 2 && c->x[0].dim[1] > 0)
        return wg_fail(c, WG_ERROR_VALUE, "%s has %lld value%s a channel; training takes more than one", wg_show(c, 0),
                       (long long)count, count == 1 ? "" : "s");
    c->y[1] = c->x[3];
    c->y[2] = c->x[4];
    return WG_OK;
}

/* The affine map, and what training leaves in the running statistics. */
static wg_status batch_norm_exported(const wg_call *c, wg_code *w)
{
    const wg_batch_norm_options *o = c->options;
    wg_normalized_options rows = batch_norm_rows(c);
    double n = (double)wg_normalized_count(&c->x[0], &rows);
    if (is_training(c)) {
        wg_status status = affine_c(c, w, &rows);
        wg_code_number(w, "momentum", o->momentum);
        wg_code_number(w, "unbiased", n / (n - 1));
        return status ? status : wg_code_text(w, TEXT_OF(WG_ROWS_BEGIN
            next_running_mean[i] = (T)((1 - momentum) * (double)running_mean[i] + momentum * mean);
            next_running_var[i] = (T)((1 - momentum) * (double)running_var[i] + momentum * var * unbiased);
            (void)scale; WG_ROWS_END));
    }
    wg_rows_c(w, &c->x[0], &rows);
    wg_code_text(w, TEXT_OF(for (int i = 0; i < rows; i++) {
        const double scale = 1 / sqrt_double((double)running_var[i] + eps);
        EACH_OF_ROW y[ROW_AT] = (T)(((double)x[ROW_AT] - (double)running_mean[i]) * scale);
    }));
    if (wg_given(c, 1))
        wg_code_text(w, TEXT_OF(for (int i = 0; i < rows; i++) EACH_OF_ROW y[ROW_AT] *= weight[ROW_WEIGHT];));
    if (wg_given(c, 2))
        wg_code_text(w, TEXT_OF(for (int i = 0; i < rows; i++) EACH_OF_ROW y[ROW_AT] += bias[ROW_WEIGHT];));
    return wg_code_text(w, WG_C(for (int i = 0; i < rows; i++) {
                            next_running_mean[i] = running_mean[i];
                            next_running_var[i] = running_var[i];
                        }));
}

static wg_status batch_norm_train(const wg_call *c)
{
    const wg_batch_norm_options *o = c->options;
    wg_normalized_options rows = batch_norm_rows(c);
    int64_t channels = c->x[0].dim[1];
    double n = (double)wg_normalized_count(&c->x[0], &rows);
    double *mean = wg_scratch(c, 2 * (size_t)channels * sizeof *mean), *var = mean + channels;
    if (!mean)
        return WG_ERROR_MEMORY;
    wg_status status = wg_normalized_run(c, &rows, mean, var);
    for (int64_t i = 0; i < channels && !status; i++) {
        size_t at = (size_t)i * wg_dtype_size(c->dtype);
        double old_mean = wg_load_number(c->dtype, (const char *)c->from[3] + at);
        double old_var = wg_load_number(c->dtype, (const char *)c->from[4] + at);
        double kept = 1 - o->momentum;
        wg_store_number(c->dtype, kept * old_mean + o->momentum * mean[i], (char *)c->to[1] + at);
        wg_store_number(c->dtype, kept * old_var + o->momentum * var[i] * n / (n - 1), (char *)c->to[2] + at);
    }
    return status;
}

/* With the running statistics: y = x scale + shift for each channel. */
static wg_status batch_norm_apply(const wg_call *c)
{
    const wg_batch_norm_options *o = c->options;
    const wg_type *x = &c->x[0];
    size_t size = wg_dtype_size(c->dtype);
    int64_t channels = x->dim[1], inner = 1;
    for (int i = 2; i < x->rank; i++)
        inner *= x->dim[i];
    for (int64_t run = 0; run < x->dim[0] * channels; run++) {
        size_t at = (size_t)(run % channels) * size;
        double mean = wg_load_number(c->dtype, (const char *)c->from[3] + at);
        double scale = 1 / sqrt(wg_load_number(c->dtype, (const char *)c->from[4] + at) + o->eps);
        scale *= wg_given(c, 1) ? wg_load_number(c->dtype, (const char *)c->from[1] + at) : 1;
        double bias = wg_given(c, 2) ? wg_load_number(c->dtype, (const char *)c->from[2] + at) : 0;
        if (c->dtype == WG_FLOAT32)
            for (int64_t i = run * inner; i < (run + 1) * inner; i++)
                ((float *)c->to[0])[i] = (float)(((double)((const float *)c->from[0])[i] - mean) * scale + bias);
        else
            for (int64_t i = run * inner; i < (run + 1) * inner; i++)
                ((double *)c->to[0])[i] = (((const double *)c->from[0])[i] - mean) * scale + bias;
    }
    memcpy(c->to[1], c->from[3], (size_t)channels * size);
    memcpy(c->to[2], c->from[4], (size_t)channels * size);
    return WG_OK;
}
static wg_status batch_norm_either(const wg_call *c)
{
    return is_training(c) ? batch_norm_train(c) : batch_norm_apply(c);
}

/* Outside of training: 1 / sqrt(running_var + eps), and the normalised x. */
static wg_tensor running_scale(const wg_call *c)
{
    wg_normalized_options rows = batch_norm_rows(c);
    return wg_weight_along(wg_rsqrt(wg_add(c->in[4], rows.eps)), &c->x[0], &rows);
}
static wg_tensor running_normalized(const wg_call *c)
{
    wg_normalized_options rows = batch_norm_rows(c);
    return wg_multiply(wg_subtract(c->in[0], wg_weight_along(c->in[3], &c->x[0], &rows)), running_scale(c));
}
static wg_tensor scaled(const wg_call *c, wg_tensor x)
{
    wg_normalized_options rows = batch_norm_rows(c);
    x = wg_multiply(x, running_scale(c));
    return wg_given(c, 1) ? wg_multiply(x, wg_weight_along(c->in[1], &c->x[0], &rows)) : x;
}

/* The running statistics have no gradient: without a cotangent of y there is none. */
static wg_tensor batch_norm_pull_x(const wg_call *c, wg_tensor g)
{
    if (wg_is_none(g))
        return WG_NONE;
    return is_training(c) ? batch_norm_dx(c, g) : scaled(c, g);
}
static wg_tensor batch_norm_pull_weight(const wg_call *c, wg_tensor g)
{
    wg_normalized_options rows = batch_norm_rows(c);
    if (wg_is_none(g))
        return WG_NONE;
    return is_training(c) ? batch_norm_dweight(c, g) : wg_sum_to_weight(wg_multiply(g, running_normalized(c)), &rows);
}
static wg_tensor batch_norm_pull_bias(const wg_call *c, wg_tensor g)
{
    return wg_is_none(g) ? WG_NONE : batch_norm_dbias(c, g);
}

static wg_tensor batch_norm_push(const wg_call *c)
{
    wg_normalized_options rows = batch_norm_rows(c);
    if (c->which > 0)
        return WG_NONE;
    if (is_training(c))
        return batch_norm_jvp(c);
    wg_tensor t = wg_is_none(c->t[0]) ? WG_NONE : scaled(c, c->t[0]);
    if (wg_given(c, 1) && !wg_is_none(c->t[1])) {
        wg_tensor term = wg_multiply(running_normalized(c), wg_weight_along(c->t[1], &c->x[0], &rows));
        t = wg_is_none(t) ? term : wg_add(t, term);
    }
    if (wg_given(c, 2) && !wg_is_none(c->t[2])) {
        wg_tensor term = wg_weight_along(c->t[2], &c->x[0], &rows);
        t = wg_is_none(t) ? wg_broadcast_to(term, wg_type_shape(c->y)) : wg_add(t, term);
    }
    return t;
}
static void batch_norm_either_formula(const wg_call *c, wg_tensor *out)
{
    wg_normalized_options rows = batch_norm_rows(c);
    if (is_training(c))
        batch_norm_formula(c, out);
    else
        out[0] = affine_of(c, &rows, running_normalized(c));
}
WG_OP(batch_norm) = {
    NORM(batch_norm),
    .doc = "y = weight (x - mean) / sqrt(var + eps) + bias, over each channel of all samples in training, else with "
           "the running statistics; their new values follow y",
    .source = "Ioffe and Szegedy 2015, algorithm 1",
    .in = {{"x", 0}, {"weight", WG_OPTIONAL}, {"bias", WG_OPTIONAL}, {"running_mean", WG_NO_GRADIENT},
           {"running_var", WG_NO_GRADIENT}},
    .out = {"y", "running_mean", "running_var"},
    .constant_outputs = 1u << 1 | 1u << 2,
    .options = WG_SCHEMA(wg_batch_norm, WG_ATTR_REQUIRED(wg_batch_norm, training), WG_ATTR(wg_batch_norm, momentum),
                         WG_ATTR(wg_batch_norm, eps)),
    .type = batch_norm_checked,
    .run = batch_norm_either,
    .c = batch_norm_exported,
    .vjp = {batch_norm_pull_x, batch_norm_pull_weight, batch_norm_pull_bias},
    .jvp = batch_norm_push,
    .formula = batch_norm_either_formula,
    .saves = "x weight running_mean running_var",
    .samples = {"[4,3] [3] [3] [3] [3]:0.5..2 training=true", "[3,2,4] [2] [2] [2] [2]:0.5..2 training=true",
                "[3,2,4] - - [2] [2]:0.5..2 training=true", "[3,2,4] [2] [2] [2] [2]:0.5..2 training=false",
                "[4,3] - [3] [3] [3]:0.5..2 training=false", "[0,3] [3] [3] [3] [3]:0.5..2 training=false"},
};
wg_batch_norm_result (wg_batch_norm)(wg_tensor x, wg_tensor weight, wg_tensor bias, wg_tensor running_mean,
                                     wg_tensor running_var, wg_batch_norm_options options)
{
    const wg_tensor in[] = {x, weight, bias, running_mean, running_var};
    wg_tensor out[3];
    wg_record_on(x.tape, &batch_norm_op, &options, in, 5, out, 3);
    return (wg_batch_norm_result){out[0], out[1], out[2]};
}

WG_FAMILY_OF(norms, "networks", NORMS)
