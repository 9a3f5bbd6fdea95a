/*
 * PNG through libpng. Reading uses its full interface: the simplified one (1.6.39) mixes up the rows of an interlaced
 * picture of 16 bits. Levels are taken as they stand, whatever gamma a file declares.
 */
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "data/picture.h"

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

struct source {
    const unsigned char *bytes;
    size_t size, at;
    char message[128]; /* libpng's, of the error that ended reading */
};

static void read_bytes(png_structp png, png_bytep to, size_t size)
{
    struct source *source = png_get_io_ptr(png);
    if (size > source->size - source->at)
        png_error(png, "truncated");
    memcpy(to, source->bytes + source->at, size);
    source->at += size;
}

static void on_error(png_structp png, png_const_charp message)
{
    struct source *source = png_get_error_ptr(png);
    snprintf(source->message, sizeof source->message, "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/* Lays pixels of `channels`, the last of them alpha, over white, in place. */
static void flatten(uint8_t *pixels, size_t count, size_t channels)
{
    const size_t colours = channels - 1;
    for (size_t i = 0; i < count; i++) {
        const unsigned alpha = pixels[i * channels + colours];
        for (size_t c = 0; c < colours; c++)
            pixels[i * colours + c] = (uint8_t)((pixels[i * channels + c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
}

/* The part that libpng may leave by longjmp: it owns nothing, *out is the caller's to free. */
static enum ink_status read_picture(struct ink_picture **out, png_structp png, png_infop info, struct source *source,
                                    size_t most, const char *name, struct ink_error *err)
{
    if (setjmp(png_jmpbuf(png)) != 0)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: a damaged PNG: %s", name, source->at, source->message);
    png_set_read_fn(png, source, read_bytes);
    png_read_info(png, info);
    png_set_expand(png); /* palettes to colours, 1 to 4 bits to 8, a transparent colour to alpha */
    png_set_scale_16(png);
    const int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);

    const size_t height = png_get_image_height(png, info), width = png_get_image_width(png, info);
    const size_t channels = png_get_channels(png, info);
    const enum ink_status status = ink__picture_new(out, height, width, channels, most, name, err);
    if (status != INK_OK)
        return status;
    for (int pass = 0; pass < passes; pass++) {
        for (size_t y = 0; y < height; y++)
            png_read_row(png, (*out)->pixels + y * width * channels, NULL);
    }
    png_read_end(png, NULL);
    if (png_get_color_type(png, info) & PNG_COLOR_MASK_ALPHA) {
        flatten((*out)->pixels, height * width, channels);
        (*out)->shape.channels = channels - 1;
    }
    return INK_OK;
}

enum ink_status ink__png_decode(struct ink_picture **out, const void *bytes, size_t size, size_t most, const char *name,
                                struct ink_error *err)
{
    struct source source = { .bytes = bytes, .size = size };
    *out = NULL;
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, on_error, on_warning);
    png_infop info = png == NULL ? NULL : png_create_info_struct(png);
    const enum ink_status status =
        info == NULL ? ink__fail_memory(err) : read_picture(out, png, info, &source, most, name, err);
    png_destroy_read_struct(&png, &info, NULL);
    if (status != INK_OK) {
        ink_picture_free(*out);
        *out = NULL;
    }
    return status;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

enum ink_status ink__png_encode(unsigned char **bytes, size_t *size, struct ink_shape shape, const uint8_t *pixels,
                                const char *path, struct ink_error *err)
{
    size_t area;
    *bytes = NULL;
    if (shape.channels != 1 && shape.channels != 3)
        return ink__fail(err, INK_BAD_ARGUMENT, "%s: %zu channels, expected 1 or 3", path, shape.channels);
    if (shape.height == 0 || shape.height > INT32_MAX || shape.width == 0 || shape.width > INT32_MAX ||
        !ink__multiply(&area, shape.height, shape.width) || area > INT32_MAX / shape.channels)
        return ink__fail(err, INK_BAD_ARGUMENT, "%s: %zu x %zu pixels do not fit a PNG", path, shape.width,
                         shape.height);

    enum ink_status status = INK_OK;
    png_image image = { .version = PNG_IMAGE_VERSION,
                        .width = (png_uint_32)shape.width,
                        .height = (png_uint_32)shape.height,
                        .format = shape.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY };
    png_alloc_size_t encoded = PNG_IMAGE_PNG_SIZE_MAX(image); /* becomes what was used */
    *bytes = ink__array(encoded, 1);
    if (*bytes == NULL)
        status = ink__fail_memory(err);
    else if (!png_image_write_to_memory(&image, *bytes, &encoded, 0, pixels, 0, NULL))
        status = ink__fail(err, INK_FAILED, "%s: cannot encode a PNG: %s", path, image.message);
    *size = encoded;
    if (status != INK_OK) {
        free(*bytes);
        *bytes = NULL;
    }
    png_image_free(&image);
    return status;
}

enum ink_status ink_picture_write_png(const char *path, struct ink_shape shape, const uint8_t *pixels,
                                      struct ink_error *err)
{
    struct ink__writer writer;
    unsigned char *bytes;
    size_t size = 0;
    enum ink_status status = ink__png_encode(&bytes, &size, shape, pixels, path, err);
    if (status == INK_OK)
        status = ink__writer_open(&writer, path, err);
    if (status == INK_OK) {
        ink__writer_write(&writer, bytes, size);
        status = ink__writer_commit(&writer, err);
    }
    free(bytes);
    return status;
}
