/* Derivatives of derivatives: the cases in which systems have confused their perturbations, and derivatives to order 5,
 * by every mixture of forward and reverse mode, against mpmath's (tests/data/make_nesting.py). */
#include <check.h>
#include <stdlib.h>
#include <wengert.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static wg_tape *tape;

static void set_up(void) { tape = wg_tape_new(); }
static void tear_down(void)
{
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
    wg_tape_free(tape);
}

/* dy/dx by one pass, forward or reverse; both recorded. */
static wg_tensor derivative(wg_tensor y, wg_tensor x, bool forward)
{
    wg_tensor one = wg_scalar(tape, 1), d = WG_NONE;
    if (forward)
        wg_jvp(&y, 1, &x, &one, 1, &d);
    else
        wg_grad(y, &x, 1, &d, .create_graph = true);
    return d;
}

/* ---- Perturbation confusion -------------------------------------------------------------------------------------- */
/* Each of these is asked with both derivatives forward, both reverse, and one of each. */
#define OUTER (_i & 1)
#define INNER (_i & 2)

/* d/dx (x d/dy (x + y)) is 1 everywhere; confused, 2 (Siskind and Pearlmutter 2005). */
START_TEST(the_classic_case)
{
    wg_tensor x = wg_scalar(tape, 1), y = wg_scalar(tape, 1);
    wg_tensor product = wg_multiply(x, derivative(wg_add(x, y), y, INNER));
    ck_assert_double_eq(wg_item(derivative(product, x, OUTER)), 1);
}
END_TEST

/* d/dx (x d/dy (x y)) at y = 2 is 2 x: the inner derivative is x, not a constant. */
START_TEST(the_inner_derivative_depends_on_the_outer_variable)
{
    wg_tensor x = wg_scalar(tape, 3), y = wg_scalar(tape, 2);
    wg_tensor product = wg_multiply(x, derivative(wg_multiply(x, y), y, INNER));
    ck_assert_double_eq(wg_item(derivative(product, x, OUTER)), 6);
}
END_TEST

/* d/dx (x (d/dy x y at y = x)) = d/dx x^2 = 2 x: the inner variable is equal to the outer one, not the same. */
START_TEST(both_variables_have_the_same_value)
{
    wg_tensor x = wg_scalar(tape, 3), y = wg_scalar(tape, 3);
    wg_tensor inner = derivative(wg_multiply(x, y), y, INNER);
    ck_assert_double_eq(wg_item(derivative(wg_multiply(x, inner), x, OUTER)), 6);
}
END_TEST

/* The inner derivative is by an intermediate y = 2 x: d/dx (d/dy y^3) = d/dx 3 (2 x)^2 = 24 x. */
START_TEST(the_inner_variable_is_a_function_of_the_outer_one)
{
    wg_tensor x = wg_scalar(tape, 0.5), y = wg_multiply(x, 2);
    wg_tensor inner = derivative(wg_multiply(wg_multiply(y, y), y), y, INNER);
    ck_assert_double_eq(wg_item(derivative(inner, x, OUTER)), 12);
}
END_TEST

/* Manzyuk et al. 2019: the derivative of a function that returns a function. With s(x)(f) = the shift of f by x, the
 * derivative by x at 0 is d/dx itself; applied twice to exp it gives exp'' (0) = 1; confused, 0. */
static wg_tensor shifted_exp(wg_tensor at, wg_tensor by) { return wg_exp(wg_add(at, by)); }
START_TEST(a_derivative_of_a_function_valued_function)
{
    wg_tensor at = wg_scalar(tape, 0), first = wg_scalar(tape, 0), second = wg_scalar(tape, 0);
    wg_tensor moved = wg_add(at, second);
    wg_tensor once = derivative(shifted_exp(moved, first), first, INNER);
    ck_assert_double_eq(wg_item(derivative(once, second, OUTER)), 1);
}
END_TEST

/* A tangent that is itself a function of what the outer pass differentiates by: d/dx (f'(x) sin x), f = exp. */
START_TEST(a_tangent_depends_on_the_outer_variable)
{
    wg_tensor x = wg_scalar(tape, 0.7), y = wg_exp(x), t = wg_sin(x), pushed;
    wg_jvp(&y, 1, &x, &t, 1, &pushed);
    ck_assert_double_eq_tol(wg_item(derivative(pushed, x, OUTER)), exp(0.7) * (sin(0.7) + cos(0.7)), 1e-15);
}
END_TEST

START_TEST(a_cotangent_depends_on_the_outer_variable)
{
    wg_tensor x = wg_scalar(tape, 0.7), y = wg_exp(x), g = wg_sin(x), pulled;
    wg_vjp(&y, &g, 1, &x, 1, &pulled, .create_graph = true);
    ck_assert_double_eq_tol(wg_item(derivative(pulled, x, OUTER)), exp(0.7) * (sin(0.7) + cos(0.7)), 1e-15);
}
END_TEST

/* grad of jvp, jvp of jvp, jvp of grad, grad of grad of a function of two arrays: v' d^2 f / dx dy u all four ways. */
START_TEST(mixed_second_derivatives_of_arrays)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), ((double[]){0.1, -0.4, 0.7}));
    wg_tensor y = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), ((double[]){1.3, 0.2, -0.6}));
    wg_tensor v = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), ((double[]){0.5, 2, -1}));
    wg_tensor u = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), ((double[]){-0.3, 1, 0.8})), first, second;
    wg_tensor f = wg_sum(wg_multiply(wg_sin(x), wg_exp(wg_multiply(x, y))));
    if (INNER) {
        wg_jvp(&f, 1, &y, &u, 1, &first);
    } else {
        wg_grad(f, &y, 1, &first, .create_graph = true);
        first = wg_sum(wg_multiply(first, u));
    }
    if (OUTER) {
        wg_jvp(&first, 1, &x, &v, 1, &second);
    } else {
        wg_grad(first, &x, 1, &second);
        second = wg_sum(wg_multiply(second, v));
    }
    double sum = 0; /* d^2/dx dy sin x exp(x y) = exp(x y) (x cos x + sin x (1 + x y)) */
    for (int i = 0; i < 3; i++) {
        double a = wg_element(x, i), b = wg_element(y, i);
        sum += wg_element(u, i) * wg_element(v, i) * exp(a * b) * (a * cos(a) + sin(a) * (1 + a * b));
    }
    ck_assert_double_eq_tol(wg_item(second), sum, 1e-14);
}
END_TEST

/* ---- To order 5 -------------------------------------------------------------------------------------------------- */
static wg_tensor gauss(wg_tensor x) { return wg_exp(wg_negative(wg_multiply(x, x))); }
static wg_tensor waves(wg_tensor x) { return wg_multiply(wg_sin(x), wg_exp(wg_cos(wg_multiply(2, x)))); }
static wg_tensor tower(wg_tensor x) { return wg_tanh(wg_tanh(wg_tanh(x))); }
static wg_tensor ratio(wg_tensor x) { return wg_divide(wg_log1p(wg_square(x)), wg_sqrt(wg_add(x, 2))); }
static wg_tensor power(wg_tensor x) { return wg_pow(x, x); }
static wg_tensor gamma_atan(wg_tensor x) { return wg_multiply(wg_lgamma(x), wg_atan(x)); }
static wg_tensor error_sigmoid(wg_tensor x) { return wg_multiply(wg_erf(x), wg_sigmoid(wg_multiply(x, 3))); }

static const struct {
    const char *name;
    wg_tensor (*of)(wg_tensor x);
} functions[] = {{"gauss", gauss}, {"waves", waves}, {"tower", tower}, {"ratio", ratio},
                 {"power", power}, {"gamma", gamma_atan}, {"error", error_sigmoid}};

enum { ORDER = 5 };

static wg_tensor function_of(const char *name, wg_tensor x)
{
    for (int i = 0; i < COUNT(functions); i++)
        if (!strcmp(functions[i].name, name))
            return functions[i].of(x);
    ck_abort_msg("no function %s", name);
}

/* Calls test(name, x, values) for each function and point of the table. */
static void table_read(void (*test)(const char *name, double x, const double *expected))
{
    char path[1024], name[16];
    const char *data = getenv("WENGERT_TEST_DATA");
    snprintf(path, sizeof path, "%s/nesting.txt", data ? data : "tests/data");
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "no file %s", path);
    double x, value, expected[ORDER + 1];
    int order, lines = 0;
    while (fscanf(file, "%15s %lf %d %lf", name, &x, &order, &value) == 4) {
        ck_assert_int_eq(order, lines++ % (ORDER + 1));
        expected[order] = value;
        if (order == ORDER)
            test(name, x, expected);
    }
    fclose(file);
    ck_assert_int_eq(lines, COUNT(functions) * 4 * (ORDER + 1));
}

/* Within 1e-12, relative to the largest of the derivatives up to this one: a small one is a difference of such
 * terms. */
static void close_to(double value, const double *expected, int order, const char *name, double x)
{
    double scale = 0;
    for (int k = 0; k <= order; k++)
        scale = fmax(scale, fabs(expected[k]));
    ck_assert_msg(fabs(value - expected[order]) <= 1e-12 * scale, "%s(%g), order %d: %.17g, not %.17g", name, x, order,
                  value, expected[order]);
}

static int modes; /* bit k: pass k is forward */

static void derivatives_match(const char *name, double at, const double *expected)
{
    wg_mark start = wg_tape_mark(tape);
    wg_tensor x = wg_scalar(tape, at), y = function_of(name, x);
    for (int k = 0; k <= ORDER; k++) {
        close_to(wg_item(y), expected, k, name, at);
        y = k < ORDER ? derivative(y, x, modes >> k & 1) : y;
    }
    wg_rewind(tape, start);
}

START_TEST(forward_and_reverse_in_any_order_agree_with_mpmath)
{
    modes = _i;
    table_read(derivatives_match);
}
END_TEST

static void coefficients_match(const char *name, double at, const double *expected)
{
    wg_mark start = wg_tape_mark(tape);
    wg_tensor x = wg_scalar(tape, at), c[ORDER + 1];
    ck_assert_int_eq(wg_taylor(function_of(name, x), x, WG_NONE, ORDER, c), WG_OK);
    for (int k = 0; k <= ORDER; k++)
        close_to(wg_item(c[k]) * tgamma(k + 1), expected, k, name, at);
    wg_rewind(tape, start);
}

START_TEST(taylor_coefficients_agree_with_mpmath) { table_read(coefficients_match); }
END_TEST

/* Along a straight line and along a curve, of an array: (s v)^3 and (s + s^2)^2. */
START_TEST(taylor_follows_a_path)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), NULL), c[5];
    wg_tensor v = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), ((double[]){2, 3}));
    ck_assert_int_eq(wg_taylor(wg_pow(x, 3), x, v, 4, c), WG_OK);
    for (int k = 0; k < 5; k++)
        ck_assert_double_eq_tol(wg_element(c[k], 1), k == 3 ? 27 : 0, 1e-14);
    wg_tensor s = wg_scalar(tape, 0), y = wg_square(wg_add(s, wg_square(s)));
    ck_assert_int_eq(wg_taylor(y, s, WG_NONE, 4, c), WG_OK);
    const double curve[] = {0, 0, 1, 2, 1};
    for (int k = 0; k < 5; k++)
        ck_assert_double_eq_tol(wg_item(c[k]), curve[k], 1e-14);
}
END_TEST

START_TEST(taylor_coefficients_have_gradients)
{
    wg_tensor x = wg_scalar(tape, 0.5), a = wg_scalar(tape, 2), c[3], g;
    wg_taylor(wg_exp(wg_multiply(a, x)), x, WG_NONE, 2, c); /* c[2] = a^2 exp(a x) / 2 */
    wg_grad(c[2], &a, 1, &g);
    ck_assert_double_eq_tol(wg_item(g), (2 + 0.5 * 2) * exp(1), 1e-14);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nesting");
    TCase *tests = tcase_create("nesting");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    const TTest *mixed[] = {the_classic_case, the_inner_derivative_depends_on_the_outer_variable,
                            both_variables_have_the_same_value, the_inner_variable_is_a_function_of_the_outer_one,
                            a_derivative_of_a_function_valued_function, a_tangent_depends_on_the_outer_variable,
                            a_cotangent_depends_on_the_outer_variable, mixed_second_derivatives_of_arrays};
    for (int i = 0; i < COUNT(mixed); i++)
        tcase_add_loop_test(tests, mixed[i], 0, 4);
    tcase_add_loop_test(tests, forward_and_reverse_in_any_order_agree_with_mpmath, 0, 1 << ORDER);
    tcase_add_test(tests, taylor_coefficients_agree_with_mpmath);
    tcase_add_test(tests, taylor_follows_a_path);
    tcase_add_test(tests, taylor_coefficients_have_gradients);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
