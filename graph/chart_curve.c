/* The learning curve: two panels over one axis of epochs, or one where only losses or accuracies are known. */
#include "graph/svg.h"
#include "wengert/charts.h"

enum {
    WIDTH = 560,
    HEIGHT = 400,
    LEFT = 52,
    RIGHT = 478,
    TOP = 44,
    BOTTOM = 354,
    LOSS_BOTTOM = 234,
    ACCURACY_TOP = 266
};

static const wg_stroke train_line = {WG_COLOR_input_line, 2, NULL}, valid_line = {WG_COLOR_heat4, 2, "5 3"};
static const wg_stroke grid_line = {WG_COLOR_scope_line, 1, NULL}, best_line = {WG_COLOR_muted, 1, "2 3"};

/* Two lines on a scale of their own, between two heights. */
typedef struct {
    const char *name, *form; /* form: how the last values are written */
    bool log;
    double top, bottom, low, high;
    int64_t n;
    const double *train, *valid;
} panel;

static bool drawn(const panel *p, double v) { return isfinite(v) && (!p->log || v > 0); }

static double height(const panel *p, double v)
{
    double part = p->log ? log(v / p->low) / log(p->high / p->low) : (v - p->low) / (p->high - p->low);
    return p->bottom - part * (p->bottom - p->top);
}

static double across(int64_t i, int64_t n)
{
    return n > 1 ? LEFT + (double)(RIGHT - LEFT) * (double)i / (double)(n - 1) : (LEFT + RIGHT) / 2.0;
}

/* ---- Scales ------------------------------------------------------------------------------------------------------ */
/* False: there is nothing to draw. Equal values get a range around them. */
static bool panel_scaled(panel *p)
{
    const double *line[] = {p->train, p->valid};
    p->low = (double)INFINITY;
    p->high = -(double)INFINITY;
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; line[k] && i < p->n; i++)
            if (drawn(p, line[k][i])) {
                p->low = fmin(p->low, line[k][i]);
                p->high = fmax(p->high, line[k][i]);
            }
    if (!(p->low <= p->high))
        return false;
    if (p->log && p->high / p->low < 1.02) {
        p->low = fmax(p->low / 1.1, 1e-300);
        p->high = fmin(p->high * 1.1, 1e300);
    } else if (!p->log && p->high - p->low < 0.02) {
        p->low -= 0.05;
        p->high += 0.01;
    }
    return true;
}

static void put_mark(wg_text *svg, const panel *p, double v, const char *text)
{
    double y = height(p, v);
    wg_svg_line(svg, LEFT, y, RIGHT, y, grid_line);
    wg_svg_words(svg, LEFT - 8, y + 3.6, (wg_words){.color = WG_COLOR_muted, .anchor = WG_END}, text);
}

/* Marks at step, 2 step, ...: two of them at least. */
static void put_linear_marks(wg_text *svg, const panel *p, int most)
{
    double step = wg_tick_step(p->low, p->high, most);
    if (floor(p->high / step + 1e-9) - ceil(p->low / step - 1e-9) < 1)
        step = wg_tick_step(p->low, p->high, 2 * most);
    char text[32];
    for (double k = ceil(p->low / step - 1e-9); k <= floor(p->high / step + 1e-9); k++)
        put_mark(svg, p, k * step, wg_tick_text(k * step, step, text, sizeof text));
}

/* Marks at the given multiples of each power of ten, or of every few; returns how many. With svg NULL it only counts.
 */
static int put_log_marks(wg_text *svg, const panel *p, const double *times)
{
    int first = (int)floor(log10(p->low)), last = (int)ceil(log10(p->high)), n = 0;
    int every = times[1] > 0 ? 1 : 1 + (last - first) / 7;
    for (int power = first; power <= last; power++)
        for (int i = 0; times[i] > 0 && power % every == 0; i++) {
            double v = times[i] * pow(10, power);
            if (v < p->low * (1 - 1e-9) || v > p->high * (1 + 1e-9))
                continue;
            n++;
            char text[32];
            snprintf(text, sizeof text, "%g", v);
            if (svg)
                put_mark(svg, p, v, text);
        }
    return n;
}

/* The coarsest marks of which there are three; none such: evenly spaced values. */
static void put_marks(wg_text *svg, const panel *p)
{
    static const double choices[][8] = {{1}, {1, 2, 5}, {1, 1.5, 2, 3, 4, 5, 7}};
    for (int k = 0; p->log && k < 3; k++)
        if (put_log_marks(NULL, p, choices[k]) >= 3) {
            put_log_marks(svg, p, choices[k]);
            return;
        }
    put_linear_marks(svg, p, p->log ? 5 : 4);
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */
static void put_dot(wg_text *svg, double x, double y, wg_color color)
{
    wg_put(svg, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.4\" fill=\"%s\"/>\n", x, y, wg_color_light(color));
}

/* A point an epoch; where several share a pixel, its least and greatest value. One epoch alone is a dot. */
static void put_curve(wg_text *svg, const panel *p, const double *v, wg_stroke stroke)
{
    bool open = false;
    int64_t most = RIGHT - LEFT, step = p->n > most ? (p->n + most - 1) / most : 1;
    if (p->n == 1 && drawn(p, v[0]))
        put_dot(svg, across(0, 1), height(p, v[0]), stroke.color);
    wg_svg_path_begin(svg, stroke);
    for (int64_t i = 0; i < p->n; i += step) {
        double low = (double)INFINITY, high = -(double)INFINITY;
        for (int64_t k = i; k < i + step && k < p->n; k++)
            if (drawn(p, v[k])) {
                low = fmin(low, v[k]);
                high = fmax(high, v[k]);
            }
        if (low <= high)
            wg_put(svg, "%c%.1f %.1f", open ? 'L' : 'M', across(i, p->n), height(p, low));
        if (low < high)
            wg_put(svg, "V%.1f", height(p, high));
        open = low <= high;
    }
    wg_svg_path_end(svg);
}

typedef struct {
    const char *name;
    const double *v;
    wg_stroke stroke;
    double y;
} line;

/* Each line's name and last value behind its end, apart where the ends are close. */
static void put_ends(wg_text *svg, const panel *p, line *upper, line *lower)
{
    if (upper && lower && upper->y > lower->y) {
        line *held = upper;
        upper = lower;
        lower = held;
    }
    if (upper && lower && lower->y - upper->y < 13) {
        double middle = (upper->y + lower->y) / 2;
        upper->y = middle - 6.5;
        lower->y = middle + 6.5;
    }
    line *both[] = {upper, lower};
    for (int k = 0; k < 2; k++)
        if (both[k]) {
            char value[32], text[48];
            double last = both[k]->v[p->n - 1];
            snprintf(value, sizeof value,
                     p->log && last < 1e-3   ? "%.1e"
                     : p->log && last >= 100 ? "%.3g"
                                             : "%.3f",
                     last);
            snprintf(text, sizeof text, "%s %s", both[k]->name, value);
            wg_svg_words(svg, RIGHT + 6, both[k]->y + 4,
                         (wg_words){.size = 11, .color = both[k]->stroke.color, .bold = true}, text);
        }
}

static void put_panel(wg_text *svg, const panel *p)
{
    line lines[] = {{"train", p->train, train_line, 0}, {"valid", p->valid, valid_line, 0}}, *end[2] = {NULL, NULL};
    put_marks(svg, p);
    wg_svg_words(svg, 14, (p->top + p->bottom) / 2,
                 (wg_words){.color = WG_COLOR_muted, .anchor = WG_MIDDLE, .upward = true}, p->name);
    for (int k = 0; k < 2; k++) {
        if (!lines[k].v)
            continue;
        put_curve(svg, p, lines[k].v, lines[k].stroke);
        if (!drawn(p, lines[k].v[p->n - 1]))
            continue;
        lines[k].y = height(p, lines[k].v[p->n - 1]);
        end[k] = &lines[k];
    }
    put_ends(svg, p, end[0], end[1]);
}

/* ---- The chart --------------------------------------------------------------------------------------------------- */
/* The epoch of the least loss; -1: there is none. */
static int64_t best_epoch(const panel *loss, const double *v)
{
    int64_t best = -1;
    for (int64_t i = 0; v && i < loss->n; i++)
        if (drawn(loss, v[i]) && (best < 0 || v[i] < v[best]))
            best = i;
    return best;
}

/* Marks it, and tells it beside the title: of the validation, or of the training where there is none. */
static void put_best(wg_text *svg, const panel *loss, const char *title)
{
    char note[96];
    const double *v = loss->valid;
    int64_t best = best_epoch(loss, v);
    if (best < 0)
        best = best_epoch(loss, v = loss->train);
    if (best >= 0) {
        double x = across(best, loss->n);
        snprintf(note, sizeof note, "best %s loss %.3g at epoch %lld", v == loss->valid ? "validation" : "training",
                 v[best], (long long)best + 1);
        wg_svg_line(svg, x, loss->top, x, loss->bottom, best_line);
    }
    wg_svg_heading(svg, LEFT, WIDTH - 12, title, best >= 0 ? note : NULL);
}

static void put_epoch(wg_text *svg, int64_t epoch, int64_t n)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)epoch);
    wg_svg_words(svg, across(epoch - 1, n), BOTTOM + 16, (wg_words){.color = WG_COLOR_muted, .anchor = WG_MIDDLE},
                 text);
}

/* Counted from 1, which is marked, and then round numbers. */
static void put_epochs(wg_text *svg, int64_t n)
{
    int64_t step = n > 10 ? (int64_t)wg_tick_step(1, (double)n, 8) : 1;
    put_epoch(svg, 1, n);
    for (int64_t epoch = step > 1 ? step : 2; epoch <= n; epoch += step)
        put_epoch(svg, epoch, n);
    wg_svg_words(svg, (LEFT + RIGHT) / 2.0, HEIGHT - 6, (wg_words){.color = WG_COLOR_muted, .anchor = WG_MIDDLE},
                 "epoch");
}

static void put_chart(wg_text *svg, const wg_curve *c, const char *title)
{
    panel loss = {.name = "loss (log)",
                  .log = true,
                  .top = TOP,
                  .bottom = LOSS_BOTTOM,
                  .n = c->n,
                  .train = c->train_loss,
                  .valid = c->valid_loss};
    panel accuracy = {.name = "accuracy",
                      .top = ACCURACY_TOP,
                      .bottom = BOTTOM,
                      .n = c->n,
                      .train = c->train_accuracy,
                      .valid = c->valid_accuracy};
    bool has_loss = panel_scaled(&loss), has_accuracy = panel_scaled(&accuracy);
    if (!has_accuracy)
        loss.bottom = BOTTOM;
    if (!has_loss)
        accuracy.top = TOP;
    put_best(svg, &loss, title);
    if (has_loss)
        put_panel(svg, &loss);
    if (has_accuracy)
        put_panel(svg, &accuracy);
    put_epochs(svg, c->n);
}

wg_status(wg_plot_curve)(wg_tape *tape, const wg_curve *curve, const char *path)
{
    if (!tape)
        return WG_ERROR_VALUE;
    if (tape->status)
        return tape->status;
    if (!curve || curve->n < 1)
        return wg_report(tape, "wg_plot_curve", WG_ERROR_VALUE, curve ? "there are no epochs" : "the curve is NULL");
    wg_short_mark before = wg_short_at(tape);
    wg_plain plain;
    wg_text svg = {.tape = tape};
    const char *title = curve->title ? curve->title : "learning curve";
    wg_svg_begin(&svg, &plain, WIDTH, HEIGHT, title);
    put_chart(&svg, curve, title);
    wg_status status = wg_svg_end(&svg, &plain, "wg_plot_curve", path);
    wg_short_back(tape, before);
    wg_forget_place(tape);
    return status;
}
