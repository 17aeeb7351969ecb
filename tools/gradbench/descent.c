/* The descent that particle and saddle have in common. What is decided is decided by values, as in any C program; only
 * the steps that were taken are on the tape. */
#include "gradbench.h"

#define ENOUGH 1e-5 /* gradient, or step, to stop at */
#define MOST 16     /* elements of x */

wg_tensor gradient_of(wg_tensor y, wg_tensor x, bool forward)
{
    wg_tensor g = WG_INVALID, slope[MOST];
    if (!forward) {
        wg_grad(y, &x, 1, &g, .create_graph = true);
        return g;
    }
    int n = (int)wg_size(x);
    for (int i = 0; i < n && n <= MOST; i++) {
        double one_hot[MOST] = {0};
        one_hot[i] = 1;
        wg_tensor t = wg_array(x.tape, WG_FLOAT64, wg_shape_of(x), one_hot);
        wg_jvp(&y, 1, &x, &t, 1, &slope[i]);
    }
    return wg_reshape(wg_stack(((wg_tensors){slope, n})), wg_shape_of(x));
}

typedef struct {
    wg_tensor x, value, gradient;
} point;

static point point_at(const objective *f, wg_tensor x)
{
    point p = {.x = x, .value = f->value(f->user, x)};
    p.gradient = gradient_of(p.value, x, f->forward);
    return p;
}

static double length_of(wg_tensor x)
{
    double sum = 0;
    for (int64_t i = 0; i < wg_size(x); i++)
        sum += wg_element(x, i) * wg_element(x, i);
    return sqrt(sum);
}

/* x as a leaf, and nothing else that came after the mark. */
static wg_tensor alone(wg_mark mark, wg_tensor x)
{
    double values[MOST] = {0};
    wg_shape shape = wg_shape_of(x);
    if (wg_size(x) <= MOST)
        wg_copy_out(x, values);
    wg_rewind(mark.tape, mark);
    return wg_array(mark.tape, WG_FLOAT64, shape, values);
}

wg_tensor descent(const objective *f, wg_tensor x, bool forgetting)
{
    wg_mark mark = wg_tape_mark(x.tape);
    point at = point_at(f, x);
    double rate = 1e-5;
    for (int taken = 0; !wg_failed(mark.tape) && length_of(at.gradient) > ENOUGH;) {
        if (taken == 10) {
            rate *= 2;
            taken = 0;
            continue;
        }
        wg_mark before = wg_tape_mark(mark.tape);
        wg_tensor step = wg_multiply(rate, at.gradient), next = wg_subtract(at.x, step);
        if (!(length_of(wg_subtract(at.x, next)) > ENOUGH))
            break;
        if (wg_item(f->value(f->user, next)) < wg_item(at.value)) {
            at = point_at(f, forgetting ? alone(mark, next) : next);
            taken++;
        } else {
            wg_rewind(mark.tape, before);
            rate /= 2;
            taken = 0;
        }
    }
    return forgetting ? alone(mark, at.x) : at.x;
}
