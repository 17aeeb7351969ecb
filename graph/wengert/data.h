/* Wengert: data.
 *
 * A data set hands out batches, in an order shuffled anew each epoch; weights go to files and come back. A file is
 * checked as a whole before anything of it is used, and written so that the old content or the new one is there at any
 * moment. */
#ifndef WENGERT_DATA_H
#define WENGERT_DATA_H

#include "wengert/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Data sets ---------------------------------------------------------------------------------------------------
 * Samples x with their answers y. A data set belongs to the tape. NULL, and the error on the tape, where it could not
 * be made; every function below takes a NULL data set and does nothing. */
typedef struct wg_data wg_data;

typedef struct {
    wg_dtype dtype; /* of x: float32 or float64 */
    double scale;   /* factor of x; not given: 1 / 255 for bytes, 1 for the other types */
    bool flatten;   /* x is [n, features]; otherwise it has the file's shape, [n, 28, 28] */
    bool shuffle;   /* a new order each epoch */
    int64_t limit;  /* only the first so many samples; 0: all */
} wg_data_idx_options;
#define wg_data_idx_defaults .dtype = WG_FLOAT32, .scale = WG_NO_REAL, .flatten = true, .shuffle = true
/* Images and labels as in the MNIST files (LeCun's IDX format), plain or compressed by gzip; at most 2^28 samples and
 * 2^34 bytes. y is [n], int64; labels == NULL: there is none. */
WG_API wg_data *wg_data_idx(wg_tape *tape, const char *images, const char *labels, wg_data_idx_options options);

typedef enum { WG_HEADER_AUTO = 0, WG_HEADER_YES, WG_HEADER_NO } wg_header;

typedef struct {
    wg_dtype dtype;       /* of x: float32 or float64 */
    int label;            /* y's column, negative counts from the last; WG_NO_AXIS: there is none */
    wg_dtype label_dtype; /* not given: int64 where all labels are integers, else x's */
    wg_header header;     /* does the first line hold names? WG_HEADER_AUTO: where a field of it is no number */
    char separator;       /* ' ': fields apart by any blanks */
    bool shuffle;
} wg_data_csv_options;
#define wg_data_csv_defaults                                                                                           \
    .dtype = WG_FLOAT32, .label = -1, .label_dtype = WG_NO_DTYPE, .separator = ',', .shuffle = true
/* A table of numbers, one sample a line: x is [n, columns less the label], y is [n]. Blank lines are skipped; a missing
 * field, text, and what is not finite in x's dtype are errors. A file has at most 2^32 bytes. */
WG_API wg_data *wg_data_csv(wg_tape *tape, const char *path, wg_data_csv_options options);

typedef struct {
    bool shuffle;
} wg_data_arrays_options;
#define wg_data_arrays_defaults .shuffle = true
/* A copy of x, [n, ...], and y, [n, ...], of any dtypes; y may be WG_NONE. */
WG_API wg_data *wg_data_arrays(wg_tape *tape, wg_tensor x, wg_tensor y, wg_data_arrays_options options);

typedef struct {
    wg_dtype dtype;
    int classes;
    double turns; /* of each arm around the origin, from radius 0.1 to 1 */
    double noise; /* standard deviation, added to each coordinate */
    bool shuffle;
} wg_data_spirals_options;
#define wg_data_spirals_defaults .dtype = WG_FLOAT32, .classes = 2, .turns = 1.5, .noise = 0.02, .shuffle = true
/* n points on interleaved spirals, drawn from the tape's seed: x is [n, 2], y the arm (Lang and Witbrock 1988). */
WG_API wg_data *wg_data_spirals(wg_tape *tape, int64_t n, wg_data_spirals_options options);

/* A batch: leaves of the tape, named "x" and "y"; y is WG_NONE where the data have none. */
typedef struct {
    wg_tensor x, y;
    int64_t n; /* samples; the last batch of an epoch may have fewer than the others */
} wg_batch;

/* The next batch of at most `size` samples. False at the end of an epoch: the call after that begins the next one.
 * False also on a tape that has failed. The order is a function of the tape's seed and the epoch alone. */
WG_API bool wg_data_next(wg_data *data, int64_t size, wg_batch *batch);
/* Before the first batch of the first epoch again. */
WG_API void wg_data_reset(wg_data *data);
/* Before the first batch of that epoch, counted from 0: where a training run that was stopped goes on. */
WG_API void wg_data_start(wg_data *data, int64_t epoch);
/* Moves a fraction of the samples, drawn from the tape's seed, to a second data set, and resets both. */
WG_API wg_status wg_data_split(wg_data *data, double fraction, wg_data **second);

/* Samples; batches of at most `size` in an epoch. */
WG_API int64_t wg_data_size(const wg_data *data);
WG_API int64_t wg_data_batches(const wg_data *data, int64_t size);
/* 1 + the largest label where labels are integers, else 0. */
WG_API int64_t wg_data_classes(const wg_data *data);
/* Of one sample of x. */
WG_API wg_shape wg_data_shape(const wg_data *data);

/* ---- Weights -----------------------------------------------------------------------------------------------------
 * Named tensors in a file of the safetensors format, which other frameworks read and write too. */
typedef struct {
    const char *const *metadata; /* pairs of texts, {"key", "value", ..., NULL}; NULL: none */
} wg_save_options;
#define wg_save_defaults .metadata = NULL
/* Writes n tensors of one tape, each under its name. */
WG_API wg_status wg_save(const char *path, const wg_tensor *tensors, int n, wg_save_options options);

typedef struct {
    bool strict; /* the file holds just these tensors; otherwise those it has are read, what else is in it ignored */
} wg_load_options;
#define wg_load_defaults .strict = true
/* Reads values into n tensors of one tape, each by its name; dtype and shape must agree. Counts as a change of their
 * values, as wg_assign does; where it fails none has changed. */
WG_API wg_status wg_load(const char *path, const wg_tensor *tensors, int n, wg_load_options options);

/* A file of weights to look into. It belongs to the tape, which holds its content. */
typedef struct wg_weights wg_weights;
WG_API wg_weights *wg_weights_open(wg_tape *tape, const char *path);
/* How many tensors; name and type of tensor i, in the order of their data; WG_NO_DTYPE for dtypes not ours. */
WG_API int wg_weights_count(const wg_weights *weights);
WG_API const char *wg_weights_name(const wg_weights *weights, int i);
WG_API wg_type wg_weights_type(const wg_weights *weights, int i);
/* A copy of the tensor of that name, as a leaf that has it too. */
WG_API wg_tensor wg_weights_tensor(wg_weights *weights, const char *name);
/* What the file says of itself under `key`; NULL where it does not. */
WG_API const char *wg_weights_metadata(const wg_weights *weights, const char *key);

/* ---- Arrays ------------------------------------------------------------------------------------------------------ */
/* Writes one tensor as NumPy's .npy, version 1. */
WG_API wg_status wg_save_npy(const char *path, wg_tensor t);
/* The array of an .npy file, in C or Fortran order, little-endian and of one of our dtypes, as a leaf. */
WG_API wg_tensor wg_load_npy(wg_tape *tape, const char *path);

/* ---- How short calls are made ------------------------------------------------------------------------------------
 * The place of the call about to be made with this object. */
WG_API wg_data *wg_data_here(wg_data *data, const char *file, int line);
WG_API wg_weights *wg_weights_here(wg_weights *weights, const char *file, int line);

#ifdef __cplusplus
}
#endif

#ifdef WG_WITHOUT_PLACES
#define WG_DATA_HERE(data) (data)
#define WG_WEIGHTS_HERE(weights) (weights)
#else
#define WG_DATA_HERE(data) wg_data_here(data, __FILE__, __LINE__)
#define WG_WEIGHTS_HERE(weights) wg_weights_here(weights, __FILE__, __LINE__)
#endif

#ifndef __cplusplus
#define wg_data_idx(tape, ...) WG_OPTIONS3(wg_data_idx, WG_HERE(tape), __VA_ARGS__, )
#define wg_data_csv(tape, ...) WG_OPTIONS2(wg_data_csv, WG_HERE(tape), __VA_ARGS__, )
#define wg_data_arrays(tape, ...) WG_OPTIONS3(wg_data_arrays, WG_HERE(tape), __VA_ARGS__, )
#define wg_data_spirals(tape, ...) WG_OPTIONS2(wg_data_spirals, WG_HERE(tape), __VA_ARGS__, )
#define wg_data_next(data, ...) (wg_data_next)(WG_DATA_HERE(data), __VA_ARGS__)
#define wg_data_split(data, ...) (wg_data_split)(WG_DATA_HERE(data), __VA_ARGS__)
#define wg_save(path, ...) WG_OPTIONS_FILE(wg_save, path, __VA_ARGS__, )
#define wg_load(path, ...) WG_OPTIONS_FILE(wg_load, path, __VA_ARGS__, )
#define WG_OPTIONS_FILE(f, path, tensors, n, ...)                                                                      \
    (f)(path, WG_HERE_IN(tensors, n), n, (f##_options){f##_defaults, __VA_ARGS__})
#define wg_weights_open(tape, path) (wg_weights_open)(WG_HERE(tape), path)
#define wg_weights_tensor(weights, name) WG_AT((wg_weights_tensor)(WG_WEIGHTS_HERE(weights), name))
#define wg_save_npy(path, t) (wg_save_npy)(path, WG_HERE_AT(t))
#define wg_load_npy(tape, path) WG_AT((wg_load_npy)(WG_HERE(tape), path))
#endif

#endif
