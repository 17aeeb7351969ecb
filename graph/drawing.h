/* The drawing model: what is to be seen of a graph, computed once from the tape. Writers (DOT, the table) only write
 * it. Everything lives in the tape's arena and is given back when the picture is done. Private to graph/. */
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
    WG_ITEM_UNUSED    /* parameters that the root does not depend on */
} wg_item_kind;

/* Something drawn as a node. */
typedef struct {
    wg_item_kind kind;
    uint32_t node;       /* of the tape; a card's first parameter */
    uint32_t id;         /* place among the nodes of the graph, in tape order */
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
    bool bad;            /* the first value that is not finite */
    bool placed;         /* in `order` already */
} wg_shown;

typedef struct {
    uint32_t from, to; /* items */
    uint32_t node;     /* the tensor */
    int operand;
    bool labelled;     /* the first edge of this tensor */
    bool named;        /* the operand's name matters */
} wg_edge;

#define WG_FEW 3 /* operations of a closed scope that are told by name */

typedef struct {
    uint32_t parent;
    const char *name, *path; /* "attn", "block.0.attn" */
    int depth;               /* 0: the outermost, which is not drawn */
    bool run;                /* not the caller's: operations in a row, joined because a page is full */
    uint32_t closed;         /* the item that stands for it; WG_NOWHERE while it is open */
    uint32_t ops;            /* operations in it and beneath it */
    uint32_t few[WG_FEW];    /* the first of them, items */
    int64_t parameters;
} wg_place_in;

typedef struct {
    wg_tape *tape;
    const wg_facts *facts;
    uint32_t root;
    wg_draw_options options;
    const char *title;
    uint32_t nodes;            /* of the graph */
    int64_t parameters;        /* elements, each parameter once */
    double parameter_bytes;
    wg_dtype usual;            /* the commonest float dtype */
    uint32_t *id, *item_of;    /* by node of the tape: id, item; WG_NOWHERE */
    unsigned char *tainted;    /* by node: not finite, from the first that is not; NULL where all are */
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
    uint32_t closed_by_itself; /* scopes and runs */
    double top_norm;           /* the largest gradient norm, for the scale */
} wg_drawing;

/* NULL, and the error reported for function `name`, where it cannot be made. */
wg_drawing *wg_drawing_make(wg_tensor root, const char *name, const wg_draw_options *options);
/* The node that a view is a view of, through any number of views; the node itself where views are drawn. */
uint32_t wg_drawing_source(const wg_drawing *d, uint32_t node);
/* The first node of the call that a node is an output of. */
static inline uint32_t wg_call_first(const wg_tape *tape, uint32_t node) { return node - wg_node_at(tape, node)->out; }
const char *wg_node_name(const wg_node *node); /* the tensor's name or "" */
double wg_node_norm(const wg_node *node);      /* 2-norm of its elements */
/* The gradient's node of a parameter; NULL where nothing is accumulated. */
const wg_node *wg_node_gradient(const wg_tape *tape, const wg_node *param);
/* Beside an operation and drawn with it: its card, or an input that nothing else takes. */
bool wg_is_beside(const wg_shown *item);
/* In a scope that is drawn closed. */
bool wg_is_hidden(const wg_drawing *d, const wg_shown *item);
/* What stands for an item: itself, or the closed scope it is in. */
uint32_t wg_seen_as(const wg_drawing *d, uint32_t item);

/* ---- drawing_scope.c ---- */
/* The outermost scope; false: no memory. */
bool wg_scopes_begin(wg_drawing *d);
/* The scope of a call: that it was recorded in, or that of the dotted name its parameters share; WG_NOWHERE: no
 * memory. */
uint32_t wg_scope_of_node(wg_drawing *d, const wg_node *node);
/* Counts what is in each scope; closes those that are too deep for the options or for a page, and joins operations in a
 * row where that is not enough. False: no memory. */
bool wg_scopes_close(wg_drawing *d);

/* ---- drawing_edge.c ---- */
/* The item that operand k of a call comes from, and its tensor; WG_NOWHERE where none is drawn. */
uint32_t wg_source_item(const wg_drawing *d, const wg_node *node, int k, uint32_t *tensor);
/* The edges and the order of writing. False: no memory. */
bool wg_edges_make(wg_drawing *d);

/* ---- draw_first.c ---- */
/* After a backward pass: draws its graph where it is the tape's first one and the environment says so. */
void wg_draw_first(wg_tensor loss);

/* ---- The writers ---- */
void wg_write_dot(const wg_drawing *d, wg_text *text);
void wg_write_table(const wg_drawing *d, wg_text *text);
void wg_write_json(const wg_drawing *d, wg_text *text);
/* By Graphviz, which may not be there: errors are those of the public function `name`. */
wg_status wg_write_svg(const wg_drawing *d, const char *name, wg_text *out);
/* Runs Graphviz on `dot`, for `patience` seconds at most; its output, NUL-terminated, is put into `out`. */
wg_status wg_graphviz(wg_tape *tape, const char *name, const wg_text *dot, const char *format, double patience,
                      wg_text *out);

#endif
