/* All there are. */
#include "gradbench.h"

extern const evaluation hello_evaluations[], kmeans_evaluations[], llsq_evaluations[], lse_evaluations[];

const evaluation *const evaluations[] = {hello_evaluations, kmeans_evaluations, llsq_evaluations, lse_evaluations, NULL};
