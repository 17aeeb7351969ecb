/* What was decided by a value while a function was recorded: that it is refused, with both lines, where a run would
 * have to decide it again, and nowhere else. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/faults.h"
#include <wengert.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static wg_tape *tape;
static wg_tensor x, w; /* an input and a parameter, 0-d */

static void set_up(void)
{
    tape = wg_tape_new();
    x = wg_name(wg_scalar(tape, 3), "x");
    w = wg_param(tape, "w", WG_SCALAR, .dtype = WG_FLOAT64, .init = WG_ONES);
}

static void tear_down(void)
{
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
    wg_tape_free(tape);
}

/* ---- Recordings -------------------------------------------------------------------------------------------------- */
static void twice(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_multiply(in[0], 2);
}

static void itself(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = in[0];
}

static void below_nine(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_less(in[0], 9);
}

static void halfway_to_root(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_multiply(0.5, wg_add(in[0], wg_divide(x, in[0])));
}

static void growth(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_multiply(x, in[1]);
}

static wg_tensor branch_on_the_input(void) { return wg_item(x) > 0 ? wg_sqrt(x) : wg_negative(x); }
static wg_tensor branch_on_a_result(void)
{
    wg_tensor y = wg_sin(x);
    return wg_element(y, 0) > 0 ? wg_multiply(y, 2) : y;
}
static wg_tensor branch_on_what_a_parameter_gives(void) { return wg_item(wg_exp(w)) > 1 ? wg_multiply(w, x) : x; }
static wg_tensor branch_on_a_draw(void)
{
    return wg_item(wg_dropout(wg_scalar(tape, 1), .p = 0.5)) > 0 ? wg_sin(x) : wg_cos(x);
}
static wg_tensor value_as_a_number(void) { return wg_multiply(x, wg_item(wg_square(x))); }
static wg_tensor values_of_a_result(void)
{
    const double *s = wg_values(wg_square(x));
    return *s > 1 ? wg_sin(x) : wg_cos(x);
}
static wg_tensor copy_of_a_result(void)
{
    double s = 0;
    wg_copy_out(wg_square(x), &s);
    return s > 1 ? wg_sin(x) : wg_cos(x);
}
static wg_tensor cond_on_the_input(void)
{
    wg_tensor y;
    wg_cond(wg_greater(x, 0), twice, itself, WG_TENSORS(x), &y, 1);
    return y;
}
static wg_tensor cond_that_hands_on(void)
{
    wg_tensor y;
    wg_cond(wg_greater(x, 0), itself, twice, WG_TENSORS(w), &y, 1);
    return y;
}
static wg_tensor loop_on_the_input(void)
{
    wg_tensor y;
    wg_while_loop(below_nine, twice, WG_TENSORS(x), &y);
    return y;
}
static wg_tensor fixed_point(void) { return wg_fixed_point(halfway_to_root, wg_scalar(tape, 1)); }
static wg_tensor fixed_point_alone(void)
{
    wg_tensor y = WG_NONE;
    WG_NO_GRAD(tape) y = wg_fixed_point(halfway_to_root, wg_scalar(tape, 1));
    return y;
}
static wg_tensor steps_by_tolerance(void)
{
    const double times[] = {0, 1};
    return wg_odeint(growth, wg_scalar(tape, 1), wg_array(tape, WG_FLOAT64, WG_SHAPE(2), times));
}

#define CASE(name) name, #name
static const struct {
    wg_tensor (*record)(void);
    const char *name, *words;
} decided[] = {{CASE(branch_on_the_input), "wg_item at "},
               {CASE(branch_on_the_input), "looked at x, and wg_sqrt at "},
               {CASE(branch_on_a_result), "looked at the result of wg_sin, and "},
               {CASE(branch_on_what_a_parameter_gives), "looked at the result of wg_exp"},
               {CASE(branch_on_a_draw), "looked at the result of wg_dropout"},
               {CASE(value_as_a_number), "looked at the result of wg_square"},
               {CASE(values_of_a_result), "wg_values at "},
               {CASE(copy_of_a_result), "wg_copy_out at "},
               {CASE(cond_on_the_input), "wg_cond at "},
               {CASE(cond_that_hands_on), "wg_cond at "},
               {CASE(loop_on_the_input), "wg_while_loop at "},
               {CASE(fixed_point), "went by the values it was recorded with"},
               {CASE(fixed_point_alone), "went by the values it was recorded with"},
               {CASE(steps_by_tolerance), "went by the values it was recorded with"}};

START_TEST(what_a_run_would_have_to_decide_is_refused)
{
    wg_tensor y = decided[_i].record();
    ck_assert_msg(!wg_failed(tape), "%s: %s", decided[_i].name, wg_error(tape));
    ck_assert_msg(!wg_compile(tape, WG_TENSORS(x), WG_TENSORS(y)), "%s", decided[_i].name);
    ck_assert_int_eq(wg_error_status(tape), WG_ERROR_VALUE);
    const char *error = wg_error(tape);
    ck_assert_msg(strstr(error, decided[_i].words) && strstr(error, " at "), "%s: %s", decided[_i].name, error);
    wg_clear_error(tape);
    wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(y), .reads = true);
    ck_assert_msg(f, "%s: %s", decided[_i].name, wg_error(tape));
}
END_TEST

/* ---- What is none ------------------------------------------------------------------------------------------------ */
static wg_tensor loss_read_at_the_end(void)
{
    wg_tensor y = wg_square(wg_multiply(w, x));
    ck_assert_double_eq(wg_item(y), 9);
    return y;
}
static wg_tensor parameter_read_before(void) { return wg_item(w) > 0 ? wg_multiply(w, x) : x; }
static wg_tensor constant_read_before(void)
{
    wg_tensor c = wg_square(wg_scalar(tape, 2));
    return wg_multiply(x, wg_item(c));
}
static wg_tensor printed_on_the_way(void)
{
    wg_tensor y = wg_sin(x);
    FILE *file = tmpfile();
    wg_print(y, file);
    fclose(file);
    return wg_cos(y);
}
static wg_tensor read_before_a_rewind(void)
{
    wg_mark mark = wg_tape_mark(tape);
    double before = wg_item(wg_sin(x)) + wg_item(x);
    wg_rewind(tape, mark);
    (void)before;
    return wg_square(wg_add(x, 1));
}
static wg_tensor read_and_not_used_further(void)
{
    wg_tensor y = wg_sin(x);
    if (wg_item(y) > 0)
        wg_cos(x);
    return y;
}
static wg_tensor type_asked_for(void)
{
    wg_tensor y = wg_sin(x);
    return wg_size(y) == 1 && wg_type_of(y).rank == 0 ? wg_cos(y) : y;
}
static wg_tensor steps_of_one_length(void)
{
    const double times[] = {0, 1};
    return wg_odeint(growth, wg_scalar(tape, 1), wg_array(tape, WG_FLOAT64, WG_SHAPE(2), times), .method = WG_RK4);
}
static wg_tensor input_filled(void)
{
    *(double *)(uintptr_t)wg_values(x) = 2;
    return wg_sin(x);
}

static const struct {
    wg_tensor (*record)(void);
    const char *name;
} open[] = {{CASE(loss_read_at_the_end)},
            {CASE(parameter_read_before)},
            {CASE(constant_read_before)},
            {CASE(printed_on_the_way)},
            {CASE(read_before_a_rewind)},
            {CASE(read_and_not_used_further)},
            {CASE(type_asked_for)},
            {CASE(steps_of_one_length)},
            {CASE(input_filled)}};

START_TEST(reading_that_decides_nothing_is_fine)
{
    wg_tensor y = open[_i].record();
    ck_assert_msg(wg_compile(tape, WG_TENSORS(x), WG_TENSORS(y)), "%s: %s", open[_i].name, wg_error(tape));
}
END_TEST

/* The gradients that wg_compile records itself come after what was read, and are no branch of anybody's. */
START_TEST(the_gradients_of_a_loss_that_was_read_are_compiled)
{
    wg_tensor y = loss_read_at_the_end();
    ck_assert_ptr_nonnull(wg_compile(tape, WG_TENSORS(x), WG_TENSORS(y), .backward = true));
}
END_TEST

static void chooses(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_element(in[0], 0) > 0 ? wg_sin(in[0]) : wg_cos(in[0]);
}

START_TEST(a_specialised_body_may_not_choose_either)
{
    wg_type type = {.dtype = WG_FLOAT64, .rank = 1, .dim = {2}};
    ck_assert_ptr_null(wg_specialised_for(wg_specialise(tape, chooses, 1), &type, 1));
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "wg_element at "));
    wg_clear_error(tape);
    ck_assert_ptr_nonnull(wg_specialised_for(wg_specialise(tape, chooses, 1, .reads = true), &type, 1));
}
END_TEST

/* Reading does not fail for want of memory: it is noted only that something was read. */
START_TEST(a_function_of_the_program_is_not_called_back)
{
    wg_tensor y, constant = wg_scalar(tape, 2), from_constant;
    ck_assert_int_eq(wg_checkpoint(twice, WG_TENSORS(x), &y, 1), WG_OK);
    ck_assert_ptr_null(wg_compile(tape, WG_TENSORS(x), WG_TENSORS(y), .reads = true));
    ck_assert_msg(strstr(wg_error(tape), "wg_checkpoint is a function of the program's"), "%s", wg_error(tape));
    wg_clear_error(tape);
    ck_assert_int_eq(wg_checkpoint(twice, WG_TENSORS(constant), &from_constant, 1), WG_OK);
    wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(wg_add(x, from_constant)));
    double three = 3, sum = 0;
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(wg_function_run(f, (const void *[]){&three}, (void *[]){&sum}), WG_OK);
    ck_assert_double_eq(sum, 7);
}
END_TEST

START_TEST(without_memory_for_a_note_it_is_refused_all_the_same)
{
    faults memory = {0};
    wg_tape *on = wg_tape_new(.memory = faults_memory(&memory));
    wg_mark start = wg_tape_mark(on);
    wg_tensor in = wg_scalar(on, 3), c = wg_scalar(on, 1);
    memory.fail_at = memory.calls + 1;
    double read = wg_item(c);
    wg_tensor y = wg_multiply(in, read);
    ck_assert_ptr_null(wg_compile(on, WG_TENSORS(in), WG_TENSORS(y)));
    ck_assert_ptr_nonnull(strstr(wg_error(on), "wg_item at "));
    wg_clear_error(on);
    wg_rewind(on, start);
    in = wg_scalar(on, 3);
    ck_assert_ptr_nonnull(wg_compile(on, WG_TENSORS(in), WG_TENSORS(wg_sin(in))));
    wg_tape_free(on);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("decided");
    TCase *values = tcase_create("values");
    tcase_add_checked_fixture(values, set_up, tear_down);
    tcase_add_loop_test(values, what_a_run_would_have_to_decide_is_refused, 0, COUNT(decided));
    tcase_add_loop_test(values, reading_that_decides_nothing_is_fine, 0, COUNT(open));
    tcase_add_test(values, the_gradients_of_a_loss_that_was_read_are_compiled);
    tcase_add_test(values, a_specialised_body_may_not_choose_either);
    tcase_add_test(values, a_function_of_the_program_is_not_called_back);
    tcase_add_test(values, without_memory_for_a_note_it_is_refused_all_the_same);
    suite_add_tcase(s, values);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
