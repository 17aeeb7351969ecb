/* Optimal control: a pendulum is swung up by a motor too weak to lift it, with as little effort as that takes.
 *
 * The motion is a scan of Runge-Kutta steps, one torque each. It keeps a few of its states instead of everything that
 * the steps computed: the same gradient, bit for bit, from a fraction of the memory, for running each step again, at
 * most twice. */
#include <stdio.h>
#include <wengert.h>

enum { STEPS = 200, ROUNDS = 300 };

static const double dt = 0.05, weakness = 0.5; /* seconds; the greatest torque, where 1 would hold it level */

/* d/dt (angle, speed) = (speed, torque - sin(angle)); hanging down is 0. */
static wg_tensor slope(wg_tensor state, wg_tensor torque)
{
    wg_tensor speed = wg_select(state, 0, 1);
    return wg_stack(WG_TENSORS(speed, wg_subtract(torque, wg_sin(wg_select(state, 0, 0)))));
}

/* One Runge-Kutta step: (state) and its torque give (next state). */
static void step(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    wg_tensor y = in[0], u = in[1], k1 = slope(y, u), k2 = slope(wg_fma(k1, dt / 2, y), u);
    wg_tensor k3 = slope(wg_fma(k2, dt / 2, y), u), k4 = slope(wg_fma(k3, dt, y), u);
    out[0] = wg_fma(wg_add(wg_add(k1, k4), wg_multiply(2, wg_add(k2, k3))), dt / 6, y);
}

/* The effort, and a price for not standing still, upside down, at the end. wish: [n], torques before they saturate. */
static wg_tensor cost(wg_tensor wish, int64_t snapshots, wg_tensor *last)
{
    wg_tensor torque = wg_multiply(weakness, wg_tanh(wish)), rest = wg_full(wish.tape, WG_FLOAT64, WG_SHAPE(2), 0);
    wg_scan(step, WG_TENSORS(rest), WG_TENSORS(torque), last, 1, .snapshots = snapshots);
    wg_tensor miss = wg_add(wg_add(1, wg_cos(wg_select(*last, 0, 0))), wg_square(wg_select(*last, 0, 1)));
    return wg_add(wg_multiply(dt, wg_sum(wg_square(torque))), wg_multiply(20, miss));
}

/* Prints what the gradient takes with a few states kept, and with all. */
static void compare(wg_tensor wish)
{
    wg_tensor grad[2], last;
    size_t bytes[2];
    double off = 0;
    for (int i = 0; i < 2; i++) {
        size_t before = wg_tape_used_bytes(wish.tape);
        wg_tensor f = cost(wish, i ? WG_SNAPSHOTS_SQRT : 0, &last);
        bytes[i] = wg_tape_used_bytes(wish.tape) - before;
        wg_grad(f, &wish, 1, &grad[i]);
    }
    for (int i = 0; i < STEPS; i++)
        off = fmax(off, fabs(wg_element(grad[0], i) - wg_element(grad[1], i)));
    printf("the tape of %d steps takes %zu KiB; with %d states kept %zu KiB, and the gradient differs by %g\n", STEPS,
           bytes[0] / 1024, (int)ceil(sqrt(2.0 * STEPS)), bytes[1] / 1024, off);
}

int main(void)
{
    wg_tape *tape = wg_tape_new();
    double push[STEPS], angle = 0, speed = 0;
    for (int i = 0; i < STEPS; i++)
        push[i] = 0.2 * sin(dt * i); /* to and fro, as one starts a swing */
    wg_tensor wish = wg_param(tape, "torque", WG_SHAPE(STEPS), .dtype = WG_FLOAT64, .data = push);
    wg_optimizer *adam = wg_adam(&wish, 1, .lr = 0.1);
    wg_mark start = wg_tape_mark(tape);
    compare(wish);
    wg_tensor few = wg_name(wg_full(tape, WG_FLOAT64, WG_SHAPE(4), 0), "torque"), last;
    if (wg_draw(cost(few, WG_SNAPSHOTS_SQRT, &last), "optimal_control.svg")) /* no Graphviz, say */
        wg_clear_error(tape);
    wg_rewind(tape, start);
    for (int i = 0; i <= ROUNDS && !wg_failed(tape); i++, wg_rewind(tape, start)) {
        wg_tensor f = cost(wish, WG_SNAPSHOTS_SQRT, &last);
        wg_backward(f);
        angle = wg_element(last, 0);
        speed = wg_element(last, 1);
        if (i % 100 == 0)
            printf("round %3d: cost %7.4f, it ends at %+.3f rad with %+.3f rad/s\n", i, wg_item(f), angle, speed);
        wg_set_lr(adam, 0.1 * wg_schedule_cosine(i, ROUNDS, 0));
        wg_step(adam);
    }
    if (wg_failed(tape))
        fprintf(stderr, "%s\n", wg_error(tape));
    int failed = wg_failed(tape) || cos(angle) > -0.99 || fabs(speed) > 0.1;
    wg_tape_free(tape);
    return failed;
}
