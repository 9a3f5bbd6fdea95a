/* Pictures as users have them: decoding, encoding and fitting to a network's input. */
#ifndef INK_DATA_PICTURE_H
#define INK_DATA_PICTURE_H

#include "data/resample.h"
#include "inkling.h"

struct ink_picture {
    char *name;             /* for messages, owned */
    struct ink_shape shape; /* channels 1 or 3 */
    uint8_t *pixels;        /* (H, W, C), owned */
};

/* A picture with room for its pixels, after checking the limit of 64 megapixels and the caller's, `most`. */
enum ink_status ink__picture_new(struct ink_picture **out, size_t height, size_t width, size_t channels, size_t most,
                                 const char *name, struct ink_error *err);

/* Decodes one format from memory; `name` is for messages. On failure *out is NULL. */
typedef enum ink_status ink__picture_decoder(struct ink_picture **out, const void *bytes, size_t size, size_t most,
                                             const char *name, struct ink_error *err);
ink__picture_decoder ink__png_decode, ink__pnm_decode;

/* Encodes 8-bit grey or RGB pixels (H, W, C), C = 1 or 3: *bytes is for free(). `path` is for messages. */
enum ink_status ink__png_encode(unsigned char **bytes, size_t *size, struct ink_shape shape, const uint8_t *pixels,
                                const char *path, struct ink_error *err);

/* Resizes to grey: writes (height, width) levels. */
void ink__picture_grey(const struct ink_picture *picture, size_t height, size_t width, uint8_t *levels);

/* Ink that hangs together. */
struct ink__piece {
    size_t begin, end; /* its place in the drawing's list of pixels */
    size_t mass;       /* the sum of its levels */
    unsigned strongest;
    struct ink_box box;
};

/* What is written in a picture, perhaps shrunk. */
struct ink__drawing {
    uint8_t *ink; /* (height, width) levels, 0 where there is no ink, more where it is stronger */
    size_t height, width;
    uint32_t *pixels; /* indices of the pixels with ink, piece after piece */
    struct ink__piece *pieces;
    size_t count; /* of pieces, at least 1 */
};

/* Finds what is written in a picture, however it is lit and whichever of ink and ground is brighter. INK_BAD_INPUT if
 * there is nothing. To be freed in any case. */
enum ink_status ink__drawing_find(struct ink__drawing *drawing, const struct ink_picture *picture,
                                  struct ink_error *err);
void ink__drawing_free(struct ink__drawing *drawing);

/* The smallest box that holds both. */
struct ink_box ink__box_union(struct ink_box a, struct ink_box b);

/* fit.c: places ink as MNIST's digits are; `box` has some. `scratch` has room for (H, W) doubles. */
void ink__digit_place(const struct ink__view *box, struct ink_shape shape, uint8_t *pixels, double *scratch);
/* INK_BAD_ARGUMENT if a picture cannot become an image of this shape. */
enum ink_status ink__fit_check(const struct ink_picture *picture, struct ink_shape shape, struct ink_error *err);

#endif
