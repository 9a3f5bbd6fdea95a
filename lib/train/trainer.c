/*
 * The training loop: batches in shuffled order, a step each, validation after every epoch.
 */
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "data/dataset.h"
#include "train/balance.h"
#include "train/metrics.h"

/* ---- Making ------------------------------------------------------------------------------------------------------ */

/* Draws which images train and which validate: the last `validation` of a permutation. */
static enum ink_status choose_images(struct ink_trainer *t, struct ink_error *err)
{
    const size_t all = ink_dataset_count(t->data);
    if (all > UINT32_MAX)
        return ink__fail(err, INK_BAD_INPUT, "%s: %zu images, expected at most 2^32 - 1", ink_dataset_name(t->data),
                         all);
    if (t->options.validation >= all)
        return ink__fail(err, INK_BAD_ARGUMENT, "validation %zu, expected fewer than the %zu images of %s",
                         t->options.validation, all, ink_dataset_name(t->data));
    t->validation_count = t->options.validation;
    t->count = all - t->validation_count;
    t->chosen = ink__array(all, sizeof *t->chosen);
    t->order = ink__array(t->count, sizeof *t->order);
    if (t->chosen == NULL || t->order == NULL)
        return ink__fail_memory(err);
    ink__numpy_seed(&t->random, t->options.seed);
    if (t->validation_count > 0)
        ink__numpy_permutation(&t->random, t->chosen, all);
    else
        for (size_t i = 0; i < all; i++)
            t->chosen[i] = (uint32_t)i;
    return INK_OK;
}

/* Mean and deviation of the images to train on, by channel, from whole sums: no order of adding can change them. A
 * channel that is always the same keeps a deviation of 1. */
static void normalise(struct ink_trainer *t)
{
    const size_t channels = t->net->input.channels, size = ink__elements(t->net->input);
    const double count = (double)t->count * (double)(size / channels);
    uint64_t sum[4] = { 0 }, squares[4] = { 0 };
    for (size_t i = 0; i < t->count; i++) {
        const uint8_t *pixels = ink_dataset_pixels(t->data, t->chosen[i]);
        for (size_t c = 0; c < channels; c++) {
            for (size_t k = c; k < size; k += channels) {
                sum[c] += pixels[k];
                squares[c] += (uint64_t)pixels[k] * pixels[k];
            }
        }
    }
    for (size_t c = 0; c < channels; c++) {
        const double mean = (double)sum[c] / count;
        const double variance = (double)squares[c] / count - mean * mean;
        t->net->mean[c] = (float)(mean / 255.0);
        t->net->deviation[c] = variance > 0.0 ? (float)(sqrt(variance) / 255.0) : 1.0f;
    }
}

static bool allocate(struct ink_trainer *t)
{
    const size_t weights = t->net->weight_count, batch = t->options.batch;
    for (size_t i = 0; i < t->net->parameter_count; i++)
        t->row_count += t->net->parameters[i].rows;
    t->labels = ink__array(batch, sizeof *t->labels);
    t->samples = ink__array(batch, sizeof *t->samples);
    t->state1 = ink__array(t->optimizer->states > 0 ? weights : 1, sizeof *t->state1);
    t->state2 = ink__array(t->optimizer->states > 1 ? weights : 1, sizeof *t->state2);
    t->average = ink__array(t->options.ema > 0.0 ? weights : 1, sizeof *t->average);
    t->best = ink__array(t->validation_count > 0 ? weights : 1, sizeof *t->best);
    t->row_squares = ink__array(t->row_count, sizeof *t->row_squares);
    t->probabilities = ink__array(INK__EVALUATION_BATCH * t->net->classes, sizeof *t->probabilities);
    return t->labels != NULL && t->samples != NULL && t->state1 != NULL && t->state2 != NULL && t->average != NULL &&
           t->best != NULL && t->row_squares != NULL && t->probabilities != NULL;
}

enum ink_status ink_trainer_new(struct ink_trainer **out, struct ink_net *net, const struct ink_dataset *train,
                                const struct ink_train_options *options, struct ink_error *err)
{
    *out = NULL;
    enum ink_status status = ink__check_data(net, train, err);
    if (status != INK_OK)
        return status;
    struct ink_trainer *t = ink__array(1, sizeof *t);
    if (t == NULL)
        return ink__fail_memory(err);
    t->net = net;
    t->data = train;
    t->options = *options;
    t->best_accuracy = -1.0;
    t->power1 = t->power2 = 1.0;
    ink__options_complete(&t->options);
    t->optimizer = ink__optimizer_find(t->options.optimizer, err);
    t->schedule = ink__schedule_find(t->options.schedule, err);
    if (t->optimizer == NULL || t->schedule == NULL) {
        status = INK_BAD_ARGUMENT;
        goto fail;
    }
    if (t->options.learning_rate == 0.0)
        t->options.learning_rate = t->optimizer->rate;
    status = ink__options_check(&t->options, err);
    if (status == INK_OK)
        status = ink__augment_parse(&t->augment, t->options.augment != NULL ? t->options.augment : "", err);
    if (status == INK_OK)
        status = choose_images(t, err);
    if (status == INK_OK)
        status = ink__class_weights(&t->class_weights, t->options.class_weights, train, t->chosen, t->count,
                                    net->classes, err);
    if (status != INK_OK)
        goto fail;
    if (t->options.batch > t->count)
        t->options.batch = t->count;
    t->batches = (t->count + t->options.batch - 1) / t->options.batch;
    if (!allocate(t)) {
        status = ink__fail_memory(err);
        goto fail;
    }
    if (t->options.normalise)
        normalise(t);
    const double density = ink__dataset_density(train);
    /* Moved images have more pixels that are not zero, about as many as where sparse stops paying; and each is to be
     * made once a step, not once for every band. */
    status = ink__plan_new(&t->plan, net, t->options.batch, true, t->options.augment == NULL ? density : 1.0,
                           &t->options.compute, err);
    if (status == INK_OK && t->validation_count > 0)
        status = ink__plan_new(&t->evaluation, net, INK__EVALUATION_BATCH, false, density, &t->options.compute, err);
    if (status == INK_OK && t->options.augment != NULL)
        status = ink__augmenter_new(&t->augmenter, &t->augment, ink_dataset_shape(train), t->plan->kernels,
                                    t->plan->threads, err);
    if (status != INK_OK)
        goto fail;
    t->pool = ink__pool_new(t->plan->threads);
    t->muon = t->optimizer->turns ? ink__muon_new(t->plan) : NULL;
    if (t->pool == NULL || (t->optimizer->turns && t->muon == NULL)) {
        status = ink__fail_memory(err);
        goto fail;
    }
    ink__options_describe(t);
    ink_dataset_sha256(train, t->data_sha256);
    *out = t;
    return INK_OK;
fail:
    ink_trainer_free(t);
    return status;
}

void ink_trainer_free(struct ink_trainer *t)
{
    if (t == NULL)
        return;
    ink__pool_free(t->pool);
    ink__plan_free(t->plan);
    ink__plan_free(t->evaluation);
    ink__augmenter_free(t->augmenter);
    ink__muon_free(t->muon);
    free(t->chosen);
    free(t->class_weights);
    free(t->order);
    free(t->labels);
    free(t->samples);
    free(t->state1);
    free(t->state2);
    free(t->average);
    free(t->best);
    free(t->row_squares);
    free(t->probabilities);
    free(t);
}

/* ---- One step ---------------------------------------------------------------------------------------------------- */

/* Which image of the data set is number i of this batch. */
static uint32_t sample_of(const struct ink_trainer *t, size_t i)
{
    return t->chosen[t->order[t->batch * t->options.batch + i]];
}

static const uint8_t *pixels_of(const struct ink_trainer *t, size_t i)
{
    return ink_dataset_pixels(t->data, t->samples[i]);
}

/* Images come in random order out of memory that no cache holds: the next group of a sparse layer is asked for while
 * this one is used. Their pages are asked for many at a time, because a request whose page the processor does not know
 * holds up everything until it was looked up, but several are looked up at once. */
#define PAGES_AT_ONCE ((size_t)32)
static const uint8_t *image_of(void *context, size_t i, size_t thread)
{
    const struct ink_trainer *t = context;
    if (i % PAGES_AT_ONCE == 0)
        for (size_t k = i; k < i + 2 * PAGES_AT_ONCE && k < t->now.count; k++)
            __builtin_prefetch(pixels_of(t, k));
    if (i + INK__SPARSE_ROWS < t->now.count) {
        const uint8_t *const soon = pixels_of(t, i + INK__SPARSE_ROWS);
        for (size_t at = 0; at < ink__elements(t->net->input); at += INK__ALIGNMENT)
            __builtin_prefetch(soon + at);
    }
    if (t->augmenter == NULL)
        return pixels_of(t, i);
    const struct ink__philox_key key = { t->options.seed, (uint32_t)t->epoch, t->samples[i], INK__USE_AUGMENT };
    return ink__augmenter_apply(t->augmenter, &key, thread, pixels_of(t, i));
}

static void gather_batch(struct ink_trainer *t)
{
    const size_t left = t->count - t->batch * t->options.batch;
    const size_t n = left < t->options.batch ? left : t->options.batch;
    for (size_t i = 0; i < n; i++) {
        t->samples[i] = sample_of(t, i);
        t->labels[i] = (uint16_t)ink_dataset_label(t->data, t->samples[i]);
    }
    t->now = (struct ink__batch){ .count = n,
                                  .image = image_of,
                                  .context = t,
                                  .sample = t->samples,
                                  .label = t->labels,
                                  .class_weight = t->class_weights,
                                  .seed = t->options.seed,
                                  .epoch = (uint32_t)t->epoch,
                                  .smoothing = (float)t->options.label_smoothing };
}

static enum ink_status diverged(struct ink_trainer *t, struct ink_error *err)
{
    const size_t layer = ink__plan_diagnose(t->plan, &t->now), step_number = t->epoch * t->batches + t->batch + 1;
    if (layer == t->plan->layer_count)
        return ink__fail(err, INK_DIVERGED, "the loss is not finite in step %zu (epoch %zu, batch %zu)", step_number,
                         t->epoch + 1, t->batch + 1);
    return ink__fail(err, INK_DIVERGED,
                     "layer %zu (%s) gives values that are not finite in step %zu (epoch %zu, batch %zu); a smaller "
                     "learning rate or clipping may help",
                     layer + 1, t->plan->layers[layer].text, step_number, t->epoch + 1, t->batch + 1);
}

static enum ink_status train_batch(struct ink_trainer *t, struct ink_error *err)
{
    const size_t steps = t->options.epochs * t->batches, step_number = t->epoch * t->batches + t->batch;
    const double rate = ink__rate_at(&t->options, t->schedule, step_number, steps, t->batches);
    const double power1 = t->power1 * t->options.momentum, power2 = t->power2 * t->options.beta2;
    gather_batch(t);
    t->update = ink__update_of(t->optimizer, &t->options, rate, power1, power2);
    if (t->options.ema > 0.0)
        t->average_share = ink__average_share(t->options.ema * (double)t->batches, step_number + 1);
    ink__trainer_step(t);
    const double loss = ink__plan_loss(t->plan);
    if (!isfinite(loss))
        return diverged(t, err);
    t->power1 = power1;
    t->power2 = power2;
    t->loss = loss;
    t->loss_sum += loss * (double)t->now.count;
    t->correct_sum += ink__plan_correct(t->plan);
    t->images_done += t->now.count;
    t->images_timed += t->now.count;
    t->batch++;
    return INK_OK;
}

/* ---- Epochs ------------------------------------------------------------------------------------------------------ */

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

float *ink__trainer_weights(const struct ink_trainer *t)
{
    return t->options.ema > 0.0 ? t->average : t->net->weights;
}

static void validate(struct ink_trainer *t, struct ink_epoch_stats *stats)
{
    struct ink_metrics metrics = { 0 };
    ink__plan_load(t->evaluation, ink__trainer_weights(t));
    ink__count_answers(t->evaluation, t->pool, t->data, t->chosen + t->count, t->validation_count, t->probabilities,
                       &metrics);
    stats->validation_accuracy = (double)metrics.correct / (double)t->validation_count;
    stats->validation_loss = metrics.loss / (double)t->validation_count;
    if (stats->validation_accuracy > t->best_accuracy) {
        t->best_accuracy = stats->validation_accuracy;
        t->best_epoch = t->epoch;
        stats->best = true;
        memcpy(t->best, ink__trainer_weights(t), t->net->weight_count * sizeof *t->best);
    }
}

static void end_epoch(struct ink_trainer *t, struct ink_epoch_stats *stats)
{
    *stats =
        (struct ink_epoch_stats){ .epoch = t->epoch,
                                  .seconds = t->seconds,
                                  .loss = t->loss_sum / (double)t->images_done,
                                  .accuracy = (double)t->correct_sum / (double)t->images_done,
                                  .validation_loss = NAN,
                                  .validation_accuracy = NAN,
                                  .learning_rate = (double)t->update.rate,
                                  .images_per_second = t->seconds > 0.0 ? (double)t->images_timed / t->seconds : 0.0 };
    if (t->validation_count > 0)
        validate(t, stats);
    t->epoch++;
    t->batch = t->images_done = t->images_timed = t->correct_sum = 0;
    t->loss_sum = t->seconds = 0.0;
    t->shuffled = false;
}

static enum ink_status train_batches(struct ink_trainer *t, struct ink_error *err)
{
    while (t->batch < t->batches) {
        const double begin = seconds_now();
        const enum ink_status status = train_batch(t, err);
        t->seconds += seconds_now() - begin;
        if (status != INK_OK)
            return status;
        const struct ink_progress progress = { .epoch = t->epoch,
                                               .epochs = t->options.epochs,
                                               .batch = t->batch,
                                               .batches = t->batches,
                                               .images = t->images_done,
                                               .loss = t->loss_sum / (double)t->images_done,
                                               .accuracy = (double)t->correct_sum / (double)t->images_done,
                                               .batch_loss = t->loss,
                                               .learning_rate = (double)t->update.rate };
        if (t->options.on_batch != NULL && !t->options.on_batch(t->options.context, &progress))
            return ink__fail(err, INK_STOPPED, "stopped after batch %zu of %zu in epoch %zu", t->batch, t->batches,
                             t->epoch + 1);
    }
    return INK_OK;
}

enum ink_status ink_trainer_epoch(struct ink_trainer *t, struct ink_epoch_stats *stats, struct ink_error *err)
{
    if (t->epoch >= t->options.epochs)
        return ink__fail(err, INK_BAD_ARGUMENT, "all %zu epochs are done", t->options.epochs);
    if (!t->shuffled) {
        ink__numpy_permutation(&t->random, t->order, t->count);
        t->shuffled = true;
    }
    const enum ink_status status = train_batches(t, err);
    if (status == INK_OK)
        end_epoch(t, stats);
    return status;
}

bool ink_trainer_done(const struct ink_trainer *t)
{
    const bool impatient = t->options.patience > 0 && t->validation_count > 0 && t->epoch > 0 &&
                           t->epoch - 1 - t->best_epoch >= t->options.patience;
    return t->epoch >= t->options.epochs || impatient;
}

enum ink_status ink_trainer_finish(struct ink_trainer *t, struct ink_error *err)
{
    char text[32];
    enum ink_status status;
    if (t->validation_count > 0 && !t->options.keep_last && t->best_accuracy >= 0.0)
        memcpy(t->net->weights, t->best, t->net->weight_count * sizeof *t->best);
    else if (t->options.ema > 0.0 && t->epoch + t->batch > 0) /* before the first step there is no mean */
        memcpy(t->net->weights, t->average, t->net->weight_count * sizeof *t->average);
    const size_t named = ink_dataset_classes(t->data);
    for (size_t c = 0; c < named; c++) {
        status = ink__net_set_class_name(t->net, c, ink_dataset_class_name(t->data, c), err);
        if (status != INK_OK)
            return status;
    }
    status = ink__net_set(t->net, "dataset", ink_dataset_name(t->data), err);
    if (status == INK_OK && t->data->pictures)
        status = ink__net_set(t->net, "fit", "raw", err);
    if (status == INK_OK && t->data_sha256[0] != '\0')
        status = ink__net_set(t->net, "dataset_sha256", t->data_sha256, err);
    snprintf(text, sizeof text, "%llu", (unsigned long long)t->options.seed);
    if (status == INK_OK)
        status = ink__net_set(t->net, "seed", text, err);
    if (status == INK_OK)
        status = ink__net_set(t->net, "options", t->described, err);
    snprintf(text, sizeof text, "%.6f", t->best_accuracy);
    if (status == INK_OK && t->validation_count > 0)
        status = ink__net_set(t->net, "validation_accuracy", text, err);
    return status;
}
