/* Targets that are classes, for the losses over them. Private to ops/. */
#ifndef OPS_CLASS_WEIGHTS_H
#define OPS_CLASS_WEIGHTS_H

#include "ops/code.h"
#include "wengert/operation.h"

/* ---- Rows and labels ---------------------------------------------------------------------------------------------
 * The classes lie along axis 1, or along the only axis; every other index is a position, and has a row of classes. */
typedef struct {
    int axis; /* of the classes */
    int64_t outer, classes, inner, positions;
} wg_class_rows;

wg_class_rows wg_class_rows_of(const wg_type *x);
/* The element where a position's row begins; its classes are r->inner apart. */
static inline int64_t wg_class_row_at(const wg_class_rows *r, int64_t position)
{
    return position / r->inner * r->classes * r->inner + position % r->inner;
}
/* x's type without the class axis. */
wg_type wg_positions_type(const wg_type *x);
static inline int64_t wg_label_at(const wg_type *target, const void *labels, int64_t i)
{
    return target->dtype == WG_INT32 ? ((const int32_t *)labels)[i] : ((const int64_t *)labels)[i];
}
/* Checks the labels of operand `operand` and sums their weights; `counted` are those not ignored. `weight` may be
 * NULL. */
wg_status wg_labels_read(const wg_call *c, int operand, int64_t classes, int64_t ignore, const void *weight,
                         double *total, int64_t *counted);

/* Names for texts over positions k: sizes, and LABEL, the target's class, TARGET and WEIGHT, the target's and the
 * weight's share of a `class`, from element `at` on, OWN, the weight of the label. */
void wg_classes_c(const wg_call *c, wg_code *w, const wg_class_rows *r, int target, int64_t ignore);
wg_status wg_cross_entropy_c(const wg_call *c, wg_code *w);
wg_status wg_cross_entropy_pull_c(const wg_call *c, wg_code *w);
wg_status wg_nll_loss_c(const wg_call *c, wg_code *w);
wg_status wg_multi_margin_loss_c(const wg_call *c, wg_code *w);
#define WG_EACH_POSITION                                                                                               \
    for (int k = 0; k < positions; k++) {                                                                              \
        const int at = k / inner * classes * inner + k % inner;                                                        \
        const int64_t label = LABEL;                                                                                   \
        const bool ignored = label == ignore;                                                                          \
        if (!ignored && (label < 0 || label >= classes)) FAIL;
#define WG_DIVISOR                                                                                                     \
    double total = 0; bool counted = false;                                                                            \
    WG_EACH_POSITION (void)at; counted = counted || !ignored; total += ignored ? 0 : OWN; }                            \
    total = !counted ? 1 : total;

/* ---- Graph code of the rules ------------------------------------------------------------------------------------- */
/* A loss over classes as its rules see it: operands input, target and an optional weight. */
typedef struct {
    const wg_call *c;
    wg_class_rows r;
    bool soft, reduced, mean; /* soft: the target is probabilities */
    wg_tensor target, weight;
    int64_t ignore_index;
    double label_smoothing;
} wg_classified;

wg_classified wg_classified_of(const wg_call *c, int64_t ignore_index, double label_smoothing);
/* What each term is multiplied by: g, shared out where the loss is a mean; and the g of one. */
wg_tensor wg_class_share(const wg_classified *l, wg_tensor g);
wg_tensor wg_class_ones(const wg_classified *l);
/* q of the input's shape for a share, and a weight that need not be the loss's own; WG_NONE: ones. */
wg_tensor wg_class_weights(const wg_classified *l, wg_tensor share, wg_tensor weight);
/* The sum of terms of the input's shape: of each position, or of all. */
wg_tensor wg_class_sum(const wg_classified *l, wg_tensor terms);
/* The sum of the weights of the targets' classes, by which a mean divides. */
wg_tensor wg_class_total(const wg_classified *l, wg_tensor weight);
/* The cotangent of the weight, of `value`, a sum of q terms with the share of g. */
wg_tensor wg_class_weight_pull(const wg_classified *l, wg_tensor g, wg_tensor terms, wg_tensor value);
/* What a tangent t of the weight does to the loss, a sum of q terms. */
wg_tensor wg_class_weight_push(const wg_classified *l, wg_tensor t, wg_tensor terms);
/* A tensor of one number a class, or a position, in a shape that broadcasts against the input's. */
wg_tensor wg_along_classes(const wg_classified *l, wg_tensor weight);
wg_tensor wg_along_positions(const wg_classified *l, wg_tensor g);

#endif
