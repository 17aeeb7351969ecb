/* Wengert: sample calls.
 *
 * Every entry carries calls of itself as short texts (see operation.h); these functions make them. The gradient suite,
 * the mutation tests and `wengert check` are nothing but loops over them. */
#ifndef WENGERT_SAMPLE_H
#define WENGERT_SAMPLE_H

#include "wengert/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WG_SAMPLE_OPERANDS 16

typedef struct {
    int n_in;
    wg_tensor in[WG_SAMPLE_OPERANDS]; /* leaves of the tape; WG_NONE for one left out */
    uint64_t options[96];             /* the entry's options, as the caller would give them; or unused */
} wg_sample;

/* Makes the operands and options that `text` says: floats are of `dtype` (float32 or float64) and drawn from `seed`. A
 * text that does not parse is WG_ERROR_FORMAT. The text must outlive the sample. */
WG_API wg_status wg_sample_make(wg_tape *tape, const wg_op *op, const char *text, wg_dtype dtype, uint64_t seed,
                                wg_sample *sample);
/* Records op on the sample; out receives at most n_out outputs. */
WG_API wg_status wg_sample_record(wg_tape *tape, const wg_op *op, const wg_sample *sample, wg_tensor *out, int n_out);

#ifdef __cplusplus
}
#endif

#endif
