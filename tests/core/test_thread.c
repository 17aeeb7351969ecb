/* Threads: every i is done once, whatever their number; work inside work runs inline; a pool survives many works and a
 * fork. Also run under the thread sanitizer. */
#include "core/tape.h"

#include <check.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define N 1000

typedef struct {
    wg_tape *tape;
    atomic_int done[N];
    double value[N];
} board;

static void do_one(void *argument, int64_t i)
{
    board *b = argument;
    b->done[i]++;
    b->value[i] = sqrt((double)i);
}

static void check_done(const board *b, int n, int times)
{
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(b->done[i], i < n ? times : 0);
        if (i < n)
            ck_assert_double_eq(b->value[i], sqrt(i));
    }
}

static const struct {
    int threads, n;
} works[] = {{1, N}, {2, N}, {4, N}, {100000, N}, {4, 0}, {4, 1}, {4, 2}, {2, 3}};
START_TEST(each_i_is_done_once)
{
    wg_tape *tape = wg_tape_new(.threads = works[_i].threads);
    board *b = calloc(1, sizeof *b);
    wg_parallel(tape, works[_i].n, do_one, b);
    check_done(b, works[_i].n, 1);
    free(b);
    wg_tape_free(tape);
}
END_TEST

START_TEST(many_works_follow_each_other)
{
    wg_tape *tape = wg_tape_new(.threads = 3);
    board *b = calloc(1, sizeof *b);
    for (int k = 0; k < 500; k++)
        wg_parallel(tape, 10, do_one, b);
    check_done(b, 10, 500);
    free(b);
    wg_tape_free(tape);
}
END_TEST

static void do_ten(void *argument, int64_t i)
{
    board *b = argument;
    board *own = calloc(1, sizeof *own);
    wg_parallel(b->tape, 10, do_one, own);
    for (int k = 0; k < 10; k++)
        b->done[10 * i + k] += own->done[k];
    free(own);
}

START_TEST(work_inside_work_runs_inline)
{
    wg_tape *tape = wg_tape_new(.threads = 3);
    board *b = calloc(1, sizeof *b);
    b->tape = tape;
    wg_parallel(tape, N / 10, do_ten, b);
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(b->done[i], 1);
    free(b);
    wg_tape_free(tape);
}
END_TEST

START_TEST(a_forks_child_works_alone)
{
    wg_tape *tape = wg_tape_new(.threads = 2);
    board *b = calloc(1, sizeof *b);
    wg_parallel(tape, N, do_one, b);
    pid_t child = fork();
    if (!child) {
        wg_parallel(tape, N, do_one, b);
        int right = b->done[0] == 2 && b->done[N - 1] == 2;
        wg_tape_free(tape);
        free(b);
        _exit(!right);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    wg_parallel(tape, N, do_one, b);
    check_done(b, N, 2);
    free(b);
    wg_tape_free(tape);
}
END_TEST

static void *grudging(void *user, size_t bytes) { return (*(int *)user)-- > 0 ? malloc(bytes) : NULL; }
static void give_back(void *user, void *memory, size_t bytes)
{
    (void)user;
    (void)bytes;
    free(memory);
}

START_TEST(without_memory_for_a_pool_the_caller_works_alone)
{
    int left = 1; /* the tape itself */
    wg_tape *tape = wg_tape_new(.threads = 2, .memory = {grudging, give_back, &left});
    board *b = calloc(1, sizeof *b);
    wg_parallel(tape, N, do_one, b);
    check_done(b, N, 1);
    ck_assert(!wg_failed(tape));
    free(b);
    wg_tape_free(tape);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("thread");
    TCase *pool = tcase_create("pool");
    tcase_add_loop_test(pool, each_i_is_done_once, 0, COUNT(works));
    tcase_add_test(pool, many_works_follow_each_other);
    tcase_add_test(pool, work_inside_work_runs_inline);
    tcase_add_test(pool, a_forks_child_works_alone);
    tcase_add_test(pool, without_memory_for_a_pool_the_caller_works_alone);
    suite_add_tcase(suite, pool);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
