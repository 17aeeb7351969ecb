/* Options: what is missing, out of range or given twice is refused; axes come out counted from the front and sorted;
 * members are set by name and shown as text. */
#include <check.h>
#include <stdlib.h>

#include "core/tape.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef struct {
    wg_axes axis;
    bool keepdims;
    int one;
    int64_t count;
    double rate;
    const char *reduction, *equation;
    wg_shape shape;
    wg_ints ints;
    wg_list list;
    wg_ints pairs_of_axes[2];
    int64_t stride[2], padding[2];
    int64_t width[8][2];
    wg_dtype dtype;
    wg_axes raw_axes, new_axes;
} wg_probe_options;
#define wg_probe_defaults                                                                                              \
    .one = WG_NO_AXIS, .rate = 0.5, .reduction = "mean", .stride = {1}, .dtype = WG_FLOAT64, .new_axes = {{0}, 1}

static const wg_op probe = {
    .name = "probe",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_probe, WG_ATTR(wg_probe, axis), WG_ATTR(wg_probe, keepdims), WG_ATTR(wg_probe, one),
                         WG_ATTR(wg_probe, count), WG_ATTR(wg_probe, rate),
                         WG_ATTR(wg_probe, reduction, .choices = {"mean", "sum", "2"}), WG_ATTR(wg_probe, equation),
                         WG_ATTR(wg_probe, shape), WG_ATTR(wg_probe, ints), WG_ATTR(wg_probe, list),
                         WG_ATTR(wg_probe, pairs_of_axes), WG_ATTR(wg_probe, stride),
                         WG_ATTR(wg_probe, padding, .raw = true), WG_ATTR(wg_probe, width), WG_ATTR(wg_probe, dtype),
                         WG_ATTR(wg_probe, raw_axes, .raw = true), WG_ATTR(wg_probe, new_axes, .extra_rank = -1)),
};

typedef struct {
    int axis;
    int64_t k;
    double p;
    const char *word;
    wg_shape shape;
    wg_axes axes;
    wg_ints ints;
    wg_list list;
    int64_t size[2];
    int64_t width[8][2];
    wg_dtype dtype;
} wg_strict_options;
#define wg_strict_defaults                                                                                             \
    .axis = WG_NO_AXIS, .k = WG_NO_INTEGER, .p = WG_NO_REAL, .shape = WG_NO_SHAPE, .axes = WG_NO_AXES,                 \
    .ints = WG_NO_INTS, .list = {NULL, -1}, .width = {{WG_NO_INTEGER}}, .dtype = WG_NO_DTYPE
#define STRICT                                                                                                         \
    .axis = 0, .k = 1, .p = 2, .word = "w", .shape = {{0}, 0}, .axes = {{1}, 1}, .ints = {{0}, 0}, .list = {NULL, 0},  \
    .size = {2}, .width = {{1, 1}}, .dtype = WG_BOOL

static const wg_op strict = {
    .name = "strict",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_strict, WG_ATTR_REQUIRED(wg_strict, axis), WG_ATTR_REQUIRED(wg_strict, k),
                         WG_ATTR_REQUIRED(wg_strict, p), WG_ATTR_REQUIRED(wg_strict, word),
                         WG_ATTR_REQUIRED(wg_strict, shape), WG_ATTR_REQUIRED(wg_strict, axes),
                         WG_ATTR_REQUIRED(wg_strict, ints), WG_ATTR_REQUIRED(wg_strict, list),
                         WG_ATTR_REQUIRED(wg_strict, size), WG_ATTR_REQUIRED(wg_strict, width),
                         WG_ATTR_REQUIRED(wg_strict, dtype)),
};

static wg_tape *tape;
static wg_tensor x;
static wg_type type;
static wg_call c;

static void operand(wg_shape shape)
{
    x = wg_array(tape, WG_FLOAT64, shape, NULL);
    type = wg_type_of(x);
    c = (wg_call){.tape = tape, .op = &probe, .n_in = 1, .in = &x, .x = &type};
}

static void set_up(void)
{
    tape = wg_tape_new();
    operand(WG_SHAPE(2, 3));
}

static void tear_down(void) { wg_tape_free(tape); }

static void says(const char *message)
{
    ck_assert_msg(strstr(wg_error(tape), message), "\"%s\" is not in: %s", message, wg_error(tape));
}

/* ---- Resolving --------------------------------------------------------------------------------------------------- */
static const struct {
    int rank;
    wg_axes given, resolved;
} axes[] = {
    {2, {0}, {{0, 1}, 2}},
    {2, WG_NO_AXES, {{0, 1}, 2}},
    {2, {{-1}, 1}, {{1}, 1}},
    {3, {{-1, 0}, 2}, {{0, 2}, 2}},
    {3, {{2, 0, 1}, 3}, {{0, 1, 2}, 3}},
    {0, {0}, {0}},
    {0, WG_NO_AXES, {0}},
};
START_TEST(axes_are_counted_from_the_front_and_sorted)
{
    operand((wg_shape){{1, 1, 1}, axes[_i].rank});
    wg_probe_options given = {wg_probe_defaults, .axis = axes[_i].given}, to;
    ck_assert_int_eq(wg_options_resolve(&c, &given, &to), WG_OK);
    ck_assert_int_eq(to.axis.n, axes[_i].resolved.n);
    for (int i = 0; i < to.axis.n; i++)
        ck_assert_int_eq(to.axis.at[i], axes[_i].resolved.at[i]);
}
END_TEST

START_TEST(what_is_absent_has_its_default)
{
    wg_probe_options to;
    ck_assert_int_eq(wg_options_resolve(&c, NULL, &to), WG_OK);
    ck_assert_int_eq(to.axis.n, 2);
    ck_assert_int_eq(to.one, WG_NO_AXIS);
    ck_assert_double_eq(to.rate, 0.5);
    ck_assert_int_eq(to.stride[1], 1);
    ck_assert_ptr_null(to.equation);
}
END_TEST

START_TEST(raw_axes_and_padding_stay_as_they_are)
{
    wg_probe_options given = {wg_probe_defaults, .raw_axes = {{7, -1}, 2}, .padding = {1, 0}, .stride = {3, 0}}, to;
    ck_assert_int_eq(wg_options_resolve(&c, &given, &to), WG_OK);
    ck_assert_int_eq(to.raw_axes.at[0], 7);
    ck_assert_int_eq(to.raw_axes.at[1], -1);
    ck_assert_int_eq(to.padding[1], 0);
    ck_assert_int_eq(to.stride[1], 3);
}
END_TEST

START_TEST(new_axes_count_in_the_rank_of_the_result)
{
    wg_probe_options given = {wg_probe_defaults, .new_axes = {{-1, 0}, 2}}, to;
    ck_assert_int_eq(wg_options_resolve(&c, &given, &to), WG_OK);
    ck_assert_int_eq(to.new_axes.at[0], 0);
    ck_assert_int_eq(to.new_axes.at[1], 3);
}
END_TEST

START_TEST(texts_and_lists_outlive_the_caller_s)
{
    char word[] = "sum", equation[] = "ij->ji";
    int64_t entries[] = {4, 5};
    wg_probe_options given = {wg_probe_defaults, .reduction = word, .equation = equation, .list = {entries, 2}}, to;
    ck_assert_int_eq(wg_options_resolve(&c, &given, &to), WG_OK);
    word[0] = equation[0] = '?';
    entries[1] = 0;
    ck_assert(wg_choice_is(to.reduction, "sum"));
    ck_assert_str_eq(to.equation, "ij->ji");
    ck_assert_int_eq(to.list.at[1], 5);
}
END_TEST

static const struct {
    wg_probe_options given;
    wg_status status;
    const char *message;
} refused[] = {
    {{wg_probe_defaults, .axis = {{2}, 1}}, WG_ERROR_SHAPE, "axis 2 is out of range for [2, 3] (x)"},
    {{wg_probe_defaults, .axis = {{-3}, 1}}, WG_ERROR_SHAPE, "axis -3 is out of range for [2, 3] (x)"},
    {{wg_probe_defaults, .axis = {{WG_NO_AXIS, 0}, 2}}, WG_ERROR_SHAPE, "out of range for [2, 3] (x)"},
    {{wg_probe_defaults, .axis = {{1, -1}, 2}}, WG_ERROR_SHAPE, "axis 1 is given twice"},
    {{wg_probe_defaults, .axis = {{0}, 9}}, WG_ERROR_SHAPE, "axis has 9 entries"},
    {{wg_probe_defaults, .axis = {{0}, INT_MIN}}, WG_ERROR_SHAPE, "axis has"},
    {{wg_probe_defaults, .raw_axes = {{0}, INT_MAX}}, WG_ERROR_SHAPE, "raw_axes has"},
    {{wg_probe_defaults, .new_axes = {{3}, 1}}, WG_ERROR_SHAPE, "axis 3 is out of range for 3 dimensions"},
    {{wg_probe_defaults, .new_axes = {{0}, 8}}, WG_ERROR_SHAPE, "more than 8"},
    {{wg_probe_defaults, .one = 2}, WG_ERROR_SHAPE, "axis 2 is out of range"},
    {{wg_probe_defaults, .shape = {{0}, 9}}, WG_ERROR_SHAPE, "shape has 9 entries"},
    {{wg_probe_defaults, .ints = {{0}, -2}}, WG_ERROR_SHAPE, "ints has -2 entries"},
    {{wg_probe_defaults, .list = {NULL, -2}}, WG_ERROR_VALUE, "list"},
    {{wg_probe_defaults, .list = {NULL, 3}}, WG_ERROR_VALUE, "list"},
    {{wg_probe_defaults, .pairs_of_axes = {{{0}, 0}, {{0}, 9}}}, WG_ERROR_SHAPE, "pairs_of_axes has 9 entries"},
    {{wg_probe_defaults, .reduction = "media"}, WG_ERROR_VALUE, "reduction is \"media\", not one of mean, sum, 2"},
    {{wg_probe_defaults, .dtype = (wg_dtype)17}, WG_ERROR_DTYPE, "dtype is 17"},
    {{wg_probe_defaults, .width = {{0, 0}, {0, 0}, {1, 0}}}, WG_ERROR_SHAPE, "one pair for each axis of [2, 3] (x)"},
};
START_TEST(what_does_not_fit_is_refused)
{
    wg_probe_options to;
    ck_assert_int_eq(wg_options_resolve(&c, &refused[_i].given, &to), refused[_i].status);
    ck_assert_int_eq(wg_error_status(tape), refused[_i].status);
    says("probe: ");
    says(refused[_i].message);
}
END_TEST

START_TEST(a_0d_operand_has_no_axis)
{
    operand(WG_SCALAR);
    wg_probe_options given = {wg_probe_defaults, .one = -1}, to;
    ck_assert_int_eq(wg_options_resolve(&c, &given, &to), WG_ERROR_SHAPE);
    says("axis -1 is out of range for [] (x)");
}
END_TEST

static const struct {
    const char *name;
    wg_strict_options given;
} missing[] = {
    {"axis", {STRICT, .axis = WG_NO_AXIS}},
    {"k", {STRICT, .k = WG_NO_INTEGER}},
    {"p", {STRICT, .p = WG_NO_REAL}},
    {"word", {STRICT, .word = NULL}},
    {"shape", {STRICT, .shape = WG_NO_SHAPE}},
    {"axes", {STRICT, .axes = WG_NO_AXES}},
    {"ints", {STRICT, .ints = WG_NO_INTS}},
    {"list", {STRICT, .list = {NULL, -1}}},
    {"size", {STRICT, .size = {0}}},
    {"width", {STRICT, .width = {{WG_NO_INTEGER}}}},
    {"dtype", {STRICT, .dtype = WG_NO_DTYPE}},
};
START_TEST(a_required_member_that_is_not_given_is_named)
{
    wg_strict_options to;
    char message[64];
    c.op = &strict;
    ck_assert_int_eq(wg_options_resolve(&c, &missing[_i].given, &to), WG_ERROR_ATTR);
    snprintf(message, sizeof message, "%s is missing", missing[_i].name);
    says(message);
}
END_TEST

START_TEST(required_members_that_are_given_suffice)
{
    wg_strict_options given = {STRICT}, to;
    c.op = &strict;
    ck_assert_int_eq(wg_options_resolve(&c, &given, &to), WG_OK);
    ck_assert_int_eq(wg_options_resolve(&c, NULL, &to), WG_ERROR_ATTR);
    says("axis is missing");
}
END_TEST

/* ---- By name, and as text ---------------------------------------------------------------------------------------- */
static const int64_t three[] = {1, 2, 3}, nine[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
#define INTEGER(value) {.kind = WG_VALUE_INTEGER, .integer = value}
#define REAL(value) {.kind = WG_VALUE_REAL, .real = value}
#define TEXT(value) {.kind = WG_VALUE_TEXT, .text = value}
#define LIST(length, array) {.kind = WG_VALUE_LIST, .list = {array, length}}

static const struct {
    const char *name;
    wg_value value;
    const char *text; /* of the options then; the message where it is refused */
    wg_status status;
} sets[] = {
    {"keepdims", {.kind = WG_VALUE_BOOL, .truth = true}, "keepdims=true", WG_OK},
    {"axis", INTEGER(-1), "axis=[-1]", WG_OK},
    {"axis", LIST(3, three), "axis=[1, 2, 3]", WG_OK},
    {"axis", LIST(0, NULL), "", WG_OK},
    {"one", INTEGER(2), "one=2", WG_OK},
    {"count", INTEGER(INT64_MAX), "count=9223372036854775807", WG_OK},
    {"rate", REAL(0.1), "rate=0.1", WG_OK},
    {"rate", INTEGER(3), "rate=3", WG_OK},
    {"rate", TEXT("nan"), "rate=nan", WG_OK},
    {"rate", TEXT("-inf"), "rate=-inf", WG_OK},
    {"rate", REAL(1.0 / 3), "rate=0.3333333333333333", WG_OK},
    {"reduction", TEXT("sum"), "reduction=sum", WG_OK},
    {"reduction", INTEGER(2), "reduction=2", WG_OK},
    {"equation", TEXT("ij"), "equation=ij", WG_OK},
    {"shape", LIST(3, three), "shape=[1, 2, 3]", WG_OK},
    {"ints", INTEGER(4), "ints=[4]", WG_OK},
    {"list", LIST(9, nine), "list=[1, 2, 3, 4, 5, 6, 7, 8, 9]", WG_OK},
    {"list", INTEGER(4), "list=[4]", WG_OK},
    {"pairs_of_axes", INTEGER(2), "pairs_of_axes=[[2], []]", WG_OK},
    {"pairs_of_axes", {.kind = WG_VALUE_LISTS, .n = 2, .lists = {{{0}, 1}, {{1}, 1}}}, "pairs_of_axes=[[0], [1]]",
     WG_OK},
    {"stride", INTEGER(2), "stride=2", WG_OK},
    {"stride", LIST(2, three), "stride=[1, 2]", WG_OK},
    {"width", {.kind = WG_VALUE_LISTS, .n = 2, .lists = {{{0, 1}, 2}, {{2, 3}, 2}}}, "width=[[0, 1], [2, 3]]", WG_OK},
    {"dtype", TEXT("float32"), "dtype=float32", WG_OK},
    {"axs", INTEGER(0), "there is no option \"axs\"", WG_ERROR_ATTR},
    {"keepdims", INTEGER(1), "keepdims takes true or false", WG_ERROR_ATTR},
    {"axis", REAL(0), "axis takes an integer", WG_ERROR_ATTR},
    {"axis", LIST(9, nine), "axis has 9 entries", WG_ERROR_SHAPE},
    {"axis", LIST(-1, nine), "axis takes", WG_ERROR_ATTR},
    {"count", REAL(2), "count takes an integer", WG_ERROR_ATTR},
    {"rate", TEXT("fast"), "rate takes a number", WG_ERROR_ATTR},
    {"reduction", TEXT("media"), "not one of mean, sum, 2", WG_ERROR_VALUE},
    {"reduction", REAL(2), "reduction takes a text", WG_ERROR_ATTR},
    {"equation", INTEGER(2), "equation takes a text", WG_ERROR_ATTR},
    {"stride", LIST(3, three), "stride takes an integer or one an axis", WG_ERROR_ATTR},
    {"width", {.kind = WG_VALUE_LISTS, .n = 1, .lists = {{{0}, 3}}}, "width takes a list of pairs", WG_ERROR_ATTR},
    {"width", {.kind = WG_VALUE_LISTS, .n = 9}, "width takes a list of pairs", WG_ERROR_ATTR},
    {"pairs_of_axes", {.kind = WG_VALUE_LISTS, .n = 2, .lists = {{{0}, 1}}}, "pairs_of_axes takes", WG_ERROR_ATTR},
    {"dtype", TEXT("float16"), "dtype takes the name of a dtype", WG_ERROR_ATTR},
};
START_TEST(a_member_is_set_by_name)
{
    wg_probe_options to = {wg_probe_defaults};
    char text[200], message[200];
    ck_assert_int_eq(wg_option_set(probe.options, &to, sets[_i].name, &sets[_i].value, message, sizeof message),
                     sets[_i].status);
    ck_assert_int_eq(wg_options_text(&probe, &to, text, sizeof text), WG_OK);
    if (sets[_i].status)
        ck_assert_msg(strstr(message, sets[_i].text) && !text[0], "%s; %s", message, text);
    else
        ck_assert_str_eq(text, sets[_i].text);
}
END_TEST

START_TEST(an_axis_too_large_for_an_int_is_out_of_range)
{
    const int64_t large[] = {INT64_C(1) << 32, INT_MIN, INT64_MIN};
    for (size_t i = 0; i < COUNT(large); i++) {
        wg_probe_options given = {wg_probe_defaults}, to;
        char message[200];
        wg_clear_error(tape);
        wg_option_set(probe.options, &given, "one", &(wg_value)INTEGER(large[i]), message, sizeof message);
        ck_assert_int_eq(wg_options_resolve(&c, &given, &to), WG_ERROR_SHAPE);
    }
}
END_TEST

START_TEST(pairs_that_are_too_few_or_too_many_are_refused)
{
    for (int n = 0; n <= 3; n++) {
        wg_probe_options given = {wg_probe_defaults}, to;
        wg_value value = {.kind = WG_VALUE_LISTS, .n = n, .lists = {{{0}, 2}, {{0}, 2}, {{0}, 2}}};
        char message[200];
        wg_clear_error(tape);
        ck_assert_int_eq(wg_option_set(probe.options, &given, "width", &value, message, sizeof message), WG_OK);
        ck_assert_int_eq(wg_options_resolve(&c, &given, &to), n == 2 ? WG_OK : WG_ERROR_SHAPE);
    }
}
END_TEST

START_TEST(text_shows_what_differs_and_is_cut_where_it_must_be)
{
    wg_probe_options some = {wg_probe_defaults, .axis = {{0, 1}, 2}, .keepdims = true};
    char text[64], little[8];
    wg_options_text(&probe, &some, text, sizeof text);
    ck_assert_str_eq(text, "axis=[0, 1] keepdims=true");
    wg_options_text(&probe, &some, little, sizeof little);
    ck_assert_str_eq(little, "axis=[0");
    ck_assert_int_eq(wg_options_text(NULL, &some, text, sizeof text), WG_ERROR_VALUE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *resolved = tcase_create("resolved"), *named = tcase_create("named");
    tcase_add_checked_fixture(resolved, set_up, tear_down);
    tcase_add_loop_test(resolved, axes_are_counted_from_the_front_and_sorted, 0, COUNT(axes));
    tcase_add_test(resolved, what_is_absent_has_its_default);
    tcase_add_test(resolved, raw_axes_and_padding_stay_as_they_are);
    tcase_add_test(resolved, new_axes_count_in_the_rank_of_the_result);
    tcase_add_test(resolved, texts_and_lists_outlive_the_caller_s);
    tcase_add_loop_test(resolved, what_does_not_fit_is_refused, 0, COUNT(refused));
    tcase_add_test(resolved, a_0d_operand_has_no_axis);
    tcase_add_loop_test(resolved, a_required_member_that_is_not_given_is_named, 0, COUNT(missing));
    tcase_add_test(resolved, required_members_that_are_given_suffice);
    suite_add_tcase(suite, resolved);
    tcase_add_checked_fixture(named, set_up, tear_down);
    tcase_add_loop_test(named, a_member_is_set_by_name, 0, COUNT(sets));
    tcase_add_test(named, an_axis_too_large_for_an_int_is_out_of_range);
    tcase_add_test(named, pairs_that_are_too_few_or_too_many_are_refused);
    tcase_add_test(named, text_shows_what_differs_and_is_cut_where_it_must_be);
    suite_add_tcase(suite, named);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
