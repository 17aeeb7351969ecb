/* Any bytes as images, and as labels of themselves. */
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memory_file file = memory_file_of(data, size);
    for (int labelled = 0; labelled < 2; labelled++) {
        wg_tape *tape = wg_tape_new();
        wg_data *set = wg_data_idx(tape, file.path, labelled ? file.path : NULL, .flatten = labelled);
        told(tape, set);
        if (set && wg_data_size(set) < 100000)
            walk(tape, set);
        wg_tape_free(tape);
    }
    close(file.descriptor);
    return 0;
}
