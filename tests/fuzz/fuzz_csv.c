/* Any bytes as a table; the first chooses separator and label. */
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char separators[] = ",;\t ";
    uint8_t choice = size ? data[0] : 0;
    memory_file file = memory_file_of(data + (size > 0), size - (size > 0));
    wg_tape *tape = wg_tape_new();
    wg_data *set =
        wg_data_csv(tape, file.path, .separator = separators[choice % 4], .header = (wg_header)(choice / 4 % 3),
                    .label = choice & 64    ? WG_NO_AXIS
                             : choice & 128 ? 0
                                            : -1,
                    .dtype = choice & 32 ? WG_FLOAT64 : WG_FLOAT32);
    told(tape, set);
    if (set)
        walk(tape, set);
    wg_tape_free(tape);
    close(file.descriptor);
    return 0;
}
