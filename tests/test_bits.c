/*
 * Same seed, same bytes: model files trained with several numbers of threads and every kernel set of the machine,
 * against the portable kernels on one thread; and training that was stopped and resumed, against training that was not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "inkling.h"
#include "model_bytes.h"
#include "scratch.h"

/* ---- Runs -------------------------------------------------------------------------------------------------------- */

struct run {
    const char *name;
    struct ink_shape shape; /* of images of noise; without one, digits are drawn */
    size_t images;
    const char *spec;
    struct ink_train_options options;
};

#define NORMED                                                                                                         \
    "conv 5 3x3 pad 1, norm relu, pool 2, res [ conv 5 3x3 pad 1, norm leaky 0.1, dropout 0.25 ], avgpool 2, "         \
    "dense 11 gelu, dropout 0.5, dense 10"

static const struct run runs[] = {
    /* The last batch has fewer images than a batch has groups; images are held out, and the best weights kept. */
    { .name = "notebook, adam",
      .images = 325,
      .spec = "notebook",
      .options = { .epochs = 3, .batch = 40, .validation = 80 } },
    { .name = "notebook, sgd, one big batch",
      .images = 300,
      .spec = "notebook",
      .options = { .epochs = 2, .batch = 300, .optimizer = "sgd", .schedule = "linear" } },
    { .name = "lenet, momentum, clipped",
      .images = 63,
      .spec = "lenet",
      .options = { .epochs = 2,
                   .batch = 20,
                   .optimizer = "momentum",
                   .schedule = "cosine",
                   .learning_rate = 0.05,
                   .clip = 1.0 } },
    { .name = "norm and dropout, adamw",
      .shape = { 13, 9, 3 },
      .images = 75,
      .spec = NORMED,
      .options = { .epochs = 3,
                   .batch = 16,
                   .validation = 11,
                   .optimizer = "adamw",
                   .schedule = "one-cycle",
                   .weight_decay = 0.01,
                   .label_smoothing = 0.1 } },
    { .name = "augmented",
      .shape = { 13, 9, 3 },
      .images = 75,
      .spec = NORMED,
      .options = { .epochs = 3,
                   .batch = 16,
                   .validation = 11,
                   .augment = "shift 2, rotate 12, scale 12%, shear 8, elastic 3, flip, erase 50%, brightness 20%, "
                              "contrast 20%" } },
    { .name = "mean of the weights, normalised, biases faster",
      .shape = { 13, 9, 3 },
      .images = 75,
      .spec = NORMED,
      .options = { .epochs = 3,
                   .batch = 16,
                   .validation = 11,
                   .ema = 0.3,
                   .normalise = true,
                   .bias_rate = 8.0,
                   .keep_last = true } },
    { .name = "mean of the weights, clipped",
      .images = 70,
      .spec = "notebook",
      .options = { .epochs = 2, .batch = 20, .ema = 0.5, .clip = 0.5 } },
    { .name = "muon",
      .shape = { 13, 9, 3 },
      .images = 75,
      .spec = NORMED,
      .options = { .epochs = 3,
                   .batch = 16,
                   .validation = 11,
                   .optimizer = "muon",
                   .weight_decay = 0.01,
                   .ema = 0.2 } },
    { .name = "muon, sparse input, clipped",
      .images = 70,
      .spec = "notebook",
      .options = { .epochs = 2, .batch = 20, .optimizer = "muon", .clip = 0.5 } },
    { .name = "sparse input, few outputs, chunks that are not full",
      .images = 110,
      .spec = "dense 6 sigmoid, dense 10",
      .options = { .epochs = 2, .batch = 55, .optimizer = "adam" } },
    { .name = "augmented, sparse input",
      .images = 70,
      .spec = "notebook",
      .options = { .epochs = 2, .batch = 20, .augment = "shift 2, rotate 12, elastic 2" } },
    { .name = "norm and dropout, nesterov, batches of 5",
      .shape = { 13, 9, 3 },
      .images = 43,
      .spec = NORMED,
      .options = { .epochs = 2,
                   .batch = 5,
                   .optimizer = "nesterov",
                   .learning_rate = 0.02,
                   .clip = 0.5,
                   .warmup = 0.5 } },
    { .name = "norm, rmsprop, more images in a group than are taken at once",
      .shape = { 13, 9, 3 },
      .images = 150,
      .spec = "conv 4 5x3 stride 2, norm relu, globalavg, dense 10",
      .options = { .epochs = 2, .batch = 150, .optimizer = "rmsprop" } },
    { .name = "wide kernels, adagrad, mse",
      .shape = { 13, 9, 3 },
      .images = 40,
      .spec = "conv 17 4x4 stride 3 pad 2 tanh, globalpool, dense 33 sigmoid, dense 10, mse",
      .options = { .epochs = 2, .batch = 9, .optimizer = "adagrad" } },
};
#define RUNS (sizeof runs / sizeof runs[0])

static void check(enum ink_status status, const struct ink_error *err)
{
    if (status != INK_OK)
        fail_msg("%s", err->message);
}

static uint8_t *noise(size_t count)
{
    uint8_t *bytes = malloc(count);
    uint32_t state = 1;
    assert_non_null(bytes);
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(state >> 24);
    }
    return bytes;
}

/* The data of a run. Free with ink_dataset_free; and *pixels and *labels, which may be NULL, with free. */
static struct ink_dataset *open_data(const struct run *run, uint8_t **pixels, uint16_t **labels)
{
    struct ink_dataset *data = NULL;
    struct ink_error err;
    *pixels = NULL;
    *labels = NULL;
    if (run->shape.height == 0) {
        const struct ink_dataset_options drawn = { .synthetic_count = run->images };
        check(ink_dataset_open(&data, "synthetic", INK_TRAIN, &drawn, &err), &err);
        return data;
    }
    *pixels = noise(run->images * run->shape.height * run->shape.width * run->shape.channels);
    uint8_t *const numbers = noise(run->images);
    *labels = calloc(run->images, sizeof **labels);
    assert_non_null(*labels);
    for (size_t i = 0; i < run->images; i++)
        (*labels)[i] = numbers[i] % 10;
    free(numbers);
    check(ink_dataset_wrap(&data, "noise", run->shape, run->images, 10, *pixels, *labels, &err), &err);
    return data;
}

/* ---- Training ---------------------------------------------------------------------------------------------------- */

/* Saves after every batch, in the middle of the epoch, and stops after `every` batches; never if that is 0. */
struct stopper {
    size_t every, done;
    struct ink_trainer *trainer;
    const char *checkpoint;
};

static bool on_batch(void *context, const struct ink_progress *progress)
{
    struct stopper *stopper = context;
    struct ink_error err;
    (void)progress;
    if (stopper->every > 0)
        check(ink_trainer_save(stopper->trainer, stopper->checkpoint, &err), &err);
    return stopper->every == 0 || ++stopper->done % stopper->every != 0;
}

/* Trains from the beginning, or from the checkpoint at `resume`, to the end or the next stop, saving the checkpoint on
 * the way. INK_OK: to the end, and the model is in the file `model`. */
static enum ink_status train(const struct run *run, const struct ink_dataset *data, const struct ink_compute *compute,
                             size_t every, const char *resume, const char *checkpoint, const char *model)
{
    struct ink_net *net = NULL;
    struct ink_trainer *trainer = NULL;
    struct ink_epoch_stats stats;
    struct ink_error err;
    struct stopper stopper = { .every = every, .checkpoint = checkpoint };
    struct ink_train_options options = run->options;
    options.seed = 5;
    options.compute = *compute;
    options.on_batch = on_batch;
    options.context = &stopper;
    check(ink_net_new(&net, ink_dataset_shape(data), run->spec, NULL, 5, &err), &err);
    check(ink_trainer_new(&trainer, net, data, &options, &err), &err);
    stopper.trainer = trainer;
    if (resume != NULL)
        check(ink_trainer_resume(trainer, resume, &err), &err);
    enum ink_status status = INK_OK;
    while (status == INK_OK && !ink_trainer_done(trainer))
        status = ink_trainer_epoch(trainer, &stats, &err);
    if (status != INK_STOPPED) {
        check(status, &err);
        check(ink_trainer_finish(trainer, &err), &err);
        check(ink_net_save(net, model, &err), &err);
    }
    ink_trainer_free(trainer);
    ink_net_free(net);
    return status;
}

static void compare(const struct run *run, const struct ink_compute *compute, const struct bytes *expected,
                    const char *model)
{
    const struct bytes found = read_bytes(model);
    size_t first = 0;
    while (first < found.size && first < expected->size && found.at[first] == expected->at[first])
        first++;
    if (found.size != expected->size || first < found.size)
        fail_msg("%s, %s, %zu threads: %zu bytes, the reference %zu; the first that differs is byte %zu", run->name,
                 compute->kernels, compute->threads, found.size, expected->size, first);
    free(found.at);
}

static struct bytes reference(const struct run *run, const struct ink_dataset *data, const char *kernels)
{
    const struct ink_compute compute = { .threads = 1, .kernels = kernels };
    const char *path = scratch_path("reference");
    assert_int_equal(train(run, data, &compute, 0, NULL, NULL, path), INK_OK);
    return read_bytes(path);
}

static void test_same_bits(void **state)
{
    const struct run *run = *state;
    static const size_t threads[] = { 1, 2, 3, 5, 8 };
    uint8_t *pixels;
    uint16_t *labels;
    struct ink_dataset *data = open_data(run, &pixels, &labels);
    const struct bytes expected = reference(run, data, "portable");
    for (size_t k = 0; ink_kernels_name(k) != NULL; k++)
        for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
            const struct ink_compute compute = { .threads = threads[t], .kernels = ink_kernels_name(k) };
            const char *path = scratch_path("model");
            assert_int_equal(train(run, data, &compute, 0, NULL, NULL, path), INK_OK);
            compare(run, &compute, &expected, path);
        }
    free(expected.at);
    ink_dataset_free(data);
    free(pixels);
    free(labels);
}

/* Stops after every k-th batch, each time going on in a new trainer, with other threads than before. */
static void test_resumed(void **state)
{
    const struct run *run = *state;
    uint8_t *pixels;
    uint16_t *labels;
    struct ink_dataset *data = open_data(run, &pixels, &labels);
    const struct bytes expected = reference(run, data, NULL);
    const size_t images = run->images - run->options.validation, batch = run->options.batch;
    const size_t batches = run->options.epochs * ((images + batch - 1) / batch);
    for (size_t every = 1; every <= 4; every++) {
        struct ink_compute compute = { .threads = 1, .kernels = ink_kernels_best() };
        const char *checkpoint = scratch_path("checkpoint"), *path = scratch_path("model"), *resume = NULL;
        size_t stops = 0;
        while (train(run, data, &compute, every, resume, checkpoint, path) == INK_STOPPED) {
            resume = checkpoint;
            compute.threads = compute.threads % 3 + 1;
            stops++;
        }
        assert_int_equal(stops, batches / every);
        compare(run, &compute, &expected, path);
    }
    free(expected.at);
    ink_dataset_free(data);
    free(pixels);
    free(labels);
}

int main(void)
{
    struct CMUnitTest tests[2 * RUNS] = { { 0 } };
    char names[2 * RUNS][96];
    for (size_t i = 0; i < 2 * RUNS; i++) {
        const struct run *run = &runs[i / 2];
        snprintf(names[i], sizeof names[i], "%s: %s", i % 2 == 0 ? "same bits" : "resumed", run->name);
        tests[i] = (struct CMUnitTest){ .name = names[i],
                                        .test_func = i % 2 == 0 ? test_same_bits : test_resumed,
                                        .initial_state = (void *)(uintptr_t)run };
    }
    return _cmocka_run_group_tests("bits", tests, 2 * RUNS, scratch_make, scratch_remove);
}
