/*
 * The seam to the thread runtime: OpenMP where it was found, one thread elsewhere, with the same bits.
 */
#ifndef INK_BASE_PARALLEL_H
#define INK_BASE_PARALLEL_H

#include <stddef.h>

/* Which of how many threads this is. */
struct ink__team {
    size_t thread, threads;
};

typedef void ink__parallel_fn(void *context, struct ink__team team);

/* Runs fn in a team of at most `threads` threads and returns when all have returned. */
void ink__parallel(size_t threads, ink__parallel_fn *fn, void *context);

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
