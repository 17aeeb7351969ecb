/* The steps of optimisers. Each kernel is one pass over memory, written over what it reads: the parameter and its
 * moments come in, and go out, as they lie. */
#include "ops/optimizer.h"

#include <float.h>

#include "wengert/map.h"

#define OPTIMIZERS(OP) OP(sgd_step) OP(adam_step) OP(rmsprop_step)
WG_CONTENTS(OPTIMIZERS)

/* ---- What the steps share ---------------------------------------------------------------------------------------- */
/* n elements: to is the parameter and its moments, read and written. */
typedef void kernel(int64_t n, void *const *to, const void *grad, const void *options);

typedef struct {
    const wg_call *c;
    kernel *kernel;
} step;

static void step_piece(void *argument, int64_t piece)
{
    const step *s = argument;
    const wg_call *c = s->c;
    int64_t count = wg_type_count(&c->x[0]), first = piece * WG_PIECE;
    int64_t n = count - first < WG_PIECE ? count - first : WG_PIECE;
    size_t offset = (size_t)first * wg_dtype_size(c->dtype);
    void *to[WG_MAX_OUTPUTS] = {NULL};
    for (int k = 0; k < c->n_out; k++)
        to[k] = (unsigned char *)c->to[k] + offset;
    s->kernel(n, to, (const unsigned char *)c->from[c->n_in - 1] + offset, c->options);
}

static wg_status step_run(const wg_call *c, kernel *f32, kernel *f64)
{
    step s = {c, c->dtype == WG_FLOAT32 ? f32 : f64};
    int64_t count = wg_type_count(&c->x[0]);
    for (int k = 0; k < c->n_out; k++)
        if (c->to[k] != c->from[k])
            memcpy(c->to[k], c->from[k], (size_t)count * wg_dtype_size(c->dtype));
    wg_parallel(c->tape, wg_pieces(count), step_piece, &s);
    return WG_OK;
}

static wg_status step_type(wg_call *c)
{
    for (int i = 1; i < c->n_in; i++)
        if (wg_given(c, i) && !wg_type_equal(&c->x[0], &c->x[i]))
            return wg_fail(c, WG_ERROR_SHAPE, "%s and %s differ in shape", wg_show(c, 0), wg_show(c, i));
    for (int k = 0; k < c->n_out; k++)
        c->y[k] = c->x[0];
    return WG_OK;
}

/* ---- sgd_step ---------------------------------------------------------------------------------------------------- */
#define SGD_LOOP(name, T)                                                                                              \
    static WG_CLONES void name(int64_t n, void *const *to, const void *grad, const void *options)                      \
    {                                                                                                                  \
        const wg_sgd_step_options *o = options;                                                                        \
        const T lr = (T)o->lr, decay = (T)o->weight_decay;                                                             \
        T *restrict p = to[0];                                                                                         \
        const T *restrict d = grad;                                                                                    \
        for (int64_t i = 0; i < n; i++)                                                                                \
            p[i] -= lr * (d[i] + decay * p[i]);                                                                        \
    }
SGD_LOOP(sgd_f32, float)
SGD_LOOP(sgd_f64, double)

/* The step is along now g + ahead velocity. */
#define MOMENTUM_LOOP(name, T)                                                                                         \
    static WG_CLONES void name(int64_t n, void *const *to, const void *grad, const void *options)                      \
    {                                                                                                                  \
        const wg_sgd_step_options *o = options;                                                                        \
        const T lr = (T)o->lr, decay = (T)o->weight_decay, momentum = (T)o->momentum;                                  \
        const T now = o->nesterov ? 1 : 0, ahead = o->nesterov ? momentum : 1;                                         \
        T *restrict p = to[0], *restrict velocity = to[1];                                                             \
        const T *restrict d = grad;                                                                                    \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const T g = d[i] + decay * p[i];                                                                           \
            velocity[i] = momentum * velocity[i] + g;                                                                  \
            p[i] -= lr * (now * g + ahead * velocity[i]);                                                              \
        }                                                                                                              \
    }
MOMENTUM_LOOP(momentum_f32, float)
MOMENTUM_LOOP(momentum_f64, double)

static int sgd_step_count(const wg_call *c) { return wg_given(c, 1) ? 2 : 1; }
static wg_status sgd_step_run(const wg_call *c)
{
    return wg_given(c, 1) ? step_run(c, momentum_f32, momentum_f64) : step_run(c, sgd_f32, sgd_f64);
}
WG_OP(sgd_step) = {
    .name = "sgd_step",
    .doc = "param = param - lr velocity, velocity = momentum velocity + grad + weight_decay param",
    .source = "Sutskever et al. 2013, eq. 1 to 4",
    .in = {{"param", 0}, {"velocity", WG_OPTIONAL}, {"grad", 0}},
    .out = {"param", "velocity"},
    .options = WG_SCHEMA(wg_sgd_step, WG_ATTR(wg_sgd_step, lr), WG_ATTR(wg_sgd_step, momentum),
                         WG_ATTR(wg_sgd_step, weight_decay), WG_ATTR(wg_sgd_step, nesterov)),
    .count = sgd_step_count,
    .type = step_type,
    .run = sgd_step_run,
    .samples = {"[2,3] - [2,3]", "[2,3] [2,3] [2,3] momentum=0.9", "[0] [0] [0] momentum=0.9 nesterov=true"},
    .in_place = true,
    .hidden = true,
    .output_gradient_free = true,
};
wg_status wg_sgd_step(wg_tensor param, wg_tensor velocity, wg_tensor grad, wg_sgd_step_options options)
{
    return wg_update(&sgd_step_op, &options, (const wg_tensor[]){param, velocity, grad}, 3);
}

/* ---- adam_step --------------------------------------------------------------------------------------------------- */
/* A moment below the smallest normal number becomes 0: where gradients have stopped, averages would stay among the
 * subnormals for thousands of steps, and each of those costs many times what a normal number does. */
#define FLUSHED(value, least) ((value) > -(least) && (value) < (least) ? 0 : (value))

#define ADAM_LOOP(name, T, least)                                                                                      \
    static WG_CLONES void name(int64_t n, void *const *to, const void *grad, const void *options)                      \
    {                                                                                                                  \
        const wg_adam_step_options *o = options;                                                                       \
        const T decay = (T)(o->decoupled ? 0 : o->weight_decay);                                                       \
        const T kept = (T)(o->decoupled ? 1 - o->lr * o->weight_decay : 1);                                            \
        const T beta1 = (T)o->beta1, rest1 = (T)(1 - o->beta1), beta2 = (T)o->beta2, rest2 = (T)(1 - o->beta2);        \
        const T rate = (T)(o->lr / o->correction1), root = (T)(1 / sqrt(o->correction2)), eps = (T)o->eps;             \
        T *restrict p = to[0], *restrict m = to[1], *restrict v = to[2];                                               \
        const T *restrict d = grad;                                                                                    \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const T g = d[i] + decay * p[i];                                                                           \
            const T first = beta1 * m[i] + rest1 * g, second = beta2 * v[i] + rest2 * (g * g);                         \
            m[i] = FLUSHED(first, least);                                                                              \
            v[i] = FLUSHED(second, least);                                                                             \
            p[i] = kept * p[i] - rate * m[i] / (root * sqrt(v[i]) + eps);                                              \
        }                                                                                                              \
    }
ADAM_LOOP(adam_f32, float, FLT_MIN)
ADAM_LOOP(adam_f64, double, DBL_MIN)

static wg_status adam_step_run(const wg_call *c) { return step_run(c, adam_f32, adam_f64); }
WG_OP(adam_step) = {
    .name = "adam_step",
    .doc = "param = param - lr (m / correction1) / (sqrt(v / correction2) + eps), m and v averages of grad and grad^2",
    .source = "Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2",
    .in = {{"param", 0}, {"m", 0}, {"v", 0}, {"grad", 0}},
    .out = {"param", "m", "v"},
    .options = WG_SCHEMA(wg_adam_step, WG_ATTR(wg_adam_step, lr), WG_ATTR(wg_adam_step, beta1),
                         WG_ATTR(wg_adam_step, beta2), WG_ATTR(wg_adam_step, eps), WG_ATTR(wg_adam_step, weight_decay),
                         WG_ATTR(wg_adam_step, correction1), WG_ATTR(wg_adam_step, correction2),
                         WG_ATTR(wg_adam_step, decoupled)),
    .type = step_type,
    .run = adam_step_run,
    .samples = {"[2,3] [2,3] [2,3]:0..1 [2,3]", "[] [] []:0..1 [] decoupled=true weight_decay=0.01", "[0] [0] [0] [0]"},
    .in_place = true,
    .hidden = true,
    .output_gradient_free = true,
};
wg_status wg_adam_step(wg_tensor param, wg_tensor m, wg_tensor v, wg_tensor grad, wg_adam_step_options options)
{
    return wg_update(&adam_step_op, &options, (const wg_tensor[]){param, m, v, grad}, 4);
}

/* ---- rmsprop_step ------------------------------------------------------------------------------------------------ */
#define RMSPROP_LOOP(name, T)                                                                                          \
    static WG_CLONES void name(int64_t n, void *const *to, const void *grad, const void *options)                      \
    {                                                                                                                  \
        const wg_rmsprop_step_options *o = options;                                                                    \
        const T lr = (T)o->lr, decay = (T)o->weight_decay, eps = (T)o->eps;                                            \
        const T alpha = (T)o->alpha, rest = (T)(1 - o->alpha);                                                         \
        T *restrict p = to[0], *restrict square = to[1];                                                               \
        const T *restrict d = grad;                                                                                    \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const T g = d[i] + decay * p[i];                                                                           \
            square[i] = alpha * square[i] + rest * (g * g);                                                            \
            p[i] -= lr * g / (sqrt(square[i]) + eps);                                                                  \
        }                                                                                                              \
    }
RMSPROP_LOOP(rmsprop_f32, float)
RMSPROP_LOOP(rmsprop_f64, double)

#define RMSPROP_MOMENTUM_LOOP(name, T)                                                                                 \
    static WG_CLONES void name(int64_t n, void *const *to, const void *grad, const void *options)                      \
    {                                                                                                                  \
        const wg_rmsprop_step_options *o = options;                                                                    \
        const T lr = (T)o->lr, decay = (T)o->weight_decay, eps = (T)o->eps, momentum = (T)o->momentum;                 \
        const T alpha = (T)o->alpha, rest = (T)(1 - o->alpha);                                                         \
        T *restrict p = to[0], *restrict square = to[1], *restrict velocity = to[2];                                   \
        const T *restrict d = grad;                                                                                    \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const T g = d[i] + decay * p[i];                                                                           \
            square[i] = alpha * square[i] + rest * (g * g);                                                            \
            velocity[i] = momentum * velocity[i] + g / (sqrt(square[i]) + eps);                                        \
            p[i] -= lr * velocity[i];                                                                                  \
        }                                                                                                              \
    }
RMSPROP_MOMENTUM_LOOP(rmsprop_momentum_f32, float)
RMSPROP_MOMENTUM_LOOP(rmsprop_momentum_f64, double)

static int rmsprop_step_count(const wg_call *c) { return wg_given(c, 2) ? 3 : 2; }
static wg_status rmsprop_step_run(const wg_call *c)
{
    return wg_given(c, 2) ? step_run(c, rmsprop_momentum_f32, rmsprop_momentum_f64)
                          : step_run(c, rmsprop_f32, rmsprop_f64);
}
WG_OP(rmsprop_step) = {
    .name = "rmsprop_step",
    .doc = "param = param - lr velocity, velocity = momentum velocity + grad / (sqrt(square) + eps), square the "
           "average of grad^2",
    .source = "Tieleman and Hinton 2012, lecture 6.5",
    .in = {{"param", 0}, {"square", 0}, {"velocity", WG_OPTIONAL}, {"grad", 0}},
    .out = {"param", "square", "velocity"},
    .options = WG_SCHEMA(wg_rmsprop_step, WG_ATTR(wg_rmsprop_step, lr), WG_ATTR(wg_rmsprop_step, alpha),
                         WG_ATTR(wg_rmsprop_step, eps), WG_ATTR(wg_rmsprop_step, momentum),
                         WG_ATTR(wg_rmsprop_step, weight_decay)),
    .count = rmsprop_step_count,
    .type = step_type,
    .run = rmsprop_step_run,
    .samples = {"[2,3] [2,3]:0..1 - [2,3]", "[2,3] [2,3]:0..1 [2,3] [2,3] momentum=0.9", "[0] [0] [0] [0]"},
    .in_place = true,
    .hidden = true,
    .output_gradient_free = true,
};
wg_status wg_rmsprop_step(wg_tensor param, wg_tensor square, wg_tensor velocity, wg_tensor grad,
                          wg_rmsprop_step_options options)
{
    return wg_update(&rmsprop_step_op, &options, (const wg_tensor[]){param, square, velocity, grad}, 4);
}

WG_FAMILY(optimizers, OPTIMIZERS)
