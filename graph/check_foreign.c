/* Functions that know nothing of tapes, with gradients written by hand: each is made an operation of its own, which
 * lives as long as the check. */
#include "core/tape.h"
#include "wengert/check.h"
#include "wengert/elementwise.h"

typedef struct {
    wg_op op; /* first: the rules find the rest by their call's entry */
    wg_foreign_function *f;
    wg_foreign_gradient *gradient;
    wg_nlopt_function *both; /* in place of the two */
    void *user;
} foreign;

static wg_status foreign_type(wg_call *c)
{
    c->y[0] = wg_type_make(WG_FLOAT64, WG_SCALAR);
    return WG_OK;
}

static wg_status foreign_run(const wg_call *c)
{
    const foreign *f = (const void *)c->op;
    int64_t n = wg_type_count(&c->x[0]);
    double y = f->both ? f->both((unsigned)n, c->from[0], NULL, f->user) : f->f(c->from[0], (size_t)n, f->user);
    memcpy(c->to[0], &y, sizeof y);
    return WG_OK;
}

static wg_tensor foreign_dx(const wg_call *c, wg_tensor g)
{
    const foreign *f = (const void *)c->op;
    wg_tensor d = wg_leaf(c->tape, &c->x[0], NULL, 0, "wg_check_foreign");
    double *x = wg_scratch(c, (size_t)wg_size(d) * sizeof *x);
    if (!x || !wg_is_tensor(d) || (wg_copy_out)(c->in[0], x))
        return wg_invalid_on(c->tape);
    double *to = wg_node_at(c->tape, d.node)->data;
    for (int64_t i = 0; i < wg_size(d); i++)
        to[i] = (double)NAN; /* what it does not write is not taken for a zero */
    if (f->both)
        f->both((unsigned)wg_size(d), x, to, f->user);
    else
        f->gradient(x, (size_t)wg_size(d), to, f->user);
    return wg_multiply(g, d);
}

static wg_tensor called(const wg_tensor *x, void *user)
{
    const foreign *f = user;
    return wg_record(&f->op, NULL, x, 1);
}

static wg_check_report checked(foreign *f, const double *x, size_t n, wg_check_grad_options options)
{
    wg_check_report report = {.failed = true};
    if (!x || !n || n > (size_t)INT32_MAX || (!f->both && (!f->f || !f->gradient))) {
        snprintf(report.message, sizeof report.message, "there is nothing to check");
        return report;
    }
    wg_tape *tape = wg_tape_new();
    if (!tape) {
        snprintf(report.message, sizeof report.message, "no memory");
        return report;
    }
    f->op = (wg_op){.name = "the function", .doc = "given by the caller", .in = {{"x", 0}}, .type = foreign_type,
                    .run = foreign_run, .vjp = {foreign_dx}, .saves = "x"};
    wg_tensor in = wg_array(tape, WG_FLOAT64, WG_SHAPE((int64_t)n), x);
    (wg_name)(in, "x");
    options.user = f;
    report = (wg_check_grad)(called, &in, 1, options);
    wg_tape_free(tape);
    return report;
}

wg_check_report (wg_check_foreign)(wg_foreign_function *f, wg_foreign_gradient *gradient, const double *x, size_t n,
                                   wg_check_grad_options options)
{
    foreign given = {.f = f, .gradient = gradient, .user = options.user};
    return checked(&given, x, n, options);
}

wg_check_report (wg_check_nlopt)(wg_nlopt_function *f, const double *x, size_t n, wg_check_grad_options options)
{
    foreign given = {.both = f, .user = options.user};
    return checked(&given, x, n, options);
}
