/* The learning curve. */
#include "graph/file.h"
#include "graph/svg.h"
#include "wengert/charts.h"

enum { WIDTH = 600, HEIGHT = 400, LEFT = 52, RIGHT = 504, TOP = 44, LOSS_BOTTOM = 231, ACC_TOP = 262, BOTTOM = 352 };

/* A range of values along the height from `bottom` up to `top`. */
typedef struct {
    double low, high, top, bottom;
    bool logarithmic;
} scale;

static double placed(const scale *s, double v)
{
    double part = s->logarithmic ? log(v / s->low) / log(s->high / s->low) : (v - s->low) / (s->high - s->low);
    return s->bottom - part * (s->bottom - s->top);
}

static bool drawable(double v, bool logarithmic) { return isfinite(v) && (!logarithmic || v > 0); }

static void widen(scale *s, const double *v, int64_t n)
{
    for (int64_t i = 0; v && i < n; i++)
        if (drawable(v[i], s->logarithmic)) {
            s->low = fmin(s->low, v[i]);
            s->high = fmax(s->high, v[i]);
        }
}

static double column(int64_t i, int64_t n) { return n > 1 ? LEFT + (double)(RIGHT - LEFT) * (double)i / (double)(n - 1) : LEFT; }

/* One point a pixel: of more the lowest and highest. */
static void put_path(wg_text *svg, const double *v, int64_t n, const scale *s, wg_color color, const char *dash)
{
    bool open = false;
    wg_put(svg, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"2\" stroke-linejoin=\"round\"%s%s%s d=\"", wg_color_light(color),
           dash ? " stroke-dasharray=\"" : "", dash ? dash : "", dash ? "\"" : "");
    int64_t most = RIGHT - LEFT, step = n > most ? (n + most - 1) / most : 1;
    for (int64_t i = 0; i < n; i += step) {
        double low = (double)INFINITY, high = -(double)INFINITY;
        for (int64_t k = i; k < i + step && k < n; k++)
            if (drawable(v[k], s->logarithmic)) {
                low = fmin(low, v[k]);
                high = fmax(high, v[k]);
            }
        if (low > high) {
            open = false;
            continue;
        }
        wg_put(svg, "%c%.1f %.1f", open ? 'L' : 'M', column(i, n), placed(s, low));
        if (high > low)
            wg_put(svg, "L%.1f %.1f", column(i, n), placed(s, high));
        open = true;
    }
    wg_put(svg, "\"/>\n");
}

static void put_grid(wg_text *svg, double value, const scale *s)
{
    char text[32];
    double y = placed(s, value);
    snprintf(text, sizeof text, "%g", value);
    wg_svg_line(svg, LEFT, y, RIGHT, y, WG_COLOR_scope_line, 1, NULL);
    wg_svg_text(svg, LEFT - 8, y + 4, text, 11, WG_COLOR_muted, WG_END, false);
}

/* 1, 2 and 5 times powers of ten; only the powers where they are many. */
static void put_log_grid(wg_text *svg, const scale *s)
{
    static const double steps[] = {1, 2, 5};
    int each = log10(s->high / s->low) > 2.5 ? 3 : 1;
    for (int power = (int)floor(log10(s->low)); power <= (int)ceil(log10(s->high)); power++)
        for (int i = 0; i < 3; i += each) {
            double v = steps[i] * pow(10, power);
            if (v >= s->low && v <= s->high)
                put_grid(svg, v, s);
        }
}

static void put_linear_grid(wg_text *svg, const scale *s)
{
    double raw = (s->high - s->low) / 3, power = pow(10, floor(log10(raw))), step = raw / power;
    step = (step < 1.5 ? 1 : step < 3 ? 2 : step < 7 ? 5 : 10) * power;
    for (double v = ceil(s->low / step - 1e-9) * step; v <= s->high + 1e-9; v += step)
        put_grid(svg, fabs(v) < 1e-12 ? 0 : v, s);
}

/* The last value of a line, and its name, behind its end. */
static double put_end(wg_text *svg, const char *name, const double *v, int64_t n, const scale *s, wg_color color, double taken)
{
    char text[48];
    if (!v || !drawable(v[n - 1], s->logarithmic))
        return taken;
    double y = placed(s, v[n - 1]) + 4;
    if (fabs(y - taken) < 13)
        y = y < taken ? taken - 13 : taken + 13;
    snprintf(text, sizeof text, "%s %.3g", name, v[n - 1]);
    wg_svg_text(svg, RIGHT + 6, y, text, 11, color, WG_START, true);
    return y;
}

static void put_pair(wg_text *svg, const double *train, const double *valid, int64_t n, const scale *s)
{
    if (valid)
        put_path(svg, valid, n, s, WG_COLOR_heat4, "5 3");
    if (train)
        put_path(svg, train, n, s, WG_COLOR_input_line, NULL);
    double taken = put_end(svg, "train", train, n, s, WG_COLOR_input_line, -100);
    put_end(svg, "valid", valid, n, s, WG_COLOR_heat4, taken);
}

static void put_best(wg_text *svg, const wg_curve *c)
{
    const double *v = c->valid_loss ? c->valid_loss : c->train_loss;
    int64_t best = -1;
    for (int64_t i = 0; v && i < c->n; i++)
        if (drawable(v[i], true) && (best < 0 || v[i] < v[best]))
            best = i;
    if (best < 0)
        return;
    char text[96];
    snprintf(text, sizeof text, "best %s loss %.3g at epoch %lld", c->valid_loss ? "validation" : "training", v[best],
             (long long)best + 1);
    wg_svg_text(svg, WIDTH - 12, 22, text, 11, WG_COLOR_muted, WG_END, false);
    wg_svg_line(svg, column(best, c->n), TOP, column(best, c->n), LOSS_BOTTOM, WG_COLOR_muted, 1, "2 3");
}

static void put_epochs(wg_text *svg, int64_t n)
{
    int64_t step = 1;
    for (int k = 0; n / step > 10; k++)
        step = step / (k % 3 == 1 ? 2 : 1) * (k % 3 == 1 ? 5 : 2); /* 1, 2, 5, 10, 20, 50, ... */
    for (int64_t i = 0; i < n; i++) {
        char text[32];
        if ((i + 1) % step && (i || step == 2))
            continue;
        snprintf(text, sizeof text, "%lld", (long long)i + 1);
        wg_svg_text(svg, column(i, n), BOTTOM + 18, text, 11, WG_COLOR_muted, WG_MIDDLE, false);
    }
    wg_svg_text(svg, (LEFT + RIGHT) / 2.0, BOTTOM + 38, "epoch", 11, WG_COLOR_muted, WG_MIDDLE, false);
}

static void put_sideways(wg_text *svg, double y, const char *words)
{
    wg_put(svg, "<text transform=\"translate(14 %.1f) rotate(-90)\" font-size=\"11\" fill=\"%s\" text-anchor=\"middle\">%s</text>\n", y,
           wg_color_light(WG_COLOR_muted), words);
}

static void put_curve(wg_text *svg, const wg_curve *c)
{
    scale loss = {(double)INFINITY, 0, TOP, LOSS_BOTTOM, true}, accuracy = {1, 0, ACC_TOP, BOTTOM, false};
    widen(&loss, c->train_loss, c->n);
    widen(&loss, c->valid_loss, c->n);
    widen(&accuracy, c->train_accuracy, c->n);
    widen(&accuracy, c->valid_accuracy, c->n);
    wg_svg_text(svg, LEFT, 22, c->title ? c->title : "learning curve", 13, WG_COLOR_ink, WG_START, true);
    if (loss.low <= loss.high && loss.high > 0) {
        loss.low /= loss.low == loss.high ? 2 : 1.05;
        loss.high *= 1.05;
        put_log_grid(svg, &loss);
        put_best(svg, c);
        put_pair(svg, c->train_loss, c->valid_loss, c->n, &loss);
        put_sideways(svg, (TOP + LOSS_BOTTOM) / 2.0, "loss (log)");
    }
    if (accuracy.high >= accuracy.low) {
        accuracy.low -= accuracy.low == accuracy.high ? 0.05 : 0.05 * (accuracy.high - accuracy.low);
        accuracy.high = fmin(1, accuracy.high + 0.1 * (accuracy.high - accuracy.low));
        put_linear_grid(svg, &accuracy);
        put_pair(svg, c->train_accuracy, c->valid_accuracy, c->n, &accuracy);
        put_sideways(svg, (ACC_TOP + BOTTOM) / 2.0, "accuracy");
    }
    put_epochs(svg, c->n);
}

wg_status wg_plot_curve(wg_tape *tape, const wg_curve *curve, const char *path)
{
    if (!tape)
        return WG_ERROR_VALUE;
    if (!curve || !path || curve->n < 1)
        return wg_report(tape, "wg_plot_curve", WG_ERROR_VALUE, "there is nothing to draw");
    wg_short_mark before = wg_short_at(tape);
    wg_text svg = {.tape = tape};
    wg_svg_begin(&svg, WIDTH, HEIGHT, curve->title ? curve->title : "learning curve");
    put_curve(&svg, curve);
    wg_svg_end(&svg);
    wg_status status = svg.failed ? wg_no_memory(tape, "wg_plot_curve", svg.room)
                                  : wg_file_write(tape, "wg_plot_curve", path, svg.data, svg.size);
    wg_short_back(tape, before);
    return status;
}
