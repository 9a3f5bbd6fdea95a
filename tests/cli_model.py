"""Model files between the program and others: each reads what the other wrote, and computes the same with it."""
import json
import os
import struct

import numpy as np

from helper import check, check_run, finish, folder, idx, read, run, write

SHAPE = (6, 5)
SPEC = "conv 3 3x2 stride 2 pad 1, norm relu, dense 7 tanh, dense 4 leaky 0.1, dropout 0.5, dense 3"
MEAN, DEVIATION = 0.1307, 0.3081
CLASSES = ["\u4e03", "T-shirt/top", 'a "quoted"\nname']


def build(tensors, metadata, padding=""):
    """A safetensors file, tensors in the order given and the header as long as it happens to be."""
    header, data = {}, b""
    for name, values in tensors.items():
        content = values.astype("<f4").tobytes()
        header[name] = {"data_offsets": [len(data), len(data) + len(content)], "shape": values.shape, "dtype": "F32"}
        data += content
    text = json.dumps(header | {"__metadata__": metadata}).encode() + padding.encode()
    return struct.pack("<Q", len(text)) + text + data


def take_apart(content):
    """The tensors and the metadata of a safetensors file that keeps to the letter of the format."""
    size = struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8:8 + size]), content[8 + size:]
    metadata = header.pop("__metadata__")
    check(size % 8 == 0 and content[8:9] == b"{", "the data begin at a multiple of 8")
    check(all(isinstance(value, str) for value in metadata.values()), f"metadata are texts: {metadata}")
    check(list(metadata) == sorted(metadata) and list(header) == sorted(header), "keys and tensors are sorted")
    tensors, at = {}, 0
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        size = 4 * np.prod(entry["shape"])
        check(entry["dtype"] == "F32" and begin == at and end - begin == size, f"{name}: {entry}")
        tensors[name] = np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"])
        at = end
    check(at == len(data), "the data fill the file")
    return tensors, metadata


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def forward(t, image, mean=0, deviation=1):
    """SPEC in double precision, written as the layers are documented."""
    x = np.pad((image / 255 - mean) / deviation, 1)
    rows, columns = (SHAPE[0] + 2 - 3) // 2 + 1, (SHAPE[1] + 2 - 2) // 2 + 1
    y = np.array([[np.tensordot(x[2 * i:2 * i + 3, 2 * j:2 * j + 2], t["0.weight"][:, :, 0], 2)
                   for j in range(columns)] for i in range(rows)])
    y = (y - t["1.mean"]) / np.sqrt(t["1.variance"] + 1e-5) * t["1.scale"] + t["1.shift"]
    y = np.maximum(y, 0).reshape(-1)
    y = np.tanh(y @ t["2.weight"] + t["2.bias"])
    y = y @ t["3.weight"] + t["3.bias"]
    y = np.where(y > 0, y, 0.1 * y)
    return softmax(y @ t["5.weight"] + t["5.bias"])


def predict(model, data, index):
    """The program's probabilities by class."""
    done = run("predict", model, f"{data}:{index}", "--json", "--top", 99)
    check_run(done, 0)
    top = json.loads(done.out)["top"]
    return np.array([row["probability"] for row in sorted(top, key=lambda row: row["index"])])


def test_reads_a_file_made_by_hand(images, data, work):
    random = np.random.RandomState(0)
    shapes = {"5.bias": (3,), "2.weight": (3 * 3 * 3, 7), "0.weight": (3, 2, 1, 3), "1.shift": (3,), "1.scale": (3,),
              "1.mean": (3,), "1.variance": (3,), "2.bias": (7,), "5.weight": (4, 3), "3.weight": (7, 4),
              "3.bias": (4,)}
    tensors = {name: random.randn(*shape).astype(np.float32) for name, shape in shapes.items()}
    tensors["1.variance"] = np.abs(tensors["1.variance"])
    metadata = {"spec": SPEC, "author": "a person\nof two lines", "input": "6x5x1", "mean": json.dumps([MEAN]),
                "deviation": json.dumps([DEVIATION]), "classes": json.dumps(CLASSES), "format": "inkling-1"}
    for padding in ("", " ", "  ", "   "):  # aligned or not
        model = write(f"{work}/by-hand.safetensors", build(tensors, metadata, padding))
        for index in range(10):
            found, expected = predict(model, data, index), forward(tensors, images[index], MEAN, DEVIATION)
            check(np.allclose(found, expected, rtol=0, atol=1e-6), f"image {index}: {found}, expected {expected}")
    shown = json.loads(run("show", model, "--json").out)
    check(shown["network"] == SPEC and shown["input"] == [6, 5, 1] and shown["classes"] == CLASSES, f"show: {shown}")
    check(shown["metadata"]["author"] == metadata["author"], f"show keeps a stranger's metadata: {shown}")
    check(shown["parameters"] == sum(values.size for name, values in tensors.items() if name[2:] not in
                                     ("mean", "variance")), f"show counts what is trained: {shown['parameters']}")

    # One thing wrong at a time: a line that says where, and nothing on stdout.
    def refused(what, *words, **changes):
        path = write(f"{work}/bad.safetensors", build(tensors | changes.get("tensors", {}), {
            key: value for key, value in (metadata | changes.get("metadata", {})).items() if value is not None}))
        for arguments in (["show", path], ["predict", path, f"{data}:0"], ["eval", path, data]):
            done = run(*arguments)
            check_run(done, 3, f"inkling: {path}: ", *words)
            check(done.out == "" and done.err.count("\n") == 1, f"{what}: {done.err!r}")
    refused("NaN", "'3.bias': element 2 is nan", tensors={"3.bias": np.array([1, 2, np.nan, 4])})
    refused("shape", "'3.bias': shape is [5], expected [4]", tensors={"3.bias": np.zeros(5)})
    refused("more", "'4.bias': not of this network", tensors={"4.bias": np.zeros(4)})
    refused("spec", "column 1", "'konv'", "did you mean 'conv'?", metadata={"spec": "konv 3 3x3, dense 2"})
    refused("no spec", "'spec': missing", metadata={"spec": None})
    refused("no format", "'format': missing", metadata={"format": None})
    refused("controls", "'input': '?[31m'", metadata={"input": "\x1b[31m"})


def test_others_read_what_it_writes(images, data, work):
    model = f"{work}/trained.safetensors"
    check_run(run("train", data, "-o", model, "--net", SPEC, "--epochs", 2, "--val", 50, "--batch", 20), 0)
    tensors, metadata = take_apart(read(model))
    check(metadata["format"] == "inkling-1" and metadata["spec"] == SPEC and metadata["input"] == "6x5x1",
          f"the metadata say what it is: {metadata}")
    check(json.loads(metadata["classes"]) == ["0", "1", "2"] and metadata["seed"] == "0" and
          metadata["dataset"] == data and len(metadata["dataset_sha256"]) in (0, 64), f"and whence: {metadata}")
    check(0 <= float(metadata["validation_accuracy"]) <= 1 and "options" in metadata, f"and how well: {metadata}")
    check("mean" not in metadata and "deviation" not in metadata, "no scaling where there is none")
    for index in range(10):
        found, expected = predict(model, data, index), forward(tensors, images[index])
        check(np.allclose(found, expected, rtol=0, atol=1e-6), f"trained, image {index}: {found}, expected {expected}")
    check(not [name for name in os.listdir(work) if name.endswith(".part")], f"nothing is left: {os.listdir(work)}")


def main():
    with folder() as work:
        random = np.random.RandomState(1)
        data = f"{work}/data"
        os.mkdir(data)
        for split, count in (("train", 200), ("t10k", 20)):
            labels = np.arange(count) % 3
            images = random.randint(0, 256, (count, *SHAPE))
            images[np.arange(count), labels] = 255
            write(f"{data}/{split}-images-idx3-ubyte", idx(images))
            write(f"{data}/{split}-labels-idx1-ubyte", idx(labels))
        test_reads_a_file_made_by_hand(images, data, work)
        test_others_read_what_it_writes(images, data, work)
    finish()


main()
