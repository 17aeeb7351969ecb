/* What is kept of a backward pass while it is watched: that it is right, goes with its nodes, and changes nothing. */
#define WG_WITHOUT_PLACES
#include "graph/observe.h"

#include "drawn.h"

static wg_tensor network(wg_tape *on, wg_tensor *h)
{
    wg_tensor x = filled(on, "x", WG_SHAPE(4, 5), 0.5);
    *h = wg_tanh(wg_linear(x, param(on, "fc1.weight", WG_SHAPE(5, 3)), param(on, "fc1.bias", WG_SHAPE(3))));
    return wg_mean(wg_square(wg_matmul(*h, param(on, "fc2.weight", WG_SHAPE(3, 2)))));
}

static double norm_of(wg_tensor t)
{
    double sum = 0;
    for (int64_t i = 0; i < wg_size(t); i++)
        sum += wg_element(t, i) * wg_element(t, i);
    return sqrt(sum);
}

START_TEST(an_adjoint_is_the_gradient)
{
    wg_tensor h, g;
    wg_observe(tape, WG_STATS);
    wg_tensor loss = network(tape, &h);
    ck_assert_ptr_null(wg_observed_gradient(tape, h.node));
    ck_assert_int_eq(wg_backward(loss), WG_OK);
    ck_assert_int_eq(wg_grad(loss, &h, 1, &g), WG_OK);
    const wg_statistics *s = wg_observed_gradient(tape, h.node);
    ck_assert_ptr_nonnull(s);
    ck_assert_double_eq_tol(s->norm, norm_of(g), 1e-14);
    ck_assert_int_eq(s->n, 12);
    int64_t inside = 0;
    for (int i = 0; i < WG_BINS; i++)
        inside += s->bin[i];
    ck_assert_int_eq(inside, 12);
}
END_TEST

START_TEST(times_are_kept_of_every_call)
{
    wg_tensor h;
    double forward, backward;
    wg_observe(tape, WG_TIME);
    wg_tensor loss = network(tape, &h);
    wg_backward(loss);
    wg_observed_seconds(tape, h.node, &forward, &backward);
    ck_assert_double_ge(forward, 0);
    ck_assert_double_ge(backward, 0);
    ck_assert_ptr_null(wg_observed_gradient(tape, h.node));
    char *dot = drawn(loss, WG_FORMAT_DOT, (wg_draw_options){.overlay = WG_SHOW_TIME});
    ck_assert_int_ge(count(dot, " %  "), 3);
    free(dot);
}
END_TEST

START_TEST(nothing_is_kept_before_or_behind)
{
    wg_tensor h;
    double forward, backward;
    wg_mark start = wg_tape_mark(tape);
    wg_backward(network(tape, &h));
    ck_assert_ptr_null(wg_observed_gradient(tape, h.node));
    wg_rewind(tape, start);
    wg_observe(tape, WG_STATS | WG_TIME);
    wg_backward(network(tape, &h));
    uint32_t node = h.node;
    ck_assert_ptr_nonnull(wg_observed_gradient(tape, node));
    wg_rewind(tape, start);
    wg_observe(tape, 0);
    network(tape, &h);
    ck_assert_uint_eq(h.node, node);
    ck_assert_ptr_null(wg_observed_gradient(tape, node));
    wg_observed_seconds(tape, node, &forward, &backward);
    ck_assert_double_lt(forward, 0);
    ck_assert_int_eq(wg_observe(tape, 4), WG_ERROR_VALUE);
    ck_assert_int_ne(wg_observe(NULL, WG_STATS), WG_OK);
}
END_TEST

START_TEST(watching_changes_no_bit)
{
    wg_tape *other = wg_tape_new();
    wg_tensor h;
    wg_observe(other, WG_STATS | WG_TIME);
    wg_tensor a = network(tape, &h), b = network(other, &h);
    wg_backward(a);
    wg_backward(b);
    ck_assert(wg_item(a) == wg_item(b));
    for (uint32_t i = 0; i <= a.node; i++) {
        wg_tensor p = wg_node_tensor(tape, i), q = wg_node_tensor(other, i);
        for (int64_t k = 0; wg_is_param(p) && k < wg_size(p); k++)
            ck_assert(wg_element(wg_grad_of(p), k) == wg_element(wg_grad_of(q), k));
    }
    ck_assert(!wg_failed(tape) && !wg_failed(other));
    wg_tape_free(other);
}
END_TEST

START_TEST(norms_in_between_are_drawn)
{
    wg_tensor h;
    wg_observe(tape, WG_STATS);
    wg_tensor loss = network(tape, &h);
    wg_backward(loss);
    char *dot = drawn(loss, WG_FORMAT_DOT, (wg_draw_options){.overlay = WG_SHOW_GRAD});
    ck_assert_int_ge(count(dot, "penwidth="), 5);
    ck_assert_int_eq(count(dot, "(log scale)"), 1);
    free(dot);
    dot = drawn(loss, WG_FORMAT_DOT, (wg_draw_options){.backward = true});
    ck_assert_int_eq(count(dot, "dir=\"back\" weight=\"20\" label="), 4);
    free(dot);
}
END_TEST

START_TEST(what_a_derivative_recorded_is_in_a_scope_of_its_own)
{
    wg_tensor h, g, loss = network(tape, &h);
    ck_assert_int_eq(wg_grad(loss, &h, 1, &g, .create_graph = true), WG_OK);
    char *dot = drawn(wg_sum(wg_square(g)), WG_FORMAT_DOT, (wg_draw_options){.backward = true});
    ck_assert_int_eq(count(dot, "subgraph \"cluster_backward\""), 1);
    ck_assert_int_ge(count(dot, "class=\"back\""), 2);
    free(dot);
}
END_TEST

static void watch_all(wg_tape *on)
{
    wg_tensor h;
    wg_observe(on, WG_STATS | WG_TIME);
    wg_backward(network(on, &h));
}

START_TEST(every_allocation_may_fail) { fail_each_allocation(watch_all); }
END_TEST

static Suite *observe_suite(void)
{
    Suite *s = suite_create("observe");
    TCase *kept = tcase_create("kept");
    tcase_add_checked_fixture(kept, set_up, tear_down);
    tcase_add_test(kept, an_adjoint_is_the_gradient);
    tcase_add_test(kept, times_are_kept_of_every_call);
    tcase_add_test(kept, nothing_is_kept_before_or_behind);
    tcase_add_test(kept, watching_changes_no_bit);
    tcase_add_test(kept, norms_in_between_are_drawn);
    tcase_add_test(kept, what_a_derivative_recorded_is_in_a_scope_of_its_own);
    tcase_add_test(kept, every_allocation_may_fail);
    suite_add_tcase(s, kept);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(observe_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
