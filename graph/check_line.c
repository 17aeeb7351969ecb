/* The function along a line through its inputs, its outputs weighed by the cotangent, and the slope there: by Ridders'
 * method, or to one side. */
#include "graph/checking.h"

#define NOISE 4.0   /* ulp that an operation may be off */
#define ENOUGH 1e-9 /* a relative error that no float32 gradient can tell from none */

/* A copy of the input: its element set to t, or moved by t along the direction. */
wg_tensor wg_check_moved(const wg_check_line *l, double t)
{
    const wg_checking *k = l->k;
    wg_type type = wg_type_of(k->inputs[l->at]);
    wg_tensor copy = wg_leaf(k->tape, &type, NULL, 0, "wg_check_grad");
    if (!wg_is_tensor(copy) || (wg_copy_out)(k->inputs[l->at], wg_node_at(k->tape, copy.node)->data))
        return wg_invalid_on(k->tape);
    unsigned char *data = wg_node_at(k->tape, copy.node)->data;
    size_t size = wg_dtype_size(type.dtype);
    if (l->element >= 0) {
        wg_store_number(type.dtype, t, data + (size_t)l->element * size);
        return copy;
    }
    for (int64_t i = 0, n = wg_type_count(&type); i < n && t != 0; i++) {
        unsigned char *at = data + (size_t)i * size;
        wg_store_number(type.dtype, wg_load_number(type.dtype, at) + t * l->direction[i], at);
    }
    return copy;
}

/* The outputs weighed by the cotangent. */
double wg_check_weighed(wg_check_line *l, wg_tensor y)
{
    const wg_checking *k = l->k;
    if (!wg_is_tensor(y) || wg_size(y) != k->outputs)
        return (double)NAN;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < k->outputs; i++) {
        double part = k->weight[i] * (wg_element)(y, i);
        sum += part;
        squares += part * part;
    }
    if (isfinite(squares)) {
        l->value = fmax(l->value, sqrt(squares));
        l->rounding = fmax(l->rounding, NOISE * wg_check_eps(y) * sqrt(squares));
    }
    return sum;
}

/* NaN where the function is in error: a step away it may be outside its domain. */
double wg_check_along(double t, void *user)
{
    wg_check_line *l = user;
    const wg_checking *k = l->k;
    wg_mark before = wg_tape_mark(k->tape);
    wg_tensor inputs[WG_CHECK_INPUTS];
    memcpy(inputs, k->inputs, (size_t)k->n * sizeof *inputs);
    inputs[l->at] = wg_check_moved(l, t);
    k->tape->no_grad++;
    double value = wg_check_weighed(l, k->f(inputs, k->o->user));
    k->tape->no_grad--;
    wg_check_forgive(k->tape);
    wg_rewind(k->tape, before);
    return value;
}

/* Its derivative by Ridders' method. */
double wg_check_estimated(wg_check_line *l, double scale, double *error, double *step)
{
    double enough = l->k->single ? ENOUGH : 0;
    return wg_ridders_rounded(wg_check_along, l, l->start, scale, enough, &l->rounding, error, step);
}

/* The one-sided slope, to the side of h's sign: differences at h, h/2 and h/4, extrapolated. */
double wg_check_one_sided(wg_check_line *l, double h)
{
    double zero = wg_check_along(l->start, l), d[3];
    for (int i = 0; i < 3; i++, h /= 2) {
        volatile double moved_to = l->start + h; /* as it is stored */
        d[i] = (wg_check_along(moved_to, l) - zero) / (moved_to - l->start);
    }
    double e = 2 * d[1] - d[0], g = 2 * d[2] - d[1];
    return (4 * g - e) / 3;
}
