/* Progress: what a file gets, and what a terminal gets. */
#include "xml.h"

#include <pty.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

/* ---- A clock of the test's own ----------------------------------------------------------------------------------- */
static double seconds_on; /* that it goes on at each look; 0: the system's clock */
static double clock_now;

int clock_gettime(clockid_t id, struct timespec *t)
{
    if (seconds_on <= 0)
        return (int)syscall(SYS_clock_gettime, id, t);
    clock_now += seconds_on;
    *t = (struct timespec){.tv_sec = (time_t)clock_now, .tv_nsec = (long)(1e9 * (clock_now - floor(clock_now)))};
    return 0;
}

static wg_tape *tape;

static void set_up(void)
{
    tape = wg_tape_new();
    folder_make();
}

static void tear_down(void)
{
    folder_remove();
    wg_tape_free(tape);
}

static void two_epochs(FILE *to, wg_progress_kind kind)
{
    wg_progress *p = wg_progress_begin(tape, 2, 100, .file = to, .kind = kind);
    for (int epoch = 0; epoch < 2; epoch++) {
        for (int i = 0; i < 10; i++) {
            wg_progress_step(p, 10, 1.0 / (1 + epoch * 10 + i));
            usleep(kind == WG_PROGRESS_AUTO || kind == WG_PROGRESS_LIVE ? 30000 : 0);
        }
        wg_progress_epoch(p, .accuracy = 0.5, .valid_loss = epoch ? (double)NAN : 0.25, .grad_norm = 0.125);
    }
    wg_progress_end(p);
    fflush(to);
}

static const struct {
    wg_progress_kind kind;
    const char *line[2]; /* how the lines of the epochs begin */
} plain[] = {
    {WG_PROGRESS_AUTO,
     {"epoch 1/2  loss 0.2929  accuracy 50.00 %  valid 0.2500  grad 0.125  ", "epoch 2/2  loss 0.0669  "}},
    {WG_PROGRESS_PLAIN,
     {"epoch 1/2  loss 0.2929  accuracy 50.00 %  valid 0.2500  grad 0.125  ", "epoch 2/2  loss 0.0669  "}},
    {WG_PROGRESS_JSON,
     {"{\"epoch\": 1, \"epochs\": 2, \"loss\": 0.292896825, \"accuracy\": 0.5, \"valid_loss\": 0.25, "
      "\"valid_accuracy\": null, ",
      "{\"epoch\": 2, \"epochs\": 2, \"loss\": 0.0668771403, \"accuracy\": 0.5, \"valid_loss\": null, "}},
    {WG_PROGRESS_NONE, {NULL, NULL}},
};

START_TEST(file_gets_a_line_an_epoch)
{
    FILE *to = fopen(in_folder("p"), "w");
    two_epochs(to, plain[_i].kind);
    fclose(to);
    size_t size;
    char *text = content_of(in_folder("p"), &size), *at = text;
    ck_assert_ptr_null(strchr(text, '\r'));
    ck_assert_ptr_null(strchr(text, '\033'));
    for (int i = 0; i < 2 && plain[_i].line[i]; i++) {
        ck_assert_msg(!strncmp(at, plain[_i].line[i], strlen(plain[_i].line[i])), "%s", at);
        at = strchr(at, '\n') + 1;
    }
    ck_assert_str_eq(at, "");
    free(text);
}
END_TEST

static const struct {
    const char *lang, *no_color;
    unsigned short columns;
    const char *with, *without;
} terminals[] = {
    {"C.UTF-8", NULL, 120, "\xe2\x94\x81", "#"},
    {"C.UTF-8", "1", 120, "\xe2\x94\x81", "\033[34m"},
    {"C", NULL, 120, "#", "\xe2"},
    {"C.UTF-8", NULL, 40, "ETA 0:0", "\xe2\x94\x81"},
    {"C.UTF-8", NULL, 10, "epoch 1/2", "ETA"},
};

/* The columns a line takes on the terminal: escapes take none, a UTF-8 character one. */
static int width_of(const char *from, const char *to)
{
    int n = 0;
    for (; from < to; from++) {
        if (*from == '\033') {
            while (from < to && *from != 'm' && *from != 'K')
                from++;
            continue;
        }
        n += ((unsigned char)*from & 0xc0) != 0x80;
    }
    return n;
}

START_TEST(terminal_gets_one_line_that_fits)
{
    int master, slave;
    struct winsize size = {.ws_row = 24, .ws_col = terminals[_i].columns};
    ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, &size), 0);
    setenv("LC_ALL", terminals[_i].lang, 1);
    setenv("TERM", "xterm", 1);
    unsetenv("CI");
    unsetenv("NO_COLOR");
    if (terminals[_i].no_color)
        setenv("NO_COLOR", terminals[_i].no_color, 1);
    FILE *to = fdopen(slave, "w");
    two_epochs(to, WG_PROGRESS_AUTO);
    static char text[65536];
    ssize_t n = read(master, text, sizeof text - 1);
    ck_assert_int_gt(n, 0);
    text[n] = 0;
    fclose(to);
    close(master);
    ck_assert_msg(strstr(text, terminals[_i].with) != NULL, "no %s in %s", terminals[_i].with, text);
    ck_assert_msg(strstr(text, terminals[_i].without) == NULL, "%s in %s", terminals[_i].without, text);
    int live = 0;
    for (const char *at = text, *end; *at; at = end + 1) { /* a live line ends where the cursor returns */
        end = at + strcspn(at, "\r\n");
        bool goes = end > at + 3 && !strncmp(end - 3, "\033[K", 3);
        live += goes;
        ck_assert_msg(!goes || width_of(at, end) < terminals[_i].columns, "too wide: %.*s", (int)(end - at), at);
        if (!*end)
            break;
    }
    ck_assert_int_le(live, 8); /* 0.6 s, ten a second at most */
}
END_TEST

/* A step a second: a line every half minute, with the time that is left. */
START_TEST(file_hears_of_a_long_epoch_now_and_then)
{
    FILE *to = fopen(in_folder("p"), "w");
    seconds_on = 1;
    wg_progress *p = wg_progress_begin(tape, 2, 1000, .file = to);
    for (int i = 0; i < 100; i++)
        wg_progress_step(p, 10, 0.5);
    wg_progress_epoch(p);
    seconds_on = 0;
    fclose(to);
    size_t size;
    char *text = content_of(in_folder("p"), &size);
    ck_assert_str_eq(text, "epoch 1/2  30 %  loss 0.5000  10/s  ETA 2:50\n"
                           "epoch 1/2  60 %  loss 0.5000  10/s  ETA 2:20\n"
                           "epoch 1/2  90 %  loss 0.5000  10/s  ETA 1:50\n"
                           "epoch 1/2  loss 0.5000  101.0 s\n");
    free(text);
}
END_TEST

/* What it took to begin is no measure for what is left. */
START_TEST(time_left_is_of_the_last_quarter)
{
    FILE *to = fopen(in_folder("p"), "w");
    seconds_on = 20;
    wg_progress *p = wg_progress_begin(tape, 1, 1000, .file = to);
    for (int i = 0; i < 4; i++)
        wg_progress_step(p, 1, 0.5);
    seconds_on = 1;
    for (int i = 0; i < 100; i++)
        wg_progress_step(p, 5, 0.5);
    seconds_on = 0;
    fclose(to);
    size_t size;
    char *text = content_of(in_folder("p"), &size), *last = strrchr(text, 'E');
    ck_assert_msg(!strncmp(last, "ETA 1:4", 7) || !strncmp(last, "ETA 1:5", 7), "%s", text);
    free(text);
}
END_TEST

static void begin_and_end(wg_tape *on) { wg_progress_end(wg_progress_begin(on, 1, 1)); }

START_TEST(no_memory_is_an_error) { fail_each_allocation(begin_and_end); }
END_TEST

int main(void)
{
    Suite *s = suite_create("progress");
    TCase *progress = tcase_create("progress");
    tcase_add_checked_fixture(progress, set_up, tear_down);
    tcase_add_loop_test(progress, file_gets_a_line_an_epoch, 0, COUNT(plain));
    tcase_add_loop_test(progress, terminal_gets_one_line_that_fits, 0, COUNT(terminals));
    tcase_add_test(progress, file_hears_of_a_long_epoch_now_and_then);
    tcase_add_test(progress, time_left_is_of_the_last_quarter);
    tcase_add_test(progress, no_memory_is_an_error);
    suite_add_tcase(s, progress);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
