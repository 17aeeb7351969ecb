/* `wengert call`: what a request may be, and what no request may do. The engine is asked in this process; how lines
 * come and answers go is asked of the command itself, WENGERT_COMMAND. */
#include <check.h>
#include <jansson.h>
#include <malloc.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/answer.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))
#define X "{\"dtype\": \"float64\", \"shape\": [2], \"data\": [1, 2]}"

static engine *e;
static char *answer;
static size_t answer_size;

static void set_up(void) { e = engine_new(); }
static void tear_down(void)
{
    engine_free(e);
    free(answer);
    answer = NULL;
}

static const char *ask_bytes(const char *line, size_t n)
{
    free(answer);
    FILE *to = open_memstream(&answer, &answer_size);
    engine_answer(e, line, n, to);
    fclose(to);
    return answer;
}

static const char *ask(const char *line) { return ask_bytes(line, strlen(line)); }

static void answers(const char *line, const char *expected) { ck_assert_str_eq(ask(line), expected); }

/* The answer is one line of JSON with the error `code`. */
static void refuses(const char *line, size_t n, const char *code)
{
    const char *text = ask_bytes(line, n);
    json_t *json = json_loads(text, 0, NULL);
    const char *got = json_string_value(json_object_get(json_object_get(json, "error"), "code"));
    ck_assert_msg(got && !strcmp(got, code), "%.300s\ngives\n%.300snot %s", line, text, code);
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
    json_decref(json);
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */
START_TEST(value_is_what_is_wanted_where_nothing_is_said)
{
    answers("{\"id\": 7, \"op\": \"negative\", \"inputs\": [" X "]}",
            "{\"id\": 7, \"values\": [{\"dtype\": \"float64\", \"shape\": [2], \"data\": [-1.0, -2.0]}]}\n");
}
END_TEST

START_TEST(every_derivative_is_one_array_an_input_or_output)
{
    static const char *const wants[][2] = {{"vjp", "12.0"}, {"jvp", "24.0"}, {"hvp", "24.0"}, {"hvp_rr", "24.0"}};
    for (int i = 0; i < COUNT(wants); i++) { /* of x^3 = x^2 x at x = 2: with u = 1, t = 2: 12, 24, 24 */
        char line[1000], expected[200];
        snprintf(line, sizeof line,
                 "{\"op\": \"pow\", \"inputs\": [{\"dtype\": \"float64\", \"shape\": [], \"data\": [2]}, {\"dtype\": "
                 "\"float64\", "
                 "\"shape\": [], \"data\": [3]}], \"want\": [\"%s\"], \"cotangents\": [{\"dtype\": \"float64\", "
                 "\"shape\": [], "
                 "\"data\": [1]}], \"tangents\": [{\"dtype\": \"float64\", \"shape\": [], \"data\": [2]}]}",
                 wants[i][0]);
        snprintf(expected, sizeof expected,
                 "{\"id\": null, \"%s\": [{\"dtype\": \"float64\", \"shape\": [], \"data\": [%s]}", wants[i][0],
                 wants[i][1]);
        ck_assert_msg(!strncmp(ask(line), expected, strlen(expected)), "%s, not %s", answer, expected);
    }
}
END_TEST

START_TEST(numbers_keep_their_bits)
{
    answers("{\"op\": \"positive\", \"inputs\": [{\"dtype\": \"float64\", \"shape\": [7], \"data\": [0.1, -0.0, "
            "\"nan\", \"inf\", "
            "\"-inf\", 5e-324, 1.7976931348623157e308]}]}",
            "{\"id\": null, \"values\": [{\"dtype\": \"float64\", \"shape\": [7], \"data\": [0.10000000000000001, "
            "-0.0, \"nan\", "
            "\"inf\", \"-inf\", 4.9406564584124654e-324, 1.7976931348623157e+308]}]}\n");
    answers("{\"op\": \"positive\", \"inputs\": [{\"dtype\": \"float32\", \"shape\": [2], \"data\": [0.1, 16777217]}]}",
            "{\"id\": null, \"values\": [{\"dtype\": \"float32\", \"shape\": [2], \"data\": [0.100000001, "
            "16777216.0]}]}\n");
    answers("{\"op\": \"flip\", \"inputs\": [{\"dtype\": \"int64\", \"shape\": [2], \"data\": [9007199254740993, "
            "-9223372036854775808]}]}",
            "{\"id\": null, \"values\": [{\"dtype\": \"int64\", \"shape\": [2], \"data\": [-9223372036854775808, "
            "9007199254740993]}]}\n");
    answers(
        "{\"op\": \"logical_not\", \"inputs\": [{\"dtype\": \"bool\", \"shape\": [4], \"data\": [0, 1, true, false]}]}",
        "{\"id\": null, \"values\": [{\"dtype\": \"bool\", \"shape\": [4], \"data\": [true, false, false, true]}]}\n");
    answers("{\"id\": \"\\\"10000000000000000000\", \"op\": \"positive\", \"inputs\": [{\"dtype\": \"float64\", "
            "\"shape\": [3], "
            "\"data\": [100000000000000000000, -9223372036854775809, 0.10000000000000000000001]}]}",
            "{\"id\": \"\\\"10000000000000000000\", \"values\": [{\"dtype\": \"float64\", \"shape\": [3], \"data\": "
            "[1e+20, "
            "-9.2233720368547758e+18, 0.10000000000000001]}]}\n");
}
END_TEST

START_TEST(what_has_no_gradient_is_null)
{
    answers("{\"op\": \"take\", \"inputs\": [" X
            ", {\"dtype\": \"int64\", \"shape\": [1], \"data\": [1]}], \"attrs\": {\"axis\": 0}, "
            "\"want\": [\"vjp\"], \"cotangents\": [{\"dtype\": \"float64\", \"shape\": [1], \"data\": [3]}]}",
            "{\"id\": null, \"vjp\": [{\"dtype\": \"float64\", \"shape\": [2], \"data\": [0.0, 3.0]}, null]}\n");
    answers("{\"op\": \"less\", \"inputs\": [" X ", " X "], \"want\": [\"jvp\"]}", "{\"id\": null, \"jvp\": [null]}\n");
    answers("{\"op\": \"square\", \"inputs\": [" X "], \"want\": [\"vjp\"]}", /* cotangents left out are zero */
            "{\"id\": null, \"vjp\": [{\"dtype\": \"float64\", \"shape\": [2], \"data\": [0.0, 0.0]}]}\n");
}
END_TEST

static const char *const layouts[] = {"contiguous", "strided", "broadcast"};

START_TEST(the_layout_changes_no_value)
{
    static const char *const inputs[] = {"\"shape\": [2, 1, 3], \"data\": [1, 2, 3, 1, 2, 3]",
                                         "\"shape\": [], \"data\": [5]", "\"shape\": [0, 3], \"data\": []",
                                         "\"shape\": [3, 2], \"data\": [7, 7, 7, 7, 7, 7]",
                                         "\"shape\": [2, 2, 2, 1, 1, 1, 1, 1], \"data\": [1, 2, 3, 4, 1, 2, 3, 4]"};
    for (int i = 0; i < COUNT(inputs); i++) {
        char line[1000], *first = NULL;
        for (int dtype = 0; dtype < 2; dtype++) {
            snprintf(line, sizeof line,
                     "{\"op\": \"contiguous\", \"inputs\": [{\"dtype\": \"%s\", %s}], \"how\": {\"layout\": \"%s\", "
                     "\"threads\": 2}}",
                     dtype ? "int32" : "float64", inputs[i], layouts[dtype ? _i : 0]);
            ck_assert_ptr_nonnull(strstr(ask(line), "\"values\""));
        }
        snprintf(line, sizeof line, "{\"op\": \"contiguous\", \"inputs\": [{\"dtype\": \"float32\", %s}]}", inputs[i]);
        first = strdup(ask(line));
        snprintf(line, sizeof line,
                 "{\"op\": \"contiguous\", \"inputs\": [{\"dtype\": \"float32\", %s}], \"how\": {\"layout\": \"%s\"}}",
                 inputs[i], layouts[_i]);
        ck_assert_str_eq(ask(line), first);
        free(first);
    }
}
END_TEST

START_TEST(the_same_request_draws_the_same_numbers)
{
    const char *line =
        "{\"op\": \"dropout\", \"inputs\": [{\"dtype\": \"float64\", \"shape\": [4, 2], \"data\": [1, 1, 1, 1, 1, "
        "1, 1, 1]}], \"attrs\": {\"p\": 0.5}}";
    char *first = strdup(ask(line));
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(ask(line), first);
    free(first);
}
END_TEST

/* ---- The protocol, sentence by sentence -------------------------------------------------------------------------- */
#define T(shape, data) "{\"dtype\": \"float64\", \"shape\": " shape ", \"data\": " data "}"
#define T32(shape, data) "{\"dtype\": \"float32\", \"shape\": " shape ", \"data\": " data "}"
#define I(shape, data) "{\"dtype\": \"int64\", \"shape\": " shape ", \"data\": " data "}"

static const struct {
    const char *sentence, *request, *answer; /* without the braces around them; the answer behind its id */
} sentences[] = {
    {"inputs are in the order of the function's arguments",
     "\"op\": \"subtract\", \"inputs\": [" X ", " T("[]", "[1]") "]", "\"values\": [" T("[2]", "[0.0, 1.0]") "]"},
    {"an absent tensor is null", "\"op\": \"layer_norm\", \"inputs\": [" X ", null, " X "], \"attrs\": {\"eps\": 0.75}",
     "\"values\": [" T("[2]", "[0.5, 2.5]") "]"},
    {"trailing nulls may be left out",
     "\"op\": \"linear\", \"inputs\": [" X ", " T("[2, 1]", "[1, 1]") "], \"want\": [\"vjp\"], "
                                                                      "\"cotangents\": [" T("[1]", "[2]") "]",
     "\"vjp\": [" T("[2]", "[2.0, 2.0]") ", " T("[2, 1]", "[2.0, 4.0]") "]"},
    {"or written", "\"op\": \"linear\", \"inputs\": [" X ", " T("[2, 1]", "[1, 1]") ", null], \"want\": [\"vjp\"]",
     "\"vjp\": [" T("[2]", "[0.0, 0.0]") ", " T("[2, 1]", "[0.0, 0.0]") ", null]"},
    {"a variadic operation has as many inputs as tensors",
     "\"op\": \"concat\", \"inputs\": [" X ", " T("[0]", "[]") ", " X "]",
     "\"values\": [" T("[4]", "[1.0, 2.0, 1.0, 2.0]") "]"},
    {"a number is of its dtype when written as a float", "\"op\": \"flip\", \"inputs\": [" I("[2]", "[1.0, 2e3]") "]",
     "\"values\": [" I("[2]", "[2000, 1]") "]"},
    {"what overflows float32 is infinite", "\"op\": \"flip\", \"inputs\": [" T32("[2]", "[1e300, -2]") "]",
     "\"values\": [" T32("[2]", "[-2.0, \"inf\"]") "]"},
    {"a number attribute may be a word", "\"op\": \"norm\", \"inputs\": [" X "], \"attrs\": {\"p\": \"inf\"}",
     "\"values\": [" T("[]", "[2.0]") "]"},
    {"also minus infinity", "\"op\": \"clip\", \"inputs\": [" X "], \"attrs\": {\"min\": \"-inf\", \"max\": 1}",
     "\"values\": [" T("[2]", "[1.0, 1.0]") "]"},
    {"and not a number",
     "\"op\": \"masked_fill\", \"inputs\": [" X ", {\"dtype\": \"bool\", \"shape\": [], \"data\": [1]}], "
     "\"attrs\": {\"value\": \"nan\"}",
     "\"values\": [" T("[2]", "[\"nan\", \"nan\"]") "]"},
    {"an axis is an integer or a list of them",
     "\"op\": \"sum\", \"inputs\": [" X "], \"attrs\": {\"axis\": [-1], \"keepdims\": true}",
     "\"values\": [" T("[1]", "[3.0]") "]"},
    {"nothing wanted is nothing answered", "\"op\": \"tanh\", \"inputs\": [" X "], \"want\": []", ""},
    {"only what is wanted is answered",
     "\"op\": \"sum\", \"inputs\": [" X "], \"want\": [\"jvp\"], \"tangents\": [" X "]",
     "\"jvp\": [" T("[]", "[3.0]") "]"},
    {"cotangents are null for zero",
     "\"op\": \"square\", \"inputs\": [" X "], \"want\": [\"vjp\"], \"cotangents\": [null]",
     "\"vjp\": [" T("[2]", "[0.0, 0.0]") "]"},
    {"tangents are null for zero",
     "\"op\": \"multiply\", \"inputs\": [" X ", " X "], \"want\": [\"jvp\"], \"tangents\": [null, " X "]",
     "\"jvp\": [" T("[2]", "[1.0, 4.0]") "]"},
    {"tangents left out are zero",
     "\"op\": \"multiply\", \"inputs\": [" X ", " X "], \"want\": [\"jvp\"], \"tangents\": [" X "]",
     "\"jvp\": [" T("[2]", "[1.0, 4.0]") "]"},
    {"a cast's cotangent has the output's dtype, its vjp the input's",
     "\"op\": \"cast\", \"inputs\": [" X "], \"attrs\": {\"dtype\": "
     "\"float32\"}, \"want\": [\"vjp\", \"jvp\"], \"cotangents\": [" T32("[2]", "[3, 4]") "], \"tangents\": [" X "]",
     "\"vjp\": [" T("[2]", "[3.0, 4.0]") "], \"jvp\": [" T32("[2]", "[1.0, 2.0]") "]"},
    {"a cast to bool is x != 0",
     "\"op\": \"cast\", \"inputs\": [" T("[3]", "[-0.5, 0, \"nan\"]") "], \"attrs\": {\"dtype\": \"bool\"}",
     "\"values\": [{\"dtype\": \"bool\", \"shape\": [3], \"data\": [true, false, true]}]"},
    {"an output without gradient has a null cotangent and jvp",
     "\"op\": \"topk\", \"inputs\": [" X "], \"attrs\": {\"k\": 1}, "
     "\"want\": [\"value\", \"vjp\", \"jvp\"], \"cotangents\": [" T("[1]", "[5]") ", null], \"tangents\": [" X "]",
     "\"values\": [" T("[1]", "[2.0]") ", " I("[1]", "[1]") "], \"vjp\": [" T("[2]", "[0.0, 5.0]") "], \"jvp\": [" T(
         "[1]", "[2.0]") ", null]"},
    {"a vjp through an operation without gradient is zero",
     "\"op\": \"argmax\", \"inputs\": [" X "], \"want\": [\"vjp\", \"jvp\"]",
     "\"vjp\": [" T("[2]", "[0.0, 0.0]") "], \"jvp\": [null]"},
    {"unstack answers with an output an entry",
     "\"op\": \"unstack\", \"inputs\": [" X "], \"attrs\": {\"axis\": 0}, \"want\": [\"value\", "
     "\"vjp\"], \"cotangents\": [null, " T("[]", "[7]") "]",
     "\"values\": [" T("[]", "[1.0]") ", " T("[]", "[2.0]") "], \"vjp\": [" T("[2]", "[0.0, 7.0]") "]"},
    {"a strided input has the same gradient",
     "\"op\": \"prod\", \"inputs\": [" T(
         "[2, 2]", "[1, 2, 3, 4]") "], \"want\": [\"vjp\", "
                                   "\"hvp\", \"hvp_rr\"], \"cotangents\": [" T("[]", "[1]") "], \"tangents\": [" T(
                                       "[2, 2]", "[1, 0, 0, 0]") "], \"how\": "
                                                                 "{\"layout\": \"strided\", \"threads\": 5}",
     "\"vjp\": [" T("[2, 2]", "[24.0, 12.0, 8.0, 6.0]") "], \"hvp\": [" T(
         "[2, 2]", "[0.0, 12.0, 8.0, 6.0]") "], \"hvp_rr\": [" T("[2, 2]", "[0.0, 12.0, 8.0, 6.0]") "]"},
    {"a broadcast input has the gradient of each entry",
     "\"op\": \"square\", \"inputs\": [" T(
         "[2]", "[3, 3]") "], \"want\": [\"vjp\"], "
                          "\"cotangents\": [" T("[2]", "[1, 10]") "], \"how\": {\"layout\": \"broadcast\"}",
     "\"vjp\": [" T("[2]", "[6.0, 60.0]") "]"},
    {"rows without elements take no time", "\"op\": \"swiglu\", \"inputs\": [" T("[4294967296, 0]", "[]") "]",
     "\"values\": [" T("[4294967296, 0]", "[]") "]"},
    {"each member of how is optional", "\"op\": \"positive\", \"inputs\": [" X "], \"how\": {}",
     "\"values\": [" T("[2]", "[1.0, 2.0]") "]"},
    {"no function need be compiled",
     "\"op\": \"positive\", \"inputs\": [" X "], \"how\": {\"compiled\": false, \"exported\": false}",
     "\"values\": [" T("[2]", "[1.0, 2.0]") "]"},
    {"more threads than there are do no harm",
     "\"op\": \"positive\", \"inputs\": [" X "], \"how\": {\"threads\": 1000000000000}",
     "\"values\": [" T("[2]", "[1.0, 2.0]") "]"},
};

START_TEST(the_protocol_holds)
{
    char request[2000], expected[2000];
    const char *behind = sentences[_i].answer;
    snprintf(request, sizeof request, "{\"id\": %d, %s}", _i, sentences[_i].request);
    snprintf(expected, sizeof expected, "{\"id\": %d%s%s}\n", _i, *behind ? ", " : "", behind);
    ck_assert_msg(!strcmp(ask(request), expected), "%s: %s\ngives\n%snot\n%s", sentences[_i].sentence, request, answer,
                  expected);
}
END_TEST

/* ---- Refusals ---------------------------------------------------------------------------------------------------- */
static const struct {
    const char *line, *code;
} refused[] = {
    {"garbage", "json"},
    {"{", "json"},
    {"{\"op\": \"tanh\", \"inputs\": [", "json"},
    {"[]", "json"},
    {"7", "json"},
    {"null", "json"},
    {"\"\\ud800\"", "json"},
    {"{\"op\": \"tanh\"} {}", "json"},
    {"{\"op\": \"tanh\", \"op\": \"sin\"}", "json"},
    {"{}", "op"},
    {"{\"op\": 7}", "json"},
    {"{\"op\": \"\"}", "op"},
    {"{\"op\": \"frobnicate\"}", "op"},
    {"{\"op\": \"leaf\"}", "op"},
    {"{\"op\": \"tanh\", \"inputs\": 7}", "json"},
    {"{\"op\": \"tanh\", \"inputs\": [7]}", "json"},
    {"{\"op\": \"tanh\", \"inputs\": [{}]}", "json"},
    {"{\"op\": \"tanh\", \"inputs\": [{\"dtype\": 1, \"shape\": [], \"data\": [1]}]}", "json"},
    {"{\"op\": \"tanh\", \"inputs\": [{\"dtype\": \"float64\", \"shape\": [1.5], \"data\": [1]}]}", "json"},
    {"{\"op\": \"tanh\", \"inputs\": [{\"dtype\": \"float16\", \"shape\": [], \"data\": [1]}]}", "dtype"},
    {"{\"op\": \"tanh\", \"inputs\": [{\"dtype\": \"int64\", \"shape\": [], \"data\": [1]}]}", "dtype"},
    {"{\"op\": \"tanh\", \"inputs\": [{\"dtype\": \"float64\", \"shape\": [], \"data\": []}]}", "shape"},
    {"{\"op\": \"tanh\", \"inputs\": [{\"dtype\": \"float64\", \"shape\": [-1], \"data\": []}]}", "shape"},
    {"{\"op\": \"tanh\", \"inputs\": [{\"dtype\": \"float64\", \"shape\": [1,1,1,1,1,1,1,1,1], \"data\": [1]}]}",
     "shape"},
    {"{\"op\": \"tanh\", \"inputs\": [{\"dtype\": \"float64\", \"shape\": [4611686018427387904, 4], \"data\": []}]}",
     "shape"},
    {"{\"op\": \"tanh\", \"inputs\": [{\"dtype\": \"float64\", \"shape\": [1], \"data\": [\"one\"]}]}", "value"},
    {"{\"op\": \"tanh\", \"inputs\": [{\"dtype\": \"float64\", \"shape\": [1], \"data\": [null]}]}", "value"},
    {"{\"op\": \"flip\", \"inputs\": [{\"dtype\": \"int32\", \"shape\": [1], \"data\": [2147483648]}]}", "value"},
    {"{\"op\": \"flip\", \"inputs\": [{\"dtype\": \"int64\", \"shape\": [1], \"data\": [9223372036854775808]}]}",
     "value"},
    {"{\"op\": \"flip\", \"inputs\": [{\"dtype\": \"bool\", \"shape\": [1], \"data\": [2]}]}", "value"},
    {"{\"op\": \"tanh\", \"inputs\": []}", "shape"},
    {"{\"op\": \"tanh\", \"inputs\": [null]}", "shape"},
    {"{\"op\": \"tanh\", \"inputs\": [" X ", " X "]}", "shape"},
    {"{\"op\": \"tanh\", \"inputs\": [" X "], \"attrs\": []}", "json"},
    {"{\"op\": \"tanh\", \"inputs\": [" X "], \"attrs\": {\"axis\": 0}}", "attr"},
    {"{\"op\": \"sum\", \"inputs\": [" X "], \"attrs\": {\"axis\": \"0\"}}", "attr"},
    {"{\"op\": \"sum\", \"inputs\": [" X "], \"attrs\": {\"axis\": null}}", "attr"},
    {"{\"op\": \"sum\", \"inputs\": [" X "], \"attrs\": {\"axis\": {}}}", "attr"},
    {"{\"op\": \"sum\", \"inputs\": [" X "], \"attrs\": {\"axis\": [[0], 1]}}", "attr"},
    {"{\"op\": \"sum\", \"inputs\": [" X "], \"attrs\": {\"axis\": 0, \"axis\": 0}}", "attr"},
    {"{\"op\": \"sum\", \"inputs\": [" X "], \"attrs\": {\"axis\": 1}}", "shape"},
    {"{\"op\": \"sum\", \"inputs\": [" X "], \"attrs\": {\"axis\": [0,0,0,0,0,0,0,0,0]}}", "shape"},
    {"{\"op\": \"pad\", \"inputs\": [" X "], \"attrs\": {\"pad_width\": [[],[],[],[],[],[],[],[],[],[]]}}", "shape"},
    {"{\"op\": \"cumulative_sum\", \"inputs\": [" X "]}", "attr"},
    {"{\"op\": \"batch_norm\", \"inputs\": [" X ", null, null, " X ", " X "]}", "attr"},
    {"{\"op\": \"tanh\", \"inputs\": [" X "], \"want\": \"vjp\"}", "json"},
    {"{\"op\": \"tanh\", \"inputs\": [" X "], \"want\": [1]}", "json"},
    {"{\"op\": \"tanh\", \"inputs\": [" X "], \"want\": [\"gradient\"]}", "value"},
    {"{\"op\": \"tanh\", \"inputs\": [" X "], \"how\": 1}", "json"},
    {"{\"op\": \"tanh\", \"inputs\": [" X "], \"how\": {\"layout\": 1}}", "json"},
    {"{\"op\": \"tanh\", \"inputs\": [" X "], \"how\": {\"layout\": \"reversed\"}}", "value"},
    {"{\"op\": \"tanh\", \"inputs\": [" X "], \"how\": {\"threads\": -1}}", "value"},
    {"{\"op\": \"tanh\", \"inputs\": [" X "], \"how\": {\"threads\": \"2\"}}", "json"},
    {"{\"op\": \"tanh\", \"inputs\": [" X "], \"how\": {\"compiled\": 1}}", "json"},
    {"{\"op\": \"tanh\", \"inputs\": [" X "], \"want\": [\"vjp\"], \"cotangents\": [" X ", " X "]}", "shape"},
    {"{\"op\": \"sum\", \"inputs\": [" X "], \"want\": [\"vjp\"], \"cotangents\": [" X "]}", "shape"},
    {"{\"op\": \"tanh\", \"inputs\": [" X "], \"want\": [\"jvp\"], \"tangents\": [" X ", " X "]}", "shape"},
    {"{\"op\": \"sum\", \"inputs\": [" X
     "], \"want\": [\"vjp\"], \"cotangents\": [{\"dtype\": \"float32\", \"shape\": [], \"data\": [1]}]}",
     "dtype"},
    {"{\"op\": \"tanh\", \"inputs\": [" X "], \"want\": null}", "json"},
    {"{\"op\": \"tanh\", \"inputs\": [" X "], \"want\": [\"jvp\"], \"tangents\": 1}", "json"},
    {"{\"op\": \"tanh\", \"inputs\": [" X
     "], \"want\": [\"jvp\"], \"tangents\": [{\"dtype\": \"float64\", \"shape\": [1], \"data\": [1]}]}",
     "shape"},
    {"{\"op\": \"linear\", \"inputs\": [" X "]}", "shape"},
    {"{\"op\": \"add\", \"inputs\": [" X ", {\"dtype\": \"float32\", \"shape\": [], \"data\": [1]}]}", "dtype"},
    {"{\"op\": \"add\", \"inputs\": [" X ", {\"dtype\": \"int64\", \"shape\": [], \"data\": [1]}]}", "dtype"},
    {"{\"op\": \"take\", \"inputs\": [" X
     ", {\"dtype\": \"int64\", \"shape\": [1], \"data\": [2]}], \"attrs\": {\"axis\": 0}}",
     "index"},
    {"{\"op\": \"quantile\", \"inputs\": [" X "], \"attrs\": {\"q\": 1.5}}", "value"},
    {"{\"op\": \"mse_loss\", \"inputs\": [" X ", " X "], \"attrs\": {\"reduction\": \"median\"}}", "value"},
    {"{\"op\": \"broadcast_to\", \"inputs\": [" X "], \"attrs\": {\"shape\": [4611686018427387904, 2]}}", "memory"},
};

START_TEST(bad_request_is_refused_with_its_code)
{
    refuses(refused[_i].line, strlen(refused[_i].line), refused[_i].code);
    ask("{\"op\": \"negative\", \"inputs\": [" X "]}"); /* as if nothing had happened */
    ck_assert_ptr_nonnull(strstr(answer, "[-1.0, -2.0]"));
}
END_TEST

static const char *const large[] = {"\"broadcast_to\", \"inputs\": [" X
                                    "], \"attrs\": {\"shape\": [1000000000, 1000000000, 2]}}",
                                    "\"broadcast_to\", \"inputs\": [" X "], \"attrs\": {\"shape\": [100000000, 2]}}",
                                    "\"tile\", \"inputs\": [" X "], \"attrs\": {\"repetitions\": [1000000000]}}",
                                    "\"pad\", \"inputs\": [" X "], \"attrs\": {\"pad_width\": [[0, 1000000000]]}}"};

START_TEST(what_takes_too_long_to_fill_or_write_is_refused_at_once)
{
    char line[1000];
    clock_t start = clock();
    snprintf(line, sizeof line, "{\"op\": %s", large[_i]);
    refuses(line, strlen(line), "memory");
    ck_assert_int_lt(clock() - start, CLOCKS_PER_SEC);
}
END_TEST

START_TEST(bytes_that_are_no_text_are_refused)
{
    refuses("\0", 1, "json");
    refuses("{\"op\": \"\xff\xfe\"}", 12, "json");
    refuses("{\"op\": \"tanh\0\"}", 15, "json");
    refuses("{\"op\": \"tanh\\u0000\"}", 20, "json");
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
    enum { DEPTH = 1000000 };
    char *line = malloc(DEPTH);
    memset(line, '[', DEPTH);
    refuses(line, DEPTH, "json");
    free(line);
}
END_TEST

START_TEST(a_long_name_is_cut_and_stays_text)
{
    char line[4000], name[3001];
    for (size_t i = 0; i + 2 < sizeof name; i += 2)
        memcpy(name + i, "\xc3\xa9", 2);
    memset(name, 'n', 1); /* cuts fall within a character */
    name[1] = 'n';
    name[3000] = 0;
    snprintf(line, sizeof line, "{\"op\": \"%s\"}", name);
    refuses(line, strlen(line), "op");
    snprintf(line, sizeof line, "{\"op\": \"sum\", \"inputs\": [" X "], \"attrs\": {\"%s\": 1}}", name);
    refuses(line, strlen(line), "attr");
    snprintf(line, sizeof line,
             "{\"op\": \"mse_loss\", \"inputs\": [" X ", " X "], \"attrs\": {\"reduction\": \"%s\"}}", name);
    refuses(line, strlen(line), "value");
}
END_TEST

START_TEST(the_message_names_the_operation_and_the_fact)
{
    ask("{\"id\": \"a\", \"op\": \"matmul\", \"inputs\": [{\"dtype\": \"float64\", \"shape\": [1, 2], \"data\": [1, "
        "2]}, {\"dtype\": "
        "\"float64\", \"shape\": [1, 2], \"data\": [1, 2]}]}");
    ck_assert_msg(strstr(answer, "{\"id\": \"a\", \"error\": {\"code\": \"shape\", \"message\": \"wg_matmul: "), "%s",
                  answer);
    ck_assert_msg(!strstr(answer, ".c:"), "%s", answer);
    ask("{\"op\": \"matmull\"}");
    ck_assert_ptr_nonnull(strstr(answer, "matmul\"}}"));
}
END_TEST

START_TEST(the_id_comes_back)
{
    static const char *const ids[] = {"null", "7", "\"seven\"", "true", "[1, {\"a\": null}]", "\"\\u00e9\\\"\""};
    for (int i = 0; i < COUNT(ids); i++) {
        char line[200];
        snprintf(line, sizeof line, "{\"id\": %s, \"op\": \"frobnicate\"}", ids[i]);
        json_t *json = json_loads(ask(line), 0, NULL), *id = json_loads(ids[i], JSON_DECODE_ANY, NULL);
        ck_assert_msg(json_equal(json_object_get(json, "id"), id), "%s", answer);
        json_decref(json);
        json_decref(id);
    }
}
END_TEST

/* Of malloc; 0 where a sanitizer has replaced it. */
static size_t bytes_taken(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

START_TEST(memory_does_not_grow_with_requests)
{
    static const char *const lines[] = {"{\"op\": \"multiply\", \"inputs\": [" X ", " X
                                        "], \"want\": [\"hvp\"], \"cotangents\": [" X "], \"tangents\": [" X "]}",
                                        "{\"op\": \"sum\", \"inputs\": [" X "], \"attrs\": {\"axis\": 3}}",
                                        "{\"op\": [1, 2, 3]}"};
    size_t before = 0;
    for (int i = 0; i < 4000; i++) {
        before = i == 1000 ? bytes_taken() : before;
        ask(lines[i % COUNT(lines)]);
    }
    ck_assert_uint_le(bytes_taken(), before + 8192); /* what malloc keeps at hand counts as taken */
}
END_TEST

/* ---- The command ------------------------------------------------------------------------------------------------- */
/* What the command writes, given `input`, and the code it exits with. */
static char *run(const char *arguments, const char *input, int *code)
{
    const char *command = getenv("WENGERT_COMMAND");
    char in[] = "/tmp/wengert_call_XXXXXX", line[5000], *text = NULL;
    size_t size = 0;
    int fd = mkstemp(in);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, input, strlen(input)), (ssize_t)strlen(input));
    close(fd);
    snprintf(line, sizeof line, "%s %s < %s", command ? command : "wengert", arguments, in);
    FILE *from = popen(line, "r"), *to = open_memstream(&text, &size);
    for (int c; (c = getc(from)) != EOF;)
        putc(c, to);
    fclose(to);
    int status = pclose(from);
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    unlink(in);
    return text;
}

START_TEST(lines_are_answered_in_order_and_blank_ones_skipped)
{
    int code;
    char *text =
        run("call",
            "\n{\"id\": 1, \"op\": \"no\"}\r\n  \n\nrubbish\n{\"id\": 2, \"op\": \"negative\", \"inputs\": [" X "]}",
            &code);
    ck_assert_int_eq(code, 0);
    const char *first = strstr(text, "{\"id\": 1, \"error\""), *second = strstr(text, "{\"id\": null, \"error\"");
    const char *third = strstr(text, "{\"id\": 2, \"values\"");
    ck_assert_msg(first == text && second > first && third > second, "%s", text);
    free(text);
}
END_TEST

START_TEST(no_request_is_no_answer)
{
    int code;
    char *text = run("call", "", &code);
    ck_assert_int_eq(code, 0);
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

static const struct {
    const char *arguments, *contains;
    int code;
} runs[] = {
    {"--version", "wengert ", 0},
    {"--help", "call", 0},
    {"call --help", "Usage: wengert call", 0},
    {"ops --help", "Usage: wengert ops", 0},
    {"ops tanh", "DLMF", 0},
    {"ops", "matmul", 0},
    {"ops --json", "\"name\": \"matmul\"", 0},
    {"ops --markdown", "\n### log_ndtr\n", 0},
    {"info", "version", 0},
    {"info --json", "\"version\"", 0},
    {"2>&1", "COMMAND", 2},
    {"cal 2>&1", "the nearest is \"call\"", 2},
    {"ops tanhh 2>&1", "the nearest is \"tanh\"", 2},
    {"call rubbish 2>&1", "Too many", 2},
    {"ops --rubbish 2>&1", "unrecognized", 2},
    {"ops 2>&1 > /dev/full", "No space left", 1},
};

START_TEST(the_command_tells_and_exits_as_it_should)
{
    int code;
    char *text = run(runs[_i].arguments, "", &code);
    ck_assert_msg(strstr(text, runs[_i].contains), "wengert %s: no \"%s\" in\n%s", runs[_i].arguments,
                  runs[_i].contains, text);
    ck_assert_msg(code == runs[_i].code, "wengert %s: exit code %d, not %d", runs[_i].arguments, code, runs[_i].code);
    free(text);
}
END_TEST

START_TEST(every_operation_has_a_page_and_a_line_of_json)
{
    int code, n = 0;
    char *text = run("ops --json", "", &code), *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), n++) {
        static const char *const members[] = {"name",    "family",      "doc",  "inputs", "attrs",
                                              "outputs", "elementwise", "view", "order"};
        json_t *json = json_loads(line, 0, NULL);
        for (int i = 0; i < COUNT(members); i++)
            ck_assert_msg(json_object_get(json, members[i]), "no %s in %s", members[i], line);
        json_decref(json);
    }
    ck_assert_int_gt(n, 0);
    free(text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("call");
    TCase *values = tcase_create("values"), *refusals = tcase_create("refusals"), *command = tcase_create("command");
    tcase_add_checked_fixture(values, set_up, tear_down);
    tcase_add_test(values, value_is_what_is_wanted_where_nothing_is_said);
    tcase_add_test(values, every_derivative_is_one_array_an_input_or_output);
    tcase_add_test(values, numbers_keep_their_bits);
    tcase_add_test(values, what_has_no_gradient_is_null);
    tcase_add_loop_test(values, the_layout_changes_no_value, 0, COUNT(layouts));
    tcase_add_test(values, the_same_request_draws_the_same_numbers);
    tcase_add_loop_test(values, the_protocol_holds, 0, COUNT(sentences));
    tcase_add_checked_fixture(refusals, set_up, tear_down);
    tcase_add_loop_test(refusals, bad_request_is_refused_with_its_code, 0, COUNT(refused));
    tcase_add_loop_test(refusals, what_takes_too_long_to_fill_or_write_is_refused_at_once, 0, COUNT(large));
    tcase_add_test(refusals, bytes_that_are_no_text_are_refused);
    tcase_add_test(refusals, deep_nesting_is_refused);
    tcase_add_test(refusals, a_long_name_is_cut_and_stays_text);
    tcase_add_test(refusals, the_message_names_the_operation_and_the_fact);
    tcase_add_test(refusals, the_id_comes_back);
    tcase_add_test(refusals, memory_does_not_grow_with_requests);
    tcase_add_test(command, lines_are_answered_in_order_and_blank_ones_skipped);
    tcase_add_test(command, no_request_is_no_answer);
    tcase_add_loop_test(command, the_command_tells_and_exits_as_it_should, 0, COUNT(runs));
    tcase_add_test(command, every_operation_has_a_page_and_a_line_of_json);
    suite_add_tcase(s, values);
    suite_add_tcase(s, refusals);
    suite_add_tcase(s, command);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
