/* A request starts as one of the entry's own sample calls, or from nothing but its operands and schema; then a few
 * things about it are changed. Most requests stay legal, and so reach the kernels and the chain rules; the others are
 * wrong in one or two places, as a user's are. */
#include "request.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* ---- Choices ----------------------------------------------------------------------------------------------------- */
uint64_t drawn(chance *c)
{
    uint64_t byte = 0;
    if (c->left) {
        byte = *c->bytes++;
        c->left--;
    }
    c->state += UINT64_C(0x9e3779b97f4a7c15) + byte; /* splitmix64 */
    uint64_t z = c->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int below(chance *c, int n) { return (int)(drawn(c) % (uint64_t)n); }

static double between(chance *c, double low, double high)
{
    return low + (high - low) * ((double)(drawn(c) >> 11) * 0x1p-53);
}

static const char *one_of(chance *c, const char *const *list, int n) { return list[below(c, n)]; }

const wg_op *request_operation(int i)
{
    for (int f = 0, at = 0; wg_op_family(f); f++)
        for (int k = 0; k < wg_op_family(f)->n; k++)
            if (!wg_op_family(f)->op[k]->hidden && at++ == i)
                return wg_op_family(f)->op[k];
    return NULL;
}

/* ---- Arrays ------------------------------------------------------------------------------------------------------ */
static const char *const dtypes[] = {"float64", "float32", "int64", "int32", "bool"};

int64_t filled_elements(const filled *f)
{
    int64_t n = 1;
    for (int i = 0; i < f->rank; i++)
        if (f->dim[i] <= 0)
            return 0;
    for (int i = 0; i < f->rank; i++)
        n = f->dim[i] > MOST_ELEMENTS || n * f->dim[i] > MOST_ELEMENTS ? MOST_ELEMENTS + 1 : n * f->dim[i];
    return n;
}

static void element_write(chance *c, const filled *f, bool wild, FILE *to)
{
    static const char *const reals[] = {"\"nan\"", "\"inf\"", "\"-inf\"", "0.0",   "-0.0", "1e308",
                                        "-1e308",  "5e-324",  "1e-40",    "1e38",  "-1e9", "1",
                                        "-1",      "0.5",     "745.2",    "-37.5", "1e16", "2.5"};
    static const char *const integers[] = {"-1",
                                           "0",
                                           "1",
                                           "2",
                                           "-2",
                                           "7",
                                           "2147483647",
                                           "-2147483648",
                                           "9223372036854775807",
                                           "-9223372036854775808",
                                           "1099511627776",
                                           "100",
                                           "3.0",
                                           "1e5"};
    bool is_real = f->dtype[0] == 'f';
    if (!strcmp(f->dtype, "bool"))
        fputs(one_in(c, 2) ? "true" : "false", to);
    else if (wild && one_in(c, 3))
        fputs(is_real ? one_of(c, reals, COUNT(reals)) : one_of(c, integers, COUNT(integers)), to);
    else if (is_real && (wild || one_in(c, 64)))
        fprintf(to, "%d", below(c, 5) - 2); /* ties and zeros */
    else if (is_real)
        fprintf(to, "%.9g", between(c, f->low, f->high));
    else
        fprintf(to, "%lld", (long long)f->low + (long long)below(c, (int)(f->high - f->low) + 1));
}

void filled_write(chance *c, const filled *f, FILE *to)
{
    if (!f->dtype) {
        fputs("null", to);
        return;
    }
    int64_t n = filled_elements(f);
    bool wild = one_in(c, 6), constant = !wild && one_in(c, 12);
    chance first = *c, again = *c;
    fprintf(to, "{\"dtype\": \"%s\", \"shape\": [", f->dtype);
    for (int i = 0; i < f->rank; i++)
        fprintf(to, "%s%lld", i ? ", " : "", (long long)f->dim[i]);
    fputs("], \"data\": [", to);
    for (int64_t i = 0; i < n && n <= MOST_ELEMENTS; i++) {
        fputs(i ? ", " : "", to);
        if (constant)
            again = first; /* all of them tie, or repeat */
        element_write(constant ? &again : c, f, wild, to);
    }
    fputs("]}", to);
}

/* ---- Sample calls ------------------------------------------------------------------------------------------------ */
typedef struct {
    const char *name;
    char value[200]; /* JSON */
} attribute;

typedef struct {
    int n;
    attribute at[16];
} attributes;

/* [2,3]:int64:0..2 */
static void operand_read(const char *text, const char *real, filled *f)
{
    *f = (filled){.dtype = real, .low = -1.5, .high = 1.5};
    if (*text == '-') {
        f->dtype = NULL;
        return;
    }
    for (text++; *text && *text != ']' && f->rank < WG_MAX_RANK; text += *text == ',')
        f->dim[f->rank++] = strtoll(text, (char **)(uintptr_t)&text, 10);
    for (const char *rest = strchr(text, ':'); rest; rest = strchr(rest + 1, ':')) {
        char *end;
        double low = strtod(rest + 1, &end);
        for (int i = 2; i < COUNT(dtypes); i++)
            if (!strncmp(rest + 1, dtypes[i], strlen(dtypes[i])))
                f->dtype = dtypes[i];
        if (end == rest + 1)
            continue;
        f->low = f->high = low;
        if (!strncmp(end, "..", 2))
            f->high = strtod(end + 2, NULL);
    }
    if (f->dtype[0] == 'i' && f->low == -1.5) {
        f->low = 0;
        f->high = 1;
    }
}

static const wg_attr *attr_named(const wg_schema *schema, const char *name, size_t n)
{
    for (int i = 0; schema && i < schema->n; i++)
        if (strlen(schema->attr[i].name) == n && !strncmp(schema->attr[i].name, name, n))
            return &schema->attr[i];
    return NULL;
}

static void sample_read(const wg_op *op, const char *sample, const char *real, request *r, attributes *a)
{
    char text[400], *rest = NULL;
    snprintf(text, sizeof text, "%s", sample);
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *equal = strchr(word, '=');
        const wg_attr *attr = equal ? attr_named(op->options, word, (size_t)(equal - word)) : NULL;
        if (!equal && r->n_in < REQUEST_INPUTS) {
            operand_read(word, real, &r->in[r->n_in++]);
        } else if (attr && a->n < COUNT(a->at)) {
            attribute *at = &a->at[a->n++];
            json_t *json = json_loads(equal + 1, JSON_DECODE_ANY, NULL); /* else a word */
            at->name = attr->name;
            snprintf(at->value, sizeof at->value, json ? "%s" : "\"%s\"", equal + 1);
            json_decref(json);
        }
    }
}

/* What a random operation draws is of its operands' dtype. */
static void dtype_drawn(const wg_op *op, const char *real, attributes *a)
{
    for (int i = 0; op->random && op->options && i < op->options->n; i++)
        if (op->options->attr[i].kind == WG_ATTR_DTYPE && a->n < COUNT(a->at)) {
            attribute *at = &a->at[a->n++];
            at->name = op->options->attr[i].name;
            snprintf(at->value, sizeof at->value, "\"%s\"", real);
        }
}

/* Operands that need not fit each other: small sizes, so that they often do. */
static void operands_drawn(chance *c, const wg_op *op, const char *real, request *r)
{
    int named = wg_op_operands(op), rank = below(c, 4);
    int64_t dim[REQUEST_RANK];
    for (int i = 0; i < REQUEST_RANK; i++)
        dim[i] = one_in(c, 12) ? 0 : 1 + below(c, 4);
    for (int i = 0; i < named && r->n_in < REQUEST_INPUTS; i++) {
        unsigned flags = op->in[i].flags;
        int n = flags & WG_VARIADIC ? below(c, 4) : 1;
        for (int k = 0; k < n && r->n_in < REQUEST_INPUTS; k++) {
            filled *f = &r->in[r->n_in++];
            *f = (filled){.dtype = real, .rank = one_in(c, 3) ? below(c, 5) : rank, .low = -2, .high = 2};
            memcpy(f->dim, dim, sizeof dim);
            if (flags & WG_INTEGER || (flags & WG_INDEX_OR_FLOAT && one_in(c, 2)))
                *f = (filled){.dtype = dtypes[2 + below(c, 2)],
                              .rank = f->rank,
                              .dim = {dim[0], dim[1], dim[2], dim[3]},
                              .high = 2};
            else if (flags & WG_BOOLEAN)
                f->dtype = "bool";
            else if (flags & WG_ANY && one_in(c, 4))
                f->dtype = dtypes[below(c, 5)];
            if (flags & WG_OPTIONAL && one_in(c, 2))
                f->dtype = NULL;
            if (f->dtype && f->dtype[0] == 'i')
                f->low = 0;
        }
    }
}

/* ---- Attributes -------------------------------------------------------------------------------------------------- */
static void integer_drawn(chance *c, char *text, size_t size)
{
    static const char *const integers[] = {"2147483647", "-2147483648", "9223372036854775807", "-9223372036854775808",
                                           "1000000000", "4294967296", "100", "-100", "1099511627776", "9", "-9"};
    if (one_in(c, 8))
        snprintf(text, size, "%s", one_of(c, integers, COUNT(integers)));
    else
        snprintf(text, size, "%d", below(c, 8) - 3);
}

static void integers_drawn(chance *c, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "[");
    int n = one_in(c, 30) ? 9 : below(c, 4);
    for (int i = 0; i < n && at + 30 < size; i++) {
        char one[24];
        integer_drawn(c, one, sizeof one);
        at += (size_t)snprintf(text + at, size - at, "%s%s", i ? ", " : "", one);
    }
    snprintf(text + at, size - at, "]");
}

static void lists_drawn(chance *c, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "[");
    int n = one_in(c, 30) ? 9 : below(c, 4);
    for (int i = 0; i < n && at + 30 < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s[%d, %d]", i ? ", " : "", below(c, 6) - 1, below(c, 6) - 1);
    snprintf(text + at, size - at, "]");
}

static void attribute_drawn(chance *c, const wg_attr *attr, char *text, size_t size)
{
    static const char *const reals[] = {"0.5",   "1",       "2",       "0",        "-1", "-0.5", "1e-5",
                                        "1e308", "\"nan\"", "\"inf\"", "\"-inf\"", "3",  "1.5"};
    static const char *const wrong[] = {"{}",    "null",        "\"\"",        "\"x\"",   "[]",   "true",
                                        "1.5",   "[[1], 2]",    "[1.5]",       "[\"a\"]", "[[]]", "[null]",
                                        "1e300", "\"\\u0000\"", "[[1, 2, 3]]", "[[[1]]]"};
    int choices = 0;
    while (choices < WG_MAX_CHOICES && attr->choices[choices])
        choices++;
    if (one_in(c, 12)) {
        snprintf(text, size, "%s", one_of(c, wrong, COUNT(wrong)));
        return;
    }
    switch (attr->kind) {
    case WG_ATTR_BOOL: snprintf(text, size, one_in(c, 2) ? "true" : "false"); break;
    case WG_ATTR_AXIS:
    case WG_ATTR_INTEGER: integer_drawn(c, text, size); break;
    case WG_ATTR_REAL: snprintf(text, size, "%s", one_of(c, reals, COUNT(reals))); break;
    case WG_ATTR_CHOICE:
        snprintf(text, size, "\"%s\"",
                 choices        ? attr->choices[below(c, choices)]
                 : one_in(c, 2) ? "ij,jk->ik"
                                : "ii...->...i");
        break;
    case WG_ATTR_DTYPE: snprintf(text, size, "\"%s\"", one_of(c, dtypes, COUNT(dtypes))); break;
    case WG_ATTR_PAIRS:
    case WG_ATTR_LISTS: (one_in(c, 3) ? integers_drawn : lists_drawn)(c, text, size); break;
    default: (one_in(c, 3) ? integer_drawn : integers_drawn)(c, text, size); break;
    }
}

static attribute *attribute_of(attributes *a, const char *name)
{
    for (int i = 0; i < a->n; i++)
        if (!strcmp(a->at[i].name, name))
            return &a->at[i];
    if (a->n == COUNT(a->at))
        return NULL;
    a->at[a->n].name = name;
    return &a->at[a->n++];
}

/* ---- Changes ----------------------------------------------------------------------------------------------------- */
static void input_changed(chance *c, request *r)
{
    static const int64_t sizes[] = {0, 1, 2, 3, 5, -1, 100, INT64_MAX, INT64_C(1) << 32, 4};
    filled *f = r->n_in ? &r->in[below(c, r->n_in)] : NULL;
    int what = below(c, 9);
    if (!f || what == 0) {
        if (r->n_in < REQUEST_INPUTS)
            r->in[r->n_in++] = f ? *f : (filled){.dtype = "float64", .high = 1};
    } else if (what == 1) {
        r->n_in--;
    } else if (what == 2) {
        f->dtype = NULL;
    } else if (what == 3) {
        f->dtype = one_of(c, dtypes, COUNT(dtypes));
    } else if (what == 4 && f->rank < REQUEST_RANK) {
        f->dim[f->rank++] = 1 + below(c, 3);
    } else if (what == 5 && f->rank) {
        f->rank--;
    } else if (f->rank) {
        int64_t before = f->dim[below(c, f->rank)], after = sizes[one_in(c, 3) ? below(c, COUNT(sizes)) : below(c, 4)];
        for (int i = 0; i < r->n_in; i++) /* a size that several share, for all of them or for one */
            for (int k = 0; k < r->in[i].rank; k++)
                if (r->in[i].dim[k] == before && (what > 6 || &r->in[i] == f))
                    r->in[i].dim[k] = after;
    }
    if (f && f->dtype &&
        (f->low < -1e6 || f->high > 1e6 || f->high < f->low || (f->dtype[0] == 'i' && f->high - f->low < 1))) {
        f->low = 0;
        f->high = 2;
    }
}

static void attributes_changed(chance *c, const wg_schema *schema, attributes *a)
{
    int i = schema && schema->n ? below(c, schema->n) : 0;
    attribute *at = schema && schema->n ? attribute_of(a, schema->attr[i].name) : NULL;
    if (!at || one_in(c, 20))
        at = attribute_of(a, one_in(c, 2) ? "axes" : "axis");
    if (at && schema && schema->n)
        attribute_drawn(c, &schema->attr[i], at->value, sizeof at->value);
    else if (at)
        snprintf(at->value, sizeof at->value, "0");
    if (a->n && one_in(c, 12))
        a->n--;
}

static void body_write(chance *c, const request *r, const attributes *a, FILE *to)
{
    fprintf(to, "\"op\": \"%s\", \"inputs\": [", r->op->name);
    for (int i = 0; i < r->n_in; i++) {
        fputs(i ? ", " : "", to);
        filled_write(c, &r->in[i], to);
    }
    fputs("], \"attrs\": {", to);
    for (int i = 0; i < a->n; i++)
        fprintf(to, "%s\"%s\": %s", i ? ", " : "", a->at[i].name, a->at[i].value);
    fputs("}", to);
}

void request_draw(chance *c, const wg_op *op, request *r)
{
    *r = (request){.op = op};
    attributes a = {0};
    const char *real = dtypes[below(c, 2)];
    int samples = 0, changes = one_in(c, 3) ? 0 : below(c, 4);
    while (samples < COUNT(op->samples) && op->samples[samples])
        samples++;
    bool from_sample = samples && !one_in(c, 5);
    if (from_sample) {
        sample_read(op, op->samples[below(c, samples)], real, r, &a);
        dtype_drawn(op, real, &a);
    } else {
        operands_drawn(c, op, real, r);
        for (int i = 0; op->options && i < op->options->n; i++)
            if (op->options->attr[i].required)
                attribute_drawn(c, &op->options->attr[i], attribute_of(&a, op->options->attr[i].name)->value,
                                sizeof a.at->value);
    }
    for (int i = 0; i < changes; i++)
        if (one_in(c, 2))
            input_changed(c, r);
        else
            attributes_changed(c, op->options, &a);
    r->sound = from_sample && changes == 0;
    size_t size;
    FILE *to = open_memstream(&r->body, &size);
    if (!to)
        abort();
    body_write(c, r, &a, to);
    fclose(to);
}

void text_broken(chance *c, char *text, size_t *n)
{
    static const char bytes[] = "{}[]\",:\\0e-.nulltrue\x00\xff\xc3 ";
    size_t at = *n ? drawn(c) % *n : 0, length = 1 + drawn(c) % 8;
    length = length > *n - at ? *n - at : length;
    switch (below(c, 4)) {
    case 0: *n = at; break;
    case 1:
        memmove(text + at, text + at + length, *n - at - length);
        *n -= length;
        break;
    case 2: memmove(text + at, text + drawn(c) % (*n - length + 1), length); break;
    default: text[at] = bytes[drawn(c) % sizeof bytes];
    }
}
