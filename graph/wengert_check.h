/* Wengert: gradient checks as one line of a unit test.
 *
 *     WG_CHECK(loss, params, 4);
 *     WG_CHECK(loss, inputs, 2, .user = &model, .exhaustive = true);
 *
 * where loss is a wg_check_function: float inputs to a float tensor. If the gradient is not the derivative, the report is printed
 * on standard error and the test fails, in the way of the framework whose header was included before this one: libcheck,
 * cmocka or Unity; without any of them, the program aborts. */
#ifndef WENGERT_CHECK_ASSERTION_H
#define WENGERT_CHECK_ASSERTION_H

#include <wengert/check.h>

#if defined(WG_CHECK_FAIL) /* your own: called with a string literal */
#elif defined(ck_abort_msg)
#define WG_CHECK_FAIL(text) ck_abort_msg(text)
#elif defined(TEST_FAIL_MESSAGE)
#define WG_CHECK_FAIL(text) TEST_FAIL_MESSAGE(text)
#elif defined(fail_msg)
#define WG_CHECK_FAIL(text) fail_msg(text)
#else
#include <stdlib.h>
#define WG_CHECK_FAIL(text) (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, text), abort())
#endif

#define WG_CHECK(...)                                                                                                  \
    do {                                                                                                               \
        wg_check_report wg_checked = wg_check_grad(__VA_ARGS__);                                                       \
        if (wg_checked.failed) {                                                                                       \
            wg_check_print(&wg_checked, stderr);                                                                       \
            WG_CHECK_FAIL("the gradient is not the derivative");                                                       \
        }                                                                                                              \
    } while (0)

#endif
