/*
 * From a picture to what a network expects: as MNIST's digits were made, or only resized.
 *
 * MNIST's digits are bright on black, scaled to fit 20 x 20 keeping their form, and placed in 28 x 28 so that their
 * centre of mass is in pixel (14, 14). A network trained on them is helpless with anything else.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/picture.h"

/* ---- Resizing ---------------------------------------------------------------------------------------------------- */

/* The colour of output pixel (y, x) of (height, width): three channels, equal for a grey picture. */
static void sample_colour(double colour[3], const struct ink_picture *picture, const struct ink__window *rows,
                          const struct ink__window *columns)
{
    const struct ink_shape shape = picture->shape;
    for (size_t c = 0; c < 3; c++) {
        const struct ink__view channel = { picture->pixels + c, shape.height, shape.width, shape.width * shape.channels,
                                           shape.channels };
        colour[c] = c < shape.channels ? ink__view_sample(&channel, rows, columns) : colour[0];
    }
}

static void resize(const struct ink_picture *picture, struct ink_shape shape, uint8_t *pixels)
{
    const struct ink_shape from = picture->shape;
    if (from.height == shape.height && from.width == shape.width && from.channels == shape.channels) {
        memcpy(pixels, picture->pixels, shape.height * shape.width * shape.channels);
        return; /* as the windows would have it, but at once */
    }
    for (size_t y = 0; y < shape.height; y++) {
        const struct ink__window rows = ink__window_of(y, shape.height, from.height);
        for (size_t x = 0; x < shape.width; x++) {
            const struct ink__window columns = ink__window_of(x, shape.width, from.width);
            uint8_t *pixel = pixels + (y * shape.width + x) * shape.channels;
            double colour[3] = { 0.0 };
            sample_colour(colour, picture, &rows, &columns);
            if (shape.channels == 1) /* Rec. 601 */
                colour[0] = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2];
            for (size_t c = 0; c < shape.channels; c++)
                pixel[c] = ink__round_byte(colour[c]);
        }
    }
}

void ink__picture_grey(const struct ink_picture *picture, size_t height, size_t width, uint8_t *levels)
{
    resize(picture, (struct ink_shape){ height, width, 1 }, levels);
}

/* ---- As MNIST was made ------------------------------------------------------------------------------------------- */

/* `size` times `scale`, at least 1 and at most `most`. */
static size_t scaled(size_t size, double scale, size_t most)
{
    const size_t to = (size_t)floor((double)size * scale + 0.5);
    return to < 1 ? 1 : to > most ? most : to;
}

/* Where `size` pixels, whose centre of mass is at `centre`, begin in `side` so that it comes to the middle; or as near
 * as they fit. */
static size_t begin_at(double centre, size_t size, size_t side)
{
    const double begin = floor((double)side / 2 - centre + 0.5), most = (double)(side - size);
    return (size_t)(begin < 0 ? 0 : begin > most ? most : begin);
}

void ink__digit_place(const struct ink__view *box, struct ink_shape shape, uint8_t *pixels, double *scaled_ink)
{
    const double down = (double)shape.height * 20 / 28 / (double)box->height;
    const double across = (double)shape.width * 20 / 28 / (double)box->width;
    const double scale = down < across ? down : across;
    const size_t height = scaled(box->height, scale, shape.height), width = scaled(box->width, scale, shape.width);

    double mass = 0, mass_x = 0, mass_y = 0, strongest = 0;
    for (size_t y = 0; y < height; y++) {
        const struct ink__window rows = ink__window_of(y, height, box->height);
        for (size_t x = 0; x < width; x++) {
            const struct ink__window columns = ink__window_of(x, width, box->width);
            const double ink = ink__view_sample(box, &rows, &columns);
            scaled_ink[y * width + x] = ink;
            mass += ink;
            mass_x += ink * (double)x;
            mass_y += ink * (double)y;
            strongest = ink > strongest ? ink : strongest;
        }
    }
    const size_t top = begin_at(mass_y / mass, height, shape.height);
    const size_t left = begin_at(mass_x / mass, width, shape.width);
    memset(pixels, 0, shape.height * shape.width * shape.channels);
    for (size_t y = 0; y < height; y++) {
        for (size_t x = 0; x < width; x++) {
            const uint8_t level = ink__round_byte(scaled_ink[y * width + x] * 255 / strongest);
            memset(pixels + ((top + y) * shape.width + left + x) * shape.channels, level, shape.channels);
        }
    }
}

static enum ink_status fit_digit(const struct ink_picture *picture, struct ink_shape shape, uint8_t *pixels,
                                 struct ink_error *err)
{
    struct ink__drawing drawing = { 0 };
    double *scratch = ink__array(shape.height * shape.width, sizeof *scratch);
    const enum ink_status status = scratch == NULL ? ink__fail_memory(err) : ink__drawing_find(&drawing, picture, err);
    if (status == INK_OK) {
        struct ink_box box = drawing.pieces[0].box;
        for (size_t p = 1; p < drawing.count; p++)
            box = ink__box_union(box, drawing.pieces[p].box);
        const struct ink__view view = { drawing.ink + box.top * drawing.width + box.left, box.height, box.width,
                                        drawing.width, 1 };
        ink__digit_place(&view, shape, pixels, scratch);
    }
    ink__drawing_free(&drawing);
    free(scratch);
    return status;
}

enum ink_status ink__fit_check(const struct ink_picture *picture, struct ink_shape shape, struct ink_error *err)
{
    size_t size;
    if (shape.height == 0 || shape.width == 0 || (shape.channels != 1 && shape.channels != 3) ||
        !ink__multiply(&size, shape.height, shape.width) || !ink__multiply(&size, size, sizeof(double)))
        return ink__fail(err, INK_BAD_ARGUMENT, "%s: a picture cannot become %zu x %zu x %zu", picture->name,
                         shape.height, shape.width, shape.channels);
    return INK_OK;
}

enum ink_status ink_picture_fit(const struct ink_picture *picture, enum ink_fit fit, struct ink_shape shape,
                                uint8_t *pixels, struct ink_error *err)
{
    const enum ink_status status = ink__fit_check(picture, shape, err);
    if (status != INK_OK)
        return status;
    if (fit == INK_FIT_DIGIT)
        return fit_digit(picture, shape, pixels, err);
    resize(picture, shape, pixels);
    return INK_OK;
}
