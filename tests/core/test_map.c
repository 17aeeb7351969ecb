/* Elementwise entries: the type of what broadcasts, values and slopes of dense, broadcast and strided operands against
 * a plain loop, accuracy of vector and remainder elements, and the same bits with any number of threads. */
#include "core/tape.h"

#include "wengert/map.h"

#include <check.h>
#include <stdlib.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

typedef struct {
    double beta;
} bent_options;

WG_MAP1(wave, tanh(x), 4 * sigmoid(2 * x) * sigmoid(-2 * x))
WG_MAP1_OPTIONS(bent, bent_options, x > 0 ? x : K(o->beta) * x, x > 0 ? 1 : K(o->beta))
WG_MAP2(ratio, a / b, 1 / b, -y / b)
WG_MAP3(blend, a + c * (b - a), 1 - c, c, b - a)
WG_MAP_COMPARE(below, a < b)
WG_MAP1(root, sqrt(x), 1 / (2 * y))
static const wg_op wave_op = {.name = "wave", .in = {{"x", 0}}, .map = &wave_map};
static const wg_op ratio_op = {.name = "ratio", .in = {{"a", 0}, {"b", 0}}, .map = &ratio_map};
static const wg_op blend_op = {.name = "blend", .in = {{"a", 0}, {"b", 0}, {"c", 0}}, .map = &blend_map};
static const wg_op below_op = {.name = "below", .in = {{"a", WG_ANY}, {"b", WG_ANY}}, .map = &below_map};
static const wg_op root_op = {.name = "root", .in = {{"x", 0}}, .map = &root_map};

static wg_tape *tape;
static void begin(void) { tape = wg_tape_new(); }
static void end(void) { wg_tape_free(tape); }

/* ---- Types ----------------------------------------------------------------------------------------------------- */
static const struct {
    wg_shape a, b, y;
} shapes[] = {
    {{0}, {0}, {0}},
    {{{2, 3}, 2}, {0}, {{2, 3}, 2}},
    {{{3}, 1}, {{2, 3}, 2}, {{2, 3}, 2}},
    {{{2, 1}, 2}, {{1, 3}, 2}, {{2, 3}, 2}},
    {{{0, 3}, 2}, {{1, 3}, 2}, {{0, 3}, 2}},
    {{{1}, 1}, {{0}, 1}, {{0}, 1}},
    {{{5, 1, 2}, 3}, {{4, 2}, 2}, {{5, 4, 2}, 3}},
};
START_TEST(shapes_broadcast_right_aligned)
{
    wg_type x[2] = {wg_type_make(WG_FLOAT32, shapes[_i].a), wg_type_make(WG_FLOAT32, shapes[_i].b)}, y;
    wg_type expected = wg_type_make(WG_FLOAT32, shapes[_i].y), truth = wg_type_make(WG_BOOL, shapes[_i].y);
    wg_call c = {.tape = tape, .op = &ratio_op, .n_in = 2, .x = x, .y = &y, .dtype = WG_FLOAT32};
    ck_assert_int_eq(wg_map_type(&c), WG_OK);
    ck_assert(wg_type_equal(&y, &expected));
    c.op = &below_op;
    ck_assert_int_eq(wg_map_type(&c), WG_OK);
    ck_assert(wg_type_equal(&y, &truth));
}
END_TEST

START_TEST(what_does_not_broadcast_is_named)
{
    wg_tensor in[3] = {wg_array(tape, WG_FLOAT32, WG_SHAPE(2, 1), NULL),
                       wg_array(tape, WG_FLOAT32, WG_SHAPE(1, 3), NULL),
                       wg_array(tape, WG_FLOAT32, WG_SHAPE(2, 4), NULL)};
    wg_type x[3] = {wg_type_of(in[0]), wg_type_of(in[1]), wg_type_of(in[2])}, y;
    wg_call c = {.tape = tape, .op = &blend_op, .n_in = 3, .in = in, .x = x, .y = &y, .dtype = WG_FLOAT32};
    ck_assert_int_eq(wg_map_type(&c), WG_ERROR_SHAPE);
    ck_assert_msg(strstr(wg_error(tape), "shapes do not broadcast: [1, 3] (b) and [2, 4] (c)"), "%s", wg_error(tape));
    wg_clear_error(tape);
    ck_assert_int_eq(wg_broadcast_shapes(&c, &x[1], &x[2], &y), WG_ERROR_SHAPE);
    ck_assert_msg(strstr(wg_error(tape), "shapes do not broadcast: [1, 3] and [2, 4]"), "%s", wg_error(tape));
}
END_TEST

START_TEST(a_dtype_without_kernel_is_refused)
{
    wg_tensor in = wg_array(tape, WG_INT32, WG_SHAPE(2), NULL);
    wg_type x = wg_type_of(in), y;
    wg_call c = {.tape = tape, .op = &wave_op, .n_in = 1, .in = &in, .x = &x, .y = &y, .dtype = WG_INT32};
    ck_assert_int_eq(wg_map_type(&c), WG_ERROR_DTYPE);
    ck_assert(strstr(wg_error(tape), "int32"));
}
END_TEST

/* ---- Values and slopes ----------------------------------------------------------------------------------------- */
/* Three operands a, b, c of a shape, with strides of their own or none, seen as [d0, d1, d2]. */
static const struct {
    wg_shape shape[3];
    bool transposed[3]; /* the last two axes lie the other way round */
    wg_shape y;
} layouts[] = {
    {{{0}, {0}, {0}}, {0}, {0}},
    {{{{7}, 1}, {{7}, 1}, {{7}, 1}}, {0}, {{7}, 1}},
    {{{{40000}, 1}, {{40000}, 1}, {{40000}, 1}}, {0}, {{40000}, 1}},
    {{{{300, 70}, 2}, {{70}, 1}, {0}}, {0}, {{300, 70}, 2}},
    {{{{300, 70}, 2}, {{300, 1}, 2}, {{1, 70}, 2}}, {true, false, false}, {{300, 70}, 2}},
    {{{{5, 60, 70}, 3}, {{1, 60, 70}, 3}, {{5, 60, 1}, 3}}, {false, true, true}, {{5, 60, 70}, 3}},
    {{{{0, 3}, 2}, {{3}, 1}, {0}}, {0}, {{0, 3}, 2}},
    {{{{1, 1}, 2}, {{1}, 1}, {0}}, {true, false, false}, {{1, 1}, 2}},
};

typedef struct {
    wg_type x[3], y;
    int64_t stride[3][WG_MAX_RANK];
    const int64_t *strides[3];
    double *data[3], *to, *g, *pulled[3];
    const void *from[3];
    void *out[1];
    wg_call c;
} example;

static double *filled(int64_t n, uint64_t stream)
{
    double *x = calloc((size_t)n + 1, sizeof *x);
    wg_fill_uniform(tape, wg_type_make(WG_FLOAT64, WG_SHAPE(n)), x, stream, 1, 2);
    return x;
}

static example *example_new(wg_tape *on, int which)
{
    example *e = calloc(1, sizeof *e);
    e->y = wg_type_make(WG_FLOAT64, layouts[which].y);
    size_t count = (size_t)wg_type_count(&e->y);
    for (int i = 0; i < 3; i++) {
        wg_type *x = &e->x[i];
        *x = wg_type_make(WG_FLOAT64, layouts[which].shape[i]);
        e->from[i] = e->data[i] = filled(wg_type_count(x), (uint64_t)i);
        e->pulled[i] = calloc(count + 1, sizeof(double));
        if (!layouts[which].transposed[i])
            continue;
        int rank = x->rank;
        e->stride[i][rank - 2] = 1;
        e->stride[i][rank - 1] = x->dim[rank - 2];
        if (rank == 3)
            e->stride[i][0] = x->dim[1] * x->dim[2];
        e->strides[i] = e->stride[i];
    }
    e->out[0] = e->to = calloc(count + 1, sizeof(double));
    e->g = filled((int64_t)count, 9);
    if (count > 2)
        e->g[2] = 0;
    e->c = (wg_call){.tape = on, .op = &blend_op, .n_in = 3, .n_out = 1, .x = e->x, .stride = e->strides,
                     .from = e->from, .y = &e->y, .to = e->out, .dtype = WG_FLOAT64};
    ck_assert_int_eq(wg_map_run(&e->c), WG_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(wg_map_pull(&e->c, i, e->g, e->pulled[i]), WG_OK);
    return e;
}

static void example_free(example *e)
{
    for (int i = 0; i < 3; i++) {
        free(e->data[i]);
        free(e->pulled[i]);
    }
    free(e->to);
    free(e->g);
    free(e);
}

/* Operand i where the result has its element k. */
static double operand_at(const example *e, int i, int64_t k)
{
    int64_t stride[WG_MAX_RANK], offset = 0;
    wg_broadcast_strides(&e->x[i], e->strides[i], &e->y, stride);
    for (int d = e->y.rank; d-- > 0; k /= e->y.dim[d])
        offset += k % e->y.dim[d] * stride[d];
    return e->data[i][offset];
}

START_TEST(operands_are_read_as_they_lie)
{
    example *e = example_new(tape, _i);
    for (int64_t k = 0, n = wg_type_count(&e->y); k < n; k++) {
        double a = operand_at(e, 0, k), b = operand_at(e, 1, k), c = operand_at(e, 2, k), g = e->g[k];
        ck_assert_double_eq_tol(e->to[k], a + c * (b - a), 1e-15);
        ck_assert_double_eq_tol(e->pulled[0][k], g * (1 - c), 1e-15);
        ck_assert_double_eq_tol(e->pulled[1][k], g * c, 1e-15);
        ck_assert_double_eq_tol(e->pulled[2][k], g * (b - a), 1e-15);
    }
    example_free(e);
}
END_TEST

START_TEST(threads_change_no_bit)
{
    wg_tape *several = wg_tape_new(.threads = 3);
    example *one = example_new(tape, _i), *three = example_new(several, _i);
    size_t bytes = (size_t)wg_type_count(&one->y) * sizeof(double);
    ck_assert(!memcmp(one->to, three->to, bytes));
    for (int i = 0; i < 3; i++)
        ck_assert(!memcmp(one->pulled[i], three->pulled[i], bytes));
    example_free(one);
    example_free(three);
    wg_tape_free(several);
}
END_TEST

START_TEST(a_zero_cotangent_stays_zero)
{
    double x[3] = {0, 0, 4}, y[3] = {0, 0, 2}, g[3] = {0, 1, 1}, pulled[3];
    wg_type type = wg_type_make(WG_FLOAT64, WG_SHAPE(3));
    const void *from[1] = {x};
    void *to[1] = {y};
    wg_call c = {.tape = tape, .op = &root_op, .n_in = 1, .n_out = 1, .x = &type, .from = from, .y = &type, .to = to,
                 .dtype = WG_FLOAT64};
    ck_assert_int_eq(wg_map_pull(&c, 0, g, pulled), WG_OK);
    ck_assert(pulled[0] == 0 && isinf(pulled[1]) && pulled[2] == 0.25);
}
END_TEST

START_TEST(comparisons_take_every_dtype)
{
    wg_dtype dtype = (wg_dtype)_i;
    unsigned char a[5 * 8], b[5 * 8];
    bool y[5];
    for (size_t i = 0; i < 5; i++) {
        wg_store_number(dtype, (double)(i % 2), a + i * wg_dtype_size(dtype));
        wg_store_number(dtype, 1, b + i * wg_dtype_size(dtype));
    }
    wg_type x[2] = {wg_type_make(dtype, WG_SHAPE(5)), wg_type_make(dtype, WG_SHAPE(5))}, type;
    const void *from[2] = {a, b};
    void *to[1] = {y};
    wg_tensor in[2] = {WG_NONE, WG_NONE};
    wg_call c = {.tape = tape, .op = &below_op, .n_in = 2, .n_out = 1, .in = in, .x = x, .from = from, .y = &type,
                 .to = to};
    ck_assert_int_eq(wg_map_type(&c), WG_OK);
    ck_assert_int_eq(wg_map_run(&c), WG_OK);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(y[i], i % 2 == 0);
    ck_assert_int_eq(wg_map_pull(&c, 0, a, b), WG_ERROR_UNSUPPORTED);
}
END_TEST

/* ---- Kernels --------------------------------------------------------------------------------------------------- */
static const struct {
    double x, y, slope;
} bends[] = {{2, 2, 1}, {0, 0, 0.25}, {-4, -1, 0.25}};
START_TEST(options_reach_the_kernel)
{
    bent_options options = {0.25};
    float x = (float)bends[_i].x, y, g = 1, pulled;
    const void *from[3] = {&x, &y, &g};
    bent_map.run[WG_FLOAT32](1, &y, from, &options);
    bent_map.pull[0][WG_FLOAT32](1, &pulled, from, &options);
    ck_assert(y == (float)bends[_i].y && pulled == (float)bends[_i].slope);
}
END_TEST

/* Both the vector elements and the few that are left over, against the scalar function. */
START_TEST(vector_and_remainder_agree_to_a_few_ulp)
{
    enum { MOST = 67 };
    for (int64_t n = 1; n <= MOST; n++) {
        double x[MOST], y[MOST];
        float fx[MOST], fy[MOST];
        for (int64_t i = 0; i < n; i++)
            fx[i] = (float)(x[i] = (double)(i - 30) * 0.31);
        wave_map.run[WG_FLOAT64](n, y, (const void *const[]){x}, NULL);
        wave_map.run[WG_FLOAT32](n, fy, (const void *const[]){fx}, NULL);
        for (int64_t i = 0; i < n; i++) {
            ck_assert_double_le(fabs(y[i] - tanh(x[i])), 4 * 0x1p-52 * fabs(tanh(x[i])));
            ck_assert_double_le(fabs((double)fy[i] - tanh((double)fx[i])), 4 * 0x1p-23 * fabs(tanh(x[i])));
        }
    }
}
END_TEST

START_TEST(helpers_are_right_at_the_edge)
{
    ck_assert(sigmoid(-1000.0) == 0 && sigmoid(1000.0) == 1 && sigmoid(0.0f) == 0.5f);
    ck_assert_double_eq_tol(sigmoid(-700.0) / exp(-700.0), 1, 1e-15);
    ck_assert(log1pexp(1000.0) == 1000 && log1pexp(-1000.0) == 0);
    ck_assert_double_eq_tol(log1pexp(-50.0) / exp(-50.0), 1, 1e-15);
    ck_assert(sign(-3.0) == -1 && sign(0.0) == 0 && isnan(sign((double)NAN)));
    ck_assert(square(-3.0f) == 9 && reciprocal(4.0) == 0.25 && abs(-2.5) == 2.5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("map");
    TCase *types = tcase_create("types"), *values = tcase_create("values"), *kernels = tcase_create("kernels");
    tcase_add_checked_fixture(types, begin, end);
    tcase_add_loop_test(types, shapes_broadcast_right_aligned, 0, COUNT(shapes));
    tcase_add_test(types, what_does_not_broadcast_is_named);
    tcase_add_test(types, a_dtype_without_kernel_is_refused);
    tcase_add_checked_fixture(values, begin, end);
    tcase_add_loop_test(values, operands_are_read_as_they_lie, 0, COUNT(layouts));
    tcase_add_loop_test(values, threads_change_no_bit, 0, COUNT(layouts));
    tcase_add_test(values, a_zero_cotangent_stays_zero);
    tcase_add_loop_test(values, comparisons_take_every_dtype, 0, WG_BOOL + 1);
    tcase_add_loop_test(kernels, options_reach_the_kernel, 0, COUNT(bends));
    tcase_add_test(kernels, vector_and_remainder_agree_to_a_few_ulp);
    tcase_add_test(kernels, helpers_are_right_at_the_edge);
    suite_add_tcase(suite, types);
    suite_add_tcase(suite, values);
    suite_add_tcase(suite, kernels);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
