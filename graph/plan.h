/* What a compiled function is made of. Private to graph/. */
#ifndef GRAPH_PLAN_H
#define GRAPH_PLAN_H

#include "core/tape.h"
#include "wengert/compile.h"

/* One thing to be done at a run. */
typedef wg_status wg_instruct(const void *with);
typedef struct {
    wg_instruct *run;
    const void *with;
} wg_instruction;

/* What an instruction does, for those who look. */
typedef struct {
    const char *what;  /* "add, tanh", "812 scalar operations" */
    const char *scope; /* it was recorded in */
    wg_type y;         /* of its last result */
    uint32_t steps;    /* recorded operations that it does; 0: none, it moves values */
    uint32_t begin, end; /* the nodes among which they are */
    double bytes;      /* that it reads and writes */
    double flops;      /* -1: an entry does not state them */
    double seconds;    /* the least of the last profile; -1: there was none */
} wg_note;

/* A pointer within the instructions that follows what an input or output is bound to. */
typedef struct {
    const void **where;
    uint32_t slot;  /* inputs, then outputs */
    int64_t offset; /* bytes */
} wg_patch;

/* What the caller hands over: an input, an output, or the gradient of a parameter. */
typedef struct {
    const wg_type *type;  /* slots in a row may share one */
    unsigned char *bound; /* where it is now */
    void *own;            /* where an output goes that is not asked for */
} wg_slot;

/* A tensor of the function's tape. */
typedef struct {
    uint32_t node, epoch;
} wg_kept_handle;

/* Memory of a function, in blocks; given back all at once. */
typedef struct wg_hold {
    struct wg_hold *next;
    size_t bytes, used; /* behind the header */
} wg_hold;

struct wg_function {
    wg_tape *tape;
    wg_hold *hold;
    size_t bytes;
    int n_in, n_out, n_grad; /* slots, in this order */
    wg_slot *slot;
    wg_tensor *grad_of; /* the parameters whose gradients the last slots are */
    size_t n_instructions, n_patches;
    wg_instruction *instruction;
    wg_note *note;   /* one an instruction */
    double *seconds; /* where a profile counts each instruction's least time; NULL */
    wg_patch *patch;
    int n_params; /* leaves that are read where they are */
    wg_tensor *param;
    wg_kept_handle *made_from; /* the inputs and the outputs that were recorded */
    bool backward, reads; /* as wg_compile was asked */
    uint32_t recorded;    /* nodes there were when it was */
    void (*release)(wg_function *f); /* gives back what `released` is; NULL: nothing */
    void *released;
};

/* What `backward` adds to the outputs: the parameters that the only one depends on, and their gradients, recorded. */
typedef struct {
    int n;
    wg_tensor *param, *grad;
} wg_gradients;
wg_status wg_gradients_recorded(wg_function *f, wg_tensors outputs, wg_gradients *g);

/* Memory that lives as long as the function, aligned to 64 bytes; NULL, and the error reported, where there is none. */
void *wg_hold_take(wg_function *f, size_t bytes);

/* The kernel that does an elementwise call, or the chain rule of one, on dense arrays, and what it takes for options;
 * NULL for any other call. */
wg_kernel *wg_dense_kernel(const wg_call *c, const void **options);

/* An elementwise call as text: that of the operation's value, or of the slope (`which`, else -1) that the last operand
 * is multiplied by. NULL for any other call. */
typedef struct {
    const wg_op *op;
    const char *text;
    const void *options;
    int which;
} wg_elementwise;
bool wg_elementwise_of(const wg_call *c, wg_elementwise *e);

/* The same of a node whose operands are all 0-d, where it takes no options. */
wg_kernel *wg_scalar_kernel(const wg_node *node);

/* ---- Being made -------------------------------------------------------------------------------------------------- */
#define WG_NO_SLOT (-1)
#define WG_NEVER UINT32_MAX

enum { WG_VALUE_NEEDED = 1, WG_VALUE_CALLED = 2, WG_VALUE_VARIES = 4, WG_VALUE_INPUT = 8,
       WG_VALUE_CHAIN = 16, /* the first step of a chain */
       WG_VALUE_INNER = 32, /* not seen outside its chain */
       WG_VALUE_ASKED = 64, /* an output of the function */
       WG_VALUE_JOIN = 128, /* its operands lie in it, one behind the other */
       WG_VALUE_HELD = 256  /* its place in the workspace was taken */ };

typedef struct {
    uint32_t root;       /* a node */
    uint32_t home;       /* of a root: the node whose storage it is made in, `home_at` bytes behind its first; itself */
    int64_t home_at;
    uint32_t same;       /* the node whose value it has; itself, where it is computed */
    uint32_t last;       /* of a root in the workspace: the last step that uses it */
    uint32_t next;       /* of the roots with the same last step */
    int32_t slot;        /* of a root: what it is bound to */
    int64_t offset;      /* bytes from the root's storage */
    unsigned char *data; /* of a constant or a parameter: where it is */
    size_t at;           /* of a root in the workspace: where in it */
    unsigned flags;
} wg_plan_value;

/* A free part of the workspace, in the order of its place. */
typedef struct {
    size_t at, bytes;
} wg_span;

/* Parts of one size that were given back and not yet joined with what is free beside them: they are taken again first,
 * which keeps both cheap however many parts there are. */
enum { WG_POOLS = 24 };
typedef struct {
    size_t bytes;
    uint32_t first; /* of p->pooled; WG_NEVER: none */
} wg_space_pool;
typedef struct {
    size_t at;
    uint32_t next;
} wg_pooled;

typedef struct {
    wg_function *f;
    wg_tape *tape;
    const wg_tensor *outputs;
    uint32_t nodes, steps;
    wg_plan_value *value;
    uint32_t *dies; /* by step: the first of the roots whose last it is */
    wg_span *free_one;
    uint32_t n_free;
    wg_space_pool pool[WG_POOLS];
    wg_pooled *pooled;
    uint32_t n_pools, n_pooled, unpooled; /* unpooled: entries of `pooled` that are free again */
    size_t top;     /* bytes of the workspace */
    size_t *gather; /* places of contiguous copies, in the order of the steps */
    size_t n_gathers, n_copies, n_patches, n_loads, n_stores;
    uint32_t *scalar;  /* the scalar steps, in the order in which they are done */
    uint32_t n_scalars;
    unsigned char *workspace;
} wg_plan;

static inline const wg_node *wg_plan_node(const wg_plan *p, uint32_t i) { return wg_node_at(p->tape, i); }
static inline wg_plan_value *wg_plan_root(const wg_plan *p, uint32_t i) { return &p->value[p->value[i].root]; }
static inline wg_plan_value *wg_plan_home(const wg_plan *p, uint32_t i) { return &p->value[wg_plan_root(p, i)->home]; }
static inline bool wg_is_leaf_node(const wg_node *node) { return wg_node_is(node, WG_NODE_LEAF); }
static inline bool wg_is_view_node(const wg_node *node) { return wg_node_is(node, WG_NODE_VIEW); }

/* Is the value computed by a step, at each run? */
static inline bool wg_is_made(const wg_plan *p, uint32_t i)
{
    unsigned flags = p->value[i].flags;
    return (flags & (WG_VALUE_VARIES | WG_VALUE_INPUT)) == WG_VALUE_VARIES && p->value[i].same == i &&
           !wg_is_leaf_node(wg_plan_node(p, i)) && !wg_is_view_node(wg_plan_node(p, i));
}

/* A 0-d value that changes has a cell of the workspace for good: there may be very many, and a free list of them would
 * cost more than they do. Inputs are loaded into theirs, outputs stored from theirs. */
static inline bool wg_has_cell(const wg_plan *p, uint32_t i)
{
    return !wg_plan_node(p, i)->rank && p->value[i].root == i &&
           (p->value[i].flags & WG_VALUE_INPUT || wg_is_made(p, i));
}

/* Is node i the first output of a call that the function makes? */
static inline bool wg_is_step(const wg_plan *p, uint32_t i)
{
    return !wg_plan_node(p, i)->out && p->value[i].flags & (WG_VALUE_NEEDED | WG_VALUE_CALLED) && wg_is_made(p, i);
}

/* Is the value kept as a dense copy though the node on the tape may have strides? */
static inline bool wg_is_dense_copy(const wg_plan *p, uint32_t i)
{
    return !(p->value[i].flags & WG_VALUE_VARIES) && p->value[i].root == i;
}

/* Writes where node i's value is to *where, or has that done at each run. */
void wg_points_at(wg_plan *p, const void **where, uint32_t i);
/* The same, `more` bytes behind it. */
void wg_points_behind(wg_plan *p, const void **where, uint32_t i, int64_t more);
/* The strides with which node i is read; NULL where its elements are in order. False: no memory. */
bool wg_stride_kept(wg_plan *p, uint32_t i, const int64_t **stride);
void wg_instruct_next(wg_plan *p, wg_instruct *run, const void *with);

/* Makes c's options the function's own, with the lists and texts that they point at. False: no memory. */
bool wg_options_kept(wg_plan *p, wg_call *c);

/* ---- plan_same.c ---- */
/* Sets roots and offsets of all values that vary, and which are the same. False: no memory. */
bool wg_same_found(wg_plan *p);

/* ---- plan_decided.c ---- */
/* Nodes beside those up to the outputs that say whether an output was decided by a value: up to the last of them. */
uint32_t wg_plan_deciding(const wg_plan *p);
/* Refuses what a run would have to call the program back for. */
wg_status wg_plan_calls_none_back(const wg_plan *p);
/* Refuses what a run would have to decide again. */
wg_status wg_plan_undecided(const wg_plan *p);

/* ---- plan_notes.c ---- */
/* Notes on the instructions from number `first` on, which do the steps among nodes [begin, end). False: no memory. */
bool wg_notes_made(wg_plan *p, size_t first, uint32_t begin, uint32_t end);

/* ---- plan_joins.c ---- */
/* Marks the joins, which are the homes of what is made there. False: no memory. */
bool wg_joins_found(wg_plan *p);
/* Are node i's results, one behind the other, its operands, one behind the other? *fits becomes false without
 * memory. */
bool wg_is_in_line(wg_plan *p, uint32_t i, bool *fits);
/* The instruction of join `first`, which copies what was not made there. False: no memory. */
bool wg_join_made(wg_plan *p, uint32_t first);

/* ---- plan_lists.c ---- */
/* The instruction of call `first`, which is c, where it moves elements to places that are constants; *is: it does.
 * False: no memory. */
bool wg_list_made(wg_plan *p, const wg_call *c, uint32_t first, bool *is);

/* ---- plan_chains.c ---- */
/* Marks the chains and what is seen only inside of one. */
void wg_chains_found(wg_plan *p);
/* The instruction of the chain that begins with node `first`, step `step`; *next: the first node behind it. */
bool wg_chain_made(wg_plan *p, uint32_t first, uint32_t step, uint32_t *next);

/* ---- plan_scalars.c ---- */
/* A step that is one call of a kernel on 0-d values. */
bool wg_is_scalar_step(const wg_plan *p, uint32_t i);
/* Gives cells to all that need one, in an order in which equal work lies side by side; returns their bytes. False: no
 * memory. */
bool wg_scalars_placed(wg_plan *p, size_t *bytes);
/* The instruction of the stretch of scalar steps that begins with node i; *next: the first step behind it. */
bool wg_scalars_made(wg_plan *p, uint32_t i, uint32_t *next);
/* The instruction that loads the inputs' cells; that stores the outputs'. */
bool wg_loads_made(wg_plan *p);
bool wg_stores_made(wg_plan *p);

/* The nodes that `outputs` need, and what about them is known before anything is placed. Takes memory of the arena. */
wg_status wg_plan_marked(wg_plan *p, const wg_tensor *inputs, const wg_tensor *outputs);

/* Fills in everything of p->f but the slots' types: what computes `outputs` (their number is that of its output and
 * gradient slots) from `inputs`. The rest of the plan is in the arena. */
wg_status wg_plan_make(wg_plan *p, const wg_tensor *inputs, const wg_tensor *outputs);

/* ---- function.c ---- */
/* The inputs, then the outputs, as they were recorded, in the arena; NULL, and the error reported, where they are
 * gone. */
wg_tensor *wg_made_from(const wg_function *f, const char *name);
/* Makes what f is made of once more, with its plan, from what was recorded, which is to be there; `again` is f's like,
 * of which wg_function_drop gives back the memory, made or not. Records derivatives: within an aside. `results`: the
 * outputs, then the gradients. */
wg_status wg_function_again(const wg_function *f, const char *name, wg_function *again, wg_plan *p,
                            const wg_tensor **results);
void wg_function_drop(wg_function *f);

#endif
