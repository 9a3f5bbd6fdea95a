#include "net_check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "step.h"

static uint64_t random_state = 1;

uint32_t net_random(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 32);
}

static float uniform(double low, double high)
{
    return (float)(low + (high - low) * net_random() * 0x1p-32);
}

/* ---- The setting ------------------------------------------------------------------------------------------------- */

static const uint8_t *image(void *context, size_t i, size_t thread)
{
    const struct net_setting *s = context;
    (void)thread;
    return s->bytes + i * s->inputs;
}

/* Vectors that a fresh network has at 0 or 1 get values that matter. */
static void stir(struct ink_net *net)
{
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct ink__parameter *p = &net->parameters[i];
        for (size_t c = 0; p->rank == 1 && c < p->columns; c++)
            net->weights[p->offset + c] = strstr(p->name, "scale") != NULL      ? uniform(0.5, 1.5)
                                          : strstr(p->name, "variance") != NULL ? uniform(0.5, 2.0)
                                                                                : uniform(-0.4, 0.4);
    }
}

/* The batch for the library and for the reference. */
static void fill_batches(struct net_setting *s)
{
    s->batch = (struct ink__batch){ .count = s->q->count,
                                    .image = image,
                                    .context = s,
                                    .floats = s->q->density > 0.0 ? NULL : s->floats,
                                    .sample = s->sample,
                                    .label = s->label,
                                    .seed = 5,
                                    .epoch = 3,
                                    .smoothing = s->q->smoothing };
    s->reference = (struct reference_batch){ .count = s->q->count,
                                             .images = s->images,
                                             .label = s->label,
                                             .smoothing = (double)s->q->smoothing,
                                             .training = true,
                                             .sample = s->sample,
                                             .seed = 5,
                                             .epoch = 3 };
}

void net_setting_make(struct net_setting *s, const struct net_question *q)
{
    const size_t inputs = ink__elements(q->input);
    struct ink_error err = { 0 };
    *s = (struct net_setting){ .q = q,
                               .inputs = inputs,
                               .density = q->density > 0.0 ? q->density : 1.0,
                               .floats = step_array(q->count * inputs, sizeof *s->floats),
                               .bytes = step_array(q->count * inputs, sizeof *s->bytes),
                               .images = step_array(q->count * inputs, sizeof *s->images),
                               .label = step_array(q->count, sizeof *s->label),
                               .sample = step_array(q->count, sizeof *s->sample) };
    if (ink_net_new(&s->net, q->input, q->spec, "he", 1, &err) != INK_OK)
        fail_msg("'%s': %s", q->spec, err.message);
    stir(s->net);
    for (size_t c = 0; c < 4 && q->whitened; c++) {
        s->net->mean[c] = 0.4f + 0.1f * (float)c;
        s->net->deviation[c] = 0.3f + 0.2f * (float)c;
    }
    for (size_t i = 0; i < q->count * inputs; i++) {
        s->bytes[i] = uniform(0.0, 1.0) < q->density ? (uint8_t)(net_random() >> 24) : 0;
        s->floats[i] = uniform(-1.0, 1.0);
        s->images[i] = q->density > 0.0 ? s->bytes[i] / 255.0 : (double)s->floats[i];
    }
    for (size_t i = 0; i < q->count; i++) {
        s->label[i] = (uint16_t)(net_random() % s->net->classes);
        s->sample[i] = 1000 + 7 * (uint32_t)i;
    }
    fill_batches(s);
}

void net_setting_free(struct net_setting *s)
{
    ink_net_free(s->net);
    free(s->floats);
    free(s->bytes);
    free(s->images);
    free(s->label);
    free(s->sample);
}

/* ---- The check --------------------------------------------------------------------------------------------------- */

static void assert_same_answer(const struct net_setting *s, const struct step_result *expected, const char *kernels,
                               size_t threads)
{
    struct step_result a = step(s->net, &s->batch, s->density, kernels, threads);
    const size_t size = s->net->weight_count * sizeof(float);
    if (memcmp(a.gradient, expected->gradient, size) != 0 || memcmp(a.weights, expected->weights, size) != 0 ||
        a.loss != expected->loss)
        fail_msg("'%s': other bits with %s and %zu threads", s->q->spec, kernels, threads);
    step_free(&a);
}

static double *to_double(const float *x, size_t count)
{
    double *y = step_array(count, sizeof *y);
    for (size_t i = 0; i < count; i++)
        y[i] = (double)x[i];
    return y;
}

static void assert_near(const struct net_setting *s, const char *what, double found, double expected, double most)
{
    if (!(fabs(found - expected) <= most * fmax(1.0, fabs(expected))))
        fail_msg("'%s': %s is %.9g, expected %.9g", s->q->spec, what, found, expected);
}

/* Loss, right answers and running statistics of the step. */
static void check_forward(const struct net_setting *s, const struct step_result *a, double *weights)
{
    struct reference_result r = { .statistics = step_array(s->net->weight_count, sizeof(double)),
                                  .probabilities = step_array(s->q->count * s->net->classes, sizeof(double)) };
    reference_run(s->net, weights, &s->reference, &r);
    assert_near(s, "the loss", a->loss, r.loss, 1e-6);
    size_t correct = 0;
    for (size_t i = 0; i < s->q->count; i++) {
        const double *p = r.probabilities + i * s->net->classes;
        size_t best = 0;
        for (size_t c = 1; c < s->net->classes; c++)
            best = p[c] > p[best] ? c : best;
        correct += best == s->label[i];
    }
    assert_int_equal(a->correct, correct);
    for (size_t i = 0; i < s->net->parameter_count; i++) {
        const struct ink__parameter *p = &s->net->parameters[i];
        for (size_t o = p->offset; !p->trained && o < p->offset + p->columns; o++)
            assert_near(s, p->name, (double)a->weights[o], 0.9 * weights[o] + 0.1 * r.statistics[o], 2e-6);
    }
    free(r.statistics);
    free(r.probabilities);
}

/* How many elements of a parameter are asked: all of few, a sample of many. */
enum { ASKED = 40 };

static double difference(const struct net_setting *s, double *weights, size_t at)
{
    const double h = 1e-6, w = weights[at];
    struct reference_result up = { 0 }, down = { 0 };
    weights[at] = w + h;
    reference_run(s->net, weights, &s->reference, &up);
    weights[at] = w - h;
    reference_run(s->net, weights, &s->reference, &down);
    weights[at] = w;
    return (up.loss - down.loss) / (2.0 * h);
}

static double worst;

double net_check_worst(void)
{
    return worst;
}

static void check_gradients(const struct net_setting *s, const struct step_result *a, double *weights)
{
    double *error = step_array(s->net->layer_count, sizeof *error),
           *norm = step_array(s->net->layer_count, sizeof *norm);
    double most = 0.0;
    for (size_t i = 0; i < s->net->parameter_count; i++) {
        const struct ink__parameter *p = &s->net->parameters[i];
        const size_t count = p->rows * p->columns, asked = count < ASKED ? count : ASKED;
        for (size_t k = 0; p->trained && k < asked; k++) {
            const size_t e = asked == count ? k : net_random() % count;
            const size_t at = p->offset + e / p->columns * p->ld + e % p->columns;
            const double expected = difference(s, weights, at);
            error[p->layer] += pow((double)a->gradient[at] - expected, 2.0);
            norm[p->layer] += expected * expected;
        }
    }
    for (size_t i = 0; i < s->net->layer_count; i++)
        most = fmax(most, norm[i]);
    /* A layer whose gradient vanishes, such as a bias before a norm, is measured by the others. */
    for (size_t i = 0; i < s->net->layer_count; i++) {
        const double relative = sqrt(error[i] / fmax(norm[i], 1e-6 * most));
        if (norm[i] > 0.0 && !(relative <= 1e-5))
            fail_msg("'%s', %zu of %zux%zux%zu: gradient of layer %zu (%s) is off by %.2g of its norm", s->q->spec,
                     s->q->count, s->q->input.height, s->q->input.width, s->q->input.channels, i,
                     s->net->layers[i].text, relative);
        worst = norm[i] > 0.0 ? fmax(worst, relative) : worst;
    }
    free(error);
    free(norm);
}

/* With running statistics, norms folded into the layers before them, dropout gone. */
static void check_inference(struct net_setting *s, const double *weights)
{
    const size_t classes = s->net->classes, count = s->q->count * classes;
    struct reference_result r = { .probabilities = step_array(count, sizeof(double)) };
    float *p = step_array(count, sizeof *p), *reference_bits = NULL;
    s->reference.training = false;
    reference_run(s->net, weights, &s->reference, &r);
    s->reference.training = true;
    for (size_t set = 0; ink_kernels_name(set) != NULL; set++) {
        struct ink__plan *plan = step_plan(s->net, s->q->count, false, s->density, ink_kernels_name(set), 2);
        struct ink__pool *pool = ink__pool_new(2);
        ink__plan_infer(plan, pool, &s->batch, p);
        for (size_t i = 0; i < count; i++)
            assert_near(s, "a probability", (double)p[i], r.probabilities[i], 1e-5);
        if (reference_bits == NULL)
            memcpy(reference_bits = step_array(count, sizeof *p), p, count * sizeof *p);
        if (memcmp(p, reference_bits, count * sizeof *p) != 0)
            fail_msg("'%s': other probabilities with %s", s->q->spec, ink_kernels_name(set));
        ink__pool_free(pool);
        ink__plan_free(plan);
    }
    free(r.probabilities);
    free(reference_bits);
    free(p);
}

void net_check(const struct net_question *q)
{
    struct net_setting s;
    net_setting_make(&s, q);
    double *weights = to_double(s.net->weights, s.net->weight_count);
    struct step_result a = step(s.net, &s.batch, s.density, "portable", 1);
    check_forward(&s, &a, weights);
    check_gradients(&s, &a, weights);
    check_inference(&s, weights);
    for (size_t set = 1; ink_kernels_name(set) != NULL; set++)
        assert_same_answer(&s, &a, ink_kernels_name(set), 1);
    assert_same_answer(&s, &a, ink_kernels_best(), 3);
    free(weights);
    step_free(&a);
    net_setting_free(&s);
}
