/* The facts of a graph as JSON: valid, the same to the byte, and read back as what was written, whatever the file
 * holds. */
#define WG_WITHOUT_PLACES
#include "drawn.h"

#include <jansson.h>

/* ---- JSON -------------------------------------------------------------------------------------------------------- */
/* A parsed picture of graph i, recorded on a tape of its own. */
static json_t *facts_of(int i, char **text)
{
    wg_tape *on = wg_tape_new();
    *text = drawn(graphs[i].record(on), WG_FORMAT_JSON, graphs[i].options);
    wg_tape_free(on);
    json_error_t error;
    json_t *facts = json_loads(*text, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(facts, "%s: line %d: %s", graphs[i].name, error.line, error.text);
    return facts;
}

START_TEST(json_is_valid_and_the_same_to_the_byte)
{
    char *first, *second;
    json_t *facts = facts_of(_i, &first), *again = facts_of(_i, &second), *edge;
    size_t k;
    ck_assert_str_eq(first, second);
    ck_assert_uint_gt(json_array_size(json_object_get(facts, "nodes")), 0);
    json_array_foreach(json_object_get(facts, "edges"), k, edge)
    {
        int from = atoi(json_string_value(json_object_get(edge, "from")) + 1);
        ck_assert_int_lt(from, atoi(json_string_value(json_object_get(edge, "to")) + 1));
    }
    json_decref(facts);
    json_decref(again);
    free(first);
    free(second);
}
END_TEST

START_TEST(what_is_read_back_is_drawn_the_same)
{
    wg_tensor root = graphs[_i].record(tape);
    const char *path = in_folder("facts.json");
    char title[40];
    snprintf(title, sizeof title, "%s", graphs[_i].options.title ? graphs[_i].options.title : "graph");
    wg_draw_options options = graphs[_i].options;
    options.title = title;
    ck_assert_int_eq((wg_draw)(root, path, options), WG_OK);
    wg_tape *other = wg_tape_new();
    static const wg_format formats[] = {WG_FORMAT_DOT, WG_FORMAT_JSON, WG_FORMAT_TEXT};
    for (int k = 0; k < 3; k++) {
        memory m = {0};
        char *first = drawn(root, formats[k], options);
        options.title = NULL;
        ck_assert_msg(!(wg_redraw_to)(other, path, formats[k], to_memory, &m, options), "%s", wg_error(other));
        ck_assert_str_eq(first, m.data);
        options.title = title;
        free(m.data);
        free(first);
    }
    ck_assert_uint_eq(wg_tape_nodes(other), 0);
    wg_tape_free(other);
}
END_TEST

#define NODES(nodes, edges) "{\"roots\":[\"n0\"],\"nodes\":[" nodes "],\"edges\":[" edges "]}"
#define LEAF(id) "{\"id\":\"" id "\",\"kind\":\"input\",\"outputs\":[{\"shape\":[2],\"dtype\":\"float32\"}]}"
#define CALL(id, kind) "{\"id\":\"" id "\",\"kind\":\"" kind "\",\"outputs\":[{\"shape\":[],\"dtype\":\"bool\"}]}"
static const struct {
    const char *json, *message;
} bad_facts[] = {
    {"", "line 1"},
    {"[]", "not the facts of a graph"},
    {"{\"nodes\":[]}", "not the facts of a graph"},
    {"{\"nodes\":[1],\"edges\":[],\"roots\":[\"n0\"]}", "not of a known kind"},
    {"{\"nodes\":[" LEAF("n0") "],\"edges\":[],\"roots\":[\"n1\"]}", "a root that is no node"},
    {"{\"nodes\":[" LEAF("n0") "],\"edges\":[],\"roots\":[\"n-0\"]}", "a root that is no node"},
    {NODES(LEAF("n1"), ""), "not in order"},
    {NODES("{\"id\":\"n0\",\"kind\":\"thing\"}", ""), "known kind"},
    {NODES("{\"id\":\"n0\",\"kind\":\"input\"}", ""), "no outputs"},
    {NODES("{\"id\":\"n0\",\"kind\":\"input\",\"outputs\":[{}]}", ""), "without a shape"},
    {NODES("{\"id\":\"n0\",\"kind\":\"input\",\"outputs\":[{\"shape\":[-1],\"dtype\":\"bool\"}]}", ""), "not a size"},
    {NODES("{\"id\":\"n0\",\"kind\":\"input\",\"outputs\":[{\"shape\":[4294967296,4294967296],\"dtype\":\"bool\"}]}",
           ""),
     "more elements"},
    {NODES("{\"id\":\"n0\",\"kind\":\"input\",\"outputs\":[{\"shape\":[1,1,1,1,1,1,1,1,1],\"dtype\":\"bool\"}]}", ""),
     "without a shape"},
    {NODES(CALL("n0", "view"), ""), "a view of nothing"},
    {NODES(CALL("n0", "operation"), "{\"from\":\"n0\",\"to\":\"n0\",\"operand\":0}"), "not before it"},
    {NODES(LEAF("n0") "," CALL("n1", "operation"), "{\"from\":\"n0\",\"to\":\"n1\",\"operand\":0,\"output\":1}"),
     "does not have"},
    {NODES(LEAF("n0") "," CALL("n1", "operation"), "{\"from\":\"n0\",\"to\":\"n1\",\"operand\":-1}"), "not before it"},
    {NODES(LEAF("n0") "," LEAF("n1"), "{\"from\":\"n0\",\"to\":\"n1\",\"operand\":0}"), "takes too much"},
    {NODES(LEAF("n0"), "{\"from\":\"n0\",\"to\":\"n7\",\"operand\":0}"), "goes to no node"},
};

START_TEST(facts_that_are_none_are_refused)
{
    memory m = {0};
    const char *path = file_of("bad.json", bad_facts[_i].json, strlen(bad_facts[_i].json));
    ck_assert_int_eq(wg_redraw_to(tape, path, WG_FORMAT_DOT, to_memory, &m), WG_ERROR_FORMAT);
    ck_assert_msg(strstr(wg_error(tape), bad_facts[_i].message), "%s", wg_error(tape));
    ck_assert_ptr_null(m.data);
}
END_TEST

static Suite *facts_suite(void)
{
    Suite *s = suite_create("facts");
    TCase *json = tcase_create("json");
    tcase_add_checked_fixture(json, set_up, tear_down);
    tcase_add_loop_test(json, json_is_valid_and_the_same_to_the_byte, 0, COUNT(graphs));
    tcase_add_loop_test(json, what_is_read_back_is_drawn_the_same, 0, COUNT(graphs));
    tcase_add_loop_test(json, facts_that_are_none_are_refused, 0, COUNT(bad_facts));
    suite_add_tcase(s, json);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(facts_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
