/* The text of an elementwise entry, read as graph code, gives what the C compiler makes of the same text. */
#include <check.h>
#include <stdlib.h>

#include "core/tape.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef struct {
    double beta;
    int64_t n;
    bool on;
} wg_probe_options;
#define wg_probe_defaults .beta = 1.5, .n = 3, .on = true

static const wg_op probe = {.name = "probe", .in = {{"a", 0}, {"b", 0}, {"c", 0}},
                            .options = WG_SCHEMA(wg_probe, WG_ATTR(wg_probe, beta), WG_ATTR(wg_probe, n),
                                                 WG_ATTR(wg_probe, on))};
static const wg_probe_options options = {wg_probe_defaults};

#define A 0.7
#define B -1.3
#define C 2.0
#define Y 0.25

static wg_tape *tape;
static wg_tensor operand[3], result;
static wg_call c;

static void set_up(void)
{
    tape = wg_tape_new();
    operand[0] = wg_scalar(tape, A);
    operand[1] = wg_scalar(tape, B);
    operand[2] = wg_scalar(tape, C);
    result = wg_scalar(tape, Y);
    c = (wg_call){.tape = tape, .op = &probe, .options = &options, .n_in = 3, .n_out = 1, .in = operand, .out = &result,
                  .dtype = WG_FLOAT64};
}

static void tear_down(void) { wg_tape_free(tape); }

static double value_of(wg_tensor t) { return wg_is_number(t) ? wg_number_value(t) : wg_item(t); }

/* ---- Values ------------------------------------------------------------------------------------------------------ */
#define K(number) ((double)(number))
static void agrees(const char *text, double value)
{
    wg_tensor t = wg_expression(&c, text);
    ck_assert_msg(!wg_failed(tape), "%s: %s", text, wg_error(tape));
    double got = value_of(t), scale = isfinite(value) ? fabs(value) * 1e-15 : 0;
    ck_assert_msg(got == value || fabs(got - value) <= scale, "%s: %.17g, not %.17g", text, got, value);
}

/* The text, and what the compiler makes of it. */
#define SAME(expression) {#expression, expression}

START_TEST(an_expression_has_the_value_that_the_compiler_gives_it)
{
    const double x = A, a = A, b = B, y = Y;
    const wg_probe_options *const o = &options;
    const struct {
        const char *text;
        double value;
    } texts[] = {
        SAME(x),
        SAME(1 - y * y),
        SAME(a - b - 1),
        SAME(a / b / 2),
        SAME(2 - a * b + 3 * (a - y) / 4),
        SAME(-a * -b),
        SAME(- -a),
        SAME(x > 0 ? 1 : y),
        SAME(x > 0 ? x < K(0.5) ? 2 : 3 : 4),
        SAME(b > 0 || a > 0 ? a : b),
        SAME(!(a == b) && a != 0 ? a : b),
        SAME(K(o->beta) * x),
        SAME(x > K(o->beta) ? x : K(o->beta) * (1 - x)),
        SAME(o->n == 3 ? x : y),
        SAME((x > 0) * y + (x <= 0)),
        SAME((x >= 0) - (b >= 0)),
        SAME(2e-3 * x + 0x1p-3 + .5 + 1.0f),
        SAME(K(0.044715) * a * K(M_SQRT1_2)),
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        agrees(texts[i].text, texts[i].value);
}
END_TEST

static const struct {
    const char *text;
    double value;
} texts[] = { /* functions, and what no compiler sees here: c names the call above */
    {"c", C},
    {"-c * a", -C * A},
    {"a * b + c", A * B + C},
    {"pow(x, K(3))", A * A * A},
    {"sigmoid(x)", 0.66818777216816611},
    {"log1pexp(a)", 1.1031860488854579},
    {"fabs(b)", 1.3},
    {"abs(b)", 1.3},
    {"sqrt(K(2)) * x", 1.4142135623730951 * A},
    {"  x\t+\n1 ", A + 1},
    {"INFINITY", (double)INFINITY},
    {"o->on ? x : y", A},
};
START_TEST(functions_are_operations_by_their_names)
{
    agrees(texts[_i].text, texts[_i].value);
}
END_TEST

static const char *const numbers[] = {"1", "-1", "2 * (3 - 1) / 4", "1 < 2", "K(o->beta)", "0 ? x : 4", "1 || x",
                                      "sqrt(2)",
                                      "!0", "o->n > 2 ? 1 : pow(x, x)"};
START_TEST(what_names_no_operand_stays_a_number_and_records_nothing)
{
    size_t nodes = wg_tape_nodes(tape);
    ck_assert(wg_is_number(wg_expression(&c, numbers[_i])));
    ck_assert_uint_eq(wg_tape_nodes(tape), nodes);
}
END_TEST

START_TEST(a_branch_that_a_number_decides_against_is_not_recorded)
{
    size_t nodes = wg_tape_nodes(tape);
    wg_tensor t = wg_expression(&c, "o->n == 3 ? x : -sigmoid(x > 0 ? !a : b) * y");
    ck_assert_uint_eq(t.node, operand[0].node);
    ck_assert_uint_eq(wg_tape_nodes(tape), nodes);
}
END_TEST

START_TEST(the_result_of_a_float_entry_is_never_boolean)
{
    ck_assert_int_eq(wg_type_of(wg_expression(&c, "x > 0 && b < 0")).dtype, WG_FLOAT64);
}
END_TEST

START_TEST(numbers_take_the_dtype_of_the_call)
{
    float values[] = {-1, 2};
    operand[0] = wg_array(tape, WG_FLOAT32, WG_SHAPE(2), values);
    c.dtype = WG_FLOAT32;
    wg_tensor t = wg_expression(&c, "(x > 0 ? 1 : 3) * K(0.5) + x");
    ck_assert_int_eq(wg_type_of(t).dtype, WG_FLOAT32);
    ck_assert_double_eq(wg_element(t, 0), 0.5);
    ck_assert_double_eq(wg_element(t, 1), 2.5);
}
END_TEST

/* Whatever a built-in entry says is understood, and its value's text means what its kernel computes. */
static void is_understood(const wg_op *op, double first)
{
    double in[] = {first, 0.6, 0.4}, values[64] = {0};
    wg_tensor operands[3];
    int n = wg_op_operands(op);
    bool of_truth = op->in[0].flags & WG_BOOLEAN || !op->map->run[WG_FLOAT64];
    for (int i = 0; i < n; i++)
        operands[i] = wg_full(tape, of_truth ? WG_BOOL : WG_FLOAT64, WG_SCALAR, in[i]);
    wg_tensor out = wg_record(op, NULL, operands, n);
    if (wg_failed(tape)) { /* a required option, an operand of integers */
        wg_clear_error(tape);
        return;
    }
    c = (wg_call){.tape = tape, .op = op, .n_in = n, .n_out = 1, .in = operands, .out = &out, .dtype = WG_FLOAT64};
    if (op->options) {
        ck_assert_uint_le(op->options->size, sizeof values);
        c.options = memcpy(values, op->options->defaults, op->options->size);
    }
    wg_tensor again = wg_expression(&c, op->map->value);
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
    double expected = wg_item(out), got = value_of(again);
    bool same = got == expected || fabs(got - expected) <= 1e-12 * fabs(expected) || (isnan(got) && isnan(expected));
    ck_assert_msg(same, "%s of %g: %.17g, not %.17g", op->name, first, got, expected);
    for (int i = 0; i < n && op->map->slope[i]; i++)
        wg_expression(&c, op->map->slope[i]);
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
}

START_TEST(every_text_of_a_built_in_entry_is_understood)
{
    for (int i = 0; wg_op_family(i); i++)
        for (int k = 0; k < wg_op_family(i)->n; k++) {
            const wg_op *op = wg_op_family(i)->op[k];
            if (!op->map)
                continue;
            is_understood(op, 0.3);
            for (int point = 0; wg_op_operands(op) == 1 && point < op->points.n; point++)
                is_understood(op, op->points.at[point]);
        }
}
END_TEST

/* ---- What is not an expression ----------------------------------------------------------------------------------- */
#define TEN(text) text text text text text text text text text text
static const struct {
    const char *text, *message;
} wrong[] = {
    {"", "there is no operand"},
    {"x +", "there is no operand"},
    {"(x", "there is no )"},
    {"x ? y", "there is no :"},
    {"x y", "nothing can follow"},
    {"1.2.3", "not a number"},
    {"000000000000000000000000000000000000000000000000000000001", "too long"},
    {"z", "nothing called z"},
    {"frobnicate(x)", "no operation frobnicate"},
    {"0 ? frobnicate(x) : x", "no operation frobnicate"},
    {"pow(x, y, a, b)", "more than three arguments"},
    {"o->gamma * x", "o->gamma is not"},
    {"x & y", "nothing can follow"},
    {TEN("(") TEN("(") TEN("(") TEN("(") TEN("(") TEN("(") TEN("(") "x", "nested"},
    {TEN("- ") TEN("- ") TEN("- ") TEN("- ") TEN("- ") TEN("- ") TEN("- ") "x", "nested"},
};

START_TEST(what_is_not_an_expression_is_reported_with_the_operation_and_the_text)
{
    wg_tensor t = wg_expression(&c, wrong[_i].text);
    ck_assert(wg_is_invalid(t));
    ck_assert_int_eq(wg_error_status(tape), WG_ERROR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "probe: "));
    ck_assert_msg(strstr(wg_error(tape), wrong[_i].message), "%s", wg_error(tape));
}
END_TEST

START_TEST(an_operand_that_is_absent_is_reported)
{
    operand[1] = WG_NONE;
    ck_assert(wg_is_invalid(wg_expression(&c, "a * b")));
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "operand 1 is not given"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("expression");
    TCase *values = tcase_create("values"), *errors = tcase_create("errors");
    tcase_add_checked_fixture(values, set_up, tear_down);
    tcase_add_test(values, an_expression_has_the_value_that_the_compiler_gives_it);
    tcase_add_loop_test(values, functions_are_operations_by_their_names, 0, COUNT(texts));
    tcase_add_loop_test(values, what_names_no_operand_stays_a_number_and_records_nothing, 0, COUNT(numbers));
    tcase_add_test(values, a_branch_that_a_number_decides_against_is_not_recorded);
    tcase_add_test(values, the_result_of_a_float_entry_is_never_boolean);
    tcase_add_test(values, numbers_take_the_dtype_of_the_call);
    tcase_add_test(values, every_text_of_a_built_in_entry_is_understood);
    suite_add_tcase(suite, values);
    tcase_add_checked_fixture(errors, set_up, tear_down);
    tcase_add_loop_test(errors, what_is_not_an_expression_is_reported_with_the_operation_and_the_text, 0, COUNT(wrong));
    tcase_add_test(errors, an_operand_that_is_absent_is_reported);
    suite_add_tcase(suite, errors);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
