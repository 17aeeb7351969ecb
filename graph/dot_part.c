/* A scope drawn by itself, as DOT. What stands outside of it and is taken there, or takes from there, is a word at the
 * end of an edge; an input or a parameter is drawn as everywhere. */
#include "graph/dot.h"

bool wg_dot_inside(const writer *w, uint32_t item)
{
    uint32_t scope = w->d->item[item].scope;
    while (scope && scope != w->scope)
        scope = w->d->scope[scope].parent;
    return scope == w->scope;
}

static bool is_word(const writer *w, uint32_t item)
{
    return !wg_dot_inside(w, item) &&
           (w->d->item[item].kind == WG_ITEM_CLOSED || !wg_fact_is_leaf(fact_of(w, w->d->item[item].node)));
}

/* "on3" at the beginning of an edge, "un3" at its end: as one node they would turn the graph around. */
void wg_put_dot_end(const writer *w, uint32_t item, char side)
{
    if (is_word(w, item))
        wg_put(w->text, "%c", side);
    put_id(w, item);
}

void wg_write_dot_outside(writer *w, uint32_t item, char side)
{
    const wg_shown *shown = &w->d->item[item];
    bool closed = shown->kind == WG_ITEM_CLOSED;
    const char *name = closed ? w->d->scope[shown->stands_for].name : fact_of(w, shown->node)->op;
    if (!is_word(w, item)) {
        wg_write_node(w, item);
        return;
    }
    line_start(w);
    wg_put_dot_end(w, item, side);
    wg_put(w->text, " [id=\"%c", side);
    wg_put_dot_id(w, item);
    wg_put(w->text, "\" class=\"outside\" label=<<FONT COLOR=\"%s\" POINT-SIZE=\"10\">%s", C(muted),
           side == 'o' ? "\xe2\x80\xa6 " : "");
    wg_put_label(w->text, name);
    wg_put(w->text, "%s</FONT>> shape=\"plaintext\" height=\"0.2\" margin=\"0.03,0.01\" tooltip=\"%s ",
           side == 'u' ? " \xe2\x80\xa6" : "", side == 'o' ? "comes from" : "goes to");
    wg_put_quoted(w->text, closed ? w->d->scope[shown->stands_for].path : name);
    wg_put(w->text, "\"];\n");
}
