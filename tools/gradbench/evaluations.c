/* All there are. */
#include "gradbench.h"

extern const evaluation ba_evaluations[], det_evaluations[], gmm_evaluations[], hello_evaluations[], ht_evaluations[],
    kmeans_evaluations[], llsq_evaluations[], lse_evaluations[], lstm_evaluations[], ode_evaluations[],
    particle_evaluations[], saddle_evaluations[];

const evaluation *const evaluations[] = {ba_evaluations,   det_evaluations,    gmm_evaluations,      hello_evaluations,
                                         ht_evaluations,   kmeans_evaluations, llsq_evaluations,     lse_evaluations,
                                         lstm_evaluations, ode_evaluations,    particle_evaluations, saddle_evaluations,
                                         NULL};
