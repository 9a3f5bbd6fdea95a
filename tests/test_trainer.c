/* What options do to a training run: averaging of weights, rates and decay by kind of parameter, normalised input; and
 * where the optimizers' running means end. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/dataset.h"
#include "train/metrics.h"
#include "train/trainer.h"

#define NORMED "conv 6 3x3 pad 1, norm relu, pool 4, dense 12 relu, dense 10"

static void check(enum ink_status status, const struct ink_error *err)
{
    if (status != INK_OK)
        fail_msg("%s", err->message);
}

static struct ink_dataset *draw(size_t count)
{
    const struct ink_dataset_options drawn = { .synthetic_count = count };
    struct ink_dataset *data = NULL;
    struct ink_error err;
    check(ink_dataset_open(&data, "synthetic", INK_TRAIN, &drawn, &err), &err);
    return data;
}

static struct ink_net *make(const struct ink_dataset *data, const char *spec)
{
    struct ink_net *net = NULL;
    struct ink_error err;
    check(ink_net_new(&net, ink_dataset_shape(data), spec, "he", 1, &err), &err);
    return net;
}

/* ---- The mean of the weights ------------------------------------------------------------------------------------- */

/* The mean in double precision, from the weights after each step. */
struct mean {
    const struct ink_net *net;
    double half_life; /* steps */
    size_t steps;
    double *weights;
};

static bool follow(void *context, const struct ink_progress *progress)
{
    struct mean *mean = context;
    (void)progress;
    const double share = fmax(1.0 - pow(0.5, 1.0 / mean->half_life), 1.0 / (double)++mean->steps);
    for (size_t i = 0; i < mean->net->weight_count; i++)
        mean->weights[i] += share * ((double)mean->net->weights[i] - mean->weights[i]);
    return true;
}

static void assert_mean(const struct mean *mean, const float *found)
{
    for (size_t i = 0; i < mean->net->weight_count; i++)
        if (fabs((double)found[i] - mean->weights[i]) > 1e-5)
            fail_msg("weight %zu is %g, expected %g", i, (double)found[i], mean->weights[i]);
}

/* Validation is of the mean, running statistics and all, and the mean is what is left in the end. */
static void test_ema(void **state)
{
    (void)state;
    static const double half_lives[] = { 0.02, 0.1, 1.0, 1e6 }; /* epochs of 8 steps */
    struct ink_dataset *data = draw(100);
    for (size_t h = 0; h < 4; h++) {
        struct ink_net *net = make(data, NORMED);
        struct mean mean = { .net = net,
                             .half_life = half_lives[h] * 8.0,
                             .weights = calloc(net->weight_count, sizeof *mean.weights) };
        const struct ink_train_options options = { .epochs = 2,
                                                   .batch = 10,
                                                   .validation = 20,
                                                   .keep_last = true,
                                                   .learning_rate = 0.01,
                                                   .clip = h % 2 == 0 ? 0.0 : 1.0,
                                                   .ema = half_lives[h],
                                                   .on_batch = follow,
                                                   .context = &mean };
        struct ink_trainer *t = NULL;
        struct ink_epoch_stats stats;
        struct ink_error err;
        check(ink_trainer_new(&t, net, data, &options, &err), &err);
        for (size_t epoch = 0; epoch < 2; epoch++)
            check(ink_trainer_epoch(t, &stats, &err), &err);
        assert_mean(&mean, t->average);
        float *last = malloc(net->weight_count * sizeof *last);
        memcpy(last, net->weights, net->weight_count * sizeof *last);
        check(ink_trainer_finish(t, &err), &err);
        assert_mean(&mean, net->weights);
        if (h > 0)
            assert_memory_not_equal(last, net->weights, net->weight_count * sizeof *last);

        /* The finished net does on the validation images what validation said. */
        struct ink_metrics metrics = { 0 };
        ink__plan_load(t->evaluation, net->weights);
        ink__count_answers(t->evaluation, t->pool, data, t->chosen + t->count, 20, t->probabilities, &metrics);
        assert_true(metrics.loss / 20.0 == stats.validation_loss);
        free(last);
        free(mean.weights);
        ink_trainer_free(t);
        ink_net_free(net);
    }
    ink_dataset_free(data);
}

static void test_average_share(void **state)
{
    (void)state;
    for (double half_life = 1e-3; half_life < 1e9; half_life *= 1.7)
        for (size_t step = 1; step < 100000; step *= 3) {
            const double expected = fmax(-expm1(-log(2.0) / half_life), 1.0 / (double)step);
            assert_true(fabs((double)ink__average_share(half_life, step) - expected) < 1e-7 * expected);
        }
}

/* ---- Kinds of parameters ----------------------------------------------------------------------------------------- */

/* What one step of gradient descent does to the weights. Free it. */
static double *step_of(const struct ink_dataset *data, const struct ink_train_options *given, const char *spec)
{
    struct ink_net *net = make(data, spec);
    struct ink_trainer *t = NULL;
    struct ink_epoch_stats stats;
    struct ink_error err;
    struct ink_train_options options = *given;
    double *change = malloc(net->weight_count * sizeof *change);
    options.epochs = 1;
    options.batch = ink_dataset_count(data);
    options.optimizer = "sgd";
    options.learning_rate = 0.5;
    for (size_t i = 0; i < net->weight_count; i++)
        change[i] = -(double)net->weights[i];
    check(ink_trainer_new(&t, net, data, &options, &err), &err);
    check(ink_trainer_epoch(t, &stats, &err), &err);
    for (size_t i = 0; i < net->weight_count; i++)
        change[i] += (double)net->weights[i];
    ink_trainer_free(t);
    ink_net_free(net);
    return change;
}

static void test_kinds(void **state)
{
    (void)state;
    const char *spec = "conv 6 3x3 relu, norm, pool 4, dense 12 relu, dense 10";
    struct ink_dataset *data = draw(40);
    struct ink_net *net = make(data, spec);
    double *plain = step_of(data, &(struct ink_train_options){ 0 }, spec);
    double *fast = step_of(data, &(struct ink_train_options){ .bias_rate = 8.0 }, spec);
    double *decayed = step_of(data, &(struct ink_train_options){ .weight_decay = 0.1 }, spec);
    size_t biases = 0;
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct ink__parameter *p = &net->parameters[i];
        const bool bias = strstr(p->name, "bias") != NULL || strstr(p->name, "shift") != NULL;
        const bool weight = strstr(p->name, "weight") != NULL;
        biases += bias;
        for (size_t k = 0; k < p->rows * p->columns; k++) {
            const size_t at = p->offset + k / p->columns * p->ld + k % p->columns;
            const double w = (double)net->weights[at];
            if (fabs(fast[at] - (bias ? 8.0 : 1.0) * plain[at]) > 1e-6)
                fail_msg("%s, bias rate: changed by %g, without by %g", p->name, fast[at], plain[at]);
            if (fabs(decayed[at] - plain[at] + (weight ? 0.05 * w : 0.0)) > 1e-6)
                fail_msg("%s, weight decay: changed by %g, without by %g", p->name, decayed[at], plain[at]);
        }
    }
    assert_int_equal(biases, 4);
    free(plain);
    free(fast);
    free(decayed);
    ink_net_free(net);
    ink_dataset_free(data);
}

/* ---- Normalised input -------------------------------------------------------------------------------------------- */

static void test_normalise(void **state)
{
    (void)state;
    enum { COUNT = 50, SIZE = 6 * 5 * 3 };
    uint8_t pixels[COUNT * SIZE];
    uint16_t labels[COUNT];
    struct ink_dataset *data = NULL;
    struct ink_trainer *t = NULL;
    struct ink_epoch_stats stats;
    struct ink_error err;
    for (size_t i = 0; i < sizeof pixels; i++) /* the channels differ, the last is always the same */
        pixels[i] = (uint8_t)(i % 3 == 0 ? i * 37 % 256 : i % 3 == 1 ? 100 + i * 11 % 50 : 9);
    for (size_t i = 0; i < COUNT; i++)
        labels[i] = (uint16_t)(i % 4);
    check(ink_dataset_wrap(&data, "three", (struct ink_shape){ 6, 5, 3 }, COUNT, 4, pixels, labels, &err), &err);
    struct ink_net *net = make(data, "conv 4 3x3 pad 1 relu, dense 4");
    const struct ink_train_options options = { .epochs = 1, .batch = 10, .validation = 20, .normalise = true };
    check(ink_trainer_new(&t, net, data, &options, &err), &err);
    for (size_t c = 0; c < 3; c++) {
        double sum = 0.0, squares = 0.0, count = 30.0 * SIZE / 3.0;
        for (size_t i = 0; i < 30; i++)
            for (size_t k = c; k < SIZE; k += 3)
                sum += pixels[t->chosen[i] * SIZE + k] / 255.0;
        for (size_t i = 0; i < 30; i++)
            for (size_t k = c; k < SIZE; k += 3)
                squares += pow(pixels[t->chosen[i] * SIZE + k] / 255.0 - sum / count, 2.0);
        assert_true(fabs((double)net->mean[c] - sum / count) < 1e-6);
        assert_true(fabs((double)net->deviation[c] - (c == 2 ? 1.0 : sqrt(squares / count))) < 1e-6);
    }
    check(ink_trainer_epoch(t, &stats, &err), &err);
    assert_true(isfinite(stats.loss));
    ink_trainer_free(t);
    ink_net_free(net);
    ink_dataset_free(data);
}

/* A first layer that reads digits as sparse rows must see the ground too once it is not zero: with the input's mean and
 * deviation taken into its weights by hand, a network gives what it gave. */
static void test_normalised_ground(void **state)
{
    (void)state;
    struct ink_dataset *data = draw(30);
    struct ink_net *net = make(data, "dense 10"), *plain = make(data, "dense 10");
    struct ink_trainer *t = NULL;
    struct ink_error err;
    struct ink_metrics normalised, folded;
    const struct ink_train_options options = { .epochs = 1, .normalise = true };
    check(ink_trainer_new(&t, net, data, &options, &err), &err);
    const struct ink__parameter *weight = &net->parameters[0], *bias = &net->parameters[1];
    for (size_t c = 0; c < 10; c++) {
        double sum = 0.0;
        for (size_t r = 0; r < weight->rows; r++) {
            float *w = &plain->weights[weight->offset + r * weight->ld + c];
            *w /= net->deviation[0];
            sum += (double)*w;
        }
        plain->weights[bias->offset + c] -= (float)(sum * (double)net->mean[0]);
    }
    check(ink_evaluate(net, data, NULL, &normalised, &err), &err);
    check(ink_evaluate(plain, data, NULL, &folded, &err), &err);
    assert_true(fabs(normalised.loss - folded.loss) < 1e-5);
    ink_metrics_free(&normalised);
    ink_metrics_free(&folded);
    ink_trainer_free(t);
    ink_net_free(net);
    ink_net_free(plain);
    ink_dataset_free(data);
}

/* ---- Running means ----------------------------------------------------------------------------------------------- */

/* Where a pixel is always 0 so is the gradient of its weights: what is left of its running means, and of their squares,
 * ends at 0 before it leaves the range in which processors are fast, and not before. */
static void test_faded(void **state)
{
    (void)state;
    static const char *const optimizers[] = { "momentum", "nesterov", "rmsprop", "adam", "adamw", "muon" };
    static const uint8_t pixels[8][2 * 2] = { { 0, 9, 9, 9 },  { 0, 80, 9, 1 }, { 0, 7, 90, 2 }, { 0, 3, 9, 70 },
                                              { 0, 2, 60, 9 }, { 0, 99, 2, 4 }, { 0, 5, 8, 90 }, { 0, 30, 30, 9 } };
    static const uint16_t labels[8] = { 0, 1, 1, 0, 1, 0, 0, 1 };
    struct ink_dataset *data = NULL;
    struct ink_error err;
    check(ink_dataset_wrap(&data, "four", (struct ink_shape){ 2, 2, 1 }, 8, 2, pixels[0], labels, &err), &err);
    for (size_t o = 0; o < sizeof optimizers / sizeof optimizers[0]; o++) {
        struct ink_net *net = make(data, "dense 3 tanh, dense 2");
        struct ink_trainer *t = NULL;
        struct ink_epoch_stats stats;
        const struct ink_train_options options = {
            .epochs = 1, .batch = 2, .optimizer = optimizers[o], .compute = { .threads = 1 }
        };
        check(ink_trainer_new(&t, net, data, &options, &err), &err);
        float *const means[] = { t->state1, t->state2 };
        const size_t count = t->muon != NULL ? 1 : t->optimizer->states; /* Muon keeps no squares of a matrix */
        const size_t row = net->parameters[0].offset;
        for (size_t m = 0; m < count; m++) {
            means[m][row] = 0x1.002p-100f;
            means[m][row + 1] = 0x1p-60f;
        }
        check(ink_trainer_epoch(t, &stats, &err), &err);
        for (size_t m = 0; m < count; m++)
            if (means[m][row] != 0.0f || means[m][row + 1] == 0.0f)
                fail_msg("%s: means %g and %g", optimizers[o], (double)means[m][row], (double)means[m][row + 1]);
        ink_trainer_free(t);
        ink_net_free(net);
    }
    ink_dataset_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ema),       cmocka_unit_test(test_average_share),     cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_normalise), cmocka_unit_test(test_normalised_ground), cmocka_unit_test(test_faded),
    };
    return cmocka_run_group_tests_name("trainer", tests, NULL, NULL);
}
