#include "base/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"

#ifdef __linux__
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* How often a waiting thread looks before it sleeps: some 20 microseconds, a few times what waking up costs. */
#define LOOKS 2000

struct ink__pool {
    atomic_size_t threads;
    pthread_t *others; /* (threads - 1) */
    ink__team_fn *fn;  /* NULL: the others are to end */
    void *context;
    /* The barrier, on lines of their own: who waits reads `round`, who arrives writes `arrived`. */
    _Alignas(64) atomic_size_t arrived;
    _Alignas(64) atomic_uint round; /* barriers passed */
    atomic_uint sleepers;
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Sleeps unless *round has changed from `seen`, until woken; may wake for nothing. */
static void sleep_while(atomic_uint *round, unsigned seen)
{
#ifdef __linux__
    syscall(SYS_futex, round, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
#else
    (void)round;
    (void)seen;
    sched_yield();
#endif
}

static void wake_all(atomic_uint *round)
{
#ifdef __linux__
    syscall(SYS_futex, round, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#else
    (void)round;
#endif
}

static void wait_for_all(struct ink__pool *pool)
{
    const unsigned seen = atomic_load_explicit(&pool->round, memory_order_acquire);
    if (atomic_fetch_add_explicit(&pool->arrived, 1, memory_order_acq_rel) + 1 == pool->threads) {
        atomic_store_explicit(&pool->arrived, 0, memory_order_relaxed);
        atomic_store(&pool->round, seen + 1);
        if (atomic_load(&pool->sleepers) > 0)
            wake_all(&pool->round);
        return;
    }
    for (int look = 0; look < LOOKS; look++) {
        if (atomic_load_explicit(&pool->round, memory_order_acquire) != seen)
            return;
        relax();
    }
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->round) == seen)
        sleep_while(&pool->round, seen);
    atomic_fetch_sub(&pool->sleepers, 1);
}

void ink__barrier(struct ink__team team)
{
    if (team.threads > 1)
        wait_for_all(team.pool);
}

struct place {
    struct ink__pool *pool;
    size_t thread;
};

static void *work(void *argument)
{
    const struct place place = *(struct place *)argument;
    struct ink__pool *pool = place.pool;
    free(argument);
    for (;;) {
        wait_for_all(pool);
        if (pool->fn == NULL)
            return NULL;
        pool->fn(pool->context, (struct ink__team){ place.thread, pool->threads, pool });
        wait_for_all(pool);
    }
}

/* Signals are for the program's own threads. */
static bool start(struct ink__pool *pool, size_t thread)
{
    sigset_t all, before;
    struct place *place = ink__array(1, sizeof *place);
    if (place == NULL)
        return false;
    *place = (struct place){ pool, thread };
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool started = pthread_create(&pool->others[thread - 1], NULL, work, place) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started)
        free(place);
    return started;
}

struct ink__pool *ink__pool_new(size_t threads)
{
    struct ink__pool *pool = aligned_alloc(_Alignof(struct ink__pool), sizeof *pool);
    pthread_t *others = ink__array(threads, sizeof *others);
    if (pool == NULL || others == NULL) {
        free(pool);
        free(others);
        return NULL;
    }
    *pool = (struct ink__pool){ .threads = SIZE_MAX, .others = others }; /* nobody passes before all are counted */
    size_t started = 1;
    while (started < threads && start(pool, started))
        started++;
    pool->threads = started;
    return pool;
}

void ink__pool_run(struct ink__pool *pool, ink__team_fn *fn, void *context)
{
    if (pool->threads == 1) {
        fn(context, (struct ink__team){ 0, 1, NULL });
        return;
    }
    pool->fn = fn;
    pool->context = context;
    wait_for_all(pool);
    fn(context, (struct ink__team){ 0, pool->threads, pool });
    wait_for_all(pool);
}

void ink__pool_free(struct ink__pool *pool)
{
    if (pool == NULL)
        return;
    if (pool->threads > 1) {
        pool->fn = NULL;
        wait_for_all(pool);
    }
    for (size_t i = 0; i + 1 < pool->threads; i++)
        pthread_join(pool->others[i], NULL);
    free(pool->others);
    free(pool);
}
