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

/* ---- Options ----------------------------------------------------------------------------------------------------- */

static const struct ink_preset *find_preset(const char *name_or_spec)
{
    for (const struct ink_preset *p = ink_presets(); p->name != NULL; p++)
        if (strcmp(name_or_spec, p->name) == 0 || strcmp(name_or_spec, p->spec) == 0)
            return p;
    return NULL;
}

void ink_train_options_default(struct ink_train_options *options, const char *preset_or_spec)
{
    const struct ink_preset *preset = find_preset(preset_or_spec);
    *options = (struct ink_train_options){ .epochs = 10,
                                           .batch = 100,
                                           .optimizer = "adam",
                                           .schedule = "cosine",
                                           .class_weights = ink_class_weights_name(0),
                                           .momentum = 0.9,
                                           .beta2 = 0.999,
                                           .step_epochs = 10.0 };
    if (preset != NULL) {
        options->optimizer = preset->optimizer;
        options->schedule = preset->schedule;
        options->learning_rate = preset->learning_rate;
        options->weight_decay = preset->weight_decay;
        options->batch = preset->batch;
    }
}

/* Zero stands for the default, except where zero is a value of its own. */
static void write_out_defaults(struct ink_train_options *options)
{
    struct ink_train_options defaults;
    ink_train_options_default(&defaults, "");
    if (options->epochs == 0)
        options->epochs = defaults.epochs;
    if (options->batch == 0)
        options->batch = defaults.batch;
    if (options->optimizer == NULL)
        options->optimizer = defaults.optimizer;
    if (options->schedule == NULL)
        options->schedule = "constant";
    if (options->class_weights == NULL)
        options->class_weights = defaults.class_weights;
    if (options->momentum == 0.0)
        options->momentum = defaults.momentum;
    if (options->beta2 == 0.0)
        options->beta2 = defaults.beta2;
    if (options->step_epochs == 0.0)
        options->step_epochs = defaults.step_epochs;
}

static enum ink_status check_options(const struct ink_train_options *o, struct ink_error *err)
{
    const struct {
        const char *name;
        double value, least, below;
    } ranges[] = {
        { "learning rate", o->learning_rate, 0.0, 1e6 },
        { "momentum", o->momentum, 0.0, 1.0 },
        { "beta2", o->beta2, 0.0, 1.0 },
        { "weight decay", o->weight_decay, 0.0, 1e6 },
        { "clip", o->clip, 0.0, 1e30 },
        { "warm-up", o->warmup, 0.0, (double)o->epochs },
        { "step epochs", o->step_epochs, 1e-3, 1e9 },
        { "label smoothing", o->label_smoothing, 0.0, 1.0 },
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (!(ranges[i].value >= ranges[i].least && ranges[i].value < ranges[i].below))
            return ink__fail(err, INK_BAD_ARGUMENT, "%s %g, expected at least %g and below %g", ranges[i].name,
                             ranges[i].value, ranges[i].least, ranges[i].below);
    return INK_OK;
}

/* The options that decide the result, as text: for the model file, and for resuming to compare. */
static void describe(struct ink_trainer *t)
{
    const struct ink_train_options *o = &t->options;
    snprintf(t->described, sizeof t->described,
             "epochs=%zu batch=%zu validation=%zu keep=%s patience=%zu optimizer=%s schedule=%s learning_rate=%.9g "
             "momentum=%.9g beta2=%.9g weight_decay=%.9g clip=%.9g warmup=%.9g step_epochs=%.9g label_smoothing=%.9g",
             o->epochs, o->batch, t->validation_count, o->keep_last || t->validation_count == 0 ? "last" : "best",
             o->patience, t->optimizer->name, o->schedule, o->learning_rate, o->momentum, o->beta2, o->weight_decay,
             o->clip, o->warmup, o->step_epochs, o->label_smoothing);
    if (t->class_weights != NULL) {
        const size_t used = strlen(t->described);
        snprintf(t->described + used, sizeof t->described - used, " class_weights=%s", o->class_weights);
    }
}

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

static bool allocate(struct ink_trainer *t)
{
    const size_t weights = t->net->weight_count, batch = t->options.batch;
    for (size_t i = 0; i < t->net->parameter_count; i++)
        t->row_count += t->net->parameters[i].rows;
    t->images = ink__array(batch, sizeof *t->images);
    t->labels = ink__array(batch, sizeof *t->labels);
    t->samples = ink__array(batch, sizeof *t->samples);
    t->state1 = ink__array(t->optimizer->states > 0 ? weights : 1, sizeof *t->state1);
    t->state2 = ink__array(t->optimizer->states > 1 ? weights : 1, sizeof *t->state2);
    t->best = ink__array(t->validation_count > 0 ? weights : 1, sizeof *t->best);
    t->row_squares = ink__array(t->row_count, sizeof *t->row_squares);
    t->probabilities = ink__array(INK__EVALUATION_BATCH * t->net->classes, sizeof *t->probabilities);
    return t->images != NULL && t->labels != NULL && t->samples != NULL && t->state1 != NULL && t->state2 != NULL &&
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
    write_out_defaults(&t->options);
    t->optimizer = ink__optimizer_find(t->options.optimizer, err);
    t->schedule = ink__schedule_find(t->options.schedule, err);
    if (t->optimizer == NULL || t->schedule == NULL) {
        status = INK_BAD_ARGUMENT;
        goto fail;
    }
    if (t->options.learning_rate == 0.0)
        t->options.learning_rate = t->optimizer->rate;
    status = check_options(&t->options, err);
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
    const double density = ink__dataset_density(train);
    status = ink__plan_new(&t->plan, net, t->options.batch, true, density, &t->options.compute, err);
    if (status == INK_OK && t->validation_count > 0)
        status = ink__plan_new(&t->evaluation, net, INK__EVALUATION_BATCH, false, density, &t->options.compute, err);
    if (status != INK_OK)
        goto fail;
    t->pool = ink__pool_new(t->plan->threads);
    if (t->pool == NULL) {
        status = ink__fail_memory(err);
        goto fail;
    }
    describe(t);
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
    free(t->chosen);
    free(t->class_weights);
    free(t->order);
    free(t->images);
    free(t->labels);
    free(t->samples);
    free(t->state1);
    free(t->state2);
    free(t->best);
    free(t->row_squares);
    free(t->probabilities);
    free(t);
}

/* ---- One step ---------------------------------------------------------------------------------------------------- */

/* Images come in random order out of memory that no cache holds: the one after next is asked for while this one is
 * used. */
static const uint8_t *image_of(void *context, size_t i, uint8_t *scratch)
{
    const struct ink_trainer *t = context;
    (void)scratch;
    if (i + 2 < t->now.count)
        for (size_t at = 0; at < ink__elements(t->net->input); at += INK__ALIGNMENT)
            __builtin_prefetch(t->images[i + 2] + at);
    return t->images[i];
}

static void gather_batch(struct ink_trainer *t)
{
    const size_t from = t->batch * t->options.batch, left = t->count - from;
    const size_t n = left < t->options.batch ? left : t->options.batch;
    for (size_t i = 0; i < n; i++) {
        const uint32_t sample = t->chosen[t->order[from + i]];
        t->samples[i] = sample;
        t->images[i] = ink_dataset_pixels(t->data, sample);
        t->labels[i] = (uint16_t)ink_dataset_label(t->data, sample);
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
    ink__trainer_step(t);
    const double loss = ink__plan_loss(t->plan);
    if (!isfinite(loss))
        return diverged(t, err);
    t->power1 = power1;
    t->power2 = power2;
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

static void validate(struct ink_trainer *t, struct ink_epoch_stats *stats)
{
    struct ink_metrics metrics = { 0 };
    ink__plan_load(t->evaluation, t->net->weights);
    ink__count_answers(t->evaluation, t->pool, t->data, t->chosen + t->count, t->validation_count, t->probabilities,
                       &metrics);
    stats->validation_accuracy = (double)metrics.correct / (double)t->validation_count;
    stats->validation_loss = metrics.loss / (double)t->validation_count;
    if (stats->validation_accuracy > t->best_accuracy) {
        t->best_accuracy = stats->validation_accuracy;
        t->best_epoch = t->epoch;
        stats->best = true;
        memcpy(t->best, t->net->weights, t->net->weight_count * sizeof *t->best);
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

enum ink_status ink_trainer_epoch(struct ink_trainer *t, struct ink_epoch_stats *stats, struct ink_error *err)
{
    if (t->epoch >= t->options.epochs)
        return ink__fail(err, INK_BAD_ARGUMENT, "all %zu epochs are done", t->options.epochs);
    if (!t->shuffled) {
        ink__numpy_permutation(&t->random, t->order, t->count);
        t->shuffled = true;
    }
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
                                               .accuracy = (double)t->correct_sum / (double)t->images_done };
        if (t->options.on_batch != NULL && !t->options.on_batch(t->options.context, &progress))
            return ink__fail(err, INK_STOPPED, "stopped after batch %zu of %zu in epoch %zu", t->batch, t->batches,
                             t->epoch + 1);
    }
    end_epoch(t, stats);
    return INK_OK;
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
