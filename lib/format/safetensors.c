#include "format/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/json.h"

#define MOST_NAME_BYTES 255

const struct ink__dtype_info ink__dtypes[INK__DTYPES] = {
    [INK__U8] = { "U8", 1 },   [INK__I8] = { "I8", 1 },   [INK__U32] = { "U32", 4 }, [INK__I32] = { "I32", 4 },
    [INK__U64] = { "U64", 8 }, [INK__I64] = { "I64", 8 }, [INK__F32] = { "F32", 4 }, [INK__F64] = { "F64", 8 },
};

size_t ink__entry_count(const struct ink__entry *entry)
{
    size_t count = 1;
    for (size_t i = 0; i < entry->rank; i++)
        count *= entry->shape[i];
    return count;
}

void ink__file_order(unsigned char *to, const unsigned char *from, size_t bytes, size_t size)
{
    const size_t mirror = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : size - 1;
    for (size_t i = 0; i < bytes; i++)
        to[i] = from[i ^ mirror];
}

/* ---- What a file holds ------------------------------------------------------------------------------------------- */

struct tensor {
    struct ink__entry entry;
    size_t begin, end; /* bytes of the data */
    void *copy;        /* owned; NULL where the data are used in place */
};

struct ink__safetensors {
    struct ink__file file;
    json_t *header; /* owns all names and texts below */
    struct tensor *tensors;
    size_t tensor_count;
    struct ink__text *pairs;
    size_t pair_count;
};

/* Where a complaint goes. */
struct place {
    const char *path;
    struct ink_error *err;
};

/* What a user may have given instead of a model, by its first bytes. */
static const struct {
    const char *magic, *what;
} strangers[] = {
    { "<", "an HTML page (was the download refused?)" },
    { "version https://git-lfs", "a Git LFS pointer, not the file it stands for" },
    { "PK\3\4", "a zip archive, such as npz or PyTorch's" },
    { "\x93NUMPY", "a NumPy array" },
    { "\x89HDF", "HDF5, such as Keras's" },
    { "\x89PNG", "a picture" },
    { "\x1f\x8b", "gzipped" },
};

/* What the file seems to be, if it is none of ours. */
static const char *stranger(const struct ink__file *file)
{
    size_t from = 0;
    while (from < file->size && memchr(" \t\r\n", file->bytes[from], 4) != NULL)
        from++;
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        const size_t length = strlen(strangers[i].magic);
        if (file->size - from >= length && memcmp(file->bytes + from, strangers[i].magic, length) == 0)
            return strangers[i].what;
    }
    return NULL;
}

/* Reads the length of the header and checks that a header can be there. */
static enum ink_status read_length(size_t *length, const struct ink__file *file, struct place at)
{
    uint64_t header = 0;
    if (file->size > INK__LENGTH_BYTES)
        ink__file_order((unsigned char *)&header, file->bytes, sizeof header, sizeof header);
    const bool possible = header >= strlen("{}") && header <= INK__MOST_HEADER_BYTES;
    const bool begins = possible && file->bytes[INK__LENGTH_BYTES] == '{';
    const char *what = begins ? NULL : stranger(file);
    if (what != NULL)
        return ink__fail(at.err, INK_BAD_INPUT, "%s: byte 0: this is %s, expected a safetensors file", at.path, what);
    if (file->size <= INK__LENGTH_BYTES)
        return ink__fail(at.err, INK_BAD_INPUT, "%s: byte %zu: end of file, expected a safetensors header from byte 8",
                         at.path, file->size);
    if (!possible)
        return ink__fail(at.err, INK_BAD_INPUT,
                         "%s: byte 0: header of %llu bytes, expected 2 to %u (is this a safetensors file?)", at.path,
                         (unsigned long long)header, INK__MOST_HEADER_BYTES);
    if (!begins)
        return ink__fail(at.err, INK_BAD_INPUT, "%s: byte 8: 0x%02x, expected '{' (is this a safetensors file?)",
                         at.path, file->bytes[INK__LENGTH_BYTES]);
    if (header > file->size - INK__LENGTH_BYTES)
        return ink__fail(at.err, INK_BAD_INPUT,
                         "%s: byte %zu: end of file, expected a header of %llu bytes from byte 8 "
                         "(cut short?)",
                         at.path, file->size, (unsigned long long)header);
    *length = (size_t)header;
    return INK_OK;
}

static enum ink_status parse_header(json_t **header, const unsigned char *text, size_t length, struct place at)
{
    json_error_t error;
    const enum ink_status status = ink__json_parse(header, (const char *)text, length, &error);
    if (status == INK_OK)
        return INK_OK;
    if (status == INK_FAILED)
        return ink__fail_memory(at.err);
    return ink__fail(at.err, INK_BAD_INPUT, "%s: byte %zu: header: %s", at.path,
                     INK__LENGTH_BYTES + (size_t)error.position, error.text);
}

/* "PATH: tensor 'NAME': FIELD is FOUND, expected WHAT" */
static enum ink_status wrong(struct place at, const char *name, const char *field, const json_t *found,
                             const char *what)
{
    char text[64] = "";
    const size_t room = sizeof text - sizeof "...";
    if (found == NULL)
        strcpy(text, "missing");
    else if (json_dumpb(found, text, room, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII) > room)
        strcat(text, "...");
    return ink__fail(at.err, INK_BAD_INPUT, "%s: tensor '%s': %s is %s, expected %s", at.path, name, field, text, what);
}

static bool read_size(size_t *size, const json_t *value)
{
    const json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || (unsigned long long)number > SIZE_MAX)
        return false;
    *size = (size_t)number;
    return true;
}

static enum ink_status read_dtype(struct ink__entry *entry, const json_t *value, struct place at)
{
    const char *name = json_string_value(value);
    for (int i = 0; name != NULL && i < INK__DTYPES; i++) {
        if (strcmp(name, ink__dtypes[i].name) == 0) {
            entry->dtype = (enum ink__dtype)i;
            return INK_OK;
        }
    }
    return wrong(at, entry->name, "dtype", value, "U8, I8, U32, I32, U64, I64, F32 or F64");
}

static enum ink_status read_shape(struct ink__entry *entry, size_t *bytes, const json_t *value, struct place at)
{
    entry->rank = json_array_size(value);
    if (!json_is_array(value) || entry->rank > INK__MOST_RANK)
        return wrong(at, entry->name, "shape", value, "at most 8 numbers");
    *bytes = ink__dtypes[entry->dtype].size;
    for (size_t i = 0; i < entry->rank; i++) {
        if (!read_size(&entry->shape[i], json_array_get(value, i)))
            return wrong(at, entry->name, "shape", value, "numbers from 0 that fit into memory");
        if (!ink__multiply(bytes, *bytes, entry->shape[i]))
            return wrong(at, entry->name, "shape", value, "a size that fits into memory");
    }
    return INK_OK;
}

static enum ink_status read_offsets(struct tensor *tensor, size_t bytes, const json_t *value, struct place at)
{
    char what[64];
    if (json_array_size(value) != 2 || !read_size(&tensor->begin, json_array_get(value, 0)) ||
        !read_size(&tensor->end, json_array_get(value, 1)))
        return wrong(at, tensor->entry.name, "data_offsets", value, "two numbers from 0");
    if (tensor->end < tensor->begin || tensor->end - tensor->begin != bytes) {
        snprintf(what, sizeof what, "%zu bytes, as dtype and shape say", bytes);
        return wrong(at, tensor->entry.name, "data_offsets", value, what);
    }
    return INK_OK;
}

static enum ink_status read_tensor(struct tensor *tensor, const char *name, const json_t *value, struct place at)
{
    size_t bytes;
    tensor->entry.name = name;
    if (strlen(name) > MOST_NAME_BYTES)
        return ink__fail(at.err, INK_BAD_INPUT, "%s: tensor '%.40s...': a name of %zu bytes, expected at most %d",
                         at.path, name, strlen(name), MOST_NAME_BYTES);
    if (!json_is_object(value))
        return wrong(at, name, "its entry", value, "an object");
    enum ink_status status = read_dtype(&tensor->entry, json_object_get(value, "dtype"), at);
    if (status == INK_OK)
        status = read_shape(&tensor->entry, &bytes, json_object_get(value, "shape"), at);
    if (status == INK_OK)
        status = read_offsets(tensor, bytes, json_object_get(value, "data_offsets"), at);
    return status;
}

static enum ink_status read_metadata(struct ink__safetensors *file, json_t *metadata, struct place at)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return ink__fail(at.err, INK_BAD_INPUT, "%s: %s is no object, expected texts by key", at.path,
                         INK__METADATA_KEY);
    file->pairs = ink__array(json_object_size(metadata), sizeof *file->pairs);
    if (file->pairs == NULL)
        return ink__fail_memory(at.err);
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return ink__fail(at.err, INK_BAD_INPUT, "%s: metadata '%.40s' is no text, expected \"...\"", at.path, key);
        file->pairs[file->pair_count++] = (struct ink__text){ key, json_string_value(value) };
    }
    return INK_OK;
}

static enum ink_status read_header(struct ink__safetensors *file, struct place at)
{
    const char *name;
    json_t *value;
    enum ink_status status = INK_OK;
    file->tensors = ink__array(json_object_size(file->header), sizeof *file->tensors);
    if (file->tensors == NULL)
        return ink__fail_memory(at.err);
    json_object_foreach(file->header, name, value)
    {
        if (strcmp(name, INK__METADATA_KEY) == 0)
            status = read_metadata(file, value, at);
        else
            status = read_tensor(&file->tensors[file->tensor_count++], name, value, at);
        if (status != INK_OK)
            return status;
    }
    return INK_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct tensor *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end); /* the empty ones first */
}

/* Puts the tensors in the order of their data and checks that these fill the rest of the file, `room` bytes. */
static enum ink_status check_places(struct ink__safetensors *file, size_t room, struct place at)
{
    size_t end = 0;
    qsort(file->tensors, file->tensor_count, sizeof *file->tensors, by_place);
    for (size_t i = 0; i < file->tensor_count; i++) {
        const struct tensor *tensor = &file->tensors[i];
        if (tensor->begin != end)
            return ink__fail(at.err, INK_BAD_INPUT, "%s: tensor '%s': data_offsets begin at %zu, expected %zu (%s)",
                             at.path, tensor->entry.name, tensor->begin, end,
                             tensor->begin < end ? "an overlap" : "a gap");
        end = tensor->end;
    }
    if (end != room)
        return ink__fail(at.err, INK_BAD_INPUT, "%s: byte %zu: end of file, expected at byte %llu (%s)", at.path,
                         file->file.size, (unsigned long long)(file->file.size - room) + end,
                         end > room ? "cut short?" : "something was added?");
    return INK_OK;
}

/* Makes the data usable: where they lie if the byte order and the alignment allow it, else as a copy. */
static enum ink_status place_data(struct ink__safetensors *file, const unsigned char *data, struct place at)
{
    for (size_t i = 0; i < file->tensor_count; i++) {
        struct tensor *tensor = &file->tensors[i];
        const size_t size = ink__dtypes[tensor->entry.dtype].size, bytes = tensor->end - tensor->begin;
        const unsigned char *from = data + tensor->begin;
        tensor->entry.data = from;
        if (size == 1 || (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && (uintptr_t)from % size == 0))
            continue;
        tensor->entry.data = tensor->copy = ink__array(bytes, 1);
        if (tensor->copy == NULL)
            return ink__fail_memory(at.err);
        ink__file_order(tensor->copy, from, bytes, size);
    }
    return INK_OK;
}

enum ink_status ink__safetensors_open(struct ink__safetensors **out, const char *path, struct ink_error *err)
{
    const struct place at = { path, err };
    size_t length = 0;
    *out = NULL;
    struct ink__safetensors *file = ink__array(1, sizeof *file);
    if (file == NULL)
        return ink__fail_memory(err);
    enum ink_status status = ink__file_open(&file->file, path, err);
    if (status == INK_OK)
        status = read_length(&length, &file->file, at);
    if (status == INK_OK)
        status = parse_header(&file->header, file->file.bytes + INK__LENGTH_BYTES, length, at);
    if (status == INK_OK)
        status = read_header(file, at);
    if (status == INK_OK)
        status = check_places(file, file->file.size - INK__LENGTH_BYTES - length, at);
    if (status == INK_OK)
        status = place_data(file, file->file.bytes + INK__LENGTH_BYTES + length, at);
    if (status == INK_OK)
        *out = file;
    else
        ink__safetensors_free(file);
    return status;
}

void ink__safetensors_free(struct ink__safetensors *file)
{
    if (file == NULL)
        return;
    for (size_t i = 0; i < file->tensor_count; i++)
        free(file->tensors[i].copy);
    free(file->tensors);
    free(file->pairs);
    json_decref(file->header);
    ink__file_close(&file->file);
    free(file);
}

const struct ink__entry *ink__safetensors_entry(const struct ink__safetensors *file, size_t i)
{
    return i < file->tensor_count ? &file->tensors[i].entry : NULL;
}

const struct ink__entry *ink__safetensors_find(const struct ink__safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->tensor_count; i++)
        if (strcmp(file->tensors[i].entry.name, name) == 0)
            return &file->tensors[i].entry;
    return NULL;
}

struct ink__texts ink__safetensors_texts(const struct ink__safetensors *file)
{
    return (struct ink__texts){ file->pairs, file->pair_count };
}

const char *ink__safetensors_metadata(const struct ink__safetensors *file, const char *key)
{
    const struct ink__texts texts = ink__safetensors_texts(file);
    return ink__texts_find(&texts, key);
}
