/*
 * A folder of pictures, a sub-folder for each class:
 *
 *   pets/cat/1.png, pets/dog/2.png ...                        one set, or
 *   pets/train/cat/1.png, pets/test/cat/7.png ...             one for training, one for testing
 *
 * Class and file names are sorted, so that a folder is the same data set on every machine. Pictures are decoded in
 * parallel, straight into the images: besides these, memory holds the files' names and a picture for each thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "data/each.h"
#include "data/find.h"
#include "data/picture.h"

struct file {
    const char *name; /* in the folder of its class */
    uint16_t label;
};

struct reading {
    char *folder;              /* that holds the classes' folders */
    struct ink__names classes; /* their folders; (classes) as `names` is */
    struct ink__names *names;  /* the files of each */
    struct file *files;        /* (count) all of them */
    size_t count;
    char *first;            /* the path of the first */
    struct ink_shape asked; /* in the options */
    struct ink_shape shape; /* of the images */
    size_t image_size;
    uint8_t *pixels; /* (count, H, W, C) */
};

/* ---- Classes ----------------------------------------------------------------------------------------------------- */

/* What the folders of a split are called; the first that is there counts. */
static const char *const split_names[][5] = {
    [INK_TRAIN] = { "train", "training" },
    [INK_TEST] = { "test", "testing", "val", "validation" },
};

/* Divided is what has folders of these names and no others: a class may be called "train", but not every class. */
static bool is_divided(const struct ink__names *folders)
{
    size_t known = 0;
    for (enum ink_split split = INK_TRAIN; split <= INK_TEST; split++)
        for (size_t i = 0; split_names[split][i] != NULL; i++)
            known += ink__names_find(folders, split_names[split][i]) < folders->count;
    return known == folders->count;
}

/* The path of a split's folder among `folders` of `root`; *path stays NULL if it is not there. */
static enum ink_status find_split(char **path, const char *root, const struct ink__names *folders, enum ink_split split,
                                  struct ink_error *err)
{
    *path = NULL;
    for (size_t i = 0; split_names[split][i] != NULL; i++) {
        if (ink__names_find(folders, split_names[split][i]) == folders->count)
            continue;
        *path = ink__join_path(root, split_names[split][i]);
        return *path != NULL ? INK_OK : ink__fail_memory(err);
    }
    return INK_OK;
}

/* The classes by the folders in `path`. */
static enum ink_status name_by_folders(struct ink__names *classes, const char *path, struct ink_error *err)
{
    struct ink__names folders;
    enum ink_status status = ink__names_of_folder(&folders, path, true, err);
    if (status == INK_OK && folders.count == 0)
        status = ink__fail(err, INK_BAD_INPUT, "%s: no sub-folders, expected one of pictures for each class", path);
    for (size_t i = 0; status == INK_OK && i < folders.count; i++)
        status = ink__names_add_class(classes, folders.list[i], path, err);
    ink__names_free(&folders);
    return status;
}

/* Finds the folder that holds the classes of this split, and the classes: as classes.txt has them, or the training
 * split, which every other must agree with. */
static enum ink_status find_classes(struct reading *r, struct ink_dataset *data, const char *root, enum ink_split split,
                                    struct ink_error *err)
{
    struct ink__names folders = { 0 };
    char *train = NULL;
    enum ink_status status = ink__names_of_folder(&folders, root, true, err);
    if (status != INK_OK)
        return status;
    data->whole = !is_divided(&folders);
    if (data->whole) {
        r->folder = ink__string(root);
        status = r->folder != NULL ? INK_OK : ink__fail_memory(err);
    } else {
        status = find_split(&r->folder, root, &folders, split, err);
        if (status == INK_OK)
            status = find_split(&train, root, &folders, INK_TRAIN, err);
    }
    if (status == INK_OK && r->folder == NULL)
        status = ink__fail(err, INK_FAILED, "%s: no %s pictures, expected a folder %s in it", root,
                           split == INK_TRAIN ? "training" : "test", split_names[split][0]);
    if (status == INK_OK)
        status = ink__names_of_classes(&data->class_names, root, err);
    if (status == INK_OK && data->class_names.count == 0)
        status = name_by_folders(&data->class_names, train != NULL ? train : r->folder, err);
    free(train);
    ink__names_free(&folders);
    return status;
}

/* The folder of each class; those that are there must be of a class. */
static enum ink_status find_folders(struct reading *r, const struct ink__names *class_names, struct ink_error *err)
{
    struct ink__names folders;
    for (size_t c = 0; c < class_names->count; c++) {
        char *const folder = ink__class_folder(class_names->list[c]);
        const bool twice = folder != NULL && ink__names_find(&r->classes, folder) < c;
        const enum ink_status status =
            twice ? ink__fail(err, INK_BAD_INPUT, "%s: the folders of two classes would be called '%s'", r->folder,
                              folder)
            : folder != NULL && ink__names_add(&r->classes, folder) ? INK_OK
                                                                    : ink__fail_memory(err);
        free(folder);
        if (status != INK_OK)
            return status;
    }
    enum ink_status status = ink__names_of_folder(&folders, r->folder, true, err);
    for (size_t i = 0; status == INK_OK && i < folders.count; i++)
        if (ink__names_find(&r->classes, folders.list[i]) == r->classes.count)
            status =
                ink__fail(err, INK_BAD_INPUT,
                          "%s/%s: not the folder of one of the %zu classes that classes.txt or the training split has",
                          r->folder, folders.list[i], r->classes.count);
    ink__names_free(&folders);
    return status;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

/* What file managers leave in folders of pictures; their other files begin with a dot. */
static bool is_litter(const char *name)
{
    return strcmp(name, "Thumbs.db") == 0 || strcmp(name, "desktop.ini") == 0;
}

/* Lists the files of class `c`. A class without a folder has none; a folder without pictures is a mistake. */
static enum ink_status list_class(struct reading *r, size_t c, struct ink_error *err)
{
    struct stat info;
    char *const folder = ink__join_path(r->folder, r->classes.list[c]);
    if (folder == NULL)
        return ink__fail_memory(err);
    enum ink_status status = INK_OK;
    size_t pictures = 0;
    const bool there = stat(folder, &info) == 0;
    if (there)
        status = ink__names_of_folder(&r->names[c], folder, false, err);
    for (size_t i = 0; status == INK_OK && i < r->names[c].count; i++)
        pictures += !is_litter(r->names[c].list[i]);
    if (status == INK_OK && there && pictures == 0)
        status = ink__fail(err, INK_BAD_INPUT, "%s: no pictures in the folder of this class", folder);
    r->count += pictures;
    free(folder);
    return status;
}

static enum ink_status list_files(struct reading *r, struct ink_error *err)
{
    enum ink_status status = INK_OK;
    r->names = ink__array(r->classes.count, sizeof *r->names);
    if (r->names == NULL)
        return ink__fail_memory(err);
    for (size_t c = 0; status == INK_OK && c < r->classes.count; c++)
        status = list_class(r, c, err);
    if (status != INK_OK)
        return status;
    r->files = ink__array(r->count, sizeof *r->files);
    if (r->files == NULL)
        return ink__fail_memory(err);
    struct file *file = r->files;
    for (size_t c = 0; c < r->classes.count; c++)
        for (size_t i = 0; i < r->names[c].count; i++)
            if (!is_litter(r->names[c].list[i]))
                *file++ = (struct file){ r->names[c].list[i], (uint16_t)c };
    return INK_OK;
}

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */

/* The path of a file, for free(). */
static char *path_of(const struct reading *r, size_t i)
{
    char *const folder = ink__join_path(r->folder, r->classes.list[r->files[i].label]);
    char *const path = folder != NULL ? ink__join_path(folder, r->files[i].name) : NULL;
    free(folder);
    return path;
}

static enum ink_status decode(struct ink_picture **picture, const char *path, struct ink_error *err)
{
    struct ink__file file;
    *picture = NULL;
    enum ink_status status = ink__file_open(&file, path, err);
    if (status == INK_OK)
        status = ink_picture_decode(picture, file.bytes, file.size, path, err);
    ink__file_close(&file);
    return status;
}

/* The shape of all: what was asked for, the rest as the first picture has it. */
static enum ink_status choose_shape(struct reading *r, struct ink_error *err)
{
    struct ink_picture *picture;
    size_t total;
    r->first = path_of(r, 0);
    if (r->first == NULL)
        return ink__fail_memory(err);
    const enum ink_status status = decode(&picture, r->first, err);
    if (status != INK_OK)
        return status;
    r->shape = r->asked.height > 0 ? r->asked : ink_picture_shape(picture);
    if (r->shape.channels == 0)
        r->shape.channels = ink_picture_shape(picture).channels;
    ink_picture_free(picture);
    if (!ink__multiply(&r->image_size, r->shape.height, r->shape.width) ||
        !ink__multiply(&r->image_size, r->image_size, r->shape.channels) ||
        !ink__multiply(&total, r->image_size, r->count))
        return ink__fail(err, INK_BAD_ARGUMENT, "%s: %zu images of %zu x %zu x %zu are too many bytes", r->folder,
                         r->count, r->shape.height, r->shape.width, r->shape.channels);
    return INK_OK;
}

/* Nothing is resized, and no colour lost, that the user did not ask for. */
static enum ink_status check_shape(const struct reading *r, struct ink_shape found, const char *path,
                                   struct ink_error *err)
{
    if (r->asked.height == 0 && (found.height != r->shape.height || found.width != r->shape.width))
        return ink__fail(err, INK_BAD_INPUT,
                         "%s: %zu pixels high and %zu wide, expected %zu and %zu as in %s (--size %zux%zu resizes all)",
                         path, found.height, found.width, r->shape.height, r->shape.width, r->first, r->shape.height,
                         r->shape.width);
    if (r->asked.channels == 0 && found.channels > r->shape.channels)
        return ink__fail(err, INK_BAD_INPUT,
                         "%s: a picture in colour, expected grey as in %s (--size %zux%zux1 makes all grey, x3 colour)",
                         path, r->first, r->shape.height, r->shape.width);
    return INK_OK;
}

static enum ink_status read_picture(void *context, size_t i, struct ink_error *err)
{
    const struct reading *r = context;
    struct ink_picture *picture = NULL;
    char *const path = path_of(r, i);
    enum ink_status status = path != NULL ? decode(&picture, path, err) : ink__fail_memory(err);
    if (status == INK_OK)
        status = check_shape(r, ink_picture_shape(picture), path, err);
    if (status == INK_OK)
        status = ink_picture_fit(picture, INK_FIT_RAW, r->shape, r->pixels + i * r->image_size, err);
    ink_picture_free(picture);
    free(path);
    return status;
}

static enum ink_status read_pictures(struct reading *r, struct ink_dataset *data, const struct ink_work *work,
                                     struct ink_error *err)
{
    enum ink_status status = choose_shape(r, err);
    if (status != INK_OK)
        return status;
    data->own_pixels = r->pixels = ink__array(r->count, r->image_size);
    data->own_labels = ink__array(r->count, sizeof *data->own_labels);
    if (r->pixels == NULL || data->own_labels == NULL)
        return ink__fail_memory(err);
    for (size_t i = 0; i < r->count; i++)
        data->own_labels[i] = r->files[i].label;
    status = ink__each(read_picture, r, r->count, work, data->name, err);
    if (status == INK_OK)
        ink__dataset_set(data, r->shape, r->count, data->own_pixels, data->own_labels);
    return status;
}

enum ink_status ink__load_pictures(struct ink_dataset *data, const char *path, enum ink_split split,
                                   const struct ink_dataset_options *options, struct ink_error *err)
{
    struct reading r = { .asked = options->size.height > 0 ? options->size : options->picture_size };
    data->pictures = true;
    enum ink_status status = find_classes(&r, data, path, split, err);
    if (status == INK_OK)
        status = find_folders(&r, &data->class_names, err);
    if (status == INK_OK)
        status = list_files(&r, err);
    if (status == INK_OK && r.count == 0)
        status = ink__fail(err, INK_BAD_INPUT, "%s: no folder of pictures for any class", r.folder);
    if (status == INK_OK)
        status = read_pictures(&r, data, &options->work, err);
    for (size_t c = 0; r.names != NULL && c < r.classes.count; c++)
        ink__names_free(&r.names[c]);
    free(r.names);
    ink__names_free(&r.classes);
    free(r.files);
    free(r.first);
    free(r.folder);
    return status;
}
