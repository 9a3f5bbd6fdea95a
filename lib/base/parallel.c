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

/* How often a waiting thread looks before it sleeps: some 40 microseconds, a few times what waking up costs. */
#define LOOKS 2000
/* How often one that has done its share looks before it takes from the others': some 20 microseconds. What an item works
 * on then travels to another processor's cache and, in the next job, back: too far if its owner was about to begin. */
#define PATIENCE 1000

/*
 * Every thread has its own share of a job's items, the same share in job after job, so that it finds what it worked on
 * before in its own cache; whoever has done his waits a little and then takes from the others' ends. What is left of a
 * share is its ticket, `first` in the low half and `end` in the high one, and taking an item is a compare-and-swap of
 * the whole. A ticket that looks as it did in an earlier job does no harm: the item it gives is one of the present job,
 * whose function is read afterwards, and that job cannot end before the item is done.
 *
 * Memory that threads write in turns costs a journey between processors, so each kind of news has a line of its own.
 */
struct share {
    _Alignas(64) _Atomic uint64_t ticket;
};

struct ink__pool {
    size_t threads, started; /* the system may start fewer than were wanted: their shares are for the others */
    pthread_t *others;       /* (threads - 1) */
    /* Written by the caller: the job, and what the others wait on. */
    _Alignas(64) ink__item_fn *fn;
    void *context;
    atomic_uint news; /* counts jobs, and the end */
    atomic_uint sleepers;
    atomic_bool ending;
    /* Written by everyone, once a job: how many items are not done, which the caller waits on. */
    _Alignas(64) atomic_uint undone;
    atomic_bool caller_sleeps;
    struct share shares[]; /* (threads) */
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Returns when woken, at once if *word is no longer `seen`, and now and then for no reason. */
static void sleep_on(atomic_uint *word, unsigned seen)
{
#ifdef __linux__
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
#else
    (void)word;
    (void)seen;
    sched_yield();
#endif
}

static void wake(atomic_uint *word)
{
#ifdef __linux__
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#else
    (void)word;
#endif
}

/* Looks a while whether *word is still `seen`. */
static bool stays(atomic_uint *word, unsigned seen)
{
    for (int look = 0; look < LOOKS; look++) {
        if (atomic_load_explicit(word, memory_order_acquire) != seen)
            return false;
        relax();
    }
    return true;
}

void ink__await(const atomic_uint *word, unsigned value)
{
    for (int look = 0; atomic_load_explicit(word, memory_order_acquire) != value; look++) {
        relax();
        if (look >= LOOKS)
            sched_yield();
    }
}

static void tell(struct ink__pool *pool)
{
    atomic_fetch_add(&pool->news, 1);
    if (atomic_load(&pool->sleepers) > 0)
        wake(&pool->news);
}

static void wait_for_news(struct ink__pool *pool, unsigned seen)
{
    if (!stays(&pool->news, seen))
        return;
    atomic_fetch_add(&pool->sleepers, 1);
    sleep_on(&pool->news, seen);
    atomic_fetch_sub(&pool->sleepers, 1);
}

static bool take(struct share *share, bool last, size_t *item)
{
    uint64_t ticket = atomic_load_explicit(&share->ticket, memory_order_acquire);
    for (;;) {
        const uint32_t first = (uint32_t)ticket, end = (uint32_t)(ticket >> 32);
        if (first == end)
            return false;
        *item = last ? end - 1 : first;
        if (atomic_compare_exchange_weak_explicit(&share->ticket, &ticket, last ? ticket - (1ull << 32) : ticket + 1,
                                                  memory_order_acquire, memory_order_acquire))
            return true;
    }
}

/* Does the items of the `count` shares from this thread's own on. */
static void do_shares(struct ink__pool *pool, size_t thread, size_t count)
{
    unsigned done = 0;
    for (size_t k = 0; k < count; k++) {
        struct share *share = &pool->shares[(thread + k) % pool->threads];
        for (size_t item; take(share, k > 0, &item); done++)
            pool->fn(pool->context, item, thread);
    }
    if (done > 0 && atomic_fetch_sub(&pool->undone, done) == done && atomic_load(&pool->caller_sleeps))
        wake(&pool->undone);
}

/* Does this thread's items of the job that is there while *news is `seen`; then, if the others are late, what is left
 * of theirs. */
static void do_items(struct ink__pool *pool, size_t thread, unsigned seen)
{
    do_shares(pool, thread, 1);
    for (int look = 0; look < PATIENCE; look++) {
        if (atomic_load_explicit(&pool->undone, memory_order_acquire) == 0 ||
            atomic_load_explicit(&pool->news, memory_order_acquire) != seen)
            return;
        relax();
    }
    do_shares(pool, thread, pool->threads);
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
        do_items(place.pool, place.thread, seen);
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
    size_t size;
    if (!ink__multiply(&size, threads, sizeof(struct share)) || size > SIZE_MAX - sizeof(struct ink__pool))
        return NULL;
    struct ink__pool *pool = aligned_alloc(_Alignof(struct ink__pool), sizeof *pool + size);
    pthread_t *others = ink__array(threads, sizeof *others);
    if (pool == NULL || others == NULL) {
        free(pool);
        free(others);
        return NULL;
    }
    *pool = (struct ink__pool){ .threads = threads, .others = others };
    for (size_t i = 0; i < threads; i++)
        pool->shares[i] = (struct share){ 0 };
    pool->started = 1;
    while (pool->started < threads && start(pool, pool->started))
        pool->started++;
    return pool;
}

void ink__pool_do(struct ink__pool *pool, size_t items, ink__item_fn *fn, void *context)
{
    if (pool == NULL || pool->started == 1 || items <= 1) {
        for (size_t item = 0; item < items; item++)
            fn(context, item, 0);
        return;
    }
    pool->fn = fn;
    pool->context = context;
    atomic_store_explicit(&pool->undone, (unsigned)items, memory_order_relaxed);
    for (size_t t = 0; t < pool->threads; t++) {
        const struct ink__range share = ink__part(t, pool->threads, items);
        atomic_store_explicit(&pool->shares[t].ticket, (uint64_t)share.end << 32 | share.begin, memory_order_release);
    }
    tell(pool);
    do_items(pool, 0, atomic_load_explicit(&pool->news, memory_order_relaxed));
    unsigned undone;
    while ((undone = atomic_load_explicit(&pool->undone, memory_order_acquire)) > 0) {
        if (!stays(&pool->undone, undone))
            continue;
        atomic_store(&pool->caller_sleeps, true);
        sleep_on(&pool->undone, undone);
        atomic_store(&pool->caller_sleeps, false);
    }
}

void ink__pool_free(struct ink__pool *pool)
{
    if (pool == NULL)
        return;
    atomic_store(&pool->ending, true);
    tell(pool);
    for (size_t i = 0; i + 1 < pool->started; i++)
        pthread_join(pool->others[i], NULL);
    free(pool->others);
    free(pool);
}
