/* The engine of `wengert call`. A request is read whole, then recorded on a tape that is rewound before the next one;
 * the answer is put together in memory, so that an error on the way leaves no half of one behind. */
#define WG_WITHOUT_PLACES /* a request has no line of C */
#include "answer.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "compiled.h"
#include "json_tensor.h"
#include "nearest.h"
#include "place.h"

#define MOST_OUTPUTS 256               /* of an operation, saved values included */
#define KEPT_BYTES ((size_t)64 << 20)  /* a tape that holds more is not kept for the next request */
#define MOST_BYTES ((size_t)1 << 30)   /* of a tape: a request for more is refused at once, not after seconds of
                                          filling */

struct engine {
    wg_tape *tape;
    wg_mark empty;
    int threads; /* of the tape */
    size_t held; /* bytes, by the tape */
    way exports;
};

typedef enum { WANT_VALUE, WANT_VJP, WANT_JVP, WANT_HVP, WANT_HVP_RR, WANTS } want;

static const struct {
    const char *asked, *member;
} wants[WANTS] = {{"value", "values"}, {"vjp", "vjp"}, {"jvp", "jvp"}, {"hvp", "hvp"}, {"hvp_rr", "hvp_rr"}};

typedef struct {
    const json_t *json;
    wg_tape *tape;
    const wg_op *op;
    bool want[WANTS];
    layout layout;
    int threads;
    bool compiled;
    way how;
    options options;
    size_t n_in, n_out;
    wg_tensor *in, *tangent, *pulled;               /* one an input */
    wg_tensor *wrt;                                 /* the input; WG_NONE where it has no derivative */
    wg_tensor *leaf;                                /* what holds the values of inputs, cotangents, tangents */
    size_t n_leaves;
    wg_tensor *answer[WANTS];                       /* what is wanted: one an output, or one an input */
    wg_tensor out[MOST_OUTPUTS], cotangent[MOST_OUTPUTS];
} request;

engine *engine_new(void) { return calloc(1, sizeof(engine)); }

void engine_free(engine *e)
{
    if (!e)
        return;
    wg_tape_free(e->tape);
    free(e);
}

/* ---- Reading the request ----------------------------------------------------------------------------------------- */
static bool want_read(request *r, refusal *why)
{
    const json_t *list = json_object_get(r->json, "want");
    r->want[WANT_VALUE] = !list;
    if (list && !json_is_array(list))
        return refuse(why, "json", "want is not a list");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *asked = json_string_value(json_array_get(list, i));
        int w = 0;
        if (!asked)
            return refuse(why, "json", "want[%zu] is not a text", i);
        while (w < WANTS && strcmp(asked, wants[w].asked))
            w++;
        if (w == WANTS)
            return refuse(why, "value", "want[%zu] is \"%.40s\", not value, vjp, jvp, hvp or hvp_rr", i, asked);
        r->want[w] = true;
    }
    return true;
}

static bool layout_read(request *r, const json_t *json, refusal *why)
{
    static const char *const names[] = {"contiguous", "strided", "broadcast"};
    if (!json)
        return true;
    if (!json_is_string(json))
        return refuse(why, "json", "how.layout is not a text");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(json_string_value(json), names[i])) {
            r->layout = (layout)i;
            return true;
        }
    return refuse(why, "value", "how.layout is \"%.40s\", not contiguous, strided or broadcast",
                  json_string_value(json));
}

static bool threads_read(request *r, const json_t *json, refusal *why)
{
    r->threads = 1;
    if (!json)
        return true;
    json_int_t n = json_integer_value(json);
    if (!json_is_integer(json))
        return refuse(why, "json", "how.threads is not an integer");
    if (n < 1)
        return refuse(why, "value", "how.threads is %lld", (long long)n);
    r->threads = n < 256 ? (int)n : 256; /* more would not be made */
    return true;
}

static bool how_read(request *r, refusal *why)
{
    const json_t *how = json_object_get(r->json, "how");
    if (how && !json_is_object(how))
        return refuse(why, "json", "how is not an object");
    static const char *const ways[] = {"compiled", "exported"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const json_t *json = json_object_get(how, ways[i]);
        if (json && !json_is_boolean(json))
            return refuse(why, "json", "how.%s is not true or false", ways[i]);
        if (json_is_true(json))
            r->compiled = true;
        if (json_is_true(json) && i)
            r->how.exported = true;
    }
    return layout_read(r, json_object_get(how, "layout"), why) && threads_read(r, json_object_get(how, "threads"), why);
}

static bool op_read(request *r, refusal *why)
{
    const json_t *json = json_object_get(r->json, "op");
    if (!json_is_string(json))
        return refuse(why, json ? "json" : "op", "op is not the name of an operation");
    const char *name = json_string_value(json), *near = NULL;
    r->op = wg_op_find(r->tape, name);
    if (wg_failed(r->tape))
        return refuse_as_tape(why, r->tape);
    if (r->op && !r->op->hidden)
        return true;
    near = nearest_operation(name);
    return refuse(why, "op", "there is no operation \"%.60s\"%s%s", name, near ? "; the nearest is " : "",
                  near ? near : "");
}

/* The list `what` of arrays and nulls, at most n of them, as tensors of a layout; those left out stay WG_NONE. */
static bool tensors_read(request *r, const char *what, layout how, wg_tensor *t, size_t n, refusal *why)
{
    const json_t *list = json_object_get(r->json, what);
    if (list && !json_is_array(list))
        return refuse(why, "json", "%s is not a list", what);
    if (json_array_size(list) > n)
        return refuse(why, "shape", "%s are %zu; there are %zu to have one", what, json_array_size(list), n);
    for (size_t i = 0; i < json_array_size(list); i++) {
        array a;
        const json_t *json = json_array_get(list, i);
        if (json_is_null(json))
            continue;
        if (!array_read(json, what, i, &a, why))
            return false;
        t[i] = placed(r->tape, &a, how, &r->leaf[r->n_leaves++]);
        free(a.data);
        if (!wg_is_tensor(t[i]))
            return refuse_as_tape(why, r->tape);
    }
    return true;
}

static bool inputs_read(request *r, refusal *why)
{
    const json_t *list = json_object_get(r->json, "inputs");
    r->n_in = json_array_size(list);
    size_t room = r->n_in ? r->n_in : 1;
    r->in = calloc(room, sizeof *r->in);
    r->tangent = calloc(room, sizeof *r->tangent);
    r->pulled = calloc(room, sizeof *r->pulled);
    r->wrt = calloc(room, sizeof *r->wrt);
    r->leaf = calloc(2 * room + MOST_OUTPUTS, sizeof *r->leaf);
    if (!r->in || !r->tangent || !r->pulled || !r->wrt || !r->leaf)
        return refuse(why, "memory", "no memory for %zu inputs", r->n_in);
    return tensors_read(r, "inputs", r->layout, r->in, r->n_in, why);
}

/* ---- Recording --------------------------------------------------------------------------------------------------- */
static bool outputs_recorded(request *r, refusal *why)
{
    int n_in = r->n_in < INT_MAX ? (int)r->n_in : INT_MAX;
    wg_seed(r->tape, 0);
    if (wg_record_on(r->tape, r->op, r->options.values, r->in, n_in, r->out, MOST_OUTPUTS))
        return refuse_as_tape(why, r->tape);
    while (r->n_out < MOST_OUTPUTS && wg_is_tensor(r->out[r->n_out]))
        r->n_out++;
    for (int i = 0; i < WG_MAX_OUTPUTS && r->op->saved[i]; i++) /* they stand behind the outputs */
        r->n_out--;
    return true;
}

/* Inputs that have a derivative: floats, but for running statistics and their kind. */
static void differentiable_found(request *r)
{
    int named = wg_op_operands(r->op);
    for (size_t i = 0; i < r->n_in; i++) {
        int operand = i < (size_t)named ? (int)i : named - 1; /* the last one is variadic */
        bool has = wg_is_tensor(r->in[i]) && wg_is_float(wg_type_of(r->in[i]).dtype) &&
                   !(r->op->in[operand].flags & WG_NO_GRADIENT);
        r->wrt[i] = has ? r->in[i] : WG_NONE;
    }
}

/* A float without derivative may have a tangent: it is zero to what follows. */
static bool tangents_fit(const request *r, refusal *why)
{
    for (size_t i = 0; i < r->n_in; i++)
        if (!wg_is_none(r->tangent[i]) && !wg_is_float(wg_type_of(r->in[i]).dtype))
            return refuse(why, "dtype", "tangents[%zu] is of an input without one", i);
        else if (!wg_is_none(r->tangent[i]) && wg_is_none(r->in[i]))
            return refuse(why, "shape", "tangents[%zu] is of an input that is absent", i);
    return true;
}

static bool directions_read(request *r, refusal *why)
{
    differentiable_found(r);
    return tensors_read(r, "cotangents", LAYOUT_CONTIGUOUS, r->cotangent, r->n_out, why) &&
           tensors_read(r, "tangents", LAYOUT_CONTIGUOUS, r->tangent, r->n_in, why) && tangents_fit(r, why);
}

/* ---- Derivatives ------------------------------------------------------------------------------------------------- */
static bool pull(request *r, const wg_tensor *ys, const wg_tensor *gs, size_t n_ys, bool record, wg_tensor *out,
                 refusal *why)
{
    for (size_t i = 0; i < r->n_in; i++)
        out[i] = WG_NONE;
    if (!n_ys || !r->n_in)
        return true;
    wg_vjp_options how = {.create_graph = record, .record = r->compiled};
    return !(wg_vjp)(ys, gs, (int)n_ys, r->wrt, (int)r->n_in, out, how) || refuse_as_tape(why, r->tape);
}

/* The tangents of ys along the request's; absent ys have none. `out` has n_ys entries, and the inputs have room for
 * it. */
static bool push(request *r, const wg_tensor *ys, size_t n_ys, wg_tensor *out, refusal *why)
{
    wg_tensor *list = calloc(2 * (r->n_in + n_ys) + 1, sizeof *list);
    wg_tensor *x = list, *t = x + r->n_in, *y = t + r->n_in, *pushed = y + n_ys;
    int n = 0, n_y = 0, k = 0;
    if (!list)
        return refuse(why, "memory", "no memory for %zu tangents", r->n_in);
    for (size_t i = 0; i < r->n_in; i++)
        if (!wg_is_none(r->wrt[i])) {
            x[n] = r->wrt[i];
            t[n++] = r->tangent[i];
        }
    for (size_t i = 0; i < n_ys; i++)
        if (!wg_is_none(ys[i]))
            y[n_y++] = ys[i];
    bool fine = !n_y || !wg_jvp(y, n_y, x, t, n, pushed) || refuse_as_tape(why, r->tape);
    for (size_t i = 0; i < n_ys; i++)
        out[i] = wg_is_none(ys[i]) ? WG_NONE : pushed[k++];
    free(list);
    return fine;
}

/* The derivative of the vjp, a gradient, along the tangents: by a second backward pass, since a Hessian is
 * symmetric. */
static bool pull_again(request *r, wg_tensor *out, refusal *why)
{
    wg_tensor *list = calloc(2 * r->n_in + 1, sizeof *list);
    wg_tensor *y = list, *g = y + r->n_in;
    size_t n = 0;
    if (!list)
        return refuse(why, "memory", "no memory for %zu tangents", r->n_in);
    for (size_t i = 0; i < r->n_in; i++)
        if (!wg_is_none(r->pulled[i])) {
            y[n] = r->pulled[i];
            g[n++] = r->tangent[i];
        }
    bool fine = pull(r, y, g, n, false, out, why);
    free(list);
    return fine;
}

/* ---- The answer -------------------------------------------------------------------------------------------------- */
static bool tensors_write(const char *member, const wg_tensor *t, size_t n, FILE *to, refusal *why)
{
    fprintf(to, ", \"%s\": [", member);
    for (size_t i = 0; i < n; i++) {
        fputs(i ? ", " : "", to);
        if (!tensor_write(t[i], to, why))
            return false;
    }
    fputs("]", to);
    return true;
}

/* The derivative `w`, into `out`: one an output for the jvp, one an input for the others. */
static bool derivative(request *r, want w, wg_tensor *out, refusal *why)
{
    switch (w) {
    case WANT_VJP: return pull(r, r->out, r->cotangent, r->n_out, false, out, why);
    case WANT_JVP: return push(r, r->out, r->n_out, out, why);
    case WANT_HVP:
        return pull(r, r->out, r->cotangent, r->n_out, true, r->pulled, why) && push(r, r->pulled, r->n_in, out, why);
    case WANT_HVP_RR:
        return pull(r, r->out, r->cotangent, r->n_out, true, r->pulled, why) && pull_again(r, out, why);
    default: return true;
    }
}

static size_t answers(const request *r, want w) { return w == WANT_VALUE || w == WANT_JVP ? r->n_out : r->n_in; }

static bool answers_found(request *r, refusal *why)
{
    for (int w = 0; w < WANTS; w++) {
        size_t n = answers(r, (want)w);
        if (!r->want[w])
            continue;
        if (!(r->answer[w] = calloc(n + 1, sizeof *r->answer[w])))
            return refuse(why, "memory", "no memory for %zu answers", n);
        if (w == WANT_VALUE)
            memcpy(r->answer[w], r->out, n * sizeof *r->out);
        if (!derivative(r, (want)w, r->answer[w], why))
            return false;
    }
    return true;
}

static bool answers_write(const request *r, FILE *to, refusal *why)
{
    for (int w = 0; w < WANTS; w++)
        if (r->want[w] && !tensors_write(wants[w].member, r->answer[w], answers(r, (want)w), to, why))
            return false;
    return true;
}

/* The answers again, by a compiled function of everything that was handed over. */
static bool answers_compiled(request *r, wg_mark empty, refusal *why)
{
    size_t n = 0;
    for (int w = 0; w < WANTS; w++)
        n += r->want[w] ? answers(r, (want)w) : 0;
    wg_tensor *all = calloc(n + 1, sizeof *all);
    if (!all)
        return refuse(why, "memory", "no memory for %zu answers", n);
    n = 0;
    for (int w = 0; w < WANTS; w++)
        for (size_t i = 0; r->want[w] && i < answers(r, (want)w); i++)
            if (wg_is_tensor(r->answer[w][i]))
                all[n++] = r->answer[w][i];
    bool fine = run_compiled(r->tape, empty, r->leaf, (int)r->n_leaves, all, (int)n, &r->how, why);
    n = 0;
    for (int w = 0; w < WANTS; w++)
        for (size_t i = 0; fine && r->want[w] && i < answers(r, (want)w); i++)
            if (wg_is_tensor(r->answer[w][i]))
                r->answer[w][i] = all[n++];
    free(all);
    return fine;
}

static bool request_answered(request *r, wg_mark empty, FILE *to, refusal *why)
{
    bool fine = op_read(r, why) && options_read(r->op, json_object_get(r->json, "attrs"), &r->options, why) &&
                inputs_read(r, why) && outputs_recorded(r, why) && directions_read(r, why) && answers_found(r, why) &&
                (!r->compiled || answers_compiled(r, empty, why)) && answers_write(r, to, why);
    options_free(&r->options);
    free(r->in);
    free(r->tangent);
    free(r->pulled);
    free(r->wrt);
    free(r->leaf);
    for (int w = 0; w < WANTS; w++)
        free(r->answer[w]);
    return fine;
}

/* ---- The engine -------------------------------------------------------------------------------------------------- */
static void *held_allocate(void *user, size_t bytes)
{
    engine *e = user;
    void *memory = bytes <= MOST_BYTES - e->held ? malloc(bytes) : NULL;
    e->held += memory ? bytes : 0;
    return memory;
}

static void held_release(void *user, void *memory, size_t bytes)
{
    engine *e = user;
    e->held -= bytes;
    free(memory);
}

static void tape_dropped(engine *e)
{
    wg_tape_free(e->tape);
    e->tape = NULL;
}

/* An empty tape of that many threads. */
static bool tape_ready(engine *e, int threads, refusal *why)
{
    if (e->threads != threads)
        tape_dropped(e);
    if (e->tape) {
        wg_rewind(e->tape, e->empty);
        return true;
    }
    e->tape = wg_tape_new(.threads = threads, .memory = {held_allocate, held_release, e});
    e->threads = threads;
    if (!e->tape)
        return refuse_as_tape(why, NULL);
    e->empty = wg_tape_mark(e->tape);
    return true;
}

static bool answered(engine *e, const json_t *json, FILE *to, refusal *why)
{
    request r = {.json = json, .how = e->exports};
    if (!json_is_object(json))
        return refuse(why, "json", "the request is not an object");
    if (!want_read(&r, why) || !how_read(&r, why) || !tape_ready(e, r.threads, why))
        return false;
    r.tape = e->tape;
    bool fine = request_answered(&r, e->empty, to, why);
    if (e->held > KEPT_BYTES)
        tape_dropped(e);
    return fine;
}

/* Is the key that stands in quotes in the parser's words one of the attributes? */
static bool names_attribute(const json_t *json, const char *words)
{
    const char *name;
    json_t *value;
    json_object_foreach (json_object_get(json, "attrs"), name, value) {
        const char *at = strstr(words, name);
        if (at && at > words && at[-1] == '"' && at[strlen(name)] == '"')
            return true;
    }
    return false;
}

/* Is the number of n digits at `at` an integer that no int64_t holds? */
static bool is_too_large(const char *line, const char *at, size_t n, const char *end)
{
    char text[24];
    bool negative = at > line && at[-1] == '-';
    if (n < 19 || (at + n < end && strchr(".eE", at[n]) && at[n]))
        return false;
    if (n > 19)
        return true;
    snprintf(text, sizeof text, "%s%.19s", negative ? "-" : "", at);
    errno = 0;
    strtoll(text, NULL, 10);
    return errno == ERANGE;
}

/* The line with ".0" behind each integer that is too large to be one; NULL without memory. free() it. */
static char *large_as_real(const char *line, size_t n, size_t *size)
{
    char *text = NULL;
    FILE *to = open_memstream(&text, size);
    bool quoted = false;
    for (const char *at = line, *end = line + n; to && at < end;) {
        size_t digits = 0;
        while (!quoted && at + digits < end && isdigit((unsigned char)at[digits]))
            digits++;
        bool fraction = at > line && strchr(".eE+", at[-1]) && at[-1];
        size_t step = digits ? digits : quoted && *at == '\\' && at + 1 < end ? 2 : 1;
        quoted ^= *at == '"';
        fwrite(at, 1, step, to);
        if (!fraction && is_too_large(line, at, digits, end))
            fputs(".0", to);
        at += step;
    }
    if (to && (ferror(to) | fclose(to))) {
        free(text);
        return NULL;
    }
    return text;
}

/* Reads the line into *json, which may be there for its id even if the request is refused. */
static bool parsed(const char *line, size_t n, json_t **json, refusal *why)
{
    json_error_t error;
    *json = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);
    if (!*json && json_error_code(&error) == json_error_numeric_overflow) {
        size_t size = 0;
        char *text = large_as_real(line, n, &size);
        *json = text ? json_loadb(text, size, JSON_REJECT_DUPLICATES, &error) : NULL;
        free(text);
    }
    if (*json)
        return true;
    if (json_error_code(&error) == json_error_out_of_memory)
        return refuse(why, "memory", "no memory for a request of %zu bytes", n);
    if (json_error_code(&error) == json_error_duplicate_key)
        *json = json_loadb(line, n, 0, NULL);
    return refuse(why, names_attribute(*json, error.text) ? "attr" : "json", "%s", error.text);
}

static bool is_blank(const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r' && line[i] != '\n')
            return false;
    return true;
}

static void id_write(const json_t *id, FILE *to)
{
    fputs("{\"id\": ", to);
    if (!id || json_dumpf(id, to, JSON_ENCODE_ANY))
        fputs("null", to);
}

static void refusal_write(const json_t *id, const refusal *why, FILE *to)
{
    id_write(id, to);
    fprintf(to, ", \"error\": {\"code\": \"%s\", \"message\": ", why->code);
    text_write(why->message, to);
    fputs("}}\n", to);
}

void engine_answer(engine *e, const char *line, size_t n, FILE *to)
{
    char *text = NULL;
    size_t size = 0;
    refusal why = {0};
    json_t *json = NULL;
    if (is_blank(line, n))
        return;
    FILE *answer = open_memstream(&text, &size);
    bool fine = answer ? parsed(line, n, &json, &why) && answered(e, json, answer, &why)
                       : refuse(&why, "memory", "no memory for an answer");
    if (answer && (ferror(answer) | fclose(answer)) && fine)
        fine = refuse(&why, "memory", "no memory for an answer of more than %zu bytes", size);
    const json_t *id = json_object_get(json, "id");
    if (fine) {
        id_write(id, to);
        fwrite(text, 1, size, to);
        fputs("}\n", to);
    } else {
        refusal_write(id, &why, to);
    }
    json_decref(json);
    free(text);
}

void engine_exports(engine *e, const char *name, const char *path, const char *object)
{
    e->exports = (way){.name = name, .path = path, .object = object};
}

size_t engine_bytes(const engine *e) { return e->held; }

void engine_too_long(FILE *to)
{
    refusal why;
    refuse(&why, "memory", "no memory for a request so long");
    refusal_write(NULL, &why, to);
}
