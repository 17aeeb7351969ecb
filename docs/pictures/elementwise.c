/* One sheet with every elementwise operation of one operand: its graph, and that of its derivative as the chain rule
 * gives it. All of it comes from the entries: elementwise FILE. */
#include <stdio.h>
#include <wengert.h>
#include <wengert/sample.h>

#include "graph/svg.h"

enum {
    COLUMNS = 8,
    CELL = 104, /* pixels from one plot to the next */
    SIZE = 92,  /* of a plot */
    TOP = 48,
    NAME = 14,  /* pixels, above a plot */
    EDGE = 12,
    POINTS = 4 * SIZE + 1
};

#define REACH 4.0 /* x and y go from -REACH to REACH */
#define MOST 128  /* operations */

static const wg_stroke frame = {WG_COLOR_scope_line, 1, NULL}, value_line = {WG_COLOR_input_line, 1.6, NULL};
static const wg_stroke slope_line = {WG_COLOR_heat4, 1.3, "4 2.5"};

typedef struct {
    double x[POINTS], y[POINTS], slope[POINTS];
} graph;

/* ---- What the entry computes ------------------------------------------------------------------------------------- */
static bool is_plotted(const wg_op *op)
{
    return op->map && op->map->slope[0] && wg_op_operands(op) == 1 && !op->hidden && !op->surrogate;
}

/* Options of the entry's first sample where some must be given; else the defaults. */
static bool graph_made(wg_tape *tape, const wg_op *op, graph *g)
{
    bool required = false;
    wg_sample sample;
    wg_tensor y, dx;
    for (int i = 0; op->options && i < op->options->n; i++)
        required |= op->options->attr[i].required;
    if (required && wg_sample_make(tape, op, op->samples[0], WG_FLOAT64, 1, &sample))
        return false;
    for (int i = 0; i < POINTS; i++)
        g->x[i] = -REACH + 2 * REACH * i / (POINTS - 1);
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(POINTS), g->x);
    if (wg_record_on(tape, op, required ? sample.options : NULL, &x, 1, &y, 1))
        return false;
    wg_tensor one = wg_add(wg_multiply(x, 0), 1);
    if (wg_vjp(&y, &one, 1, &x, 1, &dx))
        return false;
    if (wg_copy_out(y, g->y) || wg_copy_out(dx, g->slope))
        return false;
    for (int i = 0; i < POINTS; i++) /* 1 / x is no derivative where the logarithm is none */
        g->slope[i] = isnan(g->y[i]) ? g->y[i] : g->slope[i];
    return true;
}

/* ---- The plot ---------------------------------------------------------------------------------------------------- */
/* A line over the points, broken where it jumps or leaves the plot; points that lie on it anyway are left out. */
static void put_line(wg_text *svg, double left, double middle, const double *v, double steepest, wg_stroke stroke)
{
    double step = (double)SIZE / (POINTS - 1), scale = SIZE / (2 * REACH);
    int from = -1; /* the last point put */
    wg_svg_path_begin(svg, stroke);
    for (int i = 0; i < POINTS; i++) {
        bool inside = fabs(v[i]) <= REACH;
        bool joined = from >= 0 && inside && fabs(v[i] - v[i - 1]) < steepest;
        bool ends = i + 1 == POINTS || !(fabs(v[i + 1]) <= REACH) || fabs(v[i + 1] - v[i]) >= steepest;
        if (!inside) {
            from = -1;
            continue;
        }
        if (joined && !ends) {
            double worst = 0; /* pixels, of the points in between from the line to the next one */
            for (int k = from + 1; k <= i; k++)
                worst = fmax(worst, scale * fabs(v[from] + (v[i + 1] - v[from]) * (k - from) / (i + 1 - from) - v[k]));
            if (worst < 0.25)
                continue;
        }
        if (joined || !ends) {
            wg_put(svg, "%c%.1f %.1f", joined ? 'L' : 'M', left + step * i, middle - scale * v[i]);
            from = i;
        }
    }
    wg_svg_path_end(svg);
}

static void put_plot(wg_text *svg, double left, double top, const char *name, const graph *g)
{
    double middle = top + SIZE / 2.0, right = left + SIZE, bottom = top + SIZE;
    wg_svg_words(svg, left, top - 4, (wg_words){.color = WG_COLOR_ink}, name);
    wg_svg_line(svg, left, middle, right, middle, frame);
    wg_svg_line(svg, left + SIZE / 2.0, top, left + SIZE / 2.0, bottom, frame);
    put_line(svg, left, middle, g->slope, 0.4, slope_line);
    put_line(svg, left, middle, g->y, 0.4, value_line);
}

static int operations(const wg_op **list)
{
    int n = 0;
    for (int f = 0; wg_op_family(f); f++)
        for (int i = 0; i < wg_op_family(f)->n && !strcmp(wg_op_family(f)->name, "elementwise"); i++)
            if (is_plotted(wg_op_family(f)->op[i]) && n < MOST)
                list[n++] = wg_op_family(f)->op[i];
    return n;
}

int main(int argc, char **argv)
{
    const wg_op *list[MOST];
    int n = operations(list), rows = (n + COLUMNS - 1) / COLUMNS;
    wg_tape *tape = wg_tape_new();
    wg_text svg = {.tape = tape};
    wg_plain plain;
    static graph g;
    if (argc != 2 || !tape) {
        fputs("usage: elementwise FILE\n", stderr);
        return 2;
    }
    wg_svg_begin(&svg, &plain, 2 * EDGE + COLUMNS * CELL - (CELL - SIZE), TOP + rows * (CELL + NAME),
                 "elementwise operations");
    wg_svg_heading(&svg, EDGE, EDGE + COLUMNS * CELL - (CELL - SIZE), "elementwise operations",
                   "solid: the function, dashed: its derivative; both axes from -4 to 4");
    for (int i = 0; i < n; i++) {
        if (!graph_made(tape, list[i], &g))
            break;
        put_plot(&svg, EDGE + i % COLUMNS * CELL, TOP + NAME + i / COLUMNS * (CELL + NAME), list[i]->name, &g);
    }
    int failed = wg_svg_end(&svg, &plain, "elementwise", argv[1]) != WG_OK || wg_failed(tape);
    if (failed)
        fprintf(stderr, "%s\n", wg_error(tape));
    wg_tape_free(tape);
    return failed;
}
