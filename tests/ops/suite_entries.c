/* Properties of entries alone: that they are complete; and the points of elementwise ones, where kinks and ties are. */
#include "suite.h"

#include <float.h>
#include <stdlib.h>

static bool says(const wg_op *op, char *why, const char *what)
{
    snprintf(why, SUITE_WHY, "%s: %s", op->name, what);
    return false;
}

/* ---- Complete ---------------------------------------------------------------------------------------------------- */
static bool takes_floats(const wg_op *op)
{
    for (int i = 0; i < WG_MAX_OPERANDS && op->in[i].name; i++)
        if (!(op->in[i].flags & (WG_INTEGER | WG_BOOLEAN | WG_NO_GRADIENT)))
            return true;
    return false;
}

static bool is_kernel_alone(const wg_op *op)
{
    bool chain_rule = op->map || op->linear || op->jvp;
    for (int i = 0; i < WG_MAX_OPERANDS; i++)
        chain_rule |= op->vjp[i] != NULL;
    return !chain_rule;
}

bool entry_is_complete(const wg_op *op, char *why)
{
    if (!op->name || !*op->name)
        return says(op, why, "no name");
    if (!op->doc || !*op->doc)
        return says(op, why, "no doc");
    if (op->hidden && (is_kernel_alone(op) || (op->options && !op->options->n)))
        return true; /* only its family can call it, and what calls it has samples */
    if (!op->samples[0])
        return says(op, why, "no sample");
    if (op->map && op->map->slope[0] && !op->kinks.n && !op->points.n && !op->hidden && op->in[0].name &&
        !op->in[1].name)
        return says(op, why, "an elementwise entry without points");
    if (op->output_gradient_free || !takes_floats(op))
        return true;
    for (int i = 0; i < WG_MAX_OPERANDS && op->in[i].name; i++)
        if (!(op->in[i].flags & (WG_INTEGER | WG_BOOLEAN | WG_NO_GRADIENT)) && !op->vjp[i] &&
            !(op->map && i < 3 && op->map->slope[i])) {
            snprintf(why, SUITE_WHY, "%s: no vjp for %s", op->name, op->in[i].name);
            return false;
        }
    return op->jvp || op->linear || op->map || says(op, why, "no jvp");
}

/* ---- Elementwise entries at their points ------------------------------------------------------------------------- */
/* One call of an elementwise entry on 0-d operands. */
typedef struct {
    const wg_op *op;
    wg_tape *tape;
    const void *options;
    double at[3];
    int n, which; /* operands; the one that moves */
} place;

static double value_at(double x, void *user)
{
    const place *p = user;
    wg_mark before = wg_tape_mark(p->tape);
    wg_tensor in[3], y = WG_NONE;
    for (int i = 0; i < p->n; i++)
        in[i] = wg_scalar(p->tape, i == p->which ? x : p->at[i]);
    wg_record_on(p->tape, p->op, p->options, in, p->n, &y, 1);
    double value = wg_is_tensor(y) ? wg_item(y) : (double)NAN;
    wg_clear_error(p->tape);
    wg_rewind(p->tape, before);
    return value;
}

/* The cotangent g of the result, pulled back to the operand that moves. */
static double slope_at(const place *p, double g, bool record)
{
    wg_mark before = wg_tape_mark(p->tape);
    wg_tensor in[3], y = WG_NONE, d;
    for (int i = 0; i < p->n; i++)
        in[i] = wg_scalar(p->tape, p->at[i]);
    wg_record_on(p->tape, p->op, p->options, in, p->n, &y, 1);
    wg_tensor cotangent = wg_scalar(p->tape, g);
    double slope = (double)NAN;
    if (!wg_vjp(&y, &cotangent, 1, &in[p->which], 1, &d, .create_graph = record))
        slope = wg_item(d);
    wg_clear_error(p->tape);
    wg_rewind(p->tape, before);
    return slope;
}

static double one_sided(place *p, double h)
{
    double x = p->at[p->which], y = value_at(x, p), d[3];
    for (int i = 0; i < 3; i++, h /= 2)
        d[i] = (value_at(x + h, p) - y) / h;
    double a = 2 * d[1] - d[0], b = 2 * d[2] - d[1];
    return (4 * b - a) / 3;
}

static bool differs(const place *p, char *why, double slope, double low, double high)
{
    int n = snprintf(why, SUITE_WHY, "%s at (", p->op->name);
    for (int i = 0; i < p->n; i++)
        n += snprintf(why + n, SUITE_WHY - (size_t)n, "%s%.17g", i ? ", " : "", p->at[i]);
    snprintf(why + n, SUITE_WHY - (size_t)n, "): slope by operand %d is %.12g, numeric %.12g to %.12g", p->which, slope,
             low, high);
    return false;
}

/* Where the function is finite around the point, its slope is the derivative, or lies between the one-sided ones. */
static bool slope_holds(place *p, char *why)
{
    double x = p->at[p->which], slope = slope_at(p, 1, false), error, step;
    double scale = 0.0625 * fmax(fabs(x), 0.01);
    double numeric = wg_ridders(value_at, p, x, scale, &error, &step);
    double size = fabs(value_at(x, p));
    if (!isfinite(numeric) || !isfinite(size) || fabs(x) > 0x1p52)
        return true; /* and past 2^52 there is nothing between two integers */
    error += 4 * DBL_EPSILON * (size + 1e-300) / step;
    if (fabs(slope - numeric) <= 32 * error + 1e-9 * fabs(slope))
        return true;
    double h = 1e-5 * fmax(fabs(x), 1e-3), low = one_sided(p, -h), high = one_sided(p, h);
    double slack = 1e-4 * (fabs(low) + fabs(high)) + 8 * DBL_EPSILON * size / h;
    if (!isfinite(low) || !isfinite(high) || fabs(low) + fabs(high) > 1e4)
        return true; /* a pole or a vertical tangent: the reference files know it */
    return (slope >= fmin(low, high) - slack && slope <= fmax(low, high) + slack) || differs(p, why, slope, low, high);
}

static bool zero_holds(place *p, char *why)
{
    for (int record = 0; record < 2; record++) {
        double slope = slope_at(p, 0, record);
        if (slope != 0)
            return differs(p, why, slope, 0, 0);
    }
    return true;
}

/* Every combination of the points as operands. */
static bool at_points(const wg_op *op, char *why, const wg_points *points, bool (*holds)(place *, char *))
{
    int n = wg_op_operands(op);
    if (!op->map || !op->map->slope[0] || op->output_gradient_free || !op->map->run[WG_FLOAT64] || op->surrogate)
        return true;
    for (int i = 0; i < n; i++)
        if (op->in[i].flags & (WG_INTEGER | WG_BOOLEAN))
            return true;
    wg_tape *tape = wg_tape_new();
    wg_sample sample = {0};
    bool fine = tape && !wg_sample_make(tape, op, op->samples[0], WG_FLOAT64, 1, &sample);
    int all = 1;
    for (int i = 0; i < n; i++)
        all *= points->n;
    for (int k = 0; k < all * n && fine; k++) {
        place p = {.op = op, .tape = tape, .options = op->options ? sample.options : NULL, .n = n, .which = k % n};
        for (int i = 0, rest = k / n; i < n; i++, rest /= points->n)
            p.at[i] = points->at[rest % points->n];
        if (op->map->slope[p.which])
            fine = holds(&p, why);
    }
    wg_tape_free(tape);
    return fine;
}

bool slopes_at_points(const wg_op *op, char *why) { return at_points(op, why, &op->points, slope_holds); }
bool slopes_at_kinks(const wg_op *op, char *why) { return at_points(op, why, &op->kinks, slope_holds); }

/* A zero cotangent stays zero where the slope is infinite or there is none. */
bool zeros_at_points(const wg_op *op, char *why)
{
    static const double bad[] = {0, -1, (double)INFINITY, -(double)INFINITY, (double)NAN, 1e308, -1e308};
    wg_points worst = {(int)COUNT(bad), bad};
    return at_points(op, why, &op->points, zero_holds) && at_points(op, why, &op->kinks, zero_holds) &&
           at_points(op, why, &worst, zero_holds);
}

/* ---- Rows long enough to be shared out --------------------------------------------------------------------------- */
#define LONG 50000

static bool long_row(const wg_op *op, int threads, double *value, double *slope)
{
    wg_tape *tape = wg_tape_new(.threads = threads);
    wg_sample sample;
    int n = wg_op_operands(op);
    wg_tensor in[3], y, d[3];
    bool fine = tape && !wg_sample_make(tape, op, op->samples[0], WG_FLOAT64, 1, &sample) && sample.n_in == n;
    for (int i = 0; i < n && fine; i++)
        fine = wg_is_tensor(
            in[i] = wg_contiguous(wg_tile(wg_flatten(sample.in[i]), WG_INTS(LONG / wg_size(sample.in[i])))));
    fine = fine && !wg_record_on(tape, op, op->options ? sample.options : NULL, in, n, &y, 1) && !wg_copy_out(y, value);
    if (fine && op->map->slope[0] && !wg_vjp(&y, &y, 1, in, n, d) && wg_is_tensor(d[0]))
        fine = !wg_copy_out(d[0], slope);
    wg_clear_error(tape);
    wg_tape_free(tape);
    return fine;
}

bool long_rows_on_threads(const wg_op *op, char *why)
{
    static const int threads[] = {2, 5};
    if (!op->map || !op->map->run[WG_FLOAT64] || op->map->to_bool || wg_op_operands(op) > 3)
        return true;
    for (int i = 0; i < wg_op_operands(op); i++)
        if (op->in[i].flags & (WG_INTEGER | WG_BOOLEAN))
            return true;
    double *one = calloc(4 * LONG, sizeof *one);
    bool fine = one && (!long_row(op, 1, one, one + LONG) || true);
    for (size_t i = 0; i < COUNT(threads) && fine; i++)
        fine = !long_row(op, threads[i], one + 2 * LONG, one + 3 * LONG) ||
               !memcmp(one, one + 2 * LONG, 2 * LONG * sizeof *one) || says(op, why, "other bits on several threads");
    free(one);
    return fine;
}
