/* A check's report as text. */
#include "graph/checking.h"

#define TRUST 16.0 /* how many times their errors two estimates may differ */

static const char *const verdicts[] = {"ok", "FAILED", "NOT CHECKED"};

/* "[3, 17]": the index of element i. */
static void index_text(const wg_shape *shape, int64_t i, char *text, size_t size)
{
    wg_shape at = {.rank = shape->rank};
    for (int k = shape->rank; k-- > 0;) {
        at.dim[k] = i % shape->dim[k];
        i /= shape->dim[k];
    }
    wg_shape_text(&at, text, size);
}

static bool is_near(double ratio, double value) { return fabs(ratio - value) < 1e-4 * fmax(fabs(value), 1e-2); }

/* What a ratio of analytic to numeric suggests, as text; "" for nothing. */
static void hint_of(const wg_check_input *in, double ratio, char *text, size_t size)
{
    static const struct {
        double ratio;
        const char *says;
    } hints[] = {{-1, "the sign is wrong"},
                 {2, "a term counted twice, or a missing 1/2"},
                 {0.5, "a term left out, or a 1/2 too many"},
                 {0, "nothing comes back along this path"}};
    *text = 0;
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (is_near(ratio, hints[i].ratio)) {
            snprintf(text, size, ": %s", hints[i].says);
            return;
        }
    double count = 1;
    for (int k = 0; k < in->shape.rank; k++)
        count *= (double)in->shape.dim[k];
    for (int k = -1; k < in->shape.rank; k++) {
        double n = k < 0 ? count : (double)in->shape.dim[k];
        if (n > 2 && (is_near(ratio, n) || is_near(ratio * n, 1)))
            snprintf(text, size, ": %s of %g elements where the value has the %s",
                     is_near(ratio, n) ? "a sum" : "a mean", n, is_near(ratio, n) ? "mean" : "sum");
    }
}

static void print_worst(const wg_check_input *in, FILE *file)
{
    char at[128], hint[128];
    if (in->directions)
        snprintf(at, sizeof at, "direction %lld", (long long)in->element);
    else
        index_text(&in->shape, in->element, at, sizeof at);
    fprintf(file, "    at %s: analytic %.8g, numeric %.8g +- %.1e, h %.1e\n    %s\n", at, in->analytic, in->numeric,
            in->error, in->step, in->reason);
    fprintf(file, "    numeric by %s",
            in->oracle == WG_ORACLE_DOUBLE_DOUBLE  ? "double-double replay"
            : in->oracle == WG_ORACLE_COMPLEX_STEP ? "a complex step"
                                                   : "Ridders' extrapolation of central differences");
    if (in->verdict == WG_CHECK_FAILED && in->oracle != WG_ORACLE_RIDDERS && isfinite(in->second_error))
        fprintf(file, "; Ridders' method %s (%.8g +- %.1e)",
                fabs(in->second - in->numeric) <= TRUST * (in->second_error + in->error) ? "agrees" : "does not agree",
                in->second, in->second_error);
    fprintf(file, "\n");
    double ratio = in->analytic / in->numeric;
    if (in->verdict != WG_CHECK_FAILED)
        return;
    if (in->low != in->high)
        fprintf(file, "    one-sided slopes %.8g and %.8g\n", in->low, in->high);
    hint_of(in, ratio, hint, sizeof hint);
    if (isfinite(ratio))
        fprintf(file, "    ratio %.6g%s\n", ratio, hint);
    if (*in->hint)
        fprintf(file, "    of its elements: %s\n", in->hint);
}

/* Every other step. */
static void print_sweep(const wg_check_report *report, FILE *file)
{
    const wg_check_input *in = &report->input[report->swept];
    fprintf(file, "  central differences of %s there:\n    h        difference        from analytic  from numeric\n",
            in->name);
    for (int i = 0; i < report->steps; i += 2) {
        double d = report->sweep[i].difference;
        fprintf(file, "    %.1e  %-16.9g  %.1e        %.1e\n", report->sweep[i].h, d, fabs(d - in->analytic),
                fabs(d - in->numeric));
    }
}

static void print_blame(const wg_check_report *report, FILE *file)
{
    if (*report->blame)
        fprintf(file, "  first wrong operation on the way back: %s\n", report->blame);
    if (*report->blame && report->held)
        fprintf(file, "  the %d after it on the way back %s checked alone and hold%s\n", report->held,
                report->held > 1 ? "were" : "was", report->held > 1 ? "" : "s");
    if (!*report->blame && report->held)
        fprintf(
            file,
            "  each of the %d operations holds when checked alone: is a value taken out of the graph, or not the same "
            "each time?\n",
            report->held);
}

static void print_identity(const wg_check_identity *is, const char *says, const char *left, const char *right,
                           FILE *file)
{
    if (is->verdict == WG_CHECK_FAILED)
        fprintf(file, "  %s: %s = %.12g, %s = %.12g\n", says, left, is->left, right, is->right);
    else if (is->verdict == WG_CHECK_UNCHECKED && *is->reason)
        fprintf(file, "  not compared, %s = %s: %s\n", left, right, is->reason);
}

/* And which rule was applied there. */
static void print_kinks(const wg_check_report *report, const wg_check_input *in, FILE *file)
{
    if (in->stated)
        fprintf(file, ", %lld at a kink, held to what %s states", (long long)in->stated, report->kink);
    if (in->kinks > in->stated)
        fprintf(file, ", %lld at a kink, between the one-sided slopes", (long long)(in->kinks - in->stated));
    fprintf(file, "\n");
}

void wg_check_print(const wg_check_report *report, FILE *file)
{
    if (!report || !file)
        return;
    int bad = 0;
    for (int i = 0; i < report->n; i++)
        bad += report->input[i].checked && report->input[i].verdict != WG_CHECK_PASSED;
    if (*report->message)
        fprintf(file, "gradient check could not be made: %s\n", report->message);
    else if (!bad && wg_check_refuted(report))
        fprintf(file, "gradient check FAILED: the derivatives do not agree with each other\n");
    else
        fprintf(file, "gradient check %s: %d of %d inputs %s\n", report->failed ? "FAILED" : "passed",
                report->failed ? bad : report->n, report->n, report->failed ? "are not right" : "hold");
    for (int i = 0; i < report->n; i++) {
        const wg_check_input *in = &report->input[i];
        char shape[128];
        fprintf(file, "  %-16s %-14s %s, ", in->name, wg_shape_text(&in->shape, shape, sizeof shape),
                verdicts[in->verdict]);
        if (in->wrong)
            fprintf(file, "%lld of ", (long long)in->wrong);
        fprintf(file, "%lld %s", (long long)in->checked, in->directions ? "directions" : "elements");
        print_kinks(report, in, file);
        if (in->checked && in->verdict != WG_CHECK_PASSED)
            print_worst(in, file);
    }
    if (!*report->message) {
        print_identity(&report->transpose, "the jvp is not the vjp's transpose", "<u, J v>", "<J' u, v>", file);
        print_identity(&report->symmetry, "the second derivative is not symmetric", "<w, H v>", "<v, H w>", file);
    }
    if (*report->without && !*report->message)
        fprintf(file, "  by Ridders' method, as there is no double-double form of %s\n", report->without);
    if (report->steps && !*report->message)
        print_sweep(report, file);
    if (report->failed && !*report->message)
        print_blame(report, file);
    if (*report->smaller)
        fprintf(file, "  it fails too at %s\n", report->smaller);
    if (report->failed)
        fprintf(file, "  rerun just this: WENGERT_CHECK_SEED=%llu\n", (unsigned long long)report->seed);
}
