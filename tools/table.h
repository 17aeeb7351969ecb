/* Small tables with named columns, such as the log of `wengert train`: a field may be empty. */
#ifndef TOOLS_TABLE_H
#define TOOLS_TABLE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t rows;
    int columns;
    char **name;   /* of each column; NULL: there is no line of names */
    double *value; /* [columns, rows]; NaN where a field is empty */
} table;

/* False, and what is wrong on standard error behind "wengert plot: ". To be freed either way. */
bool table_read(table *t, const char *path);
void table_free(table *t);
/* The column of that name, or of that number, counted from 1; NULL: there is none. */
const double *table_column(const table *t, const char *name);

#endif
