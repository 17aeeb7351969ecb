/* The public functions, called as a program calls them: each records the operation of its own name. What that computes
 * is looked at by the suite and the reference values, which ask for operations by name. */
#include <check.h>
#include <stdlib.h>
#include <wengert.h>

#include "core/tape.h"

static wg_tape *tape;
static wg_tensor x, m, v, row, image, line, cube, mask, ids, labels, signs, unit;

static void set_up(void)
{
    tape = wg_tape_new();
    unit = wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 4), (const double[]){0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8});
    x = wg_add(unit, 0.05);
    m = wg_add(wg_array(tape, WG_FLOAT64, WG_SHAPE(4, 4), NULL), 0.5);
    v = wg_array(tape, WG_FLOAT64, WG_SHAPE(4), (const double[]){1, -2, 3, -4});
    row = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), (const double[]){1, 2});
    image = wg_add(wg_array(tape, WG_FLOAT64, WG_SHAPE(1, 4, 4, 4), NULL), 1);
    line = wg_add(wg_array(tape, WG_FLOAT64, WG_SHAPE(1, 4, 4), NULL), 1);
    cube = wg_add(wg_array(tape, WG_FLOAT64, WG_SHAPE(1, 4, 2, 2, 2), NULL), 1);
    mask = wg_array(tape, WG_BOOL, WG_SHAPE(2, 4), (const bool[]){true, false, true, true, false, false, true, true});
    ids = wg_array(tape, WG_INT64, WG_SHAPE(2), (const int64_t[]){1, 0});
    labels = wg_array(tape, WG_INT64, WG_SHAPE(2), (const int64_t[]){3, 0});
    signs = wg_array(tape, WG_FLOAT64, WG_SHAPE(2), (const double[]){1, -1});
}

static void tear_down(void) { wg_tape_free(tape); }

static void records(const char *name, wg_tensor y)
{
    ck_assert_msg(wg_is_tensor(y), "%s: %s", name, wg_error(tape));
    const char *recorded = wg_node_at(tape, y.node)->op->name;
    ck_assert_msg(!strcmp(recorded, name), "%s records %s", name, recorded);
}

#define RECORDS(op, ...) records(#op, wg_##op(__VA_ARGS__));

START_TEST(functions_of_one_operand)
{
#define ONE(OP)                                                                                                        \
    OP(negative) OP(positive) OP(abs) OP(sign) OP(square) OP(sqrt) OP(rsqrt) OP(cbrt) OP(reciprocal) OP(exp) OP(exp2)  \
    OP(expm1) OP(log) OP(log2) OP(log10) OP(log1p) OP(log1mexp) OP(entr) OP(floor) OP(ceil) OP(round) OP(trunc)        \
    OP(sin) OP(cos) OP(tan) OP(asin) OP(acos) OP(atan) OP(sinh) OP(cosh) OP(tanh) OP(asinh) OP(acosh) OP(atanh)        \
    OP(sinc) OP(erf) OP(erfc) OP(erfcx) OP(erfinv) OP(ndtr) OP(log_ndtr) OP(ndtri) OP(lgamma) OP(digamma) OP(i0)       \
    OP(i1) OP(i0e) OP(i1e) OP(j0) OP(j1) OP(sigmoid) OP(log_sigmoid) OP(softplus) OP(softsign) OP(logit) OP(relu)      \
    OP(relu6) OP(leaky_relu) OP(elu) OP(selu) OP(celu) OP(gelu) OP(silu) OP(mish) OP(hardtanh) OP(hardsigmoid)         \
    OP(hardswish) OP(softshrink) OP(hardshrink) OP(tanhshrink) OP(nan_to_num) OP(gradient_reversal) OP(stop_gradient)  \
    OP(isnan) OP(isinf) OP(isfinite) OP(clip) OP(sum) OP(mean) OP(prod) OP(max) OP(min) OP(amax) OP(amin) OP(var)      \
    OP(std) OP(logsumexp) OP(norm) OP(nansum) OP(nanmean) OP(argmax) OP(argmin) OP(median) OP(sort) OP(argsort)        \
    OP(trapezoid) OP(diff) OP(softmax) OP(log_softmax) OP(softmin) OP(glu) OP(swiglu)
#define RECORDED(op) RECORDS(op, unit)
    ONE(RECORDED)
    RECORDS(polygamma, x, .n = 1)
    RECORDS(threshold, x, .threshold = 0, .value = 1)
    RECORDS(any, mask)
    RECORDS(all, mask)
    RECORDS(count_nonzero, x)
    RECORDS(logical_not, mask)
    RECORDS(logcumsumexp, x, 0)
    RECORDS(cast, x, .dtype = WG_FLOAT32)
}
END_TEST

START_TEST(functions_of_two_and_three)
{
#define TWO(OP)                                                                                                        \
    OP(add) OP(subtract) OP(multiply) OP(divide) OP(floor_divide) OP(remainder) OP(fmod) OP(pow) OP(atan2) OP(hypot)   \
    OP(copysign) OP(maximum) OP(minimum) OP(fmax) OP(fmin) OP(logaddexp) OP(logaddexp2) OP(xlogy) OP(xlog1py)          \
    OP(squared_difference) OP(equal) OP(not_equal) OP(less) OP(less_equal) OP(greater) OP(greater_equal) OP(vecdot)    \
    OP(inner) OP(kron) OP(cdist) OP(cosine_similarity) OP(pairwise_distance) OP(mse_loss) OP(l1_loss)                  \
    OP(smooth_l1_loss) OP(huber_loss) OP(log_cosh_loss) OP(binary_cross_entropy) OP(binary_cross_entropy_with_logits)  \
    OP(focal_loss) OP(hinge_loss) OP(soft_margin_loss) OP(kl_div) OP(poisson_nll_loss)
#define BOTH(op) RECORDS(op, x, unit)
    TWO(BOTH)
    RECORDS(logical_and, mask, mask)
    RECORDS(logical_or, mask, mask)
    RECORDS(logical_xor, mask, mask)
    RECORDS(fma, x, x, x)
    RECORDS(lerp, x, x, x)
    RECORDS(addcmul, x, x, x)
    RECORDS(addcdiv, x, x, x)
    RECORDS(addmm, x, x, m)
    RECORDS(gaussian_nll_loss, x, x, x)
}
END_TEST

START_TEST(functions_of_networks)
{
    RECORDS(conv1d, line, line, WG_NONE)
    RECORDS(conv2d, image, image, WG_NONE)
    RECORDS(conv3d, cube, cube, WG_NONE)
    RECORDS(conv_transpose1d, line, wg_permute_dims(line, WG_AXES(1, 0, 2)), WG_NONE)
    RECORDS(conv_transpose2d, image, wg_permute_dims(image, WG_AXES(1, 0, 2, 3)), WG_NONE)
    RECORDS(max_pool1d, line, .kernel_size = {2})
    RECORDS(avg_pool1d, line, .kernel_size = {2})
    RECORDS(layer_norm, x, v, v)
    RECORDS(rms_norm, x, v)
    RECORDS(group_norm, line, v, v, .num_groups = 2)
    RECORDS(instance_norm, line, v, v)
    RECORDS(local_response_norm, line, .size = 3)
    RECORDS(pixel_shuffle, image, .upscale_factor = 2)
    RECORDS(scaled_dot_product_attention, m, m, m, WG_NONE)
    RECORDS(rope, m, WG_NONE)
    records("batch_norm", wg_batch_norm(x, v, v, v, wg_square(v), .training = true).y);
}
END_TEST

START_TEST(functions_of_labels)
{
    RECORDS(segment_mean, row, ids, 2)
    RECORDS(segment_max, row, ids, 2)
    RECORDS(nll_loss, x, labels)
    RECORDS(cross_entropy, x, labels)
    RECORDS(multi_margin_loss, x, labels)
    RECORDS(cosine_embedding_loss, x, x, signs)
    RECORDS(triplet_margin_loss, x, x, x)
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("functions");
    TCase *calls = tcase_create("calls");
    tcase_add_checked_fixture(calls, set_up, tear_down);
    tcase_add_test(calls, functions_of_one_operand);
    tcase_add_test(calls, functions_of_two_and_three);
    tcase_add_test(calls, functions_of_networks);
    tcase_add_test(calls, functions_of_labels);
    suite_add_tcase(suite, calls);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
