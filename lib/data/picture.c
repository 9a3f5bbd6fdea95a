#include "data/picture.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

#define MOST_PIXELS ((size_t)64 * 1000 * 1000)

/* How files start: those that are decoded, and those that users try, to tell them what they have. */
static const struct format {
    const char *name, *signature;
    ink__picture_decoder *decode; /* NULL: not read */
} formats[] = {
    { "PNG", "\x89PNG", ink__png_decode }, { "PGM", "P2", ink__pnm_decode }, { "PGM", "P5", ink__pnm_decode },
    { "PPM", "P3", ink__pnm_decode },      { "PPM", "P6", ink__pnm_decode }, { "PBM bitmap", "P1", NULL },
    { "PBM bitmap", "P4", NULL },          { "PAM picture", "P7", NULL },    { "JPEG picture", "\xff\xd8\xff", NULL },
    { "GIF picture", "GIF8", NULL },       { "BMP picture", "BM", NULL },    { "TIFF picture", "II*", NULL },
    { "TIFF picture", "MM", NULL },        { "WebP picture", "RIFF", NULL }, { "web page or SVG drawing", "<", NULL },
};

enum ink_status ink__picture_new(struct ink_picture **out, size_t height, size_t width, size_t channels, size_t most,
                                 const char *name, struct ink_error *err)
{
    size_t pixels;
    *out = NULL;
    if (height == 0 || width == 0)
        return ink__fail(err, INK_BAD_INPUT, "%s: %zu x %zu pixels, expected at least one", name, width, height);
    if (!ink__multiply(&pixels, height, width) || pixels > MOST_PIXELS)
        return ink__fail(err, INK_BAD_INPUT, "%s: %zu x %zu pixels, expected at most 64 megapixels", name, width,
                         height);
    if (pixels > most)
        return ink__fail(err, INK_BAD_ARGUMENT, "%s: %zu x %zu pixels, expected at most %zu", name, width, height,
                         most);
    struct ink_picture *picture = ink__array(1, sizeof *picture);
    if (picture != NULL) {
        picture->name = ink__string(name);
        picture->pixels = ink__array(pixels, channels);
    }
    if (picture == NULL || picture->name == NULL || picture->pixels == NULL) {
        ink_picture_free(picture);
        return ink__fail_memory(err);
    }
    picture->shape = (struct ink_shape){ height, width, channels };
    *out = picture;
    return INK_OK;
}

enum ink_status ink_picture_decode_within(struct ink_picture **out, const void *bytes, size_t size, size_t most,
                                          const char *name, struct ink_error *err)
{
    *out = NULL;
    if (size == 0)
        return ink__fail(err, INK_BAD_INPUT, "%s: empty, expected a PNG, PGM or PPM picture", name);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        const struct format *format = &formats[i];
        const size_t length = strlen(format->signature);
        if (size < length || memcmp(bytes, format->signature, length) != 0)
            continue;
        if (format->decode != NULL)
            return format->decode(out, bytes, size, most, name, err);
        return ink__fail(err, INK_BAD_INPUT, "%s: a %s, expected PNG, PGM or PPM", name, format->name);
    }
    return ink__fail(err, INK_BAD_INPUT, "%s: byte 0: not a picture, expected PNG, PGM or PPM", name);
}

enum ink_status ink_picture_decode(struct ink_picture **out, const void *bytes, size_t size, const char *name,
                                   struct ink_error *err)
{
    return ink_picture_decode_within(out, bytes, size, MOST_PIXELS, name, err);
}

void ink_picture_free(struct ink_picture *picture)
{
    if (picture == NULL)
        return;
    free(picture->pixels);
    free(picture->name);
    free(picture);
}

struct ink_shape ink_picture_shape(const struct ink_picture *picture)
{
    return picture->shape;
}

const uint8_t *ink_picture_pixels(const struct ink_picture *picture)
{
    return picture->pixels;
}
