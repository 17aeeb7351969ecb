/* Targets that are classes. A loss over classes is sum_c q_c l_c for terms l_c of its own and weights q_c made of the
 * target's class, or its probabilities, the classes' weights, label smoothing and the reduction. The weights are the
 * hidden operations class_weights and class_total, linear in each of their operands, and the derivatives of the
 * losses are graph code over them. */
#include "ops/code.h"
#include "ops/class_weights.h"

#include "core/tape.h"
#include "ops/chain.h"
#include "ops/loss.h"

#include "wengert/elementwise.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

#define CLASS_WEIGHTS(OP) OP(class_weights) OP(class_total)
WG_CONTENTS(CLASS_WEIGHTS)

/* ---- Rows and labels --------------------------------------------------------------------------------------------- */
wg_class_rows wg_class_rows_of(const wg_type *x)
{
    wg_class_rows r = {x->rank > 1, 1, 1, 1, 1};
    for (int i = 0; i < x->rank; i++) {
        int64_t *size = i < r.axis ? &r.outer : i == r.axis ? &r.classes : &r.inner;
        *size *= x->dim[i];
    }
    r.positions = r.outer * r.inner;
    return r;
}

wg_type wg_positions_type(const wg_type *x)
{
    wg_type y = *x;
    y.rank--;
    for (int i = x->rank > 1; i < y.rank; i++)
        y.dim[i] = x->dim[i + 1];
    return y;
}

/* "target[2, 0]" */
static const char *position_text(const wg_type *target, int64_t i, char *text, size_t size)
{
    wg_shape at = wg_type_shape(target);
    for (int axis = target->rank - 1; axis >= 0; axis--) {
        at.dim[axis] = i % target->dim[axis];
        i /= target->dim[axis];
    }
    return target->rank ? wg_shape_text(&at, text, size) : "";
}

wg_status wg_labels_read(const wg_call *c, int operand, int64_t classes, int64_t ignore, const void *weight,
                             double *total, int64_t *counted)
{
    const wg_type *target = &c->x[operand];
    *total = 0;
    *counted = 0;
    for (int64_t i = 0, n = wg_type_count(target); i < n; i++) {
        int64_t label = wg_label_at(target, c->from[operand], i);
        char text[200];
        if (label == ignore)
            continue;
        if (label < 0 || label >= classes)
            return wg_fail(c, WG_ERROR_INDEX, "target%s is %lld, where there are %lld classes",
                           position_text(target, i, text, sizeof text), (long long)label, (long long)classes);
        ++*counted;
        *total += weight ? wg_load_number(c->dtype, (const char *)weight + (size_t)label * wg_dtype_size(c->dtype)) : 1;
    }
    return WG_OK;
}

void wg_classes_c(const wg_call *c, wg_code *w, const wg_class_rows *r, int target, int64_t ignore)
{
    bool soft = wg_is_float(c->x[target].dtype), weighted = target + 1 < c->n_in && wg_given(c, target + 1) &&
                                                            !strcmp(c->op->in[target + 1].name, "weight");
    wg_code_size(w, "positions", r->positions);
    wg_code_size(w, "classes", r->classes);
    wg_code_size(w, "inner", r->inner);
    wg_code_size(w, "ignore", soft ? -1 : ignore == WG_NO_INTEGER ? INT32_MIN : ignore);
    wg_code_word(w, "LABEL", soft ? "0" : "target[k]");
    wg_code_word(w, "TARGET", soft ? "(double)target[at + class * inner]" : "(label == class ? 1.0 : 0.0)");
    wg_code_word(w, "WEIGHT", weighted ? "(double)weight[class]" : "1.0");
    wg_code_word(w, "OWN", weighted && !soft ? "(double)weight[label]" : "1.0");
}

/* ---- class_weights: g times the target's share of each class, times the class's weight -------------------------- */
typedef struct {
    int64_t classes, ignore_index;
    double label_smoothing;
    bool each; /* g is one a position, not one for all */
} class_weights_options;
#define class_weights_defaults .classes = 1, .ignore_index = -100

static wg_status class_weights_type(wg_call *c)
{
    const class_weights_options *o = c->options;
    const wg_type *target = &c->x[1];
    c->y[0] = (wg_type){c->dtype, target->rank + 1, {0}};
    if (target->rank + 1 > WG_MAX_RANK)
        return wg_fail(c, WG_ERROR_SHAPE, "there is no axis left for the classes of %s", wg_show(c, 1));
    int axis = target->rank > 0;
    for (int i = 0; i < c->y[0].rank; i++)
        c->y[0].dim[i] = i == axis ? o->classes : target->dim[i - (i > axis)];
    return WG_OK;
}

static wg_status class_weights_run(const wg_call *c)
{
    const class_weights_options *o = c->options;
    const wg_type *target = &c->x[1];
    wg_class_rows r = wg_class_rows_of(&c->y[0]);
    size_t size = wg_dtype_size(c->dtype);
    const unsigned char *g = c->from[0], *weight = wg_given(c, 2) ? c->from[2] : NULL;
    double total, smooth = o->label_smoothing / (double)r.classes;
    int64_t counted;
    wg_status status = wg_labels_read(c, 1, o->classes, o->ignore_index, NULL, &total, &counted);
    if (status)
        return status;
    memset(c->to[0], 0, (size_t)wg_type_count(&c->y[0]) * size);
    for (int64_t at = 0; at < r.positions; at++) {
        int64_t label = wg_label_at(target, c->from[1], at);
        double each = wg_load_number(c->dtype, g + (size_t)(o->each ? at : 0) * size);
        unsigned char *row = (unsigned char *)c->to[0] + (size_t)wg_class_row_at(&r, at) * size;
        if (label == o->ignore_index || each == 0)
            continue;
        for (int64_t class = smooth != 0 ? 0 : label; class < (smooth != 0 ? r.classes : label + 1); class++) {
            double share = smooth + (class == label ? 1 - o->label_smoothing : 0);
            if (weight)
                share *= wg_load_number(c->dtype, weight + (size_t)class * size);
            wg_store_number(c->dtype, each * share, row + (size_t)(class * r.inner) * size);
        }
    }
    return WG_OK;
}

/* The sum over every axis but that of the classes, which has index `axis`. */
static wg_tensor sum_over_positions(wg_tensor x, int axis)
{
    int rank = wg_type_of(x).rank;
    wg_axes axes = {0};
    for (int i = 0; i < rank; i++)
        if (i != axis)
            axes.at[axes.n++] = i;
    return axes.n ? wg_sum(x, .axis = axes) : x;
}

/* The same operation of another g or weight. */
static wg_tensor again(const wg_call *c, wg_tensor g, wg_tensor weight)
{
    return wg_record(c->op, c->options, (const wg_tensor[]){g, c->in[1], weight}, 3);
}
static wg_tensor class_weights_dg(const wg_call *c, wg_tensor u)
{
    const class_weights_options *o = c->options;
    wg_tensor one = wg_full(c->tape, c->dtype, wg_type_shape(&c->x[0]), 1);
    wg_tensor product = wg_multiply(u, again(c, one, wg_given(c, 2) ? c->in[2] : WG_NONE));
    return o->each ? wg_sum(product, .axis = WG_AXES(c->x[1].rank > 0)) : wg_sum(product);
}
static wg_tensor class_weights_dweight(const wg_call *c, wg_tensor u)
{
    return sum_over_positions(wg_multiply(u, again(c, c->in[0], WG_NONE)), c->x[1].rank > 0);
}
static wg_status class_weights_c(const wg_call *c, wg_code *w)
{
    const class_weights_options *o = c->options;
    wg_class_rows r = wg_class_rows_of(&c->y[0]);
    wg_code_fill(w, "y", wg_type_count(&c->y[0]), "0");
    wg_classes_c(c, w, &r, 1, o->ignore_index);
    wg_code_number(w, "smooth", o->label_smoothing / (double)r.classes);
    wg_code_number(w, "sharp", 1 - o->label_smoothing);
    wg_code_word(w, "EACH_G", o->each ? "(double)g[k]" : "(double)g[0]");
    return wg_code_text(w, TEXT_OF(WG_EACH_POSITION
        if (ignored || EACH_G == 0) continue;
        for (int class = 0; class < classes; class++)
            y[at + class * inner] = (T)(EACH_G * ((smooth + sharp * TARGET) * WEIGHT));
    }));
}

WG_OP(class_weights) = {
    .name = "class_weights",
    .doc = "y = g weight[c] (1 - label_smoothing + label_smoothing / classes) for the target's class c, else "
           "g weight[c] label_smoothing / classes",
    .in = {{"g", 0}, {"target", WG_INTEGER}, {"weight", WG_OPTIONAL}},
    .options = WG_SCHEMA(class_weights, WG_ATTR(class_weights, classes), WG_ATTR(class_weights, ignore_index),
                         WG_ATTR(class_weights, label_smoothing), WG_ATTR(class_weights, each)),
    .type = class_weights_type,
    .run = class_weights_run,
    .c = class_weights_c,
    .vjp = {class_weights_dg, NULL, class_weights_dweight},
    .linear = WG_SEPARATELY,
    .saves = "g target weight",
    .samples = {"[] [3]:int64:0..3 - classes=4", "[3] [3]:int64:0..3 [4] classes=4 label_smoothing=0.1 each=true",
                "[2,3] [2,3]:int32:0..1 [2] classes=2 each=true", "[] []:int64:0..3 [4] classes=4",
                "[] [0]:int64:0..3 [4] classes=4"},
    .hidden = true,
};

/* ---- class_total: the sum of the weights of the targets' classes ------------------------------------------------ */
typedef struct {
    int64_t classes, ignore_index;
} class_total_options;
#define class_total_defaults .classes = 1, .ignore_index = -100

static wg_status class_total_run(const wg_call *c)
{
    const class_total_options *o = c->options;
    double total;
    int64_t counted;
    wg_status status =
        wg_labels_read(c, 1, o->classes, o->ignore_index, wg_given(c, 2) ? c->from[2] : NULL, &total, &counted);
    if (!status)
        wg_store_number(c->dtype, wg_type_count(&c->x[1]) && !counted ? 1 : total, c->to[0]);
    return status;
}
static wg_status class_total_type(wg_call *c)
{
    c->y[0] = (wg_type){.dtype = c->dtype};
    return WG_OK;
}
/* g times how often each class is a target. */
static wg_tensor class_total_dweight(const wg_call *c, wg_tensor g)
{
    const class_total_options *o = c->options;
    class_weights_options hard = {.classes = o->classes, .ignore_index = o->ignore_index};
    return sum_over_positions(WG_RECORD(class_weights, &hard, g, c->in[1], WG_NONE), c->x[1].rank > 0);
}
static wg_tensor class_total_jvp(const wg_call *c)
{
    if (!wg_given(c, 2) || wg_is_none(c->t[2]))
        return WG_NONE;
    wg_tensor one = wg_full(c->tape, c->dtype, WG_SCALAR, 1);
    return wg_sum(wg_multiply(class_total_dweight(c, one), c->t[2]));
}
static wg_status class_total_c(const wg_call *c, wg_code *w)
{
    const class_total_options *o = c->options;
    int64_t n = wg_type_count(&c->x[1]);
    wg_class_rows r = {.axis = 0, .outer = n, .classes = o->classes, .inner = 1, .positions = n};
    wg_classes_c(c, w, &r, 1, o->ignore_index);
    return wg_code_text(w, n ? TEXT_OF(WG_DIVISOR y[0] = (T)total;) : WG_C(y[0] = 0;));
}

WG_OP(class_total) = {
    .name = "class_total",
    .doc = "y = the sum of weight[c] over the targets c; where all of them are ignored, 1",
    .in = {{"like", WG_NO_GRADIENT}, {"target", WG_INTEGER}, {"weight", WG_OPTIONAL}},
    .options = WG_SCHEMA(class_total, WG_ATTR(class_total, classes), WG_ATTR(class_total, ignore_index)),
    .type = class_total_type,
    .run = class_total_run,
    .c = class_total_c,
    .vjp = {NULL, NULL, class_total_dweight},
    .jvp = class_total_jvp,
    .saves = "target",
    .samples = {"[] [3]:int64:0..3 [4] classes=4", "[] []:int64:0..3 [4] classes=4"},
    .hidden = true,
};

/* ---- What the rules of losses over classes share ---------------------------------------------------------------- */
wg_classified wg_classified_of(const wg_call *c, int64_t ignore_index, double label_smoothing)
{
    wg_classified l = {.c = c, .r = wg_class_rows_of(&c->x[0]), .soft = wg_is_float(c->x[1].dtype),
                       .reduced = wg_is_reduced(c), .mean = wg_reduces_by(c, "mean"), .target = c->in[1],
                       .weight = wg_given(c, 2) ? c->in[2] : WG_NONE, .ignore_index = ignore_index,
                       .label_smoothing = label_smoothing};
    return l;
}

wg_tensor wg_along_classes(const wg_classified *l, wg_tensor weight)
{
    wg_shape shape = {{l->r.classes}, l->c->x[0].rank - l->r.axis};
    for (int i = 1; i < shape.rank; i++)
        shape.dim[i] = 1;
    return wg_reshape(weight, shape);
}
wg_tensor wg_along_positions(const wg_classified *l, wg_tensor g)
{
    return l->reduced ? g : wg_expand_dims(g, WG_AXES(l->r.axis));
}

wg_tensor wg_class_total(const wg_classified *l, wg_tensor weight)
{
    class_total_options o = {l->r.classes, l->ignore_index};
    return WG_RECORD(class_total, &o, l->c->in[0], l->target, weight);
}

wg_tensor wg_class_share(const wg_classified *l, wg_tensor g)
{
    if (!l->mean)
        return g;
    return l->soft ? wg_divide(g, (double)l->r.positions) : wg_divide(g, wg_class_total(l, l->weight));
}

wg_tensor wg_class_ones(const wg_classified *l)
{
    wg_type positions = wg_positions_type(&l->c->x[0]);
    return wg_full(l->c->tape, l->c->dtype, l->reduced ? WG_SCALAR : wg_type_shape(&positions), 1);
}

/* The target's probabilities, smoothed. */
static wg_tensor smoothed(const wg_classified *l)
{
    double smoothing = l->label_smoothing;
    if (smoothing == 0)
        return l->target;
    return wg_add(wg_multiply(l->target, 1 - smoothing), smoothing / (double)l->r.classes);
}

wg_tensor wg_class_weights(const wg_classified *l, wg_tensor share, wg_tensor weight)
{
    if (!l->soft) {
        class_weights_options o = {l->r.classes, l->ignore_index, l->label_smoothing, !l->reduced};
        return WG_RECORD(class_weights, &o, share, l->target, weight);
    }
    wg_tensor q = wg_multiply(smoothed(l), wg_along_positions(l, share));
    return wg_is_none(weight) ? q : wg_multiply(q, wg_along_classes(l, weight));
}

wg_tensor wg_class_sum(const wg_classified *l, wg_tensor terms)
{
    return l->reduced ? wg_sum(terms) : wg_sum(terms, .axis = WG_AXES(l->r.axis));
}

wg_tensor wg_class_weight_pull(const wg_classified *l, wg_tensor g, wg_tensor terms, wg_tensor value)
{
    wg_tensor q = wg_class_weights(l, wg_class_share(l, g), WG_NONE);
    wg_tensor dw = sum_over_positions(wg_strong_multiply(q, terms), l->r.axis);
    if (!l->mean || l->soft)
        return dw;
    class_weights_options hard = {.classes = l->r.classes, .ignore_index = l->ignore_index};
    wg_tensor counted = WG_RECORD(class_weights, &hard, wg_class_share(l, value), l->target, WG_NONE);
    return wg_subtract(dw, sum_over_positions(counted, l->r.axis));
}
wg_tensor wg_class_weight_push(const wg_classified *l, wg_tensor t, wg_tensor terms)
{
    wg_tensor share = wg_class_share(l, wg_class_ones(l));
    wg_tensor dy = wg_class_sum(l, wg_strong_multiply(wg_class_weights(l, share, t), terms));
    if (!l->mean || l->soft)
        return dy;
    return wg_subtract(dy, wg_multiply(wg_multiply(share, l->c->out[0]), wg_class_total(l, t)));
}

WG_FAMILY_OF(class_weights, "losses", CLASS_WEIGHTS)
