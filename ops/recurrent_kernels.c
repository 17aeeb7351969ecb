/* Recurrent cells: one product gives the gates what all inputs contribute, one product a step what the hidden state
 * does, and a kernel does the rest of the step in one pass. Kept are the gates before their activations, not after: a
 * saturated gate is 1 exactly, but its slope is not 0. */
#include "ops/recurrent_kernels.h"

#include "core/tape.h"
#include "ops/backend.h"
#include "wengert/map.h"

/* ---- Kernels of one row: n hidden units -------------------------------------------------------------------------- */
/* sigmoid'(x) = sigmoid(x) sigmoid(-x), which keeps its digits where it is small. */
WG_HELPERS(bell, T e = exp(-fabs(x)); return e / ((1 + e) * (1 + e));)
WG_HELPERS_OF(recurrent, &wg_bell_helper)
#define bell(x) WG_EITHER(bell, x)
#define tanh_slope(x) (4 * bell(2 * (x)))

#define CELL_KERNELS(suffix, T)                                                                                        \
    static WG_CLONES void tanh_step_##suffix(int64_t n, const T *restrict a, T *restrict h)                            \
    {                                                                                                                  \
        for (int64_t j = 0; j < n; j++)                                                                                \
            h[j] = tanh(a[j]);                                                                                         \
    }                                                                                                                  \
    static WG_CLONES void relu_step_##suffix(int64_t n, const T *restrict a, T *restrict h)                            \
    {                                                                                                                  \
        for (int64_t j = 0; j < n; j++)                                                                                \
            h[j] = a[j] < 0 ? 0 : a[j];                                                                                \
    }                                                                                                                  \
    static WG_CLONES void lstm_step_##suffix(int64_t n, const T *restrict a, const T *restrict before,                 \
                                             T *restrict after, T *restrict h)                                         \
    {                                                                                                                  \
        for (int64_t j = 0; j < n; j++) {                                                                              \
            const T c = sigmoid(a[n + j]) * before[j] + sigmoid(a[j]) * tanh(a[2 * n + j]);                            \
            after[j] = c;                                                                                              \
            h[j] = sigmoid(a[3 * n + j]) * tanh(c);                                                                    \
        }                                                                                                              \
    }                                                                                                                  \
    static WG_CLONES void gru_step_##suffix(int64_t n, const T *restrict a, const T *restrict before, T *restrict h)   \
    {                                                                                                                  \
        for (int64_t j = 0; j < n; j++) {                                                                              \
            const T fresh = tanh(a[3 * n + j] + sigmoid(a[j]) * a[2 * n + j]);                                         \
            h[j] = sigmoid(-a[n + j]) * fresh + sigmoid(a[n + j]) * before[j];                                         \
        }                                                                                                              \
    }                                                                                                                  \
    static WG_CLONES void tanh_back_##suffix(int64_t n, const T *restrict a, const T *restrict dh, T *restrict da)     \
    {                                                                                                                  \
        for (int64_t j = 0; j < n; j++)                                                                                \
            da[j] = dh[j] * tanh_slope(a[j]);                                                                          \
    }                                                                                                                  \
    static WG_CLONES void relu_back_##suffix(int64_t n, const T *restrict a, const T *restrict dh, T *restrict da)     \
    {                                                                                                                  \
        for (int64_t j = 0; j < n; j++)                                                                                \
            da[j] = a[j] > 0 ? dh[j] : 0;                                                                              \
    }                                                                                                                  \
    /* dc comes as the cotangent of c after the step, and leaves as that before it. */                                 \
    static WG_CLONES void lstm_back_##suffix(int64_t n, const T *restrict a, const T *restrict before,                 \
                                             const T *restrict after, const T *restrict dh, T *restrict dc,            \
                                             T *restrict da)                                                           \
    {                                                                                                                  \
        for (int64_t j = 0; j < n; j++) {                                                                              \
            const T d = dc[j] + dh[j] * sigmoid(a[3 * n + j]) * tanh_slope(after[j]);                                  \
            da[j] = d * tanh(a[2 * n + j]) * bell(a[j]);                                                               \
            da[n + j] = d * before[j] * bell(a[n + j]);                                                                \
            da[2 * n + j] = d * sigmoid(a[j]) * tanh_slope(a[2 * n + j]);                                              \
            da[3 * n + j] = dh[j] * tanh(after[j]) * bell(a[3 * n + j]);                                               \
            dc[j] = d * sigmoid(a[n + j]);                                                                             \
        }                                                                                                              \
    }                                                                                                                  \
    /* rest: the part of dh that passes by the gates. */                                                               \
    static WG_CLONES void gru_back_##suffix(int64_t n, const T *restrict a, const T *restrict before,                  \
                                            const T *restrict dh, T *restrict rest, T *restrict da)                    \
    {                                                                                                                  \
        for (int64_t j = 0; j < n; j++) {                                                                              \
            const T by_h = a[2 * n + j], reset = sigmoid(a[j]), sum = a[3 * n + j] + reset * by_h;                     \
            const T d = dh[j] * sigmoid(-a[n + j]) * tanh_slope(sum);                                                  \
            da[j] = d * by_h * bell(a[j]);                                                                             \
            da[n + j] = dh[j] * (before[j] - tanh(sum)) * bell(a[n + j]);                                              \
            da[2 * n + j] = d * reset;                                                                                 \
            da[3 * n + j] = d;                                                                                         \
            rest[j] = dh[j] * sigmoid(a[n + j]);                                                                       \
        }                                                                                                              \
    }                                                                                                                  \
    static WG_CLONES void add_##suffix(int64_t n, const T *restrict from, T *restrict to)                              \
    {                                                                                                                  \
        for (int64_t j = 0; j < n; j++)                                                                                \
            to[j] += from[j];                                                                                          \
    }                                                                                                                  \
    static void step_row_##suffix(wg_cell cell, int64_t n, const void *a, const void *before, void *after, void *h)    \
    {                                                                                                                  \
        if (cell == WG_CELL_LSTM)                                                                                      \
            lstm_step_##suffix(n, a, before, after, h);                                                                \
        else if (cell == WG_CELL_GRU)                                                                                  \
            gru_step_##suffix(n, a, before, h);                                                                        \
        else if (cell == WG_CELL_RELU)                                                                                 \
            relu_step_##suffix(n, a, h);                                                                               \
        else                                                                                                           \
            tanh_step_##suffix(n, a, h);                                                                               \
    }                                                                                                                  \
    static void back_row_##suffix(wg_cell cell, int64_t n, const void *a, const void *before, const void *after,       \
                                  const void *dh, void *dc, void *da)                                                  \
    {                                                                                                                  \
        if (cell == WG_CELL_LSTM)                                                                                      \
            lstm_back_##suffix(n, a, before, after, dh, dc, da);                                                       \
        else if (cell == WG_CELL_GRU)                                                                                  \
            gru_back_##suffix(n, a, before, dh, dc, da);                                                               \
        else if (cell == WG_CELL_RELU)                                                                                 \
            relu_back_##suffix(n, a, dh, da);                                                                          \
        else                                                                                                           \
            tanh_back_##suffix(n, a, dh, da);                                                                          \
    }                                                                                                                  \
    static void sum_rows_##suffix(int64_t n, const void *from, void *to) { add_##suffix(n, from, to); }
CELL_KERNELS(f32, float)
CELL_KERNELS(f64, double)

static const struct {
    void (*step)(wg_cell cell, int64_t n, const void *a, const void *before, void *after, void *h);
    void (*back)(wg_cell cell, int64_t n, const void *a, const void *before, const void *after, const void *dh,
                 void *dc, void *da);
    void (*add)(int64_t n, const void *from, void *to);
} kernels[] = {[WG_FLOAT32] = {step_row_f32, back_row_f32, sum_rows_f32},
               [WG_FLOAT64] = {step_row_f64, back_row_f64, sum_rows_f64}};

/* ---- One step of all rows ---------------------------------------------------------------------------------------- */
/* Pointers to step t of what is [steps, batch, ...]; NULL where the cell has none. */
typedef struct {
    wg_dtype dtype;
    wg_cell cell;
    int64_t batch, hidden, rows_a_piece;
    const unsigned char *a, *before;
    unsigned char *after, *h, *dc, *da;
    const unsigned char *seen_after, *dh;
} step;

static step step_of(wg_dtype dtype, wg_cell cell, int64_t batch, int64_t hidden)
{
    int64_t row = 4 * hidden;
    return (step){.dtype = dtype, .cell = cell, .batch = batch, .hidden = hidden,
                  .rows_a_piece = row < WG_PIECE && row > 0 ? WG_PIECE / row : 1};
}

static int64_t pieces_of(const step *s) { return (s->batch + s->rows_a_piece - 1) / s->rows_a_piece; }

#define AT(pointer, row, elements) ((pointer) ? (pointer) + (size_t)((row) * (elements)) * size : NULL)

static void step_piece(void *argument, int64_t piece)
{
    const step *s = argument;
    size_t size = wg_dtype_size(s->dtype);
    int64_t n = s->hidden, width = wg_cell_width(s->cell) * n;
    for (int64_t i = piece * s->rows_a_piece; i < s->batch && i < (piece + 1) * s->rows_a_piece; i++)
        kernels[s->dtype].step(s->cell, n, AT(s->a, i, width), AT(s->before, i, n), AT(s->after, i, n), AT(s->h, i, n));
}

static void back_piece(void *argument, int64_t piece)
{
    const step *s = argument;
    size_t size = wg_dtype_size(s->dtype);
    int64_t n = s->hidden, width = wg_cell_width(s->cell) * n;
    for (int64_t i = piece * s->rows_a_piece; i < s->batch && i < (piece + 1) * s->rows_a_piece; i++)
        kernels[s->dtype].back(s->cell, n, AT(s->a, i, width), AT(s->before, i, n), AT(s->seen_after, i, n),
                               AT(s->dh, i, n), AT(s->dc, i, n), AT(s->da, i, width));
}

/* ---- Forward ----------------------------------------------------------------------------------------------------- */
/* Row of biases for the gates: where both parts are added, their sum. */
static wg_status gates_begin(const wg_call *c, const wg_recurrent *r, unsigned char *a)
{
    size_t size = wg_dtype_size(r->dtype), gate = (size_t)r->hidden * size;
    size_t width = (size_t)wg_cell_width(r->cell) * gate, columns = (size_t)wg_cell_columns(r->cell) * gate;
    unsigned char *row = wg_scratch(c, width);
    if (!row)
        return WG_ERROR_MEMORY;
    memset(row, 0, width);
    if (r->b_hh)
        memcpy(row, r->b_hh, columns);
    if (r->b_ih && r->cell == WG_CELL_GRU) {
        kernels[r->dtype].add(2 * r->hidden, r->b_ih, row);
        memcpy(row + 3 * gate, (const unsigned char *)r->b_ih + 2 * gate, gate);
    } else if (r->b_ih) {
        kernels[r->dtype].add(wg_cell_columns(r->cell) * r->hidden, r->b_ih, row);
    }
    for (int64_t i = 0; i < r->steps * r->batch; i++)
        memcpy(a + (size_t)i * width, row, width);
    return WG_OK;
}

/* a += x w of `n` columns from column `from` of w on, to column `to` of a. */
static wg_status gates_add(const wg_call *c, const wg_recurrent *r, const void *x, int64_t rows, int64_t in,
                           const void *w, int64_t from, int64_t n, void *a, int64_t to)
{
    int64_t columns = wg_cell_columns(r->cell) * r->hidden, width = wg_cell_width(r->cell) * r->hidden;
    size_t size = wg_dtype_size(r->dtype);
    wg_gemm p = {.dtype = r->dtype, .m = rows, .n = n, .k = in, .alpha = 1, .a = x, .lda = in,
                 .b = (const unsigned char *)w + (size_t)from * size, .ldb = columns, .beta = 1,
                 .y = (unsigned char *)a + (size_t)to * size, .ldy = width};
    return wg_product(c, &p);
}

static wg_status inputs_add(const wg_call *c, const wg_recurrent *r, void *a)
{
    int64_t rows = r->steps * r->batch, n = r->hidden;
    if (r->cell != WG_CELL_GRU)
        return gates_add(c, r, r->x, rows, r->in, r->w_ih, 0, wg_cell_columns(r->cell) * n, a, 0);
    wg_status status = gates_add(c, r, r->x, rows, r->in, r->w_ih, 0, 2 * n, a, 0);
    return status ? status : gates_add(c, r, r->x, rows, r->in, r->w_ih, 2 * n, n, a, 3 * n);
}

wg_status wg_recurrent_run(const wg_call *c, const wg_recurrent *r, void *a, void *y, void *cells)
{
    size_t states = (size_t)(r->batch * r->hidden) * wg_dtype_size(r->dtype);
    size_t gates = states * (size_t)wg_cell_width(r->cell);
    wg_status status = gates_begin(c, r, a);
    if (!status)
        status = inputs_add(c, r, a);
    const unsigned char *h = r->h, *before = r->cell == WG_CELL_LSTM ? r->c : r->h;
    for (int64_t t = 0; t < r->steps && !status; t++) {
        step s = step_of(r->dtype, r->cell, r->batch, r->hidden);
        unsigned char *a_t = (unsigned char *)a + (size_t)t * gates;
        status = gates_add(c, r, h, r->batch, r->hidden, r->w_hh, 0, wg_cell_columns(r->cell) * r->hidden, a_t, 0);
        if (status)
            break;
        s.a = a_t;
        s.before = before;
        s.h = (unsigned char *)y + (size_t)t * states;
        s.after = r->cell == WG_CELL_LSTM ? (unsigned char *)cells + (size_t)t * states : NULL;
        wg_parallel(c->tape, pieces_of(&s), step_piece, &s);
        h = s.h;
        before = s.after ? s.after : s.h;
    }
    return status;
}

/* ---- Backward ---------------------------------------------------------------------------------------------------- */
/* dh += da w', where da's columns are the hidden state's. */
static wg_status hidden_pull(const wg_call *c, const wg_recurrent_back *r, const void *da, void *dh)
{
    int64_t columns = wg_cell_columns(r->cell) * r->hidden, width = wg_cell_width(r->cell) * r->hidden;
    wg_gemm p = {.dtype = r->dtype,
                 .transposed_b = true,
                 .m = r->batch,
                 .n = r->hidden,
                 .k = columns,
                 .alpha = 1,
                 .a = da,
                 .lda = width,
                 .b = r->w_hh,
                 .ldb = columns,
                 .beta = 1,
                 .y = dh,
                 .ldy = r->hidden};
    return wg_product(c, &p);
}

static void copy_or_zero(const void *from, void *to, size_t bytes)
{
    if (from)
        memcpy(to, from, bytes);
    else
        memset(to, 0, bytes);
}

wg_status wg_recurrent_pull(const wg_call *c, const wg_recurrent_back *r, void *da, void *dh, void *dc)
{
    int64_t n = r->batch * r->hidden;
    size_t states = (size_t)n * wg_dtype_size(r->dtype), gates = states * (size_t)wg_cell_width(r->cell);
    copy_or_zero(r->gh, dh, states);
    copy_or_zero(r->gc, dc, states);
    for (int64_t t = r->steps - 1; t >= 0; t--) {
        step s = step_of(r->dtype, r->cell, r->batch, r->hidden);
        const unsigned char *at = r->states;
        if (r->gy)
            kernels[r->dtype].add(n, (const unsigned char *)r->gy + (size_t)t * states, dh);
        s.a = (const unsigned char *)r->a + (size_t)t * gates;
        s.before = !at || t == 0 ? r->state : at + (size_t)(t - 1) * states;
        s.seen_after = at ? at + (size_t)t * states : NULL;
        s.dh = dh;
        s.dc = dc;
        s.da = (unsigned char *)da + (size_t)t * gates;
        wg_parallel(c->tape, pieces_of(&s), back_piece, &s);
        copy_or_zero(r->cell == WG_CELL_GRU ? dc : NULL, dh, states);
        wg_status status = hidden_pull(c, r, s.da, dh);
        if (status)
            return status;
    }
    return WG_OK;
}
