/* Bytes as a file that is only in memory, for readers that take a path. */
#ifndef TESTS_FUZZ_MEMORY_FILE_H
#define TESTS_FUZZ_MEMORY_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wengert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    int descriptor;
    char path[64];
} memory_file;

static inline memory_file memory_file_of(const uint8_t *data, size_t size)
{
    memory_file file = {.descriptor = memfd_create("fuzz", MFD_CLOEXEC)};
    if (file.descriptor < 0 || write(file.descriptor, data, size) != (ssize_t)size)
        abort();
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.descriptor);
    return file;
}

/* What was refused has a message, what was read has none. */
static inline void told(wg_tape *tape, bool read)
{
    if (read == wg_failed(tape) || (!read && !*wg_error(tape)))
        abort();
}

/* Every batch of a data set, looked at to its last element. */
static inline void walk(wg_tape *tape, wg_data *data)
{
    wg_mark start = wg_tape_mark(tape);
    double sum = 0;
    for (wg_batch b; wg_data_next(data, 256, &b); wg_rewind(tape, start)) {
        if (wg_size(b.x))
            sum += wg_element(b.x, wg_size(b.x) - 1);
        if (wg_is_tensor(b.y) && wg_size(b.y))
            sum += wg_element(b.y, wg_size(b.y) - 1);
    }
    if (wg_failed(tape) || sum == 0.12345)
        abort();
}

#endif
