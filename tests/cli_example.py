"""The examples: the C program and the NumPy script give what inkling predict gives."""
import gzip
import json
import os
import pathlib
import subprocess
import sys

import numpy as np

from helper import PROGRAM, check, check_run, finish, folder, idx, png, run, write

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"
RECOGNISE = pathlib.Path(PROGRAM).parent / "tests" / "recognise"
IMAGES = "t10k-images-idx3-ubyte.gz"


def make_data(path):
    """Blobs of noise, darker for higher classes: anything will do, as long as the outputs are not all alike."""
    random = np.random.RandomState(0)
    os.mkdir(path)
    for name, count in (("train", 2000), ("t10k", 40)):
        labels = np.arange(count) % 10
        images = np.zeros((count, 28, 28))
        images[:, 4:24, 4:24] = random.randint(0, 256, (count, 20, 20)) / (1 + labels[:, None, None])
        write(f"{path}/{name}-images-idx3-ubyte.gz", gzip.compress(idx(images)))
        write(f"{path}/{name}-labels-idx1-ubyte.gz", gzip.compress(idx(labels)))
    return images


def test_forward(model, data):
    """The file opens with NumPy alone, and its network computes the same there, in double precision."""
    largest = 0
    for index in (0, 1, 2, 3, 17, 39):
        script = subprocess.run([sys.executable, "-B", EXAMPLES / "forward.py", model, f"{data}/{IMAGES}", str(index)],
                                capture_output=True, text=True)
        check(script.returncode == 0, f"forward.py: {script.stderr}")
        theirs = dict(line.split("\t") for line in script.stdout.splitlines())
        done = run("predict", model, f"{data}:{index}", "--json", "--top", 10)
        check_run(done, 0)
        ours = {row["class"]: row["probability"] for row in json.loads(done.out)["top"]}
        check(set(ours) == set(theirs) and len(ours) == 10, f"image {index}: the same classes, {ours} {theirs}")
        largest = max([largest, *(abs(ours[c] - float(theirs[c])) for c in ours)])
    check(largest < 1e-6, f"forward.py differs by {largest}")
    lines = (EXAMPLES / "forward.py").read_text().split('"""')[2].strip().splitlines()
    check(len([line for line in lines if line]) <= 25, "forward.py is short")


def test_recognise(model, work, image):
    picture = png(np.kron(255 - image, np.ones((5, 5))))
    path = write(f"{work}/picture.png", picture)
    best = json.loads(run("predict", model, path, "--json").out)["top"][0]
    done = subprocess.run([RECOGNISE, model], input=picture, capture_output=True)
    expected = f"{best['class']}: {100 * best['probability']:.1f}%\n"
    check(done.returncode == 0 and done.stdout.decode() == expected, f"recognise: {done}, expected {expected!r}")
    for arguments, stdin, code, words in [([], b"", 2, b"usage"), ([model], b"", 3, b"the picture"),
                                          ([work + "/none"], picture, 1, b"none")]:
        done = subprocess.run([RECOGNISE, *arguments], input=stdin, capture_output=True)
        check(done.returncode == code and words in done.stderr, f"recognise {arguments}: {done}")


with folder() as work:
    data, model = f"{work}/data", f"{work}/model.safetensors"
    images = make_data(data)
    check_run(run("train", data, "-o", model, "--net", "notebook", "--epochs", 2, "--val", 100), 0)
    test_forward(model, data)
    test_recognise(model, work, images[0])
finish()
