/* From a trained model to integers that are as good, or a refusal. */
#ifndef CLI_QUANTISED_H
#define CLI_QUANTISED_H

#include "cli.h"

/* Quantises `net` on the training images of `data` (NULL: those it was trained on), and compares both on the test
 * images; prints what was found. Returns the exit code: CLI_BELOW_THRESHOLD if more than `most` points of accuracy are
 * lost. *out is NULL unless it is 0. */
int quantised_make(struct ink_net **out, const struct ink_net *net, const char *data, double most,
                   struct ink_error *err);

#endif
