/* WENGERT_DRAW: a program that knows nothing of pictures draws its first backward pass, and goes on whatever
 * happens. */
#include "files.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>

static wg_tape *tape;
static char text[1 << 16];

static void set_up(void)
{
    tape = wg_tape_new();
    folder_make();
}

static void tear_down(void)
{
    unsetenv("WENGERT_DRAW");
    folder_remove();
    wg_tape_free(tape);
}

static const char *content(const char *path)
{
    FILE *file = fopen(path, "rb");
    text[0] = 0;
    if (file) {
        text[fread(text, 1, sizeof text - 1, file)] = 0;
        fclose(file);
    }
    return text;
}

static wg_tensor parameter(wg_tape *on) { return wg_param(on, "w", WG_SHAPE(3), .dtype = WG_FLOAT64, .init = WG_ONES); }

START_TEST(the_first_backward_pass_is_drawn_with_its_gradients)
{
    setenv("WENGERT_DRAW", in_folder("first.dot"), 1);
    wg_tensor w = parameter(tape);
    ck_assert_int_eq(wg_backward(wg_sum(wg_exp(w))), WG_OK);
    ck_assert_ptr_nonnull(strstr(content(in_folder("first.dot")), "<B>exp</B>"));
    ck_assert_ptr_nonnull(strstr(text, "gradient 2-norm"));
    ck_assert_int_eq(wg_backward(wg_sum(wg_sin(w))), WG_OK);
    ck_assert_ptr_nonnull(strstr(content(in_folder("first.dot")), "<B>exp</B>"));
    ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

START_TEST(what_has_no_parameters_is_drawn_without)
{
    setenv("WENGERT_DRAW", in_folder("first.dot"), 1);
    ck_assert_int_eq(wg_backward(wg_sin(wg_scalar(tape, 1))), WG_OK);
    ck_assert_ptr_nonnull(strstr(content(in_folder("first.dot")), "<B>sin</B>"));
}
END_TEST

static void not_called(void *user, wg_status status, const char *message)
{
    (void)status;
    (void)user;
    ck_abort_msg("the program's handler was called: %s", message);
}

START_TEST(a_failure_is_one_line_and_the_program_goes_on)
{
    int screen = dup(STDERR_FILENO), file = open(in_folder("said"), O_RDWR | O_CREAT, 0600);
    setenv("WENGERT_DRAW", "/nowhere/first.dot", 1);
    wg_on_error(tape, not_called, NULL);
    dup2(file, STDERR_FILENO);
    wg_tensor w = parameter(tape);
    wg_status status = wg_backward(wg_sum(wg_exp(w)));
    dup2(screen, STDERR_FILENO);
    ck_assert_int_eq(status, WG_OK);
    ck_assert(!wg_failed(tape));
    ck_assert(wg_has_grad(w));
    ck_assert_str_eq(content(in_folder("said")),
                     "WENGERT_DRAW: wg_draw: /nowhere/first.dot: No such file or directory\n");
}
END_TEST

START_TEST(nothing_is_drawn_where_nothing_is_asked_for)
{
    setenv("WENGERT_DRAW", "", 1);
    ck_assert_int_eq(wg_backward(wg_sum(wg_exp(parameter(tape)))), WG_OK);
    ck_assert_int_eq(files_in_folder(), 0);
}
END_TEST

START_TEST(a_backward_pass_that_fails_is_not_the_first)
{
    setenv("WENGERT_DRAW", in_folder("first.dot"), 1);
    wg_tensor w = parameter(tape);
    ck_assert_int_ne(wg_backward(w), WG_OK); /* not one number */
    wg_clear_error(tape);
    ck_assert_int_eq(files_in_folder(), 0);
    ck_assert_int_eq(wg_backward(wg_sum(w)), WG_OK);
    ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

static void *one_tape(void *user)
{
    wg_tape *own = wg_tape_new();
    wg_status status = wg_backward(wg_sum(wg_exp(parameter(own))));
    wg_tape_free(own);
    return status ? user : NULL;
}

START_TEST(tapes_of_several_threads_leave_one_whole_picture)
{
    pthread_t thread[8];
    setenv("WENGERT_DRAW", in_folder("first.dot"), 1);
    for (int i = 0; i < COUNT(thread); i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, one_tape, folder), 0);
    for (int i = 0; i < COUNT(thread); i++) {
        void *failed;
        pthread_join(thread[i], &failed);
        ck_assert_ptr_null(failed);
    }
    content(in_folder("first.dot"));
    ck_assert_str_eq(text + strlen(text) - 2, "}\n");
    ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("draw_first");
    TCase *first = tcase_create("first");
    tcase_add_checked_fixture(first, set_up, tear_down);
    tcase_add_test(first, the_first_backward_pass_is_drawn_with_its_gradients);
    tcase_add_test(first, what_has_no_parameters_is_drawn_without);
    tcase_add_test(first, a_failure_is_one_line_and_the_program_goes_on);
    tcase_add_test(first, nothing_is_drawn_where_nothing_is_asked_for);
    tcase_add_test(first, a_backward_pass_that_fails_is_not_the_first);
    tcase_add_test(first, tapes_of_several_threads_leave_one_whole_picture);
    suite_add_tcase(s, first);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
