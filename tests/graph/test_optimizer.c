/* Optimisers against their formulas written out in double precision; clipping; schedules; a training that is saved,
 * loaded and goes on as if it had never stopped. */
#include "files.h"

#include <float.h>

static wg_tape *tape;

static void set_up(void)
{
    tape = wg_tape_new();
    folder_make();
}

static void tear_down(void)
{
    folder_remove();
    wg_tape_free(tape);
}

static void no_error(void) { ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape)); }

/* ---- The formulas ------------------------------------------------------------------------------------------------ */
typedef struct {
    double p, m, v; /* v or velocity, s */
} state;

typedef void rule(state *s, double g, int t);

static void sgd(state *s, double g, int t)
{
    (void)t;
    s->p -= 0.1 * (g + 0.01 * s->p);
}
static void momentum(state *s, double g, int t)
{
    (void)t;
    s->v = 0.9 * s->v + g;
    s->p -= 0.1 * s->v;
}
static void nesterov(state *s, double g, int t)
{
    (void)t;
    s->v = 0.9 * s->v + g;
    s->p -= 0.1 * (g + 0.9 * s->v);
}
static void adam(state *s, double g, int t)
{
    g += 0.01 * s->p;
    s->m = 0.9 * s->m + 0.1 * g;
    s->v = 0.99 * s->v + 0.01 * g * g;
    s->p -= 0.1 * (s->m / (1 - pow(0.9, t))) / (sqrt(s->v / (1 - pow(0.99, t))) + 1e-3);
}
static void adamw(state *s, double g, int t)
{
    s->p -= 0.1 * 0.05 * s->p;
    s->m = 0.9 * s->m + 0.1 * g;
    s->v = 0.999 * s->v + 0.001 * g * g;
    s->p -= 0.1 * (s->m / (1 - pow(0.9, t))) / (sqrt(s->v / (1 - pow(0.999, t))) + 1e-8);
}
static void rmsprop(state *s, double g, int t)
{
    (void)t;
    s->v = 0.9 * s->v + 0.1 * g * g;
    s->p -= 0.1 * g / (sqrt(s->v) + 1e-8);
}
static void rmsprop_momentum(state *s, double g, int t)
{
    (void)t;
    s->v = 0.9 * s->v + 0.1 * g * g;
    s->m = 0.5 * s->m + g / (sqrt(s->v) + 1e-8);
    s->p -= 0.1 * s->m;
}

static wg_optimizer *make(int which, const wg_tensor *p, int n)
{
    switch (which) {
    case 0:
        return wg_sgd(p, n, .lr = 0.1, .weight_decay = 0.01);
    case 1:
        return wg_sgd(p, n, .lr = 0.1, .momentum = 0.9);
    case 2:
        return wg_sgd(p, n, .lr = 0.1, .momentum = 0.9, .nesterov = true);
    case 3:
        return wg_adam(p, n, .lr = 0.1, .beta2 = 0.99, .eps = 1e-3, .weight_decay = 0.01);
    case 4:
        return wg_adamw(p, n, .lr = 0.1, .weight_decay = 0.05);
    case 5:
        return wg_rmsprop(p, n, .lr = 0.1, .alpha = 0.9);
    default:
        return wg_rmsprop(p, n, .lr = 0.1, .alpha = 0.9, .momentum = 0.5);
    }
}
static rule *const rules[] = {sgd, momentum, nesterov, adam, adamw, rmsprop, rmsprop_momentum};

/* Of the loss sum(a p^2 / 2), element i: a = i + 1. */
#define N 5
static wg_tensor loss_of(wg_tensor p)
{
    static const double a[N] = {1, 2, 3, 4, 5};
    wg_dtype dtype = wg_type_of(p).dtype;
    wg_tensor weight = wg_array(p.tape, WG_FLOAT64, WG_SHAPE(N), a);
    if (dtype == WG_FLOAT32) {
        static const float b[N] = {1, 2, 3, 4, 5};
        weight = wg_array(p.tape, WG_FLOAT32, WG_SHAPE(N), b);
    }
    return wg_multiply(wg_sum(wg_multiply(weight, wg_square(p))), 0.5);
}

START_TEST(a_step_follows_its_formula)
{
    int which = _i / 2;
    wg_dtype dtype = _i % 2 ? WG_FLOAT32 : WG_FLOAT64;
    wg_tensor p = wg_param(tape, "p", WG_SHAPE(N), .dtype = dtype, .init = WG_ONES);
    wg_optimizer *o = make(which, &p, 1);
    wg_mark start = wg_tape_mark(tape);
    state s[N] = {{1, 0, 0}, {1, 0, 0}, {1, 0, 0}, {1, 0, 0}, {1, 0, 0}};
    for (int t = 1; t <= 20; t++, wg_rewind(tape, start)) {
        ck_assert_int_eq(wg_backward(loss_of(p)), WG_OK);
        ck_assert_int_eq(wg_step(o), WG_OK);
        ck_assert(!wg_has_grad(p));
        for (int i = 0; i < N; i++) {
            rules[which](&s[i], (i + 1) * s[i].p, t);
            ck_assert_double_eq_tol(wg_element(p, i), s[i].p, dtype == WG_FLOAT32 ? 2e-5 : 1e-13);
        }
    }
    ck_assert_int_eq(wg_steps(o), 20);
    no_error();
}
END_TEST

START_TEST(adams_first_step_has_the_length_of_its_rate)
{
    static const float g[] = {1e-20f, 1e-3f, -1e3f, -1e18f};
    wg_tensor p = wg_param(tape, "p", WG_SHAPE(4));
    wg_optimizer *o = wg_adam(&p, 1, .lr = 0.5, .eps = 0);
    wg_backward(wg_sum(wg_multiply(p, wg_array(tape, WG_FLOAT32, WG_SHAPE(4), g))));
    ck_assert_int_eq(wg_step(o), WG_OK);
    for (int i = 1; i < 4; i++) /* the square of the first is nothing in float32 */
        ck_assert_double_eq_tol(wg_element(p, i), g[i] > 0 ? -0.5 : 0.5, 1e-6);
}
END_TEST

/* ---- What is stepped --------------------------------------------------------------------------------------------- */
START_TEST(what_has_no_gradient_stays)
{
    wg_tensor p[] = {wg_param(tape, "used", WG_SHAPE(2), .init = WG_ONES),
                     wg_param(tape, "unused", WG_SHAPE(2), .init = WG_ONES),
                     wg_param(tape, "frozen", WG_SHAPE(2), .init = WG_ONES, .frozen = true)};
    wg_tensor kept[10];
    wg_optimizer *o = wg_adamw(p, 3, .lr = 0.1);
    ck_assert_int_eq(wg_optimizer_state(o, kept, 10), 5);
    ck_assert_str_eq(wg_name_of(kept[0]), "optimizer.used.m");
    ck_assert_str_eq(wg_name_of(kept[4]), "optimizer.steps");
    wg_backward(wg_sum(wg_multiply(p[0], p[2])));
    ck_assert_int_eq(wg_step(o), WG_OK);
    ck_assert_double_lt(wg_element(p[0], 0), 1);
    ck_assert_double_eq(wg_element(p[1], 0), 1);
    ck_assert_double_eq(wg_element(p[2], 0), 1);
    double before = wg_element(p[0], 0);
    ck_assert_int_eq(wg_step(o), WG_OK); /* its gradient was taken */
    ck_assert_double_eq(wg_element(p[0], 0), before);
    no_error();
}
END_TEST

START_TEST(gradients_add_up_until_a_step_or_a_zero)
{
    wg_tensor p = wg_param(tape, "p", WG_SHAPE(1), .init = WG_ONES);
    wg_optimizer *o = wg_sgd(&p, 1, .lr = 1);
    wg_backward(wg_sum(p));
    wg_zero_grads(o);
    wg_backward(wg_sum(p));
    wg_backward(wg_multiply(wg_sum(p), 2));
    wg_step(o);
    ck_assert_double_eq(wg_element(p, 0), 1 - 3);
    no_error();
}
END_TEST

START_TEST(a_failed_tape_does_not_move)
{
    wg_tensor p = wg_param(tape, "p", WG_SHAPE(1), .init = WG_ONES);
    wg_optimizer *o = wg_sgd(&p, 1);
    wg_backward(wg_sum(p));
    wg_report(tape, "test", WG_ERROR_VALUE, "failed");
    ck_assert_int_eq(wg_step(o), WG_ERROR_VALUE);
    ck_assert_double_eq(wg_element(p, 0), 1);
}
END_TEST

START_TEST(an_optimizer_outlived_by_a_rewind_is_refused)
{
    wg_tensor p = wg_param(tape, "p", WG_SHAPE(1), .init = WG_ONES);
    wg_mark start = wg_tape_mark(tape);
    wg_optimizer *o = wg_adam(&p, 1);
    wg_rewind(tape, start);
    wg_backward(wg_sum(p));
    ck_assert_int_eq(wg_step(o), WG_ERROR_STALE);
    ck_assert_double_eq(wg_element(p, 0), 1);
}
END_TEST

static const struct {
    int which;
    double lr, coefficient;
    const char *says;
} refused[] = {{0, -1, 0, "wg_sgd: the learning rate is -1"},
               {0, (double)INFINITY, 0, "wg_sgd: the learning rate is inf"},
               {0, 1, 1, "wg_sgd: momentum = 1 is outside [0, 1)"},
               {1, (double)NAN, 0.9, "wg_adam: the learning rate is nan"},
               {1, 1, 1.5, "wg_adam: beta2 = 1.5 is outside [0, 1)"},
               {2, 1, -1, "wg_adam: eps = -1 is outside [0, inf)"},
               {3, 1, (double)NAN, "wg_rmsprop: weight_decay = nan is outside [0, inf)"}};
START_TEST(a_wrong_option_is_refused)
{
    wg_tensor p = wg_param(tape, "p", WG_SHAPE(1));
    wg_optimizer *o = refused[_i].which == 0 ? wg_sgd(&p, 1, .lr = refused[_i].lr, .momentum = refused[_i].coefficient)
                      : refused[_i].which == 1 ? wg_adam(&p, 1, .lr = refused[_i].lr, .beta2 = refused[_i].coefficient)
                      : refused[_i].which == 2 ? wg_adam(&p, 1, .lr = refused[_i].lr, .eps = refused[_i].coefficient)
                                               : wg_rmsprop(&p, 1, .weight_decay = refused[_i].coefficient);
    ck_assert_ptr_null(o);
    ck_assert_msg(strstr(wg_error(tape), refused[_i].says), "%s", wg_error(tape));
    ck_assert(strstr(wg_error(tape), "test_optimizer.c:"));
}
END_TEST

START_TEST(only_parameters_of_one_tape_are_taken)
{
    wg_tape *other = wg_tape_new();
    wg_tensor p = wg_param(tape, "p", WG_SHAPE(1)), q[] = {p, wg_param(other, "q", WG_SHAPE(1))},
              r[] = {p, wg_square(p)};
    ck_assert_ptr_null(wg_sgd(q, 2));
    ck_assert_msg(strstr(wg_error(tape), "tensor 1 of 2 is not a parameter of this tape"), "%s", wg_error(tape));
    wg_clear_error(tape);
    ck_assert_ptr_null(wg_adam(r, 2));
    ck_assert_ptr_null(wg_adam(NULL, 0));
    ck_assert_int_ne(wg_step(NULL), WG_OK);
    ck_assert_int_ne(wg_set_lr(NULL, 1), WG_OK);
    ck_assert_int_eq(wg_optimizer_state(NULL, NULL, 0), 0);
    wg_zero_grads(NULL);
    wg_tape_free(other);
}
END_TEST

/* ---- Stopping and going on --------------------------------------------------------------------------------------- */
static void train(wg_tape *on, wg_tensor p, wg_optimizer *o, int steps)
{
    wg_mark start = wg_tape_mark(on);
    for (int i = 0; i < steps; i++, wg_rewind(on, start)) {
        wg_backward(loss_of(p));
        wg_step(o);
    }
}

START_TEST(a_loaded_training_goes_on_with_the_same_bits)
{
    wg_tape *other = wg_tape_new();
    wg_tensor kept[8], p = wg_param(tape, "p", WG_SHAPE(N), .init = WG_ONES), q = wg_param(other, "p", WG_SHAPE(N));
    wg_optimizer *o = make(_i, &p, 1), *again = make(_i, &q, 1);
    train(tape, p, o, 7);
    kept[0] = p;
    int n = 1 + wg_optimizer_state(o, kept + 1, 7);
    ck_assert_msg(wg_save(in_folder("w"), kept, n) == WG_OK, "%s", wg_error(tape));
    kept[0] = q;
    ck_assert_int_eq(1 + wg_optimizer_state(again, kept + 1, 7), n);
    ck_assert_msg(wg_load(in_folder("w"), kept, n) == WG_OK, "%s", wg_error(other));
    ck_assert_int_eq(wg_steps(again), 7);
    train(tape, p, o, 6);
    train(other, q, again, 6);
    ck_assert_mem_eq(wg_values(p), wg_values(q), N * sizeof(float));
    no_error();
    wg_tape_free(other);
}
END_TEST

START_TEST(a_steady_loop_allocates_nothing)
{
    failing f = {.fail_at = 0};
    wg_tape *own = wg_tape_new(.memory = {failing_allocate, failing_release, &f});
    wg_tensor p = wg_param(own, "p", WG_SHAPE(N), .init = WG_ONES);
    wg_optimizer *o = make(_i, &p, 1);
    train(own, p, o, 2);
    int before = f.calls;
    train(own, p, o, 20);
    ck_assert_int_eq(f.calls, before);
    wg_tape_free(own);
    ck_assert_uint_eq(f.held, 0);
}
END_TEST

static void make_all(wg_tape *own)
{
    wg_tensor p[] = {wg_param(own, "p", WG_SHAPE(N), .init = WG_ONES), wg_param(own, "q", WG_SHAPE(30000))};
    for (int i = 0; i < COUNT(rules); i++)
        train(own, p[0], make(i, p, 2), 1);
}

START_TEST(running_out_of_memory_is_an_error) { fail_each_allocation(make_all); }
END_TEST

/* ---- Clipping ---------------------------------------------------------------------------------------------------- */
/* Two parameters whose gradients are {a, b} and {c}. */
static void two_params(wg_tensor p[2], wg_dtype dtype, double a, double b, double c)
{
    p[0] = wg_param(tape, "p", WG_SHAPE(2), .dtype = dtype);
    p[1] = wg_param(tape, "q", WG_SHAPE(1), .dtype = dtype);
    wg_tensor x = wg_full(tape, dtype, WG_SHAPE(1), a), y = wg_full(tape, dtype, WG_SHAPE(1), b);
    wg_backward(wg_add(wg_sum(wg_multiply(p[0], wg_concat(WG_TENSORS(x, y)))), wg_multiply(wg_sum(p[1]), c)));
    no_error();
}

static const struct {
    double a, b, c, most, norm, first;
} norms[] = {{3, 4, 12, 26, 13, 3},         {3, 4, 12, 6.5, 13, 1.5},         {0, 0, 0, 1, 0, 0},
             {3e200, 4e200, 0, 5, 5e200, 3}, {3e-200, 4e-200, 0, 1, 5e-200, 3e-200}, {-3, 4, 0, 1, 5, -0.6}};
START_TEST(the_norm_of_all_gradients_is_clipped)
{
    wg_tensor p[2];
    two_params(p, WG_FLOAT64, norms[_i].a, norms[_i].b, norms[_i].c);
    double norm = wg_clip_grad_norm(p, 2, norms[_i].most), first = wg_element(wg_grad_of(p[0]), 0);
    ck_assert_double_le(fabs(norm - norms[_i].norm), 1e-14 * norms[_i].norm);
    ck_assert_double_le(fabs(first - norms[_i].first), 1e-14 * fabs(norms[_i].first));
    no_error();
}
END_TEST

START_TEST(a_norm_that_is_not_finite_scales_nothing)
{
    wg_tensor p[2];
    two_params(p, WG_FLOAT32, 5, _i ? (double)NAN : (double)INFINITY, 1);
    ck_assert_double_nan(wg_clip_grad_norm(p, 2, 1));
    ck_assert_double_eq(wg_element(wg_grad_of(p[0]), 0), 5);
    no_error();
}
END_TEST

START_TEST(every_element_is_clipped)
{
    wg_tensor p[2];
    two_params(p, WG_FLOAT32, -3, 0.5, (double)INFINITY);
    ck_assert_int_eq(wg_clip_grad_value(p, 2, 2), WG_OK);
    ck_assert_double_eq(wg_element(wg_grad_of(p[0]), 0), -2);
    ck_assert_double_eq(wg_element(wg_grad_of(p[0]), 1), 0.5);
    ck_assert_double_eq(wg_element(wg_grad_of(p[1]), 0), 2);
    no_error();
    ck_assert_int_eq(wg_clip_grad_value(p, 2, -1), WG_ERROR_VALUE);
    wg_clear_error(tape);
    ck_assert_double_nan(wg_clip_grad_norm(p, 2, 0));
    ck_assert_msg(strstr(wg_error(tape), "wg_clip_grad_norm: max_norm is 0"), "%s", wg_error(tape));
}
END_TEST

/* ---- Schedules --------------------------------------------------------------------------------------------------- */
START_TEST(schedules_begin_and_end_where_they_say)
{
    ck_assert_double_eq(wg_schedule_step(29, 10, 0.5), 0.25);
    ck_assert_double_eq(wg_schedule_step(30, 10, 0.5), 0.125);
    ck_assert_double_eq(wg_schedule_exponential(3, 0.5), 0.125);
    double (*const schedules[])(int64_t, int64_t, int64_t) = {wg_schedule_linear, wg_schedule_cosine};
    for (int i = 0; i < 2; i++) {
        ck_assert_double_eq(schedules[i](0, 100, 10), 0.1);
        ck_assert_double_eq(schedules[i](9, 100, 10), 1);
        ck_assert_double_eq(schedules[i](10, 100, 10), 1);
        ck_assert_double_eq_tol(schedules[i](55, 100, 10), 0.5, 1e-15);
        ck_assert_double_eq(schedules[i](100, 100, 10), 0);
        ck_assert_double_eq(schedules[i](1000, 100, 10), 0);
        ck_assert_double_eq(schedules[i](0, 100, 0), 1);
        ck_assert_double_eq(schedules[i](0, 0, 0), 0);
    }
    wg_tensor p = wg_param(tape, "p", WG_SHAPE(1));
    wg_optimizer *o = wg_sgd(&p, 1, .lr = 0.25);
    ck_assert_double_eq(wg_lr(o), 0.25);
    ck_assert_int_eq(wg_set_lr(o, 0.5), WG_OK);
    ck_assert_double_eq(wg_lr(o), 0.5);
    ck_assert_int_eq(wg_set_lr(o, -0.5), WG_ERROR_VALUE);
    ck_assert_double_eq(wg_lr(o), 0.5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("optimizer");
    TCase *steps = tcase_create("steps");
    tcase_add_checked_fixture(steps, set_up, tear_down);
    tcase_add_loop_test(steps, a_step_follows_its_formula, 0, 2 * COUNT(rules));
    tcase_add_test(steps, adams_first_step_has_the_length_of_its_rate);
    tcase_add_test(steps, what_has_no_gradient_stays);
    tcase_add_test(steps, gradients_add_up_until_a_step_or_a_zero);
    tcase_add_test(steps, a_failed_tape_does_not_move);
    tcase_add_test(steps, an_optimizer_outlived_by_a_rewind_is_refused);
    tcase_add_loop_test(steps, a_wrong_option_is_refused, 0, COUNT(refused));
    tcase_add_test(steps, only_parameters_of_one_tape_are_taken);
    tcase_add_loop_test(steps, a_loaded_training_goes_on_with_the_same_bits, 0, COUNT(rules));
    tcase_add_loop_test(steps, a_steady_loop_allocates_nothing, 0, COUNT(rules));
    tcase_add_test(steps, running_out_of_memory_is_an_error);
    tcase_add_loop_test(steps, the_norm_of_all_gradients_is_clipped, 0, COUNT(norms));
    tcase_add_loop_test(steps, a_norm_that_is_not_finite_scales_nothing, 0, 2);
    tcase_add_test(steps, every_element_is_clipped);
    tcase_add_test(steps, schedules_begin_and_end_where_they_say);
    suite_add_tcase(suite, steps);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
