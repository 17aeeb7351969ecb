/* Threads: work on i in [0, n) shared out over a pool that belongs to the tape. The pool is made at the first work
 * that is worth it. Who is free takes the next i from one counter; workers between works spin for a moment and then
 * sleep. What an i computes is fixed by the caller, so the results do not depend on who takes it. */
#include "tape.h"

static void work_inline(int64_t n, wg_work *work, void *argument)
{
    for (int64_t i = 0; i < n; i++)
        work(argument, i);
}

#ifndef WG_WITH_THREADS
void wg_parallel(wg_tape *tape, int64_t n, wg_work *work, void *argument)
{
    (void)tape;
    work_inline(n, work, argument);
}

void wg_pool_free(wg_tape *tape) { (void)tape; }
#else

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define MOST_THREADS 256
#define SPINS 500 /* some microseconds */

typedef struct wg_pool {
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    pid_t process; /* a fork's child has the pool without its threads */
    size_t bytes;
    bool running; /* the caller is in wg_parallel: work that calls it again runs inline */

    /* Held under the lock, but for `number` and `inside`, which are also looked at while spinning. */
    wg_work *work;
    void *argument;
    int64_t n;
    bool open, stop;
    atomic_uint number; /* of works begun */
    atomic_int inside;  /* workers that joined the work at hand */

    atomic_llong next; /* the i to be taken */
    int threads;
    pthread_t thread[];
} wg_pool;

static void relax(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_ia32_pause();
#endif
}

static void take_turns(wg_pool *pool, int64_t n, wg_work *work, void *argument)
{
    for (int64_t i; (i = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed)) < n;)
        work(argument, i);
}

/* A worker joins a work while it is open, which it is until all of it is taken; a worker that wakes too late misses
 * it. */
static void *worker(void *argument)
{
    wg_pool *pool = argument;
    unsigned seen = 0;
    for (;;) {
        for (int i = 0; i < SPINS && atomic_load_explicit(&pool->number, memory_order_relaxed) == seen; i++)
            relax();
        pthread_mutex_lock(&pool->lock);
        while (!pool->stop && (!pool->open || pool->number == seen))
            pthread_cond_wait(&pool->wake, &pool->lock);
        if (pool->stop)
            break;
        seen = pool->number;
        pool->inside++;
        wg_work *work = pool->work;
        void *own = pool->argument;
        int64_t n = pool->n;
        pthread_mutex_unlock(&pool->lock);
        take_turns(pool, n, work, own);
        pthread_mutex_lock(&pool->lock);
        if (--pool->inside == 0 && !pool->open)
            pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Fewer threads than asked for will do; with none the tape works alone from here on. */
static wg_pool *pool_new(wg_tape *tape)
{
    int most = (tape->threads < MOST_THREADS ? tape->threads : MOST_THREADS) - 1;
    size_t bytes = sizeof(wg_pool) + (size_t)most * sizeof(pthread_t);
    wg_pool *pool = wg_tape_allocate(tape, bytes);
    if (!pool)
        return NULL;
    pool->bytes = bytes;
    pool->process = getpid();
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    sigset_t all, before; /* the program's signals are for its own threads */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->threads < most && !pthread_create(&pool->thread[pool->threads], NULL, worker, pool))
        pool->threads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    tape->pool = pool;
    return pool;
}

void wg_parallel(wg_tape *tape, int64_t n, wg_work *work, void *argument)
{
    wg_pool *pool = NULL;
    if (n > 1 && tape->threads > 1)
        pool = tape->pool ? tape->pool : pool_new(tape);
    if (!pool || !pool->threads || pool->running || pool->process != getpid()) {
        work_inline(n, work, argument);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->running = true;
    pool->work = work;
    pool->argument = argument;
    pool->n = n;
    pool->open = true;
    pool->next = 0;
    pool->number++;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);

    take_turns(pool, n, work, argument);

    pthread_mutex_lock(&pool->lock);
    pool->open = false;
    if (pool->inside) {
        pthread_mutex_unlock(&pool->lock);
        for (int i = 0; i < SPINS && atomic_load_explicit(&pool->inside, memory_order_relaxed); i++)
            relax();
        pthread_mutex_lock(&pool->lock);
    }
    while (pool->inside)
        pthread_cond_wait(&pool->done, &pool->lock);
    pool->running = false;
    pthread_mutex_unlock(&pool->lock);
}

void wg_pool_free(wg_tape *tape)
{
    wg_pool *pool = tape->pool;
    if (!pool)
        return;
    if (pool->process == getpid()) {
        pthread_mutex_lock(&pool->lock);
        pool->stop = true;
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->lock);
        for (int i = 0; i < pool->threads; i++)
            pthread_join(pool->thread[i], NULL);
        pthread_cond_destroy(&pool->done);
        pthread_cond_destroy(&pool->wake);
        pthread_mutex_destroy(&pool->lock);
    }
    tape->pool = NULL;
    wg_tape_release(tape, pool, pool->bytes);
}
#endif
