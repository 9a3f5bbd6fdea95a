/*
 * Every layer and loss, forward and backward: see net_check.h for what is done with each line of the tables.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net_check.h"
#include "step.h"

static void check_all(const struct net_question *questions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        net_check(&questions[i]);
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A question with nothing special: float images of h x w x c, no smoothing. */
#define FLOATS(spec, h, w, c, count)                                                                                   \
    {                                                                                                                  \
        spec, { h, w, c }, count, 0, 0, false                                                                          \
    }

/* ---- Dense layers, activations, losses --------------------------------------------------------------------------- */

static void dense(void **state)
{
    (void)state;
    static const struct net_question table[] = {
        FLOATS("dense 2", 1, 1, 1, 1),
        { "dense 5, dense 3", { 4, 3, 2 }, 7, 0, 0, true },
        FLOATS("dense 7 sigmoid, dense 6 tanh, dense 3", 4, 3, 2, 7),
        FLOATS("dense 7 relu, dense 6 leaky 0.2, dense 3", 4, 3, 2, 9),
        FLOATS("dense 7 gelu, dense 6 leaky, dense 3", 4, 3, 2, 8),
        FLOATS("tanh, dense 5, sigmoid, dense 6, leaky, dense 5, relu, dense 4, gelu, dense 3", 3, 3, 1, 6),
        FLOATS("dense 33 tanh, dense 17", 5, 5, 1, 150), /* several chunks in a group */
        { "dense 100 relu, dense 65 relu, dense 10 relu", { 9, 9, 1 }, 40, 0, 0, true },
    };
    check_all(table, COUNT(table));
}

static void losses(void **state)
{
    (void)state;
    static const struct net_question table[] = {
        { "dense 6 tanh, dense 4, cross-entropy", { 3, 3, 1 }, 5, 0, 0.1f, false },
        FLOATS("dense 6 tanh, dense 4, mse", 3, 3, 1, 5),
        { "dense 6 tanh, dense 4, mse", { 3, 3, 1 }, 5, 0, 0.2f, false },
        { "dense 6 tanh, dense 20, mse", { 3, 3, 1 }, 150, 0, 0, true },
    };
    check_all(table, COUNT(table));
}

static void bytes_and_the_sparse_layer(void **state)
{
    (void)state;
    static const struct net_question table[] = {
        { "dense 17 sigmoid, dense 9 sigmoid, dense 10", { 12, 11, 1 }, 20, 0.2, 0, false },
        { "dense 50 sigmoid, dense 10, mse", { 7, 5, 1 }, 150, 0.2, 0.1f, false },
        { "dense 9 tanh, dense 3", { 7, 5, 1 }, 11, 0.2, 0, true },  /* a mean: zero is not zero */
        { "dense 9 tanh, dense 3", { 5, 4, 3 }, 11, 0.2, 0, true },  /* several channels */
        { "dense 9 tanh, dense 3", { 7, 5, 1 }, 11, 0.9, 0, false }, /* too dense */
        { "conv 3 3x3 tanh, dense 3", { 7, 5, 2 }, 11, 0.3, 0, true },
        { "dropout 0.2, dense 5 tanh, dense 3", { 7, 5, 1 }, 11, 0.3, 0, false },
    };
    check_all(table, COUNT(table));
}

/* ---- Windows ----------------------------------------------------------------------------------------------------- */

/* A convolution with layers that learn on either side, any shape of its own. tanh has no kinks. */
static void convolutions(void **state)
{
    (void)state;
    static const size_t filters[] = { 1, 2, 3, 4, 5, 8, 16, 17 }, channels[] = { 1, 2, 3, 4, 5, 8, 17 };
    static const struct ink_shape inputs[] = { { 6, 8, 2 }, { 7, 5, 1 }, { 5, 12, 3 }, { 9, 9, 1 }, { 8, 10, 2 } };
    static const size_t kernels[][2] = { { 1, 1 }, { 2, 2 }, { 3, 3 }, { 5, 5 }, { 2, 3 }, { 4, 1 }, { 1, 4 } };
    for (size_t i = 0; i < 150; i++) {
        const size_t *kernel = kernels[net_random() % COUNT(kernels)];
        const size_t side = kernel[0] < kernel[1] ? kernel[0] : kernel[1];
        const size_t before = channels[net_random() % COUNT(channels)], stride = 1 + net_random() % 3;
        const size_t pad = net_random() % side, input = net_random() % COUNT(inputs), count = 1 + net_random() % 4;
        char spec[120];
        snprintf(spec, sizeof spec, "conv %zu 1x1, conv %zu %zux%zu stride %zu pad %zu tanh, dense 3", before,
                 filters[i % COUNT(filters)], kernel[0], kernel[1], stride, pad);
        net_check(&(struct net_question){ .spec = spec, .input = inputs[input], .count = count });
    }
}

static void more_convolutions(void **state)
{
    (void)state;
    static const struct net_question table[] = {
        FLOATS("conv 4 3x3 relu, conv 5 3x3 leaky 0.3, conv 6 2x2 sigmoid, dense 3", 8, 9, 1, 5),
        { "conv 4 3x3 gelu, conv 5 3x3 stride 2 pad 2 gelu, dense 3, mse", { 8, 9, 2 }, 5, 0, 0, true },
        FLOATS("conv 3 3x3 pad 1 tanh, conv 2 6x7", 6, 7, 1, 150), /* several chunks in a group */
        { "lenet", { 28, 28, 1 }, 3, 0.2, 0, false },
    };
    check_all(table, COUNT(table));
}

static void pools(void **state)
{
    (void)state;
    static const struct net_question table[] = {
        FLOATS("conv 3 2x2, pool 2, dense 3", 7, 9, 1, 5),
        FLOATS("conv 3 2x2, pool 3 stride 2, dense 3", 8, 9, 2, 5),
        FLOATS("conv 17 2x2, pool 2x3 stride 1, dense 3", 7, 6, 1, 5),
        FLOATS("conv 3 2x2, pool 1 stride 2, dense 3", 7, 6, 1, 5),
        FLOATS("conv 3 2x2, globalpool, dense 3", 7, 6, 1, 5),
        FLOATS("conv 3 2x2, avgpool 2, dense 3", 8, 7, 1, 5),
        FLOATS("conv 3 2x2, avgpool 3 stride 2, dense 3", 8, 9, 1, 5),
        FLOATS("conv 17 2x2, avgpool 3x2 stride 1, dense 3", 7, 6, 1, 5),
        FLOATS("conv 3 2x2, globalavg", 7, 6, 1, 5),
        FLOATS("pool 2, conv 3 2x2, avgpool 2", 6, 6, 1, 5),
    };
    check_all(table, COUNT(table));
}

/* ---- Norms, dropout, groups -------------------------------------------------------------------------------------- */

static void norms(void **state)
{
    (void)state;
    static const struct net_question table[] = {
        { "norm, dense 3", { 4, 3, 2 }, 7, 0, 0, true },
        FLOATS("norm relu, conv 3 3x3, dense 3", 5, 6, 2, 9),
        FLOATS("conv 4 3x3, norm relu, dense 3", 6, 5, 1, 9),
        FLOATS("dense 6, norm tanh, dense 3", 4, 3, 1, 9),
        FLOATS("dense 6 sigmoid, norm, dense 3, norm", 4, 3, 1, 12),
        FLOATS("conv 4 3x3 relu, norm, conv 3 2x2, norm leaky, globalavg, dense 3", 7, 8, 1, 5),
        { "conv 17 2x2, norm gelu, norm sigmoid, pool 2, norm, dense 3, mse", { 6, 7, 2 }, 10, 0, 0.1f, true },
        FLOATS("conv 3 3x3, pool 2, norm relu, dense 3", 8, 8, 1, 20), /* a bias without effect */
        FLOATS("conv 3 3x3, norm relu, conv 4 3x3, norm relu, dense 3", 7, 7, 1, 150),
        { "convnet", { 28, 28, 1 }, 4, 0.2, 0, false },
    };
    check_all(table, COUNT(table));
}

static void dropouts(void **state)
{
    (void)state;
    static const struct net_question table[] = {
        FLOATS("dense 9 tanh, dropout 0.4, dense 5, dropout 0.1, dense 3", 4, 3, 2, 9),
        FLOATS("conv 3 3x3 tanh, dropout 0.5, conv 3 2x2 tanh, dropout 0.25, dense 3", 6, 7, 1, 9),
        FLOATS("dropout 0, dense 4, dropout 0.9, norm, dense 3", 3, 3, 1, 40),
        FLOATS("dense 8 tanh, dropout 0.3, dense 3", 4, 3, 1, 150),
    };
    check_all(table, COUNT(table));
}

static void groups(void **state)
{
    (void)state;
    static const struct net_question table[] = {
        FLOATS("dense 6, res [ dense 6 tanh ], dense 3", 4, 3, 1, 9),
        FLOATS("conv 4 3x3 pad 1, res [ conv 4 3x3 pad 1 tanh, conv 4 3x3 pad 1 ], relu, dense 3", 6, 5, 1, 5),
        { "res [ conv 2 3x3 pad 1 tanh ], dense 3", { 5, 6, 2 }, 5, 0, 0, true },
        FLOATS("res [ relu ], dense 3", 5, 6, 2, 5),
        FLOATS("conv 3 1x1, res [ tanh, res [ conv 3 3x3 pad 1, res [ sigmoid ] ], dropout 0.3 ], dense 3", 5, 6, 1, 9),
        FLOATS("conv 3 3x3, res [ conv 3 3x3 pad 1, norm relu, conv 3 3x3 pad 1, norm ], relu, globalavg, dense 3", 7,
               6, 1, 9),
        FLOATS("res [ norm, conv 2 3x3 pad 1, norm ], norm relu, dense 3", 5, 6, 2, 12),
        FLOATS("dense 5, res [ dropout 0.5 ], res [ norm ], dense 3", 5, 6, 1, 30),
    };
    check_all(table, COUNT(table));
}

/* ---- Where a loss went wrong ------------------------------------------------------------------------------------- */

/* A weight that is not a number is found in its layer, `sick`. */
static void check_diagnosis(const struct net_question *q, size_t sick)
{
    struct net_setting s;
    net_setting_make(&s, q);
    struct ink__plan *plan = step_plan(s.net, q->count, true, s.density, NULL, 1);
    ink__plan_step(plan, NULL, &s.batch);
    assert_true(isfinite(ink__plan_loss(plan)));
    assert_int_equal(ink__plan_diagnose(plan, &s.batch), s.net->layer_count);
    s.net->weights[s.net->parameters[s.net->layers[sick].parameter].offset] = NAN;
    ink__plan_load(plan, s.net->weights);
    ink__plan_step(plan, NULL, &s.batch);
    assert_false(isfinite(ink__plan_loss(plan)));
    assert_int_equal(ink__plan_diagnose(plan, &s.batch), sick);
    ink__plan_free(plan);
    net_setting_free(&s);
}

static void diagnosis(void **state)
{
    (void)state;
    const struct net_question plain = {
        "conv 3 2x2, relu, conv 17 2x2 tanh, dense 4, dense 3", { 5, 5, 1 }, 20, 0, 0, false
    };
    const struct net_question cut = {
        "conv 3 2x2, norm, relu, dense 4, norm relu, dense 3", { 5, 5, 1 }, 20, 0, 0, false
    };
    check_diagnosis(&plain, 0);
    check_diagnosis(&plain, 2);
    check_diagnosis(&plain, 4);
    check_diagnosis(&cut, 0);
    check_diagnosis(&cut, 1);
    check_diagnosis(&cut, 4);
    check_diagnosis(&cut, 5);
}

static int report(void **state)
{
    (void)state;
    print_message("largest error of a layer's gradient: %.2g of its norm\n", net_check_worst());
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense),
        cmocka_unit_test(losses),
        cmocka_unit_test(bytes_and_the_sparse_layer),
        cmocka_unit_test(convolutions),
        cmocka_unit_test(more_convolutions),
        cmocka_unit_test(pools),
        cmocka_unit_test(norms),
        cmocka_unit_test(dropouts),
        cmocka_unit_test(groups),
        cmocka_unit_test(diagnosis),
    };
    return cmocka_run_group_tests(tests, NULL, report);
}
