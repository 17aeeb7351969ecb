/* What the files that make a page share: its pictures. Private to graph/. */
#ifndef GRAPH_PAGE_H
#define GRAPH_PAGE_H

#include "graph/drawing.h"

#define WG_PAGE_PICTURES 400 /* at most */

typedef struct {
    const wg_drawing *d;
    uint32_t scope; /* drawn by itself, a run of operations too; 0: all is drawn, to a depth */
    int depth;
} wg_picture;

typedef struct {
    wg_picture picture[WG_PAGE_PICTURES];
    int n;
} wg_pictures;

/* The pictures of a page: first the drawing that was asked for, then those at other depths, then one for each scope
 * that is closed in any of them. Those that would be too large are left out. NULL, and the error reported: no
 * memory. */
wg_pictures *wg_page_pictures(const wg_drawing *d, const char *name);

/* ---- page.c ---- */
/* "block ×12": a scope's name; without its index where it draws several. */
void wg_put_place_name(wg_text *t, const wg_place_in *scope);

/* ---- page_list.c ---- */
/* A picture as a list, and why it is one; NULL: that was said. */
void wg_put_page_list(wg_text *t, const wg_picture *p, const char *why);

#endif
