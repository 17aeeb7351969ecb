/* What `wengert train` shows on a terminal and on a pipe: one live line that fits, an epoch's line for good, results
 * apart from both. */
#include "command.h"

#include <ctype.h>
#include <pty.h>
#include <sys/ioctl.h>

enum { ARGUMENTS_SHOWN = 20 };

static const struct {
    unsigned short columns;
    const char *environment[4]; /* NAME, value, ... */
    const char *arguments;
    bool live, color, utf8;
} terminals[] = {
    {80, {"LC_ALL", "C.UTF-8"}, "", true, true, true},
    {40, {"LC_ALL", "C.UTF-8"}, "", true, true, true},
    {200, {"LC_ALL", "C.UTF-8"}, "", true, true, true},
    {80, {"LC_ALL", "C"}, "", true, true, false},
    {80, {"LC_ALL", "C.UTF-8", "NO_COLOR", "1"}, "", true, false, true},
    {80, {"LC_ALL", "C.UTF-8"}, " --color never", true, false, true},
    {80, {"LC_ALL", "C.UTF-8", "NO_COLOR", "1"}, " --color always", true, true, true},
    {80, {"LC_ALL", "C.UTF-8", "TERM", "dumb"}, "", false, false, false},
    {80, {"LC_ALL", "C.UTF-8", "CI", "true"}, "", false, false, false},
    {80, {"LC_ALL", "C.UTF-8", "CI", "true"}, " --progress live", true, false, true},
    {80, {"LC_ALL", "C.UTF-8"}, " --progress plain", false, false, false},
    {80, {"LC_ALL", "C.UTF-8"}, " --progress none", false, false, false},
};

/* Runs it with the terminal as standard error; what comes is put into text. Its output goes to the file "out". */
static int shown(const char *line, unsigned short columns, const char *const *environment, char *text, size_t size)
{
    char words[400], *argument[ARGUMENTS_SHOWN], *held, bytes[4096];
    int n = 0, master, slave, status;
    struct winsize window = {.ws_row = 24, .ws_col = columns};
    size_t used = 0;
    ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, &window), 0);
    snprintf(words, sizeof words, "%s", line);
    argument[n++] = getenv("WENGERT_COMMAND");
    for (char *word = strtok_r(words, " ", &held); word && n < ARGUMENTS_SHOWN - 1; word = strtok_r(NULL, " ", &held))
        argument[n++] = word;
    argument[n] = NULL;
    pid_t pid = fork();
    if (!pid) {
        setenv("TERM", "xterm", 1);
        unsetenv("CI");
        unsetenv("NO_COLOR");
        unsetenv("COLUMNS");
        for (int i = 0; i < 4 && environment[i]; i += 2)
            setenv(environment[i], environment[i + 1], 1);
        if (chdir(folder) || !freopen("out", "w", stdout) || dup2(slave, 2) < 0)
            _exit(99);
        close(master);
        execv(argument[0], argument);
        _exit(99);
    }
    close(slave);
    for (ssize_t got; (got = read(master, bytes, sizeof bytes)) > 0;)
        for (ssize_t i = 0; i < got && used + 1 < size; i++)
            text[used++] = bytes[i];
    text[used] = 0;
    close(master);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int width_of(const char *from, const char *to)
{
    int n = 0;
    for (; from < to; from++) {
        if (*from == '\033')
            while (from < to && !isalpha((unsigned char)*from))
                from++;
        else
            n += ((unsigned char)*from & 0xc0) != 0x80;
    }
    return n;
}

/* Long enough for a few live lines. */
static void points_made(void)
{
    FILE *file = fopen(in_folder("d.csv"), "w");
    for (int i = 0; i < 4000; i++)
        fprintf(file, "%d,%d,%d\n", i % 7, i % 11, i % 3);
    fclose(file);
}

START_TEST(terminal_is_told_what_it_can_show)
{
    static char text[1 << 20];
    char line[200];
    points_made();
    snprintf(line, sizeof line, "train --data d.csv --layers 2,384,384,3 --epochs 4 --clip 1%s",
             terminals[_i].arguments);
    ck_assert_int_eq(shown(line, terminals[_i].columns, terminals[_i].environment, text, sizeof text), 0);
    bool live = strstr(text, "\033[K") != NULL, color = strstr(text, "\033[34m") != NULL, utf8 = false;
    for (const char *at = text, *end; *at; at = end + (*end != 0)) {
        end = at + strcspn(at, "\r\n");
        ck_assert_msg(!live || width_of(at, end) <= terminals[_i].columns, "too wide: %.*s", (int)(end - at), at);
    }
    for (const char *at = text; *at; at++)
        utf8 |= (unsigned char)*at >= 0x80;
    ck_assert_msg(live == terminals[_i].live, "%s", text);
    ck_assert_msg(color == (terminals[_i].color && terminals[_i].columns >= 80), "%s", text);
    ck_assert_msg(utf8 == (terminals[_i].utf8 && terminals[_i].columns >= 80), "%s", text);
    ck_assert_msg(strstr(terminals[_i].arguments, "none") ? !*text : strstr(text, "epoch 4/4  loss ") != NULL, "%s",
                  text);
    out = file_text("out");
    ck_assert_msg(!strncmp(out, "train  loss ", 12) && !strchr(out, '\033') && !strchr(out, '\r'), "%s", out);
}
END_TEST

START_TEST(pipe_gets_plain_lines)
{
    points_made();
    setenv("LC_ALL", "C.UTF-8", 1);
    runs("train --data d.csv --epochs 3");
    ck_assert_ptr_null(strchr(err, '\r'));
    ck_assert_ptr_null(strchr(err, '\033'));
    int lines = 0;
    for (const char *at = err; (at = strchr(at, '\n')); at++)
        lines++;
    ck_assert_int_eq(lines, 3);
    ck_assert_int_eq(strncmp(err, "epoch 1/3  loss ", 16), 0);
}
END_TEST

START_TEST(table_without_utf8_is_ascii)
{
    static const char *const locales[] = {"C", "C.UTF-8"};
    setenv("LC_ALL", locales[_i], 1);
    runs("graph mlp");
    ck_assert_msg(strstr(out, _i ? "64\xc3\x97"
                                   "784"
                                 : "64x784"),
                  "%s", out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("terminal");
    TCase *terminal = tcase_create("terminal");
    tcase_add_checked_fixture(terminal, folder_make, tear_down);
    tcase_add_loop_test(terminal, terminal_is_told_what_it_can_show, 0, COUNT(terminals));
    tcase_add_test(terminal, pipe_gets_plain_lines);
    tcase_add_loop_test(terminal, table_without_utf8_is_ascii, 0, 2);
    suite_add_tcase(s, terminal);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
