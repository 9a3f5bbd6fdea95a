/* A data set, for the trainer and the rest of lib/data: one block of pixels, one of labels. */
#ifndef INK_DATA_DATASET_H
#define INK_DATA_DATASET_H

#include "data/idx.h"

enum { INK__MOST_CLASSES = 256 }; /* a label is a byte */

struct ink_dataset {
    char *name; /* owned */
    struct ink_shape shape;
    size_t count, classes;
    size_t image_size;              /* H * W * C */
    const uint8_t *pixels;          /* (count, H, W, C) */
    const uint8_t *labels;          /* (count) */
    const char *const *class_names; /* of the first `named` classes */
    size_t named;
    char numbers[INK__MOST_CLASSES][4];       /* "0" to "255": names of the others */
    struct ink__idx images_file, labels_file; /* owned; empty unless read from files */
    uint8_t *drawn;                           /* owned; pixels, then labels, of "synthetic" */
};

/* The part of bytes that are not zero, over the first 1,000 images: how much skipping zeros can save. */
double ink__dataset_density(const struct ink_dataset *data);

#endif
