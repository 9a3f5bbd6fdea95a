#include "format/onnx_graph.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/texts.h"

enum { IR = 7, OPSET = 13 };

enum ink_status ink__onnx_make(struct ink__onnx_graph *graph, size_t nodes, size_t tensors, size_t floats,
                               struct ink_error *err)
{
    *graph = (struct ink__onnx_graph){ .nodes = ink__array(nodes, sizeof *graph->nodes),
                                       .tensors = ink__array(tensors, sizeof *graph->tensors),
                                       .node_list = ink__array(nodes, sizeof *graph->node_list),
                                       .tensor_list = ink__array(tensors, sizeof *graph->tensor_list),
                                       .data = ink__array(floats, sizeof *graph->data) };
    if (graph->nodes == NULL || graph->tensors == NULL || graph->node_list == NULL || graph->tensor_list == NULL ||
        graph->data == NULL)
        return ink__fail_memory(err);
    return INK_OK;
}

void ink__onnx_free(struct ink__onnx_graph *graph)
{
    free(graph->nodes);
    free(graph->tensors);
    free(graph->node_list);
    free(graph->tensor_list);
    free(graph->data);
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */

void ink__onnx_input(struct ink__onnx_node *node, const char *input)
{
    const size_t i = node->message.n_input++;
    snprintf(node->inputs[i], INK__ONNX_NAME, "%s", input);
    node->input_list[i] = node->inputs[i];
}

struct ink__onnx_node *ink__onnx_add(struct ink__onnx_graph *graph, const char *operation, const char *name,
                                     const char *input)
{
    struct ink__onnx_node *const node = &graph->nodes[graph->node_count];
    struct Ink__Onnx__Node *const m = &node->message;
    graph->node_list[graph->node_count++] = m;
    ink__onnx__node__init(m);
    snprintf(node->operation, INK__ONNX_NAME, "%s", operation);
    snprintf(node->name, INK__ONNX_NAME, "%s", name);
    m->op_type = node->operation;
    m->name = node->output_list[0] = node->name;
    m->output = node->output_list;
    m->n_output = 1;
    m->input = node->input_list;
    m->attribute = node->attribute_list;
    ink__onnx_input(node, input);
    return node;
}

static struct Ink__Onnx__Attribute *add_attribute(struct ink__onnx_node *node, const char *name,
                                                  enum ink__onnx_attribute type)
{
    const size_t i = node->message.n_attribute++;
    struct Ink__Onnx__Attribute *const attribute = node->attribute_list[i] = &node->attributes[i];
    ink__onnx__attribute__init(attribute);
    snprintf(node->attribute_names[i], INK__ONNX_NAME, "%s", name);
    attribute->name = node->attribute_names[i];
    attribute->type = (int32_t)type;
    attribute->ints = node->integers[i];
    return attribute;
}

void ink__onnx_number(struct ink__onnx_node *node, const char *name, int64_t value)
{
    add_attribute(node, name, INK__ONNX_ATTRIBUTE_INT)->i = value;
}

void ink__onnx_float(struct ink__onnx_node *node, const char *name, float value)
{
    add_attribute(node, name, INK__ONNX_ATTRIBUTE_FLOAT)->f = value;
}

void ink__onnx_numbers(struct ink__onnx_node *node, const char *name, size_t count, const size_t *values)
{
    struct Ink__Onnx__Attribute *const attribute = add_attribute(node, name, INK__ONNX_ATTRIBUTE_INTS);
    attribute->n_ints = count;
    for (size_t i = 0; i < count; i++)
        attribute->ints[i] = (int64_t)values[i];
}

/* ---- Tensors ----------------------------------------------------------------------------------------------------- */

static struct Ink__Onnx__Tensor *add_tensor(struct ink__onnx_graph *graph, const char *name, size_t rank,
                                            const size_t *shape, enum ink__onnx_element type)
{
    struct ink__onnx_tensor *const t = &graph->tensors[graph->tensor_count];
    struct Ink__Onnx__Tensor *const m = &t->message;
    graph->tensor_list[graph->tensor_count++] = m;
    ink__onnx__tensor__init(m);
    snprintf(t->name, INK__ONNX_NAME, "%s", name);
    for (size_t i = 0; i < rank; i++)
        t->dims[i] = (int64_t)shape[i];
    m->name = t->name;
    m->dims = t->dims;
    m->n_dims = rank;
    m->data_type = (int32_t)type;
    return m;
}

float *ink__onnx_floats(struct ink__onnx_graph *graph, const char *name, size_t rank, const size_t *shape)
{
    struct Ink__Onnx__Tensor *const m = add_tensor(graph, name, rank, shape, INK__ONNX_FLOAT);
    size_t count = 1;
    for (size_t i = 0; i < rank; i++)
        count *= shape[i];
    m->float_data = graph->data + graph->data_used;
    m->n_float_data = count;
    graph->data_used += count;
    return m->float_data;
}

void ink__onnx_integers(struct ink__onnx_graph *graph, const char *name, int64_t *values, size_t count)
{
    struct Ink__Onnx__Tensor *const m = add_tensor(graph, name, 1, &count, INK__ONNX_INT64);
    m->int64_data = values;
    m->n_int64_data = count;
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
    char name[INK__ONNX_NAME], batch[INK__ONNX_NAME];
};

/* Its first dimension is the batch. */
static void describe(struct value *v, const char *name, size_t rank, const size_t *shape)
{
    ink__onnx__value_info__init(&v->info);
    ink__onnx__type__init(&v->type);
    ink__onnx__tensor_type__init(&v->tensor);
    ink__onnx__shape__init(&v->shape);
    snprintf(v->name, INK__ONNX_NAME, "%s", name);
    snprintf(v->batch, INK__ONNX_NAME, "batch");
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

enum ink_status ink__onnx_write(const struct ink__onnx_graph *graph, const struct ink_net *net, const char *path,
                                struct ink_error *err)
{
    const struct ink_shape in = net->input;
    struct value image, probabilities;
    struct Ink__Onnx__ValueInfo *inputs[] = { &image.info }, *outputs[] = { &probabilities.info };
    struct Ink__Onnx__Graph g;
    struct Ink__Onnx__OperatorSet set, *sets[] = { &set };
    struct Ink__Onnx__Model model;
    char name[] = "inkling", version[] = INK_VERSION;
    struct ink__pair *texts;
    size_t text_count;
    enum ink_status status = ink__texts_make(&texts, &text_count, net, "onnx", path, err);
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
    describe(&image, INK__ONNX_INPUT, 4, (const size_t[]){ 0, in.channels, in.height, in.width });
    describe(&probabilities, INK__ONNX_OUTPUT, 2, (const size_t[]){ 0, net->classes });
    ink__onnx__graph__init(&g);
    g.name = name;
    g.node = graph->node_list;
    g.n_node = graph->node_count;
    g.initializer = graph->tensor_list;
    g.n_initializer = graph->tensor_count;
    g.input = inputs;
    g.output = outputs;
    g.n_input = g.n_output = 1;
    ink__onnx__operator_set__init(&set);
    set.version = OPSET;
    ink__onnx__model__init(&model);
    model.ir_version = IR;
    model.producer_name = name;
    model.producer_version = version;
    model.graph = &g;
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
