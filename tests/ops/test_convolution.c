/* Convolutions large enough for the back end: float32 against float64, which has loops of its own, with one thread and
 * with three, and the shapes that a back end keeps at a time. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <wengert.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef struct {
    const char *op;
    wg_shape x, w;
    wg_conv3d_options options; /* of fewer axes: the first ones */
} convolution;

static const convolution convolutions[] = {
    {"conv1d", {{4, 16, 700}, 3}, {{32, 16, 9}, 3}, {.stride = {1}, .padding = {4}, .dilation = {1}, .groups = 1}},
    {"conv2d", {{6, 16, 24, 20}, 4}, {{32, 16, 3, 3}, 4}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"conv2d", {{7, 3, 41, 40}, 4}, {{40, 3, 5, 4}, 4}, {{2, 1}, {2, 0}, {1, 1}, 1}},
    {"conv2d", {{3, 32, 33, 30}, 4}, {{48, 16, 3, 3}, 4}, {{1, 1}, {0, 2}, {2, 1}, 2}},
    {"conv2d", {{8, 64, 48, 48}, 4}, {{64, 1, 3, 3}, 4}, {{1, 1}, {1, 1}, {1, 1}, 64}},
    {"conv2d", {{4, 48, 32, 32}, 4}, {{64, 48, 1, 1}, 4}, {{1, 1}, {0, 0}, {1, 1}, 1}},
    {"conv3d", {{2, 8, 10, 11, 12}, 5}, {{24, 8, 3, 3, 3}, 5}, {{1, 1, 1}, {1, 0, 1}, {1, 1, 1}, 1}},
    {"conv_transpose2d", {{4, 32, 20, 20}, 4}, {{32, 16, 4, 4}, 4}, {{2, 2}, {1, 1}, {1, 1}, 1}},
};

static wg_tensor applied(const convolution *k, wg_tensor x, wg_tensor w, wg_tensor b)
{
    const wg_conv3d_options *o = &k->options;
    if (!strcmp(k->op, "conv1d"))
        return wg_conv1d(x, w, b, .stride = {o->stride[0]}, .padding = {o->padding[0]}, .groups = o->groups);
    if (!strcmp(k->op, "conv3d"))
        return (wg_conv3d)(x, w, b, *o);
    if (!strcmp(k->op, "conv_transpose2d"))
        return wg_conv_transpose2d(x, w, b, .stride = {o->stride[0], o->stride[1]},
                                   .padding = {o->padding[0], o->padding[1]});
    return wg_conv2d(x, w, b, .stride = {o->stride[0], o->stride[1]}, .padding = {o->padding[0], o->padding[1]},
                     .dilation = {o->dilation[0], o->dilation[1]}, .groups = o->groups);
}

static wg_tensor filled(wg_tape *tape, wg_dtype dtype, wg_shape shape, unsigned seed)
{
    int64_t n = 1;
    for (int i = 0; i < shape.rank; i++)
        n *= shape.dim[i];
    double *wide = malloc((size_t)n * sizeof *wide);
    float *narrow = malloc((size_t)n * sizeof *narrow);
    for (int64_t i = 0; i < n; i++) {
        narrow[i] = (float)(((unsigned)i * 2654435761u + seed) >> 8) / (1 << 23) - 1; /* exact */
        wide[i] = (double)narrow[i];
    }
    wg_tensor t = wg_array(tape, dtype, shape, dtype == WG_FLOAT32 ? (void *)narrow : wide);
    free(wide);
    free(narrow);
    return t;
}

/* The value, and its derivatives with respect to x, w and b along cotangents of 1 and -1. */
static void derived(wg_tape *tape, const convolution *k, wg_dtype dtype, wg_tensor to[4])
{
    bool transposed = !strcmp(k->op, "conv_transpose2d");
    wg_tensor in[] = {filled(tape, dtype, k->x, 1), filled(tape, dtype, k->w, 7),
                      filled(tape, dtype, WG_SHAPE(k->w.dim[transposed]), 3)};
    to[0] = applied(k, in[0], in[1], in[2]);
    wg_tensor cotangent = wg_sign(filled(tape, dtype, wg_shape_of(to[0]), 5));
    wg_vjp(to, &cotangent, 1, in, 3, to + 1);
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
}

START_TEST(large_convolutions_are_those_of_float64)
{
    const convolution *k = &convolutions[_i];
    wg_tape *narrow = wg_tape_new(), *wide = wg_tape_new();
    wg_tensor y[4], z[4];
    derived(narrow, k, WG_FLOAT32, y);
    derived(wide, k, WG_FLOAT64, z);
    const wg_type results = wg_type_of(strcmp(k->op, "conv_transpose2d") ? z[0] : z[1]);
    double places = (double)wg_type_count(&results) / (double)results.dim[1];
    double products = (double)wg_size(z[2]) * places;
    for (int i = 0; i < 4; i++) {
        double off = 0, terms = (i < 3 ? products : (double)wg_size(z[0])) / (double)wg_size(z[i]);
        for (int64_t j = 0; j < wg_size(z[i]); j++)
            off = fmax(off, fabs(wg_element(y[i], j) - wg_element(z[i], j)));
        ck_assert_int_eq(wg_size(y[i]), wg_size(z[i]));
        ck_assert_msg(off < 1e-6 * terms, "%s, result %d: off by %g in a sum of %g terms", k->op, i, off, terms);
    }
    wg_tape_free(narrow);
    wg_tape_free(wide);
}
END_TEST

START_TEST(large_convolutions_have_the_same_bits_with_any_number_of_threads)
{
    const convolution *k = &convolutions[_i];
    wg_tape *one = wg_tape_new(.threads = 1), *three = wg_tape_new(.threads = 3);
    wg_tensor y[4], z[4];
    derived(one, k, WG_FLOAT32, y);
    derived(three, k, WG_FLOAT32, z);
    for (int i = 0; i < 4; i++)
        ck_assert_msg(!memcmp(wg_values(y[i]), wg_values(z[i]), (size_t)wg_size(y[i]) * sizeof(float)), "result %d", i);
    wg_tape_free(one);
    wg_tape_free(three);
}
END_TEST

/* More shapes than are kept, the first one once more at the end. */
START_TEST(shapes_may_be_many)
{
    wg_tape *tape = wg_tape_new();
    wg_tensor w = filled(tape, WG_FLOAT32, WG_SHAPE(32, 32, 3, 3), 1);
    wg_mark start = wg_tape_mark(tape);
    double first = 0, last = 0;
    for (int i = 0; i <= 70; i++, wg_rewind(tape, start)) {
        wg_tensor x = filled(tape, WG_FLOAT32, WG_SHAPE(1, 32, 40 + i % 70, 40), 2);
        last = wg_element(wg_conv2d(x, w, WG_NONE), 17);
        first = i ? first : last;
    }
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
    ck_assert_double_eq(first, last);
    wg_tape_free(tape);
}
END_TEST

/* A weight of no output channels may have any number of groups, of 3 channels each here. */
START_TEST(more_channels_than_can_be_counted_do_not_fit)
{
    wg_tape *tape = wg_tape_new();
    wg_tensor x = wg_array(tape, WG_FLOAT32, WG_SHAPE(0, 3, 4), NULL);
    wg_tensor w = wg_array(tape, WG_FLOAT32, WG_SHAPE(0, 3, 2), NULL);
    wg_conv1d(x, w, WG_NONE, .groups = INT64_MAX);
    ck_assert_int_eq(wg_error_status(tape), WG_ERROR_SHAPE);
    ck_assert_msg(strstr(wg_error(tape), "do not fit in 9223372036854775807 groups") != NULL, "%s", wg_error(tape));
    wg_tape_free(tape);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("convolution");
    TCase *large = tcase_create("large");
    tcase_set_timeout(large, 120);
    tcase_add_loop_test(large, large_convolutions_are_those_of_float64, 0, COUNT(convolutions));
    tcase_add_loop_test(large, large_convolutions_have_the_same_bits_with_any_number_of_threads, 0,
                        COUNT(convolutions));
    tcase_add_test(large, shapes_may_be_many);
    tcase_add_test(large, more_channels_than_can_be_counted_do_not_fit);
    suite_add_tcase(suite, large);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
