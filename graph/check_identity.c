/* Derivatives against each other, which takes no numerical one: the forward derivative is the transpose of the backward
 * one, <u, J v> = <J' u, v>, and the second derivative is symmetric, <w, H v> = <v, H w>, along random v and w, to
 * rounding. Where there is no such derivative, that is said, and is no failure of the gradient. */
#include "graph/checking.h"

#include <float.h>

#include "wengert/derivatives.h"
#include "wengert/elementwise.h"
#include "wengert/reductions.h"

#define FIRST 1e-9    /* two ways to a first derivative, relatively */
#define SECOND 1e-6   /* to a second one, whose parts cancel */
#define SINGLE 1e5    /* both times this where float32 is among the numbers */
#define TRUST 16.0    /* how many times the gradient's noise a difference may be */
#define ROUNDING 64.0 /* ulp that the terms of the function may be off */
#define ROUGH 1e-2    /* noise above this part of the two sides tells nothing */

/* An inner product, and the sum of its terms' magnitudes. */
typedef struct {
    double sum, size;
} product;

static void add_term(product *p, double term)
{
    p->sum += term;
    p->size += fabs(term);
}

/* Over all inputs. */
static product product_of(const wg_checking *k, const wg_tensor *a, const wg_tensor *b)
{
    product p = {0};
    for (int at = 0; at < k->n; at++)
        for (int64_t i = 0, n = wg_size(a[at]); i < n; i++)
            add_term(&p, (wg_element)(a[at], i) * (wg_element)(b[at], i));
    return p;
}

static bool directions(const wg_checking *k, uint64_t stream, wg_tensor *v)
{
    for (int at = 0; at < k->n; at++) {
        wg_type type = wg_type_of(k->inputs[at]);
        v[at] = wg_leaf(k->tape, &type, NULL, 0, "wg_check_grad");
        if (!wg_is_tensor(v[at]))
            return false;
        unsigned char *to = wg_node_at(k->tape, v[at].node)->data;
        for (int64_t i = 0, n = wg_type_count(&type); i < n; i++, to += wg_dtype_size(type.dtype))
            wg_store_number(type.dtype, wg_check_random(k->seed, stream + (uint64_t)at, i), to);
    }
    return true;
}

/* What rounding can do. */
typedef struct {
    double loose; /* 1, or more where float32 is among the numbers */
    double value; /* the rounding of the function's terms */
    double steep; /* one over the length on which it changes: that of its inputs, or 1 */
} rounding;

static rounding rounding_of(const wg_checking *k, const wg_check_graph *graph)
{
    bool single = wg_type_of(graph->y).dtype == WG_FLOAT32;
    rounding r = {.steep = 1};
    for (int at = 0; at < k->n; at++) {
        double most = 0.1;
        single |= wg_type_of(k->inputs[at]).dtype == WG_FLOAT32;
        for (int64_t i = 0, n = wg_size(k->inputs[at]); i < n; i++)
            most = fmax(most, fabs((wg_element)(k->inputs[at], i)));
        r.steep += 8 / most;
    }
    for (int64_t i = 0; i < k->outputs; i++)
        r.value += fabs(k->weight[i] * (wg_element)(graph->y, i));
    r.loose = single ? SINGLE : 1;
    r.value *= ROUNDING * (single ? (double)FLT_EPSILON : DBL_EPSILON);
    return r;
}

static bool undecided(wg_check_identity *is, const wg_checking *k, const char *what)
{
    is->verdict = WG_CHECK_UNCHECKED;
    snprintf(is->reason, sizeof is->reason, "%s", k->tape->status ? wg_error(k->tape) : what);
    return wg_check_forgive(k->tape);
}

/* Equal to `close`, relatively? Where they only are within `noise`, and that is not small against them, nothing is
 * told. */
static void compared(wg_check_identity *is, product a, product b, double close, double noise)
{
    double off = fabs(a.sum - b.sum), size = a.size + b.size; /* NaN is not equal */
    is->left = a.sum;
    is->right = b.sum;
    is->verdict = off <= close * size              ? WG_CHECK_PASSED
                  : !(off <= noise + close * size) ? WG_CHECK_FAILED
                  : noise <= ROUGH * size          ? WG_CHECK_PASSED
                                                   : WG_CHECK_UNCHECKED;
    if (is->verdict == WG_CHECK_UNCHECKED)
        snprintf(is->reason, sizeof is->reason, "they are no larger than rounding");
}

/* <u, J v> by jvp, <J' u, v> from the gradient. */
static bool transpose(const wg_checking *k, const wg_check_graph *graph, const wg_tensor *grad, const rounding *r)
{
    wg_check_identity *is = &k->report->transpose;
    wg_tensor v[WG_CHECK_INPUTS], pushed;
    if (!directions(k, 4000, v) || (wg_jvp)(&graph->y, 1, graph->x, v, k->n, &pushed) || !wg_is_tensor(pushed))
        return undecided(is, k, "there is no forward derivative");
    product forward = {0}, backward = product_of(k, grad, v);
    double noise = r->value * r->steep;
    for (int64_t i = 0; i < k->outputs; i++)
        add_term(&forward, k->weight[i] * (wg_element)(pushed, i));
    for (int at = 0; at < k->n; at++)
        for (int64_t i = 0, n = wg_size(v[at]); i < n; i++)
            noise += TRUST * fabs(k->noise[at][i] * (wg_element)(v[at], i));
    if (!isfinite(backward.size))
        return undecided(is, k, "the gradient is not finite");
    compared(is, forward, backward, r->loose * FIRST, noise);
    return true;
}

/* Forward over reverse, or where that is not to be had, reverse over reverse. */
static bool multiplied(const wg_checking *k, const wg_check_graph *graph, wg_tensor y, const wg_tensor *v,
                       wg_tensor *hv)
{
    for (int reverse = 0; reverse < 2; reverse++)
        if (!(wg_hvp)(y, graph->x, v, k->n, hv, (wg_hvp_options){.reverse = reverse}))
            return true;
        else if (!reverse && !wg_check_forgive(k->tape))
            return false;
    return false;
}

/* <w, H v> and <v, H w>, H of <u, y>. */
static bool symmetry(const wg_checking *k, const wg_check_graph *graph, wg_tensor u, const wg_tensor *grad,
                     const rounding *r)
{
    wg_check_identity *is = &k->report->symmetry;
    wg_tensor v[WG_CHECK_INPUTS], w[WG_CHECK_INPUTS], hv[WG_CHECK_INPUTS], hw[WG_CHECK_INPUTS];
    wg_tensor sum = (wg_sum)((wg_multiply)(graph->y, u), (wg_sum_options){wg_sum_defaults});
    if (!directions(k, 4000, v) || !directions(k, 5000, w) || !multiplied(k, graph, sum, v, hv) ||
        !multiplied(k, graph, sum, w, hw))
        return undecided(is, k, "there is no second derivative");
    product a = product_of(k, w, hv), b = product_of(k, v, hw), first = product_of(k, grad, v);
    if (!isfinite(a.size) || !isfinite(b.size))
        return undecided(is, k, "the second derivative is not finite");
    double slopes = ROUNDING * DBL_EPSILON * r->loose * first.size;
    compared(is, a, b, fmin(r->loose * SECOND, ROUGH), (r->value * r->steep + slopes) * r->steep);
    return true;
}

bool wg_check_identities(const wg_checking *k, const wg_check_graph *graph, wg_tensor u, const wg_tensor *grad)
{
    wg_mark before = wg_tape_mark(k->tape);
    rounding r = rounding_of(k, graph);
    bool fine = transpose(k, graph, grad, &r) && symmetry(k, graph, u, grad, &r);
    wg_rewind(k->tape, before);
    return fine;
}
