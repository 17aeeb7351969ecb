/* `wengert check`: what it prints and its exit codes. The command is WENGERT_COMMAND. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <wengert.h>

static char output[1 << 20];

/* Runs `wengert check ARGUMENTS`; its output, errors included, is in `output`. Returns the exit code. */
static int run(const char *arguments)
{
    char command[1024];
    snprintf(command, sizeof command, "'%s' check %s 2>&1", getenv("WENGERT_COMMAND"), arguments);
    FILE *from = popen(command, "r");
    ck_assert_ptr_nonnull(from);
    output[fread(output, 1, sizeof output - 1, from)] = 0;
    int status = pclose(from);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void said(const char *text) { ck_assert_msg(strstr(output, text), "%.2000s\ndoes not hold %s", output, text); }

START_TEST(operations_hold)
{
    ck_assert_int_eq(run("tanh matmul softmax --seed 3"), 0);
    said("3 operations, 0 failed");
    said("by double-double");
    ck_assert_int_eq(run("--json tanh"), 0);
    said("\"op\":\"tanh\"");
    ck_assert_int_eq(run("sort softmax --seeds 5 --seed 10"), 0);
    said("by Ridders");
    ck_assert_int_eq(run("tanh --seeds 0"), 2);
    ck_assert_int_eq(run("linear"), 0);
    said("\n  w              [3, 4]         ok ");
    said(" worst, h ");
    if (wg_has_lapack())
        ck_assert_int_eq(run("qr --seed 965"), 0); /* its second derivative moves with the last digits of the operand */
    char folder[] = "/tmp/wengert-check-XXXXXX", arguments[100];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(arguments, sizeof arguments, "tanh --svg %s/s.svg", folder);
    ck_assert_int_eq(run(arguments), 0);
    snprintf(arguments, sizeof arguments, "%s/s.svg", folder);
    ck_assert_int_eq(access(arguments, R_OK), 0);
    ck_assert(!unlink(arguments) && !rmdir(folder));
    ck_assert_int_eq(run("tanhh"), 2);
    said("the nearest is \"tanh\"");
}
END_TEST

START_TEST(mutants_are_caught)
{
    ck_assert_int_eq(run("--mutate tanh add matmul embedding softmax relu"), 0);
    said("6 operations, ");
    said(" 0 not.");
    said("| tanh | x | x | x | x | x | x | = | . | x | . | . | x |");
    said("| embedding | x | x | x | x | x | x | . | x |");
    said("## The chain rule forward");
    said("| tanh | x | x | x | x | x | x | x | . | . | x |");
}
END_TEST

/* Of the shared object; `options` besides. */
static int run_model(const char *function, const char *options)
{
    char arguments[512];
    snprintf(arguments, sizeof arguments, "'%s:%s' %s", getenv("WENGERT_TEST_MODEL"), function, options);
    return run(arguments);
}

START_TEST(a_function_of_a_shared_object_is_checked)
{
    char path[] = "/tmp/wengert-XXXXXX", svg[64], start[8] = "";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    snprintf(svg, sizeof svg, "--svg %s", path);
    ck_assert_int_eq(run_model("right", ""), 0);
    said("gradient check passed: 2 of 2 inputs hold");
    ck_assert_int_eq(run_model("right", "--mutate"), 0);
    said("20 mutants of 3 operations: 20 noticed, 0 not");
    ck_assert_int_eq(run_model("wrong", svg), 1);
    said("first wrong operation on the way back: half_slope (");
    said("check_model.c:");
    said("ratio 0.5");
    close(file);
    FILE *picture = fopen(path, "r"); /* another file under the old name */
    ck_assert_ptr_nonnull(picture);
    ck_assert_uint_eq(fread(start, 1, 4, picture), 4);
    fclose(picture);
    ck_assert_str_eq(start, "<svg");
    unlink(path);
    ck_assert_int_eq(run_model("missing", ""), 2);
    ck_assert_int_eq(run("./nothing.so:loss"), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wengert check");
    TCase *cases = tcase_create("check");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, operations_hold);
    tcase_add_test(cases, a_function_of_a_shared_object_is_checked);
    tcase_add_test(cases, mutants_are_caught);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
