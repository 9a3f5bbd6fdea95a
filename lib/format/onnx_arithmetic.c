/*
 * What is written out in additions and multiplications: a bias, the scaling of the input, activations.
 *
 * An exporter makes of gelu half a dozen nodes, each in a way of its own, so it is
 * recognised by what it computes, not by its form: nodes that work element by element on one value and on numbers are
 * carried out for a few samples, and compared with our activations.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "format/onnx_import.h"

#define MOST_NODES 24
#define TOLERANCE  1e-5

static const double samples[] = {
    -8.0, -3.5, -2.0, -1.25, -0.75, -0.3, -0.05, 0.0, 0.1, 0.5, 0.9, 1.5, 2.25, 4.0, 7.0
};
enum { SAMPLES = sizeof samples / sizeof samples[0] };

/* A value by name, at every sample. */
struct curve {
    const char *name;
    double y[SAMPLES];
};

/* ---- What operators do ------------------------------------------------------------------------------------------- */

static double add(double a, double b)
{
    return a + b;
}

static double subtract(double a, double b)
{
    return a - b;
}

static double multiply(double a, double b)
{
    return a * b;
}

static double divide(double a, double b)
{
    return a / b;
}

static double negate(double a)
{
    return -a;
}

static double reciprocal(double a)
{
    return 1.0 / a;
}

static double logistic(double a)
{
    return 1.0 / (1.0 + exp(-a));
}

static double rectify(double a)
{
    return a > 0.0 ? a : 0.0;
}

static double gelu(double a)
{
    return a * logistic(2.0 * sqrt(2.0 / 3.14159265358979323846) * (a + 0.044715 * a * a * a));
}

static double gelu_exact(double a)
{
    return 0.5 * a * (1.0 + erf(a / sqrt(2.0)));
}

static const struct {
    const char *op_type;
    double (*one)(double a);
    double (*two)(double a, double b);
} operators[] = {
    { "Add", NULL, add },  { "Sub", NULL, subtract }, { "Mul", NULL, multiply },     { "Div", NULL, divide },
    { "Pow", NULL, pow },  { "Max", NULL, fmax },     { "Min", NULL, fmin },         { "Neg", negate, NULL },
    { "Abs", fabs, NULL }, { "Sqrt", sqrt, NULL },    { "Exp", exp, NULL },          { "Tanh", tanh, NULL },
    { "Erf", erf, NULL },  { "Relu", rectify, NULL }, { "Sigmoid", logistic, NULL }, { "Reciprocal", reciprocal, NULL },
};

static const struct {
    enum ink__activation activation;
    double (*function)(double a);
} activations[] = {
    { INK__RELU, rectify }, { INK__SIGMOID, logistic },    { INK__TANH, tanh },
    { INK__GELU, gelu },    { INK__IDENTITY, gelu_exact },
};

/* ---- Carrying out ------------------------------------------------------------------------------------------------ */

/* The node's `i`-th input at every sample: a value that is known, or a single number. */
static bool read_input(const struct ink__onnx_file *file, const struct curve *curves, size_t count, const char *name,
                       double y[SAMPLES])
{
    struct ink__onnx_constant c;
    bool found;
    for (size_t i = 0; i < count; i++)
        if (strcmp(curves[i].name, name) == 0) {
            memcpy(y, curves[i].y, sizeof curves[i].y);
            return true;
        }
    const struct ink__onnx_file quiet = { .path = file->path, .graph = file->graph };
    if (ink__onnx_find(&quiet, name, &found, &c) != INK_OK || !found || c.count != 1 || c.type != INK__ONNX_FLOAT)
        return false;
    for (size_t s = 0; s < SAMPLES; s++)
        y[s] = (double)ink__onnx_float_at(&c, 0);
    return true;
}

/* Carries out a node; false if it is not of this kind. */
static bool carry_out(const struct ink__onnx_file *file, const struct Ink__Onnx__Node *node, struct curve *curves,
                      size_t *count)
{
    double a[SAMPLES], b[SAMPLES];
    for (size_t o = 0; o < sizeof operators / sizeof operators[0]; o++) {
        if (strcmp(node->op_type, operators[o].op_type) != 0)
            continue;
        if (node->n_input != (operators[o].two != NULL ? 2u : 1u) ||
            !read_input(file, curves, *count, node->input[0], a) ||
            (operators[o].two != NULL && !read_input(file, curves, *count, node->input[1], b)))
            return false;
        struct curve *const made = &curves[(*count)++];
        made->name = node->output[0];
        for (size_t s = 0; s < SAMPLES; s++)
            made->y[s] = operators[o].two != NULL ? operators[o].two(a[s], b[s]) : operators[o].one(a[s]);
        return true;
    }
    return false;
}

static bool matches(const struct curve *curve, double (*function)(double a))
{
    for (size_t s = 0; s < SAMPLES; s++)
        if (!(fabs(curve->y[s] - function(samples[s])) <= TOLERANCE))
            return false;
    return true;
}

/* Whether nodes from `first` on compute one of our activations of the value `x`. Returns the node whose output it is,
 * and which: INK__IDENTITY stands for the exact gelu, which is none of ours. The number of nodes if there is none. */
static size_t recognise(const struct ink__onnx_file *file, size_t first, const char *x,
                        enum ink__activation *activation)
{
    struct curve curves[MOST_NODES + 1] = { { .name = x } };
    const size_t end = file->graph->n_node;
    size_t count = 1;
    memcpy(curves[0].y, samples, sizeof samples);
    for (size_t i = first; i < end && count <= MOST_NODES; i++) {
        const struct Ink__Onnx__Node *const node = file->graph->node[i];
        if (strcmp(node->op_type, "Constant") == 0)
            continue;
        if (node->n_output != 1 || !carry_out(file, node, curves, &count))
            return end;
        for (size_t a = 0; a < sizeof activations / sizeof activations[0]; a++)
            if (matches(&curves[count - 1], activations[a].function)) {
                *activation = activations[a].activation;
                return i;
            }
    }
    return end;
}

static enum ink_status import_activation(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    static const char *const words[] = {
        [INK__RELU] = "relu", [INK__SIGMOID] = "sigmoid", [INK__TANH] = "tanh", [INK__GELU] = "gelu"
    };
    enum ink__activation activation;
    const size_t last = recognise(&im->file, im->next - 1, im->flow.name, &activation);
    if (last == im->file.graph->n_node)
        return ink__onnx_wrong(&im->file, node, "this operator is not supported here");
    if (activation == INK__IDENTITY)
        return ink__onnx_wrong(&im->file, node,
                               "begins the exact gelu, expected its tanh form (PyTorch: GELU("
                               "approximate='tanh'))");
    if (ink__import_step(im, node, INK__MAP, "%s", words[activation]) == NULL)
        return INK_BAD_INPUT;
    im->next = last + 1;
    return INK_OK;
}

/* ---- Constants by channel ---------------------------------------------------------------------------------------- */

bool ink__import_by_channel(const struct ink__flow *flow, const struct ink__onnx_constant *c, int64_t axis)
{
    size_t dims[3];
    const size_t rank = ink__flow_dims(flow, dims), place = ink__flow_channel(flow) + 1,
                 channels = flow->shape.channels;
    if (c->type != INK__ONNX_FLOAT || c->rank > rank + 1 || axis < 0 || axis > 3)
        return false;
    if (c->count == 1)
        return true;
    if (c->count != channels || (flow->flat && flow->shape.height * flow->shape.width != 1))
        return false;
    const size_t shift = axis > 0 ? (size_t)axis : rank + 1 - c->rank;
    for (size_t i = 0; i < c->rank; i++)
        if (c->dims[i] != (i + shift == place ? channels : 1))
            return false;
    return true;
}

float ink__import_at(const struct ink__onnx_constant *c, size_t channel)
{
    return ink__onnx_float_at(c, c->count == 1 ? 0 : channel);
}

/* Before the first layer: x' = (x - mean) / deviation takes in one more operation. */
static enum ink_status import_scaling(struct ink__importer *im, const struct Ink__Onnx__Node *node,
                                      const struct ink__onnx_constant *c, bool constant_first)
{
    const char op = node->op_type[0];
    if (constant_first && (op == 'S' || op == 'D'))
        return ink__onnx_wrong(&im->file, node, "takes what flows from a constant, or divides the constant by it");
    for (size_t i = 0; i < im->flow.shape.channels; i++) {
        const float value = ink__import_at(c, i);
        if (op == 'S' || op == 'A')
            im->mean[i] += (op == 'S' ? value : -value) * im->deviation[i];
        else
            im->deviation[i] = op == 'D' ? im->deviation[i] * value : im->deviation[i] / value;
        if (!isfinite(im->mean[i]) || !isfinite(im->deviation[i]) || im->deviation[i] < FLT_MIN)
            return ink__onnx_wrong(&im->file, node, "scales the input by what is no finite number above 0");
    }
    return INK_OK;
}

/* The layer that an addition right behind it may give its bias, or NULL. */
static struct ink__step *without_bias(const struct ink__importer *im)
{
    struct ink__step *const last = im->step_count > 0 ? &im->steps[im->step_count - 1] : NULL;
    const bool has_one = last == NULL || (last->kind != INK__DENSE && last->kind != INK__CONV) || last->has_bias;
    return has_one || im->steps[im->step_count].closes > 0 ? NULL : last;
}

enum ink_status ink__import_arithmetic(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    struct ink__onnx_constant c = { 0 };
    bool found = false;
    const bool second = node->n_input == 2 && strcmp(node->input[1], im->flow.name) == 0;
    const char *const other = node->n_input == 2 ? node->input[second ? 0 : 1] : NULL;
    const bool add = strcmp(node->op_type, "Add") == 0;
    if (other != NULL && strcmp(other, im->flow.name) != 0) {
        const enum ink_status status = ink__onnx_find(&im->file, other, &found, &c);
        if (status != INK_OK)
            return status;
        if (!found && add)
            return ink__import_residual(im, node, other);
    }
    const bool by_channel = found && ink__import_by_channel(&im->flow, &c, ink__onnx_attribute_number(node, "axis", 0));
    struct ink__step *const step = add && by_channel ? without_bias(im) : NULL;
    const bool scales = by_channel && im->step_count == 0 &&
                        (add || strcmp(node->op_type, "Sub") == 0 || strcmp(node->op_type, "Mul") == 0 ||
                         strcmp(node->op_type, "Div") == 0);
    if (step == NULL && !scales)
        return import_activation(im, node);
    im->flows[im->flow_count - 1].step = SIZE_MAX; /* what flowed until now is no value of our network */
    if (step == NULL)
        return import_scaling(im, node, &c, second);
    step->bias = c;
    step->has_bias = true;
    return INK_OK;
}
