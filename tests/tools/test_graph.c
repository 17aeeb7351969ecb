/* `wengert graph`: what it shows, and the exit codes of what it cannot. The command is WENGERT_COMMAND. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/models.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static char folder[64], output[1 << 20];

static void set_up(void)
{
    setenv("LC_ALL", "C.UTF-8", 1);
    unsetenv("COLUMNS");
    strcpy(folder, "/tmp/wengert-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void tear_down(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* Runs `wengert ARGUMENTS` in the folder; its output, errors included, is in `output`. Returns the exit code. */
static int run(const char *arguments)
{
    char command[1024];
    snprintf(command, sizeof command, "cd '%s' && '%s' %s 2>&1", folder, getenv("WENGERT_COMMAND"), arguments);
    FILE *from = popen(command, "r");
    ck_assert_ptr_nonnull(from);
    output[fread(output, 1, sizeof output - 1, from)] = 0;
    int status = pclose(from);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void said(const char *text) { ck_assert_msg(strstr(output, text), "%.2000s\ndoes not hold %s", output, text); }

static bool is_there(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return !access(path, R_OK);
}

/* ---- The networks ------------------------------------------------------------------------------------------------ */
START_TEST(every_built_in_network_is_shown)
{
    char arguments[64];
    for (int i = 0; built_in_at(i); i++) {
        snprintf(arguments, sizeof arguments, "graph %s", built_in_at(i)->name);
        ck_assert_int_eq(run(arguments), 0);
        ck_assert_int_eq(strncmp(output, "scope ", 6), 0);
        said("FLOPs");
        snprintf(arguments, sizeof arguments, "graph %s -o - --format dot --overlay grad", built_in_at(i)->name);
        ck_assert_int_eq(run(arguments), 0);
        ck_assert_int_eq(strncmp(output, "digraph \"", 9), 0);
        said("gradient 2-norm");
    }
}
END_TEST

START_TEST(what_was_trained_is_shown)
{
    ck_assert_msg(run("train --layers 2,5,2 --epochs 1 --checkpoint m.safetensors") == 0, "%s", output);
    ck_assert_msg(run("graph m.safetensors --batch 3") == 0, "%s", output);
    said("3\xc3\x97"
         "5");
    said("fc2    linear");
    ck_assert_int_eq(run("graph m.safetensors -o m.dot --title 'the net'"), 0);
    ck_assert(is_there("m.dot"));
    ck_assert_int_eq(run("graph m.safetensors -o - --format dot"), 0);
    said("digraph \"m\"");
}
END_TEST

START_TEST(what_was_written_as_json_is_shown)
{
    ck_assert_int_eq(run("graph transformer -o net.json"), 0);
    ck_assert_int_eq(run("graph transformer"), 0);
    char *table = strdup(output);
    ck_assert_int_eq(run("graph net.json"), 0);
    ck_assert(!strcmp(table, output));
    free(table);
    ck_assert_int_eq(run("graph net.json --fold yes --close attn -o net.dot"), 0);
    ck_assert(is_there("net.dot"));
}
END_TEST

/* A chain of 1502 nodes, as wg_draw writes it. */
START_TEST(a_graph_that_takes_long_is_told_of)
{
    char path[128];
    snprintf(path, sizeof path, "%s/long.json", folder);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "{\"title\":\"long\",\"roots\":[\"n1501\"],\"nodes\":[{\"id\":\"n0\",\"kind\":\"input\","
                  "\"outputs\":[{\"shape\":[],\"dtype\":\"float32\",\"name\":\"x\"}]}");
    for (int i = 1; i < 1502; i++)
        fprintf(file, ",{\"id\":\"n%d\",\"kind\":\"operation\",\"op\":\"sin\",\"outputs\":[{\"shape\":[],"
                      "\"dtype\":\"float32\"}]}", i);
    fprintf(file, "],\"edges\":[");
    for (int i = 1; i < 1502; i++)
        fprintf(file, "%s{\"from\":\"n%d\",\"to\":\"n%d\",\"operand\":0}", i > 1 ? "," : "", i - 1, i);
    fprintf(file, "],\"scopes\":[]}\n");
    fclose(file);
    ck_assert_int_eq(run("graph long.json --depth all --fold no -o long.dot"), 0);
    said("1502 nodes take Graphviz long");
    ck_assert_int_eq(run("graph long.json -o long.dot"), 0);
    ck_assert_str_eq(output, "");
}
END_TEST

/* ---- In the terminal --------------------------------------------------------------------------------------------- */
START_TEST(a_tree_tells_of_scopes)
{
    ck_assert_int_eq(run("graph gpt2 --tree"), 0);
    said("\xe2\x94\x9c\xe2\x94\x80 block \xc3\x97""12                          16 ops                      599,808\n");
    said("\xe2\x94\x82  \xe2\x94\x9c\xe2\x94\x80 mlp ");
    said("(wte, tied)                        counted above\n");
    ck_assert_int_eq(run("graph gpt2 --tree --depth 1 --fold no"), 0);
    said("block.11 ");
    setenv("LC_ALL", "C", 1);
    ck_assert_int_eq(run("graph gpt2 --tree"), 0);
    said("|- block x12 ");
    said("|  `- add\n");
    for (const char *c = output; *c; c++)
        ck_assert((unsigned char)*c < 0x80);
}
END_TEST

static const struct {
    const char *columns, *heading;
} widths[] = {{"200", "scope  op             output       params     kept    FLOPs"},
              {"60", "scope  op             output       params     kept    FLOPs"},
              {"58", "scope  op             output       params     kept"},
              {"49", "scope  op             output       params"},
              {"40", "scope  op             output"},
              {"1", "scope  op             output"}};

START_TEST(a_table_does_without_what_is_too_wide)
{
    setenv("COLUMNS", widths[_i].columns, 1);
    ck_assert_int_eq(run("graph lenet"), 0);
    char *end = strchr(output, '\n');
    ck_assert_ptr_nonnull(end);
    said("64\xc3\x97""16\xc3\x97""10\xc3\x97""10");
    *end = 0;
    ck_assert_str_eq(output, widths[_i].heading);
}
END_TEST

START_TEST(a_tree_fits_a_narrow_terminal)
{
    setenv("COLUMNS", "40", 1);
    ck_assert_int_eq(run("graph gpt2 --tree"), 0);
    said("\xe2\x94\x9c\xe2\x94\x80 block \xc3\x97""12                     599,808\n");
    said("(wte, tied)\n");
    int width = 0;
    for (const char *c = output; *c; c++) {
        width = *c == '\n' ? 0 : width + (((unsigned char)*c & 0xc0) != 0x80);
        ck_assert_int_le(width, 40);
    }
}
END_TEST

START_TEST(all_that_is_known_is_told_as_json)
{
    ck_assert_int_eq(run("graph mlp --json"), 0);
    ck_assert_int_eq(strncmp(output, "{\"title\":\"mlp\"", 14), 0);
    said("\"flops\":12853248");
}
END_TEST

START_TEST(options_change_the_picture)
{
    ck_assert_int_eq(run("graph transformer -o - --format dot --depth 1 --direction LR --title hello"), 0);
    said("digraph \"hello\"");
    said("rankdir=\"LR\"");
    said("9 ops");
    ck_assert_int_eq(run("graph lenet -o - --format dot --views"), 0);
    said("<B>flatten</B>");
    ck_assert_int_eq(run("graph gpt2 -o - --format dot --close attn"), 0);
    said("\xc3\x97" "12");
    said("9 ops");
    ck_assert_int_eq(run("graph lenet -o - --format dot --backward"), 0);
    said("gradient 2-norm");
    said("\xe2\x88\x82&#160;conv2d");
    ck_assert_int_eq(run("graph mlp -o - --format dot --params hide --overlay memory"), 0);
    said("32 KiB \xc2\xb7 kept");
    ck_assert_int_eq(run("graph lenet -o - --format dot --overlay values"), 0);
    said("mean ");
    ck_assert_int_eq(run("graph mlp -o - --format dot --compiled before --backward"), 0);
    said("cluster_backward");
    ck_assert_int_eq(run("graph mlp -o - --format dot --compiled after --backward --overlay time"), 0);
    said("gradient of fc1.weight");
    said(" %  ");
}
END_TEST

/* ---- Refused ----------------------------------------------------------------------------------------------------- */
static const struct {
    const char *arguments;
    int code;
    const char *message;
} refused[] = {
    {"graph", 2, "which:"},
    {"graph mpl", 2, "the nearest is \"mlp\""},
    {"graph mlp lenet", 2, "one network at a time"},
    {"graph mlp --depth 0", 2, "--depth takes"},
    {"graph mlp --batch 1e9", 2, "--batch takes"},
    {"graph mlp --overlay heat", 2, "none, values, grad, memory, time"},
    {"graph mlp --format jpeg", 2, "dot, svg, png, txt, json, html"},
    {"graph mlp -o a.svg --format svg", 2, "standard output"},
    {"graph mlp -o a.jpeg", 1, "not one of .dot, .svg, .png, .html, .json, .txt"},
    {"graph mlp -o missing/a.dot", 1, "missing/a.dot"},
    {"graph none.safetensors", 1, "No such file"},
    {"graph none.json", 1, "No such file"},
    {"graph mlp --fold maybe", 2, "large, yes, no"},
    {"graph mlp --params all", 2, "card, node, hide"},
    {"graph mlp --depth few", 2, "--depth takes"},
    {"graph mlp --compiled now", 2, "before, after"},
    {"graph none.json --compiled after", 2, "no compiled function"},
    {"graph mlp > /dev/full", 1, ""},
};

START_TEST(what_cannot_be_shown_is_refused)
{
    ck_assert_int_eq(run(refused[_i].arguments), refused[_i].code);
    said(refused[_i].message);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("graph");
    TCase *command = tcase_create("command");
    tcase_add_checked_fixture(command, set_up, tear_down);
    tcase_add_test(command, every_built_in_network_is_shown);
    tcase_add_test(command, what_was_trained_is_shown);
    tcase_add_test(command, what_was_written_as_json_is_shown);
    tcase_add_test(command, a_graph_that_takes_long_is_told_of);
    tcase_add_test(command, a_tree_tells_of_scopes);
    tcase_add_loop_test(command, a_table_does_without_what_is_too_wide, 0, COUNT(widths));
    tcase_add_test(command, a_tree_fits_a_narrow_terminal);
    tcase_add_test(command, all_that_is_known_is_told_as_json);
    tcase_add_test(command, options_change_the_picture);
    tcase_add_loop_test(command, what_cannot_be_shown_is_refused, 0, COUNT(refused));
    suite_add_tcase(s, command);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
