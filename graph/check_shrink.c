/* A failing input made simpler: element by element 0, 1 or a whole number in its place, as long as the check still
 * fails. */
#include "graph/checking.h"

#define MOST 256 /* elements that are tried */

/* Is a derivative still wrong at these inputs? Undecided is not wrong. */
static bool still_fails(const wg_checking *k, const wg_tensor *x)
{
    wg_mark before = wg_tape_mark(k->tape);
    wg_check_report *report = wg_arena(k->tape, sizeof *report);
    bool fails = false;
    if (report) {
        *report = (wg_check_report){.n = k->n, .seed = k->seed};
        wg_checking own = *k;
        wg_check_graph graph;
        own.inputs = x;
        own.report = report;
        own.replay = NULL;
        wg_check_run(&own, &graph);
        fails = wg_check_refuted(report);
    }
    wg_clear_error(k->tape);
    wg_rewind(k->tape, before);
    return fails;
}

static void element_shrunk(const wg_checking *k, const wg_tensor *x, int at, int64_t i)
{
    wg_dtype dtype = wg_type_of(x[at]).dtype;
    char *to = (char *)wg_node_at(k->tape, x[at].node)->data + (size_t)i * wg_dtype_size(dtype);
    double old = wg_load_number(dtype, to);
    const double simpler[] = {0, 1, rint(old)};
    for (int j = 0; j < 3 && old != simpler[j]; j++) {
        wg_store_number(dtype, simpler[j], to);
        if (still_fails(k, x))
            return;
    }
    wg_store_number(dtype, old, to);
}

static void inputs_put(const wg_checking *k, const wg_tensor *x)
{
    char *text = k->report->smaller;
    size_t size = sizeof k->report->smaller, used = 0;
    for (int at = 0; at < k->n; at++) {
        used += (size_t)snprintf(text + used, size - used, "%s%s = [", at ? ", " : "", k->report->input[at].name);
        for (int64_t i = 0; i < wg_size(x[at]) && used < size; i++)
            used += (size_t)snprintf(text + used, size - used, "%s%.9g", i ? ", " : "", (wg_element)(x[at], i));
        if (used < size)
            used += (size_t)snprintf(text + used, size - used, "]");
        if (used >= size)
            return; /* cut */
    }
}

void wg_check_shrink(const wg_checking *k)
{
    wg_tensor x[WG_CHECK_INPUTS];
    for (int at = 0; at < k->n; at++) {
        wg_type type = wg_type_of(k->inputs[at]);
        x[at] = wg_leaf(k->tape, &type, NULL, 0, "wg_check_grad");
        if (!wg_is_tensor(x[at]) || (wg_copy_out)(k->inputs[at], wg_node_at(k->tape, x[at].node)->data))
            return;
    }
    if (!still_fails(k, x))
        return;
    int tried = 0;
    for (int at = 0; at < k->n; at++)
        for (int64_t i = 0; i < wg_size(x[at]) && tried < MOST; i++, tried++)
            element_shrunk(k, x, at, i);
    inputs_put(k, x);
}
