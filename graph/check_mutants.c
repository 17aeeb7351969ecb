/* Would the check have noticed? One operation of the function at a time is made to pull its cotangent back wrongly, in
 * one way at a time, and the same check has to fail. The function itself is recorded as ever: only while its gradient
 * is taken are the nodes of one call those of another entry, which has the sound one's derivative, spoiled. */
#include "graph/checking.h"

#include "wengert/derivatives.h"

#define SAME 1e-13 /* relatively: no other gradient */

/* ---- What goes wrong --------------------------------------------------------------------------------------------- */
typedef struct {
    const char *says;
    double (*spoiled)(double d, double largest, bool last);
} fault;

static double flipped(double d, double largest, bool last)
{
    (void)largest, (void)last;
    return -d;
}
static double scaled(double d, double largest, bool last)
{
    (void)largest, (void)last;
    return 1.001 * d;
}
static double shifted(double d, double largest, bool last)
{
    (void)last;
    return d + 1e-6 * largest;
}
static double nothing(double d, double largest, bool last)
{
    (void)d, (void)largest, (void)last;
    return 0;
}
static double lost(double d, double largest, bool last)
{
    (void)largest;
    return last ? 0 : d;
}

static const fault faults[] = {{"the sign is flipped", flipped},
                               {"times 1.001", scaled},
                               {"a millionth of the largest is added", shifted},
                               {"zeros are given", nothing},
                               {"the last element is lost", lost}};
#define FAULTS (int)(sizeof faults / sizeof *faults)

/* ---- A mutant ---------------------------------------------------------------------------------------------------- */
struct wg_check_mutant {
    wg_op op; /* first: its rule finds the rest by its call's entry */
    const wg_op *sound;
    const fault *how;
    uint32_t call; /* which of the function's */
    int operand;
};

static void spoil(const fault *how, wg_node *d)
{
    wg_dtype dtype = (wg_dtype)d->dtype;
    size_t size = wg_dtype_size(dtype);
    double most = 0;
    int64_t n = wg_node_count(d);
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(wg_load_number(dtype, (const char *)d->data + (size_t)i * size)));
    for (int64_t i = 0; i < n; i++) {
        char *at = (char *)d->data + (size_t)i * size;
        wg_store_number(dtype, how->spoiled(wg_load_number(dtype, at), most, i == n - 1), at);
    }
}

/* The sound cotangents of all operands; that of one is spoiled. */
static wg_status spoiled_pull(const wg_call *c, const bool *wanted, wg_tensor *g)
{
    const struct wg_check_mutant *m = (const void *)c->op;
    wg_tensor *out = wg_scratch(c, (size_t)c->n_out * sizeof *out), *all = wg_scratch(c, (size_t)c->n_in * sizeof *all);
    if (!out || !all)
        return WG_ERROR_MEMORY;
    int no_grad = c->tape->no_grad;
    c->tape->no_grad = 0; /* it is recorded once more, though a plain pass is under way */
    wg_status status = (wg_record_on)(c->tape, m->sound, c->options, c->in, c->n_in, out, c->n_out);
    if (!status)
        status = (wg_vjp)(out, c->g, c->n_out, c->in, c->n_in, all, (wg_vjp_options){wg_vjp_defaults});
    c->tape->no_grad = no_grad;
    for (int i = 0; i < c->n_in && !status; i++)
        if (wanted[i] && wg_is_tensor(all[i])) {
            g[i] = all[i];
            if (i == m->operand)
                spoil(m->how, wg_node_at(c->tape, g[i].node));
        }
    return status;
}

/* Is it the first node of a call? Constants are leaves, which another recording may find made. */
static bool is_call(const wg_node *node) { return !wg_node_is(node, WG_NODE_LEAF) && !node->out; }

/* Of the call whose first node is `first`, of a graph whose first input is node `low`. */
static void mutant_make(struct wg_check_mutant *m, const wg_checking *k, uint32_t low, uint32_t first)
{
    const wg_node *node = wg_node_at(k->tape, first);
    *m = (struct wg_check_mutant){.op = *node->op, .sound = node->op};
    for (uint32_t i = low; i < first; i++)
        m->call += is_call(wg_node_at(k->tape, i));
    m->op.pull = spoiled_pull;
    m->op.map = NULL;
    m->op.share = NULL;
    memset(m->op.vjp, 0, sizeof m->op.vjp);
}

static void plant(const wg_checking *k, const wg_check_graph *graph, const wg_op *from, const wg_op *to)
{
    uint32_t i = graph->x[0].node, calls = 0;
    while (i < graph->y.node && calls + is_call(wg_node_at(k->tape, i)) <= k->mutant->call)
        calls += is_call(wg_node_at(k->tape, i++));
    for (uint32_t first = i; i < k->tape->nodes; i++) {
        wg_node *node = wg_node_at(k->tape, i);
        if (node->op != from || node->out != i - first)
            return;
        node->op = to;
    }
}

wg_status wg_check_pull(const wg_checking *k, const wg_check_graph *graph, wg_tensor u, wg_tensor *grad)
{
    const struct wg_check_mutant *m = k->mutant;
    if (m)
        plant(k, graph, m->sound, &m->op);
    wg_status status = (wg_grad)(graph->y, graph->x, k->n, grad, (wg_grad_options){.cotangent = u});
    if (m)
        plant(k, graph, &m->op, m->sound);
    return status;
}

/* ---- Is it noticed? ---------------------------------------------------------------------------------------------- */
typedef enum { EQUAL, NOTICED, MISSED } fate;

static bool differs(const wg_checking *k, const wg_tensor *grad, double *const *sound)
{
    double size = 0, off = 0;
    for (int i = 0; i < k->n; i++)
        for (int64_t j = 0, n = wg_size(grad[i]); j < n; j++) {
            double d = (wg_element)(grad[i], j), s = sound[i][j];
            size = fmax(size, fabs(s));
            off = d == s ? off : fmax(off, isfinite(d - s) ? fabs(d - s) : (double)INFINITY);
        }
    return off > SAME * size;
}

static fate fate_of(wg_checking k, double *const *sound)
{
    wg_mark before = wg_tape_mark(k.tape);
    wg_check_graph graph;
    wg_tensor u, grad[WG_CHECK_INPUTS];
    fate found = wg_check_gradient(&k, &graph, &u, grad) && differs(&k, grad, sound) ? MISSED : EQUAL;
    wg_rewind(k.tape, before);
    if (found == MISSED) {
        uint64_t seed = k.seed;
        *k.report = (wg_check_report){.n = k.n, .seed = seed};
        wg_check_run(&k, &graph);
        found = wg_check_failed(k.report) ? NOTICED : MISSED;
        wg_rewind(k.tape, before);
    }
    wg_clear_error(k.tape);
    return found;
}

static void escaped(wg_check_mutants_report *r, const wg_checking *k, uint32_t index, int operand, const char *says)
{
    char place[128];
    if (r->n == WG_CHECK_ESCAPES)
        return;
    wg_check_escape *e = &r->escape[r->n++];
    const wg_op *op = wg_node_at(k->tape, index)->op;
    wg_place_text(k->tape, wg_node_at(k->tape, index)->place, place, sizeof place);
    snprintf(e->operation, sizeof e->operation, "%s%s%s%s", op->name, *place ? " (" : "", place, *place ? ")" : "");
    snprintf(e->operand, sizeof e->operand, "%s", wg_operand_name(op, operand));
    e->fault = says;
}

/* All mutants of the derivative by one operand of the call that recorded node `index`. */
static void operand_tried(const wg_checking *k, struct wg_check_mutant *m, uint32_t index, double *const *sound,
                          wg_check_mutants_report *r)
{
    int equal = 0;
    for (int f = 0; f < FAULTS; f++) {
        m->how = &faults[f];
        wg_checking own = *k;
        own.mutant = m;
        fate found = fate_of(own, sound);
        r->mutants += found != EQUAL;
        r->noticed += found == NOTICED;
        equal += found == EQUAL;
        if (found == MISSED)
            escaped(r, k, index, m->operand, m->how->says);
    }
    r->unseen += equal == FAULTS;
    if (equal == FAULTS)
        escaped(r, k, index, m->operand, NULL);
}

static void calls_tried(const wg_checking *k, const wg_stretch *s, double *const *sound, wg_check_mutants_report *r)
{
    uint32_t last = UINT32_MAX; /* of several outputs of a call the last is met first */
    for (uint32_t i = s->high; i > s->low; i--) {
        const wg_node *node = wg_node_at(k->tape, i);
        uint32_t first = i - node->out;
        if (!wg_check_is_on_the_way(s, i) || first == last || node->op->random || !wg_is_float((wg_dtype)node->dtype))
            continue;
        last = first;
        r->operations++;
        struct wg_check_mutant m;
        mutant_make(&m, k, s->low, first);
        const uint32_t *in = wg_node_in(node);
        for (m.operand = 0; m.operand < node->n_in; m.operand++)
            if (wg_stretch_operand(s, in, m.operand) != WG_ABSENT && wg_differentiates(m.sound, m.operand))
                operand_tried(k, &m, i, sound, r);
    }
}

static bool copied(const wg_checking *k, const wg_tensor *grad, double **sound)
{
    for (int i = 0; i < k->n; i++)
        if (!(sound[i] = wg_check_doubles(k->tape, grad[i])))
            return false;
    return true;
}

wg_check_mutants_report(wg_check_mutants)(wg_check_function *f, const wg_tensor *inputs, int n,
                                          wg_check_grad_options options)
{
    wg_check_mutants_report r = {0};
    options.shrink = false;
    wg_check_report report = (wg_check_grad)(f, inputs, n, options);
    if (report.failed) {
        snprintf(r.message, sizeof r.message, "%s", *report.message ? report.message : "the check fails without any");
        return r;
    }
    wg_tape *tape = inputs[0].tape;
    wg_checking k = {
        .tape = tape, .f = f, .o = &options, .inputs = inputs, .n = n, .seed = report.seed, .report = &report};
    wg_mark before = wg_tape_mark(tape);
    wg_check_graph graph;
    wg_tensor u, grad[WG_CHECK_INPUTS];
    double *sound[WG_CHECK_INPUTS];
    wg_stretch s;
    if (wg_check_gradient(&k, &graph, &u, grad) && copied(&k, grad, sound) && wg_check_way(&k, &graph, &s))
        calls_tried(&k, &s, sound, &r);
    else
        snprintf(r.message, sizeof r.message, "no memory");
    wg_clear_error(tape);
    wg_rewind(tape, before);
    return r;
}

void wg_check_mutants_print(const wg_check_mutants_report *report, FILE *file)
{
    if (!report || !file)
        return;
    if (*report->message) {
        fprintf(file, "mutants could not be made: %s\n", report->message);
        return;
    }
    fprintf(file, "%d mutants of %d operations: %d noticed, %d not\n", report->mutants, report->operations,
            report->noticed, report->mutants - report->noticed);
    for (int i = 0; i < report->n; i++)
        fprintf(file, "  %s, by `%s`: %s\n", report->escape[i].operation, report->escape[i].operand,
                report->escape[i].fault ? report->escape[i].fault
                                        : "its derivative does not matter at these inputs, right or wrong");
}
