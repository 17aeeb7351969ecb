/* Optimisers: which leaves a step reads and writes, and when. The arithmetic is in ops/optimizer.c, one pass over
 * memory for each parameter; this file keeps the parameters, their moments and the count of steps. */
#include "ops/optimizer.h"

#include "core/tape.h"
#include "wengert/training.h"

#define MOST_MOMENTS 2

/* Steps one parameter. moment holds the kind's moments, WG_NONE past the last. */
typedef wg_status step_rule(const wg_optimizer *o, wg_tensor param, const wg_tensor *moment, wg_tensor grad);

typedef union {
    wg_sgd_options sgd;
    wg_adam_options adam;
    wg_adamw_options adamw;
    wg_rmsprop_options rmsprop;
} any_options;

/* A kind of optimiser: its name for errors, its rule, what its moments are called. */
typedef struct {
    const char *name;
    step_rule *step;
    const char *moment[MOST_MOMENTS];
} kind;

struct wg_optimizer {
    wg_tape *tape;
    const kind *kind;
    any_options options;
    double lr;
    int n;
    wg_tensor *param, (*moment)[MOST_MOMENTS];
    wg_tensor count; /* steps done; int64, so that it is saved and loaded like the moments */
};

static int64_t *steps_of(const wg_optimizer *o)
{
    wg_node *node = wg_node_of(o->count, o->kind->name);
    return node ? node->data : NULL;
}

/* ---- The kinds --------------------------------------------------------------------------------------------------- */
static wg_status sgd_step(const wg_optimizer *o, wg_tensor param, const wg_tensor *moment, wg_tensor grad)
{
    const wg_sgd_options *with = &o->options.sgd;
    return wg_sgd_step(
        param, moment[0], grad,
        (wg_sgd_step_options){
            .lr = o->lr, .momentum = with->momentum, .weight_decay = with->weight_decay, .nesterov = with->nesterov});
}

static wg_status adam_step(const wg_optimizer *o, wg_tensor param, const wg_tensor *moment, wg_tensor grad,
                           const wg_adam_options *with, bool decoupled)
{
    double t = (double)*steps_of(o) + 1;
    return wg_adam_step(param, moment[0], moment[1], grad,
                        (wg_adam_step_options){.lr = o->lr,
                                               .beta1 = with->beta1,
                                               .beta2 = with->beta2,
                                               .eps = with->eps,
                                               .weight_decay = with->weight_decay,
                                               .decoupled = decoupled,
                                               .correction1 = -expm1(t * log(with->beta1)),
                                               .correction2 = -expm1(t * log(with->beta2))});
}

static wg_status adam_coupled(const wg_optimizer *o, wg_tensor param, const wg_tensor *moment, wg_tensor grad)
{
    return adam_step(o, param, moment, grad, &o->options.adam, false);
}

static wg_status adam_decoupled(const wg_optimizer *o, wg_tensor param, const wg_tensor *moment, wg_tensor grad)
{
    const wg_adamw_options *with = &o->options.adamw;
    wg_adam_options plain = {with->lr, with->beta1, with->beta2, with->eps, with->weight_decay};
    return adam_step(o, param, moment, grad, &plain, true);
}

static wg_status rmsprop_step(const wg_optimizer *o, wg_tensor param, const wg_tensor *moment, wg_tensor grad)
{
    const wg_rmsprop_options *with = &o->options.rmsprop;
    return wg_rmsprop_step(param, moment[0], moment[1], grad,
                           (wg_rmsprop_step_options){.lr = o->lr, .alpha = with->alpha, .eps = with->eps,
                                                     .momentum = with->momentum, .weight_decay = with->weight_decay});
}

static const kind plain_sgd = {"wg_sgd", sgd_step, {NULL, NULL}},
                  momentum_sgd = {"wg_sgd", sgd_step, {"velocity", NULL}};
static const kind adam = {"wg_adam", adam_coupled, {"m", "v"}}, adamw = {"wg_adamw", adam_decoupled, {"m", "v"}};
static const kind plain_rmsprop = {"wg_rmsprop", rmsprop_step, {"square", NULL}};
static const kind momentum_rmsprop = {"wg_rmsprop", rmsprop_step, {"square", "velocity"}};

/* ---- Making one -------------------------------------------------------------------------------------------------- */
static void optimizer_free(void *object)
{
    wg_optimizer *o = object;
    size_t n = (size_t)o->n;
    wg_tape_release(o->tape, o->param, n * sizeof *o->param);
    wg_tape_release(o->tape, o->moment, n * sizeof *o->moment);
    wg_tape_release(o->tape, o, sizeof *o);
}

/* The tape of the parameters; NULL, and the error reported, where they are not all parameters of one tape. */
static wg_tape *tape_of_params(const char *name, const wg_tensor *params, int n)
{
    wg_tape *tape = n > 0 && params ? params[0].tape : NULL;
    for (int i = 0; tape && i < n; i++) {
        if (wg_is_invalid(params[i]))
            return NULL;
        if (params[i].tape != tape || !wg_is_param(params[i])) {
            wg_report(tape, name, WG_ERROR_VALUE, "tensor %d of %d is not a parameter of this tape", i, n);
            return NULL;
        }
    }
    return tape;
}

static bool moments_made(wg_optimizer *o, int i)
{
    wg_type type = wg_type_of(o->param[i]);
    bool frozen = wg_node_is(wg_node_at(o->tape, o->param[i].node), WG_NODE_FROZEN);
    for (int k = 0; k < MOST_MOMENTS; k++) {
        char name[256];
        o->moment[i][k] = WG_NONE;
        if (!o->kind->moment[k] || frozen)
            continue;
        wg_tensor t = wg_leaf(o->tape, &type, NULL, WG_NODE_CUT, o->kind->name);
        snprintf(name, sizeof name, "optimizer.%s.%s", wg_name_of(o->param[i]), o->kind->moment[k]);
        if (!wg_is_tensor(t) || !*wg_name_of(wg_name(t, name)))
            return false;
        o->moment[i][k] = t;
    }
    return true;
}

static bool count_made(wg_optimizer *o)
{
    wg_type type = {.dtype = WG_INT64};
    o->count = wg_name(wg_leaf(o->tape, &type, NULL, WG_NODE_CUT, o->kind->name), "optimizer.steps");
    return wg_is_tensor(o->count) && *wg_name_of(o->count);
}

static wg_optimizer *optimizer_made(wg_tape *tape, const kind *what, const wg_tensor *params, int n, double lr,
                                    any_options options)
{
    if (!(lr >= 0) || isinf(lr)) {
        wg_report(tape, what->name, WG_ERROR_VALUE, "the learning rate is %g", lr);
        return NULL;
    }
    wg_optimizer *o = wg_tape_allocate(tape, sizeof *o);
    if (!o) {
        wg_no_memory(tape, what->name, sizeof *o);
        return NULL;
    }
    *o = (wg_optimizer){.tape = tape, .kind = what, .options = options, .lr = lr, .n = n};
    o->param = wg_tape_allocate(tape, (size_t)n * sizeof *o->param);
    o->moment = wg_tape_allocate(tape, (size_t)n * sizeof *o->moment);
    bool made = o->param && o->moment;
    if (!made)
        wg_no_memory(tape, what->name, (size_t)n * sizeof *o->moment);
    for (int i = 0; made && i < n; i++) {
        o->param[i] = params[i];
        made = moments_made(o, i);
    }
    if (!made || !count_made(o)) {
        optimizer_free(o);
        return NULL;
    }
    return wg_tape_own(tape, o, optimizer_free) ? NULL : o;
}

static wg_optimizer *optimizer_new(const kind *what, const wg_tensor *params, int n, double lr, any_options options)
{
    wg_tape *tape = tape_of_params(what->name, params, n);
    if (!tape)
        return NULL;
    uint32_t held = wg_hold_place(tape);
    wg_optimizer *o = optimizer_made(tape, what, params, n, lr, options);
    wg_let_go_place(tape, held);
    return o;
}

/* A coefficient in [0, below) is in order. */
static bool in_order(const wg_tensor *params, int n, const char *name, const char *option, double value, double below)
{
    if (value >= 0 && value < below)
        return true;
    if (n > 0 && params && params[0].tape)
        wg_report(params[0].tape, name, WG_ERROR_VALUE, "%s = %g is outside [0, %g)", option, value, below);
    return false;
}

wg_optimizer *(wg_sgd)(const wg_tensor *params, int n, wg_sgd_options options)
{
    if (!in_order(params, n, "wg_sgd", "momentum", options.momentum, 1) ||
        !in_order(params, n, "wg_sgd", "weight_decay", options.weight_decay, INFINITY))
        return NULL;
    return optimizer_new(options.momentum > 0 ? &momentum_sgd : &plain_sgd, params, n, options.lr,
                         (any_options){.sgd = options});
}

static bool adam_in_order(const wg_tensor *params, int n, const char *name, double beta1, double beta2, double eps,
                          double weight_decay)
{
    return in_order(params, n, name, "beta1", beta1, 1) && in_order(params, n, name, "beta2", beta2, 1) &&
           in_order(params, n, name, "eps", eps, INFINITY) &&
           in_order(params, n, name, "weight_decay", weight_decay, INFINITY);
}

wg_optimizer *(wg_adam)(const wg_tensor *params, int n, wg_adam_options options)
{
    if (!adam_in_order(params, n, "wg_adam", options.beta1, options.beta2, options.eps, options.weight_decay))
        return NULL;
    return optimizer_new(&adam, params, n, options.lr, (any_options){.adam = options});
}

wg_optimizer *(wg_adamw)(const wg_tensor *params, int n, wg_adamw_options options)
{
    if (!adam_in_order(params, n, "wg_adamw", options.beta1, options.beta2, options.eps, options.weight_decay))
        return NULL;
    return optimizer_new(&adamw, params, n, options.lr, (any_options){.adamw = options});
}

wg_optimizer *(wg_rmsprop)(const wg_tensor *params, int n, wg_rmsprop_options options)
{
    if (!in_order(params, n, "wg_rmsprop", "alpha", options.alpha, 1) ||
        !in_order(params, n, "wg_rmsprop", "momentum", options.momentum, 1) ||
        !in_order(params, n, "wg_rmsprop", "eps", options.eps, INFINITY) ||
        !in_order(params, n, "wg_rmsprop", "weight_decay", options.weight_decay, INFINITY))
        return NULL;
    return optimizer_new(options.momentum > 0 ? &momentum_rmsprop : &plain_rmsprop, params, n, options.lr,
                         (any_options){.rmsprop = options});
}

/* ---- Using one --------------------------------------------------------------------------------------------------- */
wg_optimizer *wg_here_with(wg_optimizer *o, const char *file, int line)
{
    if (o)
        wg_here(o->tape, file, line);
    return o;
}

static wg_status step(wg_optimizer *o)
{
    int64_t *steps = steps_of(o);
    if (!steps)
        return o->tape->status;
    for (int i = 0; i < o->n; i++) {
        if (!wg_has_grad(o->param[i]))
            continue;
        wg_status status = o->kind->step(o, o->param[i], o->moment[i], wg_grad_of(o->param[i]));
        if (status)
            return status;
        wg_node_at(o->tape, o->param[i].node)->extra->has_grad = false; /* the next backward writes over it */
    }
    ++*steps;
    return WG_OK;
}

wg_status (wg_step)(wg_optimizer *o)
{
    if (!o)
        return WG_ERROR_VALUE;
    uint32_t held = wg_hold_place(o->tape);
    wg_status status = o->tape->status ? o->tape->status : step(o);
    wg_let_go_place(o->tape, held);
    return status;
}

void wg_zero_grads(wg_optimizer *o)
{
    for (int i = 0; o && i < o->n; i++)
        if (wg_has_grad(o->param[i]))
            wg_zero_grad(o->param[i]);
}

wg_status (wg_set_lr)(wg_optimizer *o, double lr)
{
    if (!o)
        return WG_ERROR_VALUE;
    if (!(lr >= 0) || isinf(lr))
        return wg_report(o->tape, "wg_set_lr", WG_ERROR_VALUE, "the learning rate is %g", lr);
    o->lr = lr;
    wg_forget_place(o->tape);
    return WG_OK;
}

double wg_lr(const wg_optimizer *o) { return o ? o->lr : (double)NAN; }

int64_t wg_steps(const wg_optimizer *o)
{
    const int64_t *steps = o ? steps_of(o) : NULL;
    return steps ? *steps : 0;
}

int wg_optimizer_state(wg_optimizer *o, wg_tensor *out, int most)
{
    int n = 0;
    for (int i = 0; o && i < o->n; i++)
        for (int k = 0; k < MOST_MOMENTS; k++)
            if (wg_is_tensor(o->moment[i][k]) && n++ < most)
                out[n - 1] = o->moment[i][k];
    if (o && n++ < most)
        out[n - 1] = o->count;
    return n;
}
