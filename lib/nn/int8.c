/* What a quantised network consists of. */
#include "nn/int8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define MOST_TENSORS_OF_LAYER 5
#define TENSORS_OF_NET        3

/* ---- Joining layers ---------------------------------------------------------------------------------------------- */

static bool has_matrix(const struct ink__layer *layer)
{
    return layer->kind == INK__DENSE || layer->kind == INK__CONV;
}

static bool has_sum(const struct ink__layer *layer)
{
    return has_matrix(layer) || layer->kind == INK__NORM || layer->kind == INK__MEAN_POOL || layer->kind == INK__CLOSE;
}

/* The layer to which an activation at i can be joined: the sum it follows. What goes into a residual group is wanted as
 * it is, so the way back ends there; the largest of some values is the same before relu and after. i if there is none. */
static size_t sum_before(const struct ink__int8 *q, size_t i)
{
    const bool relu = q->layers[i].layer.activation == INK__RELU;
    for (size_t p = i; p-- > 0;) {
        const struct ink__int8_layer *before = &q->layers[p];
        if (has_sum(&before->layer) && !before->skip)
            return before->layer.activation == INK__IDENTITY ? p : i;
        if (before->layer.kind == INK__OPEN || (!before->skip && !(relu && before->layer.kind == INK__MAX_POOL)))
            return i;
    }
    return i;
}

static void join(struct ink__int8 *q, size_t i)
{
    struct ink__int8_layer *l = &q->layers[i], *before = i > 0 ? &q->layers[i - 1] : NULL;
    size_t to = i;
    l->skip = l->layer.kind == INK__DROPOUT || l->layer.kind == INK__OPEN;
    if (l->layer.kind == INK__NORM && before != NULL && has_matrix(&before->layer) &&
        before->layer.activation == INK__IDENTITY)
        to = i - 1;
    else if (l->layer.kind == INK__MAP)
        to = sum_before(q, i);
    if (to == i)
        return;
    l->skip = true;
    q->layers[to].layer.activation = l->layer.activation;
    q->layers[to].layer.slope = l->layer.slope;
}

/* The sums of a dense layer, or of the pixels of a mean, are scores as they are. */
static void choose_scores(struct ink__int8 *q)
{
    size_t last = q->layer_count;
    while (last > 0 && q->layers[last - 1].skip)
        last--;
    if (last == 0)
        return;
    struct ink__int8_layer *l = &q->layers[last - 1];
    l->gives_scores =
        (l->layer.kind == INK__DENSE || l->layer.kind == INK__MEAN_POOL) && l->layer.activation == INK__IDENTITY;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static const size_t type_sizes[] = { [INK__BYTE] = 1, [INK__SIGNED] = 1, [INK__WORD] = 4, [INK__FLOAT] = 4 };

/* The next tensor; called twice for each, see base/memory.h. */
static void *take(struct ink__int8 *q, const char *name, enum ink__int8_type type, const size_t *shape, size_t rank)
{
    struct ink__int8_tensor *t = &q->tensors[q->tensor_count++];
    *t = (struct ink__int8_tensor){ .type = type, .rank = rank, .count = 1 };
    snprintf(t->name, sizeof t->name, "%s", name);
    for (size_t i = 0; i < rank; i++) {
        t->shape[i] = shape[i];
        t->count *= shape[i]; /* fits: the net's own layout has checked the largest */
    }
    return t->data = ink__arena_take(&q->arena, t->count, type_sizes[type]);
}

static void *take_part(struct ink__int8 *q, size_t layer, const char *what, enum ink__int8_type type, size_t count)
{
    char name[32];
    snprintf(name, sizeof name, "%zu.%s", layer, what);
    return take(q, name, type, &count, 1);
}

static void take_layer(struct ink__int8 *q, const struct ink_net *net, size_t i)
{
    struct ink__int8_layer *l = &q->layers[i];
    const enum ink__kind kind = l->layer.kind;
    if (l->skip)
        return;
    if (has_matrix(&l->layer)) {
        const struct ink__parameter *p = &net->parameters[l->layer.parameter];
        l->rows = p->rows;
        l->columns = p->columns;
        l->weight = take(q, p->name, INK__SIGNED, p->shape, p->rank);
    }
    if (has_sum(&l->layer)) {
        l->sums = has_matrix(&l->layer) ? l->columns : kind == INK__NORM ? l->layer.in.channels : 1;
        l->multipliers = kind == INK__CLOSE ? 2 : l->sums;
        l->bias = take_part(q, i, "bias", INK__WORD, l->sums);
        l->multiplier = take_part(q, i, "multiplier", INK__WORD, l->multipliers);
        l->shift = take_part(q, i, "shift", INK__BYTE, 1);
    }
    if (l->layer.activation != INK__IDENTITY && (kind == INK__MAP || l->layer.activation != INK__RELU))
        l->table = take_part(q, i, "table", INK__BYTE, 256);
}

static void take_all(struct ink__int8 *q, const struct ink_net *net)
{
    const size_t values = q->layer_count + 1;
    bool normalises = false;
    for (size_t c = 0; c < net->input.channels; c++)
        normalises |= net->mean[c] != 0.0f || net->deviation[c] != 1.0f;
    q->tensor_count = 0;
    q->scale = take(q, "scale", INK__FLOAT, &values, 1);
    q->zero = take(q, "zero", INK__BYTE, &values, 1);
    if (normalises)
        q->input = take(q, "input", INK__BYTE, (size_t[2]){ net->input.channels, 256 }, 2);
    for (size_t i = 0; i < q->layer_count; i++)
        take_layer(q, net, i);
}

enum ink_status ink__int8_new(struct ink__int8 **out, const struct ink_net *net, struct ink_error *err)
{
    const size_t count = net->layer_count;
    *out = NULL;
    struct ink__int8 *q = ink__array(1, sizeof *q);
    if (q == NULL)
        return ink__fail_memory(err);
    q->layers = ink__array(count, sizeof *q->layers);
    q->tensors = ink__array(MOST_TENSORS_OF_LAYER * count + TENSORS_OF_NET, sizeof *q->tensors);
    if (q->layers == NULL || q->tensors == NULL)
        goto fail;
    q->layer_count = count;
    for (size_t i = 0; i < count; i++) {
        q->layers[i].layer = net->layers[i];
        join(q, i);
    }
    choose_scores(q);
    take_all(q, net);
    *out = q;
    return INK_OK;
fail:
    ink__int8_free(q);
    return ink__fail_memory(err);
}

enum ink_status ink__int8_allocate(struct ink__int8 *q, const struct ink_net *net, struct ink_error *err)
{
    if (!ink__arena_make(&q->arena))
        return ink__fail_memory(err);
    take_all(q, net);
    return INK_OK;
}

void ink__int8_free(struct ink__int8 *q)
{
    if (q == NULL)
        return;
    ink__arena_free(&q->arena);
    free(q->layers);
    free(q->tensors);
    free(q);
}

size_t ink__int8_bytes(const struct ink__int8 *q)
{
    size_t bytes = 0;
    for (size_t i = 0; i < q->tensor_count; i++)
        if (q->tensors[i].data != q->scale && q->tensors[i].data != q->zero)
            bytes += q->tensors[i].count * type_sizes[q->tensors[i].type];
    return bytes;
}

/* ---- Whether it can be computed ---------------------------------------------------------------------------------- */

/* Whether bias plus the products of weight[i * step] with any bytes, all or some of them, fits 32 bits. */
static bool fits(int64_t bias, const int8_t *weight, size_t count, size_t step)
{
    int64_t least = bias, largest = bias;
    for (size_t i = 0; i < count; i++) {
        const int64_t product = (int64_t)weight[i * step] * UINT8_MAX;
        *(product < 0 ? &least : &largest) += product;
    }
    return least >= INT32_MIN && largest <= INT32_MAX;
}

static bool line_fits(int64_t bias, int64_t multiplier, size_t pixels)
{
    if (pixels > (size_t)1 << 20)
        return false;
    const int64_t most = multiplier * UINT8_MAX * (int64_t)pixels; /* 60 bits */
    return most >= INT32_MIN && most <= INT32_MAX && bias + most >= INT32_MIN && bias + most <= INT32_MAX;
}

static enum ink_status wrong(const char *path, size_t layer, const char *what, size_t element, long found,
                             const char *expected, struct ink_error *err)
{
    return ink__fail(err, INK_BAD_INPUT, "%s: tensor '%zu.%s': element %zu is %ld, expected %s", path, layer, what,
                     element, found, expected);
}

static enum ink_status check_matrix(const struct ink__int8_layer *l, size_t i, const char *path, struct ink_error *err)
{
    if (l->shift[0] < 1 || l->shift[0] > 31)
        return wrong(path, i, "shift", 0, l->shift[0], "1 to 31", err);
    for (size_t c = 0; c < l->columns; c++) {
        if (l->multiplier[c] < 0)
            return wrong(path, i, "multiplier", c, l->multiplier[c], "a number from 0", err);
        if (!fits(l->bias[c], l->weight + c, l->rows, l->columns))
            return wrong(path, i, "bias", c, l->bias[c], "sums that fit 32 bits", err);
    }
    return INK_OK;
}

static enum ink_status check_line(const struct ink__int8_layer *l, size_t i, const char *path, struct ink_error *err)
{
    const struct ink__layer *layer = &l->layer;
    const size_t pixels = layer->kind == INK__MEAN_POOL ? layer->kernel_height * layer->kernel_width : 1;
    if (l->shift[0] > 30)
        return wrong(path, i, "shift", 0, l->shift[0], "0 to 30", err);
    for (size_t c = 0; c < l->sums; c++) {
        const int64_t other = layer->kind == INK__CLOSE ? l->multiplier[1] : 0;
        const bool both = layer->kind != INK__CLOSE || (l->multiplier[0] >= 0 && other >= 0);
        if (!both || !line_fits(l->bias[c], l->multiplier[c] + other, pixels))
            return wrong(path, i, "bias", c, l->bias[c], "sums that fit 32 bits", err);
    }
    return INK_OK;
}

enum ink_status ink__int8_check(const struct ink__int8 *q, const char *path, struct ink_error *err)
{
    enum ink_status status = INK_OK;
    for (size_t v = 0; v <= q->layer_count; v++)
        if (!isfinite(q->scale[v]) || q->scale[v] <= 0.0f)
            return ink__fail(err, INK_BAD_INPUT, "%s: tensor 'scale': element %zu is %g, expected a number above 0",
                             path, v, (double)q->scale[v]);
    for (size_t i = 0; i < q->layer_count && status == INK_OK; i++) {
        const struct ink__int8_layer *l = &q->layers[i];
        if (l->weight != NULL)
            status = check_matrix(l, i, path, err);
        else if (l->bias != NULL)
            status = check_line(l, i, path, err);
    }
    return status;
}
