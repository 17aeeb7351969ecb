/* What a data set is made of. Private to graph/. */
#ifndef GRAPH_DATA_H
#define GRAPH_DATA_H

#include "core/tape.h"
#include "wengert/data.h"

/* Samples side by side, or their answers: [n] times `row`. */
typedef struct {
    wg_dtype dtype;   /* as they are handed out */
    wg_shape row;     /* of one */
    bool pixels; /* kept as unsigned bytes, a quarter of the memory to gather from; times `scale` when handed out */
    double scale;
    void *values;     /* from the tape's allocator; NULL: there are none */
    size_t bytes;
} wg_column;

/* Elements of one sample. */
int64_t wg_column_width(const wg_column *column);
/* Memory for n samples; false, and the error reported for function `name`, where there is none. */
bool wg_column_new(wg_tape *tape, const char *name, wg_column *column, int64_t n);
void wg_column_free(wg_tape *tape, wg_column *column);
/* Row `i`. */
void *wg_column_at(const wg_column *column, int64_t i);

/* A data set that takes over its columns, also where it cannot be made: NULL then, and the error reported. */
wg_data *wg_data_new(wg_tape *tape, const char *name, wg_column *x, wg_column *y, int64_t n, bool shuffle);

#endif
