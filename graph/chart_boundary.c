/* The decision boundary of a classifier in the plane. The field is a small PNG inside the SVG, a pixel a cell, its class's
 * colour made the stronger the surer it is. */
#include <stdlib.h>

#include "graph/file.h"
#include "graph/png.h"
#include "graph/svg.h"
#include "wengert/charts.h"
#include "wengert/softmax.h"

enum { WIDTH = 560, HEIGHT = 560, LEFT = 44, TOP = 44, SIDE = 480, CELLS = 96, MOST_POINTS = 800, SHADES = 16 };

#define N_COLORS 6
static const wg_color class_color[N_COLORS] = {WG_COLOR_input_line, WG_COLOR_heat4, WG_COLOR_kept, WG_COLOR_loss_line, WG_COLOR_heat1,
                                       WG_COLOR_muted};

typedef struct {
    double low[2], high[2];
} frame;

static frame frame_of(wg_tensor x)
{
    frame f = {{(double)INFINITY, (double)INFINITY}, {-(double)INFINITY, -(double)INFINITY}};
    for (int64_t i = 0, n = wg_size(x); i < n; i++) {
        double v = (wg_element)(x, i);
        f.low[i % 2] = fmin(f.low[i % 2], v);
        f.high[i % 2] = fmax(f.high[i % 2], v);
    }
    for (int k = 0; k < 2; k++) {
        double margin = 0.08 * (f.high[k] - f.low[k]);
        f.low[k] -= margin > 0 ? margin : 1;
        f.high[k] += margin > 0 ? margin : 1;
    }
    return f;
}

static double across(const frame *f, double x) { return LEFT + SIDE * (x - f->low[0]) / (f->high[0] - f->low[0]); }
static double down(const frame *f, double y) { return TOP + SIDE - SIDE * (y - f->low[1]) / (f->high[1] - f->low[1]); }

/* The middles of the cells, [CELLS^2, 2]. */
static wg_tensor grid(wg_tape *tape, const frame *f)
{
    wg_type type = {.dtype = WG_FLOAT32, .rank = 2, .dim = {CELLS * CELLS, 2}};
    wg_tensor t = wg_leaf(tape, &type, NULL, WG_NODE_CUT, "wg_plot_boundary");
    if (!wg_is_tensor(t))
        return t;
    float *at = wg_node_at(tape, t.node)->data;
    for (int64_t i = 0; i < CELLS * CELLS; i++)
        for (int k = 0; k < 2; k++) {
            double part = ((double)(k ? i / CELLS : i % CELLS) + 0.5) / CELLS;
            at[2 * i + k] = (float)(f->low[k] + part * (f->high[k] - f->low[k]));
        }
    return t;
}

/* A cell's entry in the palette: its class and how sure it is, from nothing to the full strength in steps. */
static unsigned char cell_entry(wg_tensor p, int64_t cell, int64_t classes)
{
    int64_t best = 0;
    for (int64_t k = 1; k < classes; k++)
        best = (wg_element)(p, cell * classes + k) > (wg_element)(p, cell * classes + best) ? k : best;
    double sure = ((wg_element)(p, cell * classes + best) * (double)classes - 1) / ((double)classes - 1);
    return (unsigned char)(best % N_COLORS * SHADES + (int64_t)((sure >= 0 ? sure : 0) * (SHADES - 1) + 0.5));
}

static bool put_field(wg_text *svg, wg_tensor probabilities, int64_t classes)
{
    unsigned char cell[CELLS * CELLS], palette[4 * N_COLORS * SHADES];
    for (int64_t row = 0; row < CELLS; row++)
        for (int64_t i = 0; i < CELLS; i++)
            cell[(CELLS - 1 - row) * CELLS + i] = cell_entry(probabilities, row * CELLS + i, classes);
    for (int64_t i = 0; i < N_COLORS * SHADES; i++) {
        unsigned long rgb = strtoul(wg_color_light(class_color[i / SHADES]) + 1, NULL, 16);
        for (int k = 0; k < 3; k++)
            palette[4 * i + k] = (unsigned char)(rgb >> (16 - 8 * k));
        palette[4 * i + 3] = (unsigned char)(12 + 128 * (i % SHADES) / (SHADES - 1));
    }
    wg_put(svg, "<image x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" preserveAspectRatio=\"none\" href=\"data:image/png;base64,",
           LEFT, TOP, SIDE, SIDE);
    bool fine = wg_put_png(svg, CELLS, CELLS, cell, palette, (int)(N_COLORS * SHADES));
    wg_put(svg, "\"/>\n");
    return fine;
}

/* Circles, squares, triangles, diamonds in turn. */
static void put_marker(wg_text *svg, double x, double y, int64_t kind)
{
    if (kind % 4 == 0)
        wg_put(svg, "M%.1f %.1fa3 3 0 1 0 6 0a3 3 0 1 0-6 0", x - 3, y);
    else if (kind % 4 == 1)
        wg_put(svg, "M%.1f %.1fh5.4v5.4h-5.4z", x - 2.7, y - 2.7);
    else if (kind % 4 == 2)
        wg_put(svg, "M%.1f %.1fl3.4 6h-6.8z", x, y - 3.6);
    else
        wg_put(svg, "M%.1f %.1fl3.8 3.8-3.8 3.8-3.8-3.8z", x, y - 3.8);
}

/* One path a class, so that ten thousand points stay a small file. */
static void put_points(wg_text *svg, const frame *f, wg_tensor x, wg_tensor y, int64_t classes)
{
    int64_t n = wg_size(y), step = n > MOST_POINTS ? (n + MOST_POINTS - 1) / MOST_POINTS : 1;
    for (int64_t k = 0; k < classes; k++) {
        wg_put(svg, "<path fill=\"%s\" stroke=\"%s\" stroke-width=\"0.7\" d=\"", wg_color_light(class_color[k % N_COLORS]),
               wg_color_light(WG_COLOR_page));
        for (int64_t i = 0; i < n; i += step)
            if ((int64_t)(wg_element)(y, i) == k)
                put_marker(svg, across(f, (wg_element)(x, 2 * i)), down(f, (wg_element)(x, 2 * i + 1)), k);
        wg_put(svg, "\"/>\n");
    }
}

static void put_axes(wg_text *svg, const frame *f)
{
    char text[32];
    for (int k = 0; k < 2; k++)
        for (int end = 0; end < 2; end++) {
            double v = end ? f->high[k] : f->low[k];
            snprintf(text, sizeof text, "%.2g", v);
            wg_svg_text(svg, k ? LEFT - 6 : LEFT + (end ? SIDE : 0), k ? TOP + (end ? 8 : SIDE) : TOP + SIDE + 16, text, 11,
                        WG_COLOR_muted, k ? WG_END : end ? WG_END : WG_START, false);
        }
}

static wg_status plotted(wg_plane_function *f, void *user, wg_tensor x, wg_tensor y, const char *title, wg_text *svg)
{
    wg_tape *tape = x.tape;
    frame view = frame_of(x);
    wg_tensor scores = f(grid(tape, &view), user);
    wg_type type = wg_type_of(scores);
    if (!wg_is_tensor(scores) || type.rank != 2 || type.dim[0] != CELLS * CELLS || type.dim[1] < 2)
        return tape->status ? tape->status
                            : wg_report(tape, "wg_plot_boundary", WG_ERROR_SHAPE, "the scores are not [points, classes]");
    wg_tensor p = (wg_softmax)(scores, (wg_softmax_options){wg_softmax_defaults});
    if (!wg_is_tensor(p))
        return tape->status;
    wg_svg_begin(svg, WIDTH, HEIGHT, title);
    wg_svg_text(svg, LEFT, 26, title, 13, WG_COLOR_ink, WG_START, true);
    bool field = put_field(svg, p, type.dim[1]);
    put_points(svg, &view, x, y, type.dim[1]);
    put_axes(svg, &view);
    wg_svg_end(svg);
    return svg->failed || !field ? wg_no_memory(tape, "wg_plot_boundary", svg->room) : WG_OK;
}

wg_status wg_plot_boundary(wg_plane_function *f, void *user, wg_tensor x, wg_tensor y, const char *title, const char *path)
{
    wg_tape *tape = x.tape;
    if (!tape || !wg_node_of(x, "wg_plot_boundary") || !wg_node_of(y, "wg_plot_boundary"))
        return WG_ERROR_VALUE;
    wg_type a = wg_type_of(x), b = wg_type_of(y);
    if (!f || !path)
        return wg_report(tape, "wg_plot_boundary", WG_ERROR_VALUE, "the %s is NULL", f ? "path" : "function");
    if (a.rank != 2 || a.dim[1] != 2 || b.rank != 1 || b.dim[0] != a.dim[0] || !wg_is_float(a.dtype) || !wg_is_integer(b.dtype))
        return wg_report(tape, "wg_plot_boundary", WG_ERROR_SHAPE, "x is not [n, 2] of floats, or y not [n] of integers");
    wg_mark before = wg_tape_mark(tape);
    wg_text svg = {.tape = tape};
    tape->no_grad++;
    wg_status status = plotted(f, user, x, y, title ? title : "decision boundary", &svg);
    tape->no_grad--;
    if (!status)
        status = wg_file_write(tape, "wg_plot_boundary", path, svg.data, svg.size);
    wg_rewind(tape, before);
    return status;
}
