/* `wengert export`, asked as a user asks it: a network is trained, written as C, and the C passes its own test. */
#include "command.h"

static void set_up(void) { folder_make(); }

static void passes(const char *name, const char *macro)
{
    char command[500];
    if (system("command -v cc >/dev/null"))
        return;
    snprintf(command, sizeof command,
             "cd %s && cc -std=c99 -Wall -Wextra -Wconversion -pedantic -Werror -D%s %s.c -lm -o %s && ./%s >said",
             folder, macro, name, name, name);
    ck_assert_msg(!system(command), "%s", command);
}

START_TEST(a_trained_network_is_written_as_c_that_passes_its_test)
{
    runs("train --epochs 1 --layers 2,8,2 --checkpoint net.safetensors --boundary b.svg --color never");
    runs("export net.safetensors -o net.c");
    passes("net", "NET_TEST");
    runs("export net.safetensors -o slope.c --gradient --batch 5 --parameters --workspace --name loss");
    passes("slope", "LOSS_TEST");
}
END_TEST

START_TEST(what_is_wrong_is_told)
{
    fails("export nothing.safetensors -o net.c", 1, "nothing.safetensors");
    fails("export net.safetensors", 2, "--output is missing");
    fails("export net.safetensors -o net.c --batch 0", 2, "--batch");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("export");
    TCase *c = tcase_create("command");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, a_trained_network_is_written_as_c_that_passes_its_test);
    tcase_add_test(c, what_is_wrong_is_told);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed;
}
