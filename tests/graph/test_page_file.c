/* The page of a graph as a file: what is in it and what must not be, and every way in which making it can fail. How it
 * is used: test_page.c. */
#define WG_WITHOUT_PLACES
#include "drawn.h"

#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static char *page_of(wg_tape *on, int i) { return drawn(graphs[i].record(on), WG_FORMAT_HTML, graphs[i].options); }

/* ---- What is in it ----------------------------------------------------------------------------------------------- */
/* Where Graphviz puts a cluster among the elements is its own affair. */
START_TEST(the_facts_are_the_same_wherever_on_the_tape)
{
    char *first = page_of(tape, _i);
    wg_tape *other = wg_tape_new();
    wg_tensor x = wg_scalar(other, 1);
    for (int i = 0; i < 300; i++)
        WG_SCOPE(other, "elsewhere", i) x = wg_sin(x);
    char *second = page_of(other, _i);
    const char *data = "<script type=\"application/json\"";
    ck_assert_int_eq(count(first, data), 2);
    ck_assert(!strcmp(strstr(first, data), strstr(second, data)));
    free(first);
    free(second);
    wg_tape_free(other);
}
END_TEST

/* The facts of an element of the page. */
static json_t *facts_in(const char *page, const char *id)
{
    char start[100];
    snprintf(start, sizeof start, "<script type=\"application/json\" id=\"%s\">", id);
    const char *at = strstr(page, start), *end = at ? strstr(at, "</script>") : NULL;
    ck_assert_ptr_nonnull(end);
    at += strlen(start);
    json_error_t error;
    json_t *facts = json_loadb(at, (size_t)(end - at), 0, &error);
    ck_assert_msg(facts, "%s", error.text);
    return facts;
}

/* Names are in it as attributes, texts and JSON: none of them ends what it stands in. */
START_TEST(a_page_holds_its_facts_and_asks_for_nothing)
{
    static const char *const asking[] = {" src=", " href=\"h", "@import", "url(",
                                         "<link", "<iframe",   "fetch(",  "import("};
    char *page = page_of(tape, _i);
    ck_assert_int_eq(count(page, "<script"), 3);
    ck_assert_int_eq(count(page, "</script>"), 3);
    ck_assert_int_eq(count(page, "<main"), 1);
    ck_assert_int_eq(count(page, "</main>"), 1);
    ck_assert_int_eq(count(page, "<template"), count(page, "</template>"));
    ck_assert_int_eq(count(page, "default-src 'none'"), 1);
    for (int i = 0; i < COUNT(asking); i++)
        ck_assert_msg(!strstr(page, asking[i]), "%s", asking[i]);
    json_t *facts = facts_in(page, "graph"), *same = facts_in(page, "same");
    ck_assert_uint_gt(json_array_size(json_object_get(facts, "nodes")), 0);
    json_decref(facts);
    json_decref(same);
    free(page);
}
END_TEST

START_TEST(a_small_graph_is_a_small_page)
{
    char *page = drawn(mlp_with_gradients(tape), WG_FORMAT_HTML, (wg_draw_options){.title = "mlp"});
    ck_assert_uint_lt(strlen(page), 42000);
    free(page);
}
END_TEST

/* As many pictures as are worth their size, whatever the number of scopes. */
START_TEST(a_graph_of_many_scopes_is_written_in_time)
{
    wg_tensor x = filled(tape, "x", WG_SCALAR, 1);
    for (int i = 0; i < 8000; i++)
        WG_SCOPE(tape, "block", i / 50) WG_SCOPE(tape, "part", i / 10 % 5) x = i % 10 ? wg_sin(x) : wg_multiply(x, i);
    time_t start = time(NULL);
    char *page = drawn(x, WG_FORMAT_HTML, (wg_draw_options){0});
    ck_assert_double_lt(difftime(time(NULL), start), 60); /* 2 s, without a sanitizer */
    ck_assert_int_le(count(page, "<template"), 401);
    free(page);
}
END_TEST

/* ---- Graphviz ---------------------------------------------------------------------------------------------------- */
static const struct {
    const char *script, *why; /* no script: no "dot" either */
} failures[] = {
    {NULL, "Graphviz's &quot;dot&quot; not found"},
    {"#!/bin/sh\ncat >/dev/null\necho half a picture\nexit 3\n", "failed (exit code 3)"},
    {"#!/bin/sh\nkill -9 $$\n", "killed"},
    {"#!/bin/sh\ncat >/dev/null\necho '<svg half a picture'\n", "there is no picture"},
};

static void not_called(void *user, wg_status status, const char *message)
{
    (void)user;
    (void)status;
    ck_abort_msg("the program's handler was called: %s", message);
}

START_TEST(a_graphviz_that_fails_leaves_a_list)
{
    char path[600];
    if (!have_graphviz())
        return;
    wg_tensor y = scopes(tape);
    snprintf(path, sizeof path, failures[_i].script ? "%s:%.400s" : "%s", folder, old_path);
    if (failures[_i].script)
        ck_assert_int_eq(chmod(file_of("dot", failures[_i].script, strlen(failures[_i].script)), 0700), 0);
    setenv("PATH", path, 1);
    wg_on_error(tape, not_called, NULL);
    char *page = drawn(y, WG_FORMAT_HTML, (wg_draw_options){0});
    ck_assert(!wg_failed(tape));
    json_t *facts = facts_in(page, "graph");
    *strstr(page, "</main>") = 0;
    ck_assert_int_eq(count(page, "<li class=\"node"), (int)json_array_size(json_object_get(facts, "nodes")));
    json_decref(facts);
    ck_assert_msg(strstr(page, failures[_i].why), "%s", failures[_i].why);
    free(page);
}
END_TEST

/* It fails at the many, not at the first alone. */
START_TEST(a_graphviz_that_can_draw_one_picture_draws_the_first)
{
    static const char script[] = "#!/bin/sh\nin=$(cat)\n[ \"$(echo \"$in\" | grep -c digraph)\" = 1 ] || exit 1\n"
                                 "echo '<svg width=\"1pt\" viewBox=\"0 0 1 1\"><g/></svg>'\n";
    char path[600];
    if (!have_graphviz())
        return;
    wg_tensor y = scopes(tape);
    ck_assert_int_eq(chmod(file_of("dot", script, strlen(script)), 0700), 0);
    snprintf(path, sizeof path, "%s:%.400s", folder, old_path);
    setenv("PATH", path, 1);
    char *page = drawn(y, WG_FORMAT_HTML, (wg_draw_options){0});
    ck_assert_int_eq(count(page, "<template"), 1); /* of the script's */
    ck_assert_int_eq(count(page, "<svg "), 1);
    ck_assert_int_eq(count(page, "<ol>"), 0);
    free(page);
}
END_TEST

/* A row a node that would be drawn, and a list a scope that would be opened. */
START_TEST(the_list_of_a_large_graph_is_short)
{
    wg_tensor x = filled(tape, "x", WG_SCALAR, 1);
    for (int i = 0; i < 6000; i++)
        WG_SCOPE(tape, "block", i / 1000) WG_SCOPE(tape, HOSTILE, i / 10 % 100) x = i % 10 ? wg_sin(x) : wg_exp(x);
    setenv("PATH", folder, 1);
    char *page = drawn(x, WG_FORMAT_HTML, (wg_draw_options){.fold = WG_FOLD_NO});
    ck_assert_int_lt(count(page, "<li "), 6000);
    ck_assert_ptr_nonnull(strstr(page, "<li class=\"node scope\" id=\"s:block.0\"><b>block.0</b><span>1000 ops<"));
    ck_assert_int_gt(count(page, "<template data-scope="), 1);
    ck_assert_int_eq(count(page, "id=\"s:block.0.\xe2\x88\x96N\xe2\x88\x96G&lt;b&gt;&quot;&amp;|{}"), 100);
    free(page);
}
END_TEST

/* ---- No memory --------------------------------------------------------------------------------------------------- */
START_TEST(a_buffer_that_is_too_small_is_an_error)
{
    static unsigned char buffer[1 << 20];
    bool drew = false;
    for (size_t bytes = 16 << 10; bytes <= sizeof buffer && !drew; bytes += 20000) {
        memory m = {0};
        wg_tape *small = wg_tape_new(.buffer = buffer, .buffer_bytes = bytes);
        wg_tensor y = small ? scopes(small) : WG_NONE;
        if (small && !wg_failed(small)) {
            wg_status status = wg_draw_to(y, WG_FORMAT_HTML, to_memory, &m);
            drew = status == WG_OK;
            ck_assert_msg(drew || status == WG_ERROR_MEMORY, "%s", wg_error(small));
            ck_assert(drew == !wg_failed(small));
        }
        free(m.data);
        wg_tape_free(small);
    }
    ck_assert(drew);
}
END_TEST

static void draw_page(wg_tape *on)
{
    memory m = {0};
    wg_tensor y = scopes(on);
    if (!wg_failed(on))
        wg_draw_to(y, WG_FORMAT_HTML, to_memory, &m);
    free(m.data);
}

START_TEST(every_allocation_may_fail) { fail_each_allocation(draw_page); }
END_TEST

int main(void)
{
    Suite *s = suite_create("page_file");
    TCase *page = tcase_create("page");
    tcase_add_checked_fixture(page, set_up, tear_down);
    tcase_add_loop_test(page, the_facts_are_the_same_wherever_on_the_tape, 0, COUNT(graphs));
    tcase_add_loop_test(page, a_page_holds_its_facts_and_asks_for_nothing, 0, COUNT(graphs));
    tcase_add_test(page, a_small_graph_is_a_small_page);
    tcase_add_test(page, a_graph_of_many_scopes_is_written_in_time);
    tcase_add_loop_test(page, a_graphviz_that_fails_leaves_a_list, 0, COUNT(failures));
    tcase_add_test(page, a_graphviz_that_can_draw_one_picture_draws_the_first);
    tcase_add_test(page, the_list_of_a_large_graph_is_short);
    tcase_add_test(page, a_buffer_that_is_too_small_is_an_error);
    tcase_add_test(page, every_allocation_may_fail);
    suite_add_tcase(s, page);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
