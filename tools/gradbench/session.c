/* The protocol: a request is read, its evaluation prepared and run as often as it says, and the answer written. A
 * request that fails is answered with the reason; the next one is none the worse for it. */
#include "gradbench.h"

#include <stdlib.h>
#include <time.h>

/* ---- Times ------------------------------------------------------------------------------------------------------- */
/* Nanoseconds, of the preparation and then of each run. */
typedef struct {
    int64_t *at;
    size_t n, room;
} times;

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool time_kept(times *t, int64_t nanoseconds)
{
    if (t->n == t->room) {
        size_t room = t->room ? 2 * t->room : 16;
        int64_t *at = realloc(t->at, room * sizeof *at);
        if (!at)
            return false;
        t->at = at;
        t->room = room;
    }
    t->at[t->n++] = nanoseconds;
    return true;
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */
/* A member of the input, or what it is where it is missing. */
static double number_or(const json_t *input, const char *key, double absent)
{
    const json_t *json = json_object_get(input, key);
    return json_is_number(json) ? json_number_value(json) : absent;
}

static void evaluated(problem *p, const evaluation *e, times *t)
{
    double min_runs = number_or(p->input, "min_runs", 1), min_seconds = number_or(p->input, "min_seconds", 0);
    int64_t start = now(), spent = 0, took;
    e->prepare(p);
    bool kept = time_kept(t, now() - start);
    double runs = 0;
    while (kept && !wg_failed(p->tape) && (runs < 1 || runs < min_runs || 1e-9 * (double)spent < min_seconds)) {
        start = now();
        wg_status status = p->run(p);
        took = now() - start;
        if (status)
            break;
        kept = time_kept(t, took);
        spent += took;
        runs++;
    }
    if (!kept)
        wg_report(p->tape, "gradbench", WG_ERROR_MEMORY, "no memory for %zu times", t->n);
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */
static void text_write(const char *text, FILE *to)
{
    json_t *json = json_string(text);
    if (!json || json_dumpf(json, to, JSON_ENCODE_ANY))
        fputs("\"\"", to);
    json_decref(json);
}

static void id_write(const json_t *request, FILE *to)
{
    const json_t *id = json_object_get(request, "id");
    fputs("{\"id\":", to);
    if (!id || json_dumpf(id, to, JSON_ENCODE_ANY | JSON_COMPACT))
        fputs("null", to);
}

static void failure_write(const json_t *request, const char *why, FILE *to)
{
    id_write(request, to);
    fputs(",\"success\":false,\"error\":", to);
    text_write(why, to);
    fputs("}\n", to);
}

static void times_write(const times *t, FILE *to)
{
    fputs(",\"timings\":[", to);
    for (size_t i = 0; i < t->n; i++)
        fprintf(to, "%s{\"name\":\"%s\",\"nanoseconds\":%lld}", i ? "," : "", i ? "evaluate" : "prepare",
                (long long)t->at[i]);
    fputc(']', to);
}

/* The whole answer in memory first: whether it is one is known at its end. False: it is not; `why` says what is wrong.
 */
static bool answer_written(const json_t *request, const problem *p, const times *t, FILE *to, const char **why)
{
    char *text = NULL;
    size_t size = 0;
    answer a = {open_memstream(&text, &size), true};
    bool whole_answer = a.to;
    if (a.to) {
        id_write(request, a.to);
        fputs(",\"success\":true,\"output\":", a.to);
        p->write(p, &a);
        times_write(t, a.to);
        fputs("}\n", a.to);
        whole_answer = !ferror(a.to);
        whole_answer &= !fclose(a.to);
    }
    *why = whole_answer ? "the output holds what is not a number" : "no memory for the answer";
    if (whole_answer && a.finite)
        fwrite(text, 1, size, to);
    free(text);
    return whole_answer && a.finite;
}

static void evaluate(const json_t *request, FILE *to)
{
    const char *module = json_string_value(json_object_get(request, "module"));
    const char *function = json_string_value(json_object_get(request, "function"));
    const evaluation *e = function ? evaluation_found(module, function) : NULL;
    if (!e) {
        failure_write(request, "there is no such module and function", to);
        return;
    }
    times t = {0};
    problem p = {.tape = wg_tape_new(), .input = json_object_get(request, "input"), .derivative = e->derivative};
    const char *why = wg_error(p.tape);
    if (p.tape)
        evaluated(&p, e, &t);
    if (!p.tape || wg_failed(p.tape) || !answer_written(request, &p, &t, to, &why))
        failure_write(request, p.tape && wg_failed(p.tape) ? wg_error(p.tape) : why, to);
    wg_tape_free(p.tape);
    free(t.at);
}

static void start(const json_t *request, FILE *to)
{
    id_write(request, to);
    fputs(",\"tool\":\"wengert\"}\n", to);
}

static void define(const json_t *request, FILE *to)
{
    bool found = evaluation_found(json_string_value(json_object_get(request, "module")), NULL);
    id_write(request, to);
    fprintf(to, ",\"success\":%s}\n", found ? "true" : "false");
}

static void acknowledge(const json_t *request, FILE *to)
{
    id_write(request, to);
    fputs("}\n", to);
}

/* ---- The session ------------------------------------------------------------------------------------------------- */
static const struct {
    const char *kind;
    void (*answer)(const json_t *request, FILE *to);
} kinds[] = {{"start", start}, {"define", define}, {"evaluate", evaluate}};

static bool is_blank(const char *line, size_t n)
{
    size_t i = 0;
    while (i < n && strchr(" \t\r\n", line[i]))
        i++;
    return i == n;
}

void session_answer(const char *line, size_t n, FILE *to)
{
    if (is_blank(line, n))
        return;
    json_error_t error;
    json_t *request = json_loadb(line, n, 0, &error);
    if (!json_is_object(request)) {
        failure_write(request, request ? "a request is a JSON object" : error.text, to);
        json_decref(request);
        return;
    }
    const char *kind = json_string_value(json_object_get(request, "kind"));
    size_t i = 0;
    while (i < sizeof kinds / sizeof *kinds && (!kind || strcmp(kind, kinds[i].kind)))
        i++;
    (i < sizeof kinds / sizeof *kinds ? kinds[i].answer : acknowledge)(request, to);
    json_decref(request);
}

void session_too_long(FILE *to) { failure_write(NULL, "no memory for a request so long", to); }
