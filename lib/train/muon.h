/* Muon: steps of a weight matrix in a direction whose singular values are all near 1. */
#ifndef INK_TRAIN_MUON_H
#define INK_TRAIN_MUON_H

#include "nn/plan.h"

struct ink__muon;

/* For the weight matrices of all layers but the last, whose own are left to Adam, as biases and norms are. NULL if
 * memory runs out. */
struct ink__muon *ink__muon_new(const struct ink__plan *plan);
/* Accepts NULL. */
void ink__muon_free(struct ink__muon *muon);

/* Whether parameter i of the net is one of those matrices. */
bool ink__muon_takes(const struct ink__muon *muon, size_t i);
/* How many they are: the items of a job, in any order and by any threads. */
size_t ink__muon_count(const struct ink__muon *muon);
/* Lets the gradient of matrix `item` flow into its running sum in `momentum` (laid out as the weights), and writes the
 * direction of the step over it. */
void ink__muon_turn(const struct ink__muon *muon, size_t item, size_t thread, float *momentum, float beta);

#endif
