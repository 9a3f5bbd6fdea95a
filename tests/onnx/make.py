#!/usr/bin/python3
"""Makes the ONNX files of this folder, as PyTorch's exporter and Keras's write them, and what they give for some images.

    tests/onnx/make.py [FOLDER]    needs python3-torch and python3-onnx

Each NAME.onnx has a NAME.npz with `images` (n, H, W, C) in [0, 1] and `probabilities` (n, classes). tests/cli_import.py
reads both; where torch is installed it also makes them anew and reads those.
"""
import pathlib
import sys

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

FOLDER = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent


class Lenet(nn.Module):
    """As in a hundred tutorials: functions in forward, view with the batch's own size, log_softmax."""
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 8, 5)
        self.fc1, self.fc2 = nn.Linear(200, 24), nn.Linear(24, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(x.size(0), -1)
        return F.log_softmax(self.fc2(F.relu(self.fc1(x))), dim=1)


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels, eps=1e-3)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return F.relu(x + self.conv2(self.norm(torch.sigmoid(self.conv1(x)))))


class Residual(nn.Module):
    """Colour, the normalisation inside, dilation, one-sided padding, gelu's tanh form, additions around one another."""
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1))
        self.register_buffer("std", torch.tensor([0.25, 0.2, 0.3]).view(3, 1, 1))
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=(1, 0))
        self.dilated = nn.Conv2d(8, 8, 3, dilation=2, padding=2)
        self.one, self.two = Block(8), Block(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = F.gelu(self.stem((x - self.mean) / self.std), approximate="tanh")
        x = x + self.two(self.one(x))
        x = F.leaky_relu(self.dilated(x), 0.15)
        return self.head(x.mean((2, 3)))


def torch_models():
    yield "torch_mlp", (1, 28, 28), nn.Sequential(
        nn.Flatten(), nn.Linear(784, 16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, 12), nn.Sigmoid(),
        nn.Linear(12, 10), nn.Softmax(dim=1))
    yield "torch_lenet", (1, 28, 28), Lenet()
    yield "torch_norm", (1, 12, 12), nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ReLU(), nn.BatchNorm2d(6), nn.AvgPool2d(2), nn.Conv2d(6, 8, 2, bias=False),
        nn.LeakyReLU(0.2), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(128, 16), nn.ReLU(), nn.BatchNorm1d(16),
        nn.Linear(16, 7))
    yield "torch_global", (3, 9, 11), nn.Sequential(
        nn.Conv2d(3, 6, (3, 2), stride=2), nn.GELU("tanh"), nn.Conv2d(6, 4, 1), nn.AdaptiveMaxPool2d(1), nn.Flatten())
    yield "torch_residual", (3, 16, 14), Residual()


def randomise(model):
    """Statistics, scales and shifts that are not the first ones, which would hide a mistake."""
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.3, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)


def save(name, images, probabilities):
    """`images` is (N, C, H, W)."""
    np.savez_compressed(FOLDER / f"{name}.npz", images=images.transpose(0, 2, 3, 1).astype(np.float32),
                        probabilities=probabilities.astype(np.float32))


def make_torch(name, shape, model):
    torch.manual_seed(0)
    randomise(model)
    model.eval()
    images = torch.rand(4, *shape)
    with torch.no_grad():
        out = model(images)
        probabilities = out if isinstance(model, nn.Sequential) and isinstance(model[-1], nn.Softmax) else out.softmax(1)
    torch.onnx.export(model, images[:1], str(FOLDER / f"{name}.onnx"), opset_version=13, input_names=["x"],
                      dynamic_axes={"x": {0: "n"}} if name != "torch_norm" else None)
    save(name, images.numpy(), probabilities.numpy())


def make_keras(name, channels):
    """What tf2onnx makes of Conv2D(same, stride 2), BatchNormalization(epsilon 0.001), MaxPooling2D, Flatten, Dense: the
    images arrive as (N, H, W, C); with one channel the Transpose is a Reshape."""
    random = np.random.RandomState(0)
    shapes = {"conv/W": (6, channels, 3, 3), "conv/b": (6,), "norm/scale": (6,), "norm/B": (6,), "norm/mean": (6,),
              "norm/var": (6,), "dense/W": (6 * 7 * 7, 20), "dense/b": (20,), "last/W": (20, 4), "last/b": (4,)}
    values = {key: random.uniform(0.2, 0.8, shape).astype(np.float32) for key, shape in shapes.items()}
    for key in ("conv/W", "dense/W", "last/W", "norm/B"):
        values[key] = ((values[key] - 0.5) * 0.8).astype(np.float32)
    tensors = [numpy_helper.from_array(value, key) for key, value in values.items()]
    tensors += [numpy_helper.from_array(np.array([-1, 1, 28, 28]), "first"), numpy_helper.from_array(np.array([-1, 294]), "flat")]
    node = helper.make_node
    enter = (node("Reshape", ["x", "first"], ["nchw"], "enter") if channels == 1 else
             node("Transpose", ["x"], ["nchw"], "enter", perm=[0, 3, 1, 2]))
    nodes = [
        enter,
        node("Conv", ["nchw", "conv/W", "conv/b"], ["c"], "conv", auto_pad="SAME_UPPER", strides=[2, 2], group=1,
             kernel_shape=[3, 3], dilations=[1, 1]),
        node("Relu", ["c"], ["r"], "relu"),
        node("BatchNormalization", ["r", "norm/scale", "norm/B", "norm/mean", "norm/var"], ["n"], "norm", epsilon=1e-3),
        node("MaxPool", ["n"], ["p"], "pool", kernel_shape=[2, 2], strides=[2, 2], auto_pad="VALID"),
        node("Transpose", ["p"], ["t"], "leave", perm=[0, 2, 3, 1]),
        node("Reshape", ["t", "flat"], ["f"], "flatten"),
        node("MatMul", ["f", "dense/W"], ["m"], "dense"),
        node("Add", ["m", "dense/b"], ["d"], "dense_bias"),
        node("Sigmoid", ["d"], ["s"], "sigmoid"),
        node("MatMul", ["s", "last/W"], ["l"], "last"),
        node("Add", ["l", "last/b"], ["o"], "last_bias"),
        node("Softmax", ["o"], ["y"], "softmax"),
    ]
    graph = helper.make_graph(nodes, "tf2onnx", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 28, 28, channels])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])], tensors)
    model = helper.make_model(graph, producer_name="tf2onnx", opset_imports=[helper.make_opsetid("", 13)])
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(FOLDER / f"{name}.onnx"))
    v = {key: torch.from_numpy(value) for key, value in values.items()}
    torch.manual_seed(0)
    images = torch.rand(4, channels, 28, 28)
    x = F.relu(F.conv2d(F.pad(images, (0, 1, 0, 1)), v["conv/W"], v["conv/b"], 2))
    x = F.max_pool2d(F.batch_norm(x, v["norm/mean"], v["norm/var"], v["norm/scale"], v["norm/B"], eps=1e-3), 2)
    x = torch.sigmoid(x.permute(0, 2, 3, 1).reshape(4, -1) @ v["dense/W"] + v["dense/b"])
    save(name, images.numpy(), (x @ v["last/W"] + v["last/b"]).softmax(1).numpy())


for name, shape, model in torch_models():
    make_torch(name, shape, model)
make_keras("keras_grey", 1)
make_keras("keras_colour", 3)
