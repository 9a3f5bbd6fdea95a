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

/* A picture with room for its pixels, after checking the limit of 64 megapixels. */
enum ink_status ink__picture_new(struct ink_picture **out, size_t height, size_t width, size_t channels,
                                 const char *name, struct ink_error *err);

/* Decodes one format from memory; `name` is for messages. On failure *out is NULL. */
typedef enum ink_status ink__picture_decoder(struct ink_picture **out, const void *bytes, size_t size, const char *name,
                                             struct ink_error *err);
ink__picture_decoder ink__png_decode, ink__pnm_decode;

/* Encodes 8-bit grey or RGB pixels (H, W, C), C = 1 or 3: *bytes is for free(). `path` is for messages. */
enum ink_status ink__png_encode(unsigned char **bytes, size_t *size, struct ink_shape shape, const uint8_t *pixels,
                                const char *path, struct ink_error *err);

/* Resizes to grey: writes (height, width) levels. */
void ink__picture_grey(const struct ink_picture *picture, size_t height, size_t width, uint8_t *levels);

/* Finds what is written in a picture, however it is lit and whichever of ink and ground is brighter. *ink, which the
 * caller frees, is a new block of levels, 0 where there is no ink, more where it is stronger; *box is the part of it
 * that holds all. INK_BAD_INPUT if there is none. */
enum ink_status ink__picture_ink(uint8_t **ink, struct ink__view *box, const struct ink_picture *picture,
                                 struct ink_error *err);

#endif
