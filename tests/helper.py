"""What the program tests share: running the program, checking, and small encoders of the files it reads."""
import ctypes
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib

import numpy as np

PROGRAM = os.path.abspath(sys.argv[1])
SANITIZED = b"__asan_init" in open(PROGRAM, "rb").read()
passed = failed = 0


def environment(**changes):
    """The environment of the tests: no colours, no locale, nothing of the caller's that the program would read."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("INKLING_", "XDG_", "LC_", "LANG", "NO_COLOR"))}
    return env | changes


def run(*arguments, stdin=b"", env=None, **more):
    """Runs the program; its output as text is in .out and .err, its exit code in .code."""
    more = {"stdout": subprocess.PIPE, "timeout": 300} | more
    done = subprocess.run([PROGRAM, *map(str, arguments)], input=stdin, env=env or environment(), stderr=subprocess.PIPE,
                          **more)
    done.out, done.err = (done.stdout or b"").decode(), done.stderr.decode()
    done.code = done.returncode
    return done


def check(condition, what):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print("FAILED:", what)


def check_run(done, code, *words):
    """Checks the exit code, and that every word is somewhere in the output."""
    text = done.out + done.err
    missing = [word for word in words if word not in text]
    line = " ".join(map(str, done.args[1:]))
    check(done.code == code and not missing,
          f"{line}: code {done.code}, expected {code}; missing {missing} in: {text[:2000]}")


def finish():
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


def folder():
    """A new temporary folder; use as a context manager."""
    return tempfile.TemporaryDirectory(prefix="inkling-test-")


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)
    return path


def read(path):
    with open(path, "rb") as file:
        return file.read()


def png(pixels):
    """A PNG of uint8 pixels, (H, W) grey or (H, W, 3) colour."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels.astype(np.uint8))
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pgm(pixels):
    """A PGM of uint8 pixels, (H, W)."""
    return b"P5\n%d %d\n255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.astype(np.uint8).tobytes()


def idx(values):
    """An IDX file of unsigned bytes."""
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


class Compiled:
    """A model exported as C, compiled and loaded: what its session gives, bit for bit, for any float images."""
    def __init__(self, model, work):
        name = f"m{len(os.listdir(work))}"
        exported = run("export", model, "-o", f"{work}/{name}.c")
        assert exported.code == 0, exported.err
        subprocess.run(["cc", "-O1", "-march=native", "-shared", "-fPIC", f"{work}/{name}.c", "-o", f"{work}/{name}.so", "-lm"],
                       check=True)
        header = read(f"{work}/{name}.h").decode()
        size = {key: int(value) for key, value in re.findall(rf"#define {name.upper()}_([A-Z_]+) (\d+)", header)}
        self.classes, self.inputs = size["CLASSES"], size["INPUTS"]
        self.scratch = np.zeros(size["SCRATCH_FLOATS"], np.float32)
        self.predict = getattr(ctypes.CDLL(f"{work}/{name}.so"), f"{name}_predict")

    def __call__(self, images):
        """(n, H, W, C) to (n, classes)."""
        images = np.ascontiguousarray(images, np.float32).reshape(len(images), -1)
        assert images.shape[1] == self.inputs, (images.shape, self.inputs)
        out = np.zeros((len(images), self.classes), np.float32)
        pointer = ctypes.POINTER(ctypes.c_float)
        for image, probabilities in zip(images, out):
            self.predict(image.ctypes.data_as(pointer), probabilities.ctypes.data_as(pointer),
                         self.scratch.ctypes.data_as(pointer))
        return out


def make_data(path, train=300, test=100):
    """A data set that any network learns: a bright bar on noise, its height the class. Returns the test images; image i is
    of class i % 10."""
    random = np.random.RandomState(0)
    os.mkdir(path)
    for name, count in (("train", train), ("t10k", test)):
        labels = np.arange(count) % 10
        images = random.randint(0, 40, (count, 28, 28))
        images[np.arange(count)[:, None], (4 + 2 * labels)[:, None], 4:24] = 250
        write(f"{path}/{name}-images-idx3-ubyte", idx(images))
        write(f"{path}/{name}-labels-idx1-ubyte", idx(labels))
    return images
