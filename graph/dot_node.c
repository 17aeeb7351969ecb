/* The nodes of a drawing as DOT: what is said of an operation, a leaf, a closed scope. */
#include "graph/dot.h"

#define MOST_VIEWS 3 /* operands told of that are views, and views in a row */

static const wg_look looks[] = {
    [WG_ITEM_OP] = {"op", "box", "rounded,filled", WG_COLOR_op, WG_COLOR_op_line, WG_COLOR_ink, WG_COLOR_muted, ""},
    [WG_ITEM_INPUT] = {"input", "ellipse", "filled", WG_COLOR_input, WG_COLOR_input_line, WG_COLOR_ink, WG_COLOR_muted,
                       "margin=\"0.02,0.02\" "},
    [WG_ITEM_CONSTANT] = {"const", "box", "dotted", WG_COLOR_page, WG_COLOR_constant_line, WG_COLOR_ink, WG_COLOR_muted,
                          ""},
    [WG_ITEM_CARD] = {"param", "cylinder", "filled", WG_COLOR_param, WG_COLOR_param_line, WG_COLOR_ink, WG_COLOR_muted,
                      "margin=\"0.06,0.03\" "},
    [WG_ITEM_PARAM] = {"param", "cylinder", "filled", WG_COLOR_param, WG_COLOR_param_line, WG_COLOR_ink, WG_COLOR_muted,
                       "margin=\"0.06,0.03\" "},
    [WG_ITEM_ROOT] = {"loss", "box", "rounded,filled", WG_COLOR_loss, WG_COLOR_loss_line, WG_COLOR_ink, WG_COLOR_muted,
                      "peripheries=\"2\" "},
    [WG_ITEM_CLOSED] = {"scope", "box", "filled", WG_COLOR_closed, WG_COLOR_op_line, WG_COLOR_ink, WG_COLOR_muted,
                        "peripheries=\"2\" "},
    [WG_ITEM_UNUSED] = {"dead", "box", "rounded,dotted", WG_COLOR_page, WG_COLOR_unused_line, WG_COLOR_unused_ink,
                        WG_COLOR_unused_ink, ""},
};

/* ---- Looks ------------------------------------------------------------------------------------------------------- */
/* Fills by a share of the largest; words stand out from every step. */
static void heated(wg_look *look, double value, double top)
{
    static const wg_color inks[WG_HEATS] = {WG_COLOR_ink,      WG_COLOR_ink,      WG_COLOR_on_heat3,
                                            WG_COLOR_on_heat4, WG_COLOR_on_heat4, WG_COLOR_on_heat4};
    if (!(value > 0))
        return;
    look->fill = wg_heat_color(value, top, WG_DECADES);
    look->ink = look->note = inks[look->fill - WG_COLOR_heat1];
}

static bool is_operation(const writer *w, const wg_shown *item)
{
    return item->kind == WG_ITEM_CLOSED || !wg_fact_is_leaf(fact_of(w, item->node));
}

wg_look wg_look_of(const writer *w, uint32_t item)
{
    const wg_shown *shown = &w->d->item[item];
    wg_look look = looks[shown->kind];
    if (shown->bad) {
        bool twice = shown->kind == WG_ITEM_ROOT || shown->kind == WG_ITEM_CLOSED;
        look.class = "bad";
        look.fill = WG_COLOR_bad;
        look.line = WG_COLOR_bad_line;
        look.extra = twice ? "penwidth=\"3\" peripheries=\"2\" " : "penwidth=\"3\" ";
    } else if (is_operation(w, shown)) {
        if (shown->kind == WG_ITEM_OP && fact_of(w, shown->node)->backward) {
            look.class = "back";
            look.fill = WG_COLOR_back;
            look.line = WG_COLOR_back_line;
        }
        if (w->d->options.overlay == WG_SHOW_MEMORY)
            heated(&look, shown->bytes, w->d->top_bytes);
        if (w->d->options.overlay == WG_SHOW_TIME)
            heated(&look, shown->seconds, w->d->top_seconds);
    }
    return look;
}

/* ---- Words ------------------------------------------------------------------------------------------------------- */
void wg_put_note(writer *w, const wg_look *look, const char *format, ...)
{
    char text[256];
    va_list va;
    va_start(va, format);
    vsnprintf(text, sizeof text, format, va);
    va_end(va);
    wg_put(w->text, "<BR/><FONT COLOR=\"%s\" POINT-SIZE=\"10\">", wg_color_in(look->note, w->dark));
    wg_put_markup(w->text, text);
    wg_put(w->text, "</FONT>");
}

void wg_put_head(writer *w, const char *name, wg_color ink)
{
    wg_put(w->text, "<FONT COLOR=\"%s\" POINT-SIZE=\"12\"><B>", wg_color_in(ink, w->dark));
    wg_put_label(w->text, name);
    wg_put(w->text, "</B></FONT>");
}

static void put_short(writer *w, const char *text, const wg_look *look)
{
    wg_put(w->text, "<BR/><FONT COLOR=\"%s\" POINT-SIZE=\"10\">", wg_color_in(look->note, w->dark));
    wg_put_label(w->text, text);
    wg_put(w->text, "</FONT>");
}

/* The views from x down to what it is a view of, the first one first: "reshape, permute_dims 8×4×32×16". */
static void put_chain(writer *w, const wg_operand_fact *o, const wg_look *look)
{
    const wg_facts *f = w->d->facts;
    const char *name[MOST_VIEWS];
    char form[96], text[200] = "";
    size_t used = 0;
    int n = 0;
    for (uint32_t at = o->from; at != w->d->source[o->from] && n <= MOST_VIEWS;
         at = f->operand[f->node[at].operand].from)
        if (n++ < MOST_VIEWS)
            name[n - 1] = f->node[at].op;
    for (int i = (n < MOST_VIEWS ? n : MOST_VIEWS) - 1; i >= 0; i--)
        used += (size_t)snprintf(text + used, sizeof text - used, "%.40s%s", name[i], i ? ", " : "");
    wg_form_text(&f->output[f->node[o->from].output + (uint32_t)o->output].type, f->usual, form, sizeof form);
    wg_put_note(w, look, "%s%s %s", n > MOST_VIEWS ? "\xe2\x80\xa6, " : "", text, form);
}

/* What stands between an operation's operands and what they are views of. */
static void put_views(writer *w, const wg_fact *node, const wg_look *look)
{
    int n = 0;
    for (uint32_t k = 0; k < node->operands; k++) {
        const wg_operand_fact *o = &w->d->facts->operand[node->operand + k];
        if (w->d->source[o->from] != o->from && n++ < MOST_VIEWS)
            put_chain(w, o, look);
    }
    if (n > MOST_VIEWS)
        wg_put_note(w, look, "and %d more views", n - MOST_VIEWS);
}

/* "mean = 2.2982" under the root, and "= 3" under any other result that is one number. */
static void put_result(writer *w, const wg_fact *node, const wg_look *look)
{
    const wg_tensor_fact *t = &w->d->facts->output[node->output];
    char number[40];
    if (!t->has_value || t->type.rank)
        return;
    wg_put_note(w, look, "%.40s%s= %s", node->reduction, *node->reduction ? " " : "",
                wg_number_text(t->value, 5, number, sizeof number));
}

void wg_put_scope_name(writer *w, const wg_place_in *scope)
{
    char name[256];
    size_t n = scope->times > 1 ? wg_stem(scope->name) : strlen(scope->name);
    snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), scope->name);
    wg_put_label(w->text, name);
}

/* Of a closed scope only what is folded around it: its own name is told. */
void wg_put_scope_note(writer *w, const wg_shown *item, const char *color)
{
    const wg_place_in *in = &w->d->scope[item->scope], *folded = in;
    while (folded->depth && folded->times == 1)
        folded = &w->d->scope[folded->parent];
    if (!in->depth || (item->kind == WG_ITEM_CLOSED && !folded->depth))
        return;
    wg_put(w->text, "<BR/><FONT COLOR=\"%s\" POINT-SIZE=\"10\">", color);
    if (folded->depth)
        wg_put_scope_name(w, folded);
    else
        wg_put_label(w->text, in->path);
    if (folded->depth)
        wg_put(w->text, " \xc3\x97%u", folded->times);
    wg_put(w->text, "</FONT>");
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */
void wg_put_dot_id(const writer *w, uint32_t item)
{
    const wg_shown *shown = &w->d->item[item];
    if (shown->kind == WG_ITEM_CLOSED && !w->d->scope[shown->stands_for].run) {
        wg_put(w->text, "s:");
        wg_put_quoted(w->text, w->d->scope[shown->stands_for].path);
    } else {
        put_id(w, item);
    }
}

void wg_node_begin(writer *w, uint32_t item, const wg_look *look)
{
    line_start(w);
    put_id(w, item);
    wg_put(w->text, " [id=\"");
    wg_put_dot_id(w, item);
    wg_put(w->text, "\" class=\"%s\" %slabel=<", look->class,
           w->d->side_by_side && w->d->item[item].main ? "group=\"m\" " : "");
}

/* Of "train.c:42", a link to that line. */
static void put_link(writer *w, const char *place)
{
    const char *colon = strrchr(place, ':');
    if (!w->d->options.link || !colon)
        return;
    wg_put(w->text, "URL=\"");
    for (const char *c = w->d->options.link; *c; c++) {
        if (!strncmp(c, "{line}", 6)) {
            wg_put_url(w->text, colon + 1, strlen(colon + 1));
            c += 5;
        } else if (!strncmp(c, "{file}", 6)) {
            wg_put_url(w->text, place, (size_t)(colon - place));
            c += 5;
        } else {
            wg_put_bytes(w->text, c, 1);
        }
    }
    wg_put(w->text, "\" target=\"_blank\" ");
}

void wg_label_end(writer *w, uint32_t item, const wg_look *look)
{
    wg_put(w->text, "> ");
    if (w->d->item[item].kind != WG_ITEM_CLOSED)
        put_link(w, fact_of(w, w->d->item[item].node)->place);
    wg_put(w->text, "shape=\"%s\" style=\"%s\" fillcolor=\"%s\" color=\"%s\" %stooltip=\"", look->shape, look->style,
           wg_color_in(look->fill, w->dark), wg_color_in(look->line, w->dark), look->extra);
}

void wg_put_tip_place(writer *w, const char *place)
{
    if (*place) {
        wg_put(w->text, "\\n");
        wg_put_quoted(w->text, place);
    }
}

/* "linear (#6)\nout 64×128 float32, 32 KiB\nkeeps x w\n12.85 M FLOPs\nmodel.c:5" */
static void put_tip(writer *w, uint32_t i, const char *what)
{
    const wg_fact *node = fact_of(w, i);
    const wg_tensor_fact *t = wg_fact_output(w->d->facts, i);
    char form[96], bytes[32], number[40];
    wg_put_quoted(w->text, *t->name ? t->name : node->op);
    wg_put(w->text, " (#%u)\\n%s%s%s %s, %s", i, what, *what ? " " : "",
           wg_form_text(&t->type, t->type.dtype, form, sizeof form), wg_dtype_name(t->type.dtype),
           wg_bytes_text(wg_tensor_bytes(t), bytes, sizeof bytes));
    if (t->has_value)
        wg_put(w->text, " = %s", wg_number_text(t->value, 7, number, sizeof number));
    if (*node->saves)
        wg_put(w->text, "\\nkeeps %s", node->saves);
    if (node->flops >= 0)
        wg_put(w->text, "\\n%s FLOPs", wg_flops_text(node->flops, number, sizeof number));
    if (t->values && t->values->n > 1)
        wg_put(w->text, "\\nmean %.3g \xc2\xb1 %.3g in [%.3g, %.3g]", t->values->mean, t->values->deviation,
               t->values->low, t->values->high);
    if (t->gradient)
        wg_put(w->text, "\\ngradient %.3g", t->gradient->norm);
    if (node->seconds >= 0)
        wg_put(w->text, "\\n%s", wg_time_text(node->seconds, number, sizeof number));
    if (node->seconds_backward >= 0)
        wg_put(w->text, ", backward %s", wg_time_text(node->seconds_backward, number, sizeof number));
    if (*node->finding) {
        wg_put(w->text, "\\n");
        wg_put_quoted(w->text, node->evidence);
    }
    wg_put_tip_place(w, node->place);
    wg_put(w->text, "\"];\n");
}

static void write_leaf(writer *w, uint32_t item)
{
    const wg_shown *shown = &w->d->item[item];
    const wg_look look = wg_look_of(w, item);
    const wg_tensor_fact *t = wg_fact_output(w->d->facts, shown->node);
    char form[96];
    wg_node_begin(w, item, &look);
    if (*t->name) {
        wg_put_head(w, t->name, look.ink);
        wg_put(w->text, "<BR/>");
    }
    wg_put(w->text, "<FONT COLOR=\"%s\" POINT-SIZE=\"10\">", wg_color_in(look.note, w->dark));
    if (t->has_value && (shown->kind == WG_ITEM_CONSTANT || shown->kind == WG_ITEM_ROOT))
        wg_number_text(t->value, 6, form, sizeof form);
    else
        wg_form_text(&t->type, w->d->facts->usual, form, sizeof form);
    wg_put(w->text, "%s</FONT>", form);
    if (shown->bad)
        wg_put_bad(w, shown, &look);
    wg_label_end(w, item, &look);
    put_tip(w, shown->node, "input");
}

/* Numbers that were written as operands stand behind the name. */
static void write_op(writer *w, uint32_t item)
{
    const wg_shown *shown = &w->d->item[item];
    const wg_look look = wg_look_of(w, item);
    const wg_fact *node = fact_of(w, shown->node);
    wg_node_begin(w, item, &look);
    wg_put(w->text, "<FONT COLOR=\"%s\" POINT-SIZE=\"12\"><B>", wg_color_in(look.ink, w->dark));
    wg_put_label(w->text, node->op);
    wg_put(w->text, *node->numbers ? "&#160;</B>" : "</B>"); /* renderers drop a space that a text begins with */
    wg_put_label(w->text, node->numbers);
    wg_put(w->text, "</FONT>");
    if (*node->fused)
        wg_put_note(w, &look, "%s", node->fused);
    put_views(w, node, &look);
    if (*node->options)
        put_short(w, node->options, &look);
    if (w->d->side_by_side && shown->kind != WG_ITEM_ROOT)
        wg_put_scope_note(w, shown, wg_color_in(look.note, w->dark));
    wg_put_values(w, shown, &look);
    put_result(w, node, &look);
    if (*node->memory)
        wg_put_note(w, &look, "%s", node->memory);
    if (shown->bad)
        wg_put_bad(w, shown, &look);
    wg_label_end(w, item, &look);
    put_tip(w, shown->node, "out");
}

/* ---- Closed scopes ----------------------------------------------------------------------------------------------- */
/* "linear, gelu, linear" or "8 ops"; of equal scopes, how much each of them has. */
static void put_content(writer *w, const wg_place_in *scope, const wg_look *look)
{
    char text[200] = "", count[32];
    size_t used = 0;
    const char *each = scope->times > 1 ? " each" : "";
    for (uint32_t i = 0; scope->ops <= WG_FEW && i < scope->ops; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%.40s", i ? ", " : "", fact_of(w, scope->few[i])->op);
    if (scope->ops > WG_FEW)
        snprintf(text, sizeof text, "%u ops", scope->ops);
    wg_put_note(w, look, "%s%s", text, scope->ops > WG_FEW ? each : "");
    if (scope->parameters)
        wg_put_note(w, look, "%s parameters%s", wg_count_text(scope->parameters, count, sizeof count), each);
}

static void write_closed(writer *w, uint32_t item)
{
    const wg_shown *shown = &w->d->item[item];
    const wg_place_in *scope = &w->d->scope[shown->stands_for];
    const wg_look look = wg_look_of(w, item);
    bool norms = wg_dot_norms(w) && !w->d->side_by_side && shown->norm_high >= 0;
    wg_node_begin(w, item, &look);
    if (norms)
        wg_put(w->text,
               "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"2\" CELLPADDING=\"0\"><TR><TD COLSPAN=\"2\">");
    wg_put(w->text, "<FONT COLOR=\"%s\" POINT-SIZE=\"12\"><B>", wg_color_in(look.ink, w->dark));
    wg_put_scope_name(w, scope);
    if (scope->times > 1)
        wg_put(w->text, "&#160; \xc3\x97%u", scope->times);
    wg_put(w->text, "</B></FONT>");
    put_content(w, scope, &look);
    if (w->d->side_by_side)
        wg_put_scope_note(w, shown, wg_color_in(look.note, w->dark));
    wg_put_values(w, shown, &look);
    if (shown->bad)
        wg_put_bad(w, shown, &look);
    if (norms) {
        wg_put(w->text, "</TD></TR><TR>");
        wg_put_gradient_cells(w, shown->norm_low, shown->norm_high);
        wg_put(w->text, "</TR></TABLE>");
    }
    wg_label_end(w, item, &look);
    wg_put(w->text, "scope ");
    wg_put_quoted(w->text, scope->path);
    wg_put(w->text, "\"];\n");
}

void wg_write_node(writer *w, uint32_t item)
{
    const wg_shown *shown = &w->d->item[item];
    if (shown->kind == WG_ITEM_CLOSED)
        write_closed(w, item);
    else if (fact_of(w, shown->node)->kind == WG_FACT_PARAMETER)
        wg_write_params(w, item);
    else if (wg_fact_is_leaf(fact_of(w, shown->node)))
        write_leaf(w, item);
    else
        write_op(w, item);
}
