/* Ten million scalar nodes: recorded and differentiated on a stack far too small to recurse over them. */
#include <check.h>
#include <pthread.h>

#include "core/tape.h"
#include "wengert/derivatives.h"
#include "wengert/elementwise.h"

#define NODES 10000000
#define STACK ((size_t)256 << 10) /* bytes, thread-local memory of the libraries included */

typedef struct {
    wg_tape *tape;
    wg_tensor y, g;
    wg_status status;
} work;

/* y = x (1 + 1e-7)^n by n products: dy/dx = y / x. */
static void *record_and_differentiate(void *argument)
{
    work *w = argument;
    wg_tensor x = wg_scalar(w->tape, 2), factor = wg_scalar(w->tape, 1 + 1e-7);
    w->y = x;
    for (int i = 0; i < NODES; i++)
        w->y = wg_multiply(w->y, factor);
    w->status = wg_grad(w->y, &x, 1, &w->g);
    return NULL;
}

START_TEST(ten_million_nodes_need_no_stack)
{
    work w = {.tape = wg_tape_new()};
    pthread_attr_t small;
    pthread_t thread;
    pthread_attr_init(&small);
    ck_assert_int_eq(pthread_attr_setstacksize(&small, STACK), 0);
    ck_assert_int_eq(pthread_create(&thread, &small, record_and_differentiate, &w), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&small);
    ck_assert_msg(w.status == WG_OK && !wg_failed(w.tape), "%s", wg_error(w.tape));
    ck_assert_uint_ge(wg_tape_nodes(w.tape), NODES);
    ck_assert_double_eq_tol(wg_item(w.y), 2 * exp(NODES * log1p(1e-7)), 1e-8);
    ck_assert_double_eq_tol(wg_item(w.g), wg_item(w.y) / 2, 1e-8);
    wg_tape_free(w.tape);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("long tape");
    TCase *tcase = tcase_create("long tape");
    tcase_add_test(tcase, ten_million_nodes_need_no_stack);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
