/*
 * A network as ONNX: IR 7, opset 13, float (N, C, H, W) inside, the batch dimension open.
 *
 * Inside we are (N, H, W, C), so a convolution's (K, K, C, N) weights become (N, C, K, K), and the rows of a dense
 * layer that reads a picture are put in the order in which Flatten then gives them. Nothing else is changed: a norm is
 * a BatchNormalization and a dropout a Dropout, not folded away, so that an import gives the same network back, weight
 * for weight; runtimes fold them when they load the file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/onnx_graph.h"
#include "kernel/math.h"
#include "nn/plan.h"

/* The most nodes and tensors of one layer, and of all that stands around the layers; the floats of the latter. */
enum { LAYER_NODES = 6, LAYER_TENSORS = 4, OTHER_NODES = 4, OTHER_TENSORS = 5, OTHER_FLOATS = 10 };

/* The value that flows at some point of the network. */
struct flow {
    const char *name;
    bool flat; /* (N, C), no longer (N, C, H, W) */
};

struct exporter {
    const struct ink_net *net;
    struct ink__onnx_graph graph;
    size_t layer; /* being written */
    struct flow flow;
    struct flow *kept; /* (layer_count) what flowed where a group begins */
    int64_t axes[2];   /* H and W: a constant that several nodes share; 0 until one needs it */
    bool has_gelu;     /* the same for those of gelu */
};

/* Adds a node that reads what flows and gives what flows from now on. */
static struct ink__onnx_node *add_node(struct exporter *e, const char *operation, const char *name)
{
    struct ink__onnx_node *const node = ink__onnx_add(&e->graph, operation, name, e->flow.name);
    e->flow.name = node->name;
    return node;
}

/* The same within a layer: it is called "LAYER.WHAT". */
static struct ink__onnx_node *add_step(struct exporter *e, const char *operation, const char *what)
{
    char name[INK__ONNX_NAME];
    snprintf(name, sizeof name, "%zu.%s", e->layer, what);
    return add_node(e, operation, name);
}

/* ---- Shapes ------------------------------------------------------------------------------------------------------ */

/* Makes what flows (N, C), or (N, C, 1, 1) again. */
static void flatten(struct exporter *e)
{
    if (!e->flow.flat)
        ink__onnx_number(add_step(e, "Flatten", "flat"), "axis", 1);
    e->flow.flat = true;
}

static void unflatten(struct exporter *e)
{
    static const char axes[] = "axes";
    if (!e->flow.flat)
        return;
    if (e->axes[0] == 0) {
        e->axes[0] = 2;
        e->axes[1] = 3;
        ink__onnx_integers(&e->graph, axes, e->axes, 2);
    }
    ink__onnx_input(add_step(e, "Unsqueeze", "image"), axes);
    e->flow.flat = false;
}

/* ---- Layers ------------------------------------------------------------------------------------------------------ */

/* Adds the layer's `which`-th parameter as a tensor and as an input of `node`. */
static float *add_parameter(struct exporter *e, struct ink__onnx_node *node, size_t which, size_t rank,
                            const size_t *shape)
{
    const char *name = e->net->parameters[e->net->layers[e->layer].parameter + which].name;
    ink__onnx_input(node, name);
    return ink__onnx_floats(&e->graph, name, rank, shape);
}

static void add_vector(struct exporter *e, struct ink__onnx_node *node, size_t which)
{
    const struct ink__parameter *p = &e->net->parameters[e->net->layers[e->layer].parameter + which];
    ink__parameter_read(p, e->net->weights, add_parameter(e, node, which, 1, &p->columns));
}

static void add_dense(struct exporter *e, const struct ink__layer *l)
{
    const struct ink__parameter *p = &e->net->parameters[l->parameter];
    flatten(e);
    struct ink__onnx_node *const node = add_step(e, "Gemm", "dense");
    float *to = add_parameter(e, node, INK__WEIGHT, 2, p->shape);
    for (size_t c = 0; c < l->in.channels; c++)
        for (size_t at = 0; at < l->in.height * l->in.width; at++, to += p->columns)
            memcpy(to, e->net->weights + p->offset + (at * l->in.channels + c) * p->ld, p->columns * sizeof *to);
    if (l->bias)
        add_vector(e, node, INK__BIAS);
}

static void add_conv(struct exporter *e, const struct ink__layer *l)
{
    const struct ink__parameter *p = &e->net->parameters[l->parameter];
    const size_t shape[] = { l->out.channels, l->in.channels, l->kernel_height, l->kernel_width };
    unflatten(e);
    struct ink__onnx_node *const node = add_step(e, "Conv", "conv");
    float *to = add_parameter(e, node, INK__WEIGHT, 4, shape);
    for (size_t n = 0; n < shape[0]; n++)
        for (size_t c = 0; c < shape[1]; c++)
            for (size_t k = 0; k < shape[2] * shape[3]; k++)
                *to++ = e->net->weights[p->offset + (k * shape[1] + c) * p->ld + n];
    if (l->bias)
        add_vector(e, node, INK__BIAS);
    ink__onnx_numbers(node, "kernel_shape", 2, (const size_t[]){ l->kernel_height, l->kernel_width });
    ink__onnx_numbers(node, "strides", 2, (const size_t[]){ l->stride, l->stride });
    ink__onnx_numbers(node, "pads", 4, (const size_t[]){ l->pad, l->pad, l->pad, l->pad });
}

static void add_norm(struct exporter *e, const struct ink__layer *l)
{
    (void)l;
    struct ink__onnx_node *const node = add_step(e, "BatchNormalization", "norm");
    for (size_t which = INK__SCALE; which <= INK__VARIANCE; which++)
        add_vector(e, node, which);
    ink__onnx_float(node, "epsilon", (float)INK__NORM_EPSILON);
}

static void add_pool(struct exporter *e, const struct ink__layer *l)
{
    const bool max = l->kind == INK__MAX_POOL;
    unflatten(e);
    if (l->global) {
        add_step(e, max ? "GlobalMaxPool" : "GlobalAveragePool", "pool");
        return;
    }
    struct ink__onnx_node *const node = add_step(e, max ? "MaxPool" : "AveragePool", "pool");
    ink__onnx_numbers(node, "kernel_shape", 2, (const size_t[]){ l->kernel_height, l->kernel_width });
    ink__onnx_numbers(node, "strides", 2, (const size_t[]){ l->stride, l->stride });
}

static void add_dropout(struct exporter *e, const struct ink__layer *l)
{
    char ratio[INK__ONNX_NAME];
    snprintf(ratio, sizeof ratio, "%zu.ratio", e->layer);
    ink__onnx_input(add_step(e, "Dropout", "dropout"), ratio);
    *ink__onnx_floats(&e->graph, ratio, 0, NULL) = l->rate;
}

/* Here a group begins; nothing happens but that its input will be needed again. */
static void add_open(struct exporter *e, const struct ink__layer *l)
{
    (void)l;
    e->kept[e->layer] = e->flow;
}

static void add_close(struct exporter *e, const struct ink__layer *l)
{
    const struct flow partner = e->kept[l->partner];
    if (partner.flat)
        flatten(e);
    else
        unflatten(e);
    ink__onnx_input(add_step(e, "Add", "add"), partner.name);
}

/* x sigmoid(x (linear + cubic x^2)), as ink__gelu_inner has it. */
static void add_gelu(struct exporter *e)
{
    static const char linear[] = "gelu.linear", cubic[] = "gelu.cubic";
    const char *const x = e->flow.name;
    if (!e->has_gelu) {
        *ink__onnx_floats(&e->graph, linear, 0, NULL) = INK__GELU_LINEAR;
        *ink__onnx_floats(&e->graph, cubic, 0, NULL) = INK__GELU_CUBIC;
    }
    e->has_gelu = true;
    ink__onnx_input(add_step(e, "Mul", "square"), x);
    ink__onnx_input(add_step(e, "Mul", "cubic"), cubic);
    ink__onnx_input(add_step(e, "Add", "linear"), linear);
    ink__onnx_input(add_step(e, "Mul", "inner"), x);
    add_step(e, "Sigmoid", "share");
    ink__onnx_input(add_step(e, "Mul", "gelu"), x);
}

/* ---- The graph --------------------------------------------------------------------------------------------------- */

static void (*const add_layer[INK__KINDS])(struct exporter *e, const struct ink__layer *l) = {
    [INK__DENSE] = add_dense, [INK__CONV] = add_conv,       [INK__MAX_POOL] = add_pool, [INK__MEAN_POOL] = add_pool,
    [INK__NORM] = add_norm,   [INK__DROPOUT] = add_dropout, [INK__OPEN] = add_open,     [INK__CLOSE] = add_close,
};

static const char *const operations[] = {
    [INK__IDENTITY] = NULL,     [INK__RELU] = "Relu", [INK__LEAKY] = "LeakyRelu",
    [INK__SIGMOID] = "Sigmoid", [INK__TANH] = "Tanh", [INK__GELU] = NULL,
};

static void add_activation(struct exporter *e, const struct ink__layer *l)
{
    if (l->activation == INK__GELU)
        add_gelu(e);
    if (operations[l->activation] == NULL)
        return;
    struct ink__onnx_node *const node = add_step(e, operations[l->activation], "activation");
    if (l->activation == INK__LEAKY)
        ink__onnx_float(node, "alpha", l->slope);
}

/* (x - mean) / deviation by channel, where the net has them. */
static void add_scaling(struct exporter *e)
{
    static const char mean[] = "mean", deviation[] = "deviation";
    const size_t channels = e->net->input.channels, shape[] = { channels, 1, 1 };
    bool normalises = false;
    for (size_t c = 0; c < channels; c++)
        normalises |= e->net->mean[c] != 0.0f || e->net->deviation[c] != 1.0f;
    if (!normalises)
        return;
    ink__onnx_input(add_node(e, "Sub", "centred"), mean);
    memcpy(ink__onnx_floats(&e->graph, mean, 3, shape), e->net->mean, channels * sizeof(float));
    ink__onnx_input(add_node(e, "Div", "scaled"), deviation);
    memcpy(ink__onnx_floats(&e->graph, deviation, 3, shape), e->net->deviation, channels * sizeof(float));
}

static void add_nodes(struct exporter *e)
{
    add_scaling(e);
    for (e->layer = 0; e->layer < e->net->layer_count; e->layer++) {
        const struct ink__layer *const l = &e->net->layers[e->layer];
        if (add_layer[l->kind] != NULL)
            add_layer[l->kind](e, l);
        add_activation(e, l);
    }
    flatten(e);
    ink__onnx_number(add_node(e, "Softmax", INK__ONNX_OUTPUT), "axis", 1);
}

enum ink_status ink_export_onnx(const struct ink_net *net, const char *path, struct ink_error *err)
{
    struct exporter e = { .net = net, .flow = { .name = INK__ONNX_INPUT } };
    enum ink_status status = ink__onnx_make(&e.graph, net->layer_count * LAYER_NODES + OTHER_NODES,
                                            net->layer_count * LAYER_TENSORS + OTHER_TENSORS,
                                            net->weight_count + net->layer_count + OTHER_FLOATS, err);
    e.kept = ink__array(net->layer_count, sizeof *e.kept);
    if (status == INK_OK && e.kept == NULL)
        status = ink__fail_memory(err);
    if (status == INK_OK) {
        add_nodes(&e);
        status = ink__onnx_write(&e.graph, net, path, err);
    }
    ink__onnx_free(&e.graph);
    free(e.kept);
    return status;
}
