/*
 * The checkpoint: everything that decides how training goes on, in one safetensors file. Resuming restores it into a
 * trainer made from the same net, data and options, so that the bytes to come are those of a run that was never
 * interrupted.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "format/safetensors.h"
#include "train/trainer.h"

/* The trainer's scalars, as they stand in the tensors "counts" and "numbers". */
enum { EPOCH, BATCH, IMAGES, CORRECT, BEST_EPOCH, SHUFFLED, RANDOM_POSITION, RANDOM_HAS_GAUSS, COUNTS };
enum { LOSS_SUM, BEST_ACCURACY, POWER1, POWER2, RANDOM_GAUSS, NUMBERS };

/* What a checkpoint must agree on with the trainer that resumes it. */
enum { FORMAT, SPEC, DATASET, DATASET_SHA256, SEED, OPTIONS, PAIRS };

struct image { /* of the state, in file form */
    uint64_t counts[COUNTS];
    double numbers[NUMBERS];
    char seed[24];
    struct ink__pair pairs[PAIRS];
    struct ink__entry entries[9];
    size_t entry_count;
};

static void add_entry(struct image *image, const char *name, enum ink__dtype dtype, size_t count, const void *data)
{
    image->entries[image->entry_count++] =
        (struct ink__entry){ .name = name, .dtype = dtype, .shape = { count }, .rank = 1, .data = data };
}

/* The tensors of the state: pointers into the trainer, and into image->counts and numbers. */
static void list_entries(struct image *image, const struct ink_trainer *t)
{
    const size_t weights = t->net->weight_count;
    image->entry_count = 0;
    add_entry(image, "weights", INK__F32, weights, t->net->weights);
    add_entry(image, "state1", INK__F32, t->optimizer->states > 0 ? weights : 0, t->state1);
    add_entry(image, "state2", INK__F32, t->optimizer->states > 1 ? weights : 0, t->state2);
    add_entry(image, "best", INK__F32, t->validation_count > 0 ? weights : 0, t->best);
    if (t->options.ema > 0.0)
        add_entry(image, "average", INK__F32, weights, t->average);
    add_entry(image, "order", INK__U32, t->count, t->order);
    add_entry(image, "random", INK__U32, 624, t->random.key);
    add_entry(image, "counts", INK__U64, COUNTS, image->counts);
    add_entry(image, "numbers", INK__F64, NUMBERS, image->numbers);
}

static void list_pairs(struct image *image, const struct ink_trainer *t)
{
    static char format_key[] = "format", format[] = "inkling-checkpoint-1", spec_key[] = "spec", data_key[] = "dataset",
                sha_key[] = "dataset_sha256", seed_key[] = "seed", options_key[] = "options";
    snprintf(image->seed, sizeof image->seed, "%llu", (unsigned long long)t->options.seed);
    image->pairs[FORMAT] = (struct ink__pair){ format_key, format };
    image->pairs[SPEC] = (struct ink__pair){ spec_key, t->net->spec };
    image->pairs[DATASET] = (struct ink__pair){ data_key, (char *)(uintptr_t)ink_dataset_name(t->data) };
    image->pairs[DATASET_SHA256] = (struct ink__pair){ sha_key, (char *)(uintptr_t)t->data_sha256 };
    image->pairs[SEED] = (struct ink__pair){ seed_key, image->seed };
    image->pairs[OPTIONS] = (struct ink__pair){ options_key, (char *)(uintptr_t)t->described };
}

enum ink_status ink_trainer_save(const struct ink_trainer *t, const char *path, struct ink_error *err)
{
    struct image image = {
        .counts = { [EPOCH] = t->epoch,
                    [BATCH] = t->batch,
                    [IMAGES] = t->images_done,
                    [CORRECT] = t->correct_sum,
                    [BEST_EPOCH] = t->best_epoch,
                    [SHUFFLED] = t->shuffled,
                    [RANDOM_POSITION] = t->random.position,
                    [RANDOM_HAS_GAUSS] = t->random.has_gauss },
        .numbers = { [LOSS_SUM] = t->loss_sum,
                     [BEST_ACCURACY] = t->best_accuracy,
                     [POWER1] = t->power1,
                     [POWER2] = t->power2,
                     [RANDOM_GAUSS] = t->random.gauss },
    };
    list_entries(&image, t);
    list_pairs(&image, t);
    return ink__safetensors_write(path, image.entries, image.entry_count, image.pairs, PAIRS, err);
}

/* Every tensor of the state must be there with its own type and count. */
static enum ink_status check_entries(const struct ink__safetensors *file, const struct image *image, const char *path,
                                     struct ink_error *err)
{
    for (size_t i = 0; i < image->entry_count; i++) {
        const struct ink__entry *expected = &image->entries[i];
        const struct ink__entry *found = ink__safetensors_find(file, expected->name);
        if (found == NULL)
            return ink__fail(err, INK_BAD_INPUT, "%s: no tensor '%s' (is this a checkpoint?)", path, expected->name);
        if (found->dtype != expected->dtype || ink__entry_count(found) != expected->shape[0])
            return ink__fail(err, INK_BAD_INPUT, "%s: tensor '%s' has %zu elements, expected %zu of its type", path,
                             expected->name, ink__entry_count(found), expected->shape[0]);
    }
    return INK_OK;
}

static enum ink_status check_values(const struct ink_trainer *t, const struct image *image, const uint32_t *order,
                                    const char *path, struct ink_error *err)
{
    const uint64_t *c = image->counts;
    if (c[EPOCH] > t->options.epochs || c[BATCH] > t->batches || c[IMAGES] > t->count || c[CORRECT] > c[IMAGES] ||
        c[BEST_EPOCH] > c[EPOCH] || c[SHUFFLED] > 1 || c[RANDOM_POSITION] > 624 || c[RANDOM_HAS_GAUSS] > 1)
        return ink__fail(err, INK_BAD_INPUT, "%s: tensor 'counts': a value out of range", path);
    for (size_t i = 0; i < NUMBERS; i++)
        if (!isfinite(image->numbers[i]))
            return ink__fail(err, INK_BAD_INPUT, "%s: tensor 'numbers': element %zu is not finite", path, i);
    for (size_t i = 0; i < t->count; i++)
        if (order[i] >= t->count)
            return ink__fail(err, INK_BAD_INPUT, "%s: tensor 'order': element %zu is %u, expected below %zu", path, i,
                             (unsigned)order[i], t->count);
    return INK_OK;
}

/* A run that goes on with what is no number would be blamed for it. */
static enum ink_status check_floats(const struct ink__safetensors *file, const struct image *image, const char *path,
                                    struct ink_error *err)
{
    for (size_t i = 0; i < image->entry_count; i++) {
        const struct ink__entry *entry = &image->entries[i];
        const float *floats = ink__safetensors_find(file, entry->name)->data;
        for (size_t k = 0; entry->dtype == INK__F32 && k < entry->shape[0]; k++)
            if (isnan(floats[k]))
                return ink__fail(err, INK_BAD_INPUT, "%s: tensor '%s': element %zu is no number", path, entry->name, k);
    }
    return INK_OK;
}

enum ink_status ink_trainer_resume(struct ink_trainer *t, const char *path, struct ink_error *err)
{
    struct ink__safetensors *file;
    struct image image;
    list_entries(&image, t);
    list_pairs(&image, t);
    enum ink_status status = ink__safetensors_open(&file, path, err);
    if (status != INK_OK)
        return status;
    for (size_t i = 0; i < PAIRS && status == INK_OK; i++) {
        const char *found = ink__safetensors_metadata(file, image.pairs[i].key);
        if (found == NULL || strcmp(found, image.pairs[i].value) != 0)
            status = ink__fail(err, INK_BAD_INPUT, "%s: %s is '%.300s', expected '%.300s'", path, image.pairs[i].key,
                               found != NULL ? found : "", image.pairs[i].value);
    }
    if (status == INK_OK)
        status = check_entries(file, &image, path, err);
    if (status != INK_OK)
        goto out;
    memcpy(image.counts, ink__safetensors_find(file, "counts")->data, sizeof image.counts);
    memcpy(image.numbers, ink__safetensors_find(file, "numbers")->data, sizeof image.numbers);
    status = check_values(t, &image, ink__safetensors_find(file, "order")->data, path, err);
    if (status == INK_OK)
        status = check_floats(file, &image, path, err);
    if (status != INK_OK)
        goto out;

    for (size_t i = 0; i < image.entry_count; i++) { /* those of 32 bits are the trainer's own memory */
        const struct ink__entry *to = &image.entries[i];
        if (to->dtype == INK__F32 || to->dtype == INK__U32)
            memcpy((void *)(uintptr_t)to->data, ink__safetensors_find(file, to->name)->data, to->shape[0] * 4);
    }
    t->epoch = (size_t)image.counts[EPOCH];
    t->batch = (size_t)image.counts[BATCH];
    t->images_done = (size_t)image.counts[IMAGES];
    t->correct_sum = (size_t)image.counts[CORRECT];
    t->best_epoch = (size_t)image.counts[BEST_EPOCH];
    t->shuffled = image.counts[SHUFFLED] != 0;
    t->random.position = (uint32_t)image.counts[RANDOM_POSITION];
    t->random.has_gauss = image.counts[RANDOM_HAS_GAUSS] != 0;
    t->random.gauss = image.numbers[RANDOM_GAUSS];
    t->loss_sum = image.numbers[LOSS_SUM];
    t->best_accuracy = image.numbers[BEST_ACCURACY];
    t->power1 = image.numbers[POWER1];
    t->power2 = image.numbers[POWER2];
    ink__plan_load(t->plan, t->net->weights);
out:
    ink__safetensors_free(file);
    return status;
}
