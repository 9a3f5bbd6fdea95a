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
#include "base/file.h"
#include "base/memory.h"
#include "format/onnx.h"
#include "format/texts.h"
#include "kernel/math.h"
#include "nn/plan.h"

enum { MOST_INPUTS = 5, MOST_ATTRIBUTES = 3, NAME = 48 };

/* The most nodes and tensors of one layer, and of all that stands around the layers; the floats of the latter. */
enum { LAYER_NODES = 6, LAYER_TENSORS = 4, OTHER_NODES = 4, OTHER_TENSORS = 5, OTHER_FLOATS = 10 };

#define INPUT  "image"
#define OUTPUT "probabilities"

enum { IR = 7, OPSET = 13 };

/* A node or a tensor with all that its message points to. */
struct node {
    struct Ink__Onnx__Node message;
    struct Ink__Onnx__Attribute attributes[MOST_ATTRIBUTES], *attribute_list[MOST_ATTRIBUTES];
    int64_t integers[MOST_ATTRIBUTES][4];
    char attribute_names[MOST_ATTRIBUTES][NAME];
    char output[NAME], operation[NAME], inputs[MOST_INPUTS][NAME];
    char *output_list[1], *input_list[MOST_INPUTS];
};

struct tensor {
    struct Ink__Onnx__Tensor message;
    char name[NAME];
    int64_t dims[4];
};

/* The value that flows at some point of the network. */
struct flow {
    const char *name;
    bool flat; /* (N, C), no longer (N, C, H, W) */
};

struct exporter {
    const struct ink_net *net;
    struct node *nodes;
    struct tensor *tensors;
    struct Ink__Onnx__Node **node_list;
    struct Ink__Onnx__Tensor **tensor_list;
    size_t node_count, tensor_count;
    float *data; /* of all tensors */
    size_t data_used;
    size_t layer; /* being written */
    struct flow flow;
    struct flow *kept;       /* (layer_count) what flowed where a group begins */
    bool has_axes, has_gelu; /* the constants are there that several nodes share */
};

/* ---- Parts ------------------------------------------------------------------------------------------------------- */

static struct tensor *add_tensor(struct exporter *e, const char *name, size_t rank, const size_t *shape)
{
    struct tensor *t = &e->tensors[e->tensor_count];
    struct Ink__Onnx__Tensor *m = &t->message;
    e->tensor_list[e->tensor_count++] = m;
    ink__onnx__tensor__init(m);
    snprintf(t->name, sizeof t->name, "%s", name);
    for (size_t i = 0; i < rank; i++)
        t->dims[i] = (int64_t)shape[i];
    m->name = t->name;
    m->dims = t->dims;
    m->n_dims = rank;
    return t;
}

/* Adds a tensor of floats. Returns where its elements go. */
static float *add_floats(struct exporter *e, const char *name, size_t rank, const size_t *shape)
{
    struct Ink__Onnx__Tensor *m = &add_tensor(e, name, rank, shape)->message;
    float *const data = e->data + e->data_used;
    size_t count = 1;
    for (size_t i = 0; i < rank; i++)
        count *= shape[i];
    m->data_type = INK__ONNX_FLOAT;
    m->float_data = data;
    m->n_float_data = count;
    e->data_used += count;
    return data;
}

static void add_input(struct node *node, const char *name)
{
    const size_t i = node->message.n_input++;
    snprintf(node->inputs[i], NAME, "%s", name);
    node->input_list[i] = node->inputs[i];
}

/* Adds a node that reads what flows and gives what flows from now on. */
static struct node *add_node(struct exporter *e, const char *operation, const char *output)
{
    struct node *node = &e->nodes[e->node_count];
    struct Ink__Onnx__Node *m = &node->message;
    e->node_list[e->node_count++] = m;
    ink__onnx__node__init(m);
    snprintf(node->operation, NAME, "%s", operation);
    snprintf(node->output, NAME, "%s", output);
    m->op_type = node->operation;
    m->name = node->output_list[0] = node->output;
    m->output = node->output_list;
    m->n_output = 1;
    m->input = node->input_list;
    m->attribute = node->attribute_list;
    add_input(node, e->flow.name);
    e->flow.name = node->output;
    return node;
}

/* The same within a layer: the output is called "LAYER.WHAT". */
static struct node *add_step(struct exporter *e, const char *operation, const char *what)
{
    char name[NAME];
    snprintf(name, sizeof name, "%zu.%s", e->layer, what);
    return add_node(e, operation, name);
}

static struct Ink__Onnx__Attribute *add_attribute(struct node *node, const char *name, int32_t type)
{
    const size_t i = node->message.n_attribute++;
    struct Ink__Onnx__Attribute *attribute = node->attribute_list[i] = &node->attributes[i];
    ink__onnx__attribute__init(attribute);
    snprintf(node->attribute_names[i], NAME, "%s", name);
    attribute->name = node->attribute_names[i];
    attribute->type = type;
    attribute->ints = node->integers[i];
    return attribute;
}

static void add_number(struct node *node, const char *name, int64_t value)
{
    add_attribute(node, name, INK__ONNX_ATTRIBUTE_INT)->i = value;
}

static void add_float(struct node *node, const char *name, float value)
{
    add_attribute(node, name, INK__ONNX_ATTRIBUTE_FLOAT)->f = value;
}

static void add_numbers(struct node *node, const char *name, size_t count, const size_t *values)
{
    struct Ink__Onnx__Attribute *attribute = add_attribute(node, name, INK__ONNX_ATTRIBUTE_INTS);
    attribute->n_ints = count;
    for (size_t i = 0; i < count; i++)
        attribute->ints[i] = (int64_t)values[i];
}

/* ---- Shapes ------------------------------------------------------------------------------------------------------ */

/* Makes what flows (N, C), or (N, C, 1, 1) again. */
static void flatten(struct exporter *e)
{
    if (!e->flow.flat)
        add_number(add_step(e, "Flatten", "flat"), "axis", 1);
    e->flow.flat = true;
}

static void unflatten(struct exporter *e)
{
    static const char axes[] = "axes";
    static int64_t last_two[] = { 2, 3 };
    if (!e->flow.flat)
        return;
    if (!e->has_axes) {
        struct Ink__Onnx__Tensor *m = &add_tensor(e, axes, 1, (const size_t[]){ 2 })->message;
        m->data_type = INK__ONNX_INT64;
        m->int64_data = last_two;
        m->n_int64_data = 2;
    }
    e->has_axes = true;
    add_input(add_step(e, "Unsqueeze", "image"), axes);
    e->flow.flat = false;
}

/* ---- Layers ------------------------------------------------------------------------------------------------------ */

/* Adds the layer's `which`-th parameter as a tensor and as an input of `node`. */
static float *add_parameter(struct exporter *e, struct node *node, size_t which, size_t rank, const size_t *shape)
{
    const char *name = e->net->parameters[e->net->layers[e->layer].parameter + which].name;
    add_input(node, name);
    return add_floats(e, name, rank, shape);
}

static void add_vector(struct exporter *e, struct node *node, size_t which)
{
    const struct ink__parameter *p = &e->net->parameters[e->net->layers[e->layer].parameter + which];
    ink__parameter_read(p, e->net->weights, add_parameter(e, node, which, 1, &p->columns));
}

static void add_dense(struct exporter *e, const struct ink__layer *l)
{
    const struct ink__parameter *p = &e->net->parameters[l->parameter];
    flatten(e);
    struct node *const node = add_step(e, "Gemm", "dense");
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
    struct node *const node = add_step(e, "Conv", "conv");
    float *to = add_parameter(e, node, INK__WEIGHT, 4, shape);
    for (size_t n = 0; n < shape[0]; n++)
        for (size_t c = 0; c < shape[1]; c++)
            for (size_t k = 0; k < shape[2] * shape[3]; k++)
                *to++ = e->net->weights[p->offset + (k * shape[1] + c) * p->ld + n];
    if (l->bias)
        add_vector(e, node, INK__BIAS);
    add_numbers(node, "kernel_shape", 2, (const size_t[]){ l->kernel_height, l->kernel_width });
    add_numbers(node, "strides", 2, (const size_t[]){ l->stride, l->stride });
    add_numbers(node, "pads", 4, (const size_t[]){ l->pad, l->pad, l->pad, l->pad });
}

static void add_norm(struct exporter *e, const struct ink__layer *l)
{
    (void)l;
    struct node *const node = add_step(e, "BatchNormalization", "norm");
    for (size_t which = INK__SCALE; which <= INK__VARIANCE; which++)
        add_vector(e, node, which);
    add_float(node, "epsilon", (float)INK__NORM_EPSILON);
}

static void add_pool(struct exporter *e, const struct ink__layer *l)
{
    const bool max = l->kind == INK__MAX_POOL;
    unflatten(e);
    if (l->global) {
        add_step(e, max ? "GlobalMaxPool" : "GlobalAveragePool", "pool");
        return;
    }
    struct node *const node = add_step(e, max ? "MaxPool" : "AveragePool", "pool");
    add_numbers(node, "kernel_shape", 2, (const size_t[]){ l->kernel_height, l->kernel_width });
    add_numbers(node, "strides", 2, (const size_t[]){ l->stride, l->stride });
}

static void add_dropout(struct exporter *e, const struct ink__layer *l)
{
    char ratio[NAME];
    snprintf(ratio, sizeof ratio, "%zu.ratio", e->layer);
    add_input(add_step(e, "Dropout", "dropout"), ratio);
    *add_floats(e, ratio, 0, NULL) = l->rate;
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
    add_input(add_step(e, "Add", "add"), partner.name);
}

/* x sigmoid(x (linear + cubic x^2)), as ink__gelu_inner has it. */
static void add_gelu(struct exporter *e)
{
    static const char linear[] = "gelu.linear", cubic[] = "gelu.cubic";
    const char *const x = e->flow.name;
    if (!e->has_gelu) {
        *add_floats(e, linear, 0, NULL) = INK__GELU_LINEAR;
        *add_floats(e, cubic, 0, NULL) = INK__GELU_CUBIC;
    }
    e->has_gelu = true;
    add_input(add_step(e, "Mul", "square"), x);
    add_input(add_step(e, "Mul", "cubic"), cubic);
    add_input(add_step(e, "Add", "linear"), linear);
    add_input(add_step(e, "Mul", "inner"), x);
    add_step(e, "Sigmoid", "share");
    add_input(add_step(e, "Mul", "gelu"), x);
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
    struct node *const node = add_step(e, operations[l->activation], "activation");
    if (l->activation == INK__LEAKY)
        add_float(node, "alpha", l->slope);
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
    add_input(add_node(e, "Sub", "centred"), mean);
    memcpy(add_floats(e, mean, 3, shape), e->net->mean, channels * sizeof(float));
    add_input(add_node(e, "Div", "scaled"), deviation);
    memcpy(add_floats(e, deviation, 3, shape), e->net->deviation, channels * sizeof(float));
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
    add_number(add_node(e, "Softmax", OUTPUT), "axis", 1);
}

/* ---- The file ---------------------------------------------------------------------------------------------------- */

/* What protobuf-c writes goes on into a file. */
struct sink {
    ProtobufCBuffer base;
    struct ink__writer *writer;
};

static void append(ProtobufCBuffer *base, size_t size, const uint8_t *bytes)
{
    ink__writer_write(((struct sink *)base)->writer, bytes, size);
}

static enum ink_status write_model(const struct Ink__Onnx__Model *model, const char *path, struct ink_error *err)
{
    struct ink__writer writer;
    struct sink sink = { .base = { append }, .writer = &writer };
    const size_t size = protobuf_c_message_get_packed_size(&model->base);
    if (size > INK__ONNX_MOST_BYTES)
        return ink__fail(err, INK_BAD_INPUT, "%s: the network takes %zu bytes, an ONNX file at most %zu", path, size,
                         INK__ONNX_MOST_BYTES);
    const enum ink_status status = ink__writer_open(&writer, path, err);
    if (status != INK_OK)
        return status;
    protobuf_c_message_pack_to_buffer(&model->base, &sink.base);
    return ink__writer_commit(&writer, err);
}

/* A value's name and shape, as they stand in the graph. */
struct value {
    struct Ink__Onnx__ValueInfo info;
    struct Ink__Onnx__Type type;
    struct Ink__Onnx__TensorType tensor;
    struct Ink__Onnx__Shape shape;
    struct Ink__Onnx__Dimension dims[4], *dim_list[4];
    char name[NAME], batch[NAME];
};

/* Its first dimension is the batch. */
static void describe(struct value *v, const char *name, size_t rank, const size_t *shape)
{
    ink__onnx__value_info__init(&v->info);
    ink__onnx__type__init(&v->type);
    ink__onnx__tensor_type__init(&v->tensor);
    ink__onnx__shape__init(&v->shape);
    snprintf(v->name, NAME, "%s", name);
    snprintf(v->batch, NAME, "batch");
    for (size_t i = 0; i < rank; i++) {
        struct Ink__Onnx__Dimension *const d = v->dim_list[i] = &v->dims[i];
        ink__onnx__dimension__init(d);
        d->value_case = INK__ONNX__DIMENSION__VALUE_DIM_VALUE;
        d->dim_value = (int64_t)shape[i];
    }
    v->dims[0].value_case = INK__ONNX__DIMENSION__VALUE_DIM_PARAM;
    v->dims[0].dim_param = v->batch;
    v->shape.dim = v->dim_list;
    v->shape.n_dim = rank;
    v->tensor.elem_type = INK__ONNX_FLOAT;
    v->tensor.shape = &v->shape;
    v->type.tensor_type = &v->tensor;
    v->info.name = v->name;
    v->info.type = &v->type;
}

/* Puts the model around the nodes and tensors, and writes it. */
static enum ink_status write_graph(const struct exporter *e, const char *path, struct ink_error *err)
{
    const struct ink_shape in = e->net->input;
    struct value image, probabilities;
    struct Ink__Onnx__ValueInfo *inputs[] = { &image.info }, *outputs[] = { &probabilities.info };
    struct Ink__Onnx__Graph graph;
    struct Ink__Onnx__OperatorSet set, *sets[] = { &set };
    struct Ink__Onnx__Model model;
    char name[] = "inkling", version[] = INK_VERSION;
    struct ink__pair *texts;
    size_t text_count;
    enum ink_status status = ink__texts_make(&texts, &text_count, e->net, "onnx", path, err);
    if (status != INK_OK)
        return status;
    struct Ink__Onnx__Pair *const pairs = ink__array(text_count, sizeof *pairs);
    struct Ink__Onnx__Pair **const pair_list = ink__array(text_count, sizeof *pair_list);
    if (pairs == NULL || pair_list == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    for (size_t i = 0; i < text_count; i++) {
        pair_list[i] = &pairs[i];
        ink__onnx__pair__init(&pairs[i]);
        pairs[i].key = texts[i].key;
        pairs[i].value = texts[i].value;
    }
    describe(&image, INPUT, 4, (const size_t[]){ 0, in.channels, in.height, in.width });
    describe(&probabilities, OUTPUT, 2, (const size_t[]){ 0, e->net->classes });
    ink__onnx__graph__init(&graph);
    graph.name = name;
    graph.node = e->node_list;
    graph.n_node = e->node_count;
    graph.initializer = e->tensor_list;
    graph.n_initializer = e->tensor_count;
    graph.input = inputs;
    graph.output = outputs;
    graph.n_input = graph.n_output = 1;
    ink__onnx__operator_set__init(&set);
    set.version = OPSET;
    ink__onnx__model__init(&model);
    model.ir_version = IR;
    model.producer_name = name;
    model.producer_version = version;
    model.graph = &graph;
    model.opset_import = sets;
    model.n_opset_import = 1;
    model.metadata_props = pair_list;
    model.n_metadata_props = text_count;
    status = write_model(&model, path, err);
out:
    free(pairs);
    free(pair_list);
    ink__pairs_free(texts, text_count);
    return status;
}

enum ink_status ink_export_onnx(const struct ink_net *net, const char *path, struct ink_error *err)
{
    const size_t nodes = net->layer_count * LAYER_NODES + OTHER_NODES;
    const size_t tensors = net->layer_count * LAYER_TENSORS + OTHER_TENSORS;
    struct exporter e = { .net = net,
                          .flow = { .name = INPUT },
                          .nodes = ink__array(nodes, sizeof *e.nodes),
                          .tensors = ink__array(tensors, sizeof *e.tensors),
                          .node_list = ink__array(nodes, sizeof *e.node_list),
                          .tensor_list = ink__array(tensors, sizeof *e.tensor_list),
                          .kept = ink__array(net->layer_count, sizeof *e.kept),
                          .data = ink__array(net->weight_count + net->layer_count + OTHER_FLOATS, sizeof *e.data) };
    enum ink_status status;
    if (e.nodes == NULL || e.tensors == NULL || e.node_list == NULL || e.tensor_list == NULL || e.kept == NULL ||
        e.data == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    add_nodes(&e);
    status = write_graph(&e, path, err);
out:
    free(e.nodes);
    free(e.tensors);
    free(e.node_list);
    free(e.tensor_list);
    free(e.kept);
    free(e.data);
    return status;
}
