/* det: the determinant by expansion along rows, without division. What is left of row r and of those below it by
 * choosing columns for the rows above are the minors of the last rows in all sets of as many columns, each of which is
 * expanded once: minor(S) = sum over the i-th of S's columns j of (-1)^i A_rj minor(S without j) */
#include "gradbench.h"

#define MOST 16 /* rows: 2^l minors are computed */

static int size_of(unsigned set) { return __builtin_popcount(set); }

/* For each set of `size` of the l columns, in the order of their bits: where in [A, -A] its factors are, with their
 * signs, and the places of the sets without one of its columns among the smaller sets; both [size, sets]. Returns the
 * number of sets. */
static int64_t expansion(int l, int size, const int64_t *smaller, int64_t *place, int64_t *factor, int64_t *without)
{
    int64_t sets = 0, all = 0;
    for (unsigned set = 0; set < 1u << l; set++)
        if (size_of(set) == size)
            place[set] = all++;
    for (unsigned set = 0; set < 1u << l; set++) {
        int64_t i = 0;
        for (int j = 0; size_of(set) == size && j < l; j++)
            if (set >> j & 1) {
                factor[i * all + sets] = (i % 2 * l + l - size) * l + j;
                without[i++ * all + sets] = smaller[set & ~(1u << j)];
            }
        sets += size_of(set) == size;
    }
    return sets;
}

static wg_tensor indices(problem *p, int64_t size, int64_t sets, const int64_t *at)
{
    return wg_array(p->tape, WG_INT64, WG_SHAPE(size, sets), at);
}

/* Of the l rows of a. */
static wg_tensor determinant(problem *p, wg_tensor a, int l)
{
    size_t n = (size_t)1 << l;
    int64_t *place = room(p, (2 * n + 2 * (size_t)l * n) * sizeof *place);
    wg_tensor both = wg_concat(WG_TENSORS(a, wg_negative(a)));
    wg_tensor minors = wg_full(p->tape, WG_FLOAT64, WG_SHAPE(1), 1); /* of no rows */
    for (int size = 1; place && size <= l; size++) {
        int64_t *smaller = place + n * (size_t)(size & 1), *larger = place + n * (size_t)(~size & 1);
        int64_t *factor = place + 2 * n, *without = factor + (size_t)l * n;
        int64_t sets = expansion(l, size, smaller, larger, factor, without);
        wg_tensor factors = wg_take(both, indices(p, size, sets, factor), 0);
        wg_tensor rest = wg_take(minors, indices(p, size, sets, without), 0);
        minors = wg_sum(wg_multiply(factors, rest), .axis = 0);
    }
    return place ? minors : WG_INVALID;
}

static void det(problem *p)
{
    wg_tensor x = variable(p, "A", 1);
    int64_t l = whole(p, "ell");
    if (l < 1 || l > MOST) {
        wg_report(p->tape, "gradbench", WG_ERROR_VALUE, "%lld rows; at most %d", (long long)l, MOST);
        return;
    }
    if (wg_size(x) == l * l)
        solved_by(p, wg_squeeze(determinant(p, x, (int)l)));
    else
        wg_report(p->tape, "gradbench", WG_ERROR_SHAPE, "\"A\" has %lld elements, not %lld", (long long)wg_size(x),
                  (long long)(l * l));
}

const evaluation det_evaluations[] = {{"det", "primal", det, false}, {"det", "gradient", det, true}, {0}};
