/*
 * Threads: a pool that does the items of a job, dynamically. The only room that knows the thread runtime.
 *
 * Written by hand on POSIX threads because a training step has jobs of tens of microseconds, on machines that others
 * use too. Nobody here waits for a thread to arrive: a job is done when its items are, whoever did them, and a thread
 * that the system has taken off its processor holds up the one item it had, and those that go on from it (ink__await).
 * With OpenMP's barriers, which spin for milliseconds, an epoch on a busy machine took 30 times as long.
 */
#ifndef INK_BASE_PARALLEL_H
#define INK_BASE_PARALLEL_H

#include <stdatomic.h>
#include <stddef.h>

struct ink__pool;

/* Does item `item` of a job, in thread `thread` of the pool (for its scratch memory). What it computes must not depend
 * on the thread. */
typedef void ink__item_fn(void *context, size_t item, size_t thread);

/* A pool of `threads` threads, of which the caller of ink__pool_do is one. Where the system gives fewer, it has fewer.
 * NULL if memory runs out. */
struct ink__pool *ink__pool_new(size_t threads);
/* Accepts NULL. */
void ink__pool_free(struct ink__pool *pool);

/* Does fn(context, item, thread) for every item below `items` (at most UINT32_MAX) and returns when all are done. What
 * was written before is seen by the items, and what they wrote is seen after. A NULL pool is one of the caller alone.
 */
void ink__pool_do(struct ink__pool *pool, size_t items, ink__item_fn *fn, void *context);

/* Inside an item: waits until *word is `value`, which another item of the job sets when it has done what this one goes
 * on from. That item must come before this one by a whole share, items / threads rounded up. No wait is then for ever,
 * whoever took what: the caller takes the shares in their order, so somebody does the lowest item that is not done. */
void ink__await(const atomic_uint *word, unsigned value);

/* Part `part` of [0, count) cut into `parts`: contiguous, the parts differing by one at most. */
struct ink__range {
    size_t begin, end;
};
static inline struct ink__range ink__part(size_t part, size_t parts, size_t count)
{
    return (struct ink__range){ count * part / parts, count * (part + 1) / parts };
}

#endif
