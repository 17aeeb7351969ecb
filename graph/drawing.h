/* The drawing model: what is to be seen of a graph, computed once from the tape. Writers (DOT, the table) only write it.
 * Everything lives in the tape's arena and is given back when the picture is done. Private to graph/. */
#ifndef GRAPH_DRAWING_H
#define GRAPH_DRAWING_H

#include "graph/text.h"
#include "wengert/pictures.h"

#define WG_NOWHERE UINT32_MAX

typedef enum {
    WG_ITEM_OP,
    WG_ITEM_INPUT,    /* a named leaf */
    WG_ITEM_CONSTANT, /* a leaf without a name */
    WG_ITEM_CARD,     /* the parameters that one operation takes */
    WG_ITEM_PARAM,    /* a parameter that several take */
    WG_ITEM_ROOT,
    WG_ITEM_CLOSED,   /* a scope drawn as one node */
    WG_ITEM_UNUSED,   /* parameters that the root does not depend on */
    WG_ITEM_BAD       /* the first value that is not finite */
} wg_item_kind;

/* Something drawn as a node. */
typedef struct {
    wg_item_kind kind;
    uint32_t node;      /* of the tape; a card's first parameter */
    uint32_t id;        /* place among the nodes of the graph, in tape order */
    uint32_t scope;     /* of the drawing */
    uint32_t user;      /* of a card: the item of the operation that takes it */
    uint32_t first_row; /* of a card: its parameters, in `row` */
    uint32_t rows;
    bool main;          /* on the straight column from the root up */
    bool placed;        /* for the writer */
} wg_shown;

typedef struct {
    uint32_t from, to; /* items */
    uint32_t node;     /* the tensor */
    int operand;
    bool labelled;     /* the first edge of this tensor */
    bool named;        /* the operand's name matters */
} wg_edge;

typedef struct {
    uint32_t parent;
    const char *name, *path; /* "attn", "block.0.attn" */
    int depth;               /* 0: the outermost, which is not drawn */
    uint32_t closed;         /* the item that stands for it; WG_NOWHERE while it is open */
    uint32_t ops, below;     /* operations in it and in its own scopes; in it and beneath it */
    int64_t parameters;
} wg_place_in;

typedef struct {
    wg_tape *tape;
    uint32_t root;
    wg_draw_options options;
    const char *title;
    uint32_t nodes;          /* of the graph */
    int64_t parameters;      /* elements, each parameter once */
    double parameter_bytes;
    wg_dtype usual;          /* the commonest float dtype */
    uint32_t *id, *item_of;  /* by node of the tape: id, item; WG_NOWHERE */
    wg_shown *item;
    uint32_t items;
    wg_edge *edge;
    uint32_t edges;
    wg_place_in *scope;
    uint32_t scopes;
    uint32_t *row;           /* nodes of the parameters on cards */
    uint32_t closed_by_itself; /* scopes */
    double top_norm;         /* the largest gradient norm, for the scale */
} wg_drawing;

/* NULL, and the error reported for function `name`, where it cannot be made. */
wg_drawing *wg_drawing_make(wg_tensor root, const char *name, const wg_draw_options *options);
/* The node that a view is a view of, through any number of views; the node itself where views are drawn. */
uint32_t wg_drawing_source(const wg_drawing *d, uint32_t node);
const char *wg_node_name(const wg_node *node); /* the tensor's name or "" */
double wg_node_norm(const wg_node *node);      /* 2-norm of its elements */
/* The gradient's node of a parameter; NULL where nothing is accumulated. */
const wg_node *wg_node_gradient(const wg_tape *tape, const wg_node *param);

/* The picture as DOT. */
void wg_write_dot(const wg_drawing *d, wg_text *text);
/* The picture as a table. */
void wg_write_table(const wg_drawing *d, wg_text *text);
/* Runs Graphviz on `dot`; its output, NUL-terminated, is put into `out`. */
wg_status wg_graphviz(wg_tape *tape, const char *name, const wg_text *dot, const char *format, wg_text *out);

#endif
