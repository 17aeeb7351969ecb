/* Exported C: each program is written as a file, compiled without a warning by every compiler that is there, and its
 * own test passes. That every operation gives what it gives on the tape is shown by tests/ops/test_reference.c. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include <wengert.h>

#include "ops/lapack.h"

static wg_tape *tape;
static char folder[] = "/tmp/wengert-export-XXXXXX";

static void set_up(void)
{
    tape = wg_tape_new();
    strcpy(folder, "/tmp/wengert-export-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void tear_down(void)
{
    char command[200];
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
    wg_tape_free(tape);
}

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* ---- Programs ---------------------------------------------------------------------------------------------------- */
static wg_tensor numbers(wg_dtype dtype, wg_shape shape, const char *name)
{
    wg_tensor t = wg_array(tape, dtype, shape, NULL);
    for (int64_t i = 0; i < wg_size(t); i++)
        if (dtype == WG_FLOAT64)
            ((double *)(uintptr_t)wg_values(t))[i] = sin((double)i * 1.7) + 0.1;
        else
            ((float *)(uintptr_t)wg_values(t))[i] = (float)sin((double)i * 1.7) + 0.1F;
    return wg_name(t, name);
}

static wg_function *mlp_gradient(wg_dtype dtype)
{
    wg_tensor w1 = wg_param(tape, "w1", WG_SHAPE(5, 8), .init = WG_HE_NORMAL, .dtype = dtype);
    wg_tensor b1 = wg_param(tape, "b1", WG_SHAPE(8), .dtype = dtype);
    wg_tensor w2 = wg_param(tape, "w2", WG_SHAPE(8, 3), .init = WG_HE_NORMAL, .dtype = dtype);
    wg_tensor x = numbers(dtype, WG_SHAPE(4, 5), "x"), t = numbers(dtype, WG_SHAPE(4, 3), "t");
    wg_tensor y = wg_linear(wg_gelu(wg_linear(x, w1, b1)), w2, WG_NONE);
    wg_tensor loss = wg_name(wg_mean(wg_square(wg_subtract(y, t))), "loss");
    return wg_compile(tape, WG_TENSORS(x, t), WG_TENSORS(loss), .backward = true);
}

/* 0-d values by the hundreds, some of them read by later functions of the file. */
static wg_function *scalars(wg_dtype dtype)
{
    wg_tensor x = numbers(dtype, WG_SHAPE(3), "double"), a = wg_select(x, 0, 0), b = wg_select(x, 0, 1), first = a;
    for (int i = 0; i < 100; i++) {
        wg_tensor c = wg_sin(wg_add(wg_multiply(a, b), first));
        a = b;
        b = i % 3 ? c : wg_where(wg_less(c, 0.5), wg_negative(c), wg_clip(c, .max = 0.9));
    }
    wg_tensor y = wg_name(wg_add(a, b), "exp"), g;
    ck_assert_int_eq(wg_grad(y, &x, 1, &g, .create_graph = true), WG_OK);
    return wg_compile(tape, WG_TENSORS(x), WG_TENSORS(y, g));
}

/* Strides, broadcasting, constants, a result that is a view of another, an input that is an output. */
static wg_function *views(wg_dtype dtype)
{
    wg_tensor x = numbers(dtype, WG_SHAPE(2, 3, 4), "x"), column = numbers(dtype, WG_SHAPE(3, 1), "+ -");
    wg_tensor turned = wg_flip(wg_permute_dims(x, WG_AXES(2, 0, 1)), .axis = 0);
    wg_tensor y =
        wg_add(wg_multiply(wg_select(turned, 0, 1), wg_matrix_transpose(column)), numbers(dtype, WG_SHAPE(3), ""));
    wg_tensor z = wg_matmul(wg_contiguous(wg_matrix_transpose(y)), wg_exp(y));
    return wg_compile(tape, WG_TENSORS(x), WG_TENSORS(wg_matrix_transpose(z), y, wg_sum(turned, .axis = 1), x));
}

/* Constants and functions that both have an operation's name and a number: some of these meet. */
static wg_function *namesakes(wg_dtype dtype)
{
    wg_tensor x = numbers(dtype, WG_SHAPE(2), "x"), y = x;
    for (int i = 0; i < 16; i++) {
        wg_tensor constant =
            wg_concat(WG_TENSORS(numbers(dtype, WG_SHAPE(1), ""), wg_full(tape, dtype, WG_SHAPE(1), 2)));
        y = wg_concat(WG_TENSORS(y, constant));
    }
    return wg_compile(tape, WG_TENSORS(x), WG_TENSORS(y));
}

/* A sparse Jacobian with where its values are; the Hessian of a sum, whole. */
static wg_sparse pattern;

static wg_function *jacobian(wg_dtype dtype)
{
    wg_tensor x = numbers(dtype, WG_SHAPE(6), "x"),
              y = wg_multiply(wg_narrow(x, 0, 1, 5), wg_square(wg_narrow(x, 0, 0, 5)));
    wg_sparsity *s = wg_jacobian_sparsity(&y, 1, &x, 1);
    ck_assert_int_eq(wg_sparse_jacobian(s, &y, 1, &x, 1, &pattern, .create_graph = true), WG_OK);
    return wg_compile(tape, WG_TENSORS(x), WG_TENSORS(pattern.values));
}

static wg_function *hessian(wg_dtype dtype)
{
    wg_tensor x = numbers(dtype, WG_SHAPE(4), "x"), y = wg_sum(wg_tanh(wg_multiply(x, wg_cumulative_sum(x, 0)))), h;
    ck_assert_int_eq(wg_hessian(y, &x, 1, &h, .create_graph = true), WG_OK);
    return wg_compile(tape, WG_TENSORS(x), WG_TENSORS(y, h));
}

/* Products that CBLAS is called for: rows and columns side by side, stacks of them, vectors, a bias; and one that it
 * cannot say, of every other column. */
static wg_function *products(wg_dtype dtype)
{
    wg_tensor a = numbers(dtype, WG_SHAPE(2, 1, 4, 3), "a"), b = numbers(dtype, WG_SHAPE(5, 3, 6), "b");
    wg_tensor c = numbers(dtype, WG_SHAPE(6, 3), "c"), v = numbers(dtype, WG_SHAPE(3), "v");
    wg_tensor turned = wg_matmul(a, wg_matrix_transpose(wg_slice(c, .start = WG_INTS(1))));
    wg_tensor every_other = wg_slice(b, .step = WG_INTS(1, 1, 2));
    wg_tensor w = numbers(dtype, WG_SHAPE(6), "w"), m = numbers(dtype, WG_SHAPE(6, 2), "m");
    wg_tensor bias = numbers(dtype, WG_SHAPE(2), "bias");
    wg_tensor outputs[] = {wg_matmul(a, b), turned, wg_matmul(b, w), wg_matmul(v, b),
                           wg_linear(wg_matrix_transpose(c), m, bias), wg_linear(b, c, v), wg_matmul(every_other, v),
                           wg_addmm(v, wg_matrix_transpose(c), c, .alpha = 2)};
    return wg_compile(tape, WG_TENSORS(a, b, c, v), ((wg_tensors){outputs, COUNT(outputs)}));
}

/* Ties and NaN in order, along either axis; places are integers. */
static wg_function *orders(wg_dtype dtype)
{
    wg_tensor x = wg_name(wg_round(wg_multiply(numbers(dtype, WG_SHAPE(7, 50), ""), 4)), "x");
    x = wg_where(wg_equal(x, 3), NAN, x);
    wg_topk_result most = wg_topk(x, .k = 5), least = wg_topk(x, .k = 3, .axis = 0, .largest = false);
    wg_tensor outputs[] = {
        wg_sort(x),    wg_argsort(x, .descending = true), wg_sort(x, .axis = 0), most.values, most.indices,
        least.indices, wg_argsort(wg_greater(x, 0))};
    return wg_compile(tape, WG_TENSORS(x), ((wg_tensors){outputs, COUNT(outputs)}));
}

/* Factorisations of regular matrices, tall, wide and in stacks; of one of rank 3, whose vectors are not its own, the
 * values. */
static wg_function *matrices(wg_dtype dtype)
{
    wg_tensor x = numbers(dtype, WG_SHAPE(2, 9, 9), "x"), b = numbers(dtype, WG_SHAPE(9), "b");
    wg_tensor tall = wg_narrow(x, -1, 0, 5);
    wg_tensor a = wg_add(x, wg_diag(wg_add(wg_multiply(numbers(dtype, WG_SHAPE(9), ""), 0.5), 3)));
    wg_tensor spd = wg_add(wg_matmul(a, wg_matrix_transpose(a)), wg_diag(numbers(dtype, WG_SHAPE(9), "")));
    wg_tensor upright = wg_narrow(a, -1, 0, 5), wide = wg_narrow(a, -2, 0, 5);
    wg_svd_result of_tall = wg_svd(upright), of_wide = wg_svd(wide);
    wg_qr_result whole = wg_qr(upright, .mode = "complete");
    wg_lu_result lu = wg_lu(wide);
    wg_eigh_result e = wg_eigh(wg_divide(spd, 10));
    wg_tensor outputs[] = {wg_solve(a, b), wg_inv(a), wg_det(wg_divide(a, 3)), wg_slogdet(a).logabsdet, lu.p, lu.l,
                           lu.u, whole.q, whole.r, wg_qr(wide).r, wg_cholesky(spd), wg_cholesky(spd, .lower = false),
                           wg_logdet_spd(spd), e.values, e.vectors, wg_svdvals(tall), of_tall.u, of_tall.s, of_tall.vh,
                           of_wide.u, of_wide.vh, wg_lstsq(upright, b), wg_pinv(wide), wg_expm(wg_divide(a, 2)),
                           wg_matrix_power(wg_divide(a, 4), 5), wg_matrix_power(a, -2),
                           wg_matrix_norm(x, .ord = "nuc")};
    return wg_compile(tape, WG_TENSORS(x, b), ((wg_tensors){outputs, COUNT(outputs)}));
}

/* Recurrent layers with what pulls back through them; the order of a row, places that several values are put to. */
static wg_function *layers(wg_dtype dtype)
{
    wg_tensor x = numbers(dtype, WG_SHAPE(4, 2, 3), "x"), h = numbers(dtype, WG_SHAPE(2, 3), "h");
    wg_tensor w = numbers(dtype, WG_SHAPE(3, 12), "w"), b = numbers(dtype, WG_SHAPE(12), "b");
    wg_tensor v = wg_narrow(w, 1, 0, 9);
    wg_lstm_result lstm = wg_lstm(x, h, h, w, w, b, WG_NONE);
    wg_gru_result gru = wg_gru(x, h, v, v, WG_NONE, wg_narrow(b, 0, 0, 9));
    wg_tensor at = wg_argsort(wg_narrow(b, 0, 0, 4)), put = wg_scatter(b, at, wg_narrow(b, 0, 8, 4), 0);
    wg_tensor y = wg_sum(wg_multiply(lstm.y, wg_multiply(gru.y, wg_median(put))));
    wg_tensor of[] = {x, w, b}, g[3];
    ck_assert_int_eq(wg_grad(y, of, 3, g, .record = true), WG_OK);
    return wg_compile(tape, WG_TENSORS(x, h, w, b), WG_TENSORS(y, lstm.c, wg_rope(w, WG_NONE), g[0], g[1], g[2]));
}

/* What is drawn from a seed is the same numbers, and so is what a derivative draws again. */
static wg_function *draws(wg_dtype dtype)
{
    wg_tensor x = numbers(dtype, WG_SHAPE(3, 4), "x"), scale = wg_exp(wg_narrow(x, 0, 0, 1)), g;
#define LIKE_X(seed_) .shape = WG_SHAPE(3, 4), .seed = seed_, .dtype = dtype
    wg_tensor normal = wg_normal(tape, x, scale, LIKE_X(7)), dropped = wg_dropout(normal, .p = 0.4, .seed = -3);
    wg_tensor outputs[] = {
        normal, dropped, wg_uniform(tape, x, wg_add(x, scale), LIKE_X(1)), wg_laplace(tape, WG_NONE, scale, LIKE_X(2)),
        wg_gumbel(tape, x, WG_NONE, LIKE_X(3)), wg_exponential(tape, scale, LIKE_X(4)),
        wg_bernoulli(wg_sigmoid(x), LIKE_X(5)), wg_categorical(x, .shape = WG_SHAPE(9), .seed = 6),
        wg_gumbel_softmax(x, .axis = 0, .seed = 8), WG_NONE};
    wg_tensor y = wg_sum(wg_multiply(dropped, outputs[2]));
    ck_assert_int_eq(wg_grad(y, &x, 1, &g, .record = true), WG_OK);
    outputs[COUNT(outputs) - 1] = g;
    return wg_compile(tape, WG_TENSORS(x), ((wg_tensors){outputs, COUNT(outputs)}));
}

static const struct {
    const char *name;
    wg_function *(*make)(wg_dtype dtype);
} programs[] = {{"mlp", mlp_gradient}, {"scalars", scalars}, {"views", views},        {"jacobian", jacobian},
                {"hessian", hessian},  {"orders", orders},   {"namesakes", namesakes},
                {"matrices", matrices}, {"layers", layers},     {"draws", draws}};

/* ---- Tests ------------------------------------------------------------------------------------------------------- */
static bool is_there(const char *compiler)
{
    char command[100];
    snprintf(command, sizeof command, "command -v %s >/dev/null", compiler);
    return !system(command);
}

static void passes_with(const char *compiler, const char *name, const char *libraries)
{
    char command[600], upper[40];
    int n = 0;
    for (; name[n]; n++)
        upper[n] = (char)(name[n] - ('a' <= name[n] && name[n] <= 'z' ? 'a' - 'A' : 0));
    upper[n] = 0;
    if (!is_there(compiler))
        return;
    snprintf(
        command, sizeof command,
        "cd %s && %s -std=c99 -O1 -Wall -Wextra -Wconversion -Wshadow -pedantic -Werror -D%s_TEST %s.c %s -lm -o %s && "
        "./%s >%s.out || { cat %s.out; false; }",
        folder, compiler, upper, name, libraries, name, name, name, name);
    ck_assert_msg(!system(command), "%s", command);
}

START_TEST(a_file_compiles_without_a_warning_and_passes_its_test)
{
    wg_dtype dtype = _i % 2 ? WG_FLOAT32 : WG_FLOAT64;
    const char *name = programs[_i / 4].name;
    char path[100];
    pattern = (wg_sparse){0};
    wg_function *f = programs[_i / 4].make(dtype);
    if (!f && !wg_has_lapack() && programs[_i / 4].make == matrices)
        return; /* it cannot be recorded */
    snprintf(path, sizeof path, "%s/%s.c", folder, name);
    ck_assert_msg(f && !wg_export_c(f, path, .workspace = _i / 2 % 2, .parameters = _i / 2 % 2,
                                         .pattern = pattern.n ? &pattern : NULL), "%s", wg_error(tape));
    passes_with("gcc", name, "");
    passes_with("clang", name, "");
}
END_TEST

/* Is there a CBLAS that exported files could call? */
static bool blas_is_there(void)
{
    return !system("echo '#include <cblas.h>' | cc -E - >/dev/null 2>&1 && echo 'int main(void) { return 0; }' | "
                   "cc -x c - -lopenblas -o /dev/null 2>/dev/null");
}

static int mentions(const char *path, const char *word)
{
    char line[400];
    int n = 0;
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file))
        n += strstr(line, word) != NULL;
    fclose(file);
    return n;
}

START_TEST(products_may_be_calls_of_cblas)
{
    wg_dtype dtype = _i % 2 ? WG_FLOAT32 : WG_FLOAT64;
    const char *gemm = _i % 2 ? "    cblas_sgemm(" : "    cblas_dgemm(", *name = _i / 2 ? "mlp" : "products";
    char path[100];
    wg_function *f = _i / 2 ? mlp_gradient(dtype) : products(dtype);
    snprintf(path, sizeof path, "%s/%s.c", folder, name);
    ck_assert_msg(f && !wg_export_c(f, path, .blas = true), "%s", wg_error(tape));
    ck_assert_int_eq(mentions(path, gemm), _i / 2 ? 5 : 7);
    ck_assert_int_eq(mentions(path, "-lopenblas -lm"), 1);
    if (blas_is_there()) {
        passes_with("gcc", name, "-lopenblas");
        passes_with("clang", name, "-lopenblas");
    }
}
END_TEST

static wg_status zeroed(const wg_call *c)
{
    memset(c->to[0], 0, (size_t)wg_type_count(&c->y[0]) * wg_dtype_size(c->dtype));
    return WG_OK;
}

START_TEST(what_has_no_c_is_named)
{
    static const wg_op without = {.name = "without_c", .in = {{"x", 0}}, .type = wg_type_as_first, .run = zeroed};
    wg_tensor x = numbers(WG_FLOAT64, WG_SHAPE(3, 3), "x"), y = wg_record(&without, NULL, &x, 1);
    wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(y));
    ck_assert_int_eq(wg_export_c(f, "never.c"), WG_ERROR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "without_c"));
    ck_assert(access("never.c", F_OK));
}
END_TEST

START_TEST(what_draws_without_a_seed_has_no_c)
{
    wg_tensor x = numbers(WG_FLOAT64, WG_SHAPE(3), "x");
    wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(wg_dropout(x, .p = 0.5)));
    ck_assert_int_eq(wg_export_c(f, "never.c"), WG_ERROR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(wg_error(tape), "give it a seed"));
    ck_assert(access("never.c", F_OK));
}
END_TEST

START_TEST(what_was_rewound_cannot_be_exported)
{
    wg_mark start = wg_tape_mark(tape);
    wg_tensor x = numbers(WG_FLOAT64, WG_SHAPE(3), "x");
    wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(wg_exp(x)));
    wg_rewind(tape, start);
    ck_assert_int_ne(wg_export_c(f, "never.c"), WG_OK);
}
END_TEST

/* ---- Loaded ------------------------------------------------------------------------------------------------------ */
static int files_in_cache(const char *command)
{
    char text[200];
    int n = -1;
    snprintf(text, sizeof text, "%s %s/wengert | grep -c .", command, folder);
    FILE *from = popen(text, "r");
    ck_assert_ptr_nonnull(from);
    ck_assert_int_eq(fscanf(from, "%d", &n), 1);
    pclose(from);
    return n;
}

START_TEST(a_loaded_function_computes_and_leaves_gradients_in_the_parameters)
{
    if (!is_there("cc"))
        return;
    setenv("XDG_CACHE_HOME", folder, 1);
    wg_tensor w = wg_param(tape, "w", WG_SHAPE(3), .dtype = WG_FLOAT64), x = numbers(WG_FLOAT64, WG_SHAPE(3), "x");
    wg_tensor loss = wg_sum(wg_square(wg_subtract(wg_add(w, 1), x)));
    double in[] = {1, 2, 4}, out = 0;
    for (int i = 0; i < 2; i++) { /* made, then found */
        wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(loss), .backward = true);
        ck_assert_msg(!wg_function_load_c(f), "%s", wg_error(tape));
        ck_assert_int_eq(wg_function_run(f, (const void *[]){in}, (void *[]){&out}), WG_OK);
        ck_assert_double_eq(out, 10);
        ck_assert_double_eq(wg_element(wg_grad_of(w), 2), -6);
        wg_zero_grad(w);
        wg_function_free(f);
        ck_assert_int_eq(files_in_cache("ls"), 2);
    }
    ck_assert_int_eq(files_in_cache("find 2>/dev/null -perm /0077 -type d"), 0);
}
END_TEST

static const struct {
    const char *name, *value, *says;
    bool open; /* others may use the folder */
} refused[] = {{"CC", "no-such-compiler", "there is no C compiler", false},
               {"CC", "false", "failed", false},
               {"CC", "cc", "others may use", true}};

START_TEST(a_function_that_cannot_be_loaded_is_as_it_was)
{
    wg_tensor x = numbers(WG_FLOAT64, WG_SHAPE(2), "x");
    wg_function *f = wg_compile(tape, WG_TENSORS(x), WG_TENSORS(wg_exp(wg_multiply(x, 0))));
    char path[100], command[300];
    double out[2] = {0};
    snprintf(path, sizeof path, "%s/wengert", folder);
    snprintf(command, sizeof command, "mkdir -p %s && chmod %s %s", path, refused[_i].open ? "777" : "700", path);
    ck_assert_int_eq(system(command), 0);
    setenv("XDG_CACHE_HOME", folder, 1);
    setenv(refused[_i].name, refused[_i].value, 1);
    ck_assert_int_eq(wg_function_load_c(f), WG_ERROR_FILE);
    ck_assert_msg(strstr(wg_error(tape), refused[_i].says), "%s", wg_error(tape));
    wg_clear_error(tape);
    unsetenv("CC");
    ck_assert_int_eq(wg_function_run(f, (const void *[]){(const double[]){3, 4}}, (void *[]){out}), WG_OK);
    ck_assert_double_eq(out[1], 1); /* exp(0) */
}
END_TEST

START_TEST(an_index_out_of_range_is_an_error)
{
    if (!is_there("cc"))
        return;
    setenv("XDG_CACHE_HOME", folder, 1);
    int64_t at[] = {1, 0};
    wg_tensor x = numbers(WG_FLOAT64, WG_SHAPE(3), "x"), i = wg_array(tape, WG_INT64, WG_SHAPE(2), at);
    wg_function *f = wg_compile(tape, WG_TENSORS(x, i), WG_TENSORS(wg_take(x, i, 0)));
    ck_assert_msg(!wg_function_load_c(f), "%s", wg_error(tape));
    double in[] = {1, 2, 3}, out[2];
    ck_assert_int_eq(wg_function_run(f, (const void *[]){in, at}, (void *[]){out}), WG_OK);
    ck_assert_double_eq(out[0], 2);
    at[1] = 3;
    ck_assert_int_eq(wg_function_run(f, (const void *[]){in, at}, (void *[]){out}), WG_ERROR_INDEX);
    wg_clear_error(tape);
}
END_TEST

START_TEST(a_singular_matrix_is_an_error)
{
    if (!is_there("cc") || !wg_has_lapack())
        return;
    setenv("XDG_CACHE_HOME", folder, 1);
    double in[] = {2, 1, 1, 1}, out[4];
    wg_tensor a = wg_array(tape, WG_FLOAT64, WG_SHAPE(2, 2), in);
    wg_function *f = wg_compile(tape, WG_TENSORS(a), WG_TENSORS(wg_inv(a)));
    ck_assert_msg(!wg_function_load_c(f), "%s", wg_error(tape));
    ck_assert_int_eq(wg_function_run(f, (const void *[]){in}, (void *[]){out}), WG_OK);
    ck_assert_double_eq(out[3], 2);
    in[0] = 1;
    ck_assert_int_eq(wg_function_run(f, (const void *[]){in}, (void *[]){out}), WG_ERROR_NUMERIC);
    wg_clear_error(tape);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("export");
    TCase *c = tcase_create("files");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, a_file_compiles_without_a_warning_and_passes_its_test, 0, 4 * COUNT(programs));
    tcase_add_loop_test(c, products_may_be_calls_of_cblas, 0, 4);
    tcase_add_test(c, what_has_no_c_is_named);
    tcase_add_test(c, what_draws_without_a_seed_has_no_c);
    tcase_add_test(c, what_was_rewound_cannot_be_exported);
    suite_add_tcase(s, c);
    c = tcase_create("loaded");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, a_loaded_function_computes_and_leaves_gradients_in_the_parameters);
    tcase_add_loop_test(c, a_function_that_cannot_be_loaded_is_as_it_was, 0, COUNT(refused));
    tcase_add_test(c, an_index_out_of_range_is_an_error);
    tcase_add_test(c, a_singular_matrix_is_an_error);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed;
}
