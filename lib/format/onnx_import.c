/* An ONNX graph becomes a network: the walk, the line of text, the weights. */
#include "format/onnx_import.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/import.h"
#include "format/texts.h"
#include "nn/plan.h"

#define PRODUCER "inkling"

/* ---- Parts ------------------------------------------------------------------------------------------------------- */

struct ink__step *ink__import_step(struct ink__importer *im, const struct Ink__Onnx__Node *node, enum ink__kind kind,
                                   const char *format, ...)
{
    if (im->step_count == INK__ONNX_MOST_STEPS) {
        ink__onnx_wrong(&im->file, node, "more than %d layers", INK__ONNX_MOST_STEPS);
        return NULL;
    }
    struct ink__step *const step = &im->steps[im->step_count++];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(step->text, sizeof step->text, format, arguments);
    va_end(arguments);
    step->kind = kind;
    return step;
}

enum ink_status ink__import_constant(const struct ink__importer *im, const struct Ink__Onnx__Node *node, size_t i,
                                     enum ink__onnx_element type, struct ink__onnx_constant *constant)
{
    bool found;
    *constant = (struct ink__onnx_constant){ .type = type };
    if (i >= node->n_input || node->input[i][0] == '\0')
        return INK_OK;
    const enum ink_status status = ink__onnx_find(&im->file, node->input[i], &found, constant);
    if (status != INK_OK)
        return status;
    if (!found)
        return ink__onnx_wrong(&im->file, node, "input '%.100s' is no constant", node->input[i]);
    if (constant->type != type)
        return ink__onnx_wrong(&im->file, node, "input '%.100s' is of type %d, expected %d", node->input[i],
                               constant->type, type);
    return INK_OK;
}

/* ---- The walk ---------------------------------------------------------------------------------------------------- */

/* Groups lie inside each other or apart: one that begins at `flow` must not begin within another, nor before the end of
 * one that ends in the same place. */
static bool may_begin(const struct ink__importer *im, const struct ink__flow *flow)
{
    if (flow->step >= im->step_count)
        return false;
    for (size_t g = 0; g < im->group_count; g++)
        if ((im->group_begins[g] < flow->step && flow->step < im->group_ends[g]) ||
            (im->group_ends[g] == flow->step && g >= flow->groups))
            return false;
    return true;
}

enum ink_status ink__import_residual(struct ink__importer *im, const struct Ink__Onnx__Node *node, const char *other)
{
    const struct ink__flow *const now = &im->flow;
    const struct ink__flow *then = NULL;
    for (size_t i = im->flow_count; i-- > 0 && then == NULL;)
        if (strcmp(im->flows[i].name, other) == 0)
            then = &im->flows[i];
    if (then == NULL || !may_begin(im, then))
        return ink__onnx_wrong(&im->file, node,
                               "adds '%.100s', expected a value from which everything since then was made in a row",
                               other);
    if (memcmp(&then->shape, &now->shape, sizeof now->shape) != 0 || then->flat != now->flat ||
        strcmp(then->order, now->order) != 0)
        return ink__onnx_wrong(&im->file, node, "adds '%.100s', which has another shape", other);
    im->steps[then->step].opens++;
    im->steps[im->step_count].closes++;
    im->group_begins[im->group_count] = then->step;
    im->group_ends[im->group_count++] = im->step_count;
    return INK_OK;
}

static enum ink_status walk_node(struct ink__importer *im, const struct Ink__Onnx__Node *node)
{
    const char *const flows = im->flow.name;
    bool done = false;
    if (node->n_output == 0 || (node->domain[0] != '\0' && strcmp(node->domain, "ai.onnx") != 0))
        return ink__onnx_wrong(&im->file, node, "of domain '%.40s': this operator is not supported", node->domain);
    if (strcmp(node->op_type, "Constant") == 0)
        return INK_OK;
    enum ink_status status = ink__import_numbers(im, node, &done);
    if (status != INK_OK || done)
        return status;
    ink__node_fn *const import = ink__import_operator(node->op_type);
    const bool reads_first = node->n_input > 0 && strcmp(node->input[0], flows) == 0;
    const bool reads = reads_first || (import == NULL && node->n_input == 2 && strcmp(node->input[1], flows) == 0);
    if (!reads && (strcmp(node->op_type, "Identity") == 0 || strcmp(node->op_type, "Transpose") == 0))
        return INK_OK; /* of a constant: who reads it finds that */
    if (!reads)
        return ink__onnx_wrong(&im->file, node,
                               "reads '%.100s', expected '%.100s': only networks in a row with residual additions are "
                               "supported",
                               node->n_input > 0 ? node->input[0] : "", flows);
    if (im->finished && strcmp(node->op_type, "Identity") != 0)
        return ink__onnx_wrong(&im->file, node, "follows a Softmax, expected nothing behind it");
    status = import != NULL ? import(im, node) : ink__import_arithmetic(im, node);
    if (status != INK_OK)
        return status;
    im->flow.name = im->file.graph->node[im->next - 1]->output[0];
    im->flow.step = im->step_count;
    im->flow.groups = im->group_count;
    im->flows[im->flow_count++] = im->flow;
    return INK_OK;
}

static enum ink_status walk(struct ink__importer *im)
{
    const struct Ink__Onnx__Graph *const graph = im->file.graph;
    const char *const output = graph->output[0]->name;
    im->flows[im->flow_count++] = im->flow;
    while (im->next < graph->n_node && strcmp(im->flow.name, output) != 0) {
        const struct Ink__Onnx__Node *const node = graph->node[im->next++];
        const enum ink_status status = walk_node(im, node);
        if (status != INK_OK)
            return status;
    }
    if (strcmp(im->flow.name, output) != 0 || im->step_count == 0)
        return ink__fail(im->file.err, INK_BAD_INPUT, "%s: output '%.100s' is not made of the input by layers",
                         im->file.path, output);
    return INK_OK;
}

/* ---- The line of text -------------------------------------------------------------------------------------------- */

static bool has_weights(enum ink__kind kind)
{
    return kind == INK__DENSE || kind == INK__CONV || kind == INK__NORM;
}

/* The line, for free(); NULL if memory runs out. An activation joins the layer before it. */
static char *make_line(const struct ink__importer *im)
{
    const size_t room = im->step_count * (sizeof im->steps[0].text + 8) + im->group_count * 16 + 1;
    char *const line = ink__array(room, 1);
    size_t used = 0;
    for (size_t i = 0; line != NULL && i <= im->step_count; i++) {
        const struct ink__step *const step = &im->steps[i];
        for (size_t k = 0; k < step->closes; k++)
            used += (size_t)snprintf(line + used, room - used, " ]");
        if (i == im->step_count)
            break;
        const bool joins = i > 0 && step->kind == INK__MAP && has_weights(im->steps[i - 1].kind) && step->opens == 0 &&
                           step->closes == 0;
        used += (size_t)snprintf(line + used, room - used, "%s", i == 0 ? "" : joins ? " " : ", ");
        for (size_t k = 0; k < step->opens; k++)
            used += (size_t)snprintf(line + used, room - used, "res [ ");
        used += (size_t)snprintf(line + used, room - used, "%s", step->text);
    }
    return line;
}

/* The texts of a file of our own; none for others, which may use the same keys in another way. */
static struct ink__texts own_texts(const struct Ink__Onnx__Model *model, struct ink__text *pairs)
{
    struct ink__texts texts = { .pairs = pairs };
    if (strcmp(model->producer_name, PRODUCER) == 0)
        for (; texts.count < model->n_metadata_props; texts.count++) {
            const struct Ink__Onnx__Pair *const pair = model->metadata_props[texts.count];
            pairs[texts.count] = (struct ink__text){ pair->key, pair->value };
        }
    return texts;
}

static bool same_layers(const struct ink_net *a, const struct ink_net *b)
{
    bool same = a->layer_count == b->layer_count;
    for (size_t i = 0; same && i < a->layer_count; i++) {
        const struct ink__layer *const x = &a->layers[i], *const y = &b->layers[i];
        same = x->kind == y->kind && memcmp(&x->out, &y->out, sizeof x->out) == 0 &&
               x->kernel_height == y->kernel_height && x->kernel_width == y->kernel_width && x->stride == y->stride &&
               x->pad == y->pad && x->rate == y->rate && x->activation == y->activation && x->slope == y->slope &&
               x->partner == y->partner;
    }
    return same;
}

/* Makes the network, without weights yet. A file of our own knows how its line was written, and the loss: that line is
 * taken if it is the same network. */
static enum ink_status make_net(struct ink__importer *im, const struct ink__texts *texts, struct ink_net **out)
{
    struct ink_error inner;
    struct ink_net *known = NULL;
    const struct ink_shape input = im->flows[0].shape;
    const char *const spec = ink__texts_find(texts, INK__TEXT_SPEC);
    char *const line = make_line(im);
    if (line == NULL)
        return ink__fail_memory(im->file.err);
    enum ink_status status = ink__net_make(out, input, line, &inner);
    if (status != INK_OK)
        status = ink__fail(im->file.err, status == INK_BAD_ARGUMENT ? INK_BAD_INPUT : status, "%s: as '%.200s': %s",
                           im->file.path, line, inner.message);
    free(line);
    if (status == INK_OK && spec != NULL && ink__net_make(&known, input, spec, NULL) == INK_OK &&
        same_layers(known, *out)) {
        ink_net_free(*out);
        *out = known;
        known = NULL;
    }
    ink_net_free(known);
    return status;
}

/* ---- The weights ------------------------------------------------------------------------------------------------- */

static float *row_of(const struct ink_net *net, const struct ink__parameter *p, size_t row)
{
    return net->weights + p->offset + row * p->ld;
}

/* Rows in the order of our images, the file's in the order of what it flattened. */
static void fill_dense(const struct ink_net *net, const struct ink__layer *l, const struct ink__step *step)
{
    const struct ink__parameter *const p = &net->parameters[l->parameter];
    const struct ink_shape in = step->in.shape;
    for (size_t row = 0; row < p->rows; row++) {
        const size_t c = row % in.channels, w = row / in.channels % in.width, h = row / in.channels / in.width;
        const size_t place = ink__flow_index(&step->in, h, w, c);
        float *const to = row_of(net, p, row);
        for (size_t o = 0; o < p->columns; o++)
            to[o] = step->alpha *
                    ink__onnx_float_at(&step->weight, step->transposed ? o * p->rows + place : place * p->columns + o);
    }
}

/* The file's (N, C, K, K) into our (K, K, C, N), whose window may be larger. */
static void fill_conv(const struct ink_net *net, const struct ink__layer *l, const struct ink__step *step)
{
    const struct ink__parameter *const p = &net->parameters[l->parameter];
    const size_t channels = l->in.channels;
    size_t from = 0;
    for (size_t n = 0; n < p->columns; n++)
        for (size_t c = 0; c < channels; c++)
            for (size_t h = 0; h < step->kernel_height; h++)
                for (size_t w = 0; w < step->kernel_width; w++) {
                    const size_t place =
                        (step->top + h * step->row_step) * l->kernel_width + step->left + w * step->column_step;
                    row_of(net, p, place * channels + c)[n] = ink__onnx_float_at(&step->weight, from++);
                }
}

static void fill_bias(const struct ink_net *net, const struct ink__layer *l, const struct ink__step *step)
{
    float *const to = row_of(net, &net->parameters[l->parameter + INK__BIAS], 0);
    for (size_t c = 0; c < l->out.channels; c++)
        to[c] = step->has_bias ? step->beta * ink__import_at(&step->bias, c) : 0.0f;
}

/* Ours adds INK__NORM_EPSILON to a variance, whatever the file adds. A layer before it has no bias with us; if it had
 * one, `before`, the mean takes that in. */
static void fill_norm(const struct ink_net *net, const struct ink__layer *l, const struct ink__step *step,
                      const struct ink__step *before)
{
    for (size_t c = 0; c < l->out.channels; c++) {
        float values[4];
        for (size_t i = 0; i < 4; i++)
            values[i] = ink__onnx_float_at(&step->norm[i], c);
        if (before != NULL && before->has_bias)
            values[INK__MEAN] -= before->beta * ink__import_at(&before->bias, c);
        if (step->epsilon != (float)INK__NORM_EPSILON) {
            const double sum = (double)values[INK__VARIANCE] + (double)step->epsilon;
            const double variance = fmax(sum - INK__NORM_EPSILON, 0.0);
            values[INK__SCALE] = (float)(values[INK__SCALE] * sqrt((variance + INK__NORM_EPSILON) / sum));
            values[INK__VARIANCE] = (float)variance;
        }
        for (size_t i = 0; i < 4; i++)
            row_of(net, &net->parameters[l->parameter + i], 0)[c] = values[i];
    }
}

/* The steps with weights and the layers with weights are the same row. */
static enum ink_status fill(const struct ink__importer *im, struct ink_net *net)
{
    const struct ink__step *step = im->steps, *without_bias = NULL;
    for (size_t i = 0; i < net->layer_count; i++) {
        const struct ink__layer *const l = &net->layers[i];
        if (!has_weights(l->kind))
            continue;
        while (step->kind != l->kind)
            step++;
        if (l->kind == INK__NORM)
            fill_norm(net, l, step, without_bias);
        else if (l->kind == INK__DENSE)
            fill_dense(net, l, step);
        else
            fill_conv(net, l, step);
        if (l->bias)
            fill_bias(net, l, step);
        without_bias = l->kind != INK__NORM && !l->bias ? step : NULL;
        step++;
    }
    memcpy(net->mean, im->mean, sizeof net->mean);
    memcpy(net->deviation, im->deviation, sizeof net->deviation);
    return ink__net_check(net, im->file.path, im->file.err);
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

static enum ink_status allocate(struct ink__importer *im)
{
    const size_t nodes = im->file.graph->n_node;
    im->flows = ink__array(nodes + 1, sizeof *im->flows);
    im->numbers = ink__array(nodes + 1, sizeof *im->numbers);
    im->steps = ink__array(INK__ONNX_MOST_STEPS + 1, sizeof *im->steps);
    im->group_begins = ink__array(nodes + 1, sizeof *im->group_begins);
    im->group_ends = ink__array(nodes + 1, sizeof *im->group_ends);
    const bool all = im->flows != NULL && im->numbers != NULL && im->steps != NULL && im->group_begins != NULL &&
                     im->group_ends != NULL;
    return all ? INK_OK : ink__fail_memory(im->file.err);
}

enum ink_status ink__import_onnx(struct ink_net **out, const char *path, const struct ink_import_options *options,
                                 struct ink_error *err)
{
    struct ink__importer im = { .input = options->input };
    struct ink_net *net = NULL;
    struct ink__text *pairs = NULL;
    memcpy(im.mean, options->mean, sizeof im.mean);
    memcpy(im.deviation, options->deviation, sizeof im.deviation);
    *out = NULL;
    enum ink_status status = ink__onnx_open(&im.file, path, err);
    if (status == INK_OK)
        status = allocate(&im);
    if (status == INK_OK)
        status = ink__import_input(&im);
    if (status == INK_OK)
        status = walk(&im);
    if (status != INK_OK)
        goto out;
    pairs = ink__array(im.file.model->n_metadata_props, sizeof *pairs);
    if (pairs == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    const struct ink__texts texts = own_texts(im.file.model, pairs);
    status = make_net(&im, &texts, &net);
    if (status == INK_OK)
        status = ink__texts_name(net, &texts, path, err);
    if (status == INK_OK)
        status = ink__net_allocate(net, err);
    if (status == INK_OK)
        status = fill(&im, net);
out:
    free(pairs);
    free(im.flows);
    free(im.numbers);
    free(im.steps);
    free(im.group_begins);
    free(im.group_ends);
    ink__onnx_close(&im.file);
    if (status == INK_OK)
        *out = net;
    else
        ink_net_free(net);
    return status;
}
