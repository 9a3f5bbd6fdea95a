/* The line of text that is a network: reading it, one row of a table per word. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/reader.h"
#include "nn/net.h"

#define MOST_LAYERS 256
#define MOST_NUMBER 65535

/* The largest float below 1: what rounds to 1 is no share. */
#define MOST_SHARE 0x1.fffffep-1

struct reader {
    struct ink__reader line;
    const char *layer; /* where the layer being read begins */
    struct ink_net *net;
    struct ink_shape shape; /* what flows at this point */
    size_t open[16], depth; /* the groups that are open */
};

typedef enum ink_status layer_fn(struct reader *r, struct ink__layer *layer);

static enum ink_status read_dense(struct reader *r, struct ink__layer *layer);
static enum ink_status read_conv(struct reader *r, struct ink__layer *layer);
static enum ink_status read_pool(struct reader *r, struct ink__layer *layer);
static enum ink_status read_global(struct reader *r, struct ink__layer *layer);
static enum ink_status read_norm(struct reader *r, struct ink__layer *layer);
static enum ink_status read_dropout(struct reader *r, struct ink__layer *layer);
static enum ink_status read_map(struct reader *r, struct ink__layer *layer);
static enum ink_status read_group(struct reader *r, struct ink__layer *layer);

/* The words a layer can begin with. An activation may also follow on dense, conv and norm. */
static const struct word {
    const char *name;
    enum ink__kind kind;
    enum ink__activation activation;
    layer_fn *read;
} words[] = {
    { "dense", INK__DENSE, INK__IDENTITY, read_dense },
    { "conv", INK__CONV, INK__IDENTITY, read_conv },
    { "pool", INK__MAX_POOL, INK__IDENTITY, read_pool },
    { "avgpool", INK__MEAN_POOL, INK__IDENTITY, read_pool },
    { "globalpool", INK__MAX_POOL, INK__IDENTITY, read_global },
    { "globalavg", INK__MEAN_POOL, INK__IDENTITY, read_global },
    { "norm", INK__NORM, INK__IDENTITY, read_norm },
    { "dropout", INK__DROPOUT, INK__IDENTITY, read_dropout },
    { "res", INK__OPEN, INK__IDENTITY, read_group },
    { "sigmoid", INK__MAP, INK__SIGMOID, read_map },
    { "tanh", INK__MAP, INK__TANH, read_map },
    { "relu", INK__MAP, INK__RELU, read_map },
    { "leaky", INK__MAP, INK__LEAKY, read_map },
    { "gelu", INK__MAP, INK__GELU, read_map },
};
#define WORDS (sizeof words / sizeof words[0])

static const char *const losses[] = { [INK__CROSS_ENTROPY] = "cross-entropy", [INK__MSE] = "mse" };
#define LOSSES (sizeof losses / sizeof losses[0])

static const char *const options[] = { "stride", "pad" };
#define OPTIONS (sizeof options / sizeof options[0])

/* Every word that may have been meant, presets last: their list ends with NULL. */
static const char *any_word(size_t i)
{
    if (i < WORDS)
        return words[i].name;
    i -= WORDS;
    if (i < LOSSES)
        return losses[i];
    i -= LOSSES;
    return i < OPTIONS ? options[i] : ink_presets()[i - OPTIONS].name;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static enum ink_status take_share(struct reader *r, float *share, const char *what)
{
    double value = 0.0;
    const enum ink_status status = ink__read_decimal(&r->line, MOST_SHARE, &value, what);
    if (status == INK_OK)
        *share = (float)value;
    return status;
}

/* "5x5" or "5". */
static enum ink_status take_window(struct reader *r, struct ink__layer *layer)
{
    enum ink_status status = ink__read_whole(&r->line, 1, MOST_NUMBER, &layer->kernel_height, "a window such as 5x5");
    layer->kernel_width = layer->kernel_height;
    if (status == INK_OK && *r->line.at == 'x') {
        r->line.at++;
        status = ink__read_whole(&r->line, 1, MOST_NUMBER, &layer->kernel_width, "the width of the window");
    }
    return status;
}

static const struct word *find_activation(const char *at)
{
    for (size_t i = 0; i < WORDS; i++)
        if (words[i].kind == INK__MAP && ink__word_is(at, words[i].name))
            return &words[i];
    return NULL;
}

static enum ink_status take_slope(struct reader *r, struct ink__layer *layer)
{
    layer->slope = 0.01f;
    ink__read_space(&r->line);
    if (layer->activation == INK__LEAKY && (isdigit((unsigned char)*r->line.at) || *r->line.at == '.'))
        return take_share(r, &layer->slope, "a slope below 1");
    return INK_OK;
}

/* An activation that follows without a comma. gelu needs its input for the gradient, so it becomes a layer of its own,
 * which add_layer puts behind this one. */
static enum ink_status take_activation(struct reader *r, struct ink__layer *layer)
{
    ink__read_space(&r->line);
    const struct word *word = find_activation(r->line.at);
    if (word == NULL || word->activation == INK__GELU)
        return INK_OK;
    r->line.at += strlen(word->name);
    layer->activation = word->activation;
    return take_slope(r, layer);
}

/* ---- The layers -------------------------------------------------------------------------------------------------- */

/* Positions of a window of `kernel` in `size`, or 0. */
static size_t positions(size_t size, size_t kernel, size_t stride)
{
    return size < kernel ? 0 : (size - kernel) / stride + 1;
}

static enum ink_status too_large(const struct reader *r, const struct ink__layer *layer)
{
    return ink__fail(r->line.err, INK_BAD_ARGUMENT, "network: column %d: a window of %zux%zu does not fit into %zux%zu",
                     ink__reader_column(&r->line, r->layer), layer->kernel_height, layer->kernel_width,
                     layer->in.height + 2 * layer->pad, layer->in.width + 2 * layer->pad);
}

static enum ink_status read_dense(struct reader *r, struct ink__layer *layer)
{
    layer->bias = true;
    layer->out = (struct ink_shape){ 1, 1, 0 };
    const enum ink_status status =
        ink__read_whole(&r->line, 1, MOST_NUMBER, &layer->out.channels, "a number of units from 1 to 65535");
    return status != INK_OK ? status : take_activation(r, layer);
}

static enum ink_status read_conv(struct reader *r, struct ink__layer *layer)
{
    layer->bias = true;
    layer->stride = 1;
    enum ink_status status =
        ink__read_whole(&r->line, 1, MOST_NUMBER, &layer->out.channels, "a number of filters from 1 to 65535");
    if (status == INK_OK)
        status = take_window(r, layer);
    if (status == INK_OK && ink__read_word(&r->line, "stride"))
        status = ink__read_whole(&r->line, 1, MOST_NUMBER, &layer->stride, "a stride of at least 1");
    const size_t side = layer->kernel_height < layer->kernel_width ? layer->kernel_height : layer->kernel_width;
    if (status == INK_OK && ink__read_word(&r->line, "pad"))
        status = ink__read_whole(&r->line, 0, side - 1, &layer->pad, "a padding below the size of the window");
    if (status != INK_OK)
        return status;
    layer->out.height = positions(layer->in.height + 2 * layer->pad, layer->kernel_height, layer->stride);
    layer->out.width = positions(layer->in.width + 2 * layer->pad, layer->kernel_width, layer->stride);
    if (layer->out.height == 0 || layer->out.width == 0)
        return too_large(r, layer);
    return take_activation(r, layer);
}

static enum ink_status finish_pool(struct reader *r, struct ink__layer *layer)
{
    layer->out =
        (struct ink_shape){ positions(layer->in.height, layer->kernel_height, layer->stride),
                            positions(layer->in.width, layer->kernel_width, layer->stride), layer->in.channels };
    return layer->out.height == 0 || layer->out.width == 0 ? too_large(r, layer) : INK_OK;
}

static enum ink_status read_pool(struct reader *r, struct ink__layer *layer)
{
    enum ink_status status = take_window(r, layer);
    layer->stride = layer->kernel_height;
    if (status == INK_OK && ink__read_word(&r->line, "stride"))
        status = ink__read_whole(&r->line, 1, MOST_NUMBER, &layer->stride, "a stride of at least 1");
    return status != INK_OK ? status : finish_pool(r, layer);
}

static enum ink_status read_global(struct reader *r, struct ink__layer *layer)
{
    layer->global = true;
    layer->kernel_height = layer->in.height;
    layer->kernel_width = layer->in.width;
    layer->stride = 1;
    return finish_pool(r, layer);
}

static enum ink_status read_norm(struct reader *r, struct ink__layer *layer)
{
    layer->out = layer->in;
    return take_activation(r, layer);
}

static enum ink_status read_dropout(struct reader *r, struct ink__layer *layer)
{
    layer->out = layer->in;
    return take_share(r, &layer->rate, "a probability below 1");
}

static enum ink_status read_map(struct reader *r, struct ink__layer *layer)
{
    layer->out = layer->in;
    return take_slope(r, layer);
}

static enum ink_status read_group(struct reader *r, struct ink__layer *layer)
{
    layer->out = layer->in;
    ink__read_space(&r->line);
    if (*r->line.at != '[')
        return ink__read_wrong(&r->line, "'['", false);
    if (r->depth == sizeof r->open / sizeof r->open[0])
        return ink__read_wrong(&r->line, "fewer groups inside each other", false);
    r->line.at++;
    r->open[r->depth++] = r->net->layer_count;
    return INK_OK;
}

/* ---- The line ---------------------------------------------------------------------------------------------------- */

/* Puts a layer behind the others. */
static enum ink_status add_layer(struct reader *r, struct ink__layer *layer)
{
    if (r->net->layer_count == MOST_LAYERS)
        return ink__fail(r->line.err, INK_BAD_ARGUMENT, "network: more than %d layers", MOST_LAYERS);
    size_t length = (size_t)(r->line.at - r->layer);
    while (length > 0 && isspace((unsigned char)r->layer[length - 1]))
        length--;
    snprintf(layer->text, sizeof layer->text, "%.*s", (int)length, r->layer);
    /* A convolution right before a norm needs no bias. */
    struct ink__layer *before = r->net->layer_count > 0 ? &r->net->layers[r->net->layer_count - 1] : NULL;
    if (layer->kind == INK__NORM && before != NULL && (before->kind == INK__CONV || before->kind == INK__DENSE) &&
        before->activation == INK__IDENTITY)
        before->bias = false;
    r->net->layers[r->net->layer_count++] = *layer;
    r->shape = layer->out;
    return INK_OK;
}

static enum ink_status close_group(struct reader *r)
{
    struct ink__layer layer = { .kind = INK__CLOSE, .in = r->shape, .out = r->shape };
    layer.partner = r->open[--r->depth];
    struct ink__layer *open = &r->net->layers[layer.partner];
    const struct ink_shape in = open->in, out = r->shape;
    if (in.height != out.height || in.width != out.width || in.channels != out.channels)
        return ink__fail(r->line.err, INK_BAD_ARGUMENT,
                         "network: column %d: res [ ... ] gives %zux%zux%zu, expected its input's %zux%zux%zu",
                         ink__reader_column(&r->line, r->line.at), out.height, out.width, out.channels, in.height,
                         in.width, in.channels);
    open->partner = r->net->layer_count;
    r->layer = r->line.at++;
    return add_layer(r, &layer);
}

static enum ink_status read_layer(struct reader *r)
{
    ink__read_space(&r->line);
    r->layer = r->line.at;
    for (size_t i = 0; i < WORDS; i++) {
        if (!ink__word_is(r->line.at, words[i].name))
            continue;
        struct ink__layer layer = { .kind = words[i].kind, .activation = words[i].activation, .in = r->shape };
        r->line.at += strlen(words[i].name);
        enum ink_status status = words[i].read(r, &layer);
        if (status == INK_OK)
            status = add_layer(r, &layer);
        if (status != INK_OK)
            return status;
        ink__read_space(&r->line);
        if (find_activation(r->line.at) != NULL && layer.activation == INK__IDENTITY &&
            (layer.kind == INK__DENSE || layer.kind == INK__CONV || layer.kind == INK__NORM))
            return read_layer(r); /* gelu, see take_activation */
        return INK_OK;
    }
    return ink__read_wrong(&r->line, "a layer", true);
}

/* After a layer: ']' any number of times, then ',' or the end. */
static enum ink_status read_between(struct reader *r, bool *more)
{
    for (ink__read_space(&r->line); *r->line.at == ']' && r->depth > 0; ink__read_space(&r->line)) {
        const enum ink_status status = close_group(r);
        if (status != INK_OK)
            return status;
    }
    *more = *r->line.at == ',';
    if (*more) {
        r->line.at++;
        return INK_OK;
    }
    if (r->depth > 0)
        return ink__read_wrong(&r->line, "',' or ']'", true);
    return *r->line.at == '\0' ? INK_OK : ink__read_wrong(&r->line, "',' or the end of the line", true);
}

static bool read_loss(struct reader *r)
{
    for (size_t i = 0; i < LOSSES; i++) {
        if (r->depth == 0 && ink__read_word(&r->line, losses[i])) {
            r->net->loss = (enum ink__loss)i;
            ink__read_space(&r->line);
            return true;
        }
    }
    return false;
}

enum ink_status ink__spec_parse(struct ink_net *net, const char *spec, struct ink_error *err)
{
    struct reader r = { .line = { .what = "network", .text = spec, .at = spec, .word = any_word, .err = err },
                        .net = net,
                        .shape = net->input };
    enum ink_status status = INK_OK;
    bool more = true;

    net->layers = ink__array(MOST_LAYERS, sizeof *net->layers);
    if (net->layers == NULL)
        return ink__fail_memory(err);
    while (status == INK_OK && more) {
        if (net->layer_count > 0 && read_loss(&r))
            return *r.line.at == '\0' ? INK_OK : ink__read_wrong(&r.line, "the end of the line after the loss", false);
        status = read_layer(&r);
        if (status == INK_OK && net->layers[net->layer_count - 1].kind != INK__OPEN)
            status = read_between(&r, &more);
    }
    return status;
}
