/* Sparse derivatives: structures read off the tape against dense matrices, colourings against known chromatic numbers,
 * values against dense ones, costs counted in passes. */
#include <check.h>
#include <stdlib.h>
#include <wengert.h>

#include "tests/core/faults.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static wg_tape *tape;

static void set_up(void) { tape = wg_tape_new(); }
static void tear_down(void) { wg_tape_free(tape); }
static void no_error(void) { ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape)); }

static wg_tensor ramp(wg_tape *on, int n)
{
    double v[64];
    for (int i = 0; i < n; i++)
        v[i] = 0.3 + 0.17 * i - 0.01 * i * i;
    return wg_array(on, WG_FLOAT64, WG_SHAPE(n), v);
}

static wg_tensor from_to(wg_tensor x, int64_t start, int64_t stop) { return wg_narrow(x, 0, start, stop - start); }

/* ---- Functions and the entries their structures must have -------------------------------------------------------- */
static wg_tensor elementwise(wg_tensor x) { return wg_multiply(wg_sin(x), wg_exp(x)); }
static wg_tensor differences(wg_tensor x) { return wg_subtract(wg_square(from_to(x, 1, 12)), from_to(x, 0, 11)); }
static wg_tensor laplace(wg_tensor x) { return wg_diff(wg_sin(x), .n = 2); }
static wg_tensor broadcast(wg_tensor x)
{
    return wg_multiply(wg_reshape(from_to(x, 0, 3), WG_SHAPE(3, 1)), wg_reshape(from_to(x, 3, 7), WG_SHAPE(1, 4)));
}
static wg_tensor row_sums(wg_tensor x) { return wg_mean(wg_square(wg_reshape(x, WG_SHAPE(3, 4))), .axis = 1); }
static wg_tensor turned(wg_tensor x) { return wg_exp(wg_matrix_transpose(wg_reshape(x, WG_SHAPE(3, 4)))); }
static wg_tensor joined(wg_tensor x) { return wg_concat(WG_TENSORS(wg_flip(x, .axis = 0), wg_square(x))); }
static wg_tensor taken(wg_tensor x)
{
    wg_tensor at = wg_array(x.tape, WG_INT64, WG_SHAPE(5), ((int64_t[]){3, 3, 0, 11, 5}));
    return wg_square(wg_take(x, at, 0));
}
static wg_tensor summed_up(wg_tensor x) { return wg_cumulative_sum(x, 0); }
static wg_tensor product(wg_tensor x)
{
    wg_tensor a = wg_reshape(from_to(x, 0, 6), WG_SHAPE(3, 2)), b = wg_reshape(from_to(x, 6, 12), WG_SHAPE(2, 3));
    return wg_matmul(a, b);
}
static wg_tensor batched(wg_tensor x)
{
    wg_tensor w = wg_full(x.tape, WG_FLOAT64, WG_SHAPE(2, 2), 0.5);
    return wg_matmul(wg_reshape(x, WG_SHAPE(6, 2)), w);
}
static wg_tensor softmaxed(wg_tensor x) { return wg_softmax(from_to(x, 0, 4), .axis = 0); }
static wg_tensor rolled(wg_tensor x) { return wg_add(x, wg_roll(x, .shift = 1, .axis = 0)); }
static wg_tensor picked(wg_tensor x) { return wg_where(wg_greater(x, 0.5), wg_square(x), wg_flip(x, .axis = 0)); }
static wg_tensor stopped(wg_tensor x) { return wg_multiply(x, wg_stop_gradient(wg_flip(x, .axis = 0))); }
static wg_tensor scalar_times(wg_tensor x) { return wg_multiply(wg_select(x, 0, 0), wg_square(x)); }
static wg_tensor padded(wg_tensor x) { return wg_stack(WG_TENSORS(x, wg_multiply(2, x)), .axis = 1); }
static wg_tensor strided(wg_tensor x)
{
    wg_tensor even = wg_slice(x, .step = WG_INTS(2)), odd = wg_slice(x, .start = WG_INTS(1), .step = WG_INTS(2));
    return wg_multiply(even, odd);
}

static const struct {
    const char *name;
    wg_tensor (*of)(wg_tensor x);
    int entries; /* of the structure, x of 12 elements */
} functions[] = {
    {"elementwise", elementwise, 12}, {"differences", differences, 22}, {"laplace", laplace, 30},
    {"broadcast", broadcast, 24},     {"row_sums", row_sums, 12},       {"turned", turned, 12},
    {"joined", joined, 24},           {"taken", taken, 5},              {"summed_up", summed_up, 78},
    {"product", product, 36},         {"batched", batched, 24},         {"softmax", softmaxed, 16},
    {"rolled", rolled, 24},           {"picked", picked, 24},           {"stopped", stopped, 12},
    {"scalar_times", scalar_times, 23}, {"padded", padded, 24},         {"strided", strided, 12},
};

static const wg_coloring colorings[] = {WG_COLORING_FEWEST, WG_COLORING_COLUMNS, WG_COLORING_ROWS, WG_COLORING_BOTH};

/* The sparse values put into place are the dense matrix. */
static void same_matrix(const wg_sparse *s, wg_tensor dense, const char *name)
{
    double *whole = calloc((size_t)(s->rows * s->columns) + 1, sizeof *whole);
    for (int64_t k = 0; k < s->n; k++)
        whole[s->row[k] * s->columns + s->column[k]] = wg_element(s->values, k);
    ck_assert_int_eq(wg_size(dense), s->rows * s->columns);
    for (int64_t i = 0; i < s->rows * s->columns; i++)
        ck_assert_msg(fabs(whole[i] - wg_element(dense, i)) <= 1e-12 * (1 + fabs(whole[i])), "%s (%d, %d): %g, not %g",
                      name, (int)(i / s->columns), (int)(i % s->columns), whole[i], wg_element(dense, i));
    free(whole);
}

START_TEST(a_jacobian_by_every_colouring_is_the_dense_one)
{
    wg_tensor x = ramp(tape, 12), y = functions[_i].of(x), dense;
    wg_jacobian(&y, 1, &x, 1, &dense);
    for (int k = 0; k < COUNT(colorings); k++)
        for (int record = 0; record < 2; record++) {
            wg_sparsity *s = wg_jacobian_sparsity(&y, 1, &x, 1, .coloring = colorings[k]);
            wg_sparse j;
            ck_assert_int_eq(wg_sparse_jacobian(s, &y, 1, &x, 1, &j, .create_graph = record), WG_OK);
            no_error();
            same_matrix(&j, dense, functions[_i].name);
            ck_assert_msg(j.n == functions[_i].entries, "%s: %d entries", functions[_i].name, (int)j.n);
        }
}
END_TEST

START_TEST(rows_and_columns_ascend_and_csr_is_coo)
{
    wg_tensor x = ramp(tape, 12), y = joined(x);
    wg_sparse p = wg_sparsity_pattern(wg_jacobian_sparsity(&y, 1, &x, 1));
    ck_assert_int_eq(p.start[0], 0);
    ck_assert_int_eq(p.start[p.rows], p.n);
    for (int64_t r = 0; r < p.rows; r++)
        for (int64_t k = p.start[r]; k < p.start[r + 1]; k++) {
            ck_assert_int_eq(p.row[k], r);
            ck_assert(k == p.start[r] || p.column[k] > p.column[k - 1]);
        }
    ck_assert(wg_is_none(p.values));
}
END_TEST

START_TEST(several_outputs_and_inputs_are_one_matrix)
{
    wg_tensor x = ramp(tape, 4), h = wg_sin(x), z = ramp(tape, 2), xs[] = {z, h, x};
    wg_tensor ys[] = {wg_multiply(h, x), wg_exp(z), wg_full(tape, WG_FLOAT64, WG_SHAPE(2), 1)}, dense[9];
    wg_jacobian(ys, 3, xs, 3, dense);
    wg_sparsity *s = wg_jacobian_sparsity(ys, 3, xs, 3);
    wg_sparse j;
    ck_assert_int_eq(wg_sparse_jacobian(s, ys, 3, xs, 3, &j), WG_OK);
    no_error();
    ck_assert_int_eq(j.rows, 8);
    ck_assert_int_eq(j.columns, 10);
    ck_assert_int_eq(j.n, 10);
    for (int64_t k = 0; k < j.n; k++) {
        int64_t r = j.row[k], c = j.column[k];
        int i = r < 4 ? 0 : 1, l = c < 2 ? 0 : c < 6 ? 1 : 2;
        int64_t width = l == 0 ? 2 : 4, at = (r - (i ? 4 : 0)) * width + c - (l == 0 ? 0 : l == 1 ? 2 : 6);
        ck_assert_double_eq_tol(wg_element(j.values, k), wg_element(dense[3 * i + l], at), 1e-15);
    }
}
END_TEST

START_TEST(float32_has_a_structure_too)
{
    wg_tensor x = wg_cast(ramp(tape, 12), .dtype = WG_FLOAT32), y = laplace(x), dense;
    wg_sparse j;
    wg_jacobian(&y, 1, &x, 1, &dense, .by = WG_BY_COLUMNS);
    ck_assert_int_eq(wg_sparse_jacobian(wg_jacobian_sparsity(&y, 1, &x, 1), &y, 1, &x, 1, &j), WG_OK);
    ck_assert_int_eq(j.n, 30);
    same_matrix(&j, dense, "laplace");
}
END_TEST

START_TEST(recorded_values_have_gradients)
{
    wg_tensor x = ramp(tape, 4), y = wg_sin(x), g;
    wg_sparse j;
    wg_sparse_jacobian(wg_jacobian_sparsity(&y, 1, &x, 1), &y, 1, &x, 1, &j, .create_graph = true);
    wg_grad(wg_sum(wg_square(j.values)), &x, 1, &g);
    ck_assert_double_eq_tol(wg_element(g, 2), -sin(2 * wg_element(x, 2)), 1e-15);
    no_error();
}
END_TEST

START_TEST(a_matrix_without_entries)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(0), NULL), y = wg_exp(x), z = ramp(tape, 3);
    wg_sparse j;
    ck_assert_int_eq(wg_sparse_jacobian(wg_jacobian_sparsity(&y, 1, &x, 1), &y, 1, &x, 1, &j), WG_OK);
    ck_assert_int_eq(j.n, 0);
    wg_sparsity *s = wg_jacobian_sparsity(&z, 1, &x, 1);
    ck_assert_int_eq(wg_sparse_jacobian(s, &z, 1, &x, 1, &j, .create_graph = true), WG_OK);
    ck_assert_int_eq(wg_size(j.values), 0);
    ck_assert_int_eq(wg_forward_passes(s) + wg_backward_passes(s), 0);
    no_error();
}
END_TEST

/* ---- Hessians ---------------------------------------------------------------------------------------------------- */
/* sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2 */
static wg_tensor rosenbrock(wg_tensor x)
{
    int64_t n = wg_size(x);
    wg_tensor a = from_to(x, 0, n - 1), b = from_to(x, 1, n);
    return wg_sum(wg_add(wg_multiply(100, wg_square(wg_subtract(b, wg_square(a)))), wg_square(wg_subtract(1, a))));
}
static wg_tensor arrow(wg_tensor x) { return wg_sum(wg_multiply(wg_exp(x), wg_select(x, 0, 3))); }
static wg_tensor grid(wg_tensor x)
{
    wg_tensor u = wg_reshape(x, WG_SHAPE(3, 4));
    wg_tensor right = wg_subtract(wg_narrow(u, 1, 1, 3), wg_narrow(u, 1, 0, 3));
    wg_tensor down = wg_subtract(wg_narrow(u, 0, 1, 2), wg_narrow(u, 0, 0, 2));
    return wg_add(wg_sum(wg_exp(right)), wg_sum(wg_exp(down)));
}
static wg_tensor blocks(wg_tensor x) { return wg_sum(wg_exp(wg_sum(wg_reshape(x, WG_SHAPE(4, 3)), .axis = 1))); }
static wg_tensor separable(wg_tensor x) { return wg_sum(wg_exp(x)); }
static wg_tensor full(wg_tensor x) { return wg_square(wg_sum(wg_sin(x))); }
static wg_tensor affine(wg_tensor x) { return wg_sum(wg_multiply(x, 3)); }

static const struct {
    const char *name;
    wg_tensor (*of)(wg_tensor x);
    int entries, star, acyclic;
} hessians[] = {{"rosenbrock", rosenbrock, 34, 3, 2}, {"arrow", arrow, 34, 2, 2}, {"grid", grid, 46, 5, 4},
                {"blocks", blocks, 36, 3, 3},         {"separable", separable, 12, 1, 1}, {"full", full, 144, 12, 12},
                {"affine", affine, 0, 0, 0}};

START_TEST(a_hessian_by_star_and_acyclic_colouring_is_the_dense_one)
{
    wg_tensor x = ramp(tape, 12), y = hessians[_i].of(x), dense;
    wg_hessian(y, &x, 1, &dense);
    wg_sparsity *star = wg_hessian_sparsity(y, &x, 1);
    wg_sparsity *acyclic = wg_hessian_sparsity(y, &x, 1, .coloring = WG_COLORING_ACYCLIC);
    wg_sparse h;
    ck_assert_int_eq(wg_sparse_hessian(star, y, &x, 1, &h), WG_OK);
    no_error();
    same_matrix(&h, dense, hessians[_i].name);
    ck_assert_msg(h.n == hessians[_i].entries, "%s: %d entries", hessians[_i].name, (int)h.n);
    ck_assert_int_eq(wg_sparse_hessian(star, y, &x, 1, &h, .create_graph = true), WG_OK);
    same_matrix(&h, dense, hessians[_i].name);
    ck_assert_int_eq(wg_sparse_hessian(acyclic, y, &x, 1, &h), WG_OK);
    same_matrix(&h, dense, hessians[_i].name);
    no_error();
    ck_assert_msg(wg_forward_passes(star) <= hessians[_i].star && wg_forward_passes(acyclic) <= hessians[_i].acyclic,
                  "%s: star %d, acyclic %d", hessians[_i].name, wg_forward_passes(star), wg_forward_passes(acyclic));
}
END_TEST

/* One gradient and one forward pass over it a colour: at twice a gradient each, 7 of them. */
START_TEST(rosenbrocks_hessian_costs_three_passes_over_its_gradient)
{
    double v[1000];
    for (int i = 0; i < 1000; i++)
        v[i] = i % 2 ? 1 : -1.2;
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(1000), v), y = rosenbrock(x);
    wg_sparsity *s = wg_hessian_sparsity(y, &x, 1);
    ck_assert_int_eq(wg_forward_passes(s), 3);
    ck_assert_int_eq(wg_backward_passes(s), 0);
    wg_sparse h;
    ck_assert_int_eq(wg_sparse_hessian(s, y, &x, 1, &h), WG_OK);
    for (int64_t k = 0; k < h.n; k++) {
        int64_t r = h.row[k], c = h.column[k];
        double below = r > 0 ? 200 : 0, own = r < 999 ? 1200 * v[r] * v[r] - 400 * v[r + (r < 999)] + 2 : 0;
        double value = r == c ? below + own : -400 * v[r < c ? r : c];
        ck_assert_double_eq_tol(wg_element(h.values, k), value, 1e-10);
    }
    ck_assert_int_eq(h.n, 2998);
}
END_TEST

/* ---- Colourings of known chromatic number ------------------------------------------------------------------------ */
enum { MOST = 200000 };
static int64_t rows[MOST], columns[MOST];
static int64_t entries;

static void entry(int64_t r, int64_t c)
{
    rows[entries] = r;
    columns[entries++] = c;
}

static void banded(int64_t n, int64_t below, int64_t above)
{
    entries = 0;
    for (int64_t r = 0; r < n; r++)
        for (int64_t c = r - below; c <= r + above; c++)
            if (c >= 0 && c < n)
                entry(r, c);
}

static void arrow_of(int64_t n, int64_t wings)
{
    entries = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t w = 0; w < wings; w++) {
            entry(i, w);
            entry(w, i);
        }
    for (int64_t i = wings; i < n; i++)
        entry(i, i);
}

static void five_point(int64_t n)
{
    entries = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            entry(i * n + j, i * n + j);
            for (int k = 0; k < 4; k++) {
                int64_t a = i + (k == 0) - (k == 1), b = j + (k == 2) - (k == 3);
                if (a >= 0 && a < n && b >= 0 && b < n)
                    entry(i * n + j, a * n + b);
            }
        }
}

static void block_diagonal(int64_t n, int64_t size)
{
    entries = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i / size * size; j < (i / size + 1) * size && j < n; j++)
            entry(i, j);
}

static int passes(int64_t n, wg_coloring coloring, bool symmetric)
{
    wg_sparsity *s = wg_sparsity_new(tape, n, n, entries, rows, columns, .coloring = coloring, .symmetric = symmetric);
    ck_assert_ptr_nonnull(s);
    int sum = wg_forward_passes(s) + wg_backward_passes(s);
    ck_assert_int_ge(sum, 0);
    return sum;
}

START_TEST(banded_matrices_take_their_width)
{
    for (int64_t below = 0; below < 4; below++)
        for (int64_t above = 0; above < 4; above++) {
            banded(1000, below, above);
            for (int k = 0; k < 3; k++)
                ck_assert_int_eq(passes(1000, colorings[k], false), below + above + 1);
        }
    banded(1000, 1, 1); /* a path: star 3, acyclic 2 */
    ck_assert_int_eq(passes(1000, WG_COLORING_STAR, true), 3);
    ck_assert_int_eq(passes(1000, WG_COLORING_ACYCLIC, true), 2);
    banded(1000, 2, 2); /* half a band and 1 more: acyclic 3 */
    ck_assert_int_eq(passes(1000, WG_COLORING_ACYCLIC, true), 3);
    ck_assert_int_le(passes(1000, WG_COLORING_STAR, true), 5);
}
END_TEST

START_TEST(arrows_take_a_pass_for_each_wing_and_one_more)
{
    arrow_of(1000, 1);
    ck_assert_int_eq(passes(1000, WG_COLORING_COLUMNS, false), 1000);
    ck_assert_int_eq(passes(1000, WG_COLORING_ROWS, false), 1000);
    ck_assert_int_eq(passes(1000, WG_COLORING_BOTH, false), 3);
    ck_assert_int_eq(passes(1000, WG_COLORING_FEWEST, false), 3);
    ck_assert_int_eq(passes(1000, WG_COLORING_STAR, true), 2);
    ck_assert_int_eq(passes(1000, WG_COLORING_ACYCLIC, true), 2);
    arrow_of(1000, 3);
    ck_assert_int_eq(passes(1000, WG_COLORING_FEWEST, false), 7);
    ck_assert_int_eq(passes(1000, WG_COLORING_STAR, true), 4);
}
END_TEST

/* Columns: 5, by (i + 2 j) mod 5. Star: 5, acyclic: 3 (Fertin et al. 2004). */
START_TEST(the_five_point_grid_is_near_its_chromatic_number)
{
    five_point(50);
    ck_assert_int_le(passes(2500, WG_COLORING_FEWEST, false), 6);
    ck_assert_int_le(passes(2500, WG_COLORING_STAR, true), 6);
    ck_assert_int_le(passes(2500, WG_COLORING_ACYCLIC, true), 4);
}
END_TEST

START_TEST(block_diagonals_take_a_block)
{
    for (int size = 1; size < 8; size++) {
        block_diagonal(840, size);
        ck_assert_int_eq(passes(840, WG_COLORING_FEWEST, false), size);
        ck_assert_int_eq(passes(840, WG_COLORING_BOTH, false), size);
        ck_assert_int_eq(passes(840, WG_COLORING_STAR, true), size);
        ck_assert_int_eq(passes(840, WG_COLORING_ACYCLIC, true), size);
    }
}
END_TEST

/* A random matrix of every kind, coloured, compressed and recovered: the linear map itself is the function. */
START_TEST(random_structures_are_recovered)
{
    enum { n = 12 };
    double a[n * n];
    uint64_t state = (uint64_t)_i * 2654435761u + 1;
    wg_tensor x = ramp(tape, n), dense;
    for (int k = 0; k < n * n; k++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        a[k] = (int)(state >> 60) < 1 + _i % 8 ? 1 + k : 0;
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            a[n * i + j] = a[n * j + i];
    entries = 0;
    for (int k = 0; k < n * n; k++)
        if (a[k] != 0)
            entry(k / n, k % n);
    wg_tensor m = wg_array(tape, WG_FLOAT64, WG_SHAPE(n, n), a), y = wg_matmul(m, x), q = wg_sum(wg_multiply(x, y));
    wg_jacobian(&y, 1, &x, 1, &dense);
    for (int k = 0; k < COUNT(colorings); k++) {
        wg_sparsity *s = wg_sparsity_new(tape, n, n, entries, rows, columns, .coloring = colorings[k]);
        wg_sparse j;
        ck_assert_int_eq(wg_sparse_jacobian(s, &y, 1, &x, 1, &j), WG_OK);
        same_matrix(&j, dense, "jacobian");
    }
    for (int acyclic = 0; acyclic < 2; acyclic++) {
        wg_sparsity *s = wg_sparsity_new(tape, n, n, entries, rows, columns, .symmetric = true,
                                         .coloring = acyclic ? WG_COLORING_ACYCLIC : WG_COLORING_STAR);
        wg_sparse h;
        ck_assert_int_eq(wg_sparse_hessian(s, q, &x, 1, &h), WG_OK);
        same_matrix(&h, wg_multiply(dense, 2), acyclic ? "acyclic" : "star");
    }
    no_error();
}
END_TEST

/* ---- What must not be quadratic ---------------------------------------------------------------------------------- */
START_TEST(a_banded_jacobian_of_a_million_rows)
{
    enum { N = 1000000 };
    wg_tensor x = wg_full(tape, WG_FLOAT64, WG_SHAPE(N), 0.5);
    wg_tensor y = wg_add(wg_multiply(from_to(x, 0, N - 2), from_to(x, 1, N - 1)), wg_sin(from_to(x, 2, N)));
    wg_sparsity *s = wg_jacobian_sparsity(&y, 1, &x, 1);
    ck_assert_int_eq(wg_forward_passes(s), 3);
    ck_assert_int_eq(wg_backward_passes(s), 0);
    wg_sparse j;
    ck_assert_int_eq(wg_sparse_jacobian(s, &y, 1, &x, 1, &j), WG_OK);
    ck_assert_int_eq(j.n, 3 * (N - 2));
    ck_assert_double_eq(wg_element(j.values, 0), 0.5);
    ck_assert_double_eq(wg_element(j.values, j.n - 1), cos(0.5));
    no_error();
}
END_TEST

START_TEST(a_vertex_that_all_others_see_makes_nothing_quadratic)
{
    enum { N = 60000 };
    arrow_of(N, 1);
    ck_assert_int_eq(passes(N, WG_COLORING_FEWEST, false), 3);
    ck_assert_int_eq(passes(N, WG_COLORING_STAR, true), 2);
    ck_assert_int_eq(passes(N, WG_COLORING_ACYCLIC, true), 2);
}
END_TEST

/* ---- Refused ----------------------------------------------------------------------------------------------------- */
static void refused(wg_status expected, const char *words)
{
    ck_assert_int_eq(wg_error_status(tape), expected);
    ck_assert_msg(strstr(wg_error(tape), words) != NULL, "%s", wg_error(tape));
    ck_assert_msg(strstr(wg_error(tape), "test_sparse.c:") != NULL, "%s", wg_error(tape));
    wg_clear_error(tape);
}

START_TEST(what_has_no_structure_is_refused)
{
    wg_tensor x = ramp(tape, 4), y = wg_exp(x), q = wg_sum(y), twice[] = {x, x};
    wg_tensor whole = wg_array(tape, WG_INT64, WG_SHAPE(4), NULL);
    ck_assert_ptr_null(wg_jacobian_sparsity(&y, 1, twice, 2));
    refused(WG_ERROR_VALUE, "input 1 is input 0");
    ck_assert_ptr_null(wg_jacobian_sparsity(&y, 1, &whole, 1));
    refused(WG_ERROR_DTYPE, "input 0 is int64");
    ck_assert_ptr_null(wg_jacobian_sparsity(&y, 1, &x, 1, .coloring = WG_COLORING_STAR));
    refused(WG_ERROR_VALUE, "COLUMNS, ROWS or BOTH");
    ck_assert_ptr_null(wg_hessian_sparsity(q, &x, 1, .coloring = WG_COLORING_ROWS));
    refused(WG_ERROR_VALUE, "STAR or ACYCLIC");
    ck_assert_ptr_null(wg_hessian_sparsity(y, &x, 1));
    refused(WG_ERROR_SHAPE, "only a single number");
    WG_NO_GRAD(tape) ck_assert_ptr_null(wg_hessian_sparsity(q, &x, 1));
    refused(WG_ERROR_UNSUPPORTED, "WG_NO_GRAD");
    ck_assert_ptr_null(wg_jacobian_sparsity(&WG_NONE, 1, &x, 1));
    ck_assert_ptr_null(wg_hessian_sparsity(WG_NONE, &x, 1));
    ck_assert_ptr_null(wg_sparsity_new(NULL, 1, 1, 0, NULL, NULL));
    ck_assert_ptr_null(wg_sparsity_new(tape, 2, 3, 0, NULL, NULL, .symmetric = true));
    refused(WG_ERROR_SHAPE, "2 rows, 3 columns");
    ck_assert_ptr_null(wg_sparsity_new(tape, 2, 3, 1, NULL, NULL));
    refused(WG_ERROR_VALUE, "are NULL");
    ck_assert_ptr_null(wg_sparsity_new(tape, 2, 3, 1, ((int64_t[]){1}), ((int64_t[]){3})));
    refused(WG_ERROR_INDEX, "entry 0 is (1, 3)");
    ck_assert_int_eq(wg_sparsity_pattern(NULL).n, 0);
    ck_assert_int_eq(wg_column_color(NULL, 0), -1);
}
END_TEST

START_TEST(a_structure_of_something_else_is_refused)
{
    wg_tensor x = ramp(tape, 4), y = wg_exp(x), q = wg_sum(y), z = wg_exp(ramp(tape, 3));
    wg_sparsity *j = wg_jacobian_sparsity(&y, 1, &x, 1);
    wg_sparsity *h = wg_hessian_sparsity(rosenbrock(x), &x, 1, .coloring = WG_COLORING_ACYCLIC);
    wg_sparse out;
    ck_assert_int_eq(wg_sparse_jacobian(NULL, &y, 1, &x, 1, &out), WG_ERROR_VALUE);
    refused(WG_ERROR_VALUE, "the sparsity is NULL");
    ck_assert(wg_is_invalid(out.values));
    wg_sparse_jacobian(h, &y, 1, &x, 1, &out);
    refused(WG_ERROR_VALUE, "is a Hessian's");
    wg_sparse_hessian(j, q, &x, 1, &out);
    refused(WG_ERROR_VALUE, "is a Jacobian's");
    wg_sparse_jacobian(j, &z, 1, &x, 1, &out);
    refused(WG_ERROR_SHAPE, "the sparsity is [4, 4], the matrix [3, 4]");
    wg_sparse_hessian(h, q, &x, 1, &out, .create_graph = true);
    refused(WG_ERROR_UNSUPPORTED, "colour it STAR");
    wg_tape *other = wg_tape_new();
    wg_tensor v = ramp(other, 4), w = wg_exp(v);
    ck_assert_int_eq(wg_sparse_jacobian(j, &w, 1, &v, 1, &out), WG_ERROR_VALUE);
    wg_tape_free(other);
    ck_assert_int_eq(wg_sparse_jacobian(j, &WG_NONE, 1, &x, 1, &out), WG_ERROR_VALUE);
    ck_assert_int_eq(wg_sparse_hessian(h, WG_NONE, &x, 1, &out), WG_ERROR_VALUE);
}
END_TEST

/* ---- Memory that runs out ---------------------------------------------------------------------------------------- */
static bool everything(wg_tape *on, double *sum)
{
    wg_tensor x = ramp(on, 12);
    wg_mark start = wg_tape_mark(on);
    for (int k = 0; k < COUNT(functions) && !wg_failed(on); k++, wg_rewind(on, start)) {
        wg_tensor y = functions[k].of(x);
        wg_sparse j;
        wg_sparsity *s = wg_jacobian_sparsity(&y, 1, &x, 1);
        if (s && !wg_sparse_jacobian(s, &y, 1, &x, 1, &j, .create_graph = k % 2))
            *sum += wg_element(j.values, j.n - 1);
    }
    wg_tensor y = grid(x);
    for (int acyclic = 0; acyclic < 2; acyclic++) {
        wg_sparse h;
        wg_sparsity *s = wg_hessian_sparsity(y, &x, 1, .coloring = acyclic ? WG_COLORING_ACYCLIC : WG_COLORING_STAR);
        if (s && !wg_sparse_hessian(s, y, &x, 1, &h))
            *sum += wg_element(h.values, 3);
    }
    return !wg_failed(on);
}

START_TEST(memory_that_runs_out_is_an_error_and_nothing_worse)
{
    double whole = 0;
    ck_assert(everything(tape, &whole));
    for (size_t fail_at = 1, more = 1; more; fail_at++) {
        faults f = {.fail_at = fail_at, .from_there = _i == 1};
        double sum = 0;
        wg_tape *poor = wg_tape_new(.memory = faults_memory(&f));
        if (poor && everything(poor, &sum))
            ck_assert_double_eq(sum, whole);
        else if (poor)
            ck_assert_msg(wg_error_status(poor) == WG_ERROR_MEMORY, "%s", wg_error(poor));
        more = f.failed;
        wg_tape_free(poor);
        ck_assert_uint_eq(f.blocks, 0);
        ck_assert_uint_eq(f.misused, 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sparse");
    TCase *tests = tcase_create("sparse");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, a_jacobian_by_every_colouring_is_the_dense_one, 0, COUNT(functions));
    tcase_add_loop_test(tests, a_hessian_by_star_and_acyclic_colouring_is_the_dense_one, 0, COUNT(hessians));
    tcase_add_loop_test(tests, random_structures_are_recovered, 0, 80);
    tcase_add_loop_test(tests, memory_that_runs_out_is_an_error_and_nothing_worse, 0, 2);
    const TTest *each[] = {rows_and_columns_ascend_and_csr_is_coo, several_outputs_and_inputs_are_one_matrix,
                           float32_has_a_structure_too, recorded_values_have_gradients, a_matrix_without_entries,
                           rosenbrocks_hessian_costs_three_passes_over_its_gradient, banded_matrices_take_their_width,
                           arrows_take_a_pass_for_each_wing_and_one_more,
                           the_five_point_grid_is_near_its_chromatic_number, block_diagonals_take_a_block,
                           a_banded_jacobian_of_a_million_rows, a_vertex_that_all_others_see_makes_nothing_quadratic,
                           what_has_no_structure_is_refused, a_structure_of_something_else_is_refused};
    for (int i = 0; i < COUNT(each); i++)
        tcase_add_test(tests, each[i]);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
