/* The pool: every item is done once, whatever threads the system gives, and an item may go on from an earlier one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/parallel.h"

enum { MOST_THREADS = 8 };

/* How many threads the system still gives. The linker's --wrap sends the pool's calls here. */
static size_t given;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *), void *argument)
{
    if (given == 0)
        return EAGAIN;
    given--;
    return __real_pthread_create(thread, attributes, fn, argument);
}

static struct ink__pool *pool_of(size_t threads, size_t others)
{
    given = others;
    struct ink__pool *pool = ink__pool_new(threads);
    assert_non_null(pool);
    return pool;
}

/* Long enough that the other threads give up waiting for this one. */
static void dawdle(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
}

/* ---- Items ------------------------------------------------------------------------------------------------------- */

enum { MOST_ITEMS = 300 };

struct items {
    size_t threads;
    atomic_uint done[MOST_ITEMS];
    atomic_uint strangers; /* thread numbers that are not the pool's */
};

static void count_item(void *context, size_t item, size_t thread)
{
    struct items *items = context;
    if (item == 0)
        dawdle();
    atomic_fetch_add(&items->done[item], 1);
    if (thread >= items->threads)
        atomic_fetch_add(&items->strangers, 1);
}

static void test_items(void **state)
{
    static const size_t counts[] = { 0, 1, 2, 7, 8, 9, MOST_ITEMS };
    static struct items items;
    (void)state;
    for (size_t threads = 1; threads <= MOST_THREADS; threads++) {
        for (size_t others = 0; others < threads; others++) {
            struct ink__pool *pool = pool_of(threads, others);
            for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
                items = (struct items){ .threads = threads };
                ink__pool_do(pool, counts[c], count_item, &items);
                for (size_t i = 0; i < MOST_ITEMS; i++)
                    assert_int_equal(items.done[i], i < counts[c] ? 1 : 0);
                assert_int_equal(items.strangers, 0);
            }
            ink__pool_free(pool);
        }
    }
}

static void test_no_pool(void **state)
{
    static struct items items = { .threads = 1 };
    (void)state;
    ink__pool_do(NULL, 5, count_item, &items);
    for (size_t i = 0; i < MOST_ITEMS; i++)
        assert_int_equal(items.done[i], i < 5 ? 1 : 0);
    ink__pool_free(NULL);
}

/* ---- Waiting ----------------------------------------------------------------------------------------------------- */

enum { CHAINS = 7 };

/* Chains of `links` links; item i is link i / CHAINS of chain i % CHAINS. */
struct chains {
    size_t slow; /* the item that takes long */
    atomic_uint done[CHAINS];
    unsigned value[CHAINS]; /* changed by one item at a time */
};

static unsigned next_value(unsigned value, size_t link)
{
    return 31 * value + (unsigned)link + 1;
}

static void add_link(void *context, size_t item, size_t thread)
{
    struct chains *chains = context;
    const size_t link = item / CHAINS, chain = item % CHAINS;
    (void)thread;
    if (item == chains->slow)
        dawdle();
    ink__await(&chains->done[chain], (unsigned)link);
    chains->value[chain] = next_value(chains->value[chain], link);
    atomic_store_explicit(&chains->done[chain], (unsigned)link + 1, memory_order_release);
}

static void check_chains(struct ink__pool *pool, size_t links, size_t slow)
{
    struct chains chains = { .slow = slow };
    unsigned expected = 0;
    for (size_t link = 0; link < links; link++)
        expected = next_value(expected, link);
    ink__pool_do(pool, links * CHAINS, add_link, &chains);
    for (size_t c = 0; c < CHAINS; c++)
        assert_int_equal(chains.value[c], expected);
}

/* At most a link for every thread, as ink__await asks; and any of them may be missing, or late. */
static void test_chains(void **state)
{
    (void)state;
    for (size_t threads = 1; threads <= MOST_THREADS; threads++) {
        for (size_t others = 0; others < threads; others++) {
            struct ink__pool *pool = pool_of(threads, others);
            for (size_t links = 1; links <= threads; links++)
                for (size_t slow = 0; slow <= links * CHAINS; slow += 3)
                    check_chains(pool, links, slow);
            ink__pool_free(pool);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_items), cmocka_unit_test(test_no_pool),
                                        cmocka_unit_test(test_chains) };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
