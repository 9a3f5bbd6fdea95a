/* The trainer's state, for trainer.c (the loop) and checkpoint.c (its file). */
#ifndef INK_TRAIN_TRAINER_H
#define INK_TRAIN_TRAINER_H

#include "base/random.h"
#include "nn/plan.h"
#include "train/augment.h"
#include "train/muon.h"
#include "train/optimizer.h"

struct ink_trainer {
    struct ink_net *net;
    const struct ink_dataset *data;
    struct ink_train_options options; /* defaults written out */
    const struct ink__optimizer *optimizer;
    ink__schedule_fn *schedule;
    char described[768]; /* the options that decide the result, as text */
    char data_sha256[65];

    struct ink__pool *pool;
    struct ink__plan *plan;       /* of training */
    struct ink__plan *evaluation; /* of validation; NULL without validation images */
    struct ink__muon *muon;       /* NULL for other optimizers */
    struct ink__augment augment;
    struct ink__augmenter *augmenter; /* NULL: images are taken as they are */

    /* Which images: `chosen` (count) is the training set without the validation images, which follow it in the same
     * array; `order` (count) is this epoch's permutation of it. */
    uint32_t *chosen, *order;
    float *class_weights; /* (classes); NULL: 1 */
    size_t count, validation_count;
    size_t batches; /* of an epoch */

    /* The position, and everything else that resuming restores. */
    struct ink__numpy_random random;
    size_t epoch, batch;   /* done */
    double power1, power2; /* beta1 and beta2 to the number of steps done */
    double loss_sum;       /* of this epoch so far */
    size_t correct_sum, images_done;
    double best_accuracy;
    size_t best_epoch;
    float *state1, *state2; /* (weight_count) of the optimizer */
    float *average;         /* (weight_count) the running mean of the weights, if options.ema */
    float *best;            /* (weight_count) the best weights by validation */

    /* One step. */
    struct ink__batch now;
    uint16_t *labels;  /* (batch) */
    uint32_t *samples; /* (batch) */
    struct ink__update update;
    double loss;         /* of the last batch */
    float average_share; /* of the weights in their running mean */
    double *row_squares; /* (row_count) rows of all parameters, for clipping */
    size_t row_count;
    float *probabilities; /* (INK__EVALUATION_BATCH, classes) scratch of validation */
    double seconds;       /* spent training in this epoch, in this process */
    size_t images_timed;  /* trained on in that time */
    bool shuffled;        /* `order` is this epoch's */
};

/* options.c: writes out the defaults that zeros stand for, except where zero is a value of its own. */
void ink__options_complete(struct ink_train_options *options);
/* INK_BAD_ARGUMENT for a number out of its range. */
enum ink_status ink__options_check(const struct ink_train_options *options, struct ink_error *err);
/* Fills trainer->described with the options that decide the result: for the model file, and for resuming to compare. */
void ink__options_describe(struct ink_trainer *trainer);

/* trainer.c: the weights that are validated and kept: the net's own, or their running mean. */
float *ink__trainer_weights(const struct ink_trainer *trainer);

/* step.c: one step on the batch in trainer->now, with the factors in trainer->update. If the loss (ink__plan_loss) is
 * not finite no weight was changed. */
void ink__trainer_step(struct ink_trainer *trainer);

#endif
