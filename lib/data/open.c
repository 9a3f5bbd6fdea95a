/* What is at a path: told apart by content, with words for what users try that is no data set. And the sources that are
 * IDX files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/zip.h"
#include "data/dataset.h"
#include "data/find.h"
#include "data/gzip.h"

/* ---- IDX --------------------------------------------------------------------------------------------------------- */

/* The labels of a file as numbers; *labels is for free(). */
static enum ink_status read_labels(uint16_t **labels, size_t *count, const char *path, struct ink_error *err)
{
    struct ink__idx file;
    *labels = NULL;
    enum ink_status status = ink__idx_open(&file, path, INK__IDX_LABELS, err);
    if (status != INK_OK)
        return status;
    *count = file.count;
    *labels = ink__array(file.count, sizeof **labels);
    if (*labels == NULL)
        status = ink__fail_memory(err);
    for (size_t i = 0; status == INK_OK && i < file.count; i++) {
        const uint32_t label = ink__idx_label(&file, i);
        (*labels)[i] = (uint16_t)label;
        if (label >= INK__MOST_CLASSES)
            status = ink__fail(err, INK_BAD_INPUT, "%s: label %zu is %u, expected below %d", path, i, label,
                               INK__MOST_CLASSES);
    }
    if (status != INK_OK) {
        free(*labels);
        *labels = NULL;
    }
    ink__idx_close(&file);
    return status;
}

static enum ink_status read_files(struct ink_dataset *data, const struct ink__files *files, struct ink_error *err)
{
    struct ink__idx *const images = &data->images_file;
    size_t count = 0;
    enum ink_status status = ink__idx_open(images, files->images, INK__IDX_IMAGES, err);
    if (status == INK_OK)
        status = read_labels(&data->own_labels, &count, files->labels, err);
    if (status == INK_OK && count != images->count)
        status = ink__fail(err, INK_BAD_INPUT, "%s: byte 4: %zu labels, expected %zu, the images in %s", files->labels,
                           count, images->count, files->images);
    if (status != INK_OK)
        return status;
    ink__dataset_set(data, images->shape, images->count, images->elements, data->own_labels);
    if (files->train_labels == NULL)
        return INK_OK;
    uint16_t *train_labels;
    status = read_labels(&train_labels, &count, files->train_labels, err);
    for (size_t i = 0; status == INK_OK && i < count; i++)
        data->classes = train_labels[i] >= data->classes ? (size_t)train_labels[i] + 1 : data->classes;
    free(train_labels);
    return status;
}

enum ink_status ink__load_idx_folder(struct ink_dataset *data, const char *path, enum ink_split split,
                                     const struct ink_dataset_options *options, struct ink_error *err)
{
    struct ink__files files;
    (void)options;
    enum ink_status status = ink__find_in_folder(&files, path, split, err);
    if (status != INK_OK)
        return status;
    if (files.images == NULL)
        status = ink__fail(err, INK_FAILED,
                           "%s: no %s images, expected %s (or .idx3, or .gz), or a folder of pictures for each class",
                           path, split == INK_TRAIN ? "training" : "test",
                           split == INK_TRAIN ? "train-images-idx3-ubyte" : "t10k-images-idx3-ubyte");
    else if (files.labels == NULL)
        status = ink__fail(err, INK_FAILED, "%s: has no label file beside it, expected labels-idx1 for images-idx3",
                           files.images);
    else if (data->class_names.count == 0)
        status = ink__names_of_classes(&data->class_names, path, err);
    if (status == INK_OK)
        status = read_files(data, &files, err);
    ink__files_free(&files);
    return status;
}

enum ink_status ink__load_idx_file(struct ink_dataset *data, const char *path, enum ink_split split,
                                   const struct ink_dataset_options *options, struct ink_error *err)
{
    struct ink__files files = { 0 };
    enum ink_status status = INK_OK;
    (void)split;
    if (options->labels == NULL) {
        status = ink__find_beside(&files, path, err);
    } else {
        files = (struct ink__files){ .images = ink__string(path), .labels = ink__string(options->labels) };
        if (files.images == NULL || files.labels == NULL)
            status = ink__fail_memory(err);
    }
    data->whole = true;
    if (status == INK_OK && files.labels == NULL)
        status = ink__fail(err, INK_FAILED,
                           "%s: has no label file beside it, expected labels-idx1 for images-idx3, or its path", path);
    else if (status == INK_OK)
        status = read_files(data, &files, err);
    ink__files_free(&files);
    return status;
}

/* ---- Telling them apart ------------------------------------------------------------------------------------------ */

/* How files begin. */
static const struct content {
    const char *signature;
    size_t length;
    ink__loader *loader; /* NULL: not read */
    const char *name;    /* of what is not read */
} contents[] = {
    { "\0\0", 2, ink__load_idx_file, NULL },
    { "PK\3\4", 4, ink__load_numpy, NULL },
    { "PK\5\6", 4, ink__load_numpy, NULL },
    { "\x93NUMPY", 6, ink__load_numpy, NULL },
    { "\x89PNG", 4, NULL, "one picture, expected a folder of them for each class" },
    { "\xff\xd8\xff", 3, NULL, "a JPEG picture, expected PNG, PGM or PPM, and a folder of them for each class" },
    { "\x89HDF", 4, NULL, "an HDF5 file" },
    { "PAR1", 4, NULL, "a Parquet file" },
    { "\x80\2", 2, NULL, "a Python pickle" },
    { "\x80\3", 2, NULL, "a Python pickle" },
    { "\x80\4", 2, NULL, "a Python pickle" },
    { "\x80\5", 2, NULL, "a Python pickle" },
    { "<", 1, NULL, "a web page?" },
};

/* Text has no control characters but tabs and line ends. */
static bool is_text(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((bytes[i] < ' ' && (bytes[i] < '\t' || bytes[i] > '\r')) || bytes[i] == 0x7f)
            return false;
    return true;
}

/* The loader for a file with these first bytes. */
static enum ink_status loader_of(ink__loader **loader, const unsigned char *head, size_t size, const char *path,
                                 struct ink_error *err)
{
    static const char expected[] = "expected IDX, npz, npy or CSV, or a folder";
    if (size == 0)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte 0: truncated, %s", path, expected);
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        const struct content *const content = &contents[i];
        if (size < content->length || memcmp(head, content->signature, content->length) != 0)
            continue;
        *loader = content->loader;
        if (content->loader == NULL)
            return ink__fail(err, INK_BAD_INPUT, "%s: byte 0: %s%s%s", path, content->name,
                             strchr(content->name, ',') != NULL ? "" : ", ",
                             strchr(content->name, ',') != NULL ? "" : expected);
        return INK_OK;
    }
    if (!is_text(head, size))
        return ink__fail(err, INK_BAD_INPUT, "%s: byte 0: no data set, %s", path, expected);
    *loader = ink__load_csv;
    return INK_OK;
}

static enum ink_status find_file_loader(ink__loader **loader, const char *path, struct ink_error *err)
{
    struct ink__file file;
    unsigned char head[64];
    size_t got = 0;
    enum ink_status status = ink__file_open(&file, path, err);
    if (status != INK_OK)
        return status;
    if (ink__gzip_is(&file)) {
        status = ink__gzip_peek(&file, path, head, sizeof head, &got, err);
    } else {
        got = file.size < sizeof head ? file.size : sizeof head;
        memcpy(head, file.bytes, got);
    }
    if (status == INK_OK)
        status = loader_of(loader, head, got, path, err);
    ink__file_close(&file);
    return status;
}

/* A folder of IDX files has one of them; a folder of pictures has folders. */
static enum ink_status find_folder_loader(ink__loader **loader, const char *path, struct ink_error *err)
{
    struct ink__names folders = { 0 };
    bool idx = false;
    for (enum ink_split split = INK_TRAIN; !idx && split <= INK_TEST; split++) {
        struct ink__files files;
        const enum ink_status status = ink__find_in_folder(&files, path, split, err);
        if (status != INK_OK)
            return status;
        idx = files.images != NULL || files.labels != NULL;
        ink__files_free(&files);
    }
    const enum ink_status status = idx ? INK_OK : ink__names_of_folder(&folders, path, true, err);
    *loader = idx || folders.count == 0 ? ink__load_idx_folder : ink__load_pictures;
    ink__names_free(&folders);
    return status;
}

enum ink_status ink__find_loader(ink__loader **loader, const char *path, struct ink_error *err)
{
    struct stat info;
    *loader = NULL;
    if (stat(path, &info) != 0)
        return INK_OK;
    return (S_ISDIR(info.st_mode) ? find_folder_loader : find_file_loader)(loader, path, err);
}
