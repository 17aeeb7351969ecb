/* Control flow against the same thing unrolled: values, derivatives of both orders, refused calls, memory given back. */
#include "core/faults.h"

#include <check.h>
#include <wengert.h>

static wg_tape *tape;
static wg_tensor w; /* a parameter [3, 3] that bodies capture */
static const double w_values[9] = {0.3, -0.2, 0.5, 0.1, 0.4, -0.6, -0.3, 0.2, 0.7};
static const double x_values[3] = {0.5, -1.2, 0.8};
static int calls;

static wg_tensor vector(const double *values) { return wg_array(tape, WG_FLOAT64, WG_SHAPE(3), values); }

static void set_up(void)
{
    tape = wg_tape_new(.seed = 7);
    w = wg_param(tape, "w", WG_SHAPE(3, 3), .dtype = WG_FLOAT64, .data = w_values);
    calls = 0;
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
}

/* ---- checkpoint -------------------------------------------------------------------------------------------------- */
static void layer(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    calls++;
    out[0] = wg_tanh(wg_matmul(in[0], w));
}

static wg_tensor checkpointed(wg_tensor x)
{
    wg_tensor y;
    wg_checkpoint(layer, WG_TENSORS(x), &y, 1);
    return y;
}

static wg_tensor plain(wg_tensor x)
{
    wg_tensor y;
    layer(&x, &y, NULL);
    return y;
}

/* Value, gradient, Hessian-vector product in both ways, and tangent of sum(f(f(x))^2) by x and by what f captures. */
static void all_of(wg_tensor (*f)(wg_tensor), wg_tensor out[8])
{
    wg_tensor x = vector(x_values), xs[2] = {x, w};
    wg_tensor v[2] = {vector((double[]){1, 2, -1}), wg_array(tape, WG_FLOAT64, WG_SHAPE(3, 3), ((double[]){1, 0, -1, 2, 0, 1, 1, 1, 3}))};
    wg_tensor y = f(f(x));
    out[0] = wg_sum(wg_multiply(y, wg_multiply(y, y)));
    wg_grad(out[0], xs, 2, out + 1);
    wg_hvp(out[0], xs, v, 2, out + 3);
    wg_hvp(out[0], xs, v, 2, out + 5, .reverse = true);
    wg_jvp(&y, 1, xs, v, 2, out + 7);
}

START_TEST(checkpoint_has_the_derivatives_of_what_it_holds)
{
    wg_tensor a[8], b[8];
    all_of(plain, a);
    all_of(checkpointed, b);
    for (int i = 0; i < 8; i++)
        same(a[i], b[i], 1e-14);
}
END_TEST

static void two_layers(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = checkpointed(wg_sin(checkpointed(in[0])));
}
static wg_tensor nested(wg_tensor x)
{
    wg_tensor y;
    wg_checkpoint(two_layers, WG_TENSORS(x), &y, 1);
    return y;
}
static wg_tensor nested_plain(wg_tensor x) { return plain(wg_sin(plain(x))); }

START_TEST(checkpoints_nest)
{
    wg_tensor a[8], b[8];
    all_of(nested_plain, a);
    all_of(nested, b);
    for (int i = 0; i < 8; i++)
        same(a[i], b[i], 1e-14);
}
END_TEST

static void noisy(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_multiply(in[0], wg_dropout(in[0], .p = 0.5, .training = true));
}

START_TEST(random_numbers_are_drawn_again)
{
    double big[64];
    for (int i = 0; i < 64; i++)
        big[i] = i + 1;
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(64), big), y, g;
    wg_checkpoint(noisy, WG_TENSORS(x), &y, 1);
    wg_dropout(x, .p = 0.5, .training = true);
    wg_grad(wg_sum(y), &x, 1, &g);
    for (int i = 0; i < 64; i++)
        ck_assert_double_eq(wg_element(g, i), 2 * wg_element(y, i) / big[i]);
    no_error();
}
END_TEST

START_TEST(checkpoint_runs_once_forward_and_once_back_and_keeps_one_node)
{
    wg_tensor x = vector(x_values), g[2];
    size_t before = wg_tape_nodes(tape);
    wg_tensor y = checkpointed(x);
    ck_assert_uint_eq(wg_tape_nodes(tape), before + 1);
    wg_grad(wg_sum(y), ((wg_tensor[]){x, w}), 2, g);
    ck_assert_int_eq(calls, 2);
    no_error();
}
END_TEST

START_TEST(a_parameter_changed_since_is_noticed)
{
    wg_tensor x = vector(x_values), y = checkpointed(x), g;
    wg_assign(w, wg_array(tape, WG_FLOAT64, WG_SHAPE(3, 3), NULL));
    wg_grad(wg_sum(y), &x, 1, &g);
    ck_assert_int_eq(wg_error_status(tape), WG_ERROR_STALE);
}
END_TEST

/* ---- cond, scan -------------------------------------------------------------------------------------------------- */
static void triple(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_multiply(in[0], 3);
}

START_TEST(cond_runs_the_one_that_is_chosen)
{
    wg_tensor x = vector(x_values), y, g;
    ck_assert_int_eq(wg_cond(wg_less(wg_sum(x), 1), triple, layer, WG_TENSORS(x), &y, 1), WG_OK);
    ck_assert_int_eq(calls, 0);
    wg_grad(wg_sum(y), &x, 1, &g);
    ck_assert_double_eq(wg_element(g, 2), 3);
    ck_assert_int_eq(wg_cond(wg_greater(wg_sum(x), 1), triple, layer, WG_TENSORS(x), &y, 1), WG_OK);
    ck_assert_int_eq(calls, 1);
    no_error();
}
END_TEST

static void cell(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    calls++;
    out[0] = wg_tanh(wg_add(wg_matmul(in[0], w), in[1]));
    out[1] = wg_sum(out[0]);
}

static const double rows[12] = {0.1, 0.2, 0.3, -0.4, 0.5, -0.6, 0.7, 0.8, -0.9, 1, -1.1, 1.2};

static void scanned(bool checkpoint, wg_tensor out[9])
{
    wg_tensor h = vector(x_values), xs = wg_array(tape, WG_FLOAT64, WG_SHAPE(4, 3), rows), all[3] = {h, xs, w}, y[2], hvp[3];
    wg_scan(cell, WG_TENSORS(h), WG_TENSORS(xs), y, 2, .checkpoint = checkpoint);
    out[0] = y[0];
    out[1] = y[1];
    wg_tensor loss = wg_add(wg_sum(y[0]), wg_sum(wg_multiply(y[1], y[1])));
    wg_grad(loss, all, 3, out + 2);
    wg_hvp(loss, all, ((wg_tensor[]){WG_NONE, xs, WG_NONE}), 3, hvp);
    memcpy(out + 5, hvp, sizeof hvp);
    out[8] = loss;
}

START_TEST(scan_is_the_loop_it_stands_for)
{
    wg_tensor h = vector(x_values), xs = wg_array(tape, WG_FLOAT64, WG_SHAPE(4, 3), rows), in[2] = {h}, out[2], sums[4];
    for (int i = 0; i < 4; i++, in[0] = out[0]) {
        in[1] = wg_select(xs, 0, i);
        cell(in, out, NULL);
        sums[i] = out[1];
    }
    wg_tensor a[9], b[9];
    scanned(false, a);
    scanned(true, b);
    same(a[0], out[0], 1e-300);
    same(a[1], wg_stack(((wg_tensors){sums, 4})), 1e-300);
    for (int i = 0; i < 9; i++)
        same(a[i], b[i], 1e-14);
}
END_TEST

START_TEST(scan_backwards_keeps_the_order_of_the_rows)
{
    wg_tensor h = vector(x_values), xs = wg_array(tape, WG_FLOAT64, WG_SHAPE(4, 3), rows), y[2], z[2];
    wg_scan(cell, WG_TENSORS(h), WG_TENSORS(xs), y, 2, .reverse = true);
    wg_scan(cell, WG_TENSORS(h), WG_TENSORS(wg_flip(xs, .axis = WG_AXES(0))), z, 2);
    same(y[0], z[0], 1e-300);
    same(y[1], wg_flip(z[1]), 1e-300);
}
END_TEST

/* ---- custom ------------------------------------------------------------------------------------------------------ */
static void cube(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_multiply(in[0], wg_multiply(in[0], in[0]));
}
static void cube_vjp(const wg_tensor *in, const wg_tensor *out, const wg_tensor *g, wg_tensor *grad, void *user)
{
    (void)out, (void)user;
    calls++;
    grad[0] = wg_multiply(g[0], wg_multiply(3, wg_multiply(in[0], in[0])));
}
static void cube_vjp_opaque(const wg_tensor *in, const wg_tensor *out, const wg_tensor *g, wg_tensor *grad, void *user)
{
    (void)out, (void)user;
    double d[3];
    for (int i = 0; i < 3; i++)
        d[i] = 3 * wg_element(in[0], i) * wg_element(in[0], i) * wg_element(g[0], i);
    grad[0] = vector(d);
}

static wg_tensor custom_cube(const wg_tensor *x, void *user)
{
    wg_tensor y;
    wg_custom(cube, WG_TENSORS(x[0]), &y, 1, .vjp = user ? cube_vjp_opaque : cube_vjp);
    return y;
}

START_TEST(custom_uses_the_derivative_it_is_given)
{
    wg_tensor x = vector(x_values), v = vector((double[]){1, 1, 1}), y = custom_cube(&x, NULL), g, h, t;
    wg_grad(wg_sum(y), &x, 1, &g);
    ck_assert_int_eq(calls, 1);
    wg_hvp(wg_sum(y), &x, &v, 1, &h);
    wg_jvp(&y, 1, &x, &v, 1, &t);
    for (int i = 0; i < 3; i++) {
        ck_assert_double_eq_tol(wg_element(g, i), 3 * x_values[i] * x_values[i], 1e-15);
        ck_assert_double_eq_tol(wg_element(t, i), 3 * x_values[i] * x_values[i], 1e-15);
        ck_assert_double_eq_tol(wg_element(h, i), 6 * x_values[i], 1e-15);
    }
    wg_check_report report = wg_check_grad(custom_cube, &x, 1);
    ck_assert(!report.failed);
    no_error();
}
END_TEST

START_TEST(custom_of_plain_c_is_not_differentiated_twice_in_silence)
{
    wg_tensor x = vector(x_values), y = custom_cube(&x, &calls), g;
    ck_assert_int_eq(wg_grad(wg_sum(y), &x, 1, &g), WG_OK);
    wg_grad(wg_sum(y), &x, 1, &g, .create_graph = true);
    refused(WG_ERROR_UNSUPPORTED, "cannot be differentiated again");
}
END_TEST

/* ---- Refused ----------------------------------------------------------------------------------------------------- */
static void nothing(const wg_tensor *in, wg_tensor *out, void *user) { (void)in, (void)out, (void)user; }
static void grows(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_stack(WG_TENSORS(in[0], in[0]));
}
static void fails(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_matmul(in[0], wg_stack(WG_TENSORS(in[0], in[0])));
}

START_TEST(what_is_wrong_is_said)
{
    wg_tensor x = vector(x_values), y;
    wg_checkpoint(NULL, WG_TENSORS(x), &y, 1);
    refused(WG_ERROR_VALUE, "NULL");
    ck_assert(wg_is_invalid(y));
    wg_clear_error(tape);
    wg_checkpoint(nothing, WG_TENSORS(x), &y, 1);
    refused(WG_ERROR_VALUE, "result 0 of the function is not set");
    wg_clear_error(tape);
    wg_checkpoint(fails, WG_TENSORS(x), &y, 1);
    refused(WG_ERROR_SHAPE, "test_control.c:");
    wg_clear_error(tape);
    wg_scan(grows, WG_TENSORS(x), ((wg_tensors){0}), &y, 1, .length = 3);
    refused(WG_ERROR_SHAPE, "carry 0 goes into round 0 as float64 [3], and comes out as float64 [2, 3]");
    wg_clear_error(tape);
    wg_scan(triple, WG_TENSORS(x), ((wg_tensors){0}), &y, 1);
    refused(WG_ERROR_ATTR, "neither an array nor a length");
    wg_clear_error(tape);
    wg_cond(x, triple, layer, WG_TENSORS(x), &y, 1);
    refused(WG_ERROR_SHAPE, "not one element");
    wg_clear_error(tape);
    wg_custom(layer, WG_TENSORS(x), &y, 1, .vjp = cube_vjp);
    refused(WG_ERROR_VALUE, "the function uses w, which is not among its inputs");
}
END_TEST

START_TEST(no_memory_is_an_error_and_a_rewind_mends_it)
{
    for (size_t fail = 1; fail < 400; fail++) {
        faults f = {.largest = 32768};
        wg_tape_free(tape);
        tape = wg_tape_new(.memory = faults_memory(&f));
        w = wg_param(tape, "w", WG_SHAPE(3, 3), .dtype = WG_FLOAT64, .data = w_values);
        wg_tensor x = vector(x_values), g;
        wg_mark mark = wg_tape_mark(tape);
        f.fail_at = f.calls + fail;
        wg_grad(wg_sum(nested(x)), &x, 1, &g, .create_graph = fail % 2);
        bool reached = f.failed > 0;
        ck_assert(!reached || wg_error_status(tape) == WG_ERROR_MEMORY);
        f.fail_at = 0;
        wg_clear_error(tape);
        wg_rewind(tape, mark);
        wg_grad(wg_sum(nested(x)), &x, 1, &g);
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
    Suite *suite = suite_create("control");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, checkpoint_has_the_derivatives_of_what_it_holds);
    tcase_add_test(all, checkpoints_nest);
    tcase_add_test(all, random_numbers_are_drawn_again);
    tcase_add_test(all, checkpoint_runs_once_forward_and_once_back_and_keeps_one_node);
    tcase_add_test(all, a_parameter_changed_since_is_noticed);
    tcase_add_test(all, cond_runs_the_one_that_is_chosen);
    tcase_add_test(all, scan_is_the_loop_it_stands_for);
    tcase_add_test(all, scan_backwards_keeps_the_order_of_the_rows);
    tcase_add_test(all, custom_uses_the_derivative_it_is_given);
    tcase_add_test(all, custom_of_plain_c_is_not_differentiated_twice_in_silence);
    tcase_add_test(all, what_is_wrong_is_said);
    tcase_add_test(all, no_memory_is_an_error_and_a_rewind_mends_it);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
