/* Which operand elements each output element of a linear call is made of, found by running the operation itself on
 * numbers that tell where they come from; in float64, whatever the call's dtype. Three ways, the cheapest that fits:
 *
 *   each output takes one element (concat, take, pad): 1, the element's number, and a random number are sent through.
 *   The first gives the coefficient, the second the element, the third confirms it;
 *   each element is given to one output (sum, mean, segment_sum): the same, backward;
 *   else blocks of elements are halved again and again. Blocks that share no output have one colour, and all left
 *   halves of a colour are sent through at once, then all right halves: what moves, depends. An output that random
 *   numbers do not move does not depend. */
#include "graph/pattern.h"
#include "graph/traverse.h"

#include "wengert/elementwise.h"

#define MOST_COLORS 32 /* blocks in a row beyond which they are not halved any more */

typedef struct {
    const wg_call *c;
    int output, first, n;
    int64_t rows, columns;
    wg_tensor *in, *out; /* the call run again */
    double *column, *row; /* what is sent through and what comes: [columns], [rows] */
} probe;

/* In [1, 2), from an element's number: a hash (splitmix64, Steele et al. 2014). */
static double random_of(int64_t i)
{
    uint64_t z = ((uint64_t)i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return 1 + (double)((z ^ z >> 31) >> 12) * 0x1p-52;
}

static bool takes_part(const wg_call *c, int i)
{
    return wg_is_tensor(c->in[i]) && wg_is_float(c->x[i].dtype) && wg_vjp_of(c->op, i);
}

/* An operand in float64: of the probed ones, `values`; of the others of a call linear in all, zeros, of one linear in
 * each, random numbers; any other is taken as it is. */
static wg_tensor operand(const probe *p, int i, const double *values)
{
    const wg_call *c = p->c;
    if (!takes_part(c, i))
        return wg_is_tensor(c->in[i]) && wg_is_float(c->x[i].dtype) ? wg_cast(c->in[i], .dtype = WG_FLOAT64) : c->in[i];
    wg_type type = c->x[i];
    type.dtype = WG_FLOAT64;
    wg_tensor t = wg_leaf(c->tape, &type, NULL, 0, c->op->name);
    if (!wg_is_tensor(t))
        return t;
    double *data = wg_node_at(c->tape, t.node)->data;
    int64_t n = wg_type_count(&type);
    if (i >= p->first && i < p->first + p->n)
        memcpy(data, values, (size_t)n * sizeof *data);
    else if (c->op->linear == WG_SEPARATELY)
        for (int64_t k = 0; k < n; k++)
            data[k] = random_of(k + 7919 * (i + 1));
    return t;
}

/* The operation of p->column, recorded. */
static wg_status run_again(const probe *p)
{
    const wg_call *c = p->c;
    const double *values = p->column;
    for (int i = 0; i < c->n_in; i++) {
        p->in[i] = operand(p, i, values);
        if (wg_is_invalid(p->in[i]))
            return c->tape->status;
        if (i >= p->first && i < p->first + p->n && wg_is_tensor(c->in[i]))
            values += wg_type_count(&c->x[i]);
    }
    return wg_record_on(c->tape, c->op, c->options, p->in, c->n_in, p->out, c->n_out);
}

static wg_status forward(const probe *p)
{
    wg_aside aside = wg_aside_begin(p->c->tape);
    wg_status status = run_again(p);
    if (!status)
        status = wg_copy_out(p->out[p->output], p->row);
    wg_aside_end(p->c->tape, aside);
    return status;
}

/* p->row pulled back to p->column. */
static wg_status backward(const probe *p)
{
    const wg_call *c = p->c;
    wg_aside aside = wg_aside_begin(c->tape);
    int no_grad = c->tape->no_grad;
    c->tape->no_grad = 0;
    memset(p->column, 0, (size_t)p->columns * sizeof *p->column);
    wg_status status = run_again(p);
    wg_type type = c->y[p->output];
    type.dtype = WG_FLOAT64;
    wg_tensor g = status ? WG_INVALID : wg_leaf(c->tape, &type, p->row, WG_NODE_CUT, c->op->name);
    wg_tensor *pulled = wg_arena(c->tape, (size_t)p->n * sizeof *pulled);
    if (!status && (!pulled || !wg_is_tensor(g)))
        status = wg_no_memory(c->tape, c->op->name, (size_t)p->n * sizeof *pulled);
    if (!status)
        status = wg_vjp(&p->out[p->output], &g, 1, p->in + p->first, p->n, pulled);
    double *to = p->column;
    for (int i = 0; i < p->n && !status; i++) {
        if (!wg_is_tensor(c->in[p->first + i]))
            continue;
        if (takes_part(c, p->first + i))
            status = wg_copy_out(pulled[i], to);
        to += wg_type_count(&c->x[p->first + i]);
    }
    c->tape->no_grad = no_grad;
    wg_aside_end(c->tape, aside);
    return status;
}

/* ---- One element each -------------------------------------------------------------------------------------------- */
/* Sends ones, numbers and random numbers one way: taken[i] is what arrived at i came from, -1 for nothing. *fits:
 * nowhere did more than one arrive. */
static wg_status trace(const probe *p, wg_status (*send)(const probe *), double *sent, int64_t n_sent,
                       const double *came, int64_t n_came, double *scale, int64_t *taken, bool *fits)
{
    for (int64_t i = 0; i < n_sent; i++)
        sent[i] = 1;
    wg_status status = send(p);
    memcpy(scale, came, (size_t)n_came * sizeof *scale);
    for (int64_t i = 0; i < n_sent; i++)
        sent[i] = (double)(i + 1);
    if (!status)
        status = send(p);
    for (int64_t i = 0; i < n_came; i++) {
        double number = scale[i] != 0 ? rint(came[i] / scale[i]) : 0; /* a NaN is no number in range */
        taken[i] = number >= 1 && number <= (double)n_sent ? (int64_t)number - 1 : -1;
    }
    for (int64_t i = 0; i < n_sent; i++)
        sent[i] = random_of(i);
    if (!status)
        status = send(p);
    *fits = true;
    for (int64_t i = 0; i < n_came && *fits; i++)
        *fits = taken[i] < 0 ? came[i] == 0 && scale[i] == 0
                             : fabs(came[i] - scale[i] * random_of(taken[i])) <= 0x1p-50 * fabs(came[i]);
    return status;
}

static wg_pattern *pattern_of_taken(const probe *p, const int64_t *taken, bool turned)
{
    int64_t n = turned ? p->columns : p->rows;
    wg_tape *tape = p->c->tape;
    int64_t *at = wg_room_new(tape, 2 * n, sizeof *at), count = 0;
    if (!at)
        return NULL;
    int64_t *from = at + n;
    for (int64_t i = 0; i < n; i++)
        if (taken[i] >= 0) {
            at[count] = i;
            from[count++] = taken[i];
        }
    wg_pattern *made = wg_pattern_entries(tape, p->rows, p->columns, count, turned ? from : at, turned ? at : from);
    wg_room_free(tape, at);
    return made;
}

static wg_pattern *one_each(const probe *p, bool turned, wg_status *status)
{
    wg_tape *tape = p->c->tape;
    int64_t n = turned ? p->columns : p->rows;
    double *scale = wg_room_new(tape, n, sizeof *scale);
    int64_t *taken = wg_room_new(tape, n, sizeof *taken);
    bool fits = false;
    wg_pattern *made = NULL;
    if (!scale || !taken)
        *status = wg_no_memory(tape, p->c->op->name, (size_t)n * sizeof *scale);
    else if (turned)
        *status = trace(p, backward, p->row, p->rows, p->column, p->columns, scale, taken, &fits);
    else
        *status = trace(p, forward, p->column, p->columns, p->row, p->rows, scale, taken, &fits);
    if (!*status && fits && !(made = pattern_of_taken(p, taken, turned)))
        *status = wg_no_memory(tape, p->c->op->name, (size_t)n * sizeof *taken);
    wg_room_free(tape, scale);
    wg_room_free(tape, taken);
    return made;
}

/* ---- Blocks, halved ---------------------------------------------------------------------------------------------- */
/* Columns of block b of `blocks`. */
static int64_t block_start(const probe *p, int64_t b, int64_t size)
{
    return b * size < p->columns ? b * size : p->columns;
}

static void send_half(const probe *p, const int32_t *color, int32_t now, int half, int64_t blocks, int64_t size)
{
    memset(p->column, 0, (size_t)p->columns * sizeof *p->column);
    for (int64_t b = 0; b < blocks; b++) {
        if (color[b] != now)
            continue;
        int64_t begin = block_start(p, 2 * b + half, size), end = block_start(p, 2 * b + half + 1, size);
        for (int64_t j = begin; j < end; j++)
            p->column[j] = random_of(j);
    }
}

/* Entries of `blocks` whose left or right half was seen to move its row: bit 1, bit 2. */
static wg_status halves_seen(const probe *p, const wg_pattern *blocks, const int32_t *color, int colors, int64_t size,
                             unsigned char *seen)
{
    for (int now = 0; now < colors; now++)
        for (int half = 0; half < 2; half++) {
            send_half(p, color, now, half, blocks->columns, size);
            wg_status status = forward(p);
            if (status)
                return status;
            for (int64_t r = 0; r < p->rows; r++) {
                if (p->row[r] == 0)
                    continue;
                for (int64_t k = blocks->start[r]; k < blocks->start[r + 1]; k++)
                    if (color[blocks->index[k]] == now)
                        seen[k] |= (unsigned char)(1 << half);
            }
        }
    return WG_OK;
}

static wg_pattern *halved(const probe *p, const wg_pattern *blocks, const unsigned char *seen, int64_t n)
{
    int64_t *mark = wg_room_new(p->c->tape, n, sizeof *mark);
    if (!mark)
        return NULL;
    wg_weave w = wg_weave_begin(p->c->tape, p->rows, n, mark, 0);
    for (int64_t r = 0; r < p->rows && !w.failed; r++) {
        for (int64_t k = blocks->start[r]; k < blocks->start[r + 1]; k++)
            for (int half = 0; half < 2; half++)
                if (seen[k] & 1 << half)
                    wg_weave_add(&w, &blocks->index[k], 1, blocks->index[k] + half);
        wg_weave_row(&w);
    }
    wg_room_free(p->c->tape, mark);
    return wg_weave_end(&w);
}

/* One level down, from blocks of 2 size to blocks of size; NULL and *status: an error, NULL alone: too many colours. */
static wg_pattern *level_down(const probe *p, const wg_pattern *blocks, int64_t size, int64_t n, wg_status *status)
{
    wg_tape *tape = p->c->tape;
    wg_pattern *t = wg_pattern_transposed(tape, blocks), *down = NULL;
    int32_t *color = wg_room_new(tape, blocks->columns, sizeof *color);
    unsigned char *seen = wg_room_new(tape, wg_pattern_count(blocks), 1);
    int colors = t && color && seen ? wg_color_columns(tape, blocks, t, NULL, true, color) : -1;
    if (colors >= 0 && colors <= MOST_COLORS) {
        *status = halves_seen(p, blocks, color, colors, size, seen);
        down = *status ? NULL : halved(p, blocks, seen, n);
    }
    if (colors < 0 || (colors <= MOST_COLORS && !down && !*status))
        *status = wg_no_memory(tape, p->c->op->name, (size_t)wg_pattern_count(blocks));
    wg_pattern_free(tape, t);
    wg_room_free(tape, color);
    wg_room_free(tape, seen);
    return down;
}

/* Blocks written out as their columns; where every row has all of them, once. */
static wg_pattern *unblocked(const probe *p, const wg_pattern *blocks, int64_t size)
{
    wg_tape *tape = p->c->tape;
    bool all = p->rows > 0 && wg_pattern_count(blocks) == p->rows * blocks->columns;
    int64_t rows = all ? 1 : p->rows, *mark = wg_room_new(tape, p->columns, sizeof *mark);
    if (!mark)
        return NULL;
    wg_weave w = wg_weave_begin(tape, rows, p->columns, mark, 0);
    for (int64_t r = 0; r < rows && !w.failed; r++) {
        for (int64_t k = blocks->start[r]; k < blocks->start[r + 1]; k++)
            for (int64_t j = block_start(p, blocks->index[k], size); j < block_start(p, blocks->index[k] + 1, size);
                 j++)
                wg_weave_add(&w, &j, 1, 0);
        wg_weave_row(&w);
    }
    wg_room_free(tape, mark);
    wg_pattern *made = wg_weave_end(&w);
    if (made) {
        made->uniform = all;
        made->rows = p->rows;
    }
    return made;
}

static wg_pattern *by_halving(const probe *p, wg_status *status)
{
    wg_tape *tape = p->c->tape;
    int64_t size = 1, zero = 0;
    while (size < p->columns)
        size *= 2;
    int64_t *mark = wg_room_new(tape, 1, sizeof *mark);
    if (!mark)
        return NULL;
    wg_weave w = wg_weave_begin(tape, p->rows, 1, mark, 0);
    for (int64_t r = 0; r < p->rows && !w.failed; r++) {
        wg_weave_add(&w, &zero, 1, 0);
        wg_weave_row(&w);
    }
    wg_pattern *blocks = wg_weave_end(&w);
    wg_room_free(tape, mark);
    while (blocks && size > 1) {
        wg_pattern *down = level_down(p, blocks, size / 2, (p->columns - 1) / (size / 2) + 1, status);
        if (!down)
            break;
        wg_pattern_free(tape, blocks);
        blocks = down;
        size /= 2;
    }
    wg_pattern *made = blocks && !*status ? unblocked(p, blocks, size) : NULL;
    wg_pattern_free(tape, blocks);
    return made;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
static wg_pattern *found(const probe *p, wg_status *status)
{
    wg_pattern *made = one_each(p, false, status);
    if (!made && !*status)
        made = one_each(p, true, status);
    if (!made && !*status)
        made = by_halving(p, status);
    return made;
}

wg_pattern *wg_linear_pattern(const wg_call *c, int output, int first, int n)
{
    probe p = {.c = c, .output = output, .first = first, .n = n, .rows = wg_type_count(&c->y[output])};
    for (int i = first; i < first + n; i++)
        p.columns += wg_is_tensor(c->in[i]) ? wg_type_count(&c->x[i]) : 0;
    wg_aside aside = wg_aside_begin(c->tape);
    p.in = wg_arena(c->tape, (size_t)(c->n_in + 1) * sizeof *p.in);
    p.out = wg_arena(c->tape, (size_t)(c->n_out + 1) * sizeof *p.out);
    p.column = wg_arena_values(c->tape, (size_t)p.columns * sizeof *p.column);
    p.row = wg_arena_values(c->tape, (size_t)p.rows * sizeof *p.row);
    wg_pattern *made = NULL;
    wg_status status = WG_OK;
    if (p.in && p.out && p.column && p.row)
        made = p.rows && p.columns ? found(&p, &status) : wg_pattern_entries(c->tape, p.rows, p.columns, 0, NULL, NULL);
    wg_aside_end(c->tape, aside);
    if (!made && !status)
        wg_no_memory(c->tape, c->op->name, (size_t)(p.rows + p.columns) * sizeof *p.row);
    return made;
}
