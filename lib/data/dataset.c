#include "data/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/suggest.h"
#include "data/find.h"
#include "data/synthetic.h"

static const char synthetic_name[] = "synthetic";

/* ---- Making ------------------------------------------------------------------------------------------------------ */

static enum ink_status dataset_new(struct ink_dataset **out, const char *name, struct ink_error *err)
{
    struct ink_dataset *data = ink__array(1, sizeof *data);
    if (data != NULL)
        data->name = ink__string(name);
    if (data == NULL || data->name == NULL) {
        ink_dataset_free(data);
        return ink__fail_memory(err);
    }
    for (unsigned c = 0; c < INK__MOST_CLASSES; c++)
        snprintf(data->numbers[c], sizeof data->numbers[c], "%u", c & 0xff);
    *out = data;
    return INK_OK;
}

void ink_dataset_free(struct ink_dataset *data)
{
    if (data == NULL)
        return;
    ink__idx_close(&data->images_file);
    ink__idx_close(&data->labels_file);
    free(data->drawn);
    free(data->name);
    free(data);
}

void ink_dataset_limit(struct ink_dataset *data, size_t count)
{
    if (count > 0 && count < data->count)
        data->count = count;
}

static void set_contents(struct ink_dataset *data, struct ink_shape shape, size_t count, const uint8_t *pixels,
                         const uint8_t *labels)
{
    data->shape = shape;
    data->image_size = shape.height * shape.width * shape.channels;
    data->count = count;
    data->pixels = pixels;
    data->labels = labels;
}

static size_t classes_of(const uint8_t *labels, size_t count)
{
    unsigned most = 0;
    for (size_t i = 0; i < count; i++)
        most = labels[i] > most ? labels[i] : most;
    return most + 1;
}

/* ---- Reading files ----------------------------------------------------------------------------------------------- */

static enum ink_status read_files(struct ink_dataset *data, const struct ink__files *files, struct ink_error *err)
{
    struct ink__idx *images = &data->images_file, *labels = &data->labels_file;
    enum ink_status status = ink__idx_open(images, files->images, INK__IDX_IMAGES, err);
    if (status != INK_OK)
        return status;
    status = ink__idx_open(labels, files->labels, INK__IDX_LABELS, err);
    if (status != INK_OK)
        return status;
    if (labels->count != images->count)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte 4: %zu labels, expected %zu, the images in %s", files->labels,
                         labels->count, images->count, files->images);
    set_contents(data, images->shape, images->count, images->elements, labels->elements);

    const size_t classes = classes_of(data->labels, data->count);
    data->classes = classes > data->classes ? classes : data->classes;
    if (files->train_labels != NULL) {
        struct ink__idx train;
        status = ink__idx_open(&train, files->train_labels, INK__IDX_LABELS, err);
        if (status != INK_OK)
            return status;
        const size_t train_classes = classes_of(train.elements, train.count);
        data->classes = train_classes > data->classes ? train_classes : data->classes;
        ink__idx_close(&train);
    }
    return INK_OK;
}

static const char *split_name(enum ink_split split)
{
    return split == INK_TRAIN ? "training" : "test";
}

static const char *split_example(enum ink_split split)
{
    return split == INK_TRAIN ? "train-images-idx3-ubyte" : "t10k-images-idx3-ubyte";
}

static enum ink_status open_folder(struct ink_dataset *data, const char *folder, enum ink_split split,
                                   struct ink_error *err)
{
    struct ink__files files;
    enum ink_status status = ink__find_in_folder(&files, folder, split, err);
    if (status != INK_OK)
        return status;
    if (files.images == NULL)
        status = ink__fail(err, INK_FAILED, "%s: no %s images, expected %s (or .idx3, or .gz)", folder,
                           split_name(split), split_example(split));
    else if (files.labels == NULL)
        status = ink__fail(err, INK_FAILED, "%s: has no label file beside it, expected labels-idx1 for images-idx3",
                           files.images);
    else
        status = read_files(data, &files, err);
    ink__files_free(&files);
    return status;
}

static enum ink_status open_image_file(struct ink_dataset *data, const char *path, const char *labels,
                                       struct ink_error *err)
{
    struct ink__files files = { 0 };
    enum ink_status status = INK_OK;
    if (labels == NULL) {
        status = ink__find_beside(&files, path, err);
    } else {
        files = (struct ink__files){ .images = ink__string(path), .labels = ink__string(labels) };
        if (files.images == NULL || files.labels == NULL)
            status = ink__fail_memory(err);
    }
    if (status == INK_OK && files.labels == NULL)
        status = ink__fail(err, INK_FAILED,
                           "%s: has no label file beside it, expected labels-idx1 for images-idx3, or its path", path);
    else if (status == INK_OK)
        status = read_files(data, &files, err);
    ink__files_free(&files);
    return status;
}

/* Appends to a message what still fits. */
static void append(char *text, size_t size, const char *more)
{
    const size_t length = strlen(text);
    snprintf(text + length, size - length, "%s", more);
}

/* A known set is in the first of the search folders that holds its split. */
static enum ink_status open_known(struct ink_dataset *data, const struct ink__known *known, enum ink_split split,
                                  const char *const *search, struct ink_error *err)
{
    const char *name = known->source->name;
    char looked[sizeof err->message / 2] = "";
    data->class_names = known->class_names;
    data->named = data->classes = known->classes;
    for (size_t i = 0; search != NULL && search[i] != NULL; i++) {
        struct ink__files files;
        char *folder = ink__join_path(search[i], name);
        if (folder == NULL)
            return ink__fail_memory(err);
        enum ink_status status = ink__find_in_folder(&files, folder, split, err);
        const bool found = files.images != NULL && files.labels != NULL;
        if (status == INK_OK && found)
            status = read_files(data, &files, err);
        append(looked, sizeof looked, i == 0 ? " in " : ", ");
        append(looked, sizeof looked, folder);
        ink__files_free(&files);
        free(folder);
        if (status != INK_OK || found)
            return status;
    }
    return ink__fail(err, INK_FAILED, "%s: no %s images and labels found%s: run `inkling fetch %s`", name,
                     split_name(split), looked[0] == '\0' ? ", no folder to search" : looked, name);
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static enum ink_status open_synthetic(struct ink_dataset *data, enum ink_split split,
                                      const struct ink_dataset_options *options, struct ink_error *err)
{
    static const size_t default_count[] = { [INK_TRAIN] = 10000, [INK_TEST] = 2000 };
    const struct ink_shape shape = { INK__SYNTHETIC_SIDE, INK__SYNTHETIC_SIDE, 1 };
    const size_t count = options->synthetic_count > 0 ? options->synthetic_count : default_count[split];
    const size_t image = shape.height * shape.width;
    if (count >= UINT32_MAX)
        return ink__fail(err, INK_BAD_ARGUMENT, "%s: %zu images, expected less than %u", data->name, count, UINT32_MAX);
    data->drawn = ink__array(count, image + 1);
    if (data->drawn == NULL)
        return ink__fail_memory(err);
    uint8_t *labels = data->drawn + count * image;
    ink__synthetic_draw(data->drawn, labels, count, split, options->synthetic_seed);
    set_contents(data, shape, count, data->drawn, labels);
    data->classes = INK__SYNTHETIC_CLASSES;
    return INK_OK;
}

/* What a misspelt name may have meant. */
static const char *candidate(size_t i)
{
    return i == 0 ? synthetic_name : ink_dataset_sources()[i - 1].name;
}

static enum ink_status open_any(struct ink_dataset *data, enum ink_split split,
                                const struct ink_dataset_options *options, struct ink_error *err)
{
    struct ink__known known;
    struct stat info;
    if (strcmp(data->name, synthetic_name) == 0)
        return open_synthetic(data, split, options, err);
    if (ink__find_known(&known, data->name))
        return open_known(data, &known, split, options->search, err);
    if (stat(data->name, &info) != 0) {
        const char *nearest = ink__nearest(data->name, strlen(data->name), candidate);
        if (nearest == NULL)
            return ink__fail_errno(err, data->name, "open");
        return ink__fail(err, INK_FAILED, "%s: no data set, folder or file of that name (did you mean \"%s\"?)",
                         data->name, nearest);
    }
    if (S_ISDIR(info.st_mode))
        return open_folder(data, data->name, split, err);
    return open_image_file(data, data->name, options->labels, err);
}

enum ink_status ink_dataset_open(struct ink_dataset **out, const char *name_or_path, enum ink_split split,
                                 const struct ink_dataset_options *options, struct ink_error *err)
{
    static const struct ink_dataset_options defaults = { 0 };
    struct ink_dataset *data = NULL;
    *out = NULL;
    enum ink_status status = dataset_new(&data, name_or_path, err);
    if (status != INK_OK)
        return status;
    status = open_any(data, split, options != NULL ? options : &defaults, err);
    if (status != INK_OK)
        ink_dataset_free(data);
    else
        *out = data;
    return status;
}

enum ink_status ink_dataset_wrap(struct ink_dataset **out, const char *name, struct ink_shape shape, size_t count,
                                 size_t classes, const uint8_t *pixels, const uint8_t *labels, struct ink_error *err)
{
    size_t size;
    *out = NULL;
    if (!ink__multiply(&size, shape.height, shape.width) || !ink__multiply(&size, size, shape.channels) ||
        !ink__multiply(&size, size, count) || size == 0)
        return ink__fail(err, INK_BAD_ARGUMENT, "%s: %zu images of %zu x %zu x %zu, expected at least one byte", name,
                         count, shape.height, shape.width, shape.channels);
    if (classes == 0 || classes > INK__MOST_CLASSES)
        return ink__fail(err, INK_BAD_ARGUMENT, "%s: %zu classes, expected 1 to %d", name, classes, INK__MOST_CLASSES);
    if (classes_of(labels, count) > classes)
        return ink__fail(err, INK_BAD_INPUT, "%s: label %zu, expected labels below %zu", name,
                         classes_of(labels, count) - 1, classes);
    struct ink_dataset *data = NULL;
    const enum ink_status status = dataset_new(&data, name, err);
    if (status != INK_OK)
        return status;
    set_contents(data, shape, count, pixels, labels);
    data->classes = classes;
    *out = data;
    return INK_OK;
}

/* ---- Reading out ------------------------------------------------------------------------------------------------- */

const char *ink_dataset_name(const struct ink_dataset *data)
{
    return data->name;
}

size_t ink_dataset_count(const struct ink_dataset *data)
{
    return data->count;
}

struct ink_shape ink_dataset_shape(const struct ink_dataset *data)
{
    return data->shape;
}

size_t ink_dataset_classes(const struct ink_dataset *data)
{
    return data->classes;
}

const char *ink_dataset_class_name(const struct ink_dataset *data, size_t c)
{
    return c < data->named ? data->class_names[c] : data->numbers[c];
}

const uint8_t *ink_dataset_pixels(const struct ink_dataset *data, size_t i)
{
    return data->pixels + i * data->image_size;
}

size_t ink_dataset_label(const struct ink_dataset *data, size_t i)
{
    return data->labels[i];
}

double ink__dataset_density(const struct ink_dataset *data)
{
    const size_t bytes = (data->count < 1000 ? data->count : 1000) * data->image_size;
    size_t marked = 0;
    for (size_t i = 0; i < bytes; i++)
        marked += data->pixels[i] != 0;
    return (double)marked / (double)bytes;
}
