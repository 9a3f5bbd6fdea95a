/*
 * An ONNX file that was read: its nodes, and its constants as numbers.
 *
 * Nothing in it is believed. The file has at most INK__ONNX_MOST_BYTES, its messages a share of memory that goes with
 * its size, and its graph INK__ONNX_MOST_PARTS nodes and as many initializers, which are looked for by name.
 */
#ifndef INK_FORMAT_ONNX_READ_H
#define INK_FORMAT_ONNX_READ_H

#include "format/onnx.h"

#define INK__ONNX_MOST_PARTS ((size_t)4096)
#define INK__ONNX_MOST_RANK  ((size_t)8)

struct ink__onnx_file {
    const char *path;
    struct Ink__Onnx__Model *model;
    struct Ink__Onnx__Graph *graph; /* the model's */
    int64_t opset;
    struct ink_error *err; /* where complaints go */
};

/* INK_BAD_INPUT for what is no ONNX model; INK_FAILED if the file cannot be read. Close it in any case. */
enum ink_status ink__onnx_open(struct ink__onnx_file *file, const char *path, struct ink_error *err);
void ink__onnx_close(struct ink__onnx_file *file);

/* "PATH: node 'NAME' (OP): ...", INK_BAD_INPUT. */
enum ink_status ink__onnx_wrong(const struct ink__onnx_file *file, const struct Ink__Onnx__Node *node,
                                const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- Attributes -------------------------------------------------------------------------------------------------- */

int64_t ink__onnx_attribute_number(const struct Ink__Onnx__Node *node, const char *name, int64_t otherwise);
float ink__onnx_attribute_float(const struct Ink__Onnx__Node *node, const char *name, float otherwise);
/* Whether the text of an attribute is `text`; false if there is none. */
bool ink__onnx_attribute_is(const struct Ink__Onnx__Node *node, const char *name, const char *text);
/* Copies `count` integers; leaves `values` as they are if there is no such attribute. False if it has another number of
 * them, or one that is not in [least, most]. */
bool ink__onnx_attribute_numbers(const struct Ink__Onnx__Node *node, const char *name, size_t count, int64_t *values,
                                 int64_t least, int64_t most);

/* ---- Constants --------------------------------------------------------------------------------------------------- */

/* A constant of the graph: an initializer, or what a Constant node holds, or the Transpose of such a matrix. Its data
 * belong to the file. */
struct ink__onnx_constant {
    size_t dims[INK__ONNX_MOST_RANK], rank, count;
    bool transposed; /* a matrix of `dims` whose elements lie column by column */
    enum ink__onnx_element type;
    const unsigned char *raw; /* little-endian; NULL: one of the two below */
    const float *floats;
    const int64_t *integers;
};

/* Finds the constant called `name`. *found says whether there is one; INK_BAD_INPUT if it is malformed, or of a type
 * that is not read. */
enum ink_status ink__onnx_find(const struct ink__onnx_file *file, const char *name, bool *found,
                               struct ink__onnx_constant *constant);
/* Element i < count of a constant of that type. */
float ink__onnx_float_at(const struct ink__onnx_constant *constant, size_t i);
int64_t ink__onnx_integer_at(const struct ink__onnx_constant *constant, size_t i);

#endif
