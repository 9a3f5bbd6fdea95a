/* A data set, for the trainer and the rest of lib/data: one block of pixels, one of labels. */
#ifndef INK_DATA_DATASET_H
#define INK_DATA_DATASET_H

#include "base/npz.h"
#include "data/idx.h"
#include "data/names.h"

enum { INK__MOST_CLASSES = 4096 }; /* a confusion matrix of so many is 128 MB */

struct ink_dataset {
    char *name; /* owned */
    struct ink_shape shape;
    size_t count, classes;
    size_t image_size;             /* H * W * C */
    const uint8_t *pixels;         /* (count, H, W, C) */
    const uint16_t *labels;        /* (count) */
    struct ink__names class_names; /* those known, while it is opened; then (classes) */
    struct ink__names notes;       /* for the user */
    bool whole;                    /* its source is not divided into training and test images */
    bool pictures;                 /* its source is pictures, as a network's user has them */

    /* Where pixels and labels are; owned, and empty where they are elsewhere. */
    struct ink__idx images_file;
    struct ink__npz *arrays;
    uint8_t *own_pixels;
    uint16_t *own_labels;
};

/* Reads a source of one kind into a new data set, whose name is set. Fills shape, count, pixels and labels through
 * ink__dataset_set, and class_names where it knows some. */
typedef enum ink_status ink__loader(struct ink_dataset *data, const char *path, enum ink_split split,
                                    const struct ink_dataset_options *options, struct ink_error *err);
ink__loader ink__load_idx_folder, ink__load_idx_file, ink__load_pictures, ink__load_csv, ink__load_numpy;

/* The loader for what is at `path`, a folder or a file, by its content. *loader stays NULL where nothing is there. */
enum ink_status ink__find_loader(ink__loader **loader, const char *path, struct ink_error *err);

/* Takes note of the contents, and counts the classes: those the labels need, at least as many as there are now. */
void ink__dataset_set(struct ink_dataset *data, struct ink_shape shape, size_t count, const uint8_t *pixels,
                      const uint16_t *labels);
/* Adds a remark for the user; false if memory runs out. */
bool ink__dataset_remark(struct ink_dataset *data, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Resizes all images, unless they have that shape; 0 channels stand for as many as there are. */
enum ink_status ink__dataset_resize(struct ink_dataset *data, struct ink_shape size, const struct ink_work *work,
                                    struct ink_error *err);
/* The shape of images that are only known to have `pixels` numbers: `size` if it has as many, else square, of one or
 * three channels. False if there is none. */
bool ink__shape_of(struct ink_shape *shape, size_t pixels, struct ink_shape size);

/* The part of bytes that are not zero, over the first 1,000 images: how much skipping zeros can save. */
double ink__dataset_density(const struct ink_dataset *data);

#endif
