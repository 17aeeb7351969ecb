/* Wengert: gradient checks as one line of a unit test.
 *
 *     WG_CHECK(loss, params, 4);
 *     WG_CHECK(loss, inputs, 2, .user = &model, .exhaustive = true);
 *
 *     WG_CHECK_NLOPT(objective, x, 10, .user = &data);                  its gradient is written by hand
 *     WG_CHECK_FOREIGN(objective, its_gradient, x, 10);
 *     WG_CHECK_GSL(&fdf, x);                                            behind GSL's gsl_multimin.h
 *
 * where loss is a wg_check_function: float inputs to a float tensor. If the gradient is not the derivative, the report
 * is printed on standard error and the test fails, in the way of the framework whose header was included before this
 * one: libcheck, cmocka or Unity; without any of them, the program aborts. */
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

#define WG_CHECK(...) WG_CHECK_REPORT(wg_check_grad(__VA_ARGS__))
#define WG_CHECK_NLOPT(...) WG_CHECK_REPORT(wg_check_nlopt(__VA_ARGS__))
#define WG_CHECK_FOREIGN(...) WG_CHECK_REPORT(wg_check_foreign(__VA_ARGS__))
#define WG_CHECK_REPORT(report)                                                                                        \
    do {                                                                                                               \
        wg_check_report wg_checked = (report);                                                                         \
        if (wg_checked.failed) {                                                                                       \
            wg_check_print(&wg_checked, stderr);                                                                       \
            WG_CHECK_FAIL("the gradient is not the derivative");                                                       \
        }                                                                                                              \
    } while (0)

#ifdef __GSL_MULTIMIN_H__
static inline double wg_gsl_value(const double *x, size_t n, void *user)
{
    gsl_multimin_function_fdf *f = (gsl_multimin_function_fdf *)user;
    gsl_vector_const_view wg_x = gsl_vector_const_view_array(x, n);
    return f->f(&wg_x.vector, f->params);
}
static inline void wg_gsl_gradient(const double *x, size_t n, double *gradient, void *user)
{
    gsl_multimin_function_fdf *f = (gsl_multimin_function_fdf *)user;
    gsl_vector_const_view wg_x = gsl_vector_const_view_array(x, n);
    gsl_vector_view to = gsl_vector_view_array(gradient, n);
    f->df(&wg_x.vector, f->params, &to.vector);
}
#define WG_CHECK_GSL(fdf, x)                                                                                           \
    WG_CHECK_REPORT(wg_check_foreign(wg_gsl_value, wg_gsl_gradient, x, (fdf)->n, .user = (fdf)))
#endif

#endif
