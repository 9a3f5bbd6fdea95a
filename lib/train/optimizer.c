/*
 * The tables of optimizers and schedules.
 *
 * Everything is computed in double by + - * / alone, so that no C library's cos or pow can change a bit of a run.
 */
#include "train/optimizer.h"

#include <string.h>

#include "base/error.h"
#include "base/suggest.h"

/* ---- Optimizers -------------------------------------------------------------------------------------------------- */

static const struct ink__optimizer optimizers[] = {
    { "sgd", INK__SGD, 0.1, false, 0 },
    { "momentum", INK__MOMENTUM, 0.05, false, 1 }, /* Polyak 1964, as PyTorch writes it: v = m v + g, w -= rate v */
    { "nesterov", INK__NESTEROV, 0.05, false, 1 }, /* w -= rate (g + m v) */
    { "adagrad", INK__ADAGRAD, 0.01, false, 1 },   /* Duchi et al., JMLR 12 (2011) */
    { "rmsprop", INK__RMSPROP, 0.001, false, 1 },  /* Tieleman and Hinton, lecture 6.5 (2012) */
    { "adam", INK__ADAM, 0.001, false, 2 },        /* Kingma and Ba, arXiv 1412.6980 */
    { "adamw", INK__ADAM, 0.001, true, 2 },        /* Loshchilov and Hutter, arXiv 1711.05101 */
};
#define OPTIMIZERS (sizeof optimizers / sizeof optimizers[0])

const char *ink_optimizer_name(size_t i)
{
    return i < OPTIMIZERS ? optimizers[i].name : NULL;
}

/* "optimizer 'adm': expected one of sgd, momentum, ... (did you mean 'adam'?)" */
static void unknown(const char *what, const char *name, const char *(*candidate)(size_t i), struct ink_error *err)
{
    char list[256] = "";
    for (size_t i = 0; candidate(i) != NULL; i++) {
        if (i > 0)
            strncat(list, ", ", sizeof list - strlen(list) - 1);
        strncat(list, candidate(i), sizeof list - strlen(list) - 1);
    }
    const char *near = ink__nearest(name, strlen(name), candidate);
    ink__fail(err, INK_BAD_ARGUMENT, "%s '%.60s': expected one of %s%s%s%s", what, name, list,
              near != NULL ? " (did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?)" : "");
}

const struct ink__optimizer *ink__optimizer_find(const char *name, struct ink_error *err)
{
    for (size_t i = 0; i < OPTIMIZERS; i++)
        if (strcmp(name, optimizers[i].name) == 0)
            return &optimizers[i];
    unknown("optimizer", name, ink_optimizer_name, err);
    return NULL;
}

struct ink__update ink__update_of(const struct ink__optimizer *optimizer, const struct ink_train_options *options,
                                  double rate, double power1, double power2)
{
    const double decay = options->weight_decay;
    return (struct ink__update){ .rule = optimizer->rule,
                                 .rate = (float)rate,
                                 .gradient_scale = 1.0f,
                                 .decay = optimizer->decoupled ? 0.0f : (float)decay,
                                 .shrink = optimizer->decoupled ? (float)(rate * decay) : 0.0f,
                                 .beta1 = (float)options->momentum,
                                 .beta2 = (float)options->beta2,
                                 .correction1 = (float)(1.0 / (1.0 - power1)),
                                 .correction2 = (float)(1.0 / (1.0 - power2)),
                                 .epsilon = 1e-8f };
}

/* ---- Schedules --------------------------------------------------------------------------------------------------- */

#define PI 3.14159265358979323846

/* (1 + cos(pi x)) / 2 for x in [0, 1], from 1 down to 0: cos(pi x) = -sin(pi (x - 1/2)), by its series. */
static double half_cosine(double x)
{
    const double a = PI * (x - 0.5), a2 = a * a;
    double term = a, sine = a;
    for (int k = 1; k < 12; k++) {
        term = -term * a2 / (2.0 * k * (2.0 * k + 1.0));
        sine += term;
    }
    return 0.5 * (1.0 - sine);
}

/* 1 - 2^-x for x > 0: the series of exp for x / 2^k below 1, then doubled k times by 1 - (1 - f)^2 = f (2 - f), which
 * loses nothing where f is small. */
static double one_minus_half_to(double x)
{
    int doublings = 0;
    if (x > 64.0)
        return 1.0;
    for (; x > 1.0; x /= 2.0)
        doublings++;
    const double y = 0.69314718055994530942 * x;
    double f = 0.0;
    for (int n = 20; n > 0; n--)
        f = y / n * (1.0 - f);
    for (; doublings > 0; doublings--)
        f = f * (2.0 - f);
    return f;
}

static double constant(double progress, const struct ink_train_options *options)
{
    (void)progress;
    (void)options;
    return 1.0;
}

static double step(double progress, const struct ink_train_options *options)
{
    double factor = 1.0;
    for (double epoch = options->step_epochs; epoch <= progress * (double)options->epochs;
         epoch += options->step_epochs)
        factor /= 10.0;
    return factor;
}

static double cosine(double progress, const struct ink_train_options *options)
{
    (void)options;
    return half_cosine(progress);
}

static double linear(double progress, const struct ink_train_options *options)
{
    (void)options;
    return 1.0 - progress;
}

/* Smith, "Super-convergence", arXiv 1708.07120, in the form that PyTorch gave it: up from 1/25 in the first 30%, then
 * down to 1/250,000, both along a cosine. */
static double one_cycle(double progress, const struct ink_train_options *options)
{
    const double first = 1.0 / 25.0, last = first / 1e4, rise = 0.3;
    (void)options;
    if (progress < rise)
        return first + (1.0 - first) * (1.0 - half_cosine(progress / rise));
    return last + (1.0 - last) * half_cosine((progress - rise) / (1.0 - rise));
}

/* 2^-20 to 1. */
static double rising(double progress, const struct ink_train_options *options)
{
    (void)options;
    return 1.0 - one_minus_half_to(20.0 * (1.0 - progress));
}

static const struct {
    const char *name;
    ink__schedule_fn *factor;
} schedules[] = {
    { "constant", constant }, { "step", step },           { "cosine", cosine },
    { "linear", linear },     { "one-cycle", one_cycle }, { "rising", rising },
};
#define SCHEDULES (sizeof schedules / sizeof schedules[0])

const char *ink_schedule_name(size_t i)
{
    return i < SCHEDULES ? schedules[i].name : NULL;
}

ink__schedule_fn *ink__schedule_find(const char *name, struct ink_error *err)
{
    for (size_t i = 0; i < SCHEDULES; i++)
        if (strcmp(name, schedules[i].name) == 0)
            return schedules[i].factor;
    unknown("schedule", name, ink_schedule_name, err);
    return NULL;
}

double ink__rate_at(const struct ink_train_options *options, ink__schedule_fn *schedule, size_t step_number,
                    size_t steps, size_t steps_per_epoch)
{
    const double warmup = options->warmup * (double)steps_per_epoch, at = (double)step_number;
    if (at < warmup)
        return options->learning_rate * (at + 1.0) / (warmup + 1.0);
    return options->learning_rate * schedule((at - warmup) / ((double)steps - warmup), options);
}

/* ---- Averaging --------------------------------------------------------------------------------------------------- */

float ink__average_share(double half_life, size_t step)
{
    const double share = one_minus_half_to(1.0 / half_life), first = 1.0 / (double)step;
    return (float)(share > first ? share : first);
}
