/* Backpropagation, step by step: one sample through a network of two inputs, three hidden units and two outputs.
 *
 *   1. forward pass       z1 = x W1 + b1,  a1 = sigmoid(z1);   z2 = a1 W2 + b2
 *   2. loss               of a2 = sigmoid(z2) by mean squared error, or of softmax(z2) by cross-entropy
 *   3. error terms        d2 = dL/dz2,  d1 = dL/dz1 = (d2 W2') sigmoid'(z1): backward, layer by layer
 *   4. gradients          dW2 = a1' d2,  db2 = d2,  dW1 = x' d1,  db1 = d1
 *   5. gradient descent   W -= rate dW,  b -= rate db
 *
 * Steps 3 and 4 are done twice, by hand with the chain rule and by the tape, and compared. */
#include <stdio.h>
#include <wengert.h>

enum { IN = 2, HIDDEN = 3, OUT = 2 };

static const double rate = 0.5;

static void show(const char *what, const double *v, int n)
{
    printf("  %-5s", what);
    for (int i = 0; i < n; i++)
        printf(" %9.6f", v[i]);
    printf("\n");
}

static void show_tensor(const char *what, wg_tensor t)
{
    double v[HIDDEN * OUT] = {0};
    wg_copy_out(t, v);
    show(what, v, (int)wg_size(t));
}

/* The network on the tape, and what the five steps talk of. */
typedef struct {
    wg_tensor w1, b1, w2, b2;         /* parameters */
    wg_tensor x, z1, a1, z2, a2, loss;
} network;

static void forward(network *n, const double *x, const double *target, bool classify)
{
    wg_tape *tape = n->w1.tape;
    n->x = wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(1, IN), x), "x");
    n->z1 = wg_linear(n->x, n->w1, n->b1);
    n->a1 = wg_sigmoid(n->z1);
    n->z2 = wg_linear(n->a1, n->w2, n->b2);
    wg_tensor t = wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(1, OUT), target), "target");
    n->a2 = classify ? wg_softmax(n->z2) : wg_sigmoid(n->z2);
    n->loss = classify ? wg_cross_entropy(n->z2, t) : wg_mse_loss(n->a2, t);
}

/* Steps 3 and 4 by hand: what the chain rule gives, written out. */
typedef struct {
    double d1[HIDDEN], d2[OUT];
    double w1[IN * HIDDEN], b1[HIDDEN], w2[HIDDEN * OUT], b2[OUT];
} gradients;

static void by_hand(const network *n, const double *target, bool classify, gradients *g)
{
    for (int k = 0; k < OUT; k++) {
        double a = wg_element(n->a2, k);
        /* Mean squared error: dL/da = 2 (a - t) / OUT, da/dz = a (1 - a). Softmax with cross-entropy: the two
         * collapse. */
        g->d2[k] = classify ? a - target[k] : 2 * (a - target[k]) / OUT * a * (1 - a);
        g->b2[k] = g->d2[k];
    }
    for (int j = 0; j < HIDDEN; j++) {
        double a = wg_element(n->a1, j), sum = 0;
        for (int k = 0; k < OUT; k++) {
            sum += g->d2[k] * wg_element(n->w2, j * OUT + k);
            g->w2[j * OUT + k] = a * g->d2[k];
        }
        g->d1[j] = sum * a * (1 - a);
        g->b1[j] = g->d1[j];
    }
    for (int i = 0; i < IN; i++)
        for (int j = 0; j < HIDDEN; j++)
            g->w1[i * HIDDEN + j] = wg_element(n->x, i) * g->d1[j];
}

static double difference(wg_tensor t, const double *v)
{
    double most = 0;
    for (int i = 0; i < wg_size(t); i++)
        most = fmax(most, fabs(wg_element(t, i) - v[i]));
    return most;
}

static void descend(wg_tensor param)
{
    WG_NO_GRAD(param.tape) wg_assign(param, wg_subtract(param, wg_multiply(rate, wg_grad_of(param))));
    wg_zero_grad(param);
}

static void five_steps(network *n, bool classify, const char *picture)
{
    const double x[IN] = {0.6, -0.4}, target[OUT] = {1, 0};
    gradients hand;
    wg_tensor d[2];

    printf("\n1. forward pass\n");
    forward(n, x, target, classify);
    show("x", x, IN);
    show_tensor("z1", n->z1);
    show_tensor("a1", n->a1);
    show_tensor("z2", n->z2);
    show_tensor("a2", n->a2);

    printf("2. loss: %s\n  L     %9.6f\n", classify ? "cross-entropy of the softmax" : "mean squared error",
           wg_item(n->loss));

    printf("3. error terms, backward\n");
    by_hand(n, target, classify, &hand);
    wg_grad(n->loss, ((wg_tensor[]){n->z1, n->z2}), 2, d);
    show("d2", hand.d2, OUT);
    show_tensor("tape", d[1]);
    show("d1", hand.d1, HIDDEN);
    show_tensor("tape", d[0]);

    printf("4. gradients\n");
    wg_backward(n->loss);
    show("dW2", hand.w2, HIDDEN * OUT);
    show_tensor("tape", wg_grad_of(n->w2));
    show("db2", hand.b2, OUT);
    show_tensor("tape", wg_grad_of(n->b2));
    show("dW1", hand.w1, IN * HIDDEN);
    show_tensor("tape", wg_grad_of(n->w1));
    show("db1", hand.b1, HIDDEN);
    show_tensor("tape", wg_grad_of(n->b1));
    double most = fmax(fmax(difference(d[0], hand.d1), difference(d[1], hand.d2)),
                       fmax(fmax(difference(wg_grad_of(n->w1), hand.w1), difference(wg_grad_of(n->b1), hand.b1)),
                            fmax(difference(wg_grad_of(n->w2), hand.w2), difference(wg_grad_of(n->b2), hand.b2))));
    printf("  by hand and by tape %s: they differ by %.0e at most\n", most < 1e-15 ? "agree" : "DISAGREE", most);
    if (wg_draw(n->loss, picture, .overlay = WG_SHOW_GRAD)) { /* no Graphviz, say: the story goes on without */
        printf("  %s\n", wg_error(n->loss.tape));
        wg_clear_error(n->loss.tape);
    }

    printf("5. gradient descent, rate %g\n", rate);
    double before = wg_item(n->loss);
    descend(n->w1);
    descend(n->b1);
    descend(n->w2);
    descend(n->b2);
    forward(n, x, target, classify);
    printf("  L     %9.6f, was %9.6f\n", wg_item(n->loss), before);
}

int main(void)
{
    const double w1[] = {0.5, -0.3, 0.8, 0.2, 0.7, -0.6}, w2[] = {0.4, -0.5, 0.3, 0.9, -0.7, 0.1};
    const char *const pictures[] = {"backpropagation_mse.svg", "backpropagation_cross_entropy.svg"};
    bool failed = false;
    for (int classify = 0; classify < 2; classify++) {
        wg_tape *tape = wg_tape_new();
        network n = {
            .w1 = wg_param(tape, "hidden.weight", WG_SHAPE(IN, HIDDEN), .dtype = WG_FLOAT64, .data = w1),
            .b1 = wg_param(tape, "hidden.bias", WG_SHAPE(HIDDEN), .dtype = WG_FLOAT64),
            .w2 = wg_param(tape, "output.weight", WG_SHAPE(HIDDEN, OUT), .dtype = WG_FLOAT64, .data = w2),
            .b2 = wg_param(tape, "output.bias", WG_SHAPE(OUT), .dtype = WG_FLOAT64),
        };
        printf("%s%s", classify ? "\n" : "",
               classify ? "== Softmax and cross-entropy ==" : "== Sigmoid and mean squared error ==");
        five_steps(&n, classify, pictures[classify]);
        failed |= wg_failed(tape);
        if (wg_failed(tape))
            fprintf(stderr, "%s\n", wg_error(tape));
        wg_tape_free(tape);
    }
    return failed;
}
