/* The histogram of a tensor's elements: bars of equal width over their range, their number by Freedman and Diaconis
 * 1981, counts on a log scale where one bar would hide all others. */
#include <float.h>
#include <stdlib.h>

#include "graph/svg.h"
#include "wengert/charts.h"

enum {
    WIDTH = 560,
    HEIGHT = 300,
    LEFT = 64,
    RIGHT = 540,
    TOP = 44,
    BOTTOM = 248,
    FEWEST = 8,
    MOST = 120,
    SAMPLE = 4096
};
#define HIDES 40.0 /* times the typical bar */

static const wg_stroke grid_line = {WG_COLOR_scope_line, 1, NULL}, zero_line = {WG_COLOR_muted, 1, "2 3"};

typedef struct {
    wg_dtype dtype;
    const char *values;
    int64_t n;
    int64_t finite, nan, zero;
    double low, high, mean, deviation;
    int bins;
    double from, width; /* of the first bin; of each */
    int64_t count[MOST], most;
    bool log;
} histogram;

static double value_at(const histogram *h, int64_t i)
{
    return wg_load_number(h->dtype, h->values + (size_t)i * wg_dtype_size(h->dtype));
}

/* ---- What is counted --------------------------------------------------------------------------------------------- */
/* Mean and deviation by Welford 1962, of numbers brought to 1: their squares are not to overflow. */
static void measured(histogram *h)
{
    double squares = 0;
    h->low = (double)INFINITY;
    h->high = -(double)INFINITY;
    for (int64_t i = 0; i < h->n; i++) {
        double v = value_at(h, i);
        h->nan += v != v;
        h->zero += v == 0;
        h->low = isfinite(v) ? fmin(h->low, v) : h->low;
        h->high = isfinite(v) ? fmax(h->high, v) : h->high;
    }
    double size = fmax(fabs(h->low), fabs(h->high));
    for (int64_t i = 0; i < h->n; i++) {
        double v = value_at(h, i), off = v / size - h->mean;
        if (!isfinite(v) || size <= 0)
            continue;
        h->mean += off / (double)++h->finite;
        squares += off * (v / size - h->mean);
    }
    if (size <= 0)
        h->finite = h->zero;
    h->mean *= size > 0 && h->finite ? size : 0;
    h->deviation = h->finite ? sqrt(squares / (double)h->finite) * size : 0;
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Between the quartiles, of evenly chosen elements. */
static double middle_range(const histogram *h)
{
    double some[SAMPLE];
    int64_t n = h->n < SAMPLE ? h->n : SAMPLE, used = 0;
    for (int64_t k = 0; k < n; k++) {
        double v = value_at(h, (int64_t)((double)k * (double)h->n / (double)n));
        if (isfinite(v))
            some[used++] = v;
    }
    qsort(some, (size_t)used, sizeof *some, ascending);
    return used ? some[3 * (used - 1) / 4] - some[(used - 1) / 4] : 0;
}

/* Whole numbers have bars of their own, where they are not too many. A range may overflow: it is divided before. */
static void divided(histogram *h, int64_t bins)
{
    h->from = h->low;
    if (!wg_is_float(h->dtype) && h->high - h->low < MOST && !bins) {
        h->from = h->low - 0.5;
        h->width = 1;
        h->bins = (int)(h->high - h->low) + 1;
        return;
    }
    if (!bins) {
        double best = 2 * middle_range(h) / cbrt((double)h->finite);
        double number = best > 0 ? ceil(h->high / best - h->low / best) : FEWEST;
        bins = (int64_t)fmin(fmax(number, FEWEST), MOST);
    }
    h->bins = (int)bins;
    h->width = h->high / h->bins - h->low / h->bins;
    if (h->width < DBL_MIN) { /* all are one number, or as good as that: a bar around it */
        h->width = fmax(h->low != 0 ? fabs(h->low) / 8 : 1.0 / h->bins, DBL_MIN);
        h->from = h->low - h->width * h->bins / 2;
    }
}

static void counted(histogram *h)
{
    int64_t occupied = 0;
    for (int64_t i = 0; i < h->n; i++) {
        double v = value_at(h, i), at = v / h->width - h->from / h->width;
        if (isfinite(v))
            h->count[at >= h->bins ? h->bins - 1 : at > 0 ? (int)at : 0]++;
    }
    for (int k = 0; k < h->bins; k++) {
        occupied += h->count[k] > 0;
        h->most = h->count[k] > h->most ? h->count[k] : h->most;
    }
    int64_t others = occupied > 1 ? (h->finite - h->most) / (occupied - 1) : h->most;
    h->log = (double)h->most > HIDES * (double)others;
}

/* ---- The chart --------------------------------------------------------------------------------------------------- */
static double across(const histogram *h, double v)
{
    return LEFT + (RIGHT - LEFT) * (v / h->width - h->from / h->width) / h->bins;
}

/* On a log scale one element stands a little above the ground. */
static double height(const histogram *h, double count)
{
    double part = h->log ? log(count / 0.7) / log((double)h->most / 0.7) : count / (double)h->most;
    return BOTTOM - (BOTTOM - TOP) * part;
}

static void put_mark(wg_text *svg, const histogram *h, double count)
{
    char text[32];
    double y = height(h, count);
    wg_svg_line(svg, LEFT, y, RIGHT, y, grid_line);
    wg_svg_words(svg, LEFT - 8, y + 3.6, (wg_words){.color = WG_COLOR_muted, .anchor = WG_END},
                 wg_count_text((int64_t)count, text, sizeof text));
}

static void put_counts(wg_text *svg, const histogram *h)
{
    if (h->log) {
        for (double count = 1, every = (double)h->most > 1e6 ? 100 : 10; count <= (double)h->most; count *= every)
            put_mark(svg, h, count);
    } else {
        double step = fmax(1, wg_tick_step(0, (double)h->most, 5));
        for (double count = step; count <= (double)h->most; count += step)
            put_mark(svg, h, count);
    }
    wg_svg_words(svg, 14, (TOP + BOTTOM) / 2.0,
                 (wg_words){.color = WG_COLOR_muted, .anchor = WG_MIDDLE, .upward = true},
                 h->log ? "elements (log)" : "elements");
}

/* One path: bars side by side take a dozen bytes each. */
static void put_bars(wg_text *svg, const histogram *h)
{
    double step = (double)(RIGHT - LEFT) / h->bins, gap = step > 6 ? 1 : 0;
    wg_put(svg, "<path fill=\"%s\" fill-opacity=\"0.75\" d=\"", wg_color_light(WG_COLOR_input_line));
    for (int k = 0; k < h->bins; k++)
        if (h->count[k])
            wg_put(svg, "M%.1f %dV%.1fh%.1fV%dz", LEFT + step * k + gap / 2, BOTTOM, height(h, (double)h->count[k]),
                   step - gap, BOTTOM);
    wg_put(svg, "\"/>\n");
}

static void put_values(wg_text *svg, const histogram *h)
{
    double low = h->from, high = fmin(h->from + h->width * h->bins, DBL_MAX), step = wg_tick_step(low, high, 7);
    step = wg_is_float(h->dtype) ? step : fmax(1, step);
    wg_svg_line(svg, LEFT, BOTTOM, RIGHT, BOTTOM, (wg_stroke){WG_COLOR_line, 1, NULL});
    if (low < 0 && high > 0 && wg_is_float(h->dtype))
        wg_svg_line(svg, across(h, 0), TOP, across(h, 0), BOTTOM, zero_line);
    for (double i = ceil(low / step - 1e-9); i <= floor(high / step + 1e-9); i++) {
        char text[32];
        wg_tick_text(i * step, step, text, sizeof text);
        wg_svg_words(svg, across(h, i * step), BOTTOM + 16, (wg_words){.color = WG_COLOR_muted, .anchor = WG_MIDDLE},
                     text);
    }
}

/* What the bars do not say. */
static void put_facts(wg_text *svg, const histogram *h)
{
    char text[160], some[32];
    snprintf(text, sizeof text, "least %.4g \xc2\xb7 greatest %.4g", h->low, h->high);
    if (h->finite)
        wg_svg_words(svg, LEFT, HEIGHT - 12, (wg_words){.color = WG_COLOR_muted}, text);
    int n = 0;
    text[0] = 0;
    if (h->zero)
        n = snprintf(text, sizeof text, "%s zero (%.3g %%)", wg_count_text(h->zero, some, sizeof some),
                     100 * (double)h->zero / (double)h->n);
    wg_svg_words(svg, RIGHT - 130, HEIGHT - 12, (wg_words){.color = WG_COLOR_muted, .anchor = WG_END}, text);
    if (h->finite < h->n) {
        n = 0;
        if (h->nan)
            n = snprintf(text, sizeof text, "%s NaN", wg_count_text(h->nan, some, sizeof some));
        if (h->n - h->finite > h->nan)
            snprintf(text + n, sizeof text - (size_t)n, "%s%s infinite", n ? ", " : "",
                     wg_count_text(h->n - h->finite - h->nan, some, sizeof some));
        wg_svg_words(svg, RIGHT, HEIGHT - 12, (wg_words){.color = WG_COLOR_bad_line, .anchor = WG_END, .bold = true},
                     text);
    }
}

static void put_chart(wg_text *svg, const histogram *h, const char *title)
{
    char note[96], all[32];
    wg_count_text(h->n, all, sizeof all);
    if (h->finite)
        snprintf(note, sizeof note, "%s elements \xc2\xb7 mean %.3g \xc2\xb1 %.3g", all, h->mean, h->deviation);
    else
        snprintf(note, sizeof note, "%s elements, none of them finite", all);
    wg_svg_heading(svg, LEFT, RIGHT, title, note);
    if (h->finite) {
        put_counts(svg, h);
        put_bars(svg, h);
        put_values(svg, h);
    }
    put_facts(svg, h);
}

static wg_status plotted(wg_tensor t, const char *path, const wg_plot_histogram_options *o)
{
    wg_tape *tape = t.tape;
    wg_plain plain;
    wg_text svg = {.tape = tape};
    histogram h = {.dtype = wg_type_of(t).dtype, .n = wg_size(t)};
    size_t bytes = (size_t)h.n * wg_dtype_size(h.dtype);
    void *values = wg_arena(tape, bytes);
    if (!values)
        return wg_no_memory(tape, "wg_plot_histogram", bytes);
    if (wg_copy_out(t, values))
        return tape->status;
    h.values = values;
    measured(&h);
    if (h.finite) {
        divided(&h, o->bins);
        counted(&h);
    }
    const char *title = o->title ? o->title : *wg_name_of(t) ? wg_name_of(t) : "histogram";
    wg_svg_begin(&svg, &plain, WIDTH, HEIGHT, title);
    put_chart(&svg, &h, title);
    return wg_svg_end(&svg, &plain, "wg_plot_histogram", path);
}

wg_status(wg_plot_histogram)(wg_tensor t, const char *path, wg_plot_histogram_options options)
{
    wg_tape *tape = t.tape;
    if (!tape || tape->status)
        return tape ? tape->status : WG_ERROR_VALUE;
    uint32_t held = wg_hold_place(tape);
    wg_short_mark before = wg_short_at(tape);
    wg_status status = WG_OK;
    if (!wg_node_of(t, "wg_plot_histogram"))
        status = tape->status;
    else if (!wg_size(t))
        status = wg_report(tape, "wg_plot_histogram", WG_ERROR_SHAPE, "there are no elements");
    else if (options.bins < 0 || options.bins > MOST)
        status = wg_report(tape, "wg_plot_histogram", WG_ERROR_VALUE, "%lld bins; at most %d", (long long)options.bins,
                           MOST);
    else
        status = plotted(t, path, &options);
    wg_short_back(tape, before);
    wg_let_go_place(tape, held);
    return status;
}
