/* What is known of values, below an operation's name: statistics, bytes, time, where something broke. */
#include "graph/dot.h"

/* ---- Statistics -------------------------------------------------------------------------------------------------- */
/* Of two sets of numbers together (Chan, Golub and LeVeque 1979). */
static void take_in(wg_statistics *s, const wg_statistics *more)
{
    double a = (double)(s->n - s->nan - s->infinite), b = (double)(more->n - more->nan - more->infinite), n = a + b;
    if (b > 0) {
        double step = more->mean - s->mean;
        double squares =
            s->deviation * s->deviation * a + more->deviation * more->deviation * b + step * step * a * b / n;
        s->low = a > 0 ? fmin(s->low, more->low) : more->low;
        s->high = a > 0 ? fmax(s->high, more->high) : more->high;
        s->mean += step * b / n;
        s->deviation = sqrt(squares / n);
    }
    s->n += more->n;
    s->nan += more->nan;
    s->infinite += more->infinite;
    s->zeros += more->zeros;
}

/* Of a node's value, and of those of equal nodes that it draws. False: not measured. */
static bool values_of(const writer *w, uint32_t node, wg_statistics *s)
{
    const wg_statistics *own = wg_fact_output(w->d->facts, node)->values;
    if (!own)
        return false;
    *s = *own;
    for (uint32_t i = w->d->peer[node]; i != WG_NOWHERE; i = w->d->peer[i])
        if (wg_fact_output(w->d->facts, i)->values)
            take_in(s, wg_fact_output(w->d->facts, i)->values);
    return true;
}

static void put_statistics(writer *w, const wg_shown *item, const wg_look *look)
{
    wg_statistics s;
    char zeros[32] = "";
    if (wg_tensor_elements(wg_fact_output(w->d->facts, item->node)) < 2 || !values_of(w, item->node, &s))
        return;
    if (s.zeros)
        snprintf(zeros, sizeof zeros, "  %.3g %% zero", 100.0 * (double)s.zeros / (double)s.n);
    if (s.nan + s.infinite == s.n)
        wg_put_note(w, look, "nothing finite%s", zeros);
    else
        wg_put_note(w, look, "mean %.3g \xc2\xb1 %.3g  [%.3g, %.3g]%s", s.mean, s.deviation, s.low, s.high, zeros);
}

/* ---- Bytes and time ---------------------------------------------------------------------------------------------- */
static void put_bytes(writer *w, const wg_shown *item, const wg_look *look)
{
    char bytes[32], kept[32];
    if (!(item->bytes > 0))
        return;
    wg_bytes_text(item->bytes, bytes, sizeof bytes);
    if (!(item->kept > 0))
        wg_put_note(w, look, "%s", bytes);
    else if (item->kept >= item->bytes)
        wg_put_note(w, look, "%s \xc2\xb7 kept", bytes);
    else
        wg_put_note(w, look, "%s \xc2\xb7 %s kept", bytes, wg_bytes_text(item->kept, kept, sizeof kept));
}

static void put_time(writer *w, const wg_shown *item, const wg_look *look)
{
    char time[32];
    if (item->seconds > 0)
        wg_put_note(w, look, "%.2g %%  %s", 100 * item->seconds / w->d->seconds,
                    wg_time_text(item->seconds, time, sizeof time));
}

void wg_put_values(writer *w, const wg_shown *item, const wg_look *look)
{
    switch (w->d->options.overlay) {
    case WG_SHOW_VALUES:
        if (item->kind != WG_ITEM_CLOSED)
            put_statistics(w, item, look);
        return;
    case WG_SHOW_MEMORY:
        put_bytes(w, item, look);
        return;
    case WG_SHOW_TIME:
        put_time(w, item, look);
        return;
    default:
        return;
    }
}

/* ---- Where something broke --------------------------------------------------------------------------------------- */
static void put_bad_line(writer *w, const char *what)
{
    wg_put(w->text, "<BR/><FONT COLOR=\"%s\" POINT-SIZE=\"10\">%s</FONT>", C(bad_line), what);
}

void wg_put_finding(writer *w, const char *finding)
{
    wg_put(w->text, "<FONT COLOR=\"%s\" POINT-SIZE=\"10\">", C(bad_line));
    wg_put_label(w->text, finding);
    wg_put(w->text, "</FONT>");
}

/* "NaN starts here: 5 of 640", the range of what came in, the place. */
void wg_put_bad(writer *w, const wg_shown *item, const wg_look *look)
{
    const wg_facts *f = w->d->facts;
    const wg_fact *node = &f->node[item->node];
    const wg_tensor_fact *t = &f->output[node->output];
    char text[128];
    if (item->kind == WG_ITEM_CLOSED) {
        put_bad_line(w, w->d->options.diagnosis || w->d->blamed != WG_NOWHERE ? "something is wrong in here"
                                                                              : "not finite from in here on");
        return;
    }
    if (item->node == w->d->blamed) {
        const char *why = strstr(w->d->options.check->blame, ": ");
        put_bad_line(w, "wrong derivative");
        if (why)
            wg_put_note(w, look, "%s", why + 2);
    }
    if (*node->finding) {
        wg_put(w->text, "<BR/>");
        wg_put_finding(w, node->finding);
    }
    if (!node->not_finite)
        return;
    while (t->finite && t < &f->output[node->output + node->outputs - 1])
        t++;
    if (t->values) {
        snprintf(text, sizeof text, "%s starts here: %lld of %lld", t->values->nan ? "NaN" : "infinity",
                 (long long)(t->values->nan ? t->values->nan : t->values->infinite), (long long)t->values->n);
        put_bad_line(w, text);
    }
    const wg_statistics *in = NULL;
    if (node->operands) {
        const wg_operand_fact *o = &f->operand[node->operand];
        in = f->output[f->node[o->from].output + (uint32_t)o->output].values;
    }
    if (in && in->n > in->nan + in->infinite)
        wg_put_note(w, look, "input in [%.3g, %.3g]", in->low, in->high);
    if (*node->place) {
        wg_put(w->text, "<BR/><FONT COLOR=\"%s\" POINT-SIZE=\"10\">", C(muted));
        wg_put_label(w->text, node->place);
        wg_put(w->text, "</FONT>");
    }
}
