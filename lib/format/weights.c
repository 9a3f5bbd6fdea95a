#include "format/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* ---- Names and shapes -------------------------------------------------------------------------------------------- */

/* What PyTorch calls a parameter, by its place in its layer. */
static const char *torch_part(const struct ink_net *net, const struct ink__parameter *p)
{
    static const char *const norm[] = {
        [INK__SCALE] = "weight", [INK__SHIFT] = "bias", [INK__MEAN] = "running_mean", [INK__VARIANCE] = "running_var"
    };
    static const char *const linear[] = { [INK__WEIGHT] = "weight", [INK__BIAS] = "bias" };
    const struct ink__layer *const l = &net->layers[p->layer];
    const size_t which = (size_t)(p - net->parameters) - l->parameter;
    return l->kind == INK__NORM ? norm[which] : linear[which];
}

static void list_torch(struct ink__weight *weight, const struct ink_net *net, const struct ink__parameter *p,
                       const char *module)
{
    snprintf(weight->name, sizeof weight->name, "%.100s.%s", module, torch_part(net, p));
    if (p->rank == 4)
        memcpy(weight->shape, (size_t[4]){ p->shape[3], p->shape[2], p->shape[0], p->shape[1] }, sizeof weight->shape);
    else if (p->rank == 2)
        memcpy(weight->shape, (size_t[4]){ p->shape[1], p->shape[0] }, sizeof weight->shape);
}

struct ink__weight *ink__weights_list(const struct ink_net *net, enum ink_layout layout, size_t *count)
{
    char(*const modules)[INK__WEIGHT_NAME] = ink__array(net->layer_count, sizeof *modules);
    struct ink__weight *list = ink__array(2 * net->parameter_count, sizeof *list);
    *count = 0;
    if (modules == NULL || list == NULL) {
        free(list);
        list = NULL;
        goto out;
    }
    ink__torch_modules(net, modules, NULL, 0);
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct ink__parameter *const p = &net->parameters[i];
        const char *const module = modules[p->layer];
        struct ink__weight *const weight = &list[(*count)++];
        *weight = (struct ink__weight){ .rank = p->rank, .parameter = p };
        memcpy(weight->shape, p->shape, sizeof weight->shape);
        snprintf(weight->name, sizeof weight->name, "%s", p->name);
        if (layout != INK_LAYOUT_TORCH)
            continue;
        list_torch(weight, net, p, module);
        if (!p->trained && i + 1 == net->layers[p->layer].parameter + INK__VARIANCE + 1)
            snprintf(list[(*count)++].name, sizeof list->name, "%.100s.num_batches_tracked", module);
    }
out:
    free(modules);
    return list;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

/* Where element (row, column) of a parameter lies in PyTorch's array: columns, its outputs, are the first dimension
 * there, and a row (h, w, c) of ours is (c, h, w). */
static size_t torch_place(const struct ink_net *net, const struct ink__parameter *p, size_t row, size_t column)
{
    const struct ink__layer *const l = &net->layers[p->layer];
    if (p->rank == 1)
        return column;
    const size_t channels = l->in.channels, positions = p->rows / channels;
    return column * p->rows + row % channels * positions + row / channels;
}

void ink__weight_read(const struct ink_net *net, const struct ink__parameter *p, enum ink_layout layout, float *array)
{
    if (layout != INK_LAYOUT_TORCH) {
        ink__parameter_read(p, net->weights, array);
        return;
    }
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < p->columns; c++)
            array[torch_place(net, p, r, c)] = net->weights[p->offset + r * p->ld + c];
}

void ink__weight_write(struct ink_net *net, const struct ink__parameter *p, enum ink_layout layout, const float *array)
{
    if (layout != INK_LAYOUT_TORCH) {
        ink__parameter_write(p, array, net->weights);
        return;
    }
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < p->columns; c++)
            net->weights[p->offset + r * p->ld + c] = array[torch_place(net, p, r, c)];
}
