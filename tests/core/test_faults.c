/* Memory that runs out. Each scenario is run again and again, with its first allocation failing, its second, and so on
 * until none is left to fail; then in a fixed buffer of every size up to one that is enough. Each time it either
 * succeeds with the right result, or fails with WG_ERROR_MEMORY, after which the tape, rewound, does the whole right.
 */
#include <check.h>
#include <stdlib.h>

#include "core/tape.h"
#include "faults.h"
#include "wengert/check.h"
#include "wengert/derivatives.h"
#include "wengert/elementwise.h"
#include "wengert/losses.h"
#include "wengert/networks.h"
#include "wengert/products.h"
#include "wengert/reductions.h"
#include "wengert/sample.h"
#include "wengert/training.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))
#define PIECE 40000 /* bytes: a chunk of nodes goes in, a block of the arena's usual size does not */

/* Does its work on the tape, and sums up in *result what came of it. False: something failed. */
typedef bool scenario(wg_tape *tape, const void *what, double *result);

static void add_up(wg_tensor t, double *sum)
{
    for (int64_t i = 0; i < wg_size(t); i++) {
        double value = wg_element(t, i);
        *sum += isfinite(value) ? value : 1e3;
    }
}

/* ---- Scenarios --------------------------------------------------------------------------------------------------- */
static bool tape_alone(wg_tape *tape, const void *what, double *result)
{
    (void)what;
    *result = (double)wg_tape_nodes(tape);
    return true;
}

static bool params(wg_tape *tape, const void *what, double *result)
{
    (void)what;
    for (int init = WG_ZEROS; init <= WG_ORTHOGONAL; init++)
        add_up(wg_param(tape, "layer.weight", WG_SHAPE(5, 4), .init = (wg_init)init), result);
    add_up(wg_param(tape, "frozen", WG_SHAPE(3), .init = WG_ONES, .frozen = true), result);
    return !wg_failed(tape);
}

static bool names_and_scopes(wg_tape *tape, const void *what, double *result)
{
    (void)what;
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), (double[]){1, 2, 3}), y = x;
    wg_mark mark = wg_tape_mark(tape);
    for (int i = 0; i < 20; i++)
        WG_SCOPE(tape, "block", i)
        {
            WG_SCOPE(tape, "inner") { y = wg_name(wg_exp(wg_multiply(y, 0.1)), "y"); }
        }
    wg_name(x, "the input, named late");
    wg_assign(x, y);
    add_up(y, result);
    wg_rewind(tape, mark);
    add_up(x, result);
    *result += !strcmp(wg_name_of(x), "the input, named late");
    return !wg_failed(tape);
}

static bool operations_by_name(wg_tape *tape, const void *what, double *result)
{
    static const wg_op mine = {.name = "mine", .in = {{"x", 0}}};
    (void)what;
    if (wg_op_find(tape, "mine") != &mine && wg_op_add(tape, &mine))
        return false;
    *result = wg_op_find(tape, "matmul") && wg_op_find(tape, "mine") == &mine;
    return !wg_failed(tape);
}

typedef struct {
    wg_tensor w1, b1, scale, shift, w2, b2;
} model;

static wg_tensor loss_of(const model *m, wg_tensor x, wg_tensor labels)
{
    wg_tensor h = wg_layer_norm(wg_linear(x, m->w1, m->b1), m->scale, m->shift);
    return wg_cross_entropy(wg_linear(wg_dropout(wg_relu(h), .p = 0.25), m->w2, m->b2), labels);
}

static bool training_step(wg_tape *tape, const void *what, double *result)
{
    (void)what;
    model m = {wg_param(tape, "fc1.weight", WG_SHAPE(6, 8), .init = WG_HE_NORMAL),
               wg_param(tape, "fc1.bias", WG_SHAPE(8)),
               wg_param(tape, "norm.weight", WG_SHAPE(8), .init = WG_ONES),
               wg_param(tape, "norm.bias", WG_SHAPE(8)),
               wg_param(tape, "fc2.weight", WG_SHAPE(8, 3), .init = WG_XAVIER_UNIFORM),
               wg_param(tape, "fc2.bias", WG_SHAPE(3))};
    wg_tensor *p = &m.w1;
    wg_optimizer *adam = wg_adam(p, 6, .lr = 1e-2);
    wg_mark start = wg_tape_mark(tape);
    for (int step = 0; step < 2; step++, wg_rewind(tape, start)) {
        float data[24];
        for (int i = 0; i < COUNT(data); i++)
            data[i] = (float)sin(i + step);
        wg_tensor x = wg_array(tape, WG_FLOAT32, WG_SHAPE(4, 6), data);
        wg_tensor labels = wg_array(tape, WG_INT64, WG_SHAPE(4), (int64_t[]){0, 2, 1, 1});
        wg_tensor loss = loss_of(&m, x, labels);
        wg_backward(loss);
        wg_backward(wg_multiply(loss, 0.5f)); /* accumulates */
        wg_clip_grad_norm(p, 6, 1);
        wg_step(adam);
    }
    for (int i = 0; i < 6; i++)
        add_up(p[i], result);
    return adam && !wg_failed(tape);
}

static wg_tensor wavy(const wg_tensor *x, void *user)
{
    (void)user;
    return wg_sum(wg_multiply(wg_sin(wg_multiply(x[0], x[0])), wg_exp(x[1])));
}

static bool derivatives(wg_tape *tape, const void *what, double *result)
{
    (void)what;
    wg_tensor x[] = {wg_array(tape, WG_FLOAT64, WG_SHAPE(3), (double[]){0.1, 0.2, 0.3}),
                     wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 1), (double[]){0.5, -0.5})};
    wg_tensor v[] = {wg_array(tape, WG_FLOAT64, WG_SHAPE(3), (double[]){1, 2, 3}), WG_NONE};
    wg_tensor y = wavy(x, NULL), g[2], out[2];
    bool done = !wg_grad(y, x, 2, g, .create_graph = true) && !wg_jvp(g, 2, x, v, 2, out);
    if (done) {
        add_up(out[0], result);
        add_up(out[1], result);
        done = !wg_hvp(y, x, v, 2, out) && !wg_hvp(y, x, v, 2, g, .reverse = true);
    }
    if (done) {
        add_up(out[0], result);
        add_up(g[1], result);
    }
    return done;
}

static bool gradient_check(wg_tape *tape, const void *what, double *result)
{
    (void)what;
    wg_tensor x[] = {wg_array(tape, WG_FLOAT64, WG_SHAPE(2), (double[]){0.1, 0.2}),
                     wg_array(tape, WG_FLOAT64, WG_SCALAR, (double[]){0.5})};
    if (wg_failed(tape))
        return false;
    wg_check_report report = wg_check_grad(wavy, x, 2);
    if (report.failed && strstr(report.message, "no memory"))
        wg_report(tape, "wg_check_grad", WG_ERROR_MEMORY, "%s", report.message);
    ck_assert_msg(!report.failed || wg_failed(tape), "the check says: %s, %s", report.message, report.input[0].reason);
    *result = (double)report.input[0].checked; /* by which oracle depends on the memory there is, as the report says */
    return !report.failed;
}

/* One sample of an entry, with its derivatives. */
typedef struct {
    const wg_op *op;
    const char *text;
} sample_of;

static bool pulled_and_pushed(wg_tape *tape, const wg_sample *s, const wg_tensor *out, int n, double *result)
{
    wg_tensor g[WG_SAMPLE_OPERANDS], floats[WG_SAMPLE_OPERANDS], cotangent[WG_MAX_OUTPUTS], pushed[WG_MAX_OUTPUTS];
    int n_floats = 0;
    for (int i = 0; i < s->n_in; i++)
        if (wg_is_tensor(s->in[i]) && wg_is_float(wg_type_of(s->in[i]).dtype))
            floats[n_floats++] = s->in[i];
    for (int k = 0; k < n; k++) {
        wg_type type = wg_type_of(out[k]);
        cotangent[k] = wg_is_float(type.dtype) ? wg_full(tape, type.dtype, wg_type_shape(&type), 0.5) : WG_NONE;
        if (wg_is_invalid(cotangent[k]))
            return false;
    }
    for (int record = 0; record < 2; record++) {
        if (wg_vjp(out, cotangent, n, floats, n_floats, g, .create_graph = record))
            return false;
        for (int i = 0; i < n_floats; i++)
            add_up(g[i], result);
    }
    if (wg_jvp(out, n, floats, floats, n_floats, pushed)) /* the tangents: the values */
        return false;
    for (int k = 0; k < n; k++)
        if (!wg_is_none(pushed[k]))
            add_up(pushed[k], result);
    return true;
}

static bool sample_recorded(wg_tape *tape, const void *what, double *result)
{
    const sample_of *of = what;
    wg_sample s;
    wg_tensor out[WG_MAX_OUTPUTS];
    int n = wg_op_outputs(of->op);
    if (wg_sample_make(tape, of->op, of->text, WG_FLOAT64, 7, &s) || wg_sample_record(tape, of->op, &s, out, n))
        return false;
    for (int k = 0; k < n; k++)
        add_up(out[k], result);
    return pulled_and_pushed(tape, &s, out, n, result);
}

/* ---- Running them ------------------------------------------------------------------------------------------------ */
/* Runs it once on a tape that may fail, then, if it did, once more after a rewind on one that may not. */
static void try_once(wg_tape *tape, faults *f, scenario *run, const void *what, double expected, const char *name)
{
    wg_mark start = wg_tape_mark(tape);
    for (int again = 0; again < 2; again++) {
        double result = 0;
        wg_seed(tape, 42);
        bool done = run(tape, what, &result);
        if (done) {
            ck_assert_msg(!wg_failed(tape), "%s, allocation %zu: done, and yet %s", name, f->fail_at, wg_error(tape));
            ck_assert_msg(result == expected, "%s, allocation %zu: %.17g instead of %.17g", name, f->fail_at, result,
                          expected);
            return;
        }
        ck_assert_msg(wg_error_status(tape) == WG_ERROR_MEMORY, "%s, allocation %zu: %s, \"%s\"", name, f->fail_at,
                      wg_status_name(wg_error_status(tape)), wg_error(tape));
        ck_assert_msg(!again && (f->failed || f->largest == 0), "%s, allocation %zu: nothing failed, and yet %s", name,
                      f->fail_at, wg_error(tape));
        f->fail_at = 0;
        f->from_there = false;
        wg_clear_error(tape);
        wg_rewind(tape, start);
        ck_assert_msg(!wg_failed(tape), "%s: after the rewind %s", name, wg_error(tape));
    }
}

/* What comes of it where there is memory. */
static bool expected_of(scenario *run, const void *what, double *result)
{
    wg_tape *tape = wg_tape_new(.seed = 42);
    *result = 0;
    bool done = run(tape, what, result);
    wg_tape_free(tape);
    return done;
}

static void fail_each_allocation(scenario *run, const void *what, const char *name, bool from_there)
{
    double expected;
    if (!expected_of(run, what, &expected))
        return; /* an entry without forward derivative, say: nothing to do with memory */
    for (size_t k = 1, failed = 1; failed; k++) {
        faults f = {.fail_at = k, .from_there = from_there, .largest = PIECE};
        wg_tape *tape = wg_tape_new(.memory = faults_memory(&f));
        ck_assert(tape || f.failed);
        failed = f.failed;
        if (tape) {
            try_once(tape, &f, run, what, expected, name);
            failed = f.failed;
            wg_tape_free(tape);
        }
        ck_assert_msg(f.blocks == 0 && f.bytes == 0, "%s, allocation %zu: %zu blocks leak", name, k, f.blocks);
        ck_assert_msg(f.misused == 0, "%s, allocation %zu: a block written past its end or released by another size",
                      name, k);
    }
}

static const struct {
    const char *name;
    scenario *run;
} scenarios[] = {{"a tape", tape_alone},
                 {"parameters", params},
                 {"names and scopes", names_and_scopes},
                 {"operations by name", operations_by_name},
                 {"a training step", training_step},
                 {"derivatives", derivatives},
                 {"a gradient check", gradient_check}};

START_TEST(each_allocation_may_fail) { fail_each_allocation(scenarios[_i].run, NULL, scenarios[_i].name, false); }
END_TEST

START_TEST(each_allocation_may_be_the_last)
{
    if (scenarios[_i].run != gradient_check) /* which would be hundreds of thousands */
        fail_each_allocation(scenarios[_i].run, NULL, scenarios[_i].name, true);
}
END_TEST

START_TEST(a_buffer_of_any_size_either_does_or_gives_an_error)
{
    double expected;
    ck_assert(expected_of(scenarios[_i].run, NULL, &expected));
    unsigned char *buffer = aligned_alloc(64, (size_t)1 << 21);
    size_t enough = 0;
    for (size_t size = 0; size < (size_t)1 << 21 && !enough; size += size < 65536 ? 64 : 64 * 7) {
        memset(buffer, 0xa5, size + 64);
        double result = 0;
        wg_tape *tape = wg_tape_new(.buffer = buffer, .buffer_bytes = size, .seed = 42);
        if (tape && scenarios[_i].run(tape, NULL, &result)) {
            ck_assert_msg(result == expected, "%s in %zu bytes", scenarios[_i].name, size);
            enough = size;
        } else {
            ck_assert_msg(wg_error_status(tape) == WG_ERROR_MEMORY, "%s in %zu bytes: %s", scenarios[_i].name, size,
                          wg_error(tape));
        }
        wg_tape_free(tape);
        for (size_t i = size; i < size + 64; i++)
            ck_assert_msg(buffer[i] == 0xa5, "%s in %zu bytes: written past the end", scenarios[_i].name, size);
    }
    ck_assert_msg(enough, "%s: no size was enough", scenarios[_i].name);
    free(buffer);
}
END_TEST

START_TEST(each_allocation_of_each_operation_may_fail)
{
    const wg_family *family = wg_op_family(_i);
    for (int k = 0; k < family->n; k++)
        for (int s = 0; s < 16 && family->op[k]->samples[s]; s++) {
            sample_of of = {family->op[k], family->op[k]->samples[s]};
            char name[256];
            snprintf(name, sizeof name, "%s: %s", of.op->name, of.text);
            fail_each_allocation(sample_recorded, &of, name, false);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("faults");
    TCase *tcase = tcase_create("faults");
    int families = 0;
    while (wg_op_family(families))
        families++;
    tcase_add_loop_test(tcase, each_allocation_may_fail, 0, COUNT(scenarios));
    tcase_add_loop_test(tcase, each_allocation_may_be_the_last, 0, COUNT(scenarios));
    tcase_add_loop_test(tcase, a_buffer_of_any_size_either_does_or_gives_an_error, 0, COUNT(scenarios));
    tcase_add_loop_test(tcase, each_allocation_of_each_operation_may_fail, 0, families);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
