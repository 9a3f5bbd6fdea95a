#include "base/npz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/npy.h"
#include "base/zip.h"

enum { LONGEST_NAME = 255, LONGEST_WHERE = 512 };
static const char ending[] = ".npy";

/* An array's place. */
struct source {
    const struct ink__zip_entry *entry; /* NULL: the file itself */
    size_t begin;                       /* of the elements, in the npy */
    unsigned char *expanded;            /* owned */
};

struct ink__npz {
    char *path;
    struct ink__file file;
    struct ink__zip zip;     /* empty if the file is an npy */
    struct ink__npy *arrays; /* (count) */
    struct source *sources;  /* (count) */
    char (*names)[LONGEST_NAME + 1];
    size_t count;
};

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static bool make_room(struct ink__npz *npz, size_t most)
{
    npz->arrays = ink__array(most, sizeof *npz->arrays);
    npz->sources = ink__array(most, sizeof *npz->sources);
    npz->names = ink__array(most, sizeof *npz->names);
    return npz->arrays != NULL && npz->sources != NULL && npz->names != NULL;
}

static enum ink_status add_entry(struct ink__npz *npz, const struct ink__zip_entry *entry, unsigned char *head,
                                 struct ink_error *err)
{
    const size_t length = strlen(entry->name), bare = length - strlen(ending), i = npz->count;
    char where[LONGEST_WHERE];
    size_t got;
    if (length < strlen(ending) || strcmp(entry->name + bare, ending) != 0)
        return INK_OK;
    if (bare > LONGEST_NAME)
        return ink__fail(err, INK_BAD_INPUT, "%s: an entry's name of %zu bytes, expected at most %d", npz->path, length,
                         LONGEST_NAME);
    memcpy(npz->names[i], entry->name, bare);
    snprintf(where, sizeof where, "%s: entry '%.100s'", npz->path, entry->name);
    enum ink_status status = ink__zip_peek(entry, npz->path, head, INK__NPY_LONGEST_HEADER, &got, err);
    if (status != INK_OK)
        return status;
    status = ink__npy_read_header(&npz->arrays[i], head, got, entry->size, &npz->sources[i].begin, where, err);
    npz->arrays[i].name = npz->names[i];
    npz->sources[i].entry = entry;
    npz->count++;
    return status;
}

static enum ink_status open_zip(struct ink__npz *npz, struct ink_error *err)
{
    enum ink_status status = ink__zip_open(&npz->zip, &npz->file, npz->path, err);
    unsigned char *head = ink__array(INK__NPY_LONGEST_HEADER, 1);
    if (status == INK_OK && (head == NULL || !make_room(npz, npz->zip.count)))
        status = ink__fail_memory(err);
    for (size_t i = 0; status == INK_OK && i < npz->zip.count; i++)
        status = add_entry(npz, &npz->zip.entries[i], head, err);
    free(head);
    return status;
}

static enum ink_status open_npy(struct ink__npz *npz, struct ink_error *err)
{
    const struct ink__file *file = &npz->file;
    if (!make_room(npz, 1))
        return ink__fail_memory(err);
    npz->count = 1;
    npz->arrays[0].name = npz->names[0];
    return ink__npy_read_header(&npz->arrays[0], file->bytes, file->size, file->size, &npz->sources[0].begin, npz->path,
                                err);
}

enum ink_status ink__npz_open(struct ink__npz **out, const char *path, struct ink_error *err)
{
    *out = NULL;
    struct ink__npz *npz = ink__array(1, sizeof *npz);
    if (npz == NULL)
        return ink__fail_memory(err);
    npz->path = ink__string(path);
    enum ink_status status = npz->path == NULL ? ink__fail_memory(err) : ink__file_open(&npz->file, path, err);
    if (status == INK_OK && ink__zip_is(&npz->file))
        status = open_zip(npz, err);
    else if (status == INK_OK)
        status = open_npy(npz, err);
    if (status == INK_OK)
        *out = npz;
    else
        ink__npz_free(npz);
    return status;
}

void ink__npz_free(struct ink__npz *npz)
{
    if (npz == NULL)
        return;
    for (size_t i = 0; i < npz->count; i++)
        free(npz->sources[i].expanded);
    free(npz->names);
    free(npz->sources);
    free(npz->arrays);
    ink__zip_close(&npz->zip);
    ink__file_close(&npz->file);
    free(npz->path);
    free(npz);
}

const struct ink__npy *ink__npz_array(const struct ink__npz *npz, size_t i)
{
    return i < npz->count ? &npz->arrays[i] : NULL;
}

const struct ink__npy *ink__npz_find(const struct ink__npz *npz, const char *name)
{
    for (size_t i = 0; i < npz->count; i++)
        if (strcmp(npz->arrays[i].name, name) == 0)
            return &npz->arrays[i];
    return NULL;
}

enum ink_status ink__npz_load(struct ink__npz *npz, const struct ink__npy *array, struct ink_error *err)
{
    struct ink__npy *const mine = &npz->arrays[array - npz->arrays];
    struct source *const source = &npz->sources[array - npz->arrays];
    const unsigned char *bytes = npz->file.bytes;
    if (mine->data != NULL)
        return INK_OK;
    if (source->entry != NULL) {
        bytes = source->entry->bytes;
        if (source->entry->deflated) {
            bytes = source->expanded = ink__array(source->entry->size, 1);
            if (bytes == NULL)
                return ink__fail_memory(err);
        }
        const enum ink_status status = ink__zip_expand(source->entry, npz->path, source->expanded, err);
        if (status != INK_OK) {
            free(source->expanded);
            source->expanded = NULL;
            return status;
        }
    }
    mine->data = bytes + source->begin;
    return INK_OK;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static enum ink_status add_array(struct ink__zip_writer *zip, const struct ink__npy *array, bool compress,
                                 struct ink_error *err)
{
    unsigned char header[INK__NPY_LONGEST_HEADER];
    char name[LONGEST_NAME + sizeof ending];
    size_t size = array->width;
    bool fits = true;
    for (size_t d = 0; d < array->rank; d++)
        fits = fits && ink__multiply(&size, size, array->shape[d]);
    if (!fits || strlen(array->name) > LONGEST_NAME)
        return ink__fail(err, INK_BAD_ARGUMENT, "npz: array '%.100s': the sizes overflow or the name is too long",
                         array->name);
    snprintf(name, sizeof name, "%s%s", array->name, ending);
    return ink__zip_add(zip, name, header, ink__npy_write_header(header, array), array->data, size, compress, err);
}

enum ink_status ink__npz_write(const char *path, const struct ink__npy *arrays, size_t count, bool compress,
                               struct ink_error *err)
{
    struct ink__zip_writer zip;
    enum ink_status status = ink__zip_create(&zip, path, err);
    if (status != INK_OK)
        return status;
    for (size_t i = 0; status == INK_OK && i < count; i++)
        status = add_array(&zip, &arrays[i], compress, err);
    if (status == INK_OK)
        return ink__zip_commit(&zip, err);
    ink__zip_abandon(&zip);
    return status;
}
