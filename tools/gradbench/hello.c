/* hello: x^2 and 2x. */
#include "gradbench.h"

static void hello(problem *p)
{
    p->n = 1;
    p->x[0] = wg_scalar(p->tape, json_number_value(p->input));
    if (!json_is_number(p->input))
        wg_report(p->tape, "gradbench", WG_ERROR_VALUE, "the input is not a number");
    solved_by(p, wg_square(p->x[0]));
}

const evaluation hello_evaluations[] = {{"hello", "square", hello, false}, {"hello", "double", hello, true}, {0}};
