/* Data sets: samples in rows of memory, an order of rows, and batches gathered straight into the arena. Images stay
 * bytes until then. The loaders of files are in files of their own; each fills two columns and ends in wg_data_new. */
#include "graph/data.h"

#include <stdlib.h>

#include "wengert/map.h"

/* Streams of random numbers that no operation draws from: those count up from 0. */
#define SHUFFLES (UINT64_C(1) << 63) /* plus the epoch */
#define SPLITS (UINT64_C(1) << 62)

#define CACHE_LINE 64
#define FETCHED 4096 /* bytes of a row asked for ahead; the processor sees by itself how a longer one goes on */

struct wg_data {
    wg_tape *tape;
    wg_column x, y;
    bool borrowed; /* the columns' memory is another data set's, from which this was split off */
    bool shuffle;
    int64_t n, room; /* samples; what member and order have room for */
    int64_t at, epoch;
    int64_t *member; /* the rows that belong to it, ascending */
    int64_t *order;  /* of this epoch, once at > 0 */
    int64_t classes;
};

/* ---- Columns ----------------------------------------------------------------------------------------------------- */
int64_t wg_column_width(const wg_column *column)
{
    int64_t n = 1;
    for (int i = 0; i < column->row.rank; i++)
        n *= column->row.dim[i];
    return n;
}

static size_t row_bytes(const wg_column *column)
{
    return (size_t)wg_column_width(column) * (column->pixels ? 1 : wg_dtype_size(column->dtype));
}

void *wg_column_at(const wg_column *column, int64_t i)
{
    return (char *)column->values + (size_t)i * row_bytes(column);
}

static wg_type batch_type(const wg_column *column, int64_t n)
{
    wg_type type = {.dtype = column->dtype, .rank = column->row.rank + 1, .dim = {n}};
    for (int i = 0; i < column->row.rank && i + 1 < WG_MAX_RANK; i++)
        type.dim[i + 1] = column->row.dim[i];
    return type;
}

bool wg_column_new(wg_tape *tape, const char *name, wg_column *column, int64_t n)
{
    wg_type type = batch_type(column, n);
    int64_t count;
    size_t bytes;
    if (!wg_type_fits(&type, &count, &bytes)) {
        wg_report(tape, name, WG_ERROR_MEMORY, "%lld samples of this shape are too large to hold", (long long)n);
        return false;
    }
    column->bytes = (size_t)n * row_bytes(column);
    column->values = wg_tape_allocate(tape, column->bytes);
    if (!column->values)
        wg_no_memory(tape, name, column->bytes);
    return column->values;
}

void wg_column_free(wg_tape *tape, wg_column *column)
{
    wg_tape_release(tape, column->values, column->bytes);
    column->values = NULL;
}

/* ---- Making one -------------------------------------------------------------------------------------------------- */
static void data_free(void *object)
{
    wg_data *data = object;
    wg_tape *tape = data->tape;
    if (!data->borrowed) {
        wg_column_free(tape, &data->x);
        wg_column_free(tape, &data->y);
    }
    wg_tape_release(tape, data->member, (size_t)data->room * sizeof *data->member);
    wg_tape_release(tape, data->order, (size_t)data->room * sizeof *data->order);
    wg_tape_release(tape, data, sizeof *data);
}

static int64_t count_classes(const wg_column *y, int64_t n)
{
    int64_t largest = -1;
    if (!y->values || !wg_is_integer(y->dtype))
        return 0;
    for (int64_t i = 0; i < n * wg_column_width(y); i++) {
        int64_t label = y->dtype == WG_INT32 ? ((const int32_t *)y->values)[i] : ((const int64_t *)y->values)[i];
        largest = label > largest ? label : largest;
    }
    return largest < INT64_MAX ? largest + 1 : INT64_MAX;
}

/* All but the members. NULL, and the error reported, where there is no memory; the columns are still the caller's. */
static wg_data *data_alone(wg_tape *tape, const char *name, int64_t n)
{
    wg_data *data = wg_tape_allocate(tape, sizeof *data);
    size_t bytes = (size_t)n * sizeof *data->order;
    if (data) {
        *data = (wg_data){.tape = tape, .n = n, .room = n, .borrowed = true};
        data->member = wg_tape_allocate(tape, bytes);
        data->order = wg_tape_allocate(tape, bytes);
        if (data->member && data->order)
            return data;
        data_free(data);
    }
    wg_no_memory(tape, name, bytes);
    return NULL;
}

wg_data *wg_data_new(wg_tape *tape, const char *name, wg_column *x, wg_column *y, int64_t n, bool shuffle)
{
    wg_data *data = data_alone(tape, name, n);
    if (!data) {
        wg_column_free(tape, x);
        wg_column_free(tape, y);
        return NULL;
    }
    data->x = *x;
    data->y = *y;
    data->borrowed = false;
    data->shuffle = shuffle;
    data->classes = count_classes(y, n);
    for (int64_t i = 0; i < n; i++)
        data->member[i] = i;
    wg_forget_place(tape);
    return (wg_tape_own)(tape, data, data_free) ? NULL : data;
}

/* The tensor's rows; false, and the error reported, where it has none or there is no memory. */
static bool column_of(wg_tape *tape, wg_column *column, wg_tensor t, const char *which)
{
    wg_type type = wg_type_of(t);
    if (!wg_is_tensor(t) || t.tape != tape) {
        wg_report(tape, "wg_data_arrays", WG_ERROR_VALUE, "%s is not a tensor of this tape", which);
        return false;
    }
    if (!type.rank) {
        wg_report(tape, "wg_data_arrays", WG_ERROR_SHAPE, "%s has no dimension that counts samples", which);
        return false;
    }
    *column = (wg_column){.dtype = type.dtype, .row = {.rank = type.rank - 1}};
    memcpy(column->row.dim, type.dim + 1, (size_t)(type.rank - 1) * sizeof *type.dim);
    return wg_column_new(tape, "wg_data_arrays", column, type.dim[0]) && !(wg_copy_out)(t, column->values);
}

wg_data *(wg_data_arrays)(wg_tape *tape, wg_tensor x, wg_tensor y, wg_data_arrays_options options)
{
    wg_column column[2] = {{0}, {0}};
    if (!tape || tape->status)
        return NULL;
    uint32_t before = wg_hold_place(tape);
    bool made = column_of(tape, &column[0], x, "x") && (wg_is_none(y) || column_of(tape, &column[1], y, "y"));
    int64_t n = made ? wg_type_of(x).dim[0] : 0;
    if (made && !wg_is_none(y) && wg_type_of(y).dim[0] != n) {
        wg_report(tape, "wg_data_arrays", WG_ERROR_SHAPE, "x has %lld samples, y %lld", (long long)n,
                  (long long)wg_type_of(y).dim[0]);
        made = false;
    }
    wg_data *data = NULL;
    if (made) {
        data = wg_data_new(tape, "wg_data_arrays", &column[0], &column[1], n, options.shuffle);
    } else {
        wg_column_free(tape, &column[0]);
        wg_column_free(tape, &column[1]);
    }
    wg_let_go_place(tape, before);
    return data;
}

/* ---- Order ------------------------------------------------------------------------------------------------------- */
/* Fisher and Yates. Step i takes the i-th number of the stream; its 52 bits make any n up to 2^32 as good as fair. */
static void shuffle_rows(const wg_tape *tape, uint64_t stream, int64_t *row, int64_t n)
{
    uint32_t word[4];
    for (int64_t i = n - 1; i > 0; i--) {
        if (i == n - 1 || i % 2)
            wg_philox(tape->seed, stream, (uint64_t)i / 2, word);
        double u = i % 2 ? wg_uniform_from(word[2], word[3]) : wg_uniform_from(word[0], word[1]);
        int64_t k = (int64_t)(u * (double)(i + 1)), held = row[i];
        row[i] = row[k];
        row[k] = held;
    }
}

static void begin_epoch(wg_data *data)
{
    memcpy(data->order, data->member, (size_t)data->n * sizeof *data->order);
    if (data->shuffle)
        shuffle_rows(data->tape, SHUFFLES + (uint64_t)data->epoch, data->order, data->n);
}

void wg_data_start(wg_data *data, int64_t epoch)
{
    if (!data)
        return;
    data->at = 0;
    data->epoch = epoch > 0 ? epoch : 0;
}

void wg_data_reset(wg_data *data) { wg_data_start(data, 0); }

static int by_row(const void *a, const void *b)
{
    int64_t i = *(const int64_t *)a, k = *(const int64_t *)b;
    return (i > k) - (i < k);
}

wg_status (wg_data_split)(wg_data *data, double fraction, wg_data **second)
{
    if (second)
        *second = NULL;
    if (!data)
        return WG_ERROR_VALUE;
    if (!second)
        return wg_report(data->tape, "wg_data_split", WG_ERROR_VALUE, "there is no place for the second data set");
    if (!(fraction >= 0 && fraction <= 1))
        return wg_report(data->tape, "wg_data_split", WG_ERROR_VALUE, "the fraction is %g, outside [0, 1]", fraction);
    int64_t taken = (int64_t)((double)data->n * fraction + 0.5), kept = data->n - taken;
    wg_data *part = data_alone(data->tape, "wg_data_split", taken);
    if (!part)
        return WG_ERROR_MEMORY;
    part->x = data->x;
    part->y = data->y;
    part->shuffle = data->shuffle;
    part->classes = data->classes;
    wg_status status = (wg_tape_own)(data->tape, part, data_free);
    if (status)
        return status;
    memcpy(data->order, data->member, (size_t)data->n * sizeof *data->order);
    shuffle_rows(data->tape, SPLITS, data->order, data->n);
    memcpy(data->member, data->order, (size_t)kept * sizeof *data->member);
    memcpy(part->member, data->order + kept, (size_t)taken * sizeof *part->member);
    qsort(data->member, (size_t)kept, sizeof *data->member, by_row);
    qsort(part->member, (size_t)taken, sizeof *part->member, by_row);
    data->n = kept;
    wg_data_reset(data);
    wg_forget_place(data->tape);
    *second = part;
    return WG_OK;
}

/* ---- Batches ----------------------------------------------------------------------------------------------------- */
static WG_CLONES void scale_f32(int64_t n, const uint8_t *restrict from, float scale, float *restrict to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)from[i] * scale;
}

static WG_CLONES void scale_f64(int64_t n, const uint8_t *restrict from, double scale, double *restrict to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = (double)from[i] * scale;
}

/* The rows lie anywhere in memory: each is asked for while the one before is copied. */
static void fetch(const char *row, size_t bytes)
{
#ifdef __GNUC__
    for (size_t i = 0; i < bytes && i < FETCHED; i += CACHE_LINE)
        __builtin_prefetch(row + i);
#else
    (void)row;
    (void)bytes;
#endif
}

static void gather(const wg_column *column, const int64_t *row, int64_t n, void *to)
{
    int64_t width = wg_column_width(column);
    size_t bytes = row_bytes(column);
    for (int64_t i = 0; i < n; i++) {
        const void *from = wg_column_at(column, row[i]);
        if (i + 1 < n)
            fetch(wg_column_at(column, row[i + 1]), bytes);
        if (!column->pixels)
            memcpy((char *)to + (size_t)i * bytes, from, bytes);
        else if (column->dtype == WG_FLOAT32)
            scale_f32(width, from, (float)column->scale, (float *)to + i * width);
        else
            scale_f64(width, from, column->scale, (double *)to + i * width);
    }
}

/* A leaf of rows; its memory is gathered into once, not zeroed before. */
static wg_tensor batch_leaf(wg_data *data, const wg_column *column, int64_t n, const char *name)
{
    wg_tape *tape = data->tape;
    wg_type type = batch_type(column, n);
    wg_arena_mark arena = wg_arena_at(tape);
    size_t bytes = (size_t)wg_type_count(&type) * wg_dtype_size(type.dtype);
    void *values = wg_arena(tape, bytes);
    if (!values) {
        wg_no_memory(tape, "wg_data_next", bytes);
        return wg_invalid_on(tape);
    }
    wg_tensor t = wg_leaf(tape, &type, values, 0, "wg_data_next");
    if (!wg_is_tensor(t)) {
        wg_arena_back(tape, arena);
        return t;
    }
    gather(column, data->order + data->at, n, values);
    return wg_name(t, name);
}

bool (wg_data_next)(wg_data *data, int64_t size, wg_batch *batch)
{
    if (batch)
        *batch = (wg_batch){.x = WG_NONE, .y = WG_NONE};
    if (!data || data->tape->status)
        return false;
    wg_tape *tape = data->tape;
    if (!batch || size < 1) {
        wg_report(tape, "wg_data_next", WG_ERROR_VALUE,
                  batch ? "batches of %lld samples" : "there is no place for a batch of %lld samples", (long long)size);
        return false;
    }
    if (data->at == 0)
        begin_epoch(data);
    int64_t left = data->n - data->at;
    if (!left) {
        data->at = 0;
        data->epoch++;
        wg_forget_place(tape);
        return false;
    }
    wg_batch next = {.n = size < left ? size : left, .y = WG_NONE};
    uint32_t before = wg_hold_place(tape);
    next.x = batch_leaf(data, &data->x, next.n, "x");
    if (data->y.values && !tape->status)
        next.y = batch_leaf(data, &data->y, next.n, "y");
    wg_let_go_place(tape, before);
    if (tape->status)
        return false;
    data->at += next.n;
    *batch = next;
    return true;
}

wg_data *wg_data_here(wg_data *data, const char *file, int line)
{
    if (data)
        wg_here(data->tape, file, line);
    return data;
}

/* ---- Questions --------------------------------------------------------------------------------------------------- */
int64_t wg_data_size(const wg_data *data) { return data ? data->n : 0; }

int64_t wg_data_batches(const wg_data *data, int64_t size)
{
    return data && size > 0 ? data->n / size + (data->n % size != 0) : 0;
}

int64_t wg_data_classes(const wg_data *data) { return data ? data->classes : 0; }

wg_shape wg_data_shape(const wg_data *data) { return data ? data->x.row : (wg_shape){0}; }
