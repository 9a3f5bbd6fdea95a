/* The parts of reading and writing models: texts and floats are in model.c, integers in model_int8.c. */
#ifndef INK_FORMAT_MODEL_H
#define INK_FORMAT_MODEL_H

#include "format/safetensors.h"
#include "nn/int8.h"

/* INK_BAD_INPUT, "PATH: tensor 'NAME': ...", unless `found` (NULL: missing) has the type and the shape of
 * `expected`. */
enum ink_status ink__check_entry(const struct ink__entry *found, const struct ink__entry *expected, const char *path,
                                 struct ink_error *err);

/* Fills an entry for each of q->tensors. */
void ink__int8_list(struct ink__entry *entries, const struct ink__int8 *q);
/* Makes net->int8 of the file's tensors, all of which must be of this network. */
enum ink_status ink__int8_read(struct ink_net *net, const struct ink__safetensors *file, const char *path,
                               struct ink_error *err);

#endif
