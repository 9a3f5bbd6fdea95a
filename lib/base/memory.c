#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool ink__multiply(size_t *product, size_t a, size_t b)
{
    return !__builtin_mul_overflow(a, b, product);
}

bool ink__add(size_t *sum, size_t a, size_t b)
{
    return !__builtin_add_overflow(a, b, sum);
}

void *ink__array(size_t count, size_t size)
{
    return calloc(count > 0 ? count : 1, size > 0 ? size : 1);
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
    memset(arena->base, 0, arena->size);
    arena->used = 0;
    return true;
}

void ink__arena_free(struct ink__arena *arena)
{
    free(arena->base);
    *arena = (struct ink__arena){ 0 };
}
