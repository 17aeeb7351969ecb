/* The gradient's own rounding, measured: at inputs that differ in their last digit, for a cotangent that is a little
 * longer, it is the same but for its rounding and its conditioning. (J. Vignes, "A stochastic arithmetic for reliable
 * scientific computation", Math. Comput. Simul. 35 (1993) 233.) */
#include "graph/checking.h"

#include <float.h>

#include "wengert/derivatives.h"

#define TIMES 2
#define JUMP 1e-3 /* a relative difference above this is another branch, not noise */

static double eps_of(wg_dtype dtype) { return dtype == WG_FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON; }

/* Input `at`, each element an ulp up or down, or left. */
static wg_tensor shaken(const wg_checking *k, int at, uint64_t stream)
{
    wg_type type = wg_type_of(k->inputs[at]);
    wg_tensor copy = wg_leaf(k->tape, &type, NULL, 0, "wg_check_grad");
    if (!wg_is_tensor(copy) || (wg_copy_out)(k->inputs[at], wg_node_at(k->tape, copy.node)->data))
        return wg_invalid_on(k->tape);
    unsigned char *to = wg_node_at(k->tape, copy.node)->data;
    for (int64_t i = 0, n = wg_type_count(&type); i < n; i++, to += wg_dtype_size(type.dtype)) {
        uint32_t w[4];
        wg_philox(k->seed, stream, (uint64_t)i, w);
        wg_store_number(type.dtype, wg_load_number(type.dtype, to) * (1 + (w[0] % 3 - 1.0) * eps_of(type.dtype)), to);
    }
    return copy;
}

/* The gradient at shaken inputs, times `by`. */
static bool measured(const wg_checking *k, double by, uint64_t stream, wg_tensor *grad)
{
    wg_check_graph graph;
    for (int i = 0; i < k->n; i++)
        graph.x[i] = shaken(k, i, stream + (uint64_t)i);
    graph.y = k->f(graph.x, k->o->user);
    if (k->tape->status || !wg_is_tensor(graph.y) || wg_size(graph.y) != k->outputs)
        return false;
    wg_type type = wg_type_of(graph.y);
    wg_tensor g = wg_leaf(k->tape, &type, NULL, 0, "wg_check_grad");
    unsigned char *to = wg_is_tensor(g) ? wg_node_at(k->tape, g.node)->data : NULL;
    for (int64_t i = 0; to && i < k->outputs; i++)
        wg_store_number(type.dtype, by * k->weight[i], to + (size_t)i * wg_dtype_size(type.dtype));
    return to && !wg_check_pull(k, &graph, g, grad);
}

static void compared(const wg_checking *k, double by, const wg_tensor *grad, const wg_tensor *again, double **noise)
{
    for (int i = 0; i < k->n; i++) {
        double most = 0;
        int64_t n = wg_size(k->inputs[i]);
        for (int64_t j = 0; j < n; j++)
            most = fmax(most, fabs((wg_element)(grad[i], j)));
        for (int64_t j = 0; j < n; j++) {
            double off = fabs((wg_element)(again[i], j) / by - (wg_element)(grad[i], j));
            if (off <= JUMP * most)
                noise[i][j] = fmax(noise[i][j], off);
        }
    }
}

bool wg_check_noise(const wg_checking *k, const wg_tensor *grad, double **noise)
{
    static const double by[TIMES] = {1.1, 0.7};
    for (int i = 0; i < k->n; i++) {
        size_t bytes = (size_t)wg_size(k->inputs[i]) * sizeof(double);
        noise[i] = wg_arena(k->tape, bytes + 1);
        if (!noise[i])
            return false;
        memset(noise[i], 0, bytes);
    }
    for (int t = 0; t < TIMES; t++) {
        wg_mark before = wg_tape_mark(k->tape);
        wg_tensor again[WG_CHECK_INPUTS];
        if (measured(k, by[t], 2000 + (uint64_t)(t * WG_CHECK_INPUTS), again))
            compared(k, by[t], grad, again, noise);
        bool forgiven = wg_check_forgive(k->tape);
        wg_rewind(k->tape, before);
        if (!forgiven)
            return false;
    }
    return true;
}
