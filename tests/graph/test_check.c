/* The tester tested: right gradients pass with every seed, wrong ones are caught and named, and nothing passes by
 * accident. */
#include <check.h>
#include <stdlib.h>
#include <time.h>

#include <wengert.h>
#include <wengert/map.h>

#include <wengert_check.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static wg_tape *tape;

static void set_up(void) { tape = wg_tape_new(); }
static void tear_down(void) { wg_tape_free(tape); }

/* Around 0, from a seed. */
static wg_tensor drawn(wg_shape shape, wg_dtype dtype, uint64_t seed)
{
    wg_type type = wg_type_make(dtype, shape);
    double v[64];
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int64_t i = 0; i < wg_type_count(&type); i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        v[i] = (double)(state >> 40) / 0x1p23 - 1;
    }
    wg_tensor wide = wg_array(tape, WG_FLOAT64, shape, v);
    return dtype == WG_FLOAT64 ? wide : wg_cast(wide, .dtype = dtype);
}

/* The report as it is printed. */
static const char *printed(const wg_check_report *report)
{
    static char text[8192];
    FILE *file = fmemopen(text, sizeof text, "w");
    ck_assert_ptr_nonnull(file);
    wg_check_print(report, file);
    fclose(file);
    return text;
}

/* ---- What is right passes ---------------------------------------------------------------------------------------- */
static wg_tensor perceptron(const wg_tensor *x, void *user)
{
    (void)user;
    return wg_log_softmax(wg_matmul(wg_tanh(wg_add(wg_matmul(x[0], x[1]), x[2])), wg_matrix_transpose(x[1])));
}

static wg_tensor smooth_chain(const wg_tensor *x, void *user)
{
    (void)user;
    wg_tensor a = wg_exp(wg_sin(wg_multiply(x[0], x[0])));
    return wg_divide(wg_softplus(wg_sum(a, .axis = 0)), wg_add(1, wg_square(wg_sum(x[2]))));
}

static wg_tensor far_from_one(const wg_tensor *x, void *user)
{
    (void)user;
    return wg_multiply(1e9, wg_logsumexp(wg_multiply(x[0], 1e-6), .axis = 1));
}

static wg_tensor cancelling(const wg_tensor *x, void *user)
{
    (void)user;
    return wg_subtract(wg_add(1000, wg_multiply(x[0], 1e-3)), wg_square(wg_sum(x[1])));
}

static wg_check_function *const right[] = {perceptron, smooth_chain, far_from_one, cancelling};
static const int inputs_of[COUNT(right)][3] = {{0, 1, 2}, {0, 2, -1}, {0, -1, -1}, {0, 1, -1}};

/* Function i of the inputs it uses alone. */
static wg_tensor of_its_own(const wg_tensor *x, void *user)
{
    const int *i = user;
    wg_tensor all[3] = {WG_NONE, WG_NONE, WG_NONE};
    for (int k = 0; k < 3 && inputs_of[*i][k] >= 0; k++)
        all[inputs_of[*i][k]] = x[k];
    return right[*i](all, NULL);
}

START_TEST(right_gradients_pass_with_every_seed)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        wg_mark start = wg_tape_mark(tape);
        wg_tensor all[] = {drawn(WG_SHAPE(3, 4), WG_FLOAT64, seed), drawn(WG_SHAPE(4, 5), WG_FLOAT64, seed + 1000),
                           drawn(WG_SHAPE(5), WG_FLOAT64, seed + 2000)};
        wg_tensor x[3];
        int n = 0;
        for (; n < 3 && inputs_of[_i][n] >= 0; n++)
            x[n] = all[inputs_of[_i][n]];
        wg_check_report report = wg_check_grad(of_its_own, x, n, .user = &(int){_i}, .seed = seed);
        ck_assert_msg(!report.failed, "seed %d: %s", (int)seed, printed(&report));
        wg_check_report few = wg_check_grad(of_its_own, x, n, .user = &(int){_i}, .seed = seed, .directions = 3);
        ck_assert_msg(!few.failed, "seed %d, directions: %s", (int)seed, printed(&few));
        wg_rewind(tape, start);
    }
}
END_TEST

START_TEST(right_float32_gradients_pass_with_every_seed)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        wg_mark start = wg_tape_mark(tape);
        wg_tensor x[] = {drawn(WG_SHAPE(3, 4), WG_FLOAT32, seed), drawn(WG_SHAPE(4, 5), WG_FLOAT32, seed + 1000),
                         drawn(WG_SHAPE(5), WG_FLOAT32, seed + 2000)};
        wg_check_report report = wg_check_grad(perceptron, x, 3, .seed = seed);
        ck_assert_msg(!report.failed, "seed %d: %s", (int)seed, printed(&report));
        wg_rewind(tape, start);
    }
}
END_TEST

static wg_tensor kinked(const wg_tensor *x, void *user)
{
    (void)user;
    return wg_add(wg_relu(x[0]), wg_maximum(wg_abs(x[0]), wg_multiply(x[0], 0.5)));
}

START_TEST(a_kink_passes_with_a_slope_between)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(3), ((double[]){-1, 0, 2}));
    wg_check_report report = wg_check_grad(kinked, &x, 1);
    ck_assert_msg(!report.failed, "%s", printed(&report));
}
END_TEST

/* ---- What it costs ----------------------------------------------------------------------------------------------- */
static int evaluations;

static wg_tensor counted(const wg_tensor *x, void *user)
{
    (void)user;
    evaluations++;
    return wg_mean(wg_square(wg_tanh(x[0])));
}

/* More elements than 65536: 4 directions, each of them by Ridders' method. */
START_TEST(many_parameters_take_few_evaluations)
{
    static double v[90000];
    for (int i = 0; i < COUNT(v); i++)
        v[i] = sin(i);
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(300, 300), v);
    wg_check_report report = wg_check_grad(counted, &x, 1);
    ck_assert_msg(!report.failed, "%s", printed(&report));
    ck_assert(report.input[0].directions && report.input[0].checked == 4);
    ck_assert_msg(evaluations <= 4 * 100, "%d", evaluations);
    report = wg_check_grad(counted, &x, 1, .directions = 9);
    ck_assert_int_eq(report.input[0].checked, 9);
}
END_TEST

/* ---- What is wrong is caught and named --------------------------------------------------------------------------- */
WG_MAP1(wrong_sign, sin(x), -cos(x))
WG_MAP1(twice, sin(x), 2 * cos(x))
WG_MAP1(slightly, sin(x), K(1.001) * cos(x))
WG_MAP1(not_a_number, sin(x), cos(x) + log(K(-1)))
WG_MAP1(zeros, sin(x), x - x)
WG_MAP1(bend, x > 0 ? x : 0, x > 0 ? K(1) : x == 0 ? K(0.3) : K(0))
WG_MAP1(kink, x > 0 ? x : 0, x > 0 ? K(1) : x == 0 ? K(2) : K(0))

#define MAPPED(name_)                                                                                                  \
    {                                                                                                                  \
        .name = #name_, .doc = "sin(x), planted", .in = {{"x", 0}}, .map = &name_##_map, .saves = "x",                 \
    }

/* y = x + b, [n, m] and [m], whose rules for b are wrong in their own ways. */
static wg_status rows_type(wg_call *c)
{
    c->y[0] = c->x[0];
    return WG_OK;
}
static wg_status rows_run(const wg_call *c)
{
    const double *x = c->from[0], *b = c->from[1];
    int64_t n = wg_type_count(&c->x[0]), m = wg_type_count(&c->x[1]);
    for (int64_t i = 0; i < n; i++)
        ((double *)c->to[0])[i] = x[i] + b[i % m];
    return WG_OK;
}
static wg_tensor rows_dx(const wg_call *c, wg_tensor g)
{
    (void)c;
    return g;
}
static wg_tensor first_row(const wg_call *c, wg_tensor g)
{
    (void)c;
    return wg_select(g, 0, 0);
}
static wg_tensor mean_of_rows(const wg_call *c, wg_tensor g)
{
    (void)c;
    return wg_mean(g, .axis = 0);
}

static wg_tensor turned(const wg_call *c, wg_tensor g)
{
    return wg_reshape(wg_matrix_transpose(g), wg_type_shape(&c->x[0]));
}

#define ROWS(name_, ...)                                                                                               \
    {                                                                                                                  \
        .name = name_, .doc = "x + b, planted", .in = {{"x", 0}, {"b", 0}}, .type = rows_type, .run = rows_run,        \
        .vjp = {rows_dx, __VA_ARGS__}, .saves = "",                                                                    \
    }

#define TURNED                                                                                                         \
    {                                                                                                                  \
        .name = "turned", .doc = "x + b, planted", .in = {{"x", 0}, {"b", 0}}, .type = rows_type, .run = rows_run,     \
        .vjp = {turned, mean_of_rows}, .saves = "",                                                                    \
    }

static const struct {
    wg_op op;
    const char *says; /* somewhere in the printed report */
} planted[] = {
    {MAPPED(wrong_sign), "the sign is wrong"},
    {MAPPED(twice), "a term counted twice, or a missing 1/2"},
    {MAPPED(twice), "numeric by double-double replay; Ridders' method agrees ("},
    {MAPPED(twice), "all are off by one factor"},
    {MAPPED(slightly), "ratio 1.001"},
    {MAPPED(not_a_number), "the derivative is not finite"},
    {MAPPED(zeros), "nothing comes back along this path"},
    {TURNED, "they are those of the transposed matrix"},
    {ROWS("dropped_rows", first_row), "by more than their errors"},
    {ROWS("dropped_rows", first_row), "it is broadcast: is its cotangent summed over the axes that it has not?"},
    {ROWS("mean_of_rows", mean_of_rows), "ratio 0.333333"},
    {ROWS("never_written", NULL), "no path of derivatives"},
};

/* The planted operation amid right ones. */
static wg_tensor spoiled(const wg_tensor *x, void *user)
{
    const wg_op *op = user;
    wg_tensor in[] = {wg_multiply(x[0], 0.5), wg_tanh(x[1])};
    wg_tensor y = wg_at(wg_record(op, NULL, in, op->map ? 1 : 2), "model.c", 88);
    return wg_exp(wg_multiply(0.3, op->map ? wg_add(y, in[1]) : y));
}

START_TEST(a_wrong_derivative_is_caught_and_named_with_every_seed)
{
    for (uint64_t seed = 1; seed <= 25; seed++) {
        wg_mark start = wg_tape_mark(tape);
        wg_tensor x[] = {drawn(WG_SHAPE(3, 4), WG_FLOAT64, seed), drawn(WG_SHAPE(4), WG_FLOAT64, seed + 1000)};
        wg_check_report report = wg_check_grad(spoiled, x, 2, .user = (void *)(uintptr_t)&planted[_i].op, .seed = seed);
        const char *text = printed(&report);
        char named[64];
        snprintf(named, sizeof named, "%s (model.c:88)", planted[_i].op.name);
        ck_assert_msg(report.failed, "%s passed: %s", planted[_i].op.name, text);
        ck_assert_msg(strstr(text, named), "no \"%s\" in: %s", named, text);
        ck_assert_msg(seed > 1 || strstr(text, planted[_i].says), "no \"%s\" in: %s", planted[_i].says, text);
        wg_rewind(tape, start);
    }
}
END_TEST

/* ---- float32 ----------------------------------------------------------------------------------------------------- */
/* Its values are sorted, and half of them are the same: zeros of the rectifier. */
static wg_tensor single_model(const wg_tensor *x, void *user)
{
    wg_tensor h = wg_relu(wg_linear(x[0], x[1], WG_NONE));
    h = wg_dropout(wg_cast(wg_cast(h, .dtype = WG_FLOAT64), .dtype = WG_FLOAT32), .p = 0.2, .seed = 5);
    h = user ? wg_at(wg_record(user, NULL, &h, 1), "model.c", 88) : wg_sin(h);
    return wg_sum(wg_sort(wg_square(h), .axis = 0), .axis = 1);
}

/* More parameters than 65536, whose derivatives are far below the function's float32 rounding. */
START_TEST(many_float32_parameters_end_in_a_verdict)
{
    static double v[90000], data[2400];
    for (int i = 0; i < COUNT(v); i++)
        v[i] = sin(3 * i) / 10;
    for (int i = 0; i < COUNT(data); i++)
        data[i] = cos(i);
    wg_tensor x[] = {wg_cast(wg_array(tape, WG_FLOAT64, WG_SHAPE(8, 300), data), .dtype = WG_FLOAT32),
                     wg_cast(wg_array(tape, WG_FLOAT64, WG_SHAPE(300, 300), v), .dtype = WG_FLOAT32)};
    wg_check_report report = wg_check_grad(single_model, x, 2);
    ck_assert_msg(!report.failed && report.input[1].checked == 4, "%s", printed(&report));
    report = wg_check_grad(single_model, x, 2, .user = (void *)(uintptr_t)&planted[4].op);
    const char *text = printed(&report);
    ck_assert_msg(report.failed && report.input[1].verdict == WG_CHECK_FAILED, "%s", text);
    ck_assert_msg(strstr(text, "first wrong operation on the way back: slightly (model.c:88)"), "%s", text);
}
END_TEST

/* ---- Derivatives against each other ------------------------------------------------------------------------------ */
/* y = a b, element by element, its rules as graph code, and in other ways. */
static wg_status times_run(const wg_call *c)
{
    for (int64_t i = 0, n = wg_type_count(&c->x[0]); i < n; i++)
        ((double *)c->to[0])[i] = ((const double *)c->from[0])[i] * ((const double *)c->from[1])[i];
    return WG_OK;
}
static wg_tensor times_da(const wg_call *c, wg_tensor g) { return wg_multiply(g, c->in[1]); }
static wg_tensor times_db(const wg_call *c, wg_tensor g) { return wg_multiply(g, c->in[0]); }
static wg_tensor times_db_frozen(const wg_call *c, wg_tensor g) { return wg_multiply(g, wg_stop_gradient(c->in[0])); }
static wg_tensor times_push(const wg_call *c)
{
    wg_tensor a = wg_is_none(c->t[0]) ? WG_NONE : wg_multiply(c->t[0], c->in[1]);
    wg_tensor b = wg_is_none(c->t[1]) ? WG_NONE : wg_multiply(c->t[1], c->in[0]);
    return wg_is_none(a) ? b : wg_is_none(b) ? a : wg_add(a, b);
}
static wg_tensor times_push_subtracted(const wg_call *c)
{
    wg_tensor a = wg_is_none(c->t[0]) ? wg_multiply(0, c->out[0]) : wg_multiply(c->t[0], c->in[1]);
    return wg_is_none(c->t[1]) ? a : wg_subtract(a, wg_multiply(c->t[1], c->in[0]));
}

#define TIMES(name_, db, jvp_)                                                                                         \
    {                                                                                                                  \
        .name = name_, .doc = "a b, planted", .in = {{"a", 0}, {"b", 0}}, .type = wg_type_as_first, .run = times_run,  \
        .vjp = {times_da, db}, .jvp = jvp_, .saves = "a b",                                                            \
    }

static const struct {
    wg_op op;
    wg_verdict transpose, symmetry;
    const char *says;
} products[] = {
    {TIMES("sound", times_db, times_push), WG_CHECK_PASSED, WG_CHECK_PASSED,
     "gradient check passed: 2 of 2 inputs hold"},
    {TIMES("subtracted", times_db, times_push_subtracted), WG_CHECK_FAILED, WG_CHECK_FAILED,
     "subtracted (model.c:88): its jvp is not the transpose of its vjp"},
    {TIMES("frozen", times_db_frozen, times_push), WG_CHECK_PASSED, WG_CHECK_FAILED,
     "frozen (model.c:88): its second derivative is not symmetric"},
    {TIMES("backward_only", times_db, NULL), WG_CHECK_UNCHECKED, WG_CHECK_PASSED,
     "not compared, <u, J v> = <J' u, v>: model.c:88: backward_only: it has no forward derivative"},
};

static wg_tensor product_in_the_middle(const wg_tensor *x, void *user)
{
    const wg_op *op = user;
    wg_tensor in[] = {wg_sin(x[0]), wg_exp(x[1])};
    return wg_tanh(wg_at(wg_record(op, NULL, in, 2), "model.c", 88));
}

START_TEST(derivatives_are_checked_against_each_other)
{
    for (uint64_t seed = 1; seed <= 25; seed++) {
        wg_mark start = wg_tape_mark(tape);
        wg_tensor x[] = {drawn(WG_SHAPE(3, 4), WG_FLOAT64, seed), drawn(WG_SHAPE(3, 4), WG_FLOAT64, seed + 1000)};
        void *op = (void *)(uintptr_t)&products[_i].op;
        bool wrong = products[_i].transpose == WG_CHECK_FAILED || products[_i].symmetry == WG_CHECK_FAILED;
        wg_check_report report = wg_check_grad(product_in_the_middle, x, 2, .user = op, .seed = seed);
        const char *text = printed(&report);
        ck_assert_msg(report.failed == wrong, "%s", text);
        ck_assert_msg(report.transpose.verdict == products[_i].transpose, "%s", text);
        ck_assert_msg(report.symmetry.verdict == products[_i].symmetry, "%s", text);
        ck_assert_msg(strstr(text, products[_i].says), "no \"%s\" in: %s", products[_i].says, text);
        report = wg_check_grad(product_in_the_middle, x, 2, .user = op, .seed = seed, .gradient_only = true);
        ck_assert_msg(!report.failed, "%s", printed(&report));
        ck_assert_int_eq(report.transpose.verdict, WG_CHECK_UNCHECKED);
        ck_assert(!wg_failed(tape));
        wg_rewind(tape, start);
    }
}
END_TEST

/* ---- A model of 200 operations ----------------------------------------------------------------------------------- */
#define LAYERS 50

/* Four operations a layer; one of them has a factor too much. */
static wg_tensor deep(const wg_tensor *x, void *user)
{
    const int *spoiled_layer = user;
    wg_tensor h = x[0];
    for (int i = 0; i < LAYERS; i++) {
        h = wg_add(wg_matmul(h, x[1]), x[2]);
        h = i == *spoiled_layer ? wg_at(wg_record(&planted[1].op, NULL, &h, 1), "deep.c", 31) : wg_sin(h);
        h = wg_multiply(h, 1.1);
    }
    return h;
}

START_TEST(a_wrong_factor_in_200_operations_is_named_in_two_seconds)
{
    wg_tensor x[] = {drawn(WG_SHAPE(2, 4), WG_FLOAT64, 1), drawn(WG_SHAPE(4, 4), WG_FLOAT64, 2),
                     drawn(WG_SHAPE(4), WG_FLOAT64, 3)};
    struct timespec from, to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    wg_check_report report = wg_check_grad(deep, x, 3, .user = &(int){17});
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    double seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    ck_assert(report.failed);
    ck_assert_msg(strstr(report.blame, "twice (deep.c:31)"), "%s", printed(&report));
    ck_assert_msg(seconds < 2 || getenv("WENGERT_SANITIZED"), "%g seconds", seconds);
    wg_check_report sound = wg_check_grad(deep, x, 3, .user = &(int){-1});
    ck_assert_msg(!sound.failed, "%s", printed(&sound));
}
END_TEST

START_TEST(a_failing_input_is_shrunk)
{
    wg_tensor x[] = {drawn(WG_SHAPE(2), WG_FLOAT64, 1), drawn(WG_SHAPE(2), WG_FLOAT64, 2)};
    wg_check_report report = wg_check_grad(spoiled, x, 2, .user = (void *)(uintptr_t)&planted[1].op, .shrink = true);
    ck_assert(report.failed);
    ck_assert_str_eq(report.smaller, "input 0 = [0, 0], input 1 = [0, 0]");
    ck_assert_ptr_nonnull(strstr(printed(&report), "it fails too at input 0 = [0, 0]"));
}
END_TEST

static const wg_op kink_op = MAPPED(kink);
static wg_tensor at_the_kink(const wg_tensor *x, void *user)
{
    (void)user;
    return wg_record(&kink_op, NULL, x, 1);
}

START_TEST(a_slope_outside_the_one_sided_ones_fails_at_a_kink)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(1), ((double[]){0}));
    wg_check_report report = wg_check_grad(at_the_kink, &x, 1);
    ck_assert(report.failed);
    ck_assert_ptr_nonnull(strstr(printed(&report), "one-sided slopes"));
}
END_TEST

/* A kink of the library's, between sound ones or a wrong one: x and x / 2 are equal at 0, and share the slope. */
static const wg_op bend_op = MAPPED(bend);
static wg_tensor tied(const wg_tensor *x, void *user)
{
    wg_tensor a = user ? wg_record(user, NULL, x, 1) : wg_sin(x[0]);
    return wg_maximum(a, wg_multiply(a, 0.5));
}
static wg_tensor bent(const wg_tensor *x, void *user)
{
    (void)user;
    return wg_record(&bend_op, NULL, x, 1);
}

START_TEST(at_a_kink_an_operation_of_the_library_is_held_to_what_it_states)
{
    wg_dtype dtype = _i ? WG_FLOAT32 : WG_FLOAT64;
    wg_tensor x = wg_cast(wg_array(tape, WG_FLOAT64, WG_SHAPE(3), ((double[]){-1, 0, 2})), .dtype = dtype);
    wg_check_report report = wg_check_grad(tied, &x, 1);
    const char *text = printed(&report);
    ck_assert_msg(!report.failed && report.input[0].kinks == 1 && report.input[0].stated == 1, "%s", text);
    ck_assert_msg(strstr(text, "1 at a kink, held to what maximum states"), "%s", text);
    report = wg_check_grad(tied, &x, 1, .user = (void *)(uintptr_t)&planted[4].op);
    ck_assert_msg(report.failed && report.input[0].wrong == 3, "%s", printed(&report));
    report = wg_check_grad(bent, &x, 1);
    text = printed(&report);
    ck_assert_msg(!report.failed && report.input[0].kinks == 1 && report.input[0].stated == 0, "%s", text);
    ck_assert_msg(strstr(text, "1 at a kink, between the one-sided slopes"), "%s", text);
}
END_TEST

/* Half of the elements are at a kink; a direction moves all of them, each with a weight of its own. */
static wg_tensor many_kinks(const wg_tensor *x, void *user)
{
    wg_tensor a = user ? wg_record(user, NULL, x, 1) : x[0];
    return wg_multiply(wg_sin(wg_add(x[0], 1)), wg_maximum(a, wg_multiply(a, 0.5)));
}

START_TEST(a_direction_through_many_kinks_is_checked)
{
    double v[200];
    for (int i = 0; i < 200; i++)
        v[i] = i % 2 ? sin(i) : 0;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        wg_mark start = wg_tape_mark(tape);
        wg_tensor x = wg_cast(wg_array(tape, WG_FLOAT64, WG_SHAPE(200), v), .dtype = _i ? WG_FLOAT32 : WG_FLOAT64);
        wg_check_report report = wg_check_grad(many_kinks, &x, 1, .seed = seed);
        ck_assert_msg(!report.failed && report.input[0].stated == 64, "%s", printed(&report));
        report = wg_check_grad(many_kinks, &x, 1, .seed = seed, .user = (void *)(uintptr_t)&planted[4].op);
        ck_assert_msg(wg_check_grad(many_kinks, &x, 1, .seed = seed, .user = (void *)(uintptr_t)&planted[4].op).failed,
                      "%s", printed(&report));
        wg_rewind(tape, start);
    }
}
END_TEST

/* ---- Nothing passes by accident ---------------------------------------------------------------------------------- */
static wg_tensor first_alone(const wg_tensor *x, void *user)
{
    (void)user;
    return wg_sin(x[0]);
}

START_TEST(an_input_that_no_path_reaches_is_no_success)
{
    wg_tensor x[] = {drawn(WG_SHAPE(3), WG_FLOAT64, 1), drawn(WG_SHAPE(2), WG_FLOAT64, 2)};
    wg_check_report report = wg_check_grad(first_alone, x, 2);
    ck_assert(report.failed);
    ck_assert_int_eq(report.input[0].verdict, WG_CHECK_PASSED);
    ck_assert_int_eq(report.input[1].verdict, WG_CHECK_UNCHECKED);
}
END_TEST

static wg_tensor by_value(const wg_tensor *x, void *user)
{
    (void)user;
    return wg_multiply(wg_sin(x[0]), wg_element(x[0], 0));
}

START_TEST(a_value_taken_out_of_the_graph_is_suspected)
{
    wg_tensor x = drawn(WG_SHAPE(3), WG_FLOAT64, 1);
    wg_check_report report = wg_check_grad(by_value, &x, 1);
    ck_assert(report.failed);
    ck_assert_str_eq(report.blame, "");
    ck_assert_ptr_nonnull(strstr(printed(&report), "taken out of the graph"));
}
END_TEST

static wg_tensor out_of_domain(const wg_tensor *x, void *user)
{
    (void)user;
    return wg_log(x[0]);
}

START_TEST(a_function_that_is_not_finite_is_no_success)
{
    wg_tensor x = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), ((double[]){-1, 2}));
    wg_check_report report = wg_check_grad(out_of_domain, &x, 1);
    ck_assert(report.failed);
}
END_TEST

/* Two knots that a step would exchange: the function refuses them. */
static wg_tensor between_knots(const wg_tensor *x, void *user)
{
    (void)user;
    return wg_interp(x[0], x[1], wg_exp(x[1]));
}

START_TEST(a_step_out_of_the_domain_is_made_shorter)
{
    wg_tensor x[] = {wg_scalar(tape, 0.15), wg_array(tape, WG_FLOAT64, WG_SHAPE(3), ((double[]){0.1, 0.101, 0.3}))};
    wg_check_report report = wg_check_grad(between_knots, x, 2);
    ck_assert_msg(!report.failed, "%s", printed(&report));
    ck_assert(!wg_failed(tape));
}
END_TEST

static wg_tensor in_error(const wg_tensor *x, void *user)
{
    (void)user;
    return wg_matmul(x[0], x[0]);
}

START_TEST(what_cannot_be_checked_says_why)
{
    wg_tensor x = drawn(WG_SHAPE(2, 3), WG_FLOAT64, 1), none = WG_NONE;
    wg_tensor indices = wg_full(tape, WG_INT64, WG_SHAPE(2), 0), empty = wg_full(tape, WG_FLOAT64, WG_SHAPE(0), 0);
    wg_check_report report = wg_check_grad(in_error, &x, 1);
    ck_assert(report.failed);
    ck_assert_ptr_nonnull(strstr(report.message, "inner dimensions differ"));
    ck_assert(!wg_failed(tape));
    ck_assert(wg_check_grad(first_alone, &none, 1).failed);
    ck_assert(wg_check_grad(first_alone, &indices, 1).failed);
    ck_assert(wg_check_grad(first_alone, &empty, 1).failed);
    ck_assert(wg_check_grad(first_alone, &x, 0).failed);
    ck_assert(wg_check_grad(NULL, &x, 1).failed);
    ck_assert(!wg_failed(tape));
}
END_TEST

START_TEST(the_tape_is_left_as_it_was)
{
    wg_tensor x = drawn(WG_SHAPE(3), WG_FLOAT64, 1);
    size_t nodes = wg_tape_nodes(tape), used = wg_tape_used_bytes(tape);
    wg_check_grad(first_alone, &x, 1);
    wg_check_grad(spoiled, ((wg_tensor[]){x, x}), 2, .user = (void *)(uintptr_t)&planted[0].op);
    ck_assert_uint_eq(wg_tape_nodes(tape), nodes);
    ck_assert_uint_eq(wg_tape_used_bytes(tape), used);
}
END_TEST

/* ---- Would the check have noticed? ------------------------------------------------------------------------------- */
static wg_tensor half_dead(const wg_tensor *x, void *user)
{
    (void)user;
    return wg_add(wg_sin(x[0]), wg_at((wg_relu)(wg_subtract(x[0], 5)), "model.c", 12));
}

static const char *mutants_printed(const wg_check_mutants_report *report)
{
    static char text[8192];
    FILE *file = fmemopen(text, sizeof text, "w");
    ck_assert_ptr_nonnull(file);
    wg_check_mutants_print(report, file);
    fclose(file);
    return text;
}

static void mutants_said(const wg_check_mutants_report *report, const char *says)
{
    ck_assert_msg(strstr(mutants_printed(report), says), "no \"%s\" in: %s", says, mutants_printed(report));
}

START_TEST(every_mutant_of_a_function_is_noticed)
{
    wg_tensor x[] = {drawn(WG_SHAPE(3, 4), WG_FLOAT64, 1), drawn(WG_SHAPE(4, 5), WG_FLOAT64, 2),
                     drawn(WG_SHAPE(5), WG_FLOAT64, 3)};
    size_t nodes = wg_tape_nodes(tape), used = wg_tape_used_bytes(tape);
    wg_check_mutants_report report = wg_check_mutants(perceptron, x, 3);
    mutants_said(&report, "of 6 operations");
    ck_assert_msg(report.mutants > 40 && report.noticed == report.mutants, "%s", mutants_printed(&report));
    ck_assert_int_eq(report.unseen, 0);
    ck_assert_uint_eq(wg_tape_nodes(tape), nodes);
    ck_assert_uint_eq(wg_tape_used_bytes(tape), used);
}
END_TEST

START_TEST(mutants_of_numbers_are_noticed_too)
{
    wg_tensor x = wg_scalar(tape, 0.3);
    wg_check_mutants_report report = wg_check_mutants(first_alone, &x, 1);
    ck_assert_msg(report.mutants == 5 && report.noticed == 5, "%s", mutants_printed(&report));
}
END_TEST

START_TEST(mutants_of_an_operation_of_the_users_are_noticed)
{
    wg_tensor x[] = {drawn(WG_SHAPE(3, 4), WG_FLOAT64, 1), drawn(WG_SHAPE(3, 4), WG_FLOAT64, 2)};
    void *op = (void *)(uintptr_t)&products[0].op;
    wg_check_mutants_report report = wg_check_mutants(product_in_the_middle, x, 2, .user = op);
    ck_assert_msg(report.operations == 4 && report.mutants == 25 && report.noticed == 25, "%s",
                  mutants_printed(&report));
}
END_TEST

START_TEST(what_a_check_does_not_notice_is_listed)
{
    wg_tensor x = drawn(WG_SHAPE(3), WG_FLOAT64, 1);
    wg_check_mutants_report report = wg_check_mutants(half_dead, &x, 1);
    ck_assert_msg(report.unseen == 3 && report.noticed == report.mutants, "%s", mutants_printed(&report));
    mutants_said(&report, "relu (model.c:12), by `x`: its derivative does not matter at these inputs");
    report = wg_check_mutants(first_alone, &x, 1, .rtol = 1e-2, .gradient_only = true);
    ck_assert_int_eq(report.mutants - report.noticed, 2);
    mutants_said(&report, "by `x`: times 1.001");
    report = wg_check_mutants(by_value, &x, 1);
    mutants_said(&report, "mutants could not be made: the check fails without any");
    report = wg_check_mutants(NULL, &x, 1);
    mutants_said(&report, "there is nothing to check");
}
END_TEST

/* ---- One line in a unit test ------------------------------------------------------------------------------------- */
START_TEST(one_line_passes)
{
    wg_tensor x = drawn(WG_SHAPE(3), WG_FLOAT64, 1);
    WG_CHECK(first_alone, &x, 1);
    WG_CHECK(first_alone, &x, 1, .exhaustive = true, .rtol = 1e-8);
}
END_TEST

/* ---- Functions outside Wengert ----------------------------------------------------------------------------------- */
/* Rosenbrock's; `user` is a factor of the second derivative by hand. */
static double rosenbrock(const double *x, size_t n, void *user)
{
    (void)n, (void)user;
    return pow(1 - x[0], 2) + 100 * pow(x[1] - x[0] * x[0], 2);
}
static void its_gradient(const double *x, size_t n, double *g, void *user)
{
    (void)n;
    g[0] = -2 * (1 - x[0]) - 400 * x[0] * (x[1] - x[0] * x[0]);
    if (*(double *)user != 0)
        g[1] = *(double *)user * 200 * (x[1] - x[0] * x[0]);
}
static double both(unsigned n, const double *x, double *g, void *user)
{
    if (g)
        its_gradient(x, n, g, user);
    return rosenbrock(x, n, user);
}

START_TEST(a_gradient_by_hand_is_checked)
{
    static const double x[] = {-1.2, 1}, factors[] = {1, 2, 1.0001, 0};
    for (int i = 0; i < COUNT(factors); i++) {
        double factor = factors[i];
        wg_check_report report = wg_check_foreign(rosenbrock, its_gradient, x, 2, .user = &factor);
        ck_assert_msg(report.failed == (i > 0), "%s", printed(&report));
        ck_assert(wg_check_nlopt(both, x, 2, .user = &factor).failed == (i > 0));
    }
    WG_CHECK_NLOPT(both, x, 2, .user = &(double){1});
    WG_CHECK_FOREIGN(rosenbrock, its_gradient, x, 2, .user = &(double){1});
    ck_assert(wg_check_foreign(rosenbrock, NULL, x, 2).failed);
    ck_assert(wg_check_nlopt(both, NULL, 2).failed);
}
END_TEST

/* ---- Ridders ----------------------------------------------------------------------------------------------------- */
static double logarithm(double x, void *user)
{
    (void)user;
    return log(x);
}
static double cubic(double x, void *user)
{
    (void)user;
    return x * x * x;
}

START_TEST(ridders_knows_its_own_error)
{
    double error, step, slope = wg_ridders(logarithm, NULL, 2, 0.5, &error, &step);
    ck_assert(fabs(slope - 0.5) <= 4 * error && error < 1e-11);
    slope = wg_ridders(cubic, NULL, 100, 10, &error, &step);
    ck_assert(fabs(slope - 3e4) <= 4 * error && error < 1e-6);
    slope = wg_ridders(logarithm, NULL, -1, 0.5, &error, &step);
    ck_assert(isnan(slope) && isinf(error));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gradient check");
    TCase *cases = tcase_create("check");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, right_gradients_pass_with_every_seed, 0, COUNT(right));
    tcase_add_test(cases, right_float32_gradients_pass_with_every_seed);
    tcase_add_test(cases, many_parameters_take_few_evaluations);
    tcase_add_test(cases, a_kink_passes_with_a_slope_between);
    tcase_add_loop_test(cases, a_wrong_derivative_is_caught_and_named_with_every_seed, 0, COUNT(planted));
    tcase_add_loop_test(cases, derivatives_are_checked_against_each_other, 0, COUNT(products));
    tcase_add_test(cases, every_mutant_of_a_function_is_noticed);
    tcase_add_test(cases, mutants_of_numbers_are_noticed_too);
    tcase_add_test(cases, mutants_of_an_operation_of_the_users_are_noticed);
    tcase_add_test(cases, what_a_check_does_not_notice_is_listed);
    tcase_add_test(cases, a_wrong_factor_in_200_operations_is_named_in_two_seconds);
    tcase_add_test(cases, a_failing_input_is_shrunk);
    tcase_add_test(cases, a_slope_outside_the_one_sided_ones_fails_at_a_kink);
    tcase_add_loop_test(cases, at_a_kink_an_operation_of_the_library_is_held_to_what_it_states, 0, 2);
    tcase_add_loop_test(cases, a_direction_through_many_kinks_is_checked, 0, 2);
    tcase_add_test(cases, many_float32_parameters_end_in_a_verdict);
    tcase_add_test(cases, an_input_that_no_path_reaches_is_no_success);
    tcase_add_test(cases, a_value_taken_out_of_the_graph_is_suspected);
    tcase_add_test(cases, a_function_that_is_not_finite_is_no_success);
    tcase_add_test(cases, a_step_out_of_the_domain_is_made_shorter);
    tcase_add_test(cases, what_cannot_be_checked_says_why);
    tcase_add_test(cases, the_tape_is_left_as_it_was);
    tcase_add_test(cases, one_line_passes);
    tcase_add_test(cases, a_gradient_by_hand_is_checked);
    tcase_add_test(cases, ridders_knows_its_own_error);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
