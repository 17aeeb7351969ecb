/* Small tables with named columns, such as the log of `wengert train`: a field may be empty. */
#ifndef TOOLS_TABLE_H
#define TOOLS_TABLE_H

#define WG_WITHOUT_PLACES
#include <stdbool.h>
#include <stdint.h>
#include <wengert.h>

typedef struct {
    int64_t rows;
    int columns;
    char **name;   /* of each column; NULL: there is no line of names */
    double *value; /* [columns, rows]; NaN where a field is empty */
} table;

/* False, and what is wrong on standard error. To be freed either way. */
bool table_read(table *t, const char *path);
void table_free(table *t);
/* The column of that name, or of that number, counted from 1; NULL: there is none. */
const double *table_column(const table *t, const char *name);
/* The columns that have one of the names which logs use; they live as long as the table. False, and told: there is
 * none. */
bool table_curve(const table *t, const char *path, wg_curve *curve);

#endif
