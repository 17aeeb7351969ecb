/* det: the determinant by expansion along rows, without division. What is left of row r and of those below it by choosing
 * columns for the rows above are the minors of the last rows in all sets of as many columns, each of which is expanded once:
 *   minor(S) = sum over the i-th of S's columns j of (-1)^i A_rj minor(S without j) */
#include "gradbench.h"

#define MOST 16 /* rows: 2^l minors are computed */

static int size_of(unsigned set) { return __builtin_popcount(set); }

/* For each set of `size` of the l columns, in the order of their bits, its columns and the places of the sets without one of
 * them, in the same order among the smaller sets; row by row, [sets, size]. Returns the number of sets. */
static int64_t expansion(int l, int size, const int64_t *smaller, int64_t *place, int64_t *column, int64_t *without)
{
    int64_t sets = 0, at = 0;
    for (unsigned set = 0; set < 1u << l; set++) {
        if (size_of(set) != size)
            continue;
        place[set] = sets++;
        for (int j = 0; j < l; j++)
            if (set >> j & 1) {
                column[at] = j;
                without[at++] = smaller[set & ~(1u << j)];
            }
    }
    return sets;
}

static wg_tensor indices(problem *p, int64_t sets, int64_t size, const int64_t *at)
{
    return wg_array(p->tape, WG_INT64, WG_SHAPE(sets, size), at);
}

static wg_tensor determinant(problem *p, wg_tensor a, int l)
{
    size_t n = (size_t)1 << l;
    int64_t *place = room(p, (2 * n + 2 * (size_t)l * n) * sizeof *place);
    double sign[MOST];
    wg_tensor minors = wg_full(p->tape, WG_FLOAT64, WG_SHAPE(1), 1); /* of no rows */
    for (int size = 1; place && size <= l; size++) {
        int64_t *smaller = place + n * (size_t)(size & 1), *larger = place + n * (size_t)(~size & 1);
        int64_t *column = place + 2 * n, *without = column + (size_t)l * n;
        int64_t sets = expansion(l, size, smaller, larger, column, without);
        for (int i = 0; i < size; i++)
            sign[i] = i % 2 ? -1 : 1;
        wg_tensor signs = wg_array(p->tape, WG_FLOAT64, WG_SHAPE(size), sign);
        wg_tensor factors = wg_take(wg_select(a, 0, l - size), indices(p, sets, size, column), 0);
        wg_tensor rest = wg_take(minors, indices(p, sets, size, without), 0);
        minors = wg_sum(wg_multiply(wg_multiply(factors, signs), rest), .axis = WG_AXES(1));
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
    solved_by(p, wg_squeeze(determinant(p, wg_reshape(x, WG_SHAPE(l, l)), (int)l)));
}

const evaluation det_evaluations[] = {{"det", "primal", det, false}, {"det", "gradient", det, true}, {0}};
