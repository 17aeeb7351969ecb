/* Compiled functions drawn: what is done together, where it lies and how long it takes, to the byte where it can be. */
#define WG_WITHOUT_PLACES
#include "core/faults.h"
#include "drawn.h"

static wg_function *f;

/* A chain of four, in a scope; the loss; the gradient's steps. */
static wg_tensor recorded(wg_tape *on, wg_tensor *x)
{
    wg_tensor w = wg_param(on, "fc.weight", WG_SHAPE(100, 32), .init = WG_ONES), h = WG_NONE;
    *x = wg_name(wg_full(on, WG_FLOAT32, WG_SHAPE(64, 100), 0.5), "x");
    WG_SCOPE(on, "block", 0) h = wg_sigmoid(wg_add(wg_tanh(wg_multiply(wg_matmul(*x, w), 2)), 1));
    return wg_mean(wg_square(h));
}

static void compile_one(void)
{
    set_up();
    wg_tensor x, loss = recorded(tape, &x);
    f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(loss), .backward = true);
    ck_assert_ptr_nonnull(f);
}

static char *function_drawn(wg_format format, wg_function_draw_options options)
{
    memory m = {0};
    wg_status status = (wg_function_draw_to)(f, format, to_memory, &m, options);
    ck_assert_msg(!status && m.data, "%s", wg_error(tape));
    return m.data;
}

static void has(const char *text, const char *words)
{
    ck_assert_msg(strstr(text, words) != NULL, "no '%s' in:\n%s", words, text);
}

static const char *const goldens[] = {"function_before", "function_after"};

static const char *golden_path(int i)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/dot/%s.dot", getenv("WENGERT_TEST_DATA"), goldens[i]);
    return path;
}

/* WENGERT_WRITE_GOLDENS=1 writes them anew. */
START_TEST(dot_is_the_same_to_the_byte)
{
    const char *path = golden_path(_i);
    static char golden[1 << 16];
    char *dot = function_drawn(WG_FORMAT_DOT, (wg_function_draw_options){.before = !_i, .draw.title = "f"});
    const char *held = strstr(dot, " held"); /* as many bytes as the machine's vectors and pointers ask for */
    const char *start = held;
    while (start && start > dot && *start != '\xb7')
        start--;
    if (held)
        memmove((char *)(uintptr_t)start + 1, held, strlen(held) + 1);
    FILE *file = fopen(path, getenv("WENGERT_WRITE_GOLDENS") ? "w+b" : "rb");
    ck_assert_msg(file, "%s", path);
    if (getenv("WENGERT_WRITE_GOLDENS"))
        fputs(dot, file);
    rewind(file);
    golden[fread(golden, 1, sizeof golden - 1, file)] = 0;
    fclose(file);
    ck_assert_str_eq(dot, golden);
    free(dot);
}
END_TEST

START_TEST(dot_is_the_same_wherever_on_the_tape)
{
    wg_function_draw_options options = {.before = !_i, .draw.title = "f"};
    char *first = function_drawn(WG_FORMAT_DOT, options);
    wg_tape *other = wg_tape_new(), *own = tape;
    wg_tensor x = wg_scalar(other, 1);
    for (int i = 0; i < 300; i++)
        WG_SCOPE(other, "elsewhere", i) x = wg_sin(x);
    wg_tensor loss = recorded(other, &x);
    tape = other;
    f = wg_compile(other, WG_TENSORS(x), WG_TENSORS(loss), .backward = true);
    char *second = function_drawn(WG_FORMAT_DOT, options);
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
    tape = own;
    wg_tape_free(other);
}
END_TEST

START_TEST(graphviz_takes_it_without_a_word)
{
    graphviz_takes(golden_path(_i));
    if (!have_graphviz())
        return;
    char *svg = function_drawn(WG_FORMAT_SVG, (wg_function_draw_options){.before = !_i});
    is_sound(svg);
    free(svg);
}
END_TEST

START_TEST(what_is_done_together_is_one_node)
{
    char *before = function_drawn(WG_FORMAT_DOT, (wg_function_draw_options){.before = true}),
         *after = function_drawn(WG_FORMAT_DOT, (wg_function_draw_options){0});
    has(before, "<B>tanh</B>");
    has(before, "backward");
    ck_assert_ptr_null(strstr(before, "fused"));
    has(after, "multiply, tanh, add, sigmoid, ...");
    has(after, "<B>fused");
    has(after, "cluster_block.0");
    has(after, "gradient of fc.weight");
    has(after, "8 KiB in b1 until step");
    has(after, "recorded operations");
    ck_assert_ptr_null(strstr(after, "<B>tanh</B>"));
    free(before);
    free(after);
}
END_TEST

START_TEST(nothing_stays_on_the_tape)
{
    size_t nodes = wg_tape_nodes(tape), used = wg_tape_used_bytes(tape);
    for (int before = 0; before < 2; before++)
        free(function_drawn(WG_FORMAT_JSON, (wg_function_draw_options){.before = before}));
    ck_assert_uint_eq(wg_tape_nodes(tape), nodes);
    ck_assert_uint_eq(wg_tape_used_bytes(tape), used);
}
END_TEST

START_TEST(times_are_those_of_the_last_profile)
{
    static float x[6400];
    memory m = {0};
    ck_assert_int_eq(wg_function_draw_to(f, WG_FORMAT_DOT, to_memory, &m, .draw.overlay = WG_SHOW_TIME),
                     WG_ERROR_VALUE);
    has(wg_error(tape), "no times");
    wg_clear_error(tape);
    FILE *nowhere = tmpfile();
    ck_assert_int_eq(wg_profile(f, nowhere, .in = (const void *[]){x}, .runs = 2), WG_OK);
    fclose(nowhere);
    char *dot = function_drawn(WG_FORMAT_DOT, (wg_function_draw_options){.draw.overlay = WG_SHOW_TIME});
    has(dot, " %  ");
    free(dot);
}
END_TEST

START_TEST(what_was_written_as_json_is_drawn_again)
{
    char *json = function_drawn(WG_FORMAT_JSON, (wg_function_draw_options){.draw.title = "f"}),
         *dot = function_drawn(WG_FORMAT_DOT, (wg_function_draw_options){.draw.title = "f"});
    memory m = {0};
    const char *path = file_of("f.json", json, strlen(json));
    ck_assert_msg(!wg_redraw_to(tape, path, WG_FORMAT_DOT, to_memory, &m), "%s", wg_error(tape));
    ck_assert_str_eq(m.data, dot);
    free(m.data);
    free(json);
    free(dot);
}
END_TEST

/* Scalars, results that are inputs, constants or one another, results that nothing computes. */
START_TEST(every_kind_of_result_is_drawn)
{
    wg_tensor x = wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(3), NULL), "x"),
              c = wg_full(tape, WG_FLOAT64, WG_SHAPE(2), 3), a[3];
    wg_tensor s = wg_name(wg_scalar(tape, 2.0), "s"), y = s, none = wg_array(tape, WG_FLOAT64, WG_SHAPE(0, 2), NULL);
    for (int i = 0; i < 9; i++)
        y = wg_sin(wg_multiply(y, 3));
    wg_split(x, 0, WG_LIST(1, 2), a);
    wg_tensor flipped = wg_flip(x, .axis = 0), sines = wg_sin(a[1]);
    wg_tensor whole = wg_exp(wg_concat(WG_TENSORS(wg_cos(x), wg_sin(a[1]), x), .axis = 0));
    f = wg_compile(tape, WG_TENSORS(x, s, none),
                   WG_TENSORS(y, x, flipped, sines, sines, wg_sin(x), wg_sin(x), wg_exp(none), c, whole));
    ck_assert_msg(f, "%s", wg_error(tape));
    for (int format = WG_FORMAT_DOT; format <= WG_FORMAT_JSON; format++)
        for (int before = 0; before < 2; before++)
            if (have_graphviz() || (format != WG_FORMAT_SVG && format != WG_FORMAT_PNG))
                free(function_drawn((wg_format)format, (wg_function_draw_options){.before = before}));
    char *dot = function_drawn(WG_FORMAT_DOT, (wg_function_draw_options){0});
    has(dot, "18 scalar operations");
    has(dot, "output 2");
    has(dot, "<B>concat</B>");
    free(dot);
}
END_TEST

START_TEST(what_cannot_be_drawn_is_refused)
{
    memory m = {0};
    wg_mark start = wg_tape_mark(tape);
    ck_assert_int_eq(wg_function_draw(NULL, "f.dot"), WG_ERROR_VALUE);
    ck_assert_int_eq(wg_function_draw_to(NULL, WG_FORMAT_DOT, to_memory, &m), WG_ERROR_VALUE);
    ck_assert_int_eq(wg_function_draw(f, NULL), WG_ERROR_VALUE);
    wg_clear_error(tape);
    ck_assert_int_eq(wg_function_draw(f, "f.jpeg"), WG_ERROR_VALUE);
    wg_clear_error(tape);
    ck_assert_int_eq(wg_function_draw_to(f, WG_FORMAT_DOT, NULL, NULL), WG_ERROR_VALUE);
    wg_clear_error(tape);
    wg_tensor y = wg_sin(wg_scalar(tape, 1.0));
    wg_function *gone = wg_compile(tape, ((wg_tensors){0}), WG_TENSORS(y));
    wg_rewind(tape, start);
    ck_assert_int_eq(wg_function_draw_to(gone, WG_FORMAT_DOT, to_memory, &m), WG_ERROR_STALE);
    wg_clear_error(tape);
    ck_assert_ptr_null(m.data);
    free(function_drawn(WG_FORMAT_DOT, (wg_function_draw_options){0}));
}
END_TEST

static void draw_function(wg_tape *on)
{
    memory m = {0};
    wg_tensor x, loss = recorded(on, &x);
    wg_function *g = wg_compile(on, WG_TENSORS(x), WG_TENSORS(loss), .backward = true);
    if (g)
        wg_function_draw_to(g, WG_FORMAT_DOT, to_memory, &m);
    free(m.data);
}

START_TEST(every_allocation_may_fail) { fail_each_allocation(draw_function); }
END_TEST

int main(void)
{
    Suite *s = suite_create("function drawn");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, compile_one, tear_down);
    tcase_add_loop_test(all, dot_is_the_same_to_the_byte, 0, COUNT(goldens));
    tcase_add_loop_test(all, dot_is_the_same_wherever_on_the_tape, 0, COUNT(goldens));
    tcase_add_loop_test(all, graphviz_takes_it_without_a_word, 0, COUNT(goldens));
    tcase_add_test(all, what_is_done_together_is_one_node);
    tcase_add_test(all, nothing_stays_on_the_tape);
    tcase_add_test(all, times_are_those_of_the_last_profile);
    tcase_add_test(all, what_was_written_as_json_is_drawn_again);
    tcase_add_test(all, every_kind_of_result_is_drawn);
    tcase_add_test(all, what_cannot_be_drawn_is_refused);
    tcase_add_test(all, every_allocation_may_fail);
    suite_add_tcase(s, all);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
