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

/*
 * The ticket holds the items not yet taken, from `first` up to `end`, in its low half, and counts jobs in its high
 * half. Taking an item is a compare-and-swap of the whole, so whoever succeeds has an item of the job it looked at;
 * that job cannot end before this item is done, and until then fn and context stay what they are.
 *
 * The caller takes items from the end, the others from the beginning: in job after job over the same data, each finds
 * most of what it worked on before in its own cache.
 */
static uint64_t ticket_of(uint32_t job, uint16_t first, uint16_t end)
{
    return (uint64_t)job << 32 | (uint64_t)end << 16 | first;
}

struct ink__pool {
    size_t threads;
    pthread_t *others; /* (threads - 1) */
    ink__item_fn *fn;
    void *context;
    /* Each on a line of its own, for each is written by other threads at other times. */
    _Alignas(64) _Atomic uint64_t ticket;
    _Alignas(64) atomic_size_t undone; /* items of the job */
    _Alignas(64) atomic_uint news;     /* counts jobs begun, jobs ended, and the end: what sleepers wait on */
    atomic_uint sleepers;
    atomic_bool ending;
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void tell(struct ink__pool *pool)
{
    atomic_fetch_add(&pool->news, 1);
#ifdef __linux__
    if (atomic_load(&pool->sleepers) > 0)
        syscall(SYS_futex, &pool->news, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#endif
}

/* Waits a while for news since `seen`: looking first, then asleep. May return without any. */
static void wait_for_news(struct ink__pool *pool, unsigned seen)
{
    for (int look = 0; look < LOOKS; look++) {
        if (atomic_load_explicit(&pool->news, memory_order_acquire) != seen)
            return;
        relax();
    }
#ifdef __linux__
    atomic_fetch_add(&pool->sleepers, 1);
    syscall(SYS_futex, &pool->news, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    atomic_fetch_sub(&pool->sleepers, 1);
#else
    sched_yield();
#endif
}

/* Takes items and does them until none is left to take. */
static void do_items(struct ink__pool *pool, size_t thread)
{
    uint64_t ticket = atomic_load_explicit(&pool->ticket, memory_order_acquire);
    for (;;) {
        const uint32_t job = (uint32_t)(ticket >> 32);
        const uint16_t first = (uint16_t)ticket, end = (uint16_t)(ticket >> 16);
        const bool last = thread == 0;
        if (first == end)
            return;
        const uint64_t rest =
            last ? ticket_of(job, first, (uint16_t)(end - 1)) : ticket_of(job, (uint16_t)(first + 1), end);
        if (!atomic_compare_exchange_weak_explicit(&pool->ticket, &ticket, rest, memory_order_acquire,
                                                   memory_order_acquire))
            continue;
        pool->fn(pool->context, last ? (size_t)end - 1 : first, thread);
        if (atomic_fetch_sub_explicit(&pool->undone, 1, memory_order_acq_rel) == 1)
            tell(pool);
        ticket = atomic_load_explicit(&pool->ticket, memory_order_acquire);
    }
}

struct place {
    struct ink__pool *pool;
    size_t thread;
};

static void *work(void *argument)
{
    const struct place place = *(struct place *)argument;
    free(argument);
    for (;;) {
        const unsigned seen = atomic_load_explicit(&place.pool->news, memory_order_acquire);
        do_items(place.pool, place.thread);
        if (atomic_load(&place.pool->ending))
            return NULL;
        wait_for_news(place.pool, seen);
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
    *pool = (struct ink__pool){ .threads = 1, .others = others };
    while (pool->threads < threads && start(pool, pool->threads))
        pool->threads++;
    return pool;
}

void ink__pool_do(struct ink__pool *pool, size_t items, ink__item_fn *fn, void *context)
{
    if (pool == NULL || pool->threads == 1 || items <= 1) {
        for (size_t item = 0; item < items; item++)
            fn(context, item, 0);
        return;
    }
    const uint32_t job = (uint32_t)(atomic_load(&pool->ticket) >> 32) + 1;
    pool->fn = fn;
    pool->context = context;
    atomic_store_explicit(&pool->undone, items, memory_order_relaxed);
    atomic_store_explicit(&pool->ticket, ticket_of(job, 0, (uint16_t)items), memory_order_release);
    tell(pool);
    do_items(pool, 0);
    for (;;) {
        const unsigned seen = atomic_load_explicit(&pool->news, memory_order_acquire);
        if (atomic_load_explicit(&pool->undone, memory_order_acquire) == 0)
            return;
        wait_for_news(pool, seen);
    }
}

void ink__pool_free(struct ink__pool *pool)
{
    if (pool == NULL)
        return;
    atomic_store(&pool->ending, true);
    tell(pool);
    for (size_t i = 0; i + 1 < pool->threads; i++)
        pthread_join(pool->others[i], NULL);
    free(pool->others);
    free(pool);
}
