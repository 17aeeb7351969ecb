/* particle: how to move a charge so that a particle lands where it should. The field is a derivative itself, taken at
 * each step, and how many steps there are depends on where the particle is. */
#include "gradbench.h"

#define MOST_STEPS 1000000

typedef struct {
    bool outer, inner; /* forward? */
    double w;
} modes;

/* sum 1 / |x - charge| for charges [2, 2] */
static wg_tensor potential(wg_tensor x, wg_tensor charges)
{
    wg_tensor square = wg_sum(wg_square(wg_subtract(x, charges)), .axis = 1);
    return wg_sum(wg_rsqrt(square));
}

/* E^2, E where it lands, for the charges at (10, 10 - w) and (10, 0); w has one element. */
static wg_tensor landing(const void *user, wg_tensor w)
{
    const modes *m = user;
    const double h = 0.1, start[2] = {0, 8}, speed[2] = {0.75, 0};
    wg_tape *tape = w.tape;
    wg_tensor ten = wg_full(tape, WG_FLOAT64, WG_SHAPE(1), 10), zero = wg_full(tape, WG_FLOAT64, WG_SHAPE(1), 0);
    wg_tensor charges = wg_reshape(wg_concat(WG_TENSORS(ten, wg_subtract(10, w), ten, zero)), WG_SHAPE(2, 2));
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), start), v = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), speed);
    for (int i = 0; i < MOST_STEPS && !wg_failed(tape); i++) {
        wg_tensor slope = gradient_of(potential(x, charges), x, m->inner);
        x = wg_add(x, wg_multiply(h, v));
        if (wg_element(x, 1) <= 0) {
            wg_tensor left = wg_negative(wg_divide(wg_select(x, 0, 1), wg_select(v, 0, 1)));
            return wg_square(wg_add(wg_select(x, 0, 0), wg_multiply(left, wg_select(v, 0, 0))));
        }
        v = wg_subtract(v, wg_multiply(h, slope));
    }
    wg_report(tape, "gradbench", WG_ERROR_NUMERIC, "the particle does not land");
    return WG_INVALID;
}

static wg_status run(problem *p)
{
    modes *m = p->own;
    objective f = {landing, m, m->outer};
    wg_mark mark = wg_tape_mark(p->tape);
    m->w = wg_item(descent(&f, wg_reshape(p->x[0], WG_SHAPE(1)), true));
    wg_rewind(p->tape, mark);
    return wg_error_status(p->tape);
}

static void write(const problem *p, answer *a)
{
    wg_type one = {WG_FLOAT64, 0, {0}};
    write_reals(a, &one, &((const modes *)p->own)->w);
}

static void particle(problem *p, bool outer, bool inner)
{
    modes *m = p->own = room(p, sizeof *m);
    variable(p, "w", 0);
    if (m)
        *m = (modes){outer, inner, 0};
    p->run = run;
    p->write = write;
}

static void ff(problem *p) { particle(p, true, true); }
static void fr(problem *p) { particle(p, true, false); }
static void rf(problem *p) { particle(p, false, true); }
static void rr(problem *p) { particle(p, false, false); }

const evaluation particle_evaluations[] = {{"particle", "ff", ff, true},
                                           {"particle", "fr", fr, true},
                                           {"particle", "rf", rf, true},
                                           {"particle", "rr", rr, true},
                                           {0}};
