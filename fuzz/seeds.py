"""Makes the inputs that fuzzing starts from, small and our own: seeds.py FOLDER writes FOLDER/HARNESS/NAME."""
import base64
import gzip
import io
import json
import math
import os
import struct
import sys
import zipfile
import zlib

IDX_IMAGES = struct.pack(">BBBBIII", 0, 0, 8, 3, 2, 2, 3) + bytes(range(12))
IDX_COLOUR = struct.pack(">BBBBIIII", 0, 0, 8, 4, 1, 2, 2, 3) + bytes(range(12))
IDX_LABELS = struct.pack(">BBBBI", 0, 0, 8, 1, 4) + bytes(range(4))


def squeeze(content):
    return gzip.compress(content, mtime=0)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(depth, colour, interlace, samples, extra=b""):
    rows = b"".join(b"\0" + b"\x5a" * -(-3 * samples * depth // 8) for _ in range(4))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 4, depth, colour, 0, 0, interlace)) + extra +
            chunk(b"IDAT", zlib.compress(rows * (3 if interlace else 1))) + chunk(b"IEND", b""))


def model(spec, tensors):
    """The header, a zero byte, the data: fuzz/input.h puts the length before it."""
    header, data = {"__metadata__": {"format": "inkling-1", "spec": spec, "input": "2x2x1", "classes": '["a","b"]'}}, b""
    for name, shape in tensors.items():
        count = 1
        for side in shape:
            count *= side
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * count]}
        data += struct.pack(f"<{count}f", *(i / 8 for i in range(count)))
    return json.dumps(header).encode() + b"\0" + data


def npy(descr, shape, data, fortran=False, version=1):
    text = repr({"descr": descr, "fortran_order": fortran, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY" + bytes((version, 0)) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + data


def npz(method=zipfile.ZIP_STORED, **arrays):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in arrays.items():
            archive.writestr(zipfile.ZipInfo(name + ".npy"), content, method)
    return stream.getvalue()


def floats(*shape):
    count = math.prod(shape)
    return npy("<f4", shape, struct.pack(f"<{count}f", *(i / 8 for i in range(count))))


# Protobuf, as far as ONNX needs it.
def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes((value & 127 | 128,)), value >> 7
    return out + bytes((value,))


def onnx_value(name, *shape):
    dims = b"".join(field(1, field(1, side)) for side in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


def onnx_tensor(name, shape, values):
    return b"".join(field(1, side) for side in shape) + field(2, 1) + field(8, name) + field(9, struct.pack(f"<{len(values)}f", *values))


def onnx_node(kind, inputs, output, **attributes):
    """Attributes are lists of integers or one integer."""
    node = b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind)
    for name, value in attributes.items():
        numbers = field(3, value) + field(20, 2) if isinstance(value, int) else (b"".join(field(8, n) for n in value) +
                                                                                field(20, 7))
        node += field(5, field(1, name) + numbers)
    return node


def onnx(nodes, tensors, output, shape, classes):
    graph = (b"".join(field(1, node) for node in nodes) + field(2, "g") + b"".join(field(5, tensor) for tensor in tensors) +
             field(11, onnx_value("x", *shape)) + field(12, onnx_value(output, 1, classes)))
    return field(1, 8) + field(7, graph) + field(8, field(2, 13))


WEIGHTS = {"0.weight": (2, 2, 1, 1), "0.bias": (1,), "1.scale": (1,), "1.shift": (1,), "1.mean": (1,), "1.variance": (1,),
           "2.weight": (1, 2), "2.bias": (2,)}
BYTES = bytes(range(0, 240, 10))

SEEDS = {
    "idx": [IDX_IMAGES, IDX_COLOUR, IDX_LABELS, squeeze(IDX_IMAGES), squeeze(IDX_LABELS),
            squeeze(IDX_LABELS[:6]) + squeeze(IDX_LABELS[6:])],
    "gzip": [struct.pack(">H", 12) + squeeze(bytes(12)), struct.pack(">H", 8) + squeeze(b"inkl") + squeeze(b"ings"),
             struct.pack(">H", 4) + b"\x1f\x8b\x08\x1c\0\0\0\0\0\x03" + b"\2\0ab" + b"name\0" + b"note\0" +
             squeeze(b"text")[10:]],
    "csv": [b"1,0,5,9,255\n0,1,2,3,4\n", b"label;a;b;c;d\r\n1;2;3;4;5\r\n\r\n", b"\xef\xbb\xbf1\t2\t3\t4\t'5'\n",
            b'"3","0","0.0","7.00","1"', squeeze(b"1,2,3,4,0\n5,6,7,8,1\n")],
    "numpy": [npy("|u1", (6, 2, 2), BYTES), npy("<f4", (2,), bytes(8), True), npy(">i8", (1,), bytes(8), version=2),
              npy("<U2", (2,), b"a\0\0\0b\0\0\0c\0\0\0" + bytes(4)),
              npz(x=npy("|u1", (6, 2, 2), BYTES), y=npy("|u1", (6,), bytes((0, 1, 0, 1, 0, 1))),
                  class_names=npy("<U1", (2,), b"a\0\0\0b\0\0\0")),
              npz(x_train=npy("<i4", (1, 2, 2, 1), bytes(16)), y_train=npy("<f8", (1,), bytes(8)),
                  x_test=npy("<f2", (1, 4), bytes(8), True), y_test=npy("|b1", (1,), b"\1")),
              npz(zipfile.ZIP_DEFLATED, x=npy("|u1", (6, 2, 2), BYTES), y=npy("|u1", (6,), bytes(6)))],
    "import": [onnx([onnx_node("Conv", ("x", "w", "b"), "c", kernel_shape=[2, 2], pads=[0, 0, 0, 0], strides=[1, 1]),
                     onnx_node("Relu", ("c",), "r"), onnx_node("Flatten", ("r",), "f", axis=1),
                     onnx_node("Gemm", ("f", "v", "d"), "y", transB=1)],
                    [onnx_tensor("w", (1, 1, 2, 2), [1, 2, 3, 4]), onnx_tensor("b", (1,), [1]),
                     onnx_tensor("v", (2, 1), [1, 2]), onnx_tensor("d", (2,), [0, 1])], "y", (1, 1, 2, 2), 2),
               onnx([onnx_node("Reshape", ("x", "s"), "f"), onnx_node("MatMul", ("f", "v"), "m"),
                     onnx_node("Add", ("m", "d"), "a"), onnx_node("Softmax", ("a",), "y", axis=1)],
                    [field(1, 2) + field(2, 7) + field(8, "s") + field(9, struct.pack("<2q", 1, 4)),
                     onnx_tensor("v", (4, 2), range(8)), onnx_tensor("d", (2,), [0, 1])], "y", (1, 1, 2, 2), 2),
               onnx([onnx_node("BatchNormalization", ("x", "one", "one", "one", "one"), "n"),
                     onnx_node("MaxPool", ("n",), "p", kernel_shape=[2, 2]), onnx_node("Flatten", ("p",), "f"),
                     onnx_node("Gemm", ("f", "v", "d"), "y")],
                    [onnx_tensor("one", (1,), [1]), onnx_tensor("v", (1, 2), [1, 2]), onnx_tensor("d", (2,), [0, 1])],
                    "y", (1, 1, 2, 2), 2),
               npz(**{name: floats(*shape) for name, shape in WEIGHTS.items()}),
               model("conv 1 2x2 relu, norm, dense 2", WEIGHTS)],
    "json": [b'{"__metadata__":{"spec":"dense 2"},"0.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
             b'[1, -2.5e3, true, null, "\\u00e9\\n", [[]], {"a": {}}]', b'{"epoch":1,"loss":0.25}\n'],
    "body": [b'{"images": [[1, 2, 3, 4, 5, 6, 7, 8, 9], [[0, 0, 0], [1, 1, 1], [255, 2, 2]]]}',
             b'{"images": [[[[1], [2], [3]], [[1], [2], [3]], [[1], [2], [3]]]]}',
             b'{"png": "' + base64.b64encode(b"P5 3 3 255\n" + BYTES[:9]) + b'"}',
             b'{"png": ["' + base64.b64encode(png(8, 0, 0, 1)) + b'", "UDIgMSAxIDkgNw=="]}'],
    "picture": [png(8, 0, 0, 1), png(8, 2, 0, 3), png(8, 6, 0, 4), png(16, 4, 0, 2), png(1, 0, 0, 1), png(8, 0, 1, 1),
                png(4, 3, 0, 1, chunk(b"PLTE", bytes(range(48))) + chunk(b"tRNS", b"\0\x80")),
                b"P2\n# note\n3 2\n9\n1 2 3 4 5 6", b"P5 3 2 255\n" + bytes(range(0, 240, 40)), b"P3 1 1 7 1 2 3",
                b"P6 1 1 65535\n\1\2\3\4\5\6"],
    "model": [model("dense 2", {"0.weight": [4, 2], "0.bias": [2]}),
              model("conv 1 2x2 relu, norm, dense 2", {"0.weight": [2, 2, 1, 1], "0.bias": [1], "1.scale": [1],
                                                       "1.shift": [1], "1.mean": [1], "1.variance": [1],
                                                       "2.weight": [1, 2], "2.bias": [2]})],
    "checkpoint": [b"{}"],
    "spec": [b"dense 3 sigmoid, dense 2, mse", b"conv 2 3x3 stride 2 pad 1 relu, pool 2, norm, dropout 0.2, dense 2",
             b"res [conv 2 3x3 pad 1, norm] leaky 0.1, avgpool 2 stride 1, globalavg, dense 4 gelu, dense 2", b"lenet"],
    "augment": [b"shift 2, rotate 10, scale 12%, shear 0.5", b"elastic 1.5, flip, brightness 20%, contrast 0.3, erase 10%"],
}

for name, seeds in SEEDS.items():
    os.makedirs(f"{sys.argv[1]}/{name}", exist_ok=True)
    for number, seed in enumerate(seeds):
        with open(f"{sys.argv[1]}/{name}/seed-{number}", "wb") as file:
            file.write(seed)
