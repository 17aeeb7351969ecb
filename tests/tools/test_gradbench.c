/* `tools/gradbench`: every sample has its answer, and no request does harm. Requests are answered in this process; how
 * lines come and go is asked of the program itself, WENGERT_GRADBENCH. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tools/gradbench/gradbench.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static char *text;
static size_t text_size;

static void tear_down(void)
{
    free(text);
    text = NULL;
}

static const char *ask_bytes(const char *line, size_t n)
{
    free(text);
    FILE *to = open_memstream(&text, &text_size);
    session_answer(line, n, to);
    fclose(to);
    return text;
}

static const char *ask(const char *line) { return ask_bytes(line, strlen(line)); }

/* ---- Samples ----------------------------------------------------------------------------------------------------- */
#define MOST_SAMPLES 200
static char *sample[MOST_SAMPLES];
static int n_samples;

static bool samples_read(void)
{
    char path[4096];
    const char *data = getenv("WENGERT_TEST_DATA");
    snprintf(path, sizeof path, "%s/gradbench/samples.jsonl", data ? data : "tests/data");
    FILE *file = fopen(path, "r");
    size_t room = 0;
    while (file && n_samples < MOST_SAMPLES && getline(&sample[n_samples], &room, file) > 0) {
        n_samples++;
        room = 0;
    }
    if (file)
        fclose(file);
    return n_samples > 0;
}

/* The largest of all numbers in it. */
static double largest(const json_t *json)
{
    double most = json_is_number(json) ? fabs(json_number_value(json)) : 0;
    const char *key;
    const json_t *inner;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)json, i, inner) most = fmax(most, largest(inner));
    json_object_foreach((json_t *)(uintptr_t)json, key, inner) most = fmax(most, largest(inner));
    return most;
}

/* To 1e-10 of the largest element of the array that a number is in; whole numbers are equal. */
static void equal(const json_t *expected, const json_t *got, double scale, const char *what)
{
    const char *key;
    const json_t *inner;
    size_t i;
    if (json_is_array(expected)) {
        ck_assert_msg(json_array_size(expected) == json_array_size(got) && json_is_array(got), "%s: another length",
                      what);
        json_array_foreach((json_t *)(uintptr_t)expected, i, inner) equal(inner, json_array_get(got, i), scale, what);
    } else if (json_is_object(expected)) {
        ck_assert_msg(json_object_size(expected) == json_object_size(got), "%s: other members", what);
        json_object_foreach((json_t *)(uintptr_t)expected, key, inner)
            equal(inner, json_object_get(got, key), largest(inner), what);
    } else {
        double a = json_number_value(expected), b = json_number_value(got);
        ck_assert_msg(json_is_number(got) && fabs(a - b) <= 1e-10 * scale, "%s: %.17g, not %.17g", what, b, a);
        ck_assert_msg(!json_is_integer(expected) || a == b, "%s: %.17g, not %.0f", what, b, a);
    }
}

START_TEST(sample_has_its_answer)
{
    json_t *request = json_loads(sample[_i], 0, NULL);
    json_t *expected = json_object_get(request, "output");
    json_object_set_new(request, "id", json_integer(_i));
    json_object_set_new(request, "kind", json_string("evaluate"));
    char *line = json_dumps(request, 0), what[100];
    snprintf(what, sizeof what, "%s %s", json_string_value(json_object_get(request, "module")),
             json_string_value(json_object_get(request, "function")));
    json_t *reply = json_loads(ask(line), 0, NULL);
    ck_assert_msg(json_is_true(json_object_get(reply, "success")), "%s: %.500s", what, text);
    ck_assert_int_eq(json_integer_value(json_object_get(reply, "id")), _i);
    ck_assert_uint_eq(json_array_size(json_object_get(reply, "timings")), 2);
    equal(expected, json_object_get(reply, "output"), largest(expected), what);
    json_decref(reply);
    json_decref(request);
    free(line);
}
END_TEST

/* ---- Memory ------------------------------------------------------------------------------------------------------ */
/* What is made longer of a sample's input, and how much longer it is at first. det's minors are 2^ell, and particle's
 * and saddle's functions are recorded as they run. */
static const struct {
    const char *module, *function;
    int first;
    const char *key[3];
} stretched[] = {
    {"lse", "gradient", 2000, {"x"}},
    {"llsq", "gradient", 200, {"n"}},
    {"ode", "gradient", 20, {"s"}},
    {"gmm", "jacobian", 50, {"x", "n"}},
    {"kmeans", "dir", 50, {"points"}},
    {"ba", "jacobian", 100, {"p"}},
    {"lstm", "jacobian", 20, {"sequence"}},
    {"ht", "jacobian", 50, {"us", "data.correspondences", "data.points"}},
};

/* An array repeated, a number multiplied, `times` times. */
static void member_stretched(json_t *input, const char *key, int times)
{
    const char *dot = strchr(key, '.');
    json_t *in = dot ? json_object_get(input, "data") : input, *value = json_object_get(in, dot ? dot + 1 : key);
    if (json_is_number(value)) {
        json_object_set_new(in, key, json_integer(times * (json_int_t)json_number_value(value)));
        return;
    }
    for (size_t i = 0, n = json_array_size(value), all = n * (size_t)times; i + n < all; i++)
        json_array_append(value, json_array_get(value, i));
}

/* Of the function that is compiled for the largest sample of row _i, made that much longer. */
static size_t bytes_of(int row, int times)
{
    const evaluation *e = evaluation_found(stretched[row].module, stretched[row].function);
    json_t *request = NULL;
    for (int i = 0; i < n_samples; i++) {
        json_t *one = json_loads(sample[i], 0, NULL);
        bool is = !strcmp(json_string_value(json_object_get(one, "module")), stretched[row].module) &&
                  !strcmp(json_string_value(json_object_get(one, "function")), stretched[row].function);
        json_decref(is ? request : one);
        request = is ? one : request;
    }
    json_t *input = json_object_get(request, "input");
    for (int k = 0; k < 3 && stretched[row].key[k]; k++)
        member_stretched(input, stretched[row].key[k], times);
    problem p = {.tape = wg_tape_new(), .input = input, .derivative = e->derivative};
    e->prepare(&p);
    ck_assert_msg(!wg_failed(p.tape), "%s", wg_error(p.tape));
    size_t bytes = wg_function_bytes(p.f);
    wg_tape_free(p.tape);
    json_decref(request);
    return bytes;
}

/* Twice as long, what is added is at most twice as much, but for the blocks in which a function takes its memory. */
START_TEST(memory_is_linear_in_the_input)
{
    const double block = 1 << 18;
    double bytes[4];
    for (int k = 0; k < 4; k++)
        bytes[k] = (double)bytes_of(_i, stretched[_i].first << k);
    for (int k = 2; k < 4; k++)
        ck_assert_msg(bytes[k] - bytes[k - 1] <= 2.1 * (bytes[k - 1] - bytes[k - 2]) + block,
                      "%s: %.0f bytes, %.0f, %.0f, %.0f", stretched[_i].module, bytes[0], bytes[1], bytes[2], bytes[3]);
}
END_TEST

/* ---- The protocol ------------------------------------------------------------------------------------------------ */
#define SQUARE "\"module\":\"hello\",\"function\":\"square\""
#define LSE "\"kind\":\"evaluate\",\"module\":\"lse\",\"function\":\"primal\",\"input\":"

static const struct {
    const char *line, *answer;
} answers[] = {
    {"{\"id\":0,\"kind\":\"start\",\"eval\":\"hello\"}", "{\"id\":0,\"tool\":\"wengert\"}\n"},
    {"{\"id\":1,\"kind\":\"define\",\"module\":\"hello\"}", "{\"id\":1,\"success\":true}\n"},
    {"{\"id\":2,\"kind\":\"define\",\"module\":\"none\"}", "{\"id\":2,\"success\":false}\n"},
    {"{\"id\":3,\"kind\":\"define\"}", "{\"id\":3,\"success\":false}\n"},
    {"{\"id\":4,\"kind\":\"analysis\",\"of\":3,\"valid\":true}", "{\"id\":4}\n"},
    {"{\"id\":5,\"kind\":\"end\"}", "{\"id\":5}\n"},
    {"{\"id\":6}", "{\"id\":6}\n"},
    {" \r\n", ""},
};

START_TEST(message_is_answered) { ck_assert_str_eq(ask(answers[_i].line), answers[_i].answer); }
END_TEST

/* What an answer that says no must hold. */
static const struct {
    const char *line, *holds;
} refused[] = {
    {"{", "\"id\":null,\"success\":false"},
    {"[1]", "\"id\":null,\"success\":false"},
    {"{\"id\":1,\"kind\":\"evaluate\"}", "\"id\":1,\"success\":false"},
    {"{\"id\":1,\"kind\":\"evaluate\",\"module\":\"lse\",\"function\":\"hessian\"}", "\"id\":1,\"success\":false"},
    {"{\"id\":1,\"kind\":\"evaluate\"," SQUARE "}", "the input is not a number"},
    {"{\"id\":1," LSE "{}}", "no \\\"x\\\""},
    {"{\"id\":1," LSE "{\"x\":[1,\"a\"]}}", "not numbers"},
    {"{\"id\":1," LSE "{\"x\":[1,[2]]}}", "not numbers"},
    {"{\"id\":1," LSE "{\"x\":[]}}", "\"success\":false"},
    {"{\"id\":1,\"kind\":\"evaluate\"," SQUARE ",\"input\":1e200}", "not a number"},
};

START_TEST(what_cannot_be_answered_is_refused)
{
    const char *got = ask(refused[_i].line);
    ck_assert_msg(strstr(got, refused[_i].holds) && strstr(got, "\"success\":false"), "%s\ngives\n%s", refused[_i].line,
                  got);
    ck_assert_ptr_eq(strchr(got, '\n'), got + strlen(got) - 1);
    ck_assert_ptr_nonnull(strstr(ask("{\"id\":2,\"kind\":\"evaluate\"," SQUARE ",\"input\":3}"), "\"output\":9"));
}
END_TEST

START_TEST(runs_are_as_many_and_as_long_as_asked)
{
    json_t *reply = json_loads(ask("{\"id\":1," LSE "{\"x\":[1, 2],\"min_runs\":7,\"min_seconds\":0}}"), 0, NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(reply, "timings")), 8);
    json_decref(reply);
    reply = json_loads(ask("{\"id\":1," LSE "{\"x\":[1, 2],\"min_runs\":1,\"min_seconds\":0.02}}"), 0, NULL);
    double spent = 0;
    const json_t *time;
    size_t i;
    json_array_foreach(json_object_get(reply, "timings"), i, time)
    {
        ck_assert_str_eq(json_string_value(json_object_get(time, "name")), i ? "evaluate" : "prepare");
        spent += i ? json_number_value(json_object_get(time, "nanoseconds")) : 0;
    }
    ck_assert_double_ge(spent, 2e7);
    json_decref(reply);
}
END_TEST

/* ---- The program ------------------------------------------------------------------------------------------------- */
static int run(const char *requests, const char *limits)
{
    char command[4096];
    const char *program = getenv("WENGERT_GRADBENCH");
    snprintf(command, sizeof command, "%s printf '%s' | %s", limits, requests, program);
    free(text);
    text = calloc(1, 4096);
    FILE *from = popen(command, "r");
    ck_assert_ptr_nonnull(from);
    text_size = fread(text, 1, 4095, from);
    int status = pclose(from);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(session_ends_with_its_input)
{
    ck_assert_int_eq(run("", ""), 0);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(run("{\"id\":1,\"kind\":\"end\"}\\n\\n{\"id\":2}", ""), 0);
    ck_assert_str_eq(text, "{\"id\":1}\n{\"id\":2}\n");
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
START_TEST(no_memory_is_an_answer) /* n points of 8 bytes do not fit */
{
    ck_assert_int_eq(run("{\"id\":1,\"kind\":\"evaluate\",\"module\":\"llsq\",\"function\":\"primal\","
                         "\"input\":{\"x\":[1],\"n\":1e9}}\\n{\"id\":2}\\n",
                         "ulimit -d 2000000;"),
                     0);
    ck_assert_ptr_nonnull(strstr(text, "{\"id\":1,\"success\":false,\"error\":"));
    ck_assert_ptr_nonnull(strstr(text, "{\"id\":2}\n"));
}
END_TEST
#define CAN_RUN_OUT 1
#else
#define CAN_RUN_OUT 0
#endif

int main(void)
{
    Suite *s = suite_create("gradbench");
    TCase *samples = tcase_create("samples"), *protocol = tcase_create("protocol"), *program = tcase_create("program");
    tcase_add_checked_fixture(samples, NULL, tear_down);
    tcase_add_checked_fixture(protocol, NULL, tear_down);
    tcase_add_checked_fixture(program, NULL, tear_down);
    bool found = samples_read();
    tcase_add_loop_test(samples, sample_has_its_answer, 0, n_samples);
    tcase_add_loop_test(samples, memory_is_linear_in_the_input, 0, found ? COUNT(stretched) : 0);
    tcase_add_loop_test(protocol, message_is_answered, 0, COUNT(answers));
    tcase_add_loop_test(protocol, what_cannot_be_answered_is_refused, 0, COUNT(refused));
    tcase_add_test(protocol, runs_are_as_many_and_as_long_as_asked);
    tcase_add_test(program, session_ends_with_its_input);
#if CAN_RUN_OUT
    tcase_add_test(program, no_memory_is_an_answer);
#endif
    suite_add_tcase(s, samples);
    suite_add_tcase(s, protocol);
    suite_add_tcase(s, program);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    for (int i = 0; i < n_samples; i++)
        free(sample[i]);
    return failed || !found;
}
