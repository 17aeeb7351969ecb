/* The confusion matrix: a table of counts whose cells are the stronger, the greater their share of the row. */
#include "graph/svg.h"
#include "wengert/charts.h"

enum { LEFT = 84, TOP = 64, SIDE = 400, RIGHT = 64, BELOW = 48, NUMBERED = 32, MOST_CLASSES = 256 };

typedef struct {
    const wg_confusion *of;
    wg_text *svg;
    int left, top; /* of the cells, in pixels */
    bool turned;   /* the names above are written upwards */
    double cell;   /* pixels */
    double size;   /* of the numbers; 0: none */
} matrix;

static int64_t count_at(const matrix *m, int64_t row, int64_t column) { return m->of->counts[row * m->of->n + column]; }

static int64_t row_total(const matrix *m, int64_t row)
{
    int64_t total = 0;
    for (int64_t k = 0; k < m->of->n; k++)
        total += count_at(m, row, k);
    return total;
}

static int64_t column_total(const matrix *m, int64_t column)
{
    int64_t total = 0;
    for (int64_t k = 0; k < m->of->n; k++)
        total += count_at(m, k, column);
    return total;
}

/* "97 %", "-" where there is nothing to take a share of. */
static char *share_text(int64_t part, int64_t of, char *out, size_t size)
{
    snprintf(out, size, of ? "%.0f %%" : "-", of ? 100 * (double)part / (double)of : 0);
    return out;
}

static const char *class_text(const matrix *m, int64_t k, char *out, size_t size)
{
    if (m->of->name && m->of->name[k])
        return m->of->name[k];
    snprintf(out, size, "%lld", (long long)k);
    return out;
}

/* Cells on the diagonal are the right ones. No cell is so strong that its number could not be read on it. */
static void put_cell(const matrix *m, int64_t row, int64_t column)
{
    int64_t n = count_at(m, row, column), total = row_total(m, row);
    double x = m->left + m->cell * (double)column, y = m->top + m->cell * (double)row;
    char text[32];
    if (n <= 0)
        return;
    wg_put(m->svg, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\" fill-opacity=\"%.2f\"/>\n",
           x, y, m->cell, m->cell, wg_color_light(row == column ? WG_COLOR_input_line : WG_COLOR_heat4),
           0.06 + 0.5 * (double)n / (double)total);
    if (m->size > 0)
        wg_svg_words(m->svg, x + m->cell / 2, y + m->cell / 2 + 0.36 * m->size,
                     (wg_words){.size = m->size, .color = WG_COLOR_ink, .anchor = WG_MIDDLE, .bold = row == column},
                     wg_count_text(n, text, sizeof text));
}

static void put_labels(const matrix *m)
{
    int64_t n = m->of->n;
    wg_words name = {.size = m->cell < 14 ? m->cell * 0.7 : 10, .color = WG_COLOR_muted};
    for (int64_t k = 0; k < n; k++) {
        char number[32], text[32];
        double middle = m->cell * ((double)k + 0.5);
        const char *label = class_text(m, k, number, sizeof number);
        name.anchor = WG_END;
        wg_svg_words(m->svg, m->left - 8, m->top + middle + 0.36 * name.size, name, label);
        name.anchor = m->turned ? WG_START : WG_MIDDLE;
        name.upward = m->turned;
        wg_svg_words(m->svg, m->left + middle + (m->turned ? 0.36 * name.size : 0), m->top - 8, name, label);
        name.upward = false;
        if (m->size <= 0)
            continue;
        name.anchor = WG_START;
        wg_svg_words(m->svg, m->left + SIDE + 8, m->top + middle + 3.6, name,
                     share_text(count_at(m, k, k), row_total(m, k), text, sizeof text));
        name.anchor = WG_MIDDLE;
        wg_svg_words(m->svg, m->left + middle, m->top + SIDE + 16, name,
                     share_text(count_at(m, k, k), column_total(m, k), text, sizeof text));
    }
}

static void put_frame(const matrix *m)
{
    const wg_words small = {.color = WG_COLOR_muted, .anchor = WG_MIDDLE};
    double end = m->top + SIDE;
    wg_put(m->svg, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"%s\"/>\n", m->left,
           m->top, SIDE, SIDE, wg_color_light(WG_COLOR_scope_line));
    wg_svg_words(m->svg, 14, m->top + SIDE / 2.0,
                 (wg_words){.color = WG_COLOR_muted, .anchor = WG_MIDDLE, .upward = true}, "true class");
    if (m->size > 0) {
        wg_svg_words(m->svg, m->left + SIDE + 8, m->top - 8, (wg_words){.color = WG_COLOR_muted}, "recall");
        wg_svg_words(m->svg, m->left - 8, end + 16, (wg_words){.color = WG_COLOR_muted, .anchor = WG_END}, "precision");
    }
    wg_svg_words(m->svg, m->left + SIDE / 2.0, end + 36, small, "predicted class");
}

/* Names need more room than numbers. */
static void make_room(matrix *m)
{
    size_t longest = 0;
    for (int64_t k = 0; m->of->name && k < m->of->n; k++)
        if (m->of->name[k] && wg_text_width(m->of->name[k]) > longest)
            longest = wg_text_width(m->of->name[k]);
    int width = (int)(5.4 * (double)(longest < 40 ? longest : 40));
    m->turned = width > m->cell;
    if (width + 36 > m->left)
        m->left = width + 36;
    if (m->turned)
        m->top = 44 + width;
}

static void put_chart(const matrix *m, const char *title)
{
    int64_t n = m->of->n, right = 0, total = 0;
    char note[64], all[32];
    for (int64_t k = 0; k < n; k++) {
        right += count_at(m, k, k);
        total += row_total(m, k);
    }
    snprintf(note, sizeof note, "%.2f %% of %s right", total ? 100 * (double)right / (double)total : 0,
             wg_count_text(total, all, sizeof all));
    wg_svg_heading(m->svg, m->left, m->left + SIDE, title, note);
    for (int64_t row = 0; row < n; row++)
        for (int64_t column = 0; column < n; column++)
            put_cell(m, row, column);
    put_frame(m);
    put_labels(m);
}

wg_status(wg_plot_confusion)(wg_tape *tape, const wg_confusion *confusion, const char *path)
{
    if (!tape)
        return WG_ERROR_VALUE;
    if (tape->status)
        return tape->status;
    if (!confusion || !confusion->counts || confusion->n < 1 || confusion->n > MOST_CLASSES)
        return wg_report(tape, "wg_plot_confusion", WG_ERROR_VALUE,
                         confusion && confusion->counts ? "%lld classes" : "there are no counts",
                         confusion ? (long long)confusion->n : 0LL);
    for (int64_t i = 0; i < confusion->n * confusion->n; i++)
        if (confusion->counts[i] < 0)
            return wg_report(tape, "wg_plot_confusion", WG_ERROR_VALUE, "count %lld is negative", (long long)i);
    wg_short_mark before = wg_short_at(tape);
    wg_plain plain;
    wg_text svg = {.tape = tape};
    double cell = (double)SIDE / (double)confusion->n;
    matrix m = {.of = confusion,
                .svg = &svg,
                .left = LEFT,
                .top = TOP,
                .cell = cell,
                .size = confusion->n <= NUMBERED ? fmin(11, cell * 0.34) : 0};
    make_room(&m);
    const char *title = confusion->title ? confusion->title : "confusion matrix";
    wg_svg_begin(&svg, &plain, m.left + SIDE + RIGHT, m.top + SIDE + BELOW, title);
    put_chart(&m, title);
    wg_status status = wg_svg_end(&svg, &plain, "wg_plot_confusion", path);
    wg_short_back(tape, before);
    wg_forget_place(tape);
    return status;
}
