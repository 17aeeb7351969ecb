/* Wengert: diagnosis of a training run.
 *
 * A training loop that does not learn runs on without a word. Observed for a few steps, it is told what is wrong, by
 * which numbers, and what to try:
 *
 *     wg_diagnosis *d = wg_diagnosis_begin(tape);           before the mark that the loop rewinds to
 *     for each batch:
 *         ... wg_backward(loss);
 *         wg_diagnose(d, loss);                             before wg_step
 *         wg_step(adam);
 *     wg_diagnosis_print(d, stdout);
 *
 * A step that is observed takes about twice its time. What a healthy run may show now and then is no finding. */
#ifndef WENGERT_DIAGNOSE_H
#define WENGERT_DIAGNOSE_H

#include "wengert/charts.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    WG_FAULT_NOT_FINITE = 0, /* a NaN or an infinity: where it starts, in the values or in the gradients */
    WG_FAULT_LABELS,         /* classes counted from 1, labels of the neighbouring sample, targets that are the input */
    WG_FAULT_INPUTS,         /* inputs or targets far from the scale of 1 */
    WG_FAULT_LEAKED,         /* the gradients of earlier steps are still there */
    WG_FAULT_UNUSED,         /* the loss does not depend on a parameter */
    WG_FAULT_CUT_OFF,        /* it does, but no gradient comes back: stop_gradient, WG_NO_GRAD, argmax */
    WG_FAULT_NOT_MOVED,      /* there is a gradient, but the parameter stays as it is while others move */
    WG_FAULT_EXPLODING,      /* gradients far larger than the parameters from the start, and the loss does not fall */
    WG_FAULT_RATE,           /* steps as large as the parameters, and the loss does not fall */
    WG_FAULT_VANISHING,      /* gradients that fade away from the loss to the first layers */
    WG_FAULT_DEAD_UNITS,     /* relu units that are zero for every sample */
    WG_FAULT_OVERFITTING,    /* of a curve: the validation loss rises while the training loss falls */
    WG_FAULT_NOT_LEARNING    /* of a curve: the loss stays where it was, or rises */
} wg_fault;

/* "not finite", "labels", "dead units", ... */
WG_API const char *wg_fault_name(wg_fault fault);

typedef struct {
    wg_fault fault;
    int64_t step;       /* that showed it first, from 1; of a curve the epoch; 0: of the data as a whole */
    char what[160];     /* "fc1.weight and fc1.bias", "log" */
    char where[160];    /* "model.c:31" or a scope; "" where it is not known */
    char evidence[320]; /* a sentence with the numbers */
    char advice[240];   /* what to try */
} wg_finding;

/* Belongs to the tape. The functions below take NULL and do nothing. */
typedef struct wg_diagnosis wg_diagnosis;

/* Observes the parameters that the tape has at the first step. NULL, and the error on the tape, where there is no
 * memory. */
WG_API wg_diagnosis *wg_diagnosis_begin(wg_tape *tape);
/* Looks at a step: the graph of `loss`, the gradients that wg_backward has accumulated, how far the parameters moved
 * since the step before. Records nothing. */
WG_API wg_status wg_diagnose(wg_diagnosis *diagnosis, wg_tensor loss);
/* Looks at data alone: x, [n, ...], and the classes y, [n], or WG_NONE. In the file's order, not shuffled, labels that
 * belong to the neighbouring sample are noticed. */
WG_API wg_status wg_diagnose_data(wg_diagnosis *diagnosis, wg_tensor x, wg_tensor y);
/* Looks at the log of a whole run. */
WG_API wg_status wg_diagnose_curve(wg_diagnosis *diagnosis, const wg_curve *curve);

/* What was found so far, likely causes before what follows from them. The list lives until the next call of a function
 * of the diagnosis. Returns how many there are. */
WG_API int wg_diagnosis_findings(wg_diagnosis *diagnosis, const wg_finding **list);
/* Steps observed; the loss of the first and of the last one. */
WG_API int64_t wg_diagnosis_steps(const wg_diagnosis *diagnosis, double *first, double *last);
/* Prints the findings as text, in lines of 80 columns at most, or one line that says there are none. */
WG_API void wg_diagnosis_print(wg_diagnosis *diagnosis, FILE *file);

/* Where the first value that is not finite comes from, as wg_find_nonfinite finds it: "log (model.c:31): 5 of 640
 * values are NaN, where x goes down to -0.419". False, and "", where all are finite. */
WG_API bool wg_nonfinite_text(wg_tape *tape, char *text, size_t size);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_diagnosis_begin(tape) (wg_diagnosis_begin)(WG_HERE(tape))
#define wg_diagnose(diagnosis, loss) (wg_diagnose)(diagnosis, WG_HERE_AT(loss))
#define wg_diagnose_data(diagnosis, x, y) (wg_diagnose_data)(diagnosis, WG_HERE_AT(x), y)
#endif

#endif
