/* Tables of numbers as text. The file is gone through twice: first its fields are counted, so that memory is taken once
 * and for what is there, then they are read. */
#include <float.h>
#include <locale.h>
#include <stdlib.h>

#include "graph/data.h"
#include "graph/file.h"

#define MOST_BYTES ((size_t)1 << 32) /* of a file */
#define FIELD_SHOWN 40               /* bytes of a field in a message */
#define FUNCTION "wg_data_csv"

typedef struct {
    wg_tape *tape;
    const char *path;
    const wg_data_csv_options *o;
    const char *begin, *end; /* what is behind is a NUL */
    const char *at;
    int64_t line; /* from 1, of `at` */
} table;

/* A field without the blanks and quotes around it. */
typedef struct {
    const char *text;
    int size;
    bool last; /* of its line */
} field;

/* ---- Lines and fields -------------------------------------------------------------------------------------------- */
static bool is_blank(const table *t, char c)
{
    return (c == ' ' || c == '\t' || c == '\r') && (c != t->o->separator || c == ' ');
}

static void skip_blanks(table *t)
{
    while (t->at < t->end && is_blank(t, *t->at))
        t->at++;
}

/* To the first field of the next line that has any; false at the end. */
static bool next_line(table *t)
{
    for (skip_blanks(t); t->at < t->end; skip_blanks(t)) {
        if (*t->at != '\n')
            return true;
        t->line++;
        t->at++;
    }
    return false;
}

/* The field at t->at, which goes behind it; behind a last one it stays at the line's end. */
static field next_field(table *t)
{
    skip_blanks(t);
    bool quoted = t->at < t->end && *t->at == '"', blanks = t->o->separator == ' ';
    const char *from = t->at += quoted;
    while (t->at < t->end && *t->at != '\n' &&
           (quoted ? *t->at != '"' : *t->at != t->o->separator && !(blanks && is_blank(t, *t->at))))
        t->at++;
    const char *to = t->at;
    while (!quoted && to > from && is_blank(t, to[-1]))
        to--;
    if (quoted && t->at < t->end && *t->at == '"')
        t->at++;
    skip_blanks(t);
    field f = {from, to - from < INT_MAX ? (int)(to - from) : INT_MAX, t->at == t->end || *t->at == '\n'};
    if (!f.last && *t->at == t->o->separator)
        t->at++;
    return f;
}

/* Is the field a number as the C locale writes it, and nothing else? No hexadecimal one, no "nan" or "inf". */
static bool number_of(const field *f, locale_t c_locale, double *value)
{
    if (!f->size || (int)strspn(f->text, "0123456789+-.eE") < f->size)
        return false;
    char *stop;
    *value = strtod_l(f->text, &stop, c_locale);
    return stop == f->text + f->size;
}

/* ---- Counting ---------------------------------------------------------------------------------------------------- */
/* Lines with fields and fields in each; false, and the error reported, where they differ. */
static bool count_fields(table *t, int64_t *lines, int64_t *columns)
{
    int64_t first = 0;
    for (*lines = *columns = 0; next_line(t); ++*lines) {
        int64_t fields = 1;
        while (!next_field(t).last)
            fields++;
        if (!*lines) {
            *columns = fields;
            first = t->line;
        } else if (fields != *columns) {
            wg_report(t->tape, FUNCTION, WG_ERROR_FORMAT, "%s: line %lld has %lld fields, line %lld %lld",
                      wg_path_text(t->path), (long long)t->line, (long long)fields, (long long)first,
                      (long long)*columns);
            return false;
        }
    }
    return true;
}

static void rewind_table(table *t)
{
    t->at = t->begin;
    t->line = 1;
}

/* Is there a header? t is then behind it, otherwise at the first line. */
static bool skip_header(table *t, locale_t c_locale)
{
    rewind_table(t);
    if (t->o->header == WG_HEADER_NO || !next_line(t))
        return false;
    bool words = t->o->header == WG_HEADER_YES;
    for (field f = {0}; !f.last;) {
        double value;
        f = next_field(t);
        words = words || !number_of(&f, c_locale, &value);
    }
    if (!words)
        rewind_table(t);
    return words;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */
static bool field_error(const table *t, const field *f, int64_t column, const char *what)
{
    wg_report(t->tape, FUNCTION, WG_ERROR_FORMAT, "%s: line %lld, field %lld: %s%.*s%s", wg_path_text(t->path),
              (long long)t->line, (long long)column + 1, f->size ? "\"" : "nothing",
              f->size < FIELD_SHOWN ? f->size : FIELD_SHOWN, f->text, what);
    return false;
}

/* Fills x, and `label` with the labels as doubles. */
static bool read_lines(table *t, locale_t c_locale, int64_t columns, int64_t label_at, wg_column *x, double *label)
{
    double most = x->dtype == WG_FLOAT32 ? (double)FLT_MAX : DBL_MAX;
    size_t size = wg_dtype_size(x->dtype);
    char *to = x->values;
    for (int64_t row = 0; next_line(t); row++)
        for (int64_t i = 0; i < columns; i++) {
            double value;
            field f = next_field(t);
            if (!number_of(&f, c_locale, &value))
                return field_error(t, &f, i, f.size ? "\" is not a number" : " is there");
            if (!(fabs(value) <= most))
                return field_error(t, &f, i,
                                   x->dtype == WG_FLOAT32 ? "\" does not fit float32" : "\" does not fit float64");
            if (i == label_at) {
                label[row] = value;
                continue;
            }
            wg_store_number(x->dtype, value, to);
            to += size;
        }
    return true;
}

/* The labels' column: integers where they all are, unless another dtype is asked for. */
static bool make_labels(const table *t, const double *label, int64_t n, wg_column *y)
{
    wg_dtype dtype = t->o->label_dtype;
    int64_t other = 0; /* the first that is no integer */
    while (other < n && label[other] == floor(label[other]) && fabs(label[other]) < 0x1p53)
        other++;
    if (dtype == WG_NO_DTYPE)
        dtype = other == n ? WG_INT64 : t->o->dtype;
    if (!wg_is_float(dtype) && other < n) {
        wg_report(t->tape, FUNCTION, WG_ERROR_FORMAT, "%s: label %g of sample %lld is not an integer",
                  wg_path_text(t->path), label[other], (long long)other);
        return false;
    }
    *y = (wg_column){.dtype = dtype};
    if (!wg_column_new(t->tape, FUNCTION, y, n))
        return false;
    for (int64_t i = 0; i < n; i++)
        wg_store_number(dtype, label[i], wg_column_at(y, i));
    return true;
}

static wg_data *read_table(table *t, locale_t c_locale)
{
    int64_t lines, columns;
    rewind_table(t);
    if (!count_fields(t, &lines, &columns))
        return NULL;
    int64_t label_at = t->o->label < 0 && t->o->label != WG_NO_AXIS ? columns + t->o->label : t->o->label;
    bool labelled = t->o->label != WG_NO_AXIS;
    if (!lines || (labelled && (label_at < 0 || label_at >= columns))) {
        wg_report(t->tape, FUNCTION, lines ? WG_ERROR_INDEX : WG_ERROR_FORMAT,
                  lines ? "%s: there is no column %d for the label; lines have %lld fields" : "%s: the file is empty",
                  wg_path_text(t->path), t->o->label, (long long)columns);
        return NULL;
    }
    int64_t n = lines - skip_header(t, c_locale);
    wg_column x = {.dtype = t->o->dtype, .row = {{columns - labelled}, 1}}, y = {0};
    size_t label_bytes = (size_t)(labelled ? n : 0) * sizeof(double);
    double *label = wg_tape_allocate(t->tape, label_bytes);
    if (!label)
        wg_no_memory(t->tape, FUNCTION, label_bytes);
    bool read = label && wg_column_new(t->tape, FUNCTION, &x, n) &&
                read_lines(t, c_locale, columns, labelled ? label_at : -1, &x, label) &&
                (!labelled || make_labels(t, label, n, &y));
    wg_tape_release(t->tape, label, label_bytes);
    if (read)
        return wg_data_new(t->tape, FUNCTION, &x, &y, n, t->o->shuffle);
    wg_column_free(t->tape, &x);
    wg_column_free(t->tape, &y);
    return NULL;
}

wg_data *(wg_data_csv)(wg_tape *tape, const char *path, wg_data_csv_options options)
{
    if (!tape || tape->status)
        return NULL;
    if (!wg_is_float(options.dtype) || (options.label_dtype != WG_NO_DTYPE && !wg_dtype_size(options.label_dtype))) {
        wg_report(tape, FUNCTION, WG_ERROR_DTYPE, "x cannot be %s with labels of dtype %d",
                  wg_dtype_name(options.dtype), (int)options.label_dtype);
        return NULL;
    }
    if (!options.separator || strchr("0123456789+-.eE\"\r\n", options.separator)) {
        wg_report(tape, FUNCTION, WG_ERROR_ATTR, "the separator 0x%02x occurs in numbers or ends lines",
                  (unsigned)(unsigned char)options.separator);
        return NULL;
    }
    size_t bytes;
    char *text = wg_file_read(tape, FUNCTION, path, MOST_BYTES, &bytes);
    if (!text)
        return NULL;
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    size_t mark = bytes >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0; /* UTF-8's byte order mark */
    table t = {.tape = tape, .path = path, .o = &options, .begin = text + mark, .end = text + bytes};
    wg_data *data = NULL;
    if (c_locale)
        data = read_table(&t, c_locale);
    else
        wg_no_memory(tape, FUNCTION, 0);
    if (c_locale)
        freelocale(c_locale);
    wg_tape_release(tape, text, bytes + 1);
    return data;
}
