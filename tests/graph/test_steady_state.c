/* A training loop that has found its memory: after the first step it asks for none, neither through the tape's
 * allocator nor behind its back, and with any number of threads it computes the same bits. */
#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/tape.h"
#include "tests/core/faults.h"
#include "wengert/convolution.h"
#include "wengert/derivatives.h"
#include "wengert/elementwise.h"
#include "wengert/losses.h"
#include "wengert/networks.h"
#include "wengert/products.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"
#include "wengert/training.h"

/* ---- Every malloc of the process --------------------------------------------------------------------------------- */
static __attribute__((unused)) atomic_size_t mallocs;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_MALLOC 1
static void count(void) { atomic_fetch_add(&mallocs, 1); }

/* glibc's own names of its functions: dlsym itself calls calloc. */
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t n, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
void *malloc(size_t bytes)
{
    count();
    return __libc_malloc(bytes);
}
void *calloc(size_t n, size_t bytes)
{
    count();
    return __libc_calloc(n, bytes);
}
void *realloc(void *memory, size_t bytes)
{
    count();
    return __libc_realloc(memory, bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes)
{
    count();
    return __libc_memalign(alignment, bytes);
}
int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    count();
    *memory = __libc_memalign(alignment, bytes);
    return *memory ? 0 : ENOMEM;
}
#else
#define COUNTS_MALLOC 0
#endif

/* ---- Models ------------------------------------------------------------------------------------------------------ */
#define BATCH 64
#define IN 784
#define CLASSES 10
#define STEPS 50

typedef struct {
    wg_tensor p[12];
    int n;
} model;

typedef struct {
    const char *name;
    void (*make)(wg_tape *tape, model *m);
    wg_tensor (*logits)(const model *m, wg_tensor x);
} kind;

static wg_tensor add_param(wg_tape *tape, model *m, const char *name, wg_shape shape, wg_init init)
{
    return m->p[m->n++] = wg_param(tape, name, shape, .init = init);
}

static void perceptron_make(wg_tape *tape, model *m)
{
    add_param(tape, m, "fc1.weight", WG_SHAPE(IN, 128), WG_HE_NORMAL);
    add_param(tape, m, "fc1.bias", WG_SHAPE(128), WG_ZEROS);
    add_param(tape, m, "norm.weight", WG_SHAPE(128), WG_ONES);
    add_param(tape, m, "norm.bias", WG_SHAPE(128), WG_ZEROS);
    add_param(tape, m, "fc2.weight", WG_SHAPE(128, CLASSES), WG_XAVIER_UNIFORM);
    add_param(tape, m, "fc2.bias", WG_SHAPE(CLASSES), WG_ZEROS);
}

static wg_tensor perceptron(const model *m, wg_tensor x)
{
    const wg_tensor *p = m->p;
    wg_tensor h = wg_dropout(wg_relu(wg_layer_norm(wg_linear(x, p[0], p[1]), p[2], p[3])), .p = 0.2);
    return wg_linear(wg_name(h, "hidden"), p[4], p[5]);
}

static void convolutional_make(wg_tape *tape, model *m)
{
    add_param(tape, m, "conv.weight", WG_SHAPE(8, 1, 3, 3), WG_HE_NORMAL);
    add_param(tape, m, "conv.bias", WG_SHAPE(8), WG_ZEROS);
    add_param(tape, m, "fc.weight", WG_SHAPE(8 * 14 * 14, CLASSES), WG_LECUN_NORMAL);
    add_param(tape, m, "fc.bias", WG_SHAPE(CLASSES), WG_ZEROS);
}

static wg_tensor convolutional(const model *m, wg_tensor x)
{
    const wg_tensor *p = m->p;
    wg_tensor image = wg_reshape(x, WG_SHAPE(BATCH, 1, 28, 28));
    wg_tensor h = wg_relu(wg_conv2d(image, p[0], p[1], .padding = {1, 1}));
    h = wg_max_pool2d(h, .kernel_size = {2, 2});
    return wg_linear(wg_reshape(h, WG_SHAPE(BATCH, 8 * 14 * 14)), p[2], p[3]);
}

static const kind kinds[] = {{"perceptron", perceptron_make, perceptron},
                             {"convolutional", convolutional_make, convolutional}};
#define KINDS ((int)(sizeof kinds / sizeof *kinds))

/* ---- Training ---------------------------------------------------------------------------------------------------- */
typedef struct {
    size_t asked_first, asked_later;     /* of the tape's allocator */
    size_t mallocs_first, mallocs_later; /* of libc */
    size_t bytes_first, bytes_last;
    double loss_first, loss_last;
} record;

static void fill_batch(float *images, int64_t *labels, int step)
{
    for (int i = 0; i < BATCH; i++) {
        labels[i] = (i * 7 + step) % CLASSES;
        for (int k = 0; k < IN; k++)
            images[i * IN + k] = (float)sin(0.1 * k * (double)(1 + labels[i]) + 0.01 * i);
    }
}

/* `values` receives the parameters, one after the other. */
static record train(const kind *what, int threads, float *values)
{
    static float images[BATCH * IN];
    static int64_t labels[BATCH];
    record r = {0};
    faults f = {0};
    wg_tape *tape = wg_tape_new(.memory = faults_memory(&f), .threads = threads, .seed = 3);
    model m = {.n = 0};
    what->make(tape, &m);
    wg_optimizer *adam = wg_adam(m.p, m.n, .lr = 1e-3);
    wg_mark start = wg_tape_mark(tape);
    for (int step = 0; step < STEPS; step++) {
        fill_batch(images, labels, step);
        size_t asked = f.calls, counted = mallocs;
        wg_tensor x = wg_array(tape, WG_FLOAT32, WG_SHAPE(BATCH, IN), images), loss;
        wg_tensor y = wg_array(tape, WG_INT64, WG_SHAPE(BATCH), labels);
        WG_SCOPE(tape, "step", step) { loss = wg_cross_entropy(what->logits(&m, x), y); }
        wg_backward(loss);
        wg_clip_grad_norm(m.p, m.n, 10);
        wg_step(adam);
        r.loss_last = wg_item(loss);
        wg_rewind(tape, start);
        if (!step) {
            r.loss_first = r.loss_last;
            r.bytes_first = f.bytes;
        }
        *(step ? &r.asked_later : &r.asked_first) += f.calls - asked;
        *(step ? &r.mallocs_later : &r.mallocs_first) += mallocs - counted - (f.calls - asked);
    }
    r.bytes_last = f.bytes;
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
    for (int i = 0; i < m.n; i++) {
        wg_copy_out(m.p[i], values);
        values += wg_size(m.p[i]);
    }
    wg_tape_free(tape);
    ck_assert_uint_eq(f.blocks + f.misused, 0);
    return r;
}

static float values[2][IN * 128 + 4096];

START_TEST(a_step_after_the_first_asks_for_no_memory)
{
    record r = train(&kinds[_i], 1, values[0]);
    ck_assert_msg(r.asked_later == 0, "%s: %zu allocations in %d steps", kinds[_i].name, r.asked_later, STEPS - 1);
    ck_assert_uint_eq(r.bytes_first, r.bytes_last);
    ck_assert(r.asked_first > 0 && r.loss_last < r.loss_first);
#if COUNTS_MALLOC
    ck_assert_msg(r.mallocs_later == 0, "%s: %zu calls of malloc behind the tape's back in %d steps", kinds[_i].name,
                  r.mallocs_later, STEPS - 1);
#endif
}
END_TEST

START_TEST(any_number_of_threads_gives_the_same_bits)
{
    memset(values, 0, sizeof values);
    record one = train(&kinds[_i], 1, values[0]), two = train(&kinds[_i], 2, values[1]);
    ck_assert_mem_eq(values[0], values[1], sizeof values[0]);
    ck_assert_double_eq(one.loss_last, two.loss_last);
    ck_assert_uint_eq(two.asked_later, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("steady state");
    TCase *tcase = tcase_create("steady state");
    tcase_add_loop_test(tcase, a_step_after_the_first_asks_for_no_memory, 0, KINDS);
    tcase_add_loop_test(tcase, any_number_of_threads_gives_the_same_bits, 0, KINDS);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
