/* Weights in npz and safetensors files, written and read. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/npz.h"
#include "format/import.h"
#include "format/safetensors.h"
#include "format/weights.h"

#define TORCH_FORMAT "pt" /* what PyTorch's own safetensors say */
#define KEY_MODULE   "torch"

static const char mean_name[] = "mean", deviation_name[] = "deviation";
static const int64_t no_batches = 0;

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

/* All arrays of a layout, packed one behind the other. */
struct packed {
    struct ink__weight *list;
    size_t count;
    float *values;
    const void **data; /* (count) */
};

static void release(struct packed *packed)
{
    free(packed->list);
    free(packed->values);
    free(packed->data);
}

static enum ink_status pack(struct packed *packed, const struct ink_net *net, enum ink_layout layout,
                            struct ink_error *err)
{
    *packed = (struct packed){ .count = 0 };
    packed->list = ink__weights_list(net, layout, &packed->count);
    packed->values = ink__array(net->weight_count, sizeof *packed->values);
    packed->data = packed->list != NULL ? ink__array(packed->count, sizeof *packed->data) : NULL;
    if (packed->list == NULL || packed->values == NULL || packed->data == NULL)
        return ink__fail_memory(err);
    float *at = packed->values;
    for (size_t i = 0; i < packed->count; i++) {
        const struct ink__parameter *const p = packed->list[i].parameter;
        packed->data[i] = p != NULL ? (const void *)at : &no_batches;
        if (p == NULL)
            continue;
        ink__weight_read(net, p, layout, at);
        at += p->rows * p->columns;
    }
    return INK_OK;
}

enum ink_status ink_export_npz(const struct ink_net *net, enum ink_layout layout, const char *path,
                               struct ink_error *err)
{
    struct packed packed;
    struct ink__npy *arrays = NULL;
    size_t count = 0;
    enum ink_status status = pack(&packed, net, layout, err);
    if (status == INK_OK && (arrays = ink__array(packed.count + 2, sizeof *arrays)) == NULL)
        status = ink__fail_memory(err);
    for (; status == INK_OK && count < packed.count; count++) {
        const struct ink__weight *const weight = &packed.list[count];
        const bool is_float = weight->parameter != NULL;
        arrays[count] = (struct ink__npy){ .name = weight->name,
                                           .kind = is_float ? 'f' : 'i',
                                           .width = is_float ? sizeof(float) : sizeof no_batches,
                                           .rank = weight->rank,
                                           .data = packed.data[count] };
        memcpy(arrays[count].shape, weight->shape, sizeof weight->shape);
    }
    bool scales = false;
    for (size_t c = 0; c < net->input.channels; c++)
        scales |= net->mean[c] != 0.0f || net->deviation[c] != 1.0f;
    for (size_t i = 0; status == INK_OK && scales && i < 2; i++)
        arrays[count++] = (struct ink__npy){ .name = i == 0 ? mean_name : deviation_name,
                                             .kind = 'f',
                                             .width = sizeof(float),
                                             .rank = 1,
                                             .shape = { net->input.channels },
                                             .data = i == 0 ? net->mean : net->deviation };
    if (status == INK_OK)
        status = ink__npz_write(path, arrays, count, false, err);
    free(arrays);
    release(&packed);
    return status;
}

/* The texts of the net, and the Python text of its module. */
static enum ink_status make_texts(struct ink__pair **pairs, size_t *count, const struct ink_net *net, const char *path,
                                  struct ink_error *err)
{
    const size_t size = ink_torch_module(net, NULL, 0) + 1;
    enum ink_status status = ink__texts_make(pairs, count, net, TORCH_FORMAT, path, err);
    if (status != INK_OK)
        return status;
    struct ink__pair *const more = realloc(*pairs, (*count + 1) * sizeof *more);
    if (more == NULL)
        return ink__fail_memory(err);
    *pairs = more;
    struct ink__pair *const pair = &more[(*count)++];
    *pair = (struct ink__pair){ ink__string(KEY_MODULE), ink__array(size, 1) };
    if (pair->key == NULL || pair->value == NULL)
        return ink__fail_memory(err);
    ink_torch_module(net, pair->value, size);
    return INK_OK;
}

enum ink_status ink_export_safetensors(const struct ink_net *net, enum ink_layout layout, const char *path,
                                       struct ink_error *err)
{
    if (layout != INK_LAYOUT_TORCH)
        return ink_net_save(net, path, err);
    struct packed packed;
    struct ink__entry *entries = NULL;
    struct ink__pair *texts = NULL;
    size_t text_count = 0;
    enum ink_status status = pack(&packed, net, layout, err);
    if (status == INK_OK && (entries = ink__array(packed.count, sizeof *entries)) == NULL)
        status = ink__fail_memory(err);
    for (size_t i = 0; status == INK_OK && i < packed.count; i++) {
        const struct ink__weight *const weight = &packed.list[i];
        entries[i] = (struct ink__entry){ .name = weight->name,
                                          .dtype = weight->parameter != NULL ? INK__F32 : INK__I64,
                                          .rank = weight->rank,
                                          .data = packed.data[i] };
        memcpy(entries[i].shape, weight->shape, sizeof weight->shape);
    }
    if (status == INK_OK)
        status = make_texts(&texts, &text_count, net, path, err);
    if (status == INK_OK)
        status = ink__safetensors_write(path, entries, packed.count, texts, text_count, err);
    ink__pairs_free(texts, text_count);
    free(entries);
    release(&packed);
    return status;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

/* A file of arrays: one of the two. */
struct source {
    const char *path;
    struct ink__npz *npz;
    struct ink__safetensors *safetensors;
    struct ink_error *err;
};

/* An array of it. */
struct array {
    const char *name;
    const size_t *shape;
    size_t rank;
    bool is_float; /* of a width that is read */
    const struct ink__npy *npy;
    const struct ink__entry *entry;
};

static struct array of_npy(const struct ink__npy *npy)
{
    return npy == NULL ? (struct array){ 0 }
                       : (struct array){ npy->name, npy->shape, npy->rank, npy->kind == 'f', npy, NULL };
}

static struct array of_entry(const struct ink__entry *entry)
{
    return entry == NULL
               ? (struct array){ 0 }
               : (struct array){ entry->name, entry->shape, entry->rank, entry->dtype == INK__F32, NULL, entry };
}

/* The i-th array, and the array of that name; without a name if there is none. */
static struct array array_at(const struct source *s, size_t i)
{
    return s->npz != NULL ? of_npy(ink__npz_array(s->npz, i)) : of_entry(ink__safetensors_entry(s->safetensors, i));
}

static struct array find_array(const struct source *s, const char *name)
{
    return s->npz != NULL ? of_npy(ink__npz_find(s->npz, name)) : of_entry(ink__safetensors_find(s->safetensors, name));
}

/* Its elements as floats, to `values`, which has room for them. */
static enum ink_status read_values(const struct source *s, const struct array *array, size_t count, float *values)
{
    if (array->entry != NULL) {
        memcpy(values, array->entry->data, count * sizeof *values);
        return INK_OK;
    }
    const enum ink_status status = ink__npz_load(s->npz, array->npy, s->err);
    for (size_t i = 0; status == INK_OK && i < count; i++)
        values[i] = (float)ink__npy_value(array->npy, i);
    return status;
}

static bool has_shape(const struct array *array, const size_t *shape, size_t rank)
{
    return array->name != NULL && array->is_float && array->rank == rank &&
           memcmp(array->shape, shape, rank * sizeof *shape) == 0;
}

/* The arrays of a layout, and how many of those that have to be there are, in their shapes. */
struct candidate {
    struct ink__weight *list;
    size_t count, needed, fit;
};

static enum ink_status try_layout(struct candidate *c, const struct source *s, const struct ink_net *net,
                                  enum ink_layout layout)
{
    *c = (struct candidate){ .count = 0 };
    c->list = ink__weights_list(net, layout, &c->count);
    if (c->list == NULL)
        return ink__fail_memory(s->err);
    for (size_t i = 0; i < c->count; i++) {
        const struct array array = find_array(s, c->list[i].name);
        c->needed += c->list[i].parameter != NULL;
        c->fit += c->list[i].parameter != NULL && has_shape(&array, c->list[i].shape, c->list[i].rank);
    }
    return INK_OK;
}

/* "(784, 50)" */
static const char *shape_text(char text[192], const size_t *shape, size_t rank)
{
    size_t length = (size_t)snprintf(text, 192, "(");
    for (size_t i = 0; i < rank && length < 160; i++)
        length += (size_t)snprintf(text + length, 192 - length, "%s%zu", i > 0 ? ", " : "", shape[i]);
    snprintf(text + length, 192 - length, ")");
    return text;
}

/* Names the first array that is missing or has another shape, or that belongs to no network of this line. */
static enum ink_status check_arrays(const struct source *s, const struct candidate *c)
{
    char found[192], expected[192];
    for (size_t i = 0; i < c->count; i++) {
        const struct ink__weight *const weight = &c->list[i];
        const struct array array = find_array(s, weight->name);
        if (weight->parameter == NULL || has_shape(&array, weight->shape, weight->rank))
            continue;
        return ink__fail(s->err, INK_BAD_INPUT, "%s: array '%s': found %s, expected floats of shape %s", s->path,
                         weight->name,
                         array.name == NULL ? "none"
                         : array.is_float   ? shape_text(found, array.shape, array.rank)
                                            : "elements of another type",
                         shape_text(expected, weight->shape, weight->rank));
    }
    for (size_t i = 0;; i++) {
        const struct array array = array_at(s, i);
        if (array.name == NULL)
            return INK_OK;
        bool known = strcmp(array.name, mean_name) == 0 || strcmp(array.name, deviation_name) == 0;
        for (size_t k = 0; k < c->count && !known; k++)
            known = strcmp(array.name, c->list[k].name) == 0;
        if (!known)
            return ink__fail(s->err, INK_BAD_INPUT, "%s: array '%.100s': not of this network, expected %zu others",
                             s->path, array.name, c->needed);
    }
}

static enum ink_status fill(const struct source *s, struct ink_net *net, const struct candidate *c,
                            enum ink_layout layout)
{
    enum ink_status status = INK_OK;
    float *const values = ink__array(net->weight_count, sizeof *values);
    if (values == NULL)
        return ink__fail_memory(s->err);
    for (size_t i = 0; status == INK_OK && i < c->count; i++) {
        const struct ink__parameter *const p = c->list[i].parameter;
        const struct array array = find_array(s, c->list[i].name);
        if (p != NULL)
            status = read_values(s, &array, p->rows * p->columns, values);
        if (p != NULL && status == INK_OK)
            ink__weight_write(net, p, layout, values);
    }
    free(values);
    return status != INK_OK ? status : ink__net_check(net, s->path, s->err);
}

/* Chooses the layout that fits, and reads the weights. */
static enum ink_status read_weights(const struct source *s, struct ink_net *net, enum ink_layout wanted)
{
    struct candidate own = { 0 }, torch = { 0 };
    enum ink_status status = try_layout(&own, s, net, INK_LAYOUT_INKLING);
    if (status == INK_OK)
        status = try_layout(&torch, s, net, INK_LAYOUT_TORCH);
    const bool both = own.fit == own.needed && torch.fit == torch.needed && wanted == INK_LAYOUT_ANY;
    if (status == INK_OK && both)
        status = ink__fail(s->err, INK_BAD_ARGUMENT,
                           "%s: names and shapes fit both layouts: say whether it is PyTorch's or inkling's", s->path);
    const bool is_torch = wanted == INK_LAYOUT_TORCH || (wanted == INK_LAYOUT_ANY && torch.fit > own.fit);
    const struct candidate *const chosen = is_torch ? &torch : &own;
    if (status == INK_OK)
        status = check_arrays(s, chosen);
    if (status == INK_OK)
        status = ink__net_allocate(net, s->err);
    if (status == INK_OK)
        status = fill(s, net, chosen, is_torch ? INK_LAYOUT_TORCH : INK_LAYOUT_INKLING);
    free(own.list);
    free(torch.list);
    return status;
}

/* The network: as the caller's line says, else the file's texts. */
static enum ink_status make_net(const struct source *s, struct ink_net **net, const struct ink__texts *texts,
                                const struct ink_import_options *options)
{
    static const struct ink_shape usual = { 28, 28, 1 };
    if (options->spec != NULL)
        return ink__net_make(net, options->input.height > 0 ? options->input : usual, options->spec, s->err);
    if (ink__texts_find(texts, INK__TEXT_SPEC) != NULL)
        return ink__texts_network(net, texts, s->path, s->err);
    return ink__fail(s->err, INK_BAD_ARGUMENT, "%s: has weights alone: say what network they are of", s->path);
}

/* Mean and deviation that lie among the arrays of an npz. */
static enum ink_status read_scale(const struct source *s, const char *name, size_t channels, float *values,
                                  bool above_0)
{
    const struct array array = find_array(s, name);
    if (array.name == NULL)
        return INK_OK;
    enum ink_status status = INK_OK;
    bool right = has_shape(&array, &channels, 1);
    if (right)
        status = read_values(s, &array, channels, values);
    for (size_t c = 0; right && status == INK_OK && c < channels; c++)
        right = isfinite(values[c]) && (!above_0 || values[c] > 0.0f);
    if (status == INK_OK && !right)
        status = ink__fail(s->err, INK_BAD_INPUT, "%s: array '%s': expected %zu finite numbers%s", s->path, name,
                           channels, above_0 ? " above 0" : "");
    return status;
}

static enum ink_status read_source(const struct source *s, struct ink_net **out, const struct ink__texts *texts,
                                   const struct ink_import_options *options)
{
    struct ink_net *net = NULL;
    enum ink_status status = make_net(s, &net, texts, options);
    if (status == INK_OK)
        status = read_weights(s, net, options->layout);
    if (status == INK_OK) {
        memcpy(net->mean, options->mean, sizeof net->mean);
        memcpy(net->deviation, options->deviation, sizeof net->deviation);
    }
    if (status == INK_OK && ink__texts_find(texts, INK__TEXT_SPEC) != NULL) {
        status = ink__texts_name(net, texts, s->path, s->err);
        if (status == INK_OK)
            status = ink__texts_scale(net, texts, s->path, s->err);
    }
    if (status == INK_OK)
        status = read_scale(s, mean_name, net->input.channels, net->mean, false);
    if (status == INK_OK)
        status = read_scale(s, deviation_name, net->input.channels, net->deviation, true);
    if (status == INK_OK)
        *out = net;
    else
        ink_net_free(net);
    return status;
}

enum ink_status ink__import_npz(struct ink_net **out, const char *path, const struct ink_import_options *options,
                                struct ink_error *err)
{
    static const struct ink__texts none = { .pairs = NULL };
    struct source s = { .path = path, .err = err };
    *out = NULL;
    enum ink_status status = ink__npz_open(&s.npz, path, err);
    if (status == INK_OK)
        status = read_source(&s, out, &none, options);
    ink__npz_free(s.npz);
    return status;
}

enum ink_status ink__import_safetensors(struct ink_net **out, const char *path,
                                        const struct ink_import_options *options, struct ink_error *err)
{
    struct source s = { .path = path, .err = err };
    *out = NULL;
    enum ink_status status = ink__safetensors_open(&s.safetensors, path, err);
    if (status != INK_OK)
        return status;
    struct ink__texts texts = ink__safetensors_texts(s.safetensors);
    struct ink__text *const pairs = ink__array(texts.count, sizeof *pairs);
    struct ink_import_options own = *options;
    size_t count = 0;
    if (own.layout == INK_LAYOUT_ANY && ink__texts_find(&texts, INK__TEXT_SPEC) != NULL) /* one of our own */
        own.layout = ink__texts_find(&texts, KEY_MODULE) != NULL ? INK_LAYOUT_TORCH : INK_LAYOUT_INKLING;
    for (size_t i = 0; pairs != NULL && i < texts.count; i++)
        if (strcmp(texts.pairs[i].key, KEY_MODULE) != 0) /* which every export makes anew */
            pairs[count++] = texts.pairs[i];
    texts = (struct ink__texts){ pairs, count };
    status = pairs != NULL ? read_source(&s, out, &texts, &own) : ink__fail_memory(err);
    free(pairs);
    ink__safetensors_free(s.safetensors);
    return status;
}
