/*
 * A network: layers in a row, their parameters, and what is known about it. Nothing here computes; see plan.h.
 */
#ifndef INK_NN_NET_H
#define INK_NN_NET_H

#include "base/random.h"
#include "inkling.h"
#include "kernel/kernel.h"

enum ink__kind {
    INK__DENSE,
    INK__CONV,
    INK__MAX_POOL,
    INK__MEAN_POOL,
    INK__NORM,
    INK__DROPOUT,
    INK__MAP,   /* an activation by itself */
    INK__OPEN,  /* the begin of res [ ... ]: a copy */
    INK__CLOSE, /* its end: adds what went in at `partner` */
    INK__KINDS
};

enum ink__loss { INK__CROSS_ENTROPY, INK__MSE };

/* One layer as the line of text says it. Which members count depends on the kind. */
struct ink__layer {
    enum ink__kind kind;
    struct ink_shape in, out;
    size_t kernel_height, kernel_width, stride, pad;
    bool global;                     /* pools: the window is the whole input */
    float rate;                      /* dropout */
    enum ink__activation activation; /* of dense, conv, norm and map */
    float slope;                     /* leaky */
    size_t partner;                  /* open and close: the index of the other */
    size_t parameter;                /* the first of its parameters */
    bool bias;                       /* a convolution before a norm has none: the norm's shift does its work */
    char text[64];
};

/* What a parameter is, by its place in its layer: dense and conv have WEIGHT, BIAS; norm has SCALE, SHIFT, MEAN,
 * VARIANCE. */
enum { INK__WEIGHT, INK__BIAS };
enum { INK__SCALE, INK__SHIFT, INK__MEAN, INK__VARIANCE };

/* A parameter is a matrix of rows x columns floats whose rows start `ld` floats apart, so that a row begins on a cache
 * line; what lies between is zero and stays zero. */
struct ink__parameter {
    char name[32];
    size_t layer;
    size_t shape[4], rank; /* as it is told to the outside: (in, out), (K, K, C, N), (N) */
    size_t rows, columns, ld;
    size_t offset; /* of its first float in the net's weights */
    bool trained;  /* false: running statistics */
    bool decays;   /* weights do; biases and norms do not */
};

struct ink__pair {
    char *key, *value;
};

struct ink__int8;

struct ink_net {
    struct ink_shape input;
    struct ink__layer *layers;
    size_t layer_count;
    struct ink__parameter *parameters;
    size_t parameter_count;
    enum ink__loss loss;
    size_t classes;
    char *spec;
    float mean[4], deviation[4]; /* of the intensities by channel: the first layer sees (x - mean) / deviation */
    float *weights;              /* all parameters, 64-byte aligned; NULL in a quantised net, which has */
    struct ink__int8 *int8;      /* integers instead, see nn/int8.h; else NULL */
    size_t weight_count;         /* floats, padding included */
    char **class_names;          /* (classes) */
    struct ink__pair *metadata;
    size_t metadata_count;
};

/* Rows of weights are padded to whole vectors of so many floats. */
#define INK__LD ((size_t)16)

/* The distance between rows of `columns` floats: a whole number of vectors of 16, or of 8 where that is enough. */
static inline size_t ink__ld(size_t columns)
{
    return columns <= 8 ? 8 : (columns + 15) / 16 * 16;
}

static inline size_t ink__elements(struct ink_shape shape)
{
    return shape.height * shape.width * shape.channels;
}

/* Reads the line into net->layers, loss and classes; net->input is set. INK_BAD_ARGUMENT with the column. */
enum ink_status ink__spec_parse(struct ink_net *net, const char *spec, struct ink_error *err);

/* Lays out the parameters of net->layers. */
enum ink_status ink__net_layout(struct ink_net *net, struct ink_error *err);

/* INK_BAD_ARGUMENT for a quantised net, where floats are needed. */
enum ink_status ink__net_need_floats(const struct ink_net *net, struct ink_error *err);

/* A network without weights: a few words in a file may ask for gigabytes, so the file is checked first. */
enum ink_status ink__net_make(struct ink_net **out, struct ink_shape input, const char *spec, struct ink_error *err);
/* Allocates the weights, zeroed (a norm's scale and variance are 1). */
enum ink_status ink__net_allocate(struct ink_net *net, struct ink_error *err);

/* Sets or replaces metadata, the library's own keys too. INK_FAILED: out of memory. */
enum ink_status ink__net_set(struct ink_net *net, const char *key, const char *value, struct ink_error *err);
/* Names class c. `name` is copied. */
enum ink_status ink__net_set_class_name(struct ink_net *net, size_t c, const char *name, struct ink_error *err);
/* The value of `key`, or NULL. */
const char *ink__net_get(const struct ink_net *net, const char *key);

/* Copies parameter `p` between its padded place in `weights` and `packed`, rows without gaps. */
void ink__parameter_read(const struct ink__parameter *p, const float *weights, float *packed);
void ink__parameter_write(const struct ink__parameter *p, const float *packed, float *weights);

#endif
