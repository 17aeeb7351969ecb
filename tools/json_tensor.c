/* JSON and what it stands for. Reading checks everything before memory is taken for it: a request may be anything at
 * all. Writing goes by stdio, number by number, since a JSON library's own numbers know one precision only. */
#define WG_WITHOUT_PLACES /* a request has no line of C */
#include "json_tensor.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/types.h>

bool refuse(refusal *why, const char *code, const char *format, ...)
{
    va_list va;
    va_start(va, format);
    vsnprintf(why->message, sizeof why->message, format, va);
    va_end(va);
    why->code = code;
    return false;
}

bool refuse_as_tape(refusal *why, wg_tape *tape)
{
    wg_status status = tape ? wg_error_status(tape) : WG_ERROR_MEMORY;
    if (!status) /* every failure is reported; this one was not */
        status = WG_ERROR_UNSUPPORTED;
    bool known = status <= WG_ERROR_UNSUPPORTED; /* the protocol has no code for files and rewinds */
    refuse(why, wg_status_name(known ? status : WG_ERROR_VALUE), "%s", wg_error(tape));
    wg_clear_error(tape);
    return false;
}

/* ---- Arrays ------------------------------------------------------------------------------------------------------ */
static bool dtype_read(const json_t *json, wg_dtype *dtype)
{
    for (int d = WG_FLOAT32; d <= WG_BOOL; d++)
        if (!strcmp(json_string_value(json), wg_dtype_name((wg_dtype)d))) {
            *dtype = (wg_dtype)d;
            return true;
        }
    return false;
}

/* Dimensions and their product; refuses one that does not fit an int64_t. */
static bool shape_read(const json_t *json, const char *what, size_t at, array *a, refusal *why)
{
    size_t rank = json_array_size(json);
    bool empty = false, overflow = false;
    if (rank > WG_MAX_RANK)
        return refuse(why, "shape", "%s[%zu] has %zu dimensions; there are at most %d", what, at, rank, WG_MAX_RANK);
    a->type.rank = (int)rank;
    a->count = 1;
    for (size_t i = 0; i < rank; i++) {
        const json_t *size = json_array_get(json, i);
        if (!json_is_integer(size))
            return refuse(why, "json", "%s[%zu].shape is not a list of integers", what, at);
        a->type.dim[i] = json_integer_value(size);
        if (a->type.dim[i] < 0)
            return refuse(why, "shape", "%s[%zu] has a dimension of %lld", what, at, (long long)a->type.dim[i]);
        empty |= a->type.dim[i] == 0;
        overflow |= __builtin_mul_overflow(a->count, a->type.dim[i], &a->count);
    }
    if (empty)
        a->count = 0;
    else if (overflow)
        return refuse(why, "shape", "%s[%zu] is too large", what, at);
    return true;
}

static bool real_read(const json_t *json, double *value)
{
    static const struct {
        const char *word;
        double value;
    } words[] = {{"nan", (double)NAN}, {"inf", (double)INFINITY}, {"-inf", -(double)INFINITY}};
    for (size_t i = 0; json_is_string(json) && i < sizeof words / sizeof *words; i++)
        if (!strcmp(json_string_value(json), words[i].word)) {
            *value = words[i].value;
            return true;
        }
    *value = json_number_value(json);
    return json_is_number(json);
}

/* An integer, also one written as 3.0. */
static bool integer_read(const json_t *json, int64_t *value)
{
    double real = json_real_value(json);
    if (json_is_integer(json))
        *value = json_integer_value(json);
    else if (json_is_real(json) && real == floor(real) && fabs(real) < 0x1p63)
        *value = (int64_t)real;
    else
        return false;
    return true;
}

/* Element i of the array; false where the JSON is not one of its dtype. */
static bool element_read(const json_t *json, array *a, size_t i)
{
    double real;
    int64_t integer;
    switch (a->type.dtype) {
    case WG_FLOAT32:
    case WG_FLOAT64:
        if (!real_read(json, &real))
            return false;
        if (a->type.dtype == WG_FLOAT64)
            ((double *)a->data)[i] = real;
        else
            ((float *)a->data)[i] = (float)real;
        return true;
    case WG_INT32:
    case WG_INT64:
        if (!integer_read(json, &integer) ||
            (a->type.dtype == WG_INT32 && (integer < INT32_MIN || integer > INT32_MAX)))
            return false;
        if (a->type.dtype == WG_INT64)
            ((int64_t *)a->data)[i] = integer;
        else
            ((int32_t *)a->data)[i] = (int32_t)integer;
        return true;
    case WG_BOOL:
        if (!json_is_boolean(json) && !(integer_read(json, &integer) && (integer == 0 || integer == 1)))
            return false;
        ((bool *)a->data)[i] = json_is_boolean(json) ? json_is_true(json) : integer == 1;
        return true;
    }
    return false;
}

bool array_read(const json_t *json, const char *what, size_t at, array *a, refusal *why)
{
    const json_t *dtype = json_object_get(json, "dtype"), *shape = json_object_get(json, "shape");
    const json_t *data = json_object_get(json, "data");
    *a = (array){0};
    if (!json_is_string(dtype) || !json_is_array(shape) || !json_is_array(data))
        return refuse(why, "json", "%s[%zu] is not {\"dtype\": text, \"shape\": list, \"data\": list}", what, at);
    if (!dtype_read(dtype, &a->type.dtype))
        return refuse(why, "dtype", "%s[%zu] is of the dtype \"%.40s\"", what, at, json_string_value(dtype));
    if (!shape_read(shape, what, at, a, why))
        return false;
    size_t n = json_array_size(data);
    if (n != (uint64_t)a->count)
        return refuse(why, "shape", "%s[%zu] has %zu data, its shape %lld", what, at, n, (long long)a->count);
    a->data = malloc(n ? n * wg_dtype_size(a->type.dtype) : 1);
    if (!a->data)
        return refuse(why, "memory", "no memory for %s[%zu]", what, at);
    for (size_t i = 0; i < n; i++)
        if (!element_read(json_array_get(data, i), a, i)) {
            free(a->data);
            a->data = NULL;
            return refuse(why, "value", "%s[%zu].data[%zu] is no %s", what, at, i, wg_dtype_name(a->type.dtype));
        }
    return true;
}

/* ---- Options ----------------------------------------------------------------------------------------------------- */
static bool all_integers(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_integer(json_array_get(list, i)))
            return false;
    return true;
}

static bool list_read(const json_t *json, int64_t **kept, wg_value *value, const char *name, refusal *why)
{
    size_t n = json_array_size(json);
    int64_t *list = n <= INT_MAX ? malloc((n ? n : 1) * sizeof *list) : NULL;
    if (!list)
        return refuse(why, "memory", "no memory for %.80s", name);
    *kept = list;
    for (size_t i = 0; i < n; i++)
        list[i] = json_integer_value(json_array_get(json, i));
    value->kind = WG_VALUE_LIST;
    value->list = (wg_list){list, (int)n};
    return true;
}

static bool lists_read(const json_t *json, wg_value *value, const char *name, refusal *why)
{
    size_t n = json_array_size(json);
    value->kind = WG_VALUE_LISTS;
    for (size_t i = 0; i < n; i++) {
        const json_t *list = json_array_get(json, i);
        size_t length = json_array_size(list);
        if (!json_is_array(list) || !all_integers(list))
            return refuse(why, "attr", "%.80s is neither a list of integers nor of such lists", name);
        if (i >= WG_MAX_RANK || length > WG_MAX_RANK)
            return refuse(why, "shape", "%.80s has more than %d entries", name, WG_MAX_RANK);
        value->lists[i].n = (int)length;
        for (size_t k = 0; k < length; k++)
            value->lists[i].at[k] = json_integer_value(json_array_get(list, k));
    }
    value->n = (int)n;
    return true;
}

/* The integers of a list are kept in *kept. */
static bool value_read(const json_t *json, int64_t **kept, wg_value *value, const char *name, refusal *why)
{
    switch (json_typeof(json)) {
    case JSON_TRUE:
    case JSON_FALSE: value->kind = WG_VALUE_BOOL; value->truth = json_is_true(json); return true;
    case JSON_INTEGER: value->kind = WG_VALUE_INTEGER; value->integer = json_integer_value(json); return true;
    case JSON_REAL: value->kind = WG_VALUE_REAL; value->real = json_real_value(json); return true;
    case JSON_STRING: value->kind = WG_VALUE_TEXT; value->text = json_string_value(json); return true;
    case JSON_ARRAY:
        return all_integers(json) ? list_read(json, kept, value, name, why) : lists_read(json, value, name, why);
    case JSON_OBJECT: return refuse(why, "attr", "%.80s is an object", name);
    case JSON_NULL: return refuse(why, "attr", "%.80s is null", name);
    }
    return false;
}

static bool required_given(const wg_op *op, const json_t *attrs, refusal *why)
{
    for (int i = 0; op->options && i < op->options->n; i++)
        if (op->options->attr[i].required && !json_object_get(attrs, op->options->attr[i].name))
            return refuse(why, "attr", "wg_%s: %s is missing", op->name, op->options->attr[i].name);
    return true;
}

static bool options_fill(const wg_op *op, const json_t *attrs, options *o, refusal *why)
{
    const char *name;
    json_t *json;
    json_object_foreach ((json_t *)(uintptr_t)attrs, name, json) {
        char message[256];
        wg_value *value = &o->given[o->n];
        if (!value_read(json, &o->list[o->n++], value, name, why))
            return false;
        wg_status status = wg_option_set(op->options, o->values, name, value, message, sizeof message);
        if (status)
            return refuse(why, wg_status_name(status), "wg_%s: %s", op->name, message);
    }
    return required_given(op, attrs, why);
}

bool options_read(const wg_op *op, const json_t *attrs, options *o, refusal *why)
{
    *o = (options){0};
    if (attrs && !json_is_object(attrs))
        return refuse(why, "json", "attrs is not an object");
    size_t n = json_object_size(attrs), size = op->options ? op->options->size : 0;
    o->values = size ? malloc(size) : NULL;
    o->given = calloc(n ? n : 1, sizeof *o->given);
    o->list = calloc(n ? n : 1, sizeof *o->list);
    if ((size && !o->values) || !o->given || !o->list) {
        options_free(o);
        return refuse(why, "memory", "no memory for attrs");
    }
    if (size)
        memcpy(o->values, op->options->defaults, size);
    if (options_fill(op, attrs, o, why))
        return true;
    options_free(o);
    return false;
}

void options_free(options *o)
{
    for (size_t i = 0; i < o->n; i++)
        free(o->list[i]);
    free(o->list);
    free(o->given);
    free(o->values);
    *o = (options){0};
}

/* ---- Defaults ---------------------------------------------------------------------------------------------------- */
const char *option_type(const wg_attr *attr)
{
    static const char *const types[] = {
        [WG_ATTR_BOOL] = "bool",    [WG_ATTR_AXIS] = "int",        [WG_ATTR_INTEGER] = "int",
        [WG_ATTR_REAL] = "real",    [WG_ATTR_CHOICE] = "text",     [WG_ATTR_AXES] = "int or ints",
        [WG_ATTR_SHAPE] = "ints",   [WG_ATTR_INTS] = "int or ints", [WG_ATTR_LIST] = "int or ints",
        [WG_ATTR_LISTS] = "int or lists", [WG_ATTR_SPATIAL] = "int or ints", [WG_ATTR_PAIRS] = "pairs",
        [WG_ATTR_DTYPE] = "dtype"};
    return types[attr->kind];
}

static json_t *integers_json(const int64_t *at, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, json_integer(at[i]));
    return list;
}

static json_t *axes_json(const wg_axes *axes)
{
    if (axes->n == 0 || wg_is_no_axes(axes)) /* all */
        return json_null();
    json_t *list = json_array();
    for (int i = 0; i < axes->n; i++)
        json_array_append_new(list, json_integer(axes->at[i]));
    return list;
}

static json_t *shape_json(const wg_shape *shape)
{
    return integers_json(shape->dim, wg_is_no_shape(shape) ? 0 : shape->rank);
}

static json_t *ints_json(const wg_ints *ints) { return integers_json(ints->at, wg_is_no_ints(ints) ? 0 : ints->n); }

/* Lists of one length; one number is the number. */
static json_t *lists_json(const wg_ints *at, int n)
{
    if (at[0].n == 1 && at[n - 1].n == 0)
        return json_integer(at[0].at[0]);
    json_t *lists = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(lists, integers_json(at[i].at, at[i].n));
    return lists;
}

static json_t *real_json(double value)
{
    if (isfinite(value))
        return json_real(value);
    return isnan(value) ? json_null() : json_string(value > 0 ? "inf" : "-inf");
}

json_t *option_default(const wg_attr *attr, const void *defaults)
{
    const void *member = (const char *)defaults + attr->offset;
    if (attr->required)
        return NULL;
    switch (attr->kind) {
    case WG_ATTR_BOOL: return json_boolean(*(const bool *)member);
    case WG_ATTR_AXIS: {
        int axis = *(const int *)member;
        return axis == WG_NO_AXIS ? json_null() : json_integer(axis);
    }
    case WG_ATTR_INTEGER: {
        int64_t integer = *(const int64_t *)member;
        return integer == WG_NO_INTEGER ? json_null() : json_integer(integer);
    }
    case WG_ATTR_REAL: return real_json(*(const double *)member);
    case WG_ATTR_CHOICE: {
        const char *word = *(const char *const *)member;
        return word ? json_string(word) : json_null();
    }
    case WG_ATTR_AXES: return axes_json(member);
    case WG_ATTR_SHAPE: return shape_json(member);
    case WG_ATTR_INTS: return ints_json(member);
    case WG_ATTR_LIST: return integers_json(((const wg_list *)member)->at, ((const wg_list *)member)->n);
    case WG_ATTR_LISTS: return lists_json(member, (int)(attr->size / sizeof(wg_ints)));
    case WG_ATTR_SPATIAL: { /* a 0 behind the first one takes its value; a first 0 is absent (stride: kernel_size) */
        int64_t first = *(const int64_t *)member;
        return first == 0 && !attr->raw ? json_null() : json_integer(first);
    }
    case WG_ATTR_PAIRS: return json_array();
    case WG_ATTR_DTYPE: return json_string(wg_dtype_name(*(const wg_dtype *)member));
    }
    return json_null();
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */
#define MOST_TEXT ((off_t)128 << 20) /* bytes of an answer: what takes longer to write than anybody waits is refused */

void text_write(const char *text, FILE *to)
{
    json_t *json = json_string(text);
    if (!json) { /* a message cut within a character of several bytes */
        char copy[sizeof(((refusal *)0)->message)];
        snprintf(copy, sizeof copy, "%s", text);
        for (char *c = copy; *c; c++)
            *c = *c & '\x80' ? '?' : *c;
        json = json_string(copy);
    }
    if (!json || json_dumpf(json, to, JSON_ENCODE_ANY))
        fputs("\"\"", to);
    json_decref(json);
}

/* A float is written with a point or an exponent: -0.0 read as the integer -0 would lose its sign. */
static void real_write(double value, int digits, FILE *to)
{
    char text[40];
    if (isnan(value)) {
        fputs("\"nan\"", to);
    } else if (isinf(value)) {
        fputs(value > 0 ? "\"inf\"" : "\"-inf\"", to);
    } else {
        snprintf(text, sizeof text, "%.*g", digits, value);
        fputs(text, to);
        if (!strpbrk(text, ".e"))
            fputs(".0", to);
    }
}

static void element_write(wg_dtype dtype, const void *data, size_t i, FILE *to)
{
    switch (dtype) {
    case WG_FLOAT32: real_write((double)((const float *)data)[i], 9, to); break;
    case WG_FLOAT64: real_write(((const double *)data)[i], 17, to); break;
    case WG_INT32: fprintf(to, "%ld", (long)((const int32_t *)data)[i]); break;
    case WG_INT64: fprintf(to, "%lld", (long long)((const int64_t *)data)[i]); break;
    case WG_BOOL: fputs(((const bool *)data)[i] ? "true" : "false", to); break;
    }
}

static bool has_room(FILE *to, size_t elements)
{
    off_t written = ftello(to);
    return written >= 0 && written <= MOST_TEXT && elements <= (size_t)(MOST_TEXT - written) / 3; /* "0, " */
}

bool tensor_write(wg_tensor t, FILE *to, refusal *why)
{
    if (wg_is_none(t)) {
        fputs("null", to);
        return true;
    }
    wg_type type = wg_type_of(t);
    size_t n = (size_t)wg_size(t); /* a view may be larger than memory */
    if (!has_room(to, n))
        return refuse(why, "memory", "%zu elements are too many to write", n);
    void *data = malloc(n ? n * wg_dtype_size(type.dtype) : 1);
    if (!data)
        return refuse(why, "memory", "no memory to write %zu elements", n);
    if (wg_copy_out(t, data)) {
        free(data);
        return refuse_as_tape(why, t.tape);
    }
    fprintf(to, "{\"dtype\": \"%s\", \"shape\": [", wg_dtype_name(type.dtype));
    for (int i = 0; i < type.rank; i++)
        fprintf(to, "%s%lld", i ? ", " : "", (long long)type.dim[i]);
    fputs("], \"data\": [", to);
    bool room = true;
    for (size_t i = 0; i < n && room && !ferror(to); i++) {
        fputs(i ? ", " : "", to);
        element_write(type.dtype, data, i, to);
        room = i % 65536 || has_room(to, n - i);
    }
    fputs("]}", to);
    free(data);
    return room || refuse(why, "memory", "%zu elements are too many to write", n);
}
