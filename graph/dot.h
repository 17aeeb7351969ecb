/* What the two files that write DOT share: a writer, and how nodes are written. Private to graph/. */
#ifndef GRAPH_DOT_H
#define GRAPH_DOT_H

#include "graph/drawing.h"
#include "graph/palette.h"

#define C(name) wg_color_light(WG_COLOR_##name)
#define WG_HEATS 6
#define WG_DECADES 3 /* below the largest norm, in as many steps as there are heats */

typedef struct {
    const wg_drawing *d;
    wg_text *text;
    int indent;
} writer;

static inline const wg_node *node_of(const writer *w, uint32_t node) { return wg_node_at(w->d->tape, node); }

static inline void line_start(const writer *w) { wg_put(w->text, "%*s", 2 * w->indent, ""); }

/* "n6"; a closed scope has the id of its first node behind an s. */
static inline void put_id(const writer *w, uint32_t item)
{
    wg_put(w->text, "%c%u", w->d->item[item].kind == WG_ITEM_CLOSED ? 's' : 'n', w->d->item[item].id);
}

/* ---- dot_node.c ---- */
void wg_write_node(writer *w, uint32_t item);

#endif
