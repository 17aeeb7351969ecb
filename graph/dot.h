/* What the files that write DOT share: a writer, and how nodes are written. Private to graph/. */
#ifndef GRAPH_DOT_H
#define GRAPH_DOT_H

#include "graph/drawing.h"
#include "graph/palette.h"

#define WG_HEATS 6

typedef struct {
    const wg_drawing *d;
    wg_text *text;
    int indent;
    bool dark;
    uint32_t scope; /* drawn by itself; 0: all is drawn */
} writer;

#define C(name) wg_color_in(WG_COLOR_##name, w->dark)

static inline const wg_fact *fact_of(const writer *w, uint32_t node) { return &w->d->facts->node[node]; }

static inline void line_start(const writer *w) { wg_put(w->text, "%*s", 2 * w->indent, ""); }

/* "n6": the place among the nodes of the graph. A closed scope has that of its first node, behind an s. */
static inline void put_id(const writer *w, uint32_t item)
{
    wg_put(w->text, "%c%u", w->d->item[item].kind == WG_ITEM_CLOSED ? 's' : 'n', w->d->item[item].node);
}

/* How a kind looks: shape before colour. */
typedef struct {
    const char *class, *shape, *style;
    wg_color fill, line, ink, note;
    const char *extra;
} wg_look;

/* Are gradients' norms to be seen? */
static inline bool wg_dot_norms(const writer *w)
{
    return w->d->options.overlay == WG_SHOW_GRAD || (w->d->side_by_side && w->d->facts->has_gradients);
}

/* ---- dot.c ---- */
void wg_write_dot_edge(writer *w, const wg_edge *e);

/* ---- dot_backward.c ---- */
/* The nodes and edges of both passes side by side. */
void wg_write_dot_backward(writer *w);

/* ---- dot_node.c ---- */
void wg_put_dot_id(const writer *w, uint32_t item); /* the id in the picture: "n6", "s:block.0" */
void wg_write_node(writer *w, uint32_t item);
wg_look wg_look_of(const writer *w, uint32_t item);
void wg_node_begin(writer *w, uint32_t item, const wg_look *look);
void wg_label_end(writer *w, uint32_t item, const wg_look *look);
void wg_put_note(writer *w, const wg_look *look, const char *format, ...) WG_PRINTF(3, 4);
/* A scope's name; without its index where it draws several. */
void wg_put_scope_name(writer *w, const wg_place_in *scope);
/* Where there are no clusters to tell: the scope it is in, "block ×12". */
void wg_put_scope_note(writer *w, const wg_shown *item, const char *color);
void wg_put_head(writer *w, const char *name, wg_color ink);
/* "1, 2 and the like at the end": the place, where it is known. */
void wg_put_tip_place(writer *w, const char *place);

/* ---- dot_part.c ---- */
bool wg_dot_inside(const writer *w, uint32_t item);
/* An end of an edge: the node's id, or that of the word for what stands outside, on side 'o', where it comes from, or
 * 'u'. */
void wg_put_dot_end(const writer *w, uint32_t item, char side);
void wg_write_dot_outside(writer *w, uint32_t item, char side);

/* ---- dot_param.c ---- */
void wg_write_params(writer *w, uint32_t item);
/* The gradient of what it shows, beside the backward pass. */
void wg_write_gradient(writer *w, uint32_t item);
/* The colour of a norm; of none, where it is zero. */
wg_color wg_heat_color(double value, double top, double decades);
/* Does its tensor's gradient colour an edge? The colour and the pen. */
bool wg_edge_heat(const writer *w, const wg_edge *e, wg_color *color, double *pen);
/* Swatch and norm as cells of a table's row; a range where there are several. */
void wg_put_gradient_cells(writer *w, double low, double high);

/* ---- dot_values.c ---- */
/* What the overlay and a broken value say below an operation's name. */
void wg_put_values(writer *w, const wg_shown *item, const wg_look *look);
void wg_put_bad(writer *w, const wg_shown *item, const wg_look *look);
/* "dead units", as what is wrong is written. */
void wg_put_finding(writer *w, const char *finding);

#define WG_DECADES 3 /* below the largest norm, in as many steps as there are heats */

#endif
