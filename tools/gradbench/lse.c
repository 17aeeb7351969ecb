/* lse: y = log sum_i exp x_i. The maximum a is subtracted and added again, and so moves nothing: d y / d a = 0. */
#include "gradbench.h"

static void lse(problem *p)
{
    wg_tensor x = variable(p, "x", 1);
    wg_tensor a = wg_stop_gradient(wg_max(x));
    solved_by(p, wg_add(a, wg_log(wg_sum(wg_exp(wg_subtract(x, a))))));
}

const evaluation lse_evaluations[] = {{"lse", "primal", lse, false}, {"lse", "gradient", lse, true}, {0}};
