/* Zip archives whose checksums are made right, or few inputs would get past them: those of the entries that are
 * stored. */
#ifndef INK_FUZZ_ZIP_H
#define INK_FUZZ_ZIP_H

#include <stdint.h>
#include <string.h>
#include <zlib.h>

enum { ZIP_LOCAL = 30, ZIP_CENTRAL = 46 /* bytes of an entry's two headers without its name */ };

static inline size_t zip_number(const uint8_t *at, size_t bytes)
{
    size_t number = 0;
    for (size_t i = bytes; i-- > 0;)
        number = number << 8 | at[i];
    return number;
}

static inline void zip_mend(uint8_t *zip, size_t size)
{
    for (size_t at = 0; at + ZIP_CENTRAL <= size; at++) {
        if (memcmp(zip + at, "PK\1\2", 4) != 0 || zip_number(zip + at + 10, 2) != 0)
            continue;
        const size_t bytes = zip_number(zip + at + 20, 4), local = zip_number(zip + at + 42, 4);
        if (local > size || size - local < ZIP_LOCAL)
            continue;
        const size_t begin = local + ZIP_LOCAL + zip_number(zip + local + 26, 2) + zip_number(zip + local + 28, 2);
        if (begin > size || bytes > size - begin)
            continue;
        const uLong sum = crc32(0, zip + begin, (uInt)bytes);
        for (size_t i = 0; i < 4; i++)
            zip[at + 16 + i] = zip[local + 14 + i] = (uint8_t)(sum >> 8 * i);
    }
}

#endif
