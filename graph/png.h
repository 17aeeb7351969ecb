/* Small palette images as PNG, alone or inside an SVG. Private to graph/. */
#ifndef GRAPH_PNG_H
#define GRAPH_PNG_H

#include "graph/text.h"

/* Puts a PNG of width x height palette entries, row by row. The palette has `colors` entries of red, green, blue and
 * alpha, at most 256. False: there was no memory. */
bool wg_png_bytes(wg_text *png, int width, int height, const unsigned char *pixels, const unsigned char *palette,
                  int colors);
/* The same in base64. */
bool wg_put_png(wg_text *text, int width, int height, const unsigned char *pixels, const unsigned char *palette,
                int colors);

#endif
