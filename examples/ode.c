/* The parameters of a differential equation, found from measurements of its solution.
 *
 * The prey x and the predators y of Lotka and Volterra, x' = a x - b x y and y' = c x y - d y, are integrated by the
 * classical Runge-Kutta method as ordinary graph code; the gradient of the misfit flows back through every step. */
#include <stdio.h>
#include <wengert.h>

enum { STEPS = 60 };

static const double dt = 0.1;

/* The right-hand side: state [2], rates [4] = (a, b, c, d). */
static wg_tensor slope(wg_tensor state, wg_tensor rates)
{
    wg_tensor x = wg_select(state, 0, 0), y = wg_select(state, 0, 1), xy = wg_multiply(x, y);
    wg_tensor dx = wg_subtract(wg_multiply(wg_select(rates, 0, 0), x), wg_multiply(wg_select(rates, 0, 1), xy));
    wg_tensor dy = wg_subtract(wg_multiply(wg_select(rates, 0, 2), xy), wg_multiply(wg_select(rates, 0, 3), y));
    return wg_stack(WG_TENSORS(dx, dy));
}

static wg_tensor ahead(wg_tensor state, wg_tensor k, double h) { return wg_add(state, wg_multiply(k, h)); }

static wg_tensor step(wg_tensor state, wg_tensor rates)
{
    wg_tensor k1 = slope(state, rates), k2 = slope(ahead(state, k1, dt / 2), rates);
    wg_tensor k3 = slope(ahead(state, k2, dt / 2), rates), k4 = slope(ahead(state, k3, dt), rates);
    wg_tensor sum = wg_add(wg_add(k1, k4), wg_multiply(2, wg_add(k2, k3)));
    return ahead(state, sum, dt / 6);
}

/* The solution at every step, [STEPS, 2]. */
static wg_tensor solution(wg_tensor rates)
{
    wg_tensor state = wg_array(rates.tape, WG_FLOAT64, WG_SHAPE(2), ((double[]){1.5, 1})), at[STEPS];
    for (int i = 0; i < STEPS; i++)
        WG_SCOPE(rates.tape, "step", i) at[i] = state = step(state, rates);
    return wg_stack(((wg_tensors){at, STEPS}));
}

int main(void)
{
    wg_tape *tape = wg_tape_new();
    wg_tensor truth = wg_array(tape, WG_FLOAT64, WG_SHAPE(4), ((double[]){1.1, 0.8, 0.5, 0.9}));
    wg_tensor measured = wg_name(solution(truth), "measured");
    wg_tensor rates = wg_param(tape, "rates", WG_SHAPE(4), .dtype = WG_FLOAT64, .data = ((double[]){1, 1, 1, 1}));
    wg_optimizer *adam = wg_adam(&rates, 1, .lr = 0.2);
    wg_mark start = wg_tape_mark(tape);
    for (int i = 0; i <= 500; i++, wg_rewind(tape, start)) {
        wg_tensor misfit = wg_mse_loss(solution(rates), measured);
        wg_backward(misfit);
        wg_set_lr(adam, 0.2 * wg_schedule_cosine(i, 500, 0));
        wg_step(adam);
        if (i % 100 == 0)
            printf("step %3d: misfit %.2e, %zu nodes on the tape\n", i, wg_item(misfit), wg_tape_nodes(tape));
    }
    printf("found    a %.4f  b %.4f  c %.4f  d %.4f\n", wg_element(rates, 0), wg_element(rates, 1),
           wg_element(rates, 2), wg_element(rates, 3));
    printf("true     a 1.1000  b 0.8000  c 0.5000  d 0.9000\n");
    if (wg_failed(tape))
        fprintf(stderr, "%s\n", wg_error(tape));
    int failed = wg_failed(tape);
    wg_tape_free(tape);
    return failed;
}
