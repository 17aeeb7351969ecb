/* Compiled functions looked at: what is printed is what they do, times add up, and what cannot be written is said. */
#include <check.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <wengert.h>

static wg_tape *tape;
static wg_function *f;
static char text[8192];

static void set_up(void)
{
    tape = wg_tape_new();
    wg_tensor x = wg_array(tape, WG_FLOAT32, WG_SHAPE(64, 100), NULL), w = wg_param(tape, "w", WG_SHAPE(100, 32)),
              h = WG_NONE, loss = WG_NONE;
    WG_SCOPE(tape, "block", 3)
    {
        WG_SCOPE(tape, "hidden") { h = wg_tanh(wg_add(wg_matmul(x, w), 1)); }
        loss = wg_mean(wg_square(h));
    }
    f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(loss), .backward = true);
    ck_assert_ptr_nonnull(f);
}
static void tear_down(void) { wg_tape_free(tape); }

static void read_back(FILE *file)
{
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
}

static void has(const char *words) { ck_assert_msg(strstr(text, words) != NULL, "no '%s' in:\n%s", words, text); }

START_TEST(what_it_does_is_printed)
{
    FILE *file = tmpfile();
    ck_assert_int_eq(wg_function_print(f, file), WG_OK);
    read_back(file);
    has("instruction");
    has("matmul");
    has("add, tanh");
    has("block.3.hidden");
    has("64×32");
    has("409.6 k"); /* 2 64 100 32 operations */
    has("recorded operations");
    ck_assert_ptr_null(strstr(text, "GB/s"));
}
END_TEST

START_TEST(where_the_time_goes_is_printed_and_drawn)
{
    float x[6400] = {0};
    char path[] = "/tmp/wengert-profile-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    FILE *file = tmpfile();
    ck_assert_int_eq(wg_profile(f, file, .in = (const void *[]){x}, .runs = 2, .svg = path), WG_OK);
    read_back(file);
    has("GFLOP/s");
    has("one run");
    double shares = 0;
    for (const char *at = text; (at = strstr(at, " %")); at += 2) {
        const char *digits = at;
        while (digits > text && digits[-1] != ' ')
            digits--;
        shares += atof(digits);
    }
    ck_assert_double_eq_tol(shares, 100, 1);
    struct stat is;
    ck_assert_int_eq(stat(path, &is), 0);
    ck_assert_int_gt((int)is.st_size, 1000);
    file = fopen(path, "r");
    read_back(file);
    has("<svg");
    has("block.3");
    has("matmul");
    unlink(path);
    ck_assert_int_eq(wg_function_run(f, (const void *[]){x}, NULL), WG_OK); /* it goes on as before */
}
END_TEST

START_TEST(what_cannot_be_printed_is_said)
{
    ck_assert_int_eq(wg_function_print(NULL, stdout), WG_ERROR_VALUE);
    ck_assert_int_eq(wg_profile(NULL, stdout), WG_ERROR_VALUE);
    ck_assert_int_eq(wg_function_print(f, NULL), WG_ERROR_VALUE);
    wg_clear_error(tape);
    float x[6400] = {0};
    ck_assert_int_eq(wg_profile(f, stdout, .in = (const void *[]){x}, .runs = 0), WG_ERROR_VALUE);
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "0 runs"));
    wg_clear_error(tape);
    FILE *full = fopen("/dev/full", "w");
    ck_assert_int_eq(wg_function_print(f, full), WG_ERROR_FILE);
    fclose(full);
    wg_clear_error(tape);
    FILE *file = tmpfile();
    ck_assert_int_eq(wg_profile(f, file, .in = (const void *[]){x}, .runs = 1, .svg = "/no/such/folder/p.svg"),
                     WG_ERROR_FILE);
    fclose(file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("profile");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, what_it_does_is_printed);
    tcase_add_test(all, where_the_time_goes_is_printed_and_drawn);
    tcase_add_test(all, what_cannot_be_printed_is_said);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
