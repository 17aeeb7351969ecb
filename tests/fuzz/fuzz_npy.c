/* Any bytes as an array. */
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memory_file file = memory_file_of(data, size);
    wg_tape *tape = wg_tape_new();
    wg_tensor t = wg_load_npy(tape, file.path);
    told(tape, wg_is_tensor(t));
    if (wg_is_tensor(t) && wg_size(t))
        wg_element(t, wg_size(t) - 1);
    wg_tape_free(tape);
    close(file.descriptor);
    return 0;
}
