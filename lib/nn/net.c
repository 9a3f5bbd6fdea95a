/* Making a network: presets, the layout of its parameters, their first values; and what can be asked of it. */
#include "nn/net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/suggest.h"
#include "nn/int8.h"

static const struct ink_preset presets[] = {
    { .name = "notebook",
      .spec = "dense 50 sigmoid, dense 100 sigmoid, dense 10",
      .about = "the notebook's own layers",
      .initialisation = "xavier",
      .optimizer = "adamw",
      .schedule = "cosine",
      .learning_rate = 0.015,
      .weight_decay = 0.05,
      .batch = 100 },
    { .name = "lenet",
      .spec = "conv 8 5x5 pad 2 relu, pool 2, conv 16 5x5 relu, pool 2, dense 128 relu, dense 10",
      .about = "two convolutions and two dense layers",
      .initialisation = "he",
      .optimizer = "adam",
      .schedule = "cosine",
      .learning_rate = 0.002,
      .batch = 100 },
    { .name = "convnet",
      .spec = "conv 16 5x5, norm relu, pool 2, conv 32 3x3, norm relu, pool 2, conv 32 3x3, norm relu, dense 10",
      .about = "three convolutions with batch normalisation",
      .initialisation = "he",
      .optimizer = "adam",
      .schedule = "one-cycle",
      .learning_rate = 0.01,
      .batch = 100 },
    { .name = NULL },
};

const struct ink_preset *ink_presets(void)
{
    return presets;
}

/* ---- Layout ------------------------------------------------------------------------------------------------------ */

struct layout {
    struct ink_net *net;
    size_t offset;
    bool overflow;
};

static void add_parameter(struct layout *l, size_t layer, const char *name, size_t rows, size_t columns, bool trained,
                          bool decays)
{
    struct ink_net *net = l->net;
    struct ink__parameter *p = &net->parameters[net->parameter_count++];
    size_t size;
    *p = (struct ink__parameter){ .layer = layer,
                                  .rows = rows,
                                  .columns = columns,
                                  .ld = ink__ld(columns),
                                  .offset = l->offset,
                                  .trained = trained,
                                  .decays = decays };
    snprintf(p->name, sizeof p->name, "%zu.%s", layer, name);
    p->rank = decays ? 2 : 1; /* a weight matrix, even of one row, or a vector */
    p->shape[0] = decays ? rows : columns;
    p->shape[1] = decays ? columns : 0;
    /* A parameter begins on a cache line. Offsets of floats must fit the kernels' 32-bit tables. */
    if (!ink__multiply(&size, rows, p->ld) || size > INT32_MAX - 32 || l->offset > INT32_MAX - 32 - size)
        l->overflow = true;
    else
        l->offset = (l->offset + size + 15) / 16 * 16;
}

static void add_layer_parameters(struct layout *l, size_t index)
{
    struct ink__layer *layer = &l->net->layers[index];
    const size_t channels = layer->out.channels;
    layer->parameter = l->net->parameter_count;
    size_t rows;
    switch (layer->kind) {
    case INK__DENSE:
        add_parameter(l, index, "weight", ink__elements(layer->in), channels, true, true);
        break;
    case INK__CONV:
        if (!ink__multiply(&rows, layer->kernel_height * layer->kernel_width, layer->in.channels)) {
            l->overflow = true;
            return;
        }
        add_parameter(l, index, "weight", rows, channels, true, true);
        struct ink__parameter *p = &l->net->parameters[layer->parameter];
        p->rank = 4;
        memcpy(p->shape, (size_t[4]){ layer->kernel_height, layer->kernel_width, layer->in.channels, channels },
               sizeof p->shape);
        break;
    case INK__NORM:
        add_parameter(l, index, "scale", 1, channels, true, false);
        add_parameter(l, index, "shift", 1, channels, true, false);
        add_parameter(l, index, "mean", 1, channels, false, false);
        add_parameter(l, index, "variance", 1, channels, false, false);
        return;
    default:
        return;
    }
    if (layer->bias)
        add_parameter(l, index, "bias", 1, channels, true, false);
}

static void fill_parameter(const struct ink_net *net, size_t index, float value)
{
    const struct ink__parameter *p = &net->parameters[index];
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < p->columns; c++)
            net->weights[p->offset + r * p->ld + c] = value;
}

enum ink_status ink__net_layout(struct ink_net *net, struct ink_error *err)
{
    struct layout l = { .net = net };
    net->parameters = ink__array(net->layer_count * 4, sizeof *net->parameters);
    if (net->parameters == NULL)
        return ink__fail_memory(err);
    for (size_t i = 0; i < net->layer_count; i++)
        add_layer_parameters(&l, i);
    if (l.overflow)
        return ink__fail(err, INK_BAD_ARGUMENT, "network: more weights than the library can address (2^31)");
    net->weight_count = l.offset;
    return INK_OK;
}

enum ink_status ink__net_allocate(struct ink_net *net, struct ink_error *err)
{
    /* 16 floats more may be read past the end, see kernel.h. */
    struct ink__arena arena = { 0 };
    ink__arena_take(&arena, net->weight_count + 16, sizeof *net->weights);
    if (!ink__arena_make(&arena))
        return ink__fail_memory(err);
    net->weights = ink__arena_take(&arena, net->weight_count + 16, sizeof *net->weights);
    for (size_t i = 0; i < net->layer_count; i++) {
        if (net->layers[i].kind == INK__NORM) {
            fill_parameter(net, net->layers[i].parameter + INK__SCALE, 1.0f);
            fill_parameter(net, net->layers[i].parameter + INK__VARIANCE, 1.0f);
        }
    }
    return INK_OK;
}

void ink__parameter_read(const struct ink__parameter *p, const float *weights, float *packed)
{
    for (size_t r = 0; r < p->rows; r++)
        memcpy(packed + r * p->columns, weights + p->offset + r * p->ld, p->columns * sizeof *packed);
}

void ink__parameter_write(const struct ink__parameter *p, const float *packed, float *weights)
{
    for (size_t r = 0; r < p->rows; r++)
        memcpy(weights + p->offset + r * p->ld, packed + r * p->columns, p->columns * sizeof *packed);
}

/* ---- First values ------------------------------------------------------------------------------------------------ */

/* The spread of a weight matrix's normal draws from the numbers of its inputs and outputs; 0: biases are drawn too,
 * with 1. */
static double spread_randn(double in, double out)
{
    (void)in;
    (void)out;
    return 1.0;
}

/* Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010), equation 12.
 */
static double spread_xavier(double in, double out)
{
    return sqrt(2.0 / (in + out));
}

/* He et al., "Delving deep into rectifiers", arXiv 1502.01852, equation 10. */
static double spread_he(double in, double out)
{
    (void)out;
    return sqrt(2.0 / in);
}

static const struct {
    const char *name;
    double (*spread)(double in, double out);
    bool biases; /* drawn as well, not zero */
} initialisations[] = {
    { "xavier", spread_xavier, false },
    { "he", spread_he, false },
    { "randn", spread_randn, true },
};
#define INITIALISATIONS (sizeof initialisations / sizeof initialisations[0])

const char *ink_initialisation_name(size_t i)
{
    return i < INITIALISATIONS ? initialisations[i].name : NULL;
}

static enum ink_status initialise(struct ink_net *net, const char *name, uint64_t seed, struct ink_error *err)
{
    size_t how = 0;
    while (name != NULL && how < INITIALISATIONS && strcmp(name, initialisations[how].name) != 0)
        how++;
    if (how == INITIALISATIONS) {
        const char *near = ink__nearest(name, strlen(name), ink_initialisation_name);
        return ink__fail(err, INK_BAD_ARGUMENT, "initialisation '%s': expected xavier, he or randn%s%s%s", name,
                         near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    }
    struct ink__numpy_random random;
    ink__numpy_seed(&random, seed);
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct ink__parameter *p = &net->parameters[i];
        const enum ink__kind kind = net->layers[p->layer].kind;
        const bool bias = p->rank == 1;
        if ((kind != INK__DENSE && kind != INK__CONV) || (bias && !initialisations[how].biases))
            continue;
        const double area = kind == INK__CONV && !bias ? (double)(p->shape[0] * p->shape[1]) : 1.0;
        const double spread = bias ? 1.0 : initialisations[how].spread((double)p->rows, (double)p->columns * area);
        for (size_t r = 0; r < p->rows; r++)
            for (size_t c = 0; c < p->columns; c++)
                net->weights[p->offset + r * p->ld + c] = (float)(spread * ink__numpy_randn(&random));
    }
    return INK_OK;
}

/* ---- Making and freeing ------------------------------------------------------------------------------------------ */

static enum ink_status default_class_names(struct ink_net *net, struct ink_error *err)
{
    net->class_names = ink__array(net->classes, sizeof *net->class_names);
    if (net->class_names == NULL)
        return ink__fail_memory(err);
    for (size_t c = 0; c < net->classes; c++) {
        char name[24];
        snprintf(name, sizeof name, "%zu", c);
        net->class_names[c] = ink__string(name);
        if (net->class_names[c] == NULL)
            return ink__fail_memory(err);
    }
    return INK_OK;
}

enum ink_status ink__net_make(struct ink_net **out, struct ink_shape input, const char *spec, struct ink_error *err)
{
    enum ink_status status;
    *out = NULL;
    if (input.height == 0 || input.width == 0 || input.height > 4096 || input.width > 4096 || input.channels == 0 ||
        input.channels > 4)
        return ink__fail(err, INK_BAD_ARGUMENT, "network: input %zux%zux%zu, expected 1 to 4096 by 1 to 4096 by 1 to 4",
                         input.height, input.width, input.channels);
    for (size_t i = 0; presets[i].name != NULL; i++)
        if (strcmp(spec, presets[i].name) == 0)
            spec = presets[i].spec;

    struct ink_net *net = ink__array(1, sizeof *net);
    if (net == NULL)
        return ink__fail_memory(err);
    net->input = input;
    for (size_t c = 0; c < 4; c++)
        net->deviation[c] = 1.0f;
    net->spec = ink__string(spec);
    if (net->spec == NULL) {
        status = ink__fail_memory(err);
        goto fail;
    }
    status = ink__spec_parse(net, spec, err);
    if (status != INK_OK)
        goto fail;
    const struct ink_shape last = net->layers[net->layer_count - 1].out;
    net->classes = last.channels;
    if (last.height != 1 || last.width != 1 || net->classes < 2) {
        status = ink__fail(err, INK_BAD_ARGUMENT,
                           "network: the last layer gives %zux%zux%zu, expected 1x1xN with N >= 2 (is a last 'dense N' "
                           "missing?)",
                           last.height, last.width, last.channels);
        goto fail;
    }
    status = ink__net_layout(net, err);
    if (status == INK_OK)
        status = default_class_names(net, err);
    if (status != INK_OK)
        goto fail;
    *out = net;
    return INK_OK;
fail:
    ink_net_free(net);
    return status;
}

enum ink_status ink_net_new(struct ink_net **out, struct ink_shape input, const char *spec, const char *initialisation,
                            uint64_t seed, struct ink_error *err)
{
    enum ink_status status = ink__net_make(out, input, spec, err);
    if (status == INK_OK)
        status = ink__net_allocate(*out, err);
    if (status == INK_OK)
        status = initialise(*out, initialisation, seed, err);
    if (status != INK_OK) {
        ink_net_free(*out);
        *out = NULL;
    }
    return status;
}

void ink_net_free(struct ink_net *net)
{
    if (net == NULL)
        return;
    for (size_t c = 0; net->class_names != NULL && c < net->classes; c++)
        free(net->class_names[c]);
    for (size_t i = 0; i < net->metadata_count; i++) {
        free(net->metadata[i].key);
        free(net->metadata[i].value);
    }
    free(net->class_names);
    free(net->metadata);
    free(net->spec);
    free(net->layers);
    free(net->parameters);
    free(net->weights);
    ink__int8_free(net->int8);
    free(net);
}

/* ---- Metadata ---------------------------------------------------------------------------------------------------- */

/* Replaces *slot by a copy of text. */
static bool replace(char **slot, const char *text)
{
    char *copy = ink__string(text);
    if (copy == NULL)
        return false;
    free(*slot);
    *slot = copy;
    return true;
}

enum ink_status ink__net_set(struct ink_net *net, const char *key, const char *value, struct ink_error *err)
{
    size_t i = 0;
    while (i < net->metadata_count && strcmp(net->metadata[i].key, key) != 0)
        i++;
    if (i == net->metadata_count) {
        struct ink__pair *more = realloc(net->metadata, (i + 1) * sizeof *more);
        if (more == NULL)
            return ink__fail_memory(err);
        net->metadata = more;
        more[i] = (struct ink__pair){ 0 };
        if (!replace(&more[i].key, key) || !replace(&more[i].value, value)) {
            free(more[i].key);
            return ink__fail_memory(err);
        }
        net->metadata_count++;
        return INK_OK;
    }
    return replace(&net->metadata[i].value, value) ? INK_OK : ink__fail_memory(err);
}

static const char *const own_keys[] = { "spec",    "validation_accuracy", "deviation", "seed",  "mean",    "format",
                                        "dataset", "dataset_sha256",      "options",   "input", "classes", "fit" };

enum ink_status ink_net_set_metadata(struct ink_net *net, const char *key, const char *value, struct ink_error *err)
{
    for (size_t i = 0; i < sizeof own_keys / sizeof own_keys[0]; i++)
        if (strcmp(key, own_keys[i]) == 0)
            return ink__fail(err, INK_BAD_ARGUMENT, "metadata '%s' is the library's own", key);
    return ink__net_set(net, key, value, err);
}

const char *ink__net_get(const struct ink_net *net, const char *key)
{
    for (size_t i = 0; i < net->metadata_count; i++)
        if (strcmp(net->metadata[i].key, key) == 0)
            return net->metadata[i].value;
    return NULL;
}

bool ink_net_metadata(const struct ink_net *net, size_t i, const char **key, const char **value)
{
    if (i >= net->metadata_count)
        return false;
    *key = net->metadata[i].key;
    *value = net->metadata[i].value;
    return true;
}

enum ink_status ink__net_set_class_name(struct ink_net *net, size_t c, const char *name, struct ink_error *err)
{
    return replace(&net->class_names[c], name) ? INK_OK : ink__fail_memory(err);
}

/* ---- Questions --------------------------------------------------------------------------------------------------- */

struct ink_shape ink_net_input(const struct ink_net *net)
{
    return net->input;
}

size_t ink_net_classes(const struct ink_net *net)
{
    return net->classes;
}

const char *ink_net_spec(const struct ink_net *net)
{
    return net->spec;
}

const char *ink_net_class_name(const struct ink_net *net, size_t c)
{
    return net->class_names[c];
}

size_t ink_net_parameters(const struct ink_net *net)
{
    size_t sum = 0;
    for (size_t i = 0; i < net->parameter_count; i++)
        if (net->parameters[i].trained)
            sum += net->parameters[i].rows * net->parameters[i].columns;
    return sum;
}

enum ink_status ink__net_need_floats(const struct ink_net *net, struct ink_error *err)
{
    return net->int8 == NULL ? INK_OK : ink__fail(err, INK_BAD_ARGUMENT, "network: quantised, expected one of floats");
}

bool ink_net_is_quantised(const struct ink_net *net)
{
    return net->int8 != NULL;
}

size_t ink_net_bytes(const struct ink_net *net)
{
    size_t floats = 0;
    if (net->int8 != NULL)
        return ink__int8_bytes(net->int8);
    for (size_t i = 0; i < net->parameter_count; i++)
        floats += net->parameters[i].rows * net->parameters[i].columns;
    return floats * sizeof *net->weights;
}

bool ink_net_layer(const struct ink_net *net, size_t i, struct ink_layer_info *info)
{
    if (i >= net->layer_count)
        return false;
    const struct ink__layer *layer = &net->layers[i];
    *info = (struct ink_layer_info){ .out = layer->out };
    memcpy(info->text, layer->text, sizeof info->text);
    for (size_t p = 0; p < net->parameter_count; p++) {
        const struct ink__parameter *parameter = &net->parameters[p];
        if (parameter->layer != i || !parameter->trained)
            continue;
        info->parameters += parameter->rows * parameter->columns;
        if (parameter->decays) /* a weight matrix is used once at every position */
            info->multiply_adds +=
                (double)(parameter->rows * parameter->columns) * (double)(layer->out.height * layer->out.width);
    }
    return true;
}

bool ink_net_parameter(const struct ink_net *net, size_t i, struct ink_parameter_info *info, float *out)
{
    if (i >= net->parameter_count || net->int8 != NULL)
        return false;
    const struct ink__parameter *p = &net->parameters[i];
    *info = (struct ink_parameter_info){ .name = p->name, .rank = p->rank, .count = p->rows * p->columns };
    memcpy(info->shape, p->shape, sizeof info->shape);
    if (out != NULL)
        ink__parameter_read(p, net->weights, out);
    return true;
}
