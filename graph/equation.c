/* Solutions of equations, differentiated as such: by steps of Newton's method, recorded where they no longer move. A
 * step x - J(x)^-1 r(x) from an x that is off by e comes out off by e^2. From the solution as a constant, e is of first
 * order in a change of the parameters; after two steps it is of fourth. */
#include "graph/closure.h"

#include "wengert/elementwise.h"
#include "wengert/linalg.h"
#include "wengert/shape.h"

#define RECORDED 2 /* steps */
#define HALVINGS 30

typedef struct {
    wg_tape *tape;
    const char *name;
    wg_body *f;
    void *user;
    bool fixed; /* x = f(x), else f(x) = 0 */
    wg_type type;
    size_t bytes;
    double tolerance;
    int64_t most;
} equation;

/* f(x), of x's type. */
static wg_tensor applied(const equation *e, wg_tensor x)
{
    wg_tensor y;
    if (!wg_is_tensor(x) || wg_body_call(e->tape, e->name, e->f, e->user, &x, &y, 1))
        return wg_invalid_on(e->tape);
    wg_type type = wg_type_of(y);
    if (wg_type_equal(&type, &e->type))
        return y;
    wg_report(e->tape, e->name, WG_ERROR_SHAPE, "the function gives another type than that of x");
    return wg_invalid_on(e->tape);
}

/* What is to be 0. */
static wg_tensor residual(const equation *e, wg_tensor x)
{
    wg_tensor y = applied(e, x);
    return e->fixed ? wg_subtract(x, y) : y;
}

/* J^-1 r, of x's shape. */
static wg_tensor newton_step(const equation *e, wg_tensor x, wg_tensor r, bool record)
{
    wg_tensor j;
    int64_t n = wg_type_count(&e->type);
    if (!wg_is_tensor(r) || wg_jacobian(&r, 1, &x, 1, &j, .create_graph = record))
        return wg_invalid_on(e->tape);
    if (n == 1)
        return wg_divide(r, wg_reshape(j, wg_type_shape(&e->type)));
    wg_tensor step = wg_solve(wg_reshape(j, WG_SHAPE(n, n)), wg_reshape(r, WG_SHAPE(n)));
    return wg_reshape(step, wg_type_shape(&e->type));
}

/* The largest magnitude; infinity where one is not finite, or the tensor is none. */
static double largest(wg_tensor t)
{
    if (!wg_is_tensor(t))
        return (double)INFINITY;
    double most = 0;
    for (int64_t i = 0, n = wg_size(t); i < n; i++) {
        double x = fabs(wg_element(t, i));
        most = x <= most ? most : isfinite(x) ? x : (double)INFINITY;
    }
    return most;
}

static wg_tensor at(const equation *e, const void *values)
{
    return wg_array(e->tape, e->type.dtype, wg_type_shape(&e->type), values);
}

static wg_status taken_back(const equation *e, wg_aside aside, wg_status status)
{
    if (!status)
        status = e->tape->status;
    wg_aside_end(e->tape, aside);
    return status;
}

/* One round of x = f(x). */
static wg_status iterated(const equation *e, void *values, double *moved, double *size)
{
    wg_aside aside = wg_aside_begin(e->tape);
    wg_tensor x = at(e, values), y = applied(e, x);
    *moved = largest(wg_subtract(y, x));
    *size = largest(y);
    if (wg_is_tensor(y))
        wg_copy_out(y, values);
    return taken_back(e, aside, WG_OK);
}

/* One round of Newton's method, its step halved while the residual would grow. */
static wg_status newton_moved(const equation *e, void *values, double *moved, double *size)
{
    wg_aside aside = wg_aside_begin(e->tape);
    int no_grad = e->tape->no_grad;
    e->tape->no_grad = 0; /* a Jacobian is needed all the same */
    wg_tensor x = at(e, values), r = residual(e, x), step = newton_step(e, x, r, false), next = WG_NONE;
    double before = largest(r), part = 1;
    for (int k = 0; k < HALVINGS && wg_is_tensor(step); k++, part /= 2) {
        next = wg_subtract(x, wg_multiply(step, part));
        double after = largest(residual(e, next));
        if (after <= before || e->tape->status)
            break;
    }
    e->tape->no_grad = no_grad;
    *moved = part * largest(step);
    *size = largest(x);
    if (wg_is_tensor(next))
        wg_copy_out(next, values);
    return taken_back(e, aside, WG_OK);
}

static wg_status solved(const equation *e, void *values)
{
    double moved = (double)INFINITY, size = 0;
    for (int64_t i = 0; i < e->most; i++) {
        wg_status status = e->fixed ? iterated(e, values, &moved, &size) : newton_moved(e, values, &moved, &size);
        if (status)
            return status;
        if (!isfinite(moved))
            break;
        if (moved <= e->tolerance * (1 + size))
            return WG_OK;
    }
    return wg_report(e->tape, e->name, WG_ERROR_NUMERIC, "no solution after %lld rounds: the last one moved x by %g",
                     (long long)e->most, moved);
}

static wg_tensor solution(const equation *e, wg_tensor x0)
{
    void *values = wg_arena_values(e->tape, e->bytes);
    if (!values)
        wg_no_memory(e->tape, e->name, e->bytes);
    if (!values || wg_copy_out(x0, values) || solved(e, values))
        return wg_invalid_on(e->tape);
    wg_tensor x = at(e, values);
    for (int k = 0; k < RECORDED && !e->tape->no_grad && wg_is_tensor(x); k++)
        x = wg_subtract(x, newton_step(e, x, residual(e, x), true));
    /* Without a derivative nothing of x tells what it depends on. */
    if (wg_is_tensor(x))
        wg_decided(e->tape, e->name, e->tape->no_grad ? WG_ABSENT : x.node, x.node, x.node + 1);
    return x;
}

static wg_tensor equation_solved(equation e, wg_tensor x0)
{
    e.tape = wg_inputs_tape(e.name, (wg_tensors){&x0, 1}, NULL, 0);
    if (!e.tape)
        return x0.tape ? wg_invalid_on(x0.tape) : WG_INVALID;
    uint32_t held = wg_hold_place(e.tape);
    e.type = wg_type_of(x0);
    e.bytes = (size_t)wg_type_count(&e.type) * wg_dtype_size(e.type.dtype);
    if (!e.f)
        wg_report(e.tape, e.name, WG_ERROR_VALUE, "the function is NULL");
    else if (!wg_is_float(e.type.dtype))
        wg_report(e.tape, e.name, WG_ERROR_DTYPE, "x0 is %s, not float32 or float64", wg_dtype_name(e.type.dtype));
    else if (!(e.tolerance >= 0))
        wg_report(e.tape, e.name, WG_ERROR_VALUE, "the tolerance is %g", e.tolerance);
    if (e.tolerance == 0)
        e.tolerance = e.type.dtype == WG_FLOAT32 ? 0x1p-21 : 0x1p-50;
    wg_tensor x = e.tape->status ? wg_invalid_on(e.tape) : solution(&e, x0);
    wg_let_go_place(e.tape, held);
    return wg_is_tensor(x) ? x : wg_invalid_on(e.tape);
}

wg_tensor (wg_fixed_point)(wg_body *f, wg_tensor x0, wg_fixed_point_options options)
{
    equation e = {.name = "wg_fixed_point", .f = f, .user = options.user, .fixed = true, .tolerance = options.tolerance,
                  .most = options.most};
    return equation_solved(e, x0);
}

wg_tensor (wg_root)(wg_body *f, wg_tensor x0, wg_root_options options)
{
    equation e = {
        .name = "wg_root", .f = f, .user = options.user, .tolerance = options.tolerance, .most = options.most};
    return equation_solved(e, x0);
}
