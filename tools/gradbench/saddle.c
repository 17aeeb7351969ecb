/* saddle: the least over x of the greatest over y of (x_0^2 + x_1^2) - (y_0^2 + y_1^2). The greatest is found by a
 * descent of its own, and its value is differentiated through that. */
#include "gradbench.h"

typedef struct {
    bool outer, inner; /* forward? */
    wg_tensor start, x;
    double at[4]; /* x and y of the saddle */
} saddle_point;

static wg_tensor height(wg_tensor x, wg_tensor y) { return wg_subtract(wg_sum(wg_square(x)), wg_sum(wg_square(y))); }

static wg_tensor depth_at(const void *user, wg_tensor y)
{
    const saddle_point *s = user;
    return wg_negative(height(s->x, y));
}

/* The y, from the start, where f(x, y) is greatest. */
static wg_tensor greatest(const saddle_point *s, wg_tensor x, bool forgetting)
{
    saddle_point along = *s;
    along.x = x;
    return descent(&(objective){depth_at, &along, s->inner}, s->start, forgetting);
}

static wg_tensor greatest_height(const void *user, wg_tensor x) { return height(x, greatest(user, x, false)); }

static wg_status run(problem *p)
{
    saddle_point *s = p->own;
    wg_mark mark = wg_tape_mark(p->tape);
    wg_tensor first =
        wg_stop_gradient(s->start); /* another tensor than that which y starts from: moving one is not moving both */
    wg_tensor x = descent(&(objective){greatest_height, s, s->outer}, first, true);
    wg_tensor y = greatest(s, x, true);
    if (!wg_failed(p->tape)) {
        wg_copy_out(x, s->at);
        wg_copy_out(y, s->at + 2);
    }
    wg_rewind(p->tape, mark);
    return wg_error_status(p->tape);
}

static void write(const problem *p, answer *a)
{
    wg_type four = {WG_FLOAT64, 1, {4}};
    write_reals(a, &four, ((const saddle_point *)p->own)->at);
}

static void saddle(problem *p, bool outer, bool inner)
{
    saddle_point *s = p->own = room(p, sizeof *s);
    wg_tensor start = variable(p, "start", 1);
    if (s)
        *s = (saddle_point){.outer = outer, .inner = inner, .start = start};
    if (wg_size(start) != 2)
        wg_report(p->tape, "gradbench", WG_ERROR_SHAPE, "\"start\" has %lld elements, not 2",
                  (long long)wg_size(start));
    p->run = run;
    p->write = write;
}

static void ff(problem *p) { saddle(p, true, true); }
static void fr(problem *p) { saddle(p, true, false); }
static void rf(problem *p) { saddle(p, false, true); }
static void rr(problem *p) { saddle(p, false, false); }

const evaluation saddle_evaluations[] = {{"saddle", "ff", ff, true},
                                         {"saddle", "fr", fr, true},
                                         {"saddle", "rf", rf, true},
                                         {"saddle", "rr", rr, true},
                                         {0}};
