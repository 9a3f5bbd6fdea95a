#include "data/each.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"

/* Items between two looks at the clock by whoever draws the progress; files of 10 ms make it a second. */
enum { ITEMS_TOGETHER = 128 };

/* What one thread failed at first, in the items done together. */
struct failure {
    enum ink_status status;
    size_t item;
    struct ink_error err;
};

struct job {
    ink__each_fn *fn;
    void *context;
    size_t first;             /* item of those done together */
    struct failure *failures; /* (threads) */
};

static void do_item(void *context, size_t i, size_t thread)
{
    const struct job *job = context;
    struct failure *const failure = &job->failures[thread];
    struct ink_error err;
    const enum ink_status status = job->fn(job->context, job->first + i, &err);
    if (status != INK_OK && (failure->status == INK_OK || job->first + i < failure->item))
        *failure = (struct failure){ status, job->first + i, err };
}

static enum ink_status first_failure(const struct failure *failures, size_t threads, struct ink_error *err)
{
    const struct failure *first = &failures[0];
    for (size_t t = 1; t < threads; t++)
        if (failures[t].status != INK_OK && (first->status == INK_OK || failures[t].item < first->item))
            first = &failures[t];
    if (first->status != INK_OK && err != NULL)
        *err = first->err;
    return first->status;
}

enum ink_status ink__each(ink__each_fn *fn, void *context, size_t count, const struct ink_work *work, const char *name,
                          struct ink_error *err)
{
    enum ink_status status = INK_OK;
    const size_t wanted = work->threads > 0 ? work->threads : ink_usable_cpus();
    const size_t threads = wanted < count ? wanted : count > 0 ? count : 1;
    struct ink__pool *const pool = ink__pool_new(threads);
    struct job job = { fn, context, 0, ink__array(threads, sizeof *job.failures) };
    if (pool == NULL || job.failures == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    while (status == INK_OK && job.first < count) {
        const size_t left = count - job.first, items = left < ITEMS_TOGETHER ? left : ITEMS_TOGETHER;
        ink__pool_do(pool, items, do_item, &job);
        status = first_failure(job.failures, threads, err);
        job.first += items;
        if (status == INK_OK && work->on_progress != NULL && !work->on_progress(work->context, job.first, count))
            status = ink__fail(err, INK_STOPPED, "%s: stopped after %zu of %zu", name, job.first, count);
    }
out:
    free(job.failures);
    ink__pool_free(pool);
    return status;
}
