/* A gradient in a unit test: WG_CHECK compares what the tape computes with numerical derivatives. Here in a test of
 * libcheck; cmocka, Unity or a plain main will do as well. */
#include <check.h>
#include <stdlib.h>
#include <wengert.h>

#include <wengert_check.h> /* after the framework's header */

/* Two rates, weighed by a third number: [n], [n] and [] give []. */
static wg_tensor mixture_loss(const wg_tensor *p, void *user)
{
    const wg_tensor *seen = user;
    wg_tensor weight = wg_sigmoid(p[2]);
    wg_tensor mean = wg_add(wg_multiply(weight, wg_exp(p[0])), wg_multiply(wg_subtract(1, weight), wg_exp(p[1])));
    return wg_poisson_nll_loss(mean, *seen, .log_input = false);
}

START_TEST(loss_has_the_right_gradient)
{
    wg_tape *tape = wg_tape_new();
    wg_tensor seen = wg_array(tape, WG_FLOAT64, WG_SHAPE(4), ((double[]){0, 2, 1, 5}));
    wg_tensor p[] = {
        wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(4), ((double[]){0.1, -0.3, 0.7, 1.2})), "log_rate.slow"),
        wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(4), ((double[]){1.1, 0.2, -0.4, 0.9})), "log_rate.fast"),
        wg_name(wg_scalar(tape, 0.3), "weight"),
    };
    WG_CHECK(mixture_loss, p, 3, .user = &seen);
    wg_tape_free(tape);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mixture");
    TCase *gradients = tcase_create("gradients");
    tcase_add_test(gradients, loss_has_the_right_gradient);
    suite_add_tcase(suite, gradients);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
