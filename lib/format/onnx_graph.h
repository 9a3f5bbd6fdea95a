/* An ONNX graph being made: nodes and tensors in the order in which they are added, and the file around them. */
#ifndef INK_FORMAT_ONNX_GRAPH_H
#define INK_FORMAT_ONNX_GRAPH_H

#include "format/onnx.h"

#define INK__ONNX_INPUT  "image"
#define INK__ONNX_OUTPUT "probabilities"

enum { INK__ONNX_INPUTS = 5, INK__ONNX_ATTRIBUTES = 3, INK__ONNX_NAME = 48 };

/* A node or a tensor with all that its message points to. A node's output is called as the node is. */
struct ink__onnx_node {
    struct Ink__Onnx__Node message;
    struct Ink__Onnx__Attribute attributes[INK__ONNX_ATTRIBUTES], *attribute_list[INK__ONNX_ATTRIBUTES];
    int64_t integers[INK__ONNX_ATTRIBUTES][4];
    char attribute_names[INK__ONNX_ATTRIBUTES][INK__ONNX_NAME];
    char name[INK__ONNX_NAME], operation[INK__ONNX_NAME], inputs[INK__ONNX_INPUTS][INK__ONNX_NAME];
    char *output_list[1], *input_list[INK__ONNX_INPUTS];
};

struct ink__onnx_tensor {
    struct Ink__Onnx__Tensor message;
    char name[INK__ONNX_NAME];
    int64_t dims[4];
};

struct ink__onnx_graph {
    struct ink__onnx_node *nodes;
    struct ink__onnx_tensor *tensors;
    struct Ink__Onnx__Node **node_list;
    struct Ink__Onnx__Tensor **tensor_list;
    size_t node_count, tensor_count;
    float *data; /* of all tensors */
    size_t data_used;
};

/* Makes an empty graph with room for so much; what is added must fit. Free it in any case. */
enum ink_status ink__onnx_make(struct ink__onnx_graph *graph, size_t nodes, size_t tensors, size_t floats,
                               struct ink_error *err);
void ink__onnx_free(struct ink__onnx_graph *graph);

/* Adds a node that reads `input`. */
struct ink__onnx_node *ink__onnx_add(struct ink__onnx_graph *graph, const char *operation, const char *name,
                                     const char *input);
/* Gives it one more input, or an attribute. */
void ink__onnx_input(struct ink__onnx_node *node, const char *input);
void ink__onnx_number(struct ink__onnx_node *node, const char *name, int64_t value);
void ink__onnx_float(struct ink__onnx_node *node, const char *name, float value);
void ink__onnx_numbers(struct ink__onnx_node *node, const char *name, size_t count, const size_t *values);

/* Adds a tensor of floats, of rank 4 at most. Returns where its elements go. */
float *ink__onnx_floats(struct ink__onnx_graph *graph, const char *name, size_t rank, const size_t *shape);
/* Adds a vector of integers, which must outlive the graph. */
void ink__onnx_integers(struct ink__onnx_graph *graph, const char *name, int64_t *values, size_t count);

/* Writes the file: the graph from INK__ONNX_INPUT (N, C, H, W) to INK__ONNX_OUTPUT (N, classes), and what is known
 * about the net. */
enum ink_status ink__onnx_write(const struct ink__onnx_graph *graph, const struct ink_net *net, const char *path,
                                struct ink_error *err);

#endif
