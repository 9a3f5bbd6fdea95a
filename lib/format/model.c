/*
 * A network as a file: a tensor a parameter, and in the metadata what it takes to use them.
 *
 *   format              inkling-1; inkling-int8-1 where the tensors are integers, see model_int8.c
 *   spec                the line of text
 *   input               28x28x1
 *   classes             ["0", "1", ...]
 *   mean, deviation     [0.130660042]: a number a channel; only where not 0 and 1
 *
 * and whatever else is known about the net, as it is.
 */
#include <ctype.h>
#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/model.h"

#define FORMAT           "inkling-1"
#define FORMAT_QUANTISED "inkling-int8-1"
#define MOST_SIDE        1000000 /* of an input; the network has a lower bound of its own */

/* The keys that are written from the net itself. */
enum key { KEY_FORMAT, KEY_SPEC, KEY_INPUT, KEY_CLASSES, KEY_MEAN, KEY_DEVIATION, KEYS };
static const char *const keys[KEYS] = { "format", "spec", "input", "classes", "mean", "deviation" };

static bool is_own_key(const char *key)
{
    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

/* ---- Saving ------------------------------------------------------------------------------------------------------ */

/* The file's metadata while it is put together; owns its texts. */
struct texts {
    struct ink__pair *pairs;
    size_t count;
    bool failed;
};

static void add_text(struct texts *texts, const char *key, const char *value)
{
    struct ink__pair *pair = &texts->pairs[texts->count++];
    pair->key = ink__string(key);
    pair->value = ink__string(value);
    texts->failed |= pair->key == NULL || pair->value == NULL;
}

/* Adds an array, which it takes. 9 digits tell every float from its neighbours. */
static void add_array(struct texts *texts, enum key key, json_t *array)
{
    char *text = json_dumps(array, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (text != NULL)
        add_text(texts, keys[key], text);
    texts->failed |= text == NULL;
    free(text);
    json_decref(array);
}

static void add_class_names(struct texts *texts, const struct ink_net *net)
{
    json_t *names = json_array();
    for (size_t c = 0; c < net->classes; c++)
        texts->failed |= json_array_append_new(names, json_string(net->class_names[c])) != 0;
    add_array(texts, KEY_CLASSES, names);
}

/* A number a channel, unless all are `usual`. */
static void add_channels(struct texts *texts, enum key key, const struct ink_net *net, const float *values, float usual)
{
    bool all_usual = true;
    json_t *numbers = json_array();
    for (size_t c = 0; c < net->input.channels; c++) {
        all_usual &= values[c] == usual;
        texts->failed |= json_array_append_new(numbers, json_real((double)values[c])) != 0;
    }
    if (all_usual)
        json_decref(numbers);
    else
        add_array(texts, key, numbers);
}

static void add_texts(struct texts *texts, const struct ink_net *net)
{
    char input[80];
    snprintf(input, sizeof input, "%zux%zux%zu", net->input.height, net->input.width, net->input.channels);
    add_text(texts, keys[KEY_FORMAT], net->int8 != NULL ? FORMAT_QUANTISED : FORMAT);
    add_text(texts, keys[KEY_SPEC], net->spec);
    add_text(texts, keys[KEY_INPUT], input);
    add_class_names(texts, net);
    add_channels(texts, KEY_MEAN, net, net->mean, 0.0f);
    add_channels(texts, KEY_DEVIATION, net, net->deviation, 1.0f);
    for (size_t i = 0; i < net->metadata_count; i++)
        if (!is_own_key(net->metadata[i].key))
            add_text(texts, net->metadata[i].key, net->metadata[i].value);
}

/* Fills one entry a parameter, their rows packed into `packed`, which has room for all. */
static void list_parameters(struct ink__entry *entries, float *packed, const struct ink_net *net)
{
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct ink__parameter *p = &net->parameters[i];
        entries[i] = (struct ink__entry){ .name = p->name, .dtype = INK__F32, .rank = p->rank, .data = packed };
        memcpy(entries[i].shape, p->shape, sizeof p->shape);
        ink__parameter_read(p, net->weights, packed);
        packed += p->rows * p->columns;
    }
}

enum ink_status ink_net_save(const struct ink_net *net, const char *path, struct ink_error *err)
{
    enum ink_status status;
    struct texts texts = { .pairs = ink__array(KEYS + net->metadata_count, sizeof *texts.pairs) };
    const size_t count = net->int8 != NULL ? net->int8->tensor_count : net->parameter_count;
    struct ink__entry *entries = ink__array(count, sizeof *entries);
    float *packed = ink__array(net->int8 != NULL ? 0 : net->weight_count, sizeof *packed);
    if (texts.pairs != NULL)
        add_texts(&texts, net);
    if (texts.pairs == NULL || entries == NULL || packed == NULL || texts.failed) {
        status = ink__fail(err, INK_FAILED, "%s: cannot write: out of memory, or a class name is not UTF-8", path);
        goto out;
    }
    if (net->int8 != NULL)
        ink__int8_list(entries, net->int8);
    else
        list_parameters(entries, packed, net);
    status = ink__safetensors_write(path, entries, count, texts.pairs, texts.count, err);
out:
    for (size_t i = 0; i < texts.count; i++) {
        free(texts.pairs[i].key);
        free(texts.pairs[i].value);
    }
    free(texts.pairs);
    free(entries);
    free(packed);
    return status;
}

/* ---- Loading ----------------------------------------------------------------------------------------------------- */

struct loading {
    const char *path;
    const struct ink__safetensors *file;
    struct ink_net *net;
    struct ink_error *err;
};

/* "PATH: metadata 'KEY': 'FOUND', expected WHAT" */
static enum ink_status wrong_text(const struct loading *l, enum key key, const char *what)
{
    const char *found = ink__safetensors_metadata(l->file, keys[key]);
    if (found == NULL)
        return ink__fail(l->err, INK_BAD_INPUT, "%s: metadata '%s': missing, expected %s", l->path, keys[key], what);
    return ink__fail(l->err, INK_BAD_INPUT, "%s: metadata '%s': '%.80s', expected %s", l->path, keys[key], found, what);
}

/* "28x28x1" */
static bool parse_shape(struct ink_shape *shape, const char *text)
{
    size_t *const sides[] = { &shape->height, &shape->width, &shape->channels };
    for (size_t i = 0; text != NULL && i < 3; i++) {
        if (!isdigit((unsigned char)*text))
            return false;
        for (*sides[i] = 0; isdigit((unsigned char)*text) && *sides[i] < MOST_SIDE; text++)
            *sides[i] = 10 * *sides[i] + (size_t)(*text - '0');
        if (*text++ != (i < 2 ? 'x' : '\0'))
            return false;
    }
    return text != NULL;
}

/* Makes the network, still without weights. */
static enum ink_status read_network(struct loading *l)
{
    const char *format = ink__safetensors_metadata(l->file, keys[KEY_FORMAT]);
    const char *spec = ink__safetensors_metadata(l->file, keys[KEY_SPEC]);
    struct ink_shape input;
    struct ink_error inner;
    if (format == NULL || (strcmp(format, FORMAT) != 0 && strcmp(format, FORMAT_QUANTISED) != 0))
        return wrong_text(l, KEY_FORMAT, "'" FORMAT "' (is this a model of inkling's?)");
    if (!parse_shape(&input, ink__safetensors_metadata(l->file, keys[KEY_INPUT])))
        return wrong_text(l, KEY_INPUT, "a shape such as 28x28x1");
    if (spec == NULL)
        return wrong_text(l, KEY_SPEC, "the network's line of text");
    const enum ink_status status = ink__net_make(&l->net, input, spec, &inner);
    if (status == INK_BAD_ARGUMENT) /* the file's mistake here, not the caller's */
        return ink__fail(l->err, INK_BAD_INPUT, "%s: metadata: %s", l->path, inner.message);
    return status == INK_OK ? INK_OK : ink__fail(l->err, status, "%s", inner.message);
}

/* Parses the array of `count` elements under `key`; *array is NULL if there is none. */
static enum ink_status read_array(const struct loading *l, enum key key, size_t count, json_t **array)
{
    const char *text = ink__safetensors_metadata(l->file, keys[key]);
    *array = text != NULL ? json_loads(text, 0, NULL) : NULL;
    if (text == NULL || (json_is_array(*array) && json_array_size(*array) == count))
        return INK_OK;
    json_decref(*array);
    *array = NULL;
    return ink__fail(l->err, INK_BAD_INPUT, "%s: metadata '%s': '%.80s', expected a JSON array of %zu elements",
                     l->path, keys[key], text, count);
}

static enum ink_status read_class_names(const struct loading *l)
{
    json_t *names;
    enum ink_status status = read_array(l, KEY_CLASSES, l->net->classes, &names);
    for (size_t c = 0; status == INK_OK && c < json_array_size(names); c++) {
        const char *name = json_string_value(json_array_get(names, c));
        status =
            name != NULL ? ink__net_set_class_name(l->net, c, name, l->err) : wrong_text(l, KEY_CLASSES, "texts alone");
    }
    json_decref(names);
    return status;
}

/* Finite numbers of the channels, each at least `least`. */
static enum ink_status read_channels(const struct loading *l, enum key key, float *values, float least)
{
    json_t *numbers;
    enum ink_status status = read_array(l, key, l->net->input.channels, &numbers);
    for (size_t c = 0; status == INK_OK && c < json_array_size(numbers); c++) {
        const json_t *element = json_array_get(numbers, c);
        values[c] = (float)json_number_value(element); /* rounded first: 9 digits of FLT_MAX lie above it */
        if (!json_is_number(element) || !isfinite(values[c]) || values[c] < least)
            status = wrong_text(l, key, key == KEY_MEAN ? "numbers" : "numbers above 0");
    }
    json_decref(numbers);
    return status;
}

static enum ink_status read_texts(const struct loading *l)
{
    const char *key = NULL, *value = NULL;
    enum ink_status status = read_class_names(l);
    if (status == INK_OK)
        status = read_channels(l, KEY_MEAN, l->net->mean, -FLT_MAX);
    if (status == INK_OK)
        status = read_channels(l, KEY_DEVIATION, l->net->deviation, FLT_MIN);
    for (size_t i = 0; status == INK_OK && ink__safetensors_pair(l->file, i, &key, &value); i++)
        if (!is_own_key(key))
            status = ink__net_set(l->net, key, value, l->err);
    return status;
}

static const struct ink__parameter *find_parameter(const struct ink_net *net, const char *name)
{
    for (size_t i = 0; i < net->parameter_count; i++)
        if (strcmp(net->parameters[i].name, name) == 0)
            return &net->parameters[i];
    return NULL;
}

/* "[784, 50]" */
static const char *shape_text(char text[256], const size_t *shape, size_t rank)
{
    size_t length = 0;
    for (size_t i = 0; i < rank; i++)
        length += (size_t)snprintf(text + length, 256 - length, "%s%zu", i == 0 ? "[" : ", ", shape[i]);
    snprintf(text + length, 256 - length, rank == 0 ? "[]" : "]");
    return text;
}

enum ink_status ink__check_entry(const struct ink__entry *found, const struct ink__entry *expected, const char *path,
                                 struct ink_error *err)
{
    char shape[256], other[256];
    const char *const dtype = ink__dtypes[expected->dtype].name;
    if (found == NULL)
        return ink__fail(err, INK_BAD_INPUT, "%s: tensor '%s': missing, expected %s of shape %s", path, expected->name,
                         dtype, shape_text(shape, expected->shape, expected->rank));
    if (found->dtype != expected->dtype)
        return ink__fail(err, INK_BAD_INPUT, "%s: tensor '%s': dtype is %s, expected %s", path, expected->name,
                         ink__dtypes[found->dtype].name, dtype);
    if (found->rank != expected->rank ||
        memcmp(found->shape, expected->shape, found->rank * sizeof found->shape[0]) != 0)
        return ink__fail(err, INK_BAD_INPUT, "%s: tensor '%s': shape is %s, expected %s", path, expected->name,
                         shape_text(other, found->shape, found->rank),
                         shape_text(shape, expected->shape, expected->rank));
    return INK_OK;
}

static enum ink_status check_tensor(const struct loading *l, const struct ink__parameter *p)
{
    struct ink__entry expected = { .name = p->name, .dtype = INK__F32, .rank = p->rank };
    memcpy(expected.shape, p->shape, sizeof p->shape);
    return ink__check_entry(ink__safetensors_find(l->file, p->name), &expected, l->path, l->err);
}

/* The file has the network's parameters and nothing else. */
static enum ink_status check_tensors(const struct loading *l)
{
    const struct ink__entry *entry;
    enum ink_status status = INK_OK;
    for (size_t i = 0; (entry = ink__safetensors_entry(l->file, i)) != NULL; i++)
        if (find_parameter(l->net, entry->name) == NULL)
            return ink__fail(l->err, INK_BAD_INPUT, "%s: tensor '%s': not of this network, expected %zu others",
                             l->path, entry->name, l->net->parameter_count);
    for (size_t i = 0; status == INK_OK && i < l->net->parameter_count; i++)
        status = check_tensor(l, &l->net->parameters[i]);
    return status;
}

static bool is_variance(const struct ink_net *net, const struct ink__parameter *p)
{
    const struct ink__layer *layer = &net->layers[p->layer];
    return layer->kind == INK__NORM && p == &net->parameters[layer->parameter + INK__VARIANCE];
}

static enum ink_status read_weights(const struct loading *l)
{
    for (size_t i = 0; i < l->net->parameter_count; i++) {
        const struct ink__parameter *p = &l->net->parameters[i];
        const float *values = ink__safetensors_find(l->file, p->name)->data;
        const bool variance = is_variance(l->net, p);
        for (size_t k = 0; k < p->rows * p->columns; k++)
            if (!isfinite(values[k]) || (variance && values[k] < 0.0f))
                return ink__fail(l->err, INK_BAD_INPUT, "%s: tensor '%s': element %zu is %g, expected a %s", l->path,
                                 p->name, k, (double)values[k], variance ? "variance from 0" : "finite number");
        ink__parameter_write(p, values, l->net->weights);
    }
    return INK_OK;
}

static enum ink_status read_floats(const struct loading *l)
{
    enum ink_status status = check_tensors(l); /* before the weights take memory: now that is no more than the file's */
    if (status == INK_OK)
        status = ink__net_allocate(l->net, l->err);
    return status == INK_OK ? read_weights(l) : status;
}

static bool is_quantised(const struct loading *l)
{
    return strcmp(ink__safetensors_metadata(l->file, keys[KEY_FORMAT]), FORMAT_QUANTISED) == 0;
}

enum ink_status ink_net_load(struct ink_net **out, const char *path, struct ink_error *err)
{
    struct ink__safetensors *file;
    struct loading l = { .path = path, .err = err };
    *out = NULL;
    enum ink_status status = ink__safetensors_open(&file, path, err);
    l.file = file;
    if (status == INK_OK)
        status = read_network(&l);
    if (status == INK_OK)
        status = read_texts(&l);
    if (status == INK_OK)
        status = is_quantised(&l) ? ink__int8_read(l.net, file, path, err) : read_floats(&l);
    ink__safetensors_free(file);
    if (status == INK_OK)
        *out = l.net;
    else
        ink_net_free(l.net);
    return status;
}
