/* The nodes of a drawing as DOT: what is said of an operation, a leaf, parameters, a closed scope. */
#include "graph/dot.h"

#define MOST_ROWS 12 /* parameters written out on one card */
#define MOST_VIEWS 3 /* operands told of that are views, and views in a row */

/* How a kind looks: shape before colour. */
typedef struct {
    const char *class, *shape, *style;
    wg_color fill, line, ink;
    const char *extra;
} look;

static const look looks[] = {
    [WG_ITEM_OP] = {"op", "box", "rounded,filled", WG_COLOR_op, WG_COLOR_op_line, WG_COLOR_ink, ""},
    [WG_ITEM_INPUT] = {"input", "ellipse", "filled", WG_COLOR_input, WG_COLOR_input_line, WG_COLOR_ink,
                       "margin=\"0.02,0.02\" "},
    [WG_ITEM_CONSTANT] = {"const", "box", "dotted", WG_COLOR_page, WG_COLOR_constant_line, WG_COLOR_ink, ""},
    [WG_ITEM_CARD] = {"param", "cylinder", "filled", WG_COLOR_param, WG_COLOR_param_line, WG_COLOR_ink,
                      "margin=\"0.06,0.03\" "},
    [WG_ITEM_PARAM] = {"param", "cylinder", "filled", WG_COLOR_param, WG_COLOR_param_line, WG_COLOR_ink,
                       "margin=\"0.06,0.03\" "},
    [WG_ITEM_ROOT] = {"loss", "box", "rounded,filled", WG_COLOR_loss, WG_COLOR_loss_line, WG_COLOR_ink,
                      "peripheries=\"2\" "},
    [WG_ITEM_CLOSED] = {"scope", "box", "filled", WG_COLOR_closed, WG_COLOR_op_line, WG_COLOR_ink,
                        "peripheries=\"2\" "},
    [WG_ITEM_UNUSED] = {"dead", "box", "rounded,dotted", WG_COLOR_page, WG_COLOR_unused_line, WG_COLOR_unused_ink, ""},
};
static const look frozen_card = {"frozen", "cylinder", "solid", WG_COLOR_page, WG_COLOR_constant_line, WG_COLOR_ink,
                                 "margin=\"0.06,0.03\" "};

static look look_of(const wg_shown *item)
{
    look l = looks[item->kind];
    if (item->bad) {
        l.class = "bad";
        l.fill = WG_COLOR_bad;
        l.line = WG_COLOR_bad_line;
        l.extra = item->kind == WG_ITEM_ROOT || item->kind == WG_ITEM_CLOSED ? "penwidth=\"3\" peripheries=\"2\" "
                                                                             : "penwidth=\"3\" ";
    }
    return l;
}

/* ---- What is said of an operation -------------------------------------------------------------------------------- */
static void note_begin(wg_text *t) { wg_put(t, "<BR/><FONT COLOR=\"%s\" POINT-SIZE=\"10\">", C(muted)); }
static void note_end(wg_text *t) { wg_put(t, "</FONT>"); }

static bool is_single(const wg_node *node) { return wg_node_count(node) == 1; }

static double single_value(const wg_node *node) { return wg_load_number((wg_dtype)node->dtype, node->data); }

static void put_number(wg_text *t, double value, int digits)
{
    if (value != value)
        wg_put(t, "NaN");
    else
        wg_put(t, "%.*g", digits, value);
}

static bool commutes(const wg_op *op)
{
    return op->map && (!strcmp(op->map->value, "a + b") || !strcmp(op->map->value, "a * b"));
}

static bool is_number(const writer *w, uint32_t x)
{
    return x != WG_ABSENT && wg_node_is(node_of(w, x), WG_NODE_NUMBER);
}

/* Behind the name, which it ends: the numbers that were written as operands, "multiply 2", "pow 3"; where a tensor
 * stands behind one, "divide 1, ·". */
static void put_numbers(writer *w, const wg_node *node)
{
    const uint32_t *in = wg_node_in(node);
    bool first = true;
    for (int k = 0; k < node->n_in; k++) {
        bool later = false;
        for (int i = k + 1; i < node->n_in; i++)
            later |= is_number(w, in[k]) && in[i] != WG_ABSENT && !is_number(w, in[i]);
        if (!is_number(w, in[k]))
            continue;
        wg_put(w->text, first ? "&#160;</B>" : ", "); /* renderers drop a space that a text begins with */
        put_number(w->text, single_value(node_of(w, in[k])), 6);
        if (later && !commutes(node->op))
            wg_put(w->text, ", \xc2\xb7");
        first = false;
    }
    if (first)
        wg_put(w->text, "</B>");
}

/* Is an axis the one that its default comes to for operands of this rank, or are the axes all of them? */
static bool is_default_axis(const wg_attr *attr, const void *own, const void *standard, int rank)
{
    const int *axis = own, *usual = standard;
    if (attr->kind == WG_ATTR_AXIS)
        return *usual != WG_NO_AXIS && *axis == *usual + (*usual < 0 ? rank + attr->extra_rank : 0);
    const wg_axes *axes = own, *these = standard;
    if (attr->kind != WG_ATTR_AXES || these->n < 0)
        return false;
    bool same = axes->n == (these->n ? these->n : rank);
    for (int i = 0; same && i < axes->n; i++)
        same = axes->at[i] == (!these->n ? i : these->at[i] < 0 ? these->at[i] + rank : these->at[i]);
    return same;
}

/* The options that are not what they are by default, once axes are counted from the front. */
static void put_attributes(writer *w, const wg_shown *item, const wg_node *node)
{
    char text[160];
    max_align_t own[32];
    const void *options = wg_node_options(node);
    const wg_schema *schema = node->op->options;
    if (!options || !schema || schema->size > sizeof own)
        return;
    const uint32_t *in = wg_node_in(node);
    int rank = node->n_in && in[0] != WG_ABSENT ? node_of(w, in[0])->rank : 0;
    memcpy(own, options, schema->size);
    for (int i = 0; i < schema->n; i++) {
        const wg_attr *attr = &schema->attr[i];
        const char *member = (const char *)options + attr->offset,
                   *standard = (const char *)schema->defaults + attr->offset;
        bool told = item->kind == WG_ITEM_ROOT && !strcmp(attr->name, "reduction");
        if (told || is_default_axis(attr, member, standard, rank))
            memcpy((char *)own + attr->offset, standard, attr->size);
    }
    if (wg_options_text(node->op, own, text, sizeof text) || !*text)
        return;
    note_begin(w->text);
    wg_put_label(w->text, text);
    note_end(w->text);
}

/* The views from x down to what it is a view of, the first one first: "reshape, permute_dims 8×4×32×16". */
static void put_chain(writer *w, uint32_t x)
{
    const char *name[MOST_VIEWS];
    char form[96];
    int n = 0;
    wg_type type = wg_node_type(node_of(w, x));
    for (uint32_t at = x, source = wg_drawing_source(w->d, x); at != source; at = wg_node_in(node_of(w, at))[0])
        if (n++ < MOST_VIEWS)
            name[n - 1] = node_of(w, at)->op->name;
    note_begin(w->text);
    if (n > MOST_VIEWS)
        wg_put(w->text, "\xe2\x80\xa6, ");
    for (int i = (n < MOST_VIEWS ? n : MOST_VIEWS) - 1; i >= 0; i--)
        wg_put(w->text, "%s%s", name[i], i ? ", " : " ");
    wg_put(w->text, "%s", wg_form_text(&type, w->d->usual, form, sizeof form));
    note_end(w->text);
}

/* What stands between an operation's operands and what they are views of. */
static void put_views(writer *w, const wg_node *node)
{
    const uint32_t *in = wg_node_in(node);
    int n = 0;
    for (int k = 0; k < node->n_in; k++)
        if (in[k] != WG_ABSENT && wg_drawing_source(w->d, in[k]) != in[k] && n++ < MOST_VIEWS)
            put_chain(w, in[k]);
    if (n > MOST_VIEWS) {
        note_begin(w->text);
        wg_put(w->text, "and %d more views", n - MOST_VIEWS);
        note_end(w->text);
    }
}

/* ---- What is said of values -------------------------------------------------------------------------------------- */
typedef struct {
    int64_t n, nan, infinite, zeros;
    double mean, deviation, low, high; /* of the finite ones */
} statistics;

/* Calls visit on n elements at a time, as numbers. */
static void each_piece(const wg_node *node, void (*visit)(statistics *s, double v), statistics *s)
{
    unsigned char piece[256 * 8];
    wg_type type = wg_node_type(node);
    size_t size = wg_dtype_size(type.dtype);
    for (int64_t i = 0; i < s->n; i += 256) {
        int64_t n = s->n - i < 256 ? s->n - i : 256;
        wg_gather_range(&type, wg_node_stride(node), node->data, i, n, piece);
        for (int64_t k = 0; k < n; k++)
            visit(s, wg_load_number(type.dtype, piece + (size_t)k * size));
    }
}

static void take_in(statistics *s, double v)
{
    s->zeros += v == 0;
    s->nan += v != v;
    s->infinite += isinf(v) != 0;
    if (isfinite(v)) {
        s->mean += v;
        s->low = fmin(s->low, v);
        s->high = fmax(s->high, v);
    }
}

static void take_distance(statistics *s, double v) { s->deviation += isfinite(v) ? (v - s->mean) * (v - s->mean) : 0; }

static statistics measure(const wg_node *node)
{
    statistics s = {.n = wg_node_count(node), .low = (double)INFINITY, .high = -(double)INFINITY};
    each_piece(node, take_in, &s);
    double finite = (double)(s.n - s.nan - s.infinite);
    s.mean = finite > 0 ? s.mean / finite : 0;
    each_piece(node, take_distance, &s);
    s.deviation = finite > 0 ? sqrt(s.deviation / finite) : 0;
    return s;
}

static void put_values(writer *w, const wg_node *node)
{
    if (w->d->options.overlay != WG_SHOW_VALUES || wg_node_count(node) < 2)
        return;
    statistics s = measure(node);
    note_begin(w->text);
    if (s.nan + s.infinite == s.n)
        wg_put(w->text, "nothing finite");
    else
        wg_put(w->text, "mean %.3g \xc2\xb1 %.3g  [%.3g, %.3g]", s.mean, s.deviation, s.low, s.high);
    if (s.zeros)
        wg_put(w->text, "  %.3g %% zero", 100.0 * (double)s.zeros / (double)s.n);
    note_end(w->text);
}

static void put_bad_line(writer *w, const char *what)
{
    wg_put(w->text, "<BR/><FONT COLOR=\"%s\" POINT-SIZE=\"10\">%s</FONT>", C(bad_line), what);
}

/* "NaN starts here: 5 of 640", the range of what came in, the place. */
static void put_bad(writer *w, const wg_node *node)
{
    statistics s = measure(node);
    char text[256];
    snprintf(text, sizeof text, "%s starts here: %lld of %lld", s.nan ? "NaN" : "infinity",
             (long long)(s.nan ? s.nan : s.infinite), (long long)s.n);
    put_bad_line(w, text);
    const uint32_t *in = wg_node_in(node);
    if (!wg_node_is(node, WG_NODE_LEAF) && node->n_in && in[0] != WG_ABSENT) {
        s = measure(node_of(w, in[0]));
        if (s.low <= s.high) {
            note_begin(w->text);
            wg_put(w->text, "input in [%.3g, %.3g]", s.low, s.high);
            note_end(w->text);
        }
    }
    if (*wg_place_text(w->d->tape, node->place, text, sizeof text)) {
        note_begin(w->text);
        wg_put_label(w->text, text);
        note_end(w->text);
    }
}

/* "mean = 2.2982" under the root, and "= 3" under any other result that is one number. */
static void put_result(writer *w, const wg_shown *item, const wg_node *node)
{
    if (wg_node_count(node) != 1 || node->rank)
        return;
    const char *reduction = NULL;
    const wg_schema *schema = node->op->options;
    const char *options = wg_node_options(node);
    for (int i = 0; item->kind == WG_ITEM_ROOT && schema && options && i < schema->n; i++)
        if (!strcmp(schema->attr[i].name, "reduction"))
            memcpy(&reduction, options + schema->attr[i].offset, sizeof reduction);
    note_begin(w->text);
    wg_put(w->text, "%s%s= ", reduction ? reduction : "", reduction ? " " : "");
    put_number(w->text, single_value(node), 5);
    note_end(w->text);
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */
static void node_begin(writer *w, uint32_t item, const look *l)
{
    line_start(w);
    put_id(w, item);
    wg_put(w->text, " [id=\"");
    put_id(w, item);
    wg_put(w->text, "\" class=\"%s\" label=<", l->class);
}

static void label_end(writer *w, const look *l)
{
    wg_put(w->text, "> shape=\"%s\" style=\"%s\" fillcolor=\"%s\" color=\"%s\" %stooltip=\"", l->shape, l->style,
           wg_color_light(l->fill), wg_color_light(l->line), l->extra);
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

static void write_leaf(writer *w, uint32_t item)
{
    const wg_shown *shown = &w->d->item[item];
    const look l = look_of(shown);
    const wg_node *node = node_of(w, shown->node);
    char form[96];
    wg_type type = wg_node_type(node);
    node_begin(w, item, &l);
    if (*wg_node_name(node)) {
        put_head(w, wg_node_name(node), l.ink);
        note_begin(w->text);
    } else {
        wg_put(w->text, "<FONT COLOR=\"%s\" POINT-SIZE=\"10\">", C(muted));
    }
    if (is_single(node) && (shown->kind == WG_ITEM_CONSTANT || shown->kind == WG_ITEM_ROOT))
        put_number(w->text, single_value(node), 6);
    else
        wg_put(w->text, "%s", wg_form_text(&type, w->d->usual, form, sizeof form));
    note_end(w->text);
    if (shown->bad)
        put_bad(w, node);
    label_end(w, &l);
    put_tip(w, shown, node, "input");
}

static void write_op(writer *w, uint32_t item)
{
    const wg_shown *shown = &w->d->item[item];
    const look l = look_of(shown);
    const wg_node *node = node_of(w, shown->node);
    node_begin(w, item, &l);
    wg_put(w->text, "<FONT COLOR=\"%s\" POINT-SIZE=\"12\"><B>", C(ink));
    wg_put_label(w->text, node->op->name);
    put_numbers(w, node);
    wg_put(w->text, "</FONT>");
    put_views(w, node);
    put_attributes(w, shown, node);
    put_values(w, node);
    put_result(w, shown, node);
    if (shown->bad)
        put_bad(w, node);
    label_end(w, &l);
    put_tip(w, shown, node, "out");
}

/* ---- Parameters -------------------------------------------------------------------------------------------------- */
/* The step of the log scale for a norm: 0 to 5, or -1 for zero and NaN. */
static int heat_of(double norm, double top)
{
    if (!(norm > 0))
        return -1;
    double step = (log10(norm / top) + WG_DECADES) * WG_HEATS / WG_DECADES; /* NaN where both are infinite */
    return step >= WG_HEATS - 1 || step != step ? WG_HEATS - 1 : step <= 0 ? 0 : (int)step;
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

/* A parameter's name without the path, or the end of the path, of the scope it is drawn in: in block.0.attn both
 * "block.0.attn.q" and "attn.q" are "q". */
static const char *short_name(const writer *w, const wg_node *param, uint32_t scope)
{
    const char *name = wg_node_name(param), *path = w->d->scope[scope].path;
    while (path && *path) {
        size_t n = strlen(path);
        if (!strncmp(name, path, n) && name[n] == '.')
            return name + n + 1;
        path = strchr(path, '.');
        path = path ? path + 1 : NULL;
    }
    return name;
}

static void put_row(writer *w, const wg_node *param, uint32_t scope, wg_color ink, const char *note)
{
    char form[96];
    wg_type type = wg_node_type(param);
    wg_put(w->text, "<TR><TD ALIGN=\"LEFT\"><FONT COLOR=\"%s\"><B>", wg_color_light(ink));
    wg_put_label(w->text, short_name(w, param, scope));
    wg_put(w->text, "</B></FONT></TD><TD ALIGN=\"RIGHT\"><FONT COLOR=\"%s\" POINT-SIZE=\"10\">%s%s</FONT></TD>",
           ink == WG_COLOR_ink ? C(muted) : wg_color_light(ink), wg_form_text(&type, w->d->usual, form, sizeof form),
           note);
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

static void put_note_row(writer *w, wg_color ink, const char *format, unsigned n)
{
    wg_put(w->text, "<TR><TD COLSPAN=\"2\"><FONT COLOR=\"%s\" POINT-SIZE=\"10\">", wg_color_light(ink));
    wg_put(w->text, format, n);
    wg_put(w->text, "</FONT></TD></TR>");
}

/* Parameters as a card: name left, shape right, norm where overlaid. */
static void write_params(writer *w, uint32_t item)
{
    const wg_shown *shown = &w->d->item[item];
    uint32_t rows = shown->rows ? shown->rows : 1;
    const uint32_t *row = shown->rows ? &w->d->row[shown->first_row] : &shown->node;
    bool frozen = shown->kind != WG_ITEM_UNUSED && !shown->bad;
    for (uint32_t r = 0; r < rows; r++)
        frozen &= wg_node_is(node_of(w, row[r]), WG_NODE_FROZEN);
    const look l = frozen ? frozen_card : look_of(shown);
    node_begin(w, item, &l);
    wg_put(w->text, "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"2\" CELLPADDING=\"1\">");
    for (uint32_t r = 0; r < rows && r < MOST_ROWS; r++)
        put_row(w, node_of(w, row[r]), shown->scope, l.ink,
                wg_node_is(node_of(w, row[r]), WG_NODE_FROZEN) ? " frozen" : "");
    if (rows > MOST_ROWS)
        put_note_row(w, WG_COLOR_muted, "and %u more", rows - MOST_ROWS);
    if (shown->kind == WG_ITEM_PARAM && shown->uses > 1)
        put_note_row(w, WG_COLOR_muted, shown->uses == 2 ? "used twice" : "used %u times", shown->uses);
    if (shown->kind == WG_ITEM_UNUSED)
        put_note_row(w, WG_COLOR_unused_ink, "not used by the loss", 0);
    if (shown->bad)
        put_note_row(w, WG_COLOR_bad_line, "not finite", 0);
    wg_put(w->text, "</TABLE>");
    label_end(w, &l);
    for (uint32_t r = 0; r < rows; r++) {
        wg_put(w->text, r ? "\\n" : "");
        put_param_tip(w, node_of(w, row[r]));
    }
    wg_put(w->text, "\"];\n");
}

/* ---- Closed scopes ----------------------------------------------------------------------------------------------- */
static void write_closed(writer *w, uint32_t item)
{
    const wg_place_in *scope = &w->d->scope[w->d->item[item].stands_for];
    const look l = look_of(&w->d->item[item]);
    char count[32];
    node_begin(w, item, &l);
    put_head(w, scope->name, WG_COLOR_ink);
    note_begin(w->text);
    for (uint32_t i = 0; scope->ops <= WG_FEW && i < scope->ops; i++)
        wg_put(w->text, "%s%s", i ? ", " : "", node_of(w, w->d->item[scope->few[i]].node)->op->name);
    if (scope->ops > WG_FEW)
        wg_put(w->text, "%u ops", scope->ops);
    note_end(w->text);
    if (scope->parameters) {
        note_begin(w->text);
        wg_put(w->text, "%s parameters", wg_count_text(scope->parameters, count, sizeof count));
        note_end(w->text);
    }
    if (w->d->item[item].bad)
        put_bad_line(w, "not finite from in here on");
    label_end(w, &l);
    wg_put(w->text, "scope ");
    wg_put_quoted(w->text, scope->path);
    wg_put(w->text, "\"];\n");
}

void wg_write_node(writer *w, uint32_t item)
{
    const wg_shown *shown = &w->d->item[item];
    if (shown->kind == WG_ITEM_CLOSED)
        write_closed(w, item);
    else if (wg_node_is(node_of(w, shown->node), WG_NODE_PARAM))
        write_params(w, item);
    else if (wg_node_is(node_of(w, shown->node), WG_NODE_LEAF))
        write_leaf(w, item);
    else
        write_op(w, item);
}
