/* A check's report as text. */
#include "wengert/check.h"

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

/* What a ratio of analytic to numeric suggests. */
static const char *hint_of(double ratio)
{
    static const struct {
        double ratio;
        const char *says;
    } hints[] = {{-1, "the sign is wrong"},
                 {2, "a term counted twice, or a missing 1/2"},
                 {0.5, "a term left out, or a 1/2 too many"},
                 {0, "nothing comes back along this path"}};
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (fabs(ratio - hints[i].ratio) < 1e-4)
            return hints[i].says;
    return NULL;
}

static void print_worst(const wg_check_input *in, FILE *file)
{
    char at[128];
    if (in->directions)
        snprintf(at, sizeof at, "direction %lld", (long long)in->element);
    else
        index_text(&in->shape, in->element, at, sizeof at);
    fprintf(file, "    at %s: analytic %.8g, numeric %.8g +- %.1e, h %.1e\n    %s\n", at, in->analytic, in->numeric,
            in->error, in->step, in->reason);
    double ratio = in->analytic / in->numeric;
    if (in->verdict == WG_CHECK_FAILED && in->low != in->high)
        fprintf(file, "    one-sided slopes %.8g and %.8g\n", in->low, in->high);
    if (in->verdict == WG_CHECK_FAILED && isfinite(ratio))
        fprintf(file, "    ratio %.6g%s%s\n", ratio, hint_of(ratio) ? ": " : "", hint_of(ratio) ? hint_of(ratio) : "");
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
    else
        fprintf(file, "gradient check %s: %d of %d inputs %s\n", report->failed ? "FAILED" : "passed",
                report->failed ? bad : report->n, report->n, report->failed ? "are not right" : "hold");
    for (int i = 0; i < report->n; i++) {
        const wg_check_input *in = &report->input[i];
        char shape[128];
        fprintf(file, "  %-16s %-14s %s, %lld %s\n", in->name, wg_shape_text(&in->shape, shape, sizeof shape),
                verdicts[in->verdict], (long long)in->checked, in->directions ? "directions" : "elements");
        if (in->checked && in->verdict != WG_CHECK_PASSED)
            print_worst(in, file);
    }
    if (report->failed)
        fprintf(file, "  again: WENGERT_CHECK_SEED=%llu\n", (unsigned long long)report->seed);
}
