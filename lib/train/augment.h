/* Augmentation: each time an image is trained on it is moved about a little, by random numbers of its own. */
#ifndef INK_TRAIN_AUGMENT_H
#define INK_TRAIN_AUGMENT_H

#include "base/random.h"
#include "inkling.h"
#include "kernel/kernel.h"

/* The line of text, read: how far each part may go, 0 where it is not asked for. */
enum ink__augment_part {
    INK__AUGMENT_SHIFT,      /* pixels */
    INK__AUGMENT_ROTATE,     /* degrees */
    INK__AUGMENT_SCALE,      /* percent */
    INK__AUGMENT_SHEAR,      /* degrees */
    INK__AUGMENT_ELASTIC,    /* pixels */
    INK__AUGMENT_FLIP,       /* 1 */
    INK__AUGMENT_ERASE,      /* percent */
    INK__AUGMENT_BRIGHTNESS, /* percent */
    INK__AUGMENT_CONTRAST,   /* percent */
    INK__AUGMENT_PARTS
};
struct ink__augment {
    double most[INK__AUGMENT_PARTS];
};

/* Reads the line, whose grammar stands in inkling.h. INK_BAD_ARGUMENT with the column. */
enum ink_status ink__augment_parse(struct ink__augment *augment, const char *text, struct ink_error *err);
/* Writes the line anew, in one form for all that mean the same; "" if nothing is asked for. */
void ink__augment_print(const struct ink__augment *augment, char text[256]);

/* What augments images of one shape; its memory is taken at once. */
struct ink__augmenter;
enum ink_status ink__augmenter_new(struct ink__augmenter **out, const struct ink__augment *augment,
                                   struct ink_shape shape, const struct ink__kernels *kernels, size_t threads,
                                   struct ink_error *err);
/* Accepts NULL. */
void ink__augmenter_free(struct ink__augmenter *augmenter);

/* The image (H, W, C) as `key` moves it, the same for equal keys: in the thread's memory until it asks again, or the
 * image itself where nothing changes it. */
const uint8_t *ink__augmenter_apply(const struct ink__augmenter *augmenter, const struct ink__philox_key *key,
                                    size_t thread, const uint8_t *image);

#endif
