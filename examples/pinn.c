/* A network that solves a differential equation because its second derivative is in the loss: a pendulum let go at 2
 * radians, angle'' = -sin(angle). No measurement of the motion is used; the network sees the equation at 64 times.
 *
 * Each angle depends on its own time alone, so that one Taylor expansion along all of the times together gives every
 * second derivative, and reverse mode goes through that as through anything else. The integrator says how good it is in
 * the end. */
#include <stdio.h>
#include <wengert.h>

enum { N = 64, WIDTH = 24, STEPS = 2000 };

static const double from = 2, end = 4; /* radians, seconds */

typedef struct {
    wg_tensor p[6];
} network;

/* t: [n, 1]. What the start says is built in: from + t^2 net(t) begins at `from`, at rest. */
static wg_tensor angle(const network *net, wg_tensor t)
{
    const wg_tensor *p = net->p;
    wg_tensor h = wg_tanh(wg_linear(wg_tanh(wg_linear(t, p[0], p[1])), p[2], p[3]));
    return wg_add(from, wg_multiply(wg_square(t), wg_linear(h, p[4], p[5])));
}

/* The mean square of what is left over of the equation. */
static wg_tensor misfit(const network *net, wg_tensor t)
{
    wg_tensor path[3], a = angle(net, t); /* the angle, its first derivative, half the second one */
    wg_taylor(a, t, WG_NONE, 2, path);
    return wg_mean(wg_square(wg_add(wg_multiply(2, path[2]), wg_sin(a))));
}

/* d/dt (angle, speed) = (speed, -sin(angle)) */
static void pendulum(const wg_tensor *in, wg_tensor *out, void *user)
{
    (void)user;
    out[0] = wg_stack(WG_TENSORS(wg_select(in[1], 0, 1), wg_negative(wg_sin(wg_select(in[1], 0, 0)))));
}

int main(void)
{
    double times[N];
    for (int i = 0; i < N; i++)
        times[i] = end * i / (N - 1);
    wg_tape *tape = wg_tape_new(.seed = 2);
    wg_tensor t = wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(N, 1), times), "t");
    network net;
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"first.weight", "first.bias",  "second.weight",
                                            "second.bias",  "last.weight", "last.bias"};
        int64_t in = i ? WIDTH : 1, out = i < 2 ? WIDTH : 1;
        net.p[2 * i] = wg_param(tape, names[2 * i], WG_SHAPE(in, out), .dtype = WG_FLOAT64, .init = WG_XAVIER_NORMAL);
        net.p[2 * i + 1] = wg_param(tape, names[2 * i + 1], WG_SHAPE(out), .dtype = WG_FLOAT64);
    }
    wg_optimizer *adam = wg_adam(net.p, 6, .lr = 0.01);
    wg_mark start = wg_tape_mark(tape);
    for (int i = 0; i <= STEPS && !wg_failed(tape); i++, wg_rewind(tape, start)) {
        wg_tensor loss = misfit(&net, t);
        wg_backward(loss);
        if (i % 500 == 0)
            printf("step %4d: mean square of angle'' + sin(angle) %.1e\n", i, wg_item(loss));
        wg_set_lr(adam, 0.01 * wg_schedule_cosine(i, STEPS, 0));
        wg_step(adam);
    }
    wg_tensor rest = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), ((double[]){from, 0}));
    wg_tensor truth = wg_odeint(pendulum, rest, wg_reshape(t, WG_SHAPE(N))), found = angle(&net, t); /* [N, 2] */
    if (wg_draw(found, "pinn.svg")) /* no Graphviz, say */
        wg_clear_error(tape);
    double worst = 0;
    for (int i = 0; i < N; i++)
        worst = fmax(worst, fabs(wg_element(found, i) - wg_element(truth, 2 * i)));
    printf("it is off the integrated motion by %.1e rad at most, over %.3g seconds\n", worst, end);
    if (wg_failed(tape))
        fprintf(stderr, "%s\n", wg_error(tape));
    int failed = wg_failed(tape) || !(worst < 0.01);
    wg_tape_free(tape);
    return failed;
}
