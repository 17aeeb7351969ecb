/* Charts: that they are XML whatever is in them, that they stay small, and that lines are where the numbers are.
 * Progress: what a file gets, and what a terminal gets. */
#include "files.h"

#include <locale.h>
#include <pty.h>
#include <sys/ioctl.h>

#define HOSTILE "\\N\\G<b>\"&|{}\n\xff]]>"

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

static void no_error(void) { ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape)); }

/* The whole file; to be freed. */
static char *content_of(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *text = calloc(*size + 1, 1);
    ck_assert_uint_eq(fread(text, 1, *size, file), *size);
    fclose(file);
    return text;
}

/* ---- XML --------------------------------------------------------------------------------------------------------- */
static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

/* Behind the text up to `end`, in which there is no < and every & is one of the known entities. */
static const char *text_read(const char *at, char end)
{
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;"};
    for (; *at && *at != end; at++) {
        int known = *at != '&';
        for (int i = 0; i < COUNT(entities); i++)
            known |= !strncmp(at, entities[i], strlen(entities[i]));
        ck_assert_msg(known && *at != '<' && (*at == '\n' || (unsigned char)*at >= 0x20), "not XML: %.40s", at);
    }
    return at;
}

/* Tags nest and close, attributes are quoted; there is a title. Not all of XML, but all that is written. */
static void is_xml(const char *text)
{
    char open[64][16] = {{0}};
    int depth = 0;
    ck_assert_msg(!strncmp(text, "<svg ", 5), "no svg: %.40s", text);
    ck_assert_ptr_nonnull(strstr(text, "<title>"));
    for (const char *at = text; *at;) {
        if (*at != '<') {
            at = text_read(at, '<');
            continue;
        }
        bool closes = at[1] == '/';
        const char *name = at + 1 + closes, *end = name;
        while (is_name(*end))
            end++;
        ck_assert_int_gt(end - name, 0);
        ck_assert_int_lt(end - name, 15);
        for (at = end; *at == ' ';) {
            const char *attribute = ++at;
            while (is_name(*at))
                at++;
            ck_assert_msg(at > attribute && at[0] == '=' && at[1] == '"', "not an attribute: %.40s", attribute);
            at = text_read(at + 2, '"') + 1;
        }
        if (closes) {
            ck_assert_int_gt(depth, 0);
            depth--;
            ck_assert_msg(strlen(open[depth]) == (size_t)(end - name) &&
                              !strncmp(open[depth], name, (size_t)(end - name)),
                          "%s is closed by %.20s", open[depth], name);
        } else if (*at != '/') {
            ck_assert_int_lt(depth, 64);
            snprintf(open[depth++], 16, "%.*s", (int)(end - name), name);
        }
        at += *at == '/';
        ck_assert_msg(*at == '>', "not closed: %.40s", name);
        at++;
    }
    ck_assert_int_eq(depth, 0);
    ck_assert_ptr_null(strstr(text, "nan"));
    ck_assert_ptr_null(strstr(text, "inf"));
}

static size_t is_chart(const char *path, const char *with)
{
    size_t size;
    char *text = content_of(path, &size);
    is_xml(text);
    ck_assert_msg(!with || strstr(text, with), "no %s in %.3000s", with, text);
    free(text);
    return size;
}

/* ---- Learning curves --------------------------------------------------------------------------------------------- */
enum { EPOCHS = 10000 };
static double down[EPOCHS], up[EPOCHS], odd[EPOCHS], level[EPOCHS];

static void fill_in(void)
{
    for (int i = 0; i < EPOCHS; i++) {
        down[i] = 2 / (1.0 + i) + 0.001 * (i % 7);
        up[i] = 1 - 0.5 / (1 + i);
        odd[i] = i % 3 == 0 ? (double)NAN : i % 3 == 1 ? (double)INFINITY : i % 2 ? 0 : -1;
        level[i] = 0.25;
    }
}

static const struct {
    int64_t n;
    const double *train_loss, *valid_loss, *train_accuracy, *valid_accuracy;
    const char *with;
} curves[] = {
    {EPOCHS, down, down, up, up, "best validation loss 0.0002 at epoch 9997"},
    {1, down, down, up, up, "<circle"},
    {2, down, NULL, up, NULL, "best training loss"},
    {40, down, odd, NULL, odd, ">train 0.054<"},
    {40, odd, odd, odd, odd, NULL},
    {40, level, level, level, level, ">valid 0.250<"},
    {40, NULL, NULL, up, NULL, ">train 0.988<"},
    {3, NULL, NULL, NULL, NULL, NULL},
};

START_TEST(curve_is_drawn_of_whatever_there_is)
{
    fill_in();
    wg_curve curve = {curves[_i].n,
                      curves[_i].train_loss,
                      curves[_i].valid_loss,
                      curves[_i].train_accuracy,
                      curves[_i].valid_accuracy,
                      HOSTILE};
    ck_assert_int_eq(wg_plot_curve(tape, &curve, in_folder("c.svg")), WG_OK);
    no_error();
    ck_assert_uint_lt(is_chart(in_folder("c.svg"), curves[_i].with), 40 * 1024);
    is_chart(in_folder("c.svg"), "\\N\\G&lt;b&gt;&quot;&amp;|{}\xef\xbf\xbd\xef\xbf\xbd]]&gt;");
}
END_TEST

START_TEST(axis_has_marks_however_narrow_the_range)
{
    static const double scale[] = {1e-12, 1e-3, 1, 7e5};
    for (int i = 0; i < COUNT(scale); i++)
        for (double spread = 1e-6; spread < 1e7; spread *= 10) {
            double v[] = {scale[i], scale[i] * (1 + spread)};
            wg_curve curve = {.n = 2, .train_loss = v};
            ck_assert_int_eq(wg_plot_curve(tape, &curve, in_folder("c.svg")), WG_OK);
            size_t size;
            char *text = content_of(in_folder("c.svg"), &size);
            int marks = 0;
            for (const char *at = text; (at = strstr(at, "<line ")); at++)
                marks++;
            ck_assert_msg(marks >= 3 && marks <= 14, "%d marks from %g to %g", marks - 1, v[0], v[1]);
            is_xml(text);
            free(text);
        }
}
END_TEST

/* ---- Decision boundaries ----------------------------------------------------------------------------------------- */
/* Class k scores 20 k x0 - 5 k^2: class 0 ends at x0 = 0.25, and class 1 at 0.75. */
static wg_tensor upright(wg_tensor points, void *user)
{
    int classes = *(int *)user;
    double weight[6] = {0}, bias[3] = {0};
    for (int k = 0; k < classes; k++) {
        weight[k] = 20 * k;
        bias[k] = -5 * k * k;
    }
    wg_dtype dtype = wg_type_of(points).dtype;
    wg_tensor w = wg_array(points.tape, WG_FLOAT64, WG_SHAPE(2, classes), weight);
    wg_tensor b = wg_array(points.tape, WG_FLOAT64, WG_SHAPE(classes), bias);
    return wg_linear(points, wg_cast(w, .dtype = dtype), wg_cast(b, .dtype = dtype));
}

static wg_tensor flat(wg_tensor points, void *user)
{
    (void)user;
    return wg_sum(points, .axis = WG_AXES(1));
}

static wg_tensor numberless(wg_tensor points, void *user)
{
    (void)user;
    return wg_multiply(points, (double)NAN);
}

/* n points in the unit square, those right of 0.25 of class 1. */
static void square(int64_t n, wg_dtype dtype, wg_batch *all)
{
    double *x = malloc((size_t)n * 2 * sizeof *x);
    int64_t *y = malloc((size_t)n * sizeof *y);
    for (int64_t i = 0; i < n; i++) {
        x[2 * i] = (double)(i * 7919 % n) / (double)(n - 1);
        x[2 * i + 1] = (double)i / (double)(n - 1);
        y[i] = x[2 * i] > 0.25;
    }
    all->x = wg_cast(wg_array(tape, WG_FLOAT64, WG_SHAPE(n, 2), x), .dtype = dtype);
    all->y = wg_array(tape, WG_INT64, WG_SHAPE(n), y);
    free(x);
    free(y);
}

START_TEST(boundary_is_where_the_classes_meet)
{
    wg_batch all;
    int classes = 2;
    square(100, _i ? WG_FLOAT64 : WG_FLOAT32, &all);
    size_t before = wg_tape_nodes(tape), size;
    ck_assert_int_eq(
        wg_plot_boundary(upright, &classes, all.x, all.y, in_folder("b.svg"), .title = HOSTILE, .note = "a & b"),
        WG_OK);
    no_error();
    ck_assert_uint_eq(wg_tape_nodes(tape), before);
    is_chart(in_folder("b.svg"), ">a &amp; b<");
    char *text = content_of(in_folder("b.svg"), &size), *line = strstr(text, "stroke-width=\"2.4\" d=\"M");
    ck_assert_ptr_nonnull(line);
    /* The square with margins of 0.08 is 492 pixels wide, from 44 on. */
    ck_assert_double_eq_tol(strtod(line + strlen("stroke-width=\"2.4\" d=\"M"), NULL), 44 + 492 * (0.25 + 0.08) / 1.16,
                            0.2);
    free(text);
}
END_TEST

START_TEST(boundary_of_ten_thousand_points_is_small)
{
    wg_batch all;
    int classes = 3;
    square(10000, WG_FLOAT32, &all);
    ck_assert_int_eq(wg_plot_boundary(upright, &classes, all.x, all.y, in_folder("b.svg")), WG_OK);
    no_error();
    ck_assert_uint_lt(is_chart(in_folder("b.svg"), ">1,000 of 10,000 points<"), 40 * 1024);
}
END_TEST

START_TEST(boundary_of_odd_points_and_scores_is_drawn)
{
    const double odd_x[] = {(double)NAN, 1, (double)INFINITY, 2, 0, 0};
    const int64_t odd_y[] = {0, 1, -5};
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(3, 2), odd_x), y = wg_array(tape, WG_INT64, WG_SHAPE(3), odd_y);
    wg_tensor none = wg_array(tape, WG_FLOAT32, WG_SHAPE(0, 2), NULL),
              of_none = wg_array(tape, WG_INT64, WG_SHAPE(0), NULL);
    int classes = 2;
    ck_assert_int_eq(wg_plot_boundary(upright, &classes, x, y, in_folder("b.svg")), WG_OK);
    is_chart(in_folder("b.svg"), NULL);
    ck_assert_int_eq(wg_plot_boundary(numberless, NULL, x, y, in_folder("b.svg")), WG_OK);
    is_chart(in_folder("b.svg"), NULL);
    ck_assert_int_eq(wg_plot_boundary(upright, &classes, none, of_none, in_folder("b.svg")), WG_OK);
    is_chart(in_folder("b.svg"), NULL);
}
END_TEST

/* ---- Confusion matrices ------------------------------------------------------------------------------------------ */
START_TEST(confusion_tells_recall_and_precision)
{
    static const int64_t counts[] = {1500, 500, 0, 0};
    static const char *const names[] = {HOSTILE, "a rather long name of a class"};
    wg_confusion confusion = {.n = 2, .counts = counts, .name = _i ? names : NULL};
    ck_assert_int_eq(wg_plot_confusion(tape, &confusion, in_folder("m.svg")), WG_OK);
    static const char *const with[] = {">1,500<", ">75 %<", ">100 %<", ">-<", ">0 %<", ">75.00 % of 2,000 right<"};
    for (int i = 0; i < COUNT(with); i++)
        is_chart(in_folder("m.svg"), with[i]);
}
END_TEST

START_TEST(confusion_of_many_classes_has_no_numbers)
{
    int64_t *counts = calloc(256 * 256, sizeof *counts);
    for (int i = 0; i < 256 * 256; i++)
        counts[i] = i % 257 == 0 ? 100 : i % 1000 == 0;
    wg_confusion confusion = {.n = 256, .counts = counts};
    ck_assert_int_eq(wg_plot_confusion(tape, &confusion, in_folder("m.svg")), WG_OK);
    is_chart(in_folder("m.svg"), "predicted class");
    confusion.n = 257;
    ck_assert_int_eq(wg_plot_confusion(tape, &confusion, in_folder("m.svg")), WG_ERROR_VALUE);
    free(counts);
}
END_TEST

/* ---- Locales ----------------------------------------------------------------------------------------------------- */
START_TEST(numbers_have_a_point_in_every_locale)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "nl_NL.UTF-8"};
    int i = 0;
    while (i < COUNT(names) && !setlocale(LC_NUMERIC, names[i]))
        i++;
    fill_in();
    wg_curve curve = {.n = 40, .train_loss = down, .train_accuracy = up};
    ck_assert_int_eq(wg_plot_curve(tape, &curve, in_folder("c.svg")), WG_OK);
    ck_assert_int_eq(localeconv()->decimal_point[0], i < COUNT(names) ? ',' : '.');
    is_chart(in_folder("c.svg"), ">train 0.054<");
    is_chart(in_folder("c.svg"), "<line x1=\"52.0\"");
}
END_TEST

/* ---- Errors ------------------------------------------------------------------------------------------------------ */
START_TEST(bad_charts_are_refused_and_leave_the_old_file)
{
    wg_batch all;
    int classes = 2;
    square(10, WG_FLOAT32, &all);
    const char *path = file_of("old.svg", "old", 3), *nowhere = in_folder("no/where.svg");
    const double one[] = {1};
    const int64_t negative[] = {-1};
    wg_curve curve = {.n = 1, .train_loss = one}, empty = {.n = 0};
    wg_confusion wrong = {.n = 1, .counts = negative}, countless = {.n = 1};
#define REFUSED(call, expected)                                                                                        \
    do {                                                                                                               \
        ck_assert_int_eq(call, expected);                                                                              \
        ck_assert_msg(strstr(wg_error(tape), "test_charts.c:"), "no place: %s", wg_error(tape));                       \
        wg_clear_error(tape);                                                                                          \
    } while (0)
    REFUSED(wg_plot_curve(tape, NULL, path), WG_ERROR_VALUE);
    REFUSED(wg_plot_curve(tape, &empty, path), WG_ERROR_VALUE);
    REFUSED(wg_plot_curve(tape, &curve, nowhere), WG_ERROR_FILE);
    REFUSED(wg_plot_curve(tape, &curve, NULL), WG_ERROR_VALUE);
    REFUSED(wg_plot_confusion(tape, NULL, path), WG_ERROR_VALUE);
    REFUSED(wg_plot_confusion(tape, &wrong, path), WG_ERROR_VALUE);
    REFUSED(wg_plot_confusion(tape, &countless, path), WG_ERROR_VALUE);
    REFUSED(wg_plot_boundary(NULL, NULL, all.x, all.y, path), WG_ERROR_VALUE);
    REFUSED(wg_plot_boundary(flat, NULL, all.x, all.y, path), WG_ERROR_SHAPE);
    REFUSED(wg_plot_boundary(upright, &classes, all.y, all.x, path), WG_ERROR_SHAPE);
    REFUSED(wg_plot_boundary(upright, &classes, all.x, all.y, nowhere), WG_ERROR_FILE);
    ck_assert_int_eq(wg_plot_curve(NULL, &curve, path), WG_ERROR_VALUE);
    size_t size;
    char *text = content_of(path, &size);
    ck_assert_str_eq(text, "old");
    free(text);
    ck_assert_int_eq(files_in_folder(), 1);
    ck_assert_int_eq(wg_plot_curve(tape, &curve, path), WG_OK);
}
END_TEST

static void draw_all(wg_tape *on)
{
    static const double v[] = {3, 2, 1};
    static const int64_t counts[] = {3, 1, 0, 4};
    int classes = 2;
    wg_batch all;
    tape = on;
    wg_curve curve = {.n = 3, .train_loss = v, .title = "x"};
    wg_confusion confusion = {.n = 2, .counts = counts};
    wg_plot_curve(on, &curve, in_folder("c.svg"));
    wg_plot_confusion(on, &confusion, in_folder("m.svg"));
    square(10, WG_FLOAT32, &all);
    wg_plot_boundary(upright, &classes, all.x, all.y, in_folder("b.svg"));
    wg_progress_end(wg_progress_begin(on, 1, 1));
}

START_TEST(no_memory_is_an_error)
{
    folder_make();
    fail_each_allocation(draw_all);
    folder_remove();
}
END_TEST

/* ---- Progress ---------------------------------------------------------------------------------------------------- */
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

int main(void)
{
    Suite *s = suite_create("charts");
    TCase *charts = tcase_create("charts"), *memory = tcase_create("memory"), *progress = tcase_create("progress");
    tcase_add_checked_fixture(charts, set_up, tear_down);
    tcase_add_loop_test(charts, curve_is_drawn_of_whatever_there_is, 0, COUNT(curves));
    tcase_add_test(charts, axis_has_marks_however_narrow_the_range);
    tcase_add_loop_test(charts, boundary_is_where_the_classes_meet, 0, 2);
    tcase_add_test(charts, boundary_of_ten_thousand_points_is_small);
    tcase_add_test(charts, boundary_of_odd_points_and_scores_is_drawn);
    tcase_add_loop_test(charts, confusion_tells_recall_and_precision, 0, 2);
    tcase_add_test(charts, confusion_of_many_classes_has_no_numbers);
    tcase_add_test(charts, numbers_have_a_point_in_every_locale);
    tcase_add_test(charts, bad_charts_are_refused_and_leave_the_old_file);
    tcase_add_test(memory, no_memory_is_an_error);
    tcase_add_checked_fixture(progress, set_up, tear_down);
    tcase_add_loop_test(progress, file_gets_a_line_an_epoch, 0, COUNT(plain));
    tcase_add_loop_test(progress, terminal_gets_one_line_that_fits, 0, COUNT(terminals));
    suite_add_tcase(s, charts);
    suite_add_tcase(s, memory);
    suite_add_tcase(s, progress);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
