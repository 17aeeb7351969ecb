/* Attention and recurrent networks against their plain forms: the same function of public operations, step by step and
 * with the weights as a tensor, in value, gradient and second derivative; where there are several blocks; and what they
 * hold. */
#include <check.h>

#include <wengert.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static wg_tape *tape;
static void set_up(void) { tape = wg_tape_new(.seed = 3); }
static void tear_down(void) { wg_tape_free(tape); }

static wg_tensor numbers(const char *name, wg_shape shape)
{
    return wg_param(tape, name, shape, .dtype = WG_FLOAT64, .init = WG_XAVIER_NORMAL, .gain = 2);
}

static void near(wg_tensor a, wg_tensor b)
{
    wg_type ta = wg_type_of(a), tb = wg_type_of(b);
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
    ck_assert(wg_type_equal(&ta, &tb));
    for (int64_t i = 0; i < wg_size(a); i++)
        ck_assert_double_eq_tol(wg_element(a, i), wg_element(b, i), 1e-11);
}

/* ---- Recurrent networks ------------------------------------------------------------------------------------------ */
enum { X, H, C, W_IH, W_HH, B_IH, B_HH, OPERANDS };
enum { STEPS = 4, BATCH = 2, IN = 3, HIDDEN = 5 };

static wg_tensor part(wg_tensor x, int64_t k) { return wg_narrow(x, 1, k * HIDDEN, HIDDEN); }

static wg_tensor fused(const wg_tensor *x, int gates)
{
    if (gates == 4) {
        wg_lstm_result r = wg_lstm(x[X], x[H], x[C], x[W_IH], x[W_HH], x[B_IH], x[B_HH]);
        return wg_add(wg_add(wg_sum(wg_square(r.y)), wg_sum(r.h)), wg_sum(wg_square(r.c)));
    }
    if (gates == 3) {
        wg_gru_result r = wg_gru(x[X], x[H], x[W_IH], x[W_HH], x[B_IH], x[B_HH]);
        return wg_add(wg_sum(wg_square(r.y)), wg_sum(r.h));
    }
    wg_rnn_result r = wg_rnn(x[X], x[H], x[W_IH], x[W_HH], x[B_IH], x[B_HH]);
    return wg_add(wg_sum(wg_square(r.y)), wg_sum(r.h));
}

/* By cells of their own, which the loop calls. */
static wg_tensor by_cells(const wg_tensor *x, int gates)
{
    wg_lstm_cell_result s = {x[H], x[C]};
    wg_tensor total = wg_scalar(tape, 0);
    for (int t = 0; t < STEPS; t++) {
        wg_tensor x_t = wg_select(x[X], 0, t);
        if (gates == 4)
            s = wg_lstm_cell(x_t, s.h, s.c, x[W_IH], x[W_HH], x[B_IH], x[B_HH]);
        else if (gates == 3)
            s.h = wg_gru_cell(x_t, s.h, x[W_IH], x[W_HH], x[B_IH], x[B_HH]);
        else
            s.h = wg_rnn_cell(x_t, s.h, x[W_IH], x[W_HH], x[B_IH], x[B_HH]);
        total = wg_add(total, wg_sum(wg_square(s.h)));
    }
    total = wg_add(total, wg_sum(s.h));
    return gates == 4 ? wg_add(total, wg_sum(wg_square(s.c))) : total;
}

static wg_tensor plain(const wg_tensor *x, int gates)
{
    wg_tensor h = x[H], c = x[C], total = wg_scalar(tape, 0);
    for (int t = 0; t < STEPS; t++) {
        wg_tensor by_x = wg_linear(wg_select(x[X], 0, t), x[W_IH], x[B_IH]), by_h = wg_linear(h, x[W_HH], x[B_HH]);
        wg_tensor a = wg_add(by_x, by_h);
        if (gates == 4) {
            c = wg_add(wg_multiply(wg_sigmoid(part(a, 1)), c),
                       wg_multiply(wg_sigmoid(part(a, 0)), wg_tanh(part(a, 2))));
            h = wg_multiply(wg_sigmoid(part(a, 3)), wg_tanh(c));
        } else if (gates == 3) {
            wg_tensor z = wg_sigmoid(part(a, 1)), r = wg_sigmoid(part(a, 0));
            wg_tensor n = wg_tanh(wg_add(part(by_x, 2), wg_multiply(r, part(by_h, 2))));
            h = wg_add(wg_multiply(wg_subtract(1, z), n), wg_multiply(z, h));
        } else {
            h = wg_tanh(a);
        }
        total = wg_add(total, wg_sum(wg_square(h)));
    }
    total = wg_add(total, wg_sum(h));
    return gates == 4 ? wg_add(total, wg_sum(wg_square(c))) : total;
}

static const struct {
    int gates;
    wg_tensor (*form)(const wg_tensor *x, int gates);
} forms[] = {{1, fused}, {1, by_cells}, {3, fused}, {3, by_cells}, {4, fused}, {4, by_cells}};

START_TEST(recurrent_networks_are_their_plain_forms)
{
    int gates = forms[_i].gates, n = 0;
    wg_tensor x[OPERANDS] = {[X] = numbers("x", WG_SHAPE(STEPS, BATCH, IN)),
                             [H] = numbers("h", WG_SHAPE(BATCH, HIDDEN)),
                             [C] = numbers("c", WG_SHAPE(BATCH, HIDDEN)),
                             [W_IH] = numbers("w_ih", WG_SHAPE(IN, gates * HIDDEN)),
                             [W_HH] = numbers("w_hh", WG_SHAPE(HIDDEN, gates * HIDDEN)),
                             [B_IH] = wg_squeeze(numbers("b", WG_SHAPE(1, gates * HIDDEN))),
                             [B_HH] = wg_squeeze(numbers("b2", WG_SHAPE(1, gates * HIDDEN)))};
    wg_tensor by[OPERANDS], d[2][OPERANDS], second[2][OPERANDS], y[2];
    for (int i = 0; i < OPERANDS; i++)
        if (i != C || gates == 4)
            by[n++] = x[i];
    for (int k = 0; k < 2; k++) {
        y[k] = k ? plain(x, gates) : forms[_i].form(x, gates);
        wg_grad(y[k], by, n, d[k]);
        wg_hvp(y[k], by, by, n, second[k]);
    }
    near(y[0], y[1]);
    for (int i = 0; i < n; i++) {
        near(d[0][i], d[1][i]);
        near(second[0][i], second[1][i]);
    }
}
END_TEST

/* ---- Attention --------------------------------------------------------------------------------------------------- */
enum { ROWS = 300, KEYS = 600 }; /* several blocks */

static void attention_twice(bool causal, wg_tensor out[2], wg_tensor d[2][4])
{
    wg_tensor x[] = {numbers("q", WG_SHAPE(2, ROWS, 3)), numbers("k", WG_SHAPE(2, KEYS, 3)),
                     numbers("v", WG_SHAPE(2, KEYS, 2)), numbers("mask", WG_SHAPE(ROWS, KEYS))};
    wg_tensor s = wg_add(wg_divide(wg_matmul(x[0], wg_matrix_transpose(x[1])), sqrt(3)), x[3]);
    if (causal) {
        wg_tensor keep = wg_tril(wg_full(tape, WG_FLOAT64, WG_SHAPE(ROWS, KEYS), 1));
        s = wg_where(wg_equal(keep, 1), s, -(double)INFINITY);
    }
    out[0] = wg_scaled_dot_product_attention(x[0], x[1], x[2], x[3], .is_causal = causal);
    out[1] = wg_matmul(wg_softmax(s), x[2]);
    for (int k = 0; k < 2; k++)
        wg_grad(wg_sum(wg_square(out[k])), x, 4, d[k]);
}

START_TEST(attention_in_blocks_is_its_plain_form)
{
    wg_tensor y[2], d[2][4];
    attention_twice(_i, y, d);
    near(y[0], y[1]);
    for (int i = 0; i < 4; i++)
        near(d[0][i], d[1][i]);
}
END_TEST

START_TEST(attention_gives_the_same_bits_on_threads)
{
    wg_tensor y[2], d[2][4], other[2][4], z[2];
    attention_twice(true, y, d);
    wg_tape *one = tape;
    tape = wg_tape_new(.threads = 3, .seed = 3);
    attention_twice(true, z, other);
    for (int64_t i = 0; i < wg_size(y[0]); i++)
        ck_assert(wg_element(y[0], i) == wg_element(z[0], i));
    for (int k = 0; k < 3; k++)
        for (int64_t i = 0; i < wg_size(d[0][k]); i++)
            ck_assert(wg_element(d[0][k], i) == wg_element(other[0][k], i));
    wg_tape_free(tape);
    tape = one;
}
END_TEST

/* 2048 queries and keys have 32 MB of weights in float64; forward and back take less than a fifth of that. */
START_TEST(attention_holds_no_weights)
{
    wg_tensor x[3], d[3];
    for (int i = 0; i < 3; i++)
        x[i] = numbers("x", WG_SHAPE(2048, 8));
    size_t before = wg_tape_bytes(tape);
    wg_grad(wg_sum(wg_scaled_dot_product_attention(x[0], x[1], x[2], WG_NONE)), x, 3, d);
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
    ck_assert_uint_lt(wg_tape_bytes(tape) - before, 2048 * 2048 * sizeof(double) / 5);
}
END_TEST

/* A saturated gate still has its slope: an LSTM's output gate at 50 pulls back h' exp(-50). */
START_TEST(saturated_gates_keep_their_slopes)
{
    const double gates[] = {50, 50, 50, 50};
    wg_tensor one = wg_full(tape, WG_FLOAT64, WG_SHAPE(1, 1), 1), d;
    wg_tensor w = wg_full(tape, WG_FLOAT64, WG_SHAPE(1, 4), 0), b = wg_array(tape, WG_FLOAT64, WG_SHAPE(4), gates);
    wg_lstm_cell_result s = wg_lstm_cell(one, one, one, w, w, b, WG_NONE);
    wg_grad(s.h, &b, 1, &d);
    ck_assert_double_eq_tol(wg_element(d, 3) / (tanh(2) * exp(-50)), 1, 1e-12);
    ck_assert_double_eq_tol(wg_element(d, 2) / (4 * exp(-100) * (1 - tanh(2) * tanh(2))), 1, 1e-12);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sequences");
    TCase *c = tcase_create("sequences");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_loop_test(c, recurrent_networks_are_their_plain_forms, 0, COUNT(forms));
    tcase_add_loop_test(c, attention_in_blocks_is_its_plain_form, 0, 2);
    tcase_add_test(c, attention_gives_the_same_bits_on_threads);
    tcase_add_test(c, attention_holds_no_weights);
    tcase_add_test(c, saturated_gates_keep_their_slopes);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
