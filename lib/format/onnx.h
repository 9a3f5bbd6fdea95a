/* ONNX: the format's numbers, and what the files that write and read it share. Only in a build with INK_ONNX. */
#ifndef INK_FORMAT_ONNX_H
#define INK_FORMAT_ONNX_H

#include "nn/net.h"
#include "onnx.pb-c.h" /* made from onnx.proto */

/* Of a tensor's elements, and of an attribute. */
enum ink__onnx_element { INK__ONNX_FLOAT = 1, INK__ONNX_INT64 = 7 };
enum ink__onnx_attribute { INK__ONNX_ATTRIBUTE_FLOAT = 1, INK__ONNX_ATTRIBUTE_INT = 2, INK__ONNX_ATTRIBUTE_INTS = 7 };

/* What the format allows a file, protobuf's own bound. */
#define INK__ONNX_MOST_BYTES ((size_t)INT32_MAX)

#endif
