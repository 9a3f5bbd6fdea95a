/* The size of a data set's images: finding it, and changing it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "data/each.h"
#include "data/picture.h"

bool ink__shape_of(struct ink_shape *shape, size_t pixels, struct ink_shape size)
{
    size_t product;
    const size_t channels = size.channels > 0 ? size.channels : 1;
    if (ink__multiply(&product, size.height, size.width) && ink__multiply(&product, product, channels) &&
        product == pixels && pixels > 0) {
        *shape = (struct ink_shape){ size.height, size.width, channels };
        return true;
    }
    for (size_t c = 1; c <= 3; c += 2) {
        const size_t side = (size_t)(sqrt((double)(pixels / c)) + 0.5);
        if (side > 0 && side <= UINT32_MAX / 4 && side * side * c == pixels) {
            *shape = (struct ink_shape){ side, side, c };
            return true;
        }
    }
    return false;
}

/* A data set and what it becomes. */
struct resizing {
    const struct ink_dataset *data;
    struct ink_shape shape;
    size_t image_size;
    uint8_t *pixels; /* (count, H, W, C) of that shape */
};

static enum ink_status resize_image(void *context, size_t i, struct ink_error *err)
{
    const struct resizing *r = context;
    /* A picture's pixels are only read, but are not const, for it may own them. */
    const struct ink_picture picture = { r->data->name, r->data->shape,
                                         (uint8_t *)(uintptr_t)ink_dataset_pixels(r->data, i) };
    return ink_picture_fit(&picture, INK_FIT_RAW, r->shape, r->pixels + i * r->image_size, err);
}

enum ink_status ink__dataset_resize(struct ink_dataset *data, struct ink_shape size, const struct ink_work *work,
                                    struct ink_error *err)
{
    struct resizing r = { .data = data, .shape = size };
    if (size.channels == 0)
        r.shape.channels = data->shape.channels;
    if (memcmp(&r.shape, &data->shape, sizeof r.shape) == 0)
        return INK_OK;
    if (!ink__multiply(&r.image_size, r.shape.height, r.shape.width) ||
        !ink__multiply(&r.image_size, r.image_size, r.shape.channels) || r.image_size == 0)
        return ink__fail(err, INK_BAD_ARGUMENT, "%s: images cannot become %zu x %zu x %zu", data->name, r.shape.height,
                         r.shape.width, r.shape.channels);
    r.pixels = ink__array(data->count, r.image_size);
    if (r.pixels == NULL)
        return ink__fail_memory(err);
    const enum ink_status status = ink__each(resize_image, &r, data->count, work, data->name, err);
    if (status != INK_OK) {
        free(r.pixels);
        return status;
    }
    /* Nothing is in its source any more. */
    ink__idx_close(&data->images_file);
    ink__npz_free(data->arrays);
    data->arrays = NULL;
    free(data->own_pixels);
    data->own_pixels = r.pixels;
    data->pixels = r.pixels;
    data->shape = r.shape;
    data->image_size = r.image_size;
    return INK_OK;
}
