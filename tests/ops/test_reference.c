/* Operations against reference values from elsewhere. A line of tests/data/NAME.jsonl is a request of `wengert call`
 * and the answer it should get; it is made as it stands, then with strided operands, through a compiled function, as
 * exported C, with two threads, and in float32. The C of a whole file is compiled at once, without a warning. Files
 * named as arguments are run alone: `reference products.jsonl`. WENGERT_TEST_DATA is their folder. */
#include <check.h>
#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wengert.h>

#include "ops/lapack.h"
#include "tools/answer.h"

static struct {
    char file[100];
    int number;
    char *text;
    bool exported; /* its C was written, and is in the object */
    int object;    /* of its file */
} *lines; /* of all files */
static int n_lines;

static engine *engine_now;
static char folder_now[] = "/tmp/wengert-reference-XXXXXX"; /* of exported C and its objects */
static int n_objects;

/* ---- Answers ----------------------------------------------------------------------------------------------------- */
static json_t *answer_to(const json_t *request)
{
    char *line = json_dumps(request, JSON_COMPACT), *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    engine_answer(engine_now, line, strlen(line), to);
    fclose(to);
    json_t *answer = json_loadb(text, size, 0, NULL);
    ck_assert_msg(answer, "the answer is not JSON: %.200s", text);
    free(line);
    free(text);
    return answer;
}

/* ---- Comparing --------------------------------------------------------------------------------------------------- */
typedef struct {
    int line;
    const char *how; /* the request differs from the line in this */
    double rtol, atol;
    double whole;    /* relative to the largest number of the tensor and of the operands */
    bool any_dtype;
} comparison;

static void differs(const comparison *c, const json_t *request, const char *format, ...)
{
    char what[1000];
    va_list va;
    va_start(va, format);
    vsnprintf(what, sizeof what, format, va);
    va_end(va);
    char *attrs = json_dumps(json_object_get(request, "attrs"), JSON_COMPACT);
    const char *why = json_string_value(json_object_get(request, "why"));
    ck_abort_msg("%s:%d: %s %s%s%s%s: %s", lines[c->line].file, lines[c->line].number,
                 json_string_value(json_object_get(request, "op")), attrs ? attrs : "", c->how, why ? ", " : "",
                 why ? why : "", what);
}

static double number(const json_t *json)
{
    const char *word = json_string_value(json);
    if (json_is_boolean(json))
        return json_is_true(json);
    if (word)
        return strcmp(word, "inf") == 0    ? (double)INFINITY
               : strcmp(word, "-inf") == 0 ? -(double)INFINITY
                                           : (double)NAN;
    return json_number_value(json);
}

static bool all_zero(const json_t *tensor)
{
    const json_t *data = json_object_get(tensor, "data");
    for (size_t i = 0; i < json_array_size(data); i++)
        if (number(json_array_get(data, i)) != 0)
            return false;
    return true;
}

static double largest(const json_t *data)
{
    double most = 0;
    for (size_t i = 0; i < json_array_size(data); i++) {
        double x = fabs(number(json_array_get(data, i)));
        most = isfinite(x) && x > most ? x : most;
    }
    return most;
}

static double largest_operand(const json_t *request)
{
    static const char *const members[] = {"inputs", "cotangents", "tangents"};
    double most = 0;
    for (size_t m = 0; m < sizeof members / sizeof *members; m++) {
        const json_t *list = json_object_get(request, members[m]);
        for (size_t i = 0; i < json_array_size(list); i++)
            most = fmax(most, largest(json_object_get(json_array_get(list, i), "data")));
    }
    return most;
}

static bool is_close(const comparison *c, const json_t *got, const json_t *expected, double whole)
{
    if (json_is_integer(got) && json_is_integer(expected)) /* beyond 2^53 too */
        return json_integer_value(got) == json_integer_value(expected) ||
               fabs(number(got) - number(expected)) <= c->atol + c->rtol * fabs(number(expected)) + whole;
    double x = number(got), y = number(expected);
    if (isnan(x) || isnan(y))
        return isnan(x) && isnan(y);
    return x == y || (isfinite(x) && isfinite(y) && fabs(x - y) <= c->atol + c->rtol * fabs(y) + whole);
}

static void compare_tensor(const comparison *c, const json_t *request, const char *member, size_t k, const json_t *got,
                           const json_t *expected)
{
    if (json_is_null(expected) && strcmp(member, "values") && (json_is_null(got) || all_zero(got)))
        return; /* no gradient: null, or zeros */
    if (!json_is_object(got) || !json_is_object(expected))
        differs(c, request, "%s[%zu] is %s, expected %s", member, k, json_is_null(got) ? "null" : "a tensor",
                json_is_null(expected) ? "null" : "a tensor");
    const json_t *from = json_object_get(got, "data"), *to = json_object_get(expected, "data");
    const json_t *dtype = json_object_get(got, "dtype");
    if (!c->any_dtype && !json_equal(dtype, json_object_get(expected, "dtype")))
        differs(c, request, "%s[%zu] is %s, expected %s", member, k, json_string_value(dtype),
                json_string_value(json_object_get(expected, "dtype")));
    if (!json_equal(json_object_get(got, "shape"), json_object_get(expected, "shape"))) {
        char *a = json_dumps(json_object_get(got, "shape"), 0), *b = json_dumps(json_object_get(expected, "shape"), 0);
        differs(c, request, "%s[%zu] has the shape %s, expected %s", member, k, a, b);
    }
    if (json_array_size(from) != json_array_size(to))
        differs(c, request, "%s[%zu] has %zu data, expected %zu", member, k, json_array_size(from),
                json_array_size(to));
    double whole = c->whole > 0 ? c->whole * fmax(largest(to), largest_operand(request)) : 0;
    for (size_t i = 0; i < json_array_size(to); i++)
        if (!is_close(c, json_array_get(from, i), json_array_get(to, i), whole))
            differs(c, request, "%s[%zu][%zu] is %.17g, expected %.17g", member, k, i, number(json_array_get(from, i)),
                    number(json_array_get(to, i)));
}

static void compare(const comparison *c, const json_t *request, const json_t *answer, const json_t *expected)
{
    const json_t *error = json_object_get(answer, "error");
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *refused = json_string_value(json_object_get(expected, "error"));
    if (refused && (!code || strcmp(code, refused)))
        differs(c, request, "%s%s, expected the error %s", code ? "the error " : "a value", code ? code : "", refused);
    if (refused)
        return;
    if (error)
        differs(c, request, "%s", json_string_value(json_object_get(error, "message")));
    const char *member;
    json_t *list;
    json_object_foreach ((json_t *)(uintptr_t)expected, member, list) {
        const json_t *got = json_object_get(answer, member);
        if (json_array_size(got) != json_array_size(list))
            differs(c, request, "%s are %zu, expected %zu", member, json_array_size(got), json_array_size(list));
        for (size_t k = 0; k < json_array_size(list); k++)
            compare_tensor(c, request, member, k, json_array_get(got, k), json_array_get(list, k));
    }
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */
/* What a line expects is what it wants. */
static void want_what_is_expected(json_t *request, const json_t *expected)
{
    json_t *want = json_array();
    const char *member;
    json_t *list;
    json_object_foreach ((json_t *)(uintptr_t)expected, member, list)
        if (strcmp(member, "error"))
            json_array_append_new(want, json_string(strcmp(member, "values") ? member : "value"));
    if (json_array_size(want)) /* a line that expects an error says itself what it wants */
        json_object_set(request, "want", want);
    json_decref(want);
}

/* Rounds float64 tensors to float32 in place; `narrow` makes them float32. */
static void round_tensors(json_t *request, bool narrow)
{
    static const char *const members[] = {"inputs", "cotangents", "tangents"};
    for (size_t m = 0; m < sizeof members / sizeof *members; m++) {
        json_t *list = json_object_get(request, members[m]);
        for (size_t i = 0; i < json_array_size(list); i++) {
            json_t *t = json_array_get(list, i), *data = json_object_get(t, "data");
            const char *dtype = json_string_value(json_object_get(t, "dtype"));
            if (!dtype || strcmp(dtype, "float64"))
                continue;
            for (size_t k = 0; k < json_array_size(data); k++)
                if (json_is_number(json_array_get(data, k)))
                    json_array_set_new(data, k, json_real((double)(float)number(json_array_get(data, k))));
            if (narrow)
                json_object_set_new(t, "dtype", json_string("float32"));
        }
    }
}

static bool is_elementwise(const json_t *request)
{
    wg_tape *tape = wg_tape_new();
    const wg_op *op = wg_op_find(tape, json_string_value(json_object_get(request, "op")));
    wg_tape_free(tape);
    return op && op->map;
}

/* float32 against float64 of the same operands: 32 ulp of the number itself where it comes from one element alone.
 * Where it is a sum, of numbers of both signs as a rule, 32 ulp of the largest number there is. */
static void same_in_float32(int line, const json_t *request)
{
    const double ulps = 32 * 0x1p-23;
    bool elementwise = is_elementwise(request);
    comparison c = {line, ", float32", elementwise ? ulps : 0, 0x1p-126, elementwise ? 0 : ulps, true};
    json_t *wide = json_deep_copy(request);
    round_tensors(wide, false);
    json_t *expected = answer_to(wide);
    json_object_del(expected, "id");
    if (json_object_get(expected, "error"))
        json_object_set(expected, "error", json_object_get(json_object_get(expected, "error"), "code"));
    json_t *narrow = json_deep_copy(wide);
    round_tensors(narrow, true);
    json_t *answer = answer_to(narrow);
    compare(&c, request, answer, expected);
    json_decref(wide);
    json_decref(expected);
    json_decref(narrow);
    json_decref(answer);
}

/* The same request in another way gives the same, to the tolerance of the line, or to the bit. */
static void same_how(int line, const json_t *request, const json_t *how, const char *name, const json_t *expected,
                     const comparison *as)
{
    comparison c = *as;
    c.line = line;
    c.how = name;
    json_t *other = json_copy((json_t *)(uintptr_t)request);
    json_object_set(other, "how", (json_t *)(uintptr_t)how);
    json_t *answer = answer_to(other);
    compare(&c, request, answer, expected);
    json_decref(other);
    json_decref(answer);
}

static double real_of(const json_t *request, const char *name, double otherwise)
{
    const json_t *json = json_object_get(request, name);
    return json ? json_number_value(json) : otherwise;
}

/* A build without LAPACK refuses what needs it, and no other build may. */
static bool lacks_lapack(const json_t *answer)
{
    const char *code = json_string_value(json_object_get(json_object_get(answer, "error"), "code"));
    return !wg_has_lapack() && code && !strcmp(code, "unsupported");
}

START_TEST(line_gives_what_it_says)
{
    json_error_t error;
    json_t *request = json_loads(lines[_i].text, 0, &error);
    ck_assert_msg(request, "%s:%d: %s", lines[_i].file, lines[_i].number, error.text);
    const json_t *expected = json_object_get(request, "expect");
    ck_assert_msg(json_object_size(expected), "%s:%d: expects nothing", lines[_i].file, lines[_i].number);
    comparison as = {_i, "", real_of(request, "rtol", 1e-12), real_of(request, "atol", 0), 0, false};
    want_what_is_expected(request, expected);

    json_t *answer = answer_to(request);
    if (lacks_lapack(answer)) {
        json_decref(answer);
        json_decref(request);
        return;
    }
    compare(&as, request, answer, expected);
    json_t *exported = json_pack("{s:b}", "exported", 1);
    if (lines[_i].exported) {
        char name[40], object[100];
        snprintf(name, sizeof name, "line%d", _i);
        snprintf(object, sizeof object, "%s/%d.so", folder_now, lines[_i].object);
        engine_exports(engine_now, name, NULL, object);
        same_how(_i, request, exported, ", exported", expected, &as);
        engine_exports(engine_now, NULL, NULL, NULL);
    }
    json_decref(exported);
    json_t *strided = json_pack("{s:s}", "layout", "strided"), *threads = json_pack("{s:i}", "threads", 2);
    static const char *const layouts[] = {"contiguous", "strided", "broadcast"};
    json_t *repeated = json_pack("{s:s}", "layout", "broadcast");
    json_t *compiled = json_pack("{s:b, s:s}", "compiled", 1, "layout", layouts[_i % 3]);
    same_how(_i, request, strided, ", strided", expected, &as);
    same_how(_i, request, repeated, ", broadcast", expected, &as);
    same_how(_i, request, compiled, ", compiled", expected, &as);
    if (!json_object_get(expected, "error")) { /* the same bits */
        json_object_del(answer, "id");
        same_how(_i, request, threads, ", 2 threads", answer, &(comparison){0});
    }
    if (json_is_true(json_object_get(request, "f32")))
        same_in_float32(_i, request);
    json_decref(strided);
    json_decref(threads);
    json_decref(repeated);
    json_decref(compiled);
    json_decref(answer);
    json_decref(request);
}
END_TEST

/* ---- Exported C -------------------------------------------------------------------------------------------------- */
/* Puts the C of line i, where all that it is made of has some, behind what the file has. */
static void line_exported(int i, const char *path, FILE *to)
{
    char name[40], part[4096];
    json_t *request = json_loads(lines[i].text, 0, NULL), *expected = json_object_get(request, "expect");
    if (!request || json_object_get(expected, "error")) {
        json_decref(request);
        return;
    }
    want_what_is_expected(request, expected);
    json_object_set_new(request, "how", json_pack("{s:b}", "exported", 1));
    snprintf(name, sizeof name, "line%d", i);
    engine_exports(engine_now, name, path, NULL);
    json_t *answer = answer_to(request);
    const char *why = json_string_value(json_object_get(json_object_get(answer, "error"), "message"));
    ck_assert_msg(!why || !strstr(why, "its C text"), "%s", why);
    FILE *from = json_object_get(answer, "error") ? NULL : fopen(path, "r");
    for (size_t n; from && (n = fread(part, 1, sizeof part, from)) > 0;)
        fwrite(part, 1, n, to);
    lines[i].exported = from != NULL;
    if (from)
        fclose(from);
    remove(path);
    json_decref(answer);
    json_decref(request);
}

/* First of its file's, in the process of all: what was exported is known to the lines. */
START_TEST(the_c_of_a_file_compiles)
{
    char path[100], all[100], command[500];
    snprintf(path, sizeof path, "%s/one.c", folder_now);
    snprintf(all, sizeof all, "%s/%d.c", folder_now, _i);
    FILE *to = fopen(all, "w");
    ck_assert_ptr_nonnull(to);
    for (int i = 0; i < n_lines; i++)
        if (lines[i].object == _i)
            line_exported(i, path, to);
    fclose(to);
    snprintf(command, sizeof command,
             "${CC:-cc} -std=c99 -O0 -Wall -Wextra -Wconversion -Werror -fPIC -shared -o %s/%d.so %s -lm", folder_now,
             _i, all);
    ck_assert_msg(!system(command), "%s does not compile", all);
}
END_TEST

/* ---- Files ------------------------------------------------------------------------------------------------------- */
static void add_line(const char *file, int number, const char *text)
{
    lines = realloc(lines, (size_t)(n_lines + 1) * sizeof *lines);
    memset(&lines[n_lines], 0, sizeof *lines);
    snprintf(lines[n_lines].file, sizeof lines[n_lines].file, "%s", file);
    lines[n_lines].number = number;
    lines[n_lines++].text = strdup(text);
}

static void engine_made(void) { engine_now = engine_new(); }
static void engine_freed(void) { engine_free(engine_now); }

static bool add_file(Suite *s, const char *folder, const char *name)
{
    char path[4096], *text = NULL;
    size_t room = 0;
    int first = n_lines, number = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(strchr(name, '/') ? name : path, "r");
    if (!file) {
        perror(path);
        return false;
    }
    while (getline(&text, &room, file) >= 0) {
        number++;
        if (text[strspn(text, " \r\n")])
            add_line(name, number, text);
    }
    free(text);
    fclose(file);
    TCase *c = tcase_create(name);
    tcase_set_timeout(c, 60); /* seconds a line */
    tcase_add_checked_fixture(c, engine_made, engine_freed);
    for (int i = first; i < n_lines; i++)
        lines[i].object = n_objects;
    tcase_add_loop_test(c, the_c_of_a_file_compiles, n_objects, n_objects + 1);
    n_objects++;
    tcase_add_loop_test(c, line_gives_what_it_says, first, n_lines);
    suite_add_tcase(s, c);
    return true;
}

static int is_data(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 6 && !strcmp(entry->d_name + n - 6, ".jsonl");
}

int main(int argc, char **argv)
{
    const char *folder = getenv("WENGERT_TEST_DATA");
    Suite *s = suite_create("reference");
    bool fine = true;
    folder = folder ? folder : "tests/data";
    if (!mkdtemp(folder_now)) {
        perror(folder_now);
        return 1;
    }
    for (int i = 1; i < argc; i++)
        fine &= add_file(s, folder, argv[i]);
    struct dirent **entry = NULL;
    int n = argc > 1 ? 0 : scandir(folder, &entry, is_data, alphasort);
    for (int i = 0; i < n; i++)
        fine &= add_file(s, folder, entry[i]->d_name);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    for (int i = 0; i < n; i++) /* until here, the names of the cases */
        free(entry[i]);
    free(entry);
    for (int i = 0; i < n_lines; i++)
        free(lines[i].text);
    free(lines);
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", folder_now);
    if (!getenv("WENGERT_KEEP") && system(command))
        failed++;
    if (!n_lines)
        fprintf(stderr, "%s: no lines\n", folder);
    return failed || !fine || !n_lines;
}
