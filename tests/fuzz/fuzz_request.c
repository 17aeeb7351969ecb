/* Requests drawn from the entries' own schemas, answered in this process: fuzz_request [--count N] [--seed N] [--op
 * NAME].
 *
 * Each call is asked twice: for its value, then for what a random request wants of it, with cotangents of the outputs'
 * form. Whatever is asked, the answer is one line of JSON that keeps the protocol; it takes neither long nor memory
 * that stays. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "request.h"
#include "tools/answer.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif

#define MOST_SECONDS (SANITIZED ? 20.0 : 4.0)        /* of processor time, for one request */
#define MOST_HELD ((size_t)64 << 20)                 /* bytes, by the engine between requests */
#define MOST_GROWTH ((SANITIZED ? 900.0 : 300.0) * 1048576) /* bytes resident, after the first requests */
#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct { /* the request being answered, for whoever ends the process meanwhile */
    const char *text;
    size_t n;
} now;

typedef struct {
    engine *e;
    char *text; /* the answer */
    json_t *json;
    double seconds, slowest; /* of processor time: this request, all of them */
} answered;

static double processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void ask(answered *a, const char *text, size_t n)
{
    size_t size;
    free(a->text);
    json_decref(a->json);
    a->text = NULL;
    FILE *to = open_memstream(&a->text, &size);
    if (!to)
        abort();
    now.text = text;
    now.n = n;
    alarm(300);
    double start = processor_seconds();
    engine_answer(a->e, text, n, to);
    a->seconds = processor_seconds() - start;
    a->slowest = a->seconds > a->slowest ? a->seconds : a->slowest;
    fclose(to);
    a->json = json_loadb(a->text, size, 0, NULL);
}

/* ---- What must hold of an answer --------------------------------------------------------------------------------- */
static bool is_tensor(const json_t *t)
{
    const json_t *shape = json_object_get(t, "shape"), *data = json_object_get(t, "data");
    json_int_t n = 1;
    if (json_is_null(t))
        return true;
    for (size_t i = 0; i < json_array_size(shape); i++)
        n *= json_integer_value(json_array_get(shape, i));
    return json_is_string(json_object_get(t, "dtype")) && json_is_array(shape) && json_is_array(data) &&
           (json_int_t)json_array_size(data) == n;
}

static bool is_code(const char *code)
{
    static const char *const codes[] = {"json",  "op",    "attr",    "dtype",  "shape",
                                        "index", "value", "numeric", "memory", "unsupported"};
    for (int i = 0; code && i < COUNT(codes); i++)
        if (!strcmp(code, codes[i]))
            return true;
    return false;
}

static const char *code_of(const answered *a)
{
    return json_string_value(json_object_get(json_object_get(a->json, "error"), "code"));
}

static bool depends_on_data(const char *code)
{
    static const char *const codes[] = {"index", "value", "numeric", "memory"};
    for (int i = 0; i < COUNT(codes); i++)
        if (!strcmp(code, codes[i]))
            return true;
    return false;
}

/* NULL, or what is wrong. */
static const char *fault(const answered *a)
{
    const char *end = strchr(a->text, '\n'), *name;
    json_t *error = json_object_get(a->json, "error"), *list;
    if (!*a->text)
        return NULL; /* a blank line */
    if (!end || end[1] || !json_is_object(a->json) || !json_object_get(a->json, "id"))
        return "it is not one object in one line";
    if (a->seconds > MOST_SECONDS)
        return "it took too long";
    if (engine_bytes(a->e) > MOST_HELD)
        return "the engine holds on to too much memory";
    if (error && json_object_size(a->json) == 2) {
        const char *message = json_string_value(json_object_get(error, "message"));
        return !is_code(code_of(a)) ? "the code is unknown" : !message || !*message ? "there is no message" : NULL;
    }
    json_object_foreach (a->json, name, list) {
        if (!strcmp(name, "id"))
            continue;
        if (!json_is_array(list))
            return "a member is no list";
        for (size_t i = 0; i < json_array_size(list); i++)
            if (!is_tensor(json_array_get(list, i)))
                return "an array does not fill its shape";
    }
    return NULL;
}

/* What is asked second. `fits`: cotangents and tangents are of their form. */
typedef struct {
    char *text;
    size_t n;
    bool contiguous, fits, derivatives;
} wish;

/* A build without LAPACK refuses what needs it, and no other build may. */
static bool lacks_lapack(const char *code) { return !wg_has_lapack() && !strcmp(code, "unsupported"); }

/* The second answer beside the first, of the same call. */
static const char *difference(const json_t *values, bool too_large, const answered *b, const wish *w)
{
    const json_t *again = json_object_get(b->json, "values");
    const char *code = code_of(b);
    if (!values)
        return code || too_large ? NULL : "it fails alone, and not when more is wanted";
    if (code && w->fits && !w->derivatives)
        return "it fails only when laid out otherwise, or on threads";
    if (code && w->fits && strcmp(code, "numeric") && strcmp(code, "memory") && !lacks_lapack(code))
        return "there is a value, and no derivative";
    if (again && w->contiguous && !json_equal(values, again))
        return "a second time the value is another";
    for (size_t i = 0; i < json_array_size(again); i++)
        if (!json_equal(json_object_get(json_array_get(values, i), "shape"),
                        json_object_get(json_array_get(again, i), "shape")))
            return "the shape depends on the layout";
    return NULL;
}

/* ---- One call ---------------------------------------------------------------------------------------------------- */
static void list_write(chance *c, const filled *list, int n, bool fits, FILE *to)
{
    for (int i = 0; i < n; i++) {
        filled f = list[i];
        f.low = -1;
        f.high = 1;
        if (f.dtype && (f.dtype[0] != 'f' || one_in(c, 8)))
            f.dtype = NULL;
        if (!fits && f.dtype && one_in(c, 2))
            f.dim[0] = f.dim[0] == 1 ? 2 : 1;
        if (!fits && one_in(c, 4))
            f.dtype = "int32";
        fputs(i ? ", " : "", to);
        filled_write(c, &f, to);
    }
}

/* The forms of the arrays of an answer, at most n. */
static int forms_read(const json_t *list, filled *f, int n)
{
    int all = (int)json_array_size(list);
    for (int i = 0; i < all && i < n; i++) {
        const json_t *t = json_array_get(list, (size_t)i), *shape = json_object_get(t, "shape");
        f[i] = (filled){.dtype = json_string_value(json_object_get(t, "dtype")), .rank = (int)json_array_size(shape)};
        for (int k = 0; k < f[i].rank; k++)
            f[i].dim[k] = json_integer_value(json_array_get(shape, (size_t)k));
    }
    return all < n ? all : n;
}

/* The call again, with random wants, cotangents, tangents, layout and threads. */
static wish wish_draw(chance *c, const request *r, const json_t *values)
{
    static const char *const wants[] = {"value", "vjp", "jvp", "hvp", "hvp_rr"};
    static const char *const layouts[] = {"contiguous", "strided", "broadcast"};
    wish w = {.fits = !one_in(c, 8)};
    filled out[REQUEST_INPUTS];
    int n_out = forms_read(values, out, REQUEST_INPUTS), layout = below(c, 3), n = 0;
    for (int i = 0; i < n_out; i++)
        w.fits &= filled_elements(&out[i]) <= MOST_ELEMENTS;
    FILE *to = open_memstream(&w.text, &w.n);
    if (!to)
        abort();
    fprintf(to, "{\"id\": 1, %s, \"want\": [", r->body);
    for (int i = 0; i < COUNT(wants); i++)
        if (one_in(c, 2)) {
            fprintf(to, "%s\"%s\"", n++ ? ", " : "", wants[i]);
            w.derivatives |= i > 0;
        }
    fputs("], \"cotangents\": [", to);
    list_write(c, out, n_out, w.fits, to);
    fputs("], \"tangents\": [", to);
    list_write(c, r->in, r->n_in, w.fits, to);
    fprintf(to, "], \"how\": {\"layout\": \"%s\", \"threads\": %d}}", layouts[layout], one_in(c, 8) ? 3 : 1);
    fclose(to);
    w.contiguous = layout == 0;
    return w;
}

static bool told(const char *why, const request *r, const answered *a)
{
    if (!why)
        return true;
    printf("%s: %s (%.2f s)\n%.*s\n%.600s\n", r->op->name, why, a->seconds, (int)(now.n < 3000 ? now.n : 3000),
           now.text, a->text);
    return false;
}

static bool call_holds(answered *a, chance *c, const wg_op *op)
{
    request r;
    request_draw(c, op, &r);
    char *first = NULL;
    size_t n;
    FILE *to = open_memstream(&first, &n);
    if (!to)
        abort();
    fprintf(to, "{\"id\": 0, %s}", r.body);
    fclose(to);
    ask(a, first, n);
    const char *why = fault(a);
    if (!why && r.sound && code_of(a) && !depends_on_data(code_of(a)) && !lacks_lapack(code_of(a)))
        why = "a sample call fails";
    json_t *values = json_incref(json_object_get(a->json, "values"));
    bool too_large = code_of(a) && !strcmp(code_of(a), "memory");
    wish w = {0};
    bool fine = told(why, &r, a);
    if (fine) {
        w = wish_draw(c, &r, values);
        ask(a, w.text, w.n);
        why = fault(a);
        fine = told(why ? why : difference(values, too_large, a, &w), &r, a);
    }
    for (int i = below(c, 6) - 4; fine && i > 0; i--) {
        text_broken(c, w.text, &w.n);
        ask(a, w.text, w.n);
        fine = told(fault(a), &r, a);
    }
    json_decref(values);
    free(first);
    free(w.text);
    free(r.body);
    return fine;
}

static int operations(const char *only, const wg_op **list, int room)
{
    int n = 0;
    for (int i = 0; request_operation(i) && n < room; i++)
        if (!only || !strcmp(only, request_operation(i)->name))
            list[n++] = request_operation(i);
    return n;
}

static void answered_free(answered *a)
{
    engine_free(a->e);
    json_decref(a->json);
    free(a->text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const wg_op *list[1024];
    int n = operations(NULL, list, COUNT(list));
    chance c = {.bytes = data, .left = size};
    answered a = {.e = engine_new()};
    if (!a.e || !call_holds(&a, &c, list[below(&c, n)]))
        abort();
    answered_free(&a);
    return 0;
}

/* ---- The program ------------------------------------------------------------------------------------------------- */
#ifndef WITH_LIBFUZZER
static void ended(int signal_number)
{
    ssize_t done = write(STDERR_FILENO, now.text, now.n);
    done = write(STDERR_FILENO, "\n", 1);
    (void)done;
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static double resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static long long number_after(char **argv, int argc, const char *name, long long otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], name))
            return strtoll(argv[i + 1], NULL, 10);
    return otherwise;
}

int main(int argc, char **argv)
{
    static const int signals[] = {SIGALRM, SIGSEGV, SIGABRT, SIGFPE, SIGBUS, SIGILL};
    long long count = number_after(argv, argc, "--count", 10000), seed = number_after(argv, argc, "--seed", 1);
    const char *only = NULL;
    for (int i = 1; i + 1 < argc; i++)
        only = strcmp(argv[i], "--op") ? only : argv[i + 1];
    for (int i = 0; i < COUNT(signals); i++)
        signal(signals[i], ended);
    const wg_op *list[1024];
    int n = operations(only, list, COUNT(list)), failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0); /* what failed is told even if a later request ends the process */
    answered a = {.e = engine_new()};
    double before = 0;
    if (!n || !a.e)
        return 2;
    for (long long i = 0; i < count && failed < 20; i++) {
        chance c = {.state = (uint64_t)(seed + i) * UINT64_C(0xd1342543de82ef95)};
        if (!call_holds(&a, &c, list[below(&c, n)])) {
            printf("that was --count 1 --seed %lld\n\n", seed + i);
            failed++;
        }
        before = i == 2000 ? resident_bytes() : before;
        if (i > 2000 && i % 1000 == 0 && resident_bytes() > before + MOST_GROWTH) {
            printf("memory grows: %.0f bytes, then %.0f\n", before, resident_bytes());
            failed++;
        }
    }
    printf("%lld calls of %d operations, %d failed; the slowest took %.2f s\n", count, n, failed, a.slowest);
    answered_free(&a);
    return failed != 0;
}
#endif
