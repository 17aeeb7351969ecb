/* Derivatives of recurrent networks as graph code, step by step: for derivatives that are recorded, and for
 * tangents. */
#include "ops/recurrent.h"

#include "core/tape.h"
#include "wengert/elementwise.h"
#include "wengert/products.h"
#include "wengert/shape.h"

#define GATES 4 /* at most */

/* One step: the gates before their activations, and the state (c of an LSTM, h of a GRU) before and after it. */
typedef struct {
    wg_tensor gate[GATES], before, after;
} moment;

static wg_tensor times(wg_tensor a, wg_tensor b) { return wg_multiply(a, b); }
static wg_tensor plus(wg_tensor a, wg_tensor b) { return wg_is_none(a) ? b : wg_is_none(b) ? a : wg_add(a, b); }

/* sigmoid'(a) and tanh'(a), right where they are small. */
static wg_tensor bell(wg_tensor a) { return times(wg_sigmoid(a), wg_sigmoid(wg_negative(a))); }
static wg_tensor tanh_slope(wg_tensor a) { return wg_multiply(bell(wg_multiply(a, 2)), 4); }

static wg_tensor operand(const wg_call *c, int i) { return wg_given(c, i) ? c->in[i] : WG_NONE; }
static wg_tensor tangent(const wg_call *c, int i) { return wg_given(c, i) ? c->t[i] : WG_NONE; }

static wg_tensor zeros(const wg_call *c, int64_t rows, int64_t columns)
{
    return wg_full(c->tape, c->dtype, WG_SHAPE(rows, columns), 0);
}
static wg_tensor or_zeros(const wg_call *c, const wg_network *n, wg_tensor x)
{
    return wg_is_none(x) ? zeros(c, n->batch, n->hidden) : x;
}

/* Rows of step t of [steps batch, ...]. */
static wg_tensor at_step(const wg_network *n, wg_tensor rows, int64_t t)
{
    return wg_narrow(rows, 0, t * n->batch, n->batch);
}
static wg_tensor column(const wg_network *n, wg_tensor x, int64_t k)
{
    return wg_narrow(x, 1, k * n->hidden, n->hidden);
}

wg_tensor wg_recurrent_rows(wg_tensor x, int64_t rows, int64_t n) { return wg_reshape(x, WG_SHAPE(rows, n)); }

wg_tensor wg_recurrent_before(const wg_call *c, const wg_network *n)
{
    wg_tensor h = c->in[n->h];
    if (n->steps == 0)
        return zeros(c, 0, n->hidden);
    if (n->steps == 1)
        return h;
    wg_tensor y = wg_narrow(c->out[0], 0, 0, n->steps - 1); /* what was after a step is before the next */
    return wg_concat(WG_TENSORS(h, wg_recurrent_rows(y, (n->steps - 1) * n->batch, n->hidden)));
}

/* ---- Gates ------------------------------------------------------------------------------------------------------- */
/* What x and h contribute, [batch, columns] both, as gates. */
static void gates_of(const wg_network *n, wg_tensor by_x, wg_tensor by_h, wg_tensor gate[GATES])
{
    if (n->cell == WG_CELL_GRU) {
        for (int k = 0; k < 2; k++)
            gate[k] = wg_add(column(n, by_x, k), column(n, by_h, k));
        gate[2] = column(n, by_h, 2);
        gate[3] = column(n, by_x, 2);
        return;
    }
    wg_tensor sum = wg_add(by_x, by_h);
    for (int k = 0; k < wg_cell_width(n->cell); k++)
        gate[k] = column(n, sum, k);
}

/* The gates' cotangents as those of the two contributions. */
static void contributions_of(const wg_network *n, const wg_tensor d[GATES], wg_tensor *by_x, wg_tensor *by_h)
{
    if (n->cell == WG_CELL_GRU) {
        *by_x = wg_concat(WG_TENSORS(d[0], d[1], d[3]), .axis = 1);
        *by_h = wg_concat(WG_TENSORS(d[0], d[1], d[2]), .axis = 1);
        return;
    }
    *by_x = *by_h = n->cell == WG_CELL_LSTM ? wg_concat(WG_TENSORS(d[0], d[1], d[2], d[3]), .axis = 1) : d[0];
}

/* All steps; NULL, and the error reported, where there is no memory. */
static moment *moments_of(const wg_call *c, const wg_network *n)
{
    int64_t rows = n->steps * n->batch;
    moment *m = wg_scratch(c, (size_t)n->steps * sizeof *m);
    wg_tensor x = wg_recurrent_rows(c->in[n->x], rows, n->in), h = wg_recurrent_before(c, n);
    wg_tensor by_x = wg_linear(x, c->in[n->w_ih], operand(c, n->b_ih));
    wg_tensor by_h = wg_linear(h, c->in[n->w_hh], operand(c, n->b_hh));
    wg_tensor cell = n->c < 0 ? WG_NONE : c->in[n->c];
    for (int64_t t = 0; m && t < n->steps; t++) {
        gates_of(n, at_step(n, by_x, t), at_step(n, by_h, t), m[t].gate);
        m[t].before = n->cell == WG_CELL_LSTM ? cell : at_step(n, h, t);
        if (n->cell == WG_CELL_LSTM)
            cell =
                wg_add(times(wg_sigmoid(m[t].gate[1]), cell), times(wg_sigmoid(m[t].gate[0]), wg_tanh(m[t].gate[2])));
        m[t].after = cell;
    }
    return m;
}

/* What a GRU's new gate is the tanh of. */
static wg_tensor fresh_of(const moment *m) { return wg_add(m->gate[3], times(wg_sigmoid(m->gate[0]), m->gate[2])); }

/* ---- Back through one step --------------------------------------------------------------------------------------- */
/* From the cotangents of h and the state after it to those of the gates and of the state before. */
static void lstm_back(const moment *m, wg_tensor dh, wg_tensor *dc, wg_tensor d[GATES])
{
    const wg_tensor *a = m->gate;
    wg_tensor dafter = wg_add(*dc, times(dh, times(wg_sigmoid(a[3]), tanh_slope(m->after))));
    d[0] = times(dafter, times(wg_tanh(a[2]), bell(a[0])));
    d[1] = times(dafter, times(m->before, bell(a[1])));
    d[2] = times(dafter, times(wg_sigmoid(a[0]), tanh_slope(a[2])));
    d[3] = times(dh, times(wg_tanh(m->after), bell(a[3])));
    *dc = times(dafter, wg_sigmoid(a[1]));
}

static void gru_back(const moment *m, wg_tensor dh, wg_tensor *rest, wg_tensor d[GATES])
{
    const wg_tensor *a = m->gate;
    wg_tensor sum = fresh_of(m);
    d[3] = times(dh, times(wg_sigmoid(wg_negative(a[1])), tanh_slope(sum)));
    d[0] = times(d[3], times(a[2], bell(a[0])));
    d[1] = times(dh, times(wg_subtract(m->before, wg_tanh(sum)), bell(a[1])));
    d[2] = times(d[3], wg_sigmoid(a[0]));
    *rest = times(dh, wg_sigmoid(a[1]));
}

/* Of one gate alone: by its slope, forward or back. */
static wg_tensor through_activation(const wg_network *n, wg_tensor a, wg_tensor d)
{
    return n->cell == WG_CELL_RELU ? wg_where(wg_greater(a, 0), d, 0) : times(d, tanh_slope(a));
}

static wg_tensor stacked(const wg_call *c, const wg_network *n, const wg_tensor *step)
{
    wg_tensors all = {step, (int)n->steps};
    return all.n ? wg_concat(all) : zeros(c, 0, n->columns);
}

void wg_recurrent_pull_recorded(const wg_call *c, const wg_network *n, wg_tensor shared[4])
{
    const moment *m = moments_of(c, n);
    wg_tensor *by_x = wg_scratch(c, 2 * (size_t)n->steps * sizeof *by_x), *by_h = by_x + n->steps;
    if (!m || !by_x)
        return;
    wg_tensor gy = n->sequence ? c->g[0] : WG_NONE, dh = or_zeros(c, n, c->g[n->sequence]);
    wg_tensor dc = n->c < 0 ? WG_NONE : or_zeros(c, n, c->g[n->sequence + 1]), w = wg_matrix_transpose(c->in[n->w_hh]);
    for (int64_t t = n->steps - 1; t >= 0; t--) {
        wg_tensor d[GATES], rest = WG_NONE;
        dh = wg_is_none(gy) ? dh : wg_add(dh, wg_select(gy, 0, t));
        if (n->cell == WG_CELL_LSTM)
            lstm_back(&m[t], dh, &dc, d);
        else if (n->cell == WG_CELL_GRU)
            gru_back(&m[t], dh, &rest, d);
        else
            d[0] = through_activation(n, m[t].gate[0], dh);
        contributions_of(n, d, &by_x[t], &by_h[t]);
        dh = plus(wg_matmul(by_h[t], w), rest);
    }
    shared[0] = stacked(c, n, by_x);
    shared[1] = stacked(c, n, by_h);
    shared[2] = dh;
    shared[3] = dc;
}

/* ---- Forward through one step ------------------------------------------------------------------------------------ */
static wg_tensor lstm_push(const moment *m, const wg_tensor t[GATES], wg_tensor *tc)
{
    const wg_tensor *a = m->gate;
    wg_tensor by_input = times(t[0], times(wg_tanh(a[2]), bell(a[0])));
    wg_tensor by_forget = times(t[1], times(m->before, bell(a[1])));
    wg_tensor by_cell = times(t[2], times(wg_sigmoid(a[0]), tanh_slope(a[2])));
    *tc = wg_add(wg_add(times(*tc, wg_sigmoid(a[1])), by_forget), wg_add(by_input, by_cell));
    return wg_add(times(t[3], times(wg_tanh(m->after), bell(a[3]))),
                  times(*tc, times(wg_sigmoid(a[3]), tanh_slope(m->after))));
}

static wg_tensor gru_push(const moment *m, const wg_tensor t[GATES], wg_tensor th)
{
    const wg_tensor *a = m->gate;
    wg_tensor sum = fresh_of(m), by_h = times(t[2], wg_sigmoid(a[0]));
    wg_tensor moved = wg_add(wg_add(t[3], by_h), times(t[0], times(a[2], bell(a[0]))));
    wg_tensor by_new = times(moved, times(wg_sigmoid(wg_negative(a[1])), tanh_slope(sum)));
    wg_tensor by_update = times(t[1], times(wg_subtract(m->before, wg_tanh(sum)), bell(a[1])));
    return wg_add(wg_add(by_new, by_update), times(th, wg_sigmoid(a[1])));
}

/* The tangent of x w + b, of `rows` rows; x's own is left out where it is absent. */
static wg_tensor linear_push(const wg_call *c, const wg_network *n, wg_tensor x, int w, int b, wg_tensor tx)
{
    wg_tensor tw = tangent(c, w), tb = tangent(c, b), sum = WG_NONE;
    if (!wg_is_none(tx))
        sum = wg_matmul(tx, c->in[w]);
    if (!wg_is_none(tw))
        sum = plus(sum, wg_matmul(x, tw));
    sum = wg_is_none(sum) ? zeros(c, n->steps * n->batch, n->columns) : sum;
    return plus(sum, tb);
}

void wg_recurrent_push(const wg_call *c, const wg_network *n, wg_tensor shared[4])
{
    int64_t rows = n->steps * n->batch;
    const moment *m = moments_of(c, n);
    wg_tensor *ty = wg_scratch(c, (size_t)n->steps * sizeof *ty);
    if (!m || !ty)
        return;
    wg_tensor tx = wg_is_none(c->t[n->x]) ? WG_NONE : wg_recurrent_rows(c->t[n->x], rows, n->in);
    wg_tensor by_x = linear_push(c, n, wg_recurrent_rows(c->in[n->x], rows, n->in), n->w_ih, n->b_ih, tx);
    wg_tensor by_h = linear_push(c, n, wg_recurrent_before(c, n), n->w_hh, n->b_hh, WG_NONE);
    wg_tensor th = or_zeros(c, n, c->t[n->h]), tc = n->c < 0 ? WG_NONE : or_zeros(c, n, c->t[n->c]);
    for (int64_t t = 0; t < n->steps; t++) {
        wg_tensor gate[GATES], own = wg_add(at_step(n, by_h, t), wg_matmul(th, c->in[n->w_hh]));
        gates_of(n, at_step(n, by_x, t), own, gate);
        if (n->cell == WG_CELL_LSTM)
            th = lstm_push(&m[t], gate, &tc);
        else if (n->cell == WG_CELL_GRU)
            th = gru_push(&m[t], gate, th);
        else
            th = through_activation(n, m[t].gate[0], gate[0]);
        ty[t] = th;
    }
    wg_tensors all = {ty, (int)n->steps};
    if (n->sequence)
        shared[0] = all.n ? wg_stack(all) : wg_full(c->tape, c->dtype, WG_SHAPE(0, n->batch, n->hidden), 0);
    shared[1] = th;
    shared[2] = tc;
}

/* ---- The value --------------------------------------------------------------------------------------------------- */
void wg_recurrent_formula(const wg_call *c, const wg_network *n, wg_tensor *out)
{
    wg_tensor x = wg_recurrent_rows(c->in[n->x], n->steps * n->batch, n->in), h = c->in[n->h];
    wg_tensor cell = n->c < 0 ? WG_NONE : c->in[n->c], *y = wg_scratch(c, (size_t)n->steps * sizeof *y);
    for (int64_t t = 0; y && t < n->steps; t++) {
        moment m = {.before = h};
        gates_of(n, wg_linear(at_step(n, x, t), c->in[n->w_ih], operand(c, n->b_ih)),
                 wg_linear(h, c->in[n->w_hh], operand(c, n->b_hh)), m.gate);
        if (n->cell == WG_CELL_LSTM) {
            wg_tensor fresh = times(wg_sigmoid(m.gate[0]), wg_tanh(m.gate[2]));
            cell = wg_add(times(wg_sigmoid(m.gate[1]), cell), fresh);
            h = times(wg_sigmoid(m.gate[3]), wg_tanh(cell));
        } else if (n->cell == WG_CELL_GRU) {
            wg_tensor fresh = wg_tanh(fresh_of(&m));
            h = wg_add(fresh, times(wg_sigmoid(m.gate[1]), wg_subtract(h, fresh)));
        } else {
            h = n->cell == WG_CELL_RELU ? wg_relu(m.gate[0]) : wg_tanh(m.gate[0]);
        }
        y[t] = h;
    }
    if (n->sequence && n->steps)
        out[0] = wg_stack(((wg_tensors){y, (int)n->steps}));
    out[n->sequence] = h;
    if (n->c >= 0)
        out[n->sequence + 1] = cell;
}
