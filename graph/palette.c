/* The literals of the palette. */
#include "graph/palette.h"

#define PAIR(name, light, dark) {light, dark},
static const char *const literals[][2] = {WG_PALETTE(PAIR)};

const char *wg_color_light(wg_color color) { return literals[color][0]; }
const char *wg_color_dark(wg_color color) { return literals[color][1]; }
