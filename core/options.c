/* Options: a schema says where each member of an options struct is and of what kind. From that alone options are
 * checked and resolved before an operation's rules see them, set by name from outside the program, and shown as
 * text. */
#include "tape.h"

#include <ctype.h>
#include <langinfo.h>
#include <stdlib.h>

static void *member_of(const wg_attr *attr, void *options) { return (char *)options + attr->offset; }
static const void *member_in(const wg_attr *attr, const void *options) { return (const char *)options + attr->offset; }
static int entries_of(const wg_attr *attr, size_t size) { return (int)(attr->size / size); }

/* ---- Resolving --------------------------------------------------------------------------------------------------- */
static bool is_missing(const wg_attr *attr, const void *member)
{
    static const double no_real = WG_NO_REAL;
    switch (attr->kind) {
    case WG_ATTR_BOOL: return false;
    case WG_ATTR_AXIS: return *(const int *)member == WG_NO_AXIS;
    case WG_ATTR_INTEGER: return *(const int64_t *)member == WG_NO_INTEGER;
    case WG_ATTR_REAL: return !memcmp(member, &no_real, sizeof no_real);
    case WG_ATTR_CHOICE: return !*(const char *const *)member;
    case WG_ATTR_AXES: return wg_is_no_axes(member);
    case WG_ATTR_SHAPE: return wg_is_no_shape(member);
    case WG_ATTR_INTS:
    case WG_ATTR_LISTS: return wg_is_no_ints(member);
    case WG_ATTR_LIST: return ((const wg_list *)member)->n == -1;
    case WG_ATTR_SPATIAL: {
        int64_t first = *(const int64_t *)member;
        return first == WG_NO_INTEGER || (first == 0 && !attr->raw);
    }
    case WG_ATTR_PAIRS: { /* the empty list, set by name, has WG_NO_INTEGER in the second number too */
        const int64_t *first = member;
        return first[0] == WG_NO_INTEGER && first[1] != WG_NO_INTEGER;
    }
    case WG_ATTR_DTYPE: return *(const wg_dtype *)member == WG_NO_DTYPE;
    }
    return false;
}

static wg_status count_in_range(const wg_call *c, const wg_attr *attr, int n)
{
    if (n >= 0 && n <= WG_MAX_RANK)
        return WG_OK;
    return wg_fail(c, WG_ERROR_SHAPE, "%s has %d entries, not 0 to %d", attr->name, n, WG_MAX_RANK);
}

static int operand_rank(const wg_call *c) { return wg_given(c, 0) ? c->x[0].rank : 0; }

static wg_status axis_from_front(const wg_call *c, int rank, int *axis)
{
    int counted = *axis < 0 ? *axis + rank : *axis;
    if (counted >= 0 && counted < rank) {
        *axis = counted;
        return WG_OK;
    }
    if (wg_given(c, 0) && rank == c->x[0].rank)
        return wg_fail(c, WG_ERROR_SHAPE, "axis %d is out of range for %s", *axis, wg_show(c, 0));
    return wg_fail(c, WG_ERROR_SHAPE, "axis %d is out of range for %d dimension%s", *axis, rank, rank == 1 ? "" : "s");
}

static wg_status resolve_axis(const wg_call *c, const wg_attr *attr, int *axis)
{
    if (attr->raw || *axis == WG_NO_AXIS)
        return WG_OK;
    return axis_from_front(c, operand_rank(c) + attr->extra_rank, axis);
}

/* All of them where none is given; otherwise counted from the front, ascending. */
static wg_status resolve_axes(const wg_call *c, const wg_attr *attr, wg_axes *axes)
{
    if (wg_is_no_axes(axes))
        *axes = (wg_axes){0};
    wg_status status = count_in_range(c, attr, axes->n);
    if (status || attr->raw)
        return status;
    int rank = operand_rank(c) + (attr->extra_rank == -1 ? axes->n : attr->extra_rank);
    if (rank > WG_MAX_RANK)
        return wg_fail(c, WG_ERROR_SHAPE, "%d dimensions are more than %d", rank, WG_MAX_RANK);
    bool chosen[WG_MAX_RANK] = {false};
    for (int i = 0; i < axes->n; i++) {
        int axis = axes->at[i];
        if ((status = axis_from_front(c, rank, &axis)))
            return status;
        if (chosen[axis])
            return wg_fail(c, WG_ERROR_SHAPE, "axis %d is given twice", axis);
        chosen[axis] = true;
    }
    bool all = axes->n == 0 && attr->extra_rank != -1;
    *axes = (wg_axes){0};
    for (int axis = 0; axis < rank; axis++)
        if (all || chosen[axis])
            axes->at[axes->n++] = axis;
    return WG_OK;
}

static wg_status resolve_shape(const wg_call *c, const wg_attr *attr, wg_shape *shape)
{
    if (wg_is_no_shape(shape))
        *shape = (wg_shape){0};
    return count_in_range(c, attr, shape->rank);
}

static wg_status resolve_ints(const wg_call *c, const wg_attr *attr, wg_ints *ints)
{
    if (wg_is_no_ints(ints))
        *ints = (wg_ints){0};
    return count_in_range(c, attr, ints->n);
}

/* The entry's own string equal to `word`; NULL if there is none. */
static const char *choice_of(const wg_attr *attr, const char *word)
{
    for (int i = 0; i < WG_MAX_CHOICES && attr->choices[i]; i++)
        if (!strcmp(attr->choices[i], word))
            return attr->choices[i];
    return NULL;
}

/* "mean, sum, none" */
static const char *choices_text(const wg_attr *attr, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < WG_MAX_CHOICES && attr->choices[i] && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", attr->choices[i]);
    return text;
}

static wg_status resolve_choice(const wg_call *c, const wg_attr *attr, const char **word)
{
    if (!*word)
        return WG_OK;
    if (attr->choices[0]) {
        const char *own = choice_of(attr, *word);
        char text[200];
        if (!own)
            return wg_fail(c, WG_ERROR_VALUE, "%s is \"%s\", not one of %s", attr->name, *word,
                           choices_text(attr, text, sizeof text));
        *word = own;
        return WG_OK;
    }
    size_t bytes = strlen(*word) + 1;
    char *copy = wg_arena(c->tape, bytes);
    if (!copy)
        return wg_fail(c, WG_ERROR_MEMORY, "no memory for %zu bytes", bytes);
    *word = memcpy(copy, *word, bytes);
    return WG_OK;
}

static wg_status resolve_list(const wg_call *c, const wg_attr *attr, wg_list *list)
{
    if (list->n < 0 || (list->n && !list->at))
        return wg_fail(c, WG_ERROR_VALUE, "%s is a list of %d entries at %s", attr->name, list->n,
                       list->at ? "an address" : "NULL");
    size_t bytes = (size_t)list->n * sizeof *list->at;
    int64_t *copy = wg_arena(c->tape, bytes);
    if (!copy)
        return wg_fail(c, WG_ERROR_MEMORY, "no memory for %zu bytes", bytes);
    if (bytes)
        memcpy(copy, list->at, bytes);
    list->at = copy;
    return WG_OK;
}

static wg_status resolve_lists(const wg_call *c, const wg_attr *attr, const wg_ints *list)
{
    for (int i = 0; i < entries_of(attr, sizeof *list); i++) {
        wg_status status = count_in_range(c, attr, list[i].n);
        if (status)
            return status;
    }
    return WG_OK;
}

static void spread_first(int64_t *entry, int n)
{
    for (int i = 1; i < n; i++)
        if (entry[i] == 0)
            entry[i] = entry[0];
}

/* A list set by name may be too short or too long: behind its end stands WG_NO_INTEGER. */
static wg_status resolve_pairs(const wg_call *c, const wg_attr *attr, int64_t (*pair)[2])
{
    int n = entries_of(attr, sizeof *pair), rank = operand_rank(c), given = 0;
    while (given < n && pair[given][0] != WG_NO_INTEGER)
        given++;
    bool fits = given == n || given == rank;
    for (int i = rank; i < n && given == n; i++)
        fits = fits && pair[i][0] == 0 && pair[i][1] == 0;
    if (!fits && wg_given(c, 0))
        return wg_fail(c, WG_ERROR_SHAPE, "%s has not one pair for each axis of %s", attr->name, wg_show(c, 0));
    for (int i = given; i < n; i++)
        pair[i][0] = pair[i][1] = 0;
    return WG_OK;
}

static wg_status resolve_dtype(const wg_call *c, const wg_attr *attr, wg_dtype dtype)
{
    if ((unsigned)dtype <= WG_BOOL || (!attr->required && dtype == WG_NO_DTYPE))
        return WG_OK;
    return wg_fail(c, WG_ERROR_DTYPE, "%s is %d, which is no dtype", attr->name, (int)dtype);
}

static wg_status resolve(const wg_call *c, const wg_attr *attr, void *member)
{
    switch (attr->kind) {
    case WG_ATTR_BOOL:
    case WG_ATTR_INTEGER:
    case WG_ATTR_REAL: return WG_OK;
    case WG_ATTR_AXIS: return resolve_axis(c, attr, member);
    case WG_ATTR_CHOICE: return resolve_choice(c, attr, member);
    case WG_ATTR_AXES: return resolve_axes(c, attr, member);
    case WG_ATTR_SHAPE: return resolve_shape(c, attr, member);
    case WG_ATTR_INTS: return resolve_ints(c, attr, member);
    case WG_ATTR_LIST: return resolve_list(c, attr, member);
    case WG_ATTR_LISTS: return resolve_lists(c, attr, member);
    case WG_ATTR_SPATIAL:
        if (!attr->raw)
            spread_first(member, entries_of(attr, sizeof(int64_t)));
        return WG_OK;
    case WG_ATTR_PAIRS: return resolve_pairs(c, attr, member);
    case WG_ATTR_DTYPE: return resolve_dtype(c, attr, *(const wg_dtype *)member);
    }
    return WG_OK;
}

/* An axis or a word that is not there, where the entry does not say by its default that it may be. */
static bool is_emptied(const wg_attr *attr, const void *member, const void *defaults)
{
    return (attr->kind == WG_ATTR_AXIS || attr->kind == WG_ATTR_CHOICE) && is_missing(attr, member) &&
           !is_missing(attr, member_in(attr, defaults));
}

wg_status wg_options_resolve(const wg_call *c, const void *options, void *to)
{
    const wg_schema *schema = c->op->options;
    if (!schema)
        return WG_OK;
    memcpy(to, options ? options : schema->defaults, schema->size);
    for (int i = 0; i < schema->n; i++) {
        const wg_attr *attr = &schema->attr[i];
        void *member = member_of(attr, to);
        if ((attr->required && (!options || is_missing(attr, member))) || is_emptied(attr, member, schema->defaults))
            return wg_fail(c, WG_ERROR_ATTR, "%s is missing", attr->name);
        wg_status status = resolve(c, attr, member);
        if (status)
            return status;
    }
    return WG_OK;
}

/* ---- Setting by name --------------------------------------------------------------------------------------------- */
static wg_status refuse(char *message, size_t size, wg_status status, const char *format, ...) WG_PRINTF(4, 5);
static wg_status refuse(char *message, size_t size, wg_status status, const char *format, ...)
{
    va_list va;
    va_start(va, format);
    if (message && size)
        vsnprintf(message, size, format, va);
    va_end(va);
    return status;
}

static const char *const takes[] = {
    [WG_ATTR_BOOL] = "true or false",
    [WG_ATTR_AXIS] = "an integer",
    [WG_ATTR_INTEGER] = "an integer",
    [WG_ATTR_REAL] = "a number",
    [WG_ATTR_CHOICE] = "a text",
    [WG_ATTR_AXES] = "an integer or a list of integers",
    [WG_ATTR_SHAPE] = "a list of integers",
    [WG_ATTR_INTS] = "an integer or a list of integers",
    [WG_ATTR_LIST] = "an integer or a list of integers",
    [WG_ATTR_LISTS] = "an integer or lists of integers",
    [WG_ATTR_SPATIAL] = "an integer or one an axis",
    [WG_ATTR_PAIRS] = "a list of pairs of integers",
    [WG_ATTR_DTYPE] = "the name of a dtype",
};

/* The list a value stands for: one number is a list of it. False for another kind. */
static bool list_of(const wg_value *value, wg_list *list)
{
    *list = value->kind == WG_VALUE_INTEGER ? (wg_list){&value->integer, 1} : value->list;
    return value->kind == WG_VALUE_INTEGER || (value->kind == WG_VALUE_LIST && list->n >= 0 && (!list->n || list->at));
}

/* The same, of no more entries than a shape has. */
static bool short_list_of(const wg_value *value, wg_ints *ints)
{
    wg_list list;
    if (!list_of(value, &list) || list.n > WG_MAX_RANK)
        return false;
    *ints = (wg_ints){.n = list.n};
    for (int i = 0; i < list.n; i++)
        ints->at[i] = list.at[i];
    return true;
}

static bool fits_axis(int64_t axis) { return axis > WG_NO_AXIS && axis <= INT_MAX; }

static bool set_real(double *real, const wg_value *value)
{
    static const struct {
        const char *word;
        double value;
    } words[] = {{"nan", (double)NAN}, {"inf", (double)INFINITY}, {"-inf", -(double)INFINITY}};
    if (value->kind == WG_VALUE_INTEGER)
        *real = (double)value->integer;
    else if (value->kind == WG_VALUE_REAL)
        *real = value->real;
    else if (value->kind == WG_VALUE_TEXT && value->text) {
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (!strcmp(value->text, words[i].word)) {
                *real = words[i].value;
                return true;
            }
        return false;
    } else
        return false;
    return true;
}

static bool set_axes(wg_axes *axes, const wg_value *value)
{
    wg_ints list;
    if (!short_list_of(value, &list))
        return false;
    *axes = (wg_axes){.n = list.n};
    for (int i = 0; i < list.n; i++)
        axes->at[i] = fits_axis(list.at[i]) ? (int)list.at[i] : INT_MAX; /* out of range in any case */
    return true;
}

static bool set_shape(wg_shape *shape, const wg_value *value)
{
    wg_ints list;
    if (!short_list_of(value, &list))
        return false;
    shape->rank = list.n;
    memcpy(shape->dim, list.at, sizeof shape->dim);
    return true;
}

static bool set_lists(wg_ints *lists, int n, const wg_value *value)
{
    wg_ints given[WG_MAX_RANK] = {{{0}, 0}};
    if (value->kind == WG_VALUE_INTEGER)
        given[0] = (wg_ints){{value->integer}, 1};
    else if (value->kind != WG_VALUE_LISTS || value->n != n)
        return false;
    for (int i = 0; value->kind == WG_VALUE_LISTS && i < n; i++) {
        given[i] = value->lists[i];
        if (given[i].n != given[0].n || given[i].n < 0 || given[i].n > WG_MAX_RANK)
            return false;
    }
    memcpy(lists, given, (size_t)n * sizeof *lists);
    return true;
}

static bool set_spatial(int64_t *entry, int n, const wg_value *value)
{
    bool one = value->kind == WG_VALUE_INTEGER;
    wg_list list;
    if (!list_of(value, &list) || (!one && list.n != n))
        return false;
    for (int i = 0; i < n; i++)
        entry[i] = one ? value->integer : list.at[i];
    return true;
}

/* What in C stands for a number left out is none here. */
static bool has_zero(const wg_value *value)
{
    if (value->kind == WG_VALUE_INTEGER)
        return value->integer == 0;
    for (int i = 0; value->kind == WG_VALUE_LIST && i < value->list.n; i++)
        if (value->list.at[i] == 0)
            return true;
    return false;
}

static bool set_pairs(int64_t (*pair)[2], int n, const wg_value *value)
{
    bool empty = value->kind == WG_VALUE_LIST && value->list.n == 0; /* [] is a list of anything */
    int given = empty ? 0 : value->n;
    if ((!empty && value->kind != WG_VALUE_LISTS) || given < 0 || given > n || given > WG_MAX_RANK)
        return false;
    for (int i = 0; i < given; i++)
        if (value->lists[i].n != 2)
            return false;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 2; k++)
            pair[i][k] = i < given ? value->lists[i].at[k] : WG_NO_INTEGER;
    return true;
}

static bool set_dtype(wg_dtype *dtype, const wg_value *value)
{
    for (wg_dtype d = WG_FLOAT32; value->kind == WG_VALUE_TEXT && value->text && d <= WG_BOOL; d++)
        if (!strcmp(value->text, wg_dtype_name(d))) {
            *dtype = d;
            return true;
        }
    return false;
}

/* Is one of the choices a number, as ord=2 is? */
static bool chooses_numbers(const wg_attr *attr)
{
    for (int i = 0; i < WG_MAX_CHOICES && attr->choices[i]; i++)
        if (isdigit((unsigned char)attr->choices[i][0]))
            return true;
    return false;
}

static wg_status set_choice(const wg_attr *attr, const char **word, const wg_value *value, char *message, size_t size)
{
    char digits[24];
    const char *given = value->kind == WG_VALUE_TEXT ? value->text : NULL;
    if (value->kind == WG_VALUE_INTEGER && chooses_numbers(attr)) {
        snprintf(digits, sizeof digits, "%lld", (long long)value->integer);
        given = digits;
    }
    if (!given)
        return refuse(message, size, WG_ERROR_ATTR, "%s takes %s", attr->name, takes[attr->kind]);
    const char *own = attr->choices[0] ? choice_of(attr, given) : given;
    char text[200];
    if (!own)
        return refuse(message, size, WG_ERROR_VALUE, "%s is \"%s\", not one of %s", attr->name, given,
                      choices_text(attr, text, sizeof text));
    *word = own;
    return WG_OK;
}

/* Does the value's kind suit the member's? Then it is set. */
static bool set(const wg_attr *attr, void *member, const wg_value *value)
{
    switch (attr->kind) {
    case WG_ATTR_BOOL:
        if (value->kind == WG_VALUE_BOOL)
            *(bool *)member = value->truth;
        return value->kind == WG_VALUE_BOOL;
    case WG_ATTR_AXIS:
        if (value->kind == WG_VALUE_INTEGER)
            *(int *)member = fits_axis(value->integer) ? (int)value->integer : INT_MAX;
        return value->kind == WG_VALUE_INTEGER;
    case WG_ATTR_INTEGER:
        if (value->kind == WG_VALUE_INTEGER)
            *(int64_t *)member = value->integer;
        return value->kind == WG_VALUE_INTEGER && value->integer != WG_NO_INTEGER;
    case WG_ATTR_REAL: return set_real(member, value);
    case WG_ATTR_AXES: return set_axes(member, value);
    case WG_ATTR_SHAPE: return set_shape(member, value);
    case WG_ATTR_INTS: return short_list_of(value, member);
    case WG_ATTR_LIST: return list_of(value, member);
    case WG_ATTR_LISTS: return set_lists(member, entries_of(attr, sizeof(wg_ints)), value);
    case WG_ATTR_SPATIAL: return set_spatial(member, entries_of(attr, sizeof(int64_t)), value);
    case WG_ATTR_PAIRS: return set_pairs(member, entries_of(attr, sizeof(int64_t[2])), value);
    case WG_ATTR_DTYPE: return set_dtype(member, value);
    case WG_ATTR_CHOICE: return false; /* set_choice */
    }
    return false;
}

wg_status wg_option_set(const wg_schema *schema, void *options, const char *name, const wg_value *value, char *message,
                        size_t size)
{
    if (message && size)
        message[0] = 0;
    if ((schema && !options) || !name || !value)
        return refuse(message, size, WG_ERROR_VALUE, "an option's name, value or place is NULL");
    for (int i = 0; schema && i < schema->n; i++) {
        const wg_attr *attr = &schema->attr[i];
        void *member = member_of(attr, options);
        if (strcmp(attr->name, name))
            continue;
        if (value->kind == WG_VALUE_LIST && value->list.n > WG_MAX_RANK && attr->kind != WG_ATTR_LIST)
            return refuse(message, size, WG_ERROR_SHAPE, "%s has %d entries, more than %d", name, value->list.n,
                          WG_MAX_RANK);
        if (attr->kind == WG_ATTR_CHOICE)
            return set_choice(attr, member, value, message, size);
        if (attr->kind == WG_ATTR_SPATIAL && !attr->raw && has_zero(value))
            return refuse(message, size, WG_ERROR_VALUE, "%s is 0, not at least 1", name);
        if (set(attr, member, value))
            return WG_OK;
        return refuse(message, size, WG_ERROR_ATTR, "%s takes %s", name, takes[attr->kind]);
    }
    return refuse(message, size, WG_ERROR_ATTR, "there is no option \"%s\"", name);
}

/* ---- As text ----------------------------------------------------------------------------------------------------- */
typedef struct {
    char *at;
    size_t size, used; /* used may pass size: the text was cut */
} writer;

static void put(writer *w, const char *format, ...) WG_PRINTF(2, 3);
static void put(writer *w, const char *format, ...)
{
    if (w->used >= w->size)
        return;
    va_list va;
    va_start(va, format);
    int n = vsnprintf(w->at + w->used, w->size - w->used, format, va);
    va_end(va);
    w->used += n > 0 ? (size_t)n : 0;
}

/* The shortest digits that read back as the same number, with a point in any locale. */
static void put_real(writer *w, double value)
{
    if (isnan(value)) { /* which may carry a sign */
        put(w, "nan");
        return;
    }
    char digits[40];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    const char *radix = nl_langinfo(RADIXCHAR);
    char *point = strstr(digits, radix);
    if (point)
        put(w, "%.*s.%s", (int)(point - digits), digits, point + strlen(radix));
    else
        put(w, "%s", digits);
}

static void put_integer(writer *w, int64_t value)
{
    if (value == WG_NO_INTEGER)
        put(w, "none");
    else
        put(w, "%lld", (long long)value);
}

static void put_list(writer *w, const int64_t *at, int n)
{
    put(w, "[");
    for (int i = 0; i < n; i++) {
        put(w, "%s", i ? ", " : "");
        put_integer(w, at[i]);
    }
    put(w, "]");
}

/* No more than a shape has, whatever the struct says. */
static void put_short_list(writer *w, const int64_t *at, int n) { put_list(w, at, n < WG_MAX_RANK ? n : WG_MAX_RANK); }

static void put_spatial(writer *w, const int64_t *at, int n, bool raw)
{
    int64_t entry[WG_MAX_RANK] = {0};
    bool same = true;
    n = n < WG_MAX_RANK ? n : WG_MAX_RANK;
    memcpy(entry, at, (size_t)n * sizeof *at);
    if (!raw)
        spread_first(entry, n);
    for (int i = 1; i < n; i++)
        same = same && entry[i] == entry[0];
    if (same)
        put_integer(w, entry[0]);
    else
        put_list(w, entry, n);
}

static void put_pairs(writer *w, const void *member, int n)
{
    const int64_t(*const pair)[2] = (const int64_t(*)[2])member;
    while (n && (pair[n - 1][0] == WG_NO_INTEGER || (pair[n - 1][0] == 0 && pair[n - 1][1] == 0)))
        n--;
    put(w, "[");
    for (int i = 0; i < n; i++)
        put(w, "%s[%lld, %lld]", i ? ", " : "", (long long)pair[i][0], (long long)pair[i][1]);
    put(w, "]");
}

static void put_member(writer *w, const wg_attr *attr, const void *member)
{
    switch (attr->kind) {
    case WG_ATTR_BOOL: put(w, *(const bool *)member ? "true" : "false"); break;
    case WG_ATTR_AXIS: put_integer(w, *(const int *)member == WG_NO_AXIS ? WG_NO_INTEGER : *(const int *)member); break;
    case WG_ATTR_INTEGER: put_integer(w, *(const int64_t *)member); break;
    case WG_ATTR_REAL: put_real(w, *(const double *)member); break;
    case WG_ATTR_CHOICE: {
        const char *word = *(const char *const *)member;
        put(w, "%s", word ? word : "none");
        break;
    }
    case WG_ATTR_AXES: {
        const wg_axes *axes = member;
        int64_t at[WG_MAX_RANK];
        for (int i = 0; i < WG_MAX_RANK; i++)
            at[i] = axes->at[i];
        put_short_list(w, at, wg_is_no_axes(axes) ? 0 : axes->n);
        break;
    }
    case WG_ATTR_SHAPE: {
        const wg_shape *shape = member;
        put_short_list(w, shape->dim, wg_is_no_shape(shape) ? 0 : shape->rank);
        break;
    }
    case WG_ATTR_INTS: {
        const wg_ints *ints = member;
        put_short_list(w, ints->at, wg_is_no_ints(ints) ? 0 : ints->n);
        break;
    }
    case WG_ATTR_LIST: put_list(w, ((const wg_list *)member)->at, ((const wg_list *)member)->n); break;
    case WG_ATTR_LISTS: {
        const wg_ints *list = member;
        put(w, "[");
        for (int i = 0; i < entries_of(attr, sizeof *list); i++) {
            put(w, "%s", i ? ", " : "");
            put_short_list(w, list[i].at, list[i].n);
        }
        put(w, "]");
        break;
    }
    case WG_ATTR_SPATIAL: put_spatial(w, member, entries_of(attr, sizeof(int64_t)), attr->raw); break;
    case WG_ATTR_PAIRS: put_pairs(w, member, entries_of(attr, sizeof(int64_t[2]))); break;
    case WG_ATTR_DTYPE: put(w, "%s", wg_dtype_name(*(const wg_dtype *)member)); break;
    }
}

wg_status wg_options_text(const wg_op *op, const void *options, char *text, size_t size)
{
    if (!op || !text || !size)
        return WG_ERROR_VALUE;
    text[0] = 0;
    const wg_schema *schema = op->options;
    writer w = {text, size, 0};
    for (int i = 0; schema && options && i < schema->n; i++) {
        const wg_attr *attr = &schema->attr[i];
        char member[512] = "", standard[512] = "";
        put_member(&(writer){member, sizeof member, 0}, attr, member_in(attr, options));
        put_member(&(writer){standard, sizeof standard, 0}, attr, member_in(attr, schema->defaults));
        if (strcmp(member, standard))
            put(&w, "%s%s=%s", w.used ? " " : "", attr->name, member);
    }
    return WG_OK;
}
