/*
 * A network as a file: a tensor a parameter, or the integers of a quantised one (model_int8.c), and in the metadata
 * what it takes to use them, see texts.h.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/import.h"
#include "format/model.h"
#include "format/texts.h"

#define FORMAT           "inkling-1"
#define FORMAT_QUANTISED "inkling-int8-1"

/* ---- Saving ------------------------------------------------------------------------------------------------------ */

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
    struct ink__entry *entries = NULL;
    float *packed = NULL;
    struct ink__pair *texts;
    size_t text_count;
    const size_t count = net->int8 != NULL ? net->int8->tensor_count : net->parameter_count;
    const char *const format = net->int8 != NULL ? FORMAT_QUANTISED : FORMAT;
    enum ink_status status = ink__texts_make(&texts, &text_count, net, format, path, err);
    if (status != INK_OK)
        return status;
    entries = ink__array(count, sizeof *entries);
    packed = ink__array(net->int8 != NULL ? 0 : net->weight_count, sizeof *packed);
    if (entries == NULL || packed == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    if (net->int8 != NULL)
        ink__int8_list(entries, net->int8);
    else
        list_parameters(entries, packed, net);
    status = ink__safetensors_write(path, entries, count, texts, text_count, err);
out:
    ink__pairs_free(texts, text_count);
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

static bool has_format(const struct ink__texts *texts, const char *format)
{
    const char *const found = ink__texts_find(texts, INK__TEXT_FORMAT);
    return found != NULL && strcmp(found, format) == 0;
}

static enum ink_status check_format(const struct loading *l, const struct ink__texts *texts)
{
    const char *const found = ink__texts_find(texts, INK__TEXT_FORMAT);
    if (has_format(texts, FORMAT) || has_format(texts, FORMAT_QUANTISED))
        return INK_OK;
    return ink__fail(l->err, INK_BAD_INPUT,
                     "%s: metadata 'format': %s%.80s%s, expected '" FORMAT "' (is this a model of inkling's?)", l->path,
                     found != NULL ? "'" : "", found != NULL ? found : "missing", found != NULL ? "'" : "");
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

enum ink_status ink__net_check(const struct ink_net *net, const char *path, struct ink_error *err)
{
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct ink__parameter *const p = &net->parameters[i];
        const bool variance = is_variance(net, p);
        for (size_t k = 0; k < p->rows * p->columns; k++) {
            const float value = net->weights[p->offset + k / p->columns * p->ld + k % p->columns];
            if (!isfinite(value) || (variance && value < 0.0f))
                return ink__fail(err, INK_BAD_INPUT, "%s: tensor '%s': element %zu is %g, expected a %s", path, p->name,
                                 k, (double)value, variance ? "variance from 0" : "finite number");
        }
    }
    return INK_OK;
}

static enum ink_status read_weights(const struct loading *l)
{
    for (size_t i = 0; i < l->net->parameter_count; i++) {
        const struct ink__parameter *const p = &l->net->parameters[i];
        ink__parameter_write(p, ink__safetensors_find(l->file, p->name)->data, l->net->weights);
    }
    return ink__net_check(l->net, l->path, l->err);
}

static enum ink_status read_floats(const struct loading *l)
{
    enum ink_status status = check_tensors(l); /* before the weights take memory: now that is no more than the file's */
    if (status == INK_OK)
        status = ink__net_allocate(l->net, l->err);
    return status == INK_OK ? read_weights(l) : status;
}

enum ink_status ink_net_load(struct ink_net **out, const char *path, struct ink_error *err)
{
    struct ink__safetensors *file;
    struct ink__texts texts;
    struct loading l = { .path = path, .err = err };
    *out = NULL;
    enum ink_status status = ink__safetensors_open(&file, path, err);
    if (status != INK_OK)
        return status;
    l.file = file;
    texts = ink__safetensors_texts(file);
    status = check_format(&l, &texts);
    if (status == INK_OK)
        status = ink__texts_network(&l.net, &texts, path, err);
    if (status == INK_OK)
        status = ink__texts_name(l.net, &texts, path, err);
    if (status == INK_OK)
        status = ink__texts_scale(l.net, &texts, path, err);
    if (status == INK_OK && has_format(&texts, FORMAT_QUANTISED))
        status = ink__int8_read(l.net, file, path, err);
    else if (status == INK_OK)
        status = read_floats(&l);
    ink__safetensors_free(file);
    if (status == INK_OK)
        *out = l.net;
    else
        ink_net_free(l.net);
    return status;
}
