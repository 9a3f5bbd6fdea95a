#include "format/texts.h"

#include <ctype.h>
#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

#define MOST_SIDE 1000000 /* of an input; the network has a lower bound of its own */

/* The keys that are written from the net itself. */
enum key { KEY_FORMAT, KEY_SPEC, KEY_INPUT, KEY_CLASSES, KEY_MEAN, KEY_DEVIATION, KEYS };
static const char *const keys[KEYS] = { INK__TEXT_FORMAT, INK__TEXT_SPEC, "input", "classes", "mean", "deviation" };

static bool is_own_key(const char *key)
{
    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

const char *ink__texts_find(const struct ink__texts *texts, const char *key)
{
    for (size_t i = 0; i < texts->count; i++)
        if (strcmp(texts->pairs[i].key, key) == 0)
            return texts->pairs[i].value;
    return NULL;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

/* The texts while they are put together; owns them. */
struct making {
    struct ink__pair *pairs;
    size_t count;
    bool failed;
};

static void add_text(struct making *m, const char *key, const char *value)
{
    struct ink__pair *pair = &m->pairs[m->count++];
    pair->key = ink__string(key);
    pair->value = ink__string(value);
    m->failed |= pair->key == NULL || pair->value == NULL;
}

/* Adds an array, which it takes. 9 digits tell every float from its neighbours. */
static void add_array(struct making *m, enum key key, json_t *array)
{
    char *text = json_dumps(array, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (text != NULL)
        add_text(m, keys[key], text);
    m->failed |= text == NULL;
    free(text);
    json_decref(array);
}

static void add_class_names(struct making *m, const struct ink_net *net)
{
    json_t *names = json_array();
    for (size_t c = 0; c < net->classes; c++)
        m->failed |= json_array_append_new(names, json_string(net->class_names[c])) != 0;
    add_array(m, KEY_CLASSES, names);
}

/* A number a channel, unless all are `usual`. */
static void add_channels(struct making *m, enum key key, const struct ink_net *net, const float *values, float usual)
{
    bool all_usual = true;
    json_t *numbers = json_array();
    for (size_t c = 0; c < net->input.channels; c++) {
        all_usual &= values[c] == usual;
        m->failed |= json_array_append_new(numbers, json_real((double)values[c])) != 0;
    }
    if (all_usual)
        json_decref(numbers);
    else
        add_array(m, key, numbers);
}

enum ink_status ink__texts_make(struct ink__pair **pairs, size_t *count, const struct ink_net *net, const char *format,
                                const char *path, struct ink_error *err)
{
    char input[80];
    struct making m = { .pairs = ink__array(KEYS + net->metadata_count, sizeof *m.pairs) };
    *pairs = NULL;
    *count = 0;
    if (m.pairs == NULL)
        return ink__fail_memory(err);
    snprintf(input, sizeof input, "%zux%zux%zu", net->input.height, net->input.width, net->input.channels);
    add_text(&m, keys[KEY_FORMAT], format);
    add_text(&m, keys[KEY_SPEC], net->spec);
    add_text(&m, keys[KEY_INPUT], input);
    add_class_names(&m, net);
    add_channels(&m, KEY_MEAN, net, net->mean, 0.0f);
    add_channels(&m, KEY_DEVIATION, net, net->deviation, 1.0f);
    for (size_t i = 0; i < net->metadata_count; i++)
        if (!is_own_key(net->metadata[i].key))
            add_text(&m, net->metadata[i].key, net->metadata[i].value);
    if (m.failed) {
        ink__pairs_free(m.pairs, m.count);
        return ink__fail(err, INK_FAILED, "%s: cannot write: out of memory, or a class name is not UTF-8", path);
    }
    *pairs = m.pairs;
    *count = m.count;
    return INK_OK;
}

void ink__pairs_free(struct ink__pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(pairs[i].key);
        free(pairs[i].value);
    }
    free(pairs);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

/* Texts, and where complaints about them go. */
struct reading {
    const struct ink__texts *texts;
    const char *path;
    struct ink_error *err;
};

/* "PATH: metadata 'KEY': 'FOUND', expected WHAT" */
static enum ink_status wrong_text(const struct reading *r, enum key key, const char *what)
{
    const char *found = ink__texts_find(r->texts, keys[key]);
    if (found == NULL)
        return ink__fail(r->err, INK_BAD_INPUT, "%s: metadata '%s': missing, expected %s", r->path, keys[key], what);
    return ink__fail(r->err, INK_BAD_INPUT, "%s: metadata '%s': '%.80s', expected %s", r->path, keys[key], found, what);
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

enum ink_status ink__texts_network(struct ink_net **out, const struct ink__texts *texts, const char *path,
                                   struct ink_error *err)
{
    const struct reading r = { texts, path, err };
    const char *spec = ink__texts_find(texts, keys[KEY_SPEC]);
    struct ink_shape input;
    struct ink_error inner;
    *out = NULL;
    if (!parse_shape(&input, ink__texts_find(texts, keys[KEY_INPUT])))
        return wrong_text(&r, KEY_INPUT, "a shape such as 28x28x1");
    if (spec == NULL)
        return wrong_text(&r, KEY_SPEC, "the network's line of text");
    const enum ink_status status = ink__net_make(out, input, spec, &inner);
    if (status == INK_BAD_ARGUMENT) /* the file's mistake here, not the caller's */
        return ink__fail(err, INK_BAD_INPUT, "%s: metadata: %s", path, inner.message);
    return status == INK_OK ? INK_OK : ink__fail(err, status, "%s", inner.message);
}

/* Parses the array of `count` elements under `key`; *array is NULL if there is none. */
static enum ink_status read_array(const struct reading *r, enum key key, size_t count, json_t **array)
{
    const char *text = ink__texts_find(r->texts, keys[key]);
    *array = text != NULL ? json_loads(text, 0, NULL) : NULL;
    if (text == NULL || (json_is_array(*array) && json_array_size(*array) == count))
        return INK_OK;
    json_decref(*array);
    *array = NULL;
    return ink__fail(r->err, INK_BAD_INPUT, "%s: metadata '%s': '%.80s', expected a JSON array of %zu elements",
                     r->path, keys[key], text, count);
}

enum ink_status ink__texts_name(struct ink_net *net, const struct ink__texts *texts, const char *path,
                                struct ink_error *err)
{
    const struct reading r = { texts, path, err };
    json_t *names;
    enum ink_status status = read_array(&r, KEY_CLASSES, net->classes, &names);
    for (size_t c = 0; status == INK_OK && c < json_array_size(names); c++) {
        const char *name = json_string_value(json_array_get(names, c));
        status = name != NULL ? ink__net_set_class_name(net, c, name, err) : wrong_text(&r, KEY_CLASSES, "texts alone");
    }
    json_decref(names);
    for (size_t i = 0; status == INK_OK && i < texts->count; i++)
        if (!is_own_key(texts->pairs[i].key))
            status = ink__net_set(net, texts->pairs[i].key, texts->pairs[i].value, err);
    return status;
}

/* Finite numbers of the channels, each at least `least`. */
static enum ink_status read_channels(const struct reading *r, enum key key, size_t channels, float *values, float least)
{
    json_t *numbers;
    enum ink_status status = read_array(r, key, channels, &numbers);
    for (size_t c = 0; status == INK_OK && c < json_array_size(numbers); c++) {
        const json_t *element = json_array_get(numbers, c);
        values[c] = (float)json_number_value(element); /* rounded first: 9 digits of FLT_MAX lie above it */
        if (!json_is_number(element) || !isfinite(values[c]) || values[c] < least)
            status = wrong_text(r, key, key == KEY_MEAN ? "numbers" : "numbers above 0");
    }
    json_decref(numbers);
    return status;
}

enum ink_status ink__texts_scale(struct ink_net *net, const struct ink__texts *texts, const char *path,
                                 struct ink_error *err)
{
    const struct reading r = { texts, path, err };
    const enum ink_status status = read_channels(&r, KEY_MEAN, net->input.channels, net->mean, -FLT_MAX);
    if (status != INK_OK)
        return status;
    return read_channels(&r, KEY_DEVIATION, net->input.channels, net->deviation, FLT_MIN);
}
