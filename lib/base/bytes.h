/* Numbers as they stand in files: unaligned bytes, lowest first (little) or highest first (big). */
#ifndef INK_BASE_BYTES_H
#define INK_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The number in `width` bytes, at most 8. */
static inline uint64_t ink__bytes_get(const unsigned char *bytes, size_t width, bool big_endian)
{
    uint64_t number = 0;
    for (size_t i = 0; i < width; i++)
        number = number << 8 | bytes[big_endian ? i : width - 1 - i];
    return number;
}

static inline uint32_t ink__little16(const unsigned char *bytes)
{
    return (uint32_t)ink__bytes_get(bytes, 2, false);
}

static inline uint32_t ink__little32(const unsigned char *bytes)
{
    return (uint32_t)ink__bytes_get(bytes, 4, false);
}

static inline uint64_t ink__little64(const unsigned char *bytes)
{
    return ink__bytes_get(bytes, 8, false);
}

static inline uint32_t ink__big32(const unsigned char *bytes)
{
    return (uint32_t)ink__bytes_get(bytes, 4, true);
}

/* Writes the lowest `width` bytes of `number`, lowest first, and returns what follows them. */
static inline unsigned char *ink__put_little(unsigned char *bytes, uint64_t number, size_t width)
{
    for (size_t i = 0; i < width; i++)
        *bytes++ = (unsigned char)(number >> 8 * i);
    return bytes;
}

#endif
