/* wengert_check.h in each framework's way of failing: by its macro alone, which is all that the header looks for. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <wengert.h>

static const char *failed_by;

static double square(const double *x, size_t n, void *user)
{
    (void)n, (void)user;
    return x[0] * x[0];
}
static void twice_its_gradient(const double *x, size_t n, double *g, void *user)
{
    (void)n, (void)user;
    g[0] = 4 * x[0];
}
static const double at[] = {1.5};

/* ---- cmocka ------------------------------------------------------------------------------------------------------ */
#define fail_msg(...) (failed_by = "cmocka")
#include <wengert_check.h>
static void in_cmocka(void) { WG_CHECK_FOREIGN(square, twice_its_gradient, at, 1); }
#undef fail_msg
#undef WENGERT_CHECK_ASSERTION_H
#undef WG_CHECK_FAIL

/* ---- Unity ------------------------------------------------------------------------------------------------------- */
#define TEST_FAIL_MESSAGE(text) (failed_by = "Unity")
#include <wengert_check.h>
static void in_unity(void) { WG_CHECK_FOREIGN(square, twice_its_gradient, at, 1); }
#undef TEST_FAIL_MESSAGE
#undef WENGERT_CHECK_ASSERTION_H
#undef WG_CHECK_FAIL

/* ---- libcheck ---------------------------------------------------------------------------------------------------- */
#define ck_abort_msg(...) (failed_by = "libcheck")
#include <wengert_check.h>
static void in_libcheck(void) { WG_CHECK_FOREIGN(square, twice_its_gradient, at, 1); }
#undef ck_abort_msg
#undef WENGERT_CHECK_ASSERTION_H
#undef WG_CHECK_FAIL

/* ---- None, behind GSL: the program aborts ------------------------------------------------------------------------ */
typedef struct {
    const double *data;
} gsl_vector;
typedef struct {
    gsl_vector vector;
} gsl_vector_const_view, gsl_vector_view;
typedef struct {
    double (*f)(const gsl_vector *x, void *params);
    void (*df)(const gsl_vector *x, void *params, gsl_vector *g);
    size_t n;
    void *params;
} gsl_multimin_function_fdf;
static gsl_vector_view gsl_vector_view_array(double *x, size_t n)
{
    (void)n;
    return (gsl_vector_view){{x}};
}
static gsl_vector_const_view gsl_vector_const_view_array(const double *x, size_t n)
{
    (void)n;
    return (gsl_vector_const_view){{x}};
}
static double gsl_square(const gsl_vector *x, void *params) { return square(x->data, 1, params); }
static void gsl_gradient(const gsl_vector *x, void *params, gsl_vector *g)
{
    double d = *(double *)params * x->data[0];
    memcpy((void *)(uintptr_t)g->data, &d, sizeof d);
}

#define __GSL_MULTIMIN_H__
#include <wengert_check.h>
static jmp_buf back;
static void aborted(int number)
{
    (void)number;
    failed_by = "abort";
    longjmp(back, 1);
}
static void in_none(double factor)
{
    gsl_multimin_function_fdf f = {gsl_square, gsl_gradient, 1, &factor};
    signal(SIGABRT, aborted);
    if (!setjmp(back))
        WG_CHECK_GSL(&f, at);
}

static bool is(const char *name)
{
    bool same = failed_by && !strcmp(failed_by, name);
    if (!same)
        printf("failed by %s and not by %s\n", failed_by ? failed_by : "nobody", name);
    failed_by = NULL;
    return same;
}

int main(void)
{
    in_none(2);
    bool fine = !failed_by;
    in_cmocka();
    fine = is("cmocka") && fine;
    in_unity();
    fine = is("Unity") && fine;
    in_libcheck();
    fine = is("libcheck") && fine;
    in_none(3);
    return is("abort") && fine ? 0 : 1;
}
