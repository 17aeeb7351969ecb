/* Operations by name: the built-in ones, the caller's own, and what happens when there is no memory for the table. */
#include <check.h>
#include <stdlib.h>

#include "core/tape.h"

static wg_tape *tape;
static void set_up(void) { tape = wg_tape_new(); }
static void tear_down(void) { wg_tape_free(tape); }

static const wg_op swish = {.name = "my_swish", .in = {{"x", 0}, {"beta", 0}}};
static const wg_op two = {.name = "two", .in = {{"x", 0}}, .out = {"values", "indices"}};
static const wg_op nameless = {.in = {{"x", 0}}};

/* ---- Finding ----------------------------------------------------------------------------------------------------- */
START_TEST(every_built_in_operation_is_found_by_its_name)
{
    int n = 0;
    for (int i = 0; wg_op_family(i); i++)
        for (int k = 0; k < wg_op_family(i)->n; k++, n++) {
            const wg_op *op = wg_op_family(i)->op[k];
            ck_assert_msg(wg_op_find(tape, op->name) == op, "%s is not found, or listed twice", op->name);
        }
    ck_assert_int_gt(n, 0);
    ck_assert(!wg_failed(tape));
}
END_TEST

START_TEST(what_is_not_there_is_not_an_error)
{
    ck_assert_ptr_null(wg_op_find(tape, "frobnicate"));
    ck_assert_ptr_null(wg_op_find(tape, ""));
    ck_assert_ptr_null(wg_op_find(tape, NULL));
    ck_assert_ptr_null(wg_op_find(NULL, "add"));
    ck_assert(!wg_failed(tape));
}
END_TEST

START_TEST(families_end_with_null)
{
    ck_assert_ptr_null(wg_op_family(-1));
    ck_assert_ptr_null(wg_op_family(1000));
    ck_assert_ptr_nonnull(wg_op_family(0));
}
END_TEST

START_TEST(operands_and_outputs_are_those_that_have_names)
{
    ck_assert_int_eq(wg_op_operands(&swish), 2);
    ck_assert_int_eq(wg_op_outputs(&swish), 1);
    ck_assert_int_eq(wg_op_outputs(&two), 2);
}
END_TEST

/* ---- Adding ------------------------------------------------------------------------------------------------------ */
START_TEST(an_added_operation_is_known_on_its_tape_alone)
{
    wg_tape *other = wg_tape_new();
    ck_assert_int_eq(wg_op_add(tape, &swish), WG_OK);
    ck_assert_ptr_eq(wg_op_find(tape, "my_swish"), &swish);
    ck_assert_ptr_null(wg_op_find(other, "my_swish"));
    wg_tape_free(other);
}
END_TEST

START_TEST(a_name_is_given_once)
{
    wg_op mine = swish;
    wg_op add = swish;
    add.name = wg_op_family(0)->op[0]->name;
    ck_assert_int_eq(wg_op_add(tape, &swish), WG_OK);
    ck_assert_int_eq(wg_op_add(tape, &mine), WG_ERROR_VALUE);
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "my_swish"));
    ck_assert_int_eq(wg_op_add(tape, &add), WG_ERROR_VALUE);
    ck_assert_ptr_eq(wg_op_find(tape, "my_swish"), &swish);
}
END_TEST

START_TEST(an_operation_without_a_name_is_refused)
{
    ck_assert_int_eq(wg_op_add(tape, &nameless), WG_ERROR_VALUE);
    ck_assert_int_eq(wg_op_add(tape, NULL), WG_ERROR_VALUE);
    ck_assert_int_eq(wg_op_add(NULL, &swish), WG_ERROR_VALUE);
}
END_TEST

/* ---- Without memory ---------------------------------------------------------------------------------------------- */
static void *some(void *user, size_t bytes)
{
    int *left = user;
    return (*left)-- > 0 ? malloc(bytes) : NULL;
}

static void give_back(void *user, void *memory, size_t bytes)
{
    (void)user;
    (void)bytes;
    free(memory);
}

/* Every allocation fails in turn, until all succeed; the tape is usable after each. */
START_TEST(running_out_of_memory_is_an_ordinary_error)
{
    bool complete = false;
    for (int allowed = 0; !complete; allowed++) {
        int left = allowed + 1; /* one for the tape itself */
        wg_tape *small = wg_tape_new(.memory = {some, give_back, &left});
        complete = wg_op_add(small, &swish) == WG_OK;
        if (!complete) {
            ck_assert_int_eq(wg_error_status(small), WG_ERROR_MEMORY);
            wg_clear_error(small);
            left = 1 << 20;
            ck_assert_int_eq(wg_op_add(small, &swish), WG_OK);
        }
        ck_assert_ptr_eq(wg_op_find(small, "my_swish"), &swish);
        wg_tape_free(small);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("registry");
    TCase *names = tcase_create("names");
    tcase_add_checked_fixture(names, set_up, tear_down);
    tcase_add_test(names, every_built_in_operation_is_found_by_its_name);
    tcase_add_test(names, what_is_not_there_is_not_an_error);
    tcase_add_test(names, families_end_with_null);
    tcase_add_test(names, operands_and_outputs_are_those_that_have_names);
    tcase_add_test(names, an_added_operation_is_known_on_its_tape_alone);
    tcase_add_test(names, a_name_is_given_once);
    tcase_add_test(names, an_operation_without_a_name_is_refused);
    tcase_add_test(names, running_out_of_memory_is_an_ordinary_error);
    suite_add_tcase(suite, names);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
