"""Runs a model of dense layers and sigmoids, as the notebook's network is, with NumPy alone.

    forward.py MODEL.safetensors t10k-images-idx3-ubyte.gz INDEX
"""
import gzip
import json
import struct
import sys

import numpy as np

with open(sys.argv[1], "rb") as file:
    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    data = file.read()
about = header.pop("__metadata__")
tensors = {name: np.frombuffer(data[slice(*t["data_offsets"])], "<f4").reshape(t["shape"]) for name, t in header.items()}

with gzip.open(sys.argv[2]) as file:
    pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)[int(sys.argv[3])]

x = (pixels / 255 - json.loads(about.get("mean", "[0]"))[0]) / json.loads(about.get("deviation", "[1]"))[0]
for layer, _ in enumerate(about["spec"].split(",")):
    if layer > 0:
        x = 1 / (1 + np.exp(-x))
    x = x.dot(tensors[f"{layer}.weight"]) + tensors[f"{layer}.bias"]
y = np.exp(x - x.max())
for name, probability in zip(json.loads(about["classes"]), y / y.sum()):
    print(f"{name}\t{probability:.9f}")
