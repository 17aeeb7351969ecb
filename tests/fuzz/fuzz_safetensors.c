/* Any bytes as weights: looked into, and loaded over the tensors that they name. */
#include "memory_file.h"

#define MOST 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memory_file file = memory_file_of(data, size);
    wg_tape *tape = wg_tape_new();
    wg_weights *weights = wg_weights_open(tape, file.path);
    told(tape, weights);
    wg_tensor target[MOST];
    int n = 0;
    for (int i = 0; i < wg_weights_count(weights) && n < MOST; i++)
        if (wg_weights_type(weights, i).dtype != WG_NO_DTYPE && *wg_weights_name(weights, i)) {
            target[n] = wg_weights_tensor(weights, wg_weights_name(weights, i));
            if (wg_is_invalid(target[n++]))
                abort();
        }
    if (n && (wg_load)(file.path, target, n, (wg_load_options){.strict = false}))
        abort();
    if (wg_weights_metadata(weights, "format") && !weights)
        abort();
    wg_tape_free(tape);
    close(file.descriptor);
    return 0;
}
