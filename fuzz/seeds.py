"""Makes the inputs that fuzzing starts from, small and our own: seeds.py FOLDER writes FOLDER/HARNESS/NAME."""
import gzip
import json
import os
import struct
import sys
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


SEEDS = {
    "idx": [IDX_IMAGES, IDX_COLOUR, IDX_LABELS, squeeze(IDX_IMAGES), squeeze(IDX_LABELS),
            squeeze(IDX_LABELS[:6]) + squeeze(IDX_LABELS[6:])],
    "gzip": [struct.pack(">H", 12) + squeeze(bytes(12)), struct.pack(">H", 8) + squeeze(b"inkl") + squeeze(b"ings"),
             struct.pack(">H", 4) + b"\x1f\x8b\x08\x1c\0\0\0\0\0\x03" + b"\2\0ab" + b"name\0" + b"note\0" +
             squeeze(b"text")[10:]],
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
