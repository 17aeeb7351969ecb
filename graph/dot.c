/* The drawing as DOT. Operations follow tape order, each behind its inputs and the card of its parameters; a scope is a
 * cluster written where its first operation stands. */
#include "graph/dot.h"

#define FONT "Helvetica,Arial,sans-serif"

/* ---- Edges ------------------------------------------------------------------------------------------------------- */
/* "h1 64×128": the tensor's name where it has one, its shape. */
static void put_edge_label(writer *w, const wg_node *node)
{
    char form[96];
    wg_type type = wg_node_type(node);
    wg_put(w->text, "label=\" ");
    if (*wg_node_name(node) && !wg_node_is(node, WG_NODE_LEAF)) {
        wg_put_short(w->text, wg_node_name(node));
        wg_put(w->text, " ");
    }
    wg_put(w->text, "%s \" ", wg_form_text(&type, w->d->usual, form, sizeof form));
}

static void write_edge(writer *w, const wg_edge *e, bool first)
{
    const wg_drawing *d = w->d;
    const wg_node *node = node_of(w, e->node), *user = node_of(w, d->item[e->to].node);
    const wg_shown *from = &d->item[e->from], *to = &d->item[e->to];
    bool bad = d->tainted && d->tainted[e->node], shared = from->kind == WG_ITEM_PARAM;
    line_start(w);
    put_id(w, e->from);
    wg_put(w->text, " -> ");
    put_id(w, e->to);
    wg_put(w->text, " [");
    if (e->labelled)
        put_edge_label(w, node);
    if (e->named && to->kind != WG_ITEM_CLOSED && e->operand < WG_MAX_OPERANDS && user->op->in[e->operand].name)
        wg_put(w->text, "headlabel=\" %s \" ", user->op->in[e->operand].name);
    if (wg_node_is(node, WG_NODE_CUT) && !wg_node_is(node, WG_NODE_LEAF))
        wg_put(w->text, "style=\"dotted\" ");
    if (bad)
        wg_put(w->text, "color=\"%s\" penwidth=\"2.2\" ", C(bad_line));
    else if (shared && !wg_node_is(node, WG_NODE_FROZEN))
        wg_put(w->text, "color=\"%s\" ", C(param_line));
    if (to->above == e->from)
        wg_put(w->text, "weight=\"100\" "); /* the straight column */
    else if (wg_node_is(node, WG_NODE_LEAF) && !wg_is_beside(from) && !first)
        wg_put(w->text, "weight=\"0\" "); /* what several take stands by the first of them */
    char form[96];
    wg_type type = wg_node_type(node);
    wg_put(w->text, "tooltip=\"%s\"];\n", e->labelled ? wg_form_text(&type, d->usual, form, sizeof form) : " ");
}

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
    wg_put(w->text, "graph [rank=\"same\" style=\"invis\" label=\"\" margin=\"0\"];\n");
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
/* What stands in each scope, in order: items, and scopes from d->items on. */
typedef struct {
    uint32_t *first, *last; /* by scope */
    uint32_t *next;         /* by entry */
} contents;

static void append(const contents *c, uint32_t scope, uint32_t entry)
{
    *(c->first[scope] == WG_NOWHERE ? &c->first[scope] : &c->next[c->last[scope]]) = entry;
    c->last[scope] = entry;
}

static bool contents_make(const wg_drawing *d, contents *c)
{
    size_t n = (size_t)d->items + 4 * (size_t)d->scopes;
    uint32_t *memory = wg_arena(d->tape, (n + 1) * sizeof *memory);
    if (!memory)
        return false;
    memset(memory, 0xff, (n + 1) * sizeof *memory);
    c->first = memory;
    c->last = c->first + d->scopes;
    c->next = c->last + d->scopes;
    uint32_t *known = c->next + d->items + d->scopes; /* scopes that stand in their parents */
    for (uint32_t i = 0; i < d->ordered; i++) {
        uint32_t chain[64];
        int length = 0;
        for (uint32_t s = d->item[d->order[i]].scope; s && known[s] == WG_NOWHERE; s = d->scope[s].parent) {
            known[s] = 1;
            chain[length++] = s;
        }
        while (length-- > 0)
            append(c, d->scope[chain[length]].parent, d->items + chain[length]);
        append(c, d->item[d->order[i]].scope, d->order[i]);
    }
    return true;
}

static void cluster_begin(writer *w, uint32_t scope)
{
    line_start(w);
    wg_put(w->text, "subgraph \"cluster_");
    wg_put_quoted(w->text, w->d->scope[scope].path);
    wg_put(w->text, "\" {\n");
    w->indent++;
    line_start(w);
    wg_put(w->text, "graph [id=\"s:");
    wg_put_quoted(w->text, w->d->scope[scope].path);
    wg_put(w->text, "\" class=\"scope\" label=<<B>");
    wg_put_label(w->text, w->d->scope[scope].name);
    wg_put(w->text,
           "</B>> labelloc=\"t\" labeljust=\"l\" fontsize=\"11\" fontcolor=\"%s\" style=\"rounded,filled\" "
           "fillcolor=\"%s\" "
           "color=\"%s\" margin=\"10\" tooltip=\"scope ",
           C(muted), C(scope), C(scope_line));
    wg_put_quoted(w->text, w->d->scope[scope].path);
    wg_put(w->text, "\"];\n");
}

/* Scopes are nested 32 deep at most. */
static void write_scope(writer *w, const contents *c, uint32_t scope)
{
    for (uint32_t entry = c->first[scope]; entry != WG_NOWHERE; entry = c->next[entry]) {
        if (entry < w->d->items) {
            if (!wg_is_beside(&w->d->item[entry]))
                write_with_sides(w, entry);
            continue;
        }
        cluster_begin(w, entry - w->d->items);
        write_scope(w, c, entry - w->d->items);
        w->indent--;
        line_start(w);
        wg_put(w->text, "}\n");
    }
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
static void put_caption(writer *w)
{
    const wg_drawing *d = w->d;
    char count[32], bytes[32];
    wg_text *t = w->text;
    wg_put(t,
           "<<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"1\"><TR><TD HEIGHT=\"14\"></TD></TR>"
           "<TR><TD ALIGN=\"LEFT\"><FONT COLOR=\"%s\">",
           C(muted));
    wg_put_label(t, d->title);
    wg_put(t, " \xc2\xb7 %u node%s", d->nodes, d->nodes == 1 ? "" : "s");
    if (d->parameters)
        wg_put(t, " \xc2\xb7 %s parameters (%s)", wg_count_text(d->parameters, count, sizeof count),
               wg_bytes_text(d->parameter_bytes, bytes, sizeof bytes));
    wg_put(t, " \xc2\xb7 %s unless marked</FONT></TD></TR>", wg_dtype_name(d->usual));
    if (d->options.overlay == WG_SHOW_GRAD) {
        wg_put(t,
               "<TR><TD ALIGN=\"LEFT\"><TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"2\" CELLPADDING=\"0\"><TR>"
               "<TD><FONT COLOR=\"%s\">gradient 2-norm  %.2g</FONT></TD><TD WIDTH=\"2\"></TD>",
               C(muted), d->top_norm * pow(10, -WG_DECADES));
        for (int i = 0; i < WG_HEATS; i++)
            wg_put(t, "<TD BGCOLOR=\"%s\" WIDTH=\"16\" HEIGHT=\"8\" FIXEDSIZE=\"TRUE\"></TD>",
                   wg_color_light((wg_color)(WG_COLOR_heat1 + i)));
        wg_put(t,
               "<TD WIDTH=\"2\"></TD><TD><FONT COLOR=\"%s\">%.3g  (log scale, "
               "parameters)</FONT></TD></TR></TABLE></TD></TR>",
               C(muted), d->top_norm);
    }
    if (d->closed_by_itself)
        wg_put(t,
               "<TR><TD ALIGN=\"LEFT\"><FONT COLOR=\"%s\">%u part%s closed to fit a page; a depth opens "
               "them</FONT></TD></TR>",
               C(muted), d->closed_by_itself, d->closed_by_itself == 1 ? "" : "s");
    wg_put(t, "</TABLE>>");
}

void wg_write_dot(const wg_drawing *d, wg_text *text)
{
    writer w = {d, text, 1};
    contents c;
    if (!contents_make(d, &c)) {
        text->failed = true;
        return;
    }
    wg_put(text, "digraph \"");
    wg_put_quoted(text, d->title);
    wg_put(
        text,
        "\" {\n  graph [rankdir=\"%s\" ranksep=\"0.36\" nodesep=\"0.3\" newrank=\"true\" bgcolor=\"%s\" pad=\"0.2\"\n"
        "         fontname=\"" FONT
        "\" fontsize=\"11\" fontcolor=\"%s\" labelloc=\"b\" labeljust=\"l\"\n         label=",
        d->options.direction == WG_RIGHT ? "LR" : "TB", C(page), C(muted));
    put_caption(&w);
    wg_put(text,
           " tooltip=\" \"];\n"
           "  node  [fontname=\"" FONT "\" fontsize=\"12\" height=\"0.36\" margin=\"0.12,0.055\" penwidth=\"1.2\"];\n"
           "  edge  [fontname=\"" FONT
           "\" fontsize=\"10\" fontcolor=\"%s\" color=\"%s\" penwidth=\"1.2\" arrowsize=\"0.6\"];\n",
           C(muted), C(line));
    write_scope(&w, &c, 0);
    unsigned char *seen = wg_arena(d->tape, (size_t)d->items + 1); /* has an edge of this item been written? */
    if (!seen) {
        text->failed = true;
        return;
    }
    memset(seen, 0, (size_t)d->items + 1);
    for (uint32_t i = 0; i < d->ordered; i++) {
        const wg_shown *to = &d->item[d->order[i]];
        for (uint32_t e = to->first_edge; e < to->first_edge + to->edges; e++)
            if (!wg_is_beside(&d->item[d->edge[e].from])) {
                write_edge(&w, &d->edge[e], !seen[d->edge[e].from]);
                seen[d->edge[e].from] = 1;
            }
    }
    wg_put(text, "}\n");
}
