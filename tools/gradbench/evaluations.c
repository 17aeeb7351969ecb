/* All there are. */
#include "gradbench.h"

extern const evaluation gmm_evaluations[], hello_evaluations[], kmeans_evaluations[], llsq_evaluations[], lse_evaluations[],
    lstm_evaluations[];

const evaluation *const evaluations[] = {gmm_evaluations, hello_evaluations, kmeans_evaluations, llsq_evaluations,
                                         lse_evaluations, lstm_evaluations,  NULL};
