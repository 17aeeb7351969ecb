/* The C of losses over classes: texts over positions, with the names that wg_classes_c gives. */
#include "ops/class_weights.h"
#include "ops/loss.h"
#include "wengert/losses.h"

/* The text gives each position's `loss`; they are summed, or not. */
static void reduction_c(const wg_call *c, wg_code *w)
{
    wg_code_word(w, "LOSS_DONE",
                 wg_is_reduced(c)         ? "sum += loss"
                 : c->dtype == WG_FLOAT32 ? "y[k] = (float)loss"
                                          : "y[k] = loss");
    wg_code_size(w, "reduced", wg_is_reduced(c));
    wg_code_size(w, "mean", wg_reduces_by(c, "mean"));
}
#define SUM_BEGIN double sum = 0; WG_DIVISOR
#define SUM_END if (reduced) y[0] = (T)(mean && positions > 0 ? sum / total : mean ? sum / 0.0 : sum);
#define SMOOTHED (TARGET * sharp + smooth) * WEIGHT

static void smoothing_c(const wg_call *c, wg_code *w)
{
    const wg_cross_entropy_options *o = c->options;
    wg_class_rows r = wg_class_rows_of(&c->x[0]);
    wg_classes_c(c, w, &r, 1, o->ignore_index);
    wg_code_number(w, "smooth", o->label_smoothing / (double)r.classes);
    wg_code_number(w, "sharp", 1 - o->label_smoothing);
}

wg_status wg_cross_entropy_c(const wg_call *c, wg_code *w)
{
    smoothing_c(c, w);
    reduction_c(c, w);
    return wg_code_text(w, TEXT_OF(SUM_BEGIN WG_EACH_POSITION
        T most = input[at]; double others = -1; double rest = 0; double loss = 0;
        for (int class = 1; class < classes; class++)
            most = input[at + class * inner] > most ? input[at + class * inner] : most;
        for (int class = 0; class < classes; class++) {
            const T e = exp_T(input[at + class * inner] - most);
            softmax[at + class * inner] = e;
            if (e == 1) others += 1; else rest += (double)e;
        }
        others += rest;
        for (int class = 0; class < classes; class++) {
            const double q = ignored ? 0 : SMOOTHED;
            softmax[at + class * inner] *= (T)(1 / (1 + others));
            if (q != 0) loss += q * ((double)(most - input[at + class * inner]) + log1p_double(others));
        }
        LOSS_DONE;
} SUM_END));
}

wg_status wg_cross_entropy_pull_c(const wg_call *c, wg_code *w)
{
    const wg_cross_entropy_options *o = c->options;
    bool soft = wg_is_float(c->x[1].dtype) || o->label_smoothing != 0;
    smoothing_c(c, w);
    wg_code_size(w, "mean", wg_reduces_by(c, "mean"));
    wg_code_word(w, "EACH_G", wg_is_reduced(c) ? "(double)g[0]" : "(double)g[k]");
    if (soft)
        return wg_code_text(w, TEXT_OF(WG_DIVISOR total = mean ? total : 1; WG_EACH_POSITION
            const double by = EACH_G / total;
            double all = 0;
            for (int class = 0; class < classes; class++) all += ignored ? 0 : SMOOTHED;
            for (int class = 0; class < classes; class++) {
                const double q = ignored ? 0 : SMOOTHED;
                y[at + class * inner] = (T)(by == 0 ? 0 : by * ((double)softmax[at + class * inner] * all - q));
            }
        }));
    return wg_code_text(w, TEXT_OF((void)smooth; (void)sharp; WG_DIVISOR total = mean ? total : 1; WG_EACH_POSITION
        const double by = ignored ? 0 : EACH_G / total * OWN;
        double others = 0;
        for (int class = 0; class < classes; class++) {
            const T d = by == 0 || class == label ? 0 : (T)by * softmax[at + class * inner];
            others += (double)d;
            y[at + class * inner] = d;
        }
        if (by != 0) y[at + label * inner] = (T)-others;
    }));
}

wg_status wg_nll_loss_c(const wg_call *c, wg_code *w)
{
    const wg_nll_loss_options *o = c->options;
    wg_class_rows r = wg_class_rows_of(&c->x[0]);
    wg_classes_c(c, w, &r, 1, o->ignore_index);
    reduction_c(c, w);
    return wg_code_text(w, TEXT_OF(SUM_BEGIN WG_EACH_POSITION
        const double loss = ignored ? 0 : -(double)log_probs[at + label * inner] * OWN; LOSS_DONE; } SUM_END));
}

wg_status wg_multi_margin_loss_c(const wg_call *c, wg_code *w)
{
    const wg_multi_margin_loss_options *o = c->options;
    wg_class_rows r = wg_class_rows_of(&c->x[0]);
    wg_classes_c(c, w, &r, 1, WG_NO_INTEGER);
    reduction_c(c, w);
    wg_code_number(w, "margin", o->margin);
    wg_code_size(w, "power", o->p);
    return wg_code_text(w, TEXT_OF(SUM_BEGIN WG_EACH_POSITION
        const double least = margin - (double)x[at + label * inner];
        double loss = 0;
        for (int class = 0; class < classes; class++) {
            const double over = least + (double)x[at + class * inner];
            if (class != label && !(over <= 0)) loss += power == 1 ? over : over * over;
        }
        loss /= classes; LOSS_DONE; } SUM_END));
}
