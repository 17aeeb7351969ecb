/* Pictures: DOT to the byte, what stands in it, what Graphviz makes of it, and every way in which drawing can fail. */
#define WG_WITHOUT_PLACES
#include "graph/drawing.h"
#include "graph/palette.h"

#include "drawn.h"

#include <locale.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* ---- Goldens ----------------------------------------------------------------------------------------------------- */
static const char *golden_path(int i)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/dot/%s.dot", getenv("WENGERT_TEST_DATA"), graphs[i].name);
    return path;
}

/* WENGERT_WRITE_GOLDENS=1 writes them anew: to be looked at before they are committed. */
START_TEST(dot_is_the_same_to_the_byte)
{
    char *dot = drawn(graphs[_i].record(tape), WG_FORMAT_DOT, graphs[_i].options);
    if (getenv("WENGERT_WRITE_GOLDENS")) {
        FILE *file = fopen(golden_path(_i), "wb");
        ck_assert_ptr_nonnull(file);
        fputs(dot, file);
        fclose(file);
    }
    static char golden[1 << 16];
    FILE *file = fopen(golden_path(_i), "rb");
    ck_assert_msg(file, "%s", golden_path(_i));
    golden[fread(golden, 1, sizeof golden - 1, file)] = 0;
    fclose(file);
    int line = 1, at = 0;
    while (dot[at] && dot[at] == golden[at])
        line += dot[at++] == '\n';
    ck_assert_msg(dot[at] == golden[at], "%s:%d: not %.80s", golden_path(_i), line, dot + at);
    free(dot);
}
END_TEST

START_TEST(dot_is_the_same_wherever_on_the_tape)
{
    char *first = drawn(graphs[_i].record(tape), WG_FORMAT_DOT, graphs[_i].options);
    wg_tape *other = wg_tape_new();
    wg_tensor x = wg_scalar(other, 1);
    for (int i = 0; i < 300; i++)
        WG_SCOPE(other, "elsewhere", i) x = wg_sin(x);
    char *second = drawn(graphs[_i].record(other), WG_FORMAT_DOT, graphs[_i].options);
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
    wg_tape_free(other);
}
END_TEST

START_TEST(graphviz_reads_it_without_a_warning) { graphviz_takes(golden_path(_i)); }
END_TEST

/* ---- SVG --------------------------------------------------------------------------------------------------------- */
START_TEST(svg_is_well_formed_and_has_both_themes)
{
    if (!have_graphviz())
        return;
    wg_tensor root = graphs[_i].record(tape);
    char *svg = drawn(root, WG_FORMAT_SVG, graphs[_i].options), *dot = drawn(root, WG_FORMAT_DOT, graphs[_i].options);
    is_sound(svg);
    ck_assert_int_eq(strncmp(svg, "<svg width=\"", 12), 0);
    ck_assert_int_eq(count(svg, "prefers-color-scheme:dark"), graphs[_i].options.theme == WG_THEME_AUTO);
    ck_assert_int_eq(count(svg, "<!--"), 0);
    ck_assert_int_eq(count(svg, "class=\"node"), count(dot, "shape=\""));
    int unseen = count(dot, "style=\"invis\"") - count(dot, "rank=\"same\" style=\"invis\""); /* edges, and clusters */
    ck_assert_int_eq(count(svg, "class=\"edge"), count(dot, " -> ") - unseen);
    free(svg);
    free(dot);
}
END_TEST

/* ---- What stands in it ------------------------------------------------------------------------------------------- */
START_TEST(several_roots_are_drawn_together)
{
    wg_tensor x = filled(tape, "x", WG_SHAPE(2), 1), roots[] = {wg_sum(wg_sin(x)), wg_sum(wg_cos(x))};
    const char *path = in_folder("many.dot");
    char text[16384] = "";
    ck_assert_int_eq(wg_draw_many(roots, 2, path), WG_OK);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    ck_assert_int_eq(count(text, "class=\"loss\""), 2);
    ck_assert_int_eq(count(text, " [id=\"n"), 5);
    ck_assert_int_ne(wg_draw_many(roots, 0, path), WG_OK);
    ck_assert_int_ne(wg_draw_many(NULL, 2, path), WG_OK);
    wg_tape *other = wg_tape_new();
    wg_tensor apart[] = {roots[0], wg_scalar(other, 1)};
    wg_clear_error(tape);
    ck_assert_int_eq(wg_draw_many(apart, 2, path), WG_ERROR_VALUE);
    wg_tape_free(other);
}
END_TEST

static wg_tensor chain(int n, bool in_scopes)
{
    wg_tensor x = filled(tape, "x", WG_SCALAR, 1);
    for (int i = 1; i < n; i++)
        if (in_scopes && i < n - 1)
            WG_SCOPE(tape, "part", i / 10) x = wg_sin(x);
        else
            x = wg_sin(x);
    return x;
}

static const struct {
    int nodes;
    wg_fold fold;
    int scopes, closed;   /* scopes drawn open, closed */
    const char *folded;
} pages[] = {{150, WG_FOLD_LARGE, 15, 0, NULL},
             {151, WG_FOLD_LARGE, 2, 0, "14 equal scopes folded"},
             {151, WG_FOLD_NO, 0, 15, NULL},
             {150, WG_FOLD_YES, 3, 0, "13 equal scopes folded"}};

START_TEST(scopes_are_folded_or_closed_when_a_page_is_full)
{
    wg_draw_options options = {.fold = pages[_i].fold};
    char *dot = drawn(chain(pages[_i].nodes, true), WG_FORMAT_DOT, options), *at;
    ck_assert_int_eq(count(dot, "class=\"scope\" label=<<B>"), pages[_i].scopes);
    ck_assert_int_eq(count(dot, "class=\"scope\" label=<<FONT"), pages[_i].closed);
    ck_assert_int_eq(count(dot, "closed to fit a page"), pages[_i].closed > 0);
    ck_assert(!strstr(dot, "folded") == !pages[_i].folded);
    ck_assert(!pages[_i].folded || strstr(dot, pages[_i].folded));
    at = strstr(dot, "\xc2\xb7 15"); /* what is counted does not depend on what is drawn */
    ck_assert(at && atoi(at + 3) == pages[_i].nodes);
    free(dot);
    dot = drawn(chain(pages[_i].nodes, true), WG_FORMAT_DOT, (wg_draw_options){.depth = WG_ALL, .fold = WG_FOLD_NO});
    ck_assert_int_eq(count(dot, " [id=\"n"), pages[_i].nodes);
    free(dot);
}
END_TEST

/* A page of operations is drawn; one more, and those in a row are one node, but not the named one. */
START_TEST(operations_in_a_row_are_joined_when_a_page_is_full)
{
    char *dot = drawn(chain(150, false), WG_FORMAT_DOT, (wg_draw_options){0});
    ck_assert_int_eq(count(dot, " [id=\"n"), 150);
    free(dot);
    dot = drawn(wg_sum(wg_exp(wg_name(wg_sin(chain(200, false)), "h"))), WG_FORMAT_DOT, (wg_draw_options){0});
    ck_assert_int_eq(count(dot, " [id=\"n"), 4);
    ck_assert_int_eq(count(dot, ">199 ops<"), 1);
    ck_assert_int_eq(count(dot, " -> "), 4);
    free(dot);
}
END_TEST

START_TEST(the_not_finite_one_is_where_it_starts)
{
    wg_tensor at, y = not_finite(tape);
    ck_assert(wg_find_nonfinite(tape, &at));
    char *dot = drawn(y, WG_FORMAT_DOT, (wg_draw_options){0});
    ck_assert_int_eq(count(dot, "class=\"bad\""), 1);
    ck_assert_int_eq(count(dot, "<B>log</B></FONT><BR/>"), 1);
    ck_assert_int_eq(count(dot, "NaN starts here: 2 of 4"), 1);
    ck_assert_int_eq(count(dot, "input in [-4, 3]"), 1);
    free(dot);
}
END_TEST

/* Of a check: relu of the perceptron, where it stands; the like of another place; one that passed. */
static const struct {
    wg_check_report report;
    int marks;
    const char *caption;
} checks[] = {
    {{.failed = true, .blame = "relu (model.c:14): its vjp for `x` gives 1, the numerical one 2"},
     1,
     "check failed: relu (model.c:14)<"},
    {{.failed = true, .blame = "relu (model.c:99): its vjp for `x` gives 1, the numerical one 2"},
     0,
     "check failed: relu (model.c:99)<"},
    {{.failed = true, .blame = "cross_entropy: its vjp for `logits` is a bit < the numerical one"},
     1,
     "check failed: cross_entropy<"},
    {{.failed = true}, 0, "check failed<"},
    {{.failed = false, .blame = "cross_entropy: "}, 0, "check passed<"},
};

START_TEST(what_a_check_blames_is_marked)
{
    char *dot = drawn(mlp(tape), WG_FORMAT_DOT, (wg_draw_options){.check = &checks[_i].report});
    ck_assert_int_eq(count(dot, "wrong derivative"), checks[_i].marks);
    ck_assert_int_eq(count(dot, "class=\"bad\""), checks[_i].marks);
    ck_assert_int_eq(count(dot, "its vjp for"), checks[_i].marks);
    ck_assert_msg(strstr(dot, checks[_i].caption), "%s", dot);
    free(dot);
}
END_TEST

static void shrunk(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_sin(in[0]);
}

START_TEST(a_loop_that_is_one_node_says_how_often)
{
    wg_tensor last;
    wg_scan(shrunk, WG_TENSORS(filled(tape, "x", WG_SHAPE(3), 1)), ((wg_tensors){0}), &last, 1, .length = 40,
            .snapshots = 2);
    char *dot = drawn(wg_sum(last), WG_FORMAT_DOT, (wg_draw_options){0});
    ck_assert_ptr_nonnull(strstr(dot, "<B>scan&#160;</B>\xc3\x97" "40<"));
    ck_assert_ptr_nonnull(strstr(dot, ">1 op each<"));
    free(dot);
}
END_TEST

static void hidden_layer(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_tanh(wg_add(wg_multiply(in[0], 2), wg_expand_dims(in[0], WG_AXES(0))));
}

START_TEST(a_checkpoint_is_one_node_and_says_of_how_many_operations)
{
    wg_tensor x = filled(tape, "x", WG_SHAPE(3), 1), y;
    wg_checkpoint(hidden_layer, WG_TENSORS(x), &y, 1);
    char *dot = drawn(wg_sum(y), WG_FORMAT_DOT, (wg_draw_options){0});
    ck_assert_ptr_nonnull(strstr(dot, "<B>checkpoint</B>"));
    ck_assert_ptr_nonnull(strstr(dot, ">4 ops<")); /* a view among them */
    free(dot);
}
END_TEST

START_TEST(what_is_finite_has_no_start)
{
    wg_tensor at = WG_NONE;
    mlp(tape);
    ck_assert(!wg_find_nonfinite(tape, &at));
    ck_assert(wg_is_none(at));
    wg_add(wg_full(tape, WG_FLOAT64, WG_SHAPE(2), INFINITY), 1); /* meant */
    ck_assert(!wg_find_nonfinite(tape, &at));
    wg_tensor bad = wg_full(tape, WG_FLOAT32, WG_SHAPE(300), NAN);
    ck_assert(wg_find_nonfinite(tape, &at));
    ck_assert_uint_eq(at.node, bad.node);
    ck_assert(!wg_find_nonfinite(NULL, &at));
    ck_assert(!wg_find_nonfinite(tape, NULL));
}
END_TEST

START_TEST(a_table_has_a_line_for_everything)
{
    char *table = drawn(mlp(tape), WG_FORMAT_TEXT, (wg_draw_options){.title = "mlp"});
    ck_assert_str_eq(table, "scope  op             output   params   kept  FLOPs\n"
                            "       x              4\xc3\x97"
                            "5           -      -      -\n"
                            "fc1    linear         4\xc3\x97"
                            "8          48  256 B    352\n"
                            "       relu           4\xc3\x97"
                            "8           -  256 B     32\n"
                            "fc2    linear         4\xc3\x97"
                            "3          27   96 B    204\n"
                            "       y              4 int64       -      -      -\n"
                            "       cross_entropy  scalar        -  104 B      -\n"
                            "mlp    10 nodes                    75  712 B    588\n");
    free(table);
}
END_TEST

START_TEST(numbers_have_a_point_in_every_locale)
{
    wg_tensor y = mlp(tape);
    char *usual = drawn(y, WG_FORMAT_DOT, (wg_draw_options){.overlay = WG_SHOW_VALUES});
    const char *const commas[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "nl_NL.UTF-8"};
    bool set = false;
    for (int i = 0; i < COUNT(commas) && !set; i++)
        set = setlocale(LC_NUMERIC, commas[i]);
    char *there = drawn(y, WG_FORMAT_DOT, (wg_draw_options){.overlay = WG_SHOW_VALUES});
    setlocale(LC_NUMERIC, "C");
    ck_assert_str_eq(usual, there);
    free(usual);
    free(there);
}
END_TEST

START_TEST(a_png_that_would_be_shrunk_is_refused)
{
    if (!have_graphviz())
        return;
    ck_assert_int_eq(wg_draw(chain(600, false), in_folder("long.png"), .depth = 1), WG_ERROR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "draw .svg"));
    wg_clear_error(tape);
    ck_assert_int_eq(wg_draw(mlp(tape), in_folder("mlp.png")), WG_OK);
    ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

START_TEST(a_table_has_no_line_too_many)
{
    char *table = drawn(hostile(tape), WG_FORMAT_TEXT, (wg_draw_options){.title = HOSTILE});
    ck_assert_int_eq(count(table, "\n"), 5);
    ck_assert_int_eq(count(table, "\xff"), 0);
    free(table);
}
END_TEST

START_TEST(long_and_deep_names_are_drawn)
{
    char name[3000];
    for (int i = 0; i < 1400; i++)
        memcpy(name + 2 * i, "a.", 2);
    strcpy(name + 2800, "w");
    wg_tensor y = wg_sum(wg_linear(filled(tape, "x", WG_SHAPE(1, 1), 1), param(tape, name, WG_SHAPE(1, 1)), WG_NONE));
    char *dot = drawn(y, WG_FORMAT_DOT, (wg_draw_options){0});
    ck_assert_int_le(count(dot, "subgraph"), 40);
    free(dot);
}
END_TEST

/* ---- Colours ----------------------------------------------------------------------------------------------------- */
/* Amount i of red, green and blue light. */
static double light_of(const char *literal, int i)
{
    double c = (double)(strtoul(literal + 1, NULL, 16) >> (16 - 8 * i) & 255) / 255;
    return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

/* Relative luminance and contrast: WCAG 2.1. */
static double luminance(const char *literal)
{
    return 0.2126 * light_of(literal, 0) + 0.7152 * light_of(literal, 1) + 0.0722 * light_of(literal, 2);
}

static double contrast(const char *a, const char *b)
{
    double x = luminance(a), y = luminance(b);
    return (fmax(x, y) + 0.05) / (fmin(x, y) + 0.05);
}

static const struct {
    wg_color text, ground;
    double least;
} readable[] = {
    {WG_COLOR_ink, WG_COLOR_page, 4.5},       {WG_COLOR_ink, WG_COLOR_op, 4.5},
    {WG_COLOR_ink, WG_COLOR_input, 4.5},      {WG_COLOR_ink, WG_COLOR_param, 4.5},
    {WG_COLOR_ink, WG_COLOR_loss, 4.5},       {WG_COLOR_ink, WG_COLOR_closed, 4.5},
    {WG_COLOR_ink, WG_COLOR_bad, 4.5},        {WG_COLOR_muted, WG_COLOR_page, 4.5},
    {WG_COLOR_muted, WG_COLOR_op, 4.5},       {WG_COLOR_muted, WG_COLOR_input, 4.5},
    {WG_COLOR_muted, WG_COLOR_param, 4.5},    {WG_COLOR_muted, WG_COLOR_loss, 4.5},
    {WG_COLOR_muted, WG_COLOR_scope, 4.5},    {WG_COLOR_muted, WG_COLOR_closed, 4.5},
    {WG_COLOR_muted, WG_COLOR_bad, 4.5},      {WG_COLOR_ink, WG_COLOR_heat1, 4.5},
    {WG_COLOR_ink, WG_COLOR_heat2, 4.5},      {WG_COLOR_on_heat3, WG_COLOR_heat3, 4.5},
    {WG_COLOR_on_heat4, WG_COLOR_heat4, 4.5}, {WG_COLOR_on_heat4, WG_COLOR_heat5, 4.5},
    {WG_COLOR_on_heat4, WG_COLOR_heat6, 4.5}, {WG_COLOR_ink, WG_COLOR_back, 4.5},
    {WG_COLOR_muted, WG_COLOR_back, 4.5},     {WG_COLOR_bad_line, WG_COLOR_bad, 4.5},
    {WG_COLOR_unused_ink, WG_COLOR_page, 3},
};

START_TEST(text_stands_out_from_its_ground)
{
    const char *(*const themes[])(wg_color) = {wg_color_light, wg_color_dark};
    for (int t = 0; t < 2; t++) {
        double c = contrast(themes[t](readable[_i].text), themes[t](readable[_i].ground));
        ck_assert_msg(c >= readable[_i].least, "%s on %s: %.2f", themes[t](readable[_i].text),
                      themes[t](readable[_i].ground), c);
    }
}
END_TEST

START_TEST(a_literal_has_one_role)
{
    for (int i = 0; i < WG_COLORS; i++)
        for (int k = 0; k < WG_COLORS; k++) {
            ck_assert_str_ne(wg_color_light((wg_color)i), wg_color_dark((wg_color)k));
            ck_assert(i == k || strcmp(wg_color_light((wg_color)i), wg_color_light((wg_color)k)));
        }
}
END_TEST

/* What red, green and blue light are to an eye without one of its cones (Machado, Oliveira and Fernandes 2009, severity
 * 1), and how far colours are apart then, in Oklab (Ottosson 2020), where 0.02 is about what is noticed. */
static const double eyes[][3][3] = {
    {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
    {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
    {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
    {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
};

static void seen(const double eye[3][3], const char *literal, double lab[3])
{
    static const double cones[3][3] = {{0.4122214708, 0.5363325363, 0.0514459929},
                                       {0.2119034982, 0.6806995451, 0.1073969566},
                                       {0.0883024619, 0.2817188376, 0.6299787005}},
                        axes[3][3] = {{0.2104542553, 0.7936177850, -0.0040720468},
                                      {1.9779984951, -2.4285922050, 0.4505937099},
                                      {0.0259040371, 0.7827717662, -0.8086757660}};
    double light[3] = {0}, cone[3] = {0};
    for (int i = 0; i < 9; i++)
        light[i / 3] += eye[i / 3][i % 3] * light_of(literal, i % 3);
    for (int i = 0; i < 9; i++)
        cone[i / 3] += cones[i / 3][i % 3] * fmin(fmax(light[i % 3], 0), 1);
    memset(lab, 0, 3 * sizeof *lab);
    for (int i = 0; i < 9; i++)
        lab[i / 3] += axes[i / 3][i % 3] * cbrt(cone[i % 3]);
}

START_TEST(roles_are_told_apart_by_every_eye)
{
    static const wg_color lines[] = {WG_COLOR_input_line, WG_COLOR_param_line, WG_COLOR_loss_line, WG_COLOR_bad_line,
                                     WG_COLOR_op_line};
    for (int k = 0; k < 5 * 5 * 2; k++) {
        const char *one = wg_color_in(lines[k % 5], k / 25), *other = wg_color_in(lines[k / 5 % 5], k / 25);
        double a[3], b[3];
        seen(eyes[_i], one, a);
        seen(eyes[_i], other, b);
        double apart = hypot(a[0] - b[0], hypot(a[1] - b[1], a[2] - b[2]));
        ck_assert_msg(one == other || apart >= 0.04, "%s and %s: %.3f", one, other, apart);
    }
}
END_TEST

/* Told apart in grey too: a larger gradient is always further from the page. */
START_TEST(heat_grows_from_the_page)
{
    for (int i = WG_COLOR_heat1; i < WG_COLOR_heat6; i++) {
        ck_assert_double_gt(luminance(wg_color_light((wg_color)i)), luminance(wg_color_light((wg_color)(i + 1))));
        ck_assert_double_lt(luminance(wg_color_dark((wg_color)i)), luminance(wg_color_dark((wg_color)(i + 1))));
    }
}
END_TEST

/* Also in text: no control byte, and UTF-8 all through. */
START_TEST(a_hostile_name_is_plain_text)
{
    for (int tree = 0; tree < 2; tree++) {
        char *text = drawn(hostile(tape), WG_FORMAT_TEXT, (wg_draw_options){.tree = tree, .title = HOSTILE});
        ck_assert_int_ge(count(text, "\xef\xbf\xbd"), 2);
        for (const unsigned char *c = (unsigned char *)text; *c; c++)
            ck_assert(*c == '\n' || (*c >= 0x20 && *c != 0x7f && *c != 0xff));
        free(text);
        text = drawn(hostile(tape), WG_FORMAT_TEXT, (wg_draw_options){.tree = tree, .title = HOSTILE, .ascii = true});
        for (const unsigned char *c = (unsigned char *)text; *c; c++)
            ck_assert(*c == '\n' || (*c >= 0x20 && *c < 0x7f));
        free(text);
    }
}
END_TEST

START_TEST(a_neighbourhood_is_all_that_is_drawn)
{
    static const struct {
        const char *name;
        int radius, nodes;
    } around[] = {{"n50", 1, 3}, {"n50", 5, 11}, {"n0", 2, 3}, {"part.3", 1, 12}, {"x", 0, 3}};
    wg_tensor y = chain(100, true);
    for (int i = 0; i < COUNT(around); i++) {
        char *dot = drawn(y, WG_FORMAT_DOT, (wg_draw_options){.around = around[i].name, .radius = around[i].radius});
        ck_assert_int_eq(count(dot, " [id=\"n"), around[i].nodes);
        ck_assert_int_eq(count(dot, "shape=\"plaintext\""),
                         strcmp(around[i].name, "n0") && strcmp(around[i].name, "x") ? 2 : 1);
        free(dot);
    }
}
END_TEST

/* ---- Time -------------------------------------------------------------------------------------------------------- */
START_TEST(a_hundred_thousand_nodes_take_linear_time)
{
    wg_tensor x = filled(tape, "x", WG_SCALAR, 1), y = x;
    for (int i = 0; i < 100000; i++)
        WG_SCOPE(tape, "block", i / 50) WG_SCOPE(tape, "part", i % 5) y = wg_add(y, x);
    for (int depth = 0; depth < 3; depth++) {
        clock_t start = clock();
        char *dot = drawn(y, WG_FORMAT_DOT, (wg_draw_options){.depth = depth});
        ck_assert_double_lt((double)(clock() - start) / CLOCKS_PER_SEC,
                            20); /* 0.6 s, without a sanitizer; quadratic: minutes */
        free(dot);
    }
}
END_TEST

START_TEST(views_of_views_take_linear_time)
{
    wg_tensor x = filled(tape, "x", WG_SHAPE(2, 2), 1), sum = x;
    for (int i = 0; i < 20000; i++) {
        x = wg_matrix_transpose(x);
        sum = wg_add(sum, x);
    }
    clock_t start = clock();
    free(drawn(sum, WG_FORMAT_DOT, (wg_draw_options){0}));
    ck_assert_double_lt((double)(clock() - start) / CLOCKS_PER_SEC, 20);
}
END_TEST

/* ---- Bad input --------------------------------------------------------------------------------------------------- */
static const char *const bad_paths[] = {
    NULL, "", "picture", "picture.jpeg", "dir.svg/", "missing/folder/a.dot", "directory.dot"};

START_TEST(a_path_that_will_not_do_is_refused)
{
    wg_tensor y = mlp(tape);
    const char *path = bad_paths[_i] && *bad_paths[_i] ? in_folder(bad_paths[_i]) : bad_paths[_i];
    ck_assert_int_eq(mkdir(in_folder("directory.dot"), 0700), 0);
    ck_assert_int_ne(wg_draw(y, path), WG_OK);
    ck_assert(wg_failed(tape));
    ck_assert_int_eq(files_in_folder(), 1);
    wg_clear_error(tape);
    ck_assert_int_eq(wg_draw(y, in_folder("fine.dot")), WG_OK);
}
END_TEST

static bool sink_full(void *user, const void *data, size_t size)
{
    (void)user;
    (void)data;
    (void)size;
    return false;
}

static const char *const bad_links[] = {"javascript:alert(1)", "https://host/\"{file}", "https://a b", "https://\\",
                                        "ftp://host"};

START_TEST(what_cannot_be_drawn_is_refused)
{
    wg_tensor y = mlp(tape);
    memory m = {0};
    ck_assert_int_eq(wg_draw_to(y, (wg_format)9, to_memory, &m), WG_ERROR_VALUE);
    ck_assert_int_eq(wg_draw_to(y, (wg_format)-1, to_memory, &m), WG_ERROR_VALUE);
    ck_assert_int_eq(wg_draw_to(y, WG_FORMAT_DOT, NULL, NULL), WG_ERROR_VALUE);
    ck_assert_int_eq(wg_draw_to(y, WG_FORMAT_DOT, sink_full, NULL), WG_ERROR_FILE);
    ck_assert_int_ne(wg_draw_to(WG_NONE, WG_FORMAT_DOT, to_memory, &m), WG_OK);
    ck_assert_int_ne(wg_draw_to(WG_INVALID, WG_FORMAT_DOT, to_memory, &m), WG_OK);
    ck_assert_int_ne(wg_draw_to(wg_number(2), WG_FORMAT_DOT, to_memory, &m), WG_OK);
    ck_assert_int_eq(wg_summary(y, NULL), WG_ERROR_VALUE);
    for (int i = 0; i < COUNT(bad_links); i++)
        ck_assert_int_eq(wg_draw_to(y, WG_FORMAT_DOT, to_memory, &m, .link = bad_links[i]), WG_ERROR_VALUE);
    ck_assert_int_eq(wg_draw_to(y, WG_FORMAT_DOT, to_memory, &m, .background = "\"red"), WG_ERROR_VALUE);
    ck_assert_int_eq(wg_draw_to(y, WG_FORMAT_DOT, to_memory, &m, .around = "nobody"), WG_ERROR_VALUE);
    ck_assert_int_eq(wg_draw_to(y, WG_FORMAT_DOT, to_memory, &m, .overlay = WG_SHOW_TIME), WG_ERROR_VALUE);
    ck_assert_int_ne(wg_draw(y, "/proc/unwritable.dot"), WG_OK);
    wg_clear_error(tape);
    ck_assert_int_eq(wg_draw_to(y, WG_FORMAT_DOT, to_memory, &m, .overlay = WG_SHOW_GRAD), WG_ERROR_VALUE);
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "no gradients on this tape; call wg_backward first"));
    ck_assert_ptr_null(m.data);
    wg_clear_error(tape);
    wg_mark start = wg_tape_mark(tape);
    wg_tensor stale = wg_sin(y);
    wg_rewind(tape, start);
    ck_assert_int_eq(wg_draw_to(stale, WG_FORMAT_DOT, to_memory, &m), WG_ERROR_STALE);
}
END_TEST

/* ---- Graphviz ---------------------------------------------------------------------------------------------------- */
/* A "dot" of ours, first in the PATH. */
static void fake_dot(const char *script)
{
    char path[600];
    ck_assert_int_eq(chmod(file_of("dot", script, strlen(script)), 0700), 0);
    snprintf(path, sizeof path, "%s:%.400s", folder, old_path);
    setenv("PATH", path, 1);
}

static const struct {
    const char *script, *message; /* no script: no "dot" either */
} failures[] = {
    {NULL, "Graphviz's \"dot\" not found"},
    {"#!/bin/sh\ncat >/dev/null\necho half a picture\nexit 3\n", "failed (exit code 3)"},
    {"#!/bin/sh\nkill -9 $$\n", "killed"},
    {"#!/bin/sh\ncat >/dev/null\n", "failed (exit code 0)"},
    {"#!/bin/sh\nexit 1\n", "failed (exit code 1)"},
    {"#!/bin/sh\n[ \"$1\" = -V ] && echo 'dot - graphviz version 1.12' >&2 && exit 0\ncat >/dev/null\n"
     "echo \"Error: <stdin>:4: syntax error near line 4\" >&2\nexit 1\n",
     "of version 2.30 or newer (as \"dot -V\" tells)"},
};

START_TEST(a_graphviz_that_fails_leaves_the_old_picture)
{
    if (!have_graphviz())
        return;
    wg_tensor y = mlp(tape);
    const char *path = file_of("mlp.svg", "old", 3);
    size_t used = wg_tape_used_bytes(tape);
    if (failures[_i].script)
        fake_dot(failures[_i].script);
    else
        setenv("PATH", folder, 1);
    ck_assert_int_eq(wg_draw(y, path), WG_ERROR_UNSUPPORTED);
    ck_assert_msg(strstr(wg_error(tape), failures[_i].message), "%s", wg_error(tape));
    char content[8] = "";
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fread(content, 1, sizeof content, file), 3);
    fclose(file);
    ck_assert_str_eq(content, "old");
    ck_assert_int_eq(files_in_folder(), failures[_i].script ? 2 : 1);
    ck_assert_uint_eq(wg_tape_used_bytes(tape), used);
    ck_assert_int_lt(waitpid(-1, NULL, WNOHANG), 0); /* no child is left */
}
END_TEST

START_TEST(a_graphviz_that_hangs_is_stopped)
{
    if (!have_graphviz())
        return;
    wg_text dot = {.tape = tape}, out = {.tape = tape};
    wg_put(&dot, "digraph {}");
    fake_dot("#!/bin/sh\nexec sleep 60\n");
    time_t start = time(NULL);
    ck_assert_int_eq(wg_graphviz(tape, "wg_draw", &dot, "svg", 0.2, &out), WG_ERROR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "was stopped after 0.2 seconds"));
    ck_assert_int_lt(time(NULL) - start, 30);
    ck_assert_int_lt(waitpid(-1, NULL, WNOHANG), 0);
}
END_TEST

/* ---- A full disk ------------------------------------------------------------------------------------------------- */
static const char *const extensions[] = {"dot", "svg", "png", "json", "txt", "html"};

/* Drawing to a file fails, and what was there is there. */
static void old_one_stays(wg_tensor y, const char *path)
{
    char content[8] = "";
    ck_assert_int_eq(wg_draw(y, path), WG_ERROR_FILE);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fread(content, 1, sizeof content, file), 3);
    fclose(file);
    ck_assert_str_eq(content, "old");
    ck_assert_int_eq(files_in_folder(), 1);
}

START_TEST(a_full_disk_leaves_the_old_picture)
{
    char name[16];
    struct rlimit none = {10, 10};
    if (!have_graphviz() && (_i == 1 || _i == 2))
        return;
    wg_tensor y = mlp(tape);
    snprintf(name, sizeof name, "mlp.%s", extensions[_i]);
    const char *path = file_of(name, "old", 3);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0); /* of this process alone: each test is one */
    old_one_stays(y, path);
}
END_TEST

START_TEST(an_unwritable_folder_leaves_the_old_picture)
{
    char name[16];
    if (!have_graphviz() && (_i == 1 || _i == 2))
        return;
    wg_tensor y = mlp(tape);
    snprintf(name, sizeof name, "mlp.%s", extensions[_i]);
    const char *path = file_of(name, "old", 3);
    ck_assert_int_eq(chmod(folder, 0555), 0);
    bool root = !geteuid();
    ck_assert_int_eq(root ? seteuid(65534) : 0, 0); /* whom the folder's mode binds */
    old_one_stays(y, path);
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "Permission denied"));
    ck_assert_int_eq(root ? seteuid(0) : 0, 0);
    ck_assert_int_eq(chmod(folder, 0700), 0);
}
END_TEST

/* ---- No memory --------------------------------------------------------------------------------------------------- */
static const wg_format formats[] = {WG_FORMAT_DOT, WG_FORMAT_TEXT, WG_FORMAT_JSON, WG_FORMAT_SVG};

START_TEST(a_buffer_that_is_too_small_is_an_error)
{
    static unsigned char buffer[1 << 19];
    bool drew = false;
    if (formats[_i] == WG_FORMAT_SVG && !have_graphviz())
        return;
    for (size_t bytes = 16 << 10; bytes <= sizeof buffer && !drew; bytes += 3000) {
        memory m = {0};
        wg_tape *small = wg_tape_new(.buffer = buffer, .buffer_bytes = bytes);
        wg_tensor y = small ? mlp(small) : WG_NONE;
        if (small && !wg_failed(small)) {
            wg_status status = wg_draw_to(y, formats[_i], to_memory, &m);
            drew = status == WG_OK;
            ck_assert_msg(drew || status == WG_ERROR_MEMORY, "%s", wg_error(small));
            ck_assert(drew == !wg_failed(small));
            wg_clear_error(small);
            ck_assert_double_eq(wg_item(y), wg_item(y));
        }
        free(m.data);
        wg_tape_free(small);
    }
    ck_assert(drew);
}
END_TEST

static void draw_all(wg_tape *on)
{
    memory m = {0};
    wg_tensor y = scopes(on);
    if (!wg_failed(on))
        wg_draw_to(y, have_graphviz() ? WG_FORMAT_SVG : WG_FORMAT_DOT, to_memory, &m);
    free(m.data);
}

START_TEST(every_allocation_may_fail) { fail_each_allocation(draw_all); }
END_TEST

static Suite *drawing_suite(void)
{
    Suite *s = suite_create("drawing");
    TCase *golden = tcase_create("golden"), *content = tcase_create("content"), *failure = tcase_create("failure");
    tcase_add_checked_fixture(golden, set_up, tear_down);
    tcase_add_loop_test(golden, dot_is_the_same_to_the_byte, 0, COUNT(graphs));
    tcase_add_loop_test(golden, dot_is_the_same_wherever_on_the_tape, 0, COUNT(graphs));
    tcase_add_loop_test(golden, graphviz_reads_it_without_a_warning, 0, COUNT(graphs));
    tcase_add_loop_test(golden, svg_is_well_formed_and_has_both_themes, 0, COUNT(graphs));
    suite_add_tcase(s, golden);
    tcase_add_checked_fixture(content, set_up, tear_down);
    tcase_add_loop_test(content, scopes_are_folded_or_closed_when_a_page_is_full, 0, COUNT(pages));
    tcase_add_test(content, operations_in_a_row_are_joined_when_a_page_is_full);
    tcase_add_test(content, the_not_finite_one_is_where_it_starts);
    tcase_add_loop_test(content, what_a_check_blames_is_marked, 0, COUNT(checks));
    tcase_add_test(content, a_loop_that_is_one_node_says_how_often);
    tcase_add_test(content, a_checkpoint_is_one_node_and_says_of_how_many_operations);
    tcase_add_test(content, what_is_finite_has_no_start);
    tcase_add_test(content, a_table_has_a_line_for_everything);
    tcase_add_loop_test(content, text_stands_out_from_its_ground, 0, COUNT(readable));
    tcase_add_loop_test(content, roles_are_told_apart_by_every_eye, 0, COUNT(eyes));
    tcase_add_test(content, a_literal_has_one_role);
    tcase_add_test(content, heat_grows_from_the_page);
    tcase_add_test(content, numbers_have_a_point_in_every_locale);
    tcase_add_test(content, a_png_that_would_be_shrunk_is_refused);
    tcase_add_test(content, a_table_has_no_line_too_many);
    tcase_add_test(content, long_and_deep_names_are_drawn);
    tcase_add_test(content, a_hundred_thousand_nodes_take_linear_time);
    suite_add_tcase(s, content);
    tcase_add_test(content, a_hostile_name_is_plain_text);
    tcase_add_test(content, a_neighbourhood_is_all_that_is_drawn);
    tcase_add_test(content, views_of_views_take_linear_time);
    tcase_add_test(content, several_roots_are_drawn_together);
    tcase_add_checked_fixture(failure, set_up, tear_down);
    tcase_add_loop_test(failure, a_path_that_will_not_do_is_refused, 0, COUNT(bad_paths));
    tcase_add_test(failure, what_cannot_be_drawn_is_refused);
    tcase_add_loop_test(failure, a_graphviz_that_fails_leaves_the_old_picture, 0, COUNT(failures));
    tcase_add_loop_test(failure, a_full_disk_leaves_the_old_picture, 0, COUNT(extensions));
    tcase_add_loop_test(failure, an_unwritable_folder_leaves_the_old_picture, 0, COUNT(extensions));
    tcase_add_test(failure, a_graphviz_that_hangs_is_stopped);
    tcase_add_loop_test(failure, a_buffer_that_is_too_small_is_an_error, 0, COUNT(formats));
    tcase_add_test(failure, every_allocation_may_fail);
    suite_add_tcase(s, failure);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(drawing_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
