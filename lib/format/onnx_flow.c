/* Shapes: the graph's input, the nodes that only look at the same elements in another way, and the arithmetic on shapes
 * that exporters write for it. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/onnx_import.h"

#define MOST_CHANNELS ((size_t)4) /* of an image */

static size_t side(const struct ink_shape *shape, char letter)
{
    return letter == 'H' ? shape->height : letter == 'W' ? shape->width : shape->channels;
}

size_t ink__flow_dims(const struct ink__flow *flow, size_t dims[3])
{
    if (flow->flat) {
        dims[0] = ink__elements(flow->shape);
        return 1;
    }
    const size_t count = strlen(flow->order);
    for (size_t i = 0; i < count; i++)
        dims[i] = side(&flow->shape, flow->order[i]);
    return count;
}

size_t ink__flow_index(const struct ink__flow *flow, size_t h, size_t w, size_t c)
{
    const struct ink_shape at = { h, w, c };
    size_t index = 0;
    for (size_t i = 0; flow->order[i] != 0; i++)
        index = index * side(&flow->shape, flow->order[i]) + side(&at, flow->order[i]);
    return index;
}

size_t ink__flow_channel(const struct ink__flow *flow)
{
    const char *const at = strchr(flow->order, 'C');
    return flow->flat || at == NULL ? 0 : (size_t)(at - flow->order);
}

/* "Nx1x28x28" */
static const char *dims_text(char text[80], const size_t *dims, size_t count)
{
    size_t length = (size_t)snprintf(text, 80, "N");
    for (size_t i = 0; i < count && length < 80; i++)
        length += (size_t)snprintf(text + length, 80 - length, "x%zu", dims[i]);
    return text;
}

/* ---- The input --------------------------------------------------------------------------------------------------- */

/* The shape and order of an input whose dimensions after the batch are `dims`, 0 where they are open. `given`: the
 * shape is known already. False if it cannot be an image. */
static bool fit_input(struct ink__flow *flow, const size_t *dims, size_t count, bool given)
{
    static const char *const orders[] = { "CHW", "HWC", "HW" };
    struct ink_shape *const shape = &flow->shape;
    if (count == 1) {
        flow->flat = true;
        strcpy(flow->order, "HWC");
        size_t root = 1;
        while (root * root < dims[0] && root < INT16_MAX)
            root++;
        if (!given)
            *shape = (struct ink_shape){ root, root, 1 };
        return dims[0] == 0 ? given : ink__elements(*shape) == dims[0];
    }
    for (size_t o = 0; o < sizeof orders / sizeof orders[0]; o++) {
        struct ink_shape found = { 1, 1, 1 };
        bool fits = strlen(orders[o]) == count;
        for (size_t i = 0; fits && i < count; i++) {
            size_t *const to = orders[o][i] == 'H'   ? &found.height
                               : orders[o][i] == 'W' ? &found.width
                                                     : &found.channels;
            *to = dims[i] == 0 && given ? side(shape, orders[o][i]) : dims[i];
            fits = *to > 0 && (!given || *to == side(shape, orders[o][i]));
        }
        if (fits && found.channels <= MOST_CHANNELS) {
            *shape = found;
            strcpy(flow->order, orders[o]);
            return true;
        }
    }
    return false;
}

/* The graph's one input that is no initializer; NULL if there are none or several. */
static const struct Ink__Onnx__ValueInfo *find_input(const struct Ink__Onnx__Graph *graph)
{
    const struct Ink__Onnx__ValueInfo *input = NULL;
    for (size_t i = 0; i < graph->n_input; i++) {
        bool initialized = false;
        for (size_t k = 0; k < graph->n_initializer && !initialized; k++)
            initialized = strcmp(graph->input[i]->name, graph->initializer[k]->name) == 0;
        if (!initialized && input != NULL)
            return NULL;
        if (!initialized)
            input = graph->input[i];
    }
    return input;
}

enum ink_status ink__import_input(struct ink__importer *im)
{
    const struct ink__onnx_file *const file = &im->file;
    const struct Ink__Onnx__ValueInfo *const input = find_input(file->graph);
    if (input == NULL)
        return ink__fail(file->err, INK_BAD_INPUT, "%s: no input or several, expected one", file->path);
    const struct Ink__Onnx__TensorType *const type = input->type != NULL ? input->type->tensor_type : NULL;
    const struct Ink__Onnx__Shape *const shape = type != NULL ? type->shape : NULL;
    size_t dims[3] = { 0 };
    if (shape == NULL || shape->n_dim < 2 || shape->n_dim > 4)
        return ink__fail(file->err, INK_BAD_INPUT, "%s: input '%.100s': no rank from 2 to 4", file->path, input->name);
    if (type->elem_type != INK__ONNX_FLOAT)
        return ink__fail(file->err, INK_BAD_INPUT, "%s: input '%.100s': elements of type %d, expected FLOAT (1)",
                         file->path, input->name, type->elem_type);
    for (size_t i = 0; i < shape->n_dim; i++) {
        const struct Ink__Onnx__Dimension *const d = shape->dim[i];
        const bool is_number = d->value_case == INK__ONNX__DIMENSION__VALUE_DIM_VALUE && d->dim_value > 0;
        const int64_t value = is_number && d->dim_value < INT32_MAX ? d->dim_value : 0;
        if (i == 0)
            im->batch = value;
        else
            dims[i - 1] = (size_t)value;
    }
    im->flow = (struct ink__flow){ .name = input->name, .shape = im->input };
    if (!fit_input(&im->flow, dims, shape->n_dim - 1, im->input.height > 0)) {
        char found[80];
        return ink__fail(file->err, INK_BAD_INPUT,
                         "%s: input '%.100s' is %s: found no image of 1 to %zu channels in it, or not the one that was "
                         "named (0 is an open dimension: name the shape, HxWxC)",
                         file->path, input->name, dims_text(found, dims, shape->n_dim - 1), MOST_CHANNELS);
    }
    return INK_OK;
}

/* ---- The same elements ------------------------------------------------------------------------------------------- */

/* Whether two orders are the same but for dimensions of 1. */
static bool same_memory(const struct ink_shape *shape, const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a != 0 && side(shape, *a) == 1)
            a++;
        while (*b != 0 && side(shape, *b) == 1)
            b++;
        if (*a != *b || *a == 0)
            return *a == *b;
    }
}

/* Whether `order` has those dimensions, and all that it leaves out are 1. */
static bool has_dims(const struct ink_shape *shape, const char *order, const size_t *dims, size_t count)
{
    size_t product = 1;
    if (strlen(order) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (side(shape, order[i]) != dims[i])
            return false;
        product *= dims[i];
    }
    return product == ink__elements(*shape);
}

/* What flows is read with other dimensions. */
static enum ink_status regard(struct ink__importer *im, const struct Ink__Onnx__Node *node, const size_t *dims,
                              size_t count)
{
    static const char *const orders[] = {
        "CHW", "HWC", "HW", "CH", "HC", "CW", "WC", "WH", "CWH", "HCW", "WCH", "WHC"
    };
    struct ink__flow *const flow = &im->flow;
    char found[80], expected[80];
    if (count == 1 && dims[0] == ink__elements(flow->shape)) {
        flow->flat = true;
        return INK_OK;
    }
    /* A flat input is the image that the graph makes of it. */
    struct ink__flow image = *flow;
    if (flow->flat && im->step_count == 0 && im->input.height == 0 && fit_input(&image, dims, count, false) &&
        ink__elements(image.shape) == ink__elements(flow->shape)) {
        *flow = image;
        flow->flat = false;
        im->flows[0].shape = image.shape;
        return INK_OK;
    }
    for (size_t o = 0; o < sizeof orders / sizeof orders[0]; o++)
        if (has_dims(&flow->shape, orders[o], dims, count) && same_memory(&flow->shape, flow->order, orders[o])) {
            strcpy(flow->order, orders[o]);
            flow->flat = false;
            return INK_OK;
        }
    size_t from[3];
    const size_t from_count = ink__flow_dims(flow, from);
    return ink__onnx_wrong(&im->file, node, "found %s as %s, expected it flattened, or as the same image",
                           dims_text(found, from, from_count), dims_text(expected, dims, count));
}

enum ink_status ink__import_flatten(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    size_t dims[3];
    const int64_t rank = (int64_t)ink__flow_dims(&im->flow, dims) + 1;
    const int64_t axis = ink__onnx_attribute_number(node, "axis", 1);
    if (axis != 1 && axis + rank != 1)
        return ink__onnx_wrong(&im->file, node, "axis is %lld, expected 1", (long long)axis);
    dims[0] = ink__elements(im->flow.shape);
    return regard(im, node, dims, 1);
}

static const struct ink__numbers *find_numbers(const struct ink__importer *im, const char *name)
{
    for (size_t i = 0; i < im->number_count; i++)
        if (strcmp(im->numbers[i].name, name) == 0)
            return &im->numbers[i];
    return NULL;
}

/* The node's `i`-th input as integers: a constant, or made of shapes. count is 0 if there is no such input. */
static enum ink_status read_numbers(const struct ink__importer *im, const struct Ink__Onnx__Node *node, size_t i,
                                    struct ink__numbers *numbers)
{
    *numbers = (struct ink__numbers){ 0 };
    const struct ink__numbers *const known = i < node->n_input ? find_numbers(im, node->input[i]) : NULL;
    if (known != NULL) {
        *numbers = *known;
        return INK_OK;
    }
    struct ink__onnx_constant c;
    const enum ink_status status = ink__import_constant(im, node, i, INK__ONNX_INT64, &c);
    if (status != INK_OK)
        return status;
    if (c.count > INK__ONNX_MOST_RANK)
        return ink__onnx_wrong(&im->file, node, "input %zu: %zu numbers, expected at most %zu", i, c.count,
                               INK__ONNX_MOST_RANK);
    numbers->count = c.count;
    for (size_t k = 0; k < c.count; k++)
        numbers->values[k] = ink__onnx_integer_at(&c, k);
    return INK_OK;
}

enum ink_status ink__import_reshape(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    struct ink__numbers target;
    size_t now[3] = { 0 }, dims[3], open = 3, product = 1;
    const size_t elements = ink__elements(im->flow.shape);
    const enum ink_status status = read_numbers(im, node, 1, &target);
    if (status != INK_OK)
        return status;
    ink__flow_dims(&im->flow, now);
    const int64_t first = target.values[0];
    bool fits = target.count >= 2 && target.count <= 4 &&
                (first == INK__ONNX_BATCH || first == 0 || first == -1 || first == im->batch);
    for (size_t i = 1; fits && i < target.count; i++) {
        const int64_t value = target.values[i] == 0 ? (int64_t)now[i - 1] : target.values[i];
        if (value == -1 && first != -1 && open == 3) {
            open = i - 1;
            continue;
        }
        fits = value > 0 && value <= (int64_t)elements && product <= elements;
        dims[i - 1] = fits ? (size_t)value : 0;
        product *= dims[i - 1];
    }
    if (fits && open < 3)
        dims[open] = product > 0 ? elements / product : 0;
    if (!fits)
        return ink__onnx_wrong(&im->file, node, "found a target that is not the batch and 1 to 3 dimensions");
    return regard(im, node, dims, target.count - 1);
}

/* The axes that a Squeeze, an Unsqueeze names, as a set of bits; `rank` is that of the longer side. */
static enum ink_status read_axes(const struct ink__importer *im, const struct Ink__Onnx__Node *node, size_t rank,
                                 unsigned *axes)
{
    struct ink__numbers named;
    const enum ink_status status = read_numbers(im, node, 1, &named);
    if (status != INK_OK)
        return status;
    for (size_t count = 1; named.count == 0 && count <= 3; count++)
        if (ink__onnx_attribute_numbers(node, "axes", count, named.values, -4, 3) && named.values[0] != 0)
            named.count = count;
    *axes = 0;
    for (size_t i = 0; i < named.count; i++) {
        const int64_t axis = named.values[i] < 0 ? named.values[i] + (int64_t)rank : named.values[i];
        if (axis < 1 || axis >= (int64_t)rank)
            return ink__onnx_wrong(&im->file, node, "axis %lld, expected 1 to %zu", (long long)named.values[i],
                                   rank - 1);
        *axes |= 1u << axis;
    }
    return *axes != 0 ? INK_OK : ink__onnx_wrong(&im->file, node, "no axes, expected some");
}

enum ink_status ink__import_squeeze(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    size_t now[3], dims[3], count = 0;
    unsigned axes;
    const size_t rank = ink__flow_dims(&im->flow, now);
    const enum ink_status status = read_axes(im, node, rank + 1, &axes);
    if (status != INK_OK)
        return status;
    for (size_t i = 0; i < rank; i++) {
        const bool goes = (axes >> (i + 1) & 1u) != 0;
        if (goes && now[i] != 1)
            return ink__onnx_wrong(&im->file, node, "dimension %zu is %zu, expected 1", i + 1, now[i]);
        if (!goes)
            dims[count++] = now[i];
    }
    return count > 0 ? regard(im, node, dims, count) : ink__onnx_wrong(&im->file, node, "leaves the batch alone");
}

enum ink_status ink__import_unsqueeze(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    size_t now[3], dims[3], used = 0;
    unsigned axes;
    const size_t rank = ink__flow_dims(&im->flow, now);
    enum ink_status status = INK_OK;
    for (size_t longer = rank + 1; longer <= 3; longer++) { /* as many axes as it takes */
        status = read_axes(im, node, longer + 1, &axes);
        size_t named = 0;
        for (size_t i = 1; status == INK_OK && i <= longer; i++)
            named += axes >> i & 1u;
        if (status != INK_OK || named != longer - rank)
            continue;
        for (size_t i = 0; i < longer; i++)
            dims[i] = (axes >> (i + 1) & 1u) != 0 ? 1 : now[used++];
        return regard(im, node, dims, longer);
    }
    return status != INK_OK ? status : ink__onnx_wrong(&im->file, node, "makes more than 3 dimensions of an image");
}

enum ink_status ink__import_transpose(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    struct ink__flow *const flow = &im->flow;
    size_t dims[3];
    int64_t places[4] = { -1, -1, -1, -1 };
    const size_t rank = ink__flow_dims(flow, dims) + 1;
    unsigned seen = 0;
    bool fits = ink__onnx_attribute_numbers(node, "perm", rank, places, 0, (int64_t)rank - 1) && places[0] == 0;
    for (size_t i = 0; fits && i < rank; i++)
        seen |= 1u << places[i];
    if (!fits || seen != (1u << rank) - 1)
        return ink__onnx_wrong(&im->file, node, "expected a perm of %zu places that leaves the batch where it is",
                               rank);
    char order[4] = "";
    for (size_t i = 1; i < rank && !flow->flat; i++)
        order[i - 1] = flow->order[places[i] - 1];
    if (!flow->flat)
        memcpy(flow->order, order, sizeof order);
    return INK_OK;
}

/* ---- Arithmetic on shapes ---------------------------------------------------------------------------------------- */

static const struct ink__flow *find_flow(const struct ink__importer *im, const char *name)
{
    for (size_t i = im->flow_count; i-- > 0;)
        if (strcmp(im->flows[i].name, name) == 0)
            return &im->flows[i];
    return NULL;
}

static enum ink_status shape_of(const struct ink__importer *im, const struct Ink__Onnx__Node *node,
                                struct ink__numbers *to)
{
    const struct ink__flow *const flow = find_flow(im, node->input[0]);
    size_t dims[3];
    if (flow == NULL)
        return ink__onnx_wrong(&im->file, node, "reads '%.100s', which does not flow here", node->input[0]);
    to->count = ink__flow_dims(flow, dims) + 1;
    to->values[0] = INK__ONNX_BATCH;
    for (size_t i = 1; i < to->count; i++)
        to->values[i] = (int64_t)dims[i - 1];
    return INK_OK;
}

static enum ink_status gather(const struct ink__importer *im, const struct Ink__Onnx__Node *node,
                              struct ink__numbers *to)
{
    struct ink__numbers from, at;
    enum ink_status status = read_numbers(im, node, 0, &from);
    if (status == INK_OK)
        status = read_numbers(im, node, 1, &at);
    if (status != INK_OK)
        return status;
    const int64_t index = at.values[0] < 0 ? at.values[0] + (int64_t)from.count : at.values[0];
    if (at.count != 1 || index < 0 || index >= (int64_t)from.count)
        return ink__onnx_wrong(&im->file, node, "expected one index below %zu", from.count);
    to->count = 1;
    to->values[0] = from.values[index];
    return INK_OK;
}

static enum ink_status concat(const struct ink__importer *im, const struct Ink__Onnx__Node *node,
                              struct ink__numbers *to)
{
    for (size_t i = 0; i < node->n_input; i++) {
        struct ink__numbers part;
        const enum ink_status status = read_numbers(im, node, i, &part);
        if (status != INK_OK)
            return status;
        if (to->count + part.count > INK__ONNX_MOST_RANK)
            return ink__onnx_wrong(&im->file, node, "more than %zu numbers", INK__ONNX_MOST_RANK);
        memcpy(to->values + to->count, part.values, part.count * sizeof *part.values);
        to->count += part.count;
    }
    return INK_OK;
}

static enum ink_status slice(const struct ink__importer *im, const struct Ink__Onnx__Node *node,
                             struct ink__numbers *to)
{
    struct ink__numbers from, part[4]; /* starts, ends, axes, steps */
    enum ink_status status = read_numbers(im, node, 0, &from);
    for (size_t i = 0; status == INK_OK && i < 4; i++)
        status = read_numbers(im, node, 1 + i, &part[i]);
    if (status != INK_OK)
        return status;
    int64_t ends[2] = { part[0].values[0], part[1].values[0] };
    for (size_t i = 0; i < 2; i++) {
        ends[i] += ends[i] < 0 ? (int64_t)from.count : 0;
        ends[i] = ends[i] < 0 ? 0 : ends[i] > (int64_t)from.count ? (int64_t)from.count : ends[i];
    }
    if (part[0].count != 1 || part[1].count != 1 || (part[3].count > 0 && part[3].values[0] != 1))
        return ink__onnx_wrong(&im->file, node, "expected one start and one end, and a step of 1");
    for (int64_t i = ends[0]; i < ends[1]; i++)
        to->values[to->count++] = from.values[i];
    return INK_OK;
}

static enum ink_status same(const struct ink__importer *im, const struct Ink__Onnx__Node *node, struct ink__numbers *to)
{
    return read_numbers(im, node, 0, to);
}

enum ink_status ink__import_numbers(struct ink__importer *im, const struct Ink__Onnx__Node *node, bool *done)
{
    static const struct {
        const char *op_type;
        enum ink_status (*make)(const struct ink__importer *im, const struct Ink__Onnx__Node *node,
                                struct ink__numbers *to);
    } makers[] = { { "Shape", shape_of }, { "Gather", gather }, { "Concat", concat },  { "Slice", slice },
                   { "Cast", same },      { "Squeeze", same },  { "Unsqueeze", same }, { "Identity", same } };
    bool of_numbers = strcmp(node->op_type, "Shape") == 0;
    for (size_t i = 0; i < node->n_input; i++)
        of_numbers |= find_numbers(im, node->input[i]) != NULL;
    *done = false;
    for (size_t i = 0; of_numbers && node->n_input > 0 && i < sizeof makers / sizeof makers[0]; i++) {
        if (strcmp(node->op_type, makers[i].op_type) != 0)
            continue;
        struct ink__numbers made = { 0 };
        const enum ink_status status = makers[i].make(im, node, &made);
        made.name = node->output[0];
        if (status == INK_OK)
            im->numbers[im->number_count++] = made;
        *done = true;
        return status;
    }
    return INK_OK;
}
