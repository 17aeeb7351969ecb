/* Parameters as DOT: a card of those that one operation takes, a line each; gradients beside them as colour and
 * number. */
#include "graph/dot.h"

#define MOST_ROWS 12 /* parameters written out on one card */

/* ---- Heat -------------------------------------------------------------------------------------------------------- */
/* The step of the log scale: 0 to 5, or -1 for zero and NaN. */
static int step_of(double value, double top, double decades)
{
    if (!(value > 0))
        return -1;
    double step = (log10(value / top) + decades) * WG_HEATS / decades; /* NaN where both are infinite */
    return step >= WG_HEATS - 1 || step != step ? WG_HEATS - 1 : step <= 0 ? 0 : (int)step;
}

wg_color wg_heat_color(double value, double top, double decades)
{
    int step = step_of(value, top, decades);
    return step < 0 ? WG_COLOR_constant_line : (wg_color)(WG_COLOR_heat1 + step);
}

bool wg_edge_heat(const writer *w, const wg_edge *e, wg_color *color, double *pen)
{
    const wg_fact *node = fact_of(w, e->node);
    const wg_tensor_fact *t = &w->d->facts->output[node->output + (uint32_t)e->output];
    if (w->d->options.overlay != WG_SHOW_GRAD || w->d->side_by_side || !t->gradient || node->kind == WG_FACT_PARAMETER)
        return false;
    int step = step_of(t->gradient->norm, w->d->top_norm, WG_DECADES);
    *color = wg_heat_color(t->gradient->norm, w->d->top_norm, WG_DECADES);
    *pen = step < 0 ? 1.2 : 1.3 + 0.8 * step;
    return true;
}

void wg_put_gradient_cells(writer *w, double low, double high)
{
    wg_put(w->text,
           "<TD BGCOLOR=\"%s\" WIDTH=\"9\" FIXEDSIZE=\"TRUE\" HEIGHT=\"12\"></TD>"
           "<TD ALIGN=\"RIGHT\"><FONT COLOR=\"%s\" POINT-SIZE=\"10\">",
           wg_color_in(wg_heat_color(high, w->d->top_norm, WG_DECADES), w->dark), C(ink));
    if (low < high)
        wg_put(w->text, "&#160;%.3g\xe2\x80\x93%.3g</FONT></TD>", low, high);
    else
        wg_put(w->text, "&#160;%.3g</FONT></TD>", high);
}

/* Of a parameter, and of those of equal scopes that it draws. False: it is not to be seen. */
static bool gradient_norms(const writer *w, uint32_t param, double *low, double *high)
{
    *low = INFINITY;
    *high = -1;
    for (uint32_t i = param; i != WG_NOWHERE; i = w->d->peer[i]) {
        const wg_statistics *gradient = wg_fact_output(w->d->facts, i)->gradient;
        *low = gradient ? fmin(*low, gradient->norm) : *low;
        *high = gradient ? fmax(*high, gradient->norm) : *high;
    }
    return wg_dot_norms(w) && *high >= 0;
}

/* ---- Cards ------------------------------------------------------------------------------------------------------- */
/* A parameter's name without the path, or the end of the path, of the scope it is drawn in: in block.0.attn both
 * "block.0.attn.q" and "attn.q" are "q". */
static const char *short_name(const writer *w, uint32_t param, uint32_t scope)
{
    const char *name = wg_fact_output(w->d->facts, param)->name, *path = w->d->scope[scope].path;
    while (path && *path) {
        size_t n = strlen(path);
        if (!strncmp(name, path, n) && name[n] == '.')
            return name + n + 1;
        path = strchr(path, '.');
        path = path ? path + 1 : NULL;
    }
    return name;
}

static void put_row(writer *w, uint32_t param, uint32_t scope, const wg_look *look, bool gradient)
{
    char form[96];
    double low, high;
    bool norms = gradient && gradient_norms(w, param, &low, &high);
    wg_put(w->text, "<TR><TD ALIGN=\"LEFT\"><FONT COLOR=\"%s\"><B>", wg_color_in(look->ink, w->dark));
    wg_put_label(w->text, short_name(w, param, scope));
    wg_put(w->text, "</B></FONT></TD><TD ALIGN=\"RIGHT\"><FONT COLOR=\"%s\" POINT-SIZE=\"10\">%s%s%s</FONT></TD>",
           wg_color_in(look->note, w->dark),
           wg_form_text(&wg_fact_output(w->d->facts, param)->type, w->d->facts->usual, form, sizeof form),
           fact_of(w, param)->frozen ? " frozen" : "", norms ? "&#160;" : "");
    if (norms)
        wg_put_gradient_cells(w, low, high);
    wg_put(w->text, "</TR>");
}

static void put_tip(writer *w, uint32_t param)
{
    char form[96], bytes[32];
    const wg_tensor_fact *t = wg_fact_output(w->d->facts, param);
    wg_put_quoted(w->text, t->name);
    wg_put(w->text, " %s %s, %s", wg_form_text(&t->type, t->type.dtype, form, sizeof form),
           wg_dtype_name(t->type.dtype), wg_bytes_text(wg_tensor_bytes(t), bytes, sizeof bytes));
    if (t->gradient)
        wg_put(w->text, ", gradient %.3g", t->gradient->norm);
    if (*fact_of(w, param)->finding) {
        wg_put(w->text, ", ");
        wg_put_quoted(w->text, fact_of(w, param)->evidence);
    }
    if (*fact_of(w, param)->place) {
        wg_put(w->text, ", ");
        wg_put_quoted(w->text, fact_of(w, param)->place);
    }
}

static void put_note_row(writer *w, wg_color ink, const char *format, unsigned n)
{
    wg_put(w->text, "<TR><TD COLSPAN=\"2\"><FONT COLOR=\"%s\" POINT-SIZE=\"10\">", wg_color_in(ink, w->dark));
    wg_put(w->text, format, n);
    wg_put(w->text, "</FONT></TD></TR>");
}

/* What is wrong with them: the first finding, or the values. */
static void put_bad_row(writer *w, const uint32_t *row, uint32_t rows)
{
    uint32_t r = 0;
    while (r < rows && !*fact_of(w, row[r])->finding)
        r++;
    if (r == rows) {
        put_note_row(w, WG_COLOR_bad_line, "not finite", 0);
        return;
    }
    wg_put(w->text, "<TR><TD COLSPAN=\"2\">");
    wg_put_finding(w, fact_of(w, row[r])->finding);
    wg_put(w->text, "</TD></TR>");
}

/* Name left, shape right, norm where overlaid. */
void wg_write_params(writer *w, uint32_t item)
{
    static const wg_look frozen_card = {"frozen",       "cylinder",     "solid", WG_COLOR_page, WG_COLOR_constant_line,
                                        WG_COLOR_ink, WG_COLOR_muted, "margin=\"0.06,0.03\" "};
    const wg_shown *shown = &w->d->item[item];
    uint32_t rows = shown->rows ? shown->rows : 1, scope = w->d->side_by_side ? 0 : shown->scope;
    const uint32_t *row = shown->rows ? &w->d->row[shown->first_row] : &shown->node;
    bool frozen = shown->kind != WG_ITEM_UNUSED && !shown->bad;
    for (uint32_t r = 0; r < rows; r++)
        frozen &= fact_of(w, row[r])->frozen;
    const wg_look look = frozen ? frozen_card : wg_look_of(w, item);
    wg_node_begin(w, item, &look);
    wg_put(w->text, "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"2\" CELLPADDING=\"1\">");
    for (uint32_t r = 0; r < rows && r < MOST_ROWS; r++)
        put_row(w, row[r], scope, &look, !w->d->side_by_side);
    if (rows > MOST_ROWS)
        put_note_row(w, look.note, "and %u more", rows - MOST_ROWS);
    if (shown->kind == WG_ITEM_PARAM && shown->uses > 1)
        put_note_row(w, look.note, shown->uses == 2 ? "used twice" : "used %u times", shown->uses);
    if (shown->kind == WG_ITEM_UNUSED)
        put_note_row(w, look.note, "not used by the loss", 0);
    if (shown->bad)
        put_bad_row(w, row, rows);
    wg_put(w->text, "</TABLE>");
    wg_label_end(w, item, &look);
    for (uint32_t r = 0; r < rows; r++) {
        wg_put(w->text, r ? "\\n" : "");
        put_tip(w, row[r]);
    }
    wg_put(w->text, "\"];\n");
}

void wg_write_gradient(writer *w, uint32_t item)
{
    static const wg_look look = {"grad",       "cylinder",     "dashed", WG_COLOR_page, WG_COLOR_param_line,
                                 WG_COLOR_ink, WG_COLOR_muted, ""};
    const wg_shown *shown = &w->d->item[item];
    uint32_t rows = shown->rows ? shown->rows : 1;
    const uint32_t *row = shown->rows ? &w->d->row[shown->first_row] : &shown->node;
    line_start(w);
    wg_put(w->text,
           "g%u [id=\"g%u\" class=\"grad\" label=<<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"2\" "
           "CELLPADDING=\"1\">",
           shown->node, shown->node);
    for (uint32_t r = 0; r < rows && r < MOST_ROWS; r++)
        if (!fact_of(w, row[r])->frozen)
            put_row(w, row[r], 0, &look, true);
    if (rows > MOST_ROWS)
        put_note_row(w, look.note, "and %u more", rows - MOST_ROWS);
    wg_put(
        w->text,
        "</TABLE>> shape=\"%s\" style=\"%s\" fillcolor=\"%s\" color=\"%s\" margin=\"0.06,0.03\" tooltip=\"gradient of ",
        fact_of(w, row[0])->kind == WG_FACT_PARAMETER ? "cylinder" : "ellipse", look.style,
        wg_color_in(look.fill, w->dark), wg_color_in(look.line, w->dark));
    wg_put_quoted(w->text, wg_fact_output(w->d->facts, row[0])->name);
    wg_put(w->text, "\"];\n");
}
