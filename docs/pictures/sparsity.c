/* The pattern of a sparse Jacobian, read off the tape, in the colours of its columns; beside it what is computed:
 * columns of a colour together, one forward pass each. Of Bratu's equation, u_xx + u_yy + exp(u) = 0 on a grid:
 * sparsity FILE. */
#include <stdio.h>
#include <wengert.h>

#include "graph/svg.h"

enum {
    SIDE = 8, /* points of the grid, in each direction */
    N = SIDE * SIDE,
    CELL = 7, /* pixels */
    LEFT = 14,
    TOP = 40,
    GAP = 40,   /* between the matrices */
    WORDS = 66, /* "as computed" */
    MOST = 8    /* colours */
};

static const wg_color colors[MOST] = {WG_COLOR_input_line, WG_COLOR_param_line, WG_COLOR_loss_line, WG_COLOR_kept,
                                      WG_COLOR_op_line,    WG_COLOR_bad_line,   WG_COLOR_heat6,     WG_COLOR_heat1};
static const wg_stroke frame = {WG_COLOR_scope_line, 1, NULL};

/* The grid one point further along an axis, or back; zeros come in. */
static wg_tensor shifted(wg_tensor u, int axis, bool back)
{
    wg_tensor edge = wg_full(u.tape, WG_FLOAT64, axis ? WG_SHAPE(SIDE, 1) : WG_SHAPE(1, SIDE), 0);
    wg_tensor rest = wg_narrow(u, axis, back, SIDE - 1);
    return back ? wg_concat(WG_TENSORS(rest, edge), .axis = axis) : wg_concat(WG_TENSORS(edge, rest), .axis = axis);
}

static wg_tensor bratu(wg_tensor u)
{
    wg_tensor sum = wg_subtract(wg_exp(u), wg_multiply(4, u));
    for (int i = 0; i < 4; i++)
        sum = wg_add(sum, shifted(u, i / 2, i % 2));
    return sum;
}

static void put_cell(wg_text *svg, double left, int64_t row, int64_t column, int color)
{
    wg_put(svg, "<rect x=\"%g\" y=\"%g\" width=\"%d\" height=\"%d\" fill=\"%s\"/>\n",
           left + CELL * (double)column + 0.5, TOP + CELL * (double)row + 0.5, CELL - 1, CELL - 1,
           wg_color_light(colors[color % MOST]));
}

static void put_frame(wg_text *svg, double left, int columns)
{
    double right = left + CELL * columns, bottom = TOP + CELL * N;
    wg_svg_line(svg, left, TOP, right, TOP, frame);
    wg_svg_line(svg, left, bottom, right, bottom, frame);
    wg_svg_line(svg, left, TOP, left, bottom, frame);
    wg_svg_line(svg, right, TOP, right, bottom, frame);
}

int main(int argc, char **argv)
{
    wg_tape *tape = wg_tape_new();
    if (argc != 2 || !tape) {
        fputs("usage: sparsity FILE\n", stderr);
        return 2;
    }
    wg_tensor u = wg_full(tape, WG_FLOAT64, WG_SHAPE(SIDE, SIDE), 0.1), y = bratu(u);
    wg_sparsity *s = wg_jacobian_sparsity(&y, 1, &u, 1, .coloring = WG_COLORING_COLUMNS);
    wg_sparse j = wg_sparsity_pattern(s);
    int passes = wg_forward_passes(s);
    double right = LEFT + CELL * N + GAP;
    char note[100];
    snprintf(note, sizeof note, "%d columns, %d colours", N, passes);
    wg_text svg = {.tape = tape};
    wg_plain plain;
    wg_svg_begin(&svg, &plain, (int)right + (CELL * passes > WORDS ? CELL * passes : WORDS) + LEFT,
                 TOP + CELL * N + LEFT, "a sparse Jacobian");
    wg_svg_heading(&svg, LEFT, LEFT + CELL * N, "Bratu's equation: the Jacobian", note);
    wg_svg_words(&svg, right, 22, (wg_words){.size = 11, .color = WG_COLOR_muted}, "as computed");
    put_frame(&svg, LEFT, N);
    put_frame(&svg, right, passes);
    for (int64_t k = 0; k < j.n; k++) {
        int color = wg_column_color(s, j.column[k]);
        put_cell(&svg, LEFT, j.row[k], j.column[k], color);
        put_cell(&svg, right, j.row[k], color, color);
    }
    int failed = wg_svg_end(&svg, &plain, "sparsity", argv[1]) != WG_OK || wg_failed(tape);
    if (failed)
        fprintf(stderr, "%s\n", wg_error(tape));
    wg_tape_free(tape);
    return failed;
}
