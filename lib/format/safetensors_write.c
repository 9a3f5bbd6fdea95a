/* Writing safetensors, so that the same tensors always give the same bytes. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/json.h"
#include "format/safetensors.h"

static int by_alignment_then_name(const void *a, const void *b)
{
    const struct ink__entry *const *x = a, *const *y = b;
    const size_t xs = ink__dtypes[(*x)->dtype].size, ys = ink__dtypes[(*y)->dtype].size;
    return xs != ys ? (xs < ys ? 1 : -1) : strcmp((*x)->name, (*y)->name);
}

static int by_key(const void *a, const void *b)
{
    const struct ink__pair *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

/* The addresses of `count` structs of `size` bytes, sorted. */
static const void **sorted(const void *first, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    const void **order = ink__array(count, sizeof *order);
    for (size_t i = 0; order != NULL && i < count; i++)
        order[i] = (const char *)first + i * size;
    if (order != NULL)
        qsort(order, count, sizeof *order, compare);
    return order;
}

/* As jansson judges, which answers NULL both for text that is not UTF-8 and for want of memory. */
static bool is_utf8(const char *text)
{
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    for (const unsigned char *at = (const unsigned char *)text; *at != 0;) {
        const unsigned char first = *at++;
        const size_t more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
        uint32_t code = more == 0 ? first : first & (0x3fu >> more);
        if ((first >= 0x80 && first < 0xc0) || first >= 0xf8)
            return false;
        for (size_t i = 0; i < more; i++, at++) {
            if ((*at & 0xc0) != 0x80)
                return false;
            code = code << 6 | (*at & 0x3f);
        }
        if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            return false;
    }
    return true;
}

/* Puts `value`, which it takes, into `object`; NULL is one that found no memory. */
static enum ink_status put(json_t *object, const char *key, json_t *value, struct ink_error *err)
{
    if (json_object_get(object, key) != NULL) {
        json_decref(value);
        return ink__fail(err, INK_BAD_ARGUMENT, "safetensors: '%s' twice", key);
    }
    if (!is_utf8(key)) {
        json_decref(value);
        return ink__fail(err, INK_BAD_ARGUMENT, "safetensors: '%s': not UTF-8", key);
    }
    return json_object_set_new(object, key, value) == 0 ? INK_OK : ink__fail_memory(err);
}

static enum ink_status put_text(json_t *object, const char *key, const char *text, struct ink_error *err)
{
    if (!is_utf8(text))
        return ink__fail(err, INK_BAD_ARGUMENT, "safetensors: '%s': not UTF-8", key);
    return put(object, key, json_string(text), err);
}

/* NULL if memory runs out. */
static json_t *describe(const struct ink__entry *entry, size_t begin, size_t end)
{
    json_t *shape = json_array();
    bool whole = shape != NULL;
    for (size_t i = 0; whole && i < entry->rank; i++)
        whole = json_array_append_new(shape, json_integer((json_int_t)entry->shape[i])) == 0;
    if (!whole) {
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", ink__dtypes[entry->dtype].name, "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)end);
}

/* The header's text without padding, for free(). */
static enum ink_status make_header(char **text, const struct ink__entry *const *entries, size_t count,
                                   const struct ink__pair *const *metadata, size_t metadata_count,
                                   struct ink_error *err)
{
    enum ink_status status = INK_OK;
    json_t *header = json_object(), *pairs = json_object();
    size_t offset = 0;
    for (size_t i = 0; status == INK_OK && i < metadata_count; i++)
        status = put_text(pairs, metadata[i]->key, metadata[i]->value, err);
    if (status == INK_OK && metadata_count > 0)
        status = put(header, INK__METADATA_KEY, json_incref(pairs), err);
    for (size_t i = 0; status == INK_OK && i < count; i++) {
        const size_t end = offset + ink__entry_count(entries[i]) * ink__dtypes[entries[i]->dtype].size;
        status = put(header, entries[i]->name, describe(entries[i], offset, end), err);
        offset = end;
    }
    *text = status == INK_OK ? ink__json_text(header, JSON_COMPACT) : NULL;
    if (status == INK_OK && *text == NULL)
        status = ink__fail_memory(err);
    json_decref(pairs);
    json_decref(header);
    return status;
}

static void write_header(struct ink__writer *writer, const char *text)
{
    static const unsigned char spaces[] = "       ";
    const size_t length = strlen(text), padding = (0 - length) % 8;
    const uint64_t header_bytes = length + padding;
    unsigned char bytes[INK__LENGTH_BYTES];
    ink__file_order(bytes, (const unsigned char *)&header_bytes, sizeof bytes, sizeof bytes);
    ink__writer_write(writer, bytes, sizeof bytes);
    ink__writer_write(writer, text, length);
    ink__writer_write(writer, spaces, padding);
}

static void write_data(struct ink__writer *writer, const struct ink__entry *entry)
{
    unsigned char chunk[4096];
    const unsigned char *from = entry->data;
    const size_t size = ink__dtypes[entry->dtype].size, bytes = ink__entry_count(entry) * size;
    for (size_t done = 0; done < bytes; done += sizeof chunk) {
        const size_t part = bytes - done < sizeof chunk ? bytes - done : sizeof chunk;
        ink__file_order(chunk, from + done, part, size);
        ink__writer_write(writer, chunk, part);
    }
}

enum ink_status ink__safetensors_write(const char *path, const struct ink__entry *entries, size_t count,
                                       const struct ink__pair *metadata, size_t metadata_count, struct ink_error *err)
{
    enum ink_status status;
    char *header = NULL;
    const void **order = sorted(entries, count, sizeof *entries, by_alignment_then_name);
    const void **pairs = sorted(metadata, metadata_count, sizeof *metadata, by_key);
    struct ink__writer writer;
    if (order == NULL || pairs == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    status = make_header(&header, (const struct ink__entry *const *)order, count,
                         (const struct ink__pair *const *)pairs, metadata_count, err);
    if (status == INK_OK)
        status = ink__writer_open(&writer, path, err);
    if (status != INK_OK)
        goto out;
    write_header(&writer, header);
    for (size_t i = 0; i < count; i++)
        write_data(&writer, order[i]);
    status = ink__writer_commit(&writer, err);
out:
    free(header);
    free(order);
    free(pairs);
    return status;
}
