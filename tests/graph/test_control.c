/* Control flow against the same thing unrolled: values, derivatives of both orders, refused calls, memory given
 * back. */
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
    wg_tensor v[2] = {vector((double[]){1, 2, -1}),
                      wg_array(tape, WG_FLOAT64, WG_SHAPE(3, 3), ((double[]){1, 0, -1, 2, 0, 1, 1, 1, 3}))};
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

/* ---- cond -------------------------------------------------------------------------------------------------------- */
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
        faults f = {.largest = 32768, .skew = 16 * (size_t)_i};
        wg_tape_free(tape);
        tape = wg_tape_new(.memory = faults_memory(&f));
        w = wg_param(tape, "w", WG_SHAPE(3, 3), .dtype = WG_FLOAT64, .data = w_values);
        wg_tensor x = vector(x_values), g;
        wg_mark mark = wg_tape_mark(tape);
        f.fail_at = f.calls + fail;
        wg_grad(wg_sum(nested(x)), &x, 1, &g, .create_graph = fail % 2);
        bool reached = f.failed > 0;
        ck_assert_msg(!reached || wg_error_status(tape) == WG_ERROR_MEMORY, "allocation %zu: %s", fail, wg_error(tape));
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

/* ---- while_loop -------------------------------------------------------------------------------------------------- */
static void below_hundred(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_less(in[0], 100);
}
static void doubled(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_multiply(in[0], in[1]);
    out[1] = in[1];
}

START_TEST(while_runs_as_long_as_it_is_told)
{
    wg_tensor x = wg_scalar(tape, 3), by = wg_scalar(tape, 2), out[2], g[2], t;
    ck_assert_int_eq(wg_while_loop(below_hundred, doubled, WG_TENSORS(x, by), out), WG_OK);
    ck_assert_double_eq(wg_item(out[0]), 192); /* 3 2^6 */
    const wg_tensor xs[] = {x, by}, ts[] = {wg_scalar(tape, 1), wg_scalar(tape, 1)};
    wg_grad(out[0], xs, 2, g);
    wg_jvp(out, 1, xs, ts, 2, &t);
    ck_assert_double_eq(wg_item(g[0]), 64);
    ck_assert_double_eq(wg_item(g[1]), 3 * 6 * 32);
    ck_assert_double_eq(wg_item(t), 64 + 3 * 6 * 32);
    wg_while_loop(below_hundred, doubled, WG_TENSORS(wg_scalar(tape, 100), by), out);
    ck_assert_double_eq(wg_item(out[0]), 100);
    no_error();
    ck_assert_int_eq(wg_while_loop(below_hundred, doubled, WG_TENSORS(x, by), out, .most = 3), WG_ERROR_NUMERIC);
    refused(WG_ERROR_NUMERIC, "not ended after 3 rounds");
    ck_assert_msg(strstr(wg_error(tape), "test_control.c:") != NULL, "%s", wg_error(tape));
    wg_clear_error(tape);
    ck_assert_int_eq(wg_while_loop(below_hundred, NULL, WG_TENSORS(x, by), out), WG_ERROR_VALUE);
    refused(WG_ERROR_VALUE, "the body is NULL");
}
END_TEST

/* ---- fixed_point, root ------------------------------------------------------------------------------------------- */
/* x = cos(p x); user is p. */
static void cosine(const wg_tensor *in, wg_tensor *out, void *user)
{
    out[0] = wg_cos(wg_multiply(in[0], *(const wg_tensor *)user));
}
/* x^3 = p, elementwise coupled by their sum: x_i^3 + 0.1 sum(x) - p_i. */
static void cubic(const wg_tensor *in, wg_tensor *out, void *user)
{
    wg_tensor x = in[0];
    out[0] = wg_subtract(wg_add(wg_multiply(x, wg_square(x)), wg_multiply(wg_sum(x), 0.1)), *(const wg_tensor *)user);
}

/* Of F(x, p) = x - cos(p x): x' = -F_p / F_x, and x'' by differences of it. */
static double cosine_slope(double p)
{
    double x = 0.7;
    for (int i = 0; i < 500; i++)
        x = cos(p * x);
    return -sin(p * x) * x / (1 + p * sin(p * x));
}

START_TEST(fixed_point_has_the_derivatives_of_what_it_solves)
{
    wg_tensor p = wg_scalar(tape, 0.9), g, again, t, one = wg_scalar(tape, 1);
    wg_tensor x = wg_fixed_point(cosine, wg_scalar(tape, 0.5), .user = &p);
    no_error();
    ck_assert_double_eq_tol(wg_item(x), cos(0.9 * wg_item(x)), 1e-15);
    wg_grad(x, &p, 1, &g, .create_graph = true);
    wg_jvp(&x, 1, &p, &one, 1, &t);
    wg_grad(g, &p, 1, &again);
    ck_assert_double_eq_tol(wg_item(g), cosine_slope(0.9), 1e-14);
    ck_assert_double_eq_tol(wg_item(t), cosine_slope(0.9), 1e-14);
    ck_assert_double_eq_tol(wg_item(again), (cosine_slope(0.9 + 1e-4) - cosine_slope(0.9 - 1e-4)) / 2e-4, 1e-7);
}
END_TEST

static wg_tensor root_by(const wg_tensor *in, void *user)
{
    wg_tensor p = in[0];
    (void)user;
    return wg_root(cubic, wg_full(tape, WG_FLOAT64, WG_SHAPE(3), 1), .user = &p);
}
/* The gradient of sum(x^2) by p = (1, 8, 2) + by v. */
static wg_tensor root_gradient(double by)
{
    wg_tensor p = vector((double[]){1 + by, 8 - 2 * by, 2 + 0.5 * by}), x = root_by(&p, NULL), g;
    wg_grad(wg_sum(wg_square(x)), &p, 1, &g);
    return g;
}

START_TEST(root_has_derivatives_of_both_orders)
{
    wg_tensor p = vector((double[]){1, 8, 2}), x = root_by(&p, NULL), left;
    if (!wg_has_lapack()) {
        refused(WG_ERROR_UNSUPPORTED, "LAPACK");
        return;
    }
    cubic(&x, &left, &p);
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq_tol(wg_element(left, i), 0, 1e-13);
    wg_check_report first = wg_check_grad(root_by, &p, 1);
    ck_assert_msg(!first.failed, "%s", first.message);
    wg_tensor v = vector((double[]){1, -2, 0.5}), product[2], more = root_gradient(1e-5), less = root_gradient(-1e-5);
    wg_hvp(wg_sum(wg_square(x)), &p, &v, 1, &product[0]);
    wg_hvp(wg_sum(wg_square(x)), &p, &v, 1, &product[1], .reverse = true);
    for (int i = 0; i < 3; i++) {
        double expected = (wg_element(more, i) - wg_element(less, i)) / 2e-5;
        ck_assert_double_eq_tol(wg_element(product[0], i), expected, 1e-8);
        ck_assert_double_eq_tol(wg_element(product[1], i), expected, 1e-8);
    }
    no_error();
}
END_TEST

static void never(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_add(wg_square(in[0]), 1);
}
static void other_shape(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_sum(in[0]);
}

START_TEST(equations_without_solution_are_refused)
{
    wg_tensor x = wg_scalar(tape, 0.5);
    ck_assert(wg_is_invalid(wg_root(never, x)));
    refused(WG_ERROR_NUMERIC, "no solution after");
    ck_assert_msg(strstr(wg_error(tape), "test_control.c:") != NULL, "%s", wg_error(tape));
    wg_clear_error(tape);
    ck_assert(wg_is_invalid(wg_fixed_point(never, x)));
    refused(WG_ERROR_NUMERIC, "no solution after");
    wg_clear_error(tape);
    ck_assert(wg_is_invalid(wg_root(other_shape, vector(x_values))));
    refused(WG_ERROR_SHAPE, "another type");
    wg_clear_error(tape);
    ck_assert(wg_is_invalid(wg_root(NULL, x)));
    refused(WG_ERROR_VALUE, "NULL");
    wg_clear_error(tape);
    ck_assert(wg_is_invalid(wg_fixed_point(never, wg_array(tape, WG_INT64, WG_SCALAR, NULL))));
    refused(WG_ERROR_DTYPE, "int64");
}
END_TEST

/* The derivative of exp(x) - p x, which is least at x = log p. */
static void slope_of_cost(const wg_tensor *in, wg_tensor *out, void *user)
{
    wg_tensor cost = wg_subtract(wg_exp(in[0]), wg_multiply(*(const wg_tensor *)user, in[0]));
    wg_grad(wg_sum(cost), in, 1, out, .create_graph = true);
}

START_TEST(an_argmin_is_a_root_of_the_gradient)
{
    wg_tensor p = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), ((double[]){0.5, 1, 3})), g, second;
    wg_tensor x = wg_root(slope_of_cost, wg_full(tape, WG_FLOAT64, WG_SHAPE(3), 0), .user = &p);
    if (!wg_has_lapack()) {
        refused(WG_ERROR_UNSUPPORTED, "LAPACK");
        return;
    }
    no_error();
    wg_grad(wg_sum(x), &p, 1, &g, .create_graph = true);
    wg_grad(wg_sum(g), &p, 1, &second);
    for (int i = 0; i < 3; i++) {
        double at = wg_element(p, i);
        ck_assert_double_eq_tol(wg_element(x, i), log(at), 1e-14);
        ck_assert_double_eq_tol(wg_element(g, i), 1 / at, 1e-12);
        ck_assert_double_eq_tol(wg_element(second, i), -1 / (at * at), 1e-11);
    }
}
END_TEST

/* ---- odeint ------------------------------------------------------------------------------------------------------ */
/* dy/dt = -k y; user is k. */
static void decay(const wg_tensor *in, wg_tensor *out, void *user)
{
    out[0] = wg_multiply(wg_negative(*(const wg_tensor *)user), in[1]);
}
/* A pendulum: y = angle, speed. */
static void pendulum(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    wg_tensor angle = wg_select(in[1], 0, 0), speed = wg_select(in[1], 0, 1);
    out[0] = wg_stack(WG_TENSORS(speed, wg_negative(wg_sin(angle))));
}

static const struct {
    wg_ode_method method;
    int64_t steps;
    double tolerance;
    bool continuous;
} ways[] = {
    {WG_DOPRI5, 1, 1e-8, false}, {WG_RK4, 200, 1e-8, false}, {WG_DOPRI5, 1, 1e-8, true}, {WG_RK4, 200, 1e-8, true}};

START_TEST(odeint_solves_decay_with_its_gradients)
{
    wg_tensor k = wg_scalar(tape, 0.7), y0 = wg_scalar(tape, 2),
              t = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), ((double[]){0, 1, 3}));
    wg_tensor y = wg_odeint(decay, y0, t, .user = &k, .method = ways[_i].method, .steps = ways[_i].steps,
                            .continuous = ways[_i].continuous);
    wg_tensor g[3], second, last;
    no_error();
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq_tol(wg_element(y, i), 2 * exp(-0.7 * wg_element(t, i)), ways[_i].tolerance);
    const wg_tensor xs[] = {k, y0, t};
    last = wg_select(y, 0, 2);
    wg_grad(last, xs, 3, g);
    ck_assert_double_eq_tol(wg_item(g[0]), -6 * exp(-2.1), 1e-7);
    wg_grad(last, xs, 3, g, .create_graph = true);
    ck_assert_double_eq_tol(wg_item(g[0]), -6 * exp(-2.1), 1e-7);
    ck_assert_double_eq_tol(wg_item(g[1]), exp(-2.1), 1e-8);
    ck_assert_double_eq_tol(wg_element(g[2], 2), -1.4 * exp(-2.1), 1e-6);
    ck_assert_double_eq_tol(wg_element(g[2], 0), 1.4 * exp(-2.1), 1e-6);
    wg_grad(g[0], &k, 1, &second);
    ck_assert_double_eq_tol(wg_item(second), 18 * exp(-2.1), 1e-6);
}
END_TEST

START_TEST(odeint_keeps_the_energy_of_a_pendulum_and_comes_back)
{
    wg_tensor y0 = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), ((double[]){1.2, 0}));
    wg_tensor there = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), ((double[]){0, 10})), back = wg_flip(there);
    wg_tensor y = wg_select(wg_odeint(pendulum, y0, there), 0, 1),
              again = wg_select(wg_odeint(pendulum, y, back), 0, 1);
    no_error();
    double energy = 0.5 * wg_element(y, 1) * wg_element(y, 1) - cos(wg_element(y, 0));
    ck_assert_double_eq_tol(energy, -cos(1.2), 1e-7);
    ck_assert_double_eq_tol(wg_element(again, 0), 1.2, 1e-6);
}
END_TEST

/* With friction; user is (gravity, friction). */
static void damped(const wg_tensor *in, wg_tensor *out, void *user)
{
    wg_tensor p = *(const wg_tensor *)user, angle = wg_select(in[1], 0, 0), speed = wg_select(in[1], 0, 1);
    wg_tensor pull = wg_multiply(wg_select(p, 0, 0), wg_sin(angle));
    out[0] = wg_stack(WG_TENSORS(speed, wg_negative(wg_add(pull, wg_multiply(wg_select(p, 0, 1), speed)))));
}

START_TEST(the_continuous_adjoint_is_the_discrete_one_without_the_steps)
{
    wg_tensor p = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), ((double[]){1.3, 0.1}));
    wg_tensor y0 = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), ((double[]){1.2, 0.3}));
    wg_tensor t = wg_array(tape, WG_FLOAT64, WG_SHAPE(4), ((double[]){0, 2, 3, 7}));
    const wg_tensor xs[] = {p, y0, t};
    wg_tensor g[2][3];
    size_t nodes[2], used[2];
    for (int i = 0; i < 2; i++) {
        size_t before = wg_tape_nodes(tape), bytes = wg_tape_used_bytes(tape);
        wg_tensor y = wg_odeint(damped, y0, t, .user = &p, .continuous = i);
        nodes[i] = wg_tape_nodes(tape) - before;
        used[i] = wg_tape_used_bytes(tape) - bytes;
        wg_grad(wg_sum(wg_square(wg_subtract(y, 0.5))), xs, 3, g[i]);
        no_error();
    }
    for (int k = 0; k < 3; k++)
        for (int64_t i = 0; i < wg_size(xs[k]); i++)
            ck_assert_double_eq_tol(wg_element(g[0][k], i), wg_element(g[1][k], i), 2e-6);
    ck_assert_uint_gt(nodes[0], 1000);
    ck_assert_uint_eq(nodes[1], 1);
    ck_assert_uint_lt(used[1], 2000);
}
END_TEST

START_TEST(no_memory_on_the_way_back_is_an_error)
{
    for (size_t fail = 1; fail < 120; fail++) {
        faults f = {.largest = 4096};
        wg_tape_free(tape);
        tape = wg_tape_new(.memory = faults_memory(&f));
        wg_tensor p = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), ((double[]){1.3, 0.1})), g;
        wg_tensor y0 = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), ((double[]){1.2, 0.3}));
        wg_tensor t = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), ((double[]){0, 0.5, 1}));
        f.fail_at = f.calls + fail;
        wg_tensor y = wg_odeint(damped, y0, t, .user = &p, .method = WG_RK4, .steps = 2, .continuous = true);
        wg_grad(wg_sum(y), &p, 1, &g);
        bool reached = f.failed > 0;
        ck_assert_msg(!reached || wg_error_status(tape) == WG_ERROR_MEMORY, "allocation %zu: %s", fail, wg_error(tape));
        ck_assert_uint_eq(f.misused, 0);
        if (!reached)
            break;
        ck_assert_uint_lt(fail, 119);
    }
}
END_TEST

START_TEST(odeint_refuses_what_it_cannot_do)
{
    wg_tensor y0 = wg_scalar(tape, 2), k = wg_scalar(tape, 1);
    wg_tensor t = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), ((double[]){0, 2, 1})),
              whole = wg_array(tape, WG_INT64, WG_SHAPE(2), NULL);
    wg_tensor good = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), ((double[]){0, 1}));
    ck_assert(wg_is_invalid(wg_odeint(decay, y0, t, .user = &k)));
    refused(WG_ERROR_VALUE, "time 2 is 1");
    wg_clear_error(tape);
    ck_assert(wg_is_invalid(wg_odeint(decay, y0, whole, .user = &k)));
    refused(WG_ERROR_DTYPE, "int64");
    wg_clear_error(tape);
    ck_assert(wg_is_invalid(wg_odeint(NULL, y0, good)));
    refused(WG_ERROR_VALUE, "NULL");
    wg_clear_error(tape);
    ck_assert(wg_is_invalid(wg_odeint(decay, y0, good, .user = &k, .rtol = -1)));
    refused(WG_ERROR_VALUE, "tolerances");
    wg_clear_error(tape);
    ck_assert(wg_is_invalid(wg_odeint(decay, y0, good, .user = &k, .most = 2)));
    refused(WG_ERROR_NUMERIC, "not at the end after 3 steps");
    wg_clear_error(tape);
    wg_tensor one = wg_odeint(decay, y0, wg_array(tape, WG_FLOAT64, WG_SHAPE(1), ((double[]){5})), .user = &k);
    ck_assert_double_eq(wg_element(one, 0), 2);
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
    tcase_add_test(all, custom_uses_the_derivative_it_is_given);
    tcase_add_test(all, custom_of_plain_c_is_not_differentiated_twice_in_silence);
    tcase_add_test(all, while_runs_as_long_as_it_is_told);
    tcase_add_test(all, fixed_point_has_the_derivatives_of_what_it_solves);
    tcase_add_test(all, root_has_derivatives_of_both_orders);
    tcase_add_test(all, an_argmin_is_a_root_of_the_gradient);
    tcase_add_test(all, equations_without_solution_are_refused);
    tcase_add_loop_test(all, odeint_solves_decay_with_its_gradients, 0, (int)(sizeof ways / sizeof *ways));
    tcase_add_test(all, the_continuous_adjoint_is_the_discrete_one_without_the_steps);
    tcase_add_test(all, odeint_keeps_the_energy_of_a_pendulum_and_comes_back);
    tcase_add_test(all, no_memory_on_the_way_back_is_an_error);
    tcase_add_test(all, odeint_refuses_what_it_cannot_do);
    tcase_add_test(all, what_is_wrong_is_said);
    tcase_add_loop_test(all, no_memory_is_an_error_and_a_rewind_mends_it, 0, 4);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
