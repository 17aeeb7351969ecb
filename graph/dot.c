/* The drawing as DOT. Operations follow tape order, each behind its inputs and the card of its parameters; a scope is a
 * cluster written where its first operation stands. */
#include "graph/drawing.h"
#include "graph/palette.h"

#define FONT "Helvetica,Arial,sans-serif"
#define C(name) wg_color_light(WG_COLOR_##name)
#define HEATS 6
#define DECADES 3
#define MOST_ROWS 12 /* parameters written out on one card */

typedef struct {
    const wg_drawing *d;
    wg_text *text;
    int indent;
} writer;

/* How a kind looks: shape before colour. */
typedef struct {
    const char *class, *shape, *style;
    wg_color fill, line, ink;
    const char *extra;
} look;

static const look looks[] = {
    [WG_ITEM_OP] = {"op", "box", "rounded,filled", WG_COLOR_op, WG_COLOR_op_line, WG_COLOR_ink, ""},
    [WG_ITEM_INPUT] = {"input", "ellipse", "filled", WG_COLOR_input, WG_COLOR_input_line, WG_COLOR_ink, "margin=\"0.02,0.02\" "},
    [WG_ITEM_CONSTANT] = {"const", "box", "dotted", WG_COLOR_page, WG_COLOR_constant_line, WG_COLOR_ink, ""},
    [WG_ITEM_CARD] = {"param", "cylinder", "filled", WG_COLOR_param, WG_COLOR_param_line, WG_COLOR_ink, "margin=\"0.06,0.03\" "},
    [WG_ITEM_PARAM] = {"param", "cylinder", "filled", WG_COLOR_param, WG_COLOR_param_line, WG_COLOR_ink, "margin=\"0.06,0.03\" "},
    [WG_ITEM_ROOT] = {"loss", "box", "rounded,filled", WG_COLOR_loss, WG_COLOR_loss_line, WG_COLOR_ink, "peripheries=\"2\" "},
    [WG_ITEM_CLOSED] = {"scope", "box", "filled", WG_COLOR_closed, WG_COLOR_op_line, WG_COLOR_ink, "peripheries=\"2\" "},
    [WG_ITEM_UNUSED] = {"dead", "box", "rounded,dotted", WG_COLOR_page, WG_COLOR_unused_line, WG_COLOR_unused_ink, ""},
    [WG_ITEM_BAD] = {"bad", "box", "rounded,filled", WG_COLOR_bad, WG_COLOR_bad_line, WG_COLOR_ink, "penwidth=\"3\" "},
};
static const look frozen_card = {"frozen", "cylinder", "solid", WG_COLOR_page, WG_COLOR_constant_line, WG_COLOR_ink,
                                 "margin=\"0.06,0.03\" "};

static const wg_node *node_of(const writer *w, uint32_t node) { return wg_node_at(w->d->tape, node); }

static void begin(const writer *w)
{
    for (int i = 0; i < w->indent; i++)
        wg_put(w->text, "  ");
}

/* "n6"; a closed scope has the id of its first node with an s before it. */
static const char *id_of(const wg_shown *item, char *out, size_t size)
{
    snprintf(out, size, item->kind == WG_ITEM_CLOSED ? "s%u" : "n%u", item->id);
    return out;
}

/* ---- What is said of an operation -------------------------------------------------------------------------------- */
static void line_begin(wg_text *t) { wg_put(t, "<BR/><FONT COLOR=\"%s\" POINT-SIZE=\"10\">", C(muted)); }
static void line_end(wg_text *t) { wg_put(t, "</FONT>"); }

static bool is_single(const wg_node *node) { return wg_node_count(node) == 1; }

static double single_value(const wg_node *node) { return wg_load_number((wg_dtype)node->dtype, node->data); }

static void put_number(wg_text *t, double value, int digits)
{
    if (value != value)
        wg_put(t, "NaN");
    else
        wg_put(t, "%.*g", digits, value);
}

/* The numbers that were written as operands: "2 × ." reads as "multiply 2". */
static void put_numbers(writer *w, const wg_node *node)
{
    const uint32_t *in = wg_node_in(node);
    for (int k = 0; k < node->n_in; k++)
        if (in[k] != WG_ABSENT && wg_node_is(node_of(w, in[k]), WG_NODE_NUMBER)) {
            wg_put(w->text, " ");
            put_number(w->text, single_value(node_of(w, in[k])), 6);
        }
}

static void put_attributes(writer *w, const wg_node *node)
{
    char attributes[160];
    if (!node->extra || !node->extra->options || wg_options_text(node->op, node->extra->options, attributes, sizeof attributes) ||
        !*attributes)
        return;
    line_begin(w->text);
    wg_put_label(w->text, attributes);
    line_end(w->text);
}

/* The views between an operand and what it is a view of: "reshape 64×784". */
static void put_views(writer *w, const wg_node *node)
{
    const uint32_t *in = wg_node_in(node);
    for (int k = 0; k < node->n_in; k++) {
        uint32_t x = in[k];
        if (x == WG_ABSENT || wg_drawing_source(w->d, x) == x)
            continue;
        char form[96];
        wg_type type = wg_node_type(node_of(w, x));
        line_begin(w->text);
        wg_put(w->text, "%s %s", node_of(w, x)->op->name, wg_form_text(&type, w->d->usual, form, sizeof form));
        line_end(w->text);
    }
}

typedef struct {
    int64_t n, bad, zeros;
    double sum, squares, low, high;
} statistics;

static statistics measure(const wg_node *node)
{
    statistics s = {.n = wg_node_count(node), .low = (double)INFINITY, .high = -(double)INFINITY};
    wg_type type = wg_node_type(node);
    for (int64_t i = 0; i < s.n; i++) {
        unsigned char one[8];
        wg_gather_range(&type, wg_node_stride(node), node->data, i, 1, one);
        double v = wg_load_number(type.dtype, one);
        s.bad += !isfinite(v);
        s.zeros += v == 0;
        s.sum += isfinite(v) ? v : 0;
        s.squares += isfinite(v) ? v * v : 0;
        s.low = fmin(s.low, v);
        s.high = fmax(s.high, v);
    }
    return s;
}

static void put_values(writer *w, const wg_node *node)
{
    statistics s = measure(node);
    if (w->d->options.overlay != WG_SHOW_VALUES || s.n < 2)
        return;
    double n = (double)(s.n - s.bad), mean = n > 0 ? s.sum / n : 0, variance = n > 0 ? s.squares / n - mean * mean : 0;
    line_begin(w->text);
    wg_put(w->text, "mean %.3g \xc2\xb1 %.3g  [%.3g, %.3g]  %.0f %% zero", mean, sqrt(variance > 0 ? variance : 0), s.low,
           s.high, 100.0 * (double)s.zeros / (double)s.n);
    line_end(w->text);
}

static void put_bad(writer *w, const wg_node *node)
{
    statistics s = measure(node);
    char place[256];
    line_begin(w->text);
    wg_put(w->text, "%s starts here: %lld of %lld", s.sum == s.sum && s.high > 1e300 ? "not finite" : "NaN", (long long)s.bad,
           (long long)s.n);
    line_end(w->text);
    if (*wg_place_text(w->d->tape, node->place, place, sizeof place)) {
        line_begin(w->text);
        wg_put_label(w->text, place);
        line_end(w->text);
    }
}

/* "mean = 2.2982" under the root that is one number. */
static void put_result(writer *w, const wg_node *node)
{
    if (!is_single(node))
        return;
    const char *reduction = "";
    const wg_schema *schema = node->op->options;
    for (int i = 0; schema && node->extra && node->extra->options && i < schema->n; i++)
        if (!strcmp(schema->attr[i].name, "reduction"))
            memcpy(&reduction, (const char *)node->extra->options + schema->attr[i].offset, sizeof reduction);
    line_begin(w->text);
    wg_put(w->text, "%s%s= ", reduction ? reduction : "", reduction && *reduction ? " " : "");
    put_number(w->text, single_value(node), 5);
    line_end(w->text);
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */
static void node_begin(writer *w, const wg_shown *item, const look *l)
{
    char id[16];
    begin(w);
    wg_put(w->text, "%s [id=\"%s\" class=\"%s\" label=<", id_of(item, id, sizeof id), id, l->class);
}

static void put_tip_start(writer *w, const wg_shown *item, const look *l)
{
    wg_put(w->text, "> shape=\"%s\" style=\"%s\" fillcolor=\"%s\" color=\"%s\" %s%stooltip=\"", l->shape, l->style,
           wg_color_light(l->fill), wg_color_light(l->line), l->extra,
           item->main && w->d->scope[item->scope].closed == WG_NOWHERE ? "group=\"m\" " : "");
}

static void put_head(writer *w, const char *name, wg_color ink)
{
    wg_put(w->text, "<FONT COLOR=\"%s\" POINT-SIZE=\"12\"><B>", wg_color_light(ink));
    wg_put_label(w->text, name);
    wg_put(w->text, "</B></FONT>");
}

static void put_tip_place(writer *w, const wg_node *node)
{
    char place[256];
    if (*wg_place_text(w->d->tape, node->place, place, sizeof place)) {
        wg_put(w->text, "\\n");
        wg_put_quoted(w->text, place);
    }
}

/* "linear (#6)\nout 64×128 float32, 32 KiB\nsaves x w\nmodel.c:5" */
static void put_tip(writer *w, const wg_shown *item, const wg_node *node, const char *what)
{
    char form[96], bytes[32];
    wg_type type = wg_node_type(node);
    wg_put_quoted(w->text, *wg_node_name(node) ? wg_node_name(node) : node->op->name);
    wg_put(w->text, " (#%u)\\n%s%s%s %s, %s", item->id, what, *what ? " " : "",
           wg_form_text(&type, type.dtype, form, sizeof form), wg_dtype_name(type.dtype),
           wg_bytes_text((double)wg_node_count(node) * (double)wg_dtype_size(type.dtype), bytes, sizeof bytes));
    if (is_single(node)) {
        wg_put(w->text, " = ");
        put_number(w->text, single_value(node), 7);
    }
    if (node->op->saves && *node->op->saves)
        wg_put(w->text, "\\nkeeps %s", node->op->saves);
    put_tip_place(w, node);
    wg_put(w->text, "\"];\n");
}

static void write_leaf(writer *w, const wg_shown *item)
{
    const look *l = &looks[item->kind];
    const wg_node *node = node_of(w, item->node);
    char form[96];
    wg_type type = wg_node_type(node);
    node_begin(w, item, l);
    if (item->kind == WG_ITEM_INPUT) {
        put_head(w, wg_node_name(node), l->ink);
        line_begin(w->text);
        wg_put(w->text, "%s", wg_form_text(&type, w->d->usual, form, sizeof form));
        line_end(w->text);
    } else {
        wg_put(w->text, "<FONT COLOR=\"%s\" POINT-SIZE=\"10\">", C(muted));
        if (is_single(node))
            put_number(w->text, single_value(node), 6);
        else
            wg_put(w->text, "%s", wg_form_text(&type, w->d->usual, form, sizeof form));
        wg_put(w->text, "</FONT>");
    }
    put_tip_start(w, item, l);
    put_tip(w, item, node, "input");
}

static void write_op(writer *w, const wg_shown *item)
{
    const look *l = &looks[item->kind];
    const wg_node *node = node_of(w, item->node);
    node_begin(w, item, l);
    wg_put(w->text, "<FONT COLOR=\"%s\" POINT-SIZE=\"12\"><B>", C(ink));
    wg_put_label(w->text, node->op->name);
    wg_put(w->text, "</B>");
    put_numbers(w, node);
    wg_put(w->text, "</FONT>");
    put_views(w, node);
    put_attributes(w, node);
    put_values(w, node);
    if (item->kind == WG_ITEM_ROOT)
        put_result(w, node);
    if (item->kind == WG_ITEM_BAD)
        put_bad(w, node);
    put_tip_start(w, item, l);
    put_tip(w, item, node, "out");
}

/* ---- Parameters -------------------------------------------------------------------------------------------------- */
/* The step of the log scale for a norm: 0 to 5, or -1 for zero. */
static int heat_of(double norm, double top)
{
    if (!(norm > 0))
        return -1;
    double decades = log10(norm / top) + DECADES;
    int step = (int)floor(decades * HEATS / DECADES);
    return step < 0 ? 0 : step >= HEATS ? HEATS - 1 : step;
}

static void put_gradient_cells(writer *w, const wg_node *param)
{
    const wg_node *grad = wg_node_gradient(w->d->tape, param);
    if (w->d->options.overlay != WG_SHOW_GRAD || !grad)
        return;
    double norm = wg_node_norm(grad);
    int heat = heat_of(norm, w->d->top_norm);
    wg_put(w->text,
           "<TD BGCOLOR=\"%s\" WIDTH=\"9\" FIXEDSIZE=\"TRUE\" HEIGHT=\"12\"></TD>"
           "<TD ALIGN=\"RIGHT\"><FONT COLOR=\"%s\" POINT-SIZE=\"10\">%.3g</FONT></TD>",
           heat < 0 ? C(constant_line) : wg_color_light((wg_color)(WG_COLOR_heat1 + heat)), C(ink), norm);
}

/* A parameter's name without the path of the scope it is drawn in. */
static const char *short_name(const writer *w, const wg_node *param, uint32_t scope)
{
    const char *name = wg_node_name(param), *path = w->d->scope[scope].path;
    size_t n = strlen(path);
    return n && !strncmp(name, path, n) && name[n] == '.' ? name + n + 1 : name;
}

static void put_row(writer *w, const wg_node *param, uint32_t scope, wg_color ink, const char *note)
{
    char form[96];
    wg_type type = wg_node_type(param);
    wg_put(w->text, "<TR><TD ALIGN=\"LEFT\"><FONT COLOR=\"%s\"><B>", wg_color_light(ink));
    wg_put_label(w->text, short_name(w, param, scope));
    wg_put(w->text, "</B></FONT></TD><TD ALIGN=\"RIGHT\"><FONT COLOR=\"%s\" POINT-SIZE=\"10\">%s%s</FONT></TD>",
           ink == WG_COLOR_ink ? C(muted) : wg_color_light(ink), wg_form_text(&type, w->d->usual, form, sizeof form), note);
    put_gradient_cells(w, param);
    wg_put(w->text, "</TR>");
}

static void put_param_tip(writer *w, const wg_node *param)
{
    char form[96], bytes[32], place[256];
    wg_type type = wg_node_type(param);
    wg_put_quoted(w->text, wg_node_name(param));
    wg_put(w->text, " %s %s, %s", wg_form_text(&type, type.dtype, form, sizeof form), wg_dtype_name(type.dtype),
           wg_bytes_text((double)wg_node_count(param) * (double)wg_dtype_size(type.dtype), bytes, sizeof bytes));
    if (*wg_place_text(w->d->tape, param->place, place, sizeof place)) {
        wg_put(w->text, ", ");
        wg_put_quoted(w->text, place);
    }
}

/* Parameters as a card: name left, shape right, norm where overlaid. */
static void write_params(writer *w, const wg_shown *item)
{
    uint32_t own = item->node, rows = item->rows ? item->rows : 1;
    const uint32_t *row = item->rows ? &w->d->row[item->first_row] : &own;
    bool frozen = true;
    for (uint32_t r = 0; r < rows; r++)
        frozen &= wg_node_is(node_of(w, row[r]), WG_NODE_FROZEN);
    const look *l = frozen && item->kind != WG_ITEM_UNUSED ? &frozen_card : &looks[item->kind];
    node_begin(w, item, l);
    wg_put(w->text, "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"2\" CELLPADDING=\"1\">");
    for (uint32_t r = 0; r < rows && r < MOST_ROWS; r++)
        put_row(w, node_of(w, row[r]), item->scope, l->ink,
                wg_node_is(node_of(w, row[r]), WG_NODE_FROZEN) ? " frozen" : "");
    if (rows > MOST_ROWS)
        wg_put(w->text, "<TR><TD COLSPAN=\"2\"><FONT COLOR=\"%s\" POINT-SIZE=\"10\">and %u more</FONT></TD></TR>", C(muted),
               rows - MOST_ROWS);
    if (item->kind == WG_ITEM_UNUSED)
        wg_put(w->text, "<TR><TD COLSPAN=\"2\"><FONT COLOR=\"%s\" POINT-SIZE=\"10\">not used by the loss</FONT></TD></TR>",
               C(unused_ink));
    wg_put(w->text, "</TABLE>");
    put_tip_start(w, item, l);
    for (uint32_t r = 0; r < rows; r++) {
        wg_put(w->text, r ? "\\n" : "");
        put_param_tip(w, node_of(w, row[r]));
    }
    wg_put(w->text, "\"];\n");
}

/* ---- Scopes ------------------------------------------------------------------------------------------------------ */
static bool inside(const wg_drawing *d, uint32_t scope, uint32_t outer)
{
    while (scope && scope != outer)
        scope = d->scope[scope].parent;
    return scope == outer;
}

static void write_closed(writer *w, const wg_shown *item)
{
    const wg_place_in *scope = &w->d->scope[item->user];
    char count[32];
    node_begin(w, item, &looks[WG_ITEM_CLOSED]);
    put_head(w, scope->name, WG_COLOR_ink);
    line_begin(w->text);
    for (uint32_t i = 0; scope->below <= 3 && i < w->d->items; i++)
        if ((w->d->item[i].kind == WG_ITEM_OP || w->d->item[i].kind == WG_ITEM_BAD) &&
            inside(w->d, w->d->item[i].scope, item->user))
            wg_put(w->text, " %s ", node_of(w, w->d->item[i].node)->op->name);
    if (scope->below > 3)
        wg_put(w->text, "%u ops", scope->below);
    line_end(w->text);
    if (scope->parameters) {
        line_begin(w->text);
        wg_put(w->text, "%s parameters", wg_count_text(scope->parameters, count, sizeof count));
        line_end(w->text);
    }
    put_tip_start(w, item, &looks[WG_ITEM_CLOSED]);
    wg_put(w->text, "scope ");
    wg_put_quoted(w->text, scope->path);
    wg_put(w->text, "\"];\n");
}

static void write_item(writer *w, wg_shown *item)
{
    if (item->placed)
        return;
    item->placed = true;
    if (item->kind == WG_ITEM_CLOSED)
        write_closed(w, item);
    else if (item->kind == WG_ITEM_CARD || item->kind == WG_ITEM_PARAM || item->kind == WG_ITEM_UNUSED)
        write_params(w, item);
    else if (item->kind == WG_ITEM_INPUT || item->kind == WG_ITEM_CONSTANT)
        write_leaf(w, item);
    else
        write_op(w, item);
}

static bool is_side(const wg_shown *item)
{
    return item->kind == WG_ITEM_CARD || item->kind == WG_ITEM_PARAM ||
           ((item->kind == WG_ITEM_INPUT || item->kind == WG_ITEM_CONSTANT) && !item->main);
}

/* Side inputs and cards stand on the rank of the operation that takes them, to its left. */
static void write_rank(writer *w, uint32_t item, bool cards)
{
    char id[16];
    bool any = false;
    for (uint32_t e = 0; e < w->d->edges; e++) {
        const wg_shown *from = &w->d->item[w->d->edge[e].from];
        if (w->d->edge[e].to != item || !is_side(from) || (from->kind == WG_ITEM_CARD) != cards || from->kind == WG_ITEM_PARAM)
            continue;
        if (!any) {
            begin(w);
            wg_put(w->text, "{ rank=\"same\"; ");
        }
        any = true;
        wg_put(w->text, "%s; ", id_of(from, id, sizeof id));
    }
    if (any)
        wg_put(w->text, "%s; }\n", id_of(&w->d->item[item], id, sizeof id));
}

/* The inputs of an operation that are not drawn yet, which stand in no scope. */
static void write_inputs(writer *w, uint32_t item)
{
    for (uint32_t e = 0; e < w->d->edges; e++) {
        wg_shown *from = &w->d->item[w->d->edge[e].from];
        if (w->d->edge[e].to == item && from->kind != WG_ITEM_CARD && (is_side(from) || from->kind == WG_ITEM_INPUT))
            write_item(w, from);
    }
}

static void write_edge(writer *w, const wg_edge *e)
{
    const wg_drawing *d = w->d;
    const wg_node *node = node_of(w, e->node), *user = node_of(w, d->item[e->to].node);
    char from[16], to[16], form[96];
    wg_type type = wg_node_type(node);
    wg_form_text(&type, d->usual, form, sizeof form);
    begin(w);
    wg_put(w->text, "%s -> %s [", id_of(&d->item[e->from], from, sizeof from), id_of(&d->item[e->to], to, sizeof to));
    if (e->labelled)
        wg_put(w->text, "label=\" %s \" ", form);
    if (e->named && e->operand < WG_MAX_OPERANDS && user->op->in[e->operand].name)
        wg_put(w->text, "headlabel=\" %s \" ", user->op->in[e->operand].name);
    if (wg_node_is(node, WG_NODE_CUT) && !wg_node_is(node, WG_NODE_LEAF))
        wg_put(w->text, "style=\"dotted\" ");
    wg_put(w->text, "tooltip=\"%s\"];\n", e->labelled ? form : " ");
}

static bool is_card_edge(const wg_drawing *d, const wg_edge *e) { return d->item[e->from].kind == WG_ITEM_CARD; }

/* An operation with its card, inside its cluster. */
static void write_with_card(writer *w, uint32_t item)
{
    for (uint32_t i = 0; i < w->d->items; i++)
        if (w->d->item[i].kind == WG_ITEM_CARD && w->d->item[i].user == item)
            write_item(w, &w->d->item[i]);
    write_item(w, &w->d->item[item]);
    write_rank(w, item, true);
    for (uint32_t e = 0; e < w->d->edges; e++)
        if (w->d->edge[e].to == item && is_card_edge(w->d, &w->d->edge[e]))
            write_edge(w, &w->d->edge[e]);
}

static void cluster_begin(writer *w, uint32_t scope)
{
    begin(w);
    wg_put(w->text, "subgraph \"cluster_");
    wg_put_quoted(w->text, w->d->scope[scope].path);
    wg_put(w->text, "\" {\n");
    w->indent++;
    begin(w);
    wg_put(w->text, "graph [id=\"s:");
    wg_put_quoted(w->text, w->d->scope[scope].path);
    wg_put(w->text, "\" class=\"scope\" label=<<B>");
    wg_put_label(w->text, w->d->scope[scope].name);
    wg_put(w->text,
           "</B>> labelloc=\"t\" labeljust=\"l\" fontsize=\"11\" fontcolor=\"%s\" style=\"rounded,filled\" fillcolor=\"%s\" "
           "color=\"%s\" margin=\"10\" tooltip=\"scope ",
           C(muted), C(scope), C(scope_line));
    wg_put_quoted(w->text, w->d->scope[scope].path);
    wg_put(w->text, "\"];\n");
}

static bool is_hidden(const wg_drawing *d, const wg_shown *item)
{
    return item->kind != WG_ITEM_CLOSED && d->scope[item->scope].closed != WG_NOWHERE;
}

static bool is_body(const wg_drawing *d, const wg_shown *item)
{
    return !item->placed && !is_hidden(d, item) && item->kind != WG_ITEM_CARD && item->kind != WG_ITEM_INPUT &&
           item->kind != WG_ITEM_CONSTANT;
}

/* The operations of one scope and of the scopes in it, nested at most as deep as scopes are. */
static void write_scope(writer *w, uint32_t scope)
{
    for (uint32_t i = 0; i < w->d->items; i++) {
        wg_shown *item = &w->d->item[i];
        if (!is_body(w->d, item) || !inside(w->d, item->scope, scope))
            continue;
        if (item->scope == scope) {
            if (!scope)
                write_inputs(w, i);
            write_with_card(w, i);
            continue;
        }
        uint32_t child = item->scope;
        while (w->d->scope[child].parent != scope)
            child = w->d->scope[child].parent;
        if (!scope)
            write_inputs(w, i);
        cluster_begin(w, child);
        write_scope(w, child);
        w->indent--;
        begin(w);
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
    wg_put(t, " \xc2\xb7 %u nodes", d->nodes);
    if (d->parameters)
        wg_put(t, " \xc2\xb7 %s parameters (%s)", wg_count_text(d->parameters, count, sizeof count),
               wg_bytes_text(d->parameter_bytes, bytes, sizeof bytes));
    wg_put(t, " \xc2\xb7 %s unless marked</FONT></TD></TR>", wg_dtype_name(d->usual));
    if (d->options.overlay == WG_SHOW_GRAD) {
        wg_put(t,
               "<TR><TD ALIGN=\"LEFT\"><TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"1\"><TR>"
               "<TD><FONT COLOR=\"%s\">gradient 2-norm  %.2g </FONT></TD>",
               C(muted), d->top_norm * pow(10, -DECADES));
        for (int i = 0; i < HEATS; i++)
            wg_put(t, "<TD BGCOLOR=\"%s\" WIDTH=\"16\" HEIGHT=\"8\" FIXEDSIZE=\"TRUE\"></TD>",
                   wg_color_light((wg_color)(WG_COLOR_heat1 + i)));
        wg_put(t, "<TD><FONT COLOR=\"%s\"> %.3g  (log scale, parameters)</FONT></TD></TR></TABLE></TD></TR>", C(muted),
               d->top_norm);
    }
    if (d->closed_by_itself)
        wg_put(t,
               "<TR><TD ALIGN=\"LEFT\"><FONT COLOR=\"%s\">%u scopes are drawn closed to fit a page; a larger depth opens "
               "them</FONT></TD></TR>",
               C(muted), d->closed_by_itself);
    wg_put(t, "</TABLE>>");
}

void wg_write_dot(const wg_drawing *d, wg_text *text)
{
    writer w = {d, text, 1};
    wg_put(text, "digraph \"");
    wg_put_quoted(text, d->title);
    wg_put(text,
           "\" {\n  graph [rankdir=\"%s\" ranksep=\"0.36\" nodesep=\"0.3\" newrank=\"true\" bgcolor=\"%s\" pad=\"0.2\"\n"
           "         fontname=\"" FONT "\" fontsize=\"11\" fontcolor=\"%s\" labelloc=\"b\" labeljust=\"l\"\n         label=",
           d->options.direction == WG_RIGHT ? "LR" : "TB", C(page), C(muted));
    put_caption(&w);
    wg_put(text,
           " tooltip=\" \"];\n"
           "  node  [fontname=\"" FONT "\" fontsize=\"12\" height=\"0.36\" margin=\"0.12,0.055\" penwidth=\"1.2\"];\n"
           "  edge  [fontname=\"" FONT "\" fontsize=\"10\" fontcolor=\"%s\" color=\"%s\" penwidth=\"1.2\" arrowsize=\"0.6\"];\n",
           C(muted), C(line));
    for (uint32_t i = 0; i < d->items; i++)
        d->item[i].placed = false;
    write_scope(&w, 0);
    for (uint32_t i = 0; i < d->items; i++)
        if (!is_hidden(d, &d->item[i]) && d->item[i].kind != WG_ITEM_CARD)
            write_item(&w, &d->item[i]);
    for (uint32_t i = 0; i < d->items; i++)
        write_rank(&w, i, false);
    for (uint32_t e = 0; e < d->edges; e++)
        if (!is_card_edge(d, &d->edge[e]) || d->item[d->edge[e].to].kind == WG_ITEM_CLOSED)
            write_edge(&w, &d->edge[e]);
    wg_put(text, "}\n");
}
