/* Making a plan: what is kept and for how long, the arena, folding, packing. */
#include "nn/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* Below this share of non-zero bytes the sparse first layer is faster than the dense one: it leaves out the pixels that
 * are zero in a whole group of images, the dense one has larger tiles. By epochs of MNIST (19%) and Fashion-MNIST
 * (50%), 50 and 256 outputs, one thread and two, they break even at 43 to 49%; 50 outputs with AVX-512 at 61 and 71%.
 */
#define SPARSE_BELOW 0.45
#define MOST_THREADS ((size_t)256)

int32_t *ink__table(struct ink__plan *plan, size_t count)
{
    return ink__arena_take(&plan->arena, count, sizeof(int32_t));
}

void ink__table_fill(int32_t *table, size_t count, size_t step)
{
    for (size_t i = 0; i < count; i++)
        table[i] = (int32_t)(i * step);
}

/* ---- Layers ------------------------------------------------------------------------------------------------------ */

static const struct ink__layer_type *type_of(const struct ink__layer *layer)
{
    return ink__layer_types[layer->kind];
}

static bool has_weights(const struct ink__layer *layer)
{
    return layer->kind == INK__DENSE || layer->kind == INK__CONV;
}

/* A norm right behind a layer with weights, which has no activation: in inference it is one affine map with that layer.
 */
static bool folds(const struct ink__plan *plan, size_t i)
{
    return !plan->training && plan->layers[i].kind == INK__NORM && i > 0 && has_weights(&plan->layers[i - 1]) &&
           plan->layers[i - 1].activation == INK__IDENTITY;
}

static void prepare_layers(struct ink__plan *plan)
{
    bool learns = false; /* a layer before this one */
    for (size_t i = 0; i < plan->layer_count; i++) {
        struct ink__layer *layer = &plan->layers[i];
        struct ink__work *work = &plan->work[i];
        work->layer = layer;
        work->need_dx = learns && plan->training;
        learns = learns || has_weights(layer) || layer->kind == INK__NORM;
        if (folds(plan, i)) {
            work->skip = true;
            plan->layers[i - 1].activation = layer->activation;
            plan->layers[i - 1].slope = layer->slope;
        }
        if (!plan->training && (layer->kind == INK__DROPOUT || layer->kind == INK__OPEN))
            work->skip = true;
    }
}

/* Segments of a training step begin with a norm: its sums need the whole batch. */
static void cut_segments(struct ink__plan *plan)
{
    plan->segment[plan->segments++] = 0;
    for (size_t i = 0; i < plan->layer_count; i++)
        if (plan->training && plan->layers[i].kind == INK__NORM)
            plan->segment[plan->segments++] = i;
    plan->segment[plan->segments] = plan->layer_count;
}

/* Values and their gradients outlive the chunk where a later phase reads them: in another segment, or for a dense
 * gradient. */
static void decide_kept(struct ink__plan *plan)
{
    plan->value[0].size = ink__elements(plan->net->input);
    for (size_t i = 0; i < plan->layer_count; i++) {
        const bool dense = plan->training && plan->layers[i].kind == INK__DENSE;
        plan->value[i + 1].size = plan->slope[i + 1].size = ink__elements(plan->layers[i].out);
        plan->slope[i].size = plan->value[i].size;
        plan->value[i].kept |= dense || plan->segments > 1;
        plan->slope[i + 1].kept |= dense || plan->segments > 1;
    }
    plan->value[1].kept |= plan->training && plan->sparse_input;
}

/* A power of two, so that bands are whole parts of the learning job, and at most the threads, which wait for each other
 * (ink__await). */
static size_t bands_for(const struct ink__plan *plan)
{
    size_t bands = 1;
    while (2 * bands <= plan->threads && 2 * bands <= INK__GROUPS)
        bands *= 2;
    return bands;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static void take_tensor(struct ink__plan *plan, struct ink__tensor *tensor)
{
    size_t rows = tensor->kept ? plan->batch : plan->threads * INK__CHUNK;
    if (!ink__multiply(&rows, rows, tensor->size))
        plan->arena.overflow = true;
    tensor->data = ink__arena_take(&plan->arena, rows, sizeof *tensor->data);
}

static void take_values(struct ink__plan *plan)
{
    for (size_t i = 0; i <= plan->layer_count; i++) {
        if (i > 0 && plan->work[i - 1].skip)
            plan->value[i].data = plan->value[i - 1].data;
        else if (i > 0 || !plan->sparse_input)
            take_tensor(plan, &plan->value[i]);
        if (plan->training && i > 0)
            take_tensor(plan, &plan->slope[i]);
    }
}

static void take_lists(struct ink__plan *plan, struct ink__sparse *x, struct ink__range inputs)
{
    const size_t groups = (plan->batch + INK__SPARSE_ROWS - 1) / INK__SPARSE_ROWS;
    x->columns = inputs.end - inputs.begin;
    x->stride = x->columns + 16;
    x->blocks = (x->columns + INK__SPARSE_BLOCK - 1) / INK__SPARSE_BLOCK;
    x->index = ink__arena_take(&plan->arena, groups * x->stride, sizeof *x->index);
    x->value = ink__arena_take(&plan->arena, INK__SPARSE_ROWS * groups * x->stride, sizeof *x->value);
    x->block = ink__arena_take(&plan->arena, groups * (x->blocks + 1), sizeof *x->block);
}

static void take_sparse_layer(struct ink__plan *plan)
{
    plan->bands_done = ink__arena_take(&plan->arena, ink__chunks(plan->batch), sizeof *plan->bands_done);
    for (size_t b = 0; b < plan->bands; b++)
        take_lists(plan, &plan->sparse[b], ink__band(plan, b));
}

static void take(struct ink__plan *plan)
{
    const struct ink_net *net = plan->net;
    const size_t threads = plan->threads;
    plan->unit = ink__table(plan, plan->unit_count);
    plan->turned = ink__arena_take(&plan->arena, threads, sizeof *plan->turned);
    plan->log_sum = ink__arena_take(&plan->arena, threads * INK__CHUNK, sizeof *plan->log_sum);
    plan->target = ink__arena_take(&plan->arena, threads * ink__ld(net->classes), sizeof *plan->target);
    plan->weights =
        plan->training ? net->weights : ink__arena_take(&plan->arena, net->weight_count, sizeof *plan->weights);
    if (plan->training)
        plan->gradient = ink__arena_take(&plan->arena, net->weight_count, sizeof *plan->gradient);
    if (plan->sparse_input)
        take_sparse_layer(plan);
    take_values(plan);
    for (size_t i = 0; i < plan->layer_count; i++) {
        struct ink__work *work = &plan->work[i];
        const struct ink__layer *layer = &plan->layers[i];
        if (has_weights(layer)) {
            const struct ink__parameter *p = &net->parameters[layer->parameter];
            work->ld = p->ld;
            work->weight = plan->weights == NULL ? NULL : plan->weights + p->offset;
            work->d_weight = plan->gradient == NULL ? NULL : plan->gradient + p->offset;
            if (plan->training && layer->bias) {
                work->bias = plan->weights + p[INK__BIAS].offset;
                work->d_bias = plan->gradient == NULL ? NULL : plan->gradient + p[INK__BIAS].offset;
            } else {
                work->bias = ink__arena_take(&plan->arena, p->columns, sizeof *work->bias);
            }
        }
        if (type_of(layer)->take != NULL && !work->skip)
            type_of(layer)->take(work, plan);
    }
}

static void fill(struct ink__plan *plan)
{
    ink__table_fill(plan->unit, plan->unit_count, 1);
    for (size_t c = 0; c < 4; c++)
        plan->input_scale[c] = 1.0f / plan->net->deviation[c];
    for (size_t i = 0; i < plan->layer_count; i++)
        if (type_of(&plan->layers[i])->fill != NULL && !plan->work[i].skip)
            type_of(&plan->layers[i])->fill(&plan->work[i], plan);
}

/* ---- Weights ----------------------------------------------------------------------------------------------------- */

/* Multiplies the norm behind layer i into its weights and bias. */
static void fold_norm(struct ink__plan *plan, size_t i)
{
    const struct ink__parameter *p = &plan->net->parameters[plan->layers[i].parameter];
    const struct ink__parameter *norm = &plan->net->parameters[plan->layers[i + 1].parameter];
    const float *scale = plan->weights + norm[INK__SCALE].offset, *shift = plan->weights + norm[INK__SHIFT].offset;
    const float *mean = plan->weights + norm[INK__MEAN].offset, *variance = plan->weights + norm[INK__VARIANCE].offset;
    struct ink__work *work = &plan->work[i];
    for (size_t c = 0; c < p->columns; c++) {
        const double factor = scale[c] / sqrt(variance[c] + INK__NORM_EPSILON);
        for (size_t r = 0; r < p->rows; r++)
            work->weight[r * p->ld + c] = (float)(work->weight[r * p->ld + c] * factor);
        work->bias[c] = (float)(shift[c] + (work->bias[c] - mean[c]) * factor);
    }
}

/* Part `part` of `parts` of a matrix's rows, in blocks: the sparse first layer finds whole ones quickly, and packing
 * writes whole lines. */
static struct ink__range blocks_part(size_t part, size_t parts, size_t rows)
{
    const struct ink__range blocks = ink__part(part, parts, (rows + INK__SPARSE_BLOCK - 1) / INK__SPARSE_BLOCK);
    const size_t end = blocks.end * INK__SPARSE_BLOCK;
    return (struct ink__range){ blocks.begin * INK__SPARSE_BLOCK, end < rows ? end : rows };
}

struct ink__range ink__rows_part(const struct ink__parameter *p, size_t part)
{
    if (p->rank < 2)
        return (struct ink__range){ 0, ink__vectors_part(p->layer) == part ? 1 : 0 };
    return blocks_part(part, INK__GROUPS, p->rows);
}

struct ink__range ink__band(const struct ink__plan *plan, size_t band)
{
    return blocks_part(band, plan->bands, ink__elements(plan->net->input));
}

void ink__plan_load(struct ink__plan *plan, const float *weights)
{
    const struct ink_net *net = plan->net;
    if (!plan->training) {
        memcpy(plan->weights, weights, net->weight_count * sizeof *weights);
        for (size_t i = 0; i < plan->layer_count; i++) {
            const struct ink__layer *layer = &plan->layers[i];
            if (!has_weights(layer))
                continue;
            const struct ink__parameter *p = &net->parameters[layer->parameter];
            for (size_t c = 0; c < p->columns; c++)
                plan->work[i].bias[c] = layer->bias ? plan->weights[p[INK__BIAS].offset + c] : 0.0f;
            if (i + 1 < plan->layer_count && plan->work[i + 1].skip && plan->layers[i + 1].kind == INK__NORM)
                fold_norm(plan, i);
        }
    }
    for (size_t i = 0; i < plan->layer_count; i++) {
        const struct ink__layer *layer = &plan->layers[i];
        const size_t rows = has_weights(layer) ? net->parameters[layer->parameter].rows : 0;
        if (type_of(layer)->pack != NULL && !plan->work[i].skip)
            type_of(layer)->pack(&plan->work[i], plan, (struct ink__range){ 0, rows }, true);
    }
}

/* ---- Making and freeing ------------------------------------------------------------------------------------------ */

static bool allocate(struct ink__plan *plan)
{
    const size_t count = plan->layer_count;
    plan->layers = ink__array(count, sizeof *plan->layers);
    plan->work = ink__array(count, sizeof *plan->work);
    plan->value = ink__array(count + 1, sizeof *plan->value);
    plan->slope = ink__array(count + 1, sizeof *plan->slope);
    plan->segment = ink__array(count + 2, sizeof *plan->segment);
    if (plan->layers == NULL || plan->work == NULL || plan->value == NULL || plan->slope == NULL ||
        plan->segment == NULL)
        return false;
    memcpy(plan->layers, plan->net->layers, count * sizeof *plan->layers);
    for (size_t i = 0; i < count; i++)
        if (type_of(&plan->layers[i])->make != NULL && !type_of(&plan->layers[i])->make(&plan->work[i]))
            return false;
    return true;
}

enum ink_status ink__plan_new(struct ink__plan **out, const struct ink_net *net, size_t batch, bool training,
                              double density, const struct ink_compute *compute, struct ink_error *err)
{
    static const struct ink_compute defaults;
    enum ink_status status = INK_OK;
    *out = NULL;
    if (compute == NULL)
        compute = &defaults;
    if (training && net->int8 != NULL)
        return ink__fail(err, INK_BAD_ARGUMENT, "network: quantised, which cannot be trained");
    struct ink__plan *plan = ink__array(1, sizeof *plan);
    if (plan == NULL)
        return ink__fail_memory(err);

    plan->kernels = ink__kernels_find(compute->kernels);
    if (plan->kernels == NULL) {
        status = ink__fail(err, INK_BAD_ARGUMENT, "kernels '%s': this machine has portable to %s", compute->kernels,
                           ink_kernels_best());
        goto fail;
    }
    plan->net = net;
    plan->layer_count = net->layer_count;
    plan->batch = batch;
    plan->training = training;
    plan->threads = compute->threads > 0 ? compute->threads : ink_usable_cpus();
    if (plan->threads > MOST_THREADS)
        plan->threads = MOST_THREADS;
    if (training && plan->threads > INK__GROUPS)
        plan->threads = INK__GROUPS;
    if (net->int8 != NULL) {
        status = ink__int8_plan_new(&plan->int8, net, plan->threads, plan->kernels, err);
        if (status != INK_OK)
            goto fail;
        *out = plan;
        return INK_OK;
    }
    if (!allocate(plan)) {
        status = ink__fail_memory(err);
        goto fail;
    }
    prepare_layers(plan);
    cut_segments(plan);
    plan->sparse_input = plan->layers[0].kind == INK__DENSE && net->input.channels == 1 && net->mean[0] == 0.0f &&
                         ink__elements(net->input) <= UINT16_MAX && density < SPARSE_BELOW;
    plan->bands = plan->sparse_input && training ? bands_for(plan) : 1;
    decide_kept(plan);
    plan->unit_count = batch > INK__CHUNK ? batch : INK__CHUNK;
    for (size_t i = 0; i <= plan->layer_count; i++)
        if (plan->value[i].size > plan->unit_count)
            plan->unit_count = plan->value[i].size;

    /* Offsets within one batch must fit the kernels' 32-bit tables. */
    for (size_t i = 0; i <= plan->layer_count; i++) {
        size_t floats;
        if (!ink__multiply(&floats, plan->value[i].size, batch) || floats > INT32_MAX)
            plan->arena.overflow = true;
    }
    if (!plan->arena.overflow)
        take(plan);
    if (!ink__arena_make(&plan->arena)) {
        status = plan->arena.overflow
                     ? ink__fail(err, INK_BAD_ARGUMENT, "a batch of %zu is too large for this network", batch)
                     : ink__fail_memory(err);
        goto fail;
    }
    take(plan);
    fill(plan);
    ink__plan_load(plan, net->weights);
    *out = plan;
    return INK_OK;
fail:
    ink__plan_free(plan);
    return status;
}

void ink__plan_free(struct ink__plan *plan)
{
    if (plan == NULL)
        return;
    ink__int8_plan_free(plan->int8);
    for (size_t i = 0; plan->work != NULL && i < plan->layer_count; i++) {
        free(plan->work[i].conv);
        free(plan->work[i].norm);
    }
    ink__arena_free(&plan->arena);
    free(plan->layers);
    free(plan->work);
    free(plan->value);
    free(plan->slope);
    free(plan->segment);
    free(plan);
}
