/* Whole files: read within a limit, and written so that whoever reads finds the old content or the new one, never a
 * part. Each function names the caller's public function in errors. Private to graph/. */
#ifndef GRAPH_FILE_H
#define GRAPH_FILE_H

#include <limits.h>

#include "core/tape.h"

/* The end of a path, short enough to leave room for what is wrong with it. */
const char *wg_path_text(const char *path);

/* A regular file opened for reading, its size in bytes; -1, and the error reported. Never waits, as on a FIFO. */
int wg_file_open(wg_tape *tape, const char *name, const char *path, int64_t *size);

/* The content, with a NUL behind its `bytes`, from the tape's allocator: released with wg_tape_release(tape, content,
 * bytes + 1). NULL, and the error reported, where the file holds more than `most` bytes or cannot be read. */
char *wg_file_read(wg_tape *tape, const char *name, const char *path, size_t most, size_t *bytes);

/* A file being written: beside its place, to which wg_file_end moves it. The first failure is reported, and stops the
 * rest. */
typedef struct {
    wg_tape *tape;
    const char *name, *path;
    wg_status status;
    int descriptor;
    char target[PATH_MAX], beside[PATH_MAX];
} wg_file;

wg_status wg_file_begin(wg_file *file, wg_tape *tape, const char *name, const char *path);
void wg_file_put(wg_file *file, const void *data, size_t size);
/* Moves it to its place; after a failure, or with a status of the caller's, removes it. Returns the first failure. */
wg_status wg_file_end(wg_file *file, wg_status status);

/* All of it at once. */
wg_status wg_file_write(wg_tape *tape, const char *name, const char *path, const void *data, size_t size);

#endif
