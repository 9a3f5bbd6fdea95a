/* Writing data sets: as IDX files, as an npz, as a folder of pictures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "data/each.h"
#include "data/find.h"
#include "data/gzip.h"
#include "data/picture.h"

/* What is written, and how. */
struct writing {
    const struct ink_dataset *splits[2]; /* training and test; the second may be NULL */
    size_t classes;
    const char *const *class_names; /* (classes) */
    const char *path;
    bool compress;
    const struct ink_work *work;
};

/* ---- Labels and names -------------------------------------------------------------------------------------------- */

static size_t label_width(const struct writing *w)
{
    return w->classes > 256 ? 2 : 1;
}

/* The labels as numbers of that width, in this machine's byte order or the highest byte first; for free(). */
static unsigned char *label_bytes(const struct writing *w, const struct ink_dataset *data, bool big_endian)
{
    const size_t width = label_width(w);
    unsigned char *const bytes = ink__array(data->count, width);
    for (size_t i = 0; bytes != NULL && i < data->count; i++) {
        if (width == 1) {
            bytes[i] = (unsigned char)data->labels[i];
        } else if (big_endian) {
            bytes[2 * i] = (unsigned char)(data->labels[i] >> 8);
            bytes[2 * i + 1] = (unsigned char)data->labels[i];
        } else {
            memcpy(bytes + 2 * i, &data->labels[i], 2);
        }
    }
    return bytes;
}

/* Whether a reader could not know the classes by the labels alone. */
static bool has_names(const struct writing *w)
{
    size_t most = 0;
    for (size_t i = 0; i < w->splits[0]->count; i++)
        most = w->splits[0]->labels[i] > most ? w->splits[0]->labels[i] : most;
    bool plain = most + 1 == w->classes;
    for (size_t c = 0; plain && c < w->classes; c++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", c);
        plain = strcmp(w->class_names[c], number) == 0;
    }
    return !plain;
}

/* Writes classes.txt. */
static enum ink_status write_names(const struct writing *w, const char *folder, struct ink_error *err)
{
    struct ink__writer writer;
    char *const path = ink__join_path(folder, ink__class_file);
    enum ink_status status = path == NULL ? ink__fail_memory(err) : ink__writer_open(&writer, path, err);
    if (status == INK_OK) {
        for (size_t c = 0; c < w->classes; c++) {
            ink__writer_write(&writer, w->class_names[c], strlen(w->class_names[c]));
            ink__writer_write(&writer, "\n", 1);
        }
        status = ink__writer_commit(&writer, err);
    }
    free(path);
    return status;
}

/* ---- IDX --------------------------------------------------------------------------------------------------------- */

/* An IDX file of `elements`, `sizes` (rank) of `width` bytes each. */
static enum ink_status write_idx_file(const struct writing *w, const char *folder, const char *name,
                                      const uint32_t *sizes, size_t rank, size_t width, const void *elements,
                                      struct ink_error *err)
{
    unsigned char header[4 + 4 * 4] = { 0, 0, width == 2 ? 0x0b : 0x08, (unsigned char)rank };
    char file_name[64];
    struct ink__writer writer;
    size_t size = width;
    for (size_t d = 0; d < rank; d++) {
        size *= sizes[d];
        for (size_t k = 0; k < 4; k++)
            header[4 + 4 * d + k] = (unsigned char)(sizes[d] >> 8 * (3 - k));
    }
    snprintf(file_name, sizeof file_name, "%s%s", name, w->compress ? ".gz" : "");
    char *const path = ink__join_path(folder, file_name);
    enum ink_status status = path == NULL ? ink__fail_memory(err) : ink__writer_open(&writer, path, err);
    free(path);
    if (status != INK_OK)
        return status;
    if (w->compress) {
        status = ink__gzip_write(&writer, header, 4 + 4 * rank, err);
        if (status == INK_OK)
            status = ink__gzip_write(&writer, elements, size, err);
    } else {
        ink__writer_write(&writer, header, 4 + 4 * rank);
        ink__writer_write(&writer, elements, size);
    }
    if (status == INK_OK)
        return ink__writer_commit(&writer, err);
    ink__writer_abandon(&writer);
    return status;
}

static enum ink_status write_idx_split(const struct writing *w, const char *folder, size_t split, struct ink_error *err)
{
    static const char *const names[2][2] = { { "train-images-idx3-ubyte", "train-labels-idx1-ubyte" },
                                             { "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte" } };
    const struct ink_dataset *const data = w->splits[split];
    const struct ink_shape shape = data->shape;
    if (data->count > UINT32_MAX || shape.height > UINT32_MAX || shape.width > UINT32_MAX)
        return ink__fail(err, INK_BAD_ARGUMENT, "%s: too many images for an IDX file", w->path);
    const uint32_t sizes[4] = { (uint32_t)data->count, (uint32_t)shape.height, (uint32_t)shape.width,
                                (uint32_t)shape.channels };
    unsigned char *const labels = label_bytes(w, data, true);
    enum ink_status status = labels == NULL ? ink__fail_memory(err) : INK_OK;
    if (status == INK_OK)
        status = write_idx_file(w, folder, names[split][0], sizes, shape.channels == 1 ? 3 : 4, 1, data->pixels, err);
    if (status == INK_OK)
        status = write_idx_file(w, folder, names[split][1], sizes, 1, label_width(w), labels, err);
    free(labels);
    return status;
}

static enum ink_status write_idx(const struct writing *w, struct ink_error *err)
{
    struct ink__folder folder;
    enum ink_status status = ink__folder_open(&folder, w->path, err);
    if (status != INK_OK)
        return status;
    for (size_t split = 0; status == INK_OK && split < 2; split++)
        if (w->splits[split] != NULL)
            status = write_idx_split(w, folder.temporary, split, err);
    if (status == INK_OK && has_names(w))
        status = write_names(w, folder.temporary, err);
    if (status == INK_OK)
        return ink__folder_commit(&folder, err);
    ink__folder_abandon(&folder);
    return status;
}

/* ---- npz --------------------------------------------------------------------------------------------------------- */

/* All names in one block, padded with zeros to one width; for free(). */
static char *pad_names(const struct writing *w, size_t *width)
{
    *width = 1;
    for (size_t c = 0; c < w->classes; c++)
        *width = strlen(w->class_names[c]) > *width ? strlen(w->class_names[c]) : *width;
    char *const block = ink__array(w->classes, *width);
    for (size_t c = 0; block != NULL && c < w->classes; c++)
        memcpy(block + c * *width, w->class_names[c], strlen(w->class_names[c]));
    return block;
}

static enum ink_status write_npz(const struct writing *w, struct ink_error *err)
{
    static const char *const names[2][2] = { { "x_train", "y_train" }, { "x_test", "y_test" } };
    static const char *const whole_names[2] = { "x", "y" };
    struct ink__npy arrays[5];
    unsigned char *labels[2] = { NULL };
    char *text = NULL;
    size_t count = 0, width = 0;
    enum ink_status status = INK_OK;
    for (size_t split = 0; split < 2 && w->splits[split] != NULL; split++) {
        const struct ink_dataset *const data = w->splits[split];
        const struct ink_shape shape = data->shape;
        const char *const *const name = w->splits[1] == NULL ? whole_names : names[split];
        labels[split] = label_bytes(w, data, false);
        if (labels[split] == NULL)
            status = ink__fail_memory(err);
        arrays[count++] = (struct ink__npy){ .name = name[0],
                                             .kind = 'u',
                                             .width = 1,
                                             .rank = shape.channels == 1 ? 3 : 4,
                                             .shape = { data->count, shape.height, shape.width, shape.channels },
                                             .data = data->pixels };
        arrays[count++] = (struct ink__npy){ .name = name[1],
                                             .kind = 'u',
                                             .width = label_width(w),
                                             .rank = 1,
                                             .shape = { data->count },
                                             .data = labels[split] };
    }
    if (status == INK_OK && has_names(w)) {
        text = pad_names(w, &width);
        if (text == NULL)
            status = ink__fail_memory(err);
        arrays[count++] = (struct ink__npy){
            .name = "class_names", .kind = 'S', .width = width, .rank = 1, .shape = { w->classes }, .data = text
        };
    }
    if (status == INK_OK)
        status = ink__npz_write(w->path, arrays, count, w->compress, err);
    free(text);
    free(labels[0]);
    free(labels[1]);
    return status;
}

/* ---- PNG --------------------------------------------------------------------------------------------------------- */

/* A split being written. */
struct pictures {
    const struct ink_dataset *data;
    struct ink__names folders; /* (classes) */
    int digits;                /* of a file's name */
};

static enum ink_status write_picture(void *context, size_t i, struct ink_error *err)
{
    const struct pictures *p = context;
    unsigned char *bytes = NULL;
    size_t size;
    char name[32];
    snprintf(name, sizeof name, "%0*zu.png", p->digits, i);
    char *const path = ink__join_path(p->folders.list[p->data->labels[i]], name);
    enum ink_status status =
        path == NULL ? ink__fail_memory(err)
                     : ink__png_encode(&bytes, &size, p->data->shape, ink_dataset_pixels(p->data, i), path, err);
    if (status == INK_OK)
        status = ink__file_create(path, bytes, size, err);
    free(bytes);
    free(path);
    return status;
}

static enum ink_status make_folder(const char *path, struct ink_error *err)
{
    return mkdir(path, 0777) == 0 ? INK_OK : ink__fail_errno(err, path, "make the folder");
}

/* Makes the folder of each class that has images. */
static enum ink_status make_class_folders(struct pictures *p, const struct writing *w, const char *parent,
                                          struct ink_error *err)
{
    bool *const used = ink__array(w->classes, sizeof *used);
    enum ink_status status = used == NULL ? ink__fail_memory(err) : INK_OK;
    for (size_t i = 0; status == INK_OK && i < p->data->count; i++)
        used[p->data->labels[i]] = true;
    for (size_t c = 0; status == INK_OK && c < w->classes; c++) {
        char *const name = ink__class_folder(w->class_names[c]);
        char *const path = name != NULL ? ink__join_path(parent, name) : NULL;
        if (path == NULL)
            status = ink__fail_memory(err);
        else if (ink__names_find(&p->folders, path) < c)
            status =
                ink__fail(err, INK_BAD_ARGUMENT, "%s: the folders of two classes would be called '%s'", w->path, name);
        else if (!ink__names_add(&p->folders, path))
            status = ink__fail_memory(err);
        else if (used[c])
            status = make_folder(path, err);
        free(path);
        free(name);
    }
    free(used);
    return status;
}

static enum ink_status write_pictures(const struct writing *w, const struct ink_dataset *data, const char *folder,
                                      struct ink_error *err)
{
    struct pictures p = { .data = data, .digits = snprintf(NULL, 0, "%zu", data->count - 1) };
    enum ink_status status = make_class_folders(&p, w, folder, err);
    if (status == INK_OK)
        status = ink__each(write_picture, &p, data->count, w->work, w->path, err);
    ink__names_free(&p.folders);
    return status;
}

static enum ink_status write_png(const struct writing *w, struct ink_error *err)
{
    static const char *const names[] = { "train", "test" };
    struct ink__folder folder;
    enum ink_status status = ink__folder_open(&folder, w->path, err);
    if (status != INK_OK)
        return status;
    if (w->splits[1] == NULL)
        status = write_pictures(w, w->splits[0], folder.temporary, err);
    for (size_t split = 0; status == INK_OK && w->splits[1] != NULL && split < 2; split++) {
        char *const inside = ink__join_path(folder.temporary, names[split]);
        status = inside == NULL ? ink__fail_memory(err) : make_folder(inside, err);
        if (status == INK_OK)
            status = write_pictures(w, w->splits[split], inside, err);
        free(inside);
    }
    if (status == INK_OK)
        status = write_names(w, folder.temporary, err);
    if (status == INK_OK)
        return ink__folder_commit(&folder, err);
    ink__folder_abandon(&folder);
    return status;
}

/* ---- Formats ----------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum ink_status (*write)(const struct writing *w, struct ink_error *err);
} formats[] = { { "idx", write_idx }, { "npz", write_npz }, { "png", write_png } };
enum { FORMATS = sizeof formats / sizeof formats[0] };

const char *ink_dataset_format_name(size_t i)
{
    return i < FORMATS ? formats[i].name : NULL;
}

enum ink_status ink_dataset_write(const struct ink_dataset *train, const struct ink_dataset *test, const char *format,
                                  const char *path, bool compress, const struct ink_work *work, struct ink_error *err)
{
    static const struct ink_work usual = { 0 };
    const struct ink_dataset *const wider = test != NULL && test->classes > train->classes ? test : train;
    const struct writing w = { .splits = { train, test },
                               .classes = wider->classes,
                               .class_names = (const char *const *)wider->class_names.list,
                               .path = path,
                               .compress = compress,
                               .work = work != NULL ? work : &usual };
    if (test != NULL && memcmp(&train->shape, &test->shape, sizeof train->shape) != 0)
        return ink__fail(err, INK_BAD_INPUT, "%s: test images of %zu x %zu x %zu, expected %zu x %zu x %zu", test->name,
                         test->shape.height, test->shape.width, test->shape.channels, train->shape.height,
                         train->shape.width, train->shape.channels);
    for (size_t i = 0; i < FORMATS; i++)
        if (strcmp(format, formats[i].name) == 0)
            return formats[i].write(&w, err);
    return ink__fail(err, INK_BAD_ARGUMENT, "format '%s', expected idx, npz or png", format);
}
