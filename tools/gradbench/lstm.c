/* lstm: the loss of a recurrent network that is to tell the next character. Its products are elementwise, so a layer at
 * one character is little work; but layer k at character t and layer k - 1 at character t + 1 do not wait for each
 * other. Wave s does layer k at character s - k, all layers in one array [layers, b]: the first waves without the upper
 * layers, which have nothing to read yet, the last without the lower ones. */
#include "gradbench.h"

typedef struct {
    int64_t l, b, first, end; /* layers; bits; the layers of the last wave */
    wg_tensor weight, bias;   /* [4, l, b]: forget, ingate, outgate, change */
    wg_tensor h0, z0;         /* [l, b] */
    wg_tensor h, z;           /* [end - first, b]: hidden, cell */
} network;

static wg_tensor rows(wg_tensor x, int64_t first, int64_t end) { return wg_narrow(x, 0, first, end - first); }

/* Rows first .. end - 1 of the state after the last wave, of a layer that was not in it as at the start. */
static wg_tensor state(const network *n, wg_tensor now, wg_tensor start, int64_t first, int64_t end)
{
    if (end <= n->end)
        return first == n->first ? now : rows(now, first - n->first, end - n->first);
    wg_tensor new = rows(start, n->end, end);
    return n->end > first ? wg_concat(WG_TENSORS(rows(now, first - n->first, n->end - n->first), new)) : new;
}

/* Forget and outgate see what comes from below, ingate and change the layer's own h. tanh x = 2 sigmoid(2 x) - 1, and
 * so all four are the same function. */
static void gates(const network *n, wg_tensor below, wg_tensor h, wg_tensor *gate)
{
    int64_t layers = n->end - n->first;
    wg_tensor in = wg_reshape(wg_concat(WG_TENSORS(below, h, below, h)), WG_SHAPE(4, layers, n->b));
    wg_tensor weight = layers == n->l ? n->weight : wg_narrow(n->weight, 1, n->first, layers);
    wg_tensor bias = layers == n->l ? n->bias : wg_narrow(n->bias, 1, n->first, layers);
    wg_unstack(wg_sigmoid(wg_fma(in, weight, bias)), gate, 4);
    gate[3] = wg_fma(2, gate[3], -1);
}

/* Layers first .. end - 1; `below` is what they see, that of layer 0 being a row of the sequence. Returns what the
 * layers of the next wave see, but for such a row: the new h of all but the last layer; NONE of none. That one's goes
 * to *last. */
static wg_tensor wave(network *n, wg_tensor below, int64_t first, int64_t end, wg_tensor *last)
{
    wg_tensor h = state(n, n->h, n->h0, first, end), z = state(n, n->z, n->z0, first, end), gate[4], part[2];
    n->first = first;
    n->end = end;
    gates(n, below, h, gate);
    n->z = wg_fma(z, gate[0], wg_multiply(gate[1], gate[3]));
    n->h = wg_multiply(gate[2], wg_tanh(n->z));
    if (end < n->l)
        return n->h;
    if (end - first == 1) {
        *last = n->h;
        return WG_NONE;
    }
    wg_split(n->h, 0, WG_LIST(end - first - 1, 1), part);
    *last = part[1];
    return part[0];
}

/* The last layer's h at each of the characters but the last, whose inputs are x: a list, of [1, b]. */
static void run_through(network *n, const wg_tensor *x, int64_t characters, wg_tensor *last)
{
    wg_tensor above = WG_NONE;
    for (int64_t s = 0; s < characters + n->l - 1; s++) {
        int64_t first = s < characters ? 0 : s - characters + 1, end = s < n->l ? s + 1 : n->l;
        wg_tensor below = first ? above : wg_is_none(above) ? x[s] : wg_concat(WG_TENSORS(x[s], above));
        above = wave(n, below, first, end, s < n->l - 1 ? NULL : &last[s - n->l + 1]);
    }
}

/* -1 / (b n) sum_ti x_ti (y_ti - log(2 + sum_j exp y_tj)) for y, x: [n, b] */
static wg_tensor loss(wg_tensor y, wg_tensor x)
{
    wg_tensor total = wg_log(wg_add(2, wg_sum(wg_exp(y), .axis = 1, .keepdims = true)));
    return wg_divide(wg_sum(wg_multiply(x, wg_subtract(y, total))), -(double)wg_size(x));
}

#define MOST 255 /* results of an operation */

/* The rows [1, b] of x: a list. Pieces first, and then the rows of each. */
static void listed(wg_tensor x, wg_tensor *list)
{
    int64_t n = wg_shape_of(x).dim[0], most = (n + MOST - 1) / MOST, size[MOST];
    wg_tensor piece[MOST];
    int pieces = 0;
    most = most < MOST / 2 ? MOST / 2 : most;
    for (int64_t first = 0; first < n; first += most)
        size[pieces++] = n - first < most ? n - first : most;
    wg_split(wg_expand_dims(x, WG_AXES(1)), 0, ((wg_list){size, pieces}), piece);
    for (int i = 0; i < pieces; list += size[i++])
        wg_unstack(piece[i], list, (int)size[i]);
}

static wg_tensor recorded(problem *p, wg_tensor main, wg_tensor extra)
{
    wg_tensor start = reals(p, "state", 2), x = reals(p, "sequence", 2);
    wg_shape shape = wg_shape_of(start), sequence = wg_shape_of(x);
    int64_t l = shape.dim[0] / 2, b = shape.dim[1], characters = sequence.dim[0] - 1;
    wg_tensor *list = l && characters > 0 ? room(p, 2 * (size_t)characters * sizeof *list) : NULL;
    if (!list || wg_failed(p->tape) || sequence.dim[1] != b) {
        wg_report(p->tape, "gradbench", WG_ERROR_SHAPE, "state and sequence do not fit");
        return WG_INVALID;
    }
    wg_tensor layers = wg_permute_dims(wg_reshape(main, WG_SHAPE(l, 2, 4, b)), WG_AXES(1, 2, 0, 3));
    wg_tensor pairs = wg_reshape(start, WG_SHAPE(l, 2, b));
    static const double twice[4] = {1, 1, 1, 2};
    wg_tensor scale = wg_array(p->tape, WG_FLOAT64, WG_SHAPE(4, 1, 1), twice);
    network n = {.l = l,
                 .b = b,
                 .weight = wg_multiply(scale, wg_select(layers, 0, 0)),
                 .bias = wg_multiply(scale, wg_select(layers, 0, 1)),
                 .h0 = wg_select(pairs, 1, 0),
                 .z0 = wg_select(pairs, 1, 1)};
    wg_tensor seen = wg_multiply(wg_narrow(x, 0, 0, characters), wg_select(extra, 0, 0));
    listed(seen, list);
    run_through(&n, list, characters, list + characters);
    wg_tensor h = wg_concat(((wg_tensors){list + characters, (int)characters}));
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
