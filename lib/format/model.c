/*
 * A network as a file: a tensor a parameter, and in the metadata what it takes to use them, see texts.h.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/import.h"
#include "format/safetensors.h"
#include "format/texts.h"
#include "nn/net.h"

#define FORMAT "inkling-1"

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
    enum ink_status status = ink__texts_make(&texts, &text_count, net, FORMAT, path, err);
    if (status != INK_OK)
        return status;
    entries = ink__array(net->parameter_count, sizeof *entries);
    packed = ink__array(net->weight_count, sizeof *packed);
    if (entries == NULL || packed == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    list_parameters(entries, packed, net);
    status = ink__safetensors_write(path, entries, net->parameter_count, texts, text_count, err);
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

static enum ink_status check_format(const struct loading *l, const struct ink__texts *texts)
{
    const char *const found = ink__texts_find(texts, INK__TEXT_FORMAT);
    if (found != NULL && strcmp(found, FORMAT) == 0)
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

static enum ink_status check_tensor(const struct loading *l, const struct ink__parameter *p,
                                    const struct ink__entry *entry)
{
    char found[256], expected[256];
    if (entry == NULL)
        return ink__fail(l->err, INK_BAD_INPUT, "%s: tensor '%s': missing, expected F32 of shape %s", l->path, p->name,
                         shape_text(expected, p->shape, p->rank));
    if (entry->dtype != INK__F32)
        return ink__fail(l->err, INK_BAD_INPUT, "%s: tensor '%s': dtype is %s, expected F32", l->path, p->name,
                         ink__dtypes[entry->dtype].name);
    if (entry->rank != p->rank || memcmp(entry->shape, p->shape, p->rank * sizeof p->shape[0]) != 0)
        return ink__fail(l->err, INK_BAD_INPUT, "%s: tensor '%s': shape is %s, expected %s", l->path, p->name,
                         shape_text(found, entry->shape, entry->rank), shape_text(expected, p->shape, p->rank));
    return INK_OK;
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
    for (size_t i = 0; status == INK_OK && i < l->net->parameter_count; i++) {
        const struct ink__parameter *p = &l->net->parameters[i];
        status = check_tensor(l, p, ink__safetensors_find(l->file, p->name));
    }
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
    if (status == INK_OK)
        status = check_tensors(&l); /* before the weights take memory: now that is no more than the file's */
    if (status == INK_OK)
        status = ink__net_allocate(l.net, err);
    if (status == INK_OK)
        status = read_weights(&l);
    ink__safetensors_free(file);
    if (status == INK_OK)
        *out = l.net;
    else
        ink_net_free(l.net);
    return status;
}
