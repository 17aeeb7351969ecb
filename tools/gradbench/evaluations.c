/* All there are. */
#include "gradbench.h"

extern const evaluation ba_evaluations[], det_evaluations[], gmm_evaluations[], hello_evaluations[], ht_evaluations[],
    kmeans_evaluations[], llsq_evaluations[], lse_evaluations[], lstm_evaluations[], ode_evaluations[],
    particle_evaluations[], saddle_evaluations[];

const evaluation *const evaluations[] = {ba_evaluations,
                                         det_evaluations,
                                         gmm_evaluations,
                                         hello_evaluations,
                                         ht_evaluations,
                                         kmeans_evaluations,
                                         llsq_evaluations,
                                         lse_evaluations,
                                         lstm_evaluations,
                                         ode_evaluations,
                                         particle_evaluations,
                                         saddle_evaluations,
                                         NULL};

const evaluation *evaluation_found(const char *module, const char *function)
{
    for (const evaluation *const *list = evaluations; *list; list++)
        for (const evaluation *e = *list; e->module; e++)
            if (module && !strcmp(module, e->module) && (!function || !strcmp(function, e->function)))
                return e;
    return NULL;
}
