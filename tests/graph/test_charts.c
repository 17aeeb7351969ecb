/* Charts: that they are XML whatever is in them, that they stay small, and that lines are where the numbers are. */
#include "xml.h"

#include <float.h>
#include <locale.h>

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
    return wg_sum(points, .axis = 1);
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

/* ---- Images ------------------------------------------------------------------------------------------------------ */
#define TIMES "\xc3\x97"

static const struct {
    int rank;
    int64_t dim[4], height, width;
    const char *with; /* NULL: refused */
} sheets[] = {
    {2, {784, 12}, 0, 0, ">12 images of 28" TIMES "28<"},
    {2, {12, 784}, 0, 0, ">12 images of 28" TIMES "28<"},
    {2, {256, 12}, 0, 0, ">256" TIMES "12<"},
    {2, {256, 12}, 16, 16, ">12 images of 16" TIMES "16<"},
    {2, {6, 10}, 3, 2, ">10 images of 3" TIMES "2<"},
    {4, {8, 3, 5, 7}, 0, 0, ">24 images of 5" TIMES "7<"},
    {3, {4, 12, 2}, 4, 6, ">4 images of 4" TIMES "6<"},
    {1, {40}, 0, 0, ">1" TIMES "40<"},
    {1, {40}, 5, 8, ">5" TIMES "8<"},
    {0, {0}, 0, 0, ">1" TIMES "1<"},
    {2, {3000, 2}, 0, 0, ">of 6" TIMES "6 elements the furthest from 0<"},
    {3, {1500, 28, 28}, 0, 0, ">the first 311<"},
    {2, {6, 10}, 7, 7, NULL},
    {2, {6, 10}, -1, 7, NULL},
    {2, {6, 10}, 0, 7, NULL},
    {2, {0, 10}, 0, 0, NULL},
};

START_TEST(tensor_is_shown_as_the_images_it_is)
{
    wg_type type = {.dtype = _i % 2 ? WG_FLOAT64 : WG_FLOAT32, .rank = sheets[_i].rank};
    memcpy(type.dim, sheets[_i].dim, sizeof sheets[_i].dim);
    wg_tensor w = wg_param(tape, HOSTILE, wg_type_shape(&type), .init = WG_ONES, .dtype = type.dtype);
    wg_status status = wg_plot_images(w, in_folder("w.svg"), .height = sheets[_i].height, .width = sheets[_i].width);
    ck_assert_msg(!status == !!sheets[_i].with, "%s", wg_error(tape));
    if (status)
        ck_assert_int_eq(files_in_folder(), 0);
    else
        is_chart(in_folder("w.svg"), sheets[_i].with);
}
END_TEST

START_TEST(images_alone_are_a_png)
{
    const double v[] = {1, (double)NAN, -(double)INFINITY, 0, -2, 2};
    wg_tensor w = wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 3), v);
    size_t size;
    ck_assert_int_eq(wg_plot_images(wg_matrix_transpose(w), in_folder("w.png")), WG_OK);
    char *png = content_of(in_folder("w.png"), &size);
    /* Three rows of two elements and a gap around them, all 24 pixels wide. */
    ck_assert_mem_eq(png, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x60\0\0\0\x78\x08\x03\0\0\0", 29);
    ck_assert_uint_lt(size, 1000);
    free(png);
    ck_assert_int_eq(wg_plot_images(w, in_folder("w.svg"), .title = HOSTILE), WG_OK);
    is_chart(in_folder("w.svg"), ">2 not finite<");
}
END_TEST

/* ---- Histograms -------------------------------------------------------------------------------------------------- */
START_TEST(histogram_of_odd_numbers_tells_what_it_leaves_out)
{
    const double v[] = {1, (double)NAN, -(double)INFINITY, 0, -2, 2, 0, 1};
    static const char *const with[] = {">1 NaN, 1 infinite<", ">2 zero (25 %)<", ">least -2 \xc2\xb7 greatest 2<"};
    wg_tensor t = wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(8), v), HOSTILE);
    ck_assert_int_eq(wg_plot_histogram(t, in_folder("h.svg")), WG_OK);
    for (int i = 0; i < COUNT(with); i++)
        is_chart(in_folder("h.svg"), with[i]);
    ck_assert_int_eq(wg_plot_histogram(wg_full(tape, WG_FLOAT32, WG_SHAPE(3), (double)NAN), in_folder("h.svg")), WG_OK);
    is_chart(in_folder("h.svg"), ">3 elements, none of them finite<");
}
END_TEST

/* Where numbers are all one, as far apart as they can be, or as close. */
START_TEST(histogram_has_bars_at_any_scale)
{
    static const double ends[][2] = {{0, 0}, {3, 3}, {-DBL_MAX, DBL_MAX}, {1, 1 + 1e-15}, {0, 5e-324}, {-1e-300, 0}};
    size_t size;
    wg_tensor t = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), ends[_i]);
    ck_assert_int_eq(wg_plot_histogram(t, in_folder("h.svg")), WG_OK);
    is_chart(in_folder("h.svg"), NULL);
    char *text = content_of(in_folder("h.svg"), &size);
    ck_assert_ptr_nonnull(strstr(text, "fill-opacity=\"0.75\" d=\"M"));
    free(text);
}
END_TEST

START_TEST(histogram_of_whole_numbers_has_a_bar_for_each)
{
    static const int64_t y[] = {3, 3, 0, 9, 5};
    size_t size;
    ck_assert_int_eq(wg_plot_histogram(wg_array(tape, WG_INT64, WG_SHAPE(5), y), in_folder("h.svg")), WG_OK);
    char *text = content_of(in_folder("h.svg"), &size);
    int bars = 0;
    for (const char *at = strstr(text, "fill-opacity"); (at = strchr(at, 'z')); at++)
        bars += at[1] == 'M' || at[1] == '"';
    ck_assert_int_eq(bars, 4);
    free(text);
}
END_TEST

START_TEST(histogram_of_mostly_zeros_shows_the_others)
{
    wg_tensor x = wg_param(tape, "x", WG_SHAPE(100, 100), .init = WG_HE_NORMAL);
    ck_assert_int_eq(wg_plot_histogram(x, in_folder("h.svg")), WG_OK);
    ck_assert_uint_lt(is_chart(in_folder("h.svg"), ">elements<"), 40 * 1024);
    ck_assert_int_eq(wg_plot_histogram(wg_relu(wg_subtract(x, 0.1)), in_folder("h.svg")), WG_OK);
    is_chart(in_folder("h.svg"), ">elements (log)<");
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
    wg_plot_images(all.x, in_folder("w.svg"));
    wg_plot_images(all.x, in_folder("w.png"));
    wg_plot_histogram(all.x, in_folder("h.svg"));
}

START_TEST(no_memory_is_an_error)
{
    folder_make();
    fail_each_allocation(draw_all);
    folder_remove();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("charts");
    TCase *charts = tcase_create("charts"), *memory = tcase_create("memory");
    tcase_add_checked_fixture(charts, set_up, tear_down);
    tcase_add_loop_test(charts, curve_is_drawn_of_whatever_there_is, 0, COUNT(curves));
    tcase_add_test(charts, axis_has_marks_however_narrow_the_range);
    tcase_add_loop_test(charts, boundary_is_where_the_classes_meet, 0, 2);
    tcase_add_test(charts, boundary_of_ten_thousand_points_is_small);
    tcase_add_test(charts, boundary_of_odd_points_and_scores_is_drawn);
    tcase_add_loop_test(charts, confusion_tells_recall_and_precision, 0, 2);
    tcase_add_test(charts, confusion_of_many_classes_has_no_numbers);
    tcase_add_loop_test(charts, tensor_is_shown_as_the_images_it_is, 0, COUNT(sheets));
    tcase_add_test(charts, images_alone_are_a_png);
    tcase_add_test(charts, histogram_of_odd_numbers_tells_what_it_leaves_out);
    tcase_add_loop_test(charts, histogram_has_bars_at_any_scale, 0, 6);
    tcase_add_test(charts, histogram_of_whole_numbers_has_a_bar_for_each);
    tcase_add_test(charts, histogram_of_mostly_zeros_shows_the_others);
    tcase_add_test(charts, numbers_have_a_point_in_every_locale);
    tcase_add_test(charts, bad_charts_are_refused_and_leave_the_old_file);
    tcase_add_test(memory, no_memory_is_an_error);
    suite_add_tcase(s, charts);
    suite_add_tcase(s, memory);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
