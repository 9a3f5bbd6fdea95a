/*
 * A plan: a network made ready to run. Shapes, offset tables, packed weights and every buffer are laid out once in one
 * arena; running then allocates nothing.
 *
 * Who computes what. A batch of n samples is cut into INK__GROUPS groups by n alone. A thread takes one group after the
 * other and runs it through the network a few samples at a time, forward and straight back again, so that activations
 * stay in its caches; convolutions sum their weight gradients by group on the way. When all groups are through, the
 * threads take parts of the parameters' rows: dense gradients are formed there from all samples, groups are added up in
 * order, and the optimizer updates the rows. A batch norm needs sums over the whole batch, so it cuts the network into
 * segments. The weights of a sparse first layer are most of its network's, and several threads would pass them to and
 * fro in every step: there each thread has a band of the inputs, for all samples, and keeps their lists and weights in
 * its own cache; what travels are the sums, which each band continues where the one before it stopped. No result
 * depends on which thread made it, so neither do the bits depend on how many there are.
 */
#ifndef INK_NN_PLAN_H
#define INK_NN_PLAN_H

#include "base/memory.h"
#include "base/parallel.h"
#include "nn/int8.h"
#include "nn/net.h"

/* Groups in a batch: how far the weight gradient of a convolution is split, so also how many threads a step can use. */
#define INK__GROUPS ((size_t)8)
/* Samples taken through the network together: enough rows for the dense layers' tiles, few enough for the caches. */
#define INK__CHUNK ((size_t)16)
/* Added to a variance before its root is taken. */
#define INK__NORM_EPSILON 1e-5

/* Values of one layer's output (or their gradients) for the samples of a batch, `size` floats each: `kept` for the
 * whole batch where a later phase needs them, else only for the chunk that each thread is working on. */
struct ink__tensor {
    float *data;
    size_t size;
    bool kept;
};

struct ink__plan;
struct ink__worker;

/* The tables, packings and sums of one layer. Which members count depends on its kind; see dense.c, conv.c, norm.c. */
struct ink__work {
    const struct ink__layer *layer;
    float *weight, *bias;     /* as computed with: (rows, ld), (columns); bias is never NULL where there are weights */
    float *d_weight, *d_bias; /* their gradients in the same layout; d_bias NULL where the layer has no bias */
    size_t ld;
    bool skip;    /* not run: folded into the layer before it, or nothing to do outside training */
    bool need_dx; /* some layer before this one learns */

    int32_t *row_in, *row_out, *row_weight; /* dense: i * in, i * out, i * ld */
    float *transposed;                      /* dense: (threads, out, ld_t), see `turn` */
    size_t ld_t;

    struct ink__conv *conv;
    struct ink__norm *norm;
};

/* What a layer works on: n samples beginning with sample `first` of the batch. */
struct ink__io {
    size_t first, n;
    const float *x;       /* (n, in) */
    float *y;             /* (n, out) */
    float *dy;            /* (n, out); a layer may overwrite it with the gradient before its own activation */
    float *dx;            /* (n, in); NULL if no layer before needs it */
    const float *partner; /* close: the group's input; open, backward: the gradient of the group's end */
};

typedef void ink__run_fn(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io);
typedef void ink__sums_fn(const struct ink__work *work, const struct ink__plan *plan);

/* What there is to know about a kind of layer: a row of the layer table. NULL where a kind has nothing to do. */
struct ink__layer_type {
    /* Allocates work->conv or work->norm; false if memory runs out. */
    bool (*make)(struct ink__work *work);
    /* Takes memory for `work` from plan->arena; called twice, see base/memory.h. */
    void (*take)(struct ink__work *work, struct ink__plan *plan);
    /* Fills tables, once the memory is there. */
    void (*fill)(struct ink__work *work, const struct ink__plan *plan);
    /* Packs the weights anew after they changed: rows `range` of the weight matrix, and the vectors if `whole`. */
    void (*pack)(const struct ink__work *work, const struct ink__plan *plan, struct ink__range range, bool whole);
    /* What a thread makes of the weights for itself, before it goes back in a step. Shared, it would travel twice, to
     * who writes it and to who reads it; the weights it is made of are read by every thread anyway, going forward. */
    void (*turn)(const struct ink__work *work, size_t thread);
    ink__run_fn *forward, *backward;
    /* Forms the gradient of rows `range` of the weight matrix, and of the vectors if `whole`. */
    void (*gradient)(const struct ink__work *work, const struct ink__plan *plan, struct ink__range range, bool whole);
    /* Sums over the whole batch that forward, or backward, needs first: measured by group, then made ready once. */
    ink__run_fn *measure, *measure_back;
    ink__sums_fn *ready, *ready_back;
};
extern const struct ink__layer_type *const ink__layer_types[INK__KINDS];
extern const struct ink__layer_type ink__dense, ink__conv, ink__max_pool, ink__mean_pool, ink__norm;

/* A batch to run: image(context, i, thread) gives the bytes of sample i, in memory that no other thread writes before
 * this one asks again; where the first layer is sparse, before it asks for the INK__SPARSE_ROWS-th after this, since a
 * group of images is read together. */
struct ink__batch {
    size_t count;
    const uint8_t *(*image)(void *context, size_t i, size_t thread);
    void *context;
    const float *floats;       /* instead of image: (count, inputs) intensities */
    const uint32_t *sample;    /* (count) which sample of the data set it is: the key of its random draws; NULL: none */
    const uint16_t *label;     /* (count); NULL: forward only */
    const float *class_weight; /* (classes) what a sample's loss counts by its label; NULL: 1 */
    uint64_t seed;
    uint32_t epoch;
    float smoothing; /* of the labels */
};

/* The step for which a thread has turned the weights: a line of its own. */
struct ink__turned {
    _Alignas(INK__ALIGNMENT) size_t step;
};

/* One thread's place in a run. */
struct ink__worker {
    struct ink__plan *plan;
    const struct ink__kernels *kernels;
    const struct ink__batch *batch;
    size_t thread;     /* whose scratch memory is used */
    size_t group;      /* being worked on */
    size_t band;       /* likewise, 0 where there is one */
    bool group_starts; /* its first chunk: sums begin at zero */
};

struct ink__plan {
    const struct ink_net *net;
    const struct ink__kernels *kernels;
    size_t threads, batch; /* the most of each */
    bool training;
    struct ink__layer *layers; /* a copy of the net's: folding changes it */
    size_t layer_count;
    struct ink__work *work; /* (layer_count) */
    size_t *segment;        /* (segments + 1) first layers: the second and later begin with a norm, see plan.c */
    size_t segments;
    size_t count; /* samples of the batch being run */
    size_t step;  /* how many were begun */
    struct ink__arena arena;
    float *weights;              /* the net's own in training, a folded copy otherwise */
    float *gradient;             /* in the layout of the weights */
    struct ink__tensor *value;   /* (layer_count + 1): value[0] is the input, value[i + 1] layer i's output */
    struct ink__tensor *slope;   /* (layer_count + 1): their gradients */
    struct ink__int8_plan *int8; /* of a quantised net: all there is, but for the first members */
    int32_t *unit;               /* 0, 1, 2, ... */
    size_t unit_count;
    bool sparse_input; /* the first layer is dense and its images are mostly zero */
    size_t bands;      /* of inputs, into which a sparse first layer is split for several threads; else 1 */
    struct ink__sparse sparse[INK__GROUPS]; /* (bands) the images' lists */
    /* (chunks of the batch) the last band that is in their sums, counted from 1. What a step leaves, `bands`, is what
     * no band of the next one waits for, so it need not be cleared. */
    atomic_uint *bands_done;
    struct ink__turned *turned;     /* (threads) */
    float *log_sum;                 /* (threads, INK__CHUNK) */
    float *target;                  /* (threads, classes padded) */
    float input_scale[4];           /* 1 / deviation by channel */
    double group_loss[INK__GROUPS]; /* sums over the samples of each group */
    size_t group_correct[INK__GROUPS];
};

/* Makes a plan. In training it computes with net->weights themselves, and layers write net's running statistics;
 * otherwise with a copy that ink__plan_load fills. `density` is the share of input bytes that are not zero, 1 if
 * unknown. A quantised net cannot be trained. */
enum ink_status ink__plan_new(struct ink__plan **out, const struct ink_net *net, size_t batch, bool training,
                              double density, const struct ink_compute *compute, struct ink_error *err);
void ink__plan_free(struct ink__plan *plan);

/* Takes the weights of the net anew: copies and folds them if the plan is not for training, and packs. `weights` are in
 * the net's layout: the net's own, or others such as their running average. */
void ink__plan_load(struct ink__plan *plan, const float *weights);

/* Forward only. Writes the (count, classes) probabilities. */
void ink__plan_infer(struct ink__plan *plan, struct ink__pool *pool, const struct ink__batch *batch,
                     float *probabilities);

/* The same step by step, of at most INK__CHUNK samples, for who wants to see the values on the way of a plan made with
 * density 1: the input, and then layer i. They are at ink__at(&plan->value[i + 1], 0, 0) until layer i is run again. */
void ink__plan_load_input(struct ink__plan *plan, const struct ink__batch *batch);
void ink__plan_forward(struct ink__plan *plan, size_t i, const struct ink__batch *batch);

/* Turns the weights for a thread, which ink__plan_step does by itself: for who runs `backward` without it. */
void ink__plan_turn(const struct ink__plan *plan, size_t thread);

/* Forward and backward of one batch. The gradients of the parameters are then formed by the layers' `gradient`. */
void ink__plan_step(struct ink__plan *plan, struct ink__pool *pool, const struct ink__batch *batch);
/* After a step: the mean loss and the number of right answers. */
double ink__plan_loss(const struct ink__plan *plan);
size_t ink__plan_correct(const struct ink__plan *plan);

/* After a step: the first layer whose output is not finite, layer_count if there is none. For one thread, the weights
 * not yet changed. */
size_t ink__plan_diagnose(struct ink__plan *plan, const struct ink__batch *batch);

/* loss.c: from logits to the gradient of the mean loss. Adds to the plan's loss and right answers of the worker's
 * group. */
void ink__loss_step(const struct ink__worker *worker, size_t first, size_t n, const float *logits, float *d_logits);
/* The loss of one sample from its probabilities, for evaluation. */
double ink__loss_of(enum ink__loss loss, const float *probabilities, size_t classes, size_t label);

/* pool.c: the window of a pooling layer, as the kernels take it. */
struct ink__pooling ink__pooling_of(const struct ink__layer *layer);

/* norm.c: what a norm multiplies by and adds outside training, (channels) each; they belong to the plan. */
void ink__norm_factors(const struct ink__work *work, const float **scale, const float **shift);

/* Which rows of a parameter item `part`, of INK__GROUPS, of the learning job works on: some of a matrix, whole blocks of
 * INK__SPARSE_BLOCK; of a vector its one row or none. */
struct ink__range ink__rows_part(const struct ink__parameter *parameter, size_t part);

/* The part that a layer's vectors are in: the last parts first, as blocks of a matrix's rows fill them less. */
static inline size_t ink__vectors_part(size_t layer)
{
    return INK__GROUPS - 1 - layer % INK__GROUPS;
}

/* Into how many chunks so many samples are cut. */
static inline size_t ink__chunks(size_t samples)
{
    return (samples + INK__CHUNK - 1) / INK__CHUNK;
}

/* The inputs of a band of the sparse first layer: the rows of whole parts of the learning job, so that a thread meets
 * the same rows in both. */
struct ink__range ink__band(const struct ink__plan *plan, size_t band);

/* The address of sample `first` (the first of a chunk) in a tensor, for a thread. */
static inline float *ink__at(const struct ink__tensor *tensor, size_t thread, size_t first)
{
    return tensor->data + (tensor->kept ? first : thread * INK__CHUNK) * tensor->size;
}

/* Takes a table of `count` offsets from the plan's arena. */
int32_t *ink__table(struct ink__plan *plan, size_t count);
/* Sets table[i] = i * step. */
void ink__table_fill(int32_t *table, size_t count, size_t step);
/* y = f(y), and dy = dy f'(y), where the layer has an activation of its own. */
void ink__activate(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io);
void ink__activate_backward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io);

#endif
