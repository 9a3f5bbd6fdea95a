/* Pictures: PNG and PNM, decoded and fitted. A PNG's checksums are made right first, or few inputs would get past
 * them. */
#include "input.h"

#include "inkling.h"

#include <zlib.h>

enum { SIGNATURE = 8, CHUNK = 12 /* length, type and checksum */ };

static void put32(uint8_t *at, uint32_t value)
{
    for (size_t i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void mend_checksums(uint8_t *png, size_t size)
{
    for (size_t at = SIGNATURE; at + CHUNK <= size;) {
        const size_t length =
            (size_t)png[at] << 24 | (size_t)png[at + 1] << 16 | (size_t)png[at + 2] << 8 | png[at + 3];
        if (length > size - at - CHUNK)
            return;
        put32(png + at + 8 + length, (uint32_t)crc32(0, png + at + 4, (uInt)(length + 4)));
        at += CHUNK + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ink_shape shapes[] = { { 28, 28, 1 }, { 8, 6, 3 } };
    uint8_t pixels[28 * 28], *copy = (uint8_t *)input_text(data, size);
    struct ink_picture *picture;
    if (size > SIGNATURE && copy[0] == 0x89)
        mend_checksums(copy, size);
    if (ink_picture_decode(&picture, copy, size, "input", NULL) == INK_OK) {
        for (size_t i = 0; i < 2; i++)
            for (enum ink_fit fit = INK_FIT_DIGIT; fit <= INK_FIT_RAW; fit++)
                ink_picture_fit(picture, fit, shapes[i], pixels, NULL);
        ink_picture_free(picture);
    }
    free(copy);
    return 0;
}
