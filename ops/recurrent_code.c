/* The C of recurrent networks: the steps in order, each row of the batch by itself. A row of the gates is made of the
 * biases, of what x and of what h before it give it, and the step's text does the rest; back, the same from the last
 * step to the first. */
#include "ops/code.h"
#include "ops/recurrent.h"

static void sizes_c(wg_code *w, wg_cell cell, int64_t steps, int64_t batch, int64_t hidden)
{
    wg_code_size(w, "steps", steps);
    wg_code_size(w, "batch", batch);
    wg_code_size(w, "n", hidden);
    wg_code_size(w, "columns", wg_cell_columns(cell) * hidden);
    wg_code_size(w, "width", wg_cell_width(cell) * hidden);
}

/* ---- Forward ----------------------------------------------------------------------------------------------------- */
/* h after the step from its gates a, and c, where there is one. */
static const char *const step_text[] = {
    [WG_CELL_TANH] = WG_C(for (int j = 0; j < n; j++) after[j] = tanh(a[j]);),
    [WG_CELL_RELU] = WG_C(for (int j = 0; j < n; j++) after[j] = a[j] < 0 ? 0 : a[j];),
    [WG_CELL_LSTM] = WG_C(
        const T *old = t == 0 ? c + i * n : cells + ((t - 1) * batch + i) * n;
        T *kept = cells + (t * batch + i) * n;
        for (int j = 0; j < n; j++) {
            kept[j] = sigmoid(a[n + j]) * old[j] + sigmoid(a[j]) * tanh(a[2 * n + j]);
            after[j] = sigmoid(a[3 * n + j]) * tanh(kept[j]);
        }),
    [WG_CELL_GRU] = WG_C(for (int j = 0; j < n; j++) {
        const T fresh = tanh(a[3 * n + j] + sigmoid(a[j]) * a[2 * n + j]);
        after[j] = sigmoid(-a[n + j]) * fresh + sigmoid(a[n + j]) * before[j];
    }),
};

/* Of a GRU's new gate, the part by x lies behind that by h: `apart`. */
static void gates_c(const wg_call *c, wg_code *w, const wg_network *net)
{
    wg_code_text(w, WG_C(for (int k = 0; k < width; k++) a[k] = 0;));
    if (wg_given(c, net->b_ih))
        wg_code_text(w, WG_C(for (int k = 0; k < columns; k++) a[k < 2 * n ? k : k + apart] += b_ih[k];));
    if (wg_given(c, net->b_hh))
        wg_code_text(w, WG_C(for (int k = 0; k < columns; k++) a[k] += b_hh[k];));
    if (net->in)
        wg_code_text(w, WG_C(for (int l = 0; l < in; l++) for (int k = 0; k < columns; k++)
            a[k < 2 * n ? k : k + apart] += x[(t * batch + i) * in + l] * w_ih[l * columns + k];));
    wg_code_text(w, WG_C(for (int l = 0; l < n; l++) for (int k = 0; k < columns; k++)
        a[k] += before[l] * w_hh[l * columns + k];));
}

wg_status wg_recurrent_c(const wg_call *c, wg_code *w, const wg_network *net)
{
    bool own = net->c >= 0;
    sizes_c(w, net->cell, net->steps, net->batch, net->hidden);
    wg_code_size(w, "in", net->in);
    wg_code_size(w, "apart", net->cell == WG_CELL_GRU ? net->hidden : 0);
    wg_code_word(w, "EVERY_H", wg_code_output(c, 0));
    wg_code_for(w, "t", net->steps);
    wg_code_for(w, "i", net->batch);
    wg_code_text(w, WG_C(
        T *a = gates + (t * batch + i) * width; T *after = EVERY_H + (t * batch + i) * n;
        const T *before = t == 0 ? h + i * n : EVERY_H + ((t - 1) * batch + i) * n;));
    gates_c(c, w, net);
    wg_code_text(w, step_text[net->cell]);
    wg_code_end(w);
    wg_code_end(w);
    if (net->sequence)
        wg_code_text(w, net->steps ? WG_C(for (int j = 0; j < batch * n; j++)
            next_h[j] = y[(steps - 1) * batch * n + j];) : WG_C(for (int j = 0; j < batch * n; j++) next_h[j] = h[j];));
    if (own)
        wg_code_text(w, net->steps ? WG_C(for (int j = 0; j < batch * n; j++)
            next_c[j] = cells[(steps - 1) * batch * n + j];) : WG_C(for (int j = 0; j < batch * n; j++)
            next_c[j] = c[j];));
    w->n_words = 0;
    return w->status;
}

/* ---- Backward ---------------------------------------------------------------------------------------------------- */
/* The gates' cotangents d of row i, from those of h and c, dh_i and dc_i, of which the latter becomes that before the
 * step; of a GRU, it becomes what of dh passes by the gates. The slope of tanh(x) is 4 bell(2 x). */
static const char *const back_text[] = {
    [WG_CELL_TANH] = WG_C(for (int j = 0; j < n; j++) d[j] = dh_i[j] * (4 * bell(2 * a[j]));),
    [WG_CELL_RELU] = WG_C(for (int j = 0; j < n; j++) d[j] = a[j] > 0 ? dh_i[j] : 0;),
    [WG_CELL_LSTM] = WG_C(const T *after = states + (t * batch + i) * n; for (int j = 0; j < n; j++) {
        const T both = dc_i[j] + dh_i[j] * sigmoid(a[3 * n + j]) * (4 * bell(2 * after[j]));
        d[j] = both * tanh(a[2 * n + j]) * bell(a[j]);
        d[n + j] = both * before[j] * bell(a[n + j]);
        d[2 * n + j] = both * sigmoid(a[j]) * (4 * bell(2 * a[2 * n + j]));
        d[3 * n + j] = dh_i[j] * tanh(after[j]) * bell(a[3 * n + j]);
        dc_i[j] = both * sigmoid(a[n + j]);
    }),
    [WG_CELL_GRU] = WG_C(for (int j = 0; j < n; j++) {
        const T reset = sigmoid(a[j]); const T sum = a[3 * n + j] + reset * a[2 * n + j];
        const T fresh = dh_i[j] * sigmoid(-a[n + j]) * (4 * bell(2 * sum));
        d[j] = fresh * a[2 * n + j] * bell(a[j]);
        d[n + j] = dh_i[j] * (before[j] - tanh(sum)) * bell(a[n + j]);
        d[2 * n + j] = fresh * reset;
        d[3 * n + j] = fresh;
        dc_i[j] = dh_i[j] * sigmoid(a[n + j]);
    }),
};

wg_status wg_recurrent_pull_c(const wg_call *c, wg_code *w, wg_cell cell)
{
    enum { GATES, W_HH, STATE, STATES, GY, GH, GC };
    sizes_c(w, cell, c->x[GATES].dim[0], c->x[GATES].dim[1], c->x[W_HH].dim[0]);
    wg_code_word(w, "FIRST_H", wg_given(c, GH) ? "gh[j]" : "0");
    wg_code_word(w, "FIRST_C", wg_given(c, GC) ? "gc[j]" : "0");
    wg_code_word(w, "REST", cell == WG_CELL_GRU ? "dc_i[j]" : "0");
    wg_code_word(w, "BEFORE", wg_given(c, STATES) ? "t > 0 ? states + ((t - 1) * batch + i) * n : state + i * n"
                                                  : "state + i * n");
    wg_code_text(w, WG_C(for (int j = 0; j < batch * n; j++) { dh[j] = FIRST_H; dc[j] = FIRST_C; }));
    wg_code_line(w, "for (int t = steps - 1; t >= 0; t--) {");
    w->depth++;
    if (wg_given(c, GY))
        wg_code_text(w, WG_C(for (int j = 0; j < batch * n; j++) dh[j] += gy[t * batch * n + j];));
    wg_code_for(w, "i", c->x[GATES].dim[1]);
    wg_code_text(w, WG_C(const T *a = gates + (t * batch + i) * width; T *d = dgates + (t * batch + i) * width;
                         T *dh_i = dh + i * n;));
    if (cell >= WG_CELL_LSTM)
        wg_code_text(w, WG_C(T *dc_i = dc + i * n; const T *before = BEFORE;));
    wg_code_text(w, back_text[cell]);
    wg_code_text(w, WG_C(for (int j = 0; j < n; j++) {
        T sum = REST;
        for (int k = 0; k < columns; k++) sum += d[k] * w_hh[j * columns + k];
        dh_i[j] = sum;
    }));
    wg_code_end(w);
    wg_code_end(w);
    w->n_words = 0;
    return w->status;
}
