/* The drawing as DOT. Operations follow tape order, each behind its inputs and the card of its parameters; a scope is a
 * cluster written where its first operation stands. */
#include "graph/dot.h"
#include "wengert/diagnose.h"

#define FINDINGS 4 /* that the caption tells */
#define FONT "Helvetica,Arial,sans-serif"

/* ---- Edges ------------------------------------------------------------------------------------------------------- */
/* "h1 64×128": the tensor's name where it has one, its shape. */
static void put_edge_label(writer *w, const wg_edge *e, const wg_tensor_fact *t)
{
    char form[96];
    bool norm = t->gradient && w->d->options.overlay == WG_SHOW_GRAD && !w->d->side_by_side;
    wg_put(w->text, norm ? "label=\"  " : "label=\" "); /* off a pen that may be wide */
    if (*t->name && !wg_fact_is_leaf(fact_of(w, e->node))) {
        wg_put_short(w->text, t->name);
        wg_put(w->text, " ");
    }
    wg_put(w->text, "%s ", wg_form_text(&t->type, w->d->facts->usual, form, sizeof form));
    if (norm)
        wg_put(w->text, "\xc2\xb7 %.3g ", t->gradient->norm);
    wg_put(w->text, "\" ");
}

static void put_edge_colour(writer *w, const wg_edge *e, const wg_tensor_fact *t)
{
    wg_color heat;
    double pen;
    if (!t->finite)
        wg_put(w->text, "color=\"%s\" penwidth=\"2.2\" ", C(bad_line));
    else if (wg_edge_heat(w, e, &heat, &pen))
        wg_put(w->text, "color=\"%s\" penwidth=\"%.1f\" ", wg_color_in(heat, w->dark), pen);
    else if (w->d->item[e->from].kind == WG_ITEM_PARAM && !fact_of(w, e->node)->frozen)
        wg_put(w->text, "color=\"%s\" ", C(param_line));
}

static void write_edge(writer *w, const wg_edge *e, bool first)
{
    const wg_drawing *d = w->d;
    const wg_fact *node = fact_of(w, e->node);
    const wg_tensor_fact *t = &d->facts->output[node->output + (uint32_t)e->output];
    const wg_operand_fact *operand = &d->facts->operand[fact_of(w, e->user)->operand + (uint32_t)e->operand];
    const wg_shown *from = &d->item[e->from], *to = &d->item[e->to];
    line_start(w);
    wg_put_dot_end(w, e->from, 'o');
    wg_put(w->text, " -> ");
    wg_put_dot_end(w, e->to, 'u');
    wg_put(w->text, " [id=\"e%u-%u-%d\" ", e->node, e->user, operand->place);
    if (e->labelled)
        put_edge_label(w, e, t);
    if (e->named && to->kind != WG_ITEM_CLOSED && *operand->name) {
        wg_put(w->text, "headlabel=\" ");
        wg_put_short(w->text, operand->name);
        wg_put(w->text, " \" ");
    }
    if (node->cut)
        wg_put(w->text, "style=\"dotted\" ");
    put_edge_colour(w, e, t);
    if (to->above == e->from)
        wg_put(w->text, "weight=\"100\" "); /* the straight column */
    else if (wg_fact_is_leaf(node) && !wg_is_beside(from) && !first)
        wg_put(w->text, "weight=\"0\" "); /* what several take stands by the first of them */
    char form[96];
    wg_put(w->text, "tooltip=\"%s\"];\n",
           e->labelled ? wg_form_text(&t->type, d->facts->usual, form, sizeof form) : " ");
}

void wg_write_dot_edge(writer *w, const wg_edge *e) { write_edge(w, e, true); }

/* An operation. Side inputs and its card stand on its rank, to its left: a cluster without an outline keeps other
 * things on that rank out of between. Its name is no scope's, which has an underscore. */
static void write_with_sides(writer *w, uint32_t item)
{
    const wg_shown *to = &w->d->item[item];
    uint32_t end = to->first_edge + to->edges, sides = 0;
    for (uint32_t e = to->first_edge; e < end; e++)
        sides += wg_is_beside(&w->d->item[w->d->edge[e].from]);
    if (!sides) {
        wg_write_node(w, item);
        return;
    }
    line_start(w);
    wg_put(w->text, "subgraph \"cluster ");
    put_id(w, item);
    wg_put(w->text, "\" {\n");
    w->indent++;
    line_start(w);
    wg_put(w->text, "graph [id=\"b%u\" class=\"\" rank=\"same\" style=\"invis\" label=\"\" margin=\"0\"];\n",
           w->d->item[item].node);
    for (uint32_t e = to->first_edge; e < end; e++)
        if (wg_is_beside(&w->d->item[w->d->edge[e].from]))
            wg_write_node(w, w->d->edge[e].from);
    wg_write_node(w, item);
    for (uint32_t e = to->first_edge; e < end; e++)
        if (wg_is_beside(&w->d->item[w->d->edge[e].from]))
            write_edge(w, &w->d->edge[e], true);
    w->indent--;
    line_start(w);
    wg_put(w->text, "}\n");
}

/* ---- Scopes ------------------------------------------------------------------------------------------------------ */
static void cluster_begin(writer *w, uint32_t scope)
{
    const wg_place_in *s = &w->d->scope[scope];
    line_start(w);
    wg_put(w->text, "subgraph \"cluster_");
    wg_put_quoted(w->text, s->path);
    wg_put(w->text, "\" {\n");
    w->indent++;
    line_start(w);
    wg_put(w->text, "graph [id=\"s:");
    wg_put_quoted(w->text, s->path);
    wg_put(w->text, "\" class=\"scope\" label=<<B>");
    wg_put_scope_name(w, s);
    wg_put(w->text, s->times > 1 ? "&#160; </B>" : "</B>");
    if (s->times > 1)
        wg_put(w->text, "<FONT COLOR=\"%s\" POINT-SIZE=\"15\"><B>\xc3\x97%u</B></FONT>", C(ink), s->times);
    wg_put(
        w->text,
        "> labelloc=\"t\" labeljust=\"l\" fontsize=\"11\" fontcolor=\"%s\" style=\"rounded,filled\" fillcolor=\"%s\" "
        "color=\"%s\" margin=\"%d\" %stooltip=\"scope ",
        C(muted), s->depth % 2 ? C(scope) : C(closed), C(scope_line), s->times > 1 ? 20 : 10,
        s->times > 1 ? "penwidth=\"2.4\" " : "");
    wg_put_quoted(w->text, s->path);
    wg_put(w->text, "\"];\n");
}

/* Scopes are nested 32 deep at most. */
static void write_scope(writer *w, uint32_t scope)
{
    for (uint32_t entry = w->d->first_in[scope]; entry != WG_NOWHERE; entry = w->d->next_in[entry]) {
        if (entry < w->d->items) {
            if (!wg_is_beside(&w->d->item[entry]))
                write_with_sides(w, entry);
            continue;
        }
        cluster_begin(w, entry - w->d->items);
        write_scope(w, entry - w->d->items);
        w->indent--;
        line_start(w);
        wg_put(w->text, "}\n");
    }
}

/* ---- The caption ------------------------------------------------------------------------------------------------- */
static void caption_line(writer *w)
{
    wg_put(w->text, "<TR><TD ALIGN=\"LEFT\"><FONT COLOR=\"%s\">", C(muted));
}

static void caption_line_end(writer *w) { wg_put(w->text, "</FONT></TD></TR>"); }

static void put_counts(writer *w)
{
    const wg_facts *f = w->d->facts;
    char count[32], bytes[32];
    caption_line(w);
    wg_put_label(w->text, w->d->title);
    wg_put(w->text, " \xc2\xb7 %u node%s", f->used, f->used == 1 ? "" : "s");
    if (w->d->folded || w->d->closed_by_itself || w->d->options.around)
        wg_put(w->text, " drawn as %u", w->d->drawn);
    if (f->parameters)
        wg_put(w->text, " \xc2\xb7 %s parameters (%s)", wg_count_text(f->parameters, count, sizeof count),
               wg_bytes_text(f->parameter_bytes, bytes, sizeof bytes));
    wg_put(w->text, " \xc2\xb7 %s unless marked%s", wg_dtype_name(f->usual),
           w->d->side_by_side ? " \xc2\xb7 dashed: kept for the backward pass" : "");
    caption_line_end(w);
}

/* The colours between two numbers. */
static void put_scale(writer *w, const char *what, const char *low, const char *high, const char *note)
{
    wg_put(w->text,
           "<TR><TD ALIGN=\"LEFT\"><TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"2\" CELLPADDING=\"0\"><TR>"
           "<TD><FONT COLOR=\"%s\">%s  %s</FONT></TD><TD WIDTH=\"2\"></TD>",
           C(muted), what, low);
    for (int i = 0; i < WG_HEATS; i++)
        wg_put(w->text, "<TD BGCOLOR=\"%s\" WIDTH=\"16\" HEIGHT=\"8\" FIXEDSIZE=\"TRUE\"></TD>",
               wg_color_in((wg_color)(WG_COLOR_heat1 + i), w->dark));
    wg_put(w->text, "<TD WIDTH=\"2\"></TD><TD><FONT COLOR=\"%s\">%s  (log scale%s)</FONT></TD></TR></TABLE></TD></TR>",
           C(muted), high, note);
}

static void put_norms(writer *w)
{
    const wg_drawing *d = w->d;
    char low[32], high[32];
    snprintf(low, sizeof low, "%.2g", d->top_norm * pow(10, -WG_DECADES));
    snprintf(high, sizeof high, "%.3g", d->top_norm);
    put_scale(w, "gradient 2-norm", low, high,
              !d->facts->has_adjoints ? ", parameters"
              : d->side_by_side       ? ", the pen is wider where it is larger"
                                      : "");
}

static void put_overlay(writer *w)
{
    const wg_drawing *d = w->d;
    char low[32], high[32];
    if (wg_dot_norms(w))
        put_norms(w);
    switch (d->options.overlay) {
    case WG_SHOW_MEMORY:
        put_scale(w, "bytes of values", wg_bytes_text(ceil(d->top_bytes * pow(10, -WG_DECADES)), low, sizeof low),
                  wg_bytes_text(d->top_bytes, high, sizeof high), ", kept: for the backward pass");
        return;
    case WG_SHOW_TIME:
        put_scale(w, "time", wg_time_text(d->top_seconds * pow(10, -WG_DECADES), low, sizeof low),
                  wg_time_text(d->top_seconds, high, sizeof high), ", forward and backward");
        return;
    default:
        return;
    }
}

static uint32_t folded_groups(const wg_drawing *d)
{
    uint32_t n = 0;
    for (uint32_t s = 0; s < d->scopes; s++)
        n += d->scope[s].times > 1;
    return n;
}

/* What is not drawn as it was recorded, and which options draw it so. */
static void put_left_out(writer *w)
{
    const wg_drawing *d = w->d;
    if (!d->folded && !d->closed_by_itself)
        return;
    caption_line(w);
    if (d->folded)
        wg_put(w->text, "%u equal scopes folded", d->folded + folded_groups(d));
    if (d->closed_by_itself)
        wg_put(w->text, "%s%u part%s closed to fit a page", d->folded ? ", " : "", d->closed_by_itself,
               d->closed_by_itself == 1 ? "" : "s");
    wg_put(w->text, ":");
    if (d->closed_by_itself)
        wg_put(w->text, " --depth all");
    if (d->folded)
        wg_put(w->text, " --fold no");
    wg_put(w->text, " draw%s all", d->folded && d->closed_by_itself ? "" : "s");
    caption_line_end(w);
}

/* Of a scope by itself. */
static void put_part(writer *w)
{
    const wg_place_in *s = &w->d->scope[w->scope];
    char count[32];
    caption_line(w);
    wg_put_label(w->text, s->path);
    wg_put(w->text, " \xc2\xb7 %u operation%s", s->ops, s->ops == 1 ? "" : "s");
    if (s->parameters)
        wg_put(w->text, " \xc2\xb7 %s parameters", wg_count_text(s->parameters, count, sizeof count));
    if (s->times > 1)
        wg_put(w->text, " \xc2\xb7 one of %u equal ones", s->times);
    caption_line_end(w);
}

/* "first NaN: log (#7), model.c:31" */
static void put_origin(writer *w)
{
    const wg_facts *f = w->d->facts;
    for (uint32_t i = 0; i < f->used; i++) {
        const wg_fact *node = &f->node[i];
        const wg_statistics *s = wg_fact_output(f, i)->values;
        if (!node->not_finite)
            continue;
        caption_line(w);
        wg_put(w->text, "first %s: ", s && !s->nan ? "infinity" : "NaN");
        wg_put_label(w->text, wg_fact_is_leaf(node) ? wg_fact_output(f, i)->name : node->op);
        wg_put(w->text, " (#%u)%s", i, *node->place ? ", " : "");
        wg_put_label(w->text, node->place);
        caption_line_end(w);
        return;
    }
}

/* "gradient check failed: twice (model.c:12)" */
static void put_check(writer *w)
{
    const wg_check_report *check = w->d->options.check;
    if (!check)
        return;
    caption_line(w);
    wg_put(w->text, "gradient check %s", check->failed ? "failed" : "passed");
    if (check->failed && *check->blame) {
        char blamed[256];
        const char *end = strstr(check->blame, ": ");
        snprintf(blamed, sizeof blamed, "%.*s", end ? (int)(end - check->blame) : 200, check->blame);
        wg_put(w->text, ": ");
        wg_put_markup(w->text, blamed);
    }
    caption_line_end(w);
}

/* "dead units: relu (model.c:12)", a line a finding. */
static void put_findings(writer *w)
{
    const wg_finding *list = NULL;
    int n = wg_diagnosis_findings(w->d->options.diagnosis, &list);
    for (int i = 0; i < n && i < FINDINGS; i++) {
        caption_line(w);
        wg_put(w->text, "%s: ", wg_fault_name(list[i].fault));
        wg_put_markup(w->text, list[i].what);
        wg_put(w->text, *list[i].where ? " (" : "");
        wg_put_markup(w->text, list[i].where);
        wg_put(w->text, *list[i].where ? ")" : "");
        caption_line_end(w);
    }
    if (n && n <= FINDINGS)
        return;
    caption_line(w);
    wg_put(w->text, n ? "and %d more" : "diagnosis: no findings", n - FINDINGS);
    caption_line_end(w);
}

static void put_about(writer *w)
{
    if (!*w->d->facts->about)
        return;
    caption_line(w);
    wg_put_markup(w->text, w->d->facts->about);
    caption_line_end(w);
}

static void put_caption(writer *w)
{
    wg_put(
        w->text,
        "<<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"1\"><TR><TD HEIGHT=\"14\"></TD></TR>");
    if (w->scope)
        put_part(w);
    else
        put_counts(w);
    put_overlay(w);
    if (!w->scope) {
        put_about(w);
        put_check(w);
        if (w->d->options.diagnosis)
            put_findings(w);
        else
            put_origin(w);
        put_left_out(w);
    }
    wg_put(w->text, "</TABLE>>");
}

/* ---- Cut edges --------------------------------------------------------------------------------------------------- */
/* Dots, above or below an item, for all that it is cut from there. */
static void write_dots(writer *w, uint32_t item, bool above)
{
    const char *way = above ? "before" : "behind";
    line_start(w);
    wg_put(w->text,
           "%s%u [shape=\"plaintext\" label=<<FONT COLOR=\"%s\">\xe2\x80\xa6</FONT>> height=\"0.2\" tooltip=\" \"]; ",
           way, item, C(muted));
    if (above) {
        wg_put(w->text, "%s%u -> ", way, item);
        put_id(w, item);
    } else {
        put_id(w, item);
        wg_put(w->text, " -> %s%u", way, item);
    }
    wg_put(w->text, " [tooltip=\" \"];\n");
}

/* `dotted` has room for a byte an item. */
static void write_cuts(writer *w, unsigned char *dotted)
{
    const wg_drawing *d = w->d;
    memset(dotted, 0, (size_t)d->items + 1);
    for (uint32_t e = 0; e < d->edges; e++) {
        bool above = d->item[d->edge[e].from].outside;
        uint32_t item = above ? d->edge[e].to : d->edge[e].from;
        unsigned char bit = above ? 1 : 2;
        if (above == d->item[d->edge[e].to].outside || dotted[item] & bit)
            continue;
        dotted[item] |= bit;
        write_dots(w, item, above);
    }
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
/* Side by side there are no clusters to be ranked through. */
static void put_head(writer *w)
{
    bool both = w->d->side_by_side && !w->scope;
    wg_put(w->text, "digraph \"");
    wg_put_quoted(w->text, w->d->title);
    wg_put(w->text,
           "\" {\n  graph [rankdir=\"%s\" ranksep=\"0.36\" nodesep=\"%s\" %sbgcolor=\"%s\" pad=\"0.2\"\n"
           "         fontname=\"" FONT
           "\" fontsize=\"11\" fontcolor=\"%s\" labelloc=\"b\" labeljust=\"l\"\n         label=",
           w->d->options.direction == WG_RIGHT ? "LR" : "TB", both ? "0.58" : "0.3", both ? "" : "newrank=\"true\" ",
           w->d->options.background ? "transparent" : C(page), C(muted));
    put_caption(w);
    wg_put(w->text,
           " tooltip=\" \"];\n"
           "  node  [fontname=\"" FONT "\" fontsize=\"12\" height=\"0.36\" margin=\"0.12,0.055\" penwidth=\"1.2\"];\n"
           "  edge  [fontname=\"" FONT
           "\" fontsize=\"10\" fontcolor=\"%s\" color=\"%s\" penwidth=\"1.2\" arrowsize=\"0.6\"];\n",
           C(muted), C(line));
}

enum { AS_SOURCE = 1, AS_USER = 2 }; /* an edge from the item, to it, was written */

static void write_edge_into(writer *w, const wg_edge *e, unsigned char *seen)
{
    bool from = wg_dot_inside(w, e->from), to = wg_dot_inside(w, e->to);
    if (!from && !to)
        return;
    if (!from && !(seen[e->from] & AS_SOURCE))
        wg_write_dot_outside(w, e->from, 'o');
    if (!to && !(seen[e->to] & AS_USER))
        wg_write_dot_outside(w, e->to, 'u');
    write_edge(w, e, !(seen[e->from] & AS_SOURCE));
    seen[e->from] |= AS_SOURCE;
    seen[e->to] |= to ? 0 : AS_USER;
}

/* Clusters and what is in them, then the edges between. */
static bool write_clusters(writer *w)
{
    const wg_drawing *d = w->d;
    unsigned char *seen = wg_arena(d->tape, (size_t)d->items + 1);
    if (!seen)
        return false;
    write_scope(w, w->scope);
    memset(seen, 0, (size_t)d->items + 1);
    for (uint32_t i = 0; i < d->ordered; i++) {
        const wg_shown *to = &d->item[d->order[i]];
        for (uint32_t e = to->first_edge; e < to->first_edge + to->edges; e++)
            if (!wg_is_beside(&d->item[d->edge[e].from]) && !d->item[d->edge[e].from].outside)
                write_edge_into(w, &d->edge[e], seen);
    }
    write_cuts(w, seen);
    return true;
}

void wg_write_dot_part(const wg_drawing *d, uint32_t scope, wg_text *text)
{
    writer w = {d, text, 1, d->options.theme == WG_DARK, scope};
    put_head(&w);
    if (d->side_by_side && !scope)
        wg_write_dot_backward(&w);
    else
        text->failed |= !write_clusters(&w);
    wg_put(text, "}\n");
}

void wg_write_dot(const wg_drawing *d, wg_text *text) { wg_write_dot_part(d, 0, text); }
