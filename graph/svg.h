/* A small writer of SVG for charts: an opaque page, words, lines, curves, all in colours of the palette. Private to
 * graph/. */
#ifndef GRAPH_SVG_H
#define GRAPH_SVG_H

#include "graph/palette.h"
#include "graph/plain.h"
#include "graph/text.h"

/* Opens a picture of that many pixels, with its page, style and title. Numbers are plain from here to wg_svg_end. */
void wg_svg_begin(wg_text *svg, wg_plain *plain, int width, int height, const char *title);
/* Closes it and writes the file; errors are those of the public function `name`. */
wg_status wg_svg_end(wg_text *svg, const wg_plain *plain, const char *name, const char *path);

typedef enum { WG_START = 0, WG_MIDDLE, WG_END } wg_anchor;

typedef struct {
    double size; /* pixels; 0: 10 */
    wg_color color;
    wg_anchor anchor;
    bool bold, upward; /* upward: turned to be read from below */
} wg_words;
void wg_svg_words(wg_text *svg, double x, double y, wg_words how, const char *words);

typedef struct {
    wg_color color;
    double width;
    const char *dash; /* "5 3"; NULL: solid */
} wg_stroke;
void wg_svg_line(wg_text *svg, double x1, double y1, double x2, double y2, wg_stroke stroke);
/* A curve is begun, its points put as "M1.0 2.0L3.0 4.0", and ended. */
void wg_svg_path_begin(wg_text *svg, wg_stroke stroke);
void wg_svg_path_end(wg_text *svg);
/* The title at x and, ending at `end`, what is to be known besides; either may be NULL. */
void wg_svg_heading(wg_text *svg, double x, double end, const char *title, const char *note);

/* The rules that map each light literal to its dark one. */
void wg_svg_style(wg_text *svg);

/* The distance of the marks of a linear axis, 1, 2 or 5 times a power of ten, so that at most `most` lie in the range.
 */
double wg_tick_step(double low, double high, int most);
/* v as a mark of an axis with that step: no more digits than it takes, 0 and not -0. */
char *wg_tick_text(double v, double step, char *out, size_t size);

#endif
