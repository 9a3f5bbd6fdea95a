/*
 * A network of 8-bit integers, as ink_net_quantise makes it and as model files hold it.
 *
 * A value is a byte: real = (byte - zero) * scale, with one scale and one zero for all values between two layers,
 * chosen so that the real 0 is a byte. Weights are signed bytes, symmetric, with a scale for each column of the matrix
 * (a unit, a filter). A dense layer or a convolution sums bytes times weights in 32 bits; the zero of its input, the
 * bias and the zero of its output are all in the integer bias. The sum is scaled by `multiplier` / 2^(32 + shift),
 * rounded to the nearest byte and clamped, which is relu too where the output's zero is 0; other activations are a
 * table of 256 bytes. The other layers rescale with lower cost: y = (x * multiplier + bias) >> shift. Jacob et al.,
 * arXiv 1712.05877, describe the scheme.
 *
 * The last layer's output is not bytes but 32-bit scores: logits in fixed point.
 */
#ifndef INK_NN_INT8_H
#define INK_NN_INT8_H

#include "base/memory.h"
#include "base/parallel.h"
#include "kernel/int8.h"
#include "nn/net.h"

enum ink__int8_type { INK__BYTE, INK__SIGNED, INK__WORD, INK__FLOAT };

/* An array of a quantised network, by the name it has in a file. */
struct ink__int8_tensor {
    char name[32];
    enum ink__int8_type type;
    size_t shape[4], rank;
    size_t count;
    void *data;
};

/* How a layer is run; the members that its kind has not are NULL. */
struct ink__int8_layer {
    struct ink__layer
        layer;            /* the net's own, but for the activation: it is that of the layers that were joined to it */
    bool skip;            /* not run: joined to a layer before it, or nothing to do */
    bool gives_scores;    /* the last that is run, where its sums themselves can be the scores */
    size_t rows, columns; /* of the matrix */
    int8_t *weight;       /* dense, conv: (rows, columns), as the float parameter lies */
    size_t sums, multipliers;
    int32_t *bias;       /* (sums): dense and conv, a column each; norm, a channel; mean pool and close, one */
    int32_t *multiplier; /* (multipliers), as many; close: two, of what the group gives and what it adds to */
    uint8_t *shift;      /* (1) */
    uint8_t *table;      /* (256) what follows the sum; of a map, all it is */
};

struct ink__int8 {
    struct ink__int8_layer *layers;
    size_t layer_count;
    float *scale;   /* (layer_count + 1) of the values; value 0 is the input, value i + 1 layer i's output */
    uint8_t *zero;  /* (layer_count + 1); of no meaning for scores */
    uint8_t *input; /* (channels, 256) from pixels to value 0, where the net has a mean or a deviation; else NULL */
    struct ink__int8_tensor *tensors; /* all of these, and those of the layers */
    size_t tensor_count;
    struct ink__arena arena;
};

/* Makes net->int8: decides what is joined, norms that are folded and activations that follow, and lists the tensors,
 * still without memory. INK_FAILED if memory runs out. */
enum ink_status ink__int8_new(struct ink__int8 **out, const struct ink_net *net, struct ink_error *err);
/* Allocates the tensors, zeroed. */
enum ink_status ink__int8_allocate(struct ink__int8 *q, const struct ink_net *net, struct ink_error *err);
void ink__int8_free(struct ink__int8 *q);

/* INK_BAD_INPUT, "PATH: tensor 'NAME': ...", unless all integers can be computed with: no sum leaves 32 bits. */
enum ink_status ink__int8_check(const struct ink__int8 *q, const char *path, struct ink_error *err);

/* Bytes of the weights and of all else that computing takes. */
size_t ink__int8_bytes(const struct ink__int8 *q);

/* ---- Running ----------------------------------------------------------------------------------------------------- */

struct ink__batch;
struct ink__int8_plan;

/* A quantised net ready to run on `threads` threads, with the integer kernels that go with the float set. */
enum ink_status ink__int8_plan_new(struct ink__int8_plan **out, const struct ink_net *net, size_t threads,
                                   const struct ink__kernels *kernels, struct ink_error *err);
void ink__int8_plan_free(struct ink__int8_plan *plan);

/* Images taken through the network together: a multiple of the largest tiles' rows, few enough for the first cache. */
#define INK__INT8_CHUNK ((size_t)24)

/* For display: writes the numbers that a value's integers stand for, of the image at `place` in the chunk that the
 * first thread ran last. */
void ink__int8_value(const struct ink__int8_plan *plan, size_t value, size_t place, float *out);

/* Writes the (count, classes) scores of a batch, on one thread. */
void ink__int8_scores(struct ink__int8_plan *plan, const struct ink__batch *batch, int32_t *scores);
/* Writes the (count, classes) probabilities of a batch. */
void ink__int8_infer(struct ink__int8_plan *plan, struct ink__pool *pool, const struct ink__batch *batch,
                     float *probabilities);

#endif
