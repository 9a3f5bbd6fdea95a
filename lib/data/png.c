/* PNG through libpng's simplified interface, which handles every colour type, depth and interlacing, lays alpha over a
 * background, and catches its own errors. */
#include <png.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "data/picture.h"

enum ink_status ink__png_decode(struct ink_picture **out, const void *bytes, size_t size, const char *name,
                                struct ink_error *err)
{
    static const png_color white = { 255, 255, 255 };
    png_image image = { .version = PNG_IMAGE_VERSION };
    enum ink_status status = INK_OK;
    *out = NULL;
    if (!png_image_begin_read_from_memory(&image, bytes, size)) {
        status = ink__fail(err, INK_BAD_INPUT, "%s: a damaged PNG: %s", name, image.message);
        goto out;
    }
    const bool colour = (image.format & PNG_FORMAT_FLAG_COLOR) != 0;
    image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB; /* 16 bits are finer steps of the same scale, not linear light */
    status = ink__picture_new(out, image.height, image.width, colour ? 3 : 1, name, err);
    if (status != INK_OK)
        goto out;
    if (!png_image_finish_read(&image, &white, (*out)->pixels, 0, NULL)) {
        status = ink__fail(err, INK_BAD_INPUT, "%s: a damaged PNG: %s", name, image.message);
        ink_picture_free(*out);
        *out = NULL;
    }
out:
    png_image_free(&image);
    return status;
}

enum ink_status ink_picture_write_png(const char *path, struct ink_shape shape, const uint8_t *pixels,
                                      struct ink_error *err)
{
    size_t size;
    if (shape.channels != 1 && shape.channels != 3)
        return ink__fail(err, INK_BAD_ARGUMENT, "%s: %zu channels, expected 1 or 3", path, shape.channels);
    if (shape.height == 0 || shape.height > INT32_MAX || shape.width == 0 || shape.width > INT32_MAX ||
        !ink__multiply(&size, shape.height, shape.width) || size > INT32_MAX / shape.channels)
        return ink__fail(err, INK_BAD_ARGUMENT, "%s: %zu x %zu pixels do not fit a PNG", path, shape.width,
                         shape.height);

    enum ink_status status = INK_OK;
    png_image image = { .version = PNG_IMAGE_VERSION,
                        .width = (png_uint_32)shape.width,
                        .height = (png_uint_32)shape.height,
                        .format = shape.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY };
    png_alloc_size_t encoded = PNG_IMAGE_PNG_SIZE_MAX(image); /* becomes what was used */
    unsigned char *bytes = ink__array(encoded, 1);
    if (bytes == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    if (!png_image_write_to_memory(&image, bytes, &encoded, 0, pixels, 0, NULL)) {
        status = ink__fail(err, INK_FAILED, "%s: cannot encode a PNG: %s", path, image.message);
        goto out;
    }
    struct ink__writer writer;
    status = ink__writer_open(&writer, path, err);
    if (status == INK_OK) {
        ink__writer_write(&writer, bytes, encoded);
        status = ink__writer_commit(&writer, err);
    }
out:
    png_image_free(&image);
    free(bytes);
    return status;
}
