"""Files that are not what they should be: every way of damaging a file of every kind, by every command that reads it. The
command ends with the code for bad input (1 where the file cannot be read at all), in one line that names the file; it
prints no result, and leaves no output behind."""
import gzip
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time
import zipfile

import numpy as np

from helper import PROGRAM, SANITIZED, check, check_run, finish, folder, idx, png, read, run, write

LINE = "conv 2 3x3 relu, dense 2"
SHAPE = (6, 6)
OK, FAILED, USAGE, BAD = 0, 1, 2, 3


# ---- Good files ------------------------------------------------------------------------------------------------------

def images(count):
    pixels = np.random.RandomState(count).randint(0, 60, (count, *SHAPE)).astype(np.uint8)
    pixels[1::2, 1] = 250
    pixels[::2, 4] = 250
    return pixels, (np.arange(count) % 2).astype(np.uint8)


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def csv(pixels, labels):
    return b"".join(b",".join(b"%d" % n for n in (label, *image.ravel())) + b"\n" for image, label in zip(pixels, labels))


def make_good(at):
    """Files of every kind in the folder `at`; all are accepted."""
    pixels, labels = images(40)
    os.makedirs(f"{at}/idx")
    os.makedirs(f"{at}/zipped")
    for name, count in (("train", 40), ("t10k", 12)):
        for kind, content in (("images-idx3", idx(pixels[:count])), ("labels-idx1", idx(labels[:count]))):
            write(f"{at}/idx/{name}-{kind}-ubyte", content)
            write(f"{at}/zipped/{name}-{kind}-ubyte.gz", gzip.compress(content, mtime=0))
    write(f"{at}/data.csv", csv(pixels, labels))
    write(f"{at}/data.npz", npz(x=pixels, y=labels))
    write(f"{at}/x_one.npy", npy(pixels))
    write(f"{at}/y_one.npy", npy(labels))
    for label in "ab":
        os.makedirs(f"{at}/pictures/{label}")
        for i in range(3):
            write(f"{at}/pictures/{label}/{i}.png", png(pixels[2 * i + (label == "b")]))
    write(f"{at}/one.png", png(pixels[0]))
    write(f"{at}/one.pgm", b"P5\n6 6\n255\n" + pixels[0].tobytes())
    train = ("train", f"{at}/idx", "--net", LINE, "--epochs", 2, "--batch", 8, "--val", 8, "--quiet")
    check_run(run(*train, "-o", f"{at}/model.safetensors", "--log", f"{at}/run.jsonl"), OK)
    unfinished = subprocess.Popen([PROGRAM, *map(str, train), "--epochs", "1000000", "--save-every", "2", "--checkpoint",
                                   f"{at}/state", "-o", f"{at}/never"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not os.path.exists(f"{at}/state"):
        time.sleep(0.01)
    unfinished.terminate()
    unfinished.wait()
    for name, more in (("model.onnx", ()), ("weights.npz", ()), ("weights.safetensors", ("--layout", "torch")),
                       ("model.c", ()), ("int8.safetensors", ("--format", "int8", "--data", f"{at}/idx", "--max-drop", 100))):
        check_run(run("export", f"{at}/model.safetensors", "-o", f"{at}/{name}", *more), OK)


# ---- Damage ----------------------------------------------------------------------------------------------------------
# Each takes the bytes of a good file and gives those of a bad one.

def cut(part):
    return lambda good: good[:int(len(good) * part)]


def put(at, content):
    """Other bytes at a place, from the end if negative."""
    def damage(good):
        begin = at if at >= 0 else len(good) + at
        return good[:begin] + content + good[begin + len(content):]
    return damage


def constant(content):
    return lambda good: content


PAGE = b"<!DOCTYPE html>\n<html><head><title>404</title></head><body>not found</body></html>\n"

# What makes no file of any kind.
ANY = {
    "empty": constant(b""),
    "one byte": lambda good: good[:1],
    "a quarter of it": cut(0.25),
    "half of it": cut(0.5),
    "all but a byte": lambda good: good[:-1],
    "an HTML page": constant(PAGE),
    "zeros": lambda good: bytes(len(good)),
    "ones": lambda good: b"\xff" * len(good),
    "its bytes backwards": lambda good: good[::-1],
    "text of no end": lambda good: b"[" * 100000,
}
JUNK = {"junk behind it": lambda good: good + b"junk", "itself twice": lambda good: good + good}


def tensors(change):
    """A safetensors file whose header is changed as a dictionary, its data as an array of bytes."""
    def damage(good):
        size = struct.unpack("<Q", good[:8])[0]
        header, data = json.loads(good[8:8 + size]), bytearray(good[8 + size:])
        text = change(header, data)
        text = (json.dumps(header) if text is None else text).encode()
        return struct.pack("<Q", len(text)) + text + bytes(data)
    return damage


def meta(key, value):
    def change(header, data):
        if value is None:
            del header["__metadata__"][key]
        else:
            header["__metadata__"][key] = value
    return tensors(change)


def tensor(name, **fields):
    return tensors(lambda header, data: header[name].update(fields))


def number(name, value, as_type="<f"):
    """The first number of a tensor is another."""
    def change(header, data):
        begin = header[name]["data_offsets"][0]
        data[begin:begin + struct.calcsize(as_type)] = struct.pack(as_type, value)
    return tensors(change)


def twice(header, data):
    text = json.dumps(header)
    return text[:-1] + ', "0.bias": ' + json.dumps(header["0.bias"]) + "}"


def lacking(name):
    def change(header, data):
        del header[name]
    return tensors(change)


SAFETENSORS = {
    "a header of 2^63 bytes": put(0, struct.pack("<Q", 1 << 63)),
    "a header of 2^64 - 1 bytes": put(0, b"\xff" * 8),
    "a header of no bytes": put(0, bytes(8)),
    "a header longer than the file": lambda good: put(0, struct.pack("<Q", len(good)))(good),
    "a header that is a list": tensors(lambda header, data: "[1, 2]"),
    "a header of deep lists": tensors(lambda header, data: "[" * 5000 + "]" * 5000),
    "a header that is not UTF-8": lambda good: good[:12] + b"\xff\xfe" + good[14:],
    "a tensor twice": tensors(twice),
    "a tensor of 2^64 numbers": tensor("0.bias", shape=[1 << 32, 1 << 32]),
    "a tensor of -1 numbers": tensor("0.bias", shape=[-1]),
    "a tensor of 1.5 numbers": tensor("0.bias", shape=[1.5]),
    "a tensor of 200 dimensions": tensor("0.bias", shape=[1] * 200),
    "a tensor of an unknown type": tensor("0.bias", dtype="F13"),
    "a tensor behind the file": tensor("0.bias", data_offsets=[1 << 40, (1 << 40) + 8]),
    "a tensor that ends first": tensor("0.bias", data_offsets=[8, 0]),
    "a tensor on another": tensors(lambda header, data: header["0.bias"].update(
        data_offsets=[header["0.weight"]["data_offsets"][0] + n for n in (0, 8)])),
    "a tensor without offsets": tensors(lambda header, data: header["0.bias"].pop("data_offsets") and None),
    "a tensor that is a number": tensors(lambda header, data: header.update({"0.bias": 7})),
    "a tensor that lacks": lacking("0.bias"),
    "a weight that is no number": number("0.weight", float("nan")),
    "an infinite weight": number("0.weight", float("inf")),
}
MODEL = SAFETENSORS | {
    "a tensor too many": tensors(lambda header, data: header.update({"9.bias": header["0.bias"]})),
    "no metadata": lacking("__metadata__"),
    "no line": meta("spec", None),
    "an unknown layer": meta("spec", "warp 3, dense 2"),
    "an empty line": meta("spec", ""),
    "a layer of 2^64 units": meta("spec", "dense 18446744073709551616, dense 2"),
    "a layer of 2^60 units": meta("spec", f"dense {1 << 60}, dense 2"),
    "100,000 layers": meta("spec", "dense 9, " * 100000 + "dense 2"),
    "10,000 groups": meta("spec", "res [ " * 10000),
    "an input of nothing": meta("input", "0x0x0"),
    "an input of too much": meta("input", "99999999x99999999x99999999"),
    "an input that is a word": meta("input", "large"),
    "another format": meta("format", "inkling-99"),
    "one class": meta("classes", '["a"]'),
    "three classes": meta("classes", '["a","b","c"]'),
    "classes that are numbers": meta("classes", "[1, 2]"),
    "classes that are not JSON": meta("classes", "["),
    "a deviation of zero": meta("deviation", "0"),
    "a mean that is no number": meta("mean", "nan"),
    "a line of another network": meta("spec", "conv 2 3x3 relu, dense 3"),
}
INT8 = SAFETENSORS | {
    "a scale of zero": tensors(lambda header, data: [data.__setitem__(slice(t["data_offsets"][0], t["data_offsets"][0] + 4), bytes(4))
                                                     for name, t in header.items() if name.endswith("scale")] and None),
    "sums that overflow": number("0.bias", 0x7fffffff, "<I"),
}
for gone in ("a weight that is no number", "an infinite weight"):
    del INT8[gone]

IDX_IMAGES = {
    "the magic of labels": put(3, b"\1"),
    "elements that are floats": put(2, b"\x0d"),
    "no images": put(4, struct.pack(">I", 0)),
    "2^31 images": put(4, struct.pack(">I", 1 << 31)),
    "2^32 - 1 images": put(4, struct.pack(">I", (1 << 32) - 1)),
    "an image less": put(4, struct.pack(">I", 39)),
    "an image more": put(4, struct.pack(">I", 41)),
    "no rows": put(8, bytes(4)),
    "2^32 - 1 rows and columns": put(8, b"\xff" * 8),
    "the labels": lambda good: idx(np.arange(40) % 2),
}
IDX_LABELS = {
    "the magic of images": put(3, b"\3"),
    "no labels": put(4, struct.pack(">I", 0)),
    "2^31 labels": put(4, struct.pack(">I", 1 << 31)),
    "2^32 - 1 labels": put(4, struct.pack(">I", (1 << 32) - 1)),
    "a label less": lambda good: idx(np.arange(39) % 2),
    "a label more": lambda good: idx(np.arange(41) % 2),
    "the images": lambda good: idx(images(40)[0]),
}
GZIP = {
    "a wrong checksum": put(-8, b"\0\0\0\0"),
    "a wrong length": put(-4, b"\0\0\0\1"),
    "a header that does not end": put(3, b"\x08"),
    "an unknown method": put(2, b"\7"),
    "a bomb": lambda good: gzip.compress(idx(images(40)[0]) + bytes(50 << 20), 1),
    "two members of the same": lambda good: good + good,
    "a member that is cut": lambda good: gzip.compress(idx(images(40)[0])[:500]) + gzip.compress(idx(images(40)[0])[500:])[:-30],
}


def line(content, at=3):
    """Another line."""
    return lambda good: b"\n".join(good.split(b"\n")[:at] + [content] + good.split(b"\n")[at + 1:])


def field(content, at=5):
    """Another number in the fourth line."""
    def damage(good):
        fields = good.split(b"\n")[3].split(b",")
        fields[at] = content
        return line(b",".join(fields))(good)
    return damage


CSV = {
    "a line that is short": line(b"1,2,3"),
    "a line that is long": lambda good: line(good.split(b"\n")[3] + b",7")(good),
    "a pixel that is no number": field(b"nan"),
    "a pixel that is a word": field(b"dark"),
    "a pixel that is empty": field(b""),
    "a pixel of -1": field(b"-1"),
    "a pixel of 256": field(b"256"),
    "a pixel of 2^64": field(b"18446744073709551616"),
    "a pixel of 0.5": field(b"0.5"),
    "a pixel with a decimal comma": field(b"1,5"),
    "a label of -1": field(b"-1", 0),
    "a label of 2^32": field(b"4294967296", 0),
    "a label of 4,096": field(b"4096", 0),
    "a zero byte": field(b"1\0"),
    "other separators": line(b"1;2;3"),
    "a number that hides what is behind it": field(b"1" + b" " * 30 + b"x"),
    "a line of headings alone": constant(b"label," + b",".join(b"p%d" % i for i in range(36)) + b"\n"),
    "a quote that stays open": field(b'"1'),
    "UTF-16": lambda good: good.decode().encode("utf-16"),
}


def arrays(**changes):
    """An npz with other arrays; without those that are None."""
    def damage(good):
        with np.load(io.BytesIO(good)) as file:
            kept = {name: array for name, array in (dict(file) | changes).items() if array is not None}
        return npz(**kept)
    return damage


def header(old, new):
    """An npz or npy whose header says something else, in as many bytes."""
    def damage(good):
        assert len(old) == len(new) and old in good, old
        return good.replace(old, new, 1)
    return damage


def member(content):
    """An npz whose x is these bytes, with a right checksum."""
    def damage(good):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("x.npy", content)
            archive.writestr("y.npy", npy(images(40)[1]))
        return stream.getvalue()
    return damage


def npy_saying(text):
    text = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + images(40)[0].tobytes()


NPY_HEADERS = {name: f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}" for name, descr, shape in (
    ("2^64 numbers", "|u1", "(4294967296, 4294967296)"), ("10^30 images", "|u1", f"({10**30}, 6, 6)"),
    ("-1 images", "|u1", "(-1, 6, 6)"), ("no images", "|u1", "(0, 6, 6)"), ("objects", "|O", "(40, 6, 6)"),
    ("an unknown type", "<z3", "(40, 6, 6)"), ("a shape of words", "|u1", "(forty, 6, 6)"),
    ("too many dimensions", "|u1", "(" + "1, " * 20 + ")"), ("an image more", "|u1", "(41, 6, 6)"),
    ("complex numbers", "<c8", "(40, 6, 6)"))}
NPZ = {
    "no images in it": arrays(x=None),
    "no labels in it": arrays(y=None),
    "labels that are too few": arrays(y=np.zeros(39, np.uint8)),
    "labels of -1": arrays(y=-np.ones(40, np.int64)),
    "labels that are no numbers": arrays(y=np.full(40, np.nan)),
    "labels one-hot": arrays(y=np.eye(2)[np.arange(40) % 2]),
    "pixels that are no numbers": arrays(x=np.full((40, *SHAPE), np.nan)),
    "pixels of 256": arrays(x=np.full((40, *SHAPE), 256)),
    "pixels of 0.5": arrays(x=np.full((40, *SHAPE), 0.5)),
    "words": arrays(x=np.array(["word"] * 40)),
    "the channels first": arrays(x=np.zeros((40, 3, *SHAPE), np.uint8)),
    "a wrong checksum in its zip": lambda good: good[:200] + bytes([good[200] ^ 1]) + good[201:],
    "a zip without its list": lambda good: good[:good.rindex(b"PK\1\2")],
    "a zip of nothing": constant(b"PK\5\6" + bytes(18)),
    "a member that is no array": member(b"no array"),
} | {f"a header of {name}": member(npy_saying(text)) for name, text in NPY_HEADERS.items()}
NPY = {"version 9": put(6, b"\x09"), "a header that is long": put(8, b"\xff\xff"), "a header of no text": put(10, b"[")} | {
    f"a header of {name}": constant(npy_saying(text)) for name, text in NPY_HEADERS.items()}

PNG = {
    "a wrong checksum": put(29, b"\0\0\0\0"),
    "2^31 columns": put(16, struct.pack(">I", 1 << 31)),
    "2^31 - 1 columns and rows": put(16, struct.pack(">II", (1 << 31) - 1, (1 << 31) - 1)),
    "no rows": put(20, bytes(4)),
    "an unknown kind of colour": put(25, b"\x05"),
    "no pixels": lambda good: good[:33] + good[-12:],
    "100,000 x 100,000, checksum right": lambda good: png_saying(100000, 100000),
    "more rows than there are": lambda good: png_saying(6, 7),
}


def png_saying(width, height):
    import zlib
    kind = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return put(12, kind + struct.pack(">I", zlib.crc32(kind)))(png(images(40)[0][0]))


PGM = {
    "no columns": put(3, b"0"),
    "99,999,999,999 columns": lambda good: good.replace(b"6 6", b"99999999999 6"),
    "2^16 x 2^16": lambda good: good.replace(b"6 6", b"65536 65536"),
    "a brightest value of 0": lambda good: good.replace(b"255", b"0"),
    "a brightest value of 65,536": lambda good: good.replace(b"255", b"65536"),
    "a size of -6": lambda good: good.replace(b"6 6", b"-6 6"),
    "kind 9": put(1, b"9"),
    "a note of no end": lambda good: b"P5\n#" + b"x" * 100000,
}
ONNX = {
    "a length of 2^63": lambda good: b"\x3a" + b"\xff" * 8 + b"\x7f" + good,
    "a number of no end": constant(b"\x08" + b"\xff" * 100),
    "a model without a graph": constant(b"\x08\x08"),
    "an unknown operator": lambda good: good.replace(b"Conv", b"Warp"),
    "a constant that lacks": lambda good: good.replace(b"0.bias", b"0.bios", 1),
}
WEIGHTS_NPZ = {
    "an array that lacks": arrays(**{"0.bias": None}),
    "an array of another shape": arrays(**{"0.bias": np.zeros(3, np.float32)}),
    "a weight that is no number": arrays(**{"0.bias": np.full(2, np.nan, np.float32)}),
    "a weight that is infinite": arrays(**{"0.bias": np.full(2, np.inf)}),
    "an array of words": arrays(**{"0.bias": np.array(["a", "b"])}),
    "a wrong checksum in its zip": lambda good: good[:200] + bytes([good[200] ^ 1]) + good[201:],
}
LOG = {
    "a first line that is cut": lambda good: good[:40],
    "a line of deep lists": lambda good: b"[" * 5000 + b"\n" + good,
    "a line that is a list": lambda good: b"[1]\n" + good,
    "a line of zeros": line(bytes(50), 1),
    "a first line without a start": lambda good: good.split(b"\n", 1)[1],
    "numbers that are texts": lambda good: re.sub(rb'"epoch": ?1', b'"epoch":"one"', good),
    "a line that is not UTF-8": line(b'{"\xff": 1}', 1),
}
CHECKPOINT = {
    "no metadata": lacking("__metadata__"),
    "no options": meta("options", None),
    "other options": meta("options", "epochs=3"),
    "another network": meta("spec", "dense 2"),
    "another format": meta("format", "inkling-1"),
    "a model's header": tensors(lambda header, data: [header.pop(name) for name in list(header)] and None),
    "a header of 2^63 bytes": put(0, struct.pack("<Q", 1 << 63)),
    "a count of 2^64 - 1": number("counts", (1 << 64) - 1, "<Q"),
    "a sum that is no number": number("numbers", float("nan"), "<d"),
    "an order of what is not there": number("order", (1 << 32) - 1, "<I"),
    "a weight that is no number": number("weights", float("nan")),
    "an optimizer's state that is no number": number("state1", float("nan")),
    "a tensor that lacks": lacking("state2"),
    "a tensor of another type": tensor("order", dtype="F32"),
    "a tensor of 2^64 numbers": tensor("order", shape=[1 << 32, 1 << 32]),
    "a tensor behind the file": tensor("order", data_offsets=[1 << 40, (1 << 40) + 128]),
}

# ---- Who reads what --------------------------------------------------------------------------------------------------
# {} is the damaged file (or its folder, for a file in one), G the folder of good ones, O one for what is written.

DATA = [["show", "{}"], ["train", "{}", "-o", "O/out", "--net", LINE, "--epochs", 1, "--val", 2, "--batch", 4, "--log", "O/log",
                         "--report", "O/page"],
        ["eval", "G/model.safetensors", "{}", "--split", "train", "--json"], ["convert", "{}", "-o", "O/out.npz"],
        ["convert", "{}", "-o", "O/out", "--format", "idx"], ["tune", "lr", "{}", "--net", LINE, "--svg", "O/out.svg"]]
MODELS = [["show", "{}"], ["eval", "{}", "G/idx", "--report", "O/page"], ["predict", "{}", "G/one.png"],
          ["export", "{}", "-o", "O/out.c"], ["export", "{}", "-o", "O/out.onnx"], ["export", "{}", "-o", "O/out.npz"],
          ["report", "{}", "--data", "G/idx", "-o", "O/page"], ["verify", "{}", "G/model.c", "G/idx"],
          ["serve", "{}", "--port", 0]]
PREDICT = [["predict", "G/model.safetensors", "{}"]]
RESUME = [["train", "G/idx", "-o", "O/out", "--net", LINE, "--epochs", 1000000, "--batch", 8, "--val", 8, "--checkpoint",
           "{}", "--resume"]]


def importing(*more):
    return [["import", "{}", "-o", "O/out", *more], ["verify", "G/model.safetensors", "{}", "G/idx"]]


# The file, the folder that is named in its stead, what is done to it, who reads it, and which damage is none to that kind
# or gets another code: zeros begin as IDX files do, whose labels are then looked for.
NO_LABELS = {"zeros": None}  # any of the two
NPZ_IS = {"zeros": None, "itself twice": OK, "its bytes backwards": None, "no images in it": FAILED, "no labels in it": FAILED}
KINDS = [
    ("model.safetensors", None, ANY | JUNK | MODEL, MODELS, NO_LABELS),
    ("int8.safetensors", None, ANY | JUNK | INT8, MODELS[:4], NO_LABELS),
    ("state", None, ANY | JUNK | CHECKPOINT, RESUME, {}),
    ("idx/train-images-idx3-ubyte", "idx", ANY | JUNK | IDX_IMAGES, DATA, {}),
    ("idx/train-labels-idx1-ubyte", "idx", ANY | JUNK | IDX_LABELS, DATA, {}),
    ("zipped/train-images-idx3-ubyte.gz", "zipped", ANY | JUNK | GZIP, DATA, {}),
    ("zipped/train-labels-idx1-ubyte.gz", "zipped", ANY | JUNK, DATA, {}),
    ("data.csv", None, ANY | CSV, DATA, NO_LABELS | {"all but a byte": OK}),
    ("data.npz", None, ANY | JUNK | NPZ, DATA, NPZ_IS),
    ("x_one.npy", None, ANY | JUNK | NPY, DATA, NO_LABELS),
    ("y_one.npy", "x_one.npy", ANY | JUNK, DATA, {}),
    ("pictures/b/1.png", "pictures", ANY | PNG, DATA, {"missing": OK}),
    ("one.png", None, ANY | PNG, PREDICT, {}),
    ("one.pgm", None, ANY | PGM, PREDICT, {}),
    ("model.onnx", None, ANY | ONNX, importing(), {}),
    ("weights.npz", None, ANY | JUNK | WEIGHTS_NPZ, importing("--net", LINE, "--input", "6x6x1"), {"itself twice": OK}),
    ("weights.safetensors", None, ANY | JUNK | SAFETENSORS, importing("--net", LINE, "--input", "6x6x1"), {}),
    ("run.jsonl", None, ANY | LOG, [["report", "{}", "--data", "G/idx", "-o", "O/page"]], {"all but a byte": OK}),
]


def replaced(command, bad, good, out):
    return [str(word).replace("{}", bad).replace("G/", f"{good}/").replace("O/", f"{out}/") for word in command]


def check_refused(command, what, names, codes, out):
    """One line that names the file, by one of its names, no result, no output."""
    try:
        done = run(*command, timeout=60)
    except subprocess.TimeoutExpired:
        check(False, f"{what}: {' '.join(command[:2])}: does not end")
        return
    lines = done.err.splitlines()
    told = f"{what}: {' '.join(command[:2])}: code {done.code}: {done.err[-400:]!r}"
    check(done.code in codes, f"{told}: expected {codes}")
    check(len([text for text in lines if text.startswith("inkling: ")]) == 1 and lines[-1].startswith("inkling: "),
          f"{told}: expected one line, last, that begins with inkling:")
    check(any(os.path.basename(name) in done.err for name in names), f"{told}: expected it to name {names}")
    check(done.out == "", f"{told}: on stdout: {done.out[:200]!r}")
    check(not os.listdir(out), f"{told}: left {os.listdir(out)}")
    for left in os.listdir(out):
        path = f"{out}/{left}"
        shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def test_kind(kind, work):
    """Every damage by the first command and by one of the others, which take turns."""
    name, named, damages, commands, otherwise = kind
    good, bad, out = f"{work}/good", f"{work}/bad", f"{work}/out"
    shutil.rmtree(bad, ignore_errors=True)
    shutil.copytree(good, bad)
    path, operand = f"{bad}/{name}", f"{bad}/{named or name}"
    content = read(path)
    # Starting takes a sanitized program long: it meets a third of the damages.
    for turn, (what, damage) in list(enumerate(damages.items()))[::3 if SANITIZED else 1]:
        code = otherwise.get(what, BAD)
        changed = damage(content)
        assert changed != content, (name, what)
        write(path, changed)
        for command in [] if code == OK else commands[:1] + commands[1:][turn % max(len(commands) - 1, 1):][:1]:
            check_refused(replaced(command, operand, good, out), f"{name}, {what}", (name,),
                          (code,) if code else (FAILED, BAD), out)
    # What is no file at all.
    os.remove(path)
    if otherwise.get("missing") != OK:
        test_absent(commands, operand, good, out, name, "missing")
    os.symlink(path, path)
    test_absent(commands, operand, good, out, name, "a link to itself")
    os.remove(path)
    os.mkdir(path)  # for a checkpoint, an output too, that is wrong usage
    test_absent(commands, operand, good, out, name, "a folder")


def test_absent(commands, operand, good, out, name, what):
    for command in commands:
        check_refused(replaced(command, operand, good, out), f"{name}, {what}",
                      (operand, name), (FAILED, BAD, USAGE) if what == "a folder" else (FAILED, BAD), out)


with folder() as work:
    make_good(f"{work}/good")
    os.mkdir(f"{work}/out")
    for kind in KINDS:
        if len(sys.argv) < 3 or sys.argv[2] in kind[0]:
            test_kind(kind, work)
finish()
