#include "data/dataset.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    *out = data;
    return INK_OK;
}

void ink_dataset_free(struct ink_dataset *data)
{
    if (data == NULL)
        return;
    ink__idx_close(&data->images_file);
    ink__npz_free(data->arrays);
    ink__names_free(&data->class_names);
    ink__names_free(&data->notes);
    free(data->own_pixels);
    free(data->own_labels);
    free(data->name);
    free(data);
}

void ink_dataset_limit(struct ink_dataset *data, size_t count)
{
    if (count > 0 && count < data->count)
        data->count = count;
}

static size_t largest(const uint16_t *labels, size_t count)
{
    size_t most = 0;
    for (size_t i = 0; i < count; i++)
        most = labels[i] > most ? labels[i] : most;
    return most;
}

void ink__dataset_set(struct ink_dataset *data, struct ink_shape shape, size_t count, const uint8_t *pixels,
                      const uint16_t *labels)
{
    const size_t classes = largest(labels, count) + 1;
    data->shape = shape;
    data->image_size = shape.height * shape.width * shape.channels;
    data->count = count;
    data->pixels = pixels;
    data->labels = labels;
    data->classes = classes > data->classes ? classes : data->classes;
    data->classes = data->class_names.count > data->classes ? data->class_names.count : data->classes;
}

bool ink__dataset_remark(struct ink_dataset *data, const char *format, ...)
{
    struct ink_error text;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text.message, sizeof text.message, format, arguments);
    va_end(arguments);
    return ink__names_add(&data->notes, text.message);
}

/* The classes that nobody named are called by their number. */
static enum ink_status name_classes(struct ink_dataset *data, struct ink_error *err)
{
    while (data->class_names.count < data->classes) {
        char name[24];
        snprintf(name, sizeof name, "%zu", data->class_names.count);
        if (!ink__names_add(&data->class_names, name))
            return ink__fail_memory(err);
    }
    return INK_OK;
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static enum ink_status open_synthetic(struct ink_dataset *data, enum ink_split split,
                                      const struct ink_dataset_options *options, struct ink_error *err)
{
    static const size_t default_count[] = { [INK_TRAIN] = 10000, [INK_TEST] = 2000 };
    const struct ink_shape shape = { INK__SYNTHETIC_SIDE, INK__SYNTHETIC_SIDE, 1 };
    const size_t count = options->synthetic_count > 0 ? options->synthetic_count : default_count[split];
    if (count >= UINT32_MAX)
        return ink__fail(err, INK_BAD_ARGUMENT, "%s: %zu images, expected less than %u", data->name, count, UINT32_MAX);
    data->own_pixels = ink__array(count, shape.height * shape.width);
    data->own_labels = ink__array(count, sizeof *data->own_labels);
    if (data->own_pixels == NULL || data->own_labels == NULL)
        return ink__fail_memory(err);
    ink__synthetic_draw(data->own_pixels, data->own_labels, count, split, options->synthetic_seed);
    data->classes = INK__SYNTHETIC_CLASSES;
    ink__dataset_set(data, shape, count, data->own_pixels, data->own_labels);
    return INK_OK;
}

/* Appends to a message what still fits. */
static void append(char *text, size_t size, const char *more)
{
    const size_t length = strlen(text);
    snprintf(text + length, size - length, "%s", more);
}

/* A known set is in the first of the search folders that holds its split. */
static enum ink_status open_known(struct ink_dataset *data, const struct ink__known *known, enum ink_split split,
                                  const struct ink_dataset_options *options, struct ink_error *err)
{
    const char *const name = known->source->name, *const *const search = options->search;
    char looked[sizeof err->message / 2] = "";
    for (size_t c = 0; c < known->classes; c++)
        if (!ink__names_add(&data->class_names, known->class_names[c]))
            return ink__fail_memory(err);
    for (size_t i = 0; search != NULL && search[i] != NULL; i++) {
        struct ink__files files;
        char *folder = ink__join_path(search[i], name);
        if (folder == NULL)
            return ink__fail_memory(err);
        enum ink_status status = ink__find_in_folder(&files, folder, split, err);
        const bool found = files.images != NULL && files.labels != NULL;
        ink__files_free(&files);
        if (status == INK_OK && found)
            status = ink__load_idx_folder(data, folder, split, options, err);
        append(looked, sizeof looked, i == 0 ? " in " : ", ");
        append(looked, sizeof looked, folder);
        free(folder);
        if (status != INK_OK || found)
            return status;
    }
    return ink__fail(err, INK_FAILED, "%s: no %s images and labels found%s: run `inkling fetch %s`", name,
                     split == INK_TRAIN ? "training" : "test", looked[0] == '\0' ? ", no folder to search" : looked,
                     name);
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
    ink__loader *loader = NULL;
    if (strcmp(data->name, synthetic_name) == 0)
        return open_synthetic(data, split, options, err);
    if (ink__find_known(&known, data->name))
        return open_known(data, &known, split, options, err);
    const enum ink_status status = ink__find_loader(&loader, data->name, err);
    if (status != INK_OK)
        return status;
    if (loader != NULL)
        return loader(data, data->name, split, options, err);
    const char *nearest = ink__nearest(data->name, strlen(data->name), candidate);
    if (nearest == NULL)
        return ink__fail_errno(err, data->name, "open");
    return ink__fail(err, INK_FAILED, "%s: no data set, folder or file of that name (did you mean \"%s\"?)", data->name,
                     nearest);
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
    if (options == NULL)
        options = &defaults;
    status = open_any(data, split, options, err);
    if (status == INK_OK && options->size.height > 0)
        status = ink__dataset_resize(data, options->size, &options->work, err);
    if (status == INK_OK)
        status = name_classes(data, err);
    if (status != INK_OK)
        ink_dataset_free(data);
    else
        *out = data;
    return status;
}

enum ink_status ink_dataset_wrap(struct ink_dataset **out, const char *name, struct ink_shape shape, size_t count,
                                 size_t classes, const uint8_t *pixels, const uint16_t *labels, struct ink_error *err)
{
    size_t size;
    *out = NULL;
    if (!ink__multiply(&size, shape.height, shape.width) || !ink__multiply(&size, size, shape.channels) ||
        !ink__multiply(&size, size, count) || size == 0)
        return ink__fail(err, INK_BAD_ARGUMENT, "%s: %zu images of %zu x %zu x %zu, expected at least one byte", name,
                         count, shape.height, shape.width, shape.channels);
    if (classes == 0 || classes > INK__MOST_CLASSES)
        return ink__fail(err, INK_BAD_ARGUMENT, "%s: %zu classes, expected 1 to %d", name, classes, INK__MOST_CLASSES);
    if (largest(labels, count) >= classes)
        return ink__fail(err, INK_BAD_INPUT, "%s: label %zu, expected labels below %zu", name, largest(labels, count),
                         classes);
    struct ink_dataset *data = NULL;
    enum ink_status status = dataset_new(&data, name, err);
    if (status != INK_OK)
        return status;
    data->classes = classes;
    ink__dataset_set(data, shape, count, pixels, labels);
    status = name_classes(data, err);
    if (status != INK_OK)
        ink_dataset_free(data);
    else
        *out = data;
    return status;
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
    return data->class_names.list[c];
}

const uint8_t *ink_dataset_pixels(const struct ink_dataset *data, size_t i)
{
    return data->pixels + i * data->image_size;
}

size_t ink_dataset_label(const struct ink_dataset *data, size_t i)
{
    return data->labels[i];
}

bool ink_dataset_is_whole(const struct ink_dataset *data)
{
    return data->whole;
}

const char *ink_dataset_note(const struct ink_dataset *data, size_t i)
{
    return i < data->notes.count ? data->notes.list[i] : NULL;
}

double ink__dataset_density(const struct ink_dataset *data)
{
    const size_t bytes = (data->count < 1000 ? data->count : 1000) * data->image_size;
    size_t marked = 0;
    for (size_t i = 0; i < bytes; i++)
        marked += data->pixels[i] != 0;
    return (double)marked / (double)bytes;
}
