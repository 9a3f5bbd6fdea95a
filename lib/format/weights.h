/*
 * The weights of a network as named arrays in the shapes of others, and back: what npz files and PyTorch's safetensors
 * hold.
 *
 *              INK_LAYOUT_INKLING           INK_LAYOUT_TORCH
 *   names      layers in the line: 0, 2     modules of an nn.Sequential, see torch.c: 0, 3
 *   dense      weight (in, out), bias       weight (out, in), in the order of Flatten on (C, H, W); bias
 *   conv       weight (K, K, C, N), bias    weight (N, C, K, K), bias
 * norm scale, shift, mean, weight, bias, running_mean, running_var, and num_batches_tracked, which is 0
 *              variance
 */
#ifndef INK_FORMAT_WEIGHTS_H
#define INK_FORMAT_WEIGHTS_H

#include "nn/net.h"

enum { INK__WEIGHT_NAME = 128 };

/* An array of a layout, and the parameter that it holds: NULL for num_batches_tracked. */
struct ink__weight {
    char name[INK__WEIGHT_NAME];
    size_t shape[4], rank;
    const struct ink__parameter *parameter;
};

/* Lists the arrays of `net`, whose layout is not INK_LAYOUT_ANY. For free(); NULL if memory runs out. */
struct ink__weight *ink__weights_list(const struct ink_net *net, enum ink_layout layout, size_t *count);

/* Copies a parameter between its place in net->weights and `array`, packed as the layout has it. */
void ink__weight_read(const struct ink_net *net, const struct ink__parameter *p, enum ink_layout layout, float *array);
void ink__weight_write(struct ink_net *net, const struct ink__parameter *p, enum ink_layout layout, const float *array);

/* torch.c: names the modules with parameters, module[i] being that of layer i ("3", or "4.0" in a residual group), and
 * writes the Python text of all to `text` (of `size` bytes, cut if longer), both of which may be NULL. Returns the
 * length of the text. */
size_t ink__torch_modules(const struct ink_net *net, char (*modules)[INK__WEIGHT_NAME], char *text, size_t size);

#endif
