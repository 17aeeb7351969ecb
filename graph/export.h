/* A compiled function on its way to C. Private to graph/. */
#ifndef GRAPH_EXPORT_H
#define GRAPH_EXPORT_H

#include "core/code.h"
#include "graph/plan.h"
#include "wengert/export.h"

/* Where the value of a root is when the exported function runs. */
typedef enum {
    WG_HOME_NONE,
    WG_HOME_INPUT,
    WG_HOME_PARAMETER, /* an argument */
    WG_HOME_OUTPUT,
    WG_HOME_CONSTANT,  /* an array of the file */
    WG_HOME_NUMBER,    /* a constant of equal elements, written where one is read */
    WG_HOME_WORK,      /* in the workspace of its dtype */
    WG_HOME_LOCAL      /* a variable within one step */
} wg_home;

typedef struct {
    wg_home home;
    const char *name;     /* of a root, in C */
    const char *variable; /* what holds it in the step that makes it, where that reads it */
    size_t at;            /* element of the workspace */
    uint32_t last;        /* of a root: the last step that reads it */
} wg_export_value;

typedef enum {
    WG_STEP_SCALARS, /* elementwise on 0-d values, one behind the other */
    WG_STEP_LOOP,    /* elementwise on values of one shape, in one loop */
    WG_STEP_CALL     /* any other operation, views that are copied included */
} wg_step_kind;

/* Nodes [first, end) that are done as one function. */
typedef struct {
    wg_step_kind kind;
    uint32_t first, end;
} wg_export_step;

/* A part of the workspace of one dtype that is free, in elements. */
typedef struct {
    size_t at, n;
} wg_gap;

/* A function that was put, and may be called again. */
typedef struct {
    size_t at, size; /* its text behind its name, in e->functions */
    const char *name;
} wg_export_function;

typedef struct wg_export_taken {
    struct wg_export_taken *next;
    char name[];
} wg_export_taken;

typedef struct {
    wg_plan p;
    wg_function *f;
    const char *prefix, *file, *test_macro;
    wg_export_c_options options;
    wg_export_value *value; /* one a node */
    uint32_t n_steps;
    wg_export_step *step;
    size_t work[5];         /* elements, by dtype */
    wg_gap *gap[5];
    uint32_t n_gaps[5];
    unsigned fails; /* bit 1: it may return 1; bit 2: 2 */
    bool calls_blas;
    wg_source header, constants, functions, body, test;
    wg_helpers_put helpers;
    wg_export_function *done;
    uint32_t n_done, most_done, n_put;
    const wg_export_step *at; /* being put; NULL: none */
    const char **input, **output; /* names; inputs, then parameters that are arguments; outputs, then gradients */
    int n_params;
    uint32_t *param;          /* nodes */
    wg_export_taken *taken;
} wg_export;

static inline wg_export_value *wg_export_root(const wg_export *e, uint32_t i) { return &e->value[e->p.value[i].root]; }
/* Elements from the root's first to node i's first. */
static inline int64_t wg_export_offset(const wg_export *e, uint32_t i)
{
    return e->p.value[i].offset / (int64_t)wg_dtype_size((wg_dtype)wg_plan_node(&e->p, i)->dtype);
}
/* The strides with which node i is read; NULL: its elements are in order. */
const int64_t *wg_export_stride(const wg_export *e, uint32_t i);

/* ---- export_plan.c: what is done, in which order, and where values are ---- */
wg_status wg_export_planned(wg_export *e, const wg_tensor *inputs);
/* n elements of the workspace, and back. */
size_t wg_export_take(wg_export *e, wg_dtype dtype, size_t n);
void wg_export_give(wg_export *e, wg_dtype dtype, size_t at, size_t n);

/* ---- export_names.c ---- */
/* A C name like `wish` that no other value has, nor the language, nor <math.h>. */
const char *wg_export_name(wg_export *e, const char *wish);
/* The name for what node i computes: its own, or its operation's within its scope. */
const char *wg_export_name_of(wg_export *e, uint32_t i);
/* "[32, 64]" */
const char *wg_export_shape(wg_export *e, const wg_type *type);

/* ---- export_values.c: how values are read and named ---- */
/* The name of a root that is an array; puts the array of a constant. */
const char *wg_export_array(wg_export *e, uint32_t root);
/* Node i's values in order, as they are on the tape; NULL, and the error reported: no memory. */
const void *wg_export_values(wg_export *e, uint32_t i);
/* A pointer to node i's first element. */
const char *wg_export_pointer(wg_export *e, uint32_t i);
/* Is the root an element of the workspace for itself? */
static inline bool wg_export_is_cell(const wg_export *e, uint32_t root)
{
    return e->value[root].home == WG_HOME_WORK && !wg_plan_node(&e->p, root)->rank;
}
/* The values that node i is of its type. */
void wg_export_numbers(wg_export *e, wg_source *to, const wg_type *type, const void *data);
/* The member of the workspace. */
const char *wg_export_member(wg_dtype dtype);
const char *wg_export_text(wg_export *e, const char *format, ...) WG_PRINTF(2, 3);

/* ---- export_loops.c: steps that are elementwise ---- */
wg_status wg_export_loop(wg_export *e, const wg_export_step *s);

/* ---- export_steps.c: the functions that steps are, and their calls ---- */
wg_status wg_export_steps(wg_export *e);
/* Puts the function unless there is one with the same text; returns its name. Takes what is behind the name. */
const char *wg_export_function_put(wg_export *e, const char *wish, bool may_fail, const wg_source *text);
/* Does the C text have the word? */
bool wg_export_mentions(const wg_source *text, const char *word);
/* fails: what it may return besides 0. */
void wg_export_call_put(wg_export *e, const char *name, int fails, const wg_source *list);

/* ---- export.c ---- */
/* Makes the text of f, and hands it over while it lives. */
typedef wg_status wg_export_then(wg_export *e, const wg_source *file, void *argument);
wg_status wg_export_text_of(wg_function *f, const char *path, const wg_export_c_options *options, wg_export_then *then,
                            void *argument);

/* ---- object.c: shared objects of C text ---- */
/* The object that the text makes, compiled or from the cache; NULL, and the error reported for wg_function_load_c. */
void *wg_object_of(wg_tape *tape, const wg_source *text);

/* ---- export_test.c: a main that checks the file ---- */
void wg_export_test(wg_export *e, const wg_tensor *inputs);

#endif
