/* Memory: allocation with checked sizes, and the arena in which a plan lays out everything a step needs. */
#ifndef INK_BASE_MEMORY_H
#define INK_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* The alignment of arrays, a cache line and the widest vector. */
#define INK__ALIGNMENT ((size_t)64)

/* *product = a * b; false, and *product untouched, if that overflows. */
bool ink__multiply(size_t *product, size_t a, size_t b);
/* *sum = a + b, likewise. */
bool ink__add(size_t *sum, size_t a, size_t b);

/* `count` elements of `size` bytes, zeroed; NULL if memory runs out or the product overflows. Free with free(). */
void *ink__array(size_t count, size_t size);

/* A copy of `text`, or NULL. */
char *ink__string(const char *text);

/*
 * An arena is planned before it is made. A plan runs twice over the same code: first with base == NULL, where
 * ink__arena_take only adds up; then, after ink__arena_make, where the same calls in the same order give the addresses.
 */
struct ink__arena {
    unsigned char *base; /* 64-byte aligned; NULL while measuring */
    size_t used, size;   /* bytes */
    bool overflow;       /* a size did not fit size_t */
};

/* `count` elements of `size` bytes, aligned to 64, followed by at least 64 bytes that may be read past the end. */
void *ink__arena_take(struct ink__arena *arena, size_t count, size_t size);
/* Allocates what was measured, zeroed, and starts over. False if memory runs out or a size overflowed. */
bool ink__arena_make(struct ink__arena *arena);
void ink__arena_free(struct ink__arena *arena);

#endif
