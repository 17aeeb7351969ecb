/* The forward and the backward pass side by side, as DOT. A row an operation:
 *
 *     parameters | operation | what is kept | its derivative | gradients
 *
 * The forward pass runs down, the backward pass up. Its edges are written downwards and drawn from their ends, so that
 * the rows stay; there are no clusters, since Graphviz 2.43 draws a flat edge between two of them twice. */
#include "graph/dot.h"

/* ---- What has a derivative --------------------------------------------------------------------------------------- */
static bool is_operation(const writer *w, const wg_shown *item)
{
    return item->kind == WG_ITEM_CLOSED ||
           (item->kind != WG_ITEM_UNUSED && !wg_fact_is_leaf(fact_of(w, item->node)));
}

static bool is_differentiated(const writer *w, uint32_t item)
{
    return w->d->item[item].flows && is_operation(w, &w->d->item[item]);
}

/* A leaf whose gradient is a node. */
static bool is_target(const writer *w, uint32_t item)
{
    return w->d->item[item].flows && !is_operation(w, &w->d->item[item]);
}

static void put_back_id(const writer *w, uint32_t item)
{
    wg_put(w->text, "%c%u", is_operation(w, &w->d->item[item]) ? 'b' : 'g', w->d->item[item].node);
    if (w->d->item[item].kind == WG_ITEM_CLOSED)
        wg_put(w->text, "s");
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */
static void write_derivative(writer *w, uint32_t item)
{
    const wg_shown *shown = &w->d->item[item];
    const wg_place_in *scope = &w->d->scope[shown->kind == WG_ITEM_CLOSED ? shown->stands_for : shown->scope];
    bool closed = shown->kind == WG_ITEM_CLOSED, norms = closed && shown->norm_high >= 0 && wg_dot_norms(w);
    line_start(w);
    put_back_id(w, item);
    wg_put(w->text, " [id=\"");
    put_back_id(w, item);
    wg_put(w->text, "\" class=\"back\" %slabel=<", shown->main ? "group=\"b\" " : "");
    if (norms)
        wg_put(w->text,
               "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"2\" CELLPADDING=\"0\"><TR><TD COLSPAN=\"2\">");
    wg_put(w->text, "<FONT COLOR=\"%s\" POINT-SIZE=\"12\"><B>\xe2\x88\x82&#160;", C(ink));
    wg_put_label(w->text, closed ? scope->name : fact_of(w, shown->node)->op);
    wg_put(w->text, "</B></FONT>");
    if (shown->kind == WG_ITEM_ROOT)
        wg_put(w->text, "<BR/><FONT COLOR=\"%s\" POINT-SIZE=\"10\">seed 1</FONT>", C(muted));
    else
        wg_put_scope_note(w, shown, C(muted));
    if (norms) {
        wg_put(w->text, "</TD></TR><TR>");
        wg_put_gradient_cells(w, shown->norm_low, shown->norm_high);
        wg_put(w->text, "</TR></TABLE>");
    }
    wg_put(w->text, "> shape=\"box\" style=\"%s\" fillcolor=\"%s\" color=\"%s\" %stooltip=\"derivative of ",
           closed ? "filled" : "rounded,filled", C(back), C(back_line), closed ? "peripheries=\"2\" " : "");
    wg_put_quoted(w->text, closed ? scope->path : fact_of(w, shown->node)->op);
    wg_put(w->text, "\"];\n");
}

/* What stands in an operation's row. */
static void write_row(writer *w, uint32_t item)
{
    const wg_drawing *d = w->d;
    const wg_shown *shown = &d->item[item];
    bool back = is_differentiated(w, item);
    line_start(w);
    wg_put(w->text, "{ rank=\"same\"; ");
    for (uint32_t e = shown->first_edge; e < shown->first_edge + shown->edges; e++)
        if (wg_is_beside(&d->item[d->edge[e].from])) {
            put_id(w, d->edge[e].from);
            wg_put(w->text, "; ");
        }
    put_id(w, item);
    wg_put(w->text, "; ");
    if (back) {
        put_back_id(w, item);
        wg_put(w->text, "; ");
    }
    for (uint32_t e = shown->first_edge; back && e < shown->first_edge + shown->edges; e++)
        if (is_target(w, d->edge[e].from) && wg_is_beside(&d->item[d->edge[e].from])) {
            put_back_id(w, d->edge[e].from);
            wg_put(w->text, "; ");
        }
    wg_put(w->text, "}\n");
}

/* ---- Edges ------------------------------------------------------------------------------------------------------- */
/* "x, w", as many as there is room for between the columns, whose nodes may be wide. */
static void put_words(writer *w, const char *words)
{
    size_t used = 0;
    for (const char *at = words; *at;) {
        size_t n = strcspn(at, " "), more = at[n] == ' ';
        if (used + n > 13) {
            wg_put(w->text, "\xe2\x80\xa6");
            return;
        }
        wg_put_bytes(w->text, at, n);
        wg_put(w->text, more ? ", " : "");
        used += n + 2 * more;
        at += n + more;
    }
}

/* Dashed, from an operation to its derivative: what is kept of it. */
static void write_kept(writer *w, uint32_t item)
{
    const wg_shown *shown = &w->d->item[item];
    char bytes[32];
    line_start(w);
    put_id(w, item);
    wg_put(w->text, " -> ");
    put_back_id(w, item);
    const char *saves = shown->kind == WG_ITEM_CLOSED ? "" : fact_of(w, shown->node)->saves;
    if (!*saves && !(shown->kind == WG_ITEM_CLOSED && shown->kept > 0)) {
        wg_put(w->text, " [style=\"invis\"];\n"); /* keeps the columns apart */
        return;
    }
    wg_put(w->text, " [xlabel=\" ");
    put_words(w, saves);
    if (!*saves)
        wg_put(w->text, "%s", wg_bytes_text(shown->kept, bytes, sizeof bytes));
    wg_put(w->text,
           " \" style=\"dashed\" color=\"%s\" fontcolor=\"%s\" arrowhead=\"odot\" penwidth=\"1.1\" "
           "tooltip=\"kept for the backward pass",
           C(kept), C(kept));
    wg_put(w->text, *saves ? ": " : "");
    wg_put_quoted(w->text, saves);
    wg_put(w->text, "\"];\n");
}

static void put_heat(writer *w, double norm)
{
    wg_color color = wg_heat_color(norm, w->d->top_norm, WG_DECADES);
    int step = color == WG_COLOR_constant_line ? 0 : (int)(color - WG_COLOR_heat1);
    wg_put(w->text, "color=\"%s\" penwidth=\"%.1f\" arrowsize=\"%.2f\" tooltip=\"gradient, 2-norm %.4g\"",
           wg_color_in(color, w->dark), 1.3 + 0.8 * step, 0.62 - 0.06 * step, norm);
}

/* The cotangent of a tensor, from the derivative of what takes it up to that of what made it. */
static void write_cotangent(writer *w, const wg_edge *e)
{
    const wg_statistics *gradient = w->d->facts->output[fact_of(w, e->node)->output + (uint32_t)e->output].gradient;
    line_start(w);
    put_back_id(w, e->from);
    wg_put(w->text, " -> ");
    put_back_id(w, e->to);
    wg_put(w->text, " [class=\"rev\" dir=\"back\" %s", w->d->item[e->to].above == e->from ? "weight=\"20\" " : "");
    if (gradient && wg_dot_norms(w)) {
        wg_put(w->text, "label=\"  %.3g \" fontcolor=\"%s\" ", gradient->norm, C(ink));
        put_heat(w, gradient->norm);
    } else {
        wg_put(w->text, "color=\"%s\" tooltip=\" \"", C(back_line));
    }
    wg_put(w->text, "];\n");
}

/* To the gradient beside it; that of a parameter which several take stands above all of them, as the parameter does. */
static void write_gradient_edge(writer *w, const wg_edge *e)
{
    const wg_shown *target = &w->d->item[e->from];
    bool beside = wg_is_beside(target);
    line_start(w);
    put_back_id(w, beside ? e->to : e->from);
    wg_put(w->text, " -> ");
    put_back_id(w, beside ? e->from : e->to);
    wg_put(w->text, beside ? " [" : " [class=\"rev\" dir=\"back\" ");
    if (target->norm_high >= 0 && wg_dot_norms(w))
        put_heat(w, target->norm_high);
    else
        wg_put(w->text, "color=\"%s\" tooltip=\" \"", C(param_line));
    wg_put(w->text, "];\n");
}

/* The edge's twin of the backward pass; one a pair. */
static void write_backward_edge(writer *w, const wg_edge *e)
{
    if (!is_differentiated(w, e->to))
        return;
    if (is_target(w, e->from))
        write_gradient_edge(w, e);
    else if (is_differentiated(w, e->from))
        write_cotangent(w, e);
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
static void write_headings(writer *w)
{
    const wg_drawing *d = w->d;
    uint32_t top = WG_NOWHERE, back = WG_NOWHERE;
    for (uint32_t at = wg_seen_as(d, d->item_of[d->facts->root[d->facts->roots - 1]]); at != WG_NOWHERE;
         at = d->item[at].above) {
        top = d->item[at].outside ? top : at;
        back = !d->item[at].outside && is_differentiated(w, at) ? at : back;
    }
    if (top == WG_NOWHERE)
        return;
    line_start(w);
    wg_put(w->text,
           "h0 [shape=\"plaintext\" fontcolor=\"%s\" label=<<B>forward \xe2\x86\x93</B>> group=\"m\" tooltip=\" \"]; "
           "h0 -> ",
           C(muted));
    put_id(w, top);
    wg_put(w->text, " [style=\"invis\"];\n");
    if (back == WG_NOWHERE)
        return;
    line_start(w);
    wg_put(w->text,
           "h1 [shape=\"plaintext\" fontcolor=\"%s\" label=<<B>backward \xe2\x86\x91</B>> group=\"b\" tooltip=\" \"]; "
           "h1 -> ",
           C(muted));
    put_back_id(w, back);
    wg_put(w->text, " [style=\"invis\" weight=\"20\"]; { rank=\"same\"; h0; h1; }\n");
}

void wg_write_dot_backward(writer *w)
{
    const wg_drawing *d = w->d;
    write_headings(w);
    for (uint32_t i = 0; i < d->ordered; i++) {
        uint32_t item = d->order[i];
        wg_write_node(w, item);
        if (is_differentiated(w, item))
            write_derivative(w, item);
        else if (is_target(w, item))
            wg_write_gradient(w, item);
    }
    for (uint32_t i = 0; i < d->ordered; i++) {
        const wg_shown *to = &d->item[d->order[i]];
        if (!is_operation(w, to))
            continue;
        write_row(w, d->order[i]);
        for (uint32_t e = to->first_edge; e < to->first_edge + to->edges; e++)
            if (!d->item[d->edge[e].from].outside) {
                wg_write_dot_edge(w, &d->edge[e]);
                write_backward_edge(w, &d->edge[e]);
            }
        if (is_differentiated(w, d->order[i]))
            write_kept(w, d->order[i]);
    }
}
