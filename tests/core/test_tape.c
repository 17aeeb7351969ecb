/* The tape itself: marks and what outlives them, handles, scopes and names, printing, versions of values, numbers as
 * operands, and where the memory comes from. */
#include <check.h>
#include <stdlib.h>

#include "core/tape.h"
#include "faults.h"
#include "wengert/derivatives.h"
#include "wengert/elementwise.h"
#include "wengert/products.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static wg_tape *tape;
static wg_tensor x;

static void set_up(void)
{
    tape = wg_tape_new();
    x = wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 3), (double[]){1, 2, 3, 4, 5, 6});
}

static void tear_down(void) { wg_tape_free(tape); }

/* ---- Marks ------------------------------------------------------------------------------------------------------- */
START_TEST(a_rewind_gives_back_all_since_the_mark_and_no_more)
{
    wg_mark mark = wg_tape_mark(tape);
    size_t nodes = wg_tape_nodes(tape), used = wg_tape_used_bytes(tape);
    for (int i = 0; i < 1000; i++)
        wg_exp(x);
    wg_rewind(tape, mark);
    ck_assert_uint_eq(wg_tape_nodes(tape), nodes);
    ck_assert_uint_eq(wg_tape_used_bytes(tape), used);
    ck_assert_double_eq(wg_element(x, 5), 6);
    size_t held = wg_tape_bytes(tape);
    for (int i = 0; i < 1000; i++)
        wg_exp(x);
    ck_assert_uint_eq(wg_tape_bytes(tape), held); /* the memory was kept */
}
END_TEST

START_TEST(marks_nest)
{
    wg_mark outer = wg_tape_mark(tape);
    wg_tensor a = wg_exp(x);
    wg_mark inner = wg_tape_mark(tape);
    for (int i = 0; i < 3; i++) {
        wg_tensor b = wg_exp(a);
        wg_rewind(tape, inner);
        ck_assert_double_eq_tol(wg_element(a, 0), exp(1), 1e-15);
        ck_assert(wg_is_invalid(wg_exp(b)));
        ck_assert_int_eq(wg_error_status(tape), WG_ERROR_STALE);
        wg_clear_error(tape);
    }
    wg_rewind(tape, outer);
    wg_rewind(tape, outer);
    ck_assert(!wg_failed(tape));
    wg_rewind(tape, inner);
    ck_assert_int_eq(wg_error_status(tape), WG_ERROR_STALE);
}
END_TEST

START_TEST(a_mark_is_dead_when_other_nodes_took_the_place_of_its_own)
{
    wg_mark outer = wg_tape_mark(tape);
    wg_exp(x);
    wg_mark inner = wg_tape_mark(tape);
    wg_rewind(tape, outer);
    wg_tensor y = wg_tanh(x);
    wg_tensor z = wg_tanh(y);
    wg_rewind(tape, inner);
    ck_assert_int_eq(wg_error_status(tape), WG_ERROR_STALE);
    ck_assert_double_eq_tol(wg_element(z, 0), tanh(tanh(1)), 1e-15); /* nothing was released */
}
END_TEST

START_TEST(a_handle_is_stale_though_another_node_is_in_its_place)
{
    wg_mark mark = wg_tape_mark(tape);
    wg_tensor before = wg_exp(x);
    wg_rewind(tape, mark);
    wg_tensor after = wg_tanh(x);
    ck_assert_uint_eq(before.node, after.node);
    ck_assert(isnan(wg_element(before, 0)));
    ck_assert_int_eq(wg_error_status(tape), WG_ERROR_STALE);
}
END_TEST

START_TEST(epochs_begin_again_after_the_last)
{
    wg_tensor p = wg_param(tape, "p", WG_SHAPE(2, 3), .dtype = WG_FLOAT64);
    wg_mark mark = wg_tape_mark(tape);
    tape->epoch = UINT32_MAX - 2;
    for (int i = 0; i < 6; i++, wg_rewind(tape, mark)) {
        ck_assert_int_eq(wg_backward(wg_sum(wg_square(wg_subtract(p, 1)))), WG_OK);
        ck_assert_double_eq(wg_element(wg_grad_of(p), 0), -2);
        wg_assign(p, wg_multiply(p, 1));
        wg_zero_grad(p);
        ck_assert_uint_ne(tape->epoch, 0);
    }
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
}
END_TEST

START_TEST(what_is_said_of_a_tensor_outlives_a_rewind_that_it_outlives)
{
    wg_tensor y = wg_square(x);
    wg_mark mark = wg_tape_mark(tape);
    for (int i = 0; i < 3; i++, wg_rewind(tape, mark)) {
        wg_name(x, i ? "renamed" : "named");
        wg_name(y, "y");
        wg_assign(x, wg_multiply(x, 2));
    }
    for (int i = 0; i < 50; i++)
        wg_exp(x); /* over what the rewind released */
    ck_assert_str_eq(wg_name_of(x), "renamed");
    ck_assert_str_eq(wg_name_of(y), "y");
    wg_tensor g;
    ck_assert_int_eq(wg_grad(wg_sum(y), &x, 1, &g), WG_ERROR_STALE); /* x was changed since */
}
END_TEST

START_TEST(what_is_said_in_every_step_takes_no_more_memory)
{
    wg_mark mark = wg_tape_mark(tape);
    size_t bytes = 0;
    for (int i = 0; i < 100; i++, wg_rewind(tape, mark)) {
        char name[32];
        snprintf(name, sizeof name, "x of step %d", i % 10);
        wg_name(x, name);
        WG_SCOPE(tape, "step", i) { wg_name(wg_exp(x), "exp"); }
        if (i == 1)
            bytes = wg_tape_bytes(tape);
    }
    ck_assert_uint_eq(wg_tape_bytes(tape), bytes);
    ck_assert_uint_eq(wg_tape_nodes(tape), 1);
}
END_TEST

START_TEST(a_tape_has_as_many_nodes_as_an_index_can_count)
{
    tape->nodes = UINT32_MAX - WG_CHUNK;
    tape->chunks = tape->nodes / WG_CHUNK;
    uint32_t index;
    ck_assert_ptr_null(wg_node_append(tape, &index));
    tape->nodes = 1;
    tape->chunks = 1;
}
END_TEST

/* ---- Scopes and names -------------------------------------------------------------------------------------------- */
static const char *path_of(wg_tensor t, char text[64])
{
    return wg_scope_path(tape, wg_node_at(tape, t.node)->scope, text, 64);
}

START_TEST(scopes_nest_and_close)
{
    char text[64];
    WG_SCOPE(tape, "model")
    {
        for (int i = 0; i < 2; i++)
            WG_SCOPE(tape, "block", i)
            {
                wg_tensor y = wg_exp(x);
                ck_assert_str_eq(path_of(y, text), i ? "model.block.1" : "model.block.0");
            }
        ck_assert_str_eq(path_of(wg_exp(x), text), "model");
    }
    ck_assert_str_eq(path_of(wg_exp(x), text), "");
    WG_SCOPE(tape, "model") { ck_assert_uint_eq(tape->scope_now, 1); /* the same again */ }
}
END_TEST

START_TEST(a_rewind_closes_scopes_that_were_left_by_a_break)
{
    wg_mark mark = wg_tape_mark(tape);
    for (int i = 0; i < 3; i++, wg_rewind(tape, mark)) {
        WG_SCOPE(tape, "left")
        {
            wg_exp(x);
            break;
        }
    }
    ck_assert_uint_eq(tape->scope_now, 0);
    char text[64];
    ck_assert_str_eq(path_of(wg_exp(x), text), "");
    ck_assert(!wg_failed(tape));
}
END_TEST

START_TEST(an_error_names_the_scope_and_the_tensor)
{
    wg_name(x, "images");
    WG_SCOPE(tape, "encoder", 2) { wg_matmul(x, x); }
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "wg_matmul: "));
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "[2, 3] (images)"));
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "(in encoder.2)"));
}
END_TEST

static void note(void *user, wg_status status, const char *message)
{
    (void)message;
    ((int *)user)[status]++;
}

START_TEST(the_first_error_stays_and_the_handler_hears_all)
{
    int seen[16] = {0};
    wg_on_error(tape, note, seen);
    wg_matmul(x, x);
    wg_element(x, 99);
    ck_assert_int_eq(wg_error_status(tape), WG_ERROR_SHAPE);
    ck_assert_int_eq(seen[WG_ERROR_SHAPE], 1);
    ck_assert_int_eq(seen[WG_ERROR_INDEX], 1);
    wg_clear_error(tape);
    ck_assert_str_eq(wg_error(tape), "");
}
END_TEST

/* ---- Printing ---------------------------------------------------------------------------------------------------- */
static const char *printed(wg_tensor t)
{
    static char text[4096];
    FILE *file = fmemopen(text, sizeof text, "w");
    wg_print(t, file);
    fclose(file);
    char *place = strstr(text, " ("); /* the place: a path before a line, which editing moves */
    char *end = place ? strchr(place, ')') : NULL;
    if (end && end < strchr(text, '\n'))
        memmove(place, end + 1, strlen(end));
    return text;
}

START_TEST(a_tensor_is_printed_as_nested_rows)
{
    ck_assert_str_eq(printed(wg_name(x, "x")), "x float64 [2, 3]\n"
                                               "[[         1,          2,          3],\n"
                                               " [         4,          5,          6]]\n");
    ck_assert_str_eq(printed(wg_sum(x)), "sum float64 []\n        21\n");
    ck_assert_str_eq(printed(wg_greater(wg_array(tape, WG_INT32, WG_SHAPE(2), (int32_t[]){-1, 7}), 0)),
                     "greater bool [2]\n[false, true]\n");
    ck_assert_str_eq(printed(wg_full(tape, WG_INT64, WG_SHAPE(9), 4)), "leaf int64 [9]\n[4, 4, 4, ..., 4, 4, 4]\n");
    ck_assert_str_eq(printed(wg_full(tape, WG_FLOAT32, WG_SHAPE(2, 0), 4)), "leaf float32 [2, 0]\n[[],\n []]\n");
    ck_assert_str_eq(printed(WG_NONE), "none\n");
    ck_assert_str_eq(printed(wg_number(2)), "number\n");
    ck_assert_str_eq(printed(WG_INVALID), "invalid tensor\n");
    ck_assert(!wg_failed(tape));
}
END_TEST

START_TEST(a_large_tensor_is_printed_by_its_corners)
{
    const char *text = printed(wg_full(tape, WG_INT64, WG_SHAPE(100, 100), 1));
    ck_assert_str_eq(text, "leaf int64 [100, 100]\n"
                           "[[1, 1, 1, ..., 1, 1, 1],\n"
                           " [1, 1, 1, ..., 1, 1, 1],\n"
                           " [1, 1, 1, ..., 1, 1, 1],\n"
                           " ...,\n"
                           " [1, 1, 1, ..., 1, 1, 1],\n"
                           " [1, 1, 1, ..., 1, 1, 1],\n"
                           " [1, 1, 1, ..., 1, 1, 1]]\n");
}
END_TEST

/* ---- Versions ---------------------------------------------------------------------------------------------------- */
START_TEST(a_changed_value_is_an_error_only_where_it_is_needed)
{
    wg_tensor needs = wg_sum(wg_square(x)), needs_not = wg_sum(wg_subtract(1, x)), g;
    wg_tensor result = wg_exp(x), of_result = wg_sum(result);
    wg_assign(x, wg_full(tape, WG_FLOAT64, WG_SHAPE(2, 3), 7));
    ck_assert_int_eq(wg_grad(needs_not, &x, 1, &g), WG_OK);
    ck_assert_double_eq(wg_element(g, 0), -1);
    ck_assert_int_eq(wg_grad(needs, &x, 1, &g), WG_ERROR_STALE);
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "wg_square"));
    wg_clear_error(tape);
    wg_assign(result, x);
    ck_assert_int_eq(wg_grad(of_result, &x, 1, &g), WG_ERROR_STALE);
    wg_clear_error(tape);
    ck_assert_int_eq(wg_grad(wg_sum(wg_square(x)), &x, 1, &g), WG_OK); /* recorded afterwards */
    ck_assert_double_eq(wg_element(g, 0), 14);
}
END_TEST

START_TEST(a_change_through_a_view_is_a_change_of_its_owner)
{
    wg_tensor turned = wg_matrix_transpose(x), y = wg_sum(wg_square(x)), g;
    wg_assign(turned, wg_full(tape, WG_FLOAT64, WG_SHAPE(3, 2), 9));
    ck_assert_double_eq(wg_element(x, 4), 9);
    ck_assert_int_eq(wg_grad(y, &x, 1, &g), WG_ERROR_STALE);
}
END_TEST

START_TEST(a_value_is_assigned_to_its_own_transpose)
{
    wg_tensor a = wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 2), (double[]){1, 2, 3, 4});
    wg_assign(a, wg_matrix_transpose(a));
    ck_assert_double_eq(wg_element(a, 1), 3);
    ck_assert_double_eq(wg_element(a, 2), 2);
}
END_TEST

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */
START_TEST(nothing_is_not_the_number_zero)
{
    wg_tensor zeroed = {0};
    ck_assert(wg_is_none(zeroed) && !wg_is_number(zeroed) && !wg_is_tensor(zeroed) && !wg_is_invalid(zeroed));
    ck_assert(wg_is_number(wg_number(0)) && !wg_is_none(wg_number(0)));
    ck_assert_double_eq(wg_element(wg_add(x, 0), 0), 1);
    ck_assert(wg_is_invalid(wg_add(x, WG_NONE)));
}
END_TEST

static const double numbers[] = {0, -0.0, 1, -1, 5e-324, 1e308, INFINITY, -INFINITY, NAN, 0.1};

START_TEST(a_number_is_itself_whatever_its_bits)
{
    wg_tensor t = wg_number(numbers[_i]);
    double value = wg_number_value(t);
    ck_assert(wg_is_number(t) && !wg_is_none(t) && !wg_is_invalid(t) && !wg_is_tensor(t));
    ck_assert(isnan(numbers[_i]) ? isnan(value) : memcmp(&value, &numbers[_i], sizeof value) == 0);
    uint64_t odd = UINT64_MAX; /* the NaN whose complement would be WG_NONE */
    memcpy(&value, &odd, sizeof value);
    ck_assert(wg_is_number(wg_number(value)));
}
END_TEST

START_TEST(a_number_has_the_dtype_of_the_other_operand)
{
    ck_assert_int_eq(wg_type_of(wg_add(wg_full(tape, WG_FLOAT32, WG_SHAPE(2), 1), 2)).dtype, WG_FLOAT32);
    ck_assert_int_eq(wg_type_of(wg_subtract(1, x)).dtype, WG_FLOAT64);
    size_t nodes = wg_tape_nodes(tape);
    wg_add(x, 2);
    wg_add(x, 2);
    ck_assert_uint_eq(wg_tape_nodes(tape), nodes + 3); /* the two results, and one 2 */
}
END_TEST

/* ---- Where memory comes from ------------------------------------------------------------------------------------- */
START_TEST(all_memory_comes_from_the_caller_and_goes_back)
{
    faults f = {0};
    wg_tape *own = wg_tape_new(.memory = faults_memory(&f));
    ck_assert_uint_eq(wg_tape_bytes(own), f.bytes);
    wg_tensor y = wg_full(own, WG_FLOAT32, WG_SHAPE(1000, 100), 1);
    WG_SCOPE(own, "s") { wg_sum(wg_exp(y)); }
    wg_op_find(own, "exp");
    ck_assert_uint_eq(wg_tape_bytes(own), f.bytes);
    wg_tape_free(own);
    ck_assert_uint_eq(f.bytes + f.blocks + f.misused, 0);
}
END_TEST

START_TEST(values_lie_on_cache_lines)
{
    for (int64_t n = 1; n < 300; n += 7) {
        wg_tensor a = wg_full(tape, WG_FLOAT64, WG_SHAPE(n, 2), 1);
        ck_assert_uint_eq((uintptr_t)wg_values(a) % (n * 16 >= WG_ALIGN ? WG_ALIGN : 8), 0);
    }
}
END_TEST

START_TEST(a_tape_lives_in_one_buffer_at_any_address)
{
    unsigned char *buffer = malloc((size_t)1 << 20);
    for (size_t off = 0; off < 64; off += 13) {
        wg_tape *own = wg_tape_new(.buffer = buffer + off, .buffer_bytes = ((size_t)1 << 20) - 64);
        wg_tensor a = wg_full(own, WG_FLOAT64, WG_SHAPE(100), 2);
        ck_assert_double_eq(wg_item(wg_sum(a)), 200);
        ck_assert((unsigned char *)own >= buffer && (unsigned char *)wg_values(a) < buffer + ((size_t)1 << 20));
        wg_full(own, WG_FLOAT64, WG_SHAPE(1 << 20), 0);
        ck_assert_int_eq(wg_error_status(own), WG_ERROR_MEMORY);
        wg_tape_free(own);
    }
    free(buffer);
}
END_TEST

static int released;
static void count_release(void *object) { released += object == &released; }

START_TEST(what_the_tape_owns_goes_with_it)
{
    wg_tape *own = wg_tape_new();
    ck_assert_int_eq(wg_tape_own(own, &released, count_release), WG_OK);
    ck_assert_int_eq(wg_tape_own(own, &released, count_release), WG_OK);
    ck_assert_int_eq(released, 0);
    wg_tape_free(own);
    ck_assert_int_eq(released, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tape");
    TCase *marks = tcase_create("marks"), *names = tcase_create("names"), *values = tcase_create("values"),
          *memory = tcase_create("memory");
    TCase *const cases[] = {marks, names, values, memory};
    for (int i = 0; i < COUNT(cases); i++) {
        tcase_add_checked_fixture(cases[i], set_up, tear_down);
        suite_add_tcase(suite, cases[i]);
    }
    tcase_add_test(marks, a_rewind_gives_back_all_since_the_mark_and_no_more);
    tcase_add_test(marks, marks_nest);
    tcase_add_test(marks, a_mark_is_dead_when_other_nodes_took_the_place_of_its_own);
    tcase_add_test(marks, a_handle_is_stale_though_another_node_is_in_its_place);
    tcase_add_test(marks, epochs_begin_again_after_the_last);
    tcase_add_test(marks, what_is_said_of_a_tensor_outlives_a_rewind_that_it_outlives);
    tcase_add_test(marks, what_is_said_in_every_step_takes_no_more_memory);
    tcase_add_test(marks, a_tape_has_as_many_nodes_as_an_index_can_count);
    tcase_add_test(names, scopes_nest_and_close);
    tcase_add_test(names, a_rewind_closes_scopes_that_were_left_by_a_break);
    tcase_add_test(names, an_error_names_the_scope_and_the_tensor);
    tcase_add_test(names, the_first_error_stays_and_the_handler_hears_all);
    tcase_add_test(names, a_tensor_is_printed_as_nested_rows);
    tcase_add_test(names, a_large_tensor_is_printed_by_its_corners);
    tcase_add_test(values, a_changed_value_is_an_error_only_where_it_is_needed);
    tcase_add_test(values, a_change_through_a_view_is_a_change_of_its_owner);
    tcase_add_test(values, a_value_is_assigned_to_its_own_transpose);
    tcase_add_test(values, nothing_is_not_the_number_zero);
    tcase_add_loop_test(values, a_number_is_itself_whatever_its_bits, 0, COUNT(numbers));
    tcase_add_test(values, a_number_has_the_dtype_of_the_other_operand);
    tcase_add_test(memory, all_memory_comes_from_the_caller_and_goes_back);
    tcase_add_test(memory, values_lie_on_cache_lines);
    tcase_add_test(memory, a_tape_lives_in_one_buffer_at_any_address);
    tcase_add_test(memory, what_the_tape_owns_goes_with_it);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
