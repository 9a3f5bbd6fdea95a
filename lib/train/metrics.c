/* Evaluation: accuracy and its interval, loss, confusion matrix, the figures by class. */
#include "train/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "data/dataset.h"

#define MOST_SHIFTS 16 /* pixels: 1,089 runs of the network for an image are enough */

enum ink_status ink__check_data(const struct ink_net *net, const struct ink_dataset *data, struct ink_error *err)
{
    const struct ink_shape found = ink_dataset_shape(data), expected = net->input;
    if (found.height != expected.height || found.width != expected.width || found.channels != expected.channels)
        return ink__fail(err, INK_BAD_INPUT,
                         "%s: images of %zux%zux%zu, expected the network's %zux%zux%zu (--size resizes them)",
                         ink_dataset_name(data), found.height, found.width, found.channels, expected.height,
                         expected.width, expected.channels);
    if (ink_dataset_classes(data) > net->classes)
        return ink__fail(err, INK_BAD_INPUT, "%s: %zu classes, expected at most the network's %zu",
                         ink_dataset_name(data), ink_dataset_classes(data), net->classes);
    if (ink_dataset_count(data) == 0)
        return ink__fail(err, INK_BAD_INPUT, "%s: no images", ink_dataset_name(data));
    return INK_OK;
}

/* The name of class `c`, NULL if it is only its number. */
static const char *real_name(const char *name, size_t c)
{
    char number[24];
    snprintf(number, sizeof number, "%zu", c);
    return strcmp(name, number) != 0 ? name : NULL;
}

/* Names tell what a class is, its number only where it stands: a folder without some class numbers the others anew. */
static enum ink_status check_names(const struct ink_net *net, const struct ink_dataset *data, struct ink_error *err)
{
    for (size_t c = 0; c < ink_dataset_classes(data); c++) {
        const char *const found = real_name(ink_dataset_class_name(data, c), c);
        const char *const expected = real_name(ink_net_class_name(net, c), c);
        if (found != NULL && expected != NULL && strcmp(found, expected) != 0)
            return ink__fail(err, INK_BAD_INPUT,
                             "%s: class %zu is '%s', expected the network's '%s' (a file classes.txt orders a folder)",
                             ink_dataset_name(data), c, found, expected);
    }
    return INK_OK;
}

struct answers {
    const struct ink_dataset *data;
    const uint32_t *index;
    size_t from;
    ptrdiff_t right, down; /* how far images are moved */
    uint8_t *moved;        /* (threads, INK__SPARSE_ROWS, pitch): each thread's last images; NULL where none is moved */
    size_t pitch;
};

static size_t image_number(const struct answers *a, size_t i)
{
    return a->index != NULL ? a->index[a->from + i] : a->from + i;
}

/* The part of a side that is still inside after a move, and where it begins before it and after it. */
struct overlap {
    size_t count, from, to;
};

static struct overlap overlap_of(size_t side, ptrdiff_t move)
{
    const size_t by = (size_t)(move < 0 ? -move : move), count = by < side ? side - by : 0;
    return move < 0 ? (struct overlap){ count, by, 0 } : (struct overlap){ count, 0, by };
}

static const uint8_t *image_of(void *context, size_t i, size_t thread)
{
    const struct answers *a = context;
    const struct ink_shape shape = ink_dataset_shape(a->data);
    const uint8_t *image = ink_dataset_pixels(a->data, image_number(a, i));
    if (a->right == 0 && a->down == 0)
        return image;
    const struct overlap x = overlap_of(shape.width, a->right), y = overlap_of(shape.height, a->down);
    const size_t pixel = shape.channels, row = shape.width * pixel;
    uint8_t *moved = a->moved + (thread * INK__SPARSE_ROWS + i % INK__SPARSE_ROWS) * a->pitch;
    memset(moved, 0, shape.height * row);
    for (size_t r = 0; r < y.count; r++)
        memcpy(moved + (y.to + r) * row + x.to * pixel, image + (y.from + r) * row + x.from * pixel, x.count * pixel);
    return moved;
}

/* Counts the answers to the batch at a->from. */
static void count_batch(const struct answers *a, const struct ink__plan *plan, size_t n, const float *probabilities,
                        struct ink_metrics *metrics)
{
    const size_t classes = plan->net->classes;
    for (size_t i = 0; i < n; i++) {
        const float *p = probabilities + i * classes;
        const size_t label = ink_dataset_label(a->data, image_number(a, i));
        size_t answer = 0;
        for (size_t c = 1; c < classes; c++)
            if (p[c] > p[answer])
                answer = c;
        metrics->correct += answer == label;
        metrics->loss += ink__loss_of(plan->net->loss, p, classes, label);
        if (metrics->confusion != NULL)
            metrics->confusion[label * classes + answer]++;
    }
}

void ink__count_answers(struct ink__plan *plan, struct ink__pool *pool, const struct ink_dataset *data,
                        const uint32_t *index, size_t count, float *probabilities, struct ink_metrics *metrics)
{
    struct answers a = { .data = data, .index = index };
    struct ink__batch batch = { .image = image_of, .context = &a };
    for (; a.from < count; a.from += INK__EVALUATION_BATCH) {
        const size_t left = count - a.from;
        batch.count = left < INK__EVALUATION_BATCH ? left : INK__EVALUATION_BATCH;
        ink__plan_infer(plan, pool, &batch, probabilities);
        count_batch(&a, plan, batch.count, probabilities, metrics);
    }
}

/* The same with the mean of the probabilities for the image moved by up to `shifts` pixels; `one` is more scratch. */
static void count_shifted(struct ink__plan *plan, struct ink__pool *pool, struct answers *a, size_t count,
                          ptrdiff_t shifts, float *probabilities, float *one, struct ink_metrics *metrics)
{
    const float share = 1.0f / (float)((2 * shifts + 1) * (2 * shifts + 1));
    struct ink__batch batch = { .image = image_of, .context = a };
    for (a->from = 0; a->from < count; a->from += INK__EVALUATION_BATCH) {
        const size_t left = count - a->from;
        batch.count = left < INK__EVALUATION_BATCH ? left : INK__EVALUATION_BATCH;
        const size_t values = batch.count * plan->net->classes;
        memset(probabilities, 0, values * sizeof *probabilities);
        for (a->down = -shifts; a->down <= shifts; a->down++) {
            for (a->right = -shifts; a->right <= shifts; a->right++) {
                ink__plan_infer(plan, pool, &batch, one);
                plan->kernels->add(probabilities, one, probabilities, values);
            }
        }
        for (size_t i = 0; i < values; i++)
            probabilities[i] *= share;
        count_batch(a, plan, batch.count, probabilities, metrics);
    }
}

/* Wilson, "Probable inference, the law of succession, and statistical inference" (1927), with z = 1.96. */
static void wilson(struct ink_metrics *m)
{
    const double n = (double)m->count, z = 1.959963984540054, p = m->accuracy;
    const double middle = p + z * z / (2.0 * n), spread = z * sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n));
    m->accuracy_low = (middle - spread) / (1.0 + z * z / n);
    m->accuracy_high = (middle + spread) / (1.0 + z * z / n);
}

enum ink_status ink_evaluate(const struct ink_net *net, const struct ink_dataset *data,
                             const struct ink_compute *compute, struct ink_metrics *metrics, struct ink_error *err)
{
    return ink_evaluate_shifted(net, data, 0, compute, metrics, err);
}

enum ink_status ink_evaluate_shifted(const struct ink_net *net, const struct ink_dataset *data, size_t shifts,
                                     const struct ink_compute *compute, struct ink_metrics *metrics,
                                     struct ink_error *err)
{
    struct ink__plan *plan = NULL;
    struct ink__pool *pool = NULL;
    float *probabilities = NULL, *one = NULL;
    /* Arrays that kernels read end 64 bytes before their memory does. */
    struct answers a = { .data = data, .pitch = ink__elements(net->input) + INK__ALIGNMENT };
    *metrics = (struct ink_metrics){ .count = ink_dataset_count(data), .classes = net->classes };
    enum ink_status status = ink__check_data(net, data, err);
    if (status == INK_OK && shifts > MOST_SHIFTS)
        status =
            ink__fail(err, INK_BAD_ARGUMENT, "shifts by up to %zu pixels, expected at most %d", shifts, MOST_SHIFTS);
    if (status == INK_OK)
        status = check_names(net, data, err);
    if (status == INK_OK)
        status = ink__plan_new(&plan, net, INK__EVALUATION_BATCH, false, ink__dataset_density(data), compute, err);
    if (status != INK_OK)
        return status;
    pool = ink__pool_new(plan->threads);
    probabilities = ink__array(INK__EVALUATION_BATCH * net->classes, sizeof *probabilities);
    one = ink__array(shifts > 0 ? INK__EVALUATION_BATCH * net->classes : 1, sizeof *one);
    a.moved = ink__array(shifts > 0 ? plan->threads * INK__SPARSE_ROWS * a.pitch : 1, sizeof *a.moved);
    metrics->confusion = ink__array(net->classes * net->classes, sizeof *metrics->confusion);
    if (pool == NULL || probabilities == NULL || one == NULL || a.moved == NULL || metrics->confusion == NULL) {
        ink_metrics_free(metrics);
        status = ink__fail_memory(err);
        goto out;
    }
    if (shifts > 0)
        count_shifted(plan, pool, &a, metrics->count, (ptrdiff_t)shifts, probabilities, one, metrics);
    else
        ink__count_answers(plan, pool, data, NULL, metrics->count, probabilities, metrics);
    metrics->accuracy = (double)metrics->correct / (double)metrics->count;
    metrics->loss /= (double)metrics->count;
    wilson(metrics);
out:
    free(probabilities);
    free(one);
    free(a.moved);
    ink__pool_free(pool);
    ink__plan_free(plan);
    return status;
}

enum ink_status ink_evaluate_each(const struct ink_net *net, const struct ink_dataset *data,
                                  const struct ink_compute *compute, float *probabilities, struct ink_error *err)
{
    struct ink__plan *plan = NULL;
    struct ink__pool *pool = NULL;
    float *some = NULL; /* kernels may read past its end, the caller's array is exact */
    struct answers a = { .data = data };
    struct ink__batch batch = { .image = image_of, .context = &a };
    const size_t count = ink_dataset_count(data);
    enum ink_status status = ink__check_data(net, data, err);
    if (status == INK_OK)
        status = ink__plan_new(&plan, net, INK__EVALUATION_BATCH, false, ink__dataset_density(data), compute, err);
    if (status != INK_OK)
        return status;
    pool = ink__pool_new(plan->threads);
    some = ink__array(INK__EVALUATION_BATCH * net->classes, sizeof *some);
    if (pool == NULL || some == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    for (; a.from < count; a.from += INK__EVALUATION_BATCH) {
        const size_t left = count - a.from;
        batch.count = left < INK__EVALUATION_BATCH ? left : INK__EVALUATION_BATCH;
        ink__plan_infer(plan, pool, &batch, some);
        memcpy(probabilities + a.from * net->classes, some, batch.count * net->classes * sizeof *some);
    }
out:
    free(some);
    ink__pool_free(pool);
    ink__plan_free(plan);
    return status;
}

void ink_metrics_free(struct ink_metrics *metrics)
{
    free(metrics->confusion);
    *metrics = (struct ink_metrics){ 0 };
}

static double ratio(size_t part, size_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0.0;
}

struct ink_class_metrics ink_metrics_class(const struct ink_metrics *metrics, size_t c)
{
    const size_t classes = metrics->classes, right = metrics->confusion[c * classes + c];
    size_t truly = 0, answered = 0;
    for (size_t i = 0; i < classes; i++) {
        truly += metrics->confusion[c * classes + i];
        answered += metrics->confusion[i * classes + c];
    }
    /* F1 = 2 precision recall / (precision + recall) = 2 right / (truly + answered) */
    return (struct ink_class_metrics){ .count = truly,
                                       .precision = ratio(right, answered),
                                       .recall = ratio(right, truly),
                                       .f1 = ratio(2 * right, truly + answered) };
}
