/*
 * What a page of `inkling export --format html` computes with, compiled to WebAssembly: the whole of lib/infer, whose
 * functions the page calls one after the other as the C file of the same network would, and the preparation of pictures
 * that `inkling predict` uses. Memory is malloc's.
 */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "data/picture.h"

#pragma GCC visibility push(default)

/* Its functions are static in an exported file; here they are what the page sees. */
#define static
#include "infer/infer.c"
#undef static

/* Makes the image that a network of this input sees in a picture of (height, width, 3) bytes: (rows, columns, channels)
 * intensities from 0 to 1. False if there is nothing to see. */
bool page_prepare(uint8_t *picture, size_t height, size_t width, bool raw, size_t rows, size_t columns, size_t channels,
                  float *image)
{
    char name[] = "drawing";
    const struct ink_picture drawing = { .name = name, .shape = { height, width, 3 }, .pixels = picture };
    const struct ink_shape shape = { rows, columns, channels };
    const size_t count = rows * columns * channels;
    uint8_t *const pixels = malloc(count);
    const bool is_made =
        pixels != NULL && ink_picture_fit(&drawing, raw ? INK_FIT_RAW : INK_FIT_DIGIT, shape, pixels, NULL) == INK_OK;
    for (size_t i = 0; is_made && i < count; i++)
        image[i] = (float)pixels[i] / 255.0f;
    free(pixels);
    return is_made;
}

#pragma GCC visibility pop

/* A page needs no message: where something fails, there is no answer. */
enum ink_status ink__fail(struct ink_error *err, enum ink_status code, const char *format, ...)
{
    (void)err;
    (void)format;
    return code;
}

enum ink_status ink__fail_memory(struct ink_error *err)
{
    (void)err;
    return INK_FAILED;
}
