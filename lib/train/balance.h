/* Weights of classes in the loss, so that those with few images count as much as those with many. */
#ifndef INK_TRAIN_BALANCE_H
#define INK_TRAIN_BALANCE_H

#include "inkling.h"

/* Makes the weights of that name for training on the images data[chosen[0 .. count - 1]]: *weights, (classes), for
 * free(), NULL where every image counts the same. INK_BAD_ARGUMENT for an unknown name. */
enum ink_status ink__class_weights(float **weights, const char *name, const struct ink_dataset *data,
                                   const uint32_t *chosen, size_t count, size_t classes, struct ink_error *err);

#endif
