/* The decision boundary of a classifier in the plane. Its probabilities on a grid make a small picture of palette
 * colours whose opacity is the confidence, and lines by marching squares (Lorensen and Cline 1987, in two dimensions).
 */
#include <stdlib.h>

#include "graph/png.h"
#include "graph/svg.h"
#include "wengert/charts.h"
#include "wengert/softmax.h"

enum { WIDTH = 560, LEFT = 44, TOP = 44, SIDE = 492, LOW_SIDE = 240, BELOW = 52, MOST_POINTS = 1000 };
#define CELL 4.0 /* pixels between points of the grid */

static const wg_color hue[] = {WG_COLOR_input_line, WG_COLOR_param_line, WG_COLOR_kept,
                               WG_COLOR_loss_line,  WG_COLOR_heat4,      WG_COLOR_muted};
#define HUES ((int64_t)(sizeof hue / sizeof *hue))
#define SHAPES (2 * HUES) /* markers that differ in shape or hue: 4 and 6 have 12 pairs */

typedef struct {
    double low[2], high[2]; /* what is seen of the plane */
    double size[2];         /* pixels */
    int64_t n[2];           /* points of the grid: columns, rows */
    int64_t classes;
    const float *p; /* [rows, columns, classes], the lowest row first */
} field;

static double across(const field *f, double x)
{
    return LEFT + f->size[0] * (x - f->low[0]) / (f->high[0] - f->low[0]);
}
static double down(const field *f, double y) { return TOP + f->size[1] * (f->high[1] - y) / (f->high[1] - f->low[1]); }

/* ---- The grid ---------------------------------------------------------------------------------------------------- */
/* The points with a margin, both axes to one scale unless that makes the picture too flat or too tall. */
static field field_of(wg_tensor x)
{
    field f = {.low = {(double)INFINITY, (double)INFINITY},
               .high = {-(double)INFINITY, -(double)INFINITY},
               .size = {SIDE, SIDE}};
    for (int64_t i = 0, n = wg_size(x); i < n; i++) {
        double v = (wg_element)(x, i);
        if (!isfinite(v))
            continue;
        f.low[i % 2] = fmin(f.low[i % 2], v);
        f.high[i % 2] = fmax(f.high[i % 2], v);
    }
    for (int k = 0; k < 2; k++) {
        if (!(f.low[k] <= f.high[k]))
            f.low[k] = f.high[k] = 0;
        double margin = 0.08 * (f.high[k] - f.low[k]);
        f.low[k] -= margin > 0 ? margin : 1;
        f.high[k] += margin > 0 ? margin : 1;
    }
    f.size[1] = fmin(SIDE, fmax(LOW_SIDE, round(SIDE * (f.high[1] - f.low[1]) / (f.high[0] - f.low[0]))));
    for (int k = 0; k < 2; k++)
        f.n[k] = (int64_t)(f.size[k] / CELL) + 1;
    return f;
}

/* [rows columns, 2] */
static wg_tensor grid_points(wg_tape *tape, const field *f, wg_dtype dtype)
{
    wg_type type = {.dtype = dtype, .rank = 2, .dim = {f->n[0] * f->n[1], 2}};
    wg_tensor t = wg_leaf(tape, &type, NULL, WG_NODE_CUT, "wg_plot_boundary");
    if (!wg_is_tensor(t))
        return t;
    char *to = wg_node_at(tape, t.node)->data;
    for (int64_t i = 0; i < f->n[0] * f->n[1]; i++)
        for (int k = 0; k < 2; k++, to += wg_dtype_size(dtype)) {
            double part = (double)(k ? i / f->n[0] : i % f->n[0]) / (double)(f->n[k] - 1);
            wg_store_number(dtype, f->low[k] + part * (f->high[k] - f->low[k]), to);
        }
    return t;
}

static wg_status field_filled(field *f, wg_classifier *classify, void *user, wg_tape *tape, wg_dtype dtype)
{
    wg_tensor points = grid_points(tape, f, dtype);
    if (!wg_is_tensor(points))
        return tape->status;
    wg_tensor scores = classify(points, user);
    wg_type type = wg_type_of(scores);
    if (tape->status)
        return tape->status;
    if (!wg_is_tensor(scores) || scores.tape != tape || type.rank != 2 || type.dim[0] != f->n[0] * f->n[1] ||
        type.dim[1] < 2) {
        char text[128];
        wg_shape shape = wg_type_shape(&type);
        return wg_report(tape, "wg_plot_boundary", WG_ERROR_SHAPE,
                         "scores of %lld points are %s, not [points, classes]", (long long)(f->n[0] * f->n[1]),
                         wg_shape_text(&shape, text, sizeof text));
    }
    wg_tensor p = (wg_softmax)(scores, (wg_softmax_options){wg_softmax_defaults});
    float *copy = wg_arena(tape, (size_t)wg_size(p) * sizeof *copy);
    if (!copy)
        return tape->status ? tape->status : wg_no_memory(tape, "wg_plot_boundary", (size_t)wg_size(p) * sizeof *copy);
    for (int64_t i = 0, n = wg_size(p); i < n; i++)
        copy[i] = (float)(wg_element)(p, i);
    f->p = copy;
    f->classes = type.dim[1];
    return tape->status;
}

static int64_t likeliest(const float *p, int64_t classes)
{
    int64_t best = 0;
    for (int64_t k = 1; k < classes; k++)
        if (p[k] > p[best])
            best = k;
    return best;
}

/* ---- Colour ------------------------------------------------------------------------------------------------------ */
/* Palette entry: `levels` steps of confidence for each hue. */
static unsigned char entry_of(const field *f, const float *p, int64_t hues, int64_t levels)
{
    int64_t best = likeliest(p, f->classes);
    double least = 1 / (double)f->classes, sure = ((double)p[best] - least) / (1 - least);
    int64_t level = sure > 0 ? (int64_t)(sure * (double)(levels - 1) + 0.5) : 0; /* NaN: not sure at all */
    return (unsigned char)(best % hues * levels + (level < levels ? level : levels - 1));
}

/* A small image of palette colours with opacity, the highest row first. */
static void put_field(wg_text *svg, const field *f)
{
    int64_t hues = f->classes < HUES ? f->classes : HUES, levels = 256 / hues;
    unsigned char palette[4 * 256], *pixels = wg_arena(svg->tape, (size_t)(f->n[0] * f->n[1]));
    if (!pixels) {
        svg->failed = true;
        return;
    }
    for (int64_t row = 0; row < f->n[1]; row++)
        for (int64_t i = 0; i < f->n[0]; i++)
            pixels[(f->n[1] - 1 - row) * f->n[0] + i] =
                entry_of(f, f->p + (row * f->n[0] + i) * f->classes, hues, levels);
    for (int64_t i = 0; i < hues * levels; i++) {
        unsigned long rgb = strtoul(wg_color_light(hue[i / levels]) + 1, NULL, 16);
        for (int k = 0; k < 3; k++)
            palette[4 * i + k] = (unsigned char)(rgb >> (16 - 8 * k));
        palette[4 * i + 3] = (unsigned char)(255 * (0.03 + 0.27 * (double)(i % levels) / (double)(levels - 1)));
    }
    wg_put(svg,
           "<image x=\"%d\" y=\"%d\" width=\"%g\" height=\"%g\" preserveAspectRatio=\"none\" "
           "href=\"data:image/png;base64,",
           LEFT, TOP, f->size[0], f->size[1]);
    if (!wg_put_png(svg, (int)f->n[0], (int)f->n[1], pixels, palette, (int)(hues * levels)))
        svg->failed = true;
    wg_put(svg, "\"/>\n");
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */
/* What a line is the zero of, at a point of the grid: p[which] - level, or with level < 0 how far the class `which` is
 * ahead of all others. */
typedef struct {
    const field *f;
    int64_t which;
    double level;
} contour;

static double contour_at(const contour *c, int64_t i, int64_t row)
{
    const float *p = c->f->p + (row * c->f->n[0] + i) * c->f->classes;
    double other = c->level;
    for (int64_t k = 0; c->level < 0 && k < c->f->classes; k++)
        if (k != c->which)
            other = fmax(other, (double)p[k]);
    return (double)p[c->which] - other;
}

/* A line enters a cell by one edge and leaves it by another: it is followed from cell to cell, each edge taken once. */
typedef struct {
    contour c;
    unsigned char *taken; /* a bit an edge of each cell */
    long at[2];           /* the last point put, in tenths of a pixel */
} tracing;

/* Where on the edge from corner k to the next of the cell at (i, row) the line is; corners run around from the lowest
 * left. A step from the last point takes fewer digits than a place on the page. */
static void put_crossing(wg_text *svg, tracing *t, int64_t i, int64_t row, int k, const double *corner, bool first)
{
    static const int right[] = {0, 1, 1, 0, 0}, up[] = {0, 0, 1, 1, 0};
    const field *f = t->c.f;
    double s = corner[k] / (corner[k] - corner[(k + 1) % 4]);
    double x = (double)i + right[k] + s * (right[k + 1] - right[k]), y = (double)row + up[k] + s * (up[k + 1] - up[k]);
    long to[] = {lround(10 * (LEFT + x * f->size[0] / (double)(f->n[0] - 1))),
                 lround(10 * (TOP + f->size[1] - y * f->size[1] / (double)(f->n[1] - 1)))};
    long from[] = {first ? 0 : t->at[0], first ? 0 : t->at[1]};
    wg_put(svg, "%c%g %g", first ? 'M' : 'l', (double)(to[0] - from[0]) / 10, (double)(to[1] - from[1]) / 10);
    memcpy(t->at, to, sizeof to);
}

/* Are all classes beyond the line in this cell ones whose own line runs here too, and is drawn before? */
static bool drawn_before(const contour *c, int64_t i, int64_t row, const double corner[4])
{
    const field *f = c->f;
    for (int k = 0; k < 4; k++) {
        int64_t at = (row + (k >= 2)) * f->n[0] + i + (k == 1 || k == 2);
        if (corner[k] < 0 && likeliest(f->p + at * f->classes, f->classes) > c->which)
            return false;
    }
    return true;
}

static int crossings(const contour *c, int64_t i, int64_t row, double corner[4], int edge[4])
{
    int n = 0;
    for (int k = 0; k < 4; k++)
        corner[k] = contour_at(c, i + (k == 1 || k == 2), row + (k >= 2));
    for (int k = 0; k < 4; k++)
        if ((corner[k] < 0) != (corner[(k + 1) % 4] < 0))
            edge[n++] = k;
    return c->level < 0 && n && drawn_before(c, i, row, corner) ? 0 : n;
}

static bool in_grid(const field *f, int64_t i, int64_t row)
{
    return i >= 0 && row >= 0 && i < f->n[0] - 1 && row < f->n[1] - 1;
}

/* From edge `from` of the cell on, as far as the line goes. */
static void put_traced(wg_text *svg, tracing *t, int64_t i, int64_t row, int from)
{
    static const int aside[] = {0, 1, 0, -1}, above[] = {-1, 0, 1, 0};
    bool first = true;
    while (in_grid(t->c.f, i, row)) {
        double corner[4];
        int edge[4], n = crossings(&t->c, i, row, corner, edge), at = 0;
        while (at < n && edge[at] != from)
            at++;
        unsigned char *taken = &t->taken[row * t->c.f->n[0] + i];
        if (at == n || *taken >> from & 1)
            return;
        int to = edge[at ^ 1]; /* of four, two and two belong together */
        *taken |= (unsigned char)(1 << from | 1 << to);
        if (first)
            put_crossing(svg, t, i, row, from, corner, true);
        put_crossing(svg, t, i, row, to, corner, first = false);
        i += aside[to];
        row += above[to];
        from = to ^ 2;
    }
}

/* First the lines that come in from outside, then the closed ones. */
static void put_contour(wg_text *svg, const field *f, int64_t which, double level, wg_stroke stroke)
{
    size_t cells = (size_t)(f->n[0] * f->n[1]);
    tracing t = {{f, which, level}, wg_arena(svg->tape, cells), {0, 0}};
    if (!t.taken) {
        svg->failed = true;
        return;
    }
    memset(t.taken, 0, cells);
    wg_svg_path_begin(svg, stroke);
    for (int closed = 0; closed < 2; closed++)
        for (int64_t row = 0; row < f->n[1] - 1; row++)
            for (int64_t i = 0; i < f->n[0] - 1; i++) {
                double corner[4];
                int edge[4], n = crossings(&t.c, i, row, corner, edge);
                for (int k = 0; k < n; k++) {
                    int e = edge[k];
                    bool border = (e == 0 && !row) || (e == 1 && i == f->n[0] - 2) || (e == 2 && row == f->n[1] - 2) ||
                                  (e == 3 && !i);
                    if ((closed || border) && !(t.taken[row * f->n[0] + i] >> e & 1))
                        put_traced(svg, &t, i, row, e);
                }
            }
    wg_svg_path_end(svg);
}

/* ---- Points, axes, legend ---------------------------------------------------------------------------------------- */
/* Circle, triangle, square, diamond in turn, around (0, 0); as markers of a path, a point of it costs a dozen bytes. */
static void put_shapes(wg_text *svg, int64_t classes)
{
    static const char *const shape[] = {"M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0z", "M0-4.2l4 7h-8z",
                                        "M-3-3h6v6h-6z", "M0-4.2l4.2 4.2l-4.2 4.2l-4.2-4.2z"};
    wg_put(svg, "<defs>\n");
    for (int64_t k = 0; k < classes && k < SHAPES; k++)
        wg_put(svg,
               "<marker id=\"m%lld\" markerUnits=\"userSpaceOnUse\" overflow=\"visible\"><path d=\"%s\" fill=\"%s\" "
               "stroke=\"%s\"/></marker>\n",
               (long long)k, shape[k % 4], wg_color_light(hue[k % HUES]), wg_color_light(WG_COLOR_page));
    wg_put(svg, "</defs>\n");
}

/* A path with a marker at each of its points; its last step goes nowhere, and has none. */
static void put_markers_begin(wg_text *svg, int64_t kind)
{
    wg_put(svg, "<path fill=\"none\" marker-start=\"url(#m%lld)\" marker-mid=\"url(#m%lld)\" d=\"", (long long)kind,
           (long long)kind);
}

static void put_markers_end(wg_text *svg) { wg_put(svg, "h0\"/>\n"); }

/* Evenly chosen ones, class by class; returns how many. What is not finite or of no class is left out. */
static int64_t put_points(wg_text *svg, const field *f, wg_tensor x, wg_tensor y)
{
    int64_t n = wg_size(y), most = n < MOST_POINTS ? n : MOST_POINTS, drawn = 0;
    int64_t kinds = f->classes < SHAPES ? f->classes : SHAPES;
    for (int64_t kind = 0; kind < kinds; kind++) {
        int64_t before = drawn;
        for (int64_t k = 0; k < most; k++) {
            int64_t i = (int64_t)((double)k * (double)n / (double)most);
            double at[] = {(wg_element)(x, 2 * i), (wg_element)(x, 2 * i + 1)}, class = (wg_element)(y, i);
            if (!isfinite(at[0]) || !isfinite(at[1]) || class < 0 || class >= (double)f->classes ||
                (int64_t) class % SHAPES != kind)
                continue;
            if (drawn == before)
                put_markers_begin(svg, kind);
            wg_put(svg, drawn++ == before ? "M%.1f %.1f" : "L%.1f %.1f", across(f, at[0]), down(f, at[1]));
        }
        if (drawn > before)
            put_markers_end(svg);
    }
    return drawn;
}

static void put_axes(wg_text *svg, const field *f)
{
    for (int k = 0; k < 2; k++) {
        double step = wg_tick_step(f->low[k], f->high[k], 5);
        for (double i = ceil(f->low[k] / step); i * step <= f->high[k]; i++) {
            char text[32];
            wg_tick_text(i * step, step, text, sizeof text);
            if (k)
                wg_svg_words(svg, LEFT - 8, down(f, i * step) + 3.6,
                             (wg_words){.color = WG_COLOR_muted, .anchor = WG_END}, text);
            else
                wg_svg_words(svg, across(f, i * step), TOP + f->size[1] + 16,
                             (wg_words){.color = WG_COLOR_muted, .anchor = WG_MIDDLE}, text);
        }
    }
}

/* Below: the markers of the first classes, then the lines where there are two classes; at the right how many points. */
static void put_legend(wg_text *svg, const field *f, int64_t drawn, int64_t n)
{
    const wg_words small = {.size = 11, .color = WG_COLOR_muted};
    int64_t named = f->classes < 6 ? f->classes : 6;
    double y = TOP + f->size[1] + 40, x = LEFT + 5;
    for (int64_t k = 0; k < named; k++, x += 70) {
        char text[32];
        snprintf(text, sizeof text, k == 5 && f->classes > 6 ? "\xe2\x80\xa6" : "class %lld", (long long)k);
        put_markers_begin(svg, k);
        wg_put(svg, "M%.1f %.1f", x, y - 4);
        put_markers_end(svg);
        wg_svg_words(svg, x + 9, y, small, text);
    }
    if (f->classes == 2) {
        wg_svg_line(svg, x + 2, y - 4, x + 26, y - 4, (wg_stroke){WG_COLOR_ink, 2.4, NULL});
        wg_svg_words(svg, x + 32, y, small, "p = 0.5");
        wg_svg_line(svg, x + 90, y - 4, x + 114, y - 4, (wg_stroke){WG_COLOR_ink, 1, "3 3"});
        wg_svg_words(svg, x + 120, y, small, "p = 0.1 and 0.9");
    }
    if (drawn < n && f->classes <= 5) {
        char text[64], some[24], all[24];
        snprintf(text, sizeof text, "%s of %s points", wg_count_text(drawn, some, sizeof some),
                 wg_count_text(n, all, sizeof all));
        wg_svg_words(svg, LEFT + SIDE, y, (wg_words){.size = 11, .color = WG_COLOR_muted, .anchor = WG_END}, text);
    }
}

/* ---- The chart --------------------------------------------------------------------------------------------------- */
static wg_status plotted(wg_classifier *classify, void *user, wg_tensor x, wg_tensor y, const char *path,
                         const wg_plot_boundary_options *o)
{
    wg_plain plain;
    wg_text svg = {.tape = x.tape};
    field f = field_of(x);
    wg_status status = field_filled(&f, classify, user, x.tape, wg_type_of(x).dtype);
    if (status)
        return status;
    const char *title = o->title ? o->title : "decision boundary";
    wg_svg_begin(&svg, &plain, WIDTH, (int)f.size[1] + TOP + BELOW, title);
    wg_svg_heading(&svg, LEFT, LEFT + SIDE, title, o->note);
    put_shapes(&svg, f.classes);
    put_field(&svg, &f);
    if (f.classes == 2) {
        put_contour(&svg, &f, 1, 0.1, (wg_stroke){WG_COLOR_ink, 1, "3 3"});
        put_contour(&svg, &f, 1, 0.9, (wg_stroke){WG_COLOR_ink, 1, "3 3"});
        put_contour(&svg, &f, 1, 0.5, (wg_stroke){WG_COLOR_ink, 2.4, NULL});
    }
    for (int64_t k = 0; f.classes > 2 && k < f.classes - 1; k++)
        put_contour(&svg, &f, k, -1, (wg_stroke){WG_COLOR_ink, 1.6, NULL});
    int64_t drawn = put_points(&svg, &f, x, y);
    put_axes(&svg, &f);
    put_legend(&svg, &f, drawn, wg_size(y));
    return wg_svg_end(&svg, &plain, "wg_plot_boundary", path);
}

static wg_status checked(wg_classifier *f, wg_tensor x, wg_tensor y)
{
    wg_tape *tape = x.tape;
    if (!wg_node_of(x, "wg_plot_boundary") || !wg_node_of(y, "wg_plot_boundary"))
        return tape->status ? tape->status : WG_ERROR_VALUE;
    if (!f || y.tape != tape)
        return wg_report(tape, "wg_plot_boundary", WG_ERROR_VALUE,
                         f ? "x and y are of different tapes" : "the classifier is NULL");
    wg_type a = wg_type_of(x), b = wg_type_of(y);
    if (a.rank != 2 || a.dim[1] != 2 || b.rank != 1 || b.dim[0] != a.dim[0] || !wg_is_float(a.dtype) ||
        !wg_is_integer(b.dtype))
        return wg_report(tape, "wg_plot_boundary", WG_ERROR_SHAPE,
                         "x is not [n, 2] of floats, or y not [n] of integers");
    return WG_OK;
}

wg_status(wg_plot_boundary)(wg_classifier *f, void *user, wg_tensor x, wg_tensor y, const char *path,
                            wg_plot_boundary_options options)
{
    wg_tape *tape = x.tape;
    if (!tape || tape->status)
        return tape ? tape->status : WG_ERROR_VALUE;
    uint32_t held = wg_hold_place(tape);
    wg_status status = checked(f, x, y);
    if (!status) {
        wg_mark before = wg_tape_mark(tape);
        wg_no_grad_begin(tape);
        status = plotted(f, user, x, y, path, &options);
        wg_no_grad_end(tape);
        (wg_rewind)(tape, before);
    }
    wg_let_go_place(tape, held);
    return status;
}
