/* Sample calls: the short texts of the entries, "[2,3]:0.1..5 [4]:int64:0..2 axis=[0,-1]", read and made. */
#include "wengert/sample.h"

#include <stdlib.h>

#include "core/tape.h"

typedef struct {
    wg_tape *tape;
    const wg_op *op;
    const char *text, *at;
    wg_dtype dtype;
    uint64_t seed;
    wg_sample *sample;
    bool dry; /* the arena gave nothing */
} reader;

static wg_status unreadable(const reader *r, const char *what)
{
    return wg_report(r->tape, "wg_sample_make", WG_ERROR_FORMAT, "%s of %s: %s at \"%.40s\"", r->text,
                     r->op->name, what, r->at);
}

static bool accept(reader *r, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(r->at, word, n))
        return false;
    r->at += n;
    return true;
}

static bool read_number(reader *r, double *value)
{
    char *end;
    *value = strtod(r->at, &end);
    if (end == r->at)
        return false;
    if (end[-1] == '.' && *end == '.') /* "1..5": strtod took "1." */
        end--;
    r->at = end;
    return true;
}

/* "[2,3]", "[]": at most WG_MAX_RANK integers. */
static bool read_ints(reader *r, wg_ints *list)
{
    *list = (wg_ints){0};
    if (!accept(r, "["))
        return false;
    while (!accept(r, "]")) {
        double value;
        if ((list->n && !accept(r, ",")) || list->n == WG_MAX_RANK || !read_number(r, &value))
            return false;
        list->at[list->n++] = (int64_t)value;
    }
    return true;
}

/* ---- Operands ---------------------------------------------------------------------------------------------------- */
/* What fills an operand. */
typedef struct {
    wg_dtype dtype;
    bool constant, interval, definite, ascending;
    double low, high;
} filling;

static bool read_filling(reader *r, filling *f)
{
    static const struct {
        const char *word;
        wg_dtype dtype;
    } words[] = {{":int64", WG_INT64}, {":int32", WG_INT32}, {":bool", WG_BOOL}};
    *f = (filling){.dtype = r->dtype, .low = 0, .high = 3};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (accept(r, words[i].word))
            f->dtype = words[i].dtype;
    f->definite = accept(r, ":definite");
    f->ascending = accept(r, ":ascending");
    if (f->definite || f->ascending || !accept(r, ":"))
        return true;
    if (!read_number(r, &f->low))
        return false;
    f->interval = accept(r, "..");
    f->constant = !f->interval;
    return f->constant || read_number(r, &f->high);
}

static double drawn(const reader *r, const filling *f, int operand, int64_t i)
{
    uint32_t w[4];
    if (f->constant)
        return f->low;
    wg_philox(r->seed, (uint64_t)operand, (uint64_t)i, w);
    double u = wg_uniform_from(w[0], w[1]);
    if (f->dtype == WG_BOOL)
        return u < 0.5;
    if (wg_is_integer(f->dtype))
        return f->low + floor(u * (f->high - f->low + 1));
    if (f->interval)
        return f->low + u * (f->high - f->low);
    return 1.2 * sqrt(-2 * log(u)) * cos(6.283185307179586 * wg_uniform_from(w[2], w[3])); /* around 0 */
}

/* Entry i of a stack of n x n matrices: their diagonals dominate. */
static double drawn_definite(const reader *r, const filling *f, int operand, int64_t n, int64_t i)
{
    int64_t row = i / n % n, column = i % n;
    if (row > column) /* the one across the diagonal */
        i += (column - row) * n + row - column;
    double u = drawn(r, f, operand, i);
    return row == column ? (double)n + 1 + (double)row : tanh(u);
}

/* Entry i of n in ascending order, around 0. */
static double drawn_ascending(const reader *r, const filling *f, int operand, int64_t n, int64_t i)
{
    return (double)i - 0.5 * (double)n + 0.4 * tanh(drawn(r, f, operand, i));
}

static double filled(const reader *r, const filling *f, const wg_ints *dims, int64_t n, int64_t i)
{
    int operand = r->sample->n_in;
    return f->definite    ? drawn_definite(r, f, operand, dims->at[dims->n - 1], i)
           : f->ascending ? drawn_ascending(r, f, operand, n, i)
                          : drawn(r, f, operand, i);
}

static wg_status read_operand(reader *r)
{
    wg_sample *s = r->sample;
    if (s->n_in == WG_SAMPLE_OPERANDS)
        return unreadable(r, "too many operands");
    if (accept(r, "-")) {
        s->in[s->n_in++] = WG_NONE;
        return WG_OK;
    }
    wg_ints dims;
    filling f;
    if (!read_ints(r, &dims) || !read_filling(r, &f) || (f.definite && dims.n < 2))
        return unreadable(r, "no operand");
    wg_type type = {.dtype = f.dtype, .rank = dims.n};
    memcpy(type.dim, dims.at, sizeof dims.at);
    wg_tensor t = wg_leaf(r->tape, &type, NULL, 0, "wg_sample_make");
    if (!wg_is_tensor(t))
        return r->tape->status;
    const wg_node *node = wg_node_at(r->tape, t.node);
    int64_t n = wg_node_count(node);
    for (int64_t i = 0; i < n; i++)
        wg_store_number(f.dtype, filled(r, &f, &dims, n, i),
                        (unsigned char *)node->data + (size_t)i * wg_dtype_size(f.dtype));
    s->in[s->n_in++] = t;
    return WG_OK;
}

/* ---- Options ----------------------------------------------------------------------------------------------------- */
static bool read_list(reader *r, wg_value *value)
{
    const char *start = r->at;
    r->at++;
    bool nested = *r->at == '[';
    r->at = start;
    if (!nested) {
        wg_ints list;
        if (!read_ints(r, &list))
            return false;
        int64_t *copy = wg_arena(r->tape, sizeof list.at);
        r->dry = !copy;
        if (!copy)
            return false;
        memcpy(copy, list.at, sizeof list.at);
        value->kind = WG_VALUE_LIST;
        value->list = (wg_list){.n = list.n, .at = copy};
        return true;
    }
    r->at++;
    value->kind = WG_VALUE_LISTS;
    for (value->n = 0; !accept(r, "]"); value->n++)
        if ((value->n && !accept(r, ",")) || value->n == WG_MAX_RANK || !read_ints(r, &value->lists[value->n]))
            return false;
    return true;
}

/* A word up to the next space, as a string of its own. */
static char *read_word(reader *r)
{
    size_t n = strcspn(r->at, " ");
    char *word = wg_arena(r->tape, n + 1);
    r->dry = !word;
    if (!word)
        return NULL;
    memcpy(word, r->at, n);
    word[n] = 0;
    r->at += n;
    return word;
}

static bool read_value(reader *r, wg_value *value)
{
    *value = (wg_value){0};
    if (*r->at == '[')
        return read_list(r, value);
    char *word = read_word(r), *end;
    if (!word || !*word)
        return false;
    if (!strcmp(word, "true") || !strcmp(word, "false")) {
        value->kind = WG_VALUE_BOOL;
        value->truth = *word == 't';
        return true;
    }
    value->integer = strtoll(word, &end, 10);
    value->kind = WG_VALUE_INTEGER;
    if (!*end)
        return true;
    value->real = strtod(word, &end);
    value->kind = *end ? WG_VALUE_TEXT : WG_VALUE_REAL;
    value->text = word;
    return true;
}

static wg_status read_option(reader *r)
{
    char name[64], message[256];
    size_t n = strcspn(r->at, "= ");
    if (r->at[n] != '=' || n >= sizeof name || !r->op->options)
        return unreadable(r, "no option");
    memcpy(name, r->at, n);
    name[n] = 0;
    r->at += n + 1;
    wg_value *value = wg_arena(r->tape, sizeof *value); /* the options may point into it */
    if (!value || !read_value(r, value))
        return !value || r->dry ? wg_no_memory(r->tape, "wg_sample_make", sizeof *value) : unreadable(r, "no value");
    wg_status status = wg_option_set(r->op->options, r->sample->options, name, value, message, sizeof message);
    return status ? wg_report(r->tape, "wg_sample_make", status, "%s of %s: %s", r->text, r->op->name, message) : WG_OK;
}

/* A random operation draws numbers of the dtype that its float operands have. */
static void dtype_drawn(const reader *r)
{
    const wg_schema *schema = r->op->options;
    for (int i = 0; r->op->random && i < schema->n; i++)
        if (schema->attr[i].kind == WG_ATTR_DTYPE)
            memcpy((unsigned char *)r->sample->options + schema->attr[i].offset, &r->dtype, sizeof r->dtype);
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
wg_status wg_sample_make(wg_tape *tape, const wg_op *op, const char *text, wg_dtype dtype, uint64_t seed,
                         wg_sample *sample)
{
    if (!tape || !op || !text || !sample)
        return WG_ERROR_VALUE;
    reader r = {.tape = tape, .op = op, .text = text, .at = text, .dtype = dtype, .seed = seed, .sample = sample};
    *sample = (wg_sample){0};
    if (op->options) {
        if (op->options->size > sizeof sample->options)
            return wg_report(tape, "wg_sample_make", WG_ERROR_UNSUPPORTED, "the options of %s take %zu bytes", op->name,
                             op->options->size);
        memcpy(sample->options, op->options->defaults, op->options->size);
        dtype_drawn(&r);
    }
    wg_status status = WG_OK;
    while (!status) {
        r.at += strspn(r.at, " ");
        if (!*r.at)
            return WG_OK;
        status = *r.at == '[' || *r.at == '-' ? read_operand(&r) : read_option(&r);
    }
    return status;
}

wg_status wg_sample_record(wg_tape *tape, const wg_op *op, const wg_sample *sample, wg_tensor *out, int n_out)
{
    return wg_record_on(tape, op, op->options ? sample->options : NULL, sample->in, sample->n_in, out, n_out);
}
