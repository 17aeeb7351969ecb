/* Where something that is not finite starts. */
#include "graph/facts.h"

enum { FINITE, INFINITE, HAS_NAN };

#define PIECE 256 /* elements of a strided tensor looked at together */

/* Of n contiguous elements. A sum of x * 0 is 0 where all are finite, a NaN otherwise: a loop without branches. */
#define KIND_OF(T)                                                                                                     \
    {                                                                                                                  \
        const T *at = data;                                                                                            \
        T sum = 0;                                                                                                     \
        bool nan = false;                                                                                              \
        for (int64_t i = 0; i < n; i++)                                                                                \
            sum += at[i] * 0;                                                                                          \
        if (sum == 0)                                                                                                  \
            return FINITE;                                                                                             \
        for (int64_t i = 0; i < n && !nan; i++)                                                                        \
            nan = at[i] != at[i];                                                                                      \
        return nan ? HAS_NAN : INFINITE;                                                                               \
    }

static int kind_of_values(wg_dtype dtype, const void *data, int64_t n)
{
    if (dtype == WG_FLOAT32)
        KIND_OF(float)
    KIND_OF(double)
}

static int kind_of(const wg_node *node)
{
    wg_type type = wg_node_type(node);
    int64_t n = wg_node_count(node);
    int kind = FINITE;
    if (!wg_is_float(type.dtype))
        return FINITE;
    if (wg_node_is(node, WG_NODE_CONTIGUOUS))
        return kind_of_values(type.dtype, node->data, n);
    for (int64_t i = 0; i < n && kind != HAS_NAN; i += PIECE) {
        double piece[PIECE];
        int64_t m = n - i < PIECE ? n - i : PIECE;
        wg_gather_range(&type, wg_node_stride(node), node->data, i, m, piece);
        int own = kind_of_values(type.dtype, piece, m);
        kind = own > kind ? own : kind;
    }
    return kind;
}

bool wg_node_finite(const wg_node *node) { return kind_of(node) == FINITE; }

/* Does it start here? Not what an operand had already: an infinity may have been meant (a mask), a NaN out of it was
 * not. */
static bool starts_at(const wg_tape *tape, const wg_node *node)
{
    int kind = kind_of(node);
    if (kind == FINITE || wg_node_is(node, WG_NODE_LEAF))
        return kind == HAS_NAN; /* an infinite leaf is meant */
    const uint32_t *in = wg_node_in(node);
    int worst = FINITE;
    for (int k = 0; k < node->n_in; k++) {
        int own = in[k] == WG_ABSENT ? FINITE : kind_of(wg_node_at(tape, in[k]));
        worst = own > worst ? own : worst;
    }
    return kind > worst;
}

uint32_t wg_first_nonfinite(const wg_tape *tape, uint32_t last, const unsigned char *among)
{
    for (uint32_t i = 0; i <= last; i++) {
        const wg_node *node = wg_node_at(tape, i);
        /* A view shows what its owner holds. */
        if ((!among || among[i - node->out]) && !wg_node_is(node, WG_NODE_VIEW) && starts_at(tape, node))
            return i;
    }
    return WG_NOWHERE;
}

bool wg_find_nonfinite(wg_tape *tape, wg_tensor *at)
{
    if (!tape || !at || !tape->nodes)
        return false;
    uint32_t i = wg_first_nonfinite(tape, tape->nodes - 1, NULL);
    if (i != WG_NOWHERE)
        *at = wg_node_tensor(tape, i);
    return i != WG_NOWHERE;
}
