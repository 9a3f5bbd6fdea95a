"""docs/deploy.md tells the truth: its walk-through runs word for word in an empty folder, on a small data set called mnist."""
import os
import re
import subprocess

import numpy as np

from exported import ROOT
from helper import PROGRAM, check, environment, finish, folder, idx, run, write

PAGE = (ROOT / "docs/deploy.md").read_text()


def sections(*numbers):
    """Those sections' text, by their numbers."""
    parts = dict(re.findall(r"^## (\d+)\. (.*?)(?=^## |\Z)", PAGE, re.M | re.S))
    return "".join(parts[str(number)] for number in numbers)


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def commands(*numbers):
    text = "".join(blocks(sections(*numbers), "sh")).replace("\\\n", "")
    return [line for line in text.splitlines() if line.strip()]


def make_mnist(work):
    random = np.random.RandomState(0)
    os.makedirs(f"{work}/data/mnist")
    for name, count in (("train", 600), ("t10k", 1010)):
        labels = (np.arange(count) + 7) % 10  # the first is a 7, as in MNIST
        images = random.randint(0, 40, (count, 28, 28))
        images[np.arange(count)[:, None], (4 + 2 * labels)[:, None], 4:24] = 250
        write(f"{work}/data/mnist/{name}-images-idx3-ubyte", idx(images))
        write(f"{work}/data/mnist/{name}-labels-idx1-ubyte", idx(labels))


def test_numbers():
    found = [int(number) for number in re.findall(r"^## (\d+)\.", PAGE, re.M)]
    check(found == list(range(1, len(found) + 1)), f"sections are numbered in a row: {found}")


with folder() as work:
    test_numbers()
    make_mnist(work)
    os.mkdir(f"{work}/bin")
    os.symlink(PROGRAM, f"{work}/bin/inkling")
    features = run("--version").out
    env = environment(PATH=f"{work}/bin:{os.environ['PATH']}")
    for program in blocks(sections(4), "c"):
        write(f"{work}/{re.match(r'/[*] (.*?):', program).group(1)}", program.encode())
    walk = commands(1, 2, 4, 8, 9)
    check(len(walk) >= 16, f"a walk of some lines: {walk}")
    outputs = {}
    for line in walk:
        if ("onnx" in line and "+onnx" not in features) or (".html" in line and "+html" not in features):
            continue
        done = subprocess.run(["sh", "-c", line], cwd=work, env=env, capture_output=True, text=True, timeout=300)
        check(done.returncode == 0 and (done.stdout or line.startswith("cc ")), f"{line}: {done}")
        outputs[line] = done.stdout
    last = next(out for line, out in outputs.items() if "./recognise" in line)
    check(re.fullmatch(r"0: \d+\.\d%\n", last), f"the first test picture, by class, is a 0: {last!r}")
    check(all("same bits     1,010 of 1,010" in out for line, out in outputs.items() if "verify" in line and line.count(".c")),
          f"verify says what the page says: {outputs}")
finish()
