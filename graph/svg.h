/* A small writer of SVG for charts. Private to graph/. */
#ifndef GRAPH_SVG_H
#define GRAPH_SVG_H

#include "graph/palette.h"
#include "graph/text.h"

/* Opens a picture of that many pixels, with its page, style and title. */
void wg_svg_begin(wg_text *svg, int width, int height, const char *title);
void wg_svg_end(wg_text *svg);
typedef enum { WG_START, WG_MIDDLE, WG_END } wg_anchor;
void wg_svg_text(wg_text *svg, double x, double y, const char *words, double size, wg_color color, wg_anchor anchor, bool bold);
void wg_svg_line(wg_text *svg, double x1, double y1, double x2, double y2, wg_color color, double width, const char *dash);
/* The rules that map each light literal to its dark one; graphs have them too. */
void wg_svg_style(wg_text *svg);

#endif
