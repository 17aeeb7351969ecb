/* A recorded graph as plain facts, apart from any tape: what was computed from what, where, of which shapes, and what
 * is known of the values. They are taken from a tape or read from a file of facts; everything that draws knows only
 * them. They live in a tape's arena. Private to graph/. */
#ifndef GRAPH_FACTS_H
#define GRAPH_FACTS_H

#include "graph/statistics.h"
#include "graph/text.h"
#include "wengert/compile.h"
#include "wengert/pictures.h"

#define WG_NOWHERE UINT32_MAX

typedef enum {
    WG_FACT_OPERATION = 0,
    WG_FACT_VIEW,     /* an operation that only looks at its operand otherwise: reshape, slice and their kin */
    WG_FACT_INPUT,    /* a named leaf */
    WG_FACT_CONSTANT, /* a leaf without a name */
    WG_FACT_PARAMETER
} wg_fact_kind;

/* An output of a call. */
typedef struct {
    wg_type type;
    const char *name;                 /* "" where it has none */
    bool finite;                      /* all of its elements are, as far as anybody looked */
    bool has_value;                   /* it is one number, and known */
    double value;
    const wg_statistics *values;      /* NULL: not measured */
    const wg_statistics *gradient;    /* of the root by it; NULL: there is none, or it was not kept */
} wg_tensor_fact;

/* Something that a call takes. Numbers are told in the call's `numbers`. */
typedef struct {
    uint32_t from;    /* the node; an earlier one */
    int output;       /* which of its outputs */
    int place;        /* which operand of the call it is */
    const char *name; /* the entry's, "x"; "" where it has none */
    bool kept;        /* the chain rule of the call reads it */
} wg_operand_fact;

/* A leaf, or a call of an operation. Texts are never NULL. */
typedef struct {
    wg_fact_kind kind;
    const char *op;
    const char *scope;      /* its path, "block.0.attn", "" for the outermost */
    const char *place;      /* "train.c:42", "" where it is not known */
    const char *options;    /* that are not what they are by default, "axis=[0]" */
    const char *numbers;    /* operands that are numbers: "2", "1, ·" where a tensor stands behind one */
    const char *reduction;  /* of a root: "mean" */
    const char *saves;      /* what its chain rule needs, by operand and output names: "x w" */
    const char *fused;      /* operations that a compiled function does together there: "add, tanh" */
    const char *finding;    /* of a diagnosis: "dead units" */
    const char *evidence;   /* ... and the numbers that show it */
    const char *memory;     /* where its results lie in a compiled function: "step 5: 32 KiB in b1, until step 7" */
    bool frozen;            /* a parameter without gradient */
    bool cut;               /* recorded without gradient */
    bool unused;            /* a parameter that no root depends on */
    bool not_finite;        /* the first at which something that is not finite starts */
    bool ordered;           /* operands' names matter */
    bool backward;          /* recorded by a derivative */
    double kept;            /* bytes of its outputs that a backward pass needs */
    double flops;           /* -1: not stated */
    double seconds, seconds_backward; /* -1: not measured */
    uint32_t operand, operands;       /* the first one, and how many */
    uint32_t output, outputs;
} wg_fact;

typedef struct {
    wg_tape *tape; /* of the memory */
    const char *title;
    const char *about; /* a line for the caption; "" */
    uint32_t at_nodes;  /* how many `at` has */
    const uint32_t *at; /* by the first node of a call on the tape: its place among the nodes, or WG_NOWHERE; NULL where
                           they are of no tape */
    wg_fact *node; /* those that the roots depend on, in the order of recording; then the unused parameters */
    uint32_t nodes, used;
    wg_operand_fact *operand;
    uint32_t operands;
    wg_tensor_fact *output;
    uint32_t outputs;
    uint32_t *root; /* nodes; the straight column of a drawing leads to the last */
    uint32_t roots;
    int64_t parameters; /* elements of those used */
    double parameter_bytes;
    wg_dtype usual;     /* the commonest float dtype */
    bool has_backward;   /* operations that a derivative recorded */
    bool has_gradients;  /* of parameters */
    bool has_adjoints;   /* of what is in between too */
    bool has_times;
} wg_facts;

/* Of what the roots were computed from. `measure`: the values too. NULL, and the error reported for the function
 * `name`. */
wg_facts *wg_facts_of_tape(const wg_tensor *root, int roots, const char *name, const char *title, bool measure);
/* Takes over what a diagnosis found of the nodes. */
void wg_facts_diagnosed(wg_facts *f, struct wg_diagnosis *d);
/* What a compiled function does, a node an instruction, edges named by the buffers; `before`: what it was made from,
 * its derivatives with it. Within an aside. NULL, and the error reported. */
wg_facts *wg_facts_of_function(wg_function *f, bool before, const char *name, const char *title);
/* Read back from a file of JSON. NULL, and the error reported. */
wg_facts *wg_facts_of_json(wg_tape *tape, const char *name, const char *path);
/* As JSON spells it. */
const char *wg_fact_kind_name(wg_fact_kind kind);
/* Counts what follows from the nodes: parameters, the usual dtype. */
void wg_facts_count(wg_facts *f);

static inline const wg_tensor_fact *wg_fact_output(const wg_facts *f, uint32_t node)
{
    return &f->output[f->node[node].output];
}
static inline bool wg_fact_is_leaf(const wg_fact *node) { return node->kind >= WG_FACT_INPUT; }
/* Elements and bytes of a tensor. */
int64_t wg_tensor_elements(const wg_tensor_fact *t);
double wg_tensor_bytes(const wg_tensor_fact *t);

/* The gradient's node of a parameter; NULL where nothing is accumulated. */
const wg_node *wg_node_gradient(const wg_tape *tape, const wg_node *param);

/* ---- finite.c ---- */
/* The first of the nodes up to `last` at which something that is not finite starts, of those that `among` marks (NULL:
 * all); WG_NOWHERE: there is none. */
uint32_t wg_first_nonfinite(const wg_tape *tape, uint32_t last, const unsigned char *among);
bool wg_node_finite(const wg_node *node);

#endif
