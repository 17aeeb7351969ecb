/* What data show apart from any network: their scale, which classes there are, and whether samples of one label look
 * alike, or would with the label of their neighbour. */
#include "graph/diagnosis.h"

enum {
    COLUMNS = 64,
    SAMPLES = 4096,
    ALIKE = 4
}; /* looked at; samples a class, at least, for its mean to say something */

static double number_at(const wg_type *type, const wg_node *node, int64_t i)
{
    unsigned char one[8];
    wg_gather_range(type, wg_node_stride(node), node->data, i, 1, one);
    return wg_load_number(type->dtype, one);
}

/* ---- Scale ------------------------------------------------------------------------------------------------------- */
/* The column with the largest root mean square, of [n, columns]. */
static void columns_seen(wg_watched_input *in, const wg_node *node)
{
    wg_type type = wg_node_type(node);
    if (type.rank != 2 || !wg_node_is(node, WG_NODE_CONTIGUOUS))
        return;
    in->columns = type.dim[1];
    for (int64_t column = 0; column < type.dim[1]; column++) {
        double sum = 0;
        for (int64_t row = 0; row < type.dim[0]; row++) {
            int64_t at = row * type.dim[1] + column;
            double v = type.dtype == WG_FLOAT32 ? ((const float *)node->data)[at] : ((const double *)node->data)[at];
            sum += v * v;
        }
        double rms = sqrt(sum / (double)type.dim[0]);
        if (rms > in->column_rms) {
            in->column_rms = rms;
            in->column = column;
        }
    }
}

void wg_see_input(wg_diagnosis *d, const wg_node *node, const char *name, const char *place, bool target)
{
    int i = 0;
    while (i < d->n_inputs && (strcmp(d->input[i].name, name) || strcmp(d->input[i].place, place)))
        i++;
    if (i == WG_WATCHED_INPUTS)
        return;
    wg_watched_input *in = &d->input[i];
    if (i == d->n_inputs) {
        d->n_inputs++;
        in->low = (double)INFINITY;
        in->high = -(double)INFINITY;
        in->target = target;
        snprintf(in->name, sizeof in->name, "%s", name);
        snprintf(in->place, sizeof in->place, "%s", place);
    }
    wg_statistics s;
    wg_measure(node, &s);
    if (!s.n || s.nan || s.infinite)
        return;
    in->steps++;
    in->rms = fmax(in->rms, s.norm / sqrt((double)s.n));
    in->low = fmin(in->low, s.low);
    in->high = fmax(in->high, s.high);
    columns_seen(in, node);
}

/* ---- Classes ----------------------------------------------------------------------------------------------------- */
void wg_see_labels(wg_diagnosis *d, const wg_node *y, int64_t classes, const char *name)
{
    wg_watched_labels *l = &d->labels;
    wg_type type = wg_node_type(y);
    if (!l->count && classes > 0 && classes < (1 << 24)) {
        l->count = wg_tape_allocate(d->tape, (size_t)classes * sizeof *l->count);
        l->classes = classes;
        snprintf(l->name, sizeof l->name, "%s", name);
    }
    if (!l->count || l->classes != classes)
        return;
    for (int64_t i = 0, n = wg_node_count(y); i < n; i++) {
        double v = number_at(&type, y, i);
        if (v >= 0 && v < (double)classes) {
            l->count[(int64_t)v]++;
            l->n++;
        }
    }
}

/* ---- Samples and their labels ------------------------------------------------------------------------------------ */
typedef struct {
    const wg_node *x, *y;
    wg_type x_type, y_type;
    int64_t n, width, classes;
    int64_t *label;      /* [n] */
    double *sum, *count; /* of a column, by class */
} pairing;

/* The part of a column's variance that lies between the classes, with labels taken `shift` samples further on. */
static double between(const pairing *p, const double *column, int64_t shift)
{
    double mean = 0, total = 0, part = 0;
    memset(p->sum, 0, (size_t)p->classes * sizeof *p->sum);
    memset(p->count, 0, (size_t)p->classes * sizeof *p->count);
    for (int64_t i = 0; i < p->n; i++)
        mean += column[i] / (double)p->n;
    for (int64_t i = 0; i < p->n; i++) {
        int64_t k = p->label[(i + shift + p->n) % p->n];
        total += (column[i] - mean) * (column[i] - mean);
        p->sum[k] += column[i] - mean;
        p->count[k]++;
    }
    for (int64_t k = 0; k < p->classes; k++)
        part += p->count[k] > 0 ? p->sum[k] * p->sum[k] / p->count[k] : 0;
    return total > 0 ? part / total : 0;
}

static void pairs_compared(wg_watched_labels *l, const pairing *p, double *column)
{
    const int64_t shift[WG_SHIFTS] = {0, -1, 1, p->n / 2};
    double part[WG_SHIFTS] = {0};
    int64_t columns = p->width < COLUMNS ? p->width : COLUMNS, used = 0;
    for (int64_t k = 0; k < columns; k++) {
        int64_t at = (int64_t)((double)k * (double)p->width / (double)columns);
        for (int64_t i = 0; i < p->n; i++)
            column[i] = number_at(&p->x_type, p->x, i * p->width + at);
        double own = between(p, column, 0);
        if (!isfinite(own))
            continue;
        used++;
        part[0] += own;
        for (int s = 1; s < WG_SHIFTS; s++)
            part[s] += between(p, column, shift[s]);
    }
    if (!used)
        return;
    l->pairs++;
    for (int s = 0; s < WG_SHIFTS; s++)
        l->apart[s] += part[s] / (double)used;
}

void wg_see_pairs(wg_diagnosis *d, const wg_node *x, const wg_node *y)
{
    pairing p = {.x = x, .y = y, .x_type = wg_node_type(x), .y_type = wg_node_type(y), .classes = d->labels.classes};
    p.n = wg_node_count(y);
    if (p.y_type.rank != 1 || p.x_type.rank < 2 || p.x_type.dim[0] != p.n || p.classes < 2 || p.n < ALIKE * p.classes)
        return;
    p.width = wg_node_count(x) / p.n;
    p.n = p.n < SAMPLES ? p.n : SAMPLES;
    wg_arena_mark before = wg_arena_at(d->tape);
    double *room = wg_arena(d->tape, (size_t)(p.n + 2 * p.classes) * sizeof *room);
    p.label = room ? wg_arena(d->tape, (size_t)p.n * sizeof *p.label) : NULL;
    bool fine = p.label;
    for (int64_t i = 0; fine && i < p.n; i++) {
        double v = number_at(&p.y_type, y, i);
        fine = v >= 0 && v < (double)p.classes;
        p.label[i] = fine ? (int64_t)v : 0;
    }
    p.sum = room ? room + p.n : NULL;
    p.count = room ? p.sum + p.classes : NULL;
    if (fine)
        pairs_compared(&d->labels, &p, room);
    wg_arena_back(d->tape, before);
}
