#include "reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One layer at work on a whole batch. */
struct layer {
    const struct ink_net *net;
    const struct ink__layer *l;
    size_t index, n;
    const double *weights;
    const struct reference_batch *batch;
    const struct reference_result *result;
    const double *x; /* (n, in) */
    double *y;       /* (n, out) */
    const double *partner;
};

static double *array(size_t count)
{
    double *x = calloc(count + 1, sizeof *x);
    if (x == NULL) {
        perror("reference");
        exit(EXIT_FAILURE);
    }
    return x;
}

static const struct ink__parameter *parameter(const struct layer *a, size_t which)
{
    return &a->net->parameters[a->l->parameter + which];
}

/* Row r, column c of a layer's parameter. */
static double weight(const struct layer *a, size_t which, size_t r, size_t c)
{
    const struct ink__parameter *p = parameter(a, which);
    return a->weights[p->offset + r * p->ld + c];
}

/* Element (h, w, c) of sample s; zero outside the picture. */
static double pixel(const struct layer *a, size_t s, ptrdiff_t h, ptrdiff_t w, size_t c)
{
    const struct ink_shape in = a->l->in;
    if (h < 0 || w < 0 || h >= (ptrdiff_t)in.height || w >= (ptrdiff_t)in.width)
        return 0.0;
    return a->x[((s * in.height + (size_t)h) * in.width + (size_t)w) * in.channels + c];
}

static double activation(const struct ink__layer *l, double x)
{
    switch (l->activation) {
    case INK__IDENTITY:
        break;
    case INK__RELU:
        return fmax(x, 0.0);
    case INK__LEAKY:
        return x > 0.0 ? x : (double)l->slope * x;
    case INK__SIGMOID:
        return 1.0 / (1.0 + exp(-x));
    case INK__TANH:
        return tanh(x);
    case INK__GELU:
        return 0.5 * x * (1.0 + tanh(sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    }
    return x;
}

static void dense(const struct layer *a)
{
    const size_t in = ink__elements(a->l->in), out = a->l->out.channels;
    for (size_t s = 0; s < a->n; s++) {
        for (size_t o = 0; o < out; o++) {
            double sum = a->l->bias ? weight(a, INK__BIAS, 0, o) : 0.0;
            for (size_t i = 0; i < in; i++)
                sum += a->x[s * in + i] * weight(a, INK__WEIGHT, i, o);
            a->y[s * out + o] = sum;
        }
    }
}

static double tap_sum(const struct layer *a, size_t s, size_t row, size_t column, size_t filter)
{
    const struct ink__layer *l = a->l;
    double sum = l->bias ? weight(a, INK__BIAS, 0, filter) : 0.0;
    for (size_t i = 0; i < l->kernel_height; i++) {
        for (size_t j = 0; j < l->kernel_width; j++) {
            const ptrdiff_t h = (ptrdiff_t)(row * l->stride + i) - (ptrdiff_t)l->pad;
            const ptrdiff_t w = (ptrdiff_t)(column * l->stride + j) - (ptrdiff_t)l->pad;
            for (size_t c = 0; c < l->in.channels; c++)
                sum += pixel(a, s, h, w, c) *
                       weight(a, INK__WEIGHT, (i * l->kernel_width + j) * l->in.channels + c, filter);
        }
    }
    return sum;
}

static double pool(const struct layer *a, size_t s, size_t row, size_t column, size_t channel)
{
    const struct ink__layer *l = a->l;
    double most = -INFINITY, sum = 0.0;
    for (size_t i = 0; i < l->kernel_height; i++) {
        for (size_t j = 0; j < l->kernel_width; j++) {
            const double x =
                pixel(a, s, (ptrdiff_t)(row * l->stride + i), (ptrdiff_t)(column * l->stride + j), channel);
            most = fmax(most, x);
            sum += x;
        }
    }
    return l->kind == INK__MAX_POOL ? most : sum / (double)(l->kernel_height * l->kernel_width);
}

/* conv and pools: y (n, OH, OW, C) from windows. */
static void windows(const struct layer *a)
{
    const struct ink_shape out = a->l->out;
    double *y = a->y;
    for (size_t s = 0; s < a->n; s++)
        for (size_t row = 0; row < out.height; row++)
            for (size_t column = 0; column < out.width; column++)
                for (size_t c = 0; c < out.channels; c++)
                    *y++ = a->l->kind == INK__CONV ? tap_sum(a, s, row, column, c) : pool(a, s, row, column, c);
}

static void norm(const struct layer *a)
{
    const size_t channels = a->l->in.channels, count = a->n * ink__elements(a->l->in) / channels;
    for (size_t c = 0; c < channels; c++) {
        double mean = 0.0, variance = 0.0;
        for (size_t i = 0; i < count; i++)
            mean += a->x[i * channels + c] / (double)count;
        for (size_t i = 0; i < count; i++)
            variance += pow(a->x[i * channels + c] - mean, 2.0) / (double)count;
        if (a->result->statistics != NULL) {
            a->result->statistics[parameter(a, INK__MEAN)->offset + c] = mean;
            a->result->statistics[parameter(a, INK__VARIANCE)->offset + c] =
                variance * (count > 1 ? (double)count / (double)(count - 1) : 1.0);
        }
        if (!a->batch->training) {
            mean = weight(a, INK__MEAN, 0, c);
            variance = weight(a, INK__VARIANCE, 0, c);
        }
        for (size_t i = 0; i < count; i++)
            a->y[i * channels + c] =
                weight(a, INK__SCALE, 0, c) * (a->x[i * channels + c] - mean) / sqrt(variance + 1e-5) +
                weight(a, INK__SHIFT, 0, c);
    }
}

/* Element e of sample s is dropped if word e % 4 of block e / 4 of its stream is below the rate. */
static void dropout(const struct layer *a)
{
    const size_t size = ink__elements(a->l->in);
    const double rate = (double)a->l->rate;
    for (size_t i = 0; i < a->n * size; i++) {
        const size_t s = i / size, e = i % size;
        uint32_t words[4];
        if (!a->batch->training) {
            a->y[i] = a->x[i];
            continue;
        }
        ink__philox(&(struct ink__philox_key){ .seed = a->batch->seed,
                                               .epoch = a->batch->epoch,
                                               .sample = a->batch->sample[s],
                                               .use = INK__USE_DROPOUT | (uint32_t)a->index << 8 },
                    (uint32_t)(e / 4), words);
        a->y[i] = (double)words[e % 4] * 0x1p-32 < rate ? 0.0 : a->x[i] / (1.0 - rate);
    }
}

static void run(const struct layer *a)
{
    const size_t count = a->n * ink__elements(a->l->out);
    switch (a->l->kind) {
    case INK__DENSE:
        dense(a);
        break;
    case INK__CONV:
    case INK__MAX_POOL:
    case INK__MEAN_POOL:
        windows(a);
        break;
    case INK__NORM:
        norm(a);
        break;
    case INK__DROPOUT:
        dropout(a);
        break;
    case INK__MAP:
    case INK__OPEN:
        memcpy(a->y, a->x, count * sizeof *a->y);
        break;
    case INK__CLOSE:
        for (size_t i = 0; i < count; i++)
            a->y[i] = a->x[i] + a->partner[i];
        break;
    case INK__KINDS:
        abort();
    }
    for (size_t i = 0; i < count; i++)
        a->y[i] = activation(a->l, a->y[i]);
}

/* The loss of one sample from its logits z, and its probabilities. */
static double loss_of(const struct ink_net *net, const double *z, size_t label, double smoothing, double *p)
{
    const size_t classes = net->classes;
    double most = -INFINITY, sum = 0.0, loss = 0.0;
    for (size_t c = 0; c < classes; c++)
        most = fmax(most, z[c]);
    for (size_t c = 0; c < classes; c++)
        sum += exp(z[c] - most);
    for (size_t c = 0; c < classes; c++) {
        const double target = smoothing / (double)classes + (c == label ? 1.0 - smoothing : 0.0);
        p[c] = exp(z[c] - most) / sum;
        loss += net->loss == INK__MSE ? 0.5 * (p[c] - target) * (p[c] - target) : -target * (z[c] - most - log(sum));
    }
    return loss;
}

void reference_run(const struct ink_net *net, const double *weights, const struct reference_batch *batch,
                   struct reference_result *result)
{
    const size_t n = batch->count, in = ink__elements(net->input);
    double **value = calloc(net->layer_count + 1, sizeof *value), *p = array(net->classes);
    if (value == NULL)
        abort();
    value[0] = array(n * in);
    for (size_t i = 0; i < n * in; i++)
        value[0][i] = (batch->images[i] - (double)net->mean[i % net->input.channels]) /
                      (double)net->deviation[i % net->input.channels];
    for (size_t i = 0; i < net->layer_count; i++) {
        const struct ink__layer *l = &net->layers[i];
        value[i + 1] = array(n * ink__elements(l->out));
        run(&(struct layer){ .net = net,
                             .l = l,
                             .index = i,
                             .n = n,
                             .weights = weights,
                             .batch = batch,
                             .result = result,
                             .x = value[i],
                             .y = value[i + 1],
                             .partner = l->kind == INK__CLOSE ? value[l->partner] : NULL });
    }
    result->loss = 0.0;
    for (size_t s = 0; s < n; s++) {
        result->loss +=
            loss_of(net, value[net->layer_count] + s * net->classes, batch->label[s], batch->smoothing, p) / (double)n;
        if (result->probabilities != NULL)
            memcpy(result->probabilities + s * net->classes, p, net->classes * sizeof *p);
    }
    for (size_t i = 0; i <= net->layer_count; i++)
        free(value[i]);
    free(value);
    free(p);
}
