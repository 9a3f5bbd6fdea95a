/*
 * NumPy's files: an npz with images and labels, of which Keras's mnist.npz is the best known, or an npy of images with
 * another of labels beside it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "data/find.h"

/* How the arrays of an npz are called. */
static const struct scheme {
    const char *names[2][2]; /* training and test: images, labels; both the same where it is not divided */
} schemes[] = {
    { { { "x_train", "y_train" }, { "x_test", "y_test" } } },
    { { { "X_train", "y_train" }, { "X_test", "y_test" } } },
    { { { "train_images", "train_labels" }, { "test_images", "test_labels" } } },
    { { { "x", "y" }, { "x", "y" } } },
    { { { "X", "y" }, { "X", "y" } } },
    { { { "images", "labels" }, { "images", "labels" } } },
    { { { "data", "target" }, { "data", "target" } } },
    { { { "arr_0", "arr_1" }, { "arr_0", "arr_1" } } },
};
static const char class_names[] = "class_names";

/* An array, and the place of it, for messages. */
struct source {
    struct ink__npz *npz;
    const struct ink__npy *array;
    char where[600];
};

static void set_source(struct source *source, struct ink__npz *npz, const struct ink__npy *array, const char *path)
{
    source->npz = npz;
    source->array = array;
    if (array->name[0] == '\0')
        snprintf(source->where, sizeof source->where, "%s", path);
    else
        snprintf(source->where, sizeof source->where, "%s: array '%.100s'", path, array->name);
}

/* "(60000, 28, 28)", for messages. */
static const char *shape_text(char text[200], const struct ink__npy *array)
{
    size_t used = (size_t)snprintf(text, 200, "(");
    for (size_t d = 0; d < array->rank; d++)
        used += (size_t)snprintf(text + used, 200 - used, "%s%zu", d > 0 ? ", " : "", array->shape[d]);
    snprintf(text + used, 200 - used, ")");
    return text;
}

/* Element `i` as a whole number of at most `most`; false if it is none. */
static bool whole_number(const struct ink__npy *array, size_t i, size_t most, size_t *number)
{
    const double value = ink__npy_value(array, i);
    if (!(value >= 0 && value <= (double)most && value == floor(value)))
        return false;
    *number = (size_t)value;
    return true;
}

/* ---- Images ------------------------------------------------------------------------------------------------------ */

/* (N, H, W), (N, H, W, C) with 1 or 3 channels, or (N, pixels). */
static enum ink_status find_shape(struct ink_shape *shape, const struct source *images, struct ink_shape size,
                                  struct ink_error *err)
{
    const struct ink__npy *const array = images->array;
    const size_t *const d = array->shape;
    char text[200];
    bool good = array->kind != 'S' && array->kind != 'U' && array->count > 0;
    if (array->rank == 2)
        good = good && ink__shape_of(shape, d[1], size);
    else if (array->rank == 3 || (array->rank == 4 && (d[3] == 1 || d[3] == 3)))
        *shape = (struct ink_shape){ d[1], d[2], array->rank == 4 ? d[3] : 1 };
    else
        good = false;
    if (good)
        return INK_OK;
    return ink__fail(err, INK_BAD_INPUT,
                     "%s: %s %s, expected images: numbers (N, H, W), (N, H, W, 1 or 3) or (N, a square number)%s",
                     images->where, ink__npy_type(array), shape_text(text, array),
                     array->rank == 4 && (d[1] == 1 || d[1] == 3) ? "; with the channels first?" : "");
}

/* Bytes are used where they are, whole numbers of any other type become bytes. */
static enum ink_status read_images(struct ink_dataset *data, const struct source *images, const uint8_t **pixels,
                                   struct ink_error *err)
{
    const struct ink__npy *const array = images->array;
    const enum ink_status status = ink__npz_load(images->npz, array, err);
    if (status != INK_OK)
        return status;
    *pixels = array->data;
    if (array->kind == 'u' && array->width == 1 && !array->fortran)
        return INK_OK;
    data->own_pixels = ink__array(array->count, 1);
    if (data->own_pixels == NULL)
        return ink__fail_memory(err);
    *pixels = data->own_pixels;
    const size_t image = array->count / array->shape[0];
    for (size_t i = 0; i < array->count; i++) {
        size_t level;
        if (!whole_number(array, i, UINT8_MAX, &level))
            return ink__fail(err, INK_BAD_INPUT,
                             "%s: number %zu of image %zu is %g, expected whole numbers from 0 to 255, best as uint8",
                             images->where, i % image, i / image, ink__npy_value(array, i));
        data->own_pixels[i] = (uint8_t)level;
    }
    return INK_OK;
}

/* ---- Labels ------------------------------------------------------------------------------------------------------ */

/* (N) or (N, 1), `count` of them; *out is for free(). */
static enum ink_status read_labels(uint16_t **out, const struct source *labels, size_t count, struct ink_error *err)
{
    const struct ink__npy *const array = labels->array;
    const bool numbers = array->kind == 'u' || array->kind == 'i' || array->kind == 'f';
    char text[200];
    if (!numbers || array->rank == 0 || array->count != array->shape[0] || array->count != count)
        return ink__fail(err, INK_BAD_INPUT, "%s: %s %s, expected %zu labels: numbers (%zu), one for each image%s",
                         labels->where, ink__npy_type(array), shape_text(text, array), count, count,
                         array->rank == 2 && array->shape[0] == count ? ", not one-hot" : "");
    enum ink_status status = ink__npz_load(labels->npz, array, err);
    if (status != INK_OK)
        return status;
    *out = ink__array(count, sizeof **out);
    if (*out == NULL)
        return ink__fail_memory(err);
    for (size_t i = 0; i < count; i++) {
        size_t label;
        if (!whole_number(array, i, INK__MOST_CLASSES - 1, &label))
            return ink__fail(err, INK_BAD_INPUT, "%s: label %zu is %g, expected a whole number from 0 to %d",
                             labels->where, i, ink__npy_value(array, i), INK__MOST_CLASSES - 1);
        (*out)[i] = (uint16_t)label;
    }
    return INK_OK;
}

/* Text as bytes, padded with zeros; of UTF-32 the characters become UTF-8. */
static void read_text(char *text, const struct ink__npy *array, size_t i)
{
    const unsigned char *const from = (const unsigned char *)array->data + i * array->width;
    const size_t step = array->kind == 'U' ? 4 : 1;
    size_t used = 0;
    for (size_t at = 0; at < array->width; at += step) {
        const uint32_t c = (uint32_t)ink__bytes_get(from + at, step, array->big_endian);
        if (c == 0)
            break;
        if (step == 1 || c < 0x80) {
            text[used++] = (char)c;
        } else {
            const size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3; /* bytes of six bits after the first */
            text[used++] = (char)((0xf0 << (3 - more) & 0xff) | (c >> 6 * more & 0x3f));
            for (size_t k = more; k-- > 0;)
                text[used++] = (char)(0x80 | (c >> 6 * k & 0x3f));
        }
    }
    text[used] = '\0';
}

/* The names of the classes, if the npz has them. */
static enum ink_status read_class_names(struct ink_dataset *data, struct ink__npz *npz, const char *path,
                                        struct ink_error *err)
{
    struct source names;
    const struct ink__npy *const array = ink__npz_find(npz, class_names);
    if (array == NULL)
        return INK_OK;
    set_source(&names, npz, array, path);
    if ((array->kind != 'S' && array->kind != 'U') || array->rank != 1 || array->width > 4096)
        return ink__fail(err, INK_BAD_INPUT, "%s: %s, expected a list of texts", names.where, ink__npy_type(array));
    enum ink_status status = ink__npz_load(npz, array, err);
    char *const text = ink__array(array->width + 1, 1);
    if (status == INK_OK && text == NULL)
        status = ink__fail_memory(err);
    for (size_t i = 0; status == INK_OK && i < array->count; i++) {
        read_text(text, array, i);
        status = ink__names_add_class(&data->class_names, text, names.where, err);
    }
    free(text);
    return status;
}

/* ---- Sources ----------------------------------------------------------------------------------------------------- */

static enum ink_status read_both(struct ink_dataset *data, const struct source *images, const struct source *labels,
                                 struct ink_shape size, struct ink_error *err)
{
    struct ink_shape shape;
    const uint8_t *pixels = NULL;
    enum ink_status status = find_shape(&shape, images, size, err);
    if (status == INK_OK)
        status = read_labels(&data->own_labels, labels, images->array->shape[0], err);
    if (status == INK_OK)
        status = read_images(data, images, &pixels, err);
    if (status == INK_OK)
        ink__dataset_set(data, shape, images->array->shape[0], pixels, data->own_labels);
    return status;
}

/* Images and labels of a split in one npz. */
static enum ink_status read_scheme(struct ink_dataset *data, const struct scheme *scheme, enum ink_split split,
                                   const char *path, struct ink_shape size, struct ink_error *err)
{
    struct source sources[2];
    uint16_t *train_labels = NULL;
    for (size_t i = 0; i < 2; i++) {
        const struct ink__npy *const array = ink__npz_find(data->arrays, scheme->names[split][i]);
        if (array == NULL)
            return ink__fail(err, INK_FAILED, "%s: no %s %s, expected an array '%s'", path,
                             split == INK_TRAIN ? "training" : "test", i == 0 ? "images" : "labels",
                             scheme->names[split][i]);
        set_source(&sources[i], data->arrays, array, path);
    }
    data->whole = strcmp(scheme->names[INK_TRAIN][0], scheme->names[INK_TEST][0]) == 0;
    enum ink_status status = read_class_names(data, data->arrays, path, err);
    if (status == INK_OK)
        status = read_both(data, &sources[0], &sources[1], size, err);

    /* The test split may lack images of the last classes. */
    const struct ink__npy *const array = ink__npz_find(data->arrays, scheme->names[INK_TRAIN][1]);
    if (status != INK_OK || split == INK_TRAIN || array == NULL || array->rank == 0)
        return status;
    struct source train;
    set_source(&train, data->arrays, array, path);
    status = read_labels(&train_labels, &train, array->shape[0], err);
    for (size_t i = 0; status == INK_OK && i < array->shape[0]; i++)
        data->classes = train_labels[i] >= data->classes ? (size_t)train_labels[i] + 1 : data->classes;
    free(train_labels);
    return status;
}

/* A file with one array, the images, and the file with the labels. */
static enum ink_status read_pair(struct ink_dataset *data, const char *path, const struct ink_dataset_options *options,
                                 struct ink_error *err)
{
    struct ink__files files = { 0 };
    struct ink__npz *npz = NULL;
    struct source images, labels;
    data->whole = true;
    const char *labels_path = options->labels;
    enum ink_status status = labels_path == NULL ? ink__find_beside(&files, path, err) : INK_OK;
    if (labels_path == NULL)
        labels_path = files.labels;
    if (status == INK_OK && labels_path == NULL)
        status = ink__fail(err, INK_FAILED,
                           "%s: has no label file beside it, expected y_... for x_... or labels for images", path);
    if (status == INK_OK)
        status = ink__npz_open(&npz, labels_path, err);
    if (status == INK_OK && ink__npz_array(npz, 1) != NULL)
        status = ink__fail(err, INK_BAD_INPUT, "%s: more than one array, expected the labels alone", labels_path);
    if (status == INK_OK && ink__npz_array(npz, 0) == NULL)
        status = ink__fail(err, INK_BAD_INPUT, "%s: no array, expected the labels", labels_path);
    if (status == INK_OK) {
        set_source(&images, data->arrays, ink__npz_array(data->arrays, 0), path);
        set_source(&labels, npz, ink__npz_array(npz, 0), labels_path);
        status = read_both(data, &images, &labels, options->size, err);
    }
    ink__npz_free(npz);
    ink__files_free(&files);
    return status;
}

enum ink_status ink__load_numpy(struct ink_dataset *data, const char *path, enum ink_split split,
                                const struct ink_dataset_options *options, struct ink_error *err)
{
    enum ink_status status = ink__npz_open(&data->arrays, path, err);
    if (status != INK_OK)
        return status;
    const struct ink__npy *const first = ink__npz_array(data->arrays, 0);
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        for (enum ink_split any = INK_TRAIN; any <= INK_TEST; any++)
            if (ink__npz_find(data->arrays, schemes[i].names[any][0]) != NULL &&
                ink__npz_find(data->arrays, schemes[i].names[any][1]) != NULL)
                return read_scheme(data, &schemes[i], split, path, options->size, err);
    }
    if (first != NULL && ink__npz_array(data->arrays, 1) == NULL)
        return read_pair(data, path, options, err);
    return ink__fail(err, INK_BAD_INPUT, "%s: no arrays x_train and y_train, or x and y; found '%.50s'%s", path,
                     first != NULL ? first->name : "", first != NULL ? " and others" : "");
}
