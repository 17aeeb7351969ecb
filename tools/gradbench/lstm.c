/* lstm: the loss of a recurrent network that is to tell the next character. Its products are elementwise, so a layer at one
 * character is little work; but layer k at character t and layer k - 1 at character t + 1 do not wait for each other. Wave s
 * does layer k at character s - k, all layers in one array [layers, b]: the first waves without the upper layers, which
 * have nothing to read yet, the last without the lower ones. */
#include "gradbench.h"

typedef struct {
    int64_t l, b, waves, first, end; /* layers; bits; the layers of the last wave */
    wg_tensor weight, bias;          /* [4, l, b]: forget, ingate, outgate, change */
    wg_tensor h0, z0;                /* [l, b] */
    wg_tensor h, z;                  /* [end - first, b]: hidden, cell */
} network;

/* Rows first .. end - 1 of the state after the last wave; what was not in it is as at the start. */
static wg_tensor rows_of(const network *n, wg_tensor now, wg_tensor start, int64_t first, int64_t end)
{
    wg_tensor old = wg_narrow(now, 0, first - n->first, (end < n->end ? end : n->end) - first);
    return end <= n->end ? old : wg_concat(WG_TENSORS(old, wg_narrow(start, 0, n->end, end - n->end)));
}

/* The gates of layers first .. end - 1: forget and outgate see what comes from below, ingate and change the layer's own h. */
static wg_tensor gates(const network *n, wg_tensor below, wg_tensor h, int64_t first, int64_t end)
{
    wg_shape shape = WG_SHAPE(4, end - first, n->b);
    wg_tensor in = wg_reshape(wg_concat(WG_TENSORS(below, h, below, h)), shape);
    bool all = end - first == n->l;
    wg_tensor weight = all ? n->weight : wg_narrow(n->weight, 1, first, end - first);
    wg_tensor bias = all ? n->bias : wg_narrow(n->bias, 1, first, end - first);
    return wg_add(wg_multiply(in, weight), bias);
}

/* Layers first .. end - 1, layer 0 seeing x [1, b]. */
static void wave(network *n, wg_tensor x, int64_t first, int64_t end)
{
    wg_tensor below = n->waves ? rows_of(n, n->h, n->h0, first ? first - 1 : 0, end - 1) : WG_NONE;
    wg_tensor h = n->waves ? rows_of(n, n->h, n->h0, first, end) : wg_narrow(n->h0, 0, 0, end);
    wg_tensor z = n->waves ? rows_of(n, n->z, n->z0, first, end) : wg_narrow(n->z0, 0, 0, end);
    if (!first)
        below = end > 1 ? wg_concat(WG_TENSORS(x, below)) : x;
    wg_tensor all = gates(n, below, h, first, end), open = wg_sigmoid(wg_narrow(all, 0, 0, 3));
    wg_tensor forget = wg_select(open, 0, 0), in = wg_select(open, 0, 1), out = wg_select(open, 0, 2);
    wg_tensor change = wg_tanh(wg_select(all, 0, 3));
    n->z = wg_add(wg_multiply(z, forget), wg_multiply(in, change));
    n->h = wg_multiply(out, wg_tanh(n->z));
    n->first = first;
    n->end = end;
    n->waves++;
}

/* The last layer's h at each of the characters but the last, whose inputs are x: a list. */
static void run_through(network *n, const wg_tensor *x, int64_t characters, wg_tensor *last)
{
    for (int64_t s = 0; s < characters + n->l - 1; s++) {
        int64_t first = s < characters ? 0 : s - characters + 1, end = s < n->l ? s + 1 : n->l;
        wave(n, s < characters ? x[s] : WG_NONE, first, end);
        if (end == n->l && s >= n->l - 1)
            last[s - n->l + 1] = wg_select(n->h, 0, n->l - 1 - first);
    }
}

/* -1 / (b n) sum_ti x_ti (y_ti - log(2 + sum_j exp y_tj)) for y, x: [n, b] */
static wg_tensor loss(wg_tensor y, wg_tensor x)
{
    wg_tensor total = wg_log(wg_add(2, wg_sum(wg_exp(y), .axis = WG_AXES(1), .keepdims = true)));
    return wg_divide(wg_sum(wg_multiply(x, wg_subtract(y, total))), -(double)wg_size(x));
}

#define MOST_ROWS 128 /* of one unstack */

/* The rows [1, b] of x: a list. */
static void rows(wg_tensor x, wg_tensor *list)
{
    int64_t n = wg_shape_of(x).dim[0];
    wg_tensor column = wg_expand_dims(x, WG_AXES(1));
    for (int64_t first = 0, some; first < n; first += some) {
        some = n - first < MOST_ROWS ? n - first : MOST_ROWS;
        wg_unstack(wg_narrow(column, 0, first, some), list + first, (int)some);
    }
}

static wg_tensor recorded(problem *p, wg_tensor main, wg_tensor extra)
{
    wg_tensor state = reals(p, "state", 2), x = reals(p, "sequence", 2);
    wg_shape shape = wg_shape_of(state), sequence = wg_shape_of(x);
    int64_t l = shape.dim[0] / 2, b = shape.dim[1], characters = sequence.dim[0] - 1;
    wg_tensor *list = l && characters > 0 ? room(p, 2 * (size_t)characters * sizeof *list) : NULL;
    if (!list || wg_failed(p->tape) || sequence.dim[1] != b) {
        wg_report(p->tape, "gradbench", WG_ERROR_SHAPE, "state and sequence do not fit");
        return WG_INVALID;
    }
    wg_tensor layers = wg_permute_dims(wg_reshape(main, WG_SHAPE(l, 2, 4, b)), WG_AXES(1, 2, 0, 3));
    wg_tensor pairs = wg_reshape(state, WG_SHAPE(l, 2, b));
    network n = {.l = l, .b = b, .weight = wg_contiguous(wg_select(layers, 0, 0)), .bias = wg_contiguous(wg_select(layers, 0, 1)),
                 .h0 = wg_select(pairs, 1, 0), .z0 = wg_select(pairs, 1, 1)};
    wg_tensor seen = wg_multiply(wg_narrow(x, 0, 0, characters), wg_select(extra, 0, 0));
    rows(seen, list);
    run_through(&n, list, characters, list + characters);
    wg_tensor h = wg_stack(((wg_tensors){list + characters, (int)characters}));
    wg_tensor y = wg_add(wg_multiply(h, wg_select(extra, 0, 1)), wg_select(extra, 0, 2));
    return loss(y, wg_narrow(x, 0, 1, characters));
}

static void lstm(problem *p)
{
    wg_tensor main = variable(p, "main_params", 2), extra = variable(p, "extra_params", 2), g[2];
    wg_tensor y = recorded(p, main, extra);
    if (!p->derivative)
        answered_by(p, y);
    else if (!wg_grad(y, p->x, 2, g, .record = true))
        answered_by(p, wg_concat(WG_TENSORS(wg_flatten(g[0]), wg_flatten(g[1]))));
}

const evaluation lstm_evaluations[] = {{"lstm", "objective", lstm, false}, {"lstm", "jacobian", lstm, true}, {0}};
