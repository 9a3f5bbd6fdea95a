/*
 * Arrays in guarded memory, for the kernels' contract about memory: 64 bytes behind its end an array may be read, where
 * NaN and infinity lie in wait, but one byte further is a page that crashes; and what is written outside shows.
 */
#ifndef INK_TESTS_GUARD_H
#define INK_TESTS_GUARD_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { GUARD_SLACK = 64, GUARD_PAGE = 65536, GUARD_MOST = 32 };

static struct guarded {
    unsigned char *map, *begin, *end; /* of the mapping, and of the array inside */
    size_t size;                      /* of the mapping, the forbidden page included */
} guarded[GUARD_MOST];
static size_t guarded_count;

static inline unsigned char guard_byte(const struct guarded *g, const unsigned char *at)
{
    static const float wait[4] = { NAN, INFINITY, -NAN, -INFINITY };
    return at < g->begin ? 0xa5 : ((const unsigned char *)wait)[(size_t)(at - g->end) % sizeof wait];
}

/* Mappings are kept and used again, growing: to make one is slow. */
static inline void guard_map(struct guarded *g, size_t size)
{
    if (g->map != NULL)
        munmap(g->map, g->size);
    g->size = size;
    g->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g->map == MAP_FAILED || mprotect(g->map + size - GUARD_PAGE, GUARD_PAGE, PROT_NONE) != 0) {
        perror("guard_map");
        exit(EXIT_FAILURE);
    }
}

/* `count` elements of `size` bytes, zeroed, their end aligned to 64. */
static inline void *guard_array(size_t count, size_t size)
{
    const size_t bytes = count * size;
    struct guarded *g = &guarded[guarded_count++];
    if (guarded_count > GUARD_MOST)
        abort();
    if (g->size < bytes + 2 * GUARD_SLACK + GUARD_PAGE)
        guard_map(g, (bytes + 2 * GUARD_SLACK + GUARD_PAGE - 1) / GUARD_PAGE * GUARD_PAGE + GUARD_PAGE);
    g->end = g->map + g->size - GUARD_PAGE - GUARD_SLACK;
    g->begin = g->end - bytes;
    memset(g->begin, 0, bytes);
    for (unsigned char *at = g->begin - GUARD_SLACK; at < g->begin; at++)
        *at = guard_byte(g, at);
    for (unsigned char *at = g->end; at < g->end + GUARD_SLACK; at++)
        *at = guard_byte(g, at);
    return g->begin;
}

/* Gives all arrays back; false if something was written around one. */
static inline int guard_release(void)
{
    int whole = 1;
    for (; guarded_count > 0; guarded_count--) {
        const struct guarded *g = &guarded[guarded_count - 1];
        for (const unsigned char *at = g->begin - GUARD_SLACK; at < g->begin; at++)
            whole = whole && *at == guard_byte(g, at);
        for (const unsigned char *at = g->end; at < g->end + GUARD_SLACK; at++)
            whole = whole && *at == guard_byte(g, at);
    }
    return whole;
}

#endif
