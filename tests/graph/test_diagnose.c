/* Diagnosis: faults planted into training runs are found and named, one by one; healthy runs have no findings. */
#include "files.h"

#include "tools/models.h"

enum { STEPS = 30, BATCH = 64 };

static wg_tape *tape;
static wg_diagnosis *diagnosis;

static void set_up(void)
{
    tape = wg_tape_new(.seed = 7);
    diagnosis = wg_diagnosis_begin(tape);
    ck_assert_ptr_nonnull(diagnosis);
}

static void tear_down(void) { wg_tape_free(tape); }

/* ---- What is found ----------------------------------------------------------------------------------------------- */
/* The findings as they are printed; they live until the next call. */
static const char *printed(void)
{
    static char text[20000];
    FILE *file = fmemopen(text, sizeof text, "w");
    wg_diagnosis_print(diagnosis, file);
    fclose(file);
    return text;
}

static void nothing_is_found(void)
{
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
    ck_assert_msg(wg_diagnosis_findings(diagnosis, NULL) == 0, "%s", printed());
    ck_assert_msg(!strncmp(printed(), "no findings", 11), "%s", printed());
}

/* Just this fault, of that thing, with such evidence. */
static const wg_finding *is_found(wg_fault fault, const char *what, const char *evidence)
{
    const wg_finding *list;
    int n = wg_diagnosis_findings(diagnosis, &list);
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
    ck_assert_msg(n == 1 && list[0].fault == fault && !strcmp(list[0].what, what) && strstr(list[0].evidence, evidence),
                  "not \"%s: %s\" with \"%s\" alone: %s", wg_fault_name(fault), what, evidence, printed());
    ck_assert_uint_gt(strlen(list[0].advice), 10);
    return list;
}

/* ---- A run ------------------------------------------------------------------------------------------------------- */
/* Two layers over made-up points; what is wrong with it is told by the fields. */
typedef struct {
    int64_t inputs, units, classes;
    double scale, offset; /* of the inputs */
    double gain, bias;    /* of the first layer */
    int64_t labels_from;  /* the first class that occurs */
    int shift;            /* rows between samples and their labels */
    wg_tensor p[6];
    float *x;
    int64_t *y;
} run;

#define ROWS 640
#define UNRELATED 300 /* a shift so large that there is nothing to learn */

/* Class k is around a corner of its own: what there is to learn is easy. */
static void data_made(run *r)
{
    uint64_t state = 12345;
    r->x = calloc(ROWS * (size_t)r->inputs, sizeof *r->x);
    r->y = calloc(ROWS, sizeof *r->y);
    int64_t range = r->classes - r->labels_from;
    for (int64_t i = 0; i < ROWS; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        r->y[i] = r->labels_from + (int64_t)(state >> 33) % range;
    }
    for (int64_t i = 0; i < ROWS; i++)
        for (int64_t k = 0; k < r->inputs; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            double noise = (double)(state >> 33) / 0x1p31 - 0.5;
            int64_t class = r->y[(i + r->shift + ROWS) % ROWS];
            r->x[i * r->inputs + k] = (float)(r->scale * (noise + (k % r->classes == class)) + r->offset);
        }
}

static run run_made(run with)
{
    run r = with;
    r.inputs = r.inputs ? r.inputs : 10;
    r.units = r.units ? r.units : 32;
    r.classes = r.classes ? r.classes : 5;
    r.scale = r.scale != 0 ? r.scale : 1;
    r.gain = r.gain != 0 ? r.gain : 1;
    data_made(&r);
    r.p[0] = wg_param(tape, "fc1.weight", WG_SHAPE(r.inputs, r.units), .init = WG_HE_NORMAL, .gain = r.gain);
    r.p[1] = wg_param(tape, "fc1.bias", WG_SHAPE(r.units));
    r.p[2] = wg_param(tape, "fc2.weight", WG_SHAPE(r.units, r.classes), .init = WG_XAVIER_NORMAL);
    r.p[3] = wg_param(tape, "fc2.bias", WG_SHAPE(r.classes));
    wg_assign(r.p[1], wg_full(tape, WG_FLOAT32, WG_SHAPE(r.units), r.bias));
    return r;
}

static void run_freed(run *r)
{
    free(r->x);
    free(r->y);
}

static void batch_of(const run *r, int step, wg_tensor *x, wg_tensor *y)
{
    size_t at = (size_t)(step % (ROWS / BATCH)) * BATCH;
    *x = wg_name(wg_array(tape, WG_FLOAT32, WG_SHAPE(BATCH, r->inputs), r->x + at * (size_t)r->inputs), "x");
    *y = wg_name(wg_array(tape, WG_INT64, WG_SHAPE(BATCH), r->y + at), "y");
}

/* The loss of a step. */
typedef wg_tensor network(const run *r, wg_tensor x, wg_tensor y);

static wg_tensor mlp(const run *r, wg_tensor x, wg_tensor y)
{
    wg_tensor h = wg_relu(wg_linear(x, r->p[0], r->p[1]));
    return wg_cross_entropy(wg_linear(h, r->p[2], r->p[3]), y);
}

static void steps_observed(const run *r, network *net, wg_optimizer *optimizer, int steps)
{
    wg_mark start = wg_tape_mark(tape);
    for (int step = 0; step < steps; step++, wg_rewind(tape, start)) {
        wg_tensor x, y;
        batch_of(r, step, &x, &y);
        wg_tensor loss = net(r, x, y);
        wg_backward(loss);
        ck_assert_int_eq(wg_diagnose(diagnosis, loss), WG_OK);
        wg_step(optimizer);
    }
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
}

/* ---- Healthy ----------------------------------------------------------------------------------------------------- */
enum { SGD, ADAM, ADAMW, RMSPROP };

static wg_optimizer *optimizer_of(int kind, const wg_tensor *p, int n, double lr)
{
    return kind == SGD     ? wg_sgd(p, n, .lr = lr)
           : kind == ADAM  ? wg_adam(p, n, .lr = lr)
           : kind == ADAMW ? wg_adamw(p, n, .lr = lr)
                           : wg_rmsprop(p, n, .lr = lr);
}

START_TEST(healthy_run_has_no_findings)
{
    static const double lr[] = {[SGD] = 0.05, [ADAM] = 1e-2, [ADAMW] = 1e-3, [RMSPROP] = 1e-3};
    run r = run_made((run){.shift = _i < 4 ? 0 : UNRELATED});
    steps_observed(&r, mlp, optimizer_of(_i % 4, r.p, 4, lr[_i % 4]), 4 * STEPS);
    nothing_is_found();
    double first, last;
    ck_assert_int_eq(wg_diagnosis_steps(diagnosis, &first, &last), 4 * STEPS);
    ck_assert(_i >= 4 || first > last);
    run_freed(&r);
}
END_TEST

/* Those of `wengert graph`: a step over made-up data again and again. */
START_TEST(built_in_network_has_no_findings)
{
    const built_in *b = built_in_at(_i / 2);
    network_parts parts = {.tape = tape};
    if (!b)
        return;
    built_in_loss(b, &parts, 1);
    wg_optimizer *optimizer = optimizer_of(_i % 2, parts.param, parts.n, _i % 2 ? 1e-3 : 0.01);
    wg_mark start = wg_tape_mark(tape);
    for (int step = 0; step < STEPS / 2; step++, wg_rewind(tape, start)) {
        wg_tensor loss = built_in_loss(b, &parts, 4);
        wg_backward(loss);
        ck_assert_int_eq(wg_diagnose(diagnosis, loss), WG_OK);
        wg_step(optimizer);
    }
    nothing_is_found();
}
END_TEST

START_TEST(spirals_have_no_findings)
{
    wg_data *data = wg_data_spirals(tape, 1000);
    run r = run_made((run){.inputs = 2, .classes = 2});
    wg_optimizer *adam = wg_adam(r.p, 4, .lr = 5e-3);
    wg_mark start = wg_tape_mark(tape);
    wg_batch b;
    for (int step = 0; step < 100; step++, wg_rewind(tape, start)) {
        while (!wg_data_next(data, BATCH, &b))
            ;
        wg_tensor loss = mlp(&r, b.x, b.y);
        wg_backward(loss);
        wg_diagnose(diagnosis, loss);
        wg_step(adam);
    }
    nothing_is_found();
    run_freed(&r);
}
END_TEST

/* ---- Not finite -------------------------------------------------------------------------------------------------- */
static wg_tensor log_of_negative(const run *r, wg_tensor x, wg_tensor y)
{
    wg_tensor h = wg_log(wg_linear(x, r->p[0], r->p[1]));
    return wg_cross_entropy(wg_linear(h, r->p[2], r->p[3]), y);
}

/* sqrt(0) is finite, its slope is not. */
static wg_tensor root_of_zero(const run *r, wg_tensor x, wg_tensor y)
{
    wg_tensor h = wg_sqrt(wg_relu(wg_linear(x, r->p[0], r->p[1])));
    return wg_cross_entropy(wg_linear(h, r->p[2], r->p[3]), y);
}

static wg_tensor exponential(const run *r, wg_tensor x, wg_tensor y)
{
    wg_tensor h = wg_exp(wg_multiply(wg_linear(x, r->p[0], r->p[1]), 100));
    return wg_cross_entropy(wg_linear(h, r->p[2], r->p[3]), y);
}

static wg_tensor ratio(const run *r, wg_tensor x, wg_tensor y)
{
    wg_tensor h = wg_relu(wg_linear(x, r->p[0], r->p[1]));
    return wg_cross_entropy(wg_linear(wg_divide(h, wg_amax(h, .axis = 1, .keepdims = true)), r->p[2], r->p[3]),
                            y);
}

static const struct {
    network *net;
    double bias;
    const char *what, *evidence;
} not_finite[] = {
    {log_of_negative, 0, "log", "values are NaN, where x is between -"},
    {root_of_zero, 0, "sqrt", "the gradient that this hands on is not, where x is between 0 and"},
    {exponential, 0, "exp", "values are infinite, where x is between -"},
    {ratio, -100, "divide", "b is between 0 and 0 (64 zeros)"},
};

START_TEST(origin_of_what_is_not_finite_is_found)
{
    run r = run_made((run){.bias = not_finite[_i].bias});
    wg_tensor x, y;
    batch_of(&r, 0, &x, &y);
    wg_tensor loss = not_finite[_i].net(&r, x, y);
    wg_backward(loss);
    ck_assert_int_eq(wg_diagnose(diagnosis, loss), WG_OK);
    const wg_finding *f = is_found(WG_FAULT_NOT_FINITE, not_finite[_i].what, not_finite[_i].evidence);
    ck_assert_msg(strstr(f->where, "test_diagnose.c:"), "%s", printed());
    ck_assert_int_eq(f->step, 1);
    run_freed(&r);
}
END_TEST

START_TEST(missing_value_in_data_is_found)
{
    run r = run_made((run){0});
    wg_tensor x, y;
    r.x[17] = NAN;
    batch_of(&r, 0, &x, &y);
    wg_tensor loss = mlp(&r, x, y);
    wg_backward(loss);
    wg_diagnose(diagnosis, loss);
    is_found(WG_FAULT_NOT_FINITE, "x", "1 of 640 values are NaN");
    run_freed(&r);
}
END_TEST

START_TEST(origin_is_told_in_a_sentence)
{
    char text[400], short_text[10];
    ck_assert(!wg_nonfinite_text(tape, text, sizeof text));
    ck_assert_str_eq(text, "");
    wg_log(wg_name(wg_full(tape, WG_FLOAT32, WG_SHAPE(4), -1), "x"));
    ck_assert(wg_nonfinite_text(tape, text, sizeof text));
    ck_assert_msg(strstr(text, "log (") == text &&
                      strstr(text, "): all 4 values are NaN, where x is between -1 and -1"),
                  "%s", text);
    ck_assert(wg_nonfinite_text(tape, short_text, sizeof short_text));
    ck_assert_uint_eq(strlen(short_text), sizeof short_text - 1);
}
END_TEST

/* ---- Parameters -------------------------------------------------------------------------------------------------- */
static wg_tensor without_second(const run *r, wg_tensor x, wg_tensor y)
{
    return wg_cross_entropy(wg_linear(x, r->p[0], r->p[1]), y);
}

START_TEST(unused_parameters_are_found)
{
    run r = run_made((run){.units = 5});
    steps_observed(&r, without_second, wg_adam(r.p, 4), STEPS);
    is_found(WG_FAULT_UNUSED, "fc2.weight and fc2.bias", "at any step");
    run_freed(&r);
}
END_TEST

static wg_tensor stopped(const run *r, wg_tensor x, wg_tensor y)
{
    wg_tensor h = wg_stop_gradient(wg_relu(wg_linear(x, r->p[0], r->p[1])));
    return wg_cross_entropy(wg_linear(h, r->p[2], r->p[3]), y);
}

static wg_tensor not_recorded(const run *r, wg_tensor x, wg_tensor y)
{
    wg_tensor h = WG_NONE;
    WG_NO_GRAD(tape) h = wg_relu(wg_linear(x, r->p[0], r->p[1]));
    return wg_cross_entropy(wg_linear(h, r->p[2], r->p[3]), y);
}

static wg_tensor chosen(const run *r, wg_tensor x, wg_tensor y)
{
    wg_tensor best = wg_argmax(wg_linear(x, r->p[0], r->p[1]), .axis = 1);
    wg_tensor h = wg_cast(wg_one_hot(best, r->units), .dtype = WG_FLOAT32);
    return wg_cross_entropy(wg_linear(h, r->p[2], r->p[3]), y);
}

static const struct {
    network *net;
    const char *evidence;
} cuts[] = {{stopped, "stop_gradient hands no gradient on"},
            {not_recorded, "WG_NO_GRAD around relu hands no gradient on"},
            {chosen, "cast hands no gradient on"}};

START_TEST(layer_that_is_cut_off_is_found)
{
    run r = run_made((run){0});
    steps_observed(&r, cuts[_i].net, wg_adam(r.p, 4), STEPS);
    const wg_finding *f = is_found(WG_FAULT_CUT_OFF, "fc1.weight and fc1.bias", cuts[_i].evidence);
    ck_assert_msg(strstr(f->where, "test_diagnose.c:"), "%s", printed());
    run_freed(&r);
}
END_TEST

/* A way around the cut: the layer learns, and nothing is wrong. */
static wg_tensor half_stopped(const run *r, wg_tensor x, wg_tensor y)
{
    wg_tensor h = wg_relu(wg_linear(x, r->p[0], r->p[1]));
    return wg_cross_entropy(wg_linear(wg_add(h, wg_stop_gradient(h)), r->p[2], r->p[3]), y);
}

START_TEST(layer_with_another_way_to_the_loss_is_fine)
{
    run r = run_made((run){0});
    steps_observed(&r, half_stopped, wg_adam(r.p, 4, .lr = 1e-2), STEPS);
    nothing_is_found();
    run_freed(&r);
}
END_TEST

START_TEST(parameter_that_the_optimiser_has_not_is_found)
{
    run r = run_made((run){0});
    steps_observed(&r, mlp, wg_adam(r.p, 3, .lr = 1e-2), STEPS);
    is_found(WG_FAULT_NOT_MOVED, "fc2.bias", "is the same after 29 steps");
    run_freed(&r);
}
END_TEST

/* An update written by hand, which does not clear the gradients. */
START_TEST(leaked_gradient_is_found)
{
    run r = run_made((run){0});
    wg_mark start = wg_tape_mark(tape);
    for (int step = 0; step < STEPS; step++, wg_rewind(tape, start)) {
        wg_tensor x, y;
        batch_of(&r, step, &x, &y);
        wg_tensor loss = mlp(&r, x, y);
        wg_backward(loss);
        wg_diagnose(diagnosis, loss);
        WG_NO_GRAD(tape)
        for (int k = 0; k < 4; k++) {
            wg_assign(r.p[k], wg_subtract(r.p[k], wg_multiply(0.05, wg_grad_of(r.p[k]))));
            if (_i)
                wg_zero_grad(r.p[k]);
        }
    }
    if (_i)
        nothing_is_found();
    else
        is_found(WG_FAULT_LEAKED, "from earlier steps", "in 29 of 30 steps");
    run_freed(&r);
}
END_TEST

/* Meant: a step after every fourth backward pass, on the sum of the gradients. */
START_TEST(accumulated_gradient_is_fine)
{
    run r = run_made((run){0});
    wg_optimizer *sgd = wg_sgd(r.p, 4, .lr = 0.02);
    wg_mark start = wg_tape_mark(tape);
    for (int step = 0; step < 4 * STEPS; step++, wg_rewind(tape, start)) {
        wg_tensor x, y;
        batch_of(&r, step, &x, &y);
        wg_tensor loss = mlp(&r, x, y);
        wg_backward(loss);
        wg_diagnose(diagnosis, loss);
        if (step % 4 == 3)
            wg_step(sgd);
    }
    nothing_is_found();
    run_freed(&r);
}
END_TEST

/* ---- Units, gradients, rates ------------------------------------------------------------------------------------- */
START_TEST(dead_units_are_found)
{
    run r = run_made((run){.bias = -100});
    steps_observed(&r, mlp, wg_adam(r.p, 4), STEPS);
    const wg_finding *f =
        is_found(WG_FAULT_DEAD_UNITS, "relu", "32 of 32 units are 0 for all 1920 samples of 30 steps");
    ck_assert_msg(strstr(f->where, "test_diagnose.c:"), "%s", printed());
    run_freed(&r);
}
END_TEST

/* Ten layers between the two. */
static wg_tensor deep(const run *r, wg_tensor x, wg_tensor y, double gain, bool sigmoid)
{
    wg_tensor h = wg_linear(x, r->p[0], r->p[1]);
    for (int i = 0; i < 10; i++) {
        h = wg_multiply(wg_matmul(h, r->p[4]), gain);
        h = sigmoid ? wg_sigmoid(h) : wg_relu(h);
    }
    return wg_cross_entropy(wg_linear(h, r->p[2], r->p[3]), y);
}

static wg_tensor fading(const run *r, wg_tensor x, wg_tensor y) { return deep(r, x, y, 0.3, true); }
static wg_tensor growing(const run *r, wg_tensor x, wg_tensor y) { return deep(r, x, y, 6, false); }

static void middle_made(run *r) { r->p[4] = wg_param(tape, "mid", WG_SHAPE(32, 32), .init = WG_HE_NORMAL); }

START_TEST(vanishing_gradient_is_found)
{
    run r = run_made((run){0});
    middle_made(&r);
    steps_observed(&r, fading, wg_adam(r.p, 5), STEPS);
    is_found(WG_FAULT_VANISHING, "fc1.weight", "|gradient| / |parameter| is down to");
    run_freed(&r);
}
END_TEST

START_TEST(exploding_gradient_is_found)
{
    run r = run_made((run){0});
    middle_made(&r);
    steps_observed(&r, growing, wg_sgd(r.p, 5, .lr = 1e-14), STEPS);
    is_found(WG_FAULT_EXPLODING, "gradients", "the loss is ");
    run_freed(&r);
}
END_TEST

START_TEST(learning_rate_that_is_too_high_is_found)
{
    static const double lr[] = {[SGD] = 30, [ADAM] = 30, [ADAMW] = 30, [RMSPROP] = 3};
    run r = run_made((run){.shift = UNRELATED});
    steps_observed(&r, mlp, optimizer_of(_i, r.p, 4, lr[_i]), STEPS);
    const wg_finding *list;
    int n = wg_diagnosis_findings(diagnosis, &list), of_rate = 0;
    for (int i = 0; i < n; i++) {
        of_rate += list[i].fault == WG_FAULT_RATE;
        ck_assert_msg(list[i].fault == WG_FAULT_RATE || list[i].fault == WG_FAULT_DEAD_UNITS ||
                          list[i].fault == WG_FAULT_NOT_FINITE,
                      "%s", printed());
    }
    ck_assert_msg(of_rate == 1, "%s", printed());
    run_freed(&r);
}
END_TEST

/* ---- Data -------------------------------------------------------------------------------------------------------- */
START_TEST(inputs_far_from_one_are_found)
{
    static const run scales[] = {{.scale = 255}, {.scale = 1, .offset = 2000}, {.scale = 1e-3}};
    static const char *const with[] = {"root mean square is ", "values from 2000 to 2002", "root mean square is 0.000"};
    run r = run_made(scales[_i]);
    steps_observed(&r, mlp, wg_adam(r.p, 4), STEPS);
    is_found(WG_FAULT_INPUTS, "x", with[_i]);
    run_freed(&r);
}
END_TEST

static wg_tensor normalised(const run *r, wg_tensor x, wg_tensor y)
{
    return mlp(r, wg_divide(wg_subtract(x, 2000), 255), y);
}

/* In the graph, too. */
START_TEST(inputs_that_are_normalised_are_fine)
{
    run r = run_made((run){.scale = 255, .offset = 2000});
    steps_observed(&r, normalised, wg_adam(r.p, 4, .lr = 1e-2), STEPS);
    nothing_is_found();
    run_freed(&r);
}
END_TEST

static wg_tensor fitted(const run *r, wg_tensor x, wg_tensor y)
{
    wg_tensor target = wg_name(wg_multiply(wg_cast(y, .dtype = WG_FLOAT32), 1000), "price");
    wg_tensor h = wg_relu(wg_linear(x, r->p[0], r->p[1]));
    return wg_mse_loss(wg_sum(wg_linear(h, r->p[2], r->p[3]), .axis = 1), target);
}

START_TEST(targets_far_from_one_are_found)
{
    run r = run_made((run){0});
    steps_observed(&r, fitted, wg_adam(r.p, 4), STEPS);
    is_found(WG_FAULT_INPUTS, "price", "values from 0 to 4000");
    run_freed(&r);
}
END_TEST

START_TEST(labels_that_count_from_one_are_found)
{
    run r = run_made((run){.classes = 6, .labels_from = 1});
    steps_observed(&r, mlp, wg_adam(r.p, 4, .lr = 1e-2), STEPS);
    is_found(WG_FAULT_LABELS, "y", "class 0 is in none of ");
    run_freed(&r);
}
END_TEST

START_TEST(labels_of_the_neighbouring_sample_are_found)
{
    run r = run_made((run){.shift = _i ? 1 : -1});
    if (_i < 2) {
        steps_observed(&r, mlp, wg_adam(r.p, 4, .lr = 1e-3), STEPS);
    } else {
        wg_tensor x = wg_name(wg_array(tape, WG_FLOAT32, WG_SHAPE(ROWS, r.inputs), r.x), "x");
        wg_diagnose_data(diagnosis, x, wg_name(wg_array(tape, WG_INT64, WG_SHAPE(ROWS), r.y), "y"));
    }
    is_found(WG_FAULT_LABELS, "y",
             _i ? "by the label of the sample behind it" : "by the label of the sample before it");
    run_freed(&r);
}
END_TEST

static wg_tensor next_word(const run *r, wg_tensor x, wg_tensor y)
{
    (void)x;
    return wg_cross_entropy(wg_linear(wg_embedding(r->p[4], y), r->p[2], r->p[3]), y);
}

START_TEST(targets_that_repeat_the_input_are_found)
{
    run r = run_made((run){0});
    r.p[0] = r.p[4] = wg_param(tape, "words", WG_SHAPE(5, 32), .init = WG_LECUN_NORMAL);
    wg_diagnosis *all = diagnosis;
    steps_observed(&r, next_word, wg_adam(r.p + 2, 3), STEPS);
    const wg_finding *list;
    ck_assert_int_gt(wg_diagnosis_findings(all, &list), 0);
    ck_assert_int_eq(list[0].fault, WG_FAULT_LABELS);
    ck_assert_msg(strstr(list[0].evidence, "512 of 512 targets are the word"), "%s", printed());
    run_freed(&r);
}
END_TEST

/* ---- Logs -------------------------------------------------------------------------------------------------------- */
static const struct {
    double train[6], valid[6];
    int fault; /* -1: none */
    int64_t epoch;
} logs[] = {
    {{3, 2, 1, 0.9, 0.8, 0.7}, {3, 2, 1.5, 1.2, 1.1, 1.1}, -1, 0},
    {{3, 2, 1, 0.5, 0.2, 0.1}, {3, 2, 1.5, 1.6, 1.9, 2.2}, WG_FAULT_OVERFITTING, 3},
    {{3, 3, 3.1, 3, 3.2, 3}, {3, 3.1, 3, 3.1, 3, 3}, WG_FAULT_NOT_LEARNING, 6},
    {{3, 2, 1, (double)NAN, (double)NAN, (double)NAN}, {3, 2, 1, 1, 1, 1}, WG_FAULT_NOT_FINITE, 4},
};

START_TEST(log_is_read)
{
    wg_curve curve = {.n = 6, .train_loss = logs[_i].train, .valid_loss = logs[_i].valid};
    const wg_finding *list;
    ck_assert_int_eq(wg_diagnose_curve(diagnosis, &curve), WG_OK);
    int n = wg_diagnosis_findings(diagnosis, &list);
    ck_assert_msg(n == (logs[_i].fault >= 0), "%s", printed());
    if (n) {
        ck_assert_msg((int)list[0].fault == logs[_i].fault, "%s", printed());
        ck_assert_int_eq(list[0].step, logs[_i].epoch);
    }
}
END_TEST

/* ---- Text -------------------------------------------------------------------------------------------------------- */
/* ---- In the drawing ---------------------------------------------------------------------------------------------- */
static const struct {
    run run;
    network *net;
    const char *node, *caption; /* NULL: of the whole step, no node is marked */
    int marked;
} pictures[] = {
    {{.bias = -100}, mlp, "<B>relu</B></FONT><BR/><FONT COLOR=\"#c2004d\" POINT-SIZE=\"10\">dead units</FONT>",
     "dead units: relu (", 1},
    {{0}, stopped, ">cut off</FONT></TD></TR></TABLE>", "cut off: fc1.weight and fc1.bias (", 1},
    {{0}, fading, ">gradient fades</FONT>", "vanishing: fc1.weight", 1},
    {{.scale = 300}, mlp, ">scale far from 1</FONT>", "inputs: x (", 1},
    {{.labels_from = 1}, mlp, ">wrong labels</FONT>", "labels: y", 1},
    {{.units = 5}, without_second, NULL, "unused parameter: fc2.weight and fc2.bias", 0},
    {{0}, growing, NULL, "exploding: gradients", 0},
    {{0}, mlp, NULL, "diagnosis: no findings", 0},
};

START_TEST(what_is_found_is_marked_in_the_drawing)
{
    static char dot[1 << 17], again[1 << 17];
    run r = run_made(pictures[_i].run);
    bool grows = pictures[_i].net == growing, has_middle = grows || pictures[_i].net == fading;
    if (has_middle)
        middle_made(&r);
    int n = has_middle ? 5 : 4;
    steps_observed(&r, pictures[_i].net, grows ? wg_sgd(r.p, n, .lr = 1e-14) : wg_adam(r.p, n), STEPS);
    wg_tensor x, y;
    batch_of(&r, 0, &x, &y);
    wg_tensor loss = pictures[_i].net(&r, x, y);
    folder_make();
    ck_assert_int_eq(wg_draw(loss, in_folder("d.dot"), .diagnosis = diagnosis), WG_OK);
    ck_assert_int_eq(wg_draw(loss, in_folder("d.json"), .diagnosis = diagnosis), WG_OK);
    ck_assert_int_eq(wg_redraw(tape, in_folder("d.json"), in_folder("again.dot")), WG_OK);
    FILE *file = fopen(in_folder("d.dot"), "rb"), *second = fopen(in_folder("again.dot"), "rb");
    dot[fread(dot, 1, sizeof dot - 1, file)] = again[fread(again, 1, sizeof again - 1, second)] = 0;
    fclose(file);
    fclose(second);
    folder_remove();
    int marked = 0, marked_again = 0;
    for (const char *at = dot; (at = strstr(at, "class=\"bad\"")); at++)
        marked++;
    for (const char *at = again; (at = strstr(at, "class=\"bad\"")); at++)
        marked_again++;
    ck_assert_msg(!pictures[_i].node || strstr(dot, pictures[_i].node), "%.3000s", strstr(dot, "label="));
    ck_assert_msg(strstr(dot, pictures[_i].caption) != NULL, "%.3000s", strstr(dot, "label="));
    ck_assert_msg(marked >= pictures[_i].marked && !marked == !pictures[_i].marked, "%d nodes", marked);
    ck_assert_int_eq(marked_again, marked);
    run_freed(&r);
}
END_TEST

START_TEST(text_fits_a_terminal)
{
    run r = run_made((run){.scale = 255, .bias = -1e5});
    steps_observed(&r, without_second, wg_adam(r.p, 1), STEPS);
    const char *text = printed();
    ck_assert_int_gt(wg_diagnosis_findings(diagnosis, NULL), 1);
    for (const char *at = text, *end; *at; at = end + 1) {
        end = strchr(at, '\n');
        ck_assert_int_le(end - at, 80);
        ck_assert_msg(end == at || end[-1] != ' ', "%.80s", at);
    }
    run_freed(&r);
}
END_TEST

START_TEST(wrong_calls_are_errors)
{
    wg_tape *other = wg_tape_new();
    wg_tensor x = wg_full(tape, WG_FLOAT32, WG_SHAPE(3), 1);
    ck_assert_int_eq(wg_diagnose(diagnosis, x), WG_ERROR_VALUE);
    ck_assert_msg(strstr(wg_error(tape), "test_diagnose.c:"), "%s", wg_error(tape));
    wg_clear_error(tape);
    ck_assert_int_eq(wg_diagnose(diagnosis, wg_scalar(other, 1)), WG_ERROR_VALUE);
    wg_clear_error(tape);
    ck_assert_int_eq(wg_diagnose(NULL, x), WG_OK);
    ck_assert_int_eq(wg_diagnose_curve(diagnosis, NULL), WG_ERROR_VALUE);
    ck_assert_int_eq(wg_diagnosis_findings(NULL, NULL), 0);
    ck_assert_int_eq(wg_diagnosis_steps(NULL, NULL, NULL), 0);
    wg_diagnosis_print(NULL, stdout);
    ck_assert_ptr_null(wg_diagnosis_begin(NULL));
    ck_assert_ptr_null(wg_diagnosis_begin(tape));
    ck_assert_str_eq(wg_fault_name((wg_fault)99), "?");
    wg_tape_free(other);
}
END_TEST

static void observe_a_step(wg_tape *on)
{
    tape = on;
    diagnosis = wg_diagnosis_begin(on);
    run r = run_made((run){.bias = -100});
    wg_tensor x, y;
    batch_of(&r, 0, &x, &y);
    wg_tensor loss = stopped(&r, x, y);
    wg_backward(loss);
    wg_diagnose(diagnosis, loss);
    wg_diagnosis_findings(diagnosis, NULL);
    run_freed(&r);
}

START_TEST(no_memory_is_an_error) { fail_each_allocation(observe_a_step); }
END_TEST

int main(void)
{
    Suite *s = suite_create("diagnose");
    TCase *runs = tcase_create("runs"), *memory = tcase_create("memory");
    tcase_add_checked_fixture(runs, set_up, tear_down);
    tcase_add_loop_test(runs, healthy_run_has_no_findings, 0, 8);
    tcase_add_loop_test(runs, built_in_network_has_no_findings, 0, 10);
    tcase_add_test(runs, spirals_have_no_findings);
    tcase_add_loop_test(runs, origin_of_what_is_not_finite_is_found, 0, COUNT(not_finite));
    tcase_add_test(runs, missing_value_in_data_is_found);
    tcase_add_test(runs, origin_is_told_in_a_sentence);
    tcase_add_test(runs, unused_parameters_are_found);
    tcase_add_loop_test(runs, layer_that_is_cut_off_is_found, 0, COUNT(cuts));
    tcase_add_test(runs, layer_with_another_way_to_the_loss_is_fine);
    tcase_add_test(runs, parameter_that_the_optimiser_has_not_is_found);
    tcase_add_loop_test(runs, leaked_gradient_is_found, 0, 2);
    tcase_add_test(runs, accumulated_gradient_is_fine);
    tcase_add_test(runs, dead_units_are_found);
    tcase_add_test(runs, vanishing_gradient_is_found);
    tcase_add_test(runs, exploding_gradient_is_found);
    tcase_add_loop_test(runs, learning_rate_that_is_too_high_is_found, 0, 4);
    tcase_add_loop_test(runs, inputs_far_from_one_are_found, 0, 3);
    tcase_add_test(runs, inputs_that_are_normalised_are_fine);
    tcase_add_test(runs, targets_far_from_one_are_found);
    tcase_add_test(runs, labels_that_count_from_one_are_found);
    tcase_add_loop_test(runs, labels_of_the_neighbouring_sample_are_found, 0, 3);
    tcase_add_test(runs, targets_that_repeat_the_input_are_found);
    tcase_add_loop_test(runs, log_is_read, 0, COUNT(logs));
    tcase_add_test(runs, text_fits_a_terminal);
    tcase_add_loop_test(runs, what_is_found_is_marked_in_the_drawing, 0, COUNT(pictures));
    tcase_add_test(runs, wrong_calls_are_errors);
    tcase_add_test(memory, no_memory_is_an_error);
    suite_add_tcase(s, runs);
    suite_add_tcase(s, memory);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
