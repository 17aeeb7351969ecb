/* What is kept of a run that is observed, and who looks at what. Private to graph/. */
#ifndef GRAPH_DIAGNOSIS_H
#define GRAPH_DIAGNOSIS_H

#include "graph/facts.h"
#include "wengert/diagnose.h"

enum {
    WG_NAME_KEPT = 96,
    WG_WATCHED_UNITS = 64,
    WG_WATCHED_INPUTS = 16,
    WG_MOMENTS = 16,
    WG_FINDINGS = 48,
    WG_SHIFTS = 4
};

/* A parameter. Norms are of this step's own gradient, not of what is accumulated. */
typedef struct {
    wg_tensor param;
    size_t bytes;
    void *value;       /* before the last step that was observed */
    void *accumulated; /* its gradient then, as accumulated */
    bool has_before, has_accumulated, moved;
    int64_t used, reached; /* steps in which the loss depends on it; ... with a gradient */
    int64_t zero, faint;   /* steps with a gradient of zeros; with one that fades away */
    double ratio, top;     /* |gradient| / |parameter|, the largest of all parameters: of the last faint step */
    char cutter[WG_NAME_KEPT], cutter_place[WG_NAME_KEPT]; /* what keeps its gradient off */
} wg_watched_param;

/* The units of a relu: axis 1 of what it makes, or the last one of a matrix. */
typedef struct {
    char name[WG_NAME_KEPT], place[WG_NAME_KEPT];
    int64_t units, samples;
    unsigned char *alive; /* was it ever above zero? */
} wg_watched_units;

/* Data that meets parameters. */
typedef struct {
    char name[WG_NAME_KEPT], place[WG_NAME_KEPT];
    bool target;
    int64_t steps;
    double rms, low, high, column_rms; /* column_rms: of the column of the largest one */
    int64_t column, columns;
} wg_watched_input;

typedef struct {
    char name[WG_NAME_KEPT];
    int64_t classes, n;       /* scores that compete; labels seen */
    int64_t *count;           /* by class */
    int64_t pairs;            /* batches whose samples were compared with their labels */
    double apart[WG_SHIFTS];  /* part of the samples' variance between classes: of their own labels, of those of the
                                 sample  before, behind, and far away */
    int64_t copied, compared; /* targets that are the input at their place; all of them */
} wg_watched_labels;

typedef struct {
    double loss, gradient, parameter,
        update; /* the last three 2-norms over all parameters; update: of the step before */
} wg_step_seen;

struct wg_diagnosis {
    wg_tape *tape;
    bool begun; /* the parameters are known */
    wg_watched_param *param;
    uint32_t params, param_room;
    wg_watched_units units[WG_WATCHED_UNITS];
    int n_units;
    wg_watched_input input[WG_WATCHED_INPUTS];
    int n_inputs;
    wg_watched_labels labels;
    wg_step_seen *step;
    uint32_t steps, step_room;
    int64_t leaks;                /* steps with a gradient of earlier ones in theirs */
    double leak;                  /* the largest |accumulated| / |own| of those */
    wg_finding found[WG_MOMENTS]; /* of single moments */
    wg_finding list[WG_FINDINGS]; /* all */
    int n_found, n_list;
};

/* A step's graph. */
typedef struct {
    wg_diagnosis *d;
    wg_tape *tape;
    uint32_t last;        /* the loss */
    unsigned char *state; /* by node */
} wg_seen_graph;

enum {
    WG_SEEN_USED = 1,    /* the loss depends on it */
    WG_SEEN_ARRIVES = 2, /* and a gradient comes to it */
    WG_SEEN_TRAINED = 4, /* it depends on a parameter */
    WG_SEEN_MARK = 8     /* of a search's own */
};

/* Adds a finding of a single moment, unless the fault is known of the same thing; NULL: it is, or there are too many.
 */
wg_finding *wg_finding_add(wg_diagnosis *d, wg_fault fault, const char *what, const char *where);
/* "linear", and where it was recorded: "model.c:31", else its scope, else the parameter it takes. */
void wg_node_text(const wg_tape *tape, uint32_t i, char what[WG_NAME_KEPT], char where[WG_NAME_KEPT]);
/* "0.0893", "NaN", "infinity". */
char *wg_loss_text(double v, char text[32]);
/* The name of a tensor; else the name of its operation. */
const char *wg_name_or_op(const wg_node *node);

/* ---- diagnose_graph.c ---- */
/* Which nodes the loss depends on, and where gradients come to. */
void wg_see_graph(const wg_seen_graph *g);
/* Looks at parameters without gradient, relu units, inputs, labels. */
void wg_see_params(const wg_seen_graph *g);
void wg_see_nodes(const wg_seen_graph *g);

/* ---- diagnose_data.c ---- */
void wg_see_input(wg_diagnosis *d, const wg_node *node, const char *name, const char *place, bool target);
void wg_see_labels(wg_diagnosis *d, const wg_node *y, int64_t classes, const char *name);
/* Do samples of one label look alike, with their own label or with a neighbour's? */
void wg_see_pairs(wg_diagnosis *d, const wg_node *x, const wg_node *y);

/* ---- diagnose_finite.c ---- */
/* Adds where the loss, or this step's gradient, stops being finite. */
void wg_see_not_finite(const wg_seen_graph *g);
void wg_see_gradient_not_finite(const wg_seen_graph *g);

/* ---- diagnose_find.c ---- */
/* Fills d->list. */
void wg_findings_list(wg_diagnosis *d);

#endif
