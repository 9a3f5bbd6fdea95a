/* Optimizers and schedules: from the options' words and a step's number to the factors of one update. */
#ifndef INK_TRAIN_OPTIMIZER_H
#define INK_TRAIN_OPTIMIZER_H

#include "inkling.h"
#include "kernel/kernel.h"

/* An optimizer: a row of the table. */
struct ink__optimizer {
    const char *name;
    enum ink__rule rule;
    double rate;    /* the default */
    bool decoupled; /* weight decay shrinks the weights instead of joining the gradient */
    size_t states;  /* running values a weight */
};

/* NULL: no such optimizer, *err told. */
const struct ink__optimizer *ink__optimizer_find(const char *name, struct ink_error *err);

typedef double ink__schedule_fn(double progress, const struct ink_train_options *options);

/* The factor on the learning rate at `progress` in [0, 1) of the run after warm-up. NULL: no such schedule, *err told.
 */
ink__schedule_fn *ink__schedule_find(const char *name, struct ink_error *err);

/* The learning rate of step `step` (from 0) of `steps`, an epoch being `steps_per_epoch`. */
double ink__rate_at(const struct ink_train_options *options, ink__schedule_fn *schedule, size_t step, size_t steps,
                    size_t steps_per_epoch);

/* The factors of an update with that rate. power1 and power2 are beta1 and beta2 to the number of this step, from 1. */
struct ink__update ink__update_of(const struct ink__optimizer *optimizer, const struct ink_train_options *options,
                                  double rate, double power1, double power2);

/* The share of the weights of step `step` (from 1) in their running mean, whose half-life is so many steps: what such a
 * mean gives the newest, and 1 / step while that is more. */
float ink__average_share(double half_life, size_t step);

#endif
