/*
 * A graph becomes a network by walking it once, node by node in the file's order. At any point one value flows: every
 * node must read it, except that an Add may also read one that flowed earlier, which makes all between them a residual
 * group. What a node does becomes a step, a layer of the line of text with references to its constants; nothing is
 * copied until the line has been accepted as a network.
 */
#ifndef INK_FORMAT_ONNX_IMPORT_H
#define INK_FORMAT_ONNX_IMPORT_H

#include "format/onnx_read.h"

/* A value of the graph. Its elements are those of an image of `shape` (of ours), in an order of its own: `order` has a
 * letter H, W or C for each dimension after the batch, the last running fastest. A dimension of 1 may be missing there.
 * A flat value is (N, features), whose order is that of what was flattened. */
struct ink__flow {
    const char *name;
    struct ink_shape shape;
    char order[4];
    bool flat;
    size_t step;   /* how many steps came before it; SIZE_MAX: no group can begin here */
    size_t groups; /* how many groups were closed before it */
};

/* A layer that was found, and where its parameters come from. */
struct ink__step {
    enum ink__kind kind;
    char text[64];
    size_t opens, closes; /* groups that begin before it, and that end before it */

    /* dense: y = alpha x B + beta C, B being (in, out) or (out, in). conv: (N, C, K, K). */
    struct ink__onnx_constant weight, bias;
    float alpha, beta;
    bool transposed, has_bias;
    struct ink__flow in;
    size_t kernel_height, kernel_width;      /* of the weights in the file */
    size_t top, left, row_step, column_step; /* where the first of them goes in ours, and the next */

    struct ink__onnx_constant norm[4]; /* in the order of INK__SCALE and so on */
    float epsilon;
};

/* Integers that are made of shapes, such as the target of a Reshape. */
enum { INK__ONNX_BATCH = -1000000 }; /* stands for the batch dimension */
struct ink__numbers {
    const char *name;
    size_t count;
    int64_t values[INK__ONNX_MOST_RANK];
};

enum { INK__ONNX_MOST_STEPS = 512 };

struct ink__importer {
    struct ink__onnx_file file;
    struct ink_shape input; /* what the caller says it is; zero: what the file says */
    int64_t batch;          /* the first dimension of the graph's input; 0 if it is open */
    float mean[4], deviation[4];
    struct ink__flow flow;
    struct ink__flow *flows; /* all that flowed, oldest first */
    size_t flow_count;
    struct ink__numbers *numbers;
    size_t number_count;
    struct ink__step *steps; /* (INK__ONNX_MOST_STEPS + 1) the last one stands for the end of the line */
    size_t step_count;
    size_t *group_begins, *group_ends; /* (INK__ONNX_MOST_STEPS) in steps */
    size_t group_count;
    bool finished; /* a Softmax was seen */
    size_t next;   /* the node to go on with */
};

/* Does a node that reads what flows. */
typedef enum ink_status ink__node_fn(struct ink__importer *im, const struct Ink__Onnx__Node *node);

/* Adds a step of that kind and text; NULL, with an error that names `node`, where there are too many. */
struct ink__step *ink__import_step(struct ink__importer *im, const struct Ink__Onnx__Node *node, enum ink__kind kind,
                                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Finds the constant that is the node's `i`-th input; INK_BAD_INPUT if it is none, or not of `type`. Where the node has
 * no such input it is INK_OK and the constant has a count of 0. */
enum ink_status ink__import_constant(const struct ink__importer *im, const struct Ink__Onnx__Node *node, size_t i,
                                     enum ink__onnx_element type, struct ink__onnx_constant *constant);

/* ---- onnx_flow.c: shapes ----------------------------------------------------------------------------------------- */

/* The graph's input becomes what flows. */
enum ink_status ink__import_input(struct ink__importer *im);
/* The dimensions of a value after the batch. Returns their number. */
size_t ink__flow_dims(const struct ink__flow *flow, size_t dims[3]);
/* The place of an element of our image in a flat or other value. */
size_t ink__flow_index(const struct ink__flow *flow, size_t h, size_t w, size_t c);
/* Where the channels are in its order. */
size_t ink__flow_channel(const struct ink__flow *flow);
extern ink__node_fn ink__import_flatten, ink__import_reshape, ink__import_squeeze, ink__import_unsqueeze,
    ink__import_transpose;
/* Does a node that computes integers from shapes; *done says whether it is one. */
enum ink_status ink__import_numbers(struct ink__importer *im, const struct Ink__Onnx__Node *node, bool *done);

/* ---- onnx_layers.c: layers --------------------------------------------------------------------------------------- */

/* The function for a node's operator, or NULL. */
ink__node_fn *ink__import_operator(const char *op_type);

/* ---- onnx_arithmetic.c: what is written out in additions and multiplications
 * --------------------------------------- */

/* Whether a constant is one number for every channel of what flows, or one for all. `axis`: where old files say that
 * its first dimension lies among those of the flow; 0: its last is their last. */
bool ink__import_by_channel(const struct ink__flow *flow, const struct ink__onnx_constant *c, int64_t axis);
float ink__import_at(const struct ink__onnx_constant *c, size_t channel);

/* Does a node of one or two inputs that no table knows: the end of a residual group, the bias of the layer before, an
 * activation that is written out, the scaling of the input. Unlike the others it may read what flows second. */
extern ink__node_fn ink__import_arithmetic;

/* The end of a residual group: an addition of what flows and of `other`, an earlier value. */
enum ink_status ink__import_residual(struct ink__importer *im, const struct Ink__Onnx__Node *node, const char *other);

#endif
