/* What the texts of elementwise entries call besides <math.h>, for files of exported C. */
#include "core/code.h"
#include "ops/special.h"

WG_HELPERS_OF(common, &wg_sigmoid_helper, &wg_square_helper, &wg_sign_helper, &wg_reciprocal_helper,
              &wg_log1pexp_helper, &wg_gaussian_helper, &wg_ndtr_helper)

extern const wg_helper *const wg_helpers_activation[], *const wg_helpers_binary[], *const wg_helpers_trigonometric[];
extern const wg_helper *const wg_helpers_special[], *const wg_helpers_distance[], *const wg_helpers_recurrent[],
    *const wg_helpers_linalg[], *const wg_helpers_spectral[],
    *const wg_helpers_noise[], *const wg_helpers_resample[], *const wg_helpers_ctc[];

const wg_helper *const *const wg_helpers[] = {wg_helpers_common, wg_helpers_activation, wg_helpers_binary,
                                              wg_helpers_trigonometric, wg_helpers_special, wg_helpers_distance,
                                              wg_helpers_recurrent, wg_helpers_linalg, wg_helpers_spectral,
                                              wg_helpers_noise, wg_helpers_resample, wg_helpers_ctc, NULL};
