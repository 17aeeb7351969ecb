/* Scans against the loop they stand for: values and derivatives of both orders, however much is computed again; how
 * often the rounds run, and the memory they take, as the binomial schedule says. */
#include "core/faults.h"

#include <check.h>
#include <wengert.h>

static wg_tape *tape;
static wg_tensor w, bias[4]; /* parameters that bodies capture */
static const double w_values[9] = {0.3, -0.2, 0.5, 0.1, 0.4, -0.6, -0.3, 0.2, 0.7};
static const double x_values[3] = {0.5, -1.2, 0.8};
static int calls;
enum { ROUNDS = 11 };
static double rows[3 * ROUNDS];

static wg_tensor vector(const double *values) { return wg_array(tape, WG_FLOAT64, WG_SHAPE(3), values); }

static void parameters(void)
{
    w = wg_param(tape, "w", WG_SHAPE(3, 3), .dtype = WG_FLOAT64, .data = w_values);
    static const char *const names[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++)
        bias[i] = wg_param(tape, names[i], WG_SHAPE(3), .dtype = WG_FLOAT64, .data = w_values + i);
}

static void set_up(void)
{
    tape = wg_tape_new(.seed = 7);
    parameters();
    calls = 0;
    for (int i = 0; i < 3 * ROUNDS; i++)
        rows[i] = 0.1 * (i % 7) - 0.3 + 0.01 * i;
}
static void tear_down(void) { wg_tape_free(tape); }

static void no_error(void) { ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape)); }

static void same(wg_tensor a, wg_tensor b, double tolerance)
{
    no_error();
    ck_assert_int_eq(wg_size(a), wg_size(b));
    for (int64_t i = 0; i < wg_size(a); i++)
        ck_assert_double_eq_tol(wg_element(a, i), wg_element(b, i), tolerance);
}

static void refused(wg_status status, const char *words)
{
    ck_assert_int_eq(wg_error_status(tape), status);
    ck_assert_msg(strstr(wg_error(tape), words) != NULL, "%s", wg_error(tape));
    wg_clear_error(tape);
}

/* ---- Values and derivatives -------------------------------------------------------------------------------------- */
static void cell(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    calls++;
    out[0] = wg_tanh(wg_add(wg_matmul(in[0], w), in[1]));
    out[1] = wg_sum(out[0]);
}

enum { RESULTS = 10 };

static void loop(int64_t snapshots, bool reverse, wg_tensor *y)
{
    wg_tensor h = vector(x_values), xs = wg_array(tape, WG_FLOAT64, WG_SHAPE(ROUNDS, 3), rows), all[3] = {h, xs, w};
    wg_scan(cell, WG_TENSORS(h), WG_TENSORS(xs), y, 2, .snapshots = snapshots, .reverse = reverse);
    wg_tensor loss = wg_add(wg_sum(y[0]), wg_sum(wg_multiply(y[1], y[1])));
    wg_grad(loss, all, 3, y + 2);
    wg_hvp(loss, all, ((wg_tensor[]){WG_NONE, xs, w}), 3, y + 5);
    wg_jvp(&loss, 1, all, ((wg_tensor[]){h, WG_NONE, w}), 3, y + 8);
    y[9] = loss;
}

START_TEST(a_scan_is_the_loop_it_stands_for)
{
    wg_tensor h = vector(x_values), xs = wg_array(tape, WG_FLOAT64, WG_SHAPE(ROUNDS, 3), rows), in[2] = {h}, out[2],
              sums[ROUNDS], y[2];
    for (int i = 0; i < ROUNDS; i++, in[0] = out[0]) {
        in[1] = wg_select(xs, 0, i);
        cell(in, out, NULL);
        sums[i] = out[1];
    }
    wg_scan(cell, WG_TENSORS(h), WG_TENSORS(xs), y, 2);
    same(y[0], out[0], 1e-300);
    same(y[1], wg_stack(((wg_tensors){sums, ROUNDS})), 1e-300);
}
END_TEST

static const int64_t schedules[] = {WG_SNAPSHOTS_EACH, WG_SNAPSHOTS_SQRT, WG_SNAPSHOTS_LOG, 1, 2, 3, 1000};

START_TEST(what_is_computed_again_is_the_same)
{
    wg_tensor a[RESULTS], b[RESULTS];
    loop(0, _i % 2, a);
    loop(schedules[_i / 2], _i % 2, b);
    for (int i = 0; i < RESULTS; i++)
        same(a[i], b[i], 1e-13);
}
END_TEST

START_TEST(a_derivative_can_be_taken_twice)
{
    wg_tensor h = vector(x_values), xs = wg_array(tape, WG_FLOAT64, WG_SHAPE(ROUNDS, 3), rows), y[2], g[2];
    wg_scan(cell, WG_TENSORS(h), WG_TENSORS(xs), y, 2, .snapshots = 3);
    wg_grad(wg_sum(y[0]), &xs, 1, &g[0]);
    wg_grad(wg_sum(y[0]), &xs, 1, &g[1]);
    same(g[0], g[1], 1e-300);
}
END_TEST

START_TEST(the_other_way_round_keeps_the_order_of_the_rows)
{
    wg_tensor h = vector(x_values), xs = wg_array(tape, WG_FLOAT64, WG_SHAPE(ROUNDS, 3), rows), y[2], z[2];
    int64_t snapshots = _i ? 2 : 0;
    wg_scan(cell, WG_TENSORS(h), WG_TENSORS(xs), y, 2, .reverse = true, .snapshots = snapshots);
    wg_scan(cell, WG_TENSORS(h), WG_TENSORS(wg_flip(xs, .axis = 0)), z, 2);
    same(y[0], z[0], 1e-300);
    same(y[1], wg_flip(z[1]), 1e-300);
}
END_TEST

/* Two carries change places; an integer is carried; which parameter is used depends on it; numbers are drawn. */
static void various(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    int64_t i = (int64_t)wg_item(in[2]), more = i + 1;
    wg_tensor noise = wg_normal(tape, 0, 0.1, .shape = WG_SHAPE(3), .dtype = WG_FLOAT64);
    out[0] = in[1];
    out[1] = wg_add(wg_sin(wg_add(in[0], wg_multiply(bias[i % 4], in[3]))), noise);
    out[2] = wg_array(tape, WG_INT64, (wg_shape){0}, &more);
}

static void run_various(int64_t snapshots, wg_tensor *y)
{
    wg_seed(tape, 5);
    int64_t zero = 0;
    wg_tensor a = vector(x_values), b = vector(w_values), i = wg_array(tape, WG_INT64, (wg_shape){0}, &zero);
    i = wg_array(tape, WG_INT64, (wg_shape){0}, &zero);
    wg_tensor xs = wg_array(tape, WG_FLOAT64, WG_SHAPE(ROUNDS, 3), rows),
              all[7] = {a, b, xs, bias[0], bias[1], bias[2], bias[3]};
    wg_scan(various, WG_TENSORS(a, b, i), WG_TENSORS(xs), y, 3, .snapshots = snapshots);
    wg_grad(wg_sum(wg_multiply(y[0], y[1])), all, 7, y + 3);
    wg_grad(wg_sum(wg_multiply(y[0], y[1])), all, 7, y + 10, .create_graph = true);
}

START_TEST(rounds_that_differ_are_run_again_as_they_were)
{
    wg_tensor a[17], b[17];
    run_various(0, a);
    run_various(schedules[_i], b);
    for (int i = 0; i < 17; i++)
        same(a[i], b[i], 1e-13);
    ck_assert_int_eq((int)wg_item(b[2]), ROUNDS);
}
END_TEST

/* ---- How often, and how much memory ------------------------------------------------------------------------------ */
/* t(n, s) = r n - C(s + r, r - 1), with r the least for which C(s + r, r) >= n: rounds run only to get there, the first
 * sweep among them, for s carries with the start among them. (Griewank and Walther 2000, equation 5) */
static int64_t least(int64_t n, int64_t s)
{
    double reach = 1, below = 0; /* C(s + r, r), C(s + r, r - 1) */
    int64_t r = 0;
    while (reach < (double)n) {
        r++;
        below = r == 1 ? 1 : below * (double)(s + r) / (double)(r - 1);
        reach = reach * (double)(s + r) / (double)r;
    }
    return (int64_t)((double)(r * n) - below + 0.5);
}

static void step(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    calls++;
    out[0] = wg_sin(wg_multiply(in[0], 1.01));
}

START_TEST(rounds_run_as_seldom_as_can_be)
{
    static const struct {
        int n, snapshots;
    } cases[] = {{1, 1},  {2, 1},  {10, 9},  {10, 1},    {10, 2},    {11, 3},
                 {56, 2}, {57, 2}, {100, 5}, {1000, 10}, {1000, 45}, {500, 1}};
    int n = cases[_i].n, most = cases[_i].snapshots < n ? cases[_i].snapshots : n - 1;
    wg_tensor x = vector(x_values), y, g;
    wg_scan(step, WG_TENSORS(x), ((wg_tensors){0}), &y, 1, .length = n, .snapshots = cases[_i].snapshots);
    ck_assert_int_eq(calls, n + 1); /* and one to see what a round is made of */
    wg_grad(wg_sum(y), &x, 1, &g);
    no_error();
    /* the first sweep runs the last round too, and each round is recorded once */
    ck_assert_int_eq(calls - 1, least(n, most + 1) + 1 + n);
}
END_TEST

/* Bytes a scan of n rounds of 8 KB takes at most, with its derivative. */
static size_t bytes_of(int64_t n, int64_t snapshots)
{
    faults f = {.largest = 32768}; /* each piece asks by itself: what is held is what is used */
    wg_tape *before = tape;
    tape = wg_tape_new(.memory = faults_memory(&f));
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(1024), NULL), y, g;
    wg_scan(step, WG_TENSORS(x), ((wg_tensors){0}), &y, 1, .length = n, .snapshots = snapshots);
    wg_grad(wg_sum(y), &x, 1, &g);
    no_error();
    size_t bytes = wg_tape_bytes(tape);
    wg_tape_free(tape);
    tape = before;
    return bytes;
}

START_TEST(memory_is_what_the_schedule_says)
{
    const size_t carry = 8192, round = 40 * 8192; /* what running one takes, and what is there anyway */
    ck_assert_uint_gt(bytes_of(1000, 0), 2000 * carry);
    ck_assert_uint_lt(bytes_of(1000, WG_SNAPSHOTS_EACH), 1000 * carry + round);
    ck_assert_uint_lt(bytes_of(1000, WG_SNAPSHOTS_SQRT), 45 * carry + round);
    ck_assert_uint_lt(bytes_of(1000, WG_SNAPSHOTS_LOG), 10 * carry + round);
    ck_assert_uint_lt(bytes_of(4000, WG_SNAPSHOTS_LOG), 12 * carry + round);
}
END_TEST

/* ---- Refused ----------------------------------------------------------------------------------------------------- */
static void grows(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_stack(WG_TENSORS(in[0], in[0]));
}
static void changes(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = in[0];
    out[1] = ++calls > 4 ? wg_sum(in[0]) : in[0];
}
static void fails(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = ++calls > 4 ? wg_matmul(in[0], wg_stack(WG_TENSORS(in[0], in[0]))) : in[0];
}

START_TEST(what_is_wrong_is_said)
{
    int64_t snapshots = _i;
    wg_tensor x = vector(x_values), y[2], scalar = wg_sum(x), none = wg_array(tape, WG_FLOAT64, WG_SHAPE(0, 3), NULL);
    wg_tensors nothing = {0};
    wg_scan(NULL, WG_TENSORS(x), nothing, y, 1, .length = 3, .snapshots = snapshots);
    refused(WG_ERROR_VALUE, "NULL");
    wg_scan(grows, WG_TENSORS(x), nothing, y, 1, .length = 3, .snapshots = snapshots);
    refused(WG_ERROR_SHAPE, "carry 0 goes into round 0 as float64 [3], and comes out as float64 [2, 3]");
    ck_assert(wg_is_invalid(y[0]));
    wg_scan(changes, WG_TENSORS(x), nothing, y, 2, .length = 8, .snapshots = snapshots);
    ck_assert_int_eq(wg_error_status(tape), WG_ERROR_SHAPE);
    wg_clear_error(tape);
    calls = 0;
    wg_scan(fails, WG_TENSORS(x), nothing, y, 1, .length = 8, .snapshots = snapshots);
    refused(WG_ERROR_SHAPE, "test_scan.c:");
    wg_scan(step, WG_TENSORS(x), nothing, y, 1, .snapshots = snapshots);
    refused(WG_ERROR_ATTR, "neither an array nor a length");
    wg_scan(step, WG_TENSORS(x), WG_TENSORS(scalar), y, 1, .snapshots = snapshots);
    refused(WG_ERROR_SHAPE, "array 0 is 0-d");
    wg_scan(step, WG_TENSORS(x), WG_TENSORS(x), y, 1, .length = 2, .snapshots = snapshots);
    refused(WG_ERROR_SHAPE, "array 0 has 3 rows, where there are 2 rounds");
    wg_scan(step, WG_TENSORS(x), nothing, y, 1, .length = -2, .snapshots = snapshots);
    refused(WG_ERROR_VALUE, "-2 rounds");
    wg_scan(cell, WG_TENSORS(x), WG_TENSORS(none), y, 2, .snapshots = snapshots);
    refused(WG_ERROR_SHAPE, "no round");
    wg_scan(step, WG_TENSORS(x), nothing, y, 1, .length = 3, .snapshots = -4);
    refused(WG_ERROR_ATTR, "snapshots is -4");
    wg_scan(step, WG_TENSORS(x), WG_TENSORS(none), y, 1, .snapshots = snapshots);
    same(y[0], x, 1e-300);
}
END_TEST

START_TEST(a_parameter_changed_since_is_noticed)
{
    wg_tensor h = vector(x_values), xs = wg_array(tape, WG_FLOAT64, WG_SHAPE(ROUNDS, 3), rows), y[2], g;
    wg_scan(cell, WG_TENSORS(h), WG_TENSORS(xs), y, 2, .snapshots = 2);
    wg_assign(w, wg_array(tape, WG_FLOAT64, WG_SHAPE(3, 3), NULL));
    wg_grad(wg_sum(y[0]), &h, 1, &g);
    refused(WG_ERROR_STALE, "w");
}
END_TEST

START_TEST(no_memory_is_an_error_and_a_rewind_mends_it)
{
    for (size_t fail = 1 + (size_t)_i; fail < 4000; fail += _i ? 7 : 1) {
        faults f = {.largest = 32768, .skew = 16 * (size_t)_i};
        wg_tape_free(tape);
        tape = wg_tape_new(.memory = faults_memory(&f));
        parameters();
        (void)wg_element(w, 0); /* room to note what is read: for lack of it nothing fails */
        wg_mark mark = wg_tape_mark(tape);
        wg_tensor y[17];
        f.fail_at = f.calls + fail;
        run_various(2, y);
        bool reached = f.failed > 0;
        ck_assert(!reached || wg_error_status(tape) == WG_ERROR_MEMORY);
        f.fail_at = 0;
        wg_clear_error(tape);
        wg_rewind(tape, mark);
        run_various(2, y);
        no_error();
        wg_tape_free(tape);
        tape = NULL;
        ck_assert_uint_eq(f.blocks, 0);
        ck_assert_uint_eq(f.misused, 0);
        if (!reached)
            break;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scan");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_checked_fixture(all, set_up, tear_down);
    int n = (int)(sizeof schedules / sizeof *schedules);
    tcase_add_test(all, a_scan_is_the_loop_it_stands_for);
    tcase_add_loop_test(all, what_is_computed_again_is_the_same, 0, 2 * n);
    tcase_add_test(all, a_derivative_can_be_taken_twice);
    tcase_add_loop_test(all, the_other_way_round_keeps_the_order_of_the_rows, 0, 2);
    tcase_add_loop_test(all, rounds_that_differ_are_run_again_as_they_were, 0, n);
    tcase_add_loop_test(all, rounds_run_as_seldom_as_can_be, 0, 12);
    tcase_add_test(all, memory_is_what_the_schedule_says);
    tcase_add_loop_test(all, what_is_wrong_is_said, 0, 2);
    tcase_add_test(all, a_parameter_changed_since_is_noticed);
    tcase_add_loop_test(all, no_memory_is_an_error_and_a_rewind_mends_it, 0, 4);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
