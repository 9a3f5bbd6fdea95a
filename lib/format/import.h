/* What reads networks from the files of others, see ink_net_import. */
#ifndef INK_FORMAT_IMPORT_H
#define INK_FORMAT_IMPORT_H

#include "nn/net.h"

/* A kind of file. The options are whole: what the caller left out is filled in. */
typedef enum ink_status ink__import_fn(struct ink_net **out, const char *path, const struct ink_import_options *options,
                                       struct ink_error *err);
extern ink__import_fn ink__import_onnx, ink__import_npz, ink__import_safetensors;

/* Checks the weights that came from the file `path`: finite numbers, variances from 0. */
enum ink_status ink__net_check(const struct ink_net *net, const char *path, struct ink_error *err);

#endif
