/*
 * Threads: a pool that runs one function in a team, and the team's barrier. The only file that knows the thread runtime.
 *
 * Written by hand on POSIX threads because of the barrier. A step has a few, tens of microseconds apart: a barrier must spin
 * to be quick, and must stop spinning soon where the machine is busy and the one waited for has been taken off its
 * processor. OpenMP's barrier spins for milliseconds there, which made an epoch 30 times slower.
 */
#ifndef INK_BASE_PARALLEL_H
#define INK_BASE_PARALLEL_H

#include <stddef.h>

struct ink__pool;

/* Which of how many threads this is. A team of one has no pool. */
struct ink__team {
    size_t thread, threads;
    struct ink__pool *pool;
};

typedef void ink__team_fn(void *context, struct ink__team team);

/* A pool of `threads` threads, of which the caller of ink__pool_run is one. Where the system gives fewer, it has fewer. NULL
 * if memory runs out. */
struct ink__pool *ink__pool_new(size_t threads);
/* Accepts NULL. */
void ink__pool_free(struct ink__pool *pool);

/* Runs fn in every thread of the pool and returns when all have returned. */
void ink__pool_run(struct ink__pool *pool, ink__team_fn *fn, void *context);

/* Inside fn: waits until every thread of the team is here. Every thread must come as often as the others. */
void ink__barrier(struct ink__team team);

/* The part of [0, count) that is this thread's: contiguous, the parts differing by one at most. */
struct ink__range {
    size_t begin, end;
};
static inline struct ink__range ink__share(struct ink__team team, size_t count)
{
    return (struct ink__range){ count * team.thread / team.threads, count * (team.thread + 1) / team.threads };
}

#endif
