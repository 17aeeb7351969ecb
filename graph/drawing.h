/* The drawing model: what is to be seen of a graph, computed once from its facts. Writers (DOT, JSON, the table, the
 * tree) only write it. Everything lives in the tape's arena and is given back when the picture is done. Private to
 * graph/. */
#ifndef GRAPH_DRAWING_H
#define GRAPH_DRAWING_H

#include "graph/facts.h"

typedef enum {
    WG_ITEM_OP,
    WG_ITEM_INPUT,    /* a named leaf */
    WG_ITEM_CONSTANT, /* a leaf without a name */
    WG_ITEM_CARD,     /* the parameters that one operation takes */
    WG_ITEM_PARAM,    /* a parameter that several take */
    WG_ITEM_ROOT,
    WG_ITEM_CLOSED,   /* a scope drawn as one node */
    WG_ITEM_UNUSED    /* parameters that no root depends on */
} wg_item_kind;

/* Something drawn as a node. */
typedef struct {
    wg_item_kind kind;
    uint32_t node;       /* of the facts; a card's first parameter; a closed scope's first node */
    uint32_t scope;      /* of the drawing: where it is drawn; of a closed scope: its parent */
    uint32_t stands_for; /* of a closed scope's item: that scope */
    uint32_t card;       /* of an operation: the item of its parameters */
    uint32_t first_row;  /* of a card: its parameters, in `row` */
    uint32_t rows;
    uint32_t first_edge; /* into it, in `edge` */
    uint32_t edges;
    uint32_t above;      /* on the straight column: the item before; WG_NOWHERE */
    uint32_t uses;       /* edges out of it; of a parameter: operations that take it */
    bool main;           /* on the straight column from the root up */
    bool bad;            /* where something that is not finite starts, or a derivative is wrong */
    bool placed;         /* in `order` already */
    bool flows;          /* a derivative passes through it, or goes into it */
    bool outside;        /* of the neighbourhood that is drawn */
    /* Of all nodes that it stands for. */
    double bytes, kept, flops, seconds;
    double norm_low, norm_high; /* of gradients of parameters; -1: there are none */
} wg_shown;

typedef struct {
    uint32_t from, to; /* items */
    uint32_t node;     /* whose output it is */
    uint32_t user;     /* the node that takes it */
    int output, operand;
    bool labelled;     /* the first edge of this tensor */
    bool named;        /* the operand's name matters */
} wg_edge;

#define WG_FEW 3 /* operations of a closed scope that are told by name */

typedef struct {
    uint32_t parent;
    const char *name, *path; /* "attn", "block.0.attn" */
    int depth;               /* 0: the outermost, which is not drawn */
    bool run;                /* not the caller's: operations in a row, joined because a page is full */
    bool copy;               /* drawn by an equal scope before it */
    bool shut;               /* drawn closed, where no scope around it is */
    uint32_t drawn_by;       /* itself, or the equal one */
    uint32_t times;          /* equal scopes that are drawn by this one, itself among them */
    uint32_t closed;         /* the item that stands for it; WG_NOWHERE while it is open */
    uint32_t ops;            /* operations in it and beneath it */
    uint32_t few[WG_FEW];    /* the first of them, nodes */
    int64_t parameters;      /* that are taken there first */
} wg_place_in;

typedef struct {
    wg_tape *tape;
    const wg_facts *facts;
    wg_draw_options options;
    const char *title;
    uint32_t *source;          /* by node: itself, or what is drawn in place of a view */
    uint32_t *same;            /* by node: itself, or the equal one that is drawn in its place */
    uint32_t *peer;            /* by node: the next equal one; WG_NOWHERE */
    uint32_t *scope_of;        /* by node */
    uint32_t *item_of;         /* by node; WG_NOWHERE */
    uint32_t *users;           /* by node: calls that take it */
    wg_shown *item;
    uint32_t items;
    wg_edge *edge;             /* those into an item side by side */
    uint32_t edges;
    wg_place_in *scope;        /* a parent before its children */
    uint32_t scopes, scope_room;
    uint32_t *bucket, buckets; /* scopes by the hash of their path; 0: free */
    uint32_t *row;             /* nodes of the parameters on cards */
    uint32_t *order;           /* items as they are written: each behind its card and its inputs */
    uint32_t ordered;
    /* What stands in a scope, in order: by scope the first, by entry the next. Entries are items, and scopes from
     * `items` on. */
    uint32_t *first_in, *next_in;
    uint32_t folded;           /* scopes that are drawn by an equal one */
    uint32_t closed_by_itself; /* scopes and runs */
    int depth;                 /* scopes deeper than this are closed */
    bool side_by_side;         /* the backward pass is drawn beside the forward pass */
    uint32_t drawn;            /* nodes of the picture */
    uint32_t blamed;           /* the node whose derivative a check found wrong; WG_NOWHERE */
    double top_norm;           /* the largest gradient norm, for the scale */
    double top_bytes, top_seconds, seconds; /* of what is drawn as one node; of all */
} wg_drawing;

/* NULL, and the error reported for function `name`, where it cannot be made. */
wg_drawing *wg_drawing_make(const wg_facts *facts, const char *name, const wg_draw_options *options);
/* The item that a node, or what is drawn in its place, is part of; WG_NOWHERE. */
static inline uint32_t wg_item_of(const wg_drawing *d, uint32_t node) { return d->item_of[d->same[d->source[node]]]; }
/* Beside an operation and drawn with it: its card, or an input that nothing else takes. */
bool wg_is_beside(const wg_shown *item);
/* In a scope that is drawn closed. */
bool wg_is_hidden(const wg_drawing *d, const wg_shown *item);
/* What stands for an item: itself, or the closed scope it is in. */
uint32_t wg_seen_as(const wg_drawing *d, uint32_t item);

/* ---- drawing_scope.c: the tree, found by path ---- */
/* Puts every node into its scope. False: no memory. */
bool wg_scopes_find(wg_drawing *d);
/* A scope of operations in a row; WG_NOWHERE: no memory. It has no name but this. */
#define WG_RUN "\xe2\x80\xa6"
uint32_t wg_scope_add_run(wg_drawing *d, uint32_t parent);
/* The bytes of a scope's name without its index: 5 of "block.0". */
size_t wg_stem(const char *name);

/* ---- drawing_fold.c ---- */
/* Has equal neighbouring scopes that form a chain drawn by the first of them. False: no memory. */
bool wg_scopes_fold(wg_drawing *d);

/* ---- drawing_close.c ---- */
/* Nodes that would be drawn with scopes deeper than `depth` closed. */
uint32_t wg_drawn_at(const wg_drawing *d, int depth);
/* Closes scopes that are too deep for the options or for a page, and joins operations in a row where that is not
 * enough. False: no memory. */
bool wg_scopes_close(wg_drawing *d);
#define WG_PAGE 150 /* drawn nodes that fit one */

/* ---- drawing_edge.c ---- */
/* The edges and the order of writing. False: no memory. */
bool wg_edges_make(wg_drawing *d);

/* ---- draw_first.c ---- */
/* After a backward pass: draws its graph where it is the tape's first one and the environment says so. */
void wg_draw_first(wg_tensor loss);

/* What stands in each scope, of what is in the order of writing. False: no memory. */
bool wg_contents_make(wg_drawing *d);

/* ---- drawing_around.c ---- */
/* Leaves out what is too far from what options.around names. */
wg_status wg_drawing_cut(wg_drawing *d, const char *name);

/* ---- The writers ---- */
void wg_write_dot(const wg_drawing *d, wg_text *text);
/* An open scope by itself. */
void wg_write_dot_part(const wg_drawing *d, uint32_t scope, wg_text *text);
void wg_write_table(const wg_drawing *d, wg_text *text);
void wg_write_tree(const wg_drawing *d, wg_text *text);
void wg_write_json(const wg_drawing *d, wg_text *text);
/* In short, as a page needs it. */
void wg_write_page_json(const wg_drawing *d, wg_text *text);
/* By Graphviz, which may not be there: errors are those of the public function `name`. */
wg_status wg_write_svg(const wg_drawing *d, const char *name, wg_text *out);
wg_status wg_write_page(const wg_drawing *d, const char *name, wg_text *out);
/* Runs Graphviz on `dot`, for `patience` seconds at most; its output, NUL-terminated, is put into `out`. */
wg_status wg_graphviz(wg_tape *tape, const char *name, const wg_text *dot, const char *format, double patience,
                      wg_text *out);

#endif
