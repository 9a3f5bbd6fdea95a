/* The operators that become layers: each function reads a node's attributes and constants and adds a step. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/onnx_import.h"

#define MOST_SIDE   65535
#define MOST_SPREAD 64 /* side of a window that has to be made larger to stand for what a node does */

/* ---- What several need ------------------------------------------------------------------------------------------- */

static bool is_image(const struct ink__importer *im)
{
    return !im->flow.flat && strcmp(im->flow.order, "CHW") == 0;
}

static enum ink_status wrong_image(const struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    return ink__onnx_wrong(&im->file, node, "reads a value in %s order%s, expected an image in CHW order",
                           im->flow.order, im->flow.flat ? ", flattened" : "");
}

static enum ink_status wrong_shape(const struct ink__importer *im, const struct Ink__Onnx__Node *node, const char *what,
                                   const struct ink__onnx_constant *found, size_t rows, size_t columns)
{
    return ink__onnx_wrong(&im->file, node, "%s: rank %zu, %zu elements, expected a matrix of %zu x %zu", what,
                           found->rank, found->count, rows, columns);
}

static void set_image(struct ink__flow *flow, size_t height, size_t width, size_t channels)
{
    flow->shape = (struct ink_shape){ height, width, channels };
}

/* What flows after a dense layer. */
static void set_vector(struct ink__flow *flow, size_t count)
{
    set_image(flow, 1, 1, count);
    flow->flat = true;
    strcpy(flow->order, "CHW");
}

/* ---- Dense and convolution --------------------------------------------------------------------------------------- */

static enum ink_status add_dense(struct ink__importer *im, const struct Ink__Onnx__Node *node,
                                 const struct ink__onnx_constant *weight, bool transposed, struct ink__step **out)
{
    const size_t in = ink__elements(im->flow.shape);
    const size_t units = weight->rank == 2 ? weight->dims[transposed ? 0 : 1] : 0;
    if (!im->flow.flat)
        return wrong_image(im, node);
    if (units == 0 || weight->dims[transposed ? 1 : 0] != in)
        return wrong_shape(im, node, "weights", weight, in, units);
    struct ink__step *const step = *out = ink__import_step(im, node, INK__DENSE, "dense %zu", units);
    if (step == NULL)
        return INK_BAD_INPUT;
    step->weight = *weight;
    step->transposed = transposed != weight->transposed;
    step->in = im->flow;
    step->alpha = step->beta = 1.0f;
    set_vector(&im->flow, units);
    return INK_OK;
}

static enum ink_status import_matmul(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    struct ink__onnx_constant weight;
    struct ink__step *step = NULL;
    const enum ink_status status = ink__import_constant(im, node, 1, INK__ONNX_FLOAT, &weight);
    return status == INK_OK ? add_dense(im, node, &weight, false, &step) : status;
}

static enum ink_status import_gemm(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    struct ink__onnx_constant weight, bias;
    struct ink__step *step = NULL;
    enum ink_status status = ink__import_constant(im, node, 1, INK__ONNX_FLOAT, &weight);
    if (status == INK_OK)
        status = ink__import_constant(im, node, 2, INK__ONNX_FLOAT, &bias);
    if (status == INK_OK && ink__onnx_attribute_number(node, "transA", 0) != 0)
        status = ink__onnx_wrong(&im->file, node, "transA is not 0");
    if (status == INK_OK)
        status = add_dense(im, node, &weight, ink__onnx_attribute_number(node, "transB", 0) != 0, &step);
    if (status != INK_OK)
        return status;
    if (bias.count > 0 && !ink__import_by_channel(&im->flow, &bias, 0))
        return wrong_shape(im, node, "bias", &bias, 1, im->flow.shape.channels);
    step->bias = bias;
    step->has_bias = bias.count > 0;
    step->alpha = ink__onnx_attribute_float(node, "alpha", 1.0f);
    step->beta = ink__onnx_attribute_float(node, "beta", 1.0f);
    return INK_OK;
}

/* A window as a node describes it. */
struct window {
    int64_t kernel[2], strides[2], dilations[2], pads[4]; /* pads: top, left, bottom, right */
};

/* What auto_pad makes of the pads: SAME gives ceil(size / stride) positions. */
static void pad_same(struct window *w, const struct ink_shape *in, bool upper)
{
    const size_t sizes[2] = { in->height, in->width };
    for (size_t i = 0; i < 2; i++) {
        const int64_t size = (int64_t)sizes[i], positions = (size + w->strides[i] - 1) / w->strides[i];
        int64_t total = (positions - 1) * w->strides[i] + (w->kernel[i] - 1) * w->dilations[i] + 1 - size;
        total = total > 0 ? total : 0;
        w->pads[i] = upper ? total / 2 : total - total / 2;
        w->pads[2 + i] = total - w->pads[i];
    }
}

static enum ink_status read_window(const struct ink__importer *im, const struct Ink__Onnx__Node *node, struct window *w)
{
    *w = (struct window){ .kernel = { w->kernel[0], w->kernel[1] }, .strides = { 1, 1 }, .dilations = { 1, 1 } };
    const char *wrong = NULL;
    if (!ink__onnx_attribute_numbers(node, "kernel_shape", 2, w->kernel, 1, MOST_SIDE) || w->kernel[0] == 0)
        wrong = "kernel_shape";
    else if (!ink__onnx_attribute_numbers(node, "strides", 2, w->strides, 1, MOST_SIDE))
        wrong = "strides";
    else if (!ink__onnx_attribute_numbers(node, "dilations", 2, w->dilations, 1, MOST_SIDE))
        wrong = "dilations";
    else if (!ink__onnx_attribute_numbers(node, "pads", 4, w->pads, 0, MOST_SIDE))
        wrong = "pads";
    if (wrong != NULL)
        return ink__onnx_wrong(&im->file, node, "%s: expected two numbers (pads: four) from 1 to %d", wrong, MOST_SIDE);
    if (ink__onnx_attribute_is(node, "auto_pad", "SAME_UPPER") ||
        ink__onnx_attribute_is(node, "auto_pad", "SAME_LOWER"))
        pad_same(w, &im->flow.shape, ink__onnx_attribute_is(node, "auto_pad", "SAME_UPPER"));
    return INK_OK;
}

/* The shape of what a window that leaves `free` rows and columns over makes of `channels` channels. Ours has one
 * stride; where it stands in one place alone, the node's does not count. */
static enum ink_status move_window(struct ink__importer *im, const struct Ink__Onnx__Node *node, struct window *w,
                                   const int64_t free[2], size_t channels)
{
    if (free[0] < 0 || free[1] < 0)
        return ink__onnx_wrong(&im->file, node, "the window does not fit into %zu x %zu", im->flow.shape.height,
                               im->flow.shape.width);
    for (size_t i = 0; i < 2; i++)
        if (free[i] < w->strides[i])
            w->strides[i] = free[1 - i] < w->strides[1 - i] ? 1 : w->strides[1 - i];
    if (w->strides[0] != w->strides[1])
        return ink__onnx_wrong(&im->file, node, "strides of %lld and %lld, expected equal ones",
                               (long long)w->strides[0], (long long)w->strides[1]);
    im->flow.shape.height = (size_t)(free[0] / w->strides[0]) + 1;
    im->flow.shape.width = (size_t)(free[1] / w->strides[1]) + 1;
    im->flow.shape.channels = channels;
    return INK_OK;
}

/* Our windows have one padding on all sides and no dilation. Where the node's is another, a larger window with zeros
 * stands for it: one more row of zeros for every row of padding that is too much, zeros between dilated taps. */
static enum ink_status import_conv(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    struct ink__onnx_constant weight, bias;
    enum ink_status status = ink__import_constant(im, node, 1, INK__ONNX_FLOAT, &weight);
    if (status == INK_OK)
        status = ink__import_constant(im, node, 2, INK__ONNX_FLOAT, &bias);
    if (status != INK_OK)
        return status;
    const struct ink_shape in = im->flow.shape;
    if (!is_image(im))
        return wrong_image(im, node);
    if (ink__onnx_attribute_number(node, "group", 1) != 1)
        return ink__onnx_wrong(&im->file, node, "group is %lld, expected 1",
                               (long long)ink__onnx_attribute_number(node, "group", 1));
    if (weight.rank != 4 || weight.count == 0 || weight.dims[1] != in.channels || weight.dims[2] > MOST_SIDE ||
        weight.dims[3] > MOST_SIDE)
        return ink__onnx_wrong(&im->file, node, "weights: rank %zu, %zu elements, expected (filters, %zu, K, K)",
                               weight.rank, weight.count, in.channels);
    struct window w = { .kernel = { (int64_t)weight.dims[2], (int64_t)weight.dims[3] } };
    if ((status = read_window(im, node, &w)) != INK_OK)
        return status;
    if (w.kernel[0] != (int64_t)weight.dims[2] || w.kernel[1] != (int64_t)weight.dims[3])
        return ink__onnx_wrong(&im->file, node, "kernel_shape is not that of the weights");
    int64_t pad = 0, sides[2];
    for (size_t i = 0; i < 4; i++)
        pad = w.pads[i] > pad ? w.pads[i] : pad;
    for (size_t i = 0; i < 2; i++)
        sides[i] = (w.kernel[i] - 1) * w.dilations[i] + 1 + 2 * pad - w.pads[i] - w.pads[2 + i];
    const bool spread = sides[0] != w.kernel[0] || sides[1] != w.kernel[1];
    if ((spread && (sides[0] > MOST_SPREAD || sides[1] > MOST_SPREAD)) || pad >= sides[0] || pad >= sides[1])
        return ink__onnx_wrong(&im->file, node,
                               "pads and dilations need a window of %lld x %lld with a padding of %lld",
                               (long long)sides[0], (long long)sides[1], (long long)pad);
    const int64_t free[2] = { (int64_t)in.height + 2 * pad - sides[0], (int64_t)in.width + 2 * pad - sides[1] };
    if ((status = move_window(im, node, &w, free, weight.dims[0])) != INK_OK)
        return status;
    char stride[32] = "", padding[32] = "";
    if (w.strides[0] > 1)
        snprintf(stride, sizeof stride, " stride %lld", (long long)w.strides[0]);
    if (pad > 0)
        snprintf(padding, sizeof padding, " pad %lld", (long long)pad);
    struct ink__step *const step = ink__import_step(im, node, INK__CONV, "conv %zu %lldx%lld%s%s", weight.dims[0],
                                                    (long long)sides[0], (long long)sides[1], stride, padding);
    if (step == NULL)
        return INK_BAD_INPUT;
    step->weight = weight;
    step->kernel_height = (size_t)w.kernel[0];
    step->kernel_width = (size_t)w.kernel[1];
    step->top = (size_t)(pad - w.pads[0]);
    step->left = (size_t)(pad - w.pads[1]);
    step->row_step = (size_t)w.dilations[0];
    step->column_step = (size_t)w.dilations[1];
    step->alpha = step->beta = 1.0f;
    if (bias.count > 0 && (bias.rank != 1 || bias.count != weight.dims[0]))
        return wrong_shape(im, node, "bias", &bias, 1, weight.dims[0]);
    step->bias = bias;
    step->has_bias = bias.count > 0;
    return INK_OK;
}

/* ---- Pools ------------------------------------------------------------------------------------------------------- */

static enum ink_status add_global(struct ink__importer *im, const struct Ink__Onnx__Node *node, bool max)
{
    if (im->flow.flat || strlen(im->flow.order) != 3)
        return wrong_image(im, node);
    if (ink__import_step(im, node, max ? INK__MAX_POOL : INK__MEAN_POOL, "%s", max ? "globalpool" : "globalavg") ==
        NULL)
        return INK_BAD_INPUT;
    set_image(&im->flow, 1, 1, im->flow.shape.channels);
    return INK_OK;
}

static enum ink_status add_pool(struct ink__importer *im, const struct Ink__Onnx__Node *node, bool max)
{
    struct window w = { .kernel = { 0, 0 } };
    const struct ink_shape in = im->flow.shape;
    enum ink_status status = read_window(im, node, &w);
    if (status != INK_OK)
        return status;
    if (!is_image(im))
        return wrong_image(im, node);
    for (size_t i = 0; i < 4; i++)
        if (w.pads[i] != 0)
            return ink__onnx_wrong(&im->file, node, "a padding of %lld, expected none", (long long)w.pads[i]);
    if (w.dilations[0] != 1 || w.dilations[1] != 1)
        return ink__onnx_wrong(&im->file, node, "dilations, expected none");
    const int64_t free[2] = { (int64_t)in.height - w.kernel[0], (int64_t)in.width - w.kernel[1] };
    if (free[0] == 0 && free[1] == 0)
        return add_global(im, node, max);
    if (ink__onnx_attribute_number(node, "ceil_mode", 0) != 0 &&
        (free[0] % w.strides[0] != 0 || free[1] % w.strides[1] != 0))
        return ink__onnx_wrong(&im->file, node, "ceil_mode reaches beyond the image, expected 0");
    if ((status = move_window(im, node, &w, free, in.channels)) != INK_OK)
        return status;
    char window[48], stride[32] = "";
    snprintf(window, sizeof window, w.kernel[0] == w.kernel[1] ? "%lld" : "%lldx%lld", (long long)w.kernel[0],
             (long long)w.kernel[1]);
    if (w.strides[0] != w.kernel[0])
        snprintf(stride, sizeof stride, " stride %lld", (long long)w.strides[0]);
    const struct ink__step *const step = ink__import_step(im, node, max ? INK__MAX_POOL : INK__MEAN_POOL, "%s %s%s",
                                                          max ? "pool" : "avgpool", window, stride);
    return step != NULL ? INK_OK : INK_BAD_INPUT;
}

static enum ink_status import_max_pool(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    return add_pool(im, node, true);
}

static enum ink_status import_mean_pool(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    return add_pool(im, node, false);
}

static enum ink_status import_global(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    return is_image(im) ? add_global(im, node, strcmp(node->op_type, "GlobalMaxPool") == 0) : wrong_image(im, node);
}

/* ReduceMean and ReduceMax over height and width. */
static enum ink_status import_reduce(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    int64_t axes[2] = { 0, 0 };
    struct ink__onnx_constant named;
    const enum ink_status status = ink__import_constant(im, node, 1, INK__ONNX_INT64, &named);
    if (status != INK_OK)
        return status;
    bool fits = ink__onnx_attribute_numbers(node, "axes", 2, axes, -3, 3) && !im->flow.flat;
    for (size_t i = 0; i < 2 && named.count == 2; i++)
        axes[i] = ink__onnx_integer_at(&named, i);
    bool rows = false, columns = false;
    for (size_t i = 0; fits && i < 2; i++) {
        const int64_t place = axes[i] < 0 ? axes[i] + 3 : axes[i] - 1;
        const char letter = place >= 0 && place < (int64_t)strlen(im->flow.order) ? im->flow.order[place] : 0;
        rows |= letter == 'H';
        columns |= letter == 'W';
    }
    if (!rows || !columns)
        return ink__onnx_wrong(&im->file, node, "expected the axes of height and width");
    const bool flat = ink__onnx_attribute_number(node, "keepdims", 1) == 0;
    const enum ink_status added = add_global(im, node, strcmp(node->op_type, "ReduceMax") == 0);
    im->flow.flat |= added == INK_OK && flat;
    return added;
}

/* ---- Norm, dropout, activations ---------------------------------------------------------------------------------- */

static enum ink_status import_norm(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    const size_t channels = im->flow.shape.channels;
    struct ink__onnx_constant parts[4];
    for (size_t i = 0; i < 4; i++) {
        const enum ink_status status = ink__import_constant(im, node, 1 + i, INK__ONNX_FLOAT, &parts[i]);
        if (status != INK_OK)
            return status;
        if (parts[i].rank != 1 || parts[i].count != channels)
            return wrong_shape(im, node, "a parameter", &parts[i], 1, channels);
    }
    if (!is_image(im) && !(im->flow.flat && im->flow.shape.height * im->flow.shape.width == 1))
        return wrong_image(im, node);
    if (ink__onnx_attribute_number(node, "training_mode", 0) != 0 ||
        ink__onnx_attribute_number(node, "spatial", 1) != 1)
        return ink__onnx_wrong(&im->file, node,
                               "is in training mode or not by channel; export the model for inference");
    struct ink__step *const step = ink__import_step(im, node, INK__NORM, "norm");
    if (step == NULL)
        return INK_BAD_INPUT;
    memcpy(step->norm, parts, sizeof parts);
    step->epsilon = ink__onnx_attribute_float(node, "epsilon", 1e-5f);
    if (!(step->epsilon >= 0.0f && step->epsilon < 1.0f))
        return ink__onnx_wrong(&im->file, node, "epsilon is %g, expected 0 to 1", (double)step->epsilon);
    return INK_OK;
}

/* A fraction below 1 as the line of text takes it: the shortest that is read as that float, whatever the locale. */
static bool fraction(char text[24], float value)
{
    if (!(value >= 0.0f && value < 1.0f))
        return false;
    double power = 1.0, read = -1.0;
    for (int digits = 1; digits <= 15 && (float)read != value; digits++) {
        power *= 10.0;
        snprintf(text, 24, "0.%0*llu", digits, (unsigned long long)((double)value * power + 0.5));
        read = 0.0;
        double unit = 1.0;
        for (const char *at = text + 2; *at != 0; at++)
            read += (unit /= 10.0) * (*at - '0');
    }
    return (float)read < 1.0f;
}

static enum ink_status import_dropout(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    struct ink__onnx_constant given;
    char text[24];
    const enum ink_status status = ink__import_constant(im, node, 1, INK__ONNX_FLOAT, &given);
    if (status != INK_OK)
        return status;
    if (node->n_input > 2 && node->input[2][0] != '\0')
        return ink__onnx_wrong(&im->file, node, "may be in training mode; export the model for inference");
    const float rate = given.count > 0 ? ink__onnx_float_at(&given, 0) : ink__onnx_attribute_float(node, "ratio", 0.5f);
    if (!fraction(text, rate))
        return ink__onnx_wrong(&im->file, node, "ratio is %g, expected 0 to below 1", (double)rate);
    return ink__import_step(im, node, INK__DROPOUT, "dropout %s", text) != NULL ? INK_OK : INK_BAD_INPUT;
}

static enum ink_status import_leaky(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    char text[24];
    const float slope = ink__onnx_attribute_float(node, "alpha", 0.01f);
    if (!fraction(text, slope))
        return ink__onnx_wrong(&im->file, node, "alpha is %g, expected 0 to below 1", (double)slope);
    return ink__import_step(im, node, INK__MAP, "leaky %s", text) != NULL ? INK_OK : INK_BAD_INPUT;
}

static enum ink_status import_relu(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    return ink__import_step(im, node, INK__MAP, "relu") != NULL ? INK_OK : INK_BAD_INPUT;
}

static enum ink_status import_sigmoid(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    return ink__import_step(im, node, INK__MAP, "sigmoid") != NULL ? INK_OK : INK_BAD_INPUT;
}

static enum ink_status import_tanh(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    return ink__import_step(im, node, INK__MAP, "tanh") != NULL ? INK_OK : INK_BAD_INPUT;
}

static enum ink_status import_gelu(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    if (!ink__onnx_attribute_is(node, "approximate", "tanh"))
        return ink__onnx_wrong(&im->file, node, "the exact gelu, expected approximate 'tanh'");
    return ink__import_step(im, node, INK__MAP, "gelu") != NULL ? INK_OK : INK_BAD_INPUT;
}

/* ---- The end ----------------------------------------------------------------------------------------------------- */

/* Softmax and LogSoftmax are the head that every network of ours has. */
static enum ink_status import_softmax(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    size_t dims[3];
    const int64_t rank = (int64_t)ink__flow_dims(&im->flow, dims) + 1;
    const int64_t given = ink__onnx_attribute_number(node, "axis", im->file.opset < 13 ? 1 : -1);
    const int64_t axis = given < 0 ? given + rank : given;
    if (axis != (int64_t)ink__flow_channel(&im->flow) + 1)
        return ink__onnx_wrong(&im->file, node, "axis is %lld, expected that of the classes", (long long)given);
    im->finished = true;
    return INK_OK;
}

/* A Pad of nothing, which PyTorch writes before an average pool. */
static enum ink_status import_pad(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    struct ink__onnx_constant pads;
    int64_t old[8] = { 0 };
    const enum ink_status status = ink__import_constant(im, node, 1, INK__ONNX_INT64, &pads);
    bool nothing = ink__onnx_attribute_numbers(node, "pads", 8, old, 0, 0);
    for (size_t i = 0; status == INK_OK && i < pads.count; i++)
        nothing &= ink__onnx_integer_at(&pads, i) == 0;
    return status != INK_OK || nothing ? status : ink__onnx_wrong(&im->file, node, "pads, expected a padding of 0");
}

/* The same value by another name: an Identity, or a Cast to float. */
static enum ink_status import_same(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    if (ink__onnx_attribute_number(node, "to", INK__ONNX_FLOAT) != INK__ONNX_FLOAT)
        return ink__onnx_wrong(&im->file, node, "to is not FLOAT (1)");
    return INK_OK;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

static const struct {
    const char *op_type;
    ink__node_fn *import;
} operators[] = {
    { "Gemm", import_gemm },
    { "MatMul", import_matmul },
    { "Conv", import_conv },
    { "MaxPool", import_max_pool },
    { "AveragePool", import_mean_pool },
    { "GlobalMaxPool", import_global },
    { "GlobalAveragePool", import_global },
    { "ReduceMax", import_reduce },
    { "ReduceMean", import_reduce },
    { "BatchNormalization", import_norm },
    { "Dropout", import_dropout },
    { "Relu", import_relu },
    { "LeakyRelu", import_leaky },
    { "Sigmoid", import_sigmoid },
    { "Tanh", import_tanh },
    { "Gelu", import_gelu },
    { "Softmax", import_softmax },
    { "LogSoftmax", import_softmax },
    { "Flatten", ink__import_flatten },
    { "Reshape", ink__import_reshape },
    { "Squeeze", ink__import_squeeze },
    { "Unsqueeze", ink__import_unsqueeze },
    { "Transpose", ink__import_transpose },
    { "Pad", import_pad },
    { "Identity", import_same },
    { "Cast", import_same },
};

ink__node_fn *ink__import_operator(const char *op_type)
{
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (strcmp(operators[i].op_type, op_type) == 0)
            return operators[i].import;
    return NULL;
}
