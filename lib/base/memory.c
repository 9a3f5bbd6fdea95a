#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifndef __wasm__ /* which has no such thing; then nothing is wished */
#include <sys/mman.h>
#endif

/* Blocks from here on are worth huge pages. */
#define LARGE ((size_t)4 * 1024 * 1024)

bool ink__multiply(size_t *product, size_t a, size_t b)
{
    return !__builtin_mul_overflow(a, b, product);
}

bool ink__add(size_t *sum, size_t a, size_t b)
{
    return !__builtin_add_overflow(a, b, sum);
}

/* Asks for huge pages under a large block that is still untouched: the first touch of 47 MB in small pages can cost
 * more than decompressing into it. A wish only: where it is not granted, nothing changes. */
static void prefer_huge_pages(void *block, size_t size)
{
#ifdef MADV_HUGEPAGE
    const uintptr_t page = 4096, begin = ((uintptr_t)block + page - 1) / page * page;
    if (size >= LARGE)
        madvise((void *)begin, (uintptr_t)block + size - begin, MADV_HUGEPAGE);
#else
    (void)block;
    (void)size;
#endif
}

void *ink__array(size_t count, size_t size)
{
    void *block = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    if (block != NULL)
        prefer_huge_pages(block, count * size); /* calloc found that it does not overflow */
    return block;
}

char *ink__string(const char *text)
{
    const size_t size = strlen(text) + 1;
    char *copy = ink__array(size, 1);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

void *ink__arena_take(struct ink__arena *arena, size_t count, size_t size)
{
    void *address = arena->base == NULL ? NULL : arena->base + arena->used;
    size_t bytes;
    if (!ink__multiply(&bytes, count, size) || !ink__add(&bytes, bytes, 2 * INK__ALIGNMENT - 1) ||
        !ink__add(&bytes, bytes / INK__ALIGNMENT * INK__ALIGNMENT, arena->used)) {
        arena->overflow = true;
        return NULL;
    }
    arena->used = bytes;
    return address;
}

bool ink__arena_make(struct ink__arena *arena)
{
    if (arena->overflow || arena->used > SIZE_MAX / 2)
        return false;
    arena->size = arena->used > 0 ? arena->used : INK__ALIGNMENT;
    arena->base = aligned_alloc(INK__ALIGNMENT, arena->size);
    if (arena->base == NULL)
        return false;
    prefer_huge_pages(arena->base, arena->size);
    memset(arena->base, 0, arena->size);
    arena->used = 0;
    return true;
}

void ink__arena_free(struct ink__arena *arena)
{
    free(arena->base);
    *arena = (struct ink__arena){ 0 };
}
