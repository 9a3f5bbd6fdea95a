/* Weights of classes in the loss, and the images that training held out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "step.h"
#include "train/balance.h"

static void check(enum ink_status status, const struct ink_error *err)
{
    if (status != INK_OK)
        fail_msg("%s", err->message);
}

/* ---- Weights ----------------------------------------------------------------------------------------------------- */

static void test_weights(void **state)
{
    (void)state;
    static const uint8_t pixels[8] = { 0 };
    static const uint16_t labels[8] = { 0, 0, 0, 1, 3, 3, 1, 0 };
    static const uint32_t chosen[6] = { 7, 5, 4, 2, 1, 0 }; /* four of class 0, two of class 3 */
    struct ink_error err = { 0 };
    struct ink_dataset *data = NULL;
    float *weights = NULL;
    check(ink_dataset_wrap(&data, "made", (struct ink_shape){ 1, 1, 1 }, 8, 5, pixels, labels, &err), &err);
    check(ink__class_weights(&weights, "balanced", data, chosen, 6, 6, &err), &err);
    static const float expected[6] = { 6.0f / (2 * 4), 0, 0, 6.0f / (2 * 2), 0, 0 };
    assert_memory_equal(weights, expected, sizeof expected);
    free(weights);
    check(ink__class_weights(&weights, "none", data, chosen, 6, 6, &err), &err);
    assert_null(weights);
    assert_int_equal(ink__class_weights(&weights, "fair", data, chosen, 6, 6, &err), INK_BAD_ARGUMENT);
    assert_string_equal(err.message, "class weights 'fair', expected none or balanced");
    ink_dataset_free(data);
}

/* A weight of 2 is the sample twice: the sums over two samples, weighted, and over three are the same. */
static void test_loss(void **state)
{
    (void)state;
    static const char *const specs[] = { "dense 7 tanh, dense 3", "dense 7 tanh, dense 3, mse" };
    static const float images[3][4] = { { 0.1f, 0.9f, 0.3f, 0.2f },
                                        { 0.7f, 0.2f, 0.5f, 1.0f },
                                        { 0.1f, 0.9f, 0.3f, 0.2f } };
    static const uint16_t labels[3] = { 2, 0, 2 };
    static const float weights[3] = { 1, 100, 2 }, ones[3] = { 1, 1, 1 };
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        struct ink_error err = { 0 };
        struct ink_net *net = NULL;
        check(ink_net_new(&net, (struct ink_shape){ 2, 2, 1 }, specs[i], NULL, 1, &err), &err);
        struct ink__batch batch = { .count = 2, .floats = images[0], .label = labels, .smoothing = 0.1f };
        struct ink__batch thrice = batch;
        batch.class_weight = weights;
        thrice.count = 3;
        struct step_result weighted = step(net, &batch, 1, "portable", 1);
        struct step_result repeated = step(net, &thrice, 1, "portable", 1);
        double difference = 0, size = 0;
        for (size_t k = 0; k < net->weight_count; k++) {
            const double a = 2 * (double)weighted.gradient[k], b = 3 * (double)repeated.gradient[k];
            difference = fmax(difference, fabs(a - b));
            size = fmax(size, fabs(b));
        }
        assert_true(size > 0.01);
        assert_true(difference < 1e-6 * size);
        assert_true(fabs(2 * weighted.loss - 3 * repeated.loss) < 1e-6);
        step_free(&repeated);
        /* Weights of one are none. */
        batch.class_weight = ones;
        struct step_result same = step(net, &batch, 1, "portable", 1);
        batch.class_weight = NULL;
        struct step_result none = step(net, &batch, 1, "portable", 1);
        assert_memory_equal(same.gradient, none.gradient, net->weight_count * sizeof(float));
        assert_true(same.loss == none.loss && none.loss != weighted.loss);
        step_free(&same);
        step_free(&none);
        step_free(&weighted);
        ink_net_free(net);
    }
}

/* ---- Training ---------------------------------------------------------------------------------------------------- */

struct trained {
    struct ink_net *net;
    double validation_accuracy;
};

static struct trained train(const struct ink_dataset *data, size_t validation, const char *class_weights,
                            size_t threads)
{
    struct trained trained = { NULL, 0 };
    struct ink_trainer *trainer = NULL;
    struct ink_epoch_stats stats;
    struct ink_error err = { 0 };
    struct ink_train_options options;
    check(ink_net_new(&trained.net, ink_dataset_shape(data), "dense 16 relu, dense 10", NULL, 5, &err), &err);
    ink_train_options_default(&options, "");
    assert_string_equal(options.class_weights, "none");
    options.epochs = 6;
    options.batch = 25;
    options.seed = 9;
    options.validation = validation;
    options.keep_last = true;
    options.class_weights = class_weights;
    options.compute.threads = threads;
    check(ink_trainer_new(&trainer, trained.net, data, &options, &err), &err);
    while (!ink_trainer_done(trainer))
        check(ink_trainer_epoch(trainer, &stats, &err), &err);
    trained.validation_accuracy = stats.validation_accuracy;
    check(ink_trainer_finish(trainer, &err), &err);
    ink_trainer_free(trainer);
    return trained;
}

/* The value of a key of the metadata. */
static const char *metadata(const struct ink_net *net, const char *wanted)
{
    const char *key = NULL, *value = NULL;
    for (size_t i = 0; ink_net_metadata(net, i, &key, &value); i++)
        if (strcmp(key, wanted) == 0)
            return value;
    return NULL;
}

static struct ink_dataset *draw(size_t count, uint64_t seed)
{
    const struct ink_dataset_options options = { .synthetic_count = count, .synthetic_seed = seed };
    struct ink_dataset *data = NULL;
    struct ink_error err = { 0 };
    check(ink_dataset_open(&data, "synthetic", INK_TRAIN, &options, &err), &err);
    return data;
}

/* The same bits for any number of threads; other ones than without; and the options say so only where it is so. */
static void test_training(void **state)
{
    (void)state;
    struct ink_dataset *data = draw(400, 0);
    uint16_t labels[400];
    for (size_t i = 0; i < 400; i++) /* half of all are a 3 */
        labels[i] = (uint16_t)(i % 2 == 0 ? 3 : ink_dataset_label(data, i));
    struct ink_dataset *uneven = NULL;
    check(ink_dataset_wrap(&uneven, "uneven", ink_dataset_shape(data), 400, 10, ink_dataset_pixels(data, 0), labels,
                           NULL),
          NULL);
    const struct trained one = train(uneven, 40, "balanced", 1), three = train(uneven, 40, "balanced", 3);
    const struct trained none = train(uneven, 40, "none", 1), usual = train(uneven, 40, NULL, 1);
    const size_t size = one.net->weight_count * sizeof(float);
    assert_memory_equal(one.net->weights, three.net->weights, size);
    assert_memory_equal(none.net->weights, usual.net->weights, size);
    assert_memory_not_equal(one.net->weights, none.net->weights, size);
    assert_non_null(strstr(metadata(one.net, "options"), " class_weights=balanced"));
    assert_null(strstr(metadata(none.net, "options"), "class_weights"));
    ink_net_free(one.net);
    ink_net_free(three.net);
    ink_net_free(none.net);
    ink_net_free(usual.net);
    ink_dataset_free(uneven);
    ink_dataset_free(data);
}

/* The images held out are those that validation saw: the accuracy on them is the one that training told. */
static void test_held_out(void **state)
{
    (void)state;
    struct ink_error err = { 0 };
    struct ink_dataset *data = draw(400, 0), *other = draw(400, 1), *held_out = NULL;
    const struct trained trained = train(data, 60, "none", 1);
    if (metadata(trained.net, "dataset_sha256") == NULL) {
        print_message("skipped: this build has no SHA-256\n");
        skip();
    }
    assert_true(ink_net_trained_on(trained.net, data));
    assert_false(ink_net_trained_on(trained.net, other));
    check(ink_dataset_held_out(&held_out, data, trained.net, &err), &err);
    assert_int_equal(ink_dataset_count(held_out), 60);
    assert_string_equal(ink_dataset_class_name(held_out, 9), "9");
    struct ink_metrics metrics;
    check(ink_evaluate(trained.net, held_out, NULL, &metrics, &err), &err);
    assert_true(metrics.accuracy == trained.validation_accuracy);
    assert_true(metrics.accuracy > 0.2 && metrics.accuracy < 1); /* or it would not tell one part from another */
    ink_metrics_free(&metrics);
    ink_dataset_free(held_out);

    const struct trained all = train(data, 0, "none", 1);
    assert_true(ink_net_trained_on(all.net, data));
    assert_int_equal(ink_dataset_held_out(&held_out, data, all.net, &err), INK_BAD_INPUT);
    assert_null(held_out);
    assert_non_null(strstr(err.message, "held out none"));
    struct ink_net *fresh = NULL;
    check(ink_net_new(&fresh, ink_dataset_shape(data), "dense 10", NULL, 5, &err), &err);
    assert_false(ink_net_trained_on(fresh, data));
    assert_int_equal(ink_dataset_held_out(&held_out, data, fresh, &err), INK_BAD_INPUT);
    struct ink_dataset *few = draw(50, 0);
    assert_int_equal(ink_dataset_held_out(&held_out, few, trained.net, &err), INK_BAD_INPUT);
    ink_dataset_free(few);
    ink_net_free(fresh);
    ink_net_free(all.net);
    ink_net_free(trained.net);
    ink_dataset_free(other);
    ink_dataset_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_held_out),
    };
    return cmocka_run_group_tests_name("balance", tests, NULL, NULL);
}
