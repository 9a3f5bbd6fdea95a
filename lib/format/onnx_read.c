#include "format/onnx_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#define MOST_ALIASES 64  /* Identity nodes between a name and its constant */
#define LONGEST_NAME 255 /* of anything in the graph: names are compared one by one */
#define SPARE_BYTES  (64u << 20)

enum ink_status ink__onnx_wrong(const struct ink__onnx_file *file, const struct Ink__Onnx__Node *node,
                                const char *format, ...)
{
    char what[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    const char *const name = node->name[0] == '\0' && node->n_output > 0 ? node->output[0] : node->name;
    return ink__fail(file->err, INK_BAD_INPUT, "%s: node '%.100s' (%.40s): %s", file->path, name, node->op_type, what);
}

/* ---- The file ---------------------------------------------------------------------------------------------------- */

/* Memory for messages, a limited share: a few bytes of a file may stand for hundreds in memory. */
struct share {
    size_t left;
    bool exceeded;
};

static void *take(void *context, size_t size)
{
    struct share *const share = context;
    share->exceeded |= size > share->left;
    if (share->exceeded)
        return NULL;
    share->left -= size;
    return malloc(size);
}

static void give(void *context, void *memory)
{
    (void)context;
    free(memory);
}

static enum ink_status unpack(struct ink__onnx_file *file, const struct ink__file *bytes)
{
    struct share share = { .left = 2 * bytes->size + SPARE_BYTES };
    ProtobufCAllocator allocator = { take, give, &share };
    if (bytes->size > INK__ONNX_MOST_BYTES)
        return ink__fail(file->err, INK_BAD_INPUT, "%s: %zu bytes, an ONNX file has at most %zu", file->path,
                         bytes->size, INK__ONNX_MOST_BYTES);
    file->model = ink__onnx__model__unpack(&allocator, bytes->size, bytes->bytes);
    if (file->model == NULL)
        return ink__fail(file->err, INK_BAD_INPUT, "%s: %s (is this an ONNX model?)", file->path,
                         share.exceeded ? "its messages take more memory than a model's of this size would"
                                        : "no protobuf message, cut short or malformed");
    return INK_OK;
}

static bool is_short(const char *name)
{
    return strnlen(name, LONGEST_NAME + 1) <= LONGEST_NAME;
}

/* Bounds what is looked for, and how often. */
static enum ink_status check_graph(const struct ink__onnx_file *file)
{
    const struct Ink__Onnx__Graph *const graph = file->graph;
    bool short_names = true;
    if (graph == NULL || graph->n_output == 0)
        return ink__fail(file->err, INK_BAD_INPUT, "%s: no graph with an output (is this an ONNX model?)", file->path);
    if (graph->n_node > INK__ONNX_MOST_PARTS || graph->n_initializer > INK__ONNX_MOST_PARTS ||
        graph->n_input > INK__ONNX_MOST_PARTS)
        return ink__fail(file->err, INK_BAD_INPUT,
                         "%s: %zu nodes, %zu initializers and %zu inputs, expected at most %zu", file->path,
                         graph->n_node, graph->n_initializer, graph->n_input, INK__ONNX_MOST_PARTS);
    for (size_t i = 0; i < graph->n_initializer; i++)
        short_names &= is_short(graph->initializer[i]->name);
    for (size_t i = 0; i < graph->n_input; i++)
        short_names &= is_short(graph->input[i]->name);
    short_names &= is_short(graph->output[0]->name);
    for (size_t i = 0; i < graph->n_node; i++) {
        const struct Ink__Onnx__Node *const node = graph->node[i];
        short_names &= is_short(node->name) && is_short(node->op_type) && is_short(node->domain);
        for (size_t k = 0; k < node->n_input; k++)
            short_names &= is_short(node->input[k]);
        for (size_t k = 0; k < node->n_output; k++)
            short_names &= is_short(node->output[k]);
        for (size_t k = 0; k < node->n_attribute; k++)
            short_names &= is_short(node->attribute[k]->name);
    }
    if (!short_names)
        return ink__fail(file->err, INK_BAD_INPUT, "%s: a name of more than %d bytes", file->path, LONGEST_NAME);
    return INK_OK;
}

/* The version of the standard operators; the highest if a file says it twice. */
static int64_t opset_of(const struct Ink__Onnx__Model *model)
{
    int64_t opset = 1;
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const struct Ink__Onnx__OperatorSet *const set = model->opset_import[i];
        if ((set->domain[0] == '\0' || strcmp(set->domain, "ai.onnx") == 0) && set->version > opset)
            opset = set->version;
    }
    return opset;
}

enum ink_status ink__onnx_open(struct ink__onnx_file *file, const char *path, struct ink_error *err)
{
    struct ink__file bytes;
    *file = (struct ink__onnx_file){ .path = path, .err = err };
    enum ink_status status = ink__file_open(&bytes, path, err);
    if (status != INK_OK)
        return status;
    status = unpack(file, &bytes);
    ink__file_close(&bytes);
    if (status != INK_OK)
        return status;
    file->graph = file->model->graph;
    file->opset = opset_of(file->model);
    return check_graph(file);
}

void ink__onnx_close(struct ink__onnx_file *file)
{
    if (file->model != NULL)
        ink__onnx__model__free_unpacked(file->model, NULL);
    file->model = NULL;
}

/* ---- Attributes -------------------------------------------------------------------------------------------------- */

static const struct Ink__Onnx__Attribute *find_attribute(const struct Ink__Onnx__Node *node, const char *name)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (strcmp(node->attribute[i]->name, name) == 0)
            return node->attribute[i];
    return NULL;
}

int64_t ink__onnx_attribute_number(const struct Ink__Onnx__Node *node, const char *name, int64_t otherwise)
{
    const struct Ink__Onnx__Attribute *const attribute = find_attribute(node, name);
    return attribute != NULL ? attribute->i : otherwise;
}

float ink__onnx_attribute_float(const struct Ink__Onnx__Node *node, const char *name, float otherwise)
{
    const struct Ink__Onnx__Attribute *const attribute = find_attribute(node, name);
    return attribute != NULL ? attribute->f : otherwise;
}

bool ink__onnx_attribute_is(const struct Ink__Onnx__Node *node, const char *name, const char *text)
{
    const struct Ink__Onnx__Attribute *const attribute = find_attribute(node, name);
    return attribute != NULL && attribute->s.len == strlen(text) &&
           memcmp(attribute->s.data, text, attribute->s.len) == 0;
}

bool ink__onnx_attribute_numbers(const struct Ink__Onnx__Node *node, const char *name, size_t count, int64_t *values,
                                 int64_t least, int64_t most)
{
    const struct Ink__Onnx__Attribute *const attribute = find_attribute(node, name);
    if (attribute == NULL)
        return true;
    if (attribute->n_ints != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        values[i] = attribute->ints[i];
        if (values[i] < least || values[i] > most)
            return false;
    }
    return true;
}

/* ---- Constants --------------------------------------------------------------------------------------------------- */

static enum ink_status wrong_constant(const struct ink__onnx_file *file, const char *name, const char *found,
                                      long long value, const char *expected)
{
    return ink__fail(file->err, INK_BAD_INPUT, "%s: constant '%.100s': found %s %lld, expected %s", file->path, name,
                     found, value, expected);
}

/* Checks a tensor and says where its elements are. */
static enum ink_status describe_tensor(const struct ink__onnx_file *file, const char *name,
                                       const struct Ink__Onnx__Tensor *tensor, struct ink__onnx_constant *c)
{
    const bool is_float = tensor->data_type == INK__ONNX_FLOAT;
    if (!is_float && tensor->data_type != INK__ONNX_INT64)
        return wrong_constant(file, name, "elements of type", tensor->data_type, "FLOAT (1) or INT64 (7)");
    if (tensor->data_location != 0)
        return wrong_constant(file, name, "data in place", tensor->data_location,
                              "0, in this file (export the model as one file)");
    if (tensor->n_dims > INK__ONNX_MOST_RANK)
        return wrong_constant(file, name, "a rank of", (long long)tensor->n_dims, "8 at most");
    *c = (struct ink__onnx_constant){ .rank = tensor->n_dims,
                                      .count = 1,
                                      .type = is_float ? INK__ONNX_FLOAT : INK__ONNX_INT64,
                                      .raw = tensor->raw_data.len > 0 ? tensor->raw_data.data : NULL,
                                      .floats = tensor->float_data,
                                      .integers = tensor->int64_data };
    for (size_t i = 0; i < c->rank; i++) {
        if (tensor->dims[i] < 0 || tensor->dims[i] > INT32_MAX)
            return wrong_constant(file, name, "a dimension of", tensor->dims[i], "0 to 2147483647");
        c->dims[i] = (size_t)tensor->dims[i];
        if (!ink__multiply(&c->count, c->count, c->dims[i]))
            return wrong_constant(file, name, "a dimension of", tensor->dims[i], "a size that fits into memory");
    }
    const size_t size = is_float ? sizeof(float) : sizeof(int64_t);
    const size_t found = c->raw != NULL ? tensor->raw_data.len / size
                         : is_float     ? tensor->n_float_data
                                        : tensor->n_int64_data;
    if (found != c->count || (c->raw != NULL && tensor->raw_data.len % size != 0))
        return ink__fail(file->err, INK_BAD_INPUT, "%s: constant '%.100s': found %zu elements, its shape expects %zu",
                         file->path, name, found, c->count);
    return INK_OK;
}

/* What a Constant node holds, in one of four attributes. */
static enum ink_status describe_node(const struct ink__onnx_file *file, const struct Ink__Onnx__Node *node,
                                     struct ink__onnx_constant *c)
{
    const struct Ink__Onnx__Attribute *a = find_attribute(node, "value");
    if (a != NULL && a->t != NULL)
        return describe_tensor(file, node->output[0], a->t, c);
    if ((a = find_attribute(node, "value_float")) != NULL)
        *c = (struct ink__onnx_constant){ .count = 1, .type = INK__ONNX_FLOAT, .floats = &a->f };
    else if ((a = find_attribute(node, "value_int")) != NULL)
        *c = (struct ink__onnx_constant){ .count = 1, .type = INK__ONNX_INT64, .integers = &a->i };
    else if ((a = find_attribute(node, "value_floats")) != NULL)
        *c = (struct ink__onnx_constant){
            .dims = { a->n_floats }, .rank = 1, .count = a->n_floats, .type = INK__ONNX_FLOAT, .floats = a->floats
        };
    else if ((a = find_attribute(node, "value_ints")) != NULL)
        *c = (struct ink__onnx_constant){
            .dims = { a->n_ints }, .rank = 1, .count = a->n_ints, .type = INK__ONNX_INT64, .integers = a->ints
        };
    else
        return ink__onnx_wrong(file, node, "expected a value of numbers");
    return INK_OK;
}

/* The node that makes the value `name`, or NULL. */
static const struct Ink__Onnx__Node *find_maker(const struct ink__onnx_file *file, const char *name)
{
    for (size_t i = 0; i < file->graph->n_node; i++)
        if (file->graph->node[i]->n_output > 0 && strcmp(file->graph->node[i]->output[0], name) == 0)
            return file->graph->node[i];
    return NULL;
}

static void transpose(struct ink__onnx_constant *c)
{
    const size_t rows = c->dims[0];
    c->dims[0] = c->dims[1];
    c->dims[1] = rows;
    c->transposed = true;
}

enum ink_status ink__onnx_find(const struct ink__onnx_file *file, const char *name, bool *found,
                               struct ink__onnx_constant *constant)
{
    bool transposed = false;
    enum ink_status status = INK_OK;
    *found = false;
    for (size_t aliases = 0; aliases < MOST_ALIASES && !*found; aliases++) {
        for (size_t i = 0; i < file->graph->n_initializer && !*found; i++) {
            *found = strcmp(file->graph->initializer[i]->name, name) == 0;
            if (*found)
                status = describe_tensor(file, name, file->graph->initializer[i], constant);
        }
        const struct Ink__Onnx__Node *const maker = *found ? NULL : find_maker(file, name);
        if (maker == NULL)
            break;
        int64_t perm[2] = { 0, 0 };
        *found = strcmp(maker->op_type, "Constant") == 0;
        if (*found)
            status = describe_node(file, maker, constant);
        else if (strcmp(maker->op_type, "Transpose") == 0 && !transposed &&
                 ink__onnx_attribute_numbers(maker, "perm", 2, perm, 0, 1) && perm[0] == 1 && perm[1] == 0)
            transposed = true;
        else if (strcmp(maker->op_type, "Identity") != 0)
            break;
        if (maker->n_input > 0)
            name = maker->input[0];
    }
    if (status == INK_OK && *found && transposed && constant->rank == 2)
        transpose(constant);
    return status;
}

float ink__onnx_float_at(const struct ink__onnx_constant *constant, size_t i)
{
    if (constant->raw == NULL)
        return constant->floats[i];
    const unsigned char *const b = constant->raw + 4 * i;
    const uint32_t bits = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

int64_t ink__onnx_integer_at(const struct ink__onnx_constant *constant, size_t i)
{
    if (constant->raw == NULL)
        return constant->integers[i];
    uint64_t bits = 0;
    for (size_t k = 8; k-- > 0;)
        bits = bits << 8 | constant->raw[8 * i + k];
    return (int64_t)bits;
}
