/* Wengert: pictures of graphs.
 *
 * Operations are nodes, tensors are edges: an edge carries the shape, a node the name. Nothing is drawn that the tape
 * does not know: no gradient before a backward pass, no zero for what is unknown. The same graph gives the same bytes
 * of DOT. */
#ifndef WENGERT_PICTURES_H
#define WENGERT_PICTURES_H

#include "wengert/check.h"
#include "wengert/compile.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    WG_FORMAT_DOT = 0, /* Graphviz's language; needs no program */
    WG_FORMAT_SVG,     /* by Graphviz's "dot"; follows the reader's light or dark theme */
    WG_FORMAT_PNG,     /* by Graphviz's "dot", 144 dpi, light */
    WG_FORMAT_TEXT,    /* the table of wg_summary, or a tree of scopes */
    WG_FORMAT_JSON,    /* everything that is known: nodes, edges, scopes, all of them; needs no program */
    WG_FORMAT_HTML     /* a page to search and to open scopes in; a list where there is no Graphviz */
} wg_format;

typedef enum {
    WG_SHOW_NOTHING = 0,
    WG_SHOW_VALUES, /* mean, deviation, range and zeros of each operation's value */
    WG_SHOW_GRAD,   /* 2-norms of the parameters' accumulated gradients, on a log scale */
    WG_SHOW_MEMORY, /* bytes of each operation's value, and whether the backward pass needs them */
    WG_SHOW_TIME    /* each operation's share of the time */
} wg_overlay;

/* Equal neighbouring scopes that form a chain, a transformer's blocks, are drawn once, with how many they are. */
typedef enum {
    WG_FOLD_LARGE = 0, /* where the graph as it was recorded does not fit a page (150 nodes) */
    WG_FOLD_YES,
    WG_FOLD_NO
} wg_fold;

typedef enum {
    WG_PARAMS_CARD = 0, /* those that one operation takes together, on a card beside it */
    WG_PARAMS_NODE,     /* each a node */
    WG_PARAMS_HIDE
} wg_params;

typedef enum { WG_DOWN = 0, WG_RIGHT } wg_direction;

typedef enum {
    WG_THEME_AUTO = 0, /* SVG and pages follow the reader; DOT and PNG are light */
    WG_LIGHT,
    WG_DARK
} wg_theme;

#define WG_ALL INT_MAX /* depth: no scope is closed */
/* Names of scopes: WG_NAMES("block.*", "head"). */
#define WG_NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

typedef struct {
    int depth; /* scopes nested deeper are drawn closed, as one node; 0: as many open as fit a page, and where none
                  does, operations in a row are one node; WG_ALL */
    wg_fold fold;
    /* Scopes to be drawn open or closed whatever their depth, up to a NULL: by path or name, with or without the index;
     * a star stands for any characters but a dot. */
    const char *const *open, *const *close;
    /* Only what lies within `radius` edges (0: 2) of what has this name: a tensor, an operation, a scope, "n7"; edges
     * that are cut end in dots. */
    const char *around;
    int radius;
    /* The backward pass beside the forward one: what it keeps, each operation's derivative, the gradients, with their
     * norms where they are known. Where a derivative was recorded (create_graph), its operations are there anyway, in a
     * scope "backward". */
    bool backward;
    wg_overlay overlay;
    wg_direction direction;
    wg_params params;
    wg_theme theme;
    const char *background; /* NULL: the theme's page; "none" */
    const char *link;       /* where a node's source line is: "https://host/{file}#L{line}" */
    bool tree;         /* as text: the scopes and what they hold, instead of a table of everything */
    int width;         /* columns that text may take; 0: as many as it needs */
    bool ascii;        /* text in ASCII */
    bool views;        /* draw reshape, slice and their kin as nodes; else they are a note in their consumer */
    const wg_check_report *check; /* of wg_check_grad: the operation that a failed check blames is marked, by its name
                                     and place */
    struct wg_diagnosis *diagnosis; /* of wg_diagnosis_begin: what its findings name is marked, and the caption tells
                                       them */
    const char *title; /* in the caption; default: the file's name without its extension */
} wg_draw_options;
#define wg_draw_defaults .depth = 0
/* Draws what `root` was computed from, in the format that the extension of `path` names: .dot, .svg, .png, .html, .json
 * or .txt. The file is written beside and renamed: a failure leaves an old one as it was. Without Graphviz .svg and
 * .png are refused, with a message that says what to do. Nothing is recorded.
 *
 * A program that draws nothing need not be changed to be seen: with the environment variable WENGERT_DRAW set to a
 * path, the first successful wg_backward on a tape draws its loss there, with the gradients. A failure to draw is a
 * line on stderr, and nothing else. */
WG_API wg_status wg_draw(wg_tensor root, const char *path, wg_draw_options options);

/* The same of several roots, on one tape. */
WG_API wg_status wg_draw_many(const wg_tensor *roots, int n, const char *path, wg_draw_options options);

/* Takes `size` bytes more of the picture; false stops it. */
typedef bool wg_sink(void *user, const void *data, size_t size);
/* The same into a function of the caller's. */
WG_API wg_status wg_draw_to(wg_tensor root, wg_format format, wg_sink *sink, void *user, wg_draw_options options);

/* Draws what a .json of wg_draw tells of, as wg_draw drew it: the tape lends memory only. */
WG_API wg_status wg_redraw(wg_tape *tape, const char *json, const char *path, wg_draw_options options);
WG_API wg_status wg_redraw_to(wg_tape *tape, const char *json, wg_format format, wg_sink *sink, void *user,
                              wg_draw_options options);

/* What a compiled function does, as a drawing: a node a step, operations that are done together one node that names
 * them; at each node where its results lie and until which step, edges named by the same. Values that begin at one
 * place of the workspace have one name, b1, b2, ..., though not at one time. After wg_profile, with .draw.overlay =
 * WG_SHOW_TIME, where the time goes. Or, `before`, what it was made from as it was recorded, its derivatives in a scope
 * "backward". What was recorded has to be there still. */
typedef struct {
    bool before;
    wg_draw_options draw;
} wg_function_draw_options;
#define wg_function_draw_defaults .before = false
WG_API wg_status wg_function_draw(wg_function *f, const char *path, wg_function_draw_options options);
WG_API wg_status wg_function_draw_to(wg_function *f, wg_format format, wg_sink *sink, void *user,
                                     wg_function_draw_options options);

/* Prints what root was computed from as a table: scope, operation, output, parameters, bytes that the backward pass
 * still needs of what the operation made, floating-point operations ("-" where the entry states none). */
WG_API wg_status wg_summary(wg_tensor root, FILE *file);

/* From here on what pictures tell is kept of each node: statistics of its value and of its adjoint, the time that its
 * call took, forward and in a backward pass that is not recorded. 0: no more. Free when off. */
enum { WG_STATS = 1, WG_TIME = 2 };
WG_API wg_status wg_observe(wg_tape *tape, unsigned what); /* wg_observe(tape, WG_STATS | WG_TIME) */

/* The first node, in the order of recording, whose value is not finite while its operands' are, or a NaN while none of
 * them is. An infinite leaf or number is taken as meant. False: there is none. */
WG_API bool wg_find_nonfinite(wg_tape *tape, wg_tensor *at);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_draw(root, ...) WG_OPTIONS_DRAW(WG_HERE_AT(root), __VA_ARGS__, )
#define WG_OPTIONS_DRAW(root, path, ...) (wg_draw)(root, path, (wg_draw_options){wg_draw_defaults, __VA_ARGS__})
#define wg_draw_many(roots, n, ...) WG_OPTIONS_DRAW_MANY(WG_HERE_IN(roots, n), n, __VA_ARGS__, )
#define WG_OPTIONS_DRAW_MANY(roots, n, path, ...)                                                                      \
    (wg_draw_many)(roots, n, path, (wg_draw_options){wg_draw_defaults, __VA_ARGS__})
#define wg_draw_to(root, ...) WG_OPTIONS_DRAW_TO(WG_HERE_AT(root), __VA_ARGS__, )
#define WG_OPTIONS_DRAW_TO(root, format, sink, user, ...)                                                              \
    (wg_draw_to)(root, format, sink, user, (wg_draw_options){wg_draw_defaults, __VA_ARGS__})
#define wg_function_draw(f, ...) WG_OPTIONS_FUNCTION_DRAW(WG_FUNCTION_HERE(f), __VA_ARGS__, )
#define WG_OPTIONS_FUNCTION_DRAW(f, path, ...)                                                                         \
    (wg_function_draw)(f, path, (wg_function_draw_options){wg_function_draw_defaults, __VA_ARGS__})
#define wg_function_draw_to(f, ...) WG_OPTIONS_FUNCTION_DRAW_TO(WG_FUNCTION_HERE(f), __VA_ARGS__, )
#define WG_OPTIONS_FUNCTION_DRAW_TO(f, format, sink, user, ...)                                                        \
    (wg_function_draw_to)(f, format, sink, user, (wg_function_draw_options){wg_function_draw_defaults, __VA_ARGS__})
#define wg_observe(tape, what) (wg_observe)(WG_HERE(tape), what)
#define wg_redraw(tape, json, ...) WG_OPTIONS_REDRAW(WG_HERE(tape), json, __VA_ARGS__, )
#define WG_OPTIONS_REDRAW(tape, json, path, ...)                                                                       \
    (wg_redraw)(tape, json, path, (wg_draw_options){wg_draw_defaults, __VA_ARGS__})
#define wg_redraw_to(tape, json, ...) WG_OPTIONS_REDRAW_TO(WG_HERE(tape), json, __VA_ARGS__, )
#define WG_OPTIONS_REDRAW_TO(tape, json, format, sink, user, ...)                                                      \
    (wg_redraw_to)(tape, json, format, sink, user, (wg_draw_options){wg_draw_defaults, __VA_ARGS__})
#endif

#endif
