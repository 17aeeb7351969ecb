/* From what was observed to findings. A scale alone is no fault: what depends on it is reported where the loss does not
 * fall; and where one fault explains another, only the first is told. */
#include <stdlib.h>

#include "graph/diagnosis.h"

#define LARGE 20.0     /* root mean square of an input; images of bytes have 100 and more, scaled ones below 1 */
#define SMALL 0.01     /* and of one that was scaled twice */
#define EXPLODED 100.0 /* |gradient| / |parameters|, where the loss does not fall */
#define ENORMOUS 1e4   /* and where it does */
#define LONG_STEP 0.1  /* |step| / |parameters|; healthy ones are around 0.01 */
#define LEAP 1.5       /* of a first step */
#define GOOD_STEP 0.01
#define RISEN 3       /* times the first loss */
#define DEAD 0.5      /* part of a layer's units */
#define FALLEN 0.99   /* of the loss, from the first to the last quarter */
#define AT_CHANCE 1.3 /* times what classes explain by chance: nothing */
#define ABOVE_CHANCE 2.0

enum { FEW_STEPS = 8, FEW_SAMPLES = 64, EXPECTED = 10, NAMED = 3 };

const char *wg_fault_name(wg_fault fault)
{
    static const char *const names[] = {
        "not finite", "labels",        "inputs",    "leaked gradient", "unused parameter", "cut off",     "not moved",
        "exploding",  "learning rate", "vanishing", "dead units",      "overfitting",      "not learning"};
    return (unsigned)fault < sizeof names / sizeof *names ? names[fault] : "?";
}

/* When there are too many, the last one gives way. */
static wg_finding *listed(wg_diagnosis *d, wg_fault fault, const char *what, const char *where, int64_t step)
{
    d->n_list += d->n_list < WG_FINDINGS;
    wg_finding *f = &d->list[d->n_list - 1];
    *f = (wg_finding){.fault = fault, .step = step};
    snprintf(f->what, sizeof f->what, "%s", what);
    snprintf(f->where, sizeof f->where, "%s", where);
    return f;
}

static bool has(const wg_diagnosis *d, wg_fault fault)
{
    for (int i = 0; i < d->n_list; i++)
        if (d->list[i].fault == fault)
            return true;
    return false;
}

#define EVIDENCE(f, ...) snprintf((f)->evidence, sizeof(f)->evidence, __VA_ARGS__)
#define ADVICE(f, ...) snprintf((f)->advice, sizeof(f)->advice, __VA_ARGS__)

/* ---- Parameters -------------------------------------------------------------------------------------------------- */
typedef bool is_such(const wg_diagnosis *d, const wg_watched_param *p, const wg_watched_param *first);

/* "fc1.weight, fc1.bias and 3 more": those like the first one. Returns how many. */
static int names_text(const wg_diagnosis *d, is_such *such, const wg_watched_param *first, char *text, size_t size)
{
    int n = 0, at = 0;
    size_t used = 0;
    for (uint32_t k = 0; k < d->params; k++)
        n += such(d, &d->param[k], first);
    int named = n > NAMED + 1 ? NAMED : n;
    text[0] = 0;
    for (uint32_t k = 0; k < d->params && at < named && used < size; k++) {
        const wg_watched_param *p = &d->param[k];
        if (!such(d, p, first))
            continue;
        const char *before = !at ? "" : at + 1 == n ? " and " : ", ";
        used += (size_t)snprintf(text + used, size - used, "%s%.32s", before,
                                 wg_name_or_op(wg_node_at(d->tape, p->param.node)));
        at++;
    }
    if (named < n && used < size)
        snprintf(text + used, size - used, " and %d more", n - named);
    return n;
}

static bool is_unused(const wg_diagnosis *d, const wg_watched_param *p, const wg_watched_param *first)
{
    (void)d, (void)first;
    return !p->used;
}

static void find_unused(wg_diagnosis *d)
{
    char names[160];
    int n = names_text(d, is_unused, NULL, names, sizeof names);
    if (!n || !d->steps)
        return;
    wg_finding *f = listed(d, WG_FAULT_UNUSED, names, "", 1);
    EVIDENCE(f, "the loss does not depend on %s%s", n == 1 ? "it" : "them", d->steps > 1 ? " at any step" : "");
    ADVICE(f, "use %s in the forward pass, or leave %s out; is another parameter taken twice?", n == 1 ? "it" : "them",
           n == 1 ? "it" : "them");
}

static bool is_cut(const wg_diagnosis *d, const wg_watched_param *p, const wg_watched_param *first)
{
    (void)d;
    return p->used && !p->reached && !strcmp(p->cutter, first->cutter) && !strcmp(p->cutter_place, first->cutter_place);
}

static void find_cut(wg_diagnosis *d)
{
    for (uint32_t k = 0; k < d->params; k++) {
        const wg_watched_param *p = &d->param[k];
        bool told = false;
        for (uint32_t i = 0; i < k; i++)
            told |= is_cut(d, &d->param[i], p);
        if (told || !is_cut(d, p, p))
            continue;
        char names[160];
        int n = names_text(d, is_cut, p, names, sizeof names);
        wg_finding *f = listed(d, WG_FAULT_CUT_OFF, names, p->cutter_place, 1);
        EVIDENCE(f, "the loss depends on %s, but %s hands no gradient on", n == 1 ? "it" : "them",
                 *p->cutter ? p->cutter : "an operation");
        ADVICE(f, "to learn %s, take %s away, or make another way to the loss; else make %s .frozen",
               n == 1 ? "it" : "them", *p->cutter ? p->cutter : "that", n == 1 ? "it" : "them");
    }
}

static bool is_left(const wg_diagnosis *d, const wg_watched_param *p, const wg_watched_param *first)
{
    (void)d, (void)first;
    return p->reached > p->zero && !p->moved;
}

static void find_not_moved(wg_diagnosis *d)
{
    char names[160];
    bool any = false;
    for (uint32_t k = 0; k < d->params; k++)
        any |= d->param[k].moved;
    int n = any && d->steps >= FEW_STEPS / 2 ? names_text(d, is_left, NULL, names, sizeof names) : 0;
    if (!n)
        return;
    wg_finding *f = listed(d, WG_FAULT_NOT_MOVED, names, "", 2);
    EVIDENCE(f, "%s a gradient, but %s the same after %u steps in which others moved", n == 1 ? "it has" : "they have",
             n == 1 ? "is" : "are", d->steps - 1);
    ADVICE(f, "%s in the list that the optimiser was given?", n == 1 ? "is it" : "are they");
}

static bool is_faint(const wg_diagnosis *d, const wg_watched_param *p, const wg_watched_param *first)
{
    (void)d, (void)first;
    return p->faint >= 2 && 10 * p->faint >= 9 * p->reached;
}

static void find_vanishing(wg_diagnosis *d)
{
    char names[160];
    const wg_watched_param *least = NULL;
    if (!names_text(d, is_faint, NULL, names, sizeof names) || has(d, WG_FAULT_DEAD_UNITS) ||
        has(d, WG_FAULT_NOT_FINITE))
        return;
    for (uint32_t k = 0; k < d->params; k++)
        if (is_faint(d, &d->param[k], NULL) && (!least || d->param[k].ratio < least->ratio))
            least = &d->param[k];
    wg_finding *f = listed(d, WG_FAULT_VANISHING, names, "", 1);
    EVIDENCE(f, "|gradient| / |parameter| is down to %.1e (%.40s), while the largest of a layer is %.1e", least->ratio,
             wg_name_or_op(wg_node_at(d->tape, least->param.node)), least->top);
    ADVICE(f, "relu or gelu for sigmoid or tanh, weights that keep the variance (WG_HE_NORMAL, WG_XAVIER_NORMAL), "
              "layer_norm, or a way around the layers: x + f(x)");
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */
static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double median(double *v, uint32_t n)
{
    qsort(v, n, sizeof *v, ascending);
    return n ? v[n / 2] : (double)NAN;
}

/* Has the loss not fallen, or ended in something that is not finite? */
static bool is_failing(const wg_diagnosis *d, double *room)
{
    uint32_t n = d->steps, part = n / 4;
    for (uint32_t i = 0; i < n; i++)
        if (!isfinite(d->step[i].loss))
            return true;
    if (n < FEW_STEPS)
        return false;
    for (uint32_t i = 0; i < part; i++)
        room[i] = d->step[i].loss;
    double before = fmin(median(room, part), d->step[0].loss);
    for (uint32_t i = 0; i < part; i++)
        room[i] = d->step[n - part + i].loss;
    return median(room, part) > before - (1 - FALLEN) * fabs(before);
}

static double over_parameters(double size, const wg_step_seen *s) { return s->parameter > 0 ? size / s->parameter : 0; }

/* From the start, or later although steps are short. */
static void find_exploding(wg_diagnosis *d, bool failing)
{
    for (uint32_t i = 0; i < d->steps; i++) {
        const wg_step_seen *s = &d->step[i];
        double ratio = over_parameters(s->gradient, s);
        bool after_long_steps = i && over_parameters(s->update, s) > LONG_STEP;
        if (after_long_steps)
            return;
        if (!(ratio > (failing ? EXPLODED : ENORMOUS)) || !isfinite(ratio))
            continue;
        wg_finding *f = listed(d, WG_FAULT_EXPLODING, "gradients", "", i + 1);
        EVIDENCE(f, "their norm is %.3g, that of all parameters %.3g; the loss is %.3g", s->gradient, s->parameter,
                 s->loss);
        ADVICE(f, "smaller starting weights (WG_HE_NORMAL, WG_XAVIER_NORMAL with gain 1), wg_clip_grad_norm before the "
                  "step, layer_norm; of a recurrence fewer steps, or lstm");
        return;
    }
}

/* Steps as long as the parameters; or a first one that leaps away from where they started, after which they are large.
 */
static void find_rate(wg_diagnosis *d, double *room)
{
    uint32_t n = 0;
    double longest = 0;
    char text[2][32];
    for (uint32_t i = 1; i < d->steps; i++) {
        double ratio = over_parameters(d->step[i].update, &d->step[i - 1]);
        if (isfinite(ratio)) {
            room[n++] = ratio;
            longest = fmax(longest, ratio);
        }
    }
    double first = n ? room[0] : 0, usual = median(room, n), last = d->step[d->steps - 1].loss;
    bool away = !(last < RISEN * d->step[0].loss);
    double ratio = away ? longest : first > LEAP ? fmax(first, usual) : usual;
    if (!n || !(ratio > LONG_STEP))
        return;
    double smaller = ratio / GOOD_STEP, power = pow(10, floor(log10(smaller)));
    wg_finding *f = listed(d, WG_FAULT_RATE, "too high", "", 2);
    EVIDENCE(f, "a step moves the parameters by %.3g times their norm, and the loss goes from %s to %s", ratio,
             wg_loss_text(d->step[0].loss, text[0]), wg_loss_text(last, text[1]));
    ADVICE(f, "a learning rate about %g times smaller", floor(smaller / power) * power);
}

static void find_leaked(wg_diagnosis *d)
{
    if (d->leaks < 2)
        return;
    wg_finding *f = listed(d, WG_FAULT_LEAKED, "from earlier steps", "", 2);
    EVIDENCE(f, "in %lld of %u steps those before are still in what is accumulated: up to %.3g times the step's own",
             (long long)d->leaks, d->steps, d->leak);
    ADVICE(f, "wg_step takes the gradients; after an update of your own call wg_zero_grad or wg_zero_grads");
}

static void find_in_steps(wg_diagnosis *d)
{
    double *room = wg_tape_allocate(d->tape, (d->steps + 1) * sizeof *room);
    find_leaked(d);
    if (room && d->steps && !has(d, WG_FAULT_LEAKED) && !has(d, WG_FAULT_INPUTS)) {
        bool failing = is_failing(d, room);
        find_exploding(d, failing);
        if (failing && !has(d, WG_FAULT_EXPLODING))
            find_rate(d, room);
    }
    wg_tape_release(d->tape, room, (d->steps + 1) * sizeof *room);
}

/* ---- Units ------------------------------------------------------------------------------------------------------- */
static void find_dead(wg_diagnosis *d)
{
    for (int i = 0; i < d->n_units && !has(d, WG_FAULT_INPUTS); i++) {
        const wg_watched_units *u = &d->units[i];
        int64_t dead = 0;
        for (int64_t k = 0; u->alive && k < u->units; k++)
            dead += !u->alive[k];
        if (d->steps < 2 || u->samples < FEW_SAMPLES || (double)dead < DEAD * (double)u->units || !dead)
            continue;
        wg_finding *f = listed(d, WG_FAULT_DEAD_UNITS, u->name, u->place, 1);
        EVIDENCE(f, "%lld of %lld units are 0 for all %lld samples of %u steps, and so is their gradient",
                 (long long)dead, (long long)u->units, (long long)u->samples, d->steps);
        ADVICE(f, "biases that start at 0, WG_HE_NORMAL weights, a smaller learning rate; or leaky_relu, gelu, which "
                  "are zero nowhere");
    }
}

/* ---- Data -------------------------------------------------------------------------------------------------------- */
static void find_inputs(wg_diagnosis *d)
{
    for (int i = 0; i < d->n_inputs; i++) {
        const wg_watched_input *in = &d->input[i];
        char column[80] = "";
        bool large = in->rms > LARGE || in->column_rms > LARGE, small = in->rms > 0 && in->rms < SMALL;
        if (!large && !small)
            continue;
        wg_finding *f = listed(d, WG_FAULT_INPUTS, in->name, in->place, d->steps ? 1 : 0);
        if (in->columns > 1 && in->column_rms > 3 * in->rms)
            snprintf(column, sizeof column, "; column %lld alone %.3g", (long long)in->column + 1, in->column_rms);
        EVIDENCE(f, "values from %.4g to %.4g, their root mean square is %.3g%s", in->low, in->high, in->rms, column);
        if (in->target)
            ADVICE(f, "fit (y - mean) / deviation, and undo it where numbers are predicted");
        else
            ADVICE(f, small ? "scale them to a deviation of 1; were they divided by 255 twice?"
                            : "subtract each column's mean and divide by its deviation; bytes of images by 255");
    }
}

static void find_first_class(wg_diagnosis *d)
{
    const wg_watched_labels *l = &d->labels;
    bool others = l->count && !l->count[0] && l->classes > 2 && l->n >= EXPECTED * l->classes;
    for (int64_t k = 1; others && k < l->classes; k++)
        others = l->count[k] > 0;
    if (!others)
        return;
    wg_finding *f = listed(d, WG_FAULT_LABELS, l->name, "", d->steps ? 1 : 0);
    EVIDENCE(f, "class 0 is in none of %lld labels, each of 1 to %lld is", (long long)l->n, (long long)l->classes - 1);
    ADVICE(f, "classes count from 0: subtract 1, and take %lld scores", (long long)l->classes - 1);
}

static void find_shifted(wg_diagnosis *d)
{
    const wg_watched_labels *l = &d->labels;
    double n = (double)l->pairs, own = l->apart[0], chance = l->apart[WG_SHIFTS - 1];
    int best = l->apart[1] > l->apart[2] ? 1 : 2;
    if (!l->pairs || own > AT_CHANCE * chance || l->apart[best] < ABOVE_CHANCE * chance)
        return;
    wg_finding *f = listed(d, WG_FAULT_LABELS, l->name, "", d->steps ? 1 : 0);
    EVIDENCE(f,
             "by the label of the sample %s it classes explain %.1f %% of the inputs' variance; by its own %.1f %%, as "
             "by chance",
             best == 1 ? "before" : "behind", 100 * l->apart[best] / n, 100 * own / n);
    ADVICE(f, "samples and labels are one row apart: was a first line dropped from one of them only?");
}

static void find_copied(wg_diagnosis *d)
{
    const wg_watched_labels *l = &d->labels;
    if (!l->compared || (double)l->copied < 0.99 * (double)l->compared)
        return;
    wg_finding *f = listed(d, WG_FAULT_LABELS, l->name, "", 1);
    EVIDENCE(f, "%lld of %lld targets are the word at the same place of the input", (long long)l->copied,
             (long long)l->compared);
    ADVICE(f, "to predict what comes next, the target at t is the word at t + 1");
}

/* ---- A curve ----------------------------------------------------------------------------------------------------- */
static double at(const double *v, int64_t i) { return v ? v[i] : (double)NAN; }

static void curve_read(wg_diagnosis *d, const wg_curve *c)
{
    const double *judged = c->valid_loss ? c->valid_loss : c->train_loss;
    int64_t best = 0, last = c->n - 1;
    for (int64_t i = 0; judged && i < c->n; i++) {
        if (!isfinite(judged[i]) || (c->train_loss && !isfinite(c->train_loss[i]))) {
            wg_finding *f = wg_finding_add(d, WG_FAULT_NOT_FINITE, "loss", "");
            if (f) {
                f->step = i + 1;
                EVIDENCE(f, "it is not finite from epoch %lld on; before it was %.3g", (long long)i + 1,
                         i ? judged[i - 1] : (double)NAN);
                ADVICE(f, "observe the run: `wengert diagnose --data`, or wg_diagnose in the training loop");
            }
            return;
        }
        best = judged[i] < judged[best] ? i : best;
    }
    if (!judged || last < 2)
        return;
    bool learned = at(judged, best) < FALLEN * judged[0];
    wg_finding *f = NULL;
    if (!learned && (f = wg_finding_add(d, WG_FAULT_NOT_LEARNING, "loss", ""))) {
        f->step = c->n;
        EVIDENCE(f, "after %lld epochs it is %.4g, at the first it was %.4g", (long long)c->n, judged[last], judged[0]);
        ADVICE(f, "look at labels, learning rate and inputs: `wengert diagnose --data`");
    }
    bool worse = c->valid_loss && best < last - 1 && judged[last] > 1.1 * judged[best];
    if (learned && worse && c->train_loss && c->train_loss[last] < c->train_loss[best] &&
        (f = wg_finding_add(d, WG_FAULT_OVERFITTING, "validation loss", ""))) {
        f->step = best + 1;
        EVIDENCE(f, "%.4g at epoch %lld, then up to %.4g, while the training loss falls from %.4g to %.4g",
                 judged[best], (long long)best + 1, judged[last], c->train_loss[best], c->train_loss[last]);
        ADVICE(f, "stop at epoch %lld (--patience), or more data, weight decay, dropout, a smaller network",
               (long long)best + 1);
    }
}

wg_status(wg_diagnose_curve)(wg_diagnosis *d, const wg_curve *curve)
{
    if (!d)
        return WG_OK;
    if (d->tape->status)
        return d->tape->status;
    if (!curve || curve->n < 1)
        return wg_report(d->tape, "wg_diagnose_curve", WG_ERROR_VALUE,
                         curve ? "there are no epochs" : "the curve is NULL");
    curve_read(d, curve);
    return WG_OK;
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */
/* By fault; what is of one fault stays in its order. */
static void put_in_order(wg_diagnosis *d)
{
    for (int i = 1; i < d->n_list; i++) {
        wg_finding one = d->list[i];
        int k = i;
        for (; k > 0 && d->list[k - 1].fault > one.fault; k--)
            d->list[k] = d->list[k - 1];
        d->list[k] = one;
    }
}

void wg_findings_list(wg_diagnosis *d)
{
    memcpy(d->list, d->found, (size_t)d->n_found * sizeof *d->list);
    d->n_list = d->n_found;
    find_first_class(d);
    find_shifted(d);
    find_copied(d);
    find_inputs(d);
    find_unused(d);
    find_cut(d);
    find_not_moved(d);
    find_in_steps(d);
    find_dead(d);
    find_vanishing(d);
    put_in_order(d);
}

int wg_diagnosis_findings(wg_diagnosis *d, const wg_finding **list)
{
    if (d)
        wg_findings_list(d);
    if (list)
        *list = d ? d->list : NULL;
    return d ? d->n_list : 0;
}
