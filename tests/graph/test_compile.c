/* Compiled functions: that they give what the tape gives on new values, that nothing is allocated when they run, and
 * what is refused. That every operation, with its derivatives, may be part of one is shown by
 * tests/ops/test_reference.c. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "core/faults.h"
#include "core/tape.h"
#include <wengert.h>

static wg_tape *tape;

static void set_up(void) { tape = wg_tape_new(); }
static void tear_down(void)
{
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
    wg_tape_free(tape);
}

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static void refused(const wg_function *f, wg_status status, const char *words)
{
    ck_assert_ptr_null(f);
    ck_assert_msg(wg_error_status(tape) == status && strstr(wg_error(tape), words), "%s: %s",
                  wg_status_name(wg_error_status(tape)), wg_error(tape));
    ck_assert_msg(strstr(wg_error(tape), "test_compile.c:") != NULL, "%s", wg_error(tape));
    wg_clear_error(tape);
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */
START_TEST(new_values_go_in_and_results_come_out)
{
    wg_mark start = wg_tape_mark(tape);
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), NULL);
    wg_tensor y = wg_sum(wg_square(wg_add(x, 1)));
    wg_tensor z = wg_flip(x, .axis = 0);
    wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(y, z, x));
    ck_assert_ptr_nonnull(f);
    wg_rewind(tape, start);
    const double in[] = {1, 2, 3}, other[] = {0, 0, -1};
    double sum, turned[3], same[3];
    ck_assert_int_eq(wg_function_run(f, (const void *[]){in}, (void *[]){&sum, turned, same}), WG_OK);
    ck_assert_double_eq(sum, 4 + 9 + 16);
    ck_assert_double_eq(turned[0], 3);
    ck_assert_double_eq(same[1], 2);
    ck_assert_int_eq(wg_function_run(f, (const void *[]){other}, (void *[]){NULL, turned, NULL}), WG_OK);
    ck_assert_double_eq(*(const double *)wg_function_output(f, 0), 2);
    ck_assert_double_eq(turned[0], -1);
    ck_assert_double_eq(same[1], 2);
    ck_assert_int_eq(wg_function_run(f, NULL, NULL), WG_OK); /* the values of before */
    ck_assert_double_eq(*(const double *)wg_function_output(f, 2), 0);
    ck_assert_int_eq(wg_function_inputs(f), 1);
    ck_assert_int_eq(wg_function_outputs(f), 3);
    ck_assert_int_eq(wg_function_input_type(f, 0).dim[0], 3);
    ck_assert_int_eq(wg_function_output_type(f, 0).rank, 0);
}
END_TEST

START_TEST(what_is_not_needed_is_left_out)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), NULL);
    wg_tensor unused = wg_exp(x), constant = wg_exp(wg_full(tape, WG_FLOAT64, WG_SHAPE(3), 1));
    wg_tensor y = wg_multiply(wg_reshape(x, WG_SHAPE(3, 1)), constant);
    (void)unused;
    wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(y));
    ck_assert_uint_eq(wg_function_steps(f), 1);
}
END_TEST

/* ---- What is computed once, or not at all ------------------------------------------------------------------------ */
static const double awkward[] = {-INFINITY, -1e300, -1.5, -1,  -0x1p-1074, -0.0,     0.0,
                                 0x1p-1074, 0.5,    1,    2.5, 1e300,      INFINITY, NAN};
enum { AWKWARD = COUNT(awkward) };

/* A compiled function of x gives the very bits that the tape gave, in `steps` steps. */
static void takes_steps(wg_tensor x, wg_tensor y, size_t steps, const char *name)
{
    double got[AWKWARD];
    ck_assert_msg(!wg_failed(tape), "%s: %s", name, wg_error(tape));
    wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(y), .reads = true); /* other results of x were read */
    ck_assert_int_eq(wg_function_run(f, (const void *[]){awkward}, (void *[]){got}), WG_OK);
    ck_assert_msg(wg_function_steps(f) == steps, "%s: %zu steps, not %zu", name, wg_function_steps(f), steps);
    for (int i = 0; i < AWKWARD; i++) {
        double expected = wg_element(y, i);
        ck_assert_msg(!memcmp(&got[i], &expected, sizeof expected) || (isnan(got[i]) && isnan(expected)),
                      "%s of %g: %a, not %a", name, awkward[i], got[i], expected);
    }
    wg_function_free(f);
}

static bool is_plain(const wg_op *op) { return op->map && !op->options && !op->output_gradient_free; }

START_TEST(what_entries_say_of_themselves_is_true_and_used)
{
    int said = 0;
    for (int family = 0; wg_op_family(family); family++)
        for (int i = 0; i < wg_op_family(family)->n; i++) {
            const wg_op *op = wg_op_family(family)->op[i];
            wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(AWKWARD), awkward);
            wg_tensor turned = wg_flip(x, .axis = 0), once = WG_NONE;
            if (op->idempotent || op->involution)
                once = wg_record(op, NULL, &x, 1);
            if (op->idempotent)
                takes_steps(x, wg_record(op, NULL, &once, 1), 2, op->name); /* and a copy to where it is wanted */
            if (op->involution)
                takes_steps(x, wg_record(op, NULL, &once, 1), 1, op->name);
            if (op->commutes) {
                wg_tensor a = wg_record(op, NULL, (wg_tensor[]){x, turned}, 2),
                          b = wg_record(op, NULL, (wg_tensor[]){turned, x}, 2);
                takes_steps(x, wg_concat(WG_TENSORS(wg_slice(a, .stop = WG_INTS(7)), wg_slice(b, .start = WG_INTS(7)))),
                            2, op->name);
            }
            for (int k = 0; k < 2; k++)
                if (op->neutral_in >> k & 1) {
                    wg_tensor in[2] = {x, x};
                    in[k] = wg_full(tape, WG_FLOAT64, (wg_shape){0}, op->neutral);
                    takes_steps(x, wg_record(op, NULL, in, 2), 1, op->name);
                }
            said += is_plain(op) && (op->commutes || op->idempotent || op->involution || op->neutral_in);
        }
    ck_assert_int_ge(said, 12);
}
END_TEST

static size_t steps_of(wg_tensor x, wg_tensor y)
{
    wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(y));
    size_t steps = wg_function_steps(f);
    wg_function_free(f);
    return steps;
}

START_TEST(what_is_the_same_is_computed_once)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(4, 6), NULL), s[4], parts[2];
    ck_assert_uint_eq(steps_of(x, wg_multiply(wg_exp(x), wg_exp(x))), 2);
    ck_assert_uint_eq(steps_of(x, wg_multiply(wg_add(x, 3), wg_add(3, x))), 2);
    ck_assert_uint_eq(steps_of(x, wg_multiply(wg_add(x, 3), wg_add(x, 4))), 3);
    ck_assert_uint_eq(steps_of(x, wg_subtract(wg_subtract(x, 3), wg_subtract(3, x))), 3);
    ck_assert_uint_eq(steps_of(x, wg_subtract(x, -0.0)), 1); /* x + 0, which is not -0 where x is */
    ck_assert_uint_eq(steps_of(x, wg_add(wg_sum(x, .axis = 0), wg_sum(x, .axis = 0))), 2);
    ck_assert_uint_eq(steps_of(x, wg_add(wg_sum(x, .axis = 0), wg_sum(x, .axis = 0, .keepdims = true))), 3);
    for (int i = 0; i < 4; i++) /* views of the same elements, and of others */
        s[i] = wg_exp(wg_select(x, 0, i / 2));
    ck_assert_uint_eq(steps_of(x, wg_add(s[0], s[1])), 2);
    ck_assert_uint_eq(steps_of(x, wg_add(s[1], s[2])), 3);
    ck_assert_uint_eq(steps_of(x, wg_add(wg_exp(wg_matrix_transpose(wg_matrix_transpose(x))), wg_exp(x))), 2);
    for (int i = 0; i < 2; i++)
        wg_split(wg_exp(x), 1, WG_LIST(2, 4), parts), s[i] = wg_sum(parts[i]);
    ck_assert_uint_gt(steps_of(x, wg_add(s[0], s[1])), 3);
    wg_tensor a = wg_dropout(x, .p = 0.5), b = wg_dropout(x, .p = 0.5); /* two draws */
    ck_assert_uint_eq(steps_of(x, wg_subtract(a, b)), 3);
}
END_TEST

START_TEST(what_is_joined_is_made_there_and_parts_are_read_where_they_are)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(4, 6), NULL), e = wg_exp(x), part[4], row[4];
    ck_assert_uint_eq(steps_of(x, wg_concat(WG_TENSORS(e, wg_square(x)))), 3); /* nothing is copied */
    ck_assert_uint_eq(steps_of(x, wg_stack(WG_TENSORS(wg_flatten(e), wg_flatten(wg_square(x))))), 3);
    ck_assert_uint_eq(steps_of(x, wg_concat(WG_TENSORS(e, x))), 2);        /* copied is what is not its own, */
    ck_assert_uint_eq(steps_of(x, wg_concat(WG_TENSORS(e, e, e))), 2);     /* what it has already, */
    ck_assert_uint_eq(steps_of(x, wg_concat(WG_TENSORS(wg_narrow(e, 0, 1, 3), wg_square(x)))), 3); /* and a part */
    ck_assert_uint_eq(steps_of(x, wg_concat(WG_TENSORS(e, wg_square(x)), .axis = 1)), 3); /* row by row */
    wg_split(e, 0, WG_LIST(1, 3), part);
    ck_assert_uint_eq(steps_of(x, wg_add(part[0], part[1])), 2);
    wg_unstack(e, row, 4);
    ck_assert_uint_eq(steps_of(x, wg_add(row[0], row[3])), 2);
    ck_assert_uint_eq(steps_of(x, wg_concat(WG_TENSORS(row[3], row[0]))), 2);
}
END_TEST

/* Joins whose operands are joins, parts of joins, outputs, or read by others as well. */
static void joined(wg_tensor x, wg_tensor *y)
{
    wg_tensor a = wg_exp(x), b = wg_square(x), both = wg_concat(WG_TENSORS(a, b)), part[2], row[6];
    wg_tensor twice = wg_concat(WG_TENSORS(wg_negative(b), both, a, wg_full(x.tape, WG_FLOAT64, WG_SHAPE(2, 3), 7), a));
    wg_split(twice, 0, WG_LIST(3, 9), part);
    wg_unstack(wg_multiply(part[0], 2), row, 3);
    y[0] = wg_concat(WG_TENSORS(row[2], wg_add(row[0], row[1]), wg_flatten(wg_matrix_transpose(both)), row[2]));
    y[1] = a;
    y[2] = both;
    y[3] = wg_multiply(part[1], wg_concat(WG_TENSORS(part[0], wg_tanh(part[0]), wg_sin(part[0]))));
    y[4] = part[0];
}

START_TEST(joins_have_the_values_of_the_tape)
{
    enum { N = 5, MOST = 27 };
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 3), NULL), y[N], z[N];
    double in[6], out[N][MOST];
    joined(x, y);
    wg_function *f = wg_compile(tape, WG_TENSORS(x), ((wg_tensors){y, N}));
    for (int run = 0; run < 3; run++) {
        for (int i = 0; i < 6; i++)
            in[i] = 0.3 * i - run;
        joined(wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 3), in), z);
        ck_assert_int_eq(wg_function_run(f, (const void *[]){in}, (void *[]){out[0], out[1], out[2], out[3], out[4]}),
                         WG_OK);
        for (int k = 0; k < N; k++)
            for (int64_t i = 0; i < wg_size(z[k]); i++)
                ck_assert_double_eq(out[k][i], wg_element(z[k], i));
    }
}
END_TEST

START_TEST(scalars_are_read_out_of_arrays_wherever_these_are)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(6), NULL),
              p = wg_param(tape, "p", (wg_shape){0}, .dtype = WG_FLOAT64);
    wg_tensor sum = wg_number(0);
    for (int i = 0; i < 6; i++)
        sum = wg_add(wg_multiply(wg_select(x, 0, i), wg_add(p, i)), sum);
    wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(sum));
    const double in[2][6] = {{1, 2, 3, 4, 5, 6}, {-1, 0, 0, 0, 0, 10}};
    for (int run = 0; run < 2; run++) {
        double expected = 0, got = 0;
        wg_assign(p, wg_full(tape, WG_FLOAT64, (wg_shape){0}, run + 0.5));
        for (int i = 0; i < 6; i++)
            expected += in[run][i] * (run + 0.5 + i);
        ck_assert_int_eq(wg_function_run(f, (const void *[]){in[run]}, (void *[]){&got}), WG_OK);
        ck_assert_double_eq_tol(got, expected, 1e-12);
    }
}
END_TEST

/* A part of the way: the input lies in the middle of what was recorded. */
START_TEST(inputs_may_be_what_was_computed)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), NULL), h = wg_exp(x), y = wg_add(wg_multiply(h, 3), x);
    wg_function *f = wg_compile(tape, WG_TENSORS(h), WG_TENSORS(y));
    const double in[] = {1, 10};
    double out[2];
    wg_function_run(f, (const void *[]){in}, (void *[]){out});
    ck_assert_double_eq(out[1], 30); /* x, which is 0, is a constant */
}
END_TEST

START_TEST(inputs_may_be_results_of_one_call)
{
    const double in[2][2] = {{1, 10}, {5, 7}};
    double out[2];
    wg_tensor drawn = wg_normal(tape, 0, 1, .shape = WG_SHAPE(2)); /* which keeps what it draws from besides */
    wg_function *f = wg_compile(tape, WG_TENSORS(drawn), WG_TENSORS(wg_square(drawn)));
    ck_assert_int_eq(wg_function_run(f, (const void *[]){in[0]}, (void *[]){out}), WG_OK);
    ck_assert_double_eq(out[1], 100);

    const double rows[2][2] = {{2, 3}, {4, 6}};
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 2), rows), row[2];
    wg_unstack(x, row, 2);
    wg_tensor y = wg_subtract(row[0], row[1]);
    f = wg_compile(tape, WG_TENSORS(row[1], row[0]), WG_TENSORS(y));
    ck_assert_int_eq(wg_function_run(f, (const void *[]){in[0], in[1]}, (void *[]){out}), WG_OK);
    ck_assert_double_eq(out[0], 4);
    for (int i = 0; i < 2; i++) { /* the other row is as it was */
        f = wg_compile(tape, WG_TENSORS(row[i]), WG_TENSORS(y));
        ck_assert_int_eq(wg_function_run(f, (const void *[]){in[0]}, (void *[]){out}), WG_OK);
        ck_assert_double_eq(out[1], i ? 3 - 10 : 10 - 6);
    }
    f = wg_compile(tape, WG_TENSORS(x, row[0]), WG_TENSORS(row[0]));
    ck_assert_int_eq(wg_function_run(f, (const void *[]){rows, in[1]}, (void *[]){out}), WG_OK);
    ck_assert_double_eq(out[1], 7);
    refused(wg_compile(tape, WG_TENSORS(x, row[0]), WG_TENSORS(y)), WG_ERROR_UNSUPPORTED,
            "input 1 is a result of wg_unstack, of which result 1 is no input");
    refused(wg_compile(tape, WG_TENSORS(x, row[1]), WG_TENSORS(y)), WG_ERROR_UNSUPPORTED,
            "input 1 is a result of wg_unstack, of which result 0 is no input");
}
END_TEST

/* Buffers are shared by values that do not live at one time, and by no others. */
START_TEST(memory_does_not_grow_with_the_length_of_a_chain)
{
    enum { N = 10000, LENGTH = 100 };
    static double in[N], out[N];
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(N), NULL), y = x, kept = WG_NONE;
    for (int i = 0; i < LENGTH; i++) {
        y = wg_sin(wg_add(y, x));
        kept = i == 3 ? y : kept;
    }
    wg_tensor total = wg_add(y, kept);
    for (int i = 0; i < N; i++)
        in[i] = i / 1000.0;
    wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(total));
    ck_assert_uint_lt(wg_function_bytes(f), 8 * N * sizeof(double));
    wg_function_run(f, (const void *[]){in}, (void *[]){out});
    for (int i = 0; i < N; i += 37) {
        double v = in[i], early = 0;
        for (int k = 0; k < LENGTH; k++) {
            v = sin(v + in[i]);
            early = k == 3 ? v : early;
        }
        ck_assert_double_eq_tol(out[i], v + early, 1e-12);
    }
}
END_TEST

/* Elementwise steps that run block by block give the bits of the tape, with any number of threads: results that leave
 * the chain, numbers and 0-d tensors, questions, a single element of an earlier result. */
static wg_tensor chained(wg_tensor x, wg_tensor scale, wg_tensor *out)
{
    wg_tensor a = wg_add(wg_multiply(x, 1.5), scale), b = wg_tanh(a), c = wg_where(wg_less(b, 0.25), a, wg_exp(b));
    out[0] = c;
    out[1] = wg_subtract(wg_multiply(c, b), wg_select(wg_reshape(b, WG_SHAPE(-1)), 0, 5));
    return wg_sum(wg_square(out[1]));
}

START_TEST(chains_give_the_bits_of_the_tape)
{
    enum { N = 70001 };
    wg_dtype dtype = _i % 2 ? WG_FLOAT32 : WG_FLOAT64;
    wg_tape *on = wg_tape_new(.threads = _i / 2 ? 3 : 1);
    wg_mark start = wg_tape_mark(on);
    wg_tensor x = wg_full(on, dtype, WG_SHAPE(N), 0), scale = wg_full(on, dtype, WG_SCALAR, 0.3), y[5];
    for (int i = 0; i < N; i++)
        if (dtype == WG_FLOAT64)
            ((double *)(uintptr_t)wg_values(x))[i] = sin(i * 0.1) * 3;
        else
            ((float *)(uintptr_t)wg_values(x))[i] = (float)sin(i * 0.1) * 3;
    y[2] = chained(x, scale, y);
    const wg_tensor xs[] = {x, scale};
    wg_grad(y[2], xs, 2, y + 3, .record = true);
    size_t size = wg_dtype_size(dtype), bytes[] = {N * size, N * size, size, N * size, size};
    unsigned char *all = malloc(5 * N * size + N * size), *from = all + 5 * N * size;
    memcpy(from, wg_values(x), N * size);
    double s = 0.3;
    float narrow = (float)s;
    wg_tensors inputs = {xs, 2}, outputs = {y, 5};
    wg_function *f = wg_compile(on, inputs, outputs);
    for (int k = 0; k < 5; k++)
        memcpy(all + (size_t)k * N * size, wg_values(y[k]), bytes[k]);
    wg_rewind(on, start);
    ck_assert_msg(!wg_function_run(f, (const void *[]){from, dtype == WG_FLOAT64 ? (void *)&s : &narrow}, NULL), "%s",
                  wg_error(on));
    for (int k = 0; k < 5; k++)
        ck_assert_msg(!memcmp(all + (size_t)k * N * size, wg_function_output(f, k), bytes[k]), "output %d", k);
    ck_assert_uint_lt(wg_function_steps(f), 14);
    free(all);
    wg_tape_free(on);
}
END_TEST

/* Numbers become leaves between the steps that take them. */
/* Narrower results would fit in the place of what the chain reads, whose later blocks are still to come. */
START_TEST(a_chain_does_not_write_over_what_it_reads)
{
    enum { N = 50000 };
    static float in[N];
    static unsigned char flags[3 * N];
    for (int i = 0; i < N; i++)
        in[i] = (float)(i * 7919 % 1000) / 500 - 1;
    float sum;
    wg_tensor x = wg_array(tape, WG_FLOAT32, WG_SHAPE(N), in), a = wg_multiply(wg_softmax(x), 2);
    wg_tensor found = wg_concat(WG_TENSORS(wg_greater(a, 2e-5), wg_less(a, 4e-5), wg_less(a, 6e-5))), total = wg_sum(a);
    wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(found, total));
    ck_assert_int_eq(wg_function_run(f, (const void *[]){in}, (void *[]){flags, &sum}), WG_OK);
    ck_assert_mem_eq(flags, wg_values(found), sizeof flags);
    ck_assert_float_eq(sum, (float)wg_item(total));
}
END_TEST

START_TEST(numbers_do_not_break_a_chain)
{
    wg_tensor x = wg_full(tape, WG_FLOAT32, WG_SHAPE(5000), 0), out[2];
    out[0] = wg_subtract(wg_multiply(wg_tanh(wg_add(wg_multiply(x, 1.5), 0.25)), 0.75), 0.5);
    wg_tensor inputs[] = {x, wg_full(tape, WG_FLOAT32, WG_SHAPE(5000), 1)};
    wg_vjp(out, &inputs[1], 1, &x, 1, &out[1], .record = true);
    wg_function *f = wg_compile(tape, ((wg_tensors){inputs, 2}), ((wg_tensors){out, 2}));
    ck_assert_uint_eq(wg_function_steps(f), 1);
}
END_TEST

/* A cotangent that is zero stops there though the slope is infinite, in the sum as in the product. */
START_TEST(a_product_of_the_chain_rule_and_what_it_is_added_to_are_one_step)
{
    const double values[][2] = {{1, 2}, {INFINITY, 3}, {5, 7}, {0, 11}}; /* x, a, b, g */
    wg_tensor in[4], dx;
    for (int i = 0; i < 4; i++)
        in[i] = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), values[i]);
    wg_tensor y = wg_add(wg_multiply(in[0], in[1]), wg_multiply(in[0], in[2]));
    ck_assert(!wg_vjp(&y, &in[3], 1, in, 1, &dx, .record = true));
    wg_function *f = wg_compile(tape, ((wg_tensors){in, 4}), WG_TENSORS(dx));
    ck_assert_uint_eq(wg_function_steps(f), 2);
    ck_assert(!wg_function_run(f, (const void *[]){values[0], values[1], values[2], values[3]}, NULL));
    const double *slope = wg_function_output(f, 0);
    ck_assert_double_eq(slope[0], 0);
    ck_assert_double_eq(slope[1], 11 * 3 + 11 * 7);
}
END_TEST

START_TEST(sine_and_cosine_are_computed_once)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), ((const double[]){0.5, 2})), dx;
    wg_tensor s = wg_sin(x), c = wg_cos(x), y = wg_sum(wg_multiply(s, c));
    wg_grad(y, &x, 1, &dx, .record = true);
    wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(s, c, dx));
    ck_assert_uint_eq(wg_function_steps(f), 5); /* with - sine, the cosine's square, and what is added to it */
    ck_assert(!wg_function_run(f, (const void *[]){wg_values(x)}, NULL));
    ck_assert_double_eq_tol(((const double *)wg_function_output(f, 2))[1], cos(4), 1e-15);
}
END_TEST

/* Of shapes, and numbers of elements a place, that lists are made of and are not. */
static const struct {
    wg_dtype dtype;
    int64_t rows, inner, taken;
    int axis;
} indexed[] = {{WG_FLOAT64, 50, 1, 300, 0}, {WG_FLOAT32, 50, 1, 300, 0}, {WG_FLOAT64, 7, 3, 20, 0},
               {WG_FLOAT32, 9, 2, 40, 1},   {WG_FLOAT64, 3, 64, 5, 0},   {WG_FLOAT64, 2, 1, 500, 0}};

START_TEST(elements_at_constant_indices_are_those_that_the_tape_has)
{
    int64_t rows = indexed[_i].rows, inner = indexed[_i].inner, taken = indexed[_i].taken;
    int axis = indexed[_i].axis;
    wg_shape shape = axis ? WG_SHAPE(inner, rows) : WG_SHAPE(rows, inner);
    int64_t *index = malloc((size_t)taken * sizeof *index);
    for (int64_t i = 0; i < taken; i++)
        index[i] = i * i * 31 % (rows - 1) - (i % 3 ? 0 : rows); /* never the last; some from the end */
    double values[200];
    for (int i = 0; i < 200; i++)
        values[i] = sin(i * i);
    wg_tensor x = wg_cast(wg_array(tape, WG_FLOAT64, shape, values), .dtype = indexed[_i].dtype), y[2];
    y[0] = wg_take(x, wg_array(tape, WG_INT64, WG_SHAPE(taken), index), axis);
    ck_assert(!wg_grad(wg_sum(wg_multiply(y[0], wg_sin(y[0]))), &x, 1, &y[1], .record = true));
    wg_function *f = wg_compile(tape, WG_TENSORS(x), ((wg_tensors){y, 2}));
    for (int run = 0; run < 2; run++)
        ck_assert_msg(!wg_function_run(f, (const void *[]){wg_values(x)}, NULL), "%s", wg_error(tape));
    for (int k = 0; k < 2; k++)
        ck_assert_mem_eq(wg_function_output(f, k), wg_values(y[k]),
                         (size_t)wg_size(y[k]) * (indexed[_i].dtype == WG_FLOAT32 ? 4 : 8));
    free(index);
}
END_TEST

START_TEST(what_draws_draws_anew)
{
    wg_tensor x = wg_full(tape, WG_FLOAT64, WG_SHAPE(1000), 1);
    wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(wg_dropout(x, .p = 0.5)));
    double *in = malloc(8000), a[1000], b[1000];
    for (int i = 0; i < 1000; i++)
        in[i] = 1;
    wg_seed(tape, 7);
    wg_function_run(f, (const void *[]){in}, (void *[]){a});
    wg_function_run(f, (const void *[]){in}, (void *[]){b});
    ck_assert(memcmp(a, b, sizeof a));
    wg_seed(tape, 7);
    wg_function_run(f, (const void *[]){in}, (void *[]){b});
    ck_assert(!memcmp(a, b, sizeof a));
    free(in);
}
END_TEST

/* ---- Derivatives ------------------------------------------------------------------------------------------------- */
START_TEST(recorded_gradients_are_computed_too)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), NULL), g[1], again[1];
    wg_tensor y = wg_sum(wg_multiply(wg_sin(x), x));
    wg_grad(y, &x, 1, g, .create_graph = true);
    wg_grad(wg_sum(g[0]), &x, 1, again, .record = true);
    wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(y, g[0], again[0]));
    const double in[] = {0.5, 2};
    double value, first[2], second[2];
    wg_function_run(f, (const void *[]){in}, (void *[]){&value, first, second});
    for (int i = 0; i < 2; i++) {
        ck_assert_double_eq_tol(first[i], cos(in[i]) * in[i] + sin(in[i]), 1e-15);
        ck_assert_double_eq_tol(second[i], 2 * cos(in[i]) - sin(in[i]) * in[i], 1e-15);
    }
}
END_TEST

enum { IN = 20, HIDDEN = 16, CLASSES = 5, BATCH = 8, STEPS = 6 };

typedef struct {
    wg_tape *tape;
    wg_tensor p[4];
    wg_optimizer *adam;
} network;

static network network_new(wg_memory memory)
{
    network n = {.tape = wg_tape_new(.memory = memory)};
    n.p[0] = wg_param(n.tape, "fc1.weight", WG_SHAPE(IN, HIDDEN), .init = WG_HE_NORMAL);
    n.p[1] = wg_param(n.tape, "fc1.bias", WG_SHAPE(HIDDEN));
    n.p[2] = wg_param(n.tape, "fc2.weight", WG_SHAPE(HIDDEN, CLASSES), .init = WG_HE_NORMAL);
    n.p[3] = wg_param(n.tape, "fc2.bias", WG_SHAPE(CLASSES));
    n.adam = wg_adam(n.p, 4, .lr = 0.01);
    return n;
}

static wg_tensor loss_of(const network *n, wg_tensor x, wg_tensor y)
{
    wg_tensor h = wg_gelu(wg_linear(x, n->p[0], n->p[1]));
    return wg_cross_entropy(wg_linear(h, n->p[2], n->p[3]), y);
}

static void batch(int step, float *x, int64_t *y)
{
    for (int i = 0; i < BATCH * IN; i++)
        x[i] = (float)sin(i * 0.7 + step);
    for (int i = 0; i < BATCH; i++)
        y[i] = (i + step) % CLASSES;
}

START_TEST(training_gives_the_parameters_that_the_tape_gives)
{
    wg_memory ordinary = {0};
    network a = network_new(ordinary), b = network_new(ordinary);
    float x[BATCH * IN], loss;
    int64_t y[BATCH];
    wg_mark start = wg_tape_mark(a.tape), empty = wg_tape_mark(b.tape);
    wg_tensor bx = wg_array(b.tape, WG_FLOAT32, WG_SHAPE(BATCH, IN), NULL);
    wg_tensor by = wg_array(b.tape, WG_INT64, WG_SHAPE(BATCH), NULL);
    wg_function *f = wg_compile(b.tape, WG_TENSORS(bx, by), WG_TENSORS(loss_of(&b, bx, by)), .backward = true);
    wg_rewind(b.tape, empty);
    for (int step = 0; step < STEPS; step++, wg_rewind(a.tape, start)) {
        batch(step, x, y);
        wg_tensor l = loss_of(&a, wg_array(a.tape, WG_FLOAT32, WG_SHAPE(BATCH, IN), x),
                              wg_array(a.tape, WG_INT64, WG_SHAPE(BATCH), y));
        wg_backward(l);
        wg_function_run(f, (const void *[]){x, y}, (void *[]){&loss});
        ck_assert_float_eq_tol(loss, (float)wg_item(l), 1e-6f);
        if (step == 2) { /* gradients add up until a step takes them */
            wg_backward(l);
            wg_function_run(f, (const void *[]){x, y}, (void *[]){&loss});
        }
        wg_step(a.adam);
        wg_step(b.adam);
    }
    ck_assert_msg(!wg_failed(a.tape) && !wg_failed(b.tape), "%s%s", wg_error(a.tape), wg_error(b.tape));
    for (int i = 0; i < 4; i++)
        for (int64_t k = 0; k < wg_size(a.p[i]); k++)
            ck_assert_double_eq_tol(wg_element(a.p[i], k), wg_element(b.p[i], k), 2e-6);
    wg_tape_free(a.tape);
    wg_tape_free(b.tape);
}
END_TEST

/* ---- Memory ------------------------------------------------------------------------------------------------------ */
START_TEST(a_run_allocates_nothing)
{
    faults memory = {0};
    network n = network_new(faults_memory(&memory));
    float x[BATCH * IN], loss;
    int64_t y[BATCH];
    wg_mark start = wg_tape_mark(n.tape);
    wg_tensor tx = wg_array(n.tape, WG_FLOAT32, WG_SHAPE(BATCH, IN), NULL);
    wg_tensor ty = wg_array(n.tape, WG_INT64, WG_SHAPE(BATCH), NULL);
    wg_function *f = wg_compile(n.tape, WG_TENSORS(tx, ty), WG_TENSORS(loss_of(&n, tx, ty)), .backward = true);
    wg_rewind(n.tape, start);
    size_t asked = 0;
    for (int step = 0; step < STEPS; step++) {
        batch(step, x, y);
        wg_function_run(f, (const void *[]){x, y}, (void *[]){&loss});
        wg_step(n.adam);
        if (!step)
            asked = memory.calls;
    }
    ck_assert_uint_eq(memory.calls, asked);
    wg_function_free(f);
    wg_function_free(NULL);
    ck_assert_msg(!wg_failed(n.tape), "%s", wg_error(n.tape));
    wg_tape_free(n.tape);
    ck_assert_uint_eq(memory.blocks, 0);
}
END_TEST

/* ---- What is refused --------------------------------------------------------------------------------------------- */
START_TEST(what_cannot_be_compiled_says_why)
{
    wg_tape *other = wg_tape_new();
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 3), NULL),
              foreign = wg_array(other, WG_FLOAT64, WG_SHAPE(2), NULL);
    wg_tensor y = wg_exp(x), turned = wg_matrix_transpose(x);
    wg_tensors none = {0};
    wg_mark mark = wg_tape_mark(tape);
    wg_tensor stale = wg_exp(y);
    wg_rewind(tape, mark);
    refused(wg_compile(tape, WG_TENSORS(x), none), WG_ERROR_VALUE, "1 inputs and 0 outputs");
    refused(wg_compile(tape, WG_TENSORS(foreign), WG_TENSORS(y)), WG_ERROR_VALUE,
            "input 0 is not a tensor of this tape");
    refused(wg_compile(tape, WG_TENSORS(x), WG_TENSORS(foreign)), WG_ERROR_VALUE,
            "output 0 is not a tensor of this tape");
    refused(wg_compile(tape, WG_TENSORS(x), WG_TENSORS(stale)), WG_ERROR_STALE, "");
    refused(wg_compile(tape, WG_TENSORS(turned), WG_TENSORS(y)), WG_ERROR_VALUE, "not in order");
    refused(wg_compile(tape, WG_TENSORS(x), WG_TENSORS(y), .backward = true), WG_ERROR_SHAPE, "not a single float");
    refused(wg_compile(tape, WG_TENSORS(x), WG_TENSORS(y, y), .backward = true), WG_ERROR_VALUE, "2 outputs");
    ck_assert_ptr_null(wg_compile(NULL, WG_TENSORS(x), WG_TENSORS(y)));
    ck_assert_int_ne(wg_function_run(NULL, NULL, NULL), WG_OK);
    ck_assert(!wg_function_inputs(NULL) && !wg_function_outputs(NULL) && !wg_function_bytes(NULL));
    ck_assert(!wg_function_steps(NULL) && !wg_function_output(NULL, 0) && !wg_function_output_type(NULL, 0).rank);
    ck_assert(!wg_function_input_type(NULL, 0).rank);
    wg_tape_free(other);
}
END_TEST

START_TEST(a_run_that_cannot_be_made_says_why)
{
    const int64_t good = 1, bad = 7;
    wg_mark empty = wg_tape_mark(tape);
    wg_tensor i = wg_array(tape, WG_INT64, WG_SCALAR, &good);
    wg_tensor w = wg_param(tape, "w", WG_SHAPE(3), .dtype = WG_FLOAT64, .init = WG_ONES);
    wg_tensor y = wg_sum(wg_take(w, i, 0));
    int line = __LINE__ - 1;
    wg_function *f = wg_compile(tape, WG_TENSORS(i), WG_TENSORS(y), .backward = true);
    char place[64];
    ck_assert_int_eq(wg_function_run(f, NULL, NULL), WG_ERROR_VALUE);
    ck_assert_msg(strstr(wg_error(tape), "input 0 was never given") != NULL, "%s", wg_error(tape));
    wg_clear_error(tape);
    ck_assert_int_eq(wg_function_run(f, (const void *[]){&bad}, NULL), WG_ERROR_INDEX);
    snprintf(place, sizeof place, "test_compile.c:%d: wg_take", line);
    ck_assert_msg(strstr(wg_error(tape), place) != NULL, "%s", wg_error(tape));
    wg_clear_error(tape);
    ck_assert_int_eq(wg_function_run(f, (const void *[]){&good}, NULL), WG_OK);
    ck_assert_double_eq(wg_element(wg_grad_of(w), 1), 1);
    wg_rewind(tape, empty); /* and the parameter is gone */
    ck_assert_int_eq(wg_function_run(f, NULL, NULL), WG_ERROR_STALE);
    wg_clear_error(tape);
}
END_TEST

/* Each allocation of recording, compiling and running fails in turn. */
static int recordings;

static void squared_sum(const wg_tensor *in, wg_tensor *out, void *user)
{
    recordings++;
    out[0] = wg_sum(wg_multiply(wg_square(in[0]), *(const wg_tensor *)user));
}

START_TEST(a_body_is_compiled_once_for_each_shape)
{
    wg_tensor p = wg_param(tape, "p", (wg_shape){0}, .dtype = WG_FLOAT64, .data = (const double[]){3});
    wg_specialised *s = wg_specialise(tape, squared_sum, 1, .user = &p, .backward = true);
    size_t nodes = wg_tape_nodes(tape);
    const double values[] = {1, 2, 3, 4};
    recordings = 0;
    for (int round = 0; round < 6; round++) {
        int n = 2 + round % 3;
        wg_type type = {.dtype = WG_FLOAT64, .rank = 1, .dim = {n}};
        wg_function *f = wg_specialised_for(s, &type, 1);
        double sum = 0;
        ck_assert_int_eq(wg_function_run(f, (const void *[]){values}, (void *[]){&sum}), WG_OK);
        ck_assert_double_eq(sum, 3 * (n == 2 ? 5 : n == 3 ? 14 : 30));
    }
    ck_assert_int_eq(recordings, 3);
    ck_assert_int_eq(wg_specialised_count(s), 3);
    ck_assert_uint_eq(wg_tape_nodes(tape), nodes);
    ck_assert_double_eq(wg_item(wg_grad_of(p)), 2 * (5 + 14 + 30));
    wg_type bad = {.dtype = WG_FLOAT64, .rank = 9};
    ck_assert_ptr_null(wg_specialised_for(s, &bad, 1));
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "type 0 is not one"));
    wg_clear_error(tape);
    bad = (wg_type){.dtype = WG_INT64, .rank = 1, .dim = {2}};
    ck_assert_ptr_null(wg_specialised_for(s, &bad, 1));
    ck_assert_int_eq(wg_error_status(tape), WG_ERROR_DTYPE);
    wg_clear_error(tape);
    ck_assert_ptr_null(wg_specialise(tape, NULL, 1));
    wg_clear_error(tape);
    ck_assert_ptr_null(wg_specialised_for(NULL, &bad, 1));
}
END_TEST

START_TEST(each_allocation_may_fail)
{
    bool done = false;
    for (size_t at = 0; !done; at++) {
        faults memory = {.fail_at = at + 1};
        network n = network_new(faults_memory(&memory));
        if (n.tape) {
            float x[BATCH * IN], loss = 0;
            int64_t y[BATCH];
            batch(0, x, y);
            wg_tensor tx = wg_array(n.tape, WG_FLOAT32, WG_SHAPE(BATCH, IN), NULL);
            wg_tensor ty = wg_array(n.tape, WG_INT64, WG_SHAPE(BATCH), NULL);
            wg_function *f = wg_compile(n.tape, WG_TENSORS(tx, ty), WG_TENSORS(loss_of(&n, tx, ty)), .backward = true);
            done = wg_function_run(f, (const void *[]){x, y}, (void *[]){&loss}) == WG_OK;
            ck_assert(done || wg_failed(n.tape));
        }
        wg_tape_free(n.tape);
        ck_assert_uint_eq(memory.blocks, 0);
        ck_assert_uint_lt(at, 1000);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("compile");
    TCase *works = tcase_create("works"), *errors = tcase_create("errors");
    tcase_add_checked_fixture(works, set_up, tear_down);
    tcase_add_checked_fixture(errors, set_up, tear_down);
    tcase_add_test(works, new_values_go_in_and_results_come_out);
    tcase_add_test(works, what_is_not_needed_is_left_out);
    tcase_add_test(works, what_entries_say_of_themselves_is_true_and_used);
    tcase_add_test(works, what_is_the_same_is_computed_once);
    tcase_add_test(works, what_is_joined_is_made_there_and_parts_are_read_where_they_are);
    tcase_add_test(works, joins_have_the_values_of_the_tape);
    tcase_add_test(works, scalars_are_read_out_of_arrays_wherever_these_are);
    tcase_add_test(works, a_body_is_compiled_once_for_each_shape);
    tcase_add_test(works, inputs_may_be_what_was_computed);
    tcase_add_test(works, inputs_may_be_results_of_one_call);
    tcase_add_test(works, memory_does_not_grow_with_the_length_of_a_chain);
    tcase_add_loop_test(works, chains_give_the_bits_of_the_tape, 0, 4);
    tcase_add_test(works, a_chain_does_not_write_over_what_it_reads);
    tcase_add_test(works, numbers_do_not_break_a_chain);
    tcase_add_test(works, a_product_of_the_chain_rule_and_what_it_is_added_to_are_one_step);
    tcase_add_test(works, sine_and_cosine_are_computed_once);
    tcase_add_loop_test(works, elements_at_constant_indices_are_those_that_the_tape_has, 0,
                        sizeof indexed / sizeof *indexed);
    tcase_add_test(works, what_draws_draws_anew);
    tcase_add_test(works, recorded_gradients_are_computed_too);
    tcase_add_test(works, training_gives_the_parameters_that_the_tape_gives);
    tcase_add_test(works, a_run_allocates_nothing);
    tcase_add_test(errors, what_cannot_be_compiled_says_why);
    tcase_add_test(errors, a_run_that_cannot_be_made_says_why);
    tcase_add_test(errors, each_allocation_may_fail);
    suite_add_tcase(s, works);
    suite_add_tcase(s, errors);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
