/* Clipping of accumulated gradients, by their norm together or each element by itself. */
#include "core/tape.h"
#include "wengert/training.h"

/* A gradient's node; NULL where nothing is accumulated. */
static wg_node *gradient_node(wg_tensor param)
{
    if (!wg_has_grad(param))
        return NULL;
    return wg_node_at(param.tape, wg_node_at(param.tape, param.node)->extra->grad);
}

/* The largest magnitude; NaN where one is. */
static double largest(const wg_node *node, double most)
{
    int64_t n = wg_node_count(node);
    for (int64_t i = 0; i < n; i++) {
        double value = node->dtype == WG_FLOAT32 ? (double)fabsf(((const float *)node->data)[i])
                                                 : fabs(((const double *)node->data)[i]);
        most = value <= most ? most : value != value || most != most ? (double)NAN : value;
    }
    return most;
}

/* The sum of squares of the elements over `unit`, which is a power of two or 1. */
static double squares(const wg_node *node, double unit)
{
    double sum = 0;
    int64_t n = wg_node_count(node);
    for (int64_t i = 0; i < n; i++) {
        double value =
            node->dtype == WG_FLOAT32 ? (double)((const float *)node->data)[i] : ((const double *)node->data)[i];
        sum += value / unit * (value / unit);
    }
    return sum;
}

static void scale(const wg_node *node, double factor)
{
    int64_t n = wg_node_count(node);
    if (node->dtype == WG_FLOAT32)
        for (int64_t i = 0; i < n; i++)
            ((float *)node->data)[i] *= (float)factor;
    else
        for (int64_t i = 0; i < n; i++)
            ((double *)node->data)[i] *= factor;
}

/* Both functions take parameters of one tape. False, and the error reported, where they are not. */
static bool are_params(const char *name, const wg_tensor *params, int n)
{
    for (int i = 0; i < n; i++) {
        if (wg_is_param(params[i]) && params[i].tape == params[0].tape)
            continue;
        if (params[i].tape && !wg_is_invalid(params[i]))
            wg_report(params[i].tape, name, WG_ERROR_VALUE, "tensor %d of %d is not a parameter of one tape", i, n);
        return false;
    }
    return true;
}

double (wg_clip_grad_norm)(const wg_tensor *params, int n, double max_norm)
{
    if (n < 1 || !params || !are_params("wg_clip_grad_norm", params, n))
        return (double)NAN;
    if (!(max_norm > 0)) {
        wg_report(params[0].tape, "wg_clip_grad_norm", WG_ERROR_VALUE, "max_norm is %g", max_norm);
        return (double)NAN;
    }
    wg_forget_place(params[0].tape);
    double most = 0, sum = 0;
    for (int i = 0; i < n; i++)
        if (gradient_node(params[i]))
            most = largest(gradient_node(params[i]), most);
    if (most != most || isinf(most))
        return (double)NAN;
    double unit = most > 0 ? exp2(floor(log2(most))) : 1; /* so that no square overflows or vanishes */
    for (int i = 0; i < n; i++)
        if (gradient_node(params[i]))
            sum += squares(gradient_node(params[i]), unit);
    double norm = unit * sqrt(sum);
    for (int i = 0; i < n && norm > max_norm; i++)
        if (gradient_node(params[i]))
            scale(gradient_node(params[i]), max_norm / norm);
    return norm;
}

wg_status (wg_clip_grad_value)(const wg_tensor *params, int n, double limit)
{
    if (n < 1 || !params || !are_params("wg_clip_grad_value", params, n))
        return WG_ERROR_VALUE;
    if (!(limit >= 0))
        return wg_report(params[0].tape, "wg_clip_grad_value", WG_ERROR_VALUE, "the limit is %g", limit);
    wg_forget_place(params[0].tape);
    for (int i = 0; i < n; i++) {
        const wg_node *node = gradient_node(params[i]);
        int64_t count = node ? wg_node_count(node) : 0;
        for (int64_t k = 0; k < count; k++) {
            double value = wg_load_number((wg_dtype)node->dtype, (unsigned char *)node->data +
                                                                     (size_t)k * wg_dtype_size((wg_dtype)node->dtype));
            if (fabs(value) > limit)
                wg_store_number((wg_dtype)node->dtype, copysign(limit, value),
                                (unsigned char *)node->data + (size_t)k * wg_dtype_size((wg_dtype)node->dtype));
        }
    }
    return WG_OK;
}
