/* Reading tables: the whole file is held, its lines are cut into fields in place. */
#include "table.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_COLUMNS = 1024, SHOWN = 40 };
#define MOST_BYTES (1 << 28)

static bool refused(const char *path, const char *why)
{
    fprintf(stderr, "wengert: %s: %s\n", path, why);
    return false;
}

/* NULL, and told. */
static char *content_of(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0, room = 0;
    if (!file || fseek(file, 0, SEEK_SET)) {
        refused(path, strerror(errno));
        if (file)
            fclose(file);
        return NULL;
    }
    for (size_t n = 1; n && size < MOST_BYTES; size += n) {
        char *larger = size + 1 >= room ? realloc(text, room = 2 * room + 65536) : text;
        text = larger ? larger : text;
        n = larger ? fread(text + size, 1, room - size - 1, file) : 0;
        if (!larger || ferror(file)) {
            refused(path, strerror(larger ? errno : ENOMEM));
            free(text);
            fclose(file);
            return NULL;
        }
    }
    fclose(file);
    text[size] = 0;
    return text;
}

/* Cuts off the line at *at and goes behind it; NULL: there is none left. Blank ones are passed. */
static char *next_line(char **at)
{
    while (**at == '\n' || **at == '\r')
        ++*at;
    char *line = *at;
    if (!*line)
        return NULL;
    *at += strcspn(line, "\n");
    if (**at)
        *(*at)++ = 0;
    line[strcspn(line, "\r")] = 0;
    return line;
}

/* The same with a line's fields; blanks and quotes around them go. The last one leaves NULL in *at. */
static char *next_field(char **at)
{
    char *field = *at, *end = field + strcspn(field, ",");
    *at = *end ? end + 1 : NULL;
    while (end > field && strchr(" \t\"", end[-1]))
        end--;
    *end = 0;
    return field + strspn(field, " \t\"");
}

static bool is_number(const char *field, double *value)
{
    char *end;
    *value = *field ? strtod(field, &end) : (double)NAN;
    return !*field || !*end;
}

static bool has_names(const char *line)
{
    double unused;
    char copy[65536], *at = copy;
    snprintf(copy, sizeof copy, "%s", line);
    while (at)
        if (!is_number(next_field(&at), &unused))
            return true;
    return false;
}

static int fields_in(const char *line)
{
    int n = 1;
    for (; (line = strchr(line, ',')); line++)
        n++;
    return n;
}

static bool row_read(table *t, int64_t row, char *line, const char *path)
{
    char message[160];
    if (fields_in(line) != t->columns) {
        snprintf(message, sizeof message, "row %lld has %d fields, the first line has %d", (long long)row + 1,
                 fields_in(line), t->columns);
        return refused(path, message);
    }
    for (int k = 0; k < t->columns; k++) {
        char *field = next_field(&line);
        if (!is_number(field, &t->value[k * t->rows + row])) {
            snprintf(message, sizeof message, "row %lld, column %d: \"%.*s\" is not a number", (long long)row + 1,
                     k + 1, SHOWN, field);
            return refused(path, message);
        }
    }
    return true;
}

static int64_t lines_in(const char *text)
{
    int64_t n = 0;
    for (const char *at = text; *at; at += strcspn(at, "\n"))
        if (*(at += strspn(at, "\r\n")))
            n++;
    return n;
}

static bool filled(table *t, char *text, const char *path)
{
    char *at = text + strspn(text, "\r\n"), *first = at;
    bool named;
    t->rows = lines_in(text);
    t->columns = 1;
    for (const char *c = first; *c && *c != '\n'; c++)
        t->columns += *c == ',';
    if (!t->rows || t->columns > MOST_COLUMNS)
        return refused(path, t->rows ? "it has more than 1024 columns" : "it is empty");
    t->name = calloc((size_t)t->columns, sizeof *t->name);
    t->value = malloc((size_t)t->columns * (size_t)t->rows * sizeof *t->value);
    if (!t->name || !t->value)
        return refused(path, strerror(ENOMEM));
    char *line = next_line(&at);
    if ((named = has_names(line))) {
        t->rows--;
        for (int k = 0; k < t->columns; k++)
            if (!(t->name[k] = strdup(next_field(&line))))
                return refused(path, strerror(ENOMEM));
        line = next_line(&at);
    } else {
        free(t->name);
        t->name = NULL;
    }
    for (int64_t row = 0; line; row++, line = next_line(&at))
        if (!row_read(t, row, line, path))
            return false;
    return true;
}

bool table_read(table *t, const char *path)
{
    char *text = content_of(path);
    *t = (table){0};
    bool fine = text && filled(t, text, path);
    free(text);
    return fine;
}

void table_free(table *t)
{
    for (int k = 0; t->name && k < t->columns; k++)
        free(t->name[k]);
    free(t->name);
    free(t->value);
    *t = (table){0};
}

const double *table_column(const table *t, const char *name)
{
    char *end;
    for (int k = 0; t->name && k < t->columns; k++)
        if (!strcmp(t->name[k], name))
            return t->value + k * t->rows;
    long number = strtol(name, &end, 10);
    return end != name && !*end && number >= 1 && number <= t->columns ? t->value + (number - 1) * t->rows : NULL;
}

/* By the names that logs use. */
static const double *column_named(const table *t, const char *const *names)
{
    const double *column = NULL;
    for (int i = 0; !column && t->name && names[i]; i++)
        column = table_column(t, names[i]);
    return column;
}

bool table_curve(const table *t, const char *path, wg_curve *curve)
{
    static const char *const loss[] = {"loss", "train_loss", "training_loss", NULL};
    static const char *const valid[] = {"valid_loss", "val_loss", "validation_loss", "test_loss", NULL};
    static const char *const right[] = {"accuracy", "train_accuracy", "acc", "train_acc", NULL};
    static const char *const valid_right[] = {"valid_accuracy", "val_accuracy",  "validation_accuracy",
                                              "val_acc",        "test_accuracy", NULL};
    *curve = (wg_curve){
        t->rows, column_named(t, loss), column_named(t, valid), column_named(t, right), column_named(t, valid_right),
        NULL};
    if (curve->train_loss || curve->valid_loss || curve->train_accuracy || curve->valid_accuracy)
        return true;
    return refused(path, "no column is named loss, valid_loss, accuracy or valid_accuracy");
}
