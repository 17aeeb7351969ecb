/* The page of a graph, used in a real browser: clicked, searched, scrolled, read in both themes and without its script.
 * Skipped where there is no Chromium. */
#include "browser.h"
#include "files.h"

#include <string.h>
#include <time.h>

#define HOSTILE "\\N\\G<b>\"&|{}\n\xff</script>]]>"
#define SKIPPED 77 /* meson's exit code for it */

static browser *b;
static wg_tape *tape;

static void set_up(void)
{
    tape = wg_tape_new();
    folder_make();
    browser_theme(b, false);
}

static void tear_down(void)
{
    folder_remove();
    wg_tape_free(tape);
}

/* ---- The graphs -------------------------------------------------------------------------------------------------- */
static wg_tensor filled(const char *name, wg_shape shape)
{
    return wg_name(wg_full(tape, WG_FLOAT32, shape, 0.5), name);
}

static wg_tensor dense(const char *prefix, wg_tensor x, int64_t in, int64_t out)
{
    char name[64];
    snprintf(name, sizeof name, "%s.weight", prefix);
    wg_tensor w = wg_param(tape, name, WG_SHAPE(in, out), .init = WG_XAVIER_UNIFORM);
    snprintf(name, sizeof name, "%s.bias", prefix);
    return wg_linear(x, w, wg_param(tape, name, WG_SHAPE(out)));
}

/* n0 x, n1 n2 parameters, n3 linear, n4 relu, n5 n6 parameters, n7 linear, n8 y, n9 cross_entropy. */
static wg_tensor mlp(void)
{
    static const int64_t labels[4] = {0, 1, 2, 0};
    wg_tensor h = wg_relu(dense("fc1", filled("x", WG_SHAPE(4, 5)), 5, 8)), scores = dense("fc2", h, 8, 3);
    return wg_cross_entropy(scores, wg_name(wg_array(tape, WG_INT64, WG_SHAPE(4), labels), "y"));
}

/* Blocks of parts of operations, each part another one, so that none stands for all. */
static wg_tensor nested(int blocks, int parts, int operations)
{
    wg_tensor x = filled("x", WG_SHAPE(2, 3));
    for (int i = 0; i < blocks; i++)
        WG_SCOPE(tape, "block", i) for (int k = 0; k < parts; k++) WG_SCOPE(tape, "part", k)
        {
            for (int o = 0; o < operations; o++)
                x = o % 3 == 2 ? wg_multiply(x, 1 + i * parts + k) : wg_sin(x);
        }
    return wg_sum(x);
}

static void opened(wg_tensor root, const char *fragment)
{
    const char *path = in_folder("page.html");
    wg_status status = wg_draw(root, path, .title = "net");
    ck_assert_msg(status == WG_OK, "%s", wg_error(tape));
    browser_open(b, path, fragment);
}

/* ---- What is asked ----------------------------------------------------------------------------------------------- */
static void says(const char *expression, const char *expected)
{
    const char *said = browser_says(b, expression);
    ck_assert_msg(!strcmp(said, expected), "%s is %s, not %s", expression, said, expected);
}

static void finds(const char *expression) { ck_assert_msg(browser_finds(b, expression), "not so: %s", expression); }

/* ids of what stands out, in order */
#define CLEAR "[...document.querySelectorAll('main .node:not(.dim)')].map(n => n.id).sort().join(' ')"
#define PICKED "document.querySelector('main .picked')?.id"
#define HEADING "document.querySelector('aside h2').textContent"
#define WHERE "document.querySelector('nav').textContent"

static void nothing_amiss(void)
{
    ck_assert_str_eq(browser_complaints(b), "");
    ck_assert_int_eq(browser_requests(b), 0);
}

/* ---- The picture ------------------------------------------------------------------------------------------------- */
START_TEST(it_is_a_picture_without_its_script)
{
    browser_script(b, false);
    opened(mlp(), "");
    finds("document.querySelector('main svg').getBoundingClientRect().height > 200");
    finds("document.querySelector('header').textContent.includes('net')");
    finds("getComputedStyle(document.querySelector('#search')).display == 'none'");
    browser_show(b, "without-script");
    browser_script(b, true);
    nothing_amiss();
}
END_TEST

START_TEST(it_follows_the_theme)
{
    opened(mlp(), "");
    says("getComputedStyle(document.body).backgroundColor", "rgb(255, 255, 255)");
    says("getComputedStyle(document.querySelector('#n3 path')).fill", "rgb(254, 254, 254)");
    browser_show(b, "light");
    browser_theme(b, true);
    says("getComputedStyle(document.body).backgroundColor", "rgb(20, 24, 29)");
    says("getComputedStyle(document.querySelector('#n3 path')).fill", "rgb(42, 50, 60)");
    browser_show(b, "dark");
    nothing_amiss();
}
END_TEST

/* ---- Picking ----------------------------------------------------------------------------------------------------- */
START_TEST(a_click_tells_facts_and_what_hangs_on_it)
{
    opened(mlp(), "");
    browser_click(b, "#n3", 1);
    says(HEADING, "linear");
    says(PICKED, "n3");
    says("location.hash", "#n3");
    says(CLEAR, "n0 n1 n3 n4 n7 n9");
    finds("document.querySelector('aside').textContent.includes('4×8')");
    browser_click(b, "#fit", 1);
    browser_click(b, "header", 1);
    says(PICKED, "n3");
    browser_key(b, "Escape");
    says(CLEAR, "n0 n1 n3 n4 n5 n7 n8 n9");
    says("location.hash", "");
    nothing_amiss();
}
END_TEST

START_TEST(a_gradient_has_a_histogram)
{
    wg_tensor loss = mlp();
    ck_assert_int_eq(wg_backward(loss), WG_OK);
    opened(loss, "");
    browser_click(b, "#n1", 1);
    says(HEADING, "fc1.weight");
    says("document.querySelectorAll('aside figure').length", "2");
    finds("document.querySelector('aside figure path').getBBox().height > 1");
    browser_show(b, "histogram");
    nothing_amiss();
}
END_TEST

START_TEST(an_address_leads_to_a_node)
{
    opened(mlp(), "n7");
    says(PICKED, "n7");
    says(HEADING, "linear");
    browser_says(b, "location.hash = '#n2'"); /* on the card of n1 */
    for (int i = 0; i < 100 && strcmp(browser_says(b, PICKED), "n1"); i++)
        usleep(10000);
    says(PICKED, "n1");
    says(HEADING, "fc1.bias");
    opened(mlp(), "nothing-of-that-name");
    says(PICKED, "undefined");
    opened(mlp(), "100%");
    says(PICKED, "undefined");
    nothing_amiss();
}
END_TEST

START_TEST(a_search_dims_the_rest)
{
    opened(mlp(), "");
    browser_key(b, "/");
    browser_type(b, "RELU");
    says(CLEAR, "n4");
    says(HEADING, "1 found");
    browser_key(b, "Enter");
    says(PICKED, "n4");
    browser_key(b, "Escape");
    says("document.querySelector('#search').value", "");
    browser_key(b, "/");
    browser_type(b, "fc2.bias");
    says(CLEAR, "n5");
    browser_show(b, "search");
    nothing_amiss();
}
END_TEST

START_TEST(the_keyboard_reaches_everything)
{
    opened(mlp(), "");
    browser_says(b, "document.querySelector('#fit').focus()");
    browser_key(b, "Tab");
    finds("document.activeElement.matches('.node')");
    browser_key(b, "Enter");
    says(PICKED " == document.activeElement.id", "true");
    browser_click(b, "#n3", 1);
    browser_key(b, "ArrowDown");
    says(PICKED, "n4");
    browser_key(b, "ArrowDown");
    browser_key(b, "ArrowLeft");
    says(PICKED, "n5");
    browser_key(b, "ArrowRight");
    browser_key(b, "ArrowUp");
    browser_key(b, "ArrowUp");
    browser_key(b, "ArrowUp");
    says(PICKED, "n0");
    nothing_amiss();
}
END_TEST

/* ---- Other drawings ---------------------------------------------------------------------------------------------- */
START_TEST(a_theme_that_was_asked_for_stays)
{
    const char *path = in_folder("page.html");
    ck_assert_int_eq(wg_draw(mlp(), path, .theme = WG_DARK), WG_OK);
    browser_open(b, path, "");
    says("getComputedStyle(document.body).backgroundColor", "rgb(20, 24, 29)");
    says("getComputedStyle(document.querySelector('#n3 path')).fill", "rgb(42, 50, 60)");
    browser_theme(b, true);
    ck_assert_int_eq(wg_draw(mlp(), path, .theme = WG_LIGHT), WG_OK);
    browser_open(b, path, "");
    says("getComputedStyle(document.body).backgroundColor", "rgb(255, 255, 255)");
    says("getComputedStyle(document.querySelector('#n3 path')).fill", "rgb(254, 254, 254)");
    nothing_amiss();
}
END_TEST

/* What the backward pass does hangs on what it is of. */
START_TEST(the_backward_pass_is_picked_too)
{
    wg_tensor loss = mlp();
    const char *path = in_folder("page.html");
    ck_assert_int_eq(wg_backward(loss), WG_OK);
    ck_assert_int_eq(wg_draw(loss, path, .backward = true), WG_OK);
    browser_open(b, path, "");
    browser_click(b, "#b4", 1);
    says(HEADING, "relu");
    says("location.hash", "#n4");
    says(PICKED, "b4");
    finds("document.querySelector('#b7').matches('.node:not(.dim)')");
    finds("document.querySelector('#g5').matches('.dim')");
    browser_key(b, "ArrowUp");
    says(PICKED, "b3");
    browser_show(b, "backward");
    nothing_amiss();
}
END_TEST

START_TEST(a_link_stands_among_the_facts)
{
    const char *path = in_folder("page.html");
    ck_assert_int_eq(wg_draw(mlp(), path, .link = "https://host/{file}#L{line}"), WG_OK);
    browser_open(b, path, "");
    browser_click(b, "#n3", 1);
    finds("document.querySelector('aside a').href.startsWith('https://host/')");
    finds("location.protocol == 'file:'");
    nothing_amiss();
}
END_TEST

/* ---- Moving ------------------------------------------------------------------------------------------------------ */
#define SCALE "(now.view.scale)"

START_TEST(it_is_moved_and_zoomed)
{
    opened(mlp(), "");
    double scale = strtod(browser_says(b, SCALE), NULL), x = strtod(browser_says(b, "now.view.x"), NULL);
    browser_wheel(b, "#n4", -200);
    for (int i = 0; i < 100 && strtod(browser_says(b, SCALE), NULL) <= scale; i++)
        usleep(10000);
    ck_assert_double_gt(strtod(browser_says(b, SCALE), NULL), scale);
    browser_key(b, "0");
    ck_assert_double_eq_tol(strtod(browser_says(b, SCALE), NULL), scale, 1e-6);
    browser_drag(b, "#n4", 60, 20);
    ck_assert_double_eq_tol(strtod(browser_says(b, "now.view.x"), NULL), x - 60 / scale, 1e-3);
    says(PICKED, "undefined"); /* it was no click */
    browser_click(b, "#fit", 1);
    ck_assert_double_eq_tol(strtod(browser_says(b, "now.view.x"), NULL), x, 1e-6);
    browser_key(b, "+");
    ck_assert_double_eq_tol(strtod(browser_says(b, SCALE), NULL), 1.25 * scale, 1e-6);
    nothing_amiss();
}
END_TEST

/* ---- Large graphs ------------------------------------------------------------------------------------------------ */
static const struct {
    int blocks, parts, operations;
    double seconds; /* to write the page and to open it, with a sanitizer */
} large[] = {{3, 10, 10, 60}, {50, 10, 10, 240}, {100, 10, 100, 240}};

START_TEST(a_large_graph_is_written_opened_and_searched)
{
    time_t start = time(NULL);
    opened(nested(large[_i].blocks, large[_i].parts, large[_i].operations), "");
    browser_key(b, "/");
    browser_type(b, "multiply");
    finds(HEADING ".endsWith(' found')");
    browser_key(b, "Enter");
    says(HEADING, "multiply");
    finds("document.querySelector('main .picked')");
    ck_assert_double_lt(difftime(time(NULL), start), large[_i].seconds);
    static const char *const shots[] = {"three-hundred", "five-thousand", "hundred-thousand"};
    browser_show(b, shots[_i]);
    nothing_amiss();
}
END_TEST

/* ---- Scopes ------------------------------------------------------------------------------------------------------ */
#define ID(id) "main [id='" id "']"

START_TEST(a_scope_is_opened_in_place_and_left_again)
{
    opened(nested(3, 10, 10), "");
    browser_click(b, ID("s:block.0.part.1"), 1);
    says(HEADING, "part.1");
    says(PICKED, "s:block.0.part.1");
    browser_show(b, "scope-picked");
    browser_click(b, ID("s:block.0.part.1"), 2);
    says(WHERE, "net/block.0/part.1");
    says("document.querySelectorAll('main .node:not(.outside)').length", "10");
    says("document.querySelectorAll('main .outside').length", "2");
    browser_show(b, "scope-opened");
    browser_click(b, "main .outside[id^='o']", 1); /* leads to what is there */
    says(WHERE, "net/block.0/part.0");
    says(PICKED, "n10");
    browser_key(b, "Escape");
    says(PICKED, "undefined");
    browser_key(b, "Escape");
    says(WHERE, "net/block.0");
    browser_key(b, "Escape");
    says(WHERE, "net");
    browser_click(b, ID("s:block.0.part.0"), 1);
    browser_key(b, "Enter");
    says(WHERE, "net/block.0/part.0");
    browser_click(b, "nav button", 1);
    says(WHERE, "net");
    browser_click(b, ID("s:block.0.part.2"), 1);
    browser_click(b, "aside button", 1);
    says(WHERE, "net/block.0/part.2");
    nothing_amiss();
}
END_TEST

START_TEST(an_open_scope_is_picked_with_all_that_is_in_it)
{
    opened(nested(3, 2, 3), "s%3Ablock.1");
    says(HEADING, "block.1");
    says("document.querySelectorAll('main .cluster.picked').length", "1");
    says("document.querySelectorAll('main .node:not(.dim)').length", "20"); /* a chain: all of it hangs together */
    browser_show(b, "scope-address");
    nothing_amiss();
}
END_TEST

/* Its address leads to a node that no picture shows by itself. */
START_TEST(what_is_folded_is_shown_by_its_equal)
{
    wg_tensor x = filled("x", WG_SHAPE(2, 3));
    for (int i = 0; i < 12; i++)
        WG_SCOPE(tape, "block", i) for (int k = 0; k < 20; k++) x = wg_sin(x);
    opened(wg_sum(x), "n230");
    says(HEADING, "sin");
    says(PICKED, "n10");
    finds("document.querySelector('aside').textContent.includes('block.11')");
    browser_show(b, "folded");
    nothing_amiss();
}
END_TEST

START_TEST(operations_in_a_row_are_opened_too)
{
    wg_tensor x = filled("x", WG_SHAPE(2, 3));
    for (int i = 0; i < 600; i++)
        x = i == 400 ? wg_exp(x) : wg_sin(x);
    opened(wg_sum(x), "");
    says("document.querySelectorAll('main .node').length", "5"); /* x, 250, 250, 100, the sum */
    browser_click(b, "main .scope", 1);
    finds("document.querySelector('aside').textContent.includes('operations in a row')");
    browser_key(b, "Enter");
    says(WHERE, "net/\xe2\x80\xa6");
    says("document.querySelectorAll('main .op').length", "250");
    browser_key(b, "/");
    browser_type(b, "exp");
    browser_key(b, "Enter");
    says(HEADING, "exp");
    says(PICKED, "n401");
    nothing_amiss();
}
END_TEST

START_TEST(the_slider_opens_and_closes_what_is_deep)
{
    opened(nested(3, 4, 3), "");
    says("document.querySelectorAll('main .node').length", "38");
    browser_says(b, "document.querySelector('#depth').focus()");
    browser_key(b, "ArrowLeft");
    says("document.querySelectorAll('main .node').length", "14");
    finds("document.querySelector(\"" ID("s:block.1.part.2") "\")");
    browser_key(b, "ArrowLeft");
    says("document.querySelectorAll('main .node').length", "5");
    browser_show(b, "all-closed");
    browser_key(b, "ArrowRight");
    browser_key(b, "ArrowRight");
    says("document.querySelectorAll('main .node').length", "38");
    nothing_amiss();
}
END_TEST

/* ---- Names ------------------------------------------------------------------------------------------------------- */
START_TEST(a_hostile_name_is_only_a_name)
{
    wg_tensor x = filled(HOSTILE, WG_SHAPE(2, 2)), y = WG_NONE;
    WG_SCOPE(tape, HOSTILE)
    y = wg_name(wg_linear(x, wg_param(tape, HOSTILE, WG_SHAPE(2, 2)), WG_NONE), HOSTILE);
    const char *path = in_folder("page.html");
    ck_assert_int_eq(wg_draw(wg_sum(y), path, .title = HOSTILE), WG_OK);
    browser_open(b, path, "");
    browser_click(b, "#n0", 1);
    says(HEADING, "\\N\\G<b>\"&|{}\xef\xbf\xbd\xef\xbf\xbd</script>]]>");
    says("document.title", "\\N\\G<b>\"&|{}\xef\xbf\xbd\xef\xbf\xbd</script>]]>");
    browser_key(b, "/");
    browser_type(b, "\\N\\G<b>");
    browser_key(b, "Enter");
    says("document.querySelectorAll('b b, .node b, aside b').length", "0");
    nothing_amiss();
}
END_TEST

/* ---- Without Graphviz -------------------------------------------------------------------------------------------- */
static void opened_as_list(wg_tensor loss)
{
    char *path = strdup(getenv("PATH"));
    setenv("PATH", folder, 1);
    wg_status status = wg_draw(loss, in_folder("page.html"), .title = "net");
    setenv("PATH", path, 1);
    free(path);
    ck_assert_int_eq(status, WG_OK);
    browser_open(b, in_folder("page.html"), "");
}

START_TEST(without_graphviz_it_is_a_list)
{
    opened_as_list(mlp());
    ck_assert(!wg_failed(tape));
    says("document.querySelectorAll('main .node').length", "10");
    browser_click(b, "#n3", 1);
    says(HEADING, "linear");
    says(CLEAR, "n0 n1 n2 n3 n4 n7 n9");
    browser_key(b, "/");
    browser_type(b, "relu");
    says(CLEAR, "n4");
    browser_show(b, "list");
    nothing_amiss();
}
END_TEST

/* As a picture would, it shows what is closed as one, and opens it. */
START_TEST(a_list_is_opened_and_searched_too)
{
    opened_as_list(nested(50, 10, 10));
    says("document.querySelectorAll('main .node').length", "52"); /* x, the blocks, the sum */
    browser_click(b, ID("s:block.3"), 1);
    says(HEADING, "block.3");
    finds(CLEAR ".includes('s:block.2')"); /* what it depends on */
    browser_key(b, "Enter");
    says(WHERE, "net/block.3");
    says("document.querySelectorAll('main .node').length", "100");
    browser_click(b, ID("n303"), 1);
    says(HEADING, "multiply");
    finds(CLEAR ".split(' ').length == 100"); /* a chain */
    browser_key(b, "/");
    browser_type(b, "part.4");
    says(HEADING, "500 found");
    browser_key(b, "Escape");
    finds("document.querySelector('#fit').hidden");
    browser_show(b, "list-opened");
    nothing_amiss();
}
END_TEST

/* Is there a Graphviz, and does the library use it? */
static bool to_nowhere(void *user, const void *data, size_t size) { return !user && data && size; }
static bool have_graphviz(void)
{
    wg_tape *other = wg_tape_new();
    bool drew = !wg_draw_to(wg_scalar(other, 1), WG_FORMAT_SVG, to_nowhere, NULL);
    wg_tape_free(other);
    return drew;
}

static Suite *page_suite(void)
{
    Suite *s = suite_create("page");
    TCase *page = tcase_create("page"), *list = tcase_create("list");
    tcase_add_checked_fixture(list, set_up, tear_down);
    tcase_add_test(list, without_graphviz_it_is_a_list);
    tcase_add_test(list, a_list_is_opened_and_searched_too);
    suite_add_tcase(s, list);
    suite_add_tcase(s, page);
    if (!have_graphviz())
        return s;
    tcase_add_checked_fixture(page, set_up, tear_down);
    tcase_add_test(page, it_is_a_picture_without_its_script);
    tcase_add_test(page, it_follows_the_theme);
    tcase_add_test(page, a_click_tells_facts_and_what_hangs_on_it);
    tcase_add_test(page, a_gradient_has_a_histogram);
    tcase_add_test(page, an_address_leads_to_a_node);
    tcase_add_test(page, a_search_dims_the_rest);
    tcase_add_test(page, the_keyboard_reaches_everything);
    tcase_add_test(page, a_theme_that_was_asked_for_stays);
    tcase_add_test(page, the_backward_pass_is_picked_too);
    tcase_add_test(page, a_link_stands_among_the_facts);
    tcase_add_test(page, it_is_moved_and_zoomed);
    tcase_add_test(page, a_scope_is_opened_in_place_and_left_again);
    tcase_add_test(page, an_open_scope_is_picked_with_all_that_is_in_it);
    tcase_add_test(page, what_is_folded_is_shown_by_its_equal);
    tcase_add_test(page, operations_in_a_row_are_opened_too);
    tcase_add_test(page, the_slider_opens_and_closes_what_is_deep);
    tcase_add_loop_test(page, a_large_graph_is_written_opened_and_searched, 0, COUNT(large));
    tcase_add_test(page, a_hostile_name_is_only_a_name);
    return s;
}

int main(void)
{
    char place[] = "/tmp/wengert-XXXXXX"; /* of the browser's files */
    b = mkdtemp(place) ? browser_start(place, 860, 640) : NULL;
    if (!b) {
        rmdir(place);
        puts("there is no Chromium (apt install chromium): the page was not tried in a browser");
        return SKIPPED;
    }
    SRunner *runner = srunner_create(page_suite());
    srunner_set_fork_status(runner, CK_NOFORK); /* one browser for all */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    browser_end(b);
    rmdir(place);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
