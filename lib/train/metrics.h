/* Running a net over many images and counting its answers. */
#ifndef INK_TRAIN_METRICS_H
#define INK_TRAIN_METRICS_H

#include "nn/plan.h"

/* Images run together; the answers of so many wait in memory. */
#define INK__EVALUATION_BATCH ((size_t)1000)

/* INK_BAD_INPUT, *err told, if the images of `data` do not have the shape of the net's input or its labels too many
 * classes. */
enum ink_status ink__check_data(const struct ink_net *net, const struct ink_dataset *data, struct ink_error *err);

/* Answers of an inference plan (batch INK__EVALUATION_BATCH, already loaded) for `count` images: index[i], or i where
 * index is NULL, of `data`. `probabilities` (INK__EVALUATION_BATCH, classes) is scratch. Adds into the members that
 * matter: correct, loss (a sum, not yet a mean), and confusion where it is not NULL. */
void ink__count_answers(struct ink__plan *plan, struct ink__pool *pool, const struct ink_dataset *data,
                        const uint32_t *index, size_t count, float *probabilities, struct ink_metrics *metrics);

#endif
