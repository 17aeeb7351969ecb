/* Findings as text: what it is, where, the numbers, what to try. */
#include "graph/diagnosis.h"

enum { COLUMNS = 80, INDENT = 4 };

char *wg_loss_text(double v, char text[32])
{
    snprintf(text, 32, v != v ? "NaN" : isinf(v) ? (v > 0 ? "infinity" : "-infinity") : "%.4g", v);
    return text;
}

/* Words in lines of 80 columns, behind `first` and then as far in. */
static void print_wrapped(FILE *file, const char *first, const char *words)
{
    int indent = INDENT + (int)strlen(first), column = indent;
    fprintf(file, "%*s%s", INDENT, "", first);
    for (const char *at = words; *at;) {
        int n = (int)strcspn(at, " "), width = 0;
        for (int i = 0; i < n; i++)
            width += ((unsigned char)at[i] & 0xc0) != 0x80;
        if (column > indent && column + 1 + width > COLUMNS) {
            fprintf(file, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', file);
            column++;
        }
        fprintf(file, "%.*s", n, at);
        column += width;
        at += n + (at[n] == ' ');
    }
    fputc('\n', file);
}

static void print_heading(FILE *file, const wg_finding *f)
{
    fprintf(file, "\n%s: %s", wg_fault_name(f->fault), f->what);
    if (*f->where)
        fprintf(file, " (%s)", f->where);
    if (f->step > 1)
        fprintf(file, ", %s %lld", f->fault >= WG_FAULT_OVERFITTING ? "epoch" : "step", (long long)f->step);
    fputc('\n', file);
}

void wg_diagnosis_print(wg_diagnosis *d, FILE *file)
{
    const wg_finding *list;
    double first, last;
    char text[2][32];
    if (!d || !file)
        return;
    int n = wg_diagnosis_findings(d, &list);
    int64_t steps = wg_diagnosis_steps(d, &first, &last);
    if (n)
        fprintf(file, "%d finding%s", n, n == 1 ? "" : "s");
    else
        fprintf(file, "no findings");
    if (steps > 1)
        fprintf(file, " in %lld steps: the loss goes from %s to %s", (long long)steps, wg_loss_text(first, text[0]),
                wg_loss_text(last, text[1]));
    else if (steps)
        fprintf(file, " in a step: the loss is %s", wg_loss_text(first, text[0]));
    fputc('\n', file);
    for (int i = 0; i < n; i++) {
        print_heading(file, &list[i]);
        print_wrapped(file, "", list[i].evidence);
        print_wrapped(file, "try: ", list[i].advice);
    }
}
