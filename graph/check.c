/* The gradient check: analytic against numeric, element by element or direction by direction, and a verdict with a
 * reason. The numerical derivative is from a double-double replay of what was recorded, or else by Ridders' method:
 * then the function is evaluated unrecorded on perturbed copies of the inputs, and its outputs weighed by a random
 * cotangent in double precision, whatever their dtype. */
#include "graph/checking.h"

#include <float.h>
#include <stdlib.h>

#include "graph/traverse.h"
#include "wengert/elementwise.h"

#define TRUST 16.0   /* how many times the stated errors a difference may be */
#define ROUGH 1e-2   /* an estimate with a relative error above this confirms nothing */
#define CLEARLY 1e-9 /* a relative difference that no rounding of a gradient explains */
#define TYPICAL 1e-3 /* a float64 derivative smaller than this part of the largest need not be right in all digits */
#define MURMUR 256.0 /* ulp of the cotangent that a gradient's noise may be; more is wrong: float32 on the way */
#define NOTHING 1e-8 /* what counts as zero, in units of the function's value over the input's */
#define SOME 64      /* directions for an input that has more elements than that */
#define FEW 4        /* and of inputs of more than MANY together, where the evaluations are what a check costs */
#define MANY 65536
#define UNSEEN 1e-10 /* a derivative that changes no digit of the function, in the same units */

/* ---- Directions -------------------------------------------------------------------------------------------------- */
/* Random direction d: every element moves, by its own amount and sign. */
static void direction_draw(const wg_checking *k, int64_t d, double *direction, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        direction[i] = wg_check_random(k->seed, 1000 + (uint64_t)d, i);
}

static double largest(const double *v, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(v[i]));
    return most;
}

/* ---- The verdict ------------------------------------------------------------------------------------------------- */
typedef struct {
    double analytic, numeric, error, low, high, step;
    wg_verdict verdict;
    const char *reason;
    wg_oracle oracle;
    bool kink, stated; /* at a kink; held to the derivative that is stated there */
} finding;

/* Of the numbers of the gradient, which may be coarser than those that the function is evaluated in. */
static double gradient_eps(const wg_check_line *l)
{
    return l->k->single ? (double)FLT_EPSILON : wg_check_eps(l->k->inputs[l->at]);
}

static bool within(const wg_check_line *l, const finding *f, double eps, double typical)
{
    const wg_check_grad_options *o = l->k->o;
    double difference = fabs(f->analytic - f->numeric), own = eps * (fabs(f->analytic) + typical);
    if (o->rtol > 0 || o->atol > 0)
        return difference <= o->atol + o->rtol * fabs(f->numeric);
    if (f->numeric == 0 && f->error == 0 && fabs(f->analytic) <= eps)
        return true; /* it does not move at all, and the derivative is its rounding: det of a matrix of ones */
    if (l->k->single)
        own += fmin(l->noise, MURMUR * eps * (fabs(f->analytic) + l->largest));
    return difference <= TRUST * (f->error + own);
}

/* Near a kink: do the slopes to either side differ? *slack receives what they are good to. */
static bool is_kink(wg_check_line *l, finding *f, double scale, double *slack)
{
    double h = scale * sqrt(wg_check_eps(l->k->inputs[l->at]));
    f->low = wg_check_one_sided(l, -h);
    f->high = wg_check_one_sided(l, h);
    *slack = 1e-5 * (1e-3 + fabs(f->low) + fabs(f->high)) + TRUST * l->rounding / h;
    return fabs(f->high - f->low) > *slack;
}

static bool is_between(const finding *f, double slack)
{
    return f->analytic >= fmin(f->low, f->high) - slack && f->analytic <= fmax(f->low, f->high) + slack;
}

/* Does the estimate tell nothing? One of zero tells something when it is small against the function itself. */
static bool is_rough(const wg_check_line *l, const finding *f, double scale)
{
    if (f->error <= ROUGH * fmax(fmax(fabs(f->numeric), fabs(f->analytic)), l->typical))
        return false;
    double zero = fmax(TRUST * f->error, UNSEEN * l->value / scale);
    bool both_zero = fabs(f->analytic) <= zero && fabs(f->numeric) <= zero;
    return !both_zero || f->error > NOTHING * l->value / scale;
}

/* ---- At a kink --------------------------------------------------------------------------------------------------- */
/* The function along the derivatives that operations of the library state where they are at a kink; made when it is
 * first asked for. */
struct wg_check_stated {
    const wg_checking *of;
    const wg_check_graph *graph;
    bool is_tried, is_there;
    wg_check_wide wide;
    wg_check_grad_options o;
    wg_checking k;
};

/* The check of the function continued, by its user's options. */
static void continued_as(wg_checking *k, const wg_checking *of, wg_check_wide *wide, wg_check_grad_options *o)
{
    *k = *of;
    *o = *of->o;
    o->user = wide;
    k->o = o;
    k->f = wg_check_continued;
    k->inputs = wide->x;
    k->replay = NULL;
    k->stated = NULL;
    for (int i = 0; i < of->n; i++)
        k->single |= wg_type_of(of->inputs[i]).dtype == WG_FLOAT32;
}

/* NULL: none of its operations is at a kink, or one that is has no derivative of its own to go along. */
static const struct wg_check_stated *stated_of(const wg_checking *k)
{
    struct wg_check_stated *s = k->stated;
    if (!s)
        return NULL;
    if (!s->is_tried) {
        s->is_tried = true;
        s->is_there = wg_check_widen(&s->wide, s->of, s->graph, true) && s->wide.kinks;
        continued_as(&s->k, s->of, &s->wide, &s->o);
    }
    return s->is_there ? s : NULL;
}

/* Entries of the table can agree by accident: before the estimate refutes anything, others with other steps have to
 * agree. */
static void estimated_again(wg_check_line *l, finding *f, double scale)
{
    static const double other[] = {0.37, 0.11};
    for (int i = 0; i < 2; i++) {
        double error, step;
        double again = wg_check_estimated(l, other[i] * scale, &error, &step);
        if (isfinite(again))
            f->error = fmax(f->error, fabs(again - f->numeric));
    }
}

/* Holds the derivative to what is stated at the kinks. Where one is left that nothing is stated of, it has to be
 * between the slopes that are left; a single kink is stated to be between its own. */
static void settle(wg_check_line *l, finding *f, double scale)
{
    const struct wg_check_stated *s = stated_of(l->k);
    if (!s || (l->element >= 0 && s->wide.kinks == 1 && f->verdict != WG_CHECK_PASSED))
        return;
    wg_check_line smooth = *l;
    finding is = *f;
    double eps = gradient_eps(l), slack;
    smooth.k = &s->k;
    smooth.value = smooth.rounding = 0;
    is.oracle = WG_ORACLE_RIDDERS;
    is.numeric = wg_check_estimated(&smooth, scale, &is.error, &is.step);
    if (!isfinite(is.numeric))
        return;
    bool rough = is_rough(&smooth, &is, scale), fits = !rough && within(&smooth, &is, eps, l->typical);
    bool kink = !fits && is_kink(&smooth, &is, scale, &slack);
    if (kink)
        fits = is_between(&is, slack);
    else if (rough)
        return;
    if (!fits && !kink) {
        estimated_again(&smooth, &is, scale);
        fits = within(&smooth, &is, eps, l->typical);
    }
    is.kink = is.stated = true;
    is.verdict = fits ? WG_CHECK_PASSED : WG_CHECK_FAILED;
    is.reason = fits   ? "a kink: what its operation states there"
                : kink ? "a kink: it is not between the one-sided slopes"
                       : "a kink: it is not what its operation states there";
    *f = is;
}

/* ---- In double-double -------------------------------------------------------------------------------------------- */
static wg_dd replayed(const wg_check_line *l, double t)
{
    return wg_replay_run(l->k->replay, l->at, l->element, l->direction, t);
}

static double quotient(wg_dd difference, double h)
{
    wg_dd d = wg_dd_divide(difference, wg_dd_of(h));
    return d.hi + d.lo;
}

/* At h and h / 2, extrapolated; the one-sided slopes where a branch changes on the way. False: they are not numbers. */
static bool differenced(const wg_check_line *l, finding *f, double h, bool *kink)
{
    wg_replay *r = l->k->replay;
    wg_dd at[4]; /* at h / 2, -h / 2, h, -h */
    const double t[] = {h / 2, -h / 2, h, -h};
    *kink = false;
    wg_replay_unmoved(r);
    if (!isfinite(r->unmoved.hi))
        return false;
    for (int i = 0; i < 4; i++) {
        at[i] = replayed(l, t[i]);
        if (!isfinite(at[i].hi))
            return false;
        *kink |= r->branches != r->unmoved_branches;
    }
    double fine = quotient(wg_dd_subtract(at[0], at[1]), h), rough = quotient(wg_dd_subtract(at[2], at[3]), 2 * h);
    f->numeric = fine + (fine - rough) / 3;
    f->error = fabs(fine - rough) + WG_DD_EPS * 16 * r->steps * r->largest / h + DBL_EPSILON * fabs(fine);
    f->step = h / 2;
    f->low = f->high = 0;
    if (*kink) {
        f->low = quotient(wg_dd_subtract(r->unmoved, at[3]), h);
        f->high = quotient(wg_dd_subtract(at[2], r->unmoved), h);
    }
    return true;
}

/* Is what was recorded the function? Not if that takes values out of the graph, or decides by them what to record: a
 * step away, the two are compared. */
static bool is_recorded(wg_check_line *l, double t)
{
    wg_dd replay = replayed(l, t);
    double value = wg_check_along(l->start + t, l);
    return fabs(value - replay.hi) <= 64 * DBL_EPSILON * (1 + l->k->replay->steps) * l->k->replay->largest;
}

/* The same for all of input `at` at once, which spares its elements being looked at one by one. */
static void look_at_all(const wg_checking *k, int at, double *direction, double scale)
{
    wg_check_line l = {.k = k, .at = at, .element = -1, .direction = direction};
    direction_draw(k, 0, direction, wg_size(k->inputs[at]));
    k->replay->trusted[at] = is_recorded(&l, exp2(round(log2(scale)) - 8));
}

/* Is it decided by the function's double-double form? A difference that could be the gradient's own rounding is not. */
static bool decided(wg_check_line *l, finding *f, double scale)
{
    bool kink;
    const wg_replay *r = l->k->replay;
    if (!differenced(l, f, exp2(round(log2(scale)) - 30), &kink) ||
        !(r->trusted[l->at] || is_recorded(l, exp2(round(log2(scale)) - 4))))
        return false;
    double eps = gradient_eps(l), size = fabs(f->analytic) + l->largest, clear = l->k->single ? 0 : CLEARLY * size;
    double all = size + (l->k->single ? 0 : r->largest / scale); /* a continued function has its values exactly */
    double own = eps * (1 + r->steps) * all + fmin(l->noise, MURMUR * eps * (all + l->k->heaviest));
    f->oracle = WG_ORACLE_DOUBLE_DOUBLE;
    if (kink) {
        double slack = CLEARLY * (1e-3 + fabs(f->low) + fabs(f->high)) + (l->k->single ? TRUST * own : 0);
        bool fits = is_between(f, slack);
        f->verdict = fits ? WG_CHECK_PASSED : WG_CHECK_FAILED;
        f->reason = fits ? "a kink: between the one-sided slopes" : "a kink: it is not between the one-sided slopes";
        f->kink = true;
        settle(l, f, scale);
        return true;
    }
    double difference = fabs(f->analytic - f->numeric);
    if (l->k->o->rtol > 0 || l->k->o->atol > 0)
        f->verdict = within(l, f, 0, 0) ? WG_CHECK_PASSED : WG_CHECK_FAILED;
    else if (f->error > fmax(clear, own))
        return false;
    else if (difference <= TRUST * (f->error + own))
        f->verdict = WG_CHECK_PASSED;
    else if (difference > clear)
        f->verdict = WG_CHECK_FAILED;
    else
        return false;
    f->reason = f->verdict ? "the two differ by more than their errors" : "";
    return true;
}

/* Is it confirmed by a complex step? Where that differs, there may be a kink: it refutes nothing. */
static bool confirmed(wg_check_line *l, finding *f, double scale)
{
    wg_replay *r = l->k->replay;
    double size, t = exp2(round(log2(scale)) - 4), eps = gradient_eps(l) * (1 + r->steps);
    wg_dd at = wg_replay_complex(r, l->at, l->element, l->direction, t, &size);
    if (!isfinite(at.lo) || fabs(wg_check_along(l->start + t, l) - at.hi) > 64 * eps * r->largest)
        return false;
    at = wg_replay_complex(r, l->at, l->element, l->direction, 0, &size);
    f->numeric = at.lo;
    f->error = eps * (size + l->largest);
    f->step = 1e-30;
    f->low = f->high = 0;
    f->oracle = WG_ORACLE_COMPLEX_STEP;
    f->verdict = WG_CHECK_PASSED;
    f->reason = "";
    return isfinite(at.lo) && within(l, f, 0, 0);
}

/* ---- Each of them ------------------------------------------------------------------------------------------------ */
/* `spread`: the sum of |derivative times input| along the line, whose rounding moves the function too. */
static void judge(wg_check_line *l, finding *f, double scale, double spread)
{
    double eps = gradient_eps(l), slack;
    f->verdict = WG_CHECK_FAILED;
    if (!isfinite(f->analytic)) {
        f->reason = "the derivative is not finite";
        return;
    }
    if (l->k->replay && (decided(l, f, scale) || confirmed(l, f, scale)))
        return;
    f->low = f->high = 0;
    f->verdict = WG_CHECK_FAILED;
    if (l->element < 0 && l->k->stated && l->k->stated->is_there)
        settle(l, f, scale); /* an earlier direction met a kink, and so does this one */
    if (f->stated)
        return;
    f->oracle = WG_ORACLE_RIDDERS;
    l->rounding = wg_check_eps(l->k->inputs[l->at]) * spread;
    f->numeric = wg_check_estimated(l, scale, &f->error, &f->step);
    if (!isfinite(f->numeric)) {
        f->verdict = WG_CHECK_UNCHECKED;
        f->reason = "the function is not finite around this point";
        return;
    }
    f->error += l->rounding / f->step;
    bool rough = is_rough(l, f, scale);
    if (!rough && !within(l, f, eps, l->typical)) {
        estimated_again(l, f, scale);
        rough = is_rough(l, f, scale);
    }
    if (!rough && within(l, f, eps, l->typical)) {
        f->verdict = WG_CHECK_PASSED;
        f->reason = "";
        return;
    }
    f->kink = is_kink(l, f, scale, &slack);
    bool fits = f->kink && is_between(f, slack);
    f->verdict = fits ? WG_CHECK_PASSED : rough ? WG_CHECK_UNCHECKED : WG_CHECK_FAILED;
    f->reason = fits    ? "a kink: between the one-sided slopes"
                : rough ? "the numerical derivative is rougher than what it should confirm"
                        : "the two differ by more than their errors";
    if (f->kink || l->element < 0)
        settle(l, f, scale);
}

static double badness(const finding *f)
{
    double class = f->verdict == WG_CHECK_FAILED ? 2e9 : f->verdict == WG_CHECK_UNCHECKED ? 1e9 : 0;
    double off = fabs(f->analytic - f->numeric) / (fabs(f->numeric) + fabs(f->analytic) + 1e-300);
    return class + (off == off ? fmin(off, 1e8) : 1e8);
}

static void note(wg_check_input *in, const finding *f, int64_t element, double *worst)
{
    in->checked++;
    in->wrong += f->verdict != WG_CHECK_PASSED;
    in->precise += f->verdict == WG_CHECK_PASSED && f->oracle == WG_ORACLE_DOUBLE_DOUBLE;
    in->stepped += f->verdict == WG_CHECK_PASSED && f->oracle == WG_ORACLE_COMPLEX_STEP;
    in->kinks += f->kink;
    in->stated += f->stated;
    double bad = badness(f);
    if (in->checked > 1 && bad <= *worst)
        return;
    *worst = bad;
    in->element = element;
    in->analytic = f->analytic;
    in->numeric = f->numeric;
    in->error = f->error;
    in->low = f->low;
    in->high = f->high;
    in->step = f->step;
    in->oracle = f->oracle;
    in->verdict = f->verdict;
    snprintf(in->reason, sizeof in->reason, "%s", f->reason);
}

/* ---- One input --------------------------------------------------------------------------------------------------- */
/* A derivative smaller than this part of the largest need not be confirmed in all its digits. */
static double typical_part(const wg_checking *k, int at)
{
    return k->single || wg_type_of(k->inputs[at]).dtype == WG_FLOAT32 ? 0.1 : TYPICAL;
}

static bool alike(double a, double b) { return fabs(a - b) <= 1e-6 * (fabs(a) + fabs(b)) + 1e-12; }

/* Do the derivatives lie in the places of the transposed matrix? */
static bool is_transposed(const wg_shape *shape, const double *analytic, const double *numeric)
{
    if (shape->rank != 2)
        return false;
    int64_t rows = shape->dim[0], columns = shape->dim[1];
    for (int64_t i = 0; i < rows * columns; i++)
        if (!alike(analytic[i], numeric[i % rows * columns + i / rows]))
            return false;
    return rows > 1 && columns > 1;
}

/* What do all elements have in common, when some are wrong? */
static void look_for_hint(wg_check_input *in, const double *analytic, const double *numeric, int64_t n)
{
    double ratio = (double)NAN;
    bool same_ratio = true, zeros = false;
    int64_t wrong = 0;
    for (int64_t i = 0; i < n; i++) {
        wrong += !alike(analytic[i], numeric[i]);
        zeros |= analytic[i] == 0 && !alike(0, numeric[i]);
        if (fabs(numeric[i]) > 1e-9) {
            ratio = isnan(ratio) ? analytic[i] / numeric[i] : ratio;
            same_ratio = same_ratio && alike(analytic[i], ratio * numeric[i]);
        }
    }
    const char *says = is_transposed(&in->shape, analytic, numeric) ? "they are those of the transposed matrix"
                       : n > 1 && same_ratio                        ? "all are off by one factor"
                       : zeros && wrong < n     ? "some are zero that should not be: a share is missing, or overwritten"
                       : wrong < n && wrong > 0 ? "the others are right: a branch, a border, or duplicates"
                                                : "";
    snprintf(in->hint, sizeof in->hint, "%s", says);
}

static void check_elements(const wg_checking *k, int at, const double *x, const double *g, int64_t n, double *numeric)
{
    double worst = 0, most = largest(g, n);
    bool single = wg_type_of(k->inputs[at]).dtype == WG_FLOAT32; /* then the steps are not those that are stored */
    for (int64_t i = 0; i < n; i++) {
        wg_check_line l = {.k = k, .at = at, .element = i, .start = x[i], .noise = k->noise[at][i], .largest = most};
        l.typical = typical_part(k, at) * most;
        finding f = {.analytic = g[i]};
        judge(&l, &f, 0.125 * fmax(fabs(x[i]), 0.1), single ? fabs(g[i] * x[i]) : 0);
        note(&k->report->input[at], &f, i, &worst);
        numeric[i] = f.numeric;
    }
    if (k->report->input[at].verdict == WG_CHECK_FAILED)
        look_for_hint(&k->report->input[at], g, numeric, n);
}

/* Few where the inputs have MANY elements together. */
static int directions_of(const wg_checking *k)
{
    int64_t all = 0;
    for (int i = 0; i < k->n; i++)
        all += wg_size(k->inputs[i]);
    return k->o->directions > 0 ? k->o->directions : all > MANY ? FEW : SOME;
}

static void check_directions(const wg_checking *k, int at, const double *x, const double *g, int64_t n,
                             double *direction)
{
    double worst = 0, most = largest(g, n), scale = 0.125 * fmax(largest(x, n), 0.1), spread = 0;
    for (int64_t i = 0; i < n; i++)
        spread += fabs(g[i] * x[i]);
    for (int d = 0, count = directions_of(k); d < count; d++) {
        wg_check_line l = {
            .k = k, .at = at, .element = -1, .direction = direction, .typical = typical_part(k, at) * most};
        finding f = {0};
        direction_draw(k, d, direction, n);
        for (int64_t i = 0; i < n; i++) {
            f.analytic += g[i] * direction[i];
            l.largest += g[i] * direction[i] * g[i] * direction[i];
            l.noise += k->noise[at][i] * direction[i] * k->noise[at][i] * direction[i];
        }
        l.largest = sqrt(l.largest); /* what they are by chance, of either sign */
        l.noise = sqrt(l.noise) + gradient_eps(&l) * l.largest;
        judge(&l, &f, scale, spread);
        note(&k->report->input[at], &f, d, &worst);
    }
}

/* The elements of t as doubles, in the arena. */
double *wg_check_doubles(wg_tape *tape, wg_tensor t)
{
    int64_t n = wg_size(t);
    double *v = wg_arena(tape, (size_t)n * sizeof *v + 1);
    for (int64_t i = 0; v && i < n; i++)
        v[i] = (wg_element)(t, i);
    return v;
}

/* The worst element or direction of an input. *scale receives the size of its steps. */
static wg_check_line worst_of(const wg_checking *k, int at, const double *x, int64_t n, double *direction,
                              double *scale)
{
    const wg_check_input *in = &k->report->input[at];
    wg_check_line l = {.k = k, .at = at, .element = in->directions ? -1 : in->element, .direction = direction};
    l.start = in->directions ? 0 : x[in->element];
    *scale = 0.125 * fmax(in->directions ? largest(x, n) : fabs(l.start), 0.1);
    if (in->directions)
        direction_draw(k, in->element, direction, n);
    return l;
}

static void second_opinion(wg_check_line *l, wg_check_input *in, double scale)
{
    double step;
    in->second = wg_check_estimated(l, scale, &in->second_error, &step);
    in->second_error += l->rounding / step;
}

/* Plain central differences there, from large steps to small. */
static void sweep(wg_check_line *l, wg_check_report *report, double h)
{
    report->swept = l->at;
    report->steps = 0;
    for (int i = 0; i < WG_CHECK_SWEEP; i++, h /= 3) {
        volatile double up = l->start + h, down = l->start - h;
        report->sweep[i] = (wg_check_step){h, (wg_check_along(up, l) - wg_check_along(down, l)) / (up - down)};
        report->steps++;
    }
}

/* The sweep is that of the first input that fails, or, where it is asked for, of the first of all. */
static void look_closer(const wg_checking *k, int at, const double *x, int64_t n, double *direction)
{
    double scale;
    wg_check_line l = worst_of(k, at, x, n, direction, &scale);
    wg_check_report *report = k->report;
    wg_check_input *in = &report->input[at];
    bool failed = in->verdict == WG_CHECK_FAILED;
    if (failed && in->oracle != WG_ORACLE_RIDDERS)
        second_opinion(&l, in, scale);
    if (!report->steps || (failed && report->input[report->swept].verdict != WG_CHECK_FAILED))
        sweep(&l, report, scale);
}

static bool check_input(const wg_checking *k, int at, wg_tensor grad)
{
    wg_check_input *in = &k->report->input[at];
    int64_t n = wg_size(k->inputs[at]);
    double *x = wg_check_doubles(k->tape, k->inputs[at]), *g = wg_check_doubles(k->tape, grad);
    double *direction = wg_arena(k->tape, (size_t)n * sizeof *direction + 1);
    if (!x || !g || !direction)
        return false;
    in->directions = !k->o->exhaustive && n > directions_of(k);
    if (k->replay)
        look_at_all(k, at, direction, 0.125 * fmax(largest(x, n), 0.1));
    if (in->directions)
        check_directions(k, at, x, g, n, direction);
    else
        check_elements(k, at, x, g, n, direction); /* whose memory holds the numerical ones */
    if (in->verdict == WG_CHECK_FAILED || (k->o->sweep && in->checked && !k->report->steps))
        look_closer(k, at, x, n, direction);
    return true;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
static bool stopped(const wg_checking *k, const char *what)
{
    snprintf(k->report->message, sizeof k->report->message, "%s%s%s", what, k->tape->status ? ": " : "",
             k->tape->status ? wg_error(k->tape) : "");
    k->report->failed = true;
    return false;
}

static bool inputs_named(const wg_checking *k)
{
    for (int i = 0; i < k->n; i++) {
        wg_check_input *in = &k->report->input[i];
        if (!wg_is_tensor(k->inputs[i]) || k->inputs[i].tape != k->tape || !wg_is_float(wg_type_of(k->inputs[i]).dtype))
            return stopped(k, "an input is not a float tensor of this tape");
        const char *name = wg_name_of(k->inputs[i]);
        if (*name)
            snprintf(in->name, sizeof in->name, "%s", name);
        else
            snprintf(in->name, sizeof in->name, "input %d", i);
        in->shape = wg_shape_of(k->inputs[i]);
        in->verdict = WG_CHECK_UNCHECKED;
        snprintf(in->reason, sizeof in->reason, "it has no elements");
    }
    return true;
}

/* The function on leaves of its own, so that no older path is differentiated. */
static bool recorded(wg_checking *k, wg_check_graph *graph)
{
    for (int i = 0; i < k->n; i++) {
        wg_check_line l = {.k = k, .at = i, .element = -1};
        graph->x[i] = wg_check_moved(&l, 0);
        if (wg_is_tensor(graph->x[i]))
            (wg_name)(graph->x[i], k->report->input[i].name);
    }
    graph->y = k->f(graph->x, k->o->user);
    if (k->tape->status || !wg_is_tensor(graph->y) || !wg_is_float(wg_type_of(graph->y).dtype))
        return stopped(k, k->tape->status ? "the function failed" : "the function gives no float tensor");
    return true;
}

/* A random cotangent, also kept as doubles. */
static wg_tensor cotangent_of(wg_checking *k, wg_tensor y)
{
    wg_type type = wg_type_of(y);
    k->outputs = wg_type_count(&type);
    wg_tensor g = wg_leaf(k->tape, &type, NULL, 0, "wg_check_grad");
    k->weight = wg_arena(k->tape, (size_t)k->outputs * sizeof *k->weight + 1);
    if (!wg_is_tensor(g) || !k->weight)
        return wg_invalid_on(k->tape);
    unsigned char *data = wg_node_at(k->tape, g.node)->data;
    for (int64_t i = 0; i < k->outputs; i++) {
        double drawn = wg_check_random(k->seed, 0, i);
        k->weight[i] = type.dtype == WG_FLOAT32 ? (double)(float)drawn : drawn;
        k->heaviest = fmax(k->heaviest, fabs(k->weight[i]));
        wg_store_number(type.dtype, k->weight[i], data + (size_t)i * wg_dtype_size(type.dtype));
    }
    return g;
}

/* Does a derivative find a way from y down to x? */
static bool path_leads(const wg_checking *k, wg_tensor x, wg_tensor y)
{
    if (x.node > y.node)
        return false;
    wg_arena_mark before = wg_arena_at(k->tape);
    wg_stretch s = {.tape = k->tape, .name = "wg_check_grad", .low = x.node, .high = y.node};
    s.state = wg_arena(k->tape, (size_t)(y.node - x.node) + 1);
    bool leads = true;
    if (s.state) {
        memset(s.state, 0, (size_t)(y.node - x.node) + 1);
        *wg_state(&s, x.node) = WG_STATE_TARGET;
        wg_stretch_needed(&s);
        leads = *wg_state(&s, y.node) & WG_STATE_NEEDED;
    }
    wg_arena_back(k->tape, before);
    return leads;
}

/* Zeros that were never written confirm nothing. */
static void mind_the_path(const wg_checking *k, int at, const wg_check_graph *graph)
{
    wg_check_input *in = &k->report->input[at];
    if (path_leads(k, graph->x[at], graph->y))
        return;
    if (in->verdict == WG_CHECK_PASSED)
        in->verdict = WG_CHECK_UNCHECKED;
    in->wrong = in->checked;
    snprintf(in->reason, sizeof in->reason, "no path of derivatives leads from it to the result");
}

bool wg_check_gradient(wg_checking *k, wg_check_graph *graph, wg_tensor *u, wg_tensor *grad)
{
    if (!inputs_named(k) || !recorded(k, graph))
        return false;
    *u = cotangent_of(k, graph->y);
    if (!wg_is_tensor(*u))
        return stopped(k, "no memory");
    return wg_check_pull(k, graph, *u, grad) ? stopped(k, "no gradient") : true;
}

/* Is what is continued the function itself? Not where that takes values out of the graph, or decides by them what to
 * record: a step of input `at` away, the two are compared. */
static bool is_continuation(const wg_checking *k, const wg_checking *own, int at, wg_tensor grad)
{
    int64_t n = wg_size(k->inputs[at]);
    wg_mark before = wg_tape_mark(k->tape);
    double *x = wg_check_doubles(k->tape, k->inputs[at]),
           *direction = wg_arena(k->tape, (size_t)n * sizeof *direction + 1);
    bool is = false;
    if (x && direction) {
        wg_check_line l = {.k = k, .at = at, .element = -1, .direction = direction}, wide = l;
        wg_tensor inputs[WG_CHECK_INPUTS], continued[WG_CHECK_INPUTS];
        memcpy(inputs, k->inputs, (size_t)k->n * sizeof *inputs);
        memcpy(continued, own->inputs, (size_t)k->n * sizeof *continued);
        direction_draw(k, 0, direction, n);
        inputs[at] = wg_check_moved(&l, exp2(round(log2(0.125 * fmax(largest(x, n), 0.1))) - 4));
        continued[at] = (wg_cast)(inputs[at], (wg_cast_options){.dtype = WG_FLOAT64});
        wide.k = own;
        k->tape->no_grad++;
        double a = wg_check_weighed(&l, k->f(inputs, k->o->user)),
               b = wg_check_weighed(&wide, own->f(continued, own->o->user));
        k->tape->no_grad--;
        const wg_stretch *way = &((const wg_check_wide *)own->o->user)->way;
        double squares = wide.value * wide.value; /* of what the value is made of: its terms may cancel */
        for (int64_t i = 0; i < n; i++)
            squares += pow(x[i] * (wg_element)(grad, i), 2);
        is = fabs(a - b) <= 64 * (double)FLT_EPSILON * (1 + way->high - way->low) * sqrt(squares);
    }
    wg_check_forgive(k->tape);
    wg_rewind(k->tape, before);
    return is;
}

/* A function of float32 numbers is continued in float64 where it can be. */
static bool check_inputs(wg_checking *k, const wg_check_graph *graph, const wg_tensor *grad)
{
    wg_check_wide wide;
    wg_check_grad_options o;
    wg_checking own = *k;
    wg_check_graph evaluated = *graph;
    struct wg_check_stated stated = {.of = k, .graph = graph};
    bool single = false, is_wide = false;
    for (int i = 0; i < k->n; i++)
        single |= wg_type_of(k->inputs[i]).dtype == WG_FLOAT32;
    if (single && wg_check_widen(&wide, k, graph, false)) {
        continued_as(&own, k, &wide, &o);
        memcpy(evaluated.x, wide.x, sizeof wide.x);
        evaluated.y = wg_check_continued(wide.x, &wide);
        is_wide = wg_check_forgive(k->tape) && wg_is_tensor(evaluated.y);
    }
    wg_replay replay = {.tape = k->tape, .x = evaluated.x, .n = k->n, .y = evaluated.y, .weight = k->weight};
    if ((!single || is_wide) && wg_replay_make(&replay, evaluated.x[0].node))
        own.replay = &replay;
    own.stated = &stated;
    for (int i = 0; i < k->n; i++) {
        if (!wg_size(k->inputs[i]))
            continue;
        bool as_it_is = single && !(is_wide && is_continuation(k, &own, i, grad[i]));
        if (!check_input(as_it_is ? k : &own, i, grad[i]))
            return false;
        mind_the_path(k, i, graph);
    }
    snprintf(k->report->without, sizeof k->report->without, "%s", single && !is_wide ? wide.without : replay.without);
    if (stated.is_there)
        snprintf(k->report->kink, sizeof k->report->kink, "%s", stated.wide.at);
    return true;
}

bool wg_check_run(wg_checking *k, wg_check_graph *graph)
{
    wg_tensor u, grad[WG_CHECK_INPUTS];
    k->report->transpose.verdict = k->report->symmetry.verdict = WG_CHECK_UNCHECKED;
    if (!wg_check_gradient(k, graph, &u, grad))
        return false;
    if (!wg_check_noise(k, grad, k->noise))
        return stopped(k, "no memory");
    if (!k->o->gradient_only && !wg_check_identities(k, graph, u, grad))
        return stopped(k, "no memory");
    if (!check_inputs(k, graph, grad))
        return stopped(k, "no memory");
    return k->tape->status ? stopped(k, "the function failed") : true;
}

bool wg_check_refuted(const wg_check_report *report)
{
    bool wrong = report->transpose.verdict == WG_CHECK_FAILED || report->symmetry.verdict == WG_CHECK_FAILED;
    for (int i = 0; i < report->n; i++)
        wrong |= report->input[i].checked && report->input[i].verdict == WG_CHECK_FAILED;
    return wrong;
}

bool wg_check_failed(const wg_check_report *report)
{
    bool any = false;
    if (wg_check_refuted(report))
        return true;
    for (int i = 0; i < report->n; i++) {
        if (report->input[i].checked && report->input[i].verdict != WG_CHECK_PASSED)
            return true;
        any |= report->input[i].checked > 0;
    }
    return report->failed || !any;
}

static uint64_t seed_of(const wg_check_grad_options *o)
{
    const char *asked = getenv("WENGERT_CHECK_SEED");
    return o->seed ? o->seed : asked ? strtoull(asked, NULL, 10) : 1;
}

wg_check_report(wg_check_grad)(wg_check_function *f, const wg_tensor *inputs, int n, wg_check_grad_options options)
{
    wg_check_report report = {.seed = seed_of(&options)};
    if (!f || !inputs || n < 1 || n > WG_CHECK_INPUTS || !inputs[0].tape || wg_failed(inputs[0].tape)) {
        snprintf(report.message, sizeof report.message, "%s",
                 !f || !inputs || n < 1 ? "there is nothing to check"
                 : n > WG_CHECK_INPUTS  ? "too many inputs"
                 : inputs[0].tape       ? wg_error(inputs[0].tape)
                                        : "the inputs are not tensors");
        report.failed = true;
        return report;
    }
    wg_checking k = {.tape = inputs[0].tape,
                     .f = f,
                     .o = &options,
                     .inputs = inputs,
                     .n = n,
                     .seed = report.seed,
                     .report = &report};
    report.n = n;
    wg_mark before = wg_tape_mark(k.tape);
    wg_check_graph graph;
    if (wg_check_run(&k, &graph) && wg_check_failed(&report))
        wg_check_blame(&k, &graph);
    if (options.shrink && !*report.message && wg_check_failed(&report))
        wg_check_shrink(&k);
    report.failed = wg_check_failed(&report);
    wg_clear_error(k.tape);
    wg_rewind(k.tape, before);
    return report;
}
