/* A Hessian-vector product is a graph like any other: of f(w) = sum exp(A w) it is A' (exp(A w) * A v). hessian_vector
 * FILE. */
#define WG_WITHOUT_PLACES
#include <stdio.h>
#include <wengert.h>

int main(int argc, char **argv)
{
    wg_tape *tape = wg_tape_new();
    if (argc != 2 || !tape) {
        fputs("usage: hessian_vector FILE\n", stderr);
        return 2;
    }
    wg_tensor a = wg_name(wg_full(tape, WG_FLOAT64, WG_SHAPE(100, 8), 0.1), "A");
    wg_tensor w = wg_param(tape, "w", WG_SHAPE(8), .dtype = WG_FLOAT64, .init = WG_ONES);
    wg_tensor v = wg_name(wg_full(tape, WG_FLOAT64, WG_SHAPE(8), 1), "v"), hv;
    wg_hvp(wg_sum(wg_exp(wg_matmul(a, w))), &w, &v, 1, &hv);
    wg_draw(hv, argv[1]);
    int failed = wg_failed(tape);
    if (failed)
        fprintf(stderr, "%s\n", wg_error(tape));
    wg_tape_free(tape);
    return failed;
}
