/* Wrong input, to every public function and to every operation, the latter from its entry alone: an error of the right
 * kind that names this file and the line of the call, never a crash, and a tape that works on after a rewind. */
#include <check.h>
#include <stdlib.h>

#include "core/tape.h"
#include "faults.h"
#include "wengert/check.h"
#include "wengert/convolution.h"
#include "wengert/derivatives.h"
#include "wengert/elementwise.h"
#include "wengert/indexing.h"
#include "wengert/linalg.h"
#include "wengert/products.h"
#include "wengert/reductions.h"
#include "wengert/sample.h"
#include "wengert/shape.h"
#include "wengert/training.h"

#define MOST ((size_t)1 << 24) /* bytes at once: what would take more is an error here as it would be anywhere */

static faults memory;
static wg_tape *tape, *other;
static wg_tensor x, w, stale, foreign;
static wg_mark start;

static void set_up(void)
{
    memory = (faults){.largest = MOST};
    tape = wg_tape_new(.memory = faults_memory(&memory));
    other = wg_tape_new();
    foreign = wg_full(other, WG_FLOAT64, WG_SHAPE(2, 3), 1);
    x = wg_full(tape, WG_FLOAT64, WG_SHAPE(2, 3), 2);
    w = wg_param(tape, "w", WG_SHAPE(2, 3), .dtype = WG_FLOAT64, .init = WG_ONES);
    start = wg_tape_mark(tape);
    stale = wg_exp(x);
    wg_rewind(tape, start);
}

static void tear_down(void)
{
    wg_tape_free(tape);
    wg_tape_free(other);
    ck_assert_uint_eq(memory.blocks, 0);
    ck_assert_uint_eq(memory.misused, 0);
}

/* ---- What every error has ---------------------------------------------------------------------------------------- */
static void has_failed(wg_status status, int line, const char *call)
{
    char place[64];
    snprintf(place, sizeof place, "test_bad_input.c:%d: ", line);
    ck_assert_msg(wg_failed(tape), "%s: no error", call);
    ck_assert_msg(wg_error_status(tape) == status, "%s: %s, not %s: %s", call, wg_status_name(wg_error_status(tape)),
                  wg_status_name(status), wg_error(tape));
    ck_assert_msg(strstr(wg_error(tape), place) != NULL, "%s: \"%s\" does not name line %d", call, wg_error(tape),
                  line);
    wg_clear_error(tape);
    wg_rewind(tape, start);
    ck_assert_msg(wg_item(wg_sum(wg_multiply(x, w))) == 12 && !wg_failed(tape), "%s: the tape is broken", call);
    wg_rewind(tape, start);
}

#define FAILS(status, call)                                                                                            \
    do {                                                                                                               \
        (void)(call);                                                                                                  \
        has_failed(status, __LINE__, #call);                                                                           \
    } while (0)

/* Without a tape there is nowhere to put an error: the call says it by what it returns, and does nothing. */
#define REFUSES(call) ck_assert_msg(call, "%s", #call)

/* ---- core/ ------------------------------------------------------------------------------------------------------- */
static void nothing(void *object) { (void)object; }

START_TEST(the_tape_says_what_is_wrong)
{
    wg_mark inner, dead;
    wg_exp(x);
    inner = wg_tape_mark(tape);
    wg_exp(x);
    dead = wg_tape_mark(tape);
    wg_rewind(tape, inner);
    FAILS(WG_ERROR_STALE, (wg_rewind(tape, dead), 0));
    wg_rewind(tape, start);
    FAILS(WG_ERROR_STALE, (wg_rewind(tape, inner), 0));
    wg_tanh(x);
    wg_tanh(x);
    FAILS(WG_ERROR_STALE, (wg_rewind(tape, inner), 0)); /* as many nodes as then, but others */
    FAILS(WG_ERROR_STALE, (wg_rewind(tape, wg_tape_mark(other)), 0));
    FAILS(WG_ERROR_STALE, (wg_rewind(tape, (wg_mark){0}), 0));
    FAILS(WG_ERROR_VALUE, wg_tape_own(tape, tape, NULL));
    FAILS(WG_ERROR_VALUE, wg_scope_begin(tape, NULL, 1));
    FAILS(WG_ERROR_VALUE, wg_scope_end(tape));
    FAILS(WG_ERROR_VALUE, wg_no_grad_end(tape));
    FAILS(WG_ERROR_VALUE, wg_name(x, NULL));
    FAILS(WG_ERROR_STALE, wg_name(stale, "h"));
    FAILS(WG_ERROR_STALE, wg_name_of(stale));
    REFUSES(!wg_tape_new(.buffer = &memory, .buffer_bytes = 8));
    REFUSES(wg_tape_own(NULL, NULL, nothing) != WG_OK);
    REFUSES(wg_failed(NULL) && *wg_error(NULL));
    wg_tape_free(NULL);
    wg_rewind(NULL, start);
    wg_clear_error(NULL);
    wg_on_error(NULL, NULL, NULL);
    wg_seed(NULL, 1);
    REFUSES(wg_scope_begin(NULL, "a", 1) == 1 && wg_scope_end(NULL) == 0);
    REFUSES(!wg_tape_nodes(NULL) && !wg_tape_bytes(NULL) && !wg_tape_used_bytes(NULL));
}
END_TEST

START_TEST(leaves_are_checked)
{
    wg_shape nine = {.rank = 9}, negative = {.rank = -1}, huge = WG_SHAPE(INT64_MAX, 2),
             hollow = WG_SHAPE(0, INT64_MAX, 9);
    double one = 1;
    FAILS(WG_ERROR_SHAPE, wg_array(tape, WG_FLOAT64, nine, &one));
    FAILS(WG_ERROR_SHAPE, wg_array(tape, WG_FLOAT64, negative, &one));
    FAILS(WG_ERROR_SHAPE, wg_array(tape, WG_FLOAT64, huge, &one));
    FAILS(WG_ERROR_SHAPE, wg_array(tape, WG_FLOAT64, hollow, &one));
    FAILS(WG_ERROR_SHAPE, wg_array(tape, WG_FLOAT64, WG_SHAPE(2, -3), &one));
    FAILS(WG_ERROR_DTYPE, wg_array(tape, (wg_dtype)77, WG_SHAPE(2), &one));
    FAILS(WG_ERROR_DTYPE, wg_array(tape, WG_NO_DTYPE, WG_SHAPE(2), &one));
    FAILS(WG_ERROR_MEMORY, wg_array(tape, WG_FLOAT64, WG_SHAPE(1 << 30), NULL));
    FAILS(WG_ERROR_VALUE, wg_borrow(tape, WG_FLOAT64, WG_SHAPE(2), NULL));
    FAILS(WG_ERROR_SHAPE, wg_borrow(tape, WG_FLOAT64, huge, &one));
    FAILS(WG_ERROR_SHAPE, wg_full(tape, WG_INT32, nine, 3));
    FAILS(WG_ERROR_DTYPE, wg_full(tape, (wg_dtype)5, WG_SHAPE(2), 3));
    FAILS(WG_ERROR_VALUE, wg_param(tape, NULL, WG_SHAPE(2)));
    FAILS(WG_ERROR_VALUE, wg_param(tape, "", WG_SHAPE(2)));
    FAILS(WG_ERROR_DTYPE, wg_param(tape, "p", WG_SHAPE(2), .dtype = WG_INT64));
    FAILS(WG_ERROR_SHAPE, wg_param(tape, "p", nine));
    FAILS(WG_ERROR_VALUE, wg_param(tape, "p", WG_SHAPE(2), .init = (wg_init)99));
    FAILS(WG_ERROR_VALUE, wg_param(tape, "p", WG_SHAPE(2), .init = WG_HE_NORMAL, .gain = (double)NAN));
    FAILS(WG_ERROR_MEMORY, wg_param(tape, "p", WG_SHAPE(1 << 30)));
    REFUSES(wg_is_invalid(wg_array(NULL, WG_FLOAT64, WG_SHAPE(1), &one)));
    REFUSES(wg_is_invalid(wg_borrow(NULL, WG_FLOAT64, WG_SHAPE(1), &one)));
    REFUSES(wg_is_invalid(wg_full(NULL, WG_FLOAT64, WG_SHAPE(1), 1)));
    REFUSES(wg_is_invalid(wg_scalar(NULL, 1)));
    REFUSES(wg_is_invalid(wg_param(NULL, "p", WG_SHAPE(1))));
}
END_TEST

START_TEST(looks_at_values_are_checked)
{
    double room[6];
    wg_tensor flipped = wg_matrix_transpose(x);
    FAILS(WG_ERROR_UNSUPPORTED, wg_values(flipped));
    FAILS(WG_ERROR_SHAPE, wg_item(x));
    FAILS(WG_ERROR_STALE, wg_item(stale));
    FAILS(WG_ERROR_INDEX, wg_element(x, 6));
    FAILS(WG_ERROR_INDEX, wg_element(x, -1));
    FAILS(WG_ERROR_INDEX, wg_element(x, INT64_MIN));
    FAILS(WG_ERROR_STALE, wg_element(stale, 0));
    FAILS(WG_ERROR_VALUE, wg_copy_out(x, NULL));
    FAILS(WG_ERROR_STALE, wg_copy_out(stale, room));
    FAILS(WG_ERROR_STALE, wg_values(stale));
    FAILS(WG_ERROR_STALE, wg_type_of(stale));
    FAILS(WG_ERROR_STALE, wg_shape_of(stale));
    FAILS(WG_ERROR_STALE, wg_size(stale));
    FAILS(WG_ERROR_SHAPE, wg_assign(x, wg_full(tape, WG_FLOAT64, WG_SHAPE(3, 2), 1)));
    FAILS(WG_ERROR_DTYPE, wg_assign(x, wg_full(tape, WG_FLOAT32, WG_SHAPE(2, 3), 1)));
    FAILS(WG_ERROR_STALE, wg_assign(stale, x));
    FAILS(WG_ERROR_STALE, wg_assign(x, stale));
    FAILS(WG_ERROR_VALUE, wg_assign(x, WG_NONE));
    FAILS(WG_ERROR_VALUE, wg_assign(x, wg_number(3)));
    FAILS(WG_ERROR_VALUE, wg_grad_of(x));
    FAILS(WG_ERROR_STALE, wg_grad_of(stale));
    FAILS(WG_ERROR_VALUE, (wg_zero_grad(x), 0));
    FAILS(WG_ERROR_VALUE, wg_grad_of(wg_param(tape, "f", WG_SHAPE(1), .frozen = true)));
    REFUSES(isnan(wg_item(WG_NONE)) && isnan(wg_element(WG_INVALID, 0)) && !wg_values(wg_number(2)));
    REFUSES(wg_copy_out(WG_NONE, room) && wg_assign(WG_NONE, WG_NONE) && !wg_size(WG_NONE));
    REFUSES(!wg_is_param(stale) && !wg_has_grad(WG_NONE) && !*wg_name_of(WG_NONE));
    REFUSES(wg_is_none(wg_name(WG_NONE, "n")) && wg_is_invalid(wg_name(WG_INVALID, "n")));
    wg_print(WG_NONE, NULL);
}
END_TEST

START_TEST(operations_by_name_are_checked)
{
    static const wg_op nameless = {.in = {{"x", 0}}};
    FAILS(WG_ERROR_VALUE, wg_op_add(tape, NULL));
    FAILS(WG_ERROR_VALUE, wg_op_add(tape, &nameless));
    const wg_op *known = wg_op_find(tape, "exp");
    FAILS(WG_ERROR_VALUE, wg_op_add(tape, known));
    const wg_op *matmul = wg_op_find(tape, "matmul");
    wg_tensor out;
    FAILS(WG_ERROR_UNSUPPORTED, wg_update(matmul, NULL, WG_TENSORS(wg_here_at(x, __FILE__, __LINE__), w).at, 2));
    FAILS(WG_ERROR_SHAPE, wg_record_on(tape, matmul, NULL, &x, -1, &out, 1));
    FAILS(WG_ERROR_SHAPE, wg_record_on(tape, matmul, NULL, &x, 1, &out, 1));
    REFUSES(wg_record_on(NULL, matmul, NULL, &x, 1, &out, 1) && wg_is_invalid(out));
    REFUSES(wg_op_add(NULL, matmul) && !wg_op_find(NULL, "add") && !wg_op_find(tape, NULL));
    REFUSES(wg_op_operands(NULL) == 0 && wg_op_outputs(NULL) == 1);
}
END_TEST

START_TEST(what_failed_elsewhere_is_named_where_it_is_used)
{
    FAILS(WG_ERROR_VALUE, wg_add(x, WG_INVALID));
    FAILS(WG_ERROR_VALUE, wg_add(x, wg_invalid_on(other)));
    FAILS(WG_ERROR_VALUE, wg_item(wg_invalid_on(tape)));
    FAILS(WG_ERROR_VALUE, wg_backward(wg_invalid_on(tape)));
}
END_TEST

START_TEST(the_line_is_that_of_the_call_that_failed)
{
    double good = wg_element(x, 0); /* a place that is told and not used must not be left behind */
    FAILS(WG_ERROR_SHAPE, wg_add(x, wg_full(tape, WG_FLOAT64, WG_SHAPE(4), good)));
    wg_tensor two[2];
    int64_t sizes[] = {9, 9};
    FAILS(WG_ERROR_SHAPE, wg_split(x, 1, ((wg_list){sizes, 2}), two));
    wg_assign(x, x);
    FAILS(WG_ERROR_SHAPE, wg_matmul(x, x));
}
END_TEST

/* ---- graph/ ------------------------------------------------------------------------------------------------------ */
START_TEST(derivatives_are_checked)
{
    wg_tensor y = wg_sum(wg_square(x)), out[2], pair[] = {x, foreign}, gone[] = {stale};
    wg_tensor whole = wg_full(tape, WG_INT64, WG_SCALAR, 1), one = wg_scalar(tape, 1), v = wg_exp(x);
    start = wg_tape_mark(tape);
    FAILS(WG_ERROR_SHAPE, wg_backward(x));
    FAILS(WG_ERROR_STALE, wg_backward(stale));
    FAILS(WG_ERROR_DTYPE, wg_backward(whole));
    FAILS(WG_ERROR_SHAPE, wg_grad(x, &x, 1, out));
    FAILS(WG_ERROR_STALE, wg_grad(stale, &x, 1, out));
    FAILS(WG_ERROR_STALE, wg_grad(y, gone, 1, out));
    FAILS(WG_ERROR_VALUE, wg_grad(y, pair, 2, out));
    FAILS(WG_ERROR_DTYPE, wg_grad(y, &whole, 1, out));
    FAILS(WG_ERROR_SHAPE, wg_grad(y, &x, 1, out, .cotangent = x));
    FAILS(WG_ERROR_VALUE, wg_grad(y, &x, 1, out, .cotangent = foreign));
    FAILS(WG_ERROR_VALUE, wg_grad(y, &w, 1, out, .unused = WG_UNUSED_ERROR));
    FAILS(WG_ERROR_SHAPE, wg_vjp(&y, &x, 1, &x, 1, out));
    FAILS(WG_ERROR_STALE, wg_vjp(&y, gone, 1, &x, 1, out));
    FAILS(WG_ERROR_VALUE, wg_vjp(&y, &one, 1, pair, 2, out));
    FAILS(WG_ERROR_VALUE, wg_vjp(pair, &x, 2, &x, 1, out));
    FAILS(WG_ERROR_SHAPE, wg_jvp(&y, 1, &x, &y, 1, out));
    FAILS(WG_ERROR_STALE, wg_jvp(&y, 1, gone, &x, 1, out));
    FAILS(WG_ERROR_STALE, wg_jvp(gone, 1, &x, &x, 1, out));
    FAILS(WG_ERROR_VALUE, wg_jvp(&y, 1, &x, &foreign, 1, out));
    FAILS(WG_ERROR_VALUE, wg_jvp(&y, 1, &foreign, &x, 1, out));
    FAILS(WG_ERROR_DTYPE, wg_jvp(&y, 1, &whole, &whole, 1, out));
    FAILS(WG_ERROR_SHAPE, wg_hvp(y, &x, &y, 1, out));
    FAILS(WG_ERROR_STALE, wg_hvp(stale, &x, &x, 1, out));
    FAILS(WG_ERROR_SHAPE, wg_hvp(x, &x, &x, 1, out));
    wg_no_grad_begin(tape);
    FAILS(WG_ERROR_UNSUPPORTED, wg_hvp(y, &x, &x, 1, out));
    wg_no_grad_end(tape); /* which a rewind leaves as it is */
    wg_tensor squared = wg_square(w);
    wg_assign(w, w);
    start = wg_tape_mark(tape);
    FAILS(WG_ERROR_STALE, wg_grad(squared, &w, 1, out, .cotangent = v));
    FAILS(WG_ERROR_STALE, wg_grad(squared, &w, 1, out, .cotangent = v, .create_graph = true));
    FAILS(WG_ERROR_STALE, wg_jvp(&squared, 1, &w, &v, 1, out));
    REFUSES(wg_backward(WG_NONE) && wg_backward(wg_number(1)));
    REFUSES(wg_grad(WG_NONE, &x, 1, out) && wg_hvp(WG_NONE, &x, &x, 1, out));
    REFUSES(wg_vjp(NULL, NULL, 0, NULL, 0, NULL) && wg_jvp(NULL, 0, NULL, NULL, 0, NULL));
}
END_TEST

START_TEST(training_is_checked)
{
    wg_tensor two[] = {w, x}, mixed[] = {w, foreign};
    FAILS(WG_ERROR_VALUE, wg_sgd(&x, 1));
    FAILS(WG_ERROR_VALUE, wg_sgd(two, 2));
    FAILS(WG_ERROR_VALUE, wg_adam(mixed, 2));
    FAILS(WG_ERROR_VALUE, wg_sgd(&stale, 1));
    FAILS(WG_ERROR_VALUE, wg_sgd(&w, 1, .lr = -1));
    FAILS(WG_ERROR_VALUE, wg_sgd(&w, 1, .momentum = 1));
    FAILS(WG_ERROR_VALUE, wg_adam(&w, 1, .lr = (double)NAN));
    FAILS(WG_ERROR_VALUE, wg_adam(&w, 1, .beta1 = 1));
    FAILS(WG_ERROR_VALUE, wg_adam(&w, 1, .beta2 = -0.1));
    FAILS(WG_ERROR_VALUE, wg_adamw(&w, 1, .lr = (double)INFINITY));
    FAILS(WG_ERROR_VALUE, wg_rmsprop(&w, 1, .alpha = 2));
    FAILS(WG_ERROR_VALUE, wg_clip_grad_norm(&x, 1, 1));
    FAILS(WG_ERROR_VALUE, wg_clip_grad_norm(&w, 1, 0));
    FAILS(WG_ERROR_VALUE, wg_clip_grad_norm(&w, 1, (double)NAN));
    FAILS(WG_ERROR_VALUE, wg_clip_grad_value(&x, 1, 1));
    FAILS(WG_ERROR_VALUE, wg_clip_grad_value(&w, 1, -1));
    wg_optimizer *short_lived = wg_adam(&w, 1);
    FAILS(WG_ERROR_VALUE, wg_set_lr(short_lived, -1));
    FAILS(WG_ERROR_STALE, wg_step(short_lived)); /* made after the mark, its moments are gone */
    REFUSES(!wg_sgd(NULL, 0) && !wg_adam(NULL, 3) && !wg_adamw(&w, -1) && !wg_rmsprop(&w, 0));
    REFUSES(wg_step(NULL) && wg_set_lr(NULL, 1) && isnan(wg_lr(NULL)) && !wg_steps(NULL));
    REFUSES(isnan(wg_clip_grad_norm(NULL, 0, 1)) && wg_clip_grad_value(NULL, 0, 1));
    wg_zero_grads(NULL);
    REFUSES(!wg_failed(tape));
}
END_TEST

static wg_tensor not_a_tensor(const wg_tensor *inputs, void *user)
{
    (void)inputs;
    (void)user;
    return WG_NONE;
}

static wg_tensor wrong(const wg_tensor *inputs, void *user)
{
    (void)user;
    return wg_matmul(inputs[0], inputs[0]);
}

START_TEST(a_check_that_cannot_be_made_says_why)
{
    wg_tensor whole = wg_full(tape, WG_INT64, WG_SHAPE(2), 1), pair[] = {x, foreign}, many[WG_CHECK_INPUTS + 1] = {x};
    const wg_check_report reports[] = {wg_check_grad(NULL, &x, 1),
                                       wg_check_grad(wrong, NULL, 1),
                                       wg_check_grad(wrong, &x, 0),
                                       wg_check_grad(wrong, &x, -1),
                                       wg_check_grad(wrong, many, WG_CHECK_INPUTS + 1),
                                       wg_check_grad(wrong, &whole, 1),
                                       wg_check_grad(wrong, pair, 2),
                                       wg_check_grad(wrong, &(wg_tensor){0}, 1),
                                       wg_check_grad(not_a_tensor, &x, 1),
                                       wg_check_grad(wrong, &x, 1),
                                       wg_check_grad(wrong, &stale, 1)};
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++)
        ck_assert_msg(reports[i].failed && *reports[i].message, "report %zu: \"%s\"", i, reports[i].message);
    ck_assert_ptr_nonnull(strstr(reports[9].message, "test_bad_input.c:"));
    ck_assert(!wg_failed(tape));
    double error, step;
    ck_assert(isnan(wg_ridders(NULL, NULL, 0, 1, &error, &step)) && isinf(error));
}
END_TEST

/* ---- Every operation --------------------------------------------------------------------------------------------- */
/* A call that is spoilt in one way after another. */
typedef struct {
    const wg_op *op;
    const char *text;
    wg_sample sample;
} spoilt;

static const char *describe(const spoilt *s, const char *how)
{
    static char text[512];
    snprintf(text, sizeof text, "%s: %s: %s", s->op->name, s->text, how);
    return text;
}

/* Records it. An error is one of the call, with its place; no result comes with one. `must` it fail? */
static wg_status record_spoilt(const spoilt *s, const wg_sample *call, bool must, const char *how)
{
    wg_tensor out[WG_MAX_OUTPUTS];
    wg_mark before = wg_tape_mark(tape);
    int n = wg_op_outputs(s->op);
    wg_status status = wg_record_on(tape, s->op, s->op->options ? call->options : NULL, call->in, call->n_in, out, n);
    ck_assert_msg((status != WG_OK) == wg_failed(tape), "%s: status %s, error \"%s\"", describe(s, how),
                  wg_status_name(status), wg_error(tape));
    ck_assert_msg(status || !must, "%s: no error", describe(s, how));
    for (int k = 0; k < n && status; k++)
        ck_assert_msg(wg_is_invalid(out[k]), "%s: an error and a result", describe(s, how));
    if (status) {
        ck_assert_msg(strstr(wg_error(tape), "test_bad_input.c:") != NULL, "%s: \"%s\" has no place", describe(s, how),
                      wg_error(tape));
        ck_assert_msg(strstr(wg_error(tape), s->op->name) != NULL, "%s: \"%s\" has no name", describe(s, how),
                      wg_error(tape));
    }
    wg_clear_error(tape);
    wg_rewind(tape, before);
    return status;
}

static const wg_operand *operand_of(const wg_op *op, int i)
{
    int last = wg_op_operands(op) - 1;
    return &op->in[i < last ? i : last];
}

static bool is_plain(const wg_operand *operand)
{
    return !(operand->flags & (WG_INTEGER | WG_BOOLEAN | WG_ANY | WG_INDEX_OR_FLOAT | WG_BOOL_OR_FLOAT));
}

static void spoil_operands(const spoilt *s)
{
    bool variadic = operand_of(s->op, 1000)->flags & WG_VARIADIC;
    for (int i = 0; i < s->sample.n_in; i++) {
        const wg_operand *operand = operand_of(s->op, i);
        bool optional = operand->flags & WG_OPTIONAL, given = !wg_is_none(s->sample.in[i]);
        wg_sample call = s->sample;
        call.in[i] = WG_NONE;
        record_spoilt(s, &call, !optional, "an operand is missing");
        call.in[i] = foreign;
        ck_assert_int_ne(record_spoilt(s, &call, true, "an operand of another tape"), WG_OK);
        call.in[i] = stale;
        record_spoilt(s, &call, true, "a stale operand");
        call.in[i] = WG_INVALID;
        record_spoilt(s, &call, true, "an invalid operand");
        call.in[i] = (wg_tensor){tape, 0x7fffffff, 1};
        record_spoilt(s, &call, true, "a forged operand");
        wg_shape shape = given ? wg_shape_of(s->sample.in[i]) : WG_SCALAR;
        for (int dtype = WG_FLOAT32; dtype <= WG_BOOL; dtype++) {
            bool is_float = wg_is_float((wg_dtype)dtype);
            bool wrong_kind = (operand->flags & WG_INTEGER && is_float) ||
                              (operand->flags & WG_BOOLEAN && dtype != WG_BOOL) ||
                              (is_plain(operand) && !s->op->map && !is_float);
            call.in[i] = wg_full(tape, (wg_dtype)dtype, shape, 0);
            record_spoilt(s, &call, wrong_kind, wg_dtype_name((wg_dtype)dtype));
        }
        const wg_shape odd[] = {WG_SCALAR,
                                WG_SHAPE(0),
                                WG_SHAPE(7, 5, 3),
                                WG_SHAPE(1, 1, 1, 1, 1, 1, 1, 1),
                                WG_SHAPE(2, 2, 2, 2, 2, 2, 2, 2),
                                WG_SHAPE(0, 3)};
        for (size_t k = 0; k < sizeof odd / sizeof *odd && given; k++) {
            call.in[i] = wg_full(tape, wg_type_of(s->sample.in[i]).dtype, odd[k], 1);
            record_spoilt(s, &call, false, "an odd shape");
        }
        call.in[i] = wg_number(1e300);
        record_spoilt(s, &call, false, "a number");
        call.n_in = i;
        call.in[i] = s->sample.in[i];
        record_spoilt(s, &call, !optional && !variadic, "too few operands");
    }
    wg_sample more = s->sample;
    while (more.n_in < WG_SAMPLE_OPERANDS)
        more.in[more.n_in++] = x;
    record_spoilt(s, &more, !variadic, "too many operands");
}

static void spoil_integers(const spoilt *s)
{
    static const double far[] = {-1e18, -100, 100, 1e18};
    for (int i = 0; i < s->sample.n_in; i++)
        for (size_t k = 0; k < sizeof far / sizeof *far; k++) {
            if (wg_is_none(s->sample.in[i]) || !wg_is_integer(wg_type_of(s->sample.in[i]).dtype))
                continue;
            wg_sample call = s->sample;
            call.in[i] = wg_full(tape, wg_type_of(s->sample.in[i]).dtype, wg_shape_of(s->sample.in[i]), far[k]);
            record_spoilt(s, &call, false, "indices far out");
        }
}

/* Writes each of some values over an option; whatever they mean, nothing may break. */
static void spoil_option(const spoilt *s, const wg_attr *attr)
{
    static const int64_t integers[] = {INT64_MIN, INT64_MIN + 1,    -((int64_t)1 << 40), -9,       -1, 0, 1,
                                       9,         (int64_t)1 << 40, INT64_MAX - 1,       INT64_MAX};
    static const double reals[] = {-INFINITY, -1e308, -1, 0, 5e-324, 1, 1e308, INFINITY, NAN};
    static const char *const words[] = {NULL, "", "frobnicate", "%s%n"};
    wg_sample call = s->sample;
    char *at = (char *)call.options + attr->offset;
    size_t n = 1;
    switch (attr->kind) {
    case WG_ATTR_REAL:
        n = sizeof reals / sizeof *reals;
        break;
    case WG_ATTR_CHOICE:
        n = sizeof words / sizeof *words;
        break;
    default:
        n = sizeof integers / sizeof *integers;
    }
    for (size_t k = 0; k < n; k++) {
        int64_t value = attr->kind == WG_ATTR_REAL || attr->kind == WG_ATTR_CHOICE ? 0 : integers[k];
        int small = value > INT_MAX ? INT_MAX : value < INT_MIN ? INT_MIN : (int)value;
        wg_axes axes = {{small, small}, 2};
        wg_ints ints = {{value, value, value}, 3};
        wg_shape shape = {{value, value, value}, 3};
        switch (attr->kind) {
        case WG_ATTR_BOOL:
            *(bool *)at = k % 2;
            break;
        case WG_ATTR_AXIS:
            memcpy(at, &small, sizeof small);
            break;
        case WG_ATTR_INTEGER:
            memcpy(at, &value, sizeof value);
            break;
        case WG_ATTR_REAL:
            memcpy(at, &reals[k], sizeof *reals);
            break;
        case WG_ATTR_CHOICE:
            memcpy(at, &words[k], sizeof *words);
            break;
        case WG_ATTR_AXES:
            axes.n = k % 2 ? 2 : small;
            memcpy(at, &axes, sizeof axes);
            break;
        case WG_ATTR_SHAPE:
            shape.rank = k % 2 ? 3 : small;
            memcpy(at, &shape, sizeof shape);
            break;
        case WG_ATTR_INTS:
            ints.n = k % 2 ? 3 : small;
            memcpy(at, &ints, sizeof ints);
            break;
        case WG_ATTR_LIST:
            memcpy(at, &(wg_list){&integers[k], k % 2 ? 1 : -3}, sizeof(wg_list));
            break;
        case WG_ATTR_LISTS:
            ints.n = k % 2 ? 3 : small;
            memcpy(at, &ints, sizeof ints);
            break;
        case WG_ATTR_SPATIAL:
        case WG_ATTR_PAIRS:
            for (size_t i = 0; i < attr->size / sizeof value; i++)
                memcpy(at + i * sizeof value, &value, sizeof value);
            break;
        case WG_ATTR_DTYPE:
            memcpy(at, &small, sizeof small);
            break;
        }
        record_spoilt(s, &call, false, attr->name);
    }
}

START_TEST(every_operation_refuses_what_it_cannot_take)
{
    const wg_family *family = wg_op_family(_i);
    for (int k = 0; k < family->n; k++)
        for (int i = 0; i < 16 && family->op[k]->samples[i]; i++) {
            wg_mark before = wg_tape_mark(tape);
            if (family->op[k]->hidden) /* called with what the library has made sure of */
                continue;
            spoilt s = {.op = family->op[k], .text = family->op[k]->samples[i]};
            ck_assert_int_eq(wg_sample_make(tape, s.op, s.text, WG_FLOAT64, 1, &s.sample), WG_OK);
            record_spoilt(&s, &s.sample, false, "as it is");
            spoil_operands(&s);
            spoil_integers(&s);
            for (int a = 0; s.op->options && a < s.op->options->n; a++)
                spoil_option(&s, &s.op->options->attr[a]);
            wg_status status = record_spoilt(&s, &s.sample, false, "at the end");
            bool lacks_lapack = status == WG_ERROR_UNSUPPORTED && !wg_has_lapack();
            ck_assert_msg(status == WG_OK || lacks_lapack, "%s", describe(&s, "at the end"));
            wg_rewind(tape, before);
        }
}
END_TEST

START_TEST(what_is_too_large_to_hold_is_an_error)
{
    const int64_t huge = (int64_t)1 << 31;
    wg_tensor one = wg_scalar(tape, 1);
    wg_tensor column = wg_broadcast_to(one, WG_SHAPE(huge, 1)), row = wg_broadcast_to(one, WG_SHAPE(1, huge));
    start = wg_tape_mark(tape);
    ck_assert_int_eq(wg_size(column), huge); /* a view: no memory */
    FAILS(WG_ERROR_MEMORY, wg_add(column, row));
    FAILS(WG_ERROR_MEMORY, wg_add(column, 1));
    FAILS(WG_ERROR_MEMORY, wg_matmul(column, row));
    FAILS(WG_ERROR_MEMORY, wg_outer(wg_reshape(column, WG_SHAPE(huge)), wg_reshape(row, WG_SHAPE(huge))));
    FAILS(WG_ERROR_MEMORY, wg_concat(WG_TENSORS(column, column), .axis = 0));
    FAILS(WG_ERROR_MEMORY, wg_broadcast_to(x, WG_SHAPE((int64_t)1 << 61, 2, 3)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bad input");
    TCase *tcase = tcase_create("bad input");
    int families = 0;
    while (wg_op_family(families))
        families++;
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, the_tape_says_what_is_wrong);
    tcase_add_test(tcase, leaves_are_checked);
    tcase_add_test(tcase, looks_at_values_are_checked);
    tcase_add_test(tcase, operations_by_name_are_checked);
    tcase_add_test(tcase, what_failed_elsewhere_is_named_where_it_is_used);
    tcase_add_test(tcase, the_line_is_that_of_the_call_that_failed);
    tcase_add_test(tcase, derivatives_are_checked);
    tcase_add_test(tcase, training_is_checked);
    tcase_add_test(tcase, a_check_that_cannot_be_made_says_why);
    tcase_add_test(tcase, what_is_too_large_to_hold_is_an_error);
    tcase_add_loop_test(tcase, every_operation_refuses_what_it_cannot_take, 0, families);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
