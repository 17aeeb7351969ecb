/* Recurrent networks: each cell by itself, and over a sequence. A cell is a sequence of one step, so all of them share
 * their kernels (recurrent_kernels.c) and their rules: a derivative is first found at the gates, for every step at
 * once, and the cotangents of x, weights and biases are products of that. */
#include "ops/recurrent.h"

#include "core/tape.h"
#include "wengert/elementwise.h"
#include "wengert/products.h"
#include "wengert/reductions.h"
#include "wengert/sequences.h"
#include "wengert/shape.h"

#define RECURRENT(OP) OP(rnn_cell) OP(lstm_cell) OP(gru_cell) OP(rnn) OP(lstm) OP(gru) OP(recurrent_pull)
WG_CONTENTS(RECURRENT)

/* ---- Sizes ------------------------------------------------------------------------------------------------------- */
wg_network wg_network_of(const wg_call *c, wg_cell cell)
{
    int own = cell == WG_CELL_LSTM; /* it has a c */
    const wg_type *x = &c->x[0], *h = &c->x[1];
    return (wg_network){.cell = cell, .sequence = x->rank == 3, .x = 0, .h = 1, .c = own ? 2 : -1, .w_ih = 2 + own,
                        .w_hh = 3 + own, .b_ih = 4 + own, .b_hh = 5 + own, .steps = x->rank == 3 ? x->dim[0] : 1,
                        .batch = h->dim[0], .in = x->dim[x->rank - 1], .hidden = h->dim[1],
                        .columns = wg_cell_columns(cell) * h->dim[1]};
}

static wg_status is_shaped(const wg_call *c, int i, wg_shape shape)
{
    wg_type wanted = wg_type_make(c->dtype, shape);
    char text[100];
    if (!wg_given(c, i) || wg_type_equal(&c->x[i], &wanted))
        return WG_OK;
    return wg_fail(c, WG_ERROR_SHAPE, "%s would have shape %s beside %s and %s", wg_show(c, i),
                   wg_shape_text(&shape, text, sizeof text), wg_show(c, 0), wg_show(c, 1));
}

/* Outputs: y of a sequence, h, c of an LSTM; saved are the gates, and every c of an LSTM. */
static wg_status recurrent_type(wg_call *c, wg_cell cell, bool sequence)
{
    if (c->x[0].rank != 2 + sequence)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not %s", wg_show(c, 0), sequence ? "[T, N, I]" : "[N, I]");
    if (c->x[1].rank != 2)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not [N, H]", wg_show(c, 1));
    wg_network n = wg_network_of(c, cell);
    int64_t batch = c->x[0].dim[sequence];
    if (n.hidden > INT64_MAX / 4)
        return wg_fail(c, WG_ERROR_MEMORY, "%s is too large", wg_show(c, 1));
    if (is_shaped(c, n.h, WG_SHAPE(batch, n.hidden)) || (n.c >= 0 && is_shaped(c, n.c, WG_SHAPE(batch, n.hidden))) ||
        is_shaped(c, n.w_ih, WG_SHAPE(n.in, n.columns)) || is_shaped(c, n.w_hh, WG_SHAPE(n.hidden, n.columns)) ||
        is_shaped(c, n.b_ih, WG_SHAPE(n.columns)) || is_shaped(c, n.b_hh, WG_SHAPE(n.columns)))
        return WG_ERROR_SHAPE;
    wg_type state = c->x[1], states = wg_type_make(c->dtype, WG_SHAPE(n.steps, n.batch, n.hidden)), gates = states;
    gates.dim[2] *= wg_cell_width(cell);
    int k = 0;
    if (sequence)
        c->y[k++] = states;
    c->y[k++] = state;
    if (cell == WG_CELL_LSTM)
        c->y[k++] = state;
    c->y[k++] = gates;
    if (cell == WG_CELL_LSTM)
        c->y[k] = states;
    return WG_OK;
}

/* ---- Value ------------------------------------------------------------------------------------------------------- */
static const void *from(const wg_call *c, int i) { return i >= 0 && wg_given(c, i) ? c->from[i] : NULL; }

static wg_status recurrent_run(const wg_call *c, wg_cell cell)
{
    wg_network n = wg_network_of(c, cell);
    wg_recurrent r = {.dtype = c->dtype,
                      .cell = cell,
                      .steps = n.steps,
                      .batch = n.batch,
                      .in = n.in,
                      .hidden = n.hidden,
                      .x = c->from[n.x],
                      .h = c->from[n.h],
                      .c = from(c, n.c),
                      .w_ih = c->from[n.w_ih],
                      .w_hh = c->from[n.w_hh],
                      .b_ih = from(c, n.b_ih),
                      .b_hh = from(c, n.b_hh)};
    int own = n.c >= 0, h = n.sequence, gates = 1 + own + h; /* a cell's only h is its y */
    void *y = c->to[0], *cells = own ? c->to[gates + 1] : NULL;
    wg_status status = wg_recurrent_run(c, &r, c->to[gates], y, cells);
    size_t bytes = (size_t)(n.batch * n.hidden) * wg_dtype_size(c->dtype), last = (size_t)(n.steps - 1) * bytes;
    if (n.sequence)
        memcpy(c->to[h], n.steps ? (const char *)y + last : r.h, bytes);
    if (own)
        memcpy(c->to[h + 1], n.steps ? (const char *)cells + last : r.c, bytes);
    return status;
}

/* Two products, and some ten operations a gate and hidden unit. */
static double recurrent_flops(const wg_call *c)
{
    const wg_type *x = &c->x[0], *h = &c->x[1], *w = &c->x[wg_op_operands(c->op) - 3];
    double rows = (double)wg_type_count(x) / fmax(1, (double)x->dim[x->rank - 1]);
    return rows * (double)w->dim[1] * (2 * (double)(x->dim[x->rank - 1] + h->dim[1]) + 10);
}

/* ---- Derivatives ------------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t cell;
} recurrent_pull_options;

/* The cotangents at the gates, in one pass over the steps. */
static const wg_op recurrent_pull_op;
static void pull_plain(const wg_call *c, const wg_network *n, wg_tensor shared[4])
{
    bool lstm = n->cell == WG_CELL_LSTM;
    wg_tensor states = WG_NONE, d[3], g[3] = {WG_NONE, WG_NONE, WG_NONE};
    if (lstm)
        states = wg_saved(c, 1);
    else if (n->cell == WG_CELL_GRU && n->sequence)
        states = c->out[0];
    for (int k = 0, first = !n->sequence; k < 2 + lstm - first; k++)
        g[first + k] = c->g[k];
    const wg_tensor in[] = {wg_saved(c, 0), c->in[n->w_hh], c->in[lstm ? n->c : n->h], states, g[0], g[1], g[2]};
    if (wg_record_on(c->tape, &recurrent_pull_op, &(recurrent_pull_options){n->cell}, in, 7, d, 3))
        return;
    int64_t rows = n->steps * n->batch, h = n->hidden;
    wg_tensor gates = wg_recurrent_rows(d[0], rows, wg_cell_width(n->cell) * h);
    shared[0] = shared[1] = gates;
    if (n->cell == WG_CELL_GRU) {
        shared[0] = wg_concat(WG_TENSORS(wg_narrow(gates, 1, 0, 2 * h), wg_narrow(gates, 1, 3 * h, h)), .axis = 1);
        shared[1] = wg_narrow(gates, 1, 0, 3 * h);
    }
    shared[2] = d[1];
    shared[3] = d[2];
}

static void recurrent_share(const wg_call *c, wg_cell cell, wg_tensor *shared)
{
    wg_network n = wg_network_of(c, cell);
    if (!c->g)
        wg_recurrent_push(c, &n, shared);
    else if (c->recording)
        wg_recurrent_pull_recorded(c, &n, shared);
    else
        pull_plain(c, &n, shared);
}

/* Of an operand's cotangent only the places count, which an LSTM shifts. */
static wg_network places_of(const wg_call *c)
{
    return wg_network_of(c, wg_op_operands(c->op) == 7 ? WG_CELL_LSTM : WG_CELL_GRU);
}

static wg_tensor recurrent_dx(const wg_call *c, wg_tensor g)
{
    (void)g;
    return wg_reshape(wg_matmul(c->shared[0], wg_matrix_transpose(c->in[places_of(c).w_ih])), wg_type_shape(&c->x[0]));
}
static wg_tensor recurrent_dh(const wg_call *c, wg_tensor g)
{
    (void)g;
    return c->shared[2];
}
static wg_tensor recurrent_dc(const wg_call *c, wg_tensor g)
{
    (void)g;
    return c->shared[3];
}
static wg_tensor recurrent_dw_ih(const wg_call *c, wg_tensor g)
{
    wg_network n = places_of(c);
    (void)g;
    return wg_matmul(wg_matrix_transpose(wg_recurrent_rows(c->in[n.x], n.steps * n.batch, n.in)), c->shared[0]);
}
static wg_tensor recurrent_dw_hh(const wg_call *c, wg_tensor g)
{
    wg_network n = places_of(c);
    (void)g;
    return wg_matmul(wg_matrix_transpose(wg_recurrent_before(c, &n)), c->shared[1]);
}
static wg_tensor recurrent_db_ih(const wg_call *c, wg_tensor g)
{
    (void)g;
    return wg_sum(c->shared[0], .axis = 0);
}
static wg_tensor recurrent_db_hh(const wg_call *c, wg_tensor g)
{
    (void)g;
    return wg_sum(c->shared[1], .axis = 0);
}

/* push's results begin with y, which a cell has not. */
static wg_tensor recurrent_jvp(const wg_call *c) { return c->shared[c->which + (c->x[0].rank == 2)]; }

/* ---- The cells --------------------------------------------------------------------------------------------------- */
/* The rules of an entry whose cell is `kind`, in terms of its options o. */
#define RECURRENT_RULES(name, options_type, kind, sequence)                                                            \
    static wg_cell name##_kind(const wg_call *c)                                                                       \
    {                                                                                                                  \
        const options_type *o = c->options;                                                                            \
        (void)o;                                                                                                       \
        return kind;                                                                                                   \
    }                                                                                                                  \
    static wg_status name##_type(wg_call *c) { return recurrent_type(c, name##_kind(c), sequence); }                   \
    static wg_status name##_run(const wg_call *c) { return recurrent_run(c, name##_kind(c)); }                         \
    static wg_status name##_c(const wg_call *c, wg_code *w)                                                            \
    {                                                                                                                  \
        wg_network n = wg_network_of(c, name##_kind(c));                                                               \
        return wg_recurrent_c(c, w, &n);                                                                               \
    }                                                                                                                  \
    static void name##_formula(const wg_call *c, wg_tensor *out)                                                       \
    {                                                                                                                  \
        wg_network n = wg_network_of(c, name##_kind(c));                                                               \
        wg_recurrent_formula(c, &n, out);                                                                              \
    }                                                                                                                  \
    static void name##_share(const wg_call *c, wg_tensor *shared) { recurrent_share(c, name##_kind(c), shared); }
#define RULES(entry)                                                                                                   \
    .name = #entry, .type = entry##_type, .run = entry##_run, .c = entry##_c, .share = entry##_share,                  \
    .jvp = recurrent_jvp, .flops = recurrent_flops, .formula = entry##_formula
#define PULLS {recurrent_dx, recurrent_dh, recurrent_dw_ih, recurrent_dw_hh, recurrent_db_ih, recurrent_db_hh}
#define LSTM_PULLS                                                                                                     \
    {recurrent_dx, recurrent_dh, recurrent_dc, recurrent_dw_ih, recurrent_dw_hh, recurrent_db_ih, recurrent_db_hh}
#define OPERANDS                                                                                                       \
    {{"x", 0}, {"h", 0}, {"w_ih", 0}, {"w_hh", 0}, {"b_ih", WG_OPTIONAL}, {"b_hh", WG_OPTIONAL}}
#define LSTM_OPERANDS                                                                                                  \
    {{"x", 0}, {"h", 0}, {"c", 0}, {"w_ih", 0}, {"w_hh", 0}, {"b_ih", WG_OPTIONAL}, {"b_hh", WG_OPTIONAL}}

static wg_cell rnn_kind_of(const char *nonlinearity)
{
    return wg_choice_is(nonlinearity, "relu") ? WG_CELL_RELU : WG_CELL_TANH;
}

/* ---- rnn --------------------------------------------------------------------------------------------------------- */
RECURRENT_RULES(rnn_cell, wg_rnn_cell_options, rnn_kind_of(o->nonlinearity), false)
WG_OP(rnn_cell) = {
    RULES(rnn_cell),
    .doc = "h = f(x w_ih + b_ih + h w_hh + b_hh), f tanh or relu: x [N, I], h [N, H], w_ih [I, H], w_hh [H, H]",
    .source = "Elman 1990",
    .in = OPERANDS,
    .out = {"h"},
    .saved = {"gates"},
    .options = WG_SCHEMA(wg_rnn_cell, WG_ATTR(wg_rnn_cell, nonlinearity, .choices = {"tanh", "relu"})),
    .vjp = PULLS,
    .saves = "x h w_ih w_hh b_ih b_hh",
    .samples = {"[2,3] [2,4] [3,4] [4,4] [4] [4]", "[2,3] [2,4] [3,4] [4,4] - [4]", "[2,3] [2,4] [3,4] [4,4]",
                "[2,3] [2,4] [3,4] [4,4] [4] nonlinearity=relu", "[0,3] [0,4] [3,4] [4,4] [4] [4]",
                "[2,0] [2,3] [0,3] [3,3] [3] [3]"},
};
wg_tensor (wg_rnn_cell)(wg_tensor x, wg_tensor h, wg_tensor w_ih, wg_tensor w_hh, wg_tensor b_ih, wg_tensor b_hh,
                        wg_rnn_cell_options options)
{
    return WG_RECORD(rnn_cell, &options, x, h, w_ih, w_hh, b_ih, b_hh);
}

RECURRENT_RULES(rnn, wg_rnn_options, rnn_kind_of(o->nonlinearity), true)
WG_OP(rnn) = {
    RULES(rnn),
    .doc = "rnn_cell over x [T, N, I]: every h as y [T, N, H], and the last",
    .source = "Elman 1990",
    .in = OPERANDS,
    .out = {"y", "h"},
    .saved = {"gates"},
    .options = WG_SCHEMA(wg_rnn, WG_ATTR(wg_rnn, nonlinearity, .choices = {"tanh", "relu"})),
    .vjp = PULLS,
    .saves = "x h w_ih w_hh b_ih b_hh y",
    .samples = {"[3,2,3] [2,4] [3,4] [4,4] [4] [4]", "[3,2,3] [2,4] [3,4] [4,4]", "[1,2,3] [2,4] [3,4] [4,4] - [4]",
                "[4,2,2] [2,3] [2,3] [3,3] [3] - nonlinearity=relu", "[0,2,3] [2,4] [3,4] [4,4] [4] [4]",
                "[2,0,3] [0,4] [3,4] [4,4] [4] [4]"},
};
wg_rnn_result (wg_rnn)(wg_tensor x, wg_tensor h, wg_tensor w_ih, wg_tensor w_hh, wg_tensor b_ih, wg_tensor b_hh,
                       wg_rnn_options options)
{
    const wg_tensor in[] = {x, h, w_ih, w_hh, b_ih, b_hh};
    wg_tensor out[2];
    wg_record_on(x.tape, &rnn_op, &options, in, 6, out, 2);
    return (wg_rnn_result){out[0], out[1]};
}

/* ---- lstm -------------------------------------------------------------------------------------------------------- */
RECURRENT_RULES(lstm_cell, void, WG_CELL_LSTM, false)
WG_OP(lstm_cell) = {
    RULES(lstm_cell),
    .doc = "c = s(f) c + s(i) tanh(g), h = s(o) tanh(c), s the sigmoid, (i f g o) = x w_ih + b_ih + h w_hh + b_hh: "
           "x [N, I], h and c [N, H], w_ih [I, 4H], w_hh [H, 4H]",
    .source = "Hochreiter and Schmidhuber 1997; Gers et al. 2000",
    .in = LSTM_OPERANDS,
    .out = {"h", "c"},
    .saved = {"gates", "cells"},
    .vjp = LSTM_PULLS,
    .saves = "x h c w_ih w_hh b_ih b_hh",
    .samples = {"[2,3] [2,4] [2,4] [3,16] [4,16] [16] [16]", "[2,3] [2,2] [2,2] [3,8] [2,8] - [8]",
                "[2,3] [2,2] [2,2] [3,8] [2,8]", "[0,3] [0,2] [0,2] [3,8] [2,8] [8]"},
};
wg_lstm_cell_result (wg_lstm_cell)(wg_tensor x, wg_tensor h, wg_tensor c, wg_tensor w_ih, wg_tensor w_hh,
                                   wg_tensor b_ih, wg_tensor b_hh)
{
    const wg_tensor in[] = {x, h, c, w_ih, w_hh, b_ih, b_hh};
    wg_tensor out[2];
    wg_record_on(x.tape, &lstm_cell_op, NULL, in, 7, out, 2);
    return (wg_lstm_cell_result){out[0], out[1]};
}

RECURRENT_RULES(lstm, void, WG_CELL_LSTM, true)
WG_OP(lstm) = {
    RULES(lstm),
    .doc = "lstm_cell over x [T, N, I]: every h as y [T, N, H], and the last h and c",
    .source = "Hochreiter and Schmidhuber 1997; Gers et al. 2000",
    .in = LSTM_OPERANDS,
    .out = {"y", "h", "c"},
    .saved = {"gates", "cells"},
    .vjp = LSTM_PULLS,
    .saves = "x h c w_ih w_hh b_ih b_hh y",
    .samples = {"[3,2,3] [2,4] [2,4] [3,16] [4,16] [16] [16]", "[2,2,3] [2,2] [2,2] [3,8] [2,8] [8]",
                "[4,1,2] [1,2] [1,2] [2,8] [2,8]", "[0,2,3] [2,2] [2,2] [3,8] [2,8] [8] [8]",
                "[2,0,3] [0,2] [0,2] [3,8] [2,8] [8] [8]"},
};
wg_lstm_result (wg_lstm)(wg_tensor x, wg_tensor h, wg_tensor c, wg_tensor w_ih, wg_tensor w_hh, wg_tensor b_ih,
                         wg_tensor b_hh)
{
    const wg_tensor in[] = {x, h, c, w_ih, w_hh, b_ih, b_hh};
    wg_tensor out[3];
    wg_record_on(x.tape, &lstm_op, NULL, in, 7, out, 3);
    return (wg_lstm_result){out[0], out[1], out[2]};
}

/* ---- gru --------------------------------------------------------------------------------------------------------- */
RECURRENT_RULES(gru_cell, void, WG_CELL_GRU, false)
WG_OP(gru_cell) = {
    RULES(gru_cell),
    .doc =
        "h = s(-z) n + s(z) h, n = tanh(n_x + s(r) n_h), s the sigmoid, of (r_x z_x n_x) = x w_ih + b_ih and "
        "(r_h z_h n_h) = h w_hh + b_hh, r = r_x + r_h, z = z_x + z_h: x [N, I], h [N, H], w_ih [I, 3H], w_hh [H, 3H]",
    .source = "Cho et al. 2014, with the reset gate behind the product",
    .in = OPERANDS,
    .out = {"h"},
    .saved = {"gates"},
    .vjp = PULLS,
    .saves = "x h w_ih w_hh b_ih b_hh",
    .samples = {"[2,3] [2,4] [3,12] [4,12] [12] [12]", "[2,3] [2,2] [3,6] [2,6] - [6]", "[2,3] [2,2] [3,6] [2,6] [6]",
                "[2,3] [2,2] [3,6] [2,6]", "[0,3] [0,2] [3,6] [2,6] [6]"},
};
wg_tensor (wg_gru_cell)(wg_tensor x, wg_tensor h, wg_tensor w_ih, wg_tensor w_hh, wg_tensor b_ih, wg_tensor b_hh)
{
    return WG_RECORD(gru_cell, NULL, x, h, w_ih, w_hh, b_ih, b_hh);
}

RECURRENT_RULES(gru, void, WG_CELL_GRU, true)
WG_OP(gru) = {
    RULES(gru),
    .doc = "gru_cell over x [T, N, I]: every h as y [T, N, H], and the last",
    .source = "Cho et al. 2014, with the reset gate behind the product",
    .in = OPERANDS,
    .out = {"y", "h"},
    .saved = {"gates"},
    .vjp = PULLS,
    .saves = "x h w_ih w_hh b_ih b_hh y",
    .samples = {"[3,2,3] [2,4] [3,12] [4,12] [12] [12]", "[2,2,3] [2,2] [3,6] [2,6] - [6]", "[4,1,2] [1,2] [2,6] [2,6]",
                "[0,2,3] [2,2] [3,6] [2,6] [6] [6]", "[2,0,3] [0,2] [3,6] [2,6] [6] [6]"},
};
wg_gru_result (wg_gru)(wg_tensor x, wg_tensor h, wg_tensor w_ih, wg_tensor w_hh, wg_tensor b_ih, wg_tensor b_hh)
{
    const wg_tensor in[] = {x, h, w_ih, w_hh, b_ih, b_hh};
    wg_tensor out[2];
    wg_record_on(x.tape, &gru_op, NULL, in, 6, out, 2);
    return (wg_gru_result){out[0], out[1]};
}

/* ---- recurrent_pull: back through all steps, to the gates -------------------------------------------------------- */
enum { A, W_HH, STATE, STATES, GY, GH, GC };

static wg_status recurrent_pull_type(wg_call *c)
{
    c->y[0] = c->x[A];
    c->y[1] = c->y[2] = wg_type_make(c->dtype, WG_SHAPE(c->x[A].dim[1], c->x[W_HH].dim[0]));
    return WG_OK;
}

static wg_status recurrent_pull_run(const wg_call *c)
{
    wg_recurrent_back r = {.dtype = c->dtype,
                           .cell = (wg_cell)((const recurrent_pull_options *)c->options)->cell,
                           .steps = c->x[A].dim[0],
                           .batch = c->x[A].dim[1],
                           .hidden = c->x[W_HH].dim[0],
                           .a = c->from[A],
                           .w_hh = c->from[W_HH],
                           .state = c->from[STATE],
                           .states = from(c, STATES),
                           .gy = from(c, GY),
                           .gh = from(c, GH),
                           .gc = from(c, GC)};
    return wg_recurrent_pull(c, &r, c->to[0], c->to[1], c->to[2]);
}

static wg_status recurrent_pull_c(const wg_call *c, wg_code *w)
{
    return wg_recurrent_pull_c(c, w, (wg_cell)((const recurrent_pull_options *)c->options)->cell);
}

WG_OP(recurrent_pull) = {
    .name = "recurrent_pull",
    .doc = "the cotangents of a recurrent network's gates, of every step, and of its first h and c",
    .in = {{"gates", 0}, {"w_hh", 0}, {"state", 0}, {"states", WG_OPTIONAL}, {"gy", WG_OPTIONAL}, {"gh", WG_OPTIONAL},
           {"gc", WG_OPTIONAL}},
    .out = {"dgates", "dh", "dc"},
    .options = &(const wg_schema){sizeof(recurrent_pull_options), NULL, 0, NULL},
    .type = recurrent_pull_type,
    .run = recurrent_pull_run,
    .c = recurrent_pull_c,
    .output_gradient_free = true,
    .hidden = true,
};

WG_FAMILY_OF(recurrent, "networks", RECURRENT)
